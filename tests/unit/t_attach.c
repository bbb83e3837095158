/* A TSA's answer is attached only when all of it fits; what was signed stays as it was. */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/msgs.h"
#include "seal/verify/attach.h"
#include "seal/verify/der.h"
#include "tests/unit/cms_data.h"
#include "tests/unit/test.h"

static struct trust *trust;

static struct attach_params
wanted(uint8_t imprint[HASH_LEN], const struct file *cms)
{
	struct attach_params p = { .tsa = "one", .policy = DATA_POLICY, .nonce = DATA_NONCE,
		.window_from_us = DATA_NOW - 300000000, .window_to_us = DATA_NOW + 60000000 };

	if (cms == NULL) {
		data_hash(imprint);
	} else {
		/* an ECDSA signature value is the last element of a CMS without unsigned attributes */
		size_t len = 60;

		while (len < 80 && !(cms->data[cms->len - len - 2] == 0x04 && cms->data[cms->len - len - 1] == len))
			len++;
		hash_bytes(cms->data + cms->len - len, len, imprint);
		p.cms = cms->data;
		p.cms_len = cms->len;
	}
	memcpy(p.imprint, imprint, HASH_LEN);
	return p;
}

static const struct {
	const char *name;
	const char *says; /* NULL: good */
} answers[] = {
	{ "good.tsr", NULL },
	{ "mods.tsr", NULL },
	{ "rsa.tsr", NULL },
	{ "nonce-high.tsr", "TSA one: wrong nonce: the token answers another request" },
	{ "nonce-none.tsr", "TSA one: wrong nonce: the token has none" },
	{ "sig.tsr", "TSA one: wrong imprint: the token stamps other bytes" },
	{ "foreign.tsr", "TSA one: chain: issuer certificate not among the trusted roots" },
	{ "expired.tsr",
	    "TSA one: chain: expired at 2026-06-01T12:00:00Z: CN=tsa-expired,O=Muster Scan GmbH,C=DE" },
	{ "eku-soft.tsr",
	    "TSA one: certificate: timeStamping is not its only and critical extended key usage" },
	{ "version-2.tsr", "TSA one: the token holds no readable TSTInfo" },
	{ "no-token.tsr", "TSA one: the answer says granted but carries no token" },
	{ "refused.tsr", "TSA one refused with status 2 systemFailure: no credit left \u2014 %1B[31mpay%0A" },
	{ "alg.tsr", "TSA one refused with status 2 badAlg" },
	{ "content", "TSA one: the answer is not a TimeStampResp (RFC 3161)" },
	{ "good.cms", "TSA one: the answer is not a TimeStampResp (RFC 3161)" },
};

static void
test_answers(void)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		struct file f = data_file(answers[i].name);
		struct attach_result r = { 0 };
		struct err e = { 0 };
		uint8_t imprint[HASH_LEN];
		struct attach_params p = wanted(imprint, NULL);
		AUTO_BUF out;
		int code;

		buf_init(&out, WIRE_PAYLOAD);
		code = attach_run(trust, &p, f.data, f.len, &out, &r, &e);
		CHECK(answers[i].says == NULL ? code == 0 && r.gen_time_us / 1000000 == DATA_NOW / 1000000 :
		                                code == -ERR_TSA_ANSWER && strcmp(e.text, answers[i].says) == 0,
		    "%s: %s", answers[i].name, code == 0 ? "good" : e.text);
	}
}

static void
test_window(void)
{
	struct file f = data_file("good.tsr");
	struct attach_result r;
	struct err e = { 0 };
	uint8_t imprint[HASH_LEN];
	struct attach_params p = wanted(imprint, NULL);
	AUTO_BUF out;

	buf_init(&out, WIRE_PAYLOAD);
	p.window_to_us = DATA_STAMPED - 1;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_TSA_ANSWER &&
	        strstr(e.text, "outside 2026-06-01T11:55:00Z .. 2026-06-01T12:00:00Z: compare the clocks") != NULL,
	    "a microsecond after the window is refused: %s", e.text);
	p.window_to_us = DATA_STAMPED;
	p.window_from_us = DATA_STAMPED;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == 0, "the window's ends belong to it");
	p.window_from_us = DATA_STAMPED + 1;
	p.window_to_us = DATA_STAMPED + 2;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_TSA_ANSWER, "a microsecond before is refused");
	snprintf(p.tsa, sizeof(p.tsa), "two");
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_TSA_ANSWER &&
	        strcmp(e.text, "TSA two: chain: no trusted roots are set") == 0,
	    "another TSA's roots are not taken");
	CHECK(attach_run(trust, &p, f.data, 0, &out, &r, &e) == -ERR_TSA_ANSWER, "no answer is refused");
}

static void
test_token_alone(void)
{
	struct file f = data_file("good.tsr");
	struct attach_result r = { 0 };
	struct err e = { 0 };
	uint8_t imprint[HASH_LEN], hash[HASH_LEN];
	struct attach_params p = wanted(imprint, NULL);
	AUTO_BUF out;

	buf_init(&out, WIRE_PAYLOAD);
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == 0 && r.cms_len == r.token_len &&
	        memcmp(r.cms, f.data + f.len - r.cms_len, r.cms_len) == 0,
	    "without a CMS the token comes back byte for byte");
	hash_bytes(r.cms, r.cms_len, hash);
	CHECK(memcmp(hash, r.token_hash, HASH_LEN) == 0, "with its hash");
	buf_done(&out);
	buf_init(&out, 1000);
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_TSA_ANSWER, "one too large is refused: %s", e.text);
}

/* Runs openssl, silent; true on exit status 0. */
static bool
openssl(const char *const argv[])
{
	extern char **environ;
	posix_spawn_file_actions_t quiet;
	pid_t pid;
	int status = -1;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", 1, 0);
	posix_spawn_file_actions_addopen(&quiet, 2, "/dev/null", 1, 0);
	if (posix_spawnp(&pid, argv[0], &quiet, NULL, (char *const *)(uintptr_t)argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&quiet);
	return status == 0;
}

static bool
openssl_accepts(const uint8_t *cms, size_t len)
{
	char path[] = "/tmp/t_attach.XXXXXX";
	int fd = mkstemp(path);
	bool good = fd >= 0 && write(fd, cms, len) == (ssize_t)len &&
	    openssl((const char *const[]){ "openssl", "cms", "-verify", "-cades", "-binary", "-inform", "DER", "-in", path,
	        "-content", "tests/data/cms/content", "-CAfile", "tests/data/cms/root.pem", "-attime", "1780315200",
	        "-purpose", "any", NULL });

	close(fd);
	unlink(path);
	return good;
}

static void
test_cms(void)
{
	struct file f = data_file("sig.tsr"), cms = data_file("good.cms");
	struct file stamped = data_file("stamped.cms"), other = data_file("rsa.cms");
	struct attach_result r = { 0 };
	struct err e = { 0 };
	uint8_t imprint[HASH_LEN];
	struct attach_params p = wanted(imprint, &cms);
	const uint8_t *digest;
	AUTO_BUF out;

	buf_init(&out, WIRE_PAYLOAD);
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == 0 && openssl_accepts(r.cms, r.cms_len),
	    "openssl takes the signature with its time stamp");
	data_hash(imprint);
	digest = memmem(out.data, out.len, imprint, HASH_LEN);
	CHECK(digest != NULL, "the message digest stands in it");
	out.data[digest - out.data] ^= 1;
	CHECK(!openssl_accepts(r.cms, r.cms_len), "and openssl refuses one with another digest");
	out.data[digest - out.data] ^= 1;
	CHECK(r.cms_len > cms.len + r.token_len && r.cms_len < cms.len + r.token_len + 60 &&
	        memmem(r.cms, r.cms_len, f.data + f.len - r.token_len, r.token_len) != NULL,
	    "the token stands in it byte for byte");
	/* behind the outer lengths: certificates; and the signer's part behind its own */
	CHECK(memmem(r.cms, r.cms_len, cms.data + 50, cms.len - 450) != NULL &&
	        memmem(r.cms, r.cms_len, cms.data + cms.len - 250, 250) != NULL,
	    "all that was signed stays");
	buf_clear(&out);
	p.imprint[0] ^= 1;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) < 0, "a token for another imprint is refused");
	p.imprint[0] ^= 1;
	p.cms = other.data;
	p.cms_len = other.len;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_SIG, "another signature is refused: %s", e.text);
	p.cms = stamped.data;
	p.cms_len = stamped.len;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_SIG, "a stamped one is refused: %s", e.text);
	p.cms = f.data;
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_SIG, "what is no signature is refused: %s", e.text);
	p.cms = cms.data;
	p.cms_len = cms.len;
	buf_done(&out);
	buf_init(&out, cms.len + 100);
	CHECK(attach_run(trust, &p, f.data, f.len, &out, &r, &e) == -ERR_TSA_ANSWER, "too large for a message: %s", e.text);
}

static void
test_flips(void)
{
	struct file f = data_file("alg.tsr");
	struct attach_result r;
	struct err e = { 0 };
	uint8_t imprint[HASH_LEN];
	struct attach_params p = wanted(imprint, NULL);
	unsigned passed = 0;
	AUTO_BUF out;

	buf_init(&out, WIRE_PAYLOAD);
	for (size_t i = 0; i < 8 * f.len; i++) {
		f.data[i / 8] ^= (uint8_t)(1u << i % 8);
		passed += attach_run(trust, &p, f.data, f.len, &out, &r, &e) == 0;
		f.data[i / 8] ^= (uint8_t)(1u << i % 8);
	}
	f = data_file("good.tsr");
	for (size_t n = 0; n < f.len; n++)
		passed += attach_run(trust, &p, f.data, n, &out, &r, &e) == 0;
	CHECK(passed == 0, "no refusal flipped and no answer cut short is taken for a time stamp");
}

int
main(void)
{
	trust = data_trust("root.pem", "tsa-root.pem");
	test_answers();
	test_window();
	test_token_alone();
	test_cms();
	test_flips();
	trust_free(trust);
	return TEST_DONE();
}
