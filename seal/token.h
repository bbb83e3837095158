/*
 * token.h - one key and its certificate on one PKCS#11 token, and its login.
 *
 *	token_open(&t, &conf, &e)            module, token, certificate; no login
 *	token_login(t, &pin, mark_fd, &e)    once in the life of a process
 *	token_sign(t, digest, sig, &n, &e)   SHA-256 digest in, signature for a CMS out
 *	token_free(t)                        logs out; NULL is fine
 *
 * Signs digests; never sees a document.  Linked only into sealroom-seal.
 *
 * token_open() chooses the certificate by what can be seen without a login and
 * is enough for `sealroom check`; token_login() finds the private key and
 * chooses anew by what the key says.  Choice: the key of key_id and key_label;
 * the certificate with that public key, fit to seal now, the youngest of them.
 * Two keys that would do are an error, not a guess.
 *
 * Login: refused without a try when the token says that tries were lost; the
 * mark (pin.h) is on disk before C_Login and goes only when the token took the
 * PIN.  *pin is wiped before token_login() returns, whatever happens; only a
 * key that wants the PIN for each signature (CKA_ALWAYS_AUTHENTICATE) keeps it,
 * in its page, until token_free().  A PIN pad gets no PIN from us; pin may be
 * empty then.
 *
 * A refused PIN is ERR_PIN_BAD: exit, do not call again.  A token that is gone
 * is ERR_TOKEN_GONE: exit, the core starts anew.  ERR_TOKEN_FAULT may pass.
 */
#ifndef SEALROOM_TOKEN_H
#define SEALROOM_TOKEN_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "rules/conf.h"
#include "seal/pin.h"

#define TOKEN_SIG_MAX 512 /* RSA-4096 */

struct token; /* opaque: token.c */

int token_open(struct token **ret, const struct conf_token *, struct err *);
bool token_wants_pin(const struct token *); /* false: PIN pad, or no login needed */
bool token_every_time(const struct token *); /* after login: a login for each signature */
/* A permit in the mark's file allows one login although the token counts a wrong PIN; never its last try. */
int token_login(struct token *, struct pin *, int mark_fd, struct err *);
int token_check(struct token *, struct err *); /* still there, still ours?  Never logs in. */
void token_free(struct token *);

/* How often its key was asked to sign: a token_sign() that fails without that has surely left no signature. */
uint64_t token_asked(const struct token *);
/* RSA: PKCS#1 v1.5; EC: DER of ECDSA-Sig-Value.  Not yet checked: seal/cms.h does. */
int token_sign(struct token *, const uint8_t digest[HASH_LEN], uint8_t sig[TOKEN_SIG_MAX], size_t *ret_len,
    struct err *);

X509 *token_cert(const struct token *);              /* the token's; valid until token_free() */
STACK_OF(X509) *token_chain(const struct token *);   /* likewise */
const char *token_serial(const struct token *);
const char *token_label(const struct token *);

#endif
