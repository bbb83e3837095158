/*
 * view.h - between the page as its reader sees it and its user space.
 *
 * The reader's view has its origin in the top left corner of the visible page
 * (CropBox within MediaBox), x to the right, y down, after /Rotate; lengths are
 * real ones, mpt.  User space has any origin, y up, is not turned, and its unit
 * is /UserUnit points.  Both here in 1/1000 of their unit.
 */
#ifndef SEALROOM_VIEW_H
#define SEALROOM_VIEW_H

#include <stdint.h>

#include "agent/lib/taskmsg.h"

struct view {
	int64_t x0, y0, x1, y1; /* the visible page in user space */
	uint32_t rotate;        /* 0 90 180 270, clockwise */
	uint32_t unit;          /* /UserUnit, in 1/1000; 1000 nearly always */
};

/* A rectangle in user space, x0 < x1, y0 < y1. */
struct user_box {
	int64_t x0, y0, x1, y1;
};

/* Size of the page as the reader sees it, mpt. */
void view_size(const struct view *, int64_t *w, int64_t *h);
/* Where a box of the view lies in user space. */
struct user_box view_to_user(const struct view *, const struct box *);
/* Where a rectangle of user space is seen; parts of it may lie off the page. */
struct box view_from_user(const struct view *, const struct user_box *);
/*
 * The matrix that turns upright for the reader: a b c d of a cm or a form's
 * /Matrix, each -1, 0 or 1; the same for every page size.
 */
void view_turn(const struct view *, int turn[4]);
/* User-space corner that the reader sees at the bottom left. */
void view_corner(const struct view *, int64_t *x, int64_t *y);
/* Turns box and page of *w x *h clockwise, by quarters. */
void view_turn_box(struct box *, int32_t *w, int32_t *h, uint32_t degrees);

#endif
