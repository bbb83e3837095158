/*
 * f_match.c - looking for a phrase or an expression in whatever a page says.
 *
 * The first line is what the settings look for, the rest is the page.  A phrase
 * or an expression that the settings accept must be looked for in a bounded time:
 * the page comes from whoever drops a document.
 */
#include <time.h>

#include "agent/lib/path.h"
#include "rules/ere.h"
#include "rules/find.h"
#include "rules/match.h"
#include "rules/typed.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/pages.h"

#define SECONDS_MAX 5 /* of our own CPU; sanitizers cost a factor of three */

static double
cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
expression(const char *take, const char *text)
{
	double began = cpu();
	char why[256] = "";
	size_t from, to;
	regex_t re;

	if (!ere_check(take, why, sizeof(why)) || !ere_compile(&re, take, why, sizeof(why))) {
		FUZZ_MUST(why[0] != '\0' || cpu() - began > SECONDS_MAX, "an expression is refused without a word");
		return;
	}
	if (ere_find(&re, text, &from, &to)) {
		fuzz_accepted();
		FUZZ_MUST(from < to && to <= strlen(text), "a match from %zu to %zu of %zu", from, to, strlen(text));
		fuzz_planted(to - from == 6 && text[from] == 'S', (const uint8_t *)text, strlen(text));
	}
	regfree(&re);
	FUZZ_MUST(cpu() - began < SECONDS_MAX, "%.1f s for /%s/", cpu() - began, take);
}

static void
page(struct sheet *s, char *text)
{
	char *rest, *line = strtok_r(text, "\n", &rest);

	memset(s, 0, sizeof(*s));
	for (int y = 100; line != NULL && y < 800 && s->used + strlen(line) + 2 < sizeof(s->text) && s->n + strlen(line) < 2000;
	     y += 14, line = strtok_r(NULL, "\n", &rest)) {
		utf8_scrub(line);
		sheet_line(s, 60, y, line);
	}
}

static void
phrase(const char *looked_for, const struct page_words *p, uint32_t typos)
{
	const struct conf_pages all = { .kind = PAGES_ALL };
	struct doc_words doc = { .npages = 1, .pages = p, .source_name = "x" };
	struct conf_find find = { .name = "n", .after = { (char *[]){ (char *)(uintptr_t)looked_for }, 1 }, .take = { .text = "[0-9]+" } };
	struct found f = { 0 };
	struct doc_tokens d;
	struct err e = { 0 };
	double began = cpu();
	AUTO_MATCHES m = { 0 }, seen = { 0 };
	char text[200];

	if (phrase_check(looked_for) != NULL)
		return;
	FUZZ_MUST(tokens_init(&d, &doc, &e) == 0 && match_find(&d, &all, looked_for, typos, false, &m, &e) == 0, "%s", e.text);
	for (size_t i = 0; i < m.n; i++) {
		FUZZ_MUST(m.v[i].first <= m.v[i].last && m.v[i].last < p->nwords && m.v[i].page == 0, "a match outside the page");
		FUZZ_MUST(match_text(&d, &m.v[i], text, sizeof(text), &e) == 0, "%s", e.text);
		FUZZ_MUST(utf8_valid(text, strlen(text)), "a match's text is not UTF-8");
	}
	if (regcomp(&find.take.re, find.take.text, REG_EXTENDED) != 0)
		abort();
	find.type = typos; /* as many types as numbers of typos */
	FUZZ_MUST(find_value(&d, &find, typos, &seen, &f, &e) == 0, "%s", e.text);
	FUZZ_MUST(!f.value_found || (f.value[0] != '\0' && utf8_valid(f.value, strlen(f.value))), "a value that is none");
	regfree(&find.take.re);
	tokens_done(&d);
	FUZZ_MUST(cpu() - began < SECONDS_MAX, "%.1f s for '%s'", cpu() - began, looked_for);
}

/* Values come from pages, patterns from the settings, names from whoever drops a document. */
static void
values(const char *pattern, const char *text)
{
	char value[MSG_TEXT_MAX];
	double began = cpu();

	for (enum find_type type = FIND_TEXT; type <= FIND_AMOUNT; type++)
		if (typed_value(type, text, value, sizeof(value)) && type != FIND_TEXT)
			FUZZ_MUST(value[0] != '\0' && value[strspn(value, "0123456789.-")] == '\0', "\"%s\" is a value", value);
	(void)name_fits(pattern, text);
	FUZZ_MUST(cpu() - began < SECONDS_MAX, "%.1f s for a pattern of %zu bytes", cpu() - began, strlen(pattern));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sheet s;
	char *text, *rest;
	struct page_words p;

	if (size == 0 || size > 4096)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	rest = text + strcspn(text, "\n");
	if (*rest == '\n')
		*rest++ = '\0';
	if (utf8_valid(text, strlen(text))) {
		char *line = strdup(rest);

		if (line == NULL)
			abort();
		utf8_scrub(line);
		expression(text, line);
		values(text, line);
		free(line);
		page(&s, rest);
		p = sheet_page(&s);
		phrase(text, &p, data[0] % 4);
	}
	free(text);
	return 0;
}
