/*
 * objects.h - every object of a PDF that can be reached, once.
 *
 *	objects_walk(&p, cb, ctx, &e)    from the catalog on
 *
 * cb sees each dictionary and each stream, whatever leads there.  Streams are
 * not read.  Whatever libqpdf has to complain about any of them counts as
 * damage (pdfin_clean()): an update to a file of which only a part was looked
 * at would seal something nobody saw.
 */
#ifndef SEALROOM_SCAN_OBJECTS_H
#define SEALROOM_SCAN_OBJECTS_H

#include "scan/pdfin.h"

typedef int objects_cb(void *ctx, struct pdfin *, qpdf_oh, struct err *);
int objects_walk(struct pdfin *, objects_cb *, void *ctx, struct err *);

#endif
