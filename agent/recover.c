#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/core.h"
#include "agent/events.h"
#include "agent/journal.h"
#include "agent/reconcile.h"
#include "agent/steps.h"

/*
 * Start-up is recovery: whatever lies in a state's directory goes on from
 * there by the ordinary step.  Nothing here depends on how the last run ended,
 * and a start that is killed is followed by the same start.
 */

typedef int each_fn(struct core *, enum spool_state, const char *name, struct err *);

static int
each(struct core *c, enum spool_state st, each_fn *fn, struct err *e)
{
	int fd = openat(c->spool.dir[st], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "spool %s", spool_state_name(st));
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = fn(c, st, de->d_name, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "spool %s", spool_state_name(st));
	closedir(d);
	return r;
}

static int
drop(struct core *c, enum spool_state st, const char *name, struct err *e)
{
	/* whatever was put there: a stray file must not keep the daemon from starting */
	if (unlinkat(c->spool.dir[st], name, 0) == 0)
		return 0;
	return io_remove_tree(c->spool.dir[st], name, e);
}

static int
known(struct core *c, const char *id)
{
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (strcmp(j->claim.id, id) == 0)
			return 1;
	return 0;
}

/* --- a claimed job's copy ---------------------------------------------------------------- */

struct checking {
	int fd;
	uint8_t hash[HASH_LEN];
};

void
recover_forget(struct job *j)
{
	if (j->checking != NULL)
		io_close(&j->checking->fd);
	free(j->checking);
	j->checking = NULL;
}

static void
set_aside(struct job *j, const struct err *e)
{
	journal_line(LOG_ALERT, &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e->code) },
	    "job %s is set aside: %s: %s", j->claim.id, err_word(e->code), e->text);
	j->why = *e;
	j->aside = true;
}

static void
on_source_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };
	bool same = why == NULL && memcmp(j->checking->hash, j->claim.hash, HASH_LEN) == 0;

	j->busy = j->unchecked = false;
	j->steps = NULL;
	recover_forget(j);
	if (same) {
		memset(&j->why, 0, sizeof(j->why)); /* an earlier look that failed */
		j->backoff_ms = JOB_BACKOFF_MS;
		job_moved(j);
		job_step(j);
	} else if (why == NULL) {
		err_set(&e, ERR_IO, "source of job %s is not what was claimed", j->claim.id);
		set_aside(j, &e);
	} else {
		j->unchecked = true;
		job_trouble(j, why);
	}
	core_idle_check(j->core);
}

/* 1: it is not what was claimed, as *e says; 0, -code: that can not be told now. */
static int
source_open(struct job *j, struct err *e)
{
	struct checking *k = calloc(1, sizeof(*k));
	uint64_t size;
	int r;

	if (k == NULL)
		return err_set(e, ERR_MEM, "source of job %s", j->claim.id);
	j->checking = k;
	if ((k->fd = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0) {
		bool gone = errno == ENOENT || errno == ELOOP;

		err_sys(e, ERR_IO, "source of job %s", j->claim.id);
		return gone ? 1 : -(int)e->code;
	}
	if ((r = io_size(k->fd, &size, e)) < 0)
		return r;
	if (size == j->claim.size)
		return 0;
	err_set(e, ERR_IO, "source of job %s is not what was claimed", j->claim.id);
	return 1;
}

/*
 * A claim whose copy is not what was claimed is no claim: H or a backup has the
 * bytes, we must not guess.  Looked at in turns, before the job's first step,
 * so that a start does not wait for the bytes of all that is open.  A disk or a
 * memory that fails in that moment says nothing about the copy.
 */
void
recover_check(struct job *j)
{
	struct err e = { 0 };
	int r = source_open(j, &e);

	if (r != 0)
		recover_forget(j);
	if (r < 0) {
		job_trouble(j, &e);
		return;
	}
	if (r == 1) {
		j->unchecked = false;
		set_aside(j, &e);
		return;
	}
	j->steps = steps_new(j->core->loop, j);
	steps_copy(j->steps, j->checking->fd, 0, j->claim.size, -1, true);
	steps_digest(j->steps, j->checking->hash);
	j->busy = true;
	steps_go(j->steps, on_source_hashed);
}

/* --- what lies in the spool --------------------------------------------------------------- */

static int
job_read(struct core *c, enum spool_state st, const char *id, struct job **ret, struct err *e)
{
	struct err ignored;
	struct claim claim;
	struct job *j;
	int r, withdrawn;
	AUTO_FD dir = -1;

	if (c->njobs >= core_jobs_room(c))
		return err_set(e, ERR_LATER, "no descriptor is left for it beside %u jobs (LimitNOFILE)", c->njobs);
	if ((dir = spool_job_dir(&c->spool, st, id, e)) < 0)
		return dir;
	if ((r = io_drop_temps(dir, e)) < 0 || (r = claim_get(dir, &claim, e)) < 0 || (withdrawn = r = io_there(dir, "withdrawn", e)) < 0)
		return r;
	if ((j = job_new(e)) == NULL)
		return -(int)e->code;
	job_add(c, j, &claim, st, take_fd(&dir));
	log_at_load(j);
	j->unchecked = st == SPOOL_CLAIMED;
	j->withdrawn = withdrawn == 1;
	j->was_held = io_exists(j->dir, "question");
	/* for status; a damaged record comes up again where it is needed */
	(void)inspect_load(j, &ignored);
	*ret = j;
	return 0;
}

static void on_unread(void *);

static int
unread_add(struct core *c, enum spool_state st, const char *id, const struct err *why, struct err *e)
{
	struct unread_job *u = calloc(1, sizeof(*u));

	if (u == NULL)
		return err_set(e, ERR_MEM, "job table");
	journal_line(LOG_ALERT, &(struct about){ .job = id, .reason = err_word(why->code) }, "spool/%s/%s can not be read, and is tried again: %s", spool_state_name(st), id, why->text);
	*u = (struct unread_job){ .next = c->unread, .state = st, .why = *why };
	snprintf(u->id, sizeof(u->id), "%s", id);
	c->unread = u;
	if (c->unread_timer == 0) {
		c->unread_ms = JOB_BACKOFF_MS;
		c->unread_timer = loop_timer(c->loop, c->unread_ms, on_unread, c);
	}
	return 0;
}

static bool
is_unread(const struct core *c, const char *id)
{
	for (const struct unread_job *u = c->unread; u != NULL; u = u->next)
		if (strcmp(u->id, id) == 0)
			return true;
	return false;
}

static int
found(struct core *c, enum spool_state st, const char *name, struct err *e)
{
	struct err why = { 0 };
	struct job *j;

	if (!id_valid(name)) {
		log_line(LOG_WARNING, "spool/%s: '%s' is not a job; left alone", spool_state_name(st), name);
		return 0;
	}
	if (is_unread(c, name)) /* in a later state too, which can not be read: left alone until then */
		return 0;
	if (known(c, name)) /* in a later state too: that one wins */
		return io_remove_tree(c->spool.dir[st], name, e);
	if (job_read(c, st, name, &j, &why) == 0)
		return 0;
	/* waiting to be removed, and begun with: that was after the log had proven itself */
	if (st == SPOOL_RELEASED)
		return io_remove_tree(c->spool.dir[st], name, e);
	return unread_add(c, st, name, &why, e);
}

/* --- what could not be read at first ------------------------------------------------------ */

/* Before the log has proven itself all jobs are compared with it together, later this one alone. */
static int
read_late(struct core *c, const struct unread_job *u, struct err *e)
{
	struct job *j;
	int r = job_read(c, u->state, u->id, &j, e);

	if (r < 0 || !c->log_ready)
		return r;
	if ((r = reconcile_job(j, e)) < 0) {
		job_free(j);
		return r;
	}
	if (!j->dead && j->timer == 0)
		job_step_soon(j, 0);
	return 0;
}

static bool
unread_gone(const struct core *c, const struct unread_job *u)
{
	struct err ignored;

	return io_there(c->spool.dir[u->state], u->id, &ignored) == 0;
}

static void
on_unread(void *ctx)
{
	struct core *c = ctx;
	struct unread_job **at = &c->unread, *u;

	c->unread_timer = 0;
	while (!c->stopping && (u = *at) != NULL) {
		struct err e = { 0 };
		bool gone = unread_gone(c, u);

		if (!gone && read_late(c, u, &e) < 0) {
			if (e.code == ERR_LOG || e.code == ERR_LOG_ROLLBACK)
				logbook_fatal(c, &e);
			u->why = e;
			at = &u->next;
			continue;
		}
		journal_line(LOG_NOTICE, &(struct about){ .job = u->id }, "spool/%s/%s %s now", spool_state_name(u->state), u->id, gone ? "is gone" : "could be read");
		*at = u->next;
		free(u);
	}
	if (c->unread == NULL)
		claiming_know_all(c);
	else if (!c->stopping) {
		c->unread_ms = c->unread_ms * 2 > JOB_BACKOFF_LAST_MS ? JOB_BACKOFF_LAST_MS : c->unread_ms * 2;
		c->unread_timer = loop_timer(c->loop, c->unread_ms, on_unread, c);
	}
	core_idle_check(c);
}

bool
recover_unread_may_be(const struct core *c, uint64_t size)
{
	char path[ID_MAX + 8];
	struct stat st;

	for (const struct unread_job *u = c->unread; u != NULL; u = u->next) {
		snprintf(path, sizeof(path), "%s/source", u->id);
		if (fstatat(c->spool.dir[u->state], path, &st, AT_SYMLINK_NOFOLLOW) < 0 || (uint64_t)st.st_size == size)
			return true;
	}
	return false;
}

void
recover_close(struct core *c)
{
	struct unread_job *u;

	if (c->unread != NULL) /* else there is perhaps no loop */
		loop_timer_del(c->loop, c->unread_timer);
	while ((u = c->unread) != NULL) {
		c->unread = u->next;
		free(u);
	}
}

/* --- the start ----------------------------------------------------------------------------- */

int
recover_jobs(struct core *c, struct err *e)
{
	/* later states first: a job in two of them (never on one journalling file system) keeps the later */
	static const enum spool_state order[] = { SPOOL_RELEASED, SPOOL_LOGGED, SPOOL_ARCHIVED, SPOOL_SEALED,
		SPOOL_SIGNED, SPOOL_RENDERED, SPOOL_REFUSED, SPOOL_HELD, SPOOL_CLAIMED };
	int r;

	if ((r = each(c, SPOOL_INCOMING, drop, e)) < 0)
		return r;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if ((r = each(c, order[i], found, e)) < 0)
			return r;
	if ((r = io_drop_temps(c->spool.tsa, e)) < 0 || (r = io_drop_temps(c->spool.seen, e)) < 0)
		return r;
	return events_clean(&c->spool, e);
}
