/*
 * cert.h - the seal's certificate: read it, judge it, find its chain.
 *
 *	cert_read_file(path, pool, &e)       PEM bundle or DER, appended to pool
 *	cert_judge(cert, legacy, now, &e)    may it seal, now, with such a key?
 *	cert_chain(cert, pool, &chain, &e)   its issuers out of the pool, no root
 *	cert_facts(cert, &ready)             what READY and {org} show
 *
 * Certificates come from the token and from files that root named; nothing
 * here reads what a document or a time-stamping authority sent.
 */
#ifndef SEALROOM_CERT_H
#define SEALROOM_CERT_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"

/* Of scope: freed with all certificates in it. */
void cert_stack_free(STACK_OF(X509) **);
#define AUTO_CERTS __attribute__((cleanup(cert_stack_free))) STACK_OF(X509)

int cert_read_file(const char *path, STACK_OF(X509) *pool, struct err *);

/* RSA or EC P-256 and its size; SEAL_KEY_NONE for what we can not use. */
enum seal_key cert_key(const X509 *, uint32_t *ret_bits);

/*
 * -ERR_CERT: not yet or no longer valid, or not for signatures (keyUsage).
 * -ERR_KEY: a kind or size of key we do not seal with; RSA below 3000 bits
 * needs 'legacy' (unsafe_legacy), below 2048 bits is never taken.
 */
int cert_judge(const X509 *, bool legacy, int64_t now_us, struct err *);
int cert_valid_at(const X509 *, int64_t now_us, struct err *); /* the dates alone */

/*
 * The chain above cert, nearest first, at most SEAL_CHAIN_MAX - 1; the root is
 * left out.  With 'must' an issuer, be it the root, has to be in the pool.
 */
int cert_chain(X509 *cert, STACK_OF(X509) *pool, bool must, STACK_OF(X509) **ret, struct err *);

/* SEAL_ODD_*; roots: PEM file, and while it can not be read nothing is said of the chain. */
uint32_t cert_odd(X509 *, STACK_OF(X509) *chain, const char *roots);
void cert_facts(const X509 *, struct ready_seal *);
void cert_subject(const X509 *, char *dst, size_t size); /* one line, RFC 4514 */

#endif
