#include <leptonica/allheaders.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/icc.h"
#include "scan/jp2.h"

#define BOXES_MAX 1000
#define COMPONENTS_MAX 5

/* T.800, table I.10, and CMYK of T.801. */
enum { SPACE_CMYK = 12, SPACE_SRGB = 16, SPACE_GREY = 17 };

bool
jp2_magic(const uint8_t *head, size_t len)
{
	static const uint8_t signature[12] = { 0, 0, 0, 12, 'j', 'P', ' ', ' ', 0x0d, 0x0a, 0x87, 0x0a };

	return len > 4 && memcmp(head, signature, len < 12 ? len : 12) == 0;
}

struct jp2 {
	uint32_t w, h, comps, bits;
	uint32_t space, ncolours; /* the first enumerated colour space, and how many there are */
	bool alike;               /* components are unsigned, of one size and depth */
	bool special;             /* palette, opacity, depths of their own */
	bool codestream;
	double dpi_x, dpi_y;
};

static uint32_t
be(const uint8_t *p, int n)
{
	uint32_t v = 0;

	for (int i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static int
bad(struct err *e, enum err_code code, const char *what)
{
	err_set(e, code, "%s", what);
	e->page = 1;
	return -(int)code;
}

/* --- boxes ---------------------------------------------------------------------------------------- */

struct box_of_file {
	const uint8_t *p; /* content */
	uint64_t len;
	char type[5];
};

/* The box at *at inside d[0..n); moves on. */
static int
next_box(const uint8_t *d, uint64_t n, uint64_t *at, struct box_of_file *ret, struct err *e)
{
	uint64_t left = n - *at, len, head = 8;

	if (left < 8)
		return bad(e, ERR_DOC_INCOMPLETE, "the JPEG 2000 file ends inside a box");
	len = be(d + *at, 4);
	if (len == 1 && left >= 16) {
		len = (uint64_t)be(d + *at + 8, 4) << 32 | be(d + *at + 12, 4);
		head = 16;
	} else if (len == 0) {
		len = left; /* the last one, to the end */
	}
	if (len < head)
		return bad(e, ERR_DOC_BAD, "a box of the JPEG 2000 file is damaged");
	if (len > left)
		return bad(e, ERR_DOC_INCOMPLETE, "a box of the JPEG 2000 file goes on behind its end");
	memcpy(ret->type, d + *at + 4, 4);
	ret->type[4] = '\0';
	ret->p = d + *at + head;
	ret->len = len - head;
	*at += len;
	return 0;
}

/* Resolution in dots a metre, as two fractions with exponents (T.800, I.5.3.7). */
static double
dots(const uint8_t *fraction, const uint8_t *exponent)
{
	uint32_t under = be(fraction + 2, 2);

	return under == 0 ? NAN : 0.0254 * be(fraction, 2) / under * pow(10, (int8_t)*exponent);
}

/* As captured goes before as to be displayed. */
static int
take_resolution(struct jp2 *j, const struct box_of_file *super, struct err *e)
{
	struct box_of_file b;
	uint64_t at = 0;
	int r;

	while (at < super->len) {
		if ((r = next_box(super->p, super->len, &at, &b, e)) < 0)
			return r;
		if (b.len < 10 || (strcmp(b.type, "resc") != 0 && (strcmp(b.type, "resd") != 0 || !isnan(j->dpi_x))))
			continue;
		j->dpi_y = dots(b.p, b.p + 8);
		j->dpi_x = dots(b.p + 4, b.p + 9);
	}
	return 0;
}

static int
take_header(struct jp2 *j, const struct box_of_file *super, struct err *e)
{
	struct box_of_file b;
	uint64_t at = 0;
	int r;

	while (at < super->len) {
		if ((r = next_box(super->p, super->len, &at, &b, e)) < 0)
			return r;
		if (strcmp(b.type, "colr") == 0 && b.len >= 7) {
			if (j->ncolours++ == 0 && b.p[0] == 1)
				j->space = be(b.p + 3, 4);
		} else if (strcmp(b.type, "pclr") == 0 || strcmp(b.type, "cdef") == 0 || strcmp(b.type, "bpcc") == 0) {
			j->special = true;
		} else if (strcmp(b.type, "res ") == 0 && (r = take_resolution(j, &b, e)) < 0) {
			return r;
		}
	}
	return 0;
}

/* SIZ is the codestream's first segment (T.800, A.5.1); what it says counts, not the boxes. */
static int
take_codestream(struct jp2 *j, const struct box_of_file *b, struct err *e)
{
	const uint8_t *p = b->p, *c = p + 42;

	if (b->len < 42 + 3 + 2 || memcmp(p, "\xff\x4f\xff\x51", 4) != 0)
		return bad(e, ERR_DOC_BAD, "the JPEG 2000 codestream has no header");
	if (p[b->len - 2] != 0xff || p[b->len - 1] != 0xd9)
		return bad(e, ERR_DOC_INCOMPLETE, "the JPEG 2000 codestream does not end with its end marker");
	j->w = be(p + 8, 4) - be(p + 16, 4);
	j->h = be(p + 12, 4) - be(p + 20, 4);
	j->comps = be(p + 40, 2);
	if (be(p + 8, 4) < be(p + 16, 4) || be(p + 12, 4) < be(p + 20, 4) || j->comps == 0 || j->comps > COMPONENTS_MAX ||
	    42 + 3 * (uint64_t)j->comps > b->len)
		return bad(e, ERR_DOC_BAD, "the JPEG 2000 header does not make sense");
	j->bits = (c[0] & 0x7fu) + 1;
	j->alike = c[0] < 0x80;
	for (uint32_t i = 0; i < j->comps; i++)
		j->alike = j->alike && c[3 * i] == c[0] && c[3 * i + 1] == 1 && c[3 * i + 2] == 1;
	j->codestream = true;
	return 0;
}

static int
walk(struct jp2 *j, const struct source *s, struct err *e)
{
	struct box_of_file b;
	uint64_t at = 12;
	int r = 0;

	*j = (struct jp2){ .dpi_x = NAN, .dpi_y = NAN };
	for (int i = 0; i < BOXES_MAX && at < s->size && !j->codestream; i++) {
		if ((r = next_box(s->map, s->size, &at, &b, e)) < 0)
			return r;
		if (strcmp(b.type, "jp2h") == 0)
			r = take_header(j, &b, e);
		else if (strcmp(b.type, "jp2c") == 0)
			r = take_codestream(j, &b, e);
		if (r < 0)
			return r;
	}
	return j->codestream ? 0 : bad(e, ERR_DOC_INCOMPLETE, "the JPEG 2000 file has no codestream");
}

/* --- what is read ---------------------------------------------------------------------------------- */

static bool
is_cmyk(const struct jp2 *j)
{
	return j->space == SPACE_CMYK && j->comps == 4;
}

/* One meaning for everybody: the stream may stay. */
static bool
may_pass(const struct jp2 *j)
{
	return j->ncolours == 1 && !j->special &&
	    (is_cmyk(j) || (j->space == SPACE_SRGB && j->comps == 3) || (j->space == SPACE_GREY && j->comps == 1));
}

static int
check(struct jp2 *j, struct source *s, const struct conf_scan *scan, struct err *e)
{
	struct raster shape = { 0 };
	int r;

	if ((r = source_map(s, e)) < 0 || (r = walk(j, s, e)) < 0 || (r = image_check_size(j->w, j->h, scan, 0, e)) < 0)
		return r;
	if (!j->alike || j->bits < 8 || j->bits > 16 || (j->bits > 8 && !may_pass(j)))
		return bad(e, ERR_DOC_TYPE, "a JPEG 2000 file of this depth or with this sampling is not read");
	if (!may_pass(j) && j->space != 0 && j->space != SPACE_SRGB && j->space != SPACE_GREY && !is_cmyk(j))
		return bad(e, ERR_DOC_TYPE, "a JPEG 2000 file of this colour space is not read");
	shape = (struct raster){ .w = j->w, .h = j->h, .comps = j->comps, .bits = j->bits };
	return image_check_ratio(&shape, s->size, 0, e);
}

int
jp2_inspect(struct source *s, const struct conf_scan *scan, struct inspect_result *ret, struct err *e)
{
	struct jp2 j;
	int r = check(&j, s, scan, e);

	if (r == 0)
		image_measure(ret, j.w, j.h);
	return r;
}

static int
pass(struct image *im, const struct jp2 *j, const struct source *s, struct err *e)
{
	char *dict;
	int r;

	if (asprintf(&dict, "/Width %u/Height %u/ColorSpace%s/BitsPerComponent %u/Filter/JPXDecode", j->w, j->h,
	        is_cmyk(j) ? "[/ICCBased @1]" : j->comps == 3 ? "/DeviceRGB" : "/DeviceGray", j->bits) < 0)
		return err_set(e, ERR_MEM, "page image");
	if ((r = image_add_source_object(im, dict, 0, s->size, e)) < 0 || !is_cmyk(j))
		return r;
	return icc_add_cmyk(im, NULL, 0, e);
}

int
jp2_read(struct image *im, struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
    struct err *e)
{
	struct jp2 j;
	PIX *pix;
	int r;

	if (page != 0)
		return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	if ((r = check(&j, s, scan, e)) < 0)
		return r;
	if ((pix = pixReadMemJp2k(s->map, s->size, 1, NULL, 0, 0)) == NULL)
		return bad(e, ERR_DOC_BAD, "the JPEG 2000 file can not be decoded");
	r = raster_from_pix(&im->r, pix, is_cmyk(&j), e);
	pixDestroy(&pix);
	if (r == 0 && (im->r.w != j.w || im->r.h != j.h))
		return bad(e, ERR_DOC_BAD, "the JPEG 2000 file is not as large as it says");
	if (r == 0 && want == IMAGE_FOR_TEXT && may_pass(&j))
		r = pass(im, &j, s, e);
	if (r == 0)
		image_place(im, j.dpi_x, j.dpi_y, 1);
	return r;
}
