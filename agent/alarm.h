/*
 * alarm.h - what an admin must know: said once when it begins, once when it ends.
 *
 *	alarm_open(core, &e)     reads which alarms an earlier run has raised; looks every few seconds
 *	alarm_close(core)
 *	alarm_json(core)         those that are raised, for status
 *
 * A cause is a kind and a subject: this token, that folder; however many documents it concerns.  When it has lasted
 * for its kind's patience the alarm is raised: a line of the journal with an id of
 * its own, an event file, status, metrics.  When the cause is gone the same says
 * that it ended.  Raised alarms lie in state/alarms.json, so that a restart does
 * not say them again, and they stay raised until it is known that the cause is gone.
 */
#ifndef SEALROOM_ALARM_H
#define SEALROOM_ALARM_H

#include <jansson.h>

#include "agent/core.h"
#include "agent/journal.h"

/* clang-format off */
#define ALARM_KINDS(X) /* kind, word in events, status and metrics, id of its line, patience in ms */ \
	X(TOKEN,    "token-away",          JOURNAL_ALARM_TOKEN,    10000) \
	X(CERT,     "certificate-expires", JOURNAL_ALARM_CERT,     0) \
	X(TSA,      "tsa-away",            JOURNAL_ALARM_TSA,      0) /* tsa_max_wait is its patience */ \
	X(SPACE,    "disk-low",            JOURNAL_ALARM_SPACE,    0) \
	X(HELD,     "held-long",           JOURNAL_ALARM_HELD,     0) \
	X(FOLDER,   "folder-away",         JOURNAL_ALARM_FOLDER,   10000) \
	X(DELIVERY, "not-delivered",       JOURNAL_ALARM_DELIVERY, 10000) \
	X(PROGRAM,  "program-away",        JOURNAL_ALARM_PROGRAM,  30000) \
	X(RENEWAL,  "renewal-due",         JOURNAL_ALARM_RENEWAL,  0) /* alarms.renewal is its patience */
/* clang-format on */

enum alarm_kind {
#define X(name, word, id, patience) ALARM_##name,
	ALARM_KINDS(X)
#undef X
	ALARM_KIND_COUNT
};

int alarm_open(struct core *, struct err *);
void alarm_close(struct core *);

/* [{"alarm": word, "subject", "since": time, "text"}], a new reference. */
json_t *alarm_json(const struct core *);
/* For each raised alarm. */
void alarm_each(const struct core *, void (*fn)(void *ctx, const char *word, const char *subject, const char *text),
    void *ctx);

/* Since when a held job waits, microseconds since 1970. */
int64_t alarm_held_since(const struct job *);
/* What was heard of a TSA: why NULL, it answered. */
void alarm_tsa(struct core *, const char *tsa, const struct err *why);

#endif
