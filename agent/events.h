/*
 * events.h - one JSON file an event, for other programs on this host.
 *
 * state/events/new/<log index>-<type>-<job>.json appears complete and synced,
 * after the log entry, at least once: after a crash the same event comes again
 * under the same name, with the same content.  The reader deletes what it has
 * dealt with (the habit of Maildir); we never read it.
 */
#ifndef SEALROOM_EVENTS_H
#define SEALROOM_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/spool.h"

#define EVENTS_NAME_MAX 96

/*
 * type is the entry's ("job", "reject", "hold" ...), job "" for events of none
 * (the name then ends with the type).
 * body: an object; "v", "event", "index" and "job" are added to it.  Not taken over.
 */
int events_put(const struct spool *, uint64_t index, const char *type, const char *job, const json_t *body,
    struct err *);
/* Leftovers of a crash in events/tmp. */
int events_clean(const struct spool *, struct err *);

#endif
