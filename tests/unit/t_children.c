/*
 * t_children.c - the core's side of every process: a child that lies, hangs,
 * floods or dies costs its own task and nothing else.
 *
 * The processes are this program again, started under the names of the real
 * ones, and do what the first byte of a task's parameters (of a digest) says.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "agent/lib/wire.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

/* --- the processes ----------------------------------------------------------------------- */

static struct err ignored;

static void
say(int fd, enum msg_type type, const struct buf *b)
{
	if (wire_send(fd, type, 0, b, NULL, 0, &ignored) < 0)
		_exit(9);
}

static void
say_fail(int fd, uint32_t code, const char *text)
{
	AUTO_BUF b;

	buf_init(&b, 256);
	buf_put_u32(&b, code);
	buf_put_u32(&b, 3);
	buf_put_str(&b, text);
	say(fd, MSG_FAIL, &b);
}

static void
say_numbers(int fd, enum msg_type type, int n)
{
	AUTO_BUF b;

	buf_init(&b, 64);
	for (int i = 0; i < n; i++)
		buf_put_u32(&b, (uint32_t)i);
	say(fd, type, &b);
}

static void
want_page(int fd, uint32_t page)
{
	AUTO_BUF b;

	buf_init(&b, 4);
	buf_put_u32(&b, page);
	say(fd, MSG_PAGE_WANT, &b);
}

static void
read_page(int fd, char text[4])
{
	AUTO_MSG m;

	want_page(fd, 0);
	if (wire_recv(fd, ROLE_CORE, ROLE_TASK, 0, &m, &ignored) != 1 || pread(m.fd[0], text, 4, 0) != 4)
		_exit(8);
}

static void
answer_page(int fd)
{
	char text[4];
	AUTO_BUF b;

	read_page(fd, text);
	buf_init(&b, 8);
	buf_put(&b, text, 4);
	say(fd, MSG_RESULT, &b);
}

/* A task's child. */
__attribute__((noreturn)) static void
child(int fd, char what, int in, uint64_t most)
{
	static const uint8_t long_progress[WIRE_HEADER + 9] = { 0, 0, 0, MSG_PROGRESS, 0, 0, 0, 0, 0, 0, 0, 9 };

	switch (what) {
	case 'g':
		say_numbers(fd, MSG_PROGRESS, 2);
		say_numbers(fd, MSG_RESULT, 1);
		break;
	case 'i': /* what it got as input */
		if (in < 0)
			_exit(7);
		say_numbers(fd, MSG_RESULT, 2);
		break;
	case 'w': /* whether it can change that */
		if (pwrite(in, "damage", 6, 0) >= 0 || errno != EBADF || ftruncate(in, 1ll << 40) == 0)
			_exit(7);
		say_numbers(fd, MSG_RESULT, most == 0 ? 1 : 2);
		break;
	case 'd':
		say_fail(fd, ERR_DOC_BAD, "bad\n\xFFpage");
		_exit(1);
	case 'l':
		say_fail(fd, ERR_LOG, "the log is gone");
		break;
	case 'N':
		say_fail(fd, 4711, "no such code");
		break;
	case 't':
		say_numbers(fd, MSG_HELLO, 1);
		break;
	case 'o':
		if (send(fd, long_progress, sizeof(long_progress), 0) < 0)
			_exit(9);
		pause();
		break;
	case '2':
		say_numbers(fd, MSG_RESULT, 1);
		say_numbers(fd, MSG_RESULT, 1);
		break;
	case 'F':
		for (;;)
			say_numbers(fd, MSG_PROGRESS, 2);
	case 'P':
		for (;;)
			want_page(fd, 0);
	case 'p':
		answer_page(fd);
		break;
	case 's': /* pages, and no end of them */
		for (char text[4];;)
			read_page(fd, text);
	case 'q':
	case 'e':
		want_page(fd, what == 'q' ? 99 : 1);
		pause();
		break;
	case 'h':
		pause();
		break;
	case 'r':
		say_numbers(fd, MSG_RESULT, 1);
		pause();
		break;
	case 'c':
		raise(SIGKILL);
		break;
	case 'T':
		raise(SIGTERM);
		break;
	default:
		_exit(3);
	}
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

static void
zygote_task(struct wire_msg *m)
{
	static pid_t pids[64];
	static uint32_t tasks[64];
	static int n;
	uint32_t task = buf_get_u32(&m->payload);
	int pidfd, status;
	const uint8_t *params;
	uint64_t most;
	size_t len;
	pid_t pid;
	AUTO_BUF b = { 0 };

	buf_get_u32(&m->payload);
	buf_get_u64(&m->payload);
	most = buf_get_u64(&m->payload);
	params = buf_get_blob(&m->payload, &len);
	if (params == NULL || len < 1 || params[0] == 'k')
		raise(SIGKILL);
	if (params[0] == 'n') { /* could not fork */
		say_fail(m->fd[0], ERR_MEM, "fork");
		say_exit(task, 256);
		return;
	}
	if ((pid = fork()) == 0)
		child(m->fd[0], (char)params[0], m->fd[1], most);
	pids[n] = pid;
	tasks[n++] = task;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	buf_init(&b, 8);
	buf_put_u32(&b, task);
	if (wire_send(WIRE_FD, MSG_STARTED, 0, &b, &pidfd, 1, &ignored) < 0)
		_exit(9);
	wire_done(m);
	close(pidfd);
	/* one at a time is enough here, as long as the core's hang-up is seen */
	while (n > 0) {
		struct pollfd p = { .fd = WIRE_FD };

		if (waitpid(pids[n - 1], &status, WNOHANG) == pids[n - 1])
			say_exit(tasks[--n], status);
		else if (poll(&p, 1, 1) > 0)
			_exit(0);
	}
}

static void
begin(enum role role, const char *token)
{
	const char *fake = getenv("SEALROOM_FAKE");
	AUTO_MSG m;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, role);
	buf_put_str(&b, fake != NULL && strcmp(fake, "build") == 0 ? "0123456789abcdef" : build_id);
	buf_put_str(&b, token);
	say(WIRE_FD, MSG_HELLO, &b);
	if (wire_recv(WIRE_FD, ROLE_CORE, role, 0, &m, &ignored) != 1)
		_exit(0);
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
		AUTO_MSG m;

		if (wire_recv(WIRE_FD, ROLE_CORE, ROLE_SCAN, 0, &m, &ignored) != 1)
			return 0;
		zygote_task(&m);
	}
}

static void
answer_sign(struct wire_msg *m)
{
	char job[ID_MAX];
	uint8_t digest[HASH_LEN];
	uint32_t ticket = buf_get_u32(&m->payload);
	AUTO_BUF b;

	buf_get_str(&m->payload, job, sizeof(job));
	buf_get_u32(&m->payload);
	buf_get(&m->payload, digest, HASH_LEN);
	buf_init(&b, 256);
	buf_put_u32(&b, digest[0] == 'w' ? ticket + 1 : ticket);
	switch (digest[0]) {
	case 'h':
		pause();
		break;
	case 'c':
		raise(SIGKILL);
		break;
	case 'R':
	case 'u':
		buf_put_u32(&b, ERR_TOKEN_FAULT);
		buf_put_u32(&b, digest[0] == 'u' ? MSG_UNASKED : 0);
		buf_put_str(&b, "not now");
		say(WIRE_FD, MSG_REFUSED, &b);
		break;
	case 'e':
	case 'E':
		buf_init(&b, 256);
		buf_put_u32(&b, ERR_CERT);
		buf_put_u32(&b, digest[0] == 'e' ? MSG_UNASKED : 0);
		buf_put_str(&b, "expired");
		say(WIRE_FD, MSG_FAIL, &b);
		break;
	default:
		buf_put_blob(&b, "cms", 3);
		buf_put(&b, digest, HASH_LEN);
		say(WIRE_FD, MSG_SIGNED, &b);
	}
}

static int
fake_seal(void)
{
	struct ready_seal r = { .key_type = SEAL_KEY_EC_P256, .logged_in = 1, .cms_max = 4000 };
	const char *first = getenv("SEALROOM_FIRST");
	int fd = first != NULL ? open(first, O_CREAT | O_EXCL, 0600) : -1;
	AUTO_BUF b;

	begin(ROLE_SEAL, "soft");
	buf_init(&b, WIRE_PAYLOAD);
	ready_seal_put(&b, &r);
	if (first != NULL && fd < 0)
		usleep(300000); /* the second start takes its time */
	say(WIRE_FD, MSG_READY, &b);
	for (;;) {
		AUTO_MSG m = { 0 };

		if (fd >= 0) { /* the first start does not live long */
			usleep(50000);
			return 1;
		}
		if (wire_recv(WIRE_FD, ROLE_CORE, ROLE_SEAL, 0, &m, &ignored) != 1)
			return 0;
		answer_sign(&m);
	}
}

/* --- the test ---------------------------------------------------------------------------- */

static struct loop *loop;
static struct children *children;
static char dir[64];
static int dir_fd;
static struct conf_token token = { .name = "soft", .pin = "credential:pin" };
static const struct conf_token *token_list[] = { &token };
static struct conf_seal seal = { .name = "stamp", .tokens = token_list, .ntokens = 1 };
static struct conf conf = { .path = "none.conf", .tokens = &token, .ntokens = 1 };

static int ready_count, gone_count, free_count;
static struct err gone_why;

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

static void
on_late(void *ctx)
{
	CHECK(0, "%s", (const char *)ctx);
	loop_stop(loop);
}

/* Runs the loop until a callback stops it. */
static void
run(const char *what)
{
	uint64_t t = loop_timer(loop, 8000, on_late, (void *)(uintptr_t)what);

	loop_run(loop, &ignored);
	loop_timer_del(loop, t);
}

static struct outcome {
	bool came, good, crashed, timed_out, lost;
	enum err_code code;
	uint32_t page;
	char text[ERR_TEXT_MAX];
	size_t len;
	char result[8];
	uint64_t rss;
} got;

static void
on_task(void *ctx, const struct task_outcome *o)
{
	(void)ctx;
	memset(&got, 0, sizeof(got));
	got = (struct outcome){ .came = true, .good = o->err == NULL, .crashed = o->crashed, .timed_out = o->timed_out,
		.lost = o->lost, .rss = o->maxrss_kib };
	if (o->err != NULL) {
		got.code = o->err->code;
		got.page = o->err->page;
		strcpy(got.text, o->err->text);
	} else {
		got.len = o->result->len;
		buf_get(o->result, got.result, got.len < 8 ? got.len : 7);
	}
	loop_stop(loop);
}

/* Other things stop the loop, too. */
static void
wait_task(const char *what)
{
	for (int i = 0; i < 20 && !got.came; i++)
		run(what);
}

static int
page(void *ctx, uint32_t i)
{
	(void)ctx;
	if (i == 0)
		return io_memfd("page", "page", 4, &ignored);
	errno = i == 1 ? EMFILE : ERANGE;
	return -1;
}

static uint64_t
begin_task(char what, uint32_t ms)
{
	struct task_req req = { .kind = TASK_COMPOSE, .in = -1, .out = -1, .fsize = UINT64_MAX, .deadline_ms = ms, .page = page };
	uint64_t r;
	AUTO_BUF b;

	buf_init(&b, 4);
	buf_put_u8(&b, (uint8_t)what);
	req.params = &b;
	r = children_task(children, &req, on_task, NULL);
	memset(&got, 0, sizeof(got));
	return r;
}

static const struct {
	char what;
	const char *name;
	enum err_code code;
	bool crashed, timed_out, lost;
	uint32_t ms;
} cases[] = {
	{ 'g', "a child that answers", ERR_OK, false, false, false, 5000 },
	{ 'p', "a child that reads a page", ERR_OK, false, false, false, 5000 },
	{ 'd', "a document that is damaged", ERR_DOC_BAD, false, false, false, 5000 },
	{ 'x', "a child that goes without a word", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'c', "a child that somebody else kills: our trouble", ERR_MEM, false, false, false, 5000 },
	{ 'T', "a child that ends by another signal", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'h', "a child that hangs", ERR_DOC_TIMEOUT, false, true, false, 150 },
	{ 'r', "a child that hangs after its answer", ERR_DOC_TIMEOUT, false, true, false, 150 },
	{ 't', "a child that sends what is not its to send", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'o', "a child that sends more than it may", ERR_DOC_CRASH, true, false, false, 5000 },
	{ '2', "a child with two answers", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'l', "a child that speaks of the log", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'N', "a child with a code that there is not", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'q', "a child that wants a page too many", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'P', "a child that asks for pages and does not take them", ERR_DOC_CRASH, true, false, false, 5000 },
	{ 'F', "a child that never stops talking", ERR_DOC_TIMEOUT, false, true, false, 300 },
	{ 'e', "no descriptor for a page: our trouble", ERR_IO, false, false, true, 5000 },
	{ 'n', "no memory for a child: our trouble", ERR_MEM, false, false, true, 5000 },
};

static void
test_tasks(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin_task(cases[i].what, cases[i].ms);
		wait_task(cases[i].name);
		CHECK(got.came && got.code == cases[i].code && got.good == (cases[i].code == ERR_OK) &&
		        got.crashed == cases[i].crashed && got.timed_out == cases[i].timed_out && got.lost == cases[i].lost,
		    "%s: %s", cases[i].name, err_word(cases[i].code));
		if (cases[i].what == 'p')
			CHECK(got.len == 4 && memcmp(got.result, "page", 4) == 0, "its bytes are those we gave");
		if (cases[i].what == 'd')
			CHECK(got.page == 3 && strcmp(got.text, "bad ?page") == 0, "with its page, and as one line of UTF-8");
	}
	CHECK(gone_count == 0, "through all this the zygote has lived");
}

/* All descriptors but a few taken: a task must not begin without its input. */
static void
test_no_descriptors(void)
{
	struct task_req req = { .kind = TASK_INSPECT, .in = dir_fd, .out = -1, .deadline_ms = 5000 };
	struct rlimit old, tight;
	AUTO_BUF b;
	int top = dup(dir_fd);

	close(top);
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = (rlim_t)top;
	buf_init(&b, 4);
	buf_put_u8(&b, 'i');
	req.params = &b;
	memset(&got, 0, sizeof(got));
	setrlimit(RLIMIT_NOFILE, &tight);
	children_task(children, &req, on_task, NULL);
	setrlimit(RLIMIT_NOFILE, &old);
	wait_task("a task without a descriptor ends");
	CHECK(got.came && got.lost && got.code == ERR_IO, "no descriptor for the input: our trouble, not an empty document");
	memset(&got, 0, sizeof(got));
	children_task(children, &req, on_task, NULL);
	wait_task("the next task ends");
	CHECK(got.good, "and the next one has its input");
	buf_put_u64(&b, 1); /* more than it may hold */
	memset(&got, 0, sizeof(got));
	children_task(children, &req, on_task, NULL);
	wait_task("a task with half its parameters ends");
	CHECK(got.came && got.lost && got.code == ERR_MEM, "parameters that could not be written: our trouble, not a child's");
	begin_task('g', 5000);
	setrlimit(RLIMIT_NOFILE, &tight);
	wait_task("a task without a socket ends");
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK(got.came && got.lost && got.code == ERR_IO && gone_count == 0, "no socket for a child: that task's trouble alone, and its zygote lives");
	begin_task('g', 5000);
	wait_task("the next task ends");
	CHECK(got.good, "and answers the next one");
}

/* The core holds what it made open for writing; a child that reads it does not. */
static void
test_read_only(void)
{
	AUTO_FD file = io_tmpfile(dir_fd, &ignored);
	struct task_req req = { .kind = TASK_INSPECT, .in = file, .out = -1, .fsize = UINT64_MAX, .deadline_ms = 5000 };
	char text[8] = "";
	struct stat st;
	AUTO_BUF b;

	buf_init(&b, 4);
	buf_put_u8(&b, 'w');
	req.params = &b;
	memset(&got, 0, sizeof(got));
	CHECK(pwrite(file, "source", 6, 0) == 6, "a file without a name, open for writing");
	children_task(children, &req, on_task, NULL);
	wait_task("a task that would change its input ends");
	CHECK(got.good, "a child can not write to its input, nor set its size: %s", got.text);
	CHECK(got.len == 4, "and where there is no output it may not write a byte");
	CHECK(pread(file, text, 7, 0) == 6 && strcmp(text, "source") == 0 && fstat(file, &st) == 0 && st.st_size == 6, "it is as it was");
}

static void
test_cancel(void)
{
	uint64_t h = begin_task('h', 5000);

	children_cancel(children, h);
	begin_task('g', 5000);
	wait_task("the task behind a cancelled one ends");
	CHECK(got.good, "a task that was cancelled before it began is silent");
	h = begin_task('s', 5000);
	begin_task('g', 5000); /* waits in our zygote, which does one at a time */
	loop_timer(loop, 100, (loop_timer_cb *)(uintptr_t)loop_stop, loop);
	run("both have begun");
	children_cancel(children, h);
	wait_task("the task behind it ends");
	CHECK(got.good, "one that asks for pages is cancelled while it does");
}

static void
test_zygote_dies(void)
{
	uint64_t from = clock_ms();
	int ready = ready_count;
	struct peer_status s;

	begin_task('k', 5000);
	wait_task("a task ends with its zygote");
	CHECK(got.lost && got.code == ERR_CHILD && !got.crashed, "a task of a zygote that dies is lost, not refused");
	while (gone_count == 0)
		run("the end of the zygote is told");
	begin_task('g', 5000);
	while (!got.came || ready_count == ready)
		run("the zygote comes again");
	CHECK(got.good && clock_ms() - from >= 500, "a new one comes, after half a second, and does what waited");
	children_status(children, 0, &s);
	CHECK(s.restarts == 1 && s.ready && s.scan != NULL && s.why.code == ERR_OK, "status counts it");
	from = clock_ms();
	for (int i = 0; i < 4; i++) {
		ready = ready_count;
		begin_task('k', 5000);
		wait_task("a task ends with its zygote");
		begin_task('g', 5000);
		while (!got.came || ready_count == ready)
			run("the zygote comes again");
		CHECK(got.good, "what waited is done");
	}
	/* doubled each time it would be 15 s, and is 2 s */
	CHECK(clock_ms() - from < 12000, "one that was of use comes again as soon as after its first death");
}

static void
on_token_free(void *ctx)
{
	(void)ctx;
	free_count++;
}

static void
begin_children(bool tokens)
{
	struct children_opts o = { .conf = &conf, .scan = !tokens, .tokens = tokens, .state_dir = dir_fd, .answer_ms = 300,
		.changed = on_changed, .token_free = on_token_free };
	struct err e = { 0 };

	ready_count = gone_count = free_count = 0;
	if (children_open(&children, loop, &o, &e) < 0)
		exit(99);
}

static void
test_build(void)
{
	struct peer_status s;

	setenv("SEALROOM_FAKE", "build", 1);
	begin_children(false);
	while (gone_count == 0)
		run("a process of another build is seen");
	children_status(children, 0, &s);
	CHECK(s.stopped && !s.ready && gone_why.code == ERR_CONF, "a process of another build is stopped, and said so");
	children_close(children);
	unsetenv("SEALROOM_FAKE");
}

/* --- a token ----------------------------------------------------------------------------- */

static int signs;
static struct err sign_err;
static bool sign_unasked;

static void
on_sign(void *ctx, const struct err *why, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN])
{
	sign_unasked = ctx != NULL && children_unasked(ctx);
	(void)imprint;
	signs++;
	memset(&sign_err, 0, sizeof(sign_err));
	if (why != NULL)
		sign_err = *why;
	else if (len != 3 || memcmp(cms, "cms", 3) != 0)
		sign_err.code = ERR_SIG;
	loop_stop(loop);
}

static const struct {
	char what;
	enum err_code code;
	const char *name;
	bool dies;
} sign_cases[] = {
	{ 'g', ERR_OK, "a token that signs", false },
	{ 'R', ERR_TOKEN_FAULT, "a token that refuses lives on", false },
	{ 'u', ERR_TOKEN_FAULT, "one that could not be asked", false },
	{ 'E', ERR_CERT, "one whose process can not go on", true },
	{ 'e', ERR_CERT, "one whose process can not go on, and was not asked", true },
	{ 'c', ERR_CHILD, "a token's process that dies", true },
	{ 'w', ERR_PEER, "an answer to another question", true },
	{ 'h', ERR_TOKEN_FAULT, "a token that hangs is ended", true },
};

static struct peer *
await_token(void)
{
	struct peer *p;

	while ((p = children_token(children, seal.tokens[0])) == NULL)
		run("a token is ready");
	return p;
}

/* Ready, and nobody asks it. */
static bool
is_free(void)
{
	const struct peer *p = children_token(children, seal.tokens[0]);

	return p != NULL && !children_token_busy(p);
}

static void
test_sign(void)
{
	for (size_t i = 0; i < sizeof(sign_cases) / sizeof(sign_cases[0]); i++) {
		uint8_t digest[HASH_LEN] = { (uint8_t)sign_cases[i].what };
		struct peer *p;
		int asked = signs;

		begin_children(true);
		p = await_token();

		children_sign(p, "01m81mynnqvfzebzdnbm2m34yg", 1, digest, on_sign, p);
		CHECK(!is_free(), "a token is asked by one job at a time");
		while (signs == asked)
			run(sign_cases[i].name);
		CHECK(signs == asked + 1 && sign_err.code == sign_cases[i].code, "%s: %s", sign_cases[i].name,
		    err_word(sign_cases[i].code));
		CHECK(sign_unasked == (sign_cases[i].what == 'u' || sign_cases[i].what == 'e'), "whether there may be a signature is told");
		CHECK(free_count == 1, "it is said that its answer, or its end, sets it free: %u times", free_count);
		CHECK(is_free() != sign_cases[i].dies, "%s",
		    sign_cases[i].dies ? "and its process is gone" : "its process stays");
		children_close(children);
	}
}

/* The process has ended when it is asked; then it starts, slowly. */
static void
test_sign_gone(void)
{
	char first[80];
	uint8_t digest[HASH_LEN] = { 'g' };
	struct peer_status s;
	struct peer *p;
	int asked = signs;

	snprintf(first, sizeof(first), "%s/first", dir);
	setenv("SEALROOM_FIRST", first, 1);
	begin_children(true);
	p = await_token();
	while (gone_count == 0)
		run("the token's process ends");
	loop_timer(loop, 650, (loop_timer_cb *)(uintptr_t)loop_stop, loop);
	run("it is started again, and not ready yet");
	children_sign(p, "01m81mynnqvfzebzdnbm2m34yg", 1, digest, on_sign, NULL);
	while (signs == asked)
		run("the question is answered");
	CHECK(sign_err.code == ERR_TOKEN_GONE, "a token that only starts can not be asked");
	while (ready_count < 2)
		run("it becomes ready");
	children_status(children, 0, &s);
	CHECK(gone_count == 1 && s.restarts == 1, "and is not killed for that: it may be in the middle of its login");
	CHECK(free_count == 1 && is_free(), "with its answer it is free, and that is said");
	children_close(children);

	unsetenv("SEALROOM_FIRST");
}

static void
make_programs(const char *self)
{
	static const char *const names[] = { "sealroom-scan", "sealroom-seal" };
	char path[PATH_MAX];

	dir_fd = tmpdir_make(dir);
	if (realpath(self, path) == NULL || mkdirat(dir_fd, "tokens", 0700) < 0)
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

	if (strcmp(name, "sealroom-scan") == 0)
		return fake_scan();
	if (strcmp(name, "sealroom-seal") == 0)
		return argc > 1 ? fake_seal() : 99;
	signal(SIGPIPE, SIG_IGN);
	make_programs("/proc/self/exe");
	if (loop_new(&loop, &e) < 0)
		return 99;
	begin_children(false);
	test_tasks();
	test_no_descriptors();
	test_read_only();
	test_cancel();
	test_zygote_dies();
	begin_task('h', 60000);
	children_close(children); /* with a task under way */
	test_build();
	test_sign();
	test_sign_gone();
	loop_free(loop);
	tmpdir_remove(dir_fd, dir);
	return TEST_DONE();
}
