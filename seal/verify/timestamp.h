/*
 * timestamp.h - one RFC 3161 time-stamp token: what it says, and is it true?
 *
 *	timestamp_check(&ts, der, len, &want, trust, "tsa:", &f)
 *
 * Everything of evidence that a token can give by itself: SignedData with one
 * signer, TSTInfo version 1, imprint, nonce and policy where wanted,
 * signature, ESSCertID(v2), extendedKeyUsage, path to a pinned root valid at
 * genTime.  The imprint must be SHA-256, SHA-384 or SHA-512.
 */
#ifndef SEALROOM_TIMESTAMP_H
#define SEALROOM_TIMESTAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/hash.h"
#include "seal/verify/chain.h"
#include "seal/verify/der.h"
#include "seal/verify/findings.h"

struct timestamp {
	int64_t gen_time_us;
	int64_t not_after_us;   /* end of its certificate */
	uint8_t hash[HASH_LEN]; /* SHA-256 of the token */
	char signer[CHAIN_SUBJECT_MAX];
	uint8_t cert_hash[HASH_LEN];
	char policy[DER_OID_TEXT];
};

struct timestamp_want {
	/* either the bytes that were stamped ... */
	const uint8_t *data;
	size_t data_len;
	/* ... or, with data NULL, their SHA-256 and, where known, the wider ones */
	const uint8_t *imprint;
	const struct hash_wide *wide;
	const char *policy;    /* NULL or "": any */
	const uint64_t *nonce; /* NULL: not asked for */
	bool no_strangers;     /* each embedded certificate belongs to a trusted path (chain.h) */
};

/* True: PROVEN, *ret filled.  Otherwise *f says why, and *ret holds what could be read. */
bool timestamp_check(struct timestamp *ret, const uint8_t *der, size_t len, const struct timestamp_want *,
    const struct trust *, const char *set, struct findings *);

#endif
