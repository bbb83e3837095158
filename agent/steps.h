/*
 * steps.h - long work of the core in turns of its loop: whole files are copied
 * and hashed 1 MiB at a time, and syncs come one at a time.
 *
 *	s = steps_new(loop, ctx)
 *	steps_copy(s, from, off, len, to, hashed)   to: -1 for hashing alone
 *	steps_digest(s, out)                        SHA-256 over all that was hashed since the last
 *	steps_wide(s), steps_digest_wide(s, out, &wide)   in front of what is hashed, and in place of steps_digest
 *	steps_flush(s, fd)                          a large file reaches the disk before its fsync
 *	steps_call(s, fn)                           fn(ctx, &e): 1 again, in the next turn; may add more
 *	steps_go(s, done)                           done(ctx, why) once, later; s is gone then
 *	steps_cancel(s)                             instead; NULL is fine
 *
 * In the order they were added, until one fails.  A turn ends with 1 MiB, a
 * call or a flush, so that little work takes one turn; much work goes on behind
 * all else (loop_behind()) and never holds the loop.  Descriptors stay the
 * caller's and outlive the steps.
 */
#ifndef SEALROOM_STEPS_H
#define SEALROOM_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/loop.h"

#define STEPS_TURN (1u << 20) /* bytes a turn */

struct steps; /* opaque: steps.c */

typedef int steps_fn(void *ctx, struct err *);
typedef void steps_cb(void *ctx, const struct err *why); /* why: NULL when all is done */

struct steps *steps_new(struct loop *, void *ctx);
void steps_copy(struct steps *, int from, uint64_t off, uint64_t len, int to, bool hashed);
void steps_digest(struct steps *, uint8_t out[HASH_LEN]);
void steps_wide(struct steps *);
void steps_digest_wide(struct steps *, uint8_t out[HASH_LEN], struct hash_wide *);
void steps_flush(struct steps *, int fd);
void steps_call(struct steps *, steps_fn *);
void steps_go(struct steps *, steps_cb *done);
void steps_cancel(struct steps *);

/* One turn without a loop: 1 when there is more, 0 at the end, -code.  steps_cancel() afterwards. */
int steps_turn(struct steps *, struct err *);

#endif
