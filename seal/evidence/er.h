/*
 * er.h - the evidence records of an archive (RFC 4998): one time stamp over many.
 *
 *	evidence/er/<n>/tree   what it covers (hashtree.h)
 *	evidence/er/<n>/ts     its time-stamp token, with the certificates of its path
 *
 * n counts from 1; an entry of type batch or renewal names both files.  A batch
 * covers the documents of some entries of the log, and the log itself: the checkpoint
 * and the bundles with these entries.  A renewal covers the time stamps of earlier
 * records.  The record of a document is made of these files on demand, the same bytes
 * each time:
 *
 *	er_gather_new(&g, log, archive, first, last, size, &e)   what a batch would cover ...
 *	er_gather_step(g, 256, &e)                        ... a few entries a turn
 *	er_write(archive, n, tree, token, len, &e)        both files at once, synced
 *	er_find(log, archive, index, &chain, &e)          which records cover an entry
 *	er_compose(archive, &chain, label, number, &objects, &out, &e)
 *
 * A directory comes into being complete or not at all, and never changes.  One
 * without its entry is the work of a run that died just then (or, after a restore,
 * of a log that is lost): who writes next looks at it first.
 */
#ifndef SEALROOM_ER_H
#define SEALROOM_ER_H

#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/hashtree.h"
#include "seal/evidence/log.h"

#define ER_JOBS_MAX (HASHTREE_GROUPS_MAX - 1) /* of one batch */
#define ER_ENTRIES_MAX (1u << 20)
#define ER_TOKEN_MAX (64u * 1024)
#define ER_CHAIN_MAX 64u /* time stamps over one document */

/* archive: descriptor of the archive's directory, everywhere. */

/* --- files */
/* Absent: -ERR_IO with errno ENOENT. */
int er_tree(int archive, uint32_t n, struct hashtree **ret, struct err *);
/* out is emptied first, max at least ER_TOKEN_MAX. */
int er_token(int archive, uint32_t n, struct buf *out, struct err *);
/* As an entry names them; both are read and hashed. */
int er_files(int archive, uint32_t n, struct entry_file ret[2], struct err *);
int er_any(int archive, struct err *);                /* 1 when there is one at all, 0, -code */
int er_there(int archive, uint32_t n, struct err *); /* 1, 0, -code */
int er_write(int archive, uint32_t n, const struct hashtree *, const void *token, size_t len, struct err *);
/* For good: a directory that no entry names. */
int er_remove(int archive, uint32_t n, struct err *);

/* --- what a batch covers */
struct er_gather; /* opaque: er.c */
/*
 * Entries from first to last, of a log of which 'size' are under a checkpoint;
 * fewer when there are ER_JOBS_MAX documents or ER_ENTRIES_MAX entries before.
 * The log and archive stay the caller's.
 */
int er_gather_new(struct er_gather **ret, struct elog *, int archive, uint64_t first, uint64_t last, uint64_t size,
    struct err *);
/* Reads at most so many entries. 1: the tree is complete, 0: not yet, -code. */
int er_gather_step(struct er_gather *, unsigned entries, struct err *);
struct hashtree *er_gather_take(struct er_gather *); /* after 1; the caller's */
void er_gather_free(struct er_gather *);             /* NULL is fine */

/* --- entries of the log */
/* The newest entry batch or renewal below 'end': 1, 0: none, -code. Looks at 'most' entries at most; *end moves down. */
int er_last(struct elog *, uint64_t *end, uint64_t most, struct entry *ret, struct err *);
/* The one before x: 1, 0: none, -code. */
int er_before(struct elog *, const struct entry *x, struct entry *ret, struct err *);

/* --- records */
struct er_chain {
	uint32_t n;
	uint32_t record[ER_CHAIN_MAX]; /* a batch, then the renewals that cover it, in order */
	uint64_t checkpoint;           /* number of the batch's group "log" */
};
/* The records about entry 'index' of the log: 1, 0: no batch covers it yet, -code. */
int er_find(struct elog *, int archive, uint64_t index, struct er_chain *ret, struct err *);
/*
 * The record of one group; label NULL: of the first one.  objects, which may be
 * NULL, receives the group's hashes in a row.  No such group: -ERR_LOG.
 */
int er_compose(int archive, const struct er_chain *, const char *label, uint64_t number, struct buf *objects,
    struct buf *out, struct err *);

#endif
