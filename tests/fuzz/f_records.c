/*
 * f_records.c - the records of a job as a restart finds them, holding anything.
 *
 * Byte 0 chooses the record.  A damaged one is an error of its own, never a crash
 * and never half of it; a claim that is accepted is written and read back as the same.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/core.h"
#include "agent/lib/io.h"
#include "agent/outcome.h"
#include "agent/sealing.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/tmpdir.h"

static char path[64];
static struct core core;
static struct job job;
static int second; /* a directory for what is written */

static void
leave(void)
{
	tmpdir_remove(job.dir, path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	job.core = &core;
	job.dir = tmpdir_make(path);
	atexit(leave);
	if (mkdirat(job.dir, "second", 0700) < 0 || (second = openat(job.dir, "second", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	core.spool.seen = core.spool.tsa = job.dir;
	return 0;
}

static int
claim(struct err *e)
{
	struct claim a = { 0 }, b;
	uint8_t id[HASH_LEN], again[HASH_LEN], salt[16];
	int r = claim_get(job.dir, &a, e);

	if (r < 0)
		return r;
	FUZZ_MUST(id_valid(a.id) && strlen(a.salt) == 32, "a claim without id or salt");
	claim_salt(&a, salt);
	if (claim_put(second, &a, e) == 0) {
		FUZZ_MUST(claim_get(second, &b, e) == 0, "a claim that was read does not read back: %s", e->text);
		claim_identity(&a, id);
		claim_identity(&b, again);
		FUZZ_MUST(memcmp(id, again, sizeof(id)) == 0 && strcmp(a.id, b.id) == 0 && strcmp(a.work_name, b.work_name) == 0 &&
		        a.owner == b.owner && a.received_us == b.received_us && a.log_size == b.log_size,
		    "a claim reads back as another");
		unlinkat(second, "claim", 0);
	}
	return 0;
}

static int
seen(struct err *e)
{
	const struct claim c = { .id = "0123456789abcdefghjkmnpqrs" };
	char id[ID_MAX] = "";

	return seen_has(&core.spool, &c, id, e) == 1 ? 0 : -1;
}

static int
prep(struct err *e)
{
	struct prep p;

	return prep_get(&job, "record", &p, e);
}

static int
sig(struct err *e)
{
	uint8_t imprint[HASH_LEN];
	const uint8_t *cms;
	size_t len;
	AUTO_BUF b;
	int r = sig_get(&job, &b, imprint, &cms, &len, e);

	FUZZ_MUST(r < 0 || (cms >= b.data && len <= b.len), "a signature outside its record");
	return r;
}

static int
tst(struct err *e)
{
	struct tst t;
	int r = tst_get(&job, "record", &t, e);

	tst_done(&t);
	return r < 0 ? r : 0;
}

static int
verdict(struct err *e)
{
	struct verdict_record v;

	return verdict_get(&job, &v, e);
}

static int
question(struct err *e)
{
	struct question_record q;
	int r = question_get(job.dir, "record", &q, e);

	FUZZ_MUST(r < 0 || q.n >= 1, "question %u", q.n);
	return r;
}

static int
decision(struct err *e)
{
	struct decision d;
	int r = decision_get(&job, &d, e);

	return r < 0 ? r : 0;
}

static int
inspect(struct err *e)
{
	job.inspect.kind = DOC_NONE;
	return inspect_load(&job, e);
}

static int
plan(struct err *e)
{
	int r;

	job.planned = false;
	job.inspect.kind = DOC_TIFF;
	r = plan_load(&job, e);
	free(job.plan);
	job.plan = NULL;
	return r;
}

static int
largest(struct err *e)
{
	uint32_t n = token_seen(&core, "record");

	(void)e;
	FUZZ_MUST(n > 0 && n < SIGS_CMS_MAX, "a hole of %u bytes", n);
	return 0;
}

static const struct {
	const char *file; /* NULL: "record" */
	int (*read)(struct err *);
} records[] = {
	{ "claim", claim },
	{ NULL, prep },
	{ "sig", sig },
	{ NULL, tst },
	{ "verdict", verdict },
	{ NULL, question },
	{ "decision", decision },
	{ "inspect", inspect },
	{ "plan", plan },
	{ NULL, largest },
	{ "0a", seen },
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i = size > 0 ? data[0] % (sizeof(records) / sizeof(records[0])) : 0;
	const char *file = records[i].file != NULL ? records[i].file : "record";
	struct err e = { 0 };
	int fd;

	if (size == 0)
		return 0;
	if ((fd = openat(job.dir, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0 ||
	    write(fd, data + 1, size - 1) != (ssize_t)(size - 1) || close(fd) < 0)
		abort();
	if (records[i].read(&e) == 0) {
		fuzz_accepted();
		fuzz_planted(records[i].read == inspect && size == 9 && data[8] > 9, data, size);
	}
	unlinkat(job.dir, file, 0);
	return 0;
}
