/*
 * ticket.h - NAME.ticket: what a program wants done with the document NAME.
 *
 * JSON, described by agent/ticket.schema.json and sealroom-ticket(5).  Whoever
 * can write to a hot folder can write one, so it is read like any hostile file:
 * at most TICKET_MAX bytes and TICKET_DEPTH levels before it is parsed, every
 * key known, every text bounded, printable and without tricks of direction.
 *
 *	ticket_parse(text, len, &t, &unfinished, &e)   the words alone
 *	ticket_check(&t, folder, &e)                   does the folder allow what it asks for?
 *
 * With a `decision` it is not for a document that comes, but for one that is
 * held (byticket.h); then it says nothing else but whose bytes it is about.
 *
 * A ticket never adds to what a folder allows: its rule must be one of the
 * folder's rules, its seal one of the folder's seals.
 */
#ifndef SEALROOM_TICKET_H
#define SEALROOM_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

#define TICKET_SUFFIX ".ticket"
#define TICKET_MAX (64u * 1024)
#define TICKET_DEPTH 8
#define TICKET_REFERENCE_MAX 128 /* bytes, without the NUL */
#define TICKET_NAME_MAX 180
#define TICKET_VALUE_MAX 200

struct ticket {
	bool bound;                               /* sha256 was given */
	uint8_t sha256[HASH_LEN];                 /* of the document */
	char reference[TICKET_REFERENCE_MAX + 1]; /* "" for none */
	char rule[MSG_NAME_MAX];                  /* "": as the folder's rules decide */
	char seal[MSG_NAME_MAX];                  /* "": the rule's */
	char name[TICKET_NAME_MAX + 1];           /* of the result; "": the rule's, else the document's */
	bool hold;                                /* a person looks first */
	char hold_why[TICKET_VALUE_MAX + 1];
	uint32_t nfields;
	struct msg_field fields[MSG_FIELDS_MAX];  /* {ticket.KEY} */
	struct {                                  /* as outcome_release() takes it */
		bool has, again, at;
		char rule[MSG_NAME_MAX];
		uint32_t page;                    /* from 0 */
		int32_t x, y;                     /* mpt */
		char reject[ERR_TEXT_MAX];
	} decision;
};

/*
 * -ERR_TICKET_BAD names key and place; *ret_unfinished tells a text that only
 * breaks off too early, which a sender may still be writing.
 */
int ticket_parse(const void *text, size_t len, struct ticket *ret, bool *ret_unfinished, struct err *);
/* -ERR_TICKET_RIGHT names what is allowed. */
int ticket_check(const struct ticket *, const struct conf_folder *, struct err *);

/*
 * Is it a ticket with a decision?  *ret_r: 0, or -ERR_TICKET_BAD when it is meant
 * to be one and something is wrong with it.  An unfinished text is none yet.
 */
bool ticket_decides(const void *text, size_t len, struct ticket *, int *ret_r, struct err *);

/* Does a file of this name belong to a document?  Its length without the suffix, 0: no. */
size_t ticket_stem(const char *name);

#endif
