#include <stdio.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/ere.h"
#include "rules/fold.h"

#define COPIES_MAX 1000 /* all counts {m,n} multiplied */

static bool
alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static const char *
remedy(char c)
{
	switch (c) {
	case 'd':
		return "write [0-9]";
	case 'D':
		return "write [^0-9]";
	case 't':
	case 'n':
	case 'r':
		return "write [[:space:]]; the text is one line";
	default:
		return c >= '0' && c <= '9' ? "back-references are not allowed" : "leave the backslash out";
	}
}

/* The end of a bracket expression whose '[' stands before p; inside it a backslash is itself. */
static const char *
bracket_end(const char *p)
{
	if (*p == '^')
		p++;
	if (*p == ']')
		p++;
	while (*p != '\0' && *p != ']') {
		if (p[0] == '[' && (p[1] == ':' || p[1] == '.' || p[1] == '=')) {
			const char close[3] = { p[1], ']', '\0' };
			const char *end = strstr(p + 2, close);

			p = end == NULL ? p + 1 : end + 2;
		} else {
			p++;
		}
	}
	return p;
}

/* glibc copies what a count repeats, and counts in counts multiply. */
static bool
count_check(const char *p, unsigned *copies)
{
	unsigned n = 0, most = 1;

	for (; *p != '\0' && *p != '}'; p++) {
		n = *p >= '0' && *p <= '9' ? n * 10 + (unsigned)(*p - '0') : 0;
		if (n > COPIES_MAX)
			return false;
		most = n > most ? n : most;
	}
	*copies *= most;
	return *copies <= COPIES_MAX;
}

/* So does "+", which stands for "{1,}": behind a group or another repetition each doubles what is there. */
static bool
plus_check(char before, unsigned *copies)
{
	if (before != '\0' && strchr(")+*?}", before) != NULL)
		*copies *= 2;
	return *copies <= COPIES_MAX;
}

bool
ere_check(const char *text, char *why, size_t size)
{
	unsigned copies = 1;
	char before = '\0'; /* the sign before *p, an escaped one too: that only refuses sooner */

	if (*text == '\0' || strlen(text) > ERE_MAX) {
		snprintf(why, size, "an expression has 1 to %d bytes", ERE_MAX);
		return false;
	}
	for (const char *p = text; *p != '\0'; before = *p, p++) {
		if (*p == '[') {
			p = bracket_end(p + 1);
			if (*p == '\0')
				break; /* regcomp words it */
		} else if (*p == '\\' && p[1] != '\0') {
			if (alnum(p[1]) && strchr("wWsSbB", p[1]) == NULL) {
				snprintf(why, size, "character %td: \"\\%c\" is not known here (only \\w \\W \\s \\S \\b \\B): %s",
				    p - text + 1, p[1], remedy(p[1]));
				return false;
			}
			p++;
		} else if (*p == '{' && !count_check(p + 1, &copies)) {
			snprintf(why, size, "character %td: the counts {m,n} multiply to more than %d: make them smaller",
			    p - text + 1, COPIES_MAX);
			return false;
		} else if (*p == '+' && !plus_check(before, &copies)) {
			snprintf(why, size, "character %td: too many groups repeated with + in one expression: use * or leave some out",
			    p - text + 1);
			return false;
		}
	}
	return true;
}

bool
ere_compile(regex_t *re, const char *text, char *why, size_t size)
{
	char said[128];
	int r = regcomp(re, text, REG_EXTENDED);

	if (r == 0)
		return true;
	regerror(r, re, said, sizeof(said));
	snprintf(why, size, "not a regular expression (POSIX extended): %s", said);
	return false;
}

static uint32_t
cp_before(const char *text, size_t at)
{
	const char *p = text + at;

	if (at == 0)
		return ' ';
	do
		p--;
	while (p > text && ((unsigned char)*p & 0xC0) == 0x80);
	return utf8_next(&p, text + at);
}

static uint32_t
cp_at(const char *text, size_t len, size_t at)
{
	const char *p = text + at;

	return at < len ? utf8_next(&p, text + len) : ' ';
}

static bool
digit(uint32_t cp)
{
	return cp >= '0' && cp <= '9';
}

/* A sign between two characters that makes one word of them: "RE-17", "12.03.2026", "12/26". */
static bool
connects(uint32_t before, uint32_t sign, uint32_t after)
{
	if (sign == '-')
		return fold_alnum(before) && fold_alnum(after);
	return sign < 0x80 && strchr(".,/:", (int)sign) != NULL && digit(before) && digit(after);
}

/* Does a word go on across this place? */
static bool
inside_word(const char *text, size_t len, size_t at)
{
	uint32_t before = cp_before(text, at), after = cp_at(text, len, at);

	if (at == 0 || at >= len)
		return false;
	if (fold_alnum(before) && fold_alnum(after))
		return true;
	/* signs are one byte long */
	return connects(before, after, cp_at(text, len, at + 1)) || connects(cp_before(text, at - 1), before, after);
}

bool
ere_find(const regex_t *re, const char *text, size_t *ret_from, size_t *ret_to)
{
	size_t len = strlen(text), at = 0;

	if (len > ERE_TEXT)
		return false;
	while (at <= len) {
		regmatch_t m[2];
		size_t from, to;

		if (regexec(re, text + at, 2, m, at > 0 ? REG_NOTBOL : 0) != 0)
			return false;
		from = at + (size_t)m[0].rm_so;
		to = at + (size_t)m[0].rm_eo;
		if (to > from && !inside_word(text, len, from) && !inside_word(text, len, to)) {
			bool group = re->re_nsub > 0 && m[1].rm_so >= 0 && m[1].rm_eo > m[1].rm_so;

			*ret_from = group ? at + (size_t)m[1].rm_so : from;
			*ret_to = group ? at + (size_t)m[1].rm_eo : to;
			return true;
		}
		/* on to behind the word this one lies in */
		for (at = from + 1; at < len && (((unsigned char)text[at] & 0xC0) == 0x80 || inside_word(text, len, at)); at++)
			;
	}
	return false;
}
