#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal/evidence/merkle.h"

/*
 * The edge of a tree of n leaves: one complete subtree for each bit set in n,
 * edge[k] holding 2^k leaves.  Adding a leaf is counting in binary.
 */
struct merkle {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
	uint64_t size;
	uint8_t edge[64][HASH_LEN];
};

static void
must(bool ok)
{
	if (!ok) {
		fprintf(stderr, "libcrypto: SHA-256 is not available\n");
		abort();
	}
}

struct merkle *
merkle_new(void)
{
	struct merkle *m = calloc(1, sizeof(*m));

	must(m != NULL && (m->md = EVP_MD_fetch(NULL, "SHA2-256", NULL)) != NULL &&
	    (m->ctx = EVP_MD_CTX_new()) != NULL);
	return m;
}

void
merkle_free(struct merkle *m)
{
	if (m == NULL)
		return;
	EVP_MD_CTX_free(m->ctx);
	EVP_MD_free(m->md);
	free(m);
}

void
merkle_leaf(struct merkle *m, const void *p, size_t n, uint8_t ret[HASH_LEN])
{
	static const uint8_t prefix = 0x00;

	must(EVP_DigestInit_ex2(m->ctx, m->md, NULL) == 1 && EVP_DigestUpdate(m->ctx, &prefix, 1) == 1 &&
	    EVP_DigestUpdate(m->ctx, p, n) == 1 && EVP_DigestFinal_ex(m->ctx, ret, NULL) == 1);
}

void
merkle_node(struct merkle *m, const uint8_t l[HASH_LEN], const uint8_t r[HASH_LEN], uint8_t ret[HASH_LEN])
{
	uint8_t in[1 + 2 * HASH_LEN] = { 0x01 };

	memcpy(in + 1, l, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, r, HASH_LEN);
	must(EVP_DigestInit_ex2(m->ctx, m->md, NULL) == 1 && EVP_DigestUpdate(m->ctx, in, sizeof(in)) == 1 &&
	    EVP_DigestFinal_ex(m->ctx, ret, NULL) == 1);
}

static void
merkle_empty(struct merkle *m, uint8_t ret[HASH_LEN])
{
	must(EVP_DigestInit_ex2(m->ctx, m->md, NULL) == 1 && EVP_DigestFinal_ex(m->ctx, ret, NULL) == 1);
}

/* Largest power of two smaller than n, n > 1 (RFC 6962: "k"). */
static uint64_t
split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

static unsigned
log2_of(uint64_t power)
{
	return (unsigned)__builtin_ctzll(power);
}

void
merkle_fold(struct merkle *m, const uint8_t (*h)[HASH_LEN], size_t n, uint8_t ret[HASH_LEN])
{
	uint8_t l[HASH_LEN], r[HASH_LEN];
	size_t k;

	if (n == 0) {
		merkle_empty(m, ret);
	} else if (n == 1) {
		memcpy(ret, h[0], HASH_LEN);
	} else {
		k = (size_t)split(n);
		merkle_fold(m, h, k, l);
		merkle_fold(m, h + k, n - k, r);
		merkle_node(m, l, r, ret);
	}
}

void
merkle_add(struct merkle *m, const uint8_t leaf[HASH_LEN])
{
	uint8_t h[HASH_LEN];
	unsigned k = 0;

	memcpy(h, leaf, HASH_LEN);
	for (; m->size >> k & 1; k++)
		merkle_node(m, m->edge[k], h, h);
	memcpy(m->edge[k], h, HASH_LEN);
	m->size++;
}

void
merkle_root(struct merkle *m, uint8_t ret[HASH_LEN])
{
	bool have = false;

	if (m->size == 0)
		merkle_empty(m, ret);
	for (unsigned k = 0; k < 64; k++) {
		if (!(m->size >> k & 1))
			continue;
		if (have)
			merkle_node(m, m->edge[k], ret, ret);
		else
			memcpy(ret, m->edge[k], HASH_LEN);
		have = true;
	}
}

uint64_t
merkle_size(const struct merkle *m)
{
	return m->size;
}

void
merkle_copy(struct merkle *to, const struct merkle *from)
{
	to->size = from->size;
	memcpy(to->edge, from->edge, sizeof(to->edge));
}

int
merkle_load(struct merkle *m, uint64_t size, merkle_get *get, void *ctx, struct err *e)
{
	uint64_t at = 0;
	int r;

	for (unsigned k = 64; k-- > 0;) {
		if (!(size >> k & 1))
			continue;
		if ((r = get(ctx, k, at >> k, m->edge[k], e)) < 0)
			return r;
		at += UINT64_C(1) << k;
	}
	m->size = size;
	return 0;
}

/* Where the hashes come from, and where a proof grows. */
struct prover {
	struct merkle *m;
	merkle_get *get;
	void *ctx;
	uint8_t (*proof)[HASH_LEN];
	size_t n;
};

/* MTH(D[lo:hi]); lo is a multiple of the smallest power of two >= hi - lo. */
static int
range_root(struct prover *p, uint64_t lo, uint64_t hi, uint8_t ret[HASH_LEN], struct err *e)
{
	uint8_t l[HASH_LEN], r[HASH_LEN];
	uint64_t n = hi - lo, k;
	int rc;

	if ((n & (n - 1)) == 0)
		return p->get(p->ctx, log2_of(n), lo >> log2_of(n), ret, e);
	k = split(n);
	if ((rc = range_root(p, lo, lo + k, l, e)) < 0 || (rc = range_root(p, lo + k, hi, r, e)) < 0)
		return rc;
	merkle_node(p->m, l, r, ret);
	return 0;
}

static int
prove_range(struct prover *p, uint64_t lo, uint64_t hi, struct err *e)
{
	if (p->n == MERKLE_PROOF_MAX)
		return err_set(e, ERR_LOG, "a proof of more than %d hashes", MERKLE_PROOF_MAX);
	return range_root(p, lo, hi, p->proof[p->n++], e);
}

/* RFC 6962, 2.1.1: PATH(m, D[lo:hi]), sibling first. */
static int
path(struct prover *p, uint64_t m, uint64_t lo, uint64_t hi, struct err *e)
{
	uint64_t k;
	int r;

	if (hi - lo == 1)
		return 0;
	k = lo + split(hi - lo);
	if (m < k)
		return (r = path(p, m, lo, k, e)) < 0 ? r : prove_range(p, k, hi, e);
	return (r = path(p, m, k, hi, e)) < 0 ? r : prove_range(p, lo, k, e);
}

int
merkle_prove_inclusion(struct merkle *m, uint64_t index, uint64_t size, merkle_get *get, void *ctx,
    uint8_t (*proof)[HASH_LEN], size_t *ret_n, struct err *e)
{
	struct prover p = { m, get, ctx, proof, 0 };
	int r;

	if (index >= size)
		return err_set(e, ERR_LOG, "entry %llu is not among the first %llu", (unsigned long long)index,
		    (unsigned long long)size);
	if ((r = path(&p, index, 0, size, e)) < 0)
		return r;
	*ret_n = p.n;
	return 0;
}

/* RFC 6962, 2.1.2: SUBPROOF(m, D[lo:hi], whole); m counts from lo. */
static int
subproof(struct prover *p, uint64_t m, uint64_t lo, uint64_t hi, bool whole, struct err *e)
{
	uint64_t k;
	int r;

	if (m == hi - lo)
		return whole ? 0 : prove_range(p, lo, hi, e);
	k = split(hi - lo);
	if (m <= k)
		return (r = subproof(p, m, lo, lo + k, whole, e)) < 0 ? r : prove_range(p, lo + k, hi, e);
	return (r = subproof(p, m - k, lo + k, hi, false, e)) < 0 ? r : prove_range(p, lo, lo + k, e);
}

int
merkle_prove_consistency(struct merkle *m, uint64_t from, uint64_t size, merkle_get *get, void *ctx,
    uint8_t (*proof)[HASH_LEN], size_t *ret_n, struct err *e)
{
	struct prover p = { m, get, ctx, proof, 0 };
	int r;

	if (from == 0 || from > size)
		return err_set(e, ERR_LOG, "no consistency proof from %llu to %llu", (unsigned long long)from,
		    (unsigned long long)size);
	if ((r = subproof(&p, from, 0, size, true, e)) < 0)
		return r;
	*ret_n = p.n;
	return 0;
}

int
merkle_check_inclusion(struct merkle *m, uint64_t index, uint64_t size, const uint8_t leaf[HASH_LEN],
    const uint8_t (*proof)[HASH_LEN], size_t n, const uint8_t root[HASH_LEN])
{
	uint64_t fn = index, sn = size - 1;
	uint8_t r[HASH_LEN];

	if (index >= size)
		return -1;
	memcpy(r, leaf, HASH_LEN);
	for (size_t i = 0; i < n; i++) {
		if (sn == 0)
			return -1;
		if ((fn & 1) || fn == sn) {
			merkle_node(m, proof[i], r, r);
			while (!(fn & 1) && fn != 0) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(m, r, proof[i], r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(r, root, HASH_LEN) == 0 ? 0 : -1;
}

int
merkle_check_consistency(struct merkle *m, uint64_t from, const uint8_t from_root[HASH_LEN], uint64_t size,
    const uint8_t root[HASH_LEN], const uint8_t (*proof)[HASH_LEN], size_t n)
{
	uint64_t fn, sn;
	uint8_t fr[HASH_LEN], sr[HASH_LEN];
	size_t i = 0;

	if (from > size)
		return -1;
	if (from == size)
		return n == 0 && memcmp(from_root, root, HASH_LEN) == 0 ? 0 : -1;
	if (from == 0)
		return n == 0 ? 0 : -1;
	if (n == 0)
		return -1;
	fn = from - 1;
	sn = size - 1;
	for (; fn & 1; fn >>= 1)
		sn >>= 1;
	/* an old tree that is one complete subtree is its own first hash */
	memcpy(fr, (from & (from - 1)) == 0 ? from_root : proof[i++], HASH_LEN);
	memcpy(sr, fr, HASH_LEN);
	for (; i < n; i++) {
		if (sn == 0)
			return -1;
		if ((fn & 1) || fn == sn) {
			merkle_node(m, proof[i], fr, fr);
			merkle_node(m, proof[i], sr, sr);
			while (fn != 0 && !(fn & 1)) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			merkle_node(m, sr, proof[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && memcmp(fr, from_root, HASH_LEN) == 0 && memcmp(sr, root, HASH_LEN) == 0 ? 0 : -1;
}
