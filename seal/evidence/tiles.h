/*
 * tiles.h - the log's hashes and entries on disk, 256 a file (C2SP tlog-tiles).
 *
 *	tile/<L>/<N>[.p/<W>]         W hashes of level L, 32 bytes each
 *	tile/entries/<N>[.p/<W>]     W entries, each u16 big-endian length and bytes
 *
 * A hash of level l+1 is the root of one full tile of level l.  A file without
 * ".p" is full (256) and never changes; partial ones may go once it is there,
 * so a reader falls back to the full file.
 *
 *	tiles_open(&t, dir, &e)               dir: log/, stays the caller's
 *	tiles_extend(t, size, entries, &e)    writes all files of the larger tree, synced
 *	tiles_get(t, level, index, h, &e)     with tiles_size(t, n) a merkle_get
 *	tiles_free(t)
 */
#ifndef SEALROOM_TILES_H
#define SEALROOM_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "seal/evidence/merkle.h"

#define TILE_WIDTH 256
#define TILE_LEVELS 8          /* 256^8 leaves: more than 64 bits count */
#define TILE_ENTRIES 0xffu     /* as level: entry bundles */
#define TILE_ENTRY_MAX 65535
#define TILE_PATH_MAX 64

struct tiles; /* opaque: tiles.c */

int tiles_open(struct tiles **ret, int dir, struct err *);
void tiles_free(struct tiles *); /* NULL is fine */

/* The tree that is read from now on: tells which tiles are full. */
void tiles_size(struct tiles *, uint64_t size);
/* merkle_get; ctx is the struct tiles. */
int tiles_get(void *ctx, unsigned level, uint64_t index, uint8_t ret[HASH_LEN], struct err *);
/* One entry of the tree's; out is emptied first. */
int tiles_entry(struct tiles *, uint64_t index, struct buf *out, struct err *);
/* The first 'width' entries of bundle n, raw; out is emptied first. */
int tiles_bundle(struct tiles *, uint64_t n, unsigned width, struct buf *out, struct err *);

/* Entries to come, in order, each appended to out with its length in front. */
typedef int tiles_next(void *ctx, uint64_t index, struct buf *out, struct err *);
/*
 * From the tree of tiles_size() to 'size' leaves: bundles first, then hashes
 * from level 0 up.  Every file is synced and renamed into place, every
 * directory synced.  On success the tiles' size is 'size'.
 */
int tiles_extend(struct tiles *, uint64_t size, struct merkle *, tiles_next *, void *ctx, struct err *);
/* Removes partial files that no checkpoint between 'from' and 'size' needs. */
int tiles_prune(struct tiles *, uint64_t from, uint64_t size, struct err *);

/* "tile/0/x001/067.p/5"; width 256: the full file. */
void tiles_path(unsigned level, uint64_t n, unsigned width, char out[TILE_PATH_MAX]);
/* The other way round; 0, or -1 for what tiles_path() never writes. */
int tiles_path_parse(const char *path, unsigned *level, uint64_t *n, unsigned *width);
/* Hashes of one level in a tree of this size. */
uint64_t tiles_count(uint64_t size, unsigned level);

/*
 * Steps through a bundle: b is a view of it.  1 and the entry, 0 at the end,
 * -ERR_LOG when it ends early.
 */
int bundle_next(struct buf *b, const uint8_t **ret, size_t *ret_len, struct err *);

#endif
