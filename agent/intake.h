/*
 * intake.h - the claim: a private copy of a delivery, proven unchanged.
 *
 *	intake_begin(&in, loop, conf, spool, folder, hot, name, on_copied, ctx, &e)
 *	on_copied(ctx, in, err)     once, later; err: the copy failed, only intake_drop() is left
 *	intake_source(in) ...       look at the copy as long as you like
 *	intake_commit(&in, log_size, ...)   the job is in claimed/, H/name in H/work
 *	intake_drop(&in)            as if nothing had been; NULL is fine
 *
 * Where several hosts share the folder (claim = "rename") the commit begins with
 * renaming H/name to H/work/HOST/name: of all that copied it one succeeds, and
 * the others drop their copies.  What is renamed and then not committed goes
 * back, now or when the folder is opened again: intake_put_back().
 *
 * The sender's file is never linked, renamed or written before the commit: a
 * copy is hashed while it is made, synced, and the name must then still lead to
 * the same inode with the same size and times, with our read lease unbroken
 * (durability 4, 0->1->2).  The lease is kept until commit or drop and given up
 * within a second when a writer asks for it; the commit then fails.  What is
 * changed behind the commit's last look is another delivery: it stays in H, goes
 * back there with the receipt, or at the latest when the source is released
 * (deliver.h).
 *
 * Errors, as intake_begin() returns or on_copied() hears them:
 *	ERR_SPACE      free space would fall under 4 x size + space_floor: pause
 *	ERR_DOC_SIZE   larger than scan.max_bytes: watch_skip()
 *	ERR_IO, ...    changed meanwhile, unreadable, gone: watch_later()
 * A file of no bytes is copied like any other: whether it is unfinished or empty
 * is a matter of time, and of the caller.
 *
 * Before the commit the caller compares claim_identity() with unfinished jobs
 * and state/seen: a share that refused the receipt offers the file again.
 */
#ifndef SEALROOM_INTAKE_H
#define SEALROOM_INTAKE_H

#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"
#include "agent/hot.h"
#include "agent/spool.h"
#include "rules/conf.h"

#define INTAKE_STEP (1u << 20) /* bytes copied a turn */

struct intake; /* opaque: intake.c */

/* why is NULL when the copy is whole. */
typedef void intake_cb(void *ctx, struct intake *, const struct err *why);

/* hot is duplicated; conf, spool and folder outlive the intake. */
int intake_begin(struct intake **ret, struct loop *, const struct conf *, const struct spool *,
    const struct conf_folder *, int hot, const char *name, intake_cb *, void *ctx, struct err *);

/*
 * The same for a descriptor that somebody passed: there is no name to look after,
 * and no receipt; owner is who passed it.  -ERR_USAGE: it is no regular file of a
 * local file system, open for reading.
 */
int intake_begin_passed(struct intake **ret, struct loop *, const struct conf *, const struct spool *,
    const struct conf_folder *, int fd, const char *name, uid_t owner, intake_cb *, void *ctx, struct err *);

const struct conf_folder *intake_folder(const struct intake *);
const struct claim *intake_claim(const struct intake *); /* log_size and work_name come with the commit */
int intake_source(const struct intake *);                /* the copy, read only; the intake's */
/*
 * The ticket that came with it: 1 read into ret (its max says how much; what is
 * longer is cut) and put into the job, 0 there is none.  It must be unchanged at
 * the commit, like the document.
 */
int intake_ticket(struct intake *, const char *name, struct buf *ret, struct err *);
/* The sender changed it, or wants to: drop it and ask again later. */
bool intake_broken(struct intake *);

/*
 * Frees *in in every case.  0: the job lies in claimed/, *ret_claim is its
 * claim, *ret_job_dir its directory (the caller's).  Else nothing is claimed,
 * nothing is left in the spool, the sender's file is where it was.
 * The receipt gets a name that is free and that hot_taken() does not know: of jobs
 * that still work for that folder, for theirs may be made or missing.
 */
int intake_commit(struct intake **in, uint64_t log_size, hot_taken *, void *ctx, struct claim *ret_claim,
    int *ret_job_dir, struct err *);
void intake_drop(struct intake **in);

/* Has the spool room for a document of so many bytes, and all that is made of it? 0, -ERR_SPACE, -code. */
int intake_room(const struct conf *, const struct spool *, uint64_t size, struct err *);

/*
 * claim = "rename": files in 'work' that no claim is known of (known() says so
 * by their names there) go back into the folder, as if never taken.
 */
typedef bool intake_known(void *ctx, const char *work_name);
int intake_put_back(const struct conf_folder *, int dir, int work, intake_known *, void *ctx, struct err *);

#endif
