/* The invisible text, as poppler and mupdf find it. */
#include <stdbool.h>

#include "scan/textlayer.h"
#include "tests/unit/judge.h"
#include "tests/unit/basefile.h"
#include "tests/unit/test.h"

#define NEAR 1.0 /* pt */

static const struct word words[] = {
	{ { 72000, 70000, 112000, 82000 }, 79000, 0, 0, 90, CODE_NONE, "Gr\xC3\xB6\xC3\x9F" "e" },
	{ { 116000, 70000, 156000, 82000 }, 79000, 0, 0, 90, CODE_NONE, "12,50\xE2\x82\xAC" },
	{ { 160000, 70200, 260000, 82200 }, 79200, 0, 0, 90, CODE_NONE, "\xE2\x80\x9EM\xC3\xBCller\xE2\x80\x9C" },
	{ { 72000, 90000, 132000, 102000 }, 99000, 1, 0, 90, CODE_NONE, "o\xEF\xAC\x83" "ce" },
	{ { 140000, 90000, 180000, 102000 }, 99000, 1, 0, 90, CODE_NONE, "\xF0\x9D\x95\x8F(a)\\" },
	{ { 182000, 90000, 182050, 102000 }, 99000, 1, 0, 90, CODE_NONE, "unseen" },
	{ { 190000, 90000, 230000, 102000 }, 99000, 1, 0, 90, CODE_NONE, "\xEE\x80\x80\xE0\xB4\x8D" }, /* private use; a CR in its code */
	{ { 72000, 110000, 90000, 126000 }, 122000, 2, 1, 90, CODE_NONE, "I" },
	{ { 300000, 500000, 500000, 540000 }, 530000, 3, 1, 90, CODE_NONE, "Donaudampfschiffahrtsgesellschaft" },
};
#define NWORDS (sizeof(words) / sizeof(words[0]))

static bool
near(double a, int32_t mpt)
{
	return a > mpt / 1000.0 - NEAR && a < mpt / 1000.0 + NEAR;
}

/* Words of the page that pdftotext finds where we put them, in our order. */
static int
found_in_place(const char *path, int page)
{
	char *text = judge_text("pdftotext -f %d -l %d -bbox '%s' -", page, page, path), *s = text;
	int found = 0;

	for (size_t i = 0; i < NWORDS; i++) {
		double x0, y0, x1, y1;
		char word[300];

		if (strcmp(words[i].text, "unseen") == 0)
			continue;
		if ((s = strstr(s, "<word ")) == NULL || sscanf(s, "<word xMin=\"%lf\" yMin=\"%lf\" xMax=\"%lf\" yMax=\"%lf\">%299[^<]",
		    &x0, &y0, &x1, &y1, word) != 5)
			break;
		s++;
		found += strcmp(word, words[i].text) == 0 && near(x0, words[i].box.x0) && near(y0, words[i].box.y0) &&
		    near(x1, words[i].box.x1) && near(y1, words[i].box.y1);
	}
	free(text);
	return found;
}

static void
test_places(const char *path)
{
	struct pages p = { .n = 4 };
	struct compose_result r;
	struct err e = { 0 };
	char twin[300];

	for (uint32_t i = 0; i < 4; i++)
		p.page[i] = (struct pages_page){ 595276, 841890, .rotate = 90 * i, .nwords = NWORDS, .words = words };
	CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "four pages, each turned further: %s", e.text);
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	for (int i = 0; i < 4; i++)
		CHECK(found_in_place(path, i + 1) == NWORDS - 1, "turned by %d: pdftotext finds each word within 1 pt", 90 * i);
	snprintf(twin, sizeof(twin), "%s/twin.pdf", judge_dir());
	CHECK(judge_twin(path, twin, "/Rotate 90/", "/Rotate  0/") == 1 && found_in_place(twin, 2) == 0,
	    "a twin whose page is not turned has no word in place");
}

static void
test_reading(const char *path)
{
	static const char line[] = "Gr\xC3\xB6\xC3\x9F" "e 12,50\xE2\x82\xAC \xE2\x80\x9EM\xC3\xBCller\xE2\x80\x9C\n";
	static const char line2[] = "o\xEF\xAC\x83" "ce \xF0\x9D\x95\x8F(a)\\ \xEE\x80\x80\xE0\xB4\x8D\n";

	for (int page = 1; page <= 4; page++) {
		char *poppler = judge_text("pdftotext -raw -f %d -l %d '%s' -", page, page, path);
		char *mupdf = judge_text("mutool draw -q -F text '%s' %d 2>/dev/null", path, page);

		CHECK(strncmp(poppler, line, strlen(line)) == 0, "page %d: pdftotext reads the line as a phrase", page);
		CHECK(strstr(poppler, line2) != NULL, "page %d: ligature, plane 1, private use, escapes", page);
		CHECK(strncmp(mupdf, line, strlen(line)) == 0, "page %d: mutool reads the line as a phrase", page);
		CHECK(strstr(mupdf, "\xF0\x9D\x95\x8F(a)\\") != NULL, "page %d: mutool reads plane 1 and escapes", page);
		CHECK(strstr(poppler, "unseen") == NULL, "page %d: a word without width is left out", page);
		free(poppler);
		free(mupdf);
	}
}

/* A file of one page with this text and nothing else. */
static int
write_alone(const char *path, const struct pagefile *pf)
{
	struct pdf_trailer trailer = { .root = 1, .id = { { "a", 1 }, { "a", 1 } } };
	struct textlayer *t = NULL;
	struct pdf *p = NULL;
	struct err e = { 0 };
	int fd = judge_create(path), r;
	uint64_t len;
	AUTO_BUF b;

	buf_init(&b, 1 << 20);
	if (textlayer_new(&t, &e) < 0 || pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", &e) < 0 || !textlayer_page(t, pf, &b))
		return -1;
	uint32_t root = pdf_new(p), pages = pdf_new(p), page = pdf_new(p), content = pdf_new(p);
	pdf_begin(p, root, 0);
	pdf_printf(p, "<</Type/Catalog/Pages %u 0 R>>", pages);
	pdf_end(p);
	pdf_begin(p, pages, 0);
	pdf_printf(p, "<</Type/Pages/Count 1/Kids[%u 0 R]>>", page);
	pdf_end(p);
	pdf_begin(p, page, 0);
	pdf_printf(p, "<</Type/Page/Parent %u 0 R/MediaBox[0 0 %d %d]/Contents %u 0 R/Resources<</Font<</F0 %u 0 R>>>>>>", pages,
	    pf->media_w / 1000, pf->media_h / 1000, content, textlayer_font(t, p));
	pdf_end(p);
	pdf_stream(p, content, "", b.data, b.len, PDF_PLAIN);
	textlayer_end(t, p);
	r = pdf_finish(p, &trailer, &len, &e);
	pdf_free(p);
	textlayer_free(t);
	close(fd);
	return r;
}

/* Boxes that touch, or reach into the next: words all the same, and not a third of the type from where they stood. */
static void
test_near(const char *path)
{
	static const struct word close[] = {
		{ { 40000, 10000, 60000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "the" },
		{ { 59000, 10000, 80000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "lift" },
		{ { 80000, 10000, 100000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "on" },
		{ { 100400, 10000, 120000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "the" },
		{ { 123000, 10000, 140000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "first" },
		{ { 2000, 10000, 27000, 20000 }, 18000, 0, 0, 90, CODE_NONE, "floor" },
	};
	const struct pagefile pf = { .media_w = 300000, .media_h = 300000, .nwords = sizeof(close) / sizeof(close[0]),
		.words = (struct word *)(uintptr_t)close };
	char *text, *s;
	double right[5] = { 0 };

	CHECK(write_alone(path, &pf) == 0, "words that stand close are written");
	text = judge_text("pdftotext -raw '%s' -", path);
	CHECK(strncmp(text, "the lift on the first", 21) == 0, "pdftotext finds them by their places: %.21s", text);
	free(text);
	text = s = judge_text("pdftotext -bbox '%s' -", path);
	for (int i = 0; i < 5; i++)
		if ((s = strstr(s, "xMax=")) == NULL || sscanf(s++, "xMax=\"%lf\"", &right[i]) != 1)
			break;
	CHECK(right[1] > 56.5 && right[1] < 58 && right[2] > 77.5 && right[2] < 79 && right[3] > 97.9 && right[3] < 99.4,
	    "they end at %.1f, %.1f, %.1f: no more before the next than it takes", right[1], right[2], right[3]);
	CHECK(right[4] > 119.9 && right[4] < 120.3, "the one with a space behind it ends where it did, at %.1f", right[4]);
	CHECK(right[0] > 26.9 && right[0] < 27.3, "and so does one on their left that comes last, at %.1f", right[0]);
	free(text);
}

/* Characters no PDF/A may name (ISO 19005-2, 6.2.11.7.2) and bytes that are no UTF-8. */
static void
test_hostile(const char *path)
{
	static const struct word bad[] = {
		{ { 10000, 10000, 60000, 20000 }, 18000, 0, 0, 0, CODE_NONE, "a\xEF\xBB\xBF" "b\x01" "c" },
		{ { 70000, 10000, 90000, 20000 }, 18000, 0, 0, 0, CODE_NONE, "\xEF\xBF\xBE\x7F\xC2\x85" },
		{ { 100000, 10000, 160000, 20000 }, 18000, 0, 0, 0, CODE_NONE, "x\xED\xA0\x80y\xFFz" },
		{ { 170000, 10000, 220000, 20000 }, INT32_MAX, 0, 0, 0, CODE_NONE, "base" },
		{ { 230000, 10000, 280000, 20000 }, INT32_MIN, 0, 0, 0, CODE_NONE, "none" },
		{ { INT32_MIN, 10000, INT32_MIN + 50000, 20000 }, 18000, 1, 0, 0, CODE_NONE, "far" },
		{ { INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX }, 18000, 2, 0, 0, CODE_NONE, "vast" },
		{ { INT32_MAX - 200, INT32_MAX - 9, INT32_MAX, INT32_MAX }, INT32_MIN, 3, 0, 0, CODE_NONE, "away" },
	};
	struct pagefile pf = { .media_w = 300000, .media_h = 300000, .nwords = sizeof(bad) / sizeof(bad[0]),
		.words = (struct word *)(uintptr_t)bad };
	char *text, *cmap;

	CHECK(write_alone(path, &pf) == 0, "odd words are written");
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	text = judge_text("pdftotext -raw '%s' -", path);
	CHECK(strstr(text, "abc x\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDy\xEF\xBF\xBDz base none") != NULL,
	    "controls are gone, bytes that are no UTF-8 are U+FFFD");
	cmap = judge_text("qpdf --qdf '%s' - | strings -n 4", path);
	CHECK(strstr(cmap, "beginbfchar") != NULL && strstr(cmap, "<FEFF>") == NULL && strstr(cmap, "<FFFE>") == NULL &&
	    strstr(cmap, "<0000> <0000>") == NULL, "the character map names none that is forbidden");
	CHECK(strstr(cmap, "beginbfrange") == NULL, "and has no ranges");
	free(text);
	free(cmap);
}

/* A letter's worth of text: every word differs, as far as deflate can see. */
static void
test_size(void)
{
	static struct word many[250];
	static char text[250][16];
	struct pagefile pf = { .media_w = 595276, .media_h = 841890, .nwords = 250, .words = many };
	struct textlayer *t;
	struct err e = { 0 };
	static uint8_t packed[65536];
	uLongf n = sizeof(packed);
	uint32_t seed = 1;
	AUTO_BUF b;

	for (int i = 0; i < 250; i++) {
		int32_t x = 70000 + i % 8 * 56000, y = 60000 + i / 8 * 13700, len = 3 + i % 7;

		for (int k = 0; k < len; k++) {
			seed = seed * 1103515245 + 12345;
			text[i][k] = "enisratdhulcgmobwfkzvpjyxq"[(seed >> 16) % 26 * ((seed >> 24) % 26) / 26];
		}
		many[i] = (struct word){ { x, y - 7000, x + len * 5300 + (int32_t)(seed >> 16) % 3000, y + 2000 },
			y + (int32_t)(seed >> 16) % 200, (uint16_t)(i / 8), 0, 90, CODE_NONE, text[i] };
	}
	buf_init(&b, 1 << 20);
	CHECK(textlayer_new(&t, &e) == 0 && textlayer_page(t, &pf, &b), "a page of 250 words");
	CHECK(compress2(packed, &n, b.data, b.len, 9) == Z_OK && n <= 2600, "takes %lu bytes, at most 2600", (unsigned long)n);
	textlayer_free(t);
}

int
main(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/text.pdf", judge_dir());
	test_places(path);
	test_reading(path);
	test_near(path);
	test_hostile(path);
	test_size();
	return TEST_DONE();
}
