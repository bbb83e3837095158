#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/jpeg.h"
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

/* Colours and a few extra samples; more is no page. */
#define TIFF_SAMPLES_MAX 8

static bool
compression_known(uint32_t c)
{
	static const uint16_t known[] = { COMPRESSION_NONE, COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
		COMPRESSION_LZW, COMPRESSION_OJPEG, COMPRESSION_JPEG, COMPRESSION_ADOBE_DEFLATE,
		COMPRESSION_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_LZMA, COMPRESSION_ZSTD, COMPRESSION_WEBP };

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
	if (d->samples == 0 || d->samples > TIFF_SAMPLES_MAX || d->extra >= d->samples || d->planar < 1 || d->planar > 2)
		return false;
	switch (d->photometric) {
	case PHOTOMETRIC_MINISWHITE:
	case PHOTOMETRIC_MINISBLACK:
	case PHOTOMETRIC_PALETTE:
		return d->samples - d->extra == 1 && (d->photometric != PHOTOMETRIC_PALETTE || d->bits <= 8);
	case PHOTOMETRIC_RGB:
		return d->samples - d->extra == 3;
	case PHOTOMETRIC_YCBCR:
		return d->samples == 3 && d->bits == 8;
	case PHOTOMETRIC_SEPARATED:
		return d->samples - d->extra == 4 && d->bits >= 8;
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
	int r;

	if ((r = image_check_size(d->w, d->h, scan, page, e)) < 0 ||
	    (d->tiled && (r = image_check_size(d->tile_w, d->tile_h, scan, page, e)) < 0))
		return r;
	if (!compression_known(d->compression))
		return on_page(e, page, err_set(e, ERR_DOC_TYPE, "page %u uses TIFF compression %u, which is not read", page + 1,
		    d->compression));
	if (!colours_known(d))
		return on_page(e, page, err_set(e, ERR_DOC_TYPE,
		    "page %u has %u samples of %u bits with TIFF photometric interpretation %u, which is not read", page + 1,
		    d->samples, d->bits, d->photometric));
	return image_check_ratio(&shape, d->bytes, page, e);
}

int
tiff_inspect(const struct source *s, const struct conf_scan *scan, struct inspect_result *ret, struct err *e)
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
		image_measure(ret, d.w, d.h);
	}
	ret->pages = n;
	return 0;
}

/* --- one page ------------------------------------------------------------------------------- */

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

/*
 * What a JPEG decoder is to see of a page that is one JPEG: its tables, if they
 * lie apart (TIFF Technical Note 2), and the strip; in the old style the whole
 * of it.  NULL: the page is no such thing.
 */
static uint8_t *
join_jpeg(const struct source *s, const struct tiff_dir *d, size_t *ret_len, struct err *e)
{
	bool old = d->compression == COMPRESSION_OJPEG;
	size_t tables = old || d->tables_len < 4 ? 0 : d->tables_len - 2; /* without its EOI */
	size_t skip = tables > 0 ? 2 : 0;                                 /* the strip's SOI */
	uint64_t off = old ? d->jpeg_off : d->strip_off, len = old ? d->jpeg_len : d->strip_len;
	uint8_t *p;

	if (len < 4 || (p = malloc(tables + len)) == NULL)
		return NULL;
	if ((tables > 0 && source_read(s, p, tables, d->tables_at, e) < 0) ||
	    source_read(s, p + tables, len - skip, off + skip, e) < 0) {
		free(p);
		return NULL;
	}
	*ret_len = tables + len - skip;
	return p;
}

/* A page in one JPEG stays that JPEG, if it decodes as what the directory says; else im is left as it is. */
static int
pass_jpeg(struct image *im, const struct source *s, const struct tiff_dir *d, uint32_t page, const struct conf_scan *scan,
    struct err *e)
{
	bool old = d->compression == COMPRESSION_OJPEG, grey = d->samples == 1 && d->photometric == PHOTOMETRIC_MINISBLACK;
	struct jpeg_info j = { 0 };
	struct err why = { 0 };
	uint8_t *data;
	char *dict;
	size_t len;

	if ((!old && (d->compression != COMPRESSION_JPEG || d->nstrips != 1)) || d->tiled ||
	    (!grey && (d->photometric != PHOTOMETRIC_YCBCR || d->planar != 1)))
		return 0;
	if ((data = join_jpeg(s, d, &len, &why)) == NULL)
		return 0;
	if (jpeg_decode(&im->r, &j, data, len, true, scan, page, &why) < 0 || j.w != d->w || j.h != d->h ||
	    j.comps != d->samples || j.ycc == grey) {
		free(data);
		image_drop_pixels(im);
		im->r = (struct raster){ 0 };
		return 0;
	}
	if (asprintf(&dict, "/Width %u/Height %u/ColorSpace/Device%s/BitsPerComponent 8/Filter/DCTDecode", j.w, j.h,
	        grey ? "Gray" : "RGB") < 0) {
		free(data);
		return err_set(e, ERR_MEM, "page image");
	}
	return image_add_object(im, dict, data, len, e);
}

/*
 * From the nearest page whose place is known: pages are read by a process each,
 * and all of them counting from the first would read most of a long file's
 * directories a thousand times.  A wrong mark leads to another page of this
 * document, or to none.
 */
static int
find_page(const struct tiff_file *f, uint32_t page, uint64_t *ret, struct err *e)
{
	const struct page_mark *m = &f->s->mark;
	bool known = m->at != 0 && m->page <= page;
	uint64_t at = known ? m->at : f->first;
	int r;

	for (uint32_t i = known ? m->page : 0; i < page; i++) {
		if ((r = tiffdir_next(f, at, &at, e)) < 0)
			return r;
		if (at == 0)
			return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	}
	*ret = at;
	return 0;
}

int
tiff_read(struct image *im, struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
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
	s->mark = (struct page_mark){ page, at };
	complete_dir(&d);
	if ((r = check_page(&d, page, scan, e)) < 0)
		return r;
	if (want == IMAGE_FOR_TEXT && (r = pass_jpeg(im, s, &d, page, scan, e)) < 0)
		return r;
	if (im->r.data == NULL && (r = tiff_decode(im, s, &d, page, e)) < 0)
		return r;
	if (want == IMAGE_FOR_TEXT && (r = pass_g4(im, s, &d, e)) < 0)
		return r;
	tiffdir_dpi(&d, &x, &y);
	image_place(im, x, y, d.orient);
	return 0;
}
