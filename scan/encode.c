/*
 * Encoding without loss what can not be passed through: G4 for two colours,
 * Flate with PNG predictors for the rest.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <zlib.h>

#include "agent/lib/io.h"

#include "scan/icc.h"
#include "scan/image.h"
#include "scan/tiff.h"

/* --- what the pixels really are ----------------------------------------------------------- */

/* RGB with three equal components everywhere is grey: a third of the bytes, the same pixels. */
static void
reduce_to_grey(struct raster *r)
{
	size_t stride = r->w;

	if (r->comps != 3 || r->bits != 8)
		return;
	for (uint32_t y = 0; y < r->h; y++) {
		const uint8_t *p = r->data + y * r->stride;

		for (uint32_t x = 0; x < r->w; x++, p += 3)
			if (p[0] != p[1] || p[0] != p[2])
				return;
	}
	for (uint32_t y = 0; y < r->h; y++)
		for (uint32_t x = 0; x < r->w; x++)
			r->data[y * stride + x] = r->data[y * r->stride + 3 * (size_t)x];
	r->comps = 1;
	r->stride = stride;
}

/* Grey of only black and white is bitonal. */
static void
reduce_to_bitonal(struct raster *r)
{
	size_t stride = (r->w + 7u) / 8;

	if (r->comps != 1 || r->bits != 8 || r->ncolours > 0)
		return;
	for (uint32_t y = 0; y < r->h; y++)
		for (uint32_t x = 0; x < r->w; x++)
			if (r->data[y * r->stride + x] != 0 && r->data[y * r->stride + x] != 255)
				return;
	for (uint32_t y = 0; y < r->h; y++)
		for (uint32_t x = 0; x < r->w; x += 8) {
			const uint8_t *p = r->data + y * r->stride + x;
			uint8_t v = 0;

			for (uint32_t i = 0; i < 8 && x + i < r->w; i++)
				v |= (uint8_t)((p[i] & 0x80) >> i);
			r->data[y * stride + x / 8] = v; /* behind the reading: never ahead of it */
		}
	r->bits = 1;
	r->stride = stride;
}

/* --- G4 ------------------------------------------------------------------------------------ */

/* G4 knows runs of white and black, not values: rows go in with 1 as black. */
static int
write_rows(TIFF *t, const struct raster *r, struct err *e)
{
	uint8_t *row = malloc(r->stride);
	int ok = row != NULL;

	for (uint32_t y = 0; ok && y < r->h; y++) {
		memcpy(row, r->data + y * r->stride, r->stride);
		for (size_t i = 0; !r->white_is_zero && i < r->stride; i++)
			row[i] = (uint8_t)~row[i];
		ok = TIFFWriteScanline(t, row, y, 0) == 1;
	}
	free(row);
	return ok && TIFFFlushData(t) == 1 ? 0 : err_set(e, ERR_MEM, "G4 encoding failed");
}

static int
encode_g4(struct image *im, struct err *e)
{
	const struct raster *r = &im->r;
	struct tiff_memory m = { .max = (uint64_t)r->stride * r->h * 4 + (1u << 20) };
	TIFF *t = tiff_memory_open(&m, "wl", e);
	uint8_t *data = NULL;
	uint64_t off, len;
	char *dict = NULL;
	int ret;

	if (t == NULL)
		return -(int)e->code;
	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, r->w);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, r->h);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 1);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
	TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, r->h);
	TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_CCITTFAX4);
	TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
	TIFFSetField(t, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB);
	ret = write_rows(t, r, e);
	off = TIFFGetStrileOffset(t, 0);
	len = TIFFGetStrileByteCount(t, 0);
	TIFFCleanup(t);
	if (ret == 0 && (off > m.len || len > m.len - off || len == 0 || (data = malloc(len)) == NULL))
		ret = err_set(e, ERR_MEM, "G4 encoding failed");
	if (ret == 0)
		memcpy(data, m.data + off, len);
	tiff_memory_done(&m);
	if (ret < 0)
		return ret;
	if ((dict = tiff_g4_dict(r->w, r->h, false)) == NULL)
		ret = err_set(e, ERR_MEM, "G4 encoding failed");
	return ret == 0 ? image_add_object(im, dict, data, len, e) : (free(data), ret);
}

/* --- Flate --------------------------------------------------------------------------------- */

static uint8_t
paeth(uint8_t a, uint8_t b, uint8_t c)
{
	int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);

	return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* One row by one PNG filter (RFC 2083, 6); returns the sum of absolute differences. */
static uint64_t
filter_row(int type, const uint8_t *row, const uint8_t *up, size_t n, size_t bpp, uint8_t *out)
{
	uint64_t sum = 0;

	out[0] = (uint8_t)type;
	for (size_t i = 0; i < n; i++) {
		uint8_t a = i >= bpp ? row[i - bpp] : 0, b = up[i], c = i >= bpp ? up[i - bpp] : 0;
		uint8_t guess = type == 0 ? 0 : type == 1 ? a : type == 2 ? b : paeth(a, b, c);
		uint8_t d = (uint8_t)(row[i] - guess);

		out[i + 1] = d;
		sum += d < 128 ? d : 256u - d;
	}
	return sum;
}

/* The filter with the smallest differences. */
static const uint8_t *
best_filter(const struct raster *r, const uint8_t *row, const uint8_t *up, uint8_t *a, uint8_t *b)
{
	static const int types[] = { 1, 2, 4 };
	size_t bpp = (size_t)r->comps * r->bits / 8;
	uint64_t best = filter_row(0, row, up, r->stride, bpp, a), sum;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((sum = filter_row(types[i], row, up, r->stride, bpp, b)) < best) {
			uint8_t *t = a;

			best = sum;
			a = b;
			b = t;
		}
	return a;
}

static int
deflate_rows(const struct raster *r, z_stream *z, bool filters, uint8_t *scratch, struct buf *out)
{
	const size_t n = r->stride + 1;
	uint8_t *zeros = scratch, *a = scratch + n, *b = a + n;
	uint8_t chunk[16384];
	int ret = Z_OK;

	memset(zeros, 0, n);
	for (uint32_t y = 0; y < r->h && buf_ok(out); y++) {
		const uint8_t *row = r->data + y * r->stride, *up = y > 0 ? row - r->stride : zeros, *best = a;

		if (filters) {
			best = best_filter(r, row, up, a, b);
		} else {
			a[0] = 0;
			memcpy(a + 1, row, r->stride);
		}
		z->next_in = (uint8_t *)(uintptr_t)best;
		z->avail_in = (uInt)n;
		do {
			z->next_out = chunk;
			z->avail_out = sizeof(chunk);
			ret = deflate(z, y + 1 == r->h ? Z_FINISH : Z_NO_FLUSH);
			buf_put(out, chunk, sizeof(chunk) - z->avail_out);
		} while (ret == Z_OK && z->avail_out == 0);
	}
	return ret == Z_STREAM_END && buf_ok(out) ? 0 : -1;
}

/*
 * Scanner noise has no repetitions to find: run lengths alone then come out
 * smaller than full matching, in a fifth of the time.  Clean pages do repeat.
 */
static const struct way {
	int strategy;
	bool filters;
} ways[] = { { Z_RLE, false }, { Z_RLE, true }, { Z_DEFAULT_STRATEGY, false } };
#define WAYS (sizeof(ways) / sizeof(ways[0]))

static int
deflate_raster(const struct raster *r, const struct way *way, struct buf *out, struct err *e)
{
	AUTO_FREE uint8_t *scratch = malloc(3 * (r->stride + 1));
	z_stream z = { 0 };
	int failed;

	buf_init(out, r->stride * r->h + r->stride * r->h / 8 + (1u << 16));
	if (scratch == NULL || deflateInit2(&z, 6, Z_DEFLATED, 15, 9, way->strategy) != Z_OK)
		return err_set(e, ERR_MEM, "Flate encoding failed");
	failed = deflate_rows(r, &z, way->filters, scratch, out);
	deflateEnd(&z);
	return failed ? err_set(e, ERR_MEM, "Flate encoding failed") : 0;
}

/* The way that does best on a band of a twelfth below the head of the page: there is text on most. */
static int
choose_way(const struct raster *r, const struct way **ret, struct err *e)
{
	struct raster part = *r;
	size_t best = SIZE_MAX;
	int failed;

	*ret = &ways[WAYS - 1];
	if (r->bits < 8 || r->ncolours > 0)
		return 0;
	part.data = r->data + r->h / 3 * r->stride;
	part.h = r->h / 12 + 1;
	for (size_t i = 0; i < WAYS; i++) {
		AUTO_BUF out;

		if ((failed = deflate_raster(&part, &ways[i], &out, e)) < 0)
			return failed;
		if (out.len < best) {
			best = out.len;
			*ret = &ways[i];
		}
	}
	return 0;
}

/* keys: what the dictionary begins with after the size. */
static int
encode_flate(struct image *im, const struct raster *r, const char *keys, struct err *e)
{
	const struct way *way;
	AUTO_BUF out, dict;
	uint64_t len;
	uint8_t *data;
	int ret;

	buf_init(&out, 1);
	buf_init(&dict, 8192);
	if ((ret = choose_way(r, &way, e)) < 0 || (ret = deflate_raster(r, way, &out, e)) < 0)
		return ret;
	buf_printf(&dict, "/Width %u/Height %u%s/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors %u/BitsPerComponent %u"
	                  "/Columns %u>>", r->w, r->h, keys, r->comps, r->bits, r->w);
	len = out.len;
	data = out.data;
	out.data = NULL;
	out.len = out.cap = 0;
	return image_add_object(im, buf_take_text(&dict), data, len, e);
}

/* The image, and behind it what it refers to: a profile, a soft mask (ISO 32000-1, 11.6.5.3). */
static int
encode_colours(struct image *im, struct err *e)
{
	struct raster *r = &im->r, mask = { .w = r->w, .h = r->h, .comps = 1, .bits = r->bits, .data = r->alpha };
	AUTO_FREE char *colour = image_colour(r);
	AUTO_BUF keys, matte;
	int ret;

	buf_init(&keys, 8192);
	buf_init(&matte, 256);
	mask.stride = (size_t)r->w * (r->bits / 8);
	buf_printf(&keys, "%s", colour != NULL ? colour : "");
	if (r->alpha != NULL)
		buf_printf(&keys, "/SMask @%d", r->comps == 4 ? 2 : 1);
	buf_put_u8(&keys, '\0');
	if (colour == NULL || !buf_ok(&keys))
		return err_set(e, ERR_MEM, "page image");
	if ((ret = encode_flate(im, r, (const char *)keys.data, e)) < 0 ||
	    (r->comps == 4 && (ret = icc_add_cmyk(im, r->icc, r->icc_len, e)) < 0) || r->alpha == NULL)
		return ret;
	buf_printf(&matte, "/ColorSpace/DeviceGray/BitsPerComponent %u", r->bits);
	if (r->premultiplied)
		buf_printf(&matte, "/Matte[%s]", r->comps == 4 ? "0 0 0 0" : r->comps == 3 ? "0 0 0" : "0");
	buf_put_u8(&matte, '\0');
	return buf_ok(&matte) ? encode_flate(im, &mask, (const char *)matte.data, e) : err_set(e, ERR_MEM, "page image");
}

int
image_encode(struct image *im, struct err *e)
{
	struct raster *r = &im->r;

	if (im->nobjects > 0)
		return 0;
	reduce_to_grey(r);
	if (raster_opaque(r))
		reduce_to_bitonal(r);
	if (r->bits == 1 && r->comps == 1 && r->ncolours == 0)
		return encode_g4(im, e);
	return encode_colours(im, e);
}
