#include <jansson.h>
#include <string.h>

#include "agent/lib/io.h"
#include "seal/evidence/entry.h"

#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/metrics.h"
#include "agent/outcomeint.h"
#include "agent/placing.h"
#include "agent/reconcile.h"
#include "agent/watch.h"

/* --- record `decision` ------------------------------------------------------------------ */

/* A ticket of 64 KiB, with every byte of it escaped, is part of it. */
#define DECISION_MAX (512u * 1024)

static int
decision_load(struct job *j, json_t **ret, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, DECISION_MAX);
	if ((r = record_get(j->dir, "decision", &b, e)) < 0)
		return r;
	*ret = json_loadb((const char *)b.data, b.len, 0, NULL);
	return *ret != NULL ? 0 : err_set(e, ERR_IO, "record decision is damaged");
}

static int
decision_n(struct job *j, struct decision *d, uint32_t *ret_n, struct err *e)
{
	const char *rule, *reject, *hash = NULL;
	int n, at, again, page, x, y, uid, r;
	json_t *o;

	memset(d, 0, sizeof(*d));
	if (!io_exists(j->dir, "decision"))
		return 0;
	if ((r = decision_load(j, &o, e)) < 0)
		return r;
	if (json_unpack(o, "{s:i, s:s, s:b, s:i, s:i, s:i, s:b, s:s, s:i, s?{s:s}}", "n", &n, "rule", &rule, "at", &at,
	        "page", &page, "x_mpt", &x, "y_mpt", &y, "again", &again, "reject", &reject, "uid", &uid, "ticket", "sha256",
	        &hash) < 0 || (hash != NULL && hash_from_hex(hash, d->ticket_hash) < 0)) {
		json_decref(o);
		return err_set(e, ERR_IO, "record decision is damaged");
	}
	*ret_n = (uint32_t)n;
	d->at = at;
	d->page = (uint32_t)page;
	d->x = x;
	d->y = y;
	d->again = again;
	d->uid = (uint32_t)uid;
	d->has_ticket = hash != NULL;
	snprintf(d->rule, sizeof(d->rule), "%s", rule);
	snprintf(d->reject, sizeof(d->reject), "%s", reject);
	json_decref(o);
	return 1;
}

json_t *
decision_ticket(struct job *j)
{
	struct err ignored;
	json_t *o, *t;

	if (!io_exists(j->dir, "decision") || decision_load(j, &o, &ignored) < 0)
		return NULL;
	t = json_incref(json_object_get(o, "ticket"));
	json_decref(o);
	return t;
}

int
decision_get(struct job *j, struct decision *ret, struct err *e)
{
	uint32_t n;

	return decision_n(j, ret, &n, e);
}

static int
decision_put(struct job *j, const struct decision *d, uint32_t n, struct err *e)
{
	json_t *o = json_pack("{s:i, s:s, s:b, s:i, s:i, s:i, s:b, s:s, s:i}", "n", (int)n, "rule", d->rule, "at", d->at, "page",
	    (int)d->page, "x_mpt", d->x, "y_mpt", d->y, "again", d->again, "reject", d->reject, "uid", (int)d->uid);
	AUTO_FREE char *text = NULL;
	char hash[HASH_HEX];

	hash_hex(d->ticket_hash, hash);
	if (o != NULL && d->has_ticket && json_object_set_new(o, "ticket", json_pack("{s:I, s:s, s:o}", "owner_uid",
	        (json_int_t)d->uid, "sha256", hash, "text", json_stringn((const char *)d->ticket_text->data, d->ticket_text->len))) == 0)
		text = json_text(o, JSON_INDENT(1));
	else if (o != NULL && !d->has_ticket)
		text = json_text(o, JSON_INDENT(1));
	json_decref(o);
	return text != NULL ? record_put(j->dir, "decision", text, strlen(text), e) : err_set(e, ERR_MEM, "decision");
}

/* --- a question ------------------------------------------------------------------------- */

static const char *
rule_say(const struct job *j, const char *rule_name)
{
	const struct conf_rule *rule = conf_rule(j->core->conf, rule_name);

	if (rule == NULL || !rule->hold || j->folder == NULL)
		return "";
	return strcmp(j->folder->language, "de") == 0 ? rule->hold_de : rule->hold_en;
}

/* Moves the job to held with its question; what an earlier question left goes first. */
static int
hold_now(struct job *j, const struct question_record *q, const struct compose_result *plan, struct err *e)
{
	int r;

	if ((r = question_put(j, "question", q, plan, e)) < 0 || (r = io_unlink(j->dir, "delivered-held", e)) < 0 ||
	    (r = placing_put(j, e)) < 0)
		return r;
	j->was_held = true;
	placing_forget(j);
	if ((r = io_unlink(j->dir, "decision", e)) < 0)
		return r;
	return job_move(j, SPOOL_HELD, e);
}

/* The composed plan, if a person is asked because of it. */
static struct compose_result *
plan_asks(const struct job *j)
{
	return j->plan != NULL && j->plan->hold != 0 ? j->plan : NULL;
}

static void
question_make(const struct job *j, const struct err *why, struct question_record *q)
{
	const struct compose_result *plan = plan_asks(j);

	memset(q, 0, sizeof(*q));
	q->why = *why;
	snprintf(q->word, sizeof(q->word), "%s", plan != NULL ? plan->hold_word : j->other);
	if (why->code == ERR_TICKET_HOLD)
		snprintf(q->say, sizeof(q->say), "%s", why->text);
	if (plan != NULL) {
		snprintf(q->rule, sizeof(q->rule), "%s", plan->rule);
		snprintf(q->say, sizeof(q->say), "%s", rule_say(j, plan->rule));
	}
}

static void
hold_with(struct job *j, const struct err *why)
{
	struct question_record q, old;
	struct decision d;
	struct err e = { 0 };
	uint32_t n = 0;
	int r;

	question_make(j, why, &q);
	if (io_exists(j->dir, "question") && question_get(j->dir, "question", &old, &e) == 0)
		n = old.n;
	if ((r = decision_n(j, &d, &n, &e)) >= 0) {
		q.n = n + 1;
		r = hold_now(j, &q, plan_asks(j), &e);
	}
	if (r < 0) {
		job_trouble(j, &e);
		return;
	}
	render_forget(j);
	journal(JOURNAL_JOB_HELD, LOG_NOTICE,
	    &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(why->code) },
	    "job %s held: %s: %s", j->claim.id, err_word(why->code), why->text);
	metrics_job(j, METRICS_HELD);
	job_step_soon(j, 0);
}

/* With or without pictures: a person must see the question. */
static void
on_drawn(struct job *j)
{
	struct err why = j->why;

	hold_with(j, &why);
}

void
outcome_hold(struct job *j, const struct err *why, const struct compose_result *plan)
{
	struct question_record q;
	struct err e = { 0 };

	j->why = *why;
	question_make(j, why, &q);
	/* before the pages were read there is nothing to show */
	if (j->page_state == NULL || placing_start(j, &q, plan, on_drawn, &e) < 0)
		hold_with(j, why);
}

static int
entry_hold(struct job *j, struct entry *x, struct err *e)
{
	struct question_record q;
	int r;

	if ((r = question_get(j->dir, "question", &q, e)) < 0)
		return r;
	logbook_job(j->core, j, x);
	outcome_entry_reason(&q, x);
	x->question = q.n;
	return 0;
}

static void
on_held_released(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	/* nothing more until a person decides, if nobody was quicker */
	if (io_exists(j->dir, "decision"))
		job_step_soon(j, 0);
	else
		j->settled = true;
	watch_again(j->core->watch, j->folder, j->claim.name);
	core_idle_check(j->core);
}

static void
on_held_there(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL)
		job_trouble(j, why);
	else if (outcome_deliver_start(j, DELIVER_RELEASE, NULL, on_held_released, &e) < 0)
		job_trouble(j, &e);
}

/* --- a person's decision ---------------------------------------------------------------- */

int
outcome_release(struct job *j, const struct decision *d, struct err *e)
{
	struct question_record q;
	int r;

	if (j->state != SPOOL_HELD || io_exists(j->dir, "decision"))
		return err_set(e, ERR_USAGE, "job %s is not held", j->claim.id);
	/* its question must be in the log first; while that or the handing out is under way, the decision waits */
	if (!j->settled && !j->busy)
		return err_set(e, ERR_USAGE, "job %s is just being handed out; try again in a moment", j->claim.id);
	if (d->rule[0] != '\0' && conf_rule(j->core->conf, d->rule) == NULL)
		return err_set(e, ERR_USAGE, "there is no rule %s", d->rule);
	if (j->inspect.pages != 0 && d->at && d->page >= j->inspect.pages)
		return err_set(e, ERR_USAGE, "the document has %u pages", j->inspect.pages);
	if ((r = question_get(j->dir, "question", &q, e)) < 0)
		return r;
	if (d->at && d->rule[0] == '\0' && q.why.code == ERR_RULE_NONE)
		return err_set(e, ERR_USAGE, "no rule applies to %s, so a place alone says not which seal; name a rule",
		    j->claim.id);
	if ((r = decision_put(j, d, q.n, e)) < 0)
		return r;
	j->settled = false;
	if (!j->busy)
		job_step_soon(j, 0);
	return 0;
}

static void
decision_text(const struct decision *d, char *dst, size_t size)
{
	char place[64] = "", ticket[HASH_HEX + 32] = "", hash[HASH_HEX];

	hash_hex(d->ticket_hash, hash);
	if (d->has_ticket)
		snprintf(ticket, sizeof(ticket), "; ticket sha256:%s", hash);
	if (d->at)
		snprintf(place, sizeof(place), "at page %u, %d, %d mpt", d->page + 1, d->x, d->y);
	if (d->reject[0] != '\0')
		snprintf(dst, size, "reject: %s%s", d->reject, ticket);
	else if (d->rule[0] != '\0')
		snprintf(dst, size, "rule %s%s%s%s", d->rule, d->at ? " " : "", place, ticket);
	else
		snprintf(dst, size, "%s%s", d->at ? place : "again", ticket);
}

static int
entry_release(struct job *j, struct entry *x, struct err *e)
{
	struct decision d;
	uint32_t n = 0;
	int r;

	if ((r = decision_n(j, &d, &n, e)) < 0)
		return r;
	logbook_job(j->core, j, x);
	decision_text(&d, x->text, sizeof(x->text));
	x->question = n;
	x->has_operator = true;
	x->operator_uid = d.uid;
	return 0;
}

static void
on_unheld(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct decision d;
	struct err e = { 0 }, reject = { 0 };

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	if (decision_get(j, &d, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	if (d.reject[0] != '\0') {
		err_set(&reject, ERR_DOC_REFUSED, "%s", d.reject);
		outcome_refuse(j, &reject);
		return;
	}
	if (job_move(j, SPOOL_CLAIMED, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	job_step(j);
}

static void
on_unheld_withdrawn(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct withdrawal w;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
	} else if (withdrawal_get(j, &w, &e) < 0) {
		job_trouble(j, &e);
	} else {
		err_set(&e, ERR_DOC_WITHDRAWN, "%s", w.text);
		outcome_refuse(j, &e);
	}
}

void
outcome_unhold_withdrawn(struct job *j)
{
	struct err e = { 0 };
	int r = reconcile_job(j, &e);

	if (r < 0 || (r == 0 && outcome_deliver_start(j, DELIVER_UNHOLD, NULL, on_unheld_withdrawn, &e) < 0))
		job_trouble(j, &e);
}

/* Log the decision, take back what lies in held/, go on from claimed or to refused. */
static void
decided_step(struct job *j, uint32_t n)
{
	struct entry x = { .type = ENTRY_RELEASE };
	struct err e = { 0 };
	char line[32];
	int r;

	if ((r = reconcile_job(j, &e)) == 1)
		return;
	snprintf(line, sizeof(line), "question %u", n);
	if (r == 0 && (r = logbook_once(j, &x, line, entry_release, &e)) == 0)
		return;
	if (r == 1)
		r = outcome_deliver_start(j, DELIVER_UNHOLD, NULL, on_unheld, &e);
	if (r < 0)
		job_trouble(j, &e);
}

/* --- the step --------------------------------------------------------------------------- */

void
outcome_held_step(struct job *j)
{
	struct entry x = { .type = ENTRY_HOLD };
	struct question_record q;
	struct decision d;
	struct err e = { 0 };
	char line[32];
	uint32_t n;
	int r;

	if ((r = question_get(j->dir, "question", &q, &e)) == 0 && (r = decision_n(j, &d, &n, &e)) == 1) {
		decided_step(j, q.n);
		return;
	}
	if (r == 0 && j->settled)
		return;
	if (r == 0) {
		snprintf(line, sizeof(line), "question %u", q.n);
		if ((r = logbook_once(j, &x, line, entry_hold, &e)) == 0)
			return;
	}
	/* it may wait for months: the next start shall not look through all of them */
	if (r == 1 && ((r = log_at_put(j, j->log_index, &e)) < 0 || (r = outcome_event_question(j, "hold", &q, &e)) < 0 ||
	        (r = outcome_deliver_start(j, DELIVER_HELD, &q, on_held_there, &e)) < 0))
		r = -(int)e.code;
	if (r < 0)
		job_trouble(j, &e);
}
