/*
 * f_names.c - any bytes as the name of a file, a template, a value of the settings.
 *
 * Names come from whoever may write into a hot folder.  What is logged, shown
 * or written must keep to its alphabet, whatever they are.
 */
#include <ctype.h>

#include "agent/hot.h"
#include "agent/lib/err.h"
#include "agent/lib/id.h"
#include "agent/lib/path.h"
#include "rules/fold.h"
#include "rules/rules.h"
#include "rules/value.h"
#include "tests/fuzz/fuzz.h"

static void
shown(const char *name)
{
	char escaped[3 * 256 + 1], display[3 * 256 + 1], small[7];
	struct err e = { 0 };

	path_escape(name, escaped, sizeof(escaped));
	for (const char *p = escaped; *p != '\0'; p++)
		FUZZ_MUST(isalnum((unsigned char)*p) || strchr("._-%", *p) != NULL, "%02x in an escaped name", (unsigned char)*p);
	path_display(name, display, sizeof(display));
	FUZZ_MUST(utf8_valid(display, strlen(display)), "a displayed name is not UTF-8");
	for (const char *p = display, *end = display + strlen(display); p < end;) {
		uint32_t c = utf8_next(&p, end);

		FUZZ_MUST(c >= 0x20 && !(c >= 0x7F && c < 0xA0) && !(c >= 0x202A && c <= 0x202E) && !(c >= 0x2066 && c <= 0x2069),
		    "U+%04X in a displayed name", c);
	}
	path_display(name, small, sizeof(small));
	FUZZ_MUST(strlen(small) < sizeof(small) && utf8_valid(small, strlen(small)), "a cut name is not UTF-8");
	err_set(&e, ERR_IO, "%s", name);
	FUZZ_MUST(utf8_valid(e.text, strlen(e.text)) && strchr(e.text, '\n') == NULL, "an error text is not one line of UTF-8");
}

/* Windows' rules, as Microsoft's "Naming Files, Paths, and Namespaces" has them. */
static void
legal(const char *name)
{
	char once[256], twice[256], small[12];
	size_t n;

	name_legal(name, once, sizeof(once));
	n = strlen(once);
	FUZZ_MUST(n > 0 && n <= 200 && utf8_valid(once, n), "a file name of %zu bytes", n);
	FUZZ_MUST(strpbrk(once, "<>:\"/\\|?*") == NULL, "a sign in '%s' that Windows can not show", once);
	FUZZ_MUST(once[n - 1] != '.' && once[n - 1] != ' ', "'%s' ends in a dot or a blank", once);
	for (const char *p = once; *p != '\0'; p++)
		FUZZ_MUST((unsigned char)*p >= 0x20 && *p != 0x7F, "a control in a file name");
	name_legal(once, twice, sizeof(twice));
	FUZZ_MUST(strcmp(once, twice) == 0, "'%s' is not legal itself: '%s'", once, twice);
	FUZZ_MUST(!hot_ignored(once) || once[0] == '~' || strrchr(once, '.') != NULL, "a legal name '%s' begins with a dot", once);
	name_legal(name, small, sizeof(small));
	n = strlen(small);
	FUZZ_MUST(n > 0 && n < sizeof(small) && utf8_valid(small, n) && small[n - 1] != '.' && small[n - 1] != ' ',
	    "a short file name '%s'", small);
	fuzz_planted(n > 3 && strstr(once, "(7)") != NULL, (const uint8_t *)name, strlen(name));
}

static void
folded(const char *text)
{
	char a[600], b[600];

	fold_text(text, a, sizeof(a));
	fold_text(a, b, sizeof(b));
	FUZZ_MUST(utf8_valid(a, strlen(a)), "folded text is not UTF-8");
	FUZZ_MUST(strlen(a) > sizeof(a) - 16 || strcmp(a, b) == 0, "folding '%s' again changes it: '%s'", a, b);
	fold_plain(text, a, sizeof(a));
	FUZZ_MUST(utf8_valid(a, strlen(a)), "plain text is not UTF-8");
}

static const char *
lookup(void *ctx, const char *variable, const char *format)
{
	static char when[100];

	if (strcmp(variable, "time") == 0)
		return name_time(1795340070000000, format, "de", when, sizeof(when)) ? when : NULL;
	return strcmp(variable, "name") == 0 && format == NULL ? ctx : NULL;
}

static void
expanded(char *tmpl)
{
	struct err e = { 0 };
	char out[64];

	if (name_expand(tmpl, lookup, "Größe", out, sizeof(out), &e) == 0)
		FUZZ_MUST(strlen(out) < sizeof(out) && (!utf8_valid(tmpl, strlen(tmpl)) || utf8_valid(out, strlen(out))),
		    "an expanded name is cut within a character: '%s'", out);
	else
		FUZZ_MUST(e.code == ERR_CONF, "a template fails for another reason");
}

/* What is written reads back as the same number. */
static void
values(const char *text)
{
	struct conf_pages pages;
	char out[VALUE_MAX];
	uint64_t n, m;
	int32_t a, b;
	mode_t mode;

	if (value_length(text, &a) == 0) {
		value_length_text(a, out);
		FUZZ_MUST(value_length(out, &b) == 0 && a == b, "length %d is written %s", a, out);
	}
	if (value_time(text, &n) == 0) {
		value_time_text(n, out);
		FUZZ_MUST(value_time(out, &m) == 0 && n == m, "time %llu is written %s", (unsigned long long)n, out);
	}
	if (value_size(text, &n) == 0) {
		value_size_text(n, out);
		FUZZ_MUST(value_size(out, &m) == 0 && n == m, "size %llu is written %s", (unsigned long long)n, out);
	}
	if (value_pages(text, &pages) == 0) {
		struct conf_pages back = { 0 };

		value_pages_text(&pages, out);
		FUZZ_MUST(value_pages(out, &back) == 0 && back.kind == pages.kind &&
		        (pages.kind != PAGES_RANGE || (back.from == pages.from && back.to == pages.to)),
		    "pages %s are written %s", text, out);
	}
	if (value_mode(text, &mode) == 0)
		FUZZ_MUST((mode & ~07777u) == 0, "mode %o", mode);
	(void)value_number(text, &n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *copy = fuzz_text(data, size);
	uint8_t hash[HASH_LEN];

	fuzz_accepted();
	shown(text);
	legal(text);
	folded(text);
	expanded(text);
	values(text);
	utf8_scrub(copy);
	FUZZ_MUST(strlen(copy) == strlen(text) && utf8_valid(copy, strlen(copy)), "scrubbed text is not UTF-8");
	FUZZ_MUST(id_valid(text) == (strlen(text) == ID_LEN && strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz") == ID_LEN) ||
	        !id_valid(text), "an id with other characters");
	(void)hash_from_hex(text, hash);
	(void)hot_ignored(text);
	free(copy);
	free(text);
	return 0;
}
