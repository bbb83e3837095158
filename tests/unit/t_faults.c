/*
 * The archive and its log with every call failing once: whatever fails, the next
 * start goes on, nothing is lost or written twice, and no fault of ours disproves.
 */
#include "tests/unit/faults.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "agent/archive.h"
#include "agent/lib/io.h"
#include "seal/evidence/audit.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/log.h"
#include "tests/unit/logkey.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define JOB "01jd8k3v7m2q9x4t6w8z0b5d9n"

static char template[64], path[80];
static int template_fd;
static char found_text[600];

/*
 * The anti-rollback record, which sealroom-seal keeps: it outlives a run that dies,
 * and so does what a run has to say.  Shared with children.
 */
struct kept {
	struct elog_anchor anchor;
	char note[1024];
	bool came;
	char call[32];
	struct err why;
};
static struct kept *kept, before;

/* What sealroom-seal does with NOTE: remember, then sign.  It is another process: its memory does not fail here. */
static int
sign(struct elog *l, const char **ret, struct err *e)
{
	uint8_t root[HASH_LEN];
	enum faults kind;
	int r = elog_root(l, elog_integrated(l), root, e);

	if (r < 0)
		return r;
	kind = faults_kind;
	faults_kind = FAULTS_NONE;
	kept->anchor = (struct elog_anchor){ .has = true, .size = elog_integrated(l), .note = kept->note };
	memcpy(kept->anchor.root, root, HASH_LEN);
	logkey_checkpoint(kept->anchor.size, root, kept->note, sizeof(kept->note));
	faults_kind = kind;
	*ret = kept->note;
	return 0;
}

static int
document(struct archive *a, struct entry *x, struct err *e)
{
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = "{}\n", .len = 3 },
		{ .name = "original.tif", .fd = -1, .bytes = "II*", .len = 3 }, { .name = "sealed.pdf", .fd = -1, .bytes = "%PDF", .len = 4 } };
	int r = archive_publish(a, JOB, SAMPLE_TIME, f, 3, e);

	*x = (struct entry){ .type = ENTRY_JOB, .nfiles = 3, .received_us = SAMPLE_TIME, .time_us = SAMPLE_TIME, .host = "h", .software = "0" };
	memcpy(x->job, JOB, ID_MAX);
	archive_path(JOB, SAMPLE_TIME, x->path);
	for (size_t i = 0; i < 3; i++) {
		strcpy(x->files[i].name, f[i].name);
		x->files[i].size = f[i].size;
		memcpy(x->files[i].hash, f[i].hash, HASH_LEN);
	}
	return r;
}

/* One document more, as the daemon does it: published once, logged once, under a new checkpoint. */
static int
log_it(struct elog *l, const struct entry *x, struct err *e)
{
	static const char conf[] = "language = \"en\";\n";
	struct entry config = { .type = ENTRY_CONFIG, .nfiles = 1, .time_us = SAMPLE_TIME, .host = "h", .software = "0" };
	char name[HASH_HEX + 16], hex[HASH_HEX];
	const char *note = NULL;
	uint64_t index;
	int r;

	hash_bytes(conf, strlen(conf), config.config_hash);
	hash_hex(config.config_hash, hex);
	snprintf(name, sizeof(name), "config/%s.conf", hex);
	if ((r = elog_keep(l, name, conf, strlen(conf), &config.files[0], e)) < 0 ||
	    (r = elog_find(l, ENTRY_JOB, x->job, NULL, 0, &index, e)) < 0)
		return r;
	if (r == 0 && ((r = elog_append(l, &config, NULL, e)) < 0 || (r = elog_append(l, x, &index, e)) < 0 || (r = elog_commit(l, e)) < 0))
		return r;
	if ((r = elog_integrate(l, e)) < 0)
		return r;
	if (elog_published(l) == elog_size(l))
		return 0;
	return (r = sign(l, &note, e)) < 0 ? r : elog_publish(l, note, e);
}

static int
read_it(struct elog *l, struct err *e)
{
	uint64_t first, last;
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, ENTRY_MAX);
	if ((r = elog_find(l, ENTRY_JOB, JOB, NULL, 0, &first, e)) <= 0 ||
	    (r = elog_find_last(l, ENTRY_JOB, JOB, NULL, &last, e)) <= 0)
		return r < 0 ? r : -ERR_LOG;
	if (first != last)
		return err_set(e, ERR_ARCHIVE, "the job is logged twice");
	if ((r = elog_entry(l, first, &b, e)) < 0)
		return r;
	buf_done(&b);
	buf_init(&b, 65536);
	return elog_prove(l, first, &b, e);
}

/* A whole run of the daemon, as far as archive and log go. */
static int
run(struct err *e)
{
	struct archive *a = NULL;
	struct elog *l = NULL;
	struct entry x;
	int r;

	if ((r = archive_open(&a, path, e)) == 0 && (r = document(a, &x, e)) == 0 &&
	    (r = elog_open(&l, archive_dir(a), LOGKEY_ORIGIN, false, e)) == 0 && (r = elog_trust(l, LOGKEY_VKEY, e)) == 0 &&
	    (r = elog_recover(l, &kept->anchor, e)) == 0)
		r = log_it(l, &x, e);
	elog_free(l);
	l = NULL;
	if (r == 0 && (r = elog_open(&l, archive_dir(a), NULL, true, e)) == 0)
		r = read_it(l, e);
	elog_free(l);
	archive_free(a);
	return r;
}

static void
found(void *ctx, uint32_t verdict, const char *name, const char *sentence)
{
	uint32_t *worst = ctx;

	if (verdict == VERDICT_DISPROVEN || *worst == VERDICT_PROVEN)
		snprintf(found_text, sizeof(found_text), "%s %s", name, sentence);
	*worst = *worst == VERDICT_DISPROVEN ? *worst : verdict;
}

/* What an audit says; VERDICT_UNKNOWN when it can not be made. */
static uint32_t
audit(void)
{
	const struct audit_options opt = { .vkey = LOGKEY_VKEY, .processes = 1 };
	uint32_t worst = VERDICT_PROVEN;
	struct audit_result res;
	struct err e = { 0 };
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 || audit_run(dir, &opt, found, &worst, &res, &e) < 0)
		worst = VERDICT_UNKNOWN;
	if (dir >= 0)
		close(dir);
	return worst;
}

static void
restore(void)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "chmod -R u+w '%s' 2>/dev/null; rm -rf '%s' && cp -a '%s/a' '%s'", path, path, template, path);
	if (system(cmd) != 0)
		exit(99);
	*kept = before;
	kept->anchor.note = kept->note;
}

/* A run with the n-th call failing.  Without memory to hash anything it dies, as it would anyway without a hash. */
static int
run_faulty(enum faults kind, unsigned long n, struct err *e)
{
	int r = 0, status = 0;
	pid_t pid = kind == FAULTS_MEM ? fork() : 0;

	if (pid < 0)
		exit(99);
	if (pid > 0) {
		if (waitpid(pid, &status, 0) < 0)
			exit(99);
		kept->came |= WIFSIGNALED(status);
		*e = kept->why;
		return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
	}
	faults_arm(kind, n);
	r = run(e);
	kept->came = faults_hit();
	snprintf(kept->call, sizeof(kept->call), "%s", faults_call);
	kept->why = *e;
	if (kind == FAULTS_MEM)
		exit(r < 0);
	return r;
}

/* Returns how many calls of that kind a run has; each of them (or each step-th) has failed. */
static unsigned long
sweep_run(enum faults kind, unsigned long step, unsigned *bad)
{
	unsigned long n = 1;

	for (;; n += step) {
		struct err e = { 0 }, again = { 0 };
		int r, r2;

		restore();
		err_set(&kept->why, ERR_MEM, "it died");
		r = run_faulty(kind, n, &e);
		if (!kept->came) {
			if (r < 0 || audit() != VERDICT_PROVEN) {
				printf("# undisturbed: %s %s\n", e.text, found_text);
				++*bad;
			}
			return n - 1;
		}
		if (r < 0 && (e.code == ERR_OK || e.text[0] == '\0')) {
			printf("# %s in %s, call %lu: an error without words\n", faults_names[kind], kept->call, n);
			++*bad;
		}
		r2 = run(&again);
		if (r2 < 0 || audit() != VERDICT_PROVEN) {
			printf("# %s in %s, call %lu (%s): the next start: %s; %s\n", faults_names[kind], kept->call, n, e.text, again.text,
			    found_text);
			++*bad;
		}
	}
}

/* As run_faulty(): the verdict, or nothing at all. */
static uint32_t
audit_faulty(enum faults kind, unsigned long n)
{
	int status = 0;
	pid_t pid = kind == FAULTS_MEM ? fork() : 0;
	uint32_t v;

	if (pid < 0)
		exit(99);
	if (pid > 0) {
		if (waitpid(pid, &status, 0) < 0)
			exit(99);
		kept->came |= WIFSIGNALED(status);
		return WIFEXITED(status) ? (uint32_t)WEXITSTATUS(status) : VERDICT_UNKNOWN;
	}
	faults_arm(kind, n);
	v = audit();
	kept->came = faults_hit();
	snprintf(kept->call, sizeof(kept->call), "%s", faults_call);
	if (kind != FAULTS_MEM)
		return v;
	if (v == VERDICT_DISPROVEN)
		printf("# %s\n", found_text);
	exit((int)v);
}

static unsigned long
sweep_audit(enum faults kind, unsigned long step, unsigned *bad)
{
	unsigned long n = 1;

	for (;; n += step) {
		uint32_t v;

		found_text[0] = '\0';
		v = audit_faulty(kind, n);
		if (!kept->came)
			return n - 1;
		if (v == VERDICT_DISPROVEN) {
			printf("# %s in %s, call %lu: %s\n", faults_names[kind], kept->call, n, found_text);
			++*bad;
		}
	}
}

static void
make_template(int filler)
{
	char a[80];

	template_fd = tmpdir_make(template);
	snprintf(a, sizeof(a), "%s/a", template);
	snprintf(path, sizeof(path), "%s/b", template);
	if (mkdir(a, 0700) < 0)
		exit(99);
	sample_make(a, filler);
	before = (struct kept){ .anchor = sample_anchor };
	memcpy(before.note, sample_note, sizeof(before.note));
}

static void
test_sweeps(int filler, unsigned long step)
{
	static const enum faults kinds[] = { FAULTS_IO, FAULTS_SPACE, FAULTS_SHORT,
#ifndef SEALROOM_SANITIZE
		FAULTS_MEM
#endif
	};

	make_template(filler);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		unsigned bad = 0;
		unsigned long calls = sweep_run(kinds[i], step, &bad);

		CHECK(bad == 0 && calls > 3, "%s in each of %lu calls, every %lu: the next start goes on, once and whole", faults_names[kinds[i]], calls,
		    step);
	}
	restore();
	faults_arm(FAULTS_NONE, 0);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		unsigned bad = 0;
		unsigned long calls;

		if (kinds[i] == FAULTS_SPACE || kinds[i] == FAULTS_SHORT)
			continue;
		calls = sweep_audit(kinds[i], step, &bad);
		CHECK(bad == 0 && calls > 3, "%s in each of %lu calls of an audit, every %lu: nothing is disproven by it", faults_names[kinds[i]], calls,
		    step);
	}
	tmpdir_remove(template_fd, template);
}

int
main(void)
{
	kept = mmap(NULL, sizeof(*kept), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kept == MAP_FAILED)
		exit(99);
	setvbuf(stdout, NULL, _IOLBF, 0);
	test_sweeps(2, 1);
	test_sweeps(600, 89);
	return TEST_DONE();
}
