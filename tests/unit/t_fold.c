/*
 * Folding against the C library's Unicode data (towlower and iswalnum in
 * C.UTF-8), distances against values known from the literature.
 */
#include <locale.h>
#include <stdint.h>
#include <string.h>
#include <wctype.h>

#include "rules/ere.h"
#include "rules/fold.h"
#include "tests/unit/test.h"

/* CaseFolding.txt folds these further than to lower case. */
static bool
more_than_lower(uint32_t cp)
{
	return cp == 0xB5 || cp == 0x17F || cp == 0x3C2 || cp == 0x130;
}

static void
test_case_table(void)
{
	static const struct { uint32_t from, to; } blocks[] = {
		{ 0x20, 0x17F }, { 0x1CD, 0x1DC }, { 0x1DE, 0x1EF }, { 0x1F8, 0x21F }, { 0x222, 0x233 },
		{ 0x386, 0x3CE }, { 0x400, 0x52F }, { 0x1E00, 0x1E95 }, { 0x1EA0, 0x1EFF },
	};
	unsigned wrong = 0, capitals = 0;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		for (uint32_t cp = blocks[i].from; cp <= blocks[i].to; cp++) {
			if (more_than_lower(cp))
				continue;
			capitals += towlower((wint_t)cp) != cp;
			if (fold_case(cp) != towlower((wint_t)cp)) {
				wrong++;
				printf("# U+%04X: %04X, not %04X\n", cp, fold_case(cp), towlower((wint_t)cp));
			}
		}
	CHECK(capitals > 400, "the C library knows %u capitals in these blocks", capitals);
	CHECK(wrong == 0, "every capital folds to the C library's small letter");
	CHECK(fold_case(0x3C2) == 0x3C3 && fold_case(0xB5) == 0x3BC && fold_case(0x17F) == 's' && fold_case(0x212A) == 'k',
	    "final sigma, micro sign, long s and Kelvin fold as CaseFolding.txt says");
}

static void
test_letters(void)
{
	unsigned wrong = 0;

	for (uint32_t cp = 0x20; cp < 0x52F; cp++) {
		/* superscript digits and the ordinal signs are part of words here */
		bool ours = cp == 0xB2 || cp == 0xB3 || cp == 0xB9 || cp == 0xAA || cp == 0xBA || cp == 0xB5;
		bool modifier = cp >= 0x2B0 && cp < 0x386;
		bool sign = cp == 0x387 || cp == 0x3F6 || (cp >= 0x482 && cp <= 0x489);

		if (iswprint((wint_t)cp) && !ours && !modifier && !sign &&
		    fold_alnum(cp) != (iswalnum((wint_t)cp) != 0)) {
			wrong++;
			printf("# U+%04X\n", cp);
		}
	}
	CHECK(wrong == 0, "letters and digits are those of the C library");
	CHECK(!fold_alnum(0x20AC) && !fold_alnum(0x2026) && !fold_alnum(0x25A0) && !fold_alnum(0x2022),
	    "euro, ellipsis, box and bullet are not letters");
}

static void
test_text(void)
{
	static const struct { const char *name, *in, *want; } cases[] = {
		{ "umlauts keep their dots", "ÄÖÜäöü", "äöüäöü" },
		{ "sharp s is ss, the capital one too", "Straße STRAẞE", "strasse strasse" },
		{ "ligatures are their letters", "ﬁnden ﬂach Oﬃce", "finden flach office" },
		{ "quotes and dashes are plain", "„A“ ‚b’ c–d—e", "\"a\" 'b' c-d-e" },
		{ "a combining mark joins its letter", "Mu\xCC\x88ller e\xCC\x81", "müller é" },
		{ "a soft hyphen is nothing", "Sie\xC2\xADgel", "siegel" },
		{ "fixed and thin blanks are blanks", "a\xC2\xA0" "b\xE2\x80\xAF" "c", "a b c" },
		{ "full-width letters are letters", "ＡＢＣ１", "abc1" },
		{ "Greek and Cyrillic fold", "ΣΊΣΥΦΟΣ ЁЛКА", "σίσυφοσ ёлка" },
		{ "bytes that are no UTF-8 become one sign each", "a\xFF" "b", "a\xEF\xBF\xBD" "b" },
	};
	char out[200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fold_text(cases[i].in, out, sizeof(out));
		CHECK(strcmp(out, cases[i].want) == 0, "%s (%s)", cases[i].name, out);
	}
	fold_plain("Größe – „ﬁ“", out, sizeof(out));
	CHECK(strcmp(out, "Größe - \"fi\"") == 0, "plain text keeps case and sharp s (%s)", out);
	fold_plain("ab\xC3\xBC", out, 4);
	CHECK(strcmp(out, "ab") == 0, "what does not fit is cut at a whole character");
}

static uint32_t
distance(const char *a, const char *b, uint32_t max)
{
	uint32_t x[64], y[64];
	size_t n = 0, m = 0;

	for (; *a; a++)
		x[n++] = (unsigned char)*a;
	for (; *b; b++)
		y[m++] = (unsigned char)*b;
	return fold_distance(x, n, y, m, max);
}

static void
test_distance(void)
{
	CHECK(distance("kitten", "sitting", 9) == 3, "kitten and sitting are 3 apart");
	CHECK(distance("saturday", "sunday", 9) == 3, "saturday and sunday are 3 apart");
	CHECK(distance("intention", "execution", 9) == 5, "intention and execution are 5 apart");
	CHECK(distance("", "abc", 9) == 3 && distance("abc", "abc", 0) == 0, "empty and equal words");
	CHECK(distance("kitten", "sitting", 2) == 3, "more than the bound is the bound and one");
	CHECK(distance("siegel", "siegelring", 3) == 4, "a length too different is not even compared");
}

static void
test_near(void)
{
	struct near n = near_start("setle");

	near_try(&n, "seals");
	near_try(&n, "settle");
	near_try(&n, "path");
	CHECK(n.best != NULL && strcmp(n.best, "settle") == 0, "setle is nearest to settle");
	n = near_start("colour");
	near_try(&n, "path");
	CHECK(n.best == NULL, "nothing is near colour");
}

static void
test_ere(void)
{
	static const struct { const char *name, *text; const char *says; } cases[] = {
		{ "an ordinary one", "[A-Z0-9-]+", NULL },
		{ "the classes glibc has", "\\w+\\s\\S\\W\\b\\B", NULL },
		{ "an escaped sign", "\\.\\(\\[", NULL },
		{ "an IBAN", "[A-Z]{2}[0-9]{2} ?([0-9]{4} ?){4}[0-9]{2}", NULL },
		{ "a backslash in brackets is itself", "[\\d]", NULL },
		{ "\\d", "Nr\\. \\d+", "character 6: \"\\d\"" },
		{ "a back-reference", "(a)\\1", "back-references" },
		{ "a tab", "\\t", "[[:space:]]" },
		{ "counts in counts", "((a{50}){50}){50}", "character 9: the counts" },
		{ "counts behind each other", "[A-Z]{1,20}[0-9]{1,20}[a-z]{1,20}", NULL },
		{ "counts that add up", "a{200}b{200}c{200}", "the counts" },
		{ "pluses in pluses", "((((((((((((a+)+)+)+)+)+)+)+)+)+)+)+)+", "the counts" },
		{ "plus upon plus", "(abc)++", "character 7: a repetition directly" },
		{ "an escaped plus, once or more", "\\++", NULL },
		{ "a few pluses", "(([A-Z]+ )+[0-9]+)+x+", NULL },
		{ "a star in a star", "(a*)*", "character 5: what is repeated" },
		{ "a branch that is nothing in a loop", "(a|b?){1,3}x", "character 7: what is repeated" },
		{ "nothing in a group in a loop", "a((()b?)c?)+", "character 12: what is repeated" },
		{ "a bracket on its own, in a loop", "a)+", NULL },
		{ "optional, all of it", "((a?)?)?", NULL },
		{ "a loop with something in each branch", "(a?b|c{0,3}d|e)*", NULL },
		{ "a huge count", "a{30000}", "the counts" },
		{ "an empty one", "", "1 to" },
	};
	char why[200];
	regex_t re;
	size_t from = 9, to = 9;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool good = ere_check(cases[i].text, why, sizeof(why));

		CHECK(good == (cases[i].says == NULL) && (good || strstr(why, cases[i].says) != NULL), "%s is %s%s%s",
		    cases[i].name, good ? "taken" : "refused", good ? "" : ": ", good ? "" : why);
	}
	CHECK(!ere_compile(&re, "a(b", why, sizeof(why)) && strstr(why, "POSIX") != NULL, "an open bracket is refused: %s", why);
	CHECK(ere_compile(&re, "[A-Z0-9-]+", why, sizeof(why)), "it compiles");
	CHECK(ere_find(&re, ": Datum 2026-2471.", &from, &to) && from == 8 && to == 17, "a match never ends inside a word");
	CHECK(!ere_find(&re, "Datum vom", &from, &to), "part of a word is no match");
	CHECK(ere_find(&re, "ÄB 12", &from, &to) && from == 4, "nor does it begin inside one that starts with an umlaut");
	regfree(&re);
	CHECK(ere_compile(&re, "[0-9-]+", why, sizeof(why)) && !ere_find(&re, "RE-20261107", &from, &to),
	    "digits behind a hyphen are part of a word");
	CHECK(!ere_find(&re, "12.03.2026 1.543,52 12/26 8:30", &from, &to), "part of a date, amount or time is no match");
	CHECK(ere_find(&re, "Nr.:17. von 12", &from, &to) && from == 4 && to == 6, "signs beside a number are not part of it");
	CHECK(ere_find(&re, "ü-ß 2026-2471,", &from, &to) && from == 6 && to == 15, "a number with a hyphen is one");
	regfree(&re);
	CHECK(ere_compile(&re, "INV([0-9]+)", why, sizeof(why)) && ere_find(&re, "no INV42", &from, &to) && from == 6 && to == 8,
	    "with a group the group is the value");
	regfree(&re);
}

int
main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	test_case_table();
	test_letters();
	test_text();
	test_distance();
	test_near();
	test_ere();
	return TEST_DONE();
}
