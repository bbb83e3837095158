/*
 * judge.h - programs that are not ours say what they think of a file we wrote.
 *
 *	judge("qpdf --check %s", path)          exit status
 *	judge_text("pdftotext %s -", path)      what it prints; to be freed
 *	judge_dir()                             a fresh directory, removed at exit
 *	judge_twin(path, twin, "this", "that")  the same file with one thing changed
 */
#ifndef SEALROOM_JUDGE_H
#define SEALROOM_JUDGE_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char judge_directory[256];

static inline void
judge_clean(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", judge_directory);
	if (system(cmd) != 0)
		fprintf(stderr, "# %s is left over\n", judge_directory);
}

static inline const char *
judge_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (judge_directory[0] != '\0')
		return judge_directory;
	snprintf(judge_directory, sizeof(judge_directory), "%s/sealroom-test.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(judge_directory) == NULL) {
		perror(judge_directory);
		exit(1);
	}
	atexit(judge_clean);
	return judge_directory;
}

__attribute__((format(printf, 1, 2))) static inline int
judge(const char *fmt, ...)
{
	char cmd[4096], quiet[4600];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	snprintf(quiet, sizeof(quiet), "{ %s ; } > '%s/judge.log' 2>&1", cmd, judge_dir());
	status = system(quiet);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

__attribute__((format(printf, 1, 2))) static inline char *
judge_text(const char *fmt, ...)
{
	char cmd[4096];
	size_t n = 0, cap = 1 << 20;
	char *text = calloc(1, cap);
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (text == NULL || (f = popen(cmd, "r")) == NULL) {
		perror(cmd);
		exit(1);
	}
	while (n < cap - 1) {
		size_t r = fread(text + n, 1, cap - 1 - n, f);

		if (r == 0)
			break;
		n += r;
	}
	pclose(f);
	return text;
}

/* Whole file; its length in *n; to be freed. */
static inline uint8_t *
judge_read(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long len;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0 || (data = malloc((size_t)len + 1)) == NULL) {
		perror(path);
		exit(1);
	}
	rewind(f);
	*n = fread(data, 1, (size_t)len, f);
	data[*n] = '\0';
	fclose(f);
	return data;
}

static inline void
judge_write(const char *path, const void *data, size_t n)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(data, 1, n, f) != n || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* Copies path to twin with each 'from' replaced by 'to' of the same length; how many there were. */
static inline int
judge_twin(const char *path, const char *twin, const char *from, const char *to)
{
	size_t n, len = strlen(from);
	uint8_t *data = judge_read(path, &n);
	int count = 0;

	for (size_t i = 0; i + len <= n; i++)
		if (memcmp(data + i, from, len) == 0) {
			memcpy(data + i, to, len);
			count++;
		}
	judge_write(twin, data, n);
	free(data);
	return count;
}

/* An empty file to write to. */
static inline int
judge_create(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

#endif
