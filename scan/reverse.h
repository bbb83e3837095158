/*
 * reverse.h - reverse type: bars of dark paper with light letters on it.
 *
 * Recognition takes such a bar for a picture, or reads it with what stands
 * beside it.  Turned over it is text like any other.
 */
#ifndef SEALROOM_SCAN_REVERSE_H
#define SEALROOM_SCAN_REVERSE_H

#include "agent/lib/err.h"

struct Pix;

/*
 * Turns over every upright dark bar of the page, in place.  pix: 1 bit (1 is
 * black) or 8 bit grey, straight, at dpi dots per inch; the number of bars, or an error.
 */
int reverse_bars(struct Pix *pix, int dpi, struct err *);

#endif
