/*
 * pdfin.h - a PDF that came in, read by libqpdf with every doubt counted.
 *
 *	pdfin_open(&p, &src, &e)        maps src; end of file, startxref, xref, trailer
 *	pdfin_pages(&p, max, cb, ...)   the page tree, strictly, page after page
 *	pdfin_page(&p, index, &oh, &e)  one page, without loading the others
 *	pdfin_warnings(&p)              what libqpdf complained about so far
 *	pdfin_done(&p)
 *
 * Recovery is off: a file whose table of objects must be guessed is damaged.
 * libqpdf's own page functions are not used: they load every page and change
 * the tree in memory.  Ours want each node once, all kids indirect, every
 * /Count true.
 *
 * libqpdf decodes streams without a bound; pdfin_stream() therefore inflates by
 * itself, under a limit, and leaves only small streams to libqpdf.
 */
#ifndef SEALROOM_SCAN_PDFIN_H
#define SEALROOM_SCAN_PDFIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qpdf/qpdf-c.h>

#include "agent/lib/err.h"
#include "scan/source.h"

#define PDF_DEPTH_MAX 50

struct pdfin {
	qpdf_data q;
	const struct source *s;
	uint32_t warnings;
	char text[120]; /* the first warning or error, for people */
};

struct pdfin_bits; /* a set of object numbers */

int pdfin_open(struct pdfin *, struct source *, struct err *);
void pdfin_done(struct pdfin *);
uint32_t pdfin_warnings(struct pdfin *);
/* -ERR_DOC_BAD when libqpdf reported an error or warning since. */
int pdfin_clean(struct pdfin *, struct err *);

typedef int pdfin_page_cb(void *ctx, struct pdfin *, uint32_t index, qpdf_oh page, struct err *);
int pdfin_pages(struct pdfin *, uint32_t max, pdfin_page_cb *, void *ctx, uint32_t *ret_pages, struct err *);
int pdfin_page(struct pdfin *, uint32_t index, qpdf_oh *ret, struct err *);
/* A page attribute, its own or from above; null if nobody has it. */
qpdf_oh pdfin_inherited(struct pdfin *, qpdf_oh page, const char *key);

/*
 * Handles that were asked for behind the mark, and the mark, are let go: what
 * is looked at on each of many pages would all stay to the end.
 */
qpdf_oh pdfin_mark(struct pdfin *);
void pdfin_release_since(struct pdfin *, qpdf_oh mark);

/* Values of a dictionary; the given one where the key is missing or of another type. */
qpdf_oh pdfin_key(struct pdfin *, qpdf_oh, const char *key);
int64_t pdfin_int(struct pdfin *, qpdf_oh dict, const char *key, int64_t otherwise);
bool pdfin_flag(struct pdfin *, qpdf_oh dict, const char *key, bool otherwise);
bool pdfin_is(struct pdfin *, qpdf_oh, const char *name); /* a name, with its "/" */
int pdfin_items(struct pdfin *, qpdf_oh array);           /* 0 for anything else */
bool pdfin_numbers(struct pdfin *, qpdf_oh array, double *ret, int n); /* exactly n finite ones */

/* Stream bytes as they stand in the file; malloc'ed. */
int pdfin_raw(struct pdfin *, qpdf_oh stream, uint8_t **ret, size_t *len, struct err *);
/* Decoded, at most max bytes. */
int pdfin_stream(struct pdfin *, qpdf_oh stream, size_t max, uint8_t **ret, size_t *len, struct err *);
int pdfin_inflate(const uint8_t *in, size_t n, size_t max, uint8_t **ret, size_t *len, struct err *);

/* Object numbers already seen: true the first time. */
struct pdfin_bits *pdfin_bits_new(void);
bool pdfin_bits_first(struct pdfin_bits *, struct pdfin *, qpdf_oh);
void pdfin_bits_free(struct pdfin_bits *);

#endif
