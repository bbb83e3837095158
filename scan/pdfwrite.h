/*
 * pdfwrite.h - the only writer of PDF bytes: a file from nothing, or an update
 * that is appended to a file, never changing what is there.
 *
 *	pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", &e)    a new file, or
 *	pdf_open(&p, fd, kind, &before, NULL, &e)       an update to 'before'
 *	n = pdf_new(p)                                  a number, any time before use
 *	pdf_begin(p, n, 0); pdf_put...(p, ...); pdf_end(p)
 *	pdf_stream(p, n, "/Type/XObject...", data, len, PDF_DEFLATE)
 *	pdf_finish(p, &trailer, &len, &e)               cross-reference section, %%EOF
 *	pdf_free(p)
 *
 * Objects leave as they are written; only their offsets stay in memory.  Errors
 * stick and are reported by pdf_finish().  The syntax is what ISO 19005-2, 6.1
 * wants of every reader-independent file: EOL after "N G obj", around endobj and
 * before endstream, 20-byte entries, no exponent in numbers, /ID in each trailer.
 *
 * The first table of a file lists every number, those never written as free:
 * readers have refused signatures over files whose first table had gaps.
 * Updates list only what they bring, in runs.  An update must be of the same
 * kind, table or stream, as the section it follows (ISO 32000-2, 7.5.8.4).
 *
 * With an update, offsets count in the finished file: pdf_at() is where the next
 * byte will stand there, while fd receives the update alone.
 */
#ifndef SEALROOM_PDFWRITE_H
#define SEALROOM_PDFWRITE_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/err.h"

#define PDF_NUMBER_MAX 8388607u /* ISO 19005-2, 6.1.13 */
#define PDF_ID_MAX 64

enum pdf_section { PDF_TABLE, PDF_STREAM };
enum pdf_filter { PDF_PLAIN, PDF_DEFLATE };

struct pdf; /* opaque */

struct pdf_before { /* the file an update follows */
	uint64_t len;
	uint64_t startxref; /* of its last section */
	uint32_t size;      /* first number not in use */
	int ends_in_eol;
};

struct pdf_id {
	uint8_t bytes[PDF_ID_MAX];
	size_t len;
};

struct pdf_trailer {
	uint32_t root, root_gen;
	uint32_t info, info_gen; /* 0: none */
	struct pdf_id id[2];     /* never empty */
};

int pdf_open(struct pdf **ret, int fd, enum pdf_section, const struct pdf_before *, const char *version,
    struct err *);
/* Writes the section and trailer; *ret_len: bytes in fd. */
int pdf_finish(struct pdf *, const struct pdf_trailer *, uint64_t *ret_len, struct err *);
void pdf_free(struct pdf *); /* NULL is fine */

/* What went wrong so far, for loops that want to stop early: 0 or -code. */
int pdf_check(struct pdf *, struct err *);
/* Fails the file: a caller found what it was to write impossible. */
void pdf_fail(struct pdf *, const struct err *);

uint32_t pdf_new(struct pdf *);
uint64_t pdf_at(const struct pdf *);

void pdf_begin(struct pdf *, uint32_t number, uint32_t gen);
void pdf_end(struct pdf *);

void pdf_put(struct pdf *, const void *, size_t);
void pdf_str(struct pdf *, const char *);
void pdf_printf(struct pdf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void pdf_ref(struct pdf *, uint32_t number);         /* " N 0 R" */
void pdf_milli(struct pdf *, int64_t);               /* " 12.5" for 12500 */
void pdf_bytes(struct pdf *, const void *, size_t);  /* literal string of these bytes */
void pdf_text(struct pdf *, const char *utf8);       /* text string: ASCII, or UTF-16 in hex */
void pdf_hex(struct pdf *, const void *, size_t);    /* <...> */

/* A whole stream object; dict is what stands in it besides Length and Filter. */
void pdf_stream(struct pdf *, uint32_t number, const char *dict, const void *, size_t, enum pdf_filter);
/* The same with len bytes of fd at off, as they are; dict names their filter itself. */
void pdf_stream_fd(struct pdf *, uint32_t number, const char *dict, int fd, uint64_t off, uint64_t len);

/*
 * After pdf_finish(): overwrites bytes at 'at' (as pdf_at() said) that were
 * written as a placeholder of the same length.
 */
int pdf_patch(struct pdf *, uint64_t at, const void *, size_t, struct err *);

#endif
