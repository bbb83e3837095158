/*
 * attach.h - a TSA's answer, checked and put to use: TASK_ATTACH as a function.
 *
 *	attach_run(trust, &params, answer, len, &out, &result, &e)
 *
 * The answer (TimeStampResp, RFC 3161, 2.4.2) is hostile until timestamp.h has
 * proven its token against the roots "tsa:NAME", our imprint, our nonce, the
 * policy and the window of time.  Whatever is wrong is ERR_TSA_ANSWER with a
 * text that names the TSA.
 *
 * With a CMS the token becomes its unsigned attribute id-aa-timeStampToken
 * (RFC 3161, appendix A); every byte the signer wrote stays as it was, and
 * that is checked on the result.  Without one the token itself is the result,
 * byte for byte as received; or, for evidence records, with its path (complete.h).
 */
#ifndef SEALROOM_ATTACH_H
#define SEALROOM_ATTACH_H

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "seal/verify/chain.h"

#define ATTACH_ANSWER_MAX (64 * 1024)

/* out: initialised by the caller; receives the bytes ret->cms points to. */
int attach_run(const struct trust *, const struct attach_params *, const uint8_t *answer, size_t len,
    struct buf *out, struct attach_result *ret, struct err *);

#endif
