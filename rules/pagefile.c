#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/pagefile.h"

#define CRC_AT 8 /* behind the magic */
#define DICT_MAX (64 * 1024)
#define WORD_FIXED 28
#define WORDS_MAX ((uint64_t)PAGEFILE_WORDS_MAX * (WORD_FIXED + PAGEFILE_WORD_BYTES) + \
	(uint64_t)PAGEFILE_CODES_MAX * (WORD_FIXED + PAGEFILE_CODE_BYTES))
#define OBJECTS_MAX ((uint64_t)PAGEFILE_OBJECTS_MAX * (DICT_MAX + 32))

struct pagefile_out {
	int fd;
	uint32_t crc;
	uint64_t len;  /* written so far */
	uint64_t want; /* the length the header promised */
};

/* What the header says about the rest of the file. */
struct lengths {
	uint32_t crc;
	uint64_t words, objects, ink, total;
};

static const char *const code_names[CODE_KIND_COUNT] = { "", "qr", "code128", "code39", "code93", "ean13", "ean8", "patch" };

const char *
code_name(uint32_t kind)
{
	return kind < CODE_KIND_COUNT ? code_names[kind] : "";
}

uint32_t
code_by_name(const char *name)
{
	for (uint32_t i = 1; i < CODE_KIND_COUNT; i++)
		if (strcmp(code_names[i], name) == 0)
			return i;
	return CODE_NONE;
}

static size_t
text_max(bool code)
{
	return code ? PAGEFILE_CODE_BYTES : PAGEFILE_WORD_BYTES;
}

static void
header_put(struct buf *b, const struct pagefile *p, const struct lengths *l)
{
	static const uint8_t zeros[PAGEFILE_HEADER];

	buf_put(b, PAGEFILE_MAGIC, 8);
	buf_put_u32(b, l->crc);
	buf_put(b, p->key, HASH_LEN);
	buf_put_u32(b, p->page);
	buf_put_i32(b, p->media_w);
	buf_put_i32(b, p->media_h);
	buf_put_u32(b, p->rotate);
	for (int i = 0; i < 6; i++)
		buf_put_i32(b, p->matrix[i]);
	buf_put_u32(b, p->dpi_x);
	buf_put_u32(b, p->dpi_y);
	buf_put_u32(b, p->skew_udeg);
	buf_put_u32(b, p->conf);
	buf_put_u32(b, p->nwords);
	buf_put_u32(b, p->nobjects);
	buf_put_u64(b, l->words);
	buf_put_u64(b, l->objects);
	buf_put_u64(b, l->total);
	buf_put_u32(b, p->blank);
	buf_put_i32(b, p->ink.square);
	buf_put_u32(b, p->text);
	buf_put_u32(b, p->turn);
	buf_put_u32(b, p->estimated);
	buf_put_u32(b, p->ncodes);
	buf_put(b, zeros, PAGEFILE_HEADER - b->len);
}

static void
words_put(struct buf *b, const struct pagefile *p)
{
	for (uint32_t i = 0; i < p->nwords + p->ncodes; i++) {
		const struct word *w = &p->words[i];
		size_t n = strlen(w->text);

		buf_put_i32(b, w->box.x0);
		buf_put_i32(b, w->box.y0);
		buf_put_i32(b, w->box.x1);
		buf_put_i32(b, w->box.y1);
		buf_put_i32(b, w->base);
		buf_put_u16(b, w->line);
		buf_put_u16(b, w->block);
		buf_put_u8(b, w->conf);
		buf_put_u8(b, w->code);
		buf_put_u16(b, (uint16_t)n);
		buf_put(b, w->text, n);
		b->bad |= n > text_max(i >= p->nwords);
	}
}

static void
objects_put(struct buf *b, const struct pagefile *p, uint64_t off)
{
	for (uint32_t i = 0; i < p->nobjects; i++) {
		const struct page_object *o = &p->objects[i];

		buf_put_str(b, o->dict);
		buf_put_u8(b, o->in_source);
		buf_put_u64(b, o->in_source ? o->off : off);
		buf_put_u64(b, o->len);
		b->bad |= strlen(o->dict) > DICT_MAX || o->in_source > 1;
		if (!o->in_source)
			off += o->len;
	}
}

static uint64_t
objects_size(const struct pagefile *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->nobjects; i++)
		n += 4 + strlen(p->objects[i].dict) + 1 + 8 + 8;
	return n;
}

static uint64_t
streams_size(const struct pagefile *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < p->nobjects; i++)
		if (!p->objects[i].in_source)
			n += p->objects[i].len;
	return n;
}

/* Header, words and object table into b; *l with the lengths of it all. */
static void
head_put(struct buf *b, const struct pagefile *p, struct lengths *l)
{
	AUTO_BUF words;
	AUTO_BUF objects;

	buf_init(&words, WORDS_MAX);
	buf_init(&objects, OBJECTS_MAX);
	words_put(&words, p);
	l->words = words.len;
	l->objects = objects_size(p);
	l->ink = ink_bytes(&p->ink);
	objects_put(&objects, p, PAGEFILE_HEADER + l->words + l->objects + l->ink);
	l->total = PAGEFILE_HEADER + l->words + l->objects + l->ink + streams_size(p);
	header_put(b, p, l);
	buf_put(b, words.data, words.len);
	buf_put(b, objects.data, objects.len);
	buf_put(b, p->ink.bits, l->ink);
	b->bad |= !buf_ok(&words) || !buf_ok(&objects);
	b->starved |= words.starved || objects.starved;
}

int
pagefile_begin(int fd, const struct pagefile *p, struct pagefile_out **ret, struct err *e)
{
	AUTO_BUF b;
	struct lengths l = { 0 };
	struct pagefile_out *o;
	int r;

	buf_init(&b, PAGEFILE_HEADER + WORDS_MAX + OBJECTS_MAX + INK_BYTES_MAX);
	if (p->nwords > PAGEFILE_WORDS_MAX || p->ncodes > PAGEFILE_CODES_MAX || p->nobjects > PAGEFILE_OBJECTS_MAX)
		return err_set(e, ERR_DOC_SIZE, "page result: %u words, %u codes, %u objects", p->nwords, p->ncodes, p->nobjects);
	head_put(&b, p, &l);
	if (b.starved)
		return err_set(e, ERR_MEM, "page result");
	if (!buf_ok(&b))
		return err_set(e, ERR_DOC_SIZE, "page result: a word or dictionary is too long");
	if ((r = io_write_full(fd, b.data, b.len, e)) < 0)
		return r;
	if ((o = calloc(1, sizeof(*o))) == NULL)
		return err_set(e, ERR_MEM, "page result");
	*o = (struct pagefile_out){ .fd = fd, .crc = crc32c(0, b.data, b.len), .len = b.len, .want = l.total };
	*ret = o;
	return 0;
}

int
pagefile_stream(struct pagefile_out *o, const void *p, size_t n, struct err *e)
{
	int r;

	if (n > o->want - o->len)
		return err_set(e, ERR_IO, "page result: more stream bytes than its objects have");
	if ((r = io_write_full(o->fd, p, n, e)) < 0)
		return r;
	o->crc = crc32c(o->crc, p, n);
	o->len += n;
	return 0;
}

int
pagefile_end(struct pagefile_out *o, uint64_t *ret_len, struct err *e)
{
	AUTO_FREE struct pagefile_out *own = o;
	uint8_t crc[4] = { (uint8_t)(own->crc >> 24), (uint8_t)(own->crc >> 16), (uint8_t)(own->crc >> 8),
		(uint8_t)own->crc };
	int r;

	if (own->len != own->want)
		return err_set(e, ERR_IO, "page result: stream bytes are missing");
	if ((r = io_pwrite_full(own->fd, crc, sizeof(crc), CRC_AT, e)) < 0)
		return r;
	*ret_len = own->len;
	return 0;
}

static int
damaged(struct err *e, const char *what)
{
	return err_set(e, ERR_IO, "page result: %s", what);
}

static bool
box_valid(const struct box *b)
{
	return b->x0 < b->x1 && b->y0 < b->y1;
}

/* The map has the shape that the page gives it, or is not there. */
static bool
ink_get(struct pagefile *p, int32_t square)
{
	int32_t w, h;

	if (square == 0)
		return true;
	pagefile_view(p, &w, &h);
	return ink_shape(&p->ink, w, h) && p->ink.square == square;
}

static int
header_get(struct buf *b, struct pagefile *p, struct lengths *l, struct err *e)
{
	const uint8_t *magic = buf_get_raw(b, 8);
	int32_t square;

	if (magic == NULL || memcmp(magic, PAGEFILE_MAGIC, 8) != 0)
		return damaged(e, "not a page result");
	l->crc = buf_get_u32(b);
	buf_get(b, p->key, HASH_LEN);
	p->page = buf_get_u32(b);
	p->media_w = buf_get_i32(b);
	p->media_h = buf_get_i32(b);
	p->rotate = buf_get_u32(b);
	for (int i = 0; i < 6; i++)
		p->matrix[i] = buf_get_i32(b);
	p->dpi_x = buf_get_u32(b);
	p->dpi_y = buf_get_u32(b);
	p->skew_udeg = buf_get_u32(b);
	p->conf = buf_get_u32(b);
	p->nwords = buf_get_u32(b);
	p->nobjects = buf_get_u32(b);
	l->words = buf_get_u64(b);
	l->objects = buf_get_u64(b);
	l->total = buf_get_u64(b);
	p->blank = buf_get_u32(b);
	square = buf_get_i32(b);
	p->text = buf_get_u32(b);
	p->turn = buf_get_u32(b);
	p->estimated = buf_get_u32(b);
	p->ncodes = buf_get_u32(b);
	if (!buf_ok(b) || p->nwords > PAGEFILE_WORDS_MAX || p->ncodes > PAGEFILE_CODES_MAX || p->nobjects > PAGEFILE_OBJECTS_MAX ||
	    l->words > WORDS_MAX || l->objects > OBJECTS_MAX)
		return damaged(e, "header");
	if (p->media_w <= 0 || p->media_h <= 0 || p->media_w > PAGEFILE_SIDE_MAX || p->media_h > PAGEFILE_SIDE_MAX ||
	    p->rotate >= 360 || p->rotate % 90 != 0 || p->conf > 100 || p->blank > 1 || p->text > PAGE_TEXT_UNREAD ||
	    p->turn >= 360 || p->turn % 90 != 0 || p->estimated > 1)
		return damaged(e, "page size or turn");
	if (!ink_get(p, square))
		return damaged(e, "ink");
	l->ink = ink_bytes(&p->ink);
	return 0;
}

/* The header's bytes, and how long all of it is; of a file that is shorter than a header no byte. */
static int
raw_read(int fd, uint8_t raw[PAGEFILE_HEADER], uint64_t *ret_size, struct err *e)
{
	int r = io_size(fd, ret_size, e);

	return r < 0 || *ret_size < PAGEFILE_HEADER ? r : io_pread_full(fd, raw, PAGEFILE_HEADER, 0, e);
}

/* Holds the lengths that it says against the file's. */
static int
raw_get(const uint8_t raw[PAGEFILE_HEADER], uint64_t size, struct pagefile *p, struct lengths *l, struct err *e)
{
	struct buf b;
	int r;

	if (size < PAGEFILE_HEADER)
		return damaged(e, "too short");
	buf_view(&b, raw, PAGEFILE_HEADER);
	if ((r = header_get(&b, p, l, e)) < 0)
		return r;
	if (l->total != size || l->words + l->objects + l->ink > size - PAGEFILE_HEADER)
		return damaged(e, "length");
	return 0;
}

static int
header_read(int fd, struct pagefile *p, struct lengths *l, struct err *e)
{
	uint8_t raw[PAGEFILE_HEADER] = { 0 };
	uint64_t size;
	int r = raw_read(fd, raw, &size, e);

	return r < 0 ? r : raw_get(raw, size, p, l, e);
}

static int
words_get(struct buf *b, struct pagefile *p, char **text, struct err *e)
{
	for (uint32_t i = 0; i < p->nwords + p->ncodes; i++) {
		struct word *w = &p->words[i];
		const bool code = i >= p->nwords;
		const uint8_t *raw;
		size_t n;

		w->box.x0 = buf_get_i32(b);
		w->box.y0 = buf_get_i32(b);
		w->box.x1 = buf_get_i32(b);
		w->box.y1 = buf_get_i32(b);
		w->base = buf_get_i32(b);
		w->line = buf_get_u16(b);
		w->block = buf_get_u16(b);
		w->conf = buf_get_u8(b);
		w->code = buf_get_u8(b);
		if (w->code >= CODE_KIND_COUNT || (w->code != CODE_NONE) != code)
			return damaged(e, "kind of code");
		n = buf_get_u16(b);
		raw = buf_get_raw(b, n);
		if (raw == NULL || n > text_max(code) || !box_valid(&w->box) || w->conf > 100 ||
		    memchr(raw, 0, n) != NULL || !utf8_valid((const char *)raw, n))
			return damaged(e, "word");
		w->text = memcpy(*text, raw, n);
		(*text)[n] = '\0';
		*text += n + 1;
	}
	return 0;
}

static int
objects_get(struct buf *b, struct pagefile *p, const struct lengths *l, char **text, struct err *e)
{
	uint64_t next = PAGEFILE_HEADER + l->words + l->objects + l->ink;

	for (uint32_t i = 0; i < p->nobjects; i++) {
		struct page_object *o = &p->objects[i];
		size_t n;
		const uint8_t *raw = buf_get_blob(b, &n);

		o->in_source = buf_get_u8(b);
		o->off = buf_get_u64(b);
		o->len = buf_get_u64(b);
		if (!buf_ok(b) || raw == NULL || n > DICT_MAX || o->in_source > 1 || memchr(raw, 0, n) != NULL)
			return damaged(e, "object");
		if (o->in_source ? o->len > UINT64_MAX - o->off : o->off != next || o->len > l->total - next)
			return damaged(e, "object's place");
		if (!o->in_source)
			next += o->len;
		o->dict = memcpy(*text, raw, n);
		(*text)[n] = '\0';
		*text += n + 1;
	}
	return next == l->total && buf_finished(b) ? 0 : damaged(e, "bytes left over");
}

/* The records lie in raw; their texts are copied into p->arena, which is long
 * enough: a record is always longer than its text and a NUL. */
static int
records_get(const uint8_t *raw, struct pagefile *p, const struct lengths *l, struct err *e)
{
	struct buf b;
	char *text = (char *)(p->words + p->nwords + p->ncodes);
	int r;

	buf_view(&b, raw, l->words);
	if ((r = words_get(&b, p, &text, e)) < 0)
		return r;
	if (!buf_finished(&b))
		return damaged(e, "bytes left over");
	buf_view(&b, raw + l->words, l->objects);
	return objects_get(&b, p, l, &text, e);
}

int
pagefile_read(int fd, struct pagefile *ret, struct err *e)
{
	struct pagefile p = { 0 };
	struct lengths l;
	AUTO_FREE uint8_t *raw = NULL;
	int r;

	if ((r = header_read(fd, &p, &l, e)) < 0)
		return r;
	raw = malloc(l.words + l.objects + 1);
	p.arena = calloc(1, (p.nwords + p.ncodes) * sizeof(*p.words) + l.words + l.objects + 1);
	if (raw == NULL || p.arena == NULL) {
		free(p.arena);
		return err_set(e, ERR_MEM, "page result");
	}
	p.words = p.arena;
	if ((r = io_pread_full(fd, raw, l.words + l.objects, PAGEFILE_HEADER, e)) < 0 ||
	    (r = records_get(raw, &p, &l, e)) < 0) {
		free(p.arena);
		return r;
	}
	*ret = p;
	return 0;
}

int
pagefile_ink(int fd, struct ink *ret, struct err *e)
{
	struct pagefile p = { 0 };
	struct lengths l;
	int r;

	if ((r = header_read(fd, &p, &l, e)) < 0)
		return r;
	if (p.ink.square != 0) {
		if ((p.ink.bits = malloc(l.ink)) == NULL)
			return err_set(e, ERR_MEM, "ink of a page");
		if ((r = io_pread_full(fd, p.ink.bits, l.ink, PAGEFILE_HEADER + l.words + l.objects, e)) < 0) {
			ink_done(&p.ink);
			return r;
		}
	}
	*ret = p.ink;
	return 0;
}

int
pagefile_head(int fd, struct pagefile *ret, struct err *e)
{
	struct pagefile p = { 0 };
	struct lengths l;
	int r;

	if ((r = header_read(fd, &p, &l, e)) == 0) {
		p.nwords = p.ncodes = p.nobjects = 0;
		*ret = p;
	}
	return r;
}

void
pagefile_done(struct pagefile *p)
{
	free(p->arena);
	*p = (struct pagefile){ 0 };
}

void
pagefile_view(const struct pagefile *p, int32_t *w, int32_t *h)
{
	bool turned = p->rotate == 90 || p->rotate == 270;

	*w = turned ? p->media_h : p->media_w;
	*h = turned ? p->media_w : p->media_h;
}

int
pagefile_begin_check(int fd, const uint8_t key[HASH_LEN], struct pagefile_check *c, struct err *e)
{
	struct pagefile p = { 0 };
	struct lengths l;
	uint8_t raw[PAGEFILE_HEADER] = { 0 };
	uint64_t size;
	int r;

	if ((r = raw_read(fd, raw, &size, e)) < 0)
		return r;
	if (raw_get(raw, size, &p, &l, e) < 0) {
		e->code = ERR_DOC_CRASH;
		return -ERR_DOC_CRASH;
	}
	*c = (struct pagefile_check){ .total = l.total, .want = l.crc };
	return memcmp(p.key, key, HASH_LEN) == 0 ? 0 : err_set(e, ERR_DOC_CRASH, "page result: made from another source or with other settings");
}

int
pagefile_check_on(int fd, struct pagefile_check *c, uint64_t most, struct err *e)
{
	uint8_t part[64 * 1024];
	int r;

	for (uint64_t end = c->total - c->off < most ? c->total : c->off + most; c->off < end;) {
		size_t n = end - c->off < sizeof(part) ? (size_t)(end - c->off) : sizeof(part);

		if ((r = io_pread_full(fd, part, n, c->off, e)) < 0)
			return r;
		if (c->off == 0)
			memset(part + CRC_AT, 0, 4);
		c->crc = crc32c(c->crc, part, n);
		c->off += n;
	}
	if (c->off < c->total)
		return 1;
	return c->crc == c->want ? 0 : err_set(e, ERR_DOC_CRASH, "page result: checksum");
}

int
pagefile_check(int fd, const uint8_t key[HASH_LEN], struct err *e)
{
	struct pagefile_check c;
	int r;

	return (r = pagefile_begin_check(fd, key, &c, e)) < 0 ? r : pagefile_check_on(fd, &c, c.total, e);
}
