/*
 * tiffdir.h - the directories of a TIFF file, read and bounded by our own code.
 *
 *	tiffdir_open(&f, &s, &e)          header
 *	tiffdir_next(&f, at, &next, &e)   offset of the one after it; 0: the last
 *	tiffdir_read(&f, at, &d, &e)      all that is needed of one, strips checked
 *
 * What lies behind the end of the file is -ERR_DOC_INCOMPLETE, what can not be
 * true is -ERR_DOC_BAD.
 */
#ifndef SEALROOM_SCAN_TIFFDIR_H
#define SEALROOM_SCAN_TIFFDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "scan/source.h"

struct tiff_file {
	const struct source *s;
	bool be;  /* "MM" */
	bool big; /* BigTIFF */
	uint64_t first;
};

struct tiff_dir {
	uint64_t at;
	uint32_t w, h;
	uint32_t bits, samples, compression, photometric, planar, fill_order, orient;
	uint32_t extra;            /* number of extra samples */
	uint32_t group4;           /* T6Options */
	uint32_t rows_per_strip;
	uint32_t tile_w, tile_h;
	uint32_t unit;
	bool tiled, has_x, has_y;
	double x_res, y_res;       /* as in the file */
	uint32_t nstrips;          /* strips or tiles */
	uint64_t strip_off, strip_len; /* the first */
	uint64_t bytes;            /* all of them */
	uint64_t tables_at, tables_len; /* JPEGTables */
	uint64_t jpeg_off, jpeg_len;    /* JPEGInterchangeFormat, inside the file; length 0: not there */
	uint64_t off_at, off_n, len_at, len_n; /* the arrays of offsets and lengths */
	uint32_t off_type, len_type;
};

int tiffdir_open(struct tiff_file *, const struct source *, struct err *);
int tiffdir_next(const struct tiff_file *, uint64_t at, uint64_t *ret_next, struct err *);
int tiffdir_read(const struct tiff_file *, uint64_t at, struct tiff_dir *ret, struct err *);
/* Dots per inch; NAN: not said. */
void tiffdir_dpi(const struct tiff_dir *, double *x, double *y);

#endif
