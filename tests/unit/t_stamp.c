/* The stamp's looks: text within its box, whatever box and text; glyphs and widths as in the font. */
#include <inttypes.h>
#include <stdbool.h>

#include "scan/stamp.h"
#include "tests/unit/judge.h"
#include "tests/unit/test.h"

#define MARGIN 50000

static char path[300];

/* A page with nothing but the stamp, MARGIN from each edge; 0 or -code. */
static int
draw(const struct stamp *s, struct err *e)
{
	struct pdf_trailer t = { .root = 1, .id = { { "a", 1 }, { "a", 1 } } };
	struct pdf *p = NULL;
	int fd = judge_create(path), r;
	uint32_t root, pages, page, content, form;
	uint64_t len;
	char ops[64];

	if (pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", e) < 0)
		return -(int)e->code;
	root = pdf_new(p);
	pages = pdf_new(p);
	page = pdf_new(p);
	content = pdf_new(p);
	if ((r = stamp_draw(p, s, &form, e)) == 0) {
		pdf_begin(p, root, 0);
		pdf_printf(p, "<</Type/Catalog/Pages %" PRIu32 " 0 R>>", pages);
		pdf_end(p);
		pdf_begin(p, pages, 0);
		pdf_printf(p, "<</Type/Pages/Count 1/Kids[%" PRIu32 " 0 R]>>", page);
		pdf_end(p);
		pdf_begin(p, page, 0);
		pdf_printf(p, "<</Type/Page/Parent %" PRIu32 " 0 R/MediaBox[0 0", pages);
		pdf_milli(p, s->width + (int64_t)2 * MARGIN);
		pdf_milli(p, s->height + (int64_t)2 * MARGIN);
		pdf_printf(p, "]/Contents %" PRIu32 " 0 R/Resources<</XObject<</S %" PRIu32 " 0 R>>>>>>", content, form);
		pdf_end(p);
		snprintf(ops, sizeof(ops), "1 0 0 1 %d %d cm /S Do", MARGIN / 1000, MARGIN / 1000);
		pdf_stream(p, content, "", ops, strlen(ops), PDF_PLAIN);
		r = pdf_finish(p, &t, &len, e);
	}
	pdf_free(p);
	close(fd);
	return r;
}

/* Words found, or -1 if one lies outside of the box. */
static int
words_inside(const struct stamp *s)
{
	char *text = judge_text("pdftotext -bbox '%s' - 2>/dev/null", path);
	double x0, y0, x1, y1, w = (double)s->width / 1000, h = (double)s->height / 1000, m = MARGIN / 1000.0;
	int n = 0;

	bool inside = true;

	for (char *p = text; (p = strstr(p, "<word ")) != NULL; p++, n++)
		inside = inside && sscanf(p, "<word xMin=\"%lf\" yMin=\"%lf\" xMax=\"%lf\" yMax=\"%lf\">", &x0, &y0, &x1,
		    &y1) == 4 && x0 >= m && y0 >= m && x1 <= m + w && y1 <= m + h;
	free(text);
	return inside ? n : -1;
}

/* Dark pixels outside of the box, and inside, of the page drawn at 72 dpi. */
static void
ink(int *outside, int *inside)
{
	char pgm[330];
	uint8_t *data, *pixel;
	int w, h, skip = 0, m = MARGIN / 1000;
	size_t n;

	*outside = *inside = -1;
	snprintf(pgm, sizeof(pgm), "%s.pgm", path);
	if (judge("pdftoppm -r 72 -gray -singlefile '%s' '%s'", path, path) != 0)
		return;
	data = judge_read(pgm, &n);
	if (sscanf((char *)data, "P5 %d %d 255%n", &w, &h, &skip) == 2 && n >= (size_t)skip + 1 + (size_t)w * (size_t)h) {
		*outside = *inside = 0;
		pixel = data + skip + 1;
		for (int y = 0; y < h; y++)
			for (int x = 0; x < w; x++) {
				bool in = x >= m - 1 && y >= m - 1 && x <= w - m && y <= h - m;

				if (pixel[y * w + x] < 200)
					*(in ? inside : outside) += 1;
			}
	}
	free(data);
}

static const char lines[][MSG_TEXT_MAX] = {
	"Elektronisch gesiegelt",
	"Stadt \303\234berlingen \342\200\223 Poststelle",
	"22.11.2026 10:34 \xE2\x82\xAC \xE2\x80\x9Ex\xE2\x80\x9C",
	"0123456789abcdefghjkmnpqrs",
};
static const char twelve[][MSG_TEXT_MAX] = { "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l" };
static const char one_long[][MSG_TEXT_MAX] = {
	"kurz",
	"Eine Zeile, die viel breiter ist als jede andere und doch in den Kasten geh\xC3\xB6rt",
};
static const char sign_missing[][MSG_TEXT_MAX] = { "gut", "schlecht \xE4\xB8\x80" };
static const char controls[][MSG_TEXT_MAX] = { "tab\tund\x01Steuer", "\xFF" };

static const struct {
	const char *name;
	int64_t width, height;
	bool border;
	uint32_t nlines;
	const char (*lines)[MSG_TEXT_MAX];
	int words, want;
} cases[] = {
	{ "62 x 24 mm, four lines", 175748, 68031, true, 4, lines, 11, 0 },
	{ "without a border", 175748, 68031, false, 4, lines, 11, 0 },
	{ "no lines, only a border", 100000, 40000, true, 0, lines, 0, 0 },
	{ "narrow", 60000, 200000, true, 4, lines, 11, 0 },
	{ "flat", 300000, 20000, true, 4, lines, 11, 0 },
	{ "large: text does not shout", 500000, 400000, true, 4, lines, 11, 0 },
	{ "twelve lines", 100000, 60000, true, 12, twelve, 12, 0 },
	{ "one line much longer than the other", 175748, 50000, true, 2, one_long, 16, 0 },
	{ "controls are blanks, bad bytes U+FFFD", 100000, 50000, true, 2, controls, 4, 0 },
	{ "too small to be read", 30000, 10000, true, 4, lines, 0, -ERR_ANCHOR_PLACE },
	{ "smaller than its own border", 1000, 1000, true, 1, lines, 0, -ERR_ANCHOR_PLACE },
	{ "a sign the font has not", 175748, 68031, true, 2, sign_missing, 0, -ERR_STAMP },
};

static void
test_boxes(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stamp s = { .width = cases[i].width, .height = cases[i].height, .turn = { 1, 0, 0, 1 },
			.border = cases[i].border, .nlines = cases[i].nlines, .lines = cases[i].lines };
		struct err e = { 0 };
		int outside, inside, r = draw(&s, &e);

		CHECK(r == cases[i].want, "%s: %s%s", cases[i].name, cases[i].want == 0 ? "drawn" : "refused: ", e.text);
		if (cases[i].want != 0)
			continue;
		CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
		CHECK(words_inside(&s) == cases[i].words, "all %d words are inside", cases[i].words);
		ink(&outside, &inside);
		CHECK(outside == 0 && inside > 30, "ink is inside only (%d outside, %d inside)", outside, inside);
	}
}

static void
test_names_sign(void)
{
	struct stamp s = { .width = 100000, .height = 50000, .turn = { 1, 0, 0, 1 }, .nlines = 2, .lines = sign_missing };
	struct err e = { 0 };

	CHECK(draw(&s, &e) == -ERR_STAMP && strstr(e.text, "U+4E00") != NULL, "a missing sign is named: %s", e.text);
}

static void
test_font(void)
{
	struct stamp s = { .width = 175748, .height = 68031, .turn = { 1, 0, 0, 1 }, .border = true, .nlines = 4, .lines = lines };
	struct err e = { 0 };
	char *text;

	CHECK(draw(&s, &e) == 0, "a stamp");
	text = judge_text("pdffonts '%s'", path);
	CHECK(strstr(text, "+DejaVuSans") != NULL && strstr(text, "CID TrueType      Identity-H       yes yes yes") != NULL,
	    "its font is embedded, a subset, with Unicode");
	free(text);
	text = judge_text("pdftotext -raw '%s' -", path);
	CHECK(strncmp(text, "Elektronisch gesiegelt\nStadt \xC3\x9C" "berlingen \xE2\x80\x93 Poststelle\n"
	    "22.11.2026 10:34 \xE2\x82\xAC \xE2\x80\x9Ex\xE2\x80\x9C\n0123456789abcdefghjkmnpqrs\n", 108) == 0,
	    "its text can be copied");
	free(text);
}

int
main(void)
{
	snprintf(path, sizeof(path), "%s/stamp.pdf", judge_dir());
	test_boxes();
	test_names_sign();
	test_font();
	return TEST_DONE();
}
