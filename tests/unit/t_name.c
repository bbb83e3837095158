/*
 * Templates and names of files.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/rules.h"
#include "tests/unit/test.h"

static const char *
lookup(void *ctx, const char *variable, const char *format)
{
	static char out[200];

	(void)ctx;
	if (strcmp(variable, "org") == 0)
		return "Stadt Jena";
	if (strcmp(variable, "find.number") == 0)
		return "2026/2471";
	if (strcmp(variable, "time") == 0) {
		snprintf(out, sizeof(out), "<%s>", format == NULL ? "none" : format);
		return out;
	}
	return NULL;
}

static void
test_expand(void)
{
	static const struct { const char *name, *tmpl, *want; } cases[] = {
		{ "plain text", "Siegel der Stadt", "Siegel der Stadt" },
		{ "a variable", "{org}!", "Stadt Jena!" },
		{ "a dotted one", "Nr. {find.number}", "Nr. 2026/2471" },
		{ "a format", "{time:%d.%m.%Y %H:%M}", "<%d.%m.%Y %H:%M>" },
		{ "no format", "{time}", "<none>" },
		{ "a bracket", "{{org}", "{org}" },
		{ "two in a row", "{org}{org}", "Stadt JenaStadt Jena" },
		{ "nothing", "", "" },
		{ "an unknown one", "{who}", NULL },
		{ "one that does not end", "a {org", NULL },
		{ "an empty one", "{}", NULL },
		{ "a very long one", "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}", NULL },
	};
	char out[100];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		int r = name_expand(cases[i].tmpl, lookup, NULL, out, sizeof(out), &e);

		if (cases[i].want == NULL)
			CHECK(r == -ERR_CONF, "%s is refused: %s", cases[i].name, e.text);
		else
			CHECK(r == 0 && strcmp(out, cases[i].want) == 0, "%s (%s)", cases[i].name, out);
	}
	name_expand("ab\xC3\xBC{org}", lookup, NULL, out, 4, &(struct err){ 0 });
	CHECK(strcmp(out, "ab") == 0, "what is too long is cut at a whole character");
}

static void
test_time(void)
{
	char out[40];

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	/* 2026-07-01T22:30:05Z; date -d */
	CHECK(name_time(1782945005000000, "%d.%m.%Y %H:%M:%S", "en", out, sizeof(out)) && strcmp(out, "02.07.2026 00:30:05") == 0,
	    "local time in summer (%s)", out);
	CHECK(name_time(1782945005000000, NULL, "en", out, sizeof(out)) && strcmp(out, "2026-07-02 00:30") == 0, "without a format");
	CHECK(!name_time_valid("%B") && !name_time_valid("%") && !name_time_valid("") && name_time_valid("%%"),
	    "only formats that need no locale");
	CHECK(name_time(1782945005000000, "long", "en", out, sizeof(out)) && strcmp(out, "2 July 2026") == 0, "a date in English (%s)", out);
	CHECK(name_time(1772582400000000, "long", "de", out, sizeof(out)) && strcmp(out, "4. M\303\244rz 2026") == 0, "and in German (%s)", out);
	CHECK(name_time_valid("long") && !name_time_valid("long%") && !name_time(0, "long", "de", out, 14), "no more than fits");
	CHECK(!name_time(0, "%d.%m.%Y", "en", out, 5), "a result that does not fit is no result");
}

static void
test_legal(void)
{
	static const struct { const char *name, *in, *want; } cases[] = {
		{ "an ordinary name", "2026-11-22_Rechnung.pdf", "2026-11-22_Rechnung.pdf" },
		{ "umlauts stay", "Größe ü.pdf", "Größe ü.pdf" },
		{ "signs that Windows forbids", "a<b>c:d\"e/f\\g|h?i*j.pdf", "a_b_c_d_e_f_g_h_i_j.pdf" },
		{ "controls and newlines", "a\nb\x01\x7f" "c.pdf", "a_b__c.pdf" },
		{ "right-to-left marks", "a\xE2\x80\xAE" "fdp.exe.pdf", "a_fdp.exe.pdf" },
		{ "bytes that are no UTF-8", "a\xFF.pdf", "a_.pdf" },
		{ "dots and blanks at both ends", " ..a.pdf. .", "a.pdf" },
		{ "a path upwards", "../../etc/passwd", "_.._etc_passwd" },
		{ "a device", "CON.pdf", "_CON.pdf" },
		{ "a device with a blank", "nul .pdf", "_nul .pdf" },
		{ "a numbered device", "com1", "_com1" },
		{ "one with a superscript digit", "LPT\xC2\xB9.txt", "_LPT\xC2\xB9.txt" },
		{ "no device", "COM10.pdf", "COM10.pdf" },
		{ "no device either", "Console.pdf", "Console.pdf" },
		{ "nothing", "", "_" },
		{ "only dots", "...", "_" },
	};
	char out[300], in[600];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		name_legal(cases[i].in, out, sizeof(out));
		CHECK(strcmp(out, cases[i].want) == 0, "%s (%s)", cases[i].name, out);
	}
	in[0] = '\0';
	for (int i = 0; i < 140; i++)
		strcat(in, "ü");
	strcat(in, ".pdf");
	name_legal(in, out, sizeof(out));
	CHECK(strlen(out) == 200 && strcmp(out + 196, ".pdf") == 0, "280 bytes become 200, the suffix stays");
	memmove(in + 1, in, strlen(in) + 1);
	in[0] = 'a';
	name_legal(in, out, sizeof(out));
	CHECK(strlen(out) == 199 && strcmp(out + 195, ".pdf") == 0, "no character is cut in two");
	memset(in, 'a', 599);
	in[599] = '\0';
	name_legal(in, out, sizeof(out));
	CHECK(strlen(out) == 200, "no suffix, still 200");
	snprintf(in, sizeof(in), "lpt2%250s", "3");
	name_legal(in, out, sizeof(out));
	CHECK(strcmp(out, "_lpt2") == 0, "what is left of a long name is no device either (%s)", out);
	snprintf(in, sizeof(in), "aux%250s", "b.pdf");
	name_legal(in, out, sizeof(out));
	CHECK(strcmp(out, "_aux.pdf") == 0, "nor with a suffix (%s)", out);
}

static void
test_fits(void)
{
	static const struct { const char *pattern, *name; bool fits; } cases[] = {
		{ "", "", true }, { "", "a", false }, { "*", "", true }, { "*", "brief.tif", true }, { "?", "", false }, { "?", "ü", true },
		{ "*.tif", "brief.tif", true }, { "*.tif", "brief.tiff", false }, { "a*b*c", "axxbxxbyc", true }, { "a*b*c", "axxbxxby", false },
		{ "br?ef*", "brief", true }, { "*ü*", "für", true }, { "*aab", "aaaaab", true }, { "**", "x", true }, { "a", "b", false },
	};
	char pattern[200], name[400];
	size_t wrong = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (name_fits(cases[i].pattern, cases[i].name) != cases[i].fits) {
			printf("# %s %s\n", cases[i].pattern, cases[i].name);
			wrong++;
		}
	CHECK(wrong == 0, "patterns fit whole names");
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + sizeof(pattern) - 2, "b", 2);
	CHECK(!name_fits(pattern, name), "a hundred stars take no longer than two");
}

int
main(void)
{
	test_fits();
	test_expand();
	test_time();
	test_legal();
	return TEST_DONE();
}
