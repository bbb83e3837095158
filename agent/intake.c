#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/path.h"

#include "agent/hot.h"
#include "agent/intake.h"
#include "agent/journal.h"

#define LEASE_LOOK_MS 250 /* a writer that waits for our lease waits no longer than this */

struct intake {
	struct loop *loop;
	const struct spool *spool;
	const struct conf_folder *folder;
	int hot, from;        /* the folder; the sender's file, with our lease on it */
	int job, copy;        /* incoming/J; its `source` */
	struct hot_stamp stamp;
	char ticket[SPOOL_NAME_MAX + 8];
	struct hot_stamp ticket_stamp;
	bool made;            /* incoming/J is there */
	bool leased, broken;
	uint64_t at;          /* bytes copied */
	struct hash *hash;    /* NULL once the copy is whole */
	uint64_t timer;
	intake_cb *cb;
	void *ctx;
	struct claim claim;
};

/* --- beginning --------------------------------------------------------------------------- */

int
intake_room(const struct conf *conf, const struct spool *spool, uint64_t size, struct err *e)
{
	uint64_t room, want;
	int r;

	if ((r = spool_space(spool->dir[SPOOL_INCOMING], &room, e)) < 0)
		return r;
	/* the source, pages, the document built and the document sealed */
	if (__builtin_mul_overflow(size, 4, &want) || __builtin_add_overflow(want, conf->space_floor, &want) ||
	    room < want)
		return err_set(e, ERR_SPACE, "%llu bytes are free in the spool", (unsigned long long)room);
	return 0;
}

static int
check_room(const struct conf *conf, const struct spool *spool, uint64_t size, struct err *e)
{
	if (size > conf->scan.max_bytes)
		return err_set(e, ERR_DOC_SIZE, "%llu bytes, and scan.max_bytes is %llu", (unsigned long long)size,
		    (unsigned long long)conf->scan.max_bytes);
	return intake_room(conf, spool, size, e);
}

/* What was passed to us is what we read, whatever its name means elsewhere. */
static int
take_passed(struct intake *in, int fd, struct stat *st, struct err *e)
{
	int flags = fcntl(fd, F_GETFL);

	if ((in->from = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0 || flags < 0 || fstat(in->from, st) < 0)
		return err_sys(e, ERR_IO, "the file that was passed");
	if (!S_ISREG(st->st_mode) || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY)
		return err_set(e, ERR_USAGE, "a regular file that can be read is needed");
	if (hot_remote(NULL, in->from) != NULL) /* reading it might never end */
		return err_set(e, ERR_USAGE, "it lies on %s; pass a copy on a local file system", hot_remote(NULL, in->from));
	return 0;
}

static int
open_source(struct intake *in, int passed, struct err *e)
{
	struct stat st;
	enum hot_lease lease;
	int r;

	if (passed >= 0 && (r = take_passed(in, passed, &st, e)) < 0)
		return r;
	if (passed < 0 && (in->from = hot_open_arrival(in->hot, in->claim.name, &st, e)) < 0)
		return in->from;
	if ((lease = hot_lease(in->from)) == HOT_WRITER)
		return err_set(e, ERR_IO, "open for writing");
	in->leased = lease == HOT_QUIET;
	hot_stamp(&st, &in->stamp);
	in->claim.size = in->stamp.size;
	in->claim.mtime_ns = in->stamp.mtime_ns;
	in->claim.owner = st.st_uid;
	in->claim.others_write = hot_others_write(&st);
	return 0;
}

static int
make_claim(struct claim *c, const struct conf_folder *folder, const char *name, struct err *e)
{
	uint8_t salt[16];

	if (strlen(name) >= sizeof(c->name) || strlen(folder->name) >= sizeof(c->folder))
		return err_set(e, ERR_IO, "name is too long");
	strcpy(c->name, name);
	strcpy(c->folder, folder->name);
	c->received_us = clock_wall_us();
	if (id_new(c->id) < 0 || getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return err_sys(e, ERR_IO, "random numbers");
	hex_encode(salt, sizeof(salt), c->salt);
	return 0;
}

static int
make_job(struct intake *in, struct err *e)
{
	int incoming = in->spool->dir[SPOOL_INCOMING];

	if (mkdirat(incoming, in->claim.id, 0700) < 0)
		return err_sys(e, ERR_IO, "making the job's directory");
	in->made = true;
	if ((in->job = io_open_dir(incoming, in->claim.id, e)) < 0)
		return in->job;
	if ((in->copy = openat(in->job, "source", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "making the copy");
	return 0;
}

/* --- unchanged? -------------------------------------------------------------------------- */

bool
intake_broken(struct intake *in)
{
	if (in->leased && hot_lease_broken(in->from)) {
		hot_unlease(in->from); /* the writer goes on at once; we come back later */
		in->leased = false;
		in->broken = true;
	}
	return in->broken;
}

/* Same inode, size and times, by our descriptor and by the name, and nobody asked to write (durability 4.3). */
static int
check_unchanged(struct intake *in, struct err *e)
{
	struct stat st;
	struct hot_stamp held, named;

	if (intake_broken(in))
		return err_set(e, ERR_IO, "a program wants to write to it again");
	if (fstat(in->from, &st) < 0)
		return err_sys(e, ERR_IO, "looking at the file");
	hot_stamp(&st, &held);
	if (in->hot < 0)
		return hot_same(&held, &in->stamp) ? 0 : err_set(e, ERR_IO, "changed while it was copied");
	if (fstatat(in->hot, in->claim.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "looking at the name");
	hot_stamp(&st, &named);
	if (!hot_same(&held, &in->stamp) || !hot_same(&named, &in->stamp))
		return err_set(e, ERR_IO, "changed while it was copied");
	if (!in->claim.ticket.has)
		return 0;
	if (fstatat(in->hot, in->ticket, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "looking at its ticket");
	hot_stamp(&st, &named);
	return hot_same(&named, &in->ticket_stamp) ? 0 : err_set(e, ERR_IO, "its ticket was changed in this moment");
}

/* --- copying, a step a turn -------------------------------------------------------------- */

static void on_turn(void *ctx);

static void
finish(struct intake *in, const struct err *why)
{
	hash_free(in->hash);
	in->hash = NULL;
	if (why == NULL)
		in->timer = loop_timer(in->loop, LEASE_LOOK_MS, on_turn, in);
	in->cb(in->ctx, in, why);
}

static int
copy_end(struct intake *in, struct err *e)
{
	int r;

	hash_final(in->hash, in->claim.hash);
	in->hash = NULL;
	if ((r = io_sync(in->copy, e)) < 0)
		return r;
	return check_unchanged(in, e);
}

static void
on_turn(void *ctx)
{
	struct intake *in = ctx;
	struct err e = { 0 };
	uint64_t step = in->stamp.size - in->at;
	int r;

	in->timer = 0;
	if (in->hash == NULL) { /* the copy is whole; the lease is still looked after */
		if (!intake_broken(in))
			in->timer = loop_timer(in->loop, LEASE_LOOK_MS, on_turn, in);
		return;
	}
	if (intake_broken(in)) {
		err_set(&e, ERR_IO, "a program wants to write to it again");
		finish(in, &e);
		return;
	}
	if (step > INTAKE_STEP)
		step = INTAKE_STEP;
	if ((r = io_copy(in->from, in->at, step, in->copy, in->hash, &e)) == 0) {
		in->at += step;
		if (in->at < in->stamp.size && (r = io_flush_behind(in->copy, in->at, INTAKE_STEP, &e)) == 0) {
			in->timer = loop_behind(in->loop, on_turn, in);
			return;
		}
		if (r == 0)
			r = copy_end(in, &e);
	}
	finish(in, r < 0 ? &e : NULL);
}

/* --- for the caller ---------------------------------------------------------------------- */

static int
begin(struct intake **ret, struct loop *loop, const struct conf *conf, const struct spool *spool,
    const struct conf_folder *folder, int hot, int passed, const char *name, intake_cb *cb, void *ctx, struct err *e)
{
	struct intake *in = calloc(1, sizeof(*in));
	int r;

	if (in == NULL)
		return err_sys(e, ERR_MEM, "intake");
	*in = (struct intake){ .loop = loop, .spool = spool, .folder = folder, .hot = -1, .from = -1, .job = -1,
		.copy = -1, .cb = cb, .ctx = ctx };
	if (hot >= 0 && (in->hot = fcntl(hot, F_DUPFD_CLOEXEC, 3)) < 0)
		r = err_sys(e, ERR_IO, "hot folder");
	else if ((r = make_claim(&in->claim, folder, name, e)) == 0 && (r = open_source(in, passed, e)) == 0 &&
	    (r = check_room(conf, spool, in->stamp.size, e)) == 0)
		r = make_job(in, e);
	if (r < 0) {
		intake_drop(&in);
		return r;
	}
	in->hash = hash_open();
	in->timer = loop_timer(loop, 0, on_turn, in);
	*ret = in;
	return 0;
}

int
intake_begin(struct intake **ret, struct loop *loop, const struct conf *conf, const struct spool *spool,
    const struct conf_folder *folder, int hot, const char *name, intake_cb *cb, void *ctx, struct err *e)
{
	return begin(ret, loop, conf, spool, folder, hot, -1, name, cb, ctx, e);
}

int
intake_begin_passed(struct intake **ret, struct loop *loop, const struct conf *conf, const struct spool *spool,
    const struct conf_folder *folder, int fd, const char *name, uid_t owner, intake_cb *cb, void *ctx, struct err *e)
{
	int r = begin(ret, loop, conf, spool, folder, -1, fd, name, cb, ctx, e);

	if (r == 0) {
		(*ret)->claim.owner = owner;
		(*ret)->claim.others_write = false; /* who passed it is known, whoever may write the file */
	}
	return r;
}

const struct conf_folder *
intake_folder(const struct intake *in)
{
	return in->folder;
}

const struct claim *
intake_claim(const struct intake *in)
{
	return &in->claim;
}

int
intake_source(const struct intake *in)
{
	return in->copy;
}

static void
intake_free(struct intake **in)
{
	loop_timer_del((*in)->loop, (*in)->timer);
	hash_free((*in)->hash);
	io_close(&(*in)->copy);
	io_close(&(*in)->job);
	io_close(&(*in)->from); /* the lease ends with it */
	io_close(&(*in)->hot);
	free(*in);
	*in = NULL;
}

/* What is left below incoming/ is removed at the next start, if it cannot be now. */
static void
remove_job(const struct spool *spool, const char *id)
{
	struct err e = { 0 };

	if (io_remove_tree(spool->dir[SPOOL_INCOMING], id, &e) < 0)
		log_err(LOG_WARNING, "intake: leftovers in the spool", &e);
}

void
intake_drop(struct intake **in)
{
	const struct spool *spool;
	char id[ID_MAX];
	bool made;

	if (*in == NULL)
		return;
	spool = (*in)->spool;
	made = (*in)->made;
	memcpy(id, (*in)->claim.id, sizeof(id));
	intake_free(in);
	if (made)
		remove_job(spool, id);
}

/* --- the ticket -------------------------------------------------------------------------- */

/* At most b->max bytes: one that is longer is refused, and how long it is does not matter. */
static int
ticket_read(int fd, struct buf *b, uint64_t size, struct err *e)
{
	size_t n = size < b->max ? (size_t)size : b->max;
	AUTO_FREE char *text = malloc(n + 1);
	int r;

	if (text == NULL)
		return err_set(e, ERR_MEM, "ticket");
	if ((r = io_pread_full(fd, text, n, 0, e)) < 0)
		return r;
	buf_put(b, text, n);
	return buf_ok(b) ? 0 : err_set(e, ERR_MEM, "ticket");
}

int
intake_ticket(struct intake *in, const char *name, struct buf *ret, struct err *e)
{
	struct claim *c = &in->claim;
	struct stat st;
	AUTO_FD fd = hot_open_arrival(in->hot, name, &st, e);
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : fd;
	if (strlen(name) >= sizeof(in->ticket))
		return err_set(e, ERR_IO, "name of its ticket is too long");
	if (hot_lease(fd) == HOT_WRITER)
		return err_set(e, ERR_IO, "its ticket is open for writing");
	hot_stamp(&st, &in->ticket_stamp);
	if ((r = ticket_read(fd, ret, in->ticket_stamp.size, e)) < 0 ||
	    (r = record_put(in->job, "ticket", ret->data, ret->len, e)) < 0)
		return r;
	strcpy(in->ticket, name);
	c->ticket.has = true;
	c->ticket.size = in->ticket_stamp.size;
	c->ticket.mtime_ns = in->ticket_stamp.mtime_ns;
	c->ticket.owner = st.st_uid;
	c->ticket.others_write = hot_others_write(&st);
	hash_bytes(ret->data, ret->len, c->ticket.hash);
	return 1;
}

/* --- commit ------------------------------------------------------------------------------ */

static bool
is_source(const struct intake *in, const struct stat *st)
{
	return st->st_ino == in->stamp.ino && st->st_dev == in->stamp.dev;
}

/* Another file that took the name in that moment goes back where it was. */
static void
give_back(const struct intake *in, int work)
{
	const struct claim *c = &in->claim;
	char name[SPOOL_NAME_MAX];

	hot_free_name(in->hot, c->name, NULL, NULL, name);
	if (name[0] == '\0' || hot_rename(work, c->work_name, in->hot, name) < 0)
		journal_line(LOG_ALERT, &(struct about){ .job = c->id, .folder = in->folder->name },
		    "folder %s: job %s: a file was moved to %s/ and could not be moved back: %s",
		    in->folder->name, c->id, in->folder->word_work, strerror(errno));
}

/* In its new place, and as it was: a rename changes ctime, and nothing else may have changed. */
static bool
is_unchanged(struct intake *in, const struct stat *st)
{
	struct hot_stamp now;

	hot_stamp(st, &now);
	now.ctime_ns = in->stamp.ctime_ns;
	return hot_same(&now, &in->stamp) && !intake_broken(in);
}

/*
 * The operator's receipt: best effort, never waited for, the claim knows both
 * places.  What was changed since the claim, or is about to be, is another
 * delivery by now: it stays in the folder, or goes back there.
 */
static bool
receipt(struct intake *in, int work)
{
	const struct claim *c = &in->claim;
	struct err changed = { 0 };
	struct stat st;

	if (c->work_name[0] == '\0' || check_unchanged(in, &changed) < 0 ||
	    hot_rename(in->hot, c->name, work, c->work_name) < 0 ||
	    fstatat(work, c->work_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (is_unchanged(in, &st))
		return true;
	give_back(in, work);
	return false;
}

/* For a later run.  Not synced: one that is lost only means that a missing receipt says nothing. */
static void
mark_receipt(const struct intake *in)
{
	int fd = openat(in->job, CLAIM_RECEIPT, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	io_close(&fd);
}

/*
 * The claim between hosts.  An answer may be lost on the way, so what is there
 * afterwards decides, not the answer.
 */
static int
take_name(struct intake *in, int work, struct err *e)
{
	const struct claim *c = &in->claim;
	struct stat st;
	int r = 0, saved;

	if (work < 0 || c->work_name[0] == '\0')
		return err_set(e, ERR_IO, "the folder %s can not be used", in->folder->word_work);
	if (hot_rename(in->hot, c->name, work, c->work_name) < 0)
		r = -1;
	saved = errno;
	if (fstatat(work, c->work_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		errno = r < 0 ? saved : errno;
		return err_sys(e, ERR_IO, "taking it by its name");
	}
	if (is_unchanged(in, &st))
		return 0;
	if (r == 0 || is_source(in, &st))
		give_back(in, work);
	return err_set(e, ERR_IO, "another file has this name now, or it was changed in this moment");
}

/*
 * After a failed step: back to incoming, so that a file is never both the sender's and, unsynced,
 * ours.  Where a full disk refuses that, too, it is removed: the next start would find a claim of
 * what was taken in again meanwhile.
 */
static void
uncommit(const struct spool *spool, const char *id)
{
	struct err e = { 0 };

	if (renameat2(spool->dir[SPOOL_CLAIMED], id, spool->dir[SPOOL_INCOMING], id, RENAME_NOREPLACE) == 0 || errno == ENOENT)
		return;
	if (io_remove_tree(spool->dir[SPOOL_CLAIMED], id, &e) < 0)
		journal_line(LOG_ALERT, &(struct about){ .job = id }, "intake: job %s stays in claimed/ after a failed sync: %s", id, e.text);
}

/* The last look at the sender's file comes as late as it can: what changes behind it is another delivery. */
static int
commit(struct intake *in, int work, struct err *e)
{
	const bool by_name = in->hot >= 0 && in->folder->claim_rename;
	int r;

	if (in->hash != NULL || in->at != in->stamp.size)
		return err_set(e, ERR_IO, "the copy is not whole");
	if ((r = claim_put(in->job, &in->claim, e)) < 0 || (r = check_unchanged(in, e)) < 0 ||
	    (by_name && (r = take_name(in, work, e)) < 0))
		return r;
	if ((r = spool_move(in->spool, in->claim.id, SPOOL_INCOMING, SPOOL_CLAIMED, e)) < 0) {
		uncommit(in->spool, in->claim.id);
		if (by_name)
			give_back(in, work);
	}
	return r;
}

int
intake_commit(struct intake **pin, uint64_t log_size, hot_taken *taken, void *ctx, struct claim *ret_claim,
    int *ret_job_dir, struct err *e)
{
	struct intake *in = *pin;
	struct err no_work = { 0 };
	struct stat st;
	AUTO_FD work = in->hot >= 0 ? hot_open_sub(in->hot, in->folder->word_work, &no_work) : -1;
	int r;

	in->claim.log_size = log_size;
	if (work >= 0)
		hot_free_name(work, in->claim.name, taken, ctx, in->claim.work_name);
	in->claim.work_ino = work >= 0 && fstat(work, &st) == 0 ? st.st_ino : 0;
	if ((r = commit(in, work, e)) < 0) {
		intake_drop(pin);
		return r;
	}
	if (work >= 0 && (in->folder->claim_rename || receipt(in, work)))
		mark_receipt(in);
	*ret_claim = in->claim;
	*ret_job_dir = take_fd(&in->job);
	intake_free(pin);
	return 0;
}

/* --- what was taken by its name and never committed ---------------------------------------- */

static int
put_back(const struct conf_folder *f, int dir, int work, const char *name, struct err *e)
{
	char to[SPOOL_NAME_MAX], shown[3 * SPOOL_NAME_MAX];

	hot_free_name(dir, name, NULL, NULL, to);
	if (to[0] == '\0' || hot_rename(work, name, dir, to) < 0)
		return err_sys(e, ERR_IO, "moving a file back from %s", f->word_work);
	path_display(name, shown, sizeof(shown));
	journal_line(LOG_NOTICE, &(struct about){ .folder = f->name },
	    "folder %s: %s was taken and not yet safe: back into the folder", f->name, shown);
	return 0;
}

int
intake_put_back(const struct conf_folder *f, int dir, int work, hot_taken *known, void *ctx, struct err *e)
{
	int fd = openat(work, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	struct stat st;
	DIR *d;

	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "reading the folder %s", f->word_work);
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && fstatat(work, de->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
		    !known(ctx, de->d_name))
			r = put_back(f, dir, work, de->d_name, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "reading the folder %s", f->word_work);
	closedir(d);
	return r;
}
