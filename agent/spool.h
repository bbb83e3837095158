/*
 * spool.h - state on disk: one directory a job, its state is the directory it
 * lies in, a state change is one rename.
 *
 *              below state/spool/   what lies in it when the rename is synced
 *   incoming   J                    a copy under way; may be deleted at any time
 *   claimed    J                    source, claim          (inspect, pages/ come)
 *   rendered   J                    + inspect, plan, doc.pdf
 *   signed     J                    + prepared.pdf, prep, attempt, sig; then tst, dss, dts, each put once
 *   sealed     J                    + sealed.pdf, job.json; of a stack (stack.h), which comes from claimed: inspect,
 *                                   plan, parts, part-1.pdf ..., job.json
 *   archived   J                    + the archive's directory, read back
 *   logged     J                    + entry in the log, synced
 *   released   J                    delivered, sender's copy gone
 *   refused    J                    source, claim, reason  -> quarantine/J
 *   held       J                    source, claim, question, page results
 *
 * Nothing else remembers anything: start-up looks at the directories and goes on.
 * The file state/agent names this state directory to others (marker.h).
 * Other directories of state/: folders (which hot folders are mounts), given (given.h), quarantine, seen, tokens, tsa, anchor, events/{tmp,new}.
 */
#ifndef SEALROOM_SPOOL_H
#define SEALROOM_SPOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"
#include "rules/conf.h"

enum spool_state {
	SPOOL_INCOMING, SPOOL_CLAIMED, SPOOL_RENDERED, SPOOL_SIGNED, SPOOL_SEALED,
	SPOOL_ARCHIVED, SPOOL_LOGGED, SPOOL_RELEASED, SPOOL_REFUSED, SPOOL_HELD, SPOOL_STATES
};
const char *spool_state_name(enum spool_state);

/*
 * Format 2 has tickets and receipts in its claims, and more names in seen/.  A
 * spool of format 1 is one without them: it is read as it is, and named 2 when
 * this release first opens it.  One that a later release began is refused.
 */
#define SPOOL_NAME "sealroom-spool"
#define SPOOL_NEWEST 2u
#define SPOOL_FORMAT SPOOL_NAME "/2\n"
#define SPOOL_NAME_MAX 256 /* a file name with its NUL */

struct spool {
	int state;                  /* conf->state */
	int lock;                   /* OFD lock held while the daemon lives */
	char agent[ID_MAX];         /* who we are to others on one hot folder; "" after spool_peek() of a new state */
	int dir[SPOOL_STATES];
	int quarantine, seen, tokens, tsa, events_tmp, events_new;
};

/* Nothing open yet; spool_close() is fine then. */
void spool_init(struct spool *);
/* Makes what is missing, takes the lock (-ERR_LOCKED when another daemon has it), checks FORMAT. */
int spool_open(struct spool *, const struct conf *, struct err *);
/* Read-only and without the lock, for commands while the daemon runs or is down. */
int spool_peek(struct spool *, const struct conf *, struct err *);
void spool_close(struct spool *);

/* Descriptor of a job's directory, or -code. */
int spool_job_dir(const struct spool *, enum spool_state, const char *id, struct err *);
/* rename + sync of both parents. */
int spool_move(const struct spool *, const char *id, enum spool_state from, enum spool_state to, struct err *);
/* From refused to the quarantine. */
int spool_put_away(const struct spool *, const char *id, struct err *);

/* One delivery: who, what, when.  File `claim`, JSON, written once. */
struct claim {
	char id[ID_MAX];
	char folder[MSG_NAME_MAX];
	char name[SPOOL_NAME_MAX];      /* bytes as the sender wrote them */
	char work_name[SPOOL_NAME_MAX]; /* name of the receipt below work/, "" for none: chosen before it is made */
	uint64_t work_ino;              /* of the folder work/ it is in; 0: not known */
	uint64_t size;
	int64_t mtime_ns;
	uint8_t hash[HASH_LEN];
	uid_t owner;
	bool others_write;              /* anybody else could have written the file: its owner proves nothing */
	int64_t received_us;
	uint64_t log_size;              /* tree size when claimed: where a search for entries begins */
	struct {                        /* NAME.ticket, in file `ticket` */
		bool has;
		uint64_t size;
		int64_t mtime_ns;
		uint8_t hash[HASH_LEN];
		uid_t owner;
		bool others_write;
	} ticket;
	char salt[33];                  /* 32 hex digits, for hashed names in the log */
};
#define CLAIM_RECEIPT "receipt" /* empty file in the job: its receipt was made; not synced */
int claim_put(int job_dir, const struct claim *, struct err *);
int claim_get(int job_dir, struct claim *ret, struct err *);
/* The 16 bytes of claim.salt. */
void claim_salt(const struct claim *, uint8_t out[16]);
/* SHA-256 over folder, name, size, mtime and hash: the delivery's identity. */
void claim_identity(const struct claim *, uint8_t out[HASH_LEN]);

/*
 * state/seen: identities already logged, kept SEEN_DAYS (expiry.h).  With each come more names
 * of the same file, which holds the job's id: d-... for the bytes in this folder,
 * and for a ticket's reference r-..., and s-... for the two together.
 */
#define SEEN_DAYS 90
int seen_put(const struct spool *, const struct claim *, const char *reference, struct err *);
enum seen_kind { SEEN_BYTES, SEEN_REFERENCE, SEEN_BOTH };
/* The first job that was sealed with these bytes, or this reference, in the claim's folder: 1; 0: none; -code. */
int seen_find(const struct spool *, enum seen_kind, const struct claim *, const char *reference, char ret_id[ID_MAX],
    struct err *);
/* The job of this very delivery: 1; 0: it is new; -code: it can not be told, and must wait. */
int seen_has(const struct spool *, const struct claim *, char ret_id[ID_MAX], struct err *);

/* Free bytes where fd lies. */
int spool_space(int fd, uint64_t *ret_free, struct err *);

/* Small records: one JSON or binary file, put once; reading checks a bound. */
int record_put(int job_dir, const char *name, const void *, size_t, struct err *);
int record_get(int job_dir, const char *name, struct buf *, struct err *);
/* -ERR_MEM when the buffer is not whole: half a record would stop its job for ever. */
int record_put_buf(int job_dir, const char *name, const struct buf *, struct err *);
int record_replace_buf(int job_dir, const char *name, const struct buf *, struct err *);

#endif
