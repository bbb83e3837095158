#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/path.h"
#include "seal/verify/chain.h"

#define SECURITY_BITS_LEVEL 2 /* OpenSSL's level 2: 112 bits */
#define ROOTS_MAX 256         /* certificates in one file */

struct root_set {
	char name[MSG_NAME_MAX];
	X509_STORE *store;
};

struct trust {
	struct root_set sets[SETTINGS_PEMS_MAX + 1];
	size_t n;
};

static X509_STORE *
find_set(const struct trust *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->sets[i].name, name) == 0)
			return t->sets[i].store;
	return NULL;
}

static X509_STORE *
make_set(struct trust *t, const char *name)
{
	X509_STORE *s = find_set(t, name);

	if (s != NULL || t->n == sizeof(t->sets) / sizeof(t->sets[0]) || (s = X509_STORE_new()) == NULL)
		return s;
	snprintf(t->sets[t->n].name, sizeof(t->sets[0].name), "%s", name);
	t->sets[t->n++].store = s;
	return s;
}

/*
 * Adds the certificates of a PEM text to one or two sets.  Their keys are
 * decoded now, not in a child, and a root's own signature is checked, whatever
 * comes of it: libcrypto finds its algorithms with the first and keeps them.
 */
static int
add_pem(X509_STORE *one, X509_STORE *two, const char *name, const char *pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x;
	int n = 0;
	bool good = b != NULL && one != NULL;

	while (good && n < ROOTS_MAX && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		(void)X509_self_signed(x, 1);
		good = X509_get0_pubkey(x) != NULL && X509_STORE_add_cert(one, x) &&
		    (two == NULL || X509_STORE_add_cert(two, x));
		X509_free(x);
		n++;
	}
	BIO_free(b);
	ERR_clear_error();
	if (!good || n == 0 || n == ROOTS_MAX)
		return err_set(e, ERR_CONF, "trusted roots \"%s\": certificate %d is not readable PEM", name, n + 1);
	return 0;
}

int
trust_new(struct trust **ret, const struct settings *s, struct err *e)
{
	struct trust *t = calloc(1, sizeof(*t));
	int r = t == NULL ? err_set(e, ERR_MEM, "trusted roots") : 0;

	for (uint32_t i = 0; r == 0 && i < s->npems; i++) {
		const char *name = s->pems[i].name;
		bool tsa = strncmp(name, "tsa:", 4) == 0;
		X509_STORE *any = tsa ? make_set(t, "tsa:") : NULL;

		r = add_pem(make_set(t, name), any, name, s->pems[i].pem, e);
	}
	if (r < 0) {
		trust_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void
trust_free(struct trust *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++)
		X509_STORE_free(t->sets[i].store);
	free(t);
}

void
chain_subject(const X509 *x, char out[CHAIN_SUBJECT_MAX])
{
	BIO *b = BIO_new(BIO_s_mem());
	char *text;
	long n;

	out[0] = '\0';
	/* RFC 4514 order and escapes, but letters stay letters */
	if (b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
	        XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >= 0 &&
	    BIO_write(b, "", 1) == 1 && (n = BIO_get_mem_data(b, &text)) > 1)
		path_display(text, out, CHAIN_SUBJECT_MAX);
	BIO_free(b);
	ERR_clear_error();
}

static bool
use_fits(X509 *x, enum chain_use use, struct findings *f)
{
	uint32_t usage = X509_get_key_usage(x); /* UINT32_MAX when the extension is absent */
	EXTENDED_KEY_USAGE *eku;
	int critical = 0;
	bool alone;

	if (X509_get_extension_flags(x) & EXFLAG_INVALID)
		return findings_add(f, VERDICT_UNKNOWN, "certificate: an extension is malformed");
	if ((usage & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) == 0)
		return findings_add(f, VERDICT_UNKNOWN, "certificate: its keyUsage does not allow signing");
	if (use == CHAIN_SEAL)
		return true;
	eku = X509_get_ext_d2i(x, NID_ext_key_usage, &critical, NULL);
	alone = eku != NULL && critical == 1 && sk_ASN1_OBJECT_num(eku) == 1 &&
	    OBJ_obj2nid(sk_ASN1_OBJECT_value(eku, 0)) == NID_time_stamp;
	EXTENDED_KEY_USAGE_free(eku);
	if (!alone)
		return findings_add(f, VERDICT_UNKNOWN, "certificate: timeStamping is not its only and critical extended key usage");
	return true;
}

static void
explain(X509_STORE_CTX *c, int64_t at_us, struct findings *f)
{
	const X509 *x = X509_STORE_CTX_get_current_cert(c);
	char subject[CHAIN_SUBJECT_MAX] = "", at[CLOCK_ISO_MAX];
	int error = X509_STORE_CTX_get_error(c);

	if (x != NULL)
		chain_subject(x, subject);
	clock_iso(at_us, at);
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		findings_add(f, VERDICT_UNKNOWN, "chain: issuer certificate not among the trusted roots");
		return;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		findings_add(f, VERDICT_UNKNOWN, "chain: expired at %s: %.90s", at, subject);
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		findings_add(f, VERDICT_UNKNOWN, "chain: not yet valid at %s: %.90s", at, subject);
		return;
	default:
		findings_add(f, VERDICT_UNKNOWN, "chain: %s: %.90s", X509_verify_cert_error_string(error), subject);
	}
}

/* X509_verify_cert() at a given time; on success *ret_path, when asked for, is the path. */
static bool
path_exists(X509_STORE *roots, X509 *cert, STACK_OF(X509) *others, int purpose, int64_t at_us,
    STACK_OF(X509) **ret_path, struct findings *f)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	bool good = false;

	if (c != NULL && X509_STORE_CTX_init(c, roots, cert, others)) {
		p = X509_STORE_CTX_get0_param(c);
		X509_VERIFY_PARAM_set_time(p, (time_t)(at_us / 1000000));
		X509_VERIFY_PARAM_set_auth_level(p, SECURITY_BITS_LEVEL);
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN);
		X509_VERIFY_PARAM_set_depth(p, 8);
		if (purpose != 0)
			X509_VERIFY_PARAM_set_purpose(p, purpose);
		good = X509_verify_cert(c) == 1;
		if (!good && f != NULL)
			explain(c, at_us, f);
		if (good && ret_path != NULL)
			*ret_path = X509_STORE_CTX_get1_chain(c);
	} else if (f != NULL) {
		findings_add(f, VERDICT_UNKNOWN, "chain: out of memory");
	}
	X509_STORE_CTX_free(c);
	ERR_clear_error();
	return good;
}

/* Every embedded certificate leads to our roots, so that none of its bytes is free to change. */
static bool
no_strangers(X509_STORE *roots, STACK_OF(X509) *path, STACK_OF(X509) *others, int64_t at_us)
{
	for (int i = 0; i < sk_X509_num(others); i++) {
		X509 *x = sk_X509_value(others, i);
		bool known = false;

		for (int k = 0; k < sk_X509_num(path) && !known; k++)
			known = X509_cmp(x, sk_X509_value(path, k)) == 0;
		if (!known && !path_exists(roots, x, others, 0, at_us, NULL, NULL))
			return false;
	}
	return true;
}

bool
chain_check(const struct trust *t, const char *set, X509 *cert, STACK_OF(X509) *others, enum chain_use use,
    int64_t at_us, bool strangers, struct findings *f)
{
	X509_STORE *roots = find_set(t, set);
	STACK_OF(X509) *path = NULL;
	bool good;

	if (roots == NULL)
		return findings_add(f, VERDICT_UNKNOWN, "chain: no trusted roots are set");
	good = use_fits(cert, use, f) &&
	    path_exists(roots, cert, others, use == CHAIN_STAMP ? X509_PURPOSE_TIMESTAMP_SIGN : 0, at_us, &path, f);
	if (good && strangers && !no_strangers(roots, path, others, at_us))
		good = findings_add(f, VERDICT_UNKNOWN, "the CMS carries a certificate that belongs to no trusted chain");
	sk_X509_pop_free(path, X509_free);
	return good;
}
