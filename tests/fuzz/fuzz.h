/*
 * fuzz.h - what the fuzz targets share.
 *
 *	LLVMFuzzerTestOneInput(data, size)     f_NAME.c: any bytes, read as the program would
 *	FUZZ_MUST(condition, "sentence")       holds for whatever was accepted
 *	fuzz_file(data, size)                  the bytes as a descriptor, as a child gets them
 *	fuzz_dir()                             an empty directory of this process
 *	fuzz_accepted()                        the code under test took this input; counted
 *	fuzz_planted(condition, data, size)    a bug of our own, with FUZZ_PLANTED=1 in the environment
 *
 * Sanitizers find what must never happen; FUZZ_MUST finds what is wrong although
 * nothing breaks: an answer that does not read back, a changed file called proven.
 *
 * fuzz_planted() proves that a target can find: it reads a byte behind a copy of
 * the input, behind a condition that no file of the corpus fulfils and that only an
 * input which the code under test accepts can fulfil.  fuzz.sh asks for it.
 */
#ifndef SEALROOM_FUZZ_H
#define SEALROOM_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "rules/conf.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
size_t LLVMFuzzerCustomMutator(uint8_t *, size_t, size_t, unsigned);
size_t LLVMFuzzerMutate(uint8_t *, size_t, size_t);

#define FUZZ_MUST(cond, ...) \
	do { \
		if (!(cond)) \
			fuzz_wrong(__FILE__, __LINE__, __VA_ARGS__); \
	} while (0)

__attribute__((noreturn, format(printf, 3, 4))) static inline void
fuzz_wrong(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s:%d: not so: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

static unsigned long fuzz_taken;

static void
fuzz_tell(void)
{
	fprintf(stderr, "stat::accepted: %lu\n", fuzz_taken);
}

/* A target whose every input is turned away at the door proves little: fuzz.sh reads the count. */
static inline void
fuzz_accepted(void)
{
	if (fuzz_taken++ == 0 && atexit(fuzz_tell) != 0)
		abort();
}

static inline void
fuzz_planted(bool cond, const uint8_t *data, size_t size)
{
	static int planted = -1;
	volatile uint8_t *copy, sink;

	if (planted < 0)
		planted = getenv("FUZZ_PLANTED") != NULL;
	if (!cond || planted == 0 || (copy = malloc(size + 1)) == NULL)
		return;
	memcpy((uint8_t *)(uintptr_t)copy, data, size);
	sink = copy[size + 1];
	(void)sink;
	free((void *)(uintptr_t)copy);
}

/* One file in memory for all runs: to make one each time would be most of a run. */
static inline int
fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0 && (fd = memfd_create("fuzz", MFD_CLOEXEC)) < 0)
		abort();
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* A second one, emptied, for what is written. */
static inline int
fuzz_out(void)
{
	static int fd = -1;

	if (fd < 0 && (fd = memfd_create("out", MFD_CLOEXEC)) < 0)
		abort();
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Text with its NUL, as readers of strings get it; to be freed. */
static inline char *
fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* The next value of a text from *to on: what stands in quotes, or digits. False: there is none. */
static inline bool
fuzz_value(const uint8_t *data, size_t size, size_t *from, size_t *to)
{
	for (size_t i = *to; i < size; i++) {
		bool text = data[i] == '"';

		if (!text && (data[i] < '0' || data[i] > '9'))
			continue;
		*from = i + text;
		for (i++; i < size && (text ? data[i] != '"' : data[i] >= '0' && data[i] <= '9'); i++)
			;
		*to = i;
		return true;
	}
	return false;
}

/* data[from..to) becomes piece[0..n); the new size, which is the old one where there is no room. */
static inline size_t
fuzz_replace(uint8_t *data, size_t size, size_t max, size_t from, size_t to, const void *piece, size_t n)
{
	if (size - (to - from) + n > max)
		return size;
	memmove(data + from + n, data + to, size - to);
	memcpy(data + from, piece, n);
	return size - (to - from) + n;
}

/*
 * For a custom mutator of a language with quoted strings and numbers: changes one
 * value and leaves the syntax, which would nearly never survive otherwise.
 */
static inline size_t
fuzz_mutate_value(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint8_t piece[256];
	size_t from = 0, to = 0, n = 0;

	while (fuzz_value(data, size, &from, &to)) {
		to += to < size && data[to] == '"';
		n++;
	}
	if (seed % 4 == 0 || n == 0)
		return LLVMFuzzerMutate(data, size, max);
	to = 0;
	for (n = seed / 4 % n + 1; n > 0 && fuzz_value(data, size, &from, &to); n--)
		if (n > 1)
			to += to < size && data[to] == '"';
	if (to - from > sizeof(piece))
		return LLVMFuzzerMutate(data, size, max);
	memcpy(piece, data + from, to - from);
	n = LLVMFuzzerMutate(piece, to - from, sizeof(piece));
	return fuzz_replace(data, size, max, from, to, piece, n);
}

/* Small, so that a run is short; the real ones are only larger. */
static const struct conf_scan fuzz_limits = { .max_pages = 20, .max_pixels = 1000000, .max_bytes = 1 << 20 };

#endif
