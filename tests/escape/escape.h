/*
 * escape.h - what a process that has fallen to an attacker would try first.
 *
 * Each e_<role>.c includes the source of its program (main renamed), so that
 * the very tables of the product are applied.  escape_role() applies a table
 * and tries; escape_tasks() goes through the role's own zygote, one child an
 * attempt, for each kind of task: what such a child finds open is what it
 * finds in life.  Every attempt runs in a process of its own; unconfined it
 * succeeds, or the kernel refuses it to any ordinary user, too.  Confined,
 * killed by SIGSYS or refused are the only good answers, and a role has faced
 * at least ESCAPE_LEAST different ones.
 */
#ifndef SEALROOM_ESCAPE_H
#define SEALROOM_ESCAPE_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/confine.h"
#include "agent/lib/proc.h"
#include "agent/lib/task.h"
#include "agent/lib/wire.h"
#include "tests/unit/test.h"

#define ESCAPE_LEAST 40

/* What a role's work needs: these attempts succeed for it, and are not asked. */
enum {
	MAY_FORK = 1u << 0,
	MAY_INET = 1u << 1,
	MAY_READ = 1u << 2,  /* has file-system rules; the canaries still must be out of reach */
	MAY_SIGNAL = 1u << 3, /* kill() of its own children */
	MAY_MAP_EXEC = 1u << 4, /* loads modules; W+X together stays forbidden */
	MAY_UNIX = 1u << 5,
	MAY_FCNTL = 1u << 6,
	/*
	 * A path's existence, size and owner: glibc's fstat(3) is newfstatat(2) with an empty
	 * path, which a filter can not see to be empty, and Landlock does not govern it.
	 */
	MAY_STAT = 1u << 7,
	MAY_OLD_STAT = 1u << 12, /* the same by stat(2), which a module may have been built with */
	MAY_DUP = 1u << 8,
	NOT_A_TASK = 1u << 9, /* has other descriptors than a task's child */
	MAY_FAULT = 1u << 11, /* spares none: where the kernel has no such gate, the processor faults */
	MAY_PIDFD = 1u << 10, /* ends its own children by descriptor; in production no other process has its uid */
};

static struct {
	char dir[80], canary[100], archive[100], unix_path[100];
	pid_t sibling, core;
	int inet_port, data;
	char secret[64];
} esc;

static long
a_read_etc(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/hostname", O_RDONLY);
}
static long
a_read_passwd(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
}
static long
a_read_canary(void)
{
	return syscall(SYS_openat, AT_FDCWD, esc.canary, O_RDONLY);
}
static long
a_open_old(void)
{
	return syscall(SYS_open, esc.canary, O_RDONLY);
}
static long
a_open_how(void)
{
	struct { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 0 };

	return syscall(SYS_openat2, AT_FDCWD, esc.canary, &how, sizeof how);
}
static long
a_list_dir(void)
{
	return syscall(SYS_openat, AT_FDCWD, esc.dir, O_RDONLY | O_DIRECTORY);
}
static long
a_create(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/new.%d", esc.dir, (int)getpid());
	return syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
}
static long
a_write_archive(void)
{
	return syscall(SYS_openat, AT_FDCWD, esc.archive, O_WRONLY | O_APPEND);
}
static long
a_truncate_archive(void)
{
	return syscall(SYS_truncate, esc.archive, 0L);
}
static long
a_rename_archive(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s.moved", esc.archive);
	return syscall(SYS_rename, esc.archive, path);
}
static long
a_unlink_archive(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, esc.archive, 0);
}
static long
a_link_archive(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s.link%d", esc.archive, (int)getpid());
	return syscall(SYS_symlinkat, "x", AT_FDCWD, path);
}
static long
a_mkdir(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/d%d", esc.dir, (int)getpid());
	return syscall(SYS_mkdirat, AT_FDCWD, path, 0700);
}
static long
a_chmod(void)
{
	return syscall(SYS_fchmodat, AT_FDCWD, esc.archive, 0600);
}
static long
a_inet_connect(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)esc.inet_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	return fd < 0 ? -1 : syscall(SYS_connect, fd, &a, sizeof a);
}
static long
a_inet_datagram(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_DGRAM, 0);
}
static long
a_inet6(void)
{
	return syscall(SYS_socket, AF_INET6, SOCK_STREAM, 0);
}
static long
a_netlink(void)
{
	return syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
}
static long
a_packet(void)
{
	return syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0);
}
static long
a_unix_connect(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", esc.unix_path);
	return fd < 0 ? -1 : syscall(SYS_connect, fd, &a, sizeof a);
}
static long
a_socketpair(void)
{
	int sv[2];

	return syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, sv);
}
static long
a_listen(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || syscall(SYS_bind, fd, &a, sizeof a) < 0)
		return -1;
	return syscall(SYS_listen, fd, 1);
}
static long
a_fork(void)
{
	long pid = syscall(SYS_fork);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long
a_clone(void)
{
	long pid = syscall(SYS_clone, (unsigned long)SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long
a_clone_user_namespace(void)
{
	long pid = syscall(SYS_clone, (unsigned long)(SIGCHLD | CLONE_NEWUSER), 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid;
}
static long
a_exec(void)
{
	/* on success this process becomes true(1), whose exit says so */
	char *argv[] = { (char *)(uintptr_t)"true", NULL }, *env[] = { NULL };

	return syscall(SYS_execve, "/bin/true", argv, env);
}
static long
a_exec_at(void)
{
	char *argv[] = { (char *)(uintptr_t)"true", NULL }, *env[] = { NULL };

	return syscall(SYS_execveat, esc.data, "", argv, env, AT_EMPTY_PATH);
}
static long
a_ptrace(void)
{
	return syscall(SYS_ptrace, PTRACE_SEIZE, esc.sibling, 0, 0);
}
static long
a_read_memory(void)
{
	char dst[16];
	struct iovec here = { dst, sizeof dst }, there = { esc.secret, sizeof dst };

	return syscall(SYS_process_vm_readv, esc.sibling, &here, 1UL, &there, 1UL, 0UL);
}
static long
a_write_memory(void)
{
	char src[4] = "x";
	struct iovec here = { src, sizeof src }, there = { esc.secret, sizeof src };

	return syscall(SYS_process_vm_writev, esc.sibling, &here, 1UL, &there, 1UL, 0UL);
}
static long
a_proc_mem(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/mem", (int)esc.sibling);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}
static long
a_proc_environ(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/environ", (int)esc.sibling);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}
static long
a_proc_self_mem(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR);
}
static long
a_kill(void)
{
	return syscall(SYS_kill, esc.sibling, SIGCONT);
}
static long
a_pidfd(void)
{
	long fd = syscall(SYS_pidfd_open, esc.sibling, 0);

	return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0);
}
static long
a_write_exec(void)
{
	return syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == -1 ? -1 : 0;
}
static long
a_make_exec(void)
{
	long at = syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == -1 ? -1 : syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_EXEC);
}
static long
a_make_write_exec(void)
{
	long at = syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == -1 ? -1 : syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}
static long
a_user_namespace(void)
{
	return syscall(SYS_unshare, CLONE_NEWUSER);
}
static long
a_mount(void)
{
	return syscall(SYS_mount, "none", esc.dir, "tmpfs", 0UL, NULL);
}
static long
a_chroot(void)
{
	return syscall(SYS_chroot, esc.dir);
}
static long
a_setuid(void)
{
	return syscall(SYS_setresuid, getuid(), getuid(), getuid());
}
static long
a_io_uring(void)
{
	uint32_t params[30] = { 0 };

	return syscall(SYS_io_uring_setup, 4, params);
}
static long
a_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}
static long
a_keyring(void)
{
	return syscall(SYS_add_key, "user", "sealroom-test", "x", 1UL, -2);
}
static long
a_page_faults(void)
{
	return syscall(SYS_userfaultfd, 0);
}
static long
a_perf(void)
{
	return syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0UL);
}
static long
a_core_dumps(void)
{
	struct rlimit more = { 1024, 1024 };

	return syscall(SYS_prlimit64, esc.sibling, RLIMIT_CORE, &more, NULL);
}

static long
a_kill_core(void)
{
	return syscall(SYS_kill, esc.core, 0);
}
static long
a_thread_signal(void)
{
	return syscall(SYS_tgkill, esc.core, esc.core, 0);
}
static long
a_queue_signal(void)
{
	siginfo_t si = { .si_code = SI_QUEUE };

	return syscall(SYS_rt_sigqueueinfo, esc.core, 0, &si);
}
static long
a_pidfd_signal(void)
{
	long fd = syscall(SYS_pidfd_open, esc.core, 0);

	return fd < 0 ? -1 : syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0);
}
/* The other end's process gets a signal when something is written: fcntl(2) instead of kill(2). */
static long
a_async_signal(void)
{
	return syscall(SYS_fcntl, esc.data, F_SETOWN, esc.core);
}
static long
a_traced(void)
{
	return syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
}
static long
a_dumpable(void)
{
	return syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
}
static long
a_let_trace(void)
{
	return syscall(SYS_prctl, PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
}
static long
a_another_name(void)
{
	return syscall(SYS_prctl, PR_SET_NAME, "sealroomd", 0, 0, 0);
}
static long
a_keep_caps(void)
{
	return syscall(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
}
static long
a_survive_parent(void)
{
	return syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}
static long
a_personality(void)
{
	return syscall(SYS_personality, 0x0400000); /* READ_IMPLIES_EXEC */
}
static long
a_memfd(void)
{
	char *argv[] = { (char *)(uintptr_t)"x", NULL }, *env[] = { NULL };
	long fd = syscall(SYS_memfd_create, "x", 0);

	/* an empty program is no program: that one could be made at all is the success */
	return fd < 0 ? -1 : (syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH), 0);
}
static long
a_write_code(void)
{
	static const char page[1] __attribute__((aligned(4096))) = { 1 };
	uintptr_t at = (uintptr_t)page & ~4095ul;

	return syscall(SYS_mprotect, at, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}
static long
a_map_file_exec(void)
{
	return syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, esc.data, 0) == -1 ? -1 : 0;
}
static long
a_remap_pages(void)
{
	long at = syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return at == -1 ? -1 : syscall(SYS_remap_file_pages, at, 4096, 0, 0, 0);
}
static long
a_protection_key(void)
{
	long at = syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return at == -1 ? -1 : syscall(SYS_pkey_mprotect, at, 4096, PROT_READ | PROT_EXEC, -1);
}
static long
a_process_madvise(void)
{
	long fd = syscall(SYS_pidfd_open, esc.sibling, 0);
	struct iovec v = { esc.secret, 16 };

	return fd < 0 ? -1 : syscall(SYS_process_madvise, fd, &v, 1, 20 /* MADV_COLD */, 0);
}
static long
a_compare(void)
{
	return syscall(SYS_kcmp, esc.core, esc.core, 2 /* KCMP_VM */, 0, 0);
}
static long
a_proc_list(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY);
}
static long
a_proc_cmdline(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/cmdline", (int)esc.sibling);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}
static long
a_proc_fd(void)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd/0", (int)esc.sibling);
	return syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
}
static long
a_stat(void)
{
	struct stat st;

	return syscall(SYS_newfstatat, AT_FDCWD, esc.canary, &st, AT_EMPTY_PATH);
}
static long
a_stat_old(void)
{
	struct stat st;

	return syscall(SYS_stat, esc.canary, &st);
}
static long
a_stat_more(void)
{
	char room[256];

	return syscall(SYS_statx, AT_FDCWD, esc.canary, 0, 0x7FFu /* STATX_BASIC_STATS */, room);
}
static long
a_hard_link(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s.hard%d", esc.archive, (int)getpid());
	return syscall(SYS_linkat, AT_FDCWD, esc.archive, AT_FDCWD, path, 0);
}
static long
a_fifo(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/f%d", esc.dir, (int)getpid());
	return syscall(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0600, 0);
}
static long
a_back_date(void)
{
	struct timespec t[2] = { { 1, 0 }, { 1, 0 } };

	return syscall(SYS_utimensat, AT_FDCWD, esc.archive, t, 0);
}
static long
a_attribute(void)
{
	return syscall(SYS_setxattr, esc.archive, "user.x", "x", 1UL, 0);
}
static long
a_watch_files(void)
{
	return syscall(SYS_inotify_init1, 0);
}
static long
a_handle(void)
{
	struct { unsigned bytes; int type; char room[128]; } h = { .bytes = 128 };
	int id;

	return syscall(SYS_name_to_handle_at, AT_FDCWD, esc.archive, &h, &id, 0);
}
static long
a_lock_file(void)
{
	return syscall(SYS_flock, esc.data, LOCK_EX | LOCK_NB);
}
static long
a_change_dir(void)
{
	return syscall(SYS_chdir, esc.dir);
}
static long
a_pipe(void)
{
	int p[2];

	return syscall(SYS_pipe2, p, 0);
}
static long
a_shared_memory(void)
{
	return syscall(SYS_shmget, 0, 4096UL, 01600);
}
static long
a_message_queue(void)
{
	return syscall(SYS_msgget, 0, 01600);
}
static long
a_crypto_socket(void)
{
	return syscall(SYS_socket, 38 /* AF_ALG */, SOCK_SEQPACKET, 0);
}
static long
a_vm_socket(void)
{
	return syscall(SYS_socket, 40 /* AF_VSOCK */, SOCK_STREAM, 0);
}
static long
a_raw_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static long
a_abstract_socket(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0sealroom-escape" };
	int fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);

	return fd < 0 ? -1 : syscall(SYS_bind, fd, &a, sizeof(sa_family_t) + 16);
}
static long
a_thread(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_VFORK | CLONE_VM | SIGCHLD), stack + sizeof stack, 0, 0, 0);

	if (pid == 0)
		syscall(SYS_exit, 0);
	return pid;
}
static long
a_vfork(void)
{
	long pid = syscall(SYS_clone3, NULL, 0UL);

	return pid < 0 && errno == EINVAL ? 0 : pid; /* it looked at what it was given: it is there */
}
static long
a_join_namespace(void)
{
	return syscall(SYS_setns, esc.data, 0) < 0 && errno == EINVAL ? 0 : -1;
}
static long
a_priority(void)
{
	return syscall(SYS_setpriority, PRIO_PROCESS, 0, 5);
}
static long
a_schedule(void)
{
	struct { int priority; } p = { 0 };

	return syscall(SYS_sched_setscheduler, 0, 3 /* SCHED_BATCH */, &p);
}
static long
a_session(void)
{
	return syscall(SYS_setsid);
}
static long
a_timer(void)
{
	int id;

	return syscall(SYS_timer_create, 1, NULL, &id);
}
static long
a_machine_name(void)
{
	return syscall(SYS_sethostname, "x", 1UL);
}
static long
a_modify_ldt(void)
{
	return syscall(SYS_modify_ldt, 0, NULL, 0UL);
}
static long
a_kernel_module(void)
{
	return syscall(SYS_init_module, NULL, 0UL, "");
}
static long
a_more_limits(void)
{
	struct rlimit l = { 0, 0 };

	return syscall(SYS_setrlimit, RLIMIT_CORE, &l);
}
/* Another table of system calls, which a filter by number alone would misread. */
static long
a_x32(void)
{
	return syscall(0x40000000 | SYS_getppid);
}
#ifdef __x86_64__
static long
a_i386(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(64L) /* getppid */ : "memory");
	errno = ENOSYS;
	return r >= 0 ? 0 : -1;
}
#endif

/* --- what a task's child finds open: its socket, its input, its output, and nothing --- */

static long
a_leaked(void)
{
	long found = -1;

	for (int fd = 6; fd < 1024; fd++)
		if (syscall(SYS_close, fd) == 0)
			found = fd;
	errno = EPERM;
	return found;
}
static long
a_journal(void)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			return fd;
	errno = EPERM;
	return -1;
}
static long
a_write_input(void)
{
	long r = syscall(SYS_write, 4, "x", 1UL);

	errno = errno == EBADF ? EPERM : errno; /* it is not open for writing */
	return r;
}
static long
a_cut_input(void)
{
	return syscall(SYS_ftruncate, 4, 0L);
}
static long
a_reopen_input(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/proc/self/fd/4", O_WRONLY);
}
static long
a_link_output(void)
{
	char path[300];

	snprintf(path, sizeof path, "%s/out%d", esc.dir, (int)getpid());
	return syscall(SYS_linkat, 5, "", AT_FDCWD, path, AT_EMPTY_PATH);
}
static long
a_dup(void)
{
	return syscall(SYS_dup2, 4, 100);
}
static long
a_another_core(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof a.sun_path, "%s", esc.unix_path);
	return syscall(SYS_connect, 3, &a, sizeof a) < 0 && errno == EISCONN ? 0 : -1;
}
static long
a_socket_options(void)
{
	int big = 1 << 20;

	return syscall(SYS_setsockopt, 3, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
}

/* clang-format off */
static const struct attempt {
	const char *what;
	long (*run)(void);
	unsigned spared_by;
} attempts[] = {
	{ "read a file of the system",                  a_read_etc,             MAY_READ },
	{ "read /etc/passwd",                           a_read_passwd,          MAY_READ },
	{ "read a file of the same user",               a_read_canary,          0 },
	{ "read a file by open(2)",                       a_open_old,             0 },
	{ "read a file by openat2(2)",                    a_open_how,             0 },
	{ "list a directory of the same user",          a_list_dir,             0 },
	{ "create a file",                              a_create,               0 },
	{ "write to the archive",                       a_write_archive,        0 },
	{ "truncate a file of the archive",             a_truncate_archive,     0 },
	{ "rename a file of the archive",               a_rename_archive,       0 },
	{ "remove a file of the archive",               a_unlink_archive,       0 },
	{ "make a link in the archive",                 a_link_archive,         0 },
	{ "make a directory",                           a_mkdir,                0 },
	{ "change a mode in the archive",               a_chmod,                0 },
	{ "connect over TCP",                           a_inet_connect,         MAY_INET },
	{ "make a UDP socket",                          a_inet_datagram,        MAY_INET },
	{ "make an IPv6 socket",                        a_inet6,                MAY_INET },
	{ "make a netlink socket",                      a_netlink,              0 },
	{ "make a packet socket",                       a_packet,               0 },
	{ "connect to a Unix socket",                   a_unix_connect,         MAY_UNIX },
	{ "make a socket pair",                         a_socketpair,           MAY_UNIX },
	{ "listen for connections",                     a_listen,               0 },
	{ "fork",                                       a_fork,                 MAY_FORK },
	{ "clone",                                      a_clone,                MAY_FORK },
	{ "clone into a user namespace",                a_clone_user_namespace, 0 },
	{ "execute a program",                          a_exec,                 0 },
	{ "execute an open descriptor",                 a_exec_at,              0 },
	{ "trace another process",                      a_ptrace,               0 },
	{ "read another process's memory",              a_read_memory,          0 },
	{ "write another process's memory",             a_write_memory,         0 },
	{ "open another process's memory",              a_proc_mem,             0 },
	{ "open another process's environment",         a_proc_environ,         0 },
	{ "open its own memory",                        a_proc_self_mem,        0 },
	{ "signal another process",                     a_kill,                 MAY_SIGNAL },
	{ "take another process's descriptor",          a_pidfd,                0 },
	{ "map memory writable and executable",         a_write_exec,           0 },
	{ "make written memory executable",             a_make_exec,            MAY_MAP_EXEC },
	{ "make memory writable and executable",        a_make_write_exec,      0 },
	{ "enter a user namespace",                     a_user_namespace,       0 },
	{ "mount",                                      a_mount,                0 },
	{ "change its root",                            a_chroot,               0 },
	{ "change its uid",                             a_setuid,               0 },
	{ "use io_uring",                               a_io_uring,             0 },
	{ "use bpf",                                    a_bpf,                  0 },
	{ "use a keyring",                              a_keyring,              0 },
	{ "handle page faults",                         a_page_faults,           0 },
	{ "watch performance counters",                 a_perf,                 0 },
	{ "change another process's limits",            a_core_dumps,           0 },
	{ "signal the core",                            a_kill_core,            0 },
	{ "signal a thread of the core",                a_thread_signal,        0 },
	{ "queue a signal to the core",                 a_queue_signal,         0 },
	{ "signal the core by a descriptor",            a_pidfd_signal,         MAY_PIDFD },
	{ "have the core signalled by a file",          a_async_signal,         MAY_FCNTL },
	{ "ask to be traced",                           a_traced,               0 },
	{ "make itself dumpable",                       a_dumpable,             0 },
	{ "let others trace it",                        a_let_trace,            0 },
	{ "take the core's name",                       a_another_name,         0 },
	{ "keep capabilities over a change of uid",     a_keep_caps,            0 },
	{ "adopt orphans",                              a_survive_parent,       0 },
	{ "make all readable memory executable",        a_personality,          0 },
	{ "execute a program in memory",                a_memfd,                0 },
	{ "make its own code writable",                 a_write_code,           0 },
	{ "map its input executable",                   a_map_file_exec,        MAY_MAP_EXEC },
	{ "rearrange pages",                            a_remap_pages,          0 },
	{ "make memory executable by a protection key", a_protection_key,       0 },
	{ "advise another process's memory",            a_process_madvise,      0 },
	{ "compare processes",                          a_compare,              0 },
	{ "list processes",                             a_proc_list,            0 },
	{ "read another process's arguments",           a_proc_cmdline,         0 },
	{ "open another process's file",                a_proc_fd,              0 },
	{ "look at a path",                             a_stat,                 MAY_STAT },
	{ "look at a path by stat(2)",                  a_stat_old,             MAY_OLD_STAT },
	{ "look at a path by statx(2)",                 a_stat_more,            0 },
	{ "make a hard link in the archive",            a_hard_link,            0 },
	{ "make a FIFO",                                a_fifo,                 0 },
	{ "back-date a file of the archive",            a_back_date,            0 },
	{ "set an attribute in the archive",            a_attribute,            0 },
	{ "watch directories",                          a_watch_files,          0 },
	{ "get a file's handle",                        a_handle,               0 },
	{ "lock a file",                                a_lock_file,            0 },
	{ "change its directory",                       a_change_dir,           0 },
	{ "make a pipe",                                a_pipe,                 0 },
	{ "make shared memory",                         a_shared_memory,        0 },
	{ "make a message queue",                       a_message_queue,        0 },
	{ "make a socket of the kernel's ciphers",      a_crypto_socket,        0 },
	{ "make a socket to the hypervisor",            a_vm_socket,            0 },
	{ "make a raw socket",                          a_raw_socket,           MAY_INET },
	{ "take an abstract socket's name",             a_abstract_socket,      0 },
	{ "share its memory with a child",              a_thread,               MAY_FORK },
	{ "clone by clone3(2)",                         a_vfork,                0 },
	{ "join a namespace",                           a_join_namespace,       0 },
	{ "change its priority",                        a_priority,             0 },
	{ "change its scheduling",                      a_schedule,             0 },
	{ "leave its session",                          a_session,              0 },
	{ "make a timer",                               a_timer,                0 },
	{ "name the machine",                           a_machine_name,         0 },
	{ "change its segments",                        a_modify_ldt,           0 },
	{ "load a kernel module",                       a_kernel_module,        0 },
	{ "set limits by setrlimit(2)",                 a_more_limits,          0 },
	{ "call by x32 numbers",                        a_x32,                  0 },
#ifdef __x86_64__
	{ "call by i386 numbers",                       a_i386,                 MAY_FAULT },
#endif
	{ "find a descriptor that is not its own",      a_leaked,               NOT_A_TASK },
	{ "speak into the journal",                     a_journal,              NOT_A_TASK },
	{ "write to its input",                         a_write_input,          NOT_A_TASK },
	{ "cut its input",                              a_cut_input,            NOT_A_TASK },
	{ "open its input again",                       a_reopen_input,         NOT_A_TASK },
	{ "give its output a name",                     a_link_output,          NOT_A_TASK },
	{ "copy a descriptor",                          a_dup,                  NOT_A_TASK | MAY_DUP },
	{ "connect its socket to another",              a_another_core,         NOT_A_TASK | MAY_INET },
	{ "change its socket",                          a_socket_options,       NOT_A_TASK | MAY_INET },
};
/* clang-format on */

enum outcome { SUCCEEDED, REFUSED, KILLED, ODD };

/* Confines the calling process as the role under test does. */
typedef int escape_apply(struct err *);

static bool
escape_is_refusal(int code)
{
	return code == EPERM || code == EACCES || code == ENOSYS || code == EAFNOSUPPORT || code == ESRCH;
}

static enum outcome
escape_outcome(const struct attempt *a, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV && (a->spared_by & MAY_FAULT))
		return REFUSED;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : ODD;
	return WEXITSTATUS(status) == 0 ? SUCCEEDED : WEXITSTATUS(status) == 1 ? REFUSED : ODD;
}

/* Runs one attempt in a fresh process, confined unless apply is NULL. */
static enum outcome
escape_try(const struct attempt *a, escape_apply *apply)
{
	int status;
	pid_t pid;

	fflush(stdout);
	if ((pid = fork()) == 0) {
		struct err e = { 0 };
		long r;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (apply && apply(&e) < 0) {
			printf("# %s\n", e.text);
			fflush(stdout);
			_exit(9);
		}
		r = a->run();
		if (r >= 0)
			_exit(0);
		_exit(escape_is_refusal(errno) ? 1 : 2);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ODD;
	return escape_outcome(a, status);
}

/* What the attempts aim at; undone between two of them. */
static void
escape_restore(void)
{
	int fd = open(esc.archive, O_WRONLY | O_CREAT | O_TRUNC, 0400 | S_IWUSR);

	if (fd < 0 || write(fd, "sealed", 6) != 6)
		exit(70);
	close(fd);
}

struct tally {
	unsigned tried, killed, refused, could;
};

/* What an unconfined process of this user can do is the same for every role: asked once. */
static enum outcome
escape_free(size_t i)
{
	static struct { bool known; enum outcome outcome; } memo[sizeof attempts / sizeof *attempts];

	if (!memo[i].known) {
		memo[i].outcome = escape_try(&attempts[i], NULL);
		memo[i].known = true;
		escape_restore();
	}
	return memo[i].outcome;
}

/* One attempt's outcome, behind a role's walls. */
static void
escape_count(struct tally *t, const char *role, size_t i, enum outcome o)
{
	enum outcome free_one = attempts[i].spared_by & NOT_A_TASK ? REFUSED : escape_free(i);

	t->tried++;
	t->killed += o == KILLED;
	t->refused += o == REFUSED;
	t->could += free_one == SUCCEEDED;
	CHECK(o == KILLED || o == REFUSED, "%s can not %s (%s; unconfined it %s)", role, attempts[i].what,
	    o == KILLED ? "killed" : o == REFUSED ? "refused" : o == SUCCEEDED ? "DID" : "odd",
	    free_one == SUCCEEDED ? "could" : "could not either");
}

static void
escape_total(const struct tally *t, const char *role)
{
	CHECK(t->tried >= ESCAPE_LEAST && t->killed + t->refused == t->tried,
	    "%s: %u attempts, %u killed, %u refused (%u of them anybody else can); Landlock ABI %d", role, t->tried,
	    t->killed, t->refused, t->could, confine_abi());
}

static inline void
escape_role(const char *role, escape_apply *apply, unsigned may)
{
	struct tally t = { 0 };

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		if (attempts[i].spared_by & may & MAY_STAT)
			CHECK(escape_try(&attempts[i], apply) == SUCCEEDED, "%s can %s, as far as its user can: known, tests/threats.md", role,
			    attempts[i].what);
		if (attempts[i].spared_by & (may | NOT_A_TASK))
			continue;
		escape_count(&t, role, i, escape_try(&attempts[i], apply));
		escape_restore();
	}
	escape_total(&t, role);
}

/* --- through the role's own zygote ------------------------------------------------------ */

/* Stands in for the work of a task; its parameter is the attempt's number. */
static int
escape_run(struct task *t, struct err *e)
{
	uint32_t i = buf_get_u32(&t->params);

	(void)e;
	esc.data = t->in;
	_exit(attempts[i].run() >= 0 ? 0 : escape_is_refusal(errno) ? 1 : 2);
}

static int
escape_setup(int settings, uint32_t flags, struct buf *ready, void **state, struct err *e)
{
	(void)settings;
	(void)flags;
	(void)ready;
	(void)state;
	(void)e;
	return 0;
}

/* The zygote of the role, but for its work. */
__attribute__((noreturn)) static void
escape_zygote(const struct task_role *role, int sock)
{
	struct task_kind twins[16];
	struct task_role twin = *role;
	struct err e = { 0 };

	if (role->nkinds > 16 || dup2(sock, WIRE_FD) < 0 || close_range(WIRE_FD + 1, ~0u, 0) < 0)
		_exit(9);
	for (size_t i = 0; i < role->nkinds; i++) {
		twins[i] = role->kinds[i];
		twins[i].run = escape_run;
	}
	twin.kinds = twins;
	twin.setup = escape_setup;
	_exit(task_serve(&twin, &e) < 0);
}

/* A core of few words: takes HELLO, gives SETTINGS, waits for READY. */
static pid_t
escape_begin_zygote(const struct task_role *role, int *ret_sock)
{
	struct err e = { 0 };
	int sv[2], none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pid_t pid;
	AUTO_BUF b;

	fflush(stdout);
	if (none < 0 || wire_pair(sv, &e) < 0 || (pid = fork()) < 0)
		exit(70);
	if (pid == 0)
		escape_zygote(role, sv[1]);
	close(sv[1]);
	buf_init(&b, 16);
	buf_put_u32(&b, 0);
	for (int i = 0; i < 2; i++) {
		AUTO_MSG m = { 0 };

		if (wire_recv(sv[0], role->role, ROLE_CORE, 0, &m, &e) != 1 || m.type != (i == 0 ? MSG_HELLO : MSG_READY) ||
		    (i == 0 && wire_send(sv[0], MSG_SETTINGS, 0, &b, &none, 1, &e) < 0)) {
			printf("# %s: %s\n", role->program, e.text);
			exit(70);
		}
	}
	close(none);
	*ret_sock = sv[0];
	return pid;
}

static void
escape_send_task(int sock, uint32_t id, uint32_t kind, uint32_t attempt, int out)
{
	struct err e = { 0 };
	int sv[2], fds[3];
	AUTO_BUF b, params;

	if (wire_pair(sv, &e) < 0)
		exit(70);
	buf_init(&params, 8);
	buf_put_u32(&params, attempt);
	buf_init(&b, 256);
	buf_put_u32(&b, id);
	buf_put_u32(&b, kind);
	buf_put_u32(&b, 512);
	buf_put_u32(&b, 20);
	buf_put_u64(&b, 1 << 20);
	buf_put_blob(&b, params.data, params.len);
	fds[0] = sv[1];
	fds[1] = esc.data;
	fds[2] = out;
	if (wire_send(sock, MSG_TASK, id, &b, fds, 3, &e) < 0)
		exit(70);
	close(sv[0]);
	close(sv[1]);
}

/* STARTED, then EXIT with the child's wait status. */
static enum outcome
escape_task(int sock, enum role role, uint32_t id, uint32_t kind, uint32_t attempt, int out)
{
	struct err e = { 0 };
	int status;

	escape_send_task(sock, id, kind, attempt, out);
	for (;;) {
		AUTO_MSG m = { 0 };

		if (wire_recv(sock, role, ROLE_CORE, 0, &m, &e) != 1)
			exit(70); /* the zygote itself has died of an attempt of its child */
		if (m.type == MSG_EXIT && buf_get_u32(&m.payload) == id) {
			status = buf_get_i32(&m.payload);
			break;
		}
	}
	return escape_outcome(&attempts[attempt], status);
}

static inline void
escape_tasks(const struct task_role *role, unsigned may)
{
	int sock, out = open(esc.dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	pid_t pid = escape_begin_zygote(role, &sock);
	uint32_t id = 0;

	if (out < 0)
		exit(70);
	for (size_t k = 0; k < role->nkinds; k++) {
		struct tally t = { 0 };
		char name[80];

		snprintf(name, sizeof name, "%s's child for %s", role->program, role->kinds[k].name);
		for (uint32_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
			if (attempts[i].spared_by & may & ~(unsigned)NOT_A_TASK)
				continue;
			escape_count(&t, name, i, escape_task(sock, role->role, ++id, role->kinds[k].kind, i, out));
			escape_restore();
		}
		escape_total(&t, name);
	}
	close(sock);
	close(out);
	waitpid(pid, NULL, 0);
}

/* --- what the filter lets through -------------------------------------------------------- */

/* Counted from the filter as it runs: each number is called with zeros, and what is not in it is killed. */
static inline unsigned
escape_allowed(escape_apply *apply)
{
	unsigned n = 0;

	for (long nr = 0; nr < 600; nr++) {
		int status;
		pid_t pid;

		if (nr == 335 || nr == 336) /* uretprobe, uprobe: newer kernels take them past every filter, and ask where they come from */
			continue;
		if ((pid = fork()) == 0) {
			struct err e = { 0 };

			if (apply(&e) < 0)
				_exit(9);
			syscall(nr, 0L, 0L, 0L, 0L, 0L, 0L);
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == 9))
			exit(70);
		n += !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
	return n;
}

static long
a_work(void)
{
	char b[8];
	void *m;

	if (syscall(SYS_read, esc.data, b, sizeof b) < 0 || write(1, "", 0) < 0 || !(m = malloc(300000)))
		return -1;
	free(m);
	return strcmp(strerror(ENOSPC), "No space left on device") == 0 && localtime(&(time_t){ 0 }) != NULL ? 0 : -1;
}

/* A table that refuses everything would pass all of the above. */
static inline void
escape_works(const char *role, escape_apply *apply)
{
	const struct attempt work = { "work", a_work, 0 };

	CHECK(escape_try(&work, apply) == SUCCEEDED, "%s can read what it was given, get memory, and say what is wrong", role);
}

static int
escape_listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un u = { .sun_family = AF_UNIX };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), un = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(u.sun_path, sizeof u.sun_path, "%s", esc.unix_path);
	if (fd < 0 || un < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 64) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0 || bind(un, (struct sockaddr *)&u, sizeof u) < 0 || listen(un, 64) < 0)
		return -1;
	return ntohs(a.sin_port);
}

/* A directory with canaries, listeners, and a process to aim at. */
static void
escape_begin(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	proc_locale();
	if ((size_t)snprintf(esc.dir, sizeof esc.dir, "%s/e.XXXXXX", tmp ? tmp : "/tmp") >= sizeof esc.dir)
		exit(70);
	snprintf(esc.secret, sizeof esc.secret, "a sibling's secret");
	if (!mkdtemp(esc.dir))
		exit(70);
	snprintf(esc.canary, sizeof esc.canary, "%s/canary", esc.dir);
	snprintf(esc.archive, sizeof esc.archive, "%s/sealed.pdf", esc.dir);
	snprintf(esc.unix_path, sizeof esc.unix_path, "%s/sock", esc.dir);
	escape_restore();
	fd = open(esc.canary, O_WRONLY | O_CREAT, 0600);
	close(fd);
	esc.core = getpid();
	esc.inet_port = escape_listener();
	esc.data = open("/bin/true", O_RDONLY);
	if (esc.inet_port < 0 || esc.data < 0 || fd < 0 || chmod(esc.dir, 0700) < 0)
		exit(70);
	if ((esc.sibling = fork()) == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
}

static int
escape_end(void)
{
	kill(esc.sibling, SIGKILL);
	waitpid(esc.sibling, NULL, 0);
	return TEST_DONE();
}

#endif
