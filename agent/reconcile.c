#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/entry.h"

#include "agent/journal.h"
#include "agent/outcome.h"
#include "agent/reconcile.h"

#define LOG_AT "log-at"

/* --- where a job's entries begin ------------------------------------------------------- */

int
log_at_put(struct job *j, uint64_t index, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	if (j->log_from == index)
		return 0;
	buf_init(&b, 16);
	buf_put_u64(&b, index);
	if ((r = record_replace_buf(j->dir, LOG_AT, &b, e)) == 0)
		j->log_from = index;
	return r;
}

void
log_at_load(struct job *j)
{
	struct err ignored;
	uint64_t at;
	AUTO_BUF b;

	j->log_from = j->claim.log_size;
	buf_init(&b, 16);
	if (!io_exists(j->dir, LOG_AT) || record_get(j->dir, LOG_AT, &b, &ignored) < 0)
		return; /* a longer search finds the same */
	at = buf_get_u64(&b);
	if (buf_finished(&b))
		j->log_from = at;
}

/* --- an older spool beside a newer log -------------------------------------------------- */

/* The result as it was archived, into the job: what is handed out is what the log names. */
static int
fetch_sealed(struct job *j, const struct entry *x, struct err *e)
{
	char path[sizeof(x->path) + 16];
	uint8_t hash[HASH_LEN];
	uint64_t size;
	AUTO_FD from = -1;
	AUTO_FD to = -1;
	int r;

	snprintf(path, sizeof(path), "%s/sealed.pdf", x->path);
	if ((from = path_open(archive_dir(j->core->archive), path, O_RDONLY)) < 0)
		return err_sys(e, ERR_ARCHIVE, "job %s is sealed and logged, but its %s", j->claim.id, path);
	if ((r = io_size(from, &size, e)) < 0 || (r = hash_fd(from, 0, size, hash, e)) < 0)
		return r;
	if (memcmp(hash, x->sealed_hash, HASH_LEN) != 0)
		return err_set(e, ERR_ARCHIVE, "job %s is sealed and logged, but %s is not what the log names", j->claim.id,
		    path);
	if ((to = io_tmpfile(j->dir, e)) < 0)
		return to;
	if ((r = io_copy(from, 0, size, to, NULL, e)) < 0 || (r = io_unlink(j->dir, "sealed.pdf", e)) < 0)
		return r;
	return io_put_fd(j->dir, "sealed.pdf", to, e);
}

/* As the log has it; whether the bytes were to come back it does not say, so they do. */
static int
adopt_withdrawal(struct job *j, const struct entry *x, struct err *e)
{
	struct withdrawal w = { .uid = x->operator_uid, .quiet = false };

	snprintf(w.text, sizeof(w.text), "%.*s", (int)sizeof(w.text) - 1, x->text);
	return withdrawal_put(j, &w, e);
}

static int
adopt_refusal(struct job *j, const struct entry *x, struct err *e)
{
	struct err why = { 0 };
	int r;

	if (x->type == ENTRY_WITHDRAW && (r = adopt_withdrawal(j, x, e)) < 0)
		return r;
	err_set(&why, x->type == ENTRY_WITHDRAW ? ERR_DOC_WITHDRAWN :
	        err_code_by_word(x->reason) != ERR_OK ? err_code_by_word(x->reason) : ERR_DOC_REFUSED, "%s", x->text);
	journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: the spool is older than the log: it was refused or withdrawn already (entry %llu)",
	    j->claim.id, (unsigned long long)x->index);
	outcome_refuse(j, &why);
	return 0;
}

/*
 * Divided already; but those of its documents that had no end yet were only in the
 * spool that is gone.  It is divided once more: the same documents, of which those
 * that ended are known.
 */
static int
adopt_stack(struct job *j, const struct entry *x, struct err *e)
{
	int r;

	if ((r = io_unlink(j->dir, "withdrawn", e)) < 0 || (r = io_unlink(j->dir, "decision", e)) < 0 ||
	    (j->state == SPOOL_HELD && (r = job_move(j, SPOOL_CLAIMED, e)) < 0))
		return r;
	j->withdrawn = false;
	j->divided = true;
	journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: the spool is older than the log: it is a stack that was divided already (entry %llu); its "
	    "documents are looked for, and made again where they are lost", j->claim.id, (unsigned long long)x->index);
	return 0;
}

static int
adopt(struct job *j, const struct entry *x, struct err *e)
{
	int r;

	if (x->type == ENTRY_DIVIDE)
		return adopt_stack(j, x, e);
	if (x->type != ENTRY_JOB)
		return adopt_refusal(j, x, e);
	if ((r = fetch_sealed(j, x, e)) < 0 || (r = job_move(j, SPOOL_LOGGED, e)) < 0)
		return r;
	journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: the spool is older than the log: it was sealed already (entry %llu), is not sealed "
	    "again, and is handed out from the archive", j->claim.id, (unsigned long long)x->index);
	return 0;
}

/* What is wrong with one job stops that job, not the others. */
static int
adopt_or_aside(struct job *j, const struct entry *x, struct err *e)
{
	int r = adopt(j, x, e);

	if (r == -ERR_ARCHIVE) {
		journal_line(LOG_ALERT, &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e->code) },
		    "job %s is set aside: %s: %s", j->claim.id, err_word(e->code), e->text);
		j->why = *e;
		j->aside = true;
		return 0;
	}
	return r;
}

/* What an older state could be of: nothing of it is in the log yet. */
static bool
before_log(const struct job *j)
{
	return j->state == SPOOL_CLAIMED || j->state == SPOOL_RENDERED || j->state == SPOOL_SIGNED || j->state == SPOOL_HELD;
}

static int
by_id(const void *a, const void *b)
{
	return strcmp((*(struct job *const *)a)->claim.id, (*(struct job *const *)b)->claim.id);
}

static int
id_is(const void *id, const void *job)
{
	return strcmp(id, (*(struct job *const *)job)->claim.id);
}

/* A held job waits for weeks: its log is only searched when the archive has it. */
static int
floor_of(struct core *c, struct job **list, size_t *ret_n, uint64_t *ret_from, struct err *e)
{
	int r = 0;

	*ret_n = 0;
	*ret_from = UINT64_MAX;
	for (struct job *j = c->jobs; j != NULL && r >= 0; j = j->next) {
		if (!before_log(j) || j->aside)
			continue;
		if (j->state == SPOOL_HELD && (r = archive_has(c->archive, j->claim.id, j->claim.received_us, e)) != 1)
			continue;
		list[(*ret_n)++] = j;
		if (j->log_from < *ret_from)
			*ret_from = j->log_from;
	}
	return r < 0 ? r : 0;
}

static bool
is_final(enum entry_type type)
{
	return type == ENTRY_JOB || type == ENTRY_REJECT || type == ENTRY_WITHDRAW || type == ENTRY_DIVIDE;
}

static int
adopt_final(struct elog *l, uint64_t index, struct job **list, size_t n, struct buf *b, struct err *e)
{
	enum entry_type type;
	char id[ID_MAX];
	struct job **found;
	struct entry x;
	int r;

	if ((r = elog_entry(l, index, b, e)) < 0 || (r = entry_peek(b->data, b->len, &type, id, e)) < 0)
		return r;
	if (!is_final(type) || (found = bsearch(id, list, n, sizeof(*list), id_is)) == NULL || !before_log(*found))
		return 0;
	return (r = entry_parse(b->data, b->len, &x, e)) < 0 ? r : adopt_or_aside(*found, &x, e);
}

int
reconcile_jobs(struct core *c, struct err *e)
{
	struct job **list;
	uint64_t from;
	size_t n;
	AUTO_BUF b;
	int r;

	buf_init(&b, ENTRY_MAX);
	if (c->njobs == 0)
		return 0;
	if ((list = reallocarray(NULL, c->njobs, sizeof(*list))) == NULL)
		return err_set(e, ERR_MEM, "job table");
	if ((r = floor_of(c, list, &n, &from, e)) == 0 && n > 0) {
		qsort(list, n, sizeof(*list), by_id);
		for (uint64_t i = from; r == 0 && i < elog_size(c->elog); i++)
			r = adopt_final(c->elog, i, list, n, &b, e);
	}
	free(list);
	return r;
}

int
reconcile_job(struct job *j, struct err *e)
{
	struct elog *l = j->core->elog;
	enum entry_type type;
	char id[ID_MAX];
	struct entry x;
	AUTO_BUF b;
	int r;

	buf_init(&b, ENTRY_MAX);
	for (uint64_t i = j->log_from; before_log(j) && i < elog_size(l); i++) {
		if ((r = elog_entry(l, i, &b, e)) < 0 || (r = entry_peek(b.data, b.len, &type, id, e)) < 0)
			return r;
		if (!is_final(type) || strcmp(id, j->claim.id) != 0)
			continue;
		if ((r = entry_parse(b.data, b.len, &x, e)) < 0 || (r = adopt_or_aside(j, &x, e)) < 0)
			return r;
		if (j->state == SPOOL_LOGGED || j->state == SPOOL_CLAIMED) /* a refusal goes on by itself */
			job_step_soon(j, 0);
		return 1;
	}
	return 0;
}
