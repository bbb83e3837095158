#include <openssl/evp.h>
#include <string.h>

#include "seal/verify/signed.h"
#include "seal/verify/timestamp.h"

/* RFC 3161, 2.4.2. */
struct tst_info {
	char policy[DER_OID_TEXT];
	char imprint_oid[DER_OID_TEXT];
	struct der imprint;
	int64_t gen_time_us;
	bool has_nonce;
	struct der nonce;
	bool critical_extension;
};

static bool
read_imprint(struct der *d, struct tst_info *t)
{
	struct der imprint, params;

	return der_take(d, DER_SEQUENCE, &imprint) && der_algorithm(&imprint, t->imprint_oid, &params) &&
	    der_params_empty(&params) && der_take(&imprint, DER_OCTETS, &t->imprint) && der_end(&imprint);
}

static bool
read_extensions(struct der *d, struct tst_info *t)
{
	struct der all, one, part;

	if (!der_take(d, DER_CONTEXT(1), &all))
		return false;
	while (!der_end(&all)) {
		if (!der_take(&all, DER_SEQUENCE, &one) || !der_take(&one, DER_OID, &part))
			return false;
		if (der_peek(&one) == DER_BOOLEAN) {
			if (!der_take(&one, DER_BOOLEAN, &part) || part.len != 1)
				return false;
			t->critical_extension |= part.p[0] != 0;
		}
		if (!der_take(&one, DER_OCTETS, &part) || !der_end(&one))
			return false;
	}
	return true;
}

/* The optional fields come in this order or not at all. */
static bool
read_options(struct der *d, struct tst_info *t)
{
	struct der part;

	if (der_peek(d) == DER_SEQUENCE && !der_take(d, DER_SEQUENCE, &part)) /* accuracy */
		return false;
	if (der_peek(d) == DER_BOOLEAN && !der_take(d, DER_BOOLEAN, &part)) /* ordering */
		return false;
	t->has_nonce = der_peek(d) == DER_INTEGER;
	if (t->has_nonce && !der_take(d, DER_INTEGER, &t->nonce))
		return false;
	if (der_peek(d) == DER_CONTEXT(0) && !der_take(d, DER_CONTEXT(0), &part)) /* tsa */
		return false;
	if (der_peek(d) == DER_CONTEXT(1) && !read_extensions(d, t))
		return false;
	return der_end(d);
}

static bool
read_tst_info(const struct der *content, struct tst_info *t)
{
	struct der d = *content, body, part;
	uint64_t version;

	memset(t, 0, sizeof(*t));
	return der_strict(content->p, content->len) && der_take(&d, DER_SEQUENCE, &body) && der_end(&d) &&
	    der_take(&body, DER_INTEGER, &part) && der_u64(&part, &version) && version == 1 &&
	    der_take(&body, DER_OID, &part) && der_oid_text(&part, t->policy) && read_imprint(&body, t) &&
	    der_take(&body, DER_INTEGER, &part) && /* serialNumber */
	    der_take(&body, DER_TIME, &part) && der_time_us(&part, &t->gen_time_us) && read_options(&body, t);
}

static bool
imprint_fits(const struct tst_info *t, const struct timestamp_want *want, struct findings *f)
{
	const EVP_MD *md = signed_digest(t->imprint_oid);
	const uint8_t *given = want->data == NULL ? signed_hash(t->imprint_oid, want->imprint, want->wide) : NULL;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (md == NULL || (want->data == NULL && given == NULL))
		return findings_add(f, VERDICT_UNKNOWN, "imprint is made with %s, which is not accepted", t->imprint_oid);
	if (given == NULL && !EVP_Digest(want->data, want->data_len, hash, &n, md, NULL))
		return findings_add(f, VERDICT_UNKNOWN, "imprint could not be computed");
	if (t->imprint.len != (size_t)EVP_MD_get_size(md) || memcmp(t->imprint.p, given != NULL ? given : hash, t->imprint.len) != 0)
		return findings_add(f, VERDICT_DISPROVEN, "wrong imprint: the token stamps other bytes");
	return true;
}

static bool
nonce_fits(const struct tst_info *t, const struct timestamp_want *want, struct findings *f)
{
	uint64_t nonce;

	if (want->nonce == NULL)
		return true;
	if (!t->has_nonce)
		return findings_add(f, VERDICT_DISPROVEN, "wrong nonce: the token has none");
	if (!der_u64(&t->nonce, &nonce) || nonce != *want->nonce)
		return findings_add(f, VERDICT_DISPROVEN, "wrong nonce: the token answers another request");
	return true;
}

static bool
info_fits(const struct tst_info *t, const struct timestamp_want *want, struct findings *f)
{
	if (!imprint_fits(t, want, f) || !nonce_fits(t, want, f))
		return false;
	if (want->policy != NULL && *want->policy != '\0' && strcmp(want->policy, t->policy) != 0)
		return findings_add(f, VERDICT_UNKNOWN, "wrong policy: %s instead of %s", t->policy, want->policy);
	if (t->critical_extension)
		return findings_add(f, VERDICT_UNKNOWN, "the token has a critical extension we do not know");
	return true;
}

static bool
token_signed(struct signed_data *sd, struct findings *f)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (sd->content.p == NULL)
		return findings_add(f, VERDICT_DISPROVEN, "the token has no content");
	if (!EVP_Digest(sd->content.p, sd->content.len, digest, NULL, sd->digest, NULL))
		return findings_add(f, VERDICT_UNKNOWN, "the token could not be hashed");
	if (!signed_verify(sd, OID_TST_INFO, digest, f))
		return false;
	if (!sd->ess)
		return findings_add(f, VERDICT_UNKNOWN, "the token does not name its certificate (ESSCertID)");
	if (!der_end(&sd->unsigned_attrs))
		return findings_add(f, VERDICT_UNKNOWN, "the token has unsigned attributes");
	return true;
}

bool
timestamp_check(struct timestamp *ret, const uint8_t *der, size_t len, const struct timestamp_want *want,
    const struct trust *trust, const char *set, struct findings *f)
{
	struct signed_data sd;
	struct tst_info t;
	bool good = signed_open(&sd, der, len, f) && token_signed(&sd, f);

	memset(ret, 0, sizeof(*ret));
	hash_bytes(der, len, ret->hash);
	if (sd.cert != NULL) {
		chain_subject(sd.cert, ret->signer);
		ret->not_after_us = chain_not_after(sd.cert);
		good = X509_digest(sd.cert, EVP_sha256(), ret->cert_hash, NULL) && good;
	}
	if (good && !read_tst_info(&sd.content, &t))
		good = findings_add(f, VERDICT_DISPROVEN, "the token holds no readable TSTInfo");
	if (good) {
		ret->gen_time_us = t.gen_time_us;
		memcpy(ret->policy, t.policy, sizeof(ret->policy));
		good = info_fits(&t, want, f) &&
		    chain_check(trust, set, sd.cert, sd.certs, CHAIN_STAMP, t.gen_time_us, want->no_strangers, f);
	}
	signed_done(&sd);
	return good;
}
