#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/msgs.h"
#include "agent/lib/unit.h"
#include "agent/lib/wire.h"

#define LOOK_MS 500 /* how often a core is looked for that is not there */

/* Opened before confinement takes socket() away; -1 where nobody wants to hear of us. */
static int
notify_open(int *ret, struct err *e)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = path == NULL ? 0 : strlen(path);
	AUTO_FD fd = -1;

	*ret = -1;
	if (n < 2 || n >= sizeof(a.sun_path))
		return 0;
	memcpy(a.sun_path, path, n);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0 ||
	    connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		return err_sys(e, ERR_IO, "the service manager's socket");
	/* not where the connection will be */
	if ((*ret = fcntl(fd, F_DUPFD_CLOEXEC, WIRE_FD + 1)) < 0)
		return err_sys(e, ERR_IO, "the service manager's socket");
	return 0;
}

/* --- the core ---------------------------------------------------------------------------- */

/* The descriptor; -1 with errno. */
static int
try_connect(const struct sockaddr_un *a, struct err *e)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_sys(e, ERR_IO, "socket");
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0)
		return err_sys(e, ERR_CHILD, "sealroomd at %s", a->sun_path);
	return take_fd(&fd);
}

static bool
not_there(void)
{
	return errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR;
}

/* Until one listens. Signals end us here: nothing has begun. */
static int
find_core(const struct sockaddr_un *a, struct err *e)
{
	int fd;

	for (bool said = false; (fd = try_connect(a, e)) < 0 && not_there(); said = true) {
		char state[200];

		if (!said) {
			log_line(LOG_NOTICE, "waits for sealroomd to listen at %s", a->sun_path);
			snprintf(state, sizeof(state), "STATUS=waits for sealroomd to listen at %s", a->sun_path);
			unit_tell(state);
		}
		unit_tell("WATCHDOG=1");
		poll(NULL, 0, LOOK_MS);
	}
	return fd;
}

/* *ret: the mask while waiting. */
static int
signals_only_idle(sigset_t *ret, struct err *e)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	if (sigprocmask(SIG_BLOCK, &ends, ret) < 0)
		return err_sys(e, ERR_IO, "signals");
	sigdelset(ret, SIGTERM);
	sigdelset(ret, SIGINT);
	return 0;
}

int
unit_connect(const char *path, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	sigset_t waiting;
	AUTO_FD fd = -1;
	int r, notify;

	if (*path != '/' || strlen(path) >= sizeof(a.sun_path))
		return err_set(e, ERR_CONF, "socket %s: an absolute path of at most %zu bytes is needed", path,
		    sizeof(a.sun_path) - 1);
	strcpy(a.sun_path, path);
	if ((r = notify_open(&notify, e)) < 0)
		return r;
	unit_began(notify);
	/* started: what comes may take as long as the core is away */
	unit_tell("READY=1");
	if ((fd = find_core(&a, e)) < 0)
		return -(int)e->code;
	unit_tell("STATUS=connected to sealroomd");
	if ((r = wire_room(fd, e)) < 0 || (r = signals_only_idle(&waiting, e)) < 0)
		return r;
	if (fd != WIRE_FD) {
		if (dup3(fd, WIRE_FD, O_CLOEXEC) < 0)
			return err_sys(e, ERR_IO, "descriptor %d", WIRE_FD);
	} else {
		take_fd(&fd);
	}
	unit_joined(&waiting);
	return 0;
}
