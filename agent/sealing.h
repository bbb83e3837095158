/*
 * sealing.h - the records a sealed job leaves in its directory, for those who
 * report on it (jobjson.c, outcome.c).
 */
#ifndef SEALROOM_SEALING_H
#define SEALROOM_SEALING_H

#include "agent/core.h"

/* Record `prep`: what prepared.pdf was made for. Put with it, before the token is asked. */
struct prep {
	uint64_t range[4];
	uint32_t hole;               /* bytes of DER */
	int64_t time_us;
	char token[MSG_NAME_MAX];
	char org[128];
	uint8_t cert_hash[HASH_LEN];
	uint8_t digest[HASH_LEN];
	uint64_t log_size;           /* of the checkpoint inside the signature dictionary; 0: none */
};
/* Record `tst`: put once the answer is proven; cms is what goes into the hole. */
struct tst {
	int64_t gen_time_us;
	uint8_t token_hash[HASH_LEN];
	uint8_t *cms;                /* malloc'ed */
	size_t cms_len;
};

int prep_get(struct job *, struct prep *, struct err *);
/* 1, 0: there is none, -code */
int tst_get(struct job *, struct tst *, struct err *);
void tst_done(struct tst *);

#endif
