/*
 * ers.h - is an evidence record (RFC 4998) true of these objects?  TASK_RECORD as
 * a function.
 *
 *	ers_judge(trust, &params, hashes, n, der, len, &result)
 *
 * All steps of RFC 4998, 5.3 and 6.3, for every chain and every time stamp in it:
 * each object, or what stands for it, is in the first list; the lists lead to the
 * imprint; each token holds (timestamp.h), for its authority at its time; times do
 * not go back; each time stamp was still valid when the next one was made, the
 * last one is at params->now_us.  Only then is it proven, and from the first time
 * stamp on.
 *
 * What no hash or signature covers is compared with the one value it can have.
 * Not supported, and UNKNOWN: encrypted records, algorithms but SHA-256.
 */
#ifndef SEALROOM_ERS_H
#define SEALROOM_ERS_H

#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "seal/verify/chain.h"

/* hashes: SHA-256 of the objects; n from 1. */
void ers_judge(const struct trust *, const struct ers_params *, const uint8_t (*hashes)[HASH_LEN], size_t n,
    const uint8_t *der, size_t len, struct ers_result *ret);

#endif
