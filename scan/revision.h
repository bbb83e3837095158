/*
 * revision.h - a whole PDF as the thing an update is appended to.
 *
 *	revision_open(&r, fd, &e)     mapped, read by libqpdf, every doubt an error
 *	... qpdf_* on r.q ...
 *	revision_check(&r, &e)        did anything since then draw a warning?
 *	revision_done(&r)
 *
 * Nothing is repaired: recovery is off, and the first warning makes the file
 * ERR_DOC_BAD, because an update to a file that readers understand differently
 * would seal something nobody saw.  An encrypted one is ERR_DOC_ENCRYPTED.
 */
#ifndef SEALROOM_REVISION_H
#define SEALROOM_REVISION_H

#include <stdbool.h>
#include <stdint.h>

#include <qpdf/qpdf-c.h>

#include "agent/lib/err.h"

#include "scan/pdfwrite.h"
#include "scan/view.h"

struct revision {
	qpdf_data q;
	void *map;
	size_t len;
	enum pdf_section section;   /* of its last section; an update continues it */
	struct pdf_before before;
	struct pdf_trailer trailer; /* root, info and /ID as they are now */
	qpdf_oh root;
};

struct revision_page {
	qpdf_oh dict;
	uint32_t number, gen;
	struct view view;
};

int revision_open(struct revision *, int fd, struct err *);
void revision_done(struct revision *); /* zeroed or opened */
int revision_check(struct revision *, struct err *);

/* Page 'index', from 0; -ERR_ANCHOR_PLACE if there is none. */
int revision_page(struct revision *, uint32_t index, struct revision_page *ret, struct err *);

/* Number and generation of an object that has its own; false: it is direct. */
bool revision_number(struct revision *, qpdf_oh, uint32_t *ret_number, uint32_t *ret_gen);
/* A rectangle in 1/1000 unit, its corners put in order; false: none, or without area. */
bool revision_rectangle(struct revision *, qpdf_oh, int64_t v[4]);
/* A page's key, or the one it inherits; null if nobody has it. */
qpdf_oh revision_inherited(struct revision *, qpdf_oh page, const char *key);

/* Entries of a dictionary but those named, as they stand ("" names none). */
void revision_put_entries(struct revision *, struct pdf *, qpdf_oh dict, const char *skip, const char *skip2);
/* Each revision changes the second half of /ID; the first, if it is missing, is made from the same. */
void revision_next_id(const struct revision *, const char *salt, struct pdf_trailer *);

#endif
