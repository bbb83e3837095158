/*
 * siglist.h - the signatures that a reader found in a PDF, as the core sees them:
 * byte ranges, and bytes that are only hashed.
 *
 *	siglist_read(&l, fd, n, file_len, &e)    the output of TASK_SIGS
 *	siglist_hash(&l, steps, file, params)    each range over our copy, in turns of the loop
 *
 * A child only names ranges; what is hashed is hashed here.
 */
#ifndef SEALROOM_AGENT_SIGLIST_H
#define SEALROOM_AGENT_SIGLIST_H

#include "agent/lib/taskmsg.h"

#include "agent/steps.h"

struct siglist {
	uint32_t n;
	struct {
		uint64_t range[4];
		uint8_t cms[HASH_LEN]; /* SHA-256 of what stands in Contents */
		bool timestamp;
	} v[JUDGED_MAX];
};

/* -ERR_DOC_CRASH: the list is damaged, or names a range outside the file; all else is ours. */
int siglist_read(struct siglist *, int fd, uint32_t n, uint64_t file_len, struct err *);
/* Into range_hash and, for those of others (params->earlier is filled), range_wide; params outlives the steps. */
void siglist_hash(const struct siglist *, struct steps *, int file, struct judge_params *params);
/* Both parts of a ByteRange lie inside a file of that length. */
bool siglist_inside(const uint64_t range[4], uint64_t file_len);

/* Index of the signature with that range; l->n: none. */
uint32_t siglist_find(const struct siglist *, const uint64_t range[4]);

#endif
