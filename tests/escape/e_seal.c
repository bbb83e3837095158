/*
 * e_seal.c - sealroom-seal: holds a PIN's session, so nothing may come near it and
 * nothing may leave it.  Three tables: SoftHSM, a module that talks to pcscd, and
 * the log's key.
 */
#include <limits.h>

#include "seal/sandbox.h"
#include "tests/escape/escape.h"

#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static char tokens[100], anchor[100];

static int
with_softhsm(struct err *e)
{
	const struct conf_token c = { .name = "t", .module = SOFTHSM };

	return sandbox_token(&c, false, e);
}

static int
with_reader(struct err *e)
{
	const struct conf_token c = { .name = "t", .module = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3" };

	return sandbox_token(&c, false, e);
}

static int
with_log_key(struct err *e)
{
	return sandbox_log(anchor, e);
}

/* A directory of its own beside the canaries, and the configuration that names it. */
static void
make_tokens(void)
{
	char conf[120];
	FILE *f;

	snprintf(tokens, sizeof tokens, "%s.tokens", esc.dir);
	snprintf(anchor, sizeof anchor, "%s.anchor", esc.dir);
	snprintf(conf, sizeof conf, "%s.conf", esc.dir);
	if (mkdir(tokens, 0700) < 0 || mkdir(anchor, 0700) < 0 || !(f = fopen(conf, "w")))
		exit(70);
	fprintf(f, "directories.tokendir = %s\n", tokens);
	fclose(f);
	setenv("SOFTHSM2_CONF", conf, 1);
}

static long
a_write_token(void)
{
	char path[120];

	snprintf(path, sizeof path, "%s/object", tokens);
	return syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
}

static long
a_list_tokens(void)
{
	return syscall(SYS_openat, AT_FDCWD, tokens, O_RDONLY | O_DIRECTORY);
}

int
main(void)
{
	const struct attempt write_token = { "write the token's directory", a_write_token, 0 };
	const struct attempt list_tokens = { "read the token's directory", a_list_tokens, 0 };

	escape_begin();
	make_tokens();
	escape_works("the sealer with SoftHSM", with_softhsm);
	escape_role("the sealer with SoftHSM", with_softhsm, MAY_FCNTL | MAY_STAT | MAY_OLD_STAT);
	CHECK(escape_try(&list_tokens, with_softhsm) == SUCCEEDED, "the sealer with SoftHSM can read its token's directory");
	CHECK(escape_try(&write_token, with_softhsm) != SUCCEEDED, "and not write it behind the login");
	escape_works("the sealer with a card reader", with_reader);
	escape_role("the sealer with a card reader", with_reader, MAY_UNIX | MAY_FCNTL | MAY_STAT | MAY_OLD_STAT);
	escape_works("the log's sealer", with_log_key);
	escape_role("the log's sealer", with_log_key, MAY_FCNTL | MAY_STAT);
	CHECK(escape_try(&list_tokens, with_log_key) != SUCCEEDED, "the log's sealer can not read a token's directory");
	return escape_end();
}
