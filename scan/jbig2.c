#include "agent/lib/buf.h"

#include "scan/jbig2.h"

#define LENGTH_UNKNOWN 0xFFFFFFFFu /* of a generic region that ends where its own end mark is, 7.2.7 */

/* T.88, 7.3: symbol dictionary, and the three kinds of text region. */
static bool
of_symbols(unsigned type)
{
	return type == 0 || type == 4 || type == 6 || type == 7;
}

/* 7.2.4 and 7.2.5: how many segments this one refers to, and their numbers. */
static void
skip_references(struct buf *b, uint32_t number)
{
	uint32_t n = buf_get_u8(b), each = number <= 256 ? 1 : number <= 65536 ? 2 : 4;

	if (n >> 5 == 7) {
		n = (n & 31) << 24 | (uint32_t)buf_get_u8(b) << 16;
		n |= (uint32_t)buf_get_u16(b);
		buf_get_raw(b, (n + 8) / 8);
	} else {
		n >>= 5;
	}
	buf_get_raw(b, (size_t)n * each);
}

enum jbig2
jbig2_look(const uint8_t *data, size_t len)
{
	struct buf b;

	buf_view(&b, data, len);
	while (!buf_finished(&b)) {
		uint32_t number = buf_get_u32(&b), size;
		unsigned flags = buf_get_u8(&b);

		skip_references(&b, number);
		if (flags & 0x40) /* 7.2.6: the page's number in four bytes */
			buf_get_u32(&b);
		else
			buf_get_u8(&b);
		size = buf_get_u32(&b);
		if (!buf_ok(&b))
			return JBIG2_DAMAGED;
		if (of_symbols(flags & 63))
			return JBIG2_SYMBOLS;
		if (size == LENGTH_UNKNOWN)
			return JBIG2_PIXELS; /* the last one of an image */
		buf_get_raw(&b, size);
		if (!buf_ok(&b))
			return JBIG2_DAMAGED;
	}
	return JBIG2_PIXELS;
}
