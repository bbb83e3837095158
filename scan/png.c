#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/lib/io.h"

#include "scan/png.h"

static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };

bool
png_magic(const uint8_t *head, size_t len)
{
	return len > 1 && memcmp(head, signature, len < 8 ? len : 8) == 0;
}

struct png_info_own {
	uint32_t w, h;
	uint8_t bits, type, interlace; /* as in IHDR */
	bool transparent;              /* tRNS */
	double dpi_x, dpi_y;           /* NAN: not said */
	uint32_t ncolours;
	const uint8_t *palette;
	uint64_t idat_off, idat_len;   /* the first IDAT, and the length of all */
	uint32_t nidat;
};

static uint32_t
be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int
bad(struct err *e, enum err_code code, const char *what)
{
	err_set(e, code, "%s", what);
	e->page = 1;
	return -(int)code;
}

static int
take_header(struct png_info_own *p, const uint8_t *d, size_t n, struct err *e)
{
	if (n != 13)
		return bad(e, ERR_DOC_BAD, "the PNG header has the wrong length");
	p->w = be32(d);
	p->h = be32(d + 4);
	p->bits = d[8];
	p->type = d[9];
	p->interlace = d[12];
	return 0;
}

static void
take_chunk(struct png_info_own *p, const uint8_t *name, const uint8_t *d, size_t n, uint64_t off)
{
	if (memcmp(name, "PLTE", 4) == 0 && n % 3 == 0 && n > 0 && n <= 768) {
		p->palette = d;
		p->ncolours = (uint32_t)(n / 3);
	} else if (memcmp(name, "tRNS", 4) == 0) {
		p->transparent = true;
	} else if (memcmp(name, "pHYs", 4) == 0 && n == 9 && d[8] == 1) {
		p->dpi_x = be32(d) * 0.0254;
		p->dpi_y = be32(d + 4) * 0.0254;
	} else if (memcmp(name, "IDAT", 4) == 0) {
		if (p->nidat++ == 0)
			p->idat_off = off;
		p->idat_len += n;
	}
}

/* All chunks, in their bounds and with the right CRC, from IHDR to IEND. */
static int
walk(struct png_info_own *p, const struct source *s, struct err *e)
{
	const uint8_t *d = s->map;
	uint64_t at = 8;
	int r;

	*p = (struct png_info_own){ .dpi_x = NAN, .dpi_y = NAN };
	for (;;) {
		uint64_t len;

		if (s->size < 12 || at > s->size - 12)
			return bad(e, ERR_DOC_INCOMPLETE, "the PNG ends before its IEND chunk");
		len = be32(d + at);
		if (len > s->size - at - 12)
			return bad(e, ERR_DOC_INCOMPLETE, "a PNG chunk goes on behind the end of the file");
		if (crc32(0, d + at + 4, (uInt)(len + 4)) != be32(d + at + 8 + len))
			return bad(e, ERR_DOC_BAD, "a PNG chunk has a wrong checksum");
		if ((at == 8) != (memcmp(d + at + 4, "IHDR", 4) == 0))
			return bad(e, ERR_DOC_BAD, "the PNG does not begin with one header");
		if (at == 8 && (r = take_header(p, d + at + 8, len, e)) < 0)
			return r;
		take_chunk(p, d + at + 4, d + at + 8, len, at + 8);
		at += len + 12;
		if (memcmp(d + at - 8 - len, "IEND", 4) == 0)
			break;
	}
	if (at != s->size || p->nidat == 0)
		return bad(e, ERR_DOC_BAD, at != s->size ? "data follow the end of the PNG" : "the PNG has no image data");
	return 0;
}

/* Samples a pixel of each colour type; 0: not one of RFC 2083, 4.1.1. */
static uint32_t
samples(const struct png_info_own *p)
{
	static const uint8_t count[7] = { 1, 0, 3, 1, 2, 0, 4 };
	bool small = p->type == PNG_COLOR_TYPE_GRAY || p->type == PNG_COLOR_TYPE_PALETTE;
	bool bits_ok = p->bits == 8 || (p->bits == 16 && p->type != PNG_COLOR_TYPE_PALETTE) ||
	    (small && (p->bits == 1 || p->bits == 2 || p->bits == 4));

	return p->type < 7 && bits_ok && p->interlace < 2 ? count[p->type] : 0;
}

static int
check(struct png_info_own *p, struct source *s, const struct conf_scan *scan, struct err *e)
{
	struct raster shape = { 0 };
	int r;

	if ((r = source_map(s, e)) < 0 || (r = walk(p, s, e)) < 0)
		return r;
	if (samples(p) == 0 || (p->type == PNG_COLOR_TYPE_PALETTE && p->ncolours == 0))
		return bad(e, ERR_DOC_BAD, "the PNG header does not make sense");
	if ((r = image_check_size(p->w, p->h, scan, 0, e)) < 0)
		return r;
	shape = (struct raster){ .w = p->w, .h = p->h, .comps = samples(p), .bits = p->bits };
	return image_check_ratio(&shape, p->idat_len, 0, e);
}

int
png_inspect(struct source *s, const struct conf_scan *scan, struct inspect_result *ret, struct err *e)
{
	struct png_info_own p;
	int r = check(&p, s, scan, e);

	if (r == 0)
		image_measure(ret, p.w, p.h);
	return r;
}

/* --- pixels through libpng ------------------------------------------------------------------- */

struct decoder {
	png_structp png;
	png_infop info;
	const uint8_t *p, *end;
	uint8_t **rows;
	char text[120];
};

static void
on_error(png_structp png, png_const_charp text)
{
	struct decoder *d = png_get_error_ptr(png);

	snprintf(d->text, sizeof(d->text), "%s", text);
	png_longjmp(png, 1);
}

static void
on_warning(png_structp png, png_const_charp text)
{
	(void)png;
	(void)text; /* about colour profiles and the like: nothing that is used */
}

static void
on_read(png_structp png, png_bytep to, size_t n)
{
	struct decoder *d = png_get_io_ptr(png);

	if (n > (size_t)(d->end - d->p))
		png_error(png, "the data end too early");
	memcpy(to, d->p, n);
	d->p += n;
}

/* Colour and opacity as samples of 8 or 16 bits each. */
static uint32_t
split_opacity(struct decoder *d, struct raster *r)
{
	png_set_expand(d->png);
	png_set_interlace_handling(d->png);
	png_read_update_info(d->png, d->info);
	r->bits = png_get_bit_depth(d->png, d->info);
	r->comps = png_get_channels(d->png, d->info) - 1u;
	return r->comps + 1;
}

static uint32_t
as_stored(struct decoder *d, struct raster *r, const struct png_info_own *p)
{
	png_set_interlace_handling(d->png);
	png_read_update_info(d->png, d->info);
	r->bits = p->bits;
	r->comps = png_get_channels(d->png, d->info);
	if (p->type == PNG_COLOR_TYPE_PALETTE) {
		memcpy(r->palette, p->palette, 3 * (size_t)p->ncolours);
		r->ncolours = p->ncolours;
	}
	return r->comps;
}

/* The last sample of each pixel goes to its own place; rows are packed anew where they lie. */
static int
take_opacity(struct raster *r, size_t wide, struct err *e)
{
	const size_t size = r->bits / 8, stride = size * r->w * r->comps;
	uint8_t *to;

	if ((to = r->alpha = malloc(size * r->w * r->h)) == NULL)
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	for (uint32_t y = 0; y < r->h; y++)
		for (uint32_t x = 0; x < r->w; x++, to += size) {
			const uint8_t *from = r->data + y * wide + x * size * (r->comps + 1);

			memcpy(to, from + size * r->comps, size);
			memmove(r->data + y * stride + x * size * r->comps, from, size * r->comps); /* never ahead of the reading */
		}
	r->stride = stride;
	return 0;
}

static int
decode(struct decoder *d, struct raster *r, const struct png_info_own *p, struct err *e)
{
	const bool opacity = p->transparent || p->type & PNG_COLOR_MASK_ALPHA;
	struct raster wide;

	if (setjmp(png_jmpbuf(d->png)) != 0)
		return -ERR_DOC_BAD;
	png_set_user_limits(d->png, IMAGE_SIDE_MAX, IMAGE_SIDE_MAX);
	png_set_read_fn(d->png, d, on_read);
	png_read_info(d->png, d->info);
	r->w = p->w;
	r->h = p->h;
	wide = *r;
	wide.comps = opacity ? split_opacity(d, r) : as_stored(d, r, p);
	wide.bits = r->bits;
	if (raster_alloc(&wide, e) < 0)
		return -(int)e->code;
	r->data = wide.data;
	r->stride = wide.stride;
	if (png_get_rowbytes(d->png, d->info) != wide.stride || (r->comps != 1 && r->comps != 3))
		return -ERR_DOC_BAD;
	if ((d->rows = calloc(r->h, sizeof(*d->rows))) == NULL)
		return err_set(e, ERR_MEM, "PNG rows");
	for (uint32_t y = 0; y < r->h; y++)
		d->rows[y] = r->data + y * r->stride;
	png_read_image(d->png, d->rows);
	png_read_end(d->png, NULL);
	return opacity ? take_opacity(r, wide.stride, e) : 0;
}

static int
read_raster(struct raster *r, const struct png_info_own *p, const struct source *s, struct err *e)
{
	struct decoder d = { .p = s->map, .end = s->map + s->size };
	int ret;

	d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
	d.info = d.png == NULL ? NULL : png_create_info_struct(d.png);
	if (d.info == NULL) {
		png_destroy_read_struct(&d.png, NULL, NULL);
		return err_set(e, ERR_MEM, "libpng");
	}
	ret = decode(&d, r, p, e);
	png_destroy_read_struct(&d.png, &d.info, NULL);
	free(d.rows);
	if (ret != -ERR_DOC_BAD)
		return ret;
	err_set(e, ERR_DOC_BAD, "the PNG can not be decoded: %s", d.text);
	e->page = 1;
	return ret;
}

/* The IDAT chunks in a row. */
static uint8_t *
join_idat(const struct png_info_own *p, const struct source *s)
{
	uint8_t *data = malloc(p->idat_len);
	uint64_t at = 8, n = 0;

	while (data != NULL && n < p->idat_len) {
		uint64_t len = be32(s->map + at);

		if (memcmp(s->map + at + 4, "IDAT", 4) == 0) {
			memcpy(data + n, s->map + at + 8, len);
			n += len;
		}
		at += len + 12;
	}
	return data;
}

static int
pass(struct image *im, const struct png_info_own *p, const struct source *s, struct err *e)
{
	AUTO_FREE char *colour = NULL;
	uint8_t *data;
	char *dict;

	if (p->interlace != 0 || p->transparent || p->type & PNG_COLOR_MASK_ALPHA)
		return 0;
	if ((colour = image_colour(&im->r)) == NULL ||
	    asprintf(&dict, "/Width %u/Height %u%s/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors %u"
	                    "/BitsPerComponent %u/Columns %u>>", p->w, p->h, colour, im->r.comps, im->r.bits, p->w) < 0)
		return err_set(e, ERR_MEM, "page image");
	if (p->nidat == 1)
		return image_add_source_object(im, dict, p->idat_off, p->idat_len, e);
	if ((data = join_idat(p, s)) == NULL) {
		free(dict);
		return err_set(e, ERR_MEM, "page image");
	}
	return image_add_object(im, dict, data, p->idat_len, e);
}

int
png_read(struct image *im, struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
    struct err *e)
{
	struct png_info_own p;
	int r;

	if (page != 0)
		return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	if ((r = check(&p, s, scan, e)) < 0 || (r = read_raster(&im->r, &p, s, e)) < 0)
		return r;
	if (want == IMAGE_FOR_TEXT && (r = pass(im, &p, s, e)) < 0)
		return r;
	image_place(im, p.dpi_x, p.dpi_y, 1);
	return 0;
}
