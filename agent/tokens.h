/*
 * tokens.h - for which of a seal's tokens a stamp is drawn, and how many wait for each.
 *
 * A token is asked one question at a time, and a card takes a second for it.  So
 * stamps are drawn ahead: each for one token, because its certificate's holder
 * stands on the stamp and the size of its signature is the hole's.
 */
#ifndef SEALROOM_TOKENS_H
#define SEALROOM_TOKENS_H

#include "agent/children.h"

/* Jobs with a stamp that is drawn or being drawn for a token, which was not asked yet.  Zeroed: none. */
struct token_line {
	char name[MSG_NAME_MAX];
	uint32_t drawn;
	struct token_line *next;
};

/* The token's line, made if it is not there; it stays until tokens_free().  NULL with *e set: no memory. */
struct token_line *tokens_line(struct token_line **all, const char *name, struct err *e);
void tokens_free(struct token_line **all);

/* The ready one with the shortest line, of several the first in the settings; NULL: none has less than 'most'. */
struct peer *tokens_choose(const struct children *, const struct conf_seal *, struct token_line *all, uint32_t most);
/* The one of this name, ready and with this certificate; NULL: not now. */
struct peer *tokens_find(const struct children *, const struct conf_seal *, const char *name,
    const uint8_t cert_hash[HASH_LEN]);

#endif
