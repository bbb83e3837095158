/* Signatures: what openssl cms accepts is PROVEN, every fault is named, no flipped bit passes. */
#include <inttypes.h>

#include "agent/lib/msgs.h"
#include "seal/verify/der.h"
#include "seal/verify/findings.h"
#include "seal/verify/judge.h"
#include "tests/unit/cms_data.h"
#include "tests/unit/test.h"

#define HOLE 8192 /* bytes of DER */
#define HOLE_TEXT (2 * HOLE + 2)

static struct trust *trust;
static struct judge_params params;

/* A signature over a file of 1000 + hole + 500 bytes, whatever is in the CMS. */
static struct sig_info
info(const char *name)
{
	struct file f = data_file(name);
	struct sig_info s = { .sub_filter = "ETSI.CAdES.detached", .field = "Seal 1", .covers_revision = 1,
		.has_signing_time_key = 1, .range = { 0, 1000, 1000 + HOLE_TEXT, 500 } };

	s.cms = malloc(f.len);
	s.cms_len = f.len;
	memcpy(s.cms, f.data, f.len);
	return s;
}

/* The token of a .tsr as DocTimeStamp, in a revision behind the first signature. */
static struct sig_info
stamp_info(const char *name)
{
	struct sig_info s = info(name);
	struct der d = { s.cms, s.cms_len }, body, part;

	if (!der_take(&d, DER_SEQUENCE, &body) || !der_any(&body, &part) || !der_any(&body, &part))
		exit(99);
	memmove(s.cms, part.p, part.len);
	s.cms_len = part.len;
	s.is_timestamp = 1;
	snprintf(s.sub_filter, sizeof(s.sub_filter), "ETSI.RFC3161");
	s.range[1] = 1500 + HOLE_TEXT + 300;
	s.range[2] = s.range[1] + HOLE_TEXT;
	s.range[3] = 200;
	return s;
}

static struct judge_result *
judge(const struct sig_info *sigs, uint32_t n, uint64_t file_len)
{
	static struct judge_result r;
	struct judge_params p = params;
	AUTO_BUF b;
	struct err e = { 0 };

	buf_init(&b, 16 << 20);
	for (uint32_t i = 0; i < n; i++)
		sig_info_put(&b, &sigs[i]);
	p.nsigs = n;
	p.file_len = file_len;
	memset(&r, 0xA5, sizeof(r));
	if (judge_run(trust, &p, &b, &r, &e) < 0) {
		printf("# %s\n", e.text);
		exit(99);
	}
	return &r;
}

static const struct judged_sig *
judge_one(struct sig_info s)
{
	const struct judged_sig *r = &judge(&s, 1, 1500 + HOLE_TEXT)->sigs[0];

	sig_info_done(&s);
	return r;
}

static bool
says(const struct judged_sig *s, const char *text)
{
	for (uint32_t i = 0; i < s->nreasons; i++)
		if (strcmp(s->reasons[i], text) == 0)
			return true;
	return false;
}

static const struct {
	const char *name;
	enum verdict verdict;
	enum pades_level level;
	const char *qualified;
	const char *says;
} cases[] = {
	{ "good.cms", VERDICT_PROVEN, LEVEL_B_B, "eseal qscd", NULL },
	{ "rsa.cms", VERDICT_PROVEN, LEVEL_B_B, "eseal qscd", NULL },
	{ "pss.cms", VERDICT_PROVEN, LEVEL_B_B, "eseal qscd", NULL },
	{ "with-root.cms", VERDICT_PROVEN, LEVEL_B_B, "eseal qscd", NULL },
	{ "stamped.cms", VERDICT_PROVEN, LEVEL_B_T, "eseal qscd", NULL },
	{ "noqc.cms", VERDICT_PROVEN, LEVEL_B_B, "none", NULL },
	{ "nosscd.cms", VERDICT_PROVEN, LEVEL_B_B, "eseal", NULL },
	{ "esign.cms", VERDICT_PROVEN, LEVEL_B_B, "esign qscd", NULL },
	{ "bothtypes.cms", VERDICT_PROVEN, LEVEL_B_B, "none", NULL },
	{ "swiss.cms", VERDICT_PROVEN, LEVEL_B_B, "none", NULL },
	{ "nocompliance.cms", VERDICT_PROVEN, LEVEL_B_B, "none", NULL },
	{ "signing-time.cms", VERDICT_PROVEN, LEVEL_NONE, "eseal qscd", "not PAdES baseline: signing-time attribute" },
	{ "no-ess.cms", VERDICT_PROVEN, LEVEL_NONE, "eseal qscd",
	    "not PAdES baseline: no signing-certificate-v2 attribute" },
	{ "ess-v1.cms", VERDICT_PROVEN, LEVEL_NONE, "eseal qscd",
	    "not PAdES baseline: no signing-certificate-v2 attribute" },
	{ "ess-other.cms", VERDICT_DISPROVEN, LEVEL_NONE, "none", "the certificate is not the one the signature names" },
	{ "attached.cms", VERDICT_DISPROVEN, LEVEL_NONE, "none",
	    "the CMS is not detached: it carries its own content" },
	{ "other-type.cms", VERDICT_DISPROVEN, LEVEL_NONE, "none", "the CMS signs another type of content" },
	{ "content", VERDICT_DISPROVEN, LEVEL_NONE, "none", "is not a CMS signature" },
	{ "good.tsr", VERDICT_DISPROVEN, LEVEL_NONE, "none", "is not a well-formed CMS SignedData" },
	{ "stamped-other.cms", VERDICT_DISPROVEN, LEVEL_NONE, "none",
	    "time stamp: wrong imprint: the token stamps other bytes" },
	{ "stamped-foreign.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none",
	    "time stamp: chain: issuer certificate not among the trusted roots" },
	{ "unsigned.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none",
	    "unsigned attribute 1.3.6.1.4.1.99999.1 is not one we can judge" },
	{ "two-signers.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "the CMS has 2 signers instead of one" },
	{ "sha384.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "digest algorithm of the signature is not SHA-256" },
	{ "ber.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "the CMS is not strict DER" },
	{ "no-cert.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "the signer's certificate is not in the CMS" },
	{ "stranger.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none",
	    "the CMS carries a certificate that belongs to no trusted chain" },
	{ "foreign.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none",
	    "chain: issuer certificate not among the trusted roots" },
	{ "expired.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none",
	    "chain: expired at 2026-06-01T12:00:00Z: CN=expired,O=Muster Scan GmbH,C=DE" },
	{ "expired-stamped.cms", VERDICT_PROVEN, LEVEL_B_T, "eseal qscd", NULL },
	{ "weak.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "chain: EE certificate key too weak: CN=weak,O=Muster Scan GmbH,C=DE" },
	{ "nonr.cms", VERDICT_UNKNOWN, LEVEL_NONE, "none", "certificate: its keyUsage does not allow signing" },
};

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct judged_sig *s = judge_one(info(cases[i].name));

		CHECK(s->verdict == cases[i].verdict && s->level == cases[i].level &&
		        strcmp(s->qualified, cases[i].qualified) == 0 &&
		        (cases[i].says == NULL ? s->nreasons == 0 : says(s, cases[i].says)),
		    "%s: verdict %u, level %s, %s (%s)", cases[i].name, s->verdict, level_name(s->level), s->qualified,
		    s->nreasons > 0 ? s->reasons[0] : "nothing to say");
	}
}

static void
test_facts(void)
{
	const struct judged_sig *s = judge_one(info("stamped.cms"));
	struct sig_info i;

	CHECK(strcmp(s->signer, "CN=seal,O=Muster Scan GmbH,C=DE") == 0 && strcmp(s->field, "Seal 1") == 0,
	    "signer and field are named");
	CHECK(s->gen_time_us == DATA_STAMPED && strcmp(s->tsa_signer, "CN=tsa,O=Muster Scan GmbH,C=DE") == 0,
	    "time and signer of the time stamp are named");
	CHECK(s->covers_file == 1, "the whole file is covered");
	params.range_hash[0][31] ^= 1;
	s = judge_one(info("good.cms"));
	params.range_hash[0][31] ^= 1;
	CHECK(s->verdict == VERDICT_DISPROVEN && says(s, "changed after sealing: digest of the byte ranges differs"),
	    "other bytes are disproven");
	params.now_us = DATA_STAMPED - 3600 * 1000000LL;
	s = judge_one(info("stamped.cms"));
	params.now_us = DATA_NOW;
	CHECK(s->verdict == VERDICT_PROVEN && says(s, "the time stamp is later than the clock of this machine"),
	    "a clock set back is remarked, the TSA believed");
	i = info("good.cms");
	i.has_cert_key = 1;
	s = judge_one(i);
	CHECK(s->level == LEVEL_NONE && says(s, "not PAdES baseline: /Cert in the signature dictionary"), "/Cert costs the level");
	i = info("good.cms");
	i.has_signing_time_key = 0;
	s = judge_one(i);
	CHECK(s->level == LEVEL_NONE && says(s, "not PAdES baseline: no /M in the signature dictionary"),
	    "a missing /M costs the level");
	i = info("signing-time.cms");
	snprintf(i.sub_filter, sizeof(i.sub_filter), "adbe.pkcs7.detached");
	s = judge_one(i);
	CHECK(s->verdict == VERDICT_PROVEN && s->level == LEVEL_NONE, "adbe.pkcs7.detached is judged, without a level");
	i = info("good.cms");
	snprintf(i.sub_filter, sizeof(i.sub_filter), "adbe.pkcs7.sha1");
	s = judge_one(i);
	CHECK(s->verdict == VERDICT_UNKNOWN, "adbe.pkcs7.sha1 is not judged");
}

static void
test_ranges(void)
{
	static const struct {
		const char *name;
		uint64_t range[4];
		uint32_t revision;
		enum verdict verdict;
		uint32_t covers;
	} ranges[] = {
		{ "all but the hole", { 0, 1000, 1000 + HOLE_TEXT, 500 }, 1, VERDICT_PROVEN, 1 },
		{ "an earlier revision", { 0, 1000, 1000 + HOLE_TEXT, 400 }, 1, VERDICT_PROVEN, 0 },
		{ "tail left out", { 0, 1000, 1000 + HOLE_TEXT, 499 }, 0, VERDICT_DISPROVEN, 0 },
		{ "to the end of the file, which ends no revision", { 0, 1000, 1000 + HOLE_TEXT, 500 }, 0, VERDICT_DISPROVEN, 1 },
		{ "head left out", { 1, 999, 1000 + HOLE_TEXT, 500 }, 1, VERDICT_DISPROVEN, 1 },
		{ "over the end", { 0, 1000, 1000 + HOLE_TEXT, 501 }, 1, VERDICT_DISPROVEN, 0 },
		{ "sum wraps round", { 0, 1000, 1000 + HOLE_TEXT, UINT64_MAX - 100 }, 1, VERDICT_DISPROVEN, 0 },
		{ "parts overlap", { 0, 1000, 900, 600 + HOLE_TEXT }, 1, VERDICT_DISPROVEN, 1 },
		{ "no hole", { 0, 1000, 1000, 500 + HOLE_TEXT }, 1, VERDICT_DISPROVEN, 1 },
		{ "a hole smaller than the CMS", { 0, 1000, 1102, 398 + HOLE_TEXT }, 1, VERDICT_DISPROVEN, 1 },
		{ "a hole of odd length", { 0, 1000, 1001 + HOLE_TEXT, 499 }, 1, VERDICT_DISPROVEN, 1 },
		{ "nothing before the hole", { 0, 0, HOLE_TEXT, 1500 }, 1, VERDICT_DISPROVEN, 1 },
	};

	for (size_t k = 0; k < sizeof(ranges) / sizeof(ranges[0]); k++) {
		struct sig_info i = info("good.cms");
		const struct judged_sig *s;

		memcpy(i.range, ranges[k].range, sizeof(i.range));
		i.covers_revision = ranges[k].revision;
		s = judge_one(i);
		CHECK(s->verdict == ranges[k].verdict && s->covers_file == ranges[k].covers, "byte range: %s (%s)",
		    ranges[k].name, s->nreasons > 0 ? s->reasons[0] : "-");
	}
}

/* Signatures of others: what a reader may take of them (judge.h); openssl cms verifies each of the PROVEN ones. */
static const struct {
	const char *name;
	enum verdict verdict;
	uint32_t expired;
	const char *says;
} earlier[] = {
	{ "good.cms", VERDICT_PROVEN, 0, NULL },
	{ "stamped.cms", VERDICT_PROVEN, 0, NULL },
	{ "signing-time.cms", VERDICT_PROVEN, 0, NULL },
	{ "ber.cms", VERDICT_PROVEN, 0, NULL },
	{ "unsigned.cms", VERDICT_PROVEN, 0, NULL },
	{ "stranger.cms", VERDICT_PROVEN, 0, NULL },
	{ "stamped-foreign.cms", VERDICT_PROVEN, 0, "time stamp: chain: issuer certificate not among the trusted roots" },
	{ "stamped-other.cms", VERDICT_DISPROVEN, 0, "time stamp: wrong imprint: the token stamps other bytes" },
	{ "expired-stamped.cms", VERDICT_PROVEN, 0, NULL },
	{ "expired.cms", VERDICT_UNKNOWN, 1, "chain: expired at 2026-06-01T12:00:00Z: CN=expired,O=Muster Scan GmbH,C=DE" },
	{ "foreign.cms", VERDICT_UNKNOWN, 0, "chain: issuer certificate not among the trusted roots" },
	{ "weak.cms", VERDICT_UNKNOWN, 0, NULL },
	{ "nonr.cms", VERDICT_UNKNOWN, 0, NULL },
	{ "no-cert.cms", VERDICT_UNKNOWN, 0, NULL },
	{ "two-signers.cms", VERDICT_UNKNOWN, 0, NULL },
	{ "attached.cms", VERDICT_DISPROVEN, 0, NULL },
	{ "ess-other.cms", VERDICT_DISPROVEN, 0, NULL },
	{ "content", VERDICT_DISPROVEN, 0, NULL },
};

static void
test_earlier(void)
{
	const struct judged_sig *s;
	struct sig_info i;

	params.earlier[0] = 1;
	for (size_t k = 0; k < sizeof(earlier) / sizeof(earlier[0]); k++) {
		s = judge_one(info(earlier[k].name));
		CHECK(s->verdict == earlier[k].verdict && s->expired == earlier[k].expired &&
		        (earlier[k].says == NULL || says(s, earlier[k].says)),
		    "somebody else's %s: verdict %u, expired %u (%s)", earlier[k].name, s->verdict, s->expired,
		    s->nreasons > 0 ? s->reasons[0] : "nothing to say");
	}
	s = judge_one(info("stamped-foreign.cms"));
	CHECK(s->gen_time_us == 0, "a time stamp that can not be judged counts as none");
	params.range_hash[0][0] ^= 1;
	CHECK(judge_one(info("ber.cms"))->verdict == VERDICT_DISPROVEN && judge_one(info("good.cms"))->verdict == VERDICT_DISPROVEN,
	    "over other bytes they are disproven, in DER and in BER");
	params.range_hash[0][0] ^= 1;
	params.earlier_us = params.now_us;
	params.now_us += 20LL * 365 * 86400 * 1000000;
	CHECK(judge_one(info("good.cms"))->verdict == VERDICT_PROVEN, "it is judged for the time when it came");
	params.earlier_us = 0;
	s = judge_one(info("good.cms"));
	CHECK(s->verdict == VERDICT_UNKNOWN && s->expired == 1, "twenty years later it has expired");
	params.now_us = DATA_NOW;
	i = info("good.cms");
	i.claimed_us = 1700000000000000;
	CHECK(judge_one(i)->claimed_us == 1700000000000000, "the time it claims is told: of its dictionary");
	s = judge_one(info("signing-time.cms"));
	CHECK(s->claimed_us > 1600000000000000 && s->claimed_us % 1000000 == 0, "or of its attribute");
	i = info("good.cms");
	snprintf(i.sub_filter, sizeof(i.sub_filter), "adbe.pkcs7.detached");
	s = judge_one(i);
	CHECK(s->verdict == VERDICT_PROVEN && s->nreasons == 0 && s->level == LEVEL_NONE, "who claims no PAdES is not told of it");
	params.earlier[0] = 0;
}

/* Somebody else's in front of ours: each by its own measure, the whole by ours. */
static void
test_earlier_beside(void)
{
	struct sig_info two[2] = { info("ber.cms"), info("good.cms") }, stamped[2] = { info("good.cms"), stamp_info("good.tsr") };
	uint64_t len = stamped[1].range[2] + stamped[1].range[3];
	const struct judge_result *r;

	r = judge(two, 2, 1500 + HOLE_TEXT);
	CHECK(r->verdict == VERDICT_UNKNOWN && r->sigs[0].verdict == VERDICT_UNKNOWN, "as ours the first one is doubted");
	params.earlier[0] = 1;
	r = judge(two, 2, 1500 + HOLE_TEXT);
	CHECK(r->verdict == VERDICT_PROVEN && r->sigs[0].verdict == VERDICT_PROVEN && r->sigs[1].verdict == VERDICT_PROVEN, "as another's not");
	params.range_hash[0][0] ^= 1;
	r = judge(two, 2, 1500 + HOLE_TEXT);
	CHECK(r->verdict == VERDICT_PROVEN && r->sigs[0].verdict == VERDICT_DISPROVEN, "broken, it is told, and ours is proven");
	params.range_hash[0][0] ^= 1;
	params.range_hash[1][0] ^= 1;
	CHECK(judge(two, 2, 1500 + HOLE_TEXT)->verdict == VERDICT_DISPROVEN, "ours broken is broken");
	params.range_hash[1][0] ^= 1;
	r = judge(stamped, 2, len);
	CHECK(r->sigs[0].gen_time_us == 0, "a time stamp of ours says nothing about an earlier signature");
	params.earlier[1] = 1;
	r = judge(stamped, 2, len);
	CHECK(r->sigs[0].gen_time_us == DATA_STAMPED && r->verdict == VERDICT_PROVEN, "one that came with it does");
	params.earlier[0] = params.earlier[1] = 0;
	for (int i = 0; i < 2; i++) {
		sig_info_done(&two[i]);
		sig_info_done(&stamped[i]);
	}
}

/* A signature in the first revision, a document time stamp in the second. */
static void
test_document_stamp(void)
{
	struct sig_info two[2] = { info("good.cms"), stamp_info("good.tsr") };
	uint64_t len = two[1].range[2] + two[1].range[3];
	const struct judge_result *r;

	r = judge(two, 2, len);
	CHECK(r->verdict == VERDICT_PROVEN && r->nsigs == 2 && r->sigs[0].level == LEVEL_B_T &&
	        r->sigs[0].gen_time_us == DATA_STAMPED && r->sigs[0].covers_file == 0,
	    "a document time stamp makes B-T");
	CHECK(says(&r->sigs[0], "later revision: 16886 bytes follow what is signed"), "and is a later revision: %s",
	    r->sigs[0].reasons[0]);
	CHECK(r->sigs[1].is_timestamp && r->sigs[1].verdict == VERDICT_PROVEN && r->sigs[1].covers_file == 1 &&
	        r->sigs[1].level == LEVEL_NONE,
	    "the document time stamp itself is proven");
	two[1].range[1] = 1400;
	two[1].range[2] = 1400 + HOLE_TEXT;
	two[1].range[3] = len - two[1].range[2];
	r = judge(two, 2, len);
	CHECK(r->sigs[0].level == LEVEL_B_B && r->sigs[0].gen_time_us == 0, "one that does not cover the signature does not");
	sig_info_done(&two[1]);
	two[1] = stamp_info("foreign.tsr");
	r = judge(two, 2, len);
	CHECK(r->verdict == VERDICT_UNKNOWN && r->sigs[0].verdict == VERDICT_PROVEN && r->sigs[0].level == LEVEL_B_B,
	    "one of an unknown TSA proves nothing, and the file is unknown");
	sig_info_done(&two[0]);
	sig_info_done(&two[1]);
}

static void
test_numbers(void)
{
	static struct sig_info many[JUDGED_MAX + 1];
	struct judge_result r;
	struct judge_params p = params;
	struct err e = { 0 };
	AUTO_BUF b = { 0 };

	for (uint32_t i = 0; i <= JUDGED_MAX; i++)
		many[i] = info("good.cms");
	CHECK(judge(NULL, 0, 1500)->verdict == VERDICT_UNKNOWN, "no signature: cannot tell");
	CHECK(judge(many, JUDGED_MAX, 1500 + HOLE_TEXT)->verdict == VERDICT_PROVEN, "as many as fit are proven");
	CHECK(judge(many, JUDGED_MAX + 1, 1500 + HOLE_TEXT)->verdict == VERDICT_UNKNOWN, "one more: cannot tell");
	buf_init(&b, 1 << 20);
	sig_info_put(&b, &many[0]);
	sig_info_put(&b, &many[1]);
	p.nsigs = 1;
	CHECK(judge_run(trust, &p, &b, &r, &e) == -ERR_PEER, "more signatures than hashes are refused");
	for (uint32_t i = 0; i <= JUDGED_MAX; i++)
		sig_info_done(&many[i]);
}

/* The worst case of reasons must fit one message, or a hostile file makes the judge fail. */
static void
test_result_fits(void)
{
	static struct judge_result r;
	AUTO_BUF b;

	r.nsigs = JUDGED_MAX;
	for (uint32_t i = 0; i < JUDGED_MAX; i++) {
		struct judged_sig *s = &r.sigs[i];

		memset(s->field, 'f', sizeof(s->field) - 1);
		memset(s->signer, 's', sizeof(s->signer) - 1);
		memset(s->tsa_signer, 't', sizeof(s->tsa_signer) - 1);
		memset(s->qualified, 'q', sizeof(s->qualified) - 1);
		s->nreasons = FINDINGS_MAX;
		for (uint32_t k = 0; k < FINDINGS_MAX; k++)
			memset(s->reasons[k], 'r', sizeof(s->reasons[k]) - 1);
	}
	buf_init(&b, WIRE_PAYLOAD);
	judge_result_put(&b, &r);
	CHECK(buf_ok(&b), "the longest result fits a message: %zu bytes", b.len);
}

/*
 * No flipped bit leaves a verdict at PROVEN: every certificate in the CMS is
 * on a path, and nothing else in it is free.  The one exception is the token's
 * copy of its root, which its path does not use.
 */
static void
test_flips(const char *name)
{
	struct sig_info i = info(name);
	struct file root = data_file("tsa-root.der");
	const uint8_t *free_from = memmem(i.cms, i.cms_len, root.data, root.len);
	unsigned passed = 0, covered = 0;
	size_t len = i.cms_len;

	for (size_t at = 0; at < len; at++) {
		if (free_from != NULL && i.cms + at >= free_from && i.cms + at < free_from + root.len)
			continue;
		covered++;
		/* each bit in turn over the bytes, all of them where structure is dense */
		for (unsigned bit = at % 8; bit < 8; bit += at < 64 ? 1 : 8) {
			i.cms[at] ^= (uint8_t)(1u << bit);
			if (judge(&i, 1, 1500 + HOLE_TEXT)->sigs[0].verdict == VERDICT_PROVEN) {
				printf("# byte %zu bit %u\n", at, bit);
				passed++;
			}
			i.cms[at] ^= (uint8_t)(1u << bit);
		}
	}
	CHECK(passed == 0, "no flipped bit in %u bytes of %s passes (%u did)", covered, name, passed);
	CHECK(judge(&i, 1, 1500 + HOLE_TEXT)->verdict == VERDICT_PROVEN, "without a flip it does");
	passed = 0;
	for (i.cms_len = 0; i.cms_len < len; i.cms_len++)
		passed += judge(&i, 1, 1500 + HOLE_TEXT)->verdict == VERDICT_PROVEN;
	CHECK(passed == 0, "nor does it cut short");
	i.cms_len = len;
	sig_info_done(&i);
}

int
main(void)
{
	trust = data_trust("root.pem", "tsa-root.pem");
	params.now_us = DATA_NOW;
	for (uint32_t i = 0; i < SIGS_MAX; i++)
		data_hash(params.range_hash[i]);
	test_cases();
	test_facts();
	test_ranges();
	test_earlier();
	test_earlier_beside();
	test_document_stamp();
	test_numbers();
	test_result_fits();
	test_flips("stamped.cms");
	test_flips("pss.cms");
	test_flips("rsa.cms");
	trust_free(trust);
	return TEST_DONE();
}
