#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
	struct root_set sets[SETTINGS_FILES_MAX + 3];
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
 * Adds the certificates of a PEM text to sets, up to a NULL.  Their keys are
 * decoded now, not in a child, and a root's own signature is checked, whatever
 * comes of it: libcrypto finds its algorithms with the first and keeps them.
 */
static int
add_pem(X509_STORE *const *sets, const char *name, const char *pem, struct err *e)
{
	BIO *b = BIO_new_mem_buf(pem, -1);
	X509 *x;
	int n = 0;
	bool good = b != NULL;

	while (good && n < ROOTS_MAX && (x = PEM_read_bio_X509(b, NULL, NULL, NULL)) != NULL) {
		(void)X509_self_signed(x, 1);
		good = X509_get0_pubkey(x) != NULL;
		for (X509_STORE *const *set = sets; good && *set != NULL; set++)
			good = X509_STORE_add_cert(*set, x);
		X509_free(x);
		n++;
	}
	BIO_free(b);
	/* "no start line" is how the end of a bundle looks; what had no memory is no end */
	good = good && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	if (!good || n == 0 || n == ROOTS_MAX)
		return err_set(e, ERR_CONF, "trusted roots \"%s\": certificate %d is not readable PEM", name, n + 1);
	return 0;
}

/* Which sets a file of that name goes into; false: no memory. */
static bool
sets_of(struct trust *t, const char *name, X509_STORE *ret[4])
{
	bool tsa = strncmp(name, CHAIN_ANY_TSA, strlen(CHAIN_ANY_TSA)) == 0;
	const char *const names[] = { name, tsa ? CHAIN_ANY_TSA : CHAIN_EARLIER, CHAIN_EARLIER_TSA };
	size_t n = 0;

	for (size_t i = 0; i < 3; i++)
		if (i == 0 || strcmp(names[i], name) != 0) {
			if ((ret[n] = make_set(t, names[i])) == NULL)
				return false;
			n++;
		}
	ret[n] = NULL;
	return true;
}

int
trust_new(struct trust **ret, const struct settings *s, struct err *e)
{
	struct trust *t = calloc(1, sizeof(*t));
	int r = t == NULL ? err_set(e, ERR_MEM, "trusted roots") : 0;

	for (uint32_t i = 0; r == 0 && i < s->nfiles; i++) {
		const char *name = s->files[i].name;
		X509_STORE *sets[4];

		r = sets_of(t, name, sets) ? add_pem(sets, name, (const char *)s->files[i].data, e) :
		                             err_set(e, ERR_MEM, "trusted roots");
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

#define ANY_TIME INT64_MIN

/* X509_verify_cert() at a given time, or at none; on success *ret_path, when asked for, is the path. */
static bool
path_exists(X509_STORE *roots, X509 *cert, STACK_OF(X509) *others, int purpose, int64_t at_us,
    STACK_OF(X509) **ret_path, struct findings *f)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *p;
	bool good = false;

	if (c != NULL && X509_STORE_CTX_init(c, roots, cert, others)) {
		p = X509_STORE_CTX_get0_param(c);
		if (at_us != ANY_TIME)
			X509_VERIFY_PARAM_set_time(p, (time_t)(at_us / 1000000));
		X509_VERIFY_PARAM_set_auth_level(p, SECURITY_BITS_LEVEL);
		X509_VERIFY_PARAM_set_flags(p, X509_V_FLAG_PARTIAL_CHAIN | (at_us == ANY_TIME ? X509_V_FLAG_NO_CHECK_TIME : 0));
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

static int
purpose_of(enum chain_use use)
{
	return use == CHAIN_STAMP ? X509_PURPOSE_TIMESTAMP_SIGN : 0;
}

STACK_OF(X509) *
chain_path(const struct trust *t, const char *set, X509 *cert, STACK_OF(X509) *others, enum chain_use use, int64_t at_us)
{
	X509_STORE *roots = find_set(t, set);
	STACK_OF(X509) *path = NULL;

	if (roots != NULL)
		(void)path_exists(roots, cert, others, purpose_of(use), at_us, &path, NULL);
	return path;
}

int64_t
chain_not_after(const X509 *x)
{
	struct tm tm;

	return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) ? (int64_t)timegm(&tm) * 1000000 : 0;
}

/* Without the time there is a path, and one of its certificates had ended. */
static bool
expired_alone(X509_STORE *roots, X509 *cert, STACK_OF(X509) *others, int purpose, int64_t at_us)
{
	STACK_OF(X509) *path = NULL;
	bool ended = false;

	if (!path_exists(roots, cert, others, purpose, ANY_TIME, &path, NULL))
		return false;
	for (int i = 0; i < sk_X509_num(path); i++)
		ended = ended || chain_not_after(sk_X509_value(path, i)) < at_us;
	sk_X509_pop_free(path, X509_free);
	return ended;
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
	if (!use_fits(cert, use, f))
		return false;
	good = path_exists(roots, cert, others, purpose_of(use), at_us, &path, f);
	if (!good)
		f->expired = expired_alone(roots, cert, others, purpose_of(use), at_us);
	if (good && strangers && !no_strangers(roots, path, others, at_us))
		good = findings_add(f, VERDICT_UNKNOWN, "the CMS carries a certificate that belongs to no trusted chain");
	sk_X509_pop_free(path, X509_free);
	return good;
}
