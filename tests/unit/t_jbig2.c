/*
 * Which JBIG2 images hold symbols: segments written here by the tables of ITU-T T.88, 7.2,
 * each with a twin that differs in the one thing that matters.
 */
#include <string.h>

#include "scan/jbig2.h"
#include "tests/unit/test.h"

static uint8_t data[4096];
static size_t n;

static void
put(unsigned v, int bytes)
{
	while (bytes-- > 0)
		data[n++] = (uint8_t)(v >> 8 * bytes);
}

/* refs < 5 in the short form, else in the long one. */
static void
segment(unsigned number, unsigned type, unsigned refs, int wide_page, unsigned length)
{
	put(number, 4);
	put(type | (wide_page ? 0x40 : 0), 1);
	if (refs < 5) {
		put(refs << 5, 1);
	} else {
		put(7u << 29 | refs, 4);
		for (unsigned i = 0; i < (refs + 8) / 8; i++)
			put(0xff, 1);
	}
	for (unsigned i = 0; i < refs; i++)
		put(i, number <= 256 ? 1 : number <= 65536 ? 2 : 4);
	put(1, wide_page ? 4 : 1);
	put(length, 4);
	for (unsigned i = 0; length < 1000 && i < length; i++)
		put(i * 37, 1);
}

int
main(void)
{
	CHECK(jbig2_look(data, 0) == JBIG2_PIXELS, "nothing at all holds no symbols");
	for (unsigned type = 0; type < 64; type++) {
		int symbols = type == 0 || type == 4 || type == 6 || type == 7;

		n = 0;
		segment(0, 48, 0, 0, 19);
		segment(1, type, 0, 0, 20);
		segment(2, 49, 0, 0, 0);
		CHECK(jbig2_look(data, n) == (symbols ? JBIG2_SYMBOLS : JBIG2_PIXELS), "segments of type %u %s", type,
		    symbols ? "are of symbols" : "are not");
	}
	for (unsigned refs = 1; refs < 40; refs += 19) {
		n = 0;
		segment(70000, 38, refs, 1, 50);
		segment(300, 38, refs, 0, 50);
		segment(9, 7, refs, 0, 50);
		CHECK(jbig2_look(data, n) == JBIG2_SYMBOLS, "behind others that refer to %u, with numbers of each size", refs);
		data[n - 50 - 4 - 1 - refs - (refs < 5 ? 1 : 4 + (refs + 8) / 8) - 1] = 38;
		CHECK(jbig2_look(data, n) == JBIG2_PIXELS, "its twin, a generic region, has none");
		CHECK(jbig2_look(data, n - 1) == JBIG2_DAMAGED, "cut short it is damaged");
	}
	n = 0;
	segment(0, 38, 0, 0, 0xFFFFFFFF);
	CHECK(jbig2_look(data, n) == JBIG2_PIXELS, "a region of unknown length ends the image");
	n = 0;
	segment(0, 38, 0, 0, 0xFFFFFFF0);
	CHECK(jbig2_look(data, n) == JBIG2_DAMAGED, "one longer than the data is damaged");
	return TEST_DONE();
}
