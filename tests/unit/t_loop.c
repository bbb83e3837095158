/* t_loop.c - descriptors and timers; a callback may take away or add anything. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/loop.h"
#include "tests/unit/test.h"

static struct loop *l;
static char order[16];
static int fds[2][2];

static void
mark(void *ctx)
{
	strcat(order, ctx);
}

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(l);
}

static void
test_timers(void)
{
	uint64_t gone, from = clock_ms();
	struct err e = { 0 };

	order[0] = '\0';
	loop_timer(l, 30, mark, (void *)(uintptr_t)"c");
	loop_timer(l, 10, mark, (void *)(uintptr_t)"a");
	gone = loop_timer(l, 15, mark, (void *)(uintptr_t)"x");
	loop_timer(l, 20, mark, (void *)(uintptr_t)"b");
	loop_timer(l, 40, stop, NULL);
	CHECK(gone != 0, "a handle is not 0");
	loop_timer_del(l, gone);
	loop_timer_del(l, gone);
	loop_timer_del(l, 0);
	CHECK(loop_run(l, &e) == 0 && strcmp(order, "abc") == 0, "timers come in order, a deleted one never");
	CHECK(clock_ms() - from >= 40, "and not too early");
	order[0] = '\0';
	loop_timer(l, 0, mark, (void *)(uintptr_t)"1");
	loop_timer(l, 0, mark, (void *)(uintptr_t)"2");
	loop_timer(l, 0, mark, (void *)(uintptr_t)"3");
	loop_timer(l, 1, stop, NULL);
	loop_run(l, &e);
	CHECK(strcmp(order, "123") == 0, "of the same time, in the order they were set");
}

static void
much_a(void *ctx)
{
	mark(ctx);
	loop_timer(l, 0, mark, (void *)(uintptr_t)"2");
	loop_behind(l, mark, (void *)(uintptr_t)"C");
	loop_behind(l, stop, NULL);
}

static void
test_behind(void)
{
	uint64_t gone;
	struct err e = { 0 };

	order[0] = '\0';
	loop_behind(l, much_a, (void *)(uintptr_t)"A");
	gone = loop_behind(l, mark, (void *)(uintptr_t)"x");
	loop_behind(l, mark, (void *)(uintptr_t)"B");
	loop_timer(l, 0, mark, (void *)(uintptr_t)"1");
	loop_timer_del(l, gone);
	CHECK(loop_run(l, &e) == 0 && strcmp(order, "1A2BC") == 0, "much work comes piece by piece, each behind all that is due: %s", order);
}

static uint64_t victim;

static void
kill_other(void *ctx)
{
	(void)ctx;
	loop_timer_del(l, victim);
}

static void
test_timer_deletes_timer(void)
{
	struct err e = { 0 };

	order[0] = '\0';
	loop_timer(l, 0, kill_other, NULL);
	victim = loop_timer(l, 0, mark, (void *)(uintptr_t)"x");
	loop_timer(l, 5, stop, NULL);
	loop_run(l, &e);
	CHECK(order[0] == '\0', "a timer may delete one that is due in the same turn");
}

static unsigned turns;

static void
again(void *ctx)
{
	(void)ctx;
	if (++turns == 10)
		CHECK(write(fds[0][1], "!", 1) == 1, "a byte is sent");
	loop_timer(l, 0, again, NULL);
}

static void
on_byte(void *ctx, uint32_t events)
{
	char c;

	(void)ctx;
	CHECK(events & EPOLLIN, "a byte is announced");
	CHECK(read(fds[0][0], &c, 1) == 1 && c == '!', "and read");
	loop_stop(l);
}

static void
too_long(void *ctx)
{
	(void)ctx;
	CHECK(0, "a descriptor has its turn beside a timer that always sets itself again");
	loop_stop(l);
}

static void
test_fairness(void)
{
	struct err e = { 0 };

	CHECK(loop_fd(l, fds[0][0], EPOLLIN, on_byte, NULL) == 0, "a descriptor is watched");
	CHECK(loop_fd(l, fds[0][0], EPOLLIN, on_byte, NULL) == -1, "but not twice");
	loop_timer(l, 0, again, NULL);
	victim = loop_timer(l, 2000, too_long, NULL);
	loop_run(l, &e);
	CHECK(turns >= 10, "both had their turns");
	loop_timer_del(l, victim);
	loop_fd_del(l, fds[0][0]);
	loop_fd_del(l, fds[0][0]);
}

static int called;

static void
on_either(void *ctx, uint32_t events)
{
	(void)ctx;
	(void)events;
	called++;
	loop_fd_del(l, fds[0][0]);
	loop_fd_del(l, fds[1][0]);
	loop_timer(l, 20, stop, NULL);
}

static void
test_fd_deletes_fd(void)
{
	struct err e = { 0 };

	loop_fd(l, fds[0][0], EPOLLIN, on_either, NULL);
	loop_fd(l, fds[1][0], EPOLLIN, on_either, NULL);
	CHECK(write(fds[0][1], "a", 1) == 1 && write(fds[1][1], "b", 1) == 1, "two descriptors are ready");
	loop_run(l, &e);
	CHECK(called == 1, "a callback that takes the other away is the only one");
}

int
main(void)
{
	struct err e = { 0 };

	if (loop_new(&l, &e) < 0 || pipe(fds[0]) < 0 || pipe(fds[1]) < 0)
		return 99;
	test_timers();
	test_behind();
	test_timer_deletes_timer();
	test_fairness();
	test_fd_deletes_fd();
	loop_fd(l, fds[0][0], EPOLLIN, on_either, NULL);
	loop_timer(l, 1000, stop, NULL);
	loop_behind(l, stop, NULL);
	loop_free(l); /* with what is still in it */
	loop_free(NULL);
	return TEST_DONE();
}
