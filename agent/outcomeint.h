/*
 * outcomeint.h - shared by the parts of a job's end.
 *
 *	outcomelog.c    sealed and archived: into the archive, its entry into the log
 *	outcome.c       logged and refused: handed out, the sender's copy removed, cleaned
 *	outcomeheld.c   held: a question to a person, and what the person decided
 */
#ifndef SEALROOM_OUTCOMEINT_H
#define SEALROOM_OUTCOMEINT_H

#include <jansson.h>

#include "agent/deliver.h"
#include "agent/outcome.h"

/* plan: its candidates are places that a person may choose; NULL: none. */
int question_put(struct job *, const char *record, const struct question_record *, const struct compose_result *plan,
    struct err *);

/* For who follows events/: takes the reference to body; NULL is -ERR_MEM. */
int outcome_event(struct job *, const char *type, json_t *body, struct err *);
/* Before anything is handed out; a start that finds this begun does not say it again. */
int outcome_event_question(struct job *, const char *type, const struct question_record *, struct err *);
void outcome_entry_reason(const struct question_record *, struct entry *);

/*
 * The job is busy until cb, which must say that it is not; when this fails, it is
 * not and cb does not come.  q: the reason or question that is handed out with it,
 * not needed after this; NULL: none.
 */
int outcome_deliver_start(struct job *, enum deliver_kind, const struct question_record *q, deliver_cb *, struct err *);

#endif
