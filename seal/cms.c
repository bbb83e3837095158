#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "seal/cms.h"

#define ATTRS_MAX 8

struct attr {
	uint8_t *der; /* OPENSSL_malloc'ed */
	size_t len;
};

/* --- what is signed --------------------------------------------------------------------- */

/* DER's order of a SET OF: as octet strings, the shorter first when one begins the other (X.690, 11.6). */
static int
attr_order(const void *a, const void *b)
{
	const struct attr *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int d = memcmp(x->der, y->der, n);

	return d != 0 ? d : (x->len > y->len) - (x->len < y->len);
}

static void
put_set(struct buf *b, const struct attr *v, int n)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += v[i].len;
	buf_put_u8(b, V_ASN1_CONSTRUCTED | V_ASN1_SET);
	if (len >= 0x100)
		buf_put_u8(b, 0x82);
	else if (len >= 0x80)
		buf_put_u8(b, 0x81);
	if (len >= 0x100)
		buf_put_u16(b, (uint16_t)len);
	else
		buf_put_u8(b, (uint8_t)len);
	for (int i = 0; i < n; i++)
		buf_put(b, v[i].der, v[i].len);
}

/* SHA-256 of the signed attributes as a SET OF, not as the [0] they stand under (RFC 5652, 5.4). */
static int
hash_attrs(CMS_SignerInfo *si, uint8_t ret[HASH_LEN], struct err *e)
{
	struct attr v[ATTRS_MAX] = { 0 };
	int n = CMS_signed_get_attr_count(si), r = 0;
	AUTO_BUF set = { 0 };

	if (n < 1 || n > ATTRS_MAX)
		return err_set(e, ERR_SIG, "%d signed attributes", n);
	buf_init(&set, 0xFFFF);
	for (int i = 0; i < n && r == 0; i++) {
		int len = i2d_X509_ATTRIBUTE(CMS_signed_get_attr(si, i), &v[i].der);

		if (len <= 0)
			r = err_set(e, ERR_MEM, "signed attributes");
		else
			v[i].len = (size_t)len;
	}
	if (r == 0) {
		qsort(v, (size_t)n, sizeof(v[0]), attr_order);
		put_set(&set, v, n);
		hash_bytes(set.data, set.len, ret);
		if (!buf_ok(&set))
			r = err_set(e, ERR_MEM, "signed attributes");
	}
	for (int i = 0; i < n; i++)
		OPENSSL_free(v[i].der);
	return r;
}

/* --- the signature ---------------------------------------------------------------------- */

static int
check_signature(X509 *cert, const uint8_t digest[HASH_LEN], const uint8_t *sig, size_t len, struct err *e)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(X509_get0_pubkey(cert), NULL);
	int ok = c != NULL && EVP_PKEY_verify_init(c) == 1 && EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 &&
	    EVP_PKEY_verify(c, sig, len, digest, HASH_LEN) == 1;

	EVP_PKEY_CTX_free(c);
	return ok ? 0 : err_set(e, ERR_SIG, "the signature does not fit the certificate");
}

static int
set_algorithm(CMS_SignerInfo *si, X509 *cert, struct err *e)
{
	bool rsa = EVP_PKEY_is_a(X509_get0_pubkey(cert), "RSA") == 1;
	int nid = rsa ? NID_sha256WithRSAEncryption : NID_ecdsa_with_SHA256;
	X509_ALGOR *alg = NULL;

	CMS_SignerInfo_get0_algs(si, NULL, NULL, NULL, &alg);
	/* NULL parameters with RSA (RFC 4055, 5), none with ECDSA (RFC 5758, 3.2) */
	if (alg == NULL || X509_ALGOR_set0(alg, OBJ_nid2obj(nid), rsa ? V_ASN1_NULL : V_ASN1_UNDEF, NULL) != 1)
		return err_set(e, ERR_MEM, "signature algorithm");
	return 0;
}

static int
sign_attrs(CMS_SignerInfo *si, X509 *cert, cms_signer *sign, void *ctx, uint8_t imprint[HASH_LEN], struct err *e)
{
	uint8_t tbs[HASH_LEN], sig[CMS_SIG_MAX];
	size_t len = 0;
	int r;

	if ((r = hash_attrs(si, tbs, e)) < 0 || (r = sign(ctx, tbs, sig, &len, e)) < 0)
		return r;
	if (len == 0 || len > CMS_SIG_MAX)
		return err_set(e, ERR_SIG, "a signature of %zu bytes", len);
	if ((r = check_signature(cert, tbs, sig, len, e)) < 0 || (r = set_algorithm(si, cert, e)) < 0)
		return r;
	if (ASN1_STRING_set(CMS_SignerInfo_get0_signature(si), sig, (int)len) != 1)
		return err_set(e, ERR_MEM, "signature");
	hash_bytes(sig, len, imprint);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------- */

static CMS_SignerInfo *
add_signer(CMS_ContentInfo *cms, X509 *cert, const uint8_t digest[HASH_LEN])
{
	const unsigned flags = CMS_PARTIAL | CMS_DETACHED | CMS_BINARY | CMS_NOSMIMECAP | CMS_CADES;
	/* the public key in the place of the private one: it is only compared and asked for its type */
	CMS_SignerInfo *si = CMS_add1_signer(cms, cert, X509_get0_pubkey(cert), EVP_sha256(), flags);

	if (si == NULL ||
	    CMS_signed_add1_attr_by_NID(si, NID_pkcs9_contentType, V_ASN1_OBJECT, OBJ_nid2obj(NID_pkcs7_data), -1) != 1 ||
	    CMS_signed_add1_attr_by_NID(si, NID_pkcs9_messageDigest, V_ASN1_OCTET_STRING, digest, HASH_LEN) != 1)
		return NULL;
	return si;
}

static int
encode(CMS_ContentInfo *cms, STACK_OF(X509) *chain, struct buf *ret, struct err *e)
{
	unsigned char *der = NULL;
	int len;

	for (int i = 0; i < sk_X509_num(chain); i++)
		if (CMS_add1_cert(cms, sk_X509_value(chain, i)) != 1)
			return err_set(e, ERR_MEM, "certificates in the CMS");
	if ((len = i2d_CMS_ContentInfo(cms, &der)) <= 0)
		return err_set(e, ERR_MEM, "encoding the CMS");
	buf_put(ret, der, (size_t)len);
	OPENSSL_free(der);
	if (!buf_ok(ret) || len > CMS_MAX)
		return err_set(e, ERR_CERT, "a CMS of %d bytes: the certificates are too large", len);
	return 0;
}

int
cms_sign(X509 *cert, STACK_OF(X509) *chain, const uint8_t digest[HASH_LEN], cms_signer *sign, void *ctx,
    struct buf *ret, uint8_t imprint[HASH_LEN], struct err *e)
{
	CMS_ContentInfo *cms =
	    CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_DETACHED | CMS_BINARY | CMS_NOSMIMECAP);
	CMS_SignerInfo *si;
	int r;

	if (cms == NULL || (si = add_signer(cms, cert, digest)) == NULL) {
		CMS_ContentInfo_free(cms);
		return err_set(e, ERR_MEM, "CMS");
	}
	if ((r = sign_attrs(si, cert, sign, ctx, imprint, e)) == 0)
		r = encode(cms, chain, ret, e);
	CMS_ContentInfo_free(cms);
	return r;
}
