/* e_fetch.c - sealroom-fetch: has the network, and nothing else worth taking. */
int fetch_main(int argc, char **argv);
#define main fetch_main
#include "seal/fetch/fetch.c"
#undef main

#include "tests/escape/escape.h"

static int
as_zygote(struct err *e)
{
	return confine_apply(&fetch_zygote, e);
}

static int
as_unit(struct err *e)
{
	return confine_apply(&fetch_unit, e);
}

static int
as_child(struct err *e)
{
	return as_zygote(e) < 0 ? -1 : confine_apply(&fetch_child, e);
}

int
main(void)
{
	escape_begin();
	escape_works("the fetcher's zygote", as_zygote);
	escape_role("the fetcher's zygote", as_zygote, MAY_FORK | MAY_INET | MAY_READ | MAY_FCNTL | MAY_STAT);
	escape_role("the fetcher as a unit", as_unit, MAY_FORK | MAY_INET | MAY_READ | MAY_FCNTL | MAY_STAT | MAY_PIDFD);
	escape_works("the fetcher's child", as_child);
	escape_tasks(&fetch_role, MAY_INET | MAY_FCNTL | MAY_STAT);
	return escape_end();
}
