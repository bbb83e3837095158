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
on_echo(void *ctx, const json_t *request, uid_t uid, struct err *e)
{
	(void)ctx;
	(void)e;
	return json_pack("{s:O, s:i}", "said", json_object_get(request, "say"), "uid", (int)uid);
}

static json_t *
on_refuse(void *ctx, const json_t *request, uid_t uid, struct err *e)
{
	(void)ctx;
	(void)request;
	(void)uid;
	err_set(e, ERR_USAGE, "no such job: \xe2\x80\xae\xc3\xbc");
	return NULL;
}

static json_t *
on_much(void *ctx, const json_t *request, uid_t uid, struct err *e)
{
	char *s = calloc(1, CONTROL_ANSWER);
	json_t *j;
	size_t n = (size_t)json_integer_value(json_object_get(request, "n"));

	(void)ctx;
	(void)uid;
	(void)e;
	memset(s, 'm', n);
	j = json_pack("{s:s}", "much", s);
	free(s);
	return j;
}

static const struct control_op ops[] = { { "echo", on_echo }, { "refuse", on_refuse }, { "much", on_much }, { NULL, NULL } };

static pid_t
serve(void)
{
	struct loop *l;
	struct control *c;
	struct err e;
	int ready[2];
	pid_t pid;
	char ok;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		if (loop_new(&l, &e) < 0 || control_open(&c, l, path, ops, NULL, &e) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		loop_run(l, &e);
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

static void
test_raw(void)
{
	char got[4096], *flood;
	int fd = dial(), many[CONTROL_CLIENTS + 1];
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
	for (int i = 0; i <= CONTROL_CLIENTS; i++)
		many[i] = dial();
	CHECK(hear(many[CONTROL_CLIENTS], 1, got, sizeof(got)) == 0, "one client too many is hung up on");
	send(many[0], two, strlen(two), 0);
	CHECK(hear(many[0], 1, got, sizeof(got)) > 0, "the others are served");
	for (int i = 0; i <= CONTROL_CLIENTS; i++)
		close(many[i]);
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
	CHECK(control_open(&c, l, path, ops, NULL, &e) == -ERR_LOCKED, "a socket that answers is another daemon's: %s", e.text);
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
	CHECK(control_open(&c, l, path, ops, NULL, &e) == -ERR_CONF, "something else of that name is not removed: %s", e.text);
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
	test_place(&pid);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
