#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/admit.h"
#include "agent/byticket.h"
#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/rights.h"
#include "agent/stack.h"

#define LOOK_LEAST_MS 100
#define LOOK_MOST_MS 2000
#define WAIT_MS 500 /* for an earlier job with the same reference */

/* --- before the copy ------------------------------------------------------------------- */

/* Another look soon, but not busier than the folder is. */
static uint64_t
look_ms(const struct conf_folder *f)
{
	uint64_t ms = f->settle_ms / 4;

	return ms < LOOK_LEAST_MS ? LOOK_LEAST_MS : ms > LOOK_MOST_MS ? LOOK_MOST_MS : ms;
}

static bool
is_job_of(const struct core *c, const struct conf_folder *f, const char *name, size_t len)
{
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (j->folder == f && j->claim.ticket.has && j->state == SPOOL_CLAIMED && strlen(j->claim.name) == len &&
		    memcmp(j->claim.name, name, len) == 0)
			return true;
	return false;
}

/* A ticket by itself: its document is there or just taken, or it is overdue. */
static uint64_t
ticket_wait(struct core *c, const struct watch_file *f, size_t stem)
{
	char name[SPOOL_NAME_MAX];
	struct stat st;

	if (f->folder->ticket == TICKET_NONE || stem >= sizeof(name) || byticket_is(f->dir, f->name))
		return 0;
	memcpy(name, f->name, stem);
	name[stem] = '\0';
	if (fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
		return look_ms(f->folder);
	return f->overdue && !is_job_of(c, f->folder, name, stem) ? 0 : look_ms(f->folder);
}

uint64_t
admit_wait_ms(struct core *c, const struct watch_file *f)
{
	size_t stem = ticket_stem(f->name);
	char name[SPOOL_NAME_MAX];
	int quiet;

	if (stem > 0)
		return ticket_wait(c, f, stem);
	if (f->folder->ticket == TICKET_NONE || f->overdue ||
	    snprintf(name, sizeof(name), "%s" TICKET_SUFFIX, f->name) >= (int)sizeof(name))
		return 0;
	if ((quiet = watch_quiet(c->watch, f->folder, name)) < 0 || (quiet > 0 && byticket_is(f->dir, name)))
		return f->folder->ticket == TICKET_REQUIRED ? look_ms(f->folder) : 0;
	return quiet > 0 ? 0 : look_ms(f->folder);
}

/* --- the ticket ------------------------------------------------------------------------ */

int
admit_ticket(struct job *j, const struct ticket **ret, struct err *e)
{
	bool unfinished;
	AUTO_BUF b = { 0 };
	int r;

	*ret = j->ticket;
	if (j->ticket != NULL || !j->claim.ticket.has)
		return 0;
	buf_init(&b, TICKET_MAX + 1);
	if ((r = record_get(j->dir, "ticket", &b, e)) < 0)
		return r;
	if ((j->ticket = calloc(1, sizeof(*j->ticket))) == NULL)
		return err_set(e, ERR_MEM, "ticket");
	if ((r = ticket_parse(b.data, b.len, j->ticket, &unfinished, e)) < 0) {
		free(j->ticket);
		j->ticket = NULL;
	}
	*ret = j->ticket;
	return r;
}

/* Is the open file what was claimed as this job's ticket? */
static int
same_ticket(const struct job *j, int fd, const struct stat *st, struct err *e)
{
	struct hot_stamp s;
	uint8_t hash[HASH_LEN];
	int r;

	hot_stamp(st, &s);
	if (s.size != j->claim.ticket.size || s.mtime_ns != j->claim.ticket.mtime_ns)
		return 0;
	if ((r = hash_fd(fd, 0, s.size, hash, e)) < 0)
		return r;
	return memcmp(hash, j->claim.ticket.hash, HASH_LEN) == 0;
}

/* Its bytes are in the job; the sender's copy would only wait for another document of this name. */
static int
ticket_remove(struct job *j, struct err *e)
{
	int hot = watch_dir(j->core->watch, j->folder), r;
	char name[SPOOL_NAME_MAX + sizeof(TICKET_SUFFIX)];
	struct stat st, named;
	AUTO_FD fd = -1;

	if (!j->claim.ticket.has || j->claim.ticket.size > TICKET_MAX)
		return 0; /* one that is too long comes back by itself, whole */
	if (hot < 0)
		return err_set(e, ERR_IO, "folder %s is not there", j->folder->path);
	snprintf(name, sizeof(name), "%s" TICKET_SUFFIX, j->claim.name);
	if ((fd = hot_open_file(hot, name, &st, e)) < 0)
		return errno == ENOENT || errno == ELOOP || errno == EINVAL ? 0 : fd;
	if ((r = same_ticket(j, fd, &st, e)) <= 0)
		return r;
	if (fstatat(hot, name, &named, AT_SYMLINK_NOFOLLOW) < 0 || named.st_ino != st.st_ino)
		return 0;
	if (unlinkat(hot, name, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "removing the ticket from the folder");
	return fsync(hot) < 0 ? err_sys(e, ERR_IO, "fsync of the folder") : 0;
}

/* --- may it be sealed? ----------------------------------------------------------------- */

/* What a file of this name can be here. */
static int
check_kind(const struct job *j, struct err *e)
{
	if (ticket_stem(j->claim.name) > 0)
		return j->folder->ticket == TICKET_NONE ?
		    err_set(e, ERR_TICKET_UNWANTED, "ticket of folder %s is none", j->folder->name) :
		    err_set(e, ERR_TICKET_ALONE, "no document of that name came with it");
	if (j->folder->ticket == TICKET_REQUIRED && !j->claim.ticket.has)
		return err_set(e, ERR_TICKET_MISSING, "%s" TICKET_SUFFIX " did not come", "NAME");
	return 0;
}

static int
check_ticket(struct job *j, struct err *e)
{
	const struct claim *c = &j->claim;
	const struct ticket *t;
	int r;

	if (!c->ticket.has)
		return 0;
	if ((r = rights_send(j->folder, c->ticket.owner, c->ticket.others_write, "the ticket", e)) < 0 ||
	    (r = admit_ticket(j, &t, e)) < 0)
		return r;
	if (t->bound && memcmp(t->sha256, j->claim.hash, HASH_LEN) != 0)
		return err_set(e, ERR_TICKET_OTHER, "sha256 of the ticket is not that of the document");
	if (t->decision.has) /* it has become one in this very moment */
		return err_set(e, ERR_TICKET_BAD, "ticket: decision: is for a document that is held already");
	return ticket_check(t, j->folder, e);
}

/* Who was let in, or went on from an earlier run, is before; of two that ask just now the older one. */
static bool
is_before(const struct job *k, const struct job *j)
{
	bool asks = !j->admitted && j->state == SPOOL_CLAIMED;

	return (asks && (k->admitted || k->state != SPOOL_CLAIMED)) || strcmp(k->claim.id, j->claim.id) < 0;
}

/* A job that came before, in this folder and still at work; NULL: none. */
static struct job *
at_work(const struct job *j, bool (*same)(const struct job *, const struct job *))
{
	for (struct job *k = j->core->jobs; k != NULL; k = k->next)
		if (k != j && !k->dead && k->folder == j->folder && k->state != SPOOL_REFUSED && is_before(k, j) && same(k, j))
			return k;
	return NULL;
}

static bool
same_bytes(const struct job *a, const struct job *b)
{
	return memcmp(a->claim.hash, b->claim.hash, HASH_LEN) == 0;
}

static bool
same_reference(const struct job *a, const struct job *b)
{
	return a->ticket != NULL && b->ticket != NULL && strcmp(a->ticket->reference, b->ticket->reference) == 0;
}

/* Tickets of jobs that an earlier run took in are read when they are needed. */
static int
load_tickets(struct core *c, struct err *e)
{
	const struct ticket *t;
	int r;

	for (struct job *k = c->jobs; k != NULL; k = k->next)
		if ((r = admit_ticket(k, &t, e)) < 0 && r != -ERR_TICKET_BAD)
			return r;
	return 0;
}

/* 0: free to go on; 1: it is a repetition and on its way; 2: an earlier one of this name has to end first. */
static int
check_reference(struct job *j, struct err *e)
{
	const struct spool *s = &j->core->spool;
	struct job *k;
	char same[ID_MAX];
	int r;

	if (j->ticket == NULL || j->ticket->reference[0] == '\0')
		return 0;
	if ((r = load_tickets(j->core, e)) < 0)
		return r;
	if ((k = at_work(j, same_reference)) != NULL) {
		memcpy(j->other, k->claim.id, ID_MAX);
		if (k->state == SPOOL_HELD && k->settled)
			return err_set(e, ERR_REFERENCE, "its reference is that of job %s, which waits for a person", k->claim.id);
		if (!same_bytes(k, j))
			return err_set(e, ERR_REFERENCE, "its reference is that of job %s, with other bytes", k->claim.id);
		return 2;
	}
	if ((r = seen_find(s, SEEN_REFERENCE, &j->claim, j->ticket->reference, j->other, e)) <= 0 ||
	    (r = seen_find(s, SEEN_BOTH, &j->claim, j->ticket->reference, same, e)) < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_REFERENCE, "its reference is that of job %s, with other bytes", j->other);
	outcome_repeat(j, same);
	return 1;
}

int
admit_same_as(const struct job *j, char ret_id[ID_MAX], struct err *e)
{
	const struct job *k = at_work(j, same_bytes);

	if (k == NULL)
		return seen_find(&j->core->spool, SEEN_BYTES, &j->claim, NULL, ret_id, e);
	memcpy(ret_id, k->claim.id, ID_MAX);
	return 1;
}

static int
check_duplicate(struct job *j, struct err *e)
{
	int r = admit_same_as(j, j->other, e);

	if (r <= 0)
		return r;
	if (j->folder->duplicates == DUPLICATES_HOLD)
		return err_set(e, ERR_DUPLICATE, "the same bytes as job %s", j->other);
	if (j->folder->duplicates == DUPLICATES_REFUSE)
		return err_set(e, ERR_DUP_REFUSED, "the same bytes as job %s", j->other);
	journal_line(LOG_NOTICE, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: the same bytes as job %s; sealed once more", j->claim.id, j->other);
	return 0;
}

static int
check_hold(const struct job *j, struct err *e)
{
	if (j->ticket == NULL || !j->ticket->hold)
		return 0;
	return err_set(e, ERR_TICKET_HOLD, "%s", j->ticket->hold_why);
}

/* 0: nothing stands against it; 1, 2: as check_reference(); -code. */
static int
look(struct job *j, bool decided, struct err *e)
{
	const struct claim *c = &j->claim;
	int r;

	j->other[0] = '\0';
	if ((r = ticket_remove(j, e)) < 0 || (r = rights_send(j->folder, c->owner, c->others_write, "the document", e)) < 0 ||
	    (r = check_kind(j, e)) < 0 || (r = check_ticket(j, e)) < 0)
		return r;
	/* a person has seen all that */
	if (decided)
		return 0;
	if ((r = check_reference(j, e)) != 0)
		return r;
	/* a stack that comes again is asked about as a whole, not once more for each document */
	if ((r = stack_had(j, e)) < 0 || (r == 0 && (r = check_duplicate(j, e)) < 0))
		return r;
	return check_hold(j, e);
}

static void
say_ticket(const struct job *j)
{
	char reference[3 * TICKET_REFERENCE_MAX + 1];

	if (j->ticket == NULL)
		return;
	path_escape(j->ticket->reference, reference, sizeof(reference));
	journal_line(LOG_INFO, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: ticket of user %u, reference %s", j->claim.id, j->claim.ticket.owner,
	    reference[0] != '\0' ? reference : "-");
}

bool
admit(struct job *j)
{
	struct err e = { 0 };
	struct decision d;
	int decided, r;

	if (j->admitted)
		return true;
	if ((r = byticket_step(j, &e)) == 1)
		return false;
	if (r < 0 || (r = decided = decision_get(j, &d, &e)) < 0 || (r = look(j, decided == 1 || j->divided, &e)) < 0) {
		job_trouble(j, &e);
		return false;
	}
	if (r == 2) {
		err_set(&j->why, ERR_LATER, "job %s has the same reference, and goes first", j->other);
		j->stalled = true; /* that one may wait for long */
		job_step_soon(j, WAIT_MS);
	}
	if (r > 0)
		return false;
	say_ticket(j);
	j->admitted = true;
	job_moved(j);
	return true;
}
