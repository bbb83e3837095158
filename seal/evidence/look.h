/*
 * look.h - files of an archive opened, read and hashed, on all cores.
 *
 *	look_file(dir, path, &seen)            here and now
 *
 *	lookers_open(&l, dir, n)               n processes; 0: one a core
 *	lookers_ask(l, path, ctx)              while lookers_room(l)
 *	lookers_wait(l, answer)                at least one answer, in any order
 *	lookers_free(l)
 *
 * Looking can not fail: what is wrong is part of what was seen.  A process that
 * can not be made, or dies, is no loss: the caller's own looks instead.  With one
 * core there is none, and lookers_ask() looks itself.
 */
#ifndef SEALROOM_LOOK_H
#define SEALROOM_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"

#define LOOK_PATH_MAX 512

struct look_seen {
	enum { LOOK_HASHED, LOOK_MISSING, LOOK_SYMLINK, LOOK_NO_FILE, LOOK_UNREAD } how;
	uint64_t size;
	uint8_t hash[HASH_LEN];
	char why[ERR_TEXT_MAX]; /* UNREAD */
};

/* Opens a regular file and tells its size; -1, and in *ret why not. */
int look_open(int dir, const char *path, struct look_seen *ret);
void look_file(int dir, const char *path, struct look_seen *ret);

struct lookers; /* opaque: look.c */

int lookers_open(struct lookers **ret, int dir, unsigned n, struct err *);
void lookers_free(struct lookers *); /* NULL is fine; open questions are forgotten */

typedef void lookers_answer(void *ctx, const struct look_seen *);
/* path is shorter than LOOK_PATH_MAX; ctx comes back with the answer. */
bool lookers_room(const struct lookers *);
void lookers_ask(struct lookers *, const char *path, void *ctx, lookers_answer *);
/* Nothing asked: returns at once. */
void lookers_wait(struct lookers *, lookers_answer *);

#endif
