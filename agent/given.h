/*
 * given.h - what lies in done/ because we put it there, and for how long it has.
 *
 *	given_age(spool, &now, &e)              the age clock, milliseconds
 *	given_put(spool, folder, &g, &e)        durable when it returns
 *	given_first(spool, folder, &part, &e)   the oldest part of a folder's list: 1, 0: it is empty
 *	given_get(spool, folder, part, &at, &g, &e)    its records in turn, from at = 0
 *	given_drop(spool, folder, part, &e)     when given_get() has come to the end
 *
 * state/given/FOLDER.N: a line of JSON a result, in the order in which they were
 * given; N counts days of the age clock.  Who takes results out again (keep.c)
 * works from the oldest line on and drops each file at its end, so that there
 * are never more records than results of the time they are kept for.  What has
 * to wait goes to the end again, with a later age.
 *
 * state/given/age: the age clock counts while the machine runs, by CLOCK_BOOTTIME,
 * also while the daemon does not; it is not the time of day.  Setting that clock,
 * or starting with a wrong one, ages nothing.  What is not counted is the time
 * for which the machine was off, and up to an hour before a crash of it: a
 * result may stay longer than it is meant to, never shorter.
 */
#ifndef SEALROOM_GIVEN_H
#define SEALROOM_GIVEN_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "agent/archive.h"
#include "agent/spool.h"

#define GIVEN_FILES 2 /* the result, and its JSON */

struct given_file {
	char name[SPOOL_NAME_MAX];
	uint64_t size;
	int64_t mtime;          /* whole seconds: a server may keep no more */
	uint8_t hash[HASH_LEN];
};

struct given {
	uint64_t age_ms;        /* age clock when it was given */
	char job[ID_MAX];
	bool repeat;            /* an earlier job's result once more: its entry is `repeat` */
	uint64_t entry;         /* index in the log */
	char archive[ARCHIVE_PATH_MAX]; /* directory whose sealed.pdf it is */
	uint32_t tries;         /* how often it could not be looked at */
	uint32_t nfiles;
	struct given_file file[GIVEN_FILES];
};

/* To be asked each hour: what was counted is written down then, and survives the end of the machine. */
int given_age(const struct spool *, uint64_t *ret_ms, struct err *);

int given_put(const struct spool *, const char *folder, const struct given *, struct err *);
int given_first(const struct spool *, const char *folder, uint32_t *ret_part, struct err *);
/* 1: read, and *at behind it; 0: the end, -code.  A line that is damaged is passed by: its files stay. */
int given_get(const struct spool *, const char *folder, uint32_t part, uint64_t *at, struct given *ret, struct err *);
int given_drop(const struct spool *, const char *folder, uint32_t part, struct err *);

#endif
