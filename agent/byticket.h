/*
 * byticket.h - a held document is decided by a ticket: { "v": 1, "sha256": ..., "decision": ... }.
 *
 * Such a ticket is a delivery of its own.  It may be dropped into the hot folder
 * under any name that ends in .ticket, or into held/ beside the document, from
 * where it is moved up into the folder; it is taken in like any file, and so it
 * is a job for a moment: its bytes and its owner are safe before it has any
 * effect.  The SHA-256 says which held document of the folder is meant; of
 * several with the same bytes, the one whose name it has.
 *
 * Its owner is who decides, and must have the right (rights_release()).  The
 * decision is that of outcome_release(), with the ticket's text and SHA-256; the
 * ticket then vanishes.  Everything that is wrong with it - nothing held with
 * these bytes, decided already, no right, a rule of another folder - sends it to
 * error/ with the reason, and changes nothing.
 */
#ifndef SEALROOM_BYTICKET_H
#define SEALROOM_BYTICKET_H

#include "agent/core.h"

/* A file of the hot folder, quiet already: is it such a ticket, and so waits for no document? */
bool byticket_is(int dir, const char *name);
/* A claimed job: 0: it is none; 1: it waits or is on its way to its end; -code. */
int byticket_step(struct job *, struct err *);
/* Looks after held/ from now on. */
void byticket_watch(struct core *);
void byticket_reloaded(struct core *); /* folders are not what they were: from the first on */
void byticket_forget(struct core *);   /* where it had got to */

#endif
