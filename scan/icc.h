/*
 * icc.h - colour profiles of page images.
 *
 *	icc_usable(data, n, comps)        may stand in a PDF/A for so many components
 *	icc_add(&im, data, n, comps, &e)  as the image's next object, deflated
 *
 * PDF/A knows CMYK only behind a profile (ISO 19005-2, 6.2.4.3).  The one that
 * came with the picture is taken where it is usable, else one that is part of
 * the program: the inks themselves stay what they were.
 */
#ifndef SEALROOM_SCAN_ICC_H
#define SEALROOM_SCAN_ICC_H

#include "scan/image.h"

bool icc_usable(const uint8_t *data, size_t len, uint32_t comps);
int icc_add(struct image *, const uint8_t *data, size_t len, uint32_t comps, struct err *);
/* data: the profile that came with CMYK, usable or not; NULL: none. */
int icc_add_cmyk(struct image *, const uint8_t *data, size_t len, struct err *);

#endif
