/*
 * The PIN's way into memory, and the mark that saves the card.  What the page
 * is protected from is read from the kernel (/proc/self/smaps, /proc/self/mem).
 */
#include <openssl/rand.h>

#include "tests/unit/seal_fixture.h"
#include "tests/unit/test.h"

#include "agent/lib/taskmsg.h"
#include "seal/pin.h"

static const struct {
	const char *name;
	const char *bytes;
	size_t want; /* 0: refused */
	mode_t mode;
} files[] = {
	{ "a PIN alone", "4829", 4, 0400 },
	{ "a newline at its end is cut", "482917\n", 6, 0400 },
	{ "CR LF at its end is cut", "482917\r\n", 6, 0600 },
	{ "letters and blanks inside count", "a b?c", 5, 0400 },
	{ "two lines are refused", "4829\n1234\n", 0, 0400 },
	{ "two newlines are refused", "482917\n\n", 0, 0400 },
	{ "an empty file is refused", "", 0, 0400 },
	{ "three characters are refused", "482\n", 0, 0400 },
	{ "65 characters are refused", "12345678901234567890123456789012345678901234567890123456789012345", 0, 0400 },
	{ "64 characters are taken", "1234567890123456789012345678901234567890123456789012345678901234\n", 64, 0400 },
	{ "70 characters are refused", "1234567890123456789012345678901234567890123456789012345678901234567890", 0, 0400 },
	{ "readable by the group is refused", "4829", 0, 0440 },
	{ "readable by all is refused", "4829", 0, 0444 },
};

static void
test_files(void)
{
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char source[512];
		struct pin pin = { 0 };
		struct err e = { 0 };
		int r;

		put_file(in_dir("pin"), files[i].bytes, strlen(files[i].bytes), files[i].mode);
		snprintf(source, sizeof(source), "file:%s", in_dir("pin"));
		r = pin_read(&pin, source, &e);
		CHECK(files[i].want > 0 ? r == 0 && pin.len == files[i].want : r == -ERR_PIN_SOURCE && pin.page == NULL,
		    "file: %s", files[i].name);
		if (r == 0 && memcmp(pin.page, files[i].bytes, pin.len) != 0)
			CHECK(0, "file: %s: the bytes are the file's", files[i].name);
		pin_wipe(&pin);
	}
}

static int
read_from(const char *source)
{
	struct pin pin = { 0 };
	struct err e = { 0 };
	int r = pin_read(&pin, source, &e);

	pin_wipe(&pin);
	return r;
}

static void
test_sources(void)
{
	char source[512];

	put_text(in_dir("pin"), "4829");
	if (symlink(in_dir("pin"), in_dir("link")) < 0 || mkdir(in_dir("cred"), 0700) < 0)
		perror("fixture");
	snprintf(source, sizeof(source), "file:%s", in_dir("link"));
	CHECK(read_from(source) == -ERR_PIN_SOURCE, "a symlink is refused");
	snprintf(source, sizeof(source), "file:%s", in_dir("cred"));
	CHECK(read_from(source) == -ERR_PIN_SOURCE, "a directory is refused");
	CHECK(read_from("file:pin") == -ERR_PIN_SOURCE, "a relative path is refused");
	CHECK(read_from("4829") == -ERR_PIN_SOURCE, "a PIN in the settings is refused");
	unsetenv("CREDENTIALS_DIRECTORY");
	CHECK(read_from("credential:seal") == -ERR_PIN_SOURCE, "a credential without its directory is refused");
	setenv("CREDENTIALS_DIRECTORY", in_dir("cred"), 1);
	CHECK(read_from("credential:seal") == -ERR_PIN_SOURCE, "an absent credential is refused");
	put_file(in_dir("cred/seal"), "4829", 4, 0440);
	CHECK(read_from("credential:seal") == 0, "a credential with systemd's access list (group bits) is taken");
	put_file(in_dir("cred/seal"), "4829", 4, 0444);
	CHECK(read_from("credential:seal") == -ERR_PIN_SOURCE, "a credential that all can read is refused");
	CHECK(read_from("credential:../pin") == -ERR_PIN_SOURCE, "a credential's name is no path");
	if (symlink(in_dir("pin"), in_dir("cred/link")) < 0)
		perror("fixture");
	CHECK(read_from("credential:link") == -ERR_PIN_SOURCE, "a credential is no symlink");
}

/* --- the page --------------------------------------------------------------------------- */

static bool
page_flag(const void *page, const char *flag)
{
	char line[512];
	unsigned long from, to;
	bool here = false, found = false;
	FILE *f = fopen("/proc/self/smaps", "re");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)page >= from && (unsigned long)page < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	if (f != NULL)
		fclose(f);
	return found;
}

/* How often the bytes, given with every bit turned, stand in a block. */
static unsigned
copies_in_block(const uint8_t *block, size_t len, const uint8_t *turned, size_t n)
{
	unsigned found = 0;

	for (size_t i = 0; i + n <= len; i++) {
		size_t k = 0;

		while (k < n && block[i + k] + turned[k] == 0xFF)
			k++;
		found += k == n;
	}
	return found;
}

/* The same for all our writable memory, read through the kernel. */
static unsigned
copies_in_memory(const uint8_t *turned, size_t n)
{
	static uint8_t block[1 << 20];
	char line[512], mode[5];
	unsigned long from, to, self = (unsigned long)block;
	unsigned found = 0;
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *f = fopen("/proc/self/maps", "re");

	while (mem >= 0 && f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) != 3 || mode[1] != 'w' || to - from > 64u << 20)
			continue;
		for (unsigned long at = from; at < to; at += sizeof(block) - 64) {
			size_t want = to - at < sizeof(block) ? to - at : sizeof(block);
			ssize_t got = at + want > self && at < self + sizeof(block) ? 0 : pread(mem, block, want, (off_t)at);

			found += got > 0 ? copies_in_block(block, (size_t)got, turned, n) : 0;
			memset(block, 0, sizeof(block));
		}
	}
	if (f != NULL)
		fclose(f);
	close(mem);
	return found;
}

static void
test_page(void)
{
	uint8_t secret[24], turned[24];
	char source[512];
	struct pin pin = { 0 };
	struct err e = { 0 };
	int st = -1;

	RAND_bytes(secret, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret); i++) {
		secret[i] = (uint8_t)('A' + secret[i] % 26);
		turned[i] = secret[i] ^ 0xFF;
	}
	put_file(in_dir("pin"), secret, sizeof(secret), 0400);
	explicit_bzero(secret, sizeof(secret));
	snprintf(source, sizeof(source), "file:%s", in_dir("pin"));
	CHECK(pin_read(&pin, source, &e) == 0 && pin.len == sizeof(secret), "a long PIN is read");
#ifndef SEALROOM_SANITIZE /* AddressSanitizer makes mlock() do nothing */
	CHECK(page_flag(pin.page, " lo"), "its page is locked into memory");
#endif
	CHECK(page_flag(pin.page, " dd"), "its page is left out of core dumps");
	CHECK(page_flag(pin.page, " wf"), "its page is wiped in a forked child");
	CHECK(copies_in_memory(turned, sizeof(turned)) == 1, "the PIN is in memory once");
	if (fork() == 0)
		_exit(pin.page[0] != 0);
	wait(&st);
	CHECK(st == 0, "a forked child does not see it");
	pin_wipe(&pin);
	CHECK(pin.page == NULL && copies_in_memory(turned, sizeof(turned)) == 0, "after the wipe it is in memory nowhere");
	pin_wipe(&pin);
}

/* --- the mark --------------------------------------------------------------------------- */

static void
test_mark(void)
{
	struct err e = { 0 };
	bool permit = true;
	int fd;

	put_text(in_dir("mark"), "");
	fd = open(in_dir("mark"), O_RDWR | O_CLOEXEC);
	CHECK(pin_mark_check(fd, &permit, &e) == 0 && !permit, "an empty file is no mark");
	CHECK(write(fd, TOKEN_PERMIT, strlen(TOKEN_PERMIT)) == (ssize_t)strlen(TOKEN_PERMIT), "a permit is written");
	CHECK(pin_mark_check(fd, &permit, &e) == 0 && permit, "a person's permit is no mark either, and is seen");
	CHECK(pin_mark_set(fd, "0a003306", &e) == 0 && strstr(get_text(in_dir("mark")), "token 0a003306 at 2") != NULL,
	    "the mark holds serial number and time");
	CHECK(pin_mark_check(fd, &permit, &e) == -ERR_PIN_STOPPED && strstr(e.text, "0a003306") != NULL,
	    "a mark stops, and says of which token");
	CHECK(pin_mark_set(fd, "7", &e) == 0 && strstr(get_text(in_dir("mark")), "0a003306") == NULL,
	    "a second mark replaces the first");
	CHECK(pin_mark_clear(fd, &e) == 0 && pin_mark_check(fd, &permit, &e) == 0, "cleared, it stops no more");
	close(fd);
	fd = open(in_dir("mark"), O_RDONLY | O_CLOEXEC);
	CHECK(pin_mark_set(fd, "7", &e) < 0, "a mark that can not be written is an error");
	close(fd);
}

int
main(void)
{
	fixture_dir_make();
	test_files();
	test_sources();
	test_page();
	test_mark();
	fixture_end();
	return TEST_DONE();
}
