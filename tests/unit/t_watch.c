/* When is a file complete?  Real files, real writers, a real clock. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/hot.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/watch.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define SETTLE 100u
#define INCOMPLETE 400u
#define POLL 250u
#define LONG 8000u /* a loaded machine is slow, not wrong */
#define FLOOD 20000u /* more than the queue of events holds */
#define OFFERS (FLOOD + 4096)

enum answer { DONE, BUSY, LATER, SKIP, HOLD };

static char root[64];
static struct loop *loop;
static struct watch_set *set;
static struct conf_folder folders[2];
static struct conf conf;
static struct watch_owner owner;
static int opened;
static enum answer answer = DONE;
static bool take = true; /* DONE removes the file, as the receipt does */
static uint64_t later_ms;
static struct {
	char name[64];
	size_t folder;
	uint64_t at;
	bool overdue;
	uint64_t size;
} offers[OFFERS];
static size_t noffers, wanted;
static int most_names; /* that were followed at once */

/* A disk or a server that fails: when the folder is read, or when this name is looked at. */
static int fail_read;
static const char *fail_name;
static unsigned failed;

struct dirent *
readdir(DIR *d)
{
	static struct dirent *(*real)(DIR *);

	if (fail_read != 0) {
		failed++;
		errno = fail_read;
		return NULL;
	}
	if (real == NULL)
		real = (struct dirent * (*)(DIR *))dlsym(RTLD_NEXT, "readdir");
	return real(d);
}

int
fstatat(int dir, const char *name, struct stat *st, int flags)
{
	if (fail_name != NULL && strcmp(name, fail_name) == 0) {
		failed++;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_newfstatat, dir, name, st, flags);
}

static int
count(size_t folder, const char *key)
{
	json_t *j = watch_json(set);
	int n = (int)json_integer_value(json_object_get(json_array_get(j, folder), key));

	json_decref(j);
	return n;
}

static void
on_quiet(void *ctx, const struct watch_file *f)
{
	struct err why = { .code = ERR_DOC_SIZE, .text = "too large for this test" };

	(void)ctx;
	if (noffers % 500 == 0 && f->folder == &folders[0])
		most_names = count(0, "waiting") > most_names ? count(0, "waiting") : most_names;
	if (noffers < OFFERS) {
		snprintf(offers[noffers].name, sizeof(offers[0].name), "%s", f->name);
		offers[noffers].folder = f->folder == &folders[1];
		offers[noffers].overdue = f->overdue;
		offers[noffers].size = f->size;
		offers[noffers++].at = clock_ms();
	}
	if (answer == BUSY) {
		watch_busy(set, f->folder, f->name);
	} else if (answer == LATER) {
		watch_later(set, f->folder, f->name, later_ms);
	} else if (answer == HOLD) {
		watch_hold(set, f->folder, f->name, later_ms);
	} else if (answer == SKIP) {
		watch_skip(set, f->folder, f->name, &why);
	} else {
		if (take)
			unlinkat(f->dir, f->name, 0);
		watch_done(set, f->folder, f->name);
	}
	if (noffers == wanted)
		loop_stop(loop);
}

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* Runs until n more offers came, or ms passed. */
static size_t
run(size_t n, uint64_t ms)
{
	size_t before = noffers;
	uint64_t t = loop_timer(loop, ms, stop, NULL);
	struct err e;

	wanted = n > 0 ? before + n : SIZE_MAX;
	loop_run(loop, &e);
	loop_timer_del(loop, t);
	return noffers - before;
}

static const char *
path(size_t folder, const char *name)
{
	static char p[4][256];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(p[i], sizeof(p[i]), "%s/%zu%s%s", root, folder, *name ? "/" : "", name);
	return p[i];
}

static void
spill(size_t folder, const char *name, const char *text, int flags)
{
	int fd = open(path(folder, name), O_WRONLY | O_CREAT | flags, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

/* A process that holds the file open for writing, until it is told to end. */
static pid_t
writer(size_t folder, const char *name)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		int fd = open(path(folder, name), O_WRONLY | O_APPEND);

		if (fd < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &c, 1) != 1)
		abort();
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void
writer_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int
on_opened(void *ctx, const struct conf_folder *f, int dir, int work, struct err *e)
{
	(void)ctx;
	(void)f;
	(void)e;
	opened++;
	return dir < 0 || work < 0 ? -ERR_IO : 0;
}

static void
begin(void)
{
	static const char *const names[] = { "erster", "zweiter" };
	static char paths[2][256];
	struct err e;

	close(tmpdir_make(root)); /* in memory: tens of thousands of files */
	for (size_t i = 0; i < 2; i++) {
		snprintf(paths[i], sizeof(paths[i]), "%s/%zu", root, i);
		mkdir(paths[i], 0755);
		folders[i] = (struct conf_folder){ .name = names[i], .path = paths[i], .settle_ms = SETTLE,
			.incomplete_ms = INCOMPLETE, .poll_ms = POLL, .word_work = "in-arbeit", .word_done = "fertig",
			.word_held = "offen", .word_error = "fehler" };
	}
	conf.folders = folders;
	conf.nfolders = 2;
	owner = (struct watch_owner){ .agent = "01arz3ndektsv4rrffq69g5fav", .opened = on_opened };
	if (mkdir(path(7, ""), 0700) < 0 || (owner.state = open(path(7, ""), O_RDONLY | O_DIRECTORY)) < 0 ||
	    freopen(path(7, "log"), "a", stderr) == NULL)
		abort();
	if (loop_new(&loop, &e) < 0)
		abort();
}

static void
test_first_scan(void)
{
	struct err e;
	uint64_t start;
	struct timespec far[2] = { { .tv_sec = 4070908800 }, { .tv_sec = 4070908800 } }; /* 2099 */

	spill(0, "vorher.tif", "x", 0);
	spill(0, "zukunft.tif", "x", 0);
	utimensat(AT_FDCWD, path(0, "zukunft.tif"), far, 0);
	start = clock_ms();
	CHECK(watch_open(&set, loop, &conf, &owner, 4, on_quiet, NULL, &e) == 0, "two folders are watched");
	CHECK(run(2, LONG) == 2, "files that were there before are offered, whatever their mtime");
	CHECK(offers[0].at - start >= SETTLE, "and not before their quiet time");
	CHECK(access(path(0, "in-arbeit"), X_OK) == 0 && access(path(0, "fertig"), X_OK) == 0 &&
	          access(path(0, "offen"), X_OK) == 0 && access(path(0, "fehler"), X_OK) == 0,
	    "the sub-folders are made");
}

/* Five pages, no two further apart than half the quiet time; false: this machine was too busy for that. */
static bool
grow(uint64_t *ret_last)
{
	uint64_t t;

	spill(0, "wachsend.tif", "1", O_TRUNC);
	*ret_last = clock_ms();
	for (int i = 0; i < 5; i++) {
		run(0, SETTLE / 4);
		spill(0, "wachsend.tif", "2", O_APPEND);
		t = clock_ms();
		if (t - *ret_last > SETTLE / 2)
			return false;
		*ret_last = t;
	}
	return true;
}

static void
test_growing(void)
{
	uint64_t last;

	for (int i = 0; i < 20 && !grow(&last); i++)
		run(1, SETTLE);
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].size == 6, "a file that grew page by page is offered whole");
	CHECK(offers[noffers - 1].at - last >= SETTLE, "its clock began anew with every page");
}

static void
test_open_writer(void)
{
	pid_t pid;
	uint64_t closed;
	int fd;
	enum hot_lease lease;

	spill(0, "offen.tif", "x", 0);
	pid = writer(0, "offen.tif");
	fd = open(path(0, "offen.tif"), O_RDONLY);
	lease = hot_lease(fd);
	close(fd);
	if (lease == HOT_UNKNOWN) {
		printf("ok %d - open writers # SKIP no leases on this file system\n", ++test_count);
		writer_end(pid);
		run(1, LONG);
		return;
	}
	CHECK(lease == HOT_WRITER, "an open writer is seen");
	CHECK(run(0, 4 * SETTLE) == 0, "a file held open is not offered, however still it lies");
	writer_end(pid);
	closed = clock_ms();
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].at - closed >= SETTLE, "it is when the writer has gone and rest follows");
}

static void
test_left_alone(void)
{
	spill(0, ".versteckt.tif", "x", 0);
	spill(0, "~$Brief.doc", "x", 0);
	spill(0, "a.TMP", "x", 0);
	spill(0, "b.crdownload", "x", 0);
	spill(0, "Stand.txt", "x", 0);
	if (symlink("/etc/passwd", path(0, "link.tif")) < 0 || mkfifo(path(0, "fifo.tif"), 0644) < 0 ||
	    mkdir(path(0, "ordner"), 0755) < 0)
		abort();
	spill(0, "geheim.tif", "x", 0);
	chmod(path(0, "geheim.tif"), 0000);
	CHECK(run(0, 3 * SETTLE) == 0, "links, FIFOs, directories, unreadable files and temporary names are not offered");
	CHECK(count(0, "ignored") == 4, "four names are ignored, our own status file is not even counted");
	CHECK(count(0, "odd") == 4, "four things are odd");
	chmod(path(0, "geheim.tif"), 0644);
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "geheim.tif") == 0,
	    "one that becomes readable is offered after all");
	rename(path(0, "a.TMP"), path(0, "a.tif"));
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "a.tif") == 0, "one that gets its final name too");
}

/* How often the log holds this. */
static size_t
said(const char *text)
{
	AUTO_FREE char *log = NULL;
	struct buf b;
	struct err e;
	size_t n = 0;

	buf_init(&b, 1 << 20);
	if (io_read_file(AT_FDCWD, path(7, "log"), &b, &e) < 0 || (log = buf_take_text(&b)) == NULL)
		abort();
	for (const char *p = log; (p = strstr(p, text)) != NULL; p++)
		n++;
	return n;
}

static void
test_old(void)
{
	static const char line[] = "folder erster: alt.pdf.part: named like a file that is still being written, and has not changed for long; left alone";

	spill(0, "alt.pdf.part", "x", 0);
	run(0, INCOMPLETE / 2);
	CHECK(said("alt.pdf.part") == 0, "of a temporary name nothing is said at first");
	for (int i = 0; i < 20 && said(line) == 0; i++)
		run(0, INCOMPLETE);
	run(0, 2 * POLL);
	CHECK(said(line) == 1, "one that nobody finishes is reported, once");
	unlink(path(0, "alt.pdf.part"));
}

static const char *
why_gone(size_t folder)
{
	static char text[256];
	json_t *j = watch_json(set);

	snprintf(text, sizeof(text), "%s", json_string_value(json_object_get(json_array_get(j, folder), "why")));
	json_decref(j);
	return text;
}

static void
test_unreadable(void)
{
	uint32_t later;

	run(0, 2 * POLL);
	failed = 0;
	fail_read = EIO;
	watch_rescan(set);
	run(0, 4 * POLL);
	CHECK(watch_dir(set, &folders[0]) == -1 && strstr(why_gone(0), strerror(EIO)) != NULL, "a folder that can not be read is not there: %s", why_gone(0));
	CHECK(watch_idle(set, &later) && later == 2, "and not empty: what lies there is put off");
	CHECK(failed <= 40, "it is tried now and then: %u times", failed);
	spill(0, "danach.tif", "x", 0);
	fail_read = 0;
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "danach.tif") == 0, "and taken from again when it can be");
	run(0, SETTLE);
	CHECK(why_gone(0)[0] == '\0' && said("folder erster is there again") == 1 && said("folder erster: ") > 0, "which is said once");

	fail_name = "dunkel.tif";
	failed = 0;
	spill(0, "dunkel.tif", "x", 0);
	run(0, 4 * POLL);
	CHECK(count(0, "later") == 1 && watch_dir(set, &folders[0]) >= 0 && failed <= 40, "a name that can not be looked at is put off: %u looks",
	    failed);
	CHECK(said("folder erster: dunkel.tif can not be looked at now") == 1, "and said, once");
	spill(0, "nebenan.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "nebenan.tif") == 0, "others beside it are offered");
	fail_name = NULL;
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "dunkel.tif") == 0, "and it, too, when it can be");

	answer = LATER;
	later_ms = 1;
	spill(0, "dunkel.tif", "x", 0);
	CHECK(run(1, LONG) == 1, "one that was seen before");
	answer = DONE;
	fail_name = "dunkel.tif";
	failed = 0;
	run(0, 4 * POLL);
	CHECK(count(0, "later") == 1 && failed > 0 && failed <= 40, "is put off as well: %u looks", failed);
	fail_name = NULL;
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "dunkel.tif") == 0, "until it can be looked at");
}

static void
test_answers(void)
{
	uint64_t t;

	answer = BUSY;
	spill(0, "arbeit.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && run(0, 2 * SETTLE) == 0, "a busy name is not offered twice");
	watch_done(set, &folders[0], "arbeit.tif");
	CHECK(run(0, POLL + 2 * SETTLE) == 0, "one that is done but still there is left alone");
	watch_again(set, &folders[0], "arbeit.tif");
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "arbeit.tif") == 0, "until who took it has ended: what is there then is offered");
	watch_again(set, &folders[0], "arbeit.tif");
	CHECK(run(0, 2 * SETTLE) == 0, "not while it is busy");
	watch_done(set, &folders[0], "arbeit.tif");
	answer = DONE;
	spill(0, "arbeit.tif", "y", O_APPEND);
	CHECK(run(1, LONG) == 1, "or until it changes: that is another delivery");

	answer = BUSY;
	spill(0, "wechsel.tif", "x", 0);
	run(1, LONG);
	spill(0, "wechsel.tif", "y", O_APPEND);
	run(0, SETTLE);
	answer = DONE;
	watch_done(set, &folders[0], "wechsel.tif");
	CHECK(run(1, LONG) == 1, "a change during the claim is not swallowed by its end");

	answer = LATER;
	later_ms = 3 * SETTLE;
	spill(0, "spaeter.tif", "x", 0);
	CHECK(run(1, LONG) == 1, "a name is put off");
	t = offers[noffers - 1].at;
	answer = SKIP;
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].at - t >= later_ms, "and comes again when its time is up");
	CHECK(run(0, POLL + SETTLE) == 0, "a skipped name does not");
	answer = DONE;
	spill(0, "spaeter.tif", "y", O_APPEND);
	CHECK(run(1, LONG) == 1, "until it changes");
}

static void
test_empty(void)
{
	uint64_t t = clock_ms();

	spill(0, "leer.tif", "", 0);
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].overdue && offers[noffers - 1].at - t >= INCOMPLETE,
	    "a file of no bytes is offered when it is overdue, not before");
}

static void
test_pause(void)
{
	watch_pause(set, true);
	spill(0, "pause.tif", "x", 0);
	CHECK(run(0, 3 * SETTLE) == 0, "nothing is offered while paused");
	watch_pause(set, false);
	CHECK(run(1, LONG) == 1, "and at once afterwards");
}

static void
test_turns(void)
{
	char name[64];
	size_t at = noffers, changes = 0;

	watch_pause(set, true);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%d.tif", i);
		spill(0, name, "x", 0);
	}
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "%d.tif", i);
		spill(1, name, "x", 0);
	}
	run(0, 3 * SETTLE);
	watch_pause(set, false);
	CHECK(run(12, LONG) == 12, "twelve files from two folders");
	for (size_t i = at + 1; i < noffers; i++)
		changes += offers[i].folder != offers[i - 1].folder;
	CHECK(changes == 11, "folders are served in turn");
}

static void
test_replaced_folder(void)
{
	uint32_t later;

	rename(path(1, ""), path(9, ""));
	mkdir(path(1, ""), 0755);
	spill(1, "neu.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].folder == 1, "a folder that was replaced is watched again");
	rename(path(1, ""), path(8, ""));
	run(0, POLL + SETTLE);
	CHECK(count(1, "there") == 0 && watch_dir(set, &folders[1]) == -1, "a folder that is gone is said to be gone");
	mkdir(path(1, ""), 0755);
	spill(1, "wieder.tif", "x", 0);
	CHECK(run(1, LONG) == 1, "and found again when it is back");
	watch_rescan(set);
	CHECK(!watch_idle(set, &later), "a rescan that has not ended is not idle");
	run(0, SETTLE);
	CHECK(watch_idle(set, &later), "nothing to claim, all scanned: idle");
}

/* Ways to arrive that tell inotify little or nothing. */
static void
test_quiet_ways(void)
{
	char proc[64];
	int fd;

	spill(9, "quelle", "0123456789", 0);
	if (link(path(9, "quelle"), path(0, "hart.tif")) < 0)
		abort();
	CHECK(run(1, LONG) == 1 && strcmp(offers[noffers - 1].name, "hart.tif") == 0, "a hard link that appears is offered");

	fd = open(path(0, ""), O_TMPFILE | O_WRONLY, 0644);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, "0123456789", 10) != 10 ||
	    linkat(AT_FDCWD, proc, AT_FDCWD, path(0, "namenlos.tif"), AT_SYMLINK_FOLLOW) < 0)
		abort();
	CHECK(run(0, 4 * SETTLE) == 0, "a nameless file that got its name is not, while it is open for writing");
	close(fd);
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].size == 10, "and is when it is closed");

	answer = BUSY;
	spill(0, "kuerzer.tif", "0123456789", 0);
	CHECK(run(1, LONG) == 1, "a file is taken");
	if (truncate(path(0, "kuerzer.tif"), 5) < 0)
		abort();
	answer = DONE;
	watch_done(set, &folders[0], "kuerzer.tif");
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].size == 5, "cut meanwhile it is another delivery, although nobody closed it");
}

static void
test_mapped(void)
{
	int fd = open(path(0, "karte.tif"), O_RDWR | O_CREAT, 0644);
	char *p;
	uint64_t end;

	if (fd < 0 || ftruncate(fd, 4096) < 0 ||
	    (p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED)
		abort();
	close(fd);
	if (run(0, 2 * SETTLE) > 0) {
		printf("ok %d - a mapping # SKIP this file system has no leases\n", ++test_count);
		munmap(p, 4096);
		return;
	}
	memcpy(p, "II*", 4);
	CHECK(run(0, 2 * SETTLE) == 0, "a file that is written through a mapping is not offered, although it is closed");
	munmap(p, 4096);
	end = clock_ms();
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].at - end >= SETTLE, "and is when the mapping is gone and rest follows");
}

static void
test_hold(void)
{
	uint64_t t;

	answer = HOLD;
	later_ms = 4 * SETTLE;
	spill(0, "voll.tif", "x", 0);
	CHECK(run(1, LONG) == 1, "a callee that is full says so at the first name");
	t = offers[noffers - 1].at;
	spill(1, "auch.tif", "x", 0);
	answer = DONE;
	CHECK(run(2, LONG) == 2 && offers[noffers - 2].at - t >= later_ms, "then nobody is offered before its time is up");
	CHECK(strcmp(offers[noffers - 2].name, "voll.tif") == 0 || strcmp(offers[noffers - 1].name, "voll.tif") == 0,
	    "and who was turned away is not forgotten");
}

/* The second folder as if on a network file system: no event is believed to be there, and none is needed. */
static void
test_polled(void)
{
	uint32_t later;
	uint64_t t;

	watch_close(set);
	folders[1].poll = POLL_ALWAYS;
	folders[1].settle_ms = 0;
	folders[0].settle_ms = 0;
	if (watch_open(&set, loop, &conf, &owner, 4, on_quiet, NULL, &(struct err){ 0 }) < 0)
		abort();
	run(0, SETTLE);
	json_t *j = watch_json(set);
	CHECK(json_is_true(json_object_get(json_array_get(j, 1), "polled")) &&
	          json_is_false(json_object_get(json_array_get(j, 0), "polled")),
	    "a folder that is to be polled is said to be");
	json_decref(j);
	CHECK(watch_settle_ms(set) == 30000, "without a settle time it waits for half a minute");
	watch_close(set);
	folders[0].settle_ms = folders[1].settle_ms = SETTLE;
	if (watch_open(&set, loop, &conf, &owner, 4, on_quiet, NULL, &(struct err){ 0 }) < 0)
		abort();
	run(0, SETTLE);
	t = clock_ms();
	spill(1, "fern.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && offers[noffers - 1].at - t >= SETTLE, "with one it is offered after that");
	watch_rescan(set);
	run(0, 2 * SETTLE);
	CHECK(watch_idle(set, &later) && later == 0, "idle");
}

/* A second agent on the same folders. */
static void
test_agents(void)
{
	struct watch_owner second = owner;
	struct watch_set *other;
	struct err e;
	uint32_t later;
	size_t before = noffers;
	json_t *j;

	second.agent = "01bx5zzkbkactav9wevgemmvrz";
	if (watch_open(&other, loop, &conf, &second, 4, on_quiet, NULL, &e) < 0)
		abort();
	spill(0, "meins.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && run(0, 3 * SETTLE) == 0 && noffers == before + 1, "of two agents one is offered a file");
	j = watch_json(other);
	CHECK(json_is_true(json_object_get(json_array_get(j, 0), "locked")) &&
	          strstr(json_string_value(json_object_get(json_array_get(j, 0), "why")), "sealroomd on host") != NULL,
	    "the other one knows whose the folder is");
	json_decref(j);
	CHECK(watch_idle(other, &later) && later == 2, "it waits for two folders");
	watch_close(set);
	set = other;
	opened = 0;
	spill(0, "jetzt.tif", "x", 0);
	CHECK(run(1, LONG) == 1 && opened >= 1, "and takes over when the first one ends");
	unlink(path(0, ".sealroom-agent"));
	watch_rescan(set);
	run(0, SETTLE);
	CHECK(access(path(0, ".sealroom-agent"), F_OK) == 0, "a marker that somebody removed is made anew");
}

/* Four at once, and beside them those that take long, up to a number. */
static void
test_slow(void)
{
	size_t first = noffers, done = noffers, n = 0;
	char name[64];

	answer = BUSY;
	for (unsigned i = 0; i < WATCH_SLOW + 10; i++) {
		snprintf(name, sizeof(name), "langsam-%02u.tif", i);
		spill(0, name, "x", 0);
	}
	CHECK(run(5, 10 * SETTLE) == 4, "four claims are under way at once");
	watch_slow(set, &folders[0], offers[first].name);
	watch_slow(set, &folders[0], offers[first].name);
	CHECK(run(2, 10 * SETTLE) == 1, "one that takes long makes room for one more, once");
	for (size_t i = first; i < noffers; i++) {
		watch_slow(set, &folders[0], offers[i].name);
		run(1, 3 * SETTLE);
	}
	CHECK(noffers - first == WATCH_SLOW + 4, "not for any number: %zu are under way", noffers - first);
	answer = DONE;
	for (; done < noffers && n++ < WATCH_SLOW + 10; done++) {
		unlink(path(0, offers[done].name));
		watch_done(set, &folders[0], offers[done].name);
	}
	CHECK(run(6, LONG) == 6 && run(0, 2 * SETTLE) == 0 && count(0, "busy") == 0, "when they end the others are offered");
	answer = BUSY;
	for (unsigned i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "wieder-%02u.tif", i);
		spill(0, name, "x", 0);
	}
	CHECK(run(5, 10 * SETTLE) == 4, "and there are four again");
	answer = DONE;
	for (size_t i = noffers - 4, end = noffers; i < end; i++) {
		unlink(path(0, offers[i].name));
		watch_done(set, &folders[0], offers[i].name);
	}
	CHECK(run(2, LONG) == 2, "the last two follow");
}

static void
test_flood(void)
{
	char name[64];
	size_t at = noffers, small = 0, last_small = 0;
	uint64_t t;
	int limit = WATCH_NAMES;

	answer = DONE;
	for (unsigned i = 0; i < FLOOD; i++) {
		snprintf(name, sizeof(name), "flut-%05u.tif", i);
		spill(0, name, "x", 0);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "nachbar-%02d.tif", i);
		spill(1, name, "x", 0);
	}
	t = clock_ms();
	CHECK(run(FLOOD + 50, 15 * LONG) == FLOOD + 50, "%u files at once and 50 next door are all offered", FLOOD);
	printf("# in %llu ms\n", (unsigned long long)(clock_ms() - t));
	for (size_t i = at; i < noffers; i++)
		if (offers[i].folder == 1) {
			small++;
			last_small = i - at;
		}
	CHECK(small == 50 && last_small < 5000, "the neighbour's did not wait for the flood: %zu offers before its last", last_small);
	CHECK(most_names > 0 && most_names <= limit, "no more than %d names were followed at once: %d", limit, most_names);
	CHECK(run(0, SETTLE) == 0, "and each once");
}

/* Names that nobody will finish soon leave room for documents. */
static void
test_junk(void)
{
	char name[64];

	folders[0].incomplete_ms = 600000;
	for (unsigned i = 0; i < WATCH_NAMES + 1000; i++) {
		snprintf(name, sizeof(name), "leer-%05u.tif", i);
		close(open(path(0, name), O_WRONLY | O_CREAT, 0644));
	}
	run(0, SETTLE);
	spill(0, "wichtig.tif", "x", 0);
	CHECK(run(1, 3 * LONG) == 1 && strcmp(offers[noffers - 1].name, "wichtig.tif") == 0, "a document is offered among more empty files than can be followed");
}

int
main(void)
{
	struct err e;

	begin();
	test_first_scan();
	test_growing();
	test_open_writer();
	test_left_alone();
	test_old();
	test_answers();
	test_unreadable();
	test_empty();
	test_pause();
	test_turns();
	test_replaced_folder();
	test_quiet_ways();
	test_mapped();
	test_hold();
	test_polled();
	test_agents();
	test_slow();
	test_flood();
	test_junk();
	watch_close(set);
	loop_free(loop);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
