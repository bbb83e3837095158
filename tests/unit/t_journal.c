#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/journal.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static struct journal *
open_journal(int dir)
{
	struct journal *j = NULL;
	struct err e = { 0 };

	if (journal_open(&j, dir, false, &e) < 0)
		printf("# %s\n", e.text);
	return j;
}

static void
add(struct journal *j, const char *text)
{
	struct err e = { 0 };

	if (journal_add(j, text, strlen(text), &e) < 0)
		exit(99);
}

static int
reads(struct journal *j, uint64_t index, const char *text)
{
	AUTO_BUF b = { 0 };
	struct err e = { 0 };

	buf_init(&b, 5000);
	return journal_read(j, index, &b, &e) == 0 && b.len == strlen(text) && memcmp(b.data, text, b.len) == 0;
}

static bool no_memory;

void *
reallocarray(void *p, size_t n, size_t size)
{
	return no_memory ? NULL : realloc(p, n * size);
}

/* What is committed is counted without asking for anything: memory is asked for before. */
static void
test_no_memory(int dir)
{
	struct err e = { 0 };
	struct journal *j = NULL;
	int r = 0, n = 0;

	CHECK(journal_create(dir, &e) == 0 && (j = open_journal(dir)) != NULL, "a journal");
	no_memory = true;
	while (n < 1000 && (r = journal_add(j, "entry", 5, &e)) == 0)
		n++;
	CHECK(r == -ERR_MEM && journal_queued(j) == (size_t)n && journal_commit(j, &e) == 0 && journal_end(j) == (uint64_t)n,
	    "no memory for entry %d: all before it are committed (%s)", n, e.text);
	no_memory = false;
	add(j, "one more");
	CHECK(journal_commit(j, &e) == 0 && journal_end(j) == (uint64_t)n + 1 && reads(j, (uint64_t)n, "one more"),
	    "and with memory it goes on (%s)", e.text);
	journal_free(j);
}

static void
test_life(int dir)
{
	struct journal *j;
	struct err e = { 0 };
	char big[4097];

	CHECK(journal_open(&j, dir, false, &e) == -ERR_LOG, "no journal: %s", e.text);
	CHECK(journal_create(dir, &e) == 0 && journal_create(dir, &e) == 0, "made once, kept the second time");
	CHECK((j = open_journal(dir)) != NULL && journal_first(j) == 0 && journal_end(j) == 0, "a new one begins at 0");
	add(j, "zero");
	add(j, "one");
	CHECK(journal_queued(j) == 2 && journal_end(j) == 0 && !reads(j, 0, "zero"), "queued records do not count");
	CHECK(journal_commit(j, &e) == 0 && journal_end(j) == 2 && journal_queued(j) == 0, "committed ones do (%s)", e.text);
	CHECK(reads(j, 0, "zero") && reads(j, 1, "one") && !reads(j, 2, ""), "and can be read");
	memset(big, 'x', sizeof(big));
	CHECK(journal_add(j, big, 4097, &e) == -ERR_LOG && journal_add(j, "", 0, &e) == -ERR_LOG,
	    "empty entries and those over 4096 bytes are refused");
	journal_free(j);
	CHECK((j = open_journal(dir)) != NULL && journal_end(j) == 2 && !journal_torn(j) && reads(j, 1, "one"),
	    "after a restart all is there");
	add(j, "two");
	CHECK(journal_commit(j, &e) == 0 && journal_rotate(j, dir, 2, &e) == -ERR_LOG, "not replaced while it is needed");
	CHECK(journal_rotate(j, dir, 3, &e) == 0 && journal_first(j) == 3 && journal_end(j) == 3, "replaced at its end");
	add(j, "three");
	CHECK(journal_commit(j, &e) == 0 && reads(j, 3, "three") && !reads(j, 2, "two"), "and goes on from there");
	journal_free(j);
	CHECK((j = open_journal(dir)) != NULL && journal_first(j) == 3 && reads(j, 3, "three"), "also after a restart");
	journal_free(j);
}

static size_t
slurp(int dir, uint8_t *p, size_t max)
{
	int fd = openat(dir, "journal", O_RDONLY);
	ssize_t n = read(fd, p, max);

	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static void
spill(int dir, const uint8_t *p, size_t n)
{
	int fd = openat(dir, "journal", O_WRONLY | O_TRUNC);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || close(fd) != 0)
		exit(99);
}

/* Whatever the last write left behind: a prefix of it, or with any byte changed. */
static void
test_torn(int dir)
{
	uint8_t whole[512], bent[512];
	size_t n, two, bad = 0, late = 0;
	struct journal *j;
	struct err e = { 0 };

	if (journal_create(dir, &e) < 0 || (j = open_journal(dir)) == NULL)
		exit(99);
	add(j, "zero");
	add(j, "one");
	journal_commit(j, &e);
	two = slurp(dir, whole, sizeof(whole));
	add(j, "two");
	journal_commit(j, &e);
	n = slurp(dir, whole, sizeof(whole));
	journal_free(j);
	for (size_t cut = two; cut < n; cut++) {
		spill(dir, whole, cut);
		j = open_journal(dir);
		bad += j == NULL || journal_end(j) != 2 || journal_torn(j) != (cut > two) || !reads(j, 1, "one");
		if (j != NULL && cut > two) {
			add(j, "other");
			late += journal_commit(j, &e) != -ERR_LOG;
			late += slurp(dir, bent, sizeof(bent)) != cut;
			late += journal_cut(j, &e) != 0 || journal_commit(j, &e) != 0 || !reads(j, 2, "other");
		}
		journal_free(j);
	}
	CHECK(bad == 0, "a torn record does not count, those before it do");
	CHECK(late == 0, "nothing is cut by opening, nothing written before the cut");
	for (size_t i = 0; i < n; i++) {
		memcpy(bent, whole, n);
		bent[i] ^= 0x10;
		spill(dir, bent, n);
		if (journal_open(&j, dir, true, &e) < 0)
			continue;
		bad += journal_end(j) == 3;
		journal_free(j);
	}
	CHECK(bad == 0, "no changed byte passes the checksum");
	spill(dir, whole, 0);
	CHECK(journal_open(&j, dir, false, &e) == -ERR_LOG, "an empty file is no journal: %s", e.text);
}

/* The disk is full in the middle of a write: as if nothing had been tried. */
static void
test_full(int dir)
{
	struct rlimit lim, old;
	struct journal *j;
	struct err e = { 0 };
	struct stat st, after;

	if (journal_create(dir, &e) < 0 || (j = open_journal(dir)) == NULL)
		exit(99);
	add(j, "zero");
	journal_commit(j, &e);
	fstatat(dir, "journal", &st, 0);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	lim = old;
	lim.rlim_cur = (rlim_t)st.st_size + 10;
	setrlimit(RLIMIT_FSIZE, &lim);
	add(j, "a record that does not fit any more");
	CHECK(journal_commit(j, &e) < 0 && journal_end(j) == 1 && journal_queued(j) == 1, "a write that stops half way: %s",
	    e.text);
	fstatat(dir, "journal", &after, 0);
	CHECK(after.st_size == st.st_size, "is taken back");
	setrlimit(RLIMIT_FSIZE, &old);
	CHECK(journal_commit(j, &e) == 0 && reads(j, 1, "a record that does not fit any more"), "and done again when there is room");
	journal_free(j);
}

int
main(void)
{
	static void (*const tests[])(int) = { test_life, test_torn, test_full, test_no_memory };
	char path[64];
	int dir;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		dir = tmpdir_make(path);
		tests[i](dir);
		tmpdir_remove(dir, path);
	}
	return TEST_DONE();
}
