/*
 * scans.h - the sample scans of tests/data/scans, and what is known of them.
 *
 * truth/ and KEYWORDS.tsv were written by the generator that drew the pages
 * (tests/tools/make-scans), not by anything that reads them.
 */
#ifndef SEALROOM_TEST_SCANS_H
#define SEALROOM_TEST_SCANS_H

#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "rules/conf.h"
#include "rules/pagefile.h"

#define SCANS "tests/data/scans/"

/* Limits as the settings have them when nothing is said. */
static const struct conf_scan scans_limits = { .max_pages = 5000, .max_pixels = 150000000, .max_bytes = 2ull << 30 };

static inline int
scans_open(const char *name)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), SCANS "%s", name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		printf("Bail out! %s is missing\n", path);
		exit(99);
	}
	return fd;
}

/* The whole file; len bytes, malloc'ed. */
static inline uint8_t *
scans_load(const char *name, size_t *len)
{
	int fd = scans_open(name);
	struct err e = { 0 };
	uint64_t n = 0;
	uint8_t *p;

	if (io_size(fd, &n, &e) < 0 || (p = malloc(n + 1)) == NULL || io_pread_full(fd, p, n, 0, &e) < 0)
		exit(99);
	p[n] = '\0';
	close(fd);
	*len = n;
	return p;
}

static inline int
scans_memory(const void *data, size_t len)
{
	struct err e = { 0 };
	int fd = io_memfd("scan", data, len, &e);

	if (fd < 0)
		exit(99);
	return fd;
}

static inline int
scans_temporary(void)
{
	int fd = memfd_create("out", MFD_CLOEXEC);

	if (fd < 0)
		exit(99);
	return fd;
}

/* Words of the truth of one page that are not among those read, once each. */
static inline unsigned
scans_missing(const char *file, unsigned page, const struct pagefile *pf, unsigned *ret_all)
{
	char name[128], path[300];
	size_t len;
	uint8_t *text;
	bool *used = calloc(pf->nwords + 1, sizeof(*used));
	unsigned missing = 0;

	snprintf(name, sizeof(name), "%s", file);
	*strrchr(name, '.') = '\0';
	snprintf(path, sizeof(path), "truth/%s.p%u.txt", name, page);
	text = scans_load(path, &len);
	*ret_all = 0;
	for (char *w = strtok((char *)text, " \n"); w != NULL; w = strtok(NULL, " \n")) {
		uint32_t i = 0;

		++*ret_all;
		while (i < pf->nwords && (used[i] || strcmp(pf->words[i].text, w) != 0))
			i++;
		if (i < pf->nwords)
			used[i] = true;
		else
			missing++;
	}
	free(used);
	free(text);
	return missing;
}

/* Largest distance in points of the n-th place of a keyword on a page from the truth; 1000: not found. */
static inline double
scans_distance(const char *keyword, unsigned nth, const double truth[4],
    const struct pagefile *pf)
{
	char want[128];
	const char *word[8];
	unsigned n = 0;

	snprintf(want, sizeof(want), "%s", keyword);
	for (char *w = strtok(want, " "); w != NULL && n < 8; w = strtok(NULL, " "))
		word[n++] = w;
	for (uint32_t i = 0; i + n <= pf->nwords; i++) {
		unsigned k = 0;
		double d = 0, box[4] = { 1e9, 1e9, 0, 0 };

		while (k < n && strcmp(pf->words[i + k].text, word[k]) == 0)
			k++;
		if (k < n || nth-- > 0)
			continue;
		for (k = 0; k < n; k++) {
			const struct box *b = &pf->words[i + k].box;

			box[0] = fmin(box[0], b->x0 / 1000.0);
			box[1] = fmin(box[1], b->y0 / 1000.0);
			box[2] = fmax(box[2], b->x1 / 1000.0);
			box[3] = fmax(box[3], b->y1 / 1000.0);
		}
		for (k = 0; k < 4; k++)
			d = fmax(d, fabs(box[k] - truth[k]));
		return d;
	}
	return 1000;
}

#endif
