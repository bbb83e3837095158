/*
 * standing.h - Status.txt (Stand.txt): what waits in a folder, and why.
 *
 *	standing_open(core, &e)
 *	standing_close(core)
 *
 * For people who see the folder and nothing else of us: which documents wait for
 * a person, which wait for something of ours, whether the folder is paused.  In
 * the folder's language, UTF-8, lines ending CRLF; replaced by a rename, and only
 * when it says something else than before, at most every two seconds.  What goes
 * its ordinary way is not in it: that is what the sub-folders show.
 *
 * The intake ignores the name (hot.h).  A folder that does not take the file is
 * said once in the log, and nothing else depends on it.
 */
#ifndef SEALROOM_STANDING_H
#define SEALROOM_STANDING_H

#include "agent/core.h"

int standing_open(struct core *, struct err *);
void standing_close(struct core *);

/* "Stand.txt", "Status.txt": by the folder's language. */
const char *standing_name(const struct conf_folder *);
/* The text as of now; out is emptied first. */
int standing_text(struct core *, const struct conf_folder *, struct buf *out, struct err *);

#endif
