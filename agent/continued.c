#include <stdio.h>
#include <string.h>

#include "agent/continued.h"

static void
name_hash(const char *folder, const char *name, uint8_t out[HASH_LEN])
{
	struct hash *h = hash_open();

	hash_add(h, folder, strlen(folder) + 1);
	hash_add(h, name, strlen(name));
	hash_final(h, out);
}

const char *
continued_note(struct continued *c, const char *folder, const char *name, const uint8_t source[HASH_LEN], const char *id,
    uint64_t now_ms)
{
	const char *found = NULL;
	uint8_t key[HASH_LEN];

	name_hash(folder, name, key);
	for (uint32_t i = 0; i < CONTINUED_NAMES; i++) { /* from the oldest on; the oldest is overwritten below */
		uint32_t at = (c->next + i) % CONTINUED_NAMES;

		if (c->taken[at].id[0] != '\0' && now_ms - c->taken[at].ms < CONTINUED_MS && memcmp(c->taken[at].name, key, HASH_LEN) == 0 &&
		    memcmp(c->taken[at].source, source, HASH_LEN) != 0 && i > 0)
			found = c->taken[at].id;
	}
	memcpy(c->taken[c->next].name, key, HASH_LEN);
	memcpy(c->taken[c->next].source, source, HASH_LEN);
	snprintf(c->taken[c->next].id, ID_MAX, "%s", id);
	c->taken[c->next].ms = now_ms;
	c->next = (c->next + 1) % CONTINUED_NAMES;
	return found;
}
