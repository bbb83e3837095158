/*
 * stamp.h - the visible seal: a frame and lines of text, with its font inside.
 *
 *	stamp_draw(pdf, &spec, &form, &e)     writes form and font, gives its number
 *
 * The size of the text follows from the box: as large as height and the longest
 * line allow.  The first line is a little heavier.  Nothing is filled, so that no
 * ink beneath is hidden; colours are RGB, as the file's output intent is.  The font
 * is a subset of DejaVu Sans with just the glyphs used.  A character that the
 * font lacks is ERR_CONF and names it; text that would be too small to read is
 * ERR_ANCHOR_PLACE: a person must give it more room.
 */
#ifndef SEALROOM_STAMP_H
#define SEALROOM_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#include "scan/pdfwrite.h"

struct stamp {
	int64_t width, height; /* as the reader sees it, 1/1000 of a user space unit */
	int turn[4];           /* view_turn(): upright for the reader */
	bool border;
	bool cidset;           /* PDF/A-1 wants one; part 2 does not */
	uint32_t nlines;
	const char (*lines)[MSG_TEXT_MAX];
};

int stamp_draw(struct pdf *, const struct stamp *, uint32_t *ret_form, struct err *);

#endif
