/*
 * cmd_wordformat.h - words of pages as text: TSV, hOCR 1.2, ALTO 4, JSON.
 *
 *	f = word_format("hocr")             NULL: there is no such
 *	f->begin(out, &about)
 *	f->page(out, &about, i, &pagefile)  each page in order, i counted from 0
 *	f->end(out, &about)
 *
 * Whether 'out' took it all, ask 'out'.  Words come from a child that has read
 * a hostile file: control characters, and what XML has no way to write, are
 * replaced by U+FFFD.
 */
#ifndef SEALROOM_CMD_WORDFORMAT_H
#define SEALROOM_CMD_WORDFORMAT_H

#include <stdio.h>

#include "rules/pagefile.h"

struct word_about {
	const char *name;     /* of the file, fit to be shown */
	const char *engine;   /* "tesseract 5.3.0 deu+eng" */
	const char *version;  /* of sealroom */
	bool begun;           /* a page was written; JSON alone keeps it */
	const struct err *err;/* JSON: why it ended before the last page, else NULL */
};

struct word_format {
	const char *name;
	void (*begin)(FILE *, struct word_about *);
	void (*page)(FILE *, struct word_about *, uint32_t page, const struct pagefile *);
	void (*end)(FILE *, struct word_about *);
};

const struct word_format *word_format(const char *name);

#endif
