/*
 * f_log.c - journal, entries, notes, checkpoints and bundles of a log that came
 * from anywhere.
 *
 * Byte 0 says what the rest is.  A journal's checksums are made right after each
 * mutation, else nothing behind them would ever be read.
 */
#include <fcntl.h>

#include "agent/lib/io.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/merkle.h"
#include "seal/evidence/note.h"
#include "seal/evidence/tiles.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/logkey.h"
#include "tests/unit/tmpdir.h"

enum { JOURNAL, ENTRY, NOTE, VKEY, TILE_PATH, BUNDLE, PROOF, KINDS };

#define HEAD 16 /* of a journal's record: length, crc, index */

static char path[64];
static int dir = -1;

static void
leave(void)
{
	tmpdir_remove(dir, path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	dir = tmpdir_make(path);
	atexit(leave);
	return 0;
}

/* --- journal ------------------------------------------------------------------------------- */

static uint32_t
u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* crc of every record whose length still leads to the next. */
static void
checksums(uint8_t *p, size_t size)
{
	while (size >= HEAD && u32(p) <= size - HEAD) {
		uint32_t len = u32(p), crc = crc32c(0, p, 4);

		crc = crc32c(crc32c(crc, p + 8, 8), p + HEAD, len);
		for (int i = 0; i < 4; i++)
			p[4 + i] = (uint8_t)(crc >> (24 - 8 * i));
		p += HEAD + len;
		size -= HEAD + len;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max);
	if (size > 1 && data[0] % KINDS == JOURNAL && seed % 8 != 0)
		checksums(data + 1, size - 1);
	return size;
}

static void
journal_write(const uint8_t *data, size_t size)
{
	AUTO_FD fd = openat(dir, JOURNAL_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
}

static void
journal_all(struct journal *j)
{
	AUTO_BUF b;
	struct err e = { 0 };

	buf_init(&b, ENTRY_MAX);
	for (uint64_t i = journal_first(j); i < journal_end(j); i++) {
		buf_clear(&b);
		FUZZ_MUST(journal_read(j, i, &b, &e) == 0 && b.len > 0, "committed record %llu: %s", (unsigned long long)i, e.text);
	}
	buf_clear(&b);
	FUZZ_MUST(journal_read(j, journal_end(j), &b, &e) < 0, "a record behind the last");
}

/* What is good is read, what is torn is cut, and one more record lands behind it. */
static void
journal(const uint8_t *data, size_t size)
{
	struct journal *j;
	struct err e = { 0 };
	uint64_t end;

	journal_write(data, size);
	if (journal_open(&j, dir, true, &e) < 0) {
		FUZZ_MUST(e.code == ERR_LOG, "a journal is refused as %s", err_word(e.code));
		return;
	}
	fuzz_accepted();
	journal_all(j);
	end = journal_end(j);
	FUZZ_MUST(journal_torn(j) == (journal_bytes(j) < size), "bytes behind the last record, and no word of it");
	fuzz_planted(end - journal_first(j) == 2 && journal_torn(j), data, size);
	journal_free(j);
	FUZZ_MUST(journal_open(&j, dir, false, &e) == 0 && journal_cut(j, &e) == 0, "%s", e.text);
	if (end < UINT64_MAX - 1) {
		FUZZ_MUST(journal_add(j, "one more", 8, &e) == 0 && journal_commit(j, &e) == 0, "%s", e.text);
		FUZZ_MUST(journal_end(j) == end + 1, "one more is not one more");
		journal_all(j);
	}
	journal_free(j);
	FUZZ_MUST(journal_open(&j, dir, true, &e) == 0 && !journal_torn(j), "a journal that was cut is torn: %s", e.text);
	journal_free(j);
}

/* --- what else a log consists of -------------------------------------------------------------- */

static void
entry(const uint8_t *data, size_t size)
{
	static struct entry x;
	AUTO_BUF b = { 0 };
	struct err e = { 0 };
	enum entry_type type;
	char job[ID_MAX];

	if (entry_parse(data, size, &x, &e) < 0)
		return;
	fuzz_accepted();
	buf_init(&b, ENTRY_MAX);
	FUZZ_MUST(entry_format(&x, &b, &e) == 0 && b.len == size && memcmp(b.data, data, size) == 0,
	    "an entry is accepted and not what would be written: %s", e.text);
	FUZZ_MUST(entry_peek(data, size, &type, job, &e) == 0 && type == x.type && strcmp(job, x.job) == 0, "a peek says otherwise");
}

static void
note(const uint8_t *data, size_t size)
{
	struct checkpoint cp;
	struct note_key key;
	struct err e = { 0 };
	size_t body;

	FUZZ_MUST(note_key_parse(LOGKEY_VKEY, &key, &e) == 0, "%s", e.text);
	if (note_verify((const char *)data, size, &key, 1, &body, &e) == 0) {
		static const char signed_before[] = LOGKEY_ORIGIN "\n";

		FUZZ_MUST(body <= size && body > strlen(signed_before) && memcmp(data, signed_before, strlen(signed_before)) == 0,
		    "a note that was never signed");
		(void)checkpoint_parse((const char *)data, body, &cp, &e);
	}
	(void)checkpoint_parse((const char *)data, size, &cp, &e);
	(void)checkpoint_open((const char *)data, size, &key, &cp, &e);
}

static void
bundle(const uint8_t *data, size_t size)
{
	struct buf b;
	struct err e = { 0 };
	const uint8_t *p;
	size_t n, all = 0;
	int r;

	buf_view(&b, data, size);
	while ((r = bundle_next(&b, &p, &n, &e)) == 1)
		all += n + 2;
	FUZZ_MUST(r < 0 || all == size, "a bundle of %zu bytes has %zu in its entries", size, all);
}

static void
tile_path(const char *text)
{
	unsigned level, width;
	char back[TILE_PATH_MAX];
	uint64_t n;

	if (tiles_path_parse(text, &level, &n, &width) < 0)
		return;
	tiles_path(level, n, width, back);
	FUZZ_MUST(strcmp(text, back) == 0, "'%s' is taken for '%s'", text, back);
}

/* No proof of random hashes holds; that a log follows the empty one needs none. */
static void
proof(const uint8_t *data, size_t size)
{
	static struct merkle *m;
	static uint8_t hashes[MERKLE_PROOF_MAX][HASH_LEN];
	static const uint8_t leaf[HASH_LEN] = { 1 }, root[HASH_LEN] = { 2 };
	uint64_t a, b;
	size_t n;

	if (m == NULL)
		m = merkle_new();
	if (size < 16)
		return;
	memcpy(&a, data, 8);
	memcpy(&b, data + 8, 8);
	n = (size - 16) / HASH_LEN;
	n = n > MERKLE_PROOF_MAX ? MERKLE_PROOF_MAX : n;
	memcpy(hashes, data + 16, n * HASH_LEN);
	FUZZ_MUST(merkle_check_inclusion(m, a, b, leaf, hashes, n, root) < 0, "a proof of nothing holds");
	FUZZ_MUST(a == 0 || merkle_check_consistency(m, a, leaf, b, root, hashes, n) < 0, "a proof of nothing holds");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct note_key key;
	struct err e = { 0 };
	char *text;

	if (size == 0)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	switch (data[0] % KINDS) {
	case JOURNAL:
		journal(data + 1, size - 1);
		break;
	case ENTRY:
		entry(data + 1, size - 1);
		break;
	case NOTE:
		note(data + 1, size - 1);
		break;
	case VKEY:
		(void)note_key_parse(text, &key, &e);
		break;
	case TILE_PATH:
		tile_path(text);
		break;
	case BUNDLE:
		bundle(data + 1, size - 1);
		break;
	default:
		proof(data + 1, size - 1);
	}
	free(text);
	return 0;
}
