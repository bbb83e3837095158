/*
 * find.h - the value of a find: the text behind (or below) a phrase, cut by its
 * regular expression.
 *
 * The text is what follows on the phrase's line.  Is nothing there: what stands
 * beside it at the same height, else the start of the next line, else what
 * stands below.  Text that is there and does not fit is not passed over:
 * the next occurrence is asked.  Exact occurrences come before misread ones,
 * earlier phrases before later ones.  Only the first 200 of each are asked.
 *
 * Of a code's text the expression takes the value; no code counts more than another.
 */
#ifndef SEALROOM_FIND_H
#define SEALROOM_FIND_H

#include "rules/match.h"

struct found {
	bool value_found;
	bool many;               /* codes on the pages have different values: none is taken */
	char value[MSG_TEXT_MAX];
	char text[MSG_TEXT_MAX]; /* the text it was taken from, or the last that did not fit */
	const char *after;       /* the phrase, or the expression of a code's text */
	struct match match;      /* its occurrence; valid if 'after' is set */
};

/* Adds the occurrences of the phrases to *seen. */
int find_value(struct doc_tokens *, const struct conf_find *, uint32_t typos, struct matches *seen,
    struct found *ret, struct err *);

#endif
