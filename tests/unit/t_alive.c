/* t_alive.c - when the core counts as alive, and when it does not. */
#include "agent/alive.h"
#include "tests/unit/test.h"

#define NOW (ALIVE_IDLE_MS * 10)

static const struct {
	const char *name;
	uint64_t moved;
	bool helped, log_ready;
	struct job job;
	bool alive;
} cases[] = {
	{ "a job that moved lately", NOW - 1000, true, true, { .state = SPOOL_CLAIMED, .busy = true }, true },
	{ "a job that nothing has moved for long", 1, true, true, { .state = SPOOL_CLAIMED, .busy = true }, false },
	{ "a lost wake-up: neither busy nor timed", 1, true, true, { .state = SPOOL_SIGNED }, false },
	{ "just as long as a step may take", NOW - ALIVE_IDLE_MS, true, true, { .state = SPOOL_CLAIMED }, true },
	{ "a job in trouble: it waits for others", 1, true, true, { .state = SPOOL_RENDERED, .stalled = true }, true },
	{ "a held job: it waits for a person", 1, true, true, { .state = SPOOL_HELD, .settled = true }, true },
	{ "a held job that nobody has been told of", 1, true, true, { .state = SPOOL_HELD }, false },
	{ "a job whose copy is not what was claimed", 1, true, true, { .state = SPOOL_CLAIMED, .aside = true }, true },
	{ "a program that jobs need is away", 1, false, true, { .state = SPOOL_CLAIMED }, true },
	{ "the log has not proven itself yet", 1, true, false, { .state = SPOOL_CLAIMED }, true },
};

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct job job = cases[i].job;
		struct core c = { .jobs = &job, .moved_ms = cases[i].moved, .log_ready = cases[i].log_ready };

		CHECK((alive_complaint(&c, NOW, cases[i].helped) == NULL) == cases[i].alive, "%s", cases[i].name);
	}
	CHECK(alive_complaint(&(struct core){ .log_ready = true }, NOW, true) == NULL, "no job at all");
	return TEST_DONE();
}
