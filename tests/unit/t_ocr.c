/*
 * Pages read by sealroom-scan as the core starts it: confined, and right.
 * What the pages say, and where, is known from the generator that drew them.
 */
#include <leptonica/allheaders.h>

#include "scan/image.h"
#include "scan/ocr.h"
#include "scan/reverse.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"
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
read_as(int in, const struct page_params *params, int out, struct page_result *res, struct err *e)
{
	AUTO_BUF p, result;
	int status = -1, r;

	buf_init(&p, WIRE_PAYLOAD);
	buf_init(&result, WIRE_PAYLOAD);
	page_params_put(&p, params);
	if ((r = zygote_task(&scan, ROLE_SCAN, TASK_PAGE, &p, in, out, &result, &status, e)) < 0)
		return r;
	if (status != 0)
		return -ERR_CHILD;
	return (r = page_result_get(&result, res, e)) < 0 ? r : pagefile_check(out, params->key, e);
}

static int
read_fd(int in, uint32_t kind, uint32_t page, struct pagefile *pf, struct page_result *res, struct err *e)
{
	const struct page_params params = { .kind = kind, .page = page, .key = { 1, 2, 3 } };
	AUTO_FD out = scans_temporary();
	int r = read_as(in, &params, out, res, e);

	return r < 0 ? r : pagefile_read(out, pf, e);
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
} samples[] = {
	{ "a G4 page", "de-brief.tif", DOC_TIFF, 1, 0, "Siegel der Behörde:", 0, { 330.0, 698.3, 429.6, 708.2 }, 2,
	    "/CCITTFaxDecode]/DecodeParms[null<</K -1/Columns 2480/Rows 3508/BlackIs1 true>>]" },
	{ "a grey page", "en-letter.tif", DOC_TIFF, 0, 0, "Place of seal", 0, { 330.0, 698.4, 393.4, 706.0 }, 2,
	    "/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode" },
	{ "a JPEG", "de-rechnung.jpg", DOC_JPEG, 0, 0, "Freigabe", 0, { 60.0, 681.4, 114.7, 692.5 }, 3,
	    "/ColorSpace/DeviceRGB/BitsPerComponent 8/Filter[/FlateDecode/DCTDecode]" },
	{ "a PNG", "en-invoice.png", DOC_PNG, 0, 0, "Approved for payment:", 0, { 60.0, 692.4, 177.0, 702.2 }, 3,
	    "/FlateDecode/DecodeParms<</Predictor 15/Colors 3" },
	{ "a JPEG page of a PDF", "de-akte.pdf", DOC_PDF, 0, 0, "Aktenvermerk", 0, { 0 }, 2, "/DCTDecode]" },
	{ "a G4 page of a PDF", "de-akte.pdf", DOC_PDF, 1, 0, "Dienstsiegel", 0, { 330.0, 698.4, 391.9, 708.2 }, 2,
	    "/CCITTFaxDecode]" },
	{ "a page upside down", "en-turned.tif", DOC_TIFF, 0, 180, "Place of seal", 0, { 330.0, 698.3, 393.4, 706.0 }, 2,
	    "/CCITTFaxDecode" },
	{ "a page on its side", "en-sideways.tif", DOC_TIFF, 0, 90, "Approved for payment:", 0, { 60.0, 692.4, 177.0, 702.2 },
	    3, "/FlateDecode" },
	{ "a page askew", "de-schief.tif", DOC_TIFF, 0, 0, "Siegel der Behörde:", 0, { 319.0, 699.4, 418.9, 713.0 }, 1,
	    "/CCITTFaxDecode" },
	{ "the second of two places", "de-zweimal.tif", DOC_TIFF, 0, 0, "Siegel der Behörde:", 1, { 330.0, 612.3, 429.6, 622.2 },
	    1, "/CCITTFaxDecode" },
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
	CHECK(pf.nobjects == 1 && strstr(pf.objects[0].dict, s->dict) != NULL,
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

/* Seeded: the same bytes each time. */
static uint32_t
chance(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* The grain of a sensor on grey paper: a sum of four has a deviation of 30. */
static void
add_grain(PIX *pix, uint32_t *seed)
{
	for (l_int32 y = 0; y < pixGetHeight(pix); y++) {
		l_uint32 *p = pixGetData(pix) + (size_t)y * (size_t)pixGetWpl(pix);

		for (l_int32 x = 0; x < pixGetWidth(pix); x++) {
			int v = 60 + (int)GET_DATA_BYTE(p, x) * 6 / 10 - 104;

			for (int i = 0; i < 4; i++)
				v += (int)(chance(seed) % 53);
			SET_DATA_BYTE(p, x, (l_uint8)(v < 0 ? 0 : v > 255 ? 255 : v));
		}
	}
}

/* Dust, 20,000 squares of 1 to 3 pixels. */
static void
add_dust(PIX *pix, uint32_t *seed)
{
	for (int i = 0; i < 20000; i++) {
		l_int32 x = (l_int32)(chance(seed) % (uint32_t)pixGetWidth(pix)), y = (l_int32)(chance(seed) % (uint32_t)pixGetHeight(pix));
		l_int32 side = 1 + (l_int32)(chance(seed) % 3);

		pixRasterop(pix, x, y, side, side, PIX_CLR, NULL, 0, 0);
	}
}

/* Where the rows from y on end that have ink, or have none. */
static l_int32
row_end(NUMA *ink, l_int32 y, bool *has)
{
	l_int32 h = numaGetCount(ink), end = y, n;

	numaGetIValue(ink, y, &n);
	*has = n > 0;
	while (end < h && numaGetIValue(ink, end, &n) == 0 && (n > 0) == *has)
		end++;
	return end;
}

/* Every other line of text stands white on a black bar. */
static void
add_bars(PIX *pix, uint32_t *seed)
{
	PIX *ink = pixThresholdToBinary(pix, 128);
	NUMA *rows = pixCountPixelsByRow(ink, NULL);
	l_int32 w = pixGetWidth(pix), h = pixGetHeight(pix), end;
	bool has;

	for (l_int32 y = 0; y < h; y = end) {
		end = row_end(rows, y, &has);
		if (has && (end - y) * 1000 > 6 * h && (end - y) * 1000 < 30 * h && chance(seed) % 2 == 0)
			pixRasterop(pix, w * 7 / 100, y - h / 300, w * 86 / 100, end - y + h / 150, PIX_NOT(PIX_DST), NULL, 0, 0);
	}
	numaDestroy(&rows);
	pixDestroy(&ink);
}

/* The back is the same page, and shines through. */
static void
add_back(PIX *pix, uint32_t *seed)
{
	PIX *back = pixFlipLR(NULL, pix), *soft;

	(void)seed;
	pixMultConstantGray(back, 0.4f);
	pixAddConstantGray(back, 133);
	soft = pixBlockconvGray(back, NULL, 1, 1);
	pixMinOrMax(pix, pix, soft, L_CHOOSE_MIN);
	pixDestroy(&soft);
	pixDestroy(&back);
}

static int
worn(const char *file, void (*wear)(PIX *, uint32_t *), uint32_t seed)
{
	AUTO_FD in = scans_open(file);
	int fd = scans_temporary();
	FILE *from = fdopen(dup(in), "rb"), *to = fdopen(dup(fd), "r+b");
	PIX *pix = from == NULL ? NULL : pixReadStream(from, 0), *grey = pix == NULL ? NULL : pixConvertTo8(pix, 0);

	if (grey != NULL && to != NULL) {
		wear(grey, &seed);
		pixSetResolution(grey, pixGetXRes(pix), pixGetYRes(pix));
		CHECK(pixWriteStreamTiff(to, grey, IFF_TIFF_LZW) == 0, "%s is worn", file);
	}
	pixDestroy(&grey);
	pixDestroy(&pix);
	if (from != NULL)
		fclose(from);
	if (to != NULL)
		fclose(to);
	return fd;
}

/* What people read without effort. */
static void
test_worn(void)
{
	static const struct {
		const char *name, *file;
		void (*wear)(PIX *, uint32_t *);
		unsigned percent; /* of the words may be missing */
	} all[] = { { "grain", "de-schief.tif", add_grain, 5 }, { "dust", "de-schief.tif", add_dust, 5 },
		{ "white on black", "en-invoice.png", add_bars, 6 }, { "show-through", "en-invoice.png", add_back, 5 } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct page_result res = { 0 };
		struct pagefile pf = { 0 };
		struct err e = { 0 };
		unsigned missing, words;
		AUTO_FD in = worn(all[i].file, all[i].wear, 1);

		if (!CHECK(read_fd(in, DOC_TIFF, 0, &pf, &res, &e) == 0, "a page with %s is read %s", all[i].name, e.text))
			return;
		missing = scans_missing(all[i].file, 1, &pf, &words);
		CHECK(missing * 100 <= all[i].percent * words, "with %s: %u of %u words are missing", all[i].name, missing, words);
		pagefile_done(&pf);
	}
}

/* Bold type is as dark as a bar, and none; that bars are turned over is seen by what is read of them. */
static void
test_bold(void)
{
	static const char *const files[] = { "tests/data/bold/line.png", "tests/data/bold/heading.png" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		PIX *pix = pixRead(files[i]), *before = pixCopy(NULL, pix);
		struct err e = { 0 };
		l_int32 same = 0;

		CHECK(pix != NULL && before != NULL && reverse_bars(pix, 240, &e) == 0 && pixEqual(pix, before, &same) == 0 && same,
		    "%s stays as it is %s", files[i], e.text);
		pixDestroy(&before);
		pixDestroy(&pix);
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

static bool
same_object(int fa, const struct page_object *a, int fb, const struct page_object *b)
{
	AUTO_FREE uint8_t *x = malloc(a->len), *y = malloc(a->len);
	struct err e;

	if (x == NULL || y == NULL)
		exit(99);
	return a->len > 0 && a->len == b->len && !a->in_source && !b->in_source && io_pread_full(fa, x, a->len, a->off, &e) == 0 &&
	    io_pread_full(fb, y, b->len, b->off, &e) == 0 && memcmp(x, y, a->len) == 0;
}

/* Without its text: no word of it, all else as it was, and the place of its ink. */
static void
test_unread(void)
{
	const struct page_params params = { .kind = DOC_TIFF, .unread = 1 };
	const struct page_params read = { .kind = DOC_TIFF };
	AUTO_FD in = scans_open("de-brief.tif"), out = scans_temporary(), whole = scans_temporary();
	struct pagefile pf = { 0 }, full = { 0 };
	struct page_result res;
	struct err e = { 0 };

	CHECK(read_as(in, &params, out, &res, &e) == 0 && pagefile_read(out, &pf, &e) == 0, "a page is made without its text %s", e.text);
	CHECK(read_as(in, &read, whole, &res, &e) == 0 && pagefile_read(whole, &full, &e) == 0 && full.nwords > 0, "and with it %s", e.text);
	CHECK(pf.text == PAGE_TEXT_UNREAD && pf.nwords == 0 && pf.blank == 0 && full.text == PAGE_TEXT_READ, "it has no words, and is not blank for it");
	CHECK(pf.media_w == full.media_w && pf.media_h == full.media_h && pf.nobjects == full.nobjects && pf.nobjects > 0 &&
	        strcmp(pf.objects[0].dict, full.objects[0].dict) == 0 && same_object(out, &pf.objects[0], whole, &full.objects[0]),
	    "its picture is the same");
	CHECK(pf.ink.square > 0 && pf.ink.square == full.ink.square, "where its ink is, is known");
	pagefile_done(&pf);
	pagefile_done(&full);
}

/* Same input, same bytes: a page result may be made again at any time. */
static void
test_again(void)
{
	const struct page_params params = { .kind = DOC_TIFF };
	uint8_t hash[2][HASH_LEN] = { { 0 }, { 1 } };
	struct page_result res;
	struct err e = { 0 };

	for (int i = 0; i < 2; i++) {
		AUTO_FD in = scans_open("de-schief.tif"), out = scans_temporary();

		if (read_as(in, &params, out, &res, &e) < 0)
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

static int
look(char *one, char *two, char name[128], struct err *e)
{
	char *v[] = { one, two };
	const struct strings languages = { .n = 2, .v = v };

	return ocr_look(&languages, name, 128, e);
}

/* As sealroom check has it: what is missing or broken is found, and nothing can be read. */
static void
test_look(const struct settings *s)
{
	struct page_result res;
	struct pagefile pf;
	struct err e = { 0 };
	char name[128] = "", dir[64], deu[] = "deu", eng[] = "eng", xyz[] = "xyz";
	int fd = tmpdir_make(dir);

	CHECK(look(deu, eng, name, &e) == 0 && strncmp(name, "tesseract 5", 11) == 0 && strcmp(name + strlen(name) - 8, " deu+eng") == 0,
	    "models that are there: %s %s", name, e.text);
	CHECK(look(deu, xyz, name, &e) == -ERR_CONF && strstr(e.text, "xyz") != NULL, "one of two is not: %s", e.text);
	CHECK(io_put(fd, "deu.traineddata", "no model", 8, 0600, &e) == 0 && setenv("TESSDATA_PREFIX", dir, 1) == 0 &&
	        look(deu, deu, name, &e) == -ERR_CONF, "one is damaged: %s", e.text);
	unsetenv("TESSDATA_PREFIX");
	tmpdir_remove(fd, dir);
	zygote_flags = SETTINGS_OCR_LOOK;
	CHECK(zygote_start("sealroom-scan", ROLE_SCAN, s, &scan, &e) && read_page("de-brief.tif", DOC_TIFF, 0, &pf, &res, &e) < 0,
	    "who only looked for them reads no page: %s", e.text);
	CHECK(zygote_stop(&scan) == 0, "and ends like any other");
}

int
main(void)
{
	struct settings s = { .conf = (char *)(uintptr_t)conf };
	struct err e = { 0 };

	test_look(&s);
	zygote_flags = SETTINGS_OCR;
	zygote_fsize = 32 << 20; /* grain does not compress */
	if (!CHECK(zygote_start("sealroom-scan", ROLE_SCAN, &s, &scan, &e), "sealroom-scan starts %s", e.text))
		return 1;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		test_sample(&samples[i]);
	test_turned();
	test_worn();
	test_bold();
	test_twin();
	test_damaged();
	test_unread();
	test_again();
	test_tasks();
	CHECK(zygote_stop(&scan) == 0, "it ends when the core hangs up");
	return TEST_DONE();
}
