/* The control socket: one line in, one line out, and nothing that harms the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/control.h"
#include "agent/lib/io.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/t_control.XXXXXX";
static char path[512];

static json_t *
on_echo(void *ctx, struct control_call *call, struct err *e)
{
	(void)ctx;
	(void)e;
	return json_pack("{s:O, s:i}", "said", json_object_get(call->request, "say"), "uid", (int)call->uid);
}

static json_t *
on_refuse(void *ctx, struct control_call *call, struct err *e)
{
	(void)ctx;
	(void)call;
	err_set(e, ERR_USAGE, "no such job: \xe2\x80\xae\xc3\xbc");
	return NULL;
}

static json_t *
on_much(void *ctx, struct control_call *call, struct err *e)
{
	char *s = calloc(1, CONTROL_ANSWER);
	json_t *j;
	size_t n = (size_t)json_integer_value(json_object_get(call->request, "n"));

	(void)ctx;
	(void)e;
	memset(s, 'm', n);
	j = json_pack("{s:s}", "much", s);
	free(s);
	return j;
}

/* What the descriptor that came says, and how many are open here. */
static json_t *
on_read(void *ctx, struct control_call *call, struct err *e)
{
	char text[64] = "";
	int open = 0;

	(void)ctx;
	(void)e;
	if (pread(call->fd, text, sizeof(text) - 1, 0) < 0)
		return NULL;
	for (int fd = 0; fd < 256; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	return json_pack("{s:s, s:b, s:i}", "text", text, "cloexec", fcntl(call->fd, F_GETFD) == FD_CLOEXEC, "open", open);
}

static struct control *serving;
static struct loop *looping;

static void
on_late(void *ctx)
{
	uint64_t *id = ctx;

	control_answer(serving, *id, json_pack("{s:s}", "late", "yes"), NULL);
	control_answer(serving, *id, json_pack("{s:s}", "late", "twice"), NULL);
	free(id);
}

static json_t *
on_wait(void *ctx, struct control_call *call, struct err *e)
{
	uint64_t *id = malloc(sizeof(*id));

	(void)ctx;
	(void)e;
	*id = call->id;
	call->later = true;
	loop_timer(looping, (uint64_t)json_integer_value(json_object_get(call->request, "ms")), on_late, id);
	return NULL;
}

static const struct control_op ops[] = { { "echo", on_echo, 0 }, { "refuse", on_refuse, 0 }, { "much", on_much, 0 },
	{ "read", on_read, CONTROL_FD }, { "wait", on_wait, 0 }, { "change", on_echo, CONTROL_OPERATES }, { NULL, NULL, 0 } };
static const struct control_opts opts = { .ops = ops };

static pid_t
serve(void)
{
	struct err e;
	int ready[2];
	pid_t pid;
	char ok;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		if (loop_new(&looping, &e) < 0 || control_open(&serving, looping, path, &opts, &e) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		loop_run(looping, &e);
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &ok, 1) != 1)
		abort();
	close(ready[0]);
	return pid;
}

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char proc[64];
	int dir, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 5 };

	*strrchr(path, '/') = '\0';
	dir = open(path, O_PATH | O_DIRECTORY);
	path[strlen(path)] = '/';
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d/control.sock", dir);
	memcpy(a.sun_path, proc, strlen(proc) + 1);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		abort();
	close(dir);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* Everything the daemon says until it hangs up or n lines came. */
static size_t
hear(int fd, int lines, char *dst, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while (lines > 0 && n + 1 < size && (r = recv(fd, dst + n, 1, 0)) == 1)
		if (dst[n++] == '\n')
			lines--;
	dst[n] = '\0';
	return n;
}

static void
test_ask(void)
{
	json_t *a = NULL;
	struct err e = { 0 };
	struct stat st;
	char *odd = NULL;

	stat(path, &st);
	CHECK(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0660, "a socket for owner and group, at a path longer than sun_path");
	CHECK(control_ask(path, json_pack("{s:s, s:s}", "op", "echo", "say", "Gr\xc3\xbc\xc3\x9f\n\x01"), &a, &e) == 0 &&
	          strcmp(json_string_value(json_object_get(a, "said")), "Gr\xc3\xbc\xc3\x9f\n\x01") == 0 &&
	          json_integer_value(json_object_get(a, "uid")) == (json_int_t)geteuid(),
	    "a question is answered, and the handler knows who asked");
	json_decref(a);
	CHECK(control_ask(path, json_pack("{s:s}", "op", "refuse"), &a, &e) == -ERR_USAGE && strcmp(e.text, "no such job: %E2%80%AE\xc3\xbc") == 0,
	    "a refusal comes back with its code and text");
	CHECK(control_ask(path, json_pack("{s:s}", "op", "unknown"), &a, &e) == -ERR_USAGE, "an unknown op is one");
	CHECK(control_ask(path, json_pack("{s:s, s:i}", "op", "much", "n", 3000000), &a, &e) == 0 &&
	          json_string_length(json_object_get(a, "much")) == 3000000,
	    "a long answer arrives whole");
	json_decref(a);
	CHECK(control_ask(path, json_pack("{s:s, s:i}", "op", "much", "n", (int)CONTROL_ANSWER - 5), &a, &e) == -ERR_MEM,
	    "one that is too long is refused");
	odd = calloc(1, CONTROL_LINE + 1);
	memset(odd, 'x', CONTROL_LINE);
	CHECK(control_ask(path, json_pack("{s:s, s:s}", "op", "echo", "say", odd), &a, &e) == -ERR_USAGE,
	    "a request that is too long is not even sent");
	free(odd);
}

/* Who begins a request and does not end it is hung up on in time, also when a byte drips now and then. */
static void
test_dripping(void)
{
	int fd = dial(), i;
	char c;

	for (i = 0; i < 120 && send(fd, "{", 1, MSG_NOSIGNAL) == 1; i++) {
		if (recv(fd, &c, 1, MSG_DONTWAIT) == 0)
			break;
		usleep(500000);
	}
	CHECK(i < 120, "a request that does not end has its time (%d ms)", i * 500);
	close(fd);
}

static void
test_raw(void)
{
	char got[4096], *flood;
	int fd = dial(), many[100], answered = 0;
	static const char two[] = "{\"op\":\"echo\",\"say\":1}\n{\"op\":\"echo\",\"say\":2}\n";

	CHECK(send(fd, two, strlen(two), 0) == (ssize_t)strlen(two) && hear(fd, 2, got, sizeof(got)) > 0 &&
	          strstr(got, "\"said\":1") != NULL && strstr(got, "\"said\":2") != NULL,
	    "two lines at once get two answers");
	send(fd, "[[[[\n", 5, 0);
	CHECK(hear(fd, 1, got, sizeof(got)) > 0 && strstr(got, "\"error\":\"usage\"") != NULL, "what is not JSON gets an error");
	send(fd, "{\"op\":\"echo\",\"op\":\"refuse\"}\n", 28, 0);
	CHECK(hear(fd, 1, got, sizeof(got)) > 0 && strstr(got, "expected") != NULL, "so does an object that says two things");
	flood = calloc(1, CONTROL_LINE + 1);
	memset(flood, ' ', CONTROL_LINE);
	send(fd, flood, CONTROL_LINE, MSG_NOSIGNAL);
	CHECK(hear(fd, 1, got, sizeof(got)) == 0, "a line without end is hung up on");
	free(flood);
	close(fd);
	for (int i = 0; i < 100; i++)
		many[i] = dial();
	for (int i = 0; i < 100; i++)
		send(many[i], two, strlen(two) / 2, 0);
	for (int i = 0; i < 100; i++) {
		answered += hear(many[i], 1, got, sizeof(got)) > 0 && strcmp(got, "{\"said\":1,\"uid\":") > 0;
		close(many[i]);
	}
	CHECK(answered == 100, "a hundred clients at once are all answered (%d)", answered);
}

/* A line in two parts, with descriptors; -1: none. */
static void
send_fds(int to, const char *line, const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control = { 0 };
	struct iovec v = { (char *)(uintptr_t)line, strlen(line) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };

	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(&control.align), fds, n * sizeof(int));
	if (sendmsg(to, &m, 0) < 0)
		abort();
}

static void
test_descriptors(void)
{
	char got[4096];
	json_t *a = NULL;
	struct err e = { 0 };
	int file = io_memfd("t", "content", 7, &e), three[3] = { file, file, file }, fd, open = 0;

	CHECK(control_ask_fd(path, json_pack("{s:s}", "op", "read"), file, 5000, &a, &e) == 0 &&
	          strcmp(json_string_value(json_object_get(a, "text")), "content") == 0 &&
	          json_is_true(json_object_get(a, "cloexec")),
	    "a descriptor arrives, and goes on to no program");
	open = (int)json_integer_value(json_object_get(a, "open"));
	json_decref(a);
	CHECK(control_ask_fd(path, json_pack("{s:s}", "op", "read"), -1, 5000, &a, &e) == -ERR_USAGE, "what needs one says so: %s",
	    e.text);
	CHECK(control_ask_fd(path, json_pack("{s:s, s:i}", "op", "echo", "say", 1), file, 5000, &a, &e) == -ERR_USAGE,
	    "what takes none says so: %s", e.text);
	fd = dial();
	send_fds(fd, "{\"op\":\"read\"}\n", three, 2);
	CHECK(hear(fd, 1, got, sizeof(got)) == 0, "two are hung up on");
	close(fd);
	fd = dial();
	send_fds(fd, "{\"op\":", three, 1);
	send_fds(fd, "\"read\"}\n", three, 3);
	CHECK(hear(fd, 1, got, sizeof(got)) == 0, "also when they come one after the other");
	close(fd);
	fd = dial();
	send_fds(fd, "{\"op\":", three, 1);
	close(fd);
	CHECK(control_ask_fd(path, json_pack("{s:s}", "op", "read"), file, 5000, &a, &e) == 0 &&
	          json_integer_value(json_object_get(a, "open")) == open,
	    "none of them stays open (%d)", open);
	json_decref(a);
	close(file);
}

static void
test_later(void)
{
	json_t *a = NULL;
	struct err e = { 0 };
	char got[4096];
	static const char two[] = "{\"op\":\"wait\",\"ms\":50}\n{\"op\":\"echo\",\"say\":2}\n";
	int fd = dial();

	CHECK(control_ask(path, json_pack("{s:s, s:i}", "op", "wait", "ms", 20), &a, &e) == 0 && json_object_get(a, "late") != NULL,
	    "an answer may come later");
	json_decref(a);
	send(fd, two, strlen(two), 0);
	CHECK(hear(fd, 2, got, sizeof(got)) > 0 && strstr(got, "\"said\":2") > strstr(got, "\"late\""),
	    "the next request waits for its turn");
	close(fd);
	fd = dial();
	send(fd, two, strlen(two) / 2, 0);
	close(fd);
	usleep(100000); /* its answer meets nobody now */
	CHECK(control_ask(path, json_pack("{s:s, s:i}", "op", "echo", "say", 1), &a, &e) == 0, "who does not wait for it harms nobody");
	json_decref(a);
}

static bool
nobody(void *ctx, uid_t uid, const gid_t *groups, size_t n)
{
	(void)ctx;
	(void)uid;
	(void)groups;
	return n == 0; /* there is always one */
}

static void
on_end(void *ctx)
{
	loop_stop(ctx);
}

/* Another user of the socket's group may look, and change what 'operates' lets it; needs root to become one. */
static void
test_rights(void)
{
	const struct control_opts strict = { .ops = ops, .operates = nobody };
	struct control *c;
	struct loop *l;
	struct err e;
	json_t *a = NULL;
	pid_t pid;
	int status = 0;

	if (geteuid() != 0) {
		printf("ok %d - who may only look can not change anything # SKIP needs root to become another user\n", ++test_count);
		return;
	}
	chmod(root, 0755);
	unlink(path);
	/* the socket gets the group of who makes it */
	if (loop_new(&l, &e) < 0 || setegid(65534) < 0 || control_open(&c, l, path, &strict, &e) < 0 || setegid(0) < 0 ||
	    (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(9);
		status = control_ask(path, json_pack("{s:s, s:i}", "op", "echo", "say", 1), &a, &e) != 0;
		_exit(status | (control_ask(path, json_pack("{s:s, s:i}", "op", "change", "say", 1), &a, &e) != -ERR_DENIED) << 1);
	}
	loop_timer(l, 3000, on_end, l);
	loop_run(l, &e);
	waitpid(pid, &status, 0);
	control_close(c);
	loop_free(l);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "who may only look can not change anything");
}

static void
test_place(pid_t *pid)
{
	struct control *c;
	struct loop *l;
	struct err e;
	json_t *a;
	int fd;

	if (loop_new(&l, &e) < 0)
		abort();
	CHECK(control_open(&c, l, path, &opts, &e) == -ERR_LOCKED, "a socket that answers is another daemon's: %s", e.text);
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	CHECK(control_ask(path, json_object(), &a, &e) == -ERR_PEER && errno == ECONNREFUSED, "nobody listens any more");
	*pid = serve();
	CHECK(control_ask(path, json_pack("{s:s, s:i}", "op", "echo", "say", 1), &a, &e) == 0, "a dead socket is replaced");
	json_decref(a);
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	unlink(path);
	CHECK(control_ask(path, json_object(), &a, &e) == -ERR_PEER && errno == ENOENT, "no socket is no daemon");
	close(fd = open(path, O_CREAT | O_WRONLY, 0600));
	CHECK(control_open(&c, l, path, &opts, &e) == -ERR_CONF, "something else of that name is not removed: %s", e.text);
	loop_free(l);
}

int
main(void)
{
	struct err e;
	pid_t pid;

	if (mkdtemp(root) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/%0110d/control.sock", root, 0);
	pid = serve();
	test_ask();
	test_raw();
	test_descriptors();
	test_later();
	test_dripping();
	test_place(&pid);
	test_rights();
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
