/* t_spool.c - the state directory: one daemon, one format, claims that keep every name, identities that are remembered. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/spool.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static int top;
static char dir[64], state[80];
static struct conf conf = { .state = state };

static struct claim
claim_of(const char *name)
{
	struct claim c = { .size = 1ULL << 33, .mtime_ns = -1234567890123456789, .owner = 65534,
		.received_us = 1795340070123456, .log_size = 1ULL << 40 };

	id_new(c.id);
	strcpy(c.folder, "post");
	snprintf(c.name, sizeof(c.name), "%s", name);
	snprintf(c.work_name, sizeof(c.work_name), "%.240s (2)", name);
	memset(c.hash, 0xAB, sizeof(c.hash));
	strcpy(c.salt, "000102030405060708090a0b0c0d0eff");
	return c;
}

static void
test_open(void)
{
	struct spool s, other;
	struct err e = { 0 };
	struct stat st;
	pid_t pid;
	int status = 0;

	spool_init(&s);
	spool_close(&s);
	CHECK(spool_peek(&s, &conf, &e) < 0, "looking does not make anything");
	CHECK(!io_exists(top, "state"), "really not");
	CHECK(spool_open(&s, &conf, &e) == 0, "opening makes what is missing");
	CHECK(fstatat(top, "state/spool/claimed", &st, 0) == 0 && (st.st_mode & 0777) == 0700, "for nobody else");
	CHECK(spool_open(&other, &conf, &e) == -ERR_LOCKED, "a second daemon is refused");
	if ((pid = fork()) == 0)
		_exit(spool_open(&other, &conf, &e) == -ERR_LOCKED ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0, "in another process as well");
	CHECK(spool_peek(&other, &conf, &e) == 0, "a command may look at the same time");
	spool_close(&other);
	spool_close(&s);
	CHECK(spool_open(&s, &conf, &e) == 0, "after the end of the first the lock is free");
	spool_close(&s);
}

static void
test_format(void)
{
	static const char *const others[] = { "sealroom-spool/3\n", "sealroom-spool/99999\n", "sealroom-spool/0\n",
		"sealroom-spool/02\n", "sealroom-spool/2", "sealroom-spool/2x\n", "sealroom-archive/2\n", "/\n", "" };
	struct spool s;
	struct err e = { 0 };
	int sp = openat(top, "state/spool", O_RDONLY | O_DIRECTORY);
	AUTO_BUF b;

	buf_init(&b, 64);
	CHECK(io_read_file(sp, "FORMAT", &b, &e) == 0 && b.len == strlen(SPOOL_FORMAT) &&
	        memcmp(b.data, SPOOL_FORMAT, b.len) == 0,
	    "the spool says which format it has");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		io_replace(sp, "FORMAT", others[i], strlen(others[i]), 0600, &e);
		CHECK(spool_open(&s, &conf, &e) == -ERR_CONF, "format %zu is not touched: %s", i, e.text);
	}
	io_replace(sp, "FORMAT", "sealroom-spool/1\n", 17, 0600, &e);
	buf_clear(&b);
	CHECK(spool_peek(&s, &conf, &e) == 0 && io_read_file(sp, "FORMAT", &b, &e) == 0 && b.data[15] == '1',
	    "the one before is read");
	spool_close(&s);
	buf_clear(&b);
	CHECK(spool_open(&s, &conf, &e) == 0 && io_read_file(sp, "FORMAT", &b, &e) == 0 && b.data[15] == '2',
	    "and is today's when it was opened to be written");
	spool_close(&s);
	io_replace(sp, "FORMAT", SPOOL_FORMAT, strlen(SPOOL_FORMAT), 0600, &e);
	close(sp);
}

static const struct {
	const char *what, *name;
} names[] = {
	{ "a plain name", "Brief.tif" },
	{ "a newline and a tab", "a\nb\tc" },
	{ "a percent sign and its own escape", "100%25%0A" },
	{ "bytes that are not UTF-8", "\xFF\xFE\x80" },
	{ "a quote and a backslash", "\"\\\x01" },
	{ "umlauts", "Gr\xC3\xBC\xC3\x9F" "e.pdf" },
	{ "blanks at its ends", " x " },
};

static void
test_claims(void)
{
	struct spool s;
	struct err e = { 0 };
	struct claim c, back;
	char longest[256];
	int job;

	if (spool_open(&s, &conf, &e) < 0)
		return;
	for (size_t i = 0; i <= sizeof(names) / sizeof(names[0]); i++) {
		bool plain = i < sizeof(names) / sizeof(names[0]);

		memset(longest, 0xC3, 255);
		longest[255] = '\0';
		c = claim_of(plain ? names[i].name : longest);
		memset(&back, 0, sizeof(back));
		if (mkdirat(s.dir[SPOOL_INCOMING], c.id, 0700) < 0 || (job = spool_job_dir(&s, SPOOL_INCOMING, c.id, &e)) < 0)
			continue;
		CHECK(claim_put(job, &c, &e) == 0 && claim_get(job, &back, &e) == 0 && strcmp(back.name, c.name) == 0 &&
		        strcmp(back.work_name, c.work_name) == 0 && strcmp(back.id, c.id) == 0 && back.size == c.size &&
		        back.mtime_ns == c.mtime_ns && back.owner == c.owner && back.received_us == c.received_us &&
		        back.log_size == c.log_size && strcmp(back.salt, c.salt) == 0 &&
		        memcmp(back.hash, c.hash, HASH_LEN) == 0 && strcmp(back.folder, "post") == 0,
		    "a claim keeps %s", plain ? names[i].what : "255 bytes of the worst");
		CHECK(spool_move(&s, c.id, SPOOL_INCOMING, SPOOL_CLAIMED, &e) == 0 &&
		        spool_move(&s, c.id, SPOOL_INCOMING, SPOOL_CLAIMED, &e) < 0,
		    "it moves once, its descriptor stays good: %d", io_exists(job, "claim"));
		close(job);
	}
	spool_close(&s);
}

static void
test_bad_claims(void)
{
	static const char *const bad[] = { "", "{", "[]", "{\"v\": 1}",
		"{\"v\":2,\"id\":\"01m81mynnqvfzebzdnbm2m34yg\",\"folder\":\"f\",\"name\":\"n\",\"work_name\":\"\",\"size\":1,"
		"\"mtime_ns\":1,\"sha256\":\"abababababababababababababababababababababababababababababababab\",\"owner\":1,"
		"\"received_us\":1,\"log_size\":1,\"salt\":\"000102030405060708090a0b0c0d0eff\"}",
		"{\"v\":1,\"id\":\"../../../../../../../etc/x\",\"folder\":\"f\",\"name\":\"n\",\"work_name\":\"\",\"size\":1,"
		"\"mtime_ns\":1,\"sha256\":\"abababababababababababababababababababababababababababababababab\",\"owner\":1,"
		"\"received_us\":1,\"log_size\":1,\"salt\":\"000102030405060708090a0b0c0d0eff\"}",
		"{\"v\":1,\"id\":\"01m81mynnqvfzebzdnbm2m34yg\",\"folder\":\"f\",\"name\":\"%00\",\"work_name\":\"\",\"size\":1,"
		"\"mtime_ns\":1,\"sha256\":\"abababababababababababababababababababababababababababababababab\",\"owner\":1,"
		"\"received_us\":1,\"log_size\":1,\"salt\":\"000102030405060708090a0b0c0d0eff\"}",
		"{\"v\":1,\"id\":\"01m81mynnqvfzebzdnbm2m34yg\",\"folder\":\"f\",\"name\":\"%4\",\"work_name\":\"\",\"size\":1,"
		"\"mtime_ns\":1,\"sha256\":\"abababababababababababababababababababababababababababababababab\",\"owner\":1,"
		"\"received_us\":1,\"log_size\":1,\"salt\":\"000102030405060708090a0b0c0d0eff\"}" };
	struct err e = { 0 };
	struct claim c;
	int job;

	io_mkdir_p(top, "bad", 0700, &e);
	job = io_open_dir(top, "bad", &e);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		io_replace(job, "claim", bad[i], strlen(bad[i]), 0600, &e);
		CHECK(claim_get(job, &c, &e) == -ERR_IO, "claim %zu that no daemon wrote is refused", i);
	}
	close(job);
}

static void
test_identity(void)
{
	struct claim a = claim_of("Brief.tif"), b = a;
	uint8_t x[HASH_LEN], y[HASH_LEN], salt[16];

	claim_identity(&a, x);
	id_new(b.id);
	b.received_us++;
	b.log_size++;
	b.owner++;
	strcpy(b.work_name, "other");
	claim_identity(&b, y);
	CHECK(memcmp(x, y, HASH_LEN) == 0, "the same delivery again has the same identity, whatever job it becomes");
#define OTHER(change, what) do { b = a; change; claim_identity(&b, y); \
	CHECK(memcmp(x, y, HASH_LEN) != 0, "another " what " is another delivery"); } while (0)
	OTHER(strcpy(b.name, "Brief2.tif"), "name");
	OTHER(strcpy(b.folder, "other"), "folder");
	OTHER(b.size++, "size");
	OTHER(b.mtime_ns++, "time");
	OTHER(b.hash[31] ^= 1, "hash");
	OTHER((strcpy(b.folder, "pos"), strcpy(b.name, "tBrief.tif")), "split of folder and name");
	claim_salt(&a, salt);
	CHECK(salt[0] == 0 && salt[1] == 1 && salt[14] == 0x0E && salt[15] == 0xFF, "the salt is sixteen bytes");
}

static void
test_seen(void)
{
	struct claim a = claim_of("Brief.tif"), b = claim_of("Brief2.tif");
	struct spool s;
	struct err e = { 0 };
	char id[ID_MAX] = "", name[HASH_HEX];
	uint8_t h[HASH_LEN];

	if (spool_open(&s, &conf, &e) < 0)
		return;
	CHECK(seen_has(&s, &a, id, &e) == 0, "nothing is seen before it was");
	CHECK(seen_put(&s, &a, "", &e) == 0 && seen_has(&s, &a, id, &e) == 1 && strcmp(id, a.id) == 0 &&
	        seen_has(&s, &b, id, &e) == 0,
	    "a delivery that was logged is remembered with its job");
	CHECK(seen_put(&s, &a, "", &e) == 0, "saying it again after a crash is fine");
	claim_identity(&a, h);
	hash_hex(h, name);
	unlinkat(s.seen, name, 0);
	CHECK(mkdirat(s.seen, name, 0700) == 0 && seen_has(&s, &a, id, &e) == -ERR_IO, "what can not be read may have been seen: %s",
	    e.text);
	unlinkat(s.seen, name, AT_REMOVEDIR);
	spool_close(&s);
}

static void
test_records(void)
{
	struct spool s;
	struct err e = { 0 };
	uint64_t room = 0;
	AUTO_BUF b = { 0 };

	if (spool_open(&s, &conf, &e) < 0)
		return;
	CHECK(record_put(s.tsa, "r", "value", 5, &e) == 0 && record_put(s.tsa, "r", "other", 5, &e) < 0,
	    "a record is put once");
	CHECK(record_get(s.tsa, "r", &b, &e) == 0 && b.len == 5, "and read");
	CHECK(spool_space(s.state, &room, &e) == 0 && room > 0, "the disk has room");
	spool_close(&s);
}

int
main(void)
{
	top = tmpdir_make(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	test_open();
	test_format();
	test_claims();
	test_bad_claims();
	test_identity();
	test_seen();
	test_records();
	tmpdir_remove(top, dir);
	return TEST_DONE();
}
