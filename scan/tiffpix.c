/*
 * Pixels of a TIFF page, by libtiff: strips, tiles and planes put together
 * without changing a value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/tiff.h"
#include "scan/tiffdir.h"

/* --- libtiff on a source ----------------------------------------------------------------------- */

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

/* The largest thing that is wanted in one piece is the picture itself as RGBA, or a tile of a small one. */
static uint64_t
piece_max(const struct tiff_dir *d)
{
	return (uint64_t)d->w * d->h * 8 + (16u << 20);
}

/* --- from blocks to rows ------------------------------------------------------------------------- */

/* A page on its way from strips or tiles into a raster. */
struct blocks {
	const struct tiff_dir *d;
	struct raster *r;
	uint32_t alpha; /* index of the sample of transparency; 0: none */
	bool plain;     /* rows of a block are rows of the raster */
};

/* Samples of one row: every 'step'th, beginning with 'first'. */
struct samples {
	uint8_t *p;
	size_t first, step;
};

static void
copy_bits(struct samples to, struct samples from, size_t n, uint32_t bits)
{
	const unsigned mask = (1u << bits) - 1;

	for (size_t i = 0; i < n; i++) {
		size_t a = (from.first + i * from.step) * bits, b = (to.first + i * to.step) * bits;

		/* the rows of a raster begin as zeros */
		to.p[b / 8] |= (uint8_t)(((unsigned)from.p[a / 8] >> (8 - bits - a % 8) & mask) << (8 - bits - b % 8));
	}
}

static void
copy_samples(struct samples to, struct samples from, size_t n, uint32_t bits)
{
	if (bits == 8)
		for (size_t i = 0; i < n; i++)
			to.p[to.first + i * to.step] = from.p[from.first + i * from.step];
	else if (bits == 16)
		for (size_t i = 0; i < n; i++)
			memcpy(to.p + 2 * (to.first + i * to.step), from.p + 2 * (from.first + i * from.step), 2);
	else
		copy_bits(to, from, n, bits);
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

/*
 * n pixels of a block's row, to column x of row y.  Tiles are multiples of 16
 * wide (TIFF 6.0, TileWidth): what they begin with begins a byte.
 */
static void
put_row(const struct blocks *b, uint32_t plane, uint32_t x, uint32_t y, uint8_t *from, uint32_t n)
{
	const struct raster *r = b->r;
	const uint32_t interleaved = b->d->planar == 2 ? 1 : b->d->samples;
	uint8_t *row = r->data + y * r->stride + (size_t)x * r->comps * r->bits / 8;

	if (r->bits == 16)
		swap16(from, (size_t)n * interleaved * 2);
	if (b->plain) {
		memcpy(row, from, ((size_t)n * r->comps * r->bits + 7) / 8);
		return;
	}
	for (uint32_t i = 0; i < interleaved; i++) {
		uint32_t index = b->d->planar == 2 ? plane : i;
		struct samples in = { from, i, interleaved }, out = { row, index, r->comps };

		if (index >= r->comps) {
			if (index != b->alpha)
				continue;
			out = (struct samples){ r->alpha, (size_t)y * r->w + x, 1 };
		}
		copy_samples(out, in, n, r->bits);
	}
}

static int
read_strips(TIFF *t, const struct blocks *b, uint8_t *line, uint32_t plane)
{
	for (uint32_t y = 0; y < b->r->h; y++) {
		if (TIFFReadScanline(t, line, y, (uint16_t)plane) != 1)
			return 0;
		put_row(b, plane, 0, y, line, b->r->w);
	}
	return 1;
}

static int
read_tiles(TIFF *t, const struct blocks *b, uint8_t *tile, uint32_t plane)
{
	const struct raster *r = b->r;
	const uint32_t tw = b->d->tile_w, th = b->d->tile_h;
	const size_t size = (size_t)TIFFTileSize(t), line = (size_t)TIFFTileRowSize(t);

	for (uint32_t y = 0; y < r->h; y += th)
		for (uint32_t x = 0; x < r->w; x += tw) {
			if (TIFFReadTile(t, tile, x, y, 0, (uint16_t)plane) < 0)
				return 0;
			for (uint32_t i = 0; i < th && y + i < r->h && (i + 1) * line <= size; i++)
				put_row(b, plane, x, y + i, tile + i * line, r->w - x < tw ? r->w - x : tw);
		}
	return 1;
}

static int
read_blocks(TIFF *t, const struct blocks *b)
{
	const uint32_t planes = b->d->planar == 2 ? b->d->samples : 1, across = b->d->planar == 2 ? 1 : b->d->samples;
	const uint64_t want = ((uint64_t)(b->d->tiled ? b->d->tile_w : b->r->w) * across * b->r->bits + 7) / 8;
	const tmsize_t row = b->d->tiled ? TIFFTileRowSize(t) : TIFFScanlineSize(t);
	const tmsize_t size = b->d->tiled ? TIFFTileSize(t) : row;
	const bool fits = row > 0 && (uint64_t)row >= want && size > 0 && (uint64_t)size <= piece_max(b->d);
	uint8_t *block = fits ? malloc((size_t)size) : NULL;
	int ok = block != NULL;

	for (uint32_t p = 0; ok && p < planes; p++)
		ok = b->d->tiled ? read_tiles(t, b, block, p) : read_strips(t, b, block, p);
	free(block);
	return ok;
}

/* --- colours ------------------------------------------------------------------------------------- */

/* Luminance and colour differences that are no JPEG: libtiff converts them. */
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
		uint8_t *p = r->data + 3 * i;

		p[0] = (uint8_t)TIFFGetR(px[i]);
		p[1] = (uint8_t)TIFFGetG(px[i]);
		p[2] = (uint8_t)TIFFGetB(px[i]);
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

/* The sample that says how transparent the page is; 0: none. */
static uint32_t
find_alpha(TIFF *t, const struct tiff_dir *d, bool *ret_premultiplied)
{
	uint16_t n = 0, *types = NULL;

	if (d->extra == 0 || !TIFFGetField(t, TIFFTAG_EXTRASAMPLES, &n, &types))
		return 0;
	for (uint16_t i = 0; i < n && i < d->extra; i++)
		if (types[i] == EXTRASAMPLE_ASSOCALPHA || types[i] == EXTRASAMPLE_UNASSALPHA) {
			*ret_premultiplied = types[i] == EXTRASAMPLE_ASSOCALPHA;
			return d->samples - d->extra + i;
		}
	return 0;
}

/* The profile of CMYK; without memory the program's own has to do. */
static void
keep_profile(TIFF *t, struct raster *r)
{
	uint32_t n = 0;
	void *icc = NULL;

	if (r->comps == 4 && TIFFGetField(t, TIFFTAG_ICCPROFILE, &n, &icc) && n > 0 && (r->icc = malloc(n)) != NULL) {
		memcpy(r->icc, icc, n);
		r->icc_len = n;
	}
}

static int
read_pixels(TIFF *t, const struct tiff_dir *d, struct raster *r, struct err *e)
{
	struct blocks b = { .d = d, .r = r };

	if (d->photometric == PHOTOMETRIC_YCBCR && (d->compression != COMPRESSION_JPEG || d->planar == 2))
		return read_rgba(t, r, e);
	if (d->photometric == PHOTOMETRIC_YCBCR)
		TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
	r->comps = d->samples - d->extra;
	r->bits = d->bits;
	r->white_is_zero = d->photometric == PHOTOMETRIC_MINISWHITE;
	b.alpha = find_alpha(t, d, &r->premultiplied);
	b.plain = d->samples == r->comps && (d->planar == 1 || d->samples == 1);
	if (b.alpha != 0 && d->bits < 8)
		return err_set(e, ERR_DOC_TYPE, "TIFF with %u bits and transparency is not read", d->bits);
	if (d->photometric == PHOTOMETRIC_PALETTE && !read_palette(t, r))
		return -ERR_DOC_BAD;
	if (raster_alloc(r, e) < 0)
		return -(int)e->code;
	if (b.alpha != 0 && (r->alpha = calloc((size_t)r->w * r->h, r->bits / 8)) == NULL)
		return err_set(e, ERR_MEM, "no memory for %u x %u pixels", r->w, r->h);
	keep_profile(t, r);
	return read_blocks(t, &b) ? 0 : -ERR_DOC_BAD;
}

/* --- a page ---------------------------------------------------------------------------------------- */

static int
reading_failed(const struct reading *rd, uint32_t page, struct err *e)
{
	if (rd->io.code != ERR_OK)
		*e = rd->io;
	else
		err_set(e, ERR_DOC_BAD, "page %u can not be decoded: %s", page + 1,
		    rd->said.text[0] != '\0' ? rd->said.text : "its data end too early");
	e->page = page + 1;
	return -(int)e->code;
}

/* Of a tag that is there twice libtiff may take the other one. */
static bool
same_directory(TIFF *t, const struct tiff_dir *d)
{
	uint32_t w = 0, h = 0, tile_w = 0, tile_h = 0;

	if (!TIFFGetField(t, TIFFTAG_IMAGEWIDTH, &w) || !TIFFGetField(t, TIFFTAG_IMAGELENGTH, &h) || w != d->w || h != d->h)
		return false;
	if (!TIFFIsTiled(t) != !d->tiled)
		return false;
	return !d->tiled || (TIFFGetField(t, TIFFTAG_TILEWIDTH, &tile_w) && TIFFGetField(t, TIFFTAG_TILELENGTH, &tile_h) &&
	    tile_w == d->tile_w && tile_h == d->tile_h);
}

int
tiff_decode(struct image *im, const struct source *s, const struct tiff_dir *d, uint32_t page, struct err *e)
{
	struct reading rd = { .s = s };
	TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
	TIFF *t;
	int r;

	if (o == NULL)
		return err_set(e, ERR_MEM, "libtiff");
	TIFFOpenOptionsSetMaxSingleMemAlloc(o, (tmsize_t)piece_max(d));
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
	if (same_directory(t, d)) {
		r = read_pixels(t, d, &im->r, e);
	} else {
		snprintf(rd.said.text, sizeof(rd.said.text), "its size is given twice, and differs");
		r = -ERR_DOC_BAD;
	}
	TIFFClose(t);
	if (r == -ERR_DOC_BAD || (r == 0 && rd.said.damaged))
		return reading_failed(&rd, page, e);
	if (r < 0)
		e->page = page + 1;
	return r;
}
