/*
 * proc.h - how a process of ours begins, and how the core starts one.
 */
#ifndef SEALROOM_PROC_H
#define SEALROOM_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/msgs.h"

/* Exit codes of sysexits(3), and our own. */
#define EXIT_LOG_ROLLBACK 79 /* the evidence log is older than its anti-rollback record, another or damaged; or its key or record is */

extern const char build_id[];      /* hash of the sources, 16 hex digits */
extern const char build_version[]; /* "0.1.0" */

/*
 * First thing in every program: closes what is not expected (all above
 * keep_fd), no core dumps, not dumpable, umask 077, SIGPIPE ignored, log
 * opened, proc_locale().
 */
void proc_start(const char *name, int keep_fd);
/* Text is UTF-8, and what libc reads files for (time zone, messages) is not read later: a confined process could not. */
void proc_locale(void);

/* Gives up every capability, for this process and all it may exec; sets no_new_privs. */
int proc_drop_caps(struct err *);

/* Killed at once when the core dies, also while a library hangs. Not during a login: its outcome would be lost. */
void proc_die_with_parent(void);

/* The directory that programs are looked for in: SEALROOM_LIBEXEC, else beside
 * the running program, below the PREFIX it is installed in, or /usr/libexec/sealroom. */
int proc_program(const char *name, char *path, size_t size, struct err *);

struct proc {
	pid_t pid;
	int pidfd;
	int sock; /* our end of the pair */
};
/*
 * fork + exec with the other end as WIRE_FD and nothing else; capabilities
 * dropped; a small, fixed environment (LC_ALL, PATH, and of ours: SOFTHSM2_CONF,
 * TESSDATA_PREFIX, CREDENTIALS_DIRECTORY, SEALROOM_*, P11FAULT_*, *SAN_OPTIONS).
 */
int proc_spawn(const char *path, char *const argv[], struct proc *ret, struct err *);

/* sd_notify text, e.g. "READY=1"; nothing where NOTIFY_SOCKET is unset. */
void proc_notify(const char *state);

#endif
