/*
 * stampimage.h - the picture in a stamp: a PNG or JPEG file as an image XObject.
 *
 *	stampimage_size(&file, &w, &h, &e)          decodes it: pixels
 *	stampimage_write(pdf, &file, &number, &e)   its objects; number of the XObject
 *
 * A JPEG of one or three components stays as it is (DCTDecode); a PNG becomes 8 bit
 * grey or RGB, its transparency an SMask (ISO 32000-1, 11.6.5.3; ISO 19005-2 allows
 * one).  CMYK is refused: DeviceCMYK would need an output intent of its own
 * (ISO 19005-2, 6.2.4.3).  Errors are ERR_CONF and say what to do.
 */
#ifndef SEALROOM_STAMPIMAGE_H
#define SEALROOM_STAMPIMAGE_H

#include <stdint.h>

#include "agent/lib/err.h"
#include "scan/look.h"
#include "scan/pdfwrite.h"

#define STAMPIMAGE_PIXELS_MAX (4u << 20)

int stampimage_size(const struct look_file *, uint32_t *ret_w, uint32_t *ret_h, struct err *);
int stampimage_write(struct pdf *, const struct look_file *, uint32_t *ret_number, struct err *);

#endif
