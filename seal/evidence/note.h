/*
 * note.h - signed notes and checkpoints (C2SP signed-note, tlog-checkpoint): reading.
 *
 *	note_key_parse(vkey, &key, &e)
 *	note_verify(text, len, keys, nkeys, &body, &e)     body = bytes that are signed
 *	checkpoint_parse(text, body, &cp, &e)
 *
 * Signatures by unknown keys are ignored; a signature with the name and id of
 * a known key must hold, and at least one must be there.  Only Ed25519 keys
 * (type 01) are known here.  A note that is malformed is -ERR_LOG, one that is
 * signed wrongly or by nobody known is -ERR_SIG.
 */
#ifndef SEALROOM_NOTE_H
#define SEALROOM_NOTE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"

#define NOTE_NAME_MAX 128
#define NOTE_MAX 65536
#define NOTE_SIGS_MAX 64
#define NOTE_HASH_B64 45 /* 44 characters and NUL */

struct note_key {
	char name[NOTE_NAME_MAX];
	uint8_t id[4];
	uint8_t pub[32];
};

/* "name+hash+base64", a final LF is fine; the hash is checked. */
int note_key_parse(const char *vkey, struct note_key *ret, struct err *);
int note_verify(const char *text, size_t len, const struct note_key *keys, size_t nkeys, size_t *ret_body,
    struct err *);

struct checkpoint {
	char origin[NOTE_NAME_MAX];
	uint64_t size;
	uint8_t root[HASH_LEN];
};
/* body: the signed text alone; extension lines are accepted and ignored. */
int checkpoint_parse(const char *text, size_t body, struct checkpoint *ret, struct err *);
/* All three steps for one key; origin must be the key's name. */
int checkpoint_open(const char *text, size_t len, const struct note_key *, struct checkpoint *ret, struct err *);

void note_hash_b64(const uint8_t hash[HASH_LEN], char out[NOTE_HASH_B64]);
/* Decimal without sign, blanks or leading zeros; 0 or -1. */
int note_decimal(const char *s, size_t len, uint64_t *ret);

#endif
