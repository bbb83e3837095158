#include <leptonica/allheaders.h>
#include <math.h>
#include <string.h>

#include "scan/bits.h"
#include "scan/inkmap.h"

#define FIND_DPI 150      /* finer would only find more dust */
#define TILE 32           /* pixels: paper is judged by tiles of this size */
#define DARK 128          /* darker than this is never paper */
#define SHADE 64          /* of 255; shaded fields are lighter than that below the paper */
#define CONTRAST_MIN 24   /* of 255, below the paper */
#define CONTRAST_NOISE 4  /* or as many times the paper's own unevenness */
#define SPECK 3           /* pixels; what is larger is no dust */
#define GRAINS 6          /* pixels; nor is what is larger than this, however little of it is dark */
#define GRAINS_DARK 6     /* pixels that may be: two specks side by side; a colon has more */
#define ALONE 9           /* pixels; dust has nothing nearer than this */

/* Mean values are only taken for a scale well below 1; they are what makes grain smooth. */
static double
scale_of(double dpi)
{
	return dpi < FIND_DPI ? 1 : fmin(FIND_DPI / dpi, 0.667);
}

/* 8 bit, as fine as is wanted. */
static PIX *
shrink(PIX *pix, double dpi_x, double dpi_y)
{
	double sx = scale_of(dpi_x), sy = scale_of(dpi_y);
	PIX *grey = pixGetDepth(pix) == 1 ? NULL : pixClone(pix), *out;

	if (grey == NULL && fabs(sx - sy) < 0.01 && sx < 1 && sx > 0.05)
		return pixScaleToGray(pix, (l_float32)sx);
	if (grey == NULL)
		grey = pixConvert1To8(NULL, pix, 255, 0);
	if (grey == NULL || (sx == 1 && sy == 1))
		return grey;
	out = pixScaleAreaMap(grey, (l_float32)sx, (l_float32)sy);
	pixDestroy(&grey);
	return out;
}

/* --- paper ------------------------------------------------------------------------------------ */

struct tile {
	uint8_t paper, low; /* its grey at seven tenths, from dark to light, and at one tenth */
};

struct paper {
	struct tile *tiles;
	l_int32 w, h;   /* tiles */
	uint8_t common; /* what most tiles are like */
	int noise;      /* spread of the paper's grey, where there is nothing else */
};

/* Four histograms: most neighbours are alike, and one would wait for its own last count. */
static void
count_row(unsigned count[4][256], const l_uint32 *row, l_int32 x, l_int32 x1)
{
	for (; x + 4 <= x1; x += 4) {
		l_uint32 four = row[x / 4];

		count[0][four >> 24]++;
		count[1][four >> 16 & 255]++;
		count[2][four >> 8 & 255]++;
		count[3][four & 255]++;
	}
	for (; x < x1; x++)
		count[0][GET_DATA_BYTE(row, x)]++;
}

static struct tile
tile_look(PIX *grey, l_int32 tx, l_int32 ty)
{
	const l_int32 x1 = L_MIN((tx + 1) * TILE, pixGetWidth(grey)), y1 = L_MIN((ty + 1) * TILE, pixGetHeight(grey));
	const unsigned n = (unsigned)((x1 - tx * TILE) * (y1 - ty * TILE));
	unsigned count[4][256] = { 0 }, seen = 0;
	struct tile t = { 0 };
	bool low = false;

	for (l_int32 y = ty * TILE; y < y1; y++)
		count_row(count, pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey), tx * TILE, x1);
	for (unsigned v = 0; v < 256; v++) {
		seen += count[0][v] + count[1][v] + count[2][v] + count[3][v];
		if (!low && seen * 10 >= n) {
			t.low = (uint8_t)v;
			low = true;
		}
		if (seen * 10 >= n * 7) {
			t.paper = (uint8_t)v;
			break;
		}
	}
	return t;
}

/* The middle one of values counted in a histogram of n. */
static int
median(const unsigned count[256], unsigned n)
{
	unsigned seen = 0;
	int v = 0;

	while (v < 255 && (seen += count[v]) * 2 < n)
		v++;
	return v;
}

static bool
paper_look(struct paper *p, PIX *grey)
{
	unsigned grades[256] = { 0 }, spreads[256] = { 0 }, n = 0;

	p->w = (pixGetWidth(grey) + TILE - 1) / TILE;
	p->h = (pixGetHeight(grey) + TILE - 1) / TILE;
	if ((p->tiles = calloc((size_t)p->w * (size_t)p->h, sizeof(*p->tiles))) == NULL)
		return false;
	for (l_int32 i = 0; i < p->w * p->h; i++) {
		struct tile *t = &p->tiles[i];

		*t = tile_look(grey, i % p->w, i / p->w);
		if (t->paper < DARK)
			continue;
		grades[t->paper]++;
		spreads[t->paper - t->low]++;
		n++;
	}
	p->common = n == 0 ? 255 : (uint8_t)median(grades, n);
	p->noise = n == 0 ? 0 : median(spreads, n);
	return true;
}

/*
 * The paper of a tile: where a shaded field begins, it is the shaded one's.  A dark
 * tile is no paper; what most of the page is like stands for it.
 */
static int
paper_at(const struct paper *p, l_int32 tx, l_int32 ty)
{
	int own = p->tiles[ty * p->w + tx].paper, paper;

	if (own < DARK)
		own = p->common;
	paper = own;
	for (l_int32 y = L_MAX(0, ty - 1); y <= L_MIN(p->h - 1, ty + 1); y++)
		for (l_int32 x = L_MAX(0, tx - 1); x <= L_MIN(p->w - 1, tx + 1); x++) {
			int near = p->tiles[y * p->w + x].paper;

			if (near >= L_MAX(DARK, own - SHADE))
				paper = L_MIN(paper, near);
		}
	return paper;
}

/* Grey that is no longer paper there. A page whose tiles are full of writing has spreads of ink, not of noise. */
static int
limit_at(const struct paper *p, l_int32 tx, l_int32 ty)
{
	int noise = L_MIN(p->noise * CONTRAST_NOISE / 2, 3 * CONTRAST_MIN);

	return L_MAX(DARK, paper_at(p, tx, ty) - L_MAX(CONTRAST_MIN, noise));
}

_Static_assert(TILE == BITS_PIXELS, "a row of a tile is one word of black and white");

/* One row of a tile: its word of black and white, the first pixel in the highest bit. */
static l_uint32
dark_word(const l_uint32 *from, l_int32 n, int limit)
{
	uint8_t p[BITS_PIXELS] = { 0 }, is[BITS_PIXELS];

	memcpy(p, from, (size_t)(n + 3) / 4 * 4);
	for (int i = 0; i < BITS_PIXELS; i++)
		is[i] = p[i] < (uint8_t)limit;
	return bits_first(bits_word(is), n);
}

static PIX *
darker_than_paper(PIX *grey)
{
	const l_int32 w = pixGetWidth(grey), h = pixGetHeight(grey);
	struct paper p = { 0 };
	PIX *out = NULL;

	if (paper_look(&p, grey) && (out = pixCreate(w, h, 1)) != NULL)
		for (l_int32 i = 0; i < p.w * p.h; i++) {
			const l_int32 tx = i % p.w, ty = i / p.w;
			const int limit = limit_at(&p, tx, ty);

			for (l_int32 y = ty * TILE; y < L_MIN((ty + 1) * TILE, h); y++)
				pixGetData(out)[(size_t)y * (size_t)pixGetWpl(out) + (size_t)tx] =
				    dark_word(pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey) + (size_t)tx * TILE / 4, L_MIN(TILE, w - tx * TILE), limit);
		}
	free(p.tiles);
	return out;
}

/* A speck, or two of them. */
static bool
is_dust(PIX *all, BOX *box)
{
	l_int32 x0, y0, w, h, dark = 0;

	boxGetGeometry(box, &x0, &y0, &w, &h);
	if (w <= SPECK && h <= SPECK)
		return true;
	if (w > GRAINS || h > GRAINS)
		return false;
	for (l_int32 y = y0; y < y0 + h; y++)
		for (l_int32 x = x0; x < x0 + w; x++)
			dark += (l_int32)GET_DATA_BIT(pixGetData(all) + (size_t)y * (size_t)pixGetWpl(all), x);
	return dark <= GRAINS_DARK;
}

/* Joins what is near; what is then still dust was alone. */
static PIX *
without_dust(PIX *all)
{
	PIX *joined = pixCloseSafeBrick(NULL, all, ALONE, ALONE), *out = pixCopy(NULL, all);
	BOXA *boxes = joined == NULL ? NULL : pixConnCompBB(joined, 8);

	for (l_int32 i = 0; out != NULL && boxes != NULL && i < boxaGetCount(boxes); i++) {
		BOX *box = boxaGetBox(boxes, i, L_CLONE);

		if (box != NULL && is_dust(all, box))
			pixClearInRect(out, box);
		boxDestroy(&box);
	}
	if (boxes == NULL)
		pixDestroy(&out);
	boxaDestroy(&boxes);
	pixDestroy(&joined);
	return out;
}

struct Pix *
inkmap_find(struct Pix *pix, double dpi_x, double dpi_y, struct err *e)
{
	PIX *grey = shrink(pix, dpi_x, dpi_y), *dark = grey == NULL ? NULL : darker_than_paper(grey);
	PIX *out = dark == NULL ? NULL : without_dust(dark);

	pixDestroy(&grey);
	pixDestroy(&dark);
	if (out == NULL)
		err_set(e, ERR_MEM, "no memory for the ink of a page");
	return out;
}

/* --- the map ------------------------------------------------------------------------------------- */

/* One row of pixels: a run of them at a time. */
static void
mark_row(struct ink *ink, PIX *found, l_int32 y, const struct box *box, double kx, double ky)
{
	const l_uint32 *row = pixGetData(found) + (size_t)y * (size_t)pixGetWpl(found);
	const l_int32 w = pixGetWidth(found);

	for (l_int32 x = 0; x < w; x++) {
		l_int32 from = x;

		if (x % BITS_PIXELS == 0 && row[x / BITS_PIXELS] == 0) {
			x += BITS_PIXELS - 1;
			continue;
		}
		while (x < w && GET_DATA_BIT(row, x))
			x++;
		if (x > from)
			ink_mark(ink, &(struct box){ (int32_t)floor(box->x0 + from * kx), (int32_t)floor(box->y0 + y * ky),
			    (int32_t)ceil(box->x0 + x * kx), (int32_t)ceil(box->y0 + (y + 1) * ky) });
	}
}

int
inkmap_make(struct Pix *found, uint32_t turn, const struct box *box, int32_t page_w, int32_t page_h, struct ink *ret,
    struct err *e)
{
	PIX *upright = turn == 0 ? pixClone(found) : pixRotateOrth(found, (l_int32)(turn / 90));
	double kx, ky;
	int r;

	pixDestroy(&found);
	if (upright == NULL)
		return err_set(e, ERR_MEM, "no memory for the ink of a page");
	if ((r = ink_init(ret, page_w, page_h, e)) == 0) {
		kx = (double)(box->x1 - box->x0) / pixGetWidth(upright);
		ky = (double)(box->y1 - box->y0) / pixGetHeight(upright);
		for (l_int32 y = 0; y < pixGetHeight(upright); y++)
			mark_row(ret, upright, y, box, kx, ky);
	}
	pixDestroy(&upright);
	return r;
}
