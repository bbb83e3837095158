/*
 * alive.h - the service manager's watchdog is fed by work, not by a clock.
 *
 *	alive_start(core)      READY=1, and from then on WATCHDOG=1 as often as wanted
 *
 * Each time the core is asked whether its work goes on: whether folders are
 * still looked at, and whether, of jobs that wait for nothing and nobody, one
 * has moved lately.  If not, an alarm is logged and the watchdog stays unfed:
 * the service manager ends the core, and the next one recovers every job from
 * disk.  A core that hangs in one place is not even asked.
 */
#ifndef SEALROOM_ALIVE_H
#define SEALROOM_ALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/core.h"

#define ALIVE_IDLE_MS (30 * 60000ull)  /* longer than any single step of a document may take */
#define ALIVE_LATE_MS (10 * 60000ull)  /* a folder that is not scanned for so long after its time */

void alive_start(struct core *);

/* Why it does not count as alive; NULL: it does. helped: all processes that jobs need are there. */
const char *alive_complaint(const struct core *, uint64_t now_ms, bool helped);

#endif
