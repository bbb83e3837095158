/*
 * sigs.h - TASK_SIGS: the signatures in a PDF, their byte ranges and CMS blobs.
 *
 *	sigs_read(fd, max_pages, out, &res, &e)   one sig_info record each (taskmsg.h)
 *	sigs_walk(&pdf, max_pages, cb, ctx, &pages, &e)   cb for each of them
 *
 * Signatures are looked for where readers find them: the fields of the form,
 * with or without kids and inherited types; widgets on pages that the form does
 * not list; the catalog's Perms (ISO 32000-1, 12.7 and 12.8).  A search for
 * "/ByteRange" would miss some and find what is none.
 *
 * Nothing is judged here: ranges and CMS go to sealroom-verify as they are, the
 * core hashes the ranges.  A range is only checked to lie inside the file.
 */
#ifndef SEALROOM_SCAN_SIGS_H
#define SEALROOM_SCAN_SIGS_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"

#include "scan/pdfin.h"

struct sig_place {
	const char *name; /* of its field, in full; of what only Perms has, the key there */
	qpdf_oh field;    /* null for that */
	qpdf_oh sig;      /* the signature dictionary */
};
typedef int sigs_cb(void *ctx, struct pdfin *, const struct sig_place *, struct err *);

int sigs_walk(struct pdfin *, uint32_t max_pages, sigs_cb *, void *ctx, uint32_t *ret_pages, struct err *);
int sigs_read(int fd, uint32_t max_pages, int out, struct sigs_result *ret, struct err *);
task_run sigs_run;

#endif
