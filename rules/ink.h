/*
 * ink.h - where a page has ink, and where it has none.
 *
 *	ink_init(&ink, page_w, page_h, &e)   an empty map of a page
 *	ink_mark(&ink, &box)                 while it is made
 *	ink_under(&ink, &box)                is there any
 *	ink_nearest(&ink, &box, reach, &ret) the free place nearest to a box
 *	ink_done(&ink)
 *
 * A map has one bit for each square of the page as its reader sees it: 1/100
 * inch wide, more only where the page is wider than a metre.  A square that ink
 * touches is marked whole, so that a place that is free here is free on paper.
 * What came from a page child is checked by pagefile.h before it is one of these.
 */
#ifndef SEALROOM_INK_H
#define SEALROOM_INK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#define INK_SQUARE 720         /* mpt: 100 squares an inch */
#define INK_BYTES_MAX (2 * 1024 * 1024)

struct ink {
	int32_t page_w, page_h; /* mpt, reader's view */
	int32_t square;         /* mpt; 0: no map, nothing is known */
	uint32_t w, h;          /* squares */
	size_t stride;          /* bytes of a row; the leftmost square is its first byte's high bit */
	uint8_t *bits;          /* malloc'ed */
};

/* The geometry of a page's map, without its bits. false: no page has that size. */
bool ink_shape(struct ink *, int32_t page_w, int32_t page_h);
static inline size_t
ink_bytes(const struct ink *i)
{
	return i->stride * i->h;
}
int ink_init(struct ink *, int32_t page_w, int32_t page_h, struct err *);
void ink_done(struct ink *);
#define AUTO_INK __attribute__((cleanup(ink_done))) struct ink

/* What lies beyond the page is left out. */
void ink_mark(struct ink *, const struct box *);
bool ink_under(const struct ink *, const struct box *);
/*
 * The place of that box's size, wholly on the page and free of ink, nearest to
 * it, at most 'reach' (mpt) away; moved in whole squares, if at all.  Of equally
 * near ones the one further up, then further left.  Time grows with the squares
 * in reach, memory with the width.  0, -ERR_PLACE_INK when there is none.
 */
int ink_nearest(const struct ink *, const struct box *, int32_t reach, struct box *ret, struct err *);

#endif
