/*
 * request.h - a TimeStampReq (RFC 3161, 2.4.1): SHA-256, nonce, certReq.
 */
#ifndef SEALROOM_REQUEST_H
#define SEALROOM_REQUEST_H

#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"

/* Appends the DER to out; policy "" leaves it to the TSA. */
int request_make(const uint8_t imprint[HASH_LEN], uint64_t nonce, const char *policy, struct buf *out, struct err *);

#endif
