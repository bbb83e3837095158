/*
 * source.h - the bytes of one document, as a descriptor that was handed in.
 *
 *	source_open(&s, fd, &e)              size; the descriptor stays the caller's
 *	source_read(&s, buf, len, off, &e)   all or -ERR_DOC_INCOMPLETE
 *	source_map(&s, &e)                   s.map: the whole file, read only
 *	source_done(&s)
 *
 * The core hands out private copies that no longer change, so that a mapping
 * can not be cut short under us.  TIFF is read, not mapped: a file of 5,000
 * pages then costs a page child no address space.
 */
#ifndef SEALROOM_SCAN_SOURCE_H
#define SEALROOM_SCAN_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

struct source {
	int fd;
	uint64_t size;
	const uint8_t *map; /* NULL until source_map() */
	struct page_mark mark; /* of a page; readers of chained formats begin there, and leave their own */
};

#define AUTO_SOURCE __attribute__((cleanup(source_done))) struct source

int source_open(struct source *, int fd, struct err *);
int source_map(struct source *, struct err *);
int source_read(const struct source *, void *, size_t len, uint64_t off, struct err *);
void source_done(struct source *);

#endif
