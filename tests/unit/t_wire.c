/* t_wire.c - one message at a time; whoever sends another one than the table allows is refused, and no descriptor is left. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

static int no_room; /* for the n-th socket */

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	if (no_room > 0 && --no_room == 0) {
		errno = ENOBUFS;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static void
test_no_room(void)
{
	int pair[2], before = open_fds();
	struct err e;

	for (int n = 1; n <= 2; n++) {
		no_room = n;
		CHECK(wire_pair(pair, &e) < 0 && open_fds() == before, "a pair that can not be made whole is none: neither socket stays open");
	}
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

/* --- what is left of a message -------------------------------------------------------------- */

#define SECRET_LEN 32

#define SHADOW (1ul << 30) /* a mapping this large is a sanitizer's own */

/* Does this, each byte turned by 'mask', stand anywhere in our memory that can be written to? */
static bool
in_memory(const uint8_t *turned, uint8_t mask)
{
	static uint8_t part[1 << 16]; /* read into, and looked through last */
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	bool found = false;
	unsigned long from, to;
	char line[512], mode[8];

	while (maps != NULL && mem >= 0 && fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w' || to - from > SHADOW)
			continue;
		for (unsigned long at = from; at < to; at += sizeof(part) - SECRET_LEN) {
			ssize_t n = pread(mem, part, sizeof(part) < to - at ? sizeof(part) : to - at, (off_t)at);
			int k;

			for (ssize_t i = 0; i + SECRET_LEN <= n; i++) {
				for (k = 0; k < SECRET_LEN && part[i + k] == (uint8_t)(turned[k] ^ mask); k++)
					;
				found = found || k == SECRET_LEN;
			}
		}
		explicit_bzero(part, sizeof(part));
	}
	if (maps != NULL)
		fclose(maps);
	close(mem);
	return found;
}

/* A zygote: gets a task, is done with it, and looks for what the next child would find. */
__attribute__((noreturn)) static void
be_zygote(int fd, const uint8_t turned[SECRET_LEN])
{
	struct err e = { 0 };
	bool during;

	{
		AUTO_MSG m = { 0 };

		if (wire_recv(fd, ROLE_CORE, ROLE_SCAN, 0, &m, &e) != 1)
			_exit(90);
		during = in_memory(turned, 0xA5);
	}
	_exit(!during ? 91 : in_memory(turned, 0xA5));
}

static void
test_left(void)
{
	uint8_t secret[SECRET_LEN], turned[SECRET_LEN];
	int pair[2], null = open("/dev/null", O_RDONLY | O_CLOEXEC), status = -1;
	struct err e = { 0 };
	pid_t pid;
	AUTO_BUF b;

	buf_init(&b, 64);
	if (getrandom(turned, sizeof(turned), 0) != sizeof(turned) || wire_pair(pair, &e) < 0 || (pid = fork()) < 0)
		return (void)CHECK(0, "a zygote");
	if (pid == 0)
		be_zygote(pair[1], turned);
	for (int i = 0; i < SECRET_LEN; i++)
		secret[i] = turned[i] ^ 0xA5;
	buf_put(&b, secret, sizeof(secret));
	CHECK(wire_send(pair[0], MSG_TASK, 1, &b, &null, 1, &e) == 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	        WEXITSTATUS(status) == 0,
	    "of a message that was done with nothing is left in memory: %d", WEXITSTATUS(status));
	close(null);
	close(pair[0]);
	close(pair[1]);
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
	test_left();
	test_end();
	test_no_room();
	return TEST_DONE();
}
