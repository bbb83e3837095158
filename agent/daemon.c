#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"

#include "agent/alarm.h"
#include "agent/alive.h"
#include "agent/batch.h"
#include "agent/byticket.h"
#include "agent/core.h"
#include "agent/expiry.h"
#include "agent/journal.h"
#include "agent/keep.h"
#include "agent/messages.h"
#include "agent/metrics.h"
#include "agent/pause.h"
#include "agent/reload.h"
#include "agent/standing.h"
#include "agent/status.h"
#include "agent/tokens.h"
#include "agent/trying.h"
#include "agent/watch.h"

static void
on_signal(void *ctx, uint32_t events)
{
	struct core *c = ctx;
	struct signalfd_siginfo s;

	(void)events;
	if (read(c->signal_fd, &s, sizeof(s)) != (ssize_t)sizeof(s))
		return;
	if (s.ssi_signo == SIGHUP) {
		struct err e = { 0 };

		core_reload(c, &e); /* has said what there is to say */
		return;
	}
	log_line(LOG_NOTICE, "signal %u: ending", s.ssi_signo);
	core_stop(c, EX_OK);
}

static int
watch_signals(struct core *c, struct err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    (c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0 ||
	    loop_fd(c->loop, c->signal_fd, EPOLLIN, on_signal, c) < 0)
		return err_sys(e, ERR_IO, "signals");
	return 0;
}

static void
on_peer_changed(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct core *c = ctx;

	if (!ready) {
		if (role == ROLE_SEAL && strcmp(name, "log") == 0 && err_class(why->code) == ERR_CLASS_STOP &&
		    why->code != ERR_PEER && !c->log_ready) {
			logbook_fatal(c, why);
			return;
		}
		journal_line(err_class(why->code) == ERR_CLASS_STOP ? LOG_ALERT : LOG_WARNING,
		    &(struct about){ .token = role == ROLE_SEAL ? name : NULL, .reason = err_word(why->code) }, "%s%s: %s: %s",
		    role == ROLE_SCAN ? "sealroom-scan" : role == ROLE_VERIFY ? "sealroom-verify" :
		    role == ROLE_FETCH ? "sealroom-fetch" : "token ", role == ROLE_SEAL ? name : "", err_word(why->code), why->text);
		return;
	}
	if (role == ROLE_SEAL && strcmp(name, "log") == 0)
		logbook_key_ready(c);
	if (role == ROLE_SEAL)
		sealing_token_free(c);
	if (role == ROLE_SCAN)
		for (struct job *j = c->jobs; j != NULL; j = j->next)
			if (j->state == SPOOL_CLAIMED)
				job_step(j);
}

static void
on_token_free(void *ctx)
{
	sealing_token_free(ctx);
}

static int
start_children(struct core *c, struct err *e)
{
	struct children_opts o = { .conf = c->conf, .scan = true, .ocr = true, .verify = true, .fetch = true,
		.tokens = true, .log_key = true, .connect = c->conf->peers.connect, .log_empty = elog_size(c->elog) == 0, .state_dir = c->spool.state,
		.changed = on_peer_changed, .token_free = on_token_free, .ctx = c };

	return children_open(&c->children, c->loop, &o, e);
}

/* Everything that can be wrong is wrong before READY=1. */
int
core_open(struct core *c, const char *conf, struct err *e)
{
	const struct control_opts control = { .ops = status_ops, .ctx = c, .operates = status_operates };
	int r;

	c->signal_fd = -1;
	spool_init(&c->spool);
	if ((r = conf_load(&c->conf, conf, e)) < 0)
		return r;
	if ((c->conf_text = conf_text(c->conf)) == NULL)
		return err_set(e, ERR_MEM, "settings");
	core_raise_descriptors();
	c->workers = core_workers(c->conf);
	c->started_us = clock_wall_us();
	c->noperators = c->conf->operators.n;
	message_open(NULL);
	if ((r = loop_new(&c->loop, e)) < 0 || (r = watch_signals(c, e)) < 0 ||
	    (r = spool_open(&c->spool, c->conf, e)) < 0 || (r = expiry_open(c, e)) < 0 ||
	    (r = archive_open(&c->archive, c->conf->archive.path, e)) < 0 || (r = logbook_open(c, e)) < 0 ||
	    (r = pause_open(c, e)) < 0 || (r = core_operators(c->conf, &c->operators, e)) < 0 || (r = recover_jobs(c, e)) < 0 ||
	    (r = core_watch_folders(c, e)) < 0 || (r = start_children(c, e)) < 0 || (r = batch_open(c, e)) < 0 ||
	    (!c->once && ((r = alarm_open(c, e)) < 0 || (r = metrics_open(c, e)) < 0 || (r = standing_open(c, e)) < 0 || (r = keep_open(c, e)) < 0)))
		return r;
	return control_open(&c->control, c->loop, c->conf->control, &control, e);
}

void
core_close(struct core *c)
{
	control_close(c->control);
	c->control = NULL;
	keep_close(c);
	expiry_close(c);
	standing_close(c);
	metrics_end(c);
	metrics_close(c);
	alarm_close(c);
	batch_close(c);
	trying_close(c);
	byticket_forget(c);
	children_close(c->children);
	claiming_close(c);
	c->children = NULL;
	render_close(c);
	while (c->jobs != NULL) {
		c->jobs->task = 0;
		job_free(c->jobs);
	}
	recover_close(c);
	tokens_free(&c->lines);
	watch_close(c->watch);
	elog_free(c->elog);
	archive_free(c->archive);
	spool_close(&c->spool);
	io_close(&c->signal_fd);
	loop_free(c->loop);
	pause_close(c);
	free(c->operators);
	free(c->conf_text);
	reload_forget(c);
	conf_free(c->next_conf);
	conf_free(c->conf);
}

int
core_run(struct core *c, struct err *e)
{
	alive_start(c);
	receipt_watch(c);
	byticket_watch(c);
	journal(JOURNAL_STARTED, LOG_NOTICE, &(struct about){ 0 }, "sealroomd %s (build %s): %zu folders, %u unfinished jobs",
	    build_version, build_id, c->conf->nfolders, c->njobs);
	core_idle_check(c);
	if (loop_run(c->loop, e) < 0)
		return -(int)e->code;
	journal(JOURNAL_STOPPED, LOG_NOTICE, &(struct about){ 0 }, "sealroomd ends, %u unfinished jobs", c->njobs);
	proc_notify("STOPPING=1");
	return 0;
}
