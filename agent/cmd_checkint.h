/*
 * cmd_checkint.h - what the files of `sealroom check` share; private to agent/cmd_check*.c.
 */
#ifndef SEALROOM_CMD_CHECKINT_H
#define SEALROOM_CMD_CHECKINT_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "agent/children.h"
#include "agent/lib/loop.h"
#include "rules/conf.h"

enum grade { GOOD, WARNING, MISTAKE };

struct item {
	enum grade grade;
	char *file; /* "" when no place in the settings belongs to it */
	unsigned line;
	char *text;
};

/* A token that was looked at without a login. */
struct check_token {
	bool ready;
	struct err why;         /* not ready: what is wrong */
	struct ready_seal seal; /* ready: what is in it */
};

struct check {
	const struct conf *conf; /* NULL while it is read */
	struct item *items;
	size_t n, cap;
	json_t *dropins; /* [{"unit", "path", "text"}]: files to write for the units */
	bool no_signed_trust; /* that file was found useless; it is left out from then on */
	bool started;   /* the processes' own part */
	struct loop *loop;
	struct children *children;
	struct check_token *tokens; /* as many as conf has; NULL: not looked at yet */
	struct err err; /* of the task that runs */
	struct attach_result stamp;
};

#define CHECK_KEY_MAX 256
/* "folders", "post", "allow" as one key; lives as long as dst. */
const char *check_key(char dst[CHECK_KEY_MAX], const char *group, const char *name, const char *key);
#define KEY(group, name, key) check_key((char[CHECK_KEY_MAX]){ 0 }, (group), (name), (key))

/* key: whose line it is said of, "rules.invoice.place.size"; fmt is translated. */
void check_say(struct check *, enum grade, const char *key, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
const char *check_word(const struct check *, const char *english) __attribute__((format_arg(2)));

/* Starts what opts asks for, and waits until each has said READY, or why not: 0, or -code with c->err. */
int check_open(struct check *, const struct children_opts *);
void check_close(struct check *);

/* Runs a task to its end: 0, or -code with c->err. */
int check_task(struct check *, const struct task_req *, task_cb *);

/* cmd_check_places.c: directories and files that the settings name. */
void check_places(struct check *);
const char *check_user(char dst[64]); /* as whom all of this is looked at */

/* cmd_check_trust.c: scan.signed_trust, a file that can be read.  False: sealroom-verify would not take it. */
bool check_signed_trust(struct check *);

/* cmd_check_tokens.c: from the children that run; or, by root, as the user who will hold them: 0, or -code with c->err. */
int check_tokens_new(struct check *);
void check_tokens_take(struct check *);
int check_tokens_apart(struct check *);
int check_become(uid_t, gid_t); /* gid: of a user without a name; 0, or -1 with errno */

/* cmd_check_seals.c: one token that was looked at; then every stamp that a rule can ask for. */
void check_token(struct check *, const struct conf_token *, const struct check_token *);
void check_stamps(struct check *);

#endif
