#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "seal/cert.h"
#include "seal/p11.h"
#include "seal/token.h"

#define ID_BYTES_MAX 128
#define PUBLIC_MAX 520 /* RSA-4096 modulus, or an EC point in its OCTET STRING */
#define KEYS_MAX 64

/* A key on the token, private or public, as far as it can be told from others. */
struct key {
	CK_OBJECT_HANDLE object;
	CK_KEY_TYPE type;
	uint8_t id[ID_BYTES_MAX];
	size_t id_len;
	uint8_t public[PUBLIC_MAX]; /* modulus or point; empty: the token hides it */
	size_t public_len;
};

struct token {
	const struct conf_token *conf;
	struct p11 p;
	X509 *cert;
	STACK_OF(X509) *chain;
	enum seal_key type;
	CK_OBJECT_HANDLE key;
	bool logged_in;
	bool pin_pad;
	bool login_needed;
	bool every_time;
	struct pin pin; /* only with every_time */
	int mark_fd;
	uint64_t asked;
};

/* --- keys ------------------------------------------------------------------------------- */

static bool
id_wanted(const struct conf_token *c, const uint8_t *id, size_t len)
{
	char hex[2 * ID_BYTES_MAX + 1];

	if (*c->key_id == '\0')
		return true;
	hex_encode(id, len, hex);
	return strcasecmp(hex, c->key_id) == 0;
}

static bool
label_wanted(struct token *t, CK_OBJECT_HANDLE o)
{
	char label[256];
	size_t n;

	if (*t->conf->key_label == '\0')
		return true;
	return p11_attr(&t->p, o, CKA_LABEL, label, sizeof(label), &n) && n == strlen(t->conf->key_label) &&
	    memcmp(label, t->conf->key_label, n) == 0;
}

/* An EC private key does not say its point: the public key of the same id does. */
static void
read_point(struct token *t, struct key *k)
{
	CK_OBJECT_HANDLE o[P11_OBJECTS_MAX];
	uint8_t id[ID_BYTES_MAX];
	size_t n, id_len;
	struct err ignored;

	if (p11_attr(&t->p, k->object, CKA_EC_POINT, k->public, sizeof(k->public), &k->public_len))
		return;
	k->public_len = 0;
	if (k->id_len == 0 || p11_find(&t->p, CKO_PUBLIC_KEY, o, &n, &ignored) < 0)
		return;
	for (size_t i = 0; i < n; i++)
		if (p11_attr(&t->p, o[i], CKA_ID, id, sizeof(id), &id_len) && id_len == k->id_len &&
		    memcmp(id, k->id, id_len) == 0 &&
		    p11_attr(&t->p, o[i], CKA_EC_POINT, k->public, sizeof(k->public), &k->public_len))
			return;
	k->public_len = 0;
}

/* Keys of a class that root's selectors allow and that sign. */
static int
list_keys(struct token *t, CK_OBJECT_CLASS class, struct key keys[KEYS_MAX], size_t *ret_n, struct err *e)
{
	CK_OBJECT_HANDLE o[P11_OBJECTS_MAX];
	size_t n, at = 0, len;
	int r;

	if ((r = p11_find(&t->p, class, o, &n, e)) < 0)
		return r;
	for (size_t i = 0; i < n && at < KEYS_MAX; i++) {
		struct key *k = &keys[at];

		*k = (struct key){ .object = o[i] };
		if (!p11_attr(&t->p, o[i], CKA_KEY_TYPE, &k->type, sizeof(k->type), &len) ||
		    (k->type != CKK_RSA && k->type != CKK_EC))
			continue; /* a kind we do not seal with, as Ed25519 */
		if (class == CKO_PRIVATE_KEY && !p11_attr_is(&t->p, o[i], CKA_SIGN))
			continue;
		if (!p11_attr(&t->p, o[i], CKA_ID, k->id, sizeof(k->id), &k->id_len))
			k->id_len = 0;
		if (!id_wanted(t->conf, k->id, k->id_len) || !label_wanted(t, o[i]))
			continue;
		if (k->type == CKK_EC)
			read_point(t, k);
		else if (!p11_attr(&t->p, o[i], CKA_MODULUS, k->public, sizeof(k->public), &k->public_len))
			k->public_len = 0;
		at++;
	}
	*ret_n = at;
	return 0;
}

/* --- does this certificate hold that key? ----------------------------------------------- */

static bool
same_modulus(EVP_PKEY *pk, const struct key *k)
{
	BIGNUM *have = NULL, *want = BN_bin2bn(k->public, (int)k->public_len, NULL);
	bool same = want != NULL && EVP_PKEY_get_bn_param(pk, OSSL_PKEY_PARAM_RSA_N, &have) == 1 &&
	    BN_cmp(have, want) == 0;

	BN_free(have);
	BN_free(want);
	return same;
}

/* PKCS#11 v2.20 wraps the point in an OCTET STRING (04 41), some modules do not. */
static bool
same_point(EVP_PKEY *pk, const struct key *k)
{
	uint8_t point[PUBLIC_MAX];
	size_t n;

	if (EVP_PKEY_get_octet_string_param(pk, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n) != 1)
		return false;
	return n >= 2 && k->public_len >= n && k->public_len - n <= 3 &&
	    memcmp(k->public + (k->public_len - n), point, n) == 0;
}

/* An object that came with the certificate: its CKA_ID, empty for one out of a file. */
struct found_cert {
	X509 *cert; /* owned by the pool */
	uint8_t id[ID_BYTES_MAX];
	size_t id_len;
	bool from_file;
	bool label_fits;
};

#define CERTS_MAX 64
struct found {
	struct found_cert v[CERTS_MAX];
	size_t n;
	STACK_OF(X509) *pool; /* these, and all that may serve as issuers */
};

static bool
belongs(const struct found_cert *c, const struct key *k)
{
	EVP_PKEY *pk = X509_get0_pubkey(c->cert);
	bool rsa;

	if (pk == NULL)
		return false;
	rsa = EVP_PKEY_is_a(pk, "RSA") == 1;
	if (rsa != (k->type == CKK_RSA) || (!rsa && EVP_PKEY_is_a(pk, "EC") != 1))
		return false;
	if (k->public_len > 0)
		return rsa ? same_modulus(pk, k) : same_point(pk, k);
	/* the token hides its public half: the id must do; the test signature proves it later */
	return c->from_file || (k->id_len > 0 && k->id_len == c->id_len && memcmp(k->id, c->id, k->id_len) == 0);
}

/* --- certificates ----------------------------------------------------------------------- */

/* The first certificate of a file is the seal's, the others help with its chain. */
static int
certs_from_file(struct token *t, struct found *f, struct err *e)
{
	int r;

	if ((r = cert_read_file(t->conf->cert, f->pool, e)) < 0)
		return r;
	f->v[f->n++] = (struct found_cert){ .cert = sk_X509_value(f->pool, 0), .from_file = true, .label_fits = true };
	return 0;
}

static void
add_object(struct token *t, CK_OBJECT_HANDLE o, struct found *f)
{
	static uint8_t der[P11_ATTR_MAX];
	struct found_cert *c = &f->v[f->n];
	CK_CERTIFICATE_TYPE type;
	const uint8_t *p = der;
	size_t n;

	if (!p11_attr(&t->p, o, CKA_CERTIFICATE_TYPE, &type, sizeof(type), &n) || type != CKC_X_509 ||
	    !p11_attr(&t->p, o, CKA_VALUE, der, sizeof(der), &n))
		return;
	*c = (struct found_cert){ .cert = d2i_X509(NULL, &p, (long)n) };
	if (c->cert == NULL)
		return; /* something else in the place of a certificate; other objects may serve */
	if (sk_X509_push(f->pool, c->cert) <= 0) {
		X509_free(c->cert);
		return;
	}
	if (!p11_attr(&t->p, o, CKA_ID, c->id, sizeof(c->id), &c->id_len))
		c->id_len = 0;
	c->label_fits = label_wanted(t, o);
	f->n++;
}

static int
certs_from_token(struct token *t, struct found *f, struct err *e)
{
	CK_OBJECT_HANDLE o[P11_OBJECTS_MAX];
	size_t n;
	int r;

	if ((r = p11_find(&t->p, CKO_CERTIFICATE, o, &n, e)) < 0)
		return r;
	for (size_t i = 0; i < n && f->n < CERTS_MAX; i++)
		add_object(t, o[i], f);
	return 0;
}

/* --- choice ----------------------------------------------------------------------------- */

struct choice {
	X509 *cert;
	const struct key *key;
	bool several;        /* different keys would do */
	bool any;            /* some certificate belongs to a key, fit or not */
	struct err unfit;    /* why the last of those is not */
};

static void
consider(const struct token *t, X509 *cert, const struct key *key, struct choice *ch)
{
	ch->any = true;
	if (cert_judge(cert, t->conf->unsafe_legacy, clock_wall_us(), &ch->unfit) < 0)
		return;
	if (ch->cert == NULL) {
		ch->cert = cert;
		ch->key = key;
	} else if (EVP_PKEY_eq(X509_get0_pubkey(cert), X509_get0_pubkey(ch->cert)) != 1) {
		ch->several = true;
	} else if (ASN1_TIME_compare(X509_get0_notBefore(cert), X509_get0_notBefore(ch->cert)) > 0) {
		ch->cert = cert; /* renewed with the same key: the younger one */
		ch->key = key;
	}
}

static int
chosen(const struct token *t, const struct choice *ch, size_t nkeys, struct err *e)
{
	if (ch->several)
		return err_set(e, ERR_KEY, "token '%s': several keys would do; give key_id or key_label", t->p.label);
	if (ch->cert != NULL)
		return 0;
	if (ch->any) {
		*e = ch->unfit;
		return -(int)e->code;
	}
	if (nkeys == 0)
		return err_set(e, ERR_KEY, "token '%s' has no RSA or EC key to sign with%s", t->p.label,
		    *t->conf->key_id || *t->conf->key_label ? " of that key_id and key_label" : "");
	return err_set(e, ERR_CERT, "no certificate belongs to the key on token '%s'; write it to the token or set cert",
	    t->p.label);
}

/* Without a key in sight: the certificate alone, by its id and label. */
static void
choose_blind(const struct token *t, const struct found *f, struct choice *ch)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].from_file || (f->v[i].label_fits && id_wanted(t->conf, f->v[i].id, f->v[i].id_len)))
			consider(t, f->v[i].cert, NULL, ch);
}

static int
choose(struct token *t, CK_OBJECT_CLASS class, const struct found *f, struct err *e)
{
	static struct key keys[KEYS_MAX];
	struct choice ch = { 0 };
	AUTO_CERTS *chain = NULL;
	size_t nkeys;
	int r;

	if ((r = list_keys(t, class, keys, &nkeys, e)) < 0)
		return r;
	for (size_t k = 0; k < nkeys; k++)
		for (size_t i = 0; i < f->n; i++)
			if (belongs(&f->v[i], &keys[k]))
				consider(t, f->v[i].cert, &keys[k], &ch);
	if (nkeys == 0 && class == CKO_PUBLIC_KEY)
		choose_blind(t, f, &ch);
	if ((r = chosen(t, &ch, nkeys, e)) < 0)
		return r;
	if ((r = cert_chain(ch.cert, f->pool, *t->conf->chain != '\0', &chain, e)) < 0)
		return r;
	X509_up_ref(ch.cert);
	X509_free(t->cert);
	cert_stack_free(&t->chain);
	t->cert = ch.cert;
	t->chain = chain;
	chain = NULL;
	t->key = ch.key != NULL ? ch.key->object : CK_INVALID_HANDLE;
	return 0;
}

/* Certificates of file or token, chain, choice; 'class' says which half of the keys is to be seen. */
static int
choose_by(struct token *t, CK_OBJECT_CLASS class, struct err *e)
{
	static struct found f;
	AUTO_CERTS *pool = sk_X509_new_null();
	uint32_t bits;
	int r;

	if (pool == NULL)
		return err_set(e, ERR_MEM, "certificates");
	f = (struct found){ .pool = pool };
	if (*t->conf->cert != '\0' && (r = certs_from_file(t, &f, e)) < 0)
		return r;
	if (*t->conf->cert == '\0' && (r = certs_from_token(t, &f, e)) < 0)
		return r;
	if (*t->conf->chain != '\0' && (r = cert_read_file(t->conf->chain, pool, e)) < 0)
		return r;
	if ((r = choose(t, class, &f, e)) < 0)
		return r;
	t->type = cert_key(t->cert, &bits);
	return 0;
}

/* --- open, login ------------------------------------------------------------------------ */

int
token_open(struct token **ret, const struct conf_token *c, struct err *e)
{
	struct token *t = calloc(1, sizeof(*t));
	CK_FLAGS flags;
	int r;

	if (t == NULL)
		return err_set(e, ERR_MEM, "token");
	t->conf = c;
	t->mark_fd = -1;
	if ((r = p11_open(&t->p, c, e)) < 0 || (r = p11_token_flags(&t->p, &flags, e)) < 0 ||
	    (r = choose_by(t, CKO_PUBLIC_KEY, e)) < 0) {
		token_free(t);
		return r;
	}
	t->pin_pad = (flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
	t->login_needed = (flags & CKF_LOGIN_REQUIRED) != 0;
	*ret = t;
	return 0;
}

/* Never spend a try that may be the last (PIN rule: refuse before, not after). */
static int
check_tries(struct token *t, bool permit, struct err *e)
{
	CK_FLAGS flags;
	int r;

	if ((r = p11_token_flags(&t->p, &flags, e)) < 0)
		return r;
	if (flags & CKF_USER_PIN_LOCKED)
		return err_set(e, ERR_PIN_STOPPED, "token '%s': its PIN is locked; unblock it with the PUK", t->p.label);
	if (flags & CKF_USER_PIN_FINAL_TRY)
		return err_set(e, ERR_PIN_STOPPED,
		    "token '%s': one more wrong PIN would lock it; log in once by hand with the right one", t->p.label);
	if ((flags & CKF_USER_PIN_COUNT_LOW) && !permit)
		return err_set(e, ERR_PIN_STOPPED,
		    "token '%s': a wrong PIN was given to it before; check the PIN, then: sealroom token clear", t->p.label);
	return 0;
}

static int
login_answer(struct token *t, CK_RV rv, struct err *e)
{
	switch (rv) {
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
	case CKR_PIN_EXPIRED:
	case CKR_PIN_LOCKED:
		return err_set(e, ERR_PIN_BAD, "token '%s' refused the PIN (%s); nothing is tried again until: "
		    "sealroom token clear", t->p.label, p11_word(rv));
	default: /* nobody knows whether this cost a try */
		return err_set(e, ERR_PIN_STOPPED, "token '%s': login broke off (%s, 0x%lx); check it, then: "
		    "sealroom token clear", t->p.label, p11_word(rv), rv);
	}
}

/*
 * One C_Login behind a synced mark.  The mark goes when the PIN was taken, and
 * when the token was out before the call: then it can not have judged it.
 */
static int
login(struct token *t, CK_USER_TYPE user, const struct pin *pin, struct err *e)
{
	CK_RV rv;
	int r;

	if ((r = pin_mark_set(t->mark_fd, t->p.serial, e)) < 0)
		return r;
	rv = t->p.f->C_Login(t->p.session, user, t->pin_pad ? NULL : pin->page, t->pin_pad ? 0 : pin->len);
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return pin_mark_clear(t->mark_fd, e);
	if (rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_SESSION_HANDLE_INVALID) {
		r = pin_mark_clear(t->mark_fd, e);
		return r < 0 ? r : p11_fail(&t->p, rv, "login", e);
	}
	return login_answer(t, rv, e);
}

static int
login_and_choose(struct token *t, const struct pin *pin, struct err *e)
{
	bool permit;
	int r;

	if (t->login_needed) {
		if ((r = pin_mark_check(t->mark_fd, &permit, e)) < 0 || (r = check_tries(t, permit, e)) < 0 ||
		    (r = login(t, CKU_USER, pin, e)) < 0)
			return r;
		t->logged_in = true;
	}
	if ((r = choose_by(t, CKO_PRIVATE_KEY, e)) < 0)
		return r;
	t->every_time = p11_attr_is(&t->p, t->key, CKA_ALWAYS_AUTHENTICATE);
	return 0;
}

int
token_login(struct token *t, struct pin *pin, int mark_fd, struct err *e)
{
	int r;

	t->mark_fd = mark_fd;
	if ((r = login_and_choose(t, pin, e)) == 0 && t->every_time) {
		t->pin = *pin;
		*pin = (struct pin){ 0 };
	}
	pin_wipe(pin);
	return r;
}

int
token_check(struct token *t, struct err *e)
{
	CK_SESSION_INFO info;
	CK_FLAGS flags;
	CK_RV rv = t->p.f->C_GetSessionInfo(t->p.session, &info);

	if (rv != CKR_OK)
		return p11_fail(&t->p, rv, "asking for its state", e);
	if (t->logged_in && info.state != CKS_RO_USER_FUNCTIONS)
		return p11_fail(&t->p, CKR_USER_NOT_LOGGED_IN, "asking for its state", e);
	return p11_token_flags(&t->p, &flags, e);
}

void
token_free(struct token *t)
{
	if (t == NULL)
		return;
	pin_wipe(&t->pin);
	if (t->logged_in)
		t->p.f->C_Logout(t->p.session);
	X509_free(t->cert);
	cert_stack_free(&t->chain);
	p11_close(&t->p);
	free(t);
}

/* --- sign ------------------------------------------------------------------------------- */

/* PKCS#11's r || s to ECDSA-Sig-Value (RFC 3279, 2.2.3). */
static int
ecdsa_der(const struct token *t, const uint8_t *rs, size_t n, uint8_t sig[TOKEN_SIG_MAX], size_t *ret_len,
    struct err *e)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(rs, (int)(n / 2), NULL), *v = BN_bin2bn(rs + n / 2, (int)(n / 2), NULL);
	int len;

	if (s == NULL || r == NULL || v == NULL || ECDSA_SIG_set0(s, r, v) != 1) {
		BN_free(r);
		BN_free(v);
		ECDSA_SIG_free(s);
		return err_set(e, ERR_MEM, "token '%s': signature", t->p.label);
	}
	len = i2d_ECDSA_SIG(s, &sig);
	ECDSA_SIG_free(s);
	if (len <= 0)
		return err_set(e, ERR_TOKEN_FAULT, "token '%s': no ECDSA signature", t->p.label);
	*ret_len = (size_t)len;
	return 0;
}

static int
sign_raw(struct token *t, CK_MECHANISM_TYPE type, const uint8_t *in, size_t n, uint8_t out[TOKEN_SIG_MAX],
    size_t *ret_len, struct err *e)
{
	CK_MECHANISM m = { type, NULL, 0 };
	CK_ULONG got = TOKEN_SIG_MAX;
	uint8_t data[64];
	CK_RV rv;
	int r;

	memcpy(data, in, n); /* PKCS#11 takes what it only reads as writable */
	if ((rv = t->p.f->C_SignInit(t->p.session, &m, t->key)) != CKR_OK)
		return p11_fail(&t->p, rv, "C_SignInit", e);
	/* between C_SignInit and C_Sign, never after a failed C_Sign (PKCS#11, CKA_ALWAYS_AUTHENTICATE) */
	if (t->every_time && (r = login(t, CKU_CONTEXT_SPECIFIC, &t->pin, e)) < 0)
		return r;
	t->asked++;
	if ((rv = t->p.f->C_Sign(t->p.session, data, n, out, &got)) != CKR_OK)
		return p11_fail(&t->p, rv, "C_Sign", e);
	*ret_len = got;
	return 0;
}

int
token_sign(struct token *t, const uint8_t digest[HASH_LEN], uint8_t sig[TOKEN_SIG_MAX], size_t *ret_len,
    struct err *e)
{
	/* DER of DigestInfo up to the digest: SHA-256 with NULL parameters (RFC 8017, 9.2 note 1) */
	static const uint8_t prefix[] = { 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
		0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20 };
	uint8_t info[sizeof(prefix) + HASH_LEN], rs[TOKEN_SIG_MAX];
	size_t n;
	int r;

	if (t->type == SEAL_KEY_RSA) {
		memcpy(info, prefix, sizeof(prefix));
		memcpy(info + sizeof(prefix), digest, HASH_LEN);
		return sign_raw(t, CKM_RSA_PKCS, info, sizeof(info), sig, ret_len, e);
	}
	if ((r = sign_raw(t, CKM_ECDSA, digest, HASH_LEN, rs, &n, e)) < 0)
		return r;
	if (n != 64)
		return err_set(e, ERR_TOKEN_FAULT, "token '%s': an ECDSA signature of %zu bytes", t->p.label, n);
	return ecdsa_der(t, rs, n, sig, ret_len, e);
}

/* --- facts ------------------------------------------------------------------------------ */

bool
token_wants_pin(const struct token *t)
{
	return t->login_needed && !t->pin_pad;
}

bool
token_every_time(const struct token *t)
{
	return t->every_time;
}

uint64_t
token_asked(const struct token *t)
{
	return t->asked;
}

X509 *
token_cert(const struct token *t)
{
	return t->cert;
}

STACK_OF(X509) *
token_chain(const struct token *t)
{
	return t->chain;
}

const char *
token_serial(const struct token *t)
{
	return t->p.serial;
}

const char *
token_label(const struct token *t)
{
	return t->p.label;
}
