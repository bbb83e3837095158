#include <assert.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/fold.h"
#include "rules/rules.h"

#include "agent/deliver.h"
#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/messages.h"
#include "agent/ticket.h"

#define BLOCK (256u * 1024)
#define FILES_MAX 6        /* original, note, picture, page, ticket, result */
#define RECORD_TEXT_MAX (512u * 1024)
#define SAME_NAME_MAX 9999 /* "Brief (9999).pdf" */
#define NOTE_MAX 16384
#define FOLDED_MAX 1024

struct file {
	const char *from;          /* in the job's directory; NULL: the note, or the result */
	const char *ending;        /* of the companion: "", ".txt", ".png", ".ticket", ".json" */
	char name[SPOOL_NAME_MAX]; /* in the folder */
};

struct deliver {
	struct loop *loop;
	uint64_t timer;
	deliver_cb *cb;
	void *ctx;
	int (*turn)(struct deliver *, struct err *); /* 1: all done, 0: go on, -code */

	enum deliver_kind kind;
	const struct conf_folder *folder;
	struct claim claim;
	int hot, job;
	char wanted[MSG_TEXT_MAX], word[MSG_TEXT_MAX], say[MSG_TEXT_MAX];
	struct err why;

	int target;                /* done, error, held or work */
	struct file file[FILES_MAX];
	size_t nfiles, at_file;
	char *note;                /* text of NAME.txt */
	json_t *json;              /* the result, for its text */
	char *result;              /* text of NAME.json; NULL: none */
	int sealed;                /* directory of sealed.pdf */
	bool chosen_now;           /* the names were chosen in this run: what stands there is not ours */
	bool placing;              /* a temporary file of ours stands in the target */

	int ours, theirs;          /* what is compared or copied, from 'at' on */
	uint64_t at, size;
	struct hash *hash;
	bool moved;                /* RELEASE: what lies at H/name is another delivery */
	bool second_place;         /* looking at H/name */
	bool aside;                /* what was found there, or in work/, has our own name already */
	struct hot_stamp stamp;    /* of it, when it was opened */
	enum hot_lease lease;      /* on it */
};

static int next_file(struct deliver *, struct err *);
static int step_compare(struct deliver *, struct err *);
static int step_copy(struct deliver *, struct err *);

/* --- names ------------------------------------------------------------------------------- */

static const char *
sub_word(const struct deliver *d)
{
	return d->kind == DELIVER_RESULT ? d->folder->word_done :
	    d->kind == DELIVER_REFUSED   ? d->folder->word_error :
	                                   d->folder->word_held;
}

static const char *
record_name(const struct deliver *d)
{
	return d->kind == DELIVER_RESULT ? "delivered-done" :
	    d->kind == DELIVER_REFUSED   ? "delivered-error" :
	                                   "delivered-held";
}

/* Where the suffix begins: letters and digits behind the last dot; "Nr. 5" has none. */
static size_t
suffix_at(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t n = strlen(name);

	if (dot == NULL || dot == name || dot[1] == '\0' || strlen(dot) > 6)
		return n;
	for (const char *p = dot + 1; *p; p++)
		if (!isalnum((unsigned char)*p))
			return n;
	return (size_t)(dot - name);
}

/* The name before it is made unique. */
static void
base_name(const struct deliver *d, char *dst, size_t size)
{
	char shown[3 * SPOOL_NAME_MAX], name[4 * SPOOL_NAME_MAX];

	path_display(d->claim.name, shown, sizeof(shown));
	if (d->kind != DELIVER_RESULT) {
		name_legal(shown, dst, size);
		return;
	}
	if (d->wanted[0] != '\0')
		path_display(d->wanted, shown, sizeof(shown));
	if (strcasecmp(shown + suffix_at(shown), ".pdf") == 0 || d->wanted[0] == '\0')
		shown[suffix_at(shown)] = '\0';
	snprintf(name, sizeof(name), "%s.pdf", shown);
	name_legal(name, dst, size);
}

/* Is 'entry' this set's name number k?  stem, suffix and entry are folded. Returns k, 0: no. */
static unsigned
name_number(const struct deliver *d, const char *stem, const char *suffix, const char *entry)
{
	unsigned long k = 1;
	size_t n = strlen(suffix);
	char *end;

	if (strncmp(entry, stem, strlen(stem)) != 0)
		return 0;
	entry += strlen(stem);
	if (strncmp(entry, " (", 2) == 0 && isdigit((unsigned char)entry[2])) {
		k = strtoul(entry + 2, &end, 10);
		if (*end != ')' || k > SAME_NAME_MAX)
			return 0;
		entry = end + 1;
	}
	if (strncmp(entry, suffix, n) != 0)
		return 0;
	for (size_t i = 0; i < d->nfiles; i++)
		if (strcmp(entry + n, d->file[i].ending) == 0)
			return (unsigned)k;
	return 0;
}

/* Which numbers are taken, in any spelling of case and accents: one pass over the folder. */
static int
names_taken(const struct deliver *d, const char *stem, const char *suffix, uint8_t taken[SAME_NAME_MAX + 1],
    struct err *e)
{
	char s[FOLDED_MAX], x[FOLDED_MAX], entry[FOLDED_MAX];
	int fd = openat(d->target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct dirent *de;
	DIR *dir;

	if (fd < 0 || (dir = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "reading the folder %s", sub_word(d));
	}
	fold_text(stem, s, sizeof(s));
	fold_text(suffix, x, sizeof(x));
	while ((errno = 0, de = readdir(dir)) != NULL) {
		fold_text(de->d_name, entry, sizeof(entry));
		taken[name_number(d, s, x, entry)] = 1;
	}
	r = errno != 0 ? err_sys(e, ERR_IO, "reading the folder %s", sub_word(d)) : 0;
	closedir(dir);
	return r;
}

/* One number for the whole set, so that note and picture stand beside their document. */
static int
choose_names(struct deliver *d, struct err *e)
{
	AUTO_FREE uint8_t *taken = calloc(SAME_NAME_MAX + 1, 1);
	char base[SPOOL_NAME_MAX], stem[SPOOL_NAME_MAX], number[16] = "";
	unsigned k = 1;
	int r;

	if (taken == NULL)
		return err_sys(e, ERR_MEM, "names");
	base_name(d, base, sizeof(base));
	memcpy(stem, base, sizeof(stem));
	stem[suffix_at(base)] = '\0';
	if ((r = names_taken(d, stem, base + suffix_at(base), taken, e)) < 0)
		return r;
	while (k <= SAME_NAME_MAX && taken[k])
		k++;
	if (k > SAME_NAME_MAX)
		return err_set(e, ERR_IO, "the folder %s holds %d files of the same name", sub_word(d), SAME_NAME_MAX);
	if (k > 1)
		snprintf(number, sizeof(number), " (%u)", k);
	for (size_t i = 0; i < d->nfiles; i++) {
		r = snprintf(d->file[i].name, sizeof(d->file[i].name), "%s%s%s%s", stem, number,
		    base + suffix_at(base), d->file[i].ending);
		if (r < 0 || (size_t)r >= sizeof(d->file[i].name))
			return err_set(e, ERR_IO, "name is too long to be delivered");
	}
	d->chosen_now = true;
	return 0;
}

/* --- the record in the job --------------------------------------------------------------- */

static json_t *
record_json(const struct deliver *d)
{
	json_t *names = json_array();

	for (size_t i = 0; i < d->nfiles; i++)
		json_add(&names, json_string(d->file[i].name));
	return names == NULL ? NULL : json_pack("{s:i, s:o, s:s, s:s*}", "v", 1, "names", names, "note", d->note != NULL ? d->note : "", "json",
	    d->result);
}

/* The result names the document beside which it lies. */
static int
make_result(struct deliver *d, struct err *e)
{
	if (d->json == NULL)
		return 0;
	free(d->result);
	d->result = json_object_set_new(d->json, "file", json_string(d->file[0].name)) < 0 ? NULL : json_text(d->json, JSON_INDENT(1));
	return d->result == NULL ? err_set(e, ERR_MEM, "result") : 0;
}

/* Replaced only when somebody took a name between our choice and our file. */
static int
record_write(struct deliver *d, struct err *e)
{
	AUTO_FREE char *text = NULL;
	json_t *j;
	int r;

	if ((r = make_result(d, e)) < 0)
		return r;
	j = record_json(d);
	text = j != NULL ? json_text(j, JSON_INDENT(1)) : NULL;
	json_decref(j);
	if (text == NULL)
		return err_set(e, ERR_MEM, "record of a delivery");
	return io_replace(d->job, record_name(d), text, strlen(text), 0600, e);
}

static int
record_parse(struct deliver *d, const struct buf *b)
{
	json_t *j = json_loadb((const char *)b->data, b->len, 0, NULL), *names = NULL;
	const char *note = NULL, *name, *result = NULL;
	int v = 0, r = -1;

	if (j != NULL && json_unpack(j, "{s:i, s:o, s:s, s?s}", "v", &v, "names", &names, "note", &note, "json", &result) == 0 &&
	    v == 1 &&
	    json_array_size(names) > 0 && json_array_size(names) <= FILES_MAX) {
		d->nfiles = json_array_size(names);
		free(d->note);
		free(d->result);
		d->note = strdup(note);
		d->result = result != NULL ? strdup(result) : NULL;
		r = d->note != NULL && (result == NULL || d->result != NULL) ? 0 : -1;
		for (size_t i = 0; i < d->nfiles; i++) {
			name = json_string_value(json_array_get(names, i));
			if (name == NULL || *name == '\0' || strchr(name, '/') != NULL ||
			    strlen(name) >= sizeof(d->file[i].name))
				r = -1;
			else
				strcpy(d->file[i].name, name);
		}
	}
	json_decref(j);
	return r;
}

/* 1: read, 0: there is none, -code. */
static int
record_read(struct deliver *d, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, RECORD_TEXT_MAX);
	if (!io_exists(d->job, record_name(d)))
		return 0;
	if (record_get(d->job, record_name(d), &b, e) < 0)
		return -(int)e->code;
	if (record_parse(d, &b) < 0)
		return err_set(e, ERR_IO, "record %s is damaged", record_name(d));
	return 1;
}

static int
make_note(struct deliver *d, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, NOTE_MAX);
	r = message_file(&b, d->kind == DELIVER_HELD ? MESSAGE_HELD : MESSAGE_REFUSED, d->folder->language, &d->claim,
	    &d->why, d->word, d->say, e);
	if (r < 0)
		return r;
	d->note = buf_take_text(&b);
	return d->note == NULL ? err_set(e, ERR_MEM, "note") : 0;
}

/* --- beginning --------------------------------------------------------------------------- */

static void
list_file(struct deliver *d, size_t *n, const char *from, const char *ending)
{
	d->file[*n].from = from;
	d->file[(*n)++].ending = ending;
}

/* After the record was read, which knows whether there was a result. */
static void
list_files(struct deliver *d)
{
	size_t n = 0;

	if (d->kind == DELIVER_RESULT) {
		list_file(d, &n, "sealed.pdf", "");
	} else {
		list_file(d, &n, "source", "");
		list_file(d, &n, NULL, ".txt");
		if (d->kind != DELIVER_REFUSED && io_exists(d->job, DELIVER_PICTURE))
			list_file(d, &n, DELIVER_PICTURE, ".png");
		if (d->kind != DELIVER_REFUSED && io_exists(d->job, DELIVER_PAGE))
			list_file(d, &n, DELIVER_PAGE, ".html");
		/* one that was too long was left in the folder */
		if (d->claim.ticket.has && d->claim.ticket.size <= TICKET_MAX)
			list_file(d, &n, "ticket", TICKET_SUFFIX);
	}
	if (d->json != NULL || d->result != NULL)
		list_file(d, &n, NULL, ".json");
	if (d->nfiles == 0 || d->nfiles > n)
		d->nfiles = n; /* a record of an earlier release has fewer */
}

static int
prepare(struct deliver *d, struct err *e)
{
	int r;

	if ((d->target = hot_open_sub(d->hot, sub_word(d), e)) < 0)
		return d->target;
	if ((r = record_read(d, e)) < 0)
		return r;
	list_files(d);
	if (r == 0) {
		if (d->kind == DELIVER_UNHOLD)
			return 1; /* nothing was put there, or all is back already */
		if ((d->kind != DELIVER_RESULT && (r = make_note(d, e)) < 0) || (r = choose_names(d, e)) < 0 ||
		    (r = record_write(d, e)) < 0)
			return r;
	}
	d->turn = next_file;
	return 0;
}

/* --- one file after the other ------------------------------------------------------------ */

static void
temp_name(const struct deliver *d, char dst[64])
{
	snprintf(dst, 64, ".sealroom-%s", d->claim.id);
}

static int
open_ours(struct deliver *d, const struct file *f, struct err *e)
{
	const char *text = strcmp(f->ending, ".json") == 0 ? d->result : d->note;

	io_close(&d->ours);
	if (f->from == NULL)
		d->ours = io_memfd("note", text, strlen(text), e);
	else if ((d->ours = openat(d->kind == DELIVER_RESULT && d->sealed >= 0 ? d->sealed : d->job, f->from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "job's %s", f->from);
	if (d->ours < 0)
		return d->ours;
	d->at = 0;
	return io_size(d->ours, &d->size, e);
}

/* 1: a file of another size, or nothing that we would have put there; 0: to be compared. */
static int
open_theirs(struct deliver *d, const struct file *f, struct err *e)
{
	struct stat st;
	struct err odd = { 0 };

	io_close(&d->theirs);
	if ((d->theirs = hot_open_file(d->target, f->name, &st, &odd)) >= 0)
		return (uint64_t)st.st_size != d->size;
	if (errno == ELOOP || errno == EINVAL || errno == EACCES || errno == EPERM)
		return 1;
	*e = odd;
	return -(int)odd.code;
}

static int
begin_copy(struct deliver *d, struct err *e)
{
	char temp[64];
	int r;

	temp_name(d, temp);
	if ((r = io_unlink(d->target, temp, e)) < 0)
		return r;
	io_close(&d->theirs);
	d->theirs = openat(d->target, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->theirs < 0)
		return err_sys(e, ERR_IO, "writing to the folder %s", sub_word(d));
	d->placing = true;
	d->turn = step_copy;
	return 0;
}

/* The name is somebody else's: the whole set gets another number, a single companion its own. */
static int
other_name(struct deliver *d, struct err *e)
{
	char name[SPOOL_NAME_MAX];
	struct file *f = &d->file[d->at_file];
	int r = 0, stem;

	if (d->at_file == 0) {
		r = choose_names(d, e);
	} else {
		memcpy(name, f->name, sizeof(name));
		stem = (int)suffix_at(name);
		for (int k = 2; r == 0 && k <= SAME_NAME_MAX && io_exists(d->target, f->name); k++)
			if (snprintf(f->name, sizeof(f->name), "%.*s (%d)%s", stem, name, k, name + stem) >=
			    (int)sizeof(f->name))
				r = err_set(e, ERR_IO, "name is too long to be delivered");
	}
	return r < 0 ? r : record_write(d, e);
}

/* All files are where they belong. */
static int
end_files(struct deliver *d, struct err *e)
{
	int r;

	if ((r = io_sync(d->target, e)) < 0 || d->kind != DELIVER_UNHOLD)
		return r < 0 ? r : 1;
	if ((r = io_unlink(d->job, record_name(d), e)) < 0 || (r = io_sync(d->job, e)) < 0)
		return r;
	return 1;
}

static int
next_file(struct deliver *d, struct err *e)
{
	struct file *f = &d->file[d->at_file];
	int r;

	if (d->at_file == d->nfiles)
		return end_files(d, e);
	if ((r = open_ours(d, f, e)) < 0)
		return r;
	if (!io_exists(d->target, f->name)) {
		if (d->kind != DELIVER_UNHOLD)
			return begin_copy(d, e);
		d->at_file++;
		return 0;
	}
	if (d->chosen_now && d->kind != DELIVER_UNHOLD)
		return other_name(d, e);
	if ((r = open_theirs(d, f, e)) == 0)
		d->turn = step_compare;
	else if (r > 0 && d->kind == DELIVER_UNHOLD)
		d->at_file++; /* somebody works with it: theirs now */
	else if (r > 0)
		return other_name(d, e);
	return r < 0 ? r : 0;
}

/* --- steps: at most DELIVER_STEP bytes a turn -------------------------------------------- */

static int
compared(struct deliver *d, bool same, struct err *e)
{
	struct file *f = &d->file[d->at_file];

	d->turn = next_file;
	if (d->kind == DELIVER_UNHOLD) {
		d->at_file++;
		return same ? io_unlink(d->target, f->name, e) : 0;
	}
	if (!same)
		return other_name(d, e);
	d->at_file++; /* put there before a crash */
	return 0;
}

static int
step_compare(struct deliver *d, struct err *e)
{
	static uint8_t a[BLOCK], b[BLOCK];
	uint64_t stop = d->size - d->at > DELIVER_STEP ? d->at + DELIVER_STEP : d->size;
	int r;

	while (d->at < stop) {
		size_t n = stop - d->at < BLOCK ? (size_t)(stop - d->at) : BLOCK;

		if ((r = io_pread_full(d->ours, a, n, d->at, e)) < 0 || (r = io_pread_full(d->theirs, b, n, d->at, e)) < 0)
			return r;
		if (memcmp(a, b, n) != 0)
			return compared(d, false, e);
		d->at += n;
	}
	return d->at == d->size ? compared(d, true, e) : 0;
}

static int
publish(struct deliver *d, struct err *e)
{
	struct file *f = &d->file[d->at_file];
	char temp[64];
	int r;

	/* after the copy, so that nobody reads half a file; a default ACL gets its mask back */
	if (fchmod(d->theirs, d->folder->give_mode) < 0)
		return err_sys(e, ERR_IO, "mode of a file in %s", sub_word(d));
	if ((r = io_sync(d->theirs, e)) < 0)
		return r;
	if (close(take_fd(&d->theirs)) < 0)
		return err_sys(e, ERR_IO, "closing a file in %s", sub_word(d));
	temp_name(d, temp);
	d->turn = next_file;
	if (hot_publish(d->target, temp, f->name) < 0) {
		if (errno != EEXIST)
			return err_sys(e, ERR_IO, "naming a file in %s", sub_word(d));
		return other_name(d, e); /* taken in this very moment */
	}
	d->placing = false;
	d->at_file++;
	return 0;
}

static int
step_copy(struct deliver *d, struct err *e)
{
	uint64_t n = d->size - d->at < DELIVER_STEP ? d->size - d->at : DELIVER_STEP;
	int r;

	if ((r = io_copy(d->ours, d->at, n, d->theirs, NULL, e)) < 0)
		return r;
	d->at += n;
	return d->at == d->size ? publish(d, e) : io_flush_behind(d->theirs, d->at, DELIVER_STEP, e);
}

/* --- releasing the sender's copy --------------------------------------------------------- */

static int open_release(struct deliver *, struct err *);
static int step_release(struct deliver *, struct err *);

static const char *
release_name(const struct deliver *d)
{
	return d->second_place ? d->claim.name : d->claim.work_name;
}

/* A name that nobody else uses: what is looked at there is what is removed. A crash may leave the file under it. */
static void
aside_name(const struct deliver *d, char dst[64])
{
	snprintf(dst, 64, ".sealroom-release-%s", d->claim.id);
}

static int
elsewhere(struct deliver *d)
{
	if (d->second_place || d->moved)
		return 1;
	d->second_place = true;
	d->turn = open_release;
	return 0;
}

/* Gone, or no longer a file: that is another thing now, and not ours to remove. */
static bool
means_gone(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EINVAL || error == EXDEV;
}

/* What is not what was claimed is a delivery like any other; in work/, or under our name, nobody would ever take it. */
static int
give_back(struct deliver *d, struct err *e)
{
	char name[64], to[NAME_MAX + 1], shown[3 * SPOOL_NAME_MAX];
	int r;

	aside_name(d, name);
	hot_free_name(d->hot, d->claim.name, NULL, NULL, to);
	if (to[0] == '\0')
		return err_set(e, ERR_IO, "the folder has too many files of one name");
	if (hot_rename(d->target, d->aside ? name : release_name(d), d->hot, to) < 0)
		return means_gone(errno) ? elsewhere(d) : err_sys(e, ERR_IO, "giving a file back to the folder");
	path_display(to, shown, sizeof(shown));
	journal_line(LOG_WARNING, &(struct about){ .job = d->claim.id, .folder = d->folder->name },
	    "folder %s: job %s: its file was changed after it was taken: back in the folder as %s, to be taken anew",
	    d->folder->name, d->claim.id, shown);
	if ((r = io_sync(d->hot, e)) < 0 || (r = io_sync(d->target, e)) < 0)
		return r;
	return elsewhere(d);
}

static int
not_claimed(struct deliver *d, struct err *e)
{
	return d->second_place && !d->aside ? elsewhere(d) : give_back(d, e);
}

static int
open_source(struct deliver *d, struct stat *st, struct err *e)
{
	char aside[64];
	int fd;

	aside_name(d, aside);
	fd = hot_open_file(d->target, aside, st, e);
	d->aside = fd >= 0;
	return fd >= 0 || errno != ENOENT ? fd : hot_open_file(d->target, release_name(d), st, e);
}

static int
open_release(struct deliver *d, struct err *e)
{
	struct stat st;

	io_close(&d->target);
	io_close(&d->theirs);
	if (release_name(d)[0] == '\0')
		return elsewhere(d);
	d->target = path_open(d->hot, d->second_place ? "." : d->folder->word_work, O_RDONLY | O_DIRECTORY);
	if (d->target < 0)
		return means_gone(errno) ? elsewhere(d) : err_sys(e, ERR_IO, "opening the folder");
	if ((d->theirs = open_source(d, &st, e)) < 0)
		return means_gone(errno) ? elsewhere(d) : -(int)e->code;
	hot_stamp(&st, &d->stamp);
	if (d->stamp.size != d->claim.size || d->stamp.mtime_ns != d->claim.mtime_ns)
		return not_claimed(d, e);
	if ((d->lease = hot_lease(d->theirs)) == HOT_WRITER)
		return err_set(e, ERR_LATER, "the sender's file is open for writing");
	hash_free(d->hash);
	d->hash = hash_open();
	d->at = 0;
	d->size = d->stamp.size;
	d->turn = step_release;
	return 0;
}

/* Since it was opened; our own rename changes ctime. */
static bool
is_changed(const struct deliver *d, const struct stat *st, bool renamed)
{
	struct hot_stamp now;

	hot_stamp(st, &now);
	if (renamed)
		now.ctime_ns = d->stamp.ctime_ns;
	return !hot_same(&now, &d->stamp);
}

static bool
is_wanted(const struct deliver *d)
{
	return d->lease == HOT_QUIET && hot_lease_broken(d->theirs);
}

/* Nobody is left the time to put other bytes there: what is removed is what was hashed. */
static int
remove_source(struct deliver *d, struct err *e)
{
	char aside[64];
	struct stat st;

	if (fstat(d->theirs, &st) < 0)
		return err_sys(e, ERR_IO, "looking at the source");
	if (is_changed(d, &st, false))
		return err_set(e, ERR_LATER, "the sender's file was changed just now");
	aside_name(d, aside);
	if (!d->aside && hot_rename(d->target, release_name(d), d->target, aside) < 0)
		return means_gone(errno) ? elsewhere(d) : err_sys(e, ERR_IO, "removing the source from the folder");
	d->aside = true;
	if (fstatat(d->target, aside, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return means_gone(errno) ? elsewhere(d) : err_sys(e, ERR_IO, "looking for the source");
	if (is_changed(d, &st, true) || is_wanted(d))
		return give_back(d, e); /* replaced while we read, or about to be written */
	if (unlinkat(d->target, aside, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "removing the source from the folder");
	return fsync(d->target) < 0 ? err_sys(e, ERR_IO, "fsync of the folder") : 1;
}

static int
step_release(struct deliver *d, struct err *e)
{
	static uint8_t block[BLOCK];
	uint64_t stop = d->size - d->at > DELIVER_STEP ? d->at + DELIVER_STEP : d->size;
	uint8_t hash[HASH_LEN];
	ssize_t n = 1;

	if (is_wanted(d))
		return err_set(e, ERR_LATER, "a program wants to write to the sender's file");
	while (d->at < stop) {
		size_t want = stop - d->at < BLOCK ? (size_t)(stop - d->at) : BLOCK;

		if ((n = pread(d->theirs, block, want, (off_t)d->at)) < 0)
			return err_sys(e, ERR_IO, "reading the source");
		if (n == 0)
			break; /* became shorter: another file now */
		hash_add(d->hash, block, (size_t)n);
		d->at += (uint64_t)n;
	}
	if (d->at < d->size && n > 0)
		return 0;
	hash_final(d->hash, hash);
	d->hash = NULL;
	if (d->at < d->size || memcmp(hash, d->claim.hash, HASH_LEN) != 0)
		return not_claimed(d, e);
	return remove_source(d, e);
}

/* --- what was given ---------------------------------------------------------------------- */

int
deliver_names(int job_dir, enum deliver_kind kind, struct deliver_names *ret, struct err *e)
{
	AUTO_FREE struct deliver *d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL)
		return err_sys(e, ERR_MEM, "delivery");
	d->job = job_dir;
	d->kind = kind;
	if ((r = record_read(d, e)) == 1) {
		memset(ret, 0, sizeof(*ret));
		memcpy(ret->document, d->file[0].name, SPOOL_NAME_MAX);
		if (kind == DELIVER_RESULT && d->result != NULL && d->nfiles > 1) {
			memcpy(ret->json, d->file[1].name, SPOOL_NAME_MAX);
			hash_bytes(d->result, strlen(d->result), ret->json_hash);
		}
	}
	free(d->note);
	free(d->result);
	return r < 0 ? r : r == 1 ? 0 : err_set(e, ERR_IO, "job has no record of what was given");
}

/* --- for the caller ---------------------------------------------------------------------- */

static void
deliver_free(struct deliver *d)
{
	char temp[64];

	loop_timer_del(d->loop, d->timer);
	if (d->placing) {
		temp_name(d, temp);
		unlinkat(d->target, temp, 0); /* if not now, then when it is tried again */
	}
	hash_free(d->hash);
	io_close(&d->ours);
	io_close(&d->theirs);
	io_close(&d->target);
	io_close(&d->sealed);
	io_close(&d->job);
	io_close(&d->hot);
	json_decref(d->json);
	free(d->result);
	free(d->note);
	free(d);
}

static void
on_turn(void *ctx)
{
	struct deliver *d = ctx;
	deliver_cb *cb = d->cb;
	void *cb_ctx = d->ctx;
	struct err e = { 0 };
	int r, saved;

	d->timer = 0;
	if ((r = d->turn(d, &e)) == 0) {
		d->timer = d->at >= DELIVER_STEP ? loop_behind(d->loop, on_turn, d) : loop_timer(d->loop, 0, on_turn, d);
		return;
	}
	saved = errno;
	deliver_free(d);
	errno = saved;
	cb(cb_ctx, r < 0 ? &e : NULL);
}

static void
copy_text(char *dst, size_t size, const char *text)
{
	size_t n = text != NULL ? strnlen(text, size - 1) : 0;

	if (n > 0)
		memcpy(dst, text, n);
	dst[n] = '\0';
}

int
deliver_begin(struct deliver **ret, struct loop *loop, const struct deliver_req *req, deliver_cb *cb, void *ctx,
    struct err *e)
{
	struct deliver *d = calloc(1, sizeof(*d));
	bool job = req->kind != DELIVER_RELEASE;
	int r;

	if (d == NULL)
		return err_sys(e, ERR_MEM, "delivery");
	d->loop = loop;
	d->cb = cb;
	d->ctx = ctx;
	d->turn = job ? prepare : open_release;
	d->kind = req->kind;
	d->moved = req->moved;
	d->folder = req->folder;
	d->claim = *req->claim;
	d->target = d->ours = d->theirs = d->job = d->sealed = -1;
	d->json = json_incref(req->json);
	copy_text(d->wanted, sizeof(d->wanted), req->wanted);
	copy_text(d->word, sizeof(d->word), req->word);
	copy_text(d->say, sizeof(d->say), req->say);
	if (req->why != NULL)
		d->why = *req->why;
	if ((req->sealed_dir != NULL && (d->sealed = fcntl(*req->sealed_dir, F_DUPFD_CLOEXEC, 3)) < 0) ||
	    (d->hot = fcntl(req->hot, F_DUPFD_CLOEXEC, 3)) < 0 ||
	    (job && (d->job = fcntl(req->job_dir, F_DUPFD_CLOEXEC, 3)) < 0)) {
		r = err_sys(e, ERR_IO, "folder %s", req->folder->name);
		deliver_free(d);
		return r;
	}
	d->timer = loop_timer(loop, 0, on_turn, d);
	*ret = d;
	return 0;
}

void
deliver_cancel(struct deliver *d)
{
	if (d != NULL)
		deliver_free(d);
}
