/*
 * placepage.h - NAME.html: one page, offline, on which a person shows where the
 * seal goes, rejects, or releases; what it saves is a ticket (sealroom-ticket(5)).
 *
 *	placepage_open(&p, out, &spec, &e)        the head; out: an empty file
 *	placepage_add(p, page, w, h, png, &e)     pages in order, as pictures
 *	placepage_close(p, &e)                    the rest; p is freed, also on error
 *
 * The page asks nothing of a network and no other file: pictures stand in it as
 * data, and its own policy forbids the rest.  Whatever came from outside (names,
 * sentences) stands in a JSON block in which no "<" can occur.
 */
#ifndef SEALROOM_PLACEPAGE_H
#define SEALROOM_PLACEPAGE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

#define PLACEPAGE_PAGES_MAX 12 /* pictures in one file: all pages, else the first, the last, and those with candidates */

struct placepage_spec {
	const struct conf_folder *folder; /* its language, its rules that seal */
	const char *name;                 /* of the document, as in the folder */
	const char *reason;               /* a sentence: why a person is asked */
	const char *rule;                 /* that would be taken; "" for the first */
	uint8_t sha256[HASH_LEN];
	const struct compose_result *plan; /* candidates; NULL for none */
};

struct placepage; /* opaque */

int placepage_open(struct placepage **ret, int out, const struct placepage_spec *, struct err *);
/* page from 0; w, h: mpt as the reader sees it; png: a whole PNG. */
int placepage_add(struct placepage *, uint32_t page, int32_t w, int32_t h, int png, struct err *);
int placepage_close(struct placepage *, struct err *);
void placepage_free(struct placepage *); /* NULL is fine */

/* Which of so many pages are shown, in order; at most PLACEPAGE_PAGES_MAX. Returns how many. */
size_t placepage_choose(uint32_t pages, const struct compose_result *, uint32_t ret[PLACEPAGE_PAGES_MAX]);

#endif
