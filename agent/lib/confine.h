/*
 * confine.h - Landlock, seccomp and resource limits of one role.
 *
 *	struct confine c = { .name = ..., .syscalls = list, .paths = rules, ... };
 *	confine_apply(&c, &e)       no way back; failure is fatal to the process
 *
 * File-system rules (Landlock ABI >= 1) and seccomp are compulsory.  Network
 * rules (ABI 4) and scopes (ABI 6) are added where the kernel has them and
 * nothing depends on them.  SEALROOM_LANDLOCK_ABI=2 in the environment pretends
 * an older kernel, for tests; it can not turn anything off.  Landlock does not
 * govern connect() to a pathname socket: who must not reach one has no socket().
 *
 * A system call that is not in the list kills the process (SIGSYS), except
 * those in 'refused', which fail with EPERM so that libraries go on.  Of
 * prctl(2) in the list only what this module itself needs is allowed, of
 * prlimit64(2) only one's own limits.
 *
 * In a build with SEALROOM_SANITIZE (make asan) the seccomp filter and RLIMIT_AS
 * are left out, because the sanitizers need them open; Landlock stays.
 */
#ifndef SEALROOM_CONFINE_H
#define SEALROOM_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"

#define CONFINE_READ 1u   /* read files and list directories */
#define CONFINE_WRITE 2u  /* write, create, rename, remove below it */
#define CONFINE_EXEC 4u   /* map executable (dlopen needs only READ; exec needs this) */

struct confine_path {
	const char *path; /* file or directory; NULL ends the list */
	uint32_t access;
	bool optional;    /* absent is fine */
};

struct confine {
	const char *name;
	const struct confine_path *paths; /* NULL: no file system at all */
	const int *syscalls;              /* __NR_*, ends with -1 */
	const int *refused;               /* answered with EPERM; may be NULL */
	bool allow_fork;                  /* clone without namespaces; clone3 answers ENOSYS */
	bool allow_prot_exec;             /* mmap/mprotect with PROT_EXEC (never together with PROT_WRITE) */
	uint32_t socket_families;         /* bit set of 1u << AF_*, all others EAFNOSUPPORT; 0: no socket() */
	const uint16_t *tcp_ports;        /* which connect(2) over TCP may go to, and no bind(2); ends with 0; NULL: any.  ABI 4 */
	uint64_t as_bytes;                /* RLIMIT_AS; 0: untouched */
	uint32_t cpu_seconds;             /* RLIMIT_CPU; 0: untouched */
	uint64_t fsize_bytes;             /* RLIMIT_FSIZE; UINT64_MAX: untouched */
};

int confine_apply(const struct confine *, struct err *);
/* Resource limits alone; confine_apply() calls it. */
int confine_limits(const struct confine *, struct err *);
/* The Landlock ABI in use: the kernel's, or less by SEALROOM_LANDLOCK_ABI. */
int confine_abi(void);

#endif
