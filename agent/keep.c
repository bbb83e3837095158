#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/entry.h"

#include "agent/deliver.h"
#include "agent/given.h"
#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/keep.h"
#include "agent/steps.h"
#include "agent/watch.h"

#define LOOK_MS 1000
#define DUE_MS 60000       /* a record that is not due is looked at this often */
#define RETRY_MS 600000    /* after trouble with a file; sooner where results are kept for less */
#define TRIES 144          /* a day of it, then the file stays */

struct keep_folder {
	uint64_t not_before;
	bool reading;          /* 'part' is being worked through */
	uint32_t part;
	uint64_t at, next;     /* of the record in hand, and behind it */
	uint32_t cleared, left; /* since it was last said */
	struct log_limit said;
};

/* Of one file that is looked at. */
struct keep_file {
	int fd, archived;      /* -1 */
	enum hot_lease lease;  /* while it is hashed nobody opens it for writing, where that can be asked */
	struct stat st;
	uint64_t archived_size;
	uint8_t hash[HASH_LEN], archived_hash[HASH_LEN];
};

struct keep {
	struct core *core;
	uint64_t timer;
	size_t turn;
	const struct conf_folder *folder; /* in hand, with 'mine' and 'given' */
	struct keep_folder *mine;
	struct given given;
	uint32_t n;            /* which of its files */
	int done;              /* directory; -1 */
	struct keep_file file;
	struct steps *steps;
	size_t nfolders;
	struct keep_folder folders[];
};

/* What becomes of a file. */
enum fate { FATE_GONE, FATE_STAYS, FATE_CLEARED, FATE_LATER };

static void look_at_file(struct keep *);
static void on_look(void *);

/* --- the record, when a result was given -------------------------------------------------- */

struct giving {
	int fd;
	uint64_t size;
	uint8_t hash[HASH_LEN];
	void (*then)(struct job *, const struct err *);
};

static int
entry_of(struct job *j, uint64_t *ret, struct err *e)
{
	enum entry_type type = j->earlier >= 0 ? ENTRY_REPEAT : ENTRY_JOB;
	int r = elog_find(j->core->elog, type, j->claim.id, NULL, j->log_from, ret, e);

	return r < 0 ? r : r == 1 ? 0 : err_set(e, ERR_IO, "the log has no entry of job %s", j->claim.id);
}

/* As it lies there now; what somebody has taken or changed already is not ours: 0. */
static int
add_file(struct given *g, int done, const char *name, uint64_t size, const uint8_t hash[HASH_LEN])
{
	struct given_file *f = &g->file[g->nfiles];
	struct stat st;

	if (fstatat(done, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    (size != UINT64_MAX && (uint64_t)st.st_size != size))
		return 0;
	snprintf(f->name, sizeof(f->name), "%s", name);
	f->size = (uint64_t)st.st_size;
	f->mtime = st.st_mtim.tv_sec;
	memcpy(f->hash, hash, HASH_LEN);
	g->nfiles++;
	return 1;
}

static int
record(struct job *j, struct err *e)
{
	const struct conf_folder *f = j->folder;
	struct given g = { .repeat = j->earlier >= 0 };
	struct deliver_names names;
	AUTO_FD done = -1;
	int hot, r;

	/* the settings may have changed meanwhile; the folder may have gone */
	if (f == NULL || f->give_keep_ms == 0 || (hot = watch_dir(j->core->watch, f)) < 0)
		return 0;
	if ((done = path_open(hot, f->word_done, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "opening the folder %s", f->word_done);
	if ((r = deliver_names(j->dir, DELIVER_RESULT, &names, e)) < 0 || (r = entry_of(j, &g.entry, e)) < 0 ||
	    (r = given_age(&j->core->spool, &g.age_ms, e)) < 0)
		return r;
	memcpy(g.job, j->claim.id, ID_MAX);
	if (j->earlier >= 0)
		memcpy(g.archive, j->earlier_path, sizeof(g.archive));
	else
		archive_path(j->claim.id, j->claim.received_us, g.archive);
	if (add_file(&g, done, names.document, j->giving->size, j->giving->hash) == 0)
		return 0;
	if (names.json[0] != '\0')
		add_file(&g, done, names.json, UINT64_MAX, names.json_hash);
	return given_put(&j->core->spool, f->name, &g, e);
}

void
keep_forget(struct job *j)
{
	if (j->giving != NULL)
		io_close(&j->giving->fd);
	free(j->giving);
	j->giving = NULL;
}

static void
on_result_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	void (*then)(struct job *, const struct err *) = j->giving->then;
	struct err e = { 0 };

	j->steps = NULL;
	j->busy = false;
	if (why == NULL && record(j, &e) < 0)
		why = &e;
	keep_forget(j);
	then(j, why);
}

static int
begin_record(struct job *j, void (*then)(struct job *, const struct err *), struct err *e)
{
	AUTO_FD fd = openat(j->earlier >= 0 ? j->earlier : j->dir, "sealed.pdf", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct giving *w;
	uint64_t size;
	int r;

	if (fd < 0)
		return err_sys(e, ERR_IO, "sealed.pdf of job %s", j->claim.id);
	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	if ((w = j->giving = calloc(1, sizeof(*w))) == NULL)
		return err_set(e, ERR_MEM, "record of what was given");
	*w = (struct giving){ .fd = take_fd(&fd), .size = size, .then = then };
	j->busy = true;
	j->steps = steps_new(j->core->loop, j);
	steps_copy(j->steps, w->fd, 0, size, -1, true);
	steps_digest(j->steps, w->hash);
	steps_go(j->steps, on_result_hashed);
	return 0;
}

void
keep_given(struct job *j, void (*then)(struct job *, const struct err *why))
{
	struct err e = { 0 };

	if (j->folder == NULL || j->folder->give_keep_ms == 0)
		then(j, NULL);
	else if (begin_record(j, then, &e) < 0)
		then(j, &e);
}

/* --- is it still what we put there? ------------------------------------------------------- */

/* A name that a crash may have left a file under; what it is shows as with the other name. */
static void
aside_name(const struct keep *k, char dst[64])
{
	snprintf(dst, 64, ".sealroom-cleared-%s-%u", k->given.job, k->n);
}

/* A log that was put back to an older state may have another entry there, or none. */
static bool
logged(struct keep *k, const uint8_t hash[HASH_LEN])
{
	struct elog *l = k->core->elog;
	struct entry x;
	struct err e;
	AUTO_BUF b;

	buf_init(&b, ENTRY_MAX);
	if (k->given.entry >= elog_size(l) || elog_entry(l, k->given.entry, &b, &e) < 0 ||
	    entry_parse(b.data, b.len, &x, &e) < 0)
		return false;
	return strcmp(x.job, k->given.job) == 0 && x.type == (k->given.repeat ? ENTRY_REPEAT : ENTRY_JOB) &&
	    (k->given.repeat || memcmp(x.sealed_hash, hash, HASH_LEN) == 0);
}

static bool
as_given(const struct keep *k, const struct stat *st)
{
	const struct given_file *g = &k->given.file[k->n];

	return (uint64_t)st->st_size == g->size && st->st_mtim.tv_sec == g->mtime;
}

/* FATE_LATER: to be hashed now, if *e is not set. */
static enum fate
open_file(struct keep *k, struct err *e)
{
	const struct given_file *g = &k->given.file[k->n];
	struct keep_file *f = &k->file;
	char aside[64];

	aside_name(k, aside);
	if ((f->fd = hot_open_file(k->done, aside, &f->st, e)) < 0 && errno == ENOENT)
		f->fd = hot_open_file(k->done, g->name, &f->st, e);
	if (f->fd < 0)
		return errno == ENOENT ? FATE_GONE : errno == ELOOP || errno == EINVAL || errno == EXDEV ? FATE_STAYS : FATE_LATER;
	if (!as_given(k, &f->st))
		return FATE_STAYS;
	memset(e, 0, sizeof(*e));
	if ((f->lease = hot_lease(f->fd)) == HOT_WRITER)
		err_set(e, ERR_LATER, "it is open for writing");
	return FATE_LATER;
}

static int
open_archived(struct keep *k, struct err *e)
{
	char path[ARCHIVE_PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/sealed.pdf", k->given.archive);
	if ((k->file.archived = path_open(archive_dir(k->core->archive), path, O_RDONLY)) < 0)
		return err_sys(e, ERR_ARCHIVE, "%s", path);
	return io_size(k->file.archived, &k->file.archived_size, e);
}

/* --- out of the folder -------------------------------------------------------------------- */

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* What was taken by mistake, because somebody was quicker, gets its name back. */
static enum fate
put_back(struct keep *k, const char *aside)
{
	char name[3 * SPOOL_NAME_MAX];

	if (hot_rename(k->done, aside, k->done, k->given.file[k->n].name) < 0) {
		path_escape(k->given.file[k->n].name, name, sizeof(name));
		journal_line(LOG_WARNING, &(struct about){ .folder = k->folder->name },
		    "folder %s: %s was replaced while it was looked at, and twice: one of the two is %s now",
		    k->folder->name, name, aside);
	}
	return FATE_STAYS;
}

/* Under a name of our own nobody else touches it: what is looked at then is what is removed. */
static enum fate
take_out(struct keep *k, struct err *e)
{
	struct keep_file *f = &k->file;
	struct stat st;
	char aside[64];

	aside_name(k, aside);
	if (!io_exists(k->done, aside) && hot_rename(k->done, k->given.file[k->n].name, k->done, aside) < 0) {
		if (errno == ENOENT)
			return FATE_GONE;
		err_sys(e, ERR_IO, "taking a result out of %s", k->folder->word_done);
		return FATE_LATER;
	}
	if (fstatat(k->done, aside, &st, AT_SYMLINK_NOFOLLOW) < 0 || !is_same(&st, &f->st))
		return put_back(k, aside);
	if (unlinkat(k->done, aside, 0) < 0) {
		err_sys(e, ERR_IO, "taking a result out of %s", k->folder->word_done);
		put_back(k, aside);
		return FATE_LATER;
	}
	if (fsync(k->done) < 0)
		journal_line(LOG_WARNING, &(struct about){ .folder = k->folder->name },
		    "folder %s: fsync: %s", k->folder->name, strerror(errno)); /* it comes by again */
	return FATE_CLEARED;
}

/* --- one record after the other ------------------------------------------------------------ */

static void
close_file(struct keep *k)
{
	io_close(&k->file.fd);
	io_close(&k->file.archived);
}

static void
look_soon(struct keep *k, uint64_t ms)
{
	loop_timer_del(k->core->loop, k->timer);
	k->timer = loop_timer(k->core->loop, ms, on_look, k);
}

/* Done with it: the next one, in the next turn. */
static void
record_over(struct keep *k)
{
	k->mine->at = k->mine->next;
	k->folder = NULL;
	io_close(&k->done);
	look_soon(k, 0);
}

/* Again later, behind the others, so that one file keeps nobody waiting; in the end it stays. */
static void
record_later(struct keep *k, const struct err *why)
{
	const struct conf_folder *f = k->folder;
	char name[3 * SPOOL_NAME_MAX];
	struct err e = { 0 };

	path_escape(k->given.file[k->n].name, name, sizeof(name));
	journal_limited(&k->mine->said, RETRY_MS, LOG_NOTICE, &(struct about){ .folder = f->name },
	    "folder %s: %s is not cleared yet: %s", f->name, name, why->text);
	k->given.age_ms += f->give_keep_ms < RETRY_MS ? f->give_keep_ms : RETRY_MS;
	if (++k->given.tries >= TRIES)
		k->mine->left++;
	else if (given_put(&k->core->spool, f->name, &k->given, &e) < 0)
		log_err(LOG_WARNING, "a result that can not be cleared now stays", &e);
	record_over(k);
}

static void
file_over(struct keep *k, enum fate fate, const struct err *why)
{
	close_file(k);
	if (fate == FATE_LATER) {
		record_later(k, why);
		return;
	}
	if (k->n == 0 && fate == FATE_CLEARED)
		k->mine->cleared++;
	if (fate == FATE_STAYS)
		k->mine->left++;
	/* what a person works with keeps what lies beside it */
	if (fate == FATE_STAYS || ++k->n == k->given.nfiles)
		record_over(k);
	else
		look_at_file(k);
}

static void
on_hashed(void *ctx, const struct err *why)
{
	struct keep *k = ctx;
	struct keep_file *f = &k->file;
	const uint8_t *hash = k->given.file[k->n].hash;
	struct err e = { 0 };
	struct stat now;
	enum fate fate = FATE_STAYS;

	k->steps = NULL;
	if (why != NULL) {
		file_over(k, FATE_LATER, why);
		return;
	}
	if ((f->lease == HOT_QUIET && hot_lease_broken(f->fd)) || fstat(f->fd, &now) < 0 || !is_same(&now, &f->st)) {
		err_set(&e, ERR_LATER, "somebody works with it");
		fate = FATE_LATER;
	} else if (memcmp(f->hash, hash, HASH_LEN) == 0 &&
	    (k->n > 0 || (memcmp(f->archived_hash, hash, HASH_LEN) == 0 && logged(k, hash)))) {
		fate = take_out(k, &e);
	}
	file_over(k, fate, &e);
}

static void
look_at_file(struct keep *k)
{
	struct keep_file *f = &k->file;
	struct err e = { 0 };
	enum fate fate = open_file(k, &e);

	if (fate == FATE_LATER && e.code == ERR_OK && k->n == 0 && open_archived(k, &e) < 0)
		fate = FATE_LATER;
	if (fate != FATE_LATER || e.code != ERR_OK) {
		file_over(k, fate, &e);
		return;
	}
	k->steps = steps_new(k->core->loop, k);
	steps_copy(k->steps, f->fd, 0, (uint64_t)f->st.st_size, -1, true);
	steps_digest(k->steps, f->hash);
	if (k->n == 0) {
		steps_copy(k->steps, f->archived, 0, f->archived_size, -1, true);
		steps_digest(k->steps, f->archived_hash);
	}
	steps_go(k->steps, on_hashed);
}

/* --- whose turn it is ---------------------------------------------------------------------- */

static void
say(const struct conf_folder *f, struct keep_folder *mine)
{
	if (mine->cleared + mine->left == 0)
		return;
	journal(JOURNAL_CLEARED, LOG_INFO, &(struct about){ .folder = f->name },
	    "folder %s: %u results were taken out of %s, as give.keep says; %u that were changed or are not proven stay", f->name,
	    mine->cleared, f->word_done, mine->left);
	mine->cleared = mine->left = 0;
}

/* The next record of the folder into k->given: 1, 0: there is none, -code. */
static int
next_record(struct keep *k, const struct conf_folder *f, struct keep_folder *mine, struct err *e)
{
	const struct spool *s = &k->core->spool;
	int r;

	for (;;) {
		if (!mine->reading) {
			if ((r = given_first(s, f->name, &mine->part, e)) <= 0)
				return r;
			mine->reading = true;
			mine->at = 0;
		}
		mine->next = mine->at;
		if ((r = given_get(s, f->name, mine->part, &mine->next, &k->given, e)) != 0)
			return r;
		if ((r = given_drop(s, f->name, mine->part, e)) < 0)
			return r;
		mine->reading = false;
	}
}

/* True: a file of it is being looked at. */
static bool
look_at_record(struct keep *k, const struct conf_folder *f, struct keep_folder *mine)
{
	uint64_t age, now = clock_ms();
	struct err e = { 0 };
	int r;

	if ((r = next_record(k, f, mine, &e)) < 0 || (r == 1 && given_age(&k->core->spool, &age, &e) < 0)) {
		journal_limited(&mine->said, RETRY_MS, LOG_WARNING, &(struct about){ .folder = f->name },
		    "folder %s: %s", f->name, e.text);
		mine->not_before = now + DUE_MS;
		return false;
	}
	if (r == 0 || age < k->given.age_ms + f->give_keep_ms) {
		uint64_t left = r == 0 ? DUE_MS : k->given.age_ms + f->give_keep_ms - age;

		say(f, mine);
		mine->not_before = now + (left < LOOK_MS ? LOOK_MS : left > DUE_MS ? DUE_MS : left);
		return false;
	}
	k->done = path_open(watch_dir(k->core->watch, f), f->word_done, O_RDONLY | O_DIRECTORY);
	if (k->done < 0) {
		mine->not_before = now + DUE_MS; /* the folder's trouble is an alarm already */
		return false;
	}
	k->folder = f;
	k->mine = mine;
	k->n = 0;
	look_at_file(k);
	return true;
}

static void
on_look(void *ctx)
{
	struct keep *k = ctx;
	struct core *c = k->core;

	k->timer = loop_timer(c->loop, LOOK_MS, on_look, k);
	if (!c->log_ready || c->stopping || k->steps != NULL)
		return;
	for (size_t i = 0; i < k->nfolders; i++) {
		size_t at = (k->turn + i) % k->nfolders;
		const struct conf_folder *f = &c->conf->folders[at];

		if (f->give_keep_ms == 0 || watch_dir(c->watch, f) < 0 || clock_ms() < k->folders[at].not_before ||
		    !look_at_record(k, f, &k->folders[at]))
			continue;
		k->turn = at + 1;
		return;
	}
}

int
keep_open(struct core *c, struct err *e)
{
	struct keep *k = calloc(1, sizeof(*k) + c->conf->nfolders * sizeof(k->folders[0]));

	if (k == NULL)
		return err_set(e, ERR_MEM, "give.keep");
	k->core = c;
	k->done = k->file.fd = k->file.archived = -1;
	k->nfolders = c->conf->nfolders;
	k->timer = loop_timer(c->loop, LOOK_MS, on_look, k);
	c->keep = k;
	return 0;
}

void
keep_close(struct core *c)
{
	struct keep *k = c->keep;

	if (k == NULL)
		return;
	steps_cancel(k->steps);
	loop_timer_del(c->loop, k->timer);
	close_file(k);
	io_close(&k->done);
	free(k);
	c->keep = NULL;
}
