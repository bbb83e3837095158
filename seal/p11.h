/*
 * p11.h - one PKCS#11 module, one token in it, one session with it.
 *
 *	p11_open(&p, &conf, &e)         load, initialise, choose the token, open a session
 *	p11_find(), p11_attr()          objects and their attributes
 *	p11_fail(&p, rv, what, &e)      turns a CK_RV into code and words
 *	p11_close(&p)                   everything back; twice is fine
 *
 * libp11 gives context, module, slots and the words of return values.  The
 * session is ours, by the module's own function table: libp11 0.4.12 waits for
 * ever when C_OpenSession fails, its enumerations fail as a whole on a key or
 * certificate they do not know, and it believes in a login that is long gone.
 *
 * After a module was loaded this process must not fork: the child would log in
 * again.  One process a token, exec'ed.
 */
#ifndef SEALROOM_P11_H
#define SEALROOM_P11_H

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "rules/conf.h"

#define P11_OBJECTS_MAX 256
#define P11_ATTR_MAX 16384

struct p11 {
	struct PKCS11_ctx_st *ctx;
	struct PKCS11_slot_st *slots;
	unsigned nslots;
	void *module;
	CK_FUNCTION_LIST *f;
	CK_SLOT_ID slot;
	CK_SESSION_HANDLE session;
	bool in_session;
	char serial[64]; /* as shown to people: no controls, blanks cut */
	char label[64];
};

/*
 * The module's file and its directory must be root's or ours and writable by nobody
 * else; with module_sha256 its bytes are those.  -ERR_CONF.
 * -ERR_TOKEN_GONE when no token fits, -ERR_CONF when several do.
 */
int p11_open(struct p11 *, const struct conf_token *, struct err *);
void p11_close(struct p11 *);

/* CKF_* of C_GetTokenInfo, asked anew: libp11 shows those of its last enumeration. */
int p11_token_flags(struct p11 *, CK_FLAGS *ret, struct err *);

/* Objects of a class; more than P11_OBJECTS_MAX are -ERR_TOKEN_FAULT. */
int p11_find(struct p11 *, CK_OBJECT_CLASS, CK_OBJECT_HANDLE ret[P11_OBJECTS_MAX], size_t *ret_n,
    struct err *);
/* One attribute; false when it is absent, hidden or longer than size. */
bool p11_attr(struct p11 *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE, void *dst, size_t size, size_t *ret_len);
bool p11_attr_is(struct p11 *, CK_OBJECT_HANDLE, CK_ATTRIBUTE_TYPE); /* a CK_BBOOL that is true */

/*
 * Sets *e and returns -code: ERR_TOKEN_GONE when this session will never work
 * again (pulled, reset, pcscd restarted): exit, the core starts anew; else
 * ERR_TOKEN_FAULT.
 */
int p11_fail(struct p11 *, CK_RV, const char *what, struct err *);
const char *p11_word(CK_RV);

#endif
