/*
 * patch.h - patch codes of separator sheets (Kodak A-61599): four bars, two of
 * them wide, that say I, II, III, IV, VI or T.
 *
 * Bars are 0.08 or 0.20 inch wide, 0.08 apart, 0.80 in all, at least 0.75 long.
 * They are read from the edge of the page that they stand at, whichever it is: a
 * sheet that goes in the other way round says the same.  What is askew by more
 * than 5 degrees, of another size, or further than 4.5 inches from the edge is none.
 */
#ifndef SEALROOM_SCAN_PATCH_H
#define SEALROOM_SCAN_PATCH_H

#include "scan/barcode.h"

/* Adds to the codes; their text is "1", "2", "3", "4", "6" or "T". */
int patch_read(struct Pix *, double dpi_x, double dpi_y, struct codes *, struct err *);

#endif
