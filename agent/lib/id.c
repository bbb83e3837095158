#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/lib/clock.h"
#include "agent/lib/hash.h"
#include "agent/lib/id.h"

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

#define RAW 16
#define RAW_TIME 6

static void
encode(uint64_t ms, uint8_t raw[RAW], char out[ID_MAX])
{
	unsigned bits = 0, have = 2; /* 130 bits of text for 128 of value: two zero bits first */
	size_t n = 0;

	for (int i = 0; i < RAW_TIME; i++)
		raw[i] = (uint8_t)(ms >> (8 * (RAW_TIME - 1 - i)));
	for (size_t i = 0; i < RAW; i++) {
		bits = bits << 8 | raw[i];
		for (have += 8; have >= 5; have -= 5)
			out[n++] = alphabet[bits >> (have - 5) & 31];
	}
	out[n] = '\0';
}

int
id_new(char out[ID_MAX])
{
	uint8_t raw[RAW];

	if (getrandom(raw + RAW_TIME, RAW - RAW_TIME, 0) != RAW - RAW_TIME)
		return -1;
	encode((uint64_t)clock_wall_us() / 1000, raw, out);
	return 0;
}

void
id_derive(const char *from, uint32_t n, char out[ID_MAX])
{
	char text[ID_MAX + 16];
	uint8_t raw[RAW], hash[HASH_LEN];

	hash_bytes(text, (size_t)snprintf(text, sizeof(text), "%s/%u", from, n), hash);
	memcpy(raw + RAW_TIME, hash, RAW - RAW_TIME);
	encode((uint64_t)id_time_us(from) / 1000, raw, out);
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
