/*
 * journal.h - lines that other programs may look for: with an id and fields.
 *
 *	journal(JOURNAL_JOB_DONE, LOG_INFO, &(struct about){ .job = id, .folder = name }, "job %s done", id);
 *	journal_line(LOG_INFO, &(struct about){ .job = id, .folder = name }, "job %s: a stack", id);   without an id
 *
 * Every line about a job, folder or token goes this way: who asks for that one is told all of it.
 *
 * Where stderr is the journal's (JOURNAL_STREAM, systemd.exec(5)) the line goes
 * there by its native protocol, with MESSAGE_ID= and SEALROOM_*=; else it is an
 * ordinary line of log.h.  sealroom.catalog explains each id, in English and
 * German; a test holds the two lists against each other.
 *
 * For the core only: its children have no socket for it.
 */
#ifndef SEALROOM_JOURNAL_H
#define SEALROOM_JOURNAL_H

#include "agent/lib/err.h"
#include "agent/lib/log.h"

/* clang-format off */
#define JOURNAL_IDS(X) /* id, what the catalogue explains; an id is never used again for something else */ \
	X(STARTED,         "1b9385da8bf499a3b54ef067be9c4c67") \
	X(STOPPED,         "b2412ff243fa95b70b46f719b0725f4b") \
	X(JOB_TAKEN,       "6c9ded7c96686ec4741cfef68e3bf549") \
	X(JOB_DONE,        "7b393f15d34f3907921e6e535f12232a") \
	X(JOB_REFUSED,     "02fb5be192314633fb24a7dddea359a2") \
	X(JOB_HELD,        "3b44683c87e6a119d3373ab77fa26ce5") \
	X(CLEARED,         "d6a41237455b472eb10182d3a751660c") \
	X(JOB_VOID,        "418d4fb50a1e13c3919c9eff39e9473a") \
	X(PAUSED,          "61fb2fc14e38c4dc977446da2638c90c") \
	X(RESUMED,         "eb40976962fdfc91342836ce04a695ba") \
	X(LOG_STOPPED,     "39cbc1cd53898069f0b6201251a354ae") \
	X(ALARM_TOKEN,     "0da1f3a5a79a817cced14863c1bb4f4b") \
	X(ALARM_CERT,      "d3adaac905adc408a397fc3b6cffdd8a") \
	X(ALARM_TSA,       "23f8ec98a2888f6c6c926b04edc1bbb9") \
	X(ALARM_SPACE,     "f7ebdd1aea20794818e9fddd0390c842") \
	X(ALARM_HELD,      "764cf66ab38c2eff2191e603ea365119") \
	X(ALARM_FOLDER,    "7eb5bfdeaf8159da82193c9cc4db4666") \
	X(ALARM_DELIVERY,  "64076bbfb28b4217141529268b722481") \
	X(ALARM_PROGRAM,   "0581e7e300940b04e1d5412510e1f16b") \
	X(ALARM_RENEWAL,   "c61f0a7b2e5d4f83a9d60b1e74f2958c") \
	X(ALARM_END,       "5b6ed1885864a3d110de4c3ae2e30b2d") \
	X(CONTINUED,       "8d0c3f6e5b1a4c0f9a27e4d16b83c5f2")
/* clang-format on */

enum journal_id {
#define X(name, id) JOURNAL_##name,
	JOURNAL_IDS(X)
#undef X
	JOURNAL_ID_COUNT
};

/* What a line is about; NULL: not about such a thing. */
struct about {
	const char *job;    /* SEALROOM_JOB= */
	const char *folder; /* SEALROOM_FOLDER= */
	const char *token;  /* SEALROOM_TOKEN= */
	const char *reason; /* SEALROOM_REASON=, a word of an error or an alarm */
};

void journal(enum journal_id, int priority, const struct about *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Fields alone, for what needs no explanation. */
void journal_line(int priority, const struct about *, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void journal_limited(struct log_limit *, uint64_t every_ms, int priority, const struct about *, const char *fmt, ...)
    __attribute__((format(printf, 5, 6))); /* log_limited() */

#endif
