#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "seal/evidence/entry.h"

#include "agent/core.h"
#include "agent/hot.h"
#include "agent/journal.h"
#include "agent/stack.h"
#include "agent/watch.h"

#define LOOK_MS 1000 /* receipts are looked for this often */
#define GONE_MS 1000 /* missing this long, it was removed: a rename by a server is over by then */

/* What lies under its name is the claimed file, as far as a look tells. */
static bool
is_source(const struct claim *c, const struct stat *st)
{
	struct hot_stamp s;

	hot_stamp(st, &s);
	return S_ISREG(st->st_mode) && s.size == c->size && s.mtime_ns == c->mtime_ns;
}

/*
 * 1: there; 0: was there, and is not; -1: cannot be told.
 * Missing counts only in the very folder that held it: another one in its place
 * (a share not mounted, a restored tree) says nothing about what people did.
 */
static int
receipt_look(struct job *j)
{
	int hot = watch_dir(j->core->watch, j->folder);
	AUTO_FD work = -1;
	struct stat dir, st;

	if (hot < 0 || (work = openat(hot, j->folder->word_work, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0 ||
	    fstat(work, &dir) < 0)
		return -1;
	if (fstatat(work, j->claim.work_name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!is_source(&j->claim, &st))
			return -1;
		j->receipt = RECEIPT_SEEN;
		j->receipt_dev = dir.st_dev;
		j->receipt_ino = dir.st_ino;
		return 1;
	}
	if (errno != ENOENT)
		return -1;
	if (j->receipt == RECEIPT_SEEN)
		return dir.st_dev == j->receipt_dev && dir.st_ino == j->receipt_ino ? 0 : -1;
	/* not seen by this process: another one made it, and after a power cut it may be the folder's again */
	return io_exists(j->dir, CLAIM_RECEIPT) && j->claim.work_ino == dir.st_ino &&
	            fstatat(hot, j->claim.name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ?
	    0 :
	    -1;
}

bool
receipt_moved(struct job *j)
{
	if (j->was_held && j->state != SPOOL_HELD)
		return true;
	if (j->receipt == RECEIPT_UNSEEN && j->folder != NULL && j->claim.work_name[0] != '\0')
		(void)receipt_look(j);
	return j->receipt != RECEIPT_UNSEEN;
}

static bool
has_receipt(const struct job *j)
{
	return j->folder != NULL && j->claim.work_name[0] != '\0' && !j->was_held && !j->divided && !j->aside && !j->dead &&
	    j->receipt != RECEIPT_GONE;
}

/* It has no effect any more; the log still says that somebody wanted it. */
static void
note_too_late(struct job *j)
{
	struct entry x = { .type = ENTRY_NOTE };
	char line[sizeof(x.text) + 8];
	struct err e = { 0 };
	uint64_t at;
	int r = stack_is(j, &e);

	j->receipt = RECEIPT_GONE;
	snprintf(x.text, sizeof(x.text), "job %s: its receipt was removed after %s, without effect", j->claim.id,
	    r == 1 ? "it was divided" : "the token was asked");
	snprintf(line, sizeof(line), "text %s", x.text);
	if (r >= 0 && (r = elog_find(j->core->elog, ENTRY_NOTE, NULL, line, j->claim.log_size, &at, &e)) == 0 &&
	    (r = logbook_append(j->core, &x, &at, &e)) == 0)
		logbook_commit_soon(j->core);
	if (r < 0) {
		log_err(LOG_WARNING, "a note", &e);
		return;
	}
	journal_line(LOG_NOTICE, &(struct about){ .job = j->claim.id, .folder = j->claim.folder }, "%s", x.text);
}

bool
receipt_there(struct job *j)
{
	struct withdrawal w = { .uid = j->claim.owner, .quiet = true,
		.text = "the receipt was taken out of the folder" };
	struct err e = { 0 };
	int there;

	if (!has_receipt(j) || (there = receipt_look(j)) != 0) {
		j->receipt_gone_ms = 0;
		return true;
	}
	if (j->receipt_gone_ms == 0)
		j->receipt_gone_ms = clock_ms();
	if (clock_ms() - j->receipt_gone_ms < GONE_MS)
		return false;
	if (j->state > SPOOL_RENDERED || io_exists(j->dir, "attempt")) {
		note_too_late(j);
		return true;
	}
	if (job_withdraw(j, &w, &e) < 0)
		journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder, .reason = err_word(e.code) },
		    "job %s: its receipt was taken out of the folder, and withdrawing it failed: %s", j->claim.id, e.text);
	else
		journal_line(LOG_NOTICE, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
		    "job %s: its receipt was taken out of the folder: withdrawn", j->claim.id);
	return false;
}

static void
on_look(void *ctx)
{
	struct core *c = ctx;

	c->receipts_timer = loop_timer(c->loop, LOOK_MS, on_look, c);
	if (!c->log_ready || c->stopping)
		return;
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		/* from logged on it is ours to remove */
		if (j->state < SPOOL_LOGGED && !j->withdrawn)
			receipt_there(j);
}

void
receipt_watch(struct core *c)
{
	c->receipts_timer = loop_timer(c->loop, LOOK_MS, on_look, c);
}
