/*
 * stack.h - a stack of several documents, divided at its separator sheets.
 *
 *	claimed    stack_start(), when composing says where the documents are: one after the
 *	           other is written by a child (TASK_PART), looked at by another, hashed and
 *	           put (part-1.pdf ...); then `parts`, plan and job.json, and the job is sealed
 *	sealed     published like any job: the stack as it came, parts-sha256.txt, job.json
 *	archived   stack_take(), once a turn: each document becomes a job in claimed/, durably;
 *	           when all are, the entry `divide` is written
 *	logged     the sender's copy goes; nothing is handed out: the documents are
 *
 * From its state sealed on a stack can neither be refused, held nor withdrawn: its
 * documents may be jobs already.  The id of a document's job is made of the
 * stack's and its number, and its bytes are those of the list that is archived
 * before.  So after a crash it is found, in the spool, the quarantine or the
 * archive, or taken, and never twice.
 *
 * A document's job has the record `stack`; it is not divided once more.
 */
#ifndef SEALROOM_STACK_H
#define SEALROOM_STACK_H

#include <jansson.h>

#include "agent/core.h"

/* What may become of this job's document, if it is a stack: enum stack_may. */
int stack_may(const struct job *, uint32_t *ret, struct err *);
/* j->plan says that it is one: writes its documents, then steps the job. */
int stack_start(struct job *, struct err *);
void stack_forget(struct job *); /* frees what that held */

/* Does a job's directory, in this state, hold a stack that was divided? To be told, not to be acted on. */
bool stack_in(int dir, enum spool_state);
/* 1, 0; -code when it can not be seen: a stack has no result, so nobody may take a document for one. */
int stack_is(const struct job *, struct err *);
/* Was it a document of a stack? 1, 0, -code. */
int stack_had(const struct job *, struct err *);

/* 1: all its documents are jobs, on disk; 0: it is stepped again; -code. */
int stack_take(struct job *, struct err *);

/* Its documents, for job.json and events; a new reference, NULL: why not. */
json_t *stack_parts(struct job *, struct err *);
/* Record `stack` of a document: which of which stack it is; *ret NULL: it came by itself. */
int stack_of(const struct job *, json_t **ret, struct err *);

#endif
