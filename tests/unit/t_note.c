#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "seal/evidence/note.h"
#include "tests/unit/logkey.h"
#include "tests/unit/test.h"

/* The published vector: entries "entry 0" .. "entry 6", Ed25519 seed 00 01 .. 1f. */
static const char body[] = "sealroom.example/log\n"
                           "7\n"
                           "mMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n";
static const char line[] =
    "\xE2\x80\x94 sealroom.example/log "
    "MdkAtaWleROEAgcrnCL1RekjcYFLdSqsyDKBfX2yakWaXhHQUXOA+6x1QnQH9BmeYdO0A5ZMeZ/7eNEsKjQIUU/euAs=\n";

static void
test_vector(const struct note_key *key)
{
	char note[512], made[512];
	struct checkpoint cp;
	struct err e = { 0 };
	int passed = 0;

	snprintf(note, sizeof(note), "%s\n%s", body, line);
	CHECK(checkpoint_open(note, strlen(note), key, &cp, &e) == 0, "the vector's signature holds (%s)", e.text);
	CHECK(cp.size == 7 && strcmp(cp.origin, "sealroom.example/log") == 0 && cp.root[0] == 0x98 && cp.root[31] == 0x87,
	    "origin, size and root are read");
	logkey_note(body, made, sizeof(made));
	CHECK(strcmp(made, note) == 0, "Ed25519 is deterministic: signing again gives the same note");
	for (size_t i = 0; i < strlen(note); i++) {
		char was = note[i];

		for (int bit = 0; bit < 8; bit++) {
			note[i] = (char)(was ^ 1 << bit);
			if (checkpoint_open(note, strlen(note), key, &cp, &e) == 0)
				printf("# passed: byte %zu bit %d\n", i, bit), passed++;
		}
		note[i] = was;
	}
	CHECK(passed == 0, "no single changed bit of the note passes");
	for (size_t n = 0; n < strlen(note); n++)
		passed += checkpoint_open(note, n, key, &cp, &e) == 0;
	CHECK(passed == 0, "no shortened note passes");
}

static void
test_more_signatures(const struct note_key *key)
{
	static const char other[] = "\xE2\x80\x94 witness.example AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	                            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
	char note[4096];
	struct checkpoint cp;
	struct err e = { 0 };
	size_t n;

	n = (size_t)snprintf(note, sizeof(note), "%s\n%s%s", body, other, line);
	CHECK(checkpoint_open(note, n, key, &cp, &e) == 0, "a signature by an unknown key is ignored (%s)", e.text);
	n = (size_t)snprintf(note, sizeof(note), "%s\n%s", body, other);
	CHECK(checkpoint_open(note, n, key, &cp, &e) == -ERR_SIG, "but it is not enough alone");
	n = (size_t)snprintf(note, sizeof(note), "%s\n", body);
	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(note + n, sizeof(note) - n, "%s", other);
	n += (size_t)snprintf(note + n, sizeof(note) - n, "%s", line);
	CHECK(checkpoint_open(note, n, key, &cp, &e) == 0, "seventeen signatures are read");
	n = (size_t)snprintf(note, sizeof(note), "%s\n%s%s", body, line, "\xE2\x80\x94 x y\n");
	CHECK(checkpoint_open(note, n, key, &cp, &e) == -ERR_LOG, "a malformed signature line spoils the note");
}

static void
test_text(const struct note_key *key)
{
	static const struct {
		const char *name, *body;
		int want;
	} cases[] = {
		{ "extension lines are accepted, and signed", "sealroom.example/log\n7\n"
		                                              "mMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\nmore\n", 0 },
		{ "a leading zero is not a size", "sealroom.example/log\n07\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n",
		    -ERR_LOG },
		{ "nor is a sign", "sealroom.example/log\n+7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n", -ERR_LOG },
		{ "nor what 64 bits can not hold",
		    "sealroom.example/log\n18446744073709551616\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n", -ERR_LOG },
		{ "a root of 31 bytes is none", "sealroom.example/log\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tQ==\n",
		    -ERR_LOG },
		{ "padding bits must be zero", "sealroom.example/log\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYd=\n",
		    -ERR_LOG },
		{ "another log's checkpoint is not ours", "other.example/log\n7\nmMl/C6MXXNCLAx3QhLncTmSbZNGijm6mlGRlAxc6tYc=\n",
		    -ERR_LOG },
		{ "two lines are no checkpoint", "sealroom.example/log\n7\n", -ERR_LOG },
	};
	char note[1024];
	struct checkpoint cp;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		logkey_note(cases[i].body, note, sizeof(note));
		CHECK(checkpoint_open(note, strlen(note), key, &cp, &e) == cases[i].want, "%s", cases[i].name);
	}
}

static void
test_keys(void)
{
	static const struct {
		const char *name, *vkey;
	} bad[] = {
		{ "id of another key", LOGKEY_ORIGIN "+31d900b6+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" },
		{ "upper case id", LOGKEY_ORIGIN "+31D900B5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" },
		{ "another type of key", LOGKEY_ORIGIN "+31d900b5+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" },
		{ "a blank in the name", "sealroom example+31d900b5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" },
		{ "no name", "+31d900b5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4" },
		{ "cut short", LOGKEY_ORIGIN "+31d900b5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVT" },
		{ "nothing", "" },
		{ "two lines", LOGKEY_VKEY "\nx" },
	};
	struct note_key key;
	struct err e = { 0 };

	CHECK(note_key_parse(LOGKEY_VKEY "\n", &key, &e) == 0, "a vkey file with its line end is read");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(note_key_parse(bad[i].vkey, &key, &e) < 0, "refused: %s", bad[i].name);
}

static void
put(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	if (f == NULL || fwrite(p, 1, n, f) != n || fclose(f) != 0)
		exit(99);
}

/* A judge that is not ours: openssl with the raw key wrapped as SubjectPublicKeyInfo. */
static int
openssl_says(const char *dir, const struct note_key *key, const char *text, const uint8_t sig[64])
{
	static const uint8_t spki[12] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
	uint8_t der[44];
	char path[256], cmd[1024];

	memcpy(der, spki, 12);
	memcpy(der + 12, key->pub, 32);
	snprintf(path, sizeof(path), "%s/key", dir);
	put(path, der, sizeof(der));
	snprintf(path, sizeof(path), "%s/text", dir);
	put(path, text, strlen(text));
	snprintf(path, sizeof(path), "%s/sig", dir);
	put(path, sig, 64);
	snprintf(cmd, sizeof(cmd),
	    "openssl pkeyutl -verify -pubin -keyform DER -inkey %s/key -rawin -in %s/text -sigfile %s/sig >/dev/null 2>&1",
	    dir, dir, dir);
	return system(cmd);
}

static void
test_openssl(const struct note_key *key)
{
	char dir[] = "/tmp/t_note.XXXXXX", cmd[64];
	uint8_t raw[72];

	if (mkdtemp(dir) == NULL)
		exit(99);
	EVP_DecodeBlock(raw, (const unsigned char *)strrchr(line, ' ') + 1, 92);
	CHECK(openssl_says(dir, key, body, raw + 4) == 0, "openssl accepts the same signature by the same key");
	raw[20] ^= 1;
	CHECK(openssl_says(dir, key, body, raw + 4) != 0, "and refuses a changed one");
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	CHECK(system(cmd) == 0, "cleaned up");
}

int
main(void)
{
	struct note_key key;
	struct err e = { 0 };

	CHECK(note_key_parse(LOGKEY_VKEY, &key, &e) == 0, "the vector's key is read (%s)", e.text);
	test_vector(&key);
	test_more_signatures(&key);
	test_text(&key);
	test_keys();
	test_openssl(&key);
	return TEST_DONE();
}
