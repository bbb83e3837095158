/*
 * pdfimage.h - an image XObject (ISO 32000-1, 8.9.5): described, decoded, kept.
 *
 *	pdfimage_describe(&d, pdf, xobject, &e)   its dictionary, checked
 *	pdfimage_load(&im, &d, pdf, want, ...)    pixels, and the stream as it came
 *
 * Read are 1 to 16 bit grey, RGB and indexed images in device colours or with
 * an ICC profile, in Flate, DCT, CCITT fax, LZW and run lengths.  Masks, other
 * colour spaces, JBIG2 and JPEG 2000 make the document ERR_DOC_FOREIGN: held.
 */
#ifndef SEALROOM_SCAN_PDFIMAGE_H
#define SEALROOM_SCAN_PDFIMAGE_H

#include <stdbool.h>

#include "scan/image.h"
#include "scan/pdfin.h"

enum pdf_coding { PDF_PLAIN, PDF_DCT, PDF_FAX };

struct pdf_image {
	qpdf_oh stream;
	uint32_t w, h, bits, comps;
	bool inverted;         /* Decode [1 0] */
	enum pdf_coding coding;
	int filters;           /* in an array; 0 for a name or none */
	bool flate_first;      /* [/FlateDecode /DCTDecode] and the like */
	bool lzw;              /* must be coded anew: ISO 19005-2, 6.1.7.2 */
	uint32_t ncolours;     /* > 0: indexed */
	uint8_t palette[768];  /* in the base colour space, comps of it a colour */
	uint32_t base_comps;   /* of the palette */
	bool has_icc;
	qpdf_oh icc;           /* profile stream of the (base) colour space */
	qpdf_oh parms;         /* of the last filter; may be null */
};

int pdfimage_describe(struct pdf_image *, struct pdfin *, qpdf_oh xobject, struct err *);
int pdfimage_load(struct image *, const struct pdf_image *, struct pdfin *, enum image_want, uint32_t page,
    const struct conf_scan *, struct err *);

#endif
