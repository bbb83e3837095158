#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agent/lib/confine.h"
#include "agent/lib/proc.h"
#include "seal/sandbox.h"

#define FSIZE_MAX (4ull * 1024 * 1024)

/* What both kinds need: one socket, memory, time, randomness, the end. */
#define CALLS_COMMON \
	__NR_recvmsg, __NR_sendmsg, __NR_poll, __NR_ppoll, __NR_read, __NR_pread64, __NR_write, __NR_pwrite64, \
	__NR_close, __NR_fstat, __NR_newfstatat, __NR_openat, __NR_fcntl, __NR_fsync, __NR_brk, __NR_munmap, \
	__NR_mremap, __NR_madvise, __NR_futex, __NR_getrandom, __NR_clock_gettime, __NR_clock_nanosleep, \
	__NR_gettimeofday, __NR_rt_sigprocmask, __NR_rt_sigaction, __NR_rt_sigreturn, __NR_getpid, __NR_gettid, \
	__NR_restart_syscall, __NR_sched_yield, __NR_exit, __NR_exit_group

static const int log_calls[] = { CALLS_COMMON, __NR_renameat, __NR_renameat2, __NR_unlinkat, __NR_fchmod, -1 };

static const int token_calls[] = { CALLS_COMMON, __NR_lseek, __NR_getdents64, __NR_ftruncate, __NR_access,
	__NR_faccessat, __NR_faccessat2, __NR_stat, __NR_lstat, __NR_open, __NR_nanosleep, __NR_getuid, __NR_geteuid, __NR_getgid,
	__NR_getegid, -1 };

/* and to talk to pcscd */
static const int pcsc_calls[] = { CALLS_COMMON, __NR_lseek, __NR_getdents64, __NR_ftruncate, __NR_access,
	__NR_faccessat, __NR_faccessat2, __NR_stat, __NR_lstat, __NR_open, __NR_nanosleep, __NR_getuid, __NR_geteuid, __NR_getgid,
	__NR_getegid, __NR_connect, __NR_sendto, __NR_recvfrom, __NR_select, __NR_pselect6, __NR_getsockopt,
	__NR_setsockopt, __NR_getpeername, __NR_getsockname, __NR_shutdown, -1 };

/* Tried by libraries that go on without: terminals, directories, and syslog's socket. */
static const int refused[] = { __NR_ioctl, __NR_getcwd, __NR_readlink, __NR_mkdir, __NR_uname, __NR_sysinfo,
	__NR_prctl, -1 };
static const int refused_too[] = { __NR_ioctl, __NR_getcwd, __NR_readlink, __NR_mkdir, __NR_uname, __NR_sysinfo,
	__NR_prctl, __NR_socket, __NR_connect, __NR_sendto, -1 };

bool
sandbox_is_softhsm(const char *module)
{
	const char *slash = strrchr(module, '/');

	return strcmp(slash == NULL ? module : slash + 1, "libsofthsm2.so") == 0;
}

/* "directories.tokendir = /path" of SoftHSM's configuration; "" when there is none. */
static void
softhsm_tokens(char dst[PATH_MAX])
{
	const char *path = getenv("SOFTHSM2_CONF");
	char line[PATH_MAX], *value;
	FILE *f = fopen(path != NULL ? path : "/etc/softhsm/softhsm2.conf", "re");

	dst[0] = '\0';
	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "directories.tokendir", 20) != 0 || (value = strchr(line, '=')) == NULL)
			continue;
		value += 1 + strspn(value + 1, " \t");
		value[strcspn(value, " \t\r\n")] = '\0';
		snprintf(dst, PATH_MAX, "%s", value);
	}
	fclose(f);
}

int
sandbox_token(const struct conf_token *c, bool write, struct err *e)
{
	static char module[PATH_MAX], real[PATH_MAX], tokens[PATH_MAX];
	const bool softhsm = sandbox_is_softhsm(c->module);
	struct confine_path paths[5] = { 0 };
	struct confine confine = { .name = "seal", .paths = paths, .fsize_bytes = FSIZE_MAX,
		.syscalls = softhsm ? token_calls : pcsc_calls,
		.refused = softhsm ? refused_too : refused,
		.socket_families = softhsm ? 0 : 1u << AF_UNIX };
	size_t n = 0;

	if (realpath(c->module, real) == NULL)
		return err_sys(e, ERR_CONFINE, "module %s", c->module);
	snprintf(module, sizeof(module), "%s", c->module);
	paths[n++] = (struct confine_path){ dirname(module), CONFINE_READ, false };
	paths[n++] = (struct confine_path){ dirname(real), CONFINE_READ, false };
	/* SoftHSM, or a proxy before it that a test put there */
	if (softhsm || getenv("SOFTHSM2_CONF") != NULL)
		softhsm_tokens(tokens);
	if (tokens[0] != '\0')
		paths[n++] = (struct confine_path){ tokens, CONFINE_READ | (write ? CONFINE_WRITE : 0), false };
	if (!softhsm)
		paths[n++] = (struct confine_path){ "/run/pcscd", CONFINE_READ, true };
	return confine_apply(&confine, e);
}

int
sandbox_log(const char *anchor_dir, struct err *e)
{
	const struct confine_path paths[] = { { anchor_dir, CONFINE_READ | CONFINE_WRITE, false }, { 0 } };
	const struct confine confine = { .name = "seal-log", .paths = anchor_dir == NULL ? NULL : paths, .fsize_bytes = FSIZE_MAX,
		.syscalls = log_calls, .refused = refused_too };

	return confine_apply(&confine, e);
}
