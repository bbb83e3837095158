/* t_buf.c - a buffer never grows over its maximum, never reads past its end, and remembers that it could not. */
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"
#include "tests/unit/test.h"

static void
test_bytes(void)
{
	static const uint8_t want[] = { 0x7F, 0x01, 0x02, 0x80, 0x00, 0x00, 0x01, 0xFF, 0xFF, 0xFF, 0xFE, 1, 2, 3, 4, 5,
		6, 7, 8, 0, 0, 0, 2, 'h', 'i' };
	AUTO_BUF b;

	buf_init(&b, 64);
	buf_put_u8(&b, 0x7F);
	buf_put_u16(&b, 0x0102);
	buf_put_u32(&b, 0x80000001u);
	buf_put_i32(&b, -2);
	buf_put_u64(&b, 0x0102030405060708u);
	buf_put_str(&b, "hi");
	CHECK(buf_ok(&b) && b.len == sizeof(want) && memcmp(b.data, want, sizeof(want)) == 0,
	    "numbers are written most significant byte first, a string as its length and its bytes");
	CHECK(buf_get_u8(&b) == 0x7F && buf_get_u16(&b) == 0x0102 && buf_get_u32(&b) == 0x80000001u &&
	        buf_get_i32(&b) == -2 && buf_get_u64(&b) == 0x0102030405060708u,
	    "and read back");
	CHECK(!buf_finished(&b) && buf_left(&b) == 6, "a message is not finished before its last byte");
	CHECK(buf_get_u32(&b) == 2 && memcmp(buf_get_raw(&b, 2), "hi", 2) == 0 && buf_finished(&b), "and then it is");
}

static void
test_write_bounds(void)
{
	AUTO_BUF b;
	char big[300];
	size_t n = 0;

	memset(big, 'x', sizeof(big));
	buf_init(&b, 1000);
	while (n + 300 <= 1000) {
		buf_put(&b, big, sizeof(big));
		n += sizeof(big);
	}
	CHECK(buf_ok(&b) && b.len == 900 && b.cap <= 1000, "it grows up to its maximum");
	buf_put(&b, big, 101);
	CHECK(!buf_ok(&b) && b.len == 900, "and not a byte over it");
	buf_put_u8(&b, 1);
	CHECK(!buf_ok(&b) && b.len == 900, "the error stays, even for what would fit");
	buf_clear(&b);
	buf_put(&b, big, 100);
	CHECK(buf_ok(&b) && b.len == 100, "emptied it can be used again");
	buf_put(&b, NULL, 0);
	CHECK(buf_ok(&b), "nothing can always be written");
	buf_printf(&b, "%0898d", 1);
	CHECK(buf_ok(&b) && b.len == 998, "formatted text needs a byte more while it is made");
	buf_printf(&b, "%s", "abc");
	CHECK(!buf_ok(&b), "formatted text obeys the maximum, too");
}

static void
test_read_bounds(void)
{
	static const uint8_t lies[] = { 0xFF, 0xFF, 0xFF, 0xFF, 'a', 'b' };
	uint8_t dst[4] = { 1, 2, 3, 4 };
	struct buf b;
	size_t n = 7;

	buf_view(&b, lies, sizeof(lies));
	CHECK(buf_get_blob(&b, &n) == NULL && n == 0 && !buf_ok(&b), "a length of 4 GiB in a message of 6 bytes is an error");
	CHECK(buf_get_u8(&b) == 0 && !buf_finished(&b), "after which nothing is read any more");
	buf_view(&b, lies, 3);
	CHECK(buf_get_u32(&b) == 0 && !buf_ok(&b), "half a number is none");
	buf_view(&b, lies, 3);
	buf_get(&b, dst, 4);
	CHECK(memcmp(dst, "\0\0\0\0", 4) == 0 && !buf_ok(&b), "bytes that are not there are zeros");
	buf_view(&b, lies, sizeof(lies));
	CHECK(buf_get_raw(&b, SIZE_MAX) == NULL, "no length is large enough to wrap round");
	buf_put_u8(&b, 1);
	CHECK(!buf_ok(&b), "what belongs to somebody else is not written to");
	buf_done(&b);
}

static void
test_strings(void)
{
	static const uint8_t nul[] = { 0, 0, 0, 3, 'a', 0, 'b' };
	char dst[4] = "zzz";
	AUTO_BUF b;
	struct buf v;
	char *s;

	buf_init(&b, 64);
	buf_put_str(&b, "abc");
	buf_get_str(&b, dst, sizeof(dst));
	CHECK(buf_finished(&b) && strcmp(dst, "abc") == 0, "a string that fits with its end");
	buf_clear(&b);
	buf_put_str(&b, "abcd");
	buf_get_str(&b, dst, sizeof(dst));
	CHECK(!buf_ok(&b) && dst[0] == '\0', "one too long by a byte is an error, not cut");
	buf_view(&v, nul, sizeof(nul));
	buf_get_str(&v, dst, sizeof(dst));
	CHECK(!buf_ok(&v), "a string with a NUL inside is an error");
	buf_view(&v, nul, sizeof(nul));
	CHECK(buf_get_strdup(&v, 10) == NULL && !buf_ok(&v), "as a copy, too");
	buf_clear(&b);
	buf_put_str(&b, "abcd");
	CHECK(buf_get_strdup(&b, 3) == NULL, "a copy longer than wanted is an error");
	buf_clear(&b);
	buf_put_str(&b, "abcd");
	s = buf_get_strdup(&b, 4);
	CHECK(s != NULL && strcmp(s, "abcd") == 0, "and one that is not comes with its end");
	free(s);
}

static void
test_take(void)
{
	struct buf b;
	char *s;

	buf_init(&b, 5);
	buf_put(&b, "12345", 5);
	s = buf_take_text(&b);
	CHECK(s != NULL && strcmp(s, "12345") == 0 && b.data == NULL, "text is taken out with its end, even when full");
	free(s);
	buf_init(&b, 4);
	buf_put(&b, "12345", 5);
	CHECK(buf_take_text(&b) == NULL && b.data == NULL, "a broken one gives nothing, and is freed");
	buf_done(&b);
}

int
main(void)
{
	test_bytes();
	test_write_bounds();
	test_read_bounds();
	test_strings();
	test_take();
	return TEST_DONE();
}
