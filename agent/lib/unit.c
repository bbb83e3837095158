#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/lib/log.h"
#include "agent/lib/unit.h"

static struct {
	bool on;        /* connected, not spawned */
	int notify;     /* -1: nobody to tell */
	int patience;   /* ms until the watchdog must hear of us; -1: never */
	sigset_t waiting;
} unit = { .notify = -1, .patience = -1 };

/* --- the service manager ----------------------------------------------------------------- */

uint64_t
unit_watchdog_ms(void)
{
	const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end;
	unsigned long long us;

	if (text == NULL || *text < '0' || *text > '9' || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid()))
		return 0;
	errno = 0;
	us = strtoull(text, &end, 10);
	if (errno != 0 || *end != '\0' || us < 3000)
		return 0;
	return us / 3000;
}

/* sendmsg(): of all ways to say a word the one that every role's filter has. */
void
unit_tell(const char *state)
{
	struct iovec iov = { (char *)(uintptr_t)state, strlen(state) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (unit.notify >= 0 && sendmsg(unit.notify, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
		log_line(LOG_WARNING, "the service manager does not listen: %s", strerror(errno));
}

void
unit_began(int notify)
{
	uint64_t ms = unit_watchdog_ms();

	unit.notify = notify;
	unit.patience = ms == 0 || ms > INT32_MAX ? -1 : (int)ms;
}

void
unit_joined(const sigset_t *waiting)
{
	unit.waiting = *waiting;
	unit.on = true;
}

/* --- waiting ----------------------------------------------------------------------------- */

int
unit_poll(struct pollfd *p, nfds_t n)
{
	struct timespec t = { unit.patience / 1000, unit.patience % 1000 * 1000000L };
	int r;

	if (!unit.on)
		return poll(p, n, -1);
	do
		unit_tell("WATCHDOG=1");
	while ((r = ppoll(p, n, unit.patience < 0 ? NULL : &t, &unit.waiting)) == 0);
	return r;
}

int
unit_wait(int fd, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	if (!unit.on)
		return 0;
	while (unit_poll(&p, 1) < 0)
		if (errno != EINTR)
			return err_sys(e, ERR_IO, "waiting for the core");
	return 0;
}
