/*
 * resume.h - a person's word that the log goes on after a restore from backup.
 *
 * A log that is shorter than its anti-rollback record, or another, is never
 * signed again by itself.  `sealroom evidence resume --after-restore` writes
 * this word into evidence.anchor/resume, naming both sides exactly; the log's
 * sealroom-seal hands it on with READY while it fits its record (seal/anchor.h),
 * and the core puts it into the log as an entry of type break before anything
 * else (reconcile.h).  JSON:
 *
 *	{ "v": 1, "record": { "size": 52, "root": "<hex>" } or null,
 *	  "disk": { "size": 31, "root": "<hex>" }, "reason": "...", "uid": 1000 }
 */
#ifndef SEALROOM_RESUME_H
#define SEALROOM_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"

#define RESUME_FILE "resume"
#define RESUME_REASON_MAX 512

struct resume {
	bool has_record;          /* the anti-rollback record that is given up */
	uint64_t record_size;
	uint8_t record_root[HASH_LEN];
	uint64_t disk_size;       /* the log as it is now: what is gone on from */
	uint8_t disk_root[HASH_LEN];
	char reason[RESUME_REASON_MAX];
	uint32_t uid;             /* who said so */
};

/* malloc'ed text; NULL: no memory, or the reason is not UTF-8. */
char *resume_text(const struct resume *);
/* Anything else than resume_text() writes: -ERR_LOG. */
int resume_parse(const char *text, struct resume *ret, struct err *);

#endif
