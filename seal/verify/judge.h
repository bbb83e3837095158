/*
 * judge.h - the signatures of one PDF, judged: TASK_JUDGE as a function.
 *
 *	judge_run(trust, &params, &sigs, &result, &e)
 *
 * sigs holds the records of scan's `sigs` task (struct sig_info); the hashes
 * in params are the core's own, of the byte ranges those records name.  No
 * clock, no file, no process: the same function serves daemon and tests.
 *
 * Verdict of a signature (EN 319 102-1, 5.1.3):
 *	PROVEN     unchanged, by the key of a certificate that had a path to a
 *	           trusted root at the time of the earliest proven time stamp
 *	           over it (embedded, or a later DocTimeStamp), else now
 *	DISPROVEN  changed, damaged, or contradicting itself
 *	UNKNOWN    anything we can not tell: chain, algorithm, foreign forms
 * Signatures of others, which a document brought along (judge_params.earlier), are
 * judged for what they are worth to a reader, at earlier_us: roots "earlier", BER
 * as many programs write it, embedded certificates and unsigned attributes that
 * lead nowhere are no doubt, and a time stamp that can not be judged counts as
 * none.  A time stamp of ours says nothing about them.  The verdict of the whole
 * is that of the others, where there are any.
 *
 * A level is claimed only with PROVEN, and only B-B or B-T; what breaks the
 * PAdES baseline (EN 319 142-1, 6.3) costs the level and is a remark.
 * Revocation is not asked.  Bytes after the range of a signature are its
 * remark; the caller decides whether such a later revision is welcome.
 *
 * Bytes of a CMS whose change does not change a PROVEN verdict: the content
 * of `crls`, unsigned in both signature and token; in a token also embedded
 * certificates that are not on its path (tests/unit/t_judge.c flips each bit).
 */
#ifndef SEALROOM_JUDGE_H
#define SEALROOM_JUDGE_H

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "seal/verify/chain.h"

/*
 * More than JUDGED_MAX signatures: the first ones are judged and the verdict
 * is at least UNKNOWN.  Fails with -ERR_PEER when sigs and params do not fit.
 */
int judge_run(const struct trust *, const struct judge_params *, struct buf *sigs, struct judge_result *ret,
    struct err *);

#endif
