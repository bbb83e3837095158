/*
 * t_forged.c - oversized, out-of-order and forged messages to the core: from a task's
 * child they cost the task, from a zygote or a sealer the process; nobody believes them.
 *
 * The processes are this program again, started under the names of the real ones.
 * Every type that is not the sender's to send, and its own types with every
 * lie about their length, their size and their descriptors.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "agent/lib/wire.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define LEAST 40 /* different ones a role */

static struct err ignored;

/* --- the forgeries ----------------------------------------------------------------------- */

enum lie { PLAIN, LEN_MORE, LEN_LESS, LEN_HUGE, TOO_LARGE, ONE_FD, FOUR_FDS, SHORT_HEADER, LIES };

struct forgery {
	uint32_t type;
	enum lie lie;
	uint32_t n; /* payload bytes; of SHORT_HEADER bytes in all */
};

static const char *const lie_names[LIES] = { "out of turn", "longer than it is", "shorter than it is",
	"of 4 GiB", "larger than may be", "with a descriptor", "with four descriptors", "cut off in its header" };

#define FORGERIES_MAX 128
static struct forgery forgeries[ROLE_COUNT][FORGERIES_MAX];
static size_t nforgeries[ROLE_COUNT];

static void
add(enum role role, uint32_t type, enum lie lie, uint32_t n)
{
	forgeries[role][nforgeries[role]++] = (struct forgery){ type, lie, n };
}

/* own: the types that are the role's to send, with the payload that they have at most. */
static void
make_forgeries(enum role role, const uint32_t (*own)[2], size_t nown)
{
	for (uint32_t type = 0; type <= MSG_COUNT + 1; type++) {
		bool is_own = false;

		for (size_t i = 0; i < nown; i++)
			is_own |= own[i][0] == type;
		if (!is_own)
			add(role, type, PLAIN, 8);
	}
	for (size_t i = 0; i < nown; i++) {
		for (int lie = LEN_MORE; lie < TOO_LARGE; lie++)
			add(role, own[i][0], (enum lie)lie, 4);
		add(role, own[i][0], TOO_LARGE, own[i][1] + 1);
		if (own[i][0] != MSG_STARTED)
			add(role, own[i][0], ONE_FD, 4);
		add(role, own[i][0], FOUR_FDS, 4);
	}
	for (uint32_t n = 1; n < WIRE_HEADER; n++)
		add(role, own[0][0], SHORT_HEADER, n);
}

static void
make_all(void)
{
	static const uint32_t of_task[][2] = { { MSG_RESULT, WIRE_PAYLOAD }, { MSG_FAIL, 256 }, { MSG_PROGRESS, 8 },
		{ MSG_PAGE_WANT, 4 } };
	static const uint32_t of_zygote[][2] = { { MSG_READY, WIRE_PAYLOAD }, { MSG_STARTED, 8 }, { MSG_EXIT, 32 },
		{ MSG_HELLO, 256 }, { MSG_FAIL, 256 } };
	static const uint32_t of_seal[][2] = { { MSG_SIGNED, WIRE_PAYLOAD }, { MSG_REFUSED, 256 }, { MSG_NOTED, 2048 },
		{ MSG_READY, WIRE_PAYLOAD } };

	make_forgeries(ROLE_TASK, of_task, 4);
	make_forgeries(ROLE_SCAN, of_zygote, 5);
	make_forgeries(ROLE_SEAL, of_seal, 4);
}

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* Straight onto the socket: wire_send() would refuse. */
static void
send_forgery(int sock, const struct forgery *f)
{
	static uint8_t data[WIRE_MAX + 16];
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(4 * sizeof(int))];
	} control;
	size_t len = f->lie == SHORT_HEADER ? f->n : WIRE_HEADER + f->n;
	struct iovec iov = { data, len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	int nfds = f->lie == ONE_FD ? 1 : f->lie == FOUR_FDS ? 4 : 0;

	put_u32(data, f->type);
	put_u32(data + 8, f->lie == LEN_MORE ? f->n + 1 : f->lie == LEN_LESS ? f->n - 1 : f->lie == LEN_HUGE ? UINT32_MAX : f->n);
	if (nfds > 0) {
		struct cmsghdr *c;
		int *fds;

		memset(&control, 0, sizeof(control));
		m.msg_control = control.space;
		m.msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
		fds = (int *)(void *)CMSG_DATA(c);
		for (int i = 0; i < nfds; i++)
			fds[i] = sock;
	}
	if (sendmsg(sock, &m, MSG_NOSIGNAL) < 0)
		_exit(9);
}

/* --- the processes ----------------------------------------------------------------------- */

static void
say(int fd, enum msg_type type, const struct buf *b)
{
	if (wire_send(fd, type, 0, b, NULL, 0, &ignored) < 0)
		_exit(9);
}

static void
begin(enum role role, const char *name)
{
	AUTO_MSG m = { 0 };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, role);
	buf_put_str(&b, build_id);
	buf_put_str(&b, name);
	say(WIRE_FD, MSG_HELLO, &b);
	if (wire_recv(WIRE_FD, ROLE_CORE, role, 0, &m, &ignored) != 1)
		_exit(0);
}

/* Forges, then gives an answer that is all right: too late. */
__attribute__((noreturn)) static void
child(int sock, uint32_t n)
{
	AUTO_BUF b;

	if (n < nforgeries[ROLE_TASK])
		send_forgery(sock, &forgeries[ROLE_TASK][n]);
	buf_init(&b, 8);
	buf_put_u32(&b, n);
	if (wire_send(sock, MSG_RESULT, 0, &b, NULL, 0, &ignored) < 0)
		_exit(9);
	_exit(0);
}

static void
say_exit(uint32_t task, int status)
{
	AUTO_BUF b;

	buf_init(&b, 32);
	buf_put_u32(&b, task);
	buf_put_i32(&b, status);
	buf_put_u64(&b, 1000);
	buf_put_u64(&b, 2000);
	say(WIRE_FD, MSG_EXIT, &b);
}

/* Parameters: 'k', the number of a child's forgery; or 'z', the number of its own. */
static void
zygote_task(struct wire_msg *m)
{
	uint32_t task = buf_get_u32(&m->payload), n;
	const uint8_t *params;
	int pidfd, status;
	struct buf p;
	size_t len;
	pid_t pid;
	AUTO_BUF b;

	buf_get_u32(&m->payload);
	buf_get_u64(&m->payload);
	buf_get_u64(&m->payload);
	params = buf_get_blob(&m->payload, &len);
	buf_view(&p, params, len);
	if (buf_get_u8(&p) == 'z') {
		send_forgery(WIRE_FD, &forgeries[ROLE_SCAN][buf_get_u32(&p)]);
		pause();
	}
	n = buf_get_u32(&p);
	if ((pid = fork()) == 0)
		child(m->fd[0], n);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	buf_init(&b, 8);
	buf_put_u32(&b, task);
	if (wire_send(WIRE_FD, MSG_STARTED, 0, &b, &pidfd, 1, &ignored) < 0)
		_exit(9);
	close(pidfd);
	wire_done(m);
	waitpid(pid, &status, 0);
	say_exit(task, status);
}

static int
fake_scan(void)
{
	struct ready_scan r = { .engine = "none" };
	AUTO_BUF b;

	begin(ROLE_SCAN, "");
	buf_init(&b, WIRE_PAYLOAD);
	ready_scan_put(&b, &r);
	say(WIRE_FD, MSG_READY, &b);
	for (;;) {
		AUTO_MSG m = { 0 };

		if (wire_recv(WIRE_FD, ROLE_CORE, ROLE_SCAN, 0, &m, &ignored) != 1)
			return 0;
		zygote_task(&m);
	}
}

static int
fake_seal(void)
{
	static const struct ready_seal r = { .key_type = SEAL_KEY_EC_P256, .logged_in = 1, .cms_max = 4000 };
	const char *n = getenv("SEALROOM_FORGERY");
	AUTO_MSG m = { 0 };
	AUTO_BUF b;

	begin(ROLE_SEAL, "soft");
	buf_init(&b, WIRE_PAYLOAD);
	ready_seal_put(&b, &r);
	say(WIRE_FD, MSG_READY, &b);
	if (wire_recv(WIRE_FD, ROLE_CORE, ROLE_SEAL, 0, &m, &ignored) != 1)
		return 0;
	send_forgery(WIRE_FD, &forgeries[ROLE_SEAL][atoi(n)]);
	pause();
	return 0;
}

/* --- the core ---------------------------------------------------------------------------- */

static struct loop *loop;
static struct children *children;
static char dir[64];
static int dir_fd, ready_count, gone_count;
static struct err gone_why;
static struct conf_token token = { .name = "soft", .pin = "file:/none" };
static const struct conf_token *token_list[] = { &token };
static struct conf_seal seal = { .name = "stamp", .tokens = token_list, .ntokens = 1 };
static struct conf conf = { .path = "none.conf", .tokens = &token, .ntokens = 1 };

static void
on_changed(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	(void)ctx;
	(void)role;
	(void)name;
	if (ready) {
		ready_count++;
	} else {
		gone_count++;
		gone_why = *why;
	}
	loop_stop(loop);
}

static bool late;
static void
on_late(void *ctx)
{
	(void)ctx;
	late = true;
	loop_stop(loop);
}

/* Runs until *what is no longer 'was'. */
static bool
wait_change(const int *what, int was)
{
	uint64_t t = loop_timer(loop, 30000, on_late, NULL);

	late = false;
	while (*what == was && !late)
		loop_run(loop, &ignored);
	loop_timer_del(loop, t);
	return !late;
}

static void
open_children(bool tokens)
{
	struct children_opts o = { .conf = &conf, .scan = !tokens, .tokens = tokens, .state_dir = dir_fd, .answer_ms = 30000,
		.changed = on_changed };
	struct err e = { 0 };

	ready_count = gone_count = 0;
	if (children_open(&children, loop, &o, &e) < 0 || !wait_change(&ready_count, 0))
		exit(99);
}

static int ended;
static enum err_code ended_code;
static bool ended_crashed;

static void
on_task(void *ctx, const struct task_outcome *o)
{
	(void)ctx;
	ended++;
	ended_code = o->err == NULL ? ERR_OK : o->err->code;
	ended_crashed = o->crashed;
	loop_stop(loop);
}

static void
run_task(char who, uint32_t n)
{
	struct task_req req = { .kind = TASK_COMPOSE, .in = -1, .out = -1, .fsize = UINT64_MAX, .deadline_ms = 30000 };
	int was = ended;
	AUTO_BUF b;

	buf_init(&b, 8);
	buf_put_u8(&b, (uint8_t)who);
	buf_put_u32(&b, n);
	req.params = &b;
	children_task(children, &req, on_task, NULL);
	if (!wait_change(&ended, was))
		ended_code = ERR_DOC_TIMEOUT;
}

static void
name_forgery(const struct forgery *f, char name[96])
{
	snprintf(name, 96, "%s (%u) %s%s", wire_name((enum msg_type)f->type), f->type, lie_names[f->lie],
	    f->lie == SHORT_HEADER ? " bytes" : "");
}

static void
from_child(void)
{
	char name[96];
	size_t n = nforgeries[ROLE_TASK];

	open_children(false);
	for (uint32_t i = 0; i < n; i++) {
		name_forgery(&forgeries[ROLE_TASK][i], name);
		run_task('k', i);
		CHECK(ended_code == ERR_DOC_CRASH && ended_crashed, "from a task's child, %s: the task is broken off", name);
	}
	CHECK(gone_count == 0, "through all this its zygote has lived");
	run_task('k', UINT32_MAX);
	CHECK(ended_code == ERR_OK, "and a child that says what it may is believed");
	CHECK(n >= LEAST, "a task's child: %zu forged messages, all refused", n);
	children_close(children);
}

static void
from_zygote(void)
{
	char name[96];
	size_t n = nforgeries[ROLE_SCAN];

	for (uint32_t i = 0; i < n; i++) {
		const struct forgery *f = &forgeries[ROLE_SCAN][i];

		name_forgery(f, name);
		open_children(false);
		run_task('z', i);
		CHECK(ended_code == ERR_CHILD && !ended_crashed && gone_count == 1 && gone_why.code == ERR_PEER,
		    "from a zygote, %s: it is ended, and its task is not to blame", name);
		children_close(children);
	}
	CHECK(n >= LEAST, "a zygote: %zu forged messages, all refused", n);
}

static int answers;
static enum err_code answer_code;

static void
on_sign(void *ctx, const struct err *why, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN])
{
	(void)ctx;
	(void)cms;
	(void)len;
	(void)imprint;
	answers++;
	answer_code = why == NULL ? ERR_OK : why->code;
	loop_stop(loop);
}

static void
from_seal(void)
{
	static const uint8_t digest[HASH_LEN] = { 1 };
	char name[96], number[16];
	size_t n = nforgeries[ROLE_SEAL];

	for (uint32_t i = 0; i < n; i++) {
		struct peer *p;
		int was = answers;

		name_forgery(&forgeries[ROLE_SEAL][i], name);
		snprintf(number, sizeof(number), "%u", i);
		setenv("SEALROOM_FORGERY", number, 1);
		open_children(true);
		if ((p = children_token(children, seal.tokens[0])) == NULL)
			exit(99);
		children_sign(p, "01m81mynnqvfzebzdnbm2m34yg", 1, digest, on_sign, NULL);
		CHECK(wait_change(&answers, was) && answer_code == ERR_PEER && gone_count == 1,
		    "from a sealer, %s: it is ended, and no signature taken", name);
		children_close(children);
	}
	CHECK(n >= LEAST, "a sealer: %zu forged messages, all refused", n);
}

static void
make_programs(void)
{
	static const char *const names[] = { "sealroom-scan", "sealroom-seal" };
	char path[PATH_MAX];

	dir_fd = tmpdir_make(dir);
	if (realpath("/proc/self/exe", path) == NULL || mkdirat(dir_fd, "tokens", 0700) < 0)
		exit(99);
	for (int i = 0; i < 2; i++)
		if (symlinkat(path, dir_fd, names[i]) < 0)
			exit(99);
	setenv("SEALROOM_LIBEXEC", dir, 1);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	struct err e = { 0 };

	make_all();
	if (strcmp(name, "sealroom-scan") == 0)
		return fake_scan();
	if (strcmp(name, "sealroom-seal") == 0)
		return argc > 1 ? fake_seal() : 99;
	signal(SIGPIPE, SIG_IGN);
	make_programs();
	if (loop_new(&loop, &e) < 0)
		return 99;
	from_child();
	from_zygote();
	from_seal();
	loop_free(loop);
	tmpdir_remove(dir_fd, dir);
	return TEST_DONE();
}
