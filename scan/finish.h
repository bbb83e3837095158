/*
 * finish.h - the revision after the seal: a time-stamp over the whole document
 * (DocTimeStamp, EN 319 142-1, 5.4.3) with a hole for the token.
 *
 * Needed when a time-stamp does not fit into the signature's own hole.  Of the
 * parameters only id, time_us and hole count; nothing is visible.
 */
#ifndef SEALROOM_FINISH_H
#define SEALROOM_FINISH_H

#include "agent/lib/task.h"

task_run finish_run; /* TASK_FINISH */

#endif
