#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/lib/wire.h"

static const struct {
	const char *name;
	uint32_t from, to;
	size_t max;
	int least, most;
} table[MSG_COUNT] = {
#define C (1u << ROLE_CORE)
#define Z (1u << ROLE_SCAN | 1u << ROLE_VERIFY | 1u << ROLE_FETCH)
#define K (1u << ROLE_TASK)
#define S (1u << ROLE_SEAL)
#define F (1u << ROLE_FETCH)
#define X(name, from, to, max, least, most) [MSG_##name] = { #name, from, to, max, least, most },
	MSGS(X)
#undef X
};

#define SEND_PATIENCE_MS 10000

const char *
wire_name(enum msg_type t)
{
	return (unsigned)t < MSG_COUNT && table[t].name != NULL ? table[t].name : "unknown";
}

int
wire_room(int fd, struct err *e)
{
	int size = 4 * WIRE_MAX;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		return err_sys(e, ERR_IO, "socket buffer");
	return 0;
}

int
wire_pair(int sv[2], struct err *e)
{
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, ERR_IO, "socket pair");
	if ((r = wire_room(sv[0], e)) < 0 || (r = wire_room(sv[1], e)) < 0) {
		close(sv[0]);
		close(sv[1]);
	}
	return r;
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int
wire_send(int fd, enum msg_type type, uint32_t seq, const struct buf *payload, const int *fds, int nfds,
    struct err *e)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(WIRE_FDS * sizeof(int))];
	} control;
	uint8_t header[WIRE_HEADER];
	size_t len = payload == NULL ? 0 : payload->len;
	struct iovec iov[2] = { { header, sizeof(header) }, { payload == NULL ? NULL : payload->data, len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = len > 0 ? 2 : 1 };
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if ((payload != NULL && !buf_ok(payload)) || len > table[type].max || nfds > table[type].most ||
	    nfds < table[type].least)
		return err_set(e, ERR_PEER, "message %s is outside its bounds", wire_name(type));
	put_u32(header, (uint32_t)type);
	put_u32(header + 4, seq);
	put_u32(header + 8, (uint32_t)len);
	if (nfds > 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, (size_t)nfds * sizeof(int));
	}
	while (sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN || poll(&p, 1, SEND_PATIENCE_MS) <= 0)
			return err_sys(e, errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS ? ERR_MEM : ERR_CHILD, "sending %s",
			    wire_name(type));
	}
	return 0;
}

/* Takes the descriptors out of a control message; more than fit are closed. */
static void
collect_fds(struct msghdr *h, struct wire_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (m->nfds < WIRE_FDS)
				m->fd[m->nfds] = fd;
			else
				close(fd);
			m->nfds++; /* one too many is refused by check(), not overlooked */
		}
	}
}

static int
check(const struct wire_msg *m, uint32_t len, size_t got, enum role from, enum role to, int flags, struct err *e)
{
	uint32_t t = (uint32_t)m->type;

	if (t == MSG_NONE || t >= MSG_COUNT || !(table[t].from & 1u << from) || !(table[t].to & 1u << to))
		return err_set(e, ERR_PEER, "message type %u is not allowed here", t);
	if ((flags & (MSG_TRUNC | MSG_CTRUNC)) || len != got - WIRE_HEADER || len > table[t].max)
		return err_set(e, ERR_PEER, "message %s has a wrong size", wire_name(m->type));
	if (m->nfds < table[t].least || m->nfds > table[t].most)
		return err_set(e, ERR_PEER, "message %s has a wrong number of descriptors", wire_name(m->type));
	return 0;
}

static int
take(struct wire_msg *m, const uint8_t *data, size_t n, enum role from, enum role to, int flags, struct err *e)
{
	int r;

	if (n < WIRE_HEADER)
		return err_set(e, ERR_PEER, "message is too short");
	m->type = (enum msg_type)get_u32(data);
	m->seq = get_u32(data + 4);
	if ((r = check(m, get_u32(data + 8), n, from, to, flags, e)) < 0)
		return r;
	buf_init(&m->payload, WIRE_PAYLOAD);
	buf_put(&m->payload, data + WIRE_HEADER, n - WIRE_HEADER);
	return buf_ok(&m->payload) ? 1 : err_set(e, ERR_MEM, "message");
}

int
wire_recv(int fd, enum role from, enum role to, int flags, struct wire_msg *m, struct err *e)
{
	static uint8_t data[WIRE_MAX];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE((WIRE_FDS + 1) * sizeof(int))];
	} control;
	struct iovec iov = { data, sizeof(data) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n;
	int r;

	memset(m, 0, sizeof(*m));
	for (int i = 0; i < WIRE_FDS; i++)
		m->fd[i] = -1;
	while ((n = recvmsg(fd, &h, flags | MSG_CMSG_CLOEXEC)) < 0)
		if (errno != EINTR) {
			if (errno == ECONNRESET)
				return 0;
			return err_sys(e, ERR_IO, "receiving");
		}
	collect_fds(&h, m);
	if (n == 0) { /* hung up; or an empty message, whose descriptors are nobody's */
		wire_done(m);
		return 0;
	}
	r = take(m, data, (size_t)n, from, to, h.msg_flags, e);
	/* a zygote's child inherits it, and is to find nothing there of another job */
	explicit_bzero(data, (size_t)n);
	if (r < 0)
		wire_done(m);
	return r;
}

void
wire_done(struct wire_msg *m)
{
	buf_done(&m->payload);
	for (int i = 0; i < WIRE_FDS; i++)
		if (m->nfds > i && m->fd[i] >= 0) {
			close(m->fd[i]);
			m->fd[i] = -1;
		}
	m->nfds = 0;
}
