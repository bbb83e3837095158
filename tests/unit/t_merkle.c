#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal/evidence/merkle.h"
#include "tests/unit/test.h"

#define N 70

static uint8_t leaves[N][HASH_LEN];

/* RFC 6962, 2.1, written down literally: the judge of the code under test. */
static void
mth(size_t lo, size_t n, uint8_t out[HASH_LEN])
{
	uint8_t in[65] = { 1 };
	size_t k = 1;

	if (n == 1) {
		memcpy(out, leaves[lo], HASH_LEN);
		return;
	}
	while (2 * k < n)
		k *= 2;
	mth(lo, k, in + 1);
	mth(lo + k, n - k, in + 33);
	hash_bytes(in, sizeof(in), out);
}

static int
get(void *ctx, unsigned level, uint64_t index, uint8_t out[HASH_LEN], struct err *e)
{
	size_t n = (size_t)1 << level;

	if ((index + 1) * n > *(size_t *)ctx)
		return err_set(e, ERR_LOG, "beyond the tree");
	mth((size_t)index * n, n, out);
	return 0;
}

static int
starts(const uint8_t h[HASH_LEN], const char *hex)
{
	char all[HASH_HEX];

	hash_hex(h, all);
	return strncmp(all, hex, strlen(hex)) == 0;
}

static void
make_leaves(struct merkle *m)
{
	char text[32];

	for (size_t i = 0; i < N; i++)
		merkle_leaf(m, text, (size_t)snprintf(text, sizeof(text), "entry %zu", i), leaves[i]);
}

static void
test_vectors(struct merkle *m)
{
	static const struct {
		size_t size;
		const char *root;
	} roots[] = {
		{ 2, "5a47662fd8a317d96049a3f9f47c55dc67ca66051baa3683dbb19b2fe09a07b0" },
		{ 3, "94fbd0dd836f50301692e6d0eade728ee19ec52bfff1606ed807c8575d5aaa19" },
		{ 7, "98c97f0ba3175cd08b031dd084b9dc4e649b64d1a28e6ea694646503173ab587" },
	};
	static const char *const in7[] = { "9ff537b618a257ef", "be15781b628a2841", "9799f307517ef517" };
	static const char *const from3[] = { "57c79f4f31ae029c", "61ca1139f6815841", "5a47662fd8a317d9",
		"94afb8a2ca051c05" };
	uint8_t root[HASH_LEN], proof[MERKLE_PROOF_MAX][HASH_LEN];
	struct err e = { 0 };
	size_t size = 7, n, done = 0;

	merkle_root(m, root);
	CHECK(starts(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
	    "the empty tree's root is SHA-256 of nothing");
	CHECK(starts(leaves[0], "773885a613489e24ce2cf76199d6a423f042e4bbf12d7eecee912ef276c65701"),
	    "leaf hash of 'entry 0'");
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		for (; done < roots[i].size; done++)
			merkle_add(m, leaves[done]);
		merkle_root(m, root);
		CHECK(starts(root, roots[i].root), "root of %zu entries", roots[i].size);
	}
	CHECK(merkle_prove_inclusion(m, 4, 7, get, &size, proof, &n, &e) == 0 && n == 3, "entry 4 in 7: three hashes");
	for (size_t i = 0; i < 3; i++)
		CHECK(starts(proof[i], in7[i]), "inclusion proof, hash %zu", i);
	CHECK(merkle_prove_consistency(m, 3, 7, get, &size, proof, &n, &e) == 0 && n == 4, "3 to 7: four hashes");
	for (size_t i = 0; i < 4; i++)
		CHECK(starts(proof[i], from3[i]), "consistency proof, hash %zu", i);
}

/* Every index of every size: the proof holds, a changed one does not. */
static void
test_inclusion(struct merkle *m)
{
	uint8_t root[HASH_LEN], proof[MERKLE_PROOF_MAX][HASH_LEN];
	struct err e = { 0 };
	size_t n, bad = 0, lies = 0;

	for (size_t size = 1; size <= N; size++) {
		mth(0, size, root);
		for (size_t i = 0; i < size; i++) {
			const uint8_t(*p)[HASH_LEN] = (const uint8_t(*)[HASH_LEN])proof;

			bad += merkle_prove_inclusion(m, i, size, get, &size, proof, &n, &e) != 0 ||
			    merkle_check_inclusion(m, i, size, leaves[i], p, n, root) != 0;
			lies += merkle_check_inclusion(m, i, size, leaves[(i + 1) % N], p, n, root) == 0;
			lies += merkle_check_inclusion(m, i, size, leaves[i], p, n + 1, root) == 0;
			lies += size > 1 && merkle_check_inclusion(m, (i + 1) % size, size, leaves[i], p, n, root) == 0;
			if (n == 0)
				continue;
			lies += merkle_check_inclusion(m, i, size, leaves[i], p, n - 1, root) == 0;
			proof[n - 1][31] ^= 1;
			lies += merkle_check_inclusion(m, i, size, leaves[i], p, n, root) == 0;
		}
	}
	CHECK(bad == 0, "every entry of every tree up to %d has a proof that holds", N);
	CHECK(lies == 0, "no changed leaf, hash, index or length passes as one");
	CHECK(merkle_check_inclusion(m, 7, 7, leaves[0], NULL, 0, root) < 0, "an index beyond the tree is refused");
	CHECK(merkle_prove_inclusion(m, 7, 7, get, &n, proof, &n, &e) == -ERR_LOG, "and not proven");
}

static void
test_consistency(struct merkle *m)
{
	uint8_t root[HASH_LEN], old[HASH_LEN], proof[MERKLE_PROOF_MAX][HASH_LEN];
	struct err e = { 0 };
	size_t n, bad = 0, lies = 0;

	for (size_t size = 1; size <= N; size++) {
		mth(0, size, root);
		for (size_t from = 1; from <= size; from++) {
			const uint8_t(*p)[HASH_LEN] = (const uint8_t(*)[HASH_LEN])proof;

			mth(0, from, old);
			bad += merkle_prove_consistency(m, from, size, get, &size, proof, &n, &e) != 0 ||
			    merkle_check_consistency(m, from, old, size, root, p, n) != 0;
			if (n == 0)
				continue;
			lies += merkle_check_consistency(m, from, old, size, root, p, n - 1) == 0;
			proof[0][0] ^= 1;
			lies += merkle_check_consistency(m, from, old, size, root, p, n) == 0;
			proof[0][0] ^= 1;
			old[5] ^= 1;
			lies += merkle_check_consistency(m, from, old, size, root, p, n) == 0;
		}
	}
	CHECK(bad == 0, "every smaller tree is a prefix of every larger one, provably");
	CHECK(lies == 0, "no changed hash, root or length passes as one");
}

static void
test_edge(struct merkle *m)
{
	uint8_t a[HASH_LEN], b[HASH_LEN];
	struct merkle *from = merkle_new();
	struct err e = { 0 };
	size_t bad = 0, all = N;

	for (size_t size = 0; size <= N; size++) {
		bad += merkle_load(m, size, get, &all, &e) != 0 || merkle_size(m) != size;
		if (size < N)
			merkle_add(m, leaves[size]);
		merkle_root(m, a);
		mth(0, size < N ? size + 1 : N, b);
		bad += memcmp(a, b, HASH_LEN) != 0;
	}
	CHECK(bad == 0, "an edge loaded from stored hashes grows like one that was never left");
	merkle_copy(from, m);
	merkle_root(from, b);
	CHECK(memcmp(a, b, HASH_LEN) == 0, "a copied edge has the same root");
	merkle_fold(m, (const uint8_t(*)[HASH_LEN])leaves, N, b);
	CHECK(memcmp(a, b, HASH_LEN) == 0, "and so has the fold of all leaves");
	merkle_free(from);
}

int
main(void)
{
	struct merkle *m = merkle_new();

	make_leaves(m);
	test_vectors(m);
	test_inclusion(m);
	test_consistency(m);
	test_edge(m);
	merkle_free(m);
	return TEST_DONE();
}
