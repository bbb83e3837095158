/*
 * tiff.h - TIFF 6.0 and BigTIFF: the chain of directories, and one page's pixels.
 *
 *	tiff_inspect(&s, scan, &res, &e)     every directory, every strip inside the file
 *	tiff_read(&im, &s, page, ...)        one page; those before it are only counted past, from s.mark on
 *
 * The chain is walked here and not by libtiff or leptonica: both read a file
 * that was cut between two pages as a good shorter one.  What is read is a
 * written list: the compressions and colour models of tiff.c.
 */
#ifndef SEALROOM_SCAN_TIFF_H
#define SEALROOM_SCAN_TIFF_H

#include <stdbool.h>
#include <tiffio.h>

#include "scan/image.h"

struct tiff_dir; /* tiffdir.h */

bool tiff_magic(const uint8_t *head, size_t len);
int tiff_inspect(const struct source *, const struct conf_scan *, struct inspect_result *, struct err *);
int tiff_read(struct image *, struct source *, uint32_t page, enum image_want, const struct conf_scan *,
    struct err *);

/* Pixels of one directory that was found good: tiffpix.c. */
int tiff_decode(struct image *, const struct source *, const struct tiff_dir *, uint32_t page, struct err *);

/* Image dictionary of a G4 stream; malloc'ed. */
char *tiff_g4_dict(uint32_t w, uint32_t h, bool black_is_1);

/* What libtiff said about one file; the first complaint is kept. */
struct tiff_said {
	char text[120];
	bool damaged;
};
void tiff_listen(TIFFOpenOptions *, struct tiff_said *);

/* A TIFF file in memory, to use libtiff's fax coder; data is owned by it. */
struct tiff_memory {
	uint8_t *data;
	uint64_t len, cap, pos;
	uint64_t max;
	struct tiff_said said;
};
TIFF *tiff_memory_open(struct tiff_memory *, const char *mode, struct err *);
void tiff_memory_done(struct tiff_memory *);

/*
 * Decodes one CCITT fax strip (ISO 32000-1, 7.4.6) to 1 bit rows with 1 as
 * black.  k as in its DecodeParms; r->w and r->h are set, rows are allocated.
 */
struct fax {
	int k;
	bool byte_align;
};
int tiff_fax_decode(struct raster *, const struct fax *, const uint8_t *data, size_t len, uint32_t page, struct err *);

#endif
