#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/childrenint.h"

#define MARK_LOOK_MS 2000 /* how often a cleared PIN mark is looked for */

/* --- marks ------------------------------------------------------------------------------ */

int
peer_open_mark(struct peer *p, struct err *e)
{
	char path[MSG_NAME_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "tokens/%s", p->name);
	fd = openat(p->c->opts.state_dir, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, ERR_IO, "state of token %s", p->name);
	if (io_sync_dir(p->c->opts.state_dir, "tokens", e) < 0) {
		close(fd);
		return -(int)e->code;
	}
	return fd;
}

bool
peer_marked(const struct peer *p)
{
	char path[MSG_NAME_MAX + 16];
	struct err e;
	AUTO_BUF b = { 0 };

	if (p->token == NULL || p->c->opts.state_dir < 0)
		return false;
	snprintf(path, sizeof(path), "tokens/%s", p->name);
	buf_init(&b, 1024);
	return io_read_file(p->c->opts.state_dir, path, &b, &e) == 0 && b.len > 0 &&
	    (b.len != strlen(TOKEN_PERMIT) || memcmp(b.data, TOKEN_PERMIT, b.len) != 0);
}

/* A stopped token stays so until a person cleared its mark. */
static void
on_look_at_mark(void *ctx)
{
	struct peer *p = ctx;

	if (peer_marked(p)) {
		peer_await_clearing(p);
		return;
	}
	p->timer = 0;
	p->backoff = BACKOFF_FIRST_MS;
	peer_start(p);
}

void
peer_await_clearing(struct peer *p)
{
	p->timer = loop_timer(p->c->loop, MARK_LOOK_MS, on_look_at_mark, p);
}

void
children_token_cleared(struct children *c, const char *name)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->token != NULL && strcmp(p->name, name) == 0 && p->state == PEER_STOPPED) {
			loop_timer_del(c->loop, p->timer);
			on_look_at_mark(p);
		}
}

/* --- the PIN of a person ---------------------------------------------------------------- */

bool
peer_asks_person(const struct peer *p)
{
	return p->token != NULL && !p->c->opts.no_login && strcmp(p->token->pin, CONF_PIN_LOGIN) == 0;
}

void
peer_answer_login(struct peer *p, const struct err *why)
{
	login_cb *cb = p->login;

	io_close(&p->pin);
	p->login = NULL;
	if (cb != NULL)
		cb(p->login_ctx, why);
}

static int
may_login(const struct peer *p, struct err *e)
{
	if (!peer_asks_person(p))
		return err_set(e, ERR_USAGE, "the PIN of token %s comes from %s", p->name, p->token->pin);
	if (p->state == PEER_READY)
		return err_set(e, ERR_USAGE, "token %s is logged in", p->name);
	if (p->login != NULL || p->pin >= 0 || (p->state == PEER_SETTING && !p->wants_pin))
		return err_set(e, ERR_LATER, "a login of token %s is under way", p->name);
	if (peer_marked(p))
		return err_set(e, ERR_PIN_STOPPED, "a login was refused or broke off; check the PIN, then: sealroom token clear %s",
		    p->name);
	return 0;
}

int
children_token_login(struct children *c, const char *name, int fd, login_cb *cb, void *ctx, struct err *e)
{
	AUTO_FD pin = fd;
	struct peer *p = c->peers;
	int r;

	while (p != NULL && (p->token == NULL || strcmp(p->name, name) != 0))
		p = p->next;
	if (p == NULL)
		return err_set(e, ERR_USAGE, "no such token");
	if ((r = may_login(p, e)) < 0)
		return r;
	p->pin = take_fd(&pin);
	if (p->wants_pin) {
		p->wants_pin = false;
		memset(&p->why, 0, sizeof(p->why));
		peer_greet_begin(p);
		if ((r = peer_send_settings(p, e)) < 0) {
			peer_down(p, e);
			return r;
		}
	} else if (p->proc.sock < 0) {
		loop_timer_del(c->loop, p->timer);
		p->timer = 0;
		peer_start(p);
		if (p->proc.sock < 0) {
			io_close(&p->pin);
			*e = p->why;
			return -(int)e->code;
		}
	} /* else its HELLO is on its way */
	p->login = cb;
	p->login_ctx = ctx;
	return 0;
}
