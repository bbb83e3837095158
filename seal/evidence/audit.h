/*
 * audit.h - is an archive what its log says?  Everything is computed again from
 * the copied tree alone: no daemon, no spool, no settings.
 *
 *	audit_run(dir, &options, found, ctx, &result, &e)
 *
 * Files are read by one process a core; found() is called in this one, in the same
 * order whatever their number.  It is called once for each thing that is wrong or
 * can not be told, with the path it is about and one sentence.  The verdict is the worst of them:
 * proven, disproven (something was changed, cut, exchanged, added or removed),
 * or cannot tell (something could not be read or is newer than this program).
 *
 * A log that was put back to an older state says so itself, in an entry of type
 * break: that is shown, and the rest is judged as it stands.  A checkpoint of
 * the part that was given up (--since) can neither be proven nor disproven.
 *
 * What is compared:
 *   README.txt, FORMAT       with the texts of the format
 *   log/checkpoint           its signature; with checkpoints/<size>
 *   checkpoints/             each signature; each root with the entries
 *   log/tile/                every file with the entries, every file that a
 *                            checkpoint needs, nothing else
 *   journal                  its entries with those of the log, and that it
 *                            reaches the end of the log
 *   entries                  form, index, and the checkpoints they list; in a break,
 *                            size and root of the log it goes on from
 *   YYYY/MM/DD/              directories and job entries one to one; each file
 *                            read and hashed; each manifest
 *   parts-sha256.txt         the documents of each stack with the entries that end
 *                            them; one that has none is counted, no more: it may be held
 *   config/ trust/           with the entries that name them
 *   er/                      each tree with the entries it is about, each record of
 *                            the log with its time stamps, by judge()
 */
#ifndef SEALROOM_AUDIT_H
#define SEALROOM_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/id.h"
#include "agent/lib/taskmsg.h"

/*
 * An evidence record and the hashes it should cover, in a row: *ret as TASK_RECORD
 * has it.  -code: it can not be judged at all.
 */
typedef int audit_judge(void *ctx, const struct buf *objects, const struct buf *record, struct ers_result *ret,
    struct err *);

struct audit_options {
	const char *vkey;  /* the log's key as the auditor knows it; NULL: the one in the tree */
	const char *since; /* text of a checkpoint kept elsewhere; NULL: none */
	audit_judge *judge; /* NULL: time stamps are not looked at; ctx is that of found() */
	unsigned processes; /* that read files at once; 0: one a core, 1: none but this one */
};

struct audit_result {
	uint32_t verdict;     /* enum verdict */
	char origin[128];
	uint64_t entries;     /* under the newest checkpoint */
	uint64_t unpublished; /* in the journal above it */
	uint64_t checkpoints;
	uint64_t jobs;
	uint64_t files;       /* read and hashed */
	uint64_t bytes;
	uint64_t findings;
	uint64_t breaks;      /* entries that say the log goes on after a restore */
	uint64_t voids;       /* entries that declare a document void */
	uint64_t records;     /* batches of evidence records */
	uint64_t judged;      /* of these, by opt->judge */
	uint64_t renewals;
	uint64_t stacks;      /* entries of stacks that were divided */
	uint64_t unended;     /* documents of these without an entry that ends them */
	char unended_id[ID_MAX]; /* the first of them */
};

/* VERDICT_PROVEN: no finding, but what an auditor must know (a break). */
typedef void audit_found(void *ctx, uint32_t verdict, const char *path, const char *sentence);

/* -code only when the audit itself could not be made: no archive there, no memory. */
int audit_run(int dir, const struct audit_options *, audit_found *, void *ctx, struct audit_result *ret, struct err *);

#endif
