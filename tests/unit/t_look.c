#include <signal.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/look.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define FILES 200

struct asked {
	unsigned answers;
	struct look_seen seen;
};

static void
on_seen(void *ctx, const struct look_seen *seen)
{
	struct asked *q = ctx;

	q->answers++;
	q->seen = *seen;
}

/* sha256("") and sha256("abc"), FIPS 180-4. */
static const char *const known[2] = { "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" };

static void
make_files(int dir)
{
	char name[16];
	struct err e = { 0 };

	for (int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		if (io_replace(dir, name, "abc", i % 2 == 0 ? 0 : 3, 0600, &e) < 0)
			exit(99);
	}
}

/* Kills the n-th process that is ours. */
static void
kill_child(int n)
{
	char path[64];
	FILE *f;
	int pid = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	if ((f = fopen(path, "r")) == NULL)
		exit(99);
	for (int i = 0; i <= n; i++)
		if (fscanf(f, "%d", &pid) != 1)
			pid = 0;
	fclose(f);
	if (pid <= 0 || kill(pid, SIGKILL) < 0)
		exit(99);
}

/* killed: after how many questions a process dies; -1: never. */
static void
look_at_all(int dir, unsigned n, int killed, int how_many)
{
	static struct asked q[FILES];
	struct lookers *l;
	struct err e = { 0 };
	char name[16], hex[HASH_HEX];
	int right = 0;

	memset(q, 0, sizeof(q));
	if (lookers_open(&l, dir, n, &e) < 0)
		exit(99);
	for (int i = 0; i < FILES; i++) {
		while (!lookers_room(l))
			lookers_wait(l, on_seen);
		if (i == killed)
			for (int k = 0; k < how_many; k++)
				kill_child(k);
		snprintf(name, sizeof(name), "%d", i);
		lookers_ask(l, name, &q[i], on_seen);
	}
	for (int i = 0; i < FILES; i++) {
		while (q[i].answers == 0)
			lookers_wait(l, on_seen);
		hash_hex(q[i].seen.hash, hex);
		right += q[i].answers == 1 && q[i].seen.how == LOOK_HASHED && strcmp(hex, known[i % 2]) == 0 &&
		    q[i].seen.size == (i % 2 == 0 ? 0 : 3);
	}
	lookers_wait(l, on_seen); /* nothing is asked: comes back */
	lookers_free(l);
	CHECK(right == FILES, "%u processes, %d of them killed: %d files seen once, with their hashes", n,
	    killed < 0 ? 0 : how_many, right);
}

static void
test_odd(int dir)
{
	struct look_seen s;
	struct err e = { 0 };
	char name[LOOK_PATH_MAX];

	if (mkdirat(dir, "d", 0700) < 0 || symlinkat("0", dir, "link") < 0 || mkfifoat(dir, "fifo", 0600) < 0 ||
	    io_replace(dir, "locked", "x", 1, 0, &e) < 0)
		exit(99);
	look_file(dir, "none", &s);
	CHECK(s.how == LOOK_MISSING, "what is not there is missing");
	look_file(dir, "0/x", &s);
	CHECK(s.how == LOOK_MISSING, "so is what would lie below a file");
	look_file(dir, "link", &s);
	CHECK(s.how == LOOK_SYMLINK, "a symbolic link is not followed");
	look_file(dir, "d", &s);
	CHECK(s.how == LOOK_NO_FILE, "a directory is no file");
	look_file(dir, "fifo", &s);
	CHECK(s.how == LOOK_NO_FILE, "nor is a fifo, and it is not waited for");
	look_file(dir, "locked", &s);
	CHECK(s.how == LOOK_UNREAD && strcmp(s.why, "Permission denied") == 0, "what may not be read is said to be so: %s", s.why);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	look_file(dir, name, &s);
	CHECK(s.how == LOOK_UNREAD, "a name that no file can have: %s", s.why);
	look_file(AT_FDCWD, "/proc/self/mem", &s);
	CHECK(s.how != LOOK_HASHED, "what can be opened and not be read: %s", s.why);
}

int
main(void)
{
	char path[64];
	int dir = tmpdir_make(path);

	make_files(dir);
	look_at_all(dir, 1, -1, 0);
	look_at_all(dir, 3, -1, 0);
	look_at_all(dir, 0, -1, 0);
	look_at_all(dir, 3, 50, 1);
	look_at_all(dir, 2, 50, 2);
	look_at_all(dir, 100, -1, 0);
	test_odd(dir);
	tmpdir_remove(dir, path);
	return TEST_DONE();
}
