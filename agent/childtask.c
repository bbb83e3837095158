#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/wire.h"

#include "agent/aside.h"
#include "agent/childrenint.h"

#define EXIT_PATIENCE_MS 10000
#define READ_MOST 32         /* messages of one child a turn */

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
	{ TASK_INSPECT, "inspect", 25 }, { TASK_PAGE, "page", 1000 }, { TASK_COMPOSE, "compose", 500 },
	{ TASK_EXPLAIN, "explain", 500 }, { TASK_FIELD, "field", 500 }, { TASK_FINISH, "finish", 500 },
	{ TASK_SIGS, "sigs", 500 }, { TASK_PICTURE, "picture", 500 },
	{ TASK_KEPT_PAGE, "kept-page", 1000 }, { TASK_KEPT_PICTURE, "kept-picture", 500 }, { TASK_FILES, "files", 500 },
	{ TASK_PROOF, "proof", 500 }, { TASK_PART, "part", 500 }, { TASK_ATTACH, "attach", 500 },
	{ TASK_JUDGE, "judge", 500 }, { TASK_RECORD, "record", 500 }, { TASK_STAMP, "stamp", 0 }, { TASK_PROBE, "probe", 0 },
};
_Static_assert(sizeof(kinds) / sizeof(kinds[0]) == CHILD_KINDS, "a row a kind");

/* --- its end ---------------------------------------------------------------------------- */

/* Nobody else signals a child; the kernel does, too, when its processor time is over and it has not heeded that. */
static bool
is_starved(const struct task_run *t)
{
	return t->exited && !t->answered && !t->timed_out && !t->breach && !t->ours && WIFSIGNALED(t->status) &&
	    WTERMSIG(t->status) == SIGKILL && (t->req.cpu_s == 0 || t->cpu_us < t->req.cpu_s * UINT64_C(1000000));
}

/* What went wrong, in t->err; a failure that a child or we ourselves have named stays. */
static void
task_blame(struct task_run *t, bool lost)
{
	if (lost) {
		if (!t->ours)
			err_set(&t->err, ERR_CHILD, "%s ended", peer_program(t->peer->role));
	} else if (t->timed_out) {
		err_set(&t->err, ERR_DOC_TIMEOUT, "no answer within %u s", t->req.deadline_ms / 1000);
	} else if (t->breach) {
		err_set(&t->err, ERR_DOC_CRASH, "broke the protocol");
	} else if (is_starved(t)) {
		err_set(&t->err, ERR_MEM, "was killed, as when memory runs out; it had %llu MiB", (unsigned long long)t->maxrss_kib >> 10);
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
		log_err(LOG_WARNING, peer_program(p->role), &e);
}

static void
count_usage(struct task_run *t)
{
	for (size_t i = 0; i < CHILD_KINDS; i++) {
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
	struct task_outcome o = { .crashed = (t->breach || !t->answered) && !lost && !t->timed_out && !is_starved(t),
		.timed_out = t->timed_out, .starved = !lost && is_starved(t), .lost = lost, .maxrss_kib = t->maxrss_kib, .cpu_us = t->cpu_us };

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
	if (t->answered && !lost)
		t->peer->useful = true;
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

void
tasks_lose(struct peer *p)
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

void
tasks_drop(struct children *c)
{
	while (c->tasks != NULL) {
		c->tasks->cb = NULL;
		task_finish(c->tasks, true);
	}
}

/* --- what it says ----------------------------------------------------------------------- */

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
	int r = child_fail_get(m, &f, e);

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

/* --- what its zygote says --------------------------------------------------------------- */

static struct task_run *
task_by_id(struct children *c, const struct peer *p, uint32_t id)
{
	for (struct task_run *t = c->tasks; t != NULL; t = t->next)
		if (t->peer == p && t->id == id && id != 0)
			return t;
	return NULL;
}

int
task_started(struct peer *p, struct wire_msg *m, struct err *e)
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

int
task_exited(struct peer *p, struct wire_msg *m, struct err *e)
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
	tasks_pump(p->c);
	return 0;
}

/* --- its start -------------------------------------------------------------------------- */

static enum role
role_of(uint32_t kind)
{
	return kind >= TASK_STAMP ? ROLE_FETCH : kind >= TASK_ATTACH ? ROLE_VERIFY : ROLE_SCAN;
}

static uint32_t
patience_of(uint32_t kind)
{
	for (size_t i = 0; i < CHILD_KINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].patience_ms;
	return 0;
}

/* Killed, yet its zygote does not say so: the zygote itself hangs. */
static void
on_no_exit(void *ctx)
{
	struct task_run *t = ctx;
	struct err e = { 0 };

	t->timer = 0;
	err_set(&e, ERR_CHILD, "%s does not answer", peer_program(t->peer->role));
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
	t->sock = sv[0];
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
	if (loop_fd(t->c->loop, t->sock, EPOLLIN, on_task_sock, t) < 0)
		r = err_set(e, ERR_MEM, "event loop");
	else
		r = wire_send(t->peer->proc.sock, MSG_TASK, ++t->peer->seq, &b, fds, n, e);
	close(sv[1]);
	return r;
}

static void
task_start(struct task_run *t)
{
	struct err e = { 0 };
	int r;

	if (++t->c->ids == 0)
		t->c->ids = 1;
	t->id = t->c->ids;
	t->peer->running++;
	if (t->peer->role != ROLE_FETCH) /* which waits for the network, not for a core */
		aside_begin(t->c->asides, &t->aside, t->req.behind ? 0 : patience_of(t->req.kind));
	if ((r = task_send(t, &e)) == -ERR_CHILD) {
		peer_down(t->peer, &e);
		return;
	}
	if (r < 0) { /* no descriptor, no memory: our trouble, and of this task alone */
		t->ours = true;
		t->err = e;
		task_finish(t, true);
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

	if (p->state != PEER_READY || p->renew || p->running >= TASKS_MOST(p->role))
		return false;
	for (const struct task_run *t = p->c->tasks; t != NULL; t = t->next)
		fresh += t->peer == p && t->id != 0 && !t->aside.taken_long;
	return fresh < TASKS_FRESH(p->role);
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

/* A start may fail and take its peer down: begin again then. */
void
tasks_pump(struct children *c)
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
	tasks_pump(c);
}

/* --- for the core ----------------------------------------------------------------------- */

/* What a child reads it can not change, and without an output it has nothing to write to, whatever the caller holds. */
static void
take_files(struct task_run *t, const struct task_req *req)
{
	t->req.in = req->in < 0 ? -1 : io_read_only(req->in, &t->err);
	t->req.out = req->out < 0 ? -1 : fcntl(req->out, F_DUPFD_CLOEXEC, 3);
	if (req->out < 0)
		t->req.fsize = 0;
	else if (t->req.out < 0)
		err_sys(&t->err, ERR_IO, "descriptor for a task");
	t->ours = t->err.code != ERR_OK; /* without its input a child would judge an empty document */
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
	take_files(t, req);
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
children_usage(const struct children *c, uint32_t i, struct task_usage *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (i >= CHILD_KINDS)
		return;
	*ret = c->usage[i];
	ret->kind = kinds[i].word;
}
