#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/alarm.h"
#include "agent/batch.h"
#include "agent/events.h"
#include "agent/jsonput.h"
#include "agent/watch.h"

#define RECORD "alarms.json"
#define RECORD_MAX (1u << 20)
#define FIRST_MS 2000
#define LOOK_MS 5000
#define ALARMS_MAX 500 /* causes at once; a thousand folders that are away are told by the first of them */
#define SUBJECT_MAX 80

static const struct {
	const char *word;
	enum journal_id id;
	uint64_t patience_ms;
} kinds[ALARM_KIND_COUNT] = {
#define X(name, word, id, patience) [ALARM_##name] = { word, id, patience },
	ALARM_KINDS(X)
#undef X
};

struct alarm {
	enum alarm_kind kind;
	char subject[SUBJECT_MAX];
	char text[ERR_TEXT_MAX];
	int64_t since_us;      /* wall clock, for people */
	uint64_t since_ms;     /* our own waiting */
	bool raised, seen;
};

struct tsa_health {
	char name[MSG_NAME_MAX];
	bool fine;
	uint64_t failing_since_ms; /* 0: not */
	char text[ERR_TEXT_MAX];
};

struct alarms {
	struct core *core;
	uint64_t timer;
	size_t n, ntsas;
	struct alarm list[ALARMS_MAX];
	struct tsa_health tsas[20]; /* as many as the settings may name */
	bool changed;
};

/* --- kept over a restart ------------------------------------------------------------------ */

static json_t *
alarm_object(const struct alarm *a)
{
	char since[CLOCK_ISO_MAX];

	clock_iso(a->since_us, since);
	return json_pack("{s:s, s:s, s:s, s:s}", "alarm", kinds[a->kind].word, "subject", a->subject, "since", since, "text",
	    a->text);
}

json_t *
alarm_json(const struct core *c)
{
	const struct alarms *s = c->alarms;
	json_t *list = json_array();

	for (size_t i = 0; s != NULL && i < s->n; i++)
		if (s->list[i].raised)
			json_array_append_new(list, alarm_object(&s->list[i]));
	return list;
}

void
alarm_each(const struct core *c, void (*fn)(void *ctx, const char *word, const char *subject, const char *text), void *ctx)
{
	const struct alarms *s = c->alarms;

	for (size_t i = 0; s != NULL && i < s->n; i++)
		if (s->list[i].raised)
			fn(ctx, kinds[s->list[i].kind].word, s->list[i].subject, s->list[i].text);
}

/* That it can not be kept is no reason to be silent about the alarm itself. */
static void
keep(struct alarms *s)
{
	json_t *o = json_pack("{s:i, s:o}", "v", 1, "alarms", alarm_json(s->core));
	AUTO_FREE char *text = o != NULL ? json_text(o, JSON_INDENT(1)) : NULL;
	struct err e = { 0 };

	json_decref(o);
	if (text == NULL)
		err_set(&e, ERR_MEM, RECORD);
	else if (io_replace(s->core->spool.state, RECORD, text, strlen(text), 0600, &e) == 0)
		s->changed = false;
	if (e.code != ERR_OK)
		log_limited(&s->core->alarm_said, 60000, LOG_WARNING, "state/" RECORD ": %s", e.text);
}

static int
kind_of(const char *word)
{
	for (int i = 0; i < ALARM_KIND_COUNT; i++)
		if (word != NULL && strcmp(kinds[i].word, word) == 0)
			return i;
	return -1;
}

/* An alarm of a kind that we do not know, or that is damaged, is one that will be raised anew. */
static void
load_one(struct alarms *s, const json_t *o)
{
	const char *subject = json_string_value(json_object_get(o, "subject"));
	const char *since = json_string_value(json_object_get(o, "since"));
	const char *text = json_string_value(json_object_get(o, "text"));
	int kind = kind_of(json_string_value(json_object_get(o, "alarm")));
	struct alarm *a = &s->list[s->n];

	if (kind < 0 || subject == NULL || since == NULL || text == NULL || s->n == ALARMS_MAX ||
	    strlen(subject) >= SUBJECT_MAX || clock_parse_iso(since, &a->since_us) < 0)
		return;
	a->kind = (enum alarm_kind)kind;
	strcpy(a->subject, subject);
	snprintf(a->text, sizeof(a->text), "%s", text);
	a->since_ms = clock_ms();
	a->raised = true;
	s->n++;
}

static int
load(struct alarms *s, struct err *e)
{
	json_t *o;
	AUTO_BUF b;

	buf_init(&b, RECORD_MAX);
	if (io_read_file(s->core->spool.state, RECORD, &b, e) < 0) {
		if (errno != ENOENT)
			return -(int)e->code;
		memset(e, 0, sizeof(*e)); /* none was ever raised: no trouble to end with */
		return 0;
	}
	o = json_loadb((const char *)b.data, b.len, 0, NULL);
	for (size_t i = 0; i < json_array_size(json_object_get(o, "alarms")); i++)
		load_one(s, json_array_get(json_object_get(o, "alarms"), i));
	json_decref(o);
	return 0;
}

/* --- raising and ending ------------------------------------------------------------------- */

static void
tell(struct alarms *s, const struct alarm *a, bool ended)
{
	const bool folder = a->kind == ALARM_FOLDER || a->kind == ALARM_HELD || a->kind == ALARM_DELIVERY;
	const struct about about = { .folder = folder ? a->subject : NULL,
		.token = a->kind == ALARM_TOKEN || a->kind == ALARM_CERT ? a->subject : NULL,
		.reason = kinds[a->kind].word };
	struct err e = { 0 };
	json_t *body = alarm_object(a);

	if (ended)
		journal(JOURNAL_ALARM_END, LOG_NOTICE, &about, "alarm %s ended: %s", kinds[a->kind].word, a->subject);
	else
		journal(kinds[a->kind].id, LOG_ALERT, &about, "alarm %s: %s: %s", kinds[a->kind].word, a->subject, a->text);
	if (body == NULL ||
	    events_put_alarm(&s->core->spool, elog_size(s->core->elog), clock_wall_us(), ended, body, &e) < 0)
		log_limited(&s->core->alarm_said, 60000, LOG_WARNING, "event of an alarm: %s", e.text);
	json_decref(body);
	s->changed = true;
}

__attribute__((format(printf, 4, 5))) static void
cause(struct alarms *s, enum alarm_kind kind, const char *subject, const char *fmt, ...)
{
	struct alarm *a = s->list;
	char text[2 * ERR_TEXT_MAX];
	struct err line;
	va_list ap;

	while (a < s->list + s->n && (a->kind != kind || strcmp(a->subject, subject) != 0))
		a++;
	if (a == s->list + ALARMS_MAX || strlen(subject) >= SUBJECT_MAX)
		return;
	if (a == s->list + s->n) {
		*a = (struct alarm){ .kind = kind, .since_us = clock_wall_us(), .since_ms = clock_ms() };
		strcpy(a->subject, subject);
		s->n++;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&line, ERR_IO, "%s", text); /* one line of UTF-8 */
	memcpy(a->text, line.text, sizeof(a->text));
	a->seen = true;
	if (!a->raised && clock_ms() - a->since_ms >= kinds[kind].patience_ms) {
		a->raised = true;
		tell(s, a, false);
	}
}

/* --- causes --------------------------------------------------------------------------------- */

static void
look_at_cert(struct alarms *s, const struct peer_status *p)
{
	int64_t left = p->seal->not_after_us - clock_wall_us();
	char until[CLOCK_ISO_MAX];

	if (left > (int64_t)s->core->conf->alarms.certificate_ms * 1000)
		return;
	clock_iso(p->seal->not_after_us, until);
	cause(s, ALARM_CERT, p->name, left > 0 ? "its certificate is valid until %s" : "its certificate was valid until %s", until);
}

static void
look_at_peers(struct alarms *s)
{
	static const char *const programs[ROLE_COUNT] = { [ROLE_SCAN] = "sealroom-scan", [ROLE_VERIFY] = "sealroom-verify",
		[ROLE_FETCH] = "sealroom-fetch", [ROLE_SEAL] = "log key" };
	struct peer_status p;

	for (uint32_t i = 0; i < children_count(s->core->children); i++) {
		bool token;

		children_status(s->core->children, i, &p);
		token = p.role == ROLE_SEAL && strcmp(p.name, "log") != 0;
		if (!p.ready)
			cause(s, token ? ALARM_TOKEN : ALARM_PROGRAM, token ? p.name : programs[p.role], "%s%s%s",
			    p.why.code != ERR_OK ? err_word(p.why.code) : "not ready", p.why.code != ERR_OK ? ": " : "", p.why.text);
		if (token && p.seal != NULL)
			look_at_cert(s, &p);
	}
}

static void
look_at_tsas(struct alarms *s)
{
	for (size_t i = 0; i < s->ntsas; i++) {
		const struct tsa_health *t = &s->tsas[i];
		uint64_t ms = t->failing_since_ms != 0 ? clock_ms() - t->failing_since_ms : 0;

		if (ms >= s->core->conf->tsa_max_wait_ms && t->failing_since_ms != 0)
			cause(s, ALARM_TSA, t->name, "no time stamp for %llu min: %s", (unsigned long long)ms / 60000, t->text);
	}
}

static bool
is_raised(const struct alarms *s, enum alarm_kind kind, const char *subject)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].kind == kind && s->list[i].raised && strcmp(s->list[i].subject, subject) == 0)
			return true;
	return false;
}

/* It ends a tenth above where it began: a disk at the limit must not ring with every job. */
static void
look_at_space(struct alarms *s, const char *place, int fd)
{
	uint64_t room, want = s->core->conf->alarms.space;
	struct err e = { 0 };

	if (is_raised(s, ALARM_SPACE, place))
		want += want / 10;
	if (spool_space(fd, &room, &e) < 0)
		cause(s, ALARM_SPACE, place, "%s", e.text);
	else if (room < want)
		cause(s, ALARM_SPACE, place, "%llu MiB are free", (unsigned long long)room >> 20);
}

/* When a held job came to be held: its question's time. */
int64_t
alarm_held_since(const struct job *j)
{
	struct stat st;

	if (fstatat(j->dir, "question", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return j->claim.received_us;
	return (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
}

static void
look_at_held(struct alarms *s)
{
	const struct core *c = s->core;
	int64_t limit = clock_wall_us() - (int64_t)c->conf->alarms.held_ms * 1000;
	char since[CLOCK_ISO_MAX];

	for (size_t f = 0; f < c->conf->nfolders; f++) {
		int64_t oldest = INT64_MAX, t;
		unsigned n = 0;

		for (const struct job *j = c->jobs; j != NULL; j = j->next)
			if (j->state == SPOOL_HELD && j->folder == &c->conf->folders[f] && (t = alarm_held_since(j)) < limit) {
				oldest = t < oldest ? t : oldest;
				n++;
			}
		if (n == 0)
			continue;
		clock_iso(oldest, since);
		cause(s, ALARM_HELD, c->conf->folders[f].name, "%u documents wait for a decision, the oldest since %s", n, since);
	}
}

/* What has become of it is settled, and its folder has not got it yet. */
static bool
is_handed_out(const struct job *j)
{
	return j->state == SPOOL_LOGGED || j->state == SPOOL_REFUSED || (j->state == SPOOL_HELD && !j->settled);
}

/* What the log keeps from being handed out is no trouble of the folder. */
static void
look_at_deliveries(struct alarms *s)
{
	for (const struct job *j = s->core->jobs; j != NULL; j = j->next)
		if (is_handed_out(j) && j->stalled && !j->log_wait && j->why.code != ERR_OK)
			cause(s, ALARM_DELIVERY, j->claim.folder, "job %s (%s) can not be handed out: %s: %s", j->claim.id,
			    spool_state_name(j->state), err_word(j->why.code), j->why.text);
}

static void
look_at_folders(struct alarms *s)
{
	const struct conf *conf = s->core->conf;

	for (size_t i = 0; i < conf->nfolders; i++)
		if (watch_dir(s->core->watch, &conf->folders[i]) < 0)
			cause(s, ALARM_FOLDER, conf->folders[i].name, "%s is not there", conf->folders[i].path);
}

/* The timer renews once a day: what is still due after some time waits for a person. */
static void
look_at_records(struct alarms *s)
{
	int64_t due = batch_due(s->core);
	char at[CLOCK_ISO_MAX];

	if (due == 0 || clock_wall_us() < due + (int64_t)s->core->conf->alarms.renewal_ms * 1000)
		return;
	clock_iso(due, at);
	cause(s, ALARM_RENEWAL, "evidence", "evidence records were to be renewed by %s; sealroom evidence renew", at);
}

static bool
cert_unknown(const struct alarms *s, const char *token)
{
	struct peer_status p;

	for (uint32_t i = 0; i < children_count(s->core->children); i++) {
		children_status(s->core->children, i, &p);
		if (p.role == ROLE_SEAL && strcmp(p.name, token) == 0)
			return p.seal == NULL;
	}
	return false;
}

static bool
tsa_unknown(const struct alarms *s, const char *tsa)
{
	for (size_t i = 0; i < s->ntsas; i++)
		if (strcmp(s->tsas[i].name, tsa) == 0)
			return !s->tsas[i].fine;
	return conf_tsa(s->core->conf, tsa) != NULL;
}

/* One of its deliveries was not tried yet, for want of the log or because it goes on just now. */
static bool
delivery_unknown(const struct core *c, const char *folder)
{
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (is_handed_out(j) && !j->stalled && strcmp(j->claim.folder, folder) == 0)
			return true;
	return false;
}

/* Nothing was heard yet in this run of what the alarm is about: whether it holds is not known. */
static bool
unknown(const struct alarms *s, const struct alarm *a)
{
	switch (a->kind) {
	case ALARM_CERT:
		return cert_unknown(s, a->subject);
	case ALARM_TSA:
		return tsa_unknown(s, a->subject);
	case ALARM_DELIVERY:
		return delivery_unknown(s->core, a->subject);
	default:
		return false;
	}
}

static void
sweep(struct alarms *s)
{
	for (size_t i = 0; i < s->n;) {
		struct alarm *a = &s->list[i];

		if (a->seen || (a->raised && unknown(s, a))) {
			i++;
			continue;
		}
		if (a->raised)
			tell(s, a, true);
		*a = s->list[--s->n];
	}
}

static void
on_look(void *ctx)
{
	struct alarms *s = ctx;
	struct core *c = s->core;

	s->timer = loop_timer(c->loop, LOOK_MS, on_look, s);
	if (c->stopping)
		return;
	for (size_t i = 0; i < s->n; i++)
		s->list[i].seen = false;
	look_at_peers(s);
	look_at_tsas(s);
	look_at_space(s, "spool", c->spool.state);
	look_at_space(s, "archive", archive_dir(c->archive));
	look_at_held(s);
	look_at_deliveries(s);
	look_at_folders(s);
	look_at_records(s);
	sweep(s);
	if (s->changed)
		keep(s);
}

/* --- for the core --------------------------------------------------------------------------- */

void
alarm_tsa(struct core *c, const char *tsa, const struct err *why)
{
	struct alarms *s = c->alarms;
	struct tsa_health *t;

	if (s == NULL)
		return;
	for (t = s->tsas; t < s->tsas + s->ntsas && strcmp(t->name, tsa) != 0; t++)
		;
	if (t == s->tsas + sizeof(s->tsas) / sizeof(s->tsas[0]))
		return;
	if (t == s->tsas + s->ntsas) {
		snprintf(t->name, sizeof(t->name), "%s", tsa);
		s->ntsas++;
	}
	t->fine = why == NULL;
	if (why == NULL) {
		t->failing_since_ms = 0;
		return;
	}
	if (t->failing_since_ms == 0)
		t->failing_since_ms = clock_ms();
	memcpy(t->text, why->text, sizeof(t->text));
}

int
alarm_open(struct core *c, struct err *e)
{
	struct alarms *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_set(e, ERR_MEM, "alarms");
	s->core = c;
	if ((r = load(s, e)) < 0) {
		free(s);
		return r;
	}
	c->alarms = s;
	s->timer = loop_timer(c->loop, FIRST_MS, on_look, s);
	return 0;
}

void
alarm_close(struct core *c)
{
	if (c->alarms == NULL)
		return;
	loop_timer_del(c->loop, c->alarms->timer);
	free(c->alarms);
	c->alarms = NULL;
}
