/*
 * tracer.c - count, kill or fail the k-th durable call of a process tree.
 *
 *	tracer -r ROOT [-r ROOT...] [-m MODE] [-k N] [-e ERRNO] [-n TIMES]
 *	       [-c NAME] [-a CALL -s SHAPE] [-l LOG [-d DATA]] [-o RESULT] -- COMMAND...
 *	tracer -x -c NAME [-m error -k N -e ERRNO [-n TIMES]] [-o RESULT] -- COMMAND...
 *
 * A durable call is one that changes files or directories below a ROOT:
 * write, truncate, allocate, create, link, rename, remove, chmod, sync.  One
 * counter runs over all processes that descend from COMMAND (-c: only those
 * whose name starts with NAME count).
 *
 *	count	let all pass                      before	kill the tree instead of call N
 *	error	call N .. N + TIMES - 1 fail with ERRNO (TIMES 0: all from N on);
 *		with ENOSPC only those that need space
 *	short	call N, when a write, writes half      after	kill the tree behind call N
 *
 * What else runs meanwhile moves the numbers of calls to and fro.  So a call can also
 * be named by what it is: -a CALL -s SHAPE -k N is the N-th CALL on a path of this
 * shape.  A shape is the path (of two the second) with its ROOT as 1, 2 ..., every
 * number as # and every id or hash (26 and more of 0-9 and a-z) as @.  In paths and
 * shapes whatever is not printable ASCII is written as \xNN.
 *
 * LOG gets a line a call: number, pid, name of the process, call, result, path,
 * second path, shape, how many of this call and shape there were, and for the model of
 * a power cut: inode, place in the file (or its new length), place in DATA, which gets
 * what was written.  RESULT gets "calls N", "hit 0|1", "call NAME PATH" of the hit.
 * Exit: COMMAND's status, 128 + its signal, or 99 when the tree was killed here.
 *
 * -x counts other calls, whatever they touch: those that want a descriptor, memory or a
 * process.  They count from main() on, when our programs make themselves not dumpable.
 *
 * How it works: a seccomp filter in front of COMMAND stops only these calls, so
 * recognition runs at full speed.  Our programs' own filters stay above it.
 * They also make themselves not dumpable; an unprivileged tracer could then not
 * read their file names, so that one prctl() is turned into its opposite - the
 * only thing changed in what is traced.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the tracer knows the registers of x86-64 only"
#endif

enum how {
	BY_FD,      /* argument 0 is the descriptor written to */
	BY_OUT_FD2, /* argument 2 is (copy_file_range) */
	BY_PATH,    /* argument 0 is a path */
	BY_AT,      /* arguments 0, 1: directory, path */
	BY_AT_AT,   /* arguments 0, 1 and 2, 3 */
	BY_PATH_PATH,
	BY_OPEN,    /* path, flags */
	BY_OPENAT,  /* directory, path, flags */
	BY_OPENAT2, /* directory, path, struct open_how */
	BY_SYMLINKAT,
	DUMPABLE,
	RESOURCE,
};

/* clang-format off */
static const struct call {
	long nr;
	const char *name;
	enum how how;
	bool writes;
	bool allocates; /* a full disk refuses it */
} calls[] = {
	{ SYS_write,           "write",           BY_FD,        true,  true },
	{ SYS_pwrite64,        "pwrite64",        BY_FD,        true,  true },
	{ SYS_writev,          "writev",          BY_FD,        false, true },
	{ SYS_pwritev,         "pwritev",         BY_FD,        false, true },
	{ SYS_pwritev2,        "pwritev2",        BY_FD,        false, true },
	{ SYS_sendfile,        "sendfile",        BY_FD,        false, true },
	{ SYS_copy_file_range, "copy_file_range", BY_OUT_FD2,   false, true },
	{ SYS_fsync,           "fsync",           BY_FD,        false, false },
	{ SYS_fdatasync,       "fdatasync",       BY_FD,        false, false },
	{ SYS_syncfs,          "syncfs",          BY_FD,        false, false },
	{ SYS_ftruncate,       "ftruncate",       BY_FD,        false, false },
	{ SYS_fallocate,       "fallocate",       BY_FD,        false, true },
	{ SYS_fchmod,          "fchmod",          BY_FD,        false, false },
	{ SYS_fchown,          "fchown",          BY_FD,        false, false },
	{ SYS_truncate,        "truncate",        BY_PATH,      false, false },
	{ SYS_chmod,           "chmod",           BY_PATH,      false, false },
	{ SYS_mkdir,           "mkdir",           BY_PATH,      false, true },
	{ SYS_rmdir,           "rmdir",           BY_PATH,      false, false },
	{ SYS_unlink,          "unlink",          BY_PATH,      false, false },
	{ SYS_creat,           "creat",           BY_PATH,      false, true },
	{ SYS_rename,          "rename",          BY_PATH_PATH, false, true },
	{ SYS_link,            "link",            BY_PATH_PATH, false, true },
	{ SYS_fchmodat,        "fchmodat",        BY_AT,        false, false },
	{ SYS_mkdirat,         "mkdirat",         BY_AT,        false, true },
	{ SYS_unlinkat,        "unlinkat",        BY_AT,        false, false },
	{ SYS_renameat,        "renameat",        BY_AT_AT,     false, true },
	{ SYS_renameat2,       "renameat2",       BY_AT_AT,     false, true },
	{ SYS_linkat,          "linkat",          BY_AT_AT,     false, true },
	{ SYS_symlinkat,       "symlinkat",       BY_SYMLINKAT, false, true },
	{ SYS_open,            "open",            BY_OPEN,      false, true },
	{ SYS_openat,          "openat",          BY_OPENAT,    false, true },
	{ SYS_openat2,         "openat2",         BY_OPENAT2,   false, true },
	{ SYS_prctl,           "prctl",           DUMPABLE,     false, false },
};

static const struct call resources[] = {
	{ SYS_open,           "open",           RESOURCE, false, false },
	{ SYS_openat,         "openat",         RESOURCE, false, false },
	{ SYS_openat2,        "openat2",        RESOURCE, false, false },
	{ SYS_socket,         "socket",         RESOURCE, false, false },
	{ SYS_socketpair,     "socketpair",     RESOURCE, false, false },
	{ SYS_accept4,        "accept4",        RESOURCE, false, false },
	{ SYS_pipe2,          "pipe2",          RESOURCE, false, false },
	{ SYS_dup,            "dup",            RESOURCE, false, false },
	{ SYS_epoll_create1,  "epoll_create1",  RESOURCE, false, false },
	{ SYS_epoll_ctl,      "epoll_ctl",      RESOURCE, false, false },
	{ SYS_inotify_init1,  "inotify_init1",  RESOURCE, false, false },
	{ SYS_inotify_add_watch, "inotify_add_watch", RESOURCE, false, false },
	{ SYS_signalfd4,      "signalfd4",      RESOURCE, false, false },
	{ SYS_timerfd_create, "timerfd_create", RESOURCE, false, false },
	{ SYS_eventfd2,       "eventfd2",       RESOURCE, false, false },
	{ SYS_memfd_create,   "memfd_create",   RESOURCE, false, false },
	{ SYS_pidfd_open,     "pidfd_open",     RESOURCE, false, false },
	{ SYS_mmap,           "mmap",           RESOURCE, false, false },
	{ SYS_mremap,         "mremap",         RESOURCE, false, false },
	{ SYS_fork,           "fork",           RESOURCE, false, false },
	{ SYS_vfork,          "vfork",          RESOURCE, false, false },
	{ SYS_clone,          "clone",          RESOURCE, false, false },
	{ SYS_clone3,         "clone3",         RESOURCE, false, false },
	{ SYS_prctl,          "prctl",          DUMPABLE, false, false },
};

static const struct { const char *name; int value; } errors[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "EROFS", EROFS },
	{ "EACCES", EACCES }, { "EPERM", EPERM }, { "EMFILE", EMFILE }, { "ENFILE", ENFILE },
	{ "ENOMEM", ENOMEM }, { "EAGAIN", EAGAIN },
	{ "EINTR", EINTR }, { "EXDEV", EXDEV },
};
/* clang-format on */

#define NDURABLE (sizeof calls / sizeof calls[0])
#define NRESOURCES (sizeof resources / sizeof resources[0])
#define NCALLS (NDURABLE > NRESOURCES ? NDURABLE : NRESOURCES)
#define PIDS_MAX 512
#define ROOTS_MAX 16
#define KINDS_MAX 4096
#define ID_MIN 26

enum mode { COUNT, BEFORE, AFTER, ERROR, SHORT };
static const char *const mode_names[] = { "count", "before", "after", "error", "short" };

struct tracee {
	pid_t pid;
	bool leaving;            /* stopped at entry, waits for the exit stop */
	bool last;               /* kill the tree at that exit */
	bool unnamed;            /* an O_TMPFILE: changes no directory */
	unsigned long n;
	const struct call *call;
	unsigned long nth;       /* of the calls of this shape */
	char path[2][PATH_MAX];
	char shape[4 * PATH_MAX];
	bool begun;              /* main() has begun: its resources count */
	unsigned long long ino, place;
	long long data;          /* where DATA has what is written; -1: nothing is */
	uint64_t buffer;
};

/* A call on paths of one shape, and how often it came. */
struct kind {
	const struct call *call;
	char *shape;
	unsigned long n;
};

static struct {
	const char *roots[ROOTS_MAX];
	size_t nroots;
	enum mode mode;
	unsigned long k, times;
	unsigned long at; /* the number of the call that -k meant, once it has come */
	int err;
	const char *only;
	const char *call, *shape; /* these are counted towards k */
	struct kind kind[KINDS_MAX];
	size_t nkinds;
	const struct call *table;
	size_t ntable;
	FILE *log, *data;
	const char *result;
	unsigned long count;
	bool hit, killed;
	char hit_text[64 + 4 * PATH_MAX];
	struct tracee *tracee[PIDS_MAX];
} t = { .times = 1, .err = EIO, .table = calls, .ntable = NDURABLE };

static _Noreturn void
fail(const char *what)
{
	fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
	exit(70);
}

/* --- the tree ------------------------------------------------------------------------ */

static struct tracee *
tracee_get(pid_t pid)
{
	size_t i, hole = PIDS_MAX;

	for (i = 0; i < PIDS_MAX; i++) {
		if (t.tracee[i] && t.tracee[i]->pid == pid)
			return t.tracee[i];
		if (!t.tracee[i] && hole == PIDS_MAX)
			hole = i;
	}
	if (hole == PIDS_MAX || !(t.tracee[hole] = calloc(1, sizeof *t.tracee[hole])))
		fail("too many processes");
	t.tracee[hole]->pid = pid;
	return t.tracee[hole];
}

static void
tracee_forget(pid_t pid)
{
	for (size_t i = 0; i < PIDS_MAX; i++)
		if (t.tracee[i] && t.tracee[i]->pid == pid) {
			free(t.tracee[i]);
			t.tracee[i] = NULL;
		}
}

static size_t
kill_tree(void)
{
	size_t n = 0;

	for (size_t i = 0; i < PIDS_MAX; i++)
		if (t.tracee[i]) {
			kill(t.tracee[i]->pid, SIGKILL);
			n++;
		}
	t.killed = true;
	return n;
}

/* --- what a call touches --------------------------------------------------------------- */

static bool
read_mem(pid_t pid, uint64_t at, void *dst, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return false;
	n = pread(fd, dst, size, (off_t)at);
	close(fd);
	return n == (ssize_t)size;
}

/* A path may end near the end of a mapping: read it in small steps. */
static void
read_string(pid_t pid, uint64_t at, char *dst, size_t size)
{
	size_t n = 0;

	while (n + 9 < size && read_mem(pid, at + n, dst + n, 1) && dst[n])
		n++;
	dst[n] = '\0';
}

static void
fd_path(pid_t pid, int fd, char dst[static PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
	else
		snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(link, dst, PATH_MAX - 1);
	dst[n > 0 ? n : 0] = '\0';
}

static void
at_path(pid_t pid, int dir, uint64_t name, char dst[static PATH_MAX])
{
	char text[PATH_MAX];
	size_t len;

	read_string(pid, name, text, sizeof text);
	if (text[0] == '/') {
		/* linkat("/proc/self/fd/N", ...) names an unnamed file: show where it lies. */
		if (strncmp(text, "/proc/self/fd/", 14) == 0)
			fd_path(pid, (int)strtol(text + 14, NULL, 10), dst);
		else
			memcpy(dst, text, sizeof text);
		return;
	}
	fd_path(pid, dir, dst);
	len = strlen(dst);
	if (text[0] && strcmp(text, ".") != 0)
		snprintf(dst + len, PATH_MAX - len, "/%s", text);
}

static bool
below_roots(const char *path)
{
	for (size_t i = 0; i < t.nroots; i++) {
		size_t n = strlen(t.roots[i]);

		if (strncmp(path, t.roots[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

static bool
creates(struct tracee *p, int flags)
{
	p->unnamed = (flags & O_TMPFILE) == O_TMPFILE;
	return p->unnamed || (flags & (O_CREAT | O_TRUNC)) != 0;
}

/* Fills the paths; false when the call changes nothing (an open without O_CREAT). */
static bool
resolve(struct tracee *p, const struct call *c, const struct user_regs_struct *r)
{
	uint64_t flags = 0;

	p->path[0][0] = p->path[1][0] = '\0';
	p->unnamed = false;
	switch (c->how) {
	case BY_FD:
		fd_path(p->pid, (int)r->rdi, p->path[0]);
		return true;
	case BY_OUT_FD2:
		fd_path(p->pid, (int)r->rdx, p->path[0]);
		return true;
	case BY_PATH:
	case BY_OPEN:
		at_path(p->pid, AT_FDCWD, r->rdi, p->path[0]);
		return c->how == BY_PATH || creates(p, (int)r->rsi);
	case BY_PATH_PATH:
		at_path(p->pid, AT_FDCWD, r->rdi, p->path[0]);
		at_path(p->pid, AT_FDCWD, r->rsi, p->path[1]);
		return true;
	case BY_AT:
	case BY_OPENAT:
		at_path(p->pid, (int)r->rdi, r->rsi, p->path[0]);
		return c->how == BY_AT || creates(p, (int)r->rdx);
	case BY_OPENAT2:
		at_path(p->pid, (int)r->rdi, r->rsi, p->path[0]);
		return read_mem(p->pid, r->rdx, &flags, sizeof flags) && creates(p, (int)flags);
	case BY_AT_AT:
		at_path(p->pid, (int)r->rdi, r->rsi, p->path[0]);
		at_path(p->pid, (int)r->rdx, r->r10, p->path[1]);
		return true;
	case BY_SYMLINKAT:
		at_path(p->pid, (int)r->rsi, r->rdx, p->path[0]);
		return true;
	case RESOURCE:
		if (c->nr == SYS_open)
			at_path(p->pid, AT_FDCWD, r->rdi, p->path[0]);
		else if (c->nr == SYS_openat || c->nr == SYS_openat2)
			at_path(p->pid, (int)r->rdi, r->rsi, p->path[0]);
		return p->begun;
	case DUMPABLE:
		break;
	}
	return false;
}

/* One byte of a path as LOG and RESULT have it; returns how many were put. */
static size_t
put_escaped(char *to, unsigned char c)
{
	if (c < 0x20 || c >= 0x7f || c == '\\')
		return (size_t)sprintf(to, "\\x%02x", c);
	*to = (char)c;
	return 1;
}

static const char *
escaped(const char *path, char dst[static 4 * PATH_MAX])
{
	size_t n = 0;

	while (*path)
		n += put_escaped(dst + n, (unsigned char)*path++);
	dst[n] = '\0';
	return dst;
}

/* --- naming a call by what it is --------------------------------------------------------- */

/* The number of the root that the path lies below, and what is left of the path. */
static const char *
after_root(const char *path, char *ret_root)
{
	for (size_t i = 0; i < t.nroots; i++) {
		size_t n = strlen(t.roots[i]);

		if (strncmp(path, t.roots[i], n) == 0 && (path[n] == '/' || path[n] == '\0')) {
			*ret_root = (char)('1' + i);
			return path + n;
		}
	}
	*ret_root = '0';
	return path;
}

static void
shape_of(struct tracee *p)
{
	const char *from = after_root(p->path[1][0] ? p->path[1] : p->path[0], p->shape);
	char *to = p->shape + 1;
	size_t n;

	while (*from) {
		if ((n = strspn(from, "0123456789abcdefghijklmnopqrstuvwxyz")) >= ID_MIN) {
			*to++ = '@';
			from += n;
			continue;
		}
		for (; n > 0 && !isdigit((unsigned char)*from); n--)
			*to++ = *from++;
		if ((n = strspn(from, "0123456789")) > 0) {
			*to++ = '#';
			from += n;
		} else if (*from)
			to += put_escaped(to, (unsigned char)*from++);
	}
	*to = '\0';
}

/* One more of its call and shape. */
static unsigned long
nth_of(const struct tracee *p)
{
	struct kind *k;

	for (size_t i = 0; i < t.nkinds; i++)
		if (t.kind[i].call == p->call && strcmp(t.kind[i].shape, p->shape) == 0)
			return ++t.kind[i].n;
	if (t.nkinds == KINDS_MAX)
		fail("too many kinds of calls");
	k = &t.kind[t.nkinds++];
	k->call = p->call;
	if (!(k->shape = strdup(p->shape)))
		fail("memory");
	return ++k->n;
}

static bool
is_wanted(const struct tracee *p)
{
	if (!t.call)
		return p->n == t.k;
	return strcmp(p->call->name, t.call) == 0 && strcmp(p->shape, t.shape) == 0 && p->nth == t.k;
}

static void
comm_of(pid_t pid, char dst[static 32])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
	dst[0] = '\0';
	if ((f = fopen(path, "re"))) {
		if (fgets(dst, 32, f))
			dst[strcspn(dst, "\n")] = '\0';
		fclose(f);
	}
}

/* --- what a model of the disk needs ------------------------------------------------------ */

static unsigned long long
inode_of(pid_t pid, long fd)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof link, "/proc/%d/fd/%ld", (int)pid, fd);
	return stat(link, &st) == 0 ? st.st_ino : 0;
}

static unsigned long long
file_position(pid_t pid, int fd)
{
	unsigned long long pos = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
	if ((f = fopen(path, "re"))) {
		if (fscanf(f, "pos: %llu", &pos) != 1)
			pos = 0;
		fclose(f);
	}
	return pos;
}

/* Before the call: which file, where in it, and what. */
static void
note_file(struct tracee *p, const struct user_regs_struct *r)
{
	char text[64] = "";

	p->ino = p->place = 0;
	p->data = -1;
	p->buffer = 0;
	if (!t.data)
		return;
	if (p->call->how == BY_FD)
		p->ino = inode_of(p->pid, (int)r->rdi);
	if (p->call->nr == SYS_linkat) {
		read_string(p->pid, r->rsi, text, sizeof text);
		if (strncmp(text, "/proc/self/fd/", 14) == 0)
			p->ino = inode_of(p->pid, strtol(text + 14, NULL, 10));
	}
	if (p->call->nr == SYS_ftruncate)
		p->place = r->rsi;
	if (p->call->writes) {
		p->buffer = r->rsi;
		p->place = p->call->nr == SYS_write ? file_position(p->pid, (int)r->rdi) : r->r10;
	} else if (p->call->how == BY_FD && p->call->allocates && p->call->nr != SYS_fallocate)
		fail(p->call->name); /* the model does not know this way to write */
}

/* Behind it: the bytes that were written, and the inode of what was made. */
static void
note_result(struct tracee *p, long long result)
{
	static char block[64 * 1024];
	uint64_t done = 0, n;

	if (!t.data || result < 0)
		return;
	if (p->call->how == BY_OPEN || p->call->how == BY_OPENAT || p->call->how == BY_OPENAT2)
		p->ino = inode_of(p->pid, result);
	if (p->buffer == 0)
		return;
	p->data = ftell(t.data);
	for (; done < (uint64_t)result; done += n) {
		n = (uint64_t)result - done < sizeof block ? (uint64_t)result - done : sizeof block;
		if (!read_mem(p->pid, p->buffer + done, block, n) || fwrite(block, 1, n, t.data) != n)
			fail("what was written");
	}
}

/* --- acting at a stop ------------------------------------------------------------------ */

static void
log_call(const struct tracee *p, long long result)
{
	static char first[4 * PATH_MAX], second[4 * PATH_MAX];
	char comm[32];

	if (!t.log)
		return;
	comm_of(p->pid, comm);
	fprintf(t.log, "%lu\t%d\t%s\t%s%s\t%lld\t%s\t%s\t%s\t%lu\t%llu\t%llu\t%lld\n", p->n, (int)p->pid, comm,
	    p->call->name, p->unnamed ? ":unnamed" : "", result, escaped(p->path[0], first), escaped(p->path[1], second),
	    p->shape, p->nth, p->ino, p->place, p->data);
}

static const struct call *
call_by_nr(unsigned long long nr)
{
	for (size_t i = 0; i < t.ntable; i++)
		if ((unsigned long long)t.table[i].nr == nr)
			return &t.table[i];
	return NULL;
}

static void
mark_hit(const struct tracee *p)
{
	static char path[4 * PATH_MAX];

	t.hit = true;
	snprintf(t.hit_text, sizeof t.hit_text, "%s %s", p->call->name,
	    escaped(p->path[1][0] ? p->path[1] : p->path[0], path));
}

/* Stays dumpable, so that the links below /proc/PID/fd can be read. */
static void
keep_dumpable(pid_t pid, struct user_regs_struct *r)
{
	if (r->rdi != PR_SET_DUMPABLE || r->rsi != 0)
		return;
	r->rsi = 1;
	ptrace(PTRACE_SETREGS, pid, 0, r);
}

/* A counted call is about to happen; returns how to resume. */
static enum __ptrace_request
act(struct tracee *p, struct user_regs_struct *r)
{
	unsigned long last = t.times ? t.at + t.times - 1 : ULONG_MAX;
	bool now = p->n == t.at;

	if (now && t.mode != COUNT)
		mark_hit(p);
	if (now && t.mode == BEFORE) {
		log_call(p, -EINTR);
		kill_tree();
		return PTRACE_CONT;
	}
	if (t.mode == ERROR && t.at != 0 && p->n >= t.at && p->n <= last && (t.err != ENOSPC || p->call->allocates)) {
		r->orig_rax = (unsigned long long)-1;
		r->rax = (unsigned long long)-(long long)t.err;
		ptrace(PTRACE_SETREGS, p->pid, 0, r);
		log_call(p, -t.err);
		return PTRACE_CONT;
	}
	if (now && t.mode == SHORT && p->call->writes && r->rdx > 1) {
		r->rdx /= 2;
		ptrace(PTRACE_SETREGS, p->pid, 0, r);
	}
	p->last = now && t.mode == AFTER;
	p->leaving = p->last || t.log;
	return p->leaving ? PTRACE_SYSCALL : PTRACE_CONT;
}

static enum __ptrace_request
on_entry(struct tracee *p)
{
	struct user_regs_struct r;
	const struct call *c;
	char comm[32];

	if (ptrace(PTRACE_GETREGS, p->pid, 0, &r) < 0 || !(c = call_by_nr(r.orig_rax)))
		return PTRACE_CONT;
	if (c->how == DUMPABLE) {
		keep_dumpable(p->pid, &r);
		p->begun |= r.rdi == PR_SET_DUMPABLE;
		return PTRACE_CONT;
	}
	if (!resolve(p, c, &r) || (c->how != RESOURCE && !(below_roots(p->path[0]) || below_roots(p->path[1]))))
		return PTRACE_CONT;
	if (t.only) {
		comm_of(p->pid, comm);
		if (strncmp(comm, t.only, strlen(t.only)) != 0)
			return PTRACE_CONT;
	}
	p->call = c;
	p->n = ++t.count;
	shape_of(p);
	p->nth = nth_of(p);
	note_file(p, &r);
	if (t.at == 0 && is_wanted(p))
		t.at = p->n;
	return act(p, &r);
}

static void
on_exit_stop(struct tracee *p)
{
	struct user_regs_struct r;

	if (!p->leaving)
		return;
	p->leaving = false;
	if (ptrace(PTRACE_GETREGS, p->pid, 0, &r) == 0) {
		note_result(p, (long long)r.rax);
		log_call(p, (long long)r.rax);
	}
	if (p->last)
		kill_tree();
}

static void
on_stop(pid_t pid, int status)
{
	struct tracee *p = tracee_get(pid);
	int sig = WSTOPSIG(status), event = status >> 16;
	enum __ptrace_request resume = PTRACE_CONT;
	unsigned long pass = 0;

	if (event == PTRACE_EVENT_SECCOMP)
		resume = on_entry(p);
	else if (sig == (SIGTRAP | 0x80))
		on_exit_stop(p);
	else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		resume = PTRACE_LISTEN; /* a real group stop */
	else if (event == 0)
		pass = (unsigned long)sig;
	if (t.killed)
		kill(pid, SIGKILL);
	ptrace(resume, pid, 0, pass);
}

/* --- start and end --------------------------------------------------------------------- */

#define STOP BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE)
#define PASS BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))

/* Stops for the calls of the table; of all that opens, for what may create only. */
static void
install_filter(void)
{
	static const struct sock_filter opens[] = {
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), 0, 1),
		STOP,
		PASS,
	};
	struct sock_filter code[sizeof opens / sizeof *opens + NCALLS * 2 + 2] = { LOAD(nr) };
	struct sock_fprog prog = { .filter = code };
	size_t n = 1;

	if (t.table == calls) {
		memcpy(code + n, opens, sizeof opens);
		n += sizeof opens / sizeof *opens;
	}
	for (size_t i = 0; i < t.ntable; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)t.table[i].nr, 0, 1);
		code[n++] = (struct sock_filter)STOP;
	}
	code[n++] = (struct sock_filter)PASS;
	prog.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		fail("seccomp");
}

static pid_t
start(char **argv)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
	    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int go[2];
	pid_t pid;
	char c;

	if (pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		fail("fork");
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(70);
		install_filter();
		execvp(argv[0], argv);
		fail(argv[0]);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
		fail("ptrace");
	tracee_get(pid);
	if (write(go[1], "", 1) != 1)
		fail("pipe");
	close(go[0]);
	close(go[1]);
	return pid;
}

static volatile sig_atomic_t overdue;

static void
on_alarm(int sig)
{
	(void)sig;
	overdue = 1;
}

/* Runs until the last process of the tree is gone; returns the status of the first. */
static int
run(pid_t first)
{
	int status, first_status = 0;
	pid_t pid;

	for (;;) {
		if ((pid = waitpid(-1, &status, __WALL)) < 0) {
			if (errno == EINTR && overdue) {
				fprintf(stderr, "tracer: %zu processes outlived the command\n", kill_tree());
				overdue = 0;
			} else if (errno != EINTR)
				return first_status;
			continue;
		}
		if (WIFSTOPPED(status)) {
			on_stop(pid, status);
			continue;
		}
		tracee_forget(pid);
		if (pid == first) {
			first_status = status;
			alarm(10);
		}
	}
}

static void
options(int argc, char **argv)
{
	size_t i;
	int o;

	while ((o = getopt(argc, argv, "+r:m:k:e:n:c:a:s:l:d:o:x")) != -1)
		switch (o) {
		case 'r':
			if (t.nroots == ROOTS_MAX || !(t.roots[t.nroots++] = realpath(optarg, NULL)))
				fail(optarg);
			break;
		case 'm':
			for (i = 0; i < sizeof mode_names / sizeof *mode_names; i++)
				if (strcmp(optarg, mode_names[i]) == 0)
					t.mode = (enum mode)i;
			break;
		case 'k':
			t.k = strtoul(optarg, NULL, 10);
			break;
		case 'n':
			t.times = strtoul(optarg, NULL, 10);
			break;
		case 'e':
			for (i = 0; i < sizeof errors / sizeof *errors; i++)
				if (strcmp(optarg, errors[i].name) == 0)
					t.err = errors[i].value;
			break;
		case 'c':
			t.only = optarg;
			break;
		case 'a':
			t.call = optarg;
			break;
		case 's':
			t.shape = optarg;
			break;
		case 'l':
			if (!(t.log = fopen(optarg, "we")))
				fail(optarg);
			break;
		case 'd':
			if (!(t.data = fopen(optarg, "we")))
				fail(optarg);
			break;
		case 'x':
			t.table = resources;
			t.ntable = NRESOURCES;
			break;
		case 'o':
			t.result = optarg;
			break;
		default:
			exit(64);
		}
	if (optind >= argc || (t.nroots == 0) != (t.table == resources) || !t.call != !t.shape || (t.data && !t.log)) {
		fprintf(stderr, "usage: tracer -r ROOT [-m count|before|after|error|short] [-k N] [-e ERRNO]"
		    " [-n TIMES] [-c NAME] [-a CALL -s SHAPE] [-l LOG [-d DATA]]"
		    " [-o RESULT] -- COMMAND...\n       tracer -x -c NAME [...] -- COMMAND...\n");
		exit(64);
	}
}

static void
write_result(void)
{
	FILE *f;

	if (!t.result)
		return;
	if (!(f = fopen(t.result, "we")))
		fail(t.result);
	fprintf(f, "calls %lu\nhit %d\ncall %s\n", t.count, t.hit, t.hit_text);
	if (fclose(f) != 0)
		fail(t.result);
}

int
main(int argc, char **argv)
{
	struct sigaction alarmed = { .sa_handler = on_alarm };
	int status;

	options(argc, argv);
	sigaction(SIGALRM, &alarmed, NULL);
	status = run(start(argv + optind));
	write_result();
	if ((t.log && fclose(t.log) != 0) || (t.data && fclose(t.data) != 0))
		fail("log");
	if (t.hit && (t.mode == BEFORE || t.mode == AFTER))
		return 99;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
