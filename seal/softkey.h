/*
 * softkey.h - the evidence log's Ed25519 key in a file, and notes signed by it.
 *
 *	softkey_open(&k, path, name, may_make, &e)
 *	softkey_vkey(k, vkey)                       what verifiers are given
 *	softkey_note(k, text, &note, &e)            C2SP signed note
 *	softkey_free(k)
 *
 * The file is PEM (PKCS#8), 0400, ours.  It is made only when the log has no
 * entry yet: a log whose key is missing has lost its key, and a new one would
 * be another log.  Ed25519 signatures are deterministic (RFC 8032, 5.1.6), so
 * the same text gives the same note.
 */
#ifndef SEALROOM_SOFTKEY_H
#define SEALROOM_SOFTKEY_H

#include <stdbool.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"

#define SOFTKEY_NAME_MAX 200 /* bytes in a key name, which is the log's origin */
#define SOFTKEY_VKEY_MAX 256

struct softkey; /* opaque: softkey.c */

/* -ERR_KEY, with the remedy.  name: no space, no plus sign. */
int softkey_open(struct softkey **ret, const char *path, const char *name, bool may_make, struct err *);
void softkey_free(struct softkey *); /* NULL is fine */

const char *softkey_name(const struct softkey *);
/* name + key id + key: "example.org/log+31d900b5+AQOh..." */
void softkey_vkey(const struct softkey *, char vkey[SOFTKEY_VKEY_MAX]);
/* text, whose every line ends with LF; an empty line; the signature line. */
int softkey_note(const struct softkey *, const char *text, struct buf *ret, struct err *);

#endif
