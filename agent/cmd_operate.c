/*
 * sealroom retry JOB|all · pause [FOLDER] · resume [FOLDER] · withdraw JOB · void JOB
 *
 * One request each to the running daemon, and its answer in a line.
 */
#include <stdio.h>
#include <string.h>

#include "agent/lib/path.h"

#include "agent/cmd.h"
#include "agent/control.h"

typedef void print_fn(const json_t *answer);

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* NULL when a part is not UTF-8: then it names nothing that we have. */
static json_t *
request_of(const char *op, const char *key, const char *value, const char *reason)
{
	json_t *o = json_pack("{s:s}", "op", op);

	if (o != NULL && ((value != NULL && json_object_set_new(o, key, json_string(value)) < 0) ||
	                     (reason != NULL && json_object_set_new(o, "reason", json_string(reason)) < 0))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static int
operate(struct cmd_args *a, json_t *request, print_fn *print)
{
	json_t *answer = NULL;
	struct err e = { 0 };
	struct conf *conf;
	int r;

	if (request == NULL)
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0) {
		json_decref(request);
		return r;
	}
	/* a search in a long log takes its time */
	r = control_ask_fd(conf->control, request, -1, 6 * CONTROL_IDLE_MS, &answer, &e);
	if (r < 0)
		r = cmd_fail_ask(a, &e);
	conf_free(conf);
	if (r != 0)
		return r;
	if (a->json)
		return cmd_json(answer);
	print(answer);
	json_decref(answer);
	return cmd_done(EX_OK);
}

static void
print_retried(const json_t *o)
{
	printf("%lld waiting jobs are tried again now\n", (long long)json_integer_value(json_object_get(o, "retried")));
}

int
cmd_retry(struct cmd_args *a)
{
	if (a->argc != 2)
		return cmd_usage(a);
	return operate(a, request_of("retry", "job", a->argv[1], NULL), print_retried);
}

static void
print_paused(const json_t *o)
{
	const json_t *list = json_object_get(o, "paused");
	char reason[3 * ERR_TEXT_MAX];

	if (json_array_size(list) == 0)
		printf("nothing is paused\n");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);
		const char *folder = text_of(p, "folder");

		path_display(text_of(p, "reason"), reason, sizeof(reason));
		printf("%s paused since %s%s%s\n", *folder != '\0' ? folder : "(all folders)", text_of(p, "since"),
		    *reason != '\0' ? ": " : "", reason);
	}
}

int
cmd_pause(struct cmd_args *a)
{
	const char *reason = NULL;

	if (cmd_option(a, "--reason", &reason) < 0 || a->argc > 2)
		return cmd_usage(a);
	return operate(a, request_of("pause", "folder", a->argc == 2 ? a->argv[1] : NULL, reason), print_paused);
}

int
cmd_resume(struct cmd_args *a)
{
	if (a->argc > 2)
		return cmd_usage(a);
	return operate(a, request_of("resume", "folder", a->argc == 2 ? a->argv[1] : NULL, NULL), print_paused);
}

static void
print_withdrawn(const json_t *o)
{
	printf("%s is withdrawn; the file comes back with a note\n", text_of(o, "job"));
}

int
cmd_withdraw(struct cmd_args *a)
{
	const char *reason = NULL;

	if (cmd_option(a, "--reason", &reason) < 0 || a->argc != 2)
		return cmd_usage(a);
	return operate(a, request_of("withdraw", "job", a->argv[1], reason), print_withdrawn);
}

static void
print_void(const json_t *o)
{
	printf("%s %s: entry %lld of the log\n", text_of(o, "job"),
	    json_is_true(json_object_get(o, "again")) ? "was declared void before" : "is declared void",
	    (long long)json_integer_value(json_object_get(o, "index")));
}

int
cmd_void(struct cmd_args *a)
{
	const char *reason = NULL;

	if (cmd_option(a, "--reason", &reason) < 0 || reason == NULL || a->argc != 2)
		return cmd_usage(a);
	return operate(a, request_of("void", "job", a->argv[1], reason), print_void);
}
