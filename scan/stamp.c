#include <inttypes.h>
#include <string.h>

#include "agent/lib/buf.h"

#include "scan/stamp.h"
#include "scan/stampfont.h"
#include "scan/stampimage.h"
#include "scan/stampqr.h"

/* All lengths here in 1/1000 of a unit. */
#define RULE 800             /* width of the frame's line */
#define RADIUS_MAX 4000
#define SIZE_MAX_TEXT 11000  /* larger would shout */
#define SIZE_MIN_TEXT 2500   /* smaller nobody reads */
#define LEADING 1280         /* line to line, 1/1000 of the size */
#define ASCENT 760           /* what a line rises over and sinks under its baseline */
#define DESCENT 240
#define COMMON_PERCENT 70    /* a longer line than this shrinks alone */
#define PART_PERCENT 40      /* of the width: a picture or code beside something else */
#define BAND_PERCENT 60      /* of the height: picture and code above the lines */
#define CURVE 552            /* a quarter circle by one Bezier, 1/1000 of the radius */

struct area {
	int64_t x, y, w, h; /* x, y: lower left corner */
};

/* Where everything goes; areas of what is not there are empty. */
struct layout {
	struct area image, qr, text;
	int64_t size; /* of the lines' font, at most */
	int64_t smallest; /* of any line */
};

struct drawing {
	const struct stamp *s;
	const struct conf_look *look;
	struct stampfont *font; /* NULL without lines */
	struct stampqr *qr;     /* NULL without a code */
	struct layout at;
	uint32_t font_number, image_number; /* 0: none */
	struct buf content;
};

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

/* --- where things go --------------------------------------------------------------------- */

/* The largest size at which the lines' block fits the height, and a line's own the width. */
static int64_t
size_by_height(const struct stamp *s, int64_t room)
{
	int64_t block = ASCENT + DESCENT + (int64_t)(s->nlines - 1) * LEADING;

	return least(SIZE_MAX_TEXT, room * 1000 / block);
}

static int64_t
size_by_width(const struct stampfont *f, uint32_t line, int64_t room, int64_t at_most)
{
	int64_t w = stampfont_width(f, line);

	return w == 0 ? at_most : least(at_most, room * 1000 / w);
}

/*
 * One size for all lines, but a line that would make the others much smaller
 * shrinks alone.
 */
static void
fit_lines(const struct drawing *d, struct layout *l)
{
	int64_t own[MSG_LINES_MAX], by_height = size_by_height(d->s, l->text.h), largest = 0;

	l->smallest = l->size = by_height;
	for (uint32_t i = 0; i < d->s->nlines; i++) {
		own[i] = size_by_width(d->font, i, l->text.w, by_height);
		largest = own[i] > largest ? own[i] : largest;
		l->smallest = least(l->smallest, own[i]);
	}
	for (uint32_t i = 0; i < d->s->nlines; i++)
		if (own[i] >= largest * COMMON_PERCENT / 100)
			l->size = least(l->size, own[i]);
}

static int64_t
gap(const struct drawing *d)
{
	return least(d->s->width, d->s->height) / 16;
}

/* Picture left, code right; *a is what they leave between them. */
static void
place_parts(const struct drawing *d, struct layout *l, struct area *a, bool lines_beside)
{
	const struct look *look = d->s->look;
	int64_t part = a->w * PART_PERCENT / 100, whole = a->h;

	if (look->image.data != NULL) {
		struct area *i = &l->image;
		bool alone = d->qr == NULL && !lines_beside;

		i->w = least(a->h * look->image_w / look->image_h, alone ? a->w : part);
		i->h = i->w * look->image_h / look->image_w;
		i->x = alone ? a->x + (a->w - i->w) / 2 : a->x;
		i->y = a->y + (whole - i->h) / 2;
		a->x += i->w + gap(d);
		a->w -= i->w + gap(d);
	}
	if (d->qr != NULL) {
		struct area *q = &l->qr;

		q->w = q->h = least(a->h, lines_beside ? part : a->w);
		q->x = lines_beside || look->image.data != NULL ? a->x + a->w - q->w : a->x + (a->w - q->w) / 2;
		q->y = a->y + (whole - q->h) / 2;
		a->w -= q->w + gap(d);
	}
}

/* What is within border and padding. */
static struct area
inner(const struct drawing *d)
{
	const struct stamp *s = d->s;
	int64_t pad = (d->look->border ? 2 * RULE : 0) + least(s->width, s->height) / 20;
	int64_t left = pad + (d->look->border ? 1500 : 0);

	return (struct area){ left, pad, s->width - 2 * left, s->height - 2 * pad };
}

static struct layout
side_by_side(const struct drawing *d)
{
	struct layout l = { 0 };
	struct area a = inner(d);

	place_parts(d, &l, &a, d->s->nlines > 0);
	l.text = a;
	if (d->s->nlines > 0)
		fit_lines(d, &l);
	return l;
}

static struct layout
lines_below(const struct drawing *d)
{
	struct layout l = { 0 };
	struct area a = inner(d), band = a;

	band.h = a.h * BAND_PERCENT / 100;
	band.y = a.y + a.h - band.h;
	place_parts(d, &l, &band, false);
	l.text = (struct area){ a.x, a.y, a.w, a.h - a.h * BAND_PERCENT / 100 - gap(d) };
	fit_lines(d, &l);
	return l;
}

/* Lines below only where that makes the smallest of them clearly larger. */
static int
arrange(struct drawing *d, struct err *e)
{
	d->at = side_by_side(d);
	if (d->s->nlines > 0 && (d->s->look->image.data != NULL || d->qr != NULL)) {
		struct layout other = lines_below(d);

		if (other.smallest * 4 > d->at.smallest * 5)
			d->at = other;
	}
	if (d->qr != NULL && d->at.qr.w < stampqr_least(d->qr))
		return err_set(e, ERR_ANCHOR_PLACE, "stamp: the QR code would be %" PRId64 " pt wide and needs %" PRId64
		    "; give the seal a larger size or the code a shorter text", d->at.qr.w / 1000, stampqr_least(d->qr) / 1000 + 1);
	return 0;
}

/* --- what is drawn ------------------------------------------------------------------------ */

static void
put_color(struct buf *b, const uint8_t rgb[static 3], const char *op)
{
	for (int i = 0; i < 3; i++)
		put_milli(b, (rgb[i] * 1000 + 127) / 255);
	buf_printf(b, "%s\n", op);
}

/* A frame with rounded corners, its line wholly inside the box. */
static void
put_frame(struct buf *b, int64_t w, int64_t h)
{
	int64_t lo = RULE / 2, x = w - lo, y = h - lo;
	int64_t r = least(RADIUS_MAX, least(w, h) / 6), k = r - r * CURVE / 1000;

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

/* Outlined as well as filled: heavier without a second font. */
static void
put_weight(struct buf *b, bool heavy, int64_t size)
{
	if (heavy)
		OP(b, "w", size / 40);
	buf_printf(b, "%d Tr\n", heavy ? 2 : 0);
}

static int64_t
line_x(const struct drawing *d, uint32_t line, int64_t size)
{
	const struct area *a = &d->at.text;
	int64_t spare = a->w - stampfont_width(d->font, line) * size / 1000;

	return a->x + (d->look->align == ALIGN_RIGHT ? spare : d->look->align == ALIGN_CENTER ? spare / 2 : 0);
}

static int
put_lines(struct drawing *d, struct err *e)
{
	const struct stamp *s = d->s;
	const struct area *a = &d->at.text;
	struct buf *b = &d->content;
	int64_t size = d->at.size, block = size * (ASCENT + DESCENT + (int64_t)(s->nlines - 1) * LEADING) / 1000;
	int64_t y = a->y + a->h - (a->h - block) / 2 - size * ASCENT / 1000;

	buf_printf(b, "BT\n");
	for (uint32_t i = 0; i < s->nlines; i++) {
		int64_t own = size_by_width(d->font, i, a->w, size);

		if (own < SIZE_MIN_TEXT)
			return err_set(e, ERR_ANCHOR_PLACE, "stamp: line %" PRIu32 " is too long for a box of %" PRId64 " x %" PRId64
			    " pt", i + 1, s->width / 1000, s->height / 1000);
		buf_printf(b, "/F1 ");
		OP(b, "Tf", own);
		put_weight(b, i == 0 && s->nlines > 1, own);
		OP(b, "Tm", 1000, 0, 0, 1000, line_x(d, i, own), y);
		stampfont_show(d->font, i, own, b);
		y -= size * LEADING / 1000;
	}
	buf_printf(b, "ET\n");
	return 0;
}

static void
put_image(struct buf *b, const struct area *a)
{
	buf_printf(b, "q ");
	OP(b, "cm", a->w, 0, 0, a->h, a->x, a->y);
	buf_printf(b, "/Im1 Do Q\n");
}

static int
draw(struct drawing *d, struct pdf *p, struct err *e)
{
	const struct stamp *s = d->s;
	int r;

	if ((r = arrange(d, e)) < 0)
		return r;
	buf_printf(&d->content, "q\n");
	put_color(&d->content, d->look->color, "RG");
	put_color(&d->content, d->look->color, "rg");
	if (d->look->border)
		put_frame(&d->content, s->width, s->height);
	if (s->look->image.data != NULL) {
		if ((r = stampimage_write(p, &s->look->image, &d->image_number, e)) < 0)
			return r;
		put_image(&d->content, &d->at.image);
	}
	if (d->qr != NULL)
		stampqr_put(d->qr, d->at.qr.x, d->at.qr.y, d->at.qr.w, &d->content);
	if (s->nlines > 0) {
		if ((r = put_lines(d, e)) < 0)
			return r;
		d->font_number = stampfont_write(d->font, p, s->cidset);
	}
	buf_printf(&d->content, "Q\n");
	return 0;
}

static int
write_form(struct pdf *p, const struct drawing *d, uint32_t *ret, struct err *e)
{
	const int *turn = d->s->turn;
	AUTO_BUF dict;

	buf_init(&dict, 1024);
	buf_printf(&dict, "/Type/XObject/Subtype/Form/BBox[0 0 ");
	put_milli(&dict, d->s->width);
	put_milli(&dict, d->s->height);
	buf_printf(&dict, "]");
	if (turn[0] != 1)
		buf_printf(&dict, "/Matrix[%d %d %d %d 0 0]", turn[0], turn[1], turn[2], turn[3]);
	buf_printf(&dict, "/Resources<<");
	if (d->font_number != 0)
		buf_printf(&dict, "/Font<</F1 %" PRIu32 " 0 R>>", d->font_number);
	if (d->image_number != 0)
		buf_printf(&dict, "/XObject<</Im1 %" PRIu32 " 0 R>>", d->image_number);
	buf_printf(&dict, ">>");
	buf_put_u8(&dict, '\0');
	if (!buf_ok(&dict) || !buf_ok(&d->content))
		return err_set(e, ERR_MEM, "stamp: no memory to draw it");
	*ret = pdf_new(p);
	pdf_stream(p, *ret, (const char *)dict.data, d->content.data, d->content.len, PDF_DEFLATE);
	return pdf_check(p, e);
}

int
stamp_draw(struct pdf *p, const struct stamp *s, uint32_t *ret_form, struct err *e)
{
	struct drawing d = { .s = s, .look = s->look->conf };
	int r = 0;

	buf_init(&d.content, 1024 * 1024);
	if (s->nlines > 0)
		r = stampfont_open(&d.font, &s->look->font, s->lines, s->nlines, e);
	if (r == 0 && *s->qr != '\0')
		r = stampqr_open(&d.qr, s->qr, e);
	if (r == 0 && (r = draw(&d, p, e)) == 0)
		r = write_form(p, &d, ret_form, e);
	stampqr_free(d.qr);
	stampfont_free(d.font);
	buf_done(&d.content);
	return r;
}
