/*
 * placing.h - what a person sees of a held document: NAME.png, the page with its
 * candidates framed, and NAME.html, on which the place can be shown (placepage.h).
 *
 *	placing_start(j, &question, plan, done, &e)   tasks, one after the other; then done(j)
 *	placing_put(j, &e)                            what was made, into the job's directory
 *	placing_forget(j)
 *
 * Best effort: what can not be drawn is a line in the log, and the document is
 * held without it.
 */
#ifndef SEALROOM_PLACING_H
#define SEALROOM_PLACING_H

#include "agent/outcome.h"

typedef void placing_cb(struct job *);

/* plan: where the candidates are; NULL for none. -code: nothing was begun. */
int placing_start(struct job *, const struct question_record *, const struct compose_result *plan, placing_cb *, struct err *);
/* Replaces what an earlier question left. */
int placing_put(struct job *, struct err *);
void placing_forget(struct job *);

#endif
