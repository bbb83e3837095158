#include "rules/place.h"

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
	return p->nth == NTH_ONLY ? exact : -(int)ERR_ANCHOR_MANY;
}

bool
place_at(const struct conf_place *p, int64_t x, int64_t y, const struct page_words *page, struct box *ret)
{
	if (p->width <= 0 || p->height <= 0 || x < 0 || y < 0 || x > (int64_t)page->width - p->width ||
	    y > (int64_t)page->height - p->height)
		return false;
	*ret = (struct box){ (int32_t)x, (int32_t)y, (int32_t)x + p->width, (int32_t)y + p->height };
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

bool
place_beside(const struct conf_place *p, const struct match *m, const struct page_words *page, struct box *ret)
{
	struct box a = anchor_box(m, p->side);
	int64_t x = a.x0, y = ((int64_t)a.y0 + a.y1 - p->height) / 2;

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
	}
	return place_at(p, x + p->shift_x, y + p->shift_y, page, ret);
}

bool
place_corner(const struct conf_place *p, enum place_corner corner, const struct page_words *page, struct box *ret)
{
	bool right = corner == CORNER_TOP_RIGHT || corner == CORNER_BOTTOM_RIGHT;
	bool bottom = corner == CORNER_BOTTOM_LEFT || corner == CORNER_BOTTOM_RIGHT;
	int64_t x = right ? (int64_t)page->width - p->margin_x - p->width : p->margin_x;
	int64_t y = bottom ? (int64_t)page->height - p->margin_y - p->height : p->margin_y;

	return place_at(p, x, y, page, ret);
}
