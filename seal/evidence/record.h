/*
 * record.h - an evidence record (RFC 4998) as bytes: written, never read here.
 *
 *	struct record_stamp s[] = { { tree, group, token, len }, ... };
 *	record_write(s, n, &out, &e)
 *
 * One chain: the first time stamp covers the group, each further one all that came
 * before it.  Every ArchiveTimeStamp names its algorithm in the same bytes.  The
 * same input gives the same bytes.  Tokens are opaque.
 */
#ifndef SEALROOM_RECORD_H
#define SEALROOM_RECORD_H

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "seal/evidence/hashtree.h"

struct record_stamp {
	const struct hashtree *tree;
	size_t group;           /* in that tree */
	const uint8_t *token;   /* ContentInfo, DER */
	size_t token_len;
};

int record_write(const struct record_stamp *, size_t n, struct buf *out, struct err *);

#endif
