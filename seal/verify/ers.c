#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/derput.h"
#include "seal/verify/ers.h"
#include "seal/verify/signed.h"
#include "seal/verify/timestamp.h"

/* The walk along the chains. */
struct walk {
	const struct trust *trust;
	char set[MSG_NAME_MAX + 8];
	const uint8_t (*objects)[HASH_LEN];
	size_t n;
	struct ers_result *res;
	struct findings f;
	struct der chains;  /* all of them so far, in a row */
	struct der last;    /* the time stamp before; p NULL: none in this chain */
	bool first;         /* nothing was judged yet */
	uint8_t (*want)[HASH_LEN]; /* what the first list must hold */
	size_t nwant;
};

/* One ArchiveTimeStamp (RFC 4998, 4.1). */
struct stamp {
	bool has_lists;
	struct der lists; /* content of reducedHashtree */
	struct der token; /* whole */
};

static bool
malformed(struct walk *w, const char *what)
{
	return findings_add(&w->f, VERDICT_DISPROVEN, "not an evidence record: %s", what);
}

/* --- hashes ------------------------------------------------------------------------------ */

static void
hash_two(const uint8_t a[HASH_LEN], const uint8_t b[HASH_LEN], uint8_t ret[HASH_LEN])
{
	struct hash *h = hash_open();

	hash_add(h, a, HASH_LEN);
	hash_add(h, b, HASH_LEN);
	hash_final(h, ret);
}

/* RFC 4998, 5.2: the chains before, as an ArchiveTimeStampSequence of their own. */
static void
hash_chains(const struct der *chains, uint8_t ret[HASH_LEN])
{
	struct hash *h = hash_open();
	AUTO_BUF head = { 0 };

	buf_init(&head, 16);
	derput_head(&head, DER_SEQUENCE, chains->len);
	hash_add(h, head.data, head.len);
	hash_add(h, chains->p, chains->len);
	hash_final(h, ret);
}

static int
by_hash(const void *a, const void *b)
{
	return memcmp(a, b, HASH_LEN);
}

/* What this time stamp must cover: the objects, what binds them to older chains, or the time stamp before. */
static void
find_wanted(struct walk *w)
{
	uint8_t before[HASH_LEN];

	w->nwant = w->last.p != NULL ? 1 : w->n;
	if (w->last.p != NULL) {
		hash_bytes(w->last.p, w->last.len, w->want[0]);
		return;
	}
	memcpy(w->want, w->objects, w->n * HASH_LEN);
	if (w->first)
		return;
	hash_chains(&w->chains, before);
	for (size_t i = 0; i < w->n; i++)
		hash_two(w->objects[i], before, w->want[i]);
}

/* --- lists ------------------------------------------------------------------------------- */

/* Hashes of one PartialHashtree, in ascending order; room for what its length allows. */
static bool
read_list(struct der *lists, uint8_t (*room)[HASH_LEN], size_t *ret_n)
{
	struct der list, one;
	size_t n = 0;

	if (!der_take(lists, DER_SEQUENCE, &list) || der_end(&list))
		return false;
	for (; !der_end(&list); n++) {
		if (!der_take(&list, DER_OCTETS, &one) || one.len != HASH_LEN)
			return false;
		memcpy(room[n], one.p, HASH_LEN);
	}
	qsort(room, n, HASH_LEN, by_hash);
	*ret_n = n;
	return true;
}

static bool
all_wanted(struct walk *w, const uint8_t (*list)[HASH_LEN], size_t n)
{
	size_t found = 0;

	for (size_t i = 0; i < w->nwant; i++)
		found += bsearch(w->want[i], list, n, HASH_LEN, by_hash) != NULL;
	if (w->first && n > found)
		w->res->others = (uint32_t)(n - found);
	if (found == w->nwant)
		return true;
	return findings_add(&w->f, VERDICT_DISPROVEN, w->last.p != NULL ? "a renewal does not cover the time stamp before it" :
	                                              w->first         ? "it is not about %zu of the objects" :
	                                                                 "a later chain is not about %zu of the objects",
	    w->nwant - found);
}

/* Does it lead from what is wanted to *root? */
static bool
fold_lists(struct walk *w, struct der lists, uint8_t (*room)[HASH_LEN], uint8_t root[HASH_LEN])
{
	bool first = true;
	size_t n;

	for (; !der_end(&lists); first = false) {
		if (!read_list(&lists, room + !first, &n))
			return malformed(w, "a list of hashes");
		if (first && !all_wanted(w, (const uint8_t (*)[HASH_LEN])room, n))
			return false;
		if (first && n == 1) { /* it stands for itself (RFC 6283, 3.2.2; RFC 4998 can be read either way) */
			memcpy(root, room[0], HASH_LEN);
			continue;
		}
		if (!first)
			memcpy(room[0], root, HASH_LEN);
		n += !first;
		qsort(room, n, HASH_LEN, by_hash);
		hash_bytes(room, n * HASH_LEN, root);
	}
	return true;
}

static bool
find_root(struct walk *w, const struct stamp *s, uint8_t root[HASH_LEN])
{
	uint8_t (*room)[HASH_LEN];
	bool good;

	find_wanted(w);
	if (!s->has_lists) {
		memcpy(root, w->want[0], HASH_LEN);
		return w->nwant == 1 || findings_add(&w->f, VERDICT_DISPROVEN, "it is about one object, not %zu", w->nwant);
	}
	/* a hash takes 34 bytes there */
	if ((room = calloc(s->lists.len / (2 + HASH_LEN) + 2, HASH_LEN)) == NULL)
		return findings_add(&w->f, VERDICT_UNKNOWN, "no memory");
	good = fold_lists(w, s->lists, room, root);
	free(room);
	return good;
}

/* --- time stamps --------------------------------------------------------------------------- */

/* SHA-256, parameters absent or NULL; of an AlgorithmIdentifier its content. */
static bool
is_sha256(struct der body)
{
	struct der oid;

	return der_take(&body, DER_OID, &oid) && der_oid_is(&oid, OID_SHA256) && der_params_empty(&body);
}

static bool
read_stamp(struct walk *w, struct der *chain, struct stamp *s)
{
	struct der body, part;

	memset(s, 0, sizeof(*s));
	if (!der_take(chain, DER_SEQUENCE, &body))
		return malformed(w, "a time stamp");
	if (der_peek(&body) == DER_CONTEXT(0) && (!der_take(&body, DER_CONTEXT(0), &part) || !is_sha256(part)))
		return findings_add(&w->f, VERDICT_UNKNOWN, "a chain is not made with SHA-256");
	if (der_peek(&body) == DER_CONTEXT(1))
		return findings_add(&w->f, VERDICT_UNKNOWN, "it has attributes, which nothing covers");
	if (der_peek(&body) == DER_CONTEXT(2)) {
		s->has_lists = true;
		if (!der_take(&body, DER_CONTEXT(2), &s->lists) || der_end(&s->lists))
			return malformed(w, "lists of hashes");
	}
	return (der_whole(&body, DER_SEQUENCE, &s->token) && der_end(&body)) || malformed(w, "a time stamp");
}

/* Was the one before still good when this one was made? */
static bool
times_fit(struct walk *w, const struct timestamp *ts)
{
	const struct ers_stamp *before;
	char at[CLOCK_ISO_MAX];

	if (w->res->nstamps == 0)
		return true;
	before = &w->res->stamps[w->res->nstamps - 1];
	clock_iso(ts->gen_time_us, at);
	if (ts->gen_time_us < before->gen_time_us)
		return findings_add(&w->f, VERDICT_DISPROVEN, "the time stamp of %s is older than the one it renews", at);
	if (ts->gen_time_us > before->not_after_us)
		return findings_add(&w->f, VERDICT_UNKNOWN, "renewed at %s, when the certificate before had ended", at);
	return true;
}

static bool
judge_stamp(struct walk *w, const struct stamp *s)
{
	uint8_t root[HASH_LEN];
	const struct timestamp_want want = { .imprint = root, .no_strangers = true };
	struct ers_stamp *to = &w->res->stamps[w->res->nstamps];
	struct timestamp ts;

	if (w->res->nstamps == ERS_STAMPS_MAX)
		return findings_add(&w->f, VERDICT_UNKNOWN, "more than %u time stamps", ERS_STAMPS_MAX);
	if (!find_root(w, s, root) ||
	    !timestamp_check(&ts, s->token.p, s->token.len, &want, w->trust, w->set, &w->f) || !times_fit(w, &ts))
		return false;
	to->gen_time_us = ts.gen_time_us;
	to->not_after_us = ts.not_after_us;
	memcpy(to->token_hash, ts.hash, HASH_LEN);
	snprintf(to->signer, sizeof(to->signer), "%s", ts.signer);
	w->res->nstamps++;
	w->first = false;
	w->last = s->token;
	return true;
}

static bool
judge_chain(struct walk *w, struct der chain)
{
	struct stamp s;

	w->last = (struct der){ NULL, 0 };
	if (der_end(&chain))
		return malformed(w, "an empty chain");
	while (!der_end(&chain))
		if (!read_stamp(w, &chain, &s) || !judge_stamp(w, &s))
			return false;
	return true;
}

static bool
judge_chains(struct walk *w, struct der sequence)
{
	const uint8_t *start = sequence.p;
	struct der whole, chain;

	if (der_end(&sequence))
		return malformed(w, "no time stamp");
	w->first = true;
	while (!der_end(&sequence)) {
		w->chains = (struct der){ start, (size_t)(sequence.p - start) };
		if (!der_whole(&sequence, DER_SEQUENCE, &whole) || !der_take(&whole, DER_SEQUENCE, &chain))
			return malformed(w, "a chain");
		if (!judge_chain(w, chain))
			return false;
	}
	return true;
}

static bool
judge_record(struct walk *w, const uint8_t *der, size_t len)
{
	struct der d = { der, len }, body, part, algorithm;
	uint64_t version;

	if (!der_strict(der, len) || !der_take(&d, DER_SEQUENCE, &body) || !der_take(&body, DER_INTEGER, &part) ||
	    !der_u64(&part, &version) || version != 1 || !der_take(&body, DER_SEQUENCE, &part) ||
	    !der_take(&part, DER_SEQUENCE, &algorithm))
		return malformed(w, "its head");
	if (!der_end(&part) || !is_sha256(algorithm))
		return findings_add(&w->f, VERDICT_UNKNOWN, "it is not made with SHA-256 alone");
	if (der_peek(&body) != DER_SEQUENCE)
		return findings_add(&w->f, VERDICT_UNKNOWN, "it has parts (cryptoInfos, encryptionInfo) that are not supported");
	if (!der_take(&body, DER_SEQUENCE, &part) || !der_end(&body))
		return malformed(w, "its end");
	return judge_chains(w, part);
}

static void
still_valid(struct walk *w, int64_t now_us)
{
	const struct ers_stamp *last = &w->res->stamps[w->res->nstamps - 1];
	char at[CLOCK_ISO_MAX];

	if (last->not_after_us >= now_us)
		return;
	clock_iso(last->not_after_us, at);
	findings_add(&w->f, VERDICT_UNKNOWN, "the certificate of its last time stamp ended at %s, and it was not renewed", at);
}

void
ers_judge(const struct trust *trust, const struct ers_params *p, const uint8_t (*hashes)[HASH_LEN], size_t n,
    const uint8_t *der, size_t len, struct ers_result *ret)
{
	struct walk w = { .trust = trust, .objects = hashes, .n = n, .res = ret };

	memset(ret, 0, sizeof(*ret));
	snprintf(w.set, sizeof(w.set), "tsa:%s", p->tsa);
	if ((w.want = calloc(n, HASH_LEN)) == NULL)
		findings_add(&w.f, VERDICT_UNKNOWN, "no memory");
	else if (judge_record(&w, der, len))
		still_valid(&w, p->now_us);
	free(w.want);
	ret->verdict = w.f.verdict;
	ret->nreasons = w.f.n;
	for (uint32_t i = 0; i < w.f.n; i++)
		snprintf(ret->reasons[i], sizeof(ret->reasons[i]), "%s", w.f.text[i]);
}
