/* t_io.c - files appear whole and synced or not at all, and nothing is left beside them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static int top;
static char path[64];

static bool
holds(const char *name, const char *want)
{
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 4096);
	return io_read_file(top, name, &b, &e) == 0 && b.len == strlen(want) &&
	    (b.len == 0 || memcmp(b.data, want, b.len) == 0);
}

static int
names_in(int dir)
{
	int n = 0, fd = openat(dir, ".", O_RDONLY | O_DIRECTORY);
	DIR *d = fdopendir(fd);

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n - 2;
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	return fstatat(top, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & 07777 : 0;
}

static void
test_put(void)
{
	struct err e = { 0 };
	char longest[NAME_MAX + 1];

	CHECK(io_put(top, "a", "one", 3, 0440, &e) == 0 && holds("a", "one") && mode_of("a") == 0440, "a file is put");
	errno = 0;
	CHECK(io_put(top, "a", "two", 3, 0600, &e) == -ERR_IO && errno == EEXIST && holds("a", "one"),
	    "a name that is taken stays what it is");
	CHECK(names_in(top) == 1, "and no temporary file is left");
	close(openat(top, ".b.tmp", O_CREAT | O_WRONLY, 0600));
	CHECK(io_put(top, "b", "", 0, 0600, &e) == 0 && holds("b", "") && names_in(top) == 2,
	    "what a crash left of an earlier try is no hindrance");
	CHECK(symlinkat("/etc/passwd", top, ".c.tmp") == 0 && io_put(top, "c", "x", 1, 0600, &e) == 0 && holds("c", "x") &&
	        mode_of("c") == 0600,
	    "a link in its place is removed, not followed");
	CHECK(io_replace(top, "a", "two", 3, 0644, &e) == 0 && holds("a", "two") && mode_of("a") == 0644, "replacing replaces");
	CHECK(io_replace(top, "new", "n", 1, 0600, &e) == 0 && holds("new", "n"), "or makes");
	memset(longest, 'n', NAME_MAX);
	longest[NAME_MAX] = '\0';
	CHECK(io_put(top, longest, "x", 1, 0600, &e) == -ERR_IO, "a name without room for its temporary one is refused");
	CHECK(io_unlink(top, "a", &e) == 0 && io_unlink(top, "a", &e) == 0 && !io_exists(top, "a"),
	    "removing twice is fine");
	CHECK(io_unlink(top, ".", &e) == -ERR_IO, "removing a directory is not");
}

static void
test_put_fd(void)
{
	struct err e = { 0 };
	int fd = io_tmpfile(top, &e), before = names_in(top), memfd = io_memfd("m", "in memory", 9, &e), again;
	char got[4];

	CHECK(fd >= 0 && io_write_full(fd, "temp", 4, &e) == 0 && names_in(top) == before, "a temporary file has no name");
	CHECK(io_put_fd(top, "t", fd, &e) == 0 && holds("t", "temp"), "until it is put");
	errno = 0;
	CHECK(io_put_fd(top, "t", fd, &e) == -ERR_IO && errno == EEXIST, "once");
	CHECK(io_put_fd(top, "m", memfd, &e) == 0 && holds("m", "in memory"),
	    "where the file system has no temporary files the bytes get the name");
	errno = 0;
	CHECK(io_link_fd(top, "m", memfd, &e) == -ERR_IO && errno == EEXIST, "which is not replaced, either");
	CHECK(io_link_fd(top, "m2", memfd, &e) == 0 && holds("m2", "in memory"), "a cache does without the sync");
	CHECK(names_in(top) == before + 3, "and no temporary file is left");
	CHECK((again = io_read_only(fd, &e)) >= 0 && pread(again, got, 4, 0) == 4 && memcmp(got, "temp", 4) == 0,
	    "it is read by a second descriptor");
	CHECK(pwrite(again, "x", 1, 0) < 0 && ftruncate(again, 0) < 0 && pwrite(fd, "t", 1, 0) == 1, "that can not write it");
	close(again);
	CHECK(io_read_only(-1, &e) == -ERR_IO, "there is none of a file that is not open");
	CHECK(pwrite(memfd, "x", 1, 0) < 0 && ftruncate(memfd, 0) < 0, "a sealed memfd can not be changed");
	close(memfd);
	close(fd);
}

static void
test_read(void)
{
	struct err e = { 0 };
	char got[8];
	uint64_t size;
	int fd;
	AUTO_BUF b = { 0 };

	io_put(top, "r", "12345678", 8, 0600, &e);
	fd = openat(top, "r", O_RDWR);
	CHECK(io_size(fd, &size, &e) == 0 && size == 8, "a file has a size");
	CHECK(io_pread_full(fd, got, 4, 4, &e) == 0 && memcmp(got, "5678", 4) == 0, "a part is read");
	CHECK(io_pread_full(fd, got, 4, 5, &e) == -ERR_IO, "a part over the end is an error, not shorter");
	CHECK(io_read_full(fd, got, 8, &e) == 0 && io_read_full(fd, got, 1, &e) == -ERR_IO, "from the start, too");
	CHECK(io_pwrite_full(fd, "AB", 2, 3, &e) == 0 && holds("r", "123AB678"), "a part is written");
	buf_init(&b, 7);
	errno = 0;
	CHECK(io_read_file(top, "r", &b, &e) == -ERR_IO && errno == EFBIG, "a file larger than wanted is an error");
	errno = 0;
	CHECK(io_read_file(top, "none", &b, &e) == -ERR_IO && errno == ENOENT, "an absent one is told apart");
	CHECK(symlinkat("r", top, "rl") == 0 && io_read_file(top, "rl", &b, &e) == -ERR_IO, "a link is not followed");
	CHECK(mkfifoat(top, "fifo", 0600) == 0 && (io_read_file(top, "fifo", &b, &e), true), "a FIFO does not make us wait");
	close(fd);
}

static void
test_copy(void)
{
	struct err e = { 0 };
	uint8_t got[HASH_LEN], want[HASH_LEN];
	struct hash *h = hash_open();
	int from = openat(top, "r", O_RDONLY), to = io_tmpfile(top, &e);
	char back[8];

	CHECK(io_copy(from, 2, 5, to, h, &e) == 0 && pread(to, back, 8, 0) == 5 && memcmp(back, "3AB67", 5) == 0,
	    "a part is copied");
	hash_final(h, got);
	hash_bytes("3AB67", 5, want);
	CHECK(memcmp(got, want, HASH_LEN) == 0, "and hashed on the way");
	CHECK(io_copy(from, 2, 7, to, NULL, &e) == -ERR_IO, "more than there is can not be copied");
	CHECK(io_copy(from, 0, 8, from, NULL, &e) < 0, "nor to where one can not write");
	CHECK(io_flush_behind(to, 2, 2, &e) == 0 && io_flush_behind(to, 4, 2, &e) == 0 && io_flush_behind(to, 5, 2, &e) == 0,
	    "what was copied goes to the disk step by step");
	CHECK(io_flush_behind(-1, 2, 2, &e) == -ERR_IO, "a descriptor that is none is an error");
	close(from);
	close(to);
}

static void
test_move(void)
{
	struct err e = { 0 };
	int x, y;

	CHECK(io_mkdir_p(top, "x/job", 0700, &e) == 0 && io_mkdir_p(top, "y", 0700, &e) == 0, "two states, one job");
	x = io_open_dir(top, "x", &e);
	y = io_open_dir(top, "y", &e);
	CHECK(io_move(x, "job", y, "job", &e) == 0 && !io_exists(x, "job") && io_exists(y, "job"), "the job moves");
	CHECK(io_move(x, "job", y, "job", &e) == -ERR_IO, "it can not move twice");
	CHECK(io_mkdir_p(top, "x/job", 0700, &e) == 0 && io_move(x, "job", y, "job", &e) == -ERR_IO && errno == EEXIST &&
	        io_exists(x, "job"),
	    "a job that is there already is not replaced");
	close(x);
	close(y);
}

static void
test_mkdir(void)
{
	struct err e = { 0 };
	char absolute[128], longer[5000];
	mode_t old = umask(0077);

	CHECK(io_mkdir_p(top, "p/q//r/", 0750, &e) == 0 && mode_of("p") == 0750 && mode_of("p/q/r") == 0750,
	    "directories have their mode, whatever the umask");
	CHECK(io_mkdir_p(top, "p/q", 0700, &e) == 0 && mode_of("p/q") == 0750, "those that are there keep theirs");
	snprintf(absolute, sizeof(absolute), "%s/abs/olute", path);
	CHECK(io_mkdir_p(AT_FDCWD, absolute, 0700, &e) == 0 && io_exists(top, "abs/olute"), "an absolute path");
	CHECK(io_mkdir_p(top, "r/below", 0700, &e) == -ERR_IO, "nothing goes below a file");
	memset(longer, 'd', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	CHECK(io_mkdir_p(top, longer, 0700, &e) < 0, "nor with a name longer than names are");
	umask(old);
}

static void
test_remove(void)
{
	struct err e = { 0 };
	int d;

	io_mkdir_p(top, "tree/a/b/c", 0700, &e);
	io_put(top, "outside", "stays", 5, 0600, &e);
	d = io_open_dir(top, "tree", &e);
	io_put(d, "file", "x", 1, 0400, &e);
	CHECK(symlinkat("../outside", d, "link") == 0 && symlinkat("..", d, "up") == 0, "a tree with links out of it");
	close(d);
	CHECK(io_remove_tree(top, "tree", &e) == 0 && !io_exists(top, "tree"), "is removed");
	CHECK(holds("outside", "stays"), "and what the links lead to stays");
	CHECK(io_remove_tree(top, "tree", &e) == 0, "removing twice is fine");
	CHECK(symlinkat("p", top, "plink") == 0 && io_remove_tree(top, "plink", &e) < 0 && io_exists(top, "p/q"),
	    "a link in the place of the tree is not followed");
	CHECK(io_open_dir(top, "plink", &e) < 0, "nor when a directory is opened");
}

static void
test_errors(void)
{
	struct err e = { 0 };

	errno = ENOSPC;
	CHECK(err_sys(&e, ERR_IO, "writing") == -ERR_SPACE && err_class(e.code) == ERR_CLASS_RETRY, "a full disk is no-space");
	errno = EDQUOT;
	CHECK(err_sys(&e, ERR_IO, "writing") == -ERR_SPACE, "so is a quota");
	errno = ENOMEM;
	CHECK(err_sys(&e, ERR_DOC_BAD, "mapping") == -ERR_MEM, "no memory is never a document's fault");
	err_set(&e, ERR_IO, "a\nb\x7F" "c\xFF");
	CHECK(strcmp(e.text, "a b c?") == 0, "a text is one line of UTF-8");
	err_set(&e, ERR_IO, "%0198d\xC3\xBC", 0);
	CHECK(strlen(e.text) == ERR_TEXT_MAX - 1 && e.text[198] == '?', "even where it was cut");
	CHECK(err_code_by_word("io") == ERR_IO && err_code_by_word("nonsense") == ERR_OK && !err_code_valid(0) &&
	        !err_code_valid(ERR_CODE_COUNT) && err_class((enum err_code)9999) == ERR_CLASS_STOP,
	    "codes have words; unknown ones stop");
}

int
main(void)
{
	top = tmpdir_make(path);
	test_put();
	test_put_fd();
	test_read();
	test_copy();
	test_move();
	test_mkdir();
	test_remove();
	test_errors();
	tmpdir_remove(top, path);
	return TEST_DONE();
}
