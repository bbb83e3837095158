/*
 * sealroom jobs [--folder NAME] [--state NAME]   what the daemon works at
 * sealroom jobs ID                               one job: where it stands, and what the log says about it
 */
#include <stdio.h>
#include <string.h>

#include "agent/lib/path.h"

#include "agent/cmd.h"
#include "agent/control.h"

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* What came from a sender must not steer the terminal. */
static void
print_text(const char *text)
{
	char shown[4096];

	path_display(text, shown, sizeof(shown));
	fputs(shown, stdout);
}

static void
print_why(const json_t *j)
{
	if (*text_of(j, "why") == '\0')
		return;
	printf(": %s: ", text_of(j, "why"));
	print_text(text_of(j, "text"));
}

static void
print_row(const json_t *j)
{
	long long done = json_integer_value(json_object_get(j, "done")), of = json_integer_value(json_object_get(j, "of"));

	printf("%s  %-12s %-13s ", text_of(j, "id"), text_of(j, "folder"), text_of(j, "step"));
	if (of > 0)
		printf("%lld/%lld  ", done, of);
	print_text(text_of(j, "name"));
	print_why(j);
	putchar('\n');
}

static void
print_rows(const json_t *answer)
{
	const json_t *jobs = json_object_get(answer, "jobs");

	if (json_array_size(jobs) == 0)
		printf("no jobs\n");
	for (size_t i = 0; i < json_array_size(jobs); i++)
		print_row(json_array_get(jobs, i));
}

static void
print_now(const json_t *j)
{
	printf("now:      %s, %s", text_of(j, "state"), text_of(j, "step"));
	print_why(j);
	printf("\nname:     ");
	print_text(text_of(j, "name"));
	printf("\nreceived: %s from user %lld, %lld bytes, sha256 %s\n", text_of(j, "received"),
	    (long long)json_integer_value(json_object_get(j, "owner_uid")),
	    (long long)json_integer_value(json_object_get(j, "size")), text_of(j, "sha256"));
	if (*text_of(j, "rule") != '\0')
		printf("rule:     %s, seal %s\n", text_of(j, "rule"), text_of(j, "seal"));
}

static void
print_entry(const json_t *x)
{
	const json_t *uid = json_object_get(x, "uid");

	printf("  %s  %-8s  entry %lld", text_of(x, "time"), text_of(x, "type"),
	    (long long)json_integer_value(json_object_get(x, "index")));
	if (json_is_integer(uid))
		printf("  user %lld", (long long)json_integer_value(uid));
	if (*text_of(x, "reason") != '\0')
		printf("  %s", text_of(x, "reason"));
	if (*text_of(x, "text") != '\0') {
		printf("  ");
		print_text(text_of(x, "text"));
	}
	putchar('\n');
}

static void
print_one(const json_t *o)
{
	const json_t *now = json_object_get(o, "now"), *entries = json_object_get(o, "entries");

	printf("job:      %s in folder %s\n", text_of(o, "id"), text_of(o, "folder"));
	if (now != NULL)
		print_now(now);
	else
		printf("now:      %s\n", json_is_true(json_object_get(o, "divided")) ? "divided into its documents" : "ended");
	if (json_is_true(json_object_get(o, "void")))
		printf("VOID:     the seal was declared void, see below\n");
	if (*text_of(o, "archive") != '\0')
		printf("archive:  %s\n", text_of(o, "archive"));
	if (json_array_size(entries) > 0)
		printf("log:\n");
	for (size_t i = 0; i < json_array_size(entries); i++)
		print_entry(json_array_get(entries, i));
}

static json_t *
request_of(struct cmd_args *a)
{
	const char *folder = NULL, *state = NULL;
	json_t *o = NULL;

	if (cmd_option(a, "--folder", &folder) < 0 || cmd_option(a, "--state", &state) < 0 || a->argc > 2)
		return NULL;
	if (a->argc == 2)
		return folder == NULL && state == NULL ? json_pack("{s:s, s:s}", "op", "job", "job", a->argv[1]) : NULL;
	if ((o = json_pack("{s:s}", "op", "jobs")) != NULL &&
	    ((folder != NULL && json_object_set_new(o, "folder", json_string(folder)) < 0) ||
	        (state != NULL && json_object_set_new(o, "state", json_string(state)) < 0))) {
		json_decref(o);
		return NULL;
	}
	return o;
}

int
cmd_jobs(struct cmd_args *a)
{
	json_t *request = request_of(a), *answer = NULL;
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
	if (a->argc == 2)
		print_one(answer);
	else
		print_rows(answer);
	json_decref(answer);
	return cmd_done(EX_OK);
}
