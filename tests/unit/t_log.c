#include <openssl/evp.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/log.h"
#include "seal/evidence/merkle.h"
#include "tests/unit/logkey.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define ID1 "01jd8k3v7m2q9x4t6w8z0b5c1f"
#define ID2 "01jd8k3v7m2q9x4t6w8z0b5c2g"

/* The anti-rollback record, as sealroom-seal would keep it. */
static struct elog_anchor anchor;
static char anchor_note[1024];

static void
anchor_reset(void)
{
	memset(&anchor, 0, sizeof(anchor));
	anchor_note[0] = '\0';
	anchor.note = anchor_note;
}

/* What sealroom-seal does with NOTE: remember, then sign. */
static const char *
sign(struct elog *l)
{
	struct err e = { 0 };

	anchor.has = true;
	anchor.size = elog_integrated(l);
	if (elog_root(l, anchor.size, anchor.root, &e) < 0)
		exit(99);
	logkey_checkpoint(anchor.size, anchor.root, anchor_note, sizeof(anchor_note));
	return anchor_note;
}

static int
start(struct elog **l, int dir, struct err *e)
{
	int r;

	*l = NULL;
	if ((r = elog_open(l, dir, LOGKEY_ORIGIN, false, e)) < 0)
		return r;
	if ((r = elog_trust(*l, LOGKEY_VKEY, e)) < 0 || (r = elog_recover(*l, &anchor, e)) < 0) {
		elog_free(*l);
		*l = NULL;
	}
	return r;
}

static uint64_t
add(struct elog *l, enum entry_type type, const char *job, uint32_t question)
{
	struct entry x = { .type = type, .question = question, .host = "h", .software = "0" };
	struct err e = { 0 };
	uint64_t index = UINT64_MAX;

	if (job != NULL)
		memcpy(x.job, job, ID_MAX);
	if (elog_append(l, &x, &index, &e) < 0)
		printf("# append: %s\n", e.text);
	return index;
}

static int
publish(struct elog *l, struct err *e)
{
	int r = elog_integrate(l, e);

	return r < 0 ? r : elog_publish(l, sign(l), e);
}

static void
heads_of(struct elog *l, uint64_t index, struct entry *x)
{
	AUTO_BUF b = { 0 };
	struct err e = { 0 };

	buf_init(&b, ENTRY_MAX);
	if (elog_entry(l, index, &b, &e) < 0 || entry_parse(b.data, b.len, x, &e) < 0)
		exit(99);
}

/* What a crash left half-way is gone at the next start, under whatever name it was to appear. */
static void
test_leftovers(int dir)
{
	static const char *const names[] = { "evidence/config/.abc.conf.tmp", "evidence/trust/.tsa.pem.tmp",
		"evidence/checkpoints/.77.tmp", "evidence/log/.checkpoint.tmp", "evidence/.journal.tmp" };
	struct err e = { 0 };
	struct elog *l;

	CHECK(start(&l, dir, &e) == 0, "a new log (%s)", e.text);
	elog_free(l);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		close(openat(dir, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	CHECK(io_exists(dir, names[0]) && start(&l, dir, &e) == 0, "starts with leftovers (%s)", e.text);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CHECK(!io_exists(dir, names[i]), "%s is gone", names[i]);
	elog_free(l);
}

static void
test_life(int dir)
{
	struct elog *l, *reader, *second;
	struct err e = { 0 };
	struct entry x;
	uint64_t at = 99;
	uint8_t a[HASH_LEN], b[HASH_LEN];

	CHECK(elog_open(&l, dir, NULL, true, &e) == -ERR_IO, "nothing to read: %s", e.text);
	CHECK(start(&l, dir, &e) == 0 && elog_size(l) == 0 && elog_head(l)[0] == '\0', "a new log is empty (%s)", e.text);
	CHECK(elog_open(&second, dir, NULL, false, &e) == -ERR_LOCKED, "one writer: %s", e.text);
	CHECK(add(l, ENTRY_START, NULL, 0) == 0 && add(l, ENTRY_JOB, ID1, 0) == 1, "indices count from 0");
	CHECK(elog_size(l) == 0 && elog_next(l) == 2 && elog_find(l, ENTRY_JOB, ID1, NULL, 0, &at, &e) == 0,
	    "queued entries do not count");
	CHECK(elog_commit(l, &e) == 0 && elog_size(l) == 2 && elog_find(l, ENTRY_JOB, ID1, NULL, 0, &at, &e) == 1 && at == 1,
	    "committed ones do, before they are in tiles");
	CHECK(elog_root(l, 2, a, &e) == 0 && publish(l, &e) == 0 && elog_published(l) == 2, "published (%s)", e.text);
	CHECK(elog_root(l, 2, b, &e) == 0 && memcmp(a, b, HASH_LEN) == 0, "journal and tiles give one root");
	add(l, ENTRY_HOLD, ID2, 1);
	add(l, ENTRY_HOLD, ID2, 2);
	CHECK(elog_commit(l, &e) == 0 && elog_find(l, ENTRY_HOLD, ID2, "question 2", 0, &at, &e) == 1 && at == 3,
	    "an entry is found by its line");
	CHECK(elog_find_last(l, ENTRY_HOLD, NULL, NULL, &at, &e) == 1 && at == 3 &&
	          elog_find(l, ENTRY_HOLD, NULL, NULL, 0, &at, &e) == 1 && at == 2 &&
	          elog_find(l, ENTRY_HOLD, NULL, NULL, 4, &at, &e) == 0,
	    "the first, the last, and none");
	heads_of(l, 2, &x);
	CHECK(x.nheads == 1 && x.heads[0] == 2, "an entry lists the checkpoint published before it");
	heads_of(l, 3, &x);
	CHECK(x.nheads == 0, "the next one does not list it again");
	CHECK(elog_open(&reader, dir, NULL, true, &e) == 0 && elog_size(reader) == 4 && elog_published(reader) == 2 &&
	          strcmp(elog_origin(reader), LOGKEY_ORIGIN) == 0,
	    "a reader beside the writer sees what is committed (%s)", e.text);
	elog_free(reader);
	elog_free(l);
	CHECK(start(&l, dir, &e) == 0 && elog_size(l) == 4 && elog_published(l) == 2 && elog_integrated(l) == 4,
	    "a restart brings the tiles up to the journal (%s)", e.text);
	CHECK(publish(l, &e) == 0, "published (%s)", e.text);
	elog_free(l);
	CHECK(start(&l, dir, &e) == 0 && add(l, ENTRY_START, NULL, 0) == 4 && elog_commit(l, &e) == 0, "and again");
	heads_of(l, 4, &x);
	CHECK(x.nheads == 1 && x.heads[0] == 4, "a checkpoint no entry has listed is listed after the restart");
	elog_free(l);
}

static void
test_refused_notes(int dir)
{
	uint8_t root[HASH_LEN];
	char note[1024];
	struct elog *l;
	struct err e = { 0 };

	if (start(&l, dir, &e) < 0)
		exit(99);
	add(l, ENTRY_NOTE, NULL, 0);
	add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	elog_integrate(l, &e);
	elog_root(l, 2, root, &e);
	root[0] ^= 1;
	logkey_checkpoint(2, root, note, sizeof(note));
	CHECK(elog_publish(l, note, &e) == -ERR_LOG, "another root: %s", e.text);
	root[0] ^= 1;
	logkey_checkpoint(3, root, note, sizeof(note));
	CHECK(elog_publish(l, note, &e) == -ERR_LOG, "another size: %s", e.text);
	logkey_checkpoint(2, root, note, sizeof(note));
	note[strlen(note) - 4] ^= 1;
	CHECK(elog_publish(l, note, &e) < 0 && elog_head(l)[0] == '\0', "another signature: %s", e.text);
	CHECK(elog_publish(l, sign(l), &e) == 0 && elog_publish(l, anchor_note, &e) == 0, "the right one, also twice");
	elog_root(l, 1, root, &e);
	logkey_checkpoint(1, root, note, sizeof(note));
	CHECK(elog_publish(l, note, &e) == -ERR_LOG, "never a smaller one: %s", e.text);
	CHECK(elog_trust(l, "sealroom.example/log+00000000+AQ==", &e) == -ERR_LOG, "nor another key: %s", e.text);
	elog_free(l);
}

/* What a crash, a restored snapshot or a forger can leave behind. */
static void
test_recovery(int dir)
{
	struct elog_anchor saved;
	struct elog *l;
	struct err e = { 0 };
	int fd;

	if (start(&l, dir, &e) < 0)
		exit(99);
	for (int i = 0; i < 300; i++)
		add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	CHECK(publish(l, &e) == 0, "300 entries (%s)", e.text);
	add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	elog_integrate(l, &e);
	sign(l);
	elog_free(l);
	CHECK(start(&l, dir, &e) == 0 && elog_published(l) == 301, "signed but not published: finished (%s)", e.text);
	add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	elog_free(l);
	fd = openat(dir, "evidence/journal", O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, "torn", 4) != 4 || close(fd) != 0)
		exit(99);
	CHECK(start(&l, dir, &e) == 0 && elog_size(l) == 302, "a torn tail is cut, what was committed stays (%s)", e.text);
	elog_free(l);

	saved = anchor;
	anchor.size = 303;
	CHECK(start(&l, dir, &e) == -ERR_LOG_ROLLBACK, "%s", e.text);
	anchor = saved;
	anchor.root[3] ^= 1;
	CHECK(start(&l, dir, &e) == -ERR_LOG_ROLLBACK, "%s", e.text);
	anchor = saved;
	anchor.size = 300;
	CHECK(start(&l, dir, &e) == -ERR_LOG_ROLLBACK, "%s", e.text);
	anchor = saved;
	anchor.has = false;
	CHECK(start(&l, dir, &e) == -ERR_LOG_ROLLBACK, "%s", e.text);
	anchor = saved;
	CHECK(start(&l, dir, &e) == 0, "none of this has changed anything (%s)", e.text);
	elog_free(l);

	/* the tail of the journal is damaged below the record: nothing may be cut */
	if (start(&l, dir, &e) < 0 || publish(l, &e) < 0)
		exit(99);
	elog_free(l);
	fd = openat(dir, "evidence/journal", O_RDWR);
	if (fd < 0 || ftruncate(fd, lseek(fd, 0, SEEK_END) - 1) < 0 || close(fd) != 0)
		exit(99);
	CHECK(start(&l, dir, &e) == -ERR_LOG, "a journal cut below the checkpoint: %s", e.text);
}

static void
test_damaged_tree(int dir)
{
	struct elog *l;
	struct err e = { 0 };
	int fd;

	if (start(&l, dir, &e) < 0)
		exit(99);
	add(l, ENTRY_NOTE, NULL, 0);
	add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	publish(l, &e);
	elog_free(l);
	if (fchmodat(dir, "evidence/log/tile/0/000.p/2", 0600, 0) < 0)
		exit(99);
	fd = openat(dir, "evidence/log/tile/0/000.p/2", O_RDWR);
	if (fd < 0 || pwrite(fd, "x", 1, 40) != 1 || close(fd) != 0)
		exit(99);
	CHECK(start(&l, dir, &e) == -ERR_LOG, "%s", e.text);
	unlinkat(dir, "evidence/log/tile/0/000.p/2", 0);
	CHECK(start(&l, dir, &e) == -ERR_LOG, "%s", e.text);
	unlinkat(dir, "evidence/trust/log.vkey", 0);
	CHECK(elog_open(&l, dir, NULL, true, &e) == -ERR_LOG, "%s", e.text);
}

static size_t
proof_hashes(char *text, uint8_t (*proof)[HASH_LEN])
{
	uint8_t raw[64];
	size_t n = 0;
	char *at = strchr(strchr(text, '\n') + 1, '\n') + 1;

	for (; *at != '\n'; at = strchr(at, '\n') + 1) {
		EVP_DecodeBlock(raw, (const unsigned char *)at, 44);
		memcpy(proof[n++], raw, HASH_LEN);
	}
	return n;
}

static void
test_proof(int dir)
{
	uint8_t proof[MERKLE_PROOF_MAX][HASH_LEN], leaf[HASH_LEN], root[HASH_LEN];
	AUTO_BUF b = { 0 }, entry = { 0 };
	struct merkle *m = merkle_new();
	struct elog *l;
	struct err e = { 0 };
	char *text, want[64];
	int bad = 0;

	if (start(&l, dir, &e) < 0)
		exit(99);
	for (int i = 0; i < 700; i++)
		add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	publish(l, &e);
	add(l, ENTRY_NOTE, NULL, 0);
	elog_commit(l, &e);
	buf_init(&entry, ENTRY_MAX);
	elog_root(l, 700, root, &e);
	for (uint64_t i = 0; i < 700; i += 37) {
		buf_init(&b, 8192);
		bad += elog_prove(l, i, &b, &e) != 0 || elog_entry(l, i, &entry, &e) != 0;
		text = buf_take_text(&b);
		snprintf(want, sizeof(want), "c2sp.org/tlog-proof@v1\nindex %llu\n", (unsigned long long)i);
		bad += strncmp(text, want, strlen(want)) != 0 || strstr(text, elog_head(l)) == NULL;
		merkle_leaf(m, entry.data, entry.len, leaf);
		bad += merkle_check_inclusion(m, i, 700, leaf, (const uint8_t(*)[HASH_LEN])proof, proof_hashes(text, proof),
		           root) != 0;
		free(text);
	}
	CHECK(bad == 0, "a proof of each entry holds against the checkpoint");
	buf_init(&b, 8192);
	CHECK(elog_prove(l, 700, &b, &e) == -ERR_IO, "one not yet under a checkpoint: %s", e.text);
	merkle_free(m);
	elog_free(l);
}

static void
test_rotation(int dir)
{
	struct elog *l;
	struct err e = { 0 };
	struct stat st;
	uint64_t at;

	if (start(&l, dir, &e) < 0)
		exit(99);
	for (int i = 0; i < 9000; i++) {
		add(l, i == 17 ? ENTRY_JOB : ENTRY_NOTE, i == 17 ? ID1 : NULL, 0);
		if (i % 1000 == 999)
			elog_commit(l, &e);
	}
	CHECK(fstatat(dir, "evidence/journal", &st, 0) == 0 && st.st_size > 1024 * 1024, "a journal of more than 1 MiB");
	CHECK(publish(l, &e) == 0 && fstatat(dir, "evidence/journal", &st, 0) == 0 && st.st_size < 100,
	    "is replaced when all of it is published (%s)", e.text);
	CHECK(add(l, ENTRY_NOTE, NULL, 0) == 9000 && elog_commit(l, &e) == 0, "and goes on");
	elog_free(l);
	CHECK(start(&l, dir, &e) == 0 && elog_size(l) == 9001 && elog_find(l, ENTRY_JOB, ID1, NULL, 0, &at, &e) == 1 && at == 17,
	    "nothing is lost (%s)", e.text);
	elog_free(l);
}

static void
test_keep(int dir)
{
	struct entry_file f;
	struct elog *l;
	struct err e = { 0 };
	char hex[HASH_HEX];

	if (start(&l, dir, &e) < 0)
		exit(99);
	CHECK(elog_keep(l, "trust/x.pem", "abc", 3, &f, &e) == 0 && f.size == 3 && strcmp(f.name, "trust/x.pem") == 0, "kept");
	hash_hex(f.hash, hex);
	CHECK(strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0, "with its hash (FIPS 180)");
	CHECK(elog_keep(l, "trust/x.pem", "abc", 3, &f, &e) == 0, "the same again");
	CHECK(elog_keep(l, "trust/x.pem", "abd", 3, &f, &e) == -ERR_LOG, "never anything else: %s", e.text);
	CHECK(elog_keep(l, "trust/../x", "a", 1, &f, &e) < 0 && elog_keep(l, "log/x", "a", 1, &f, &e) < 0 &&
	          elog_keep(l, "trust/", "a", 1, &f, &e) < 0,
	    "and nowhere else");
	elog_free(l);
}

int
main(void)
{
	static void (*const tests[])(int) = { test_leftovers, test_life, test_refused_notes, test_recovery, test_damaged_tree, test_proof,
		test_rotation, test_keep };
	char path[64];
	int dir;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		anchor_reset();
		dir = tmpdir_make(path);
		tests[i](dir);
		tmpdir_remove(dir, path);
	}
	return TEST_DONE();
}
