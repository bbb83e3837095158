#include <sys/stat.h>

#include "agent/lib/io.h"
#include "seal/evidence/tiles.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static int
next(void *ctx, uint64_t index, struct buf *out, struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "entry %llu", (unsigned long long)index);

	if (ctx != NULL && index == *(uint64_t *)ctx)
		return err_set(e, ERR_SPACE, "a full disk");
	buf_put_u16(out, (uint16_t)n);
	buf_put(out, text, (size_t)n);
	return 0;
}

static void
test_paths(void)
{
	static const struct {
		unsigned level;
		uint64_t n;
		unsigned width;
		const char *path;
	} ok[] = {
		{ 0, 5, 256, "tile/0/005" },
		{ 0, 273, 112, "tile/0/273.p/112" },
		{ 1, 1234, 256, "tile/1/x001/234" },
		{ TILE_ENTRIES, 1234067, 7, "tile/entries/x001/x234/067.p/7" },
		{ 3, 0, 1, "tile/3/000.p/1" },
	};
	static const char *const bad[] = { "tile/0/5", "tile/0/0005", "tile/00/005", "tile/0/005.p/0", "tile/0/005.p/256",
		"tile/0/005.p/07", "tile/0/x000/005", "tile/0/x001/x234", "tile/64/000", "tile/entries", "tile/0/005/", "",
		"tile/0/005.p", "checkpoint", "tile/0/-05", "tile/0/ 05", "tile/0/x999/x999/x999/x999/x999/x999/x999/999" };
	char path[TILE_PATH_MAX];
	unsigned level, width;
	uint64_t n;

	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		tiles_path(ok[i].level, ok[i].n, ok[i].width, path);
		CHECK(strcmp(path, ok[i].path) == 0, "the name %s", ok[i].path);
		CHECK(tiles_path_parse(path, &level, &n, &width) == 0 && level == ok[i].level && n == ok[i].n &&
		          width == ok[i].width,
		    "and back");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(tiles_path_parse(bad[i], &level, &n, &width) < 0, "not a name: '%s'", bad[i]);
}

static off_t
size_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) < 0 ? -1 : st.st_size;
}

static int
count(const char *dir, const char *find)
{
	char cmd[256];
	int n = -1;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "cd %s && find %s | wc -l", dir, find);
	if ((f = popen(cmd, "r")) == NULL || fscanf(f, "%d", &n) != 1)
		exit(99);
	pclose(f);
	return n;
}

/* The example of the tlog-tiles specification: 70,000 entries, here grown in odd steps. */
static void
test_70000(int dir, const char *path)
{
	static const uint64_t steps[] = { 1, 2, 7, 255, 256, 257, 300, 65535, 65536, 65537, 70000 };
	uint8_t root[HASH_LEN], again[HASH_LEN], leaf[HASH_LEN];
	char text[32], want[32];
	AUTO_BUF b = { 0 };
	struct merkle *edge = merkle_new(), *judge = merkle_new();
	struct tiles *t;
	struct err e = { 0 };
	int bad = 0;

	CHECK(tiles_open(&t, dir, &e) == 0, "opened");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		bad += tiles_extend(t, steps[i], edge, next, NULL, &e) != 0;
	CHECK(bad == 0, "grown to 70,000 in %zu steps (%s)", sizeof(steps) / sizeof(steps[0]), e.text);
	for (int i = 0; i < 70000; i++) {
		merkle_leaf(judge, text, (size_t)snprintf(text, sizeof(text), "entry %d", i), leaf);
		merkle_add(judge, leaf);
	}
	merkle_root(judge, root);
	merkle_root(edge, again);
	CHECK(memcmp(root, again, HASH_LEN) == 0, "the edge has the root of all leaves");
	CHECK(merkle_load(edge, 70000, tiles_get, t, &e) == 0 && (merkle_root(edge, again), 1) &&
	          memcmp(root, again, HASH_LEN) == 0,
	    "and so have the tiles (%s)", e.text);
	CHECK(count(path, "tile/0 -type f ! -path '*.p*'") == 273 && count(path, "tile/entries -type f ! -path '*.p*'") == 273,
	    "273 full tiles and bundles on level 0");
	CHECK(size_of(dir, "tile/0/272") == 8192 && size_of(dir, "tile/0/273.p/112") == 112 * 32, "then one of width 112");
	CHECK(size_of(dir, "tile/1/000") == 8192 && size_of(dir, "tile/1/001.p/17") == 17 * 32, "level 1: one full, 17 more");
	CHECK(size_of(dir, "tile/2/000.p/1") == 32 && size_of(dir, "tile/3") < 0, "level 2: one hash, and no level 3");
	CHECK(size_of(dir, "tile/0/000.p/7") == 7 * 32, "partial files of sizes on the way are kept");
	buf_init(&b, 100);
	bad = 0;
	for (uint64_t i = 0; i < 70000; i += 61) {
		snprintf(want, sizeof(want), "entry %llu", (unsigned long long)i);
		bad += tiles_entry(t, i, &b, &e) != 0 || b.len != strlen(want) || memcmp(b.data, want, b.len) != 0;
	}
	CHECK(bad == 0, "entries come back as they were given");
	CHECK(tiles_entry(t, 70000, &b, &e) == -ERR_LOG, "there is no entry 70000");
	CHECK(tiles_prune(t, 65537, 70000, &e) == 0, "pruned (%s)", e.text);
	CHECK(size_of(dir, "tile/0/256.p") < 0 && size_of(dir, "tile/0/273.p/112") > 0 && size_of(dir, "tile/2/000.p/1") > 0,
	    "what is full now loses its partial files, what a checkpoint needs stays");
	CHECK(tiles_prune(t, 0, 70000, &e) == 0 && count(path, "tile -type d -name '*.p'") == 4,
	    "only the right edge has partial files");
	tiles_size(t, 65537);
	CHECK(merkle_load(edge, 65537, tiles_get, t, &e) == 0, "an older tree is read from the full files");
	merkle_free(edge);
	merkle_free(judge);
	tiles_free(t);
}

static void
test_256(int dir)
{
	struct merkle *edge = merkle_new();
	struct tiles *t;
	struct err e = { 0 };

	CHECK(tiles_open(&t, dir, &e) == 0 && tiles_extend(t, 256, edge, next, NULL, &e) == 0, "256 entries (%s)", e.text);
	CHECK(size_of(dir, "tile/0/000") == 8192 && size_of(dir, "tile/1/000.p/1") == 32 && size_of(dir, "tile/0/000.p") < 0,
	    "one full tile, one hash above, nothing empty");
	merkle_free(edge);
	tiles_free(t);
}

/* A step that fails leaves the tree where it was, and can be taken again. */
static void
test_failure(int dir)
{
	uint64_t at = 300;
	uint8_t a[HASH_LEN], b[HASH_LEN];
	struct merkle *edge = merkle_new(), *whole = merkle_new();
	struct tiles *t;
	struct err e = { 0 };

	CHECK(tiles_open(&t, dir, &e) == 0 && tiles_extend(t, 100, edge, next, NULL, &e) == 0, "100 entries (%s)", e.text);
	CHECK(tiles_extend(t, 400, edge, next, &at, &e) == -ERR_SPACE && merkle_size(edge) == 100, "a full disk at entry 300");
	CHECK(tiles_extend(t, 400, edge, next, NULL, &e) == 0 && merkle_size(edge) == 400, "the same step again succeeds");
	tiles_size(t, 400);
	CHECK(merkle_load(whole, 400, tiles_get, t, &e) == 0, "and its tiles are whole");
	merkle_root(edge, a);
	merkle_root(whole, b);
	CHECK(memcmp(a, b, HASH_LEN) == 0, "with one root");
	merkle_free(edge);
	merkle_free(whole);
	tiles_free(t);
}

static void
put(int dir, const char *name, const void *p, size_t n)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || close(fd) != 0)
		exit(99);
}

static void
test_damage(int dir)
{
	static const struct {
		const char *name, *bytes;
		size_t len;
	} bundles[] = {
		{ "bytes behind the last entry", "\0\1a\0\1b\0\1c!", 10 },
		{ "an entry that ends early", "\0\1a\0\1b\0\2c", 9 },
		{ "an entry too few", "\0\1a\0\1b", 6 },
		{ "an entry too many", "\0\1a\0\1b\0\1c\0\1d", 12 },
		{ "nothing", "", 0 },
	};
	uint8_t hash[HASH_LEN];
	struct merkle *edge = merkle_new();
	AUTO_BUF b = { 0 };
	struct tiles *t;
	struct err e = { 0 };

	buf_init(&b, 4096);
	CHECK(tiles_open(&t, dir, &e) == 0 && tiles_extend(t, 3, edge, next, NULL, &e) == 0, "three entries (%s)", e.text);
	unlinkat(dir, "tile/entries/000.p/3", 0);
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		put(dir, "tile/entries/000.p/3", bundles[i].bytes, bundles[i].len);
		CHECK(tiles_bundle(t, 0, 3, &b, &e) == -ERR_LOG, "bundle with %s: refused", bundles[i].name);
	}
	put(dir, "tile/entries/000.p/3", "\0\1a\0\1b\0\1c", 9);
	CHECK(tiles_bundle(t, 0, 3, &b, &e) == 0 && b.len == 9, "a whole one is read");
	tiles_free(t);
	CHECK(tiles_open(&t, dir, &e) == 0, "opened again");
	tiles_size(t, 3);
	unlinkat(dir, "tile/0/000.p/3", 0);
	CHECK(tiles_get(t, 0, 2, hash, &e) == -ERR_LOG && strstr(e.text, "missing") != NULL, "a missing tile is named: %s", e.text);
	put(dir, "tile/0/000.p/3", "short", 5);
	CHECK(tiles_get(t, 0, 2, hash, &e) == -ERR_LOG, "a short tile is refused: %s", e.text);
	CHECK(tiles_get(t, 0, 3, hash, &e) == -ERR_LOG && tiles_get(t, 2, 0, hash, &e) == -ERR_LOG,
	    "a hash beyond the tree is refused");
	merkle_free(edge);
	tiles_free(t);
}

int
main(void)
{
	char path[64];
	int dir;

	test_paths();
	dir = tmpdir_make(path);
	test_70000(dir, path);
	tmpdir_remove(dir, path);
	dir = tmpdir_make(path);
	test_256(dir);
	tmpdir_remove(dir, path);
	dir = tmpdir_make(path);
	test_failure(dir);
	tmpdir_remove(dir, path);
	dir = tmpdir_make(path);
	test_damage(dir);
	tmpdir_remove(dir, path);
	return TEST_DONE();
}
