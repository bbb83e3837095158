#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/er.h"
#include "seal/evidence/record.h"
#include "seal/evidence/tiles.h"

#define ER "evidence/er"
#define CHECKPOINT_MAX 65536

static const char *const names[2] = { "tree", "ts" };

/* --- files --------------------------------------------------------------------------------- */

static int
open_record(int archive, uint32_t n, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), ER "/%u", n);
	if ((fd = path_open(archive, path, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "evidence/er/%u", n);
	return fd;
}

static int
read_file(int archive, uint32_t n, const char *name, struct buf *out, struct err *e)
{
	AUTO_FD dir = open_record(archive, n, e);

	buf_clear(out);
	return dir < 0 ? dir : io_read_file(dir, name, out, e);
}

int
er_tree(int archive, uint32_t n, struct hashtree **ret, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, HASHTREE_TEXT_MAX);
	return (r = read_file(archive, n, "tree", &b, e)) < 0 ? r : hashtree_parse(b.data, b.len, ret, e);
}

int
er_token(int archive, uint32_t n, struct buf *out, struct err *e)
{
	return read_file(archive, n, "ts", out, e);
}

int
er_files(int archive, uint32_t n, struct entry_file ret[2], struct err *e)
{
	AUTO_FD dir = open_record(archive, n, e);
	int r;

	if (dir < 0)
		return dir;
	for (int i = 0; i < 2; i++) {
		AUTO_FD fd = openat(dir, names[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

		if (fd < 0)
			return err_sys(e, ERR_IO, "evidence/er/%u/%s", n, names[i]);
		if ((r = io_size(fd, &ret[i].size, e)) < 0 || (r = hash_fd(fd, 0, ret[i].size, ret[i].hash, e)) < 0)
			return r;
		snprintf(ret[i].name, sizeof(ret[i].name), "er/%u/%s", n, names[i]);
	}
	return 0;
}

int
er_any(int archive, struct err *e)
{
	int fd = io_open_dir(archive, ER, e), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (d == NULL) {
		r = fd < 0 ? fd : err_sys(e, ERR_IO, ER);
		io_close(&fd);
		return r;
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		r = de->d_name[0] != '.';
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, ER);
	closedir(d);
	return r;
}

int
er_there(int archive, uint32_t n, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), ER "/%u", n);
	return io_there(archive, path, e);
}

/* ".N.tmp" is what a run that died has left, or the room to build in. */
int
er_write(int archive, uint32_t n, const struct hashtree *tree, const void *token, size_t len, struct err *e)
{
	char temp[32], name[16];
	AUTO_FD er = -1, dir = -1;
	AUTO_BUF text = { 0 };
	int r;

	snprintf(temp, sizeof(temp), ".%u.tmp", n);
	snprintf(name, sizeof(name), "%u", n);
	buf_init(&text, HASHTREE_TEXT_MAX);
	if ((r = hashtree_text(tree, &text, e)) < 0 ||
	    (er = r = io_open_dir(archive, ER, e)) < 0 || (r = io_remove_tree(er, temp, e)) < 0 ||
	    (r = io_mkdir_p(er, temp, 0750, e)) < 0 || (dir = r = io_open_dir(er, temp, e)) < 0 ||
	    (r = io_put(dir, names[0], text.data, text.len, 0440, e)) < 0 || (r = io_put(dir, names[1], token, len, 0440, e)) < 0)
		return r;
	return io_move(er, temp, er, name, e);
}

int
er_remove(int archive, uint32_t n, struct err *e)
{
	char temp[32], name[16];
	AUTO_FD er = io_open_dir(archive, ER, e);
	int r;

	snprintf(temp, sizeof(temp), ".%u.tmp", n);
	snprintf(name, sizeof(name), "%u", n);
	if (er < 0)
		return er;
	/* its files go one by one: under a name that says it is none any more */
	if ((r = io_remove_tree(er, temp, e)) < 0 || (r = io_move(er, name, er, temp, e)) < 0)
		return r;
	return io_remove_tree(er, temp, e);
}

/* --- what a batch covers --------------------------------------------------------------------- */

struct er_gather {
	struct elog *log;
	int archive;
	struct hashtree *tree;
	uint64_t first, last, size;
	uint64_t at;       /* next entry; of the first bundle also those before first */
	size_t jobs;
	struct hash *bundle;
	uint8_t (*logs)[HASH_LEN]; /* members of the group "log" */
	size_t nlogs;
};

/* The checkpoint as it was published. */
static int
add_checkpoint(struct er_gather *g, struct err *e)
{
	char path[64];
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, CHECKPOINT_MAX);
	snprintf(path, sizeof(path), "evidence/checkpoints/%llu", (unsigned long long)g->size);
	if ((r = io_read_file(g->archive, path, &b, e)) < 0)
		return r;
	hash_bytes(b.data, b.len, g->logs[g->nlogs++]);
	return 0;
}

int
er_gather_new(struct er_gather **ret, struct elog *l, int archive, uint64_t first, uint64_t last, uint64_t size,
    struct err *e)
{
	const struct hashtree_head head = { .kind = HASHTREE_DOCUMENTS, .first = first, .last = last, .checkpoint = size };
	struct er_gather *g;
	int r;

	if (first > last || last >= size || size > elog_size(l))
		return err_set(e, ERR_LOG, "a batch from %llu to %llu is not in the log", (unsigned long long)first,
		    (unsigned long long)last);
	if ((g = calloc(1, sizeof(*g))) == NULL)
		return err_set(e, ERR_MEM, "batch");
	*g = (struct er_gather){ .log = l, .archive = archive, .first = first, .last = last, .size = size,
		.at = first / TILE_WIDTH * TILE_WIDTH };
	if (g->last - g->first >= ER_ENTRIES_MAX)
		g->last = g->first + ER_ENTRIES_MAX - 1;
	if ((g->logs = calloc(ER_ENTRIES_MAX / TILE_WIDTH + 3, HASH_LEN)) == NULL)
		r = err_set(e, ERR_MEM, "batch");
	else if ((r = hashtree_new(&g->tree, &head, e)) == 0)
		r = add_checkpoint(g, e);
	if (r < 0)
		er_gather_free(g);
	else
		*ret = g;
	return r;
}

void
er_gather_free(struct er_gather *g)
{
	if (g == NULL)
		return;
	hashtree_free(g->tree);
	hash_free(g->bundle);
	free(g->logs);
	free(g);
}

struct hashtree *
er_gather_take(struct er_gather *g)
{
	struct hashtree *t = g->tree;

	g->tree = NULL;
	return t;
}

/* The entry as it stands in its bundle: length, bytes. */
static void
add_to_bundle(struct er_gather *g, const struct buf *b)
{
	const uint8_t len[2] = { (uint8_t)(b->len >> 8), (uint8_t)b->len };

	if (g->bundle == NULL)
		g->bundle = hash_open();
	hash_add(g->bundle, len, sizeof(len));
	hash_add(g->bundle, b->data, b->len);
	if ((g->at + 1) % TILE_WIDTH != 0 && g->at + 1 != g->size)
		return;
	hash_final(g->bundle, g->logs[g->nlogs++]);
	g->bundle = NULL;
}

/* All that was archived but job.json, whose salt may have to go one day. */
static int
add_job(struct er_gather *g, const struct buf *b, struct err *e)
{
	uint8_t hashes[ENTRY_FILES_MAX][HASH_LEN];
	enum entry_type type;
	char job[ID_MAX];
	struct entry x;
	size_t n = 0;
	int r;

	if ((r = entry_peek(b->data, b->len, &type, job, e)) < 0 || type != ENTRY_JOB)
		return r;
	if ((r = entry_parse(b->data, b->len, &x, e)) < 0)
		return r;
	for (uint32_t i = 0; i < x.nfiles; i++)
		if (strcmp(x.files[i].name, "job.json") != 0)
			memcpy(hashes[n++], x.files[i].hash, HASH_LEN);
	if (n == 0)
		return 0;
	if (++g->jobs == ER_JOBS_MAX)
		g->last = g->at;
	return hashtree_add(g->tree, x.job, g->at, (const uint8_t (*)[HASH_LEN])hashes, n, e);
}

int
er_gather_step(struct er_gather *g, unsigned entries, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, TILE_ENTRY_MAX);
	for (unsigned i = 0; i < entries; i++, g->at++) {
		/* the bundle of the last entry as far as the checkpoint goes */
		if (g->at == g->size || (g->at > g->last && g->at % TILE_WIDTH == 0)) {
			hashtree_cut(g->tree, g->last);
			if ((r = hashtree_add(g->tree, HASHTREE_LOG, g->size, (const uint8_t (*)[HASH_LEN])g->logs, g->nlogs, e)) < 0)
				return r;
			return (r = hashtree_close(g->tree, e)) < 0 ? r : 1;
		}
		if ((r = elog_entry(g->log, g->at, &b, e)) < 0)
			return r;
		if (g->at >= g->first && g->at <= g->last && (r = add_job(g, &b, e)) < 0)
			return r;
		add_to_bundle(g, &b);
	}
	return 0;
}

/* --- entries of the log ---------------------------------------------------------------------- */

int
er_last(struct elog *l, uint64_t *end, uint64_t most, struct entry *ret, struct err *e)
{
	AUTO_BUF b = { 0 };
	enum entry_type type;
	char job[ID_MAX];
	int r;

	buf_init(&b, TILE_ENTRY_MAX);
	for (uint64_t i = 0; i < most && *end > 0; i++) {
		if ((r = elog_entry(l, --*end, &b, e)) < 0 || (r = entry_peek(b.data, b.len, &type, job, e)) < 0)
			return r;
		if (type == ENTRY_BATCH || type == ENTRY_RENEWAL)
			return (r = entry_parse(b.data, b.len, ret, e)) < 0 ? r : 1;
	}
	return 0;
}

int
er_before(struct elog *l, const struct entry *x, struct entry *ret, struct err *e)
{
	const uint64_t at = x->index;
	AUTO_BUF b = { 0 };
	int r;

	if (!x->has_before)
		return 0;
	if (x->before >= at)
		return err_set(e, ERR_LOG, "entry %llu names a later record as the one before it", (unsigned long long)at);
	buf_init(&b, TILE_ENTRY_MAX);
	if ((r = elog_entry(l, x->before, &b, e)) < 0 || (r = entry_parse(b.data, b.len, ret, e)) < 0)
		return r;
	if (ret->type != ENTRY_BATCH && ret->type != ENTRY_RENEWAL)
		return err_set(e, ERR_LOG, "entry %llu names an entry before it that is no record", (unsigned long long)at);
	return 1;
}

/* --- records ----------------------------------------------------------------------------------- */

/* Does that renewal cover this record? 1, 0, -code. */
static int
covers(int archive, uint32_t renewal, uint32_t record, struct err *e)
{
	struct hashtree *t;
	int r = er_tree(archive, renewal, &t, e);

	if (r < 0)
		return r;
	r = hashtree_find(t, HASHTREE_RECORD, record) >= 0;
	hashtree_free(t);
	return r;
}

/* Of the renewals seen on the way back, newest first, those that cover the batch: behind it, oldest first. */
static int
add_renewals(int archive, const uint32_t *renewals, size_t n, struct er_chain *c, struct err *e)
{
	int r;

	while (n > 0) {
		if ((r = covers(archive, renewals[--n], c->record[0], e)) < 0)
			return r;
		if (r == 1 && c->n == ER_CHAIN_MAX)
			return err_set(e, ERR_LOG, "more than %u time stamps over one document", ER_CHAIN_MAX);
		if (r == 1)
			c->record[c->n++] = renewals[n];
	}
	return 1;
}

int
er_find(struct elog *l, int archive, uint64_t index, struct er_chain *ret, struct err *e)
{
	uint32_t *renewals = NULL;
	uint64_t end = elog_size(l);
	struct entry x, before;
	size_t n = 0, cap = 0;
	void *p;
	int r = er_last(l, &end, UINT64_MAX, &x, e);

	for (; r == 1 && (x.type != ENTRY_BATCH || x.range[0] > index); x = before) {
		if (x.type == ENTRY_RENEWAL && n == cap) {
			cap = cap == 0 ? 16 : 2 * cap;
			if ((p = reallocarray(renewals, cap, sizeof(*renewals))) == NULL) {
				r = err_set(e, ERR_MEM, "evidence record");
				break;
			}
			renewals = p;
		}
		if (x.type == ENTRY_RENEWAL)
			renewals[n++] = x.record;
		r = er_before(l, &x, &before, e);
	}
	if (r == 1 && x.range[1] < index)
		r = 0;
	if (r == 1) {
		*ret = (struct er_chain){ .n = 1, .record = { x.record }, .checkpoint = x.range[2] };
		r = add_renewals(archive, renewals, n, ret, e);
	}
	free(renewals);
	return r;
}

static int
find_group(const struct hashtree *t, uint32_t record, const char *label, uint64_t number, size_t *ret, struct err *e)
{
	long i = label == NULL ? 0 : hashtree_find(t, label, number);

	if (i < 0)
		return err_set(e, ERR_LOG, "evidence/er/%u does not cover %s %llu", record, label, (unsigned long long)number);
	*ret = (size_t)i;
	return 0;
}

int
er_compose(int archive, const struct er_chain *c, const char *label, uint64_t number, struct buf *objects,
    struct buf *out, struct err *e)
{
	struct record_stamp s[ER_CHAIN_MAX];
	struct hashtree *trees[ER_CHAIN_MAX] = { NULL };
	struct buf tokens[ER_CHAIN_MAX];
	int r = 0;

	for (uint32_t i = 0; i < c->n; i++)
		buf_init(&tokens[i], ER_TOKEN_MAX);
	for (uint32_t i = 0; r == 0 && i < c->n; i++) {
		if ((r = er_tree(archive, c->record[i], &trees[i], e)) < 0 ||
		    (r = find_group(trees[i], c->record[i], i == 0 ? label : HASHTREE_RECORD, i == 0 ? number : c->record[0],
		         &s[i].group, e)) < 0 ||
		    (r = er_token(archive, c->record[i], &tokens[i], e)) < 0)
			break;
		s[i].tree = trees[i];
		s[i].token = tokens[i].data;
		s[i].token_len = tokens[i].len;
	}
	if (r == 0 && (r = record_write(s, c->n, out, e)) == 0 && objects != NULL) {
		const struct hashtree_group *g = hashtree_group(trees[0], s[0].group);

		buf_put(objects, g->hashes, g->n * HASH_LEN);
	}
	for (uint32_t i = 0; i < c->n; i++) {
		hashtree_free(trees[i]);
		buf_done(&tokens[i]);
	}
	return r;
}
