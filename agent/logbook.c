#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "seal/evidence/entry.h"

#include "agent/clockwatch.h"
#include "agent/core.h"
#include "agent/journal.h"
#include "agent/reconcile.h"

#define PUBLISH_MS 1000
#define PUBLISH_ENTRIES 256
#define LAST_START_MAX 65536

static void
entry_host(struct entry *x)
{
	if (gethostname(x->host, sizeof(x->host) - 1) < 0)
		x->host[0] = '\0';
	snprintf(x->software, sizeof(x->software), "%s", build_version);
	snprintf(x->build, sizeof(x->build), "%s", build_id);
}

void
logbook_job(struct core *c, struct job *j, struct entry *x)
{
	uint8_t salt[ENTRY_SALT_LEN];
	bool plain = j->folder != NULL && j->folder->log_names_plain;

	(void)c;
	memcpy(x->job, j->claim.id, ID_MAX);
	snprintf(x->folder, sizeof(x->folder), "%s", j->claim.folder);
	if (x->type != ENTRY_JOB && x->type != ENTRY_REJECT && x->type != ENTRY_HOLD && x->type != ENTRY_WITHDRAW &&
	    x->type != ENTRY_REPEAT && x->type != ENTRY_DIVIDE)
		return;
	claim_salt(&j->claim, salt);
	x->has_source = true;
	entry_name_set(&x->source, j->claim.name, salt, plain);
	x->source_size = j->claim.size;
	memcpy(x->source_hash, j->claim.hash, HASH_LEN);
	x->source_mtime_us = j->claim.mtime_ns / 1000;
	x->source_owner = j->claim.owner;
	x->received_us = j->claim.received_us;
	x->has_operator = true;
	x->operator_uid = j->claim.owner;
}

/* Said in the journal, and left in state/stopped for `sealroom status`, which finds no daemon then. */
void
logbook_remedy(struct core *c, const struct err *e)
{
	char text[ERR_TEXT_MAX + 64];
	struct err why = { 0 };
	int n;

	if (e->code == ERR_LOG_ROLLBACK)
		log_line(LOG_ALERT, "evidence log: bring back the newest copy of %s, or of the anti-rollback record in %s; only "
		                    "if there is none: sealroom evidence resume --after-restore --reason TEXT. What lies in the "
		                    "folders stays there. See RESTORE in sealroomd(8)", c->conf->archive.path, c->conf->evidence.anchor);
	else if (core_exit_of(e) == EXIT_LOG_ROLLBACK && !c->log_ready)
		log_line(LOG_ALERT, "evidence log: bring back what is damaged, missing or another, from its newest copy: %s/evidence, "
		                    "the log's key %s, or the anti-rollback record in %s; see RESTORE in sealroomd(8)",
		    c->conf->archive.path, c->conf->evidence.key, c->conf->evidence.anchor);
	else
		return;
	n = snprintf(text, sizeof(text), "%s %s\n", err_word(e->code), e->text);
	if (c->spool.state >= 0 && io_replace(c->spool.state, STOPPED_FILE, text, (size_t)n, 0600, &why) < 0)
		log_err(LOG_WARNING, "state/" STOPPED_FILE, &why);
}

/* Once it had begun, and after a sync that failed, only the next start can tell what is wrong with the log. */
static int
fatal_status(const struct core *c, const struct err *e)
{
	if (e->code != ERR_LOG_ROLLBACK && (c->log_ready || elog_poisoned(c->elog)))
		return EX_IOERR;
	return core_exit_of(e);
}

/* The log can not be trusted or written any more: nothing is signed on top of it. */
void
logbook_fatal(struct core *c, const struct err *e)
{
	int status = fatal_status(c, e);

	journal(JOURNAL_LOG_STOPPED, LOG_ALERT, &(struct about){ .reason = err_word(e->code) },
	    "evidence log: %s: %s; nothing is sealed until this is settled", err_word(e->code), e->text);
	if (status == EXIT_LOG_ROLLBACK)
		logbook_remedy(c, e);
	core_stop(c, status);
}

int
logbook_append(struct core *c, struct entry *x, uint64_t *ret_index, struct err *e)
{
	entry_host(x);
	return elog_append(c->elog, x, ret_index, e);
}

int
logbook_once(struct job *j, struct entry *x, const char *line, int (*fill)(struct job *, struct entry *, struct err *),
    struct err *e)
{
	struct core *c = j->core;
	int r;

	if ((r = elog_find(c->elog, x->type, j->claim.id, line, j->log_from, &j->log_index, e)) != 0)
		return r;
	if ((r = fill(j, x, e)) < 0 || (r = logbook_append(c, x, &j->log_index, e)) < 0)
		return r;
	j->log_wait = j->busy = true;
	logbook_commit_soon(c);
	return 0;
}

/* --- checkpoints ----------------------------------------------------------------------- */

static void on_publish(void *ctx);

static void
publish_later(struct core *c, uint64_t ms)
{
	if (c->publish_timer == 0)
		c->publish_timer = loop_timer(c->loop, ms, on_publish, c);
}

static void
on_noted(void *ctx, const struct err *why, const char *checkpoint)
{
	struct core *c = ctx;
	struct err e = { 0 };

	c->noting = false;
	if (why != NULL) {
		if (why->code == ERR_LOG_ROLLBACK || why->code == ERR_LOG)
			logbook_fatal(c, why);
		else if (c->stopping)
			loop_stop(c->loop);
		else
			publish_later(c, PUBLISH_MS);
		return;
	}
	if (elog_publish(c->elog, checkpoint, &e) < 0) {
		if (err_class(e.code) == ERR_CLASS_STOP)
			logbook_fatal(c, &e);
		else
			publish_later(c, PUBLISH_MS);
		return;
	}
	if (elog_published(c->elog) < elog_size(c->elog))
		publish_later(c, PUBLISH_MS);
	else if (c->stopping)
		loop_stop(c->loop);
	else
		core_idle_check(c);
}

static void
on_publish(void *ctx)
{
	struct core *c = ctx;
	struct err e = { 0 };
	uint8_t root[HASH_LEN];
	uint64_t size = elog_size(c->elog);

	c->publish_timer = 0;
	if (c->noting || size == elog_published(c->elog))
		return;
	if (elog_integrate(c->elog, &e) < 0 || elog_root(c->elog, size, root, &e) < 0) {
		if (err_class(e.code) == ERR_CLASS_STOP) {
			logbook_fatal(c, &e);
			return;
		}
		log_err(LOG_WARNING, "evidence log: tiles wait", &e);
		publish_later(c, 10 * PUBLISH_MS);
		return;
	}
	c->noting = true;
	if (children_note(c->children, c->conf->evidence.origin, size, root, on_noted, c) < 0) {
		c->noting = false;
		publish_later(c, PUBLISH_MS);
	}
}

void
logbook_publish_now(struct core *c)
{
	if (c->publish_timer == 0 || elog_published(c->elog) == elog_size(c->elog))
		return;
	loop_timer_del(c->loop, c->publish_timer);
	c->publish_timer = 0;
	publish_later(c, 0);
}

/* --- commits --------------------------------------------------------------------------- */

static int
commit_now(struct core *c, struct err *e)
{
	int r = elog_commit(c->elog, e);

	if (r == 0)
		publish_later(c, elog_size(c->elog) - elog_published(c->elog) >= PUBLISH_ENTRIES ? 0 : PUBLISH_MS);
	return r;
}

static void
on_commit(void *ctx)
{
	struct core *c = ctx;
	struct err e = { 0 };

	c->commit_timer = 0;
	if (commit_now(c, &e) < 0) {
		if (err_class(e.code) == ERR_CLASS_STOP) {
			logbook_fatal(c, &e);
			return;
		}
		log_err(LOG_WARNING, "evidence log: entries wait", &e);
		for (struct job *j = c->jobs; j != NULL; j = j->next)
			if (j->log_wait) {
				j->why = e;
				j->stalled = true;
			}
		c->commit_timer = loop_timer(c->loop, 5000, on_commit, c);
		return;
	}
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (j->log_wait) {
			j->log_wait = j->busy = false;
			memset(&j->why, 0, sizeof(j->why));
			job_step_soon(j, 0);
		}
}

int
logbook_say(struct core *c, struct entry *x, uint64_t *ret_index, struct err *e)
{
	int r;

	if (!c->log_ready)
		return err_set(e, ERR_LATER, "the log is not ready yet");
	if ((r = logbook_append(c, x, ret_index, e)) == 0)
		r = commit_now(c, e);
	if (r < 0 && err_class(e->code) == ERR_CLASS_STOP)
		logbook_fatal(c, e);
	return r;
}

void
logbook_commit_soon(struct core *c)
{
	if (c->commit_timer == 0)
		c->commit_timer = loop_timer(c->loop, 0, on_commit, c);
}

/* --- start and stop -------------------------------------------------------------------- */

int
logbook_open(struct core *c, struct err *e)
{
	return elog_open(&c->elog, archive_dir(c->archive), c->conf->evidence.origin, false, e);
}

/* The last entry of this type, at *ret or after it; 1 with *ret, 0: none. */
static int
last_of(struct core *c, enum entry_type type, uint64_t *ret, struct err *e)
{
	uint64_t from = *ret, at;
	int r, found = 0;

	while ((r = elog_find(c->elog, type, NULL, NULL, from, &at, e)) == 1) {
		*ret = at;
		from = at + 1;
		found = 1;
	}
	return r < 0 ? r : found;
}

/*
 * The entry that says which settings were in force last: a start, or a change while
 * it ran.  A start must not read the whole log: behind a run of more entries than
 * these the settings are simply entered again.
 */
static int
last_settings(struct core *c, uint64_t *ret, struct err *e)
{
	uint64_t size = elog_size(c->elog);
	int start, change;

	*ret = size > LAST_START_MAX ? size - LAST_START_MAX : 0;
	if ((start = last_of(c, ENTRY_START, ret, e)) < 0 || (change = last_of(c, ENTRY_CONFIG, ret, e)) < 0)
		return -(int)e->code;
	return start == 1 || change == 1;
}

static int
append_config(struct core *c, struct err *e)
{
	struct entry x = { .type = ENTRY_CONFIG };
	char hex[HASH_HEX], name[96], line[96];
	uint64_t at;
	int r;

	hash_hex(c->conf->hash, hex);
	snprintf(line, sizeof(line), "config sha256:%s", hex);
	/* the last that were put in force: nothing to say */
	if ((r = last_settings(c, &at, e)) < 0)
		return r;
	if (r == 1) {
		AUTO_BUF b;

		buf_init(&b, ENTRY_MAX);
		if ((r = elog_entry(c->elog, at, &b, e)) < 0)
			return r;
		if (entry_has_line(b.data, b.len, line))
			return 0;
	}
	memcpy(x.config_hash, c->conf->hash, HASH_LEN);
	snprintf(name, sizeof(name), "config/%s.conf", hex);
	if ((r = elog_keep(c->elog, name, c->conf_text, strlen(c->conf_text), &x.files[0], e)) < 0)
		return r;
	x.nfiles = 1;
	return logbook_append(c, &x, &at, e);
}

void
logbook_config(struct core *c)
{
	struct err e = { 0 };

	if (append_config(c, &e) == 0)
		logbook_commit_soon(c);
	else if (err_class(e.code) == ERR_CLASS_STOP)
		logbook_fatal(c, &e);
	else
		log_err(LOG_WARNING, "evidence log: the settings are entered at the next start", &e);
}

static int
append_start(struct core *c, const struct ready_seal *found, struct err *e)
{
	struct entry x = { .type = ENTRY_START };
	uint64_t at;
	int r;

	x.disk_size = elog_size(c->elog);
	if (x.disk_size > 0 && (r = elog_root(c->elog, x.disk_size, x.disk_root, e)) < 0)
		return r;
	x.has_anchor = found->log_has_record != 0;
	x.anchor_size = found->log_size;
	memcpy(x.anchor_root, found->log_root, HASH_LEN);
	memcpy(x.config_hash, c->conf->hash, HASH_LEN);
	if (clock_boot_id(x.boot) < 0)
		x.boot[0] = '\0';
	return logbook_append(c, &x, &at, e);
}

/* The key of the log itself, when the log is new. */
static int
append_key(struct core *c, const char *vkey, struct err *e)
{
	struct entry x = { .type = ENTRY_KEY };
	uint64_t at;
	int r;

	if ((r = elog_find(c->elog, ENTRY_KEY, NULL, NULL, 0, &at, e)) != 0)
		return r < 0 ? r : 0;
	snprintf(x.key_role, sizeof(x.key_role), "log");
	snprintf(x.key_name, sizeof(x.key_name), "%s", c->conf->evidence.origin);
	hash_bytes(vkey, strlen(vkey), x.key_hash);
	return logbook_append(c, &x, &at, e);
}

/*
 * What the log must have followed: the anti-rollback record, or where a person
 * gave it up, the log as that person saw it.
 */
static int
anchor_of(struct core *c, const struct ready_seal *facts, struct resume *resume, struct elog_anchor *a, struct err *e)
{
	struct err ignored;
	int r;

	*a = (struct elog_anchor){ .has = facts->log_has_record != 0, .size = facts->log_size, .note = facts->log_note };
	memcpy(a->root, facts->log_root, HASH_LEN);
	/* a newer copy was found meanwhile, and the record holds again: then there is nothing to give up */
	if (facts->log_resume[0] == '\0' || elog_check_anchor(c->elog, a, &ignored) == 0)
		return 0;
	if ((r = resume_parse(facts->log_resume, resume, e)) < 0)
		return r;
	*a = (struct elog_anchor){ .has = true, .size = resume->disk_size, .note = "" };
	memcpy(a->root, resume->disk_root, HASH_LEN);
	return 1;
}

/* The first entry after a restore says what is known, who went on, and why; jobs follow it. */
static int
append_break(struct core *c, const struct resume *resume, struct err *e)
{
	struct entry x = { .type = ENTRY_BREAK, .disk_size = resume->disk_size, .has_anchor = resume->has_record,
		.anchor_size = resume->record_size, .has_operator = true, .operator_uid = resume->uid };
	char hex[HASH_HEX], line[HASH_HEX + 48];
	uint64_t at;
	int r;

	memcpy(x.disk_root, resume->disk_root, HASH_LEN);
	memcpy(x.anchor_root, resume->record_root, HASH_LEN);
	memcpy(x.text, resume->reason, sizeof(x.text));
	hash_hex(x.disk_root, hex);
	snprintf(line, sizeof(line), "disk %llu sha256:%s", (unsigned long long)x.disk_size, hex);
	/* written already, and died before its checkpoint was signed */
	if ((r = elog_find(c->elog, ENTRY_BREAK, NULL, line, x.disk_size, &at, e)) != 0)
		return r < 0 ? r : reconcile_forget(c, e);
	if ((r = reconcile_break(c, resume, &x, e)) < 0 || (r = logbook_append(c, &x, &at, e)) < 0 || (r = commit_now(c, e)) < 0)
		return r;
	log_line(LOG_WARNING, "evidence log: goes on at entry %llu after a restore (break): %u jobs entered again, %u lost, %u "
	                      "put aside; the list is evidence/%s", (unsigned long long)at, x.again, x.lost, x.aside, x.files[0].name);
	return reconcile_forget(c, e);
}

static int
begin(struct core *c, const struct ready_seal *facts, struct err *e)
{
	struct elog_anchor a;
	struct resume resume;
	int64_t last = 0;
	int r, resumed;

	if ((r = elog_trust(c->elog, facts->vkey, e)) < 0 || (resumed = r = anchor_of(c, facts, &resume, &a, e)) < 0)
		return r;
	if (c->log_ready) /* the log's key process came back: the same key, the same record */
		return elog_check_anchor(c->elog, &a, e);
	/* the newest entry of the run before tells whether the clock went back */
	if ((r = elog_recover(c->elog, &a, e)) == 0)
		last = clockwatch_last(c);
	if (r < 0 || (resumed == 1 && (r = append_break(c, &resume, e)) < 0) ||
	    (r = reconcile_jobs(c, e)) < 0 || (r = append_start(c, facts, e)) < 0 || (r = append_key(c, facts->vkey, e)) < 0 ||
	    (r = append_config(c, e)) < 0 || (r = commit_now(c, e)) < 0)
		return r;
	c->log_ready = true;
	clockwatch_start(c, last);
	return io_unlink(c->spool.state, STOPPED_FILE, e);
}

void
logbook_key_ready(struct core *c)
{
	const struct ready_seal *facts = children_log_facts(c->children);
	struct err e = { 0 };
	bool again;

	if (facts == NULL)
		return;
	again = c->log_ready;
	if (begin(c, facts, &e) < 0) {
		if (err_class(e.code) == ERR_CLASS_STOP) {
			logbook_fatal(c, &e);
		} else { /* no space, a disk that fails: nothing is wrong with the log, the next start may do */
			log_err(LOG_CRIT, "evidence log: can not begin", &e);
			core_stop(c, EX_TEMPFAIL);
		}
		return;
	}
	if (again) {
		publish_later(c, 0);
		return;
	}
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		job_step_soon(j, 0);
}

/* Last words. Their checkpoint follows; core_stop() waits for it. */
void
logbook_stop(struct core *c)
{
	struct entry x = { .type = ENTRY_STOP, .reason = "end" };
	struct err e = { 0 };
	uint64_t at;

	if (logbook_append(c, &x, &at, &e) < 0 || elog_commit(c->elog, &e) < 0) {
		log_err(LOG_WARNING, "evidence log: stop is not written", &e);
		return;
	}
	loop_timer_del(c->loop, c->publish_timer);
	c->publish_timer = 0;
	publish_later(c, 0);
}
