/*
 * explain.h - the trace of a decision: JSON for `sealroom try` and the tests.
 *
 * An array with one object a rule of the folder, in their order:
 *
 *	{ "rule": "invoice", "matched": true, "why": "...",
 *	  "when":    [ { "phrase": "Rechnung", "list": "any", "found": MATCH or null } ],
 *	             or { "phrase": "scan*.tif", "list": "file", "holds": true, "text": "Scan 17.tif" }
 *	  "finds":   [ { "name": "number", "value": "2026-2471" or null, "after": "Rechnung Nr.",
 *	                 "text": "2026-2471", "found": MATCH or null } ],
 *	  "anchors": [ MATCH with "chosen": true or false ],
 *	  "place":   { "mode": "box" | "invisible" | "none", "page": 2, "box": BOX, "covers": "words", "why": "...",
 *	               "ideal": BOX },
 *	  "marks":   [ { "page": 3, "box": BOX } ], the first 32,
 *	  "name":    "2026-11-22_2026-2471.pdf", "seal": "stamp",
 *	  "hold":    "anchor-ambiguous", "hold_text": "..." }
 *
 * MATCH is { "page": 2, "box": BOX, "text": "Freigahe:", "typos": 1 }.  BOX is
 * [ left, top, right, bottom ] in mm from the top left corner of the page as
 * read; pages count from 1.  ideal is where the seal would stand but for ink or
 * the page's edge.  What does not apply is left out.
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
void explain_when(struct explain *, struct doc_tokens *, const char *list, const char *phrase,
    const struct match *);
/* One that is not about words on pages: what is wanted, what is there. */
void explain_condition(struct explain *, const char *list, const char *wanted, bool holds, const char *there);
void explain_find(struct explain *, struct doc_tokens *, const char *name, const struct found *);
void explain_anchor(struct explain *, struct doc_tokens *, const struct match *, bool chosen);
void explain_place(struct explain *, struct doc_tokens *, const struct compose_result *, const struct box *ideal,
    const char *why); /* ideal: NULL when it stands there */
void explain_mark(struct explain *, uint32_t page, const struct box *);

#endif
