#include <leptonica/allheaders.h>
#include <math.h>
#include <stdbool.h>

#include "scan/reverse.h"

#define REDUCED 8          /* it is looked for on a copy of 1/8 */
#define DARK 115           /* mean of a bar, and of what is dark in it: light letters cover a fourth to two fifths */
#define STEP 60            /* of brightness, above or below a bar */
#define CLOSED 0.1         /* inches: letters and the gaps between them */
#define BAR_WIDTH 0.4      /* inches, at least */
#define BAR_HEIGHT 0.09    /* a line of six points */
#define BAR_HEIGHT_MAX 1.6 /* what is higher is a picture, or the shadow of a border */
#define BLACK 128
#define EDGE_FULL 0.6      /* share of an outermost row that is black */
#define MARGIN 0.01        /* inches of a bar that no letter reaches, above and below */
#define MARGIN_FULL 0.85   /* share of it that is black; a row through bold type has two thirds */
#define BAR_FULL 0.85      /* share of its box that is dark, letters closed */

static PIX *
reduce(PIX *pix)
{
	return pixGetDepth(pix) == 1 ? pixScaleToGray8(pix) : pixScaleAreaMap(pix, 1.0f / REDUCED, 1.0f / REDUCED);
}

static l_int32
dots(double inches, double dpi)
{
	return (l_int32)fmax(1, inches * dpi);
}

/* What is dark over the size of a bar; a heading in bold type is, too. */
static PIX *
find_dark(PIX *grey, double dpi)
{
	PIX *dark = pixThresholdToBinary(grey, DARK), *closed = NULL, *open = NULL;

	if (dark != NULL)
		closed = pixCloseSafeBrick(NULL, dark, dots(CLOSED, dpi), dots(CLOSED / 2, dpi));
	if (closed != NULL)
		open = pixOpenBrick(NULL, closed, dots(BAR_WIDTH, dpi), dots(BAR_HEIGHT, dpi));
	pixDestroy(&dark);
	pixDestroy(&closed);
	return open;
}

static double
mean(PIX *grey, l_int32 x, l_int32 y, l_int32 w, l_int32 h, double none)
{
	BOX *box = boxCreate(x, y, w, h);
	l_float32 v;
	bool ok = box != NULL && pixAverageInRect(grey, NULL, box, 0, 255, 1, &v) == 0;

	boxDestroy(&box);
	return ok ? v : none;
}

/* Is the part a rectangle, low enough for lines of text, more dark than light, and no shadow that begins slowly? */
static bool
is_bar(PIX *part, PIX *grey, BOX *box, double dpi)
{
	l_int32 x, y, w, h, full;
	double dark;

	boxGetGeometry(box, &x, &y, &w, &h);
	if (h > BAR_HEIGHT_MAX * dpi || pixCountPixels(part, &full, NULL) != 0 || full < BAR_FULL * (double)w * h)
		return false;
	dark = mean(grey, x, y, w, h, 255);
	return dark < DARK && (mean(grey, x, y - 3, w, 2, 0) > dark + STEP || mean(grey, x, y + h + 1, w, 2, 0) > dark + STEP);
}

/* From 'from' on in steps of 'step' to 'to': the last that is dark in most of 'across'. */
static l_int32
last_dark(NUMA *count, l_int32 from, l_int32 step, l_int32 to, l_int32 across)
{
	l_int32 n;

	while (from != to && numaGetIValue(count, from + step, &n) == 0 && n >= EDGE_FULL * across)
		from += step;
	return from;
}

/* The first from 'from' on that is dark in most of 'across'; 'to' when none is. */
static l_int32
first_dark(NUMA *count, l_int32 from, l_int32 step, l_int32 to, l_int32 across)
{
	l_int32 n;

	while (from != to && numaGetIValue(count, from, &n) == 0 && n < EDGE_FULL * across)
		from += step;
	return from;
}

/* Letters stand on the dark paper of a bar; bold type, which is as dark as one, is nothing but letters. */
static bool
has_margin(NUMA *rows, l_int32 from, l_int32 step, l_int32 n, l_int32 across)
{
	l_int32 black = 0, k;

	for (l_int32 i = 0; i < n; i++)
		black += numaGetIValue(rows, from + i * step, &k) == 0 ? k : 0;
	return black >= MARGIN_FULL * (double)n * across;
}

/*
 * The box to the pixel, as the reduced copy has it to REDUCED only: what was left
 * of the bar would be a rule round it.  False: it is none.
 */
static bool
to_edges(PIX *pix, int dpi, l_int32 *x, l_int32 *y, l_int32 *w, l_int32 *h)
{
	BOX *box = boxCreate(*x - 2 * REDUCED, *y - 2 * REDUCED, *w + 4 * REDUCED, *h + 4 * REDUCED), *round = NULL;
	PIX *part = box == NULL ? NULL : pixClipRectangle(pix, box, &round);
	PIX *black = part == NULL ? NULL : pixGetDepth(part) == 1 ? pixClone(part) : pixThresholdToBinary(part, BLACK);
	NUMA *rows = black == NULL ? NULL : pixCountPixelsByRow(black, NULL);
	NUMA *columns = black == NULL ? NULL : pixCountPixelsByColumn(black);
	const l_int32 margin = dots(MARGIN, dpi);
	l_int32 left, top, right, bottom, x0, y0;
	bool bar = false;

	if (rows != NULL && columns != NULL) {
		boxGetGeometry(round, &x0, &y0, NULL, NULL);
		left = last_dark(columns, *x - x0, -1, 0, *h);
		right = last_dark(columns, *x - x0 + *w - 1, 1, pixGetWidth(black) - 1, *h);
		top = last_dark(rows, *y - y0, -1, 0, *w);
		bottom = last_dark(rows, *y - y0 + *h - 1, 1, pixGetHeight(black) - 1, *w);
		top = first_dark(rows, top, 1, bottom, *w);
		bottom = first_dark(rows, bottom, -1, top, *w);
		*x = x0 + left;
		*y = y0 + top;
		*w = right - left + 1;
		*h = bottom - top + 1;
		bar = *h > 2 * margin && has_margin(rows, top, 1, margin, *w) && has_margin(rows, bottom, -1, margin, *w);
	}
	numaDestroy(&rows);
	numaDestroy(&columns);
	pixDestroy(&black);
	pixDestroy(&part);
	boxDestroy(&round);
	boxDestroy(&box);
	return bar;
}

/* The box of a bar on the reduced copy: that bar of the page is turned over, if it is one. */
static bool
turn_over(PIX *pix, int dpi, BOX *box)
{
	l_int32 x, y, w, h;

	boxGetGeometry(box, &x, &y, &w, &h);
	x *= REDUCED;
	y *= REDUCED;
	w *= REDUCED;
	h *= REDUCED;
	return to_edges(pix, dpi, &x, &y, &w, &h) && pixRasterop(pix, x, y, w, h, PIX_NOT(PIX_DST), NULL, 0, 0) == 0;
}

int
reverse_bars(struct Pix *pix, int dpi, struct err *e)
{
	const double low = (double)dpi / REDUCED;
	PIX *grey, *dark = NULL;
	PIXA *parts = NULL;
	BOXA *boxes = NULL;
	int bars = 0;

	if (pixGetWidth(pix) < BAR_WIDTH * dpi || pixGetHeight(pix) < BAR_HEIGHT * dpi)
		return 0;
	if ((grey = reduce(pix)) != NULL)
		dark = find_dark(grey, low);
	if (dark != NULL)
		boxes = pixConnComp(dark, &parts, 8);
	for (l_int32 i = 0; boxes != NULL && i < boxaGetCount(boxes); i++) {
		BOX *box = boxaGetBox(boxes, i, L_CLONE);
		PIX *part = pixaGetPix(parts, i, L_CLONE);

		if (box != NULL && part != NULL && is_bar(part, grey, box, low) && turn_over(pix, dpi, box))
			bars++;
		pixDestroy(&part);
		boxDestroy(&box);
	}
	bars = boxes != NULL ? bars : err_set(e, ERR_MEM, "no memory for the page");
	boxaDestroy(&boxes);
	pixaDestroy(&parts);
	pixDestroy(&dark);
	pixDestroy(&grey);
	return bars;
}
