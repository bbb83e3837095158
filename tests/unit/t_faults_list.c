/*
 * A directory that can not be read to its end is not a shorter directory: a manifest
 * names all documents of its day or is not written, an archive that is not empty is
 * not taken for an empty one, and a name is taken in every spelling.
 */
#include "tests/unit/faults.h"

#include "agent/archive.h"
#include "agent/deliver.h"
#include "agent/lib/io.h"
#include "tests/unit/sample.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define DAY "2026/11/22"

static char path[64];
static int dir;

static int
sh(const char *cmd)
{
	char all[1000];

	snprintf(all, sizeof(all), "cd %s && { %s; } >/dev/null 2>&1", path, cmd);
	return system(all);
}

static void
empty(void)
{
	if (sh("chmod -R u+w . && rm -rf .new .o* FORMAT *") != 0)
		exit(99);
}

/* --- the manifest of a day ------------------------------------------------------------- */

static int
publish(struct archive *a, const char *id, struct err *e)
{
	struct archive_file f[] = { { .name = "job.json", .fd = -1, .bytes = "{}", .len = 2 },
		{ .name = "original.tif", .fd = -1, .bytes = "II*", .len = 3 }, { .name = "sealed.pdf", .fd = -1, .bytes = "abc", .len = 3 } };

	return archive_publish(a, id, SAMPLE_TIME, f, 3, e);
}

/* Three documents; somebody has removed the manifest, and it is made from what is there. */
static void
test_manifest(void)
{
	static const char *const ids[] = { "01jd8k3v7m2q9x4t6w8z0b5c1f", "01jd8k3v7m2q9x4t6w8z0b5d9n", "01jd8k3v7m2q9x4t6w8z0b5e1f" };
	struct archive *a;
	struct err e;
	unsigned long n = 0, failed = 0;
	unsigned bad = 0;
	bool came;

	do {
		int r;

		empty();
		if (archive_open(&a, path, &e) < 0)
			sample_die(&e);
		for (size_t i = 0; i < 3; i++)
			if (publish(a, ids[i], &e) < 0)
				sample_die(&e);
		sh("chmod u+w " DAY " && rm -f " DAY "/manifest-sha256.txt");
		e = (struct err){ 0 };
		faults_arm(FAULTS_IO, ++n);
		r = archive_manifest(a, DAY, &e);
		came = faults_hit();
		failed += r < 0;
		if (r == 0 ? sh("cd " DAY " && sha256sum --strict -c manifest-sha256.txt && test $(wc -l <manifest-sha256.txt) = 9") != 0 : e.text[0] == '\0') {
			printf("# call %lu (%s): %d %s\n", n, faults_call, r, e.text);
			bad++;
		}
		archive_free(a);
	} while (came);
	CHECK(bad == 0 && failed > 10, "a manifest names all documents, or is not written and that is said (%lu calls)", n - 1);
}

/* --- is it empty? ------------------------------------------------------------------------ */

static void
test_blank(void)
{
	struct archive *a;
	struct err e;
	unsigned long n = 0;
	unsigned bad = 0;
	bool came;

	do {
		int r;

		empty();
		sh("mkdir 2019 && touch 2019/book");
		e = (struct err){ 0 };
		faults_arm(FAULTS_IO, ++n);
		r = archive_open(&a, path, &e);
		came = faults_hit();
		if (r == 0)
			archive_free(a);
		if (r >= 0 || e.text[0] == '\0' || io_exists(dir, "FORMAT") || io_exists(dir, "README.txt")) {
			printf("# call %lu (%s): %d %s\n", n, faults_call, r, e.text);
			bad++;
		}
	} while (came);
	CHECK(bad == 0 && n > 3, "a directory that holds other things becomes no archive (%lu calls)", n - 1);
}

/* --- is the name free? ------------------------------------------------------------------- */

static struct loop *loop;
static bool ended;
static struct err last;

static void
on_delivered(void *ctx, const struct err *why)
{
	(void)ctx;
	ended = true;
	last = why != NULL ? *why : (struct err){ 0 };
	loop_stop(loop);
}

static void
on_late(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static int
deliver(int hot, int job, struct err *e)
{
	static struct conf_folder folder = { .name = "post", .path = "/post", .language = "en", .give_mode = 0660, .word_work = "work",
		.word_done = "done", .word_held = "held", .word_error = "error" };
	const struct claim claim = { .id = "01jd8k3v7m2q9x4t6w8z0b5c1f", .name = "Brief.tif", .folder = "post" };
	struct deliver_req req = { .kind = DELIVER_RESULT, .folder = &folder, .hot = hot, .job_dir = job, .claim = &claim };
	struct deliver *d;
	struct err ignored;
	uint64_t t;
	int r;

	ended = false;
	if ((r = deliver_begin(&d, loop, &req, on_delivered, NULL, e)) < 0)
		return r;
	t = loop_timer(loop, 20000, on_late, NULL);
	loop_run(loop, &ignored);
	loop_timer_del(loop, t);
	if (!ended)
		return err_set(e, ERR_CHILD, "it never ended");
	*e = last;
	return -(int)last.code;
}

static void
test_names(void)
{
	struct err e;
	unsigned long n = 0, failed = 0;
	unsigned bad = 0;
	bool came;

	do {
		int hot, job, r;

		empty();
		if (sh("mkdir hot job hot/done && touch hot/done/BRIEF.PDF 'hot/done/brief (2).pdf' && printf sealed >job/sealed.pdf") != 0 ||
		    (hot = openat(dir, "hot", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || (job = openat(dir, "job", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
		    loop_new(&loop, &e) < 0)
			exit(99);
		e = (struct err){ 0 };
		faults_arm(FAULTS_IO, ++n);
		r = deliver(hot, job, &e);
		came = faults_hit();
		failed += r < 0;
		if (r == 0 ? sh("test \"$(cat 'hot/done/Brief (3).pdf')\" = sealed && test $(ls hot/done | wc -l) = 3") != 0 :
		             e.text[0] == '\0' || sh("test ! -e hot/done/Brief.pdf && test ! -e 'hot/done/Brief (2).pdf'") != 0) {
			printf("# call %lu (%s): %d %s\n", n, faults_call, r, e.text);
			bad++;
		}
		loop_free(loop);
		close(hot);
		close(job);
	} while (came);
	CHECK(bad == 0 && failed > 5, "a result never has a name that differs from another in its case only (%lu calls)", n - 1);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	dir = tmpdir_make(path);
	test_manifest();
	test_blank();
	test_names();
	tmpdir_remove(dir, path);
	return TEST_DONE();
}
