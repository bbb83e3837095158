/*
 * words.h - the words of a page cut and folded as rules compare them.
 *
 * A token is a run of letters and digits, hyphens between them included; what
 * else stands in a word (colons, brackets, dotted lines) separates.  So
 * "Siegel" is found in "(Siegel):" and "Siegel/Stempel", not in "Siegelring".
 *
 *	tokens_init(&d, doc)            borrows doc
 *	t = tokens_page(&d, page, &e)   valid until the next call
 *	tokens_done(&d)
 */
#ifndef SEALROOM_WORDS_H
#define SEALROOM_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/fold.h"
#include "rules/rules.h"

struct token {
	uint32_t word;    /* index on the page */
	uint32_t cps;     /* first code point in page_tokens.pool */
	uint16_t len;     /* code points */
	uint16_t from, to;/* bytes of the word's text */
	uint64_t letters; /* letters_of() it */
	bool hyphen;      /* a dash ends the word and the line: it may go on */
	uint32_t same;    /* the page's first token of these code points; itself where it is */
};

/* A word of the page, however often it stands there: what rules most of them out, side by side. */
struct distinct {
	uint64_t letters;
	uint32_t token;   /* the first of them, which is its own 'same' */
	uint16_t len;
};

struct page_tokens {
	struct page_words page;
	struct word *loaded; /* its words, if they had to be asked for */
	struct token *v;
	size_t n;
	struct distinct *distinct; /* one of each word, the shortest first */
	size_t ndistinct;
	bool hyphens;       /* a token has one */
	uint32_t *pool;
	size_t npool;
};

struct doc_tokens {
	const struct doc_words *doc;
	struct page_tokens *pages; /* kept, while they are few enough */
	struct page_tokens last;   /* the one page read last when they are not */
	uint32_t last_page;        /* + 1; 0: none */
	size_t kept;               /* bytes */
};

int tokens_init(struct doc_tokens *, const struct doc_words *, struct err *);
void tokens_done(struct doc_tokens *);
const struct page_tokens *tokens_page(struct doc_tokens *, uint32_t page, struct err *);

/* The first distinct word of at least that many code points; ndistinct: there is none. */
size_t tokens_of_length(const struct page_tokens *, size_t len);

static inline const uint32_t *
token_cps(const struct page_tokens *t, const struct token *k)
{
	return t->pool + k->cps;
}
/* Where the token stands; trailing or leading punctuation of a word counts to it. */
struct box token_box(const struct page_tokens *, const struct token *);

#define PHRASE_WORDS 16
#define PHRASE_CPS FOLD_WORD_MAX

/*
 * Which letters occur, one bit for several of them.  Each letter of one word
 * that the other lacks costs a typo of its own, so this rules most pairs out
 * without counting.
 */
uint64_t letters_of(const uint32_t *cps, size_t n);

struct phrase {
	size_t n;
	uint64_t letters[PHRASE_WORDS], all_letters;
	size_t at[PHRASE_WORDS], len[PHRASE_WORDS]; /* in cps */
	uint32_t cps[PHRASE_CPS];                   /* words one behind the other */
	size_t ncps;
};

/* NULL, or why a text is no phrase to look for. */
const char *phrase_check(const char *text);
/* Of a checked text. */
void phrase_read(struct phrase *, const char *text);

#endif
