/* The claim: a private copy, proven unchanged, or nothing at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/hot.h"
#include "agent/intake.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "tests/unit/test.h"

static char root[] = "/tmp/t_intake.XXXXXX";
static char state[256], hotpath[256];
static struct loop *loop;
static struct spool spool;
static struct conf conf;
static struct conf_folder folder = { .name = "rechnungen", .word_work = "in-arbeit", .word_done = "fertig",
	.word_held = "offen", .word_error = "fehler" };
static int hot;
static struct err last;
static bool copied;

/* What happens in the moment before the next rename in the folder, or in the spool; 0: that goes on, -1: it is not heard of. */
static int (*before_rename)(int from, const char *a, int to, const char *b);
static bool in_spool;

int
renameat2(int from, const char *a, int to, const char *b, unsigned flags)
{
	int (*act)(int, const char *, int, const char *) = from != to && (from == spool.dir[SPOOL_INCOMING]) == in_spool ? before_rename : NULL;

	if (act != NULL)
		before_rename = NULL;
	if (act != NULL && act(from, a, to, b) < 0)
		return -1;
	return (int)syscall(SYS_renameat2, from, a, to, b, flags);
}

/* what another process does to the sender's file after the first step of the copy */
static void (*meddle)(void);

static void
on_copied(void *ctx, struct intake *in, const struct err *why)
{
	(void)ctx;
	(void)in;
	copied = true;
	last = why != NULL ? *why : (struct err){ 0 };
	loop_stop(loop);
}

static void
on_meddle(void *ctx)
{
	pid_t pid = fork();

	(void)ctx;
	if (pid == 0) {
		meddle();
		_exit(0);
	}
	/* a writer waits for our lease, everybody else is done at once */
	for (int i = 0; i < 50 && waitpid(pid, NULL, WNOHANG) == 0; i++)
		usleep(1000);
	meddle = NULL;
}

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void
run(uint64_t ms)
{
	struct err e;
	uint64_t t = loop_timer(loop, ms, stop, NULL);

	loop_run(loop, &e);
	loop_timer_del(loop, t);
}

static void
spill(const char *name, size_t len)
{
	static char block[65536];
	int fd = openat(hot, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	memset(block, 'q', sizeof(block));
	for (size_t n; len > 0; len -= n) {
		n = len < sizeof(block) ? len : sizeof(block);
		if (write(fd, block, n) != (ssize_t)n)
			abort();
	}
	close(fd);
}

/* Copies and waits for the end of it; NULL when it could not even begin. */
static struct intake *
take(const char *name)
{
	struct intake *in = NULL;

	copied = false;
	memset(&last, 0, sizeof(last));
	if (intake_begin(&in, loop, &conf, &spool, &folder, hot, name, on_copied, NULL, &last) < 0)
		return NULL;
	if (meddle != NULL)
		loop_timer(loop, 0, on_meddle, NULL);
	run(10000);
	return in;
}

static size_t
entries(int dir)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
	size_t n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;
}

static bool
spool_empty(void)
{
	return entries(spool.dir[SPOOL_INCOMING]) == 0 && entries(spool.dir[SPOOL_CLAIMED]) == 0;
}

static void
claimed_clear(void)
{
	DIR *d = fdopendir(openat(spool.dir[SPOOL_CLAIMED], ".", O_RDONLY | O_DIRECTORY));
	struct dirent *de;
	struct err e;

	while ((de = readdir(d)) != NULL)
		if (de->d_name[0] != '.')
			io_remove_tree(spool.dir[SPOOL_CLAIMED], de->d_name, &e);
	closedir(d);
}

static void
begin(void)
{
	struct err e;

	if (mkdtemp(root) == NULL)
		abort();
	snprintf(state, sizeof(state), "%s/state", root);
	snprintf(hotpath, sizeof(hotpath), "%s/hot", root);
	mkdir(hotpath, 0755);
	folder.path = hotpath;
	conf.state = state;
	conf.scan.max_bytes = 64u << 20;
	conf.folders = &folder;
	conf.nfolders = 1;
	if ((hot = open(hotpath, O_RDONLY | O_DIRECTORY)) < 0 || loop_new(&loop, &e) < 0 || spool_open(&spool, &conf, &e) < 0)
		abort();
}

/* sha256sum of "abc": FIPS 180-2, appendix B.1 */
static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static bool
is_used(void *ctx, const char *name)
{
	return strcmp(name, ctx) == 0;
}

static void
test_commit(void)
{
	struct intake *in;
	struct claim c, again;
	struct err e;
	char hex[HASH_HEX], text[8] = "";
	int dir = -1, fd;

	fd = openat(hot, "Brief.tif", O_WRONLY | O_CREAT, 0644);
	if (write(fd, "abc", 3) != 3)
		abort();
	close(fd);
	in = take("Brief.tif");
	CHECK(in != NULL && copied && last.code == ERR_OK, "a quiet file is copied");
	if (in == NULL)
		return;
	hash_hex(intake_claim(in)->hash, hex);
	CHECK(strcmp(hex, abc) == 0 && intake_claim(in)->size == 3, "with its size and SHA-256");
	CHECK(pread(intake_source(in), text, 4, 0) == 3 && strcmp(text, "abc") == 0, "the copy has its bytes");
	CHECK(entries(spool.dir[SPOOL_CLAIMED]) == 0 && faccessat(hot, "Brief.tif", F_OK, 0) == 0,
	    "nothing is claimed and nothing touched before the commit");
	CHECK(intake_commit(&in, 17, NULL, NULL, &c, &dir, &e) == 0 && in == NULL, "commit");
	CHECK(claim_get(dir, &again, &e) == 0 && strcmp(again.id, c.id) == 0 && again.size == 3 &&
	          again.mtime_ns == c.mtime_ns && memcmp(again.hash, c.hash, HASH_LEN) == 0 && strcmp(again.salt, c.salt) == 0,
	    "the claim in the job says the same");
	CHECK(again.log_size == 17 && strcmp(again.name, "Brief.tif") == 0 && strcmp(again.work_name, "Brief.tif") == 0 &&
	          strlen(again.salt) == 32,
	    "tree size, name, receipt and salt are in it");
	CHECK(faccessat(hot, "Brief.tif", F_OK, 0) < 0 && faccessat(hot, "in-arbeit/Brief.tif", F_OK, 0) == 0,
	    "the receipt lies in the work folder");
	CHECK(entries(spool.dir[SPOOL_INCOMING]) == 0 && entries(spool.dir[SPOOL_CLAIMED]) == 1, "one job, claimed");
	close(dir);
	spill("Brief.tif", 5);
	in = take("Brief.tif");
	CHECK(in != NULL && intake_commit(&in, 17, NULL, NULL, &c, &dir, &e) == 0 && strcmp(c.work_name, "Brief (2).tif") == 0 &&
	          faccessat(hot, "in-arbeit/Brief (2).tif", F_OK, 0) == 0,
	    "a second file of that name gets a receipt of its own");
	close(dir);
	spill("Brief.tif", 6);
	in = take("Brief.tif");
	CHECK(in != NULL && intake_commit(&in, 17, is_used, "Brief (3).tif", &c, &dir, &e) == 0 && strcmp(c.work_name, "Brief (4).tif") == 0,
	    "a name that a job goes by is not free, its receipt there or not");
	close(dir);
	claimed_clear();
}

static void
meddle_write(void)
{
	int fd = openat(hot, "gross.tif", O_WRONLY);

	if (fd < 0 || pwrite(fd, "X", 1, 0) != 1)
		_exit(1);
}

static void
meddle_append(void)
{
	int fd = openat(hot, "gross.tif", O_WRONLY | O_APPEND);

	if (fd < 0 || write(fd, "mehr", 4) != 4)
		_exit(1);
}

static void
meddle_truncate(void)
{
	if (openat(hot, "gross.tif", O_WRONLY | O_TRUNC) < 0)
		_exit(1);
}

/* As a writer on another host: no lease breaks, only the times tell. */
static void
meddle_touch(void)
{
	utimensat(hot, "gross.tif", NULL, 0);
}

static void
meddle_replace(void)
{
	renameat(hot, "anders.tif", hot, "gross.tif");
}

static void
meddle_unlink(void)
{
	unlinkat(hot, "gross.tif", 0);
}

static void
test_changes(void)
{
	static const struct {
		const char *name;
		void (*meddle)(void);
	} cases[] = {
		{ "opened for writing", meddle_write },
		{ "cut to nothing", meddle_truncate },
		{ "touched", meddle_touch },
		{ "replaced", meddle_replace },
		{ "removed", meddle_unlink },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct intake *in;

		spill("anders.tif", 12u << 20);
		spill("gross.tif", 12u << 20);
		meddle = cases[i].meddle;
		in = take("gross.tif");
		CHECK(in != NULL && copied && last.code == ERR_IO, "%s while it is copied: %s", cases[i].name, last.text);
		intake_drop(&in);
		CHECK(spool_empty(), "and nothing stays");
		while (wait(NULL) > 0)
			continue;
	}
	unlinkat(hot, "anders.tif", 0);
	unlinkat(hot, "gross.tif", 0);
}

/* A writer in another process waits for our lease; returns how long in ms. */
static uint64_t
writer_waits(const char *text)
{
	struct err e;
	int done[2], status;
	pid_t pid;
	char c;
	uint64_t start = clock_ms();

	if (pipe2(done, O_CLOEXEC | O_NONBLOCK) < 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		int fd = openat(hot, "gross.tif", O_WRONLY | O_APPEND);

		_exit(fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || write(done[1], "x", 1) != 1);
	}
	while (read(done[0], &c, 1) != 1 && clock_ms() - start < 10000) {
		loop_timer(loop, 20, stop, NULL);
		loop_run(loop, &e);
	}
	waitpid(pid, &status, 0);
	close(done[0]);
	close(done[1]);
	return clock_ms() - start;
}

static void
test_writer(void)
{
	struct intake *in;
	struct claim c;
	struct err e;
	uint64_t ms;
	int dir = -1;

	spill("gross.tif", 5u << 20);
	in = take("gross.tif");
	CHECK(in != NULL && last.code == ERR_OK, "a copy is made, and looked at for some time");
	ms = writer_waits("mehr");
	CHECK(ms < 1000, "a writer that comes meanwhile waits %llu ms, less than a second", (unsigned long long)ms);
	CHECK(in != NULL && intake_commit(&in, 0, NULL, NULL, &c, &dir, &e) < 0 && in == NULL, "the commit then fails: %s", e.text);
	CHECK(spool_empty() && faccessat(hot, "gross.tif", F_OK, 0) == 0, "nothing is claimed, the file is where it was");
	in = take("gross.tif");
	CHECK(in != NULL && intake_claim(in)->size == (5u << 20) + 4, "and is taken whole the next time");
	intake_drop(&in);
	CHECK(spool_empty(), "a drop leaves nothing");
}

static void
test_refusals(void)
{
	uint64_t room;

	conf.scan.max_bytes = 1000;
	spill("gross.tif", 1001);
	CHECK(take("gross.tif") == NULL && last.code == ERR_DOC_SIZE, "too large: %s", last.text);
	conf.scan.max_bytes = 64u << 20;
	spool_space(spool.state, &room, &last);
	conf.space_floor = room + (1u << 30);
	CHECK(take("gross.tif") == NULL && last.code == ERR_SPACE, "no space: %s", last.text);
	conf.space_floor = 0;
	if (symlinkat("/etc/passwd", hot, "link.tif") < 0 || mkfifoat(hot, "fifo.tif", 0644) < 0 ||
	    mkdirat(hot, "dir.tif", 0755) < 0 || linkat(hot, "gross.tif", hot, "zweiter-name.tif", 0) < 0)
		abort();
	CHECK(take("link.tif") == NULL && errno == ELOOP, "a link is not followed");
	CHECK(take("fifo.tif") == NULL && take("dir.tif") == NULL, "a FIFO and a directory are not files");
	CHECK(take("../state/lock") == NULL && take("in-arbeit/Brief.tif") == NULL, "no name leads out of the folder");
	CHECK(take("fehlt.tif") == NULL && errno == ENOENT, "a name that is gone");
	CHECK(spool_empty(), "nothing of all this stays in the spool");
}

static bool
known_none(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return false;
}

static bool
known_all(void *ctx, const char *name)
{
	(void)ctx;
	return strcmp(name, "bekannt.tif") == 0;
}

static void
test_odd_name(void)
{
	static const char name[] = "r\xc3\xa4t\xff\n\x1b[31m%n$(id)'\".tif";
	struct intake *in;
	struct claim c, again;
	struct err e;
	int dir = -1;

	spill(name, 10);
	in = take(name);
	CHECK(in != NULL && intake_commit(&in, 0, NULL, NULL, &c, &dir, &e) == 0 && claim_get(dir, &again, &e) == 0 &&
	          strcmp(again.name, name) == 0,
	    "a name of any bytes comes through the claim unchanged");
	close(dir);
}

/* A second receipt of a name that leaves no room for its number. */
static void
test_long_name(void)
{
	static const struct {
		const char *name, *sign, *suffix;
		size_t n;
	} cases[] = {
		{ "255 bytes with a suffix", "y", ".tif", 251 },
		{ "255 bytes without one", "y", "", 255 },
		{ "signs of two bytes each", "\xc3\xbc", ".jpeg", 125 },
		{ "a dot and no suffix behind it", "y", ".", 254 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[SPOOL_NAME_MAX] = "", work[SPOOL_NAME_MAX] = "";
		struct intake *in;
		struct claim c;
		struct err e;
		int dir;
		size_t n;

		for (size_t k = 0; k < cases[i].n; k++)
			strcat(name, cases[i].sign);
		strcat(name, cases[i].suffix);
		for (int k = 0; k < 2; k++) {
			spill(name, 10 + (size_t)k);
			in = take(name);
			if (in == NULL || intake_commit(&in, 0, NULL, NULL, &c, &dir, &e) < 0)
				break;
			strcpy(work, c.work_name);
			close(dir);
		}
		n = strlen(work);
		CHECK(n > 200 && n <= 255 && strstr(work, " (2)") != NULL && utf8_valid(work, n) &&
		          strcmp(work + n - strlen(cases[i].suffix), cases[i].suffix) == 0 && faccessat(hot, name, F_OK, 0) < 0,
		    "%s: the second receipt is as long as may be and keeps its suffix", cases[i].name);
	}
	claimed_clear();
}

/* Two hosts, one folder: whoever renames first has the file. */
static void
test_rename(void)
{
	struct conf_folder a = folder, b = folder;
	struct intake *one = NULL, *two = NULL;
	struct claim c;
	struct err e;
	int dir = -1, work;

	a.claim_rename = b.claim_rename = true;
	a.word_work = "in-arbeit/a";
	b.word_work = "in-arbeit/b";
	spill("wettlauf.tif", 10);
	if (intake_begin(&one, loop, &conf, &spool, &a, hot, "wettlauf.tif", on_copied, NULL, &e) < 0)
		abort();
	run(10000);
	if (intake_begin(&two, loop, &conf, &spool, &b, hot, "wettlauf.tif", on_copied, NULL, &e) < 0)
		abort();
	run(10000);
	CHECK(intake_commit(&two, 0, NULL, NULL, &c, &dir, &e) == 0 && faccessat(hot, "in-arbeit/b/wettlauf.tif", F_OK, 0) == 0,
	    "of two that copied a file one gets it");
	close(dir);
	CHECK(intake_commit(&one, 0, NULL, NULL, &c, &dir, &e) < 0 && one == NULL && entries(spool.dir[SPOOL_CLAIMED]) == 1,
	    "the other one does not: %s", e.text);
	claimed_clear();
	if ((work = openat(hot, "in-arbeit/b", O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	spill("wettlauf.tif", 11);
	CHECK(intake_put_back(&b, hot, work, known_none, NULL, &e) == 0 && entries(work) == 0 &&
	          faccessat(hot, "wettlauf (2).tif", F_OK, 0) == 0 && faccessat(hot, "wettlauf.tif", F_OK, 0) == 0,
	    "what no job knows of goes back, beside a new file of that name");
	spill("in-arbeit/b/bekannt.tif", 3);
	CHECK(intake_put_back(&b, hot, work, known_all, NULL, &e) == 0 && entries(work) == 1, "what a job knows of stays");
	close(work);
}

/* --- in the moment of the claim --------------------------------------------------------- */

static bool
holds(const char *name, off_t size)
{
	struct stat st;

	return fstatat(hot, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == size;
}

/* Another file takes the name. */
static int
another_file(int from, const char *a, int to, const char *b)
{
	(void)to;
	(void)b;
	unlinkat(from, a, 0);
	spill("anders.tif", 77);
	renameat(hot, "anders.tif", from, a);
	return 0;
}

/* ... and the name is taken again before it can be given back. */
static int
another_file_and_one(int from, const char *a, int to, const char *b)
{
	another_file(from, a, to, b);
	syscall(SYS_renameat2, from, a, to, b, 0);
	spill("gross.tif", 88);
	syscall(SYS_renameat2, from, a, hot, "spaet.tif", 0);
	syscall(SYS_renameat2, to, b, from, a, 0);
	renameat(hot, "spaet.tif", hot, "gross (2).tif");
	return 0;
}

/* A server does it, and its answer is lost. */
static int
answer_lost(int from, const char *a, int to, const char *b)
{
	syscall(SYS_renameat2, from, a, to, b, 0);
	errno = EIO;
	return -1;
}

/* A writer comes in that moment and waits for our lease; and one that nothing holds up: only the times tell. */
static int
writer_comes(int from, const char *a, int to, const char *b)
{
	(void)from;
	(void)a;
	(void)to;
	(void)b;
	meddle = meddle_append;
	on_meddle(NULL);
	return 0;
}

static int
changed_unseen(int from, const char *a, int to, const char *b)
{
	(void)from;
	(void)a;
	(void)to;
	(void)b;
	meddle_touch();
	return 0;
}

static int
server_fails(int from, const char *a, int to, const char *b)
{
	(void)from;
	(void)a;
	(void)to;
	(void)b;
	errno = EIO;
	return -1;
}

static void
test_moment(void)
{
	static const struct {
		const char *name;
		bool by_name;     /* claimed by a rename of several hosts */
		bool spool;       /* the moment before the job is moved to claimed/ */
		int (*act)(int, const char *, int, const char *);
		int want;         /* 0: it is a job */
		const char *there; /* what lies in the folder behind it; NULL: nothing */
		off_t size;
	} cases[] = {
		{ "another file takes the name as the receipt is made: it goes back", false, false, another_file, 0, "gross.tif", 77 },
		{ "also beside a third one", false, false, another_file_and_one, 0, "gross.tif", 77 },
		{ "a writer comes as the receipt is made: what it writes is in the folder", false, false, writer_comes, 0, "gross.tif", 504 },
		{ "and a moment before", false, true, writer_comes, 0, "gross.tif", 504 },
		{ "it is changed unseen as the receipt is made: it goes back", false, false, changed_unseen, 0, "gross.tif", 500 },
		{ "and a moment before: it stays", false, true, changed_unseen, 0, "gross.tif", 500 },
		{ "several hosts: another file takes the name, nothing is claimed, and it goes back", true, false, another_file, -ERR_IO, "gross.tif", 77 },
		{ "a server that takes the name, and whose answer is lost, has taken it", true, false, answer_lost, 0, NULL, 0 },
		{ "one that fails has not", true, false, server_fails, -ERR_IO, "gross.tif", 500 },
		{ "the name is taken, and the spool fails: it goes back", true, true, server_fails, -ERR_IO, "gross.tif", 500 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct intake *in;
		struct claim c;
		struct err e = { 0 };
		int dir = -1, r;

		claimed_clear();
		unlinkat(hot, "gross (2).tif", 0);
		spill("gross.tif", 500);
		folder.claim_rename = cases[i].by_name;
		if ((in = take("gross.tif")) == NULL || last.code != ERR_OK)
			abort();
		before_rename = cases[i].act;
		in_spool = cases[i].spool;
		r = intake_commit(&in, 0, NULL, NULL, &c, &dir, &e);
		before_rename = NULL;
		while (wait(NULL) > 0)
			continue;
		CHECK(r == cases[i].want && in == NULL && (r < 0 ? spool_empty() && e.text[0] != '\0' : entries(spool.dir[SPOOL_CLAIMED]) == 1) &&
		        (cases[i].there != NULL ? holds(cases[i].there, cases[i].size) : faccessat(hot, "gross.tif", F_OK, 0) < 0),
		    "%s (%s)", cases[i].name, e.text);
		CHECK(r < 0 || io_exists(dir, CLAIM_RECEIPT) == io_exists(hot, "in-arbeit/gross.tif"), "and the job knows whether its receipt was made");
		io_close(&dir);
		unlinkat(hot, "gross.tif", 0);
		unlinkat(hot, "in-arbeit/gross.tif", 0);
	}
	claimed_clear();
	folder.claim_rename = false;
}

static void
test_moment_refused(void)
{
	struct intake *in = NULL;
	struct claim c;
	struct err e = { 0 };
	int dir = -1, fd;

	spill("gross.tif", 12u << 20);
	if (intake_begin(&in, loop, &conf, &spool, &folder, hot, "gross.tif", on_copied, NULL, &e) < 0)
		abort();
	CHECK(intake_commit(&in, 0, NULL, NULL, &c, &dir, &e) == -ERR_IO && strstr(e.text, "the copy is not whole") != NULL && spool_empty(),
	    "half a copy is never claimed");
	spill("gross.tif", 500);
	folder.claim_rename = true;
	folder.word_work = "kein-ordner";
	if ((fd = openat(hot, "kein-ordner", O_WRONLY | O_CREAT, 0600)) < 0 || (in = take("gross.tif")) == NULL)
		abort();
	close(fd);
	CHECK(intake_commit(&in, 0, NULL, NULL, &c, &dir, &e) == -ERR_IO && strstr(e.text, "the folder kein-ordner can not be used") != NULL && spool_empty() &&
	        holds("gross.tif", 500),
	    "several hosts and no place to claim into: nothing is claimed");
	folder.claim_rename = false;
	folder.word_work = "in-arbeit";
	unlinkat(hot, "kein-ordner", 0);
	unlinkat(hot, "gross.tif", 0);
}

/* Its ticket is still being written: the document waits with it. */
static void
test_ticket_writer(void)
{
	struct intake *in;
	struct err e = { 0 };
	AUTO_BUF b;
	int fd;

	buf_init(&b, 1000);
	spill("gross.tif", 500);
	spill("gross.tif.ticket", 5);
	if ((in = take("gross.tif")) == NULL || (fd = openat(hot, "gross.tif.ticket", O_WRONLY | O_CLOEXEC)) < 0)
		abort();
	CHECK(intake_ticket(in, "gross.tif.ticket", &b, &e) == -ERR_IO && strstr(e.text, "open for writing") != NULL, "a ticket that is open for writing: %s",
	    e.text);
	close(fd);
	CHECK(intake_ticket(in, "gross.tif.ticket", &b, &e) == 1 && b.len == 5, "closed it is taken");
	intake_drop(&in);
	unlinkat(hot, "gross.tif", 0);
	unlinkat(hot, "gross.tif.ticket", 0);
}

int
main(void)
{
	struct err e;

	begin();
	test_commit();
	test_changes();
	test_writer();
	test_refusals();
	test_odd_name();
	test_long_name();
	test_rename();
	test_moment();
	test_moment_refused();
	test_ticket_writer();
	spool_close(&spool);
	close(hot);
	loop_free(loop);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
