/*
 * cms.h - a CAdES signature over one digest, as PAdES baseline wants it.
 *
 *	cms_sign(cert, chain, digest, sign, ctx, &cms, imprint, &e)
 *
 * SignedData, detached, id-data, one SignerInfo, SHA-256; signed attributes
 * content-type, message-digest, signing-certificate-v2 and no signing-time
 * (EN 319 142-1, 6.3: /M has it); signer and intermediates inside.
 *
 * OpenSSL 3.0 adds signing-time whenever it signs itself, so it never does: we
 * take the signed attributes' DER (RFC 5652, 5.4), have 'sign' sign its digest,
 * and put the value in.  No private key ever meets OpenSSL.
 *
 * A signature is checked with the certificate before anyone gets it: a flipped
 * bit of RSA-CRT would give the key away.  A wrong one is -ERR_SIG.
 */
#ifndef SEALROOM_CMS_H
#define SEALROOM_CMS_H

#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"

#define CMS_SIG_MAX 512
#define CMS_MAX 60000 /* a whole CMS; it travels in one message */

typedef int cms_signer(void *ctx, const uint8_t digest[HASH_LEN], uint8_t sig[CMS_SIG_MAX], size_t *ret_len,
    struct err *);

/* imprint: SHA-256 of the signature value, what a time stamp is asked for. */
int cms_sign(X509 *cert, STACK_OF(X509) *chain, const uint8_t digest[HASH_LEN], cms_signer *sign, void *ctx,
    struct buf *ret, uint8_t imprint[HASH_LEN], struct err *);

#endif
