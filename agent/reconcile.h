/*
 * reconcile.h - spool, log and archive, when one of them was put back to an
 * older state.  Called at the start, after the log has proven itself and
 * before any job is stepped.
 *
 * reconcile_jobs(), at every start: a job of the spool that the log knows to
 * be final is not done again (an older spool beside a newer log).  What was
 * sealed is handed out from the archive; what was refused goes to error/.
 * Reads the log from where the oldest job at work was claimed.
 *
 * reconcile_break(), once after `sealroom evidence resume`: the log is older
 * than the spool, or its record was lost.  Then
 *   - a job whose entry is gone is entered again, with the signature it has;
 *   - a refusal whose entry is gone is entered again, from the quarantine;
 *   - directories of the archive that nothing proves go to .orphans;
 *   - identities of deliveries whose job is gone are forgotten, so that who has
 *     the document still may deliver it again;
 *   - receipts in work/ without a job become deliveries again;
 * and a list of it is kept with the log (evidence/config/<sha256>.break), one
 * line each: again JOB, aside DIRECTORY, lost JOB, returned FOLDER SHA-256.
 * It may be done again after a crash.
 */
#ifndef SEALROOM_RECONCILE_H
#define SEALROOM_RECONCILE_H

#include "agent/core.h"
#include "agent/resume.h"

int reconcile_jobs(struct core *, struct err *);
/* Fills the break entry's counts and file. */
int reconcile_break(struct core *, const struct resume *, struct entry *, struct err *);

/* Entries of a job are looked for from here on; record `log-at`, where that is not what its claim says. */
int log_at_put(struct job *, uint64_t index, struct err *);
void log_at_load(struct job *);

#endif
