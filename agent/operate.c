#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/entry.h"

#include "agent/events.h"
#include "agent/history.h"
#include "agent/journal.h"
#include "agent/operate.h"
#include "agent/outcome.h"
#include "agent/pause.h"
#include "agent/status.h"
#include "agent/watch.h"

/*
 * What people do through the control socket.  sealroom-control(7) has each
 * request and its answer.
 */

static const char *
text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* A sentence of a person: one line, for notes and the log. */
static int
reason_of(const json_t *request, bool must, const char **ret, struct err *e)
{
	const char *s = text_of(request, "reason");

	if ((s == NULL || *s == '\0') && must)
		return err_set(e, ERR_USAGE, "a reason is needed");
	if (s == NULL)
		s = "";
	if (strlen(s) >= ERR_TEXT_MAX)
		return err_set(e, ERR_USAGE, "the reason is longer than %d bytes", ERR_TEXT_MAX - 1);
	*ret = s;
	return 0;
}

/* 0, or *ret NULL for all folders; an unknown one is a mistake. */
static int
folder_of(const struct core *c, const json_t *request, const struct conf_folder **ret, struct err *e)
{
	const char *name = text_of(request, "folder");

	*ret = NULL;
	if (name != NULL && (*ret = conf_folder(c->conf, name)) == NULL)
		return err_set(e, ERR_USAGE, "there is no folder of that name in the settings");
	return 0;
}

struct job *
operate_job(struct core *c, const json_t *request, struct err *e)
{
	const char *prefix = text_of(request, "job");
	bool many = false;
	struct job *j = prefix == NULL ? NULL : job_find(c, prefix, &many);

	if (j == NULL)
		err_set(e, ERR_USAGE,
		    many ? "more than one job begins so" : "no such job at work; give at least 8 characters of its id");
	return j;
}

static json_t *
no_memory(json_t *o, struct err *e)
{
	if (o == NULL)
		err_set(e, ERR_MEM, "answer");
	return o;
}

/* --- looking ---------------------------------------------------------------------------- */

json_t *
op_jobs(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *state = text_of(call->request, "state");
	const struct conf_folder *f;
	json_t *jobs;

	if (folder_of(c, call->request, &f, e) < 0 || (jobs = no_memory(json_array(), e)) == NULL)
		return NULL;
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (!j->dead && (f == NULL || j->folder == f) &&
		    (state == NULL || strcmp(state, status_state(j->dir, j->state)) == 0))
			json_array_append_new(jobs, status_job(j));
	for (const struct unread_job *u = c->unread; u != NULL; u = u->next)
		if (f == NULL && (state == NULL || strcmp(state, spool_state_name(u->state)) == 0))
			json_array_append_new(jobs, status_unread(u));
	return no_memory(json_pack("{s:o}", "jobs", jobs), e);
}

/* A question that is put off until the log was read. */
struct asked {
	struct core *core;
	uint64_t call;
	char job[ID_MAX];
	uid_t uid;
	char reason[ERR_TEXT_MAX];
};

static struct asked *
asked_new(struct core *c, struct control_call *call, struct err *e)
{
	const char *prefix = text_of(call->request, "job");
	struct asked *a;

	if (prefix == NULL || strlen(prefix) < HISTORY_PREFIX || strlen(prefix) > ID_LEN) {
		err_set(e, ERR_USAGE, "give 8 to 26 characters of the job's id");
		return NULL;
	}
	if ((a = calloc(1, sizeof(*a))) == NULL) {
		err_set(e, ERR_MEM, "answer");
		return NULL;
	}
	a->core = c;
	a->call = call->id;
	a->uid = call->uid;
	strcpy(a->job, prefix);
	return a;
}

static json_t *
asked_start(struct asked *a, struct control_call *call, history_cb *cb, struct err *e)
{
	if (history_open(a->core, a->job, cb, a, e) < 0)
		free(a);
	else
		call->later = true;
	return NULL;
}

static void
on_job_history(void *ctx, const struct history *h, const struct err *why)
{
	struct asked *a = ctx;
	bool many = false;
	struct job *j = why == NULL ? job_find(a->core, h->id[0] != '\0' ? h->id : a->job, &many) : NULL;
	struct err e = { 0 };
	json_t *o = NULL;

	if (why != NULL) {
		e = *why;
	} else if (many) {
		err_set(&e, ERR_USAGE, "more than one job begins so");
	} else if (j == NULL && h->id[0] == '\0') {
		err_set(&e, ERR_USAGE, "neither the spool nor the log has such a job");
	} else {
		o = json_pack("{s:s, s:s, s:b, s:b, s:b, s:O}", "id", j != NULL ? j->claim.id : h->id, "folder",
		    j != NULL ? j->claim.folder : h->folder, "sealed", h->sealed, "divided", h->divided, "void", h->voided, "entries", h->entries);
		if (h->path[0] != '\0')
			json_object_set_new(o, "archive", json_string(h->path));
		if (j != NULL)
			json_object_set_new(o, "now", status_job_detail(j));
		no_memory(o, &e);
	}
	control_answer(a->core->control, a->call, o, &e);
	free(a);
}

json_t *
op_job(void *ctx, struct control_call *call, struct err *e)
{
	struct asked *a = asked_new(ctx, call, e);

	return a == NULL ? NULL : asked_start(a, call, on_job_history, e);
}

/* --- jobs that wait --------------------------------------------------------------------- */

/* What waits in its back-off, now; what works or waits for a person goes its own way. */
static int
retry_job(struct job *j)
{
	if (j->dead || j->busy || j->timer == 0 || j->aside || j->why.code == ERR_OK)
		return 0;
	j->backoff_ms = JOB_BACKOFF_MS;
	job_step_soon(j, 0);
	return 1;
}

json_t *
op_retry(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *which = text_of(call->request, "job");
	int n = 0;

	if (which == NULL || strcmp(which, "all") != 0) {
		struct job *j = operate_job(c, call->request, e);

		return j == NULL ? NULL : no_memory(json_pack("{s:i}", "retried", retry_job(j)), e);
	}
	children_hurry(c->children);
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		n += retry_job(j);
	watch_rescan(c->watch);
	return no_memory(json_pack("{s:i}", "retried", n), e);
}

/* --- folders ---------------------------------------------------------------------------- */

json_t *
op_pause(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const struct conf_folder *f;
	const char *reason;

	if (folder_of(c, call->request, &f, e) < 0 || reason_of(call->request, false, &reason, e) < 0 ||
	    pause_set(c, f, reason, call->uid, e) < 0)
		return NULL;
	return no_memory(json_pack("{s:o}", "paused", pause_json(c)), e);
}

json_t *
op_resume(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const struct conf_folder *f;

	if (folder_of(c, call->request, &f, e) < 0 || pause_end(c, f, e) < 0)
		return NULL;
	return no_memory(json_pack("{s:o}", "paused", pause_json(c)), e);
}

/* --- taking back, declaring void --------------------------------------------------------- */

json_t *
op_withdraw(void *ctx, struct control_call *call, struct err *e)
{
	struct withdrawal w = { .uid = call->uid };
	const char *reason;
	struct job *j = operate_job(ctx, call->request, e);

	if (j == NULL || reason_of(call->request, false, &reason, e) < 0)
		return NULL;
	snprintf(w.text, sizeof(w.text), "%s", reason);
	if (job_withdraw(j, &w, e) < 0)
		return NULL;
	return no_memory(json_pack("{s:s, s:s}", "job", j->claim.id, "state", "withdrawing"), e);
}

/* Sealed, or so far that only a void can speak about it. */
static int
may_void(struct asked *a, const struct history *h, struct entry *x, struct err *e)
{
	bool many = false;
	struct job *j = job_find(a->core, h->id[0] != '\0' ? h->id : a->job, &many);

	if (many)
		return err_set(e, ERR_USAGE, "more than one job begins so");
	if (j == NULL && h->id[0] == '\0')
		return err_set(e, ERR_USAGE, "neither the spool nor the log has such a job");
	if (!h->sealed && (j == NULL || j->state < SPOOL_SIGNED || j->state > SPOOL_LOGGED))
		return err_set(e, ERR_USAGE, "job %s was not sealed; %s", j != NULL ? j->claim.id : h->id,
		    j != NULL ? "use withdraw" : "there is nothing to declare void");
	memcpy(x->job, j != NULL ? j->claim.id : h->id, ID_MAX);
	snprintf(x->folder, sizeof(x->folder), "%s", j != NULL ? j->claim.folder : h->folder);
	return 0;
}

/* The entry is what counts; an event that can not be put does not undo it. */
static void
void_event(struct core *c, const struct entry *x, uint64_t index)
{
	json_t *body = json_pack("{s:s, s:s, s:I}", "folder", x->folder, "text", x->text, "uid",
	    (json_int_t)x->operator_uid);
	struct err e = { 0 };

	if (body == NULL || events_put(&c->spool, index, "void", x->job, body, &e) < 0)
		log_err(LOG_WARNING, "event of a void", &e);
	json_decref(body);
}

static void
on_void_history(void *ctx, const struct history *h, const struct err *why)
{
	struct asked *a = ctx;
	struct entry x = { .type = ENTRY_VOID, .has_operator = true, .operator_uid = a->uid };
	uint64_t at = h->voided_at;
	struct err e = { 0 };
	json_t *o = NULL;
	int r = 0;

	if (why != NULL)
		e = *why;
	snprintf(x.text, sizeof(x.text), "%s", a->reason);
	if (why == NULL && (r = may_void(a, h, &x, &e)) == 0 && !h->voided &&
	    (r = logbook_say(a->core, &x, &at, &e)) == 0) {
		journal(JOURNAL_JOB_VOID, LOG_NOTICE, &(struct about){ .job = x.job, .folder = x.folder },
		    "job %s was declared void by user %u: %s", x.job, a->uid, a->reason);
		void_event(a->core, &x, at);
	}
	if (why == NULL && r == 0)
		o = no_memory(json_pack("{s:s, s:I, s:b}", "job", x.job, "index", (json_int_t)at, "again", h->voided), &e);
	control_answer(a->core->control, a->call, o, &e);
	free(a);
}

json_t *
op_void(void *ctx, struct control_call *call, struct err *e)
{
	const char *reason;
	struct asked *a;

	if (reason_of(call->request, true, &reason, e) < 0 || (a = asked_new(ctx, call, e)) == NULL)
		return NULL;
	snprintf(a->reason, sizeof(a->reason), "%s", reason);
	return asked_start(a, call, on_void_history, e);
}

/* --- a PIN on its way ---------------------------------------------------------------------- */

struct login {
	struct core *core;
	uint64_t call;
	char token[MSG_NAME_MAX];
};

static void
on_login(void *ctx, const struct err *why)
{
	struct login *l = ctx;
	struct err e = { 0 };
	json_t *o = why == NULL ? no_memory(json_pack("{s:s, s:b}", "token", l->token, "ready", 1), &e) : NULL;

	control_answer(l->core->control, l->call, o, why != NULL ? why : &e);
	free(l);
}

/* The descriptor goes on to the token's process; nothing is read from it here. */
json_t *
op_token_login(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *name = text_of(call->request, "token");
	struct stat st;
	struct login *l;

	if (name == NULL || conf_token(c->conf, name) == NULL) {
		err_set(e, ERR_USAGE, "no such token");
		return NULL;
	}
	if (fstat(call->fd, &st) < 0 || !S_ISFIFO(st.st_mode)) {
		err_set(e, ERR_USAGE, "the PIN comes through a pipe");
		return NULL;
	}
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		err_set(e, ERR_MEM, "answer");
		return NULL;
	}
	l->core = c;
	l->call = call->id;
	snprintf(l->token, sizeof(l->token), "%s", name);
	if (children_token_login(c->children, name, take_fd(&call->fd), on_login, l, e) < 0)
		free(l);
	else
		call->later = true;
	return NULL;
}
