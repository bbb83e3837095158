/*
 * png.h - PNG (RFC 2083): every chunk with its CRC up to IEND, then the page.
 *
 *	png_inspect(&s, scan, &res, &e)
 *	png_read(&im, &s, page, ...)
 *
 * Without interlace and transparency the IDAT data are a PDF stream as they
 * are.  Transparency becomes a soft mask: its readers see white paper through it.
 */
#ifndef SEALROOM_SCAN_PNG_H
#define SEALROOM_SCAN_PNG_H

#include <stdbool.h>

#include "scan/image.h"

bool png_magic(const uint8_t *head, size_t len);
int png_inspect(struct source *, const struct conf_scan *, struct inspect_result *, struct err *);
int png_read(struct image *, struct source *, uint32_t page, enum image_want, const struct conf_scan *, struct err *);

#endif
