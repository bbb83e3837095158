/*
 * permits.h - may something be added to a PDF that is signed, so that its signatures stay what they are?
 *
 *	permits_check(&p, max_pages, &res, &e)   sigs, allowed, forbids of struct inspect_result
 *
 * Added is one field with our signature, its widget on a page, and nothing else.
 * The strictest word of any signature counts:
 *
 *	no restriction                SEAL_SEEN
 *	DocMDP, P 3                   SEAL_SEEN: annotations may be added
 *	DocMDP, P 2 (the default)     SEAL_UNSEEN: signing is allowed, what is seen on pages stays
 *	DocMDP, P 1                   SEAL_FORBIDDEN
 *	FieldMDP, and a signed field's Lock    a name of a field is locked that a new one of ours has: forbidden
 *	usage rights (UR, UR3)        SEAL_FORBIDDEN: they end with any change that is not among them
 *	anything else, or damaged     SEAL_FORBIDDEN: doubt
 *
 * ISO 32000-1, 12.7.4.5, 12.8.2.2, 12.8.2.4, 12.8.4; P of a Lock is ISO 32000-2's.
 * Whether a signature is true is not asked: a false one may not be broken either.
 */
#ifndef SEALROOM_SCAN_PERMITS_H
#define SEALROOM_SCAN_PERMITS_H

#include "agent/lib/taskmsg.h"

#include "scan/pdfin.h"

int permits_check(struct pdfin *, uint32_t max_pages, struct inspect_result *ret, struct err *);

#endif
