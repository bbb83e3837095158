#include <ftw.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/audit.h"
#include "seal/evidence/layout.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static char last[2048], told[2048];

static void
found(void *ctx, uint32_t verdict, const char *path, const char *sentence)
{
	(void)ctx;
	if (verdict == VERDICT_PROVEN)
		snprintf(told, sizeof(told), "%s %s", path, sentence);
	else if (last[0] == '\0')
		snprintf(last, sizeof(last), "%u: %s %s", verdict, path, sentence);
}

static unsigned processes = 1;

static uint32_t
audit(int dir, const char *vkey, const char *since, struct audit_result *res)
{
	struct audit_options opt = { .vkey = vkey, .since = since, .processes = processes };
	struct audit_result own;
	struct err e = { 0 };

	last[0] = '\0';
	if (res == NULL)
		res = &own;
	if (audit_run(dir, &opt, found, NULL, res, &e) < 0)
		snprintf(last, sizeof(last), "%s", e.text);
	return last[0] != '\0' && res->verdict == VERDICT_PROVEN ? VERDICT_UNKNOWN : res->verdict;
}

static int top;
static const char *root;
static int tried, missed;

static void
expect_found(const char *what, const char *path)
{
	tried++;
	if (audit(top, NULL, NULL, NULL) == VERDICT_PROVEN) {
		missed++;
		printf("# not found: %s %s\n", what, path);
	}
}

/* Every byte changed, once each; the file cut by one byte, emptied, grown, removed. */
static int
tamper_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + strlen(root) + 1;
	uint8_t *was, bent;
	size_t n = (size_t)st->st_size;
	char aside[80];
	int fd;

	(void)ftw;
	if (type != FTW_F)
		return 0;
	snprintf(aside, sizeof(aside), "%s.aside", root);
	chmod(path, 0600);
	if ((was = malloc(n + 1)) == NULL || (fd = open(path, O_RDWR)) < 0 || pread(fd, was, n, 0) != (ssize_t)n)
		exit(99);
	for (size_t i = 0; i < n; i += n > 4096 ? 97 : 1) {
		/* the format's number must not become an earlier one: that is a take-over that was cut short */
		bent = was[i] ^ (uint8_t)(1u << (i + 3) % 8);
		if (pwrite(fd, &bent, 1, (off_t)i) != 1)
			exit(99);
		expect_found("a changed byte in", name);
		if (pwrite(fd, &was[i], 1, (off_t)i) != 1)
			exit(99);
	}
	if (ftruncate(fd, (off_t)n - 1) < 0)
		exit(99);
	expect_found("a byte less in", name);
	if (ftruncate(fd, 0) < 0)
		exit(99);
	expect_found("nothing left in", name);
	if (pwrite(fd, was, n, 0) != (ssize_t)n || pwrite(fd, "x", 1, (off_t)n) != 1)
		exit(99);
	expect_found("a byte more in", name);
	if (ftruncate(fd, (off_t)n) < 0 || close(fd) < 0 || rename(path, aside) < 0)
		exit(99);
	expect_found("removed:", name);
	if (rename(aside, path) < 0)
		exit(99);
	free(was);
	return 0;
}

static void
test_bytes(int dir, const char *path)
{
	struct audit_result res;

	sample_small(path);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_PROVEN, "an archive nobody touched is proven (%s)", last);
	CHECK(res.entries == 4 && res.jobs == 1 && res.files == 5 && res.checkpoints == 2 && res.unpublished == 0,
	    "%llu entries, %llu jobs, %llu files, %llu checkpoints", (unsigned long long)res.entries,
	    (unsigned long long)res.jobs, (unsigned long long)res.files, (unsigned long long)res.checkpoints);
	top = dir;
	root = path;
	if (nftw(path, tamper_file, 16, FTW_PHYS) != 0)
		exit(99);
	CHECK(missed == 0 && tried > 4000, "%d changes, cuts and removals, each reported", tried);
	CHECK(audit(dir, NULL, NULL, NULL) == VERDICT_PROVEN, "and all undone again (%s)", last);
}

static int
run(const char *path, const char *cmd)
{
	char all[1024];

	snprintf(all, sizeof(all), "W=%s && cd $W && { %s; } >/dev/null", path, cmd);
	return system(all);
}

#define SWAP_PDF \
	"cd 2026/11/22 && mv 01jd8k3v7m2q9x4t6w8z0b5c1f/sealed.pdf x && mv 01jd8k3v7m2q9x4t6w8z0b5c2g/sealed.pdf " \
	"01jd8k3v7m2q9x4t6w8z0b5c1f && mv x 01jd8k3v7m2q9x4t6w8z0b5c2g/sealed.pdf"

/* What a person with a shell would do. */
static void
test_hands(int dir, const char *path)
{
	static const struct {
		const char *what, *cmd, *undo;
		uint32_t want;
	} cases[] = {
		{ "two documents exchanged", "mv 2026/11/22/*1f x && mv 2026/11/22/*2g 2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c1f && mv x "
		                             "2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c2g",
		    "mv 2026/11/22/*1f x && mv 2026/11/22/*2g 2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c1f && mv x "
		    "2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c2g",
		    VERDICT_DISPROVEN },
		{ "two sealed files exchanged", SWAP_PDF, SWAP_PDF, VERDICT_DISPROVEN },
		{ "a document removed", "mv 2026/11/22/*1f $W.dir", "mv $W.dir 2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c1f",
		    VERDICT_DISPROVEN },
		{ "a document added", "cp -r 2026/11/22/*1f 2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c9z", "rm -r 2026/11/22/*9z",
		    VERDICT_DISPROVEN },
		{ "a document moved to another day", "mv 2026/11/22/*1f 2026/11/23", "mv 2026/11/23/*1f 2026/11/22",
		    VERDICT_DISPROVEN },
		{ "a file added to a document", "touch 2026/11/22/01jd8k3v7m2q9x4t6w8z0b5c1f/note.txt", "rm 2026/11/22/*/note.txt",
		    VERDICT_DISPROVEN },
		{ "a file renamed", "cd 2026/11/23/*3h && mv original.tif original.png", "cd 2026/11/23/*3h && mv original.png original.tif",
		    VERDICT_DISPROVEN },
		{ "a link instead of a file", "cd 2026/11/23/*3h && mv original.tif $W.t && ln -s $W.t original.tif",
		    "cd 2026/11/23/*3h && mv $W.t original.tif", VERDICT_DISPROVEN },
		{ "a day without manifest", "mv 2026/11/23/manifest-sha256.txt x", "mv x 2026/11/23/manifest-sha256.txt",
		    VERDICT_DISPROVEN },
		{ "a stray directory", "mkdir letters", "rmdir letters", VERDICT_DISPROVEN },
		{ "a stray file in the log", "touch evidence/log/tile/0/001", "rm evidence/log/tile/0/001", VERDICT_DISPROVEN },
		{ "a stray file in evidence", "touch evidence/x", "rm evidence/x", VERDICT_DISPROVEN },
		{ "a certificate nobody logged", "echo x > evidence/trust/x.pem", "rm evidence/trust/x.pem", VERDICT_UNKNOWN },
		{ "settings kept for an entry that never came",
		    "echo x > evidence/config/73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac.conf",
		    "rm evidence/config/73cb*", VERDICT_PROVEN },
		{ "a file that was being written", "touch evidence/checkpoints/.9.tmp", "rm evidence/checkpoints/.9.tmp",
		    VERDICT_PROVEN },
		{ "something put aside", "mkdir -p .orphans/x", "rm -r .orphans", VERDICT_UNKNOWN },
		{ "a checkpoint of the log's middle removed", "mv evidence/checkpoints/3 x", "mv x evidence/checkpoints/3",
		    VERDICT_DISPROVEN },
		{ "two checkpoints exchanged", "cd evidence/checkpoints && mv 3 x && mv 5 3 && mv x 5",
		    "cd evidence/checkpoints && mv 3 x && mv 5 3 && mv x 5", VERDICT_DISPROVEN },
		{ "the head put back by one",
		    "cp evidence/log/checkpoint x && cp -f evidence/checkpoints/7 evidence/log/checkpoint",
		    "cp -f x evidence/log/checkpoint && rm -f x", VERDICT_DISPROVEN },
		{ "all undone", "true", "true", VERDICT_PROVEN },
	};

	if (chmod(path, 0700) != 0)
		exit(99);
	sample_make(path, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (run(path, cases[i].cmd) != 0)
			printf("# could not: %s\n", cases[i].cmd);
		CHECK(audit(dir, NULL, NULL, NULL) == cases[i].want, "%s: %s", cases[i].what, last);
		if (run(path, cases[i].undo) != 0)
			printf("# could not: %s\n", cases[i].undo);
	}
}

/* A log over several tiles, and the tail of it cut off so that all is consistent. */
static void
test_rollback(int dir, const char *path)
{
	char since[1024];
	struct audit_result res;
	struct archive *a;
	struct elog *l;
	struct err e = { 0 };
	struct entry note = { .type = ENTRY_NOTE, .text = "one more" };

	sample_make(path, 600);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_PROVEN && res.entries == 608, "a log over three tiles is proven (%s)", last);
	CHECK(run(path, "mv evidence/checkpoints/103 x") == 0 && audit(dir, NULL, NULL, NULL) == VERDICT_DISPROVEN,
	    "a checkpoint that is gone since long is missed: %s", last);
	CHECK(run(path, "mv x evidence/checkpoints/103 && mv evidence/log/tile/1/000.p/2 x") == 0 &&
	          audit(dir, NULL, NULL, NULL) == VERDICT_DISPROVEN,
	    "so is a tile of the second level: %s", last);
	CHECK(run(path, "mv x evidence/log/tile/1/000.p/2 && mv evidence/log/tile/entries/001 x") == 0 &&
	          audit(dir, NULL, NULL, NULL) == VERDICT_DISPROVEN,
	    "and a bundle: %s", last);
	CHECK(run(path, "mv x evidence/log/tile/entries/001 && cp -a . $W.old") == 0, "a snapshot is taken");
	if (archive_open(&a, path, &e) < 0)
		sample_die(&e);
	l = sample_log(a);
	sample_append(l, &note);
	if (elog_commit(l, &e) < 0)
		sample_die(&e);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_PROVEN && res.unpublished == 1, "an entry not yet signed is no fault (%s)", last);
	sample_publish(l);
	elog_free(l);
	archive_free(a);
	snprintf(since, sizeof(since), "%s", sample_note);
	CHECK(audit(dir, LOGKEY_VKEY "\n", since, NULL) == VERDICT_PROVEN, "the auditor's key and checkpoint fit (%s)", last);
	CHECK(run(path, "rm -rf 2026 evidence FORMAT README.txt .new && cp -a $W.old/. . && rm -rf $W.old") == 0 &&
	          audit(dir, NULL, NULL, NULL) == VERDICT_PROVEN,
	    "the snapshot restored is consistent in itself (%s)", last);
	CHECK(audit(dir, NULL, since, NULL) == VERDICT_DISPROVEN, "but not with a checkpoint kept elsewhere: %s", last);
	CHECK(audit(dir, "sealroom.example/log+d7406bd7+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea", NULL, NULL) !=
	          VERDICT_PROVEN,
	    "another key of the auditor's is noticed: %s", last);
	since[40] ^= 1;
	CHECK(audit(dir, NULL, since, NULL) != VERDICT_PROVEN, "a damaged checkpoint of the auditor's proves nothing: %s", last);
}

static struct entry
break_of(struct elog *l, uint64_t record)
{
	struct entry x = { .type = ENTRY_BREAK, .disk_size = elog_size(l), .text = "backup of Sunday", .has_anchor = true,
		.anchor_size = record, .again = 1, .lost = 2, .nfiles = 1 };
	struct err e = { 0 };

	if (elog_root(l, x.disk_size, x.disk_root, &e) < 0 ||
	    elog_keep(l, "config/0123.break", "sealroom-break/1\n", 17, &x.files[0], &e) < 0)
		sample_die(&e);
	return x;
}

/* A log that was put back and says so: the lost end can not be told, all else is judged as ever. */
static void
test_break(int dir, const char *path)
{
	char lost[1024], later[1024], grown[1024];
	struct audit_result res;
	struct archive *a;
	struct elog *l;
	struct err e = { 0 };
	struct entry note = { .type = ENTRY_NOTE, .text = "one more" }, x;

	sample_make(path, 0);
	CHECK(run(path, "cp -a . $W.old") == 0, "a backup is made");
	if (archive_open(&a, path, &e) < 0)
		sample_die(&e);
	l = sample_log(a);
	sample_append(l, &note);
	sample_append(l, &note);
	sample_publish(l);
	snprintf(lost, sizeof(lost), "%s", sample_note);
	sample_append(l, &note);
	sample_publish(l);
	snprintf(later, sizeof(later), "%s", sample_note);
	elog_free(l);
	archive_free(a);
	CHECK(run(path, "rm -rf 2026 evidence FORMAT README.txt .new && cp -a $W.old/. . && rm -rf $W.old") == 0,
	    "the log goes on, and is put back");
	if (archive_open(&a, path, &e) < 0 || elog_open(&l, archive_dir(a), LOGKEY_ORIGIN, false, &e) < 0 ||
	    elog_trust(l, LOGKEY_VKEY, &e) < 0)
		sample_die(&e);
	sample_anchor.size = elog_size(l);
	if (elog_root(l, sample_anchor.size, sample_anchor.root, &e) < 0)
		sample_die(&e);
	sample_anchor.note = "";
	if (elog_recover(l, &sample_anchor, &e) < 0)
		sample_die(&e);
	x = break_of(l, elog_size(l) + 2);
	sample_append(l, &x);
	sample_append(l, &note);
	sample_append(l, &note);
	sample_publish(l);
	snprintf(grown, sizeof(grown), "%s", sample_note);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_PROVEN && res.breaks == 1, "a log with a break is proven (%s)", last);
	CHECK(strstr(told, "backup of Sunday") != NULL && strstr(told, "2 lost") != NULL, "and the break is told: %s", told);
	CHECK(audit(dir, NULL, grown, NULL) == VERDICT_PROVEN, "a checkpoint from after it fits (%s)", last);
	CHECK(audit(dir, NULL, lost, NULL) == VERDICT_UNKNOWN, "one of what was given up can not be told: %s", last);
	CHECK(audit(dir, NULL, later, NULL) == VERDICT_DISPROVEN, "one that the break does not admit disproves: %s", last);
	CHECK(run(path, "mv evidence/config/0123.break x") == 0 && audit(dir, NULL, NULL, NULL) == VERDICT_DISPROVEN,
	    "its list is missed: %s", last);
	CHECK(run(path, "mv x evidence/config/0123.break") == 0, "it is back");
	x = break_of(l, 99);
	x.disk_root[7] ^= 1;
	sample_append(l, &x);
	sample_publish(l);
	CHECK(audit(dir, NULL, NULL, NULL) == VERDICT_DISPROVEN, "a break that names another log is found: %s", last);
	elog_free(l);
	archive_free(a);
}

/* All that an audit says, in its order. */
static char transcript[2][65536];

static void
note_all(void *ctx, uint32_t verdict, const char *path, const char *sentence)
{
	char *to = ctx;
	size_t n = strlen(to);

	snprintf(to + n, sizeof(transcript[0]) - n, "%u %s %s\n", verdict, path, sentence);
}

/* Files read by several processes at once: the same findings in the same order. */
static void
test_processes(int dir, const char *path)
{
	static const struct {
		const char *what, *cmd;
	} cases[] = {
		{ "nothing", "true" },
		{ "one that was changed", "cd 2026/11/22/*1f && chmod 600 sealed.pdf && echo x >> sealed.pdf" },
		{ "and one that is gone", "mv 2026/11/22/*2g/job.json $W.json" },
		{ "and a link", "cd 2026/11/22/*2g && ln -s /etc/passwd job.json" },
		{ "and a directory", "cd 2026/11/23/*3h && rm -f original.tif && mkdir original.tif" },
		{ "and a checkpoint", "rm -f evidence/checkpoints/3" },
	};
	struct audit_result one, many;
	struct err e = { 0 };

	sample_make(path, 300);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct audit_options opt = { .processes = 1 };

		CHECK(run(path, cases[i].cmd) == 0, "%s", cases[i].what);
		transcript[0][0] = transcript[1][0] = '\0';
		if (audit_run(dir, &opt, note_all, transcript[0], &one, &e) < 0)
			sample_die(&e);
		opt.processes = 3;
		if (audit_run(dir, &opt, note_all, transcript[1], &many, &e) < 0)
			sample_die(&e);
		CHECK(strcmp(transcript[0], transcript[1]) == 0 && memcmp(&one, &many, sizeof(one)) == 0 &&
		          (i == 0) == (one.findings == 0),
		    "%s: %llu findings from one process and from three", cases[i].what, (unsigned long long)one.findings);
	}
	(void)run(path, "rm -f $W.json");
}

/* Archives that earlier releases began, and a take-over that was cut short. */
/* As sample_stack(), but the entry that ends the first document is about other bytes. */
static void
test_stack(int dir, const char *path)
{
	struct entry other = { .type = ENTRY_WITHDRAW, .has_source = true, .received_us = SAMPLE_TIME };
	struct audit_result res;
	struct archive *a;
	struct elog *l;
	char cmd[600];

	a = sample_archive(path);
	l = sample_log(a);
	sample_begin(l);
	sample_stack(a, l);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_PROVEN && res.stacks == 1 && res.jobs == 1 && res.unended == 1,
	    "a divided stack is proven, and one of its documents has no end yet: %s", last);
	sample_part(3, other.job, other.source_hash);
	CHECK(strcmp(res.unended_id, other.job) == 0, "it is said which");
	snprintf(cmd, sizeof(cmd), "cd '%s' && sha256sum --ignore-missing -c --quiet 2*/*/*/" SAMPLE_STACK "/parts-sha256.txt", path);
	CHECK(system(cmd) == 0, "sha256sum checks the documents that are there");
	snprintf(cmd, sizeof(cmd), "W='%s'; cd $W && sed -n '/^#!\\/bin\\/sh/,/^# end of check/p' README.txt > $W.sh && sh $W.sh", path);
	CHECK(system(cmd) == 0, "and so does the script of README.txt");
	other.source_hash[5] ^= 1;
	sample_append(l, &other);
	sample_publish(l);
	CHECK(audit(dir, NULL, NULL, &res) == VERDICT_DISPROVEN && res.unended == 0 && strstr(last, "other bytes of document") != NULL,
	    "one that ends with other bytes than the stack lists is not: %s", last);
	snprintf(cmd, sizeof(cmd), "W='%s'; cd $W && ! sh $W.sh > $W.out && grep -q 'WRONG: .* other bytes .*%s' $W.out; r=$?; "
	    "rm -f $W.sh $W.out; exit $r", path, other.job);
	CHECK(system(cmd) == 0, "by the script, too");
	elog_free(l);
	archive_free(a);
}

static void
test_formats(int dir, const char *path)
{
	struct err e = { 0 };
	char name[32];

	sample_make(path, 0);
	for (unsigned format = 1; format <= LAYOUT_NEWEST; format++)
		for (unsigned text = 1; text <= LAYOUT_NEWEST; text++) {
			const char *readme = layout_readme(text);
			int n = snprintf(name, sizeof(name), LAYOUT_NAME "/%u\n", format);

			if (io_replace(dir, "FORMAT", name, (size_t)n, 0440, &e) < 0 ||
			    io_replace(dir, "README.txt", readme, strlen(readme), 0440, &e) < 0)
				sample_die(&e);
			CHECK(audit(dir, NULL, NULL, NULL) == (text >= format ? VERDICT_PROVEN : VERDICT_DISPROVEN),
			    "format %u with the text of %u: %s", format, text, last);
		}
}

static void
test_none(int dir, const char *path)
{
	struct audit_options opt = { 0 };
	struct audit_result res;
	struct err e = { 0 };

	(void)path;
	CHECK(audit_run(dir, &opt, found, NULL, &res, &e) == -ERR_ARCHIVE, "an empty directory is no archive: %s", e.text);
}

int
main(void)
{
	static void (*const tests[])(int, const char *) = { test_bytes, test_hands, test_rollback, test_break, test_processes, test_stack, test_formats, test_none };
	char path[64];
	int dir;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		dir = tmpdir_make(path);
		tests[i](dir, path);
		tmpdir_remove(dir, path);
	}
	return TEST_DONE();
}
