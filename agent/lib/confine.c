#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/confine.h"
#include "agent/lib/io.h"

/* Debian 12's headers end at ABI 2; these are fixed kernel ABI. */
#define ACCESS_FS_TRUNCATE (1ULL << 14)  /* ABI 3 */
#define ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */
#define ACCESS_NET_BIND_CONNECT 3ULL     /* ABI 4 */
#define ACCESS_NET_CONNECT 2ULL
#define RULE_NET_PORT 2
#define SCOPE_ABSTRACT_AND_SIGNAL 3ULL   /* ABI 6 */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct net_port_attr {
	uint64_t access, port;
};

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG)
#define FS_ALL_1 ((1ULL << 13) - 1) /* all of ABI 1 */

int
confine_abi(void)
{
	const char *pretend = getenv("SEALROOM_LANDLOCK_ABI");
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	/* only lower, never off: 2 is what stock Debian 12 has */
	if (abi > 2 && pretend != NULL && strcmp(pretend, "2") == 0)
		abi = 2;
	return abi;
}

static uint64_t
handled_fs(int abi)
{
	uint64_t fs = FS_ALL_1;

	if (abi >= 2)
		fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		fs |= ACCESS_FS_TRUNCATE;
	if (abi >= 5)
		fs |= ACCESS_FS_IOCTL_DEV;
	return fs;
}

static int
add_path(int ruleset, const struct confine_path *p, uint64_t handled, struct err *e)
{
	struct landlock_path_beneath_attr rule = { 0 };
	struct stat st;
	AUTO_FD fd = open(p->path, O_PATH | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		if (p->optional && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
			return 0;
		return err_sys(e, ERR_CONFINE, "landlock: %s", p->path);
	}
	if (p->access & CONFINE_READ)
		rule.allowed_access |= FS_READ;
	if (p->access & CONFINE_WRITE)
		rule.allowed_access |= FS_WRITE | ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_REFER;
	if (p->access & CONFINE_EXEC)
		rule.allowed_access |= LANDLOCK_ACCESS_FS_EXECUTE;
	rule.allowed_access &= handled;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		    LANDLOCK_ACCESS_FS_EXECUTE | ACCESS_FS_TRUNCATE;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		return err_sys(e, ERR_CONFINE, "landlock: %s", p->path);
	return 0;
}

static int
add_port(int ruleset, uint16_t port, struct err *e)
{
	const struct net_port_attr rule = { ACCESS_NET_CONNECT, port };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0) < 0)
		return err_sys(e, ERR_CONFINE, "landlock: port %u", port);
	return 0;
}

static int
apply_landlock(const struct confine *c, struct err *e)
{
	int abi = confine_abi(), r;
	struct ruleset_attr attr = { 0 };
	size_t size = sizeof(attr.fs);
	AUTO_FD ruleset = -1;

	if (abi < 1)
		return err_set(e, ERR_CONFINE, "this kernel has no Landlock (CONFIG_SECURITY_LANDLOCK, lsm=landlock)");
	attr.fs = handled_fs(abi);
	if (abi >= 4 && (c->socket_families == 0 || c->tcp_ports != NULL)) {
		attr.net = ACCESS_NET_BIND_CONNECT;
		size = 2 * sizeof(uint64_t);
	}
	if (abi >= 6) {
		attr.scoped = SCOPE_ABSTRACT_AND_SIGNAL;
		size = sizeof(attr);
	}
	if ((ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0)) < 0)
		return err_sys(e, ERR_CONFINE, "landlock ruleset");
	for (const struct confine_path *p = c->paths; p != NULL && p->path != NULL; p++)
		if ((r = add_path(ruleset, p, attr.fs, e)) < 0)
			return r;
	for (const uint16_t *p = attr.net != 0 ? c->tcp_ports : NULL; p != NULL && *p != 0; p++)
		if ((r = add_port(ruleset, *p, e)) < 0)
			return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return err_sys(e, ERR_CONFINE, "landlock restrict");
	return 0;
}

int
confine_limits(const struct confine *c, struct err *e)
{
	struct rlimit as = { c->as_bytes, c->as_bytes };
	struct rlimit cpu = { c->cpu_seconds, c->cpu_seconds + 2 };
	struct rlimit size = { c->fsize_bytes, c->fsize_bytes };

#ifdef SEALROOM_SANITIZE
	as.rlim_cur = 0; /* shadow memory is terabytes of address space */
	if (size.rlim_cur == 0)
		size.rlim_cur = size.rlim_max = RLIM_INFINITY; /* what they report may go to a file */
#endif
	if ((as.rlim_cur != 0 && setrlimit(RLIMIT_AS, &as) < 0) ||
	    (c->cpu_seconds != 0 && setrlimit(RLIMIT_CPU, &cpu) < 0) ||
	    (c->fsize_bytes != UINT64_MAX && setrlimit(RLIMIT_FSIZE, &size) < 0))
		return err_sys(e, ERR_CONFINE, "resource limits");
	return 0;
}

#ifndef SEALROOM_SANITIZE
/* What a zygote's child does to itself on its way into confinement, and nothing else of prctl(2). */
static int
allow_prctl(scmp_filter_ctx f)
{
	static const int options[] = { PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_GET_SECCOMP };
	int r = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)options[i], 0));
	return r;
}

static int
allow(scmp_filter_ctx f, int nr)
{
	if (nr == SCMP_SYS(prctl))
		return allow_prctl(f);
	if (nr == SCMP_SYS(prlimit64)) /* its own limits, nobody else's */
		return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 1, SCMP_A0(SCMP_CMP_EQ, 0, 0));
	return seccomp_rule_add(f, SCMP_ACT_ALLOW, nr, 0);
}

/* mmap and mprotect: executable only where a module is loaded, and never writable too. */
static int
allow_memory(scmp_filter_ctx f, bool prot_exec)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int r = 0;

	for (size_t i = 0; i < 2 && r == 0; i++) {
		r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (r == 0 && prot_exec)
			r = seccomp_rule_add(f, SCMP_ACT_ALLOW, calls[i], 1,
			    SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
	}
	return r;
}

static int
allow_fork(scmp_filter_ctx f)
{
	const uint64_t namespaces = 0x7E020080; /* CLONE_NEW* of clone(2) */
	int r = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
	    SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces, 0));

	/* its flags lie in memory, out of the filter's sight: glibc falls back to clone */
	return r != 0 ? r : seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int
fill_filter(scmp_filter_ctx f, const struct confine *c)
{
	int r = 0;

	for (const int *nr = c->syscalls; r == 0 && *nr != -1; nr++)
		r = allow(f, *nr);
	for (const int *nr = c->refused; r == 0 && nr != NULL && *nr != -1; nr++)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), *nr, 0);
	if (r == 0)
		r = allow_memory(f, c->allow_prot_exec);
	if (r == 0 && c->allow_fork)
		r = allow_fork(f);
	/* the resolver and others try more families than they need, and go on without */
	for (uint32_t fam = 0; r == 0 && c->socket_families != 0 && fam < 32; fam++)
		r = seccomp_rule_add(f, c->socket_families & 1u << fam ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT),
		    SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, fam, 0));
	if (r == 0 && c->socket_families != 0)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
		    SCMP_A0(SCMP_CMP_GT, 31, 0));
	return r;
}
#endif

static int
apply_seccomp(const struct confine *c, struct err *e)
{
#ifdef SEALROOM_SANITIZE
	(void)c;
	(void)e;
	return 0;
#else
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (f == NULL)
		return err_set(e, ERR_CONFINE, "seccomp");
	r = fill_filter(f, c);
	if (r == 0)
		r = seccomp_load(f);
	seccomp_release(f);
	return r == 0 ? 0 : err_set(e, ERR_CONFINE, "seccomp %s: %s", c->name, strerror(-r));
#endif
}

int
confine_apply(const struct confine *c, struct err *e)
{
	int r;

	if ((r = apply_landlock(c, e)) < 0 || (r = confine_limits(c, e)) < 0)
		return r;
	return apply_seccomp(c, e);
}
