/*
 * image.h - the image of one page: its pixels, where they stand on the page,
 * and the objects that will hold them in the PDF.
 *
 *	struct image im = { 0 };
 *	image_read(&im, &src, kind, page, want, scan, &e)   tiff.c, jpeg.c, png.c, ...
 *	image_encode(&im, &e)      objects for what could not be passed through
 *	image_pack(&im, &src, &e)  fax and JPEG streams in Flate, where that saves
 *	image_view(&im, &v)        the page as its reader has it so far
 *	image_pix(&im, ...)        pixels for recognition or a picture
 *	image_drop_pixels(&im)     as early as possible: they are most of our memory
 *	image_done(&im)
 *
 * Where PDF allows, the bytes that came are the bytes that stay: a JPEG is a
 * DCTDecode stream, a one-strip G4 TIFF a CCITTFaxDecode stream, the IDAT of a
 * PNG a FlateDecode stream with predictor 15 (ISO 32000-1, 7.4.4.4).  All else
 * is encoded anew without loss: bitonal to G4, the rest to Flate.  A G4 or JPEG
 * stream is put into Flate where that makes it smaller by 3 % and more (clean
 * pages: 7 to 21 %); undone, it is what came, bit for bit.  CMYK keeps its
 * four inks behind a profile (scan/icc.h), transparency becomes a soft mask.
 */
#ifndef SEALROOM_SCAN_IMAGE_H
#define SEALROOM_SCAN_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"
#include "rules/pagefile.h"
#include "scan/source.h"

struct Pix; /* leptonica */

#define IMAGE_DPI_MIN 50
#define IMAGE_DPI_MAX 2400
#define IMAGE_SIDE_MAX 65500u    /* pixels; libjpeg's own limit, and more than 5 m at 300 dpi */
#define IMAGE_RATIO 200u         /* raster : encoded bytes, counted above IMAGE_RATIO_FROM */
#define IMAGE_RATIO_FROM (64u << 20)

/* Rows are packed, the first pixel in the high bits, 16 bits big-endian: as PDF has them. */
struct raster {
	uint32_t w, h;
	uint32_t comps;       /* 1: grey or index; 3: RGB; 4: CMYK, 0 is no ink */
	uint32_t bits;        /* a component: 1 2 4 8 16 */
	bool white_is_zero;   /* comps 1 without palette: 0 is white */
	uint32_t ncolours;    /* > 0: data are indices */
	uint8_t palette[768]; /* RGB */
	size_t stride;
	uint8_t *data;
	/* transparency, or NULL: as many bits, 8 or 16, as a component; rows of w samples */
	uint8_t *alpha;
	bool premultiplied;   /* components were multiplied by it */
	/* a colour profile that came with CMYK, or NULL */
	uint8_t *icc;
	size_t icc_len;
};

struct image_object {
	char *dict;           /* as in rules/pagefile.h */
	bool in_source;
	uint64_t off, len;
	uint8_t *data;        /* NULL when in_source */
};

enum dpi_from { DPI_SAID, DPI_BY_PAPER, DPI_BY_SIZE };

struct image {
	struct raster r;
	uint32_t nobjects;
	struct image_object objects[PAGEFILE_OBJECTS_MAX];
	/* placement, as in rules/pagefile.h */
	int32_t media_w, media_h;
	int32_t matrix[6];
	uint32_t rotate;
	enum dpi_from dpi_from;
};

enum image_want {
	IMAGE_FOR_TEXT,    /* grey is enough where colour costs time; objects are wanted */
	IMAGE_FOR_PICTURE, /* colour, no objects */
};

/* How the reader sees the image: its box on the page, and how stored rows turn into it. */
struct image_view {
	int32_t page_w, page_h; /* mpt */
	struct box box;         /* mpt, y down; may reach beyond the page */
	uint32_t orient;        /* 1..8 as in TIFF and EXIF */
	double dpi_x, dpi_y;    /* along the reader's axes */
};

int image_read(struct image *, struct source *, uint32_t kind, uint32_t page, enum image_want,
    const struct conf_scan *, struct err *);
int image_encode(struct image *, struct err *);
int image_pack(struct image *, const struct source *, struct err *);
int image_view(const struct image *, struct image_view *ret, struct err *);
/* 1 bit a pixel (1 is black) for bitonal images; 8 bit grey, or 32 bit colour if asked for. */
int image_pix(const struct image *, bool colour, struct Pix **ret, struct err *);
void image_drop_pixels(struct image *);
void image_done(struct image *);

/* For the readers of each kind. */
void image_measure(struct inspect_result *, uint32_t w, uint32_t h); /* of one page more */
int image_check_size(uint64_t w, uint64_t h, const struct conf_scan *, uint32_t page, struct err *);
int image_check_ratio(const struct raster *, uint64_t encoded, uint32_t page, struct err *);
/* Dimensions are set in *r; allocates zeroed rows. */
int raster_alloc(struct raster *, struct err *);
/* 8 bit grey, 32 bit colour with or without transparency, or four inks. */
int raster_from_pix(struct raster *, struct Pix *, bool cmyk, struct err *);
/* Opaque all over: alpha, if any, is gone. */
bool raster_opaque(struct raster *);
/* Takes data over, also on error. */
int image_add_object(struct image *, char *dict, uint8_t *data, uint64_t len, struct err *);
int image_add_source_object(struct image *, char *dict, uint64_t off, uint64_t len, struct err *);
/* Places the image alone on a page of its own size; dpi as for image_resolution(). */
void image_place(struct image *, double dpi_x, double dpi_y, uint32_t orient);
/*
 * What the tag says (NAN: nothing), if it can be so.  Else the usual paper it
 * fits at a usual resolution, or what makes it fit on A4: a first guess, for
 * text to correct (page.c).
 */
enum dpi_from image_resolution(uint32_t w, uint32_t h, double *dpi_x, double *dpi_y);
/* The usual resolution nearest to this one. */
double image_usual_dpi(double dpi);
/* "/ColorSpace.../BitsPerComponent n" of a raster, malloc'ed; of CMYK, "@1" is the profile. */
char *image_colour(const struct raster *);
/* orient as seen after a clockwise turn of the page by 0, 90, 180 or 270 degrees. */
uint32_t image_turned(uint32_t orient, uint32_t degrees);
/* A copy of src for 'orient'; NULL when memory is short. */
struct Pix *image_orient_pix(struct Pix *src, uint32_t orient);

#endif
