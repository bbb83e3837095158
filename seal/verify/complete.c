#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/derput.h"
#include "seal/verify/complete.h"
#include "seal/verify/signed.h"

#define TOKEN_MAX ((size_t)1024 * 1024)
#define PATH_MAX_CERTS 16

/* SignedData around its certificates (RFC 5652, 5.1). */
struct parts {
	struct der before; /* version, digestAlgorithms, encapContentInfo */
	struct der after;  /* crls, signerInfos */
};

static bool
split(struct der token, struct parts *ret)
{
	struct der info, outer, body, part;

	if (!der_take(&token, DER_SEQUENCE, &info) || !der_take(&info, DER_OID, &part) ||
	    !der_take(&info, DER_CONTEXT(0), &outer) || !der_take(&outer, DER_SEQUENCE, &body))
		return false;
	ret->before = body;
	for (int i = 0; i < 3; i++)
		if (!der_any(&body, &part))
			return false;
	ret->before.len -= body.len;
	if (der_peek(&body) == DER_CONTEXT(0) && !der_any(&body, &part))
		return false;
	ret->after = body;
	return true;
}

struct encoded {
	uint8_t *p;
	int len;
};

/* X.690, 11.6: SET OF in ascending order, the shorter one padded with zeros. */
static int
by_der(const void *a, const void *b)
{
	const struct encoded *x = a, *y = b;
	int c = memcmp(x->p, y->p, (size_t)(x->len < y->len ? x->len : y->len));

	return c != 0 ? c : x->len - y->len;
}

/* The content of [0]. */
static bool
put_path(STACK_OF(X509) *path, struct buf *out)
{
	struct encoded certs[PATH_MAX_CERTS] = { { NULL, 0 } };
	int n = sk_X509_num(path), got = 0;
	bool good = n > 0 && n <= PATH_MAX_CERTS;

	for (; good && got < n; got += good)
		good = (certs[got].len = i2d_X509(sk_X509_value(path, got), &certs[got].p)) > 0;
	if (good)
		qsort(certs, (size_t)n, sizeof(certs[0]), by_der);
	for (int i = 0; i < got; i++) {
		if (good)
			buf_put(out, certs[i].p, (size_t)certs[i].len);
		OPENSSL_free(certs[i].p);
	}
	return good && buf_ok(out);
}

/* ContentInfo { id-signedData, [0] SignedData }, from the inside out. */
static void
wrap(const struct parts *p, const struct buf *certs, struct buf *out)
{
	/* 1.2.840.113549.1.7.2 */
	static const uint8_t id[] = { DER_OID, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02 };
	AUTO_BUF set = { 0 }, data = { 0 }, explicit = { 0 };

	buf_init(&set, TOKEN_MAX);
	buf_init(&data, TOKEN_MAX);
	buf_init(&explicit, TOKEN_MAX);
	derput(&set, DER_CONTEXT(0), certs->data, certs->len);
	derput_head(&data, DER_SEQUENCE, p->before.len + set.len + p->after.len);
	buf_put(&data, p->before.p, p->before.len);
	buf_put(&data, set.data, set.len);
	buf_put(&data, p->after.p, p->after.len);
	derput(&explicit, DER_CONTEXT(0), data.data, data.len);
	derput_head(out, DER_SEQUENCE, sizeof(id) + explicit.len);
	buf_put(out, id, sizeof(id));
	buf_put(out, explicit.data, explicit.len);
	out->bad |= !buf_ok(&set) || !buf_ok(&data) || !buf_ok(&explicit);
}

int
complete_run(const struct trust *trust, const char *tsa, const struct der *token, int64_t at_us, struct buf *out,
    struct err *e)
{
	STACK_OF(X509) *path = NULL;
	struct findings f = { 0 };
	struct signed_data sd;
	struct parts parts;
	char set[MSG_NAME_MAX + 8];
	AUTO_BUF certs = { 0 };
	bool good;

	buf_init(&certs, TOKEN_MAX);
	snprintf(set, sizeof(set), "tsa:%s", tsa);
	good = signed_open(&sd, token->p, token->len, &f) && split(*token, &parts) &&
	    (path = chain_path(trust, set, sd.cert, sd.certs, CHAIN_STAMP, at_us)) != NULL && put_path(path, &certs);
	if (good)
		wrap(&parts, &certs, out);
	sk_X509_pop_free(path, X509_free);
	signed_done(&sd);
	if (!good || !buf_ok(out))
		return err_set(e, ERR_TSA_ANSWER, "TSA %s: its certificates could not be put into the token", tsa);
	return 0;
}
