#include <stdio.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/confint.h"
#include "rules/ere.h"
#include "rules/fold.h"

#define SIGNS_MAX 500 /* repetitions written out */

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
		return N_("write [0-9]");
	case 'D':
		return N_("write [^0-9]");
	case 't':
	case 'n':
	case 'r':
		return N_("write [[:space:]]; the text is one line");
	default:
		return c >= '0' && c <= '9' ? N_("back-references are not allowed") : N_("leave the backslash out");
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

/*
 * What is read of an expression: how many signs the groups that are open, and what stands
 * last, have with repetitions written out as glibc does, and whether they match nothing too.
 */
struct reading {
	unsigned depth;
	struct group {
		unsigned signs;    /* without what stands last */
		bool empty;        /* by one of the branches before */
		bool branch_empty; /* without what stands last */
	} group[ERE_MAX + 1];
	struct last {
		enum { NOTHING, ONE_SIGN, GROUP, REPETITION } kind;
		unsigned signs;
		bool empty;
	} last;
};

static void
take(struct reading *r, struct last last)
{
	struct group *g = &r->group[r->depth];

	g->signs += r->last.signs;
	g->branch_empty &= r->last.empty;
	r->last = last;
}

static void
branch_start(struct reading *r)
{
	r->group[r->depth].branch_empty = true;
	r->last = (struct last){ NOTHING, 0, true };
}

static void
branch_end(struct reading *r)
{
	struct group *g = &r->group[r->depth];

	take(r, (struct last){ NOTHING, 0, true });
	g->empty |= g->branch_empty;
}

/* One of "()|".  A ')' that closes nothing is itself. */
static void
take_group(struct reading *r, char sign)
{
	struct group *g = &r->group[r->depth];

	if (sign == '(') {
		take(r, (struct last){ NOTHING, 0, true });
		r->group[++r->depth] = (struct group){ 1, false, true };
	} else if (sign == '|') {
		branch_end(r);
		branch_start(r);
	} else if (r->depth > 0) {
		branch_end(r);
		r->depth--;
		r->last = (struct last){ GROUP, g->signs, g->empty };
	} else {
		take(r, (struct last){ ONE_SIGN, 1, false });
	}
}

/* How often glibc writes out what the repetition at p repeats. */
static unsigned
copies(const char *p)
{
	unsigned n = 0, most = 1;

	if (*p == '+')
		return 2;
	if (*p != '{')
		return 1;
	for (p++; *p != '\0' && *p != '}' && most <= SIGNS_MAX; p++) {
		n = *p >= '0' && *p <= '9' ? n * 10 + (unsigned)(*p - '0') : 0;
		most = n > most ? n : most;
	}
	return most;
}

static const char too_long[] =
    N_("the counts, multiplied, make the expression too long: make them smaller, or write * for {m,n} and +");

/*
 * The repetition that starts with *p; NULL when it is accepted.  What repetitions directly
 * behind each other mean POSIX leaves open (XBD 9.4.6); these, and what matches nothing
 * in a loop, glibc compiles in exponential time.
 */
static const char *
take_repetition(struct reading *r, const char *p)
{
	struct last *l = &r->last;

	if (l->kind == REPETITION)
		return N_("a repetition directly behind another one: leave one out");
	if (*p != '?' && l->empty)
		return N_("what is repeated here can be nothing at all: leave a * or ? in it out");
	if (copies(p) > SIGNS_MAX / (l->signs + 1))
		return too_long;
	l->signs *= copies(p);
	l->empty |= *p == '*' || *p == '?' || strncmp(p, "{0", 2) == 0 || strncmp(p, "{,", 2) == 0;
	l->kind = REPETITION;
	return NULL;
}

/* Where the repetition that starts with *p ends. */
static const char *
repetition_end(const char *p)
{
	const char *end = strchr(p, '}');

	if (*p != '{')
		return p;
	return end != NULL ? end : p + strlen(p) - 1;
}

static bool
escape_known(char c)
{
	return !alnum(c) || strchr("wWsSbB", c) != NULL;
}

/* Takes one piece at *p and moves *p to its last byte; NULL or what is wrong. */
static const char *
take_piece(struct reading *r, const char **p)
{
	const char *why = NULL;

	switch (**p) {
	case '[':
		*p = bracket_end(*p + 1);
		take(r, (struct last){ ONE_SIGN, 1, false });
		break;
	case '\\':
		*p += (*p)[1] != '\0';
		take(r, (struct last){ ONE_SIGN, 1, **p == 'b' || **p == 'B' });
		break;
	case '^':
	case '$':
		take(r, (struct last){ ONE_SIGN, 1, true });
		break;
	case '(':
	case ')':
	case '|':
		take_group(r, **p);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		why = take_repetition(r, *p);
		*p = repetition_end(*p);
		break;
	default:
		take(r, (struct last){ ONE_SIGN, 1, false });
	}
	return why;
}

bool
ere_check(const char *text, char *why, size_t size)
{
	struct reading r = { 0 };

	if (*text == '\0' || strlen(text) > ERE_MAX) {
		snprintf(why, size, problem_words("an expression has 1 to %d bytes"), ERE_MAX);
		return false;
	}
	branch_start(&r);
	for (const char *p = text, *refused; *p != '\0'; p++) {
		ptrdiff_t at = p - text + 1;

		if (*p == '\\' && p[1] != '\0' && !escape_known(p[1])) {
			snprintf(why, size, problem_words("character %td: \"\\%c\" is not known here (only \\w \\W \\s \\S \\b \\B): %s"),
			    at, p[1], problem_words(remedy(p[1])));
			return false;
		}
		refused = take_piece(&r, &p);
		if (refused != NULL) {
			snprintf(why, size, problem_words("character %td: %s"), at, problem_words(refused));
			return false;
		}
		if (*p == '\0')
			break; /* a bracket that does not end: regcomp words it */
	}
	branch_end(&r);
	if (r.group[r.depth].signs > SIGNS_MAX) {
		snprintf(why, size, "%s", problem_words(too_long));
		return false;
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
	snprintf(why, size, problem_words("not a regular expression (POSIX extended): %s"), said);
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
