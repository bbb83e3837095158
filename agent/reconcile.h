/*
 * reconcile.h - spool, log and archive, when one of them was put back to an
 * older state.  Called at the start, after the log has proven itself and
 * before any job is stepped.
 *
 * reconcile_jobs(), at every start: a job of the spool that the log knows to
 * be final is not done again (an older spool beside a newer log).  What was
 * sealed is handed out from the archive; what was refused goes to error/; a stack
 * that was divided is divided once more, and only what is lost of it is made.
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
 * It may be done again after a crash: what can not be found out again by then
 * is in state/break before it is acted upon, until the entry is in the log.
 * While a job can not be read, or the list not be written, there is no break: the
 * error names the file and what to do.
 */
#ifndef SEALROOM_RECONCILE_H
#define SEALROOM_RECONCILE_H

#include "agent/core.h"
#include "agent/resume.h"

int reconcile_jobs(struct core *, struct err *);
/*
 * The same for one job: a held one, when a person has decided about it, for at a
 * start the log of the weeks that it may have waited is not read; and one that
 * could only be read later.  1: it was final, and what was decided has no effect; 0, -code.
 */
int reconcile_job(struct job *, struct err *);
#define BREAK_FILE "break" /* below state/ */
/* Fills the break entry's counts and file. */
int reconcile_break(struct core *, const struct resume *, struct entry *, struct err *);
int reconcile_forget(struct core *, struct err *); /* the entry is in the log */

/* Entries of a job are looked for from here on; record `log-at`, where that is not what its claim says. */
int log_at_put(struct job *, uint64_t index, struct err *);
void log_at_load(struct job *);

#endif
