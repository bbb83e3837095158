/*
 * kept.h - the update to a PDF that keeps its bytes: a text layer for each page
 * that has no text of its own.
 *
 *	kept_open(&k, source, out, &e)      out receives only what is to be appended
 *	kept_page(k, &page, &e)             each page in order
 *	kept_end(k, salt, &len, &e)         len 0: nothing to append
 *	kept_free(k)
 *
 * The layer stands before what the page draws, in a content stream and a
 * graphics state of its own, so that neither can disturb the other whatever
 * the page leaves behind.  Replaced is the page's dictionary: Contents and
 * Resources.  Nothing is claimed of the file that it did not claim itself.
 */
#ifndef SEALROOM_SCAN_KEPT_H
#define SEALROOM_SCAN_KEPT_H

#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/pagefile.h"

struct kept; /* opaque */

int kept_open(struct kept **ret, int source, int out, struct err *);
int kept_page(struct kept *, const struct pagefile *, struct err *);
/* salt: what distinguishes this update, for the second half of /ID. */
int kept_end(struct kept *, const char *salt, uint64_t *ret_len, struct err *);
void kept_free(struct kept *); /* NULL is fine */

#endif
