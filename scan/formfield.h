/*
 * formfield.h - an empty signature field that a PDF brings along, to be filled.
 *
 *	formfield_find(&rev, "Approval.Seal", &f, &e)   by its full name (ISO 32000-1, 12.7.3.2)
 *	formfield_put_lock(&rev, pdf, &f)               /Reference of the signature dictionary, if the field locks others
 *
 * -ERR_FIELD is for people: there is no such field; it has a value; it is shown in
 * several places or hidden; or its seed value (12.7.4.5) or lock demands what this
 * seal does not do.  What a seed value only recommends does not count.  Of those
 * that are demanded these are met: the filter, the sub-filter ETSI.CAdES.detached,
 * SHA-256, version 1 to 3.  A /Lock of fields is kept (12.8.2.4); one that also says
 * what may be done to the document (/P) is not.
 */
#ifndef SEALROOM_SCAN_FORMFIELD_H
#define SEALROOM_SCAN_FORMFIELD_H

#include <stdbool.h>

#include "agent/lib/taskmsg.h"
#include "scan/revision.h"

struct formfield {
	qpdf_oh field, widget;      /* one and the same, or the field's only kid */
	uint32_t number, gen;       /* of the field */
	uint32_t widget_number, widget_gen;
	uint32_t index;             /* page, from 0 */
	struct revision_page page;
	bool seen;                  /* it has a place on the page */
	struct box box;             /* reader's view */
};

int formfield_find(struct revision *, const char *name, struct formfield *ret, struct err *);
void formfield_put_lock(struct revision *, struct pdf *, const struct formfield *);

#endif
