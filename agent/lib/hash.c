#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/hash.h"

enum { SHA256, SHA384, SHA512, KINDS };

struct hash {
	EVP_MD_CTX *ctx[KINDS]; /* NULL: not asked for */
};

static void *
need(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "libcrypto: SHA-2 is not available\n");
		abort();
	}
	return p;
}

/* Each fetched once for the life of the process: an implicit fetch costs three
 * times the hashing of a short input. */
static const EVP_MD *
hash_md(int kind)
{
	static const char *const names[KINDS] = { "SHA2-256", "SHA2-384", "SHA2-512" };
	static EVP_MD *md[KINDS];

	if (md[kind] == NULL)
		md[kind] = need(EVP_MD_fetch(NULL, names[kind], NULL));
	return md[kind];
}

static struct hash *
open_kinds(int kinds)
{
	struct hash *h = need(OPENSSL_zalloc(sizeof(*h)));

	for (int i = 0; i < kinds; i++) {
		h->ctx[i] = need(EVP_MD_CTX_new());
		if (EVP_DigestInit_ex2(h->ctx[i], hash_md(i), NULL) != 1)
			need(NULL);
	}
	return h;
}

struct hash *
hash_open(void)
{
	return open_kinds(1);
}

struct hash *
hash_open_wide(void)
{
	return open_kinds(KINDS);
}

void
hash_add(struct hash *h, const void *p, size_t n)
{
	for (int i = 0; i < KINDS && h->ctx[i] != NULL; i++)
		if (EVP_DigestUpdate(h->ctx[i], p, n) != 1)
			need(NULL);
}

void
hash_final(struct hash *h, uint8_t out[HASH_LEN])
{
	if (EVP_DigestFinal_ex(h->ctx[SHA256], out, NULL) != 1)
		need(NULL);
	hash_free(h);
}

void
hash_final_wide(struct hash *h, uint8_t out[HASH_LEN], struct hash_wide *wide)
{
	if (EVP_DigestFinal_ex(h->ctx[SHA384], wide->sha384, NULL) != 1 || EVP_DigestFinal_ex(h->ctx[SHA512], wide->sha512, NULL) != 1)
		need(NULL);
	wide->known = 1;
	hash_final(h, out);
}

void
hash_free(struct hash *h)
{
	for (int i = 0; h != NULL && i < KINDS; i++)
		EVP_MD_CTX_free(h->ctx[i]);
	OPENSSL_free(h);
}

void
hash_bytes(const void *p, size_t n, uint8_t out[HASH_LEN])
{
	struct hash *h = hash_open();

	hash_add(h, p, n);
	hash_final(h, out);
}

void
hash_buf(const struct buf *b, uint8_t out[HASH_LEN])
{
	if (!buf_ok(b))
		abort();
	hash_bytes(b->data, b->len, out);
}

int
hash_fd(int fd, uint64_t from, uint64_t len, uint8_t out[HASH_LEN], struct err *e)
{
	static uint8_t block[64 * 1024]; /* what was read is hashed from a near cache */
	struct hash *h = hash_open();
	size_t want;
	ssize_t n;

	while (len > 0) {
		want = len < sizeof(block) ? (size_t)len : sizeof(block);
		n = pread(fd, block, want, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || (n == 0 && len != UINT64_MAX)) {
			hash_free(h);
			return n < 0 ? err_sys(e, ERR_IO, "reading to hash") :
			               err_set(e, ERR_IO, "file is shorter than expected");
		}
		if (n == 0)
			break;
		hash_add(h, block, (size_t)n);
		from += (uint64_t)n;
		if (len != UINT64_MAX)
			len -= (uint64_t)n;
	}
	hash_final(h, out);
	return 0;
}

void
hex_encode(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

void
hash_hex(const uint8_t in[HASH_LEN], char out[HASH_HEX])
{
	hex_encode(in, HASH_LEN, out);
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int
hash_from_hex(const char *hex, uint8_t out[HASH_LEN])
{
	uint8_t tmp[HASH_LEN];

	if (strlen(hex) != 2 * HASH_LEN)
		return -1;
	for (size_t i = 0; i < HASH_LEN; i++) {
		int hi = nibble(hex[2 * i]), lo = nibble(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		tmp[i] = (uint8_t)(hi << 4 | lo);
	}
	memcpy(out, tmp, HASH_LEN);
	return 0;
}

/* CRC-32C (Castagnoli), reflected polynomial 0x82F63B78, eight bytes a step. */
static uint32_t crc_table[8][256];

static void
crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0x82F63B78u : c >> 1;
		crc_table[0][i] = c;
	}
	for (uint32_t i = 0; i < 256; i++)
		for (int t = 1; t < 8; t++)
			crc_table[t][i] = crc_table[t - 1][i] >> 8 ^ crc_table[0][crc_table[t - 1][i] & 255];
}

uint32_t
crc32c(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (crc_table[0][1] == 0)
		crc_init();
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t lo = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24);

		crc = crc_table[7][lo & 255] ^ crc_table[6][lo >> 8 & 255] ^ crc_table[5][lo >> 16 & 255] ^
		    crc_table[4][lo >> 24] ^ crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^
		    crc_table[0][p[7]];
	}
	while (n-- > 0)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 255];
	return ~crc;
}
