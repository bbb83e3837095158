/* What comes back to the people of a folder: complete, once, under a name that was free. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/deliver.h"
#include "agent/hot.h"
#include "agent/lib/io.h"
#include "agent/messages.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/t_deliver.XXXXXX";
static struct loop *loop;
static struct conf_folder folder = { .name = "rechnungen", .language = "de", .give_mode = 0660,
	.word_work = "in-arbeit", .word_done = "fertig", .word_held = "offen", .word_error = "fehler" };
static int top, hot, job;
static struct claim claim = { .id = "01j0abcdefghjkmnpqrstvwxyz", .folder = "rechnungen" };
static struct err last;
static int last_errno;
static bool ended;

static void
on_end(void *ctx, const struct err *why)
{
	(void)ctx;
	last_errno = errno;
	last = why != NULL ? *why : (struct err){ 0 };
	ended = true;
	loop_stop(loop);
}

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* What happens in the moment before the source gets our name. */
static void (*before_aside)(void);

int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	void (*act)(void) = strncmp(b, ".sealroom-release-", 18) == 0 ? before_aside : NULL;

	if (act != NULL) {
		before_aside = NULL;
		act();
	}
	return (int)syscall(SYS_renameat2, from, a, to, b, flags);
}

static struct err because = { .code = ERR_DOC_BAD, .page = 2, .text = "strip 3" };
static const char *wanted = "";
static bool moved;

static struct deliver *
start(enum deliver_kind kind)
{
	struct deliver_req req = { .kind = kind, .folder = &folder, .hot = hot, .job_dir = job, .claim = &claim,
		.wanted = wanted, .why = &because, .word = "Freigabe", .moved = moved };
	struct deliver *d = NULL;
	struct err e;

	ended = false;
	if (deliver_begin(&d, loop, &req, on_end, NULL, &e) < 0)
		abort();
	return d;
}

/* 0, or -code. */
static int
deliver(enum deliver_kind kind)
{
	struct err e;
	uint64_t t;

	start(kind);
	t = loop_timer(loop, 10000, stop, NULL);
	loop_run(loop, &e);
	loop_timer_del(loop, t);
	return ended ? -(int)last.code : -1000;
}

static void
spill(int dir, const char *name, const char *bytes, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		abort();
	close(fd);
}

static bool
holds(const char *path, const char *bytes, size_t len)
{
	struct buf b;
	struct err e;
	bool r;

	buf_init(&b, 1 << 20);
	r = io_read_file(hot, path, &b, &e) == 0 && b.len == len && memcmp(b.data, bytes, len) == 0;
	buf_done(&b);
	return r;
}

static size_t
entries(const char *sub)
{
	int fd = openat(hot, sub, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

/* A new job, with another id, in its own directory. */
static void
new_job(const char *name)
{
	static int n;
	char dir[32];

	io_close(&job);
	snprintf(dir, sizeof(dir), "job-%d", ++n);
	if (mkdirat(top, dir, 0700) < 0 || (job = openat(top, dir, O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	snprintf(claim.id + 20, 7, "%06d", n);
	snprintf(claim.name, sizeof(claim.name), "%s", name);
	claim.work_name[0] = '\0';
	claim.size = 6;
	hash_bytes("source", 6, claim.hash);
	spill(job, "source", "source", 6);
	spill(job, "sealed.pdf", "%PDF sealed", 11);
	wanted = "";
}

static void
begin(void)
{
	struct err e;
	char dir[512];
	const char *bin = getenv("SEALROOM_BIN");

	snprintf(dir, sizeof(dir), "%s/locale", bin != NULL ? bin : "build");
	message_open(dir);
	umask(077);
	if (mkdtemp(root) == NULL || (top = open(root, O_RDONLY | O_DIRECTORY)) < 0 || mkdirat(top, "hot", 0755) < 0 ||
	    fchmodat(top, "hot", 02775, 0) < 0 || (hot = openat(top, "hot", O_RDONLY | O_DIRECTORY)) < 0 ||
	    loop_new(&loop, &e) < 0)
		abort();
}

static void
test_result(void)
{
	struct stat st;

	new_job("Brief.tif");
	CHECK(deliver(DELIVER_RESULT) == 0 && holds("fertig/Brief.pdf", "%PDF sealed", 11), "Brief.tif comes back as Brief.pdf");
	fstatat(hot, "fertig/Brief.pdf", &st, 0);
	CHECK((st.st_mode & 07777) == 0660, "with the mode that the folder gives");
	fstatat(hot, "fertig", &st, 0);
	CHECK((st.st_mode & 02770) == 02770, "its folder inherits the setgid bit and lets the group work in it");
	CHECK(deliver(DELIVER_RESULT) == 0 && entries("fertig") == 1, "the same job again, as after a crash: nothing new");
	new_job("Brief.tif");
	CHECK(deliver(DELIVER_RESULT) == 0 && entries("fertig") == 2 && holds("fertig/Brief (2).pdf", "%PDF sealed", 11),
	    "another job of that name: Brief (2).pdf");
	new_job("BRIEF.jpg");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/BRIEF (3).pdf", F_OK, 0) == 0,
	    "upper and lower case are one name on Windows");
	new_job("Bru\xcc\x88""cke.tif");
	deliver(DELIVER_RESULT);
	new_job("Br\xc3\xbc""cke.tif");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/Br\xc3\xbc""cke (2).pdf", F_OK, 0) == 0,
	    "so are composed and decomposed letters");
	new_job("egal.tif");
	wanted = "2026-11-22_R-17.pdf";
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/2026-11-22_R-17.pdf", F_OK, 0) == 0,
	    "the name a rule wants is used");
	new_job("ohne Endung Nr. 5");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/ohne Endung Nr. 5.pdf", F_OK, 0) == 0,
	    "a dot is not always a suffix");
	new_job("a:b*c\n.tif");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/a:b*c\n.pdf", F_OK, 0) < 0 && entries("fertig") == 8,
	    "a name that Windows cannot show is made one that it can");
}

static void
test_crash(void)
{
	struct err e;
	struct deliver *d;

	new_job("Absturz.tif");
	d = start(DELIVER_RESULT);
	for (int i = 0; i < 2; i++) { /* names chosen, copy begun */
		loop_timer(loop, 0, stop, NULL);
		loop_run(loop, &e);
	}
	CHECK(faccessat(job, "delivered-done", F_OK, 0) == 0 && faccessat(hot, "fertig/Absturz.pdf", F_OK, 0) < 0,
	    "the name is in the job before the file is in the folder");
	deliver_cancel(d);
	spill(hot, "fertig/Absturz.pdf", "%PDF of somebody", 16);
	CHECK(deliver(DELIVER_RESULT) == 0 && holds("fertig/Absturz.pdf", "%PDF of somebody", 16) &&
	          holds("fertig/Absturz (2).pdf", "%PDF sealed", 11),
	    "a name that somebody took meanwhile is left to him");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/Absturz (3).pdf", F_OK, 0) < 0,
	    "and the new one is remembered");
}

static void
test_refused(void)
{
	struct buf b;
	struct err e;
	size_t n;

	new_job("kaputt.tif");
	CHECK(deliver(DELIVER_REFUSED) == 0 && holds("fehler/kaputt.tif", "source", 6), "the original comes back as it was");
	buf_init(&b, 65536);
	CHECK(io_read_file(hot, "fehler/kaputt.tif.txt", &b, &e) == 0 && memmem(b.data, b.len, "beschädigt", 11) != NULL &&
	          memmem(b.data, b.len, "Seite 2\r\n", 9) != NULL,
	    "with a note in the folder's language");
	buf_done(&b);
	CHECK(entries("fehler") == 2 && deliver(DELIVER_REFUSED) == 0 && entries("fehler") == 2, "and again: nothing new");
	new_job("kaputt.tif");
	spill(hot, "fehler/kaputt (2).tif.txt", "x", 1);
	CHECK(deliver(DELIVER_REFUSED) == 0 && faccessat(hot, "fehler/kaputt (3).tif", F_OK, 0) == 0 &&
	          faccessat(hot, "fehler/kaputt (3).tif.txt", F_OK, 0) == 0,
	    "a document and its note keep one number");
	n = entries("fehler");
	new_job("kaputt.tif");
	if (fchmodat(hot, "fehler", 0500, 0) < 0)
		abort();
	CHECK(deliver(DELIVER_REFUSED) == -ERR_IO && last_errno == EACCES, "a folder we may not write to: %s", last.text);
	if (fchmodat(hot, "fehler", 02770, 0) < 0)
		abort();
	CHECK(deliver(DELIVER_REFUSED) == 0 && entries("fehler") == n + 2, "goes on when we may");
}

static void
test_held(void)
{
	new_job("offen.tif");
	spill(job, "picture.png", "\x89PNG", 4);
	CHECK(deliver(DELIVER_HELD) == 0 && entries("offen") == 3 && holds("offen/offen.tif.png", "\x89PNG", 4),
	    "held: original, note and picture");
	CHECK(deliver(DELIVER_UNHOLD) == 0 && entries("offen") == 0, "taken back when a person has decided");
	CHECK(faccessat(job, "delivered-held", F_OK, 0) < 0 && deliver(DELIVER_UNHOLD) == 0, "which may be done twice");
	deliver(DELIVER_HELD);
	spill(hot, "offen/offen.tif.txt", "my own words", 12);
	CHECK(deliver(DELIVER_UNHOLD) == 0 && entries("offen") == 1 && holds("offen/offen.tif.txt", "my own words", 12),
	    "what a person changed stays");
	CHECK(deliver(DELIVER_HELD) == 0 && faccessat(hot, "offen/offen (2).tif", F_OK, 0) == 0,
	    "held again: a new set beside it");
}

static void
stamp_source(const char *path)
{
	struct stat st;
	struct hot_stamp s;

	fstatat(hot, path, &st, 0);
	hot_stamp(&st, &s);
	claim.mtime_ns = s.mtime_ns;
}

static void
test_release(void)
{
	struct timespec times[2];
	struct stat st;
	struct err e;

	close(hot_open_sub(hot, "in-arbeit", &e));
	new_job("Quelle.tif");
	strcpy(claim.work_name, "Quelle (2).tif");
	spill(hot, "in-arbeit/Quelle (2).tif", "source", 6);
	stamp_source("in-arbeit/Quelle (2).tif");
	spill(hot, "Quelle.tif", "andere", 6);
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "andere", 6),
	    "the receipt goes; a new file of the old name stays");
	CHECK(deliver(DELIVER_RELEASE) == 0, "gone already is fine");

	spill(hot, "Quelle.tif", "source", 6);
	stamp_source("Quelle.tif");
	CHECK(deliver(DELIVER_RELEASE) == 0 && faccessat(hot, "Quelle.tif", F_OK, 0) < 0,
	    "where the receipt was refused the file itself goes");

	spill(hot, "Quelle.tif", "Source", 6);
	fstatat(hot, "Quelle.tif", &st, 0);
	times[0] = times[1] = st.st_mtim;
	stamp_source("Quelle.tif");
	CHECK(deliver(DELIVER_RELEASE) == 0 && holds("Quelle.tif", "Source", 6), "same size and time, other bytes: stays");
	spill(hot, "Quelle.tif", "source", 6);
	times[1].tv_nsec ^= 1;
	utimensat(hot, "Quelle.tif", times, 0);
	CHECK(deliver(DELIVER_RELEASE) == 0 && holds("Quelle.tif", "source", 6), "same bytes, other time: another delivery, stays");
	stamp_source("Quelle.tif");
	fchmod(hot, 0555);
	CHECK(deliver(DELIVER_RELEASE) == -ERR_IO && last_errno == EACCES, "a read-only folder is an error: %s", last.text);
	fchmod(hot, 02775);
	unlinkat(hot, "Quelle.tif", 0);
	spill(hot, "anderswo", "source", 6);
	if (symlinkat("anderswo", hot, "Quelle.tif") < 0)
		abort();
	stamp_source("anderswo");
	CHECK(deliver(DELIVER_RELEASE) == 0 && holds("anderswo", "source", 6), "a link put in its place leads nowhere");
}

static void
receipt(const char *bytes)
{
	spill(hot, "in-arbeit/Quelle.tif", bytes, strlen(bytes));
}

/* Other bytes of the same size and time. */
static void
change_unseen(const char *path, const char *bytes)
{
	struct timespec times[2] = { { .tv_sec = claim.mtime_ns / 1000000000, .tv_nsec = claim.mtime_ns % 1000000000 } };

	times[1] = times[0];
	spill(hot, path, bytes, strlen(bytes));
	utimensat(hot, path, times, 0);
}

/* What is not what was claimed is never removed, and never left where nobody takes it. */
static void
test_given_back(void)
{
	new_job("Quelle.tif");
	strcpy(claim.work_name, "Quelle.tif");
	unlinkat(hot, "Quelle.tif", 0);
	receipt("source");
	stamp_source("in-arbeit/Quelle.tif");
	receipt("source and page 2");
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "source and page 2", 17),
	    "a receipt that grew goes back into the folder");
	change_unseen("in-arbeit/Quelle.tif", "Source");
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "source and page 2", 17) &&
	        holds("Quelle (2).tif", "Source", 6),
	    "one of other bytes, too, beside a file of its name");
	unlinkat(hot, "Quelle (2).tif", 0);
	moved = true;
	change_unseen("Quelle.tif", "source");
	CHECK(deliver(DELIVER_RELEASE) == 0 && holds("Quelle.tif", "source", 6), "the receipt was there, and is gone: the same file in the folder is another delivery");
	moved = false;
	CHECK(deliver(DELIVER_RELEASE) == 0 && !io_exists(hot, "Quelle.tif"), "it was not: that file is the one");
}

static void
put_another(void)
{
	change_unseen("anders", "Source");
	if (renameat(hot, "anders", hot, "in-arbeit/Quelle.tif") < 0)
		abort();
}

static void
put_alike(void)
{
	change_unseen("anders", "source");
	if (renameat(hot, "anders", hot, "in-arbeit/Quelle.tif") < 0)
		abort();
}

static void
on_touch(void *ctx)
{
	(void)ctx;
	/* changes ctime alone, and breaks no lease */
	if (fchmodat(hot, "in-arbeit/Quelle.tif", 0640, 0) < 0)
		abort();
}

/* After the delivery's first turn, in which it opens the source. */
static void
on_begun(void *ctx)
{
	loop_timer(loop, 0, on_touch, ctx);
}

static void
test_release_disturbed(void)
{
	char aside[64];
	int fd;

	new_job("Quelle.tif");
	strcpy(claim.work_name, "Quelle.tif");
	receipt("source");
	stamp_source("in-arbeit/Quelle.tif");
	if ((fd = openat(hot, "in-arbeit/Quelle.tif", O_WRONLY | O_CLOEXEC)) < 0)
		abort();
	CHECK(deliver(DELIVER_RELEASE) == -ERR_LATER && entries("in-arbeit") == 1, "a source that is open for writing is not removed: %s", last.text);
	close(fd);
	loop_timer(loop, 0, on_begun, NULL);
	CHECK(deliver(DELIVER_RELEASE) == -ERR_LATER && entries("in-arbeit") == 1, "nor one that is changed while it is read: %s", last.text);
	before_aside = put_another;
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "Source", 6),
	    "one that was replaced in the last moment goes back into the folder");
	unlinkat(hot, "Quelle.tif", 0);
	receipt("source");
	change_unseen("in-arbeit/Quelle.tif", "source");
	before_aside = put_alike;
	moved = true;
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "source", 6),
	    "and so does another file that is just like it");
	moved = false;
	unlinkat(hot, "Quelle.tif", 0);
	snprintf(aside, sizeof(aside), "in-arbeit/.sealroom-release-%s", claim.id);
	change_unseen(aside, "source");
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && !io_exists(hot, "Quelle.tif"), "what a crash left under our name is removed");
	change_unseen(aside, "Source");
	CHECK(deliver(DELIVER_RELEASE) == 0 && entries("in-arbeit") == 0 && holds("Quelle.tif", "Source", 6), "if it is the source: else it goes back");
	unlinkat(hot, "Quelle.tif", 0);
}

static void
test_large(void)
{
	size_t len = DELIVER_STEP * 2 + 12345;
	char *big = malloc(len);
	struct stat st;

	new_job("gross.tif");
	for (size_t i = 0; i < len; i++)
		big[i] = (char)(i * 2654435761u >> 24);
	spill(job, "sealed.pdf", big, len);
	CHECK(deliver(DELIVER_RESULT) == 0 && fstatat(hot, "fertig/gross.pdf", &st, 0) == 0 && (size_t)st.st_size == len,
	    "a large file comes in steps");
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/gross (2).pdf", F_OK, 0) < 0, "and is compared in steps");
	big[len - 1] ^= 1;
	spill(hot, "fertig/gross.pdf", big, len);
	CHECK(deliver(DELIVER_RESULT) == 0 && faccessat(hot, "fertig/gross (2).pdf", F_OK, 0) == 0,
	    "to its last byte");
	free(big);
}

int
main(void)
{
	struct err e;

	begin();
	test_result();
	test_crash();
	test_refused();
	test_held();
	test_release();
	test_given_back();
	test_release_disturbed();
	test_large();
	close(job);
	close(hot);
	close(top);
	loop_free(loop);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
