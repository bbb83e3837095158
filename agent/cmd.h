/*
 * cmd.h - the verbs of the command `sealroom`, one file each: agent/cmd_<verb>.c.
 *
 *	int
 *	cmd_status(struct cmd_args *a)
 *	{
 *		struct conf *conf;
 *		int r;
 *
 *		if (a->argc != 1)
 *			return cmd_usage(a);
 *		if ((r = cmd_conf(a, &conf)) != 0)
 *			return r;
 *		...
 *		return a->json ? cmd_json(answer) : EX_OK;
 *	}
 *
 * main() has taken --conf FILE and --json out of the arguments, wherever they
 * stood before a "--"; argv[0] is the verb.  A verb returns the exit status:
 * sysexits(3), or 0 1 2 (proven, disproven, cannot tell) of verify and audit.
 * Answers go to stdout, complaints to stderr; with --json stdout holds exactly
 * one JSON value, also when the verb fails (cmd_fail).
 */
#ifndef SEALROOM_CMD_H
#define SEALROOM_CMD_H

#include <jansson.h>
#include <stdbool.h>
#include <sysexits.h>

#include "agent/lib/err.h"
#include "rules/conf.h"

#define CMD_CONF_DEFAULT "/etc/sealroom/sealroom.conf"

struct cmd_args {
	const struct cmd *cmd;
	const char *conf_path; /* --conf, else $SEALROOM_CONF, else CMD_CONF_DEFAULT */
	bool json;
	int argc;              /* the verb and what follows it, NULL-terminated */
	char **argv;
};

struct cmd {
	const char *name;
	const char *args;    /* as in the manual page: "DIR [--since CHECKPOINT]" */
	const char *summary; /* one line of `sealroom help` */
	int (*run)(struct cmd_args *);
};

int cmd_audit(struct cmd_args *);
int cmd_check(struct cmd_args *);
int cmd_events(struct cmd_args *);
int cmd_evidence(struct cmd_args *);
int cmd_jobs(struct cmd_args *);
int cmd_pause(struct cmd_args *);
int cmd_evidence_resume(struct cmd_args *); /* agent/cmd_resume.c */
int cmd_release(struct cmd_args *);
int cmd_resume(struct cmd_args *);
int cmd_retry(struct cmd_args *);
int cmd_rules(struct cmd_args *);
int cmd_status(struct cmd_args *);
int cmd_submit(struct cmd_args *);
int cmd_token(struct cmd_args *);
int cmd_place(struct cmd_args *);
int cmd_try(struct cmd_args *);
int cmd_verify(struct cmd_args *);
int cmd_void(struct cmd_args *);
int cmd_withdraw(struct cmd_args *);
int cmd_words(struct cmd_args *);

/* agent/cmd_login.c, a part of cmd_token() */
int cmd_token_login(struct cmd_args *, const struct conf *, const char *name, bool from_stdin);

/*
 * agent/cmd_try.c: what `sealroom try --json` says of one file after another.  The
 * programs start with the first and serve them all; *ret is the caller's.
 */
struct try;
struct try *try_new(const struct conf *); /* NULL: no memory */
int try_file(struct try *, const struct conf_folder *, const char *path, json_t **ret, struct err *);
void try_free(struct try *);              /* NULL is fine */

/* agent/cmd_submit.c: a descriptor to pass to the daemon, of a copy when the file lies on the network; or -code. */
int cmd_open_document(const char *path, struct err *);

/* agent/cmd_common.c: prints "usage: sealroom VERB ARGS" to stderr; EX_USAGE. */
int cmd_usage(const struct cmd_args *);
/* Prints "sealroom VERB: word: text", or {"error": word, "text": text}; the fitting exit status. */
int cmd_fail(const struct cmd_args *, const struct err *);
/* The same after a question to the daemon: EX_UNAVAILABLE when nobody listens there (errno). */
int cmd_fail_ask(const struct cmd_args *, const struct err *);
/* Loads the settings; prints every problem with file and line.  0, or the exit status. */
int cmd_conf(const struct cmd_args *, struct conf **ret);
/* Prints and frees the value; EX_OK, or EX_IOERR when stdout does not take it. */
int cmd_json(json_t *);
/* Flushes stdout: 'status', or EX_IOERR when stdout did not take everything. */
int cmd_done(int status);
/* Where files without a name are made: $TMPDIR, else /tmp; the caller's, -1: it can not be opened. */
int cmd_tmpdir(void);
/*
 * Takes the option 'name' ("--png") with its value ("--png FILE" or
 * "--png=FILE") out of argv; *ret stays as it was when it is not there.
 * 0, or -1 when the value is missing.  cmd_flag() is the same without value.
 */
int cmd_option(struct cmd_args *, const char *name, const char **ret);
bool cmd_flag(struct cmd_args *, const char *name);

#endif
