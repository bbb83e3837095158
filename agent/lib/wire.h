/*
 * wire.h - send and receive one message of msgs.h over a SOCK_SEQPACKET.
 *
 * wire_recv() checks type, direction, size and number of descriptors against
 * the table; what does not fit is ERR_PEER, with all descriptors closed.
 * Descriptors in a received message belong to the receiver: take_fd() them,
 * wire_done() closes the rest.
 */
#ifndef SEALROOM_WIRE_H
#define SEALROOM_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/msgs.h"

struct wire_msg {
	enum msg_type type;
	uint32_t seq;
	struct buf payload; /* owned; cursor at its start */
	int fd[WIRE_FDS];   /* -1 where there is none */
	int nfds;
};

#define AUTO_MSG __attribute__((cleanup(wire_done))) struct wire_msg

int wire_pair(int sv[2], struct err *);
/* Room for some messages of the largest size on a socket from elsewhere. */
int wire_room(int fd, struct err *);

/*
 * payload may be NULL. The descriptors stay the caller's. Waits for room at most 10 s at a time.
 * All of it is sent, or nothing: -ERR_PEER outside the message's bounds, -ERR_MEM, -ERR_CHILD: the peer does not take it.
 */
int wire_send(int fd, enum msg_type, uint32_t seq, const struct buf *payload, const int *fds, int nfds,
    struct err *);

/*
 * Receives one message sent by a peer of role 'from' to role 'to'.
 * Returns 1, 0 when the peer hung up, or -code.  *m need not be initialised;
 * call wire_done() on it in every case after this returned 1.
 * With flags MSG_DONTWAIT and nothing there: -ERR_IO with errno EAGAIN.
 */
int wire_recv(int fd, enum role from, enum role to, int flags, struct wire_msg *m, struct err *);
void wire_done(struct wire_msg *);

const char *wire_name(enum msg_type);

#endif
