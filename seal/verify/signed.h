/*
 * signed.h - one CMS SignedData (RFC 5652) with one signer, taken apart and checked.
 *
 *	signed_open(&sd, der, len, &f)      structure: DER, one signer, algorithms
 *	signed_verify(&sd, oid, hash, &f)   digest, signature, certificate binding
 *	signed_done(&sd)
 *
 * Serves PAdES signatures and RFC 3161 tokens alike.  signed_open() returns
 * false when nothing more can be asked; then *f says why, and signed_done() is
 * still right.  The bytes must outlive *sd, whose windows point into them.
 * Chains are not looked at here (chain.h).
 *
 * No signature covers the versions, the digestAlgorithms, the algorithm
 * identifiers of the signer, unsigned attributes, unused certificates or CRLs.
 * The first three are compared with the only values they can have, so that a
 * flipped bit there is seen; for the others see judge.h.
 */
#ifndef SEALROOM_SIGNED_H
#define SEALROOM_SIGNED_H

#include <openssl/cms.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

#include "seal/verify/der.h"
#include "seal/verify/findings.h"

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_SIGNED_DATA "1.2.840.113549.1.7.2"
#define OID_CONTENT_TYPE "1.2.840.113549.1.9.3"
#define OID_MESSAGE_DIGEST "1.2.840.113549.1.9.4"
#define OID_SIGNING_TIME "1.2.840.113549.1.9.5"
#define OID_SIGNING_CERT "1.2.840.113549.1.9.16.2.12"    /* ESS, SHA-1: RFC 2634 */
#define OID_SIGNING_CERT_V2 "1.2.840.113549.1.9.16.2.47" /* RFC 5035 */
#define OID_TIME_STAMP_TOKEN "1.2.840.113549.1.9.16.2.14"
#define OID_TST_INFO "1.2.840.113549.1.9.16.1.4"
#define OID_SHA256 "2.16.840.1.101.3.4.2.1"
#define OID_SHA384 "2.16.840.1.101.3.4.2.2"
#define OID_SHA512 "2.16.840.1.101.3.4.2.3"

struct signed_data {
	/* windows into the bytes */
	struct der before_signer;         /* the SignedData up to its signerInfos */
	struct der content_type;          /* OID */
	struct der content;               /* eContent's octets; p NULL: detached */
	struct der certificates, crls;    /* content of [0] and [1] */
	struct der signer;                /* SignerInfo up to its signature, signature included */
	struct der sid;                   /* whole */
	struct der signed_attrs;          /* content of [0] */
	struct der signature;             /* octets */
	struct der unsigned_attrs;        /* content of [1] */
	char digest_oid[DER_OID_TEXT];
	const EVP_MD *digest;             /* NULL: not one we accept */
	bool ess, ess_v2;                 /* the certificate is named by hash; set by signed_verify() */
	/* the same, by OpenSSL; owned */
	CMS_ContentInfo *cms;
	CMS_SignerInfo *si;               /* belongs to cms */
	STACK_OF(X509) *certs;            /* embedded certificates */
	X509 *cert;                       /* the signer's; one of certs */
};

bool signed_open(struct signed_data *, const uint8_t *, size_t, struct findings *);
/*
 * Is content_oid the type of what is signed, and message_digest (of
 * EVP_MD_get_size(sd->digest) bytes) its hash?  Does the signature fit, and
 * does it name its certificate (ESS)?
 */
bool signed_verify(struct signed_data *, const char *content_oid, const uint8_t *message_digest,
    struct findings *);
void signed_done(struct signed_data *);

/* SHA-256, SHA-384, SHA-512; NULL for all others. */
const EVP_MD *signed_digest(const char *oid);
/* That one of two hashes of the same bytes; NULL: not known. */
const uint8_t *signed_hash(const char *oid, const uint8_t sha256[HASH_LEN], const struct hash_wide *);
/*
 * The next attribute of a SET OF Attribute: its type as text and its values
 * (content of the SET).  False at the end or when it is malformed; then
 * der_end() tells which.
 */
bool signed_attr_next(struct der *attrs, char oid[DER_OID_TEXT], struct der *ret_values);
/* The single value of the only attribute of that type, whole. False: none, several, malformed. */
bool signed_attr_one(struct der attrs, const char *oid, struct der *ret_value);

#endif
