/*
 * f_ers.c - any bytes as the tree of an evidence record, or as the record.
 *
 * Byte 0: 0 a tree: what is accepted reads back as the same, and each group leads to
 * its root.  Else a record: it is only proven of an object when one of the tokens made
 * for the fixtures, which alone our roots have signed, is in it with its signature.
 */
#include "agent/lib/msgs.h"
#include "seal/evidence/hashtree.h"
#include "seal/verify/ers.h"
#include "seal/verify/signed.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/cms_data.h"

static struct trust *trust;
static uint8_t content[1][HASH_LEN];

static const char *const made[] = { "good.tsr", "rsa.tsr", "mods.tsr", "harmless.tsr" };
#define MADE (sizeof(made) / sizeof(made[0]))
static struct file originals[MADE];

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	trust = data_trust("root.pem", "tsa-root.pem");
	data_hash(content[0]);
	for (size_t i = 0; i < MADE; i++)
		originals[i] = data_file(made[i]);
	return 0;
}

/*
 * A tree has one spelling, and its hashes an order: of changes by chance hardly one is
 * accepted.  So every second is another number in its first lines.
 */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	static const char key[] = "\nentries ";
	const uint8_t *head = size > 0 && data[0] == 0 && seed % 2 == 0 ? memmem(data, size, key, strlen(key)) : NULL;
	size_t from = 0, to = head == NULL ? 0 : (size_t)(head - data);
	char number[16];

	if (head == NULL)
		return LLVMFuzzerMutate(data, size, max);
	for (unsigned n = seed / 2 % 4; fuzz_value(data, size, &from, &to) && n > 0; n--)
		;
	snprintf(number, sizeof(number), "%u", seed / 8 % 24);
	return fuzz_replace(data, size, max, from, to, number, strlen(number));
}

static void
tree(const uint8_t *data, size_t size)
{
	struct hashtree *t;
	struct err e = { 0 };
	AUTO_BUF text, reduced;
	uint8_t root[HASH_LEN];

	buf_init(&text, HASHTREE_TEXT_MAX);
	buf_init(&reduced, 1 << 20);
	if (hashtree_parse(data, size, &t, &e) < 0) {
		FUZZ_MUST(e.code == ERR_LOG && e.text[0] != '\0', "refused as %s", err_word(e.code));
		return;
	}
	fuzz_accepted();
	FUZZ_MUST(hashtree_text(t, &text, &e) == 0 && text.len == size && memcmp(text.data, data, size) == 0, "it reads back as another");
	hashtree_root(t, root);
	FUZZ_MUST(hashtree_count(t) > 1 || memcmp(root, hashtree_group(t, 0)->leaf, HASH_LEN) == 0, "one leaf is not the root");
	FUZZ_MUST(hashtree_reduced(t, hashtree_count(t) - 1, &reduced, &e) == 0, "no way to the root");
	fuzz_planted(hashtree_head(t)->kind == HASHTREE_DOCUMENTS && hashtree_head(t)->last != 9, data, size);
	hashtree_free(t);
}

/* The last bytes of a token are its signature. */
static bool
holds_made(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < MADE; i++)
		if (memmem(data, size, originals[i].data + originals[i].len - 64, 64) != NULL)
			return true;
	return false;
}

static void
record(const uint8_t *data, size_t size)
{
	const struct ers_params p = { .now_us = 1795340040000000 };
	static struct ers_result res;

	ers_judge(trust, &p, (const uint8_t (*)[HASH_LEN])content, 1, data, size, &res);
	FUZZ_MUST(res.verdict <= VERDICT_UNKNOWN && res.nstamps <= ERS_STAMPS_MAX, "no verdict");
	FUZZ_MUST((res.verdict == VERDICT_PROVEN) == (res.nreasons == 0), "a verdict without reason");
	if (res.verdict != VERDICT_PROVEN)
		return;
	fuzz_accepted();
	FUZZ_MUST(res.nstamps > 0 && holds_made(data, size), "proven by a token that nobody made");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536)
		return 0;
	if (data[0] == 0)
		tree(data + 1, size - 1);
	else
		record(data + 1, size - 1);
	return 0;
}
