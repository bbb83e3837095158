#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/tiles.h"

#define CACHE_TILES 16 /* an inclusion proof touches at most 6 tiles */
#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + TILE_ENTRY_MAX))
#define CHUNK 4096u    /* leaves a pass of tiles_extend(): bounds its memory */

struct tile {
	uint64_t used; /* 0: empty slot */
	unsigned level, width;
	uint64_t n;
	uint8_t hash[TILE_WIDTH][HASH_LEN];
};

struct tiles {
	int dir;
	uint64_t size;
	uint64_t clock;
	struct merkle *merkle;
	struct tile cache[CACHE_TILES];
	struct buf bundle; /* the one read last, and where its entries begin */
	uint64_t bundle_n;
	unsigned bundle_width; /* 0: none */
	uint32_t bundle_at[TILE_WIDTH + 1];
};

int
tiles_open(struct tiles **ret, int dir, struct err *e)
{
	struct tiles *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ERR_MEM, "log tiles");
	t->dir = dir;
	t->merkle = merkle_new();
	buf_init(&t->bundle, BUNDLE_MAX);
	*ret = t;
	return 0;
}

void
tiles_free(struct tiles *t)
{
	if (t == NULL)
		return;
	merkle_free(t->merkle);
	buf_done(&t->bundle);
	free(t);
}

void
tiles_size(struct tiles *t, uint64_t size)
{
	t->size = size;
}

uint64_t
tiles_count(uint64_t size, unsigned level)
{
	return level >= TILE_LEVELS ? 0 : size >> (8 * level);
}

/* 1234067 -> "x001/x234/067" */
static void
index_path(uint64_t n, char out[40])
{
	unsigned group[7];
	size_t at = 0;
	int k = 0;

	do {
		group[k++] = (unsigned)(n % 1000);
		n /= 1000;
	} while (n > 0);
	while (--k > 0)
		at += (size_t)snprintf(out + at, 40 - at, "x%03u/", group[k]);
	snprintf(out + at, 40 - at, "%03u", group[0]);
}

void
tiles_path(unsigned level, uint64_t n, unsigned width, char out[TILE_PATH_MAX])
{
	char dir[8] = "entries", index[40], partial[8] = "";

	if (level != TILE_ENTRIES)
		snprintf(dir, sizeof(dir), "%u", level & 0x3f);
	index_path(n, index);
	if (width < TILE_WIDTH)
		snprintf(partial, sizeof(partial), ".p/%u", width & 0xff);
	snprintf(out, TILE_PATH_MAX, "tile/%s/%s%s", dir, index, partial);
}

int
tiles_path_parse(const char *path, unsigned *level, uint64_t *n, unsigned *width)
{
	char back[TILE_PATH_MAX];
	const char *p = path;
	unsigned l = TILE_ENTRIES, w = TILE_WIDTH;
	uint64_t v = 0;

	if (strncmp(p, "tile/", 5) != 0 || strlen(p) >= TILE_PATH_MAX)
		return -1;
	p += 5;
	if (strncmp(p, "entries/", 8) == 0) {
		p += 8;
	} else {
		l = (unsigned)strtoul(p, NULL, 10);
		p += strcspn(p, "/");
		if (*p++ != '/' || l >= TILE_LEVELS)
			return -1;
	}
	for (; *p != '\0' && *p != '.'; p++)
		if (*p >= '0' && *p <= '9')
			v = v * 10 + (unsigned)(*p - '0');
	if (*p == '.' && strlen(p) > 3)
		w = (unsigned)strtoul(p + 3, NULL, 10);
	if (w == 0 || w > TILE_WIDTH)
		return -1;
	/* what was skipped over above must have been what is written */
	tiles_path(l, v, w, back);
	if (strcmp(back, path) != 0)
		return -1;
	*level = l;
	*n = v;
	*width = w;
	return 0;
}

int
bundle_next(struct buf *b, const uint8_t **ret, size_t *ret_len, struct err *e)
{
	size_t len;

	if (buf_finished(b))
		return 0;
	len = buf_get_u16(b);
	if ((*ret = buf_get_raw(b, len)) == NULL || !buf_ok(b))
		return err_set(e, ERR_LOG, "an entry bundle ends early");
	*ret_len = len;
	return 1;
}

/* Partial file, or the full one that took its place: a descriptor or -code. */
static int
tile_file(const struct tiles *t, unsigned level, uint64_t n, unsigned width, struct err *e)
{
	char path[TILE_PATH_MAX];
	int fd;

	tiles_path(level, n, width, path);
	fd = path_open(t->dir, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && width < TILE_WIDTH) {
		tiles_path(level, n, TILE_WIDTH, path);
		fd = path_open(t->dir, path, O_RDONLY | O_NONBLOCK);
	}
	if (fd < 0 && errno == ENOENT) {
		tiles_path(level, n, width, path);
		return err_set(e, ERR_LOG, "log/%s is missing", path);
	}
	return fd < 0 ? err_sys(e, ERR_IO, "log/%s", path) : fd;
}

/* The first 'width' hashes of a tile, through the cache. */
static int
tile_read(struct tiles *t, unsigned level, uint64_t n, unsigned width, struct tile **ret, struct err *e)
{
	struct tile *slot = &t->cache[0];
	AUTO_FD fd = -1;
	uint64_t size;
	int r;

	for (size_t i = 0; i < CACHE_TILES; i++) {
		struct tile *c = &t->cache[i];

		if (c->used != 0 && c->level == level && c->n == n && c->width >= width) {
			c->used = ++t->clock;
			*ret = c;
			return 0;
		}
		if (c->used < slot->used)
			slot = c;
	}
	if ((fd = tile_file(t, level, n, width, e)) < 0)
		return fd;
	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	if (size != width * HASH_LEN && size != TILE_WIDTH * HASH_LEN)
		return err_set(e, ERR_LOG, "log/tile/%u: tile %llu has %llu bytes", level, (unsigned long long)n,
		    (unsigned long long)size);
	slot->used = 0;
	if ((r = io_pread_full(fd, slot->hash, width * HASH_LEN, 0, e)) < 0)
		return r;
	slot->used = ++t->clock;
	slot->level = level;
	slot->n = n;
	slot->width = width;
	*ret = slot;
	return 0;
}

/* How many hashes (or entries) tile n of a level has in the tree. */
static unsigned
tile_width(uint64_t size, unsigned level, uint64_t n)
{
	uint64_t left = tiles_count(size, level) - n * TILE_WIDTH;

	return left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
}

int
tiles_get(void *ctx, unsigned level, uint64_t index, uint8_t ret[HASH_LEN], struct err *e)
{
	struct tiles *t = ctx;
	unsigned l = level / 8, fold = level % 8;
	uint64_t first = index << fold, n = first / TILE_WIDTH;
	unsigned at = (unsigned)(first % TILE_WIDTH);
	struct tile *tile;
	int r;

	if (l >= TILE_LEVELS || first + (1u << fold) > tiles_count(t->size, l))
		return err_set(e, ERR_LOG, "a hash beyond the end of the log was asked for");
	if ((r = tile_read(t, l, n, tile_width(t->size, l, n), &tile, e)) < 0)
		return r;
	merkle_fold(t->merkle, (const uint8_t(*)[HASH_LEN])tile->hash + at, (size_t)1 << fold, ret);
	return 0;
}

/* Cuts the buffer after 'width' entries; fewer, or bytes behind the last of a whole file, is wrong. */
static int
bundle_trim(struct buf *b, unsigned width, struct err *e)
{
	struct buf view;
	const uint8_t *p;
	size_t len, end = 0;
	unsigned n;
	int r;

	buf_view(&view, b->data, b->len);
	for (n = 0; (r = bundle_next(&view, &p, &len, e)) == 1; n++)
		if (n < width)
			end = view.pos;
	if (r < 0)
		return r;
	if (n != width && n != TILE_WIDTH)
		return err_set(e, ERR_LOG, "an entry bundle holds %u entries instead of %u", n, width);
	b->len = end;
	return 0;
}

int
tiles_bundle(struct tiles *t, uint64_t n, unsigned width, struct buf *out, struct err *e)
{
	AUTO_FD fd = -1;
	uint8_t block[16384];
	uint64_t size;
	int r;

	buf_clear(out);
	if ((fd = tile_file(t, TILE_ENTRIES, n, width, e)) < 0)
		return fd;
	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	for (uint64_t at = 0; at < size; at += sizeof(block)) {
		size_t want = size - at < sizeof(block) ? (size_t)(size - at) : sizeof(block);

		if ((r = io_pread_full(fd, block, want, at, e)) < 0)
			return r;
		buf_put(out, block, want);
		if (out->starved)
			return err_set(e, ERR_MEM, "entry bundle");
		if (!buf_ok(out))
			return err_set(e, ERR_LOG, "entry bundle %llu is too large", (unsigned long long)n);
	}
	return bundle_trim(out, width, e);
}

/* Reads a bundle into the cache. */
static int
bundle_load(struct tiles *t, uint64_t n, unsigned width, struct err *e)
{
	struct buf view;
	const uint8_t *p;
	size_t len;
	int r;

	t->bundle_width = 0;
	if ((r = tiles_bundle(t, n, width, &t->bundle, e)) < 0)
		return r;
	buf_view(&view, t->bundle.data, t->bundle.len);
	for (unsigned i = 0; i <= width; i++) {
		t->bundle_at[i] = (uint32_t)view.pos;
		if (i < width && (r = bundle_next(&view, &p, &len, e)) != 1)
			return r < 0 ? r : err_set(e, ERR_LOG, "entry bundle %llu is short", (unsigned long long)n);
	}
	t->bundle_n = n;
	t->bundle_width = width;
	return 0;
}

int
tiles_entry(struct tiles *t, uint64_t index, struct buf *out, struct err *e)
{
	uint64_t n = index / TILE_WIDTH;
	unsigned width, i = (unsigned)(index % TILE_WIDTH);
	int r;

	buf_clear(out);
	if (index >= t->size)
		return err_set(e, ERR_LOG, "entry %llu is not in the log's tiles", (unsigned long long)index);
	width = tile_width(t->size, 0, n);
	if ((t->bundle_width < width || t->bundle_n != n) && (r = bundle_load(t, n, width, e)) < 0)
		return r;
	buf_put(out, t->bundle.data + t->bundle_at[i] + 2, t->bundle_at[i + 1] - t->bundle_at[i] - 2);
	if (out->starved)
		return err_set(e, ERR_MEM, "log entry");
	return buf_ok(out) ? 0 : err_set(e, ERR_LOG, "entry %llu is too long", (unsigned long long)index);
}

/* Writes one file durably; directories that are missing are made and synced. */
static int
tile_put(struct tiles *t, unsigned level, uint64_t n, unsigned width, const void *p, size_t len, struct err *e)
{
	char path[TILE_PATH_MAX], *slash;
	AUTO_FD dir = -1;
	int r;

	tiles_path(level, n, width, path);
	slash = strrchr(path, '/');
	*slash = '\0';
	if ((r = io_mkdir_p(t->dir, path, 0750, e)) < 0)
		return r;
	if ((dir = path_open(t->dir, path, O_RDONLY | O_DIRECTORY)) < 0)
		return err_sys(e, ERR_IO, "log/%s", path);
	return io_replace(dir, slash + 1, p, len, 0440, e);
}

/* Appends 'count' hashes to a level that has 'have'; roots of tiles that become full go to 'up'. */
static int
level_extend(struct tiles *t, unsigned level, uint64_t have, const uint8_t (*add)[HASH_LEN], size_t count,
    uint8_t (*up)[HASH_LEN], size_t *nup, struct err *e)
{
	struct tile *old;
	uint8_t hash[TILE_WIDTH][HASH_LEN];
	unsigned width = (unsigned)(have % TILE_WIDTH);
	uint64_t n = have / TILE_WIDTH;
	int r;

	*nup = 0;
	if (width > 0) {
		if ((r = tile_read(t, level, n, width, &old, e)) < 0)
			return r;
		memcpy(hash, old->hash, width * HASH_LEN);
	}
	for (size_t done = 0; done < count; n++, width = 0) {
		size_t take = TILE_WIDTH - width;

		if (take > count - done)
			take = count - done;
		memcpy(hash + width, add + done, take * HASH_LEN);
		width += (unsigned)take;
		done += take;
		if ((r = tile_put(t, level, n, width, hash, width * HASH_LEN, e)) < 0)
			return r;
		if (width == TILE_WIDTH)
			merkle_fold(t->merkle, (const uint8_t(*)[HASH_LEN])hash, TILE_WIDTH, up[(*nup)++]);
	}
	return 0;
}

/* The bundles of entries [from, to), and the leaf hashes of these entries. */
static int
bundles_extend(struct tiles *t, uint64_t from, uint64_t to, tiles_next *next, void *ctx,
    uint8_t (*leaf)[HASH_LEN], struct err *e)
{
	AUTO_BUF b = { 0 };
	unsigned width;
	size_t at;
	int r;

	buf_init(&b, BUNDLE_MAX);
	while (from < to) {
		width = (unsigned)(from % TILE_WIDTH);
		if (width > 0 && (r = tiles_bundle(t, from / TILE_WIDTH, width, &b, e)) < 0)
			return r;
		for (; width < TILE_WIDTH && from < to; from++, width++) {
			at = b.len;
			if ((r = next(ctx, from, &b, e)) < 0)
				return r;
			if (!buf_ok(&b) || b.len < at + 2)
				return err_set(e, ERR_MEM, "entry bundle");
			merkle_leaf(t->merkle, b.data + at + 2, b.len - at - 2, *leaf++);
		}
		if ((r = tile_put(t, TILE_ENTRIES, (from - 1) / TILE_WIDTH, width, b.data, b.len, e)) < 0)
			return r;
		buf_clear(&b);
	}
	return 0;
}

static int
tiles_extend_chunk(struct tiles *t, uint64_t size, struct merkle *edge, tiles_next *next, void *ctx, struct err *e)
{
	uint8_t(*hash)[HASH_LEN];
	AUTO_FREE uint8_t *leaves = NULL, *up = NULL;
	size_t nleaves = (size_t)(size - t->size), count = nleaves, nup;
	int r;

	if ((leaves = malloc(count * HASH_LEN)) == NULL || (up = malloc((count / TILE_WIDTH + 1) * HASH_LEN)) == NULL)
		return err_set(e, ERR_MEM, "log tiles");
	hash = (uint8_t(*)[HASH_LEN])leaves;
	if ((r = bundles_extend(t, t->size, size, next, ctx, hash, e)) < 0 ||
	    (r = level_extend(t, 0, t->size, (const uint8_t(*)[HASH_LEN])hash, count,
	         (uint8_t(*)[HASH_LEN])up, &nup, e)) < 0)
		return r;
	/* at most 17 roots a chunk from here on, and each level has fewer */
	for (unsigned l = 1; nup > 0 && l < TILE_LEVELS; l++) {
		uint8_t add[CHUNK / TILE_WIDTH + 1][HASH_LEN];

		count = nup;
		memcpy(add, up, count * HASH_LEN);
		if ((r = level_extend(t, l, tiles_count(t->size, l), (const uint8_t(*)[HASH_LEN])add, count,
		         (uint8_t(*)[HASH_LEN])up, &nup, e)) < 0)
			return r;
	}
	for (size_t i = 0; i < nleaves; i++)
		merkle_add(edge, hash[i]);
	t->size = size;
	return 0;
}

int
tiles_extend(struct tiles *t, uint64_t size, struct merkle *edge, tiles_next *next, void *ctx, struct err *e)
{
	uint64_t upto;
	int r;

	while (t->size < size) {
		upto = size - t->size > CHUNK ? t->size - t->size % CHUNK + CHUNK : size;
		if ((r = tiles_extend_chunk(t, upto, edge, next, ctx, e)) < 0)
			return r;
	}
	return 0;
}

/* Removes from "<N>.p" what lies strictly between two widths; all of it when the tile is full. */
static int
prune_tile(struct tiles *t, unsigned level, uint64_t n, unsigned above, unsigned below, struct err *e)
{
	char path[TILE_PATH_MAX], *slash;
	struct dirent *de;
	DIR *d;
	int fd, r = 0;

	tiles_path(level, n, 0, path);
	slash = strrchr(path, '/');
	*slash = '\0';
	if ((fd = path_open(t->dir, path, O_RDONLY | O_DIRECTORY)) < 0)
		return errno == ENOENT ? 0 : err_sys(e, ERR_IO, "log/%s", path);
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return err_sys(e, ERR_MEM, "log/%s", path);
	}
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL) {
		unsigned long w = strtoul(de->d_name, NULL, 10);

		if (de->d_name[0] != '.' && w > above && w < below)
			r = io_unlink(fd, de->d_name, e);
	}
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "log/%s", path);
	closedir(d);
	if (r == 0 && above == 0 && below > TILE_WIDTH && unlinkat(t->dir, path, AT_REMOVEDIR) < 0 &&
	    errno != ENOENT && errno != ENOTEMPTY)
		r = err_sys(e, ERR_IO, "log/%s", path);
	return r;
}

static int
prune_level(struct tiles *t, unsigned file_level, unsigned level, uint64_t from, uint64_t size, struct err *e)
{
	uint64_t a = tiles_count(from, level), b = tiles_count(size, level);
	int r;

	for (uint64_t n = a / TILE_WIDTH; n <= b / TILE_WIDTH; n++) {
		bool full = n < b / TILE_WIDTH;
		unsigned above = full || n > a / TILE_WIDTH ? 0 : (unsigned)(a % TILE_WIDTH);
		unsigned below = full ? TILE_WIDTH + 1 : (unsigned)(b % TILE_WIDTH);

		if ((r = prune_tile(t, file_level, n, above, below, e)) < 0)
			return r;
	}
	return 0;
}

int
tiles_prune(struct tiles *t, uint64_t from, uint64_t size, struct err *e)
{
	int r;

	if ((r = prune_level(t, TILE_ENTRIES, 0, from, size, e)) < 0)
		return r;
	for (unsigned l = 0; l < TILE_LEVELS && tiles_count(size, l) > 0; l++)
		if ((r = prune_level(t, l, l, from, size, e)) < 0)
			return r;
	return 0;
}
