/*
 * jbig2.h - does an image coded as JBIG2 hold symbols (ITU-T T.88)?
 *
 * Symbol coding keeps one picture of a character for all that look like it, and
 * scanners have put sixes where eights were.  Only the headers of segments are
 * read here, never what they hold.
 */
#ifndef SEALROOM_SCAN_JBIG2_H
#define SEALROOM_SCAN_JBIG2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jbig2 { JBIG2_PIXELS, JBIG2_SYMBOLS, JBIG2_DAMAGED };

/* Segments as a PDF embeds them (ISO 32000-1, 7.4.7): no file header, each header before its data. */
enum jbig2 jbig2_look(const uint8_t *, size_t);

#endif
