#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "rules/match.h"
#include "rules/misread.h"

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
	return &t->page.words[t->v[token].word];
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

/* Typos that the next word may have; distances are half ones until they leave this file. */
static uint32_t
halves(uint32_t typos)
{
	return typos * MISREAD_TYPO;
}

/* "Rech-" and "nung": as one word, with and without the dash. Returns the lower distance. */
static uint32_t
joined_distance(const struct page_tokens *t, size_t i, const uint32_t *cps, size_t len, uint32_t max)
{
	const struct token *a = &t->v[i], *b = &t->v[i + 1];
	uint32_t both[2 * PAGEFILE_WORD_BYTES + 1], plain, dashed;

	memcpy(both, token_cps(t, a), a->len * sizeof(*both));
	memcpy(both + a->len, token_cps(t, b), b->len * sizeof(*both));
	plain = misread_distance(both, (size_t)a->len + b->len, cps, len, max);
	both[a->len] = '-';
	memcpy(both + a->len + 1, token_cps(t, b), b->len * sizeof(*both));
	dashed = misread_distance(both, (size_t)a->len + b->len + 1, cps, len, max);
	return plain < dashed ? plain : dashed;
}

/* How many bits are set, without a loop: this runs for every word of a page and every phrase of every rule. */
static inline uint32_t
bits(uint64_t v)
{
	v -= v >> 1 & 0x5555555555555555u;
	v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
	v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
	return (uint32_t)(v * 0x0101010101010101u >> 56);
}

/* Cheap: can two words with these letters be that near? A half typo may stand for two letters on one side and one on the other. */
static inline bool
letters_near(uint64_t a, uint64_t b, uint32_t max)
{
	uint32_t more, less;

	if (max == 0)
		return a == b;
	more = bits(a & ~b);
	less = bits(b & ~a);
	return more <= 2 * max && less <= 2 * max && more + less <= 3 * max;
}

static inline bool
length_near(size_t a, size_t b, uint32_t max)
{
	return a <= b + max && b <= a + max;
}

/* The w-th word of a phrase and a token alone, whatever stands beside it; max + 1 when it is another word. */
static uint32_t
single_distance(const struct page_tokens *t, const struct token *k, const struct phrase *p, size_t w, uint32_t max)
{
	const uint32_t *cps = p->cps + p->at[w];
	size_t len = p->len[w];
	uint32_t single = max + 1;

	if (length_near(k->len, len, max) && letters_near(k->letters, p->letters[w], max))
		single = misread_distance(token_cps(t, k), k->len, cps, len, max);
	return single > 0 && single <= max && misread_inside(token_cps(t, k), k->len, cps, len) ? max + 1 : single;
}

/* The w-th word of a phrase at token i: how many tokens it takes, 0 for none. */
static size_t
word_at(const struct page_tokens *t, size_t i, const struct phrase *p, size_t w, uint32_t max, uint32_t *distance)
{
	const struct token *k = &t->v[i];
	const uint32_t *cps = p->cps + p->at[w];
	size_t len = p->len[w];
	uint32_t single = single_distance(t, k, p, w, max);

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
		took = word_at(t, at, p, w, halves(limit(typos, p->len[w])), distance);
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

	if (n == 0 || n > t->n - i)
		return false;
	for (size_t j = i; j < i + n; j++) {
		letters |= t->v[j].letters;
		len += t->v[j].len;
	}
	if (len > FOLD_WORD_MAX || len > p->ncps + max || len + max < p->ncps ||
	    !letters_near(letters, p->all_letters, max - MISREAD_TYPO))
		return false;
	for (size_t j = i + 1; j < i + n; j++)
		if (!same_line(t, j - 1, j) || !reads_on(t, j - 1))
			return false;
	return true;
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
	*distance = MISREAD_TYPO + misread_distance(cps, len, p->cps, p->ncps, max - MISREAD_TYPO);
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

/* A sign that recognition set apart from its word: narrow, near, and neither letter nor digit. */
static bool
sign_of(const struct page_words *p, uint32_t word, uint32_t sign)
{
	const struct word *w = &p->words[word], *s = &p->words[sign];
	const char *at = s->text, *end = at + strnlen(at, PAGEFILE_WORD_BYTES);
	int64_t height = (int64_t)w->box.y1 - w->box.y0, gap;

	gap = sign > word ? (int64_t)s->box.x0 - w->box.x1 : (int64_t)w->box.x0 - s->box.x1;
	if (w->line != s->line || w->block != s->block || (int64_t)s->box.x1 - s->box.x0 > height * 2 / 3 || gap > height * 3 / 4)
		return false;
	while (at < end) {
		uint32_t out[FOLD_OUT];

		if (fold_next(&at, end, out) > 0 && fold_alnum(out[0]))
			return false;
	}
	return true;
}

/* The colon behind a label and the bracket before it belong to it, as when they are part of its words. */
static void
signs_add(const struct page_words *p, struct match *m)
{
	if (m->first > 0 && sign_of(p, m->first, m->first - 1)) {
		box_add(&m->box, &p->words[m->first - 1].box);
		box_add(&m->head, &p->words[m->first - 1].box);
	}
	if (m->last + 1 < p->nwords && sign_of(p, m->last, m->last + 1)) {
		box_add(&m->box, &p->words[m->last + 1].box);
		box_add(&m->tail, &p->words[m->last + 1].box);
	}
}

static struct match
match_make(const struct page_tokens *t, uint32_t page, size_t i, size_t n, uint32_t distance)
{
	struct match m = {
		.page = page,
		.first = t->v[i].word,
		.last = t->v[i + n - 1].word,
		.end = t->v[i + n - 1].to,
		.distance = (distance + MISREAD_TYPO - 1) / MISREAD_TYPO,
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
	signs_add(&t->page, &m);
	return m;
}

/* Keeps the better of two that overlap; the earlier one of equals. */
int
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

/* What a word can be the beginning of, as far as it tells itself. */
#define BEGINS 1u /* of the phrase */
#define BLANKS 2u /* of the phrase with other blanks */

/*
 * Most words are the beginning of nothing: said once for all tokens that are the same word,
 * and asked only of those whose length allows it. False: none begins.
 */
static bool
words_begin(const struct page_tokens *t, const struct phrase *p, uint32_t typos, uint32_t max, uint8_t *begins)
{
	const uint32_t first_max = halves(limit(typos, p->len[0]));
	const struct distinct *end = t->distinct + t->ndistinct, *w;
	bool some = false;

	for (w = t->distinct; max > 0 && w < end && w->len <= p->ncps + max; w++)
		if (letters_near(w->letters & ~p->all_letters, 0, max - MISREAD_TYPO)) {
			begins[w->token] = BLANKS;
			some = true;
		}
	w = t->distinct + tokens_of_length(t, p->len[0] > first_max ? p->len[0] - first_max : 0);
	for (; w < end && w->len <= p->len[0] + first_max; w++)
		if (letters_near(w->letters, p->letters[0], first_max) && single_distance(t, &t->v[w->token], p, 0, first_max) <= first_max) {
			begins[w->token] |= BEGINS;
			some = true;
		}
	return some;
}

/* How many tokens from i on are the phrase; 0: they are not. */
static size_t
tokens_at(const struct page_tokens *t, size_t i, const struct phrase *p, uint32_t typos, uint32_t max, const uint8_t *begins,
    uint32_t *distance)
{
	const size_t others[] = { p->n + 1, p->n - 1 }; /* tokens, when a blank is odd */
	const uint8_t b = begins[t->v[i].same];
	size_t n = (b & BEGINS) || t->v[i].hyphen ? phrase_at(t, i, p, typos, distance) : 0;

	/* each token of several has none but the phrase's letters */
	for (size_t k = 0; k < 2 && n == 0 && (b & BLANKS); k++)
		if ((others[k] == 1 || (i + 1 < t->n && (begins[t->v[i + 1].same] & BLANKS))) && blanks_near(t, i, others[k], p, max) && blanks_at(t, i, others[k], p, max, distance))
			n = others[k];
	return n;
}

static int
page_find(const struct page_tokens *t, uint32_t page, const struct phrase *p, uint32_t typos, struct matches *all,
    struct err *e)
{
	uint32_t max = halves(limit(typos, p->ncps)), distance;
	AUTO_FREE uint8_t *begins = calloc(t->n + 1, 1); /* of the first token of each word */

	if (begins == NULL)
		return err_set(e, ERR_MEM, "words of a page");
	if (!words_begin(t, p, typos, max, begins) && !t->hyphens)
		return 0;
	for (const struct token *k = t->v, *end = k + t->n; k < end; k++)
		if (begins[k->same] != 0 || k->hyphen) { /* of few */
			size_t i = (size_t)(k - t->v), n = tokens_at(t, i, p, typos, max, begins, &distance);

			if (n > 0) {
				struct match m = match_make(t, page, i, n, distance);

				if (matches_add(all, &m, e) < 0)
					return -(int)e->code;
			}
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

struct match
match_line(const struct page_words *p, uint32_t page, uint32_t from, uint32_t to)
{
	struct match m = { .page = page, .first = from, .last = to - 1 };

	for (uint32_t i = from; i < to; i++)
		box_add(&m.box, &p->words[i].box);
	m.head = m.tail = m.box;
	return m;
}

void
matches_done(struct matches *m)
{
	free(m->v);
	*m = (struct matches){ 0 };
}

int
match_text(struct doc_tokens *d, const struct match *m, char *dst, size_t size, struct err *e)
{
	const struct page_tokens *t = tokens_page(d, m->page, e);
	size_t len = 0;

	dst[0] = '\0';
	if (t == NULL)
		return -(int)e->code;
	for (uint32_t i = m->first; i <= m->last && i < t->page.nwords + t->page.ncodes && len + 2 < size; i++) {
		if (i > m->first)
			dst[len++] = ' ';
		fold_plain(t->page.words[i].text, dst + len, size - len);
		len += strlen(dst + len);
	}
	return 0;
}
