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
 */
#ifndef SEALROOM_LAYOUT_H
#define SEALROOM_LAYOUT_H

#define LAYOUT_NAME "sealroom-archive"
#define LAYOUT_NEWEST 2u /* what this release writes */
#define LAYOUT_FORMAT_NAME LAYOUT_NAME "/2"
#define LAYOUT_FORMAT LAYOUT_FORMAT_NAME "\n"

/* README.txt of a format from 1 to LAYOUT_NEWEST. */
const char *layout_readme(unsigned format);

#endif
