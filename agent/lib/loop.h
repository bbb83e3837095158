/*
 * loop.h - the event loop of a process: descriptors and timers (epoll).
 *
 *	loop_new(&l, &e)
 *	loop_fd(l, fd, EPOLLIN, cb, ctx)     one callback a descriptor
 *	loop_timer(l, ms, cb, ctx)           once, after ms; handle > 0
 *	loop_behind(l, cb, ctx)              once, behind all that is due; handle > 0
 *	loop_run(l)                          until loop_stop()
 *
 * A callback may add or remove anything.  Descriptors stay the caller's.
 */
#ifndef SEALROOM_LOOP_H
#define SEALROOM_LOOP_H

#include <stdint.h>

#include "agent/lib/err.h"

struct loop;

typedef void loop_fd_cb(void *ctx, uint32_t events);
typedef void loop_timer_cb(void *ctx);

int loop_new(struct loop **ret, struct err *);
void loop_free(struct loop *);
int loop_fd(struct loop *, int fd, uint32_t events, loop_fd_cb *, void *ctx);
void loop_fd_del(struct loop *, int fd);
/* Returns a handle for loop_timer_del(); 0 is never a handle. */
uint64_t loop_timer(struct loop *, uint64_t ms, loop_timer_cb *, void *ctx);
/*
 * For one piece of much work: one such callback, the one that waits longest, comes
 * between two looks at descriptors and timers, so that these wait for one piece at
 * most, however much work there is.
 */
uint64_t loop_behind(struct loop *, loop_timer_cb *, void *ctx);
void loop_timer_del(struct loop *, uint64_t handle); /* of either; unknown or 0: nothing */
int loop_run(struct loop *, struct err *);
void loop_stop(struct loop *);
/* Microseconds of the longest callback so far: how long everything else has waited at most. */
uint64_t loop_longest_us(const struct loop *);

#endif
