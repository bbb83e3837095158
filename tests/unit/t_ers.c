/* Evidence records judged: what is true of them is PROVEN, all else is named; no flipped bit passes. */
#include "agent/lib/derput.h"
#include "seal/evidence/record.h"
#include "seal/verify/complete.h"
#include "seal/verify/ers.h"
#include "tests/unit/test.h"
#include "tests/unit/tsa.h"

#define Y2026 1767225600
#define YEAR 31536000ll
#define US 1000000ll

static struct tsa one, two, other; /* until 2028; until 2040; not trusted */
static struct trust *trust;
static struct err e;
static uint8_t docs[4][2][HASH_LEN]; /* four documents of two objects */
static const struct ers_params now = { .now_us = (Y2026 + YEAR) * US };

static void
must(int r)
{
	if (r < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
}

static void
open_trust(void)
{
	static struct settings s = { .nfiles = 2, .files = { { .name = "tsa:one" }, { .name = "tsa:two" } } };

	s.files[0].data = (uint8_t *)one.pem;
	s.files[0].len = (uint32_t)strlen(one.pem);
	s.files[1].data = (uint8_t *)two.pem;
	s.files[1].len = (uint32_t)strlen(two.pem);
	must(trust_new(&trust, &s, &e));
}

static struct hashtree *
documents(void)
{
	const struct hashtree_head head = { .kind = HASHTREE_DOCUMENTS, .first = 0, .last = 3, .checkpoint = 4 };
	struct hashtree *t;
	char label[16];

	must(hashtree_new(&t, &head, &e));
	for (unsigned i = 0; i < 4; i++) {
		snprintf(label, sizeof(label), "job%u", i);
		must(hashtree_add(t, label, i, (const uint8_t (*)[HASH_LEN])docs[i], 2, &e));
	}
	must(hashtree_close(t, &e));
	return t;
}

/* A renewal of n records, this token being that of record 1. */
static struct hashtree *
renewal(const struct buf *tokens, size_t ntokens, unsigned n)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	uint8_t h[4][HASH_LEN];
	struct hashtree *t;

	must(hashtree_new(&t, &head, &e));
	for (size_t i = 0; i < ntokens; i++)
		hash_bytes(tokens[i].data, tokens[i].len, h[i]);
	must(hashtree_add(t, HASHTREE_RECORD, 1, (const uint8_t (*)[HASH_LEN])h, ntokens, &e));
	for (unsigned i = 1; i < n; i++) {
		hash_bytes(&i, sizeof(i), h[0]);
		must(hashtree_add(t, HASHTREE_RECORD, i + 1, (const uint8_t (*)[HASH_LEN])h, 1, &e));
	}
	must(hashtree_close(t, &e));
	return t;
}

static uint32_t
judge(const struct buf *record, const uint8_t (*objects)[HASH_LEN], size_t n, const struct ers_params *p, struct ers_result *res)
{
	ers_judge(trust, p, objects, n, record->data, record->len, res);
	return res->verdict;
}

/* A chain of time stamps over document 0: which authority, when; each after the first renews all before it. */
struct link {
	struct tsa *tsa;
	time_t at;
	unsigned records; /* renewed together */
};

static void
chain(const struct link *links, size_t n, struct buf *out)
{
	struct record_stamp s[4];
	struct hashtree *trees[4];
	struct buf tokens[4];
	uint8_t root[HASH_LEN];

	for (size_t i = 0; i < n; i++) {
		buf_init(&tokens[i], 65536);
		trees[i] = i == 0 ? documents() : renewal(tokens, i, links[i].records);
		hashtree_root(trees[i], root);
		tsa_stamp(links[i].tsa, root, links[i].at, &tokens[i]);
		s[i] = (struct record_stamp){ trees[i],
			(size_t)hashtree_find(trees[i], i == 0 ? "job0" : HASHTREE_RECORD, i == 0 ? 0 : 1), tokens[i].data, tokens[i].len };
	}
	buf_clear(out);
	must(record_write(s, n, out, &e));
	for (size_t i = 0; i < n; i++) {
		hashtree_free(trees[i]);
		buf_done(&tokens[i]);
	}
}

static const struct {
	const char *name;
	size_t n;
	struct link links[4];
	enum verdict want;
	const char *says;
} chains[] = {
	{ "one time stamp", 1, { { &one, Y2026, 0 } }, VERDICT_PROVEN, NULL },
	{ "renewed alone", 2, { { &one, Y2026, 0 }, { &two, Y2026 + 100, 1 } }, VERDICT_PROVEN, NULL },
	{ "renewed with one other", 2, { { &one, Y2026, 0 }, { &two, Y2026 + 100, 2 } }, VERDICT_PROVEN, NULL },
	{ "renewed with six others", 2, { { &one, Y2026, 0 }, { &two, Y2026 + 100, 7 } }, VERDICT_PROVEN, NULL },
	{ "renewed twice", 3, { { &one, Y2026, 0 }, { &two, Y2026 + 100, 3 }, { &two, Y2026 + 200, 4 } }, VERDICT_PROVEN, NULL },
	{ "renewed three times, alone", 4,
	    { { &one, Y2026, 0 }, { &two, Y2026 + 100, 1 }, { &two, Y2026 + 200, 1 }, { &two, Y2026 + 300, 1 } }, VERDICT_PROVEN, NULL },
	{ "times that go back", 2, { { &one, Y2026 + 100, 0 }, { &two, Y2026, 2 } }, VERDICT_DISPROVEN,
	    "the time stamp of 2026-01-01T00:00:00Z is older than the one it renews" },
	{ "renewed too late", 2, { { &one, Y2026, 0 }, { &two, Y2026 + 3 * YEAR, 2 } }, VERDICT_UNKNOWN,
	    "renewed at 2028-12-31T00:00:00Z, when the certificate before had ended" },
	{ "stamped by somebody else", 1, { { &other, Y2026, 0 } }, VERDICT_UNKNOWN,
	    "chain: issuer certificate not among the trusted roots" },
	{ "renewed by somebody else", 2, { { &one, Y2026, 0 }, { &other, Y2026 + 100, 2 } }, VERDICT_UNKNOWN,
	    "chain: issuer certificate not among the trusted roots" },
};

static void
test_chains(void)
{
	static struct ers_result res;
	struct buf record;

	buf_init(&record, ERS_RECORD_MAX);
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		chain(chains[i].links, chains[i].n, &record);
		judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res);
		CHECK(res.verdict == chains[i].want && (chains[i].says == NULL ? res.nreasons == 0 : res.nreasons == 1) &&
		          (chains[i].says == NULL || strcmp(res.reasons[0], chains[i].says) == 0) &&
		          (res.verdict != VERDICT_PROVEN || (res.nstamps == chains[i].n && res.others == 0 &&
		                                                res.stamps[0].gen_time_us == chains[i].links[0].at * US)),
		    "%s: %s", chains[i].name, res.nreasons > 0 ? res.reasons[0] : "proven");
	}
	buf_done(&record);
}

static void
test_objects(void)
{
	static struct ers_result res;
	const struct link l[] = { { &one, Y2026, 0 }, { &two, Y2026 + 100, 2 } };
	const struct ers_params of_two = { .now_us = now.now_us, .tsa = "two" }, late = { .now_us = (Y2026 + 3 * YEAR) * US },
				later = { .now_us = (Y2026 + 30ll * YEAR) * US };
	uint8_t three[3][HASH_LEN];
	struct buf record;

	buf_init(&record, ERS_RECORD_MAX);
	chain(l, 1, &record);
	memcpy(three, docs[0], sizeof(docs[0]));
	memcpy(three[2], docs[1][0], HASH_LEN);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 1, &now, &res) == VERDICT_PROVEN && res.others == 1,
	    "one object of two is proven, and that there is another is said");
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])three, 3, &now, &res) == VERDICT_DISPROVEN, "a third one is not: %s", res.reasons[0]);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[1], 2, &now, &res) == VERDICT_DISPROVEN, "nor is another document: %s",
	    res.reasons[0]);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &of_two, &res) == VERDICT_UNKNOWN, "roots of another authority: %s",
	    res.reasons[0]);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &late, &res) == VERDICT_UNKNOWN, "not renewed: %s", res.reasons[0]);
	chain(l, 2, &record);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &late, &res) == VERDICT_PROVEN, "renewed it is proven then");
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &later, &res) == VERDICT_UNKNOWN, "but not for ever: %s", res.reasons[0]);
	buf_done(&record);
}

/* An old record of another document, and on top of it a renewal: the newest time stamp holds, the record does not. */
static void
test_grafted(void)
{
	static struct ers_result res;
	struct hashtree *first = documents(), *second;
	struct buf tokens[2], record;
	uint8_t root[HASH_LEN];
	struct record_stamp s[2];

	buf_init(&tokens[0], 65536);
	buf_init(&tokens[1], 65536);
	buf_init(&record, ERS_RECORD_MAX);
	hashtree_root(first, root);
	tsa_stamp(&one, root, Y2026, &tokens[0]);
	root[0] ^= 1;
	tsa_stamp(&one, root, Y2026, &tokens[1]); /* of something else */
	second = renewal(&tokens[1], 1, 2);
	hashtree_root(second, root);
	tsa_stamp(&two, root, Y2026 + 100, &tokens[1]);
	s[0] = (struct record_stamp){ first, (size_t)hashtree_find(first, "job0", 0), tokens[0].data, tokens[0].len };
	s[1] = (struct record_stamp){ second, (size_t)hashtree_find(second, HASHTREE_RECORD, 1), tokens[1].data, tokens[1].len };
	must(record_write(s, 2, &record, &e));
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_DISPROVEN, "a renewal of something else: %s",
	    res.reasons[0]);
	hashtree_free(first);
	hashtree_free(second);
	buf_done(&tokens[0]);
	buf_done(&tokens[1]);
	buf_done(&record);
}

/*
 * RFC 4998, 5.2, with the same hash: a second chain over H(document) || H(all chains
 * before), the pair not sorted.
 */
static void
second_chain(struct buf *out, const uint8_t (*objects)[HASH_LEN], bool sorted)
{
	const struct link l[] = { { &one, Y2026, 0 } };
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	uint8_t h[2][HASH_LEN], pair[2][HASH_LEN], before[HASH_LEN], root[HASH_LEN];
	struct buf first, token, again, inner;
	struct record_stamp s = { 0 };
	struct hashtree *t;
	size_t at = 20; /* behind version and digestAlgorithms: ArchiveTimeStampSequence */

	buf_init(&first, 65536);
	buf_init(&token, 65536);
	buf_init(&again, 65536);
	buf_init(&inner, 65536);
	chain(l, 1, &first);
	at = first.data[1] == 0x82 ? 22 : 20;
	hash_bytes(first.data + at, first.len - at, before);
	must(hashtree_new(&t, &head, &e));
	for (int i = 0; i < 2; i++) {
		unsigned swap = sorted && memcmp(objects[i], before, HASH_LEN) > 0 ? 1 : 0;

		memcpy(pair[swap], objects[i], HASH_LEN);
		memcpy(pair[1 - swap], before, HASH_LEN);
		hash_bytes(pair, sizeof(pair), h[i]);
	}
	must(hashtree_add(t, HASHTREE_RECORD, 1, (const uint8_t (*)[HASH_LEN])h, 2, &e));
	must(hashtree_close(t, &e));
	hashtree_root(t, root);
	tsa_stamp(&two, root, Y2026 + 100, &token);
	s = (struct record_stamp){ t, 0, token.data, token.len };
	must(record_write(&s, 1, &again, &e));
	/* both chains in one sequence: 30 82 xx xx each, the second record's without its head */
	buf_put(&inner, first.data + at + 4, first.len - at - 4);
	buf_put(&inner, again.data + 26, again.len - 26);
	buf_clear(out);
	derput_head(out, DERPUT_SEQUENCE, 18 + 4 + inner.len);
	buf_put(out, first.data + 4, 18);
	derput(out, DERPUT_SEQUENCE, inner.data, inner.len);
	hashtree_free(t);
	buf_done(&first);
	buf_done(&token);
	buf_done(&again);
	buf_done(&inner);
}

static void
test_second_chain(void)
{
	static struct ers_result res;
	struct buf record;
	unsigned proven = 0;

	buf_init(&record, ERS_RECORD_MAX);
	second_chain(&record, (const uint8_t (*)[HASH_LEN])docs[0], false);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_PROVEN && res.nstamps == 2,
	    "a second chain over document and first chain: %s", res.nreasons > 0 ? res.reasons[0] : "proven");
	second_chain(&record, (const uint8_t (*)[HASH_LEN])docs[1], false);
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_DISPROVEN, "of another document: %s",
	    res.reasons[0]);
	for (int i = 0; i < 4; i++) { /* a signature of each has other bytes: one of the pairs will be out of order */
		second_chain(&record, (const uint8_t (*)[HASH_LEN])docs[0], true);
		proven += judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_PROVEN;
	}
	CHECK(proven < 4, "the pair is not sorted");
	buf_done(&record);
}

static void
test_flips(void)
{
	static struct ers_result res;
	const struct link l[] = { { &one, Y2026, 0 }, { &two, Y2026 + 100, 2 } };
	unsigned passed = 0, tried = 0;
	struct buf record;

	buf_init(&record, ERS_RECORD_MAX);
	chain(l, 2, &record);
	for (size_t i = 0; i < record.len; i++, tried++) {
		record.data[i] ^= (uint8_t)(1u << i % 8);
		passed += judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_PROVEN;
		record.data[i] ^= (uint8_t)(1u << i % 8);
	}
	CHECK(passed == 0 && tried > 1500, "a bit flipped in each of %u bytes: never proven", tried);
	passed = 0;
	while (record.len > 0) {
		record.len -= record.len < 7 ? record.len : 7;
		passed += judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_PROVEN;
	}
	CHECK(passed == 0, "cut short: never proven");
	buf_done(&record);
}

/* Parts that are not there, or not supported. */
static void
test_forms(void)
{
#define SHA "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01"
#define SHA512 "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03"
	static const struct {
		const char *name, *bytes;
		size_t len;
		enum verdict want;
	} cases[] = {
		{ "nothing", "", 0, VERDICT_DISPROVEN },
		{ "version 2", "\x30\x14\x02\x01\x02\x30\x0d" SHA "\x30\x00", 22, VERDICT_DISPROVEN },
		{ "no chain", "\x30\x14\x02\x01\x01\x30\x0d" SHA "\x30\x00", 22, VERDICT_DISPROVEN },
		{ "an empty chain", "\x30\x16\x02\x01\x01\x30\x0d" SHA "\x30\x02\x30\x00", 24, VERDICT_DISPROVEN },
		{ "a time stamp without token", "\x30\x18\x02\x01\x01\x30\x0d" SHA "\x30\x04\x30\x02\x30\x00", 26, VERDICT_DISPROVEN },
		{ "attributes", "\x30\x1a\x02\x01\x01\x30\x0d" SHA "\x30\x06\x30\x04\x30\x02\xa1\x00", 28, VERDICT_UNKNOWN },
		{ "an empty tree", "\x30\x1a\x02\x01\x01\x30\x0d" SHA "\x30\x06\x30\x04\x30\x02\xa2\x00", 28, VERDICT_DISPROVEN },
		{ "no list in it", "\x30\x1e\x02\x01\x01\x30\x0d" SHA "\x30\x0a\x30\x08\x30\x06\xa2\x02\x30\x00\x30\x00", 32,
		    VERDICT_DISPROVEN },
		{ "SHA-512", "\x30\x14\x02\x01\x01\x30\x0d" SHA512 "\x30\x00", 22, VERDICT_UNKNOWN },
		{ "two algorithms", "\x30\x21\x02\x01\x01\x30\x1a" SHA SHA512 "\x30\x00", 35, VERDICT_UNKNOWN },
		{ "a chain of SHA-512",
		    "\x30\x25\x02\x01\x01\x30\x0d" SHA "\x30\x11\x30\x0f\x30\x0d\xa0\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03", 39,
		    VERDICT_UNKNOWN },
		{ "encrypted", "\x30\x16\x02\x01\x01\x30\x0d" SHA "\xa1\x00\x30\x00", 24, VERDICT_UNKNOWN },
		{ "something behind it", "\x30\x16\x02\x01\x01\x30\x0d" SHA "\x30\x00\x30\x00", 24, VERDICT_DISPROVEN },
		{ "BER", "\x30\x80\x02\x01\x01\x30\x0d" SHA "\x30\x00\x00\x00", 24, VERDICT_DISPROVEN },
	};
	static struct ers_result res;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ers_judge(trust, &now, (const uint8_t (*)[HASH_LEN])docs[0], 2, (const uint8_t *)cases[i].bytes, cases[i].len, &res);
		CHECK(res.verdict == cases[i].want && res.nreasons == 1, "%s: %s", cases[i].name, res.reasons[0]);
	}
}

/* A token that gets its path, and loses what is not of it. */
static void
test_complete(void)
{
	static struct ers_result res;
	struct buf token, full;
	uint8_t root[HASH_LEN];
	struct hashtree *t = documents();
	struct record_stamp s = { t, (size_t)hashtree_find(t, "job0", 0), NULL, 0 };
	struct buf record;
	struct der d, root_der = { NULL, 0 };
	uint8_t *der = NULL;
	int n = i2d_X509(one.root, &der);

	buf_init(&token, 65536);
	buf_init(&full, 65536);
	buf_init(&record, ERS_RECORD_MAX);
	hashtree_root(t, root);
	tsa_stamp(&one, root, Y2026, &token);
	d = (struct der){ token.data, token.len };
	root_der = (struct der){ der, (size_t)n };
	CHECK(memmem(token.data, token.len, root_der.p, root_der.len) == NULL, "the authority leaves its root out");
	CHECK(complete_run(trust, "one", &d, Y2026 * US, &full, &e) == 0 && memmem(full.data, full.len, root_der.p, root_der.len) != NULL,
	    "then it is in it");
	s.token = full.data;
	s.token_len = full.len;
	must(record_write(&s, 1, &record, &e));
	CHECK(judge(&record, (const uint8_t (*)[HASH_LEN])docs[0], 2, &now, &res) == VERDICT_PROVEN, "and it holds");
	d = (struct der){ full.data, full.len };
	buf_clear(&token);
	CHECK(complete_run(trust, "one", &d, Y2026 * US, &token, &e) == 0 && token.len == full.len &&
	          memcmp(token.data, full.data, full.len) == 0,
	    "once more changes nothing");
	buf_clear(&token);
	CHECK(complete_run(trust, "two", &d, Y2026 * US, &token, &e) == -ERR_TSA_ANSWER, "no path, no token: %s", e.text);
	d = (struct der){ full.data, 40 };
	CHECK(complete_run(trust, "one", &d, Y2026 * US, &token, &e) == -ERR_TSA_ANSWER, "half a token is none");
	OPENSSL_free(der);
	hashtree_free(t);
	buf_done(&token);
	buf_done(&full);
	buf_done(&record);
}

int
main(void)
{
	for (unsigned i = 0; i < 4; i++)
		for (unsigned k = 0; k < 2; k++)
			hash_bytes(&(unsigned){ 2 * i + k }, sizeof(i), docs[i][k]);
	tsa_make(&one, "one", Y2026 - YEAR, Y2026 + 2 * YEAR);
	tsa_make(&two, "two", Y2026 - YEAR, Y2026 + 14 * YEAR);
	tsa_make(&other, "other", Y2026 - YEAR, Y2026 + 14 * YEAR);
	open_trust();
	test_chains();
	test_objects();
	test_grafted();
	test_second_chain();
	test_flips();
	test_forms();
	test_complete();
	trust_free(trust);
	tsa_done(&one);
	tsa_done(&two);
	tsa_done(&other);
	return TEST_DONE();
}
