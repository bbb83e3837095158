/*
 * marker.h - who takes documents from a folder: one agent alone, or several that share it.
 *
 *	marker_take(&m, dir, &who, MARKER_ALONE, remote, &e)
 *	                       0: ours; -ERR_LOCKED: another agent's, the text says whose and what to do
 *	marker_stands(&m)      still ours? a person may have removed it
 *	marker_leave(&m)       gives it back; nothing taken is fine
 *
 * The marker is a file in the folder, MARKER_NAME, with an open-file-description
 * lock on it and who we are in it.  The lock is given up by the kernel with the
 * process, so on one host it alone decides, however a daemon ended.  Another
 * host's lock is seen only where the file system carries locks; there the text
 * decides, and it is never taken to be out of date because it is old: a host
 * that sleeps or is cut off may wake up.  A marker is passed over when its lock
 * can be had and
 *	it is our own: the same state directory, which only one daemon can have,
 *	or it was written since this kernel started (boot id),
 *	or the folder is local and the marker was written on a host of our name.
 * Everything else is another agent's, until that one gives it back or a person
 * removes the file.
 *
 * MARKER_SHARED is for claim = "rename": any number may share it, one that
 * wants to be alone may not join them, and nobody joins one that is alone.
 */
#ifndef SEALROOM_MARKER_H
#define SEALROOM_MARKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/id.h"

#define MARKER_NAME ".sealroom-agent"
#define MARKER_HOST_MAX 65

enum marker_kind { MARKER_ALONE, MARKER_SHARED };

struct marker_who {
	char agent[ID_MAX]; /* of the state directory */
	char host[MARKER_HOST_MAX];
	char boot[40];      /* "" where it can not be read */
};

struct marker {
	int dir;            /* a copy */
	int fd;             /* the lock hangs on it; -1: not taken */
	enum marker_kind kind;
};

/* Fills host and boot; agent is the caller's. */
void marker_self(struct marker_who *, const char *agent);

void marker_init(struct marker *);
/* remote: locks may not reach other hosts. *m must be initialised and not taken. */
int marker_take(struct marker *m, int dir, const struct marker_who *, enum marker_kind, bool remote, struct err *);
bool marker_stands(const struct marker *);
void marker_leave(struct marker *);

#endif
