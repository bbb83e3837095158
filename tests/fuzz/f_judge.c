/*
 * f_judge.c - any bytes as the CMS of a signature, or as the list of signatures.
 *
 * Byte 0: the kind.  A CMS that was changed where its signature covers it, or in
 * the signature itself, is never proven; what the list may hold is whatever a
 * scan child that was taken over would write.
 */
#include "agent/lib/msgs.h"
#include "seal/verify/der.h"
#include "seal/verify/judge.h"
#include "seal/verify/signed.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cms_data.h"

#define FILE_LEN 20000u

static struct trust *trust;
static uint8_t content[HASH_LEN];

/* Signatures made for the fixtures: a CMS proven here carries one of these. */
static const char *const made[] = { "good.cms", "rsa.cms", "pss.cms", "with-root.cms", "stamped.cms", "noqc.cms", "nosscd.cms",
	"esign.cms", "bothtypes.cms", "swiss.cms", "nocompliance.cms", "signing-time.cms", "no-ess.cms", "ess-v1.cms",
	"expired-stamped.cms" };
#define MADE (sizeof(made) / sizeof(made[0]))
static struct file originals[MADE];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	trust = data_trust("root.pem", "tsa-root.pem");
	data_hash(content);
	for (size_t i = 0; i < MADE; i++)
		originals[i] = data_file(made[i]);
	return 0;
}

/* Signed attributes and signature of a CMS. */
static bool
signed_parts(const uint8_t *p, size_t n, struct der *attrs, struct der *signature, struct signed_data *sd)
{
	struct findings f = { 0 };

	if (!signed_open(sd, p, n, &f))
		return false;
	*attrs = sd->signed_attrs;
	*signature = sd->signature;
	return true;
}

static bool
was_made(const uint8_t *p, size_t n)
{
	struct der attrs, signature, a, s;
	struct signed_data sd = { 0 }, own = { 0 };
	bool found = false;

	if (signed_parts(p, n, &attrs, &signature, &sd))
		for (size_t i = 0; i < MADE && !found; i++) {
			memset(&own, 0, sizeof(own));
			found = signed_parts(originals[i].data, originals[i].len, &a, &s, &own) && der_equal(&a, &attrs) &&
			    der_equal(&s, &signature);
			signed_done(&own);
		}
	signed_done(&sd);
	return found;
}

/* As signatures of somebody else, where BER is put right first: nothing is promised but an answer. */
static void
judge_earlier(struct buf *sigs, struct judge_params *p)
{
	static struct judge_result r;
	struct err e = { 0 };

	sigs->pos = 0;
	memset(p->earlier, 1, sizeof(p->earlier));
	if (judge_run(trust, p, sigs, &r, &e) < 0)
		FUZZ_MUST(e.code == ERR_PEER, "as another's refused as %s: %s", err_word(e.code), e.text);
	else
		for (uint32_t i = 0; i < r.nsigs; i++)
			FUZZ_MUST(r.sigs[i].verdict == VERDICT_PROVEN || r.sigs[i].nreasons > 0, "another's is not proven, and no reason");
}

static void
judge(struct buf *sigs, uint32_t n, const uint8_t *cms, size_t len)
{
	static struct judge_result r;
	struct judge_params p = { .now_us = DATA_NOW, .file_len = FILE_LEN, .nsigs = n };
	struct err e = { 0 };

	for (uint32_t i = 0; i < n; i++)
		memcpy(p.range_hash[i], content, HASH_LEN);
	if (judge_run(trust, &p, sigs, &r, &e) < 0) {
		FUZZ_MUST(e.code == ERR_PEER, "refused as %s: %s", err_word(e.code), e.text);
		return;
	}
	judge_earlier(sigs, &p);
	FUZZ_MUST(r.nsigs <= JUDGED_MAX, "%u signatures judged", r.nsigs);
	for (uint32_t i = 0; i < r.nsigs; i++) {
		const struct judged_sig *s = &r.sigs[i];

		FUZZ_MUST(s->verdict <= VERDICT_UNKNOWN && (s->verdict == VERDICT_PROVEN || s->level == LEVEL_NONE),
		    "verdict %u with level %s", s->verdict, level_name(s->level));
		if (s->verdict == VERDICT_PROVEN)
			fuzz_accepted();
		FUZZ_MUST(s->verdict == VERDICT_PROVEN || s->nreasons > 0, "not proven, and no reason");
		if (cms != NULL && s->verdict == VERDICT_PROVEN)
			FUZZ_MUST(was_made(cms, len), "proven, but nobody signed that");
		fuzz_planted(cms != NULL && s->verdict == VERDICT_DISPROVEN && len > 1000 && cms[len - 1] == 0x55, cms, len);
	}
}

static void
one(const uint8_t *data, size_t size, bool timestamp)
{
	struct sig_info s = { .field = "Seal 1", .covers_revision = 1, .has_signing_time_key = 1, .is_timestamp = timestamp,
		.range = { 0, 1000, 18386, FILE_LEN - 18386 }, .cms = (uint8_t *)(uintptr_t)data, .cms_len = size };
	AUTO_BUF b;

	strcpy(s.sub_filter, timestamp ? "ETSI.RFC3161" : "ETSI.CAdES.detached");
	buf_init(&b, 1 << 20);
	sig_info_put(&b, &s);
	judge(&b, 1, timestamp ? NULL : data, size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf list;

	if (size < 2 || size > 65536)
		return 0;
	switch (data[0] % 3) {
	case 0:
		one(data + 1, size - 1, false);
		break;
	case 1:
		one(data + 1, size - 1, true);
		break;
	default:
		buf_view(&list, data + 2, size - 2);
		judge(&list, data[1] % (SIGS_MAX + 1), NULL, 0);
	}
	return 0;
}
