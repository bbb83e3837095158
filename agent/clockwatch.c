#include <math.h>
#include <stdio.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "seal/evidence/entry.h"

#include "agent/clockwatch.h"

#define LOOK_MS 2000
#define DOUBT_FILE "clock-doubt" /* below state/: the clock was set, and nobody has confirmed it yet */
#define STEP_US 2000000
#define AHEAD_US (INT64_C(7) * 86400 * 1000000) /* longer than a weekend without mail */

static int64_t
apart(void)
{
	return clock_wall_us() - (int64_t)clock_ms() * 1000;
}

/* A log that can not take the note has troubles of its own, and says so. */
static void
enter(struct core *c, const char *text)
{
	struct entry x = { .type = ENTRY_NOTE };
	struct err e = { 0 };
	uint64_t at;

	log_line(LOG_ALERT, "%s", text);
	snprintf(x.text, sizeof(x.text), "%s", text);
	if (logbook_append(c, &x, &at, &e) < 0)
		log_err(LOG_WARNING, "evidence log: the note on the clock", &e);
	else
		logbook_commit_soon(c);
}

/* A start that follows must not take the entries of this run for a clock that was right. */
static void
doubt(struct core *c)
{
	struct err e = { 0 };

	c->clock_doubt = true;
	if (io_replace(c->spool.state, DOUBT_FILE, "", 0, 0600, &e) < 0)
		log_err(LOG_WARNING, "state/" DOUBT_FILE, &e);
}

void
clockwatch_look(struct core *c)
{
	int64_t now = apart(), step = now - c->clock_apart_us;
	char text[160];

	c->clock_apart_us = now;
	if (step > -STEP_US && step < STEP_US)
		return;
	doubt(c);
	snprintf(text, sizeof(text), "the clock was set %s by %.1f s; seals wait until a time stamp confirms it",
	    step < 0 ? "back" : "forward", fabs((double)step / 1e6));
	if (c->log_ready && !c->stopping)
		enter(c, text);
}

static void
on_look(void *ctx)
{
	struct core *c = ctx;

	clockwatch_look(c);
	loop_timer(c->loop, LOOK_MS, on_look, c);
}

int64_t
clockwatch_last(struct core *c)
{
	struct entry x;
	struct err e;
	AUTO_BUF b;

	buf_init(&b, ENTRY_MAX);
	if (elog_size(c->elog) == 0 || elog_entry(c->elog, elog_size(c->elog) - 1, &b, &e) < 0 ||
	    entry_parse(b.data, b.len, &x, &e) < 0)
		return 0;
	return x.time_us;
}

void
clockwatch_start(struct core *c, int64_t last)
{
	int64_t ahead = clock_wall_us() - last;
	char text[160];

	c->clock_apart_us = apart();
	if (last != 0 && ahead < -STEP_US) {
		doubt(c);
		snprintf(text, sizeof(text), "the clock is %.1f s behind the last entry; seals wait until a time stamp confirms it",
		    -(double)ahead / 1e6);
		enter(c, text);
	} else if (last != 0 && ahead > AHEAD_US) {
		doubt(c);
		log_line(LOG_NOTICE, "the last entry is %lld days old; the first seal waits until a time stamp confirms the clock",
		    (long long)(ahead / 86400 / 1000000));
	}
	if (io_exists(c->spool.state, DOUBT_FILE))
		c->clock_doubt = true;
	loop_timer(c->loop, LOOK_MS, on_look, c);
}

void
clockwatch_confirmed(struct core *c)
{
	struct err e = { 0 };

	c->clock_doubt = false;
	if (io_unlink(c->spool.state, DOUBT_FILE, &e) < 0)
		log_err(LOG_WARNING, "state/" DOUBT_FILE, &e); /* the next start asks once more */
	log_line(LOG_NOTICE, "a time stamp has confirmed the clock");
}
