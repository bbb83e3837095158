#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/rules.h"

#include "agent/admit.h"
#include "agent/clockwatch.h"
#include "agent/outcome.h"
#include "agent/sealing.h"
#include "agent/steps.h"
#include "agent/tokens.h"

#define DOCUMENT_MIB 512
#define HOLE_SPARE 1024
#define TOKEN_POLL_MS 250
#define DRAWN_MAX 8 /* stamps that wait for a token: the time on them is not much older than their signature */
#define DRAWN_OLD_MS 60000

/* --- work in steps --------------------------------------------------------------------- */

void
sealing_forget(struct job *j)
{
	struct sealwork *w = j->sealwork;

	if (j->steps != NULL)
		steps_cancel(j->steps);
	j->steps = NULL;
	j->sealwork = NULL;
	if (w == NULL)
		return;
	if (w->line != NULL) {
		w->line->drawn--;
		sealing_token_free(j->core);
	}
	io_close(&w->doc);
	io_close(&w->made);
	free(w->hex);
	free(w->judge);
	free(w->list);
	free(w->earlier);
	free(w);
}

struct sealwork *
sealwork_new(struct job *j, struct err *e)
{
	struct sealwork *w = calloc(1, sizeof(*w));

	sealing_forget(j);
	if (w == NULL) {
		err_set(e, ERR_MEM, "sealing");
		return NULL;
	}
	w->doc = w->made = -1;
	j->sealwork = w;
	j->steps = steps_new(j->core->loop, j);
	return w;
}

int
sealwork_judge(struct job *j, task_cb *cb, struct err *e)
{
	struct job_task t = { .kind = TASK_JUDGE, .in = j->side, .as_mib = 256, .cpu_s = 20, .deadline_ms = 30000 };
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	j->sealwork->judge->now_us = clock_wall_us();
	judge_params_put(&b, j->sealwork->judge);
	t.params = &b;
	return job_task(j, &t, cb, e);
}

/* --- attempts -------------------------------------------------------------------------- */

static int
attempt_load(struct job *j, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 16);
	j->attempt = 0;
	if (!io_exists(j->dir, "attempt"))
		return 0;
	if ((r = record_get(j->dir, "attempt", &b, e)) < 0)
		return r;
	j->attempt = buf_get_u32(&b);
	return buf_finished(&b) ? 0 : err_set(e, ERR_IO, "record attempt is damaged");
}

static int
attempt_put(struct job *j, uint32_t n, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 16);
	buf_put_u32(&b, n);
	if ((r = record_replace_buf(j->dir, "attempt", &b, e)) == 0)
		j->attempt = n;
	return r;
}

/* Nobody was asked: there is no orphan to enter. */
static int
attempt_undo(struct job *j, struct err *e)
{
	if (j->attempt > 1)
		return attempt_put(j, j->attempt - 1, e);
	j->attempt = 0;
	return io_unlink(j->dir, "attempt", e);
}

/* The token was asked and its answer is lost: its counter may be one ahead of ours. */
static int
entry_orphan(struct job *j, struct entry *x, struct err *e)
{
	struct prep p;
	int r;

	if ((r = prep_get(j, "prep", &p, e)) < 0)
		return r;
	logbook_job(j->core, j, x);
	x->attempts = j->attempt;
	memcpy(x->token, p.token, sizeof(x->token));
	memcpy(x->seal_cert, p.cert_hash, HASH_LEN);
	return 0;
}

/* An attempt without a signature is in the log before the token is asked again. 1: it is, or there was none. */
static int
orphan_note(struct job *j, struct err *e)
{
	struct entry x = { .type = ENTRY_ORPHAN };
	char line[32];
	int r;

	if ((r = attempt_load(j, e)) < 0 || j->attempt == 0)
		return r < 0 ? r : 1;
	snprintf(line, sizeof(line), "attempts %u", j->attempt); /* as entry.c writes it */
	return logbook_once(j, &x, line, entry_orphan, e);
}

/* --- field ----------------------------------------------------------------------------- */

struct line_ctx {
	struct job *job;
	const char *org;
	char text[MSG_TEXT_MAX];
};

/* A field that the ticket lacks is empty: the stamp is the same for all documents. */
static const char *
field_value(const struct job *j, const char *key)
{
	for (uint32_t i = 0; j->ticket != NULL && i < j->ticket->nfields; i++)
		if (strcmp(j->ticket->fields[i].key, key) == 0)
			return j->ticket->fields[i].value;
	return "";
}

/* Origin, size and root hash of the log's head, in one line: whoever has it on paper is a witness (C2SP tlog-checkpoint). */
static const char *
log_value(const struct job *j, char *dst, size_t size)
{
	const char *head = elog_head(j->core->elog);
	size_t n = 0;

	for (int lines = 0; *head != '\0' && n + 1 < size; head++) {
		if (*head == '\n' && ++lines == 3)
			break;
		dst[n++] = *head == '\n' ? ' ' : *head;
	}
	dst[n] = '\0';
	return dst;
}

/* Who brought the document: the name of its file's owner, or the number where there is no name. */
static const char *
operator_value(const struct job *j, char *dst, size_t size)
{
	const struct passwd *p = getpwuid(j->claim.owner);

	if (p != NULL)
		snprintf(dst, size, "%s", p->pw_name);
	else
		snprintf(dst, size, "%u", (unsigned)j->claim.owner);
	return dst;
}

static const char *
language_of(const struct job *j)
{
	return j->folder != NULL ? j->folder->language : j->core->conf->language;
}

/* {org} {time:...} {received:...} {id} {rule} {folder} {operator} {log} {find.NAME} {ticket.KEY} of line and code. */
static const char *
line_value(void *ctx, const char *variable, const char *format)
{
	struct line_ctx *l = ctx;
	const struct job *j = l->job;

	if (strcmp(variable, "org") == 0)
		return l->org;
	if (strcmp(variable, "id") == 0)
		return j->claim.id;
	if (strcmp(variable, "rule") == 0)
		return j->plan->rule;
	if (strcmp(variable, "folder") == 0)
		return j->claim.folder;
	if (strcmp(variable, "operator") == 0)
		return operator_value(j, l->text, sizeof(l->text));
	if (strcmp(variable, "log") == 0)
		return log_value(j, l->text, sizeof(l->text));
	if (strcmp(variable, "time") == 0)
		return name_time(j->seal_time_us, format, language_of(j), l->text, sizeof(l->text)) ? l->text : NULL;
	if (strcmp(variable, "received") == 0)
		return name_time(j->claim.received_us, format, language_of(j), l->text, sizeof(l->text)) ? l->text : NULL;
	if (strncmp(variable, "ticket.", 7) == 0)
		return field_value(j, variable + 7);
	if (strncmp(variable, "find.", 5) == 0)
		for (uint32_t i = 0; i < j->plan->nvalues; i++)
			if (strcmp(j->plan->values[i].key, variable + 5) == 0)
				return j->plan->values[i].value;
	return NULL;
}

static int
field_lines(struct job *j, const struct conf_seal *seal, const char *org, struct field_params *p, struct err *e)
{
	struct line_ctx ctx = { .job = j, .org = org };
	int r;

	if ((r = name_expand(seal->look.qr, line_value, &ctx, p->qr, sizeof(p->qr), e)) < 0)
		return r;
	for (size_t i = 0; i < seal->look.lines.n && p->nlines < MSG_LINES_MAX; i++)
		if ((r = name_expand(seal->look.lines.v[i], line_value, &ctx, p->lines[p->nlines++], MSG_TEXT_MAX,
		         e)) < 0)
			return r;
	return 0;
}

static uint32_t
hole_of(const struct job *j, const struct conf_seal *seal, const struct ready_seal *facts)
{
	uint32_t hole = facts->cms_max + HOLE_SPARE;

	if (seal->level >= LEVEL_B_T)
		hole += token_seen(j->core, seal->tsa->name);
	return (hole + 1023) / 1024 * 1024;
}

static int
field_params_make(struct job *j, const struct conf_seal *seal, const struct ready_seal *facts, struct field_params *p,
    struct err *e)
{
	memset(p, 0, sizeof(*p));
	j->hole = p->hole = hole_of(j, seal, facts);
	j->seal_time_us = p->time_us = clock_wall_us();
	memcpy(p->id, j->claim.id, ID_MAX);
	p->place = j->plan->place;
	p->place_page = j->plan->place_page;
	p->place_box = j->plan->place_box;
	snprintf(p->field, sizeof(p->field), "%s", j->plan->field);
	p->marks = j->plan->marks;
	snprintf(p->seal, sizeof(p->seal), "%s", seal->name);
	snprintf(p->signer, sizeof(p->signer), "%s", facts->org[0] != '\0' ? facts->org : facts->subject);
	snprintf(p->reason, sizeof(p->reason), "%s", seal->reason);
	snprintf(p->location, sizeof(p->location), "%s", seal->location);
	snprintf(p->checkpoint, sizeof(p->checkpoint), "%s", elog_head(j->core->elog));
	return field_lines(j, seal, facts->org, p, e);
}

static int prepare_put(void *, struct err *);
static int prepare_record(void *, struct err *);

/* The hole is empty, ByteRange is all but the hole: only that is hashed, and not what a child says it hashed. */
static int
prepare_hash(void *ctx, struct err *e)
{
	struct job *j = ctx;
	struct sealwork *w = j->sealwork;
	int r = check_range(w->made, w->prep.range, w->doc_size, w->size, w->prep.hole, e);

	if (r < 0)
		return r;
	for (int half = 0; half < 4; half += 2)
		steps_copy(j->steps, w->made, w->prep.range[half], w->prep.range[half + 1], -1, true);
	steps_digest(j->steps, w->prep.digest);
	steps_flush(j->steps, w->made);
	steps_call(j->steps, prepare_put);
	return 0;
}

static int
prepare_put(void *ctx, struct err *e)
{
	struct job *j = ctx;
	int r;

	steps_call(j->steps, prepare_record);
	/* an earlier attempt's files were never signed with success: they go */
	if ((r = io_unlink(j->dir, "prepared.pdf", e)) < 0 || (r = io_unlink(j->dir, "prep", e)) < 0)
		return r;
	return io_put_fd(j->dir, "prepared.pdf", j->sealwork->made, e);
}

static int
prepare_record(void *ctx, struct err *e)
{
	struct job *j = ctx;

	return prep_put(j, "prep", &j->sealwork->prep, e);
}

static void
draw_failed(struct job *j, const struct err *why)
{
	sealing_forget(j);
	io_close(&j->out);
	job_trouble(j, why);
}

static void
on_prepared(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->steps = NULL;
	j->busy = false;
	if (why != NULL) {
		draw_failed(j, why);
		return;
	}
	io_close(&j->out);
	j->sealwork->prepared_ms = clock_ms();
	job_step(j);
}

/* prepared.pdf = doc.pdf + update, checked, hashed, put. */
static int
prepare(struct job *j, const struct field_result *f, struct err *e)
{
	struct sealwork *w = j->sealwork;
	uint64_t update;
	int r;

	if ((w->doc = openat(j->dir, "doc.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_sys(e, ERR_IO, "doc.pdf");
	if ((r = io_size(w->doc, &w->doc_size, e)) < 0 || (r = io_size(j->out, &update, e)) < 0)
		return r;
	if (f->doc_len != w->doc_size || f->update_len != update)
		return err_set(e, ERR_DOC_CRASH, "the update has another length than said");
	w->size = w->doc_size + update;
	if ((r = check_range_shape(f->range, w->doc_size, w->size, j->hole, e)) < 0 || (w->made = r = io_tmpfile(j->dir, e)) < 0)
		return r;
	memcpy(w->prep.range, f->range, sizeof(w->prep.range));
	steps_copy(j->steps, w->doc, 0, w->doc_size, w->made, false);
	steps_copy(j->steps, j->out, 0, update, w->made, false);
	steps_call(j->steps, prepare_hash);
	j->busy = true;
	steps_go(j->steps, on_prepared);
	return 0;
}

static void
on_field(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	struct field_result f;
	int r;

	if (o->err != NULL)
		sealing_forget(j);
	if (!job_task_ok(j, o))
		return;
	if (field_result_get(o->result, &f, &e) < 0)
		r = job_lied(&e, "the stamp");
	else
		r = prepare(j, &f, &e);
	if (r < 0)
		draw_failed(j, &e);
}

static void
on_signed(void *ctx, const struct err *why, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN])
{
	struct job *j = ctx;
	struct err e = { 0 };
	bool unasked = why != NULL && children_unasked(j->token);

	j->busy = false;
	j->token = NULL;
	if (why != NULL) {
		if (unasked && attempt_undo(j, &e) < 0)
			log_err(LOG_NOTICE, "record attempt", &e); /* then it counts as an orphan */
		job_trouble(j, why);
		return;
	}
	if (len > j->hole) {
		err_set(&e, ERR_SIG, "the signature is larger than its hole");
		job_trouble(j, &e);
		return;
	}
	if (sig_put(j, cms, len, imprint, &e) < 0 || job_move(j, SPOOL_SIGNED, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	job_step(j);
}

const struct conf_seal *
seal_of(struct job *j, struct err *e)
{
	const struct conf_seal *s;

	if (plan_load(j, e) < 0)
		return NULL;
	if ((s = conf_seal(j->core->conf, j->plan->seal)) == NULL)
		err_set(e, ERR_CONF, "seal %s is not in the settings any more", j->plan->seal);
	return s;
}

/* What the stamp is drawn for: one token, with the certificate it has now. */
static int
drawing_new(struct job *j, const struct peer *token, struct err *e)
{
	const struct ready_seal *facts = children_token_facts(token);
	struct sealwork *w = sealwork_new(j, e);

	if (w == NULL)
		return -(int)e->code;
	w->reloads = j->core->reloads;
	w->prep.hole = j->hole;
	w->prep.time_us = j->seal_time_us;
	snprintf(w->prep.token, sizeof(w->prep.token), "%s", children_token_name(token));
	snprintf(w->prep.org, sizeof(w->prep.org), "%s", facts->org);
	memcpy(w->prep.cert_hash, facts->cert_hash, HASH_LEN);
	w->prep.log_size = elog_published(j->core->elog);
	return 0;
}

static int
field_start(struct job *j, const struct conf_seal *seal, const struct peer *token, struct err *e)
{
	struct job_task t = { .kind = TASK_FIELD, .out = &j->out, .as_mib = DOCUMENT_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };
	const struct ticket *ticket;
	struct field_params p;
	AUTO_FD doc = openat(j->dir, "doc.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (doc < 0)
		return err_sys(e, ERR_IO, "doc.pdf");
	if ((r = admit_ticket(j, &ticket, e)) < 0 ||
	    (r = field_params_make(j, seal, children_token_facts(token), &p, e)) < 0 || (r = drawing_new(j, token, e)) < 0)
		return r;
	field_params_put(&b, &p);
	t.params = &b;
	t.in = doc;
	return job_task(j, &t, on_field, e);
}

/* --- the way to a token ------------------------------------------------------------------ */

/* A long one is drawn standing aside, and the others do not wait for it. */
static bool
is_counted(const struct job *j)
{
	return j->inspect.pages <= JOB_PAGES_FIRST;
}

/* Whose stamp would be drawn next; NULL: none, or enough are drawn for each. */
static struct peer *
token_choose(const struct job *j, const struct conf_seal *seal)
{
	return tokens_choose(j->core->children, seal, j->core->lines, is_counted(j) ? DRAWN_MAX : UINT32_MAX);
}

static struct peer *
token_drawn_for(const struct job *j, const struct conf_seal *seal)
{
	return tokens_find(j->core->children, seal, j->sealwork->prep.token, j->sealwork->prep.cert_hash);
}

static void
await_token(struct job *j, const struct conf_seal *seal)
{
	err_set(&j->why, ERR_TOKEN_GONE, "no token of seal %s is ready and free", seal->name);
	j->stalled = j->wants_token = true;
	job_step_soon(j, TOKEN_POLL_MS);
}

static void
draw(struct job *j, const struct conf_seal *seal)
{
	const struct peer *token = token_choose(j, seal);
	struct token_line *line;
	struct err e = { 0 };

	if (token == NULL) {
		await_token(j, seal);
		return;
	}
	memset(&j->why, 0, sizeof(j->why));
	if ((line = tokens_line(&j->core->lines, children_token_name(token), &e)) == NULL || field_start(j, seal, token, &e) < 0) {
		draw_failed(j, &e);
		return;
	}
	if (is_counted(j)) {
		j->sealwork->line = line;
		line->drawn++;
	}
}

/* On disk, by the settings in force, for a token that is there, with a hole that is right and a time that is true enough. */
static bool
is_drawn(const struct job *j, const struct conf_seal *seal)
{
	const struct sealwork *w = j->sealwork;
	const struct peer *token;

	if (w == NULL || w->prepared_ms == 0 || w->reloads != j->core->reloads || clock_ms() - w->prepared_ms > DRAWN_OLD_MS)
		return false;
	token = token_drawn_for(j, seal);
	return token != NULL && hole_of(j, seal, children_token_facts(token)) == w->prep.hole;
}

/* prepared.pdf and prep are on disk; the attempt is before the token is asked. */
static void
ask(struct job *j, const struct conf_seal *seal)
{
	struct peer *token = token_drawn_for(j, seal);
	uint8_t digest[HASH_LEN];
	struct err e = { 0 };

	if (children_token_busy(token)) {
		await_token(j, seal);
		return;
	}
	memcpy(digest, j->sealwork->prep.digest, HASH_LEN);
	if (attempt_put(j, j->attempt + 1, &e) < 0) {
		draw_failed(j, &e);
		return;
	}
	memset(&j->why, 0, sizeof(j->why));
	sealing_forget(j);
	j->token = token;
	j->busy = true;
	children_sign(token, j->claim.id, j->attempt, digest, on_signed, j);
}

/* Would a step get further than the last one? */
static bool
is_served(struct job *j)
{
	const struct conf_seal *seal;
	const struct peer *token;
	struct err e;

	if (!j->wants_token || j->state != SPOOL_RENDERED || (seal = seal_of(j, &e)) == NULL)
		return false;
	if (j->sealwork == NULL)
		return token_choose(j, seal) != NULL;
	token = token_drawn_for(j, seal);
	return token == NULL || !children_token_busy(token);
}

static void
on_token_free(void *ctx)
{
	struct core *c = ctx;

	c->token_timer = 0;
	for (struct job *j = c->jobs; j != NULL; j = j->next) {
		if (!is_served(j))
			continue;
		loop_timer_del(c->loop, j->timer);
		j->timer = 0;
		job_step(j);
	}
}

void
sealing_token_free(struct core *c)
{
	if (c->token_timer == 0 && !c->stopping)
		c->token_timer = loop_timer(c->loop, 0, on_token_free, c);
}

void
sealing_step_rendered(struct job *j)
{
	struct err e = { 0 };
	const struct conf_seal *seal;
	int r;

	j->wants_token = false;
	/* a signature is moved on with only when it is surely there, and asked for only when it surely is not */
	if ((r = io_there(j->dir, "sig", &e)) == 1)
		r = job_move(j, SPOOL_SIGNED, &e) < 0 ? -(int)e.code : 1;
	if (r < 0) {
		job_trouble(j, &e);
		return;
	}
	if (r == 1) {
		job_step(j);
		return;
	}
	if ((seal = seal_of(j, &e)) == NULL || (r = orphan_note(j, &e)) < 0) {
		job_trouble(j, &e);
		return;
	}
	if (r == 0)
		return;
	if (j->attempt == 0 && !receipt_there(j)) {
		job_step_soon(j, TOKEN_POLL_MS);
		return;
	}
	stamping_probe_over(j);
	clockwatch_look(j->core);
	/* a signature that nobody can judge is not asked for */
	if (!core_has(j->core, ROLE_VERIFY)) {
		err_set(&j->why, ERR_CHILD, "sealroom-verify is not ready");
		j->stalled = true;
		job_step_soon(j, TOKEN_POLL_MS);
		return;
	}
	/* nor one that says a time which nobody but a clock that was set has given */
	if (j->core->clock_doubt && seal->level >= LEVEL_B_T) {
		if (stamping_probe(j, seal, &e) < 0)
			job_trouble(j, &e);
		return;
	}
	if (is_drawn(j, seal)) {
		ask(j, seal);
		return;
	}
	sealing_forget(j);
	draw(j, seal);
}
