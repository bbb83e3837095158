/*
 * blobs.c - the files of scan/gen.mk as read-only data.
 *
 * Top-level asm in a C file, not a .S file: the compiler then adds the notes
 * (stack not executable, control-flow protection) that the linker needs from
 * every object, or it would drop them from the whole program.
 */
#include "scan/blobs.h"

/* clang-format off */
#define BLOB(name, file) \
	__asm__(".section .rodata\n.balign 16\n" \
	    ".global " #name "\n.type " #name ", @object\n" #name ":\n.incbin \"" file "\"\n" \
	    ".global " #name "_end\n.type " #name "_end, @object\n" #name "_end:\n.byte 0\n.previous\n")
/* clang-format on */

BLOB(blob_srgb, BLOB_DIR "/srgb.icc");
BLOB(blob_cmyk, BLOB_DIR "/cmyk.icc");
BLOB(blob_glyphless, BLOB_DIR "/glyphless.ttf");
BLOB(blob_stamp_font, STAMP_FONT);
