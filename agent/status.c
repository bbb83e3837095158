#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/lib/proc.h"

#include "agent/alarm.h"
#include "agent/batch.h"
#include "agent/events.h"
#include "agent/operate.h"
#include "agent/outcome.h"
#include "agent/pause.h"
#include "agent/rights.h"
#include "agent/stack.h"
#include "agent/status.h"
#include "agent/watch.h"

static json_t *
j_iso(int64_t us)
{
	char t[CLOCK_ISO_MAX];

	clock_iso(us, t);
	return json_string(t);
}

/* What a job does, for people. */
static const char *
step_of(const struct job *j)
{
	if (j->why.code != ERR_OK && j->state != SPOOL_HELD)
		return "waiting";
	switch (j->state) {
	case SPOOL_CLAIMED:
		return j->inspect.kind == DOC_NONE ? "inspecting" :
		    j->pages_done < j->inspect.pages ? "reading" : "composing";
	case SPOOL_RENDERED:
		return "sealing";
	case SPOOL_SIGNED:
		return "time-stamping";
	case SPOOL_SEALED:
		return "archiving";
	case SPOOL_ARCHIVED:
		return stack_in(j->dir, j->state) ? "dividing" : "logging";
	case SPOOL_LOGGED:
	case SPOOL_RELEASED:
		return "delivering";
	case SPOOL_REFUSED:
		return "refusing";
	case SPOOL_HELD:
		return "held";
	default:
		return "";
	}
}

/* A stack has no seal, whatever the directory that it lies in is called. */
const char *
status_state(int dir, enum spool_state state)
{
	return stack_in(dir, state) ? "divided" : spool_state_name(state);
}

json_t *
status_job(struct job *j)
{
	char shown[3 * SPOOL_NAME_MAX];
	struct question_record q = { .why = j->why };
	struct err ignored;
	json_t *o;

	path_display(j->claim.name, shown, sizeof(shown));
	if (j->state == SPOOL_HELD && question_get(j->dir, "question", &q, &ignored) < 0)
		q.why = j->why;
	o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:i}", "id", j->claim.id, "state",
	    status_state(j->dir, j->state), "folder", j->claim.folder, "name", shown, "received",
	    j_iso(j->claim.received_us), "step", step_of(j), "done", (int)render_pages_done(j), "of",
	    (int)j->inspect.pages);
	if (o != NULL && q.why.code != ERR_OK) {
		json_object_set_new(o, "why", json_string(err_word(q.why.code)));
		json_object_set_new(o, "text", json_string(q.why.text));
	}
	return o;
}

/* Of one that can not be read nobody knows what it is. */
json_t *
status_unread(const struct unread_job *u)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:i, s:i, s:s, s:s}", "id", u->id, "state", spool_state_name(u->state),
	    "folder", "", "name", "", "received", j_iso(id_time_us(u->id)), "step", "waiting", "done", 0, "of", 0, "why",
	    err_word(u->why.code), "text", u->why.text);
}

/* What more there is of one job at work. */
json_t *
status_job_detail(struct job *j)
{
	char sha[HASH_HEX], mtime[CLOCK_ISO_MAX];
	struct question_record q;
	struct err ignored;
	json_t *o = status_job(j);

	hash_hex(j->claim.hash, sha);
	clock_iso(j->claim.mtime_ns / 1000, mtime);
	json_object_update_new(o, json_pack("{s:I, s:s, s:s, s:I, s:i, s:b, s:b}", "size", (json_int_t)j->claim.size, "sha256",
	                              sha, "mtime", mtime, "owner_uid", (json_int_t)j->claim.owner, "pages",
	                              (int)j->inspect.pages, "asked_token", io_exists(j->dir, "attempt"), "withdrawn",
	                              j->withdrawn));
	if (j->plan != NULL && j->planned) {
		json_object_set_new(o, "rule", json_string(j->plan->rule));
		json_object_set_new(o, "seal", json_string(j->plan->seal));
	}
	if (j->state == SPOOL_HELD && question_get(j->dir, "question", &q, &ignored) == 0) {
		json_object_set_new(o, "question", json_integer(q.n));
		json_object_set_new(o, "word", json_string(q.word));
		json_object_set_new(o, "say", json_string(q.say));
		json_object_set_new(o, "page", json_integer(q.why.page));
	}
	return o;
}

static void
add_why(json_t *o, const struct err *why)
{
	if (o == NULL || why->code == ERR_OK)
		return;
	json_object_set_new(o, "why", json_string(err_word(why->code)));
	json_object_set_new(o, "text", json_string(why->text));
}

static json_t *
j_token(const struct peer_status *s)
{
	json_t *o = json_pack("{s:s, s:b, s:b, s:i}", "name", s->name, "ready", s->ready, "stopped", s->stopped,
	    "restarts", (int)s->restarts);

	if (o != NULL && s->seal != NULL) {
		json_object_set_new(o, "serial", json_string(s->seal->token_serial));
		json_object_set_new(o, "label", json_string(s->seal->token_label));
		json_object_set_new(o, "subject", json_string(s->seal->subject));
		json_object_set_new(o, "not_after", j_iso(s->seal->not_after_us));
		json_object_set_new(o, "signatures", json_integer((json_int_t)s->seal->signatures));
	}
	add_why(o, &s->why);
	return o;
}

static void
add_peers(struct core *c, json_t *o)
{
	static const char *const roles[ROLE_COUNT] = { [ROLE_SCAN] = "scan", [ROLE_VERIFY] = "verify",
		[ROLE_FETCH] = "fetch", [ROLE_SEAL] = "log-key" };
	json_t *tokens = json_array(), *peers = json_array();
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == ROLE_SEAL && strcmp(s.name, "log") != 0) {
			json_array_append_new(tokens, j_token(&s));
		} else {
			json_t *p = json_pack("{s:s, s:b, s:i}", "role", roles[s.role], "ready", s.ready, "restarts",
			    (int)s.restarts);

			add_why(p, &s.why);
			json_array_append_new(peers, p);
		}
	}
	json_object_set_new(o, "tokens", tokens);
	json_object_set_new(o, "peers", peers);
}

/* What the children have used: where time and memory go. */
static json_t *
j_tasks(struct core *c)
{
	json_t *o = json_object();
	struct task_usage u;

	for (uint32_t i = 0; children_usage(c->children, i, &u), u.kind != NULL; i++)
		if (u.runs > 0)
			json_object_set_new(o, u.kind, json_pack("{s:I, s:I, s:I}", "runs", (json_int_t)u.runs, "cpu_us",
			                               (json_int_t)u.cpu_us, "peak_kib", (json_int_t)u.peak_kib));
	return o;
}

static json_t *
j_log(struct core *c)
{
	char hex[HASH_HEX] = "";
	uint8_t root[HASH_LEN];
	struct err e;
	uint64_t size = elog_size(c->elog);

	if (size > 0 && elog_root(c->elog, size, root, &e) == 0)
		hash_hex(root, hex);
	return json_pack("{s:s, s:I, s:s, s:I}", "origin", c->conf->evidence.origin, "size", (json_int_t)size, "root",
	    hex, "checkpoint", (json_int_t)elog_published(c->elog));
}

static json_t *
j_space(struct core *c)
{
	uint64_t spool = 0, archive = 0;
	struct err e;

	if (spool_space(c->spool.state, &spool, &e) < 0 || spool_space(archive_dir(c->archive), &archive, &e) < 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "spool", (json_int_t)spool, "archive", (json_int_t)archive, "floor",
	    (json_int_t)c->conf->space_floor);
}

static json_t *
op_status(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	json_t *jobs = json_array();
	json_t *o;

	(void)call;
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (!j->dead)
			json_array_append_new(jobs, status_job(j));
	for (const struct unread_job *u = c->unread; u != NULL; u = u->next)
		json_array_append_new(jobs, status_unread(u));
	o = json_pack("{s:s, s:s, s:i, s:o, s:s, s:o, s:s, s:o, s:o, s:o}", "version", build_version, "build", build_id,
	    "pid", (int)getpid(), "started", j_iso(c->started_us), "state",
	    c->stopping ? "stopping" : c->log_ready ? "running" : "starting", "folders", watch_json(c->watch), "paused",
	    c->space_low ? "no-space" : "", "jobs", jobs, "log", j_log(c), "space", j_space(c));
	if (o == NULL) {
		err_set(e, ERR_MEM, "status");
		return NULL;
	}
	json_object_set_new(o, "pauses", pause_json(c));
	json_object_set_new(o, "evidence", batch_json(c));
	json_object_set_new(o, "tasks", j_tasks(c));
	json_object_set_new(o, "alarms", alarm_json(c));
	/* how long one piece of work has kept all others waiting */
	json_object_set_new(o, "longest_turn_ms", json_real((double)(loop_longest_us(c->loop) / 100) / 10));
	add_peers(c, o);
	return o;
}

/* The events of this run after the n-th; who asks again has them all, if not too late. */
static json_t *
op_events(void *ctx, struct control_call *call, struct err *e)
{
	json_int_t after = json_integer_value(json_object_get(call->request, "after"));
	struct core *c = ctx;
	uint64_t next;
	json_t *list, *o;

	if (after < 0) {
		err_set(e, ERR_USAGE, "after is a number from 0");
		return NULL;
	}
	list = events_recent((uint64_t)after, &next);
	if ((o = json_pack("{s:o, s:I, s:o}", "started", j_iso(c->started_us), "next", (json_int_t)next, "events", list)) == NULL)
		err_set(e, ERR_MEM, "events");
	return o;
}

static int
read_decision(const json_t *request, struct decision *d, struct err *e)
{
	const json_t *at = json_object_get(request, "at");
	const char *rule = json_string_value(json_object_get(request, "rule"));
	const char *reject = json_string_value(json_object_get(request, "reject"));
	int page;

	memset(d, 0, sizeof(*d));
	if ((rule != NULL || at != NULL) + (reject != NULL) + json_is_true(json_object_get(request, "again")) != 1)
		return err_set(e, ERR_USAGE, "rule, at or both of them, or again, or reject");
	if (at != NULL) {
		if (json_unpack((json_t *)(uintptr_t)at, "{s:i, s:i, s:i}", "page", &page, "x_mpt", &d->x, "y_mpt",
		        &d->y) < 0 || page < 1 || d->x < 0 || d->y < 0)
			return err_set(e, ERR_USAGE, "at needs page, x_mpt and y_mpt");
		d->at = true;
		d->page = (uint32_t)page - 1;
	}
	if ((rule != NULL && strlen(rule) >= sizeof(d->rule)) ||
	    (reject != NULL && (strlen(reject) >= sizeof(d->reject) || *reject == '\0')))
		return err_set(e, ERR_USAGE, "rule or text is too long or empty");
	d->again = rule == NULL && at == NULL && reject == NULL;
	snprintf(d->rule, sizeof(d->rule), "%s", rule == NULL ? "" : rule);
	snprintf(d->reject, sizeof(d->reject), "%s", reject == NULL ? "" : reject);
	return 0;
}

static json_t *
op_release(void *ctx, struct control_call *call, struct err *e)
{
	struct decision d;
	struct job *j = operate_job(ctx, call->request, e);

	if (j == NULL || read_decision(call->request, &d, e) < 0)
		return NULL;
	d.uid = call->uid;
	if (rights_release_operator(j->core->conf, &j->claim, d.uid, e) < 0) {
		if (e->code == ERR_DECISION_RIGHT)
			e->code = ERR_DENIED; /* a word that sealroom-control(7) has */
		return NULL;
	}
	if (outcome_release(j, &d, e) < 0)
		return NULL;
	return json_pack("{s:s, s:s}", "job", j->claim.id, "state", spool_state_name(j->state));
}

static json_t *
op_evidence_renew(void *ctx, struct control_call *call, struct err *e)
{
	return batch_renew(ctx, call, e);
}

static json_t *
op_token_cleared(void *ctx, struct control_call *call, struct err *e)
{
	struct core *c = ctx;
	const char *name = json_string_value(json_object_get(call->request, "token"));

	if (name == NULL || conf_token(c->conf, name) == NULL) {
		err_set(e, ERR_USAGE, "no such token");
		return NULL;
	}
	children_token_cleared(c->children, name);
	return json_pack("{s:s}", "token", name);
}

const struct control_op status_ops[] = {
	{ "status", op_status, 0 },
	{ "jobs", op_jobs, 0 },
	{ "job", op_job, 0 },
	{ "events", op_events, 0 },
	{ "submit", op_submit, CONTROL_OPERATES | CONTROL_FD },
	{ "try", op_try, CONTROL_FD },
	{ "release", op_release, CONTROL_OPERATES },
	{ "retry", op_retry, CONTROL_OPERATES },
	{ "pause", op_pause, CONTROL_OPERATES },
	{ "resume", op_resume, CONTROL_OPERATES },
	{ "withdraw", op_withdraw, CONTROL_OPERATES },
	{ "void", op_void, CONTROL_OPERATES },
	{ "evidence-renew", op_evidence_renew, CONTROL_OPERATES },
	{ "token-login", op_token_login, CONTROL_OPERATES | CONTROL_FD },
	{ "token-cleared", op_token_cleared, CONTROL_OPERATES },
	{ NULL, NULL, 0 },
};

/* Without a list everybody who is served may; names were looked up when the settings were read. */
bool
status_operates(void *ctx, uid_t uid, const gid_t *groups, size_t ngroups)
{
	const struct core *c = ctx;

	if (c->noperators == 0)
		return true;
	for (size_t i = 0; i < c->noperators; i++) {
		if (!c->operators[i].group && c->operators[i].id == uid)
			return true;
		for (size_t g = 0; c->operators[i].group && g < ngroups; g++)
			if (c->operators[i].id == groups[g])
				return true;
	}
	return false;
}
