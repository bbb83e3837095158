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
#include <stdbool.h>
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
/*
 * An alarm was raised, or ended.  It has no entry of its own: index is the log's
 * size, and the name ends with the time, so that none takes another's place.
 */
int events_put_alarm(const struct spool *, uint64_t index, int64_t at_us, bool ended, const json_t *body, struct err *);

/*
 * The events of this run that came after the first 'after', oldest first, of the
 * last EVENTS_RECENT; *ret_next: what to ask for next.
 */
#define EVENTS_RECENT 256
json_t *events_recent(uint64_t after, uint64_t *ret_next);

#define EVENTS_DAYS 30 /* what nobody has read and removed until then goes (expiry.h) */
/* At start: leftovers of a crash in events/tmp. */
int events_clean(const struct spool *, struct err *);

#endif
