/*
 * keepable.h - may a PDF that was not scanned be sealed with its bytes kept?
 *
 *	keepable_check(&p, &src, scan, &res, &e)   pages and attachments
 *
 * What is sealed must be what everybody sees, whoever opens it: files whose
 * pages a program fills in, computes or replaces when it shows them are held
 * (ERR_DOC_ACTIVE), XFA forms, whose pages are not in the PDF, refused
 * (ERR_DOC_XFA).  Nothing is taken out.  Links, comments, layers, filled-in
 * forms and attachments are part of the document and stay.
 */
#ifndef SEALROOM_SCAN_KEEPABLE_H
#define SEALROOM_SCAN_KEEPABLE_H

#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

#include "scan/pdfin.h"

int keepable_check(struct pdfin *, const struct source *, const struct conf_scan *, struct inspect_result *ret, struct err *);

#endif
