/*
 * match.h - where a phrase stands on pages: whole words, few typos, across
 * lines and hyphens.
 *
 * A word of the phrase may differ from the page's by 'typos' characters
 * (insert, delete, replace; what recognition is known to confuse counts half,
 * misread.h), but by one for each four letters at most: short words must be
 * exact, and a longer word that holds the phrase's whole is another word.  A word that ends a line with a dash is also tried
 * joined with the next.  With typos, one blank too many or too few counts as
 * one ("Sie gel").  Of matches that overlap the better one is kept.
 */
#ifndef SEALROOM_MATCH_H
#define SEALROOM_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/words.h"

struct match {
	uint32_t page;
	uint32_t first, last;  /* words of the page; a code behind them */
	uint16_t end;          /* bytes of the last word's text that belong to it */
	uint32_t distance;     /* typos in all, halves rounded up; 0: exact */
	size_t token, tokens;  /* tokens of the page */
	struct box box;        /* all of it, with a colon or bracket that touches it */
	struct box head, tail; /* what stands on its first and on its last line */
};

#define MATCHES_MAX 10000

struct matches {
	struct match *v; /* reading order */
	size_t n, cap;
	bool cut;        /* there are more than MATCHES_MAX */
};

/* Half-open range of pages; empty when the document is too short. */
void match_pages(const struct conf_pages *, uint32_t npages, uint32_t *ret_from, uint32_t *ret_to);
/* Adds what is on the pages; 'first_only' stops at the first. */
int match_find(struct doc_tokens *, const struct conf_pages *, const char *phrase, uint32_t typos, bool first_only,
    struct matches *, struct err *);
int matches_add(struct matches *, const struct match *, struct err *);
/* Words from..to of a page, which are one line. */
struct match match_line(const struct page_words *, uint32_t page, uint32_t from, uint32_t to);
void matches_done(struct matches *);
#define AUTO_MATCHES __attribute__((cleanup(matches_done))) struct matches

/* The words as they stand on the page, for people. */
int match_text(struct doc_tokens *, const struct match *, char *dst, size_t size, struct err *);

#endif
