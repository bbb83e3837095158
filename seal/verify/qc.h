/*
 * qc.h - QcStatements (RFC 3739, 3.2.6; EN 319 412-5): what a certificate says of itself.
 *
 * The words are no more than is stated: "eseal qscd" needs QcCompliance,
 * QcType with eseal alone, and QcSSCD.  They are worth what the chain is
 * worth: ask only for a certificate whose path to a trusted root is proven.
 */
#ifndef SEALROOM_QC_H
#define SEALROOM_QC_H

#include <openssl/x509.h>

#define QC_TEXT_MAX 64

/* "eseal qscd", "eseal", "esign qscd", "esign", "web", "qualified" (type not stated) or "none". */
void qc_text(const X509 *, char out[QC_TEXT_MAX]);

#endif
