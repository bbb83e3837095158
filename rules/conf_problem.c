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
	char first[256]; /* the main file comes first */
} problems;

void
problems_clear(void)
{
	free(problems.v);
	memset(&problems, 0, sizeof(problems));
}

void
problem_add(const struct conf_where *where, bool warning, const char *fmt, ...)
{
	struct conf_problem *p;
	va_list ap;

	if (problems.v == NULL)
		problems.v = calloc(PROBLEMS_MAX, sizeof(*problems.v));
	if (problems.v == NULL)
		abort(); /* mistakes that can not be noted would be taken for none */
	if (problems.n == PROBLEMS_MAX)
		return;
	p = &problems.v[problems.n++];
	snprintf(p->file, sizeof(p->file), "%s", where->file);
	p->line = where->line;
	p->warning = warning;
	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
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
	if (problems.n > 1)
		qsort(problems.v, problems.n, sizeof(*problems.v), by_place);
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
