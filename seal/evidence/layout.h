/*
 * layout.h - the texts that come with every archive, and its format's name.
 *
 * Both are part of the format: an archive of this format has exactly these
 * bytes, and audit compares them.  A release that must change a word of them
 * changes the format's number and keeps the old text for old archives.
 */
#ifndef SEALROOM_LAYOUT_H
#define SEALROOM_LAYOUT_H

#define LAYOUT_FORMAT_NAME "sealroom-archive/1"
#define LAYOUT_FORMAT LAYOUT_FORMAT_NAME "\n"

extern const char layout_readme[]; /* README.txt, NUL-terminated */

#endif
