/*
 * Values in one spelling.  What must come out is what a reader of German and
 * English letters takes the text for.
 */
#include <string.h>

#include "agent/lib/taskmsg.h"
#include "rules/ere.h"
#include "rules/typed.h"
#include "tests/unit/test.h"

static const struct {
	enum find_type type;
	const char *text, *want; /* NULL: no such value */
} cases[] = {
	{ FIND_TEXT, "RE-17/b", "RE-17/b" },
	{ FIND_NUMBER, "4711", "4711" }, { FIND_NUMBER, "12 345", "12345" }, { FIND_NUMBER, "007", "007" }, { FIND_NUMBER, "2026-24", NULL },
	{ FIND_NUMBER, "", NULL }, { FIND_NUMBER, "12a", NULL },
	{ FIND_DATE, "22.11.2026", "2026-11-22" }, { FIND_DATE, "1. 2. 2026", "2026-02-01" }, { FIND_DATE, "01.02.26", "2026-02-01" },
	{ FIND_DATE, "2026-11-22", "2026-11-22" }, { FIND_DATE, "3/4/2026", "2026-04-03" }, { FIND_DATE, "22. November 2026", "2026-11-22" },
	{ FIND_DATE, "3. M\xC3\xA4rz 2026", "2026-03-03" }, { FIND_DATE, "3 March 2026", "2026-03-03" }, { FIND_DATE, "MARCH 3, 2026", "2026-03-03" },
	{ FIND_DATE, "14 Okt 2026", "2026-10-14" }, { FIND_DATE, "29.02.2024", "2024-02-29" }, { FIND_DATE, "29.02.2026", NULL },
	{ FIND_DATE, "31.04.2026", NULL }, { FIND_DATE, "13/13/2026", NULL }, { FIND_DATE, "0.1.2026", NULL }, { FIND_DATE, "22.11.", NULL },
	{ FIND_DATE, "22. Foo 2026", NULL }, { FIND_DATE, "1.2.3.2026", NULL }, { FIND_DATE, "1.1.99999", NULL }, { FIND_DATE, "May June 2026", NULL },
	{ FIND_AMOUNT, "1.234,56", "1234.56" }, { FIND_AMOUNT, "1,234.56", "1234.56" }, { FIND_AMOUNT, "12,5", "12.50" },
	{ FIND_AMOUNT, "1234", "1234.00" }, { FIND_AMOUNT, "1.234", "1234.00" }, { FIND_AMOUNT, "1.234.567", "1234567.00" },
	{ FIND_AMOUNT, "12 345,00", "12345.00" }, { FIND_AMOUNT, "EUR 99,90", "99.90" }, { FIND_AMOUNT, "99,90 \xE2\x82\xAC", "99.90" },
	{ FIND_AMOUNT, "0,07", "0.07" }, { FIND_AMOUNT, "1'234.50", "1234.50" }, { FIND_AMOUNT, "12.34.56", NULL }, { FIND_AMOUNT, "1,23,4", NULL },
	{ FIND_AMOUNT, "EUR", NULL }, { FIND_AMOUNT, "12.3456", NULL }, { FIND_AMOUNT, "1234,567", NULL },
	{ FIND_AMOUNT, "23.g0", NULL }, { FIND_AMOUNT, "1234567890123456789012345678901,00", NULL },
};

static void
test_values(void)
{
	char dst[MSG_TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is = typed_value(cases[i].type, cases[i].text, dst, sizeof(dst));

		CHECK(is == (cases[i].want != NULL) && (!is || strcmp(dst, cases[i].want) == 0), "\"%s\": %s", cases[i].text, is ? dst : "none");
	}
}

/* What a type takes by itself finds what it can read, whole. */
static void
test_takes(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char why[200], line[200], dst[MSG_TEXT_MAX];
		const char *take = typed_take(cases[i].type);
		size_t from, to;
		regex_t re;

		if (cases[i].want == NULL || *take == '\0' || strchr(cases[i].text, '\'') != NULL)
			continue;
		if (!CHECK(ere_check(take, why, sizeof(why)) && ere_compile(&re, take, why, sizeof(why)), "/%s/ is an expression", take))
			continue;
		snprintf(line, sizeof(line), "vom: %s, bitte", cases[i].text);
		if (CHECK(ere_find(&re, line, &from, &to), "\"%s\" is found", line)) {
			while (line[to - 1] == ' ')
				to--;
			line[to] = '\0';
			CHECK(typed_value(cases[i].type, line + from, dst, sizeof(dst)) && strcmp(dst, cases[i].want) == 0, "and read: %s", dst);
		}
		regfree(&re);
	}
}

int
main(void)
{
	test_values();
	test_takes();
	return TEST_DONE();
}
