/*
 * t_given.c - the record of what lies in done/: it comes back as it was put, survives a
 * torn end and every call that fails, and its clock runs by no clock that can be set.
 */
#include "tests/unit/faults.h"

#include "agent/given.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define DAY 86400000u

static int top;
static char path[64];
static struct spool spool;

static struct given
sample(unsigned n, uint64_t age)
{
	struct given g = { .age_ms = age, .repeat = n % 2 != 0, .entry = 1000 + n, .tries = n % 3, .nfiles = 1 + n % 2 };

	snprintf(g.job, sizeof(g.job), "01krx2m7q3v8e5z0c9d4b6f%03u", 234 + n % 100);
	snprintf(g.archive, sizeof(g.archive), "2026/11/22/%s", g.job);
	for (uint32_t i = 0; i < g.nfiles; i++) {
		snprintf(g.file[i].name, sizeof(g.file[i].name), "Gr\xC3\xBC\xC3\x9F" "e \"%u\"%s", n, i == 0 ? ".pdf" : ".pdf.json");
		g.file[i].size = 1ULL << (33 + i);
		g.file[i].mtime = i == 0 ? -1 : 4102444800;
		memset(g.file[i].hash, (int)(n + i), HASH_LEN);
	}
	return g;
}

static bool
same(const struct given *a, const struct given *b)
{
	bool is = a->age_ms == b->age_ms && strcmp(a->job, b->job) == 0 && a->repeat == b->repeat && a->entry == b->entry && a->tries == b->tries &&
	    strcmp(a->archive, b->archive) == 0 && a->nfiles == b->nfiles;

	for (uint32_t i = 0; is && i < a->nfiles; i++)
		is = strcmp(a->file[i].name, b->file[i].name) == 0 && a->file[i].size == b->file[i].size &&
		    a->file[i].mtime == b->file[i].mtime && memcmp(a->file[i].hash, b->file[i].hash, HASH_LEN) == 0;
	return is;
}

/* How many records the part holds, each the next of those from 'n' on; -1: another one. */
static int
count(uint32_t part, unsigned n, uint64_t age)
{
	struct given g, want;
	struct err e = { 0 };
	uint64_t at = 0;
	int r, found = 0;

	while ((r = given_get(&spool, "post", part, &at, &g, &e)) == 1) {
		want = sample(n + (unsigned)found, age);
		if (!same(&g, &want))
			return -1;
		found++;
	}
	return r < 0 ? r : found;
}

static void
replace(const char *name, const char *text)
{
	AUTO_FD dir = openat(top, "given", O_RDONLY | O_DIRECTORY);
	struct err e;

	if (io_replace(dir, name, text, strlen(text), 0600, &e) < 0)
		exit(99);
}

static void
add_bytes(const char *name, const char *bytes, size_t len)
{
	int fd = openat(top, name, O_WRONLY | O_APPEND);

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len)
		exit(99);
	close(fd);
}

static void
test_list(void)
{
	struct given g;
	struct err e = { 0 };
	uint32_t part = 99;
	uint64_t at = 0;

	CHECK(given_first(&spool, "post", &part, &e) == 0 && given_get(&spool, "post", 0, &at, &g, &e) == 0,
	    "nothing was given before it was");
	CHECK(given_drop(&spool, "post", 0, &e) == 0 && !io_exists(top, "given"),
	    "and looking makes nothing");
	for (unsigned i = 0; i < 3; i++) {
		g = sample(i, 5);
		if (given_put(&spool, "post", &g, &e) < 0)
			printf("# %s\n", e.text);
	}
	g = sample(7, 12 * DAY);
	CHECK(given_put(&spool, "post", &g, &e) == 0 && given_put(&spool, "post.2", &g, &e) == 0, "days have files of their own");
	CHECK(given_first(&spool, "post", &part, &e) == 1 && part == 0 && count(0, 0, 5) == 3,
	    "what was put comes back, in its order, from the oldest day on");
	add_bytes("given/post.0", "{\"v\":1,\"age", 11);
	CHECK(count(0, 0, 5) == 3, "a torn line is none");
	g = sample(3, 5);
	CHECK(given_put(&spool, "post", &g, &e) == 0 && count(0, 0, 5) == 4, "and the next one takes its place");
	add_bytes("given/post.0", "{\"v\":1}\nnonsense\n", 17);
	g = sample(4, 5);
	CHECK(given_put(&spool, "post", &g, &e) == 0 && count(0, 0, 5) == 5, "lines that say nothing are passed by");
	CHECK(given_drop(&spool, "post", 0, &e) == 0 && given_first(&spool, "post", &part, &e) == 1 && part == 12 &&
	        count(12, 7, 12 * DAY) == 1,
	    "dropped, the next day is the oldest");
	CHECK(given_first(&spool, "post.2", &part, &e) == 1 && part == 12 && given_first(&spool, "pos", &part, &e) == 0,
	    "folders are told apart");
}

static const struct {
	const char *what, *line;
} hostile[] = {
	{ "another version", "{\"v\":2,\"age_ms\":1,\"job\":\"01krx2m7q3v8e5z0c9d4b6f234\",\"repeat\":false,\"entry\":1,\"tries\":0,\"archive\":\"a\",\"files\":[]}" },
	{ "no files", "{\"v\":1,\"age_ms\":1,\"job\":\"01krx2m7q3v8e5z0c9d4b6f234\",\"repeat\":false,\"entry\":1,\"tries\":0,\"archive\":\"a\",\"files\":[]}" },
	{ "a name with a slash", "{\"v\":1,\"age_ms\":1,\"job\":\"01krx2m7q3v8e5z0c9d4b6f234\",\"repeat\":false,\"entry\":1,\"tries\":0,\"archive\":\"a\",\"files\":"
	                         "[{\"name\":\"..%2Fx\",\"size\":1,\"mtime\":1,\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}]}" },
	{ "a job that is none", "{\"v\":1,\"age_ms\":1,\"job\":\"../x\",\"repeat\":false,\"entry\":1,\"tries\":0,\"archive\":\"a\",\"files\":"
	                        "[{\"name\":\"x\",\"size\":1,\"mtime\":1,\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}]}" },
	{ "an age below zero", "{\"v\":1,\"age_ms\":-1,\"job\":\"01krx2m7q3v8e5z0c9d4b6f234\",\"repeat\":false,\"entry\":1,\"tries\":0,\"archive\":\"a\",\"files\":"
	                       "[{\"name\":\"x\",\"size\":1,\"mtime\":1,\"sha256\":\"0000000000000000000000000000000000000000000000000000000000000000\"}]}" },
};

static void
test_hostile(void)
{
	struct given g;
	struct err e = { 0 };
	uint64_t at;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		at = 0;
		replace("bad.0", hostile[i].line);
		add_bytes("given/bad.0", "\n", 1);
		CHECK(given_get(&spool, "bad", 0, &at, &g, &e) == 0, "%s counts for nothing", hostile[i].what);
	}
}

static void
write_age(const char *boot, uint64_t boot_ms, uint64_t age_ms)
{
	char text[128];

	snprintf(text, sizeof(text), "1 %s %llu %llu\n", boot, (unsigned long long)boot_ms, (unsigned long long)age_ms);
	replace("age", text);
}

static void
test_age(void)
{
	char boot[CLOCK_BOOT_LEN + 1];
	uint64_t a = 1, b = 0, now = clock_ms();
	struct err e = { 0 };

	CHECK(clock_boot_id(boot) == 0 && strlen(boot) == CLOCK_BOOT_LEN, "the kernel says which start this is");
	CHECK(given_age(&spool, &a, &e) == 0 && a == 0, "the clock begins at 0");
	write_age(boot, now - 5000, 1000);
	CHECK(given_age(&spool, &a, &e) == 0 && a >= 6000 && a < 16000, "it runs while the machine does, daemon or not");
	write_age("00000000-0000-0000-0000-000000000000", 5, 70000);
	CHECK(given_age(&spool, &a, &e) == 0 && a == 70000, "after a start of the machine it goes on from what it said last");
	CHECK(given_age(&spool, &b, &e) == 0 && b >= a && b < a + 10000, "and that is kept");
	write_age(boot, now + DAY, 80000);
	CHECK(given_age(&spool, &a, &e) == 0 && a == 80000, "one that is ahead of the kernel's ages nothing");
	write_age(boot, now - 5000, 1000);
	CHECK(given_age(&spool, &a, &e) == 0 && given_age(&spool, &b, &e) == 0 && b >= a && b < 16000, "asking changes nothing");
	replace("age", "x");
	CHECK(given_age(&spool, &a, &e) == 0 && a == 0, "a damaged file begins anew: younger, never older");
}

/* Each call of a put fails once: it says so, what was there stays, and done again it is there. */
static void
test_faults(void)
{
	static const enum faults kinds[] = { FAULTS_IO, FAULTS_SPACE, FAULTS_SHORT, FAULTS_MEM };
	struct given g;
	struct err e = { 0 };
	uint64_t age;
	int bad = 0, tried = 0;

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (unsigned long n = 1; n < 100; n++) {
			int r;

			given_drop(&spool, "post", 12, &e);
			g = sample(0, 12 * DAY);
			if (given_put(&spool, "post", &g, &e) < 0)
				exit(99);
			g = sample(1, 12 * DAY);
			faults_arm(kinds[k], n);
			r = given_put(&spool, "post", &g, &e);
			if (r == 0 && (given_age(&spool, &age, &e) < 0))
				r = 1;
			if (!faults_hit())
				break;
			tried++;
			if (count(12, 0, 12 * DAY) < (r < 0 ? 1 : 2))
				bad++;
			if (count(12, 0, 12 * DAY) < 2 && (given_put(&spool, "post", &g, &e) < 0 || count(12, 0, 12 * DAY) != 2))
				bad++;
		}
	CHECK(tried > 20 && bad == 0, "%d calls failed, each once; %d times a record was lost or wrong", tried, bad);
}

int
main(void)
{
	top = tmpdir_make(path);
	spool_init(&spool);
	spool.state = top;
	test_list();
	test_hostile();
	test_age();
	test_faults();
	tmpdir_remove(top, path);
	return TEST_DONE();
}
