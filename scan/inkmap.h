/*
 * inkmap.h - which pixels of a page are ink, and the map of them for the rules.
 *
 *	found = inkmap_find(pix, dx, dy, &e)    1 bit a pixel, at most 150 dots per inch
 *	inkmap_make(found, turn, box, w, h, &ink, &e)   a map of the page (rules/ink.h)
 *
 * Ink is what is clearly darker than the paper around it; shaded fields count
 * as paper, dark ones as ink.  A speck of dust with nothing near it is neither.
 */
#ifndef SEALROOM_SCAN_INKMAP_H
#define SEALROOM_SCAN_INKMAP_H

#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/ink.h"

struct Pix; /* leptonica */

/* pix: 1 bit (1 is black) or 8 bit grey; stays the caller's. NULL: *e says why. */
struct Pix *inkmap_find(struct Pix *pix, double dpi_x, double dpi_y, struct err *);
/*
 * turn: clockwise from 'found' to how its reader sees it; box: where the turned
 * picture stands on the page (mpt), beyond it perhaps.  found is taken over.
 */
int inkmap_make(struct Pix *found, uint32_t turn, const struct box *, int32_t page_w, int32_t page_h, struct ink *ret,
    struct err *);

#endif
