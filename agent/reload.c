#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/proc.h"

#include "agent/byticket.h"
#include "agent/keep.h"
#include "agent/metrics.h"
#include "agent/reload.h"
#include "agent/standing.h"
#include "agent/trying.h"
#include "agent/watch.h"

#define CLAIMS_AT_ONCE 4
#define WAIT_MS 50 /* how often a change-over looks whether the last claim has ended */
#define RECOUNT_MS 5000

/* Settings that are out of force: a delivery under way may still look into them. */
struct old_conf {
	struct old_conf *next;
	struct conf *conf;
};

/* --- what is made of them ------------------------------------------------------------------ */

/* Names are looked up once: a directory service that hangs must not hang the mail. */
int
core_operators(const struct conf *conf, struct operator **ret, struct err *e)
{
	const struct strings *names = &conf->operators;
	struct operator *list = calloc(names->n + 1, sizeof(*list));

	if (list == NULL)
		return err_set(e, ERR_MEM, "operators");
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		const struct group *g = name[0] == '@' ? getgrnam(name + 1) : NULL;
		const struct passwd *p = name[0] != '@' ? getpwnam(name) : NULL;

		if (g == NULL && p == NULL) {
			free(list);
			return err_set(e, ERR_CONF, "operators: there is no %s %s on this host", name[0] == '@' ? "group" : "user",
			    name[0] == '@' ? name + 1 : name);
		}
		list[i].group = g != NULL;
		list[i].id = g != NULL ? g->gr_gid : p->pw_uid;
	}
	*ret = list;
	return 0;
}

uint32_t
core_workers(const struct conf *conf)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return conf->scan.workers != 0 ? conf->scan.workers : (uint32_t)(cores > 0 ? cores : 1);
}

int
core_watch_folders(struct core *c, struct err *e)
{
	const struct watch_owner owner = { .agent = c->spool.agent, .state = c->spool.state, .opened = claiming_opened };

	return watch_open(&c->watch, c->loop, c->conf, &owner, CLAIMS_AT_ONCE, claiming_on_quiet, c, e);
}

/* --- may they? --------------------------------------------------------------------------- */

static bool
differ(const char *a, const char *b)
{
	return strcmp(a, b) != 0;
}

/* The first key that only a start can change; NULL: none. */
static const char *
fixed_key(const struct conf *a, const struct conf *b)
{
	return differ(a->state, b->state)                     ? "state"
	    : differ(a->control, b->control)                  ? "control"
	    : differ(a->archive.path, b->archive.path)        ? "archive.path"
	    : differ(a->evidence.origin, b->evidence.origin)  ? "evidence.origin"
	    : differ(a->evidence.anchor, b->evidence.anchor)  ? "evidence.anchor"
	    : differ(a->evidence.key, b->evidence.key)        ? "evidence.key"
	    : differ(a->host, b->host)                        ? "host"
	    : a->peers.connect != b->peers.connect || differ(a->peers.socket, b->peers.socket) ||
	        differ(a->peers.seal_user, b->peers.seal_user) || differ(a->peers.log_user, b->peers.log_user) ||
	        differ(a->peers.fetch_user, b->peers.fetch_user)
	                                                      ? "peers"
	                                                      : NULL;
}

static int
read_next(struct core *c, struct conf **ret, struct err *e)
{
	const struct conf_problem *p;
	const char *key;
	size_t n;
	int r = conf_load(ret, c->conf->path, e);

	n = r < 0 && e->code != ERR_CONF ? 0 : conf_problems(&p);
	for (size_t i = 0; i < n; i++)
		log_line(p[i].warning ? LOG_WARNING : LOG_ERR, "%s:%u: %s", p[i].file, p[i].line, p[i].text);
	if (r < 0)
		return r;
	if ((key = fixed_key(c->conf, *ret)) == NULL)
		return 0;
	conf_free(*ret);
	return err_set(e, ERR_CONF, "%s: can only change with a restart of sealroomd", key);
}

/* --- the change-over --------------------------------------------------------------------- */

static void
keep_old(struct core *c)
{
	struct old_conf *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return; /* leaked, which is better than looked into when it is gone */
	*o = (struct old_conf){ c->old_confs, c->conf };
	c->old_confs = o;
}

void
reload_forget(struct core *c)
{
	if (c->claims_running > 0 || (c->children != NULL && children_renewing(c->children)))
		return;
	for (const struct job *j = c->jobs; j != NULL; j = j->next)
		if (j->busy)
			return;
	while (c->old_confs != NULL) {
		struct old_conf *o = c->old_confs;

		c->old_confs = o->next;
		conf_free(o->conf);
		free(o);
	}
}

static int
swap(struct core *c, struct err *e)
{
	struct conf *next = c->next_conf;
	char *text = conf_text(next);
	struct operator *operators;
	int r;

	if (text == NULL)
		return err_set(e, ERR_MEM, "settings");
	if ((r = core_operators(next, &operators, e)) < 0) {
		free(text);
		return r;
	}
	keep_old(c);
	c->conf = next;
	c->reloads++;
	c->next_conf = NULL;
	free(c->conf_text);
	c->conf_text = text;
	free(c->operators);
	c->operators = operators;
	c->noperators = next->operators.n;
	c->workers = core_workers(next);
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		j->folder = conf_folder(next, j->claim.folder);
	return 0;
}

/* The folders are watched anew: what lies in them is found by the first scan, as after a start. */
static void
rewatch(struct core *c)
{
	struct err e = { 0 };

	watch_close(c->watch);
	c->watch = NULL;
	if (core_watch_folders(c, &e) == 0)
		return;
	log_err(LOG_CRIT, "watching the folders", &e);
	core_stop(c, EX_TEMPFAIL); /* the next start may do */
}

/* Those who count by folder count anew; if not now, then soon. */
static void
recount(void *ctx)
{
	struct core *c = ctx;
	struct err e = { 0 };

	c->recount_timer = 0;
	if (c->once || c->stopping)
		return;
	metrics_close(c);
	standing_close(c);
	keep_close(c);
	if (metrics_open(c, &e) == 0 && standing_open(c, &e) == 0 && keep_open(c, &e) == 0)
		return;
	log_err(LOG_ERR, "after a reload", &e);
	c->recount_timer = loop_timer(c->loop, RECOUNT_MS, recount, c);
}

static void
tell_manager(const char *status)
{
	char text[ERR_TEXT_MAX + 64];

	snprintf(text, sizeof(text), "READY=1\nSTATUS=%s", status);
	proc_notify(text);
}

static void
refuse(struct core *c, const struct err *e)
{
	char text[ERR_TEXT_MAX + 40];

	conf_free(c->next_conf);
	c->next_conf = NULL;
	log_line(LOG_ERR, "the settings stay as they are: %s", e->text);
	snprintf(text, sizeof(text), "new settings refused: %s", e->text);
	tell_manager(text);
}

static void
apply(struct core *c)
{
	struct err e = { 0 };

	if (swap(c, &e) < 0) {
		refuse(c, &e);
		return;
	}
	trying_reloaded(c);
	byticket_reloaded(c);
	rewatch(c);
	if (c->stopping)
		return;
	loop_timer_del(c->loop, c->recount_timer);
	recount(c);
	children_reload(c->children, c->conf);
	if (c->log_ready)
		logbook_config(c);
	for (struct job *j = c->jobs; j != NULL; j = j->next)
		if (!j->busy && !(j->state == SPOOL_HELD && j->settled))
			job_step_soon(j, 0); /* what it waits for may be there now */
	log_line(LOG_NOTICE, "new settings are in force: %zu folders", c->conf->nfolders);
	tell_manager("new settings are in force");
}

static void
on_wait(void *ctx)
{
	struct core *c = ctx;

	c->reload_timer = 0;
	if (c->stopping || c->next_conf == NULL)
		return;
	if (c->claims_running > 0)
		c->reload_timer = loop_timer(c->loop, WAIT_MS, on_wait, c);
	else
		apply(c);
}

static void
tell_reloading(void)
{
	struct timespec now;
	char text[64];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	proc_notify(text);
}

int
core_reload(struct core *c, struct err *e)
{
	struct conf *next;
	struct operator *operators;
	int r;

	if (c->stopping)
		return err_set(e, ERR_LATER, "sealroomd is ending");
	tell_reloading();
	if ((r = read_next(c, &next, e)) < 0) {
		refuse(c, e);
		return r;
	}
	conf_free(c->next_conf);
	c->next_conf = next;
	if ((r = core_operators(next, &operators, e)) < 0) {
		refuse(c, e);
		return r;
	}
	free(operators);
	if (c->reload_timer == 0)
		c->reload_timer = loop_timer(c->loop, 0, on_wait, c);
	return 0;
}
