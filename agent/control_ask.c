#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/control.h"
#include "agent/controlint.h"
#include "agent/jsonput.h"

static int
ask_connect(const char *path, struct err *e)
{
	char name[NAME_MAX + 1];
	struct sockaddr_un a;
	AUTO_FD dir = control_place(path, false, name, sizeof(name), e);
	AUTO_FD fd = -1;

	if (dir < 0)
		return dir;
	control_address(dir, name, &a);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return err_sys(e, ERR_IO, "control socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == EACCES ? err_set(e, ERR_PEER, "control socket %s is open to root and the members of its group only", path) :
		                         err_sys(e, ERR_PEER, "control socket %s", path);
	return take_fd(&fd);
}

/* The descriptor goes with the first bytes. */
static ssize_t
send_with(int to, const char *data, size_t len, int fd)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec v = { (char *)(uintptr_t)data, len };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *h = &control.align;

		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL);
}

static int
ask_send(int to, const json_t *request, int fd, struct err *e)
{
	AUTO_FREE char *text = json_text(request, JSON_COMPACT);
	size_t n, at = 0;
	ssize_t r;

	if (text == NULL || (n = strlen(text)) >= CONTROL_LINE)
		return err_set(e, ERR_USAGE, "the request is too long");
	text[n] = '\n'; /* in place of the NUL */
	while (at < n + 1) {
		if ((r = send_with(to, text + at, n + 1 - at, at == 0 ? fd : -1)) < 0 && errno != EINTR)
			return err_sys(e, ERR_PEER, "asking sealroomd");
		at += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

static int
ask_receive(int fd, uint64_t ms, struct buf *b, struct err *e)
{
	uint64_t until = clock_ms() + ms, now;
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
ask(int to, const json_t *request, int fd, uint64_t ms, json_t **ret_answer, struct err *e)
{
	const char *word, *text;
	json_t *answer;
	AUTO_BUF b;
	int r;

	buf_init(&b, CONTROL_ANSWER + 1);
	if ((r = ask_send(to, request, fd, e)) < 0 || (r = ask_receive(to, ms, &b, e)) < 0)
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
control_ask_fd(const char *path, json_t *request, int fd, uint64_t ms, json_t **ret_answer, struct err *e)
{
	AUTO_FD to = -1;
	int r, saved;

	if (request == NULL)
		r = err_set(e, ERR_MEM, "request");
	else if ((to = ask_connect(path, e)) < 0)
		r = to;
	else
		r = ask(to, request, fd, ms, ret_answer, e);
	saved = errno;
	json_decref(request);
	errno = saved;
	return r;
}

int
control_ask(const char *path, json_t *request, json_t **ret_answer, struct err *e)
{
	return control_ask_fd(path, request, -1, CONTROL_IDLE_MS, ret_answer, e);
}
