/*
 * history.h - what the log says about one job, long after it left the spool.
 *
 *	history_open(core, prefix, cb, ctx, &e)    cb once, later
 *
 * Reads the log a few entries a turn: a log of years must not stop the mail.
 * A job's id holds its time, so the search begins where the log was then; only
 * when nothing is found there (a clock was wrong) all of it is read.
 */
#ifndef SEALROOM_HISTORY_H
#define SEALROOM_HISTORY_H

#include <jansson.h>

#include "agent/core.h"

#define HISTORY_PREFIX 8      /* characters of an id that are enough */
#define HISTORY_ENTRIES 200   /* of one job, that are shown */

struct history {
	char id[ID_MAX];      /* "": no entry of such a job */
	char folder[MSG_NAME_MAX];
	char path[64];        /* of the archive; "": neither sealed nor divided */
	bool sealed, divided, voided;
	uint64_t voided_at;   /* index of the entry */
	json_t *entries;      /* [{"index", "type", "time", "reason"?, "text"?, "uid"?}], oldest first */
};

/* why: NULL, or what went wrong; h is valid during the call. */
typedef void history_cb(void *ctx, const struct history *h, const struct err *why);

/* The core's end ends the search without a call. */
int history_open(struct core *, const char *prefix, history_cb *, void *ctx, struct err *);

#endif
