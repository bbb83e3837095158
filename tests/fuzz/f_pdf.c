/*
 * f_pdf.c - PDF: looked at as when it arrives, its signatures listed, its pages read.
 *
 * libqpdf reads; what it says is doubted by scan/pdfin.c.  A file that passes has
 * pages that can be walked to, and a page's image keeps to the limits.
 */
#include "agent/lib/io.h"
#include "scan/image.h"
#include "scan/files.h"
#include "scan/inspect.h"
#include "scan/pdfpage.h"
#include "scan/sigs.h"
#include "tests/fuzz/fuzz.h"

static void
signatures(int fd, size_t size)
{
	struct sigs_result res = { 0 };
	struct err e = { 0 };
	AUTO_BUF b = { 0 };
	int out = fuzz_out();
	uint64_t len;

	if (sigs_read(fd, fuzz_limits.max_pages, out, &res, &e) < 0) {
		FUZZ_MUST(e.code != ERR_OK, "no signatures, and no word of it");
		return;
	}
	FUZZ_MUST(res.nsigs <= SIGS_MAX && io_size(out, &len, &e) == 0, "%u signatures", res.nsigs);
	buf_init(&b, len + 1);
	for (uint64_t i = 0; i < len; i++)
		buf_put_u8(&b, 0);
	FUZZ_MUST(io_pread_full(out, b.data, len, 0, &e) == 0, "%s", e.text);
	for (uint32_t i = 0; i < res.nsigs; i++) {
		struct sig_info s = { 0 };

		FUZZ_MUST(sig_info_get(&b, &s, &e) == 0, "signature %u does not read: %s", i, e.text);
		FUZZ_MUST(s.range[1] <= size && s.range[2] <= size && s.range[3] <= size - s.range[2],
		    "signature %u covers more than the file", i);
		sig_info_done(&s);
	}
	FUZZ_MUST(buf_finished(&b), "something is left behind the signatures");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inspect_result res = { 0 }, brief = { 0 };
	struct err e = { 0 };
	int fd;

	if (size < 8 || memcmp(data, "%PDF", 4) != 0)
		return 0; /* f_image.c */
	fd = fuzz_file(data, size);
	signatures(fd, size);
	(void)files_list(fd, fuzz_out(), &(struct files_result){ 0 }, &(struct err){ 0 });
	if (inspect_doc(fd, &fuzz_limits, 1, &brief, &(struct err){ 0 }) == 0 && brief.brief)
		FUZZ_MUST(brief.kind == DOC_PDF && brief.pages > 1 && brief.pages <= fuzz_limits.max_pages, "%u pages in brief", brief.pages);
	if (inspect_doc(fd, &fuzz_limits, 0, &res, &e) < 0) {
		FUZZ_MUST(err_class(e.code) == ERR_CLASS_REJECT || err_class(e.code) == ERR_CLASS_HOLD, "refused as %s: %s",
		    err_word(e.code), e.text);
		return 0;
	}
	FUZZ_MUST((res.kind == DOC_PDF || res.kind == DOC_PDF_KEPT) && res.pages >= 1 && res.pages <= fuzz_limits.max_pages, "%u pages", res.pages);
	fuzz_accepted();
	for (uint32_t i = 0; i < res.pages && i < 3; i++) {
		struct image im = { 0 };
		struct source s = { 0 };

		if (source_open(&s, fd, &e) < 0)
			abort();
		if (pdf_read(&im, &s, i, IMAGE_FOR_TEXT, &fuzz_limits, &e) == 0)
			FUZZ_MUST((uint64_t)im.r.w * im.r.h <= fuzz_limits.max_pixels && im.media_w > 0 && im.media_h > 0,
			    "page %u has %u x %u pixels", i, im.r.w, im.r.h);
		image_done(&im);
		source_done(&s);
	}
	fuzz_planted(size % 2 == 1 && res.pages == 1, data, size);
	return 0;
}
