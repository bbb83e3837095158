/*
 * bits.h - 32 pixels of 8 bits to a word of 1 bit each, as leptonica has them:
 * the first pixel in the highest byte and bit of its word (32 bits, the host's).
 *
 *	uint8_t is[32];                 0 or 1, in the order of the bytes in memory
 *	for (int i = 0; i < 32; i++)    a loop that the compiler does by vectors
 *		is[i] = bytes[i] < limit;
 *	word = bits_word(is);
 */
#ifndef SEALROOM_SCAN_BITS_H
#define SEALROOM_SCAN_BITS_H

#include <stdint.h>
#include <string.h>

#define BITS_PIXELS 32

static inline uint32_t
bits_word(const uint8_t is[static BITS_PIXELS])
{
	uint32_t word = 0;

	for (int i = 0; i < BITS_PIXELS; i += 4) {
		uint32_t four;

		memcpy(&four, is + i, sizeof(four));
		word = word << 4 | (four * 0x01020408u >> 24 & 15); /* bits 24, 16, 8 and 0, side by side */
	}
	return word;
}

/* The first n of a word. */
static inline uint32_t
bits_first(uint32_t word, int n)
{
	return n >= BITS_PIXELS ? word : word & ~(UINT32_MAX >> n);
}

#endif
