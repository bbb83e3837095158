/* Time-stamp tokens: what openssl ts accepts is PROVEN, every fault is named, no flipped bit passes. */
#include "seal/verify/timestamp.h"
#include "tests/unit/cms_data.h"
#include "tests/unit/test.h"

/* The token inside a TimeStampResp made by tests/data/cms/make: the second element. */
static struct der
token_in(const struct file *f)
{
	struct der d = { f->data, f->len }, body, status, token;

	if (!der_take(&d, DER_SEQUENCE, &body) || !der_any(&body, &status) || !der_any(&body, &token))
		exit(99);
	return token;
}

static const struct {
	const char *name;
	enum verdict verdict;
	const char *says; /* NULL: nothing */
} cases[] = {
	{ "good.tsr", VERDICT_PROVEN, NULL },
	{ "rsa.tsr", VERDICT_PROVEN, NULL },
	{ "mods.tsr", VERDICT_PROVEN, NULL },
	{ "harmless.tsr", VERDICT_PROVEN, NULL },
	{ "ess-v1.tsr", VERDICT_PROVEN, NULL },
	{ "nonce-high.tsr", VERDICT_DISPROVEN, "wrong nonce: the token answers another request" },
	{ "nonce-long.tsr", VERDICT_DISPROVEN, "wrong nonce: the token answers another request" },
	{ "nonce-none.tsr", VERDICT_DISPROVEN, "wrong nonce: the token has none" },
	{ "sig.tsr", VERDICT_DISPROVEN, "wrong imprint: the token stamps other bytes" },
	{ "version-2.tsr", VERDICT_DISPROVEN, "the token holds no readable TSTInfo" },
	{ "bad-time.tsr", VERDICT_DISPROVEN, "the token holds no readable TSTInfo" },
	{ "imprint-sha1.tsr", VERDICT_UNKNOWN, "imprint is made with 1.3.14.3.2.26, which is not accepted" },
	{ "critical.tsr", VERDICT_UNKNOWN, "the token has a critical extension we do not know" },
	{ "foreign.tsr", VERDICT_UNKNOWN, "chain: issuer certificate not among the trusted roots" },
	{ "expired.tsr", VERDICT_UNKNOWN,
	    "chain: expired at 2026-06-01T12:00:00Z: CN=tsa-expired,O=Muster Scan GmbH,C=DE" },
	{ "eku-soft.tsr", VERDICT_UNKNOWN,
	    "certificate: timeStamping is not its only and critical extended key usage" },
	{ "eku-two.tsr", VERDICT_UNKNOWN,
	    "certificate: timeStamping is not its only and critical extended key usage" },
	{ "eku-none.tsr", VERDICT_UNKNOWN,
	    "certificate: timeStamping is not its only and critical extended key usage" },
	{ "no-ess.tsr", VERDICT_UNKNOWN, "the token does not name its certificate (ESSCertID)" },
	{ "ess-other.tsr", VERDICT_DISPROVEN, "the certificate is not the one the signature names" },
	{ "no-cert.tsr", VERDICT_UNKNOWN, "the signer's certificate is not in the CMS" },
	{ "two-signers.tsr", VERDICT_UNKNOWN, "the CMS has 2 signers instead of one" },
	{ "unsigned.tsr", VERDICT_UNKNOWN, "the token has unsigned attributes" },
};

static void
test_cases(const struct trust *trust, const struct timestamp_want *want)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct file f = data_file(cases[i].name);
		struct der token = token_in(&f);
		struct findings found = { 0 };
		struct timestamp ts;
		bool good = timestamp_check(&ts, token.p, token.len, want, trust, "tsa:one", &found);

		CHECK(good == (cases[i].verdict == VERDICT_PROVEN) && found.verdict == cases[i].verdict &&
		        (cases[i].says == NULL ? found.n == 0 : found.n == 1 && strcmp(found.text[0], cases[i].says) == 0),
		    "%s is judged as it should be (%s)", cases[i].name, found.n > 0 ? found.text[0] : "nothing to say");
	}
}

static void
test_facts(const struct trust *trust, const struct timestamp_want *want)
{
	struct file f = data_file("good.tsr"), nine = data_file("nonce-high.tsr");
	struct der token = token_in(&f), high = token_in(&nine);
	const uint64_t high_nonce = 0xF122334455667788ULL;
	struct timestamp_want w = *want;
	struct findings found = { 0 };
	struct timestamp ts;
	uint8_t hash[HASH_LEN];

	timestamp_check(&ts, token.p, token.len, want, trust, "tsa:", &found);
	hash_bytes(token.p, token.len, hash);
	CHECK(ts.gen_time_us == DATA_STAMPED, "genTime is read with its fraction");
	CHECK(strcmp(ts.signer, "CN=tsa,O=Muster Scan GmbH,C=DE") == 0, "the signer is named: %s", ts.signer);
	CHECK(strcmp(ts.policy, DATA_POLICY) == 0, "the policy is %s", ts.policy);
	CHECK(memcmp(ts.hash, hash, HASH_LEN) == 0, "the hash is that of the token's bytes");
	w.nonce = &high_nonce;
	CHECK(timestamp_check(&ts, high.p, high.len, &w, trust, "tsa:one", &found), "a nonce with its highest bit set fits");
	w = *want;
	w.policy = "1.2.3";
	CHECK(!timestamp_check(&ts, token.p, token.len, &w, trust, "tsa:one", &found) &&
	        strcmp(found.text[0], "wrong policy: " DATA_POLICY " instead of 1.2.3") == 0,
	    "another policy than the wanted one is refused");
	memset(&found, 0, sizeof(found));
	CHECK(!timestamp_check(&ts, token.p, token.len, want, trust, "tsa:two", &found) &&
	        found.verdict == VERDICT_UNKNOWN,
	    "a TSA without pinned roots proves nothing");
}

static bool
proven(const struct der *token, const struct timestamp_want *want, const struct trust *trust)
{
	struct findings found = { 0 };
	struct timestamp ts;

	return timestamp_check(&ts, token->p, token->len, want, trust, "tsa:one", &found);
}

/*
 * No flipped bit passes, but in the embedded copy of the root: no signature
 * covers it, and the path ends in the pinned one.
 */
static void
test_flips(const struct trust *trust, const struct timestamp_want *want)
{
	struct file f = data_file("good.tsr"), root = data_file("tsa-root.der");
	struct der token = token_in(&f);
	const uint8_t *free_from = memmem(token.p, token.len, root.data, root.len);
	unsigned passed = 0, cut = 0, covered = 0;

	for (size_t i = 0; i < token.len; i++) {
		uint8_t *at = f.data + (token.p - f.data) + i;

		if (at >= free_from && at < free_from + root.len)
			continue;
		covered++;
		for (unsigned bit = 0; bit < 8; bit++) {
			*at ^= (uint8_t)(1u << bit);
			if (proven(&token, want, trust)) {
				printf("# byte %zu bit %u\n", i, bit);
				passed++;
			}
			*at ^= (uint8_t)(1u << bit);
		}
	}
	CHECK(free_from != NULL && passed == 0, "no flipped bit of %u bytes passes (%u did)", covered, passed);
	CHECK(proven(&token, want, trust), "without a flip it does");
	for (size_t n = 0; n < token.len; n++)
		cut += proven(&(struct der){ token.p, n }, want, trust);
	CHECK(cut == 0, "no token cut short passes");
}

static void
test_times(void)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} times[] = {
		{ "20260601120000Z", 1780315200000000 }, /* date -ud '2026-06-01 12:00:00' +%s */
		{ "20260601120000.123456Z", 1780315200123456 },
		{ "20240229000000Z", 1709164800000000 },
		{ "20230229000000Z", -1 },
		{ "20260601120000.50Z", -1 },
		{ "20260601120000.Z", -1 },
		{ "20260601120000", -1 },
		{ "20260601120000+0100", -1 },
		{ "202606011200Z", -1 },
		{ "20261301120000Z", -1 },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct der d = { (const uint8_t *)times[i].text, strlen(times[i].text) };
		int64_t us = -1;

		CHECK(der_time_us(&d, &us) == (times[i].us >= 0) && us == times[i].us, "GeneralizedTime %s", times[i].text);
	}
}

static void
test_strict(void)
{
	static const struct {
		const char *name;
		size_t len;
		uint8_t der[12];
		bool good;
	} forms[] = {
		{ "an integer", 3, { 2, 1, 5 }, true },
		{ "an integer with a needless zero", 4, { 2, 2, 0, 5 }, false },
		{ "an integer with a needed zero", 4, { 2, 2, 0, 0x85 }, true },
		{ "a length in long form that fits the short one", 4, { 2, 0x81, 1, 5 }, false },
		{ "an indefinite length", 7, { 0x30, 0x80, 2, 1, 5, 0, 0 }, false },
		{ "bytes behind the element", 4, { 2, 1, 5, 0 }, false },
		{ "a length over the end", 3, { 4, 2, 0 }, false },
		{ "a length of four gigabytes", 6, { 4, 0x84, 0xFF, 0xFF, 0xFF, 0xFF }, false },
		{ "a true that is not ff", 3, { 1, 1, 1 }, false },
		{ "a constructed octet string", 5, { 0x24, 3, 4, 1, 0 }, false },
		{ "an object identifier that ends early", 3, { 6, 1, 0x86 }, false },
		{ "an object identifier with a padded arc", 5, { 6, 3, 0x2A, 0x80, 1 }, false },
		{ "bits with ones among the unused", 4, { 3, 2, 4, 0xFF }, false },
		{ "a high tag number", 4, { 0x1F, 0x20, 1, 0 }, false },
		{ "nothing", 0, { 0 }, false },
	};
	uint8_t deep[2 * 40];

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		CHECK(der_strict(forms[i].der, forms[i].len) == forms[i].good, "strict DER: %s", forms[i].name);
	for (size_t i = 0; i < 40; i++) {
		deep[2 * i] = 0x30;
		deep[2 * i + 1] = (uint8_t)(2 * (39 - i));
	}
	CHECK(!der_strict(deep, sizeof(deep)), "strict DER: 40 levels are too many");
	CHECK(der_strict(deep + 20, sizeof(deep) - 20), "strict DER: 30 levels are not");
}

int
main(void)
{
	const uint64_t nonce = DATA_NONCE;
	uint8_t imprint[HASH_LEN];
	struct timestamp_want want = { .imprint = imprint, .nonce = &nonce, .policy = DATA_POLICY };
	struct trust *trust = data_trust("root.pem", "tsa-root.pem");

	data_hash(imprint);
	test_strict();
	test_times();
	test_cases(trust, &want);
	test_facts(trust, &want);
	test_flips(trust, &want);
	trust_free(trust);
	return TEST_DONE();
}
