/*
 * chain.h - trusted roots, and the path from a certificate to one of them.
 *
 *	trust_new(&t, &settings, &e)     "seal", "tsa:NAME" and "earlier" of the settings
 *	chain_check(t, set, ...)         a path valid at a given time?
 *	trust_free(t)
 *
 * A trusted certificate ends the path wherever it stands in it: a root, or an
 * issuing authority taken from a trusted list.  Keys and digests weaker than
 * 112 bits (RSA below 2048, SHA-1) are refused in the whole path.  Revocation
 * is not looked at: nothing here could fetch it.
 */
#ifndef SEALROOM_CHAIN_H
#define SEALROOM_CHAIN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "seal/verify/findings.h"

#define CHAIN_SUBJECT_MAX MSG_SUBJECT_MAX

/*
 * Sets that hold several files: all time-stamping authorities; and for signatures
 * that a document brought along, "seal" with "earlier", for their time stamps these
 * and all authorities.
 */
#define CHAIN_ANY_TSA "tsa:"
#define CHAIN_EARLIER "earlier"
#define CHAIN_EARLIER_TSA "earlier tsa"

struct trust; /* opaque: chain.c; read only once made */

int trust_new(struct trust **ret, const struct settings *, struct err *);
void trust_free(struct trust *); /* NULL is fine */

enum chain_use {
	CHAIN_SEAL,  /* signing documents: keyUsage digitalSignature or nonRepudiation */
	CHAIN_STAMP, /* RFC 3161, 2.3: extendedKeyUsage timeStamping, critical and alone */
};

/*
 * Is cert fit for that use, and is there a path to a root of 'set' ("seal",
 * "tsa:NAME", or one of several files) with every certificate valid at
 * at_us?  others: candidates for the path, may be NULL.  UNKNOWN with a
 * reason when not, and f->expired where time alone is why.  With strangers, an embedded certificate that belongs to
 * no path of ours is UNKNOWN too.
 */
bool chain_check(const struct trust *, const char *set, X509 *cert, STACK_OF(X509) *others, enum chain_use,
    int64_t at_us, bool strangers, struct findings *);

/* The path that chain_check() has found, from cert to the trusted one; NULL: none, or no memory. To be freed. */
STACK_OF(X509) *chain_path(const struct trust *, const char *set, X509 *cert, STACK_OF(X509) *others, enum chain_use,
    int64_t at_us);
/* Microseconds since 1970; 0 when it can not be read. */
int64_t chain_not_after(const X509 *);
/* One line for people, UTF-8, harmless to show. */
void chain_subject(const X509 *, char out[CHAIN_SUBJECT_MAX]);

#endif
