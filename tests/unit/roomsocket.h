/*
 * roomsocket.h - a program at the control socket of a room (coreroom.h).
 *
 *	socket_say(fd, "{...}")   sends a request; fd -1: nothing comes with it
 *	socket_heard()            what was answered so far, "" nothing; until the next request
 *	socket_gone()             the program hangs up
 *	socket_refused(word, text) the answer is this error, and says so
 *	day(act, ms)              as a daemon for some seconds; act is called in each, and sets so
 */
#ifndef SEALROOM_TEST_ROOMSOCKET_H
#define SEALROOM_TEST_ROOMSOCKET_H

#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/coreroom.h"

static int socket_fd = -1;
static char socket_answer[16 * 1024];

static inline void
socket_gone(void)
{
	if (socket_fd >= 0)
		close(socket_fd);
	socket_fd = -1;
}

static inline void
socket_dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	socket_gone();
	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control", room);
	if ((socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0 || connect(socket_fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		play_die("the control socket");
}

__attribute__((format(printf, 2, 3))) static inline void
socket_say(int fd, const char *fmt, ...)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char line[8192];
	struct iovec v = { line, 0 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	va_list ap;

	socket_dial();
	socket_answer[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	strcat(line, "\n");
	v.iov_len = strlen(line);
	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(int));
	}
	if (sendmsg(socket_fd, &m, MSG_NOSIGNAL) != (ssize_t)v.iov_len)
		play_die("the control socket");
}

static inline const char *
socket_heard(void)
{
	size_t n = strlen(socket_answer);
	ssize_t r;

	while (socket_fd >= 0 && (r = recv(socket_fd, socket_answer + n, sizeof(socket_answer) - 1 - n, MSG_DONTWAIT)) > 0)
		n += (size_t)r;
	socket_answer[n] = '\0';
	return socket_answer;
}

static inline bool
socket_refused(const char *word, const char *text)
{
	char error[64];

	snprintf(error, sizeof(error), "\"error\":\"%s\"", word);
	if (strstr(socket_heard(), error) != NULL && strstr(socket_answer, text) != NULL)
		return true;
	printf("# %s\n", socket_answer);
	return false;
}

static bool so; /* what a story saw */

/* Its exit status. */
static inline int
day_status(void (*act)(int second), uint64_t ms)
{
	int r;

	so = false;
	room_act = act;
	if (room_open(false) < 0)
		play_die(room_why.text);
	r = room_run(ms);
	core_close(&core);
	room_act = NULL;
	return r;
}

static inline void
day(void (*act)(int second), uint64_t ms)
{
	if (day_status(act, ms) != 0)
		play_die(room_why.text);
}

#endif
