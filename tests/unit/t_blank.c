/*
 * What is blank: pages drawn here with what paper, glass and lid leave behind,
 * and the same pages with one small thing on them that somebody meant.
 */
#include <leptonica/allheaders.h>
#include <stdlib.h>

#include "scan/prepare.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

#define DPI 300
#define W 2480
#define H 3508
#define PAPER 235

static double
mm(double v)
{
	return v * DPI / 25.4;
}

static void
ink(PIX *p, double x, double y, double w, double h, unsigned grey)
{
	BOX *box = boxCreate((l_int32)mm(x), (l_int32)mm(y), (l_int32)mm(w), (l_int32)mm(h));

	pixSetInRectArbitrary(p, box, grey);
	boxDestroy(&box);
}

static void
disc(PIX *p, double cx, double cy, double d, unsigned grey)
{
	for (int y = (int)mm(cy - d / 2); y < (int)mm(cy + d / 2); y++)
		for (int x = (int)mm(cx - d / 2); x < (int)mm(cx + d / 2); x++)
			if ((x - mm(cx)) * (x - mm(cx)) + (y - mm(cy)) * (y - mm(cy)) < mm(d / 2) * mm(d / 2))
				pixSetPixel(p, x, y, grey);
}

/* Grain of paper and sensor; light that falls off to one side. */
static PIX *
paper(void)
{
	PIX *p = pixCreate(W, H, 8);
	uint32_t seed = 1;

	for (l_int32 y = 0; y < H; y++)
		for (l_int32 x = 0; x < W; x++) {
			seed = seed * 1664525 + 1013904223;
			pixSetPixel(p, x, y, PAPER - 25u * (l_uint32)x / W + (seed >> 29));
		}
	return p;
}

static void
specks(PIX *p, int n, double side)
{
	srand(7);
	for (int i = 0; i < n; i++)
		ink(p, 5 + rand() % 200, 5 + rand() % 280, side, side, 40);
}

/* The letter of the other side, mirrored, of so much of its contrast. */
static void
shine_through(PIX *p, double share)
{
	AUTO_FD fd = scans_open("en-letter.tif");
	FILE *f = fdopen(dup(fd), "rb");
	PIX *letter = f == NULL ? NULL : pixReadStream(f, 0), *sized = letter == NULL ? NULL : pixScaleToSize(letter, W, H);

	if (sized == NULL)
		exit(99);
	pixFlipLR(sized, sized);
	for (l_int32 y = 0; y < H; y++)
		for (l_int32 x = 0; x < W; x++) {
			l_uint32 v, back;

			pixGetPixel(p, x, y, &v);
			pixGetPixel(sized, x, y, &back);
			pixSetPixel(p, x, y, (l_uint32)(v * (1 - share * (255 - back) / 255)));
		}
	pixDestroy(&sized);
	pixDestroy(&letter);
	fclose(f);
}

static void plain(PIX *p) { (void)p; }
static void dusty(PIX *p) { specks(p, 100, 0.5); }
static void
shadows(PIX *p)
{
	ink(p, 0, 0, 210, 3, 30);
	ink(p, 0, 0, 6, 297, 60);
	ink(p, 203, 0, 7, 140, 20);
	ink(p, 40, 290, 100, 7, 90);
}
static void
holes(PIX *p)
{
	disc(p, 12, 108, 6, 20);
	disc(p, 12, 188, 6, 20);
}
static void back(PIX *p) { shine_through(p, 0.15); }
static void
all_of_it(PIX *p)
{
	shadows(p);
	holes(p);
	dusty(p);
	back(p);
}

static void
page_number(PIX *p) /* "7", 9 points, grey */
{
	ink(p, 104, 285, 1.7, 0.3, 90);
	ink(p, 105.3, 285, 0.3, 2.3, 90);
}
static void
signature(PIX *p)
{
	for (int i = 0; i < 60; i++)
		ink(p, 120 + i * 0.5, 240 + 3 * sin(i / 3.0), 0.6, 0.6, 70);
}
static void tick(PIX *p) { for (int i = 0; i < 12; i++) ink(p, 30 + i * 0.3, 60 - i * 0.5, 0.5, 0.7, 60); }
static void pencil(PIX *p) { ink(p, 60, 100, 30, 0.5, 165); }
static void rule(PIX *p) { ink(p, 20, 150, 170, 0.3, 60); }
static void bullet(PIX *p) { disc(p, 100, 150, 6, 20); }
static void square(PIX *p) { ink(p, 9, 105, 6, 6, 20); }
static void shaded(PIX *p) { ink(p, 30, 60, 150, 80, 150); }
static void shattered(PIX *p) { specks(p, 600, 0.35); } /* print of a worn ribbon */
static void
picture(PIX *p)
{
	for (l_int32 y = 0; y < H; y++)
		for (l_int32 x = 0; x < W; x++)
			pixSetPixel(p, x, y, 60 + 180 * (l_uint32)y / H);
}
static void
letter(PIX *p)
{
	shine_through(p, 1);
}

static const struct {
	const char *name;
	void (*draw)(PIX *);
	bool blank;
} cases[] = {
	{ "paper", plain, true },
	{ "dust", dusty, true },
	{ "shadows at the edges", shadows, true },
	{ "punched holes", holes, true },
	{ "a letter on the back that shines through", back, true },
	{ "all of it", all_of_it, true },
	{ "a page number", page_number, false },
	{ "a signature", signature, false },
	{ "a tick", tick, false },
	{ "a line in pencil", pencil, false },
	{ "a rule", rule, false },
	{ "a bullet in the middle", bullet, false },
	{ "a square where a hole could be", square, false },
	{ "a grey area", shaded, false },
	{ "print that fell apart", shattered, false },
	{ "a picture that fills the page", picture, false },
	{ "a letter", letter, false },
};

static bool
is_blank(PIX *pix)
{
	struct prepared w;
	struct err e = { 0 };
	bool blank = prepare(&w, pix, DPI, DPI, &e) == 0 && w.blank && w.wordless;

	prepare_done(&w);
	return blank;
}

static void
test_case(size_t i)
{
	PIX *grey = paper(), *bits;

	cases[i].draw(grey);
	bits = pixThresholdToBinary(grey, 175);
	CHECK(is_blank(grey) == cases[i].blank, "%s: %sblank", cases[i].name, cases[i].blank ? "" : "not ");
	CHECK(is_blank(bits) == cases[i].blank, "%s in black and white: %sblank", cases[i].name, cases[i].blank ? "" : "not ");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(i);
	return TEST_DONE();
}
