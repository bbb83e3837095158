/*
 * faults.h - the n-th call of a kind fails (SQLite's habit: n = 1, 2, ... until none does).
 *
 *	faults_arm(FAULTS_IO, n)      the n-th call from now on fails, once
 *	faults_hit()                  whether it came; nothing fails any more
 *	FAULTS_PAUSE;                 nothing fails, or is counted, until the end of this block
 *
 * Defined here are libc's own names, so that whatever the program under test calls
 * comes by; what libc and other libraries do among themselves does not.  Kinds:
 *
 *	FAULTS_IO     EIO from whatever touches a file or directory
 *	FAULTS_SPACE  ENOSPC from whatever may need a block, from the n-th on: a disk stays full, until faults_hit()
 *	FAULTS_SHORT  a write takes half of what it is given
 *	FAULTS_MEM    no memory; not with sanitizers, whose malloc is their own
 *	FAULTS_LOOK   EIO from fstatat() alone: what is asked for its presence must not pass for present, nor for absent
 *	FAULTS_FILES  EMFILE from whatever makes a descriptor
 *	FAULTS_DEATH  killed before whatever changes a file or directory
 *
 * faults_tell(), where there is one, is called when it comes.
 *
 * To be included first: with fortification the names would not be plain functions.
 */
#ifndef SEALROOM_TEST_FAULTS_H
#define SEALROOM_TEST_FAULTS_H

#undef _FORTIFY_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum faults { FAULTS_NONE, FAULTS_IO, FAULTS_SPACE, FAULTS_SHORT, FAULTS_MEM, FAULTS_LOOK, FAULTS_FILES, FAULTS_DEATH };
static const char *const faults_names[] = { "nothing", "EIO", "ENOSPC", "a short write", "ENOMEM", "EIO from looking", "EMFILE", "death" };

static enum faults faults_kind;
static unsigned long faults_left;
static bool faults_came;
static const char *faults_call = ""; /* the one that failed */
static int faults_paused;
static void (*faults_tell)(void); /* NULL: nobody */

static inline void
faults_go_on(int *p)
{
	(void)p;
	faults_paused--;
}
#define FAULTS_PAUSE __attribute__((cleanup(faults_go_on), unused)) int faults_pause = ++faults_paused

extern const char __executable_start, etext;
#define FAULTS_OURS \
	((uintptr_t)__builtin_return_address(0) >= (uintptr_t)&__executable_start && \
	    (uintptr_t)__builtin_return_address(0) < (uintptr_t)&etext)

static inline void
faults_arm(enum faults kind, unsigned long n)
{
	faults_came = false;
	faults_call = "";
	faults_left = n;
	faults_kind = kind;
}

static inline bool
faults_hit(void)
{
	faults_kind = FAULTS_NONE;
	return faults_came;
}

/* Does this call fail? */
static inline bool
faults_now(enum faults kind, const char *call)
{
	if (kind != faults_kind || faults_paused > 0 || (faults_came && kind != FAULTS_SPACE))
		return false;
	if (!faults_came && --faults_left > 0)
		return false;
	if (faults_came)
		return true;
	faults_call = call;
	faults_came = true;
	if (faults_tell != NULL)
		faults_tell();
	return true;
}

enum faults_does { FAULTS_READS, FAULTS_CHANGES, FAULTS_GROWS }; /* a file or directory; what grows may need a block */

static inline bool
faults_error(bool ours, enum faults_does does, const char *call)
{
	if (!ours || faults_kind == FAULTS_NONE)
		return false;
	if (does != FAULTS_READS && faults_now(FAULTS_DEATH, call))
		kill(getpid(), SIGKILL);
	if (faults_now(FAULTS_IO, call)) {
		errno = EIO;
		return true;
	}
	if (does == FAULTS_GROWS && faults_now(FAULTS_SPACE, call)) {
		errno = ENOSPC;
		return true;
	}
	return false;
}

/* The same of what makes a descriptor. */
static inline bool
faults_no_file(bool ours, enum faults_does does, const char *call)
{
	if (ours && faults_now(FAULTS_FILES, call)) {
		errno = EMFILE;
		return true;
	}
	return faults_error(ours, does, call);
}

static inline void *
faults_real(const char *name)
{
	void *p = dlsym(RTLD_NEXT, name);

	if (p == NULL)
		abort();
	return p;
}

#define FAULTS_CALL(type, name, params, args, does, failed) \
	type name params \
	{ \
		static type(*real) params; \
		if (real == NULL) \
			*(void **)&real = faults_real(#name); \
		return faults_error(FAULTS_OURS, does, #name) ? failed : real args; \
	}

/* clang-format off */
FAULTS_CALL(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n), FAULTS_READS, -1)
FAULTS_CALL(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at), FAULTS_READS, -1)
FAULTS_CALL(int, fsync, (int fd), (fd), FAULTS_GROWS, -1)
FAULTS_CALL(int, fdatasync, (int fd), (fd), FAULTS_GROWS, -1)
FAULTS_CALL(int, ftruncate, (int fd, off_t n), (fd, n), FAULTS_CHANGES, -1)
FAULTS_CALL(int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), FAULTS_GROWS, -1)
FAULTS_CALL(int, renameat2, (int a, const char *b, int c, const char *d, unsigned f), (a, b, c, d, f), FAULTS_GROWS, -1)
FAULTS_CALL(int, renameat, (int a, const char *b, int c, const char *d), (a, b, c, d), FAULTS_GROWS, -1)
FAULTS_CALL(int, linkat, (int a, const char *b, int c, const char *d, int f), (a, b, c, d, f), FAULTS_GROWS, -1)
FAULTS_CALL(int, unlinkat, (int a, const char *b, int f), (a, b, f), FAULTS_CHANGES, -1)
FAULTS_CALL(int, mkdirat, (int a, const char *b, mode_t m), (a, b, m), FAULTS_GROWS, -1)
FAULTS_CALL(int, fchmod, (int fd, mode_t m), (fd, m), FAULTS_CHANGES, -1)
FAULTS_CALL(int, fstat, (int fd, struct stat *st), (fd, st), FAULTS_READS, -1)
FAULTS_CALL(int, fstatvfs, (int fd, struct statvfs *st), (fd, st), FAULTS_READS, -1)
FAULTS_CALL(DIR *, fdopendir, (int fd), (fd), FAULTS_READS, NULL)
FAULTS_CALL(struct dirent *, readdir, (DIR *d), (d), FAULTS_READS, NULL)
/* clang-format on */

int
fstatat(int dir, const char *restrict name, struct stat *restrict st, int flags)
{
	static int (*real)(int, const char *restrict, struct stat *restrict, int);
	const bool ours = FAULTS_OURS;

	if (real == NULL)
		*(void **)&real = faults_real("fstatat");
	if (ours && faults_kind == FAULTS_LOOK && !faults_came) {
		static char looked[64]; /* the name may be gone when it is told */

		snprintf(looked, sizeof(looked), "%s", name);
		if (faults_now(FAULTS_LOOK, looked)) {
			errno = EIO;
			return -1;
		}
	}
	return faults_error(ours, FAULTS_READS, "fstatat") ? -1 : real(dir, name, st, flags);
}

static inline ssize_t
faults_write(bool ours, const char *call, size_t *n)
{
	if (faults_error(ours, FAULTS_GROWS, call))
		return -1;
	if (ours && *n > 1 && faults_now(FAULTS_SHORT, call))
		*n /= 2;
	return 0;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	static ssize_t (*real)(int, const void *, size_t);

	if (real == NULL)
		*(void **)&real = faults_real("write");
	return faults_write(FAULTS_OURS, "write", &n) < 0 ? -1 : real(fd, p, n);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t at)
{
	static ssize_t (*real)(int, const void *, size_t, off_t);

	if (real == NULL)
		*(void **)&real = faults_real("pwrite");
	return faults_write(FAULTS_OURS, "pwrite", &n) < 0 ? -1 : real(fd, p, n, at);
}

static inline int
faults_open(bool ours, int dir, const char *name, int flags, mode_t mode)
{
	static int (*real)(int, const char *, int, ...);

	if (real == NULL)
		*(void **)&real = faults_real("openat");
	return faults_no_file(ours, flags & O_CREAT ? FAULTS_GROWS : FAULTS_READS, "openat") ? -1 : real(dir, name, flags, mode);
}

static inline mode_t
faults_mode(int flags, va_list ap)
{
	return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? (mode_t)va_arg(ap, unsigned) : 0;
}

int
openat(int dir, const char *name, int flags, ...)
{
	bool ours = FAULTS_OURS;
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = faults_mode(flags, ap);
	va_end(ap);
	return faults_open(ours, dir, name, flags, mode);
}

int
open(const char *name, int flags, ...)
{
	bool ours = FAULTS_OURS;
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = faults_mode(flags, ap);
	va_end(ap);
	return faults_open(ours, AT_FDCWD, name, flags, mode);
}

/* openat2() has no name in libc. */
long
syscall(long call, ...)
{
	static long (*real)(long, ...);
	const bool ours = FAULTS_OURS;
	va_list ap;
	long a[6];

	if (real == NULL)
		*(void **)&real = faults_real("syscall");
	va_start(ap, call);
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	if (call == SYS_openat2 && faults_no_file(ours, FAULTS_READS, "openat2"))
		return -1;
	return real(call, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int
fcntl(int fd, int cmd, ...)
{
	static int (*real)(int, int, ...);
	const bool ours = FAULTS_OURS;
	va_list ap;
	void *arg;

	if (real == NULL)
		*(void **)&real = faults_real("fcntl");
	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (ours && cmd == F_DUPFD_CLOEXEC && faults_now(FAULTS_FILES, "fcntl")) {
		errno = EMFILE;
		return -1;
	}
	return real(fd, cmd, arg);
}

int
memfd_create(const char *name, unsigned flags)
{
	static int (*real)(const char *, unsigned);

	if (real == NULL)
		*(void **)&real = faults_real("memfd_create");
	return faults_no_file(FAULTS_OURS, FAULTS_GROWS, "memfd_create") ? -1 : real(name, flags);
}

/* What fortified code calls instead. */
ssize_t __read_chk(int fd, void *p, size_t n, size_t size);
ssize_t
__read_chk(int fd, void *p, size_t n, size_t size)
{
	static ssize_t (*real)(int, void *, size_t, size_t);

	if (real == NULL)
		*(void **)&real = faults_real("__read_chk");
	return faults_error(FAULTS_OURS, FAULTS_READS, "read") ? -1 : real(fd, p, n, size);
}

ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t size);
ssize_t
__pread_chk(int fd, void *p, size_t n, off_t at, size_t size)
{
	static ssize_t (*real)(int, void *, size_t, off_t, size_t);

	if (real == NULL)
		*(void **)&real = faults_real("__pread_chk");
	return faults_error(FAULTS_OURS, FAULTS_READS, "pread") ? -1 : real(fd, p, n, at, size);
}

int __openat_2(int dir, const char *name, int flags);
int
__openat_2(int dir, const char *name, int flags)
{
	return faults_open(FAULTS_OURS, dir, name, flags, 0);
}

#ifndef SEALROOM_SANITIZE
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t n)
{
	if (FAULTS_OURS && faults_now(FAULTS_MEM, "malloc")) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	if (FAULTS_OURS && faults_now(FAULTS_MEM, "calloc")) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	if (FAULTS_OURS && faults_now(FAULTS_MEM, "realloc")) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
	if (size != 0 && n > SIZE_MAX / size) {
		errno = ENOMEM;
		return NULL;
	}
	if (FAULTS_OURS && faults_now(FAULTS_MEM, "reallocarray")) {
		errno = ENOMEM;
		return NULL;
	}
	return __libc_realloc(p, n * size);
}
#endif

#endif
