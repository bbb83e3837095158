/*
 * pause.h - folders from which nothing is taken for now, because a person said so.
 *
 * What is a job already goes on; what lies in the folder stays there, untouched.
 * Kept in state/paused.json, so that a restart does not resume by itself.
 */
#ifndef SEALROOM_PAUSE_H
#define SEALROOM_PAUSE_H

#include "agent/core.h"

/* Reads what an earlier run left. -ERR_CONF: the file is damaged. */
int pause_open(struct core *, struct err *);
void pause_close(struct core *);

/* Is this folder, or are all, paused?  *ret_why: the reason that was given, "" for none; may be NULL. */
bool pause_has(const struct core *, const struct conf_folder *, const char **ret_why);

/* folder NULL: all. Resuming all ends every single pause too. Durable when this returns; no change is fine. */
int pause_set(struct core *, const struct conf_folder *, const char *reason, uid_t uid, struct err *);
int pause_end(struct core *, const struct conf_folder *, struct err *);

/* [{"folder": name, or "" for all, "since": time, "uid", "reason"}], a new reference. */
json_t *pause_json(const struct core *);

#endif
