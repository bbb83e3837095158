#include <stdlib.h>
#include <string.h>

#include "agent/intake.h"
#include "agent/operate.h"
#include "agent/trial.h"
#include "agent/trying.h"

struct trying {
	uint64_t call;
	uint64_t timer;
	struct intake *in; /* the private copy */
	struct trial *trial;
};

void
trying_close(struct core *c)
{
	struct trying *t = c->trying;

	if (t == NULL)
		return;
	c->trying = NULL;
	loop_timer_del(c->loop, t->timer);
	trial_free(t->trial);
	intake_drop(&t->in);
	free(t);
}

static void
answer(struct core *c, const struct err *why)
{
	struct trying *t = c->trying;
	uint64_t call = t->call;
	struct err e = { 0 };
	json_t *o = NULL;

	if (why != NULL)
		e = *why;
	else if ((o = trial_report(t->trial, intake_claim(t->in)->name)) == NULL)
		err_set(&e, ERR_MEM, "answer");
	trying_close(c);
	control_answer(c->control, call, o, &e);
}

static void
on_tried(void *ctx, const struct err *why)
{
	answer(ctx, why);
}

static void
on_copied(void *ctx, struct intake *in, const struct err *why)
{
	struct core *c = ctx;
	const struct claim *claim = intake_claim(in);
	struct trial_spec s = { .loop = c->loop, .children = c->children, .conf = c->conf, .folder = intake_folder(in), .name = claim->name,
		.file = intake_source(in), .dir = c->spool.dir[SPOOL_INCOMING], .workers = 1, .pages_max = TRYING_PAGES,
		.pages_more = "the command alone tries longer ones", .trace_max = TRYING_TRACE, .behind = true,
		.done = on_tried, .ctx = c };
	struct err e = { 0 };

	memcpy(s.hash, claim->hash, HASH_LEN);
	if (why != NULL)
		answer(c, why);
	else if (trial_start(&c->trying->trial, &s, &e) < 0)
		answer(c, &e);
}

static void
on_late(void *ctx)
{
	struct core *c = ctx;
	struct err e = { 0 };

	c->trying->timer = 0;
	err_set(&e, ERR_LATER, "no answer within %d s; other documents go first", TRYING_MS / 1000);
	answer(c, &e);
}

void
trying_reloaded(struct core *c)
{
	struct err e = { 0 };

	if (c->trying == NULL)
		return;
	err_set(&e, ERR_LATER, "the settings have just changed; ask again");
	answer(c, &e);
}

static int
may_try(struct core *c, struct err *e)
{
	if (c->stopping)
		return err_set(e, ERR_LATER, "the daemon is just ending");
	if (c->trying != NULL && !control_waits(c->control, c->trying->call))
		trying_close(c);
	return c->trying == NULL ? 0 : err_set(e, ERR_LATER, "another document is being tried");
}

json_t *
op_try(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *folder = json_string_value(json_object_get(call->request, "folder"));
	const char *name = json_string_value(json_object_get(call->request, "name"));
	const struct conf_folder *f = folder != NULL ? conf_folder(c->conf, folder) : NULL;
	struct trying *t;

	if (f == NULL) {
		err_set(e, ERR_USAGE, "there is no folder of that name in the settings");
		return NULL;
	}
	if (name == NULL || *name == '\0' || strchr(name, '/') != NULL || strlen(name) >= SPOOL_NAME_MAX) {
		err_set(e, ERR_USAGE, "a plain file name is needed");
		return NULL;
	}
	if (may_try(c, e) < 0)
		return NULL;
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		err_set(e, ERR_MEM, "trial");
		return NULL;
	}
	*t = (struct trying){ .call = call->id };
	if (intake_begin_passed(&t->in, c->loop, c->conf, &c->spool, f, call->fd, name, call->uid, on_copied, c, e) < 0) {
		free(t);
		return NULL;
	}
	t->timer = loop_timer(c->loop, TRYING_MS, on_late, c);
	c->trying = t;
	call->later = true;
	return NULL;
}
