/*
 * outcome.h - records of a job that a person or the log must hear about.
 */
#ifndef SEALROOM_OUTCOME_H
#define SEALROOM_OUTCOME_H

#include "agent/core.h"

/* Record `verdict`: what our own check proved of sealed.pdf; and `engine`: what read the pages. */
struct verdict_record {
	uint32_t level;
	uint8_t tst[HASH_LEN];
	int64_t gen_time_us, sealed_us;
	char pdfa[4];
};
int verdict_put(struct job *, const struct verdict_record *, struct err *);
int verdict_get(struct job *, struct verdict_record *, struct err *);

/* Record `question` (held) and `reason` (refused): JSON, also read by `sealroom status`. */
struct question_record {
	uint32_t n;              /* the n-th hold of this job, from 1 */
	struct err why;
	char word[MSG_TEXT_MAX]; /* what was looked for */
	char say[MSG_TEXT_MAX];  /* a rule's or a person's own sentence */
	char rule[MSG_NAME_MAX];
};
int question_get(int job_dir, const char *record, struct question_record *, struct err *);

/*
 * resultjson.c: the result for the program that sent a ticket; a new reference
 * or NULL.  id, dir (job.json and sealed.pdf) and path in the archive are those
 * of the job that was sealed: this one, or an earlier.
 */
json_t *resultjson_sealed(struct job *, const char *id, int dir, const char *path, struct err *);
json_t *resultjson_reason(struct job *, const char *status, const struct question_record *, struct err *);

#endif
