#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/wire.h"

#include "agent/peers.h"

#define HELLO_MS 5000
#define SAY_MS 10000 /* one line about refused callers in this time */

struct caller {
	struct peers *peers;
	struct caller *next;
	int fd;
	uint64_t timer;
	struct ucred cred;
};

struct peers {
	struct loop *loop;
	peers_cb *cb;
	void *ctx;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int fd;
	uid_t seal, log, fetch;
	uint32_t ncallers;
	struct caller *callers;
	struct log_limit refused;
};

int
peers_user(const char *text, uid_t *ret, struct err *e)
{
	const struct passwd *p;
	char *end;
	unsigned long n;

	if (*text >= '0' && *text <= '9') {
		errno = 0;
		n = strtoul(text, &end, 10);
		if (errno == 0 && *end == '\0' && n < UINT32_MAX) {
			*ret = (uid_t)n;
			return 0;
		}
	} else if ((p = getpwnam(text)) != NULL) {
		*ret = p->pw_uid;
		return 0;
	}
	return err_set(e, ERR_CONF, "peers: there is no user \"%s\"; run systemd-sysusers, or name another", text);
}

/* --- a caller, until it has said who it is ------------------------------------------------- */

/* Leaves k->fd open when it was given away. */
static void
caller_end(struct caller *k)
{
	struct caller **p = &k->peers->callers;

	while (*p != k)
		p = &(*p)->next;
	*p = k->next;
	k->peers->ncallers--;
	loop_timer_del(k->peers->loop, k->timer);
	io_close(&k->fd);
	free(k);
}

static void
on_silent(void *ctx)
{
	struct caller *k = ctx;

	k->timer = 0;
	log_limited(&k->peers->refused, SAY_MS, LOG_WARNING, "peers: process %d of user %u says nothing", k->cred.pid,
	    k->cred.uid);
	loop_fd_del(k->peers->loop, k->fd);
	caller_end(k);
}

/* What this user may be; the log's key is the one without a token's name. */
static bool
may_be(const struct peers *p, uid_t uid, uint32_t role, const char *name)
{
	return role == ROLE_SEAL ? uid == (*name == '\0' ? p->log : p->seal) : role == ROLE_FETCH && uid == p->fetch;
}

static int
read_hello(struct caller *k, struct wire_msg *m, char build[64], char name[MSG_NAME_MAX], struct peer_hello *ret,
    struct err *e)
{
	struct peers *p = k->peers;
	/* whichever of the two it is, HELLO is what it may say */
	int r = wire_recv(k->fd, ROLE_SEAL, ROLE_CORE, MSG_DONTWAIT, m, e);
	uint32_t role;

	if (r <= 0)
		return r < 0 ? r : err_set(e, ERR_PEER, "hung up");
	role = buf_get_u32(&m->payload);
	buf_get_str(&m->payload, build, 64);
	buf_get_str(&m->payload, name, MSG_NAME_MAX);
	if (m->type != MSG_HELLO || !buf_finished(&m->payload))
		return err_set(e, ERR_PEER, "began with another message than HELLO");
	if (!may_be(p, k->cred.uid, role, name))
		return err_set(e, ERR_PEER, "says that it is what its user may not be");
	*ret = (struct peer_hello){ .role = (enum role)role, .build = build, .name = name, .pid = k->cred.pid };
	return 0;
}

static void
on_caller(void *ctx, uint32_t events)
{
	struct caller *k = ctx;
	struct peers *p = k->peers;
	struct peer_hello hello;
	char build[64], name[MSG_NAME_MAX];
	struct err e = { 0 };
	AUTO_MSG m = { 0 };
	int r, fd;

	(void)events;
	r = read_hello(k, &m, build, name, &hello, &e);
	if (r < 0 && e.code == ERR_IO && errno == EAGAIN)
		return;
	loop_fd_del(p->loop, k->fd);
	if (r < 0) {
		log_limited(&p->refused, SAY_MS, LOG_WARNING, "peers: process %d of user %u: %s", k->cred.pid, k->cred.uid,
		    e.text);
		caller_end(k);
		return;
	}
	fd = take_fd(&k->fd);
	caller_end(k);
	p->cb(p->ctx, fd, &hello);
}

static void
on_accept(void *ctx, uint32_t events)
{
	struct peers *p = ctx;
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(cred);
	struct caller *k;
	struct err e = { 0 };
	AUTO_FD fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || (cred.uid != p->seal && cred.uid != p->log && cred.uid != p->fetch)) {
		log_limited(&p->refused, SAY_MS, LOG_WARNING, "peers: user %u (process %d) is none of ours", cred.uid, cred.pid);
		return;
	}
	if (p->ncallers >= PEERS_CALLERS || wire_room(fd, &e) < 0 || (k = calloc(1, sizeof(*k))) == NULL) {
		log_limited(&p->refused, SAY_MS, LOG_WARNING, "peers: too many callers at once, or no memory");
		return;
	}
	*k = (struct caller){ .peers = p, .next = p->callers, .fd = take_fd(&fd), .cred = cred };
	p->callers = k;
	p->ncallers++;
	k->timer = loop_timer(p->loop, HELLO_MS, on_silent, k);
	if (loop_fd(p->loop, k->fd, EPOLLIN, on_caller, k) < 0)
		caller_end(k);
}

/* --- the socket ---------------------------------------------------------------------------- */

static bool
somebody_listens(const struct sockaddr_un *a)
{
	AUTO_FD fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0;
}

/* The state's lock is ours: a socket that lies there is a dead daemon's, or that of one with another state. */
static int
listen_at(struct peers *p, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char dir[sizeof(p->path)];
	struct stat st;
	mode_t old;
	int r;

	strcpy(a.sun_path, p->path);
	strcpy(dir, p->path);
	dir[strrchr(dir, '/') == dir ? 1 : strrchr(dir, '/') - dir] = '\0';
	if ((r = io_mkdir_p(AT_FDCWD, dir, 0755, e)) < 0)
		return r;
	if (lstat(p->path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return err_set(e, ERR_CONF, "peers.socket %s: something else has this name; remove it", p->path);
		if (somebody_listens(&a))
			return err_set(e, ERR_LOCKED, "peers.socket %s: another sealroomd listens there", p->path);
		if (unlink(p->path) < 0)
			return err_sys(e, ERR_CONF, "peers.socket %s: removing the old one", p->path);
	}
	if ((p->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0)
		return err_sys(e, ERR_IO, "peers.socket");
	/* anybody may knock: the users that are let in share no group, and the kernel names each caller */
	old = umask(0111);
	r = bind(p->fd, (struct sockaddr *)&a, sizeof(a));
	umask(old);
	if (r < 0 || listen(p->fd, PEERS_CALLERS) < 0)
		return err_sys(e, ERR_CONF, "peers.socket %s", p->path);
	return 0;
}

int
peers_open(struct peers **ret, struct loop *loop, const struct conf *conf, peers_cb *cb, void *ctx, struct err *e)
{
	struct peers *p;
	int r;

	if (strlen(conf->peers.socket) >= sizeof(p->path))
		return err_set(e, ERR_CONF, "peers.socket %s: longer than %zu bytes", conf->peers.socket, sizeof(p->path) - 1);
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return err_sys(e, ERR_MEM, "peers");
	*p = (struct peers){ .loop = loop, .cb = cb, .ctx = ctx, .fd = -1 };
	strcpy(p->path, conf->peers.socket);
	if ((r = peers_user(conf->peers.seal_user, &p->seal, e)) < 0 ||
	    (r = peers_user(conf->peers.log_user, &p->log, e)) < 0 ||
	    (r = peers_user(conf->peers.fetch_user, &p->fetch, e)) < 0 || (r = listen_at(p, e)) < 0) {
		io_close(&p->fd);
		free(p);
		return r;
	}
	if (loop_fd(loop, p->fd, EPOLLIN, on_accept, p) < 0) {
		r = err_sys(e, ERR_IO, "peers.socket");
		peers_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

void
peers_close(struct peers *p)
{
	if (p == NULL)
		return;
	while (p->callers != NULL) {
		loop_fd_del(p->loop, p->callers->fd);
		caller_end(p->callers);
	}
	loop_fd_del(p->loop, p->fd);
	unlink(p->path);
	io_close(&p->fd);
	free(p);
}
