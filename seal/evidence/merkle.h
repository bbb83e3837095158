/*
 * merkle.h - the hash tree of the log (RFC 6962, 2.1; always SHA-256).
 *
 *	leaf(d)    = SHA-256(0x00 || d)
 *	node(l, r) = SHA-256(0x01 || l || r)
 *
 * A struct merkle is a hashing context and the right edge of one growing tree:
 *
 *	m = merkle_new()
 *	merkle_leaf(m, entry, len, h); merkle_add(m, h)    for each entry
 *	merkle_root(m, root)                               as often as wanted
 *	merkle_free(m)
 *
 * Proofs and roots of smaller trees come from stored hashes: a merkle_get
 * returns the root of the complete subtree 'index' with 2^level leaves.
 * Hashing itself can not fail; merkle_new() aborts without SHA-256.
 */
#ifndef SEALROOM_MERKLE_H
#define SEALROOM_MERKLE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"

#define MERKLE_PROOF_MAX 64 /* hashes in an inclusion or consistency proof */

struct merkle; /* opaque: merkle.c */

struct merkle *merkle_new(void);
void merkle_free(struct merkle *); /* NULL is fine */

void merkle_leaf(struct merkle *, const void *, size_t, uint8_t ret[HASH_LEN]);
void merkle_node(struct merkle *, const uint8_t l[HASH_LEN], const uint8_t r[HASH_LEN], uint8_t ret[HASH_LEN]);
/* Root over n leaves or nodes of one level: MTH(D[0:n]); n = 0: SHA-256(""). */
void merkle_fold(struct merkle *, const uint8_t (*hashes)[HASH_LEN], size_t n, uint8_t ret[HASH_LEN]);

void merkle_add(struct merkle *, const uint8_t leaf[HASH_LEN]);
void merkle_root(struct merkle *, uint8_t ret[HASH_LEN]);
uint64_t merkle_size(const struct merkle *);
void merkle_copy(struct merkle *to, const struct merkle *from); /* the edge, not the context */

typedef int merkle_get(void *ctx, unsigned level, uint64_t index, uint8_t ret[HASH_LEN], struct err *);

/* Sets the edge to a tree of this size. */
int merkle_load(struct merkle *, uint64_t size, merkle_get *, void *ctx, struct err *);
/* proof has room for MERKLE_PROOF_MAX hashes. index < size; 0 < from <= size. */
int merkle_prove_inclusion(struct merkle *, uint64_t index, uint64_t size, merkle_get *, void *ctx,
    uint8_t (*proof)[HASH_LEN], size_t *ret_n, struct err *);
int merkle_prove_consistency(struct merkle *, uint64_t from, uint64_t size, merkle_get *, void *ctx,
    uint8_t (*proof)[HASH_LEN], size_t *ret_n, struct err *);

/* RFC 9162, 2.1.3.2 and 2.1.4.2: 0, or -1 when the proof does not hold. */
int merkle_check_inclusion(struct merkle *, uint64_t index, uint64_t size, const uint8_t leaf[HASH_LEN],
    const uint8_t (*proof)[HASH_LEN], size_t n, const uint8_t root[HASH_LEN]);
int merkle_check_consistency(struct merkle *, uint64_t from, const uint8_t from_root[HASH_LEN], uint64_t size,
    const uint8_t root[HASH_LEN], const uint8_t (*proof)[HASH_LEN], size_t n);

#endif
