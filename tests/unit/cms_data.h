/*
 * cms_data.h - the files of tests/data/cms and the trust that goes with them.
 */
#ifndef SEALROOM_CMS_DATA_H
#define SEALROOM_CMS_DATA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/hash.h"
#include "seal/verify/chain.h"

#define DATA_NOW 1780315200000000LL     /* 2026-06-01T12:00:00Z */
#define DATA_STAMPED 1780315200500000LL /* half a second later */
#define DATA_NONCE 0x1122334455667788ULL
#define DATA_POLICY "1.3.6.1.4.1.99999.7.1"

struct file {
	uint8_t data[16384];
	size_t len;
};

static inline struct file
data_file(const char *name)
{
	struct file f = { .len = 0 };
	char path[200];
	FILE *in;

	snprintf(path, sizeof(path), "tests/data/cms/%s", name);
	if ((in = fopen(path, "rb")) == NULL) {
		perror(path);
		exit(99);
	}
	f.len = fread(f.data, 1, sizeof(f.data) - 1, in);
	f.data[f.len] = '\0';
	fclose(in);
	return f;
}

/* SHA-256 of the bytes every signature there covers. */
static inline void
data_hash(uint8_t out[HASH_LEN])
{
	struct file f = data_file("content");

	hash_bytes(f.data, f.len, out);
}

/* "seal" and "tsa:one" trust their own roots, "tsa:other" the foreign one where asked for. */
static inline struct trust *
data_trust(const char *seal, const char *tsa)
{
	struct file a = data_file(seal), b = data_file(tsa);
	struct settings s = { .nfiles = 2 };
	struct trust *t;
	struct err e = { 0 };

	snprintf(s.files[0].name, sizeof(s.files[0].name), "seal");
	snprintf(s.files[1].name, sizeof(s.files[1].name), "tsa:one");
	s.files[0].data = a.data;
	s.files[1].data = b.data;
	s.files[0].len = (uint32_t)a.len;
	s.files[1].len = (uint32_t)b.len;
	if (trust_new(&t, &s, &e) < 0) {
		printf("# %s\n", e.text);
		exit(99);
	}
	return t;
}

#endif
