/*
 * textlayer.h - the invisible text that makes a scanned page searchable.
 *
 *	textlayer_new(&t, &e)
 *	textlayer_page(t, &page, &content)   for each page: operators appended to its content
 *	textlayer_font(t, pdf)               number of the font, when the page used it
 *	textlayer_end(t, pdf)                the font's objects; after the last page
 *	textlayer_free(t)
 *
 * One font serves the whole document: every character is glyph 1, empty and
 * 500/1000 wide; words are stretched to their boxes.  A character's code is its
 * code point; those above U+FFFF and in the private use area get private codes
 * in order of appearance.  ToUnicode names each character used by itself
 * (bfchar): a range over all of the BMP is not legal, and readers garble it.
 *
 * Text stands upright in the reader's view also on turned pages.  One font size
 * a line, so that selections are even; a space follows each word but the last of
 * its line, so that words can be searched as phrases.  Coordinates are whole
 * tenths of a point and moves are relative, because that deflates best.
 */
#ifndef SEALROOM_TEXTLAYER_H
#define SEALROOM_TEXTLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "rules/pagefile.h"

#include "scan/pdfwrite.h"
#include "scan/view.h"

struct textlayer; /* opaque */

int textlayer_new(struct textlayer **ret, struct err *);
void textlayer_free(struct textlayer *); /* NULL is fine */

/* False: the page has no words to show, nothing was appended. */
bool textlayer_page(struct textlayer *, const struct pagefile *, struct buf *content);
/* The same on a page that is not ours to lay out, with a name that is free there. */
bool textlayer_words(struct textlayer *, const struct pagefile *, const struct view *, const char *font, struct buf *);
/* The font, called /F0 in the operators above. */
uint32_t textlayer_font(struct textlayer *, struct pdf *);
void textlayer_end(struct textlayer *, struct pdf *);

/* The body of a ToUnicode CMap, in ascending order of code: what each stands for, the rest of c 0. */
#define TOUNICODE_MAX 4
struct tounicode {
	uint16_t code;
	uint32_t c[TOUNICODE_MAX];
};
void textlayer_tounicode(struct pdf *, uint32_t number, const struct tounicode *, size_t n);

#endif
