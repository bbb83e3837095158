/*
 * unit.h - a process of ours that is a unit of its own, not a child of the core.
 *
 *	unit_connect(path, &e)     WIRE_FD becomes a connection to the core; waits until one listens
 *	unit_wait(WIRE_FD, &e)     waits for the core's next word; the service manager is told we live
 *
 * Spawned by the core the same program calls neither with an effect: it finds
 * WIRE_FD open, and unit_wait() returns at once.  So only how the descriptor is
 * obtained differs.  A unit serves one connection and ends when the core hangs
 * up; the service manager starts it anew, by exec.
 *
 * The watchdog is told where the process waits for work, so only when all work
 * before it is done: a hanging token is not alive.  From unit_connect() on
 * SIGTERM and SIGINT count while waiting only: nothing is broken off halfway, a
 * login least of all.
 */
#ifndef SEALROOM_UNIT_H
#define SEALROOM_UNIT_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>

#include "agent/lib/err.h"

int unit_connect(const char *path, struct err *);
/* Returns 0 when there is something to read, or the core hung up. */
int unit_wait(int fd, struct err *);
/* poll() that tells the watchdog and lets signals in; as long as it takes. Returns poll's answer; -1 with errno. */
int unit_poll(struct pollfd *, nfds_t);

/* unitconnect.c, which only who connects links, to unit.c */
void unit_began(int notify);
void unit_joined(const sigset_t *waiting);
void unit_tell(const char *state);

/* How often the service manager wants to hear of us, with reserve; 0: never. */
uint64_t unit_watchdog_ms(void);

#endif
