/* t_wire.c - one message at a time; whoever sends another one than the table allows is refused, and no descriptor is left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/wire.h"
#include "tests/unit/test.h"

static int sv[2];

static int
open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d != NULL && readdir(d) != NULL)
		n++;
	if (d != NULL)
		closedir(d);
	return n;
}

/* What no peer of ours would send: any header, any length, any number of descriptors. */
static void
forge(uint32_t type, uint32_t len, const void *payload, size_t n, int nfds)
{
	static uint8_t data[WIRE_MAX + 64];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} control = { 0 };
	const uint32_t head[3] = { type, 7, len };
	struct iovec iov = { data, 12 + n };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	for (int i = 0; i < 12; i++)
		data[i] = (uint8_t)(head[i / 4] >> (24 - 8 * (i % 4)));
	if (n > 0 && payload != NULL)
		memcpy(data + 12, payload, n);
	if (nfds > 0) {
		struct cmsghdr *c;

		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		for (int i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + (size_t)i * sizeof(int), &(int){ 2 }, sizeof(int));
	}
	if (sendmsg(sv[0], &m, 0) < 0)
		CHECK(0, "forged message sent: %s", strerror(errno));
}

static const struct {
	const char *what;
	uint32_t type, len;
	size_t n;
	int nfds;
	enum role from, to;
} forged[] = {
	{ "type 0", MSG_NONE, 0, 0, 0, ROLE_TASK, ROLE_CORE },
	{ "a type behind the last", MSG_COUNT, 0, 0, 0, ROLE_TASK, ROLE_CORE },
	{ "a type of 4 billion", UINT32_MAX, 0, 0, 0, ROLE_TASK, ROLE_CORE },
	{ "a child that asks for a signature", MSG_SIGN, 40, 40, 0, ROLE_TASK, ROLE_CORE },
	{ "a child that signs", MSG_SIGNED, 40, 40, 0, ROLE_TASK, ROLE_CORE },
	{ "a child that says it is ready", MSG_READY, 4, 4, 0, ROLE_TASK, ROLE_CORE },
	{ "a zygote that answers for its child", MSG_RESULT, 4, 4, 0, ROLE_SCAN, ROLE_CORE },
	{ "a token that starts tasks", MSG_STARTED, 4, 4, 1, ROLE_SEAL, ROLE_CORE },
	{ "the core's own message sent back", MSG_TASK, 40, 40, 3, ROLE_SCAN, ROLE_CORE },
	{ "a length shorter than what came", MSG_PROGRESS, 4, 8, 0, ROLE_TASK, ROLE_CORE },
	{ "a length longer than what came", MSG_PROGRESS, 8, 4, 0, ROLE_TASK, ROLE_CORE },
	{ "a length that wraps round", MSG_PROGRESS, UINT32_MAX, 8, 0, ROLE_TASK, ROLE_CORE },
	{ "more than its type may have", MSG_PROGRESS, 9, 9, 0, ROLE_TASK, ROLE_CORE },
	{ "more than any may have", MSG_RESULT, WIRE_PAYLOAD + 1, WIRE_PAYLOAD + 1, 0, ROLE_TASK, ROLE_CORE },
	{ "a descriptor where there is none", MSG_RESULT, 4, 4, 1, ROLE_TASK, ROLE_CORE },
	{ "no descriptor where there is one", MSG_STARTED, 8, 8, 0, ROLE_SCAN, ROLE_CORE },
	{ "two where there is one", MSG_STARTED, 8, 8, 2, ROLE_SCAN, ROLE_CORE },
	{ "four descriptors", MSG_TASK, 40, 40, 4, ROLE_CORE, ROLE_SCAN },
	{ "seven descriptors", MSG_TASK, 40, 40, 7, ROLE_CORE, ROLE_SCAN },
	{ "a task to a token", MSG_TASK, 40, 40, 3, ROLE_CORE, ROLE_SEAL },
};

static void
test_forged(void)
{
	static const uint8_t zeros[WIRE_MAX];
	int before = open_fds();

	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		struct wire_msg m;
		struct err e = { 0 };

		forge(forged[i].type, forged[i].len, zeros, forged[i].n, forged[i].nfds);
		CHECK(wire_recv(sv[1], forged[i].from, forged[i].to, 0, &m, &e) == -ERR_PEER, "refused: %s", forged[i].what);
		CHECK(open_fds() == before, "and nothing is left open");
	}
}

static void
test_short(void)
{
	struct wire_msg m;
	struct err e = { 0 };
	int before = open_fds();
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr h = { .msg_control = control.space, .msg_controllen = sizeof(control.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);

	CHECK(send(sv[0], "eleven byte", 11, 0) == 11 && wire_recv(sv[1], ROLE_TASK, ROLE_CORE, 0, &m, &e) == -ERR_PEER,
	    "refused: shorter than a header");
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &(int){ 2 }, sizeof(int));
	CHECK(sendmsg(sv[0], &h, 0) == 0 && wire_recv(sv[1], ROLE_TASK, ROLE_CORE, 0, &m, &e) == 0,
	    "a message of no bytes is a hang-up");
	CHECK(open_fds() == before, "even with a descriptor, which is closed");
}

static void
test_good(void)
{
	int fds[3] = { 0, 1, 2 }, before = open_fds(), kept;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, 42);
	CHECK(wire_send(sv[0], MSG_TASK, 9, &b, fds, 3, &e) == 0, "a message with three descriptors is sent");
	{
		AUTO_MSG m;

		CHECK(wire_recv(sv[1], ROLE_CORE, ROLE_SCAN, 0, &m, &e) == 1 && m.type == MSG_TASK && m.seq == 9 &&
		        buf_get_u32(&m.payload) == 42 && buf_finished(&m.payload) && m.nfds == 3,
		    "and arrives as it was");
		CHECK(fcntl(m.fd[0], F_GETFD) & FD_CLOEXEC, "descriptors do not outlive an exec");
		kept = take_fd(&m.fd[1]);
	}
	CHECK(open_fds() == before + 1 && fcntl(kept, F_GETFD) >= 0, "the one that was taken stays, the others are closed");
	close(kept);
}

static void
test_send_bounds(void)
{
	struct err e = { 0 };
	int fds[2] = { 0, 1 };
	AUTO_BUF b;
	AUTO_BUF full = { 0 };

	buf_init(&b, 64);
	buf_put(&b, "123456789", 9);
	CHECK(wire_send(sv[0], MSG_PROGRESS, 0, &b, NULL, 0, &e) == -ERR_PEER, "we do not send more than a type may have");
	CHECK(wire_send(sv[0], MSG_RESULT, 0, &b, fds, 1, &e) == -ERR_PEER, "nor a descriptor too many");
	CHECK(wire_send(sv[0], MSG_STARTED, 0, NULL, NULL, 0, &e) == -ERR_PEER, "nor one too few");
	buf_init(&full, 4);
	buf_put_u64(&full, 1);
	CHECK(wire_send(sv[0], MSG_RESULT, 0, &full, NULL, 0, &e) == -ERR_PEER, "nor a payload that did not fit its buffer");
}

static void
test_end(void)
{
	struct wire_msg m;
	struct err e = { 0 };

	errno = 0;
	CHECK(wire_recv(sv[1], ROLE_TASK, ROLE_CORE, MSG_DONTWAIT, &m, &e) == -ERR_IO && errno == EAGAIN,
	    "nothing there: EAGAIN");
	close(sv[0]);
	CHECK(wire_recv(sv[1], ROLE_TASK, ROLE_CORE, 0, &m, &e) == 0, "hung up: 0");
	CHECK(wire_send(sv[1], MSG_RESULT, 0, NULL, NULL, 0, &e) == -ERR_CHILD, "nobody hears: the other end is lost");
	close(sv[1]);
	CHECK(strcmp(wire_name(MSG_HELLO), "HELLO") == 0 && strcmp(wire_name((enum msg_type)99), "unknown") == 0,
	    "messages have names");
}

int
main(void)
{
	struct err e = { 0 };

	if (wire_pair(sv, &e) < 0)
		return 99;
	test_good();
	test_forged();
	test_short();
	test_send_bounds();
	test_end();
	return TEST_DONE();
}
