/*
 * hash.h - SHA-2 (OpenSSL) and CRC-32C.
 *
 * What is ours is hashed with SHA-256; others sign over SHA-384 and SHA-512, too.
 * hash_open() aborts the process when libcrypto does not have them: nothing can
 * be done without it.
 */
#ifndef SEALROOM_HASH_H
#define SEALROOM_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"

#define HASH_LEN 32
#define HASH_HEX (2 * HASH_LEN + 1)

/* The same bytes once more, where somebody else chose the algorithm. */
#define SHA384_LEN 48
#define SHA512_LEN 64
struct hash_wide {
	uint8_t known; /* 0: not computed */
	uint8_t sha384[SHA384_LEN], sha512[SHA512_LEN];
};

struct hash; /* opaque */

struct hash *hash_open(void);
struct hash *hash_open_wide(void); /* for hash_final_wide() */
void hash_add(struct hash *, const void *, size_t);
void hash_final(struct hash *, uint8_t out[HASH_LEN]); /* frees it too */
void hash_final_wide(struct hash *, uint8_t out[HASH_LEN], struct hash_wide *);
void hash_free(struct hash *);                         /* NULL is fine */

void hash_bytes(const void *, size_t, uint8_t out[HASH_LEN]);
/* Of what was put in. Aborts, too, when not all of it could be: the hash of half an identity would be another's. */
void hash_buf(const struct buf *, uint8_t out[HASH_LEN]);
/* Hashes fd from offset 'from', 'len' bytes; UINT64_MAX: to the end. */
int hash_fd(int fd, uint64_t from, uint64_t len, uint8_t out[HASH_LEN], struct err *);

void hash_hex(const uint8_t in[HASH_LEN], char out[HASH_HEX]);
int hash_from_hex(const char *hex, uint8_t out[HASH_LEN]); /* 0 or -1; 64 digits, lower case */
void hex_encode(const uint8_t *, size_t, char *out);       /* 2n + 1 bytes */

uint32_t crc32c(uint32_t crc, const void *, size_t);       /* start with 0 */

#endif
