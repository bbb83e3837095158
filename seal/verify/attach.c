#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/path.h"
#include "seal/verify/attach.h"
#include "seal/verify/complete.h"
#include "seal/verify/signed.h"
#include "seal/verify/timestamp.h"

/* PKIFreeText of a PKIStatusInfo: the TSA's own words, or "". */
static bool
read_words(struct der *d, char *out, size_t size)
{
	struct der words, one;
	size_t n = 0;

	out[0] = '\0';
	if (der_peek(d) != DER_SEQUENCE)
		return true;
	if (!der_take(d, DER_SEQUENCE, &words))
		return false;
	while (!der_end(&words)) {
		if (!der_take(&words, DER_UTF8, &one))
			return false;
		n += (size_t)snprintf(out + n, size - n, "%s%.*s", n == 0 ? "" : "; ",
		    one.len > size ? (int)size : (int)one.len, (const char *)one.p);
		if (n >= size)
			return true; /* enough of them */
	}
	return true;
}

static const char *
failure_name(const struct der *bits)
{
	/* RFC 3161, 2.4.2: PKIFailureInfo; bit 0 is the highest of the first byte */
	static const struct {
		unsigned bit;
		const char *name;
	} known[] = {
		{ 0, "badAlg" }, { 2, "badRequest" }, { 5, "badDataFormat" }, { 14, "timeNotAvailable" },
		{ 15, "unacceptedPolicy" }, { 16, "unacceptedExtension" }, { 17, "addInfoNotAvailable" },
		{ 25, "systemFailure" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (bits->len > 1 + known[i].bit / 8 && bits->p[1 + known[i].bit / 8] & 0x80u >> known[i].bit % 8)
			return known[i].name;
	return "";
}

static int
refused(const char *tsa, uint64_t status, const char *words, const char *failure, struct err *e)
{
	char shown[120];

	path_display(words, shown, sizeof(shown));
	return err_set(e, ERR_TSA_ANSWER, "TSA %s refused with status %u%s%s%s%s", tsa,
	    status > 99 ? 99u : (unsigned)status, *failure ? " " : "", failure, *shown ? ": " : "", shown);
}

/* The token's bytes inside the answer, when the TSA granted one. */
static int
read_answer(const char *tsa, const uint8_t *answer, size_t len, struct der *token, struct err *e)
{
	struct der d = { answer, len }, resp, info, status, fail = { NULL, 0 };
	char words[160];
	uint64_t code;

	if (!der_strict(answer, len) || !der_take(&d, DER_SEQUENCE, &resp) || !der_take(&resp, DER_SEQUENCE, &info) ||
	    !der_take(&info, DER_INTEGER, &status) || !der_u64(&status, &code) ||
	    !read_words(&info, words, sizeof(words)) ||
	    (der_peek(&info) == DER_BITS && !der_take(&info, DER_BITS, &fail)) || !der_end(&info))
		return err_set(e, ERR_TSA_ANSWER, "TSA %s: the answer is not a TimeStampResp (RFC 3161)", tsa);
	if (code > 1) /* neither granted nor grantedWithMods */
		return refused(tsa, code, words, failure_name(&fail), e);
	if (!der_whole(&resp, DER_SEQUENCE, token) || !der_end(&resp))
		return err_set(e, ERR_TSA_ANSWER, "TSA %s: the answer says granted but carries no token", tsa);
	return 0;
}

static int
check_token(const struct trust *trust, const struct attach_params *p, const struct der *token,
    struct timestamp *ts, struct err *e)
{
	const struct timestamp_want want = { .imprint = p->imprint, .policy = p->policy, .nonce = &p->nonce };
	char set[MSG_NAME_MAX + 8], at[CLOCK_ISO_MAX], from[CLOCK_ISO_MAX], to[CLOCK_ISO_MAX];
	struct findings f = { 0 };

	snprintf(set, sizeof(set), "tsa:%s", p->tsa);
	if (!timestamp_check(ts, token->p, token->len, &want, trust, set, &f))
		return err_set(e, ERR_TSA_ANSWER, "TSA %s: %s", p->tsa, f.n > 0 ? f.text[0] : "token not proven");
	if (ts->gen_time_us >= p->window_from_us && ts->gen_time_us <= p->window_to_us)
		return 0;
	clock_iso(ts->gen_time_us, at);
	clock_iso(p->window_from_us, from);
	clock_iso(p->window_to_us, to);
	return err_set(e, ERR_TSA_ANSWER, "TSA %s: time %s lies outside %s .. %s: compare the clocks", p->tsa, at, from, to);
}

/* Our own signature and nothing else: what seal made for the imprint we asked about. */
static int
check_cms(const struct signed_data *sd, const struct attach_params *p, struct err *e)
{
	uint8_t hash[HASH_LEN];

	hash_bytes(sd->signature.p, sd->signature.len, hash);
	if (memcmp(hash, p->imprint, HASH_LEN) != 0)
		return err_set(e, ERR_SIG, "the signature is not the one the time stamp was asked for");
	if (!der_end(&sd->unsigned_attrs))
		return err_set(e, ERR_SIG, "the signature has unsigned attributes already");
	return 0;
}

/* Reads the result back: the token is there, and what was signed is as it was. */
static int
check_result(const struct signed_data *before, const struct der *token, const struct buf *out, struct err *e)
{
	struct signed_data after;
	struct findings f = { 0 };
	struct der value;
	bool same = signed_open(&after, out->data, out->len, &f) &&
	    der_equal(&before->before_signer, &after.before_signer) && der_equal(&before->signer, &after.signer) &&
	    signed_attr_one(after.unsigned_attrs, OID_TIME_STAMP_TOKEN, &value) && der_equal(&value, token);

	signed_done(&after);
	return same ? 0 : err_set(e, ERR_SIG, "adding the time stamp changed the signature");
}

static int
add_token(struct signed_data *sd, const struct der *token, struct buf *out, struct err *e)
{
	uint8_t *der = NULL;
	int n = -1;

	if (CMS_unsigned_add1_attr_by_NID(sd->si, NID_id_smime_aa_timeStampToken, V_ASN1_SEQUENCE, token->p,
	        (int)token->len))
		n = i2d_CMS_ContentInfo(sd->cms, &der);
	if (n > 0)
		buf_put(out, der, (size_t)n);
	OPENSSL_free(der);
	ERR_clear_error();
	if (n <= 0)
		return err_set(e, ERR_SIG, "the time stamp could not be added");
	return buf_ok(out) ? 0 : err_set(e, ERR_TSA_ANSWER, "signature with time stamp is too large: %d bytes", n);
}

static int
attach_cms(const struct attach_params *p, const struct der *token, struct buf *out, struct err *e)
{
	struct signed_data sd;
	struct findings f = { 0 };
	int r;

	if (!signed_open(&sd, p->cms, p->cms_len, &f))
		r = err_set(e, ERR_SIG, "the signature to be stamped: %s", f.n > 0 ? f.text[0] : "unreadable");
	else if ((r = check_cms(&sd, p, e)) == 0 && (r = add_token(&sd, token, out, e)) == 0)
		r = check_result(&sd, token, out, e);
	signed_done(&sd);
	return r;
}

/* With its path inside; and what came of it is judged once more, for these are the bytes that stay. */
static int
complete_token(const struct trust *trust, const struct attach_params *p, struct der *token, struct timestamp *ts,
    struct buf *out, struct err *e)
{
	int r;

	if ((r = complete_run(trust, p->tsa, token, ts->gen_time_us, out, e)) < 0)
		return r;
	*token = (struct der){ out->data, out->len };
	return check_token(trust, p, token, ts, e);
}

int
attach_run(const struct trust *trust, const struct attach_params *p, const uint8_t *answer, size_t len,
    struct buf *out, struct attach_result *ret, struct err *e)
{
	struct timestamp ts;
	struct der token;
	int r;

	if (len == 0 || len > ATTACH_ANSWER_MAX)
		return err_set(e, ERR_TSA_ANSWER, "TSA %s: the answer has %zu bytes", p->tsa, len);
	if ((r = read_answer(p->tsa, answer, len, &token, e)) < 0 || (r = check_token(trust, p, &token, &ts, e)) < 0)
		return r;
	if (p->cms_len > 0) {
		if ((r = attach_cms(p, &token, out, e)) < 0)
			return r;
	} else if (p->complete) {
		if ((r = complete_token(trust, p, &token, &ts, out, e)) < 0)
			return r;
	} else {
		buf_put(out, token.p, token.len);
		if (!buf_ok(out))
			return err_set(e, ERR_TSA_ANSWER, "TSA %s: the token is too large: %zu bytes", p->tsa, token.len);
	}
	*ret = (struct attach_result){ .gen_time_us = ts.gen_time_us, .token_len = (uint32_t)token.len,
		.cms = out->data, .cms_len = out->len };
	memcpy(ret->token_hash, ts.hash, HASH_LEN);
	return 0;
}
