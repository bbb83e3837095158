#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"
#include "seal/evidence/auditint.h"
#include "seal/evidence/look.h"

#define AHEAD 256 /* things that may wait behind a file that is being read */

/* Something that is said, or a file whose reading may give something to say. */
struct item {
	enum item_kind { ITEM_SAY, ITEM_TELL, ITEM_FILE } kind;
	uint32_t verdict;
	bool unread;
	bool seen; /* FILE: look is what was seen */
	struct entry_file want;
	struct look_seen look;
	char path[1024];
	char text[1600];
};

struct audit_queue {
	struct lookers *lookers;
	uint64_t first, asked, next; /* numbers of items; at number % AHEAD */
	struct item items[AHEAD];
};

static struct item *
item_at(struct audit *a, uint64_t n)
{
	return &a->queue->items[n % AHEAD];
}

/* --- out -------------------------------------------------------------------------------- */

static void
out_say(struct audit *a, uint32_t verdict, const char *path, const char *text)
{
	char shown[1024];

	if (verdict == AUDIT_LOST)
		verdict = a->unread ? VERDICT_UNKNOWN : VERDICT_DISPROVEN;
	path_display(path, shown, sizeof(shown));
	a->res->findings++;
	/* disproven outweighs "cannot tell" */
	if (a->res->verdict != VERDICT_DISPROVEN)
		a->res->verdict = verdict;
	a->found(a->ctx, verdict, shown, text);
}

static void
out_unseen(struct audit *a, const char *path, const struct look_seen *s)
{
	char text[ERR_TEXT_MAX + 32];

	if (s->how == LOOK_UNREAD) {
		a->unread = true;
		snprintf(text, sizeof(text), "can not be read: %s.", s->why);
		out_say(a, VERDICT_UNKNOWN, path, text);
	} else {
		out_say(a, VERDICT_DISPROVEN, path,
		    s->how == LOOK_MISSING ? "is missing." : s->how == LOOK_SYMLINK ? "is a symbolic link." : "is not a file.");
	}
}

static void
out_file(struct audit *a, const struct item *i)
{
	const struct look_seen *s = &i->look;

	if (s->how != LOOK_HASHED) {
		out_unseen(a, i->path, s);
		return;
	}
	a->res->files++;
	a->res->bytes += s->size;
	if (s->size != i->want.size || memcmp(s->hash, i->want.hash, HASH_LEN) != 0)
		out_say(a, VERDICT_DISPROVEN, i->path, "was changed: it is not the file the log names.");
}

static void
out_item(struct audit *a, const struct item *i)
{
	switch (i->kind) {
	case ITEM_SAY:
		a->unread |= i->unread;
		out_say(a, i->verdict, i->path, i->text);
		break;
	case ITEM_TELL:
		a->found(a->ctx, VERDICT_PROVEN, i->path, i->text);
		break;
	case ITEM_FILE:
		out_file(a, i);
		break;
	}
}

/* --- the queue --------------------------------------------------------------------------- */

static void
on_seen(void *ctx, const struct look_seen *seen)
{
	struct item *i = ctx;

	i->look = *seen;
	i->seen = true;
}

/* Gives files to whoever has room, and says what can be said. */
static void
pump(struct audit *a)
{
	struct audit_queue *q = a->queue;

	for (; q->asked < q->next; q->asked++) {
		struct item *i = item_at(a, q->asked);

		if (i->kind != ITEM_FILE || i->seen)
			continue;
		if (!lookers_room(q->lookers))
			break;
		lookers_ask(q->lookers, i->path, i, on_seen);
	}
	for (; q->first < q->next; q->first++) {
		struct item *i = item_at(a, q->first);

		if (i->kind == ITEM_FILE && !i->seen)
			break;
		out_item(a, i);
	}
}

/* What is held back is at most 'left' items from here on. */
static void
drain(struct audit *a, uint64_t left)
{
	struct audit_queue *q = a->queue;

	pump(a);
	while (q->next - q->first > left) {
		lookers_wait(q->lookers, on_seen);
		pump(a);
	}
}

static struct item *
push(struct audit *a, enum item_kind kind, const char *path)
{
	struct item *i;

	drain(a, AHEAD - 1);
	i = item_at(a, a->queue->next++);
	i->kind = kind;
	i->unread = i->seen = false;
	snprintf(i->path, sizeof(i->path), "%s", path);
	return i;
}

int
audit_begin(struct audit *a, struct err *e)
{
	if ((a->queue = calloc(1, sizeof(*a->queue))) == NULL)
		return err_set(e, ERR_MEM, "audit");
	if (lookers_open(&a->queue->lookers, a->dir, a->opt->processes, e) == 0)
		return 0;
	free(a->queue);
	return -(int)e->code;
}

void
audit_end(struct audit *a)
{
	drain(a, 0);
	lookers_free(a->queue->lookers);
	free(a->queue);
}

/* --- in ---------------------------------------------------------------------------------- */

void
audit_say(struct audit *a, uint32_t verdict, const char *path, const char *fmt, ...)
{
	struct item *i = push(a, ITEM_SAY, path);
	va_list ap;

	i->verdict = verdict;
	va_start(ap, fmt);
	vsnprintf(i->text, sizeof(i->text), fmt, ap);
	va_end(ap);
	pump(a);
}

void
audit_tell(struct audit *a, const char *path, const char *fmt, ...)
{
	struct item *i = push(a, ITEM_TELL, path);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(i->text, sizeof(i->text), fmt, ap);
	va_end(ap);
	pump(a);
}

void
audit_say_err(struct audit *a, const char *path, const struct err *e)
{
	audit_say(a, e->code == ERR_LOG || e->code == ERR_SIG ? VERDICT_DISPROVEN : VERDICT_UNKNOWN, path, "%s.", e->text);
}

void
audit_unread(struct audit *a, const char *path, const char *why)
{
	struct item *i = push(a, ITEM_SAY, path);

	i->verdict = VERDICT_UNKNOWN;
	i->unread = true;
	snprintf(i->text, sizeof(i->text), "can not be read: %s.", why);
	pump(a);
}

void
audit_say_unseen(struct audit *a, const char *path, const struct look_seen *seen)
{
	struct item *i = push(a, ITEM_FILE, path);

	i->look = *seen;
	i->seen = true;
	pump(a);
}

void
audit_check(struct audit *a, const char *path, const struct entry_file *want)
{
	struct item *i = push(a, ITEM_FILE, path);

	i->want = *want;
	pump(a);
}
