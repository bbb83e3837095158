/*
 * cmd_record.h - a verify child for commands that judge evidence records.
 *
 *	record_judge_open(&j, conf, roots, &e)        conf NULL: only what roots names
 *	record_judge_ask(j, objects, record, &result, &e)   blocks
 *	record_judge_close(j)
 *
 * The DER is read by that child alone.
 */
#ifndef SEALROOM_CMD_RECORD_H
#define SEALROOM_CMD_RECORD_H

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct record_judge; /* opaque: cmd_record.c */

/* roots: PEM file of time-stamping authorities; NULL: those of conf. Both stay the caller's. */
int record_judge_open(struct record_judge **ret, const struct conf *conf, const char *roots, struct err *);
/* objects: hashes in a row. */
int record_judge_ask(struct record_judge *, const struct buf *objects, const struct buf *record, struct ers_result *ret,
    struct err *);
void record_judge_close(struct record_judge *); /* NULL is fine */

/* Parts of cmd_evidence(). id NULL: the record of the log itself. out NULL: stdout. */
struct cmd_args;
struct elog;
int cmd_record_export(struct elog *, int archive, const char *id, uint64_t index, const char *out, struct err *);
int cmd_record_verify(struct cmd_args *, const char *roots);
int cmd_record_renew(struct cmd_args *);

#endif
