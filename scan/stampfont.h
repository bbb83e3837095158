/*
 * stampfont.h - the glyphs that some lines need of a font, as a PDF font.
 *
 *	stampfont_open(&f, &file, lines, n, &e)   shaped, subset; ERR_STAMP names a missing character
 *	stampfont_width(f, i)                 of line i, 1/1000 of the font size
 *	stampfont_show(f, i, size, content)   "[<glyphs>] TJ"
 *	stampfont_write(f, pdf, cidset)       the font's objects; its number
 *	stampfont_free(f)
 *
 * Lines are drawn as their script wants (shape.h), and read as they were written: each
 * code of the font stands for characters (ToUnicode), and where these do not make up the
 * text in its order, ActualText does (ISO 32000-1, 14.9.4).
 */
#ifndef SEALROOM_STAMPFONT_H
#define SEALROOM_STAMPFONT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#include "scan/look.h"
#include "scan/pdfwrite.h"

struct stampfont; /* opaque */

/* file.data NULL: DejaVu Sans, which is built in. Else a TrueType file; ERR_CONF if it is none. */
int stampfont_open(struct stampfont **ret, const struct look_file *, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines, struct err *);
void stampfont_free(struct stampfont *); /* NULL is fine */

int64_t stampfont_width(const struct stampfont *, uint32_t line);
/* size: of the font, 1/1000 of a unit. */
void stampfont_show(const struct stampfont *, uint32_t line, int64_t size, struct buf *content);
uint32_t stampfont_write(const struct stampfont *, struct pdf *, bool cidset);

#endif
