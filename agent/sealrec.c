#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/sealing.h"

#define TOKEN_UNSEEN (8 * 1024) /* room for a time-stamp token before any was seen from this TSA */
#define CMS_RECORD_MAX (256 * 1024)

int
prep_put(struct job *j, const char *record, const struct prep *p, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, 4096);
	for (int i = 0; i < 4; i++)
		buf_put_u64(&b, p->range[i]);
	buf_put_u32(&b, p->hole);
	buf_put_u64(&b, (uint64_t)p->time_us);
	buf_put_str(&b, p->token);
	buf_put_str(&b, p->org);
	buf_put(&b, p->cert_hash, HASH_LEN);
	buf_put(&b, p->digest, HASH_LEN);
	buf_put_u64(&b, p->log_size);
	return record_put_buf(j->dir, record, &b, e);
}

int
prep_get(struct job *j, const char *record, struct prep *ret, struct err *e)
{
	struct prep p;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, 4096);
	if ((r = record_get(j->dir, record, &b, e)) < 0)
		return r;
	for (int i = 0; i < 4; i++)
		p.range[i] = buf_get_u64(&b);
	p.hole = buf_get_u32(&b);
	p.time_us = (int64_t)buf_get_u64(&b);
	buf_get_str(&b, p.token, sizeof(p.token));
	buf_get_str(&b, p.org, sizeof(p.org));
	buf_get(&b, p.cert_hash, HASH_LEN);
	buf_get(&b, p.digest, HASH_LEN);
	p.log_size = buf_get_u64(&b);
	if (!buf_finished(&b))
		return err_set(e, ERR_IO, "record %s is damaged", record);
	*ret = p;
	return 0;
}

int
sig_put(struct job *j, const uint8_t *cms, size_t len, const uint8_t imprint[HASH_LEN], struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CMS_RECORD_MAX);
	buf_put(&b, imprint, HASH_LEN);
	buf_put_blob(&b, cms, len);
	return record_put_buf(j->dir, "sig", &b, e);
}

/* The signature as the token gave it; *ret_cms points into b. */
int
sig_get(struct job *j, struct buf *b, uint8_t imprint[HASH_LEN], const uint8_t **ret_cms, size_t *ret_len,
    struct err *e)
{
	int r;

	buf_init(b, CMS_RECORD_MAX);
	if ((r = record_get(j->dir, "sig", b, e)) < 0)
		return r;
	buf_get(b, imprint, HASH_LEN);
	*ret_cms = buf_get_blob(b, ret_len);
	return buf_finished(b) ? 0 : err_set(e, ERR_IO, "record sig is damaged");
}

int
tst_put(struct job *j, const char *record, const struct attach_result *a, struct err *e)
{
	AUTO_BUF b;

	buf_init(&b, CMS_RECORD_MAX);
	buf_put_u64(&b, (uint64_t)a->gen_time_us);
	buf_put(&b, a->token_hash, HASH_LEN);
	buf_put_blob(&b, a->cms, a->cms_len);
	return record_put_buf(j->dir, record, &b, e);
}

int
tst_get(struct job *j, const char *record, struct tst *ret, struct err *e)
{
	const uint8_t *cms;
	AUTO_BUF b = { 0 };
	int r;

	memset(ret, 0, sizeof(*ret));
	if (!io_exists(j->dir, record))
		return 0;
	buf_init(&b, CMS_RECORD_MAX);
	if ((r = record_get(j->dir, record, &b, e)) < 0)
		return r;
	ret->gen_time_us = (int64_t)buf_get_u64(&b);
	buf_get(&b, ret->token_hash, HASH_LEN);
	cms = buf_get_blob(&b, &ret->cms_len);
	if (!buf_finished(&b))
		return err_set(e, ERR_IO, "record %s is damaged", record);
	if ((ret->cms = malloc(ret->cms_len)) == NULL)
		return err_set(e, ERR_MEM, "time stamp");
	memcpy(ret->cms, cms, ret->cms_len);
	return 1;
}

void
tst_done(struct tst *t)
{
	free(t->cms);
	memset(t, 0, sizeof(*t));
}

/* Largest token seen from this TSA, so that the next hole fits. */
uint32_t
token_seen(struct core *c, const char *tsa)
{
	struct err e;
	AUTO_BUF b;
	unsigned long n;

	buf_init(&b, 32);
	if (io_read_file(c->spool.tsa, tsa, &b, &e) < 0)
		return TOKEN_UNSEEN;
	buf_put_u8(&b, 0);
	n = buf_ok(&b) ? strtoul((const char *)b.data, NULL, 10) : 0;
	return n > 0 && n < SIGS_CMS_MAX / 2 ? (uint32_t)n : TOKEN_UNSEEN;
}

int
token_note(struct core *c, const char *tsa, uint32_t len, struct err *e)
{
	char text[16];

	if (io_exists(c->spool.tsa, tsa) && token_seen(c, tsa) >= len)
		return 0;
	return io_replace(c->spool.tsa, tsa, text, (size_t)snprintf(text, sizeof(text), "%u\n", len), 0600, e);
}

int
check_range_shape(const uint64_t range[4], uint64_t doc_len, uint64_t size, uint32_t hole, struct err *e)
{
	uint64_t gap = 2 * (uint64_t)hole + 2;

	if (range[0] != 0 || range[1] < doc_len || range[1] > size || range[2] < range[1] ||
	    range[2] - range[1] != gap || range[2] > size || range[3] != size - range[2])
		return err_set(e, ERR_DOC_CRASH, "ByteRange is not the file less the hole");
	return 0;
}

/* ByteRange is the whole file less the hole, the hole is "<000...0>" (ISO 32000-1, 12.8.1). */
int
check_range(int fd, const uint64_t range[4], uint64_t doc_len, uint64_t size, uint32_t hole, struct err *e)
{
	char block[8192];
	int r;

	if ((r = check_range_shape(range, doc_len, size, hole, e)) < 0)
		return r;
	for (uint64_t at = range[1]; at < range[2];) {
		size_t n = range[2] - at < sizeof(block) ? (size_t)(range[2] - at) : sizeof(block);

		if ((r = io_pread_full(fd, block, n, at, e)) < 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			char want = at + i == range[1] ? '<' : at + i == range[2] - 1 ? '>' : '0';

			if (block[i] != want)
				return err_set(e, ERR_DOC_CRASH, "the hole for the signature is not empty");
		}
		at += n;
	}
	return 0;
}

int
hash_ranges(int fd, const uint64_t range[4], uint8_t out[HASH_LEN], struct hash_wide *wide, struct err *e)
{
	static uint8_t block[256 * 1024];
	struct hash *h = hash_open_wide();

	for (int half = 0; half < 4; half += 2)
		for (uint64_t done = 0; done < range[half + 1];) {
			uint64_t left = range[half + 1] - done;
			size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

			if (io_pread_full(fd, block, n, range[half] + done, e) < 0) {
				hash_free(h);
				return -(int)e->code;
			}
			hash_add(h, block, n);
			done += n;
		}
	hash_final_wide(h, out, wide);
	return 0;
}
