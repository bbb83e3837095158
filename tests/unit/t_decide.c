/*
 * Words in, decision out: which rule, which values, which box, which name,
 * and every reason to hold.  Boxes are worked out by hand from pages.h.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/codes.h"
#include "rules/place.h"
#include "tests/unit/pages.h"
#include "tests/unit/test.h"

#define RECEIVED 1795340070000000 /* 2026-11-22T09:34:30Z */

/* %s: the rules; folder in uses them in the order of the second %s. */
static const char settings[] =
    "folders : { in : { path = \"/in\"; rules = [ %s ]; seals = [ \"s\" ]; }; };\n"
    "rules : { %s };\n"
    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n";

static struct conf *
conf_with(const char *order, const char *rules)
{
	char text[8000];
	struct conf *c = NULL;
	struct err e = { 0 };

	snprintf(text, sizeof(text), settings, order, rules);
	if (conf_parse(&c, text, &e) < 0) {
		printf("# %s\n", e.text);
		abort();
	}
	return c;
}

/* A document: pages of lines, each line 14 pt below the one before, from x 60, y 100. */
struct paper {
	struct sheet sheets[4];
	struct page_words pages[4];
	struct doc_words doc;
};

static void
paper_page(struct paper *p, const char *lines)
{
	struct sheet *s = &p->sheets[p->doc.npages];
	int y = 100;

	memset(s, 0, sizeof(*s));
	while (*lines != '\0') {
		char line[300];
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
	p->pages[p->doc.npages] = sheet_page(s);
	p->doc.npages++;
	p->doc.pages = p->pages;
	p->doc.source_name = "Scan 17.tif";
	p->doc.received_us = RECEIVED;
}

/* A code on the last page, in pt. */
static void
paper_code(struct paper *p, uint32_t kind, int x0, int y0, int x1, int y1, const char *text)
{
	struct sheet *s = &p->sheets[p->doc.npages - 1];
	struct page_words *pw = &p->pages[p->doc.npages - 1];

	s->words[pw->nwords + pw->ncodes++] = (struct word){ .box = { x0 * PT, y0 * PT, x1 * PT, y1 * PT }, .base = y1 * PT,
		.conf = 100, .code = (uint8_t)kind, .text = text };
}

/* The words of a page when they are asked for. */
static const struct paper *looked_at;

static int
ask(void *ctx, uint32_t page, struct word **ret, struct err *e)
{
	const struct page_words *p = &looked_at->pages[page];

	(void)ctx;
	(void)e;
	*ret = calloc(p->nwords + p->ncodes, sizeof(**ret));
	memcpy(*ret, p->words, (p->nwords + p->ncodes) * sizeof(**ret));
	return 0;
}

/* Twice: with the words in place, and with words that are asked for. */
static struct compose_result
decide(const struct conf *c, const struct paper *p, const struct compose_params *force, json_t *trace)
{
	struct compose_result r = { .pages = 99, .len = 77 }, again = r;
	struct page_words bare[4];
	struct doc_words doc = p->doc;
	json_t *same = trace == NULL ? NULL : json_array();
	struct err e = { 0 };

	memcpy(bare, p->pages, sizeof(bare));
	for (size_t i = 0; i < 4; i++)
		bare[i].words = NULL;
	looked_at = p;
	doc.pages = bare;
	doc.words = ask;
	if (rules_decide(c, conf_folder(c, "in"), &p->doc, force, &r, trace, &e) < 0 ||
	    rules_decide(c, conf_folder(c, "in"), &doc, force, &again, same, &e) < 0) {
		printf("# %s\n", e.text);
		abort();
	}
	if (memcmp(&r, &again, sizeof(r)) != 0 || !(trace == NULL || json_equal(trace, same)))
		CHECK(0, "words that are asked for lead to the same decision");
	json_decref(same);
	return r;
}

static int
no_words(void *ctx, uint32_t page, struct word **ret, struct err *e)
{
	(void)ctx;
	(void)page;
	(void)ret;
	return err_set(e, ERR_IO, "the page is gone");
}

static bool
is_box(const struct box *b, int32_t x0, int32_t y0, int32_t x1, int32_t y1)
{
	bool same = b->x0 == x0 && b->y0 == y0 && b->x1 == x1 && b->y1 == y1;

	if (!same)
		printf("# %d %d %d %d\n", b->x0, b->y0, b->x1, b->y1);
	return same;
}

#define INVOICE \
	"invoice : { when = { any = [ \"Rechnung\", \"Invoice\" ]; typos = 1; pages = \"1\"; };" \
	" find = { number = { after = [ \"Rechnungsnummer\", \"Rechnung Nr.\" ]; take = \"[A-Z0-9-]+\"; }; };" \
	" place = { near = \"Freigabe\"; typos = 1; nth = \"last\"; pages = \"last\"; side = \"right\";" \
	" shift = [ \"10pt\", \"5pt\" ]; size = [ \"100pt\", \"40pt\" ]; };" \
	" seal = \"s\"; name = \"{received:%Y-%m-%d}_{find.number}.pdf\"; };"
#define ASK "ask : { when = \"always\"; hold = { de = \"Keine Regel passt.\"; en = \"No rule applies.\"; }; };"

static void
test_invoice(void)
{
	struct conf *c = conf_with("\"invoice\", \"ask\"", INVOICE ASK);
	struct paper *p = calloc(1, sizeof(*p));
	struct compose_result r;

	paper_page(p, "Stadtwerke|Rechnung Nr. 2026–2471|zur Freigabe vorgelegt");
	paper_page(p, "Seite 2||Freigahe: ________");
	r = decide(c, p, NULL, NULL);
	CHECK(r.hold == 0 && strcmp(r.rule, "invoice") == 0 && strcmp(r.seal, "s") == 0 &&
	    memcmp(r.rule_hash, conf_rule(c, "invoice")->hash, HASH_LEN) == 0, "the invoice's rule decides (%s)", r.hold_text);
	CHECK(r.nvalues == 1 && strcmp(r.values[0].key, "number") == 0 && strcmp(r.values[0].value, "2026-2471") == 0,
	    "its number is found, the dash made plain (%s)", r.values[0].value);
	/* "Freigahe:" is 9 characters from x 60, y 114 to 124; 40 pt high round y 119, moved by 10 and 5 */
	CHECK(r.place == PLACE_BOX && r.place_page == 1 && is_box(&r.place_box, 124000, 104000, 224000, 144000),
	    "the seal goes beside the word on the last page, though it is misread");
	CHECK(strcmp(r.name, "2026-11-22_2026-2471.pdf") == 0, "the result's name (%s)", r.name);
	CHECK(r.pages == 99 && r.len == 77, "pages and length are left alone");
	free(p);
	p = calloc(1, sizeof(*p));
	paper_page(p, "Sehr geehrte Damen und Herren");
	r = decide(c, p, NULL, NULL);
	CHECK(r.hold == ERR_RULE_HOLD && strcmp(r.rule, "ask") == 0 && strcmp(r.hold_text, "No rule applies.") == 0 &&
	    r.place == PLACE_NONE, "the next rule holds what is no invoice");
	conf_free(c);
	c = conf_with("\"invoice\"", INVOICE);
	r = decide(c, p, NULL, NULL);
	CHECK(r.hold == ERR_RULE_NONE && r.rule[0] == '\0', "no rule at all is a hold: %s", r.hold_text);
	conf_free(c);
	free(p);
}

static void
test_when(void)
{
	static const struct { const char *name, *when, *page; bool holds; } cases[] = {
		{ "any: one of two", "{ any = [ \"Brief\", \"Rechnung\" ]; }", "eine Rechnung", true },
		{ "any: none", "{ any = [ \"Brief\", \"Rechnung\" ]; }", "ein Bescheid", false },
		{ "all: both", "{ all = [ \"Brief\", \"Rechnung\" ]; }", "Rechnung zum Brief", true },
		{ "all: one lacks", "{ all = [ \"Brief\", \"Rechnung\" ]; }", "eine Rechnung", false },
		{ "any and all", "{ any = [ \"Brief\" ]; all = [ \"Rechnung\" ]; }", "Rechnung", false },
		{ "not inside a word", "{ any = [ \"Rechnung\" ]; }", "Rechnungsprüfung", false },
		{ "hyphenated", "{ any = [ \"Rechnung\" ]; }", "die Rech-|nung", true },
		{ "on the wrong page", "{ any = [ \"Rechnung\" ]; pages = \"2\"; }", "Rechnung", false },
		{ "none: it is there", "{ none = [ \"Mahnung\" ]; }", "letzte Mahnung", false },
		{ "none: it is not", "{ none = [ \"Mahnung\", \"Storno\" ]; }", "Rechnung", true },
		{ "none beside any", "{ any = [ \"Rechnung\" ]; none = [ \"Storno\" ]; }", "Storno zur Rechnung", false },
		{ "an expression in a line", "{ match = \"Kunde [0-9]{5}\"; }", "Brief|Kunde 12345 Nord", true },
		{ "it does not read on in the next line", "{ match = \"Kunde [0-9]{5}\"; }", "Kunde|12345", false },
		{ "nor match a part of a number", "{ match = \"Kunde [0-9]{5}\"; }", "Kunde 123456", false },
		{ "the document's name", "{ file = [ \"*.pdf\", \"scan*.TIF\" ]; }", "x", true },
		{ "another name", "{ file = [ \"*.pdf\", \"scan ?.tif\" ]; }", "x", false },
		{ "this folder", "{ folder = [ \"in\" ]; }", "x", true },
		{ "one page", "{ count = 1; }", "x", true },
		{ "two to five", "{ count = \"2-5\"; }", "x", false },
		{ "one and more", "{ count = \"1-\"; }", "x", true },
		{ "a field of the ticket", "{ ticket = [ \"office=3\" ]; }", "x", true },
		{ "two of them", "{ ticket = [ \"office=3\", \"urgent=yes\" ]; }", "x", false },
		{ "all conditions at once", "{ any = [ \"x\" ]; match = \"x\"; count = \"1\"; file = [ \"*\" ]; ticket = [ \"office=3\" ]; }", "x", true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rule[500];
		struct conf *c;
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;
		struct compose_params ticket = { .nfields = 1, .fields = { { .key = "office", .value = "3" } } };

		snprintf(rule, sizeof(rule), "r : { when = %s; place = \"invisible\"; seal = \"s\"; };", cases[i].when);
		c = conf_with("\"r\"", rule);
		paper_page(p, cases[i].page);
		r = decide(c, p, &ticket, NULL);
		CHECK((r.hold == 0) == cases[i].holds && (r.hold == 0 || r.hold == ERR_RULE_NONE), "when: %s", cases[i].name);
		conf_free(c);
		free(p);
	}
}

static void
test_find(void)
{
	static const struct { const char *name, *after, *take, *page, *want; } cases[] = {
		{ "behind a colon", "\"Nr.\"", "[0-9]+", "Nr.: 4711", "4711" },
		{ "in the same word", "\"Nr.\"", "[0-9]+", "Nr.4711", "4711" },
		{ "the first match of the text", "\"Nr.\"", "[0-9]+", "Nr. ab 17 und 18", "17" },
		{ "a later phrase when the first is not there", "\"Nummer\", \"Nr.\"", "[0-9]+", "Nr. 5", "5" },
		{ "a later occurrence when the first has no value", "\"Nr.\"", "[0-9]+", "Nr. siehe unten|Nr. 6", "6" },
		{ "on the next line when nothing follows", "\"Rechnungsnummer:\"", "[0-9]+", "Rechnungsnummer:|4712", "4712" },
		{ "below, in another block", "\"Rechnungsnummer\"", "[0-9]+", "Rechnungsnummer||4713", "4713" },
		{ "not below when something else follows", "\"Nr.\"", "[0-9]+", "Nr. unbekannt||4713", NULL },
		{ "not far below", "\"Nummer\"", "[0-9]+", "Nummer|||| || || || ||4713", NULL },
		{ "a date", "\"vom\"", "[0-9]{2}\\\\.[0-9]{2}\\\\.[0-9]{4}", "Bescheid vom 17.03.2026.", "17.03.2026" },
		{ "a group", "\"Zeichen\"", "AZ ([0-9/]+)", "Zeichen: AZ 12/26 b", "12/26" },
		{ "the phrase hyphenated", "\"Rechnungsnummer\"", "[0-9]+", "Rechnungs-|nummer 99", "99" },
		{ "the phrase not there", "\"Nr.\"", "[0-9]+", "Nummer 5", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rule[500];
		struct conf *c;
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;

		snprintf(rule, sizeof(rule),
		    "r : { when = \"always\"; find = { n = { after = [ %s ]; take = \"%s\"; }; }; place = \"invisible\"; seal = \"s\"; };",
		    cases[i].after, cases[i].take);
		c = conf_with("\"r\"", rule);
		paper_page(p, cases[i].page);
		r = decide(c, p, NULL, NULL);
		if (cases[i].want == NULL)
			CHECK(r.hold == ERR_FIND_NONE && strcmp(r.hold_word, "n") == 0, "find: %s: held, %s", cases[i].name, r.hold_text);
		else
			CHECK(r.hold == 0 && r.nvalues == 1 && strcmp(r.values[0].value, cases[i].want) == 0, "find: %s (%s)",
			    cases[i].name, r.values[0].value);
		conf_free(c);
		free(p);
	}
}

static void
test_two_columns(void)
{
	struct conf *c = conf_with("\"r\"", "r : { when = \"always\"; find = { n = { after = [ \"Kundennummer\" ]; take = \"[0-9]+\"; };"
	    " m = { after = [ \"Datum\" ]; take = \"[0-9.]+\"; required = false; }; }; place = \"invisible\"; seal = \"s\"; name = \"{find.m}.pdf\"; };");
	struct paper *p = calloc(1, sizeof(*p));
	struct compose_result r;

	p->doc = (struct doc_words){ .npages = 1, .pages = p->pages, .source_name = "x", .received_us = RECEIVED };
	sheet_line(&p->sheets[0], 60, 100, "Kundennummer");
	sheet_line(&p->sheets[0], 60, 120, "Datum");
	sheet_block(&p->sheets[0]);
	sheet_line(&p->sheets[0], 200, 101, "74211");
	p->pages[0] = sheet_page(&p->sheets[0]);
	r = decide(c, p, NULL, NULL);
	CHECK(r.hold == 0 && r.nvalues == 2 && strcmp(r.values[0].value, "74211") == 0, "a value in the next column at the same height");
	CHECK(strcmp(r.values[1].key, "m") == 0 && r.values[1].value[0] == '\0' && r.name[0] == '\0',
	    "one that is not required is empty, and the name that needs it is not used");
	conf_free(c);
	free(p);
}

#define NEAR(more) "r : { when = \"always\"; place = { near = \"Siegel\"; side = \"below\"; size = [ \"100pt\", \"100pt\" ]; " more " }; seal = \"s\"; };"

static void
test_doubt(void)
{
	static const struct {
		const char *name, *rule, *page;
		enum err_code hold;
		enum place_mode place;
		int32_t x, y; /* of the box, pt */
		uint32_t candidates;
	} cases[] = {
		{ "only one", NEAR(""), "hier Siegel", ERR_OK, PLACE_BOX, 90, 110, 1 },
		{ "none: held", NEAR(""), "hier nichts", ERR_ANCHOR_NONE, PLACE_NONE, 0, 0, 0 },
		{ "two: held with both framed", NEAR(""), "Siegel und Siegel", ERR_ANCHOR_MANY, PLACE_NONE, 0, 0, 2 },
		{ "two: in the corner if the rule says so", NEAR("otherwise = \"corner:top-left\"; margin = [ \"20pt\", \"30pt\" ];"), "Siegel und Siegel", ERR_OK, PLACE_BOX, 20, 30, 2 },
		{ "none: invisible if the rule says so", NEAR("otherwise = \"invisible\";"), "nichts", ERR_OK, PLACE_INVISIBLE, 0, 0, 0 },
		{ "off the page: held", NEAR("shift = [ \"500pt\", \"0\" ];"), "Siegel", ERR_ANCHOR_PLACE, PLACE_NONE, 0, 0, 1 },
		{ "off the page: in the corner", NEAR("shift = [ \"500pt\", \"0\" ]; otherwise = \"corner:top-left\"; margin = [ \"1pt\", \"2pt\" ];"), "Siegel", ERR_OK, PLACE_BOX, 1, 2, 1 },
		{ "first of two", NEAR("nth = \"first\";"), "Siegel|Siegel", ERR_OK, PLACE_BOX, 60, 110, 2 },
		{ "last of two", NEAR("nth = \"last\";"), "Siegel|Siegel", ERR_OK, PLACE_BOX, 60, 124, 2 },
		{ "the second", NEAR("nth = 2;"), "Siegel|Siegel|Siegel", ERR_OK, PLACE_BOX, 60, 124, 3 },
		{ "the third of two", NEAR("nth = \"3\";"), "Siegel|Siegel", ERR_ANCHOR_NONE, PLACE_NONE, 0, 0, 2 },
		{ "a page that is not there", NEAR("pages = \"2\";"), "Siegel", ERR_ANCHOR_NONE, PLACE_NONE, 0, 0, 0 },
		{ "fixed", "r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"50pt\", \"50pt\" ]; margin = [ \"7pt\", \"8pt\" ]; }; seal = \"s\"; };", "x", ERR_OK, PLACE_BOX, 7, 8, 0 },
		{ "fixed on a page that is not there", "r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"50pt\", \"50pt\" ]; pages = \"3\"; }; seal = \"s\"; };", "x", ERR_ANCHOR_PLACE, PLACE_NONE, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *c = conf_with("\"r\"", cases[i].rule);
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;

		paper_page(p, cases[i].page);
		r = decide(c, p, NULL, NULL);
		CHECK(r.hold == (uint32_t)cases[i].hold && r.place == (uint32_t)cases[i].place && r.ncandidates == cases[i].candidates &&
		    (r.place != PLACE_BOX || (r.place_box.x0 == cases[i].x * PT && r.place_box.y0 == cases[i].y * PT)),
		    "place: %s%s%s", cases[i].name, r.hold ? ": " : "", r.hold_text);
		conf_free(c);
		free(p);
	}
}

/* Ink from y 101 pt on, its squares from 100.8 on, the page's last 10 pt free; ctx: the first page asked for, or -1. */
static int
dark_below(void *ctx, uint32_t page, struct ink *ret, struct err *e)
{
	int r = ink_init(ret, SHEET_W, SHEET_H, e);

	*(int *)ctx = (int)page;
	if (r == 0)
		ink_mark(ret, &(struct box){ 0, 101 * PT, SHEET_W, SHEET_H - 10 * PT });
	return r;
}

static int
no_memory(void *ctx, uint32_t page, struct ink *ret, struct err *e)
{
	(void)ctx;
	(void)page;
	(void)ret;
	return err_set(e, ERR_MEM, "ink");
}

/* The word stands at y 100; a seal above it ends there, one to the right is level with it: 95 to 115. */
static void
test_ink(void)
{
#define AT(side, more) "r : { when = \"always\"; place = { near = \"Siegel\"; side = \"" side "\"; size = [ \"100pt\", \"20pt\" ]; " more " }; seal = \"s\"; };"
	static const struct {
		const char *name, *rule;
		enum err_code hold;
		enum place_mode place;
		double y; /* of the box, pt */
		bool asked;
	} cases[] = {
		{ "free: where the rule says", AT("above", ""), ERR_OK, PLACE_BOX, 80, true },
		{ "ink: up to where it ends", AT("right", ""), ERR_OK, PLACE_BOX, 80.6, true },
		{ "ink: no free place in reach", AT("right", "reach = \"4mm\";"), ERR_PLACE_INK, PLACE_NONE, 0, true },
		{ "ink, and it does not matter", AT("right", "ink = \"ignore\";"), ERR_OK, PLACE_BOX, 95, false },
		{ "over the word", AT("over", "ink = \"ignore\";"), ERR_OK, PLACE_BOX, 95, false },
		{ "not in reach: where the page is free", AT("below", "shift = [ \"0\", \"50mm\" ]; otherwise = \"free-space\";"), ERR_OK, PLACE_BOX, 80.372, true },
		{ "no such word: where the page is free", "r : { when = \"always\"; place = { near = \"nothing\"; size = [ \"100pt\", \"20pt\" ]; otherwise = \"free-space\"; }; seal = \"s\"; };", ERR_OK, PLACE_BOX, 80.744, true },
		{ "not in reach: invisible", AT("below", "reach = \"4mm\"; otherwise = \"invisible\";"), ERR_OK, PLACE_INVISIBLE, 0, true },
		{ "not in reach: the corner, which is dark too", AT("below", "reach = \"4mm\"; otherwise = \"corner\";"), ERR_PLACE_INK, PLACE_NONE, 0, true },
		{ "not in reach: the corner, which is free", AT("below", "reach = \"4mm\"; otherwise = \"corner:top-left\"; margin = [ \"9pt\", \"9pt\" ];"), ERR_OK, PLACE_BOX, 9, true },
		{ "a dark corner", "r : { when = \"always\"; place = { at = \"bottom-left\"; size = [ \"50pt\", \"50pt\" ]; margin = [ \"9pt\", \"9pt\" ]; }; seal = \"s\"; };", ERR_PLACE_INK, PLACE_NONE, 0, true },
	};
#undef AT

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf *c = conf_with("\"r\"", cases[i].rule);
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;
		int asked = -1;

		paper_page(p, "hier Siegel");
		p->doc.ink = dark_below;
		p->doc.ctx = &asked;
		r = decide(c, p, NULL, NULL);
		CHECK(r.hold == (uint32_t)cases[i].hold && r.place == (uint32_t)cases[i].place && (asked == 0) == cases[i].asked &&
		    (r.place != PLACE_BOX || (r.place_box.y0 > (cases[i].y - 0.001) * PT && r.place_box.y0 < (cases[i].y + 0.001) * PT)),
		    "ink: %s%s%s (%d)", cases[i].name, r.hold ? ": " : "", r.hold_text, r.place_box.y0);
		conf_free(c);
		free(p);
	}
}

/* What can not be known for want of memory is a failure, not a place. */
static void
test_ink_fails(void)
{
	struct conf *c = conf_with("\"r\"", NEAR(""));
	struct paper *p = calloc(1, sizeof(*p));
	struct compose_result r = { 0 };
	struct err e = { 0 };

	paper_page(p, "hier Siegel");
	p->doc.ink = no_memory;
	CHECK(rules_decide(c, conf_folder(c, "in"), &p->doc, NULL, &r, NULL, &e) == -ERR_MEM, "without memory there is no decision");
	p->pages[0].words = NULL;
	p->doc.words = no_words;
	CHECK(rules_decide(c, conf_folder(c, "in"), &p->doc, NULL, &r, NULL, &e) == -ERR_IO, "nor without the words");
	conf_free(c);
	free(p);
}

/* Who has signed it before: only what the core says of valid signatures counts. */
static void
test_signed_by(void)
{
	static const struct { const char *name, *pattern, *signers[2]; bool holds; } cases[] = {
		{ "the name of a signer", "O=Stadtwerke Beispiel", { "CN=Meier,O=Stadtwerke Beispiel,C=DE", NULL }, true },
		{ "the second of two", "CN=Meier", { "CN=Schulz,C=DE", "CN=Meier,C=DE" }, true },
		{ "one of several", "CN=(Meier|Schulz)", { "CN=Schulz,C=DE", NULL }, true },
		{ "another", "CN=Meier", { "CN=Schulz,C=DE", NULL }, false },
		{ "a name in a longer word", "CN=Meier", { "CN=Meiers,C=DE", NULL }, false },
		{ "nobody", "CN=Meier", { NULL, NULL }, false },
		{ "anybody", ".+", { "CN=Schulz", NULL }, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rules[600];
		static struct compose_params force;
		struct paper p = { .doc = { 0 } };
		json_t *trace = json_array();
		struct compose_result r;
		struct conf *c;

		snprintf(rules, sizeof(rules), "r : { when = { signed_by = \"%s\"; }; place = \"invisible\"; seal = \"s\"; };", cases[i].pattern);
		c = conf_with("\"r\"", rules);
		paper_page(&p, "Rechnung CN=Meier");
		memset(&force, 0, sizeof(force));
		for (; force.nsigners < 2 && cases[i].signers[force.nsigners] != NULL; force.nsigners++)
			strcpy(force.signers[force.nsigners], cases[i].signers[force.nsigners]);
		r = decide(c, &p, &force, trace);
		CHECK((r.hold == 0) == cases[i].holds && (cases[i].holds || r.hold == ERR_RULE_NONE), "signed_by: %s", cases[i].name);
		CHECK(strcmp(json_string_value(json_object_get(json_array_get(json_object_get(json_array_get(trace, 0), "when"), 0), "list")),
		          "signed_by") == 0, "and the explanation says so");
		json_decref(trace);
		conf_free(c);
	}
}

/* Where a signature allows nothing new on the pages. */
static void
test_unseen(void)
{
	static const char rules[] = "r : { when = \"always\"; place = { at = \"top-left\"; size = [ \"10mm\", \"10mm\" ]; }; seal = \"s\"; };"
	                            "u : { when = \"always\"; place = \"invisible\"; seal = \"s\"; };";
	static struct compose_params force;
	struct paper p = { .doc = { 0 } };
	struct compose_result r;
	struct conf *c = conf_with("\"r\", \"u\"", rules);

	paper_page(&p, "Rechnung");
	force.allowed = SEAL_SEEN;
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && r.place == PLACE_BOX, "where it is allowed a seal is seen");
	force.allowed = SEAL_UNSEEN;
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && r.place == PLACE_INVISIBLE, "where not it is invisible");
	force.force_at = 1;
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && r.place == PLACE_INVISIBLE, "also when a person shows a place");
	c->scan.signed_place = SIGNED_HOLD;
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == ERR_DOC_LOCKED, "or held, by setting");
	force.force_at = 0;
	strcpy(force.force_rule, "u");
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && r.place == PLACE_INVISIBLE, "but not where the rule wants an invisible one");
	memset(&force, 0, sizeof(force));
	conf_free(c);
	c = conf_with("\"m\"", "m : { when = \"always\"; place = { at = \"top-left\"; size = [ \"10mm\", \"10mm\" ]; marks = \"all\"; }; "
	                       "seal = \"s\"; };");
	paper_page(&p, "Anlage");
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && page_set_count(&r.marks.pages) == 1, "the other page has a mark");
	force.sigs = 1;
	force.allowed = SEAL_SEEN;
	r = decide(c, &p, &force, NULL);
	CHECK(r.hold == 0 && r.place == PLACE_BOX && page_set_count(&r.marks.pages) == 0, "not where the document came signed");
	memset(&force, 0, sizeof(force));
	conf_free(c);
}

static void
test_force(void)
{
	struct conf *c = conf_with("\"invoice\", \"ask\"", INVOICE ASK);
	struct paper *p = calloc(1, sizeof(*p));
	struct compose_params f = { .id = "0123456789abcdefghjkmnpqrs", .force_rule = "invoice", .force_at = 1, .force_page = 0,
		.force_x = 50000, .force_y = 60000 };
	struct compose_result r;

	paper_page(p, "ein Brief");
	r = decide(c, p, &f, NULL);
	CHECK(r.hold == 0 && strcmp(r.rule, "invoice") == 0 && r.place == PLACE_BOX &&
	    is_box(&r.place_box, 50000, 60000, 150000, 100000), "a person's rule and place are taken (%s)", r.hold_text);
	CHECK(r.name[0] == '\0' && r.nvalues == 1 && r.values[0].value[0] == '\0', "a value that is missing does not hold it again");
	f.force_x = 600000;
	r = decide(c, p, &f, NULL);
	CHECK(r.hold == ERR_ANCHOR_PLACE, "a place off the page is held: %s", r.hold_text);
	f.force_rule[0] = '\0';
	r = decide(c, p, &f, NULL);
	CHECK(r.hold == ERR_RULE_HOLD, "a place alone does not overrule a rule that holds: %s", r.hold_text);
	f = (struct compose_params){ .force_rule = "other" };
	r = decide(c, p, &f, NULL);
	CHECK(r.hold == ERR_RULE_NONE, "a rule the folder does not have is held: %s", r.hold_text);
	conf_free(c);
	free(p);
}

static const char *
at(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
test_trace(void)
{
	struct conf *c = conf_with("\"deed\", \"invoice\", \"ask\"", INVOICE ASK
	    "deed : { when = { all = [ \"Eheurkunde\", \"Rechnung\" ]; }; place = \"invisible\"; seal = \"s\"; };");
	struct paper *p = calloc(1, sizeof(*p));
	json_t *trace = json_array(), *o, *list;
	double left;

	paper_page(p, "Rechnung Nr. 12|Freigabe: ____________");
	decide(c, p, NULL, trace);
	CHECK(json_array_size(trace) == 3, "an entry for each rule");
	o = json_array_get(trace, 0);
	CHECK(strcmp(at(o, "rule"), "deed") == 0 && json_is_false(json_object_get(o, "matched")) &&
	    strstr(at(o, "why"), "not every word") != NULL, "the first rule and why not: %s", at(o, "why"));
	list = json_object_get(o, "when");
	CHECK(json_array_size(list) == 2 && json_is_null(json_object_get(json_array_get(list, 0), "found")) &&
	    strcmp(at(json_object_get(json_array_get(list, 1), "found"), "text"), "Rechnung") == 0, "each phrase, and what was found");
	o = json_array_get(trace, 1);
	CHECK(json_is_true(json_object_get(o, "matched")) && strcmp(at(o, "seal"), "s") == 0 &&
	    strcmp(at(o, "name"), "2026-11-22_12.pdf") == 0, "the rule that decided, its seal and name");
	list = json_object_get(o, "finds");
	CHECK(strcmp(at(json_array_get(list, 0), "value"), "12") == 0 && strcmp(at(json_array_get(list, 0), "after"), "Rechnung Nr.") == 0,
	    "its values and where from");
	list = json_object_get(o, "anchors");
	CHECK(json_array_size(list) == 1 && json_is_true(json_object_get(json_array_get(list, 0), "chosen")), "its anchor");
	list = json_object_get(o, "place");
	left = json_real_value(json_array_get(json_object_get(list, "box"), 0));
	/* 60 + 9 * 6 + 10 = 124 pt = 43.74 mm */
	CHECK(strcmp(at(list, "mode"), "box") == 0 && left > 43.73 && left < 43.75, "its box in mm (%f)", left);
	CHECK(strcmp(at(list, "covers"), "Nr. 12 ____________") == 0, "what the box covers");
	o = json_array_get(trace, 2);
	CHECK(strstr(at(o, "why"), "not asked") != NULL, "the rule behind it was not asked");
	json_decref(trace);
	conf_free(c);
	free(p);
}

/* 100 rules on a page of 600 words stay far below what recognition costs; and hostile text ends in time. */
static void
test_time(void)
{
	static char rules[64000], order[4000], text[8000];
	struct conf *c = NULL;
	struct paper *p = calloc(1, sizeof(*p));
	struct word *w = calloc(20000, sizeof(*w));
	struct page_words page = { .width = SHEET_W, .height = SHEET_H, .nwords = 20000, .words = w };
	struct doc_words doc = { .npages = 1, .pages = &page, .source_name = "x", .received_us = RECEIVED };
	struct compose_result r;
	struct err e = { 0 };
	char lines[8000] = "", longest[256];
	clock_t start;
	size_t n = 0, m = 0;
	double ms;

	for (int i = 0; i < 100; i++) {
		n += (size_t)snprintf(rules + n, sizeof(rules) - n,
		    "r%d : { when = { any = [ \"Unbekannt%d\", \"Rechnung der Firma %d\" ]; typos = 1; }; place = \"invisible\"; seal = \"s\"; };\n", i, i, i);
		m += (size_t)snprintf(order + m, sizeof(order) - m, "%s\"r%d\"", i ? ", " : "", i);
	}
	snprintf(text, sizeof(text), "%.3000s", order);
	{
		static char all[80000];

		snprintf(all, sizeof(all), settings, text, rules);
		if (conf_parse(&c, all, &e) < 0)
			abort();
	}
	for (int i = 0; i < 60; i++)
		strcat(lines, "Die Rechnungen sind nach der Ordnung zu begleichen und einzureichen|");
	paper_page(p, lines);
	start = clock();
	for (int i = 0; i < 10; i++)
		r = decide(c, p, NULL, NULL);
	ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC / 10;
	CHECK(r.hold == ERR_RULE_NONE && ms < 50, "100 rules on a page of 600 words take %.2f ms", ms);
	conf_free(c);

	c = conf_with("\"r\"", "r : { when = \"always\"; find = { n = { after = [ \"aaaa\" ]; take = \"(a|aa|aaa)+ (a+)+ b\"; }; };"
	    " place = \"invisible\"; seal = \"s\"; };");
	memset(longest, 'a', 255);
	longest[255] = '\0';
	for (size_t i = 0; i < 20000; i++)
		w[i] = (struct word){ .box = { 0, 0, PT, PT }, .line = (uint16_t)(i / 40), .text = i % 40 == 0 ? "aaaa" : longest };
	start = clock();
	CHECK(rules_decide(c, conf_folder(c, "in"), &doc, NULL, &r, NULL, &e) == 0 && r.hold == ERR_FIND_NONE, "a hostile page is held");
	ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
	CHECK(ms < 5000, "after %.0f ms", ms);
	conf_free(c);
	free(p);
	free(w);
}

#define SHOWN "place = { at = \"top-left\"; size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\";"

static void
test_code_conditions(void)
{
	static const struct { const char *name, *when; bool holds; } cases[] = {
		{ "a text that fits", "barcode = \"^RE-[0-9]+$\";", true },
		{ "a part of a text", "barcode = \"E-47\";", true },
		{ "another text", "barcode = \"^RE-4712$\";", false },
		{ "text of the page, not of a code", "barcode = \"Lieferschein\";", false },
		{ "a kind", "barcode_kind = [ \"qr\", \"code39\" ];", true },
		{ "another kind", "barcode_kind = [ \"ean13\" ];", false },
		{ "text and kind of two codes", "barcode = \"^RE\"; barcode_kind = [ \"patch\" ];", false },
		{ "a patch code", "barcode = \"^T$\"; barcode_kind = [ \"patch\" ];", true },
		{ "on another page", "barcode = \"^RE\"; pages = \"2\";", false },
		{ "a line break counts as a blank", "barcode = \"^BCD 002\";", true },
		{ "with words that are not there", "barcode = \"^RE\"; any = [ \"Rechnung\" ];", false },
	};
	struct paper *p = calloc(1, sizeof(*p));

	paper_page(p, "Lieferschein Nr. 17");
	paper_code(p, CODE_QR, 300, 60, 360, 120, "RE-4711");
	paper_code(p, CODE_QR, 400, 60, 460, 120, "BCD\n002");
	paper_page(p, "Anlage");
	paper_code(p, CODE_PATCH, 60, 30, 200, 90, "T");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rule[500];
		struct compose_result r;
		json_t *trace = json_array();
		struct conf *c;

		snprintf(rule, sizeof(rule), "r : { when = { %s }; " SHOWN " };", cases[i].when);
		c = conf_with("\"r\"", rule);
		r = decide(c, p, NULL, trace);
		CHECK(r.hold == (cases[i].holds ? 0 : ERR_RULE_NONE), "when: %s: %s", cases[i].name, cases[i].holds ? "applies" : "does not");
		CHECK(codes_wanted(conf_folder(c, "in")), "such a rule wants codes looked for");
		json_decref(trace);
		conf_free(c);
	}
	free(p);
}

static void
test_code_values(void)
{
	static const struct { const char *name, *find, *codes[3], *want; uint32_t hold; } cases[] = {
		{ "a group", "barcode = \"^RE:([A-Z0-9-]+)$\";", { "RE:A-17" }, "A-17", 0 },
		{ "all that fits", "barcode = \"[0-9]{4}\";", { "ID 4711 x" }, "4711", 0 },
		{ "an amount", "barcode = \"EUR([0-9.]+)\"; type = \"amount\";", { "BCD\nEUR12.50\n" }, "12.50", 0 },
		{ "twice the same", "barcode = \"^RE:(.*)$\";", { "RE:1", "other", "RE:1" }, "1", 0 },
		{ "two values", "barcode = \"^RE:(.*)$\";", { "RE:1", "RE:2" }, NULL, ERR_FIND_MANY },
		{ "no such code", "barcode = \"^RE:(.*)$\";", { "XX:1" }, NULL, ERR_FIND_NONE },
		{ "no date", "barcode = \"^D(.*)$\"; type = \"date\";", { "Dsoon" }, NULL, ERR_FIND_NONE },
		{ "not needed", "barcode = \"^RE:(.*)$\"; required = false;", { "XX:1" }, "", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;
		json_t *trace = json_array();
		char rule[500];
		struct conf *c;

		paper_page(p, "Rechnung RE:99");
		for (int k = 0; k < 3 && cases[i].codes[k] != NULL; k++)
			paper_code(p, CODE_QR, 300, 100 * (k + 1), 360, 100 * (k + 1) + 60, cases[i].codes[k]);
		snprintf(rule, sizeof(rule), "r : { when = \"always\"; find = { n = { %s }; }; " SHOWN " name = \"{find.n}.pdf\"; };", cases[i].find);
		c = conf_with("\"r\"", rule);
		r = decide(c, p, NULL, trace);
		CHECK(r.hold == cases[i].hold, "find: %s: %s", cases[i].name, r.hold == 0 ? "found" : r.hold_text);
		if (cases[i].want != NULL)
			CHECK(r.nvalues == 1 && strcmp(r.values[0].value, cases[i].want) == 0, "find: %s (%s)", cases[i].name, r.values[0].value);
		else
			CHECK(strcmp(r.hold_word, "n") == 0 && (r.hold != ERR_FIND_MANY || r.ncandidates == 2), "its name, and the codes for the picture");
		json_decref(trace);
		conf_free(c);
		free(p);
	}
}

static void
test_code_place(void)
{
	static const char rule[] = "r : { when = \"always\"; place = { barcode = \"^SEAL\"; side = \"below\"; shift = [ \"0mm\", \"2mm\" ]; "
	    "size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\"; };";
	struct paper *p = calloc(1, sizeof(*p));
	struct conf *c = conf_with("\"r\"", rule);
	json_t *trace = json_array();
	struct compose_result r;

	paper_page(p, "Rechnung SEAL");
	paper_code(p, CODE_QR, 300, 400, 360, 460, "SEAL HERE");
	paper_code(p, CODE_QR, 100, 400, 160, 460, "OTHER");
	r = decide(c, p, NULL, trace);
	/* 2 mm are 5.669 pt, 60 mm 170.079 pt, 20 mm 56.693 pt */
	CHECK(r.hold == 0 && r.place == PLACE_BOX && r.place_box.x0 == 300000 && abs(r.place_box.y0 - 465669) <= 1 &&
	    abs(r.place_box.x1 - 470079) <= 1 && abs(r.place_box.y1 - 522362) <= 1, "below the code, by its shift");
	CHECK(strcmp(json_string_value(json_object_get(json_array_get(json_object_get(json_array_get(trace, 0), "anchors"), 0), "text")), "SEAL HERE") == 0,
	    "the trace names the code");
	paper_code(p, CODE_QR, 300, 600, 360, 660, "SEAL HERE");
	r = decide(c, p, NULL, NULL);
	CHECK(r.hold == ERR_ANCHOR_MANY && r.ncandidates == 2 && strcmp(r.hold_word, "^SEAL") == 0, "two such codes: held, %s", r.hold_text);
	conf_free(c);
	c = conf_with("\"r\"", "r : { when = \"always\"; " SHOWN " };");
	CHECK(!codes_wanted(conf_folder(c, "in")), "rules that say nothing of codes want none looked for");
	conf_free(c);
	json_decref(trace);
	free(p);
}

/* --- marks and fields ------------------------------------------------------------------------------- */

static bool
same_box(const struct box *a, const struct box *b)
{
	return a != NULL && b != NULL && memcmp(a, b, sizeof(*a)) == 0;
}

static uint32_t dark_page; /* + 1; with ink over all of it, or over its top left corner */
static bool dark_all;

static int
ink_page(void *ctx, uint32_t page, struct ink *ret, struct err *e)
{
	(void)ctx;
	if (ink_init(ret, SHEET_W, SHEET_H, e) < 0)
		return -(int)e->code;
	if (page + 1 == dark_page)
		ink_mark(ret, &(struct box){ 0, 0, dark_all ? SHEET_W : 150000, dark_all ? SHEET_H : 60000 });
	return 0;
}

static void
test_marks(void)
{
	static const char rules[] = "place = { at = \"top-left\"; pages = \"last\"; size = [ \"60mm\", \"20mm\" ]; %s }; seal = \"s\"; };";
	static const struct { const char *name, *keys, *pages; uint32_t dark; bool all; uint32_t hold, own; } cases[] = {
		{ "none said", "", "", 0, false, 0, 0 },
		{ "none", "marks = \"none\";", "", 0, false, 0, 0 },
		{ "all", "marks = \"all\";", "1-3", 0, false, 0, 0 },
		{ "some", "marks = \"2-9\";", "2,3", 0, false, 0, 0 },
		{ "the seal's own page alone", "marks = \"last\";", "", 0, false, 0, 0 },
		{ "ink in the corner of one", "marks = \"all\"; reach = \"30mm\";", "1-3", 2, false, 0, 1 },
		{ "ink that is covered", "marks = \"all\"; ink = \"ignore\";", "1-3", 2, true, 0, 0 },
		{ "no place on one", "marks = \"all\";", "", 2, true, ERR_PLACE_INK, 0 },
		{ "no place on one, and none needed", "marks = \"all\"; otherwise = \"invisible\";", "1,3", 2, true, 0, 0 },
	};
	struct paper *p = calloc(1, sizeof(*p));

	for (int i = 0; i < 4; i++)
		paper_page(p, "");
	p->doc.ink = ink_page;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct compose_result r;
		char rule[600], place[500], pages[100] = "";
		json_t *trace = json_array();
		struct conf *c;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(place, sizeof(place), rules, cases[i].keys);
#pragma GCC diagnostic pop
		snprintf(rule, sizeof(rule), "r : { when = \"always\"; %s", place);
		c = conf_with("\"r\"", rule);
		dark_page = cases[i].dark;
		dark_all = cases[i].all;
		r = decide(c, p, NULL, trace);
		page_set_text(&r.marks.pages, pages, sizeof(pages));
		CHECK(r.hold == cases[i].hold && (r.hold != 0 || strcmp(pages, cases[i].pages) == 0), "marks: %s: \"%s\" %s", cases[i].name, pages, r.hold_text);
		if (r.hold == 0) {
			CHECK(r.place_page == 3 && r.marks.nown == cases[i].own, "one seal, on the last page");
			for (uint32_t k = 0; k < 3; k++)
				if (page_set_has(&r.marks.pages, k))
					CHECK(same_box(seal_marks_box(&r.marks, k), &r.place_box) == (k + 1 != cases[i].dark || cases[i].own == 0),
					    "page %u: where the seal stands on its page, or beside the ink", k + 1);
		}
		json_decref(trace);
		conf_free(c);
	}
	free(p);
}

static int
field_of(void *ctx, const char *name, struct doc_field *ret, struct err *e)
{
	(void)ctx;
	if (strcmp(name, "Locked") == 0)
		return err_set(e, ERR_FIELD, "signature field 'Locked': it is signed already");
	*ret = (struct doc_field){ .page = 1, .seen = strcmp(name, "Unseen") != 0, .box = { 1000, 2000, 90000, 30000 } };
	return 0;
}

static void
test_fields(void)
{
	static const struct { const char *name, *keys; bool form; uint32_t hold, mode; const char *field; } cases[] = {
		{ "an empty field", "field = \"Seal\";", true, 0, PLACE_BOX, "Seal" },
		{ "one that is not shown", "field = \"Unseen\";", true, 0, PLACE_INVISIBLE, "Unseen" },
		{ "one that must not be filled", "field = \"Locked\";", true, ERR_FIELD, 0, "" },
		{ "a document without fields", "field = \"Seal\";", false, ERR_FIELD, 0, "" },
		{ "another place instead", "field = \"Locked\"; size = [ \"60mm\", \"20mm\" ]; otherwise = \"corner\";", true, 0, PLACE_BOX, "" },
		{ "no sight instead", "field = \"Locked\"; otherwise = \"invisible\";", true, 0, PLACE_INVISIBLE, "" },
	};
	struct paper *p = calloc(1, sizeof(*p));

	paper_page(p, "Antrag");
	paper_page(p, "Unterschrift");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct compose_result r;
		char rule[500];
		struct conf *c;

		snprintf(rule, sizeof(rule), "r : { when = \"always\"; place = { %s }; seal = \"s\"; };", cases[i].keys);
		c = conf_with("\"r\"", rule);
		p->doc.field = cases[i].form ? field_of : NULL;
		r = decide(c, p, NULL, NULL);
		CHECK(r.hold == cases[i].hold && (r.hold != 0 || r.place == cases[i].mode) && strcmp(r.field, cases[i].field) == 0,
		    "field: %s: %s", cases[i].name, r.hold_text);
		if (r.place == PLACE_BOX && r.field[0] != '\0')
			CHECK(r.place_page == 1 && r.place_box.x1 == 90000, "its place is the field's");
		conf_free(c);
	}
	free(p);
}

int
main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	setenv("TZ", "UTC", 1);
	test_invoice();
	test_when();
	test_find();
	test_two_columns();
	test_doubt();
	test_ink();
	test_ink_fails();
	test_force();
	test_signed_by();
	test_unseen();
	test_trace();
	test_time();
	test_code_conditions();
	test_code_values();
	test_code_place();
	test_marks();
	test_fields();
	return TEST_DONE();
}
