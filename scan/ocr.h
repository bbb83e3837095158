/*
 * ocr.h - from the pixels of a page to its words: Tesseract, and what helps it.
 *
 *	ocr_open(&ocr, languages, &e)     once, before confinement: loads the models
 *	ocr_read(ocr, pix, dx, dy, &p, &e) one page
 *	ocr_page_done(&p)
 *	ocr_look(languages, dst, size, &e) instead of all: are the models there?
 *
 * The copy that is recognised is scaled to at most 300 dots per inch, turned
 * the right way up, straightened, and freed of vertical rules; the page itself
 * stays as it was scanned.  Boxes come back in pixels of the image that was
 * given in, after the quarter turns in p.turn, NOT straightened.
 *
 * Which way is up is decided by ascenders and descenders.  Where these say
 * little and the page makes little sense as it stands, or where what comes out
 * makes none, a share of it is read in all four ways.
 *
 * After ocr_open() nothing opens a file.  One thread: OMP_THREAD_LIMIT=1 must
 * stand in the environment the program is started with (agent/lib/proc.c).
 */
#ifndef SEALROOM_SCAN_OCR_H
#define SEALROOM_SCAN_OCR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "rules/conf.h"

struct Pix;
struct ocr;

struct ocr_word {
	double x0, y0, x1, y1, base; /* pixels, y down */
	uint32_t line, block;
	uint32_t conf;               /* 0-100 */
	char *text;                  /* UTF-8 */
};

struct ocr_page {
	uint32_t turn;  /* clockwise degrees from the given image to upright */
	double skew;    /* degrees; what was straightened for recognition */
	uint32_t conf;  /* mean over words */
	bool blank;     /* nothing on it at all: blank.h */
	uint32_t n;
	struct ocr_word *words;
};

int ocr_open(struct ocr **ret, const struct strings *languages, struct err *);
void ocr_free(struct ocr *);
/* "tesseract 5.3.0 deu+eng" */
void ocr_name(const struct ocr *, char *dst, size_t size);
/* Opens each model, checks its parts and loads none; dst as of ocr_name(). */
int ocr_look(const struct strings *languages, char *dst, size_t size, struct err *);
/* Over the bytes of all models. */
void ocr_data_hash(const struct ocr *, uint8_t out[HASH_LEN]);

/* pix: 1 bit (1 is black) or 8 bit grey, the right way up as far as the file says; it is taken over. */
int ocr_read(struct ocr *, struct Pix *pix, double dpi_x, double dpi_y, struct ocr_page *ret, struct err *);
void ocr_page_done(struct ocr_page *);

#endif
