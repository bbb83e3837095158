#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/entry.h"

#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/reconcile.h"
#include "agent/stack.h"
#include "agent/watch.h"

#define LIST_MAX (4u << 20)
#define LIST_HEAD "sealroom-break/1\n"

/* What the log knows to be final: enough to tell a job, and a sender's copy. */
struct final {
	char id[ID_MAX];
	uint32_t type;
	uint64_t size;
	int64_t mtime_us;
	uint8_t hash[HASH_LEN];
};

struct restore {
	struct core *core;
	const struct resume *resume;
	struct entry *entry;
	struct final *final;
	size_t n, cap;
	struct buf list;
	struct buf gone; /* lines of it that can not be found out again once they were acted upon */
	bool again;      /* an earlier run has acted, and broke off */
	bool moved;      /* something of the day that is walked */
};

/* There is no break while something can not be read: it would be missing in it. */
static int
unreadable(const char *where, const char *id, struct err *e)
{
	char said[ERR_TEXT_MAX];

	memcpy(said, e->text, sizeof(said));
	return err_set(e, e->code, "%s%s%s: %.60s; no break is written while it can not be read: bring it back or move it "
	                           "away, and start again", where, id[0] != '\0' ? "/" : "", id, said);
}

/* --- what must be known before it is done ----------------------------------------------- */

/* A list that breaks off belongs to this very restore, or to none. */
static void
gone_head(const struct restore *w, char dst[HASH_HEX + 32])
{
	char hex[HASH_HEX];

	hash_hex(w->resume->disk_root, hex);
	snprintf(dst, HASH_HEX + 32, "disk %llu %s\n", (unsigned long long)w->resume->disk_size, hex);
}

static int
gone_load(struct restore *w, struct err *e)
{
	char head[HASH_HEX + 32];
	AUTO_BUF b = { 0 };
	int r;

	if ((r = io_there(w->core->spool.state, BREAK_FILE, e)) <= 0)
		return r;
	gone_head(w, head);
	buf_init(&b, LIST_MAX + sizeof(head));
	if ((r = io_read_file(w->core->spool.state, BREAK_FILE, &b, e)) < 0)
		return r;
	if (b.len < strlen(head) || memcmp(b.data, head, strlen(head)) != 0)
		return 0;
	buf_put(&w->gone, b.data + strlen(head), b.len - strlen(head));
	w->again = true;
	return 0;
}

static int
gone_save(const struct restore *w, struct err *e)
{
	char head[HASH_HEX + 32];
	AUTO_BUF b;

	gone_head(w, head);
	buf_init(&b, LIST_MAX + sizeof(head));
	buf_put(&b, head, strlen(head));
	buf_put(&b, w->gone.data, w->gone.len);
	if (!buf_ok(&w->gone) || !buf_ok(&b))
		return err_set(e, ERR_MEM, "list of what a restore has changed");
	return io_replace(w->core->spool.state, BREAK_FILE, b.data, b.len, 0600, e);
}

static void
gone_add(struct restore *w, const char *line)
{
	if (!w->again || w->gone.len == 0 || memmem(w->gone.data, w->gone.len, line, strlen(line)) == NULL)
		buf_put(&w->gone, line, strlen(line));
}

static unsigned
gone_count(const struct restore *w, const char *word)
{
	const size_t len = strlen(word);
	unsigned n = 0;

	for (size_t i = 0; i + len <= w->gone.len; i++)
		n += (i == 0 || w->gone.data[i - 1] == '\n') && memcmp(w->gone.data + i, word, len) == 0;
	return n;
}

/* --- the log, read once ---------------------------------------------------------------- */

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct final *)a)->id, ((const struct final *)b)->id);
}

static int
final_add(struct restore *w, const struct entry *x, struct err *e)
{
	struct final *f;

	if (w->n == w->cap) {
		w->cap = w->cap == 0 ? 256 : 2 * w->cap;
		if ((f = reallocarray(w->final, w->cap, sizeof(*f))) == NULL)
			return err_set(e, ERR_MEM, "entries of the log");
		w->final = f;
	}
	f = &w->final[w->n++];
	*f = (struct final){ .type = (uint32_t)x->type, .size = x->source_size, .mtime_us = x->source_mtime_us };
	memcpy(f->id, x->job, ID_MAX);
	memcpy(f->hash, x->source_hash, HASH_LEN);
	return 0;
}

static int
read_log(struct restore *w, struct err *e)
{
	struct elog *l = w->core->elog;
	enum entry_type type;
	char id[ID_MAX];
	struct entry x;
	AUTO_BUF b;
	int r = 0;

	buf_init(&b, ENTRY_MAX);
	for (uint64_t i = 0; r == 0 && i < elog_size(l); i++) {
		if ((r = elog_entry(l, i, &b, e)) < 0 || (r = entry_peek(b.data, b.len, &type, id, e)) < 0)
			return r;
		if ((type == ENTRY_JOB || type == ENTRY_REJECT || type == ENTRY_WITHDRAW || type == ENTRY_DIVIDE) &&
		    (r = entry_parse(b.data, b.len, &x, e)) == 0)
			r = final_add(w, &x, e);
	}
	if (r == 0 && w->n > 0)
		qsort(w->final, w->n, sizeof(*w->final), by_id);
	return r;
}

static const struct final *
final_of(const struct restore *w, const char *id)
{
	struct final key = { 0 };

	snprintf(key.id, sizeof(key.id), "%s", id);
	return w->n == 0 ? NULL : bsearch(&key, w->final, w->n, sizeof(key), by_id);
}

static bool
has_job(const struct core *c, const char *id)
{
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (strcmp(j->claim.id, id) == 0)
			return true;
	return false;
}

/* Names of a directory, each given to fn; a missing one is empty. */
typedef int name_fn(struct restore *, int dir, const char *where, const char *name, struct err *);

static int
each_name(struct restore *w, int at, const char *where, name_fn *fn, struct err *e)
{
	int fd = path_open(at, where, O_RDONLY | O_DIRECTORY), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, ERR_IO, "%s", where);
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return err_sys(e, ERR_IO, "%s", where);
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			r = fn(w, dirfd(d), where, de->d_name, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "%s", where);
	closedir(d);
	return r;
}

/* --- jobs of the spool ------------------------------------------------------------------ */

/* Everything that publishing, logging and handing out need: 1, 0 not all of it. */
static int
is_whole(const struct job *j, struct err *e)
{
	static const char *const of_job[] = { "source", "doc.pdf", "plan", "engine", "prep", "attempt", "sig", "verdict",
		"sealed.pdf", "job.json", NULL };
	static const char *const of_stack[] = { "source", "plan", "parts", "job.json", NULL };
	int r = stack_is(j, e);
	const char *const *need = r == 1 ? of_stack : of_job;

	for (r = r < 0 ? r : 1; r == 1 && *need != NULL; need++)
		r = io_there(j->dir, *need, e);
	return r < 0 ? unreadable("job", j->claim.id, e) : r;
}

/*
 * Its entry or its directory is gone: published and entered again, by the
 * ordinary steps, from the seal it has.  A job that was adopted from the
 * archive has neither, and needs nothing.
 */
static int
back_to_sealed(struct restore *w, struct job *j, struct err *e)
{
	struct core *c = w->core;
	bool logged = final_of(w, j->claim.id) != NULL;
	int r;

	if (j->state != SPOOL_ARCHIVED && j->state != SPOOL_LOGGED && j->state != SPOOL_RELEASED)
		return 0;
	if ((r = is_whole(j, e)) != 1)
		return r;
	if ((r = archive_has(c->archive, j->claim.id, j->claim.received_us, e)) < 0 || (r == 1 && logged))
		return r < 0 ? r : 0;
	return job_move(j, SPOOL_SEALED, e);
}

/* Of those whose entry comes again: sealed or refused, and not in the log. */
static void
note_again(struct restore *w, const struct job *j)
{
	if ((j->state != SPOOL_SEALED && j->state != SPOOL_ARCHIVED && j->state != SPOOL_REFUSED) ||
	    final_of(w, j->claim.id) != NULL)
		return;
	w->entry->again++;
	buf_printf(&w->list, "again %s %s\n", j->claim.id, spool_state_name(j->state));
}

static int
check_jobs(struct restore *w, struct err *e)
{
	int r = 0;

	for (struct job *j = w->core->jobs; j != NULL && r == 0; j = j->next) {
		if ((r = back_to_sealed(w, j, e)) < 0)
			return r;
		note_again(w, j);
		/* a claim's tree size is of the log that was lost */
		if (j->log_from > w->resume->disk_size)
			r = log_at_put(j, w->resume->disk_size, e);
	}
	return r;
}

/* A refusal whose entry is gone: back, and through its steps again. */
static int
unquarantine(struct restore *w, int dir, const char *where, const char *id, struct err *e)
{
	struct spool *s = &w->core->spool;
	struct claim claim;
	struct job *j;
	int job, r;

	(void)where;
	if (!id_valid(id) || final_of(w, id) != NULL)
		return 0;
	if ((job = io_open_dir(dir, id, e)) < 0)
		return job;
	/* without both there is nothing that could be entered */
	if ((r = io_there(job, "claim", e)) == 1 && (r = io_there(job, "reason", e)) == 1 && claim_get(job, &claim, e) < 0)
		r = -(int)e->code;
	if (r != 1) {
		close(job);
		return r < 0 ? unreadable("quarantine", id, e) : 0;
	}
	r = (j = job_new(e)) == NULL ? -(int)e->code : io_move(dir, id, s->dir[SPOOL_REFUSED], id, e);
	if (r < 0) {
		free(j);
		close(job);
		return r;
	}
	job_add(w->core, j, &claim, SPOOL_REFUSED, job);
	return 0;
}

/* --- the archive ------------------------------------------------------------------------ */

static int
put_aside(struct restore *w, int dir, const char *day, const char *id, struct err *e)
{
	const struct final *f = final_of(w, id);

	(void)dir;
	if (!id_valid(id) || (f != NULL && (f->type == ENTRY_JOB || f->type == ENTRY_DIVIDE)) || has_job(w->core, id))
		return 0;
	log_line(LOG_WARNING, "archive: %s/%s is in no entry of the log; put aside into .orphans", day, id);
	w->moved = true;
	return archive_orphan(w->core->archive, day, id, e);
}

static int
in_year_or_month(struct restore *w, int dir, const char *where, const char *name, struct err *e)
{
	char path[ARCHIVE_DAY_MAX];
	int depth = 0, r;

	(void)dir;
	if (strspn(name, "0123456789") != strlen(name) || strlen(name) > 4)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s%s%s", strcmp(where, ".") == 0 ? "" : where,
	        strcmp(where, ".") == 0 ? "" : "/", name) >= sizeof(path))
		return 0;
	for (const char *p = path; *p != '\0'; p++)
		depth += *p == '/';
	w->moved = false;
	r = each_name(w, archive_dir(w->core->archive), path, depth == 2 ? put_aside : in_year_or_month, e);
	return r == 0 && depth == 2 && w->moved ? archive_manifest(w->core->archive, path, e) : r;
}

static int
note_aside(struct restore *w, int dir, const char *where, const char *name, struct err *e)
{
	(void)dir;
	(void)where;
	(void)e;
	w->entry->aside++;
	buf_printf(&w->list, "aside %.26s\n", name);
	return 0;
}

/* --- deliveries ------------------------------------------------------------------------- */

/* Remembered as logged, and now nowhere? 1 with its id, 0, -code. */
static int
is_lost(struct restore *w, int dir, const char *name, char id[ID_MAX], struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, ID_MAX);
	if ((r = io_read_file(dir, name, &b, e)) < 0)
		return r;
	if (b.len != ID_LEN)
		return 0;
	memcpy(id, b.data, ID_LEN);
	id[ID_LEN] = '\0';
	return final_of(w, id) == NULL && !has_job(w->core, id);
}

static int
note_lost(struct restore *w, int dir, const char *where, const char *name, struct err *e)
{
	char id[ID_MAX], line[ID_MAX + 8];
	int r;

	(void)where;
	/* its identity; the other names stand for bytes and reference */
	if (strchr(name, '-') != NULL || (r = is_lost(w, dir, name, id, e)) == 0)
		return 0;
	if (r < 0)
		return r;
	snprintf(line, sizeof(line), "lost %s\n", id);
	gone_add(w, line);
	journal_line(LOG_ALERT, &(struct about){ .job = id }, "job %s was sealed and is in neither log nor spool any more", id);
	return 0;
}

/* Who delivers it again shall get it sealed. */
static int
forget_lost(struct restore *w, int dir, const char *where, const char *name, struct err *e)
{
	char id[ID_MAX];
	int r;

	(void)where;
	return (r = is_lost(w, dir, name, id, e)) <= 0 ? r : io_unlink(dir, name, e);
}

static bool
is_receipt(const struct core *c, const struct conf_folder *f, const char *name)
{
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (strcmp(j->claim.folder, f->name) == 0 && strcmp(j->claim.work_name, name) == 0)
			return true;
	return false;
}

/* The log has exactly these bytes, of this time: that delivery has its result. */
static bool
was_final(const struct restore *w, const struct stat *st, const uint8_t hash[HASH_LEN])
{
	int64_t mtime = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;

	for (size_t i = 0; i < w->n; i++)
		if (memcmp(w->final[i].hash, hash, HASH_LEN) == 0 && w->final[i].size == (uint64_t)st->st_size &&
		    w->final[i].mtime_us == mtime)
			return true;
	return false;
}

static int
receipt_back(struct restore *w, const struct conf_folder *f, int hot, int work, const char *name, struct err *e)
{
	char shown[3 * SPOOL_NAME_MAX], hex[HASH_HEX], line[MSG_NAME_MAX + HASH_HEX + 16];
	const size_t before = w->gone.len;
	uint8_t hash[HASH_LEN];
	struct stat st;
	AUTO_FD fd = hot_open_file(work, name, &st, e);
	int r;

	if (fd < 0)
		return 0; /* whatever it is, no delivery */
	if ((r = hash_fd(fd, 0, UINT64_MAX, hash, e)) < 0)
		return r;
	path_display(name, shown, sizeof(shown));
	if (was_final(w, &st, hash)) {
		journal_line(LOG_WARNING, &(struct about){ .folder = f->name },
		    "folder %s: %s/%s has its result already and belongs to no job; remove it", f->name, f->word_work, shown);
		return 0;
	}
	hash_hex(hash, hex);
	snprintf(line, sizeof(line), "returned %s %s\n", f->name, hex);
	gone_add(w, line);
	if ((r = gone_save(w, e)) < 0)
		return r;
	if (hot_rename(work, name, hot, name) < 0) {
		journal_line(LOG_ALERT, &(struct about){ .folder = f->name },
		    "folder %s: %s/%s belongs to no job and can not be moved back: %s; deliver it again",
		    f->name, f->word_work, shown, strerror(errno));
		w->gone.len = before;
		return 0;
	}
	journal_line(LOG_WARNING, &(struct about){ .folder = f->name },
	    "folder %s: %s/%s belongs to no job; it is taken in again", f->name, f->word_work, shown);
	return 0;
}

static int
receipts(struct restore *w, const struct conf_folder *f, struct err *e)
{
	int hot = watch_dir(w->core->watch, f), fd, r = 0;
	struct dirent *de;
	DIR *d;

	if (hot < 0 || (fd = openat(hot, f->word_work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return 0; /* a share that is not there: nothing to say about it */
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return err_sys(e, ERR_IO, "folder %s", f->name);
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (!hot_ignored(de->d_name) && !is_receipt(w->core, f, de->d_name))
			r = receipt_back(w, f, hot, dirfd(d), de->d_name, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "folder %s", f->name);
	closedir(d);
	return r;
}

/* --- all of it --------------------------------------------------------------------------- */

static int
keep_list(struct restore *w, struct err *e)
{
	char name[HASH_HEX + 16], hex[HASH_HEX], said[ERR_TEXT_MAX];
	uint8_t hash[HASH_LEN];
	int r;

	w->entry->lost = gone_count(w, "lost ");
	buf_put(&w->list, w->gone.data, w->gone.len);
	hash_bytes(w->list.data, w->list.len, hash);
	hash_hex(hash, hex);
	snprintf(name, sizeof(name), "config/%s.break", hex);
	w->entry->nfiles = 1;
	r = buf_ok(&w->list) ? elog_keep(w->core->elog, name, w->list.data, w->list.len, &w->entry->files[0], e)
	                     : err_set(e, ERR_MEM, "no memory, or more than %u MiB", LIST_MAX >> 20);
	if (r == 0)
		return 0;
	memcpy(said, e->text, sizeof(said));
	return err_set(e, e->code, "evidence/config/*.break, the list of what a restore changes, can not be written: %.50s; "
	                           "no break is written without it: start again", said);
}

/* The log, and jobs that are all known: of one that could not be read everything would seem lost. */
static int
begin(struct restore *w, struct err *e)
{
	const struct unread_job *u = w->core->unread;
	char where[32];

	if (u != NULL) {
		snprintf(where, sizeof(where), "spool/%s", spool_state_name(u->state));
		*e = u->why;
		return unreadable(where, u->id, e);
	}
	return read_log(w, e);
}

static int
all(struct restore *w, struct err *e)
{
	struct core *c = w->core;
	int archive = archive_dir(c->archive), r;

	if ((r = begin(w, e)) < 0 || (r = each_name(w, c->spool.quarantine, ".", unquarantine, e)) < 0 ||
	    (r = check_jobs(w, e)) < 0 || (r = each_name(w, archive, ".", in_year_or_month, e)) < 0 ||
	    (r = each_name(w, archive, ".orphans", note_aside, e)) < 0 || (r = gone_load(w, e)) < 0 ||
	    (r = each_name(w, c->spool.seen, ".", note_lost, e)) < 0 || (r = gone_save(w, e)) < 0 ||
	    (r = each_name(w, c->spool.seen, ".", forget_lost, e)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < c->conf->nfolders; i++)
		r = receipts(w, &c->conf->folders[i], e);
	return r < 0 ? r : keep_list(w, e);
}

int
reconcile_break(struct core *c, const struct resume *resume, struct entry *x, struct err *e)
{
	struct restore w = { .core = c, .resume = resume, .entry = x };
	int r;

	buf_init(&w.list, LIST_MAX);
	buf_init(&w.gone, LIST_MAX);
	buf_printf(&w.list, LIST_HEAD);
	r = all(&w, e);
	free(w.final);
	buf_done(&w.list);
	buf_done(&w.gone);
	return r;
}

int
reconcile_forget(struct core *c, struct err *e)
{
	return io_unlink(c->spool.state, BREAK_FILE, e);
}
