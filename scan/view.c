#include "scan/view.h"

/*
 * What the reader's "right" and "up" are in user space, for each /Rotate.  A page
 * turned clockwise by 90 degrees shows user space's up as right, and its left as up.
 */
static const struct {
	int right_x, right_y, up_x, up_y;
} turns[4] = {
	{ 1, 0, 0, 1 },
	{ 0, 1, -1, 0 },
	{ -1, 0, 0, -1 },
	{ 0, -1, 1, 0 },
};

static unsigned
quarter(const struct view *v)
{
	return v->rotate / 90 % 4;
}

void
view_turn(const struct view *v, int turn[4])
{
	unsigned q = quarter(v);

	turn[0] = turns[q].right_x;
	turn[1] = turns[q].right_y;
	turn[2] = turns[q].up_x;
	turn[3] = turns[q].up_y;
}

void
view_corner(const struct view *v, int64_t *x, int64_t *y)
{
	unsigned q = quarter(v);

	/* the side that neither "right" nor "up" leads to */
	*x = turns[q].right_x + turns[q].up_x > 0 ? v->x0 : v->x1;
	*y = turns[q].right_y + turns[q].up_y > 0 ? v->y0 : v->y1;
}

void
view_size(const struct view *v, int64_t *w, int64_t *h)
{
	int64_t across = (v->x1 - v->x0) * v->unit / 1000, along = (v->y1 - v->y0) * v->unit / 1000;

	*w = quarter(v) % 2 == 0 ? across : along;
	*h = quarter(v) % 2 == 0 ? along : across;
}

static void
point_to_user(const struct view *v, int64_t x, int64_t y, int64_t *ux, int64_t *uy)
{
	unsigned q = quarter(v);
	int64_t w, h, cx, cy, right, up;

	view_size(v, &w, &h);
	view_corner(v, &cx, &cy);
	right = x * 1000 / v->unit;
	up = (h - y) * 1000 / v->unit;
	*ux = cx + right * turns[q].right_x + up * turns[q].up_x;
	*uy = cy + right * turns[q].right_y + up * turns[q].up_y;
}

struct user_box
view_to_user(const struct view *v, const struct box *b)
{
	int64_t x0, y0, x1, y1;

	point_to_user(v, b->x0, b->y0, &x0, &y0);
	point_to_user(v, b->x1, b->y1, &x1, &y1);
	return (struct user_box){
		.x0 = x0 < x1 ? x0 : x1,
		.y0 = y0 < y1 ? y0 : y1,
		.x1 = x0 < x1 ? x1 : x0,
		.y1 = y0 < y1 ? y1 : y0,
	};
}

static void
point_from_user(const struct view *v, int64_t ux, int64_t uy, int64_t *x, int64_t *y)
{
	unsigned q = quarter(v);
	int64_t w, h, cx, cy;

	view_size(v, &w, &h);
	view_corner(v, &cx, &cy);
	*x = ((ux - cx) * turns[q].right_x + (uy - cy) * turns[q].right_y) * v->unit / 1000;
	*y = h - ((ux - cx) * turns[q].up_x + (uy - cy) * turns[q].up_y) * v->unit / 1000;
}

struct box
view_from_user(const struct view *v, const struct user_box *u)
{
	int64_t x0, y0, x1, y1;

	point_from_user(v, u->x0, u->y0, &x0, &y0);
	point_from_user(v, u->x1, u->y1, &x1, &y1);
	return (struct box){
		.x0 = (int32_t)(x0 < x1 ? x0 : x1),
		.y0 = (int32_t)(y0 < y1 ? y0 : y1),
		.x1 = (int32_t)(x0 < x1 ? x1 : x0),
		.y1 = (int32_t)(y0 < y1 ? y1 : y0),
	};
}

void
view_turn_box(struct box *b, int32_t *w, int32_t *h, uint32_t degrees)
{
	for (uint32_t d = 0; d < degrees % 360; d += 90) {
		struct box o = *b;
		int32_t old_h = *h;

		*b = (struct box){ old_h - o.y1, o.x0, old_h - o.y0, o.x1 };
		*h = *w;
		*w = old_h;
	}
}
