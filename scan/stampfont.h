/*
 * stampfont.h - the glyphs of DejaVu Sans that some lines need, as a PDF font.
 *
 *	stampfont_open(&f, lines, n, &e)      subset; ERR_CONF names a missing character
 *	stampfont_width(f, line)              1/1000 of the font size
 *	stampfont_show(f, line, content)      "<glyphs> Tj"
 *	stampfont_write(f, pdf, cidset)       the font's objects; its number
 *	stampfont_free(f)
 */
#ifndef SEALROOM_STAMPFONT_H
#define SEALROOM_STAMPFONT_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#include "scan/pdfwrite.h"

struct stampfont; /* opaque */

int stampfont_open(struct stampfont **ret, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines, struct err *);
void stampfont_free(struct stampfont *); /* NULL is fine */

int64_t stampfont_width(const struct stampfont *, const char *line);
void stampfont_show(const struct stampfont *, const char *line, struct buf *content);
uint32_t stampfont_write(const struct stampfont *, struct pdf *, bool cidset);

#endif
