/*
 * archive.h - sealed documents, each in a directory that appears once and
 * never changes: YYYY/MM/DD/<job>/ (UTC day received).
 *
 *	archive_open(&a, path, &e)          new and empty: writes README.txt and FORMAT
 *	archive_begin(&p, a, loop, id, received, files, n, cb, ctx, &e)   in steps; cb once, later
 *	archive_publish(a, id, received, files, n, &e)                    the same, at once
 *	archive_free(a)
 *
 * Publishing builds .new/<job>/ complete (files 0440), syncs files and
 * directory, drops the page cache, reads back and compares hashes, and renames
 * it to its place without replacing; then every directory on the way up is
 * synced, and the day's manifest-sha256.txt replaced.  The same job with the
 * same bytes again is success, so a caller that was killed just calls again;
 * other bytes are -ERR_ARCHIVE.  When a sync fails nothing of the half-built
 * directory stays, and the caller may try again.
 *
 * manifest-sha256.txt serves `sha256sum -c` in a day's directory.  It is
 * derived, and never more than a convenience: the evidence log is what counts.
 */
#ifndef SEALROOM_ARCHIVE_H
#define SEALROOM_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "agent/lib/loop.h"

#define ARCHIVE_DAY_MAX 12  /* "2026/11/22" */
#define ARCHIVE_PATH_MAX 40 /* "2026/11/22/<job>" */
#define ARCHIVE_FILES_MAX 8

struct archive; /* opaque: archive.c */

struct archive_file {
	const char *name;       /* "original.tif", "sealed.pdf", "job.json": lower case, digits, . and - */
	int fd;                 /* the whole file is taken; -1: bytes */
	const void *bytes;
	size_t len;
	const uint8_t *must;    /* SHA-256 that it must have, or it is not published; NULL: any */
	uint64_t size;          /* out, for the log entry */
	uint8_t hash[HASH_LEN]; /* out */
};

int archive_open(struct archive **ret, const char *path, struct err *);
void archive_free(struct archive *); /* NULL is fine */
int archive_dir(const struct archive *); /* stays the archive's */

/* why: NULL when it is published. */
typedef void archive_cb(void *ctx, const struct err *why);
struct publishing; /* opaque: archive.c */
/* files and their descriptors stay the caller's until cb; *ret is gone then. */
int archive_begin(struct publishing **ret, struct archive *, struct loop *, const char *job, int64_t received_us,
    struct archive_file *files, size_t nfiles, archive_cb *, void *ctx, struct err *);
void archive_cancel(struct publishing *); /* before cb; NULL is fine */
int archive_publish(struct archive *, const char *job, int64_t received_us, struct archive_file *files, size_t nfiles,
    struct err *);
/* 1 when the job's directory is there, 0 when not. */
int archive_has(struct archive *, const char *job, int64_t received_us, struct err *);
/* Writes the day's manifest anew from what is there. */
int archive_manifest(struct archive *, const char *day, struct err *);
/* Puts aside, into .orphans/, a directory that no job and no entry knows; archive_manifest() is to follow. */
int archive_orphan(struct archive *, const char *day, const char *job, struct err *);

void archive_day(int64_t received_us, char day[ARCHIVE_DAY_MAX]);
void archive_path(const char *job, int64_t received_us, char path[ARCHIVE_PATH_MAX]);

#endif
