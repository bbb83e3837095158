/*
 * log.h - one line an event to stderr, with the priority journald reads.
 *
 * Only a process loop or main() logs.  Control characters in the finished
 * line are shown as %XX.  Repeated lines of one cause are limited by
 * log_limited(); alarms (LOG_ALERT, LOG_CRIT) never are.
 */
#ifndef SEALROOM_LOG_H
#define SEALROOM_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "agent/lib/err.h"

void log_open(const char *program);
/* A line as it is written: control characters as %XX. */
void log_show(const char *line, char *dst, size_t size);
void log_line(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void log_err(int priority, const char *what, const struct err *);  /* "what: word: text" */
/* At most one line in 'every_ms' for this *state (start with {0}); says how many were left out. */
struct log_limit { uint64_t last; uint32_t skipped; };
/* Is it time for such a line?  True: it is written now, and how many were left out has been said. */
bool log_due(struct log_limit *state, uint64_t every_ms, int priority);
void log_limited(struct log_limit *state, uint64_t every_ms, int priority, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
