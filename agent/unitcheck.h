/*
 * unitcheck.h - do the settings fit the units that run them? `sealroom check` asks.
 *
 *	unitcheck(conf, say, ctx, &e)   calls say() for each collision, then with the drop-in to write
 *
 * Only the units that read these very settings are compared; on a host without
 * them nothing is said.
 */
#ifndef SEALROOM_UNITCHECK_H
#define SEALROOM_UNITCHECK_H

#include <stdbool.h>

#include "agent/lib/err.h"
#include "rules/conf.h"

struct unitcheck_say {
	void *ctx;
	/* dropin NULL: a collision, in one line; else the whole text of a file to write. */
	void (*fn)(void *ctx, const char *unit, const char *text, const char *dropin);
};

/* The core's unit reads these settings, and makes the directory of this path when it starts. */
bool unitcheck_makes(const struct conf *, const char *path);

/* 1: compared, 0: no units here for these settings. */
int unitcheck(const struct conf *, const struct unitcheck_say *, struct err *);

#endif
