/*
 * b_log.c - what the log costs: computing a million entries again, and appending.
 *
 *	b_log [DIR]     DIR: a directory on the disk to measure; default: /tmp
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/merkle.h"

#define ENTRIES 1000000
#define ENTRY_LEN 430

static double
seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
recompute(void)
{
	struct merkle *m = merkle_new();
	uint8_t leaf[HASH_LEN], root[HASH_LEN];
	char entry[ENTRY_LEN];
	double t0, t1;

	memset(entry, 'x', sizeof(entry));
	t0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < ENTRIES; i++) {
		memcpy(entry, &i, sizeof(i));
		merkle_leaf(m, entry, sizeof(entry), leaf);
		merkle_add(m, leaf);
	}
	merkle_root(m, root);
	t1 = seconds(CLOCK_PROCESS_CPUTIME_ID);
	printf("recompute %d entries of %d bytes: %.2f s on one core (bar: 0.70 s)\n", ENTRIES, ENTRY_LEN, t1 - t0);
	merkle_free(m);
}

static void
parse(void)
{
	struct entry x = { .type = ENTRY_NOTE, .time_us = 1795340070123456, .text = "some words", .host = "h" }, y;
	AUTO_BUF b = { 0 };
	struct err e = { 0 };
	double t0;
	int n = 100000;

	buf_init(&b, ENTRY_MAX);
	if (entry_format(&x, &b, &e) < 0)
		exit(99);
	t0 = seconds(CLOCK_PROCESS_CPUTIME_ID);
	for (int i = 0; i < n; i++)
		if (entry_parse(b.data, b.len, &y, &e) < 0)
			exit(99);
	printf("read an entry strictly: %.1f us\n", (seconds(CLOCK_PROCESS_CPUTIME_ID) - t0) * 1e6 / n);
}

static void
append(const char *where, size_t group)
{
	char path[256], entry[ENTRY_LEN];
	struct journal *j;
	struct err e = { 0 };
	double t0;
	size_t n = 0;
	int dir;

	snprintf(path, sizeof(path), "%s/b_log.XXXXXX", where);
	if (mkdtemp(path) == NULL || (dir = open(path, O_RDONLY | O_DIRECTORY)) < 0)
		exit(99);
	memset(entry, 'x', sizeof(entry));
	if (journal_create(dir, &e) < 0 || journal_open(&j, dir, false, &e) < 0)
		exit(99);
	t0 = seconds(CLOCK_MONOTONIC);
	while (seconds(CLOCK_MONOTONIC) - t0 < 1.0) {
		for (size_t i = 0; i < group; i++)
			if (journal_add(j, entry, sizeof(entry), &e) < 0)
				exit(99);
		if (journal_commit(j, &e) < 0)
			exit(99);
		n += group;
	}
	printf("append, %3zu entries a sync: %.0f entries/s\n", group, (double)n / (seconds(CLOCK_MONOTONIC) - t0));
	journal_free(j);
	unlinkat(dir, JOURNAL_NAME, 0);
	close(dir);
	rmdir(path);
}

int
main(int argc, char **argv)
{
	const char *where = argc > 1 ? argv[1] : "/tmp";

	recompute();
	parse();
	append(where, 1);
	append(where, 16);
	append(where, 256);
	return 0;
}
