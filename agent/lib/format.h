/*
 * format.h - the file FORMAT of a spool or an archive: "sealroom-spool/2\n".
 *
 * A release reads its own format and earlier ones, and never goes on with one
 * that a later release has begun: it would not know what that one relies on.
 */
#ifndef SEALROOM_FORMAT_H
#define SEALROOM_FORMAT_H

#include <stddef.h>

/* Number behind the name and its slash; 0: the text is not of this form. */
unsigned format_number(const void *text, size_t len, const char *name);

#endif
