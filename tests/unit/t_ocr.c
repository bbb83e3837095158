/*
 * Pages read by sealroom-scan as the core starts it: confined, and right.
 * What the pages say, and where, is known from the generator that drew them.
 */
#include <leptonica/allheaders.h>

#include "scan/image.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"
#include "tests/unit/zygote.h"

static const char conf[] =
    "folders : { in : { path = \"/in\"; rules = [ \"r\" ]; seals = [ \"s\" ]; }; };\n"
    "rules : { r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\"; }; };\n"
    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n"
    "scan : { languages = [ \"deu\", \"eng\" ]; };\n";

static struct proc scan;

/* One page of a file through the zygote. */
static int
read_fd(int in, uint32_t kind, uint32_t page, struct pagefile *pf, struct page_result *res, struct err *e)
{
	struct page_params params = { .kind = kind, .page = page, .key = { 1, 2, 3 } };
	AUTO_FD out = scans_temporary();
	AUTO_BUF p, result;
	int status = -1, r;

	buf_init(&p, WIRE_PAYLOAD);
	buf_init(&result, WIRE_PAYLOAD);
	page_params_put(&p, &params);
	if ((r = zygote_task(&scan, ROLE_SCAN, TASK_PAGE, &p, in, out, &result, &status, e)) < 0)
		return r;
	if (status != 0)
		return -ERR_CHILD;
	if ((r = page_result_get(&result, res, e)) < 0 || (r = pagefile_check(out, params.key, e)) < 0)
		return r;
	return pagefile_read(out, pf, e);
}

static int
read_page(const char *file, uint32_t kind, uint32_t page, struct pagefile *pf, struct page_result *res, struct err *e)
{
	AUTO_FD in = scans_open(file);

	return read_fd(in, kind, page, pf, res, e);
}

static const struct sample {
	const char *name, *file;
	uint32_t kind, page, rotate;
	const char *keyword;
	unsigned nth;
	double box[4];     /* from KEYWORDS.tsv */
	unsigned missing;  /* words the engine is allowed to miss */
	const char *dict;  /* the image's dictionary holds this */
	bool in_source;
} samples[] = {
	{ "a G4 page", "de-brief.tif", DOC_TIFF, 1, 0, "Siegel der Behörde:", 0, { 330.0, 698.3, 429.6, 708.2 }, 2,
	    "/CCITTFaxDecode/DecodeParms<</K -1/Columns 2480/Rows 3508/BlackIs1 true>>", true },
	{ "a grey page", "en-letter.tif", DOC_TIFF, 0, 0, "Place of seal", 0, { 330.0, 698.4, 393.4, 706.0 }, 2,
	    "/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode", false },
	{ "a JPEG", "de-rechnung.jpg", DOC_JPEG, 0, 0, "Freigabe", 0, { 60.0, 681.4, 114.7, 692.5 }, 3,
	    "/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter/DCTDecode", true },
	{ "a PNG", "en-invoice.png", DOC_PNG, 0, 0, "Approved for payment:", 0, { 60.0, 692.4, 177.0, 702.2 }, 3,
	    "/FlateDecode/DecodeParms<</Predictor 15/Colors 3", false },
	{ "a JPEG page of a PDF", "de-akte.pdf", DOC_PDF, 0, 0, "Aktenvermerk", 0, { 0 }, 2, "/Filter/DCTDecode", false },
	{ "a G4 page of a PDF", "de-akte.pdf", DOC_PDF, 1, 0, "Dienstsiegel", 0, { 330.0, 698.4, 391.9, 708.2 }, 2,
	    "/Filter/CCITTFaxDecode", false },
	{ "a page upside down", "en-turned.tif", DOC_TIFF, 0, 180, "Place of seal", 0, { 330.0, 698.3, 393.4, 706.0 }, 2,
	    "/CCITTFaxDecode", false },
	{ "a page on its side", "en-sideways.tif", DOC_TIFF, 0, 90, "Approved for payment:", 0, { 60.0, 692.4, 177.0, 702.2 },
	    3, "/FlateDecode", false },
	{ "a page askew", "de-schief.tif", DOC_TIFF, 0, 0, "Siegel der Behörde:", 0, { 319.0, 699.4, 418.9, 713.0 }, 1,
	    "/CCITTFaxDecode", true },
	{ "the second of two places", "de-zweimal.tif", DOC_TIFF, 0, 0, "Siegel der Behörde:", 1, { 330.0, 612.3, 429.6, 622.2 },
	    1, "/CCITTFaxDecode", true },
};

static void
test_sample(const struct sample *s)
{
	struct page_result res = { 0 };
	struct pagefile pf = { 0 };
	struct err e = { 0 };
	unsigned missing, all;
	int32_t w, h;

	if (!CHECK(read_page(s->file, s->kind, s->page, &pf, &res, &e) == 0, "%s is read %s", s->name, e.text))
		return;
	missing = scans_missing(s->file, s->page + 1, &pf, &all);
	CHECK(missing <= s->missing, "%s: %u of %u words are missing", s->name, missing, all);
	CHECK(res.rotate == s->rotate && pf.rotate == s->rotate, "%s: turned by %u degrees", s->name, res.rotate);
	if (s->box[0] > 0) {
		double d = scans_distance(s->keyword, s->nth, s->box, &pf);

		CHECK(d <= 3, "%s: the keyword is %.1f points from where it was drawn", s->name, d);
	}
	pagefile_view(&pf, &w, &h);
	CHECK(abs(w - 595280) < 500 && abs(h - 841890) < 500, "%s: is an A4 page for its reader", s->name);
	CHECK(pf.nobjects == 1 && strstr(pf.objects[0].dict, s->dict) != NULL && pf.objects[0].in_source == s->in_source,
	    "%s: is kept as %s", s->name, pf.nobjects > 0 ? pf.objects[0].dict : "nothing");
	pagefile_done(&pf);
}

/* A sample turned clockwise by quarters, as a TIFF. */
static int
turned(const char *file, int quarters)
{
	AUTO_FD in = scans_open(file);
	int fd = scans_temporary();
	FILE *from = fdopen(dup(in), "rb"), *to = fdopen(dup(fd), "r+b");
	PIX *pix = from == NULL ? NULL : pixReadStream(from, 0), *out = pix == NULL ? NULL : pixRotateOrth(pix, quarters);

	if (out != NULL && to != NULL) {
		pixSetResolution(out, pixGetXRes(pix), pixGetYRes(pix));
		CHECK(pixWriteStreamTiff(to, out, IFF_TIFF_LZW) == 0, "%s is turned", file);
	}
	pixDestroy(&out);
	pixDestroy(&pix);
	if (from != NULL)
		fclose(from);
	if (to != NULL)
		fclose(to);
	return fd;
}

/* Of few words, so that the layout says little; the engine reads lines that run up a page, too. */
static void
test_turned(void)
{
	for (uint32_t quarters = 1; quarters < 4; quarters += 2) {
		struct page_result res = { 0 };
		struct pagefile pf = { 0 };
		struct err e = { 0 };
		AUTO_FD in = turned("de-rechnung.jpg", (int)quarters);

		if (!CHECK(read_fd(in, DOC_TIFF, 0, &pf, &res, &e) == 0, "a turned page is read %s", e.text))
			return;
		CHECK(res.rotate == 360 - 90 * quarters, "turned by %u, it is turned by %u", 90 * quarters, res.rotate);
		pagefile_done(&pf);
	}
}

/* The twin: distance and count do notice a page that is another one. */
static void
test_twin(void)
{
	struct page_result res = { 0 };
	struct pagefile pf = { 0 };
	struct err e = { 0 };
	unsigned all;

	if (!CHECK(read_page("de-brief.tif", DOC_TIFF, 0, &pf, &res, &e) == 0, "the first page is read %s", e.text))
		return;
	CHECK(scans_missing("de-brief.tif", 2, &pf, &all) > 10, "another page misses most words");
	CHECK(scans_distance("Siegel der Behörde:", 0, samples[0].box, &pf) > 3, "and has no keyword there");
	pagefile_done(&pf);
}

/* A page of a damaged file fails, and the zygote lives on. */
static void
test_damaged(void)
{
	struct page_result res = { 0 };
	struct pagefile pf = { 0 };
	struct err e = { 0 };

	CHECK(read_page("de-abgebrochen.tif", DOC_TIFF, 1, &pf, &res, &e) == -ERR_DOC_INCOMPLETE, "a cut page is refused: %s",
	    e.text);
	CHECK(read_page("de-brief.tif", DOC_PDF, 0, &pf, &res, &e) < 0, "a TIFF is no PDF: %s", e.text);
	CHECK(read_page("de-brief.tif", DOC_TIFF, 7, &pf, &res, &e) < 0, "there is no page 8: %s", e.text);
	CHECK(read_page("de-brief.tif", 77, 0, &pf, &res, &e) < 0, "there is no kind 77: %s", e.text);
}

/* Same input, same bytes: a page result may be made again at any time. */
static void
test_again(void)
{
	uint8_t hash[2][HASH_LEN];
	struct page_params params = { .kind = DOC_TIFF };
	struct err e = { 0 };

	for (int i = 0; i < 2; i++) {
		AUTO_FD in = scans_open("de-schief.tif"), out = scans_temporary();
		AUTO_BUF p, result;
		int status = -1;

		buf_init(&p, WIRE_PAYLOAD);
		buf_init(&result, WIRE_PAYLOAD);
		page_params_put(&p, &params);
		if (zygote_task(&scan, ROLE_SCAN, TASK_PAGE, &p, in, out, &result, &status, &e) < 0)
			break;
		hash_fd(out, 0, UINT64_MAX, hash[i], &e);
	}
	CHECK(memcmp(hash[0], hash[1], HASH_LEN) == 0, "a page read twice gives the same bytes");
}

/* The other tasks that open documents, in the same confinement. */
static void
test_tasks(void)
{
	static const struct {
		const char *name, *file;
		uint32_t task, kind;
	} all[] = {
		{ "inspects a TIFF", "de-brief.tif", TASK_INSPECT, 0 }, { "inspects a JPEG", "de-rechnung.jpg", TASK_INSPECT, 0 },
		{ "inspects a PNG", "en-invoice.png", TASK_INSPECT, 0 }, { "inspects a PDF", "de-akte.pdf", TASK_INSPECT, 0 },
		{ "looks for signatures", "de-akte.pdf", TASK_SIGS, 0 }, { "draws a TIFF", "de-schief.tif", TASK_PICTURE, DOC_TIFF },
		{ "draws a JPEG", "de-rechnung.jpg", TASK_PICTURE, DOC_JPEG }, { "draws a PDF", "de-akte.pdf", TASK_PICTURE, DOC_PDF },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct picture_params p = { .kind = all[i].kind, .nmarks = 1, .marks = { { MARK_PLACE, { 1, 1, 90000, 90000 } } },
			.width_mpt = 595280, .height_mpt = 841890 };
		AUTO_FD in = scans_open(all[i].file), out = scans_temporary();
		AUTO_BUF params, result;
		int status = -1, r;

		buf_init(&params, WIRE_PAYLOAD);
		buf_init(&result, WIRE_PAYLOAD);
		if (all[i].task == TASK_PICTURE)
			picture_params_put(&params, &p);
		r = zygote_task(&scan, ROLE_SCAN, all[i].task, &params, in, out, &result, &status, &e);
		CHECK(r == 0 && status == 0, "a confined child %s %s", all[i].name, r == 0 ? "" : e.text);
	}
}

int
main(void)
{
	struct settings s = { .conf = (char *)(uintptr_t)conf };
	struct err e = { 0 };

	zygote_flags = SETTINGS_OCR;
	if (!CHECK(zygote_start("sealroom-scan", ROLE_SCAN, &s, &scan, &e), "sealroom-scan starts %s", e.text))
		return 1;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		test_sample(&samples[i]);
	test_turned();
	test_twin();
	test_damaged();
	test_again();
	test_tasks();
	CHECK(zygote_stop(&scan) == 0, "it ends when the core hangs up");
	return TEST_DONE();
}
