/*
 * Maps of ink: what a box touches, and the free place nearest to it.  Places are
 * compared with those that trying every one of them finds.
 */
#include <stdlib.h>
#include <string.h>

#include "rules/ink.h"
#include "tests/unit/test.h"

#define SQ INK_SQUARE
#define SHEET_W 595276
#define SHEET_H 841890

static struct err e;

static void
test_marks(void)
{
	struct ink i;
	struct box b = { 10 * SQ, 20 * SQ, 11 * SQ + 1, 21 * SQ };
	const struct box left = { 5 * SQ, 20 * SQ, 10 * SQ, 30 * SQ }, right = { 11 * SQ + 2, 20 * SQ, 20 * SQ, 21 * SQ };

	CHECK(ink_init(&i, SHEET_W, SHEET_H, &e) == 0 && i.w == 827 && i.h == 1170, "an A4 page has 827 x 1170 squares");
	CHECK(!ink_under(&i, &(struct box){ 0, 0, SHEET_W, SHEET_H }), "it is empty at first");
	ink_mark(&i, &b);
	CHECK(ink_under(&i, &b), "what was marked is ink");
	CHECK(!ink_under(&i, &left), "a box that ends where it begins is free");
	CHECK(ink_under(&i, &right), "a square that ink only touches is ink");
	CHECK(!ink_under(&i, &(struct box){ 12 * SQ, 0, 99 * SQ, 99 * SQ }), "the next one is not");
	ink_mark(&i, &(struct box){ INT32_MIN, INT32_MIN, INT32_MAX, 1 });
	ink_mark(&i, &(struct box){ SHEET_W, 0, INT32_MAX, INT32_MAX });
	CHECK(ink_under(&i, &(struct box){ 0, 0, 1, 1 }) && !ink_under(&i, &(struct box){ 0, SQ, SHEET_W - SQ, 19 * SQ }),
	    "marks beyond the page are cut to it");
	ink_done(&i);
}

static void
test_sizes(void)
{
	struct ink i;

	CHECK(!ink_shape(&i, 0, 5) && !ink_shape(&i, 5, -1), "a page without a size has no map");
	CHECK(ink_shape(&i, 1, 1) && i.w == 1 && i.h == 1, "the smallest page has one square");
	CHECK(ink_shape(&i, 2383937, 3370394) && i.square == SQ, "A0 has 100 squares an inch, too");
	CHECK(ink_shape(&i, 14400000, 14400000) && i.square > SQ && ink_bytes(&i) <= INK_BYTES_MAX,
	    "the largest page has fewer: %zu bytes", ink_bytes(&i));
	CHECK(ink_shape(&i, INT32_MAX, INT32_MAX) && ink_bytes(&i) <= INK_BYTES_MAX, "and no number is too large");
}

/* The least squared steps to a free place on the page, or -1. */
static int64_t
by_trying(const struct ink *i, const struct box *b, int64_t n)
{
	int64_t best = -1;

	for (int64_t dy = -n; dy <= n; dy++)
		for (int64_t dx = -n; dx <= n; dx++) {
			struct box at = { (int32_t)(b->x0 + dx * SQ), (int32_t)(b->y0 + dy * SQ), (int32_t)(b->x1 + dx * SQ),
				(int32_t)(b->y1 + dy * SQ) };

			if (at.x0 < 0 || at.y0 < 0 || at.x1 > i->page_w || at.y1 > i->page_h || dx * dx + dy * dy > n * n ||
			    ink_under(i, &at))
				continue;
			if (best < 0 || dx * dx + dy * dy < best)
				best = dx * dx + dy * dy;
		}
	return best;
}

static void
test_nearest(void)
{
	unsigned seed = 7;
	int same = 0, none = 0;

	for (int round = 0; round < 300; round++) {
		struct ink i;
		int w = 30 + rand_r(&seed) % 60, h = 30 + rand_r(&seed) % 60;
		struct box b = { rand_r(&seed) % (w * SQ) - 9 * SQ, rand_r(&seed) % (h * SQ) - 9 * SQ, 0, 0 }, got = b;
		int n = rand_r(&seed) % 25, r;
		int64_t want, dx, dy;

		b.x1 = b.x0 + 1 + rand_r(&seed) % (20 * SQ);
		b.y1 = b.y0 + 1 + rand_r(&seed) % (15 * SQ);
		if (ink_init(&i, w * SQ - rand_r(&seed) % SQ, h * SQ - rand_r(&seed) % SQ, &e) < 0)
			abort();
		for (int k = rand_r(&seed) % 25; k > 0; k--) {
			int x = rand_r(&seed) % (w * SQ), y = rand_r(&seed) % (h * SQ);

			ink_mark(&i, &(struct box){ x, y, x + 1 + rand_r(&seed) % (5 * SQ), y + 1 + rand_r(&seed) % SQ });
		}
		r = ink_nearest(&i, &b, n * SQ + SQ / 2, &got, &e);
		want = by_trying(&i, &b, n);
		dx = (got.x0 - b.x0) / SQ;
		dy = (got.y0 - b.y0) / SQ;
		none += want < 0;
		same += want < 0 ? r == -ERR_PLACE_INK
		                 : r == 0 && dx * dx + dy * dy == want && (got.x0 - b.x0) % SQ == 0 && (got.y0 - b.y0) % SQ == 0 &&
		        got.x1 - got.x0 == b.x1 - b.x0 && got.y1 - got.y0 == b.y1 - b.y0 && !ink_under(&i, &got) && got.x0 >= 0 &&
		        got.y0 >= 0 && got.x1 <= i.page_w && got.y1 <= i.page_h;
		ink_done(&i);
	}
	CHECK(same == 300 && none > 20 && none < 280, "the nearest free place is found, or said not to be there (%d, %d without)",
	    same, none);
}

/* Whatever numbers come: an answer, in bounded memory. */
static void
test_extremes(void)
{
	const int32_t odd[] = { INT32_MIN, -1, 0, 1, SQ, SHEET_W, 14400000, INT32_MAX - 1 };
	const int n = sizeof(odd) / sizeof(odd[0]);
	struct ink i;
	int wrong = 0;

	if (ink_init(&i, SHEET_W, SHEET_H, &e) < 0)
		abort();
	for (int k = 0; k < n * n * n; k++) {
		struct box b = { odd[k % n], odd[k / n % n], INT32_MAX, INT32_MAX }, got;
		int r = ink_nearest(&i, &b, odd[k / n / n % n] < 0 ? 0 : odd[k / n / n % n], &got, &e);

		wrong += r != -ERR_PLACE_INK && r != 0;
		ink_under(&i, &b);
	}
	CHECK(wrong == 0, "boxes of any size and place");
	ink_done(&i);
}

int
main(void)
{
	test_marks();
	test_sizes();
	test_nearest();
	test_extremes();
	return TEST_DONE();
}
