/*
 * tsa.h - a time-stamping authority inside the test, whose clock can be set.
 */
#ifndef SEALROOM_TEST_TSA_H
#define SEALROOM_TEST_TSA_H

#include <openssl/pem.h>
#include <openssl/ts.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "agent/lib/buf.h"
#include "agent/lib/hash.h"

struct tsa {
	EVP_PKEY *root_key, *key;
	X509 *root, *cert;
	char pem[4096]; /* of the root */
};

static inline EVP_PKEY *
tsa_key(void)
{
	EVP_PKEY *k = EVP_EC_gen("P-256");

	if (k == NULL)
		exit(99);
	return k;
}

static inline void
tsa_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (ext == NULL || !X509_add_ext(x, ext, -1))
		exit(99);
	X509_EXTENSION_free(ext);
}

static inline X509 *
tsa_cert(const char *name, EVP_PKEY *key, const char *issuer, EVP_PKEY *by, time_t from, time_t to, bool ca)
{
	static long serial = 1;
	X509 *x = X509_new();

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	ASN1_TIME_set(X509_getm_notBefore(x), from);
	ASN1_TIME_set(X509_getm_notAfter(x), to);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_issuer_name(x), "CN", MBSTRING_ASC, (const unsigned char *)issuer, -1, -1, 0);
	tsa_extension(x, NID_basic_constraints, ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	tsa_extension(x, NID_key_usage, ca ? "critical,keyCertSign" : "critical,digitalSignature");
	if (!ca)
		tsa_extension(x, NID_ext_key_usage, "critical,timeStamping");
	if (!X509_sign(x, by, EVP_sha256()))
		exit(99);
	return x;
}

/* Its certificate is valid from 'from' to 'to'; its root a hundred years from 2000 on. */
static inline void
tsa_make(struct tsa *t, const char *name, time_t from, time_t to)
{
	char root[64];
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	snprintf(root, sizeof(root), "%s root", name);
	t->root_key = tsa_key();
	t->key = tsa_key();
	t->root = tsa_cert(root, t->root_key, root, t->root_key, 946684800, 4102444800, true);
	t->cert = tsa_cert(name, t->key, root, t->root_key, from, to, false);
	PEM_write_bio_X509(b, t->root);
	n = BIO_get_mem_data(b, &text);
	if (n <= 0 || (size_t)n >= sizeof(t->pem))
		exit(99);
	memcpy(t->pem, text, (size_t)n);
	t->pem[n] = '\0';
	BIO_free(b);
}

static inline void
tsa_done(struct tsa *t)
{
	X509_free(t->cert);
	X509_free(t->root);
	EVP_PKEY_free(t->key);
	EVP_PKEY_free(t->root_key);
}

static inline int
tsa_time(struct TS_resp_ctx *ctx, void *data, long *sec, long *usec)
{
	(void)ctx;
	*sec = (long)*(time_t *)data;
	*usec = 0;
	return 1;
}

static inline ASN1_INTEGER *
tsa_serial(struct TS_resp_ctx *ctx, void *data)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();

	(void)ctx;
	(void)data;
	if (n == NULL || !ASN1_INTEGER_set(n, 7))
		exit(99);
	return n;
}

static inline TS_REQ *
tsa_request(const uint8_t imprint[HASH_LEN])
{
	TS_REQ *q = TS_REQ_new();
	TS_MSG_IMPRINT *m = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();

	if (q == NULL || m == NULL || alg == NULL || !X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) ||
	    !TS_MSG_IMPRINT_set_algo(m, alg) || !TS_MSG_IMPRINT_set_msg(m, (uint8_t *)(uintptr_t)imprint, HASH_LEN) ||
	    !TS_REQ_set_version(q, 1) || !TS_REQ_set_msg_imprint(q, m) || !TS_REQ_set_cert_req(q, 1))
		exit(99);
	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(m);
	return q;
}

/* A token over the imprint, made at that time; out is emptied first. */
static inline void
tsa_stamp(struct tsa *t, const uint8_t imprint[HASH_LEN], time_t at, struct buf *out)
{
	TS_RESP_CTX *c = TS_RESP_CTX_new();
	TS_REQ *q = tsa_request(imprint);
	ASN1_OBJECT *policy = OBJ_txt2obj("1.2.3.4", 1);
	BIO *b = BIO_new(BIO_s_mem());
	TS_RESP *r;
	uint8_t *der = NULL;
	int n;

	if (!TS_RESP_CTX_set_signer_cert(c, t->cert) || !TS_RESP_CTX_set_signer_key(c, t->key) ||
	    !TS_RESP_CTX_set_signer_digest(c, EVP_sha256()) || !TS_RESP_CTX_set_ess_cert_id_digest(c, EVP_sha256()) ||
	    !TS_RESP_CTX_set_def_policy(c, policy) || !TS_RESP_CTX_add_md(c, EVP_sha256()))
		exit(99);
	TS_RESP_CTX_set_time_cb(c, tsa_time, &at);
	TS_RESP_CTX_set_serial_cb(c, tsa_serial, NULL);
	if (!i2d_TS_REQ_bio(b, q) || (r = TS_RESP_create_response(c, b)) == NULL || TS_RESP_get_token(r) == NULL ||
	    (n = i2d_PKCS7(TS_RESP_get_token(r), &der)) <= 0)
		exit(99);
	buf_clear(out);
	buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	TS_RESP_free(r);
	ASN1_OBJECT_free(policy);
	BIO_free(b);
	TS_REQ_free(q);
	TS_RESP_CTX_free(c);
}

#endif
