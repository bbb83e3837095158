/*
 * derput.h - a few elements of DER, written front to back: the length must be known.
 */
#ifndef SEALROOM_DERPUT_H
#define SEALROOM_DERPUT_H

#include "agent/lib/buf.h"

#define DERPUT_INTEGER 0x02
#define DERPUT_OCTETS 0x04
#define DERPUT_OID 0x06
#define DERPUT_SEQUENCE 0x30
#define DERPUT_CONTEXT(n) (uint8_t)(0xA0u | (n)) /* [n], constructed */

/* Tag and length; the content is put behind it by the caller. */
void derput_head(struct buf *, uint8_t tag, size_t len);
void derput(struct buf *, uint8_t tag, const void *content, size_t len);

#endif
