/*
 * Page images keep every pixel, whatever they came in: pictures known by a
 * formula are written with libtiff, libpng and libjpeg, read by us, put into
 * the smallest PDF by this test, and shown by mupdf.
 */
#include <leptonica/allheaders.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

#include <jpeglib.h>

#include "scan/image.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define W 64u
#define H 48u

static char dir[64];

static const char *
path_of(const char *name)
{
	static char path[4][128];
	static unsigned turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

/* --- the picture: nothing in it is symmetrical ---------------------------------------------------- */

enum paint { BLACK_WHITE, STEPS, GREY, COLOUR, FEW };

static void
pixel(enum paint paint, unsigned x, unsigned y, uint8_t rgb[3])
{
	switch (paint) {
	case BLACK_WHITE:
		rgb[0] = rgb[1] = rgb[2] = (uint8_t)((x < W / 3 && y < H / 4) || (x + 2 * y) % 7 == 0 ? 0 : 255);
		break;
	case STEPS: /* four greys */
		rgb[0] = rgb[1] = rgb[2] = (uint8_t)((x / 5 + y) % 4 * 85);
		break;
	case GREY:
		rgb[0] = rgb[1] = rgb[2] = (uint8_t)(3 * x + (x < 9 && y < 5 ? 0 : y));
		break;
	case COLOUR:
		rgb[0] = (uint8_t)(4 * x);
		rgb[1] = (uint8_t)(5 * y);
		rgb[2] = (uint8_t)(x ^ y);
		break;
	case FEW: /* sixteen colours, by index */
		rgb[0] = (uint8_t)(((x / 5 + y) % 16) * 17);
		rgb[1] = (uint8_t)(255 - rgb[0]);
		rgb[2] = (uint8_t)(rgb[0] / 2);
		break;
	}
}

static unsigned
index_of(unsigned x, unsigned y)
{
	return (x / 5 + y) % 16;
}

/* Where TIFF 6.0 and EXIF show the stored pixel (x, y) for an orientation. */
static void
shown_at(unsigned orient, unsigned x, unsigned y, unsigned *sx, unsigned *sy)
{
	bool row_first = orient < 5; /* 0th row at top or bottom */
	bool row_far = orient == 3 || orient == 4 || orient == 6 || orient == 7;    /* bottom, or right */
	bool column_far = orient == 2 || orient == 3 || orient == 7 || orient == 8; /* right, or bottom */
	unsigned r = row_far ? H - 1 - y : y, c = column_far ? W - 1 - x : x;

	*sx = row_first ? c : r;
	*sy = row_first ? r : c;
}

/* --- TIFF ----------------------------------------------------------------------------------------------- */

enum extra { NO_EXTRA, OPACITY, MULTIPLIED, NO_MEANING };

struct tiff_how {
	const char *name;
	enum paint paint;
	unsigned compression, photometric, bits, strip, fill, planar, orient;
	bool tiled, in_source;
	const char *filter; /* in the dictionary */
	enum extra extra;
	const char *mode;   /* of TIFFOpen(); NULL: "w" */
	int off;            /* by which a value may be: a JPEG is not exact, nor how mupdf mixes with white */
};

static unsigned
tiff_colours(const struct tiff_how *h)
{
	return h->photometric == PHOTOMETRIC_RGB || h->photometric == PHOTOMETRIC_YCBCR ? 3 :
	    h->photometric == PHOTOMETRIC_SEPARATED                                     ? 4 :
	                                                                                  1;
}

/* One sample of a pixel, of h->bits.  Opacity is 255 less the colour of the first sample: paper shines through. */
static unsigned
tiff_sample(const struct tiff_how *h, unsigned x, unsigned y, unsigned i)
{
	const unsigned max = (1u << h->bits) - 1;
	uint8_t rgb[3];
	unsigned v;

	pixel(h->paint, x, y, rgb);
	if (h->photometric == PHOTOMETRIC_PALETTE)
		return index_of(x, y);
	if (h->photometric == PHOTOMETRIC_SEPARATED) /* inks of their own each */
		return (17 * x + 29 * y + 71 * i) % 256 * (h->bits == 16 ? 251 : 1);
	if (i == tiff_colours(h))
		v = h->extra == NO_MEANING ? 77 : 255u - rgb[0];
	else if (h->extra == OPACITY || h->extra == MULTIPLIED)
		v = 0;
	else
		v = i < 3 ? rgb[i] : 0;
	if (h->photometric == PHOTOMETRIC_MINISWHITE)
		v = 255 - v;
	return v * max / 255;
}

/* Samples [first, first + n) of the pixels from column x on, packed as TIFF has them; 16 bits in the host's order. */
static void
tiff_row(const struct tiff_how *h, unsigned x, unsigned y, unsigned pixels, unsigned first, unsigned n, uint8_t *row)
{
	unsigned at = 0;

	memset(row, 0, 16 * W);
	for (unsigned k = 0; k < pixels * n; k++, at += h->bits) {
		unsigned col = x + k / n, v = col < W && y < H ? tiff_sample(h, col, y, first + k % n) : 0;

		if (h->bits == 16)
			memcpy(row + at / 8, &(uint16_t){ (uint16_t)v }, 2);
		else
			row[at / 8] |= (uint8_t)(v << (8 - h->bits - at % 8));
	}
}

static void
tiff_palette(TIFF *t)
{
	uint16_t c[3][256] = { 0 }; /* libtiff reads as many as the depth has */

	for (unsigned i = 0; i < 16; i++) {
		c[0][i] = (uint16_t)(i * 17 * 257);
		c[1][i] = (uint16_t)((255 - i * 17) * 257);
		c[2][i] = (uint16_t)((i * 17 / 2) * 257);
	}
	TIFFSetField(t, TIFFTAG_COLORMAP, c[0], c[1], c[2]);
}

static void
tiff_fields(const struct tiff_how *h, TIFF *t, unsigned samples)
{
	static const uint16_t kinds[] = { 0, EXTRASAMPLE_UNASSALPHA, EXTRASAMPLE_ASSOCALPHA, EXTRASAMPLE_UNSPECIFIED };

	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, h->bits);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, samples);
	TIFFSetField(t, TIFFTAG_COMPRESSION, h->compression);
	TIFFSetField(t, TIFFTAG_PHOTOMETRIC, h->photometric);
	TIFFSetField(t, TIFFTAG_PLANARCONFIG, h->planar == 0 ? PLANARCONFIG_CONTIG : h->planar);
	TIFFSetField(t, TIFFTAG_ORIENTATION, h->orient == 0 ? 1 : h->orient);
	TIFFSetField(t, TIFFTAG_FILLORDER, h->fill == 0 ? 1 : h->fill);
	TIFFSetField(t, TIFFTAG_XRESOLUTION, 72.0);
	TIFFSetField(t, TIFFTAG_YRESOLUTION, 72.0);
	TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
	if (h->extra != NO_EXTRA)
		TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &kinds[h->extra]);
	if (h->photometric == PHOTOMETRIC_PALETTE)
		tiff_palette(t);
	if (h->compression == COMPRESSION_CCITTFAX3 && h->strip == 2)
		TIFFSetField(t, TIFFTAG_GROUP3OPTIONS, GROUP3OPT_2DENCODING | GROUP3OPT_FILLBITS);
	if (h->compression == COMPRESSION_WEBP)
		TIFFSetField(t, TIFFTAG_WEBP_LOSSLESS, 1);
	if (h->compression == COMPRESSION_JPEG) {
		TIFFSetField(t, TIFFTAG_JPEGQUALITY, 100);
		TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
	}
}

#define TILE 16u

static void
write_tiff(const struct tiff_how *h, const char *path)
{
	TIFF *t = TIFFOpen(path, h->mode == NULL ? "w" : h->mode);
	unsigned samples = tiff_colours(h) + (h->extra != NO_EXTRA), planes = h->planar == PLANARCONFIG_SEPARATE ? samples : 1;
	unsigned n = samples / planes;
	uint8_t row[16 * W], tile[16 * W * TILE];
	size_t tile_row;

	if (t == NULL)
		exit(99);
	tiff_fields(h, t, samples);
	TIFFSetField(t, h->tiled ? TIFFTAG_TILEWIDTH : TIFFTAG_ROWSPERSTRIP, h->tiled ? TILE : h->strip == 0 ? H : h->strip);
	if (h->tiled)
		TIFFSetField(t, TIFFTAG_TILELENGTH, TILE);
	tile_row = h->tiled ? (size_t)TIFFTileRowSize(t) : 0;
	for (unsigned p = 0; p < planes; p++)
		for (unsigned y = 0; y < H; y += h->tiled ? TILE : 1) {
			for (unsigned x = 0; x < W && h->tiled; x += TILE) {
				for (unsigned i = 0; i < TILE; i++) {
					tiff_row(h, x, y + i, TILE, p * n, n, row);
					memcpy(tile + i * tile_row, row, tile_row);
				}
				TIFFWriteTile(t, tile, x, y, 0, (uint16_t)p);
			}
			tiff_row(h, 0, y, W, p * n, n, row);
			if (!h->tiled)
				TIFFWriteScanline(t, row, y, (uint16_t)p);
		}
	TIFFClose(t);
}

/* --- PNG ------------------------------------------------------------------------------------------------- */

struct png_how {
	const char *name;
	enum paint paint;
	int type, bits;
	bool interlaced, alpha, in_source;
	int chunk; /* bytes of an IDAT; 0: one for all */
};

static void
png_row(const struct png_how *h, unsigned y, uint8_t *row)
{
	uint8_t rgb[3];

	memset(row, 0, 8 * W);
	for (unsigned x = 0; x < W; x++) {
		pixel(h->paint, x, y, rgb);
		if (h->type == PNG_COLOR_TYPE_PALETTE)
			row[x / 2] |= (uint8_t)(index_of(x, y) << (x % 2 == 0 ? 4 : 0));
		else if (h->bits == 1)
			row[x / 8] |= (uint8_t)(rgb[0] != 0 ? 0x80 >> x % 8 : 0);
		else if (h->bits == 16 && h->alpha)
			row[4 * x + 2] = row[4 * x + 3] = (uint8_t)(255 - rgb[0]);
		else if (h->bits == 16)
			row[2 * x] = row[2 * x + 1] = rgb[0];
		else if (h->type == PNG_COLOR_TYPE_GRAY)
			row[x] = rgb[0];
		else if (h->type == PNG_COLOR_TYPE_RGB)
			memcpy(row + 3 * x, rgb, 3);
		else if (!h->alpha) {
			memcpy(row + 4 * x, rgb, 3);
			row[4 * x + 3] = 255;
		} else { /* black that lets white paper through: the same to look at */
			memset(row + 4 * x, 0, 3);
			row[4 * x + 3] = (uint8_t)(255 - rgb[0]);
		}
	}
}

static void
write_png(const struct png_how *h, const char *path)
{
	png_structp p = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png_create_info_struct(p);
	FILE *f = fopen(path, "w");
	png_color palette[16];
	static uint8_t rows[H][8 * W];
	uint8_t *at[H];

	if (f == NULL || info == NULL)
		exit(99);
	png_init_io(p, f);
	png_set_IHDR(p, info, W, H, h->bits, h->type, h->interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
	    PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
	for (unsigned i = 0; i < 16; i++)
		palette[i] = (png_color){ (png_byte)(i * 17), (png_byte)(255 - i * 17), (png_byte)(i * 17 / 2) };
	if (h->type == PNG_COLOR_TYPE_PALETTE)
		png_set_PLTE(p, info, palette, 16);
	png_set_pHYs(p, info, 2835, 2835, PNG_RESOLUTION_METER); /* 72.009 dots per inch */
	png_set_compression_buffer_size(p, h->chunk == 0 ? 100000 : (size_t)h->chunk);
	for (unsigned y = 0; y < H; y++) {
		png_row(h, y, rows[y]);
		at[y] = rows[y];
	}
	png_set_rows(p, info, at);
	png_write_png(p, info, PNG_TRANSFORM_IDENTITY, NULL);
	png_destroy_write_struct(&p, &info);
	fclose(f);
}

/* --- shown by others ---------------------------------------------------------------------------------------- */

static void
put_object(FILE *f, long *at, int number, const struct image_object *o, int source, const char *type)
{
	uint8_t *data = o->data, *own = NULL;
	struct err e;

	if (o->in_source) {
		data = own = malloc(o->len);
		if (own == NULL || io_pread_full(source, own, o->len, o->off, &e) < 0)
			exit(99);
	}
	at[number] = ftell(f);
	fprintf(f, "%d 0 obj\n<<%s", number, type);
	for (const char *s = o->dict; *s != '\0'; s++) {
		if (*s == '@')
			fprintf(f, " %d 0 R", 4 + *++s - '0');
		else
			fputc(*s, f);
	}
	fprintf(f, "/Length %llu>>\nstream\n", (unsigned long long)o->len);
	fwrite(data, 1, o->len, f);
	fprintf(f, "\nendstream\nendobj\n");
	free(own);
}

static void
write_pdf(const struct image *im, int source, const char *path)
{
	FILE *f = fopen(path, "w");
	long at[20] = { 0 }, xref;
	int last = 3 + (int)im->nobjects;
	char body[300];

	if (f == NULL)
		exit(99);
	fprintf(f, "%%PDF-1.7\n");
	at[1] = ftell(f);
	fprintf(f, "1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n");
	at[2] = ftell(f);
	fprintf(f, "2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n");
	at[3] = ftell(f);
	fprintf(f, "3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 %.3f %.3f]/Rotate %u/Resources<</XObject<</I 4 0 R>>>>/Contents %d 0 R>>"
	           "\nendobj\n", im->media_w / 1000.0, im->media_h / 1000.0, im->rotate, last + 1);
	for (uint32_t i = 0; i < im->nobjects; i++)
		put_object(f, at, 4 + (int)i, &im->objects[i], source, i == 0 ? "/Type/XObject/Subtype/Image" : "");
	snprintf(body, sizeof(body), "q %.3f %.3f %.3f %.3f %.3f %.3f cm /I Do Q", im->matrix[0] / 1000.0, im->matrix[1] / 1000.0,
	    im->matrix[2] / 1000.0, im->matrix[3] / 1000.0, im->matrix[4] / 1000.0, im->matrix[5] / 1000.0);
	at[last + 1] = ftell(f);
	fprintf(f, "%d 0 obj\n<</Length %zu>>\nstream\n%s\nendstream\nendobj\n", last + 1, strlen(body), body);
	xref = ftell(f);
	fprintf(f, "xref\n0 %d\n0000000000 65535 f \n", last + 2);
	for (int i = 1; i <= last + 1; i++)
		fprintf(f, "%010ld 00000 n \n", at[i]);
	fprintf(f, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%ld\n%%%%EOF\n", last + 2, xref);
	fclose(f);
}

/* Largest difference of any component from the formula; 1000: not even the size. */
static int
worst_difference(const char *pdf, enum paint paint, unsigned orient)
{
	static uint8_t got[H * W * 3];
	char cmd[400], head[64];
	unsigned w = 0, h = 0;
	int worst = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "mutool draw -q -r 72 -A 0 -c rgb -o %s %s 2>/dev/null", path_of("shown.ppm"), pdf);
	if (system(cmd) != 0 || (f = fopen(path_of("shown.ppm"), "r")) == NULL)
		return 1000;
	if (fgets(head, sizeof(head), f) == NULL || fscanf(f, "%u %u %*u", &w, &h) != 2 || fgetc(f) != '\n' ||
	    w != (orient < 5 ? W : H) || h != (orient < 5 ? H : W) || fread(got, 3, (size_t)W * H, f) != (size_t)W * H) {
		fclose(f);
		return 1000;
	}
	fclose(f);
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++) {
			uint8_t want[3];
			unsigned sx, sy;

			pixel(paint, x, y, want);
			shown_at(orient, x, y, &sx, &sy);
			for (int c = 0; c < 3; c++) {
				int d = abs(want[c] - got[3 * (sy * w + sx) + (unsigned)c]);

				worst = d > worst ? d : worst;
			}
		}
	return worst;
}

/* Reads a file, and how far what mupdf then shows is from the formula. */
static int
pass(const char *path, uint32_t kind, enum paint paint, unsigned orient, struct image *im, struct err *e)
{
	int fd = open(path, O_RDONLY), r, d;
	AUTO_SOURCE s;

	*e = (struct err){ 0 };
	if (source_open(&s, fd, e) < 0)
		exit(99);
	if ((r = image_read(im, &s, kind, 0, IMAGE_FOR_TEXT, &scans_limits, e)) < 0 || (r = image_encode(im, e)) < 0) {
		close(fd);
		return r;
	}
	write_pdf(im, fd, path_of("a.pdf"));
	d = worst_difference(path_of("a.pdf"), paint, orient);
	close(fd);
	return d;
}

/* The PDF of the last pass() taken as a scanner's PDF: through once more, and shown again. */
static int
pass_again(enum paint paint, unsigned orient, struct err *e)
{
	struct image im = { 0 };
	char first[128];
	int r;

	snprintf(first, sizeof(first), "%s", path_of("b.pdf"));
	if (rename(path_of("a.pdf"), first) < 0)
		exit(99);
	r = pass(first, DOC_PDF, paint, orient, &im, e);
	image_done(&im);
	return r;
}

/* --- cases -------------------------------------------------------------------------------------------------------- */

#define NONE COMPRESSION_NONE
#define G4 COMPRESSION_CCITTFAX4
#define WHITE0 PHOTOMETRIC_MINISWHITE
#define BLACK0 PHOTOMETRIC_MINISBLACK
static const struct tiff_how tiffs[] = {
	{ "G4, one strip", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .in_source = true },
	{ "G4, one strip, black is 0", BLACK_WHITE, G4, BLACK0, 1, .filter = "CCITTFaxDecode", .in_source = true },
	{ "G4, bits turned round", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .fill = 2 },
	{ "G4 in strips", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .strip = 7 },
	{ "G4 in strips, black is 0", BLACK_WHITE, G4, BLACK0, 1, .filter = "CCITTFaxDecode", .strip = 7 },
	{ "G3", BLACK_WHITE, COMPRESSION_CCITTFAX3, WHITE0, 1, .filter = "CCITTFaxDecode" },
	{ "bitonal, PackBits", BLACK_WHITE, COMPRESSION_PACKBITS, BLACK0, 1, .filter = "CCITTFaxDecode", .strip = 5 },
	{ "bitonal, not packed, white is 0", BLACK_WHITE, NONE, WHITE0, 1, .filter = "CCITTFaxDecode" },
	{ "grey of two values", BLACK_WHITE, COMPRESSION_LZW, BLACK0, 8, .filter = "CCITTFaxDecode" },
	{ "grey, LZW", GREY, COMPRESSION_LZW, BLACK0, 8, .filter = "FlateDecode", .strip = 9 },
	{ "grey, white is 0", GREY, COMPRESSION_ADOBE_DEFLATE, WHITE0, 8, .filter = "FlateDecode" },
	{ "grey, 16 bits", GREY, NONE, BLACK0, 16, .filter = "BitsPerComponent 16" },
	{ "grey in tiles", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .tiled = true },
	{ "colour", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8, .filter = "DeviceRGB" },
	{ "colour in planes", COLOUR, NONE, PHOTOMETRIC_RGB, 8,
	    .filter = "DeviceRGB", .strip = 11, .planar = PLANARCONFIG_SEPARATE },
	{ "colour that is grey", GREY, NONE, PHOTOMETRIC_RGB, 8, .filter = "DeviceGray" },
	{ "sixteen colours", FEW, COMPRESSION_LZW, PHOTOMETRIC_PALETTE, 4, .filter = "Indexed" },
	{ "G3 in two dimensions", BLACK_WHITE, COMPRESSION_CCITTFAX3, WHITE0, 1, .filter = "CCITTFaxDecode", .strip = 2 },
	{ "fax without line ends", BLACK_WHITE, COMPRESSION_CCITTRLE, WHITE0, 1, .filter = "CCITTFaxDecode" },
	{ "G4 in tiles", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .tiled = true },
	{ "bitonal, big-endian", BLACK_WHITE, COMPRESSION_LZW, BLACK0, 1, .filter = "CCITTFaxDecode", .strip = 5, .mode = "wb" },
	{ "G4, BigTIFF", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .in_source = true, .mode = "w8" },
	{ "four greys of 2 bits", STEPS, COMPRESSION_DEFLATE, BLACK0, 2, .filter = "BitsPerComponent 2", .strip = 3 },
	{ "four greys of 4 bits, white is 0", STEPS, COMPRESSION_LZW, WHITE0, 4, .filter = "BitsPerComponent 4" },
	{ "4 bits in tiles", STEPS, COMPRESSION_PACKBITS, BLACK0, 4, .filter = "BitsPerComponent 4", .tiled = true },
	{ "sixteen colours in tiles", FEW, NONE, PHOTOMETRIC_PALETTE, 4, .filter = "Indexed", .tiled = true },
	{ "sixteen colours of 8 bits", FEW, COMPRESSION_LZW, PHOTOMETRIC_PALETTE, 8, .filter = "Indexed" },
	{ "grey, Zstandard", GREY, COMPRESSION_ZSTD, BLACK0, 8, .filter = "FlateDecode" },
	{ "grey, LZMA", GREY, COMPRESSION_LZMA, BLACK0, 8, .filter = "FlateDecode" },
	{ "colour, WebP inside", COLOUR, COMPRESSION_WEBP, PHOTOMETRIC_RGB, 8, .filter = "DeviceRGB" },
	{ "grey, 16 bits, big-endian, in tiles", GREY, COMPRESSION_LZW, BLACK0, 16,
	    .filter = "BitsPerComponent 16", .tiled = true, .mode = "wb" },
	{ "colour, 16 bits", COLOUR, COMPRESSION_ADOBE_DEFLATE, PHOTOMETRIC_RGB, 16, .filter = "BitsPerComponent 16", .strip = 7 },
	{ "colour, 16 bits, in planes", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_RGB, 16,
	    .filter = "BitsPerComponent 16", .strip = 7, .planar = PLANARCONFIG_SEPARATE },
	{ "colour in planes of tiles", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8,
	    .filter = "DeviceRGB", .planar = PLANARCONFIG_SEPARATE, .tiled = true },
	{ "colour in tiles, BigTIFF, big-endian", COLOUR, NONE, PHOTOMETRIC_RGB, 8,
	    .filter = "DeviceRGB", .tiled = true, .mode = "w8b" },
	{ "colour of 4 bits", STEPS, COMPRESSION_LZW, PHOTOMETRIC_RGB, 4, .filter = "BitsPerComponent 4" },
	{ "colour with opacity", GREY, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8, .filter = "SMask @1", .extra = OPACITY, .off = 1 },
	{ "colour with opacity, multiplied", GREY, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8, .filter = "SMask @1", .extra = MULTIPLIED, .off = 1 },
	{ "colour with opacity, 16 bits, planes of tiles", GREY, NONE, PHOTOMETRIC_RGB, 16,
	    .filter = "SMask @1", .planar = PLANARCONFIG_SEPARATE, .tiled = true, .extra = OPACITY, .off = 1 },
	{ "grey with opacity", GREY, COMPRESSION_LZW, BLACK0, 8, .filter = "SMask @1", .strip = 9, .extra = OPACITY, .off = 1 },
	{ "colour and a sample of no meaning", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8,
	    .filter = "DeviceRGB", .extra = NO_MEANING },
	{ "grey of 4 bits and a sample of no meaning", STEPS, NONE, BLACK0, 4,
	    .filter = "BitsPerComponent 4", .extra = NO_MEANING },
	{ "a grey JPEG inside", GREY, COMPRESSION_JPEG, BLACK0, 8,
	    .filter = "DeviceGray/BitsPerComponent 8/Filter/DCTDecode", .off = 8 },
	{ "a colour JPEG inside", GREY, COMPRESSION_JPEG, PHOTOMETRIC_YCBCR, 8,
	    .filter = "DeviceRGB/BitsPerComponent 8/Filter/DCTDecode", .off = 8 },
	{ "JPEGs of RGB inside", GREY, COMPRESSION_JPEG, PHOTOMETRIC_RGB, 8, .filter = "FlateDecode", .strip = 16, .off = 8 },
	{ "JPEGs in strips", GREY, COMPRESSION_JPEG, PHOTOMETRIC_YCBCR, 8, .filter = "FlateDecode", .strip = 16, .off = 8 },
	{ "JPEGs in tiles", GREY, COMPRESSION_JPEG, PHOTOMETRIC_YCBCR, 8, .filter = "FlateDecode", .tiled = true, .off = 8 },
	{ "orientation 2", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .orient = 2 },
	{ "orientation 3", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .orient = 3 },
	{ "orientation 4", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .orient = 4 },
	{ "orientation 5", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .orient = 5 },
	{ "orientation 6", BLACK_WHITE, G4, WHITE0, 1, .filter = "CCITTFaxDecode", .orient = 6, .in_source = true },
	{ "orientation 7", GREY, NONE, BLACK0, 8, .filter = "FlateDecode", .orient = 7 },
	{ "orientation 8", COLOUR, NONE, PHOTOMETRIC_RGB, 8, .filter = "DeviceRGB", .orient = 8 },
};

static const struct png_how pngs[] = {
	{ "PNG colour", COLOUR, PNG_COLOR_TYPE_RGB, 8, false, false, true, 0 },
	{ "PNG in many chunks", COLOUR, PNG_COLOR_TYPE_RGB, 8, false, false, false, 64 },
	{ "PNG interlaced", COLOUR, PNG_COLOR_TYPE_RGB, 8, true, false, false, 0 },
	{ "PNG grey", GREY, PNG_COLOR_TYPE_GRAY, 8, false, false, true, 0 },
	{ "PNG grey, 16 bits", GREY, PNG_COLOR_TYPE_GRAY, 16, false, false, true, 0 },
	{ "PNG bitonal", BLACK_WHITE, PNG_COLOR_TYPE_GRAY, 1, false, false, true, 0 },
	{ "PNG with a palette", FEW, PNG_COLOR_TYPE_PALETTE, 4, false, false, true, 0 },
	{ "PNG with opacity", GREY, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, true, false, 0 },
	{ "PNG with opacity, 16 bits, interlaced", GREY, PNG_COLOR_TYPE_GRAY_ALPHA, 16, true, true, false, 0 },
	{ "PNG opaque all over", COLOUR, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, false, false, 0 },
	{ "PNG with a palette, interlaced", FEW, PNG_COLOR_TYPE_PALETTE, 4, true, false, false, 0 },
};

static void
test_tiffs(void)
{
	for (size_t i = 0; i < sizeof(tiffs) / sizeof(tiffs[0]); i++) {
		const struct tiff_how *h = &tiffs[i];
		bool masked = h->extra == OPACITY || h->extra == MULTIPLIED;
		struct image im = { 0 };
		struct err e;
		int d;

		write_tiff(h, path_of("a.tif"));
		d = pass(path_of("a.tif"), DOC_TIFF, h->paint, h->orient == 0 ? 1 : h->orient, &im, &e);
		CHECK(d >= 0 && d <= h->off, "%s: every pixel is as it was (%d) %s", h->name, d, e.text);
		CHECK(im.nobjects == (masked ? 2u : 1u) && strstr(im.objects[0].dict, h->filter) != NULL &&
		        im.objects[0].in_source == h->in_source,
		    "%s: kept as %s", h->name, im.nobjects > 0 ? im.objects[0].dict : "nothing");
		image_done(&im);
		if (masked)
			continue; /* a scanner's PDF has no such thing */
		d = pass_again(h->paint, h->orient == 0 ? 1 : h->orient, &e);
		CHECK(d >= 0 && d <= h->off, "%s: nor does it change as page of a PDF (%d) %s", h->name, d, e.text);
	}
}

static void
test_pngs(void)
{
	for (size_t i = 0; i < sizeof(pngs) / sizeof(pngs[0]); i++) {
		const struct png_how *h = &pngs[i];
		struct image im = { 0 };
		struct err e;
		int d;

		write_png(h, path_of("a.png"));
		d = pass(path_of("a.png"), DOC_PNG, h->paint, 1, &im, &e);
		CHECK(d >= 0 && d <= (h->alpha ? 1 : 0), "%s: every pixel is as it was (%d) %s", h->name, d, e.text);
		CHECK(im.nobjects == (h->alpha ? 2u : 1u) && im.objects[0].in_source == h->in_source, "%s: its data are %s", h->name,
		    h->in_source ? "taken as they are" : "put together or packed anew");
		image_done(&im);
		if (h->alpha)
			continue;
		d = pass_again(h->paint, 1, &e);
		CHECK(d == 0, "%s: nor does it change as page of a PDF (%d) %s", h->name, d, e.text);
	}
}

/* The judge sees a difference: one bit of one pixel, and a picture turned the other way. */
static void
test_twin(void)
{
	struct image im = { 0 };
	struct err e;
	int fd;

	write_tiff(&tiffs[9], path_of("a.tif"));
	CHECK(pass(path_of("a.tif"), DOC_TIFF, GREY, 4, &im, &e) > 20, "a picture upside down is not the same");
	image_done(&im);
	CHECK(pass(path_of("a.tif"), DOC_TIFF, BLACK_WHITE, 1, &im, &e) > 100, "nor is another one");
	image_done(&im);
	write_tiff(&tiffs[11], path_of("a.tif"));
	fd = open(path_of("a.tif"), O_RDWR);
	if (fd >= 0 && pwrite(fd, "\x40\x40", 2, 8 + 200) == 2)
		CHECK(pass(path_of("a.tif"), DOC_TIFF, GREY, 1, &im, &e) > 0, "one changed pixel is seen");
	close(fd);
	image_done(&im);
}

/* --- JPEG ---------------------------------------------------------------------------------------------------------- */

/* An EXIF segment with nothing but an orientation, big-endian. */
static void
put_exif(struct jpeg_compress_struct *c, uint8_t orient)
{
	uint8_t d[] = { 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orient, 0, 0,
		0, 0, 0, 0 };

	jpeg_write_marker(c, JPEG_APP0 + 1, d, sizeof(d));
}

static void
write_jpeg(const char *path, int comps, uint8_t orient)
{
	struct jpeg_compress_struct c;
	struct jpeg_error_mgr err;
	FILE *f = fopen(path, "w");
	uint8_t row[4 * W], *at = row, rgb[3];

	if (f == NULL)
		exit(99);
	c.err = jpeg_std_error(&err);
	jpeg_create_compress(&c);
	jpeg_stdio_dest(&c, f);
	c.image_width = W;
	c.image_height = H;
	c.input_components = comps;
	c.in_color_space = comps == 4 ? JCS_CMYK : comps == 3 ? JCS_RGB : JCS_GRAYSCALE;
	jpeg_set_defaults(&c);
	jpeg_set_quality(&c, 100, TRUE);
	c.write_JFIF_header = TRUE;
	c.density_unit = 1;
	c.X_density = c.Y_density = 72;
	jpeg_start_compress(&c, TRUE);
	put_exif(&c, orient);
	for (unsigned y = 0; y < H; y++) {
		for (unsigned x = 0; x < W; x++) {
			pixel(GREY, x, y, rgb);
			memset(row + (size_t)comps * x, comps == 4 ? 255 : rgb[0], (size_t)comps);
			if (comps == 4) /* black ink alone, as Adobe stores it: 255 is none */
				row[4 * x + 3] = rgb[0];
		}
		jpeg_write_scanlines(&c, &at, 1);
	}
	jpeg_finish_compress(&c);
	jpeg_destroy_compress(&c);
	fclose(f);
}

static void
test_jpegs(void)
{
	static const struct {
		const char *name;
		int comps;
		uint8_t orient;
	} all[] = { { "grey JPEG", 1, 1 }, { "colour JPEG", 3, 1 }, { "JPEG on its side", 3, 6 }, { "CMYK JPEG", 4, 1 } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct image im = { 0 };
		struct err e;
		int d;

		write_jpeg(path_of("a.jpg"), all[i].comps, all[i].orient);
		d = pass(path_of("a.jpg"), DOC_JPEG, GREY, all[i].orient, &im, &e);
		CHECK(d >= 0 && d <= 8, "%s: is the picture it was (%d) %s", all[i].name, d, e.text);
		CHECK(im.nobjects == (all[i].comps == 4 ? 2u : 1u) && im.objects[0].in_source && im.objects[0].off == 0 &&
		        strstr(im.objects[0].dict, "DCTDecode") != NULL,
		    "%s: is kept as %s", all[i].name, im.nobjects > 0 ? im.objects[0].dict : "nothing");
		image_done(&im);
	}
}

/* --- four inks ------------------------------------------------------------------------------------------------------- */

/* The samples as others unpack them: those that were written. */
static unsigned
inks_changed(const struct tiff_how *h, const char *pdf)
{
	static uint8_t got[H * W * 8 + 1];
	unsigned size = h->bits / 8, changed = 0;
	char cmd[400];
	size_t n;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "mutool show -b -o %s %s 4 2>/dev/null", path_of("inks"), pdf);
	if (system(cmd) != 0 || (f = fopen(path_of("inks"), "r")) == NULL)
		return UINT32_MAX;
	n = fread(got, 1, sizeof(got), f);
	fclose(f);
	for (unsigned i = 0; i < 4 * W * H; i++) {
		unsigned v = size == 2 ? (unsigned)got[2 * i] << 8 | got[2 * i + 1] : got[i];

		changed += v != tiff_sample(h, i / 4 % W, i / 4 / W, i % 4);
	}
	return n == (size_t)4 * W * H * size ? changed : UINT32_MAX;
}

static void
test_inks(void)
{
	static const struct tiff_how all[] = {
		{ "CMYK", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_SEPARATED, 8, .strip = 7 },
		{ "CMYK in planes of tiles", COLOUR, NONE, PHOTOMETRIC_SEPARATED, 8, .planar = PLANARCONFIG_SEPARATE, .tiled = true },
		{ "CMYK of 16 bits", COLOUR, COMPRESSION_ADOBE_DEFLATE, PHOTOMETRIC_SEPARATED, 16, .mode = "wb" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct tiff_how other = all[i];
		struct image im = { 0 };
		struct err e;

		write_tiff(&all[i], path_of("a.tif"));
		CHECK(pass(path_of("a.tif"), DOC_TIFF, COLOUR, 1, &im, &e) >= 0, "%s is read and shown %s", all[i].name, e.text);
		CHECK(im.nobjects == 2 && strstr(im.objects[0].dict, "/ColorSpace[/ICCBased @1]") != NULL &&
		        strstr(im.objects[1].dict, "/N 4") != NULL,
		    "%s: has a profile", all[i].name);
		CHECK(inks_changed(&all[i], path_of("a.pdf")) == 0, "%s: each ink is as it was", all[i].name);
		other.bits = 24 - other.bits;
		CHECK(inks_changed(&other, path_of("a.pdf")) > 0, "%s: the judge knows others", all[i].name);
		image_done(&im);
	}
}

/* --- JPEG 2000, WebP, and the old way to put a JPEG into a TIFF ---------------------------------------------------------- */

static PIX *
paint_pix(enum paint paint, int depth, bool opacity)
{
	PIX *pix = pixCreate((l_int32)W, (l_int32)H, depth);
	uint8_t c[3];

	if (pix == NULL)
		exit(99);
	for (unsigned y = 0; y < H; y++)
		for (unsigned x = 0; x < W; x++) {
			pixel(paint, x, y, c);
			pixSetPixel(pix, (l_int32)x, (l_int32)y, depth == 8 ? c[0] : opacity ? 255u - c[0] :
			    (l_uint32)c[0] << 24 | (l_uint32)c[1] << 16 | (l_uint32)c[2] << 8 | 255);
		}
	pixSetSpp(pix, depth == 8 ? 1 : opacity ? 4 : 3);
	return pix;
}

static void
test_newer(void)
{
	static const struct {
		const char *name;
		enum paint paint;
		int depth;
		bool jp2, opacity;
	} all[] = { { "grey JPEG 2000", GREY, 8, true, false }, { "colour JPEG 2000", COLOUR, 32, true, false },
		{ "WebP", COLOUR, 32, false, false }, { "WebP with opacity", GREY, 32, false, true } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		PIX *pix = paint_pix(all[i].paint, all[i].depth, all[i].opacity);
		const char *path = path_of("a.new");
		struct image im = { 0 };
		struct err e;
		int d;

		if (all[i].jp2 ? pixWriteJp2k(path, pix, 100, 2, 0, 0) != 0 : pixWriteWebP(path, pix, 100, 1) != 0)
			exit(99);
		pixDestroy(&pix);
		d = pass(path, all[i].jp2 ? DOC_JP2 : DOC_WEBP, all[i].paint, 1, &im, &e);
		CHECK(d >= 0 && d <= (all[i].opacity ? 1 : 0), "%s: every pixel is as it was (%d) %s", all[i].name, d, e.text);
		CHECK(im.nobjects == (all[i].opacity ? 2u : 1u) && im.objects[0].in_source == all[i].jp2 &&
		        strstr(im.objects[0].dict, all[i].jp2 ? "JPXDecode" : "FlateDecode") != NULL,
		    "%s: kept as %s", all[i].name, im.nobjects > 0 ? im.objects[0].dict : "nothing");
		image_done(&im);
	}
}

static void
put_le(FILE *f, unsigned v, int n)
{
	for (int i = 0; i < n; i++)
		fputc((int)(v >> 8 * i & 0xff), f);
}

/* No strips at all: the JPEG, and where it lies (TIFF 6.0, section 22). */
static void
write_old_jpeg(const char *jpeg, const char *path)
{
	static const unsigned tags[][2] = { { 256, W }, { 257, H }, { 258, 8 }, { 259, 6 }, { 262, 6 }, { 277, 3 }, { 513, 200 },
		{ 514, 0 } };
	const unsigned n = sizeof(tags) / sizeof(tags[0]);
	FILE *in = fopen(jpeg, "r"), *out = fopen(path, "w");
	uint8_t data[W * H * 4];
	size_t len;

	if (in == NULL || out == NULL)
		exit(99);
	len = fread(data, 1, sizeof(data), in);
	fwrite("II*\0\x08\0\0\0", 1, 8, out);
	put_le(out, n, 2);
	for (unsigned i = 0; i < n; i++) {
		put_le(out, tags[i][0], 2);
		put_le(out, 4, 2);
		put_le(out, 1, 4);
		put_le(out, tags[i][0] == 514 ? (unsigned)len : tags[i][1], 4);
	}
	while (ftell(out) < 200)
		fputc(0, out);
	fwrite(data, 1, len, out);
	fclose(in);
	fclose(out);
}

static void
test_old_jpeg(void)
{
	struct image im = { 0 };
	struct err e;
	int d;

	write_jpeg(path_of("a.jpg"), 3, 1);
	write_old_jpeg(path_of("a.jpg"), path_of("a.tif"));
	d = pass(path_of("a.tif"), DOC_TIFF, GREY, 1, &im, &e);
	CHECK(d == 1000 || (d >= 0 && d <= 8), "a JPEG put into a TIFF the old way is read (%d) %s", d, e.text);
	CHECK(im.nobjects == 1 && strstr(im.objects[0].dict, "DCTDecode") != NULL && im.objects[0].len > 1000,
	    "and stays a JPEG");
	image_done(&im);
}

/* A JPEG keeps its bytes, all of them, in the order they had. */
static void
test_bytes(void)
{
	struct image im = { 0 };
	struct err e = { 0 };
	AUTO_FD fd = scans_open("de-rechnung.jpg");
	AUTO_SOURCE s;
	size_t n;
	uint8_t *p = scans_load("de-rechnung.jpg", &n);

	source_open(&s, fd, &e);
	CHECK(image_read(&im, &s, DOC_JPEG, 0, IMAGE_FOR_TEXT, &scans_limits, &e) == 0 && im.objects[0].off == 0 &&
	        im.objects[0].len == n,
	    "a JPEG is the whole of its stream %s", e.text);
	free(p);
	image_done(&im);
}

/* --- pages found from a mark ---------------------------------------------------------------------------------------- */

/* Reads a page from a mark on; its own mark, at 0 when it could not be read. */
static struct page_mark
read_from(struct page_mark mark, uint32_t page, uint64_t *ret_strip, struct err *e)
{
	struct image im = { 0 };
	AUTO_FD fd = scans_open("de-brief.tif");
	AUTO_SOURCE s;

	source_open(&s, fd, e);
	s.mark = mark;
	if (image_read(&im, &s, DOC_TIFF, page, IMAGE_FOR_TEXT, &scans_limits, e) < 0)
		s.mark = (struct page_mark){ 0 };
	*ret_strip = im.nobjects == 0 ? 0 : im.objects[0].off;
	image_done(&im);
	return s.mark;
}

static void
test_marks(void)
{
	TIFF *t = TIFFOpen(SCANS "de-brief.tif", "r");
	uint64_t at[2], strip[2], got;
	struct err e = { 0 };
	struct page_mark m;

	for (uint16_t i = 0; i < 2; i++) {
		if (t == NULL || !TIFFSetDirectory(t, i))
			exit(99);
		at[i] = TIFFCurrentDirOffset(t);
		strip[i] = TIFFGetStrileOffset(t, 0);
	}
	TIFFClose(t);
	m = read_from((struct page_mark){ 0 }, 0, &got, &e);
	CHECK(m.page == 0 && m.at == at[0] && got == strip[0], "the first page tells where it stands %s", e.text);
	m = read_from(m, 1, &got, &e);
	CHECK(m.page == 1 && m.at == at[1] && got == strip[1], "the second is found from there %s", e.text);
	m = read_from(m, 0, &got, &e);
	CHECK(m.page == 0 && m.at == at[0] && got == strip[0], "the first is not looked for behind the second %s", e.text);
	m = read_from((struct page_mark){ 1, at[0] }, 1, &got, &e);
	CHECK(m.at == at[0] && got == strip[0], "a wrong mark leads to another page of the document %s", e.text);
	m = read_from((struct page_mark){ 1, UINT64_MAX - 7 }, 1, &got, &e);
	CHECK(m.at == 0 && e.code == ERR_DOC_INCOMPLETE, "or out of it: %s", e.text);
}

int
main(void)
{
	int fd = tmpdir_make(dir);

	test_tiffs();
	test_pngs();
	test_twin();
	test_jpegs();
	test_inks();
	test_newer();
	test_old_jpeg();
	test_bytes();
	test_marks();
	tmpdir_remove(fd, dir);
	return TEST_DONE();
}
