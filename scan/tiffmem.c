/*
 * libtiff on memory, and what it says: its fax coder is the only one here.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/tiff.h"

__attribute__((format(printf, 2, 0))) static void
keep(struct tiff_said *said, const char *fmt, va_list ap)
{
	if (said->text[0] == '\0')
		vsnprintf(said->text, sizeof(said->text), fmt, ap);
}

__attribute__((format(printf, 4, 0))) static int
on_error(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
	struct tiff_said *said = user;

	(void)t;
	(void)module;
	keep(said, fmt, ap);
	said->damaged = true;
	return 1;
}

/* The fax decoder only warns of lines that are too short or too long: here that is damage. */
__attribute__((format(printf, 4, 0))) static int
on_warning(TIFF *t, void *user, const char *module, const char *fmt, va_list ap)
{
	struct tiff_said *said = user;

	(void)t;
	if (module == NULL || strncmp(module, "Fax", 3) != 0)
		return 1;
	keep(said, fmt, ap);
	said->damaged = true;
	return 1;
}

void
tiff_listen(TIFFOpenOptions *o, struct tiff_said *said)
{
	TIFFOpenOptionsSetErrorHandlerExtR(o, on_error, said);
	TIFFOpenOptionsSetWarningHandlerExtR(o, on_warning, said);
}

static tmsize_t
on_read(thandle_t h, void *buf, tmsize_t len)
{
	struct tiff_memory *m = h;
	uint64_t left = m->pos < m->len ? m->len - m->pos : 0;

	if (len <= 0)
		return 0;
	if ((uint64_t)len > left)
		len = (tmsize_t)left;
	memcpy(buf, m->data + m->pos, (size_t)len);
	m->pos += (uint64_t)len;
	return len;
}

static tmsize_t
on_write(thandle_t h, void *buf, tmsize_t len)
{
	struct tiff_memory *m = h;
	uint64_t end;

	if (len < 0 || m->pos > m->max || (uint64_t)len > m->max - m->pos)
		return -1;
	end = m->pos + (uint64_t)len;
	if (end > m->cap) {
		uint64_t cap = end * 2 < m->max ? end * 2 : m->max;
		uint8_t *p = realloc(m->data, cap);

		if (p == NULL)
			return -1;
		memset(p + m->cap, 0, cap - m->cap);
		m->data = p;
		m->cap = cap;
	}
	memcpy(m->data + m->pos, buf, (size_t)len);
	m->pos = end;
	if (end > m->len)
		m->len = end;
	return len;
}

static toff_t
on_seek(thandle_t h, toff_t off, int whence)
{
	struct tiff_memory *m = h;

	m->pos = whence == SEEK_CUR ? m->pos + off : whence == SEEK_END ? m->len + off : off;
	return m->pos;
}

static int
on_close(thandle_t h)
{
	(void)h;
	return 0;
}

static toff_t
on_size(thandle_t h)
{
	return ((struct tiff_memory *)h)->len;
}

TIFF *
tiff_memory_open(struct tiff_memory *m, const char *mode, struct err *e)
{
	TIFFOpenOptions *o = TIFFOpenOptionsAlloc();
	TIFF *t = NULL;

	if (o != NULL) {
		tiff_listen(o, &m->said);
		t = TIFFClientOpenExt("page", mode, m, on_read, on_write, on_seek, on_close, on_size, NULL, NULL, o);
		TIFFOpenOptionsFree(o);
	}
	if (t == NULL)
		err_set(e, ERR_MEM, "libtiff can not work in memory: %s", m->said.text);
	return t;
}

void
tiff_memory_done(struct tiff_memory *m)
{
	free(m->data);
	m->data = NULL;
}

/* --- a fax stream of a PDF ------------------------------------------------------------------ */

struct header {
	uint8_t data[256];
	size_t n;
	uint16_t entries;
};

static void
put(struct header *h, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h->data[h->n++] = (uint8_t)(v >> 8 * i);
}

static void
put_tag(struct header *h, uint16_t tag, uint32_t v)
{
	put(h, tag, 2);
	put(h, 4, 2); /* LONG */
	put(h, 1, 4);
	put(h, v, 4);
	h->entries++;
}

/* A little-endian TIFF header whose only strip is what follows it. */
static void
make_header(struct header *h, const struct raster *r, const struct fax *fax, uint32_t len)
{
	const uint16_t tags = 9;
	const uint32_t strip = 8 + 2 + 12 * tags + 4;

	put(h, 0x002a4949, 4);
	put(h, 8, 4);
	put(h, tags, 2);
	put_tag(h, TIFFTAG_IMAGEWIDTH, r->w);
	put_tag(h, TIFFTAG_IMAGELENGTH, r->h);
	put_tag(h, TIFFTAG_BITSPERSAMPLE, 1);
	put_tag(h, TIFFTAG_COMPRESSION, fax->k < 0 ? COMPRESSION_CCITTFAX4 : COMPRESSION_CCITTFAX3);
	put_tag(h, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
	put_tag(h, TIFFTAG_STRIPOFFSETS, strip);
	put_tag(h, TIFFTAG_ROWSPERSTRIP, r->h);
	put_tag(h, TIFFTAG_STRIPBYTECOUNTS, len);
	put_tag(h, fax->k < 0 ? TIFFTAG_GROUP4OPTIONS : TIFFTAG_GROUP3OPTIONS, fax->k > 0 ? GROUP3OPT_2DENCODING : 0);
	put(h, 0, 4);
}

int
tiff_fax_decode(struct raster *r, const struct fax *fax, const uint8_t *data, size_t len, uint32_t page, struct err *e)
{
	struct header h = { 0 };
	struct tiff_memory m = { 0 };
	TIFF *t;
	int ok;

	r->comps = r->bits = 1;
	r->white_is_zero = true;
	if (len > UINT32_MAX - sizeof(h.data) || raster_alloc(r, e) < 0)
		return err_set(e, ERR_MEM, "no memory for page %u", page + 1);
	make_header(&h, r, fax, (uint32_t)len);
	if ((m.data = malloc(h.n + len)) == NULL)
		return err_set(e, ERR_MEM, "no memory for page %u", page + 1);
	memcpy(m.data, h.data, h.n);
	memcpy(m.data + h.n, data, len);
	m.len = h.n + len;
	if ((t = tiff_memory_open(&m, "rmc", e)) == NULL) {
		tiff_memory_done(&m);
		return -(int)e->code;
	}
	TIFFSetField(t, TIFFTAG_FAXMODE, fax->byte_align ? FAXMODE_BYTEALIGN : FAXMODE_CLASSIC);
	ok = (uint64_t)TIFFScanlineSize(t) == r->stride;
	for (uint32_t y = 0; ok && y < r->h; y++)
		ok = TIFFReadScanline(t, r->data + y * r->stride, y, 0) == 1;
	TIFFClose(t);
	tiff_memory_done(&m);
	if (ok && !m.said.damaged)
		return 0;
	err_set(e, ERR_DOC_BAD, "page %u can not be decoded: %s", page + 1, m.said.text);
	e->page = page + 1;
	return -ERR_DOC_BAD;
}
