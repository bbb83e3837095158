#include <stdlib.h>
#include <string.h>

#include "rules/match.h"

#define LETTERS_A_TYPO 4
#define GAP_WORDS 4 /* a phrase's words are nearer than this many line heights */
#define GAP_LINES 2 /* and its lines than this many */

void
match_pages(const struct conf_pages *p, uint32_t npages, uint32_t *from, uint32_t *to)
{
	*from = 0;
	*to = npages;
	if (p->kind == PAGES_FIRST)
		*to = npages > 0;
	else if (p->kind == PAGES_LAST)
		*from = npages > 0 ? npages - 1 : 0;
	else if (p->kind == PAGES_RANGE) {
		*from = p->from - 1 < npages ? p->from - 1 : npages;
		*to = p->to < npages ? p->to : npages;
	}
}

static uint32_t
limit(uint32_t typos, size_t letters)
{
	uint32_t most = (uint32_t)(letters / LETTERS_A_TYPO);

	return typos < most ? typos : most;
}

static const struct word *
word_of(const struct page_tokens *t, size_t token)
{
	return &t->page->words[t->v[token].word];
}

static bool
same_line(const struct page_tokens *t, size_t a, size_t b)
{
	return word_of(t, a)->line == word_of(t, b)->line && word_of(t, a)->block == word_of(t, b)->block;
}

/* Do two neighbours read on: near on one line, or the end of one and the start of the next line? */
static bool
reads_on(const struct page_tokens *t, size_t a)
{
	const struct box *x = &word_of(t, a)->box, *y = &word_of(t, a + 1)->box;
	int64_t height = (int64_t)x->y1 - x->y0;

	if (t->v[a].word == t->v[a + 1].word)
		return true;
	if (same_line(t, a, a + 1))
		return (int64_t)y->x0 - x->x1 <= GAP_WORDS * height;
	return word_of(t, a)->block == word_of(t, a + 1)->block && (int64_t)y->y0 - x->y1 <= GAP_LINES * height;
}

/* "Rech-" and "nung": as one word, with and without the dash. Returns the lower distance. */
static uint32_t
joined_distance(const struct page_tokens *t, size_t i, const uint32_t *cps, size_t len, uint32_t max)
{
	const struct token *a = &t->v[i], *b = &t->v[i + 1];
	uint32_t both[2 * PAGEFILE_WORD_BYTES + 1], plain, dashed;

	memcpy(both, token_cps(t, a), a->len * sizeof(*both));
	memcpy(both + a->len, token_cps(t, b), b->len * sizeof(*both));
	plain = fold_distance(both, (size_t)a->len + b->len, cps, len, max);
	both[a->len] = '-';
	memcpy(both + a->len + 1, token_cps(t, b), b->len * sizeof(*both));
	dashed = fold_distance(both, (size_t)a->len + b->len + 1, cps, len, max);
	return plain < dashed ? plain : dashed;
}

static bool
bits_at_most(uint64_t bits, uint32_t n)
{
	for (; n > 0; n--)
		bits &= bits - 1;
	return bits == 0;
}

/* Cheap: can two words with these letters be that near? */
static bool
letters_near(uint64_t a, uint64_t b, uint32_t max)
{
	return bits_at_most(a & ~b, max) && bits_at_most(b & ~a, max);
}

/* The w-th word of a phrase at token i: how many tokens it takes, 0 for none. */
static size_t
word_at(const struct page_tokens *t, size_t i, const struct phrase *p, size_t w, uint32_t max, uint32_t *distance)
{
	const struct token *k = &t->v[i];
	const uint32_t *cps = p->cps + p->at[w];
	size_t len = p->len[w];
	uint32_t single = max + 1;

	if (letters_near(k->letters, p->letters[w], max))
		single = fold_distance(token_cps(t, k), k->len, cps, len, max);

	if (k->hyphen && i + 1 < t->n && reads_on(t, i)) {
		uint32_t joined = joined_distance(t, i, cps, len, max);

		if (joined <= max && joined < single) {
			*distance += joined;
			return 2;
		}
	}
	if (single > max)
		return 0;
	*distance += single;
	return 1;
}

static size_t
phrase_at(const struct page_tokens *t, size_t i, const struct phrase *p, uint32_t typos, uint32_t *distance)
{
	size_t at = i;

	*distance = 0;
	for (size_t w = 0; w < p->n; w++) {
		size_t took;

		if (at >= t->n || (at > i && !reads_on(t, at - 1)))
			return 0;
		took = word_at(t, at, p, w, limit(typos, p->len[w]), distance);
		if (took == 0)
			return 0;
		at += took;
	}
	return at - i;
}

/* Length and letters say that n tokens from i on can be the phrase with other blanks. */
static bool
blanks_near(const struct page_tokens *t, size_t i, size_t n, const struct phrase *p, uint32_t max)
{
	uint64_t letters = 0;
	size_t len = 0;

	if (n == 0 || n > t->n - i || max == 0 || !letters_near(t->v[i].letters & ~p->all_letters, 0, max - 1))
		return false;
	for (size_t j = i; j < i + n; j++) {
		letters |= t->v[j].letters;
		len += t->v[j].len;
		if (j > i && (!same_line(t, j - 1, j) || !reads_on(t, j - 1)))
			return false;
	}
	return len <= FOLD_WORD_MAX && len <= p->ncps + max && len + max >= p->ncps &&
	    letters_near(letters, p->all_letters, max - 1);
}

/* The phrase without its blanks against n tokens without theirs: the odd blank is one typo. */
static bool
blanks_at(const struct page_tokens *t, size_t i, size_t n, const struct phrase *p, uint32_t max, uint32_t *distance)
{
	uint32_t cps[FOLD_WORD_MAX];
	size_t len = 0;

	for (size_t j = i; j < i + n; j++) {
		memcpy(cps + len, token_cps(t, &t->v[j]), t->v[j].len * sizeof(*cps));
		len += t->v[j].len;
	}
	*distance = 1 + fold_distance(cps, len, p->cps, p->ncps, max - 1);
	return *distance <= max;
}

static void
box_add(struct box *b, const struct box *more)
{
	if (b->x0 == b->x1) {
		*b = *more;
		return;
	}
	b->x0 = more->x0 < b->x0 ? more->x0 : b->x0;
	b->y0 = more->y0 < b->y0 ? more->y0 : b->y0;
	b->x1 = more->x1 > b->x1 ? more->x1 : b->x1;
	b->y1 = more->y1 > b->y1 ? more->y1 : b->y1;
}

static struct match
match_make(const struct page_tokens *t, uint32_t page, size_t i, size_t n, uint32_t distance)
{
	struct match m = {
		.page = page,
		.first = t->v[i].word,
		.last = t->v[i + n - 1].word,
		.end = t->v[i + n - 1].to,
		.distance = distance,
		.token = i,
		.tokens = n,
	};

	for (size_t j = i; j < i + n; j++) {
		struct box b = token_box(t, &t->v[j]);

		box_add(&m.box, &b);
		if (same_line(t, i, j))
			box_add(&m.head, &b);
		if (same_line(t, i + n - 1, j))
			box_add(&m.tail, &b);
	}
	return m;
}

/* Keeps the better of two that overlap; the earlier one of equals. */
static int
matches_add(struct matches *all, const struct match *m, struct err *e)
{
	struct match *before = all->n > 0 ? &all->v[all->n - 1] : NULL;

	if (before != NULL && before->page == m->page && m->token < before->token + before->tokens) {
		if (m->distance < before->distance)
			*before = *m;
		return 0;
	}
	if (all->n == MATCHES_MAX) {
		all->cut = true;
		return 0;
	}
	if (all->n == all->cap) {
		size_t cap = all->cap == 0 ? 16 : all->cap * 2;
		struct match *v = reallocarray(all->v, cap, sizeof(*v));

		if (v == NULL)
			return err_set(e, ERR_MEM, "matches");
		all->v = v;
		all->cap = cap;
	}
	all->v[all->n++] = *m;
	return 0;
}

static int
page_find(const struct page_tokens *t, uint32_t page, const struct phrase *p, uint32_t typos, struct matches *all,
    struct err *e)
{
	const size_t others[] = { p->n + 1, p->n - 1 }; /* tokens, when a blank is odd */
	uint32_t max = limit(typos, p->ncps);

	for (size_t i = 0; i < t->n; i++) {
		uint32_t distance = 0;
		size_t n = phrase_at(t, i, p, typos, &distance);
		struct match m;
		int r;

		for (size_t k = 0; k < 2 && n == 0; k++)
			if (blanks_near(t, i, others[k], p, max) && blanks_at(t, i, others[k], p, max, &distance))
				n = others[k];
		if (n == 0)
			continue;
		m = match_make(t, page, i, n, distance);
		if ((r = matches_add(all, &m, e)) < 0)
			return r;
	}
	return 0;
}

int
match_find(struct doc_tokens *d, const struct conf_pages *pages, const char *text, uint32_t typos, bool first_only,
    struct matches *all, struct err *e)
{
	struct phrase p;
	uint32_t from, to;
	size_t had = all->n;

	phrase_read(&p, text);
	match_pages(pages, d->doc->npages, &from, &to);
	for (uint32_t page = from; page < to && p.n > 0; page++) {
		const struct page_tokens *t = tokens_page(d, page, e);
		int r = t == NULL ? -(int)e->code : page_find(t, page, &p, typos, all, e);

		if (r < 0)
			return r;
		if (first_only && all->n > had)
			break;
	}
	return 0;
}

void
matches_done(struct matches *m)
{
	free(m->v);
	*m = (struct matches){ 0 };
}

void
match_text(const struct doc_words *doc, const struct match *m, char *dst, size_t size)
{
	const struct page_words *p = &doc->pages[m->page];
	size_t len = 0;

	dst[0] = '\0';
	for (uint32_t i = m->first; i <= m->last && i < p->nwords && len + 2 < size; i++) {
		if (i > m->first)
			dst[len++] = ' ';
		fold_plain(p->words[i].text, dst + len, size - len);
		len += strlen(dst + len);
	}
}
