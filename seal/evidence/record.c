#include "agent/lib/derput.h"
#include "seal/evidence/record.h"

#define STAMP_MAX ((size_t)1024 * 1024) /* one ArchiveTimeStamp */

/* 2.16.840.1.101.3.4.2.1; parameters are absent (RFC 5754, 2). */
static const uint8_t sha256[] = { DERPUT_OID, 9, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01 };

/* RFC 4998, 4.1: ArchiveTimeStamp with digestAlgorithm [0] and reducedHashtree [2], IMPLICIT. */
static int
put_stamp(const struct record_stamp *s, struct buf *out, struct err *e)
{
	AUTO_BUF lists = { 0 }, body = { 0 };
	int r;

	buf_init(&lists, STAMP_MAX);
	buf_init(&body, 2 * STAMP_MAX);
	if ((r = hashtree_reduced(s->tree, s->group, &lists, e)) < 0)
		return r;
	derput(&body, DERPUT_CONTEXT(0), sha256, sizeof(sha256));
	if (lists.len > 0)
		derput(&body, DERPUT_CONTEXT(2), lists.data, lists.len);
	buf_put(&body, s->token, s->token_len);
	derput(out, DERPUT_SEQUENCE, body.data, body.len);
	return buf_ok(&body) && buf_ok(out) ? 0 : err_set(e, ERR_MEM, "evidence record");
}

int
record_write(const struct record_stamp *s, size_t n, struct buf *out, struct err *e)
{
	static const uint8_t version[] = { 1 };
	AUTO_BUF chain = { 0 }, sequence = { 0 }, body = { 0 };
	int r;

	buf_init(&chain, out->max);
	buf_init(&sequence, out->max);
	buf_init(&body, out->max);
	for (size_t i = 0; i < n; i++)
		if ((r = put_stamp(&s[i], &chain, e)) < 0)
			return r;
	derput(&body, DERPUT_INTEGER, version, sizeof(version));
	derput_head(&body, DERPUT_SEQUENCE, 2 + sizeof(sha256));
	derput(&body, DERPUT_SEQUENCE, sha256, sizeof(sha256));
	derput(&sequence, DERPUT_SEQUENCE, chain.data, chain.len);
	derput(&body, DERPUT_SEQUENCE, sequence.data, sequence.len);
	derput(out, DERPUT_SEQUENCE, body.data, body.len);
	return buf_ok(&chain) && buf_ok(&sequence) && buf_ok(&body) && buf_ok(out) ? 0 : err_set(e, ERR_MEM, "evidence record");
}
