#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "agent/core.h"
#include "agent/hot.h"
#include "agent/intake.h"
#include "agent/operate.h"
#include "agent/pause.h"

/*
 * A document that comes through the socket instead of the folder: the same
 * private copy, the same look by a child, the same claim.  It is complete because
 * who passed it says so; a structure that is not is refused at once.  The answer
 * is the job's number, when the claim is on disk; asked again with the same file
 * it is the same number.
 */

struct submission {
	struct core *core;
	uint64_t call;
	struct intake *in;
};

static void
answer(struct submission *s, const char *job, bool again, const struct err *why)
{
	struct core *c = s->core;
	struct err e = { 0 };
	json_t *o = NULL;

	if (why == NULL && (o = json_pack("{s:s, s:b}", "job", job, "again", again)) == NULL)
		err_set(&e, ERR_MEM, "answer");
	control_answer(c->control, s->call, o, why != NULL ? why : &e);
	intake_drop(&s->in);
	free(s);
	c->claims_running--;
	core_idle_check(c);
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct submission *s = ctx;
	struct inspect_result inspect = { .kind = DOC_NONE };
	struct err e = { 0 };
	char id[ID_MAX];

	/* what else is wrong with a document the job finds, and says in the folder */
	if (o->err != NULL && (o->lost || o->err->code == ERR_DOC_INCOMPLETE || o->err->code == ERR_DOC_EMPTY)) {
		answer(s, NULL, false, o->err);
		return;
	}
	if (o->err == NULL)
		(void)inspect_answer(s->core, true, o->result, &inspect, &e); /* as in claiming.c */
	if (claiming_commit(s->core, &s->in, &inspect, id, &e) < 0)
		answer(s, NULL, false, &e);
	else
		answer(s, id, false, NULL);
}

static void
on_copied(void *ctx, struct intake *in, const struct err *why)
{
	struct submission *s = ctx;
	const struct job *same;
	struct err e = { 0 };
	char id[ID_MAX];
	int seen;

	if (why != NULL) {
		answer(s, NULL, false, why);
	} else if ((same = claiming_at_work(s->core, intake_claim(in))) != NULL) {
		answer(s, same->claim.id, true, NULL);
	} else if (recover_unread_may_be(s->core, intake_claim(in)->size)) {
		err_set(&e, ERR_LATER, "it may be the document of job %s, which can not be read", s->core->unread->id);
		answer(s, NULL, false, &e);
	} else if ((seen = seen_has(&s->core->spool, intake_claim(in), id, &e)) != 0) {
		answer(s, seen < 0 ? NULL : id, seen > 0, seen < 0 ? &e : NULL);
	} else {
		claiming_look(s->core, in, on_inspected, s);
	}
}

/* A name as it could lie in the folder. */
static int
check_name(const struct conf_folder *f, const char *name, struct err *e)
{
	if (name == NULL || *name == '\0' || strchr(name, '/') != NULL || strlen(name) >= SPOOL_NAME_MAX || hot_ignored(name) ||
	    hot_ours(f, name))
		return err_set(e, ERR_USAGE, "a plain file name is needed, as it could lie in the folder");
	return 0;
}

static int
may_submit(struct core *c, const struct conf_folder *f, struct err *e)
{
	if (!c->log_ready || c->stopping || c->next_conf != NULL)
		return err_set(e, ERR_LATER, "the daemon is just %s",
		    c->stopping ? "ending" : c->log_ready ? "taking new settings" : "starting");
	if (pause_has(c, f, NULL))
		return err_set(e, ERR_LATER, "folder %s is paused", f->name);
	if (claiming_jobs(c) + c->claims_running >= c->conf->max_jobs)
		return err_set(e, ERR_LATER, "%u unfinished jobs are enough (max_jobs)", c->conf->max_jobs);
	if (claiming_folder_full(c, f))
		return err_set(e, ERR_LATER, "%u jobs can not be handed out to folder %s (max_jobs)", c->conf->max_jobs, f->name);
	return claiming_no_room(c, e) ? -(int)e->code : 0;
}

json_t *
op_submit(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *folder = json_string_value(json_object_get(call->request, "folder"));
	const char *name = json_string_value(json_object_get(call->request, "name"));
	const struct conf_folder *f = folder != NULL ? conf_folder(c->conf, folder) : NULL;
	struct submission *s;

	if (f == NULL) {
		err_set(e, ERR_USAGE, "there is no folder of that name in the settings");
		return NULL;
	}
	if (check_name(f, name, e) < 0 || may_submit(c, f, e) < 0)
		return NULL;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		err_set(e, ERR_MEM, "submission");
		return NULL;
	}
	s->core = c;
	s->call = call->id;
	if (intake_begin_passed(&s->in, c->loop, c->conf, &c->spool, f, call->fd, name, call->uid, on_copied, s, e) < 0) {
		free(s);
		return NULL;
	}
	c->claims_running++;
	call->later = true;
	return NULL;
}
