#include <openssl/err.h>
#include <openssl/ts.h>
#include <stdbool.h>

#include "seal/fetch/request.h"

static bool
set_imprint(TS_REQ *req, const uint8_t imprint[HASH_LEN])
{
	TS_MSG_IMPRINT *m = TS_MSG_IMPRINT_new();
	X509_ALGOR *alg = X509_ALGOR_new();
	bool good = m != NULL && alg != NULL &&
	    X509_ALGOR_set0(alg, OBJ_nid2obj(NID_sha256), V_ASN1_NULL, NULL) && TS_MSG_IMPRINT_set_algo(m, alg) &&
	    TS_MSG_IMPRINT_set_msg(m, (unsigned char *)(uintptr_t)imprint, HASH_LEN) &&
	    TS_REQ_set_msg_imprint(req, m);

	X509_ALGOR_free(alg);
	TS_MSG_IMPRINT_free(m);
	return good;
}

static bool
set_nonce(TS_REQ *req, uint64_t nonce)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	bool good = n != NULL && ASN1_INTEGER_set_uint64(n, nonce) && TS_REQ_set_nonce(req, n);

	ASN1_INTEGER_free(n);
	return good;
}

static bool
set_policy(TS_REQ *req, const char *policy)
{
	ASN1_OBJECT *o = OBJ_txt2obj(policy, 1);
	bool good = o != NULL && TS_REQ_set_policy_id(req, o);

	ASN1_OBJECT_free(o);
	return good;
}

int
request_make(const uint8_t imprint[HASH_LEN], uint64_t nonce, const char *policy, struct buf *out, struct err *e)
{
	TS_REQ *req = TS_REQ_new();
	uint8_t *der = NULL;
	int n = -1;

	if (req != NULL && TS_REQ_set_version(req, 1) && set_imprint(req, imprint) &&
	    (*policy == '\0' || set_policy(req, policy)) && set_nonce(req, nonce) && TS_REQ_set_cert_req(req, 1))
		n = i2d_TS_REQ(req, &der);
	if (n > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	TS_REQ_free(req);
	ERR_clear_error();
	if (n <= 0 || !buf_ok(out))
		return err_set(e, ERR_CONF, "no time-stamp request can be made; policy \"%.64s\"", policy);
	return 0;
}
