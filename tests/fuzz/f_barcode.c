/*
 * f_barcode.c - barcodes and patch codes in any image: what is found lies in it and is a text
 * that the rules may see.
 *
 *	byte 0   what the rest is (MODE), how deep the image is, how many dots it has an inch
 *	byte 1   dots a module, quarter turns
 *	rest     dots; widths of bars from the left; modules of a square; stripes from the top
 *
 * A code lives in what its bars or modules say, so those are what is mutated, or how they
 * are shown: few changes of single dots are still a code.
 */
#include <leptonica/allheaders.h>

#include "agent/lib/path.h"
#include "scan/barcode.h"
#include "scan/patch.h"
#include "tests/fuzz/fuzz.h"

#define SIDE_MAX 600   /* of raw dots */
#define WIDTH_MAX 1500 /* of bars and stripes */
#define BAR_HEIGHT 60
#define QUIET_BARS 10  /* modules of white */
#define QUIET_SQUARE 4
#define SQUARE_MAX 57  /* modules; a QR code of version 10 */

enum mode { DOTS, BARS, SQUARE, STRIPES };

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	setMsgSeverity(L_SEVERITY_NONE);
	return 0;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	if (size < 3 || max < 3 || seed % 8 == 0)
		return LLVMFuzzerMutate(data, size, max);
	if (seed % 8 < 4) { /* the same code, shown in another way */
		data[0] = (uint8_t)((data[0] & 3) | (seed >> 8 & 0xFC));
		data[1] = (uint8_t)(seed >> 16);
		return size;
	}
	return 2 + LLVMFuzzerMutate(data + 2, size - 2, max - 2);
}

static PIX *
white(int w, int h)
{
	PIX *pix = pixCreate(w, h, 1);

	if (pix == NULL)
		abort();
	return pix;
}

static void
black(PIX *pix, int x, int y, int w, int h)
{
	pixRasterop(pix, x, y, w, h, PIX_SET, NULL, 0, 0);
}

static PIX *
dots(const uint8_t *p, size_t n)
{
	const int w = n == 0 ? 8 : (p[0] % (SIDE_MAX / 8) + 1) * 8;
	const size_t rows = n / (size_t)(w / 8), h = rows == 0 ? 1 : rows > SIDE_MAX ? SIDE_MAX : rows;
	PIX *pix = white(w, (int)h);

	for (size_t i = 1; i < n && i - 1 < h * (size_t)(w / 8); i++)
		for (int bit = 0; bit < 8; bit++)
			if (p[i] & 0x80 >> bit)
				pixSetPixel(pix, (l_int32)((i - 1) % (size_t)(w / 8)) * 8 + bit, (l_int32)((i - 1) / (size_t)(w / 8)), 1);
	return pix;
}

/* Bar, space, bar ... */
static PIX *
bars(const uint8_t *p, size_t n, int module)
{
	int x = QUIET_BARS * module, w = 2 * x;
	PIX *pix;

	for (size_t i = 0; i < n; i++)
		w += (p[i] & 15) * module;
	w = w > WIDTH_MAX ? WIDTH_MAX : w;
	pix = white(w, BAR_HEIGHT + 20);
	for (size_t i = 0; i < n && x < w; x += (p[i++] & 15) * module)
		if (i % 2 == 0)
			black(pix, x, 10, (p[i] & 15) * module, BAR_HEIGHT);
	return pix;
}

static PIX *
square(const uint8_t *p, size_t n, int module)
{
	const int side = n == 0 ? 1 : p[0] % SQUARE_MAX + 1, all = (side + 2 * QUIET_SQUARE) * module;
	PIX *pix = white(all, all);

	for (int i = 0; i < side * side && (size_t)(i / 8 + 1) < n; i++)
		if (p[i / 8 + 1] & 0x80 >> i % 8)
			black(pix, (QUIET_SQUARE + i % side) * module, (QUIET_SQUARE + i / side) * module, module, module);
	return pix;
}

/* Space, stripe, space ... in hundredths of an inch, on a sheet two inches wide. */
static PIX *
stripes(const uint8_t *p, size_t n, int dpi)
{
	int h = 2 * dpi, y = 0;
	PIX *pix;

	for (size_t i = 0; i < n; i++)
		h += (p[i] & 63) * dpi / 100;
	pix = white(2 * dpi, h > WIDTH_MAX ? WIDTH_MAX : h);
	for (size_t i = 0; i < n && y < WIDTH_MAX; y += (p[i++] & 63) * dpi / 100)
		if (i % 2 == 1)
			black(pix, dpi / 2, y, dpi, (p[i] & 63) * dpi / 100);
	return pix;
}

/* The image, as deep and turned as the first two bytes say. */
static PIX *
image(const uint8_t *data, size_t size, int dpi)
{
	const int module = data[1] % 8 + 1, turns = data[1] >> 4 & 3;
	const uint8_t *p = data + 2;
	const size_t n = size - 2;
	PIX *pix = NULL, *deep, *turned;

	switch (data[0] & 3) {
	case DOTS:
		pix = dots(p, n);
		break;
	case BARS:
		pix = bars(p, n, module);
		break;
	case SQUARE:
		pix = square(p, n, module);
		break;
	case STRIPES:
		pix = stripes(p, n, dpi);
		break;
	}
	deep = data[0] & 4 ? pixConvertTo8(pix, 0) : pixClone(pix);
	turned = pixRotateOrth(deep, turns);
	if (turned == NULL)
		abort();
	pixDestroy(&deep);
	pixDestroy(&pix);
	return turned;
}

static void
sound(const struct codes *c, double w, double h, double dpi)
{
	FUZZ_MUST(c->n <= PAGEFILE_CODES_MAX, "%u codes", c->n);
	for (uint32_t i = 0; i < c->n; i++) {
		const struct code *k = &c->v[i];
		size_t len = strlen(k->text);

		FUZZ_MUST(k->kind > CODE_NONE && k->kind < CODE_KIND_COUNT, "a code of kind %u", k->kind);
		FUZZ_MUST(len > 0 && len <= PAGEFILE_CODE_BYTES && utf8_valid(k->text, len), "a text of %zu bytes", len);
		/* patch codes are measured at 100 dots an inch, and may end within the last of them */
		FUZZ_MUST(k->x0 >= 0 && k->y0 >= 0 && k->x0 < k->x1 && k->y0 < k->y1 && k->x1 <= w + dpi / 100 + 1 && k->y1 <= h + dpi / 100 + 1,
		    "a code from %g %g to %g %g of %g x %g", k->x0, k->y0, k->x1, k->y1, w, h);
	}
}

/* As a page child does: turned with the page, then behind its words. */
static void
to_page(struct codes *c, uint32_t w, uint32_t h, double dpi, uint32_t degrees)
{
	struct pagefile pf = { 0 };
	struct err e;

	codes_turn(c, w, h, degrees);
	if (degrees % 180 != 0) {
		uint32_t t = w;

		w = h;
		h = t;
	}
	sound(c, w, h, dpi);
	FUZZ_MUST(codes_to_page(c, &(struct box){ 0, 0, (int32_t)w * 240, (int32_t)h * 240 }, w, h, &pf, &e) == 0 && pf.ncodes <= c->n,
	    "%u codes became %u", c->n, pf.ncodes);
	free(pf.words);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int densities[] = { 300, 200, 100, 150, 240, 400, 600, 72 };
	struct codes c = { 0 };
	struct err e = { 0 };
	PIX *pix;
	int dpi;

	if (size < 3 || size > 4096)
		return -1;
	dpi = (data[0] & 3) == STRIPES ? 100 : densities[data[0] >> 3 & 7];
	pix = image(data, size, dpi);
	FUZZ_MUST(barcode_read(pix, dpi, dpi, &c, &e) == 0, "not looked at: %s: %s", err_word(e.code), e.text);
	sound(&c, pixGetWidth(pix), pixGetHeight(pix), dpi);
	for (uint32_t i = 1; i < c.n; i++)
		FUZZ_MUST(c.v[i - 1].y0 <= c.v[i].y0, "code %u stands above the one before it", i);
	if (c.n > 0)
		fuzz_accepted();
	fuzz_planted(c.n > 0 && c.v[0].kind == CODE_QR && data[1] % 8 == 6, data, size);
	to_page(&c, (uint32_t)pixGetWidth(pix), (uint32_t)pixGetHeight(pix), dpi, (uint32_t)(data[1] >> 6) * 90);
	codes_done(&c);
	pixDestroy(&pix);
	return 0;
}
