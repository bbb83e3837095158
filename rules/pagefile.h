/*
 * pagefile.h - the result of reading one page: words, and the image as it
 * will stand in the PDF.  Written by a page child, read by compose, checked
 * by the core (header and checksum only) before a cached one is used again.
 *
 * Layout, all integers big-endian:
 *   header   PAGEFILE_HEADER bytes, see struct pagefile
 *   words    nwords records: i32 x0 y0 x1 y1 base, u16 line, u16 block, u8 conf,
 *            u8 code (0), u16 length, UTF-8 bytes; then ncodes of the same with
 *            the kind of code
 *   objects  nobjects records: blob dictionary text, u8 where (0 in this file,
 *            1 in the source), u64 offset, u64 length
 *   ink      bytes of the ink map (rules/ink.h), if there is one
 *   streams  raw stream bytes of the objects that are in this file
 * crc32c covers the whole file with the crc field as zeros.
 *
 * Coordinates of words: taskmsg.h (reader's view, y down, mpt).  base is the y
 * of the baseline.  Words are upright rectangles also on a skewed page, in
 * reading order; line and block count from 0 over the page.  Codes (barcodes,
 * patch codes) follow the words, from the top of the page down; they are looked
 * for only where a rule wants them (struct page_params.codes).
 *
 * objects[0] is the image XObject: dictionary text without Type, Subtype and
 * Length, e.g. "/Width 2480/Height 3508/ColorSpace/DeviceGray/BitsPerComponent 1
 * /Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns 2480/Rows 3508>>".  "@n"
 * in it stands for a reference to objects[n] (an ICC profile, a soft mask, a
 * palette); compose writes the number.  No objects: a page without an image.
 *
 * matrix places the unit square of the image in unrotated user space of a page
 * whose MediaBox is [0 0 media_w media_h] (mpt).  rotate is the page's /Rotate.
 */
#ifndef SEALROOM_PAGEFILE_H
#define SEALROOM_PAGEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "rules/ink.h"

#define PAGEFILE_MAGIC "SRPAGE1\n"
#define PAGEFILE_HEADER 160
#define PAGEFILE_OBJECTS_MAX 8
#define PAGEFILE_WORDS_MAX 60000
#define PAGEFILE_WORD_BYTES 255
#define PAGEFILE_CODES_MAX 32
#define PAGEFILE_CODE_BYTES 3000 /* a QR code holds 2,953 (ISO/IEC 18004) */
#define PAGEFILE_SIDE_MAX 14400000 /* mpt; ISO 32000-1, Annex C */

/* Where the words come from: recognised, to become a text layer; the page's own; nobody looked for any. */
enum page_text { PAGE_TEXT_READ, PAGE_TEXT_GIVEN, PAGE_TEXT_UNREAD };

enum code_kind {
	CODE_NONE,
	CODE_QR,
	CODE_128,
	CODE_39,
	CODE_93,
	CODE_EAN13, /* UPC-A, too: with a 0 before it */
	CODE_EAN8,
	CODE_PATCH, /* patch code of a separator sheet; its text is 1, 2, 3, 4, 6 or T */
	CODE_KIND_COUNT
};
/* As settings name them: "qr", "code128" ... */
const char *code_name(uint32_t kind);
uint32_t code_by_name(const char *); /* CODE_NONE: there is none */

struct word {
	struct box box;
	int32_t base;
	uint16_t line, block;
	uint8_t conf;
	uint8_t code;     /* enum code_kind; CODE_NONE: a word */
	const char *text; /* NUL-terminated UTF-8 */
};

struct page_object {
	const char *dict;
	uint8_t in_source;
	uint64_t off, len; /* in this file, or in the source */
};

struct pagefile {
	uint8_t key[HASH_LEN];
	uint32_t page;
	int32_t media_w, media_h; /* mpt, unrotated */
	uint32_t rotate;          /* 0 90 180 270 clockwise */
	int32_t matrix[6];        /* a b c d in mpt, e f in mpt */
	uint32_t dpi_x, dpi_y;    /* of the image as placed; 0 without one */
	uint32_t skew_udeg;       /* |skew| found, 1/1000 degree; for information */
	uint32_t conf;            /* mean word confidence */
	uint32_t blank;           /* 1: nothing on it at all; more than no words */
	uint32_t text;            /* enum page_text */
	uint32_t turn;            /* of a page that keeps its bytes: clockwise from how it is shown to upright writing */
	uint32_t estimated;       /* 1: the size of the page is */
	uint32_t nwords, ncodes;
	struct word *words; /* the codes behind them */
	uint32_t nobjects;
	struct page_object objects[PAGEFILE_OBJECTS_MAX];
	struct ink ink;           /* square 0: none; bits are the writer's, NULL when read: pagefile_ink() */
	void *arena; /* owns texts, words and dictionaries */
};

/*
 * Writes header, words and object table to the empty file fd, leaving the file
 * offset behind them; then the caller appends the streams in order with
 * pagefile_stream() and ends with pagefile_end(), which sets the crc.  Objects
 * that are not in_source get their offset here; their len must be known
 * before (struct page_object.len).
 */
struct pagefile_out;
int pagefile_begin(int fd, const struct pagefile *, struct pagefile_out **ret, struct err *);
int pagefile_stream(struct pagefile_out *, const void *, size_t, struct err *);
int pagefile_end(struct pagefile_out *, uint64_t *ret_len, struct err *); /* frees it, also on error */

/* Reads and checks all but the streams' bytes; every length bounded by the file. */
int pagefile_read(int fd, struct pagefile *ret, struct err *);
/* The ink of the page, for ink_done(); square 0 where nothing is known of it. */
int pagefile_ink(int fd, struct ink *ret, struct err *);
/* The fixed header alone: no words, no objects, nothing to free. */
int pagefile_head(int fd, struct pagefile *ret, struct err *);
void pagefile_done(struct pagefile *);
/* Size of the page as the reader sees it, mpt. */
void pagefile_view(const struct pagefile *, int32_t *w, int32_t *h);

/*
 * Core.  Is this a page result with this key, and of the length that it says?  0; -ERR_DOC_CRASH: it is
 * not; -ERR_IO: it can not be read.  Reads the header alone: for one whose writer has just ended.  What
 * has lain on a disk over a crash may have holes, which its checksum finds:
 *
 *	pagefile_begin_check(fd, key, &c, &e)	as above
 *	pagefile_check_on(fd, &c, most, &e)	reads so many bytes: 1 there are more, else as above
 */
struct pagefile_check {
	uint64_t off, total;
	uint32_t crc, want;
};
int pagefile_begin_check(int fd, const uint8_t key[HASH_LEN], struct pagefile_check *, struct err *);
int pagefile_check_on(int fd, struct pagefile_check *, uint64_t most, struct err *);
int pagefile_check(int fd, const uint8_t key[HASH_LEN], struct err *); /* all of it at once */

#endif
