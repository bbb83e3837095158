#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "seal/verify/der.h"
#include "seal/verify/qc.h"

#define QC_COMPLIANCE "0.4.0.1862.1.1"
#define QC_SSCD "0.4.0.1862.1.4"
#define QC_TYPE "0.4.0.1862.1.6"
#define QC_LEGISLATION "0.4.0.1862.1.7"

struct qc {
	bool compliance, sscd, foreign_law;
	const char *type; /* NULL: not stated; "" : more than one, or unknown */
};

/* EN 319 412-5, 4.2.3: QcType ::= SEQUENCE OF OBJECT IDENTIFIER. */
static const char *
read_type(struct der info)
{
	static const char *const types[][2] = {
		{ "0.4.0.1862.1.6.1", "esign" },
		{ "0.4.0.1862.1.6.2", "eseal" },
		{ "0.4.0.1862.1.6.3", "web" },
	};
	struct der list, oid;

	if (!der_take(&info, DER_SEQUENCE, &list) || !der_take(&list, DER_OID, &oid) || !der_end(&list))
		return "";
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (der_oid_is(&oid, types[i][0]))
			return types[i][1];
	return "";
}

static bool
read_statements(struct der list, struct qc *qc)
{
	struct der one, oid;

	while (!der_end(&list)) {
		if (!der_take(&list, DER_SEQUENCE, &one) || !der_take(&one, DER_OID, &oid))
			return false;
		qc->compliance |= der_oid_is(&oid, QC_COMPLIANCE);
		qc->sscd |= der_oid_is(&oid, QC_SSCD);
		/* 4.2.4: qualified by the law of the countries named, not by eIDAS */
		qc->foreign_law |= der_oid_is(&oid, QC_LEGISLATION);
		if (der_oid_is(&oid, QC_TYPE))
			qc->type = qc->type == NULL ? read_type(one) : "";
	}
	return true;
}

void
qc_text(const X509 *x, char out[QC_TEXT_MAX])
{
	int at = X509_get_ext_by_NID(x, NID_qcStatements, -1);
	X509_EXTENSION *ext = at < 0 ? NULL : X509_get_ext(x, at);
	const ASN1_OCTET_STRING *octets = ext == NULL ? NULL : X509_EXTENSION_get_data(ext);
	struct qc qc = { 0 };
	struct der d, list;

	snprintf(out, QC_TEXT_MAX, "none");
	if (octets == NULL || X509_get_ext_by_NID(x, NID_qcStatements, at) >= 0)
		return;
	d = (struct der){ ASN1_STRING_get0_data(octets), (size_t)ASN1_STRING_length(octets) };
	if (!der_strict(d.p, d.len) || !der_take(&d, DER_SEQUENCE, &list) || !read_statements(list, &qc) ||
	    !qc.compliance || qc.foreign_law || (qc.type != NULL && *qc.type == '\0'))
		return;
	snprintf(out, QC_TEXT_MAX, "%s%s", qc.type == NULL ? "qualified" : qc.type, qc.sscd ? " qscd" : "");
}
