/*
 * t_breach.c - processes of ours that break the protocol, are missing, or come by
 * themselves: each costs its own work, is named to the admin, and is started again.
 *
 * The processes are this program again, under the names of the real ones; what they
 * do instead stands in SEALROOM_FAKE.  Waiting is played: skip() passes time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "agent/lib/wire.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static struct err ignored;

/* --- time -------------------------------------------------------------------------------- */

static time_t skipped;

int
clock_gettime(clockid_t id, struct timespec *t)
{
	if (syscall(SYS_clock_gettime, id, t) < 0)
		return -1;
	t->tv_sec += skipped;
	return 0;
}

/* --- the processes ----------------------------------------------------------------------- */

static bool
plays(const char *what)
{
	const char *fake = getenv("SEALROOM_FAKE");

	return fake != NULL && strcmp(fake, what) == 0;
}

static void
say(int fd, enum msg_type type, const struct buf *b, const int *fds, int n)
{
	if (wire_send(fd, type, 0, b, fds, n, &ignored) < 0)
		_exit(9);
}

/* So many numbers, from this on. */
static void
say_numbers(int fd, enum msg_type type, uint32_t first, int n, int descriptor)
{
	AUTO_BUF b;

	buf_init(&b, 64);
	for (int i = 0; i < n; i++)
		buf_put_u32(&b, first + (uint32_t)i);
	say(fd, type, &b, &descriptor, descriptor >= 0);
}

static void
say_fail(int fd, uint32_t code, const char *text)
{
	AUTO_BUF b;

	buf_init(&b, 256);
	buf_put_u32(&b, code);
	buf_put_u32(&b, 0);
	buf_put_str(&b, text);
	say(fd, MSG_FAIL, &b, NULL, 0);
}

static void
say_hello(int fd, enum role role, const char *build, const char *name, bool more)
{
	AUTO_BUF b;

	buf_init(&b, 256);
	buf_put_u32(&b, role);
	buf_put_str(&b, build);
	buf_put_str(&b, name);
	if (more)
		buf_put_u8(&b, 0);
	say(fd, MSG_HELLO, &b, NULL, 0);
}

static void
say_ready(int fd, enum role role)
{
	struct ready_seal seal = { .key_type = SEAL_KEY_EC_P256, .logged_in = 1, .cms_max = 4000 };
	struct ready_scan scan = { .engine = "none" };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (role == ROLE_SEAL)
		ready_seal_put(&b, &seal);
	else if (role == ROLE_SCAN)
		ready_scan_put(&b, &scan);
	say(fd, MSG_READY, &b, NULL, 0);
}

/* Names of the files that it was told of, as the reason why it ends. */
static void
tell_files(struct wire_msg *m)
{
	struct settings *s = calloc(1, sizeof(*s));
	char text[200] = "files:";

	if (s == NULL || settings_read(m->fd[0], s, &ignored) < 0)
		_exit(9);
	for (uint32_t i = 0; i < s->nfiles; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " %s", s->files[i].name);
	say_fail(WIRE_FD, ERR_CONF, text);
	_exit(0);
}

static pid_t
sleeper(int *ret_pidfd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			pause();
		_exit(0);
	}
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

/* A child that is nobody's task: the core must end it. */
static void
stray_child(void)
{
	int pidfd, status;
	pid_t pid = sleeper(&pidfd);

	say_numbers(WIRE_FD, MSG_STARTED, 999, 1, pidfd);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		say_fail(WIRE_FD, ERR_CONF, "the stray child was killed");
	_exit(0);
}

/* After READY: what no zygote of ours says. */
static void
misbehave(void)
{
	int pidfd;

	if (plays("ready twice")) {
		say_ready(WIRE_FD, ROLE_SCAN);
	} else if (plays("exit torn")) {
		say_numbers(WIRE_FD, MSG_EXIT, 1, 2, -1);
	} else if (plays("exit of nobody")) {
		say_numbers(WIRE_FD, MSG_EXIT, 4711, 6, -1);
		say_fail(WIRE_FD, ERR_CONF, "that was no trouble");
	} else if (plays("started torn")) {
		sleeper(&pidfd);
		say_numbers(WIRE_FD, MSG_STARTED, 1, 2, pidfd);
	} else if (plays("stray child")) {
		stray_child();
	} else if (plays("signed")) {
		say_numbers(WIRE_FD, MSG_SIGNED, 1, 1, -1);
	} else if (plays("fail torn")) {
		say_numbers(WIRE_FD, MSG_FAIL, 1, 1, -1);
	} else if (plays("fail odd")) {
		say_fail(WIRE_FD, 4711, "no such code");
	}
}

/* A task: never forked for, forked for twice, or a child that says what only a judge may. */
static void
zygote_task(struct wire_msg *m)
{
	uint32_t task = buf_get_u32(&m->payload);
	int pidfd, status = 0;
	pid_t pid;
	AUTO_BUF b = { 0 };

	if (plays("no exit")) {
		sleeper(&pidfd);
		say_numbers(WIRE_FD, MSG_STARTED, task, 1, pidfd);
		return;
	}
	if (plays("never started"))
		return;
	if ((pid = fork()) == 0) {
		say_fail(m->fd[0], ERR_SIG, "does not hold");
		_exit(0);
	}
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	say_numbers(WIRE_FD, MSG_STARTED, task, 1, pidfd);
	if (plays("started twice"))
		say_numbers(WIRE_FD, MSG_STARTED, task, 1, pidfd);
	waitpid(pid, &status, 0);
	buf_init(&b, 32);
	buf_put_u32(&b, task);
	buf_put_i32(&b, status);
	buf_put_u64(&b, 1000);
	buf_put_u64(&b, 2000);
	say(WIRE_FD, MSG_EXIT, &b, NULL, 0);
	wire_done(m);
}

static int
fake_zygote(enum role role)
{
	AUTO_MSG m = { 0 };

	if (plays("mute"))
		pause();
	if (plays("ready first"))
		say_ready(WIRE_FD, role);
	say_hello(WIRE_FD, plays("another role") ? ROLE_FETCH : role, build_id, "", plays("hello torn"));
	if (plays("hello twice"))
		say_hello(WIRE_FD, role, build_id, "", false);
	if (wire_recv(WIRE_FD, ROLE_CORE, role, 0, &m, &ignored) != 1)
		return 0;
	if (plays("files"))
		tell_files(&m);
	if (plays("no model")) {
		say_fail(WIRE_FD, ERR_CONF, "deu.traineddata: No such file or directory");
		return 1;
	}
	if (plays("ready torn"))
		say_numbers(WIRE_FD, MSG_READY, 1, 1, -1);
	else
		say_ready(WIRE_FD, role);
	misbehave();
	for (;;) {
		AUTO_MSG t = { 0 };

		if (wire_recv(WIRE_FD, ROLE_CORE, role, 0, &t, &ignored) != 1)
			return 0;
		zygote_task(&t);
	}
}

static int
fake_seal(bool log)
{
	AUTO_MSG m = { 0 };
	char pin[16] = "";

	say_hello(WIRE_FD, ROLE_SEAL, build_id, log ? "" : "soft", false);
	if (wire_recv(WIRE_FD, ROLE_CORE, ROLE_SEAL, 0, &m, &ignored) != 1)
		return 0;
	if (plays("pin") && (m.nfds < 3 || read(m.fd[2], pin, sizeof(pin) - 1) != 4 || strcmp(pin, "1234") != 0)) {
		say_fail(WIRE_FD, ERR_PIN_BAD, "that was another PIN");
		return 0;
	}
	if (plays("slow login"))
		pause();
	if (plays("ready torn"))
		say_numbers(WIRE_FD, MSG_READY, 1, 1, -1);
	else
		say_ready(WIRE_FD, ROLE_SEAL);
	if (plays("signed"))
		say_numbers(WIRE_FD, MSG_SIGNED, 1, 11, -1);
	if (plays("refused"))
		say_numbers(WIRE_FD, MSG_REFUSED, 1, 3, -1);
	if (plays("noted"))
		say_numbers(WIRE_FD, MSG_NOTED, 0, 1, -1);
	if (plays("status"))
		say_numbers(WIRE_FD, MSG_STATUS, 0, 1, -1);
	pause();
	return 0;
}

/* --- the test ---------------------------------------------------------------------------- */

static struct loop *loop;
static struct children *children;
static char dir[64], door[100];
static int dir_fd;
static struct conf_token token = { .name = "soft", .pin = "credential:pin" };
static struct conf conf = { .path = "none.conf", .tokens = &token, .ntokens = 1 };
static const struct conf *settings = &conf;

static int ready_count, gone_count;
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
	*(bool *)ctx = true;
	loop_stop(loop);
}

/* Until something has stopped the loop, or so long. */
static bool
run(uint64_t ms)
{
	bool late = false;
	uint64_t t = loop_timer(loop, ms, on_late, &late);

	loop_run(loop, &ignored);
	loop_timer_del(loop, t);
	return !late;
}

static void
rest(void)
{
	while (run(100))
		;
}

static void
skip(time_t s)
{
	skipped += s;
}

static void
wait_gone(int n)
{
	for (int i = 0; i < 50 && gone_count < n; i++)
		run(200);
}

static void
wait_ready(int n)
{
	for (int i = 0; i < 50 && ready_count < n; i++)
		run(200);
}

enum { SCAN = 1, VERIFY = 2, TOKENS = 4, LOG = 8, CONNECT = 16, FETCH = 32 };

static void
begin(unsigned what, const char *fake)
{
	struct children_opts o = { .conf = settings, .scan = what & SCAN, .verify = what & VERIFY, .fetch = what & FETCH, .tokens = what & TOKENS,
		.log_key = what & LOG, .connect = what & CONNECT, .state_dir = dir_fd, .changed = on_changed };
	struct err e = { 0 };

	if (fake != NULL)
		setenv("SEALROOM_FAKE", fake, 1);
	else
		unsetenv("SEALROOM_FAKE");
	ready_count = gone_count = 0;
	memset(&gone_why, 0, sizeof(gone_why));
	if (children_open(&children, loop, &o, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
}

static struct peer_status
status(uint32_t i)
{
	struct peer_status s;

	children_status(children, i, &s);
	return s;
}

static void
test_breaches(void)
{
	static const struct {
		unsigned what;
		const char *fake;
		enum err_code code;
		const char *text;
	} cases[] = {
		{ SCAN, "ready first", ERR_PEER, "READY out of turn" },
		{ SCAN, "another role", ERR_PEER, "HELLO is damaged" },
		{ SCAN, "hello torn", ERR_PEER, "HELLO is damaged" },
		{ SCAN, "hello twice", ERR_PEER, "HELLO is damaged" },
		{ SCAN, "ready torn", ERR_PEER, "" },
		{ SCAN, "ready twice", ERR_PEER, "READY out of turn" },
		{ SCAN, "exit torn", ERR_PEER, "EXIT is damaged" },
		{ SCAN, "started torn", ERR_PEER, "STARTED is damaged" },
		{ SCAN, "signed", ERR_PEER, "" },
		{ SCAN, "fail torn", ERR_PEER, "FAIL is damaged" },
		{ SCAN, "fail odd", ERR_PEER, "FAIL is damaged" },
		{ SCAN, "exit of nobody", ERR_CONF, "that was no trouble" },
		{ SCAN, "stray child", ERR_CONF, "the stray child was killed" },
		{ TOKENS, "ready torn", ERR_PEER, "" },
		{ TOKENS, "signed", ERR_PEER, "SIGNED without a question" },
		{ TOKENS, "refused", ERR_PEER, "REFUSED without a question" },
		{ TOKENS, "noted", ERR_PEER, "NOTED without a question" },
		{ TOKENS, "status", ERR_PEER, "STATUS is not expected" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct peer_status s;

		begin(cases[i].what, cases[i].fake);
		wait_gone(1);
		s = status(0);
		CHECK(gone_count == 1 && gone_why.code == cases[i].code && strstr(gone_why.text, cases[i].text) != NULL && !s.ready && s.restarts == 1,
		    "%s, %s: %s: %s", cases[i].what == SCAN ? "a reader" : "a token", cases[i].fake, err_word(gone_why.code), gone_why.text);
		/* no trouble of the settings: it is started again */
		unsetenv("SEALROOM_FAKE");
		if (cases[i].code == ERR_PEER && i % 6 == 0) {
			ready_count = 0;
			skip(1);
			wait_ready(1);
			CHECK(status(0).ready, "and is started again");
		}
		children_close(children);
	}
}

static void
test_reasons(void)
{
	begin(SCAN, "no model");
	wait_gone(1);
	CHECK(gone_why.code == ERR_CONF && strstr(gone_why.text, "deu.traineddata") != NULL && status(0).stopped, "a reader without its model says so, and is stopped");
	children_close(children);

	begin(SCAN, "mute");
	run(200);
	skip(119);
	rest();
	CHECK(gone_count == 0, "a reader that says nothing has two minutes");
	skip(2);
	wait_gone(1);
	CHECK(gone_count == 1 && gone_why.code == ERR_CHILD && strstr(gone_why.text, "was not ready within 120 s") != NULL, "then it is ended: %s", gone_why.text);
	children_close(children);
}

/* --- tasks ------------------------------------------------------------------------------- */

static struct {
	bool came, lost, timed_out;
	struct err err;
} got;

static void
on_task(void *ctx, const struct task_outcome *o)
{
	(void)ctx;
	got.came = true;
	got.lost = o->lost;
	got.timed_out = o->timed_out;
	memset(&got.err, 0, sizeof(got.err));
	if (o->err != NULL)
		got.err = *o->err;
	loop_stop(loop);
}

static uint64_t
begin_task(uint32_t kind, uint32_t ms)
{
	struct task_req req = { .kind = kind, .in = -1, .out = -1, .fsize = UINT64_MAX, .deadline_ms = ms };

	memset(&got, 0, sizeof(got));
	return children_task(children, &req, on_task, NULL);
}

static void
wait_task(void)
{
	for (int i = 0; i < 50 && !got.came; i++)
		run(200);
}

static void
test_tasks(void)
{
	static const char *const silent[] = { "no exit", "never started" };

	for (size_t i = 0; i < 2; i++) {
		begin(SCAN, silent[i]);
		begin_task(TASK_INSPECT, 300);
		wait_ready(1);
		run(500);
		rest();
		CHECK(!got.came && gone_count == 0, "a reader whose child is killed has its time to say so (%s)", silent[i]);
		skip(11);
		wait_task();
		CHECK(got.came && got.lost && gone_count == 1 && gone_why.code == ERR_CHILD && strstr(gone_why.text, "does not answer") != NULL,
		    "when it does not it is started anew, and the task is to be done again: %s", gone_why.text);
		children_close(children);
	}
	begin(SCAN, "started twice");
	begin_task(TASK_INSPECT, 5000);
	wait_gone(1);
	CHECK(got.came && got.lost && gone_why.code == ERR_PEER && strstr(gone_why.text, "STARTED twice") != NULL, "a task that is begun twice: %s", gone_why.text);
	children_close(children);
	begin(SCAN, "judges");
	begin_task(TASK_INSPECT, 5000);
	wait_task();
	CHECK(got.came && got.err.code == ERR_DOC_CRASH, "a reader of documents has nothing to say about signatures: %s", got.err.text);
	children_close(children);
}

/* --- settings, programs ------------------------------------------------------------------ */

static void
write_file(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		exit(99);
	close(fd);
}

/* Settings with so many seals, of which the first n have a picture, and the last a font. */
static struct conf *
load_conf(int nseals, int pictures)
{
	struct conf *c;
	struct err e;
	char path[100];
	FILE *f;

	snprintf(path, sizeof(path), "%s/sealroom.conf", dir);
	if ((f = fopen(path, "w")) == NULL)
		exit(99);
	fprintf(f,
	    "language = \"en\"; state = \"%s/state\"; folders : { post : { path = \"%s/in\"; rules = [ \"all\" ]; seals = [ \"s0\" ]; }; };\n"
	    "scan : { languages = [ \"deu\" ]; };\n"
	    "rules : { all : { when = \"always\"; place = \"invisible\"; seal = \"s0\"; }; };\n"
	    "tokens : { soft : { module = \"/usr/lib/none.so\"; label = \"t\"; key_label = \"k\"; pin = \"file:pin\"; }; };\n"
	    "tsa : { test : { url = [ \"http://127.0.0.1:9/\" ]; trust = \"%s/root.pem\"; }; };\n"
	    "trust = \"%s/root.pem\"; archive : { path = \"%s/archive\"; };\n"
	    "evidence : { origin = \"example.org/log\"; };\n"
	    "seals : {\n",
	    dir, dir, dir, dir, dir);
	for (int i = 0; i < nseals; i++) {
		fprintf(f, "s%d : { tokens = [ \"soft\" ]; level = \"B-T\"; tsa = \"test\"; look = { lines = [ \"{org}\" ];", i);
		if (i < pictures)
			fprintf(f, " image = \"%s/image.png\";", dir);
		if (i == nseals - 1)
			fprintf(f, " font = \"%s/font.ttf\";", dir);
		fprintf(f, " }; };\n");
	}
	fprintf(f, "};\n");
	fclose(f);
	chmod(path, 0600);
	if (conf_load(&c, path, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
	return c;
}

static void
check_files(unsigned what, enum err_code code, const char *text, const char *name)
{
	begin(what, "files");
	wait_gone(1);
	CHECK(gone_count == 1 && gone_why.code == code && strstr(gone_why.text, text) != NULL, "%s: %s", name, gone_why.text);
	children_close(children);
}

static void
test_files(void)
{
	struct conf *c;

	write_file("image.png", "PNG");
	write_file("font.ttf", "TTF");
	write_file("root.pem", "PEM");
	settings = c = load_conf(2, 1);
	check_files(SCAN, ERR_CONF, "files: image:s0 font:s1", "who draws seals knows their pictures and fonts");
	check_files(VERIFY, ERR_CONF, "files: seal tsa:test", "who judges knows the roots");
	unlinkat(dir_fd, "font.ttf", 0);
	check_files(SCAN, ERR_IO, "font.ttf", "a font that is missing is named");
	write_file("font.ttf", "TTF");
	conf_free(c);
	settings = c = load_conf(SETTINGS_FILES_MAX, SETTINGS_FILES_MAX);
	check_files(SCAN, ERR_CONF, "more than 64 files", "more files than a process may know");
	conf_free(c);
	settings = &conf;
}

static void
test_missing(void)
{
	if (renameat(dir_fd, "sealroom-scan", dir_fd, "away") < 0)
		exit(99);
	begin(SCAN, NULL);
	wait_gone(1);
	CHECK(gone_count == 1 && strstr(gone_why.text, "sealroom-scan") != NULL && !status(0).ready, "a program that is missing is named: %s", gone_why.text);
	if (renameat(dir_fd, "away", dir_fd, "sealroom-scan") < 0)
		exit(99);
	gone_count = 0;
	skip(1);
	wait_ready(1);
	CHECK(status(0).ready && gone_count == 0, "and looked for again");
	children_close(children);

	begin(SCAN, "mute");
	run(100);
	skip(121);
	wait_gone(1);
	unsetenv("SEALROOM_FAKE");
	children_hurry(children);
	wait_ready(1);
	CHECK(status(0).ready && status(0).restarts == 1, "a person can have it started at once");
	children_close(children);
}

/* --- a PIN that a person gives --------------------------------------------------------------- */

static int logins;
static struct err login_why;

static void
on_login(void *ctx, const struct err *why)
{
	(void)ctx;
	logins++;
	memset(&login_why, 0, sizeof(login_why));
	if (why != NULL)
		login_why = *why;
	loop_stop(loop);
}

static int
login(const char *name, const char *pin, struct err *e)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0 || write(p[1], pin, strlen(pin)) < 0)
		exit(99);
	close(p[1]);
	memset(e, 0, sizeof(*e));
	return children_token_login(children, name, p[0], on_login, NULL, e);
}

static void
check_no_login(const char *name, enum err_code code, const char *text)
{
	struct err e;
	int before = logins;

	CHECK(login(name, "1234", &e) == -(int)code && strstr(e.text, text) != NULL && logins == before, "no login: %s", e.text);
}

static void
test_login(void)
{
	struct rlimit old, tight;
	struct err e;
	int r;

	begin(TOKENS, NULL);
	wait_ready(1);
	check_no_login("other", ERR_USAGE, "no such token");
	check_no_login("soft", ERR_USAGE, "the PIN of token soft comes from credential:pin");
	children_close(children);

	token.pin = CONF_PIN_LOGIN;
	begin(TOKENS, "pin");
	wait_gone(1);
	CHECK(gone_why.code == ERR_PIN_SOURCE && strstr(gone_why.text, "sealroom token login soft") != NULL, "a token waits for its PIN: %s", gone_why.text);
	CHECK(login("soft", "1234", &e) == 0, "a PIN is taken");
	wait_ready(1);
	CHECK(logins == 1 && login_why.code == ERR_OK && status(0).ready, "goes to the token's process, and is answered when that is ready");
	check_no_login("soft", ERR_USAGE, "token soft is logged in");
	children_close(children);

	begin(TOKENS, "slow login");
	wait_gone(1);
	login("soft", "1234", &e);
	check_no_login("soft", ERR_LATER, "a login of token soft is under way");
	unsetenv("SEALROOM_FAKE");
	logins = 0;
	skip(121);
	for (int i = 0; i < 20 && logins == 0; i++)
		run(100);
	CHECK(logins == 1 && login_why.code == ERR_CHILD, "a login that takes too long is answered, too: %s", login_why.text);
	children_close(children);

	write_file("tokens/soft", "a login was begun");
	begin(TOKENS, "pin");
	wait_gone(1);
	check_no_login("soft", ERR_PIN_STOPPED, "sealroom token clear soft");
	write_file("tokens/soft", "");
	children_close(children);

	begin(TOKENS, "ready torn");
	wait_gone(2);
	setenv("SEALROOM_FAKE", "pin", 1);
	logins = 0;
	getrlimit(RLIMIT_NOFILE, &old);
	tight = old;
	tight.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &tight);
	r = children_token_login(children, "soft", -1, on_login, NULL, &e);
	setrlimit(RLIMIT_NOFILE, &old);
	CHECK(r < 0 && e.text[0] != '\0' && logins == 0, "a process that can not be started: that is the answer: %s", e.text);
	CHECK(login("soft", "1234", &e) == 0, "when it can");
	ready_count = 0;
	wait_ready(1);
	CHECK(logins == 1 && login_why.code == ERR_OK && status(0).ready, "it is started for the login at once");
	children_close(children);
	token.pin = "credential:pin";
}

/* --- units, which come by themselves ----------------------------------------------------------- */

static int
come(enum role role, const char *build, const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, door);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		exit(99);
	say_hello(fd, role, build, name, false);
	return fd;
}

/* The next message of the core to this unit. */
static bool
unit_hears(int fd, enum role role, enum msg_type type, struct wire_msg *m)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < 50 && poll(&p, 1, 0) == 0; i++)
		run(50);
	return wire_recv(fd, ROLE_CORE, role, MSG_DONTWAIT, m, &ignored) == 1 && m->type == type;
}

static int
unit_ready(enum role role, const char *name)
{
	int fd = come(role, build_id, name);
	AUTO_MSG m = { 0 };

	if (!unit_hears(fd, role, MSG_SETTINGS, &m))
		return fd;
	say_ready(fd, role);
	wait_ready(ready_count + 1);
	return fd;
}

static bool
hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	rest();
	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

static void
test_come(void)
{
	AUTO_MSG m = { 0 };
	int fd, other, next;

	begin(TOKENS | CONNECT, NULL);
	rest();
	CHECK(gone_count == 0, "a unit has ten seconds to come");
	skip(11);
	wait_gone(1);
	CHECK(gone_count == 1 && strstr(gone_why.text, "sealroom-seal@soft.service has not come") != NULL && strstr(gone_why.text, "systemctl status") != NULL,
	    "then its absence is told: %s", gone_why.text);
	fd = come(ROLE_SEAL, "0123456789abcdef", "soft");
	CHECK(hung_up(fd) && strstr(status(0).why.text, "is of another build") != NULL, "one of another build is sent away, and status says why: %s", status(0).why.text);
	close(fd);
	fd = come(ROLE_SEAL, build_id, "other");
	CHECK(hung_up(fd), "one whose token the settings do not name is sent away");
	close(fd);
	fd = unit_ready(ROLE_SEAL, "soft");
	CHECK(status(0).ready && status(0).why.code == ERR_OK, "the right one is let in");
	other = come(ROLE_SEAL, build_id, "soft");
	CHECK(hung_up(other) && status(0).ready, "a second one like it is sent away");
	close(other);
	/* it comes again before anybody has seen that it went */
	close(fd);
	next = come(ROLE_SEAL, build_id, "soft");
	for (int i = 0; i < 1000 && status(0).restarts == 0; i++)
		run(2);
	CHECK(!status(0).ready && status(0).restarts == 1 && recv(next, &m, 1, MSG_DONTWAIT | MSG_PEEK) < 0, "one that comes again is kept waiting for its back-off");
	skip(1);
	CHECK(unit_hears(next, ROLE_SEAL, MSG_SETTINGS, &m), "and is let in when that is over");
	say_ready(next, ROLE_SEAL);
	ready_count = 0;
	wait_ready(1);
	CHECK(status(0).ready, "ready again");
	children_close(children);
	close(next);
	CHECK(access(door, F_OK) < 0, "the socket goes with the core");
}

/* A child of a unit is another user's: the unit is asked to end it. */
static void
test_kill(void)
{
	AUTO_MSG task = { 0 }, kill_it = { 0 };
	uint64_t handle;
	int fd, pidfd, status_of;
	uint32_t id;
	pid_t pid;

	begin(FETCH | CONNECT, NULL);
	fd = unit_ready(ROLE_FETCH, "");
	handle = begin_task(TASK_STAMP, 60000);
	CHECK(unit_hears(fd, ROLE_FETCH, MSG_TASK, &task), "a task goes to the unit");
	id = buf_get_u32(&task.payload);
	pid = sleeper(&pidfd);
	say_numbers(fd, MSG_STARTED, id, 1, pidfd);
	rest();
	children_cancel(children, handle);
	CHECK(unit_hears(fd, ROLE_FETCH, MSG_KILL, &kill_it) && buf_get_u32(&kill_it.payload) == id && !got.came, "cancelled: the unit is asked to end its child");
	CHECK(waitpid(pid, &status_of, WNOHANG) == 0, "which is not ours to end");
	kill(pid, SIGKILL);
	waitpid(pid, &status_of, 0);
	close(fd);
	wait_gone(1);
	CHECK(gone_count == 1 && strstr(gone_why.text, "sealroom-fetch") != NULL, "a unit that goes is missed: %s", gone_why.text);
	children_close(children);
	close(pidfd);
}

static void
make_programs(void)
{
	static const char *const names[] = { "sealroom-scan", "sealroom-seal", "sealroom-verify" };
	char path[PATH_MAX];

	dir_fd = tmpdir_make(dir);
	if (realpath("/proc/self/exe", path) == NULL || mkdirat(dir_fd, "tokens", 0700) < 0)
		exit(99);
	for (int i = 0; i < 3; i++)
		if (symlinkat(path, dir_fd, names[i]) < 0)
			exit(99);
	setenv("SEALROOM_LIBEXEC", dir, 1);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
	char user[16];

	if (strcmp(name, "sealroom-scan") == 0)
		return fake_zygote(ROLE_SCAN);
	if (strcmp(name, "sealroom-verify") == 0)
		return fake_zygote(ROLE_VERIFY);
	if (strcmp(name, "sealroom-seal") == 0)
		return fake_seal(argc > 3 && strcmp(argv[3], "--log") == 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	make_programs();
	snprintf(user, sizeof(user), "%u", geteuid());
	snprintf(door, sizeof(door), "%s/peers", dir);
	conf.peers.socket = door;
	conf.peers.seal_user = conf.peers.log_user = conf.peers.fetch_user = user;
	if (loop_new(&loop, &ignored) < 0)
		return 99;
	test_breaches();
	test_reasons();
	test_tasks();
	test_files();
	test_missing();
	test_login();
	test_come();
	test_kill();
	loop_free(loop);
	tmpdir_remove(dir_fd, dir);
	return TEST_DONE();
}
