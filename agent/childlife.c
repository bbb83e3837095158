#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"

#include "agent/childrenint.h"

#define BACKOFF_LAST_MS 60000
#define AWAIT_MS 10000   /* a unit that has not come by then is told of */
#define STABLE_MS 60000  /* ready this long, or of use to anybody: the next failure starts small again */
#define GREET_MS 120000  /* model loading, a PIN pad */

const char *
peer_program(enum role role)
{
	return role == ROLE_SCAN ? "sealroom-scan" : role == ROLE_VERIFY ? "sealroom-verify" :
	    role == ROLE_FETCH ? "sealroom-fetch" : "sealroom-seal";
}

void
peer_tell(struct peer *p, bool ready, const struct err *why)
{
	if (p->c->opts.changed != NULL && !p->c->closing)
		p->c->opts.changed(p->c->opts.ctx, p->role, p->name, ready, why);
}

/* --- down, and started anew -------------------------------------------------------------- */

static void
on_restart(void *ctx)
{
	struct peer *p = ctx;

	p->timer = 0;
	peer_start(p);
}

void
children_hurry(struct children *c)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->state == PEER_DOWN && p->timer != 0) {
			loop_timer_del(c->loop, p->timer);
			p->backoff = BACKOFF_FIRST_MS;
			on_restart(p);
		}
}

static void
schedule_restart(struct peer *p)
{
	if (p->useful || (p->ready_at != 0 && clock_ms() - p->ready_at > STABLE_MS))
		p->backoff = BACKOFF_FIRST_MS;
	p->ready_at = 0;
	p->useful = false;
	if ((p->why.code == ERR_PIN_BAD || p->why.code == ERR_PIN_STOPPED) && peer_marked(p)) {
		p->state = PEER_STOPPED;
		peer_await_clearing(p);
		return;
	}
	p->state = err_class(p->why.code) == ERR_CLASS_STOP && p->why.code != ERR_PEER ? PEER_STOPPED : PEER_DOWN;
	if (p->state == PEER_STOPPED)
		p->backoff = BACKOFF_LAST_MS;
	p->timer = loop_timer(p->c->loop, p->backoff, on_restart, p);
	p->backoff = p->backoff * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : p->backoff * 2;
}

void
peer_down(struct peer *p, const struct err *why)
{
	struct children *c = p->c;

	if (p->proc.sock < 0)
		return;
	if (p->why.code == ERR_OK || p->state == PEER_READY)
		p->why = *why;
	loop_timer_del(c->loop, p->timer);
	loop_fd_del(c->loop, p->proc.sock);
	io_close(&p->proc.sock);
	if (p->proc.pid != 0) {
		syscall(SYS_pidfd_send_signal, p->proc.pidfd, SIGKILL, NULL, 0);
		while (waitpid(p->proc.pid, NULL, 0) < 0 && errno == EINTR)
			;
		io_close(&p->proc.pidfd);
		p->proc.pid = 0;
	}
	p->wants_pin = false;
	p->restarts++;
	schedule_restart(p);
	peer_answer_login(p, &p->why);
	peer_fail_question(p, &p->why);
	tasks_lose(p);
	peer_tell(p, false, &p->why);
}

static void
on_greet_late(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	err_set(&e, ERR_CHILD, "%s %s was not ready within %d s", peer_program(p->role), p->name, GREET_MS / 1000);
	p->timer = 0;
	peer_down(p, &e);
}

void
peer_greet_begin(struct peer *p)
{
	p->timer = loop_timer(p->c->loop, GREET_MS, on_greet_late, p);
}

/* --- units, which come to us ------------------------------------------------------------ */

static const char *
unit_of(const struct peer *p, char dst[MSG_NAME_MAX + 32])
{
	snprintf(dst, MSG_NAME_MAX + 32, p->role == ROLE_FETCH ? "sealroom-fetch%s" : "sealroom-seal@%s", p->name);
	return dst;
}

static void
on_not_come(void *ctx)
{
	struct peer *p = ctx;

	p->timer = 0;
	peer_tell(p, false, &p->why);
}

static void
peer_await(struct peer *p)
{
	char unit[MSG_NAME_MAX + 32];

	p->state = PEER_AWAITED;
	err_set(&p->why, ERR_CHILD, "%s.service has not come to %s; see: systemctl status %s", unit_of(p, unit),
	    p->c->opts.conf->peers.socket, unit);
	p->timer = loop_timer(p->c->loop, AWAIT_MS, on_not_come, p);
}

/* It said HELLO already; from here all is as with one that we started. */
static void
peer_welcome(struct peer *p)
{
	struct err e = { 0 };

	loop_timer_del(p->c->loop, p->timer);
	p->proc.sock = take_fd(&p->waiting);
	p->running = 0;
	memset(&p->why, 0, sizeof(p->why));
	peer_greet_begin(p);
	if (loop_fd(p->c->loop, p->proc.sock, EPOLLIN, peer_heard, p) < 0)
		err_set(&e, ERR_MEM, "event loop");
	else if (peer_greeted(p, &e) == 0)
		return;
	peer_down(p, &e);
}

static struct peer *
peer_called(const struct children *c, const struct peer_hello *h)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->remote && p->role == h->role && strcmp(p->log ? "" : p->name, h->name) == 0)
			return p;
	return NULL;
}

/* It may be there before its predecessor's end was read. */
static bool
has_hung_up(int sock)
{
	struct pollfd p = { .fd = sock, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* Why this one can not be let in; NULL: it can. */
static const char *
turned_away(struct peer *p, const struct peer_hello *h)
{
	struct err e = { 0 };

	if (p->proc.sock >= 0 && has_hung_up(p->proc.sock)) {
		err_set(&e, ERR_CHILD, "%s %s ended", peer_program(p->role), p->name);
		peer_down(p, &e);
	}
	if (p->proc.sock >= 0)
		return "one like it is there already";
	if (strcmp(h->build, build_id) == 0)
		return NULL;
	err_set(&p->why, ERR_CONF, "%s is of another build; install all programs together and restart them",
	    peer_program(p->role));
	return p->why.text;
}

void
peer_come(void *ctx, int sock, const struct peer_hello *h)
{
	struct children *c = ctx;
	struct peer *p = peer_called(c, h);
	const char *why = p == NULL ? "the settings name no such token" : turned_away(p, h);
	AUTO_FD fd = sock;

	if (why != NULL) {
		log_line(LOG_ERR, "%s %s (process %d) came and is sent away: %s", peer_program(h->role), h->name, h->pid, why);
		return;
	}
	log_line(LOG_INFO, "%s %s has come (process %d)", peer_program(p->role), p->name, h->pid);
	io_close(&p->waiting);
	p->waiting = take_fd(&fd);
	if (p->state == PEER_AWAITED)
		peer_welcome(p);
}

/* --- its start -------------------------------------------------------------------------- */

void
peer_start(struct peer *p)
{
	char path[4096];
	const struct conf *conf = p->c->opts.conf;
	char *argv[] = { (char *)(uintptr_t)peer_program(p->role), (char *)(uintptr_t)"--conf",
		(char *)(uintptr_t)conf->path, (char *)(uintptr_t)(p->log ? "--log" : "--token"),
		(char *)(uintptr_t)p->name, NULL };
	struct err e = { 0 };

	if (p->c->closing)
		return;
	if (p->remote) {
		if (p->waiting >= 0)
			peer_welcome(p);
		else
			peer_await(p);
		return;
	}
	if (p->role != ROLE_SEAL)
		argv[1] = NULL;
	else if (p->log)
		argv[4] = NULL;
	if (proc_program(argv[0], path, sizeof(path), &e) < 0 || proc_spawn(path, argv, &p->proc, &e) < 0) {
		p->why = e;
		p->proc.pid = 0;
		schedule_restart(p);
		peer_answer_login(p, &e);
		peer_tell(p, false, &e);
		return;
	}
	p->state = PEER_GREETING;
	p->running = 0;
	memset(&p->why, 0, sizeof(p->why));
	peer_greet_begin(p);
	if (loop_fd(p->c->loop, p->proc.sock, EPOLLIN, peer_heard, p) < 0) {
		err_set(&e, ERR_MEM, "event loop");
		peer_down(p, &e);
	}
}
