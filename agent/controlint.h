/*
 * controlint.h - where the control socket lies, for both of its sides.
 */
#ifndef SEALROOM_CONTROLINT_H
#define SEALROOM_CONTROLINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "agent/lib/err.h"

/* The descriptor of the directory, or -code; name: the last part of the path. */
int control_place(const char *path, bool make, char *name, size_t size, struct err *);
void control_address(int dir, const char *name, struct sockaddr_un *ret);

#endif
