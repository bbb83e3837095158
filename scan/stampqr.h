/*
 * stampqr.h - a QR code (ISO/IEC 18004) as squares of a content stream.
 *
 *	stampqr_open(&q, text, &e)               level M; ERR_CONF: too long for a code
 *	stampqr_put(q, x, y, side, content)      with its quiet zone of four modules
 *	stampqr_free(q)
 */
#ifndef SEALROOM_STAMPQR_H
#define SEALROOM_STAMPQR_H

#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"

struct stampqr; /* opaque */

int stampqr_open(struct stampqr **ret, const char *text, struct err *);
void stampqr_free(struct stampqr *); /* NULL is fine */
/* Side below which a reader no longer tells the modules apart, 1/1000 pt. */
int64_t stampqr_least(const struct stampqr *);
/* In the fill colour in force; x, y: lower left corner, 1/1000 pt. */
void stampqr_put(const struct stampqr *, int64_t x, int64_t y, int64_t side, struct buf *content);

#endif
