#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/path.h"

#include "agent/jsonput.h"
#include "agent/marker.h"

#define MARKER_MAX 4096
#define TRIES 10 /* others may come, go and remove meanwhile */

/* What a marker says, as far as it can be read. */
struct said {
	bool shared;
	char agent[ID_MAX], host[MARKER_HOST_MAX], boot[40], since[CLOCK_ISO_MAX];
	int pid;
};

enum lock { LOCK_OURS, LOCK_OTHERS, LOCK_NONE };

/* --- who we are ---------------------------------------------------------------------------- */

void
marker_self(struct marker_who *w, const char *agent)
{
	AUTO_FD fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, w->boot, sizeof(w->boot) - 1);

	w->boot[n > 0 ? n : 0] = '\0';
	w->boot[strcspn(w->boot, "\n")] = '\0';
	if (gethostname(w->host, sizeof(w->host) - 1) < 0)
		w->host[0] = '\0';
	w->host[sizeof(w->host) - 1] = '\0';
	snprintf(w->agent, sizeof(w->agent), "%s", agent);
}

void
marker_init(struct marker *m)
{
	*m = (struct marker){ .dir = -1, .fd = -1 };
}

/* --- what the file says -------------------------------------------------------------------- */

static void
take_text(char *dst, size_t size, const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(dst, size, "%s", s != NULL ? s : "");
}

/* Whoever may write in the folder may have written it: read as far as it makes sense. */
static void
said_read(int fd, struct said *s)
{
	char text[MARKER_MAX];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	json_t *o = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;

	*s = (struct said){ .agent = "" };
	take_text(s->agent, sizeof(s->agent), o, "agent");
	take_text(s->host, sizeof(s->host), o, "host");
	take_text(s->boot, sizeof(s->boot), o, "boot");
	take_text(s->since, sizeof(s->since), o, "since");
	s->pid = (int)json_integer_value(json_object_get(o, "pid"));
	s->shared = json_is_true(json_object_get(o, "shared"));
	json_decref(o);
}

static int
said_write(int fd, const struct marker_who *w, enum marker_kind kind, struct err *e)
{
	char since[CLOCK_ISO_MAX];
	AUTO_FREE char *text = NULL;
	json_t *o;
	int r;

	clock_iso(clock_wall_us(), since);
	o = json_pack("{s:i, s:b, s:s, s:s, s:s, s:i, s:s}", "v", 1, "shared", kind == MARKER_SHARED, "agent", w->agent,
	    "host", w->host, "boot", w->boot, "pid", (int)getpid(), "since", since);
	if (o != NULL)
		text = json_text(o, JSON_INDENT(1));
	json_decref(o);
	if (text == NULL)
		return err_set(e, ERR_MEM, "marker of the folder");
	/* cut afterwards: on a full disk what was there stays */
	if ((r = io_pwrite_full(fd, text, strlen(text), 0, e)) < 0)
		return r;
	if (ftruncate(fd, (off_t)strlen(text)) < 0)
		return err_sys(e, ERR_IO, "writing %s", MARKER_NAME);
	return io_sync(fd, e);
}

/* --- the lock ------------------------------------------------------------------------------ */

static enum lock
lock_try(int fd, short type)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &l) == 0)
		return LOCK_OURS;
	return errno == EAGAIN || errno == EACCES ? LOCK_OTHERS : LOCK_NONE;
}

/* Does the name still lead to what we hold?  It may have been given back or removed by a person. */
static bool
named(int dir, int fd)
{
	struct stat held, there;

	return fstat(fd, &held) == 0 && fstatat(dir, MARKER_NAME, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

bool
marker_stands(const struct marker *m)
{
	return m->fd >= 0 && named(m->dir, m->fd);
}

static int
others(const struct said *s, struct err *e)
{
	char host[3 * MARKER_HOST_MAX], since[3 * CLOCK_ISO_MAX];

	path_display(s->host, host, sizeof(host));
	path_display(s->since, since, sizeof(since));
	if (s->host[0] == '\0')
		return err_set(e, ERR_LOCKED, "another agent marked it (%s); stop that one, and remove the file if none is left",
		    MARKER_NAME);
	return err_set(e, ERR_LOCKED,
	    "sealroomd on host %.40s works with it since %.30s, pid %d; stop that one, and remove %s if it is gone for good",
	    host, since, s->pid, MARKER_NAME);
}

/*
 * The lock is ours or there are none here: may what the file says be passed
 * over?  One that is shared tells of its maker only: others may have joined.
 */
static bool
outdated(const struct said *s, const struct marker_who *w, enum lock lock, bool remote)
{
	if (s->shared)
		return lock == LOCK_OURS && !remote;
	if (strcmp(s->agent, w->agent) == 0)
		return true;
	if (lock != LOCK_OURS)
		return false;
	if (w->boot[0] != '\0' && strcmp(s->boot, w->boot) == 0)
		return true;
	return !remote && (s->agent[0] == '\0' || strcmp(s->host, w->host) == 0);
}

/* --- taking it ----------------------------------------------------------------------------- */

/* Ours is in it before anybody's lock is: whoever comes next knows whom to ask. The mode lets agents of other users read it. */
static int
make_marker(int dir, const struct marker_who *w, enum marker_kind kind, struct err *e)
{
	AUTO_FD fd = openat(dir, MARKER_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return errno == EEXIST ? 0 : err_sys(e, ERR_IO, "making %s", MARKER_NAME);
	r = fchmod(fd, 0644) < 0 ? err_sys(e, ERR_IO, "mode of %s", MARKER_NAME) : said_write(fd, w, kind, e);
	if (r < 0)
		unlinkat(dir, MARKER_NAME, 0);
	return r;
}

static int
open_marker(int dir, bool *ret_writable, int *ret_fd, struct err *e)
{
	struct stat st;
	int fd;

	*ret_writable = true;
	if ((fd = path_open(dir, MARKER_NAME, O_RDWR | O_NONBLOCK | O_NOCTTY)) < 0 && errno == EACCES) {
		*ret_writable = false;
		fd = path_open(dir, MARKER_NAME, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	}
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, ERR_LOCKED, "opening %s; remove it if no other agent is left", MARKER_NAME);
	*ret_fd = fd; /* -1: gone again */
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return err_set(e, ERR_LOCKED, "%s is not a plain file; remove it", MARKER_NAME);
	return 0;
}

static int
take_alone(int fd, bool writable, const struct marker_who *w, bool remote, struct err *e)
{
	enum lock lock = writable ? lock_try(fd, F_WRLCK) : LOCK_OTHERS;
	struct said s;

	said_read(fd, &s);
	if (lock == LOCK_OTHERS || !outdated(&s, w, lock, remote))
		return others(&s, e);
	return said_write(fd, w, MARKER_ALONE, e);
}

/* Who is there already wrote the file; only what is out of date is written anew, by one that nobody shares with yet. */
static int
take_shared(int fd, bool writable, const struct marker_who *w, bool remote, struct err *e)
{
	enum lock lock = lock_try(fd, F_RDLCK);
	struct said s;
	int r = 0;

	said_read(fd, &s);
	if (lock == LOCK_OTHERS)
		return others(&s, e);
	if (s.shared)
		return 0;
	if (!outdated(&s, w, lock, remote) || !writable || (lock == LOCK_OURS && lock_try(fd, F_WRLCK) != LOCK_OURS))
		return others(&s, e);
	r = said_write(fd, w, MARKER_SHARED, e);
	if (lock == LOCK_OURS && lock_try(fd, F_RDLCK) != LOCK_OURS && r == 0)
		r = err_sys(e, ERR_IO, "lock on %s", MARKER_NAME);
	return r;
}

int
marker_take(struct marker *m, int dir, const struct marker_who *w, enum marker_kind kind, bool remote, struct err *e)
{
	for (int i = 0; i < TRIES; i++) {
		AUTO_FD fd = -1;
		bool writable;
		int r;

		if ((r = make_marker(dir, w, kind, e)) < 0 || (r = open_marker(dir, &writable, &fd, e)) < 0)
			return r;
		if (fd < 0)
			continue;
		r = (kind == MARKER_ALONE ? take_alone : take_shared)(fd, writable, w, remote, e);
		if (!named(dir, fd))
			continue; /* given back or removed while we looked */
		if (r < 0)
			return r;
		if ((m->dir = fcntl(dir, F_DUPFD_CLOEXEC, 3)) < 0)
			return err_sys(e, ERR_IO, "folder");
		m->fd = take_fd(&fd);
		m->kind = kind;
		return 0;
	}
	return err_set(e, ERR_LOCKED, "%s comes and goes: another agent is being started or stopped", MARKER_NAME);
}

/* While the lock is held: who opened the file before finds that the name does not lead to it any more. */
void
marker_leave(struct marker *m)
{
	bool last = m->fd >= 0 && (m->kind == MARKER_ALONE || lock_try(m->fd, F_WRLCK) == LOCK_OURS);

	if (last && named(m->dir, m->fd) && unlinkat(m->dir, MARKER_NAME, 0) < 0 && errno != ENOENT && errno != EROFS)
		log_line(LOG_NOTICE, "%s could not be removed: %s", MARKER_NAME, strerror(errno));
	io_close(&m->fd);
	io_close(&m->dir);
}
