#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/journal.h"
#include "agent/messages.h"
#include "agent/outcome.h"
#include "agent/pause.h"
#include "agent/standing.h"
#include "agent/watch.h"

#define LOOK_MS 2000
#define WAITS_MS 10000 /* standing still for so long is waiting; a token that is busy is not */
#define TEXT_MAX (256u * 1024)
#define NAMES_MAX 200 /* documents named in one list */

struct standing_folder {
	bool known;          /* hash is that of the file that is there */
	uint8_t hash[HASH_LEN];
	struct log_limit said;
};

struct standing {
	struct core *core;
	uint64_t timer;
	size_t nfolders;
	struct standing_folder folders[];
};

const char *
standing_name(const struct conf_folder *f)
{
	return strcmp(f->language, "de") == 0 ? "Stand.txt" : "Status.txt";
}

/* --- the text ------------------------------------------------------------------------------- */

/* Why a job waits for something of ours, for people who can do nothing about it. */
static const char *
waiting_for(enum err_code code)
{
	switch (code) {
	case ERR_TOKEN_GONE:
	case ERR_TOKEN_FAULT:
	case ERR_PIN_BAD:
	case ERR_PIN_STOPPED:
	case ERR_PIN_SOURCE:
	case ERR_CERT:
	case ERR_KEY:
		return N_("The card with the seal is not ready.");
	case ERR_TSA_DOWN:
	case ERR_TSA_ANSWER:
		return N_("The time-stamping service cannot be reached.");
	case ERR_SPACE:
		return N_("The server's disk is full.");
	default:
		return N_("Something is wrong with the sealing system; your administrator can see what.");
	}
}

static void
put_line(struct buf *b, const struct job *j, const char *why)
{
	char name[3 * SPOOL_NAME_MAX];

	path_display(j->claim.name, name, sizeof(name));
	buf_printf(b, "  %s\r\n    %s\r\n", name, why);
}

static bool
is_held(const struct job *j)
{
	return j->state == SPOOL_HELD && j->settled;
}

static bool
is_waiting(const struct job *j)
{
	return j->state != SPOOL_HELD && j->stalled && j->why.code != ERR_OK && clock_ms() - j->moved_ms >= WAITS_MS;
}

static const char *
why_held(struct job *j, const char *language, char *dst, size_t size)
{
	struct question_record q;
	struct message m;
	struct err ignored;

	if (question_get(j->dir, "question", &q, &ignored) < 0)
		return "-";
	if (q.say[0] != '\0') {
		path_display(q.say, dst, size);
		return dst;
	}
	message_make(language, &q.why, q.word, &m);
	snprintf(dst, size, "%s", m.what);
	return dst;
}

/* One list with its title; the number of documents in it. */
static unsigned
put_list(struct buf *b, struct core *c, const struct conf_folder *f, bool (*is)(const struct job *), const char *title)
{
	char why[MESSAGE_MAX];
	unsigned n = 0;

	for (struct job *j = c->jobs; j != NULL; j = j->next) {
		if (j->dead || j->folder != f || !is(j))
			continue;
		if (n++ == 0)
			buf_printf(b, "\r\n%s\r\n", message_get(f->language, title));
		if (n <= NAMES_MAX)
			put_line(b, j, j->state == SPOOL_HELD ? why_held(j, f->language, why, sizeof(why)) :
			                                        message_get(f->language, waiting_for(j->why.code)));
	}
	if (n > NAMES_MAX)
		buf_printf(b, "  ... %u\r\n", n - NAMES_MAX);
	return n;
}

static bool
put_paused(struct buf *b, const struct core *c, const struct conf_folder *f)
{
	const char *reason = "";
	char shown[3 * ERR_TEXT_MAX];

	if (!pause_has(c, f, &reason))
		return false;
	path_display(reason, shown, sizeof(shown));
	buf_printf(b, "\r\n%s%s%s\r\n",
	    message_get(f->language, N_("Paused: nothing is taken from this folder at present. What you put here stays here.")),
	    *shown != '\0' ? "\r\n  " : "", shown);
	return true;
}

int
standing_text(struct core *c, const struct conf_folder *f, struct buf *b, struct err *e)
{
	bool any;

	buf_clear(b);
	buf_printf(b, "%s\r\n", message_get(f->language, N_("What waits in this folder, and why")));
	any = put_paused(b, c, f);
	if (!any && c->space_low) {
		buf_printf(b, "\r\n%s\r\n",
		    message_get(f->language, N_("Nothing is taken in at present: the server's disk is full. Your administrator is told.")));
		any = true;
	}
	any |= put_list(b, c, f, is_held, N_("These documents wait for a decision:")) > 0;
	any |= put_list(b, c, f, is_waiting, N_("These documents wait; you need not do anything:")) > 0;
	if (!any)
		buf_printf(b, "\r\n%s\r\n", message_get(f->language, N_("Nothing waits.")));
	buf_printf(b, "\r\n%s\r\n",
	    message_get(f->language, N_("This file is written anew whenever something changes. It can be deleted.")));
	return buf_ok(b) ? 0 : err_set(e, ERR_MEM, "status file");
}

/* --- the file --------------------------------------------------------------------------------- */

/* Not synced: after a crash it is written anew. */
static int
replace(int hot, const struct conf_folder *f, const struct buf *b, struct err *e)
{
	static const char temp[] = ".sealroom-status.tmp"; /* ignored by the intake, like every name with a dot */
	AUTO_FD fd = -1;
	int r;

	if (unlinkat(hot, temp, 0) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "status file");
	if ((fd = openat(hot, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "status file");
	if (fchmod(fd, f->give_mode) < 0)
		r = err_sys(e, ERR_IO, "status file");
	else if ((r = io_write_full(fd, b->data, b->len, e)) == 0 && renameat(hot, temp, hot, standing_name(f)) < 0)
		r = err_sys(e, ERR_IO, "status file");
	if (r < 0)
		unlinkat(hot, temp, 0);
	return r;
}

/* What an earlier run wrote counts: a start that changes nothing writes nothing. */
static void
read_old(int hot, const struct conf_folder *f, struct standing_folder *s)
{
	struct stat st;
	struct err e;
	AUTO_BUF b;

	buf_init(&b, TEXT_MAX);
	if (fstatat(hot, standing_name(f), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
	    io_read_file(hot, standing_name(f), &b, &e) < 0)
		return;
	hash_bytes(b.data, b.len, s->hash);
	s->known = true;
}

static void
look_at(struct standing *s, size_t i)
{
	const struct conf_folder *f = &s->core->conf->folders[i];
	struct standing_folder *mine = &s->folders[i];
	uint8_t hash[HASH_LEN];
	struct err e = { 0 };
	int hot = watch_dir(s->core->watch, f);
	AUTO_BUF b;

	buf_init(&b, TEXT_MAX);
	if (!f->status_file || hot < 0)
		return;
	if (!mine->known)
		read_old(hot, f, mine);
	if (standing_text(s->core, f, &b, &e) == 0) {
		hash_bytes(b.data, b.len, hash);
		if (mine->known && memcmp(hash, mine->hash, HASH_LEN) == 0 && io_exists(hot, standing_name(f)))
			return;
		if (replace(hot, f, &b, &e) == 0) {
			memcpy(mine->hash, hash, HASH_LEN);
			mine->known = true;
			return;
		}
	}
	journal_limited(&mine->said, 3600000, LOG_WARNING, &(struct about){ .folder = f->name },
	    "folder %s: %s", f->name, e.text);
}

static void
on_look(void *ctx)
{
	struct standing *s = ctx;

	s->timer = loop_timer(s->core->loop, LOOK_MS, on_look, s);
	for (size_t i = 0; i < s->nfolders && s->core->log_ready && !s->core->stopping; i++)
		look_at(s, i);
}

int
standing_open(struct core *c, struct err *e)
{
	struct standing *s = calloc(1, sizeof(*s) + c->conf->nfolders * sizeof(s->folders[0]));

	if (s == NULL)
		return err_set(e, ERR_MEM, "status files");
	s->core = c;
	s->nfolders = c->conf->nfolders;
	s->timer = loop_timer(c->loop, LOOK_MS, on_look, s);
	c->standing = s;
	return 0;
}

void
standing_close(struct core *c)
{
	if (c->standing == NULL)
		return;
	loop_timer_del(c->loop, c->standing->timer);
	free(c->standing);
	c->standing = NULL;
}
