#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scan/ocr.h"
#include "scan/order.h"

#define GAP 2.0         /* of a line's height: wider is no space between words */
#define GUTTER 0.8      /* of it: what must stay free between columns */
#define LINES_MIN 3     /* fewer that stand side by side are no columns */
#define LINES_MAX 1000  /* more are no page, and pairs of them are looked at */
#define PITCH_MAX 2.0   /* of the usual distance of lines: what is further away is another part */
#define FULL 0.85       /* of a column's width fills it */
#define FULL_SHARE 3    /* one line in so many does */
#define BALANCE 0.5     /* of the wider column's width */
#define RAGGED_SHARE 4  /* at most one line in so many has gaps of its own */

/* A line as the engine has it: words from 'first' to 'end' - 1. */
struct line {
	uint32_t first, end;
	double x0, x1, y0, y1;
};

struct page {
	const struct ocr_word *words;
	struct line *lines;
	size_t nlines;
	const struct order_rule *rules;
	size_t nrules;
};

/* Lines from 'from' to 'to' - 1, and what none of them crosses. */
struct run {
	size_t from, to;
	double left, right;
};

/* One side of a gutter. */
struct column {
	double x0, x1;
	size_t lines, full, ragged;
};

static double
height(const struct line *l)
{
	return l->y1 - l->y0;
}

/* --- lines ---------------------------------------------------------------------------------- */

static bool
same_line(const struct ocr_word *a, const struct ocr_word *b)
{
	return a->line == b->line && a->block == b->block;
}

static size_t
find_lines(const struct ocr_word *w, uint32_t n, struct line *lines)
{
	size_t k = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct line *l = &lines[k - (k > 0)];

		if (i == 0 || !same_line(&w[i - 1], &w[i])) {
			l = &lines[k++];
			*l = (struct line){ i, i, w[i].x0, w[i].x1, w[i].y0, w[i].y1 };
		}
		l->end = i + 1;
		l->x0 = fmin(l->x0, w[i].x0);
		l->x1 = fmax(l->x1, w[i].x1);
		l->y0 = fmin(l->y0, w[i].y0);
		l->y1 = fmax(l->y1, w[i].y1);
	}
	return k;
}

/* Is there a wide gap before word i of the line? */
static bool
gap_before(const struct ocr_word *w, const struct line *l, uint32_t i)
{
	return i > l->first && w[i].x0 - w[i - 1].x1 > GAP * height(l);
}

/* --- gutters ---------------------------------------------------------------------------------- */

/* What is left of the gutter when from x0 to x1 there is something; false: too little. */
static bool
narrow(struct run *r, double x0, double x1, double least)
{
	if (x1 <= r->left || x0 >= r->right)
		return true;
	if (x0 <= r->left && x1 < r->right)
		r->left = x1;
	else if (x1 >= r->right && x0 > r->left)
		r->right = x0;
	else
		return false;
	return r->right - r->left >= least;
}

static bool
take_line(const struct page *p, struct run *r, const struct line *l)
{
	struct run with = *r;
	uint32_t from = l->first;

	for (uint32_t i = l->first + 1; i <= l->end; i++) {
		if (i < l->end && !gap_before(p->words, l, i))
			continue;
		if (!narrow(&with, p->words[from].x0, p->words[i - 1].x1, GUTTER * height(l)))
			return false;
		from = i;
	}
	*r = with;
	return true;
}

/* Rules between the tops of two lines. */
static bool
take_rules(const struct page *p, struct run *r, const struct line *a, const struct line *b)
{
	struct run with = *r;

	for (size_t i = 0; i < p->nrules; i++)
		if (p->rules[i].y > fmin(a->y0, b->y0) && p->rules[i].y < fmax(a->y1, b->y1) &&
		    !narrow(&with, p->rules[i].x0, p->rules[i].x1, GUTTER * height(b)))
			return false;
	*r = with;
	return true;
}

static bool
is_split(const struct run *r, const struct line *l)
{
	return l->x0 < r->left && l->x1 > r->right;
}

/* From a line with a gap on: as far as nothing crosses. */
static struct run
find_run(const struct page *p, size_t from, double left, double right)
{
	struct run r = { from, from + 1, left, right };

	while (r.to < p->nlines && take_rules(p, &r, &p->lines[r.to - 1], &p->lines[r.to]) && take_line(p, &r, &p->lines[r.to]))
		r.to++;
	return r;
}

static int
by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Ends the run where the next line stands much further down than lines here do, 'v' is room for their distances. */
static void
cut_run(const struct page *p, struct run *r, double *v)
{
	size_t n = 0;
	double usual;

	for (size_t i = r->from + 1; i < r->to; i++)
		v[n++] = fabs(p->lines[i].y1 - p->lines[i - 1].y1);
	if (n == 0)
		return;
	qsort(v, n, sizeof(*v), by_size);
	usual = v[n / 2];
	for (size_t i = r->from + 1; i < r->to; i++)
		if (fabs(p->lines[i].y1 - p->lines[i - 1].y1) > PITCH_MAX * usual)
			r->to = i;
}

/* --- columns ------------------------------------------------------------------------------------ */

static bool
on_side(const struct run *r, double x0, double x1, bool right)
{
	return right ? x0 >= r->right - 1 : x1 <= r->left + 1;
}

/* Calls for each piece of text, and each rule, on one side of the gutter: its extent first, then what fills it. */
static void
look(struct column *c, double x0, double x1, bool measure)
{
	if (measure) {
		c->x0 = fmin(c->x0, x0);
		c->x1 = fmax(c->x1, x1);
	} else {
		c->full += x1 - x0 >= FULL * (c->x1 - c->x0);
	}
}

static void
look_at_lines(const struct page *p, const struct run *r, bool right, bool measure, struct column *c)
{
	for (size_t k = r->from; k < r->to; k++) {
		const struct line *l = &p->lines[k];
		unsigned pieces = 0;

		for (uint32_t i = l->first + 1, from = l->first; i <= l->end; i++) {
			if (i < l->end && !gap_before(p->words, l, i))
				continue;
			if (on_side(r, p->words[from].x0, p->words[i - 1].x1, right)) {
				look(c, p->words[from].x0, p->words[i - 1].x1, measure);
				pieces++;
			}
			from = i;
		}
		c->lines += measure && pieces > 0;
		c->ragged += measure && pieces > 1;
	}
}

static void
look_at_rules(const struct page *p, const struct run *r, bool right, bool measure, struct column *c)
{
	const struct line *first = &p->lines[r->from], *last = &p->lines[r->to - 1];

	for (size_t i = 0; i < p->nrules; i++)
		if (p->rules[i].y > first->y0 && p->rules[i].y < last->y1 + height(last) &&
		    on_side(r, p->rules[i].x0, p->rules[i].x1, right))
			look(c, p->rules[i].x0, p->rules[i].x1, measure);
}

static struct column
find_column(const struct page *p, const struct run *r, bool right)
{
	struct column c = { .x0 = INFINITY, .x1 = -INFINITY };

	for (int measure = 1; measure >= 0; measure--) {
		look_at_lines(p, r, right, measure != 0, &c);
		look_at_rules(p, r, right, measure != 0, &c);
	}
	return c;
}

static bool
is_column(const struct column *c, bool full)
{
	return c->lines >= LINES_MIN && c->ragged * RAGGED_SHARE <= c->lines &&
	    (!full || (c->full >= LINES_MIN && c->full * FULL_SHARE >= c->lines));
}

/* Without 'full': perhaps, once rules are known. */
static bool
are_columns(const struct page *p, const struct run *r, bool full)
{
	size_t split = 0;
	struct column a, b;

	for (size_t i = r->from; i < r->to; i++)
		split += is_split(r, &p->lines[i]);
	if (split < LINES_MIN)
		return false;
	a = find_column(p, r, false);
	b = find_column(p, r, true);
	return is_column(&a, full) && is_column(&b, full) &&
	    (!full || fmin(a.x1 - a.x0, b.x1 - b.x0) >= BALANCE * fmax(a.x1 - a.x0, b.x1 - b.x0));
}

/* --- another order --------------------------------------------------------------------------------- */

struct counts {
	uint32_t line, block;
};

/* What belongs together stays so: 'line' and 'block' change where they did, and where 'fresh' says so. */
static void
put(struct ocr_word *to, const struct ocr_word *w, const struct ocr_word *before, bool fresh, struct counts *c)
{
	c->block += before == NULL || fresh || before->block != w->block;
	c->line += before == NULL || fresh || !same_line(before, w);
	*to = *w;
	to->line = c->line - 1;
	to->block = c->block - 1;
}

static uint32_t
put_side(const struct page *p, const struct run *r, bool right, struct ocr_word *to, struct counts *c)
{
	const struct ocr_word *before = NULL;
	uint32_t n = 0;

	for (uint32_t i = p->lines[r->from].first; i < p->lines[r->to - 1].end; i++) {
		const struct ocr_word *w = &p->words[i];

		if (right != (w->x0 >= r->right - 1))
			continue;
		put(&to[n++], w, before, false, c);
		before = w;
	}
	return n;
}

/* A run from line i on that is two columns. */
static bool
find_columns(const struct page *p, size_t i, double *room, bool full, struct run *ret)
{
	const struct line *l = &p->lines[i];

	for (uint32_t k = l->first + 1; k < l->end; k++) {
		if (!gap_before(p->words, l, k))
			continue;
		*ret = find_run(p, i, p->words[k - 1].x1, p->words[k].x0);
		cut_run(p, ret, room);
		if (are_columns(p, ret, full))
			return true;
	}
	return false;
}

static void
reorder(const struct page *p, struct ocr_word *to, double *room)
{
	struct counts c = { 0 };
	uint32_t n = 0;
	bool fresh = false;

	for (size_t i = 0; i < p->nlines;) {
		struct run r;

		if (find_columns(p, i, room, true, &r)) {
			n += put_side(p, &r, false, to + n, &c);
			n += put_side(p, &r, true, to + n, &c);
			i = r.to;
			fresh = true;
			continue;
		}
		for (uint32_t k = p->lines[i].first; k < p->lines[i].end; k++) {
			put(&to[n++], &p->words[k], k > 0 ? &p->words[k - 1] : NULL, fresh, &c);
			fresh = false;
		}
		i++;
	}
}

struct room {
	struct line *lines;
	struct ocr_word *to;
	double *distances;
};

static bool
room_open(struct room *r, uint32_t n)
{
	r->lines = calloc(n + 1, sizeof(*r->lines));
	r->to = calloc(n + 1, sizeof(*r->to));
	r->distances = calloc(n + 1, sizeof(*r->distances));
	return r->lines != NULL && r->to != NULL && r->distances != NULL;
}

static void
room_close(struct room *r)
{
	free(r->lines);
	free(r->to);
	free(r->distances);
}

bool
order_wanted(const struct ocr_word *w, uint32_t n)
{
	struct room room = { 0 };
	struct page p = { .words = w };
	bool wanted = false;
	struct run r;

	if (room_open(&room, n)) {
		p.lines = room.lines;
		p.nlines = find_lines(w, n, room.lines);
		for (size_t i = 0; i < p.nlines && p.nlines <= LINES_MAX && !wanted; i++)
			wanted = find_columns(&p, i, room.distances, false, &r);
	}
	room_close(&room);
	return wanted;
}

bool
order_columns(struct ocr_word *w, uint32_t n, const struct order_rule *rules, size_t nrules)
{
	struct room room = { 0 };
	struct page p = { .words = w, .rules = rules, .nrules = nrules };
	bool ok = room_open(&room, n);

	if (ok) {
		p.lines = room.lines;
		p.nlines = find_lines(w, n, room.lines);
	}
	if (ok && p.nlines <= LINES_MAX && nrules <= LINES_MAX) {
		reorder(&p, room.to, room.distances);
		memcpy(w, room.to, n * sizeof(*w));
	}
	room_close(&room);
	return ok;
}
