/*
 * Page images keep every pixel, whatever they came in: pictures known by a
 * formula are written with libtiff, libpng and libjpeg, read by us, put into
 * the smallest PDF by this test, and shown by mupdf.
 */
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

enum paint { BLACK_WHITE, GREY, COLOUR, FEW };

static void
pixel(enum paint paint, unsigned x, unsigned y, uint8_t rgb[3])
{
	switch (paint) {
	case BLACK_WHITE:
		rgb[0] = rgb[1] = rgb[2] = (uint8_t)((x < W / 3 && y < H / 4) || (x + 2 * y) % 7 == 0 ? 0 : 255);
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

struct tiff_how {
	const char *name;
	enum paint paint;
	unsigned compression, photometric, bits, strip, fill, planar, orient;
	bool tiled, in_source;
	const char *filter; /* in the dictionary */
};

static void
tiff_row(const struct tiff_how *h, unsigned y, unsigned plane, uint8_t *row)
{
	uint8_t rgb[3];

	memset(row, 0, 4 * W);
	for (unsigned x = 0; x < W; x++) {
		pixel(h->paint, x, y, rgb);
		if (h->photometric == PHOTOMETRIC_PALETTE) {
			row[x / 2] |= (uint8_t)(index_of(x, y) << (x % 2 == 0 ? 4 : 0));
		} else if (h->bits == 1) {
			bool one = (rgb[0] == 0) == (h->photometric == PHOTOMETRIC_MINISWHITE);

			row[x / 8] |= (uint8_t)(one ? 0x80 >> x % 8 : 0);
		} else if (h->bits == 16) {
			uint16_t v = (uint16_t)(rgb[0] * 257);

			memcpy(row + 2 * x, &v, 2); /* libtiff takes the host's order */
		} else if (h->photometric == PHOTOMETRIC_RGB && h->planar == PLANARCONFIG_SEPARATE) {
			row[x] = rgb[plane];
		} else if (h->photometric == PHOTOMETRIC_RGB) {
			memcpy(row + 3 * x, rgb, 3);
		} else {
			row[x] = (uint8_t)(h->photometric == PHOTOMETRIC_MINISWHITE ? 255 - rgb[0] : rgb[0]);
		}
	}
}

static void
tiff_palette(TIFF *t)
{
	uint16_t c[3][16];

	for (unsigned i = 0; i < 16; i++) {
		c[0][i] = (uint16_t)(i * 17 * 257);
		c[1][i] = (uint16_t)((255 - i * 17) * 257);
		c[2][i] = (uint16_t)((i * 17 / 2) * 257);
	}
	TIFFSetField(t, TIFFTAG_COLORMAP, c[0], c[1], c[2]);
}

static void
write_tiff(const struct tiff_how *h, const char *path)
{
	TIFF *t = TIFFOpen(path, "w");
	unsigned planes = h->planar == PLANARCONFIG_SEPARATE ? 3 : 1;
	uint8_t row[4 * W], *tile = malloc((size_t)W * W);

	if (t == NULL || tile == NULL)
		exit(99);
	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, W);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, H);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, h->bits);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, h->photometric == PHOTOMETRIC_RGB ? 3 : 1);
	TIFFSetField(t, TIFFTAG_COMPRESSION, h->compression);
	TIFFSetField(t, TIFFTAG_PHOTOMETRIC, h->photometric);
	TIFFSetField(t, TIFFTAG_PLANARCONFIG, h->planar == 0 ? PLANARCONFIG_CONTIG : h->planar);
	TIFFSetField(t, TIFFTAG_ORIENTATION, h->orient == 0 ? 1 : h->orient);
	TIFFSetField(t, TIFFTAG_FILLORDER, h->fill == 0 ? 1 : h->fill);
	TIFFSetField(t, TIFFTAG_XRESOLUTION, 72.0);
	TIFFSetField(t, TIFFTAG_YRESOLUTION, 72.0);
	TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
	if (h->photometric == PHOTOMETRIC_PALETTE)
		tiff_palette(t);
	if (h->tiled) {
		TIFFSetField(t, TIFFTAG_TILEWIDTH, W);
		TIFFSetField(t, TIFFTAG_TILELENGTH, W);
		memset(tile, 0, (size_t)W * W);
		for (unsigned y = 0; y < H; y++) {
			tiff_row(h, y, 0, row);
			memcpy(tile + (size_t)y * W, row, W);
		}
		TIFFWriteTile(t, tile, 0, 0, 0, 0);
	} else {
		TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, h->strip == 0 ? H : h->strip);
		for (unsigned p = 0; p < planes; p++)
			for (unsigned y = 0; y < H; y++) {
				tiff_row(h, y, p, row);
				TIFFWriteScanline(t, row, y, (uint16_t)p);
			}
	}
	TIFFClose(t);
	free(tile);
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
		else if (h->bits == 16)
			row[2 * x] = row[2 * x + 1] = rgb[0];
		else if (h->type == PNG_COLOR_TYPE_GRAY)
			row[x] = rgb[0];
		else if (h->type == PNG_COLOR_TYPE_RGB)
			memcpy(row + 3 * x, rgb, 3);
		else { /* black that lets white paper through: the same to look at */
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
	{ "G4, one strip", BLACK_WHITE, G4, WHITE0, 1, 0, 0, 0, 0, false, true, "CCITTFaxDecode" },
	{ "G4, one strip, black is 0", BLACK_WHITE, G4, BLACK0, 1, 0, 0, 0, 0, false, true, "CCITTFaxDecode" },
	{ "G4, bits turned round", BLACK_WHITE, G4, WHITE0, 1, 0, 2, 0, 0, false, false, "CCITTFaxDecode" },
	{ "G4 in strips", BLACK_WHITE, G4, WHITE0, 1, 7, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "G4 in strips, black is 0", BLACK_WHITE, G4, BLACK0, 1, 7, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "G3", BLACK_WHITE, COMPRESSION_CCITTFAX3, WHITE0, 1, 0, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "bitonal, PackBits", BLACK_WHITE, COMPRESSION_PACKBITS, BLACK0, 1, 5, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "bitonal, not packed, white is 0", BLACK_WHITE, NONE, WHITE0, 1, 0, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "grey of two values", BLACK_WHITE, COMPRESSION_LZW, BLACK0, 8, 0, 0, 0, 0, false, false, "CCITTFaxDecode" },
	{ "grey, LZW", GREY, COMPRESSION_LZW, BLACK0, 8, 9, 0, 0, 0, false, false, "FlateDecode" },
	{ "grey, white is 0", GREY, COMPRESSION_ADOBE_DEFLATE, WHITE0, 8, 0, 0, 0, 0, false, false, "FlateDecode" },
	{ "grey, 16 bits", GREY, NONE, BLACK0, 16, 0, 0, 0, 0, false, false, "BitsPerComponent 16" },
	{ "grey in a tile", GREY, NONE, BLACK0, 8, 0, 0, 0, 0, true, false, "FlateDecode" },
	{ "colour", COLOUR, COMPRESSION_LZW, PHOTOMETRIC_RGB, 8, 0, 0, 0, 0, false, false, "DeviceRGB" },
	{ "colour in planes", COLOUR, NONE, PHOTOMETRIC_RGB, 8, 11, 0, PLANARCONFIG_SEPARATE, 0, false, false, "DeviceRGB" },
	{ "colour that is grey", GREY, NONE, PHOTOMETRIC_RGB, 8, 0, 0, 0, 0, false, false, "DeviceGray" },
	{ "sixteen colours", FEW, COMPRESSION_LZW, PHOTOMETRIC_PALETTE, 4, 0, 0, 0, 0, false, false, "Indexed" },
	{ "orientation 2", GREY, NONE, BLACK0, 8, 0, 0, 0, 2, false, false, "FlateDecode" },
	{ "orientation 3", GREY, NONE, BLACK0, 8, 0, 0, 0, 3, false, false, "FlateDecode" },
	{ "orientation 4", GREY, NONE, BLACK0, 8, 0, 0, 0, 4, false, false, "FlateDecode" },
	{ "orientation 5", GREY, NONE, BLACK0, 8, 0, 0, 0, 5, false, false, "FlateDecode" },
	{ "orientation 6", BLACK_WHITE, G4, WHITE0, 1, 0, 0, 0, 6, false, true, "CCITTFaxDecode" },
	{ "orientation 7", GREY, NONE, BLACK0, 8, 0, 0, 0, 7, false, false, "FlateDecode" },
	{ "orientation 8", COLOUR, NONE, PHOTOMETRIC_RGB, 8, 0, 0, 0, 8, false, false, "DeviceRGB" },
};

static const struct png_how pngs[] = {
	{ "PNG colour", COLOUR, PNG_COLOR_TYPE_RGB, 8, false, false, true, 0 },
	{ "PNG in many chunks", COLOUR, PNG_COLOR_TYPE_RGB, 8, false, false, false, 64 },
	{ "PNG interlaced", COLOUR, PNG_COLOR_TYPE_RGB, 8, true, false, false, 0 },
	{ "PNG grey", GREY, PNG_COLOR_TYPE_GRAY, 8, false, false, true, 0 },
	{ "PNG grey, 16 bits", GREY, PNG_COLOR_TYPE_GRAY, 16, false, false, true, 0 },
	{ "PNG bitonal", BLACK_WHITE, PNG_COLOR_TYPE_GRAY, 1, false, false, true, 0 },
	{ "PNG with a palette", FEW, PNG_COLOR_TYPE_PALETTE, 4, false, false, true, 0 },
	{ "PNG transparent", GREY, PNG_COLOR_TYPE_RGB_ALPHA, 8, false, true, false, 0 },
};

static void
test_tiffs(void)
{
	for (size_t i = 0; i < sizeof(tiffs) / sizeof(tiffs[0]); i++) {
		const struct tiff_how *h = &tiffs[i];
		struct image im = { 0 };
		struct err e;
		int d;

		write_tiff(h, path_of("a.tif"));
		d = pass(path_of("a.tif"), DOC_TIFF, h->paint, h->orient == 0 ? 1 : h->orient, &im, &e);
		CHECK(d == 0, "%s: every pixel is as it was (%d) %s", h->name, d, e.text);
		CHECK(im.nobjects == 1 && strstr(im.objects[0].dict, h->filter) != NULL && im.objects[0].in_source == h->in_source,
		    "%s: kept as %s", h->name, im.nobjects > 0 ? im.objects[0].dict : "nothing");
		image_done(&im);
		d = pass_again(h->paint, h->orient == 0 ? 1 : h->orient, &e);
		CHECK(d == 0, "%s: nor does it change as page of a PDF (%d) %s", h->name, d, e.text);
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
		CHECK(d == 0, "%s: every pixel is as it was (%d) %s", h->name, d, e.text);
		CHECK(im.nobjects == 1 && im.objects[0].in_source == h->in_source, "%s: its data are %s", h->name,
		    h->in_source ? "taken as they are" : "put together or packed anew");
		image_done(&im);
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
		CHECK(im.nobjects == 1 && im.objects[0].in_source == (all[i].comps != 4) &&
		        (all[i].comps == 4 || (im.objects[0].off == 0 && strstr(im.objects[0].dict, "DCTDecode") != NULL)),
		    "%s: is kept as %s", all[i].name, im.nobjects > 0 ? im.objects[0].dict : "nothing");
		image_done(&im);
	}
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

int
main(void)
{
	int fd = tmpdir_make(dir);

	test_tiffs();
	test_pngs();
	test_twin();
	test_jpegs();
	test_bytes();
	tmpdir_remove(fd, dir);
	return TEST_DONE();
}
