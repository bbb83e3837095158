/* Evidence records of an archive: what a batch is made of, its files, its entries, and the audit of all that. */
#include <errno.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/audit.h"
#include "seal/evidence/er.h"
#include "seal/evidence/tiles.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static struct err e;
static struct archive *archive;
static struct elog *l;
static char path[64];
static int dir;

static void
must(int r)
{
	if (r < 0)
		sample_die(&e);
}

/* A log of 308 entries, two tiles, three documents at its end. */
static void
begin(int filler)
{
	dir = tmpdir_make(path);
	sample_make(path, filler);
	must(archive_open(&archive, path, &e));
	l = sample_log(archive);
}

static void
end(void)
{
	elog_free(l);
	archive_free(archive);
	tmpdir_remove(dir, path);
}

static struct hashtree *
gather(uint64_t first, uint64_t last, uint64_t size, unsigned step)
{
	struct er_gather *g;
	struct hashtree *t;
	int r;

	must(er_gather_new(&g, l, dir, first, last, size, &e));
	while ((r = er_gather_step(g, step, &e)) == 0)
		;
	must(r);
	t = er_gather_take(g);
	er_gather_free(g);
	return t;
}

static bool
has_hash(const struct hashtree_group *g, const uint8_t hash[HASH_LEN])
{
	for (uint32_t i = 0; i < g->n; i++)
		if (memcmp(g->hashes[i], hash, HASH_LEN) == 0)
			return true;
	return false;
}

static bool
has_file(const struct hashtree_group *g, const char *name)
{
	uint8_t hash[HASH_LEN];
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	must(hash_fd(fd, 0, UINT64_MAX, hash, &e));
	return has_hash(g, hash);
}

static uint64_t
entry_of(const char *job)
{
	uint64_t at;

	if (elog_find(l, ENTRY_JOB, job, NULL, 0, &at, &e) != 1)
		sample_die(&e);
	return at;
}

static void
test_gather(void)
{
	struct hashtree *t, *again;
	struct buf a, b;
	char name[128];
	int right = 0;
	long at;

	begin(300);
	buf_init(&a, HASHTREE_TEXT_MAX);
	buf_init(&b, HASHTREE_TEXT_MAX);
	t = gather(0, elog_published(l) - 1, elog_published(l), 7);
	CHECK(hashtree_count(t) == 4, "three documents and the log: %zu groups", hashtree_count(t));
	for (int i = 0; i < 3; i++) {
		at = hashtree_find(t, sample_jobs[i], entry_of(sample_jobs[i]));
		for (int k = 0; at >= 0 && k < 2; k++) {
			snprintf(name, sizeof(name), "2026/11/%d/%s/%s", i == 2 ? 23 : 22, sample_jobs[i], k == 0 ? "original.tif" : "sealed.pdf");
			right += has_file(hashtree_group(t, (size_t)at), name);
		}
		right += at >= 0 && hashtree_group(t, (size_t)at)->n == 2;
	}
	CHECK(right == 9, "each document: original and sealed file, nothing else");
	at = hashtree_find(t, HASHTREE_LOG, elog_published(l));
	CHECK(at >= 0 && hashtree_group(t, (size_t)at)->n == 3, "the log: checkpoint and two bundles");
	snprintf(name, sizeof(name), "evidence/checkpoints/%llu", (unsigned long long)elog_published(l));
	CHECK(has_file(hashtree_group(t, (size_t)at), name), "the checkpoint as it is kept");
	CHECK(has_file(hashtree_group(t, (size_t)at), "evidence/log/tile/entries/000"), "the full bundle");
	snprintf(name, sizeof(name), "evidence/log/tile/entries/001.p/%llu", (unsigned long long)elog_published(l) - 256);
	CHECK(has_file(hashtree_group(t, (size_t)at), name), "and the last one as far as it goes");
	must(hashtree_text(t, &a, &e));
	again = gather(0, elog_published(l) - 1, elog_published(l), 100000);
	must(hashtree_text(again, &b, &e));
	CHECK(a.len == b.len && memcmp(a.data, b.data, a.len) == 0, "gathered in one turn it is the same");
	hashtree_free(again);
	hashtree_free(t);
	buf_done(&a);
	buf_done(&b);
	t = gather(entry_of(sample_jobs[1]), entry_of(sample_jobs[1]), elog_published(l), 5);
	CHECK(hashtree_count(t) == 2 && hashtree_find(t, sample_jobs[1], entry_of(sample_jobs[1])) >= 0 &&
	          hashtree_head(t)->first == hashtree_head(t)->last,
	    "of a part of the log its documents");
	at = hashtree_find(t, HASHTREE_LOG, elog_published(l));
	CHECK(hashtree_group(t, (size_t)at)->n == 2, "and its bundles");
	hashtree_free(t);
	end();
}

static void
test_gather_bounds(void)
{
	struct er_gather *g;

	begin(0);
	CHECK(er_gather_new(&g, l, dir, 5, 4, 8, &e) == -ERR_LOG, "a range that goes back");
	CHECK(er_gather_new(&g, l, dir, 0, 8, 8, &e) == -ERR_LOG, "or over the checkpoint");
	CHECK(er_gather_new(&g, l, dir, 0, 7, elog_size(l) + 1, &e) == -ERR_LOG, "or over the log");
	CHECK(er_gather_new(&g, l, dir, 0, 3, 4, &e) == -ERR_IO, "of a size that was never signed: %s", e.text);
	er_gather_free(NULL);
	end();
}

/* --- files --------------------------------------------------------------------------------- */

static void
write_record(uint32_t n, const struct hashtree *t, const char *token)
{
	must(er_write(dir, n, t, token, strlen(token), &e));
}

static void
test_files(void)
{
	struct hashtree *t, *back;
	struct entry_file f[2];
	uint8_t hash[HASH_LEN];
	struct buf b;

	begin(0);
	buf_init(&b, ER_TOKEN_MAX);
	t = gather(0, elog_published(l) - 1, elog_published(l), 100);
	CHECK(er_there(dir, 1, &e) == 0, "there is no record yet");
	CHECK(er_tree(dir, 1, &back, &e) == -ERR_IO && errno == ENOENT, "nor its tree");
	CHECK(er_token(dir, 1, &b, &e) == -ERR_IO && er_files(dir, 1, f, &e) == -ERR_IO, "nor its time stamp");
	if (mkdirat(dir, "evidence/er/.1.tmp", 0700) < 0 || mkdirat(dir, "evidence/er/.1.tmp/deep", 0700) < 0)
		exit(99);
	write_record(1, t, "token");
	CHECK(er_there(dir, 1, &e) == 1 && faccessat(dir, "evidence/er/.1.tmp", F_OK, 0) < 0, "it appears, in place of what a dead run left");
	CHECK(er_token(dir, 1, &b, &e) == 0 && b.len == 5 && memcmp(b.data, "token", 5) == 0, "with its time stamp");
	CHECK(er_tree(dir, 1, &back, &e) == 0 && hashtree_count(back) == hashtree_count(t), "and its tree");
	hashtree_free(back);
	hash_bytes("token", 5, hash);
	CHECK(er_files(dir, 1, f, &e) == 0 && strcmp(f[0].name, "er/1/tree") == 0 && strcmp(f[1].name, "er/1/ts") == 0 &&
	          f[1].size == 5 && memcmp(f[1].hash, hash, HASH_LEN) == 0,
	    "as an entry names them");
	CHECK(er_write(dir, 1, t, "other", 5, &e) == -ERR_IO && er_token(dir, 1, &b, &e) == 0 && memcmp(b.data, "token", 5) == 0,
	    "a second one of that number changes nothing: %s", e.text);
	CHECK(er_remove(dir, 1, &e) == 0 && er_there(dir, 1, &e) == 0, "it can be taken away");
	CHECK(er_remove(dir, 1, &e) == -ERR_IO, "once");
	hashtree_free(t);
	buf_done(&b);
	end();
}

/* --- entries and records --------------------------------------------------------------------- */

static struct entry
entry_for(uint32_t n, const struct hashtree *t, bool has_before, uint64_t before)
{
	const struct hashtree_head *h = hashtree_head(t);
	struct entry x = { .type = h->kind == HASHTREE_RENEWAL ? ENTRY_RENEWAL : ENTRY_BATCH, .record = n, .has_before = has_before,
		.before = before, .range = { h->first, h->last, h->checkpoint }, .groups = (uint32_t)hashtree_count(t), .nfiles = 2,
		.tsa = "test", .stamped_us = SAMPLE_TIME + n, .until_us = SAMPLE_TIME + 1000 };

	hashtree_root(t, x.root);
	must(er_files(dir, n, x.files, &e));
	return x;
}

static uint64_t
enter(struct entry *x)
{
	sample_append(l, x);
	sample_publish(l);
	return elog_size(l) - 1;
}

static struct hashtree *
renewal_of(uint32_t a, uint32_t b)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	struct entry_file f[2];
	struct hashtree *t;

	must(hashtree_new(&t, &head, &e));
	must(er_files(dir, a, f, &e));
	must(hashtree_add(t, HASHTREE_RECORD, a, (const uint8_t (*)[HASH_LEN])&f[1].hash, 1, &e));
	must(er_files(dir, b, f, &e));
	must(hashtree_add(t, HASHTREE_RECORD, b, (const uint8_t (*)[HASH_LEN])&f[1].hash, 1, &e));
	must(hashtree_close(t, &e));
	return t;
}

static uint64_t at[3]; /* entries of records 1, 2 (batches), 3 (renewal of both) */

/* Two batches, the second of nothing but the first one's entry, and a renewal. */
static void
make_records(void)
{
	struct hashtree *t;
	struct entry x;

	t = gather(0, elog_published(l) - 1, elog_published(l), 1000);
	write_record(1, t, "token 1");
	x = entry_for(1, t, false, 0);
	at[0] = enter(&x);
	hashtree_free(t);
	t = gather(at[0], at[0], elog_published(l), 1000);
	write_record(2, t, "token 2");
	x = entry_for(2, t, true, at[0]);
	at[1] = enter(&x);
	hashtree_free(t);
	t = renewal_of(1, 2);
	write_record(3, t, "token 3");
	x = entry_for(3, t, true, at[1]);
	at[2] = enter(&x);
	hashtree_free(t);
}

static void
test_entries(void)
{
	struct entry x = { 0 }, y = { 0 };
	uint64_t from, look;

	begin(0);
	from = elog_size(l);
	CHECK(er_last(l, &from, UINT64_MAX, &x, &e) == 0 && from == 0 && er_any(dir, &e) == 0, "a log without records has none");
	make_records();
	from = elog_size(l);
	CHECK(er_any(dir, &e) == 1, "then there are some");
	CHECK(er_last(l, &from, 1, &x, &e) == 1 && x.type == ENTRY_RENEWAL && x.record == 3 && x.index == at[2] &&
	          x.until_us == SAMPLE_TIME + 1000 && strcmp(x.tsa, "test") == 0,
	    "the newest is the renewal");
	look = at[0];
	CHECK(er_last(l, &look, 1, &y, &e) == 0 && look == at[0] - 1, "one step at a time");
	CHECK(er_before(l, &x, &y, &e) == 1 && y.record == 2 && y.range[0] == at[0], "before it the second batch");
	CHECK(er_before(l, &y, &x, &e) == 1 && x.record == 1 && x.range[1] == at[0] - 1, "before that the first");
	CHECK(er_before(l, &x, &y, &e) == 0, "and nothing before that");
	x.has_before = true;
	x.before = x.index;
	CHECK(er_before(l, &x, &y, &e) == -ERR_LOG, "one that names itself: %s", e.text);
	x.before = 0;
	CHECK(er_before(l, &x, &y, &e) == -ERR_LOG, "one that names something else: %s", e.text);
	end();
}

static void
test_compose(void)
{
	struct er_chain c;
	struct buf objects, out, again;
	uint64_t job;

	begin(0);
	make_records();
	buf_init(&objects, 4096);
	buf_init(&out, 65536);
	buf_init(&again, 65536);
	job = entry_of(sample_jobs[0]);
	CHECK(er_find(l, dir, job, &c, &e) == 1 && c.n == 2 && c.record[0] == 1 && c.record[1] == 3, "a document: its batch and the renewal");
	CHECK(er_compose(dir, &c, sample_jobs[0], job, &objects, &out, &e) == 0 && objects.len == 2 * (size_t)HASH_LEN, "its record");
	CHECK(memmem(out.data, out.len, "token 1", 7) != NULL && memmem(out.data, out.len, "token 3", 7) != NULL &&
	          memmem(out.data, out.len, "token 2", 7) == NULL,
	    "with the time stamps of both");
	CHECK(memmem(out.data, out.len, objects.data, HASH_LEN) != NULL, "and its hashes");
	CHECK(er_compose(dir, &c, sample_jobs[0], job, NULL, &again, &e) == 0 && again.len == out.len &&
	          memcmp(again.data, out.data, out.len) == 0,
	    "twice the same bytes");
	buf_clear(&out);
	CHECK(er_compose(dir, &c, sample_jobs[0], job + 1, NULL, &out, &e) == -ERR_LOG, "not of what it does not cover: %s", e.text);
	CHECK(er_find(l, dir, at[0], &c, &e) == 1 && c.record[0] == 2 && c.n == 2, "the entry of the first batch is in the second");
	buf_clear(&out);
	CHECK(er_compose(dir, &c, NULL, 0, NULL, &out, &e) == 0 && out.len > 0, "without a name it is the first group's");
	CHECK(er_find(l, dir, at[1], &c, &e) == 0, "an entry that nothing covers yet");
	if (unlinkat(dir, "evidence/er/3/tree", 0) < 0)
		exit(99);
	CHECK(er_find(l, dir, job, &c, &e) == -ERR_IO, "a tree that is gone: %s", e.text);
	buf_done(&objects);
	buf_done(&out);
	buf_done(&again);
	end();
}

/* --- audit ----------------------------------------------------------------------------------- */

static char said[1024];
static uint32_t answer;
static int64_t stamped;
static unsigned asked;

static void
found(void *ctx, uint32_t verdict, const char *name, const char *sentence)
{
	(void)ctx;
	if (said[0] == '\0')
		snprintf(said, sizeof(said), "%u %s %s", verdict, name, sentence);
}

static int
judge(void *ctx, const struct buf *objects, const struct buf *record, struct ers_result *ret, struct err *err)
{
	(void)ctx;
	(void)err;
	asked += objects->len > 0 && record->len > 0;
	*ret = (struct ers_result){ .verdict = answer, .nstamps = 2, .nreasons = 1, .reasons = { "because" } };
	/* the first record that is asked for is 1, then 2 */
	ret->stamps[0].gen_time_us = stamped + (int64_t)asked;
	ret->stamps[0].not_after_us = SAMPLE_TIME + 1000;
	return 0;
}

static uint32_t
audit(bool with_judge, struct audit_result *res)
{
	const struct audit_options opt = { .processes = 1, .judge = with_judge ? judge : NULL };

	said[0] = '\0';
	asked = 0;
	must(audit_run(dir, &opt, found, NULL, res, &e));
	return res->verdict;
}

static void
test_audit(void)
{
	static const struct {
		const char *what, *cmd;
		uint32_t want;
		const char *says;
	} cases[] = {
		{ "nothing", "true", VERDICT_PROVEN, "" },
		{ "a token changed", "chmod u+w evidence/er/1/ts; echo x >> evidence/er/1/ts", VERDICT_DISPROVEN, "1 evidence/er/1/ts was changed" },
		{ "a tree that is none", "chmod u+w evidence/er/2/tree; echo x >> evidence/er/2/tree", VERDICT_DISPROVEN,
		    "1 evidence/er/2/tree was changed" },
		{ "a record gone", "rm -r evidence/er/3", VERDICT_DISPROVEN, "1 evidence/er/3/tree is missing" },
		{ "a file more", "echo > evidence/er/1/more", VERDICT_DISPROVEN, "1 evidence/er/1 holds other files" },
		{ "a record nobody entered", "cp -r evidence/er/1 evidence/er/4", VERDICT_UNKNOWN, "2 evidence/er/4 is not named" },
		{ "one under construction", "mkdir evidence/er/.4.tmp", VERDICT_PROVEN, "" },
	};
	struct audit_result res;
	char all[512];

	stamped = SAMPLE_TIME;
	answer = VERDICT_PROVEN;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(0);
		make_records();
		snprintf(all, sizeof(all), "cd %s && { %s; }", path, cases[i].cmd);
		if (system(all) != 0)
			exit(99);
		CHECK(audit(true, &res) == cases[i].want && strncmp(said, cases[i].says, strlen(cases[i].says)) == 0, "%s: %s", cases[i].what,
		    said);
		if (i == 0)
			CHECK(res.records == 2 && res.renewals == 1 && res.judged == 2 && asked == 2, "two batches and a renewal, each judged");
		end();
	}
	begin(0);
	make_records();
	CHECK(audit(false, &res) == VERDICT_PROVEN && res.judged == 0 && res.records == 2, "without a judge time stamps are not looked at");
	answer = VERDICT_UNKNOWN;
	CHECK(audit(true, &res) == VERDICT_UNKNOWN && strstr(said, "do not hold: because") != NULL, "the judge can not tell: %s", said);
	answer = VERDICT_DISPROVEN;
	CHECK(audit(true, &res) == VERDICT_DISPROVEN, "the judge disproves");
	answer = VERDICT_PROVEN;
	stamped++;
	CHECK(audit(true, &res) == VERDICT_DISPROVEN && strstr(said, "another time") != NULL, "a time stamp of another time: %s", said);
	stamped--;
	end();
}

/* Entries that say something else than what lies there, written by somebody who has the log's key. */
static void
test_lies(void)
{
	static const char *const what[] = { "another root", "another number of groups", "a gap in what is covered",
		"the first names one before it", "an older number", "a renewal that is a batch", "another document" };
	struct audit_result res;

	for (unsigned i = 0; i < sizeof(what) / sizeof(what[0]); i++) {
		struct hashtree *t;
		struct entry x;

		begin(0);
		t = gather(i == 2 ? 1 : 0, elog_published(l) - 1, elog_published(l), 1000);
		if (i == 6) { /* a tree of its own making */
			const struct hashtree_head head = *hashtree_head(t);
			uint8_t hash[1][HASH_LEN] = { { 7 } };

			hashtree_free(t);
			must(hashtree_new(&t, &head, &e));
			must(hashtree_add(t, HASHTREE_LOG, head.checkpoint, (const uint8_t (*)[HASH_LEN])hash, 1, &e));
			must(hashtree_close(t, &e));
		}
		write_record(5, t, "token");
		x = entry_for(5, t, i == 3, 0);
		x.root[0] ^= i == 0;
		x.groups += i == 1;
		if (i == 5)
			x.type = ENTRY_RENEWAL;
		at[0] = enter(&x);
		hashtree_free(t);
		if (i == 4) {
			t = gather(at[0], at[0], elog_published(l), 1000);
			write_record(4, t, "token");
			x = entry_for(4, t, true, at[0]);
			enter(&x);
			hashtree_free(t);
		}
		CHECK(audit(false, &res) == VERDICT_DISPROVEN, "%s: %s", what[i], said);
		end();
	}
}

static void
test_false_renewal(void)
{
	const struct hashtree_head head = { .kind = HASHTREE_RENEWAL };
	uint8_t hash[1][HASH_LEN] = { { 9 } };
	struct audit_result res;
	struct hashtree *t;
	struct entry x;

	begin(0);
	t = gather(0, elog_published(l) - 1, elog_published(l), 1000);
	write_record(1, t, "token");
	x = entry_for(1, t, false, 0);
	at[0] = enter(&x);
	hashtree_free(t);
	must(hashtree_new(&t, &head, &e));
	must(hashtree_add(t, HASHTREE_RECORD, 1, (const uint8_t (*)[HASH_LEN])hash, 1, &e));
	must(hashtree_close(t, &e));
	write_record(2, t, "token 2");
	x = entry_for(2, t, true, at[0]);
	enter(&x);
	hashtree_free(t);
	CHECK(audit(false, &res) == VERDICT_DISPROVEN && strstr(said, "does not renew the time stamps of evidence/er/1") != NULL,
	    "a renewal of another time stamp: %s", said);
	end();
}

int
main(void)
{
	test_gather();
	test_gather_bounds();
	test_files();
	test_entries();
	test_compose();
	test_audit();
	test_lies();
	test_false_renewal();
	return TEST_DONE();
}
