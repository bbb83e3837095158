#include "scan/unicode.h"

bool
unicode_next(const char **text, uint32_t *ret)
{
	const uint8_t *s = (const uint8_t *)*text;
	static const uint32_t least[4] = { 0, 0x80, 0x800, 0x10000 };
	size_t more = s[0] < 0x80 ? 0 : s[0] >= 0xF0 ? 3 : s[0] >= 0xE0 ? 2 : 1;
	uint32_t c = more == 0 ? s[0] : s[0] & (0x3Fu >> more);
	size_t n = 1;

	if (s[0] == '\0')
		return false;
	while (n <= more && (s[n] & 0xC0) == 0x80)
		c = c << 6 | (s[n++] & 0x3F);
	if (n <= more || s[0] >= 0xF8 || (s[0] & 0xC0) == 0x80 || c < least[more] || c > UNICODE_MAX ||
	    (c >= 0xD800 && c <= 0xDFFF)) {
		c = UNICODE_REPLACEMENT;
		n = 1;
	}
	*text += n;
	*ret = c;
	return true;
}

bool
unicode_shown(uint32_t c)
{
	return c >= 0x20 && !(c >= 0x7F && c < 0xA0) && c != 0xFEFF && !(c >= 0xFDD0 && c <= 0xFDEF) &&
	    (c & 0xFFFE) != 0xFFFE && !(c >= 0xD800 && c <= 0xDFFF) && c <= UNICODE_MAX;
}

void
unicode_utf8(uint32_t c, char out[5])
{
	static const uint8_t mark[5] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	out[n] = '\0';
	for (int i = n - 1; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3F));
	out[0] = (char)(mark[n] | c);
}

size_t
unicode_utf16(uint32_t c, uint8_t out[4])
{
	uint32_t high = 0xD800 + ((c - 0x10000) >> 10), low = 0xDC00 + (c & 0x3FF);

	if (c < 0x10000) {
		out[0] = (uint8_t)(c >> 8);
		out[1] = (uint8_t)c;
		return 2;
	}
	out[0] = (uint8_t)(high >> 8);
	out[1] = (uint8_t)high;
	out[2] = (uint8_t)(low >> 8);
	out[3] = (uint8_t)low;
	return 4;
}
