#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
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

#define GROUPS_MAX 256

struct client {
	struct control *control;
	struct client *next;
	int fd;
	uid_t uid;
	uint64_t timer;
	char *answer; /* being sent; malloc'ed */
	size_t answer_len, answer_at;
	size_t line_len;
	char line[CONTROL_LINE];
};

struct control {
	struct loop *loop;
	const struct control_op *ops;
	void *ctx;
	int fd, dir;
	char name[NAME_MAX + 1];
	gid_t group;
	uint32_t nclients;
	struct client *clients;
	struct log_limit refused;
};

/* --- where the socket lies --------------------------------------------------------------- */

/* Directory and name: a path longer than sun_path is reached through the directory's descriptor. */
static int
open_place(const char *path, bool make, char *name, size_t size, struct err *e)
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

static void
place_address(int dir, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%.60s", dir, name);
}

/* --- one client -------------------------------------------------------------------------- */

static void on_client(void *ctx, uint32_t events);

static void
client_end(struct client *k)
{
	struct client **p = &k->control->clients;

	while (*p != k)
		p = &(*p)->next;
	*p = k->next;
	k->control->nclients--;
	loop_timer_del(k->control->loop, k->timer);
	loop_fd_del(k->control->loop, k->fd);
	close(k->fd);
	free(k->answer);
	free(k);
}

static void
on_idle(void *ctx)
{
	struct client *k = ctx;

	k->timer = 0;
	client_end(k);
}

/* Waits for 'events', and no longer than CONTROL_IDLE_MS.  False: the client is gone. */
static bool
client_wait(struct client *k, uint32_t events)
{
	struct loop *l = k->control->loop;

	loop_timer_del(l, k->timer);
	k->timer = loop_timer(l, CONTROL_IDLE_MS, on_idle, k);
	loop_fd_del(l, k->fd);
	if (loop_fd(l, k->fd, events, on_client, k) == 0)
		return true;
	client_end(k);
	return false;
}

static json_t *
error_json(const struct err *e)
{
	char text[3 * ERR_TEXT_MAX];

	path_display(e->text, text, sizeof(text));
	return json_pack("{s:s, s:s}", "error", err_word(e->code), "text", text);
}

static json_t *
answer_to(struct client *k, const char *line, size_t len, struct err *e)
{
	struct control *c = k->control;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	const char *op = json_string_value(json_object_get(request, "op"));
	const struct control_op *o = c->ops;

	err_set(e, ERR_USAGE, "one JSON object a line is expected, with a known \"op\"");
	while (op != NULL && o->op != NULL && strcmp(o->op, op) != 0)
		o++;
	if (op != NULL && o->op != NULL)
		answer = o->fn(c->ctx, request, k->uid, e);
	json_decref(request);
	return answer;
}

/* One line of JSON with its newline; NULL: no memory. */
static char *
answer_line(struct client *k, const char *line, size_t len)
{
	struct err e = { 0 };
	json_t *answer = answer_to(k, line, len, &e);
	char *text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL, *longer;
	size_t n;

	if (text == NULL || strlen(text) >= CONTROL_ANSWER) {
		if (answer != NULL)
			err_set(&e, ERR_MEM, "the answer is too long");
		json_decref(answer);
		free(text);
		answer = error_json(&e);
		text = answer != NULL ? json_dumps(answer, JSON_COMPACT) : NULL;
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

/* Takes the first whole line out of the buffer and answers it. */
static void
client_answer(struct client *k, size_t len)
{
	if ((k->answer = answer_line(k, k->line, len)) == NULL) {
		client_end(k);
		return;
	}
	k->answer_len = strlen(k->answer);
	k->answer_at = 0;
	k->line_len -= len + 1;
	memmove(k->line, k->line + len + 1, k->line_len);
	client_wait(k, EPOLLOUT);
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
	if (k->answer_at < k->answer_len) {
		client_wait(k, EPOLLOUT);
		return;
	}
	free(k->answer);
	k->answer = NULL;
	client_next(k);
}

static void
client_read(struct client *k)
{
	ssize_t n = recv(k->fd, k->line + k->line_len, sizeof(k->line) - k->line_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
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
	if (k->answer != NULL)
		client_write(k);
	else
		client_read(k);
}

/* --- who may ask ------------------------------------------------------------------------- */

/* root, ourselves, and the members of the socket's group: whom its mode lets in, asked for once more. */
static bool
peer_allowed(const struct control *c, int fd, uid_t *ret_uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	gid_t groups[GROUPS_MAX];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return false;
	*ret_uid = cred.uid;
	if (cred.uid == 0 || cred.uid == geteuid() || cred.gid == c->group)
		return true;
	len = sizeof(groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == c->group)
			return true;
	return false;
}

static void
on_accept(void *ctx, uint32_t events)
{
	struct control *c = ctx;
	struct client *k;
	uid_t uid = (uid_t)-1;
	AUTO_FD fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (!peer_allowed(c, fd, &uid)) {
		log_limited(&c->refused, 10000, LOG_WARNING, "control: user %u may not ask", uid);
		return;
	}
	if (c->nclients >= CONTROL_CLIENTS || (k = calloc(1, sizeof(*k))) == NULL) {
		log_limited(&c->refused, 10000, LOG_WARNING, "control: too many clients at once");
		return;
	}
	k->control = c;
	k->uid = uid;
	k->fd = take_fd(&fd);
	k->next = c->clients;
	c->clients = k;
	c->nclients++;
	client_wait(k, EPOLLIN);
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

	place_address(c->dir, c->name, &a);
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
	if (r < 0 || listen(c->fd, CONTROL_CLIENTS) < 0 || fstatat(c->dir, c->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_CONF, "control socket %s", path);
	c->group = st.st_gid;
	return 0;
}

int
control_open(struct control **ret, struct loop *loop, const char *path, const struct control_op *ops, void *ctx,
    struct err *e)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return err_sys(e, ERR_MEM, "control socket");
	*c = (struct control){ .loop = loop, .ops = ops, .ctx = ctx, .fd = -1, .dir = -1 };
	if ((c->dir = open_place(path, true, c->name, sizeof(c->name), e)) < 0)
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

/* --- the command's side ------------------------------------------------------------------ */

static int
ask_connect(const char *path, struct err *e)
{
	char name[NAME_MAX + 1];
	struct sockaddr_un a;
	AUTO_FD dir = open_place(path, false, name, sizeof(name), e);
	AUTO_FD fd = -1;

	if (dir < 0)
		return dir;
	place_address(dir, name, &a);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return err_sys(e, ERR_IO, "control socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, ERR_PEER, "control socket %s", path);
	return take_fd(&fd);
}

static int
ask_send(int fd, const json_t *request, struct err *e)
{
	AUTO_FREE char *text = json_dumps(request, JSON_COMPACT);
	size_t n, at = 0;
	ssize_t r;

	if (text == NULL || (n = strlen(text)) >= CONTROL_LINE)
		return err_set(e, ERR_USAGE, "the request is too long");
	text[n] = '\n'; /* in place of the NUL */
	while (at < n + 1) {
		if ((r = send(fd, text + at, n + 1 - at, MSG_NOSIGNAL)) < 0 && errno != EINTR)
			return err_sys(e, ERR_PEER, "asking sealroomd");
		at += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static int
ask_receive(int fd, struct buf *b, struct err *e)
{
	uint64_t until = clock_ms() + CONTROL_IDLE_MS, now;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char block[16384];
	ssize_t n;

	while (b->len == 0 || b->data[b->len - 1] != '\n') {
		now = clock_ms();
		if (now >= until || poll(&p, 1, (int)(until - now)) == 0)
			return err_set(e, ERR_PEER, "sealroomd does not answer");
		if ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) < 0) {
			if (errno == EINTR || errno == EAGAIN)
				continue;
			return err_sys(e, ERR_PEER, "sealroomd's answer");
		}
		if (n == 0)
			return err_set(e, ERR_PEER, "sealroomd hung up; see its log, and whether this user may ask it");
		buf_put(b, block, (size_t)n);
		if (!buf_ok(b))
			return err_set(e, ERR_PEER, "sealroomd's answer is too long");
	}
	return 0;
}

static int
ask(int fd, const json_t *request, json_t **ret_answer, struct err *e)
{
	const char *word, *text;
	json_t *answer;
	AUTO_BUF b;
	int r;

	buf_init(&b, CONTROL_ANSWER + 1);
	if ((r = ask_send(fd, request, e)) < 0 || (r = ask_receive(fd, &b, e)) < 0)
		return r;
	if ((answer = json_loadb((const char *)b.data, b.len, 0, NULL)) == NULL || !json_is_object(answer)) {
		json_decref(answer);
		return err_set(e, ERR_PEER, "sealroomd's answer is not JSON");
	}
	if ((word = json_string_value(json_object_get(answer, "error"))) != NULL) {
		enum err_code code = err_code_by_word(word);

		text = json_string_value(json_object_get(answer, "text"));
		r = err_set(e, code != ERR_OK ? code : ERR_PEER, "%s", text != NULL ? text : "");
		json_decref(answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}

int
control_ask(const char *path, json_t *request, json_t **ret_answer, struct err *e)
{
	AUTO_FD fd = -1;
	int r, saved;

	if (request == NULL)
		r = err_set(e, ERR_MEM, "request");
	else if ((fd = ask_connect(path, e)) < 0)
		r = fd;
	else
		r = ask(fd, request, ret_answer, e);
	saved = errno;
	json_decref(request);
	errno = saved;
	return r;
}
