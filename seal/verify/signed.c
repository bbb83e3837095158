#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

#include "seal/verify/signed.h"

#define SIGNED_MAX (1024 * 1024)

const EVP_MD *
signed_digest(const char *oid)
{
	static const struct {
		const char *oid;
		const EVP_MD *(*md)(void);
	} known[] = {
		{ OID_SHA256, EVP_sha256 },
		{ OID_SHA384, EVP_sha384 },
		{ OID_SHA512, EVP_sha512 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].oid, oid) == 0)
			return known[i].md();
	return NULL;
}

const uint8_t *
signed_hash(const char *oid, const uint8_t sha256[HASH_LEN], const struct hash_wide *wide)
{
	if (strcmp(oid, OID_SHA256) == 0)
		return sha256;
	if (wide == NULL || !wide->known)
		return NULL;
	if (strcmp(oid, OID_SHA384) == 0)
		return wide->sha384;
	return strcmp(oid, OID_SHA512) == 0 ? wide->sha512 : NULL;
}

bool
signed_attr_next(struct der *attrs, char oid[DER_OID_TEXT], struct der *ret_values)
{
	struct der at = *attrs, attr, type, values;

	if (!der_take(&at, DER_SEQUENCE, &attr) || !der_take(&attr, DER_OID, &type) || !der_oid_text(&type, oid) ||
	    !der_take(&attr, DER_SET, &values) || !der_end(&attr) || der_end(&values))
		return false;
	*attrs = at;
	*ret_values = values;
	return true;
}

bool
signed_attr_one(struct der attrs, const char *oid, struct der *ret_value)
{
	char type[DER_OID_TEXT];
	struct der values, found = { NULL, 0 };
	int n = 0;

	while (signed_attr_next(&attrs, type, &values)) {
		if (strcmp(type, oid) != 0)
			continue;
		if (++n > 1 || !der_any(&values, &found) || !der_end(&values))
			return false;
	}
	if (n != 1 || !der_end(&attrs))
		return false;
	*ret_value = found;
	return true;
}

/* RFC 5652, 5.3. Fills the windows of the signer and the version, to be compared. */
static bool
split_signer(struct signed_data *sd, struct der si, struct der *sig_alg, bool *by_issuer)
{
	struct der start = si, version, params;
	char oid[DER_OID_TEXT];
	uint64_t v;

	if (!der_take(&si, DER_INTEGER, &version) || !der_u64(&version, &v))
		return false;
	*by_issuer = der_peek(&si) == DER_SEQUENCE;
	if ((!*by_issuer && der_peek(&si) != 0x80) || !der_any(&si, &sd->sid) || v != (*by_issuer ? 1 : 3))
		return false;
	if (!der_algorithm(&si, sd->digest_oid, &params) || !der_params_empty(&params) ||
	    !der_take(&si, DER_CONTEXT(0), &sd->signed_attrs) || !der_whole(&si, DER_SEQUENCE, sig_alg) ||
	    !der_take(&si, DER_OCTETS, &sd->signature))
		return false;
	sd->signer = (struct der){ start.p, start.len - si.len };
	if (der_peek(&si) == DER_CONTEXT(1) && !der_take(&si, DER_CONTEXT(1), &sd->unsigned_attrs))
		return false;
	for (struct der attrs = sd->signed_attrs, values; !der_end(&attrs);)
		if (!signed_attr_next(&attrs, oid, &values))
			return false;
	return der_end(&si);
}

static bool
split_content(struct signed_data *sd, struct der *d)
{
	struct der encap, outer;

	if (!der_take(d, DER_SEQUENCE, &encap) || !der_take(&encap, DER_OID, &sd->content_type))
		return false;
	if (der_end(&encap))
		return true;
	return der_take(&encap, DER_CONTEXT(0), &outer) && der_end(&encap) &&
	    der_take(&outer, DER_OCTETS, &sd->content) && der_end(&outer);
}

/*
 * RFC 5652, 5.1: version 1 for id-data and issuerAndSerialNumber, 3 otherwise;
 * 5 with revocation data that is no CRL, which time-stamping authorities
 * write 3 or 5 for.
 */
static bool
version_fits(const struct signed_data *sd, uint64_t version, bool by_issuer)
{
	uint64_t want = by_issuer && der_oid_is(&sd->content_type, OID_DATA) ? 1 : 3;

	return version == want || (version == 5 && sd->crls.len > 0);
}

/* RFC 5652, 5.1: exactly what the standard has, nothing before, between or after. */
static bool
split(struct signed_data *sd, struct der d, struct der *sig_alg, unsigned *nsigners)
{
	struct der info, outer, type, body, start, digests, signers, si, params;
	char oid[DER_OID_TEXT];
	uint64_t version;
	bool by_issuer;

	if (!der_take(&d, DER_SEQUENCE, &info) || !der_end(&d) || !der_take(&info, DER_OID, &type) ||
	    !der_oid_is(&type, OID_SIGNED_DATA) || !der_take(&info, DER_CONTEXT(0), &outer) || !der_end(&info) ||
	    !der_take(&outer, DER_SEQUENCE, &body) || !der_end(&outer))
		return false;
	start = body;
	if (!der_take(&body, DER_INTEGER, &type) || !der_u64(&type, &version) ||
	    !der_take(&body, DER_SET, &digests) || !split_content(sd, &body))
		return false;
	if (der_peek(&body) == DER_CONTEXT(0) && !der_take(&body, DER_CONTEXT(0), &sd->certificates))
		return false;
	if (der_peek(&body) == DER_CONTEXT(1) && !der_take(&body, DER_CONTEXT(1), &sd->crls))
		return false;
	sd->before_signer = (struct der){ start.p, start.len - body.len };
	if (!der_take(&body, DER_SET, &signers) || !der_end(&body))
		return false;
	for (struct der rest = signers; !der_end(&rest); ++*nsigners)
		if (!der_take(&rest, DER_SEQUENCE, &si))
			return false;
	if (*nsigners != 1)
		return true;
	return split_signer(sd, si, sig_alg, &by_issuer) && version_fits(sd, version, by_issuer) &&
	    der_algorithm(&digests, oid, &params) && der_params_empty(&params) && der_end(&digests) &&
	    strcmp(oid, sd->digest_oid) == 0;
}

/*
 * The signature algorithm is not signed either: it must be the one that goes
 * with this key and this digest.  rsaEncryption names no digest.
 */
static bool
algorithm_fits(const struct signed_data *sd, struct der sig_alg)
{
	static const struct {
		const char *oid;
		int key;
		int digest; /* NID_undef: of the parameters, or of digestAlgorithm */
		int params; /* 'N' NULL or absent, '-' absent, 'P' RSASSA-PSS-params */
	} known[] = {
		{ "1.2.840.113549.1.1.1", EVP_PKEY_RSA, NID_undef, 'N' },
		{ "1.2.840.113549.1.1.11", EVP_PKEY_RSA, NID_sha256, 'N' },
		{ "1.2.840.113549.1.1.12", EVP_PKEY_RSA, NID_sha384, 'N' },
		{ "1.2.840.113549.1.1.13", EVP_PKEY_RSA, NID_sha512, 'N' },
		{ "1.2.840.113549.1.1.10", EVP_PKEY_RSA, NID_undef, 'P' },
		{ "1.2.840.113549.1.1.10", EVP_PKEY_RSA_PSS, NID_undef, 'P' },
		{ "1.2.840.10045.4.3.2", EVP_PKEY_EC, NID_sha256, '-' },
		{ "1.2.840.10045.4.3.3", EVP_PKEY_EC, NID_sha384, '-' },
		{ "1.2.840.10045.4.3.4", EVP_PKEY_EC, NID_sha512, '-' },
	};
	const EVP_PKEY *key = X509_get0_pubkey(sd->cert);
	char oid[DER_OID_TEXT];
	struct der params;

	if (key == NULL || !der_algorithm(&sig_alg, oid, &params))
		return false;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].oid, oid) == 0 && known[i].key == EVP_PKEY_get_base_id(key) &&
		    (known[i].digest == NID_undef || known[i].digest == EVP_MD_get_type(sd->digest)))
			return known[i].params == 'P' ? params.len > 0 && params.p[0] == DER_SEQUENCE :
			    known[i].params == '-'    ? params.len == 0 :
			                                der_params_empty(&params);
	return false;
}

/*
 * OpenSSL compares names as people would, but the identifier is not signed:
 * it has to be what the certificate says, byte for byte.
 */
static bool
names_exactly(const struct signed_data *sd, X509 *x)
{
	struct der sid = sd->sid, body, issuer, serial;
	uint8_t *name = NULL, *number = NULL;
	int n, k;
	bool same;

	if (der_peek(&sid) != DER_SEQUENCE)
		return true; /* a key identifier was compared byte for byte already */
	if (!der_take(&sid, DER_SEQUENCE, &body) || !der_any(&body, &issuer) || !der_any(&body, &serial))
		return false;
	n = i2d_X509_NAME(X509_get_issuer_name(x), &name);
	k = i2d_ASN1_INTEGER(X509_get0_serialNumber(x), &number);
	same = n > 0 && k > 0 && der_equal(&issuer, &(struct der){ name, (size_t)n }) &&
	    der_equal(&serial, &(struct der){ number, (size_t)k }) && der_end(&body);
	OPENSSL_free(name);
	OPENSSL_free(number);
	return same;
}

/* OpenSSL's view of the same bytes; the signer's certificate must be among the embedded ones. */
static bool
load(struct signed_data *sd, const uint8_t *der, size_t len)
{
	const uint8_t *p = der;
	STACK_OF(CMS_SignerInfo) *signers;

	sd->cms = d2i_CMS_ContentInfo(NULL, &p, (long)len);
	if (sd->cms == NULL || p != der + len || (signers = CMS_get0_SignerInfos(sd->cms)) == NULL ||
	    sk_CMS_SignerInfo_num(signers) != 1)
		return false;
	sd->si = sk_CMS_SignerInfo_value(signers, 0);
	sd->certs = CMS_get1_certs(sd->cms);
	for (int i = 0; i < sk_X509_num(sd->certs) && sd->cert == NULL; i++) {
		X509 *x = sk_X509_value(sd->certs, i);

		if (CMS_SignerInfo_cert_cmp(sd->si, x) == 0 && names_exactly(sd, x))
			sd->cert = x;
	}
	return true;
}

/* Not DER: BER, which others do write and PAdES forbids, or nothing at all. */
static bool
refuse_form(const uint8_t *der, size_t len, struct findings *f)
{
	const uint8_t *p = der;
	CMS_ContentInfo *cms = len <= SIGNED_MAX ? d2i_CMS_ContentInfo(NULL, &p, (long)len) : NULL;
	bool parsed = cms != NULL && p == der + len;

	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	if (parsed)
		return findings_add(f, VERDICT_UNKNOWN, "the CMS is not strict DER");
	return findings_add(f, VERDICT_DISPROVEN, "is not a CMS signature");
}

static bool
only_certificates(struct der certificates)
{
	struct der one;

	while (!der_end(&certificates))
		if (!der_take(&certificates, DER_SEQUENCE, &one))
			return false;
	return true;
}

bool
signed_open(struct signed_data *sd, const uint8_t *der, size_t len, struct findings *f)
{
	struct der sig_alg = { NULL, 0 };
	unsigned nsigners = 0;

	memset(sd, 0, sizeof(*sd));
	if (len > SIGNED_MAX || !der_strict(der, len))
		return refuse_form(der, len, f);
	if (!split(sd, (struct der){ der, len }, &sig_alg, &nsigners))
		return findings_add(f, VERDICT_DISPROVEN, "is not a well-formed CMS SignedData");
	if (nsigners != 1)
		return findings_add(f, VERDICT_UNKNOWN, "the CMS has %u signers instead of one", nsigners);
	if ((sd->digest = signed_digest(sd->digest_oid)) == NULL)
		return findings_add(f, VERDICT_UNKNOWN, "digest algorithm %s is not accepted", sd->digest_oid);
	if (!only_certificates(sd->certificates))
		return findings_add(f, VERDICT_UNKNOWN, "the CMS carries something other than certificates among them");
	if (!load(sd, der, len)) {
		ERR_clear_error();
		return findings_add(f, VERDICT_DISPROVEN, "is not a readable CMS SignedData");
	}
	ERR_clear_error();
	if (sd->cert == NULL)
		return findings_add(f, VERDICT_UNKNOWN, "the signer's certificate is not in the CMS");
	if (!algorithm_fits(sd, sig_alg))
		return findings_add(f, VERDICT_UNKNOWN, "signature algorithm is not accepted or does not go with key and digest");
	return true;
}

/* RFC 5652, 11.1 and 11.2. */
static bool
check_attributes(const struct signed_data *sd, const char *content_oid, const uint8_t *digest, struct findings *f)
{
	struct der value, body;

	if (!der_oid_is(&sd->content_type, content_oid))
		return findings_add(f, VERDICT_DISPROVEN, "the CMS signs another type of content");
	if (!signed_attr_one(sd->signed_attrs, OID_CONTENT_TYPE, &value) || !der_take(&value, DER_OID, &body) ||
	    !der_equal(&body, &sd->content_type))
		return findings_add(f, VERDICT_DISPROVEN, "content-type attribute is missing or differs");
	if (!signed_attr_one(sd->signed_attrs, OID_MESSAGE_DIGEST, &value) || !der_take(&value, DER_OCTETS, &body))
		return findings_add(f, VERDICT_DISPROVEN, "message-digest attribute is missing");
	if (body.len != (size_t)EVP_MD_get_size(sd->digest) || memcmp(body.p, digest, body.len) != 0)
		return findings_add(f, VERDICT_DISPROVEN, "changed after sealing: digest of the %s differs",
		    strcmp(content_oid, OID_DATA) == 0 ? "byte ranges" : "content");
	return true;
}

/* certHash of the first ESSCertID(v2) against the signer's certificate; the issuerSerial adds nothing to it. */
static bool
cert_hash_fits(const struct signed_data *sd, struct der first, bool v2)
{
	char oid[DER_OID_TEXT] = OID_SHA256; /* DEFAULT of ESSCertIDv2 */
	const EVP_MD *md = EVP_sha1();
	uint8_t have[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	struct der params, hash;

	if (v2) {
		if (der_peek(&first) == DER_SEQUENCE && !der_algorithm(&first, oid, &params))
			return false;
		md = signed_digest(oid);
	}
	return md != NULL && der_take(&first, DER_OCTETS, &hash) && X509_digest(sd->cert, md, have, &n) &&
	    hash.len == n && memcmp(hash.p, have, n) == 0;
}

/*
 * RFC 2634 and 5035: the signature names its certificate by hash, so that no
 * other one with the same key can be put in its place; the first name is the
 * signer's (RFC 5035, 3).  False: it names another.
 */
static bool
ess_names(const struct signed_data *sd, const char *oid, bool v2, bool *ret_present)
{
	struct der value, ess, ids, first;

	*ret_present = signed_attr_one(sd->signed_attrs, oid, &value);
	return !*ret_present ||
	    (der_take(&value, DER_SEQUENCE, &ess) && der_take(&ess, DER_SEQUENCE, &ids) &&
	        der_take(&ids, DER_SEQUENCE, &first) && cert_hash_fits(sd, first, v2));
}

bool
signed_verify(struct signed_data *sd, const char *content_oid, const uint8_t *digest, struct findings *f)
{
	bool v1, good;

	if (!check_attributes(sd, content_oid, digest, f))
		return false;
	CMS_SignerInfo_set1_signer_cert(sd->si, sd->cert);
	good = CMS_SignerInfo_verify(sd->si) == 1;
	ERR_clear_error();
	if (!good)
		return findings_add(f, VERDICT_DISPROVEN, "the signature does not fit the signer's certificate");
	if (!ess_names(sd, OID_SIGNING_CERT, false, &v1) || !ess_names(sd, OID_SIGNING_CERT_V2, true, &sd->ess_v2))
		return findings_add(f, VERDICT_DISPROVEN, "the certificate is not the one the signature names");
	sd->ess = v1 || sd->ess_v2;
	return true;
}

void
signed_done(struct signed_data *sd)
{
	sk_X509_pop_free(sd->certs, X509_free);
	CMS_ContentInfo_free(sd->cms);
	memset(sd, 0, sizeof(*sd));
}
