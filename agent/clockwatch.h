/*
 * clockwatch.h - the wall clock is written down and never waited by; when it
 * steps, that is noticed, entered in the log, and no seal is made with it until
 * a time stamp has confirmed it.
 *
 * CLOCK_BOOTTIME never steps: when the two have moved apart by more than 2 s
 * since the last look, the clock was set (a clock that is slewed moves less).
 * Between two runs only the log can tell: a clock behind its last entry was set
 * back, one far ahead of it may have been set.
 *
 * In doubt, the next seal of level B-T or more first asks its TSA for a time
 * stamp over random bytes; tsa.NAME.skew says how far the two may be apart.
 * state/clock-doubt keeps the doubt over a restart, behind whose own entries no
 * clock would look wrong.  Seals of level B-B have nobody to ask; for them the log's entry must do.
 */
#ifndef SEALROOM_CLOCKWATCH_H
#define SEALROOM_CLOCKWATCH_H

#include "agent/core.h"

/* The time of the newest entry; 0: none. */
int64_t clockwatch_last(struct core *);
/* When the log is ready; last: of the run before. */
void clockwatch_start(struct core *, int64_t last_us);
void clockwatch_look(struct core *);  /* now and then, and before a seal */
/* The TSA's time and ours agree. */
void clockwatch_confirmed(struct core *);

#endif
