/*
 * sealroom-fetch - asks time-stamping authorities over the network.
 *
 * A zygote (agent/lib/task.h): reads the settings, then forks a child for each
 * request.  It sees digests and URLs and never a document or a key; what comes
 * back is bytes, judged elsewhere (sealroom-verify).
 */
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sysexits.h>

#include "agent/lib/confine.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "agent/lib/unit.h"

#include "rules/conf.h"

#include "seal/fetch/http.h"
#include "seal/fetch/request.h"

#define ANSWER_MAX (64 * 1024) /* sealroom-verify takes no more */
#define REQUEST_MAX 512
#define DNS_PORT 53

/* Memory, the socket to the core, and files: resolver and CAs. */
#define CALLS_COMMON \
	__NR_read, __NR_write, __NR_close, __NR_poll, __NR_ppoll, __NR_sendmsg, __NR_recvmsg, __NR_brk, __NR_munmap, \
	__NR_mremap, __NR_madvise, __NR_futex, __NR_getrandom, __NR_clock_gettime, __NR_gettimeofday, __NR_getpid, \
	__NR_gettid, __NR_rt_sigprocmask, __NR_rt_sigaction, __NR_rt_sigreturn, __NR_restart_syscall, __NR_exit, \
	__NR_exit_group, __NR_openat, __NR_fstat, __NR_newfstatat, __NR_lseek, __NR_pread64, __NR_fcntl, __NR_getdents64

/* A connection: no bind(), no listen(), no accept(). */
#define CALLS_NET \
	__NR_connect, __NR_sendto, __NR_sendmmsg, __NR_recvfrom, __NR_getsockopt, __NR_setsockopt, __NR_getsockname, \
	__NR_getpeername, __NR_shutdown, __NR_select, __NR_pselect6, __NR_uname

static const int child_calls[] = { CALLS_COMMON, CALLS_NET, -1 };

/* Asked by the resolver and by OpenSSL, which do without. */
static const int child_refused[] = { __NR_ioctl, -1 };

/* What its children may, and to fork, watch and reap them. */
#define CALLS_ZYGOTE \
	CALLS_COMMON, CALLS_NET, __NR_pidfd_open, __NR_wait4, __NR_dup2, __NR_close_range, __NR_set_robust_list, __NR_prctl, \
	__NR_prlimit64, __NR_seccomp, __NR_landlock_create_ruleset, __NR_landlock_add_rule, __NR_landlock_restrict_self

static const int zygote_calls[] = { CALLS_ZYGOTE, -1 };

/* As a unit it has a uid of its own: the core can not end its children, and it can not signal the core. */
static const int unit_calls[] = { CALLS_ZYGOTE, __NR_pidfd_send_signal, -1 };

/*
 * resolv.conf is replaced by rename on many a machine, often behind a symlink
 * to /run, and a rule holds for the file that was there when it was made.  So
 * the zygote keeps the directories, and each child the files of this moment.
 */
static const struct confine_path zygote_paths[] = {
	{ "/etc", CONFINE_READ, false },
	{ "/run/systemd/resolve", CONFINE_READ, true },
	{ "/run/NetworkManager", CONFINE_READ, true },
	{ "/run/resolvconf", CONFINE_READ, true },
	{ "/usr/lib/ssl", CONFINE_READ, true },
	{ "/usr/share/ca-certificates", CONFINE_READ, true },
	{ "/usr/local/share/ca-certificates", CONFINE_READ, true },
	{ NULL, 0, false },
};
static const struct confine_path child_paths[] = {
	{ "/etc/resolv.conf", CONFINE_READ, true },
	{ "/etc/hosts", CONFINE_READ, true },
	{ "/etc/host.conf", CONFINE_READ, true },
	{ "/etc/gai.conf", CONFINE_READ, true },
	{ "/etc/ssl/certs", CONFINE_READ, true },
	{ "/usr/lib/ssl", CONFINE_READ, true },
	{ "/usr/share/ca-certificates", CONFINE_READ, true },
	{ "/usr/local/share/ca-certificates", CONFINE_READ, true },
	{ NULL, 0, false },
};

/* What setup() says is the ports; a child has them from its zygote. */
static struct confine fetch_zygote = { .name = "fetch", .paths = zygote_paths, .syscalls = zygote_calls,
	.refused = child_refused, .allow_fork = true, .socket_families = 1u << AF_INET | 1u << AF_INET6,
	.fsize_bytes = UINT64_MAX };
static struct confine fetch_unit = { .name = "fetch", .paths = zygote_paths, .syscalls = unit_calls,
	.refused = child_refused, .allow_fork = true, .socket_families = 1u << AF_INET | 1u << AF_INET6,
	.fsize_bytes = UINT64_MAX };
static const struct confine fetch_child = { .name = "fetch task", .paths = child_paths, .syscalls = child_calls,
	.refused = child_refused, .socket_families = 1u << AF_INET | 1u << AF_INET6 };

/* Each URL in turn; the last failure is told. */
static int
ask(const struct conf_tsa *tsa, const struct buf *request, struct buf *answer, uint32_t *ret_url, struct err *e)
{
	int r = err_set(e, ERR_CONF, "tsa \"%s\" has no url", tsa->name);

	for (size_t i = 0; i < tsa->url.n; i++) {
		const struct http_post post = { .url = tsa->url.v[i], .type = "application/timestamp-query",
			.body = request->data, .len = request->len, .expect = "application/timestamp-reply",
			.timeout_ms = tsa->timeout_ms };

		buf_clear(answer);
		if ((r = http_post(&post, answer, e)) == 0) {
			*ret_url = (uint32_t)i;
			break;
		}
	}
	return r;
}

/* STAMP and PROBE alike: what is stamped is a digest, whatever it is for. */
static int
run_stamp(struct task *t, struct err *e)
{
	const struct conf_tsa *tsa;
	struct stamp_params p;
	struct stamp_result result = { 0 };
	AUTO_BUF request, answer, payload;
	int r;

	buf_init(&request, REQUEST_MAX);
	buf_init(&answer, ANSWER_MAX);
	buf_init(&payload, WIRE_PAYLOAD);
	if ((r = stamp_params_get(&t->params, &p, e)) < 0)
		return r;
	if ((tsa = conf_tsa(t->role_state, p.tsa)) == NULL)
		return err_set(e, ERR_PEER, "no tsa \"%s\" in the settings", p.tsa);
	if ((r = request_make(p.imprint, p.nonce, tsa->policy, &request, e)) < 0 ||
	    (r = ask(tsa, &request, &answer, &result.url, e)) < 0 ||
	    (r = io_write_full(t->out, answer.data, answer.len, e)) < 0)
		return r;
	result.len = answer.len;
	stamp_result_put(&payload, &result);
	return task_result(t, &payload, e);
}

/* Those of all time-stamping authorities, and DNS over TCP. */
static int
allow_ports(const struct conf *conf, struct err *e)
{
	uint16_t *ports;
	size_t n = 0, most = 2;
	int r = 0;

	for (size_t i = 0; i < conf->ntsas; i++)
		most += conf->tsas[i].url.n;
	if ((ports = calloc(most, sizeof(*ports))) == NULL) /* as long as the process */
		return err_set(e, ERR_MEM, "ports");
	ports[n++] = DNS_PORT;
	for (size_t i = 0; i < conf->ntsas; i++)
		for (size_t k = 0; k < conf->tsas[i].url.n && r == 0; k++)
			r = http_port(conf->tsas[i].url.v[k], &ports[n++], e);
	fetch_zygote.tcp_ports = fetch_unit.tcp_ports = ports;
	return r;
}

static int
setup(int fd, uint32_t flags, struct buf *ready, void **state, struct err *e)
{
	struct settings s = { 0 };
	struct conf *conf;
	int r;

	(void)flags;
	(void)ready; /* nothing to tell */
	if ((r = settings_read(fd, &s, e)) < 0)
		return r;
	if ((r = conf_parse(&conf, s.conf, e)) == 0 && (r = allow_ports(conf, e)) == 0)
		*state = conf;
	settings_done(&s);
	return r;
}

static const struct task_kind kinds[] = {
	{ TASK_STAMP, "stamp", run_stamp, NULL },
	{ TASK_PROBE, "probe", run_stamp, NULL },
};

static const struct task_role fetch_role = { .program = "sealroom-fetch", .role = ROLE_FETCH, .kinds = kinds,
	.nkinds = sizeof(kinds) / sizeof(kinds[0]), .setup = setup, .zygote = &fetch_zygote, .child = &fetch_child };

int
main(int argc, char **argv)
{
	struct task_role role = fetch_role;
	struct err e = { 0 };

	proc_start("sealroom-fetch", WIRE_FD);
	if (argc != 1 && (argc != 3 || strcmp(argv[1], "--connect") != 0)) {
		fprintf(stderr, "usage: sealroom-fetch [--connect SOCKET]\n"
		                "sealroomd or its unit starts it; see sealroom-fetch(8).\n");
		return EX_USAGE;
	}
	/* the built-in provider and no openssl.cnf: an admin's settings for other programs must not matter */
	if (!OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL)) {
		log_line(LOG_CRIT, "libssl does not start");
		return EXIT_FAILURE;
	}
	if (argc == 3)
		role.zygote = &fetch_unit;
	if ((argc == 3 && unit_connect(argv[2], &e) < 0) || task_serve(&role, &e) < 0) {
		log_err(LOG_ERR, "stopped", &e);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
