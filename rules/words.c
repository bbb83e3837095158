#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/words.h"

#define KEPT_MAX (8 * 1024 * 1024) /* bytes kept; further pages are read and cut anew each time */
#define EDGE 2                      /* signs at a word's end that belong to its box */

uint64_t
letters_of(const uint32_t *cps, size_t n)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < n; i++)
		bits |= UINT64_C(1) << (cps[i] & 63);
	return bits;
}

/* Where a run stands while a text is cut. */
struct run {
	const char *from, *to; /* of the text */
	bool dash;             /* dashes only behind it, up to the end */
};

/*
 * Finds the next run of letters, digits and inner dashes; its folded code
 * points go to cps (room for one a byte).  Returns how many, 0 at the end.
 */
static size_t
run_next(const char **s, const char *end, struct run *run, uint32_t *cps)
{
	size_t n = 0, good = 0; /* good: without dashes at the end */

	run->dash = false;
	while (*s < end) {
		const char *at = *s, *raw = *s;
		uint32_t out[FOLD_OUT], cp = utf8_next(&raw, end);
		size_t k = fold_next(s, end, out);
		bool dash = fold_dash(cp), letters = !dash && k > 0 && fold_alnum(out[0]);

		if (letters) {
			if (good == 0)
				run->from = at;
			for (size_t i = 0; i < k; i++)
				cps[n++] = out[i];
			good = n;
			run->to = *s;
			run->dash = false;
		} else if (dash && good > 0) {
			run->dash = true;
			for (size_t i = 0; i < k; i++) /* a soft hyphen is nothing inside a word */
				cps[n++] = out[i];
		} else if (k > 0 && good > 0) {
			run->dash = false;
			return good;
		}
	}
	return good;
}

static bool
tokens_grow(struct page_tokens *t, size_t *cap)
{
	size_t more = *cap == 0 ? 512 : *cap * 2;
	struct token *v = t->n < *cap ? t->v : reallocarray(t->v, more, sizeof(*v));

	if (v == NULL)
		return false;
	if (t->n == *cap)
		*cap = more;
	t->v = v;
	return true;
}

static bool
line_ends(const struct page_words *p, uint32_t word)
{
	return word + 1 == p->nwords || p->words[word + 1].line != p->words[word].line ||
	    p->words[word + 1].block != p->words[word].block;
}

static bool
word_cut(struct page_tokens *t, uint32_t word, size_t *cap)
{
	const char *text = t->page.words[word].text, *s = text, *end = text + strnlen(text, PAGEFILE_WORD_BYTES);
	struct run run;
	size_t n;

	while ((n = run_next(&s, end, &run, t->pool + t->npool)) > 0) {
		if (!tokens_grow(t, cap))
			return false;
		t->v[t->n++] = (struct token){
			.word = word,
			.cps = (uint32_t)t->npool,
			.len = (uint16_t)n,
			.from = (uint16_t)(run.from - text),
			.to = (uint16_t)(run.to - text),
			.letters = letters_of(t->pool + t->npool, n),
			.hyphen = run.dash && s == end && line_ends(&t->page, word),
		};
		t->npool += n;
	}
	return true;
}

static void
page_done(struct page_tokens *t)
{
	free(t->v);
	free(t->distinct);
	free(t->pool);
	free(t->loaded);
	*t = (struct page_tokens){ 0 };
}

static int
page_load(struct page_tokens *t, const struct doc_words *doc, uint32_t page, struct err *e)
{
	int r;

	*t = (struct page_tokens){ .page = doc->pages[page] };
	if (t->page.nwords > PAGEFILE_WORDS_MAX || t->page.ncodes > PAGEFILE_CODES_MAX)
		return err_set(e, ERR_DOC_SIZE, "a page has %u words and %u codes", t->page.nwords, t->page.ncodes);
	if (t->page.nwords + t->page.ncodes == 0 || t->page.words != NULL)
		return 0;
	if ((r = doc->words(doc->ctx, page, &t->loaded, e)) == 0)
		t->page.words = t->loaded;
	return r;
}

static bool
same_text(const struct page_tokens *t, uint32_t a, uint32_t b)
{
	return t->v[a].len == t->v[b].len && t->v[a].letters == t->v[b].letters &&
	    memcmp(token_cps(t, &t->v[a]), token_cps(t, &t->v[b]), t->v[a].len * sizeof(*t->pool)) == 0;
}

static int
by_length(const void *a, const void *b)
{
	const struct distinct *x = a, *y = b;

	return (int)x->len - (int)y->len;
}

size_t
tokens_of_length(const struct page_tokens *t, size_t len)
{
	size_t from = 0, to = t->ndistinct;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (t->distinct[middle].len < len)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* Pages say the same words again and again: each is found once by a table of those that were seen. */
static bool
find_same(struct page_tokens *t)
{
	size_t slots = 16;
	uint32_t *first; /* token + 1; 0: free */

	while (slots < 2 * t->n)
		slots *= 2;
	first = calloc(slots, sizeof(*first));
	t->distinct = calloc(t->n + 1, sizeof(*t->distinct));
	if (first == NULL || t->distinct == NULL) {
		free(first);
		return false;
	}
	for (uint32_t i = 0; i < t->n; i++) {
		const uint32_t *cps = token_cps(t, &t->v[i]);
		uint64_t hash = 14695981039346656037u; /* FNV-1a */

		for (uint16_t k = 0; k < t->v[i].len; k++)
			hash = (hash ^ cps[k]) * 1099511628211u;
		hash ^= hash >> 32;
		while (first[hash & (slots - 1)] != 0 && !same_text(t, first[hash & (slots - 1)] - 1, i))
			hash++;
		if (first[hash & (slots - 1)] == 0) {
			first[hash & (slots - 1)] = i + 1;
			t->distinct[t->ndistinct++] = (struct distinct){ .letters = t->v[i].letters, .token = i, .len = t->v[i].len };
		}
		t->hyphens |= t->v[i].hyphen;
		t->v[i].same = first[hash & (slots - 1)] - 1;
	}
	free(first);
	qsort(t->distinct, t->ndistinct, sizeof(*t->distinct), by_length);
	return true;
}

static int
page_cut(struct page_tokens *t, struct err *e)
{
	size_t bytes = 1, cap = 0;

	for (uint32_t i = 0; i < t->page.nwords; i++)
		bytes += strnlen(t->page.words[i].text, PAGEFILE_WORD_BYTES);
	/* no sign becomes more code points than it has bytes */
	t->pool = reallocarray(NULL, bytes + FOLD_OUT, sizeof(*t->pool));
	for (uint32_t i = 0; t->pool != NULL && i < t->page.nwords; i++)
		if (!word_cut(t, i, &cap)) {
			page_done(t);
			break;
		}
	if (t->pool != NULL && !find_same(t))
		page_done(t);
	return t->pool == NULL ? err_set(e, ERR_MEM, "words of a page") : 0;
}

int
tokens_init(struct doc_tokens *d, const struct doc_words *doc, struct err *e)
{
	*d = (struct doc_tokens){ .doc = doc };
	d->pages = calloc(doc->npages > 0 ? doc->npages : 1, sizeof(*d->pages));
	return d->pages == NULL ? err_set(e, ERR_MEM, "words") : 0;
}

void
tokens_done(struct doc_tokens *d)
{
	for (uint32_t i = 0; d->pages != NULL && i < d->doc->npages; i++)
		page_done(&d->pages[i]);
	page_done(&d->last);
	free(d->pages);
	*d = (struct doc_tokens){ 0 };
}

/* What it takes to keep a page, its words included where they are ours. */
static size_t
bytes_of(const struct page_tokens *t)
{
	return t->n * (sizeof(*t->v) + sizeof(*t->distinct)) + t->npool * sizeof(*t->pool) +
	    (t->loaded == NULL ? 0 : t->page.nwords * sizeof(*t->loaded) + t->npool +
	            t->page.ncodes * (sizeof(*t->loaded) + PAGEFILE_CODE_BYTES));
}

const struct page_tokens *
tokens_page(struct doc_tokens *d, uint32_t page, struct err *e)
{
	if (d->pages[page].pool != NULL)
		return &d->pages[page];
	if (d->last_page == page + 1)
		return &d->last;
	page_done(&d->last);
	d->last_page = 0;
	if (page_load(&d->last, d->doc, page, e) < 0 || page_cut(&d->last, e) < 0)
		return NULL;
	if (bytes_of(&d->last) > KEPT_MAX - d->kept) {
		d->last_page = page + 1;
		return &d->last;
	}
	d->kept += bytes_of(&d->last);
	d->pages[page] = d->last;
	d->last = (struct page_tokens){ 0 };
	return &d->pages[page];
}

/* Characters in n bytes of UTF-8. */
static int64_t
chars(const char *s, size_t n)
{
	int64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ((unsigned char)s[i] & 0xC0) != 0x80;
	return count;
}

struct box
token_box(const struct page_tokens *t, const struct token *k)
{
	const struct word *w = &t->page.words[k->word];
	size_t len = strnlen(w->text, PAGEFILE_WORD_BYTES);
	int64_t all = chars(w->text, len), before = chars(w->text, k->from), behind = chars(w->text + k->to, len - k->to);
	int64_t width = (int64_t)w->box.x1 - w->box.x0;
	struct box b = w->box;

	/* a part of a word gets its share of the width */
	if (before > EDGE || (k != t->v && k[-1].word == k->word))
		b.x0 = (int32_t)(w->box.x0 + width * before / all);
	if (behind > EDGE || (k + 1 != t->v + t->n && k[1].word == k->word))
		b.x1 = (int32_t)(w->box.x1 - width * behind / all);
	return b;
}

/* --- phrases ------------------------------------------------------------------------------ */

const char *
phrase_check(const char *text)
{
	const char *s = text, *end = text + strlen(text);
	uint32_t cps[2 * PHRASE_CPS];
	struct run run;
	size_t n, words = 0, total = 0;

	if (strlen(text) > PHRASE_CPS)
		return N_("is too long; take fewer words");
	while ((n = run_next(&s, end, &run, cps)) > 0) {
		words++;
		total += n;
	}
	if (words == 0)
		return N_("has no letter and no digit to look for");
	return words > PHRASE_WORDS || total > PHRASE_CPS ? N_("has too many words; take fewer") : NULL;
}

void
phrase_read(struct phrase *p, const char *text)
{
	const char *s = text, *end = text + strlen(text);
	uint32_t cps[2 * PHRASE_CPS];
	struct run run;
	size_t n;

	p->n = p->ncps = 0;
	p->all_letters = 0;
	while (p->n < PHRASE_WORDS && (n = run_next(&s, end, &run, cps)) > 0 && n <= PHRASE_CPS - p->ncps) {
		memcpy(p->cps + p->ncps, cps, n * sizeof(*cps));
		p->letters[p->n] = letters_of(cps, n);
		p->all_letters |= p->letters[p->n];
		p->at[p->n] = p->ncps;
		p->len[p->n++] = n;
		p->ncps += n;
	}
}
