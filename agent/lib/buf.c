#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
buf_view(struct buf *b, const void *data, size_t len)
{
	memset(b, 0, sizeof(*b));
	b->data = (uint8_t *)(uintptr_t)data;
	b->len = b->cap = b->max = len;
	b->borrowed = true;
}

void
buf_done(struct buf *b)
{
	if (b->data != NULL && !b->borrowed) {
		explicit_bzero(b->data, b->cap);
		free(b->data);
	}
	memset(b, 0, sizeof(*b));
}

void
buf_clear(struct buf *b)
{
	b->len = b->pos = 0;
	b->bad = b->starved = false;
}

bool
buf_ok(const struct buf *b)
{
	return !b->bad;
}

bool
buf_finished(const struct buf *b)
{
	return !b->bad && b->pos == b->len;
}

size_t
buf_left(const struct buf *b)
{
	return b->len - b->pos;
}

/* Room for n more bytes, or the sticky error. */
static uint8_t *
buf_grow(struct buf *b, size_t n)
{
	uint8_t *p, *fresh;
	size_t cap;

	if (b->bad || b->borrowed || n > b->max - b->len) {
		b->bad = true;
		return NULL;
	}
	if (n > b->cap - b->len) {
		cap = b->cap == 0 ? 256 : b->cap;
		while (cap < b->len + n)
			cap *= 2;
		if (cap > b->max)
			cap = b->max;
		if ((fresh = malloc(cap)) == NULL) {
			b->bad = b->starved = true;
			return NULL;
		}
		if (b->data != NULL) {
			memcpy(fresh, b->data, b->len);
			explicit_bzero(b->data, b->cap);
			free(b->data);
		}
		b->data = fresh;
		b->cap = cap;
	}
	p = b->data + b->len;
	b->len += n;
	return p;
}

void
buf_put(struct buf *b, const void *data, size_t n)
{
	uint8_t *p = n == 0 ? NULL : buf_grow(b, n);

	if (p != NULL)
		memcpy(p, data, n);
}

/* n low bytes of v, big-endian. */
static void
buf_put_int(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *p = buf_grow(b, n);

	for (size_t i = 0; p != NULL && i < n; i++)
		p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put_int(b, v, 1);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	buf_put_int(b, v, 2);
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	buf_put_int(b, v, 4);
}

void
buf_put_i32(struct buf *b, int32_t v)
{
	buf_put_int(b, (uint32_t)v, 4);
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	buf_put_int(b, v, 8);
}

void
buf_put_blob(struct buf *b, const void *data, size_t n)
{
	if (n > UINT32_MAX) {
		b->bad = true;
		return;
	}
	buf_put_u32(b, (uint32_t)n);
	buf_put(b, data, n);
}

void
buf_put_str(struct buf *b, const char *s)
{
	buf_put_blob(b, s, strlen(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		b->bad = true;
		return;
	}
	/* vsnprintf wants room for its NUL; it is given back at once. */
	if ((p = buf_grow(b, (size_t)n + 1)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len--;
}

const uint8_t *
buf_get_raw(struct buf *b, size_t n)
{
	const uint8_t *p;

	if (b->bad || n > buf_left(b)) {
		b->bad = true;
		return NULL;
	}
	p = b->data + b->pos;
	b->pos += n;
	return p;
}

static uint64_t
buf_get_int(struct buf *b, size_t n)
{
	const uint8_t *p = buf_get_raw(b, n);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
buf_get_u8(struct buf *b)
{
	return (uint8_t)buf_get_int(b, 1);
}

uint16_t
buf_get_u16(struct buf *b)
{
	return (uint16_t)buf_get_int(b, 2);
}

uint32_t
buf_get_u32(struct buf *b)
{
	return (uint32_t)buf_get_int(b, 4);
}

int32_t
buf_get_i32(struct buf *b)
{
	return (int32_t)(uint32_t)buf_get_int(b, 4);
}

uint64_t
buf_get_u64(struct buf *b)
{
	return buf_get_int(b, 8);
}

void
buf_get(struct buf *b, void *dst, size_t n)
{
	const uint8_t *p = buf_get_raw(b, n);

	if (p != NULL)
		memcpy(dst, p, n);
	else
		memset(dst, 0, n);
}

const uint8_t *
buf_get_blob(struct buf *b, size_t *len)
{
	uint32_t n = buf_get_u32(b);
	const uint8_t *p = buf_get_raw(b, n);

	*len = p == NULL ? 0 : n;
	return p;
}

void
buf_get_str(struct buf *b, char *dst, size_t size)
{
	size_t n;
	const uint8_t *p = buf_get_blob(b, &n);

	dst[0] = '\0';
	if (p == NULL)
		return;
	if (n >= size || memchr(p, 0, n) != NULL) {
		b->bad = true;
		return;
	}
	memcpy(dst, p, n);
	dst[n] = '\0';
}

char *
buf_get_strdup(struct buf *b, size_t max)
{
	size_t n;
	const uint8_t *p = buf_get_blob(b, &n);
	char *s;

	if (p == NULL || n > max || memchr(p, 0, n) != NULL || (s = malloc(n + 1)) == NULL) {
		b->bad = true;
		return NULL;
	}
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

char *
buf_take_text(struct buf *b)
{
	char *s;

	b->max = b->max == SIZE_MAX ? b->max : b->max + 1;
	buf_put_u8(b, 0);
	if (b->bad) {
		buf_done(b);
		return NULL;
	}
	s = (char *)b->data;
	memset(b, 0, sizeof(*b));
	return s;
}
