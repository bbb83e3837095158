/*
 * sealroom release JOB --rule NAME | --at PAGE,X,Y | --again | --reject TEXT
 *
 * A person's decision about a held document, handed to the running daemon,
 * which writes it into the job and the log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/value.h"

#include "agent/cmd.h"
#include "agent/control.h"

/* "12.5" are millimetres; any other length of the settings is understood too. */
static int
read_length(const char *text, size_t len, int32_t *ret_mpt)
{
	char s[VALUE_MAX];

	if (len == 0 || len + 3 > sizeof(s))
		return -1;
	memcpy(s, text, len);
	s[len] = '\0';
	if (strspn(s, "0123456789.") == len)
		strcpy(s + len, "mm");
	return value_length(s, ret_mpt) < 0 || *ret_mpt < 0 ? -1 : 0;
}

/* "PAGE,X,Y": the seal's top left corner, from the top left corner of the page as it is shown. */
static json_t *
read_at(const char *text)
{
	int32_t x, y;
	char *end;
	const char *comma;
	unsigned long page = strtoul(text, &end, 10);

	if (end == text || *end != ',' || page < 1 || page > INT32_MAX || (comma = strchr(end + 1, ',')) == NULL ||
	    read_length(end + 1, (size_t)(comma - end - 1), &x) < 0 || read_length(comma + 1, strlen(comma + 1), &y) < 0)
		return NULL;
	return json_pack("{s:i, s:i, s:i}", "page", (int)page, "x_mpt", (int)x, "y_mpt", (int)y);
}

static int
request_of(struct cmd_args *a, json_t **ret)
{
	const char *rule = NULL, *at = NULL, *reject = NULL;
	bool again = cmd_flag(a, "--again");
	json_t *j, *place = NULL;

	if (cmd_option(a, "--rule", &rule) < 0 || cmd_option(a, "--at", &at) < 0 ||
	    cmd_option(a, "--reject", &reject) < 0 || a->argc != 2 ||
	    (rule != NULL || at != NULL) + (reject != NULL) + again != 1 || (at != NULL && (place = read_at(at)) == NULL))
		return -1;
	if ((j = json_pack("{s:s, s:s}", "op", "release", "job", a->argv[1])) == NULL) {
		json_decref(place);
		return -1; /* not UTF-8: no job's id */
	}
	if (rule != NULL)
		json_object_set_new(j, "rule", json_string(rule));
	if (place != NULL)
		json_object_set_new(j, "at", place);
	if (reject != NULL)
		json_object_set_new(j, "reject", json_string(reject));
	if (again)
		json_object_set_new(j, "again", json_true());
	*ret = j;
	return 0;
}

int
cmd_release(struct cmd_args *a)
{
	json_t *request, *answer = NULL;
	struct err e = { 0 };
	struct conf *conf;
	int r;

	if (request_of(a, &request) < 0)
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0) {
		json_decref(request);
		return r;
	}
	r = control_ask(conf->control, request, &answer, &e);
	if (r < 0 && e.code == ERR_PEER && (errno == ENOENT || errno == ECONNREFUSED))
		err_set(&e, ERR_PEER, "sealroomd is not running; start it, then decide (%s)", conf->control);
	if (r < 0)
		r = cmd_fail_ask(a, &e);
	conf_free(conf);
	if (r != 0)
		return r;
	if (a->json)
		return cmd_json(answer);
	printf("job %s goes on\n", json_string_value(json_object_get(answer, "job")));
	json_decref(answer);
	return cmd_done(EX_OK);
}
