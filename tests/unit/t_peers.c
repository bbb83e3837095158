/*
 * t_peers.c - where units come to: who is let in, who is hung up on, and what the socket's path may be.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/wire.h"
#include "agent/peers.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static char root[64], path[120], user[16];
static struct loop *loop;
static struct conf conf;
static struct peers *peers;
static int log_fd;

static struct {
	unsigned n;
	enum role role;
	char build[64], name[MSG_NAME_MAX];
	pid_t pid;
	int sock;
} came;

static void
on_peer(void *ctx, int sock, const struct peer_hello *h)
{
	(void)ctx;
	came.n++;
	came.role = h->role;
	came.pid = h->pid;
	snprintf(came.build, sizeof(came.build), "%s", h->build);
	snprintf(came.name, sizeof(came.name), "%s", h->name);
	io_close(&came.sock);
	came.sock = sock;
}

/* --- what is said to the admin goes to standard error ------------------------------------ */

static bool
said(const char *text)
{
	static char all[64 * 1024];
	ssize_t n = pread(log_fd, all, sizeof(all) - 1, 0);

	all[n < 0 ? 0 : n] = '\0';
	return strstr(all, text) != NULL;
}

static void
begin(void)
{
	struct err e;

	if (ftruncate(log_fd, 0) < 0 || lseek(log_fd, 0, SEEK_SET) < 0)
		exit(99);
	came.n = 0;
	if (peers_open(&peers, loop, &conf, on_peer, NULL, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
}

static void
end(void)
{
	peers_close(peers);
	peers = NULL;
	io_close(&came.sock);
}

/* --- callers ----------------------------------------------------------------------------- */

static int
dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		exit(99);
	return fd;
}

static void
say_hello(int fd, uint32_t role, const char *name, bool more)
{
	AUTO_BUF b;
	struct err e;

	buf_init(&b, 256);
	buf_put_u32(&b, role);
	buf_put_str(&b, "build 1");
	buf_put_str(&b, name);
	if (more)
		buf_put_u8(&b, 0);
	if (wire_send(fd, MSG_HELLO, 1, &b, NULL, 0, &e) < 0)
		exit(99);
}

static void
on_end(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void
run(uint64_t ms)
{
	struct err e;
	uint64_t t = loop_timer(loop, ms, on_end, NULL);

	loop_run(loop, &e);
	loop_timer_del(loop, t);
}

static bool
hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP) != 0;
}

static void
test_let_in(void)
{
	struct stat st;
	int fd;

	begin();
	CHECK(stat(path, &st) == 0 && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0666, "any user may knock");
	fd = dial();
	run(50);
	say_hello(fd, ROLE_SEAL, "card-a", false);
	run(50);
	CHECK(came.n == 1 && came.role == ROLE_SEAL && strcmp(came.name, "card-a") == 0 && strcmp(came.build, "build 1") == 0 &&
	        came.pid == getpid() && !hung_up(fd) && fcntl(came.sock, F_GETFD) == FD_CLOEXEC,
	    "who has the user of keys and says so is let in, with its name, build and process");
	close(fd);
	fd = dial();
	say_hello(fd, ROLE_FETCH, "", false);
	run(50);
	CHECK(came.n == 2 && came.role == ROLE_FETCH && !hung_up(fd), "so is who has that of the network");
	close(fd);
	end();
	CHECK(access(path, F_OK) < 0 && errno == ENOENT, "the socket goes with the daemon");
}

static void
odd_message(int fd)
{
	struct err e;

	if (wire_send(fd, MSG_STATUS, 1, NULL, NULL, 0, &e) < 0)
		exit(99);
}

static void
says_scan(int fd)
{
	say_hello(fd, ROLE_SCAN, "", false);
}

static void
says_more(int fd)
{
	say_hello(fd, ROLE_SEAL, "card-a", true);
}

static void
no_message(int fd)
{
	if (send(fd, "GET /", 5, 0) != 5)
		exit(99);
}

static void
goes_away(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

static void
test_refused(void)
{
	static const struct {
		const char *name, *said;
		void (*act)(int fd);
	} cases[] = { { "a reader of documents", "says that it is what its user may not be", says_scan },
		{ "who begins with another message", "began with another message than HELLO", odd_message },
		{ "whose HELLO is longer than it may be", "began with another message than HELLO", says_more },
		{ "who sends what is no message", "peers: process", no_message }, { "who goes at once", "hung up", goes_away } };
	int fd;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		fd = dial();
		cases[i].act(fd);
		run(50);
		CHECK(came.n == 0 && hung_up(fd) && said(cases[i].said), "%s is hung up on, and that is said", cases[i].name);
		close(fd);
		end();
	}
	begin();
	fd = dial();
	run(4000);
	CHECK(!hung_up(fd), "who says nothing for four seconds has its time");
	run(1500);
	CHECK(came.n == 0 && hung_up(fd) && said("says nothing"), "for five: no longer");
	close(fd);
	end();
}

static void
test_strangers(void)
{
	int fd;

	conf.peers.seal_user = conf.peers.log_user = conf.peers.fetch_user = geteuid() == 12 ? "13" : "12";
	begin();
	fd = dial();
	run(50);
	CHECK(came.n == 0 && hung_up(fd) && said("is none of ours"), "another user is hung up on before it says a word");
	close(fd);
	end();
	conf.peers.seal_user = conf.peers.log_user = conf.peers.fetch_user = user;
}

static void
test_many(void)
{
	int fd[PEERS_CALLERS + 1], open = 0;

	begin();
	for (int i = 0; i <= PEERS_CALLERS; i++) {
		fd[i] = dial();
		run(1);
	}
	run(50);
	for (int i = 0; i <= PEERS_CALLERS; i++)
		open += !hung_up(fd[i]);
	CHECK(open == PEERS_CALLERS && hung_up(fd[PEERS_CALLERS]) && said("too many callers at once"), "no more than %d are listened to at once (%d)",
	    PEERS_CALLERS, open);
	close(fd[0]);
	run(50);
	close(fd[PEERS_CALLERS]);
	fd[PEERS_CALLERS] = dial();
	say_hello(fd[PEERS_CALLERS], ROLE_SEAL, "card-b", false);
	run(50);
	CHECK(came.n == 1 && strcmp(came.name, "card-b") == 0, "when one goes another is heard");
	end();
	open = 0;
	for (int i = 1; i < PEERS_CALLERS; i++)
		open += !hung_up(fd[i]);
	CHECK(open == 0, "the end of the daemon ends who still waits");
	for (int i = 1; i <= PEERS_CALLERS; i++)
		close(fd[i]);
}

/* --- users, and the socket ---------------------------------------------------------------- */

static void
test_users(void)
{
	struct err e;
	uid_t u = 77;

	CHECK(peers_user("0", &u, &e) == 0 && u == 0 && peers_user("4711", &u, &e) == 0 && u == 4711, "a user by number");
	CHECK(peers_user("root", &u, &e) == 0 && u == 0, "by name");
	u = 77;
	CHECK(peers_user("no-such-user-here", &u, &e) == -ERR_CONF && strstr(e.text, "no user \"no-such-user-here\"; run systemd-sysusers") != NULL &&
	        peers_user("12x", &u, &e) == -ERR_CONF && peers_user("4294967295", &u, &e) == -ERR_CONF &&
	        peers_user("99999999999999999999999", &u, &e) == -ERR_CONF && u == 77,
	    "one that there is not is an error that says what to do");
}

static void
check_no_socket(enum err_code code, const char *text, const char *what)
{
	struct err e = { 0 };

	CHECK(peers_open(&peers, loop, &conf, on_peer, NULL, &e) == -(int)code && strstr(e.text, text) != NULL, "%s: %s", what, e.text);
}

static void
test_place(void)
{
	char deep[200], longer[256];
	struct err e;
	struct stat st;
	int fd;

	begin();
	check_no_socket(ERR_LOCKED, "another sealroomd listens there", "a socket that another daemon has");
	end();
	if ((fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) < 0)
		exit(99);
	{
		struct sockaddr_un a = { .sun_family = AF_UNIX };

		strcpy(a.sun_path, path);
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			exit(99);
		close(fd);
	}
	CHECK(peers_open(&peers, loop, &conf, on_peer, NULL, &e) == 0, "one that a dead daemon left is replaced");
	end();
	if ((fd = open(path, O_CREAT | O_WRONLY, 0600)) < 0)
		exit(99);
	close(fd);
	check_no_socket(ERR_CONF, "something else has this name; remove it", "a file of that name");
	CHECK(lstat(path, &st) == 0 && S_ISREG(st.st_mode), "which is left where it is");
	unlink(path);
	snprintf(longer, sizeof(longer), "%s/%0120d", root, 0);
	conf.peers.socket = longer;
	check_no_socket(ERR_CONF, "longer than", "a path that is too long");
	snprintf(deep, sizeof(deep), "%s/run/sealroom/peers", root);
	conf.peers.socket = deep;
	CHECK(peers_open(&peers, loop, &conf, on_peer, NULL, &e) == 0 && lstat(deep, &st) == 0, "directories above it are made");
	peers_close(peers);
	snprintf(deep, sizeof(deep), "%s/file", root);
	if ((fd = open(deep, O_CREAT | O_WRONLY, 0600)) < 0)
		exit(99);
	close(fd);
	strcat(deep, "/peers");
	check_no_socket(ERR_IO, "", "a file where a directory should be");
	conf.peers.socket = path;
	conf.peers.seal_user = "no-such-user-here";
	check_no_socket(ERR_CONF, "no user", "a user of keys that there is not");
	conf.peers.seal_user = user;
	conf.peers.fetch_user = "no-such-user-here";
	check_no_socket(ERR_CONF, "no user", "a user of the network that there is not");
	CHECK(access(path, F_OK) < 0, "and nothing listens");
	conf.peers.fetch_user = user;
}

int
main(void)
{
	struct err e;
	char log_path[100];
	int top = tmpdir_make(root);

	setvbuf(stdout, NULL, _IOLBF, 0);
	snprintf(path, sizeof(path), "%s/peers", root);
	snprintf(user, sizeof(user), "%u", geteuid());
	snprintf(log_path, sizeof(log_path), "%s/log", root);
	came.sock = -1;
	if (loop_new(&loop, &e) < 0 || (log_fd = open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0 || dup2(log_fd, 2) < 0)
		return 99;
	conf.peers.socket = path;
	conf.peers.seal_user = conf.peers.log_user = conf.peers.fetch_user = user;
	test_let_in();
	test_refused();
	test_strangers();
	test_many();
	test_users();
	test_place();
	loop_free(loop);
	tmpdir_remove(top, root);
	return TEST_DONE();
}
