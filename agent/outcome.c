#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/pagefile.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/layout.h"

#include "agent/admit.h"
#include "agent/deliver.h"
#include "agent/events.h"
#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/keep.h"
#include "agent/metrics.h"
#include "agent/outcome.h"
#include "agent/placing.h"
#include "agent/reconcile.h"
#include "agent/sealing.h"
#include "agent/stack.h"
#include "agent/steps.h"
#include "agent/ticket.h"
#include "agent/watch.h"

/* --- records --------------------------------------------------------------------------- */

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

static int
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

/* --- publish, log ---------------------------------------------------------------------- */

static const char *
original_name(const struct job *j)
{
	static const char *const names[DOC_KIND_COUNT] = { "original.bin", "original.tif", "original.jpg",
		"original.png", "original.pdf", "original.jp2", "original.webp", "original.pdf" };

	return names[j->inspect.kind < DOC_KIND_COUNT ? j->inspect.kind : 0];
}

/* Of a job that is being archived, or was: its three files; of a stack the list of its documents, not a result. */
struct archived {
	struct archive_file file[3];
	int fd[3];
	bool known; /* sizes and hashes */
};

static void
archived_close(struct archived *t)
{
	for (int i = 0; i < 3; i++)
		io_close(&t->fd[i]);
}

void
outcome_forget(struct job *j)
{
	archive_cancel(j->publishing);
	j->publishing = NULL;
	placing_forget(j);
	if (j->archived != NULL)
		archived_close(j->archived);
	free(j->archived);
	j->archived = NULL;
}

static int
archived_open(struct job *j, struct err *e)
{
	const bool stack = stack_is(j);
	const char *const spool[3] = { "job.json", "source", stack ? "parts" : "sealed.pdf" };
	const char *const names[3] = { "job.json", original_name(j), stack ? LAYOUT_PARTS : "sealed.pdf" };
	struct archived *t;

	outcome_forget(j);
	if ((t = j->archived = calloc(1, sizeof(*t))) == NULL)
		return err_set(e, ERR_MEM, "files to archive");
	t->fd[0] = t->fd[1] = t->fd[2] = -1;
	for (int i = 0; i < 3; i++) {
		if ((t->fd[i] = openat(j->dir, spool[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
			return err_sys(e, ERR_IO, "%s of job %s", spool[i], j->claim.id);
		t->file[i].name = names[i];
		t->file[i].fd = t->fd[i];
	}
	return 0;
}

static void
on_published(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->publishing = NULL;
	archived_close(j->archived);
	j->archived->known = why == NULL;
	if (why != NULL)
		job_trouble(j, why);
	else if (job_move(j, SPOOL_ARCHIVED, &e) < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

void
outcome_publish(struct job *j)
{
	struct err e = { 0 };
	int r;

	if ((r = plan_load(j, &e)) == 0 && (r = archived_open(j, &e)) == 0) {
		/* nothing else than what was claimed goes into the archive as the original */
		j->archived->file[1].must = j->claim.hash;
		r = archive_begin(&j->publishing, j->core->archive, j->core->loop, j->claim.id, j->claim.received_us,
		    j->archived->file, 3, on_published, j, &e);
	}
	if (r < 0)
		job_trouble(j, &e);
	else
		j->busy = true;
}

/* The name the result is meant to have: the rule's, or the source's with .pdf. */
static void
wanted_name(const struct job *j, char *dst, size_t size)
{
	const char *dot = strrchr(j->claim.name, '.');
	int stem = dot != NULL && dot != j->claim.name ? (int)(dot - j->claim.name) : (int)strlen(j->claim.name);

	if (j->plan->name[0] != '\0')
		snprintf(dst, size, "%s", j->plan->name);
	else
		snprintf(dst, size, "%.*s.pdf", stem, j->claim.name);
}

static void
entry_files(const struct job *j, struct entry *x)
{
	for (uint32_t i = 0; i < 3; i++) {
		const struct archive_file *f = &j->archived->file[i];

		snprintf(x->files[i].name, sizeof(x->files[i].name), "%s", f->name);
		x->files[i].size = f->size;
		memcpy(x->files[i].hash, f->hash, HASH_LEN);
	}
	x->nfiles = 3;
}

static int
entry_engine(struct job *j, struct entry *x, struct err *e)
{
	struct ready_scan s;
	AUTO_BUF b;
	int r;

	buf_init(&b, 1024);
	if ((r = record_get(j->dir, "engine", &b, e)) < 0)
		return r;
	if (ready_scan_get(&b, &s, e) < 0)
		return err_set(e, ERR_IO, "record engine is damaged");
	snprintf(x->ocr, sizeof(x->ocr), "%s", s.engine);
	memcpy(x->ocr_hash, s.data_hash, HASH_LEN);
	return 0;
}

static int64_t
time_us(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

/* Times that the file system remembers: when doc.pdf was put, when the archive's directory got its name. */
static int
entry_times(struct job *j, struct entry *x, struct err *e)
{
	struct stat doc, dir;

	if (fstatat(j->dir, "doc.pdf", &doc, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(archive_dir(j->core->archive), x->path, &dir, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "times of job %s", j->claim.id);
	x->ocr_us = time_us(&doc.st_mtim);
	x->archived_us = time_us(&dir.st_ctim);
	return 0;
}

static int
entry_job(struct job *j, struct entry *x, struct err *e)
{
	struct verdict_record v;
	struct prep p;
	uint8_t salt[ENTRY_SALT_LEN];
	char name[MSG_TEXT_MAX];
	AUTO_BUF attempt;
	int r;

	buf_init(&attempt, 16);
	if ((r = plan_load(j, e)) < 0 || (r = verdict_get(j, &v, e)) < 0 || (r = prep_get(j, "prep", &p, e)) < 0 ||
	    (r = entry_engine(j, x, e)) < 0 || (r = record_get(j->dir, "attempt", &attempt, e)) < 0)
		return r;
	entry_files(j, x);
	logbook_job(j->core, j, x);
	claim_salt(&j->claim, salt);
	wanted_name(j, name, sizeof(name));
	entry_name_set(&x->sealed, name, salt, j->folder != NULL && j->folder->log_names_plain);
	x->has_sealed = true;
	x->sealed_size = x->files[2].size;
	memcpy(x->sealed_hash, x->files[2].hash, HASH_LEN);
	memcpy(x->rule, j->plan->rule, sizeof(x->rule));
	memcpy(x->rule_hash, j->plan->rule_hash, HASH_LEN);
	x->level = v.level;
	memcpy(x->pdfa, v.pdfa, sizeof(x->pdfa));
	memcpy(x->tst, v.tst, HASH_LEN);
	x->sealed_us = v.sealed_us;
	x->pages = j->plan->pages;
	x->blank_dropped = j->plan->dropped != 0;
	/* so many that they do not fit here stand in job.json, whose hash is here */
	if (page_set_count(&j->plan->blank) > 0 && !page_set_text(&j->plan->blank, x->blank, sizeof(x->blank)))
		snprintf(x->blank, sizeof(x->blank), "many");
	if (page_set_count(&j->plan->unread) > 0 && !page_set_text(&j->plan->unread, x->unread, sizeof(x->unread)))
		snprintf(x->unread, sizeof(x->unread), "many");
	x->attempts = buf_get_u32(&attempt);
	memcpy(x->token, p.token, sizeof(x->token));
	memcpy(x->seal_cert, p.cert_hash, HASH_LEN);
	archive_path(j->claim.id, j->claim.received_us, x->path);
	return entry_times(j, x, e);
}

static int
event(struct job *j, const char *type, json_t *body, struct err *e)
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

static int
event_job(struct job *j, struct err *e)
{
	char path[ARCHIVE_PATH_MAX], name[MSG_TEXT_MAX], shown[3 * MSG_TEXT_MAX];
	struct verdict_record v;
	int r;

	if ((r = plan_load(j, e)) < 0 || (r = verdict_get(j, &v, e)) < 0)
		return r;
	archive_path(j->claim.id, j->claim.received_us, path);
	wanted_name(j, name, sizeof(name));
	path_display(name, shown, sizeof(shown)); /* any bytes, and JSON takes UTF-8 only */
	return event(j, "job", json_pack("{s:s, s:s, s:s, s:i, s:s}", "result", shown, "archive", path, "rule",
	    j->plan->rule, "pages", (int)j->plan->pages, "level", level_name(v.level)), e);
}

static int
entry_divide(struct job *j, struct entry *x, struct err *e)
{
	struct stat dir;
	int r;

	if ((r = plan_load(j, e)) < 0)
		return r;
	entry_files(j, x);
	logbook_job(j->core, j, x);
	archive_path(j->claim.id, j->claim.received_us, x->path);
	if (fstatat(archive_dir(j->core->archive), x->path, &dir, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "times of job %s", j->claim.id);
	x->archived_us = time_us(&dir.st_ctim);
	snprintf(x->text, sizeof(x->text), "%u documents", page_set_rests(&j->plan->outside));
	return 0;
}

static int
event_divide(struct job *j, struct err *e)
{
	char path[ARCHIVE_PATH_MAX];
	json_t *parts = stack_parts(j, e);

	if (parts == NULL)
		return -(int)e->code;
	archive_path(j->claim.id, j->claim.received_us, path);
	return event(j, "divide", json_pack("{s:s, s:i, s:o}", "archive", path, "pages", (int)j->inspect.pages, "parts", parts), e);
}

static void
on_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->busy = false;
	j->steps = NULL;
	archived_close(j->archived);
	j->archived->known = why == NULL;
	if (why != NULL)
		job_trouble(j, why);
	else
		outcome_log(j);
}

/* After a restart: what was published is in the spool, too. */
static void
hash_archived(struct job *j)
{
	struct err e = { 0 };

	if (plan_load(j, &e) < 0 || archived_open(j, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	j->steps = steps_new(j->core->loop, j);
	for (int i = 0; i < 3; i++) {
		struct archive_file *f = &j->archived->file[i];

		if (io_size(f->fd, &f->size, &e) < 0) {
			steps_cancel(j->steps);
			j->steps = NULL;
			job_trouble(j, &e);
			return;
		}
		steps_copy(j->steps, f->fd, 0, f->size, -1, true);
		steps_digest(j->steps, f->hash);
	}
	j->busy = true;
	steps_go(j->steps, on_hashed);
}

static void
after_entry(struct job *j, int r, const struct err *e)
{
	if (r < 0)
		job_trouble(j, e);
	else if (j->state == SPOOL_LOGGED)
		job_step(j);
}

/* In the log only when every document of it is a job. */
static void
log_stack(struct job *j)
{
	struct entry x = { .type = ENTRY_DIVIDE };
	struct err e = { 0 };
	int r;

	if ((r = stack_take(j, &e)) == 1)
		r = logbook_once(j, &x, NULL, entry_divide, &e);
	if (r == 1 && ((r = event_divide(j, &e)) < 0 || (r = seen_put(&j->core->spool, &j->claim, "", &e)) < 0 ||
	        (r = job_move(j, SPOOL_LOGGED, &e)) < 0))
		r = -(int)e.code;
	after_entry(j, r, &e);
}

void
outcome_log(struct job *j)
{
	struct entry x = { .type = ENTRY_JOB };
	const struct ticket *t;
	struct err e = { 0 };
	int r;

	if (j->archived == NULL || !j->archived->known) {
		hash_archived(j);
		return;
	}
	if (stack_is(j)) {
		log_stack(j);
		return;
	}
	r = logbook_once(j, &x, NULL, entry_job, &e);

	if (r == 1 && ((r = event_job(j, &e)) < 0 || (r = admit_ticket(j, &t, &e)) < 0 ||
	        (r = seen_put(&j->core->spool, &j->claim, t != NULL ? t->reference : "", &e)) < 0 ||
	        (r = job_move(j, SPOOL_LOGGED, &e)) < 0))
		r = -(int)e.code;
	after_entry(j, r, &e);
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

static int
deliver_start(struct job *j, enum deliver_kind kind, const struct question_record *q, deliver_cb *cb, struct err *e)
{
	struct deliver_req req = { .kind = kind, .folder = j->folder, .job_dir = j->dir, .claim = &j->claim };
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
	else if (deliver_start(j, DELIVER_RELEASE, NULL, on_source_gone, &e) < 0)
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

	if (stack_is(j)) {
		outcome_end(j);
		return;
	}
	/* one that was fetched back from the archive has no plan: it is called after its source */
	if ((io_exists(j->dir, "plan") && plan_load(j, &e) < 0) ||
	    deliver_start(j, DELIVER_RESULT, NULL, on_result_there, &e) < 0)
		job_trouble(j, &e);
}

static void
bury(struct job *j)
{
	j->dead = true;
	loop_timer_del(j->core->loop, j->timer);
	j->timer = 0;
	job_step_soon(j, 0);
}

void
outcome_clean(struct job *j)
{
	struct spool *s = &j->core->spool;
	const bool stack = stack_is(j);
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

static void
entry_reason(const struct question_record *q, struct entry *x)
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
	entry_reason(&q, x);
	return 0;
}

static void
on_refused_released(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct spool *s = &j->core->spool;
	struct err e = { 0 };

	j->busy = false;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	/* page results are worth nothing any more; the bytes and the reason stay */
	if (io_remove_tree(j->dir, "pages", &e) < 0 ||
	    io_move(s->dir[SPOOL_REFUSED], j->claim.id, s->quarantine, j->claim.id, &e) < 0) {
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
	else if (deliver_start(j, DELIVER_RELEASE, NULL, on_refused_released, &e) < 0)
		job_trouble(j, &e);
}

/* Before anything is handed out; a start that finds this begun does not say it again. */
static int
event_question(struct job *j, const char *type, const struct question_record *q, struct err *e)
{
	int r = io_there(j->dir, j->state == SPOOL_HELD ? "delivered-held" : "delivered-error", e);

	if (r != 0)
		return r < 0 ? r : 0;
	return event(j, type, json_pack("{s:s, s:s, s:i, s:i}", "reason", err_word(q->why.code), "text", q->why.text,
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
	if (r == 1 && (r = event_question(j, entry_type_word(x.type), &q, &e)) == 0)
		r = w.quiet ? deliver_start(j, DELIVER_RELEASE, NULL, on_refused_released, &e) :
		              deliver_start(j, DELIVER_REFUSED, &q, on_refused_there, &e);
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
	log_line(LOG_NOTICE, "job %s: the same document and reference as job %s; its result is handed out again",
	    j->claim.id, id);
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
	if (r == 1 && ((r = event(j, "repeat", json_pack("{s:s}", "repeats", j->other), &e)) < 0 ||
	        (r = deliver_start(j, DELIVER_RESULT, NULL, on_result_there, &e)) < 0))
		r = -(int)e.code;
	if (r < 0)
		job_trouble(j, &e);
}

/* --- held ------------------------------------------------------------------------------ */

static int
decision_n(struct job *j, struct decision *d, uint32_t *ret_n, struct err *e);

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
	entry_reason(&q, x);
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
	else if (deliver_start(j, DELIVER_RELEASE, NULL, on_held_released, &e) < 0)
		job_trouble(j, &e);
}

static void decided_step(struct job *, uint32_t n);

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
	if (r == 1 && ((r = log_at_put(j, j->log_index, &e)) < 0 || (r = event_question(j, "hold", &q, &e)) < 0 ||
	        (r = deliver_start(j, DELIVER_HELD, &q, on_held_there, &e)) < 0))
		r = -(int)e.code;
	if (r < 0)
		job_trouble(j, &e);
}

/* --- a person's decision --------------------------------------------------------------- */

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
	int r = reconcile_held(j, &e);

	if (r < 0 || (r == 0 && deliver_start(j, DELIVER_UNHOLD, NULL, on_unheld_withdrawn, &e) < 0))
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

	if ((r = reconcile_held(j, &e)) == 1)
		return;
	snprintf(line, sizeof(line), "question %u", n);
	if (r == 0 && (r = logbook_once(j, &x, line, entry_release, &e)) == 0)
		return;
	if (r == 1)
		r = deliver_start(j, DELIVER_UNHOLD, NULL, on_unheld, &e);
	if (r < 0)
		job_trouble(j, &e);
}
