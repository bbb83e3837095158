/*
 * path.h - names are bytes: opening them safely, showing them safely.
 */
#ifndef SEALROOM_PATH_H
#define SEALROOM_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"

/*
 * openat2(2) below dir: no symlink, no magic link, no other mount, nothing
 * above dir; the same in steps, without "..", where there is no such call.
 * Returns fd or -1 with errno.
 */
int path_open(int dir, const char *name, int flags);

/* Percent-encodes every byte outside [A-Za-z0-9._-]; for logs, entries, metadata. */
void path_escape(const char *name, char *dst, size_t size);
/* Undoes path_escape(): 0; -1: not such a text, or too long. */
int path_unescape(const char *text, char *dst, size_t size);
/* For people: valid UTF-8 stays, controls, bidi marks and bad bytes become %XX. */
void path_display(const char *name, char *dst, size_t size);

bool utf8_valid(const char *, size_t);
/* In place: each byte that is not UTF-8 becomes '?'. */
void utf8_scrub(char *);
/* Next code point; advances *s; U+FFFD for a bad byte. */
uint32_t utf8_next(const char **s, const char *end);
size_t utf8_put(uint32_t cp, char out[4]);

#endif
