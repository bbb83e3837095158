/* t_hash.c - SHA-256 and CRC-32C against published vectors and the openssl command. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

/* FIPS 180-2, appendix B; the empty string is in every list of test vectors */
static const struct {
	const char *text, *sha256;
} shas[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void
test_sha(void)
{
	uint8_t h[HASH_LEN], one[HASH_LEN], back[HASH_LEN];
	char hex[HASH_HEX], as[1000];
	struct hash *s;

	for (size_t i = 0; i < sizeof(shas) / sizeof(shas[0]); i++) {
		hash_bytes(shas[i].text, strlen(shas[i].text), h);
		hash_hex(h, hex);
		CHECK(strcmp(hex, shas[i].sha256) == 0, "SHA-256 of '%s'", shas[i].text);
	}
	memset(as, 'a', sizeof(as));
	s = hash_open();
	for (int i = 0; i < 1000; i++)
		hash_add(s, as, sizeof(as));
	hash_final(s, one);
	hash_hex(one, hex);
	CHECK(strcmp(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0,
	    "a million times 'a', piece by piece");
	CHECK(hash_from_hex(hex, back) == 0 && memcmp(back, one, HASH_LEN) == 0, "hexadecimal there and back");
	hex[5] = 'G';
	CHECK(hash_from_hex(hex, back) == -1 && memcmp(back, one, HASH_LEN) == 0, "a digit that is none");
	CHECK(hash_from_hex("CDC76E5C9914FB9281A1C7E284D73E67F1809A48A497200E046D39CCC7112CD0", back) == -1,
	    "upper case is another spelling, and refused");
	CHECK(hash_from_hex("cdc7", back) == -1, "too few digits");
	hash_free(NULL);
	hash_free(hash_open());
}

/* FIPS 180-4, appendix B and C. */
static void
test_wide(void)
{
	struct hash *h = hash_open_wide();
	struct hash_wide wide = { 0 };
	uint8_t sha256[HASH_LEN];
	char hex[2 * SHA512_LEN + 1];

	hash_add(h, "abc", 3);
	hash_final_wide(h, sha256, &wide);
	hex_encode(sha256, HASH_LEN, hex);
	CHECK(strcmp(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0, "SHA-256 beside the wider ones");
	hex_encode(wide.sha384, SHA384_LEN, hex);
	CHECK(strcmp(hex, "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	                  "8086072ba1e7cc2358baeca134c825a7") == 0, "SHA-384");
	hex_encode(wide.sha512, SHA512_LEN, hex);
	CHECK(strcmp(hex, "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f") == 0 && wide.known, "SHA-512");
	hash_free(hash_open_wide());
}

/* The openssl command hashes the same file. */
static void
test_file(void)
{
	static char data[600001];
	char path[64], cmd[160], hex[HASH_HEX], want[80] = "";
	int dir = tmpdir_make(path), fd = openat(dir, "f", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	uint8_t h[HASH_LEN], part[HASH_LEN];
	struct err e = { 0 };
	FILE *p;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 2654435761u >> 13);
	CHECK(io_write_full(fd, data, sizeof(data), &e) == 0 && hash_fd(fd, 0, UINT64_MAX, h, &e) == 0, "a file is hashed");
	snprintf(cmd, sizeof(cmd), "openssl dgst -sha256 -r %s/f", path);
	if ((p = popen(cmd, "r")) != NULL) {
		if (fgets(want, sizeof(want), p) == NULL)
			want[0] = '\0';
		pclose(p);
	}
	hash_hex(h, hex);
	want[64] = '\0';
	CHECK(strcmp(hex, want) == 0, "and openssl finds the same");
	hash_bytes(data + 1000, 262145, part);
	CHECK(hash_fd(fd, 1000, 262145, h, &e) == 0 && memcmp(h, part, HASH_LEN) == 0, "a part of a file");
	CHECK(hash_fd(fd, 600000, 2, h, &e) == -ERR_IO, "a part that reaches over the end is an error, not shorter");
	CHECK(hash_fd(dir, 0, UINT64_MAX, h, &e) == -ERR_IO, "a directory is not read");
	close(fd);
	tmpdir_remove(dir, path);
}

/* RFC 3720, B.4, and the check value of the catalogue of parametrised CRCs */
static void
test_crc(void)
{
	uint8_t b[32], odd[40];
	bool same = true;

	memset(b, 0, sizeof(b));
	CHECK(crc32c(0, b, 32) == 0x8A9136AAu, "CRC-32C of 32 zeros");
	memset(b, 0xFF, sizeof(b));
	CHECK(crc32c(0, b, 32) == 0x62A8AB43u, "of 32 ones");
	for (uint8_t i = 0; i < 32; i++)
		b[i] = i;
	CHECK(crc32c(0, b, 32) == 0x46DD794Eu, "of 0 to 31");
	for (uint8_t i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	CHECK(crc32c(0, b, 32) == 0x113FDB5Cu, "of 31 to 0");
	CHECK(crc32c(0, "123456789", 9) == 0xE3069283u, "of '123456789'");
	CHECK(crc32c(0, "", 0) == 0, "of nothing");
	for (size_t cut = 0; cut <= 32; cut++)
		same = same && crc32c(crc32c(0, b, cut), b + cut, 32 - cut) == 0x113FDB5Cu;
	CHECK(same, "in two pieces, wherever it is cut");
	memcpy(odd + 3, b, 32);
	CHECK(crc32c(0, odd + 3, 32) == 0x113FDB5Cu, "at an odd address");
}

int
main(void)
{
	test_sha();
	test_wide();
	test_file();
	test_crc();
	return TEST_DONE();
}
