#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/batchint.h"

#define JUDGE_MIB 256
#define JUDGE_MS 30000

/*
 * Making one record: gather, ask the TSA, have its answer judged, write, have what
 * is on disk judged, enter it in the log.  One that an earlier run has written joins
 * in the middle.
 */

static void ask(struct batches *);
static void judge_next(struct batches *);
static void judge_written(struct batches *);

static int
archive_of(const struct batches *b)
{
	return archive_dir(b->core->archive);
}

void
batch_drop_work(struct batches *b)
{
	if (b->task != 0)
		children_cancel(b->core->children, b->task);
	b->task = 0;
	io_close(&b->out);
	er_gather_free(b->gather);
	b->gather = NULL;
	hashtree_free(b->tree);
	b->tree = NULL;
	b->renewing = b->adopting = b->entering = false;
	b->refused = 0;
}

/* --- tasks -------------------------------------------------------------------------------- */

static int
run_task(struct batches *b, uint32_t kind, const struct buf *params, int in, int out, uint32_t deadline_ms, task_cb *cb,
    struct err *e)
{
	const struct task_req req = { .kind = kind, .params = params, .in = in, .out = out,
		.as_mib = kind == TASK_STAMP ? 512 : JUDGE_MIB, .cpu_s = 20, .deadline_ms = deadline_ms, .fsize = ER_TOKEN_MAX };

	if (!buf_ok(params))
		return err_set(e, ERR_MEM, "evidence record");
	b->task = children_task(b->core->children, &req, cb, b);
	return b->task != 0 ? 0 : err_set(e, ERR_MEM, "evidence record");
}

/* False: it failed, and the work is over; or the core is, and the next run finds what there is. */
static bool
task_good(struct batches *b, const struct task_outcome *o)
{
	b->task = 0;
	if (b->core->stopping)
		return false;
	if (o->err == NULL)
		return true;
	batch_over(b, o->err);
	return false;
}

/* The record of that chain, as a verify child reads it: how many objects it covers, their hashes, and the record itself. */
static int
compose(const struct batches *b, const struct er_chain *c, struct buf *in, struct err *e)
{
	AUTO_BUF objects = { 0 }, record = { 0 };
	int r;

	buf_init(&objects, (size_t)ERS_OBJECTS_MAX * HASH_LEN);
	buf_init(&record, ERS_RECORD_MAX);
	buf_init(in, objects.max + record.max + 4);
	if ((r = er_compose(archive_of(b), c, NULL, 0, &objects, &record, e)) < 0)
		return r;
	buf_put_u32(in, (uint32_t)(objects.len / HASH_LEN));
	buf_put(in, objects.data, objects.len);
	buf_put(in, record.data, record.len);
	return buf_ok(in) ? 0 : err_set(e, ERR_MEM, "evidence record");
}

static int
judge(struct batches *b, const struct buf *in, task_cb *cb, struct err *e)
{
	const struct ers_params p = { .now_us = clock_wall_us() };
	AUTO_BUF params = { 0 };
	AUTO_FD fd = io_memfd("record", in->data, in->len, e);

	if (fd < 0)
		return fd;
	buf_init(&params, 256);
	ers_params_put(&params, &p);
	return run_task(b, TASK_RECORD, &params, fd, -1, JUDGE_MS, cb, e);
}

/* --- gather --------------------------------------------------------------------------------- */

/* What an earlier run wrote is only ours when the log makes the same of it. */
static int
same_as_written(struct batches *b, struct err *e)
{
	AUTO_BUF now = { 0 }, then = { 0 };
	struct hashtree *t;
	int r;

	buf_init(&now, HASHTREE_TEXT_MAX);
	buf_init(&then, HASHTREE_TEXT_MAX);
	if ((r = er_tree(archive_of(b), b->number, &t, e)) < 0)
		return r;
	if ((r = hashtree_text(t, &then, e)) == 0 && (r = hashtree_text(b->tree, &now, e)) == 0)
		r = now.len == then.len && memcmp(now.data, then.data, now.len) == 0;
	hashtree_free(t);
	return r;
}

/* That directory is not of this log. */
static void
skip(struct batches *b)
{
	log_line(LOG_WARNING, "evidence/er/%u is not what the log would make: left alone", b->number);
	b->skipped++;
	batch_over(b, NULL);
}

static void
gathered(struct batches *b)
{
	struct err e = { 0 };
	int r = b->adopting ? same_as_written(b, &e) : 1;

	if (r < 0)
		batch_over(b, &e);
	else if (r == 0)
		skip(b);
	else if (b->adopting)
		judge_written(b);
	else
		ask(b);
}

static void
on_gather(void *ctx)
{
	struct batches *b = ctx;
	struct err e = { 0 };
	int r;

	b->timer = 0;
	if (b->core->stopping)
		return;
	r = er_gather_step(b->gather, BATCH_STEP, &e);
	if (r < 0) {
		batch_over(b, &e);
	} else if (r == 0) {
		b->timer = loop_timer(b->core->loop, 0, on_gather, b);
	} else {
		b->tree = er_gather_take(b->gather);
		gathered(b);
	}
}

static void
gather(struct batches *b, uint64_t first, uint64_t last, uint64_t size)
{
	struct err e = { 0 };

	b->state = BATCH_WORKING;
	if (er_gather_new(&b->gather, b->core->elog, archive_of(b), first, last, size, &e) < 0)
		batch_over(b, &e);
	else
		b->timer = loop_timer(b->core->loop, 0, on_gather, b);
}

void
batch_begin(struct batches *b)
{
	uint64_t size = elog_published(b->core->elog);

	b->number = batch_next_number(b);
	gather(b, batch_first(b), size - 1, size);
}

/* --- renewal ----------------------------------------------------------------------------------- */

/* All time stamps over one batch so far, as a group of the renewal's tree. */
static int
add_due(struct batches *b, const struct known *k, struct err *e)
{
	uint8_t hashes[ER_CHAIN_MAX][HASH_LEN];
	size_t n = 0;

	memcpy(hashes[n++], k->token, HASH_LEN);
	for (uint32_t i = 0; i < k->nrenewals && n < ER_CHAIN_MAX; i++)
		memcpy(hashes[n++], batch_known(b, k->renewals[i])->token, HASH_LEN);
	return hashtree_add(b->tree, HASHTREE_RECORD, k->record, (const uint8_t (*)[HASH_LEN])hashes, n, e);
}

/* What can not be proven any more is not renewed: a new time stamp would only hide it.  The others are. */
static void
refuse(struct batches *b, const struct known *k, const char *why)
{
	b->refused++;
	log_line(LOG_ALERT, "evidence record %u can not be renewed: %s", k->record, why);
}

static void
on_due_judged(void *ctx, const struct task_outcome *o)
{
	struct batches *b = ctx;
	const struct known *k = &b->known[b->at];
	AUTO_FREE struct ers_result *res = calloc(1, sizeof(*res));
	struct err e = { 0 };

	if (!task_good(b, o))
		return;
	if (res == NULL)
		err_set(&e, ERR_MEM, "evidence record");
	else if (ers_result_get(o->result, res, &e) == 0 && res->verdict == VERDICT_PROVEN)
		add_due(b, k, &e);
	if (e.code != ERR_OK) {
		batch_over(b, &e);
		return;
	}
	if (res->verdict != VERDICT_PROVEN)
		refuse(b, k, res->nreasons > 0 ? res->reasons[0] : "it is not proven");
	b->at++;
	judge_next(b);
}

static void
all_judged(struct batches *b)
{
	struct err e = { 0 };

	if (hashtree_count(b->tree) == 0)
		err_set(&e, ERR_SIG, "none of the %u records that are due can be proven", b->refused);
	else
		hashtree_close(b->tree, &e);
	if (e.code != ERR_OK)
		batch_over(b, &e);
	else
		ask(b);
}

/* All that is there about one batch; -ERR_LOG, or as batch_is_lost() tells: not whole any more. */
static int
compose_due(const struct batches *b, const struct known *k, struct buf *in, struct err *e)
{
	struct er_chain chain;
	int r;

	if (k->unread != 0)
		return err_set(e, ERR_LOG, "record %u, which may cover it, can not be read", k->unread);
	return (r = batch_chain(k, &chain, e)) < 0 ? r : compose(b, &chain, in, e);
}

static void
judge_next(struct batches *b)
{
	int64_t now = clock_wall_us();
	struct err e = { 0 };

	for (; b->at < b->n; b->at++) {
		const struct known *k = &b->known[b->at];
		AUTO_BUF in = { 0 };
		int r;

		if (!batch_is_due(b, k, now))
			continue;
		if ((r = compose_due(b, k, &in, &e)) < 0 && batch_is_lost(&e)) {
			refuse(b, k, e.text);
			continue;
		}
		if (r < 0 || judge(b, &in, on_due_judged, &e) < 0)
			batch_over(b, &e);
		return;
	}
	all_judged(b);
}

void
batch_begin_renewal(struct batches *b)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	struct err e = { 0 };

	b->state = BATCH_WORKING;
	b->renewing = true;
	b->number = batch_next_number(b);
	b->at = 0;
	if (hashtree_new(&b->tree, &head, &e) < 0)
		batch_over(b, &e);
	else
		judge_next(b);
}

/* --- ask --------------------------------------------------------------------------------------- */

static void
on_attached(void *ctx, const struct task_outcome *o)
{
	struct batches *b = ctx;
	struct attach_result a;
	struct err e = { 0 };

	io_close(&b->out);
	if (!task_good(b, o))
		return;
	if (attach_result_get(o->result, &a, &e) < 0 ||
	    er_write(archive_of(b), b->number, b->tree, a.cms, a.cms_len, &e) < 0)
		batch_over(b, &e);
	else
		judge_written(b);
}

static int
attach(struct batches *b, const struct conf_tsa *tsa, struct err *e)
{
	int64_t skew = (int64_t)tsa->skew_ms * 1000;
	struct attach_params p = { .complete = 1, .nonce = b->nonce, .window_from_us = b->sent_us - skew,
		.window_to_us = clock_wall_us() + skew };
	AUTO_BUF params = { 0 };

	buf_init(&params, WIRE_PAYLOAD);
	snprintf(p.tsa, sizeof(p.tsa), "%s", tsa->name);
	snprintf(p.policy, sizeof(p.policy), "%s", tsa->policy);
	hashtree_root(b->tree, p.imprint);
	attach_params_put(&params, &p);
	return run_task(b, TASK_ATTACH, &params, b->out, -1, JUDGE_MS, on_attached, e);
}

static void
on_stamped(void *ctx, const struct task_outcome *o)
{
	struct batches *b = ctx;
	const struct conf_tsa *tsa = batch_tsa(b->core);
	struct stamp_result s;
	struct err e = { 0 };
	uint64_t size;

	if (tsa != NULL)
		stamping_heard(b->core, tsa->name, b->sent_us, o->err);
	if (!task_good(b, o))
		return;
	if (tsa == NULL)
		err_set(&e, ERR_LATER, "the settings name no time-stamping authority for evidence any more");
	else if (stamp_result_get(o->result, &s, &e) == 0 && io_size(b->out, &size, &e) == 0 && size != s.len)
		err_set(&e, ERR_TSA_ANSWER, "the time-stamp answer has a wrong length");
	if (e.code != ERR_OK || attach(b, tsa, &e) < 0)
		batch_over(b, &e);
}

static int
stamp(struct batches *b, const struct conf_tsa *tsa, struct err *e)
{
	struct stamp_params p = { .nonce = 0 };
	AUTO_BUF params = { 0 };
	int r;

	buf_init(&params, 4096);
	if ((r = stamping_nonce(&b->nonce, e)) < 0 || (b->out = r = io_tmpfile(b->core->spool.state, e)) < 0)
		return r;
	snprintf(p.tsa, sizeof(p.tsa), "%s", tsa->name);
	p.nonce = b->nonce;
	hashtree_root(b->tree, p.imprint);
	stamp_params_put(&params, &p);
	b->sent_us = clock_wall_us();
	return run_task(b, TASK_STAMP, &params, -1, b->out, (uint32_t)(tsa->timeout_ms * tsa->url.n + 5000), on_stamped, e);
}

static void
ask(struct batches *b)
{
	const struct conf_tsa *tsa = batch_tsa(b->core);
	struct err e = { 0 };

	if (tsa == NULL)
		err_set(&e, ERR_LATER, "the settings name no time-stamping authority for evidence any more");
	else
		stamp(b, tsa, &e);
	if (e.code != ERR_OK)
		batch_over(b, &e);
}

/* --- enter --------------------------------------------------------------------------------------- */

/* A renewal that ends no later than what it renews would be asked for again and again. */
static bool
gains(const struct batches *b, int64_t until_us)
{
	for (size_t i = 0; b->renewing && i < hashtree_count(b->tree); i++)
		if (batch_known(b, hashtree_group(b->tree, i)->number)->live_until_us >= until_us)
			return false;
	return true;
}

static int
enter(struct batches *b, const struct ers_stamp *s, struct err *e)
{
	const struct hashtree_head *h = hashtree_head(b->tree);
	struct entry x = { .type = b->renewing ? ENTRY_RENEWAL : ENTRY_BATCH, .time_us = clock_wall_us(), .record = b->number, .has_before = b->n > 0,
		.before = b->n > 0 ? b->known[b->n - 1].index : 0, .range = { h->first, h->last, h->checkpoint },
		.groups = (uint32_t)hashtree_count(b->tree), .stamped_us = s->gen_time_us, .until_us = s->not_after_us, .nfiles = 2 };
	const struct conf_tsa *tsa = batch_tsa(b->core);
	uint64_t index;
	int r;

	snprintf(x.tsa, sizeof(x.tsa), "%s", tsa != NULL ? tsa->name : "");
	hashtree_root(b->tree, x.root);
	if ((r = er_files(archive_of(b), b->number, x.files, e)) < 0)
		return r;
	b->entering = true;
	if ((r = logbook_say(b->core, &x, &index, e)) < 0)
		return r;
	x.index = index;
	b->renewed = b->renewing ? x.groups : 0;
	log_line(LOG_INFO, "evidence record %u: %s of %u groups, entry %llu of the log", x.record, entry_type_word(x.type),
	    x.groups, (unsigned long long)index);
	if ((r = batch_learn(b, &x, e)) == 0)
		b->entering = false;
	return r;
}

static void
on_written_judged(void *ctx, const struct task_outcome *o)
{
	struct batches *b = ctx;
	AUTO_FREE struct ers_result *res = calloc(1, sizeof(*res));
	struct err e = { 0 };

	if (!task_good(b, o))
		return;
	if (res == NULL)
		err_set(&e, ERR_MEM, "evidence record");
	else if (ers_result_get(o->result, res, &e) < 0)
		;
	else if (res->verdict != VERDICT_PROVEN || res->nstamps == 0)
		err_set(&e, ERR_SIG, "our own check refuses evidence/er/%u: %s", b->number, res->nreasons > 0 ? res->reasons[0] : "");
	else if (!gains(b, res->stamps[res->nstamps - 1].not_after_us))
		err_set(&e, ERR_TSA_ANSWER, "the authority's certificate ends no later than those that are to be renewed");
	if (e.code == ERR_SIG || e.code == ERR_TSA_ANSWER) {
		struct err ignored;

		if (er_remove(archive_of(b), b->number, &ignored) < 0)
			log_err(LOG_WARNING, "evidence/er", &ignored);
	}
	if (e.code != ERR_OK || enter(b, &res->stamps[res->nstamps - 1], &e) < 0)
		batch_over(b, &e);
	else
		batch_over(b, NULL);
}

/* The chain of the first group: of a renewal the first record that it covers, and itself. */
static int
chain_of_work(struct batches *b, struct er_chain *c, struct err *e)
{
	int r;

	if (!b->renewing) {
		*c = (struct er_chain){ .n = 1, .record = { b->number } };
		return 0;
	}
	if ((r = batch_chain(batch_known(b, hashtree_group(b->tree, 0)->number), c, e)) == 0)
		c->record[c->n++] = b->number;
	return r;
}

static void
judge_written(struct batches *b)
{
	struct er_chain c;
	struct err e = { 0 };
	AUTO_BUF in = { 0 };

	if (chain_of_work(b, &c, &e) < 0 || compose(b, &c, &in, &e) < 0 || judge(b, &in, on_written_judged, &e) < 0)
		batch_over(b, &e);
}

/* --- what an earlier run has left ------------------------------------------------------------------ */

/* Are its groups records of this log, with all their time stamps? */
static bool
renews_ours(struct batches *b, const struct hashtree *t)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	uint8_t now[HASH_LEN], then[HASH_LEN];
	struct err e = { 0 };

	hashtree_new(&b->tree, &head, &e);
	for (size_t i = 0; i < hashtree_count(t) && e.code == ERR_OK; i++) {
		const struct known *k = batch_known(b, hashtree_group(t, i)->number);

		if (k != NULL && k->type == ENTRY_BATCH)
			add_due(b, k, &e);
	}
	if (e.code != ERR_OK || hashtree_close(b->tree, &e) < 0)
		return false;
	hashtree_root(t, then);
	hashtree_root(b->tree, now);
	return memcmp(now, then, HASH_LEN) == 0;
}

void
batch_begin_left(struct batches *b)
{
	struct hashtree *t;
	struct hashtree_head h;
	struct err e = { 0 };
	bool ours;

	b->state = BATCH_WORKING;
	b->number = batch_next_number(b);
	if (er_tree(archive_of(b), b->number, &t, &e) < 0) {
		if (e.code == ERR_LOG)
			skip(b);
		else
			batch_over(b, &e);
		return;
	}
	h = *hashtree_head(t);
	b->adopting = true;
	b->renewing = h.kind == HASHTREE_RENEWAL;
	ours = b->renewing ? renews_ours(b, t) : h.first == batch_first(b) && h.checkpoint <= elog_published(b->core->elog);
	hashtree_free(t);
	if (!ours)
		skip(b);
	else if (b->renewing)
		judge_written(b);
	else
		gather(b, h.first, h.last, h.checkpoint);
}
