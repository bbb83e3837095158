#include <stdlib.h>
#include <string.h>

#include "rules/ink.h"

static uint32_t
squares(int32_t length, int32_t square)
{
	return (uint32_t)(((int64_t)length + square - 1) / square);
}

bool
ink_shape(struct ink *i, int32_t page_w, int32_t page_h)
{
	*i = (struct ink){ .page_w = page_w, .page_h = page_h, .square = INK_SQUARE };
	if (page_w <= 0 || page_h <= 0)
		return false;
	for (;; i->square += INK_SQUARE / 4) {
		i->w = squares(page_w, i->square);
		i->h = squares(page_h, i->square);
		i->stride = (i->w + 7) / 8;
		if (i->stride <= INK_BYTES_MAX / i->h)
			return true;
	}
}

int
ink_init(struct ink *i, int32_t page_w, int32_t page_h, struct err *e)
{
	struct ink made;

	if (!ink_shape(&made, page_w, page_h))
		return err_set(e, ERR_DOC_BAD, "a page without a size");
	if ((made.bits = calloc(made.h, made.stride)) == NULL)
		return err_set(e, ERR_MEM, "ink of a page");
	*i = made;
	return 0;
}

void
ink_done(struct ink *i)
{
	free(i->bits);
	*i = (struct ink){ 0 };
}

/* Squares that a box touches, cut to the page; empty when from >= to. */
struct span {
	int64_t x0, y0, x1, y1;
};

/* Rounds down, for negative lengths too. */
static int64_t
square_of(const struct ink *i, int64_t at)
{
	return (at >= 0 ? at : at - i->square + 1) / i->square;
}

static struct span
span_of(const struct ink *i, const struct box *b)
{
	return (struct span){ square_of(i, b->x0), square_of(i, b->y0), square_of(i, (int64_t)b->x1 - 1) + 1,
		square_of(i, (int64_t)b->y1 - 1) + 1 };
}

static struct span
clipped(const struct ink *i, struct span s)
{
	s.x0 = s.x0 < 0 ? 0 : s.x0;
	s.y0 = s.y0 < 0 ? 0 : s.y0;
	s.x1 = s.x1 > i->w ? i->w : s.x1;
	s.y1 = s.y1 > i->h ? i->h : s.y1;
	return s;
}

static inline unsigned
bit(const struct ink *i, int64_t x, int64_t y)
{
	return i->bits[(size_t)y * i->stride + (size_t)x / 8] >> (7 - x % 8) & 1;
}

void
ink_mark(struct ink *i, const struct box *b)
{
	struct span s = clipped(i, span_of(i, b));

	for (int64_t y = s.y0; y < s.y1; y++)
		for (int64_t x = s.x0; x < s.x1; x++)
			i->bits[(size_t)y * i->stride + (size_t)x / 8] |= (uint8_t)(0x80 >> x % 8);
}

bool
ink_under(const struct ink *i, const struct box *b)
{
	struct span s = clipped(i, span_of(i, b));

	for (int64_t y = s.y0; y < s.y1; y++)
		for (int64_t x = s.x0; x < s.x1; x++)
			if (bit(i, x, y))
				return true;
	return false;
}

/* --- the nearest free place ------------------------------------------------------------------ */

/*
 * Steps of one square that a box may be moved by: at most 'reach', and not off
 * the page.  A box that moves by whole squares touches as many as before.
 */
struct search {
	const struct ink *ink;
	struct span at;              /* of the box where it is */
	int64_t left, right, up, down; /* steps; left and up are negative or nought */
	uint64_t best;               /* squared steps */
	int64_t dx, dy;
	uint16_t *column;            /* ink in the rows of the box, for each column in reach */
};

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Steps that bring lo..hi into 0..end, within the reach. */
static bool
steps(int64_t lo, int64_t hi, int64_t end, int64_t square, int64_t reach, int64_t *from, int64_t *to)
{
	int64_t back = lo >= 0 ? lo / square : -((-lo + square - 1) / square);
	int64_t forth = hi <= end ? (end - hi) / square : -((hi - end + square - 1) / square);

	*from = most(-back, -reach);
	*to = least(forth, reach);
	return *from <= *to;
}

/* A row comes into the columns' sums, or leaves them. */
static void
row_count(struct search *s, int64_t y, int sign)
{
	int64_t x0 = s->at.x0 + s->left, x1 = s->at.x1 + s->right;

	for (int64_t x = x0; x < x1; x++)
		s->column[x - x0] = (uint16_t)(s->column[x - x0] + sign * (int)bit(s->ink, x, y));
}

/* All steps to the side at one height. */
static void
row_search(struct search *s, int64_t dy)
{
	const int64_t width = s->at.x1 - s->at.x0;
	uint64_t sum = 0;

	for (int64_t x = 0; x < width - 1; x++)
		sum += s->column[x];
	for (int64_t dx = s->left; dx <= s->right; dx++) {
		uint64_t d = (uint64_t)(dx * dx + dy * dy);

		sum += s->column[dx - s->left + width - 1];
		if (sum == 0 && d < s->best) {
			s->best = d;
			s->dx = dx;
			s->dy = dy;
		}
		sum -= s->column[dx - s->left];
	}
}

static void
search(struct search *s)
{
	for (int64_t y = s->at.y0 + s->up; y < s->at.y1 + s->up - 1; y++)
		row_count(s, y, 1);
	for (int64_t dy = s->up; dy <= s->down; dy++) {
		row_count(s, s->at.y1 + dy - 1, 1);
		row_search(s, dy);
		row_count(s, s->at.y0 + dy, -1);
	}
}

int
ink_nearest(const struct ink *i, const struct box *b, int32_t reach, struct box *ret, struct err *e)
{
	struct search s = { .ink = i, .at = span_of(i, b) };
	int64_t n = reach / i->square, mx, my;

	s.best = (uint64_t)(n * n) + 1;
	if (!steps(b->x0, b->x1, i->page_w, i->square, n, &s.left, &s.right) ||
	    !steps(b->y0, b->y1, i->page_h, i->square, n, &s.up, &s.down))
		return err_set(e, ERR_PLACE_INK, "no place of that size on the page is near enough");
	s.column = calloc((size_t)(s.at.x1 - s.at.x0 + s.right - s.left), sizeof(*s.column));
	if (s.column == NULL)
		return err_set(e, ERR_MEM, "free places of a page");
	search(&s);
	free(s.column);
	if (s.best > (uint64_t)(n * n))
		return err_set(e, ERR_PLACE_INK, "no place of that size without writing is near enough");
	mx = s.dx * i->square;
	my = s.dy * i->square;
	*ret = (struct box){ (int32_t)(b->x0 + mx), (int32_t)(b->y0 + my), (int32_t)(b->x1 + mx), (int32_t)(b->y1 + my) };
	return 0;
}
