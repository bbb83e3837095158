#include <leptonica/allheaders.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/patch.h"

#define DPI 100.0        /* of what is measured */
#define BARS 4
#define NARROW 0.08      /* inches: bars and the spaces between them */
#define WIDE 0.20
#define LENGTH_LEAST 0.70
#define FROM_EDGE 4.5    /* inches, the far side of the code */
#define SEED_W 50        /* dots that a bar holds in a row, two high, up to 5 degrees askew */
#define SEED_H 2
#define SIDE_LEAST 0.5   /* inches of a sheet with a code on it, either way */
#define BARS_MAX 400     /* a page full of stripes is no separator sheet */
#define THRESHOLD 128

/* A stripe across the page, in dots of the measured image. */
struct bar {
	double x0, x1, y, thick; /* y: its middle */
	int top, bottom;
};

struct sheet {
	struct bar v[BARS_MAX];
	size_t n;
	int w, h;
};

static const struct {
	char text[2];
	bool wide[BARS]; /* from the edge on */
} patches[] = {
	{ "1", { true, true, false, false } },
	{ "2", { true, false, false, true } },
	{ "3", { true, false, true, false } },
	{ "4", { false, true, true, false } },
	{ "6", { false, false, true, true } },
	{ "T", { false, true, false, true } },
};

/* Bitonal, DPI an inch both ways. */
static PIX *
measured(PIX *pix, double dpi_x, double dpi_y)
{
	const float kx = (float)(DPI / dpi_x), ky = (float)(DPI / dpi_y);
	PIX *grey = pixGetDepth(pix) == 1 && fabsf(kx - ky) < 1e-6F && kx < 0.99F ? pixScaleToGray(pix, kx) : NULL, *all, *bits;

	if (grey == NULL && (all = pixConvertTo8(pix, 0)) != NULL) {
		grey = pixScale(all, kx, ky);
		pixDestroy(&all);
	}
	bits = grey == NULL ? NULL : pixThresholdToBinary(grey, THRESHOLD);
	pixDestroy(&grey);
	return bits;
}

/* Whole stripes: of what is there, all that hangs together with something long and thick. */
static PIX *
stripes_of(PIX *bits)
{
	PIX *seed = pixOpenBrick(NULL, bits, SEED_W, SEED_H);
	PIX *r = seed == NULL ? NULL : pixSeedfillBinary(NULL, seed, bits, 8);

	pixDestroy(&seed);
	return r;
}

static bool
straight(const struct bar *b)
{
	const double length = b->x1 - b->x0, room = b->thick + length * tan(6 * M_PI / 180) + 3;

	return length >= LENGTH_LEAST * DPI && b->bottom - b->top <= room;
}

static int
by_height(const void *a, const void *b)
{
	const struct bar *x = a, *y = b;

	return (x->y > y->y) - (x->y < y->y);
}

/* Bars that lie across the page, from the top down. */
static int
find_bars(PIX *bits, struct sheet *s, struct err *e)
{
	PIX *stripes = stripes_of(bits);
	PIXA *parts = NULL;
	BOXA *boxes = stripes == NULL ? NULL : pixConnComp(stripes, &parts, 8);

	s->n = 0;
	s->w = pixGetWidth(bits);
	s->h = pixGetHeight(bits);
	for (int i = 0; boxes != NULL && i < boxaGetCount(boxes) && s->n < BARS_MAX; i++) {
		int x, y, w, h, area = 0;
		PIX *part = pixaGetPix(parts, i, L_CLONE);
		struct bar b;

		boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h);
		if (part != NULL)
			pixCountPixels(part, &area, NULL);
		pixDestroy(&part);
		b = (struct bar){ x, x + w, y + h / 2.0, area / (double)w, y, y + h };
		if (straight(&b))
			s->v[s->n++] = b;
	}
	pixDestroy(&stripes);
	pixaDestroy(&parts);
	if (boxes == NULL)
		return err_set(e, ERR_MEM, "no memory to look for patch codes");
	boxaDestroy(&boxes);
	qsort(s->v, s->n, sizeof(s->v[0]), by_height);
	return 0;
}

/* A third more or less: paper, scanner and threshold have their share in it. */
static bool
about(double dots, double inches)
{
	return fabs(dots / DPI - inches) <= inches / 3;
}

static bool
beside(const struct bar *a, const struct bar *b)
{
	const double shift = fmax(fabs(a->x0 - b->x0), fabs(a->x1 - b->x1));

	return shift <= 0.15 * (a->x1 - a->x0) && about(b->y - a->y - (a->thick + b->thick) / 2, NARROW);
}

/* Index of what the four bars say, read from the nearer edge; -1: nothing. */
static int
patch_of(const struct sheet *s, const struct bar *b)
{
	const bool down = b[0].y + b[BARS - 1].y < s->h;
	const double far = down ? b[BARS - 1].bottom : s->h - b[0].top;

	for (int i = 0; i < BARS; i++)
		if (!(about(b[i].thick, NARROW) || about(b[i].thick, WIDE)) || (i > 0 && !beside(&b[i - 1], &b[i])))
			return -1;
	if (far > FROM_EDGE * DPI)
		return -1;
	for (size_t p = 0; p < sizeof(patches) / sizeof(patches[0]); p++) {
		bool same = true;

		for (int i = 0; i < BARS; i++)
			same = same && about(b[down ? i : BARS - 1 - i].thick, WIDE) == patches[p].wide[i];
		if (same)
			return (int)p;
	}
	return -1;
}

/* turned: the page lies on its side in the sheet, a quarter turn clockwise. */
static int
add_patches(const struct sheet *s, bool turned, double dpi_x, double dpi_y, struct codes *c, struct err *e)
{
	for (size_t i = 0; i + BARS <= s->n && c->n < PAGEFILE_CODES_MAX; i++) {
		const struct bar *b = &s->v[i];
		struct code k = { .kind = CODE_PATCH };
		int found = patch_of(s, b);
		double x0 = b[0].x0, x1 = b[0].x1, y0 = b[0].top, y1 = b[BARS - 1].bottom;

		if (found < 0)
			continue;
		for (int j = 1; j < BARS; j++) {
			x0 = fmin(x0, b[j].x0);
			x1 = fmax(x1, b[j].x1);
		}
		k.x0 = (turned ? y0 : x0) * dpi_x / DPI;
		k.x1 = (turned ? y1 : x1) * dpi_x / DPI;
		k.y0 = (turned ? s->w - x1 : y0) * dpi_y / DPI;
		k.y1 = (turned ? s->w - x0 : y1) * dpi_y / DPI;
		if ((k.text = strdup(patches[found].text)) == NULL)
			return err_set(e, ERR_MEM, "patch code");
		c->v[c->n++] = k;
		i += BARS - 1;
	}
	return 0;
}

static int
look(PIX *bits, bool turned, double dpi_x, double dpi_y, struct codes *c, struct err *e)
{
	AUTO_FREE struct sheet *s = malloc(sizeof(*s));
	int r = s == NULL ? err_set(e, ERR_MEM, "no memory to look for patch codes") : find_bars(bits, s, e);

	return r < 0 ? r : add_patches(s, turned, dpi_x, dpi_y, c, e);
}

int
patch_read(PIX *pix, double dpi_x, double dpi_y, struct codes *c, struct err *e)
{
	PIX *bits, *side;
	int r;

	if (pixGetWidth(pix) < SIDE_LEAST * dpi_x || pixGetHeight(pix) < SIDE_LEAST * dpi_y)
		return 0; /* nothing may be left of it when it is measured */
	bits = measured(pix, dpi_x, dpi_y);
	side = bits == NULL ? NULL : pixRotateOrth(bits, 1);
	r = side == NULL ? err_set(e, ERR_MEM, "no memory to look for patch codes") : 0;

	if (r == 0 && (r = look(bits, false, dpi_x, dpi_y, c, e)) == 0)
		r = look(side, true, dpi_x, dpi_y, c, e);
	pixDestroy(&bits);
	pixDestroy(&side);
	return r;
}
