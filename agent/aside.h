/*
 * aside.h - who takes long stands aside for who has just begun.
 *
 * A child is fresh for the time its kind of task usually takes, then it is long.
 * While fresh ones are at work no more of the long ones run than there are
 * cores left; the others are stopped (SIGSTOP) and go on when it is quiet, and
 * one of them in any case a quarter of the time.  So a document made to cost
 * much costs a letter little, however many there are, and still comes to its
 * end.  Nice values would do the same, but a unit that may not change its own
 * resources has none.
 *
 *	aside_begin(all, &a, patience_ms)   the task is on its way
 *	aside_started(&a, pidfd)            borrowed until aside_end()
 *	aside_end(&a)
 *
 * Deadlines are the caller's: aside_lost_ms() is what to add.
 */
#ifndef SEALROOM_ASIDE_H
#define SEALROOM_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"

struct asides; /* all that share the cores */

/* One child; zeroed before aside_begin(). */
struct aside {
	struct asides *all; /* NULL: not begun, or ended */
	int pidfd;          /* -1: not there yet, nothing to stop */
	bool taken_long, stopped;
	uint64_t timer;
	uint64_t since;     /* when it was stopped; ms */
	uint64_t lost_ms;   /* of stops that are over */
	struct aside *next;
};

/* on_long: one has become long, and takes no fresh one's place any more. */
int asides_new(struct asides **ret, struct loop *, uint32_t cores, void (*on_long)(void *ctx), void *ctx, struct err *);
void asides_free(struct asides *); /* after all have ended */

/* patience_ms: of one that has a core to itself; beside many fresh ones it gets more.  0: long from the first moment. */
void aside_begin(struct asides *, struct aside *, uint32_t patience_ms);
void aside_started(struct aside *, int pidfd);
/* Goes on, if it was stopped: its end is seen all the same. */
void aside_end(struct aside *);
/* How long it was kept from its work since this was asked last. */
uint64_t aside_lost_ms(struct aside *);

#endif
