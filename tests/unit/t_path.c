/* t_path.c - names are bytes: shown so that they can not lie, opened so that they can not lead away. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/path.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static const struct {
	const char *what, *name, *escaped, *shown;
} names[] = {
	{ "a plain name", "Brief_1-a.tif", "Brief_1-a.tif", "Brief_1-a.tif" },
	{ "an umlaut and a space", "Gr\xC3\xBC\xC3\x9F" "e 1.tif", "Gr%C3%BC%C3%9Fe%201.tif", "Gr\xC3\xBC\xC3\x9F" "e 1.tif" },
	{ "a newline", "a\nb", "a%0Ab", "a%0Ab" },
	{ "an escape sequence", "a\x1B[2Jb", "a%1B%5B2Jb", "a%1B[2Jb" },
	{ "DEL", "a\x7F", "a%7F", "a%7F" },
	{ "a C1 control", "a\xC2\x9B" "b", "a%C2%9Bb", "a%C2%9Bb" },
	{ "right-to-left override", "x\xE2\x80\xAE" "fdp.exe", "x%E2%80%AEfdp.exe", "x%E2%80%AEfdp.exe" },
	{ "right-to-left isolate", "x\xE2\x81\xA7y", "x%E2%81%A7y", "x%E2%81%A7y" },
	{ "a zero width space", "x\xE2\x80\x8By", "x%E2%80%8By", "x%E2%80%8By" },
	{ "a byte order mark", "\xEF\xBB\xBFx", "%EF%BB%BFx", "%EF%BB%BFx" },
	{ "Latin-1", "Gr\xFC\xDF" "e", "Gr%FC%DFe", "Gr%FC%DFe" },
	{ "an overlong slash", "a\xC0\xAF" "b", "a%C0%AFb", "a%C0%AFb" },
	{ "a surrogate", "a\xED\xA0\x80", "a%ED%A0%80", "a%ED%A0%80" },
	{ "above U+10FFFF", "a\xF4\x90\x80\x80", "a%F4%90%80%80", "a%F4%90%80%80" },
	{ "a cut character", "a\xE2\x82", "a%E2%82", "a%E2%82" },
	{ "a printf directive", "%n%s", "%25n%25s", "%n%s" },
	{ "a shell's joy", "$(id)`;&|", "%24%28id%29%60%3B%26%7C", "$(id)`;&|" },
	{ "a face", "\xF0\x9F\x98\x80.pdf", "%F0%9F%98%80.pdf", "\xF0\x9F\x98\x80.pdf" },
	{ "nothing", "", "", "" },
};

static void
test_names(void)
{
	char out[3 * 256], full[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_escape(names[i].name, out, sizeof(out));
		CHECK(strcmp(out, names[i].escaped) == 0, "%s is escaped for the log", names[i].what);
		path_display(names[i].name, out, sizeof(out));
		CHECK(strcmp(out, names[i].shown) == 0, "%s is shown to people", names[i].what);
		CHECK(utf8_valid(out, strlen(out)), "as UTF-8");
	}
	memset(full, 0xFF, 255);
	full[255] = '\0';
	path_escape(full, out, sizeof(out));
	CHECK(strlen(out) == 765 && strcmp(out + 762, "%FF") == 0, "255 bytes of the worst fit three times their size");
	path_display(full, out, sizeof(out));
	CHECK(strlen(out) == 765, "shown as well");
	path_escape("aaa\xFF", out, 6);
	CHECK(strlen(out) < 6 && strncmp(out, "aaa", strlen(out)) == 0, "a short buffer never gets half an escape");
	path_display("aa\xC3\xBC", out, 5);
	CHECK(strcmp(out, "aa") == 0, "or half a character");
}

static void
test_scrub(void)
{
	char bad[] = "a\xFF\xC3\xBC\xE2\x82";

	utf8_scrub(bad);
	CHECK(strcmp(bad, "a?\xC3\xBC??") == 0, "bad bytes become question marks, good ones stay");
	strcpy(bad, "\xEF\xBF\xBD");
	utf8_scrub(bad);
	CHECK(strcmp(bad, "\xEF\xBF\xBD") == 0, "U+FFFD itself is a character like any other");
	CHECK(utf8_valid("\xEF\xBF\xBD", 3) && !utf8_valid("\xEF\xBF", 2), "and valid, when whole");
}

static void
test_code_points(void)
{
	static const uint32_t points[] = { 0x41, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFC, 0x10000, 0x10FFFF };
	char b[4];

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		const char *p = b;
		size_t n = utf8_put(points[i], b);

		CHECK(utf8_next(&p, b + n) == points[i] && p == b + n, "U+%04X there and back", points[i]);
	}
}

/* Opens below dir and closes: 0 or errno. */
static int
tried(int dir, const char *name)
{
	int fd = path_open(dir, name, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void
test_open(void)
{
	char path[64];
	int top = tmpdir_make(path), dir, proc, fd;

	if (mkdirat(top, "d", 0700) < 0 || (dir = openat(top, "d", O_RDONLY | O_DIRECTORY)) < 0 ||
	    (fd = openat(dir, "f", O_CREAT | O_WRONLY, 0600)) < 0 || symlinkat("f", dir, "link") < 0 ||
	    symlinkat("/etc", dir, "away") < 0 || mkdirat(dir, "sub", 0700) < 0 || symlinkat("sub", dir, "sublink") < 0)
		return;
	close(fd);
	close(openat(dir, "sub/g", O_CREAT | O_WRONLY, 0600));
	close(openat(top, "secret", O_CREAT | O_WRONLY, 0600));
	CHECK(tried(dir, "f") == 0, "a file is opened");
	CHECK(tried(dir, "sub/g") == 0, "and one below");
	CHECK(tried(dir, "none") == ENOENT, "one that is not there is not");
	CHECK(tried(dir, "link") == ELOOP, "a symbolic link is refused");
	CHECK(tried(dir, "away/passwd") == ELOOP && tried(dir, "sublink/g") == ELOOP, "on the way as well");
	CHECK(tried(dir, "../secret") == EXDEV && tried(dir, "sub/../../secret") == EXDEV, "nothing above");
	CHECK(tried(dir, "f/g") == ENOTDIR && tried(dir, "") == ENOENT, "nothing below a file, nothing without a name");
	CHECK(tried(dir, "/etc/passwd") == EXDEV, "nothing absolute");
	if ((proc = open("/proc", O_RDONLY | O_DIRECTORY)) >= 0) {
		CHECK(tried(proc, "self/fd/0") == ELOOP, "no magic link");
		close(proc);
	}
	if ((proc = open("/", O_RDONLY | O_DIRECTORY)) >= 0) {
		CHECK(tried(proc, "proc/version") == EXDEV, "no other mount");
		close(proc);
	}
	if ((fd = path_open(dir, "f", O_RDONLY)) >= 0) {
		CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC, "and it is closed at exec");
		close(fd);
	}
	close(dir);
	tmpdir_remove(top, path);
}

/* As RestrictSUIDSGID= of a unit does it; for the rest of this process. */
static void
test_no_openat2(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { .len = 4, .filter = code };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0 &&
	    syscall(SYS_openat2, AT_FDCWD, ".", NULL, 0) < 0 && errno == ENOSYS, "without openat2()");
	test_open();
}

int
main(void)
{
	test_names();
	test_scrub();
	test_code_points();
	test_open();
	test_no_openat2();
	return TEST_DONE();
}
