/*
 * unitfile.h - what a systemd unit of ours allows, as far as the settings can collide with it.
 *
 *	unitfile_read(&u, "sealroom-seal", "card-a", &e)   file and drop-ins; 1: read, 0: not installed
 *	unitfile_free(&u)
 *
 * Reads systemd.unit(5) syntax: later values of a list add to it, an empty one
 * begins it anew, of others the last counts.  Directories, weakest first:
 * /usr/lib, /run, /etc (each systemd/system), or those of SEALROOM_UNITS alone,
 * parted by colons.
 */
#ifndef SEALROOM_UNITFILE_H
#define SEALROOM_UNITFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/lib/err.h"

#define UNIT_VALUES 64

struct unitfile {
	char name[256];        /* "sealroom-seal@card-a.service" */
	const char *instance;  /* "": none */
	struct { char *key, *value; } v[UNIT_VALUES]; /* of lists one a word */
	size_t n;
};

int unitfile_read(struct unitfile *, const char *name, const char *instance, struct err *);
void unitfile_free(struct unitfile *);

/* The last value; "" when there is none. */
const char *unitfile_value(const struct unitfile *, const char *key);
/* Is path one of the words of this list, or below one? Words are put behind 'root' first. */
bool unitfile_covers(const struct unitfile *, const char *key, const char *root, const char *path);
/* The word after 'option' on the command line; "": none. */
const char *unitfile_option(const struct unitfile *, const char *option, char *dst, size_t size);

#endif
