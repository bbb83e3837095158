#include <string.h>

#include "rules/codes.h"
#include "rules/find.h"
#include "rules/line.h"
#include "rules/typed.h"

#define TRIES_MAX 200 /* occurrences of a phrase whose text is tried */
#define BELOW_LINES 2 /* a value below its label is at most this many line heights away */

/* What follows on the match's last line. */
static void
line_rest(const struct page_words *p, const struct match *m, struct line *l)
{
	const struct word *last = &p->words[m->last];

	line_add(l, last->text + m->end);
	for (uint32_t i = m->last + 1; i < p->nwords && i - m->last < LINE_WORDS; i++) {
		if (p->words[i].line != last->line || p->words[i].block != last->block)
			break;
		line_add(l, p->words[i].text);
	}
}

/* The nearest word to the right at the same height: labels and values in two columns. */
static void
line_beside(const struct page_words *p, const struct match *m, struct line *l)
{
	uint32_t best = p->nwords;

	for (uint32_t i = 0; i < p->nwords; i++) {
		const struct box *b = &p->words[i].box;
		int64_t middle = ((int64_t)b->y0 + b->y1) / 2;

		if (middle < m->tail.y0 || middle > m->tail.y1 || b->x0 < m->tail.x1 ||
		    (int64_t)b->x0 - m->tail.x1 > p->width / 2)
			continue;
		if (best == p->nwords || b->x0 < p->words[best].box.x0)
			best = i;
	}
	if (best < p->nwords)
		line_from(p, best, l);
}

static void
line_next(const struct page_words *p, const struct match *m, struct line *l)
{
	const struct word *last = &p->words[m->last];
	uint32_t i = m->last + 1;
	int64_t height = (int64_t)last->box.y1 - last->box.y0;

	while (i < p->nwords && p->words[i].line == last->line && p->words[i].block == last->block)
		i++;
	if (i < p->nwords && p->words[i].block == last->block &&
	    (int64_t)p->words[i].box.y0 - last->box.y1 <= BELOW_LINES * height)
		line_from(p, i, l);
}

/* The nearest word below that shares some of the label's width. */
static void
line_below(const struct page_words *p, const struct match *m, struct line *l)
{
	int64_t height = (int64_t)m->tail.y1 - m->tail.y0;
	uint32_t best = p->nwords;

	for (uint32_t i = 0; i < p->nwords; i++) {
		const struct box *b = &p->words[i].box, *first = best < p->nwords ? &p->words[best].box : NULL;
		int64_t gap = (int64_t)b->y0 - m->tail.y1;

		if (gap < -height / 4 || gap > BELOW_LINES * height || b->x1 <= m->tail.x0 || b->x0 >= m->tail.x1)
			continue;
		if (first == NULL || b->y1 <= first->y0 || (b->y0 < first->y1 && b->x0 < first->x0))
			best = i;
	}
	if (best < p->nwords)
		line_from(p, best, l);
}

static void
text_behind(const struct page_words *p, const struct match *m, struct line *l)
{
	static void (*const places[])(const struct page_words *, const struct match *, struct line *) = {
		line_rest, line_beside, line_next, line_below,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		line_start(l);
		places[i](p, m, l);
		if (l->letters)
			return;
	}
}

static void
cut(char *dst, size_t size, const char *text, size_t n)
{
	while (n > 0 && *text == ' ') {
		text++;
		n--;
	}
	while (n > 0 && text[n - 1] == ' ')
		n--;
	if (n >= size)
		for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
			;
	memcpy(dst, text, n);
	dst[n] = '\0';
}

/* Sets ret->value_found. */
static int
value_at(struct doc_tokens *d, const struct conf_find *f, const struct match *m, struct found *ret, struct err *e)
{
	const struct page_tokens *t = tokens_page(d, m->page, e);
	struct line l;
	char value[MSG_TEXT_MAX];
	size_t from, to;

	if (t == NULL)
		return -(int)e->code;
	text_behind(&t->page, m, &l);
	ret->match = *m;
	cut(ret->text, sizeof(ret->text), l.text, l.len);
	if (!l.letters || !ere_find(&f->take.re, l.text, &from, &to))
		return 0;
	cut(value, sizeof(value), l.text + from, to - from);
	ret->value_found = value[0] != '\0' && typed_value(f->type, value, ret->value, sizeof(ret->value));
	return 0;
}

/* The one value that codes have. */
static int
value_of_codes(struct doc_tokens *d, const struct conf_find *f, const struct conf_pages *pages, struct matches *seen,
    struct found *ret, struct err *e)
{
	size_t had = seen->n;
	int r = codes_find(d, pages, &f->barcode, NULL, false, seen, e);

	for (size_t i = had; r == 0 && i < seen->n && !ret->many; i++) {
		char taken[MSG_TEXT_MAX], value[MSG_TEXT_MAX];
		bool there;

		if ((r = codes_value(d, &seen->v[i], &f->barcode, taken, sizeof(taken), &there, e)) < 0)
			return r;
		if (ret->after == NULL)
			ret->match = seen->v[i];
		ret->after = f->barcode.text;
		if (!there || !typed_value(f->type, taken, value, sizeof(value)))
			continue;
		ret->many = ret->value_found && strcmp(ret->value, value) != 0;
		if (ret->value_found)
			continue;
		ret->value_found = true;
		ret->match = seen->v[i];
		strcpy(ret->text, taken);
		strcpy(ret->value, value);
	}
	ret->value_found = ret->value_found && !ret->many;
	return r;
}

int
find_value(struct doc_tokens *d, const struct conf_find *f, uint32_t typos, struct matches *seen, struct found *ret,
    struct err *e)
{
	static const struct conf_pages all = { .kind = PAGES_ALL };

	*ret = (struct found){ 0 };
	if (f->barcode.text != NULL)
		return value_of_codes(d, f, &all, seen, ret, e);
	for (size_t a = 0; a < f->after.n; a++) {
		size_t had = seen->n;
		int r = match_find(d, &all, f->after.v[a], typos, false, seen, e);

		if (r < 0)
			return r;
		for (int exact = 1; exact >= 0; exact--)
			for (size_t i = had; i < seen->n && i - had < TRIES_MAX; i++) {
				if ((seen->v[i].distance == 0) != (exact == 1))
					continue;
				ret->after = f->after.v[a];
				if ((r = value_at(d, f, &seen->v[i], ret, e)) < 0 || ret->value_found)
					return r;
			}
	}
	return 0;
}
