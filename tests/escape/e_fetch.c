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

/* Its own ports, and no others: where the kernel's Landlock knows of ports. */
static void
test_ports(void)
{
	const struct attempt connects = { "connect over TCP", a_inet_connect, 0 };
	char tls[] = "https://tsa.example/tsr", odd[] = "http://tsa.example:8318/tsr", url[64];
	char *urls[] = { tls, odd, url };
	struct conf_tsa tsa = { .name = "t", .url = { .v = urls, .n = 2 } };
	const struct conf conf = { .tsas = &tsa, .ntsas = 1 };
	struct err e = { 0 };
	const uint16_t *p;

	CHECK(allow_ports(&conf, &e) == 0 && (p = fetch_unit.tcp_ports) == fetch_zygote.tcp_ports && p[0] == 53 && p[1] == 443 &&
	    p[2] == 8318 && p[3] == 0, "the ports are those of the settings, and of DNS");
	CHECK(escape_try(&connects, as_child) == (confine_abi() >= 4 ? REFUSED : SUCCEEDED),
	    "the fetcher's child reaches no other port, with Landlock's ABI 4 (here %d)", confine_abi());
	snprintf(url, sizeof url, "http://127.0.0.1:%d/tsr", esc.inet_port);
	tsa.url.n = 3;
	CHECK(allow_ports(&conf, &e) == 0 && escape_try(&connects, as_unit) == SUCCEEDED, "and those it does");
	fetch_zygote.tcp_ports = fetch_unit.tcp_ports = NULL;
}

int
main(void)
{
	escape_begin();
	test_ports();
	escape_works("the fetcher's zygote", as_zygote);
	escape_role("the fetcher's zygote", as_zygote, MAY_FORK | MAY_INET | MAY_READ | MAY_FCNTL | MAY_STAT);
	escape_role("the fetcher as a unit", as_unit, MAY_FORK | MAY_INET | MAY_READ | MAY_FCNTL | MAY_STAT | MAY_PIDFD);
	escape_works("the fetcher's child", as_child);
	escape_tasks(&fetch_role, MAY_INET | MAY_FCNTL | MAY_STAT);
	return escape_end();
}
