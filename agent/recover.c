#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/core.h"
#include "agent/events.h"
#include "agent/reconcile.h"

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

/* A claim whose copy is not what was claimed is no claim: H or a backup has the bytes, we must not guess. */
static int
check_source(struct job *j, struct err *e)
{
	uint8_t hash[HASH_LEN];
	uint64_t size;
	AUTO_FD fd = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int r;

	if (fd < 0)
		return err_sys(e, ERR_IO, "source of job %s", j->claim.id);
	if ((r = io_size(fd, &size, e)) < 0 || (r = hash_fd(fd, 0, UINT64_MAX, hash, e)) < 0)
		return r;
	if (size != j->claim.size || memcmp(hash, j->claim.hash, HASH_LEN) != 0)
		return err_set(e, ERR_IO, "source of job %s is not what was claimed", j->claim.id);
	return 0;
}

static int
found(struct core *c, enum spool_state st, const char *name, struct err *e)
{
	struct err ignored;
	struct claim claim;
	struct job *j;
	int dir, r;

	if (!id_valid(name)) {
		log_line(LOG_WARNING, "spool/%s: '%s' is not a job; left alone", spool_state_name(st), name);
		return 0;
	}
	if (known(c, name)) /* in a later state too: that one wins */
		return io_remove_tree(c->spool.dir[st], name, e);
	if ((dir = spool_job_dir(&c->spool, st, name, e)) < 0)
		return dir;
	if ((r = io_drop_temps(dir, e)) < 0 || (r = claim_get(dir, &claim, e)) < 0) {
		close(dir);
		/* waiting to be removed, and begun with: that was after the log had proven itself */
		if (st == SPOOL_RELEASED)
			return io_remove_tree(c->spool.dir[st], name, e);
		log_err(LOG_ALERT, name, e);
		return 0;
	}
	if ((j = job_add(c, &claim, st, dir)) == NULL) {
		close(dir);
		return err_set(e, ERR_MEM, "job table");
	}
	log_at_load(j);
	if (st == SPOOL_CLAIMED && check_source(j, e) < 0) {
		log_err(LOG_ALERT, "claimed job is set aside", e);
		j->why = *e;
		j->aside = true;
	}
	j->withdrawn = io_exists(dir, "withdrawn");
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
