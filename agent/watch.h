/*
 * watch.h - when is a file complete?  Offers it then, and not before.
 *
 *	watch_open(&w, loop, conf, &owner, most, on_quiet, ctx, &e)
 *	on_quiet(ctx, &file)       one name, quiet for its folder's settle time;
 *	                           answered before it returns, by one of:
 *	    watch_busy(w, ...)     a claim has begun; watch_done/_later/_skip will follow, watch_slow before them if it takes long
 *	    watch_done(w, ...)     taken; nothing more unless it changes, or watch_again() says that it was not
 *	    watch_later(w, ...)    not now: offered again after 'ms', if still there and quiet
 *	    watch_skip(w, ...)     not ours to take; reported once, left alone until it changes
 *	    watch_hold(w, ...)     nothing can be taken now: it keeps its turn, and nobody is offered for 'ms'
 *	watch_close(w)
 *
 * inotify is a hint, the full scan is the truth: at start, every poll interval
 * (at most 60 s), after an overflow, when a watch is lost, and when another
 * directory stands where the folder was.  Quiet means: for settle time no
 * event, no change of (inode, size, mtime, ctime) and no open writer seen; the
 * clock (CLOCK_BOOTTIME) starts anew with each of them.  A file that was there
 * before we were is no exception.  mtime itself is never looked at.  A file of
 * no bytes is begun, not delivered: it is offered when overdue, and not before.
 *
 * A flood costs bounded memory and time: at most WATCH_NAMES names a folder are
 * followed, no more than half of them things that nobody will offer soon, a scan
 * reads WATCH_SCAN entries a turn, folders are offered in turn, and no more than
 * 'most' claims are under way at once, and WATCH_SLOW more that were called slow.
 *
 * On a network file system (hot_remote()) the scan is all there is: events and
 * leases tell of this host only, so neither is believed to mean that a file is
 * quiet, and the defaults of settle and poll are others.
 *
 * A folder that is not there (a share that is not mounted, or was and now is
 * not), one that can not be read to its end and one that another agent works with
 * (marker.h) are alarms, not errors; they are tried again every two seconds, and
 * so is a name that can not be looked at.  Links, FIFOs, sockets, devices,
 * directories and unreadable files are never touched; each is reported once.
 */
#ifndef SEALROOM_WATCH_H
#define SEALROOM_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"
#include "rules/conf.h"

#define WATCH_NAMES 32768
#define WATCH_SCAN 512
#define WATCH_SLOW 24

struct watch_set; /* opaque: watch.c */

struct watch_file {
	const struct conf_folder *folder;
	int dir;            /* the hot folder; the watch's, valid while on_quiet runs */
	const char *name;   /* valid while on_quiet runs */
	uint64_t size;
	bool overdue;       /* unchanged for incomplete_max: what is incomplete now stays so */
};
typedef void watch_cb(void *ctx, const struct watch_file *);

/* Who watches. */
struct watch_owner {
	const char *agent; /* spool.agent: what our markers say */
	int state;         /* the state directory: folders/NAME says that folder NAME is a mount */
	/*
	 * A folder is ours (again), and nothing in it was offered yet: dir is the
	 * folder, work its sub-folder for what was taken.  -code: it can not be used.
	 */
	int (*opened)(void *ctx, const struct conf_folder *, int dir, int work, struct err *);
};

int watch_open(struct watch_set **ret, struct loop *, const struct conf *, const struct watch_owner *, uint32_t most,
    watch_cb *on_quiet, void *ctx, struct err *);
void watch_close(struct watch_set *); /* NULL is fine */

void watch_busy(struct watch_set *, const struct conf_folder *, const char *name);
/* The claim under way takes long, and keeps no other waiting any more. */
void watch_slow(struct watch_set *, const struct conf_folder *, const char *name);
void watch_done(struct watch_set *, const struct conf_folder *, const char *name);
/* Who took it is done with it: what still has this name is offered anew. */
void watch_again(struct watch_set *, const struct conf_folder *, const char *name);
void watch_later(struct watch_set *, const struct conf_folder *, const char *name, uint64_t ms);
void watch_skip(struct watch_set *, const struct conf_folder *, const char *name, const struct err *why);

void watch_hold(struct watch_set *, const struct conf_folder *, const char *name, uint64_t ms);

/* No offers until resumed. Watching goes on. */
void watch_pause(struct watch_set *, bool pause);
/* Scans all folders now. */
void watch_rescan(struct watch_set *);
/*
 * True when a whole scan that began after the last watch_rescan() found nothing
 * that could still be offered soon: nothing within its settle time, offered or
 * busy.  *ret_later: how many were put off, by watch_later() or watch_hold(), or lie in a
 * folder that can not be used now - gone, full, another agent's (that is one).
 */
bool watch_idle(const struct watch_set *, uint32_t *ret_later);
/*
 * Another name of the folder: 1 quiet for its settle time, or nothing to wait for
 * (a link, unreadable); 0 still changing or not known yet; -1 not there.
 */
int watch_quiet(struct watch_set *, const struct conf_folder *, const char *name);
/* The longest settle time of all folders. */
uint64_t watch_settle_ms(const struct watch_set *);

/* How long ago the scan that is most overdue should have begun. */
uint64_t watch_late_ms(const struct watch_set *, uint64_t now_ms);

/* Descriptor of the hot folder, the watch's; -1 while it is not there. Copy it to keep it. */
int watch_dir(const struct watch_set *, const struct conf_folder *);
/* [{"name", "path", "there", "locked", "polled", "why", "waiting", "later", "busy", "ignored", "odd", "more"}] for status */
json_t *watch_json(const struct watch_set *);

#endif
