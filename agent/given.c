#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/given.h"
#include "agent/jsonput.h"

#define DIR_NAME "given"
#define AGE_NAME "age"
#define SAVE_MS 3600000u
#define PART_MS (24u * 3600 * 1000)
#define LINE_MAX_BYTES 8192u /* four hashes and names would fit twice */
#define PART_NAME_MAX (MSG_NAME_MAX + 12)

/* *ret is -1 when there is none yet. */
static int
open_list(const struct spool *s, int *ret, struct err *e)
{
	if ((*ret = openat(s->state, DIR_NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) >= 0 || errno == ENOENT)
		return 0;
	return err_sys(e, ERR_IO, "state/" DIR_NAME);
}

static void
part_name(const char *folder, uint32_t part, char dst[PART_NAME_MAX])
{
	snprintf(dst, PART_NAME_MAX, "%s.%" PRIu32, folder, part);
}

/* --- the age clock --------------------------------------------------------------------- */

struct age {
	char boot[CLOCK_BOOT_LEN + 1];
	uint64_t boot_ms; /* clock_ms() when it was written */
	uint64_t age_ms;  /* what it said then */
};

static int
age_write(int dir, const struct age *a, struct err *e)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "1 %s %" PRIu64 " %" PRIu64 "\n", a->boot, a->boot_ms, a->age_ms);

	return io_replace(dir, AGE_NAME, text, (size_t)n, 0600, e);
}

/* A file that cannot be read begins anew: what was given before then waits longer. */
static int
age_read(int dir, struct age *ret, struct err *e)
{
	struct age a = { 0 };
	AUTO_BUF b;
	int r;

	buf_init(&b, 128);
	memset(ret, 0, sizeof(*ret));
	if (!io_exists(dir, AGE_NAME))
		return 0;
	if ((r = io_read_file(dir, AGE_NAME, &b, e)) < 0)
		return r;
	buf_put(&b, "", 1);
	if (buf_ok(&b) && sscanf((const char *)b.data, "1 %36s %" SCNu64 " %" SCNu64, a.boot, &a.boot_ms, &a.age_ms) == 3)
		*ret = a;
	return 0;
}

/* Counts on from what was written; across a start of the machine from what it said last. */
static int
age_now(int dir, uint64_t *ret, struct err *e)
{
	struct age a, now = { .boot_ms = clock_ms() };
	bool same;
	int r;

	if (clock_boot_id(now.boot) < 0)
		return err_sys(e, ERR_IO, "the kernel's boot id");
	if ((r = age_read(dir, &a, e)) < 0)
		return r;
	same = strcmp(a.boot, now.boot) == 0 && a.boot_ms <= now.boot_ms;
	now.age_ms = a.age_ms + (same ? now.boot_ms - a.boot_ms : 0);
	if ((!same || now.boot_ms - a.boot_ms >= SAVE_MS) && (r = age_write(dir, &now, e)) < 0)
		return r;
	*ret = now.age_ms;
	return 0;
}

int
given_age(const struct spool *s, uint64_t *ret_ms, struct err *e)
{
	AUTO_FD dir = -1;
	int r;

	if ((r = io_mkdir_p(s->state, DIR_NAME, 0700, e)) < 0 || (dir = io_open_dir(s->state, DIR_NAME, e)) < 0)
		return -(int)e->code;
	return age_now(dir, ret_ms, e);
}

/* --- one record ------------------------------------------------------------------------ */

static json_t *
file_json(const struct given_file *f)
{
	char name[3 * SPOOL_NAME_MAX], hash[HASH_HEX];

	path_escape(f->name, name, sizeof(name));
	hash_hex(f->hash, hash);
	return json_pack("{s:s, s:I, s:I, s:s}", "name", name, "size", (json_int_t)f->size, "mtime", (json_int_t)f->mtime,
	    "sha256", hash);
}

static char *
given_text(const struct given *g)
{
	json_t *files = json_array(), *o;
	char *text;

	for (uint32_t i = 0; i < g->nfiles; i++)
		json_array_append_new(files, file_json(&g->file[i]));
	o = json_pack("{s:i, s:I, s:s, s:b, s:I, s:i, s:s, s:o}", "v", 1, "age_ms", (json_int_t)g->age_ms, "job", g->job,
	    "repeat", g->repeat, "entry", (json_int_t)g->entry, "tries", (int)g->tries, "archive", g->archive, "files", files);
	text = o != NULL && json_array_size(files) == g->nfiles ? json_text(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text;
}

static int
file_parse(json_t *o, struct given_file *f)
{
	const char *name, *hash;
	json_int_t size, mtime;

	if (json_unpack(o, "{s:s, s:I, s:I, s:s}", "name", &name, "size", &size, "mtime", &mtime, "sha256", &hash) < 0 ||
	    size < 0 || hash_from_hex(hash, f->hash) < 0 || path_unescape(name, f->name, sizeof(f->name)) < 0 ||
	    *f->name == '\0' || strchr(f->name, '/') != NULL)
		return -1;
	f->size = (uint64_t)size;
	f->mtime = mtime;
	return 0;
}

static int
given_fill(const json_t *o, struct given *g)
{
	const char *job, *archive;
	json_int_t age, entry;
	json_t *files;
	int v, repeat, tries;

	if (json_unpack((json_t *)(uintptr_t)o, "{s:i, s:I, s:s, s:b, s:I, s:i, s:s, s:o}", "v", &v, "age_ms", &age, "job", &job,
	        "repeat", &repeat, "entry", &entry, "tries", &tries, "archive", &archive, "files", &files) < 0 ||
	    v != 1 || age < 0 || entry < 0 || tries < 0 || !id_valid(job) || strlen(archive) >= sizeof(g->archive) ||
	    json_array_size(files) < 1 || json_array_size(files) > GIVEN_FILES)
		return -1;
	*g = (struct given){ .age_ms = (uint64_t)age, .repeat = repeat, .entry = (uint64_t)entry, .tries = (uint32_t)tries,
		.nfiles = (uint32_t)json_array_size(files) };
	memcpy(g->job, job, ID_MAX);
	strcpy(g->archive, archive);
	for (uint32_t i = 0; i < g->nfiles; i++)
		if (file_parse(json_array_get(files, i), &g->file[i]) < 0)
			return -1;
	return 0;
}

static int
given_parse(const char *line, size_t len, struct given *g)
{
	json_t *o = json_loadb(line, len, 0, NULL);
	int r = o != NULL ? given_fill(o, g) : -1;

	json_decref(o);
	return r;
}

/* --- the list -------------------------------------------------------------------------- */

/* Where the next line belongs: what a crash left behind the last one is cut. */
static int
list_end(int fd, uint64_t *ret, struct err *e)
{
	char tail[LINE_MAX_BYTES];
	uint64_t size;
	size_t n;
	int r;

	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	n = size < sizeof(tail) ? (size_t)size : sizeof(tail);
	if ((r = io_pread_full(fd, tail, n, size - n, e)) < 0)
		return r;
	while (n > 0 && tail[n - 1] != '\n')
		n--;
	*ret = size - (size < sizeof(tail) ? (size_t)size : sizeof(tail)) + n;
	if (*ret < size && ftruncate(fd, (off_t)*ret) < 0)
		return err_sys(e, ERR_IO, "cutting a torn line");
	return 0;
}

static int
append(int dir, const char *name, const char *text, struct err *e)
{
	AUTO_FD fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	char line[LINE_MAX_BYTES];
	uint64_t end;
	int n, r;

	if (fd < 0)
		return err_sys(e, ERR_IO, "state/" DIR_NAME "/%s", name);
	if ((n = snprintf(line, sizeof(line), "%s\n", text)) < 0 || (size_t)n >= sizeof(line))
		return err_set(e, ERR_IO, "record of what was given is too long");
	if ((r = list_end(fd, &end, e)) < 0 || (r = io_pwrite_full(fd, line, (size_t)n, end, e)) < 0)
		return r;
	/* a line that did not reach the disk costs nothing but that its files stay */
	if (fdatasync(fd) < 0)
		return err_sys(e, ERR_IO, "state/" DIR_NAME "/%s", name);
	return end == 0 ? io_sync(dir, e) : 0;
}

int
given_put(const struct spool *s, const char *folder, const struct given *g, struct err *e)
{
	AUTO_FREE char *text = given_text(g);
	char name[PART_NAME_MAX];
	AUTO_FD dir = -1;
	int r;

	if (text == NULL)
		return err_set(e, ERR_MEM, "record of what was given");
	if ((r = io_mkdir_p(s->state, DIR_NAME, 0700, e)) < 0 || (dir = io_open_dir(s->state, DIR_NAME, e)) < 0)
		return -(int)e->code;
	part_name(folder, (uint32_t)(g->age_ms / PART_MS), name);
	return append(dir, name, text, e);
}

/* "FOLDER.N": N, or -1. */
static int64_t
part_of(const char *name, const char *folder)
{
	size_t n = strlen(folder);
	uint32_t part;
	int end = 0;

	if (strncmp(name, folder, n) != 0 || name[n] != '.' || sscanf(name + n + 1, "%" SCNu32 "%n", &part, &end) != 1 ||
	    name[n + 1 + (size_t)end] != '\0')
		return -1;
	return part;
}

int
given_first(const struct spool *s, const char *folder, uint32_t *ret_part, struct err *e)
{
	int64_t first = -1, part;
	struct dirent *de;
	int fd, r;
	DIR *d;

	if ((r = open_list(s, &fd, e)) < 0 || fd < 0)
		return r;
	if ((d = fdopendir(fd)) == NULL) {
		r = err_sys(e, ERR_IO, "state/" DIR_NAME);
		io_close(&fd);
		return r;
	}
	while ((errno = 0, de = readdir(d)) != NULL)
		if ((part = part_of(de->d_name, folder)) >= 0 && (first < 0 || part < first))
			first = part;
	r = errno != 0 ? err_sys(e, ERR_IO, "state/" DIR_NAME) : first >= 0;
	closedir(d);
	if (r == 1)
		*ret_part = (uint32_t)first;
	return r;
}

/* The line at *at and its length without its end; 0: there is none. */
static int
read_line(int fd, uint64_t at, char line[LINE_MAX_BYTES], size_t *ret_len, struct err *e)
{
	ssize_t n = pread(fd, line, LINE_MAX_BYTES, (off_t)at);
	const char *end;

	if (n < 0)
		return err_sys(e, ERR_IO, "state/" DIR_NAME);
	end = memchr(line, '\n', (size_t)n);
	if (end == NULL && (size_t)n < LINE_MAX_BYTES)
		return 0; /* torn: its result is given once more, with a line of its own */
	*ret_len = end != NULL ? (size_t)(end - line) : (size_t)n - 1; /* too long for one of ours: passed by in pieces */
	return 1;
}

int
given_get(const struct spool *s, const char *folder, uint32_t part, uint64_t *at, struct given *ret, struct err *e)
{
	char name[PART_NAME_MAX], line[LINE_MAX_BYTES];
	AUTO_FD dir = -1;
	AUTO_FD fd = -1;
	size_t len = 0;
	int r;

	part_name(folder, part, name);
	if ((r = open_list(s, &dir, e)) < 0 || dir < 0)
		return r;
	if ((fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "state/" DIR_NAME "/%s", name);
	while ((r = read_line(fd, *at, line, &len, e)) == 1) {
		*at += len + 1;
		if (given_parse(line, len, ret) == 0)
			return 1;
	}
	return r;
}

int
given_drop(const struct spool *s, const char *folder, uint32_t part, struct err *e)
{
	char name[PART_NAME_MAX];
	AUTO_FD dir = -1;
	int r;

	part_name(folder, part, name);
	if ((r = open_list(s, &dir, e)) < 0 || dir < 0)
		return r;
	return io_unlink(dir, name, e);
}
