#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/proc.h"

#include "agent/cmd.h"

int
cmd_usage(const struct cmd_args *a)
{
	struct err e;

	fprintf(stderr, "usage: sealroom%s%s%s%s\n", a->cmd->name[0] != '\0' ? " " : "", a->cmd->name,
	    a->cmd->args[0] != '\0' ? " " : "", a->cmd->args);
	if (!a->json)
		return EX_USAGE;
	err_set(&e, ERR_USAGE, "usage: sealroom %s %s", a->cmd->name, a->cmd->args);
	cmd_json(json_pack("{s:s, s:s}", "error", err_word(e.code), "text", e.text));
	return EX_USAGE;
}

/* The fitting code of sysexits(3). */
static int
exit_status(enum err_code code)
{
	switch (code) {
	case ERR_USAGE:
		return EX_USAGE;
	case ERR_CONF:
		return EX_CONFIG;
	case ERR_IO:
		return EX_IOERR;
	case ERR_MEM:
		return EX_OSERR;
	case ERR_CONFINE:
		return EX_OSERR;
	case ERR_PEER:
		return EX_PROTOCOL;
	case ERR_LOG_ROLLBACK:
		return EXIT_LOG_ROLLBACK;
	case ERR_DENIED:
	case ERR_PIN_BAD:
	case ERR_PIN_STOPPED:
	case ERR_PIN_SOURCE:
		return EX_NOPERM;
	default:
		break;
	}
	switch (err_class(code)) {
	case ERR_CLASS_RETRY:
		return EX_TEMPFAIL;
	case ERR_CLASS_REJECT:
	case ERR_CLASS_HOLD:
		return EX_DATAERR;
	case ERR_CLASS_STOP:
		break;
	}
	return code == ERR_LOCKED ? EX_TEMPFAIL : code == ERR_LOG || code == ERR_ARCHIVE ? EX_DATAERR : EX_SOFTWARE;
}

int
cmd_fail(const struct cmd_args *a, const struct err *e)
{
	if (a->json)
		cmd_json(json_pack("{s:s, s:s}", "error", err_word(e->code), "text", e->text));
	fprintf(stderr, "sealroom %s: %s: %s\n", a->cmd->name, err_word(e->code), e->text);
	return exit_status(e->code);
}

int
cmd_fail_ask(const struct cmd_args *a, const struct err *e)
{
	bool down = e->code == ERR_PEER && (errno == ENOENT || errno == ECONNREFUSED);
	int status = cmd_fail(a, e);

	return down ? EX_UNAVAILABLE : status;
}

int
cmd_conf(const struct cmd_args *a, struct conf **ret)
{
	const struct conf_problem *p;
	struct err e = { 0 };
	size_t n;

	if (conf_load(ret, a->conf_path, &e) == 0)
		return 0;
	n = conf_problems(&p);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s:%u: %s\n", p[i].file, p[i].line, p[i].text);
	return n > 0 && !a->json ? exit_status(e.code) : cmd_fail(a, &e);
}

int
cmd_json(json_t *v)
{
	bool ok = v != NULL && json_dumpf(v, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) == 0 && putchar('\n') != EOF;

	json_decref(v);
	return cmd_done(ok ? EX_OK : EX_IOERR);
}

int
cmd_done(int status)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? status : EX_IOERR;
}

static void
take_out(struct cmd_args *a, int i, int n)
{
	memmove(a->argv + i, a->argv + i + n, (size_t)(a->argc - i - n + 1) * sizeof(a->argv[0]));
	a->argc -= n;
}

int
cmd_option(struct cmd_args *a, const char *name, const char **ret)
{
	size_t len = strlen(name);

	for (int i = 1; i < a->argc && strcmp(a->argv[i], "--") != 0; i++) {
		if (strncmp(a->argv[i], name, len) != 0)
			continue;
		if (a->argv[i][len] == '=') {
			*ret = a->argv[i] + len + 1;
			take_out(a, i, 1);
			return 0;
		}
		if (a->argv[i][len] != '\0')
			continue;
		if (i + 1 == a->argc)
			return -1;
		*ret = a->argv[i + 1];
		take_out(a, i, 2);
		return 0;
	}
	return 0;
}

bool
cmd_flag(struct cmd_args *a, const char *name)
{
	for (int i = 1; i < a->argc && strcmp(a->argv[i], "--") != 0; i++)
		if (strcmp(a->argv[i], name) == 0) {
			take_out(a, i, 1);
			return true;
		}
	return false;
}

int
cmd_tmpdir(void)
{
	const char *tmp = getenv("TMPDIR");

	return open(tmp != NULL && *tmp == '/' ? tmp : "/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
}
