/*
 * e_floor.c - the attempts themselves: real ones unconfined, all in vain behind
 * the smallest table that lets a process read and write.
 */
#include "tests/escape/escape.h"

static const int calls[] = { SYS_read, SYS_write, SYS_brk, SYS_munmap, SYS_exit_group, SYS_exit,
	SYS_rt_sigreturn, -1 };
static const struct confine floor_table = { .name = "floor", .syscalls = calls, .fsize_bytes = UINT64_MAX };

static int
floor_apply(struct err *e)
{
	return confine_apply(&floor_table, e);
}

/* Landlock alone, as it is where the sanitizers leave the filter out. */
static const char *const by_landlock[] = { "read a file of the same user", "create a file",
	"write to the archive", "rename a file of the archive", "remove a file of the archive",
	"execute a program" };

static const struct attempt *
attempt_named(const char *what)
{
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		if (strcmp(attempts[i].what, what) == 0)
			return &attempts[i];
	return NULL;
}

int
main(void)
{
	size_t could = 0, n = sizeof attempts / sizeof *attempts;

	escape_begin();
	for (size_t i = 0; i < n; i++) {
		could += escape_try(&attempts[i], NULL) == SUCCEEDED;
		escape_restore();
	}
	CHECK(could * 3 >= n * 2, "%zu of %zu attempts succeed for an unconfined process", could, n);
	CHECK(escape_try(attempt_named("read a file of the same user"), NULL) == SUCCEEDED, "the canary can be read");
	CHECK(escape_try(attempt_named("write another process's memory"), NULL) == SUCCEEDED, "the sibling can be reached");
	for (size_t i = 0; i < sizeof by_landlock / sizeof *by_landlock; i++) {
		enum outcome o = escape_try(attempt_named(by_landlock[i]), floor_apply);

		CHECK(o == REFUSED || o == KILLED, "behind the floor's table nobody can %s", by_landlock[i]);
		escape_restore();
	}
#ifndef SEALROOM_SANITIZE
	escape_works("the floor", floor_apply);
	escape_role("the floor", floor_apply, 0);
#endif
	return escape_end();
}
