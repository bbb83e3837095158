#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/wire.h"

#include "agent/aside.h"
#include "agent/children.h"
#include "agent/peers.h"

#define BACKOFF_FIRST_MS 500
#define BACKOFF_LAST_MS 60000
#define AWAIT_MS 10000       /* a unit that has not come by then is told of */
#define RENEW_MS 100         /* how often a busy process that is to be renewed is looked at */
#define STABLE_MS 60000      /* ready this long: the next failure starts small again */
#define GREET_MS 120000      /* model loading, a PIN pad */
#define SEAL_ANSWER_MS 60000 /* one signature, one checkpoint */
#define MARK_LOOK_MS 2000    /* how often a cleared PIN mark is looked for */
#define EXIT_PATIENCE_MS 10000
#define TRUST_MAX (1u << 20)
#define READ_MOST 32         /* messages of one child a turn */
#define SLOTS_LONG 12        /* children beside the slots, once they have taken long */
#define END_MS 2000          /* how long a peer may take to end */
#define END_LOGIN_MS 20000   /* ... in the middle of a login: killed there, it would leave its mark */

enum peer_state { PEER_DOWN, PEER_AWAITED, PEER_GREETING, PEER_SETTING, PEER_READY, PEER_STOPPED };

/* A question to a seal process: at most one of each kind at a time. */
struct question {
	bool open;
	bool unasked;                   /* the process was gone before it could be sent */
	uint32_t ticket;
	uint64_t timer;
	sign_cb *sign;
	note_cb *note;
	void *ctx;
};

struct token_peer {
	struct children *c;
	enum role role;
	const char *name;
	const struct conf_token *token; /* NULL but for tokens */
	bool log;
	enum peer_state state;
	bool renew;                     /* to be started anew when idle: other settings */
	bool retired;                   /* and not even that: no longer in the settings */
	bool remote;                    /* a unit of its own: it comes to us */
	int waiting;                    /* it came, and its turn has not come; -1 */
	struct proc proc;               /* sock -1: not there; pid 0: not our child */
	uint64_t timer;                 /* restart, or greeting deadline */
	uint64_t backoff, ready_at;
	struct err why;
	uint32_t restarts, seq, running;
	bool reserved;
	bool unasked;                   /* of the question that was answered last */
	bool wants_pin;                 /* greeted; its SETTINGS wait for a person's PIN */
	int pin;                        /* pipe of a PIN on its way; -1 */
	login_cb *login;                /* who gave it waits */
	void *login_ctx;
	struct question question;
	struct ready_seal *seal;
	struct ready_scan *scan;
	struct token_peer *next;
};
#define peer token_peer

struct task_run {
	struct children *c;
	struct peer *peer;
	uint64_t handle;
	uint32_t id;                    /* on the wire; 0: still waiting */
	struct task_req req;
	struct buf params;
	task_cb *cb;
	void *ctx;
	int sock, pidfd;
	uint64_t timer;
	struct aside aside;
	bool answered, failed, breach, timed_out, exited;
	bool ours;                      /* err is a failure of our own, not the child's */
	struct buf result;
	struct err err;
	int status;
	uint64_t maxrss_kib, cpu_us;
	struct task_run *next;
};

static const struct {
	uint32_t kind;
	const char *word;
	uint32_t patience_ms; /* who takes longer stands aside for others (aside.h) */
} kinds[] = {
	{ TASK_INSPECT, "inspect", 100 }, { TASK_PAGE, "page", 1000 }, { TASK_COMPOSE, "compose", 500 },
	{ TASK_EXPLAIN, "explain", 500 }, { TASK_FIELD, "field", 500 }, { TASK_FINISH, "finish", 500 },
	{ TASK_SIGS, "sigs", 500 }, { TASK_PICTURE, "picture", 500 },
	{ TASK_KEPT_PAGE, "kept-page", 1000 }, { TASK_KEPT_PICTURE, "kept-picture", 500 }, { TASK_FILES, "files", 500 },
	{ TASK_PROOF, "proof", 500 }, { TASK_PART, "part", 500 }, { TASK_ATTACH, "attach", 500 },
	{ TASK_JUDGE, "judge", 500 }, { TASK_STAMP, "stamp", 0 }, { TASK_PROBE, "probe", 0 },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct children {
	struct loop *loop;
	struct children_opts opts;
	struct peer *peers;
	struct peers *door;             /* where units come to; NULL: all are spawned */
	struct task_run *tasks;         /* oldest first */
	struct asides *asides;
	uint64_t handles;
	uint64_t pump_timer;
	uint64_t renew_timer;
	uint32_t ids;
	bool closing;
	struct task_usage usage[KINDS];
};

static void peer_start(struct peer *);
static void on_greet_late(void *ctx);
static void peer_down(struct peer *, const struct err *);
static void pump(struct children *);

/* --- peers: settings ------------------------------------------------------------------- */

static int
add_file(struct settings *s, const char *kind, const char *name, const char *path, size_t max, struct err *e)
{
	struct settings_file *f = &s->files[s->nfiles];
	AUTO_BUF b = { 0 };
	int r;

	if (s->nfiles == SETTINGS_FILES_MAX)
		return err_set(e, ERR_CONF, "the settings name more than %u files that a process must know", SETTINGS_FILES_MAX);
	buf_init(&b, max);
	if ((r = io_read_file(AT_FDCWD, path, &b, e)) < 0)
		return r;
	snprintf(f->name, sizeof(f->name), "%s%s", kind, name);
	f->len = (uint32_t)b.len;
	if ((f->data = (uint8_t *)buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "'%s'", path);
	s->nfiles++;
	return 0;
}

/* Pictures and fonts of the seals: who draws them can open no file. */
static int
add_looks(struct settings *s, const struct conf *conf, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < conf->nseals && r == 0; i++) {
		const struct conf_seal *seal = &conf->seals[i];

		if (*seal->look.image != '\0')
			r = add_file(s, "image:", seal->name, seal->look.image, CONF_IMAGE_MAX, e);
		if (r == 0 && *seal->look.font != '\0')
			r = add_file(s, "font:", seal->name, seal->look.font, CONF_FONT_MAX, e);
	}
	return r;
}

/* What this role may know, as a memfd. */
static int
peer_settings(struct peer *p, int *ret, struct err *e)
{
	const struct conf *conf = p->c->opts.conf;
	struct settings s = { 0 };
	int r = 0;

	if ((p->role == ROLE_SCAN || p->role == ROLE_FETCH) && (s.conf = conf_text(conf)) == NULL)
		r = err_set(e, ERR_MEM, "settings");
	if (p->role == ROLE_VERIFY) {
		r = add_file(&s, "seal", "", conf->trust, TRUST_MAX, e);
		if (r == 0 && *conf->scan.signed_trust != '\0')
			r = add_file(&s, "earlier", "", conf->scan.signed_trust, TRUST_MAX, e);
		for (size_t i = 0; i < conf->ntsas && r == 0; i++)
			r = add_file(&s, "tsa:", conf->tsas[i].name, conf->tsas[i].trust, TRUST_MAX, e);
		if (r == 0 && p->c->opts.tsa_roots != NULL)
			r = add_file(&s, "tsa:", "given", p->c->opts.tsa_roots, TRUST_MAX, e);
	}
	if (r == 0 && p->role == ROLE_SCAN)
		r = add_looks(&s, conf, e);
	if (r == 0)
		r = settings_write(&s, ret, e);
	settings_done(&s);
	return r;
}

static int
open_mark(struct peer *p, struct err *e)
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

/* Does it log in with a PIN that only a person has? */
static bool
asks_person(const struct peer *p)
{
	return p->token != NULL && !p->c->opts.no_login && strcmp(p->token->pin, CONF_PIN_LOGIN) == 0;
}

static int
send_settings(struct peer *p, struct err *e)
{
	const struct children_opts *o = &p->c->opts;
	uint32_t flags = 0;
	int fds[3] = { -1, -1, -1 }, n = 1, r;
	AUTO_BUF b;
	AUTO_FD memfd = -1;
	AUTO_FD mark = -1;

	buf_init(&b, 16);
	if (p->role == ROLE_SCAN && o->ocr)
		flags |= SETTINGS_OCR;
	if (p->role == ROLE_SCAN && o->ocr_look)
		flags |= SETTINGS_OCR_LOOK;
	if (p->log && o->log_empty)
		flags |= SETTINGS_LOG_EMPTY;
	if (p->token != NULL && o->no_login)
		flags |= SETTINGS_NO_LOGIN;
	if ((r = peer_settings(p, &memfd, e)) < 0)
		return r;
	fds[0] = memfd;
	if (p->token != NULL && o->state_dir >= 0) {
		if ((mark = open_mark(p, e)) < 0)
			return mark;
		fds[n++] = mark;
	}
	if (p->pin >= 0) {
		flags |= SETTINGS_PIN;
		fds[n++] = p->pin;
	}
	buf_put_u32(&b, flags);
	r = wire_send(p->proc.sock, MSG_SETTINGS, ++p->seq, &b, fds, n, e);
	io_close(&p->pin);
	return r;
}

/* --- peers: life and death ------------------------------------------------------------- */

static const char *
program_of(enum role role)
{
	return role == ROLE_SCAN ? "sealroom-scan" : role == ROLE_VERIFY ? "sealroom-verify" :
	    role == ROLE_FETCH ? "sealroom-fetch" : "sealroom-seal";
}

static void
tell(struct peer *p, bool ready, const struct err *why)
{
	if (p->c->opts.changed != NULL && !p->c->closing)
		p->c->opts.changed(p->c->opts.ctx, p->role, p->name, ready, why);
}

static void
answer_login(struct peer *p, const struct err *why)
{
	login_cb *cb = p->login;

	io_close(&p->pin);
	p->login = NULL;
	if (cb != NULL)
		cb(p->login_ctx, why);
}

static void
answer_question(struct peer *p, const struct err *e, const uint8_t *cms, size_t len, const uint8_t *imprint,
    const char *note)
{
	struct question q = p->question;

	/* reserved without a question: a job still prepares, and gives it back or asks; nobody else may come between */
	if (!q.open)
		return;
	memset(&p->question, 0, sizeof(p->question));
	p->reserved = false;
	p->unasked = q.unasked;
	loop_timer_del(p->c->loop, q.timer);
	if (q.sign != NULL)
		q.sign(q.ctx, e, cms, len, imprint);
	else
		q.note(q.ctx, e, note);
}

/* What went wrong, in t->err; a failure that a child or we ourselves have named stays. */
static void
task_blame(struct task_run *t, bool lost)
{
	if (lost) {
		if (!t->ours)
			err_set(&t->err, ERR_CHILD, "%s ended", program_of(t->peer->role));
	} else if (t->timed_out) {
		err_set(&t->err, ERR_DOC_TIMEOUT, "no answer within %u s", t->req.deadline_ms / 1000);
	} else if (t->breach) {
		err_set(&t->err, ERR_DOC_CRASH, "broke the protocol");
	} else if (!t->answered) {
		err_set(&t->err, ERR_DOC_CRASH, WIFSIGNALED(t->status) ? "ended by signal %d" : "ended with status %d",
		    WIFSIGNALED(t->status) ? WTERMSIG(t->status) : WEXITSTATUS(t->status));
	}
}

/* A child of another user's zygote is not ours to signal: the zygote does it. */
static void
task_signal(struct peer *p, uint32_t id, int pidfd)
{
	struct err e;
	AUTO_BUF b = { 0 };

	if (pidfd < 0)
		return;
	if (!p->remote) {
		syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
		return;
	}
	buf_init(&b, 4);
	buf_put_u32(&b, id);
	/* a zygote that takes no message has ended, or is hung up on when EXIT does not come */
	if (p->proc.sock >= 0 && wire_send(p->proc.sock, MSG_KILL, ++p->seq, &b, NULL, 0, &e) < 0)
		log_err(LOG_WARNING, program_of(p->role), &e);
}

static void
count_usage(struct task_run *t)
{
	for (size_t i = 0; i < KINDS; i++) {
		struct task_usage *u = &t->c->usage[i];

		if (kinds[i].kind != t->req.kind || !t->exited)
			continue;
		u->runs++;
		u->cpu_us += t->cpu_us;
		u->peak_kib = t->maxrss_kib > u->peak_kib ? t->maxrss_kib : u->peak_kib;
	}
}

static void
task_finish(struct task_run *t, bool lost)
{
	struct children *c = t->c;
	struct task_outcome o = { .crashed = (t->breach || !t->answered) && !lost && !t->timed_out,
		.timed_out = t->timed_out, .lost = lost, .maxrss_kib = t->maxrss_kib, .cpu_us = t->cpu_us };

	for (struct task_run **pp = &c->tasks; *pp != NULL; pp = &(*pp)->next)
		if (*pp == t) {
			*pp = t->next;
			break;
		}
	count_usage(t);
	loop_timer_del(c->loop, t->timer);
	aside_end(&t->aside);
	if (t->sock >= 0)
		loop_fd_del(c->loop, t->sock);
	if (!t->exited)
		task_signal(t->peer, t->id, t->pidfd);
	if (t->id != 0 && t->peer->running > 0)
		t->peer->running--;
	task_blame(t, lost);
	o.err = t->err.code != ERR_OK ? &t->err : NULL;
	o.result = &t->result;
	if (t->cb != NULL)
		t->cb(t->ctx, &o);
	io_close(&t->sock);
	io_close(&t->pidfd);
	io_close(&t->req.in);
	io_close(&t->req.out);
	buf_done(&t->params);
	buf_done(&t->result);
	free(t);
}

static void
lose_tasks(struct peer *p)
{
	struct task_run *t, *next;

	/* a callback may add tasks: they wait, and are not met again by this walk */
	for (bool again = true; again;) {
		again = false;
		for (t = p->c->tasks; t != NULL && !again; t = next) {
			next = t->next;
			if (t->peer == p && t->id != 0) {
				task_finish(t, true);
				again = true;
			}
		}
	}
	p->running = 0;
}

static void
on_restart(void *ctx)
{
	struct peer *p = ctx;

	p->timer = 0;
	peer_start(p);
}

static bool
marked(const struct peer *p)
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

	if (marked(p)) {
		p->timer = loop_timer(p->c->loop, MARK_LOOK_MS, on_look_at_mark, p);
		return;
	}
	p->timer = 0;
	p->backoff = BACKOFF_FIRST_MS;
	peer_start(p);
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

static int
may_login(const struct peer *p, struct err *e)
{
	if (!asks_person(p))
		return err_set(e, ERR_USAGE, "the PIN of token %s comes from %s", p->name, p->token->pin);
	if (p->state == PEER_READY)
		return err_set(e, ERR_USAGE, "token %s is logged in", p->name);
	if (p->login != NULL || p->pin >= 0 || (p->state == PEER_SETTING && !p->wants_pin))
		return err_set(e, ERR_LATER, "a login of token %s is under way", p->name);
	if (marked(p))
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
		p->timer = loop_timer(c->loop, GREET_MS, on_greet_late, p);
		if ((r = send_settings(p, e)) < 0) {
			peer_down(p, e);
			return r;
		}
	} else if (p->proc.sock < 0) {
		loop_timer_del(c->loop, p->timer);
		on_restart(p);
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

static void
schedule_restart(struct peer *p)
{
	if (p->ready_at != 0 && clock_ms() - p->ready_at > STABLE_MS)
		p->backoff = BACKOFF_FIRST_MS;
	p->ready_at = 0;
	if ((p->why.code == ERR_PIN_BAD || p->why.code == ERR_PIN_STOPPED) && marked(p)) {
		p->state = PEER_STOPPED;
		p->timer = loop_timer(p->c->loop, MARK_LOOK_MS, on_look_at_mark, p);
		return;
	}
	p->state = err_class(p->why.code) == ERR_CLASS_STOP && p->why.code != ERR_PEER ? PEER_STOPPED : PEER_DOWN;
	if (p->state == PEER_STOPPED)
		p->backoff = BACKOFF_LAST_MS;
	p->timer = loop_timer(p->c->loop, p->backoff, on_restart, p);
	p->backoff = p->backoff * 2 > BACKOFF_LAST_MS ? BACKOFF_LAST_MS : p->backoff * 2;
}

/* The process is gone or must go: kill, reap, fail what it was doing, plan the next start. */
static void
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
	answer_login(p, &p->why);
	answer_question(p, &p->why, NULL, 0, NULL, NULL);
	lose_tasks(p);
	tell(p, false, &p->why);
}

static void
on_greet_late(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	err_set(&e, ERR_CHILD, "%s %s was not ready within %d s", program_of(p->role), p->name, GREET_MS / 1000);
	p->timer = 0;
	peer_down(p, &e);
}

/* It said who it is, and what it is to know follows: for some not before a person came. */
static int
greeted(struct peer *p, struct err *e)
{
	p->state = PEER_SETTING;
	if (!asks_person(p) || p->pin >= 0)
		return send_settings(p, e);
	/* however long it takes: nothing is lost meanwhile, jobs wait as for a card that is away */
	loop_timer_del(p->c->loop, p->timer);
	p->timer = 0;
	p->wants_pin = true;
	err_set(&p->why, ERR_PIN_SOURCE, "waits for its PIN; sealroom token login %s", p->name);
	tell(p, false, &p->why);
	return 0;
}

static int
on_hello(struct peer *p, struct wire_msg *m, struct err *e)
{
	char build[64], name[MSG_NAME_MAX];
	uint32_t role = buf_get_u32(&m->payload);

	buf_get_str(&m->payload, build, sizeof(build));
	buf_get_str(&m->payload, name, sizeof(name));
	if (!buf_finished(&m->payload) || p->state != PEER_GREETING || role != (uint32_t)p->role)
		return err_set(e, ERR_PEER, "%s: HELLO is damaged", program_of(p->role));
	if (strcmp(build, build_id) != 0)
		return err_set(e, ERR_CONF, "%s is of another build; install all programs together",
		    program_of(p->role));
	return greeted(p, e);
}

static int
on_ready(struct peer *p, struct wire_msg *m, struct err *e)
{
	int r = 0;

	if (p->state != PEER_SETTING)
		return err_set(e, ERR_PEER, "%s: READY out of turn", program_of(p->role));
	if (p->role == ROLE_SEAL) {
		if (p->seal == NULL && (p->seal = calloc(1, sizeof(*p->seal))) == NULL)
			return err_set(e, ERR_MEM, "READY");
		r = ready_seal_get(&m->payload, p->seal, e);
	} else if (p->role == ROLE_SCAN) {
		if (p->scan == NULL && (p->scan = calloc(1, sizeof(*p->scan))) == NULL)
			return err_set(e, ERR_MEM, "READY");
		r = ready_scan_get(&m->payload, p->scan, e);
	}
	if (r < 0)
		return r;
	if (p->log) /* the key is there: a later start must find it, never make another */
		p->c->opts.log_empty = false;
	loop_timer_del(p->c->loop, p->timer);
	p->timer = 0;
	p->state = PEER_READY;
	p->ready_at = clock_ms();
	memset(&p->why, 0, sizeof(p->why));
	answer_login(p, NULL);
	tell(p, true, NULL);
	pump(p->c);
	return 0;
}

static int
on_signed(struct peer *p, struct wire_msg *m, struct err *e)
{
	uint32_t ticket = buf_get_u32(&m->payload);
	size_t len;
	const uint8_t *cms = buf_get_blob(&m->payload, &len);
	uint8_t imprint[HASH_LEN];

	buf_get(&m->payload, imprint, HASH_LEN);
	if (!buf_finished(&m->payload) || !p->question.open || p->question.sign == NULL ||
	    ticket != p->question.ticket || len == 0)
		return err_set(e, ERR_PEER, "SIGNED without a question");
	p->seal->signatures++;
	answer_question(p, NULL, cms, len, imprint, NULL);
	return 0;
}

static int
on_refused(struct peer *p, struct wire_msg *m, struct err *e)
{
	struct err why = { 0 };
	char text[ERR_TEXT_MAX];
	uint32_t ticket = buf_get_u32(&m->payload);
	uint32_t code = buf_get_u32(&m->payload);

	buf_get_str(&m->payload, text, sizeof(text));
	if (!buf_finished(&m->payload) || !err_code_valid(code) || !p->question.open ||
	    (p->question.sign != NULL && ticket != p->question.ticket))
		return err_set(e, ERR_PEER, "REFUSED without a question");
	err_set(&why, (enum err_code)code, "%s", text);
	answer_question(p, &why, NULL, 0, NULL, NULL);
	return 0;
}

static int
on_noted(struct peer *p, struct wire_msg *m, struct err *e)
{
	char note[MSG_NOTE_MAX];
	size_t len;
	const uint8_t *text = buf_get_blob(&m->payload, &len);

	if (!buf_finished(&m->payload) || !p->question.open || p->question.note == NULL || len >= sizeof(note))
		return err_set(e, ERR_PEER, "NOTED without a question");
	memcpy(note, text, len);
	note[len] = '\0';
	answer_question(p, NULL, NULL, 0, NULL, note);
	return 0;
}

static int
fail_get(struct wire_msg *m, struct err *ret, struct err *e)
{
	struct err f = { 0 };
	uint32_t code = buf_get_u32(&m->payload);

	f.page = buf_get_u32(&m->payload);
	buf_get_str(&m->payload, f.text, sizeof(f.text));
	if (!buf_finished(&m->payload) || !err_code_valid(code))
		return err_set(e, ERR_PEER, "FAIL is damaged");
	err_set(ret, (enum err_code)code, "%s", f.text); /* one line of UTF-8 */
	ret->page = f.page;
	return 0;
}

static struct task_run *
task_by_id(struct children *c, const struct peer *p, uint32_t id)
{
	for (struct task_run *t = c->tasks; t != NULL; t = t->next)
		if (t->peer == p && t->id == id && id != 0)
			return t;
	return NULL;
}

static int
on_started(struct peer *p, struct wire_msg *m, struct err *e)
{
	uint32_t id = buf_get_u32(&m->payload);
	struct task_run *t = task_by_id(p->c, p, id);

	if (!buf_finished(&m->payload))
		return err_set(e, ERR_PEER, "STARTED is damaged");
	if (t == NULL) { /* cancelled meanwhile */
		task_signal(p, id, m->fd[0]);
		return 0;
	}
	if (t->pidfd >= 0)
		return err_set(e, ERR_PEER, "STARTED twice");
	t->pidfd = take_fd(&m->fd[0]);
	if (t->timed_out || t->breach || t->ours)
		task_signal(p, t->id, t->pidfd);
	else if (!p->remote)
		aside_started(&t->aside, t->pidfd);
	return 0;
}

static void task_read(struct task_run *, unsigned most);

static int
on_exit_msg(struct peer *p, struct wire_msg *m, struct err *e)
{
	struct task_run *t = task_by_id(p->c, p, buf_get_u32(&m->payload));
	int status = buf_get_i32(&m->payload);
	uint64_t rss = buf_get_u64(&m->payload), cpu = buf_get_u64(&m->payload);

	if (!buf_finished(&m->payload))
		return err_set(e, ERR_PEER, "EXIT is damaged");
	if (t == NULL)
		return 0;
	t->exited = true;
	t->status = status;
	t->maxrss_kib = rss;
	t->cpu_us = cpu;
	if (t->sock >= 0)
		task_read(t, UINT_MAX); /* what it said last may still lie in the socket */
	if (t->pidfd < 0 && t->failed && !t->ours) /* never began: it is the zygote that speaks of its fork() */
		t->ours = true;
	task_finish(t, t->ours && !t->timed_out);
	pump(p->c);
	return 0;
}

static int
peer_message(struct peer *p, struct wire_msg *m, struct err *e)
{
	int r;

	switch (m->type) {
	case MSG_HELLO:
		return on_hello(p, m, e);
	case MSG_READY:
		return on_ready(p, m, e);
	case MSG_STARTED:
		return on_started(p, m, e);
	case MSG_EXIT:
		return on_exit_msg(p, m, e);
	case MSG_SIGNED:
		return on_signed(p, m, e);
	case MSG_REFUSED:
		return on_refused(p, m, e);
	case MSG_NOTED:
		return on_noted(p, m, e);
	case MSG_FAIL:
		r = fail_get(m, &p->why, e);
		if (r == 0) {
			*e = p->why;
			r = -(int)e->code;
		}
		return r;
	default:
		return err_set(e, ERR_PEER, "%s is not expected", wire_name(m->type));
	}
}

static void
on_peer(void *ctx, uint32_t events)
{
	struct peer *p = ctx;
	struct err e = { 0 };
	AUTO_MSG m = { 0 };
	int r;

	(void)events;
	r = wire_recv(p->proc.sock, p->role, ROLE_CORE, MSG_DONTWAIT, &m, &e);
	if (r < 0 && errno == EAGAIN && e.code == ERR_IO)
		return;
	if (r == 0)
		r = err_set(&e, ERR_CHILD, "%s %s ended", program_of(p->role), p->name);
	if (r < 0 || peer_message(p, &m, &e) < 0)
		peer_down(p, &e);
}

/* --- peers: units, which come to us ------------------------------------------------------ */

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
	tell(p, false, &p->why);
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
	p->timer = loop_timer(p->c->loop, GREET_MS, on_greet_late, p);
	if (loop_fd(p->c->loop, p->proc.sock, EPOLLIN, on_peer, p) < 0)
		err_set(&e, ERR_MEM, "event loop");
	else if (greeted(p, &e) == 0)
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
		err_set(&e, ERR_CHILD, "%s %s ended", program_of(p->role), p->name);
		peer_down(p, &e);
	}
	if (p->proc.sock >= 0)
		return "one like it is there already";
	if (strcmp(h->build, build_id) == 0)
		return NULL;
	err_set(&p->why, ERR_CONF, "%s is of another build; install all programs together and restart them",
	    program_of(p->role));
	return p->why.text;
}

static void
on_come(void *ctx, int sock, const struct peer_hello *h)
{
	struct children *c = ctx;
	struct peer *p = peer_called(c, h);
	const char *why = p == NULL ? "the settings name no such token" : turned_away(p, h);
	AUTO_FD fd = sock;

	if (why != NULL) {
		log_line(LOG_ERR, "%s %s (process %d) came and is sent away: %s", program_of(h->role), h->name, h->pid, why);
		return;
	}
	log_line(LOG_INFO, "%s %s has come (process %d)", program_of(p->role), p->name, h->pid);
	io_close(&p->waiting);
	p->waiting = take_fd(&fd);
	if (p->state == PEER_AWAITED)
		peer_welcome(p);
}

/* --- peers: start ------------------------------------------------------------------------ */

static void
peer_start(struct peer *p)
{
	char path[4096];
	const struct conf *conf = p->c->opts.conf;
	char *argv[] = { (char *)(uintptr_t)program_of(p->role), (char *)(uintptr_t)"--conf",
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
		answer_login(p, &e);
		tell(p, false, &e);
		return;
	}
	p->state = PEER_GREETING;
	p->running = 0;
	memset(&p->why, 0, sizeof(p->why));
	p->timer = loop_timer(p->c->loop, GREET_MS, on_greet_late, p);
	if (loop_fd(p->c->loop, p->proc.sock, EPOLLIN, on_peer, p) < 0) {
		err_set(&e, ERR_MEM, "event loop");
		peer_down(p, &e);
	}
}

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
	pump(ctx);
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
		r = peers_open(&c->door, loop, o->conf, on_come, c, e);
	if (r < 0) {
		children_close(c);
		return r;
	}
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		peer_start(p);
	*ret = c;
	return 0;
}

/* --- other settings ---------------------------------------------------------------------- */

/* Nothing of a token's is asked of a process but this. */
static bool
token_same(const struct conf_token *a, const struct conf_token *b)
{
	return strcmp(a->module, b->module) == 0 && strcmp(a->serial, b->serial) == 0 && strcmp(a->label, b->label) == 0 &&
	    strcmp(a->key_id, b->key_id) == 0 && strcmp(a->key_label, b->key_label) == 0 && strcmp(a->cert, b->cert) == 0 &&
	    strcmp(a->chain, b->chain) == 0 && strcmp(a->pin, b->pin) == 0 && a->unsafe_legacy == b->unsafe_legacy;
}

/* In the middle of a login nobody is ended; nor is who has work. */
static bool
peer_idle(const struct peer *p)
{
	return p->running == 0 && !p->reserved && !p->question.open &&
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
	if (p->state == PEER_STOPPED && marked(p))
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
	while (c->tasks != NULL) {
		c->tasks->cb = NULL;
		task_finish(c->tasks, true);
	}
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
		answer_login(p, &p->why);
		free(p->seal);
		free(p->scan);
		free(p);
	}
	asides_free(c->asides);
	free(c);
}

/* --- tasks ----------------------------------------------------------------------------- */

static enum role
role_of(uint32_t kind)
{
	return kind >= TASK_STAMP ? ROLE_FETCH : kind >= TASK_ATTACH ? ROLE_VERIFY : ROLE_SCAN;
}

static uint32_t
patience_of(uint32_t kind)
{
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].patience_ms;
	return 0;
}

static uint32_t
slots_of(enum role role)
{
	return role == ROLE_FETCH ? 8 : 16;
}

static int
on_page_want(struct task_run *t, struct wire_msg *m, struct err *e)
{
	uint32_t page = buf_get_u32(&m->payload);
	struct pollfd room = { .fd = t->sock, .events = POLLOUT };
	AUTO_FD fd = -1;
	AUTO_BUF b = { 0 };
	int r;

	if (!buf_finished(&m->payload) || t->req.page == NULL)
		return err_set(e, ERR_PEER, "a page that is not there");
	/* the core does not wait for who asks and never reads */
	if (poll(&room, 1, 0) < 1 || !(room.revents & POLLOUT))
		return err_set(e, ERR_PEER, "pages are asked for and not taken");
	if ((fd = t->req.page(t->ctx, page)) < 0)
		return errno == ERANGE ? err_set(e, ERR_PEER, "a page that is not there") :
		                         err_sys(e, ERR_IO, "page %u", page + 1);
	buf_init(&b, 4);
	buf_put_u32(&b, page);
	if ((r = wire_send(t->sock, MSG_PAGE, t->id, &b, &fd, 1, e)) < 0 && (errno == EPIPE || errno == ECONNRESET))
		return 0; /* it died meanwhile: EXIT will say how */
	return r;
}

/* What a child may say went wrong. Of the log, a PIN or the archive it knows nothing. */
static bool
may_say(enum role role, enum err_code code)
{
	switch (code) {
	case ERR_IO:
	case ERR_SPACE:
	case ERR_MEM:
	case ERR_CONF:
	case ERR_CONFINE:
	case ERR_PEER:
		return true;
	case ERR_TSA_DOWN:
		return role == ROLE_FETCH;
	case ERR_TSA_ANSWER:
		return role == ROLE_FETCH || role == ROLE_VERIFY;
	case ERR_SIG:
	case ERR_CERT:
		return role == ROLE_VERIFY;
	default:
		return role == ROLE_SCAN &&
		    (err_class(code) == ERR_CLASS_REJECT || err_class(code) == ERR_CLASS_HOLD);
	}
}

static int
on_task_fail(struct task_run *t, struct wire_msg *m, struct err *e)
{
	struct err f;
	int r = fail_get(m, &f, e);

	if (r < 0)
		return r;
	if (!may_say(t->peer->role, f.code))
		return err_set(e, ERR_PEER, "%s is not its to say", err_word(f.code));
	t->answered = t->failed = true;
	t->err = f;
	return 0;
}

static int
task_message(struct task_run *t, struct wire_msg *m, struct err *e)
{
	if (t->answered)
		return err_set(e, ERR_PEER, "a message after the final one");
	switch (m->type) {
	case MSG_RESULT:
		t->answered = true;
		buf_put(&t->result, m->payload.data, m->payload.len);
		return buf_ok(&t->result) ? 0 : err_set(e, ERR_MEM, "result");
	case MSG_FAIL:
		return on_task_fail(t, m, e);
	case MSG_PROGRESS:
		return 0;
	case MSG_PAGE_WANT:
		return on_page_want(t, m, e);
	default:
		return err_set(e, ERR_PEER, "%s is not expected", wire_name(m->type));
	}
}

/* Nothing more is read from it, and it ends; EXIT brings the end of the task. */
static void
task_break(struct task_run *t, const struct err *e)
{
	if (e->code == ERR_PEER) {
		t->breach = true;
	} else { /* no descriptor, no memory, no page file: our trouble, not the document's */
		t->ours = true;
		t->err = *e;
	}
	task_signal(t->peer, t->id, t->pidfd);
	loop_fd_del(t->c->loop, t->sock);
}

/* Reads what is there; a hang-up only ends the reading. A child that never stops talking gets 'most' at a turn. */
static void
task_read(struct task_run *t, unsigned most)
{
	struct err e = { 0 };

	while (!t->breach && !t->ours && most-- > 0) {
		AUTO_MSG m = { 0 };
		int r = wire_recv(t->sock, ROLE_TASK, ROLE_CORE, MSG_DONTWAIT, &m, &e);

		if (r < 0 && e.code == ERR_IO && errno == EAGAIN)
			return;
		if (r == 0) {
			loop_fd_del(t->c->loop, t->sock);
			io_close(&t->sock);
			return;
		}
		if (r < 0 || task_message(t, &m, &e) < 0) {
			task_break(t, &e);
			return;
		}
	}
}

static void
on_task_sock(void *ctx, uint32_t events)
{
	(void)events;
	task_read(ctx, READ_MOST);
}

/* Killed, yet its zygote does not say so: the zygote itself hangs. */
static void
on_no_exit(void *ctx)
{
	struct task_run *t = ctx;
	struct err e = { 0 };

	t->timer = 0;
	err_set(&e, ERR_CHILD, "%s does not answer", program_of(t->peer->role));
	peer_down(t->peer, &e);
}

static void
task_kill(struct task_run *t)
{
	t->timed_out = true;
	task_signal(t->peer, t->id, t->pidfd);
	loop_timer_del(t->c->loop, t->timer);
	t->timer = loop_timer(t->c->loop, EXIT_PATIENCE_MS, on_no_exit, t);
}

static void
on_deadline(void *ctx)
{
	struct task_run *t = ctx;
	uint64_t lost = aside_lost_ms(&t->aside);

	t->timer = 0;
	if (lost > 0)
		t->timer = loop_timer(t->c->loop, lost, on_deadline, t);
	else
		task_kill(t);
}

static int
task_send(struct task_run *t, struct err *e)
{
	int sv[2], fds[3], n = 0, r;
	AUTO_BUF b = { 0 };

	if ((r = wire_pair(sv, e)) < 0)
		return r;
	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, t->id);
	buf_put_u32(&b, t->req.kind);
	buf_put_u32(&b, t->req.as_mib);
	buf_put_u32(&b, t->req.cpu_s);
	buf_put_u64(&b, t->req.fsize);
	buf_put_blob(&b, t->params.data, t->params.len);
	fds[n++] = sv[1];
	/* the second is always the input: a task without one gets its output there */
	if (t->req.in >= 0 || t->req.out >= 0)
		fds[n++] = t->req.in >= 0 ? t->req.in : t->req.out;
	if (t->req.out >= 0)
		fds[n++] = t->req.out;
	r = wire_send(t->peer->proc.sock, MSG_TASK, ++t->peer->seq, &b, fds, n, e);
	close(sv[1]);
	t->sock = sv[0];
	if (r == 0 && loop_fd(t->c->loop, t->sock, EPOLLIN, on_task_sock, t) < 0)
		r = err_set(e, ERR_MEM, "event loop");
	return r;
}

static void
task_start(struct task_run *t)
{
	struct err e = { 0 };

	if (++t->c->ids == 0)
		t->c->ids = 1;
	t->id = t->c->ids;
	t->peer->running++;
	if (t->peer->role != ROLE_FETCH) /* which waits for the network, not for a core */
		aside_begin(t->c->asides, &t->aside, t->req.behind ? 0 : patience_of(t->req.kind));
	if (task_send(t, &e) < 0) {
		peer_down(t->peer, &e);
		return;
	}
	if (t->req.deadline_ms != 0)
		t->timer = loop_timer(t->c->loop, t->req.deadline_ms, on_deadline, t);
}

/* Who has taken long gives its slot back, and goes on beside the others. */
static bool
slot_free(const struct peer *p)
{
	uint32_t fresh = 0;

	if (p->state != PEER_READY || p->renew || p->running >= slots_of(p->role) + SLOTS_LONG)
		return false;
	for (const struct task_run *t = p->c->tasks; t != NULL; t = t->next)
		fresh += t->peer == p && t->id != 0 && !t->aside.taken_long;
	return fresh < slots_of(p->role);
}

/* The oldest that can start; of what already is half way to its seal, before what only begins. */
static struct task_run *
next_task(const struct children *c)
{
	struct task_run *first = NULL;

	for (struct task_run *t = c->tasks; t != NULL; t = t->next) {
		if (t->id != 0 || (!t->ours && !slot_free(t->peer)))
			continue;
		if (t->req.kind != TASK_INSPECT && t->req.kind != TASK_PAGE)
			return t;
		first = first == NULL ? t : first;
	}
	return first;
}

/* Starts what can start. A start may fail and take its peer down: begin again then. */
static void
pump(struct children *c)
{
	struct task_run *t;

	if (c->closing)
		return;
	do {
		t = next_task(c);
		if (t != NULL && t->ours)
			task_finish(t, true);
		else if (t != NULL)
			task_start(t);
	} while (t != NULL);
}

static void
on_pump(void *ctx)
{
	struct children *c = ctx;

	c->pump_timer = 0;
	pump(c);
}

uint64_t
children_task(struct children *c, const struct task_req *req, task_cb *cb, void *ctx)
{
	struct task_run *t = calloc(1, sizeof(*t)), **pp = &c->tasks;
	struct peer *p = c->peers;

	while (p != NULL && p->role != role_of(req->kind))
		p = p->next;
	if (t == NULL || p == NULL)
		abort(); /* our own mistake, or no memory for a hundred bytes: a restart loses nothing */
	*t = (struct task_run){ .c = c, .peer = p, .handle = ++c->handles, .req = *req, .cb = cb, .ctx = ctx,
		.sock = -1, .pidfd = -1 };
	t->req.params = NULL;
	t->req.in = req->in < 0 ? -1 : fcntl(req->in, F_DUPFD_CLOEXEC, 3);
	t->req.out = req->out < 0 ? -1 : fcntl(req->out, F_DUPFD_CLOEXEC, 3);
	if ((req->in >= 0 && t->req.in < 0) || (req->out >= 0 && t->req.out < 0)) {
		t->ours = true; /* without its input a child would judge an empty document */
		err_sys(&t->err, ERR_IO, "descriptor for a task");
	}
	buf_init(&t->params, WIRE_PAYLOAD);
	if (req->params != NULL)
		buf_put(&t->params, req->params->data, req->params->len);
	if (!buf_ok(&t->params) || (req->params != NULL && !buf_ok(req->params))) {
		t->ours = true; /* nor is half a question one that a child answers for */
		err_set(&t->err, ERR_MEM, "parameters of a task");
	}
	buf_init(&t->result, WIRE_PAYLOAD);
	while (*pp != NULL)
		pp = &(*pp)->next;
	*pp = t;
	/* from the loop, so that no callback comes before the caller has its handle */
	if (c->pump_timer == 0)
		c->pump_timer = loop_timer(c->loop, 0, on_pump, c);
	return t->handle;
}

void
children_cancel(struct children *c, uint64_t handle)
{
	for (struct task_run *t = c->tasks; t != NULL; t = t->next)
		if (t->handle == handle) {
			t->cb = NULL;
			t->req.page = NULL; /* its context may be gone, too */
			if (t->id == 0)
				task_finish(t, true);
			else
				task_kill(t);
			return;
		}
}

void
children_load(const struct children *c, enum role role, uint32_t *running, uint32_t *waiting)
{
	*running = *waiting = 0;
	for (const struct task_run *t = c->tasks; t != NULL; t = t->next)
		if (t->peer->role == role)
			(*(t->id == 0 ? waiting : running))++;
}

/* --- seal ------------------------------------------------------------------------------ */

struct token_peer *
children_reserve(struct children *c, const struct conf_seal *seal)
{
	for (size_t i = 0; i < seal->ntokens; i++)
		for (struct peer *p = c->peers; p != NULL; p = p->next)
			if (p->token == seal->tokens[i] && p->state == PEER_READY && !p->renew && !p->reserved &&
			    p->seal->logged_in) {
				p->reserved = true;
				return p;
			}
	return NULL;
}

void
children_unreserve(struct token_peer *p)
{
	p->reserved = false;
}

const struct ready_seal *
children_token_facts(const struct token_peer *p)
{
	return p->seal;
}

const char *
children_token_name(const struct token_peer *p)
{
	return p->name;
}

bool
children_unasked(const struct token_peer *p)
{
	return p->unasked;
}

static void
on_answer_late(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	p->question.timer = 0;
	err_set(&e, ERR_TOKEN_FAULT, "token %s gave no answer within %u s", p->name, p->c->opts.answer_ms / 1000);
	peer_down(p, &e);
}

/* Answers later, from the loop, when the process has gone meanwhile. */
static void
on_ask_failed(void *ctx)
{
	struct peer *p = ctx;
	struct err e = { 0 };

	if (!p->question.open)
		return;
	p->question.timer = 0;
	err_set(&e, ERR_TOKEN_GONE, "token %s is not ready", p->name);
	/* one that only now starts may be in the middle of its login: never killed for this */
	if (p->state == PEER_READY)
		peer_down(p, &e);
	else
		answer_question(p, &e, NULL, 0, NULL, NULL);
}

static void
ask(struct peer *p, enum msg_type type, const struct buf *b, struct question q)
{
	struct err e = { 0 };
	bool sent = p->state == PEER_READY && wire_send(p->proc.sock, type, ++p->seq, b, NULL, 0, &e) == 0;

	p->question = q;
	p->question.open = true;
	p->question.unasked = !sent;
	p->question.timer = loop_timer(p->c->loop, sent ? p->c->opts.answer_ms : 0, sent ? on_answer_late : on_ask_failed, p);
}

void
children_sign(struct token_peer *p, const char *job, uint32_t attempt, const uint8_t digest[HASH_LEN], sign_cb *cb,
    void *ctx)
{
	struct question q = { .ticket = p->seq + 1, .sign = cb, .ctx = ctx };
	AUTO_BUF b;

	buf_init(&b, 96);
	buf_put_u32(&b, q.ticket);
	buf_put_str(&b, job);
	buf_put_u32(&b, attempt);
	buf_put(&b, digest, HASH_LEN);
	ask(p, MSG_SIGN, &b, q);
}

static struct peer *
log_peer(const struct children *c)
{
	for (struct peer *p = c->peers; p != NULL; p = p->next)
		if (p->log)
			return p;
	return NULL;
}

const struct ready_seal *
children_log_facts(const struct children *c)
{
	const struct peer *p = log_peer(c);

	return p != NULL && p->state == PEER_READY ? p->seal : NULL;
}

int
children_note(struct children *c, const char *origin, uint64_t size, const uint8_t root[HASH_LEN], note_cb *cb,
    void *ctx)
{
	struct question q = { .note = cb, .ctx = ctx };
	struct peer *p = log_peer(c);
	AUTO_BUF b = { 0 };

	if (p == NULL || p->state != PEER_READY || p->question.open)
		return -1;
	buf_init(&b, 320);
	buf_put_str(&b, origin);
	buf_put_u64(&b, size);
	buf_put(&b, root, HASH_LEN);
	ask(p, MSG_NOTE, &b, q);
	return 0;
}

/* --- status ---------------------------------------------------------------------------- */

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

void
children_usage(const struct children *c, uint32_t i, struct task_usage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (i >= KINDS)
		return;
	*ret = c->usage[i];
	ret->kind = kinds[i].word;
}
