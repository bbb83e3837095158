/*
 * expiry.h - what is kept for a time goes when that is over: names of state/seen
 * after SEEN_DAYS, events that nobody has dealt with after EVENTS_DAYS, jobs of
 * state/quarantine after quarantine_keep; these not with --once, and only what the
 * log has and nobody needs any more.
 *
 *	expiry_open(core, &e)    looks now, then once a day, some names a turn; with --once now, and to the end
 *	expiry_close(core)
 *
 * By the age clock (given.h), not by the time of day: a clock that says 2099 at
 * one start expires nothing.  Whatever is found for the first time gets that
 * clock's time as its time of access, counted from EXPIRY_EPOCH_S, where no time
 * of day is ever set to; so it stays for up to a day longer.  One that cannot be
 * one of ours, or is ahead of the age clock (a backup, a file system that keeps
 * no such times), begins anew: it may stay longer than it is meant to, never
 * shorter.
 */
#ifndef SEALROOM_EXPIRY_H
#define SEALROOM_EXPIRY_H

#include "agent/core.h"

#define EXPIRY_EPOCH_S (INT64_C(1) << 33) /* in the year 2242 */

int expiry_open(struct core *, struct err *);
void expiry_close(struct core *);

/* Has this name of dir been there for keep_ms of the age clock, which says age_ms?  1, 0, -code. */
int expiry_due(int dir, const char *name, uint64_t age_ms, uint64_t keep_ms, struct err *);

#endif
