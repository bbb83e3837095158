#include <inttypes.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/lib/path.h"
#include "seal/verify/judge.h"
#include "seal/verify/qc.h"
#include "seal/verify/signed.h"
#include "seal/verify/timestamp.h"

#define CLOCK_DOUBT_US 60000000

/* One signature while it is judged. */
struct sig {
	struct sig_info info;
	const uint8_t *range_hash;
	const struct hash_wide *range_wide;
	bool earlier;           /* of somebody else */
	bool expired;
	int64_t claimed_us;
	bool baseline;          /* nothing seen that PAdES baseline forbids */
	bool stamped;           /* ts is a proven time stamp over this signature */
	struct timestamp ts;
	struct findings f;
	char signer[CHAIN_SUBJECT_MAX];
	uint8_t cert_hash[HASH_LEN];
	char qualified[QC_TEXT_MAX];
};

struct bench {
	const struct trust *trust;
	const struct judge_params *params;
	struct sig *sigs;
	uint32_t n;
};

static void
not_baseline(struct sig *s, const char *why)
{
	s->baseline = false;
	findings_add(&s->f, VERDICT_PROVEN, "not PAdES baseline: %s", why);
}

/*
 * ISO 32000-1, 12.8.1 and EN 319 142-1, 5.2: from the first byte to the end
 * of a revision, without the hole of the signature and nothing else.  Whether
 * it is that must not depend on what is appended later: our seal is.
 */
static bool
range_sane(struct sig *s, uint64_t file_len)
{
	const uint64_t *r = s->info.range;
	uint64_t hole;

	if (r[0] != 0 || r[1] == 0 || r[1] > file_len || r[2] <= r[1] || r[2] > file_len || r[3] > file_len - r[2])
		return findings_add(&s->f, VERDICT_DISPROVEN, "byte range is not one of this file");
	hole = r[2] - r[1];
	if (hole < 2 || (hole - 2) % 2 != 0 || (hole - 2) / 2 < s->info.cms_len)
		return findings_add(&s->f, VERDICT_DISPROVEN, "byte range leaves out more or less than the signature");
	if (!s->info.covers_revision)
		return findings_add(&s->f, VERDICT_DISPROVEN, "byte range is not a whole revision without the signature");
	if (r[2] + r[3] != file_len)
		findings_add(&s->f, VERDICT_PROVEN, "later revision: %" PRIu64 " bytes follow what is signed",
		    file_len - (r[2] + r[3]));
	return true;
}

/* EN 319 142-1, 6.3, table 1: signed attributes that "shall not be present", and the one that shall. */
static void
check_baseline_attributes(struct sig *s, const struct signed_data *sd)
{
	static const char *const forbidden[][2] = {
		{ OID_SIGNING_TIME, "signing-time attribute" },
		{ "1.2.840.113549.1.9.16.2.4", "content-hints attribute" },
		{ "1.2.840.113549.1.9.16.2.7", "content-identifier attribute" },
		{ "1.2.840.113549.1.9.16.2.10", "content-reference attribute" },
		{ "0.4.0.1733.2.1", "mime-type attribute" },
		{ "1.2.840.113583.1.1.8", "revocation data in a signed attribute" },
	};
	char oid[DER_OID_TEXT];
	struct der values;

	for (struct der a = sd->signed_attrs; signed_attr_next(&a, oid, &values);)
		for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
			if (strcmp(oid, forbidden[i][0]) == 0)
				not_baseline(s, forbidden[i][1]);
	if (!sd->ess_v2)
		not_baseline(s, "no signing-certificate-v2 attribute");
	if (!der_end(&sd->crls))
		not_baseline(s, "revocation data in the CMS");
}

static void
check_baseline(struct sig *s, const struct signed_data *sd)
{
	bool claimed = strcmp(s->info.sub_filter, "ETSI.CAdES.detached") == 0;

	if (s->earlier && !claimed) { /* nothing to remark: most others are not */
		s->baseline = false;
		return;
	}
	if (!claimed)
		not_baseline(s, "SubFilter is not ETSI.CAdES.detached");
	if (s->info.has_cert_key)
		not_baseline(s, "/Cert in the signature dictionary");
	if (!s->info.has_signing_time_key)
		not_baseline(s, "no /M in the signature dictionary");
	check_baseline_attributes(s, sd);
}

/* A time stamp over the signature, whatever stands beside it. */
static bool
earlier_token_of(const struct signed_data *sd, struct der *ret)
{
	char oid[DER_OID_TEXT];
	struct der values;

	for (struct der attrs = sd->unsigned_attrs; signed_attr_next(&attrs, oid, &values);)
		if (strcmp(oid, OID_TIME_STAMP_TOKEN) == 0)
			return der_whole(&values, DER_SEQUENCE, ret);
	return false;
}

/*
 * The only unsigned attribute we know is one signature time stamp.  Anything
 * else is not covered by the signature and not understood: UNKNOWN, so that
 * a changed attribute type does not pass for a signature without time stamp.
 */
static bool
token_of(struct sig *s, const struct signed_data *sd, struct der *ret)
{
	char oid[DER_OID_TEXT];
	struct der values, attrs = sd->unsigned_attrs;

	if (der_end(&attrs))
		return false;
	if (!signed_attr_next(&attrs, oid, &values))
		return findings_add(&s->f, VERDICT_DISPROVEN, "unsigned attributes are malformed");
	if (strcmp(oid, OID_TIME_STAMP_TOKEN) != 0 || !der_end(&attrs))
		return findings_add(&s->f, VERDICT_UNKNOWN, "unsigned attribute %s is not one we can judge",
		    strcmp(oid, OID_TIME_STAMP_TOKEN) != 0 ? oid : "besides the time stamp");
	if (!der_whole(&values, DER_SEQUENCE, ret) || !der_end(&values))
		return findings_add(&s->f, VERDICT_UNKNOWN, "more than one signature time stamp in one attribute");
	return true;
}

static const char *
tsa_roots(const struct sig *s)
{
	return s->earlier ? CHAIN_EARLIER_TSA : CHAIN_ANY_TSA;
}

static void
judge_embedded_token(const struct bench *b, struct sig *s, const struct signed_data *sd)
{
	struct timestamp_want want = { .data = sd->signature.p, .data_len = sd->signature.len };
	struct findings f = { 0 };
	struct der token;

	if (!(s->earlier ? earlier_token_of(sd, &token) : token_of(s, sd, &token)))
		return;
	s->stamped = timestamp_check(&s->ts, token.p, token.len, &want, b->trust, tsa_roots(s), &f);
	if (s->earlier && f.verdict == VERDICT_UNKNOWN)
		f.verdict = VERDICT_PROVEN;
	findings_merge(&s->f, &f, "time stamp: ");
}

/* A later DocTimeStamp over the whole of s; the earliest proven one counts. */
static void
find_document_stamp(const struct bench *b, struct sig *s)
{
	uint64_t end = s->info.range[2] + s->info.range[3];

	for (uint32_t i = 0; i < b->n && !s->info.is_timestamp; i++) {
		const struct sig *t = &b->sigs[i];

		if (!t->info.is_timestamp || t->f.verdict != VERDICT_PROVEN || t->info.range[1] < end || t->earlier != s->earlier)
			continue;
		if (!s->stamped || t->ts.gen_time_us < s->ts.gen_time_us)
			s->ts = t->ts;
		s->stamped = true;
	}
}

static void
judge_chain(const struct bench *b, struct sig *s, const struct signed_data *sd)
{
	int64_t now = s->earlier && b->params->earlier_us != 0 ? b->params->earlier_us : b->params->now_us;
	int64_t at = s->stamped ? s->ts.gen_time_us : now;
	bool so_far = s->f.verdict == VERDICT_PROVEN;

	/* a TSA's clock is believed before ours; but a person should know */
	if (s->stamped && at > b->params->now_us + CLOCK_DOUBT_US)
		findings_add(&s->f, VERDICT_PROVEN, "the time stamp is later than the clock of this machine");
	if (chain_check(b->trust, s->earlier ? CHAIN_EARLIER : "seal", sd->cert, sd->certs, CHAIN_SEAL, at, !s->earlier, &s->f))
		qc_text(sd->cert, s->qualified);
	s->expired = so_far && s->f.expired;
}

/* /M, which stands in the dictionary, or else the attribute that other formats have for it; both are claims. */
static void
take_claimed_time(struct sig *s, const struct signed_data *sd)
{
	struct der value;
	const uint8_t *p;
	ASN1_TIME *t;
	struct tm tm;

	s->claimed_us = s->info.claimed_us;
	if (s->claimed_us != 0 || !signed_attr_one(sd->signed_attrs, OID_SIGNING_TIME, &value))
		return;
	p = value.p;
	t = d2i_ASN1_TIME(NULL, &p, (long)value.len);
	if (t != NULL && ASN1_TIME_to_tm(t, &tm))
		s->claimed_us = (int64_t)timegm(&tm) * 1000000;
	ASN1_TIME_free(t);
	ERR_clear_error();
}

static void
judge_cms(const struct bench *b, struct sig *s)
{
	struct signed_data sd;
	const uint8_t *hash;

	if (signed_open(&sd, s->info.cms, s->info.cms_len, &s->f)) {
		hash = signed_hash(sd.digest_oid, s->range_hash, s->range_wide);
		chain_subject(sd.cert, s->signer);
		if (!X509_digest(sd.cert, EVP_sha256(), s->cert_hash, NULL))
			findings_add(&s->f, VERDICT_UNKNOWN, "certificate could not be hashed");
		if (sd.content.p != NULL)
			findings_add(&s->f, VERDICT_DISPROVEN, "the CMS is not detached: it carries its own content");
		else if (hash == NULL)
			findings_add(&s->f, VERDICT_UNKNOWN, "digest algorithm of the signature is not SHA-256");
		else if (signed_verify(&sd, OID_DATA, hash, &s->f)) {
			check_baseline(s, &sd);
			take_claimed_time(s, &sd);
			judge_embedded_token(b, s, &sd);
			find_document_stamp(b, s);
			judge_chain(b, s, &sd);
		}
	}
	signed_done(&sd);
}

static void
judge_signature(const struct bench *b, struct sig *s)
{
	static const char *const known[] = { "ETSI.CAdES.detached", "adbe.pkcs7.detached" };

	if (!range_sane(s, b->params->file_len))
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(s->info.sub_filter, known[i]) == 0) {
			judge_cms(b, s);
			return;
		}
	findings_add(&s->f, VERDICT_UNKNOWN, "SubFilter %s is not one we can judge",
	    *s->info.sub_filter != '\0' ? s->info.sub_filter : "(none)");
}

static void
judge_timestamp(const struct bench *b, struct sig *s)
{
	struct timestamp_want want = { .imprint = s->range_hash, .wide = s->range_wide };

	if (!range_sane(s, b->params->file_len))
		return;
	if (strcmp(s->info.sub_filter, "ETSI.RFC3161") != 0) {
		findings_add(&s->f, VERDICT_UNKNOWN, "SubFilter of the document time stamp is not ETSI.RFC3161");
		return;
	}
	s->stamped = timestamp_check(&s->ts, s->info.cms, s->info.cms_len, &want, b->trust, tsa_roots(s), &s->f);
	memcpy(s->signer, s->ts.signer, sizeof(s->signer));
	memcpy(s->cert_hash, s->ts.cert_hash, sizeof(s->cert_hash));
}

static void
report(const struct bench *b, const struct sig *s, struct judged_sig *out)
{
	memset(out, 0, sizeof(*out));
	out->verdict = s->f.verdict;
	if (s->f.verdict == VERDICT_PROVEN && s->baseline && !s->info.is_timestamp)
		out->level = s->stamped ? LEVEL_B_T : LEVEL_B_B;
	out->is_timestamp = s->info.is_timestamp;
	out->covers_file = s->info.range[2] <= b->params->file_len &&
	    s->info.range[3] == b->params->file_len - s->info.range[2];
	out->expired = s->expired && s->f.verdict == VERDICT_UNKNOWN;
	out->claimed_us = s->claimed_us;
	path_display(s->info.field, out->field, sizeof(out->field));
	snprintf(out->signer, sizeof(out->signer), "%s", s->signer);
	memcpy(out->cert_hash, s->cert_hash, HASH_LEN);
	if (s->stamped) {
		out->gen_time_us = s->ts.gen_time_us;
		snprintf(out->tsa_signer, sizeof(out->tsa_signer), "%s", s->ts.signer);
		memcpy(out->token_hash, s->ts.hash, HASH_LEN);
	}
	/* the statements of a certificate are worth what its chain is worth */
	snprintf(out->qualified, sizeof(out->qualified), "%s",
	    s->f.verdict == VERDICT_PROVEN && *s->qualified != '\0' ? s->qualified : "none");
	out->nreasons = s->f.n;
	for (uint32_t i = 0; i < s->f.n; i++)
		snprintf(out->reasons[i], sizeof(out->reasons[i]), "%s", s->f.text[i]);
}

/*
 * Other programs write BER where ISO 32000-1, 12.8.3.3 wants DER.  What is signed
 * does not change by that: attributes are hashed in DER (RFC 5652, 5.4).
 */
static int
make_der(struct sig_info *s, struct err *e)
{
	const uint8_t *p = s->cms, *end = s->cms + s->cms_len;
	CMS_ContentInfo *cms = der_strict(s->cms, s->cms_len) ? NULL : d2i_CMS_ContentInfo(NULL, &p, (long)s->cms_len);
	uint8_t *der = NULL, *copy;
	int n = 0;

	while (cms != NULL && p < end && *p == 0)
		p++;
	if (cms != NULL && p == end)
		n = i2d_CMS_ContentInfo(cms, &der);
	CMS_ContentInfo_free(cms);
	ERR_clear_error();
	if (n <= 0) /* as it is: judging says what is wrong with it */
		return 0;
	if ((copy = malloc((size_t)n)) != NULL) {
		memcpy(copy, der, (size_t)n);
		free(s->cms);
		s->cms = copy;
		s->cms_len = (size_t)n;
	}
	OPENSSL_free(der);
	return copy != NULL ? 0 : err_set(e, ERR_MEM, "signatures");
}

static int
read_sigs(const struct judge_params *params, struct buf *in, struct sig *sigs, uint32_t n, struct err *e)
{
	for (uint32_t i = 0; i < params->nsigs; i++) {
		struct sig_info spare = { 0 };
		int r = sig_info_get(in, i < n ? &sigs[i].info : &spare, e);

		sig_info_done(&spare);
		if (r < 0)
			return r;
		if (i < n) {
			sigs[i].range_hash = params->range_hash[i];
			sigs[i].range_wide = &params->range_wide[i];
			sigs[i].earlier = params->earlier[i] != 0;
			sigs[i].baseline = true;
		}
		if (i < n && sigs[i].earlier && (r = make_der(&sigs[i].info, e)) < 0)
			return r;
	}
	return buf_finished(in) ? 0 : err_set(e, ERR_PEER, "signatures do not match their hashes");
}

static bool
all_earlier(const struct bench *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		if (!b->sigs[i].earlier)
			return false;
	return true;
}

static void
judge_all(const struct bench *b, struct judge_result *ret)
{
	/* time stamps first: they say at which time a chain is asked for */
	for (uint32_t i = 0; i < b->n; i++)
		if (b->sigs[i].info.is_timestamp)
			judge_timestamp(b, &b->sigs[i]);
	for (uint32_t i = 0; i < b->n; i++)
		if (!b->sigs[i].info.is_timestamp)
			judge_signature(b, &b->sigs[i]);
	ret->verdict = b->n == 0 ? VERDICT_UNKNOWN : VERDICT_PROVEN;
	ret->nsigs = b->n;
	for (uint32_t i = 0; i < b->n; i++) {
		report(b, &b->sigs[i], &ret->sigs[i]);
		if (!b->sigs[i].earlier || all_earlier(b))
			ret->verdict = verdict_worst(ret->verdict, b->sigs[i].f.verdict);
	}
	if (b->n < b->params->nsigs)
		ret->verdict = verdict_worst(ret->verdict, VERDICT_UNKNOWN);
}

int
judge_run(const struct trust *trust, const struct judge_params *params, struct buf *in, struct judge_result *ret,
    struct err *e)
{
	struct bench b = { .trust = trust, .params = params };
	int r;

	if (params->nsigs > SIGS_MAX)
		return err_set(e, ERR_PEER, "too many signatures");
	b.n = params->nsigs < JUDGED_MAX ? params->nsigs : JUDGED_MAX;
	if ((b.sigs = calloc(b.n + 1, sizeof(*b.sigs))) == NULL)
		return err_set(e, ERR_MEM, "signatures");
	if ((r = read_sigs(params, in, b.sigs, b.n, e)) == 0) {
		memset(ret, 0, sizeof(*ret));
		judge_all(&b, ret);
	}
	for (uint32_t i = 0; i < b.n; i++)
		sig_info_done(&b.sigs[i].info);
	free(b.sigs);
	return r;
}
