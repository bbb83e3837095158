/*
 * Distances to what recognition makes of words: pairs known from scans; and what
 * is within a bound does not depend on the bound.
 */
#include <stdlib.h>
#include <string.h>

#include "rules/fold.h"
#include "rules/misread.h"
#include "tests/unit/test.h"

static size_t
codes(const char *s, uint32_t dst[64])
{
	const char *end = s + strlen(s);
	size_t n = 0;

	while (s < end)
		n += fold_next(&s, end, dst + n);
	return n;
}

static uint32_t
distance(const char *a, const char *b, uint32_t max)
{
	uint32_t x[64], y[64];
	size_t nx = codes(a, x), ny = codes(b, y);

	return misread_distance(x, nx, y, ny, max);
}

static void
test_known(void)
{
	static const struct { const char *a, *b; uint32_t halves; } cases[] = {
		{ "Siegel", "Siegel", 0 }, { "S1egel", "Siegel", 1 }, { "Sieqel", "Siegel", 1 }, { "Sigel", "Siegel", 2 }, { "Sxegel", "Siegel", 2 },
		{ "Nurnrner", "Nummer", 2 }, { "Modem", "Modern", 1 }, { "StraBe", "Straße", 1 }, { "Strasse", "Straße", 0 }, { "VVeg", "Weg", 1 },
		{ "Behorde", "Behörde", 1 }, { "clas", "das", 1 }, { "B0D0", "bodo", 2 }, { "", "ab", 4 }, { "Arnt", "Amt", 1 }, { "Ami", "Arni", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t got = distance(cases[i].a, cases[i].b, 9), back = distance(cases[i].b, cases[i].a, 9);

		CHECK(got == cases[i].halves && back == got, "%s and %s: %u halves", cases[i].a, cases[i].b, got);
		CHECK(distance(cases[i].a, cases[i].b, cases[i].halves) == cases[i].halves &&
		    (cases[i].halves == 0 || distance(cases[i].a, cases[i].b, cases[i].halves - 1) == cases[i].halves), "and no more than the bound");
	}
}

static void
test_bounds(void)
{
	static const char letters[] = "rnmil1o0bs";
	unsigned seed = 11;
	int wrong = 0, near = 0;

	for (int round = 0; round < 20000; round++) {
		uint32_t a[12], b[12], whole;
		size_t na = (size_t)(rand_r(&seed) % 12), nb = (size_t)(rand_r(&seed) % 12);

		for (size_t i = 0; i < 12; i++) {
			a[i] = (uint32_t)letters[rand_r(&seed) % 10];
			b[i] = rand_r(&seed) % 3 == 0 ? (uint32_t)letters[rand_r(&seed) % 10] : a[i];
		}
		whole = misread_distance(a, na, b, nb, 100);
		near += whole <= 4;
		for (uint32_t max = 0; max < 8; max++)
			wrong += misread_distance(a, na, b, nb, max) != (whole <= max ? whole : max + 1);
		wrong += whole != misread_distance(b, nb, a, na, 100);
	}
	CHECK(wrong == 0 && near > 1000, "a bound only cuts off (%d wrong, %d near)", wrong, near);
}

static bool
inside(const char *longer, const char *word)
{
	uint32_t x[64], y[64];
	size_t nx = codes(longer, x), ny = codes(word, y);

	return misread_inside(x, nx, y, ny);
}

static void
test_inside(void)
{
	CHECK(inside("Siegelring", "Siegel") && inside("Dienstsiegel", "Siegel") && inside("Siegels", "Siegel") && inside("Besiegelung", "Siegel"),
	    "a longer word");
	CHECK(!inside("Siegel", "Siegel") && !inside("Siegal", "Siegel") && !inside("Sieg", "Siegel"), "the word itself, or another");
	CHECK(!inside("1Siegel", "Siegel") && !inside("Siegell", "Siegel") && inside("llSiegel", "Siegel"), "a stroke beside it is no letter");
}

int
main(void)
{
	test_known();
	test_bounds();
	test_inside();
	return TEST_DONE();
}
