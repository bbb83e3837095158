#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/task.h"
#include "agent/lib/unit.h"
#include "agent/lib/wire.h"

#define CHILDREN_MAX TASKS_MOST(ROLE_SCAN) /* nobody has more */

struct child {
	uint32_t task;
	pid_t pid;
	int pidfd;
};

struct zygote {
	const struct task_role *role;
	void *state;
	struct child children[CHILDREN_MAX];
	uint32_t n;
};

int
task_result(struct task *t, const struct buf *payload, struct err *e)
{
	if (t->starved != NULL && t->starved())
		return err_set(e, ERR_MEM, "memory was short on the way to the result");
	return wire_send(t->sock, MSG_RESULT, t->id, payload, NULL, 0, e);
}

int
task_progress(struct task *t, uint32_t done, uint32_t of, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 8);
	buf_put_u32(&b, done);
	buf_put_u32(&b, of);
	return wire_send(t->sock, MSG_PROGRESS, t->id, &b, NULL, 0, e);
}

int
task_page(struct task *t, uint32_t page, int *ret_fd, struct err *e)
{
	AUTO_BUF b;
	AUTO_MSG m = { 0 };
	int r;

	buf_init(&b, 4);
	buf_put_u32(&b, page);
	if ((r = wire_send(t->sock, MSG_PAGE_WANT, t->id, &b, NULL, 0, e)) < 0)
		return r;
	if ((r = wire_recv(t->sock, ROLE_CORE, ROLE_TASK, 0, &m, e)) <= 0)
		return r < 0 ? r : err_set(e, ERR_CHILD, "the core hung up");
	if (m.type != MSG_PAGE || buf_get_u32(&m.payload) != page || !buf_finished(&m.payload))
		return err_set(e, ERR_PEER, "another page than asked for");
	*ret_fd = take_fd(&m.fd[0]);
	return 0;
}

static void
send_fail(int sock, uint32_t seq, const struct err *e)
{
	AUTO_BUF b;
	struct err ignored;

	buf_init(&b, 256);
	buf_put_u32(&b, (uint32_t)e->code);
	buf_put_u32(&b, e->page);
	buf_put_str(&b, e->text);
	/* the core sees the hang-up when this does not go through */
	(void)wire_send(sock, MSG_FAIL, seq, &b, NULL, 0, &ignored);
}

static const struct task_kind *
find_kind(const struct task_role *role, uint32_t kind)
{
	for (size_t i = 0; i < role->nkinds; i++)
		if (role->kinds[i].kind == kind)
			return &role->kinds[i];
	return NULL;
}

/*
 * Standard input becomes /dev/null, which a child has for its output, too: neither a
 * library's words about a document nor a forged line may come into the journal.
 */
static int
prepare_null(struct err *e)
{
	AUTO_FD null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return err_sys(e, ERR_IO, "/dev/null");
	return 0;
}

/* Sanitizers must be able to speak. */
static int
silence(void)
{
#ifdef SEALROOM_SANITIZE
	return 0;
#else
	return dup2(STDIN_FILENO, STDOUT_FILENO) < 0 || dup2(STDIN_FILENO, STDERR_FILENO) < 0 ? -1 : 0;
#endif
}

/* What a library without memory says of its input is not so: "data end too early". */
static void
doubt(const struct task *t, struct err *e)
{
	char said[ERR_TEXT_MAX];

	if (t->starved == NULL || !t->starved() || (err_class(e->code) != ERR_CLASS_REJECT && err_class(e->code) != ERR_CLASS_HOLD))
		return;
	memcpy(said, e->text, sizeof(said));
	err_set(e, ERR_MEM, "memory was short: %s", said);
}

/* The child: nothing of the zygote but memory; its socket, input and output. */
__attribute__((noreturn)) static void
child_main(struct zygote *z, struct task *t, const struct confine *limits, const struct task_kind *kind)
{
	struct err e = { 0 };

	proc_die_with_parent();
	if (silence() < 0 || dup2(t->sock, WIRE_FD) < 0)
		_exit(EXIT_FAILURE);
	t->sock = WIRE_FD;
	if (t->in >= 0)
		t->in = dup2(t->in, 4) < 0 ? -1 : 4;
	if (t->out >= 0)
		t->out = dup2(t->out, 5) < 0 ? -1 : 5;
	if (t->in < 0)
		close(4);
	if (t->out < 0)
		close(5);
	if (close_range(6, ~0u, 0) < 0)
		_exit(EXIT_FAILURE);
	t->role_state = z->state;
	t->starved = z->role->starved;
	if (z->role->begins != NULL)
		z->role->begins(limits->as_bytes);
	if (confine_apply(limits, &e) < 0 || kind->run(t, &e) < 0) {
		doubt(t, &e);
		send_fail(t->sock, t->id, &e);
		_exit(EXIT_FAILURE);
	}
	_exit(EXIT_SUCCESS);
}

static int
started(int sock, uint32_t task, int pidfd, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 8);
	buf_put_u32(&b, task);
	return wire_send(sock, MSG_STARTED, task, &b, &pidfd, 1, e);
}

static int
ended(uint32_t task, int status, const struct rusage *u, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 32);
	buf_put_u32(&b, task);
	buf_put_i32(&b, status);
	buf_put_u64(&b, (uint64_t)u->ru_maxrss);
	buf_put_u64(&b, (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 +
	        (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec));
	return wire_send(WIRE_FD, MSG_EXIT, task, &b, NULL, 0, e);
}

static int
on_task(struct zygote *z, struct wire_msg *m, struct err *e)
{
	struct buf *p = &m->payload;
	struct task t = { .in = -1, .out = -1 };
	const struct task_kind *kind;
	struct confine limits;
	const uint8_t *params;
	size_t len;
	pid_t pid;
	int pidfd;

	t.id = buf_get_u32(p);
	t.kind = buf_get_u32(p);
	if ((kind = find_kind(z->role, t.kind)) == NULL)
		return err_set(e, ERR_PEER, "no such task");
	limits = *(kind->child != NULL ? kind->child : z->role->child);
	limits.as_bytes = (uint64_t)buf_get_u32(p) << 20;
	limits.cpu_seconds = buf_get_u32(p);
	limits.fsize_bytes = buf_get_u64(p);
	params = buf_get_blob(p, &len);
	if (!buf_finished(p))
		return err_set(e, ERR_PEER, "task message is damaged");
	if (z->n >= TASKS_MOST(z->role->role))
		return err_set(e, ERR_PEER, "more tasks than agreed");
	buf_view(&t.params, params, len);
	t.sock = m->fd[0];
	t.in = m->fd[1];
	t.out = m->fd[2];
	if ((pid = fork()) < 0) {
		const struct rusage none = { 0 };
		struct err why = { 0 };

		err_sys(&why, ERR_MEM, "fork");
		send_fail(t.sock, t.id, &why);
		return ended(t.id, W_EXITCODE(EXIT_FAILURE, 0), &none, e);
	}
	if (pid == 0)
		child_main(z, &t, &limits, kind);
	if ((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0)
		return err_sys(e, ERR_IO, "pidfd");
	z->children[z->n++] = (struct child){ t.id, pid, pidfd };
	return started(WIRE_FD, t.id, pidfd, e);
}

static int
reap(struct zygote *z, uint32_t i, struct err *e)
{
	struct child c = z->children[i];
	struct rusage u;
	int status;

	if (wait4(c.pid, &status, WNOHANG, &u) != c.pid)
		return 0;
	close(c.pidfd);
	z->children[i] = z->children[--z->n];
	return ended(c.task, status, &u, e);
}

static int
hello(const struct task_role *role, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 256);
	buf_put_u32(&b, role->role);
	buf_put_str(&b, build_id);
	buf_put_str(&b, "");
	return wire_send(WIRE_FD, MSG_HELLO, 0, &b, NULL, 0, e);
}

/* HELLO, SETTINGS, setup, confinement, READY. */
static int
begin(struct zygote *z, struct err *e)
{
	AUTO_MSG m = { 0 };
	AUTO_BUF ready;
	uint32_t flags;
	int r;

	buf_init(&ready, WIRE_PAYLOAD);
	proc_die_with_parent();
	if ((r = hello(z->role, e)) < 0 || (r = unit_wait(WIRE_FD, e)) < 0)
		return r;
	if ((r = wire_recv(WIRE_FD, ROLE_CORE, z->role->role, 0, &m, e)) <= 0)
		return r < 0 ? r : err_set(e, ERR_PEER, "the core hung up before SETTINGS");
	flags = buf_get_u32(&m.payload);
	if (m.type != MSG_SETTINGS || !buf_finished(&m.payload))
		return err_set(e, ERR_PEER, "SETTINGS expected");
	if ((r = prepare_null(e)) < 0 || (r = z->role->setup(m.fd[0], flags, &ready, &z->state, e)) < 0 ||
	    (r = confine_apply(z->role->zygote, e)) < 0)
		return r;
	return wire_send(WIRE_FD, MSG_READY, 0, &ready, NULL, 0, e);
}

static int
on_kill(const struct zygote *z, struct wire_msg *m, struct err *e)
{
	uint32_t task = buf_get_u32(&m->payload);

	if (!buf_finished(&m->payload))
		return err_set(e, ERR_PEER, "kill message is damaged");
	for (uint32_t i = 0; i < z->n; i++)
		if (z->children[i].task == task)
			syscall(SYS_pidfd_send_signal, z->children[i].pidfd, SIGKILL, NULL, 0);
	return 0; /* unknown: it has ended meanwhile */
}

static int
serve_once(struct zygote *z, struct err *e)
{
	struct pollfd p[CHILDREN_MAX + 1];
	const uint32_t n = z->n;
	int r;

	p[0] = (struct pollfd){ .fd = WIRE_FD, .events = POLLIN };
	for (uint32_t i = 0; i < n; i++)
		p[i + 1] = (struct pollfd){ .fd = z->children[i].pidfd, .events = POLLIN };
	if (unit_poll(p, (nfds_t)n + 1) < 0)
		return errno == EINTR ? 1 : err_sys(e, ERR_IO, "poll");
	for (uint32_t i = n; i > 0; i--) /* who is reaped gives its place to the last */
		if (p[i].revents != 0 && (r = reap(z, i - 1, e)) < 0)
			return r;
	if (p[0].revents != 0) {
		AUTO_MSG m = { 0 };

		if ((r = wire_recv(WIRE_FD, ROLE_CORE, z->role->role, 0, &m, e)) <= 0)
			return r;
		if (m.type == MSG_KILL)
			return (r = on_kill(z, &m, e)) < 0 ? r : 1;
		if (m.type != MSG_TASK)
			return err_set(e, ERR_PEER, "%s is not expected here", wire_name(m.type));
		if ((r = on_task(z, &m, e)) < 0)
			return r;
	}
	return 1;
}

int
task_serve(const struct task_role *role, struct err *e)
{
	struct zygote z = { .role = role };
	int r;

	if ((r = begin(&z, e)) == 0)
		while ((r = serve_once(&z, e)) > 0)
			;
	if (r < 0)
		send_fail(WIRE_FD, 0, e);
	return r;
}
