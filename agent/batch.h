/*
 * batch.h - evidence records (RFC 4998): time stamps over what was archived and over
 * the log, and their renewal before they grow old.
 *
 *	batch_open(core, &e)       with the log; nothing happens before it is ready
 *	batch_renew(core, call)    renews what is due, all with one time stamp
 *	batch_json(core)           for status
 *	batch_close(core)
 *
 * A batch is closed when evidence.batch has passed since the last, or at 65,536
 * documents; without evidence.tsa, never.  No document waits for it: whatever fails
 * (a TSA away, a full disk) is tried again with back-off.
 *
 * What is known is in the log: each entry batch and renewal names the one before it,
 * so that the newest leads to all others.  They are looked for a few entries a turn.
 *
 *	what                         on disk                        after a crash there
 *	0 gathered from the log      -                              gathered again
 *	1 stamped, judged            -                              gathered and stamped again
 *	2 written, synced            er/N                           judged, then 3
 *	3 entered in the log         er/N, its entry                done
 *
 * A directory that is not what the log would make now (after a restore, of a log that
 * is lost) is left alone and its number skipped.
 */
#ifndef SEALROOM_BATCH_H
#define SEALROOM_BATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/core.h"

struct control_call;

int batch_open(struct core *, struct err *);
void batch_close(struct core *);
/* Something is being made that a --once run should wait for. */
bool batch_works(const struct core *);
/* As a handler of control.h: the answer comes when it is done. {"renewed": batches, "record": N} */
json_t *batch_renew(struct core *, struct control_call *, struct err *);
/* {"records", "covered": entries, "closed": time of the last, "due": time | null, "why"}; a new reference. */
json_t *batch_json(const struct core *);
/* When the first of all time stamps must be renewed, microseconds since 1970; 0: none is there, or not known yet. */
int64_t batch_due(const struct core *);
/* Records and documents covered by them, for metrics. */
uint32_t batch_count(const struct core *);

#endif
