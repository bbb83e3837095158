#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/path.h"

#include "agent/control.h"
#include "agent/controlint.h"
#include "agent/jsonput.h"

#define BACKLOG 128

struct client {
	struct control *control;
	struct client *next;
	uint64_t id;
	int fd;
	uid_t uid;
	bool operates;
	bool waits;            /* its handler answers later */
	uint32_t watched;      /* events that are waited for */
	uint64_t timer;
	int passed;            /* descriptor that came with the request; -1 */
	char *answer;          /* being sent; malloc'ed */
	size_t answer_len, answer_at;
	size_t line_len;
	char line[CONTROL_LINE];
};

struct control {
	struct loop *loop;
	struct control_opts opts;
	int fd, dir;
	char name[NAME_MAX + 1];
	gid_t group;
	uint64_t ids;
	uint32_t nclients;
	bool full;             /* nobody is let in until one leaves */
	struct client *clients;
	struct log_limit refused;
};

/* --- where the socket lies --------------------------------------------------------------- */

/* Directory and name: a path longer than sun_path is reached through the directory's descriptor. */
int
control_place(const char *path, bool make, char *name, size_t size, struct err *e)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int r, fd;

	if (slash == NULL || slash[1] == '\0' || strlen(slash + 1) >= size || strlen(slash + 1) > 60 ||
	    strlen(path) >= sizeof(dir))
		return err_set(e, ERR_CONF, "control socket %s: an absolute path with a short last name is needed", path);
	strcpy(name, slash + 1);
	memcpy(dir, path, (size_t)(slash - path) + 1);
	dir[slash == path ? 1 : slash - path] = '\0';
	if (make && (r = io_mkdir_p(AT_FDCWD, dir, 0755, e)) < 0)
		return r;
	if ((fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_PEER, "directory of the control socket %s", path);
	return fd;
}

void
control_address(int dir, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%.60s", dir, name);
}

/* --- one client -------------------------------------------------------------------------- */

static void on_client(void *ctx, uint32_t events);
static void on_accept(void *ctx, uint32_t events);

/* Out of memory here leaves the door shut until the next one leaves. */
static void
let_in(struct control *c)
{
	if (c->full && c->nclients < CONTROL_CLIENTS)
		c->full = loop_fd(c->loop, c->fd, EPOLLIN, on_accept, c) < 0;
}

static void
client_end(struct client *k)
{
	struct control *c = k->control;
	struct client **p = &c->clients;

	while (*p != k)
		p = &(*p)->next;
	*p = k->next;
	c->nclients--;
	loop_timer_del(c->loop, k->timer);
	loop_fd_del(c->loop, k->fd);
	io_close(&k->passed);
	close(k->fd);
	free(k->answer);
	free(k);
	let_in(c);
}

static void
on_idle(void *ctx)
{
	struct client *k = ctx;

	k->timer = 0;
	client_end(k);
}

/* The time runs for a whole request or a whole answer, not for each of its bytes. */
static void
client_clock(struct client *k, bool on)
{
	loop_timer_del(k->control->loop, k->timer);
	k->timer = on ? loop_timer(k->control->loop, CONTROL_IDLE_MS, on_idle, k) : 0;
}

/* Waits for 'events'; 0: only for its end. */
static void
client_wait(struct client *k, uint32_t events)
{
	if (k->watched == events)
		return;
	loop_fd_del(k->control->loop, k->fd);
	k->watched = events;
	if (loop_fd(k->control->loop, k->fd, events, on_client, k) < 0)
		client_end(k);
}

static json_t *
error_json(const struct err *e)
{
	char text[3 * ERR_TEXT_MAX];

	path_display(e->text, text, sizeof(text));
	return json_pack("{s:s, s:s}", "error", err_word(e->code), "text", text);
}

static json_t *
call_op(struct client *k, const struct control_op *o, struct control_call *call, struct err *e)
{
	if ((o->flags & CONTROL_OPERATES) && !k->operates) {
		err_set(e, ERR_DENIED, "user %u may look, but not do this; see operators in sealroom.conf(5)", k->uid);
		return NULL;
	}
	if (!(o->flags & CONTROL_FD) != (call->fd < 0)) {
		err_set(e, ERR_USAGE, call->fd < 0 ? "%s needs a descriptor with it" : "%s takes no descriptor", o->op);
		return NULL;
	}
	return o->fn(k->control->opts.ctx, call, e);
}

/* The answer to one line; NULL with k->waits: not yet. */
static json_t *
answer_to(struct client *k, const char *line, size_t len, struct err *e)
{
	struct control *c = k->control;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	const char *op = json_string_value(json_object_get(request, "op"));
	const struct control_op *o = c->opts.ops;
	struct control_call call = { .request = request, .uid = k->uid, .fd = take_fd(&k->passed), .id = k->id };

	err_set(e, ERR_USAGE, "one JSON object a line is expected, with a known \"op\"");
	while (op != NULL && o->op != NULL && strcmp(o->op, op) != 0)
		o++;
	if (op != NULL && o->op != NULL)
		answer = call_op(k, o, &call, e);
	k->waits = call.later;
	io_close(&call.fd);
	json_decref(request);
	return answer;
}

/* One line of JSON with its newline, for an answer or, where there is none, for e; NULL: no memory. */
static char *
answer_line(json_t *answer, const struct err *e)
{
	struct err long_answer;
	char *text, *longer;
	size_t n;

	if (answer == NULL)
		answer = error_json(e);
	text = answer != NULL ? json_text(answer, JSON_COMPACT) : NULL;
	if (text != NULL && strlen(text) >= CONTROL_ANSWER) {
		err_set(&long_answer, ERR_MEM, "the answer is too long");
		json_decref(answer);
		free(text);
		answer = error_json(&long_answer);
		text = answer != NULL ? json_text(answer, JSON_COMPACT) : NULL;
	}
	json_decref(answer);
	if (text == NULL)
		return NULL;
	n = strlen(text);
	if ((longer = realloc(text, n + 2)) == NULL) {
		free(text);
		return NULL;
	}
	strcpy(longer + n, "\n");
	return longer;
}

static void
client_say(struct client *k, json_t *answer, const struct err *e)
{
	if ((k->answer = answer_line(answer, e)) == NULL) {
		client_end(k);
		return;
	}
	k->answer_len = strlen(k->answer);
	k->answer_at = 0;
	client_clock(k, true);
	client_wait(k, EPOLLOUT);
}

/* Takes the first whole line out of the buffer and answers it. */
static void
client_answer(struct client *k, size_t len)
{
	struct err e = { 0 };
	json_t *answer = answer_to(k, k->line, len, &e);

	k->line_len -= len + 1;
	memmove(k->line, k->line + len + 1, k->line_len);
	if (k->waits) {
		client_clock(k, false);
		client_wait(k, 0);
	} else {
		client_say(k, answer, &e);
	}
}

static struct client *
client_waiting(const struct control *c, uint64_t id)
{
	struct client *k = c != NULL ? c->clients : NULL;

	while (k != NULL && k->id != id)
		k = k->next;
	return k != NULL && k->waits ? k : NULL;
}

bool
control_waits(const struct control *c, uint64_t id)
{
	return client_waiting(c, id) != NULL;
}

void
control_answer(struct control *c, uint64_t id, json_t *answer, const struct err *e)
{
	struct client *k = client_waiting(c, id);

	if (k == NULL) {
		json_decref(answer);
		return;
	}
	k->waits = false;
	client_say(k, answer, e);
}

static void
client_next(struct client *k)
{
	char *end = memchr(k->line, '\n', k->line_len);

	if (end != NULL)
		client_answer(k, (size_t)(end - k->line));
	else if (k->line_len == sizeof(k->line))
		client_end(k); /* longer than any request */
	else
		client_wait(k, EPOLLIN);
}

static void
client_write(struct client *k)
{
	ssize_t n = send(k->fd, k->answer + k->answer_at, k->answer_len - k->answer_at, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		client_end(k);
		return;
	}
	if (n > 0)
		k->answer_at += (size_t)n;
	if (k->answer_at < k->answer_len)
		return;
	free(k->answer);
	k->answer = NULL;
	client_clock(k, true);
	client_next(k);
}

/* Keeps the one descriptor a request may bring. False: there were more. */
static bool
client_passed(struct client *k, struct msghdr *m)
{
	bool fine = (m->msg_flags & MSG_CTRUNC) == 0;
	int fd;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (k->passed >= 0) {
				close(fd);
				fine = false;
			} else {
				k->passed = fd;
			}
		}
	}
	return fine;
}

static void
client_read(struct client *k)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec v = { k->line + k->line_len, sizeof(k->line) - k->line_len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(k->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || !client_passed(k, &m) || n == 0) {
		client_end(k);
		return;
	}
	k->line_len += (size_t)n;
	client_next(k);
}

static void
on_client(void *ctx, uint32_t events)
{
	struct client *k = ctx;

	(void)events;
	if (k->waits)
		client_end(k); /* nothing but its end is waited for */
	else if (k->answer != NULL)
		client_write(k);
	else
		client_read(k);
}

/* --- who may ask ------------------------------------------------------------------------- */

/* root, ourselves, and the members of the socket's group: whom its mode lets in, asked for once more. */
static bool
peer_allowed(const struct control *c, int fd, uid_t *ret_uid, bool *ret_operates)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	gid_t groups[CONTROL_GROUPS + 1];
	size_t n = 0;
	bool member = false;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*ret_uid = cred.uid;
	len = CONTROL_GROUPS * sizeof(groups[0]);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		n = len / sizeof(groups[0]);
	groups[n++] = cred.gid;
	for (size_t i = 0; i < n; i++)
		member = member || groups[i] == c->group;
	*ret_operates = cred.uid == 0 || cred.uid == geteuid() || c->opts.operates == NULL ||
	    c->opts.operates(c->opts.ctx, cred.uid, groups, n);
	return cred.uid == 0 || cred.uid == geteuid() || member;
}

static void
client_new(struct control *c, int *fd, uid_t uid, bool operates)
{
	struct client *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		log_limited(&c->refused, 10000, LOG_WARNING, "control: no memory for a client");
		return;
	}
	k->control = c;
	k->id = ++c->ids;
	k->uid = uid;
	k->operates = operates;
	k->passed = -1;
	k->fd = take_fd(fd);
	k->next = c->clients;
	c->clients = k;
	if (++c->nclients == CONTROL_CLIENTS) {
		c->full = true;
		loop_fd_del(c->loop, c->fd);
	}
	client_clock(k, true);
	client_wait(k, EPOLLIN);
}

static void
on_accept(void *ctx, uint32_t events)
{
	struct control *c = ctx;
	uid_t uid = (uid_t)-1;
	bool operates = false;
	AUTO_FD fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (!peer_allowed(c, fd, &uid, &operates))
		log_limited(&c->refused, 10000, LOG_WARNING, "control: user %u may not ask", uid);
	else
		client_new(c, &fd, uid, operates);
}

/* --- the daemon's side ------------------------------------------------------------------- */

static bool
somebody_listens(const struct sockaddr_un *a)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;
}

/* The state's lock is ours: a socket that lies there is a dead daemon's, or that of one with another state. */
static int
bind_place(struct control *c, const char *path, struct err *e)
{
	struct sockaddr_un a;
	struct stat st;
	mode_t old;
	int r;

	control_address(c->dir, c->name, &a);
	if (fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(e, ERR_CONF, "control socket %s: something else has this name; remove it", path);
		if (somebody_listens(&a))
			return err_set(e, ERR_LOCKED, "control socket %s: another sealroomd answers there", path);
		if (unlinkat(c->dir, c->name, 0) < 0)
			return err_sys(e, ERR_CONF, "control socket %s: removing the old one", path);
	}
	old = umask(0117);
	r = bind(c->fd, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (r < 0 || listen(c->fd, BACKLOG) < 0 || fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_CONF, "control socket %s", path);
	c->group = st.st_gid;
	return 0;
}

int
control_open(struct control **ret, struct loop *loop, const char *path, const struct control_opts *opts, struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return err_sys(e, ERR_MEM, "control socket");
	*c = (struct control){ .loop = loop, .opts = *opts, .fd = -1, .dir = -1 };
	if ((c->dir = control_place(path, true, c->name, sizeof(c->name), e)) < 0)
		r = c->dir;
	else if ((c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		r = err_sys(e, ERR_CONF, "control socket");
	else if ((r = bind_place(c, path, e)) == 0 && loop_fd(loop, c->fd, EPOLLIN, on_accept, c) < 0)
		r = err_sys(e, ERR_IO, "control socket");
	if (r < 0) {
		io_close(&c->fd);
		io_close(&c->dir);
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	while (c->clients != NULL)
		client_end(c->clients);
	loop_fd_del(c->loop, c->fd);
	unlinkat(c->dir, c->name, 0);
	io_close(&c->fd);
	io_close(&c->dir);
	free(c);
}
