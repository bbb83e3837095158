/* One agent a folder, or several that share it: who may, and when a marker is out of date. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/marker.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/t_marker.XXXXXX";
static int dir;
static const struct marker_who
	anna = { "01arz3ndektsv4rrffq69g5fav", "scan-a", "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
	rebooted = { "01arz3ndektsv4rrffq69g5fav", "scan-a", "22222222-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
	moved = { "01arz3ndektsv4rrffq69g5fav", "scan-c", "33333333-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
	neighbour = { "01bx5zzkbkactav9wevgemmvrz", "scan-a", "11111111-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
	after_boot = { "01bx5zzkbkactav9wevgemmvrz", "scan-a", "22222222-aaaa-4aaa-8aaa-aaaaaaaaaaaa" },
	no_boot = { "01bx5zzkbkactav9wevgemmvrz", "scan-a", "" },
	abroad = { "01bx5zzkbkactav9wevgemmvrz", "scan-b", "44444444-aaaa-4aaa-8aaa-aaaaaaaaaaaa" };

static bool
there(void)
{
	return faccessat(dir, MARKER_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
spill(const char *text)
{
	AUTO_FD fd = openat(dir, MARKER_NAME, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

/* As a kill -9 leaves it: the lock gone, the file there. */
static void
crash(struct marker *m)
{
	io_close(&m->fd);
	io_close(&m->dir);
}

static int
take(struct marker *m, const struct marker_who *w, enum marker_kind kind, bool remote, struct err *e)
{
	*e = (struct err){ 0 };
	marker_init(m);
	return marker_take(m, dir, w, kind, remote, e);
}

static void
test_alone(void)
{
	struct marker a, b;
	struct stat st;
	struct err e;

	CHECK(take(&a, &anna, MARKER_ALONE, false, &e) == 0 && marker_stands(&a), "a folder is taken");
	CHECK(fstatat(dir, MARKER_NAME, &st, 0) == 0 && (st.st_mode & 07777) == 0644, "others may read whose it is");
	CHECK(take(&b, &neighbour, MARKER_ALONE, false, &e) == -ERR_LOCKED && strstr(e.text, "scan-a") != NULL &&
	          strstr(e.text, MARKER_NAME) != NULL,
	    "the second is told who has it, and what to do: %s", e.text);
	CHECK(take(&b, &neighbour, MARKER_SHARED, false, &e) == -ERR_LOCKED, "nobody joins one that is alone");
	CHECK(take(&b, &anna, MARKER_ALONE, false, &e) == -ERR_LOCKED, "nor does a copy of the same state directory");
	CHECK(marker_stands(&a), "none of this has changed anything");
	marker_leave(&a);
	CHECK(!there() && a.fd == -1, "given back, it is gone");
	if (geteuid() != 0) {
		if (take(&a, &anna, MARKER_ALONE, false, &e) < 0 || fchmodat(dir, MARKER_NAME, 0444, 0) < 0)
			abort();
		CHECK(take(&b, &neighbour, MARKER_ALONE, false, &e) == -ERR_LOCKED && strstr(e.text, "scan-a") != NULL && marker_stands(&a),
		    "one that another user made, and that can only be read, is respected: %s", e.text);
		marker_leave(&a);
	} else {
		printf("ok %d - a marker that can only be read # SKIP root writes to it\n", ++test_count);
	}
	CHECK(take(&b, &abroad, MARKER_ALONE, true, &e) == 0, "then anybody may");
	marker_leave(&b);
}

static void
test_outdated(void)
{
	static const struct {
		const char *name;
		const struct marker_who *who;
		bool remote;
		int want;
	} cases[] = {
		{ "the same agent again", &anna, true, 0 },
		{ "the same agent after a restart of its host", &rebooted, true, 0 },
		{ "the same state directory on another host", &moved, true, 0 },
		{ "another agent of this host, the lock is free", &neighbour, true, 0 },
		{ "another agent of this host after its restart, local", &after_boot, false, 0 },
		{ "the same on a network file system", &after_boot, true, -ERR_LOCKED },
		{ "another agent that does not know when its host started, local", &no_boot, false, 0 },
		{ "the same on a network file system", &no_boot, true, -ERR_LOCKED },
		{ "another host, although the file system is local", &abroad, false, -ERR_LOCKED },
		{ "another host on a network file system", &abroad, true, -ERR_LOCKED },
	};
	struct marker m;
	struct err e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (take(&m, &anna, MARKER_ALONE, true, &e) < 0)
			abort();
		crash(&m);
		CHECK(take(&m, cases[i].who, MARKER_ALONE, cases[i].remote, &e) == cases[i].want, "left by a crash: %s: %s",
		    cases[i].name, cases[i].want < 0 ? e.text : "taken");
		if (m.fd >= 0)
			marker_leave(&m);
		unlinkat(dir, MARKER_NAME, 0);
	}
	spill("");
	CHECK(take(&m, &abroad, MARKER_ALONE, true, &e) == -ERR_LOCKED, "an empty one on a network file system is somebody's");
	CHECK(take(&m, &abroad, MARKER_ALONE, false, &e) == 0, "on a local one the lock says that it is nobody's");
	crash(&m);
	spill("{ \"v\": 1, \"host\": \"\x1b[31m\", \"pid\": 99999999999999, \"agent\": [");
	CHECK(take(&m, &abroad, MARKER_ALONE, true, &e) == -ERR_LOCKED && strchr(e.text, '\x1b') == NULL,
	    "one that makes no sense too, and none of it is repeated raw");
	unlinkat(dir, MARKER_NAME, 0);
}

static void
test_shared(void)
{
	struct marker a, b, c;
	struct err e;

	CHECK(take(&a, &anna, MARKER_SHARED, true, &e) == 0 && take(&b, &abroad, MARKER_SHARED, true, &e) == 0,
	    "two share a folder");
	CHECK(take(&c, &anna, MARKER_ALONE, false, &e) == -ERR_LOCKED, "a third that wants to be alone is refused");
	marker_leave(&a);
	CHECK(there() && marker_stands(&b), "one leaves, the marker stays");
	CHECK(take(&c, &anna, MARKER_ALONE, false, &e) == -ERR_LOCKED, "for the other one");
	marker_leave(&b);
	CHECK(!there(), "the last one takes it away");
	if (take(&a, &anna, MARKER_SHARED, true, &e) < 0)
		abort();
	crash(&a);
	CHECK(take(&a, &anna, MARKER_ALONE, true, &e) == -ERR_LOCKED,
	    "after a crash even its maker is not alone on a network file system: others may have joined");
	CHECK(take(&b, &abroad, MARKER_SHARED, true, &e) == 0, "but all may go on to share");
	crash(&b);
	CHECK(take(&a, &anna, MARKER_ALONE, false, &e) == 0, "on a local one the lock says that nobody does");
	marker_leave(&a);
	spill("{ \"v\": 1, \"shared\": false, \"agent\": \"01arz3ndektsv4rrffq69g5fav\", \"host\": \"scan-a\" }");
	CHECK(take(&a, &anna, MARKER_SHARED, true, &e) == 0 && take(&b, &abroad, MARKER_SHARED, true, &e) == 0,
	    "one's own old marker becomes one that others can join");
	marker_leave(&a);
	marker_leave(&b);
	CHECK(!there(), "and goes with the last");
}

static void
test_meddled(void)
{
	struct marker m, n;
	struct err e;
	struct stat st;

	if (take(&m, &anna, MARKER_ALONE, false, &e) < 0)
		abort();
	unlinkat(dir, MARKER_NAME, 0);
	CHECK(!marker_stands(&m), "a marker that a person removed does not stand");
	CHECK(take(&n, &neighbour, MARKER_ALONE, false, &e) == 0 && !marker_stands(&m), "another agent's in its place is not ours");
	marker_leave(&m);
	CHECK(marker_stands(&n), "and is not taken away with ours");
	marker_leave(&n);
	if (symlinkat("target", dir, MARKER_NAME) < 0)
		abort();
	CHECK(take(&m, &anna, MARKER_ALONE, false, &e) == -ERR_LOCKED && fstatat(dir, "target", &st, 0) < 0,
	    "a link is not followed: %s", e.text);
	unlinkat(dir, MARKER_NAME, 0);
	if (mkfifoat(dir, MARKER_NAME, 0644) < 0)
		abort();
	CHECK(take(&m, &anna, MARKER_ALONE, false, &e) == -ERR_LOCKED, "a FIFO is none: %s", e.text);
	unlinkat(dir, MARKER_NAME, 0);
	if (mkdirat(dir, MARKER_NAME, 0755) < 0)
		abort();
	CHECK(take(&m, &anna, MARKER_ALONE, false, &e) < 0, "nor is a directory: %s", e.text);
	unlinkat(dir, MARKER_NAME, AT_REMOVEDIR);
}

int
main(void)
{
	struct marker_who w;
	struct err e;

	if (mkdtemp(root) == NULL || (dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	marker_self(&w, anna.agent);
	CHECK(strcmp(w.agent, anna.agent) == 0 && w.host[0] != '\0', "this host has a name: %s", w.host);
	test_alone();
	test_outdated();
	test_shared();
	test_meddled();
	close(dir);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
