/*
 * line.h - words of one line as a text that expressions are tried on.
 *
 *	line_start(&l)
 *	line_add(&l, text)            one word; typographic signs become plain
 *	line_from(page, i, &l)        the line of word i, from it on; returns the word behind it
 */
#ifndef SEALROOM_LINE_H
#define SEALROOM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/ere.h"
#include "rules/rules.h"

#define LINE_WORDS 200

struct line {
	char text[ERE_TEXT + 1];
	size_t len;
	bool letters; /* there is more than dots and colons */
};

void line_start(struct line *);
void line_add(struct line *, const char *text);
uint32_t line_from(const struct page_words *, uint32_t i, struct line *);

#endif
