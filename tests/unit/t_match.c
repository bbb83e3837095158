/*
 * Finding phrases: whole words, typos, line breaks, hyphens, blanks.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "rules/match.h"
#include "tests/unit/pages.h"
#include "tests/unit/test.h"

static const struct conf_pages all = { .kind = PAGES_ALL };

/* Matches of phrase on a page with these lines (separated by '|'; "||" starts a block). */
static struct matches
find(struct sheet *s, const char *lines, const char *phrase, uint32_t typos)
{
	struct page_words page;
	struct doc_words doc = { .npages = 1, .pages = &page, .source_name = "x" };
	struct doc_tokens d;
	struct matches m = { 0 };
	struct err e = { 0 };
	char line[300];
	int y = 100;

	memset(s, 0, sizeof(*s));
	while (*lines != '\0') {
		size_t n = strcspn(lines, "|");

		snprintf(line, sizeof(line), "%.*s", (int)n, lines);
		sheet_line(s, 60, y, line);
		y += 14;
		lines += n + (lines[n] == '|');
		if (*lines == '|') {
			sheet_block(s);
			lines++;
		}
	}
	page = sheet_page(s);
	if (tokens_init(&d, &doc, &e) < 0 || match_find(&d, &all, phrase, typos, false, &m, &e) < 0)
		abort();
	tokens_done(&d);
	return m;
}

static void
test_matches(void)
{
	static const struct {
		const char *name, *lines, *phrase;
		uint32_t typos;
		size_t want;
		uint32_t distance;
	} cases[] = {
		{ "a word", "Hier das Siegel der Stadt", "Siegel", 0, 1, 0 },
		{ "case does not matter", "SIEGEL", "siegel", 0, 1, 0 },
		{ "not inside a longer word", "Siegelring Dienstsiegel Siegels", "Siegel", 0, 0, 0 },
		{ "not inside a compound with a hyphen", "Siegel-Ring", "Siegel", 0, 0, 0 },
		{ "a colon behind it", "Siegel:", "Siegel", 0, 1, 0 },
		{ "brackets and dots round it", "(Siegel) ....Siegel____", "Siegel", 0, 2, 0 },
		{ "a slash separates", "Siegel/Stempel", "Stempel", 0, 1, 0 },
		{ "a phrase's colon does not matter", "Rechnung Nr. 12", "Rechnung Nr:", 0, 1, 0 },
		{ "sharp s written ss", "Strasse", "Straße", 0, 1, 0 },
		{ "an umlaut is not its base letter", "Behorde", "Behörde", 0, 0, 0 },
		{ "but one typo", "Behorde", "Behörde", 1, 1, 1 },
		{ "one wrong letter", "Freigahe", "Freigabe", 1, 1, 1 },
		{ "one letter lost", "Freigbe", "Freigabe", 1, 1, 1 },
		{ "one letter too many", "Freiigabe", "Freigabe", 1, 1, 1 },
		{ "two wrong letters are too many", "Freikaxe", "Freigabe", 1, 0, 0 },
		{ "two in eight letters may be asked for", "Freikaxe", "Freigabe", 2, 1, 2 },
		{ "two that are often confused count as one", "Freiqahe", "Freigabe", 1, 1, 1 },
		{ "three of them do not", "Fre1qahe", "Freigabe", 1, 0, 0 },
		{ "rn for m", "Rechnungsnurnrner", "Rechnungsnummer", 1, 1, 1 },
		{ "m for rn", "Dortmund Modeme", "Moderne", 1, 1, 1 },
		{ "B for sharp s", "HauptstraBe", "Hauptstraße", 1, 1, 1 },
		{ "one for i, and the dots of an umlaut lost", "S1egel der Behorde", "Siegel der Behörde", 1, 1, 1 },
		{ "but not when no typo is allowed", "B1att", "Blatt", 0, 0, 0 },
		{ "a longer word is no typo", "Siegels Siegeln Siegelm aSiegel", "Siegel", 1, 0, 0 },
		{ "nor is it in a phrase", "Approved for payments", "Approved for payment", 1, 0, 0 },
		{ "a stroke beside it is no letter", "Siegell 1Siegel", "Siegel", 1, 2, 1 },
		{ "short words must be exact", "Art Ost", "Ort", 1, 0, 0 },
		{ "typos count by word", "Siegxl der Bxhörde", "Siegel der Behörde", 1, 1, 2 },
		{ "a phrase of several words", "Siegel der Behörde:", "Siegel der Behörde", 0, 1, 0 },
		{ "words between break it", "Siegel einer der Behörde", "Siegel der Behörde", 0, 0, 0 },
		{ "across a line break", "Bitte hier das Siegel|der Behörde anbringen", "Siegel der Behörde", 0, 1, 0 },
		{ "not across blocks", "das Siegel||der Behörde", "Siegel der Behörde", 0, 0, 0 },
		{ "a wide gap breaks it", "Ort                              Datum", "Ort Datum", 0, 0, 0 },
		{ "hyphenated at the line's end", "die beigefügte Rech-|nung bezahlen", "Rechnung", 0, 1, 0 },
		{ "hyphenated with a soft hyphen", "die Rech\xC2\xAD|nung", "Rechnung", 0, 1, 0 },
		{ "hyphenated and misread", "die Rcch-|nung", "Rechnung", 1, 1, 1 },
		{ "the compound's own hyphen at the line's end", "Dienst-|Siegel", "Dienst-Siegel", 0, 1, 0 },
		{ "a hyphenated word inside a phrase", "Unter-|schrift des Antrag-|stellers", "Unterschrift des Antragstellers", 0, 1, 0 },
		{ "a dash in the middle of a line does not join", "Rech- nung", "Rechnung", 0, 0, 0 },
		{ "a blank too many is a typo", "Dienst siegel", "Dienstsiegel", 1, 1, 1 },
		{ "and none when none are allowed", "Dienst siegel", "Dienstsiegel", 0, 0, 0 },
		{ "a blank too few is a typo", "Siegelder Behörde", "Siegel der Behörde", 1, 1, 1 },
		{ "the better of overlapping ones", "a Dienstsiegel", "Dienstsiegel", 2, 1, 0 },
		{ "ligatures", "ﬁnale Oﬃzier", "finale Offizier", 0, 1, 0 },
		{ "digits", "Rechnung 2026-2471", "2026-2471", 0, 1, 0 },
		{ "an en dash is a hyphen", "2026–2471", "2026-2471", 0, 1, 0 },
		{ "three times", "Siegel Siegel Siegel", "Siegel", 0, 3, 0 },
	};
	struct sheet *s = malloc(sizeof(*s));

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct matches m = find(s, cases[i].lines, cases[i].phrase, cases[i].typos);

		CHECK(m.n == cases[i].want && (m.n == 0 || m.v[0].distance == cases[i].distance), "%s (%zu found)",
		    cases[i].name, m.n);
		matches_done(&m);
	}
	free(s);
}

static bool
is_box(const struct box *b, int x0, int y0, int x1, int y1)
{
	bool same = b->x0 == x0 * PT && b->y0 == y0 * PT && b->x1 == x1 * PT && b->y1 == y1 * PT;

	if (!same)
		printf("# %d %d %d %d\n", b->x0, b->y0, b->x1, b->y1);
	return same;
}

static void
test_boxes(void)
{
	struct sheet *s = malloc(sizeof(*s));
	struct matches m = find(s, "das Siegel: hier", "Siegel", 0);

	CHECK(m.n == 1 && is_box(&m.v[0].box, 84, 100, 126, 110), "a trailing colon belongs to the word's box");
	matches_done(&m);
	m = find(s, "das ( Siegel : hier", "Siegel", 0);
	CHECK(m.n == 1 && is_box(&m.v[0].box, 84, 100, 144, 110) && m.v[0].tokens == 1, "a bracket and a colon set apart, too");
	matches_done(&m);
	m = find(s, "- Siegel __ _", "Siegel", 0);
	CHECK(m.n == 1 && is_box(&m.v[0].box, 60, 100, 108, 110), "but no line, and nothing behind one");
	matches_done(&m);
	m = find(s, "Siegel/Stempel", "Stempel", 0);
	CHECK(m.n == 1 && is_box(&m.v[0].box, 102, 100, 144, 110), "a part of a word gets its share of the box");
	matches_done(&m);
	m = find(s, "Freigabe:__________", "Freigabe", 0);
	CHECK(m.n == 1 && is_box(&m.v[0].box, 60, 100, 108, 110), "a dotted line is not part of the word");
	matches_done(&m);
	m = find(s, "Siegel|der Stadt", "Siegel der Stadt", 0);
	CHECK(m.n == 1 && is_box(&m.v[0].box, 60, 100, 114, 124) && is_box(&m.v[0].head, 60, 100, 96, 110) &&
	    is_box(&m.v[0].tail, 60, 114, 114, 124), "a phrase on two lines has a head and a tail");
	matches_done(&m);
	free(s);
}

static void
test_pages(void)
{
	static const struct { struct conf_pages p; uint32_t n, from, to; } cases[] = {
		{ { PAGES_ALL, 0, 0 }, 3, 0, 3 }, { { PAGES_FIRST, 0, 0 }, 3, 0, 1 }, { { PAGES_LAST, 0, 0 }, 3, 2, 3 },
		{ { PAGES_RANGE, 2, 3 }, 5, 1, 3 }, { { PAGES_RANGE, 2, 9 }, 3, 1, 3 }, { { PAGES_RANGE, 4, 9 }, 3, 3, 3 },
		{ { PAGES_LAST, 0, 0 }, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t from, to;

		match_pages(&cases[i].p, cases[i].n, &from, &to);
		CHECK(from == cases[i].from && to == cases[i].to, "pages %u to %u of %u", from, to, cases[i].n);
	}
}

/* More pages than are kept in memory, read twice; and words as long and odd as a page file may hold. */
static void
test_limits(void)
{
	enum { PAGES = 40, WORDS = 20000 };
	struct word *w = calloc(WORDS, sizeof(*w));
	struct page_words pages[PAGES];
	struct doc_words doc = { .npages = PAGES, .pages = pages, .source_name = "x" };
	struct doc_tokens d;
	struct matches m = { 0 };
	struct err e = { 0 };
	char longest[256];

	memset(longest, '-', 255);
	longest[0] = longest[254] = 'a';
	longest[255] = '\0';
	for (size_t i = 0; i < WORDS; i++)
		w[i] = (struct word){ .box = { 0, 0, PT, PT }, .text = i % 100 == 0 ? longest : i == 77 ? "\xFF\xFE" : "Siegel" };
	for (size_t i = 0; i < PAGES; i++)
		pages[i] = (struct page_words){ .width = SHEET_W, .height = SHEET_H, .nwords = WORDS, .words = w };
	CHECK(tokens_init(&d, &doc, &e) == 0, "40 pages of 20,000 words");
	CHECK(match_find(&d, &all, "Siegel", 1, false, &m, &e) == 0 && m.n == MATCHES_MAX && m.cut, "more matches than are kept is said");
	CHECK(match_find(&d, &all, "Siegel", 0, true, &m, &e) == 0, "a second search");
	CHECK(d.kept <= 16 * 1024 * 1024, "at most 16 MiB of tokens are kept (%zu)", d.kept);
	matches_done(&m);
	tokens_done(&d);
	free(w);
}

static void
test_phrases(void)
{
	char many[200] = "";

	for (int i = 0; i < 17; i++)
		strcat(many, "a ");
	CHECK(phrase_check("Siegel der Behörde:") == NULL, "a phrase");
	CHECK(phrase_check("...") != NULL && phrase_check("") != NULL, "nothing to look for is refused");
	CHECK(phrase_check(many) != NULL, "seventeen words are refused");
}

int
main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	test_matches();
	test_boxes();
	test_pages();
	test_limits();
	test_phrases();
	return TEST_DONE();
}
