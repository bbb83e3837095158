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

/* libcrypto leaves out what it has no memory for, and goes on: was there such a thing?  Empties its queue. */
static bool
starved(void)
{
	unsigned long why;
	bool found = false;

	while ((why = ERR_get_error()) != 0)
		found |= ERR_GET_REASON(why) == ERR_R_MALLOC_FAILURE;
	return found;
}

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
	bool end;

	if (bio == NULL)
		return err_set(e, ERR_MEM, "%s", path);
	ERR_clear_error();
	while (r == 0 && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		r = pool_add(pool, cert, e);
		n++;
	}
	BIO_free(bio);
	end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; /* how the end of a bundle looks */
	if (starved() && r == 0)
		r = err_set(e, ERR_MEM, "%s", path);
	else if (!end && r == 0)
		r = err_set(e, ERR_CERT, "%s: certificate %d can not be read", path, n + 1);
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

static bool
is_brainpool(const X509 *cert)
{
	char curve[80] = "";
	size_t n;

	return EVP_PKEY_get_group_name(X509_get0_pubkey(cert), curve, sizeof(curve), &n) == 1 && strncmp(curve, "brainpool", 9) == 0;
}

static int
judge_key(const X509 *cert, bool legacy, struct err *e)
{
	uint32_t bits;
	enum seal_key type = cert_key(cert, &bits);

	if (type == SEAL_KEY_NONE && is_brainpool(cert))
		return err_set(e, ERR_KEY, "the key is on a brainpool curve, of which Adobe's readers know nothing: order one for RSA 3072 or ECDSA P-256");
	if (type == SEAL_KEY_NONE)
		return err_set(e, ERR_KEY, "the key is neither RSA nor ECDSA P-256: order one of these");
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

static bool
has_issued(X509 *by, X509 *cert)
{
	return X509_check_issued(by, cert) == X509_V_OK && X509_verify(cert, X509_get0_pubkey(by)) == 1;
}

/* libcrypto 3.0 may say no and leave no error where memory was short: who has the name is asked twice. */
static X509 *
issuer_of(X509 *cert, STACK_OF(X509) *pool)
{
	for (int i = 0; i < sk_X509_num(pool); i++) {
		X509 *by = sk_X509_value(pool, i);
		bool named = X509_NAME_cmp(X509_get_subject_name(by), X509_get_issuer_name(cert)) == 0;

		if (named && (has_issued(by, cert) || has_issued(by, cert)))
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
		return err_set(e, ERR_CERT, "chain: the issuer of '%s' is not in that file: add its certificate", name);
	}
	ERR_clear_error();
	while ((at = issuer_of(at, pool)) != NULL && X509_self_signed(at, 0) != 1) {
		if (sk_X509_num(chain) >= SEAL_CHAIN_MAX - 1)
			return err_set(e, ERR_CERT, "more than %d certificates above the seal's", SEAL_CHAIN_MAX - 1);
		if (sk_X509_push(chain, at) <= 0)
			return err_set(e, ERR_MEM, "certificate chain");
		X509_up_ref(at);
	}
	if (starved())
		return err_set(e, ERR_MEM, "certificate chain");
	*ret = chain;
	chain = NULL;
	return 0;
}

/* --- oddities ---------------------------------------------------------------------------- */

/* Each of its extended key usages is for something that is no document. */
static bool
other_use(const X509 *cert)
{
	static const int others[] = { NID_server_auth, NID_client_auth, NID_code_sign, NID_time_stamp, NID_OCSP_sign };
	EXTENDED_KEY_USAGE *use = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	int n = use == NULL ? 0 : sk_ASN1_OBJECT_num(use), other = 0;

	for (int i = 0; i < n; i++)
		for (size_t j = 0; j < sizeof(others) / sizeof(others[0]); j++)
			other += OBJ_obj2nid(sk_ASN1_OBJECT_value(use, i)) == others[j];
	EXTENDED_KEY_USAGE_free(use);
	return n > 0 && other == n;
}

/* As our own check of a seal goes about it (seal/verify/chain.c): any certificate of the file is an anchor. */
static bool
leads_to(X509_STORE *store, X509 *cert, STACK_OF(X509) *chain)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	bool good = true; /* of what can not be looked at nothing is said */

	if (c != NULL && X509_STORE_CTX_init(c, store, cert, chain)) {
		X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(c), X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_IGNORE_CRITICAL);
		good = X509_verify_cert(c) == 1;
	}
	X509_STORE_CTX_free(c);
	return good;
}

static bool
anchored(X509 *cert, STACK_OF(X509) *chain, const char *roots)
{
	AUTO_CERTS *pool = sk_X509_new_null();
	X509_STORE *store = X509_STORE_new();
	struct err e;
	bool good = true;

	if (pool != NULL && store != NULL && cert_read_file(roots, pool, &e) == 0) {
		for (int i = 0; i < sk_X509_num(pool); i++)
			good &= X509_STORE_add_cert(store, sk_X509_value(pool, i)) == 1;
		good = !good || leads_to(store, cert, chain);
	}
	X509_STORE_free(store);
	return good;
}

uint32_t
cert_odd(X509 *cert, STACK_OF(X509) *chain, const char *roots)
{
	return (X509_check_ca(cert) == 1 ? SEAL_ODD_CA : 0) | (other_use(cert) ? SEAL_ODD_USE : 0) |
	    (anchored(cert, chain, roots) ? 0 : SEAL_ODD_ROOT);
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
