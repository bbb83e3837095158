/*
 * starved.h - was this task short of memory?
 *
 * Image and PDF libraries that get no memory say "short data", or give back less
 * than there is: a verdict on the document that is ours.  So the allocator's
 * functions are this program's own, for its libraries too; they hand the work on
 * and remember that an allocation failed.  One that is larger than the task's whole
 * address space does not count: no machine would have given it, so the document asks
 * for nonsense, and what its reader says of that is true.
 *
 * Not in a build with sanitizers, whose allocator is their own.
 */
#ifndef SEALROOM_SCAN_STARVED_H
#define SEALROOM_SCAN_STARVED_H

#include <stdbool.h>
#include <stdint.h>

/* For task_role: a task begins, with so many bytes of address space (0: no limit); and did any fail since? */
void starved_begin(uint64_t as_bytes);
bool starved(void);

#endif
