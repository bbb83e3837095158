/*
 * rights.h - who may have documents sealed in a folder: allow = [ "meier", "@standesamt" ],
 * and who decides about those that are held: release = { by = [ "@kasse" ]; not = "dropper"; }.
 *
 * A file's owner is what the file system says; where that is not the person
 * (a share with one account, a mount that shows one uid), allow cannot tell
 * people apart, and `sealroom check` says so.
 *
 * Whoever may write to the folder can move what the daemon has put there, and can
 * overwrite in place what others may write.  So neither proves who sent it: where
 * that counts, such a file is refused.
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
 * numbers are taken as they are.  The daemon's own user, who is in the group of
 * its folders, is allowed as itself alone, never as a member.
 */
int rights_allowed(const struct strings *allow, uid_t uid, struct err *);
/*
 * May this owner have `what`, a document or its ticket, sealed in the folder?  0,
 * -ERR_OWNER, -ERR_IO as above, or -ERR_SENDER: allow or not = "dropper" asks for
 * the sender, and the file does not prove who that is.
 */
int rights_send(const struct conf_folder *, uid_t owner, bool others_write, const char *what, struct err *);
/*
 * May the owner of this ticket decide about this held document?  0,
 * -ERR_DECISION_RIGHT, -ERR_SENDER, or -ERR_IO as above.  Who has the folder's
 * `release.by`; without it the operators; without those nobody.  With not = "dropper"
 * never the owner of the document, nor of its ticket, whoever else that is; and
 * nobody, where they are not proven.
 */
int rights_release(const struct conf *, const struct claim *held, const struct claim *ticket, struct err *);
/* For who may operate the daemon anyway: only what release forbids. */
int rights_release_operator(const struct conf *, const struct claim *held, uid_t uid, struct err *);
/* Is there such a user or group? */
bool rights_known(const char *entry);

#endif
