/*
 * keep.h - give.keep: what we put into done/ is taken out again when its time is over.
 *
 *	keep_open(core, &e)      begins; not with --once
 *	keep_close(core)
 *	keep_given(j, then)      a result was given: on record, for later; then(j, NULL or why)
 *
 * A file of done/ goes when all of this holds: a record (given.h) says that we
 * put it there so long ago, by a clock that nobody can set; nobody has changed
 * it since (size, time of change, SHA-256); sealed.pdf in the archive still has
 * the same bytes; and the log's entry of the job says so, too.  The JSON beside
 * it goes with it, if it is still ours.  Anything else stays: who works with a
 * result in done/ owns it from then on.  held/ and error/ are never looked at.
 *
 * One file at a time, hashed in turns (steps.h).  It is renamed to a name that nobody
 * else uses, looked at once more - is this what was hashed? - and removed, or
 * given its name back.  A file that is open for writing waits.
 */
#ifndef SEALROOM_KEEP_H
#define SEALROOM_KEEP_H

#include "agent/core.h"

int keep_open(struct core *, struct err *);
void keep_close(struct core *);
void keep_given(struct job *, void (*then)(struct job *, const struct err *why));
void keep_forget(struct job *); /* frees what that held */

#endif
