/*
 * Who takes long stands aside: real processes, and what the kernel says of them.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/aside.h"
#include "agent/lib/clock.h"
#include "tests/unit/test.h"

#define SOON 10   /* ms: long by then */
#define NEVER 600000

static struct loop *loop;
static struct asides *all;
static struct err e;
static int longs;

static void
on_long(void *ctx)
{
	(void)ctx;
	longs++;
}

struct child {
	pid_t pid;
	int pidfd;
	struct aside a;
};

static void
begin(struct child *c, uint32_t patience)
{
	if ((c->pid = fork()) == 0)
		for (;;)
			pause();
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	aside_begin(all, &c->a, patience);
	aside_started(&c->a, c->pidfd);
}

static void
end(struct child *c)
{
	aside_end(&c->a);
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	close(c->pidfd);
}

/* 'T': stopped; what the kernel calls it. */
static char
state(const struct child *c)
{
	char path[64], line[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", c->pid);
	if ((f = fopen(path, "r")) == NULL)
		return '?';
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	return strrchr(line, ')') == NULL ? '?' : strrchr(line, ')')[2];
}

static void
on_tick(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void
loop_for(uint64_t ms)
{
	loop_timer(loop, ms, on_tick, NULL);
	loop_run(loop, &e);
}

/* Until it is so; far more patience than it takes. */
static bool
becomes(const struct child *c, bool stopped)
{
	for (int i = 0; i < 1000 && (state(c) == 'T') != stopped; i++)
		loop_for(10);
	return (state(c) == 'T') == stopped;
}

static void
test_one_core(void)
{
	struct child slow, letter;

	asides_new(&all, loop, 1, on_long, NULL, &e);
	begin(&slow, SOON);
	begin(&letter, NEVER);
	CHECK(becomes(&slow, true) && longs == 1, "who has taken long stops while a fresh one is at work");
	CHECK(state(&letter) != 'T', "the fresh one does not");
	CHECK(becomes(&slow, false), "after a while it has its turn all the same");
	CHECK(becomes(&slow, true), "which ends");
	end(&letter);
	CHECK(becomes(&slow, false), "and it goes on when the fresh one is done");
	CHECK(aside_lost_ms(&slow.a) > 0 && aside_lost_ms(&slow.a) == 0, "the time it lost is told, once");
	begin(&letter, NEVER);
	CHECK(becomes(&slow, true), "it stops for the next");
	end(&slow);
	begin(&slow, 0);
	CHECK(slow.a.taken_long && becomes(&slow, true), "one may be long from the first moment");
	end(&slow);
	end(&letter);
	asides_free(all);
}

static void
test_two_cores(void)
{
	struct child slow[2], letter[2];

	asides_new(&all, loop, 2, on_long, NULL, &e);
	begin(&slow[0], SOON);
	begin(&slow[1], SOON);
	loop_for(10 * SOON);
	CHECK(state(&slow[0]) != 'T' && state(&slow[1]) != 'T', "alone the long ones both run");
	begin(&letter[0], NEVER);
	CHECK(becomes(&slow[1], true) && state(&slow[0]) != 'T', "beside one fresh one there is a core for one of them");
	begin(&letter[1], NEVER);
	CHECK(becomes(&slow[0], true), "beside two there is none");
	end(&letter[0]);
	CHECK(becomes(&slow[0], false), "and one again");
	end(&letter[1]);
	CHECK(becomes(&slow[1], false), "and two");
	for (int i = 0; i < 2; i++)
		end(&slow[i]);
	asides_free(all);
}

/* Two cores, one fresh one: whoever has its turn, it is the only long one that runs. */
static void
test_turns(void)
{
	struct child slow[3], letter;
	unsigned ran[3] = { 0 }, crowded = 0;

	asides_new(&all, loop, 2, on_long, NULL, &e);
	for (int i = 0; i < 3; i++)
		begin(&slow[i], 0);
	begin(&letter, NEVER);
	CHECK(becomes(&slow[1], true) && becomes(&slow[2], true), "one of three long ones runs beside a fresh one");
	for (int i = 0; i < 300; i++) {
		unsigned n = 0;

		loop_for(10);
		for (int k = 0; k < 3; k++) {
			ran[k] += !slow[k].a.stopped;
			n += !slow[k].a.stopped;
		}
		crowded += n > 1;
	}
	CHECK(ran[0] > 0 && ran[1] > 0 && ran[2] > 0, "each of them goes on now and then: %u, %u, %u", ran[0], ran[1], ran[2]);
	CHECK(crowded == 0, "and never two at once (%u times)", crowded);
	for (int i = 0; i < 3; i++)
		end(&slow[i]);
	end(&letter);
	asides_free(all);
}

/* Many that begin at once share the cores: each is given the time that it would have had alone. */
static void
test_many(void)
{
	struct child first, crowd[20];

	asides_new(&all, loop, 2, on_long, NULL, &e);
	begin(&first, 10 * SOON);
	for (int i = 0; i < 20; i++)
		begin(&crowd[i], i < 19 ? NEVER : 10 * SOON);
	for (int i = 0; i < 1000 && !first.a.taken_long; i++)
		loop_for(SOON);
	CHECK(first.a.taken_long && !crowd[19].a.taken_long, "who began alone is long, who began the same moment beside twenty is not");
	for (int i = 0; i < 1000 && !crowd[19].a.taken_long; i++)
		loop_for(SOON);
	CHECK(crowd[19].a.taken_long, "in the end it is, too");
	end(&first);
	for (int i = 0; i < 20; i++)
		end(&crowd[i]);
	asides_free(all);
}

/* Nothing is known of its process yet, or never: it counts, and is left alone. */
static void
test_no_process(void)
{
	struct child letter;
	struct aside early = { 0 };

	asides_new(&all, loop, 1, on_long, NULL, &e);
	aside_begin(all, &early, SOON);
	begin(&letter, NEVER);
	loop_for(10 * SOON);
	CHECK(early.taken_long && !early.stopped && aside_lost_ms(&early) == 0, "one without a process is not stopped");
	aside_end(&early);
	aside_end(&early);
	CHECK(early.all == NULL, "its end may be told twice");
	end(&letter);
	asides_free(all);
}

int
main(void)
{
	loop_new(&loop, &e);
	test_one_core();
	test_two_cores();
	test_turns();
	test_many();
	test_no_process();
	loop_free(loop);
	return TEST_DONE();
}
