#include "agent/lib/clock.h"
#include "agent/lib/proc.h"
#include "agent/lib/unit.h"

#include "agent/alive.h"
#include "agent/reload.h"
#include "agent/watch.h"

#define FEED_MS 20000 /* at least */

/* Could it go on?  Who is in trouble waits for others; who is held, for a person. */
static bool
can_move(const struct job *j)
{
	return !j->dead && !j->stalled && !j->aside && !(j->state == SPOOL_HELD && j->settled);
}

const char *
alive_complaint(const struct core *c, uint64_t now, bool helped)
{
	if (c->watch != NULL && watch_late_ms(c->watch, now) > ALIVE_LATE_MS)
		return "the hot folders are not looked at any more";
	if (!c->log_ready || !helped || now - c->moved_ms <= ALIVE_IDLE_MS)
		return NULL;
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (can_move(j))
			return "jobs that wait for nothing do not move";
	return NULL;
}

static void
on_feed(void *ctx)
{
	struct core *c = ctx;
	uint64_t wanted = unit_watchdog_ms();
	const char *why = alive_complaint(c, clock_ms(),
	    core_has(c, ROLE_SCAN) && core_has(c, ROLE_VERIFY) && core_has(c, ROLE_FETCH));

	reload_forget(c);
	if (why == NULL)
		proc_notify("WATCHDOG=1");
	else if (!c->alarmed_stuck)
		log_line(LOG_ALERT, "stuck: %s; the watchdog is not fed any more, a new start recovers all jobs", why);
	c->alarmed_stuck = why != NULL;
	loop_timer(c->loop, wanted != 0 && wanted < FEED_MS ? wanted : FEED_MS, on_feed, c);
}

void
alive_start(struct core *c)
{
	proc_notify("READY=1");
	on_feed(c);
}
