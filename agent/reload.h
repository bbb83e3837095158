/*
 * reload.h - other settings, without a restart (SIGHUP).
 *
 *	core_reload(c, &e)     reads the settings anew and refuses them, or puts them in force
 *
 * All or nothing: what has a mistake, or changes what only a start can change
 * (where state, archive, log and sockets are, and who the peers are), is
 * refused, and the old settings stay in force.  Good ones come into force as
 * soon as no claim is under way, and none is begun meanwhile.  Jobs go on with
 * them where they stand; processes are started anew where their own part has
 * changed, each when it is idle: a key that is not concerned keeps its login.
 */
#ifndef SEALROOM_RELOAD_H
#define SEALROOM_RELOAD_H

#include "agent/core.h"

/* 0: accepted. Words go to the journal, every mistake of a file by itself; *e has the first. */
int core_reload(struct core *, struct err *);
/* Settings that are no longer in force, and that nobody looks at any more. */
void reload_forget(struct core *);

/* What is made from the settings at the start and again at a reload. */
int core_watch_folders(struct core *, struct err *);
int core_operators(const struct conf *, struct operator **ret, struct err *);
uint32_t core_workers(const struct conf *);

#endif
