/*
 * pdfpage.h - PDF as scanners write it: each page draws one image, no more.
 *
 *	pdf_inspect(&s, scan, 0, &res, &e)      the whole file, before anything is kept
 *	pdf_read(&im, &s, page, ...)         one page's image, its stream as it came
 *
 * libqpdf reads with recovery off; one warning is damage.  A page may draw its
 * image upright in any of the eight orientations, under state and marked
 * content that paint nothing, with invisible text (rendering mode 3) that an
 * earlier recognition left.  Anything else a reader could see, fill in, open
 * or run makes the file one that was not scanned: its bytes are kept, if that
 * can be sealed at all; nothing is stripped from it silently.
 *
 * pdf_read() is also used on our own results, which carry a seal on the page;
 * it asks only for the image.
 */
#ifndef SEALROOM_SCAN_PDFPAGE_H
#define SEALROOM_SCAN_PDFPAGE_H

#include <stdbool.h>

#include "scan/image.h"
#include "scan/pdfin.h"

bool pdf_magic(const uint8_t *head, size_t len);
/* DOC_PDF, or DOC_PDF_KEPT (keepable.h). */
/* brief_above: as in inspect_params */
int pdf_inspect(struct source *, const struct conf_scan *, uint32_t brief_above, struct inspect_result *ret, struct err *);
int pdf_read(struct image *, struct source *, uint32_t page, enum image_want, const struct conf_scan *, struct err *);
/* Of a page as its reader sees it, mpt. */
int pdf_page_size(struct pdfin *, qpdf_oh page, int32_t *ret_w, int32_t *ret_h, struct err *);

#endif
