#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/alarm.h"
#include "agent/attached.h"
#include "agent/metrics.h"
#include "agent/clockwatch.h"
#include "agent/earlier.h"
#include "agent/outcome.h"
#include "agent/sealing.h"
#include "agent/steps.h"

#define DOCUMENT_MIB 512
#define HOLE_SPARE 1024
#define PROBE_POLL_MS 500

/*
 * signed -> sealed.  The time stamp over the signature goes into the hole with
 * it.  A token that turns out too large for the hole is asked for once more,
 * now over a revision of its own (DocTimeStamp): the same signature, level B-T
 * all the same, and the token of the seal is never asked again.
 *
 *	tst                          fits: prepared.pdf + tst
 *	stamped.pdf, dtsprep, dts    does not: prepared.pdf + sig, then the revision + dts
 */

/* 1, 0, -code */
static int
second_revision(const struct job *j, struct err *e)
{
	return io_there(j->dir, "dtsprep", e);
}

static int
answer_read(struct job *j, uint64_t len, struct err *e)
{
	uint64_t size;
	int r;

	if ((r = io_size(j->out, &size, e)) < 0)
		return r;
	if (size != len || size == 0 || size > SIGS_CMS_MAX)
		return err_set(e, ERR_TSA_ANSWER, "the time-stamp answer has a wrong length");
	return 0;
}

/* The token was over random bytes: all that counts is that it holds, and says our time. */
static void
probe_answered(struct job *j, struct buf *result)
{
	struct attach_result a;
	struct err e = { 0 };

	stamping_probe_over(j);
	if (attach_result_get(result, &a, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	clockwatch_confirmed(j->core);
	job_step(j);
}

static void
on_attached(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct attach_result a;
	int second;

	io_close(&j->side);
	if (!job_task_ok(j, o))
		return;
	if (j->probing) {
		probe_answered(j, o->result);
		return;
	}
	if ((seal = seal_of(j, &e)) == NULL || attach_result_get(o->result, &a, &e) < 0 || (second = second_revision(j, &e)) < 0 ||
	    token_note(j->core, seal->tsa->name, a.token_len, &e) < 0 || tst_put(j, second == 1 ? "dts" : "tst", &a, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	job_step(j);
}

/* What the time stamp is about: the signature value, or the bytes of the second revision (then no CMS). */
static int
stamp_over(struct job *j, struct buf *b, uint8_t imprint[HASH_LEN], const uint8_t **ret_cms, size_t *ret_len,
    struct err *e)
{
	struct prep p;
	int r;

	if (j->probing) {
		memcpy(imprint, j->digest, HASH_LEN);
		*ret_cms = NULL;
		*ret_len = 0;
		return 0;
	}
	if ((r = second_revision(j, e)) == 0)
		return sig_get(j, b, imprint, ret_cms, ret_len, e);
	if (r < 0 || (r = prep_get(j, "dtsprep", &p, e)) < 0)
		return r;
	memcpy(imprint, p.digest, HASH_LEN);
	*ret_cms = NULL;
	*ret_len = 0;
	return 0;
}

static int
attach_start(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct job_task t = { .kind = TASK_ATTACH, .in = -1, .as_mib = 256, .cpu_s = 10, .deadline_ms = 20000 };
	struct attach_params p;
	int64_t now = clock_wall_us(), skew = (int64_t)seal->tsa->skew_ms * 1000;
	AUTO_BUF sig;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, WIRE_PAYLOAD);
	buf_init(&sig, 0);
	if ((r = stamp_over(j, &sig, p.imprint, &p.cms, &p.cms_len, e)) < 0)
		return r;
	snprintf(p.tsa, sizeof(p.tsa), "%s", seal->tsa->name);
	snprintf(p.policy, sizeof(p.policy), "%s", seal->tsa->policy);
	p.nonce = j->nonce;
	p.window_from_us = j->stamp_sent_us - skew;
	p.window_to_us = now + skew;
	attach_params_put(&b, &p);
	j->side = take_fd(&j->out);
	t.in = j->side;
	t.params = &b;
	return job_task(j, &t, on_attached, e);
}

/* What an admin hears of it is one alarm, however many jobs wait (alarm.h). */
void
stamping_heard(struct core *c, const char *tsa, int64_t sent_us, const struct err *why)
{
	int64_t took = clock_wall_us() - sent_us;

	if (why != NULL && why->code != ERR_TSA_DOWN && why->code != ERR_TSA_ANSWER)
		return;
	alarm_tsa(c, tsa, why);
	metrics_tsa(c, tsa, why == NULL, took > 0 ? (double)took / 1e6 : 0);
}

static void
on_stamped(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct stamp_result s;

	if (j->reloads == j->core->reloads && (seal = conf_seal(j->core->conf, j->plan->seal)) != NULL && seal->tsa != NULL)
		stamping_heard(j->core, seal->tsa->name, j->stamp_sent_us, o->err);
	if (!job_task_ok(j, o))
		return;
	if ((seal = seal_of(j, &e)) == NULL || stamp_result_get(o->result, &s, &e) < 0 ||
	    answer_read(j, s.len, &e) < 0 || attach_start(j, seal, &e) < 0)
		job_trouble(j, &e);
}

/* 63 bits and never 0, so that the nonce is a positive INTEGER of at most 8 bytes. */
int
stamping_nonce(uint64_t *ret, struct err *e)
{
	if (getrandom(ret, sizeof(*ret), 0) != sizeof(*ret))
		return err_sys(e, ERR_IO, "random nonce");
	*ret = (*ret >> 1) | 1ULL << 62;
	return 0;
}

static int
stamp_start(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct job_task t = { .kind = TASK_STAMP, .in = -1, .out = &j->out, .as_mib = 512, .cpu_s = 20 };
	struct stamp_params p;
	const uint8_t *cms;
	size_t len;
	AUTO_BUF sig;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, 4096);
	buf_init(&sig, 0);
	if ((r = stamp_over(j, &sig, p.imprint, &cms, &len, e)) < 0)
		return r;
	if ((r = stamping_nonce(&j->nonce, e)) < 0)
		return r;
	snprintf(p.tsa, sizeof(p.tsa), "%s", seal->tsa->name);
	p.nonce = j->nonce;
	stamp_params_put(&b, &p);
	j->stamp_sent_us = clock_wall_us();
	t.params = &b;
	t.deadline_ms = (uint32_t)(seal->tsa->timeout_ms * seal->tsa->url.n + 5000);
	return job_task(j, &t, on_stamped, e);
}

/* --- the clock ------------------------------------------------------------------------- */

void
stamping_probe_over(struct job *j)
{
	j->probing = false;
	if (j->core->clock_probe == j)
		j->core->clock_probe = NULL;
}

int
stamping_probe(struct job *j, const struct conf_seal *seal, struct err *e)
{
	if (j->core->clock_probe != NULL && j->core->clock_probe != j) {
		err_set(&j->why, ERR_TSA_ANSWER, "the clock was set; another job asks the time-stamping authority for the time");
		j->stalled = true;
		job_step_soon(j, PROBE_POLL_MS);
		return 0;
	}
	if (getrandom(j->digest, sizeof(j->digest), 0) != sizeof(j->digest))
		return err_sys(e, ERR_IO, "random bytes");
	j->core->clock_probe = j;
	j->probing = true;
	return stamp_start(j, seal, e);
}

/* --- fill the hole, judge -------------------------------------------------------------- */

static int
fill_hole(void *ctx, struct err *e)
{
	struct job *j = ctx;
	const struct sealwork *w = j->sealwork;

	return io_pwrite_full(j->out, w->hex, w->hex_len, w->hex_at, e);
}

static void
on_filled(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	void (*then)(struct job *) = j->sealwork->then;

	j->busy = false;
	j->steps = NULL;
	sealing_forget(j);
	if (why != NULL)
		job_trouble(j, why);
	else
		then(j);
}

/* j->out = the file with this CMS or token in its hole; then() comes later. */
static int
fill(struct job *j, const char *file, const struct prep *p, const uint8_t *cms, size_t len, void (*then)(struct job *),
    struct err *e)
{
	struct sealwork *w;
	int r;

	if (len > p->hole)
		return err_set(e, ERR_SIG, "%zu bytes do not fit into a hole of %u", len, p->hole);
	if ((w = sealwork_new(j, e)) == NULL)
		return -(int)e->code;
	if ((w->doc = openat(j->dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_sys(e, ERR_IO, "%s", file);
	if ((w->hex = malloc(2 * len + 1)) == NULL)
		return err_set(e, ERR_MEM, "signature");
	io_close(&j->out);
	if ((r = io_size(w->doc, &w->size, e)) < 0 || (j->out = r = io_tmpfile(j->dir, e)) < 0)
		return r;
	hex_encode(cms, len, w->hex);
	w->hex_len = 2 * len;
	w->hex_at = p->range[1] + 1;
	w->then = then;
	steps_copy(j->steps, w->doc, 0, w->size, j->out, false);
	steps_call(j->steps, fill_hole);
	j->busy = true;
	steps_go(j->steps, on_filled);
	return 0;
}

static int
sealed_records(void *ctx, struct err *e)
{
	struct job *j = ctx;
	const struct judged_sig *s = &j->judged->sigs[j->ours];
	struct verdict_record v = { .level = s->level, .gen_time_us = s->gen_time_us, .sealed_us = clock_wall_us() };
	AUTO_FREE char *text = NULL;
	int r;

	memcpy(v.tst, s->token_hash, HASH_LEN);
	if (j->sigs.pdfa_part != 0 && j->inspect.kind != DOC_PDF_KEPT) /* what others claim is not ours to record */
		snprintf(v.pdfa, sizeof(v.pdfa), "%u%c", j->sigs.pdfa_part % 10, j->sigs.pdfa_conformance | 0x20);
	if ((r = jobjson_build(j, &text, e)) < 0 || (r = verdict_put(j, &v, e)) < 0 || (r = io_unlink(j->dir, "job.json", e)) < 0)
		return r;
	return record_put(j->dir, "job.json", text, strlen(text), e);
}

static int
sealed_put(void *ctx, struct err *e)
{
	struct job *j = ctx;
	int r = io_unlink(j->dir, "sealed.pdf", e);

	return r < 0 ? r : io_put_fd(j->dir, "sealed.pdf", j->out, e);
}

static void
on_sealed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->steps = NULL;
	io_close(&j->out);
	if (why != NULL)
		job_trouble(j, why);
	else if (job_move(j, SPOOL_SEALED, &e) < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

static void
sealed_done(struct job *j)
{
	j->steps = steps_new(j->core->loop, j);
	steps_flush(j->steps, j->out);
	steps_call(j->steps, sealed_records);
	steps_call(j->steps, sealed_put);
	j->busy = true;
	steps_go(j->steps, on_sealed);
}

/* The verdict must be about exactly this seal, at the level its settings name, and leave others as they were. */
static int
check_verdict(struct job *j, const struct conf_seal *seal, const struct prep *p, struct err *e)
{
	const struct sealwork *w = j->sealwork;
	const uint32_t last = w->stamp < w->list->n ? w->stamp : w->ours;
	const struct judged_sig *s = &j->judged->sigs[w->ours];

	if (j->judged->nsigs != w->list->n)
		return err_set(e, ERR_SIG, "our own check finds no signature");
	if (j->judged->verdict != VERDICT_PROVEN || s->verdict != VERDICT_PROVEN)
		return err_set(e, ERR_SIG, "our own check refuses it: %s", s->nreasons > 0 ? s->reasons[0] : "no reason");
	if (s->level < seal->level)
		return err_set(e, ERR_SIG, "our own check finds level %s instead of %s", level_name(s->level),
		    level_name(seal->level));
	if (!j->judged->sigs[last].covers_file)
		return err_set(e, ERR_SIG, "our own check finds bytes that the signature does not cover");
	if (memcmp(s->cert_hash, p->cert_hash, HASH_LEN) != 0)
		return err_set(e, ERR_SIG, "our own check finds another certificate");
	j->ours = w->ours;
	return earlier_stand(j, w->judge, j->judged, e);
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	const struct conf_seal *seal;
	struct prep p;

	io_close(&j->side);
	if (o->err != NULL)
		sealing_forget(j);
	if (!job_task_ok(j, o))
		return;
	if (j->judged == NULL && (j->judged = calloc(1, sizeof(*j->judged))) == NULL)
		err_set(&e, ERR_MEM, "verdict");
	else if ((seal = seal_of(j, &e)) != NULL && prep_get(j, "prep", &p, &e) == 0 &&
	    judge_result_get(o->result, j->judged, &e) == 0 && check_verdict(j, seal, &p, &e) == 0) {
		sealing_forget(j);
		if (j->inspect.files == 0)
			sealed_done(j);
		else
			attached_check(j, sealed_done, &e);
		if (e.code == ERR_OK)
			return;
	}
	sealing_forget(j);
	job_trouble(j, &e);
}

static int
judge_ask(struct job *j, struct err *e)
{
	const struct sealwork *w = j->sealwork;

	if (memcmp(w->judge->range_hash[w->ours], w->prep.digest, HASH_LEN) != 0)
		return err_set(e, ERR_SIG, "our own check finds other bytes than were signed");
	return sealwork_judge(j, on_judged, e);
}

static void
on_ranges_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->steps = NULL;
	if (why != NULL)
		e = *why;
	else
		judge_ask(j, &e);
	if (e.code == ERR_OK)
		return;
	sealing_forget(j);
	job_trouble(j, &e);
}

/* Which of the signatures are ours; all others came with the document. */
static int
find_ours(struct job *j, struct err *e)
{
	struct sealwork *w = j->sealwork;
	struct prep dts;
	int r;

	w->stamp = w->list->n;
	if ((w->ours = siglist_find(w->list, w->prep.range)) == w->list->n)
		return err_set(e, ERR_SIG, "our own check finds another ByteRange than was signed");
	if ((r = second_revision(j, e)) == 1 && (r = prep_get(j, "dtsprep", &dts, e)) == 0)
		w->stamp = siglist_find(w->list, dts.range);
	return r < 0 ? r : earlier_find(j, w->list, w->ours, w->stamp, w->judge, e);
}

static int
judge_start(struct job *j, struct err *e)
{
	struct sealwork *w = sealwork_new(j, e);
	int r;

	if (w == NULL || (w->judge = calloc(1, sizeof(*w->judge))) == NULL || (w->list = calloc(1, sizeof(*w->list))) == NULL)
		return err_set(e, ERR_MEM, "verdict");
	w->judge->nsigs = j->sigs.nsigs;
	if ((r = io_size(j->out, &w->judge->file_len, e)) < 0 || (r = prep_get(j, "prep", &w->prep, e)) < 0 ||
	    (r = siglist_read(w->list, j->side, w->judge->nsigs, w->judge->file_len, e)) < 0 || (r = find_ours(j, e)) < 0)
		return r;
	siglist_hash(w->list, j->steps, j->out, w->judge);
	j->busy = true;
	steps_go(j->steps, on_ranges_hashed);
	return 0;
}

static void
on_listed(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	int r;

	if (!job_task_ok(j, o))
		return;
	if ((r = sigs_result_get(o->result, &j->sigs, &e)) == 0 &&
	    (j->sigs.warnings != 0 || j->sigs.nsigs == 0 || j->sigs.pages != j->plan->pages))
		r = err_set(&e, ERR_SIG, "our own check finds %u signatures, %u pages, %u warnings", j->sigs.nsigs,
		    j->sigs.pages, j->sigs.warnings);
	if (r == 0 && (r = judge_start(j, &e)) < 0)
		sealing_forget(j);
	if (r < 0)
		job_trouble(j, &e);
}

static void
list_start(struct job *j)
{
	struct job_task t = { .kind = TASK_SIGS, .out = &j->side, .as_mib = DOCUMENT_MIB, .cpu_s = 60,
		.deadline_ms = 90000, .in = j->out };
	struct err e = { 0 };

	if (job_task(j, &t, on_listed, &e) < 0)
		job_trouble(j, &e);
}

/* Fills the hole and has the result judged. */
static int
finish(struct job *j, const uint8_t *cms, size_t len, struct err *e)
{
	struct prep p;
	int r;

	if ((r = prep_get(j, "prep", &p, e)) < 0)
		return r;
	return fill(j, "prepared.pdf", &p, cms, len, list_start, e);
}

/* --- the second revision --------------------------------------------------------------- */

static int
revision_put(void *ctx, struct err *e)
{
	struct job *j = ctx;
	int r;

	/* a time stamp over an earlier revision is none over this one */
	if ((r = io_unlink(j->dir, "dts", e)) < 0 || (r = io_unlink(j->dir, "stamped.pdf", e)) < 0 ||
	    (r = io_put_fd(j->dir, "stamped.pdf", j->out, e)) < 0)
		return r;
	return prep_put(j, "dtsprep", &j->sealwork->prep, e);
}

static int
revision_hash(void *ctx, struct err *e)
{
	struct job *j = ctx;
	struct sealwork *w = j->sealwork;
	int r = check_range(j->out, w->prep.range, w->doc_size, w->size, w->prep.hole, e);

	if (r < 0)
		return r;
	for (int half = 0; half < 4; half += 2)
		steps_copy(j->steps, j->out, w->prep.range[half], w->prep.range[half + 1], -1, true);
	steps_digest(j->steps, w->prep.digest);
	steps_flush(j->steps, j->out);
	steps_call(j->steps, revision_put);
	return 0;
}

static void
on_revision_put(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->busy = false;
	j->steps = NULL;
	sealing_forget(j);
	if (why != NULL)
		job_trouble(j, why);
	else
		job_step(j);
}

/* j->out is prepared.pdf + sig, j->side the update: stamped.pdf and its record. */
static int
revision_begin(struct job *j, const struct field_result *f, struct err *e)
{
	struct sealwork *w = sealwork_new(j, e);
	uint64_t update;
	int r;

	if (w == NULL)
		return -(int)e->code;
	if ((r = io_size(j->out, &w->doc_size, e)) < 0 || (r = io_size(j->side, &update, e)) < 0)
		return r;
	if (f->doc_len != w->doc_size || f->update_len != update)
		return err_set(e, ERR_DOC_CRASH, "the update has another length than said");
	w->size = w->doc_size + update;
	if ((r = check_range_shape(f->range, w->doc_size, w->size, j->hole, e)) < 0)
		return r;
	if (lseek(j->out, 0, SEEK_END) < 0)
		return err_sys(e, ERR_IO, "stamped.pdf");
	memcpy(w->prep.range, f->range, sizeof(w->prep.range));
	w->prep.hole = j->hole;
	w->prep.time_us = j->seal_time_us;
	steps_copy(j->steps, j->side, 0, update, j->out, false);
	steps_call(j->steps, revision_hash);
	j->busy = true;
	steps_go(j->steps, on_revision_put);
	return 0;
}

static void
on_revision(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	struct field_result f;

	if (!job_task_ok(j, o))
		return;
	if (field_result_get(o->result, &f, &e) < 0 || revision_begin(j, &f, &e) < 0) {
		sealing_forget(j);
		job_trouble(j, &e);
	}
}

/* prepared.pdf with its signature is in j->out: a child appends the revision. */
static int
revision_ask(struct job *j, struct err *e)
{
	struct job_task t = { .kind = TASK_FINISH, .out = &j->side, .as_mib = DOCUMENT_MIB, .cpu_s = 60,
		.deadline_ms = 90000, .in = j->out };
	AUTO_FREE struct field_params *f = calloc(1, sizeof(*f));
	const struct conf_seal *seal = seal_of(j, e);
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (f == NULL)
		return err_set(e, ERR_MEM, "time-stamp revision");
	if (seal == NULL)
		return -(int)e->code;
	memcpy(f->id, j->claim.id, ID_MAX);
	j->seal_time_us = f->time_us = clock_wall_us();
	j->hole = f->hole = (token_seen(j->core, seal->tsa->name) + HOLE_SPARE + 1023) / 1024 * 1024;
	field_params_put(&b, f);
	t.params = &b;
	return job_task(j, &t, on_revision, e);
}

static void
revision_next(struct job *j)
{
	struct err e = { 0 };

	if (!job_outdated(j) && revision_ask(j, &e) < 0)
		job_trouble(j, &e);
}

static int
revision_start(struct job *j, struct err *e)
{
	uint8_t imprint[HASH_LEN];
	const uint8_t *cms;
	size_t len;
	struct prep p;
	AUTO_BUF sig;
	int r;

	buf_init(&sig, 0);
	if ((r = prep_get(j, "prep", &p, e)) < 0 || (r = sig_get(j, &sig, imprint, &cms, &len, e)) < 0)
		return r;
	return fill(j, "prepared.pdf", &p, cms, len, revision_next, e);
}

/* --- the step --------------------------------------------------------------------------- */

static int
step_b_b(struct job *j, struct err *e)
{
	uint8_t imprint[HASH_LEN];
	const uint8_t *cms;
	size_t len;
	AUTO_BUF sig;
	int r;

	buf_init(&sig, 0);
	if ((r = sig_get(j, &sig, imprint, &cms, &len, e)) < 0)
		return r;
	return finish(j, cms, len, e);
}

/* A token that has grown since its revision was made: that one is made anew, with room for what was seen. */
static int
step_revision(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct tst t = { 0 };
	struct prep p;
	int r;

	if ((r = second_revision(j, e)) == 0)
		return revision_start(j, e);
	if (r < 0 || (r = tst_get(j, "dts", &t, e)) < 0 || (r == 1 && prep_get(j, "dtsprep", &p, e) < 0))
		r = -(int)e->code;
	else if (r == 0)
		r = stamp_start(j, seal, e);
	else if (t.cms_len <= p.hole)
		r = fill(j, "stamped.pdf", &p, t.cms, t.cms_len, list_start, e);
	else if ((r = io_unlink(j->dir, "dtsprep", e)) == 0)
		r = revision_start(j, e);
	tst_done(&t);
	return r;
}

static int
step_b_t(struct job *j, const struct conf_seal *seal, struct err *e)
{
	struct tst t = { 0 };
	struct prep p;
	int r;

	if ((r = prep_get(j, "prep", &p, e)) < 0 || (r = tst_get(j, "tst", &t, e)) < 0)
		return r;
	if (r == 0)
		return stamp_start(j, seal, e);
	if (t.cms_len <= p.hole) {
		r = finish(j, t.cms, t.cms_len, e);
		tst_done(&t);
		return r;
	}
	tst_done(&t);
	return step_revision(j, seal, e);
}

void
sealing_step_signed(struct job *j)
{
	struct err e = { 0 };
	const struct conf_seal *seal = seal_of(j, &e);
	int r = -1;

	if (seal != NULL) {
		memset(&j->why, 0, sizeof(j->why));
		r = seal->level >= LEVEL_B_T ? step_b_t(j, seal, &e) : step_b_b(j, &e);
	}
	if (r < 0) {
		sealing_forget(j);
		job_trouble(j, &e);
	}
}
