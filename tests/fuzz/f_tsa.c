/*
 * f_tsa.c - any answer of a time-stamping authority.
 *
 * Nobody here has the authority's key: an answer is taken only when it carries a
 * token that openssl made for us, byte for byte what was signed.
 */
#include "agent/lib/msgs.h"
#include "seal/verify/attach.h"
#include "seal/verify/der.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cms_data.h"

static struct trust *trust;
static struct attach_params alone, with_cms;
static struct file cms;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	size_t len = 60;

	(void)argc;
	(void)argv;
	trust = data_trust("root.pem", "tsa-root.pem");
	cms = data_file("good.cms");
	alone = (struct attach_params){ .tsa = "one", .policy = DATA_POLICY, .nonce = DATA_NONCE,
		.window_from_us = DATA_NOW - 300000000, .window_to_us = DATA_NOW + 60000000 };
	with_cms = alone;
	data_hash(alone.imprint);
	/* an ECDSA signature value is the last element of a CMS without unsigned attributes */
	while (len < 80 && !(cms.data[cms.len - len - 2] == 0x04 && cms.data[cms.len - len - 1] == len))
		len++;
	hash_bytes(cms.data + cms.len - len, len, with_cms.imprint);
	with_cms.cms = cms.data;
	with_cms.cms_len = cms.len;
	return 0;
}

static void
answer(const struct attach_params *p, const uint8_t *data, size_t size)
{
	struct attach_result r = { 0 };
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, WIRE_PAYLOAD);
	if (attach_run(trust, p, data, size, &out, &r, &e) < 0) {
		FUZZ_MUST(e.code == ERR_TSA_ANSWER && strncmp(e.text, "TSA one", 7) == 0, "refused as %s: %s", err_word(e.code), e.text);
		return;
	}
	fuzz_accepted();
	FUZZ_MUST(r.gen_time_us >= p->window_from_us && r.gen_time_us <= p->window_to_us, "a time outside the window");
	FUZZ_MUST(r.cms_len > 0 && der_strict(r.cms, r.cms_len), "what is attached is not DER");
	if (p->cms == NULL)
		FUZZ_MUST(memmem(data, size, r.cms, r.cms_len) != NULL, "the token is not the answer's");
	else
		FUZZ_MUST(r.cms_len > p->cms_len + r.token_len, "the CMS did not grow by the token");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > ATTACH_ANSWER_MAX)
		return 0;
	answer(&alone, data, size);
	answer(&with_cms, data, size);
	fuzz_planted(size > 1000 && crc32c(0, data, size) % 64 == 7 && der_strict(data, size), data, size);
	return 0;
}
