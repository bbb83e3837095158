#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/pagefile.h"
#include "seal/evidence/entry.h"
#include "seal/evidence/layout.h"

#include "agent/admit.h"
#include "agent/outcomeint.h"
#include "agent/placing.h"
#include "agent/sealing.h"
#include "agent/stack.h"
#include "agent/steps.h"
#include "agent/ticket.h"

/* --- into the archive ------------------------------------------------------------------- */

static const char *
original_name(const struct job *j)
{
	static const char *const names[DOC_KIND_COUNT] = { "original.bin", "original.tif", "original.jpg",
		"original.png", "original.pdf", "original.jp2", "original.webp", "original.pdf" };

	return names[j->inspect.kind < DOC_KIND_COUNT ? j->inspect.kind : 0];
}

/* Of a job that is being archived, or was: its three files; of a stack the list of its documents, not a result. */
struct archived {
	struct archive_file file[3];
	int fd[3];
	bool known; /* sizes and hashes */
};

static void
archived_close(struct archived *t)
{
	for (int i = 0; i < 3; i++)
		io_close(&t->fd[i]);
}

void
outcome_forget(struct job *j)
{
	archive_cancel(j->publishing);
	j->publishing = NULL;
	placing_forget(j);
	if (j->archived != NULL)
		archived_close(j->archived);
	free(j->archived);
	j->archived = NULL;
}

static int
archived_open(struct job *j, struct err *e)
{
	const int stack = stack_is(j, e);
	const char *const spool[3] = { "job.json", "source", stack ? "parts" : "sealed.pdf" };
	const char *const names[3] = { "job.json", original_name(j), stack ? LAYOUT_PARTS : "sealed.pdf" };
	struct archived *t;

	outcome_forget(j);
	if (stack < 0)
		return stack;
	if ((t = j->archived = calloc(1, sizeof(*t))) == NULL)
		return err_set(e, ERR_MEM, "files to archive");
	t->fd[0] = t->fd[1] = t->fd[2] = -1;
	for (int i = 0; i < 3; i++) {
		if ((t->fd[i] = openat(j->dir, spool[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
			return err_sys(e, ERR_IO, "%s of job %s", spool[i], j->claim.id);
		t->file[i].name = names[i];
		t->file[i].fd = t->fd[i];
	}
	return 0;
}

static void
on_published(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->publishing = NULL;
	archived_close(j->archived);
	j->archived->known = why == NULL;
	if (why != NULL)
		job_trouble(j, why);
	else if (job_move(j, SPOOL_ARCHIVED, &e) < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

void
outcome_publish(struct job *j)
{
	struct err e = { 0 };
	int r;

	if ((r = plan_load(j, &e)) == 0 && (r = archived_open(j, &e)) == 0) {
		/* nothing else than what was claimed goes into the archive as the original */
		j->archived->file[1].must = j->claim.hash;
		r = archive_begin(&j->publishing, j->core->archive, j->core->loop, j->claim.id, j->claim.received_us,
		    j->archived->file, 3, on_published, j, &e);
	}
	if (r < 0)
		job_trouble(j, &e);
	else
		j->busy = true;
}

/* --- its entry -------------------------------------------------------------------------- */

/* The name the result is meant to have: the rule's, or the source's with .pdf. */
static void
wanted_name(const struct job *j, char *dst, size_t size)
{
	const char *dot = strrchr(j->claim.name, '.');
	int stem = dot != NULL && dot != j->claim.name ? (int)(dot - j->claim.name) : (int)strlen(j->claim.name);

	if (j->plan->name[0] != '\0')
		snprintf(dst, size, "%s", j->plan->name);
	else
		snprintf(dst, size, "%.*s.pdf", stem, j->claim.name);
}

static void
entry_files(const struct job *j, struct entry *x)
{
	for (uint32_t i = 0; i < 3; i++) {
		const struct archive_file *f = &j->archived->file[i];

		snprintf(x->files[i].name, sizeof(x->files[i].name), "%s", f->name);
		x->files[i].size = f->size;
		memcpy(x->files[i].hash, f->hash, HASH_LEN);
	}
	x->nfiles = 3;
}

static int
entry_engine(struct job *j, struct entry *x, struct err *e)
{
	struct ready_scan s;
	AUTO_BUF b;
	int r;

	buf_init(&b, 1024);
	if ((r = record_get(j->dir, "engine", &b, e)) < 0)
		return r;
	if (ready_scan_get(&b, &s, e) < 0)
		return err_set(e, ERR_IO, "record engine is damaged");
	snprintf(x->ocr, sizeof(x->ocr), "%s", s.engine);
	memcpy(x->ocr_hash, s.data_hash, HASH_LEN);
	return 0;
}

static int64_t
time_us(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000;
}

/* Times that the file system remembers: when doc.pdf was put, when the archive's directory got its name. */
static int
entry_times(struct job *j, struct entry *x, struct err *e)
{
	struct stat doc, dir;

	if (fstatat(j->dir, "doc.pdf", &doc, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(archive_dir(j->core->archive), x->path, &dir, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "times of job %s", j->claim.id);
	x->ocr_us = time_us(&doc.st_mtim);
	x->archived_us = time_us(&dir.st_ctim);
	return 0;
}

static int
entry_job(struct job *j, struct entry *x, struct err *e)
{
	struct verdict_record v;
	struct prep p;
	uint8_t salt[ENTRY_SALT_LEN];
	char name[MSG_TEXT_MAX];
	AUTO_BUF attempt;
	int r;

	buf_init(&attempt, 16);
	if ((r = plan_load(j, e)) < 0 || (r = verdict_get(j, &v, e)) < 0 || (r = prep_get(j, "prep", &p, e)) < 0 ||
	    (r = entry_engine(j, x, e)) < 0 || (r = record_get(j->dir, "attempt", &attempt, e)) < 0)
		return r;
	entry_files(j, x);
	logbook_job(j->core, j, x);
	claim_salt(&j->claim, salt);
	wanted_name(j, name, sizeof(name));
	entry_name_set(&x->sealed, name, salt, j->folder != NULL && j->folder->log_names_plain);
	x->has_sealed = true;
	x->sealed_size = x->files[2].size;
	memcpy(x->sealed_hash, x->files[2].hash, HASH_LEN);
	memcpy(x->rule, j->plan->rule, sizeof(x->rule));
	memcpy(x->rule_hash, j->plan->rule_hash, HASH_LEN);
	x->level = v.level;
	memcpy(x->pdfa, v.pdfa, sizeof(x->pdfa));
	memcpy(x->tst, v.tst, HASH_LEN);
	x->sealed_us = v.sealed_us;
	x->pages = j->plan->pages;
	x->blank_dropped = j->plan->dropped != 0;
	/* so many that they do not fit here stand in job.json, whose hash is here */
	if (page_set_count(&j->plan->blank) > 0 && !page_set_text(&j->plan->blank, x->blank, sizeof(x->blank)))
		snprintf(x->blank, sizeof(x->blank), "many");
	if (page_set_count(&j->plan->unread) > 0 && !page_set_text(&j->plan->unread, x->unread, sizeof(x->unread)))
		snprintf(x->unread, sizeof(x->unread), "many");
	x->attempts = buf_get_u32(&attempt);
	memcpy(x->token, p.token, sizeof(x->token));
	memcpy(x->seal_cert, p.cert_hash, HASH_LEN);
	archive_path(j->claim.id, j->claim.received_us, x->path);
	return entry_times(j, x, e);
}

static int
event_job(struct job *j, struct err *e)
{
	char path[ARCHIVE_PATH_MAX], name[MSG_TEXT_MAX], shown[3 * MSG_TEXT_MAX];
	struct verdict_record v;
	int r;

	if ((r = plan_load(j, e)) < 0 || (r = verdict_get(j, &v, e)) < 0)
		return r;
	archive_path(j->claim.id, j->claim.received_us, path);
	wanted_name(j, name, sizeof(name));
	path_display(name, shown, sizeof(shown)); /* any bytes, and JSON takes UTF-8 only */
	return outcome_event(j, "job", json_pack("{s:s, s:s, s:s, s:i, s:s}", "result", shown, "archive", path, "rule",
	    j->plan->rule, "pages", (int)j->plan->pages, "level", level_name(v.level)), e);
}

static int
entry_divide(struct job *j, struct entry *x, struct err *e)
{
	struct stat dir;
	int r;

	if ((r = plan_load(j, e)) < 0)
		return r;
	entry_files(j, x);
	logbook_job(j->core, j, x);
	archive_path(j->claim.id, j->claim.received_us, x->path);
	if (fstatat(archive_dir(j->core->archive), x->path, &dir, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "times of job %s", j->claim.id);
	x->archived_us = time_us(&dir.st_ctim);
	snprintf(x->text, sizeof(x->text), "%u documents", page_set_rests(&j->plan->outside));
	return 0;
}

static int
event_divide(struct job *j, struct err *e)
{
	char path[ARCHIVE_PATH_MAX];
	json_t *parts = stack_parts(j, e);

	if (parts == NULL)
		return -(int)e->code;
	archive_path(j->claim.id, j->claim.received_us, path);
	return outcome_event(j, "divide", json_pack("{s:s, s:i, s:o}", "archive", path, "pages", (int)j->inspect.pages, "parts",
	    parts), e);
}

/* --- into the log ----------------------------------------------------------------------- */

static void
on_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;

	j->busy = false;
	j->steps = NULL;
	archived_close(j->archived);
	j->archived->known = why == NULL;
	if (why != NULL)
		job_trouble(j, why);
	else
		outcome_log(j);
}

/* After a restart: what was published is in the spool, too. */
static void
hash_archived(struct job *j)
{
	struct err e = { 0 };

	if (plan_load(j, &e) < 0 || archived_open(j, &e) < 0) {
		job_trouble(j, &e);
		return;
	}
	j->steps = steps_new(j->core->loop, j);
	for (int i = 0; i < 3; i++) {
		struct archive_file *f = &j->archived->file[i];

		if (io_size(f->fd, &f->size, &e) < 0) {
			steps_cancel(j->steps);
			j->steps = NULL;
			job_trouble(j, &e);
			return;
		}
		steps_copy(j->steps, f->fd, 0, f->size, -1, true);
		steps_digest(j->steps, f->hash);
	}
	j->busy = true;
	steps_go(j->steps, on_hashed);
}

/* r is 1: its entry is in the log, and its event in events/; 0: not yet; -code: e says why. */
static void
after_entry(struct job *j, int r, const char *reference, struct err *e)
{
	if (r == 1 && (r = seen_put(&j->core->spool, &j->claim, reference, e)) >= 0)
		r = job_move(j, SPOOL_LOGGED, e);
	if (r < 0)
		job_trouble(j, e);
	else if (j->state == SPOOL_LOGGED)
		job_step(j);
}

/* In the log only when every document of it is a job. */
static void
log_stack(struct job *j)
{
	struct entry x = { .type = ENTRY_DIVIDE };
	struct err e = { 0 };
	int r;

	if ((r = stack_take(j, &e)) == 1 && (r = logbook_once(j, &x, NULL, entry_divide, &e)) == 1 && event_divide(j, &e) < 0)
		r = -(int)e.code;
	after_entry(j, r, "", &e);
}

void
outcome_log(struct job *j)
{
	struct entry x = { .type = ENTRY_JOB };
	const struct ticket *t = NULL;
	struct err e = { 0 };
	int r;

	if (j->archived == NULL || !j->archived->known) {
		hash_archived(j);
		return;
	}
	if ((r = stack_is(j, &e)) == 1) {
		log_stack(j);
		return;
	}
	if (r == 0 && (r = logbook_once(j, &x, NULL, entry_job, &e)) == 1 && (event_job(j, &e) < 0 || admit_ticket(j, &t, &e) < 0))
		r = -(int)e.code;
	after_entry(j, r, t != NULL ? t->reference : "", &e);
}
