/* e_verify.c - sealroom-verify: opens nothing, connects to nothing, in neither part. */
int verify_main(void);
#define main verify_main
#include "seal/verify/verify.c"
#undef main

#include "tests/escape/escape.h"

static int
as_zygote(struct err *e)
{
	return confine_apply(&verify_zygote, e);
}

static int
as_child(struct err *e)
{
	return as_zygote(e) < 0 ? -1 : confine_apply(&verify_child, e);
}

int
main(void)
{
	unsigned calls;

	escape_begin();
	escape_works("the verifier's zygote", as_zygote);
	escape_role("the verifier's zygote", as_zygote, MAY_FORK | MAY_STAT);
	escape_works("the verifier's child", as_child);
	escape_tasks(&verify_role, MAY_STAT);
	calls = escape_allowed(as_child);
	CHECK(calls >= 10 && calls <= 30, "the filter of the verifier's child lets %u system calls through, at most 30", calls);
	return escape_end();
}
