#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"

#include "agent/batchint.h"
#include "agent/control.h"

#define LOOK_MS 5000      /* between two looks at what there is to do */
#define LOOK_LEAST_MS 50
#define BACKOFF_FIRST_MS 2000
#define BACKOFF_LAST_MS 600000

const struct conf_tsa *
batch_tsa(const struct core *c)
{
	return *c->conf->evidence.tsa == '\0' ? NULL : conf_tsa(c->conf, c->conf->evidence.tsa);
}

uint32_t
batch_next_number(const struct batches *b)
{
	return (b->n == 0 ? 0 : b->known[b->n - 1].record) + 1 + b->skipped;
}

static const struct known *
last_batch(const struct batches *b)
{
	for (size_t i = b->n; i-- > 0;)
		if (b->known[i].type == ENTRY_BATCH)
			return &b->known[i];
	return NULL;
}

uint64_t
batch_first(const struct batches *b)
{
	const struct known *k = last_batch(b);

	return k == NULL ? 0 : k->last + 1;
}

/* --- what is known ----------------------------------------------------------------------- */

static int
by_record(const void *key, const void *item)
{
	uint64_t want = *(const uint64_t *)key, is = ((const struct known *)item)->record;

	return want < is ? -1 : want > is;
}

struct known *
batch_known(const struct batches *b, uint64_t record)
{
	return b->n == 0 ? NULL : bsearch(&record, b->known, b->n, sizeof(*b->known), by_record);
}

/* A renewal and the batches that it covers, whose time stamps it makes last longer. */
static int
learn_renewal(struct batches *b, const struct known *renewal, struct err *e)
{
	struct hashtree *t;
	int r = er_tree(archive_dir(b->core->archive), renewal->record, &t, e);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < hashtree_count(t); i++) {
		struct known *k = batch_known(b, hashtree_group(t, i)->number);
		uint32_t *p;

		if (k == NULL || k->type != ENTRY_BATCH)
			continue;
		if ((p = reallocarray(k->renewals, k->nrenewals + 1, sizeof(*p))) == NULL) {
			r = err_set(e, ERR_MEM, "evidence records");
			break;
		}
		k->renewals = p;
		k->renewals[k->nrenewals++] = renewal->record;
		k->live_until_us = renewal->until_us;
	}
	hashtree_free(t);
	return r;
}

static int
keep_known(struct batches *b, const struct entry *x, struct err *e)
{
	struct known *k;

	if (x->nfiles != 2)
		return err_set(e, ERR_LOG, "entry %llu names no time stamp", (unsigned long long)x->index);
	if (b->n == b->cap) {
		size_t want = b->cap == 0 ? 64 : 2 * b->cap;
		void *p = reallocarray(b->known, want, sizeof(*b->known));

		if (p == NULL)
			return err_set(e, ERR_MEM, "evidence records");
		b->known = p;
		b->cap = want;
	}
	k = &b->known[b->n++];
	*k = (struct known){ .record = x->record, .index = x->index, .type = x->type, .last = x->range[1],
		.entered_us = x->time_us, .until_us = x->until_us, .live_until_us = x->until_us };
	memcpy(k->token, x->files[1].hash, HASH_LEN);
	return 0;
}

int
batch_learn(struct batches *b, const struct entry *x, struct err *e)
{
	int r = keep_known(b, x, e);

	if (r == 0 && x->type == ENTRY_RENEWAL)
		r = learn_renewal(b, &b->known[b->n - 1], e);
	if (r == 0)
		b->skipped = 0;
	return r;
}

int
batch_chain(const struct known *k, struct er_chain *ret, struct err *e)
{
	*ret = (struct er_chain){ .n = 1, .record = { k->record } };
	for (uint32_t i = 0; i < k->nrenewals; i++) {
		if (ret->n == ER_CHAIN_MAX - 1)
			return err_set(e, ERR_LOG, "record %u has %u time stamps already", k->record, ER_CHAIN_MAX - 1);
		ret->record[ret->n++] = k->renewals[i];
	}
	return 0;
}

bool
batch_is_lost(const struct err *e)
{
	return e->code == ERR_LOG || (e->code == ERR_IO && (errno == ENOENT || errno == EIO));
}

/*
 * Which batches it covers, only its tree says.  None that it may cover is renewed
 * without it: what it has proven would be left out, and could not be put back.
 */
static void
learn_unread(struct batches *b, const struct known *renewal, const struct err *why)
{
	log_line(LOG_ALERT, "evidence/er/%u can not be read, and what it may cover can not be renewed: %s; put it back from a copy, and start again",
	    renewal->record, why->text);
	for (struct known *k = b->known; k < renewal; k++)
		if (k->type == ENTRY_BATCH)
			k->unread = renewal->record;
}

/* The records of earlier runs were found newest first. */
static int
turn_round(struct batches *b, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < b->n / 2; i++) {
		struct known k = b->known[i];

		b->known[i] = b->known[b->n - 1 - i];
		b->known[b->n - 1 - i] = k;
	}
	for (size_t i = 0; r == 0 && i < b->n; i++)
		if (b->known[i].type == ENTRY_RENEWAL && (r = learn_renewal(b, &b->known[i], e)) < 0 && batch_is_lost(e)) {
			learn_unread(b, &b->known[i], e);
			r = 0;
		}
	return r;
}

static void
forget_known(struct batches *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->known[i].renewals);
	b->n = 0;
}

/* One step back: 1 there may be more, 0 all is known, -code. */
static int
look_back(struct batches *b, struct err *e)
{
	struct elog *l = b->core->elog;
	struct entry x, before;
	AUTO_BUF text = { 0 };
	int r;

	if (!b->looked) {
		if (b->look_end == UINT64_MAX) {
			if ((r = er_any(archive_dir(b->core->archive), e)) <= 0)
				return r; /* a log of any length need not be read for nothing */
			b->look_end = elog_size(l);
		}
		if ((r = er_last(l, &b->look_end, BATCH_STEP, &x, e)) <= 0)
			return r < 0 ? r : b->look_end > 0;
		b->looked = true;
	} else {
		buf_init(&text, ENTRY_MAX);
		if ((r = elog_entry(l, b->known[b->n - 1].index, &text, e)) < 0 ||
		    (r = entry_parse(text.data, text.len, &before, e)) < 0 || (r = er_before(l, &before, &x, e)) <= 0)
			return r;
	}
	return (r = keep_known(b, &x, e)) < 0 ? r : 1;
}

static void
look_from_start(struct batches *b)
{
	forget_known(b);
	b->looked = false;
	b->look_end = UINT64_MAX;
}

/* When the log began; now, when that can not be told. */
static int64_t
first_entry_us(const struct batches *b)
{
	AUTO_BUF text = { 0 };
	struct err e = { 0 };
	struct entry x;

	buf_init(&text, ENTRY_MAX);
	if (elog_entry(b->core->elog, 0, &text, &e) < 0 || entry_parse(text.data, text.len, &x, &e) < 0)
		return clock_wall_us();
	return x.time_us;
}

/* A batch is as old as its entry says; a clock that was set makes it due now, or later by one span at most. */
static void
schedule(struct batches *b)
{
	const struct known *k = last_batch(b);
	uint64_t span = b->core->conf->evidence.batch_ms;
	int64_t since = k != NULL ? k->entered_us : first_entry_us(b);
	int64_t age = (clock_wall_us() - since) / 1000;

	if (age < 0)
		age = 0;
	b->closes_ms = clock_ms() + ((uint64_t)age >= span ? 0 : span - (uint64_t)age);
	b->counted = batch_first(b);
	b->jobs = b->others = 0;
}

/* --- what is due --------------------------------------------------------------------------- */

static int64_t
due_of(const struct batches *b, const struct known *k)
{
	return k->live_until_us - (int64_t)b->core->conf->evidence.renew_before_ms * 1000;
}

bool
batch_is_due(const struct batches *b, const struct known *k, int64_t now_us)
{
	return k->type == ENTRY_BATCH && due_of(b, k) <= now_us;
}

int64_t
batch_due(const struct core *c)
{
	const struct batches *b = c->batches;
	int64_t first = INT64_MAX;

	if (b == NULL || b->state == BATCH_LOOKING)
		return 0;
	for (size_t i = 0; i < b->n; i++)
		if (b->known[i].type == ENTRY_BATCH && due_of(b, &b->known[i]) < first)
			first = due_of(b, &b->known[i]);
	return first == INT64_MAX ? 0 : first;
}

uint32_t
batch_count(const struct core *c)
{
	return c->batches == NULL ? 0 : (uint32_t)c->batches->n;
}

/* Entries behind the last batch: documents, and what else is worth a time stamp. */
static int
count_entries(struct batches *b, struct err *e)
{
	struct elog *l = b->core->elog;
	enum entry_type type;
	char job[ID_MAX];
	AUTO_BUF text = { 0 };
	int r;

	buf_init(&text, ENTRY_MAX);
	for (unsigned i = 0; i < BATCH_STEP && b->counted < elog_published(l) && b->jobs < ER_JOBS_MAX; i++) {
		if ((r = elog_entry(l, b->counted, &text, e)) < 0 || (r = entry_peek(text.data, text.len, &type, job, e)) < 0)
			return r;
		b->counted++;
		b->jobs += type == ENTRY_JOB;
		b->others += type != ENTRY_BATCH && type != ENTRY_RENEWAL;
	}
	return 0;
}

static bool
all_counted(const struct batches *b)
{
	return b->counted >= elog_published(b->core->elog);
}

static bool
batch_is_full(const struct batches *b)
{
	return b->jobs >= ER_JOBS_MAX || (b->others > 0 && all_counted(b) && clock_ms() >= b->closes_ms);
}

/* --- turns ----------------------------------------------------------------------------------- */

static void on_turn(void *ctx);

static void
turn_in(struct batches *b, uint64_t ms)
{
	loop_timer_del(b->core->loop, b->timer);
	b->timer = loop_timer(b->core->loop, ms, on_turn, b);
}

static void
turn_later(struct batches *b)
{
	uint64_t ms = b->core->conf->evidence.batch_ms / 8;

	turn_in(b, ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms > LOOK_MS ? LOOK_MS : ms);
}

static void
look_turn(struct batches *b)
{
	struct err e = { 0 };
	int r = look_back(b, &e);

	if (r == 0)
		r = turn_round(b, &e);
	else if (r == 1) {
		turn_in(b, 0);
		return;
	}
	if (r < 0) {
		look_from_start(b);
		batch_over(b, &e);
		b->state = BATCH_LOOKING;
		return;
	}
	b->state = BATCH_IDLE;
	schedule(b);
	turn_in(b, 0);
}

static void
answer_calls(struct batches *b, json_t *answer, const struct err *e)
{
	for (size_t i = 0; i < b->ncalls; i++)
		control_answer(b->core->control, b->calls[i], e != NULL ? NULL : json_incref(answer), e);
	json_decref(answer);
	b->ncalls = 0;
	b->renew_wanted = false;
}

static bool
something_is_due(const struct batches *b)
{
	int64_t now = clock_wall_us();

	for (size_t i = 0; i < b->n; i++)
		if (batch_is_due(b, &b->known[i], now))
			return true;
	return false;
}

/* Begins what is to be done, one thing at a time; what an earlier run has left comes first. */
static void
idle_turn(struct batches *b)
{
	struct err e = { 0 };
	int r = er_there(archive_dir(b->core->archive), batch_next_number(b), &e);

	if (r < 0 || count_entries(b, &e) < 0) {
		batch_over(b, &e);
	} else if (r == 1) {
		batch_begin_left(b);
	} else if (b->renew_wanted && something_is_due(b)) {
		batch_begin_renewal(b);
	} else if (b->renew_wanted) {
		answer_calls(b, json_pack("{s:i, s:n}", "renewed", 0, "record"), NULL);
		turn_in(b, 0);
	} else if (batch_is_full(b)) {
		batch_begin(b);
	} else {
		if (all_counted(b))
			turn_later(b);
		else
			turn_in(b, 0);
	}
}

static void
on_turn(void *ctx)
{
	struct batches *b = ctx;

	b->timer = 0;
	if (b->core->stopping)
		return;
	if (b->core->log_ready && elog_queued(b->core->elog) > 0)
		logbook_commit_soon(b->core); /* one of them may be ours */
	if (!b->core->log_ready || clock_ms() < b->wait_until_ms || elog_queued(b->core->elog) > 0)
		turn_later(b);
	else if (b->state == BATCH_LOOKING) /* what there is grows old, also when no more is made */
		look_turn(b);
	else if (b->state == BATCH_IDLE && batch_tsa(b->core) != NULL)
		idle_turn(b);
	else if (b->state == BATCH_IDLE)
		turn_later(b);
}

static void
back_off(struct batches *b)
{
	b->backoff_ms = b->backoff_ms == 0 ? BACKOFF_FIRST_MS :
	    b->backoff_ms * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : b->backoff_ms * 2;
	b->wait_until_ms = clock_ms() + b->backoff_ms;
}

void
batch_over(struct batches *b, const struct err *why)
{
	const struct known *k = b->n > 0 ? &b->known[b->n - 1] : NULL;
	bool asked = b->renewing && !b->adopting; /* who asked is told, and may ask again */
	bool renewed = b->renewing && why == NULL;
	uint32_t refused = b->refused;

	b->state = BATCH_IDLE;
	if (b->entering) { /* the log knows better than we do */
		look_from_start(b);
		b->state = BATCH_LOOKING;
	}
	batch_drop_work(b);
	if (why != NULL) {
		b->why = *why;
		log_limited(&b->said, 60000, LOG_WARNING, "evidence records wait: %s: %s", err_word(why->code), why->text);
		if (!asked)
			back_off(b);
		answer_calls(b, NULL, why);
	} else {
		memset(&b->why, 0, sizeof(b->why));
		b->backoff_ms = b->wait_until_ms = 0;
		schedule(b);
	}
	if (renewed)
		answer_calls(b, json_pack("{s:i, s:i, s:i}", "renewed", (int)b->renewed, "refused", (int)refused, "record",
		    k == NULL ? 0 : (int)k->record), NULL);
	turn_in(b, why != NULL && !asked ? b->backoff_ms : 0);
}

/* --- for the core -------------------------------------------------------------------------- */

int
batch_open(struct core *c, struct err *e)
{
	struct batches *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return err_set(e, ERR_MEM, "evidence records");
	b->core = c;
	b->out = -1;
	b->look_end = UINT64_MAX;
	c->batches = b;
	turn_in(b, 0);
	return 0;
}

void
batch_close(struct core *c)
{
	struct batches *b = c->batches;

	if (b == NULL)
		return;
	loop_timer_del(c->loop, b->timer);
	batch_drop_work(b);
	forget_known(b);
	free(b->known);
	free(b);
	c->batches = NULL;
}

bool
batch_works(const struct core *c)
{
	const struct batches *b = c->batches;

	return b != NULL && batch_tsa(c) != NULL && b->why.code == ERR_OK &&
	    (b->state != BATCH_IDLE || batch_is_full(b));
}

json_t *
batch_renew(struct core *c, struct control_call *call, struct err *e)
{
	struct batches *b = c->batches;

	if (batch_tsa(c) == NULL)
		err_set(e, ERR_USAGE, "evidence.tsa is not set: there are no evidence records");
	else if (b->ncalls == BATCH_CALLS_MAX)
		err_set(e, ERR_LATER, "others wait for a renewal already");
	else {
		b->calls[b->ncalls++] = call->id;
		b->renew_wanted = call->later = true;
		b->wait_until_ms = 0;
		if (b->state != BATCH_WORKING)
			turn_in(b, 0);
	}
	return NULL;
}

json_t *
batch_json(const struct core *c)
{
	const struct batches *b = c->batches;
	const struct known *k = b == NULL ? NULL : last_batch(b);
	int64_t due = batch_due(c);
	char at[CLOCK_ISO_MAX];
	json_t *o;

	if (b == NULL || (batch_tsa(c) == NULL && b->n == 0))
		return json_null();
	o = json_pack("{s:I, s:I, s:s, s:s}", "records", (json_int_t)b->n, "covered", (json_int_t)batch_first(b), "why",
	    b->why.code == ERR_OK ? "" : err_word(b->why.code), "text", b->why.text);
	if (o == NULL)
		return NULL;
	if (k != NULL) {
		clock_iso(k->entered_us, at);
		json_object_set_new(o, "closed", json_string(at));
	}
	if (due != 0) {
		clock_iso(due, at);
		json_object_set_new(o, "due", json_string(at));
	}
	return o;
}
