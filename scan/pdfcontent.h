/*
 * pdfcontent.h - what the content stream of a page shows, if that is one image.
 *
 *	content_read(&c, data, len, resources, ctx, &e)
 *
 * An interpreter for the operators of ISO 32000-1, Annex A, that paint nothing,
 * and for one Do.  It follows the matrix, rectangular clips and the text
 * rendering mode; whatever paints, or could, makes the page ERR_DOC_FOREIGN.
 */
#ifndef SEALROOM_SCAN_PDFCONTENT_H
#define SEALROOM_SCAN_PDFCONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"

#define CONTENT_NAME_MAX 128

/* What the interpreter asks about named resources. */
enum content_ask {
	CONTENT_IMAGE,  /* is this XObject an image? */
	CONTENT_STATE,  /* does this ExtGState change nothing that shows? */
	CONTENT_FONT,   /* does this font obey the rendering mode (not Type 3)? */
};
typedef bool content_resource(void *ctx, enum content_ask, const char *name);

struct content {
	char image[CONTENT_NAME_MAX]; /* with its "/" */
	double matrix[6];             /* of the image */
	double clip[4];               /* x0 y0 x1 y1 in user space at that moment */
};

int content_read(struct content *ret, const uint8_t *data, size_t len, content_resource *, void *ctx, struct err *);

#endif
