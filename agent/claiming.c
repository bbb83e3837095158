#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/admit.h"
#include "agent/byticket.h"
#include "agent/core.h"
#include "agent/deliver.h"
#include "agent/hot.h"
#include "agent/intake.h"
#include "agent/journal.h"
#include "agent/pause.h"
#include "agent/watch.h"

/*
 * From a quiet file to a job: copy, inspect the copy, commit.  A structure that
 * is not complete puts the file back until it changes, or until incomplete_max
 * has passed; then it is claimed like any other and refused with its reason.
 */

#define INSPECT_MIB 1024
#define SLOW_MS 50 /* most letters are looked at by then */
#define BRIEF_ABOVE 200 /* pages that are looked at in no time worth speaking of */
#define LATER_MS 2000
#define UNKNOWN_MS 10000 /* while a job can not be read */
#define STARTING_MS 50
#define FULL_MS 250 /* as many unfinished jobs as may be */
#define SPACE_LATER_MS 10000
#define ROOM_MS 5000 /* while too much is held */
#define INCOMPLETE_LEAST_MS 1000
#define INCOMPLETE_MOST_MS 60000

struct claiming {
	struct core *core;
	struct claiming *next; /* of core.claims */
	const struct conf_folder *folder;
	char name[SPOOL_NAME_MAX];
	bool overdue;
	uint64_t slow_timer;
	struct intake *in;
	struct inspect_result inspect;
};

/* It ends, whatever became of the file. */
static void
over(struct claiming *k)
{
	struct claiming **at = &k->core->claims;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->core->claims_running--;
	loop_timer_del(k->core->loop, k->slow_timer);
	intake_drop(&k->in);
	free(k);
}

/* At the end of the core: who waits for a child waits no longer. */
void
claiming_close(struct core *c)
{
	while (c->claims != NULL)
		over(c->claims);
}

static void
put_off(struct claiming *k, uint64_t ms)
{
	struct core *c = k->core;

	watch_later(c->watch, k->folder, k->name, ms);
	over(k);
	core_idle_check(c);
}

static void
trouble(struct claiming *k, const struct err *e)
{
	struct core *c = k->core;
	char shown[3 * SPOOL_NAME_MAX];

	path_display(k->name, shown, sizeof(shown));
	if (e->code == ERR_SPACE) {
		journal_limited(&c->space_said, 60000, LOG_CRIT, &(struct about){ .folder = k->folder->name, .reason = err_word(e->code) },
		    "no space to take in %s: %s; it stays where it is", shown, e->text);
		c->space_low = true;
		put_off(k, SPACE_LATER_MS);
		return;
	}
	if (e->code == ERR_DOC_SIZE) {
		watch_skip(c->watch, k->folder, k->name, e);
		over(k);
		return;
	}
	journal_line(LOG_NOTICE, &(struct about){ .folder = k->folder->name, .reason = err_word(e->code) },
	    "%s is not taken in yet: %s: %s", shown, err_word(e->code), e->text);
	put_off(k, LATER_MS);
}

/* Perhaps it is at work already; a share may have refused the receipt. */
static void
put_off_unknown(struct claiming *k)
{
	const struct unread_job *u = k->core->unread;
	char shown[3 * SPOOL_NAME_MAX];

	path_display(k->name, shown, sizeof(shown));
	journal_limited(&k->core->unread_said, 60000, LOG_WARNING, &(struct about){ .job = u->id, .folder = k->folder->name },
	    "%s is not taken in yet: it may be the document of job %s, which can not be read", shown, u->id);
	put_off(k, UNKNOWN_MS);
}

static void
forget(struct claiming *k)
{
	struct core *c = k->core;

	watch_done(c->watch, k->folder, k->name);
	over(k);
	core_idle_check(c);
}

/* The first of these jobs, from j on, that is of this very delivery and not over; NULL: none. */
static struct job *
next_of(struct job *j, const struct claim *claim)
{
	uint8_t a[HASH_LEN], b[HASH_LEN];

	claim_identity(claim, a);
	for (; j != NULL; j = j->next) {
		claim_identity(&j->claim, b);
		if (memcmp(a, b, HASH_LEN) == 0 && !j->dead && !(j->state == SPOOL_HELD && j->settled))
			return j;
	}
	return NULL;
}

struct job *
claiming_at_work(struct core *c, const struct claim *claim)
{
	return next_of(c->jobs, claim);
}

/*
 * The file of a job, which a share would not move: it goes when that job ends.
 * Where the receipt was made, a file just like it was delivered after it.
 */
static bool
is_source(struct core *c, const struct claim *claim)
{
	struct job *j = next_of(c->jobs, claim);

	while (j != NULL && receipt_moved(j))
		j = next_of(j->next, claim);
	return j != NULL;
}

static void
on_removed_again(void *ctx, const struct err *why)
{
	struct claiming *k = ctx;

	if (why != NULL)
		trouble(k, why);
	else
		forget(k);
}

/* The same delivery after it was sealed and logged: its removal did not survive. Remove, do not seal. */
static int
remove_again(struct claiming *k, const char *id, struct err *e)
{
	struct deliver_req req = { .kind = DELIVER_RELEASE, .folder = k->folder, .job_dir = -1,
		.hot = watch_dir(k->core->watch, k->folder), .claim = intake_claim(k->in) };
	struct entry x = { .type = ENTRY_NOTE };
	struct deliver *d;
	uint64_t at;
	int r;

	snprintf(x.text, sizeof(x.text), "the delivery of job %s was found in folder %s again and removed", id,
	    k->folder->name);
	journal_line(LOG_NOTICE, &(struct about){ .job = id, .folder = k->folder->name }, "%s", x.text);
	if ((r = logbook_append(k->core, &x, &at, e)) < 0)
		return r;
	logbook_commit_soon(k->core);
	return deliver_begin(&d, k->core->loop, &req, on_removed_again, k, e);
}

void
claiming_look(struct core *c, struct intake *in, task_cb *cb, void *ctx)
{
	const struct inspect_params params = { .brief_above = BRIEF_ABOVE };
	struct task_req req = { .kind = TASK_INSPECT, .in = intake_source(in), .out = -1, .as_mib = INSPECT_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };
	AUTO_BUF b;

	buf_init(&b, 64);
	inspect_params_put(&b, &params);
	req.params = &b;
	children_task(c->children, &req, cb, ctx);
}

struct receipts {
	const struct core *core;
	const struct conf_folder *folder;
};

static bool
is_receipt(void *ctx, const char *work_name)
{
	const struct receipts *x = ctx;

	for (const struct job *j = x->core->jobs; j != NULL; j = j->next)
		if (j->folder == x->folder && strcmp(j->claim.work_name, work_name) == 0)
			return true;
	return false;
}

static void
perhaps_continued(struct core *c, const struct claim *claim)
{
	const char *other = continued_note(&c->continued, claim->folder, claim->name, claim->hash, claim->id, clock_ms());
	char shown[3 * SPOOL_NAME_MAX];

	if (other == NULL)
		return;
	path_display(claim->name, shown, sizeof(shown));
	journal(JOURNAL_CONTINUED, LOG_WARNING, &(struct about){ .job = claim->id, .folder = claim->folder },
	    "job %s: %s was taken within ten minutes before, too, as job %s: possibly continued; compare the two, and let settle be longer "
	    "than the longest pause of its sender", claim->id, shown, other);
}

int
claiming_commit(struct core *c, struct intake **in, const struct inspect_result *inspect, char ret_id[ID_MAX], struct err *e)
{
	struct receipts receipts = { .core = c, .folder = intake_folder(*in) };
	struct err unsaid = { 0 };
	struct claim claim;
	struct job *j;
	int dir, r;
	AUTO_BUF b = { 0 };

	if ((j = job_new(e)) == NULL)
		return -(int)e->code;
	if ((r = intake_commit(in, elog_size(c->elog), is_receipt, &receipts, &claim, &dir, e)) < 0) {
		free(j);
		return r;
	}
	c->space_low = false;
	memcpy(ret_id, claim.id, ID_MAX);
	buf_init(&b, 512);
	job_add(c, j, &claim, SPOOL_CLAIMED, dir);
	j->pages_said = inspect->brief ? inspect->pages : 0;
	if (inspect->kind != DOC_NONE && !inspect->brief) {
		inspect_result_put(&b, inspect);
		/* only saves a second look: without it the job looks itself */
		if (record_put_buf(dir, "inspect", &b, &unsaid) < 0)
			log_err(LOG_NOTICE, "record inspect", &unsaid);
	}
	journal(JOURNAL_JOB_TAKEN, LOG_INFO, &(struct about){ .job = claim.id, .folder = claim.folder },
	    "job %s: taken from folder %s", claim.id, claim.folder);
	perhaps_continued(c, &claim);
	job_step_soon(j, 0);
	return 0;
}

static void
commit(struct claiming *k)
{
	struct core *c = k->core;
	struct err e = { 0 };
	char id[ID_MAX];

	if (claiming_commit(c, &k->in, &k->inspect, id, &e) < 0) {
		trouble(k, &e);
		return;
	}
	watch_done(c->watch, k->folder, k->name);
	over(k);
}

/* Offered again when it changes, now and then, and when its time is up. */
static void
put_off_unfinished(struct claiming *k)
{
	uint64_t ms = k->folder->incomplete_ms / 8;

	put_off(k, ms < INCOMPLETE_LEAST_MS ? INCOMPLETE_LEAST_MS : ms > INCOMPLETE_MOST_MS ? INCOMPLETE_MOST_MS : ms);
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct claiming *k = ctx;
	struct err unsaid;
	bool incomplete;

	if (o->lost) {
		trouble(k, o->err);
		return;
	}
	incomplete = o->err != NULL && (o->err->code == ERR_DOC_INCOMPLETE || o->err->code == ERR_DOC_EMPTY);
	if (incomplete && !k->overdue) {
		put_off_unfinished(k);
		return;
	}
	/* of a lie nothing is kept: the job looks itself, and judges */
	if (o->err == NULL)
		(void)inspect_answer(k->core, true, o->result, &k->inspect, &unsaid);
	commit(k);
}

/* 0: all that comes with it is in the job; 1: put off, -code. */
static int
take_ticket(struct claiming *k, struct err *e)
{
	char name[SPOOL_NAME_MAX + sizeof(TICKET_SUFFIX)];
	bool unfinished = false;
	struct ticket t;
	AUTO_BUF b = { 0 };
	int r;

	if (k->folder->ticket == TICKET_NONE || ticket_stem(k->name) > 0)
		return 0;
	buf_init(&b, TICKET_MAX + 1);
	snprintf(name, sizeof(name), "%s" TICKET_SUFFIX, k->name);
	r = byticket_is(watch_dir(k->core->watch, k->folder), name) ? 0 : intake_ticket(k->in, name, &b, e);
	if (r < 0)
		return r;
	if (r == 1)
		(void)ticket_parse(b.data, b.len, &t, &unfinished, e); /* whether it is right is the job's matter */
	if (k->overdue || (r == 1 ? !unfinished : k->folder->ticket != TICKET_REQUIRED))
		return 0;
	put_off_unfinished(k);
	return 1;
}

/* What is made to be looked at for long keeps no letter from being taken in. */
static void
on_slow(void *ctx)
{
	struct claiming *k = ctx;

	k->slow_timer = 0;
	watch_slow(k->core->watch, k->folder, k->name);
}

static void
on_copied(void *ctx, struct intake *in, const struct err *why)
{
	struct claiming *k = ctx;
	struct core *c = k->core;
	struct err e = { 0 };
	char id[ID_MAX];
	int r;

	if (why != NULL) {
		trouble(k, why);
		return;
	}
	if (is_source(c, intake_claim(in))) {
		forget(k);
		return;
	}
	if (recover_unread_may_be(c, intake_claim(in)->size)) {
		put_off_unknown(k);
		return;
	}
	/* the log may have its twin already, and that is no answer to the second one */
	if (claiming_at_work(c, intake_claim(in)) == NULL && (r = seen_has(&c->spool, intake_claim(in), id, &e)) != 0) {
		if (r < 0 || remove_again(k, id, &e) < 0)
			trouble(k, &e);
		return;
	}
	if ((r = take_ticket(k, &e)) != 0) {
		if (r < 0)
			trouble(k, &e);
		return;
	}
	claiming_look(c, in, on_inspected, k);
	k->slow_timer = loop_timer(c->loop, SLOW_MS, on_slow, k);
}

/* Nothing is left to do for it but in its folder, and that can not be done now. */
static bool
waits_for_folder(const struct job *j)
{
	return j->stalled && !j->settled && (j->state == SPOOL_LOGGED || j->state == SPOOL_REFUSED || j->state == SPOOL_HELD);
}

/* Who waits for a person or for a folder works at nothing: a hundred open questions do not stop the mail. */
uint32_t
claiming_jobs(const struct core *c)
{
	uint32_t n = 0;

	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		n += !(j->state == SPOOL_HELD && j->settled) && !waits_for_folder(j);
	return n;
}

bool
claiming_no_room(struct core *c, struct err *e)
{
	uint32_t room = core_jobs_room(c);

	if (c->njobs + c->claims_running < room)
		return false;
	err_set(e, ERR_LATER, "%u jobs, held ones too, are all that there are descriptors for (LimitNOFILE)", room);
	log_limited(&c->room_said, 60000, LOG_CRIT, "nothing more is taken in: %s; decide about what is held", e->text);
	return true;
}

bool
claiming_folder_full(const struct core *c, const struct conf_folder *f)
{
	uint32_t n = 0;

	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		n += j->folder == f && waits_for_folder(j);
	return n >= c->conf->max_jobs;
}

/* A claim between hosts is a rename; one that was cut short before the job was safe is undone. */
int
claiming_opened(void *ctx, const struct conf_folder *f, int dir, int work, struct err *e)
{
	struct receipts x = { .core = ctx, .folder = f };

	/* whose claim can not be read yet may be here by its name: claiming_know_all() */
	return f->claim_rename && x.core->unread == NULL ? intake_put_back(f, dir, work, is_receipt, &x, e) : 0;
}

void
claiming_know_all(struct core *c)
{
	for (size_t i = 0; i < c->conf->nfolders; i++) {
		const struct conf_folder *f = &c->conf->folders[i];
		int dir = watch_dir(c->watch, f);
		struct err e = { 0 };
		AUTO_FD work = -1;

		if (!f->claim_rename || dir < 0)
			continue; /* one that is away is asked about when it is opened */
		if ((work = hot_open_sub(dir, f->word_work, &e)) < 0 || claiming_opened(c, f, dir, work, &e) < 0)
			log_err(LOG_WARNING, f->name, &e);
	}
}

void
claiming_on_quiet(void *ctx, const struct watch_file *f)
{
	struct core *c = ctx;
	struct err e = { 0 };
	struct claiming *k;
	uint64_t wait;

	if (pause_has(c, f->folder, NULL) || claiming_folder_full(c, f->folder)) {
		watch_later(c->watch, f->folder, f->name, LATER_MS);
		return;
	}
	if (!c->log_ready || c->stopping || c->next_conf != NULL || claiming_jobs(c) + c->claims_running >= c->conf->max_jobs) {
		watch_hold(c->watch, f->folder, f->name, c->log_ready ? FULL_MS : STARTING_MS);
		return;
	}
	if (claiming_no_room(c, &e)) {
		watch_hold(c->watch, f->folder, f->name, ROOM_MS);
		return;
	}
	if ((wait = admit_wait_ms(c, f)) > 0) {
		watch_later(c->watch, f->folder, f->name, wait);
		return;
	}
	if ((k = calloc(1, sizeof(*k))) == NULL) {
		watch_later(c->watch, f->folder, f->name, LATER_MS);
		return;
	}
	k->core = c;
	k->folder = f->folder;
	k->overdue = f->overdue;
	snprintf(k->name, sizeof(k->name), "%s", f->name);
	k->next = c->claims;
	c->claims = k;
	c->claims_running++;
	watch_busy(c->watch, f->folder, f->name);
	if (intake_begin(&k->in, c->loop, c->conf, &c->spool, f->folder, f->dir, f->name, on_copied, k, &e) < 0)
		trouble(k, &e);
}
