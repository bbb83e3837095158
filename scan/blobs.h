/*
 * blobs.h - data linked into sealroom-scan, whose children can open no file.
 *
 * Made at build time by scan/gen (see scan/gen.mk): profiles of sRGB
 * and CMYK (ICC version 2, by lcms2), the glyphless font of the text layer, DejaVu Sans for
 * the stamp.  Each ends where its _end begins; blob_len() says how long it is.
 */
#ifndef SEALROOM_BLOBS_H
#define SEALROOM_BLOBS_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t blob_srgb[], blob_srgb_end[];
extern const uint8_t blob_cmyk[], blob_cmyk_end[];
extern const uint8_t blob_glyphless[], blob_glyphless_end[];
extern const uint8_t blob_stamp_font[], blob_stamp_font_end[];

static inline size_t
blob_len(const uint8_t *from, const uint8_t *end)
{
	return (size_t)((uintptr_t)end - (uintptr_t)from);
}

#endif
