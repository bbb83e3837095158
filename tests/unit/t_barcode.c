/*
 * Barcodes and patch codes on pages.  The codes are drawn by zint and qrencode, the
 * patch codes by the widths of Kodak A-61599; where they stand is known from the
 * drawing.  At last by sealroom-scan as the core starts it: confined.
 */
#include <leptonica/allheaders.h>
#include <math.h>
#include <time.h>

#include "rules/codes.h"
#include "scan/barcode.h"
#include "tests/unit/judge.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"
#include "tests/unit/zygote.h"

#define DPI 300
#define W 1748
#define H 3000

static const struct sample {
	const char *name, *draw, *text; /* draw: into $OUT */
	uint32_t kind;
} samples[] = {
	{ "QR", "printf 'RE-2026-4711 Gr\\303\\266\\303\\237e' | qrencode -8 -s 6 -m 0 -o \"$OUT\"", "RE-2026-4711 Größe", CODE_QR },
	{ "Code 128", "zint -b 20 --scale 2 --notext -d INV-2026-0815 -o \"$OUT\"", "INV-2026-0815", CODE_128 },
	{ "Code 39", "zint -b 8 --scale 2 --notext -d AB-12345 -o \"$OUT\"", "AB-12345", CODE_39 },
	{ "EAN-13", "zint -b 13 --scale 2 --guarddescent=0 --notext -d 4006381333931 -o \"$OUT\"", "4006381333931", CODE_EAN13 },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static PIX *
white(void)
{
	PIX *p = pixCreate(W, H, 8);

	pixSetAll(p);
	return p;
}

/* What a program drew, without its margins, grey. */
static PIX *
drawn(const char *command)
{
	char file[300];
	PIX *raw, *plain, *grey, *bits, *clip = NULL;

	snprintf(file, sizeof(file), "%s/code.png", judge_dir());
	if (judge("OUT='%s'; %s", file, command) != 0 || (raw = pixRead(file)) == NULL) {
		printf("Bail out! nothing drawn: %s\n", command);
		exit(99);
	}
	plain = pixRemoveAlpha(raw);
	grey = pixConvertTo8(plain, 0);
	bits = pixThresholdToBinary(grey, 128);
	pixClipToForeground(bits, &clip, NULL);
	pixDestroy(&raw);
	pixDestroy(&plain);
	pixDestroy(&grey);
	pixDestroy(&bits);
	grey = pixConvertTo8(clip, 0);
	pixDestroy(&clip);
	return grey;
}

static void
put(PIX *page, PIX *code, int x, int y)
{
	pixRasterop(page, x, y, pixGetWidth(code), pixGetHeight(code), PIX_SRC, code, 0, 0);
}

/* As a scanner might give it back. */
static PIX *
scanned(PIX *page, double skew, int quarters, double dpi, bool bitonal)
{
	PIX *a = pixRotate(page, (float)(skew * M_PI / 180), L_ROTATE_AREA_MAP, L_BRING_IN_WHITE, 0, 0);
	PIX *b = pixRotateOrth(a, quarters), *c = pixScale(b, (float)(dpi / DPI), (float)(dpi / DPI)), *d;

	d = bitonal ? pixThresholdToBinary(c, 140) : pixClone(c);
	pixDestroy(&a);
	pixDestroy(&b);
	pixDestroy(&c);
	return d;
}

static struct codes
read_pix(PIX *pix, double dpi)
{
	struct codes c = { 0 };
	struct err e = { 0 };

	if (barcode_read(pix, dpi, dpi, &c, &e) < 0)
		printf("# %s\n", e.text);
	return c;
}

/* --- kinds, sizes, turns ------------------------------------------------------------------------ */

/* The rectangle that was drawn, after skew and turns, in inches. */
static void
truth(double x0, double y0, double x1, double y1, double skew, int quarters, double v[4])
{
	const double a = skew * M_PI / 180, cx = W / 2.0, cy = H / 2.0;
	double lo_x = 1e9, lo_y = 1e9, hi_x = -1e9, hi_y = -1e9;

	for (int i = 0; i < 4; i++) {
		double x = (i % 2 ? x1 : x0) - cx, y = (i / 2 ? y1 : y0) - cy;
		double rx = cx + x * cos(a) - y * sin(a), ry = cy + x * sin(a) + y * cos(a);

		lo_x = fmin(lo_x, rx);
		hi_x = fmax(hi_x, rx);
		lo_y = fmin(lo_y, ry);
		hi_y = fmax(hi_y, ry);
	}
	v[0] = lo_x, v[1] = lo_y, v[2] = hi_x, v[3] = hi_y;
	for (int q = 0, h = H, w = W; q < quarters; q++) {
		double n[4] = { h - v[3], v[0], h - v[1], v[2] };
		int t = h;

		memcpy(v, n, sizeof(n));
		h = w;
		w = t;
	}
	for (int i = 0; i < 4; i++)
		v[i] /= DPI;
}

/* Within what was drawn but for 1.5 mm, and over its middle; unless askew, all of it. */
static bool
stands(const struct code *c, const double v[4], double dpi, bool askew)
{
	const double k[4] = { c->x0 / dpi, c->y0 / dpi, c->x1 / dpi, c->y1 / dpi }, tol = 1.5 / 25.4;
	const double mx = (v[0] + v[2]) / 2, my = (v[1] + v[3]) / 2;
	bool in = k[0] >= v[0] - tol && k[1] >= v[1] - tol && k[2] <= v[2] + tol && k[3] <= v[3] + tol;

	if (askew)
		return in && k[0] < mx && k[2] > mx && k[1] < my && k[3] > my;
	return in && k[0] <= v[0] + tol && k[1] <= v[1] + tol && k[2] >= v[2] - tol && k[3] >= v[3] - tol;
}

static void
test_kinds(void)
{
	static const struct { double dpi, skew; int quarters; bool bitonal; } ways[] = {
		{ 300, 0, 0, false }, { 300, 0, 1, true }, { 300, 0, 2, true }, { 300, 0, 3, false }, { 200, 0, 0, true },
		{ 150, 0, 0, false }, { 150, 0, 2, true }, { 600, 0, 0, true }, { 300, 3, 0, true }, { 300, -5, 0, false },
		{ 200, 4, 2, false }, { 300, -2, 1, true },
	};

	for (size_t i = 0; i < SAMPLES; i++) {
		PIX *page = white(), *code = drawn(samples[i].draw);
		unsigned read = 0, placed = 0, wrong = 0;

		put(page, code, 600, 900);
		for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
			PIX *pix = scanned(page, ways[k].skew, ways[k].quarters, ways[k].dpi, ways[k].bitonal);
			struct codes c = read_pix(pix, ways[k].dpi);
			double v[4];
			bool right = c.n == 1 && c.v[0].kind == samples[i].kind && strcmp(c.v[0].text, samples[i].text) == 0;

			truth(600, 900, 600 + pixGetWidth(code), 900 + pixGetHeight(code), ways[k].skew, ways[k].quarters, v);
			read += right;
			wrong += c.n > 0 && !right;
			if (right && stands(&c.v[0], v, ways[k].dpi, ways[k].skew != 0))
				placed++;
			else
				printf("# %s at %g dpi, %g degrees, %d quarters: %u, %s\n", samples[i].name, ways[k].dpi, ways[k].skew,
				    ways[k].quarters, c.n, right ? "at another place" : c.n > 0 ? c.v[0].text : "not read");
			codes_done(&c);
			pixDestroy(&pix);
		}
		CHECK(read == 12 && wrong == 0, "%s: read in %u of 12 ways to scan it, %u wrong", samples[i].name, read, wrong);
		CHECK(placed == read, "%s: each is where it was drawn", samples[i].name);
		pixDestroy(&page);
		pixDestroy(&code);
	}
}

/* --- what is not what it was ---------------------------------------------------------------------- */

static void
test_twins(void)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		PIX *page = white(), *code = drawn(samples[i].draw), *black = pixCreate(pixGetWidth(code) / 3, pixGetHeight(code), 8);
		struct codes c;

		put(page, code, 600, 900);
		put(page, black, 600 + pixGetWidth(code) / 3, 900);
		c = read_pix(page, DPI);
		CHECK(c.n == 0, "%s, a third of it blackened: not read (%u)", samples[i].name, c.n);
		codes_done(&c);
		pixDestroy(&page);
		pixDestroy(&code);
		pixDestroy(&black);
	}
}

static void
test_charsets(void)
{
	PIX *page = white(), *code = drawn("printf 'Gr\\366\\337e' | qrencode -8 -s 6 -m 0 -o \"$OUT\"");
	struct codes c;

	put(page, code, 300, 300);
	pixDestroy(&code);
	code = drawn("printf 'BCD\\n002\\nEUR12.50' | qrencode -8 -s 6 -m 0 -o \"$OUT\"");
	put(page, code, 300, 1300);
	c = read_pix(page, DPI);
	CHECK(c.n == 2 && strcmp(c.v[0].text, "Größe") == 0, "bytes of a QR code that are no UTF-8 are Latin-1: %s", c.n == 2 ? c.v[0].text : "");
	CHECK(c.n == 2 && strcmp(c.v[1].text, "BCD\n002\nEUR12.50") == 0, "its lines stay, and codes come from the top down");
	codes_done(&c);
	pixDestroy(&page);
	pixDestroy(&code);
}

static void
test_equal(void)
{
	for (size_t i = 0; i < SAMPLES; i++)
		for (int below = 0; below < 2; below++) {
			PIX *page = white(), *code = drawn(samples[i].draw);
			int w = pixGetWidth(code), h = pixGetHeight(code), x = below ? 150 : 150 + w + 130, y = below ? 500 + h + 120 : 500;
			struct codes c;
			double v[4], u[4];

			put(page, code, 150, 500);
			put(page, code, x, y);
			c = read_pix(page, DPI);
			truth(150, 500, 150 + w, 500 + h, 0, 0, v);
			truth(x, y, x + w, y + h, 0, 0, u);
			CHECK(c.n == 2 && strcmp(c.v[0].text, c.v[1].text) == 0 && stands(&c.v[0], v, DPI, true) && stands(&c.v[1], u, DPI, true),
			    "%s twice, %s: two codes (%u)", samples[i].name, below ? "one below the other" : "side by side", c.n);
			codes_done(&c);
			pixDestroy(&page);
			pixDestroy(&code);
		}
}

/* --- patch codes ------------------------------------------------------------------------------------- */

/* Bars from the top edge on, as wide as given in 1/100 inch, the spaces between them, too. */
static PIX *
patch_page(const int widths[7], int x, int y, int length)
{
	PIX *page = white();

	for (int i = 0; i < 7; i++) {
		if (i % 2 == 0)
			pixRasterop(page, x, y, length, widths[i] * DPI / 100, PIX_CLR, NULL, 0, 0);
		y += widths[i] * DPI / 100;
	}
	return page;
}

static void
test_patches(void)
{
	static const struct { const char *text; int widths[7]; } all[] = {
		{ "1", { 20, 8, 20, 8, 8, 8, 8 } },
		{ "2", { 20, 8, 8, 8, 8, 8, 20 } },
		{ "3", { 20, 8, 8, 8, 20, 8, 8 } },
		{ "4", { 8, 8, 20, 8, 20, 8, 8 } },
		{ "6", { 8, 8, 8, 8, 20, 8, 20 } },
		{ "T", { 8, 8, 20, 8, 8, 8, 20 } },
	};
	static const struct { double dpi, skew; int quarters; bool bitonal; } ways[] = {
		{ 300, 0, 0, true }, { 200, 0, 2, false }, { 300, 3, 0, true }, { 300, -4, 2, false }, { 150, 0, 1, true },
		{ 100, 2, 0, true }, { 600, -2, 3, true },
	};
	static const struct { const char *name; int widths[7], length; int y; } none[] = {
		{ "three wide bars", { 20, 8, 20, 8, 20, 8, 8 }, 750, 150 },
		{ "a space too wide", { 8, 8, 20, 20, 8, 8, 20 }, 750, 150 },
		{ "a bar missing", { 8, 8, 20, 8, 0, 8, 20 }, 750, 150 },
		{ "bars too short", { 8, 8, 20, 8, 8, 8, 20 }, 150, 150 },
		{ "the middle of the page", { 8, 8, 20, 8, 8, 8, 20 }, 750, 1400 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		PIX *page = patch_page(all[i].widths, 500, 150, 750);
		unsigned right = 0, placed = 0;

		for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
			PIX *pix = scanned(page, ways[k].skew, ways[k].quarters, ways[k].dpi, ways[k].bitonal);
			struct codes c = read_pix(pix, ways[k].dpi);
			double v[4];

			truth(500, 150, 500 + 750, 150 + 80 * DPI / 100, ways[k].skew, ways[k].quarters, v);
			if (c.n == 1 && c.v[0].kind == CODE_PATCH && strcmp(c.v[0].text, all[i].text) == 0) {
				right++;
				placed += stands(&c.v[0], v, ways[k].dpi, false);
			} else {
				printf("# patch %s at %g dpi, %g degrees, %d quarters: %u %s\n", all[i].text, ways[k].dpi, ways[k].skew,
				    ways[k].quarters, c.n, c.n > 0 ? c.v[0].text : "");
			}
			codes_done(&c);
			pixDestroy(&pix);
		}
		CHECK(right == 7 && placed == 7, "patch %s: %u of 7 ways to scan it, %u in place", all[i].text, right, placed);
		pixDestroy(&page);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		PIX *page = patch_page(none[i].widths, 860, none[i].y, none[i].length);
		struct codes c = read_pix(page, DPI);

		CHECK(c.n == 0, "%s: no patch code (%s)", none[i].name, c.n > 0 ? c.v[0].text : "");
		codes_done(&c);
		pixDestroy(&page);
	}
}

/* --- pages without any, and what they cost -------------------------------------------------------------- */

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
test_cost(void)
{
	static const char *const letters[] = { "de-brief.tif", "en-letter.tif", "en-sideways.tif" };
	PIX *noise = pixCreate(W, H, 1);
	double from;
	struct codes c;
	unsigned seed = 1;

	for (size_t i = 0; i < 3; i++) {
		char file[300];
		PIX *pix;

		snprintf(file, sizeof(file), SCANS "%s", letters[i]);
		pix = pixReadTiff(file, 0);
		from = cpu();
		c = read_pix(pix, DPI);
		CHECK(c.n == 0, "%s has no code; to know it took %.2f s", letters[i], cpu() - from);
		codes_done(&c);
		pixDestroy(&pix);
	}
	for (l_uint32 *p = pixGetData(noise), *end = p + (size_t)pixGetWpl(noise) * H; p < end; p++)
		for (int bit = 0; bit < 32; bit++)
			*p = *p << 1 | ((seed = seed * 1103515245 + 12345) >> 30 & 1);
	from = cpu();
	c = read_pix(noise, DPI);
	from = cpu() - from;
#ifdef SEALROOM_SANITIZE
	printf("# noise took %.2f s under sanitizers\n", from);
#else
	CHECK(from < 10, "a page of noise took %.2f s", from);
#endif
	codes_done(&c);
	pixDestroy(&noise);
}

/* --- in the reader --------------------------------------------------------------------------------------- */

static const char conf[] =
    "folders : { in : { path = \"/in\"; rules = [ \"r\" ]; seals = [ \"s\" ]; }; };\n"
    "rules : { r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\"; }; };\n"
    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n"
    "scan : { languages = [ \"eng\" ]; };\n";

static int
read_task(const struct proc *scan, uint32_t task, uint32_t kind, int in, uint32_t codes, struct pagefile *pf, struct err *e)
{
	struct page_params params = { .kind = kind, .codes = codes };
	AUTO_FD out = scans_temporary();
	AUTO_BUF p, result;
	int status = -1, r;

	buf_init(&p, WIRE_PAYLOAD);
	buf_init(&result, WIRE_PAYLOAD);
	page_params_put(&p, &params);
	if ((r = zygote_task(scan, ROLE_SCAN, task, &p, in, out, &result, &status, e)) < 0)
		return r;
	return status != 0 ? -ERR_CHILD : pagefile_read(out, pf, e);
}

static bool
near(const struct box *b, double x0, double y0, double x1, double y1)
{
	const double k = 72000.0 / DPI, tol = 5000;

	return fabs(b->x0 - x0 * k) < tol && fabs(b->y0 - y0 * k) < tol && fabs(b->x1 - x1 * k) < tol && fabs(b->y1 - y1 * k) < tol;
}

/* A page with text of its own, and the code as an image: what a program wrote. */
static int
written_pdf(PIX *code)
{
	int fd = memfd_create("pdf", MFD_CLOEXEC), w = pixGetWidth(code), h = pixGetHeight(code);
	uint8_t *grey = NULL;
	size_t n = 0, at[7] = { 0 };
	FILE *f = fdopen(dup(fd), "w");
	static const char content[] = "BT /F1 12 Tf 72 700 Td (Delivery note) Tj ET q %.2f 0 0 %.2f 300 400 cm /Im0 Do Q";
	char drawing[300];

	if (f == NULL || pixGetRasterData(code, &grey, &n) != 0)
		exit(99);
	snprintf(drawing, sizeof(drawing), content, w * 72.0 / DPI, h * 72.0 / DPI);
	fprintf(f, "%%PDF-1.4\n");
	at[1] = (size_t)ftell(f), fprintf(f, "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n");
	at[2] = (size_t)ftell(f), fprintf(f, "2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n");
	at[3] = (size_t)ftell(f), fprintf(f, "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 6 0 R>>/XObject<</Im0 5 0 R>>>>>>endobj\n");
	at[4] = (size_t)ftell(f), fprintf(f, "4 0 obj<</Length %zu>>stream\n%s\nendstream endobj\n", strlen(drawing), drawing);
	at[5] = (size_t)ftell(f), fprintf(f, "5 0 obj<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8/Length %zu>>stream\n", w, h, n);
	fwrite(grey, 1, n, f);
	fprintf(f, "\nendstream endobj\n");
	at[6] = (size_t)ftell(f), fprintf(f, "6 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n");
	at[0] = (size_t)ftell(f);
	fprintf(f, "xref\n0 7\n0000000000 65535 f \n");
	for (int i = 1; i < 7; i++)
		fprintf(f, "%010zu 00000 n \n", at[i]);
	fprintf(f, "trailer<</Size 7/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF\n", at[0]);
	fclose(f);
	free(grey);
	return fd;
}

/* Every QR code that a page may have: its characters are the child's, its tables are the zygote's. */
static void
test_sets(const struct proc *scan)
{
	static const struct { const char *name, *draw; } all[] = {
		{ "of digits", "qrencode -s 6 -m 4 -o \"$OUT\" 4711" },
		{ "of UTF-8", "printf 'Gr\\303\\266\\303\\237e' | qrencode -8 -s 6 -m 4 -o \"$OUT\"" },
		{ "of kanji", "printf '\\345\\215\\260' | qrencode -k -s 6 -m 4 -o \"$OUT\"" },
		{ "that says ISO 8859-7", "zint -b 58 --eci=9 --scale 3 -d '\316\247' -o \"$OUT\"" },
		{ "that says ISO 8859-15", "zint -b 58 --eci=17 --scale 3 -d '\342\202\254' -o \"$OUT\"" },
		{ "that says Windows-1252", "zint -b 58 --eci=23 --scale 3 -d '\342\202\254' -o \"$OUT\"" },
		{ "that says Shift JIS", "zint -b 58 --eci=20 --scale 3 -d '\345\215\260' -o \"$OUT\"" },
		{ "that says UTF-8", "zint -b 58 --eci=26 --scale 3 -d '\316\247' -o \"$OUT\"" },
		{ "that says Big5", "zint -b 58 --eci=28 --scale 3 -d '\345\215\260' -o \"$OUT\"" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		PIX *page = white(), *code = drawn(all[i].draw);
		struct pagefile pf = { 0 };
		struct err e = { 0 };
		char file[300];
		int fd;

		put(page, code, 600, 900);
		pixSetResolution(page, DPI, DPI);
		snprintf(file, sizeof(file), "%s/page.png", judge_dir());
		pixWrite(file, page, IFF_PNG);
		fd = open(file, O_RDONLY | O_CLOEXEC);
		CHECK(read_task(scan, TASK_PAGE, DOC_PNG, fd, 1, &pf, &e) == 0, "a page with a QR code %s is read, confined %s", all[i].name, e.text);
		CHECK(pf.ncodes == 1 && pf.words[pf.nwords].code == CODE_QR, "and the code");
		pagefile_done(&pf);
		close(fd);
		pixDestroy(&page);
		pixDestroy(&code);
	}
}

static void
test_reader(void)
{
	struct settings settings = { .conf = (char *)(uintptr_t)conf };
	PIX *page = white(), *code = drawn(samples[1].draw), *turned;
	const double x1 = 600 + pixGetWidth(code), y1 = 900 + pixGetHeight(code);
	struct pagefile pf = { 0 };
	struct proc scan;
	struct err e = { 0 };
	char file[300];
	int fd;

	put(page, code, 600, 900);
	pixSetResolution(page, DPI, DPI);
	snprintf(file, sizeof(file), "%s/page.png", judge_dir());
	pixWrite(file, page, IFF_PNG);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	zygote_flags = SETTINGS_OCR;
	if (!CHECK(zygote_start("sealroom-scan", ROLE_SCAN, &settings, &scan, &e), "sealroom-scan runs %s", e.text))
		return;
	CHECK(read_task(&scan, TASK_PAGE, DOC_PNG, fd, 1, &pf, &e) == 0, "a scanned page is read, confined %s", e.text);
	CHECK(pf.ncodes == 1 && pf.words[pf.nwords].code == CODE_128 && strcmp(pf.words[pf.nwords].text, samples[1].text) == 0 &&
	    near(&pf.words[pf.nwords].box, 600, 900, x1, y1), "its code is in the page result, in place");
	pagefile_done(&pf);
	CHECK(read_task(&scan, TASK_PAGE, DOC_PNG, fd, 0, &pf, &e) == 0 && pf.ncodes == 0, "without being asked for it is not looked for");
	pagefile_done(&pf);
	close(fd);
	turned = pixRotateOrth(code, 1);
	fd = written_pdf(turned);
	CHECK(read_task(&scan, TASK_KEPT_PAGE, DOC_PDF_KEPT, fd, 1, &pf, &e) == 0, "a page that a program wrote is read %s", e.text);
	CHECK(pf.nwords == 2 && pf.ncodes == 1 && strcmp(pf.words[2].text, samples[1].text) == 0 &&
	    labs(pf.words[2].box.x0 - 300000) < 5000 && labs(pf.words[2].box.y1 - (842000 - 400000)) < 5000,
	    "its code is in the page result, behind its own words");
	pagefile_done(&pf);
	close(fd);
	test_sets(&scan);
	CHECK(zygote_stop(&scan) == 0, "it ends when the core hangs up");
	pixDestroy(&page);
	pixDestroy(&code);
	pixDestroy(&turned);
}

/* An image of a few dots holds no code; that is no want of memory. */
static void
test_least(void)
{
	static const struct {
		int w, h;
		double dpi;
	} all[] = { { 1, 1, 300 }, { 560, 1, 300 }, { 1, 560, 300 }, { 560, 1, 600 }, { 2, 2, 1200 }, { 40, 40, 300 }, { 3, 3, 72 } };
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		PIX *pix = pixCreate(all[i].w, all[i].h, 1);
		struct codes c = { 0 };

		CHECK(barcode_read(pix, all[i].dpi, all[i].dpi, &c, &e) == 0 && c.n == 0, "%d x %d dots at %g an inch: none %s", all[i].w, all[i].h,
		    all[i].dpi, e.text);
		codes_done(&c);
		pixDestroy(&pix);
	}
}

int
main(void)
{
	setMsgSeverity(L_SEVERITY_NONE);
	test_kinds();
	test_twins();
	test_charsets();
	test_equal();
	test_patches();
	test_least();
	test_cost();
	test_reader();
	return TEST_DONE();
}
