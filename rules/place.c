#include "rules/place.h"

#define FAR 100000000 /* mpt */

/* The nth among those with a distance of at most 'worst'; same results as place_choose(). */
static int
nth_of(const struct conf_place *p, const struct matches *m, uint32_t worst)
{
	size_t seen = 0, first = 0, last = 0, number = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i].distance > worst)
			continue;
		if (seen++ == 0)
			first = i;
		last = i;
		if (seen == p->nth_number)
			number = i;
	}
	switch (p->nth) {
	case NTH_FIRST:
		return seen > 0 ? (int)first : -(int)ERR_ANCHOR_NONE;
	case NTH_LAST:
		return seen > 0 ? (int)last : -(int)ERR_ANCHOR_NONE;
	case NTH_NUMBER:
		return seen >= p->nth_number ? (int)number : -(int)ERR_ANCHOR_NONE;
	case NTH_ONLY:
		break;
	}
	return seen == 1 ? (int)first : seen == 0 ? -(int)ERR_ANCHOR_NONE : -(int)ERR_ANCHOR_MANY;
}

int
place_choose(const struct conf_place *p, const struct matches *m)
{
	int all = nth_of(p, m, UINT32_MAX), exact = nth_of(p, m, 0);
	bool some_exact = false;

	if (m->cut)
		return -(int)ERR_ANCHOR_MANY;
	for (size_t i = 0; i < m->n; i++)
		some_exact |= m->v[i].distance == 0;
	if (!some_exact || exact == all)
		return all;
	return -(int)ERR_ANCHOR_MANY;
}

bool
place_on_page(const struct box *b, const struct page_words *page)
{
	return b->x0 >= 0 && b->y0 >= 0 && b->x1 <= page->width && b->y1 <= page->height;
}

/* false: no size, or further away than any page is wide. */
static bool
box_at(const struct conf_place *p, int64_t x, int64_t y, struct box *ret)
{
	if (p->width <= 0 || p->height <= 0 || x < -FAR || y < -FAR || x > FAR || y > FAR)
		return false;
	*ret = (struct box){ (int32_t)x, (int32_t)y, (int32_t)x + p->width, (int32_t)y + p->height };
	return true;
}

bool
place_at(const struct conf_place *p, int64_t x, int64_t y, const struct page_words *page, struct box *ret)
{
	struct box b;

	if (!box_at(p, x, y, &b) || !place_on_page(&b, page))
		return false;
	*ret = b;
	return true;
}

/*
 * A phrase that breaks in running text has its head at the end of one line and
 * its tail at the start of the next: then the part on the seal's side counts.
 * A label of several short lines counts as a whole.
 */
static struct box
anchor_box(const struct match *m, enum place_side side)
{
	if (m->head.x0 < m->tail.x1 && m->tail.x0 < m->head.x1)
		return m->box;
	return side == SIDE_RIGHT || side == SIDE_BELOW ? m->tail : m->head;
}

/* One axis along the side: lo..hi is the phrase. */
static int64_t
along(enum place_along align, enum place_along automatic, int32_t lo, int32_t hi, int32_t size)
{
	switch (align == ALONG_AUTO ? automatic : align) {
	case ALONG_START:
		return lo;
	case ALONG_END:
		return (int64_t)hi - size;
	default:
		return ((int64_t)lo + hi - size) / 2;
	}
}

bool
place_beside(const struct conf_place *p, const struct match *m, struct box *ret)
{
	struct box a = anchor_box(m, p->side);
	int64_t x = along(p->align, ALONG_START, a.x0, a.x1, p->width), y = along(p->align, ALONG_MIDDLE, a.y0, a.y1, p->height);

	switch (p->side) {
	case SIDE_RIGHT:
		x = a.x1;
		break;
	case SIDE_LEFT:
		x = (int64_t)a.x0 - p->width;
		break;
	case SIDE_ABOVE:
		y = (int64_t)a.y0 - p->height;
		break;
	case SIDE_BELOW:
		y = a.y1;
		break;
	case SIDE_OVER:
		x = along(ALONG_MIDDLE, ALONG_MIDDLE, a.x0, a.x1, p->width);
		y = along(ALONG_MIDDLE, ALONG_MIDDLE, a.y0, a.y1, p->height);
		break;
	}
	return box_at(p, x + p->shift_x, y + p->shift_y, ret);
}

bool
place_corner(const struct conf_place *p, enum place_corner corner, const struct page_words *page, struct box *ret)
{
	bool right = corner == CORNER_TOP_RIGHT || corner == CORNER_BOTTOM_RIGHT;
	bool bottom = corner == CORNER_BOTTOM_LEFT || corner == CORNER_BOTTOM_RIGHT;
	int64_t x = right ? (int64_t)page->width - p->margin_x - p->width : p->margin_x;
	int64_t y = bottom ? (int64_t)page->height - p->margin_y - p->height : p->margin_y;

	/* beside words shift is from there: a corner taken instead is the corner */
	return place_at(p, x + (p->fixed ? p->shift_x : 0), y + (p->fixed ? p->shift_y : 0), page, ret);
}
