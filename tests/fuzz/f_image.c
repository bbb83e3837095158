/*
 * f_image.c - TIFF, JPEG, PNG, JPEG 2000 and WebP: looked at as when they arrive, then read and
 * encoded as a page child does.
 *
 * What inspect has let pass may still fail to decode, but only as a document's own
 * fault, and within the limits that inspect has checked.  The CRCs of a PNG's
 * chunks are made right after each mutation.
 */
#include <zlib.h>

#include "scan/image.h"
#include "scan/inspect.h"
#include "tests/fuzz/fuzz.h"

#define PNG_SIGNATURE 8
#define CHUNK 12 /* length, type and CRC */

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	size = LLVMFuzzerMutate(data, size, max);
	if (size > PNG_SIGNATURE && memcmp(data, "\x89PNG", 4) == 0 && seed % 8 != 0)
		for (size_t at = PNG_SIGNATURE; size - at >= CHUNK;) {
			uint32_t len = (uint32_t)data[at] << 24 | (uint32_t)data[at + 1] << 16 | (uint32_t)data[at + 2] << 8 | data[at + 3];

			if (len > size - at - CHUNK)
				break;
			put_u32(data + at + 8 + len, (uint32_t)crc32(0, data + at + 4, len + 4));
			at += CHUNK + len;
		}
	return size;
}

static void
read_page(int fd, const struct inspect_result *res, uint32_t page, enum image_want want)
{
	struct image im = { 0 };
	struct source s = { 0 };
	struct image_view v;
	struct err e = { 0 };

	if (source_open(&s, fd, &e) < 0)
		abort();
	if (image_read(&im, &s, res->kind, page, want, &fuzz_limits, &e) < 0) {
		FUZZ_MUST(e.code != ERR_OK && err_class(e.code) != ERR_CLASS_STOP, "page %u fails as %s: %s", page, err_word(e.code),
		    e.text);
	} else {
		FUZZ_MUST((uint64_t)im.r.w * im.r.h <= fuzz_limits.max_pixels, "page %u has %u x %u pixels", page, im.r.w, im.r.h);
		FUZZ_MUST(im.media_w > 0 && im.media_h > 0, "page %u has no size", page);
		if (image_view(&im, &v, &e) == 0)
			FUZZ_MUST(v.page_w > 0 && v.page_h > 0, "page %u is seen without size", page);
		if (want == IMAGE_FOR_TEXT && image_encode(&im, &e) == 0 && image_pack(&im, &s, &e) == 0)
			FUZZ_MUST(im.nobjects > 0 && im.nobjects <= PAGEFILE_OBJECTS_MAX && im.objects[0].dict != NULL,
			    "page %u is encoded to nothing", page);
	}
	image_done(&im);
	source_done(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inspect_result res = { 0 };
	struct err e = { 0 };
	int fd = fuzz_file(data, size);

	if (size > 4 && memcmp(data, "%PDF", 4) == 0)
		return 0; /* f_pdf.c */
	if (inspect_doc(fd, &fuzz_limits, 0, &res, &e) < 0) {
		FUZZ_MUST(err_class(e.code) == ERR_CLASS_REJECT || err_class(e.code) == ERR_CLASS_HOLD, "refused as %s: %s",
		    err_word(e.code), e.text);
		return 0;
	}
	FUZZ_MUST(res.pages >= 1 && res.pages <= fuzz_limits.max_pages && res.kind != DOC_NONE && res.kind != DOC_PDF,
	    "%u pages of %s", res.pages, doc_kind_name(res.kind));
	fuzz_accepted();
	for (uint32_t i = 0; i < res.pages && i < 3; i++) {
		read_page(fd, &res, i, IMAGE_FOR_TEXT);
		read_page(fd, &res, i, IMAGE_FOR_PICTURE);
	}
	fuzz_planted(res.kind == DOC_TIFF && res.pages == 1 && size % 4 == 3, data, size);
	return 0;
}
