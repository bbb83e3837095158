/*
 * sealroom events [--follow] - what happened, one JSON object a line.
 *
 * The daemon is asked, because the event files are its own; they stay where they
 * are for the programs they are meant for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/cmd.h"
#include "agent/control.h"

/* Which run of the daemon, and what to ask for next. */
struct place {
	char started[64];
	json_int_t next;
};

static int
print_events(const json_t *answer, struct place *p)
{
	const char *started = json_string_value(json_object_get(answer, "started"));
	const json_t *events = json_object_get(answer, "events");

	if (started == NULL || strcmp(started, p->started) != 0) {
		bool first = p->started[0] == '\0';

		snprintf(p->started, sizeof(p->started), "%s", started != NULL ? started : "?");
		p->next = 0;
		if (!first)
			return 0; /* another run counts anew: asked again, none of its events is missed */
	}
	for (size_t i = 0; i < json_array_size(events); i++)
		if (json_dumpf(json_array_get(events, i), stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF)
			return -1;
	p->next = json_integer_value(json_object_get(answer, "next"));
	return 0;
}

static int
look(struct cmd_args *a, const struct conf *conf, struct place *p, bool patient)
{
	json_t *answer = NULL;
	struct err e = { 0 };
	int r;

	r = control_ask(conf->control, json_pack("{s:s, s:I}", "op", "events", "after", p->next), &answer, &e);
	if (r < 0 && patient && e.code == ERR_PEER)
		return EX_OK; /* a restart; it goes on when the daemon is there again */
	if (r < 0)
		return cmd_fail_ask(a, &e);
	r = print_events(answer, p);
	json_decref(answer);
	return cmd_done(r < 0 ? EX_IOERR : EX_OK);
}

int
cmd_events(struct cmd_args *a)
{
	const struct timespec pause = { .tv_nsec = 500000000 };
	bool follow = cmd_flag(a, "--follow");
	struct place p = { .next = 0 };
	struct conf *conf;
	int r;

	if (a->argc != 1)
		return cmd_usage(a);
	if ((r = cmd_conf(a, &conf)) != 0)
		return r;
	r = look(a, conf, &p, false);
	while (follow && r == EX_OK) {
		nanosleep(&pause, NULL);
		r = look(a, conf, &p, true);
	}
	conf_free(conf);
	return r;
}
