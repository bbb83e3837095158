/*
 * rights.h - who may have documents sealed in a folder: allow = [ "meier", "@standesamt" ],
 * and who decides about those that are held: release = { by = [ "@kasse" ]; not = "dropper"; }.
 *
 * A file's owner is what the file system says; where that is not the person
 * (a share with one account, a mount that shows one uid), allow cannot tell
 * people apart, and `sealroom check` says so.
 */
#ifndef SEALROOM_RIGHTS_H
#define SEALROOM_RIGHTS_H

#include <sys/types.h>

#include "agent/lib/err.h"
#include "rules/conf.h"
#include "agent/spool.h"

/*
 * 1: yes, also where the list is empty; 0: no; -ERR_IO: names cannot be looked
 * up just now.  "@name" is a group, by its members and as a user's first group;
 * numbers are taken as they are.
 */
int rights_allowed(const struct strings *allow, uid_t uid, struct err *);
/*
 * May uid decide about this held document?  0, -ERR_DECISION_RIGHT, or -ERR_IO as
 * above.  Who has the folder's `release.by`; without it the operators; without
 * those nobody.  With not = "dropper" never the owner of the document, nor of its
 * ticket, whoever else that is.
 */
int rights_release(const struct conf *, const struct claim *held, uid_t uid, struct err *);
/* For who may operate the daemon anyway: only what release forbids. */
int rights_release_operator(const struct conf *, const struct claim *held, uid_t uid, struct err *);
/* Is there such a user or group? */
bool rights_known(const char *entry);

#endif
