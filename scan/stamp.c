#include <inttypes.h>

#include "agent/lib/buf.h"

#include "scan/stamp.h"
#include "scan/stampfont.h"

/* All lengths here in 1/1000 of a unit. */
#define RULE 800             /* width of the frame's line */
#define RADIUS_MAX 4000
#define SIZE_MAX_TEXT 11000  /* larger would shout */
#define SIZE_MIN_TEXT 2500   /* smaller nobody reads */
#define LEADING 1280         /* line to line, 1/1000 of the size */
#define ASCENT 760           /* what a line rises over and sinks under its baseline */
#define DESCENT 240
#define COMMON_PERCENT 70    /* a longer line than this shrinks alone */
#define INK "0.102 0.212 0.42"
#define CURVE 552            /* a quarter circle by one Bezier, 1/1000 of the radius */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void
put_milli(struct buf *b, int64_t v)
{
	int64_t a = v < 0 ? -v : v;

	buf_printf(b, "%s%" PRId64 ".%03" PRId64 " ", v < 0 ? "-" : "", a / 1000, a % 1000);
}

static void
put_op(struct buf *b, const char *op, const int64_t *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_milli(b, v[i]);
	buf_printf(b, "%s\n", op);
}
#define OP(b, op, ...) \
	put_op((b), (op), (const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))

/* A frame with rounded corners, its line wholly inside the box. */
static void
put_frame(struct buf *b, int64_t w, int64_t h)
{
	int64_t lo = RULE / 2, x = w - lo, y = h - lo;
	int64_t r = least(RADIUS_MAX, least(w, h) / 6), k = r - r * CURVE / 1000;

	buf_printf(b, INK " RG ");
	OP(b, "w", RULE);
	OP(b, "m", lo + r, lo);
	OP(b, "l", x - r, lo);
	OP(b, "c", x - k, lo, x, lo + k, x, lo + r);
	OP(b, "l", x, y - r);
	OP(b, "c", x, y - k, x - k, y, x - r, y);
	OP(b, "l", lo + r, y);
	OP(b, "c", lo + k, y, lo, y - k, lo, y - r);
	OP(b, "l", lo, lo + r);
	OP(b, "c", lo, lo + k, lo + k, lo, lo + r, lo);
	buf_printf(b, "s\n");
}

/* The largest size at which the lines' block fits the height, and a line's own the width. */
static int64_t
size_by_height(const struct stamp *s, int64_t room)
{
	int64_t block = ASCENT + DESCENT + (int64_t)(s->nlines - 1) * LEADING;

	return least(SIZE_MAX_TEXT, room * 1000 / block);
}

static int64_t
size_by_width(const struct stampfont *f, const char *line, int64_t room, int64_t at_most)
{
	int64_t w = stampfont_width(f, line);

	return w == 0 ? at_most : least(at_most, room * 1000 / w);
}

/*
 * One size for all lines, but a line that would make the others much smaller
 * shrinks alone.
 */
static int64_t
common_size(const struct stamp *s, const struct stampfont *f, int64_t room, int64_t by_height)
{
	int64_t size = by_height, floor = by_height * COMMON_PERCENT / 100;

	for (uint32_t i = 0; i < s->nlines; i++)
		size = size_by_width(f, s->lines[i], room, size);
	return size > floor ? size : floor;
}

static int
put_lines(struct buf *b, const struct stamp *s, const struct stampfont *f, struct err *e)
{
	int64_t pad = (s->border ? 2 * RULE : 0) + least(s->width, s->height) / 20;
	int64_t left = pad + (s->border ? 1500 : 0), room = s->width - 2 * left;
	int64_t size = common_size(s, f, room, size_by_height(s, s->height - 2 * pad));
	int64_t block = size * (ASCENT + DESCENT + (int64_t)(s->nlines - 1) * LEADING) / 1000;
	int64_t y = s->height - (s->height - block) / 2 - size * ASCENT / 1000;

	buf_printf(b, "BT " INK " rg " INK " RG\n");
	for (uint32_t i = 0; i < s->nlines; i++) {
		int64_t own = size_by_width(f, s->lines[i], room, size);

		if (own < SIZE_MIN_TEXT)
			return err_set(e, ERR_ANCHOR_PLACE, "stamp: line %" PRIu32 " is too long for a box of %" PRId64 " x %" PRId64
			    " pt", i + 1, s->width / 1000, s->height / 1000);
		buf_printf(b, "/F1 ");
		OP(b, "Tf", own);
		if (i == 0 && s->nlines > 1) { /* outlined as well as filled: heavier without a second font */
			OP(b, "w", own / 40);
			buf_printf(b, "2 Tr\n");
		} else {
			buf_printf(b, "0 Tr\n");
		}
		OP(b, "Tm", 1000, 0, 0, 1000, left, y);
		stampfont_show(f, s->lines[i], b);
		y -= size * LEADING / 1000;
	}
	buf_printf(b, "ET\n");
	return 0;
}

static int
write_form(struct pdf *p, const struct stamp *s, uint32_t font, const struct buf *content, uint32_t *ret, struct err *e)
{
	AUTO_BUF dict;

	buf_init(&dict, 1024);
	buf_printf(&dict, "/Type/XObject/Subtype/Form/BBox[0 0 ");
	put_milli(&dict, s->width);
	put_milli(&dict, s->height);
	buf_printf(&dict, "]");
	if (s->turn[0] != 1)
		buf_printf(&dict, "/Matrix[%d %d %d %d 0 0]", s->turn[0], s->turn[1], s->turn[2], s->turn[3]);
	if (font != 0)
		buf_printf(&dict, "/Resources<</Font<</F1 %" PRIu32 " 0 R>>>>", font);
	else
		buf_printf(&dict, "/Resources<<>>");
	buf_put_u8(&dict, '\0');
	if (!buf_ok(&dict) || !buf_ok(content))
		return err_set(e, ERR_MEM, "stamp: no memory to draw it");
	*ret = pdf_new(p);
	pdf_stream(p, *ret, (const char *)dict.data, content->data, content->len, PDF_DEFLATE);
	return pdf_check(p, e);
}

int
stamp_draw(struct pdf *p, const struct stamp *s, uint32_t *ret_form, struct err *e)
{
	struct stampfont *f = NULL;
	uint32_t font = 0;
	AUTO_BUF b;
	int r = 0;

	buf_init(&b, 256 * 1024);
	buf_printf(&b, "q\n");
	if (s->border)
		put_frame(&b, s->width, s->height);
	if (s->nlines > 0 && (r = stampfont_open(&f, s->lines, s->nlines, e)) == 0 && (r = put_lines(&b, s, f, e)) == 0)
		font = stampfont_write(f, p, s->cidset);
	stampfont_free(f);
	if (r < 0)
		return r;
	buf_printf(&b, "Q\n");
	return write_form(p, s, font, &b, ret_form, e);
}
