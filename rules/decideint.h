/*
 * decideint.h - what the files of a decision share.  Private to rules/decide*.c.
 */
#ifndef SEALROOM_DECIDEINT_H
#define SEALROOM_DECIDEINT_H

#include "rules/explain.h"
#include "rules/ink.h"
#include "rules/rules.h"

struct decision {
	const struct conf *conf;
	const struct conf_folder *folder;
	const struct compose_params *force;
	struct doc_tokens tokens;
	struct compose_result *ret;
	struct explain *explain; /* NULL: not wanted */
	char missing[MSG_NAME_MAX]; /* variable without a value, set by the name's expansion */
	char time[64];
	struct ink ink;          /* of the page looked at last */
	uint32_t ink_page;
};

/* A person said where. */
static inline bool
decide_forced_place(const struct decision *d)
{
	return d->force != NULL && d->force->force_at != 0;
}

void decide_hold(struct decision *, enum err_code, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Places that could be meant, for the picture. */
void decide_candidates(struct decision *, const struct matches *);
/* A field of the ticket; NULL: there is none of that name. */
const char *decide_field(const struct decision *, const char *key);
/* decide_when.c: does the rule apply? 1, 0 or -code */
int decide_when(struct decision *, const struct conf_rule *, struct err *);
/* decide_place.c: where the seal of this rule goes, or held. */
int decide_place(struct decision *, const struct conf_rule *, struct err *);

#endif
