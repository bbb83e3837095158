/*
 * batchint.h - shared by batch.c (what there is, and what is due) and batchwork.c
 * (making one record).
 */
#ifndef SEALROOM_BATCHINT_H
#define SEALROOM_BATCHINT_H

#include "agent/batch.h"
#include "seal/evidence/er.h"

#define BATCH_CALLS_MAX 8
#define BATCH_STEP 256 /* entries a turn */

struct known { /* an entry batch or renewal */
	uint32_t record;
	uint64_t index;
	enum entry_type type;
	uint64_t last;       /* batch: the last entry covered */
	int64_t entered_us;
	int64_t until_us;    /* of its own time stamp */
	uint8_t token[HASH_LEN];
	/* batch: the renewals that cover it, by number, oldest first; and where the newest of its time stamps ends */
	uint32_t *renewals;
	uint32_t nrenewals;
	int64_t live_until_us;
	uint32_t unread;     /* batch: a renewal that may cover it, and can not be read; 0: none */
};

struct batches {
	struct core *core;
	uint64_t timer;
	enum {
		BATCH_LOOKING, /* for the records of earlier runs */
		BATCH_IDLE,
		BATCH_WORKING
	} state;
	uint64_t look_end;     /* UINT64_MAX: the log's */
	bool looked;           /* the newest was found; from there it goes from one to the one before */
	struct known *known;   /* by number */
	size_t n, cap;
	uint64_t counted, jobs, others; /* entries behind the last batch: up to where, and what */
	uint64_t closes_ms;    /* when the next batch is due, by our own clock */
	uint32_t skipped;      /* directories of nobody's, behind the last number */
	/* under way */
	bool renewing, adopting;
	bool entering;         /* its entry is queued, and may come into the log whatever is said of it */
	uint32_t number;
	struct er_gather *gather;
	struct hashtree *tree;
	size_t at;             /* renewing: of known, the next to be judged */
	uint32_t renewed;      /* by the last renewal */
	uint32_t refused;      /* renewing: those that can not be proven any more */
	uint64_t task;
	int out;
	uint64_t nonce;
	int64_t sent_us;
	uint64_t backoff_ms, wait_until_ms;
	struct err why;        /* the last trouble; ERR_OK: none */
	struct log_limit said;
	uint64_t calls[BATCH_CALLS_MAX]; /* who waits for the renewal */
	size_t ncalls;
	bool renew_wanted;
};

/* batchwork.c */
/* Begins: one that an earlier run has written, a batch, or a renewal. */
void batch_begin_left(struct batches *);
void batch_begin(struct batches *);
void batch_begin_renewal(struct batches *);
void batch_drop_work(struct batches *);

/* batch.c */
const struct conf_tsa *batch_tsa(const struct core *);
struct known *batch_known(const struct batches *, uint64_t record); /* NULL: none */
uint32_t batch_next_number(const struct batches *);
uint64_t batch_first(const struct batches *);
bool batch_is_due(const struct batches *, const struct known *, int64_t now_us);
int batch_learn(struct batches *, const struct entry *, struct err *);
/* Is it the files of a record that are gone or damaged?  Else it is tried again. */
bool batch_is_lost(const struct err *);
/* The records over one batch, the batch first. */
int batch_chain(const struct known *, struct er_chain *ret, struct err *);
/* The work is over: NULL, or why it could not be done and is tried again. */
void batch_over(struct batches *, const struct err *why);

#endif
