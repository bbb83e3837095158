#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"

#include "agent/alarm.h"
#include "agent/batch.h"
#include "agent/metrics.h"
#include "agent/pause.h"
#include "agent/watch.h"

#define FIRST_MS 1000
#define WRITE_MS 10000
#define TEXT_MAX (4u << 20)
#define BUCKETS 12
#define TSAS_MAX 20 /* as many as the settings may name */

/* Upper bounds in seconds; the last bucket is +Inf. */
static const double job_bounds[BUCKETS] = { 1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 86400 };
static const double tsa_bounds[BUCKETS] = { 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60 };

struct histogram {
	uint64_t bucket[BUCKETS + 1];
	double sum;
};

struct folder_figures {
	uint64_t ended[METRICS_OUTCOMES];
	struct histogram seconds;
};

struct tsa_figures {
	char name[MSG_NAME_MAX];
	bool up;
	uint64_t answered, failed;
	struct histogram seconds;
};

struct metrics {
	struct core *core;
	bool ends;
	uint64_t timer, pages;
	size_t ntsas;
	struct tsa_figures tsas[TSAS_MAX];
	struct log_limit said;
	size_t nfolders;
	struct folder_figures folders[];
};

/* --- counting ----------------------------------------------------------------------------- */

static void
observe(struct histogram *h, const double *bounds, double seconds)
{
	size_t i = 0;

	while (i < BUCKETS && seconds > bounds[i])
		i++;
	h->bucket[i]++;
	h->sum += seconds;
}

static struct folder_figures *
folder_of(const struct job *j)
{
	struct metrics *m = j->core->metrics;
	size_t i = m != NULL && j->folder != NULL ? (size_t)(j->folder - j->core->conf->folders) : SIZE_MAX;

	return m != NULL && i < m->nfolders ? &m->folders[i] : NULL;
}

void
metrics_job(const struct job *j, enum metrics_outcome outcome)
{
	struct folder_figures *f = folder_of(j);
	int64_t took = clock_wall_us() - j->claim.received_us;

	if (f == NULL)
		return;
	f->ended[outcome]++;
	if (outcome == METRICS_SEALED)
		observe(&f->seconds, job_bounds, took > 0 ? (double)took / 1e6 : 0);
}

void
metrics_pages(struct core *c, uint32_t n)
{
	if (c->metrics != NULL)
		c->metrics->pages += n;
}

void
metrics_tsa(struct core *c, const char *tsa, bool answered, double seconds)
{
	struct metrics *m = c->metrics;
	struct tsa_figures *t = m != NULL ? m->tsas : NULL;

	if (m == NULL)
		return;
	while (t < m->tsas + m->ntsas && strcmp(t->name, tsa) != 0)
		t++;
	if (t == m->tsas + TSAS_MAX)
		return;
	if (t == m->tsas + m->ntsas) {
		snprintf(t->name, sizeof(t->name), "%s", tsa);
		m->ntsas++;
	}
	t->up = answered;
	if (answered) {
		t->answered++;
		observe(&t->seconds, tsa_bounds, seconds);
	} else {
		t->failed++;
	}
}

/* --- the text ------------------------------------------------------------------------------- */

/* name: without the prefix. */
static void
head(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP sealroom_%s %s\n# TYPE sealroom_%s %s\n", name, help, name, type);
}

/* A value of a label: backslash, quote and newline are escaped. */
static void
label(struct buf *b, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_put_u8(b, '\\');
		if (*value == '\n')
			buf_printf(b, "\\n");
		else
			buf_put_u8(b, (uint8_t)*value);
	}
}

/* One line with up to two labels; a key NULL ends them. */
static void
value(struct buf *b, const char *name, const char *key1, const char *value1, const char *key2, const char *value2, double v)
{
	buf_printf(b, "sealroom_%s", name);
	if (key1 != NULL && value1 != NULL) {
		buf_printf(b, "{%s=\"", key1);
		label(b, value1);
		buf_printf(b, "\"");
		if (key2 != NULL && value2 != NULL) {
			buf_printf(b, ",%s=\"", key2);
			label(b, value2);
			buf_printf(b, "\"");
		}
		buf_printf(b, "}");
	}
	buf_printf(b, v == (double)(int64_t)v ? " %.0f\n" : " %.6f\n", v);
}

static void
put_histogram(struct buf *b, const char *name, const char *key, const char *of, const struct histogram *h,
    const double *bounds)
{
	char full[64], bound[32];
	uint64_t n = 0;

	snprintf(full, sizeof(full), "%s_bucket", name);
	for (size_t i = 0; i <= BUCKETS; i++) {
		n += h->bucket[i];
		if (i < BUCKETS)
			snprintf(bound, sizeof(bound), "%g", bounds[i]);
		value(b, full, key, of, "le", i < BUCKETS ? bound : "+Inf", (double)n);
	}
	snprintf(full, sizeof(full), "%s_sum", name);
	value(b, full, key, of, NULL, NULL, h->sum);
	snprintf(full, sizeof(full), "%s_count", name);
	value(b, full, key, of, NULL, NULL, (double)n);
}

static void
put_jobs(struct buf *b, const struct metrics *m)
{
	static const char *const outcomes[METRICS_OUTCOMES] = { "sealed", "refused", "withdrawn", "held", "divided" };
	const struct core *c = m->core;

	head(b, "jobs", "gauge", "Jobs by folder and state.");
	for (size_t f = 0; f < m->nfolders; f++) {
		unsigned n[SPOOL_STATES] = { 0 };

		for (const struct job *j = c->jobs; j != NULL; j = j->next)
			if (!j->dead && j->folder == &c->conf->folders[f])
				n[j->state]++;
		for (int s = SPOOL_CLAIMED; s < SPOOL_STATES; s++)
			value(b, "jobs", "folder", c->conf->folders[f].name, "state", spool_state_name((enum spool_state)s), n[s]);
	}
	head(b, "jobs_ended_total", "counter", "Jobs that came to this outcome since the start; held ones may still end otherwise.");
	for (size_t f = 0; f < m->nfolders; f++)
		for (int o = 0; o < METRICS_OUTCOMES; o++)
			value(b, "jobs_ended_total", "folder", c->conf->folders[f].name, "outcome", outcomes[o],
			    (double)m->folders[f].ended[o]);
	head(b, "job_seconds", "histogram", "From being taken to being delivered sealed.");
	for (size_t f = 0; f < m->nfolders; f++)
		put_histogram(b, "job_seconds", "folder", c->conf->folders[f].name, &m->folders[f].seconds, job_bounds);
	head(b, "pages_total", "counter", "Pages read since the start.");
	value(b, "pages_total", NULL, NULL, NULL, NULL, (double)m->pages);
}

static void
put_folders(struct buf *b, const struct metrics *m)
{
	const struct core *c = m->core;
	json_t *list = watch_json(c->watch);

	head(b, "folder_up", "gauge", "1 when the hot folder is there.");
	for (size_t f = 0; f < m->nfolders; f++)
		value(b, "folder_up", "folder", c->conf->folders[f].name, NULL, NULL,
		    watch_dir(c->watch, &c->conf->folders[f]) >= 0);
	head(b, "folder_paused", "gauge", "1 when a person has paused it.");
	for (size_t f = 0; f < m->nfolders; f++)
		value(b, "folder_paused", "folder", c->conf->folders[f].name, NULL, NULL,
		    pause_has(c, &c->conf->folders[f], NULL));
	head(b, "folder_files", "gauge", "Files in the hot folder that are not taken yet.");
	for (size_t i = 0; i < json_array_size(list); i++) {
		static const char *const keys[] = { "waiting", "later", "busy", "ignored", "odd", "more" };
		const json_t *o = json_array_get(list, i);

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			value(b, "folder_files", "folder", json_string_value(json_object_get(o, "name")), "is", keys[k],
			    (double)json_integer_value(json_object_get(o, keys[k])));
	}
	json_decref(list);
}

static void
put_held(struct buf *b, const struct core *c)
{
	int64_t oldest = INT64_MAX, t;

	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (j->state == SPOOL_HELD && (t = alarm_held_since(j)) < oldest)
			oldest = t;
	head(b, "oldest_held_seconds", "gauge", "For how long the oldest held document has waited; 0: none is held.");
	value(b, "oldest_held_seconds", NULL, NULL, NULL, NULL,
	    oldest == INT64_MAX ? 0 : (double)((clock_wall_us() - oldest) / 1000000));
}

/* One line a token of one figure; those that were never ready have only the first. */
static void
put_tokens(struct buf *b, const struct core *c)
{
	static const struct {
		const char *name, *type, *help;
	} figures[] = {
		{ "token_ready", "gauge", "1 when the token can sign." },
		{ "token_signatures_total", "counter", "Signatures since its process began." },
		{ "certificate_days_left", "gauge", "Days for which the seal's certificate is valid." },
	};
	struct peer_status p;

	for (size_t f = 0; f < sizeof(figures) / sizeof(figures[0]); f++) {
		head(b, figures[f].name, figures[f].type, figures[f].help);
		for (uint32_t i = 0; i < children_count(c->children); i++) {
			children_status(c->children, i, &p);
			if (p.role != ROLE_SEAL || strcmp(p.name, "log") == 0 || (f > 0 && p.seal == NULL))
				continue;
			value(b, figures[f].name, "token", p.name, NULL, NULL,
			    f == 0 ? p.ready :
			    f == 1 ? (double)p.seal->signatures :
			             (double)((p.seal->not_after_us - clock_wall_us()) / 1000000) / 86400);
		}
	}
	head(b, "program_up", "gauge", "1 when the program is ready.");
	for (uint32_t i = 0; i < children_count(c->children); i++) {
		static const char *const names[ROLE_COUNT] = { [ROLE_SCAN] = "sealroom-scan", [ROLE_VERIFY] = "sealroom-verify",
			[ROLE_FETCH] = "sealroom-fetch", [ROLE_SEAL] = "log-key" };

		children_status(c->children, i, &p);
		if (p.role != ROLE_SEAL || strcmp(p.name, "log") == 0)
			value(b, "program_up", "program", names[p.role], NULL, NULL, p.ready);
	}
}

static void
put_tsas(struct buf *b, const struct metrics *m)
{
	head(b, "tsa_up", "gauge", "1 when the last question to it was answered.");
	for (size_t i = 0; i < m->ntsas; i++)
		value(b, "tsa_up", "tsa", m->tsas[i].name, NULL, NULL, m->tsas[i].up);
	head(b, "tsa_requests_total", "counter", "Questions for a time stamp since the start.");
	for (size_t i = 0; i < m->ntsas; i++) {
		value(b, "tsa_requests_total", "tsa", m->tsas[i].name, "outcome", "answered", (double)m->tsas[i].answered);
		value(b, "tsa_requests_total", "tsa", m->tsas[i].name, "outcome", "failed", (double)m->tsas[i].failed);
	}
	head(b, "tsa_seconds", "histogram", "How long an answer took.");
	for (size_t i = 0; i < m->ntsas; i++)
		put_histogram(b, "tsa_seconds", "tsa", m->tsas[i].name, &m->tsas[i].seconds, tsa_bounds);
}

static void
put_disk_and_log(struct buf *b, const struct core *c)
{
	uint64_t room;
	struct err e;

	head(b, "disk_free_bytes", "gauge", "Free space where it matters.");
	if (spool_space(c->spool.state, &room, &e) == 0)
		value(b, "disk_free_bytes", "place", "spool", NULL, NULL, (double)room);
	if (spool_space(archive_dir(c->archive), &room, &e) == 0)
		value(b, "disk_free_bytes", "place", "archive", NULL, NULL, (double)room);
	head(b, "log_entries", "gauge", "Entries of the evidence log.");
	value(b, "log_entries", NULL, NULL, NULL, NULL, (double)elog_size(c->elog));
	head(b, "log_signed_entries", "gauge", "Of these, under a signed checkpoint.");
	value(b, "log_signed_entries", NULL, NULL, NULL, NULL, (double)elog_published(c->elog));
	head(b, "evidence_records", "gauge", "Time stamps over documents and log, renewals counted.");
	value(b, "evidence_records", NULL, NULL, NULL, NULL, batch_count(c));
	if (batch_due(c) == 0)
		return;
	head(b, "evidence_renewal_due_seconds", "gauge", "When the first of them is to be renewed, seconds since 1970.");
	value(b, "evidence_renewal_due_seconds", NULL, NULL, NULL, NULL, (double)(batch_due(c) / 1000000));
}

static void
put_alarm(void *ctx, const char *word, const char *subject, const char *text)
{
	(void)text;
	value(ctx, "alarm", "alarm", word, "subject", subject, 1);
}

int
metrics_text(struct core *c, struct buf *b, struct err *e)
{
	const struct metrics *m = c->metrics;

	buf_clear(b);
	head(b, "info", "gauge", "Always 1; version and build.");
	value(b, "info", "version", build_version, "build", build_id, 1);
	head(b, "start_time_seconds", "gauge", "When the daemon began, seconds since 1970.");
	value(b, "start_time_seconds", NULL, NULL, NULL, NULL, (double)(c->started_us / 1000000));
	head(b, "written_time_seconds", "gauge", "When this was written, seconds since 1970; old, when the daemon was killed.");
	value(b, "written_time_seconds", NULL, NULL, NULL, NULL, (double)(clock_wall_us() / 1000000));
	head(b, "running", "gauge", "1 while it works, 0 while it starts or ends, and after its end.");
	value(b, "running", NULL, NULL, NULL, NULL, c->log_ready && !c->stopping && !m->ends);
	put_jobs(b, m);
	put_folders(b, m);
	put_held(b, c);
	put_tokens(b, c);
	put_tsas(b, m);
	put_disk_and_log(b, c);
	head(b, "alarm", "gauge", "1 for each alarm that is raised.");
	alarm_each(c, put_alarm, b);
	return buf_ok(b) ? 0 : err_set(e, ERR_MEM, "metrics");
}

/* --- the file --------------------------------------------------------------------------------- */

static int
replace(const char *path, const struct buf *b, struct err *e)
{
	char temp[PATH_MAX];
	AUTO_FD fd = -1;
	int r = snprintf(temp, sizeof(temp), "%s.new", path);

	if (r < 0 || (size_t)r >= sizeof(temp))
		return err_set(e, ERR_CONF, "metrics: the path is too long");
	if (unlink(temp) < 0 && errno != ENOENT)
		return err_sys(e, ERR_IO, "%s", temp);
	if ((fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)) < 0)
		return err_sys(e, ERR_IO, "%s", temp);
	/* for the collector, which is another user; nothing in it is secret */
	if (fchmod(fd, 0644) < 0)
		r = err_sys(e, ERR_IO, "%s", temp);
	else
		r = io_write_full(fd, b->data, b->len, e);
	if (r >= 0 && rename(temp, path) < 0)
		r = err_sys(e, ERR_IO, "%s", path);
	if (r < 0)
		unlink(temp);
	return r < 0 ? r : 0;
}

static void
write_now(struct metrics *m)
{
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, TEXT_MAX);
	if (metrics_text(m->core, &b, &e) < 0 || replace(m->core->conf->metrics, &b, &e) < 0)
		log_limited(&m->said, 600000, LOG_WARNING, "metrics: %s", e.text);
}

static void
on_write(void *ctx)
{
	struct metrics *m = ctx;

	write_now(m);
	m->timer = loop_timer(m->core->loop, WRITE_MS, on_write, m);
}

int
metrics_open(struct core *c, struct err *e)
{
	struct metrics *m;

	if (c->conf->metrics[0] == '\0')
		return 0;
	if ((m = calloc(1, sizeof(*m) + c->conf->nfolders * sizeof(m->folders[0]))) == NULL)
		return err_set(e, ERR_MEM, "metrics");
	m->core = c;
	m->nfolders = c->conf->nfolders;
	m->timer = loop_timer(c->loop, FIRST_MS, on_write, m);
	c->metrics = m;
	return 0;
}

void
metrics_end(struct core *c)
{
	if (c->metrics == NULL)
		return;
	c->metrics->ends = true;
	write_now(c->metrics);
}

void
metrics_close(struct core *c)
{
	if (c->metrics == NULL)
		return;
	loop_timer_del(c->loop, c->metrics->timer);
	free(c->metrics);
	c->metrics = NULL;
}
