#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/tokens.h"

static uint32_t
drawn_for(const struct token_line *all, const char *name)
{
	for (const struct token_line *l = all; l != NULL; l = l->next)
		if (strcmp(l->name, name) == 0)
			return l->drawn;
	return 0;
}

struct token_line *
tokens_line(struct token_line **all, const char *name, struct err *e)
{
	struct token_line *l = *all;

	while (l != NULL && strcmp(l->name, name) != 0)
		l = l->next;
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
tokens_choose(const struct children *c, const struct conf_seal *seal, const struct token_line *all, uint32_t most)
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
