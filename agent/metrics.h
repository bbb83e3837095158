/*
 * metrics.h - figures for Prometheus: a text file, replaced every few seconds.
 *
 *	metrics_open(core, &e)      nothing is counted, let alone written, before
 *	metrics_end(core)           the last ones, which say that it does not run any more
 *	metrics_close(core)
 *
 * The format is the text exposition format, version 0.0.4; sealroomd(8) lists
 * the figures.  Counters start at 0 with the daemon, as Prometheus expects.
 * The file is renamed into place and not synced: it is worth nothing tomorrow.
 */
#ifndef SEALROOM_METRICS_H
#define SEALROOM_METRICS_H

#include "agent/core.h"

int metrics_open(struct core *, struct err *);
void metrics_end(struct core *);
void metrics_close(struct core *);

/* The text as of now; out is emptied first. */
int metrics_text(struct core *, struct buf *out, struct err *);

enum metrics_outcome { METRICS_SEALED, METRICS_REFUSED, METRICS_WITHDRAWN, METRICS_HELD, METRICS_DIVIDED, METRICS_OUTCOMES };
/* A job ended, or is held now.  Without metrics_open() these do nothing. */
void metrics_job(const struct job *, enum metrics_outcome);
void metrics_pages(struct core *, uint32_t n);
/* One question to a TSA. */
void metrics_tsa(struct core *, const char *tsa, bool answered, double seconds);

#endif
