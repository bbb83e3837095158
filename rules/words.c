#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/words.h"

#define KEPT_MAX (16 * 1024 * 1024) /* bytes of tokens kept; further pages are cut anew each time */
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
	const char *text = t->page->words[word].text, *s = text, *end = text + strnlen(text, PAGEFILE_WORD_BYTES);
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
			.hyphen = run.dash && s == end && line_ends(t->page, word),
		};
		t->npool += n;
	}
	return true;
}

static void
page_done(struct page_tokens *t)
{
	free(t->v);
	free(t->pool);
	*t = (struct page_tokens){ 0 };
}

static int
page_cut(struct page_tokens *t, const struct page_words *p, struct err *e)
{
	size_t bytes = 1, cap = 0;

	*t = (struct page_tokens){ .page = p };
	if (p->nwords > PAGEFILE_WORDS_MAX)
		return err_set(e, ERR_DOC_SIZE, "a page has %u words", p->nwords);
	for (uint32_t i = 0; i < p->nwords; i++)
		bytes += strnlen(p->words[i].text, PAGEFILE_WORD_BYTES);
	/* no sign becomes more code points than it has bytes */
	t->pool = reallocarray(NULL, bytes + FOLD_OUT, sizeof(*t->pool));
	for (uint32_t i = 0; t->pool != NULL && i < p->nwords; i++)
		if (!word_cut(t, i, &cap)) {
			page_done(t);
			break;
		}
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

const struct page_tokens *
tokens_page(struct doc_tokens *d, uint32_t page, struct err *e)
{
	const struct page_words *words = &d->doc->pages[page];
	size_t bytes;

	if (d->pages[page].page != NULL)
		return &d->pages[page];
	if (d->last.page == words)
		return &d->last;
	page_done(&d->last);
	if (page_cut(&d->last, words, e) < 0)
		return NULL;
	bytes = d->last.n * sizeof(*d->last.v) + d->last.npool * sizeof(*d->last.pool);
	if (bytes > KEPT_MAX - d->kept)
		return &d->last;
	d->kept += bytes;
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
	const struct word *w = &t->page->words[k->word];
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
		return "too long";
	while ((n = run_next(&s, end, &run, cps)) > 0) {
		words++;
		total += n;
	}
	if (words == 0)
		return "has no letter and no digit to look for";
	return words > PHRASE_WORDS || total > PHRASE_CPS ? "has too many words" : NULL;
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
