#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "scan/icc.h"
#include "scan/jpeg.h"

bool
jpeg_magic(const uint8_t *head, size_t len)
{
	static const uint8_t soi[3] = { 0xff, 0xd8, 0xff };

	return len > 1 && memcmp(head, soi, len < 3 ? len : 3) == 0;
}

/* --- markers ------------------------------------------------------------------------------ */

static int
bad(struct err *e, uint32_t page, enum err_code code, const char *what)
{
	err_set(e, code, "page %u: %s", page + 1, what);
	e->page = page + 1;
	return -(int)code;
}

static bool
is_frame(uint8_t marker)
{
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* A frame header: what it is, and how large. */
static int
take_frame(struct jpeg_info *j, uint8_t marker, const uint8_t *p, size_t len, uint32_t page, struct err *e)
{
	if (len < 6)
		return bad(e, page, ERR_DOC_BAD, "the JPEG frame header is too short");
	if (marker > 0xc2 || p[0] != 8)
		return bad(e, page, ERR_DOC_TYPE, "this kind of JPEG (lossless, arithmetic or more than 8 bits) is not read");
	j->h = (uint32_t)p[1] << 8 | p[2];
	j->w = (uint32_t)p[3] << 8 | p[4];
	j->comps = p[5];
	if (j->comps != 1 && j->comps != 3 && j->comps != 4)
		return bad(e, page, ERR_DOC_TYPE, "a JPEG of this number of colours is not read");
	return 0;
}

/* Up to the frame header; the data behind it are the decoder's business. */
static int
find_frame(struct jpeg_info *j, const uint8_t *d, size_t n, uint32_t page, struct err *e)
{
	size_t at = 2;

	for (;;) {
		size_t len;

		while (at < n && d[at] == 0xff && at + 1 < n && d[at + 1] == 0xff)
			at++; /* fill bytes, T.81 B.1.1.2 */
		if (n < 4 || at > n - 4)
			return bad(e, page, ERR_DOC_INCOMPLETE, "the JPEG data end before the frame header");
		if (d[at] != 0xff)
			return bad(e, page, ERR_DOC_BAD, "the JPEG markers are damaged");
		len = (size_t)d[at + 2] << 8 | d[at + 3];
		if (len < 2 || len > n - at - 2)
			return bad(e, page, len < 2 ? ERR_DOC_BAD : ERR_DOC_INCOMPLETE, "a JPEG segment does not fit into the data");
		if (is_frame(d[at + 1]))
			return take_frame(j, d[at + 1], d + at + 4, len - 2, page, e);
		if (d[at + 1] == 0xda || d[at + 1] == 0xd9)
			return bad(e, page, ERR_DOC_BAD, "the JPEG has no frame header");
		at += 2 + len;
	}
}

/* EOI, with nothing but padding behind it. */
static bool
find_end(struct jpeg_info *j, const uint8_t *d, size_t n)
{
	while (n > 2 && !(d[n - 2] == 0xff && d[n - 1] == 0xd9) &&
	    (d[n - 1] == 0 || d[n - 1] == 0xff || d[n - 1] == '\n' || d[n - 1] == '\r'))
		n--;
	j->end = n;
	return n > 2 && d[n - 2] == 0xff && d[n - 1] == 0xd9;
}

/* --- EXIF: a small TIFF inside APP1 ----------------------------------------------------------- */

struct exif {
	const uint8_t *p;
	size_t n;
	bool be;
};

static uint32_t
exif_number(const struct exif *x, size_t at, size_t size)
{
	uint32_t v = 0;

	if (at > x->n || size > x->n - at)
		return 0;
	for (size_t i = 0; i < size; i++)
		v = v << 8 | x->p[at + (x->be ? i : size - 1 - i)];
	return v;
}

static double
exif_rational(const struct exif *x, size_t at)
{
	uint32_t under = exif_number(x, at + 4, 4);

	return under == 0 ? 0 : (double)exif_number(x, at, 4) / under;
}

static void
read_exif(struct jpeg_info *j, const uint8_t *p, size_t n, bool want_dpi)
{
	struct exif x = { .p = p + 6, .n = n - 6 };
	double rx = NAN, ry = NAN, k = 1;
	size_t at, entries;

	if (n < 14 || memcmp(p, "Exif\0", 6) != 0)
		return;
	x.be = x.p[0] == 'M';
	at = exif_number(&x, 4, 4);
	entries = exif_number(&x, at, 2);
	at += 2;
	for (size_t i = 0; i < entries && i < 200; i++, at += 12) {
		uint32_t tag = exif_number(&x, at, 2), value = exif_number(&x, at + 8, 2), far = exif_number(&x, at + 8, 4);

		if (tag == 0x112 && value >= 1 && value <= 8)
			j->orient = value;
		else if (tag == 0x11a)
			rx = exif_rational(&x, far);
		else if (tag == 0x11b)
			ry = exif_rational(&x, far);
		else if (tag == 0x128)
			k = value == 3 ? 2.54 : value == 2 ? 1 : NAN;
	}
	if (want_dpi) {
		j->dpi_x = rx * k;
		j->dpi_y = ry * k;
	}
}

/* --- libjpeg ---------------------------------------------------------------------------------- */

struct decoder {
	struct jpeg_decompress_struct c;
	struct jpeg_error_mgr err;
	struct jpeg_progress_mgr progress;
	jmp_buf back;
	bool damaged;
	char text[JMSG_LENGTH_MAX];
	uint8_t *line; /* CMYK rows */
};

static void
on_fatal(j_common_ptr c)
{
	struct decoder *d = (struct decoder *)(void *)c;

	c->err->format_message(c, d->text);
	longjmp(d->back, 1);
}

/* Warnings are about data that are not as they were written, but for two that are only odd. */
static void
on_message(j_common_ptr c, int level)
{
	struct decoder *d = (struct decoder *)(void *)c;

	if (level >= 0 || c->err->msg_code == JWRN_EXTRANEOUS_DATA || c->err->msg_code == JWRN_ADOBE_XFORM)
		return;
	if (!d->damaged)
		c->err->format_message(c, d->text);
	d->damaged = true;
}

/* A few bytes are a scan, and each goes over the whole image: writers make ten, this many nobody means. */
#define SCANS_MAX 100

static void
on_progress(j_common_ptr c)
{
	struct decoder *d = (struct decoder *)(void *)c;

	if (d->c.input_scan_number <= SCANS_MAX)
		return;
	snprintf(d->text, sizeof(d->text), "it has more than %d scans", SCANS_MAX);
	longjmp(d->back, 1);
}

static void
take_density(struct decoder *d, struct jpeg_info *j)
{
	const struct jpeg_decompress_struct *c = &d->c;
	bool jfif = c->saw_JFIF_marker && (c->density_unit == 1 || c->density_unit == 2);

	j->orient = 1;
	j->dpi_x = jfif ? c->X_density * (c->density_unit == 2 ? 2.54 : 1) : NAN;
	j->dpi_y = jfif ? c->Y_density * (c->density_unit == 2 ? 2.54 : 1) : NAN;
	for (jpeg_saved_marker_ptr m = c->marker_list; m != NULL; m = m->next)
		read_exif(j, m->data, m->data_length, !jfif);
	j->ycc = c->jpeg_color_space == JCS_YCbCr;
	j->adobe = c->saw_Adobe_marker;
	j->plain_rgb = c->num_components == 3 && c->jpeg_color_space == JCS_RGB && !c->saw_Adobe_marker;
}

/* Ink on white paper; Adobe writes 255 for no ink. */
static void
cmyk_to_rgb(const uint8_t *in, uint8_t *out, uint32_t w, bool inverted)
{
	for (uint32_t x = 0; x < w; x++, in += 4, out += 3)
		for (int i = 0; i < 3; i++) {
			unsigned ink = inverted ? in[i] : 255u - in[i], key = inverted ? in[3] : 255u - in[3];

			out[i] = (uint8_t)((ink * key + 127) / 255);
		}
}

static void
choose_colours(struct jpeg_decompress_struct *c, struct raster *r, bool grey)
{
	r->comps = c->num_components == 1 || (grey && c->jpeg_color_space == JCS_YCbCr) ? 1 : 3;
	c->out_color_space = c->num_components == 4 ? JCS_CMYK : r->comps == 1 ? JCS_GRAYSCALE : JCS_RGB;
	r->w = c->image_width;
	r->h = c->image_height;
	r->bits = 8;
}

static int
read_lines(struct decoder *d, struct raster *r)
{
	bool cmyk = d->c.out_color_space == JCS_CMYK;

	if (cmyk && (d->line = malloc((size_t)r->w * 4)) == NULL)
		return -1;
	jpeg_start_decompress(&d->c);
	while (d->c.output_scanline < d->c.output_height) {
		uint8_t *row = r->data + d->c.output_scanline * r->stride, *to = cmyk ? d->line : row;

		if (jpeg_read_scanlines(&d->c, &to, 1) != 1)
			return -1;
		if (cmyk)
			cmyk_to_rgb(d->line, row, r->w, d->c.saw_Adobe_marker);
	}
	jpeg_finish_decompress(&d->c);
	return 0;
}

static int
decode(struct decoder *d, struct raster *r, struct jpeg_info *j, const uint8_t *data, size_t len, bool grey, struct err *e)
{
	d->c.err = jpeg_std_error(&d->err);
	d->err.error_exit = on_fatal;
	d->err.emit_message = on_message;
	if (setjmp(d->back) != 0)
		return -ERR_DOC_BAD;
	jpeg_create_decompress(&d->c);
	d->progress.progress_monitor = on_progress;
	d->c.progress = &d->progress;
	jpeg_save_markers(&d->c, JPEG_APP0 + 1, 0xffff);
	jpeg_mem_src(&d->c, data, len);
	jpeg_read_header(&d->c, TRUE);
	take_density(d, j);
	choose_colours(&d->c, r, grey);
	if (raster_alloc(r, e) < 0)
		return -(int)e->code;
	return read_lines(d, r) == 0 && !d->damaged ? 0 : -ERR_DOC_BAD;
}

int
jpeg_decode(struct raster *r, struct jpeg_info *j, const uint8_t *data, size_t len, bool grey, const struct conf_scan *scan,
    uint32_t page, struct err *e)
{
	struct raster shape = { .bits = 8 };
	struct decoder d = { 0 };
	char what[JMSG_LENGTH_MAX + 40];
	int ret;

	*j = (struct jpeg_info){ 0 };
	if (!jpeg_magic(data, len) || len < 4)
		return bad(e, page, ERR_DOC_BAD, "the JPEG data do not begin like a JPEG");
	if ((ret = find_frame(j, data, len, page, e)) < 0 || (ret = image_check_size(j->w, j->h, scan, page, e)) < 0)
		return ret;
	shape.w = j->w;
	shape.h = j->h;
	shape.comps = j->comps;
	if ((ret = image_check_ratio(&shape, len, page, e)) < 0)
		return ret;
	ret = decode(&d, r, j, data, len, grey, e);
	jpeg_destroy_decompress(&d.c);
	free(d.line);
	if (ret != -ERR_DOC_BAD)
		return ret;
	snprintf(what, sizeof(what), "the JPEG can not be decoded: %s", d.text);
	return bad(e, page, ERR_DOC_BAD, what);
}

/* --- as a document ------------------------------------------------------------------------------ */

/* The headers alone, through libjpeg. */
static int
header(struct decoder *d, const uint8_t *data, size_t len)
{
	d->c.err = jpeg_std_error(&d->err);
	d->err.error_exit = on_fatal;
	d->err.emit_message = on_message;
	if (setjmp(d->back) != 0)
		return -1;
	jpeg_create_decompress(&d->c);
	jpeg_save_markers(&d->c, JPEG_APP0 + 1, 0xffff);
	jpeg_save_markers(&d->c, JPEG_APP0 + 2, 0xffff);
	jpeg_mem_src(&d->c, data, len);
	jpeg_read_header(&d->c, TRUE);
	return 0;
}

static int
check(struct source *s, const struct conf_scan *scan, struct jpeg_info *j, struct err *e)
{
	struct raster shape = { .bits = 8 };
	struct decoder d = { 0 };
	int r;

	if ((r = source_map(s, e)) < 0 || (r = find_frame(j, s->map, s->size, 0, e)) < 0 ||
	    (r = image_check_size(j->w, j->h, scan, 0, e)) < 0)
		return r;
	if (!find_end(j, s->map, s->size))
		return bad(e, 0, ERR_DOC_INCOMPLETE, "the JPEG does not end with its end marker");
	shape.w = j->w;
	shape.h = j->h;
	shape.comps = j->comps;
	if ((r = image_check_ratio(&shape, s->size, 0, e)) < 0)
		return r;
	if ((r = header(&d, s->map, s->size)) == 0)
		take_density(&d, j);
	jpeg_destroy_decompress(&d.c);
	if (r < 0)
		return bad(e, 0, ERR_DOC_BAD, "the JPEG headers are damaged");
	return 0;
}

int
jpeg_inspect(struct source *s, const struct conf_scan *scan, struct inspect_result *ret, struct err *e)
{
	struct jpeg_info j = { 0 };
	int r = check(s, scan, &j, e);

	if (r == 0)
		image_measure(ret, j.w, j.h);
	return r;
}

/* The CMYK profile of the APP2 markers (ICC.1, B.4), or the program's. */
static int
add_profile(struct image *im, const struct source *s, uint64_t len, struct err *e)
{
	struct decoder d = { 0 };
	JOCTET *icc = NULL;
	unsigned n = 0;
	int r;

	if (header(&d, s->map, len) < 0 || !jpeg_read_icc_profile(&d.c, &icc, &n))
		icc = NULL;
	jpeg_destroy_decompress(&d.c);
	r = icc_add_cmyk(im, icc, n, e);
	free(icc);
	return r;
}

/* The whole file is the stream. */
static int
keep(struct image *im, const struct source *s, const struct jpeg_info *j, struct err *e)
{
	const char *colour = j->comps == 4 ? "[/ICCBased @1]" : j->comps == 3 ? "/DeviceRGB" : "/DeviceGray";
	bool inverted = j->comps == 4 && j->adobe;
	char *dict;
	int r;

	if (asprintf(&dict, "/Width %u/Height %u/ColorSpace%s/BitsPerComponent 8/Filter/DCTDecode%s%s", j->w, j->h, colour,
	        j->plain_rgb ? "/DecodeParms<</ColorTransform 0>>" : "", inverted ? "/Decode[1 0 1 0 1 0 1 0]" : "") < 0)
		return err_set(e, ERR_MEM, "page image");
	if ((r = image_add_source_object(im, dict, 0, j->end, e)) < 0 || j->comps != 4)
		return r;
	return add_profile(im, s, j->end, e);
}

int
jpeg_read(struct image *im, struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
    struct err *e)
{
	struct jpeg_info j = { 0 }, again;
	int r;

	if (page != 0)
		return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	if ((r = check(s, scan, &j, e)) < 0 ||
	    (r = jpeg_decode(&im->r, &again, s->map, j.end, want == IMAGE_FOR_TEXT, scan, page, e)) < 0 ||
	    (want == IMAGE_FOR_TEXT && (r = keep(im, s, &j, e)) < 0))
		return r;
	image_place(im, j.dpi_x, j.dpi_y, j.orient);
	return 0;
}
