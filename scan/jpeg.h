/*
 * jpeg.h - JPEG (ITU-T T.81) as a document, and as the stream of a PDF image.
 *
 *	jpeg_inspect(&s, scan, &res, &e)  markers up to the frame header, and EOI at the end
 *	jpeg_read(&im, &s, page, ...)     the one page
 *	jpeg_decode(...)                  a DCTDecode stream
 *
 * Baseline, extended and progressive Huffman coding with 8 bits a sample: what
 * DCTDecode knows (ISO 32000-1, 7.4.8).  CMYK from Adobe's writers is stored
 * inverted: its bytes stay, too, and Decode turns them round.
 */
#ifndef SEALROOM_SCAN_JPEG_H
#define SEALROOM_SCAN_JPEG_H

#include <stdbool.h>

#include "scan/image.h"

struct jpeg_info {
	uint32_t w, h, comps;
	uint32_t orient;      /* from EXIF; 1 without */
	double dpi_x, dpi_y;  /* from JFIF, else EXIF; NAN: not said */
	bool ycc;             /* luminance and colour differences */
	bool adobe;           /* has Adobe's marker: CMYK is stored inverted */
	bool plain_rgb;       /* three components that are RGB without an Adobe marker saying so */
	uint64_t end;         /* offset behind EOI */
};

bool jpeg_magic(const uint8_t *head, size_t len);
int jpeg_inspect(struct source *, const struct conf_scan *, struct inspect_result *, struct err *);
int jpeg_read(struct image *, struct source *, uint32_t page, enum image_want, const struct conf_scan *, struct err *);
/* Pixels of data[0..len), CMYK as RGB; grey is enough: colour is decoded only where that is no cheaper. */
int jpeg_decode(struct raster *, struct jpeg_info *, const uint8_t *data, size_t len, bool grey,
    const struct conf_scan *, uint32_t page, struct err *);

#endif
