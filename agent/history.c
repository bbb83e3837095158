#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "seal/evidence/entry.h"

#include "agent/history.h"

#define STEP 128                          /* entries a turn */
#define SLACK_US (24 * 3600 * INT64_C(1000000)) /* our clock may have stepped */

struct search {
	struct core *core;
	char prefix[ID_MAX];
	uint64_t at, end;     /* entries that are still to be read */
	uint64_t from;        /* where the first pass began; 0: there is no second */
	struct history h;
	history_cb *cb;
	void *ctx;
};

static int
entry_at(struct core *c, uint64_t index, struct entry *x, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, 64 * 1024);
	if ((r = elog_entry(c->elog, index, &b, e)) < 0)
		return r;
	return entry_parse(b.data, b.len, x, e);
}

/* The first entry that is not older than 'us'. */
static int
first_since(struct core *c, int64_t us, uint64_t *ret, struct err *e)
{
	uint64_t low = 0, high = elog_size(c->elog);
	struct entry x;
	int r;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;

		if ((r = entry_at(c, mid, &x, e)) < 0)
			return r;
		if (x.time_us < us)
			low = mid + 1;
		else
			high = mid;
	}
	*ret = low;
	return 0;
}

static json_t *
entry_json(const struct entry *x)
{
	char time[CLOCK_ISO_MAX];
	json_t *o;

	clock_iso(x->time_us, time);
	o = json_pack("{s:I, s:s, s:s}", "index", (json_int_t)x->index, "type", entry_type_word(x->type), "time", time);
	if (x->reason[0] != '\0')
		json_object_set_new(o, "reason", json_string(x->reason));
	if (x->text[0] != '\0')
		json_object_set_new(o, "text", json_string(x->text));
	if (x->has_operator)
		json_object_set_new(o, "uid", json_integer(x->operator_uid));
	return o;
}

static int
take_entry(struct search *s, uint64_t index, struct err *e)
{
	struct history *h = &s->h;
	struct entry x;
	int r;

	if ((r = entry_at(s->core, index, &x, e)) < 0)
		return r;
	if (x.job[0] == '\0' || strncmp(x.job, s->prefix, strlen(s->prefix)) != 0)
		return 0;
	if (h->id[0] != '\0' && strcmp(h->id, x.job) != 0)
		return err_set(e, ERR_USAGE, "both %s and %s begin so; give more characters", h->id, x.job);
	memcpy(h->id, x.job, ID_MAX);
	memcpy(h->folder, x.folder, sizeof(h->folder));
	h->sealed = h->sealed || x.type == ENTRY_JOB;
	h->divided = h->divided || x.type == ENTRY_DIVIDE;
	if (x.type == ENTRY_JOB || x.type == ENTRY_DIVIDE)
		memcpy(h->path, x.path, sizeof(h->path));
	if (x.type == ENTRY_VOID) {
		h->voided = true;
		h->voided_at = index;
	}
	if (json_array_size(h->entries) < HISTORY_ENTRIES)
		json_array_append_new(h->entries, entry_json(&x));
	return 0;
}

static void
finish(struct search *s, const struct err *why)
{
	s->cb(s->ctx, &s->h, why);
	json_decref(s->h.entries);
	free(s);
}

static void
on_turn(void *ctx)
{
	struct search *s = ctx;
	struct err e = { 0 };

	for (int i = 0; i < STEP && s->at < s->end; i++)
		if (take_entry(s, s->at++, &e) < 0) {
			finish(s, &e);
			return;
		}
	if (s->at < s->end) {
		loop_timer(s->core->loop, 0, on_turn, s);
	} else if (s->h.id[0] == '\0' && s->from > 0) {
		s->at = 0;
		s->end = s->from;
		s->from = 0;
		loop_timer(s->core->loop, 0, on_turn, s);
	} else {
		finish(s, NULL);
	}
}

/* The beginning of an id as a time: what is not given is taken as early as can be. */
static int64_t
prefix_time(const char *prefix)
{
	char id[ID_MAX];

	memset(id, '0', ID_LEN);
	id[ID_LEN] = '\0';
	memcpy(id, prefix, strlen(prefix));
	return id_time_us(id);
}

int
history_open(struct core *c, const char *prefix, history_cb *cb, void *ctx, struct err *e)
{
	struct search *s;
	uint64_t from;
	int r;

	if (strlen(prefix) < HISTORY_PREFIX || strlen(prefix) > ID_LEN)
		return err_set(e, ERR_USAGE, "give 8 to 26 characters of the job's id");
	if (!c->log_ready)
		return err_set(e, ERR_LATER, "the log is not ready yet");
	if ((r = first_since(c, prefix_time(prefix) - SLACK_US, &from, e)) < 0)
		return r;
	if ((s = calloc(1, sizeof(*s))) == NULL || (s->h.entries = json_array()) == NULL) {
		free(s);
		return err_set(e, ERR_MEM, "history");
	}
	s->core = c;
	strcpy(s->prefix, prefix);
	s->at = s->from = from;
	s->end = elog_size(c->elog);
	s->cb = cb;
	s->ctx = ctx;
	loop_timer(c->loop, 0, on_turn, s);
	return 0;
}
