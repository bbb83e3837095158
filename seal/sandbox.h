/*
 * sandbox.h - what a sealroom-seal process may still do once it is ready.
 *
 *	sandbox_token(&conf, write, &e)    holds a PIN's session: reads its module's files
 *	sandbox_log(dir, &e)               holds the log key: replaces one file; NULL: none
 *
 * Called once, after everything that can be done before; there is no way back.
 * A module may open files as it signs: SoftHSM reads its token directory again
 * for each signature (and writes it at a login, hence 'write').  Other modules
 * talk to pcscd, and may have a socket(AF_UNIX) for it; SoftHSM may not.  The
 * caller proves the rules right with a test signature: a rule too many shows
 * up as "no key", not as "permission denied".
 */
#ifndef SEALROOM_SANDBOX_H
#define SEALROOM_SANDBOX_H

#include <stdbool.h>

#include "agent/lib/err.h"
#include "rules/conf.h"

int sandbox_token(const struct conf_token *, bool write, struct err *);
int sandbox_log(const char *anchor_dir, struct err *);

/* By its file name; a build with sanitizers is confined less and takes no other module. */
bool sandbox_is_softhsm(const char *module);

#endif
