#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/format.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/auditint.h"
#include "seal/evidence/layout.h"
#include "seal/evidence/look.h"

#define MANIFEST "manifest-sha256.txt"
#define MANIFEST_MAX ((size_t)64 * 1024 * 1024)

/* --- listing, reading ------------------------------------------------------------------ */

void *
audit_grow(void *array, size_t n, size_t *cap, size_t size)
{
	void *p;

	if (n < *cap)
		return array;
	if ((p = reallocarray(array, *cap == 0 ? 64 : 2 * *cap, size)) != NULL)
		*cap = *cap == 0 ? 64 : 2 * *cap;
	return p;
}

/* Opens a regular file; -1 and said why not. */
static int
audit_file(struct audit *a, const char *path)
{
	struct look_seen seen;
	int fd = look_open(a->dir, path, &seen);

	if (fd < 0)
		audit_say_unseen(a, path, &seen);
	return fd;
}

bool
audit_read(struct audit *a, const char *path, struct buf *out)
{
	uint8_t block[16384];
	ssize_t n;
	AUTO_FD fd = audit_file(a, path);

	buf_clear(out);
	if (fd < 0)
		return false;
	while ((n = read(fd, block, sizeof(block))) > 0) {
		if ((size_t)n > out->max - out->len) {
			audit_say(a, VERDICT_DISPROVEN, path, "is larger than anything that belongs there.");
			return false;
		}
		buf_put(out, block, (size_t)n);
		if (!buf_ok(out)) {
			audit_unread(a, path, strerror(ENOMEM));
			return false;
		}
	}
	if (n < 0)
		audit_unread(a, path, strerror(errno));
	return n == 0;
}

int
audit_exists(struct audit *a, const char *path)
{
	struct stat st;

	if (fstatat(a->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	audit_unread(a, path, strerror(errno));
	return -1;
}

static int
by_name(const void *x, const void *y)
{
	return strcmp(x, y);
}

/* ".name.tmp": a file that was being written when the copy was made, or power failed. */
static bool
is_temporary(const char *name)
{
	size_t n = strlen(name);

	return name[0] == '.' && n > 5 && strcmp(name + n - 4, ".tmp") == 0;
}

int
audit_list(struct audit *a, const char *path, struct audit_list *ret, struct err *e)
{
	int fd = path_open(a->dir, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	void *p;

	*ret = (struct audit_list){ 0 };
	if (d == NULL) {
		if (errno != ENOENT)
			audit_unread(a, path, strerror(errno));
		io_close(&fd);
		return 0;
	}
	while (errno = 0, (de = readdir(d)) != NULL) {
		if (strcmp(de->d_name, ".") == 0 || strcmp(de->d_name, "..") == 0 || is_temporary(de->d_name))
			continue;
		if ((p = audit_grow(ret->v, ret->n, &ret->cap, sizeof(*ret->v))) == NULL) {
			closedir(d);
			return err_set(e, ERR_MEM, "audit");
		}
		ret->v = p;
		memcpy(ret->v[ret->n++], de->d_name, strlen(de->d_name) + 1);
	}
	if (errno != 0)
		audit_unread(a, path, strerror(errno));
	closedir(d);
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

/* --- entries and the files they name ---------------------------------------------------- */

/* A job's directory holds the files of its entry and nothing else. */
static int
check_job(struct audit *a, const struct entry *x, struct err *e)
{
	char path[sizeof(x->path) + 1 + 256];
	struct audit_list l;
	int r;

	for (uint32_t i = 0; i < x->nfiles; i++) {
		snprintf(path, sizeof(path), "%s/%s", x->path, x->files[i].name);
		audit_check(a, path, &x->files[i]);
	}
	if ((r = audit_list(a, x->path, &l, e)) < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		uint32_t k = 0;

		while (k < x->nfiles && strcmp(x->files[k].name, l.v[i]) != 0)
			k++;
		snprintf(path, sizeof(path), "%s/%s", x->path, l.v[i]);
		if (k == x->nfiles)
			audit_say(a, VERDICT_DISPROVEN, path, "is not named by the log.");
	}
	free(l.v);
	return 0;
}

static bool
is_day(const char *s)
{
	static const char form[] = "dddd/dd/dd";

	for (size_t i = 0; i < strlen(form); i++)
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return false;
	return true;
}

static int
by_file(const void *x, const void *y)
{
	return strcmp(((const struct entry_file *)x)->name, ((const struct entry_file *)y)->name);
}

/* What the manifest must say about this job. */
static void
manifest_lines(const struct entry *x, uint8_t ret[HASH_LEN])
{
	struct entry_file f[ENTRY_FILES_MAX];
	char hex[HASH_HEX], line[HASH_HEX + ID_LEN + ENTRY_PATH_MAX + 8];
	struct hash *h = hash_open();

	memcpy(f, x->files, sizeof(f));
	qsort(f, x->nfiles, sizeof(f[0]), by_file);
	for (uint32_t i = 0; i < x->nfiles; i++) {
		hash_hex(f[i].hash, hex);
		hash_add(h, line, (size_t)snprintf(line, sizeof(line), "%s  %s/%s\n", hex, x->job, f[i].name));
	}
	hash_final(h, ret);
}

/* The place an entry names is only looked at when it is "YYYY/MM/DD/<job>". */
static int
archived_job(struct audit *a, const struct entry *x, struct audit_job *j, struct err *e)
{
	if (strlen(x->path) != AUDIT_DAY + 1 + ID_LEN || !is_day(x->path) || strcmp(x->path + AUDIT_DAY + 1, x->job) != 0) {
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu names no place in the archive.",
		    (unsigned long long)x->index);
		return 0;
	}
	memcpy(j->day, x->path, AUDIT_DAY);
	manifest_lines(x, j->lines);
	if (!audit_exists(a, x->path)) {
		audit_say(a, VERDICT_DISPROVEN, x->path, "is missing, but entry %llu of the log names it.",
		    (unsigned long long)x->index);
		return 0;
	}
	return check_job(a, x, e);
}

/* "HASH  YYYY/MM/DD/<job>/original.pdf" */
#define PART_LINE (LAYOUT_PARTS_LINE - 1)

static bool
part_parse(const char *line, struct audit_part *ret)
{
	char text[PART_LINE + 1], *place = text + 2 * HASH_LEN + 2, *id = place + AUDIT_DAY + 1;

	memcpy(text, line, PART_LINE);
	text[PART_LINE] = '\0';
	if (strlen(text) != PART_LINE || memcmp(place - 2, "  ", 2) != 0 || !is_day(place) || id[-1] != '/' ||
	    strcmp(id + ID_LEN, "/" LAYOUT_PART) != 0)
		return false;
	place[-2] = id[ID_LEN] = '\0';
	memcpy(ret->id, id, ID_MAX);
	return id_valid(ret->id) && hash_from_hex(text, ret->hash) == 0;
}

static int
part_add(struct audit *a, const struct audit_part *part, struct err *e)
{
	void *p = audit_grow(a->parts, a->nparts, &a->parts_cap, sizeof(*a->parts));

	if (p == NULL)
		return err_set(e, ERR_MEM, "audit");
	a->parts = p;
	a->parts[a->nparts++] = *part;
	return 0;
}

/* That its bytes are those of the entry is seen like that of any file. */
static int
read_parts(struct audit *a, const struct entry *x, struct err *e)
{
	char path[sizeof(x->path) + sizeof("/" LAYOUT_PARTS)];
	struct audit_part part = { .id = "" };
	AUTO_BUF b = { 0 };
	int r = 0;

	snprintf(path, sizeof(path), "%s/" LAYOUT_PARTS, x->path);
	buf_init(&b, LAYOUT_PARTS_LINE * STACK_PARTS_MAX);
	if (!audit_exists(a, path) || !audit_read(a, path, &b)) /* said already, as of a file that the entry names */
		return 0;
	memcpy(part.stack, x->job, ID_MAX);
	for (size_t at = 0; r == 0 && at < b.len; at += LAYOUT_PARTS_LINE) {
		const char *line = (const char *)b.data + at;

		if (b.len - at <= PART_LINE || line[PART_LINE] != '\n' || !part_parse(line, &part)) {
			audit_say(a, VERDICT_DISPROVEN, path, "is not a list of documents.");
			return 0;
		}
		r = part_add(a, &part, e);
	}
	return r;
}

static int
divided(struct audit *a, const struct entry *x, struct audit_job *j, struct err *e)
{
	bool listed = false;
	int r;

	a->res->stacks++;
	for (uint32_t i = 0; i < x->nfiles; i++)
		listed = listed || strcmp(x->files[i].name, LAYOUT_PARTS) == 0;
	if (!listed)
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu names no list of documents.", (unsigned long long)x->index);
	r = archived_job(a, x, j, e);
	return r == 0 && listed && j->day[0] != '\0' ? read_parts(a, x, e) : r;
}

static int
final_entry(struct audit *a, const struct entry *x, struct err *e)
{
	void *p = audit_grow(a->jobs, a->njobs, &a->jobs_cap, sizeof(*a->jobs));
	struct audit_job *j;

	if (p == NULL)
		return err_set(e, ERR_MEM, "audit");
	a->jobs = p;
	j = &a->jobs[a->njobs++];
	*j = (struct audit_job){ .index = x->index, .has_source = x->has_source };
	memcpy(j->id, x->job, ID_MAX);
	memcpy(j->source, x->source_hash, HASH_LEN);
	if (x->type == ENTRY_DIVIDE)
		return divided(a, x, j, e);
	a->res->jobs += x->type == ENTRY_JOB;
	return x->type == ENTRY_JOB ? archived_job(a, x, j, e) : 0;
}

int
audit_named(struct audit *a, const struct entry *x, struct err *e)
{
	char path[sizeof("evidence/") + ENTRY_PATH_MAX];
	void *p;

	for (uint32_t i = 0; i < x->nfiles; i++) {
		snprintf(path, sizeof(path), "evidence/%s", x->files[i].name);
		audit_check(a, path, &x->files[i]);
		if ((p = audit_grow(a->names, a->nnames, &a->names_cap, sizeof(*a->names))) == NULL)
			return err_set(e, ERR_MEM, "audit");
		a->names = p;
		memcpy(a->names[a->nnames++].name, x->files[i].name, ENTRY_PATH_MAX);
	}
	return 0;
}

/* The log was put back to an older state, and a person went on: shown, and remembered for --since. */
static int
break_entry(struct audit *a, const struct entry *x, struct err *e)
{
	char why[1536], record[64] = "missing";
	void *p = audit_grow(a->breaks, a->nbreaks, &a->breaks_cap, sizeof(*a->breaks));
	struct audit_break *b;

	if (p == NULL)
		return err_set(e, ERR_MEM, "audit");
	a->breaks = p;
	b = &a->breaks[a->nbreaks++];
	*b = (struct audit_break){ .index = x->index, .disk_size = x->disk_size, .anchor_size = x->anchor_size,
		.has_anchor = x->has_anchor };
	memcpy(b->disk_root, x->disk_root, HASH_LEN);
	a->res->breaks++;
	path_display(x->text, why, sizeof(why));
	if (x->has_anchor)
		snprintf(record, sizeof(record), "at %llu", (unsigned long long)x->anchor_size);
	audit_tell(a, "evidence/log", "entry %llu says that after a restore the log went on from %llu entries, its record being "
	    "%s (user %u: %s); %u jobs entered again, %u lost, %u put aside.", (unsigned long long)x->index,
	    (unsigned long long)x->disk_size, record, x->operator_uid, why, x->again, x->lost, x->aside);
	return audit_named(a, x, e);
}

int
audit_entry(struct audit *a, uint64_t index, const void *text, size_t len, struct err *e)
{
	struct entry x;
	struct err why = { 0 };

	if (entry_parse(text, len, &x, &why) == -ERR_MEM) {
		*e = why;
		return -ERR_MEM;
	}
	if (why.code != ERR_OK) {
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu: %s.", (unsigned long long)index, why.text);
		return 0;
	}
	if (x.index != index)
		audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu says it is number %llu.",
		    (unsigned long long)index, (unsigned long long)x.index);
	for (uint32_t i = 0; i < x.nheads; i++) {
		char path[64];

		snprintf(path, sizeof(path), "evidence/checkpoints/%llu", (unsigned long long)x.heads[i]);
		if (audit_head_of(a, x.heads[i]) == NULL)
			audit_say(a, AUDIT_LOST, path, "is missing or damaged, but entry %llu lists it.",
			    (unsigned long long)index);
	}
	if (x.type == ENTRY_JOB || x.type == ENTRY_REJECT || x.type == ENTRY_WITHDRAW || x.type == ENTRY_REPEAT ||
	    x.type == ENTRY_DIVIDE)
		return final_entry(a, &x, e);
	if (x.type == ENTRY_BREAK)
		return break_entry(a, &x, e);
	if (x.type == ENTRY_BATCH || x.type == ENTRY_RENEWAL)
		return audit_record_entry(a, &x, e);
	a->res->voids += x.type == ENTRY_VOID;
	return x.type == ENTRY_CONFIG || x.type == ENTRY_KEY ? audit_named(a, &x, e) : 0;
}

/* --- what is there, against the log ---------------------------------------------------- */

static int
by_job(const void *x, const void *y)
{
	const struct audit_job *a = x, *b = y;
	int c = strcmp(a->id, b->id);

	return c != 0 ? c : a->index < b->index ? -1 : a->index > b->index;
}

static int
by_id(const void *id, const void *job)
{
	return strcmp(id, ((const struct audit_job *)job)->id);
}

/* One final entry a job. */
static void
check_finals(struct audit *a)
{
	if (a->njobs > 0)
		qsort(a->jobs, a->njobs, sizeof(*a->jobs), by_job);
	for (size_t i = 1; i < a->njobs; i++)
		if (strcmp(a->jobs[i - 1].id, a->jobs[i].id) == 0)
			audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entries %llu and %llu both end job %s.",
			    (unsigned long long)a->jobs[i - 1].index, (unsigned long long)a->jobs[i].index, a->jobs[i].id);
}

static const struct audit_job *
job_of(const struct audit *a, const char *id)
{
	return a->njobs == 0 ? NULL : bsearch(id, a->jobs, a->njobs, sizeof(*a->jobs), by_id);
}

static int
by_part(const void *x, const void *y)
{
	return strcmp(((const struct audit_part *)x)->id, ((const struct audit_part *)y)->id);
}

/* One that was not sealed yet may be held for weeks; what its entry says it was made from must be what the stack lists. */
static void
check_parts(struct audit *a)
{
	if (a->nparts > 0)
		qsort(a->parts, a->nparts, sizeof(*a->parts), by_part);
	for (size_t i = 0; i < a->nparts; i++) {
		const struct audit_part *p = &a->parts[i];
		const struct audit_job *j = job_of(a, p->id);

		if (i > 0 && strcmp(p[-1].id, p->id) == 0)
			audit_say(a, VERDICT_DISPROVEN, "evidence/log", "stacks %s and %s both list document %s.", p[-1].stack, p->stack,
			    p->id);
		if (j == NULL && a->whole) {
			if (a->res->unended++ == 0)
				memcpy(a->res->unended_id, p->id, ID_MAX);
		} else if (j != NULL && (!j->has_source || memcmp(j->source, p->hash, HASH_LEN) != 0)) {
			audit_say(a, VERDICT_DISPROVEN, "evidence/log", "entry %llu is about other bytes of document %s than stack %s lists.",
			    (unsigned long long)j->index, p->id, p->stack);
		}
	}
}

/* Lines of one job from *at on: their end, and the job's id. NULL: not a manifest. */
static const char *
manifest_group(const char *at, const char *end, char id[ID_MAX])
{
	const size_t skip = 2 * HASH_LEN + 2;
	const char *lf;

	id[0] = '\0';
	for (; at < end; at = lf + 1) {
		lf = memchr(at, '\n', (size_t)(end - at));
		if (lf == NULL || (size_t)(lf - at) < skip + ID_LEN + 2 || at[skip + ID_LEN] != '/')
			return NULL;
		if (id[0] != '\0' && memcmp(id, at + skip, ID_LEN) != 0)
			break;
		memcpy(id, at + skip, ID_LEN);
		id[ID_LEN] = '\0';
	}
	return at;
}

/* Each job of the day has its lines there, and nobody else has. */
static void
check_manifest(struct audit *a, const char *day, size_t jobs)
{
	char path[AUDIT_DAY + 32], id[ID_MAX], before[ID_MAX] = "";
	const char *at, *next, *end;
	AUTO_BUF b = { 0 };
	size_t seen = 0;

	snprintf(path, sizeof(path), "%s/" MANIFEST, day);
	buf_init(&b, MANIFEST_MAX);
	if (!audit_read(a, path, &b))
		return;
	at = b.len > 0 ? (const char *)b.data : "";
	end = at + b.len;
	for (; at < end; at = next, seen++) {
		const struct audit_job *j;
		uint8_t hash[HASH_LEN];

		if ((next = manifest_group(at, end, id)) == NULL || strcmp(id, before) <= 0) {
			audit_say(a, VERDICT_DISPROVEN, path, "is not a list of hashes and files.");
			return;
		}
		memcpy(before, id, sizeof(before));
		hash_bytes(at, (size_t)(next - at), hash);
		j = job_of(a, id);
		if (j == NULL || strcmp(j->day, day) != 0 || memcmp(j->lines, hash, HASH_LEN) != 0) {
			audit_say(a, VERDICT_DISPROVEN, path, "says something else about %s than the log.", id);
			return;
		}
	}
	if (seen != jobs)
		audit_say(a, AUDIT_LOST, path, "names %zu documents, the log %zu of this day.", seen, jobs);
}

/* The directories of one day: each must be in the log. */
static int
walk_day(struct audit *a, const char *day, struct err *e)
{
	struct audit_list l;
	size_t known = 0, strange = 0;
	char path[64 + 256];
	int r = audit_list(a, day, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		const struct audit_job *j = job_of(a, l.v[i]);

		snprintf(path, sizeof(path), "%s/%s", day, l.v[i]);
		if (strcmp(l.v[i], MANIFEST) == 0)
			continue;
		if (j != NULL && strcmp(j->day, day) == 0) {
			known++;
			continue;
		}
		strange++;
		if (!a->whole)
			continue; /* its entry may be among those that could not be read */
		if (id_valid(l.v[i]))
			audit_say(a, VERDICT_DISPROVEN, path,
			    "is not in the log (of a copy made while sealroom was running: copy it again).");
		else
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong here.");
	}
	free(l.v);
	if (r == 0 && a->whole && strange == 0)
		check_manifest(a, day, known);
	return r;
}

static bool
digits(const char *s, size_t n)
{
	return strlen(s) == n && strspn(s, "0123456789") == n;
}

/* Below YYYY or YYYY/MM: down to the days. */
static int
walk_dates(struct audit *a, const char *above, struct err *e)
{
	char path[64 + 256], down[AUDIT_DAY + 1];
	struct audit_list l;
	int r = audit_list(a, above, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		snprintf(path, sizeof(path), "%.7s/%s", above, l.v[i]);
		snprintf(down, sizeof(down), "%.7s/%.2s", above, l.v[i]);
		if (!digits(l.v[i], 2))
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong here.");
		else
			r = strlen(down) == AUDIT_DAY ? walk_day(a, down, e) : walk_dates(a, down, e);
	}
	free(l.v);
	return r;
}

static int
walk_root(struct audit *a, struct err *e)
{
	static const char *const known[] = { "README.txt", "FORMAT", "evidence", ".new", "lost+found" };
	struct audit_list l, orphans;
	int r = audit_list(a, ".", &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) && strcmp(known[k], l.v[i]) != 0)
			k++;
		if (k < sizeof(known) / sizeof(known[0]))
			continue;
		if (digits(l.v[i], 4)) {
			r = walk_dates(a, l.v[i], e);
		} else if (strcmp(l.v[i], ".orphans") != 0) {
			audit_say(a, VERDICT_DISPROVEN, l.v[i], "does not belong here.");
		} else if ((r = audit_list(a, ".orphans", &orphans, e)) == 0) {
			if (orphans.n > 0)
				audit_say(a, VERDICT_UNKNOWN, ".orphans", "holds %zu directories that no entry of the log proves.",
				    orphans.n);
			free(orphans.v);
		}
	}
	free(l.v);
	return r;
}

/* --- evidence/ beside the log ------------------------------------------------------------ */

/* "<sha256>.conf" with these bytes: kept for an entry that a crash prevented. */
static bool
names_itself(struct audit *a, const char *path, const char *name)
{
	char hex[HASH_HEX + 5];
	uint8_t hash[HASH_LEN];
	struct err e = { 0 };
	AUTO_FD fd = audit_file(a, path);

	if (fd < 0 || hash_fd(fd, 0, UINT64_MAX, hash, &e) < 0)
		return false;
	hash_hex(hash, hex);
	memcpy(hex + 2 * HASH_LEN, ".conf", sizeof(".conf"));
	return strcmp(hex, name) == 0;
}

static int
check_kept(struct audit *a, const char *dir, struct err *e)
{
	char path[64 + 256];
	struct audit_list l;
	int r;

	snprintf(path, sizeof(path), "evidence/%s", dir);
	if ((r = audit_list(a, path, &l, e)) < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		snprintf(path, sizeof(path), "evidence/%s/%s", dir, l.v[i]);
		/* the log's key proves itself by every checkpoint */
		if (strcmp(path, "evidence/trust/log.vkey") == 0 ||
		    (a->nnames > 0 && bsearch(path + strlen("evidence/"), a->names, a->nnames, sizeof(*a->names), by_name) != NULL) ||
		    names_itself(a, path, l.v[i]))
			continue;
		audit_say(a, VERDICT_UNKNOWN, path, "is not named by the log.");
	}
	free(l.v);
	return 0;
}

static int
walk_evidence(struct audit *a, struct err *e)
{
	static const char *const known[] = { "checkpoints", "config", "er", "journal", "log", "trust" };
	static const char *const in_log[] = { "checkpoint", "tile" };
	struct audit_list l;
	char path[64 + 256];
	int r;

	if (a->nnames > 0)
		qsort(a->names, a->nnames, sizeof(*a->names), by_name);
	if ((r = audit_list(a, "evidence", &l, e)) < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		size_t k = 0;

		while (k < 6 && strcmp(known[k], l.v[i]) != 0)
			k++;
		snprintf(path, sizeof(path), "evidence/%s", l.v[i]);
		if (k == 6)
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong here.");
	}
	free(l.v);
	if ((r = audit_list(a, "evidence/log", &l, e)) < 0)
		return r;
	for (size_t i = 0; i < l.n; i++) {
		snprintf(path, sizeof(path), "evidence/log/%s", l.v[i]);
		if (strcmp(l.v[i], in_log[0]) != 0 && strcmp(l.v[i], in_log[1]) != 0)
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong here.");
	}
	free(l.v);
	if (!a->whole)
		return 0;
	return (r = check_kept(a, "config", e)) < 0 ? r : check_kept(a, "trust", e);
}

static bool
same_text(const struct buf *b, const char *text)
{
	return b->len == strlen(text) && memcmp(b->data, text, b->len) == 0;
}

static void
check_layout(struct audit *a)
{
	unsigned format = LAYOUT_NEWEST;
	const char *readme;
	AUTO_BUF b = { 0 };

	buf_init(&b, AUDIT_TEXT_MAX);
	if (audit_read(a, "FORMAT", &b) &&
	    ((format = format_number(b.data, b.len, LAYOUT_NAME)) == 0 || format > LAYOUT_NEWEST)) {
		audit_say(a, VERDICT_UNKNOWN, "FORMAT", "is none that this release knows; the newest it knows is "
		    LAYOUT_FORMAT_NAME ".");
		format = LAYOUT_NEWEST;
	}
	if (!audit_read(a, "README.txt", &b))
		return;
	/* the text is replaced before the name: a later one is a replacement that was cut short */
	for (readme = layout_readme(format); format < LAYOUT_NEWEST && !same_text(&b, readme);)
		readme = layout_readme(++format);
	if (!same_text(&b, readme))
		audit_say(a, VERDICT_DISPROVEN, "README.txt", "is not the text of this format.");
}

static int
audit_all(struct audit *a, struct err *e)
{
	int r;

	check_layout(a);
	if ((r = audit_log(a, e)) < 0)
		return r;
	check_finals(a);
	check_parts(a);
	if ((r = walk_evidence(a, e)) < 0 || (r = audit_records(a, e)) < 0)
		return r;
	return walk_root(a, e);
}

int
audit_run(int dir, const struct audit_options *opt, audit_found *found, void *ctx, struct audit_result *ret,
    struct err *e)
{
	struct audit a = { .dir = dir, .opt = opt, .found = found, .ctx = ctx, .res = ret };
	int r;

	*ret = (struct audit_result){ .verdict = VERDICT_PROVEN };
	if ((r = audit_begin(&a, e)) < 0)
		return r;
	if (!audit_exists(&a, "FORMAT") && !audit_exists(&a, "evidence"))
		r = err_set(e, ERR_ARCHIVE, "no archive of sealroom: it has neither FORMAT nor evidence");
	else
		r = audit_all(&a, e);
	audit_end(&a);
	free(a.heads);
	free(a.jobs);
	free(a.parts);
	free(a.names);
	free(a.breaks);
	free(a.records);
	return r;
}
