#include <fcntl.h>
#include <jansson.h>
#include <string.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/entry.h"

#include "agent/admit.h"
#include "agent/deliver.h"
#include "agent/events.h"
#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/keep.h"
#include "agent/metrics.h"
#include "agent/outcomeint.h"
#include "agent/stack.h"
#include "agent/ticket.h"
#include "agent/watch.h"

/* --- records ---------------------------------------------------------------------------- */

int
verdict_put(struct job *j, const struct verdict_record *v, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 256);
	buf_put_u32(&b, v->level);
	buf_put(&b, v->tst, HASH_LEN);
	buf_put_u64(&b, (uint64_t)v->gen_time_us);
	buf_put_u64(&b, (uint64_t)v->sealed_us);
	buf_put(&b, v->pdfa, sizeof(v->pdfa));
	if ((r = io_unlink(j->dir, "verdict", e)) < 0)
		return r;
	return record_put_buf(j->dir, "verdict", &b, e);
}

int
verdict_get(struct job *j, struct verdict_record *ret, struct err *e)
{
	struct verdict_record v;
	AUTO_BUF b;
	int r;

	buf_init(&b, 256);
	if ((r = record_get(j->dir, "verdict", &b, e)) < 0)
		return r;
	v.level = buf_get_u32(&b);
	buf_get(&b, v.tst, HASH_LEN);
	v.gen_time_us = (int64_t)buf_get_u64(&b);
	v.sealed_us = (int64_t)buf_get_u64(&b);
	buf_get(&b, v.pdfa, sizeof(v.pdfa));
	if (!buf_finished(&b))
		return err_set(e, ERR_IO, "record verdict is damaged");
	*ret = v;
	return 0;
}

int
question_put(struct job *j, const char *record, const struct question_record *q, const struct compose_result *plan,
    struct err *e)
{
	AUTO_FREE char *text = NULL;
	json_t *o = json_pack("{s:i, s:i, s:s, s:s, s:i, s:s, s:s, s:s}", "v", 1, "n", (int)q->n, "code",
	    err_word(q->why.code), "text", q->why.text, "page", (int)q->why.page, "word", q->word, "say", q->say,
	    "rule", q->rule);
	json_t *list = json_array();

	for (uint32_t i = 0; plan != NULL && i < plan->ncandidates; i++) {
		const struct box *b = &plan->candidates[i].box;

		json_add(&list, json_pack("{s:i, s:[i, i, i, i]}", "page", (int)plan->candidates[i].page + 1, "box_mpt", b->x0, b->y0, b->x1, b->y1));
	}
	if (o != NULL && json_object_set_new(o, "candidates", list) == 0)
		text = json_text(o, JSON_INDENT(1));
	json_decref(o);
	if (text == NULL)
		return err_set(e, ERR_MEM, "question");
	return io_replace(j->dir, record, text, strlen(text), 0600, e);
}

int
question_get(int dir, const char *record, struct question_record *ret, struct err *e)
{
	const char *code, *text, *word, *say, *rule;
	int n, page, r;
	AUTO_BUF b;
	json_t *o;

	buf_init(&b, 64 * 1024);
	memset(ret, 0, sizeof(*ret));
	if ((r = record_get(dir, record, &b, e)) < 0)
		return r;
	o = json_loadb((const char *)b.data, b.len, 0, NULL);
	if (o == NULL || json_unpack(o, "{s:i, s:s, s:s, s:i, s:s, s:s, s:s}", "n", &n, "code", &code, "text", &text,
	        "page", &page, "word", &word, "say", &say, "rule", &rule) < 0 || n < 1 || page < 0) {
		json_decref(o);
		return err_set(e, ERR_IO, "record %s is damaged", record);
	}
	ret->n = (uint32_t)n;
	ret->why.code = err_code_by_word(code);
	ret->why.page = (uint32_t)page;
	snprintf(ret->why.text, sizeof(ret->why.text), "%s", text);
	snprintf(ret->word, sizeof(ret->word), "%s", word);
	snprintf(ret->say, sizeof(ret->say), "%s", say);
	snprintf(ret->rule, sizeof(ret->rule), "%s", rule);
	json_decref(o);
	return 0;
}

int
outcome_event(struct job *j, const char *type, json_t *body, struct err *e)
{
	char shown[3 * SPOOL_NAME_MAX];
	int r;

	path_display(j->claim.name, shown, sizeof(shown));
	json_put(&body, "folder", json_string(j->claim.folder));
	json_put(&body, "source", json_string(shown));
	if (body == NULL)
		return err_set(e, ERR_MEM, "event");
	r = events_put(&j->core->spool, j->log_index, type, j->claim.id, body, e);
	json_decref(body);
	return r;
}

/* --- deliver, release, clean ----------------------------------------------------------- */

/* Only a ticket has a program behind it that reads one. */
static int
deliver_json(struct job *j, enum deliver_kind kind, const struct question_record *q, json_t **ret, struct err *e)
{
	char path[ARCHIVE_PATH_MAX];

	*ret = NULL;
	if (!j->claim.ticket.has || kind == DELIVER_RELEASE || kind == DELIVER_UNHOLD)
		return 0;
	archive_path(j->claim.id, j->claim.received_us, path);
	if (kind == DELIVER_RESULT && j->earlier >= 0)
		*ret = resultjson_sealed(j, j->other, j->earlier, j->earlier_path, e);
	else if (kind == DELIVER_RESULT)
		*ret = resultjson_sealed(j, j->claim.id, j->dir, path, e);
	else
		*ret = resultjson_reason(j, kind == DELIVER_HELD ? "held" :
		    q->why.code == ERR_DOC_WITHDRAWN ? "withdrawn" : "refused", q, e);
	return *ret != NULL ? 0 : -(int)e->code;
}

int
outcome_deliver_start(struct job *j, enum deliver_kind kind, const struct question_record *q, deliver_cb *cb,
    struct err *e)
{
	struct deliver_req req = { .kind = kind, .folder = j->folder, .job_dir = j->dir, .claim = &j->claim,
		.moved = kind == DELIVER_RELEASE && receipt_moved(j) };
	struct deliver *d;
	int r;

	if (j->folder == NULL)
		return err_set(e, ERR_CONF, "folder %s is not in the settings any more", j->claim.folder);
	if ((req.hot = watch_dir(j->core->watch, j->folder)) < 0)
		return err_set(e, ERR_IO, "folder %s is not there", j->folder->path);
	if (j->earlier >= 0)
		req.sealed_dir = &j->earlier;
	if (kind == DELIVER_RESULT && j->earlier >= 0)
		req.wanted = j->ticket != NULL ? j->ticket->name : "";
	else if (kind == DELIVER_RESULT)
		req.wanted = j->planned ? j->plan->name : "";
	if (q != NULL) {
		req.why = &q->why;
		req.word = q->word;
		req.say = q->say;
	}
	if ((r = deliver_json(j, kind, q, &req.json, e)) < 0)
		return r;
	j->busy = true;
	if ((r = deliver_begin(&d, j->core->loop, &req, cb, j, e)) < 0)
		j->busy = false;
	json_decref(req.json);
	return r;
}

static void
on_source_gone(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	if (job_move(j, SPOOL_RELEASED, &e) < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

static void
release_source(struct job *j, const struct err *why)
{
	struct err e = { 0 };

	if (why != NULL)
		job_trouble(j, why);
	else if (outcome_deliver_start(j, DELIVER_RELEASE, NULL, on_source_gone, &e) < 0)
		job_trouble(j, &e);
}

void
outcome_end(struct job *j)
{
	release_source(j, NULL);
}

static void
on_result_there(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->busy = false;
	if (why != NULL)
		job_trouble(j, why);
	else
		keep_given(j, release_source);
}

void
outcome_deliver(struct job *j)
{
	struct err e = { 0 };
	const int stack = stack_is(j, &e);

	if (stack == 1) {
		outcome_end(j);
		return;
	}
	/* one that was fetched back from the archive has no plan: it is called after its source */
	if (stack < 0 || (io_exists(j->dir, "plan") && plan_load(j, &e) < 0) ||
	    outcome_deliver_start(j, DELIVER_RESULT, NULL, on_result_there, &e) < 0)
		job_trouble(j, &e);
}

static void
bury(struct job *j)
{
	j->dead = true;
	watch_again(j->core->watch, j->folder, j->claim.name);
	loop_timer_del(j->core->loop, j->timer);
	j->timer = 0;
	job_step_soon(j, 0);
}

void
outcome_clean(struct job *j)
{
	struct spool *s = &j->core->spool;
	const bool stack = stack_in(j->dir, j->state);
	struct err e = { 0 };

	if (io_remove_tree(s->dir[SPOOL_RELEASED], j->claim.id, &e) < 0 ||
	    io_sync(s->dir[SPOOL_RELEASED], &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	if (ticket_stem(j->claim.name) > 0) { /* it was no document */
		bury(j);
		return;
	}
	journal(JOURNAL_JOB_DONE, LOG_INFO, &(struct about){ .job = j->claim.id, .folder = j->claim.folder }, "job %s %s", j->claim.id,
	    stack ? "is divided" : "done");
	metrics_job(j, stack ? METRICS_DIVIDED : METRICS_SEALED);
	bury(j);
}

/* --- refused --------------------------------------------------------------------------- */

void
outcome_refuse(struct job *j, const struct err *why)
{
	struct question_record q = { .n = 1, .why = *why };
	struct err e = { 0 };

	snprintf(q.word, sizeof(q.word), "%s", j->other);
	if (why->code == ERR_DOC_REFUSED || why->code == ERR_DOC_WITHDRAWN)
		snprintf(q.say, sizeof(q.say), "%s", why->text);
	if (question_put(j, "reason", &q, NULL, &e) < 0 || job_move(j, SPOOL_REFUSED, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	journal(JOURNAL_JOB_REFUSED, why->code == ERR_DOC_WITHDRAWN ? LOG_NOTICE : LOG_WARNING,
	    &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(why->code) },
	    "job %s refused: %s: %s", j->claim.id, err_word(why->code), why->text);
	metrics_job(j, why->code == ERR_DOC_WITHDRAWN ? METRICS_WITHDRAWN : METRICS_REFUSED);
	job_step_soon(j, 0);
}

void
outcome_entry_reason(const struct question_record *q, struct entry *x)
{
	snprintf(x->reason, sizeof(x->reason), "%s", err_word(q->why.code));
	snprintf(x->text, sizeof(x->text), "%s", q->why.text);
}

static int
entry_reject(struct job *j, struct entry *x, struct err *e)
{
	struct question_record q;
	int r;

	if ((r = question_get(j->dir, "reason", &q, e)) < 0)
		return r;
	logbook_job(j->core, j, x);
	outcome_entry_reason(&q, x);
	return 0;
}

static void
on_refused_released(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	/* page results are worth nothing any more; the bytes and the reason stay */
	if (io_remove_tree(j->dir, "pages", &e) < 0 ||
	    spool_put_away(&j->core->spool, j->claim.id, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	bury(j);
}

static void
on_refused_there(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL)
		job_trouble(j, why);
	else if (outcome_deliver_start(j, DELIVER_RELEASE, NULL, on_refused_released, &e) < 0)
		job_trouble(j, &e);
}

int
outcome_event_question(struct job *j, const char *type, const struct question_record *q, struct err *e)
{
	int r = io_there(j->dir, j->state == SPOOL_HELD ? "delivered-held" : "delivered-error", e);

	if (r != 0)
		return r < 0 ? r : 0;
	return outcome_event(j, type, json_pack("{s:s, s:s, s:i, s:i}", "reason", err_word(q->why.code), "text", q->why.text,
	    "page", (int)q->why.page, "question", (int)q->n), e);
}

static void repeat_step(struct job *);

void
outcome_refused_step(struct job *j)
{
	struct entry x = { .type = ENTRY_REJECT };
	struct question_record q;
	struct withdrawal w = { .quiet = false };
	struct err e = { 0 };
	bool withdrawn;
	int r;

	if (io_exists(j->dir, "repeat")) {
		repeat_step(j);
		return;
	}
	if ((r = question_get(j->dir, "reason", &q, &e)) == 0) {
		withdrawn = q.why.code == ERR_DOC_WITHDRAWN;
		x.type = withdrawn ? ENTRY_WITHDRAW : ENTRY_REJECT;
		if ((r = logbook_once(j, &x, NULL, withdrawn ? entry_withdraw : entry_reject, &e)) == 0)
			return;
		if (r == 1 && withdrawn)
			r = withdrawal_get(j, &w, &e) < 0 ? -(int)e.code : 1;
	}
	if (r == 1 && (r = outcome_event_question(j, entry_type_word(x.type), &q, &e)) == 0)
		r = w.quiet ? outcome_deliver_start(j, DELIVER_RELEASE, NULL, on_refused_released, &e) :
		              outcome_deliver_start(j, DELIVER_REFUSED, &q, on_refused_there, &e);
	if (r < 0)
		job_trouble(j, &e);
}

/* --- the same once more ---------------------------------------------------------------- */

void
outcome_repeat(struct job *j, const char *id)
{
	struct err e = { 0 };

	if (io_replace(j->dir, "repeat", id, ID_LEN, 0600, &e) < 0 || job_move(j, SPOOL_REFUSED, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	journal_line(LOG_NOTICE, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: the same document and reference as job %s; its result is handed out again", j->claim.id, id);
	job_step_soon(j, 0);
}

/* Its id says when it came; around midnight its directory may be that of the day before. */
static int
earlier_open(struct job *j, struct err *e)
{
	char id[ID_MAX];
	AUTO_BUF b = { 0 };
	int r;

	if (j->earlier >= 0)
		return 0;
	buf_init(&b, ID_LEN);
	if ((r = record_get(j->dir, "repeat", &b, e)) < 0)
		return r;
	memcpy(id, b.data, b.len);
	id[b.len] = '\0';
	if (!id_valid(id))
		return err_set(e, ERR_IO, "record repeat is damaged");
	memcpy(j->other, id, ID_MAX);
	for (int64_t back = 0; j->earlier < 0 && back <= 60; back += 60) {
		archive_path(id, id_time_us(id) - back * 1000000, j->earlier_path);
		j->earlier = path_open(archive_dir(j->core->archive), j->earlier_path, O_RDONLY | O_DIRECTORY);
	}
	return j->earlier >= 0 ? 0 : err_sys(e, ERR_ARCHIVE, "job %s, which is to be handed out again, is not in the archive", id);
}

static int
entry_repeat(struct job *j, struct entry *x, struct err *e)
{
	(void)e;
	logbook_job(j->core, j, x);
	snprintf(x->text, sizeof(x->text), "the result of job %s", j->other);
	return 0;
}

static void
repeat_step(struct job *j)
{
	struct entry x = { .type = ENTRY_REPEAT };
	const struct ticket *t;
	struct err e = { 0 };
	int r;

	if ((r = earlier_open(j, &e)) == 0 && (r = admit_ticket(j, &t, &e)) == 0 &&
	    (r = logbook_once(j, &x, NULL, entry_repeat, &e)) == 0)
		return;
	if (r == 1 && ((r = outcome_event(j, "repeat", json_pack("{s:s}", "repeats", j->other), &e)) < 0 ||
	        (r = outcome_deliver_start(j, DELIVER_RESULT, NULL, on_result_there, &e)) < 0))
		r = -(int)e.code;
	if (r < 0)
		job_trouble(j, &e);
}
