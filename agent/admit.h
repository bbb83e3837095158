/*
 * admit.h - what comes with a document, and whether it may be sealed at all.
 *
 * What counts as "with the document" is exact: the file NAME.ticket, in the same
 * folder, when NAME has been quiet for its settle time.
 *
 *	ticket = "none"      a ticket is refused, like anything that is no document
 *	         "optional"  it counts if it is there then; the document waits until
 *	                     it is quiet too and its JSON does not break off
 *	         "required"  the document also waits for it to come
 *
 * A ticket with a decision is not with a document, whatever its name: byticket.h.
 *
 * None waits longer than incomplete_max; then an unfinished ticket is wrong, a
 * missing one is missing, and one without a document is refused by itself.  The
 * bytes of a ticket are in the job before the claim is; from then on the file
 * in the folder is nothing but a copy, and is removed.  Replaced before that,
 * the new one counts; afterwards it belongs to the next document NAME.
 */
#ifndef SEALROOM_ADMIT_H
#define SEALROOM_ADMIT_H

#include "agent/core.h"
#include "agent/ticket.h"
#include "agent/watch.h"

/* Before the copy: 0, or the time after which it is worth another look. */
uint64_t admit_wait_ms(struct core *, const struct watch_file *);

/* The job's ticket, read once: *ret is NULL when it has none. -ERR_TICKET_BAD for a wrong one. */
int admit_ticket(struct job *, const struct ticket **ret, struct err *);

/* An earlier job with the same bytes in this folder, at work or sealed within 90 days: 1, 0, -code. */
int admit_same_as(const struct job *, char ret_id[ID_MAX], struct err *);

/*
 * The first step of a claimed job: owners, ticket, reference, duplicates.
 * False: it was refused or held, or waits; nothing more is done now.
 */
bool admit(struct job *);

#endif
