/*
 * Long work in turns: what is copied and hashed is the same as at once, no turn
 * does more than its share, and a failure ends it where it is.
 */
#include <errno.h>

#include "agent/lib/io.h"
#include "agent/steps.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define SIZE (3 * STEPS_TURN + 12345)

static int made(int dir, const char *name, uint64_t size)
{
	static uint8_t block[65536];
	int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);

		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)((at + i) * 2654435761u >> 13);
		if (write(fd, block, n) != (ssize_t)n)
			exit(99);
		at += n;
	}
	return fd;
}

struct seen {
	int calls, again;
	bool fail;
	struct steps *steps;
	struct loop *loop;
	int done;
	struct err why;
};

static int
called(void *ctx, struct err *e)
{
	struct seen *s = ctx;

	s->calls++;
	if (s->fail)
		return err_set(e, ERR_SPACE, "no room");
	return s->again-- > 0;
}

static int
adds(void *ctx, struct err *e)
{
	struct seen *s = ctx;

	(void)e;
	s->calls++;
	steps_call(s->steps, called);
	return 0;
}

static void
done(void *ctx, const struct err *why)
{
	struct seen *s = ctx;

	s->done++;
	if (why != NULL)
		s->why = *why;
	loop_stop(s->loop);
}

static void
test_copy(int dir)
{
	int from = made(dir, "from", SIZE), to = openat(dir, "to", O_RDWR | O_CREAT, 0600), turns = 1, r;
	uint8_t got[HASH_LEN], half[HASH_LEN], want[HASH_LEN], back[HASH_LEN], narrow[HASH_LEN];
	struct hash_wide wide = { 0 };
	uint64_t before = 0, after, most = 0;
	struct err e = { 0 };
	struct steps *s = steps_new(NULL, NULL);

	steps_copy(s, from, 0, SIZE, to, true);
	steps_digest(s, got);
	steps_flush(s, to);
	steps_copy(s, from, 0, 100, -1, true);
	steps_copy(s, from, 200, 300, -1, true);
	steps_digest(s, half);
	steps_wide(s);
	steps_copy(s, from, 0, 3, -1, true);
	steps_digest_wide(s, narrow, &wide);
	while ((r = steps_turn(s, &e)) > 0) {
		turns++;
		if (io_size(to, &after, &e) == 0 && after - before > most)
			most = after - before;
		before = after;
	}
	steps_cancel(s);
	CHECK(r == 0 && most <= STEPS_TURN && turns >= 4, "a file of %u bytes in %d turns, none with more than %llu", SIZE, turns,
	    (unsigned long long)most);
	CHECK(hash_fd(from, 0, SIZE, want, &e) == 0 && memcmp(got, want, HASH_LEN) == 0 &&
	          hash_fd(to, 0, SIZE, back, &e) == 0 && memcmp(back, want, HASH_LEN) == 0,
	    "the copy and its hash are right");
	/* two ranges, one digest: as if they stood behind each other */
	{
		uint8_t both[400];
		struct hash *h = hash_open();

		if (pread(from, both, 100, 0) != 100 || pread(from, both + 100, 300, 200) != 300)
			exit(99);
		hash_add(h, both, sizeof(both));
		hash_final(h, want);
	}
	CHECK(memcmp(half, want, HASH_LEN) == 0, "two ranges give one digest");
	{
		struct hash *h = hash_open_wide();
		struct hash_wide once = { 0 };
		uint8_t first[3];

		if (pread(from, first, 3, 0) != 3)
			exit(99);
		hash_add(h, first, 3);
		hash_final_wide(h, want, &once);
		CHECK(wide.known && memcmp(narrow, want, HASH_LEN) == 0 && memcmp(&wide, &once, sizeof(wide)) == 0,
		    "where asked for, three digests of them");
	}
	s = steps_new(NULL, NULL);
	steps_copy(s, from, 0, 1000, -1, true);
	steps_digest(s, half);
	CHECK(steps_turn(s, &e) == 0, "little work takes one turn");
	steps_cancel(s);
	s = steps_new(NULL, NULL);
	steps_copy(s, from, SIZE - 10, 11, -1, false);
	CHECK(steps_turn(s, &e) == -ERR_IO, "a file that ends early is an error: %s", e.text);
	steps_cancel(s);
	close(from);
	close(to);
}

static void
test_calls(void)
{
	struct seen s = { .again = 2 };
	struct err e = { 0 };
	int turns = 1;

	s.steps = steps_new(NULL, &s);
	steps_call(s.steps, called);
	steps_call(s.steps, adds);
	while (steps_turn(s.steps, &e) > 0)
		turns++;
	CHECK(s.calls == 5 && turns == 5, "a call may want another turn, and may add a call: %d calls in %d turns", s.calls, turns);
	steps_cancel(s.steps);
	s = (struct seen){ .fail = true };
	if (loop_new(&s.loop, &e) < 0)
		exit(99);
	s.steps = steps_new(s.loop, &s);
	steps_call(s.steps, called);
	steps_call(s.steps, called);
	steps_go(s.steps, done);
	CHECK(s.calls == 0, "nothing happens before the loop has its turn");
	if (loop_run(s.loop, &e) < 0)
		exit(99);
	CHECK(s.calls == 1 && s.done == 1 && s.why.code == ERR_SPACE, "a failure ends it, and is told once: %s", s.why.text);
	s = (struct seen){ .loop = s.loop };
	s.steps = steps_new(s.loop, &s);
	steps_call(s.steps, adds);
	steps_go(s.steps, done);
	if (loop_run(s.loop, &e) < 0)
		exit(99);
	CHECK(s.calls == 2 && s.done == 1 && s.why.code == ERR_OK, "in the end all is done");
	s.steps = steps_new(s.loop, &s);
	steps_call(s.steps, called);
	steps_go(s.steps, done);
	steps_cancel(s.steps);
	steps_cancel(NULL);
	loop_free(s.loop);
	CHECK(s.done == 1, "what is cancelled tells nobody");
}

int
main(void)
{
	char path[64];
	int dir = tmpdir_make(path);

	test_copy(dir);
	test_calls();
	tmpdir_remove(dir, path);
	return TEST_DONE();
}
