/* The stamp's looks: text, picture and code within its box, whatever box and text; glyphs and widths as in the font. */
#include <inttypes.h>
#include <leptonica/allheaders.h>
#include <stdbool.h>

#include "scan/stamp.h"
#include "scan/stampimage.h"
#include "tests/unit/judge.h"
#include "tests/unit/looks.h"
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
		struct conf_look conf = looks_conf;
		struct look look = { .conf = &conf };
		struct stamp s = { .width = cases[i].width, .height = cases[i].height, .turn = { 1, 0, 0, 1 }, .look = &look,
			.qr = "", .nlines = cases[i].nlines, .lines = cases[i].lines };
		struct err e = { 0 };
		int outside, inside, r;

		conf.border = cases[i].border;
		r = draw(&s, &e);
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
	struct stamp s = { .width = 100000, .height = 50000, .turn = { 1, 0, 0, 1 }, .look = &looks_plain, .qr = "",
		.nlines = 2, .lines = sign_missing };
	struct err e = { 0 };

	CHECK(draw(&s, &e) == -ERR_STAMP && strstr(e.text, "U+4E00") != NULL, "a missing sign is named: %s", e.text);
}

static void
test_font(void)
{
	struct stamp s = { .width = 175748, .height = 68031, .turn = { 1, 0, 0, 1 }, .look = &looks_plain, .qr = "",
		.nlines = 4, .lines = lines };
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

/* --- scripts ---------------------------------------------------------------------------------- */

#define DEJAVU "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
#define LOHIT "/usr/share/fonts/truetype/lohit-devanagari/Lohit-Devanagari.ttf"

/* How pdftotext, which puts right-to-left words in order by itself, reads it: as it was written, or its words. */
enum reads { WRITTEN, WORDS, NOT_IT };

static const struct {
	const char *name, *font, *text;
	bool differs; /* from glyphs put one by one */
	enum reads reads;
} scripts[] = {
	{ "Latin", DEJAVU, "Stadt \303\234berlingen AVATAR fi", false, WRITTEN },
	{ "accents as characters of their own", DEJAVU, "e\314\201te\314\201 A\314\212", false, WORDS },
	{ "Hebrew", DEJAVU, "בית החותם", true, WRITTEN },
	{ "Arabic: joined forms", DEJAVU, "شركة الختم", true, WRITTEN },
	{ "Arabic with its ligature", DEJAVU, "السلام", true, NOT_IT }, /* poppler turns the letters of one glyph round, too */
	{ "Arabic within Latin, with figures", DEJAVU, "Siegel شركة 2026 GmbH", true, WORDS },
	{ "Latin within Hebrew", DEJAVU, "חותמת GmbH שלום", true, WORDS },
	{ "Devanagari: vowels that go round, letters that join", LOHIT, "सील कार्यालय हिन्दी", true, WRITTEN },
};

/* Without the marks of direction that pdftotext adds. */
static char *
read_text(void)
{
	char *text = judge_text("pdftotext '%s' -", path), *to = text;

	for (char *p = text; *p != '\0' && *p != '\n' && *p != '\f'; p++)
		if (memcmp(p, "\xE2\x80", 2) == 0 && (unsigned char)p[2] >= 0xAA && (unsigned char)p[2] <= 0xAE)
			p += 2;
		else
			*to++ = *p;
	*to = '\0';
	return text;
}

static bool
has_words(const char *text, const char *words)
{
	char *copy = strdup(words), *rest = copy, *word;
	bool all = copy != NULL;

	while ((word = strsep(&rest, " ")) != NULL)
		all = all && strstr(text, word) != NULL;
	free(copy);
	return all;
}

static bool
looks_like(const char *font, const char *text, const char *how)
{
	return judge("/usr/bin/python3 tests/tools/shaped '%s' '%s' '%s' %s", path, font, text, how) == 0;
}

static void
test_scripts(void)
{
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		char line[1][MSG_TEXT_MAX];
		struct conf_look conf = looks_conf;
		struct look look = { .conf = &conf };
		struct stamp s = { .width = 400000, .height = 60000, .turn = { 1, 0, 0, 1 }, .look = &look, .qr = "", .nlines = 1,
			.lines = line };
		struct err e = { 0 };
		uint8_t *font = judge_read(scripts[i].font, &look.font.len);
		char *text;

		conf.border = false;
		look.font.data = font;
		snprintf(line[0], sizeof(line[0]), "%s", scripts[i].text);
		CHECK(draw(&s, &e) == 0, "%s: drawn %s", scripts[i].name, e.text);
		CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
		CHECK(looks_like(scripts[i].font, scripts[i].text, ""), "it looks as another engine draws it");
		if (scripts[i].differs)
			CHECK(!looks_like(scripts[i].font, scripts[i].text, "plain"), "and not as glyphs put one by one");
		text = read_text();
		if (scripts[i].reads == WRITTEN)
			CHECK(strcmp(text, scripts[i].text) == 0, "it is read as it was written: %s", text);
		else if (scripts[i].reads == WORDS)
			CHECK(has_words(text, scripts[i].text), "its words are read: %s", text);
		free(text);
		free(font);
	}
}

/* Two letters of one glyph, in the order they are read: lam, alef. */
static void
test_ligature_map(void)
{
	static const char line[][MSG_TEXT_MAX] = { "لا" };
	struct stamp s = { .width = 100000, .height = 50000, .turn = { 1, 0, 0, 1 }, .look = &looks_plain, .qr = "", .nlines = 1,
		.lines = line };
	struct err e = { 0 };
	char *text;

	CHECK(draw(&s, &e) == 0, "a ligature: %s", e.text);
	text = judge_text("qpdf --qdf --object-streams=disable '%s' - | grep -a '<0644'", path);
	CHECK(strstr(text, "> <06440627>\n") != NULL && strchr(text, '\n') == text + strlen(text) - 1, "one code stands for both: %s", text);
	free(text);
}

/* --- picture, code, colour, font ------------------------------------------------------------ */

static uint8_t *
image_file(const char *name, PIX *pix, int format, size_t *len)
{
	char at[330];

	snprintf(at, sizeof(at), "%s/%s", judge_dir(), name);
	if (pixWrite(at, pix, format) != 0)
		abort();
	return judge_read(at, len);
}

/* Red, its right half seen through: 60 x 90. */
static PIX *
half_red(void)
{
	PIX *p = pixCreate(60, 90, 32);

	pixSetSpp(p, 4);
	for (int y = 0; y < 90; y++)
		for (int x = 0; x < 60; x++)
			pixSetPixel(p, x, y, x < 30 ? 0xff0000ffu : 0x00ff0000u);
	return p;
}

/* Pixels of the page at 72 dpi that are red, green, or of this colour; and where the red ones are. */
struct seen {
	int red, green, mine, left, right, top, bottom;
};

static struct seen
look_at(uint32_t rgb)
{
	struct seen s = { .left = 1 << 30, .top = 1 << 30 };
	char at[330];
	PIX *p;

	if (judge("pdftoppm -r 72 -png -singlefile '%s' '%s'", path, path) != 0)
		return s;
	snprintf(at, sizeof(at), "%s.png", path);
	if ((p = pixRead(at)) == NULL)
		return s;
	for (int y = 0; y < pixGetHeight(p); y++)
		for (int x = 0; x < pixGetWidth(p); x++) {
			l_uint32 v;
			int r, g, b;

			pixGetPixel(p, x, y, &v);
			extractRGBValues(v, &r, &g, &b);
			s.green += g > 200 && r < 60 && b < 60;
			s.mine += ((uint32_t)r << 16 | (uint32_t)g << 8 | (uint32_t)b) == rgb;
			if (r < 200 || g > 60 || b > 60)
				continue;
			s.red++;
			s.left = x < s.left ? x : s.left;
			s.right = x > s.right ? x : s.right;
			s.top = y < s.top ? y : s.top;
			s.bottom = y > s.bottom ? y : s.bottom;
		}
	pixDestroy(&p);
	return s;
}

static void
test_image(void)
{
	PIX *pix = half_red();
	struct conf_look conf = looks_conf;
	struct look look = { .conf = &conf, .image_w = 60, .image_h = 90 };
	struct stamp s = { .width = 175748, .height = 68031, .turn = { 1, 0, 0, 1 }, .look = &look, .qr = "", .nlines = 4,
		.lines = lines };
	struct err e = { 0 };
	struct seen seen;
	uint8_t *png = image_file("half.png", pix, IFF_PNG, &look.image.len);
	char *text;

	look.image.data = png;
	CHECK(draw(&s, &e) == 0, "a picture with transparency: %s", e.text);
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	text = judge_text("pdfimages -list '%s'", path);
	CHECK(strstr(text, "image      60    90  rgb") != NULL && strstr(text, "smask      60    90  gray") != NULL,
	    "it is there pixel by pixel, with its mask");
	free(text);
	seen = look_at(0);
	/* 68 pt high less border and padding is about 58: half of it red, 19 wide */
	CHECK(seen.red > 800 && seen.green == 0 && seen.left > MARGIN / 1000 && seen.right < MARGIN / 1000 + 30 &&
	        seen.bottom - seen.top > 2 * (seen.right - seen.left),
	    "it stands left, in its shape, and one sees through it (%d red, %d to %d)", seen.red, seen.left, seen.right);
	CHECK(words_inside(&s) == 11, "the lines beside it are whole");

	s.width = 113386;
	s.height = 113386;
	CHECK(draw(&s, &e) == 0 && words_inside(&s) == 11, "on a square the lines are whole, too");
	seen = look_at(0);
	CHECK(seen.red > 800 && seen.bottom < MARGIN / 1000 + 113 * 65 / 100, "and the picture above them");

	s.nlines = 0;
	CHECK(draw(&s, &e) == 0, "a picture alone");
	seen = look_at(0);
	CHECK(seen.red > 3000, "fills the box");
	free(png);
	pixDestroy(&pix);
}

static void
test_jpeg(void)
{
	PIX *pix = pixCreate(80, 40, 32);
	struct look look = { .conf = &looks_conf, .image_w = 80, .image_h = 40 };
	struct stamp s = { .width = 175748, .height = 68031, .turn = { 1, 0, 0, 1 }, .look = &look, .qr = "", .nlines = 4,
		.lines = lines };
	struct err e = { 0 };
	uint8_t *jpeg, *out;
	char at[330];
	size_t n;

	pixSetAllArbitrary(pix, 0xff000000u);
	jpeg = image_file("red.jpg", pix, IFF_JFIF_JPEG, &look.image.len);
	look.image.data = jpeg;
	CHECK(draw(&s, &e) == 0 && look_at(0).red > 1000, "a JPEG: %s", e.text);
	snprintf(at, sizeof(at), "%s/out-000.jpg", judge_dir());
	CHECK(judge("pdfimages -j '%s' '%s/out'", path, judge_dir()) == 0, "taken out again");
	out = judge_read(at, &n);
	CHECK(n == look.image.len && memcmp(out, jpeg, n) == 0, "it is the file that went in, byte for byte");
	free(out);
	free(jpeg);
	pixDestroy(&pix);
}

static void
test_bad_images(void)
{
	static const uint8_t cut[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
	PIX *huge = pixCreate(3000, 3000, 1), *cmyk = pixCreate(8, 8, 32);
	uint8_t *large, *twin;
	uint32_t w, h;
	size_t n;
	struct err e = { 0 };

	CHECK(stampimage_size(&(struct look_file){ (const uint8_t *)"GIF89a", 6 }, &w, &h, &e) == -ERR_CONF &&
	        strstr(e.text, "neither PNG nor JPEG") != NULL, "another kind of file: %s", e.text);
	CHECK(stampimage_size(&(struct look_file){ cut, sizeof(cut) }, &w, &h, &e) == -ERR_CONF, "cut short: %s", e.text);
	large = image_file("huge.png", huge, IFF_PNG, &n);
	CHECK(stampimage_size(&(struct look_file){ large, n }, &w, &h, &e) == -ERR_CONF && strstr(e.text, "3000 x 3000") != NULL,
	    "too many pixels: %s", e.text);
	free(large);
	large = image_file("ok.jpg", cmyk, IFF_JFIF_JPEG, &n);
	CHECK(stampimage_size(&(struct look_file){ large, n }, &w, &h, &e) == 0 && w == 8 && h == 8, "a good one");
	twin = malloc(n / 2);
	memcpy(twin, large, n / 2);
	CHECK(stampimage_size(&(struct look_file){ twin, n / 2 }, &w, &h, &e) == -ERR_CONF, "its first half: %s", e.text);
	free(twin);
	free(large);
	pixDestroy(&huge);
	pixDestroy(&cmyk);
}

#define QR_TEXT "01m824k10rrje49f492en47b98 example.org/log 1234567 98N7ezdcF1JNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tY="

/* What a code reader sees on the page, drawn at so many dots an inch. */
static char *
code_read(int dpi)
{
	if (judge("pdftoppm -r %d -gray -png -singlefile '%s' '%s'", dpi, path, path) != 0)
		return NULL;
	return judge_text("zbarimg -q --raw -Sdisable -Sqrcode.enable '%s.png'", path);
}

static void
test_code(void)
{
	static const struct {
		const char *name;
		int64_t width, height;
		uint32_t nlines;
	} boxes[] = {
		{ "beside lines", 198425, 79370, 4 },
		{ "above lines", 113386, 141732, 4 },
		{ "alone", 70866, 70866, 0 },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
		struct stamp s = { .width = boxes[i].width, .height = boxes[i].height, .turn = { 1, 0, 0, 1 }, .look = &looks_plain,
			.qr = QR_TEXT, .nlines = boxes[i].nlines, .lines = lines };
		char *text;
		int outside, inside;

		CHECK(draw(&s, &e) == 0 && judge("qpdf --check '%s'", path) == 0, "a code %s: %s", boxes[i].name, e.text);
		text = code_read(300);
		CHECK(text != NULL && strcmp(text, QR_TEXT "\n") == 0, "is read as it was written: %s", text == NULL ? "-" : text);
		free(text);
		ink(&outside, &inside);
		CHECK(outside == 0 && words_inside(&s) == (boxes[i].nlines > 0 ? 11 : 0), "all within the box");
	}
	struct stamp s = { .width = 60000, .height = 30000, .turn = { 1, 0, 0, 1 }, .look = &looks_plain, .qr = QR_TEXT };
	CHECK(draw(&s, &e) == -ERR_ANCHOR_PLACE && strstr(e.text, "QR code") != NULL, "no room to be read: %s", e.text);
	char *long_text = malloc(4001);
	memset(long_text, 'x', 4000);
	long_text[4000] = '\0';
	s.qr = long_text;
	CHECK(draw(&s, &e) == -ERR_CONF && strstr(e.text, "too many") != NULL, "more than a code can hold: %s", e.text);
	free(long_text);
}

static double
first_x(const char *word)
{
	char *text = judge_text("pdftotext -bbox '%s' - | grep '>%s<'", path, word), *at = strstr(text, "xMin=\"");
	double x = at == NULL ? -1 : strtod(at + 6, NULL);

	free(text);
	return x;
}

static void
test_settings(void)
{
	static const char short_long[][MSG_TEXT_MAX] = { "kurz", "eine viel l\xC3\xA4ngere Zeile" };
	struct conf_look conf = looks_conf;
	struct look look = { .conf = &conf };
	struct stamp s = { .width = 200000, .height = 60000, .turn = { 1, 0, 0, 1 }, .look = &look, .qr = "", .nlines = 2,
		.lines = short_long };
	struct err e = { 0 };
	double x[3];
	size_t n;
	uint8_t *font;
	char *text;

	for (conf.align = ALIGN_LEFT; conf.align <= ALIGN_RIGHT; conf.align++)
		x[conf.align] = draw(&s, &e) == 0 ? first_x("kurz") : -1;
	CHECK(x[0] > 0 && x[1] > x[0] + 20 && x[2] > x[1] + 20, "lines left, in the middle, right: %.0f %.0f %.0f", x[0], x[1], x[2]);
	memcpy(conf.color, (const uint8_t[]){ 0x80, 0x00, 0x40 }, 3);
	CHECK(draw(&s, &e) == 0 && look_at(0x800040).mine > 50 && look_at(0x1a366b).mine == 0, "in the colour asked for");

	font = judge_read("/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf", &n);
	look.font = (struct look_file){ font, n };
	CHECK(draw(&s, &e) == 0, "another font: %s", e.text);
	text = judge_text("pdffonts '%s'", path);
	CHECK(strstr(text, "+DejaVuSerif") != NULL && strstr(text, "yes yes yes") != NULL, "is embedded under its name");
	free(text);
	CHECK(words_inside(&s) == 5, "with widths of its own");
	look.font.len = 100;
	CHECK(draw(&s, &e) == -ERR_CONF && strstr(e.text, "TrueType") != NULL, "half a font: %s", e.text);
	free(font);
}

int
main(void)
{
	snprintf(path, sizeof(path), "%s/stamp.pdf", judge_dir());
	test_boxes();
	test_names_sign();
	test_font();
	test_scripts();
	test_ligature_map();
	test_image();
	test_jpeg();
	test_bad_images();
	test_code();
	test_settings();
	return TEST_DONE();
}
