/*
 * files.h - TASK_FILES: what is attached to a PDF, and the hash of each file.
 *
 *	files_list(in, out, &res, &e)    out: JSON, [{"name","size","sha256"}], in order of their objects
 *
 * An attachment is whatever a file specification embeds (ISO 32000-1, 7.11.4),
 * from wherever it is referred to.  The hash is that of the file as it is taken
 * out; of one whose coding is not read here, of the bytes as they stand, and
 * "raw" says so.
 */
#ifndef SEALROOM_SCAN_FILES_H
#define SEALROOM_SCAN_FILES_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"

#include "scan/pdfin.h"

/* Is this a file specification with a file in it? */
bool files_is_spec(struct pdfin *, qpdf_oh);
int files_list(int in, int out, struct files_result *ret, struct err *);
task_run files_run;

#endif
