/*
 * proof.h - TASK_PROOF: can this stamp be drawn in this box?  Nothing is kept of it.
 *
 * `sealroom check` asks before the first document does: a sign that the font lacks is
 * ERR_STAMP; text or a code too small to be read is ERR_ANCHOR_PLACE.
 */
#ifndef SEALROOM_PROOF_H
#define SEALROOM_PROOF_H

#include "agent/lib/task.h"

task_run proof_run;

#endif
