/*
 * trying.h - a document that a client of the control socket has tried: trial.h
 * with the daemon's own children and settings.
 *
 * One at a time, a page at a time, behind everything else (aside.h), on a private
 * copy below incoming/ that no start takes for a job, and for TRYING_MS at most.
 * Who hangs up makes room for the next.
 */
#ifndef SEALROOM_TRYING_H
#define SEALROOM_TRYING_H

#include "agent/core.h"

#define TRYING_MS 300000
#define TRYING_PAGES 256            /* a descriptor each */
#define TRYING_TRACE (1024u * 1024) /* bytes of an explanation; a hundred rules take a tenth */

void trying_reloaded(struct core *); /* its settings are not in force any more: asked again, it begins anew */
void trying_close(struct core *);    /* before the children; nobody is told */

#endif
