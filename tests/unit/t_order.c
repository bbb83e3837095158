/*
 * The order of what stands side by side: forms by columns, tables and lists by
 * rows.  Pages are drawn here, in tenths of a millimetre, and read row by row as
 * an engine reads them.
 */
#include <string.h>

#include "scan/ocr.h"
#include "scan/order.h"
#include "tests/unit/test.h"

#define WORDS 200
#define RULES 60

static struct ocr_word words[WORDS];
static struct order_rule rules[RULES];
static uint32_t nwords, line;
static size_t nrules;
static char texts[WORDS][8];

static void
fresh(void)
{
	nwords = line = 0;
	nrules = 0;
}

/* A word of the row at y; its text is its place: side and row. */
static void
word(char side, unsigned row, double x0, double x1)
{
	snprintf(texts[nwords], sizeof(texts[0]), "%c%u", side, row);
	words[nwords] = (struct ocr_word){ .x0 = x0, .x1 = x1, .y0 = 100.0 + row * 60, .y1 = 130.0 + row * 60, .base = 125.0 + row * 60,
		.line = line, .text = texts[nwords] };
	nwords++;
}

static void
rule(double row, double x0, double x1)
{
	rules[nrules++] = (struct order_rule){ x0, x1, 100 + row * 60 };
}

/* Texts in order; '/' between lines, '|' between blocks. */
static const char *
told(void)
{
	static char all[WORDS * 9];
	char *at = all;

	*at = '\0';
	for (uint32_t i = 0; i < nwords; i++) {
		const struct ocr_word *w = &words[i], *b = i > 0 ? w - 1 : w;

		at += sprintf(at, "%s%s", i == 0 ? "" : w->block != b->block ? "|" : w->line != b->line ? "/" : " ", w->text);
	}
	return all;
}

/* A heading over the whole width, then rows of two fields that frames or lines below them show, then a sentence. */
static void
form(bool frames, double right)
{
	fresh();
	word('h', 0, 200, 1900);
	line++;
	for (unsigned row = 1; row <= 4; row++, line++) {
		word('a', row, 210, 400 + 20 * row);
		word('b', row, right + 10, right + 300 - 30 * row);
		if (!frames)
			continue;
		for (int side = 0; side < 2; side++) {
			rule(row - 0.1, side == 0 ? 200 : right, side == 0 ? right - 80 : 2 * right - 280);
			rule(row + 0.6, side == 0 ? 200 : right, side == 0 ? right - 80 : 2 * right - 280);
		}
	}
	word('s', 6, 200, 1900);
}

static void
test_forms(void)
{
	form(true, 1100);
	CHECK(order_wanted(words, nwords), "a form has gaps in its lines");
	CHECK(order_columns(words, nwords, rules, nrules), "and is ordered");
	CHECK(strcmp(told(), "h0|a1/a2/a3/a4|b1/b2/b3/b4|s6") == 0, "by columns: %s", told());
	form(true, 1100);
	rule(2.8, 150, 2050);
	order_columns(words, nwords, rules, nrules);
	CHECK(strcmp(told(), "h0/a1 b1/a2 b2/a3 b3/a4 b4/s6") == 0, "a rule across says that rows belong together: %s", told());
	form(false, 1100);
	order_columns(words, nwords, rules, nrules);
	CHECK(strcmp(told(), "h0/a1 b1/a2 b2/a3 b3/a4 b4/s6") == 0, "a list of names and values is read by rows: %s", told());
	form(true, 500);
	for (size_t i = 0; i < nrules; i++)
		rules[i].x1 = rules[i].x0 == 500 ? 2000 : rules[i].x1;
	order_columns(words, nwords, rules, nrules);
	CHECK(strcmp(told(), "h0/a1 b1/a2 b2/a3 b3/a4 b4/s6") == 0, "so are short names before long fields: %s", told());
}

/* Two columns of running text that the engine did not see. */
static void
test_text(void)
{
	fresh();
	for (unsigned row = 0; row < 5; row++, line++) {
		word('a', row, 200, 500);
		word('a', row, 510, row == 4 ? 600 : 990);
		word('b', row, 1100, 1880);
	}
	order_columns(words, nwords, rules, nrules);
	CHECK(strcmp(told(), "a0 a0/a1 a1/a2 a2/a3 a3/a4 a4|b0/b1/b2/b3/b4") == 0, "columns of text are read one by one: %s", told());
}

static void
test_tables(void)
{
	fresh();
	for (unsigned row = 0; row < 5; row++, line++)
		for (unsigned cell = 0; cell < 4; cell++)
			word((char)('a' + cell), row, 200 + cell * 450, 400 + cell * 450 + 40 * (row % 3));
	rule(0.8, 200, 1900);
	order_columns(words, nwords, rules, nrules);
	CHECK(strncmp(told(), "a0 b0 c0 d0/a1 b1 c1 d1/", 24) == 0, "a table is read by rows: %s", told());
	fresh();
	for (unsigned row = 0; row < 5; row++, line++)
		for (unsigned cell = 0; cell < 4; cell++)
			word((char)('a' + cell), row, 200 + cell * 450, 600 + cell * 450);
	order_columns(words, nwords, rules, nrules);
	CHECK(strncmp(told(), "a0 b0 c0 d0/a1 b1 c1 d1/", 24) == 0, "however full its cells are: %s", told());
}

/* Part of a page only; what stands far below is no part of the columns. */
static void
test_parts(void)
{
	form(true, 1100);
	nwords--; /* the sentence */
	for (unsigned row = 12; row < 14; row++, line++) {
		word('x', row, 200, 700);
		word('y', row, 1100, 1500);
	}
	order_columns(words, nwords, rules, nrules);
	CHECK(strcmp(told(), "h0|a1/a2/a3/a4|b1/b2/b3/b4|x12 y12/x13 y13") == 0, "a line for signatures below stays one: %s", told());
	fresh();
	CHECK(!order_wanted(words, 0) && order_columns(words, 0, rules, 0), "a page without words has no columns");
	word('a', 0, 0, 10);
	CHECK(!order_wanted(words, 1) && order_columns(words, 1, rules, 0), "nor has one word");
}

int
main(void)
{
	test_forms();
	test_text();
	test_tables();
	test_parts();
	return TEST_DONE();
}
