/*
 * anchor.h - the anti-rollback record: the last tree head the log key signed.
 *
 *	anchor_open(&a, dir, hold, &e)          the record as it lies there
 *	anchor_check(&a, key, &e)               it is ours, and whole
 *	anchor_note(&a, key, origin, size, root, &e)    sign a larger tree, a.note
 *	anchor_close(&a)
 *
 * The record is the signed checkpoint itself (origin, size, root, signature),
 * in DIR/checkpoint, replaced by temp, fsync, rename, fsync.  It is on disk
 * before the note leaves the process, so nobody ever holds a checkpoint that
 * is larger than the record: a log that comes back shorter is caught here.
 *
 * A smaller tree, or one of the same size with another root, is refused.  That
 * a larger tree begins with the recorded one can not be seen from sizes and
 * roots; the log proves that to itself before it asks (it keeps the leaves),
 * and auditors do from the saved checkpoints.
 *
 * DIR is made (0700) when absent and locked while it is held: one process
 * signs, so what it remembers is what is on disk.
 *
 * After a restore from backup a person may give the record up: `sealroom
 * evidence resume` puts DIR/resume, JSON that names this very record ("record",
 * or null where there is none) and the log that is there now ("disk").  Only a
 * tree larger than that is signed then, because its next entry says so (type
 * break); with it the old record moves to DIR/given-up.<size> and DIR/resume
 * goes.  A DIR/resume that names another record is a leftover, and is removed.
 */
#ifndef SEALROOM_ANCHOR_H
#define SEALROOM_ANCHOR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "seal/softkey.h"

struct anchor {
	int dir;   /* -1: looked at only */
	bool has;  /* a record is there */
	uint64_t size;
	uint8_t root[HASH_LEN];
	char note[MSG_NOTE_MAX];
	char resume[MSG_RESUME_MAX]; /* "": the record stands */
	uint64_t resume_size;        /* of the log that is there instead */
};

/* hold: make and lock the directory, to sign; else only look. */
int anchor_open(struct anchor *, const char *dir, bool hold, struct err *);
/* -ERR_LOG: not what this key signs for this log; fills size, root and resume. */
int anchor_check(struct anchor *, const struct softkey *, struct err *);
/* -ERR_LOG_ROLLBACK, -ERR_LOG: refused, nothing changed.  Any other error: the record is in doubt, exit. */
int anchor_note(struct anchor *, const struct softkey *, const char *origin, uint64_t size,
    const uint8_t root[HASH_LEN], struct err *);
void anchor_close(struct anchor *);

#endif
