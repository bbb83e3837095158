/*
 * The picture of a held page: right side up, the right size, frames of the
 * right colour where they belong; read back with libpng.
 */
#include <png.h>

#include "scan/picture.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

static uint8_t *pixels;
static unsigned width, height;

static int
picture(const char *file, const struct picture_params *p, struct err *e)
{
	AUTO_FD in = scans_open(file), out = scans_temporary();
	png_image png = { .version = PNG_IMAGE_VERSION };
	AUTO_FREE uint8_t *data = NULL;
	uint64_t n = 0;
	int r;

	*e = (struct err){ 0 };
	free(pixels);
	pixels = NULL;
	if ((r = picture_make(&scans_limits, p, in, out, e)) < 0)
		return r;
	if (io_size(out, &n, e) < 0 || (data = malloc(n)) == NULL || io_pread_full(out, data, n, 0, e) < 0 ||
	    !png_image_begin_read_from_memory(&png, data, n))
		return -ERR_IO;
	png.format = PNG_FORMAT_RGB;
	width = png.width;
	height = png.height;
	if ((pixels = malloc(PNG_IMAGE_SIZE(png))) == NULL || !png_image_finish_read(&png, NULL, pixels, 0, NULL))
		return -ERR_IO;
	return 0;
}

/* Share of dark pixels in a part of the page given in points. */
static double
dark(double x0, double y0, double x1, double y1)
{
	unsigned n = 0, all = 0;

	for (unsigned y = (unsigned)(y0 * height / 841.89); y < (unsigned)(y1 * height / 841.89) && y < height; y++)
		for (unsigned x = (unsigned)(x0 * width / 595.28); x < (unsigned)(x1 * width / 595.28) && x < width; x++, all++)
			n += pixels[3 * ((size_t)y * width + x)] < 160;
	return all == 0 ? 0 : (double)n / all;
}

static bool
colour_at(double x, double y, uint8_t r, uint8_t g, uint8_t b)
{
	size_t at = 3 * ((size_t)(y * height / 841.89) * width + (size_t)(x * width / 595.28));

	return pixels[at] == r && pixels[at + 1] == g && pixels[at + 2] == b;
}

static const struct picture_params plain = { .kind = DOC_TIFF, .width_mpt = 595280, .height_mpt = 841890 };

/* Letter heads are at the top left, and only there. */
static void
test_upright(void)
{
	static const struct {
		const char *file;
		uint32_t kind, rotate;
	} all[] = { { "en-letter.tif", DOC_TIFF, 0 }, { "en-turned.tif", DOC_TIFF, 180 }, { "de-rechnung.jpg", DOC_JPEG, 0 },
		{ "en-invoice.png", DOC_PNG, 0 }, { "en-sideways.tif", DOC_TIFF, 90 }, { "de-akte.pdf", DOC_PDF, 0 } };
	struct err e;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct picture_params p = plain;

		p.kind = all[i].kind;
		p.rotate = all[i].rotate;
		if (!CHECK(picture(all[i].file, &p, &e) == 0, "%s is drawn %s", all[i].file, e.text))
			continue;
		CHECK(abs((int)width - 827) <= 2 && abs((int)height - 1169) <= 2, "%s: A4 at 100 dots per inch (%u x %u)", all[i].file,
		    width, height);
		CHECK(dark(60, 55, 200, 72) > 0.05 && dark(60, 770, 535, 835) < 0.01, "%s: its head is at the top left", all[i].file);
	}
	{
		struct picture_params p = plain;

		CHECK(picture("en-turned.tif", &p, &e) == 0 && dark(60, 55, 200, 72) < 0.01, "and not where nobody turned the page");
	}
}

static void
test_marks(void)
{
	struct picture_params p = plain;
	struct err e;

	p.nmarks = 3;
	p.marks[0].mark = MARK_CANDIDATE;
	p.marks[0].box = (struct box){ 60000, 612300, 159600, 622200 };
	p.marks[1].mark = MARK_PLACE;
	p.marks[1].box = (struct box){ 330000, 400000, 500000, 460000 };
	p.marks[2].mark = MARK_FOUND;
	p.marks[2].box = (struct box){ 0, 0, 595280, 841890 }; /* as large as the page */
	if (!CHECK(picture("de-zweimal.tif", &p, &e) == 0, "a page with marks is drawn %s", e.text))
		return;
	CHECK(colour_at(110, 610.5, 240, 140, 0) && colour_at(110, 624, 240, 140, 0), "orange above and below a candidate");
	CHECK(colour_at(328.5, 430, 20, 80, 220) && colour_at(501.5, 430, 20, 80, 220), "blue left and right of the place");
	CHECK(!colour_at(415, 430, 20, 80, 220), "and not inside");
	CHECK(dark(60, 612, 160, 622) > 0.05, "the words in the frame can be read");
	p.nmarks = 0;
	CHECK(picture("de-zweimal.tif", &p, &e) == 0 && !colour_at(110, 610.5, 240, 140, 0), "without marks there is no frame");
}

static void
test_refused(void)
{
	struct picture_params p = plain;
	struct err e;

	p.width_mpt = 0;
	CHECK(picture("de-zweimal.tif", &p, &e) == -ERR_PEER, "a page without size: %s", e.text);
	p = plain;
	p.nmarks = 1;
	p.marks[0].mark = 9;
	CHECK(picture("de-zweimal.tif", &p, &e) == -ERR_PEER, "a mark of no kind: %s", e.text);
	p = plain;
	p.page = 4;
	CHECK(picture("de-zweimal.tif", &p, &e) == -ERR_DOC_BAD, "a page that is not there: %s", e.text);
}

int
main(void)
{
	test_upright();
	test_marks();
	test_refused();
	free(pixels);
	return TEST_DONE();
}
