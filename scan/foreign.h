/*
 * foreign.h - a page of a PDF that was not scanned, as poppler reads and draws it.
 *
 *	foreign_warm(&e)                     once, before confinement: which fonts there are
 *	foreign_open(&f, &src, i, &view, &e) page i of a mapped source
 *	foreign_words(f, &pagefile, &e)      words with boxes, as the PDF itself has them
 *	foreign_pix(f, dpi, colour, &pix, &e)  the page as its reader sees it
 *	foreign_close(f)
 *
 * What is drawn may need fonts and character maps that the PDF does not bring
 * along: they are the only files such a child may open.  A font that is not
 * there either is ERR_FONT, never a page with gaps.  Words need no font.
 *
 * poppler is GPL: only sealroom-scan links it, and only this file includes it.
 */
#ifndef SEALROOM_SCAN_FOREIGN_H
#define SEALROOM_SCAN_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/pagefile.h"

#include "scan/source.h"
#include "scan/view.h"

struct Pix;     /* leptonica */
struct foreign; /* opaque: foreign.c */

int foreign_warm(struct err *);
/* view: where qpdf sees the page; a reader that sees another size is ERR_DOC_FOREIGN. */
int foreign_open(struct foreign **ret, const struct source *, uint32_t page, const struct view *, struct err *);
void foreign_close(struct foreign *); /* NULL is fine */

/* Sets words, nwords and arena (their texts) of a page result, both to be freed; none is no error. */
int foreign_words(struct foreign *, struct pagefile *, struct err *);
/* At most max_pixels, with fewer dots per inch if need be; 8 bit grey, or 32 bit colour. */
int foreign_pix(struct foreign *, double dpi, uint64_t max_pixels, bool colour, struct Pix **ret, struct err *);

#endif
