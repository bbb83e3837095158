/* The trees of evidence records: values computed elsewhere, every shape, one text for one tree. */
#include <stdlib.h>
#include <string.h>

#include "agent/lib/derput.h"
#include "seal/evidence/hashtree.h"
#include "seal/evidence/record.h"
#include "tests/unit/test.h"

/* Computed with Python's hashlib from the strings "src i" and "pdf i". */
#define VECTOR_ROOT "52737789e8b550139d326f985e83e26ad7938290e3c380a74d667ea31fc23c60"
static const char *const vector_order[] = { "402d5046", "84cd21e9", "b358e2a5", "cff95df1", "f897197a" };
static const unsigned vector_jobs[] = { 0, 4, 3, 1, 2 };

static struct err e;

static void
must(int r)
{
	if (r < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
}

static void
add_pair(struct hashtree *t, unsigned i)
{
	uint8_t h[3][HASH_LEN];
	char text[16], label[16];

	hash_bytes(text, (size_t)snprintf(text, sizeof(text), "src %u", i), h[0]);
	hash_bytes(text, (size_t)snprintf(text, sizeof(text), "pdf %u", i), h[1]);
	memcpy(h[2], h[0], HASH_LEN); /* twice is once */
	snprintf(label, sizeof(label), "job%u", i);
	must(hashtree_add(t, label, i, (const uint8_t (*)[HASH_LEN])h, 3, &e));
}

static struct hashtree *
vector(void)
{
	const struct hashtree_head head = { .kind = HASHTREE_DOCUMENTS, .first = 3, .last = 9, .checkpoint = 12 };
	struct hashtree *t;

	must(hashtree_new(&t, &head, &e));
	for (unsigned i = 0; i < 5; i++)
		add_pair(t, i);
	must(hashtree_close(t, &e));
	return t;
}

static void
test_vector(void)
{
	struct hashtree *t = vector();
	uint8_t root[HASH_LEN];
	char hex[HASH_HEX];
	int right = 0;

	hashtree_root(t, root);
	hash_hex(root, hex);
	CHECK(strcmp(hex, VECTOR_ROOT) == 0, "root of five groups");
	for (size_t i = 0; i < 5; i++) {
		hash_hex(hashtree_group(t, i)->leaf, hex);
		right += strncmp(hex, vector_order[i], 8) == 0 && hashtree_group(t, i)->number == vector_jobs[i] &&
		    hashtree_group(t, i)->n == 2;
	}
	CHECK(right == 5, "their leaves, in order, each hash once");
	CHECK(hashtree_find(t, "job4", 4) == 1 && hashtree_find(t, "job4", 5) == -1 && hashtree_find(t, "job", 4) == -1,
	    "a group is found by label and number");
	hashtree_free(t);
}

/* A reader of its own for what is written: lists of hashes, folded as RFC 4998, 4.3 says. */
static int
by_hash(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

static size_t
fold(const struct buf *b, uint8_t ret[HASH_LEN])
{
	static uint8_t list[64][HASH_LEN];
	size_t lists = 0;

	for (size_t at = 0; at < b->len; lists++) {
		size_t len = b->data[at + 1], n = 0;

		if (b->data[at] != 0x30 || len >= 0x80 || len % 34 != 0)
			return 0;
		at += 2;
		for (; n < len / 34; n++, at += 34)
			memcpy(list[n], b->data + at + 2, HASH_LEN);
		if (lists > 0)
			memcpy(list[n++], ret, HASH_LEN);
		qsort(list, n, HASH_LEN, by_hash);
		if (n == 1)
			memcpy(ret, list[0], HASH_LEN);
		else
			hash_bytes(list, n * HASH_LEN, ret);
	}
	return lists;
}

static void
test_reduced(void)
{
	struct hashtree *t = vector();
	uint8_t root[HASH_LEN], folded[HASH_LEN];
	int right = 0;
	size_t lists[5];
	struct buf b;

	hashtree_root(t, root);
	for (size_t i = 0; i < 5; i++) {
		buf_init(&b, 4096);
		must(hashtree_reduced(t, i, &b, &e));
		lists[i] = fold(&b, folded);
		right += memcmp(root, folded, HASH_LEN) == 0;
		buf_done(&b);
	}
	CHECK(right == 5, "from each group its lists lead to the root");
	CHECK(lists[0] == 4 && lists[4] == 2, "the last one, carried up twice, needs two lists: %zu, %zu", lists[0], lists[4]);
	hashtree_free(t);
}

/* n groups of one or two hashes. */
static struct hashtree *
shape(unsigned n, unsigned each)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	uint8_t h[2][HASH_LEN];
	struct hashtree *t;

	must(hashtree_new(&t, &head, &e));
	for (unsigned i = 0; i < n; i++) {
		hash_bytes(&(unsigned){ 2 * i }, sizeof(i), h[0]);
		hash_bytes(&(unsigned){ 2 * i + 1 }, sizeof(i), h[1]);
		must(hashtree_add(t, HASHTREE_RECORD, i + 1, (const uint8_t (*)[HASH_LEN])h, each == 0 ? 1 + i % 2 : each, &e));
	}
	must(hashtree_close(t, &e));
	return t;
}

static void
test_shapes(void)
{
	unsigned wrong = 0, alone = 0;

	for (unsigned n = 1; n <= 33; n++)
		for (unsigned each = 0; each <= 2; each++) {
			struct hashtree *t = shape(n, each);
			uint8_t root[HASH_LEN], folded[HASH_LEN];

			hashtree_root(t, root);
			for (size_t i = 0; i < n; i++) {
				struct buf b;

				buf_init(&b, 4096);
				must(hashtree_reduced(t, i, &b, &e));
				if (b.len == 0)
					memcpy(folded, hashtree_group(t, i)->leaf, HASH_LEN);
				else
					fold(&b, folded);
				/* no reader has to know what a first list of one hash means */
				alone += b.len > 0 && b.data[1] == 34;
				wrong += memcmp(root, folded, HASH_LEN) != 0;
				buf_done(&b);
			}
			hashtree_free(t);
		}
	CHECK(wrong == 0, "1 to 33 groups of one hash, of two and of both: each leads to the root");
	CHECK(alone == 0, "no first list is a single hash");
}

static void
test_text(void)
{
	struct hashtree *t = vector(), *again = NULL;
	uint8_t root[HASH_LEN], other[HASH_LEN];
	struct buf a, b;
	unsigned accepted = 0, tried = 0;

	buf_init(&a, HASHTREE_TEXT_MAX);
	buf_init(&b, HASHTREE_TEXT_MAX);
	must(hashtree_text(t, &a, &e));
	CHECK(strncmp((char *)a.data,
	          "sealroom-tree/v1\nkind documents\nhash sha256\nentries 3 9\ncheckpoint 12\ngroups 5\njob0 0 ", 86) == 0,
	    "the text begins as it should");
	CHECK(hashtree_parse(a.data, a.len, &again, &e) == 0 && hashtree_text(again, &b, &e) == 0 && a.len == b.len &&
	          memcmp(a.data, b.data, a.len) == 0,
	    "read back it is the same");
	hashtree_root(t, root);
	hashtree_root(again, other);
	CHECK(memcmp(root, other, HASH_LEN) == 0 && hashtree_head(again)->last == 9 && hashtree_count(again) == 5,
	    "with the same root and head");
	hashtree_free(again);
	for (size_t i = 0; i < a.len; i++)
		for (int bit = 0; bit < 8; bit++, tried++) {
			a.data[i] ^= (uint8_t)(1u << bit);
			if (hashtree_parse(a.data, a.len, &again, &e) == 0) {
				hashtree_root(again, other);
				/* labels, numbers and the range are the log's to check */
				accepted += memcmp(root, other, HASH_LEN) == 0 && i >= a.len - 64;
				hashtree_free(again);
			}
			a.data[i] ^= (uint8_t)(1u << bit);
		}
	for (size_t n = 0; n < a.len; n++, tried++)
		if (hashtree_parse(a.data, n, &again, &e) == 0) {
			accepted++;
			hashtree_free(again);
		}
	CHECK(accepted == 0 && tried > 6000, "%u flips and cuts: no other hashes with this root, and no part of it", tried);
	buf_put(&a, "\n", 1);
	CHECK(hashtree_parse(a.data, a.len, &again, &e) == -ERR_LOG, "nothing may follow: %s", e.text);
	buf_done(&a);
	buf_done(&b);
	hashtree_free(t);
}

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEX2 "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define RENEWAL "sealroom-tree/v1\nkind renewal\nhash sha256\n"
#define DOCUMENTS "sealroom-tree/v1\nkind documents\nhash sha256\n"

static void
test_forms(void)
{
	static const struct {
		const char *name, *text;
		int want;
	} cases[] = {
		{ "one group of one hash", RENEWAL "groups 1\nrecord 1 " HEX "\n", 0 },
		{ "nothing", "", -ERR_LOG },
		{ "another version", "sealroom-tree/v2\nkind renewal\nhash sha256\ngroups 1\nrecord 1 " HEX "\n", -ERR_LOG },
		{ "another kind", "sealroom-tree/v1\nkind else\nhash sha256\ngroups 1\nrecord 1 " HEX "\n", -ERR_LOG },
		{ "another hash", "sealroom-tree/v1\nkind renewal\nhash sha512\ngroups 1\nrecord 1 " HEX "\n", -ERR_LOG },
		{ "no group", RENEWAL "groups 0\n", -ERR_LOG },
		{ "fewer groups than said", RENEWAL "groups 2\nrecord 1 " HEX "\n", -ERR_LOG },
		{ "more groups than said", RENEWAL "groups 1\nrecord 1 " HEX "\nrecord 2 " HEX2 "\n", -ERR_LOG },
		{ "more than there may be", RENEWAL "groups 65538\nrecord 1 " HEX "\n", -ERR_LOG },
		{ "a group without hashes", RENEWAL "groups 1\nrecord 1\n", -ERR_LOG },
		{ "a number that is none", RENEWAL "groups 1\nrecord 01 " HEX "\n", -ERR_LOG },
		{ "capital letters", RENEWAL "groups 1\nrecord 1 A" HEX2 "\n", -ERR_LOG },
		{ "a label that is too long", RENEWAL "groups 1\nrecordrecordrecordrecordrec 1 " HEX "\n", -ERR_LOG },
		{ "the same hash twice", RENEWAL "groups 1\nrecord 1 " HEX " " HEX "\n", -ERR_LOG },
		{ "hashes out of order", RENEWAL "groups 1\nrecord 1 " HEX2 " " HEX "\n", -ERR_LOG },
		{ "leaves out of order", RENEWAL "groups 2\nrecord 1 " HEX2 "\nrecord 2 " HEX "\n", -ERR_LOG },
		{ "a group twice", RENEWAL "groups 2\nrecord 1 " HEX "\nrecord 1 " HEX2 "\n", -ERR_LOG },
		{ "two groups with one leaf", RENEWAL "groups 2\nrecord 1 " HEX "\nrecord 2 " HEX "\n", 0 },
		{ "the end of the last line missing", RENEWAL "groups 1\nrecord 1 " HEX, -ERR_LOG },
		{ "a range that goes back", DOCUMENTS "entries 5 4\ncheckpoint 9\ngroups 1\nlog 9 " HEX "\n", -ERR_LOG },
		{ "a range above the checkpoint", DOCUMENTS "entries 5 9\ncheckpoint 9\ngroups 1\nlog 9 " HEX "\n", -ERR_LOG },
		{ "documents without a range", DOCUMENTS "groups 1\nlog 9 " HEX "\n", -ERR_LOG },
		{ "documents", DOCUMENTS "entries 5 8\ncheckpoint 9\ngroups 1\nlog 9 " HEX "\n", 0 },
	};
	struct hashtree *t = NULL;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r = hashtree_parse(cases[i].text, strlen(cases[i].text), &t, &e);

		CHECK(r == cases[i].want, "%s", cases[i].name);
		if (r == 0)
			hashtree_free(t);
	}
}

static void
test_bounds(void)
{
	static uint8_t h[HASHTREE_MEMBERS_MAX + 1][HASH_LEN];
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	struct hashtree *t;
	char label[ID_MAX + 1];

	memset(label, 'a', sizeof(label) - 1);
	label[ID_MAX] = '\0';
	must(hashtree_new(&t, &head, &e));
	CHECK(hashtree_add(t, "a", 1, (const uint8_t (*)[HASH_LEN])h, 0, &e) == -ERR_LOG, "a group has a hash");
	CHECK(hashtree_add(t, "a", 1, (const uint8_t (*)[HASH_LEN])h, HASHTREE_MEMBERS_MAX + 1, &e) == -ERR_LOG, "and not too many");
	CHECK(hashtree_add(t, label, 1, (const uint8_t (*)[HASH_LEN])h, 1, &e) == -ERR_LOG, "its label is not too long");
	CHECK(hashtree_close(t, &e) == -ERR_LOG, "a tree is not empty");
	hashtree_free(t);
	hashtree_free(NULL);
}

/* The bytes of a small record, put together by hand. */
static void
test_record(void)
{
	static const uint8_t token[] = { 0x30, 0x03, 0x02, 0x01, 0x07 };
	static const uint8_t head[] = { 0x30, 0x2f, 0x02, 0x01, 0x01, 0x30, 0x0d, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
		0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x30, 0x1b, 0x30, 0x19, 0x30, 0x17, 0x30, 0x15 };
	struct hashtree *t = shape(1, 1);
	struct record_stamp s = { t, 0, token, sizeof(token) };
	struct buf b;

	buf_init(&b, 4096);
	must(record_write(&s, 1, &b, &e));
	CHECK(b.len == 47 + 2 || b.len > sizeof(head), "a record of one hash and no list: %zu bytes", b.len);
	CHECK(b.data[0] == 0x30 && (size_t)b.data[1] + 2 == b.len && memcmp(b.data + b.len - sizeof(token), token, sizeof(token)) == 0,
	    "the token stands at its end as it is");
	CHECK(memcmp(b.data + 2, head + 2, 18) == 0, "version 1 and SHA-256 without parameters");
	buf_done(&b);
	buf_init(&b, 40);
	CHECK(record_write(&s, 1, &b, &e) == -ERR_MEM, "no room for it is said");
	buf_done(&b);
	hashtree_free(t);
}

/* X.690, 8.1.3: lengths. */
static void
test_lengths(void)
{
	static const struct {
		size_t len;
		uint8_t want[5];
		size_t n;
	} cases[] = { { 0, { 0x30, 0 }, 2 }, { 127, { 0x30, 0x7f }, 2 }, { 128, { 0x30, 0x81, 0x80 }, 3 },
		{ 256, { 0x30, 0x82, 1, 0 }, 4 }, { 65536, { 0x30, 0x83, 1, 0, 0 }, 5 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 16);
		derput_head(&b, DERPUT_SEQUENCE, cases[i].len);
		CHECK(b.len == cases[i].n && memcmp(b.data, cases[i].want, b.len) == 0, "a length of %zu", cases[i].len);
		buf_done(&b);
	}
}

int
main(void)
{
	test_vector();
	test_reduced();
	test_shapes();
	test_text();
	test_forms();
	test_bounds();
	test_record();
	test_lengths();
	return TEST_DONE();
}
