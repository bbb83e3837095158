#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "agent/siglist.h"

#define LIST_MAX ((uint64_t)4 * SIGS_CMS_MAX)

/* Compared without a sum that could wrap. */
bool
siglist_inside(const uint64_t r[4], uint64_t len)
{
	return r[0] <= len && r[1] <= len - r[0] && r[2] <= len && r[3] <= len - r[2];
}

static int
read_one(struct siglist *l, uint32_t i, struct buf *b, uint64_t file_len, struct err *e)
{
	struct sig_info s;
	int r;

	if ((r = sig_info_get(b, &s, e)) < 0)
		return r == -ERR_MEM ? r : err_set(e, ERR_DOC_CRASH, "the list of signatures is damaged");
	memcpy(l->v[i].range, s.range, sizeof(s.range));
	hash_bytes(s.cms, s.cms_len, l->v[i].cms);
	l->v[i].timestamp = s.is_timestamp != 0;
	sig_info_done(&s);
	return siglist_inside(l->v[i].range, file_len) ? 0 : err_set(e, ERR_DOC_CRASH, "a ByteRange lies outside the file");
}

int
siglist_read(struct siglist *l, int fd, uint32_t n, uint64_t file_len, struct err *e)
{
	AUTO_FREE void *data = NULL;
	struct buf b;
	uint64_t size;
	int r;

	memset(l, 0, sizeof(*l));
	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	if (n > JUDGED_MAX || size > LIST_MAX)
		return err_set(e, ERR_DOC_CRASH, "the list of signatures is too long");
	if ((data = malloc((size_t)size + 1)) == NULL)
		return err_set(e, ERR_MEM, "signatures");
	if ((r = io_pread_full(fd, data, (size_t)size, 0, e)) < 0)
		return r;
	buf_view(&b, data, (size_t)size);
	for (l->n = 0; l->n < n; l->n++)
		if ((r = read_one(l, l->n, &b, file_len, e)) < 0)
			return r;
	return buf_finished(&b) ? 0 : err_set(e, ERR_DOC_CRASH, "the list of signatures is damaged");
}

void
siglist_hash(const struct siglist *l, struct steps *steps, int file, struct judge_params *params)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if (params->earlier[i])
			steps_wide(steps);
		for (int half = 0; half < 4; half += 2)
			steps_copy(steps, file, l->v[i].range[half], l->v[i].range[half + 1], -1, true);
		if (params->earlier[i])
			steps_digest_wide(steps, params->range_hash[i], &params->range_wide[i]);
		else
			steps_digest(steps, params->range_hash[i]);
	}
}

uint32_t
siglist_find(const struct siglist *l, const uint64_t range[4])
{
	uint32_t i = 0;

	while (i < l->n && memcmp(l->v[i].range, range, sizeof(l->v[i].range)) != 0)
		i++;
	return i;
}
