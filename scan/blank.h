/*
 * blank.h - is there anything on a page?
 *
 * Blank says more than "no text": a page with nothing but a signature, a tick,
 * a page number or a picture is not blank.  What does not count is what paper,
 * glass and lid leave behind:
 *
 *	specks      smaller than a full stop is high, and few
 *	shadows     along the edges, and no deeper than a finger is broad
 *	holes       round and of the size of a punch, near an edge
 *	the back    what shines through is paler than ink
 *
 * Doubt is "not blank": the page is read like any other, and kept.  Of a page in
 * black and white the scanner has decided what is ink; where it took the back's
 * print for some, the page is not blank here.  Very pale colours (yellow) can
 * not be told from paper.
 */
#ifndef SEALROOM_SCAN_BLANK_H
#define SEALROOM_SCAN_BLANK_H

#include <stdbool.h>

struct Pix;

#define BLANK_INK 80      /* % of the paper's brightness: darker is ink; pencil is, print of the back is not */
#define BLANK_PAPER 0.39f /* inch round each pixel whose mean is the paper; as deep as a shadow, which is else hollow */

/*
 * page: the whole page, 1 bit or 8 bit grey.  ink: what is darker than the
 * paper round it, 1 bit, of the same or a smaller size; dpi is ink's.
 */
bool blank_page(struct Pix *page, struct Pix *ink, double dpi);

#endif
