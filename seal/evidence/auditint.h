/*
 * auditint.h - shared by the two halves of an audit: the log (auditlog.c) and
 * the documents (audit.c).
 */
#ifndef SEALROOM_AUDITINT_H
#define SEALROOM_AUDITINT_H

#include <stdbool.h>

#include "agent/lib/buf.h"
#include "agent/lib/hash.h"
#include "seal/evidence/audit.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/note.h"

#define AUDIT_TEXT_MAX 65536

struct audit_head { /* a file of checkpoints/, read and its signature checked */
	uint64_t size;
	uint8_t root[HASH_LEN];
};

#define AUDIT_DAY 10 /* "2026/11/22" */

struct audit_job { /* a final entry */
	char id[ID_MAX];
	char day[AUDIT_DAY + 1]; /* "": nothing archived */
	uint64_t index;
	uint8_t lines[HASH_LEN]; /* SHA-256 of its lines in the day's manifest */
	bool has_source;
	uint8_t source[HASH_LEN];
};

struct audit_part { /* a document of a stack, as the stack's list has it */
	char id[ID_MAX], stack[ID_MAX];
	uint8_t hash[HASH_LEN];
};

struct audit_name { /* a file of config/ or trust/ that an entry names */
	char name[ENTRY_PATH_MAX];
};

struct audit_break { /* the log was put back, and says so */
	uint64_t index;
	uint64_t disk_size, anchor_size;
	uint8_t disk_root[HASH_LEN];
	bool has_anchor;
};

struct audit_queue; /* auditsay.c */

struct audit {
	int dir; /* of the archive */
	struct audit_queue *queue;
	const struct audit_options *opt;
	audit_found *found;
	void *ctx;
	struct audit_result *res;
	struct note_key key;
	bool has_key;
	struct audit_head *heads; /* ascending */
	size_t nheads, heads_cap;
	struct audit_job *jobs;
	size_t njobs, jobs_cap;
	struct audit_part *parts;
	size_t nparts, parts_cap;
	struct audit_name *names;
	size_t nnames, names_cap;
	struct entry *records; /* of types batch and renewal */
	size_t nrecords, records_cap;
	struct audit_break *breaks;
	size_t nbreaks, breaks_cap;
	uint64_t size; /* entries under the newest checkpoint */
	bool whole;    /* all of them could be read */
	bool unread;   /* something said so far could not be read or listed: what is not known may only be unseen */
};

/*
 * auditsay.c: what is said comes out in the order in which it was found, whatever
 * is still being read; files are read on all cores meanwhile.
 *
 * AUDIT_LOST is the verdict on what should be known and is not: a fault of reading
 * said before makes it "cannot tell", for that is no proof of tampering.
 */
#define AUDIT_LOST 100u
int audit_begin(struct audit *, struct err *);
/* Says what is still to be said. */
void audit_end(struct audit *);
void audit_say(struct audit *, uint32_t verdict, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* What an auditor must know, and no finding. */
void audit_tell(struct audit *, const char *path, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A failure to read: disproven when something is missing or malformed, else cannot tell. */
void audit_say_err(struct audit *, const char *path, const struct err *);
/* Room for one more element; NULL: no memory. */
void *audit_grow(void *array, size_t n, size_t *cap, size_t size);
struct look_seen;
/* Why a file could not be opened. */
void audit_say_unseen(struct audit *, const char *path, const struct look_seen *);
/* Reads and hashes a file that an entry names, and says how it differs. */
void audit_check(struct audit *, const char *path, const struct entry_file *);
/*
 * Reads a file of the archive, at most out->max bytes, out emptied first.
 * false: it could not be, and that was said.
 */
bool audit_read(struct audit *, const char *path, struct buf *out);
/* 1, 0; -1: it can not be told, and that was said. */
int audit_exists(struct audit *, const char *path);
/* It is there, perhaps, and does not let itself be read: nobody can tell. */
void audit_unread(struct audit *, const char *path, const char *why);
/* Names in a directory, sorted; those of temporary files are left out. *ret to be freed. 0: also when it is missing. */
struct audit_list {
	char (*v)[256];
	size_t n, cap;
};
int audit_list(struct audit *, const char *path, struct audit_list *ret, struct err *);

/* auditlog.c: key, checkpoints, entries, tiles, journal. */
int audit_log(struct audit *, struct err *);
/* The kept checkpoint of this size; NULL: none. */
const struct audit_head *audit_head_of(const struct audit *, uint64_t size);
/* auditrecord.c: trees and time stamps. When all entries are known. */
int audit_records(struct audit *, struct err *);
/* An entry batch or renewal. */
int audit_record_entry(struct audit *, const struct entry *, struct err *);
/* audit.c: files of evidence/ that an entry names */
int audit_named(struct audit *, const struct entry *, struct err *);
/* audit.c: called for each entry of the log, in order. */
int audit_entry(struct audit *, uint64_t index, const void *text, size_t len, struct err *);

#endif
