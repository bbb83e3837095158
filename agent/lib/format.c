#include <ctype.h>
#include <string.h>

#include "agent/lib/format.h"

#define DIGITS_MAX 4

unsigned
format_number(const void *text, size_t len, const char *name)
{
	const char *p = text;
	size_t n = strlen(name), at = n + 1;
	unsigned v = 0;

	if (len < n + 3 || len > n + 2 + DIGITS_MAX || memcmp(p, name, n) != 0 || p[n] != '/' || p[len - 1] != '\n' ||
	    p[at] == '0')
		return 0;
	for (; at < len - 1; at++) {
		if (!isdigit((unsigned char)p[at]))
			return 0;
		v = v * 10 + (unsigned)(p[at] - '0');
	}
	return v;
}
