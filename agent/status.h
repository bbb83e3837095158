/*
 * status.h - what the control socket answers.
 */
#ifndef SEALROOM_STATUS_H
#define SEALROOM_STATUS_H

#include "agent/control.h"
#include "agent/core.h"

/* {"op": ...} of control.h; ctx is struct core. */
extern const struct control_op status_ops[];

#endif
