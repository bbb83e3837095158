/* e_scan.c - sealroom-scan: opens nothing, connects to nothing, in neither part. */
int scan_main(void);
#define main scan_main
#include "scan/scan.c"
#undef main

#include "tests/escape/escape.h"

static int
as_zygote(struct err *e)
{
	return confine_apply(&scan_zygote, e);
}

static int
as_child(struct err *e)
{
	return as_zygote(e) < 0 ? -1 : confine_apply(&scan_child, e);
}

int
main(void)
{
	unsigned calls;

	escape_begin();
	escape_works("the reader's zygote", as_zygote);
	escape_role("the reader's zygote", as_zygote, MAY_FORK);
	escape_works("the reader's child", as_child);
	escape_tasks(&scan_role, 0);
	calls = escape_allowed(as_child);
	CHECK(calls >= 10 && calls <= 30, "the filter of the reader's child lets %u system calls through, at most 30", calls);
	return escape_end();
}
