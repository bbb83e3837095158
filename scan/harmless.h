/*
 * harmless.h - the one complaint of libqpdf that is no doubt about a PDF.
 *
 * Programs that append to files with cross-reference streams, PDFBox among them,
 * leave a /Size larger than needed: numbers that nobody uses (ISO 32000-1, 7.5.5
 * wants it exact).  Every reader reads such a file alike, and an update starts
 * above either; so not where there would be no numbers left.
 */
#ifndef SEALROOM_SCAN_HARMLESS_H
#define SEALROOM_SCAN_HARMLESS_H

#include <stdbool.h>
#include <stdio.h>

#define HARMLESS_SIZE_MAX 8000000 /* object numbers end at 8,388,607: ISO 32000-1, Annex C */

static inline bool
harmless(const char *message)
{
	int size, highest;

	return message != NULL &&
	    sscanf(message, "reported number of objects (%d) is not one plus the highest object number (%d)", &size, &highest) == 2 &&
	    highest >= 0 && size > highest && size <= HARMLESS_SIZE_MAX;
}

#endif
