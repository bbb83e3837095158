/*
 * layout.h - the texts that come with every archive, and its format's name.
 *
 * Both are part of the format: an archive of a format has exactly these bytes,
 * and audit compares them.  A release that must change a word of them adds a
 * format and keeps the old text for old archives.  What was archived and logged
 * is the same in all formats and never changes; README.txt and FORMAT are
 * replaced when a later release first writes into an archive.
 *
 *	1   the first
 *	2   entries "withdraw", "repeat", "void", "break"
 *	3   evidence records: evidence/er/, entries "batch", "renewal"; stacks that were divided: parts-sha256.txt, entry "divide"
 */
#ifndef SEALROOM_LAYOUT_H
#define SEALROOM_LAYOUT_H

#include "agent/lib/hash.h"
#include "agent/lib/id.h"

#define LAYOUT_NAME "sealroom-archive"
#define LAYOUT_NEWEST 3u /* what this release writes */
#define LAYOUT_FORMAT_NAME LAYOUT_NAME "/3"
#define LAYOUT_FORMAT LAYOUT_FORMAT_NAME "\n"

/*
 * Documents of a stack, beside it: "HASH  YYYY/MM/DD/<job>/original.pdf" a line, in
 * their order, for sha256sum -c in the archive's root.
 */
#define LAYOUT_PARTS "parts-sha256.txt"
#define LAYOUT_PART "original.pdf"
#define LAYOUT_PARTS_LINE (2 * HASH_LEN + 2 + sizeof("YYYY/MM/DD") + ID_LEN + sizeof("/" LAYOUT_PART)) /* with its LF */

/* README.txt of a format from 1 to LAYOUT_NEWEST. */
const char *layout_readme(unsigned format);

#endif
