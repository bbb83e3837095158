#include <string.h>
#include <sys/random.h>

#include "agent/lib/clock.h"
#include "agent/lib/id.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

int
id_new(char out[ID_MAX])
{
	uint8_t raw[16];
	uint64_t ms = (uint64_t)clock_wall_us() / 1000;
	unsigned bits = 0, have = 2; /* 130 bits of text for 128 of value: two zero bits first */
	size_t n = 0;

	if (getrandom(raw + 6, 10, 0) != 10)
		return -1;
	for (int i = 0; i < 6; i++)
		raw[i] = (uint8_t)(ms >> (8 * (5 - i)));
	for (size_t i = 0; i < sizeof(raw); i++) {
		bits = bits << 8 | raw[i];
		for (have += 8; have >= 5; have -= 5)
			out[n++] = alphabet[bits >> (have - 5) & 31];
	}
	out[n] = '\0';
	return 0;
}

bool
id_valid(const char *s)
{
	return strlen(s) == ID_LEN && strspn(s, alphabet) == ID_LEN && s[0] <= '7';
}

int64_t
id_time_us(const char *s)
{
	uint64_t v = 0;

	/* ten characters carry two zero bits and 48 bits of milliseconds */
	for (int i = 0; i < 10; i++) {
		const char *p = strchr(alphabet, s[i]);

		v = v << 5 | (p == NULL ? 0 : (uint64_t)(p - alphabet));
	}
	return (int64_t)v * 1000;
}
