#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/look.h"

#define LOOKERS_MAX 64
#define ASKED_MAX 2 /* at once of one process: the next is there when it answers */

/* --- one file --------------------------------------------------------------------------- */

int
look_open(int dir, const char *path, struct look_seen *ret)
{
	struct stat st;
	AUTO_FD fd = path_open(dir, path, O_RDONLY | O_NONBLOCK);

	memset(ret, 0, sizeof(*ret));
	if (fd < 0 || fstat(fd, &st) < 0) {
		ret->how = errno == ENOENT || errno == ENOTDIR ? LOOK_MISSING : errno == ELOOP ? LOOK_SYMLINK : LOOK_UNREAD;
		snprintf(ret->why, sizeof(ret->why), "%s", strerror(errno));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		ret->how = LOOK_NO_FILE;
		return -1;
	}
	ret->size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

void
look_file(int dir, const char *path, struct look_seen *ret)
{
	struct err e = { 0 };
	AUTO_FD fd = look_open(dir, path, ret);

	if (fd < 0 || hash_fd(fd, 0, UINT64_MAX, ret->hash, &e) == 0)
		return;
	ret->how = LOOK_UNREAD;
	memcpy(ret->why, e.text, sizeof(ret->why));
}

/* --- many ------------------------------------------------------------------------------- */

struct looker {
	pid_t pid;
	int sock; /* -1: gone */
	unsigned asked;
	struct {
		void *ctx;
		char path[LOOK_PATH_MAX];
	} q[ASKED_MAX]; /* in the order they were asked, which is that of the answers */
};

struct lookers {
	int dir;
	unsigned n;
	struct looker one[LOOKERS_MAX];
};

/* A process of its own: answers until the other end is closed. */
static void
serve(int dir, int sock)
{
	char path[LOOK_PATH_MAX];
	struct look_seen seen;
	ssize_t n;

	while ((n = recv(sock, path, sizeof(path) - 1, 0)) > 0) {
		path[n] = '\0';
		look_file(dir, path, &seen);
		if (send(sock, &seen, sizeof(seen), MSG_NOSIGNAL) != (ssize_t)sizeof(seen))
			break;
	}
}

static void
begin(struct lookers *l)
{
	struct looker *w = &l->one[l->n];
	pid_t parent = getpid();
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return;
	if ((w->pid = fork()) == 0) {
		/* the other ends of those before it would keep them alive */
		for (unsigned i = 0; i < l->n; i++)
			close(l->one[i].sock);
		close(sv[0]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
			serve(l->dir, sv[1]);
		_exit(0);
	}
	close(sv[1]);
	if (w->pid < 0) {
		close(sv[0]);
		return;
	}
	w->sock = sv[0];
	l->n++;
}

int
lookers_open(struct lookers **ret, int dir, unsigned n, struct err *e)
{
	struct lookers *l = calloc(1, sizeof(*l));
	cpu_set_t cores;

	if (l == NULL)
		return err_set(e, ERR_MEM, "reading files");
	l->dir = dir;
	if (n == 0)
		n = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (unsigned)CPU_COUNT(&cores) : 1;
	/* one alone would only cost the way to it and back */
	for (unsigned i = 0; n > 1 && i < n && i < LOOKERS_MAX; i++)
		begin(l);
	*ret = l;
	return 0;
}

static void
end(struct looker *w)
{
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	close(w->sock);
	w->sock = -1;
	w->asked = 0;
}

void
lookers_free(struct lookers *l)
{
	for (unsigned i = 0; l != NULL && i < l->n; i++)
		if (l->one[i].sock >= 0)
			end(&l->one[i]);
	free(l);
}

/* The one that has least to do; -1: all have enough, or none is left (*ret_any). */
static int
idlest(const struct lookers *l, bool *ret_any)
{
	int best = -1;

	*ret_any = false;
	for (int i = 0; i < (int)l->n; i++) {
		const struct looker *w = &l->one[i];

		*ret_any |= w->sock >= 0;
		if (w->sock >= 0 && w->asked < ASKED_MAX && (best < 0 || w->asked < l->one[best].asked))
			best = i;
	}
	return best;
}

bool
lookers_room(const struct lookers *l)
{
	bool any;

	return idlest(l, &any) >= 0 || !any;
}

/* It has died: what it was asked is looked at here. */
static void
take_over(struct lookers *l, struct looker *w, lookers_answer *answer)
{
	struct look_seen seen;
	unsigned n = w->asked;

	end(w);
	for (unsigned i = 0; i < n; i++) {
		look_file(l->dir, w->q[i].path, &seen);
		answer(w->q[i].ctx, &seen);
	}
}

void
lookers_ask(struct lookers *l, const char *path, void *ctx, lookers_answer *answer)
{
	struct look_seen seen;
	bool any;
	int best = idlest(l, &any);
	struct looker *w = &l->one[best < 0 ? 0 : best];

	if (best < 0) {
		look_file(l->dir, path, &seen);
		answer(ctx, &seen);
		return;
	}
	w->q[w->asked].ctx = ctx;
	snprintf(w->q[w->asked].path, LOOK_PATH_MAX, "%s", path);
	w->asked++;
	if (send(w->sock, path, strlen(path), MSG_NOSIGNAL) < 0)
		take_over(l, w, answer);
}

static void
take_answer(struct lookers *l, struct looker *w, lookers_answer *answer)
{
	struct look_seen seen;
	void *ctx = w->q[0].ctx;

	if (recv(w->sock, &seen, sizeof(seen), 0) != (ssize_t)sizeof(seen)) {
		take_over(l, w, answer);
		return;
	}
	w->asked--;
	memmove(&w->q[0], &w->q[1], w->asked * sizeof(w->q[0]));
	answer(ctx, &seen);
}

void
lookers_wait(struct lookers *l, lookers_answer *answer)
{
	struct pollfd p[LOOKERS_MAX];
	struct looker *of[LOOKERS_MAX];
	nfds_t n = 0;

	for (unsigned i = 0; i < l->n; i++)
		if (l->one[i].sock >= 0 && l->one[i].asked > 0) {
			of[n] = &l->one[i];
			p[n++] = (struct pollfd){ .fd = l->one[i].sock, .events = POLLIN };
		}
	if (n == 0)
		return;
	while (poll(p, n, -1) < 0 && errno == EINTR)
		;
	for (nfds_t i = 0; i < n; i++)
		if (p[i].revents != 0)
			take_answer(l, of[i], answer);
}
