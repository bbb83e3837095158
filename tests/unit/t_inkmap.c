/*
 * What of a page counts as ink: drawn here, and what must come out is known
 * from the drawing.
 */
#include <leptonica/allheaders.h>
#include <math.h>
#include <stdlib.h>

#include "scan/inkmap.h"
#include "tests/unit/test.h"

#define DPI 200
#define SIDE 800 /* pixels: 4 inch */
#define MPT(px) ((int32_t)((px) * 72000LL / DPI))

static struct err e;

static PIX *
paper(int grey)
{
	PIX *p = pixCreate(SIDE, SIDE, 8);

	pixSetAllArbitrary(p, (l_uint32)grey);
	return p;
}

static void
draw(PIX *p, int x, int y, int w, int h, int grey)
{
	for (int j = y; j < y + h; j++)
		for (int i = x; i < x + w; i++)
			pixSetPixel(p, i, j, (l_uint32)grey);
}

/* The map of a page of 4 x 4 inch with this picture on it; the picture is taken over. */
static struct ink
map_of(PIX *p, uint32_t turn)
{
	struct ink ink = { 0 };
	PIX *found = inkmap_find(p, DPI, DPI, &e);

	pixDestroy(&p);
	if (found == NULL || inkmap_make(found, turn, &(struct box){ 0, 0, MPT(SIDE), MPT(SIDE) }, MPT(SIDE), MPT(SIDE), &ink, &e) < 0)
		abort();
	return ink;
}

static bool
under(const struct ink *ink, int x, int y, int w, int h)
{
	return ink_under(ink, &(struct box){ MPT(x), MPT(y), MPT(x + w), MPT(y + h) });
}

/* A stroke is found whole, and nothing but it: free from a third of a millimetre on. */
static void
test_strokes(void)
{
	static const struct {
		const char *name;
		int paper, ink;
	} cases[] = { { "black on white", 255, 0 }, { "grey pencil", 255, 150 }, { "on grey paper", 200, 60 }, { "pale on grey", 190, 130 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		PIX *p = paper(cases[i].paper);
		struct ink ink;

		draw(p, 300, 400, 200, 4, cases[i].ink);
		ink = map_of(p, 0);
		CHECK(under(&ink, 300, 400, 5, 4) && under(&ink, 495, 400, 5, 4) && under(&ink, 400, 403, 1, 1), "%s is ink", cases[i].name);
		CHECK(!under(&ink, 0, 0, SIDE, 397) && !under(&ink, 0, 408, SIDE, SIDE - 408) && !under(&ink, 0, 0, 297, SIDE) &&
		    !under(&ink, 504, 0, SIDE - 504, SIDE), "%s: the paper round it is not", cases[i].name);
		ink_done(&ink);
	}
}

static void
test_shades(void)
{
	PIX *p = paper(255);
	struct ink ink;

	draw(p, 100, 100, 300, 300, 215);
	draw(p, 500, 500, 200, 200, 40);
	draw(p, 200, 200, 100, 5, 90);
	ink = map_of(p, 0);
	CHECK(!under(&ink, 110, 110, 280, 80) && under(&ink, 210, 201, 50, 2), "a shaded field is paper, what is written in it is ink");
	CHECK(under(&ink, 510, 510, 2, 2) && under(&ink, 600, 600, 2, 2), "a dark field is ink all over");
	ink_done(&ink);
}

static void
test_dust(void)
{
	PIX *p = paper(255);
	struct ink ink;

	for (int k = 0; k < 12; k++)
		draw(p, 60 + 55 * k, 100 + 37 * (k % 3), 2, 2, 0);
	for (int k = 0; k < 12; k++)
		draw(p, 200 + 7 * k, 600, 2, 2, 0);
	draw(p, 500, 600, 6, 20, 0);
	draw(p, 501, 592, 3, 3, 0);
	draw(p, 100, 450, 2, 1, 0); /* two specks */
	draw(p, 103, 452, 1, 2, 0);
	draw(p, 300, 450, 3, 3, 0); /* a colon */
	draw(p, 300, 457, 3, 3, 0);
	draw(p, 450, 450, 5, 5, 0); /* a full stop */
	ink = map_of(p, 0);
	CHECK(!under(&ink, 90, 440, 30, 30), "two that are near each other are dust, too");
	CHECK(under(&ink, 300, 450, 3, 3) && under(&ink, 300, 457, 3, 3) && under(&ink, 450, 450, 5, 5), "a colon and a full stop are none");
	CHECK(!under(&ink, 0, 0, SIDE, 400), "specks with nothing near are dust");
	CHECK(under(&ink, 200, 600, 2, 2) && under(&ink, 270, 600, 2, 2), "a dotted line is none");
	CHECK(under(&ink, 501, 592, 3, 3), "nor is the dot of an i");
	ink_done(&ink);
}

static void
test_noise(void)
{
	PIX *p = paper(225);
	struct ink ink;
	unsigned seed = 5;

	for (int y = 0; y < SIDE; y++)
		for (int x = 0; x < SIDE; x++)
			pixSetPixel(p, x, y, (l_uint32)(225 - 20 + rand_r(&seed) % 11 + rand_r(&seed) % 11 + rand_r(&seed) % 11 + rand_r(&seed) % 11));
	draw(p, 300, 400, 200, 4, 90);
	ink = map_of(p, 0);
	CHECK(under(&ink, 300, 400, 5, 4) && !under(&ink, 0, 0, SIDE, 390) && !under(&ink, 0, 415, SIDE, SIDE - 415),
	    "grain is paper, and what is written on it ink");
	ink_done(&ink);
}

/* As the reader sees it: in black and white, turned, and only a part of the page. */
static void
test_places(void)
{
	PIX *p = pixCreate(SIDE, SIDE, 1), *found;
	struct ink ink;

	for (int y = 100; y < 110; y++)
		for (int x = 600; x < 700; x++)
			pixSetPixel(p, x, y, 1);
	found = pixClone(p);
	ink = map_of(found, 90);
	CHECK(under(&ink, 690, 600, 10, 100) && !under(&ink, 0, 0, 680, SIDE), "a page turned to the right");
	ink_done(&ink);
	found = inkmap_find(p, DPI, DPI, &e);
	if (inkmap_make(found, 0, &(struct box){ -72000, 36000, 72000, 180000 }, 100000, 200000, &ink, &e) < 0)
		abort();
	CHECK(ink_under(&ink, &(struct box){ 36000, 54100, 37000, 55000 }) && !ink_under(&ink, &(struct box){ 0, 0, 100000, 53000 }) &&
	    !ink_under(&ink, &(struct box){ 56000, 0, 100000, 200000 }), "a picture that stands half beside its page");
	ink_done(&ink);
	pixDestroy(&p);
}

int
main(void)
{
	test_strokes();
	test_shades();
	test_dust();
	test_noise();
	test_places();
	return TEST_DONE();
}
