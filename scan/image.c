#include <leptonica/allheaders.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"

#include "scan/image.h"
#include "scan/jp2.h"
#include "scan/jpeg.h"
#include "scan/pdfpage.h"
#include "scan/png.h"
#include "scan/tiff.h"
#include "scan/view.h"
#include "scan/webp.h"

/* --- limits --------------------------------------------------------------------------- */

int
image_check_size(uint64_t w, uint64_t h, const struct conf_scan *scan, uint32_t page, struct err *e)
{
	e->page = page + 1;
	if (w == 0 || h == 0)
		return err_set(e, ERR_DOC_BAD, "page %u has no pixels (%llu x %llu)", page + 1, (unsigned long long)w,
		    (unsigned long long)h);
	if (w > IMAGE_SIDE_MAX || h > IMAGE_SIDE_MAX || w * h > scan->max_pixels)
		return err_set(e, ERR_DOC_PIXELS, "page %u has %llu x %llu pixels; at most %llu in all and %u a side are read",
		    page + 1, (unsigned long long)w, (unsigned long long)h, (unsigned long long)scan->max_pixels,
		    IMAGE_SIDE_MAX);
	e->page = 0;
	return 0;
}

void
image_measure(struct inspect_result *ret, uint32_t w, uint32_t h)
{
	if ((uint64_t)w * h > ret->pixels)
		ret->pixels = (uint64_t)w * h;
}

static size_t
raster_stride(const struct raster *r)
{
	return (size_t)(((uint64_t)r->w * r->comps * r->bits + 7) / 8);
}

/* Small files that claim to be huge pages are bombs: blank G4 pages stay far below 64 MiB. */
int
image_check_ratio(const struct raster *r, uint64_t encoded, uint32_t page, struct err *e)
{
	uint64_t bytes = (uint64_t)raster_stride(r) * r->h;

	if (bytes <= IMAGE_RATIO_FROM || bytes / IMAGE_RATIO <= encoded)
		return 0;
	err_set(e, ERR_DOC_PIXELS, "page %u would grow from %llu to %llu bytes, more than %u times", page + 1,
	    (unsigned long long)encoded, (unsigned long long)bytes, IMAGE_RATIO);
	e->page = page + 1;
	return -ERR_DOC_PIXELS;
}

int
raster_alloc(struct raster *r, struct err *e)
{
	r->stride = raster_stride(r);
	if ((r->data = calloc(r->h, r->stride)) == NULL)
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	return 0;
}

/* --- resolution and placement ------------------------------------------------------------ */

static const struct {
	const char *name;
	double w, h; /* mm */
} papers[] = {
	{ "A4", 210, 297 },
	{ "Letter", 215.9, 279.4 },
	{ "A3", 297, 420 },
	{ "A5", 148, 210 },
	{ "Legal", 215.9, 355.6 },
};

static const int usual_dpi[] = { 300, 200, 150, 400, 600, 240, 100 };

#define NEAR_MM 2.5           /* scanners cut a little */
#define LARGEST_SHEET_MM 450  /* A3 and a margin */
#define FITTING_DPI_MIN 72    /* a picture of a screen */
#define FITTING_DPI_MAX 600

static bool
paper_fits(double a, double b, size_t paper)
{
	return fabs(a - papers[paper].w) <= NEAR_MM && fabs(b - papers[paper].h) <= NEAR_MM;
}

/* A usual paper at a usual resolution; first in the tables wins. */
static int
paper_dpi(uint32_t w, uint32_t h)
{
	for (size_t p = 0; p < sizeof(papers) / sizeof(papers[0]); p++)
		for (size_t d = 0; d < sizeof(usual_dpi) / sizeof(usual_dpi[0]); d++) {
			double mw = w * 25.4 / usual_dpi[d], mh = h * 25.4 / usual_dpi[d];

			if (paper_fits(mw, mh, p) || paper_fits(mh, mw, p))
				return usual_dpi[d];
		}
	return 0;
}

static bool
dpi_possible(double dpi)
{
	return dpi >= IMAGE_DPI_MIN && dpi <= IMAGE_DPI_MAX; /* NAN is not */
}

/* What programs write that know of screens only: believed as long as a sheet comes out that a scanner takes. */
static bool
dpi_of_screen(double dpi_x, double dpi_y, uint32_t w, uint32_t h)
{
	return dpi_x == dpi_y && (fabs(dpi_x - 72) < 0.1 || fabs(dpi_x - 96) < 0.1) &&
	    (w > h ? w : h) * 25.4 / dpi_x > LARGEST_SHEET_MM;
}

/* As large as fits on A4, within reason. */
static double
fitting_dpi(uint32_t w, uint32_t h)
{
	const uint32_t longer = w > h ? w : h, shorter = w > h ? h : w;
	const double dpi = fmax(longer * 25.4 / papers[0].h, shorter * 25.4 / papers[0].w);

	return fmin(fmax(dpi, FITTING_DPI_MIN), FITTING_DPI_MAX);
}

enum dpi_from
image_resolution(uint32_t w, uint32_t h, double *dpi_x, double *dpi_y)
{
	const bool x = dpi_possible(*dpi_x), y = dpi_possible(*dpi_y);
	int usual;

	if ((x || y) && !dpi_of_screen(*dpi_x, *dpi_y, w, h)) {
		*dpi_x = x ? *dpi_x : *dpi_y;
		*dpi_y = y ? *dpi_y : *dpi_x;
		return DPI_SAID;
	}
	usual = paper_dpi(w, h);
	*dpi_x = *dpi_y = usual != 0 ? usual : fitting_dpi(w, h);
	return usual != 0 ? DPI_BY_PAPER : DPI_BY_SIZE;
}

double
image_usual_dpi(double dpi)
{
	double best = usual_dpi[0];

	for (size_t i = 1; i < sizeof(usual_dpi) / sizeof(usual_dpi[0]); i++)
		if (fabs(log(dpi / usual_dpi[i])) < fabs(log(dpi / best)))
			best = usual_dpi[i];
	return best;
}

/* Sides of a page box: ISO 19005-2, 6.1.13 (3 to 14,400 units). */
static int32_t
side_mpt(double pixels, double dpi)
{
	double mpt = pixels * 72000.0 / dpi;

	return (int32_t)lround(fmin(fmax(mpt, 3000), 14400000));
}

/* The unit square of the image on a page of w x h for each orientation: signs of a b c d, e f in w h. */
static const struct {
	int a, b, c, d, e, f;
} places[9] = {
	{ 0 },
	{ 1, 0, 0, 1, 0, 0 },
	{ -1, 0, 0, 1, 1, 0 },
	{ -1, 0, 0, -1, 1, 1 },
	{ 1, 0, 0, -1, 0, 1 },
	{ 0, -1, -1, 0, 1, 1 },
	{ 0, -1, 1, 0, 0, 1 },
	{ 0, 1, 1, 0, 0, 0 },
	{ 0, 1, -1, 0, 1, 0 },
};

void
image_place(struct image *im, double dpi_x, double dpi_y, uint32_t orient)
{
	int32_t w, h;

	if (orient < 1 || orient > 8)
		orient = 1;
	im->dpi_from = image_resolution(im->r.w, im->r.h, &dpi_x, &dpi_y);
	if (orient < 5) {
		w = side_mpt(im->r.w, dpi_x);
		h = side_mpt(im->r.h, dpi_y);
	} else {
		w = side_mpt(im->r.h, dpi_y);
		h = side_mpt(im->r.w, dpi_x);
	}
	im->media_w = w;
	im->media_h = h;
	im->matrix[0] = places[orient].a * w;
	im->matrix[1] = places[orient].b * h;
	im->matrix[2] = places[orient].c * w;
	im->matrix[3] = places[orient].d * h;
	im->matrix[4] = places[orient].e * w;
	im->matrix[5] = places[orient].f * h;
}

/* --- the reader's view ------------------------------------------------------------------- */

uint32_t
image_turned(uint32_t orient, uint32_t degrees)
{
	static const uint32_t next[9] = { 0, 6, 7, 8, 5, 2, 3, 4, 1 };

	for (uint32_t d = 0; d < degrees % 360; d += 90)
		orient = next[orient];
	return orient;
}

/* The orientation whose signs the matrix has; 0 when the image lies askew. */
static uint32_t
matrix_orient(const int32_t m[6])
{
	const int64_t main_axis = llabs((int64_t)m[0]) + llabs((int64_t)m[3]);
	const int64_t cross_axis = llabs((int64_t)m[1]) + llabs((int64_t)m[2]);
	bool cross = cross_axis > main_axis;

	if ((cross ? main_axis : cross_axis) * 500 > (cross ? cross_axis : main_axis))
		return 0; /* more than 1/500: about a tenth of a degree */
	for (uint32_t o = cross ? 5 : 1; o <= (cross ? 8u : 4u); o++)
		if (cross ? (m[1] > 0) == (places[o].b > 0) && (m[2] > 0) == (places[o].c > 0) :
		            (m[0] > 0) == (places[o].a > 0) && (m[3] > 0) == (places[o].d > 0))
			return o;
	return 0;
}

int
image_view(const struct image *im, struct image_view *ret, struct err *e)
{
	const int32_t *m = im->matrix;
	uint32_t orient = matrix_orient(m);
	struct image_view v = { .page_w = im->media_w, .page_h = im->media_h };
	int32_t w, h, px, py;

	if (orient == 0)
		return err_set(e, ERR_DOC_FOREIGN, "the image is not drawn upright");
	w = orient < 5 ? m[0] : m[2];
	h = orient < 5 ? m[3] : m[1];
	v.box.x0 = m[4] + (w < 0 ? w : 0);
	v.box.x1 = m[4] + (w > 0 ? w : 0);
	v.box.y0 = im->media_h - m[5] - (h > 0 ? h : 0);
	v.box.y1 = im->media_h - m[5] - (h < 0 ? h : 0);
	view_turn_box(&v.box, &v.page_w, &v.page_h, im->rotate);
	v.orient = image_turned(orient, im->rotate);
	px = (int32_t)(v.orient < 5 ? im->r.w : im->r.h);
	py = (int32_t)(v.orient < 5 ? im->r.h : im->r.w);
	if (v.box.x1 - v.box.x0 < 1000 || v.box.y1 - v.box.y0 < 1000)
		return err_set(e, ERR_DOC_FOREIGN, "the image is drawn smaller than a point");
	v.dpi_x = px * 72000.0 / (v.box.x1 - v.box.x0);
	v.dpi_y = py * 72000.0 / (v.box.y1 - v.box.y0);
	*ret = v;
	return 0;
}

/* --- pixels ------------------------------------------------------------------------------ */

bool
raster_opaque(struct raster *r)
{
	size_t n = (size_t)r->w * r->h * (r->bits / 8);

	for (size_t i = 0; r->alpha != NULL && i < n; i++)
		if (r->alpha[i] != 0xff)
			return false;
	free(r->alpha);
	r->alpha = NULL;
	return true;
}

int
raster_from_pix(struct raster *r, struct Pix *pix, bool cmyk, struct err *e)
{
	const bool grey = pixGetDepth(pix) == 8, alpha = !grey && !cmyk && pixGetSpp(pix) == 4;
	const uint32_t *line = pixGetData(pix);
	const size_t wpl = (size_t)pixGetWpl(pix);

	if (pixGetDepth(pix) != 8 && pixGetDepth(pix) != 32)
		return err_set(e, ERR_DOC_TYPE, "pictures of %d bits a pixel are not read", (int)pixGetDepth(pix));
	r->w = (uint32_t)pixGetWidth(pix);
	r->h = (uint32_t)pixGetHeight(pix);
	r->bits = 8;
	r->comps = grey ? 1 : cmyk ? 4 : 3;
	if (raster_alloc(r, e) < 0 || (alpha && (r->alpha = malloc((size_t)r->w * r->h)) == NULL))
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	for (uint32_t y = 0; y < r->h; y++, line += wpl)
		for (uint32_t x = 0; x < r->w; x++) {
			uint8_t *to = r->data + y * r->stride + (size_t)x * r->comps;

			for (uint32_t c = 0; c < r->comps; c++)
				to[c] = (uint8_t)(grey ? GET_DATA_BYTE(line, x) : line[x] >> (24 - 8 * c));
			if (alpha)
				r->alpha[(size_t)y * r->w + x] = (uint8_t)line[x];
		}
	return 0;
}

/* One component of one pixel as 0..255; an index stays an index. */
static uint8_t
sample(const struct raster *r, const uint8_t *row, size_t i)
{
	uint32_t v, max;

	if (r->bits == 8)
		return row[i];
	if (r->bits == 16)
		return row[2 * i];
	max = (1u << r->bits) - 1;
	v = (uint32_t)row[i * r->bits / 8] >> (8 - r->bits - i * r->bits % 8) & max;
	return (uint8_t)(r->ncolours > 0 ? v : v * 255 / max);
}

static void
opaque_rgb(const struct raster *r, const uint8_t *row, uint32_t x, uint8_t rgb[3])
{
	uint8_t v;

	if (r->comps == 4) { /* good enough to read and to look at; the page itself has a profile */
		unsigned paper = 255u - sample(r, row, 4 * (size_t)x + 3);

		for (size_t c = 0; c < 3; c++)
			rgb[c] = (uint8_t)(((255u - sample(r, row, 4 * (size_t)x + c)) * paper + 127) / 255);
		return;
	}
	if (r->comps == 3) {
		for (size_t c = 0; c < 3; c++)
			rgb[c] = sample(r, row, 3 * (size_t)x + c);
		return;
	}
	v = sample(r, row, x);
	if (r->ncolours > 0)
		memcpy(rgb, r->palette + 3 * (v < r->ncolours ? v : r->ncolours - 1), 3);
	else
		rgb[0] = rgb[1] = rgb[2] = (uint8_t)(r->white_is_zero ? 255 - v : v);
}

/* Transparency shows white paper. */
static void
pixel_rgb(const struct raster *r, uint32_t x, uint32_t y, uint8_t rgb[3])
{
	unsigned a, v;

	opaque_rgb(r, r->data + y * r->stride, x, rgb);
	if (r->alpha == NULL)
		return;
	a = r->alpha[((size_t)y * r->w + x) * (r->bits / 8)];
	for (size_t c = 0; c < 3; c++) {
		v = r->premultiplied ? rgb[c] + 255 - a : (rgb[c] * a + 255 * (255 - a) + 127) / 255;
		rgb[c] = (uint8_t)(v > 255 ? 255 : v);
	}
}

static void
fill_bitonal(const struct raster *r, uint8_t *dst, size_t stride)
{
	uint8_t tail = (uint8_t)(r->w % 8 == 0 ? 0xff : 0xff << (8 - r->w % 8));

	for (uint32_t y = 0; y < r->h; y++) {
		const uint8_t *src = r->data + y * r->stride;
		uint8_t *d = dst + y * stride;

		for (size_t i = 0; i < r->stride; i++)
			d[i] = (uint8_t)(r->white_is_zero ? src[i] : ~src[i]);
		d[r->stride - 1] &= tail;
	}
}

static uint8_t
grey_of(const uint8_t rgb[3])
{
	return (uint8_t)((77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2]) >> 8);
}

/* Rows as most scanners make them have ways of their own: a page has millions of pixels. */
static void
fill_grey(const struct raster *r, uint8_t *dst, size_t stride)
{
	const bool bytes = r->bits == 8 && r->ncolours == 0 && r->alpha == NULL;
	uint8_t rgb[3];

	for (uint32_t y = 0; y < r->h; y++) {
		const uint8_t *src = r->data + y * r->stride;
		uint8_t *d = dst + y * stride;

		if (bytes && r->comps == 1 && !r->white_is_zero)
			memcpy(d, src, r->w);
		else if (bytes && r->comps == 3)
			for (uint32_t x = 0; x < r->w; x++)
				d[x] = grey_of(src + 3 * (size_t)x);
		else
			for (uint32_t x = 0; x < r->w; x++) {
				pixel_rgb(r, x, y, rgb);
				d[x] = grey_of(rgb);
			}
	}
}

static void
fill_colour(const struct raster *r, uint8_t *dst, size_t stride)
{
	for (uint32_t y = 0; y < r->h; y++)
		for (uint32_t x = 0; x < r->w; x++) {
			uint8_t *d = dst + y * stride + 4 * (size_t)x;

			pixel_rgb(r, x, y, d);
			d[3] = 0;
		}
}

int
image_pix(const struct image *im, bool colour, struct Pix **ret, struct err *e)
{
	const struct raster *r = &im->r;
	int depth = 8;
	PIX *p;

	if (r->comps == 1 && r->bits == 1 && r->ncolours == 0)
		depth = 1;
	else if (colour && (r->comps >= 3 || r->ncolours > 0))
		depth = 32;
	if ((p = pixCreate((l_int32)r->w, (l_int32)r->h, depth)) == NULL)
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	if (depth == 1)
		fill_bitonal(r, (uint8_t *)pixGetData(p), 4 * (size_t)pixGetWpl(p));
	else if (depth == 8)
		fill_grey(r, (uint8_t *)pixGetData(p), 4 * (size_t)pixGetWpl(p));
	else
		fill_colour(r, (uint8_t *)pixGetData(p), 4 * (size_t)pixGetWpl(p));
	pixEndianByteSwap(p); /* leptonica wants the first pixel in the high bits of host words */
	*ret = p;
	return 0;
}

/* One step of orientation on *p; false when memory is short (*p is gone then). */
static bool
step(PIX **p, PIX *next)
{
	pixDestroy(p);
	*p = next;
	return next != NULL;
}

struct Pix *
image_orient_pix(struct Pix *src, uint32_t orient)
{
	/* clockwise quarter turns, then a mirror */
	static const struct {
		int quarters;
		char mirror;
	} how[9] = { { 0, 0 }, { 0, 0 }, { 0, 'x' }, { 2, 0 }, { 0, 'y' }, { 1, 'x' }, { 1, 0 }, { 1, 'y' }, { 3, 0 } };
	PIX *p = pixClone(src);

	if (how[orient].quarters != 0 && !step(&p, pixRotateOrth(p, how[orient].quarters)))
		return NULL;
	if (how[orient].mirror == 'x')
		step(&p, pixFlipLR(NULL, p));
	else if (how[orient].mirror == 'y')
		step(&p, pixFlipTB(NULL, p));
	return p;
}

/* --- objects ----------------------------------------------------------------------------- */

int
image_add_object(struct image *im, char *dict, uint8_t *data, uint64_t len, struct err *e)
{
	if (dict == NULL || im->nobjects >= PAGEFILE_OBJECTS_MAX) {
		free(dict);
		free(data);
		return err_set(e, dict == NULL ? ERR_MEM : ERR_DOC_BAD, "objects of the page image");
	}
	im->objects[im->nobjects++] = (struct image_object){ .dict = dict, .data = data, .len = len };
	return 0;
}

int
image_add_source_object(struct image *im, char *dict, uint64_t off, uint64_t len, struct err *e)
{
	int r = image_add_object(im, dict, NULL, len, e);

	if (r == 0) {
		im->objects[im->nobjects - 1].in_source = true;
		im->objects[im->nobjects - 1].off = off;
	}
	return r;
}

char *
image_colour(const struct raster *r)
{
	AUTO_BUF b;

	buf_init(&b, 4096);
	if (r->ncolours > 0) {
		buf_printf(&b, "/ColorSpace[/Indexed/DeviceRGB %u<", r->ncolours - 1);
		for (size_t i = 0; i < 3 * (size_t)r->ncolours; i++)
			buf_printf(&b, "%02x", r->palette[i]);
		buf_printf(&b, ">]");
	} else {
		buf_printf(&b, "/ColorSpace%s", r->comps == 4 ? "[/ICCBased @1]" : r->comps == 3 ? "/DeviceRGB" : "/DeviceGray");
	}
	buf_printf(&b, "/BitsPerComponent %u", r->bits);
	if (r->ncolours == 0 && r->white_is_zero)
		buf_printf(&b, "/Decode[1 0]");
	return buf_take_text(&b);
}

void
image_drop_pixels(struct image *im)
{
	free(im->r.data);
	free(im->r.alpha);
	free(im->r.icc);
	im->r.data = im->r.alpha = im->r.icc = NULL;
}

void
image_done(struct image *im)
{
	image_drop_pixels(im);
	for (uint32_t i = 0; i < im->nobjects; i++) {
		free(im->objects[i].dict);
		free(im->objects[i].data);
	}
	*im = (struct image){ 0 };
}

int
image_read(struct image *im, struct source *s, uint32_t kind, uint32_t page, enum image_want want,
    const struct conf_scan *scan, struct err *e)
{
	switch (kind) {
	case DOC_TIFF:
		return tiff_read(im, s, page, want, scan, e);
	case DOC_JPEG:
		return jpeg_read(im, s, page, want, scan, e);
	case DOC_PNG:
		return png_read(im, s, page, want, scan, e);
	case DOC_JP2:
		return jp2_read(im, s, page, want, scan, e);
	case DOC_WEBP:
		return webp_read(im, s, page, scan, e);
	case DOC_PDF:
		return pdf_read(im, s, page, want, scan, e);
	default:
		return err_set(e, ERR_PEER, "kind of document %u is unknown", kind);
	}
}
