/*
 * What becomes of a file that comes in: whole samples, every way to cut them
 * short, and files that lie.  Twins differ in the one byte that matters.
 */
#include "scan/image.h"
#include "scan/inspect.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

static struct inspect_result res;

static uint32_t brief_above;

static int
look(const void *data, size_t len, const struct conf_scan *limits, struct err *e)
{
	AUTO_FD fd = scans_memory(data, len);

	*e = (struct err){ 0 };
	res = (struct inspect_result){ 0 };
	return inspect_doc(fd, limits, brief_above, &res, e);
}

static void
expect(const void *data, size_t len, enum err_code want, const char *sentence)
{
	struct err e;
	int r = look(data, len, &scans_limits, &e);

	CHECK(r == -(int)want, "%s: %s %s", sentence, err_word((enum err_code)-r), e.text);
}

/* --- whole files ----------------------------------------------------------------------------- */

static void
test_samples(void)
{
	static const struct {
		const char *file;
		uint32_t kind, pages;
		uint64_t w, h; /* of the largest page */
	} all[] = {
		{ "de-brief.tif", DOC_TIFF, 2, 2480, 3508 }, { "en-letter.tif", DOC_TIFF, 1, 1654, 2339 },
		{ "de-rechnung.jpg", DOC_JPEG, 1, 1654, 2339 }, { "en-invoice.png", DOC_PNG, 1, 1654, 2339 },
		{ "de-akte.pdf", DOC_PDF, 2, 1654, 2339 }, { "en-turned.tif", DOC_TIFF, 1, 2480, 3508 },
		{ "en-sideways.tif", DOC_TIFF, 1, 2339, 1654 },
	};
	struct err e;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		size_t n;
		uint8_t *p = scans_load(all[i].file, &n);

		CHECK(look(p, n, &scans_limits, &e) == 0 && res.kind == all[i].kind && res.pages == all[i].pages,
		    "%s: %u pages of %s %s", all[i].file, res.pages, doc_kind_name(res.kind), e.text);
		CHECK(res.pixels == all[i].w * all[i].h, "%s: its largest page has %llu pixels", all[i].file, (unsigned long long)res.pixels);
		free(p);
	}
}

/* Cut anywhere, a file is incomplete, or its magic is not even there; never good, never a crash. */
static void
test_cut(void)
{
	static const char *const files[] = { "de-brief.tif", "en-turned.tif", "de-rechnung.jpg", "en-invoice.png", "de-akte.pdf" };
	struct err e;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		size_t n, good = 0, other = 0, cuts = 0;
		uint8_t *p = scans_load(files[i], &n);

		for (size_t len = 1; len < n - 1; len += 1 + n / 200, cuts++) {
			int r = look(p, len, &scans_limits, &e);

			good += r == 0;
			other += r != 0 && r != -ERR_DOC_INCOMPLETE && !(len < 2 && r == -ERR_DOC_TYPE);
		}
		CHECK(good == 0, "%s: none of %zu cuts passes", files[i], cuts);
		CHECK(other == 0, "%s: each cut is called incomplete, not %zu something else", files[i], other);
		free(p);
	}
	{
		size_t n;
		uint8_t *p = scans_load("de-abgebrochen.tif", &n);

		CHECK(look(p, n, &scans_limits, &e) == -ERR_DOC_INCOMPLETE && e.page == 2, "the bundled broken letter ends in page %u",
		    e.page);
		free(p);
	}
}

static void
test_type(void)
{
	static const char *const magics[] = { "II*", "MM", "\x89PNG\r\n", "%PDF", "\xff\xd8" };

	expect("", 0, ERR_DOC_EMPTY, "nothing");
	expect("PK\3\4 and a long text", 20, ERR_DOC_TYPE, "a ZIP");
	expect("Dear Sir or Madam,", 18, ERR_DOC_TYPE, "a text");
	expect("x", 1, ERR_DOC_TYPE, "one byte");
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		expect(magics[i], strlen(magics[i]), ERR_DOC_INCOMPLETE, "only the first bytes of a magic number");
	expect("%PDF-1.4\n", 9, ERR_DOC_INCOMPLETE, "only the header of a PDF");
}

/* --- TIFF by hand ------------------------------------------------------------------------------ */

struct tiff {
	uint8_t d[4096];
	size_t n;
	bool be;
};

static void
put(struct tiff *t, uint64_t v, size_t size)
{
	for (size_t i = 0; i < size; i++)
		t->d[t->n++] = (uint8_t)(v >> 8 * (t->be ? size - 1 - i : i));
}

static void
tag(struct tiff *t, unsigned id, unsigned type, uint32_t v)
{
	put(t, id, 2);
	put(t, type, 2);
	put(t, 1, 4);
	put(t, v, type == 3 ? 2 : 4);
	if (type == 3)
		put(t, 0, 2);
}

struct tiff_how {
	uint32_t w, h, bits, compression, photometric, strip, strip_len, res_num, res_den, next;
	bool res, be;
};
static const struct tiff_how a4 = { .w = 1654, .h = 2339, .bits = 1, .compression = 1, .photometric = 0, .strip = 256,
	.strip_len = 100, .res_num = 200, .res_den = 1, .res = true };

/* One page; the strip need not hold the pixels: nothing is decoded here. */
static struct tiff
make_tiff(const struct tiff_how *h)
{
	struct tiff t = { .be = h->be };

	t.d[0] = t.d[1] = h->be ? 'M' : 'I';
	t.n = 2;
	put(&t, 42, 2);
	put(&t, 8, 4);
	put(&t, h->res ? 10 : 8, 2);
	tag(&t, 256, 4, h->w);
	tag(&t, 257, 4, h->h);
	tag(&t, 258, 3, h->bits);
	tag(&t, 259, 3, h->compression);
	tag(&t, 262, 3, h->photometric);
	tag(&t, 273, 4, h->strip);
	tag(&t, 278, 4, h->h);
	tag(&t, 279, 4, h->strip_len);
	if (h->res) {
		tag(&t, 282, 5, 240);
		tag(&t, 283, 5, 240);
	}
	put(&t, h->next, 4);
	t.n = 240;
	put(&t, h->res_num, 4);
	put(&t, h->res_den, 4);
	t.n = 512;
	return t;
}

static void
tiff_case(const struct tiff_how *h, enum err_code want, const char *sentence)
{
	struct tiff t = make_tiff(h);

	expect(t.d, t.n, want, sentence);
}

static void
test_tiff(void)
{
	struct tiff_how h = a4;

	tiff_case(&h, ERR_OK, "a page made by hand");
	h.be = true;
	tiff_case(&h, ERR_OK, "big-endian");
	h = a4;
	h.next = 8;
	tiff_case(&h, ERR_DOC_BAD, "a page that leads back to itself");
	h.next = 100000;
	tiff_case(&h, ERR_DOC_INCOMPLETE, "a second page behind the end");
	h = a4;
	h.strip_len = 300;
	tiff_case(&h, ERR_DOC_INCOMPLETE, "a strip that goes on behind the end");
	h.strip_len = 0;
	tiff_case(&h, ERR_DOC_INCOMPLETE, "a strip not yet written");
	h = a4;
	h.strip = 0xfffffff0;
	tiff_case(&h, ERR_DOC_INCOMPLETE, "a strip at the end of all offsets");
	h = a4;
	h.compression = 34712;
	tiff_case(&h, ERR_DOC_TYPE, "JPEG 2000 in TIFF");
	h = a4;
	h.photometric = 8;
	tiff_case(&h, ERR_DOC_TYPE, "CIELab");
	h = a4;
	h.bits = 12;
	tiff_case(&h, ERR_DOC_TYPE, "12 bits");
	h = a4;
	h.w = 40000;
	h.h = 40000;
	tiff_case(&h, ERR_DOC_PIXELS, "40,000 by 40,000 pixels");
	h.w = 0xffffffff;
	tiff_case(&h, ERR_DOC_PIXELS, "a product that would wrap");
	h.w = 0;
	tiff_case(&h, ERR_DOC_BAD, "no pixels");
	h = a4;
	h.w = 30000;
	h.h = 4900;
	h.bits = 8;
	tiff_case(&h, ERR_DOC_PIXELS, "a hundred bytes that would grow to 147 MB");
}

/* A tag that can not be is no tag; a page without one is measured otherwise. */
static void
test_resolution(void)
{
	static const struct {
		const char *name;
		uint32_t w, h;
		double x, y;
		enum dpi_from from;
		double want_x, want_y;
	} all[] = {
		{ "a fax", 1728, 1145, 204, 98, DPI_SAID, 204, 98 },
		{ "300, whatever the paper", 1000, 5000, 300, 300, DPI_SAID, 300, 300 },
		{ "one of the two", 1654, 2339, 0, 200, DPI_SAID, 200, 200 },
		{ "0, A4 at 200", 1654, 2339, 0, 0, DPI_BY_PAPER, 200, 200 },
		{ "30,000, A4 at 200", 1654, 2339, 30000, 30000, DPI_BY_PAPER, 200, 200 },
		{ "1, A4 at 200", 1654, 2339, 1, 1, DPI_BY_PAPER, 200, 200 },
		{ "none, A4 at 100", 827, 1169, NAN, NAN, DPI_BY_PAPER, 100, 100 },
		{ "none, A4 at 600", 4960, 7016, NAN, NAN, DPI_BY_PAPER, 600, 600 },
		{ "none, Letter at 300", 2550, 3300, NAN, NAN, DPI_BY_PAPER, 300, 300 },
		{ "none, Letter on its side", 3300, 2550, NAN, NAN, DPI_BY_PAPER, 300, 300 },
		{ "a screen's 72, A4 at 300", 2480, 3508, 72, 72, DPI_BY_PAPER, 300, 300 },
		{ "a screen's 96, a photograph", 3024, 4032, 96, 96, DPI_BY_SIZE, 365.8, 365.8 },
		{ "72, and a sheet that can be", 595, 842, 72, 72, DPI_SAID, 72, 72 },
		{ "none, a picture of a screen", 800, 600, NAN, NAN, DPI_BY_SIZE, 72.6, 72.6 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		double x = all[i].x, y = all[i].y;
		enum dpi_from from = image_resolution(all[i].w, all[i].h, &x, &y);

		CHECK(from == all[i].from && fabs(x - all[i].want_x) < 0.1 && fabs(y - all[i].want_y) < 0.1,
		    "%s: %.1f x %.1f dots per inch", all[i].name, x, y);
	}
}

/* --- limits of the settings ----------------------------------------------------------------------- */

static void
test_limits(void)
{
	struct conf_scan limits = scans_limits;
	struct err e;
	size_t n;
	uint8_t *p = scans_load("de-brief.tif", &n);

	limits.max_pages = 1;
	CHECK(look(p, n, &limits, &e) == -ERR_DOC_PAGES, "two pages where one is allowed: %s", e.text);
	limits.max_pages = 2;
	CHECK(look(p, n, &limits, &e) == 0, "two where two are");
	limits.max_pixels = 2480 * 3508 - 1;
	CHECK(look(p, n, &limits, &e) == -ERR_DOC_PIXELS && e.page == 1, "a pixel too many: %s", e.text);
	limits.max_pixels++;
	CHECK(look(p, n, &limits, &e) == 0, "and not");
	limits.max_bytes = n - 1;
	CHECK(look(p, n, &limits, &e) == -ERR_DOC_SIZE, "a byte too many: %s", e.text);
	free(p);
	p = scans_load("de-akte.pdf", &n);
	limits = scans_limits;
	limits.max_pages = 1;
	CHECK(look(p, n, &limits, &e) == -ERR_DOC_PAGES, "pages of a PDF count: %s", e.text);
	limits = scans_limits;
	limits.max_pixels = 1000000;
	CHECK(look(p, n, &limits, &e) == -ERR_DOC_PIXELS, "pixels of a PDF count: %s", e.text);
	free(p);
}

/* --- PNG and JPEG with one byte changed --------------------------------------------------------------- */

static void
test_changed(void)
{
	size_t n;
	uint8_t *p = scans_load("en-invoice.png", &n);

	p[n / 2] ^= 1;
	expect(p, n, ERR_DOC_BAD, "a PNG with a flipped bit in its data");
	p[n / 2] ^= 1;
	p[19] ^= 0x80;
	expect(p, n, ERR_DOC_BAD, "a PNG with a flipped bit in its width");
	free(p);
	p = scans_load("de-rechnung.jpg", &n);
	p[n - 1] = 0xd8;
	expect(p, n, ERR_DOC_INCOMPLETE, "a JPEG that ends with another marker");
	p[n - 1] = 0xd9;
	for (size_t i = 0; i + 1 < n; i++)
		if (p[i] == 0xff && p[i + 1] == 0xc0) {
			p[i + 1] = 0xc9;
			expect(p, n, ERR_DOC_TYPE, "an arithmetic JPEG");
			p[i + 1] = 0xc0;
			p[i + 5] = p[i + 6] = 0;
			expect(p, n, ERR_DOC_BAD, "a JPEG of no height");
			break;
		}
	free(p);
}

/* --- PDF by hand ---------------------------------------------------------------------------------------- */

struct pdf_how {
	const char *catalog, *page, *content, *image, *resources, *trailer;
};

static size_t
make_pdf(char *d, size_t size, const struct pdf_how *h)
{
	const char *content = h->content != NULL ? h->content : "q 595 0 0 842 0 0 cm /Im0 Do Q";
	const char *image = h->image != NULL ? h->image : "/ColorSpace/DeviceGray/BitsPerComponent 8";
	size_t at[7] = { 0 }, n, xref;
	static char pixels[827 * 1170];

	memset(pixels, 'x', sizeof(pixels));
	n = (size_t)snprintf(d, size, "%%PDF-1.4\n%%\xe2\xe3\xcf\xd3\n");
	at[1] = n;
	n += (size_t)snprintf(d + n, size - n, "1 0 obj\n<</Type/Catalog/Pages 2 0 R%s>>\nendobj\n", h->catalog ? h->catalog : "");
	at[2] = n;
	n += (size_t)snprintf(d + n, size - n, "2 0 obj\n<</Type/Pages/Count 1/Kids[3 0 R]>>\nendobj\n");
	at[3] = n;
	n += (size_t)snprintf(d + n, size - n, "3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</XObject<</Im0 4 0 R>>"
	    "%s>>/Contents 5 0 R%s>>\nendobj\n", h->resources ? h->resources : "", h->page ? h->page : "");
	at[4] = n;
	n += (size_t)snprintf(d + n, size - n, "4 0 obj\n<</Type/XObject/Subtype/Image/Width 827/Height 1170%s/Length %zu>>\nstream\n",
	    image, sizeof(pixels));
	memcpy(d + n, pixels, sizeof(pixels));
	n += sizeof(pixels);
	n += (size_t)snprintf(d + n, size - n, "\nendstream\nendobj\n");
	at[5] = n;
	n += (size_t)snprintf(d + n, size - n, "5 0 obj\n<</Length %zu>>\nstream\n%s\nendstream\nendobj\n", strlen(content), content);
	xref = n;
	n += (size_t)snprintf(d + n, size - n, "xref\n0 6\n0000000000 65535 f \n");
	for (int i = 1; i < 6; i++)
		n += (size_t)snprintf(d + n, size - n, "%010zu 00000 n \n", at[i]);
	n += (size_t)snprintf(d + n, size - n, "trailer\n<</Size 6/Root 1 0 R%s>>\nstartxref\n%zu\n%%%%EOF\n", h->trailer ? h->trailer : "",
	    xref);
	return n;
}

/* Scanned pages, made anew; or any others, whose bytes stay. */
#define KEPT ERR_CODE_COUNT

static void
pdf_case(const struct pdf_how *h, enum err_code want, const char *sentence)
{
	static char d[1200000];
	size_t n = make_pdf(d, sizeof(d), h);

	expect(d, n, want == KEPT ? ERR_OK : want, sentence);
	if (want == ERR_OK || want == KEPT)
		CHECK(res.kind == (want == KEPT ? DOC_PDF_KEPT : DOC_PDF), "%s: %s", sentence, want == KEPT ? "its bytes stay" : "scanned");
}

static void
test_pdf(void)
{
	static const struct {
		const char *sentence;
		struct pdf_how how;
		enum err_code want;
	} all[] = {
		{ "one image on the page", { 0 }, ERR_OK },
		{ "with invisible text", { .content = "q 595 0 0 842 0 0 cm /Im0 Do Q BT 3 Tr /F0 9 Tf 20 20 Td (old words) Tj ET",
		    .resources = "/Font<</F0<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>" }, ERR_OK },
		{ "with text that shows", { .content = "q 595 0 0 842 0 0 cm /Im0 Do Q BT /F0 9 Tf 20 20 Td (PAID) Tj ET",
		    .resources = "/Font<</F0<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>" }, KEPT },
		{ "with invisible text that a Type 3 font would show", { .content = "q 595 0 0 842 0 0 cm /Im0 Do Q BT 3 Tr /F0 9 Tf (x) Tj ET",
		    .resources = "/Font<</F0<</Type/Font/Subtype/Type3>>>>" }, KEPT },
		{ "shown text after a restored state", { .content = "q BT 3 Tr ET 595 0 0 842 0 0 cm /Im0 Do Q BT /F0 9 Tf (x) Tj ET",
		    .resources = "/Font<</F0<</Type/Font/Subtype/Type1>>>>" }, KEPT },
		{ "no image", { .content = "q Q" }, KEPT },
		{ "the image twice", { .content = "q 595 0 0 842 0 0 cm /Im0 Do /Im0 Do Q" }, KEPT },
		{ "a filled area", { .content = "0 0 100 100 re f q 595 0 0 842 0 0 cm /Im0 Do Q" }, KEPT },
		{ "a clip to the page", { .content = "q 0 0 595 842 re W n 595 0 0 842 0 0 cm /Im0 Do Q" }, ERR_OK },
		{ "a clip to half the page", { .content = "q 0 0 595 421 re W n 595 0 0 842 0 0 cm /Im0 Do Q" }, KEPT },
		{ "an image drawn askew", { .content = "q 590 40 -40 835 0 0 cm /Im0 Do Q" }, KEPT },
		{ "an image lying on its side", { .content = "q 0 842 -595 0 595 0 cm /Im0 Do Q" }, ERR_OK },
		{ "an image the size of a stamp", { .content = "q 20 0 0 28 0 0 cm /Im0 Do Q" }, ERR_DOC_RESOLUTION },
		{ "an unknown operator", { .content = "q 595 0 0 842 0 0 cm /Im0 Do Q 1 XX" }, KEPT },
		{ "a state without end", { .content = "Q 595 0 0 842 0 0 cm /Im0 Do" }, ERR_DOC_BAD },
		{ "a soft mask", { .image = "/ColorSpace/DeviceGray/BitsPerComponent 8/SMask 4 0 R" }, KEPT },
		{ "a stencil", { .image = "/ImageMask true/BitsPerComponent 1" }, KEPT },
		{ "JBIG2 of nonsense", { .image = "/ColorSpace/DeviceGray/BitsPerComponent 1/Filter/JBIG2Decode" }, ERR_DOC_BAD },
		{ "JBIG2 behind another coding", { .image = "/ColorSpace/DeviceGray/BitsPerComponent 1/Filter[/ASCIIHexDecode/JBIG2Decode]" },
		    ERR_DOC_SYMBOLS },
		{ "a script that nothing opens by itself", { .page = "/B[<</Title(x)/A<</S/JavaScript/JS(x)>>>>]", .content = "q Q" },
		    ERR_DOC_ACTIVE },
		{ "CMYK", { .image = "/ColorSpace/DeviceCMYK/BitsPerComponent 8" }, KEPT },
		{ "an annotation", { .page = "/Annots[<</Type/Annot/Subtype/Text/Rect[0 0 9 9]>>]" }, KEPT },
		{ "attachments", { .catalog = "/Names<</EmbeddedFiles<</Names[]>>>>" }, KEPT },
		{ "a script", { .catalog = "/OpenAction<</S/JavaScript/JS(x)>>" }, ERR_DOC_ACTIVE },
		{ "scripts by name", { .catalog = "/Names<</JavaScript<</Names[]>>>>" }, ERR_DOC_ACTIVE },
		{ "an action behind a harmless one", { .catalog = "/OpenAction<</S/GoTo/D[3 0 R/Fit]/Next[<</S/Launch/F(x)>>]>>" }, ERR_DOC_ACTIVE },
		{ "what is done when it is printed", { .catalog = "/AA<</WP<</S/URI/URI(x)>>>>" }, ERR_DOC_ACTIVE },
		{ "what is done when a page is shown", { .page = "/AA<</O<</S/URI/URI(x)>>>>" }, ERR_DOC_ACTIVE },
		{ "a link", { .page = "/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/URI/URI(x)>>>>]" }, KEPT },
		{ "a link that runs a program", { .page = "/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A<</S/Launch/F(x)>>>>]" },
		    ERR_DOC_ACTIVE },
		{ "a recording", { .page = "/Annots[<</Type/Annot/Subtype/Sound/Rect[0 0 9 9]>>]" }, ERR_DOC_ACTIVE },
		{ "a form that computes", { .catalog = "/AcroForm<</Fields[<</T(a)/Kids[<</FT/Tx/AA<</C<</S/JavaScript/JS(x)>>>>>>]>>]>>" },
		    ERR_DOC_ACTIVE },
		{ "a form that is to be drawn", { .catalog = "/AcroForm<</Fields[<</FT/Tx/T(a)>>]/NeedAppearances true>>" }, ERR_DOC_ACTIVE },
		{ "an XFA form", { .catalog = "/AcroForm<</Fields[<</FT/Tx/T(a)>>]/XFA(x)>>" }, ERR_DOC_XFA },
		{ "a collection of files", { .catalog = "/Collection<<>>" }, ERR_DOC_ACTIVE },
		{ "layers", { .catalog = "/OCProperties<</OCGs[]/D<<>>>>" }, KEPT },
		{ "a destination to open at", { .catalog = "/OpenAction<</S/GoTo/D[3 0 R/Fit]>>" }, ERR_OK },
		{ "a form", { .catalog = "/AcroForm<</Fields[<</FT/Tx/T(a)>>]>>" }, KEPT },
		{ "a signature", { .catalog = "/AcroForm<</Fields[<</FT/Sig/T(a)/V<</Type/Sig/Contents<30>>>>>]>>" }, KEPT },
		{ "a signature that only a page knows", { .page = "/Annots[<</Type/Annot/Subtype/Widget/FT/Sig/V<</Contents<30>>>>>]" },
		    KEPT },
		{ "a signature field not yet signed", { .catalog = "/AcroForm<</Fields[<</FT/Sig/T(a)>>]>>" }, KEPT },
		{ "a permission signature", { .catalog = "/Perms<</DocMDP<</Contents<30>>>>>" }, KEPT },
		{ "an image that says 40,000 pixels", { .image = "/Width 40000/Height 40000/ColorSpace/DeviceGray/BitsPerComponent 8" },
		    ERR_DOC_PIXELS },
		{ "encryption", { .trailer = "/Encrypt<</Filter/Standard/V 1/R 2/O<28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453"
		    "697a>/U<28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a>/P -4>>/ID[<01><01>]" }, ERR_DOC_ENCRYPTED },
		{ "turned by 45 degrees", { .page = "/Rotate 45" }, ERR_DOC_BAD },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		pdf_case(&all[i].how, all[i].want, all[i].sentence);
}

/* Files whose table of objects, page tree or end is not what it should be. */
static void
test_pdf_damage(void)
{
	static char d[1200000];
	const struct pdf_how plain = { 0 };
	size_t n = make_pdf(d, sizeof(d), &plain);
	char *at;

	memcpy(d + n, "trailing", 8);
	expect(d, n + 8, ERR_DOC_INCOMPLETE, "bytes behind the end");
	at = memmem(d, n, "startxref", 9);
	at[10] = (char)(at[10] == '9' ? '8' : '9');
	expect(d, n, ERR_DOC_BAD, "a table of objects somewhere else");
	n = make_pdf(d, sizeof(d), &plain);
	at = memmem(d, n, "/Count 1", 8);
	at[7] = '2';
	expect(d, n, ERR_DOC_BAD, "a page tree that counts wrong");
	n = make_pdf(d, sizeof(d), &plain);
	at = memmem(d, n, "/Kids[3 0 R]", 12);
	at[6] = '2';
	expect(d, n, ERR_DOC_BAD, "a page tree that holds itself");
	n = make_pdf(d, sizeof(d), &plain);
	at = memmem(d, n, "3 0 obj", 7);
	at[0] = '7';
	expect(d, n, ERR_DOC_BAD, "an object under another number");
}

/* In brief only what seems to be a scan of many pages is answered; its page tree is not walked. */
static void
test_brief(void)
{
	static char d[1200000];
	struct pdf_how how = { 0 };
	size_t n;
	uint8_t *p = scans_load("de-akte.pdf", &n);
	struct err e;

	brief_above = 1;
	CHECK(look(p, n, &scans_limits, &e) == 0 && res.brief == 1 && res.kind == DOC_PDF && res.pages == 2, "two pages, brief above one: in brief");
	brief_above = 2;
	CHECK(look(p, n, &scans_limits, &e) == 0 && res.brief == 0 && res.pages == 2 && res.pixels > 0, "above two: in full");
	CHECK(look(p, n - 20, &scans_limits, &e) == -ERR_DOC_INCOMPLETE, "its end missing: incomplete, however brief");
	free(p);
	brief_above = 1;
	n = make_pdf(d, sizeof(d), &how);
	memcpy(memmem(d, n, "/Count 1", 8), "/Count 2", 8);
	CHECK(look(d, n, &scans_limits, &e) == 0 && res.brief == 1 && res.pages == 2, "a page tree that counts wrong is believed in brief");
	memcpy(memmem(d, n, "/Count 2", 8), "/Count 9", 8);
	CHECK(look(d, n, &(struct conf_scan){ .max_pages = 8, .max_bytes = UINT64_MAX, .max_pixels = 1 << 30 }, &e) == -ERR_DOC_BAD,
	    "not when it counts more than may be");
	how.page = "/Annots[<</Type/Annot/Subtype/Link/Rect[0 0 9 9]>>]";
	n = make_pdf(d, sizeof(d), &how);
	memcpy(memmem(d, n, "/Count 1", 8), "/Count 2", 8);
	expect(d, n, ERR_DOC_BAD, "nor when its first page has more than a scan");
	how = (struct pdf_how){ .catalog = "/AF[]" };
	n = make_pdf(d, sizeof(d), &how);
	memcpy(memmem(d, n, "/Count 1", 8), "/Count 2", 8);
	expect(d, n, ERR_DOC_BAD, "nor when its catalog has");
	brief_above = 0;
}

int
main(void)
{
	test_samples();
	test_cut();
	test_type();
	test_tiff();
	test_resolution();
	test_limits();
	test_changed();
	test_pdf();
	test_pdf_damage();
	test_brief();
	return TEST_DONE();
}
