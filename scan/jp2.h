/*
 * jp2.h - JPEG 2000 in its file format JP2 (ITU-T T.800, annex I).
 *
 *	jp2_inspect(&s, scan, &res, &e)  boxes, the header of the codestream and its end
 *	jp2_read(&im, &s, page, ...)
 *
 * The file is a JPXDecode stream as it is where PDF/A allows (ISO 19005-2,
 * 6.2.8.3) and readers agree what it looks like: grey, sRGB or CMYK, all
 * components alike, no palette, no opacity.  Else its pixels are packed anew,
 * if they have 8 bits: what would be lost is refused.
 */
#ifndef SEALROOM_SCAN_JP2_H
#define SEALROOM_SCAN_JP2_H

#include <stdbool.h>

#include "scan/image.h"

bool jp2_magic(const uint8_t *head, size_t len);
int jp2_inspect(struct source *, const struct conf_scan *, struct inspect_result *, struct err *);
int jp2_read(struct image *, struct source *, uint32_t page, enum image_want, const struct conf_scan *, struct err *);

#endif
