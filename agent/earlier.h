/*
 * earlier.h - signatures that a PDF brought along: what they were worth when it came,
 * and that they are the same under our seal.
 *
 * Before its pages are read a reader lists them, the core hashes what they cover, and
 * a verify child judges them, into the record `earlier`: bytes and verdicts as of that
 * time.  What the settings want a person to see is held, before anything is added.
 * When it is sealed, each of them must still be there, over the same bytes, with the
 * same CMS, and no more broken than it was.  Trust is not asked about again: the record
 * says what it was worth when it came.
 */
#ifndef SEALROOM_AGENT_EARLIER_H
#define SEALROOM_AGENT_EARLIER_H

#include <jansson.h>

#include "agent/core.h"
#include "agent/siglist.h"

struct earlier {
	int64_t judged_us;
	uint64_t file_len;
	struct siglist list;
	uint8_t hash[JUDGED_MAX][HASH_LEN]; /* of the bytes that each covers */
	struct judge_result judged;
};

/* Must they still be judged? 1, 0, -code. */
int earlier_wanted(const struct job *, struct err *);
/* Judges those of the copy; the job is stepped then. */
int earlier_start(struct job *, struct err *);
/* Of the record, for as long as the job lives; NULL in *ret: it came without. */
int earlier_get(struct job *, const struct earlier **ret, struct err *);

/* A seal may never be added: the signatures forbid it.  Whatever a person says. */
int earlier_forbids(const struct inspect_result *, struct err *);
/* What the settings have a person decide. */
int earlier_wants_person(const struct conf_scan *, const struct judge_result *, struct err *);
/* The same of a job, unless a person has decided. */
int earlier_admit(struct job *, struct err *);
/* sigs, allowed and signers of a document that came signed. */
void earlier_tell(const struct inspect_result *, const struct judge_result *, struct compose_params *);
int earlier_params(struct job *, struct compose_params *, struct err *);

/*
 * Of the sealed file: which of its signatures came along?  Sets judge_params.earlier
 * and earlier_us; -ERR_SIG when one is missing, another, or there are more.  ours and
 * stamp: indices of our own; stamp may be list->n for none.
 */
int earlier_find(struct job *, const struct siglist *list, uint32_t ours, uint32_t stamp, struct judge_params *, struct err *);
/* Do they stand?  judged is the answer to these parameters. */
int earlier_stand(struct job *, const struct judge_params *, const struct judge_result *judged, struct err *);

/* "valid", "broken", "expired" or "unknown" */
const char *earlier_word(const struct judged_sig *);
/* One for people and programs. */
json_t *earlier_sig_json(const struct judged_sig *);
/* For job.json; NULL: it came without, or *e says why. */
json_t *earlier_json(struct job *, struct err *);

#endif
