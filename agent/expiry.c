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

#define DAY_MS UINT64_C(86400000)
#define HOUR_MS 3600000
#define TURN_NAMES 256

struct expiry {
	struct core *core;
	uint64_t look_timer, age_timer;
	uint64_t age_ms;       /* when this look began */
	size_t place;          /* which is looked at */
	DIR *names;            /* of it; NULL: not begun */
};

static const struct place {
	const char *name;
	size_t dir;            /* its descriptor in struct spool */
	uint64_t keep_ms;
} places[] = {
	{ "state/seen", offsetof(struct spool, seen), SEEN_DAYS * DAY_MS },
	{ "state/events", offsetof(struct spool, events_new), EVENTS_DAYS * DAY_MS },
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

/* --- one look ------------------------------------------------------------------------------ */

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
	struct dirent *de;
	int r;

	for (int i = 0; i < TURN_NAMES; i++) {
		errno = 0;
		if ((de = readdir(x->names)) == NULL)
			return errno != 0 ? err_sys(e, ERR_IO, "%s", places[x->place].name) : 0;
		if (de->d_name[0] == '.')
			continue;
		r = expiry_due(place_dir(x), de->d_name, x->age_ms, places[x->place].keep_ms, e);
		if (r < 0 || (r == 1 && (r = io_unlink(place_dir(x), de->d_name, e)) < 0))
			return r;
	}
	return 1;
}

/* As place_turn(), of all places: what cannot be looked at now is looked at tomorrow, and stays. */
static bool
look(struct expiry *x)
{
	struct err e = { 0 };
	int r;

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
