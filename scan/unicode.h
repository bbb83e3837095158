/*
 * unicode.h - characters as a PDF may name them.
 *
 *	for (const char *s = text; unicode_next(&s, &c);)
 *		if (unicode_shown(c)) ...
 */
#ifndef SEALROOM_UNICODE_H
#define SEALROOM_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNICODE_MAX 0x10FFFFu
#define UNICODE_REPLACEMENT 0xFFFDu

/*
 * Takes one character from UTF-8 text; false at its end.  A byte that begins
 * no well-formed sequence (overlong, surrogate, too large) is U+FFFD.
 */
bool unicode_next(const char **text, uint32_t *ret);
/*
 * May stand for a glyph: not a control, not a byte order mark, no non-character.
 * ISO 19005-2, 6.2.11.7.2 forbids U+0000, U+FEFF and U+FFFE.
 */
bool unicode_shown(uint32_t c);
void unicode_utf8(uint32_t c, char out[5]); /* with a NUL */
/* UTF-16, big-endian: 2 or 4 bytes. */
size_t unicode_utf16(uint32_t c, uint8_t out[4]);

#endif
