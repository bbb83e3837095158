/*
 * logkey.h - a log key for tests: Ed25519, seed 00 01 .. 1f, as in the vectors of
 * the checkpoint format.  Signs what sealroom-seal would sign.
 */
#ifndef SEALROOM_TEST_LOGKEY_H
#define SEALROOM_TEST_LOGKEY_H

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LOGKEY_ORIGIN "sealroom.example/log"
#define LOGKEY_VKEY LOGKEY_ORIGIN "+31d900b5+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"

static inline void
logkey_sign(const char *body, uint8_t sig[64])
{
	uint8_t seed[32];
	size_t n = 64;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	EVP_PKEY *k;

	for (int i = 0; i < 32; i++)
		seed[i] = (uint8_t)i;
	k = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	EVP_DigestSignInit(c, NULL, NULL, NULL, k);
	EVP_DigestSign(c, sig, &n, (const unsigned char *)body, strlen(body));
	EVP_MD_CTX_free(c);
	EVP_PKEY_free(k);
}

/* A note: the text, an empty line, one signature by the key with this id. */
static inline void
logkey_note(const char *body, char *out, size_t size)
{
	uint8_t raw[68] = { 0x31, 0xd9, 0x00, 0xb5 };
	char b64[128];

	logkey_sign(body, raw + 4);
	EVP_EncodeBlock((unsigned char *)b64, raw, sizeof(raw));
	snprintf(out, size, "%s\n\xE2\x80\x94 " LOGKEY_ORIGIN " %s\n", body, b64);
}

static inline void
logkey_checkpoint(uint64_t size, const uint8_t root[32], char *out, size_t max)
{
	char body[256], b64[64];

	EVP_EncodeBlock((unsigned char *)b64, root, 32);
	snprintf(body, sizeof(body), LOGKEY_ORIGIN "\n%llu\n%s\n", (unsigned long long)size, b64);
	logkey_note(body, out, max);
}

#endif
