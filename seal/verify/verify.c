/*
 * sealroom-verify - judges signatures and completes them with time stamps.
 *
 * A zygote (agent/lib/task.h): reads the trusted roots once, then forks a
 * child for each task.  A child gets hostile DER in a descriptor and hashes in
 * a message; it opens nothing, connects to nothing and has no key.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "agent/lib/confine.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"

#include "seal/verify/attach.h"
#include "seal/verify/chain.h"
#include "seal/verify/ers.h"
#include "seal/verify/judge.h"

#define SIGS_FILE_MAX ((size_t)SIGS_MAX * (SIGS_CMS_MAX + 4096))
#define RECORD_FILE_MAX ((size_t)4 + (size_t)ERS_OBJECTS_MAX * HASH_LEN + ERS_RECORD_MAX)
#define RESULT_ROOM 256 /* of a message, for what stands beside the bytes */

/* Memory, the input, one socket, the end. */
#define CALLS_CHILD \
	__NR_read, __NR_pread64, __NR_fstat, __NR_newfstatat, __NR_write, __NR_close, __NR_poll, __NR_sendmsg, __NR_brk, \
	__NR_munmap, __NR_mremap, __NR_madvise, __NR_futex, __NR_getrandom, __NR_clock_gettime, __NR_rt_sigprocmask, \
	__NR_rt_sigreturn, __NR_restart_syscall, __NR_exit, __NR_exit_group

static const int child_calls[] = { CALLS_CHILD, -1 };

/* To fork, to watch, to reap; and what a child needs to give up the rest. */
static const int zygote_calls[] = { CALLS_CHILD, __NR_recvmsg, __NR_pidfd_open, __NR_wait4, __NR_dup2, __NR_close_range,
	__NR_set_robust_list, __NR_gettid, __NR_getpid, __NR_prctl, __NR_prlimit64, __NR_seccomp,
	__NR_landlock_create_ruleset, __NR_landlock_restrict_self, -1 };

static const struct confine verify_zygote = { .name = "verify", .syscalls = zygote_calls, .allow_fork = true,
	.fsize_bytes = UINT64_MAX };
static const struct confine verify_child = { .name = "verify task", .syscalls = child_calls };

/* The whole of the task's input; freed by the caller. */
static int
read_input(const struct task *t, size_t max, uint8_t **ret, size_t *ret_len, struct err *e)
{
	AUTO_FREE uint8_t *p = NULL;
	uint64_t len;
	int r;

	if (t->in < 0)
		return err_set(e, ERR_PEER, "task without input");
	if ((r = io_size(t->in, &len, e)) < 0)
		return r;
	if (len > max)
		return err_set(e, ERR_PEER, "input is longer than agreed: %llu bytes", (unsigned long long)len);
	if ((p = malloc((size_t)len + 1)) == NULL)
		return err_set(e, ERR_MEM, "input of %llu bytes", (unsigned long long)len);
	if ((r = io_pread_full(t->in, p, (size_t)len, 0, e)) < 0)
		return r;
	*ret = p;
	*ret_len = (size_t)len;
	p = NULL;
	return 0;
}

static int
run_attach(struct task *t, struct err *e)
{
	struct attach_params p;
	struct attach_result result;
	AUTO_FREE uint8_t *answer = NULL;
	AUTO_BUF bytes, payload;
	size_t len;
	int r;

	buf_init(&bytes, WIRE_PAYLOAD - RESULT_ROOM);
	buf_init(&payload, WIRE_PAYLOAD);
	if ((r = attach_params_get(&t->params, &p, e)) < 0 ||
	    (r = read_input(t, ATTACH_ANSWER_MAX, &answer, &len, e)) < 0 ||
	    (r = attach_run(t->role_state, &p, answer, len, &bytes, &result, e)) < 0)
		return r;
	attach_result_put(&payload, &result);
	return task_result(t, &payload, e);
}

static int
run_judge(struct task *t, struct err *e)
{
	static struct judge_params p;
	static struct judge_result result;
	AUTO_FREE uint8_t *sigs = NULL;
	AUTO_BUF in, payload;
	size_t len;
	int r;

	buf_init(&in, 0);
	buf_init(&payload, WIRE_PAYLOAD);
	if ((r = judge_params_get(&t->params, &p, e)) < 0 ||
	    (r = read_input(t, SIGS_FILE_MAX, &sigs, &len, e)) < 0)
		return r;
	buf_view(&in, sigs, len);
	if ((r = judge_run(t->role_state, &p, &in, &result, e)) < 0)
		return r;
	judge_result_put(&payload, &result);
	return task_result(t, &payload, e);
}

/* u32 n, n hashes, the record. */
static int
run_record(struct task *t, struct err *e)
{
	static struct ers_result result;
	struct ers_params p;
	AUTO_FREE uint8_t *bytes = NULL;
	AUTO_BUF payload, in;
	const uint8_t *objects;
	uint32_t n;
	size_t len;
	int r;

	buf_init(&in, 0);
	buf_init(&payload, WIRE_PAYLOAD);
	if ((r = ers_params_get(&t->params, &p, e)) < 0 || (r = read_input(t, RECORD_FILE_MAX, &bytes, &len, e)) < 0)
		return r;
	buf_view(&in, bytes, len);
	n = buf_get_u32(&in);
	if (n == 0 || n > ERS_OBJECTS_MAX || (objects = buf_get_raw(&in, (size_t)n * HASH_LEN)) == NULL)
		return err_set(e, ERR_PEER, "input without the hashes of objects");
	len = buf_left(&in);
	ers_judge(t->role_state, &p, (const uint8_t (*)[HASH_LEN])objects, n, buf_get_raw(&in, len), len, &result);
	ers_result_put(&payload, &result);
	return task_result(t, &payload, e);
}

static int
setup(int fd, uint32_t flags, struct buf *ready, void **state, struct err *e)
{
	struct settings s = { 0 };
	struct trust *trust;
	int r;

	(void)flags;
	(void)ready; /* nothing to tell */
	if ((r = settings_read(fd, &s, e)) < 0)
		return r;
	if ((r = trust_new(&trust, &s, e)) == 0)
		*state = trust;
	settings_done(&s);
	return r;
}

static const struct task_kind kinds[] = {
	{ TASK_ATTACH, "attach", run_attach, NULL },
	{ TASK_JUDGE, "judge", run_judge, NULL },
	{ TASK_RECORD, "record", run_record, NULL },
};

static const struct task_role verify_role = { .program = "sealroom-verify", .role = ROLE_VERIFY, .kinds = kinds,
	.nkinds = sizeof(kinds) / sizeof(kinds[0]), .setup = setup, .zygote = &verify_zygote, .child = &verify_child };

int
main(void)
{
	struct err e = { 0 };

	proc_start("sealroom-verify", WIRE_FD);
	tzset(); /* gmtime() and timegm() look for /etc/localtime once, also for UTC */
	/* the built-in provider and no openssl.cnf: a child can not open one, and an admin's must not matter */
	if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, NULL)) {
		log_line(LOG_CRIT, "libcrypto does not start");
		return EXIT_FAILURE;
	}
	if (task_serve(&verify_role, &e) < 0) {
		log_err(LOG_ERR, "stopped", &e);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
