/*
 * stamp.h - the visible seal: a frame, lines of text, a picture, a QR code, with
 * all they need inside.
 *
 *	stamp_draw(pdf, &spec, &form, &e)     writes form, font, picture; gives the form's number
 *
 * The picture stands left, the code right, the lines between them; or picture and
 * code above the lines, if that leaves the text clearly larger.  The size of the text
 * follows from its room: as large as height and the longest line allow.  The first
 * line is a little heavier.  Nothing is filled, so that no ink beneath is hidden;
 * colours are RGB, as the file's output intent is.  The font is a subset with just
 * the glyphs used.  A character that the font lacks is ERR_STAMP and names it; text
 * or a code too small to be read is ERR_ANCHOR_PLACE: a person must give it more room.
 */
#ifndef SEALROOM_STAMP_H
#define SEALROOM_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

#include "scan/look.h"
#include "scan/pdfwrite.h"

struct stamp {
	int64_t width, height; /* as the reader sees it, 1/1000 of a user space unit */
	int turn[4];           /* view_turn(): upright for the reader */
	bool cidset;           /* PDF/A-1 wants one; part 2 does not */
	const struct look *look;
	const char *qr;        /* text of the code; "" for none */
	uint32_t nlines;
	const char (*lines)[MSG_TEXT_MAX];
};

int stamp_draw(struct pdf *, const struct stamp *, uint32_t *ret_form, struct err *);

#endif
