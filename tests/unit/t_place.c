/*
 * Which of several words, and the box beside it; expected figures by hand.
 */
#include <string.h>

#include "rules/place.h"
#include "tests/unit/pages.h"
#include "tests/unit/test.h"

static struct match hits[6];

static struct matches
with_distances(const char *distances)
{
	struct matches m = { .v = hits, .n = strlen(distances) };

	for (size_t i = 0; i < m.n; i++)
		hits[i] = (struct match){ .distance = (uint32_t)(distances[i] - '0') };
	return m;
}

static void
test_choose(void)
{
	static const struct {
		const char *name;
		enum place_nth nth;
		uint32_t number;
		const char *distances; /* of the matches in reading order; 0: exact */
		int want;
	} cases[] = {
		{ "nothing there", NTH_FIRST, 0, "", -ERR_ANCHOR_NONE },
		{ "only: the one", NTH_ONLY, 0, "0", 0 },
		{ "only: one, misread", NTH_ONLY, 0, "1", 0 },
		{ "only: two", NTH_ONLY, 0, "00", -ERR_ANCHOR_MANY },
		{ "only: two misread", NTH_ONLY, 0, "11", -ERR_ANCHOR_MANY },
		{ "only: one exact beside misread ones: doubt", NTH_ONLY, 0, "101", -ERR_ANCHOR_MANY },
		{ "only: two exact and a misread one", NTH_ONLY, 0, "010", -ERR_ANCHOR_MANY },
		{ "first of exact ones", NTH_FIRST, 0, "00", 0 },
		{ "last of exact ones", NTH_LAST, 0, "000", 2 },
		{ "last of misread ones", NTH_LAST, 0, "12", 1 },
		{ "last, and it is exact", NTH_LAST, 0, "10", 1 },
		{ "last is misread, an exact one before it: doubt", NTH_LAST, 0, "01", -ERR_ANCHOR_MANY },
		{ "first is misread, an exact one behind it: doubt", NTH_FIRST, 0, "10", -ERR_ANCHOR_MANY },
		{ "first, and it is exact", NTH_FIRST, 0, "01", 0 },
		{ "the second", NTH_NUMBER, 2, "000", 1 },
		{ "the third of two", NTH_NUMBER, 3, "00", -ERR_ANCHOR_NONE },
		{ "the second, a misread one before it: doubt", NTH_NUMBER, 2, "0100", -ERR_ANCHOR_MANY },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct matches m = with_distances(cases[i].distances);
		struct conf_place p = { .nth = cases[i].nth, .nth_number = cases[i].number };
		int got = place_choose(&p, &m);

		CHECK(got == cases[i].want, "%s (%d)", cases[i].name, got);
	}
}

static bool
beside(const struct conf_place *p, const struct match *m, const struct page_words *page, struct box *ret)
{
	return place_beside(p, m, ret) && place_on_page(ret, page);
}

static bool
is_box(const struct box *b, int x0, int y0, int x1, int y1)
{
	return b->x0 == x0 * PT && b->y0 == y0 * PT && b->x1 == x1 * PT && b->y1 == y1 * PT;
}

static void
test_sides(void)
{
	static const struct page_words page = { .width = 600 * PT, .height = 800 * PT };
	const struct box word = { 100 * PT, 200 * PT, 160 * PT, 210 * PT };
	const struct match m = { .box = word, .head = word, .tail = word };
	struct conf_place p = { .width = 80 * PT, .height = 40 * PT };
	struct box b = { 0 };

	p.side = SIDE_RIGHT;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 160, 185, 240, 225), "right: touching, centres level");
	p.side = SIDE_LEFT;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 20, 185, 100, 225), "left");
	p.side = SIDE_ABOVE;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 100, 160, 180, 200), "above: left edges level");
	p.side = SIDE_BELOW;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 100, 210, 180, 250), "below");
	p.shift_x = 7 * PT;
	p.shift_y = -3 * PT;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 107, 207, 187, 247), "shifted to the right and up");
	p.shift_x = 421 * PT;
	CHECK(!beside(&p, &m, &page, &b), "one point over the right edge is outside");
	p.shift_x = 420 * PT;
	CHECK(beside(&p, &m, &page, &b) && b.x1 == page.width, "up to the edge is inside");
	p.shift_x = -101 * PT;
	CHECK(!beside(&p, &m, &page, &b), "over the left edge is outside");
	p.shift_x = 0;
	p.shift_y = -211 * PT;
	CHECK(!beside(&p, &m, &page, &b), "over the top edge is outside");
}

static void
test_lines(void)
{
	static const struct page_words page = { .width = 600 * PT, .height = 800 * PT };
	struct match m = { /* the end of one line, the start of the next */
		.box = { 50 * PT, 100 * PT, 500 * PT, 124 * PT },
		.head = { 450 * PT, 100 * PT, 500 * PT, 110 * PT },
		.tail = { 50 * PT, 114 * PT, 120 * PT, 124 * PT },
	};
	struct conf_place p = { .width = 80 * PT, .height = 40 * PT, .side = SIDE_BELOW };
	struct box b;

	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 50, 124, 130, 164), "below a broken phrase: below its tail");
	p.side = SIDE_ABOVE;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 450, 60, 530, 100), "above it: above its head");
	m.head = (struct box){ 50 * PT, 100 * PT, 150 * PT, 110 * PT };
	m.box = (struct box){ 50 * PT, 100 * PT, 150 * PT, 124 * PT };
	p.side = SIDE_RIGHT;
	CHECK(beside(&p, &m, &page, &b) && is_box(&b, 150, 92, 230, 132), "a label on two lines counts as a whole");
}

static void
test_align(void)
{
	static const struct page_words page = { .width = 600 * PT, .height = 800 * PT };
	const struct box word = { 100 * PT, 200 * PT, 160 * PT, 210 * PT };
	const struct match m = { .box = word, .head = word, .tail = word };
	static const struct {
		enum place_side side;
		enum place_along align;
		int x, y;
	} cases[] = {
		{ SIDE_BELOW, ALONG_START, 100, 210 }, { SIDE_BELOW, ALONG_MIDDLE, 90, 210 }, { SIDE_ABOVE, ALONG_END, 80, 160 },
		{ SIDE_RIGHT, ALONG_START, 160, 200 }, { SIDE_LEFT, ALONG_END, 20, 170 }, { SIDE_LEFT, ALONG_MIDDLE, 20, 185 },
		{ SIDE_OVER, ALONG_AUTO, 90, 185 }, { SIDE_OVER, ALONG_END, 90, 185 },
	};
	struct box b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_place p = { .width = 80 * PT, .height = 40 * PT, .side = cases[i].side, .align = cases[i].align };

		CHECK(beside(&p, &m, &page, &b) && is_box(&b, cases[i].x, cases[i].y, cases[i].x + 80, cases[i].y + 40), "side %d, along it %d",
		    (int)cases[i].side, (int)cases[i].align);
	}
}

static void
test_corners(void)
{
	static const struct page_words page = { .width = 600 * PT, .height = 800 * PT };
	struct conf_place p = { .width = 80 * PT, .height = 40 * PT, .margin_x = 10 * PT, .margin_y = 20 * PT };
	struct box b;

	CHECK(place_corner(&p, CORNER_TOP_LEFT, &page, &b) && is_box(&b, 10, 20, 90, 60), "top left");
	CHECK(place_corner(&p, CORNER_TOP_RIGHT, &page, &b) && is_box(&b, 510, 20, 590, 60), "top right");
	CHECK(place_corner(&p, CORNER_BOTTOM_LEFT, &page, &b) && is_box(&b, 10, 740, 90, 780), "bottom left");
	CHECK(place_corner(&p, CORNER_BOTTOM_RIGHT, &page, &b) && is_box(&b, 510, 740, 590, 780), "bottom right");
	p.shift_x = -5 * PT;
	p.shift_y = 7 * PT;
	CHECK(place_corner(&p, CORNER_TOP_RIGHT, &page, &b) && is_box(&b, 510, 20, 590, 60), "a corner taken instead of a phrase's side is not moved");
	p.fixed = true;
	CHECK(place_corner(&p, CORNER_TOP_RIGHT, &page, &b) && is_box(&b, 505, 27, 585, 67), "moved from its corner");
	p.shift_x = p.shift_y = 0;
	p.fixed = false;
	p.margin_x = 521 * PT;
	CHECK(!place_corner(&p, CORNER_BOTTOM_RIGHT, &page, &b), "a margin that leaves no room");
}

/* Boxes come from other processes: nothing overflows. */
static void
test_extremes(void)
{
	static const struct page_words page = { .width = INT32_MAX, .height = INT32_MAX };
	const struct box word = { INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX };
	const struct match m = { .box = word, .head = word, .tail = word };
	struct conf_place p = { .width = 80 * PT, .height = 40 * PT, .shift_x = INT32_MAX, .shift_y = INT32_MIN };
	struct box b;
	int inside = 0;

	for (int side = SIDE_RIGHT; side <= SIDE_BELOW; side++) {
		p.side = (enum place_side)side;
		inside += beside(&p, &m, &page, &b);
	}
	CHECK(inside == 0, "boxes at the ends of the number range are outside");
}

int
main(void)
{
	test_choose();
	test_sides();
	test_lines();
	test_align();
	test_corners();
	test_extremes();
	return TEST_DONE();
}
