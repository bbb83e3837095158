#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"

#include "agent/aside.h"
#include "agent/childrenint.h"

#define RENEW_MS 100         /* how often a busy process that is to be renewed is looked at */
#define SEAL_ANSWER_MS 60000 /* one signature, one checkpoint */
#define END_MS 2000          /* how long a peer may take to end */
#define END_LOGIN_MS 20000   /* ... in the middle of a login: killed there, it would leave its mark */

static int
add_peer(struct children *c, enum role role, const char *name, const struct conf_token *token, bool log,
    struct err *e)
{
	struct peer *p = calloc(1, sizeof(*p)), **pp = &c->peers;

	if (p == NULL)
		return err_set(e, ERR_MEM, "process table");
	*p = (struct peer){ .c = c, .role = role, .name = name, .token = token, .log = log,
		.remote = c->opts.connect && (role == ROLE_SEAL || role == ROLE_FETCH), .waiting = -1, .pin = -1,
		.backoff = BACKOFF_FIRST_MS, .proc = { 0, -1, -1 } };
	while (*pp != NULL)
		pp = &(*pp)->next;
	*pp = p;
	return 0;
}

static void
on_aside(void *ctx)
{
	tasks_pump(ctx);
}

int
children_open(struct children **ret, struct loop *loop, const struct children_opts *o, struct err *e)
{
	struct children *c = calloc(1, sizeof(*c));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	if (c == NULL)
		return err_set(e, ERR_MEM, "process table");
	c->loop = loop;
	c->opts = *o;
	r = asides_new(&c->asides, loop, cores > 0 ? (uint32_t)cores : 1, on_aside, c, e);
	if (c->opts.answer_ms == 0)
		c->opts.answer_ms = SEAL_ANSWER_MS;
	if (r == 0 && o->scan)
		r = add_peer(c, ROLE_SCAN, "", NULL, false, e);
	if (r == 0 && o->verify)
		r = add_peer(c, ROLE_VERIFY, "", NULL, false, e);
	if (r == 0 && o->fetch)
		r = add_peer(c, ROLE_FETCH, "", NULL, false, e);
	if (r == 0 && o->log_key)
		r = add_peer(c, ROLE_SEAL, "log", NULL, true, e);
	for (size_t i = 0; r == 0 && o->tokens && i < o->conf->ntokens; i++)
		r = add_peer(c, ROLE_SEAL, o->conf->tokens[i].name, &o->conf->tokens[i], false, e);
	if (r == 0 && o->connect)
		r = peers_open(&c->door, loop, o->conf, peer_come, c, e);
	if (r < 0) {
		children_close(c);
		return r;
	}
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		peer_start(p);
	*ret = c;
	return 0;
}

/* --- other settings --------------------------------------------------------------------- */

/* Nothing of a token's is asked of a process but this. */
static bool
token_same(const struct conf_token *a, const struct conf_token *b)
{
	return strcmp(a->module, b->module) == 0 && strcmp(a->module_sha256, b->module_sha256) == 0 && strcmp(a->serial, b->serial) == 0 && strcmp(a->label, b->label) == 0 &&
	    strcmp(a->key_id, b->key_id) == 0 && strcmp(a->key_label, b->key_label) == 0 && strcmp(a->cert, b->cert) == 0 &&
	    strcmp(a->chain, b->chain) == 0 && strcmp(a->pin, b->pin) == 0 && a->unsafe_legacy == b->unsafe_legacy;
}

/* In the middle of a login nobody is ended; nor is who has work. */
static bool
peer_idle(const struct peer *p)
{
	return p->running == 0 && !p->question.open &&
	    (p->proc.sock < 0 || p->state == PEER_READY || p->token == NULL || p->wants_pin);
}

static void
peer_free(struct peer *p)
{
	struct peer **pp = &p->c->peers;

	while (*pp != p)
		pp = &(*pp)->next;
	*pp = p->next;
	loop_timer_del(p->c->loop, p->timer);
	io_close(&p->waiting);
	io_close(&p->pin);
	free(p->seal);
	free(p->scan);
	free(p);
}

static void
peer_renew(struct peer *p)
{
	struct err e = { 0 };

	p->renew = false;
	memset(&p->why, 0, sizeof(p->why));
	err_set(&e, ERR_CHILD, p->retired ? "is no longer in the settings" : "is started anew with other settings");
	peer_down(p, &e);
	if (p->retired) {
		peer_free(p);
		return;
	}
	if (p->state == PEER_STOPPED && peer_marked(p))
		return; /* a person must act, whatever the settings say */
	loop_timer_del(p->c->loop, p->timer);
	p->timer = 0;
	p->backoff = BACKOFF_FIRST_MS;
	peer_start(p);
}

static void
on_renew(void *ctx)
{
	struct children *c = ctx;
	struct peer *p, *next;
	bool left = false;

	c->renew_timer = 0;
	for (p = c->peers; p != NULL; p = next) {
		next = p->next;
		if (p->renew && peer_idle(p))
			peer_renew(p);
		else
			left = left || p->renew;
	}
	if (left)
		c->renew_timer = loop_timer(c->loop, RENEW_MS, on_renew, c);
}

/* Names and tokens of the old settings are not looked at any more after this. */
static void
token_reload(struct peer *p, const struct conf *conf)
{
	const struct conf_token *t = conf_token(conf, p->name);

	if (t == NULL) {
		p->renew = p->retired = true; /* keeps its old settings, which outlive it while it is busy */
		return;
	}
	p->renew = p->renew || p->retired || !token_same(p->token, t);
	p->retired = false;
	p->token = t;
	p->name = t->name;
}

static void
tokens_add(struct children *c, const struct conf *conf)
{
	struct err e = { 0 };

	for (size_t i = 0; i < conf->ntokens; i++) {
		struct peer *p = c->peers;

		while (p != NULL && p->token != &conf->tokens[i])
			p = p->next;
		if (p != NULL)
			continue;
		if (add_peer(c, ROLE_SEAL, conf->tokens[i].name, &conf->tokens[i], false, &e) < 0) {
			log_err(LOG_ERR, conf->tokens[i].name, &e);
			continue;
		}
		for (p = c->peers; p->next != NULL;)
			p = p->next;
		peer_start(p);
	}
}

void
children_reload(struct children *c, const struct conf *conf)
{
	c->opts.conf = conf;
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->token != NULL)
			token_reload(p, conf);
		else if (!p->log) /* the log's part can not change */
			p->renew = true;
	if (c->opts.tokens)
		tokens_add(c, conf);
	if (c->renew_timer == 0)
		c->renew_timer = loop_timer(c->loop, 0, on_renew, c);
}

bool
children_renewing(const struct children *c)
{
	return c->renew_timer != 0;
}

/* --- the end ---------------------------------------------------------------------------- */

/* Hung up on, a peer ends by itself; when its time is over it is ended. */
static void
wait_end(struct peer *p, uint64_t since)
{
	struct pollfd pfd = { .fd = p->proc.pidfd, .events = POLLIN };
	uint64_t until = since + (p->token != NULL && p->state == PEER_SETTING && !p->wants_pin ? END_LOGIN_MS : END_MS);
	uint64_t now = clock_ms();

	if (poll(&pfd, 1, now < until ? (int)(until - now) : 0) <= 0)
		syscall(SYS_pidfd_send_signal, p->proc.pidfd, SIGKILL, NULL, 0);
	while (waitpid(p->proc.pid, NULL, 0) < 0 && errno == EINTR)
		;
	io_close(&p->proc.pidfd);
	p->proc.pid = 0;
}

void
children_close(struct children *c)
{
	uint64_t since = clock_ms();
	struct peer *p;

	if (c == NULL)
		return;
	c->closing = true;
	peers_close(c->door);
	loop_timer_del(c->loop, c->pump_timer);
	loop_timer_del(c->loop, c->renew_timer);
	tasks_drop(c);
	for (p = c->peers; p != NULL; p = p->next) {
		loop_timer_del(c->loop, p->timer);
		loop_timer_del(c->loop, p->question.timer);
		io_close(&p->waiting);
		if (p->proc.sock >= 0) {
			loop_fd_del(c->loop, p->proc.sock);
			io_close(&p->proc.sock);
		}
	}
	while ((p = c->peers) != NULL) {
		if (p->proc.pid != 0)
			wait_end(p, since);
		c->peers = p->next;
		peer_answer_login(p, &p->why);
		free(p->seal);
		free(p->scan);
		free(p);
	}
	asides_free(c->asides);
	free(c);
}

/* --- status ----------------------------------------------------------------------------- */

uint32_t
children_count(const struct children *c)
{
	uint32_t n = 0;

	for (const struct peer *p = c->peers; p != NULL; p = p->next)
		n++;
	return n;
}

void
children_status(const struct children *c, uint32_t i, struct peer_status *ret)
{
	const struct peer *p = c->peers;

	while (i-- > 0)
		p = p->next;
	*ret = (struct peer_status){ .role = p->role, .name = p->name, .ready = p->state == PEER_READY,
		.stopped = p->state == PEER_STOPPED, .why = p->why, .restarts = p->restarts,
		.seal = p->state == PEER_READY ? p->seal : NULL, .scan = p->state == PEER_READY ? p->scan : NULL };
}
