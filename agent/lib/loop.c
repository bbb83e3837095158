#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/loop.h"

struct watch {
	int fd;
	loop_fd_cb *cb;
	void *ctx;
	struct watch *next;
};

struct timer {
	uint64_t handle, due;
	loop_timer_cb *cb;
	void *ctx;
	struct timer *next;
};

struct loop {
	int epoll;
	bool stop;
	uint64_t handles;
	struct watch *watches; /* by descriptor, a handful */
	struct timer *timers;  /* soonest first */
	struct timer *behind;  /* oldest first */
	uint64_t longest_us;
};

int
loop_new(struct loop **ret, struct err *e)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return err_sys(e, ERR_MEM, "event loop");
	if ((l->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		free(l);
		return err_sys(e, ERR_IO, "epoll");
	}
	*ret = l;
	return 0;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	while (l->watches != NULL)
		loop_fd_del(l, l->watches->fd);
	while (l->timers != NULL)
		loop_timer_del(l, l->timers->handle);
	while (l->behind != NULL)
		loop_timer_del(l, l->behind->handle);
	close(l->epoll);
	free(l);
}

int
loop_fd(struct loop *l, int fd, uint32_t events, loop_fd_cb *cb, void *ctx)
{
	struct watch *w = calloc(1, sizeof(*w));
	struct epoll_event ev = { .events = events, .data.fd = fd };

	if (w == NULL || epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0) {
		free(w);
		return -1;
	}
	*w = (struct watch){ fd, cb, ctx, l->watches };
	l->watches = w;
	return 0;
}

void
loop_fd_del(struct loop *l, int fd)
{
	for (struct watch **p = &l->watches, *w; (w = *p) != NULL; p = &w->next)
		if (w->fd == fd) {
			epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL);
			*p = w->next;
			free(w);
			return;
		}
}

static uint64_t
timer_add(struct loop *l, struct timer **p, uint64_t due, loop_timer_cb *cb, void *ctx)
{
	struct timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort(); /* a lost timer is a job stuck for ever; a restart is not */
	*t = (struct timer){ ++l->handles, due, cb, ctx, NULL };
	while (*p != NULL && (*p)->due <= t->due)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
	return t->handle;
}

uint64_t
loop_timer(struct loop *l, uint64_t ms, loop_timer_cb *cb, void *ctx)
{
	return timer_add(l, &l->timers, clock_ms() + ms, cb, ctx);
}

uint64_t
loop_behind(struct loop *l, loop_timer_cb *cb, void *ctx)
{
	return timer_add(l, &l->behind, 0, cb, ctx);
}

static bool
timer_del(struct timer **p, uint64_t handle)
{
	for (struct timer *t; (t = *p) != NULL; p = &t->next)
		if (t->handle == handle) {
			*p = t->next;
			free(t);
			return true;
		}
	return false;
}

void
loop_timer_del(struct loop *l, uint64_t handle)
{
	if (!timer_del(&l->timers, handle))
		timer_del(&l->behind, handle);
}

static uint64_t
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
turn_ended(struct loop *l, uint64_t began)
{
	uint64_t us = now_us() - began;

	if (us > l->longest_us)
		l->longest_us = us;
}

uint64_t
loop_longest_us(const struct loop *l)
{
	return l->longest_us;
}

static void
run_first(struct loop *l, struct timer **first)
{
	struct timer *t = *first;
	loop_timer_cb *cb = t->cb;
	void *ctx = t->ctx;
	uint64_t began = now_us();

	*first = t->next;
	free(t);
	cb(ctx);
	turn_ended(l, began);
}

/* Those that are due now: one that sets itself again at once must let descriptors have their turn. */
static void
run_timers(struct loop *l)
{
	uint64_t now = clock_ms();

	while (!l->stop && l->timers != NULL && l->timers->due <= now)
		run_first(l, &l->timers);
}

/* How long there is nothing to do but for a descriptor, in ms; -1: for ever. */
static int
wait_ms(const struct loop *l)
{
	uint64_t now, left;

	if (l->behind != NULL)
		return 0;
	if (l->timers == NULL)
		return -1;
	now = clock_ms();
	left = l->timers->due > now ? l->timers->due - now : 0;
	return left > 60000 ? 60000 : (int)left;
}

int
loop_run(struct loop *l, struct err *e)
{
	struct epoll_event ev[16];
	int n;

	for (l->stop = false; !l->stop;) {
		if ((n = epoll_wait(l->epoll, ev, 16, wait_ms(l))) < 0 && errno != EINTR)
			return err_sys(e, ERR_IO, "epoll");
		for (int i = 0; i < n && !l->stop; i++)
			/* an earlier callback may have taken this one away */
			for (struct watch *w = l->watches; w != NULL; w = w->next)
				if (w->fd == ev[i].data.fd) {
					uint64_t began = now_us();

					w->cb(w->ctx, ev[i].events);
					turn_ended(l, began);
					break;
				}
		run_timers(l);
		if (!l->stop && l->behind != NULL)
			run_first(l, &l->behind);
	}
	return 0;
}

void
loop_stop(struct loop *l)
{
	l->stop = true;
}
