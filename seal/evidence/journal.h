/*
 * journal.h - what was committed to the log, before it is in tiles.
 *
 * A record, integers big-endian:
 *
 *	u32 length of the entry | u32 crc | u64 index | entry
 *
 * crc is CRC-32C over length, index and entry.  The first record is a header:
 * its entry is "sealroom-journal/v1\n", its index that of the record that
 * follows.  So a journal is never empty, and one that does not reach the size of the
 * checkpoint was cut by somebody: it is only ever replaced as a whole.
 *
 *	journal_open(&j, dir, read_only, &e)   reads all; stops at the first bad record
 *	journal_torn(j)                        there are bytes behind the last good one
 *	journal_cut(j, &e)                     removes them
 *	journal_add(j, text, len, &e)          queued
 *	journal_commit(j, &e)                  one write, one fdatasync
 *	journal_rotate(j, dir, first, &e)      a new, empty one takes its place
 *
 * ENOSPC while writing leaves the journal as it was (cut back), ERR_SPACE; so does
 * no memory, ERR_MEM, which only opening, journal_add() and reading ask for.  A
 * failed sync or a failed cut is ERR_LOG, and so is every call after it, or after a
 * rotation that left a new file which could not be opened: what is in the page cache
 * can no longer be trusted to be what is on disk.
 */
#ifndef SEALROOM_JOURNAL_H
#define SEALROOM_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"

#define JOURNAL_NAME "journal"
#define JOURNAL_HEADER "sealroom-journal/v1\n"
#define JOURNAL_RESERVE (1024 * 1024) /* bytes of disk held ready ahead of the end */

struct journal; /* opaque: journal.c */

/* The file of a new log; an existing one stays. */
int journal_create(int dir, struct err *);
int journal_open(struct journal **ret, int dir, bool read_only, struct err *);
void journal_free(struct journal *); /* NULL is fine */

uint64_t journal_first(const struct journal *); /* index of the first record */
uint64_t journal_end(const struct journal *);   /* one behind the last committed record */
size_t journal_queued(const struct journal *);  /* records added and not committed */
uint64_t journal_bytes(const struct journal *); /* size up to the last committed record */
bool journal_torn(const struct journal *);
bool journal_poisoned(const struct journal *);  /* a sync or a cut has failed */

int journal_cut(struct journal *, struct err *);
int journal_add(struct journal *, const void *text, size_t len, struct err *);
int journal_commit(struct journal *, struct err *);
/* Appends a committed entry to out. */
int journal_read(struct journal *, uint64_t index, struct buf *out, struct err *);
int journal_rotate(struct journal *, int dir, uint64_t first, struct err *);

#endif
