#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/auditint.h"
#include "seal/evidence/journal.h"
#include "seal/evidence/merkle.h"
#include "seal/evidence/tiles.h"

#define BUNDLE_MAX ((size_t)TILE_WIDTH * (2 + TILE_ENTRY_MAX))
#define LOG "evidence/log/"

/* The tree as it is computed again: the tile that grows, on each level. */
struct level {
	uint64_t n;     /* its number */
	unsigned width; /* hashes it has so far */
	uint8_t hash[TILE_WIDTH][HASH_LEN];
};

struct walk {
	struct audit *a;
	struct tiles *tiles;
	struct journal *journal; /* NULL: damaged or missing, and said so */
	struct merkle *tree;
	struct level level[TILE_LEVELS];
	struct buf bundle; /* entries of the bundle that grows, with their lengths */
	uint32_t at[TILE_WIDTH + 1];
	uint64_t total;    /* entries in log and journal */
	size_t next_head;  /* the first checkpoint not yet reached */
	size_t breaks_seen;
	struct checkpoint since;
	bool has_since, since_differs;
};

/* --- key and checkpoints --------------------------------------------------------------- */

static void
read_key(struct audit *a)
{
	static const char path[] = "evidence/trust/log.vkey";
	AUTO_BUF b = { 0 };
	struct note_key own = { 0 };
	struct err e = { 0 };
	bool have;

	buf_init(&b, 1024);
	have = audit_read(a, path, &b);
	buf_put_u8(&b, 0);
	if (b.starved) {
		audit_unread(a, path, strerror(ENOMEM));
		have = false;
	}
	if (have && (!buf_ok(&b) || strlen((const char *)b.data) + 1 != b.len ||
	                note_key_parse((const char *)b.data, &own, &e) < 0 || b.data[b.len - 2] != '\n')) {
		audit_say(a, VERDICT_DISPROVEN, path, "is not a log's public key.");
		have = false;
	}
	if (a->opt->vkey != NULL) {
		if (note_key_parse(a->opt->vkey, &a->key, &e) < 0) {
			audit_say(a, VERDICT_UNKNOWN, path, "the key to compare with is none: %s.", e.text);
			return;
		}
		a->has_key = true;
		if (have && memcmp(a->key.pub, own.pub, sizeof(own.pub)) != 0)
			audit_say(a, VERDICT_DISPROVEN, path, "is not the key the auditor brought: another log.");
		return;
	}
	a->key = own;
	a->has_key = have;
}

/* Reads and checks one checkpoint file; false: it was said what is wrong. */
static bool
read_checkpoint(struct audit *a, const char *path, struct buf *text, struct checkpoint *cp)
{
	struct err e = { 0 };

	if (!audit_read(a, path, text))
		return false;
	if (!a->has_key)
		return false;
	if (checkpoint_open((const char *)text->data, text->len, &a->key, cp, &e) < 0) {
		audit_say(a, VERDICT_DISPROVEN, path, "is not a checkpoint this log has signed (%s).", e.text);
		return false;
	}
	return true;
}

static int
by_size(const void *x, const void *y)
{
	const struct audit_head *a = x, *b = y;

	return a->size < b->size ? -1 : a->size > b->size;
}

const struct audit_head *
audit_head_of(const struct audit *a, uint64_t size)
{
	struct audit_head key = { .size = size };

	return a->nheads == 0 ? NULL : bsearch(&key, a->heads, a->nheads, sizeof(key), by_size);
}

static int
read_kept(struct audit *a, struct err *e)
{
	struct audit_list l = { 0 };
	AUTO_BUF b = { 0 };
	char path[300];
	int r = audit_list(a, "evidence/checkpoints", &l, e);

	buf_init(&b, AUDIT_TEXT_MAX);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		struct checkpoint cp;
		uint64_t size;
		void *p;

		snprintf(path, sizeof(path), "evidence/checkpoints/%s", l.v[i]);
		if (note_decimal(l.v[i], strlen(l.v[i]), &size) < 0) {
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong here.");
			continue;
		}
		if (!read_checkpoint(a, path, &b, &cp))
			continue;
		if (cp.size != size) {
			audit_say(a, VERDICT_DISPROVEN, path, "is the checkpoint of %llu entries.", (unsigned long long)cp.size);
			continue;
		}
		if ((p = audit_grow(a->heads, a->nheads, &a->heads_cap, sizeof(*a->heads))) == NULL) {
			r = err_set(e, ERR_MEM, "audit");
			break;
		}
		a->heads = p;
		a->heads[a->nheads] = (struct audit_head){ .size = size };
		memcpy(a->heads[a->nheads++].root, cp.root, HASH_LEN);
	}
	free(l.v);
	if (a->nheads > 0)
		qsort(a->heads, a->nheads, sizeof(*a->heads), by_size);
	a->res->checkpoints = a->nheads;
	return r;
}

/* log/checkpoint must be one of those that are kept, and the last of them. */
static void
read_head(struct audit *a)
{
	static const char path[] = LOG "checkpoint";
	AUTO_BUF head = { 0 }, kept = { 0 };
	char twin[64];
	struct checkpoint cp;

	a->size = a->nheads == 0 ? 0 : a->heads[a->nheads - 1].size;
	buf_init(&head, AUDIT_TEXT_MAX);
	buf_init(&kept, AUDIT_TEXT_MAX);
	if (!audit_exists(a, path) && a->nheads == 0) {
		audit_say(a, VERDICT_UNKNOWN, path, "is missing: this log was never signed.");
		return;
	}
	if (!read_checkpoint(a, path, &head, &cp))
		return;
	memcpy(a->res->origin, cp.origin, sizeof(a->res->origin));
	if (cp.size < a->size)
		audit_say(a, VERDICT_DISPROVEN, path, "covers %llu entries, but a checkpoint of %llu was published.",
		    (unsigned long long)cp.size, (unsigned long long)a->size);
	snprintf(twin, sizeof(twin), "evidence/checkpoints/%llu", (unsigned long long)cp.size);
	if (audit_head_of(a, cp.size) == NULL)
		audit_say(a, AUDIT_LOST, twin, "is missing or damaged, but " LOG "checkpoint names it.");
	else if (audit_read(a, twin, &kept) && (kept.len != head.len || memcmp(kept.data, head.data, head.len) != 0))
		audit_say(a, VERDICT_DISPROVEN, path, "is not the same as %s.", twin);
	if (cp.size > a->size)
		a->size = cp.size;
}

static void
read_since(struct walk *w)
{
	static const char path[] = "(checkpoint to compare with)";
	struct audit *a = w->a;
	struct err e = { 0 };

	if (a->opt->since == NULL)
		return;
	if (!a->has_key) {
		audit_say(a, VERDICT_UNKNOWN, path, "can not be checked without the log's key.");
		return;
	}
	if (checkpoint_open(a->opt->since, strlen(a->opt->since), &a->key, &w->since, &e) < 0) {
		audit_say(a, VERDICT_UNKNOWN, path, "was not signed by this log (%s).", e.text);
		return;
	}
	w->has_since = true;
}

/* Is what that checkpoint covered among what a break gave up?  Then it is of another history, and the log says so. */
static bool
since_given_up(struct walk *w)
{
	const struct audit *a = w->a;
	uint64_t size = w->since.size;

	for (size_t i = 0; i < a->nbreaks; i++) {
		const struct audit_break *b = &a->breaks[i];

		if (b->disk_size >= size || (b->has_anchor && b->anchor_size < size))
			continue;
		audit_say(w->a, VERDICT_UNKNOWN, LOG "checkpoint",
		    "the checkpoint to compare with covers %llu entries; those from %llu on were given up by the break at entry "
		    "%llu, so it proves nothing.", (unsigned long long)size, (unsigned long long)b->disk_size,
		    (unsigned long long)b->index);
		return true;
	}
	return false;
}

/* At the end, when all breaks are known. */
static void
check_since(struct walk *w)
{
	struct audit *a = w->a;

	if (!w->has_since || (!w->since_differs && w->since.size <= a->size) || since_given_up(w))
		return;
	if (w->since.size > a->size)
		audit_say(a, VERDICT_DISPROVEN, LOG "checkpoint",
		    "covers %llu entries, but the log had %llu once: its end was cut off.", (unsigned long long)a->size,
		    (unsigned long long)w->since.size);
	else
		audit_say(a, VERDICT_DISPROVEN, "evidence/log",
		    "its first %llu entries are not those of the checkpoint to compare with: history was rewritten.",
		    (unsigned long long)w->since.size);
}

/* --- tiles ----------------------------------------------------------------------------- */

/* Is the file exactly these bytes? */
static void
same_bytes(struct audit *a, const char *path, const void *p, size_t len, const char *what)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, BUNDLE_MAX);
	if (audit_read(a, path, &b) && (b.len != len || (len > 0 && memcmp(b.data, p, len) != 0)))
		audit_say(a, VERDICT_DISPROVEN, path, "does not hold %s.", what);
}

/* The first n things of the tile that grows: hashes, or entries. */
static const void *
tile_bytes(const struct walk *w, unsigned level, unsigned n, size_t *len)
{
	if (level == TILE_ENTRIES) {
		*len = w->at[n];
		return w->bundle.data;
	}
	*len = (size_t)n * HASH_LEN;
	return w->level[level].hash;
}

static void
check_file(struct walk *w, unsigned level, uint64_t n, unsigned width)
{
	char path[sizeof(LOG) + TILE_PATH_MAX] = LOG;
	size_t len;
	const void *p = tile_bytes(w, level, width, &len);

	tiles_path(level, n, width, path + strlen(LOG));
	same_bytes(w->a, path, p, len, level == TILE_ENTRIES ? "the entries of the log" : "the hashes of the entries");
}

/* As audit_exists(). */
static int
file_there(struct walk *w, unsigned level, uint64_t n, unsigned width)
{
	char path[sizeof(LOG) + TILE_PATH_MAX] = LOG;

	tiles_path(level, n, width, path + strlen(LOG));
	return audit_exists(w->a, path);
}

/* The partial files of a tile: all that checkpoints need, and each one right. */
static int
check_partials(struct walk *w, unsigned level, uint64_t n, unsigned width, bool full, struct err *e)
{
	char dir[sizeof(LOG) + TILE_PATH_MAX] = LOG, path[400];
	struct audit_list l = { 0 };
	struct audit *a = w->a;
	int r;

	tiles_path(level, n, 0, dir + strlen(LOG));
	*strrchr(dir, '/') = '\0';
	r = audit_list(a, dir, &l, e);
	for (size_t i = 0; r == 0 && i < l.n; i++) {
		uint64_t v, size;

		snprintf(path, sizeof(path), "%s/%s", dir, l.v[i]);
		if (note_decimal(l.v[i], strlen(l.v[i]), &v) < 0 || v == 0 || v > width || v >= TILE_WIDTH) {
			audit_say(a, VERDICT_DISPROVEN, path, "does not belong to this log.");
			continue;
		}
		check_file(w, level, n, (unsigned)v);
		size = n * TILE_WIDTH + v;
		if (level == 0 && !full && size < a->size && audit_head_of(a, size) == NULL)
			audit_say(a, AUDIT_LOST, path, "was made for a checkpoint, but evidence/checkpoints/%llu is missing.",
			    (unsigned long long)size);
	}
	free(l.v);
	return r;
}

/* Everything on disk of one tile, when all that belongs into it is known. */
static int
check_tile(struct walk *w, unsigned level, uint64_t n, unsigned width, struct err *e)
{
	unsigned tree = level == TILE_ENTRIES ? 0 : level;
	bool must = tiles_count(w->a->size, tree) >= (n + 1) * TILE_WIDTH;
	bool full = must || (width == TILE_WIDTH && file_there(w, level, n, TILE_WIDTH));

	if (full)
		check_file(w, level, n, TILE_WIDTH);
	return check_partials(w, level, n, width, full, e);
}

static int
level_add(struct walk *w, unsigned level, const uint8_t hash[HASH_LEN], struct err *e)
{
	struct level *l = &w->level[level];
	uint8_t up[HASH_LEN];
	int r;

	memcpy(l->hash[l->width++], hash, HASH_LEN);
	if (l->width < TILE_WIDTH)
		return 0;
	if ((r = check_tile(w, level, l->n, l->width, e)) < 0)
		return r;
	merkle_fold(w->tree, (const uint8_t(*)[HASH_LEN])l->hash, TILE_WIDTH, up);
	l->n++;
	l->width = 0;
	return level + 1 < TILE_LEVELS ? level_add(w, level + 1, up, e) : 0;
}

/* Partial files that the kept checkpoints need, on the right edge: elsewhere the full file stands for them. */
static void
check_needed(struct walk *w)
{
	struct audit *a = w->a;

	for (unsigned l = 0; l < TILE_LEVELS; l++) {
		uint64_t edge = tiles_count(a->size, l) / TILE_WIDTH;
		unsigned last = 0;

		for (size_t i = 0; i < a->nheads; i++) {
			uint64_t c = tiles_count(a->heads[i].size, l);
			unsigned width = (unsigned)(c % TILE_WIDTH);
			char path[sizeof(LOG) + TILE_PATH_MAX] = LOG;

			if (width == 0 || width == last || c / TILE_WIDTH != edge)
				continue;
			last = width;
			for (int k = 0; k < (l == 0 ? 2 : 1); k++) {
				unsigned level = k == 0 ? l : TILE_ENTRIES;

				if (file_there(w, level, edge, width) || file_there(w, level, edge, TILE_WIDTH))
					continue;
				tiles_path(level, edge, width, path + strlen(LOG));
				audit_say(a, VERDICT_DISPROVEN, path, "is missing, but the checkpoint of %llu entries needs it.",
				    (unsigned long long)a->heads[i].size);
			}
		}
	}
}

/* Of a level, of thousands of tiles, of a tile's narrower files?  A crash may leave such a directory empty. */
static bool
is_tile_dir(const char *name)
{
	size_t n = strlen(name), digits = strspn(name, "0123456789");

	return strcmp(name, "entries") == 0 || (n > 0 && digits == n && n <= 2) || (digits == 3 && strcmp(name + 3, ".p") == 0) ||
	    (name[0] == 'x' && n == 4 && strspn(name + 1, "0123456789") == 3);
}

/* Directories and files below tile/ that no tree of this size has. */
static int
check_strays(struct walk *w, const char *dir, struct err *e)
{
	struct audit_list l = { 0 };
	int r = audit_list(w->a, dir, &l, e);

	for (size_t i = 0; r == 0 && i < l.n; i++) {
		char path[1024];
		unsigned level, width;
		uint64_t n;
		AUTO_FD fd = -1;

		if (snprintf(path, sizeof(path), "%s/%s", dir, l.v[i]) >= (int)sizeof(path) - TILE_PATH_MAX) {
			audit_say(w->a, VERDICT_DISPROVEN, dir, "holds what does not belong to this log.");
			continue;
		}
		if (is_tile_dir(l.v[i]) && (fd = path_open(w->a->dir, path, O_RDONLY | O_DIRECTORY)) >= 0) {
			r = check_strays(w, path, e);
			continue;
		}
		if (is_tile_dir(l.v[i]) && errno != ENOTDIR && errno != ELOOP && errno != EXDEV) {
			audit_unread(w->a, path, strerror(errno));
			continue;
		}
		if (tiles_path_parse(path + strlen(LOG), &level, &n, &width) < 0 ||
		    n > w->total / TILE_WIDTH ||
		    n * TILE_WIDTH + width > tiles_count(w->total, level == TILE_ENTRIES ? 0 : level))
			audit_say(w->a, VERDICT_DISPROVEN, path, "does not belong to this log.");
	}
	free(l.v);
	return r;
}

/* --- entries --------------------------------------------------------------------------- */

static void
open_journal(struct walk *w, int evidence)
{
	static const char path[] = "evidence/journal";
	struct audit *a = w->a;
	struct err e = { 0 };
	uint64_t end;

	if (journal_open(&w->journal, evidence, true, &e) < 0) {
		audit_say_err(a, path, &e);
		w->journal = NULL;
		return;
	}
	end = journal_end(w->journal);
	if (journal_first(w->journal) > a->size)
		audit_say(a, VERDICT_DISPROVEN, path, "begins at entry %llu, behind the end of the log.",
		    (unsigned long long)journal_first(w->journal));
	else if (end < a->size)
		audit_say(a, VERDICT_DISPROVEN, path, "ends at entry %llu, the log has %llu: it was cut or changed.",
		    (unsigned long long)end, (unsigned long long)a->size);
	else if (journal_torn(w->journal))
		audit_say(a, VERDICT_UNKNOWN, path,
		    "ends in a damaged record behind entry %llu: an interrupted write, or a change.", (unsigned long long)end);
	if (journal_first(w->journal) <= a->size && end > a->size)
		w->total = end;
}

/* All entries of a bundle that are under the checkpoint; false: it was said why not. */
static bool
load_bundle(struct walk *w, uint64_t n)
{
	uint64_t left = w->a->size - n * TILE_WIDTH;
	unsigned width = left < TILE_WIDTH ? (unsigned)left : TILE_WIDTH;
	char path[sizeof(LOG) + TILE_PATH_MAX] = LOG;
	struct err why = { 0 };

	tiles_path(TILE_ENTRIES, n, width, path + strlen(LOG));
	if (!file_there(w, TILE_ENTRIES, n, width) && !file_there(w, TILE_ENTRIES, n, TILE_WIDTH)) {
		audit_say(w->a, VERDICT_DISPROVEN, path, "is missing, and the entries with it.");
		return false;
	}
	if (tiles_bundle(w->tiles, n, width, &w->bundle, &why) < 0) {
		audit_say_err(w->a, path, &why);
		return false;
	}
	return true;
}

/* The bytes of entry i: from its bundle, above the checkpoint from the journal. 1, 0 when that was said to fail. */
static int
entry_bytes(struct walk *w, uint64_t i, struct err *e)
{
	struct audit *a = w->a;
	unsigned k = (unsigned)(i % TILE_WIDTH);
	AUTO_BUF b = { 0 };
	struct err why = { 0 };
	int r;

	if (i < a->size) {
		if (k == 0 && !load_bundle(w, i / TILE_WIDTH))
			return 0;
		w->at[k + 1] = w->at[k] + 2 + ((uint32_t)w->bundle.data[w->at[k]] << 8 | w->bundle.data[w->at[k] + 1]);
		return 1;
	}
	buf_init(&b, ENTRY_MAX);
	if ((r = journal_read(w->journal, i, &b, &why)) < 0) {
		audit_say_err(a, "evidence/journal", &why);
		return 0;
	}
	if (k == 0)
		buf_clear(&w->bundle);
	buf_put_u16(&w->bundle, (uint16_t)b.len);
	buf_put(&w->bundle, b.data, b.len);
	w->at[k + 1] = (uint32_t)w->bundle.len;
	return buf_ok(&w->bundle) ? 1 : err_set(e, ERR_MEM, "audit");
}

/* The journal still holds this entry: is it the same? */
static void
compare_journal(struct walk *w, uint64_t i, const uint8_t *text, size_t len)
{
	AUTO_BUF b = { 0 };
	struct err e = { 0 };

	if (w->journal == NULL || i < journal_first(w->journal) || i >= journal_end(w->journal) || i >= w->a->size)
		return;
	buf_init(&b, ENTRY_MAX);
	if (journal_read(w->journal, i, &b, &e) < 0)
		audit_say_err(w->a, "evidence/journal", &e);
	else if (b.len != len || memcmp(b.data, text, len) != 0)
		audit_say(w->a, VERDICT_DISPROVEN, "evidence/journal", "entry %llu is not the one in the log.",
		    (unsigned long long)i);
}

/* After entry i: whichever checkpoint ends here must have this root. */
static void
compare_roots(struct walk *w)
{
	struct audit *a = w->a;
	uint64_t size = merkle_size(w->tree);
	uint8_t root[HASH_LEN];
	char path[64];

	if (w->has_since && w->since.size == size) {
		merkle_root(w->tree, root);
		w->since_differs = memcmp(root, w->since.root, HASH_LEN) != 0;
	}
	if (w->next_head == a->nheads || a->heads[w->next_head].size != size)
		return;
	merkle_root(w->tree, root);
	if (memcmp(root, a->heads[w->next_head].root, HASH_LEN) != 0) {
		snprintf(path, sizeof(path), "evidence/checkpoints/%llu", (unsigned long long)size);
		audit_say(a, VERDICT_DISPROVEN, path, "its root is not that of the first %llu entries.",
		    (unsigned long long)size);
	}
	w->next_head++;
}

/* A break names the log it goes on from: that must be the one before it. */
static void
compare_break(struct walk *w, uint64_t i)
{
	const struct audit *a = w->a;
	uint8_t root[HASH_LEN];
	const struct audit_break *b;

	if (a->nbreaks == w->breaks_seen)
		return;
	w->breaks_seen = a->nbreaks;
	b = &a->breaks[a->nbreaks - 1];
	merkle_root(w->tree, root);
	if (b->disk_size != i || memcmp(b->disk_root, root, HASH_LEN) != 0)
		audit_say(w->a, VERDICT_DISPROVEN, "evidence/log", "entry %llu names another log than the one before it.",
		    (unsigned long long)i);
}

static int
walk_entry(struct walk *w, uint64_t i, struct err *e)
{
	unsigned k = (unsigned)(i % TILE_WIDTH);
	uint8_t leaf[HASH_LEN];
	const uint8_t *text;
	size_t len;
	int r;

	if ((r = entry_bytes(w, i, e)) != 1)
		return r;
	text = w->bundle.data + w->at[k] + 2;
	len = w->at[k + 1] - w->at[k] - 2;
	compare_journal(w, i, text, len);
	if ((r = audit_entry(w->a, i, text, len, e)) < 0)
		return r;
	compare_break(w, i);
	merkle_leaf(w->tree, text, len, leaf);
	merkle_add(w->tree, leaf);
	if (i < w->a->size)
		compare_roots(w);
	if (k + 1 == TILE_WIDTH && (r = check_tile(w, TILE_ENTRIES, i / TILE_WIDTH, TILE_WIDTH, e)) < 0)
		return r;
	return (r = level_add(w, 0, leaf, e)) < 0 ? r : 1;
}

static int
walk_all(struct walk *w, struct err *e)
{
	struct audit *a = w->a;
	unsigned k;
	int r;

	for (uint64_t i = 0; i < w->total; i++) {
		if ((r = walk_entry(w, i, e)) != 1)
			return r;
		if (i < a->size)
			a->res->entries++;
		else
			a->res->unpublished++;
	}
	a->whole = true;
	k = (unsigned)(w->total % TILE_WIDTH);
	if (k > 0 && (r = check_tile(w, TILE_ENTRIES, w->total / TILE_WIDTH, k, e)) < 0)
		return r;
	for (unsigned l = 0; l < TILE_LEVELS; l++)
		if (w->level[l].width > 0 && (r = check_tile(w, l, w->level[l].n, w->level[l].width, e)) < 0)
			return r;
	check_needed(w);
	return check_strays(w, LOG "tile", e);
}

int
audit_log(struct audit *a, struct err *e)
{
	AUTO_FD evidence = -1, log = -1;
	struct walk *w;
	int r;

	if ((evidence = path_open(a->dir, "evidence", O_RDONLY | O_DIRECTORY)) < 0 ||
	    (log = path_open(a->dir, "evidence/log", O_RDONLY | O_DIRECTORY)) < 0) {
		audit_say(a, errno == ENOENT ? VERDICT_DISPROVEN : VERDICT_UNKNOWN, "evidence/log",
		    "can not be opened: %s.", strerror(errno));
		return 0;
	}
	if ((w = calloc(1, sizeof(*w))) == NULL)
		return err_set(e, ERR_MEM, "audit");
	w->a = a;
	w->tree = merkle_new();
	buf_init(&w->bundle, BUNDLE_MAX);
	read_key(a);
	if ((r = read_kept(a, e)) == 0 && (r = tiles_open(&w->tiles, log, e)) == 0) {
		read_head(a);
		read_since(w);
		w->total = a->size;
		/* without the key there is no telling how long the log is */
		if (a->has_key) {
			open_journal(w, evidence);
			if ((r = walk_all(w, e)) == 0)
				check_since(w);
		}
	}
	journal_free(w->journal);
	tiles_free(w->tiles);
	merkle_free(w->tree);
	buf_done(&w->bundle);
	free(w);
	return r;
}
