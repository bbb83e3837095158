/*
 * tamper.c - changes one thing in an archive, audits it, puts it back; and so on.
 *
 *	tamper ARCHIVE ASIDE [COUNT SEED]
 *
 * ASIDE: an empty directory on the same file system, outside the archive.  Without COUNT
 * every change is made, else of bytes and lengths about so many by chance.  The changes are
 *
 *	byte     each byte of each file: one bit of it, and another value by chance
 *	cut      each file to each shorter length (large ones: to every 61st)
 *	grow     each file by one byte
 *	remove   each file, each directory
 *	swap     each two files that are not the same, each two directories beside each other
 *	over     each file in place of each other one
 *	double   each file and directory once more, under the next name
 *	add      an empty file, an empty directory, a temporary file in each directory
 *	link     each file as a symbolic link to its bytes
 *
 * SEALROOM_PLANT=8 plants a bug: an audit that does not read a file again whose path and
 * size it knows.
 *
 * A change is noticed when audit_run() does not say "proven".  Prints a line "unnoticed
 * KIND PATH ..." for each that is not, and at the end a line a kind: "KIND MADE NOTICED".
 * Exit 1 when the archive was not proven before, between or behind the changes.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "seal/evidence/audit.h"

#define PATHS_MAX 4096
#define CUT_ALL ((off_t)8192)
#define CUT_STEP 61

/* clang-format off */
enum kind { BYTE, CUT, GROW, REMOVE, SWAP, OVER, DOUBLE, ADD, LINK, KINDS };
static const char *const kinds[KINDS] = { "byte", "cut", "grow", "remove", "swap", "over", "double", "add", "link" };
/* clang-format on */

struct change {
	enum kind kind;
	const char *path, *other;
	off_t at;
	uint8_t flip; /* byte: these bits */
};

static struct {
	char *path[PATHS_MAX];
	struct stat st[PATHS_MAX];
	uint8_t hash[PATHS_MAX][HASH_LEN];
	size_t n;
	char top[PATH_MAX];
	const char *aside;
	int dir;
	bool counting;
	unsigned long long all, count, state, /* bytes and lengths there are, wanted; of chance */
	     made[KINDS], noticed[KINDS];
} t;

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "tamper: %s: %s\n", what, strerror(errno));
	exit(70);
}

static void
must(int r, const char *what)
{
	if (r < 0)
		fail(what);
}

/* --- a bug to be found ------------------------------------------------------------------- */

int __real_hash_fd(int, uint64_t, uint64_t, uint8_t[HASH_LEN], struct err *);
int __wrap_hash_fd(int, uint64_t, uint64_t, uint8_t[HASH_LEN], struct err *);

static bool
planted(void)
{
	const char *plant = getenv("SEALROOM_PLANT");

	return plant != NULL && strcmp(plant, "8") == 0;
}

/* Audit hashes in processes of its own: what they are to believe is there before. */
static void
believe(void)
{
	struct err e = { 0 };

	for (size_t i = 0; i < t.n; i++) {
		AUTO_FD fd = open(t.path[i], O_RDONLY | O_CLOEXEC);

		if (S_ISREG(t.st[i].st_mode))
			must(__real_hash_fd(fd, 0, UINT64_MAX, t.hash[i], &e), t.path[i]);
	}
}

int
__wrap_hash_fd(int fd, uint64_t from, uint64_t len, uint8_t out[HASH_LEN], struct err *e)
{
	char link[64], path[PATH_MAX] = "";
	size_t top = strlen(t.top);
	struct stat st;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!planted() || fstat(fd, &st) < 0 || readlink(link, path, sizeof(path) - 1) < (ssize_t)top)
		return __real_hash_fd(fd, from, len, out, e);
	for (size_t i = 0; i < t.n; i++)
		if (strcmp(t.path[i], path + top + 1) == 0 && t.st[i].st_size == st.st_size) {
			memcpy(out, t.hash[i], HASH_LEN);
			return 0;
		}
	return __real_hash_fd(fd, from, len, out, e);
}

/* --- the archive ---------------------------------------------------------------------- */

static int
add_path(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	if (ftw->level == 0)
		return 0;
	if (t.n == PATHS_MAX || (t.path[t.n] = strdup(path + 2)) == NULL)
		fail("too many files");
	t.st[t.n++] = *st;
	return 0;
}

static void
noticed_one(void *ctx, uint32_t verdict, const char *path, const char *sentence)
{
	(void)ctx, (void)verdict, (void)path, (void)sentence;
}

static bool
is_proven(void)
{
	struct audit_result res;
	struct err e = { 0 };

	return audit_run(t.dir, &(struct audit_options){ 0 }, noticed_one, NULL, &res, &e) == 0 &&
	    res.verdict == VERDICT_PROVEN;
}

static void
must_be_proven(const char *when)
{
	if (is_proven())
		return;
	printf("not proven %s\n", when);
	exit(1);
}

static bool
is_dir(size_t i)
{
	return S_ISDIR(t.st[i].st_mode);
}

static uint8_t *
bytes_of(size_t i)
{
	uint8_t *p = malloc((size_t)t.st[i].st_size + 1);
	int fd = open(t.path[i], O_RDONLY | O_CLOEXEC);

	if (p == NULL || fd < 0 || read(fd, p, (size_t)t.st[i].st_size) != (ssize_t)t.st[i].st_size)
		fail(t.path[i]);
	close(fd);
	return p;
}

static bool
same_bytes(size_t i, size_t k)
{
	AUTO_FREE uint8_t *a = NULL;
	AUTO_FREE uint8_t *b = NULL;

	if (t.st[i].st_size != t.st[k].st_size)
		return false;
	a = bytes_of(i);
	b = bytes_of(k);
	return memcmp(a, b, (size_t)t.st[i].st_size) == 0;
}

/* In one directory? */
static bool
beside(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');
	size_t n = x ? (size_t)(x - a) : 0;

	return n == (y ? (size_t)(y - b) : 0) && strncmp(a, b, n) == 0;
}

/* The name with its last digit or letter one further, that is not there yet. */
static char *
next_name(const char *path)
{
	char *p = strdup(path);
	struct stat st;

	if (p == NULL)
		fail("memory");
	do
		p[strlen(p) - 1]++;
	while (lstat(p, &st) == 0);
	return p;
}

static void
copy_file(const char *from, const char *to)
{
	struct err e = { 0 };
	AUTO_FD in = open(from, O_RDONLY | O_CLOEXEC);
	AUTO_FD out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct stat st;

	if (in < 0 || out < 0 || fstat(in, &st) < 0 || io_copy(in, 0, (uint64_t)st.st_size, out, NULL, &e) < 0)
		fail(to);
}

static void
copy_tree(const char *from, const char *to)
{
	size_t len = strlen(from);
	char path[4096];

	must(mkdir(to, 0700), to);
	for (size_t i = 0; i < t.n; i++) {
		if (strncmp(t.path[i], from, len) != 0 || t.path[i][len] != '/')
			continue;
		snprintf(path, sizeof(path), "%s%s", to, t.path[i] + len);
		if (is_dir(i))
			must(mkdir(path, 0700), path);
		else
			copy_file(t.path[i], path);
	}
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	must(remove(path), path);
	return 0;
}

static void
remove_tree(const char *path)
{
	must(nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH), path);
}

/* --- changes, and back ------------------------------------------------------------------- */

static void
flip(const struct change *c)
{
	uint8_t byte;
	AUTO_FD fd = open(c->path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || pread(fd, &byte, 1, c->at) != 1)
		fail(c->path);
	byte ^= c->flip;
	must((int)pwrite(fd, &byte, 1, c->at), c->path);
}

static void
make(const struct change *c, const char *aside)
{
	switch (c->kind) {
	case BYTE:
		flip(c);
		break;
	case CUT:
		copy_file(c->path, aside);
		must(truncate(c->path, c->at), c->path);
		break;
	case GROW:
		must(truncate(c->path, c->at + 1), c->path);
		break;
	case REMOVE:
		must(rename(c->path, aside), c->path);
		break;
	case SWAP:
		must(renameat2(AT_FDCWD, c->path, AT_FDCWD, c->other, RENAME_EXCHANGE), c->path);
		break;
	case OVER:
		must(rename(c->other, aside), c->other);
		copy_file(c->path, c->other);
		break;
	case DOUBLE:
		if (c->at)
			copy_tree(c->path, c->other);
		else
			copy_file(c->path, c->other);
		break;
	case ADD:
		if (c->at)
			must(mkdir(c->path, 0700), c->path);
		else
			must(close(open(c->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)), c->path);
		break;
	case LINK:
		must(rename(c->path, aside), c->path);
		must(symlink(aside, c->path), c->path);
		break;
	case KINDS:
		break;
	}
}

static void
undo(const struct change *c, const char *aside)
{
	switch (c->kind) {
	case BYTE:
	case SWAP:
		make(c, aside);
		break;
	case CUT:
	case REMOVE:
	case LINK:
		must(rename(aside, c->path), c->path);
		break;
	case GROW:
		must(truncate(c->path, c->at), c->path);
		break;
	case OVER:
		must(rename(aside, c->other), c->other);
		break;
	case DOUBLE:
		remove_tree(c->other);
		break;
	case ADD:
		must(remove(c->path), c->path);
		break;
	case KINDS:
		break;
	}
}

static unsigned long long
chance(void)
{
	t.state += 0x9e3779b97f4a7c15; /* splitmix64 */
	unsigned long long z = (t.state ^ t.state >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void
change(struct change c)
{
	char aside[4096];

	bool many = c.kind == BYTE || c.kind == CUT;

	t.all += t.counting && many;
	if (t.counting || (many && t.count > 0 && chance() % t.all >= t.count))
		return;
	snprintf(aside, sizeof(aside), "%s/it", t.aside);
	make(&c, aside);
	t.made[c.kind]++;
	if (!is_proven())
		t.noticed[c.kind]++;
	else
		printf("unnoticed %s %s %s %lld\n", kinds[c.kind], c.path, c.other ? c.other : "-", (long long)c.at);
	undo(&c, aside);
	if (t.made[c.kind] % 256 == 0)
		must_be_proven("between two changes");
}

static void
change_file(size_t i)
{
	const char *path = t.path[i];
	off_t size = t.st[i].st_size;

	for (off_t at = 0; at < size; at++) {
		change((struct change){ BYTE, path, NULL, at, (uint8_t)(1 << at % 8) });
		change((struct change){ BYTE, path, NULL, at, (uint8_t)(1 + chance() % 255) });
	}
	for (off_t at = 0; at < size; at += size > CUT_ALL ? CUT_STEP : 1)
		change((struct change){ CUT, path, NULL, at, 0 });
	change((struct change){ GROW, path, NULL, size, 0 });
	change((struct change){ LINK, path, NULL, 0, 0 });
	for (size_t k = 0; k < t.n; k++) {
		if (k == i || is_dir(k) || same_bytes(i, k))
			continue;
		change((struct change){ OVER, path, t.path[k], 0, 0 });
		if (k > i)
			change((struct change){ SWAP, path, t.path[k], 0, 0 });
	}
}

static void
change_dir(size_t i)
{
	static const char *const names[] = { "x", "x", ".x.tmp" };
	char path[4096];

	for (int n = 0; n < 3; n++) {
		snprintf(path, sizeof(path), "%s/%s", t.path[i], names[n]);
		change((struct change){ ADD, path, NULL, n == 1, 0 });
	}
	for (size_t k = i + 1; k < t.n; k++)
		if (is_dir(k) && beside(t.path[i], t.path[k]))
			change((struct change){ SWAP, t.path[i], t.path[k], 0, 0 });
}

static void
change_all(void)
{
	for (size_t i = 0; i < t.n; i++) {
		char *next = next_name(t.path[i]);

		if (is_dir(i))
			change_dir(i);
		else
			change_file(i);
		change((struct change){ REMOVE, t.path[i], NULL, 0, 0 });
		change((struct change){ DOUBLE, t.path[i], next, is_dir(i), 0 });
		free(next);
	}
	change((struct change){ ADD, "x", NULL, 0, 0 });
	change((struct change){ ADD, "x", NULL, 1, 0 });
}

int
main(int argc, char **argv)
{
	if ((argc != 3 && argc != 5) || (t.aside = realpath(argv[2], NULL)) == NULL || chdir(argv[1]) < 0 ||
	    getcwd(t.top, sizeof(t.top)) == NULL ||
	    (t.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		fprintf(stderr, "usage: tamper ARCHIVE ASIDE [COUNT SEED]\n");
		return 64;
	}
	must(nftw(".", add_path, 16, FTW_PHYS), "archive");
	if (planted())
		believe();
	must_be_proven("to begin with");
	t.counting = true;
	change_all();
	t.counting = false;
	t.count = argc == 5 ? strtoull(argv[3], NULL, 10) : 0;
	t.state = argc == 5 ? strtoull(argv[4], NULL, 10) : 1;
	change_all();
	for (int k = 0; k < KINDS; k++)
		printf("%s %llu %llu\n", kinds[k], t.made[k], t.noticed[k]);
	must_be_proven("behind all changes");
	return 0;
}
