#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/core.h"
#include "agent/events.h"
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
	log_err(LOG_ALERT, "claimed job is set aside", e);
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
	if (why == NULL && !same)
		err_set(&e, ERR_IO, "source of job %s is not what was claimed", j->claim.id);
	if (why != NULL || !same)
		set_aside(j, why != NULL ? why : &e);
	job_step(j);
	core_idle_check(j->core);
}

static int
source_open(struct job *j, struct err *e)
{
	struct checking *k = calloc(1, sizeof(*k));
	uint64_t size;
	int r;

	if (k == NULL)
		return err_set(e, ERR_MEM, "source of job %s", j->claim.id);
	j->checking = k;
	if ((k->fd = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_sys(e, ERR_IO, "source of job %s", j->claim.id);
	if ((r = io_size(k->fd, &size, e)) < 0)
		return r;
	return size == j->claim.size ? 0 : err_set(e, ERR_IO, "source of job %s is not what was claimed", j->claim.id);
}

/*
 * A claim whose copy is not what was claimed is no claim: H or a backup has the
 * bytes, we must not guess.  Looked at in turns, before the job's first step,
 * so that a start does not wait for the bytes of all that is open.
 */
void
recover_check(struct job *j)
{
	struct err e = { 0 };

	if (source_open(j, &e) < 0) {
		recover_forget(j);
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
found(struct core *c, enum spool_state st, const char *name, struct err *e)
{
	struct err ignored;
	struct claim claim;
	struct job *j;
	int dir, r, withdrawn;

	if (!id_valid(name)) {
		log_line(LOG_WARNING, "spool/%s: '%s' is not a job; left alone", spool_state_name(st), name);
		return 0;
	}
	if (known(c, name)) /* in a later state too: that one wins */
		return io_remove_tree(c->spool.dir[st], name, e);
	if ((dir = spool_job_dir(&c->spool, st, name, e)) < 0)
		return dir;
	if ((r = io_drop_temps(dir, e)) < 0 || (r = claim_get(dir, &claim, e)) < 0 || (withdrawn = r = io_there(dir, "withdrawn", e)) < 0) {
		close(dir);
		/* waiting to be removed, and begun with: that was after the log had proven itself */
		if (st == SPOOL_RELEASED)
			return io_remove_tree(c->spool.dir[st], name, e);
		log_err(LOG_ALERT, name, e);
		snprintf(c->unread, sizeof(c->unread), "spool/%s/%s", spool_state_name(st), name);
		c->unread_why = *e;
		return 0;
	}
	if ((j = job_new(e)) == NULL) {
		close(dir);
		return -(int)e->code;
	}
	job_add(c, j, &claim, st, dir);
	log_at_load(j);
	j->unchecked = st == SPOOL_CLAIMED;
	j->withdrawn = withdrawn == 1;
	j->was_held = io_exists(dir, "question");
	/* for status; a damaged record comes up again where it is needed */
	(void)inspect_load(j, &ignored);
	return 0;
}

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
