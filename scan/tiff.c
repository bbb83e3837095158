#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/tiff.h"
#include "scan/tiffdir.h"

bool
tiff_magic(const uint8_t *head, size_t len)
{
	static const uint8_t magics[4][4] = { { 'I', 'I', 42, 0 }, { 'M', 'M', 0, 42 }, { 'I', 'I', 43, 0 }, { 'M', 'M', 0, 43 } };

	for (size_t i = 0; i < 4; i++)
		if (len > 1 && memcmp(head, magics[i], len < 4 ? len : 4) == 0)
			return true;
	return false;
}

char *
tiff_g4_dict(uint32_t w, uint32_t h, bool black_is_1)
{
	char *s;

	if (asprintf(&s, "/Width %u/Height %u/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/CCITTFaxDecode/DecodeParms"
	                 "<</K -1/Columns %u/Rows %u%s>>", w, h, w, h, black_is_1 ? "/BlackIs1 true" : "") < 0)
		return NULL;
	return s;
}

/* --- what is read ------------------------------------------------------------------------- */

static bool
compression_known(uint32_t c)
{
	static const uint16_t known[] = { COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
		COMPRESSION_LZW, COMPRESSION_JPEG, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE, COMPRESSION_PACKBITS };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (c == known[i])
			return true;
	return false;
}

static bool
is_fax(uint32_t c)
{
	return c == COMPRESSION_CCITTRLE || c == COMPRESSION_CCITTFAX3 || c == COMPRESSION_CCITTFAX4;
}

static bool
colours_known(const struct tiff_dir *d)
{
	if (d->bits != 1 && d->bits != 2 && d->bits != 4 && d->bits != 8 && d->bits != 16)
		return false;
	if (is_fax(d->compression) && (d->bits != 1 || d->samples != 1))
		return false;
	if (d->samples == 0 || d->samples > 5 || d->extra >= d->samples || d->planar < 1 || d->planar > 2)
		return false;
	switch (d->photometric) {
	case PHOTOMETRIC_MINISWHITE:
	case PHOTOMETRIC_MINISBLACK:
	case PHOTOMETRIC_PALETTE:
		return d->samples - d->extra == 1 && (d->photometric != PHOTOMETRIC_PALETTE || d->bits <= 8);
	case PHOTOMETRIC_RGB:
		return d->samples - d->extra == 3 && d->bits >= 8;
	case PHOTOMETRIC_YCBCR:
		return d->samples == 3 && d->bits == 8;
	case PHOTOMETRIC_SEPARATED:
		return d->samples - d->extra == 4 && d->bits == 8;
	default:
		return false;
	}
}

/* Fixes what old fax writers left out. */
static void
complete_dir(struct tiff_dir *d)
{
	if (d->photometric == UINT32_MAX && is_fax(d->compression))
		d->photometric = PHOTOMETRIC_MINISWHITE;
}

static int
on_page(struct err *e, uint32_t page, int r)
{
	if (r < 0)
		e->page = page + 1;
	return r;
}

/* All that can be known of a page without decoding it. */
static int
check_page(const struct tiff_dir *d, uint32_t page, const struct conf_scan *scan, struct err *e)
{
	struct raster shape = { .w = d->w, .h = d->h, .comps = d->samples, .bits = d->bits };
	double x, y;
	int r;

	if ((r = image_check_size(d->w, d->h, scan, page, e)) < 0)
		return r;
	if (!compression_known(d->compression))
		return on_page(e, page, err_set(e, ERR_DOC_TYPE, "page %u uses TIFF compression %u, which is not read", page + 1,
		    d->compression));
	if (!colours_known(d))
		return on_page(e, page, err_set(e, ERR_DOC_TYPE,
		    "page %u has %u samples of %u bits with TIFF photometric interpretation %u, which is not read", page + 1,
		    d->samples, d->bits, d->photometric));
	if ((r = image_check_ratio(&shape, d->bytes, page, e)) < 0)
		return r;
	tiffdir_dpi(d, &x, &y);
	return image_resolution(d->w, d->h, &x, &y, page, e);
}

int
tiff_inspect(const struct source *s, const struct conf_scan *scan, uint32_t *ret_pages, struct err *e)
{
	AUTO_FREE uint64_t *seen = NULL;
	struct tiff_file f;
	struct tiff_dir d;
	uint32_t n = 0;
	uint64_t at;
	int r;

	if ((r = tiffdir_open(&f, s, e)) < 0)
		return r;
	if ((seen = malloc(scan->max_pages * sizeof(*seen))) == NULL)
		return err_set(e, ERR_MEM, "TIFF pages");
	for (at = f.first; at != 0; n++) {
		for (uint32_t i = 0; i < n; i++)
			if (seen[i] == at)
				return err_set(e, ERR_DOC_BAD, "page %u of the TIFF file leads back to page %u", n, i + 1);
		if (n >= scan->max_pages)
			return err_set(e, ERR_DOC_PAGES, "the file has more than %u pages", scan->max_pages);
		seen[n] = at;
		if ((r = tiffdir_read(&f, at, &d, e)) < 0)
			return on_page(e, n, r);
		complete_dir(&d);
		if ((r = check_page(&d, n, scan, e)) < 0 || (r = on_page(e, n, tiffdir_next(&f, at, &at, e))) < 0)
			return r;
	}
	*ret_pages = n;
	return 0;
}

/* --- one page ------------------------------------------------------------------------------- */

struct reading {
	const struct source *s;
	uint64_t pos;
	struct tiff_said said;
	struct err io; /* reading failed: no fault of the document's */
};

static tmsize_t
on_read(thandle_t h, void *buf, tmsize_t len)
{
	struct reading *rd = h;
	uint64_t left = rd->pos < rd->s->size ? rd->s->size - rd->pos : 0;

	if (len <= 0 || left == 0)
		return 0;
	if ((uint64_t)len > left)
		len = (tmsize_t)left;
	/* never -1: libtiff 4.5 takes it for a length and clears memory that is not its own */
	if (source_read(rd->s, buf, (size_t)len, rd->pos, &rd->io) < 0)
		return 0;
	rd->pos += (uint64_t)len;
	return len;
}

static tmsize_t
on_write(thandle_t h, void *buf, tmsize_t len)
{
	(void)h;
	(void)buf;
	(void)len;
	return -1;
}

static toff_t
on_seek(thandle_t h, toff_t off, int whence)
{
	struct reading *rd = h;

	rd->pos = whence == SEEK_CUR ? rd->pos + off : whence == SEEK_END ? rd->s->size + off : off;
	return rd->pos;
}

static int
on_close(thandle_t h)
{
	(void)h;
	return 0;
}

static toff_t
on_size(thandle_t h)
{
	return ((struct reading *)h)->s->size;
}

static int
bad_page(const struct tiff_said *said, uint32_t page, struct err *e)
{
	return on_page(e, page, err_set(e, ERR_DOC_BAD, "page %u can not be decoded: %s", page + 1,
	    said->text[0] != '\0' ? said->text : "its data end too early"));
}

static void
swap16(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		uint8_t t = p[i];

		p[i] = p[i + 1];
		p[i + 1] = t;
	}
}

/* The first r->comps of 'samples' interleaved samples of whole bytes. */
static void
take_samples(const struct raster *r, const uint8_t *from, uint8_t *to, uint32_t samples, uint32_t first)
{
	size_t size = r->bits / 8;

	for (uint32_t x = 0; x < r->w; x++)
		for (uint32_t c = 0; c < (samples < r->comps ? 1 : r->comps); c++)
			memcpy(to + (((size_t)x * r->comps) + first + c) * size, from + ((size_t)x * samples + c) * size, size);
}

/* Rows as they are stored, planes put together, extra samples of no meaning left out. */
static int
read_rows(TIFF *t, const struct tiff_dir *d, struct raster *r)
{
	uint32_t planes = d->planar == 2 ? r->comps : 1;
	size_t size = (size_t)TIFFScanlineSize(t);
	uint8_t *line = size < r->stride && planes == 1 ? NULL : malloc(size);
	bool plain = d->samples == r->comps && (d->planar == 1 || d->samples == 1);
	int ok = line != NULL;

	for (uint32_t p = 0; ok && p < planes; p++)
		for (uint32_t y = 0; ok && y < r->h; y++) {
			uint8_t *row = r->data + y * r->stride;

			if ((ok = TIFFReadScanline(t, line, y, (uint16_t)p) == 1) == 0)
				break;
			if (r->bits == 16)
				swap16(line, size);
			if (plain)
				memcpy(row, line, r->stride);
			else
				take_samples(r, line, row, d->planar == 2 ? 1 : d->samples, p);
		}
	free(line);
	return ok;
}

/* What libtiff must convert: tiles, CMYK, subsampled YCbCr, alpha.  8 bits; alpha is put on white. */
static int
read_rgba(TIFF *t, struct raster *r, struct err *e)
{
	size_t n = (size_t)r->w * r->h;
	uint32_t *px = malloc(n * sizeof(*px));
	int ok;

	r->comps = 3;
	r->bits = 8;
	if (px == NULL || raster_alloc(r, e) < 0) {
		free(px);
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	}
	/* rows stay as stored: turning them is /Rotate's and the matrix's business */
	TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
	ok = TIFFReadRGBAImageOriented(t, r->w, r->h, px, ORIENTATION_TOPLEFT, 1);
	for (size_t i = 0; ok && i < n; i++) {
		uint32_t white = 255 - TIFFGetA(px[i]); /* components come multiplied by alpha */
		uint8_t *p = r->data + 3 * i;

		p[0] = (uint8_t)(TIFFGetR(px[i]) + white > 255 ? 255 : TIFFGetR(px[i]) + white);
		p[1] = (uint8_t)(TIFFGetG(px[i]) + white > 255 ? 255 : TIFFGetG(px[i]) + white);
		p[2] = (uint8_t)(TIFFGetB(px[i]) + white > 255 ? 255 : TIFFGetB(px[i]) + white);
	}
	free(px);
	return ok ? 0 : -ERR_DOC_BAD;
}

/* Palettes are 16 bit a colour; some writers put 8 bit values into them (libtiff's own rule). */
static int
read_palette(TIFF *t, struct raster *r)
{
	uint16_t *c[3];
	uint32_t n = 1u << r->bits;
	bool wide = false;

	if (!TIFFGetField(t, TIFFTAG_COLORMAP, &c[0], &c[1], &c[2]))
		return 0;
	for (uint32_t i = 0; i < n; i++)
		wide = wide || c[0][i] > 255 || c[1][i] > 255 || c[2][i] > 255;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < 3; k++)
			r->palette[3 * i + k] = (uint8_t)(wide ? c[k][i] >> 8 : c[k][i]);
	r->ncolours = n;
	return 1;
}

static bool
has_alpha(TIFF *t)
{
	uint16_t n = 0, *types = NULL;

	if (!TIFFGetField(t, TIFFTAG_EXTRASAMPLES, &n, &types))
		return false;
	for (uint16_t i = 0; i < n; i++)
		if (types[i] == EXTRASAMPLE_ASSOCALPHA || types[i] == EXTRASAMPLE_UNASSALPHA)
			return true;
	return false;
}

static int
read_pixels(TIFF *t, const struct tiff_dir *d, struct raster *r, struct err *e)
{
	bool jpeg_colour = d->compression == COMPRESSION_JPEG && d->photometric == PHOTOMETRIC_YCBCR && d->planar == 1;
	bool direct = d->photometric <= PHOTOMETRIC_PALETTE || jpeg_colour;

	if (d->tiled || !direct || has_alpha(t)) {
		/* conversion goes through 8 bits: more would be lost without a word */
		if (d->bits > 8)
			return err_set(e, ERR_DOC_TYPE, "16 bit TIFF in tiles or with alpha is not read");
		return read_rgba(t, r, e);
	}
	if (jpeg_colour)
		TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
	r->comps = d->samples - d->extra;
	r->bits = d->bits;
	r->white_is_zero = d->photometric == PHOTOMETRIC_MINISWHITE;
	if (d->extra > 0 && d->bits < 8)
		return err_set(e, ERR_DOC_TYPE, "TIFF with %u bits and extra samples is not read", d->bits);
	if (d->photometric == PHOTOMETRIC_PALETTE && !read_palette(t, r))
		return -ERR_DOC_BAD;
	if (raster_alloc(r, e) < 0)
		return -(int)e->code;
	return read_rows(t, d, r) ? 0 : -ERR_DOC_BAD;
}

static void
reverse_bits(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t b = p[i];

		b = (uint8_t)((b & 0xf0) >> 4 | (b & 0x0f) << 4);
		b = (uint8_t)((b & 0xcc) >> 2 | (b & 0x33) << 2);
		p[i] = (uint8_t)((b & 0xaa) >> 1 | (b & 0x55) << 1);
	}
}

/*
 * A one-strip G4 page: the strip is the PDF stream.  T6Options 0 (no
 * uncompressed mode), FillOrder 1; 2 differs by the order of bits in each byte.
 */
static int
pass_g4(struct image *im, const struct source *s, const struct tiff_dir *d, struct err *e)
{
	bool black_is_1 = d->photometric == PHOTOMETRIC_MINISBLACK;
	uint8_t *data;
	char *dict;
	int r;

	if (d->compression != COMPRESSION_CCITTFAX4 || d->tiled || d->nstrips != 1 || d->group4 != 0)
		return 0;
	if ((dict = tiff_g4_dict(d->w, d->h, black_is_1)) == NULL)
		return err_set(e, ERR_MEM, "page image");
	if (d->fill_order != 2)
		return image_add_source_object(im, dict, d->strip_off, d->strip_len, e);
	if ((data = malloc(d->strip_len)) == NULL || (r = source_read(s, data, d->strip_len, d->strip_off, e)) < 0) {
		free(dict);
		free(data);
		return err_set(e, ERR_MEM, "page image");
	}
	reverse_bits(data, d->strip_len);
	return image_add_object(im, dict, data, d->strip_len, e);
}

static int
find_page(const struct tiff_file *f, uint32_t page, uint64_t *ret, struct err *e)
{
	uint64_t at = f->first;
	int r;

	for (uint32_t i = 0; i < page; i++) {
		if ((r = tiffdir_next(f, at, &at, e)) < 0)
			return r;
		if (at == 0)
			return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	}
	*ret = at;
	return 0;
}

static int
reading_failed(const struct reading *rd, uint32_t page, struct err *e)
{
	if (rd->io.code == ERR_OK)
		return bad_page(&rd->said, page, e);
	*e = rd->io;
	return on_page(e, page, -(int)e->code);
}

static int
decode_page(struct image *im, const struct source *s, const struct tiff_dir *d, uint32_t page, struct err *e)
{
	struct reading rd = { .s = s };
	TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
	TIFF *t;
	int r;

	if (o == NULL)
		return err_set(e, ERR_MEM, "libtiff");
	/* the largest thing libtiff may want in one piece is the picture itself as RGBA */
	TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)((uint64_t)d->w * d->h * 8 + (16u << 20)));
	tiff_listen(o, &rd.said);
	/* r: read, h: header only, m: no mmap, c: no strip chopping */
	t = TIFFClientOpenExt("document", "rhmc", &rd, on_read, on_write, on_seek, on_close, on_size, NULL, NULL, o);
	TIFFOpenOptionsFree(o);
	if (t == NULL || !TIFFSetSubDirectory(t, d->at)) {
		if (t != NULL)
			TIFFClose(t);
		return reading_failed(&rd, page, e);
	}
	rd.said = (struct tiff_said){ 0 }; /* odd tags are no damage */
	im->r.w = d->w;
	im->r.h = d->h;
	r = read_pixels(t, d, &im->r, e);
	TIFFClose(t);
	if (r == -ERR_DOC_BAD || (r == 0 && rd.said.damaged))
		return reading_failed(&rd, page, e);
	return on_page(e, page, r);
}

int
tiff_read(struct image *im, const struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
    struct err *e)
{
	struct tiff_file f;
	struct tiff_dir d;
	double x, y;
	uint64_t at;
	int r;

	if ((r = tiffdir_open(&f, s, e)) < 0 || (r = find_page(&f, page, &at, e)) < 0 ||
	    (r = on_page(e, page, tiffdir_read(&f, at, &d, e))) < 0)
		return r;
	complete_dir(&d);
	if ((r = check_page(&d, page, scan, e)) < 0 || (r = decode_page(im, s, &d, page, e)) < 0)
		return r;
	if (want == IMAGE_FOR_TEXT && (r = pass_g4(im, s, &d, e)) < 0)
		return r;
	tiffdir_dpi(&d, &x, &y);
	return image_place(im, x, y, d.orient, page, e);
}
