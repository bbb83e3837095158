#include <string.h>

#include "rules/ere.h"
#include "rules/find.h"

#define LINE_WORDS 200
#define TRIES_MAX 200 /* occurrences of a phrase whose text is tried */
#define BELOW_LINES 2 /* a value below its label is at most this many line heights away */

struct line {
	char text[ERE_TEXT + 1];
	size_t len;
	bool letters; /* there is more than dots and colons */
};

static void
line_add(struct line *l, const char *text)
{
	char plain[FOLD_OUT * PAGEFILE_WORD_BYTES + 1];
	const char *p = plain, *end;

	fold_plain(text, plain, sizeof(plain));
	if (strlen(plain) + 1 > ERE_TEXT - l->len)
		return;
	if (l->len > 0)
		l->text[l->len++] = ' ';
	for (char *c = plain; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = ' ';
	for (end = plain + strlen(plain); p < end && !l->letters;) {
		uint32_t out[FOLD_OUT];
		size_t n = fold_next(&p, end, out);

		l->letters = n > 0 && fold_alnum(out[0]);
	}
	memcpy(l->text + l->len, plain, (size_t)(end - plain));
	l->len += (size_t)(end - plain);
	l->text[l->len] = '\0';
}

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

/* Adds the line of word i, from it on. */
static void
line_from(const struct page_words *p, uint32_t i, struct line *l)
{
	const struct word *first = &p->words[i];

	for (uint32_t j = i; j < p->nwords && j - i < LINE_WORDS; j++) {
		if (p->words[j].line != first->line || p->words[j].block != first->block)
			break;
		line_add(l, p->words[j].text);
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
		l->len = 0;
		l->text[0] = '\0';
		l->letters = false;
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

static bool
value_at(const struct doc_words *doc, const struct conf_find *f, const struct match *m, struct found *ret)
{
	const struct page_words *p = &doc->pages[m->page];
	struct line l = { .len = 0 };
	size_t from, to;

	text_behind(p, m, &l);
	ret->match = *m;
	cut(ret->text, sizeof(ret->text), l.text, l.len);
	if (!l.letters || !ere_find(&f->re, l.text, &from, &to))
		return false;
	cut(ret->value, sizeof(ret->value), l.text + from, to - from);
	return ret->value[0] != '\0';
}

int
find_value(struct doc_tokens *d, const struct conf_find *f, uint32_t typos, struct matches *seen, struct found *ret,
    struct err *e)
{
	static const struct conf_pages all = { .kind = PAGES_ALL };

	*ret = (struct found){ 0 };
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
				if ((ret->value_found = value_at(d->doc, f, &seen->v[i], ret)))
					return 0;
			}
	}
	return 0;
}
