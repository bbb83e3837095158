/*
 * explain.h - the trace of a decision: JSON for `sealroom try` and the tests.
 *
 * An array with one object a rule of the folder, in their order:
 *
 *	{ "rule": "invoice", "matched": true, "why": "...",
 *	  "when":    [ { "phrase": "Rechnung", "list": "any", "found": MATCH or null } ],
 *	  "finds":   [ { "name": "number", "value": "2026-2471" or null, "after": "Rechnung Nr.",
 *	                 "text": "2026-2471", "found": MATCH or null } ],
 *	  "anchors": [ MATCH with "chosen": true or false ],
 *	  "place":   { "mode": "box" | "invisible" | "none", "page": 2, "box": BOX, "covers": "words", "why": "..." },
 *	  "name":    "2026-11-22_2026-2471.pdf", "seal": "stamp",
 *	  "hold":    "anchor-ambiguous", "hold_text": "..." }
 *
 * MATCH is { "page": 2, "box": BOX, "text": "Freigahe:", "typos": 1 }.  BOX is
 * [ left, top, right, bottom ] in mm from the top left corner of the page as
 * read; pages count from 1.  What does not apply is left out.
 */
#ifndef SEALROOM_EXPLAIN_H
#define SEALROOM_EXPLAIN_H

#include <jansson.h>

#include "rules/find.h"

/* Each takes NULL for "no trace wanted". *lost is set when memory ended. */
struct explain {
	json_t *rules; /* the array; borrowed */
	json_t *rule;  /* the object that is being filled; owned by the array */
	bool lost;
};

void explain_rule(struct explain *, const char *name);
void explain_rule_done(struct explain *); /* what follows is about no rule: left out */
/* The rules behind the one that decided, which were not asked. */
void explain_rest(struct explain *, const struct conf_folder *, const char *decided);
void explain_text(struct explain *, const char *key, const char *text);
void explain_matched(struct explain *, bool matched, const char *why);
void explain_when(struct explain *, const struct doc_words *, const char *list, const char *phrase,
    const struct match *);
void explain_find(struct explain *, const struct doc_words *, const char *name, const struct found *);
void explain_anchor(struct explain *, const struct doc_words *, const struct match *, bool chosen);
void explain_place(struct explain *, const struct doc_words *, const struct compose_result *, const char *why);

#endif
