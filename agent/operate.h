/*
 * operate.h - what people do through the control socket; the table is in status.c.
 *
 * Each op_NAME answers {"op": NAME}; ctx is struct core.
 */
#ifndef SEALROOM_OPERATE_H
#define SEALROOM_OPERATE_H

#include "agent/control.h"
#include "agent/core.h"

/* The job at work that "job" names, or NULL with *e set. */
struct job *operate_job(struct core *, const json_t *request, struct err *e);

control_fn op_jobs, op_job, op_retry, op_pause, op_resume, op_withdraw, op_void, op_token_login, op_submit, op_try;

#endif
