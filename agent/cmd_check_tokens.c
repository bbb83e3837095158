/*
 * Tokens as those will see them who hold them: where keys are units of their own,
 * their user is another than the core's, and root can look as that user.  The look is a
 * process of its own, which only says what it saw.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/cmd_checkint.h"
#include "agent/lib/io.h"
#include "agent/peers.h"

int
check_tokens_new(struct check *c)
{
	if (c->conf->ntokens > 0 && (c->tokens = calloc(c->conf->ntokens, sizeof(*c->tokens))) == NULL)
		return err_set(&c->err, ERR_MEM, "tokens");
	return 0;
}

void
check_tokens_take(struct check *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		for (size_t j = 0; s.role == ROLE_SEAL && j < c->conf->ntokens; j++) {
			struct check_token *t = &c->tokens[j];

			if (strcmp(c->conf->tokens[j].name, s.name) != 0)
				continue;
			t->why = s.why;
			if ((t->ready = s.ready && s.seal != NULL))
				t->seal = *s.seal;
		}
	}
}

int
check_become(uid_t uid, gid_t gid)
{
	const struct passwd *p = getpwuid(uid);

	return (p != NULL ? initgroups(p->pw_name, p->pw_gid) : setgroups(0, NULL)) < 0 ||
	    setgid(p != NULL ? p->pw_gid : gid) < 0 || setuid(uid) < 0 ? -1 : 0;
}

/* The process that looks: what it saw goes to fd. */
__attribute__((noreturn)) static void
look_as(struct check *c, uid_t uid, int fd)
{
	const struct children_opts opts = { .conf = c->conf, .tokens = true, .no_login = true, .state_dir = -1 };

	if (check_become(uid, (gid_t)uid) < 0 || check_open(c, &opts) < 0)
		_exit(EXIT_FAILURE);
	check_tokens_take(c);
	check_close(c);
	_exit(io_write_full(fd, c->tokens, c->conf->ntokens * sizeof(*c->tokens), &c->err) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void
hear(struct check *c, int fd, pid_t pid)
{
	size_t want = c->conf->ntokens * sizeof(*c->tokens), have = 0;
	ssize_t n = 1;
	int status;

	while (have < want && n > 0)
		if ((n = read(fd, (char *)c->tokens + have, want - have)) > 0)
			have += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (have == want && status == 0)
		return;
	err_set(&c->err, ERR_CHILD, "it can not be looked at as user %s", c->conf->peers.seal_user);
	for (size_t i = 0; i < c->conf->ntokens; i++)
		c->tokens[i] = (struct check_token){ .why = c->err };
}

int
check_tokens_apart(struct check *c)
{
	AUTO_FD from = -1, to = -1;
	int fds[2], r;
	uid_t uid;
	pid_t pid;

	if (peers_user(c->conf->peers.seal_user, &uid, &c->err) < 0)
		return 0; /* is told with the units */
	if ((r = check_tokens_new(c)) < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(&c->err, ERR_IO, "pipe");
	from = fds[0];
	to = fds[1];
	if ((pid = fork()) < 0)
		return err_sys(&c->err, ERR_MEM, "fork");
	if (pid == 0)
		look_as(c, uid, to);
	io_close(&to);
	hear(c, from, pid);
	return 0;
}
