#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
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

#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/wire.h"

#ifdef SEALROOM_SANITIZE
/* LeakSanitizer needs ptrace at exit, which a confined process has not. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

/* Messages stay those of "C": else strerror() opens a catalogue, and a confined process is killed for that. */
void
proc_locale(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	tzset();
}

void
proc_start(const char *name, int keep_fd)
{
	static const struct rlimit no_core = { 0, 0 };

	log_open(name);
	if (close_range((unsigned)keep_fd + 1, ~0u, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0) {
		log_line(LOG_CRIT, "can not start safely: %s", strerror(errno));
		_exit(EXIT_FAILURE);
	}
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	proc_locale();
}

/* None but ambient ones outlive the exec of an ordinary user. */
static int
drop_caps_at_exec(void)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ? -1 : prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Who has none does not call capset(), which a unit's SystemCallFilter=~@privileged takes away. */
int
proc_drop_caps(struct err *e)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct has[2] = { 0 }, none[2] = { 0 };

	if (drop_caps_at_exec() < 0 || syscall(SYS_capget, &head, has) < 0 ||
	    (memcmp(has, none, sizeof(none)) != 0 && syscall(SYS_capset, &head, none) < 0))
		return err_sys(e, ERR_CONFINE, "dropping capabilities");
	return 0;
}

int
proc_program(const char *name, char *path, size_t size, struct err *e)
{
	const char *dir = getenv("SEALROOM_LIBEXEC");
	char self[4096];
	ssize_t n;

	if (dir != NULL && *dir == '/') {
		snprintf(path, size, "%s/%s", dir, name);
		return 0;
	}
	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if ((size_t)snprintf(path, size, "%s/%s", self, name) < size && access(path, X_OK) == 0)
			return 0;
		if ((size_t)snprintf(path, size, "%s/../libexec/sealroom/%s", self, name) < size && access(path, X_OK) == 0)
			return 0; /* installed below another PREFIX than /usr */
	}
	if ((size_t)snprintf(path, size, "%s/%s", SEALROOM_LIBEXEC, name) < size && access(path, X_OK) == 0)
		return 0;
	return err_sys(e, ERR_CONF, "program %s is neither beside this one nor in %s", name, SEALROOM_LIBEXEC);
}

void
proc_die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool
env_passes(const char *kv)
{
	static const char *const names[] = { "SOFTHSM2_CONF=", "TESSDATA_PREFIX=", "CREDENTIALS_DIRECTORY=",
		"SEALROOM_", "P11FAULT_", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "TZ=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(kv, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

#define ENV_MAX 64

/*
 * Large pages: fork() copies the table of a model's memory, with small ones a millisecond's
 * work and more.  The rest: what pictures of a page were drawn in is drawn in again, not given
 * back and asked for anew; that was a third of all page faults.
 */
#define MALLOC_TUNABLES \
	"glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=67108864:" \
	"glibc.malloc.trim_threshold=268435456:glibc.malloc.top_pad=4194304"

/* The child's environment: what it needs and nothing an admin's shell left behind. */
static void
make_env(char *env[ENV_MAX])
{
	size_t n = 0;

	env[n++] = (char *)(uintptr_t)"LC_ALL=C.UTF-8";
	env[n++] = (char *)(uintptr_t)"PATH=/usr/bin:/bin";
	env[n++] = (char *)(uintptr_t)"OMP_THREAD_LIMIT=1";
	env[n++] = (char *)(uintptr_t)"GLIBC_TUNABLES=" MALLOC_TUNABLES;
	for (char **p = environ; *p != NULL && n < ENV_MAX - 1; p++)
		if (env_passes(*p))
			env[n++] = *p;
	env[n] = NULL;
}

/* Between fork and exec: only async-signal-safe calls. */
__attribute__((noreturn)) static void
become(const char *path, char *const argv[], char *const env[], int sock)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	/* who ends a whole group means the core; we end when it hangs up, after the last checkpoint */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	if (dup2(sock, WIRE_FD) < 0 || close_range(WIRE_FD + 1, ~0u, 0) < 0)
		_exit(EXIT_FAILURE);
	if (sock == WIRE_FD)
		fcntl(WIRE_FD, F_SETFD, 0);
	if (drop_caps_at_exec() < 0)
		_exit(EXIT_FAILURE);
	execve(path, argv, env);
	_exit(127);
}

int
proc_spawn(const char *path, char *const argv[], struct proc *ret, struct err *e)
{
	char *env[ENV_MAX];
	int sv[2], pidfd, r;
	pid_t pid;

	if ((r = wire_pair(sv, e)) < 0)
		return r;
	make_env(env);
	if ((pid = fork()) < 0) {
		r = err_sys(e, ERR_MEM, "fork");
		close(sv[0]);
		close(sv[1]);
		return r;
	}
	if (pid == 0)
		become(path, argv, env, sv[1]);
	close(sv[1]);
	if ((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0) {
		r = err_sys(e, ERR_IO, "pidfd");
		close(sv[0]);
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return r;
	}
	*ret = (struct proc){ pid, pidfd, sv[0] };
	return 0;
}

void
proc_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = path == NULL ? 0 : strlen(path);
	AUTO_FD fd = -1;

	if (n < 2 || n >= sizeof(a.sun_path))
		return;
	memcpy(a.sun_path, path, n);
	if (a.sun_path[0] == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
	        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_line(LOG_WARNING, "notify socket: %s", strerror(errno));
}
