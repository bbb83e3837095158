/*
 * The log's key and the anti-rollback record.  The note is the test vector of
 * the format's description (key seed 00 01 .. 1f, tree of "entry 0".."entry 6").
 */
#include <sys/file.h>

#include "tests/unit/seal_fixture.h"
#include "tests/unit/test.h"

#include "agent/lib/io.h"
#include "seal/anchor.h"
#include "seal/softkey.h"

#define ORIGIN "sealroom.example/log"

/* PKCS#8 of Ed25519 with the seed 00 01 .. 1f (RFC 8410, 7) */
static const char vector_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                 "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                                 "-----END PRIVATE KEY-----\n";
static const char vector_vkey[] = "sealroom.example/log+31d900b5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
static const char vector_root[] = "98c97f0ba3175cd08b031dd084b9dc4e649b64d1a28e6ea694646503173ab587";
static const char vector_note[] =
    "sealroom.example/log\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n\n"
    "\xE2\x80\x94 sealroom.example/log MdkAtaWleROEAgcrnCL1RekjcYFLdSqsyDKBfX2yakWaXhHQUXOA+6x1QnQH9BmeYdO0A5ZMeZ/"
    "7eNEsKjQIUU/euAs=\n";
static const char root_of_3[] = "94fbd0dd836f50301692e6d0eade728ee19ec52bfff1606ed807c8575d5aaa19";

static void
root_from(const char *hex, uint8_t root[HASH_LEN])
{
	char plain[HASH_HEX];
	size_t n = 0;

	for (; *hex != '\0' && n < HASH_HEX - 1; hex++)
		if (*hex != ' ')
			plain[n++] = *hex;
	plain[n] = '\0';
	if (hash_from_hex(plain, root) < 0)
		CHECK(0, "the root in this test is 64 digits");
}

static struct softkey *
vector_key(void)
{
	struct softkey *k = NULL;
	struct err e = { 0 };

	put_file(in_dir("vector.key"), vector_pem, strlen(vector_pem), 0400);
	CHECK(softkey_open(&k, in_dir("vector.key"), ORIGIN, false, &e) == 0, "the vector's key is read %s", e.text);
	return k;
}

/* --- key -------------------------------------------------------------------------------- */

static int
open_key(const char *path, const char *name, bool may_make, char vkey[SOFTKEY_VKEY_MAX])
{
	struct softkey *k = NULL;
	struct err e = { 0 };
	int r = softkey_open(&k, path, name, may_make, &e);

	if (r == 0)
		softkey_vkey(k, vkey);
	softkey_free(k);
	return r;
}

static void
test_vkey(void)
{
	struct softkey *k = vector_key();
	char vkey[SOFTKEY_VKEY_MAX] = "";

	softkey_vkey(k, vkey);
	CHECK(strcmp(vkey, vector_vkey) == 0, "vkey: %s", vkey);
	softkey_free(k);
	CHECK(open_key(in_dir("vector.key"), "other.example/log", false, vkey) == 0 && strcmp(vkey, vector_vkey) != 0 &&
	        strstr(vkey, "+31d900b5+") == NULL,
	    "another name gives another key id");
}

static void
test_made(void)
{
	char one[SOFTKEY_VKEY_MAX] = "", two[SOFTKEY_VKEY_MAX] = "";
	const char *path = in_dir("new/evidence.key");
	struct stat st = { 0 };

	CHECK(open_key(path, ORIGIN, false, one) == -ERR_KEY, "a missing key is not made when the log has entries");
	CHECK(stat(path, &st) < 0, "and nothing is left of the try");
	CHECK(open_key(path, ORIGIN, true, one) == 0, "it is made while the log is empty");
	CHECK(stat(path, &st) == 0 && (st.st_mode & 07777) == 0400, "with mode 0400");
	CHECK(open_key(path, ORIGIN, true, two) == 0 && strcmp(one, two) == 0, "and kept the next time");
	CHECK(run("openssl pkey -in %s -noout -text | grep -q 'ED25519 Private-Key'", path) == 0, "openssl reads it");
}

static void
test_refused(void)
{
	char vkey[SOFTKEY_VKEY_MAX];

	put_file(in_dir("wide.key"), vector_pem, strlen(vector_pem), 0440);
	CHECK(open_key(in_dir("wide.key"), ORIGIN, true, vkey) == -ERR_KEY, "a key the group can read is refused");
	if (symlink(in_dir("vector.key"), in_dir("link.key")) < 0)
		perror("symlink");
	CHECK(open_key(in_dir("link.key"), ORIGIN, true, vkey) == -ERR_KEY, "a symlink is refused");
	if (symlink(in_dir("nowhere"), in_dir("dangling.key")) < 0)
		perror("symlink");
	CHECK(open_key(in_dir("dangling.key"), ORIGIN, true, vkey) == -ERR_KEY, "and one to nowhere does not make a key");
	put_file(in_dir("empty.key"), "", 0, 0400);
	CHECK(open_key(in_dir("empty.key"), ORIGIN, true, vkey) == -ERR_KEY, "an empty file is refused, not replaced");
	run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s; chmod 400 %s", in_dir("ec.key"),
	    in_dir("ec.key"));
	CHECK(open_key(in_dir("ec.key"), ORIGIN, true, vkey) == -ERR_KEY, "a P-256 key is refused");
	run("openssl genpkey -algorithm ED25519 -aes256 -pass pass:abcd -out %s; chmod 400 %s", in_dir("locked.key"),
	    in_dir("locked.key"));
	CHECK(open_key(in_dir("locked.key"), ORIGIN, true, vkey) == -ERR_KEY, "a key with a password is refused, none is asked");
	CHECK(open_key(in_dir("vector.key"), "", false, vkey) == -ERR_CONF, "a log has a name");
	CHECK(open_key(in_dir("vector.key"), "a b", false, vkey) == -ERR_CONF, "without blanks");
	CHECK(open_key(in_dir("vector.key"), "a\xC2\xA0""b", false, vkey) == -ERR_CONF, "of any kind");
	CHECK(open_key(in_dir("vector.key"), "a+b", false, vkey) == -ERR_CONF, "and without a plus");
}

/* --- record ----------------------------------------------------------------------------- */

static int
note(struct anchor *a, const struct softkey *k, uint64_t size, const char *hex)
{
	uint8_t root[HASH_LEN];
	struct err e = { 0 };

	root_from(hex, root);
	return anchor_note(a, k, ORIGIN, size, root, &e);
}

static void
test_record(void)
{
	struct softkey *k = vector_key();
	struct anchor a;
	struct err e = { 0 };
	uint8_t root[HASH_LEN];
	char was[MSG_NOTE_MAX];

	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && !a.has, "a new directory has no record %s", e.text);
	CHECK(note(&a, k, 3, root_of_3) == 0 && a.size == 3, "three entries are signed");
	CHECK(note(&a, k, 7, vector_root) == 0 && strcmp(a.note, vector_note) == 0, "seven: the vector's note");
	CHECK(strcmp(get_text(in_dir("anchor/checkpoint")), vector_note) == 0, "the record is that note, on disk");
	CHECK(note(&a, k, 3, root_of_3) == -ERR_LOG_ROLLBACK, "a smaller tree is refused");
	CHECK(note(&a, k, 7, root_of_3) == -ERR_LOG_ROLLBACK, "the same size with another root is refused");
	CHECK(strcmp(get_text(in_dir("anchor/checkpoint")), vector_note) == 0 && strcmp(a.note, vector_note) == 0,
	    "and both left the record alone");
	CHECK(note(&a, k, 7, vector_root) == 0 && strcmp(a.note, vector_note) == 0, "the same tree gets the same note");
	root_from(vector_root, root);
	CHECK(anchor_note(&a, k, "other.example/log", 8, root, &e) == -ERR_LOG, "another log's head is refused");
	anchor_close(&a);
	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == 0 && a.has && a.size == 7 &&
	        memcmp(a.root, root, HASH_LEN) == 0,
	    "after a restart it is remembered");
	CHECK(note(&a, k, 6, root_of_3) == -ERR_LOG_ROLLBACK, "and still refuses a smaller one");
	CHECK(note(&a, k, UINT64_MAX, root_of_3) == 0, "the largest number is a size");
	memcpy(was, a.note, sizeof(was));
	anchor_close(&a);
	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == 0 && a.size == UINT64_MAX &&
	        strcmp(a.note, was) == 0,
	    "that is read back");
	anchor_close(&a);
	softkey_free(k);
}

/* A record that a person gives up, after a restore. */
static void
test_resume(void)
{
	struct softkey *k = vector_key();
	struct anchor a;
	struct err e = { 0 };
	char text[512];

	put_text(in_dir("anchor/checkpoint"), vector_note);
	snprintf(text, sizeof(text), "{\"record\": {\"size\": 8, \"root\": \"%s\"}, \"disk\": {\"size\": 3, \"root\": \"\"}}", vector_root);
	put_text(in_dir("anchor/resume"), text);
	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == 0 && a.resume[0] == '\0' &&
	        access(in_dir("anchor/resume"), F_OK) < 0,
	    "a word about another record is removed");
	CHECK(note(&a, k, 4, root_of_3) == -ERR_LOG_ROLLBACK, "and changes nothing");
	anchor_close(&a);
	snprintf(text, sizeof(text), "{\"record\": {\"size\": 7, \"root\": \"%s\"}, \"disk\": {\"size\": 3, \"root\": \"\"}}", vector_root);
	put_text(in_dir("anchor/resume"), text);
	CHECK(anchor_open(&a, in_dir("anchor"), false, &e) == 0 && anchor_check(&a, k, &e) == 0 && a.resume[0] == '\0' &&
	        access(in_dir("anchor/resume"), F_OK) == 0,
	    "who only looks leaves it alone");
	anchor_close(&a);
	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == 0 && strcmp(a.resume, text) == 0 &&
	        a.size == 7,
	    "a word about this one is passed on (%s)", e.text);
	CHECK(note(&a, k, 3, root_of_3) == -ERR_LOG_ROLLBACK, "the log as it was put back is not signed: it says nothing of it");
	CHECK(note(&a, k, 4, root_of_3) == 0 && a.size == 4, "one with an entry more is");
	CHECK(strcmp(get_text(in_dir("anchor/given-up.7")), vector_note) == 0 && access(in_dir("anchor/resume"), F_OK) < 0,
	    "the old record is kept aside, the word is used up");
	CHECK(note(&a, k, 3, root_of_3) == -ERR_LOG_ROLLBACK, "once, not for ever");
	anchor_close(&a);
	run("rm %s; touch %s", in_dir("anchor/checkpoint"), in_dir("nothing"));
	put_text(in_dir("anchor/resume"), "{\"record\": null, \"disk\": {\"size\": 5, \"root\": \"\"}}");
	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == 0 && a.resume[0] != '\0' &&
	        note(&a, k, 5, root_of_3) == -ERR_LOG_ROLLBACK && note(&a, k, 6, root_of_3) == 0,
	    "a record that is missing can be given up, too");
	anchor_close(&a);
	softkey_free(k);
}

static const struct {
	const char *name;
	const char *text;
} damaged[] = {
	{ "empty", "" },
	{ "one line", "sealroom.example/log\n" },
	{ "no number", "sealroom.example/log\nx\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n" },
	{ "a sign before the number", "sealroom.example/log\n-7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n" },
	{ "a number too large", "sealroom.example/log\n18446744073709551616\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n" },
	{ "a root cut short", "sealroom.example/log\n7\nmMl/C6MX" },
	{ "no signature", "sealroom.example/log\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n\n" },
	{ "another size than signed",
	    "sealroom.example/log\n6\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n\n"
	    "\xE2\x80\x94 sealroom.example/log MdkAtaWleROEAgcrnCL1RekjcYFLdSqsyDKBfX2yakWaXhHQUXOA+6x1QnQH9BmeYdO0A5ZMeZ/"
	    "7eNEsKjQIUU/euAs=\n" },
};

static void
test_damaged(void)
{
	struct softkey *k = vector_key();
	struct anchor a;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		int r;

		put_text(in_dir("anchor/checkpoint"), damaged[i].text);
		if ((r = anchor_open(&a, in_dir("anchor"), true, &e)) == 0)
			r = anchor_check(&a, k, &e);
		CHECK(r == -ERR_LOG, "a damaged record stops: %s", damaged[i].name);
		anchor_close(&a);
	}
	put_text(in_dir("anchor/checkpoint"), vector_note);
	softkey_free(k);
	CHECK(softkey_open(&k, in_dir("new/evidence.key"), ORIGIN, false, &e) == 0 &&
	        anchor_open(&a, in_dir("anchor"), true, &e) == 0 && anchor_check(&a, k, &e) == -ERR_LOG,
	    "a record signed by another key stops");
	anchor_close(&a);
	softkey_free(k);
}

static void
test_hold(void)
{
	struct anchor a, b;
	struct err e = { 0 };

	CHECK(anchor_open(&a, in_dir("anchor"), true, &e) == 0, "the record is held");
	CHECK(anchor_open(&b, in_dir("anchor"), false, &e) == 0 && b.has, "another process may look at it");
	anchor_close(&b);
	CHECK(anchor_open(&b, in_dir("anchor"), true, &e) == -ERR_LOCKED, "but not hold it too");
	anchor_close(&a);
	CHECK(anchor_open(&b, in_dir("absent"), false, &e) == 0 && !b.has && access(in_dir("absent"), F_OK) < 0,
	    "looking makes no directory");
	anchor_close(&b);
}

int
main(void)
{
	fixture_dir_make();
	test_vkey();
	test_made();
	test_refused();
	test_record();
	test_resume();
	test_damaged();
	test_hold();
	fixture_end();
	return TEST_DONE();
}
