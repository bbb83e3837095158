#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/byticket.h"
#include "agent/deliver.h"
#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/rights.h"
#include "agent/ticket.h"
#include "agent/watch.h"

#define DECIDES "decides"  /* record of the ticket's job: the job that it decides about */
#define WAIT_MS 500        /* until a question was handed out */
#define LOOK_MS 1000       /* held/ is looked at this often */
#define NAMES_A_LOOK 4096  /* at most; the next look goes on behind them */
#define NAMES_A_TICKET 16  /* that one counts for when it is opened, and so many for 4 KiB of it that are read */

/* --- what it says ----------------------------------------------------------------------- */

static bool
read_ticket(int fd, uint64_t size, struct buf *b)
{
	uint8_t block[4096];
	struct err ignored;

	buf_init(b, TICKET_MAX);
	for (uint64_t at = 0; at < size && buf_ok(b); at += sizeof(block)) {
		size_t n = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);

		if (io_pread_full(fd, block, n, at, &ignored) < 0)
			return false;
		buf_put(b, block, n);
	}
	return buf_ok(b);
}

bool
byticket_is(int dir, const char *name)
{
	struct ticket t;
	struct stat st;
	struct err ignored;
	AUTO_FD fd = hot_open_arrival(dir, name, &st, &ignored);
	AUTO_BUF b = { 0 };
	int r;

	return fd >= 0 && read_ticket(fd, (uint64_t)st.st_size, &b) && ticket_decides(b.data, b.len, &t, &r, &ignored);
}

/* --- which document is meant --------------------------------------------------------------- */

static bool
has_name(const struct job *k, const char *name, size_t len)
{
	struct deliver_names names;
	struct err ignored;

	if (strlen(k->claim.name) == len && memcmp(k->claim.name, name, len) == 0)
		return true;
	return deliver_names(k->dir, DELIVER_HELD, &names, &ignored) == 0 && strlen(names.document) == len &&
	    memcmp(names.document, name, len) == 0;
}

static bool
waits(const struct job *k)
{
	return k->state == SPOOL_HELD && !k->dead && !k->withdrawn && !io_exists(k->dir, "decision");
}

static int
find_held(const struct job *j, const struct ticket *t, struct job **ret, struct err *e)
{
	struct job *found = NULL, *named = NULL;
	unsigned n = 0, n_named = 0;

	for (struct job *k = j->core->jobs; k != NULL; k = k->next) {
		if (k->folder != j->folder || !waits(k) || memcmp(k->claim.hash, t->sha256, HASH_LEN) != 0)
			continue;
		found = k;
		n++;
		if (has_name(k, j->claim.name, ticket_stem(j->claim.name))) {
			named = k;
			n_named++;
		}
	}
	if (n_named == 1)
		found = named;
	if (n == 0)
		return err_set(e, ERR_DECISION_NONE, "no document with this sha256 waits for a decision in folder %s", j->folder->name);
	if (n > 1 && n_named != 1)
		return err_set(e, ERR_DECISION_NONE, "%u documents with this sha256 wait in folder %s, and the ticket's name is that of %s", n,
		    j->folder->name, n_named == 0 ? "none" : "several");
	*ret = found;
	return 0;
}

/* --- the decision -------------------------------------------------------------------------- */

static void
decision_of(const struct job *j, const struct ticket *t, const struct buf *text, struct decision *d)
{
	*d = (struct decision){ .at = t->decision.at, .page = t->decision.page, .x = t->decision.x, .y = t->decision.y,
		.again = t->decision.again, .uid = j->claim.owner, .has_ticket = true, .ticket_text = text };
	memcpy(d->rule, t->decision.rule, sizeof(d->rule));
	memcpy(d->reject, t->decision.reject, sizeof(d->reject));
	memcpy(d->ticket_hash, j->claim.hash, HASH_LEN);
}

/* 1: decided; 0: the question is just being handed out. */
static int
decide_now(struct job *j, struct job *k, const struct ticket *t, const struct buf *text, struct err *e)
{
	struct decision d;
	int r;

	if (!k->settled && !k->busy)
		return 0;
	decision_of(j, t, text, &d);
	/* before it has an effect: a crash behind it knows that it may have had one */
	if ((r = io_replace(j->dir, DECIDES, k->claim.id, ID_LEN, 0600, e)) < 0)
		return r;
	if ((r = outcome_release(k, &d, e)) == 0) {
		journal_line(LOG_NOTICE, &(struct about){ .job = k->claim.id, .folder = k->claim.folder },
		    "job %s: decided by a ticket of user %u (job %s)", k->claim.id, j->claim.owner, j->claim.id);
		return 1;
	}
	if (r == -ERR_USAGE) { /* a page that is not there, a place without a rule: the ticket's fault, and no operator's */
		char said[ERR_TEXT_MAX];

		memcpy(said, e->text, sizeof(said));
		return err_set(e, ERR_TICKET_BAD, "ticket: decision: %s", said);
	}
	return r;
}

/* The job it has decided about, if it was so in an earlier run: 1, and *ret is NULL when that has gone on. */
static int
decided_before(struct job *j, struct job **ret, struct err *e)
{
	char id[ID_MAX];
	bool many;
	AUTO_BUF b = { 0 };
	int r;

	*ret = NULL;
	if (!io_exists(j->dir, DECIDES))
		return 0;
	buf_init(&b, ID_LEN);
	if ((r = record_get(j->dir, DECIDES, &b, e)) < 0)
		return r;
	snprintf(id, sizeof(id), "%.*s", (int)b.len, (const char *)b.data);
	if ((*ret = job_find(j->core, id, &many)) != NULL && !waits(*ret))
		*ret = NULL;
	return 1;
}

static int
act(struct job *j, const struct ticket *t, const struct buf *text, struct err *e)
{
	struct job *k;
	int before, r;

	if ((r = before = decided_before(j, &k, e)) < 0)
		return r;
	if (before == 1 && k == NULL)
		return 1;
	if (before == 0 && ((r = find_held(j, t, &k, e)) < 0 || (r = ticket_check(t, j->folder, e)) < 0))
		return r;
	if ((r = rights_release(j->core->conf, &k->claim, &j->claim, e)) < 0)
		return r;
	return decide_now(j, k, t, text, e);
}

int
byticket_step(struct job *j, struct err *e)
{
	struct ticket t;
	AUTO_BUF b = { 0 };
	AUTO_FD fd = -1;
	int r;

	if (ticket_stem(j->claim.name) == 0 || j->claim.size > TICKET_MAX)
		return 0;
	if ((fd = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0 || !read_ticket(fd, j->claim.size, &b))
		return err_set(e, ERR_IO, "ticket of job %s", j->claim.id);
	if (!ticket_decides(b.data, b.len, &t, &r, e))
		return 0;
	if (r < 0 || (r = act(j, &t, &b, e)) < 0)
		return r;
	if (r == 0) {
		err_set(&j->why, ERR_LATER, "what it decides about is just being handed out");
		j->stalled = true; /* held/ may be out of reach for long */
		job_step_soon(j, WAIT_MS);
	} else {
		outcome_end(j);
	}
	return 1;
}

/* --- held/ --------------------------------------------------------------------------------- */

/* A ticket that came with a held document lies there, too; one that is too long never does. */
static bool
is_companion(const struct core *c, const struct conf_folder *f, int held, const char *name, uint32_t *names)
{
	uint8_t hash[HASH_LEN];
	struct stat st;
	struct err ignored;
	AUTO_FD fd = hot_open_file(held, name, &st, &ignored);
	bool hashed = false;

	*names += NAMES_A_TICKET;
	if (fd < 0)
		return true; /* a link, gone: nothing to be moved */
	if (st.st_size > TICKET_MAX)
		return false;
	for (const struct job *j = c->jobs; j != NULL; j = j->next) {
		if (j->folder != f || !j->claim.ticket.has || j->claim.ticket.size != (uint64_t)st.st_size)
			continue;
		if (!hashed && hash_fd(fd, 0, (uint64_t)st.st_size, hash, &ignored) < 0)
			return true;
		if (!hashed)
			*names += (uint32_t)st.st_size / 4096 * NAMES_A_TICKET;
		hashed = true;
		if (memcmp(hash, j->claim.ticket.hash, HASH_LEN) == 0)
			return true;
	}
	return false;
}

/* From where it stands in c->held_dir, until so many names were read or it ends: then that is closed. */
static void
look_in(struct core *c, const struct conf_folder *f, int hot, uint32_t *names)
{
	char shown[3 * SPOOL_NAME_MAX];
	int held = dirfd(c->held_dir);
	struct dirent *de;

	while (*names < NAMES_A_LOOK && (de = readdir(c->held_dir)) != NULL) {
		++*names;
		if (ticket_stem(de->d_name) == 0 || hot_ignored(de->d_name) || is_companion(c, f, held, de->d_name, names) ||
		    hot_rename(held, de->d_name, hot, de->d_name) < 0)
			continue;
		path_escape(de->d_name, shown, sizeof(shown));
		journal_line(LOG_INFO, &(struct about){ .folder = f->name },
		    "folder %s: %s was put into %s and is taken in from the folder", f->name, shown, f->word_held);
	}
	if (*names < NAMES_A_LOOK)
		byticket_forget(c);
}

static bool
holds_any(const struct core *c, const struct conf_folder *f)
{
	const struct job *j = c->jobs;

	while (j != NULL && (j->folder != f || j->state != SPOOL_HELD))
		j = j->next;
	return j != NULL;
}

static void
begin_look(struct core *c, const struct conf_folder *f, int hot)
{
	AUTO_FD held = holds_any(c, f) && hot >= 0 ? path_open(hot, f->word_held, O_RDONLY | O_DIRECTORY) : -1;

	if (held >= 0 && (c->held_dir = fdopendir(held)) != NULL) /* else the folder's trouble is said elsewhere */
		take_fd(&held);
}

/* Once round the folders, if there are few names: beginning where the last look ended. */
static void
on_look(void *ctx)
{
	struct core *c = ctx;
	uint32_t names = 0;

	loop_timer(c->loop, LOOK_MS, on_look, c);
	if (!c->log_ready || c->stopping)
		return;
	for (size_t i = 0; i < c->conf->nfolders && names < NAMES_A_LOOK; i++) {
		const struct conf_folder *f = &c->conf->folders[c->held_folder];
		int hot = watch_dir(c->watch, f);

		if (c->held_dir == NULL)
			begin_look(c, f, hot);
		if (c->held_dir != NULL)
			look_in(c, f, hot, &names);
		if (c->held_dir == NULL)
			c->held_folder = (c->held_folder + 1) % c->conf->nfolders;
	}
}

void
byticket_forget(struct core *c)
{
	if (c->held_dir != NULL)
		closedir(c->held_dir);
	c->held_dir = NULL;
}

void
byticket_reloaded(struct core *c)
{
	byticket_forget(c);
	c->held_folder = 0;
}

void
byticket_watch(struct core *c)
{
	loop_timer(c->loop, LOOK_MS, on_look, c);
}
