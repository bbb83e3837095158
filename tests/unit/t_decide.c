/*
 * Words in, decision out: which rule, which values, which box, which name,
 * and every reason to hold.  Boxes are worked out by hand from pages.h.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static struct compose_result
decide(const struct conf *c, const struct paper *p, const struct compose_params *force, json_t *trace)
{
	struct compose_result r = { .pages = 99, .len = 77 };
	struct err e = { 0 };

	if (rules_decide(c, conf_folder(c, "in"), &p->doc, force, &r, trace, &e) < 0) {
		printf("# %s\n", e.text);
		abort();
	}
	return r;
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
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char rule[500];
		struct conf *c;
		struct paper *p = calloc(1, sizeof(*p));
		struct compose_result r;

		snprintf(rule, sizeof(rule), "r : { when = %s; place = \"invisible\"; seal = \"s\"; };", cases[i].when);
		c = conf_with("\"r\"", rule);
		paper_page(p, cases[i].page);
		r = decide(c, p, NULL, NULL);
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
	struct page_words page = { SHEET_W, SHEET_H, 20000, w };
	struct doc_words doc = { 1, &page, "x", RECEIVED };
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
	test_force();
	test_trace();
	test_time();
	return TEST_DONE();
}
