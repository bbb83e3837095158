/*
 * deliver.h - what the people of a hot folder get back, and the end of their copy.
 *
 *	deliver_begin(&d, loop, &req, cb, ctx, &e)   works in steps; cb once, later, then d is gone
 *	deliver_cancel(d)                            before cb; NULL is fine
 *
 *	DELIVER_RESULT   sealed.pdf           -> done/  NAME.pdf, or the name the rule wants
 *	DELIVER_REFUSED  source               -> error/ NAME and NAME.txt
 *	DELIVER_HELD     source               -> held/  NAME, NAME.txt and, as far as the job has them,
 *	                 NAME.png (DELIVER_PICTURE) and NAME.html (DELIVER_PAGE)
 *	                 and to each of these NAME.json, when a result is given, and to the
 *	                 last two NAME.ticket, when the job has one
 *	DELIVER_UNHOLD   takes back from held/ what DELIVER_HELD put there and nobody changed
 *	DELIVER_RELEASE  removes the sender's copy: work/work_name or name, whichever still is the claim's
 *
 * Each may be done again after a crash, and then changes nothing that is done
 * already: the names are chosen first and put into the job (records
 * `delivered-done`, `delivered-error`, `delivered-held`: names and note), a
 * file appears by a rename that never replaces, complete and synced, with
 * give.mode and the group of its folder.  A name is taken when it exists in any
 * spelling of upper and lower case or of accents; then " (2)" goes before the
 * suffix, for the whole set.  Names are made legal for Windows.
 *
 * DELIVER_UNHOLD needs source, picture and page as they were; the next
 * DELIVER_HELD of the job then is a new one.
 *
 * DELIVER_RELEASE opens by the rules of the intake and compares size, mtime and
 * SHA-256; a name that is gone is success, and so is another file at H/name, which
 * is a delivery of its own.  One in work/ goes back into H, and the log says so.
 * What is removed had our lease, where there are leases, and is the very file that
 * was hashed: it gets a name of ours (.sealroom-release-JOB) first.  -ERR_LATER:
 * somebody writes to it.  EACCES, EPERM, EROFS are -ERR_IO with that errno: alarm,
 * stay in logged.
 */
#ifndef SEALROOM_DELIVER_H
#define SEALROOM_DELIVER_H

#include <jansson.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"
#include "agent/spool.h"
#include "rules/conf.h"

#define DELIVER_STEP (1u << 20) /* bytes a turn */
#define DELIVER_PICTURE "picture.png" /* in the job's directory */
#define DELIVER_PAGE "place.html"

enum deliver_kind { DELIVER_RESULT, DELIVER_REFUSED, DELIVER_HELD, DELIVER_UNHOLD, DELIVER_RELEASE };

struct deliver_req {
	enum deliver_kind kind;
	const struct conf_folder *folder; /* outlives the delivery */
	int hot;                          /* duplicated */
	int job_dir;                      /* duplicated; -1 for RELEASE */
	const struct claim *claim;        /* copied */
	bool moved;                       /* RELEASE: its receipt was in work/, so H/name is none of it */
	const char *wanted;               /* RESULT: name a rule wants; "" or NULL: NAME.pdf */
	const struct err *why;            /* REFUSED, HELD: code, page, detail; copied */
	const char *word;                 /* HELD: compose_result.hold_word; "" or NULL */
	json_t *json;                     /* all but RELEASE: the result for programs; it gets "file", the name chosen; or NULL */
	const int *sealed_dir;            /* RESULT: where sealed.pdf lies instead, duplicated; or NULL */
	const char *say;                  /* HELD, REFUSED: own words of a rule or a person; "" or NULL */
};

struct deliver; /* opaque: deliver.c */

/* why is NULL when all is done; its errno is in effect during the call. */
typedef void deliver_cb(void *ctx, const struct err *why);

/* What such a delivery has put into its folder, by its record; json and its SHA-256 of a RESULT only, "": it had none. */
struct deliver_names {
	char document[SPOOL_NAME_MAX], json[SPOOL_NAME_MAX];
	uint8_t json_hash[HASH_LEN];
};
int deliver_names(int job_dir, enum deliver_kind, struct deliver_names *ret, struct err *);

int deliver_begin(struct deliver **ret, struct loop *, const struct deliver_req *, deliver_cb *, void *ctx,
    struct err *);
void deliver_cancel(struct deliver *);

#endif
