#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"

#include "agent/batch.h"
#include "agent/core.h"
#include "agent/journal.h"
#include "agent/keep.h"
#include "agent/watch.h"

#define HINTS_MAX 2
#define DESCRIPTORS_WANTED 65536
#define DESCRIPTORS_CORE 128   /* of all that is there once: peers, tasks, the log, the socket and its clients */
#define DESCRIPTORS_FOLDER 4
#define DESCRIPTORS_WORK 8     /* of a job at work, beside its directory */
#define PROBE_BYTES (4 << 20)
#define ONCE_IDLE_MS (30 * 60000ull) /* longer than any single step of a document may take */

/* --- jobs ------------------------------------------------------------------------------ */

struct job *
job_new(struct err *e)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		err_set(e, ERR_MEM, "job table");
	return j;
}

void
job_add(struct core *c, struct job *j, const struct claim *claim, enum spool_state state, int dir)
{
	struct job **pp = &c->jobs;

	j->core = c;
	j->claim = *claim;
	j->folder = conf_folder(c->conf, claim->folder);
	j->state = state;
	j->dir = dir;
	j->out = j->side = j->earlier = -1;
	j->log_from = claim->log_size;
	j->backoff_ms = JOB_BACKOFF_MS;
	j->moved_ms = clock_ms();
	while (*pp != NULL)
		pp = &(*pp)->next;
	*pp = j;
	c->njobs++;
	c->moved_ms = clock_ms();
}

void
job_free(struct job *j)
{
	struct core *c = j->core;

	for (struct job **pp = &c->jobs; *pp != NULL; pp = &(*pp)->next)
		if (*pp == j) {
			*pp = j->next;
			c->njobs--;
			break;
		}
	loop_timer_del(c->loop, j->timer);
	if (j->task != 0)
		children_cancel(c->children, j->task);
	stamping_probe_over(j);
	sealing_forget(j); /* and what goes on in steps */
	outcome_forget(j);
	keep_forget(j);
	recover_forget(j);
	render_forget(j);
	io_close(&j->out);
	io_close(&j->side);
	io_close(&j->earlier);
	io_close(&j->dir);
	free(j->plan);
	free(j->judged);
	free(j->earlier_sigs);
	free(j->ticket);
	free(j);
}

struct job *
job_find(struct core *c, const char *prefix, bool *ret_many)
{
	struct job *found = NULL;
	size_t n = strlen(prefix);

	*ret_many = false;
	if (n < 8)
		return NULL;
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (strncmp(j->claim.id, prefix, n) == 0) {
			*ret_many = found != NULL;
			found = j;
		}
	return *ret_many ? NULL : found;
}

void
job_step(struct job *j)
{
	if (j->busy || j->core->stopping || j->timer != 0 || j->aside)
		return;
	if (!j->core->log_ready) /* nothing is claimed to be done before the log has proven itself */
		return;
	if (j->withdrawn && withdraw_step(j))
		return;
	j->reloads = j->core->reloads;
	switch (j->state) {
	case SPOOL_CLAIMED:
		if (j->unchecked)
			recover_check(j);
		else
			render_step(j);
		break;
	case SPOOL_RENDERED:
		sealing_step_rendered(j);
		break;
	case SPOOL_SIGNED:
		sealing_step_signed(j);
		break;
	case SPOOL_SEALED:
		outcome_publish(j);
		break;
	case SPOOL_ARCHIVED:
		outcome_log(j);
		break;
	case SPOOL_LOGGED:
		outcome_deliver(j);
		break;
	case SPOOL_RELEASED:
		outcome_clean(j);
		break;
	case SPOOL_REFUSED:
		outcome_refused_step(j);
		break;
	case SPOOL_HELD:
		outcome_held_step(j);
		break;
	case SPOOL_INCOMING:
	case SPOOL_STATES:
		break;
	}
}

static void
on_timer(void *ctx)
{
	struct job *j = ctx;

	j->timer = 0;
	if (j->dead)
		job_free(j);
	else
		job_step(j);
}

void
job_step_soon(struct job *j, uint64_t ms)
{
	loop_timer_del(j->core->loop, j->timer);
	j->timer = loop_timer(j->core->loop, ms, on_timer, j);
}

static void
back_off(struct job *j, uint64_t at_least)
{
	uint64_t ms = j->backoff_ms > at_least ? j->backoff_ms : at_least;
	/* a quarter of jitter, so that a hundred waiting jobs do not come at once */
	uint64_t jitter = crc32c((uint32_t)ms, j->claim.id, ID_LEN) % (ms / 4 + 1);

	if (j->state == SPOOL_CLAIMED && j->pages_running == 0)
		render_forget(j); /* the cache may be what is wrong: it is looked at anew */
	j->backoff_ms = j->backoff_ms * 2 > JOB_BACKOFF_LAST_MS ? JOB_BACKOFF_LAST_MS : j->backoff_ms * 2;
	job_step_soon(j, ms + jitter);
}

/*
 * Not signed, and the token was never asked for it: it can still be refused or held.
 * Not for what comes of asking the time-stamping authority about our clock.
 */
static bool
is_ours_to_refuse(const struct job *j)
{
	if (j->probing || j->divided)
		return false;
	return j->state == SPOOL_CLAIMED || (j->state == SPOOL_RENDERED && !io_exists(j->dir, "attempt"));
}

/*
 * A crash or a time-out of a child: once more, alone and with doubled limits; then
 * it is the document's fault.  When it has been read already, so is all that a
 * child finds wrong with it: else its stamp would be drawn again and again for ever.
 */
static bool
second_chance(struct job *j, const struct err *e)
{
	if (err_class(e->code) != ERR_CLASS_REJECT ||
	    (j->state == SPOOL_CLAIMED && e->code != ERR_DOC_CRASH && e->code != ERR_DOC_TIMEOUT))
		return false;
	if (j->failed_once.code != ERR_OK || !is_ours_to_refuse(j))
		return false;
	j->failed_once = *e;
	journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e->code) },
	    "job %s: %s: %s; trying once more with doubled limits", j->claim.id, err_word(e->code), e->text);
	job_step_soon(j, 0);
	return true;
}

/* One line a cause and 5 s: a hundred jobs wait for the same token. What an admin must know is an alarm (alarm.h). */
static void
say_waits(struct job *j, const struct err *e)
{
	journal_limited(&j->core->wait_said[e->code], 5000, LOG_NOTICE,
	    &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e->code) },
	    "job %s (%s) waits: %s: %s", j->claim.id, spool_state_name(j->state), err_word(e->code), e->text);
}

void
job_trouble(struct job *j, const struct err *e)
{
	j->busy = false;
	j->stalled = true;
	j->why = *e;
	if (second_chance(j, e))
		return;
	switch (err_class(e->code)) {
	case ERR_CLASS_REJECT:
		if (is_ours_to_refuse(j)) {
			outcome_refuse(j, e);
			return;
		}
		break; /* a document that was signed before is not bad now: the trouble is ours */
	case ERR_CLASS_HOLD:
		if (is_ours_to_refuse(j)) {
			outcome_hold(j, e, NULL);
			return;
		}
		break;
	case ERR_CLASS_STOP:
		journal_line(LOG_ALERT, &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e->code) },
		    "job %s (%s): %s: %s", j->claim.id, spool_state_name(j->state), err_word(e->code), e->text);
		if (e->code == ERR_LOG || e->code == ERR_LOG_ROLLBACK) {
			logbook_fatal(j->core, e);
			return;
		}
		back_off(j, JOB_BACKOFF_LAST_MS);
		return;
	case ERR_CLASS_RETRY:
		break;
	}
	say_waits(j, e);
	back_off(j, 0);
}

int
job_move(struct job *j, enum spool_state to, struct err *e)
{
	int r = spool_move(&j->core->spool, j->claim.id, j->state, to, e);

	if (r < 0)
		return r;
	j->state = to;
	j->backoff_ms = JOB_BACKOFF_MS;
	memset(&j->why, 0, sizeof(j->why));
	memset(&j->failed_once, 0, sizeof(j->failed_once));
	j->hints = 0;
	job_moved(j);
	return 0;
}

void
job_moved(struct job *j)
{
	j->stalled = false;
	j->moved_ms = j->core->moved_ms = clock_ms();
}

/* --- descriptors ------------------------------------------------------------------------- */

void
core_raise_descriptors(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= DESCRIPTORS_WANTED)
		return;
	lim.rlim_cur = lim.rlim_max < DESCRIPTORS_WANTED ? lim.rlim_max : DESCRIPTORS_WANTED;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		log_line(LOG_NOTICE, "limit of open files: %s", strerror(errno)); /* fewer jobs, then */
}

uint32_t
core_jobs_room(const struct core *c)
{
	uint64_t others = DESCRIPTORS_CORE + c->conf->nfolders * DESCRIPTORS_FOLDER + (uint64_t)c->conf->max_jobs * DESCRIPTORS_WORK;
	struct rlimit lim;
	uint64_t room;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return c->conf->max_jobs;
	room = lim.rlim_cur > others ? lim.rlim_cur - others : 0;
	return room < c->conf->max_jobs ? c->conf->max_jobs : room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
}

/* --- tasks ----------------------------------------------------------------------------- */

uint32_t
input_mib(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint32_t)(st.st_size >> 20) : 0;
}

int
job_task(struct job *j, const struct job_task *t, task_cb *cb, struct err *e)
{
	uint32_t twice = j->failed_once.code != ERR_OK ? 2 : 1;
	struct task_req req = { .kind = t->kind, .params = t->params, .in = t->in, .out = -1,
		.as_mib = (t->as_mib + input_mib(t->in)) * twice, .cpu_s = t->cpu_s * twice,
		.deadline_ms = t->deadline_ms * twice, .fsize = (t->fsize != 0 ? t->fsize : JOB_OUT_MAX) * twice,
		.page = t->page, .behind = (j->state == SPOOL_CLAIMED || t->kind == TASK_FIELD) && j->inspect.pages > JOB_PAGES_FIRST };

	if (t->out != NULL) {
		io_close(t->out);
		if ((*t->out = io_tmpfile(j->dir, e)) < 0)
			return -(int)e->code;
		req.out = *t->out;
	}
	j->busy = true;
	j->task = children_task(j->core->children, &req, cb, j);
	return 0;
}

int
job_lied(struct err *e, const char *what)
{
	return err_set(e, ERR_DOC_CRASH, "%s came back damaged", what);
}

/* Our own probe of the disk that children write to; a quota shows when something is written. */
static bool
disk_is_full(const struct job *j)
{
	const struct core *c = j->core;
	uint64_t room;
	struct err e;
	AUTO_FD fd = -1;
	int r;

	if (spool_space(c->spool.state, &room, &e) < 0 || room < c->conf->space_floor)
		return true;
	if ((fd = io_tmpfile(j->dir, &e)) < 0)
		return e.code == ERR_SPACE;
	r = posix_fallocate(fd, 0, PROBE_BYTES);
	return r == ENOSPC || r == EDQUOT;
}

/* Tasks of other documents that went well. */
static uint64_t
others_good(const struct job *j)
{
	return j->core->tasks_good - j->tasks_good;
}

/* Is what a child says of our side to be taken for the document's doing? */
static bool
is_excuse(struct job *j, enum err_code code)
{
	if (code == ERR_MEM)
		return true;
	if (code == ERR_SPACE)
		return !disk_is_full(j);
	if (j->hints++ == 0)
		j->good_then = others_good(j);
	return err_class(code) == ERR_CLASS_STOP ? others_good(j) != j->good_then : j->hints > HINTS_MAX;
}

/*
 * A child's class is a hint.  Its "no memory" is its limit, and so is a crash
 * at it; to be killed is not, for within its limit it was this machine that had
 * no more: it waits, however often, with the longest pauses in the end; "disk full" is believed when the disk is, and then a crash says no
 * more; anything else that would have us try again is believed twice, for a
 * document could make it say so for ever; and what would stop us all (settings,
 * confinement) is believed as long as it stops others, too.  Once the token was
 * asked the trouble is ours.
 */
void
job_judge_task(struct job *j, const struct task_outcome *o, struct err *ret)
{
	enum err_class class = err_class(o->err->code);
	char said[ERR_TEXT_MAX];

	*ret = *o->err;
	if (o->lost || o->starved || !is_ours_to_refuse(j))
		return;
	memcpy(said, ret->text, sizeof(said));
	if (o->crashed && disk_is_full(j))
		err_set(ret, ERR_SPACE, "a process that works on it %s, and there is no space", said);
	if (o->crashed || (class != ERR_CLASS_RETRY && class != ERR_CLASS_STOP))
		return;
	if (is_excuse(j, ret->code))
		err_set(ret, ERR_DOC_CRASH, "%s: %s", err_word(o->err->code), said);
	else if (class == ERR_CLASS_STOP && j->hints == 1) /* soon again: who knows what others say by then */
		err_set(ret, ERR_CHILD, "%s: %s", err_word(o->err->code), said);
	ret->page = o->err->page;
}

void
job_task_good(struct job *j)
{
	j->tasks_good++;
	j->core->tasks_good++;
}

bool
job_task_ok(struct job *j, const struct task_outcome *o)
{
	struct err e;

	j->busy = false;
	j->task = 0;
	if (o->err == NULL) {
		job_task_good(j);
		return !job_outdated(j);
	}
	job_judge_task(j, o, &e);
	job_trouble(j, &e);
	return false;
}

bool
job_outdated(struct job *j)
{
	if (j->reloads == j->core->reloads)
		return false;
	job_step_soon(j, 0);
	return true;
}

bool
core_has(const struct core *c, enum role role)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == role)
			return s.ready;
	}
	return false;
}

static void
on_stop_late(void *ctx)
{
	struct core *c = ctx;

	loop_stop(c->loop);
}

/* No new step; the stop entry and its checkpoint, at most 3 s; then the loop ends. */
void
core_stop(struct core *c, int exit_code)
{
	if (c->stopping)
		return;
	c->stopping = true;
	c->exit_code = exit_code;
	if (!c->log_ready || (exit_code != EX_OK && exit_code != EX_TEMPFAIL)) { /* no log to say it in, or none to be trusted */
		loop_stop(c->loop);
		return;
	}
	logbook_stop(c);
	loop_timer(c->loop, 3000, on_stop_late, c);
}

int
core_exit_of(const struct err *e)
{
	switch (e->code) {
	case ERR_CONF:
		return EX_CONFIG;
	case ERR_LOCKED:
		return EX_TEMPFAIL;
	case ERR_LOG:
	case ERR_LOG_ROLLBACK:
	case ERR_SIG: /* the log's checkpoint is not signed by its key */
	case ERR_KEY: /* the log's own: a token that has none is waited for */
		return EXIT_LOG_ROLLBACK;
	case ERR_IO:
	case ERR_SPACE:
		return EX_IOERR;
	default:
		return EX_SOFTWARE;
	}
}

/* --- once ------------------------------------------------------------------------------ */

static void
on_once_timer(void *ctx)
{
	struct core *c = ctx;

	c->once_timer = 0;
	core_idle_check(c);
}

enum once { ONCE_DONE, ONCE_WAITS, ONCE_WORKS, ONCE_LOOKS };

/* Nothing to do at all; all that is left waits for others or is in trouble; work; the folders are looked at. */
static enum once
once_state(struct core *c)
{
	uint32_t later, waiting = c->unread != NULL;

	if (!c->log_ready || !core_has(c, ROLE_SCAN) || !core_has(c, ROLE_VERIFY) || !core_has(c, ROLE_FETCH))
		return ONCE_WAITS;
	if (c->claims_running > 0 || batch_works(c))
		return ONCE_WORKS;
	if (!watch_idle(c->watch, &later))
		return ONCE_LOOKS;
	for (struct job *j = c->jobs; j != NULL; j = j->next) {
		if (j->state == SPOOL_HELD && j->settled)
			continue;
		if (!j->stalled && !j->aside)
			return ONCE_WORKS;
		waiting++;
	}
	/* put off, or entries that no checkpoint covers yet */
	return waiting > 0 || later > 0 || elog_published(c->elog) != elog_size(c->elog) ? ONCE_WAITS : ONCE_DONE;
}

/* The end of --once: 0 when there is nothing left; 75 when the rest waits too long, or nothing has moved for very long. */
void
core_idle_check(struct core *c)
{
	uint64_t now = clock_ms();
	enum once state;

	if (!c->once || c->stopping)
		return;
	state = once_state(c);
	if (state == ONCE_DONE && !c->once_rescanned) {
		/* what was quiet before the last look may have a successor */
		c->once_rescanned = true;
		watch_rescan(c->watch);
	} else if (state == ONCE_DONE) {
		core_stop(c, EX_OK);
		return;
	} else if (state == ONCE_WORKS) {
		c->once_rescanned = false;
	}
	if (state == ONCE_WAITS)
		logbook_publish_now(c);
	if (state != ONCE_WAITS)
		c->once_waiting_since = 0;
	else if (c->once_waiting_since == 0)
		c->once_waiting_since = now;
	if (c->moved_ms == 0)
		c->moved_ms = now;
	if ((state == ONCE_WAITS && now - c->once_waiting_since >= c->once_wait_ms) ||
	    now - c->moved_ms >= c->once_wait_ms + ONCE_IDLE_MS) {
		core_stop(c, EX_TEMPFAIL);
		return;
	}
	if (c->once_timer == 0)
		c->once_timer = loop_timer(c->loop, 100, on_once_timer, c);
}
