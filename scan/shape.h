/*
 * shape.h - a line of text as glyphs, in the order they stand from left to right.
 *
 *	shape_line(font, "شركة ABC", s, &e)   s->glyphs, for any script that the font covers
 *
 * Directions are those of UAX #9 (fribidi), forms, marks and ligatures those of the
 * font's own tables (HarfBuzz).  Glyphs that came of the same characters stand side by
 * side and name them (their cluster).  Characters that may not stand in a PDF are
 * blanks.  A character that the font has no glyph for is ERR_STAMP and named.
 */
#ifndef SEALROOM_SHAPE_H
#define SEALROOM_SHAPE_H

#include <hb.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#define SHAPE_CHARS MSG_TEXT_MAX
#define SHAPE_GLYPHS (4 * MSG_TEXT_MAX)

struct shape_glyph {
	hb_codepoint_t glyph;
	int32_t x, y, advance; /* units of the font: where it is drawn from the pen, how far the pen goes */
	uint16_t from, n;      /* its cluster: chars[from] ... chars[from + n - 1], in the order they are read */
};

struct shape {
	uint32_t nchars, nglyphs;
	uint32_t chars[SHAPE_CHARS];
	struct shape_glyph glyphs[SHAPE_GLYPHS];
};

/* font: of the whole face, in its own units. */
int shape_line(hb_font_t *, const char *utf8, struct shape *ret, struct err *);

#endif
