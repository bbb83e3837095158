/*
 * prepare.h - a page made ready for recognition, and the way back.
 *
 *	prepare(&w, pix, dx, dy, &e)      scaled copy, small bitonal copy, blank or not
 *	prepare_orientation(&w, &turn)    by ascenders and descenders; false: unsure
 *	prepare_straight(&w, turn, &s, &e) turned, straightened, vertical rules gone
 *	prepare_map_back(&s, ...)         a word's box to the copy before straightening
 *	prepare_uncrop(&w, turn, ...)     and to the whole page, turned
 *
 * Why these steps, and not others (measured): a page askew by 2.4 degrees loses
 * most of its words unless straightened; vertical rules of a table cost a sixth
 * of its words; horizontal rules help to find lines and stay.  Own global
 * thresholds hurt, grey stays grey.  Finding lines costs as much on white paper
 * as on text: margins go before everything else.
 */
#ifndef SEALROOM_SCAN_PREPARE_H
#define SEALROOM_SCAN_PREPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"

struct Pix;

#define PREPARE_DPI 300  /* more costs time and gains nothing */
#define PREPARE_DPI_MIN 150

struct prepared {
	struct Pix *pix;    /* 1 or 8 bit, square pixels; without empty margins */
	struct Pix *small;  /* bitonal, 1/factor of it */
	int left, top, right, bottom; /* pixels of margin that are gone */
	int factor;         /* 1 or 2 */
	int dpi;            /* of pix */
	double scale_x, scale_y; /* from the image given in to pix */
	bool blank;
};

struct straight {
	struct Pix *pix;
	double angle; /* degrees clockwise it was turned by */
	double w, h;
};

/* Takes pix over, also on error. */
int prepare(struct prepared *, struct Pix *pix, double dpi_x, double dpi_y, struct err *);
void prepare_done(struct prepared *);
bool prepare_orientation(const struct prepared *, uint32_t *ret_turn);
/* The square with the most text, at most 'side' pixels wide; NULL when memory is short. */
struct Pix *prepare_piece(const struct prepared *, int side);
int prepare_straight(const struct prepared *, uint32_t turn, struct straight *ret, struct err *);
void prepare_map_back(const struct straight *, double *x0, double *y0, double *x1, double *y1, double *base);
/* From what prepare_map_back() gave to pixels of the whole prepared page, turned. */
void prepare_uncrop(const struct prepared *, uint32_t turn, double *x0, double *y0, double *x1, double *y1, double *base);

#endif
