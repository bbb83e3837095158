/*
 * inspect.h - TASK_INSPECT: what a file is, whether it is whole, how many pages.
 *
 * The content decides, never the name.  Limits are checked in headers, before
 * anything is decoded: pages, pixels, bytes, and how much a file may grow
 * (spec of conf.scan).  The error code says what becomes of the file:
 *
 *	ERR_DOC_EMPTY        nothing in it
 *	ERR_DOC_INCOMPLETE   begins right and ends too early: may still be written
 *	ERR_DOC_TYPE         no TIFF, JPEG, PNG, JPEG 2000, WebP or PDF, or a kind of these not read
 *	ERR_DOC_BAD          contradicts itself
 *	ERR_DOC_ENCRYPTED, _ACTIVE, _XFA                PDF only
 *	ERR_DOC_PAGES, _PIXELS, _SIZE, _RESOLUTION      limits
 */
#ifndef SEALROOM_SCAN_INSPECT_H
#define SEALROOM_SCAN_INSPECT_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

/* brief_above: as in inspect_params */
int inspect_doc(int fd, const struct conf_scan *, uint32_t brief_above, struct inspect_result *ret, struct err *);
task_run inspect_run;

#endif
