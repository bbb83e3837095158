/*
 * barcode.h - barcodes (zbar) and patch codes (patch.h) on a page.
 *
 *	barcode_warm()                         once, before confinement
 *	barcode_read(pix, dx, dy, &codes, &e)
 *	codes_done(&codes)
 *
 * All is looked for in the image as it is given, the right way up or not; boxes
 * come back in its pixels.  What is looked at has at most 40 million dots, about
 * 300 an inch where the image has as many: noise costs less than 10 s, a letter
 * 0.2 s.  Two equal bars side by side or one above the other are two codes.
 *
 * The bytes of a QR code that are no UTF-8 are taken for ISO 8859-1, the code's
 * own default.  A text that is empty, too long (PAGEFILE_CODE_BYTES) or holds a
 * zero byte is left out.
 */
#ifndef SEALROOM_SCAN_BARCODE_H
#define SEALROOM_SCAN_BARCODE_H

#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/pagefile.h"

struct Pix;

struct code {
	uint32_t kind;         /* enum code_kind */
	double x0, y0, x1, y1; /* pixels, y down */
	char *text;            /* UTF-8 */
};

struct codes {
	uint32_t n;
	struct code v[PAGEFILE_CODES_MAX]; /* from the top down */
};

/*
 * zbar asks libc for character sets at every QR code, whether it converts or not, and libc
 * reads them from files: a child can not.  Those that a code may name are loaded here, and stay.
 */
void barcode_warm(void);
/* pix: any depth; it stays the caller's. Codes beyond the most a page can have are left out. */
int barcode_read(struct Pix *pix, double dpi_x, double dpi_y, struct codes *ret, struct err *);
void codes_done(struct codes *);
/* Boxes in the image of w x h pixels, as they are when it has been turned clockwise. */
void codes_turn(struct codes *, uint32_t w, uint32_t h, uint32_t degrees);
/*
 * Puts the codes behind the words of a page; box is the image on the page, w and
 * h its pixels.  Takes the words' array over into one that is longer.
 */
int codes_to_page(const struct codes *, const struct box *, uint32_t w, uint32_t h, struct pagefile *, struct err *);

#endif
