/*
 * log.h - the evidence log: entries first in a journal, then in tiles, then
 * under a signed checkpoint (C2SP tlog-tiles, tlog-checkpoint, signed-note).
 *
 * Below the archive, evidence/ holds
 *
 *	journal               what was committed; a record is an entry with index and CRC
 *	log/tile/...          hashes and entries, 256 a file; full ones never change
 *	log/checkpoint        the newest signed tree head, the only file there that is replaced
 *	checkpoints/<size>    every checkpoint ever published
 *	trust/log.vkey        the log's public key
 *	trust/ config/        further certificates and settings, named by their entries
 *
 * Writer, in this order (evidence(7), ORDER OF WRITES):
 *
 *	elog_open(&l, archive, origin, false, &e)     one writer: locked; nothing is cut yet
 *	elog_trust(l, vkey, &e)                       once the log's key is known
 *	elog_recover(l, &anchor, &e)                  against sealroom-seal's record; cuts a torn tail
 *	elog_append(l, &entry, &index, &e)            queued; does not count yet
 *	elog_commit(l, &e)                            one write, one fdatasync: now they count
 *	elog_integrate(l, &e)                         bundles and tiles durable up to elog_size()
 *	elog_root(l, size, root, &e)                  for NOTE to the log's key
 *	elog_publish(l, note, &e)                     checks the signed answer, keeps it, replaces
 *
 * Readers (evidence, verify, audit) open read-only at any time, also beside a
 * running writer, and see what was committed when they opened.
 *
 * Errors: ERR_SPACE and ERR_IO leave the log as it was; call again later.  A
 * failed sync of the journal is ERR_LOG and final: the page cache may lie from
 * then on, every later call fails, the process must stop and recover from disk.
 */
#ifndef SEALROOM_ELOG_H
#define SEALROOM_ELOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "seal/evidence/entry.h"

struct elog; /* opaque: log.c */

/* archive_dir stays the caller's. read_only: origin may be NULL (taken from the checkpoint). */
int elog_open(struct elog **ret, int archive_dir, const char *origin, bool read_only, struct err *);
void elog_free(struct elog *); /* NULL is fine; what was queued is forgotten */

uint64_t elog_size(const struct elog *);       /* committed entries */
uint64_t elog_next(const struct elog *);       /* index of the next elog_append() */
uint64_t elog_integrated(const struct elog *); /* entries whose tiles are durable */
uint64_t elog_published(const struct elog *);  /* size of the newest checkpoint; 0: none */
const char *elog_head(const struct elog *);    /* its text with signatures; "": none */
const char *elog_vkey(const struct elog *);    /* trust/log.vkey, one line; "": none */
const char *elog_origin(const struct elog *);

/* The anti-rollback record, as sealroom-seal's READY brings it. */
struct elog_anchor {
	bool has;
	uint64_t size;
	uint8_t root[HASH_LEN];
	const char *note; /* the checkpoint signed for it; "" or NULL: none */
};
/*
 * Can this log have followed that record?  -ERR_LOG_ROLLBACK when it is shorter,
 * differs at that size, or shows a checkpoint the record does not know.
 */
int elog_check_anchor(struct elog *, const struct elog_anchor *, struct err *);
/*
 * elog_check_anchor(), then: cuts an incomplete last journal record (it lies
 * above the record's size, or the check had failed), integrates, and publishes
 * anchor->note when it is newer than the checkpoint on disk.  Nothing can be
 * appended before.
 */
int elog_recover(struct elog *, const struct elog_anchor *, struct err *);
/* An empty log takes the key and stores it; any other compares: -ERR_LOG when it differs. */
int elog_trust(struct elog *, const char *vkey, struct err *);

int elog_append(struct elog *, const struct entry *, uint64_t *ret_index, struct err *);
/* Queued, not yet committed. */
size_t elog_queued(const struct elog *);
int elog_commit(struct elog *, struct err *);
/* A sync of the journal has failed: nothing says that the log is wrong, opened anew it may do. */
bool elog_poisoned(const struct elog *);
int elog_integrate(struct elog *, struct err *);
int elog_publish(struct elog *, const char *signed_checkpoint, struct err *);

/* Root of the first 'size' entries, size <= elog_size(). */
int elog_root(struct elog *, uint64_t size, uint8_t ret[HASH_LEN], struct err *);
/* The bytes of a committed entry; out is emptied first and needs max >= ENTRY_MAX. */
int elog_entry(struct elog *, uint64_t index, struct buf *out, struct err *);
/*
 * First committed entry at or after 'from' of this type (ENTRY_NONE: any) and
 * job (NULL: any) that holds this line (NULL: any; e.g. "question 2").
 * 1 found, 0 not, -code.  elog_find_last() looks backwards from the end.
 */
int elog_find(struct elog *, enum entry_type, const char *job, const char *line, uint64_t from,
    uint64_t *ret_index, struct err *);
int elog_find_last(struct elog *, enum entry_type, const char *job, const char *line, uint64_t *ret_index,
    struct err *);

#define ELOG_PROOF_MAX 64 /* hashes in an inclusion proof */
/* Inclusion of 'index' in the newest checkpoint: a C2SP tlog-proof file. Not published yet: -ERR_IO. */
int elog_prove(struct elog *, uint64_t index, struct buf *out, struct err *);

/*
 * Stores a file below evidence/ that an entry names: name "config/<sha256>.conf"
 * or "trust/NAME".  The same bytes again are fine; other bytes: -ERR_LOG.
 */
int elog_keep(struct elog *, const char *name, const void *, size_t, struct entry_file *ret, struct err *);

#endif
