#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"

#include "agent/alive.h"
#include "agent/alarm.h"
#include "agent/core.h"
#include "agent/journal.h"
#include "agent/messages.h"
#include "agent/metrics.h"
#include "agent/reload.h"
#include "agent/pause.h"
#include "agent/standing.h"
#include "agent/status.h"
#include "agent/watch.h"

#define CONF_DEFAULT "/etc/sealroom/sealroom.conf"

__attribute__((noreturn)) static void
usage(void)
{
	fprintf(stderr, "usage: sealroomd [--conf FILE] [--once [--wait SECONDS]] [--version]\n");
	exit(EX_USAGE);
}

static const char *
options(struct core *c, int argc, char **argv)
{
	const char *conf = CONF_DEFAULT;

	c->once_wait_ms = 60000;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--conf") == 0 && i + 1 < argc) {
			conf = argv[++i];
		} else if (strcmp(argv[i], "--once") == 0) {
			c->once = true;
		} else if (strcmp(argv[i], "--wait") == 0 && i + 1 < argc) {
			char *end;
			unsigned long s = strtoul(argv[++i], &end, 10);

			if (*end != '\0' || *argv[i] == '\0' || s > 86400)
				usage();
			c->once_wait_ms = s * 1000;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("sealroomd %s build %s\n", build_version, build_id);
			exit(EX_OK);
		} else {
			usage();
		}
	}
	return conf;
}

static int
exit_of(const struct err *e)
{
	switch (e->code) {
	case ERR_CONF:
		return EX_CONFIG;
	case ERR_LOCKED:
		return EX_TEMPFAIL;
	case ERR_LOG: /* at the start: no restart helps */
	case ERR_LOG_ROLLBACK:
		return EXIT_LOG_ROLLBACK;
	case ERR_IO:
	case ERR_SPACE:
		return EX_IOERR;
	default:
		return EX_SOFTWARE;
	}
}

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
		log_line(err_class(why->code) == ERR_CLASS_STOP ? LOG_ALERT : LOG_WARNING, "%s%s: %s: %s",
		    role == ROLE_SCAN ? "sealroom-scan" : role == ROLE_VERIFY ? "sealroom-verify" :
		    role == ROLE_FETCH ? "sealroom-fetch" : "token ", role == ROLE_SEAL ? name : "", err_word(why->code), why->text);
		return;
	}
	if (role == ROLE_SEAL && strcmp(name, "log") == 0)
		logbook_key_ready(c);
	if (role == ROLE_SCAN)
		for (struct job *j = c->jobs; j != NULL; j = j->next)
			if (j->state == SPOOL_CLAIMED)
				job_step(j);
}

static int
start_children(struct core *c, struct err *e)
{
	struct children_opts o = { .conf = c->conf, .scan = true, .ocr = true, .verify = true, .fetch = true,
		.tokens = true, .log_key = true, .connect = c->conf->peers.connect, .log_empty = elog_size(c->elog) == 0, .state_dir = c->spool.state,
		.changed = on_peer_changed, .ctx = c };

	return children_open(&c->children, c->loop, &o, e);
}

/* Everything that can be wrong is wrong before READY=1. */
static int
core_open(struct core *c, const char *conf, struct err *e)
{
	const struct control_opts control = { .ops = status_ops, .ctx = c, .operates = status_operates };
	int r;

	if ((r = conf_load(&c->conf, conf, e)) < 0)
		return r;
	if ((c->conf_text = conf_text(c->conf)) == NULL)
		return err_set(e, ERR_MEM, "settings");
	c->workers = core_workers(c->conf);
	c->started_us = clock_wall_us();
	c->noperators = c->conf->operators.n;
	message_open(NULL);
	if ((r = loop_new(&c->loop, e)) < 0 || (r = watch_signals(c, e)) < 0 ||
	    (r = spool_open(&c->spool, c->conf, e)) < 0 || (r = seen_expire(&c->spool, e)) < 0 ||
	    (r = archive_open(&c->archive, c->conf->archive.path, e)) < 0 || (r = logbook_open(c, e)) < 0 ||
	    (r = pause_open(c, e)) < 0 || (r = core_operators(c->conf, &c->operators, e)) < 0 || (r = recover_jobs(c, e)) < 0 ||
	    (r = core_watch_folders(c, e)) < 0 || (r = start_children(c, e)) < 0 ||
	    (!c->once && ((r = alarm_open(c, e)) < 0 || (r = metrics_open(c, e)) < 0 || (r = standing_open(c, e)) < 0)))
		return r;
	return control_open(&c->control, c->loop, c->conf->control, &control, e);
}

static void
core_close(struct core *c)
{
	control_close(c->control);
	c->control = NULL;
	standing_close(c);
	metrics_close(c);
	alarm_close(c);
	children_close(c->children);
	c->children = NULL;
	while (c->jobs != NULL) {
		c->jobs->task = 0;
		c->jobs->token = NULL;
		job_free(c->jobs);
	}
	watch_close(c->watch);
	elog_free(c->elog);
	archive_free(c->archive);
	spool_close(&c->spool);
	loop_free(c->loop);
	pause_close(c);
	free(c->operators);
	free(c->conf_text);
	reload_forget(c);
	conf_free(c->next_conf);
	conf_free(c->conf);
}

static int
run(struct core *c, struct err *e)
{
	alive_start(c);
	receipt_watch(c);
	journal(JOURNAL_STARTED, LOG_NOTICE, &(struct about){ 0 }, "sealroomd %s (build %s): %zu folders, %u unfinished jobs",
	    build_version, build_id, c->conf->nfolders, c->njobs);
	core_idle_check(c);
	if (loop_run(c->loop, e) < 0)
		return exit_of(e);
	journal(JOURNAL_STOPPED, LOG_NOTICE, &(struct about){ 0 }, "sealroomd ends, %u unfinished jobs", c->njobs);
	proc_notify("STOPPING=1");
	return c->exit_code;
}

int
main(int argc, char **argv)
{
	static struct core c;
	struct err e = { 0 };
	const char *conf = options(&c, argc, argv);
	int status;

	proc_start("sealroomd", STDERR_FILENO);
	c.signal_fd = -1;
	spool_init(&c.spool);
	if (geteuid() == 0 || getuid() == 0) {
		log_line(LOG_CRIT, "does not run as root: start it as its own user, e.g. through sealroomd.service");
		return EX_NOPERM;
	}
	if (core_open(&c, conf, &e) < 0) {
		const struct conf_problem *p;
		size_t n = e.code == ERR_CONF ? conf_problems(&p) : 0;

		for (size_t i = 0; i < n; i++)
			log_line(LOG_ERR, "%s:%u: %s", p[i].file, p[i].line, p[i].text);
		log_err(LOG_CRIT, "can not start", &e);
		logbook_remedy(&c, &e);
		status = exit_of(&e);
	} else {
		status = run(&c, &e);
		if (e.code != ERR_OK)
			log_err(LOG_CRIT, "ended", &e);
	}
	core_close(&c);
	return status;
}
