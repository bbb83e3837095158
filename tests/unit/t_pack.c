/*
 * Streams of images put into Flate: undone by zlib, byte for byte what the file
 * holds; and left alone where little would be saved.
 */
#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "scan/image.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

static struct err e;

static void
read_image(int fd, struct source *s, uint32_t kind, struct image *im)
{
	*im = (struct image){ 0 };
	if (source_open(s, fd, &e) < 0 || image_read(im, s, kind, 0, IMAGE_FOR_TEXT, &scans_limits, &e) < 0 ||
	    image_encode(im, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
}

static uint8_t *
bytes_of(const struct image_object *o, const struct source *s)
{
	uint8_t *p = malloc(o->len);

	if (p == NULL || (o->in_source && source_read(s, p, o->len, o->off, &e) < 0))
		exit(99);
	if (!o->in_source)
		memcpy(p, o->data, o->len);
	return p;
}

static const struct sample {
	const char *name, *file;
	uint32_t kind;
	const char *dict; /* what it has then; NULL: it is left as it is */
} samples[] = {
	{ "a G4 page", "de-schief.tif", DOC_TIFF,
	    "/Filter[/FlateDecode/CCITTFaxDecode]/DecodeParms[null<</K -1/Columns 2480/Rows 3508/BlackIs1 true>>]" },
	{ "a JPEG", "de-rechnung.jpg", DOC_JPEG, "/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter[/FlateDecode/DCTDecode]" },
	{ "a JPEG page of a PDF", "de-akte.pdf", DOC_PDF, "/Filter[/FlateDecode/DCTDecode]" },
	{ "pixels in Flate", "en-invoice.png", DOC_PNG, NULL },
};

static void
test_sample(const struct sample *c)
{
	int fd = scans_open(c->file);
	struct source s = { 0 };
	struct image im;
	struct image_object *o = &im.objects[0];
	AUTO_FREE uint8_t *before = NULL, *after = NULL;
	AUTO_FREE char *dict = NULL;
	uint64_t len;
	uLongf n;

	read_image(fd, &s, c->kind, &im);
	before = bytes_of(o, &s);
	dict = strdup(o->dict);
	len = n = o->len;
	CHECK(image_pack(&im, &s, &e) == 0, "%s: is packed %s", c->name, e.text);
	if (c->dict == NULL) {
		CHECK(strcmp(o->dict, dict) == 0 && o->len == len, "%s: is left", c->name);
	} else {
		CHECK(!o->in_source && strstr(o->dict, c->dict) != NULL && o->len <= len - len / 32, "%s: %llu bytes become %llu as %s",
		    c->name, (unsigned long long)len, (unsigned long long)o->len, o->dict);
		after = malloc(len);
		CHECK(after != NULL && !o->in_source && uncompress(after, &n, o->data, o->len) == Z_OK && n == len &&
		        memcmp(before, after, len) == 0,
		    "%s: and are what they were when it is undone", c->name);
	}
	image_done(&im);
	source_done(&s);
	close(fd);
}

/* A photograph of nothing but noise: nothing repeats. */
static void
test_noise(uint32_t side)
{
	PIX *p = pixCreate((int)side, (int)side, 8);
	struct source s = { 0 };
	struct image im;
	l_uint8 *jpeg;
	size_t n;
	int fd;

	srand(1);
	for (uint32_t y = 0; y < side; y++)
		for (uint32_t x = 0; x < side; x++)
			pixSetPixel(p, (int)x, (int)y, (l_uint32)rand() & 0xFF);
	if (pixWriteMemJpeg(&jpeg, &n, p, 90, 0) != 0)
		exit(99);
	fd = scans_memory(jpeg, n);
	read_image(fd, &s, DOC_JPEG, &im);
	if (image_pack(&im, &s, &e) < 0)
		exit(99);
	CHECK(im.objects[0].in_source && im.objects[0].len == n && strstr(im.objects[0].dict, "/Filter/DCTDecode") != NULL,
	    "a JPEG of %zu bytes of noise is left as %s", n, im.objects[0].dict);
	image_done(&im);
	source_done(&s);
	close(fd);
	lept_free(jpeg);
	pixDestroy(&p);
}

/* Whatever stands around the filter stays. */
static void
test_dicts(void)
{
	static const char *const all[][2] = {
		{ "/Width 9/Filter/DCTDecode/DecodeParms<</ColorTransform 0>>/Decode[1 0]",
		    "/Width 9/Filter[/FlateDecode/DCTDecode]/DecodeParms[null<</ColorTransform 0>>]/Decode[1 0]" },
		{ "/Filter/DCTDecode", "/Filter[/FlateDecode/DCTDecode]" },
		{ "/Filter/CCITTFaxDecode/Decode[1 0]", "/Filter[/FlateDecode/CCITTFaxDecode]/Decode[1 0]" },
		{ "/Filter[/FlateDecode/DCTDecode]", NULL },
		{ "/Filter/JPXDecode", NULL },
		{ "/Width 9", NULL },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct image im = { .nobjects = 1 };
		struct source s = { .fd = -1 };

		im.objects[0] = (struct image_object){ .dict = strdup(all[i][0]), .data = calloc(1, 1000), .len = 1000 };
		if (image_pack(&im, &s, &e) < 0)
			exit(99);
		CHECK(strcmp(im.objects[0].dict, all[i][all[i][1] == NULL ? 0 : 1]) == 0, "%s becomes %s", all[i][0], im.objects[0].dict);
		image_done(&im);
	}
}

/* The file was cut short after its page was read: said, and nothing lost but the page. */
static void
test_short(void)
{
	int fd = scans_open("de-rechnung.jpg");
	struct source s = { 0 };
	struct image im;

	read_image(fd, &s, DOC_JPEG, &im);
	s.size = 5000;
	CHECK(image_pack(&im, &s, &e) == -ERR_DOC_INCOMPLETE && im.objects[0].in_source, "a file that is not all there: %s", e.text);
	image_done(&im);
	source_done(&s);
	close(fd);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		test_sample(&samples[i]);
	test_noise(100);
	test_noise(700);
	test_dicts();
	test_short();
	return TEST_DONE();
}
