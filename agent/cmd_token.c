/*
 * sealroom token list | clear NAME | login NAME - tokens, and the mark that stops one.
 *
 * A login that was refused, or that broke off, leaves a mark in state/tokens/NAME
 * so that no start tries that PIN again: three wrong ones lock a card.  A person
 * who has put the PIN right replaces the mark by a permit for one login (seal/pin.h),
 * whether the daemon runs or not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/lib/taskmsg.h"

#include "agent/cmd.h"
#include "agent/control.h"

#define MARK_MAX 256

static int
open_mark(const struct conf *conf, const char *token, int flags, struct err *e)
{
	AUTO_FD state = open(conf->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), dir = -1;
	int fd;

	if (state < 0)
		return err_sys(e, ERR_CONF, "state directory %s", conf->state);
	if ((dir = openat(state, "tokens", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "marks of the tokens");
	if ((fd = openat(dir, token, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "mark of token %s", token);
	return fd;
}

/* "" when the token is not stopped: no file is no mark. */
static int
read_mark(const struct conf *conf, const char *token, char text[MARK_MAX], struct err *e)
{
	char raw[MARK_MAX];
	ssize_t n;
	AUTO_FD fd = open_mark(conf, token, O_RDONLY, e);

	text[0] = '\0';
	if (fd < 0)
		return errno == ENOENT ? 0 : fd;
	if ((n = read(fd, raw, sizeof(raw) - 1)) < 0)
		return err_sys(e, ERR_IO, "mark of token %s", token);
	raw[n] = '\0';
	if (strcmp(raw, TOKEN_PERMIT) == 0)
		return 0;
	raw[strcspn(raw, "\n")] = '\0';
	path_display(raw, text, MARK_MAX);
	return 0;
}

/* The daemon's view of all tokens, or NULL when it is not running. */
static json_t *
live_tokens(const struct conf *conf)
{
	json_t *answer = NULL, *tokens;
	struct err e = { 0 };

	if (control_ask(conf->control, json_pack("{s:s}", "op", "status"), &answer, &e) < 0)
		return NULL;
	tokens = json_incref(json_object_get(answer, "tokens"));
	json_decref(answer);
	return tokens;
}

static json_t *
live_token(const json_t *tokens, const char *name)
{
	size_t i;
	json_t *t;

	json_array_foreach(tokens, i, t)
	{
		const char *is = json_string_value(json_object_get(t, "name"));

		if (is != NULL && strcmp(is, name) == 0)
			return json_deep_copy(t);
	}
	return json_pack("{s:s}", "name", name);
}

static void
print_token(const json_t *t, bool running)
{
	const char *name = json_string_value(json_object_get(t, "name"));
	const char *mark = json_string_value(json_object_get(t, "mark"));
	const char *why = json_string_value(json_object_get(t, "text"));
	char shown[1024];

	printf("%-16s ", name);
	if (*mark != '\0')
		printf("stopped: a login was refused or broke off (%s)\n%17swhen the PIN is right again: sealroom token clear %s\n",
		    mark, "", name);
	else if (!running)
		printf("not stopped; sealroomd is not running\n");
	else if (json_is_true(json_object_get(t, "ready")))
		printf("ready\n");
	else {
		path_display(why != NULL ? why : "not ready yet", shown, sizeof(shown));
		printf("%s\n", shown);
	}
}

static int
token_list(struct cmd_args *a, const struct conf *conf)
{
	json_t *live = live_tokens(conf), *list = json_array(), *t;
	struct err e = { 0 };
	char mark[MARK_MAX];
	int r = 0;

	for (size_t i = 0; i < conf->ntokens && r == 0; i++) {
		if ((r = read_mark(conf, conf->tokens[i].name, mark, &e)) < 0)
			break;
		t = live_token(live, conf->tokens[i].name);
		json_object_set_new(t, "mark", json_string(mark));
		json_array_append_new(list, t);
		if (!a->json)
			print_token(t, live != NULL);
	}
	json_decref(live);
	if (r == 0 && a->json)
		return cmd_json(list);
	json_decref(list);
	return r < 0 ? cmd_fail(a, &e) : cmd_done(EX_OK);
}

static int
token_clear(struct cmd_args *a, const struct conf *conf, const char *name)
{
	struct err e = { 0 };
	json_t *answer = NULL;
	char mark[MARK_MAX];
	AUTO_FD fd = -1;
	int r;

	if (conf_token(conf, name) == NULL) {
		err_set(&e, ERR_USAGE, "the settings have no token of that name; see: sealroom token list");
		return cmd_fail(a, &e);
	}
	if (read_mark(conf, name, mark, &e) < 0)
		return cmd_fail(a, &e);
	if ((fd = open_mark(conf, name, O_WRONLY | O_CREAT, &e)) < 0)
		return cmd_fail(a, &e);
	r = ftruncate(fd, 0) < 0 ? err_sys(&e, ERR_IO, "mark of token %s", name) :
	                           io_pwrite_full(fd, TOKEN_PERMIT, strlen(TOKEN_PERMIT), 0, &e);
	if (r < 0 || io_sync(fd, &e) < 0)
		return cmd_fail(a, &e);
	/* the daemon looks by itself; being told it looks at once */
	if (control_ask(conf->control, json_pack("{s:s, s:s}", "op", "token-cleared", "token", name), &answer, &e) == 0)
		json_decref(answer);
	if (a->json)
		return cmd_json(json_pack("{s:s, s:s, s:b}", "token", name, "mark", mark, "cleared", mark[0] != '\0'));
	if (mark[0] == '\0')
		printf("%s may log in once, also if it still counts a wrong PIN\n", name);
	else
		printf("%s may log in again (it was stopped: %s)\n", name, mark);
	return cmd_done(EX_OK);
}

int
cmd_token(struct cmd_args *a)
{
	bool from_stdin = cmd_flag(a, "--stdin");
	bool list = a->argc == 2 && strcmp(a->argv[1], "list") == 0;
	bool clear = a->argc == 3 && strcmp(a->argv[1], "clear") == 0;
	bool login = a->argc == 3 && strcmp(a->argv[1], "login") == 0;
	struct conf *conf;
	int r;

	if ((!list && !clear && !login) || (from_stdin && !login))
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0)
		return r;
	r = list ? token_list(a, conf) :
	    login ? cmd_token_login(a, conf, a->argv[2], from_stdin) :
	            token_clear(a, conf, a->argv[2]);
	conf_free(conf);
	return r;
}
