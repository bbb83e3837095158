#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tokens.h"

static struct token_line *
find(struct token_line *all, const char *name)
{
	while (all != NULL && strcmp(all->name, name) != 0)
		all = all->next;
	return all;
}

static uint32_t
drawn_for(struct token_line *all, const char *name)
{
	const struct token_line *l = find(all, name);

	return l != NULL ? l->drawn : 0;
}

struct token_line *
tokens_line(struct token_line **all, const char *name, struct err *e)
{
	struct token_line *l = find(*all, name);

	if (l != NULL)
		return l;
	if ((l = calloc(1, sizeof(*l))) == NULL) {
		err_set(e, ERR_MEM, "tokens");
		return NULL;
	}
	snprintf(l->name, sizeof(l->name), "%s", name);
	l->next = *all;
	return *all = l;
}

void
tokens_free(struct token_line **all)
{
	while (*all != NULL) {
		struct token_line *l = *all;

		*all = l->next;
		free(l);
	}
}

struct peer *
tokens_choose(const struct children *c, const struct conf_seal *seal, struct token_line *all, uint32_t most)
{
	uint64_t least = UINT64_MAX;
	struct peer *chosen = NULL;

	for (size_t i = 0; i < seal->ntokens; i++) {
		struct peer *p = children_token(c, seal->tokens[i]);
		uint32_t drawn = p != NULL ? drawn_for(all, children_token_name(p)) : most;
		uint64_t line;

		if (drawn >= most)
			continue;
		line = (uint64_t)drawn + children_token_busy(p);
		if (line < least) {
			least = line;
			chosen = p;
		}
	}
	return chosen;
}

struct peer *
tokens_find(const struct children *c, const struct conf_seal *seal, const char *name, const uint8_t cert_hash[HASH_LEN])
{
	for (size_t i = 0; i < seal->ntokens; i++) {
		struct peer *p = children_token(c, seal->tokens[i]);

		if (p != NULL && strcmp(children_token_name(p), name) == 0 &&
		    memcmp(children_token_facts(p)->cert_hash, cert_hash, HASH_LEN) == 0)
			return p;
	}
	return NULL;
}
