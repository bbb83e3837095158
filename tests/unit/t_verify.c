/* sealroom-verify as the core starts it: confined, and right. */
#include <sys/socket.h>

#include "seal/verify/der.h"
#include "tests/unit/cms_data.h"
#include "tests/unit/test.h"
#include "tests/unit/zygote.h"

static struct proc verify;

static bool
start(const char *seal, const char *tsa, struct err *e)
{
	struct file a = data_file(seal), b = data_file(tsa);
	struct settings s = { .nfiles = 2, .conf = (char *)(uintptr_t)"" };

	snprintf(s.files[0].name, sizeof(s.files[0].name), "seal");
	snprintf(s.files[1].name, sizeof(s.files[1].name), "tsa:one");
	s.files[0].data = a.data;
	s.files[1].data = b.data;
	s.files[0].len = (uint32_t)a.len;
	s.files[1].len = (uint32_t)b.len;
	return zygote_start("sealroom-verify", ROLE_VERIFY, &s, &verify, e);
}

static int
task(uint32_t kind, const struct buf *params, const void *in, size_t len, struct buf *result, struct err *e)
{
	AUTO_FD fd = io_memfd("in", in, len, e);
	int status = -1, r;

	r = zygote_task(&verify, ROLE_VERIFY, kind, params, fd, -1, result, &status, e);
	if (r == 0 ? status != 0 : !WIFEXITED(status))
		printf("# wait status %d\n", status);
	return r == 0 && status != 0 ? -ERR_CHILD : r;
}

static int
attach(const char *answer, uint64_t nonce, struct attach_result *ret, struct buf *result, struct err *e)
{
	struct file f = data_file(answer);
	struct attach_params p = { .tsa = "one", .nonce = nonce, .window_from_us = DATA_NOW - 1000000,
		.window_to_us = DATA_NOW + 1000000 };
	AUTO_BUF params;
	int r;

	data_hash(p.imprint);
	buf_init(&params, WIRE_PAYLOAD);
	attach_params_put(&params, &p);
	r = task(TASK_ATTACH, &params, f.data, f.len, result, e);
	return r < 0 ? r : attach_result_get(result, ret, e);
}

static void
test_attach(void)
{
	struct attach_result r = { 0 };
	struct err e = { 0 };
	AUTO_BUF result;

	buf_init(&result, WIRE_PAYLOAD);
	CHECK(attach("good.tsr", DATA_NONCE, &r, &result, &e) == 0 && r.gen_time_us == DATA_STAMPED &&
	        r.cms_len == r.token_len,
	    "a good answer is attached: %s", e.text);
	CHECK(attach("rsa.tsr", DATA_NONCE, &r, &result, &e) == 0, "with an RSA key too: %s", e.text);
	CHECK(attach("good.tsr", 1, &r, &result, &e) == -ERR_TSA_ANSWER &&
	        strcmp(e.text, "TSA one: wrong nonce: the token answers another request") == 0,
	    "a wrong nonce is told: %s", e.text);
	CHECK(attach("content", 1, &r, &result, &e) == -ERR_TSA_ANSWER, "garbage is told: %s", e.text);
}

static int
judge(const char *name, uint32_t nsigs, struct judge_result *ret, struct err *e)
{
	struct file f = data_file(name);
	struct sig_info s = { .sub_filter = "ETSI.CAdES.detached", .covers_revision = 1, .has_signing_time_key = 1,
		.range = { 0, 1000, 10002, 500 }, .cms = f.data, .cms_len = f.len };
	static struct judge_params p;
	AUTO_BUF params, sigs, result;
	int r;

	p.now_us = DATA_NOW;
	p.file_len = 10502;
	p.nsigs = nsigs;
	data_hash(p.range_hash[0]);
	buf_init(&params, WIRE_PAYLOAD);
	buf_init(&sigs, 1 << 20);
	buf_init(&result, WIRE_PAYLOAD);
	judge_params_put(&params, &p);
	sig_info_put(&sigs, &s);
	r = task(TASK_JUDGE, &params, sigs.data, sigs.len, &result, e);
	return r < 0 ? r : judge_result_get(&result, ret, e);
}

static void
test_judge(void)
{
	static const struct {
		const char *name;
		uint32_t verdict, level;
	} cases[] = {
		{ "good.cms", VERDICT_PROVEN, LEVEL_B_B },
		{ "pss.cms", VERDICT_PROVEN, LEVEL_B_B },
		{ "rsa.cms", VERDICT_PROVEN, LEVEL_B_B },
		{ "stamped.cms", VERDICT_PROVEN, LEVEL_B_T },
		{ "expired-stamped.cms", VERDICT_PROVEN, LEVEL_B_T },
		{ "foreign.cms", VERDICT_UNKNOWN, LEVEL_NONE },
		{ "weak.cms", VERDICT_UNKNOWN, LEVEL_NONE },
		{ "content", VERDICT_DISPROVEN, LEVEL_NONE },
	};
	static struct judge_result r;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(judge(cases[i].name, 1, &r, &e) == 0 && r.verdict == cases[i].verdict && r.nsigs == 1 &&
		        r.sigs[0].level == cases[i].level,
		    "%s is judged in the confined child: %s", cases[i].name, e.text);
	CHECK(judge("good.cms", 2, &r, &e) == -ERR_PEER, "fewer signatures than hashes: %s", e.text);
}

/* A child that can not say how it ended, as nobody takes what is in its socket: it waits. */
static bool
begin_stuck(uint32_t id, int *ret_sock, struct err *e)
{
	AUTO_FD in = io_memfd("in", "", 0, e);
	int sv[2], fds[2], r;
	AUTO_BUF b = { 0 };

	if (wire_pair(sv, e) < 0)
		return false;
	while (send(sv[1], "full", 4, MSG_DONTWAIT) > 0)
		;
	buf_init(&b, 64);
	buf_put_u32(&b, id);
	buf_put_u32(&b, TASK_JUDGE);
	buf_put_u32(&b, 0);
	buf_put_u32(&b, 20);
	buf_put_u64(&b, 0);
	buf_put_blob(&b, "", 0);
	fds[0] = sv[1];
	fds[1] = in;
	r = wire_send(verify.sock, MSG_TASK, id, &b, fds, 2, e);
	close(sv[1]);
	*ret_sock = sv[0];
	return r == 0;
}

static bool
says(enum msg_type type, struct err *e)
{
	AUTO_MSG m = { 0 };

	return wire_recv(verify.sock, ROLE_VERIFY, ROLE_CORE, 0, &m, e) == 1 && m.type == type;
}

/* As many as the core begins, with all that it lets go on beside the fresh. */
static void
test_most(void)
{
	int sock[TASKS_MOST(ROLE_VERIFY) + 1];
	struct err e = { 0 };
	uint32_t n = 0, ended = 0;

	while (n < TASKS_MOST(ROLE_VERIFY) && begin_stuck(1000 + n, &sock[n], &e) && says(MSG_STARTED, &e))
		n++;
	CHECK(n == TASKS_MOST(ROLE_VERIFY) && n > TASKS_FRESH(ROLE_VERIFY), "%u tasks are under way at once: %s", n, e.text);
	for (uint32_t i = 0; i < n; i++)
		close(sock[i]);
	while (ended < n && says(MSG_EXIT, &e))
		ended++;
	CHECK(ended == n, "and %u end", ended);
	for (n = 0; n < TASKS_MOST(ROLE_VERIFY) && begin_stuck(2000 + n, &sock[n], &e) && says(MSG_STARTED, &e);)
		n++;
	CHECK(begin_stuck(3000, &sock[n], &e) && says(MSG_FAIL, &e), "one more is a breach of the core's, and the end");
	for (uint32_t i = 0; i <= n; i++)
		close(sock[i]);
}

int
main(void)
{
	struct err e = { 0 };

	if (CHECK(start("root.pem", "tsa-root.pem", &e), "sealroom-verify gets ready: %s", e.text)) {
		test_attach();
		test_judge();
		CHECK(zygote_stop(&verify) == 0, "it ends when the core hangs up");
	}
	if (CHECK(start("root.pem", "tsa-root.pem", &e), "sealroom-verify gets ready: %s", e.text)) {
		test_most();
		CHECK(zygote_stop(&verify) != 0, "which its exit status says");
	}
	CHECK(!start("root.pem", "content", &e) && e.code == ERR_CONF, "roots that are no PEM stop it: %s", e.text);
	CHECK(zygote_stop(&verify) != 0, "and it says so with its exit status");
	return TEST_DONE();
}
