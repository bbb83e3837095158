/*
 * xmp.h - the metadata packet of a file we build (ISO 19005-2, 6.6).
 *
 * Says what the file claims to be, where it came from, and that its text was
 * read by a machine.  Our own properties bring their extension schema along, or
 * the file would not be PDF/A.  Written anew each time; a packet that came in
 * is never parsed.
 */
#ifndef SEALROOM_XMP_H
#define SEALROOM_XMP_H

#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/hash.h"

/*
 * PDFA_1B exists for tests: Debian's only validator knows no other part.  It is
 * the same file with an older header and claim.
 */
enum pdfa { PDFA_2U, PDFA_1B };

struct xmp {
	enum pdfa pdfa;
	const char *title;    /* UTF-8 from outside: escaped here */
	const char *producer;
	const char *id;       /* of the job */
	const char *engine;   /* name and version of what read the text; "" for none */
	int64_t created_us;
	uint8_t source_hash[HASH_LEN];
};

void xmp_put(struct buf *, const struct xmp *);

#endif
