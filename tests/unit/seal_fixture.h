/*
 * seal_fixture.h - a directory with a PKI and soft tokens for the tests of seal/.
 *
 *	fixture_make("rsa3072,p256")    tests/tools/test-pki; dir in fixture_dir
 *	fixture_end()                   removes it
 */
#ifndef SEALROOM_SEAL_FIXTURE_H
#define SEALROOM_SEAL_FIXTURE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char fixture_dir[256];

/* Runs a shell command made by printf; its exit status, output thrown away. */
__attribute__((format(printf, 1, 2), unused)) static int
run(const char *fmt, ...)
{
	char cmd[4096];
	va_list ap;
	int n = snprintf(cmd, sizeof(cmd), "exec >>%s/out 2>&1 </dev/null; ", fixture_dir), st;

	va_start(ap, fmt);
	vsnprintf(cmd + n, sizeof(cmd) - (size_t)n, fmt, ap);
	va_end(ap);
	st = system(cmd);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

__attribute__((unused)) static void
fixture_dir_make(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(fixture_dir, sizeof(fixture_dir), "%s/seal.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(fixture_dir) == NULL) {
		perror(fixture_dir);
		exit(1);
	}
}

__attribute__((unused)) static void
fixture_make(const char *keys)
{
	fixture_dir_make();
	if (run("tests/tools/test-pki create %s/pki --keys %s", fixture_dir, keys) != 0) {
		printf("Bail out! tests/tools/test-pki create: see %s/out\n", fixture_dir);
		exit(1);
	}
}

__attribute__((unused)) static void
fixture_end(void)
{
	char cmd[512];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", fixture_dir);
	if (system(cmd) != 0)
		perror(cmd);
}

/* "DIR/NAME" in a ring of buffers. */
__attribute__((format(printf, 1, 2), unused)) static const char *
in_dir(const char *fmt, ...)
{
	static char ring[8][512];
	static unsigned at;
	char *p = ring[at++ % 8];
	va_list ap;
	int n = snprintf(p, 512, "%s/", fixture_dir);

	va_start(ap, fmt);
	vsnprintf(p + n, 512 - (size_t)n, fmt, ap);
	va_end(ap);
	return p;
}

/* Makes or replaces a file, without stdio, so that no copy of the bytes stays in a buffer. */
__attribute__((unused)) static void
put_file(const char *path, const void *p, size_t n, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, p, n) != (ssize_t)n || fchmod(fd, mode) < 0 || close(fd) < 0) {
		perror(path);
		exit(1);
	}
}

__attribute__((unused)) static void
put_text(const char *path, const char *s)
{
	put_file(path, s, strlen(s), 0600);
}

/* A whole small file as text; static. */
__attribute__((unused)) static const char *
get_text(const char *path)
{
	static char text[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

__attribute__((unused)) static unsigned
count_lines(const char *path, const char *begin)
{
	unsigned n = 0;

	for (const char *p = get_text(path); p != NULL && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		n += strncmp(p, begin, strlen(begin)) == 0;
	return n;
}

#endif
