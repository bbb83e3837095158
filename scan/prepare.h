/*
 * prepare.h - a page made ready for recognition, and the way back.
 *
 *	prepare(&w, pix, dx, dy, &e)      scaled copy, small bitonal copy, blank, wordless
 *	prepare_clear(&w, &c, &e)         without the print of the back
 *	prepare_orientation(&w, &turn)    by ascenders and descenders; false: unsure
 *	prepare_straight(&w, turn, &s, &e) turned, straightened, reverse type turned over, vertical rules gone
 *	prepare_rules(&w, &s, rules, &n)  horizontal rules of it
 *	prepare_map_back(&s, ...)         a word's box to the copy before straightening
 *	prepare_uncrop(&w, turn, ...)     and to the whole page, turned
 *
 * Why these steps, and not others (measured): a page askew by 2.4 degrees loses
 * most of its words unless straightened; vertical rules of a table cost a sixth
 * of its words; horizontal rules help to find lines and stay.  Own global
 * thresholds hurt, grey stays grey.  Grain of a sensor and dust made pages
 * unreadable that people read with ease: paper that is grainy is smoothed, dust
 * on what is dusty goes, and clean pages are left as they are.  Finding lines costs as much on white paper
 * as on text: margins go before everything else.
 */
#ifndef SEALROOM_SCAN_PREPARE_H
#define SEALROOM_SCAN_PREPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"

struct Pix;
struct order_rule;

#define PREPARE_DPI 300  /* more costs time and gains nothing */
#define PREPARE_DPI_MIN 150

struct prepared {
	struct Pix *pix;    /* 1 or 8 bit, square pixels; without empty margins */
	struct Pix *small;  /* bitonal, 1/factor of it */
	int left, top, right, bottom; /* pixels of margin that are gone */
	int factor;         /* 1 or 2 */
	int dpi;            /* of pix */
	double scale_x, scale_y; /* from the image given in to pix */
	bool blank;         /* nothing on it: blank.h */
	bool wordless;      /* blank, or nothing that could be text */
	bool through;       /* the back may shine through: prepare_clear() */
};

struct straight {
	struct Pix *pix;
	double angle; /* degrees clockwise it was turned by */
	double w, h;
};

/* Takes pix over, also on error. */
int prepare(struct prepared *, struct Pix *pix, double dpi_x, double dpi_y, struct err *);
void prepare_done(struct prepared *);
/* The same page without what is much paler than ink: show-through, or print in grey.  prepare_done(ret) is the caller's. */
int prepare_clear(const struct prepared *, struct prepared *ret, struct err *);
bool prepare_orientation(const struct prepared *, uint32_t *ret_turn);
/* The square with the most text, at most 'side' pixels wide; NULL when memory is short. */
struct Pix *prepare_piece(const struct prepared *, int side);
int prepare_straight(const struct prepared *, uint32_t turn, struct straight *ret, struct err *);
/* Horizontal rules in the pixels of the straightened page, at most *n; what memory does not suffice for is not found. */
void prepare_rules(const struct prepared *, const struct straight *, struct order_rule *ret, size_t *n);
void prepare_map_back(const struct straight *, double *x0, double *y0, double *x1, double *y1, double *base);
/* From what prepare_map_back() gave to pixels of the whole prepared page, turned. */
void prepare_uncrop(const struct prepared *, uint32_t turn, double *x0, double *y0, double *x1, double *y1, double *base);

#endif
