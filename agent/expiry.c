#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/events.h"
#include "agent/expiry.h"
#include "agent/given.h"
#include "agent/journal.h"
#include "agent/stack.h"

#define DAY_MS UINT64_C(86400000)
#define HOUR_MS 3600000
#define TURN_NAMES 256
#define WAIT_MS 1000 /* until the log has proven itself */

struct expiry {
	struct core *core;
	uint64_t look_timer, age_timer;
	uint64_t age_ms;       /* when this look began */
	size_t place;          /* which is looked at */
	DIR *names;            /* of it; NULL: not begun */
};

typedef int remove_fn(struct core *, int dir, const char *name, struct err *);

static remove_fn remove_file, remove_job;

static const struct place {
	const char *name;
	size_t dir;            /* its descriptor in struct spool */
	uint64_t keep_ms;      /* 0: as the settings say */
	remove_fn *remove;
} places[] = {
	{ "state/seen", offsetof(struct spool, seen), SEEN_DAYS * DAY_MS, remove_file },
	{ "state/events", offsetof(struct spool, events_new), EVENTS_DAYS * DAY_MS, remove_file },
	{ "state/quarantine", offsetof(struct spool, quarantine), 0, remove_job },
};
#define PLACES (sizeof(places) / sizeof(places[0]))

static int
stamp(int dir, const char *name, uint64_t age_ms, struct err *e)
{
	const struct timespec t[2] = { { .tv_sec = EXPIRY_EPOCH_S + (int64_t)(age_ms / 1000) }, { .tv_nsec = UTIME_OMIT } };

	if (utimensat(dir, name, t, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "time of %s", name);
	return 0;
}

int
expiry_due(int dir, const char *name, uint64_t age_ms, uint64_t keep_ms, struct err *e)
{
	struct stat st;
	int64_t since;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "time of %s", name);
	since = (st.st_atim.tv_sec - EXPIRY_EPOCH_S) * 1000;
	if (since < 0 || (uint64_t)since > age_ms)
		return stamp(dir, name, age_ms, e);
	return age_ms - (uint64_t)since > keep_ms;
}

/* --- removing ------------------------------------------------------------------------------ */

static int
remove_file(struct core *c, int dir, const char *name, struct err *e)
{
	(void)c;
	return io_unlink(dir, name, e);
}

/* The documents of a stack are looked for here while it is divided (stack.h). */
static bool
stack_at_work(const struct core *c)
{
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (stack_in(j->dir, j->state))
			return true;
	return false;
}

/* Does a checkpoint cover what became of it? 1, 0, -code. */
static int
is_proven(struct core *c, int job_dir, const char *id, struct err *e)
{
	struct claim claim;
	uint64_t at = 0;
	int r;

	if ((r = claim_get(job_dir, &claim, e)) < 0)
		return r;
	if ((r = elog_find(c->elog, ENTRY_REJECT, id, NULL, claim.log_size, &at, e)) == 0)
		r = elog_find(c->elog, ENTRY_WITHDRAW, id, NULL, claim.log_size, &at, e);
	return r == 1 ? at < elog_published(c->elog) : r;
}

/* By way of incoming/, which a start empties: half of it never lies where a whole one should. */
static int
remove_job(struct core *c, int dir, const char *id, struct err *e)
{
	int incoming = c->spool.dir[SPOOL_INCOMING], r;
	AUTO_FD job = -1;

	if (!c->log_ready || !id_valid(id) || stack_at_work(c))
		return 0;
	if ((job = io_open_dir(dir, id, e)) < 0 || (r = is_proven(c, job, id, e)) < 0) {
		journal_line(LOG_WARNING, &(struct about){ .job = id, .reason = err_word(e->code) },
		    "job %s: our copy stays: %s: %s", id, err_word(e->code), e->text); /* and keeps no other here */
		return 0;
	}
	if (r == 0)
		return 0;
	if ((r = io_move(dir, id, incoming, id, e)) < 0 || (r = io_remove_tree(incoming, id, e)) < 0)
		return r;
	journal_line(LOG_NOTICE, &(struct about){ .job = id }, "job %s: our copy of what was refused is removed, as quarantine_keep says", id);
	return 0;
}

/* --- one look ------------------------------------------------------------------------------ */

static uint64_t
place_keep_ms(const struct expiry *x)
{
	return places[x->place].keep_ms != 0 ? places[x->place].keep_ms : x->core->conf->quarantine_keep_ms;
}

static int
place_dir(const struct expiry *x)
{
	return *(const int *)((const char *)&x->core->spool + places[x->place].dir);
}

static int
place_open(struct expiry *x, struct err *e)
{
	int fd = openat(place_dir(x), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || (x->names = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "%s", places[x->place].name);
	}
	return 0;
}

static void
place_close(struct expiry *x)
{
	if (x->names != NULL)
		closedir(x->names);
	x->names = NULL;
}

/* Some names: 1, there are more; 0, those were all, -code. */
static int
place_turn(struct expiry *x, struct err *e)
{
	uint64_t keep_ms = place_keep_ms(x);
	struct dirent *de;
	int r;

	for (int i = 0; i < TURN_NAMES; i++) {
		errno = 0;
		if ((de = readdir(x->names)) == NULL)
			return errno != 0 ? err_sys(e, ERR_IO, "%s", places[x->place].name) : 0;
		if (de->d_name[0] == '.')
			continue;
		r = expiry_due(place_dir(x), de->d_name, x->age_ms, keep_ms, e);
		if (r < 0 || (r == 1 && (r = places[x->place].remove(x->core, place_dir(x), de->d_name, e)) < 0))
			return r;
	}
	return 1;
}

/* As place_turn(), of all places: what cannot be looked at now is looked at tomorrow, and stays. */
static bool
look(struct expiry *x)
{
	struct err e = { 0 };
	int r = 0;

	while (x->place < PLACES && place_keep_ms(x) == 0)
		x->place++; /* for ever */
	if (x->place == PLACES)
		return false;
	if ((x->names != NULL || (r = place_open(x, &e)) == 0) && (r = place_turn(x, &e)) == 1)
		return true;
	if (r < 0)
		log_err(LOG_WARNING, "what was kept long enough", &e);
	place_close(x);
	x->place++;
	return true;
}

/* Without the age nothing is older than anything: a disk that is full must not keep the daemon from starting. */
static void
begin(struct expiry *x)
{
	struct err e = { 0 };

	x->place = 0;
	if (given_age(&x->core->spool, &x->age_ms, &e) < 0) {
		log_err(LOG_WARNING, "age clock", &e);
		x->place = PLACES;
	}
}

static void on_day(void *);

static void
on_turn(void *ctx)
{
	struct expiry *x = ctx;

	if (!x->core->log_ready) {
		x->look_timer = loop_timer(x->core->loop, WAIT_MS, on_turn, x);
		return;
	}
	if (!x->core->stopping && look(x))
		x->look_timer = loop_behind(x->core->loop, on_turn, x);
	else
		x->look_timer = loop_timer(x->core->loop, DAY_MS, on_day, x);
}

static void
on_day(void *ctx)
{
	begin(ctx);
	on_turn(ctx);
}

static void
on_hour(void *ctx)
{
	struct expiry *x = ctx;
	struct err ignored;
	uint64_t age;

	given_age(&x->core->spool, &age, &ignored); /* not now: in an hour, which makes nothing older */
	x->age_timer = loop_timer(x->core->loop, HOUR_MS, on_hour, x);
}

/* --- for the core -------------------------------------------------------------------------- */

int
expiry_open(struct core *c, struct err *e)
{
	struct expiry *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return err_set(e, ERR_MEM, "expiry");
	c->expiry = x;
	x->core = c;
	on_hour(x);
	begin(x);
	if (c->once)
		while (look(x))
			continue;
	else
		x->look_timer = loop_timer(c->loop, 0, on_turn, x);
	return 0;
}

void
expiry_close(struct core *c)
{
	struct expiry *x = c->expiry;

	if (x == NULL)
		return;
	loop_timer_del(c->loop, x->look_timer);
	loop_timer_del(c->loop, x->age_timer);
	place_close(x);
	free(x);
	c->expiry = NULL;
}
