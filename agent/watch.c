#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/path.h"

#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/marker.h"
#include "agent/watch.h"

#define BUCKETS 4096
#define POLL_LOCAL_MAX_MS 60000 /* notified or not */
#define IDLE_MS 60000
#define GONE_MS 2000 /* a folder that is not there is looked for so often */
#define REPORTS_FREE 50 /* lines about odd names a folder before they are rationed */
#define EVENTS                                                                                            \
	(IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF | \
	    IN_ONLYDIR)

enum name_state {
	NAME_WAITING, /* its quiet time runs */
	NAME_LATER,   /* put off by the callee, until 'due' */
	NAME_OFFERED, /* on_quiet() runs */
	NAME_BUSY,    /* a claim is under way */
	NAME_TAKEN,   /* claimed, but the share refused to move it */
	NAME_IGNORED, /* a sender's temporary name */
	NAME_ODD,     /* link, FIFO, directory, unreadable, refused by the callee */
	NAME_STATES
};

struct name {
	struct name *next; /* in its bucket */
	struct hot_stamp stamp;
	enum name_state state;
	bool reported;
	bool slow;      /* busy, and not counted */
	uint32_t scan;  /* number of the scan that saw it last */
	uint64_t since; /* unchanged since, clock_ms() */
	uint64_t due;   /* not offered before, for NAME_LATER */
	uint64_t ready; /* when it may be offered */
	uint32_t place; /* among those that wait, from 1; 0: it does not */
	char text[];
};

struct folder {
	const struct conf_folder *conf;
	int dir; /* -1: not there */
	int wd;  /* -1: no watch */
	dev_t dev;
	ino_t ino;
	uint64_t mount;          /* id of the mount it is on */
	const char *remote;      /* the network file system it lies on; NULL: a local one */
	uint64_t settle_ms, poll_ms;
	struct marker marker;    /* that it is ours */
	struct marker work;      /* that our part of its work folder is, when it is shared */
	char why[ERR_TEXT_MAX];  /* not there, because */
	bool locked;             /* another agent's */
	bool alarmed, no_lease_said;
	DIR *scanning;
	uint32_t scan;           /* number of the current or last scan */
	uint32_t past, past_odd; /* documents and others that this scan found no room for */
	uint32_t more, more_odd; /* the same, of the last whole scan */
	bool clean;              /* a whole scan began and ended after the last watch_rescan() */
	bool fresh;              /* the scan under way began after it */
	uint64_t next_scan;
	uint32_t count[NAME_STATES];
	uint32_t slow;           /* of the busy ones */
	uint32_t reports;
	struct log_limit limit;
	struct name *bucket[BUCKETS];
	struct name **heap;      /* those that wait, the next one to be offered first */
	uint32_t waiting, room;
};

struct watch_set {
	struct loop *loop;
	watch_cb *on_quiet;
	void *ctx;
	struct watch_owner owner;
	struct marker_who who;
	uint32_t most;
	bool paused;
	uint64_t hold; /* nothing is offered before */
	int inotify;
	uint64_t timer;
	size_t turn;     /* folder whose turn it is to be offered */
	size_t nfolders;
	struct folder folders[];
};

static void schedule(struct watch_set *);

/* --- who is next: a heap of the names that wait ------------------------------------------- */

static void
heap_put(struct folder *f, uint32_t place, struct name *n)
{
	f->heap[place - 1] = n;
	n->place = place;
}

/* From a place that may be wrong to the right one. */
static void
heap_settle(struct folder *f, struct name *n)
{
	uint32_t at = n->place, up, down;

	for (; (up = at / 2) > 0 && f->heap[up - 1]->ready > n->ready; at = up)
		heap_put(f, at, f->heap[up - 1]);
	for (; (down = 2 * at) <= f->waiting; at = down) {
		down += down < f->waiting && f->heap[down]->ready < f->heap[down - 1]->ready;
		if (f->heap[down - 1]->ready >= n->ready)
			break;
		heap_put(f, at, f->heap[down - 1]);
	}
	heap_put(f, at, n);
}

static void
heap_drop(struct folder *f, struct name *n)
{
	struct name *last = f->heap[--f->waiting];
	uint32_t place = n->place;

	n->place = 0;
	if (last == n)
		return;
	heap_put(f, place, last);
	heap_settle(f, last);
}

/* There is room for every name of the folder, or the name is not taken up. */
static bool
heap_room(struct folder *f, uint32_t names)
{
	uint32_t room = f->room == 0 ? 64 : f->room * 2;
	struct name **heap;

	if (names <= f->room)
		return true;
	if ((heap = reallocarray(f->heap, room, sizeof(*heap))) == NULL)
		return false;
	f->heap = heap;
	f->room = room;
	return true;
}

/* After each change of its state or its times. */
static void
name_queue(struct folder *f, struct name *n)
{
	uint64_t quiet = n->since + f->settle_ms;

	if (n->state != NAME_WAITING && n->state != NAME_LATER) {
		if (n->place > 0)
			heap_drop(f, n);
		return;
	}
	n->ready = n->due > quiet ? n->due : quiet;
	if (n->place == 0)
		heap_put(f, ++f->waiting, n);
	heap_settle(f, n);
}

/* --- names of a folder ------------------------------------------------------------------- */

static struct name **
name_slot(struct folder *f, const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a */
	struct name **p;

	for (const unsigned char *s = (const unsigned char *)text; *s; s++)
		h = (h ^ *s) * 16777619u;
	for (p = &f->bucket[h % BUCKETS]; *p != NULL && strcmp((*p)->text, text) != 0; p = &(*p)->next)
		continue;
	return p;
}

static uint32_t
name_total(const struct folder *f)
{
	uint32_t n = 0;

	for (int i = 0; i < NAME_STATES; i++)
		n += f->count[i];
	return n;
}

static void
name_state(struct folder *f, struct name *n, enum name_state s)
{
	f->slow -= n->slow;
	n->slow = false;
	f->count[n->state]--;
	n->state = s;
	f->count[s]++;
	name_queue(f, n);
}

static void
name_put_off(struct folder *f, struct name *n, uint64_t due)
{
	n->due = due;
	name_state(f, n, NAME_LATER);
}

/* It waits for its quiet time; one with nothing in it yet was only begun. */
static void
name_wait(struct folder *f, struct name *n)
{
	if (n->stamp.size == 0) {
		name_put_off(f, n, n->since + f->conf->incomplete_ms);
		return;
	}
	n->due = 0;
	name_state(f, n, NAME_WAITING);
}

/* Something happened to it: its quiet time begins anew. */
static void
name_touch(struct folder *f, struct name *n)
{
	n->since = clock_ms();
	if (n->stamp.size == 0 && n->state == NAME_LATER)
		name_wait(f, n);
	else
		name_queue(f, n);
}

static void
name_forget(struct folder *f, struct name **p)
{
	struct name *n = *p;

	f->slow -= n->slow;
	f->count[n->state]--;
	if (n->place > 0)
		heap_drop(f, n);
	*p = n->next;
	free(n);
}

static void
names_clear(struct folder *f)
{
	for (int i = 0; i < BUCKETS; i++)
		while (f->bucket[i] != NULL)
			name_forget(f, &f->bucket[i]);
}

/* Once a name; a flood of odd names must not hide other lines. */
static void
report(struct folder *f, struct name *n, const char *what)
{
	char name[3 * NAME_MAX + 1];

	if (n->reported)
		return;
	n->reported = true;
	path_escape(n->text, name, sizeof(name));
	if (f->reports++ < REPORTS_FREE)
		journal_line(LOG_WARNING, &(struct about){ .folder = f->conf->name },
		    "folder %s: %s: %s; left alone", f->conf->name, name, what);
	else
		journal_limited(&f->limit, 60000, LOG_WARNING, &(struct about){ .folder = f->conf->name },
		    "folder %s: %s: %s; left alone", f->conf->name, name, what);
}

static const char *
odd_kind(mode_t mode)
{
	return S_ISLNK(mode) ? "a symbolic link" : S_ISDIR(mode) ? "a directory" : S_ISFIFO(mode) ? "a FIFO" :
	    S_ISSOCK(mode) ? "a socket" : "a device";
}

/* Room for what is only counted, or begun and empty, is half of all: junk must not keep documents out. */
static struct name *
name_add(struct folder *f, struct name **slot, const char *text, const struct stat *st)
{
	bool ignored = hot_ignored(text), odd = !S_ISREG(st->st_mode), junk = ignored || odd || st->st_size == 0;
	uint32_t more = f->count[NAME_IGNORED] + f->count[NAME_ODD] + f->count[NAME_LATER];
	size_t len = strlen(text) + 1;
	struct name *n;

	if (name_total(f) >= WATCH_NAMES || (junk && more >= WATCH_NAMES / 2) ||
	    !heap_room(f, name_total(f) + 1) || (n = calloc(1, sizeof(*n) + len)) == NULL) {
		*(junk ? &f->past_odd : &f->past) += 1; /* a later scan sees it again */
		return NULL;
	}
	memcpy(n->text, text, len);
	n->state = ignored ? NAME_IGNORED : odd ? NAME_ODD : NAME_WAITING;
	n->since = clock_ms();
	hot_stamp(st, &n->stamp);
	f->count[n->state]++;
	*slot = n;
	if (n->state == NAME_WAITING)
		name_wait(f, n);
	if (n->state == NAME_ODD)
		report(f, n, odd_kind(st->st_mode));
	return n;
}

/* What a look at a known name tells. A claim under way hears of a change when it ends. */
static void
name_update(struct folder *f, struct name *n, const struct stat *st)
{
	struct hot_stamp now;

	hot_stamp(st, &now);
	if (hot_same(&n->stamp, &now) || n->state == NAME_BUSY || n->state == NAME_OFFERED)
		return;
	n->stamp = now;
	n->since = clock_ms();
	if (n->state == NAME_IGNORED)
		return;
	if (S_ISREG(st->st_mode)) {
		name_wait(f, n);
		return;
	}
	name_state(f, n, NAME_ODD);
	report(f, n, odd_kind(st->st_mode));
}

/* Neither gone nor quiet: it is kept, and looked at again in a while. */
static void
name_unseen(struct folder *f, struct name **slot, const char *text, int why)
{
	static const struct stat unknown = { .st_mode = S_IFREG };
	struct name *n = *slot != NULL ? *slot : name_add(f, slot, text, &unknown);
	char name[3 * NAME_MAX + 1];

	path_escape(text, name, sizeof(name));
	journal_limited(&f->limit, 60000, LOG_WARNING, &(struct about){ .folder = f->conf->name },
	    "folder %s: %s can not be looked at now: %s", f->conf->name, name, strerror(why));
	if (n == NULL)
		return;
	n->scan = f->scan;
	if (n->state == NAME_WAITING || n->state == NAME_LATER)
		name_put_off(f, n, clock_ms() + GONE_MS);
}

/* Returns the name as it is now, or NULL: gone, our own, one too many, or it can not be told. */
static struct name *
look(struct folder *f, const char *text)
{
	struct name **slot;
	struct stat st;

	if (hot_ours(f->conf, text))
		return NULL;
	slot = name_slot(f, text);
	if (fstatat(f->dir, text, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			name_unseen(f, slot, text, errno);
		else if (*slot != NULL && (*slot)->state != NAME_BUSY)
			name_forget(f, slot);
		return NULL;
	}
	if (*slot == NULL)
		return name_add(f, slot, text, &st);
	name_update(f, *slot, &st);
	return *slot;
}

/* --- the folder itself ------------------------------------------------------------------- */

static void
folder_close(struct watch_set *w, struct folder *f)
{
	if (f->scanning != NULL)
		closedir(f->scanning);
	f->scanning = NULL;
	if (f->wd >= 0)
		inotify_rm_watch(w->inotify, f->wd);
	f->wd = -1;
	marker_leave(&f->work);
	marker_leave(&f->marker);
	io_close(&f->dir);
}

static int
folder_subs(const struct folder *f, struct err *e)
{
	const char *const words[] = { f->conf->word_work, f->conf->word_done, f->conf->word_held,
		f->conf->word_error };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		AUTO_FD sub = hot_open_sub(f->dir, words[i], e);

		if (sub < 0)
			return sub;
	}
	return 0;
}

/*
 * Where nothing is mounted any more lies a directory that nobody looks into:
 * nothing is taken from it, nothing put there.  The device tells, not whether it
 * is a mount: a service manager may mount a folder over itself.
 */
static int
folder_mounted(const struct watch_set *w, const struct folder *f, struct err *e)
{
	AUTO_FD marks = -1;
	struct stat up;
	bool mount;
	int r;

	if (fstatat(f->dir, "..", &up, 0) < 0)
		return err_sys(e, ERR_IO, "looking at what the folder lies in");
	mount = up.st_dev != f->dev;
	if ((r = io_mkdir_p(w->owner.state, "folders", 0700, e)) < 0)
		return r;
	if ((marks = io_open_dir(w->owner.state, "folders", e)) < 0)
		return marks;
	if ((r = io_there(marks, f->conf->name, e)) < 0 || mount == (r == 1))
		return r < 0 ? r : 0;
	if (mount)
		return io_put(marks, f->conf->name, "mount\n", 6, 0600, e);
	return err_set(e, ERR_IO, "nothing is mounted there now; mount it, or, if it is to be a plain directory, remove folders/%s "
	    "in the state directory", f->conf->name);
}

/* By its type or as the settings say; what they leave open follows from it. */
static void
folder_kind(struct folder *f)
{
	const struct conf_folder *c = f->conf;

	f->remote = hot_remote(c, f->dir);
	f->settle_ms = c->settle_ms != 0 ? c->settle_ms : f->remote != NULL ? HOT_SETTLE_REMOTE_MS : HOT_SETTLE_MS;
	f->poll_ms = c->poll_ms != 0 ? c->poll_ms : f->remote != NULL ? HOT_POLL_REMOTE_MS : HOT_POLL_MS;
	if (f->remote == NULL && f->poll_ms > POLL_LOCAL_MAX_MS)
		f->poll_ms = POLL_LOCAL_MAX_MS;
}

/* Ours alone, or shared by name; then what we had taken from it and lost sight of. */
static int
folder_own(struct watch_set *w, struct folder *f, struct err *e)
{
	enum marker_kind kind = f->conf->claim_rename ? MARKER_SHARED : MARKER_ALONE;
	AUTO_FD work = -1;
	int r;

	if ((r = marker_take(&f->marker, f->dir, &w->who, kind, f->remote != NULL, e)) < 0 || (r = folder_subs(f, e)) < 0)
		return r;
	if ((work = hot_open_sub(f->dir, f->conf->word_work, e)) < 0)
		return work;
	if (kind == MARKER_SHARED && (r = marker_take(&f->work, work, &w->who, MARKER_ALONE, f->remote != NULL, e)) < 0)
		return r;
	return w->owner.opened(w->ctx, f->conf, f->dir, work, e);
}

static void
folder_watch(struct watch_set *w, struct folder *f)
{
	char proc[64];

	/* by descriptor: the path may lead elsewhere by now */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", f->dir);
	if ((f->wd = inotify_add_watch(w->inotify, proc, EVENTS)) < 0)
		journal_line(LOG_WARNING, &(struct about){ .folder = f->conf->name },
		    "folder %s: no inotify watch (%s); it is scanned every %llu s", f->conf->name,
		    strerror(errno), (unsigned long long)(f->poll_ms / 1000));
	if (f->remote != NULL)
		journal_line(LOG_WARNING, &(struct about){ .folder = f->conf->name },
		    "folder %s lies on %s: writers on other hosts cannot be seen; it is read every %.1f s, and only quiet time "
		    "(settle, %.1f s) and structure tell whether a document is complete",
		    f->conf->name, f->remote, (double)f->poll_ms / 1000, (double)f->settle_ms / 1000);
}

static int
folder_open(struct watch_set *w, struct folder *f, struct err *e)
{
	struct statx x;
	struct stat st;
	int r;

	if ((f->dir = open(f->conf->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "opening the folder");
	if (fstat(f->dir, &st) < 0 || statx(f->dir, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &x) < 0)
		return err_sys(e, ERR_IO, "looking at the folder");
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->mount = x.stx_mask & STATX_MNT_ID ? x.stx_mnt_id : 0;
	folder_kind(f);
	if ((r = folder_mounted(w, f, e)) < 0 || (r = folder_own(w, f, e)) < 0)
		return r;
	folder_watch(w, f);
	return 0;
}

/*
 * Is what we hold still what the path leads to, and ours?  A replaced folder
 * keeps its watch and stays silent, and so does one that something was mounted over.
 */
static bool
folder_stands(const struct folder *f)
{
	struct statx x;
	struct stat st;

	return f->dir >= 0 && stat(f->conf->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino &&
	    statx(AT_FDCWD, f->conf->path, 0, STATX_MNT_ID, &x) == 0 &&
	    (!(x.stx_mask & STATX_MNT_ID) || x.stx_mnt_id == f->mount) && marker_stands(&f->marker) &&
	    (!f->conf->claim_rename || marker_stands(&f->work));
}

/* Said once for as long as it lasts. */
static void
folder_gone(struct watch_set *w, struct folder *f, const struct err *why)
{
	folder_close(w, f);
	names_clear(f);
	f->locked = why->code == ERR_LOCKED;
	memcpy(f->why, why->text, sizeof(f->why));
	if (!f->alarmed)
		journal_line(LOG_ALERT, &(struct about){ .folder = f->conf->name },
		    "folder %s: %s: %s; nothing is taken from it", f->conf->name, f->conf->path, why->text);
	f->alarmed = true;
	if (f->next_scan > clock_ms() + GONE_MS)
		f->next_scan = clock_ms() + GONE_MS;
}

/* It could be read to its end. */
static void
folder_back(struct folder *f)
{
	if (f->alarmed)
		journal_line(LOG_NOTICE, &(struct about){ .folder = f->conf->name }, "folder %s is there again", f->conf->name);
	f->alarmed = f->locked = false;
	f->why[0] = '\0';
}

static void
folder_scan(struct watch_set *w, struct folder *f)
{
	struct err e = { 0 };
	int fd;

	if (f->scanning != NULL)
		closedir(f->scanning);
	f->scanning = NULL;
	if (!folder_stands(f)) {
		folder_close(w, f);
		if (folder_open(w, f, &e) < 0) {
			f->next_scan = UINT64_MAX;
			folder_gone(w, f, &e);
			return;
		}
	}
	f->next_scan = clock_ms() + f->poll_ms;
	if ((fd = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    (f->scanning = fdopendir(fd)) == NULL) {
		err_sys(&e, ERR_IO, "reading the folder"); /* a server that forgot it: open it anew */
		io_close(&fd);
		folder_gone(w, f, &e);
		return;
	}
	f->scan++;
	f->past = f->past_odd = 0;
	f->fresh = true;
}

/* An unfinished name that nobody finishes is somebody's lost document. */
static void
report_old(struct folder *f, struct name *n)
{
	if (n->state == NAME_IGNORED && clock_ms() - n->since >= f->conf->incomplete_ms)
		report(f, n, "named like a file that is still being written, and has not changed for long");
}

static void
scan_end(struct folder *f)
{
	closedir(f->scanning);
	f->scanning = NULL;
	folder_back(f);
	for (int i = 0; i < BUCKETS; i++)
		for (struct name **p = &f->bucket[i]; *p != NULL;) {
			if ((*p)->scan != f->scan && (*p)->state != NAME_BUSY) {
				name_forget(f, p);
				continue;
			}
			report_old(f, *p);
			p = &(*p)->next;
		}
	f->more = f->past;
	f->more_odd = f->past_odd;
	if (f->fresh)
		f->clean = true;
}

static void
scan_turn(struct watch_set *w, struct folder *f)
{
	struct dirent *de = NULL;
	struct err e = { 0 };
	struct name *n;

	for (int i = 0; i < WATCH_SCAN && (errno = 0, de = readdir(f->scanning)) != NULL; i++) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0)
			continue;
		if ((n = look(f, de->d_name)) != NULL)
			n->scan = f->scan;
	}
	if (de != NULL)
		return;
	if (errno == 0) {
		scan_end(f);
		return;
	}
	err_sys(&e, ERR_IO, "reading the folder"); /* what was not read is not gone */
	folder_gone(w, f, &e);
}

/* --- events ------------------------------------------------------------------------------ */

static void
on_event(struct watch_set *w, const struct inotify_event *ev)
{
	struct name *n;
	struct folder *f = NULL;

	if (ev->mask & IN_Q_OVERFLOW) {
		log_line(LOG_NOTICE, "too many events at once: all folders are scanned");
		watch_rescan(w);
		return;
	}
	for (size_t i = 0; i < w->nfolders && f == NULL; i++)
		if (w->folders[i].wd == ev->wd)
			f = &w->folders[i];
	if (f == NULL || f->dir < 0)
		return;
	if (ev->mask & (IN_IGNORED | IN_UNMOUNT | IN_MOVE_SELF | IN_DELETE_SELF)) {
		if (ev->mask & IN_IGNORED)
			f->wd = -1;
		folder_close(w, f);
		f->next_scan = 0;
		return;
	}
	if (ev->len == 0 || (n = look(f, ev->name)) == NULL)
		return;
	name_touch(f, n);
	n->scan = f->scan;
}

static void
on_inotify(void *ctx, uint32_t events)
{
	_Alignas(struct inotify_event) char buf[16384];
	struct watch_set *w = ctx;
	const struct inotify_event *ev;
	ssize_t n;

	(void)events;
	if ((n = read(w->inotify, buf, sizeof(buf))) < 0 && errno != EAGAIN && errno != EINTR)
		log_line(LOG_WARNING, "inotify: %s", strerror(errno));
	for (char *p = buf; n > 0 && p < buf + n; p += sizeof(*ev) + ev->len) {
		ev = (const struct inotify_event *)p;
		on_event(w, ev);
	}
	schedule(w);
}

/* --- offering ---------------------------------------------------------------------------- */

/* The name that has been ready longest, or would be ready first. */
static struct name *
folder_first(const struct folder *f)
{
	return f->dir < 0 || f->waiting == 0 ? NULL : f->heap[0];
}

static void
say_no_lease(struct folder *f)
{
	if (f->no_lease_said || f->remote != NULL)
		return;
	f->no_lease_said = true;
	journal_line(LOG_WARNING, &(struct about){ .folder = f->conf->name },
	    "folder %s: whether a file is still open for writing cannot be asked (not our file and no CAP_LEASE, or "
	    "the file system has no leases); only quiet time and structure count", f->conf->name);
}

/* The last look before an offer.  False: not quiet after all. */
static bool
name_quiet(struct folder *f, struct name *n, struct stat *st)
{
	enum hot_lease lease;
	struct err e = { 0 };
	AUTO_FD fd = hot_open_arrival(f->dir, n->text, st, &e);

	if (fd < 0) {
		if (errno == EACCES || errno == EPERM || errno == EXDEV || errno == ELOOP || errno == EINVAL) {
			name_state(f, n, NAME_ODD); /* until it changes: a chmod does */
			report(f, n, e.text);
		} else if (errno != ENOENT) { /* ours (EMFILE), or passing (EIO) */
			name_touch(f, n);
			journal_limited(&f->limit, 60000, LOG_WARNING, &(struct about){ .folder = f->conf->name },
			    "folder %s: %s", f->conf->name, e.text);
		}
		return false;
	}
	if ((lease = hot_lease(fd)) == HOT_WRITER) {
		name_touch(f, n);
		return false;
	}
	if (lease == HOT_UNKNOWN)
		say_no_lease(f);
	else
		hot_unlease(fd);
	return true;
}

static void
offer(struct watch_set *w, struct folder *f, struct name *n)
{
	uint64_t since = n->since;
	struct stat st;
	struct watch_file file;

	if (look(f, n->text) != n || n->since != since || !name_quiet(f, n, &st))
		return;
	name_update(f, n, &st); /* a server's word: only opening asks it anew */
	if (n->since != since)
		return;
	if (st.st_size == 0 && clock_ms() - since < f->conf->incomplete_ms) {
		name_put_off(f, n, since + f->conf->incomplete_ms); /* begun, nothing in it yet */
		return;
	}
	file = (struct watch_file){
		.folder = f->conf,
		.dir = f->dir,
		.name = n->text,
		.size = (uint64_t)st.st_size,
		.overdue = clock_ms() - since >= f->conf->incomplete_ms,
	};
	name_state(f, n, NAME_OFFERED);
	w->on_quiet(w->ctx, &file);
	/* unanswered is a bug of ours: a document would wait for ever */
	assert(f->count[NAME_OFFERED] == 0);
}

static uint32_t
busy(const struct watch_set *w)
{
	uint32_t n = 0;

	for (size_t i = 0; i < w->nfolders; i++)
		n += w->folders[i].count[NAME_BUSY] - w->folders[i].slow;
	return n;
}

/* One offer a turn, folder after folder, so that nobody is kept waiting by a flood next door. */
static void
offer_next(struct watch_set *w)
{
	if (w->paused || clock_ms() < w->hold || busy(w) >= w->most)
		return;
	for (size_t i = 0; i < w->nfolders; i++) {
		struct folder *f = &w->folders[(w->turn + i) % w->nfolders];
		struct name *n;

		if ((n = folder_first(f)) == NULL || n->ready > clock_ms())
			continue;
		w->turn = (w->turn + i + 1) % w->nfolders;
		offer(w, f, n);
		return;
	}
}

static void
on_timer(void *ctx)
{
	struct watch_set *w = ctx;

	w->timer = 0;
	for (size_t i = 0; i < w->nfolders; i++) {
		struct folder *f = &w->folders[i];

		/* room again for names that the last scan had to pass by */
		if (f->more > 0 && f->scanning == NULL && name_total(f) <= WATCH_NAMES - WATCH_NAMES / 8)
			f->next_scan = 0;
		if (f->next_scan <= clock_ms() && f->scanning == NULL)
			folder_scan(w, f);
		if (f->scanning != NULL)
			scan_turn(w, f);
	}
	offer_next(w);
	schedule(w);
}

/* One timer, set for whatever comes first. */
static void
schedule(struct watch_set *w)
{
	uint64_t now = clock_ms(), next = now + IDLE_MS;
	bool may_offer = !w->paused && busy(w) < w->most;

	for (size_t i = 0; i < w->nfolders; i++) {
		struct folder *f = &w->folders[i];
		const struct name *n;

		if (f->scanning != NULL)
			next = now;
		if (f->next_scan < next)
			next = f->next_scan;
		if (may_offer && (n = folder_first(f)) != NULL && (n->ready > w->hold ? n->ready : w->hold) < next)
			next = n->ready > w->hold ? n->ready : w->hold;
	}
	loop_timer_del(w->loop, w->timer);
	w->timer = loop_timer(w->loop, next > now ? next - now : 0, on_timer, w);
}

/* --- what the callee answers ------------------------------------------------------------- */

static struct folder *
folder_of(struct watch_set *w, const struct conf_folder *c)
{
	for (size_t i = 0; i < w->nfolders; i++)
		if (w->folders[i].conf == c)
			return &w->folders[i];
	return NULL;
}

/* Only a name that is offered or busy has an answer to take; others were forgotten meanwhile. */
static struct name *
answered(struct watch_set *w, const struct conf_folder *c, const char *text, enum name_state s, struct folder **ret)
{
	struct folder *f = folder_of(w, c);
	struct name *n = f != NULL ? *name_slot(f, text) : NULL;

	if (n == NULL || (n->state != NAME_OFFERED && n->state != NAME_BUSY))
		return NULL;
	name_state(f, n, s);
	*ret = f;
	return n;
}

void
watch_busy(struct watch_set *w, const struct conf_folder *c, const char *name)
{
	struct folder *f;

	answered(w, c, name, NAME_BUSY, &f);
}

void
watch_slow(struct watch_set *w, const struct conf_folder *c, const char *name)
{
	struct folder *f = folder_of(w, c);
	struct name *n = f != NULL ? *name_slot(f, name) : NULL;
	uint32_t slow = 0;

	for (size_t i = 0; i < w->nfolders; i++)
		slow += w->folders[i].slow;
	if (n == NULL || n->state != NAME_BUSY || n->slow || slow >= WATCH_SLOW)
		return;
	n->slow = true;
	f->slow++;
	schedule(w);
}

void
watch_done(struct watch_set *w, const struct conf_folder *c, const char *name)
{
	struct folder *f;

	if (answered(w, c, name, NAME_TAKEN, &f) != NULL && f->dir >= 0)
		look(f, name); /* mostly gone now; changed since the claim: another delivery */
	schedule(w);
}

void
watch_again(struct watch_set *w, const struct conf_folder *c, const char *name)
{
	struct folder *f = folder_of(w, c);
	struct name *n;

	if (f == NULL || f->dir < 0 || *name_slot(f, name) == NULL || (n = look(f, name)) == NULL || n->state != NAME_TAKEN)
		return;
	name_wait(f, n);
	schedule(w);
}

void
watch_later(struct watch_set *w, const struct conf_folder *c, const char *name, uint64_t ms)
{
	struct folder *f;
	struct name *n = answered(w, c, name, NAME_LATER, &f);

	if (n != NULL) {
		name_put_off(f, n, clock_ms() + ms);
		if (f->dir >= 0)
			look(f, name);
	}
	schedule(w);
}

void
watch_hold(struct watch_set *w, const struct conf_folder *c, const char *name, uint64_t ms)
{
	struct folder *f;

	answered(w, c, name, NAME_WAITING, &f);
	w->hold = clock_ms() + ms;
	schedule(w);
}

void
watch_skip(struct watch_set *w, const struct conf_folder *c, const char *name, const struct err *why)
{
	struct folder *f;
	struct name *n = answered(w, c, name, NAME_ODD, &f);

	if (n != NULL)
		report(f, n, why->text);
	schedule(w);
}

void
watch_pause(struct watch_set *w, bool pause)
{
	if (w->paused == pause)
		return;
	w->paused = pause;
	schedule(w);
}

void
watch_rescan(struct watch_set *w)
{
	for (size_t i = 0; i < w->nfolders; i++) {
		w->folders[i].next_scan = 0;
		w->folders[i].clean = w->folders[i].fresh = false;
	}
	schedule(w);
}

/* --- what it looks like ------------------------------------------------------------------ */

bool
watch_idle(const struct watch_set *w, uint32_t *ret_later)
{
	bool idle = true;

	*ret_later = 0;
	for (size_t i = 0; i < w->nfolders; i++) {
		const struct folder *f = &w->folders[i];
		bool held = w->hold > clock_ms();

		*ret_later += f->count[NAME_LATER] + (held ? f->count[NAME_WAITING] : 0) + (f->dir < 0);
		if (f->dir < 0)
			continue; /* nothing can come from it now; what lies there is put off */
		if (!f->clean || (f->more > 0 && !held) || (f->count[NAME_WAITING] > 0 && !held) ||
		    f->count[NAME_OFFERED] + f->count[NAME_BUSY] > 0)
			idle = false;
	}
	return idle;
}

int
watch_quiet(struct watch_set *w, const struct conf_folder *c, const char *text)
{
	struct folder *f = folder_of(w, c);
	struct name *n;
	struct stat st;

	if (f == NULL || f->dir < 0)
		return 0;
	if (fstatat(f->dir, text, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -1 : 0;
	if ((n = look(f, text)) == NULL || n->state == NAME_BUSY)
		return 0;
	if (n->state == NAME_ODD)
		return 1;
	return clock_ms() - n->since >= f->settle_ms && (name_quiet(f, n, &st) || n->state == NAME_ODD);
}

uint64_t
watch_settle_ms(const struct watch_set *w)
{
	uint64_t most = 0;

	for (size_t i = 0; i < w->nfolders; i++)
		if (w->folders[i].settle_ms > most)
			most = w->folders[i].settle_ms;
	return most;
}

uint64_t
watch_late_ms(const struct watch_set *w, uint64_t now)
{
	uint64_t most = 0;

	for (size_t i = 0; i < w->nfolders; i++)
		if (w->folders[i].scanning == NULL && w->folders[i].next_scan != 0 && now > w->folders[i].next_scan + most)
			most = now - w->folders[i].next_scan;
	return most;
}

int
watch_dir(const struct watch_set *w, const struct conf_folder *c)
{
	for (size_t i = 0; i < w->nfolders; i++)
		if (w->folders[i].conf == c)
			return w->folders[i].dir;
	return -1;
}

json_t *
watch_json(const struct watch_set *w)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->nfolders; i++) {
		const struct folder *f = &w->folders[i];
		char path[1024], why[ERR_TEXT_MAX];

		path_display(f->conf->path, path, sizeof(path));
		path_display(f->why, why, sizeof(why));
		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "name", f->conf->name, "path",
		        path, "there", f->dir >= 0, "locked", f->locked, "polled", f->remote != NULL, "why", why, "waiting",
		        (int)f->count[NAME_WAITING], "later",
		        (int)f->count[NAME_LATER], "busy", (int)(f->count[NAME_BUSY] + f->count[NAME_OFFERED]), "ignored",
		        (int)f->count[NAME_IGNORED], "odd", (int)(f->count[NAME_ODD] + f->more_odd), "more", (int)f->more));
	}
	return list;
}

/* --- beginning and end ------------------------------------------------------------------- */

int
watch_open(struct watch_set **ret, struct loop *loop, const struct conf *conf, const struct watch_owner *owner,
    uint32_t most, watch_cb *on_quiet, void *ctx, struct err *e)
{
	struct watch_set *w = calloc(1, sizeof(*w) + conf->nfolders * sizeof(w->folders[0]));
	int r;

	if (w == NULL)
		return err_sys(e, ERR_MEM, "watching %zu folders", conf->nfolders);
	w->loop = loop;
	w->on_quiet = on_quiet;
	w->ctx = ctx;
	w->owner = *owner;
	marker_self(&w->who, owner->agent);
	w->most = most;
	w->nfolders = conf->nfolders;
	for (size_t i = 0; i < w->nfolders; i++) {
		struct folder *f = &w->folders[i];

		f->conf = &conf->folders[i];
		f->dir = f->wd = -1;
		marker_init(&f->marker);
		marker_init(&f->work);
		f->settle_ms = f->conf->settle_ms != 0 ? f->conf->settle_ms : HOT_SETTLE_MS;
	}
	if ((w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) < 0 ||
	    loop_fd(loop, w->inotify, EPOLLIN, on_inotify, w) < 0) {
		r = err_sys(e, ERR_IO, "inotify");
		io_close(&w->inotify);
		free(w);
		return r;
	}
	schedule(w); /* all folders are due for their first scan */
	*ret = w;
	return 0;
}

void
watch_close(struct watch_set *w)
{
	if (w == NULL)
		return;
	loop_timer_del(w->loop, w->timer);
	for (size_t i = 0; i < w->nfolders; i++) {
		folder_close(w, &w->folders[i]);
		names_clear(&w->folders[i]);
		free(w->folders[i].heap);
	}
	loop_fd_del(w->loop, w->inotify);
	io_close(&w->inotify);
	free(w);
}
