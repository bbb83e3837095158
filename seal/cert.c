#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/cert.h"

#define CERT_FILE_MAX (256 * 1024)
#define CERT_POOL_MAX 64

void
cert_stack_free(STACK_OF(X509) **stack)
{
	sk_X509_pop_free(*stack, X509_free);
	*stack = NULL;
}

/* --- reading ---------------------------------------------------------------------------- */

static int
pool_add(STACK_OF(X509) *pool, X509 *cert, struct err *e)
{
	if (sk_X509_num(pool) < CERT_POOL_MAX && sk_X509_push(pool, cert) > 0)
		return 0;
	X509_free(cert);
	return err_set(e, ERR_CERT, "more than %d certificates", CERT_POOL_MAX);
}

static int
read_pem(const char *path, const struct buf *b, STACK_OF(X509) *pool, struct err *e)
{
	BIO *bio = BIO_new_mem_buf(b->data, (int)b->len);
	X509 *cert;
	int n = 0, r = 0;

	if (bio == NULL)
		return err_set(e, ERR_MEM, "%s", path);
	while (r == 0 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		r = pool_add(pool, cert, e);
		n++;
	}
	BIO_free(bio);
	ERR_clear_error(); /* "no start line": how the end of a bundle looks */
	return r < 0 ? r : n;
}

int
cert_read_file(const char *path, STACK_OF(X509) *pool, struct err *e)
{
	const unsigned char *p;
	X509 *cert;
	int n;
	AUTO_BUF b = { 0 };

	buf_init(&b, CERT_FILE_MAX);
	if (io_read_file(AT_FDCWD, path, &b, e) < 0) {
		e->code = ERR_CERT;
		return -ERR_CERT;
	}
	if ((n = read_pem(path, &b, pool, e)) != 0)
		return n < 0 ? n : 0;
	p = b.data;
	if ((cert = d2i_X509(NULL, &p, (long)b.len)) == NULL)
		return err_set(e, ERR_CERT, "%s: holds no certificate (PEM or DER)", path);
	return pool_add(pool, cert, e);
}

/* --- judging ---------------------------------------------------------------------------- */

enum seal_key
cert_key(const X509 *cert, uint32_t *ret_bits)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);
	char curve[80] = "";
	size_t n;

	*ret_bits = key == NULL ? 0 : (uint32_t)EVP_PKEY_get_bits(key);
	if (key == NULL)
		return SEAL_KEY_NONE;
	if (EVP_PKEY_is_a(key, "RSA"))
		return SEAL_KEY_RSA;
	if (EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), &n) == 1 &&
	    strcmp(curve, SN_X9_62_prime256v1) == 0)
		return SEAL_KEY_EC_P256;
	return SEAL_KEY_NONE;
}

static int64_t
asn1_time_us(const ASN1_TIME *t)
{
	struct tm tm;

	if (t == NULL || ASN1_TIME_to_tm(t, &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000000;
}

void
cert_subject(const X509 *cert, char *dst, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char line[1024] = "";
	int n = 0;

	/* RFC 4514 wants no escapes for letters beyond ASCII: people read this */
	if (bio != NULL && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
	        XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_read(bio, line, sizeof(line) - 1);
	line[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
	path_display(line, dst, size);
}

static void
name_part(const X509 *cert, int nid, char *dst, size_t size)
{
	const X509_NAME *name = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(name, nid, -1);
	unsigned char *utf8 = NULL;

	dst[0] = '\0';
	if (at < 0 ||
	    ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))) < 0)
		return;
	path_display((const char *)utf8, dst, size);
	OPENSSL_free(utf8);
}

/* For messages: the common name, or all of the subject. */
static void
short_name(const X509 *cert, char *dst, size_t size)
{
	name_part(cert, NID_commonName, dst, size);
	if (dst[0] == '\0')
		cert_subject(cert, dst, size);
}

int
cert_valid_at(const X509 *cert, int64_t now_us, struct err *e)
{
	int64_t from = asn1_time_us(X509_get0_notBefore(cert)), to = asn1_time_us(X509_get0_notAfter(cert));
	char name[64], when[CLOCK_ISO_MAX];

	if (now_us >= from && now_us <= to)
		return 0;
	short_name(cert, name, sizeof(name));
	clock_iso(now_us < from ? from : to, when);
	if (now_us < from)
		return err_set(e, ERR_CERT, "certificate '%s' is valid only from %s: check the clock", name, when);
	return err_set(e, ERR_CERT, "certificate '%s' expired on %s: get a new one, then restart", name, when);
}

static int
judge_key(const X509 *cert, bool legacy, struct err *e)
{
	uint32_t bits;
	enum seal_key type = cert_key(cert, &bits);

	if (type == SEAL_KEY_NONE)
		return err_set(e, ERR_KEY, "the key is neither RSA nor ECDSA P-256");
	if (type == SEAL_KEY_RSA && (bits < 2048 || bits > 4096))
		return err_set(e, ERR_KEY, "an RSA key of %u bits: 2048 to 4096 are possible", bits);
	if (type == SEAL_KEY_RSA && bits < 3000 && !legacy)
		return err_set(e, ERR_KEY,
		    "an RSA key of %u bits is too short to last: use 3072, or set unsafe_legacy = true", bits);
	return 0;
}

int
cert_judge(const X509 *cert, bool legacy, int64_t now_us, struct err *e)
{
	uint32_t usage = X509_get_key_usage((X509 *)(uintptr_t)cert); /* all ones: no such extension */
	char name[64];
	int r;

	if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0) {
		short_name(cert, name, sizeof(name));
		return err_set(e, ERR_CERT, "certificate '%s' is not for signatures (keyUsage): choose another", name);
	}
	if ((r = judge_key(cert, legacy, e)) < 0)
		return r;
	return cert_valid_at(cert, now_us, e);
}

/* --- chain ------------------------------------------------------------------------------ */

static X509 *
issuer_of(X509 *cert, STACK_OF(X509) *pool)
{
	for (int i = 0; i < sk_X509_num(pool); i++) {
		X509 *by = sk_X509_value(pool, i);

		if (X509_check_issued(by, cert) == X509_V_OK && X509_verify(cert, X509_get0_pubkey(by)) == 1)
			return by;
	}
	return NULL;
}

int
cert_chain(X509 *cert, STACK_OF(X509) *pool, bool must, STACK_OF(X509) **ret, struct err *e)
{
	AUTO_CERTS *chain = sk_X509_new_null();
	X509 *at = cert;
	char name[64];

	if (chain == NULL)
		return err_set(e, ERR_MEM, "certificate chain");
	if (must && issuer_of(cert, pool) == NULL) {
		short_name(cert, name, sizeof(name));
		return err_set(e, ERR_CERT, "chain: the issuer of '%s' is not in that file", name);
	}
	while ((at = issuer_of(at, pool)) != NULL && X509_self_signed(at, 0) != 1) {
		if (sk_X509_num(chain) >= SEAL_CHAIN_MAX - 1)
			return err_set(e, ERR_CERT, "more than %d certificates above the seal's", SEAL_CHAIN_MAX - 1);
		if (sk_X509_push(chain, at) <= 0)
			return err_set(e, ERR_MEM, "certificate chain");
		X509_up_ref(at);
	}
	*ret = chain;
	chain = NULL;
	return 0;
}

/* --- facts ------------------------------------------------------------------------------ */

void
cert_facts(const X509 *cert, struct ready_seal *ret)
{
	unsigned n = HASH_LEN;

	ret->key_type = cert_key(cert, &ret->key_bits);
	cert_subject(cert, ret->subject, sizeof(ret->subject));
	name_part(cert, NID_organizationName, ret->org, sizeof(ret->org));
	if (X509_digest(cert, EVP_sha256(), ret->cert_hash, &n) != 1)
		memset(ret->cert_hash, 0, HASH_LEN);
	ret->not_before_us = asn1_time_us(X509_get0_notBefore(cert));
	ret->not_after_us = asn1_time_us(X509_get0_notAfter(cert));
}
