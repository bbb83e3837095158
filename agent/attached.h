/*
 * attached.h - attachments of a PDF that keeps its bytes: the same before and after.
 *
 * A reader lists them with their hashes when the document is looked at, into the
 * record `files`, and once more in what was sealed; lists that differ seal
 * nothing.  job.json has the list.
 */
#ifndef SEALROOM_AGENT_ATTACHED_H
#define SEALROOM_AGENT_ATTACHED_H

#include <jansson.h>

#include "agent/core.h"

/* Must its attachments still be listed? 1, 0, -code. */
int attached_wanted(const struct job *, struct err *);
/* Lists those of the copy; the job is stepped then. */
int attached_start(struct job *, struct err *);
/* j->out is what was sealed: then(j), or trouble. */
int attached_check(struct job *, void (*then)(struct job *), struct err *);
/* For job.json; NULL: there are none, or *e says why. */
json_t *attached_json(struct job *, struct err *);

#endif
