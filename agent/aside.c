#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/clock.h"

#include "agent/aside.h"

#define TURN_MS 200 /* of one that goes on all the same */
#define REST_MS 600 /* between two of those */

struct asides {
	struct loop *loop;
	uint32_t cores;
	struct aside *first; /* in the order they began */
	struct aside *turn;  /* goes on although others stand aside */
	uint64_t timer;
	void (*on_long)(void *ctx);
	void *ctx;
};

int
asides_new(struct asides **ret, struct loop *loop, uint32_t cores, void (*on_long)(void *ctx), void *ctx, struct err *e)
{
	struct asides *all = calloc(1, sizeof(*all));

	if (all == NULL)
		return err_set(e, ERR_MEM, "process table");
	all->loop = loop;
	all->cores = cores;
	all->on_long = on_long;
	all->ctx = ctx;
	*ret = all;
	return 0;
}

void
asides_free(struct asides *all)
{
	if (all != NULL)
		loop_timer_del(all->loop, all->timer);
	free(all);
}

static void
stop(struct aside *a, bool stopped)
{
	if (a->pidfd < 0 || a->stopped == stopped ||
	    syscall(SYS_pidfd_send_signal, a->pidfd, stopped ? SIGSTOP : SIGCONT, NULL, 0) < 0)
		return;
	if (stopped)
		a->since = clock_ms();
	else
		a->lost_ms += clock_ms() - a->since;
	a->stopped = stopped;
}

static uint32_t
count_fresh(const struct asides *all)
{
	uint32_t fresh = 0;

	for (const struct aside *a = all->first; a != NULL; a = a->next)
		fresh += !a->taken_long;
	return fresh;
}

/* Long ones that may run beside the fresh. */
static uint32_t
room_left(const struct asides *all)
{
	uint32_t fresh = count_fresh(all);

	return fresh == 0 ? UINT32_MAX : fresh < all->cores ? all->cores - fresh : 0;
}

static void on_tick(void *ctx);

static void
balance(struct asides *all)
{
	uint32_t room = room_left(all);
	bool stopped = false;

	room -= room > 0 && all->turn != NULL; /* it takes a core that is left, when there is one */
	for (struct aside *a = all->first; a != NULL; a = a->next) {
		if (!a->taken_long)
			continue;
		stop(a, room == 0 && a != all->turn);
		room -= room > 0 && a != all->turn;
		stopped = stopped || a->stopped;
	}
	if (stopped && all->timer == 0)
		all->timer = loop_timer(all->loop, REST_MS, on_tick, all);
}

/* The turn of the one that has been waiting longest, or its end. */
static void
on_tick(void *ctx)
{
	struct asides *all = ctx;
	struct aside *next = NULL;

	all->timer = 0;
	for (struct aside *a = all->first; a != NULL && all->turn == NULL; a = a->next)
		if (a->stopped && (next == NULL || a->since < next->since))
			next = a;
	all->turn = next;
	if (next != NULL)
		all->timer = loop_timer(all->loop, TURN_MS, on_tick, all);
	balance(all);
}

static void
on_long(void *ctx)
{
	struct aside *a = ctx;

	a->timer = 0;
	a->taken_long = true;
	balance(a->all);
	a->all->on_long(a->all->ctx);
}

void
aside_begin(struct asides *all, struct aside *a, uint32_t patience_ms)
{
	struct aside **last = &all->first;

	*a = (struct aside){ .all = all, .pidfd = -1 };
	while (*last != NULL)
		last = &(*last)->next;
	*last = a;
	a->taken_long = patience_ms == 0;
	if (!a->taken_long)
		a->timer = loop_timer(all->loop, (uint64_t)patience_ms * ((count_fresh(all) + all->cores - 1) / all->cores), on_long, a);
	balance(all);
}

void
aside_started(struct aside *a, int pidfd)
{
	if (a->all == NULL)
		return;
	a->pidfd = pidfd;
	balance(a->all);
}

void
aside_end(struct aside *a)
{
	struct asides *all = a->all;

	if (all == NULL)
		return;
	stop(a, false);
	for (struct aside **p = &all->first; *p != NULL; p = &(*p)->next)
		if (*p == a) {
			*p = a->next;
			break;
		}
	if (all->turn == a)
		all->turn = NULL;
	loop_timer_del(all->loop, a->timer);
	a->all = NULL;
	balance(all);
}

uint64_t
aside_lost_ms(struct aside *a)
{
	uint64_t now = clock_ms(), lost = a->lost_ms;

	if (a->stopped) {
		lost += now - a->since;
		a->since = now;
	}
	a->lost_ms = 0;
	return lost;
}
