#include <stdlib.h>
#include <string.h>

#include "agent/lib/derput.h"
#include "seal/evidence/hashtree.h"
#include "seal/evidence/note.h"

#define MAGIC "sealroom-tree/v1\n"

struct group {
	struct hashtree_group g;
	size_t at; /* of its first hash in the pool, which moves as it grows */
};

struct hashtree {
	struct hashtree_head head;
	struct group *groups;
	size_t n, cap;
	uint8_t (*pool)[HASH_LEN];
	size_t pooled, pool_cap;
	uint8_t root[HASH_LEN];
};

static const char *const kinds[] = { [HASHTREE_DOCUMENTS] = "documents", [HASHTREE_RENEWAL] = "renewal" };

/* --- building ---------------------------------------------------------------------------- */

int
hashtree_new(struct hashtree **ret, const struct hashtree_head *head, struct err *e)
{
	if ((*ret = calloc(1, sizeof(**ret))) == NULL)
		return err_set(e, ERR_MEM, "hash tree");
	(*ret)->head = *head;
	return 0;
}

void
hashtree_free(struct hashtree *t)
{
	if (t == NULL)
		return;
	free(t->groups);
	free(t->pool);
	free(t);
}

static int
by_hash(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

/* Room for one more group and n more hashes. */
static int
grow(struct hashtree *t, size_t n, struct err *e)
{
	size_t want;
	void *p;

	if (t->n == t->cap) {
		want = t->cap == 0 ? 16 : 2 * t->cap;
		if ((p = reallocarray(t->groups, want, sizeof(*t->groups))) == NULL)
			return err_set(e, ERR_MEM, "hash tree");
		t->groups = p;
		t->cap = want;
	}
	if (n > t->pool_cap - t->pooled) {
		want = 2 * t->pool_cap + n;
		if ((p = reallocarray(t->pool, want, HASH_LEN)) == NULL)
			return err_set(e, ERR_MEM, "hash tree");
		t->pool = p;
		t->pool_cap = want;
	}
	return 0;
}

int
hashtree_add(struct hashtree *t, const char *label, uint64_t number, const uint8_t (*hashes)[HASH_LEN], size_t n,
    struct err *e)
{
	uint8_t (*to)[HASH_LEN];
	struct group *g;
	int r;

	if (t->n == HASHTREE_GROUPS_MAX || n == 0 || n > HASHTREE_MEMBERS_MAX || strlen(label) >= ID_MAX)
		return err_set(e, ERR_LOG, "hash tree: too many groups, or a group of %zu hashes", n);
	if ((r = grow(t, n, e)) < 0)
		return r;
	g = &t->groups[t->n++];
	*g = (struct group){ .g = { .number = number, .n = 1 }, .at = t->pooled };
	strcpy(g->g.label, label);
	to = t->pool + t->pooled;
	memcpy(to, hashes, n * HASH_LEN);
	qsort(to, n, HASH_LEN, by_hash);
	for (size_t i = 1; i < n; i++)
		if (memcmp(to[i], to[g->g.n - 1], HASH_LEN) != 0)
			memmove(to[g->g.n++], to[i], HASH_LEN);
	t->pooled += g->g.n;
	if (g->g.n == 1)
		memcpy(g->g.leaf, to[0], HASH_LEN);
	else
		hash_bytes(to, g->g.n * HASH_LEN, g->g.leaf);
	return 0;
}

void
hashtree_cut(struct hashtree *t, uint64_t last)
{
	t->head.last = last;
}

static int
by_leaf(const void *a, const void *b)
{
	const struct hashtree_group *x = &((const struct group *)a)->g, *y = &((const struct group *)b)->g;
	int c = memcmp(x->leaf, y->leaf, HASH_LEN);

	if (c == 0)
		c = strcmp(x->label, y->label);
	return c != 0 ? c : x->number < y->number ? -1 : x->number > y->number;
}

static int
by_name(const void *a, const void *b)
{
	const struct hashtree_group *x = *(const struct hashtree_group *const *)a, *y = *(const struct hashtree_group *const *)b;
	int c = strcmp(x->label, y->label);

	return c != 0 ? c : x->number < y->number ? -1 : x->number > y->number;
}

static int
check_names(const struct hashtree *t, struct err *e)
{
	const struct hashtree_group **p = calloc(t->n, sizeof(*p));
	int r = 0;

	if (p == NULL)
		return err_set(e, ERR_MEM, "hash tree");
	for (size_t i = 0; i < t->n; i++)
		p[i] = &t->groups[i].g;
	qsort(p, t->n, sizeof(*p), by_name);
	for (size_t i = 1; r == 0 && i < t->n; i++)
		if (by_name(&p[i - 1], &p[i]) == 0)
			r = err_set(e, ERR_LOG, "hash tree: %s %llu is in it twice", p[i]->label, (unsigned long long)p[i]->number);
	free(p);
	return r;
}

static void
father(const uint8_t a[HASH_LEN], const uint8_t b[HASH_LEN], uint8_t ret[HASH_LEN])
{
	uint8_t both[2][HASH_LEN];
	int first = memcmp(a, b, HASH_LEN) > 0;

	memcpy(both[first], a, HASH_LEN);
	memcpy(both[1 - first], b, HASH_LEN);
	hash_bytes(both, sizeof(both), ret);
}

/* One level up, in place. */
static size_t
fold(uint8_t (*level)[HASH_LEN], size_t n)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		father(level[i], level[i + 1], level[i / 2]);
	if (n % 2 == 1)
		memmove(level[n / 2], level[n - 1], HASH_LEN);
	return (n + 1) / 2;
}

static uint8_t (*
leaves(const struct hashtree *t, struct err *e))[HASH_LEN]
{
	uint8_t (*level)[HASH_LEN] = calloc(t->n, HASH_LEN);

	if (level == NULL)
		err_set(e, ERR_MEM, "hash tree");
	for (size_t i = 0; level != NULL && i < t->n; i++)
		memcpy(level[i], t->groups[i].g.leaf, HASH_LEN);
	return level;
}

int
hashtree_close(struct hashtree *t, struct err *e)
{
	uint8_t (*level)[HASH_LEN];
	size_t n = t->n;
	int r;

	if (n == 0)
		return err_set(e, ERR_LOG, "hash tree: nothing in it");
	if ((r = check_names(t, e)) < 0)
		return r;
	qsort(t->groups, n, sizeof(*t->groups), by_leaf);
	for (size_t i = 0; i < n; i++)
		t->groups[i].g.hashes = (const uint8_t (*)[HASH_LEN])t->pool + t->groups[i].at;
	if ((level = leaves(t, e)) == NULL)
		return -(int)e->code;
	while (n > 1)
		n = fold(level, n);
	memcpy(t->root, level[0], HASH_LEN);
	free(level);
	return 0;
}

const struct hashtree_head *
hashtree_head(const struct hashtree *t)
{
	return &t->head;
}

void
hashtree_root(const struct hashtree *t, uint8_t ret[HASH_LEN])
{
	memcpy(ret, t->root, HASH_LEN);
}

size_t
hashtree_count(const struct hashtree *t)
{
	return t->n;
}

const struct hashtree_group *
hashtree_group(const struct hashtree *t, size_t i)
{
	return &t->groups[i].g;
}

long
hashtree_find(const struct hashtree *t, const char *label, uint64_t number)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->groups[i].g.number == number && strcmp(t->groups[i].g.label, label) == 0)
			return (long)i;
	return -1;
}

/* --- text ---------------------------------------------------------------------------------- */

int
hashtree_text(const struct hashtree *t, struct buf *out, struct err *e)
{
	char hex[HASH_HEX];

	buf_printf(out, MAGIC "kind %s\nhash sha256\n", kinds[t->head.kind]);
	if (t->head.kind == HASHTREE_DOCUMENTS)
		buf_printf(out, "entries %llu %llu\ncheckpoint %llu\n", (unsigned long long)t->head.first,
		    (unsigned long long)t->head.last, (unsigned long long)t->head.checkpoint);
	buf_printf(out, "groups %zu\n", t->n);
	for (size_t i = 0; i < t->n; i++) {
		const struct hashtree_group *g = &t->groups[i].g;

		buf_printf(out, "%s %llu", g->label, (unsigned long long)g->number);
		for (uint32_t k = 0; k < g->n; k++) {
			hash_hex(g->hashes[k], hex);
			buf_put(out, " ", 1);
			buf_put(out, hex, HASH_HEX - 1);
		}
		buf_put(out, "\n", 1);
	}
	return buf_ok(out) ? 0 : err_set(e, ERR_MEM, "hash tree");
}

/* What is left of the text; a word is taken with the character behind it, which must be 'end'. */
struct text {
	const char *p;
	size_t left;
};

static bool
take_word(struct text *t, char end, char *word, size_t size)
{
	size_t n = 0;

	while (n < t->left && t->p[n] != ' ' && t->p[n] != '\n')
		n++;
	if (n == 0 || n >= size || n == t->left || t->p[n] != end)
		return false;
	memcpy(word, t->p, n);
	word[n] = '\0';
	t->p += n + 1;
	t->left -= n + 1;
	return true;
}

static bool
take_number(struct text *t, char end, uint64_t *ret)
{
	char word[24];

	return take_word(t, end, word, sizeof(word)) && note_decimal(word, strlen(word), ret) == 0;
}

/* "key " */
static bool
take_key(struct text *t, const char *key)
{
	char word[16];

	return take_word(t, ' ', word, sizeof(word)) && strcmp(word, key) == 0;
}

static bool
take_head(struct text *t, struct hashtree_head *h, uint64_t *ret_groups)
{
	char word[16];
	size_t n = strlen(MAGIC);

	if (t->left < n || memcmp(t->p, MAGIC, n) != 0)
		return false;
	t->p += n;
	t->left -= n;
	if (!take_key(t, "kind") || !take_word(t, '\n', word, sizeof(word)))
		return false;
	for (h->kind = HASHTREE_DOCUMENTS; strcmp(kinds[h->kind], word) != 0; h->kind++)
		if (h->kind == HASHTREE_RENEWAL)
			return false;
	if (!take_key(t, "hash") || !take_word(t, '\n', word, sizeof(word)) || strcmp(word, "sha256") != 0)
		return false;
	if (h->kind == HASHTREE_DOCUMENTS &&
	    (!take_key(t, "entries") || !take_number(t, ' ', &h->first) || !take_number(t, '\n', &h->last) ||
	        h->last < h->first || !take_key(t, "checkpoint") || !take_number(t, '\n', &h->checkpoint) ||
	        h->checkpoint <= h->last))
		return false;
	return take_key(t, "groups") && take_number(t, '\n', ret_groups);
}

/* The rest of a line: one hash or more. 1, 0: that is not it, -code. */
static int
take_group(struct text *t, struct hashtree *tree, uint8_t (*room)[HASH_LEN], struct err *e)
{
	char label[ID_MAX], hex[HASH_HEX];
	uint64_t number;
	size_t n = 0;
	bool end = false;
	int r;

	if (!take_word(t, ' ', label, sizeof(label)) || !take_number(t, ' ', &number))
		return 0;
	for (; !end; n++) {
		end = !take_word(t, ' ', hex, sizeof(hex));
		if (n == HASHTREE_MEMBERS_MAX || (end && !take_word(t, '\n', hex, sizeof(hex))) ||
		    hash_from_hex(hex, room[n]) < 0)
			return 0;
	}
	return (r = hashtree_add(tree, label, number, (const uint8_t (*)[HASH_LEN])room, n, e)) < 0 ? r : 1;
}

static int
take_groups(struct text *t, struct hashtree *tree, uint64_t n, struct err *e)
{
	uint8_t (*room)[HASH_LEN] = calloc(HASHTREE_MEMBERS_MAX, HASH_LEN);
	int r = room == NULL ? err_set(e, ERR_MEM, "hash tree") : 1;

	for (uint64_t i = 0; r == 1 && i < n; i++)
		r = take_group(t, tree, room, e);
	free(room);
	if (r == 1 && t->left > 0)
		r = 0;
	return r;
}

/* One text for one tree: it must be what we would write. */
static int
check_canonical(const struct hashtree *t, const void *text, size_t len, struct err *e)
{
	AUTO_BUF again = { 0 };
	int r;

	buf_init(&again, HASHTREE_TEXT_MAX);
	if ((r = hashtree_text(t, &again, e)) < 0)
		return r;
	if (again.len != len || memcmp(again.data, text, len) != 0)
		return err_set(e, ERR_LOG, "hash tree: not in its canonical form");
	return 0;
}

int
hashtree_parse(const void *text, size_t len, struct hashtree **ret, struct err *e)
{
	struct text t = { text, len };
	struct hashtree_head head = { 0 };
	struct hashtree *tree;
	uint64_t n;
	int r;

	if (len > HASHTREE_TEXT_MAX || !take_head(&t, &head, &n) || n > HASHTREE_GROUPS_MAX)
		return err_set(e, ERR_LOG, "hash tree: its first lines are none that are known");
	if ((r = hashtree_new(&tree, &head, e)) < 0)
		return r;
	if ((r = take_groups(&t, tree, n, e)) == 0)
		r = err_set(e, ERR_LOG, "hash tree: a group is missing, out of place or malformed");
	if (r == 1 && (r = hashtree_close(tree, e)) == 0)
		r = check_canonical(tree, text, len, e);
	if (r < 0)
		hashtree_free(tree);
	else
		*ret = tree;
	return r;
}

/* --- the way of a group --------------------------------------------------------------------- */

/* A PartialHashtree; for two hashes in their order, as a reader may not sort them. */
static void
put_list(struct buf *out, const uint8_t (*hashes)[HASH_LEN], size_t n)
{
	derput_head(out, DERPUT_SEQUENCE, n * (2 + HASH_LEN));
	for (size_t i = 0; i < n; i++)
		derput(out, DERPUT_OCTETS, hashes[i], HASH_LEN);
}

static void
put_pair(struct buf *out, const uint8_t a[HASH_LEN], const uint8_t b[HASH_LEN])
{
	uint8_t both[2][HASH_LEN];
	int first = memcmp(a, b, HASH_LEN) > 0;

	memcpy(both[first], a, HASH_LEN);
	memcpy(both[1 - first], b, HASH_LEN);
	put_list(out, (const uint8_t (*)[HASH_LEN])both, 2);
}

int
hashtree_reduced(const struct hashtree *t, size_t group, struct buf *out, struct err *e)
{
	const struct hashtree_group *g = &t->groups[group].g;
	uint8_t (*level)[HASH_LEN] = leaves(t, e);
	bool alone = g->n == 1;

	if (level == NULL)
		return -(int)e->code;
	if (!alone)
		put_list(out, g->hashes, g->n);
	for (size_t n = t->n, at = group; n > 1; n = fold(level, n), at /= 2) {
		const uint8_t (*sibling)[HASH_LEN] = (const uint8_t (*)[HASH_LEN])level + (at ^ 1);

		if ((at ^ 1) >= n)
			continue;
		if (alone)
			put_pair(out, g->leaf, *sibling);
		else
			put_list(out, sibling, 1);
		alone = false;
	}
	free(level);
	return buf_ok(out) ? 0 : err_set(e, ERR_MEM, "evidence record");
}
