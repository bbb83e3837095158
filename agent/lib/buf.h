/*
 * buf.h - a byte buffer with a maximum, to write and to read messages.
 *
 *	buf_init(&b, max)                owned by the caller, freed by buf_done()
 *	buf_put_u32(&b, n) ...           append; big-endian
 *	buf_get_u32(&b) ...              read at the cursor; 0 or "" past the end
 *	buf_ok(&b)                       false once anything went wrong
 *	buf_finished(&b)                 ok, and nothing left to read
 *
 * Errors stick: write or read a whole message, then ask once.  A buffer never
 * grows over its maximum.  Readers compare "want > left", never a sum.
 */
#ifndef SEALROOM_BUF_H
#define SEALROOM_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *data;
	size_t len; /* bytes written */
	size_t pos; /* read cursor */
	size_t cap;
	size_t max;
	bool bad;
	bool starved; /* bad for want of memory, not of room */
	bool borrowed; /* data belongs to somebody else; read only */
};

#define AUTO_BUF __attribute__((cleanup(buf_done))) struct buf

void buf_init(struct buf *, size_t max);
void buf_view(struct buf *, const void *data, size_t len); /* read only, not copied */
void buf_done(struct buf *);                               /* wiped, freed, emptied */
void buf_clear(struct buf *);                              /* empty again, keeps memory */

bool buf_ok(const struct buf *);
bool buf_finished(const struct buf *);
size_t buf_left(const struct buf *);

void buf_put(struct buf *, const void *, size_t);      /* raw */
void buf_put_u8(struct buf *, uint8_t);
void buf_put_u16(struct buf *, uint16_t);
void buf_put_u32(struct buf *, uint32_t);
void buf_put_i32(struct buf *, int32_t);
void buf_put_u64(struct buf *, uint64_t);
void buf_put_blob(struct buf *, const void *, size_t); /* u32 length, bytes */
void buf_put_str(struct buf *, const char *);          /* as blob, NUL not sent */
void buf_printf(struct buf *, const char *fmt, ...)    /* text, no NUL */
    __attribute__((format(printf, 2, 3)));

uint8_t buf_get_u8(struct buf *);
uint16_t buf_get_u16(struct buf *);
uint32_t buf_get_u32(struct buf *);
int32_t buf_get_i32(struct buf *);
uint64_t buf_get_u64(struct buf *);
void buf_get(struct buf *, void *, size_t);            /* raw; zeros on error */
const uint8_t *buf_get_raw(struct buf *, size_t);      /* points into the buffer; NULL on error */
const uint8_t *buf_get_blob(struct buf *, size_t *len);
/* Copies a string with its NUL into dst; too long or with a NUL inside is an error. */
void buf_get_str(struct buf *, char *dst, size_t size);
char *buf_get_strdup(struct buf *, size_t max);        /* malloc'ed; NULL on error */
/* The text so far, NUL-terminated, to be freed by the caller; buf is emptied. NULL on error. */
char *buf_take_text(struct buf *);

#endif
