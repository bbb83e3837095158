/*
 * id.h - job ids: 128 bits, time-ordered, 26 characters lower-case base32.
 *
 * 48 bits of milliseconds since 1970, then 80 random bits, or the first of a SHA-256; alphabet
 * 0123456789abcdefghjkmnpqrstvwxyz (Crockford's, lower case).  The same
 * spelling everywhere; commands take any unique prefix of >= 8 characters.
 */
#ifndef SEALROOM_ID_H
#define SEALROOM_ID_H

#include <stdbool.h>
#include <stdint.h>

#define ID_LEN 26
#define ID_MAX (ID_LEN + 1)

int id_new(char out[ID_MAX]);                       /* 0, or -1: no randomness */
/* The n-th that belongs to another: the same time, and always the same one. */
void id_derive(const char *from, uint32_t n, char out[ID_MAX]);
bool id_valid(const char *);
int64_t id_time_us(const char *);

#endif
