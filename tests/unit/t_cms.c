/*
 * What cms_sign() makes, judged by the openssl command; each judgement has a
 * twin with one thing wrong that must fail.
 */
#include <openssl/asn1.h>
#include <openssl/cms.h>
#include <openssl/pem.h>

#include "tests/unit/seal_fixture.h"
#include "tests/unit/test.h"

#include "agent/lib/io.h"
#include "seal/cert.h"
#include "seal/cms.h"

#define DOCUMENT "the bytes of the two ranges\n"

/* --- a key that signs in the place of a token ------------------------------------------- */

struct soft {
	EVP_PKEY *key;
	bool flip;
	enum err_code fail;
};

static int
sign_soft(void *ctx, const uint8_t digest[HASH_LEN], uint8_t sig[CMS_SIG_MAX], size_t *ret_len, struct err *e)
{
	struct soft *s = ctx;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(s->key, NULL);
	size_t n = CMS_SIG_MAX;
	int ok = EVP_PKEY_sign_init(c) == 1 && EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) == 1 &&
	    EVP_PKEY_sign(c, sig, &n, digest, HASH_LEN) == 1;

	EVP_PKEY_CTX_free(c);
	if (s->fail != ERR_OK)
		return err_set(e, s->fail, "as asked");
	if (!ok)
		return err_set(e, ERR_TOKEN_FAULT, "openssl");
	if (s->flip)
		sig[n / 2] ^= 1;
	*ret_len = n;
	return 0;
}

static EVP_PKEY *
load_key(const char *name)
{
	FILE *f = fopen(in_dir("pki/%s.key", name), "re");
	EVP_PKEY *k = f == NULL ? NULL : PEM_read_PrivateKey(f, NULL, NULL, NULL);

	if (f != NULL)
		fclose(f);
	return k;
}

struct made {
	int r;
	struct buf cms;
	uint8_t imprint[HASH_LEN];
	struct err e;
};

/* A CMS over DOCUMENT by certificate 'cert' and the key of 'key'. */
static struct made
make(const char *cert, const char *key, struct soft s)
{
	struct made m = { 0 };
	uint8_t digest[HASH_LEN];
	AUTO_CERTS *pool = sk_X509_new_null();
	AUTO_CERTS *chain = NULL;

	buf_init(&m.cms, CMS_MAX);
	s.key = load_key(key);
	hash_bytes(DOCUMENT, strlen(DOCUMENT), digest);
	m.r = cert_read_file(in_dir("pki/%s.pem", cert), pool, &m.e);
	if (m.r == 0)
		m.r = cert_read_file(in_dir("pki/chain.pem"), pool, &m.e);
	if (m.r == 0)
		m.r = cert_chain(sk_X509_value(pool, 0), pool, true, &chain, &m.e);
	if (m.r == 0)
		m.r = cms_sign(sk_X509_value(pool, 0), chain, digest, sign_soft, &s, &m.cms, m.imprint, &m.e);
	EVP_PKEY_free(s.key);
	return m;
}

static int
openssl_verify(const char *document, const char *cms)
{
	return run("openssl cms -verify -cades -binary -inform DER -in %s -content %s -CAfile %s -purpose any -out /dev/null",
	    cms, document, in_dir("pki/root.pem"));
}

static int
printed(const char *words)
{
	return run("grep -q '%s' %s", words, in_dir("printed"));
}

/* --- tests ------------------------------------------------------------------------------ */

static void
test_good(const char *name, const char *algorithm)
{
	struct made m = make(name, name, (struct soft){ 0 });

	CHECK(m.r == 0, "%s: a CMS is made %s", name, m.e.text);
	put_file(in_dir("cms"), m.cms.data, m.cms.len, 0600);
	CHECK(openssl_verify(in_dir("document"), in_dir("cms")) == 0, "%s: openssl cms -verify -cades takes it", name);
	CHECK(openssl_verify(in_dir("other"), in_dir("cms")) != 0, "%s: not for another document", name);
	m.cms.data[m.cms.len - 9] ^= 1;
	put_file(in_dir("twin"), m.cms.data, m.cms.len, 0600);
	CHECK(openssl_verify(in_dir("document"), in_dir("twin")) != 0, "%s: not with one bit of the signature flipped", name);
	run("openssl cms -cmsout -print -noout -inform DER -in %s > %s", in_dir("cms"), in_dir("printed"));
	run("openssl asn1parse -inform DER -in %s > %s", in_dir("cms"), in_dir("parsed"));
	CHECK(printed("object: signingTime") != 0, "%s: no signing-time", name);
	CHECK(printed("object: id-smime-aa-signingCertificateV2") == 0, "%s: signing-certificate-v2", name);
	CHECK(printed("object: contentType") == 0 && printed("object: messageDigest") == 0,
	    "%s: content-type and message-digest", name);
	CHECK(printed("object: S/MIME Capabilities") != 0 && printed("object: SMIME") != 0, "%s: no S/MIME capabilities", name);
	CHECK(printed("eContent: <ABSENT>") == 0, "%s: detached", name);
	CHECK(printed(algorithm) == 0, "%s: signature algorithm %s", name, algorithm);
	buf_done(&m.cms);
}

/* The parts that time stamps and readers need, by OpenSSL's own parser. */
static void
test_parts(void)
{
	struct made m = make("seal-p256", "seal-p256", (struct soft){ 0 });
	const uint8_t *p = m.cms.data;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)m.cms.len);
	STACK_OF(CMS_SignerInfo) *sis = CMS_get0_SignerInfos(cms);
	CMS_SignerInfo *si = sk_CMS_SignerInfo_value(sis, 0);
	ASN1_OCTET_STRING *sig = CMS_SignerInfo_get0_signature(si);
	STACK_OF(X509) *certs = CMS_get1_certs(cms);
	uint8_t sum[HASH_LEN];

	hash_bytes(ASN1_STRING_get0_data(sig), (size_t)ASN1_STRING_length(sig), sum);
	CHECK(sk_CMS_SignerInfo_num(sis) == 1, "one SignerInfo");
	CHECK(memcmp(sum, m.imprint, HASH_LEN) == 0, "the imprint is the hash of the signature value");
	CHECK(p == m.cms.data + m.cms.len, "nothing stands behind the CMS");
	CHECK(CMS_signed_get_attr_count(si) == 3 && CMS_unsigned_get_attr_count(si) <= 0, "three signed attributes, no other");
	CHECK(sk_X509_num(certs) == 2, "signer and intermediate inside, no root");
	for (int i = 0; i < sk_X509_num(certs); i++)
		CHECK(X509_self_signed(sk_X509_value(certs, i), 0) == 0, "certificate %d is no root", i);
	sk_X509_pop_free(certs, X509_free);
	CMS_ContentInfo_free(cms);
	buf_done(&m.cms);
}

static void
test_refused(void)
{
	struct made m = make("seal-p256", "seal-p256", (struct soft){ .flip = true });

	CHECK(m.r == -ERR_SIG && m.cms.len == 0, "a flipped bit of the signature is caught, and nothing handed out");
	buf_done(&m.cms);
	m = make("seal-rsa2048", "seal-rsa2048", (struct soft){ .flip = true });
	CHECK(m.r == -ERR_SIG && m.cms.len == 0, "likewise with RSA");
	buf_done(&m.cms);
	m = make("odd-wrongkey", "odd-wrongkey", (struct soft){ 0 });
	CHECK(m.r == -ERR_SIG && m.cms.len == 0, "a signature of another key is caught");
	buf_done(&m.cms);
	m = make("seal-p256", "seal-p256", (struct soft){ .fail = ERR_TOKEN_GONE });
	CHECK(m.r == -ERR_TOKEN_GONE && strcmp(m.e.text, "as asked") == 0, "the signer's error comes through as it is");
	buf_done(&m.cms);
}

/* --- certificates ----------------------------------------------------------------------- */

static const struct {
	const char *cert;
	bool legacy;
	int want;
} judged[] = {
	{ "seal-p256", false, 0 },
	{ "seal-rsa2048", true, 0 },
	{ "seal-rsa2048", false, -ERR_KEY },
	{ "odd-rsa1024", true, -ERR_KEY },
	{ "odd-expired", false, -ERR_CERT },
	{ "odd-future", false, -ERR_CERT },
	{ "odd-nonr", false, -ERR_CERT },
	{ "odd-noqc", false, 0 },
	{ "issuing", false, -ERR_CERT }, /* signs certificates, nothing else */
};

static void
test_judge(void)
{
	const int64_t now = (int64_t)time(NULL) * 1000000;

	for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]); i++) {
		AUTO_CERTS *pool = sk_X509_new_null();
		struct err e = { 0 };
		int r = cert_read_file(in_dir("pki/%s.pem", judged[i].cert), pool, &e);

		if (r == 0)
			r = cert_judge(sk_X509_value(pool, 0), judged[i].legacy, now, &e);
		CHECK(r == judged[i].want, "%s%s: %s %s", judged[i].cert, judged[i].legacy ? ", unsafe_legacy" : "",
		    err_word((enum err_code)-judged[i].want), e.text);
	}
}

static void
test_facts(void)
{
	AUTO_CERTS *pool = sk_X509_new_null();
	AUTO_CERTS *chain = NULL;
	struct ready_seal f = { 0 };
	struct err e = { 0 };
	char hex[HASH_HEX];

	CHECK(cert_read_file(in_dir("pki/seal-p256.der"), pool, &e) == 0, "a DER file is read too");
	cert_facts(sk_X509_value(pool, 0), &f);
	CHECK(strcmp(f.org, "Muster Scan GmbH") == 0, "the organization is the certificate's");
	CHECK(strncmp(f.subject, "CN=Muster Scan GmbH Seal p256,", 30) == 0, "the subject is one line: %s", f.subject);
	hash_hex(f.cert_hash, hex);
	CHECK(run("sha256sum < %s | grep -q %s", in_dir("pki/seal-p256.der"), hex) == 0, "its hash is sha256sum's");
	CHECK(cert_chain(sk_X509_value(pool, 0), pool, false, &chain, &e) == 0 && sk_X509_num(chain) == 0,
	    "no issuer at hand: an empty chain");
	cert_stack_free(&chain);
	CHECK(cert_chain(sk_X509_value(pool, 0), pool, true, &chain, &e) == -ERR_CERT, "unless a chain was named");
	put_text(in_dir("junk"), "no certificate at all\n");
	CHECK(cert_read_file(in_dir("junk"), pool, &e) == -ERR_CERT, "a file without a certificate is named: %s", e.text);
	CHECK(cert_read_file(in_dir("absent"), pool, &e) == -ERR_CERT, "an absent file too: %s", e.text);
}

int
main(void)
{
	fixture_make("rsa2048,p256");
	put_text(in_dir("document"), DOCUMENT);
	put_text(in_dir("other"), "other bytes\n");
	test_good("seal-p256", "ecdsa-with-SHA256");
	test_good("seal-rsa2048", "sha256WithRSAEncryption");
	test_parts();
	test_refused();
	test_judge();
	test_facts();
	fixture_end();
	return TEST_DONE();
}
