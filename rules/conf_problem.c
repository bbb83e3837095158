#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/confint.h"

#define PROBLEMS_MAX 200 /* nobody reads more at once */

/* One set a process, as conf.h says: settings are read by one thread, at start. */
static struct {
	struct conf_problem *v;
	size_t n;
	const struct conf *conf; /* that is read */
	char first[256]; /* the main file comes first */
	const char *language;
} problems;
static conf_words *words;

void
conf_words_use(conf_words *use)
{
	words = use;
}

const char *
problem_words(const char *english)
{
	const char *language = problems.conf == NULL ? NULL : problems.conf->language;

	return words == NULL || language == NULL ? english : words(language, english);
}

void
problems_clear(const struct conf *c)
{
	free(problems.v);
	memset(&problems, 0, sizeof(problems));
	problems.conf = c;
}

/* Of the key, or of the nearest group about it that is given. */
static const struct conf_spot *
spot_find(const struct conf *c, const char *key)
{
	char name[256];

	snprintf(name, sizeof(name), "%s", key);
	for (char *dot = name; dot != NULL;) {
		for (size_t i = 0; i < c->nspots; i++)
			if (strcmp(c->spots[i].key, name) == 0)
				return &c->spots[i];
		if ((dot = strrchr(name, '.')) != NULL)
			*dot = '\0';
	}
	return NULL;
}

struct conf_where
conf_locate(const struct conf *c, const char *key)
{
	const struct conf_spot *s = spot_find(c, key);

	return s != NULL ? s->where : (struct conf_where){ c->path, c->lines };
}

/* The key a text begins with knows better where it stands than its group. */
static void
place_of_key(struct conf_problem *p)
{
	size_t n = strspn(p->text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	const struct conf_spot *s;
	char key[256];

	if (p->text[n] != ':' || n == 0 || n >= sizeof(key) || problems.conf == NULL)
		return;
	snprintf(key, sizeof(key), "%.*s", (int)n, p->text);
	if ((s = spot_find(problems.conf, key)) == NULL)
		return;
	snprintf(p->file, sizeof(p->file), "%s", s->where.file);
	p->line = s->where.line;
}

__attribute__((format(printf, 3, 0))) static struct conf_problem *
add(const struct conf_where *where, bool warning, const char *fmt, va_list ap)
{
	struct conf_problem *p;

	if (problems.v == NULL)
		problems.v = calloc(PROBLEMS_MAX, sizeof(*problems.v));
	if (problems.v == NULL)
		abort(); /* mistakes that can not be noted would be taken for none */
	if (problems.n == PROBLEMS_MAX)
		return NULL;
	p = &problems.v[problems.n++];
	snprintf(p->file, sizeof(p->file), "%s", where->file);
	p->line = where->line;
	p->warning = warning;
	vsnprintf(p->text, sizeof(p->text), problem_words(fmt), ap);
	return p;
}

void
problem_add(const struct conf_where *where, bool warning, const char *fmt, ...)
{
	struct conf_problem *p;
	va_list ap;

	va_start(ap, fmt);
	p = add(where, warning, fmt, ap);
	va_end(ap);
	if (p != NULL)
		place_of_key(p);
}

void
problem_here(const struct conf_where *where, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)add(where, false, fmt, ap);
	va_end(ap);
}

/* glibc's qsort() is a merge sort: equal places stay in the order of finding. */
static int
by_place(const void *a, const void *b)
{
	const struct conf_problem *x = a, *y = b;
	int r = (strcmp(x->file, problems.first) != 0) - (strcmp(y->file, problems.first) != 0);

	if (r == 0)
		r = strcmp(x->file, y->file);
	return r != 0 ? r : x->line < y->line ? -1 : x->line > y->line;
}

void
problems_sort(const char *first)
{
	snprintf(problems.first, sizeof(problems.first), "%s", first);
	if (problems.conf != NULL && problems.conf->language != NULL && strcmp(problems.conf->language, "de") == 0)
		problems.language = "de";
	problems.conf = NULL; /* read to its end */
	if (problems.n > 1)
		qsort(problems.v, problems.n, sizeof(*problems.v), by_place);
}

const char *
conf_problems_language(void)
{
	return problems.language == NULL ? "en" : problems.language;
}

size_t
problems_errors(const struct conf_problem **first)
{
	size_t n = 0;

	for (size_t i = 0; i < problems.n; i++)
		if (!problems.v[i].warning && n++ == 0)
			*first = &problems.v[i];
	return n;
}

size_t
conf_problems(const struct conf_problem **ret)
{
	*ret = problems.v;
	return problems.n;
}
