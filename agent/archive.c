#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/clock.h"
#include "agent/lib/format.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/layout.h"

#include "agent/archive.h"
#include "agent/steps.h"

#define MANIFEST "manifest-sha256.txt"
#define MANIFEST_MAX ((size_t)64 * 1024 * 1024)
#define NAME_LEN_MAX 40
#define LINE_HASH (2 * HASH_LEN + 2) /* "<hash>  " before the path */

struct archive {
	int dir;
	int fresh;                 /* .new/, locked */
	char day[ARCHIVE_DAY_MAX]; /* of the manifest below; "": none */
	struct buf manifest;
};

void
archive_day(int64_t received_us, char day[ARCHIVE_DAY_MAX])
{
	char iso[CLOCK_ISO_MAX];

	clock_iso(received_us, iso);
	snprintf(day, ARCHIVE_DAY_MAX, "%.4s/%.2s/%.2s", iso, iso + 5, iso + 8);
}

void
archive_path(const char *job, int64_t received_us, char path[ARCHIVE_PATH_MAX])
{
	char day[ARCHIVE_DAY_MAX];

	archive_day(received_us, day);
	snprintf(path, ARCHIVE_PATH_MAX, "%s/%.26s", day, job);
}

/* --- opening --------------------------------------------------------------------------- */

/* Nothing but what an interrupted first start leaves behind. */
static int
archive_blank(int dir, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (d == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "archive");
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && strcmp(de->d_name, "README.txt") != 0 && strcmp(de->d_name, "lost+found") != 0)
			r = err_set(e, ERR_ARCHIVE, "archive: it is not empty, and has no file FORMAT");
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "archive");
	closedir(d);
	return r;
}

/* The text first: an archive that names a format explains it. */
static int
write_format(int dir, struct err *e)
{
	const char *readme = layout_readme(LAYOUT_NEWEST);
	int r = io_replace(dir, "README.txt", readme, strlen(readme), 0444, e);

	return r < 0 ? r : io_replace(dir, "FORMAT", LAYOUT_FORMAT, strlen(LAYOUT_FORMAT), 0444, e);
}

static int
archive_format(int dir, struct err *e)
{
	AUTO_BUF b = { 0 };
	unsigned format;
	int r;

	if (!io_exists(dir, "FORMAT"))
		return (r = archive_blank(dir, e)) < 0 ? r : write_format(dir, e);
	buf_init(&b, 256);
	if ((r = io_read_file(dir, "FORMAT", &b, e)) < 0)
		return r;
	if ((format = format_number(b.data, b.len, LAYOUT_NAME)) == 0)
		return err_set(e, ERR_ARCHIVE, "archive: its FORMAT is not one of " LAYOUT_NAME);
	if (format > LAYOUT_NEWEST)
		return err_set(e, ERR_ARCHIVE, "archive: its FORMAT is " LAYOUT_NAME "/%u, which a later release began; this one "
		    "knows up to " LAYOUT_FORMAT_NAME ": use the later release, or another archive", format);
	return format == LAYOUT_NEWEST ? 0 : write_format(dir, e);
}

/* .new/ is ours alone, and whatever lies there was never published. */
static int
archive_fresh(struct archive *a, struct err *e)
{
	struct dirent *de;
	DIR *d;
	int fd, r;

	if ((r = io_mkdir_p(a->dir, ".new", 0700, e)) < 0 || (a->fresh = r = io_open_dir(a->dir, ".new", e)) < 0)
		return r;
	if (flock(a->fresh, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(e, ERR_LOCKED, "another process writes this archive") :
		                              err_sys(e, ERR_IO, "locking the archive");
	if ((fd = openat(a->fresh, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || (d = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "archive: .new");
	}
	r = 0;
	while (r == 0 && (de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			r = io_remove_tree(a->fresh, de->d_name, e);
	closedir(d);
	return r;
}

int
archive_open(struct archive **ret, const char *path, struct err *e)
{
	struct archive *a = calloc(1, sizeof(*a));
	int r;

	if (a == NULL)
		return err_set(e, ERR_MEM, "archive");
	a->fresh = -1;
	buf_init(&a->manifest, MANIFEST_MAX);
	r = a->dir = io_open_dir(AT_FDCWD, path, e);
	if (r < 0 || (r = archive_format(a->dir, e)) < 0 || (r = archive_fresh(a, e)) < 0) {
		archive_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void
archive_free(struct archive *a)
{
	if (a == NULL)
		return;
	buf_done(&a->manifest);
	io_close(&a->fresh);
	io_close(&a->dir);
	free(a);
}

int
archive_dir(const struct archive *a)
{
	return a->dir;
}

/* --- the manifest of a day ------------------------------------------------------------- */

struct names {
	char (*v)[NAME_LEN_MAX];
	size_t n, cap;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int
names_add(struct names *l, const char *name, struct err *e)
{
	void *p;

	if (l->n == l->cap) {
		l->cap = l->cap == 0 ? 64 : 2 * l->cap;
		if ((p = reallocarray(l->v, l->cap, sizeof(*l->v))) == NULL)
			return err_set(e, ERR_MEM, "archive");
		l->v = p;
	}
	memcpy(l->v[l->n++], name, strlen(name) + 1);
	return 0;
}

/* Everything in a directory but dot files and the manifest, in order. */
static int
names_read(int dir, struct names *l, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;

	if (d == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "archive: listing a directory");
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (de->d_name[0] != '.' && strcmp(de->d_name, MANIFEST) != 0 && strlen(de->d_name) < NAME_LEN_MAX)
			r = names_add(l, de->d_name, e);
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "archive: listing a directory");
	closedir(d);
	if (r == 0 && l->n > 0)
		qsort(l->v, l->n, sizeof(*l->v), by_name);
	return r;
}

static int
manifest_job(int day, const char *job, struct buf *out, struct err *e)
{
	struct names files = { 0 };
	uint8_t hash[HASH_LEN];
	char hex[HASH_HEX];
	AUTO_FD dir = -1;
	int r;

	if ((dir = io_open_dir(day, job, e)) < 0)
		return errno == ENOTDIR ? 0 : dir; /* a stray file is none of ours */
	r = names_read(dir, &files, e);
	for (size_t i = 0; r == 0 && i < files.n; i++) {
		AUTO_FD fd = openat(dir, files.v[i], O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

		if (fd < 0)
			r = err_sys(e, ERR_IO, "archive: %s/%s", job, files.v[i]);
		else if ((r = hash_fd(fd, 0, UINT64_MAX, hash, e)) == 0) {
			hash_hex(hash, hex);
			buf_printf(out, "%s  %s/%s\n", hex, job, files.v[i]);
		}
	}
	free(files.v);
	return r;
}

static int
manifest_write(struct archive *a, const char *day, struct err *e)
{
	AUTO_FD dir = -1;

	if (!buf_ok(&a->manifest)) {
		a->day[0] = '\0';
		return a->manifest.starved ? err_set(e, ERR_MEM, "archive: the manifest of %s", day) :
		                             err_set(e, ERR_ARCHIVE, "archive: the manifest of %s is too large", day);
	}
	if ((dir = path_open(a->dir, day, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "archive: %s", day);
	return io_replace(dir, MANIFEST, a->manifest.data, a->manifest.len, 0440, e);
}

int
archive_manifest(struct archive *a, const char *day, struct err *e)
{
	struct names jobs = { 0 };
	AUTO_FD dir = -1;
	int r;

	a->day[0] = '\0';
	buf_clear(&a->manifest);
	if ((dir = path_open(a->dir, day, O_RDONLY | O_DIRECTORY)) < 0)
		return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "archive: %s", day);
	r = names_read(dir, &jobs, e);
	for (size_t i = 0; r == 0 && i < jobs.n; i++)
		r = manifest_job(dir, jobs.v[i], &a->manifest, e);
	free(jobs.v);
	if (r < 0 || (r = manifest_write(a, day, e)) < 0)
		return r;
	snprintf(a->day, sizeof(a->day), "%s", day);
	return 0;
}

/* Offset of the first line whose path is not before this one. */
static size_t
manifest_find(const struct buf *b, const char *path)
{
	const char *p = (const char *)b->data, *end = p + b->len, *lf;
	size_t n = strlen(path);

	for (; p < end && (lf = memchr(p, '\n', (size_t)(end - p))) != NULL; p = lf + 1) {
		size_t len = (size_t)(lf - p) - LINE_HASH;
		int c = memcmp(p + LINE_HASH, path, len < n ? len : n);

		if (c > 0 || (c == 0 && len >= n))
			break;
	}
	return b->len == 0 ? 0 : (size_t)(p - (const char *)b->data);
}

/* Is the text lines of "<hash>  <path>"? */
static bool
manifest_shape(const struct buf *b)
{
	const char *p = (const char *)b->data, *end = p + b->len, *lf;

	for (; b->len > 0 && p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		if (lf == NULL || lf - p <= LINE_HASH + ID_LEN || memcmp(p + LINE_HASH - 2, "  ", 2) != 0)
			return false;
	}
	return true;
}

/* The day's manifest in memory: what stands on disk, else made from what is there. */
static int
manifest_load(struct archive *a, const char *day, struct err *e)
{
	AUTO_FD dir = -1;
	int r;

	if (strcmp(a->day, day) == 0)
		return 0;
	a->day[0] = '\0';
	buf_clear(&a->manifest);
	if ((dir = path_open(a->dir, day, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "archive: %s", day);
	if (!io_exists(dir, MANIFEST))
		return archive_manifest(a, day, e);
	if ((r = io_read_file(dir, MANIFEST, &a->manifest, e)) < 0)
		return r;
	if (!manifest_shape(&a->manifest))
		return archive_manifest(a, day, e);
	snprintf(a->day, sizeof(a->day), "%s", day);
	return 0;
}

/* Puts the job's lines where they belong; lines that are there already stay. */
static int
manifest_add(struct archive *a, const char *job, const char *day, const struct archive_file *files, size_t n,
    struct err *e)
{
	char path[ID_LEN + 1 + NAME_LEN_MAX], hex[HASH_HEX], line[LINE_HASH + sizeof(path) + 1];
	struct buf *b = &a->manifest;
	int r;

	if ((r = manifest_load(a, day, e)) < 0)
		return r;
	for (size_t i = 0; i < n; i++) {
		size_t at, len;

		snprintf(path, sizeof(path), "%s/%s", job, files[i].name);
		hash_hex(files[i].hash, hex);
		len = (size_t)snprintf(line, sizeof(line), "%s  %s\n", hex, path);
		at = manifest_find(b, path);
		if (b->len - at >= len && memcmp(b->data + at, line, len) == 0)
			continue;
		buf_put(b, line, len);
		if (!buf_ok(b))
			break;
		memmove(b->data + at + len, b->data + at, b->len - len - at);
		memcpy(b->data + at, line, len);
	}
	return manifest_write(a, day, e);
}

/* --- publishing ------------------------------------------------------------------------ */

static bool
name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < NAME_LEN_MAX && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

/*
 * One document on its way into the archive, in steps.  What is waited for next
 * is appended by what was done last.
 */
struct publishing {
	struct archive *a;
	char job[ID_MAX];
	char day[ARCHIVE_DAY_MAX];
	struct archive_file *files;
	size_t n, at;          /* the file, or the directory, in work */
	int dir, fd;           /* .new/<job>/, later where it was published before; a file of it */
	bool there;            /* it was: these must be its files, all of them, and nothing else */
	uint8_t hash[HASH_LEN];
	struct steps *steps;
	archive_cb *cb;
	void *ctx;
};

static int file_open(void *, struct err *);
static int file_close(void *, struct err *);
static int fresh_sync(void *, struct err *);
static int read_open(void *, struct err *);
static int read_check(void *, struct err *);
static int fresh_name(void *, struct err *);
static int sync_up(void *, struct err *);
static int fresh_remove(void *, struct err *);
static int manifest_put(void *, struct err *);

/* .new/<job>/, empty. */
static int
fresh_make(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	int r;

	if ((r = io_remove_tree(p->a->fresh, p->job, e)) < 0 || (r = io_mkdir_p(p->a->fresh, p->job, 0750, e)) < 0 ||
	    (p->dir = r = io_open_dir(p->a->fresh, p->job, e)) < 0)
		return r;
	steps_call(p->steps, file_open);
	return 0;
}

static int
file_open(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	struct archive_file *f = &p->files[p->at];
	int r;

	if ((p->fd = openat(p->dir, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "archive: %s", f->name);
	f->size = f->len;
	if (f->fd >= 0) {
		if ((r = io_size(f->fd, &f->size, e)) < 0)
			return r;
		steps_copy(p->steps, f->fd, 0, f->size, p->fd, true);
		steps_digest(p->steps, f->hash);
		steps_flush(p->steps, p->fd);
	} else {
		hash_bytes(f->bytes, f->len, f->hash);
		if ((r = io_write_full(p->fd, f->bytes, f->len, e)) < 0)
			return r;
	}
	steps_call(p->steps, file_close);
	return 0;
}

/* Synced, and out of the page cache. */
static int
file_close(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	struct archive_file *f = &p->files[p->at];
	int r;

	if (f->must != NULL && memcmp(f->hash, f->must, HASH_LEN) != 0)
		return err_set(e, ERR_ARCHIVE, "archive: %s of job %s is not what was claimed any more", f->name, p->job);
	if (fchmod(p->fd, 0440) < 0)
		return err_sys(e, ERR_IO, "archive: mode of %s", f->name);
	if ((r = io_sync(p->fd, e)) < 0)
		return r;
	/* advice only: reading back from the cache would still find our own mistakes */
	(void)posix_fadvise(p->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (close(take_fd(&p->fd)) < 0)
		return err_sys(e, ERR_IO, "archive: closing %s", f->name);
	steps_call(p->steps, ++p->at < p->n ? file_open : fresh_sync);
	return 0;
}

static int
fresh_sync(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	int r = io_sync(p->dir, e);

	if (r < 0)
		return r;
	p->at = 0;
	steps_call(p->steps, read_open);
	return 0;
}

static int
differs(const struct publishing *p, struct err *e)
{
	const char *name = p->files[p->at].name;

	if (p->there)
		return err_set(e, ERR_ARCHIVE, "archive: %s is there already, %s has other bytes", p->job, name);
	return err_set(e, ERR_IO, "archive: %s reads back with other bytes", name);
}

static int
read_open(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	const struct archive_file *f = &p->files[p->at];
	uint64_t size;
	int r;

	if ((p->fd = openat(p->dir, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)) < 0)
		return errno == ENOENT ? differs(p, e) : err_sys(e, ERR_IO, "archive: %s", f->name);
	if ((r = io_size(p->fd, &size, e)) < 0)
		return r;
	if (size != f->size)
		return differs(p, e);
	steps_copy(p->steps, p->fd, 0, size, -1, true);
	steps_digest(p->steps, p->hash);
	steps_call(p->steps, read_check);
	return 0;
}

static int
read_check(void *ctx, struct err *e)
{
	struct publishing *p = ctx;

	if (memcmp(p->hash, p->files[p->at].hash, HASH_LEN) != 0)
		return differs(p, e);
	io_close(&p->fd);
	if (++p->at < p->n) {
		steps_call(p->steps, read_open);
		return 0;
	}
	p->at = 0;
	steps_call(p->steps, p->there ? sync_up : fresh_name);
	return 0;
}

/* The job is there already: these must be its files, all of them, and nothing else. */
static int
compare_published(struct publishing *p, int day, struct err *e)
{
	struct names there = { 0 };
	int r;

	io_close(&p->dir);
	if ((p->dir = r = io_open_dir(day, p->job, e)) < 0)
		return r;
	if ((r = names_read(p->dir, &there, e)) == 0 && there.n != p->n)
		r = err_set(e, ERR_ARCHIVE, "archive: %s is there already, with %zu files instead of %zu", p->job, there.n, p->n);
	free(there.v);
	p->there = true;
	steps_call(p->steps, read_open);
	return r;
}

static int
fresh_name(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	AUTO_FD day = -1;
	int r;

	if ((r = io_mkdir_p(p->a->dir, p->day, 0750, e)) < 0)
		return r;
	if ((day = path_open(p->a->dir, p->day, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "archive: %s", p->day);
	if (renameat2(p->a->fresh, p->job, day, p->job, RENAME_NOREPLACE) == 0) {
		steps_call(p->steps, sync_up);
		return 0;
	}
	return errno == EEXIST ? compare_published(p, day, e) : err_sys(e, ERR_IO, "archive: publishing %s", p->job);
}

/* Day, month, year, root, one a turn: what was made or renamed there is durable after this. */
static int
sync_up(void *ctx, struct err *e)
{
	static const int len[] = { 10, 7, 4 };
	struct publishing *p = ctx;
	char part[ARCHIVE_DAY_MAX];
	int r;

	if (p->at < 3) {
		snprintf(part, sizeof(part), "%.*s", len[p->at++], p->day);
		return (r = io_sync_dir(p->a->dir, part, e)) < 0 ? r : 1;
	}
	if ((r = io_sync(p->a->dir, e)) < 0)
		return r;
	steps_call(p->steps, fresh_remove);
	steps_call(p->steps, manifest_put);
	return 0;
}

static int
fresh_remove(void *ctx, struct err *e)
{
	struct publishing *p = ctx;
	int r = io_remove_tree(p->a->fresh, p->job, e);

	return r < 0 ? r : io_sync(p->a->fresh, e);
}

static int
manifest_put(void *ctx, struct err *e)
{
	struct publishing *p = ctx;

	return manifest_add(p->a, p->job, p->day, p->files, p->n, e);
}

static void
publishing_free(struct publishing *p)
{
	io_close(&p->fd);
	io_close(&p->dir);
	free(p);
}

static int
publishing_new(struct publishing **ret, struct archive *a, struct loop *loop, const char *job, int64_t received_us,
    struct archive_file *files, size_t nfiles, struct err *e)
{
	struct publishing *p;

	if (!id_valid(job) || nfiles == 0 || nfiles > ARCHIVE_FILES_MAX)
		return err_set(e, ERR_ARCHIVE, "archive: no job id, or no files");
	for (size_t i = 0; i < nfiles; i++)
		if (!name_ok(files[i].name))
			return err_set(e, ERR_ARCHIVE, "archive: a file name that is not ours");
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return err_set(e, ERR_MEM, "archive");
	*p = (struct publishing){ .a = a, .files = files, .n = nfiles, .dir = -1, .fd = -1 };
	memcpy(p->job, job, ID_MAX);
	archive_day(received_us, p->day);
	p->steps = steps_new(loop, p);
	steps_call(p->steps, fresh_make);
	*ret = p;
	return 0;
}

/* What is left of it was not published; if even this fails, the next start removes it. */
static void
publishing_drop(struct publishing *p)
{
	struct err ignored;

	io_remove_tree(p->a->fresh, p->job, &ignored);
}

int
archive_publish(struct archive *a, const char *job, int64_t received_us, struct archive_file *files, size_t nfiles,
    struct err *e)
{
	struct publishing *p;
	int r = publishing_new(&p, a, NULL, job, received_us, files, nfiles, e);

	if (r < 0)
		return r;
	while ((r = steps_turn(p->steps, e)) > 0)
		;
	if (r < 0)
		publishing_drop(p);
	steps_cancel(p->steps);
	publishing_free(p);
	return r;
}

static void
on_published(void *ctx, const struct err *why)
{
	struct publishing *p = ctx;
	archive_cb *cb = p->cb;
	void *their = p->ctx;

	if (why != NULL)
		publishing_drop(p);
	publishing_free(p);
	cb(their, why);
}

int
archive_begin(struct publishing **ret, struct archive *a, struct loop *loop, const char *job, int64_t received_us,
    struct archive_file *files, size_t nfiles, archive_cb *cb, void *ctx, struct err *e)
{
	struct publishing *p;
	int r = publishing_new(&p, a, loop, job, received_us, files, nfiles, e);

	if (r < 0)
		return r;
	p->cb = cb;
	p->ctx = ctx;
	steps_go(p->steps, on_published);
	*ret = p;
	return 0;
}

void
archive_cancel(struct publishing *p)
{
	if (p == NULL)
		return;
	steps_cancel(p->steps);
	publishing_free(p);
}

int
archive_has(struct archive *a, const char *job, int64_t received_us, struct err *e)
{
	char path[ARCHIVE_PATH_MAX];
	AUTO_FD fd = -1;

	archive_path(job, received_us, path);
	if ((fd = path_open(a->dir, path, O_RDONLY | O_DIRECTORY)) >= 0)
		return 1;
	return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "archive: %s", path);
}

int
archive_orphan(struct archive *a, const char *day, const char *job, struct err *e)
{
	AUTO_FD from = -1, to = -1;
	int r;

	if (!id_valid(job))
		return err_set(e, ERR_ARCHIVE, "archive: not a job id");
	if ((from = path_open(a->dir, day, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "archive: %s", day);
	if ((r = io_mkdir_p(a->dir, ".orphans", 0700, e)) < 0)
		return r;
	if ((to = io_open_dir(a->dir, ".orphans", e)) < 0)
		return to;
	return io_move(from, job, to, job, e);
}
