/*
 * status.h - what the control socket answers.
 */
#ifndef SEALROOM_STATUS_H
#define SEALROOM_STATUS_H

#include "agent/control.h"
#include "agent/core.h"

/* Every {"op": ...}; ctx is struct core. */
extern const struct control_op status_ops[];
/* control_opts.operates */
bool status_operates(void *ctx, uid_t uid, const gid_t *groups, size_t ngroups);

/* Of a job in this state, its directory being dir: the state's name, or "divided". */
const char *status_state(int dir, enum spool_state);
/* A job as `status` shows it, and with all that is known. */
json_t *status_job(struct job *);
json_t *status_job_detail(struct job *);
/* One that could not be read yet, as status_job(). */
json_t *status_unread(const struct unread_job *);

#endif
