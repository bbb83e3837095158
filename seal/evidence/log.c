#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/log.h"
#include "seal/evidence/merkle.h"
#include "seal/evidence/note.h"
#include "seal/evidence/tiles.h"

#define VKEY_FILE "trust/log.vkey"
#define ROTATE_BYTES (1024 * 1024) /* a journal larger than this is replaced when all of it is published */
#define KEEP_MAX (4 * 1024 * 1024)
#define UNLISTED_MAX 64

struct elog {
	int dir;         /* evidence/, locked by a writer */
	int log;         /* evidence/log/ */
	int checkpoints; /* evidence/checkpoints/ */
	bool read_only;
	bool recovered;
	char origin[NOTE_NAME_MAX];
	char vkey[256];
	struct note_key key;
	bool has_key;
	struct journal *journal;
	struct tiles *tiles;
	struct merkle *edge;    /* at the size of the tiles */
	struct merkle *scratch; /* for any other size */
	uint64_t integrated;
	uint64_t published;
	uint64_t kept;      /* largest size whose checkpoint lies in checkpoints/, though publishing it failed */
	char *head;
	/* checkpoints that no entry has listed yet */
	uint64_t unlisted[UNLISTED_MAX];
	size_t nunlisted;
};

/* --- opening --------------------------------------------------------------------------- */

static int
elog_make(int archive, struct err *e)
{
	static const char *const dirs[] = { "evidence", "evidence/log", "evidence/checkpoints", "evidence/er",
		"evidence/trust", "evidence/config" };
	int r;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if ((r = io_mkdir_p(archive, dirs[i], 0750, e)) < 0)
			return r;
	return 0;
}

static int
elog_dirs(struct elog *l, int archive, struct err *e)
{
	int r;

	if (!l->read_only && (r = elog_make(archive, e)) < 0)
		return r;
	if ((l->dir = io_open_dir(archive, "evidence", e)) < 0)
		return l->dir;
	if ((l->log = io_open_dir(l->dir, "log", e)) < 0)
		return l->log;
	if ((l->checkpoints = io_open_dir(l->dir, "checkpoints", e)) < 0)
		return l->checkpoints;
	if (!l->read_only && flock(l->dir, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(e, ERR_LOCKED, "another process writes this evidence log") :
		                              err_sys(e, ERR_IO, "locking the evidence log");
	return 0;
}

/* The whole of a small text file; *ret malloc'ed, NULL when there is none. */
static int
read_text(int dir, const char *name, size_t max, char **ret, struct err *e)
{
	struct buf b;
	int r;

	*ret = NULL;
	if (!io_exists(dir, name))
		return 0;
	buf_init(&b, max);
	if ((r = io_read_file(dir, name, &b, e)) < 0) {
		buf_done(&b);
		return r;
	}
	if (b.len > 0 && memchr(b.data, 0, b.len) != NULL) {
		buf_done(&b);
		return err_set(e, ERR_LOG, "%s holds a NUL byte", name);
	}
	if ((*ret = buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "%s", name);
	return 0;
}

static int
elog_set_key(struct elog *l, const char *vkey, struct err *e)
{
	size_t n = strcspn(vkey, "\n");
	int r;

	if ((r = note_key_parse(vkey, &l->key, e)) < 0)
		return r;
	if (n >= sizeof(l->vkey))
		return err_set(e, ERR_LOG, "verifier key: too long");
	if (l->origin[0] == '\0')
		memcpy(l->origin, l->key.name, sizeof(l->origin));
	if (strcmp(l->origin, l->key.name) != 0)
		return err_set(e, ERR_LOG, "the log's key belongs to %s, the settings name %s", l->key.name,
		    l->origin);
	memcpy(l->vkey, vkey, n);
	l->vkey[n] = '\0';
	l->has_key = true;
	return 0;
}

static int
elog_read_key(struct elog *l, struct err *e)
{
	AUTO_FREE char *vkey = NULL;
	int r;

	if ((r = read_text(l->dir, VKEY_FILE, 1024, &vkey, e)) < 0 || vkey == NULL)
		return r;
	return elog_set_key(l, vkey, e);
}

/* The newest checkpoint, and that the tiles give its root. */
static int
elog_read_head(struct elog *l, struct err *e)
{
	uint8_t root[HASH_LEN];
	struct checkpoint cp;
	int r;

	if ((r = read_text(l->log, "checkpoint", NOTE_MAX, &l->head, e)) < 0 || l->head == NULL)
		return r;
	if (!l->has_key)
		return err_set(e, ERR_LOG, "evidence/" VKEY_FILE " is missing");
	if ((r = checkpoint_open(l->head, strlen(l->head), &l->key, &cp, e)) < 0)
		return r;
	tiles_size(l->tiles, cp.size);
	if ((r = merkle_load(l->edge, cp.size, tiles_get, l->tiles, e)) < 0)
		return r;
	merkle_root(l->edge, root);
	if (memcmp(root, cp.root, HASH_LEN) != 0)
		return err_set(e, ERR_LOG, "evidence/log: the tiles do not give the root of the checkpoint");
	l->published = l->integrated = cp.size;
	return 0;
}

static int
elog_load(struct elog *l, int archive, const char *origin, struct err *e)
{
	int r;

	if (origin != NULL && strlen(origin) >= sizeof(l->origin))
		return err_set(e, ERR_CONF, "the log's origin is too long");
	if (origin != NULL)
		memcpy(l->origin, origin, strlen(origin) + 1);
	if ((r = elog_dirs(l, archive, e)) < 0 || (r = elog_read_key(l, e)) < 0)
		return r;
	if (!l->read_only && !io_exists(l->log, "checkpoint") && (r = journal_create(l->dir, e)) < 0)
		return r;
	/*
	 * The journal before the checkpoint: beside a running writer the entries
	 * may move from the one below the other in between, never the other way.
	 */
	if ((r = tiles_open(&l->tiles, l->log, e)) < 0 || (r = journal_open(&l->journal, l->dir, l->read_only, e)) < 0 ||
	    (r = elog_read_head(l, e)) < 0)
		return r;
	if (journal_first(l->journal) > l->published)
		return err_set(e, ERR_LOG, "evidence/journal begins at entry %llu, the checkpoint ends at %llu",
		    (unsigned long long)journal_first(l->journal), (unsigned long long)l->published);
	if (!l->read_only && journal_end(l->journal) < l->published)
		return err_set(e, ERR_LOG, "evidence/journal ends before entry %llu of the checkpoint: it was cut",
		    (unsigned long long)l->published);
	return 0;
}

int
elog_open(struct elog **ret, int archive_dir, const char *origin, bool read_only, struct err *e)
{
	struct elog *l = calloc(1, sizeof(*l));
	int r;

	if (l == NULL)
		return err_set(e, ERR_MEM, "evidence log");
	l->dir = l->log = l->checkpoints = -1;
	l->read_only = read_only;
	l->edge = merkle_new();
	l->scratch = merkle_new();
	if ((r = elog_load(l, archive_dir, origin, e)) < 0) {
		elog_free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void
elog_free(struct elog *l)
{
	if (l == NULL)
		return;
	journal_free(l->journal);
	tiles_free(l->tiles);
	merkle_free(l->edge);
	merkle_free(l->scratch);
	free(l->head);
	io_close(&l->checkpoints);
	io_close(&l->log);
	io_close(&l->dir);
	free(l);
}

uint64_t
elog_size(const struct elog *l)
{
	uint64_t end = journal_end(l->journal);

	return end > l->published ? end : l->published;
}

uint64_t
elog_next(const struct elog *l)
{
	return elog_size(l) + journal_queued(l->journal);
}

uint64_t
elog_integrated(const struct elog *l)
{
	return l->integrated;
}

uint64_t
elog_published(const struct elog *l)
{
	return l->published;
}

const char *
elog_head(const struct elog *l)
{
	return l->head == NULL ? "" : l->head;
}

const char *
elog_vkey(const struct elog *l)
{
	return l->vkey;
}

const char *
elog_origin(const struct elog *l)
{
	return l->origin;
}

size_t
elog_queued(const struct elog *l)
{
	return journal_queued(l->journal);
}

/* --- reading --------------------------------------------------------------------------- */

int
elog_entry(struct elog *l, uint64_t index, struct buf *out, struct err *e)
{
	if (index < l->integrated)
		return tiles_entry(l->tiles, index, out, e);
	buf_clear(out);
	return journal_read(l->journal, index, out, e);
}

int
elog_root(struct elog *l, uint64_t size, uint8_t ret[HASH_LEN], struct err *e)
{
	AUTO_BUF b = { 0 };
	uint8_t leaf[HASH_LEN];
	int r;

	if (size > elog_size(l))
		return err_set(e, ERR_LOG, "the log has %llu entries, not %llu", (unsigned long long)elog_size(l),
		    (unsigned long long)size);
	if (size < l->integrated) {
		if ((r = merkle_load(l->scratch, size, tiles_get, l->tiles, e)) < 0)
			return r;
	} else {
		merkle_copy(l->scratch, l->edge);
	}
	buf_init(&b, TILE_ENTRY_MAX);
	for (uint64_t i = l->integrated; i < size; i++) {
		if ((r = elog_entry(l, i, &b, e)) < 0)
			return r;
		merkle_leaf(l->scratch, b.data, b.len, leaf);
		merkle_add(l->scratch, leaf);
	}
	merkle_root(l->scratch, ret);
	return 0;
}

/* 1: this entry is of the type and job and has the line. */
static int
elog_matches(struct elog *l, uint64_t index, enum entry_type type, const char *job, const char *line,
    struct buf *b, struct err *e)
{
	enum entry_type found;
	char id[ID_MAX];
	int r;

	if ((r = elog_entry(l, index, b, e)) < 0 || (r = entry_peek(b->data, b->len, &found, id, e)) < 0)
		return r;
	return (type == ENTRY_NONE || found == type) && (job == NULL || strcmp(job, id) == 0) &&
	    (line == NULL || entry_has_line(b->data, b->len, line));
}

int
elog_find(struct elog *l, enum entry_type type, const char *job, const char *line, uint64_t from,
    uint64_t *ret_index, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, TILE_ENTRY_MAX);
	for (uint64_t i = from; i < elog_size(l); i++) {
		if ((r = elog_matches(l, i, type, job, line, &b, e)) == 0)
			continue;
		if (r == 1)
			*ret_index = i;
		return r;
	}
	return 0;
}

int
elog_find_last(struct elog *l, enum entry_type type, const char *job, const char *line, uint64_t *ret_index,
    struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	buf_init(&b, TILE_ENTRY_MAX);
	for (uint64_t i = elog_size(l); i-- > 0;) {
		if ((r = elog_matches(l, i, type, job, line, &b, e)) == 0)
			continue;
		if (r == 1)
			*ret_index = i;
		return r;
	}
	return 0;
}

int
elog_prove(struct elog *l, uint64_t index, struct buf *out, struct err *e)
{
	uint8_t proof[MERKLE_PROOF_MAX][HASH_LEN];
	char b64[NOTE_HASH_B64];
	size_t n;
	int r;

	if (index >= l->published)
		return err_set(e, ERR_IO, "entry %llu is not under a published checkpoint yet",
		    (unsigned long long)index);
	if ((r = merkle_prove_inclusion(l->scratch, index, l->published, tiles_get, l->tiles, proof, &n, e)) < 0)
		return r;
	buf_printf(out, "c2sp.org/tlog-proof@v1\nindex %llu\n", (unsigned long long)index);
	for (size_t i = 0; i < n; i++) {
		note_hash_b64(proof[i], b64);
		buf_printf(out, "%s\n", b64);
	}
	buf_printf(out, "\n%s", l->head);
	return buf_ok(out) ? 0 : err_set(e, ERR_MEM, "proof");
}

/* --- recovery -------------------------------------------------------------------------- */

int
elog_check_anchor(struct elog *l, const struct elog_anchor *a, struct err *e)
{
	uint8_t root[HASH_LEN];
	unsigned long long size = elog_size(l), want = a->size, published = l->published;
	int r;

	if (!a->has) {
		if (published > 0)
			return err_set(e, ERR_LOG_ROLLBACK,
			    "the log has a checkpoint of %llu entries, the anti-rollback record is missing", published);
		return 0;
	}
	if (want > size)
		return err_set(e, ERR_LOG_ROLLBACK, "the log reaches %llu entries, the anti-rollback record says %llu", size,
		    want);
	if (want < published)
		return err_set(e, ERR_LOG_ROLLBACK,
		    "the log has a checkpoint of %llu entries, the anti-rollback record only knows %llu", published, want);
	if ((r = elog_root(l, a->size, root, e)) < 0)
		return r;
	if (memcmp(root, a->root, HASH_LEN) != 0)
		return err_set(e, ERR_LOG_ROLLBACK, "the first %llu entries are not those of the anti-rollback record",
		    want);
	return 0;
}

/* Which kept checkpoints does no entry list yet?  Those above the last one that is listed. */
static int
elog_find_unlisted(struct elog *l, struct err *e)
{
	AUTO_BUF b = { 0 };
	struct entry x;
	char name[24];
	uint64_t listed = 0;
	int r;

	buf_init(&b, TILE_ENTRY_MAX);
	for (uint64_t i = elog_size(l); i-- > 0 && listed == 0;) {
		if ((r = elog_entry(l, i, &b, e)) < 0 || (r = entry_parse(b.data, b.len, &x, e)) < 0)
			return r;
		if (x.nheads > 0)
			listed = x.heads[x.nheads - 1];
	}
	l->nunlisted = 0;
	for (uint64_t s = listed + 1; s <= l->published && l->nunlisted < UNLISTED_MAX; s++) {
		snprintf(name, sizeof(name), "%llu", (unsigned long long)s);
		if ((r = io_there(l->checkpoints, name, e)) < 0)
			return r;
		if (r == 1)
			l->unlisted[l->nunlisted++] = s;
	}
	return 0;
}

/* A file that was cut short on its way in; under changed settings nobody would come by its name again. */
static int
elog_drop_temps(struct elog *l, struct err *e)
{
	static const char *const dirs[] = { "config", "trust", "checkpoints", "log" };
	int r;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		AUTO_FD dir = io_open_dir(l->dir, dirs[i], e);

		if (dir < 0)
			return dir;
		if ((r = io_drop_temps(dir, e)) < 0)
			return r;
	}
	return io_drop_temps(l->dir, e);
}

int
elog_recover(struct elog *l, const struct elog_anchor *a, struct err *e)
{
	int r;

	assert(!l->read_only);
	if ((r = elog_check_anchor(l, a, e)) < 0 || (r = journal_cut(l->journal, e)) < 0 ||
	    (r = elog_integrate(l, e)) < 0)
		return r;
	if (a->has && a->size > l->published && a->note != NULL && a->note[0] != '\0' &&
	    (r = elog_publish(l, a->note, e)) < 0)
		return r;
	if ((r = elog_find_unlisted(l, e)) < 0 || (r = elog_drop_temps(l, e)) < 0)
		return r;
	l->recovered = true;
	return 0;
}

int
elog_trust(struct elog *l, const char *vkey, struct err *e)
{
	char line[sizeof(l->vkey) + 1];
	size_t n = strcspn(vkey, "\n");
	AUTO_FD trust = -1;
	int r;

	if (l->has_key) {
		if (strlen(l->vkey) == n && memcmp(l->vkey, vkey, n) == 0)
			return 0;
		return err_set(e, ERR_LOG, "the log's key is not the one in evidence/" VKEY_FILE);
	}
	assert(!l->read_only);
	if (elog_size(l) > 0)
		return err_set(e, ERR_LOG, "evidence/" VKEY_FILE " is missing, and the log is not empty");
	if ((r = elog_set_key(l, vkey, e)) < 0)
		return r;
	snprintf(line, sizeof(line), "%s\n", l->vkey);
	if ((trust = io_open_dir(l->dir, "trust", e)) < 0)
		return trust;
	return io_put(trust, strrchr(VKEY_FILE, '/') + 1, line, strlen(line), 0440, e);
}

/* --- writing --------------------------------------------------------------------------- */

int
elog_append(struct elog *l, const struct entry *entry, uint64_t *ret_index, struct err *e)
{
	AUTO_BUF text = { 0 };
	struct entry x = *entry;
	int r;

	assert(l->recovered);
	x.index = elog_next(l);
	if (x.time_us == 0)
		x.time_us = clock_wall_us();
	x.nheads = l->nunlisted < ENTRY_HEADS_MAX ? (uint32_t)l->nunlisted : ENTRY_HEADS_MAX;
	memcpy(x.heads, l->unlisted, x.nheads * sizeof(x.heads[0]));
	buf_init(&text, ENTRY_MAX);
	if ((r = entry_format(&x, &text, e)) < 0 || (r = journal_add(l->journal, text.data, text.len, e)) < 0)
		return r;
	l->nunlisted -= x.nheads;
	memmove(l->unlisted, l->unlisted + x.nheads, l->nunlisted * sizeof(l->unlisted[0]));
	if (ret_index != NULL)
		*ret_index = x.index;
	return 0;
}

int
elog_commit(struct elog *l, struct err *e)
{
	return journal_commit(l->journal, e);
}

bool
elog_poisoned(const struct elog *l)
{
	return journal_poisoned(l->journal);
}

static int
next_entry(void *ctx, uint64_t index, struct buf *out, struct err *e)
{
	AUTO_BUF b = { 0 };
	struct elog *l = ctx;
	int r;

	buf_init(&b, ENTRY_MAX);
	if ((r = journal_read(l->journal, index, &b, e)) < 0)
		return r;
	buf_put_u16(out, (uint16_t)b.len);
	buf_put(out, b.data, b.len);
	return 0;
}

int
elog_integrate(struct elog *l, struct err *e)
{
	int r;

	assert(!l->read_only);
	r = tiles_extend(l->tiles, elog_size(l), l->edge, next_entry, l, e);
	l->integrated = merkle_size(l->edge);
	return r;
}

/* Keeps the checkpoint, then lets it stand for the log; everything it covers is durable. */
static int
elog_put_head(struct elog *l, const char *text, uint64_t size, struct err *e)
{
	char name[24], *copy = strdup(text);
	int r;

	if (copy == NULL)
		return err_set(e, ERR_MEM, "checkpoint");
	snprintf(name, sizeof(name), "%llu", (unsigned long long)size);
	/* larger than any published one: a file of this name is the leftover of a crash */
	if ((r = tiles_prune(l->tiles, l->kept > l->published ? l->kept : l->published, size, e)) < 0 ||
	    (r = io_replace(l->checkpoints, name, text, strlen(text), 0440, e)) < 0 ||
	    (r = io_replace(l->log, "checkpoint", text, strlen(text), 0440, e)) < 0) {
		/* what is there stays there, and so must its tiles */
		if (io_exists(l->checkpoints, name))
			l->kept = size;
		free(copy);
		return r;
	}
	free(l->head);
	l->head = copy;
	l->published = size;
	if (l->nunlisted < UNLISTED_MAX)
		l->unlisted[l->nunlisted++] = size;
	return 0;
}

static int
elog_rotate(struct elog *l, struct err *e)
{
	if (journal_bytes(l->journal) < ROTATE_BYTES || journal_queued(l->journal) > 0 ||
	    journal_end(l->journal) != l->published)
		return 0;
	return journal_rotate(l->journal, l->dir, l->published, e);
}

int
elog_publish(struct elog *l, const char *text, struct err *e)
{
	uint8_t root[HASH_LEN];
	struct checkpoint cp;
	int r;

	assert(!l->read_only);
	if (!l->has_key)
		return err_set(e, ERR_LOG, "a checkpoint, but no key to check it with");
	if ((r = checkpoint_open(text, strlen(text), &l->key, &cp, e)) < 0)
		return r;
	if (cp.size == l->published && strcmp(text, elog_head(l)) == 0)
		return elog_rotate(l, e);
	if (cp.size <= l->published || cp.size > l->integrated)
		return err_set(e, ERR_LOG, "a checkpoint of %llu entries does not follow: published %llu, in tiles %llu",
		    (unsigned long long)cp.size, (unsigned long long)l->published, (unsigned long long)l->integrated);
	if ((r = elog_root(l, cp.size, root, e)) < 0)
		return r;
	if (memcmp(root, cp.root, HASH_LEN) != 0)
		return err_set(e, ERR_LOG, "the checkpoint of %llu entries names another root",
		    (unsigned long long)cp.size);
	if ((r = elog_put_head(l, text, cp.size, e)) < 0)
		return r;
	return elog_rotate(l, e);
}

/* "config/x" or "trust/x": which of the two, and the name below it. */
static const char *
keep_name(const char *name, const char **dir)
{
	static const char *const dirs[] = { "config", "trust" };

	for (size_t i = 0; i < 2; i++) {
		size_t n = strlen(dirs[i]);

		if (strncmp(name, dirs[i], n) == 0 && name[n] == '/' && name[n + 1] != '.' && name[n + 1] != '\0' &&
		    strchr(name + n + 1, '/') == NULL && strlen(name) < ENTRY_PATH_MAX) {
			*dir = dirs[i];
			return name + n + 1;
		}
	}
	return NULL;
}

int
elog_keep(struct elog *l, const char *name, const void *p, size_t len, struct entry_file *ret, struct err *e)
{
	const char *parent, *base = keep_name(name, &parent);
	AUTO_BUF old = { 0 };
	AUTO_FD dir = -1;
	int r;

	assert(!l->read_only);
	if (base == NULL || len > KEEP_MAX)
		return err_set(e, ERR_LOG, "evidence/%s can not be kept: name or size", name);
	if ((dir = io_open_dir(l->dir, parent, e)) < 0)
		return dir;
	if (io_exists(dir, base)) {
		buf_init(&old, KEEP_MAX);
		if ((r = io_read_file(dir, base, &old, e)) < 0)
			return r;
		if (old.len != len || memcmp(old.data, p, len) != 0)
			return err_set(e, ERR_LOG, "evidence/%s is there with other contents", name);
	} else if ((r = io_put(dir, base, p, len, 0440, e)) < 0) {
		return r;
	}
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->name, name, strlen(name) + 1);
	ret->size = len;
	hash_bytes(p, len, ret->hash);
	return 0;
}
