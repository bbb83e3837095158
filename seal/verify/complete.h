/*
 * complete.h - a time-stamp token with its whole path inside (for RFC 4998).
 *
 * A token that will be checked when the authority is long gone must carry its
 * certificates.  The set "certificates", which no signature covers, becomes the
 * path from the signer to our trusted certificate, that one included, in the
 * order of DER; certificates that belong to no path of ours are left out, so that
 * none of the bytes is free to change.  Everything else stays as it was.
 */
#ifndef SEALROOM_COMPLETE_H
#define SEALROOM_COMPLETE_H

#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "seal/verify/chain.h"
#include "seal/verify/der.h"

/* tsa: the roots "tsa:<tsa>"; the token is good already, at at_us. */
int complete_run(const struct trust *, const char *tsa, const struct der *token, int64_t at_us, struct buf *out,
    struct err *);

#endif
