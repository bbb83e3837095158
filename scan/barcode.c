#include <iconv.h>
#include <leptonica/allheaders.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zbar.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "scan/barcode.h"
#include "scan/patch.h"

#define LOOK_DPI 300.0
#define LOOK_DPI_LEAST 200.0 /* below it, twice as many dots are drawn: small modules are told apart better */
#define PIXELS_MAX 40e6
#define DOTS_LEAST 2         /* high and wide; less can not even be scaled */
#define GAP 20               /* dots without a reading between two bars that say the same */
#define QUIET 60             /* dots of white that a bar may want beside it */

static const struct {
	zbar_symbol_type_t type;
	uint32_t kind;
} symbologies[] = {
	{ ZBAR_QRCODE, CODE_QR },
	{ ZBAR_CODE128, CODE_128 },
	{ ZBAR_CODE39, CODE_39 },
	{ ZBAR_CODE93, CODE_93 },
	{ ZBAR_EAN13, CODE_EAN13 },
	{ ZBAR_EAN8, CODE_EAN8 },
};
#define SYMBOLOGIES (sizeof(symbologies) / sizeof(symbologies[0]))

/* One that libc does not have costs no file: its list of them is in memory by then. */
void
barcode_warm(void)
{
	static const char *const sets[] = { "UTF-8", "SJIS", "BIG-5", "CP437", "ISO8859-1" };
	char name[16];

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		(void)iconv_open("UTF-8", sets[i]);
	for (int n = 2; n <= 16; n++) { /* ECI 4 to 18 */
		snprintf(name, sizeof(name), "ISO8859-%d", n);
		(void)iconv_open("UTF-8", name);
	}
}

/* What zbar looks at: grey, a byte a dot. */
struct look {
	uint8_t *grey;
	uint32_t w, h;
	double kx, ky; /* its dots a pixel of the page */
};

struct area {
	uint32_t x0, y0, x1, y1;
};

/* A part of it looked at.  Each has a scanner of its own: one remembers halves of an EAN code it has seen. */
struct scan {
	zbar_image_scanner_t *scanner;
	zbar_image_t *image;
};

static void
scan_done(struct scan *s)
{
	if (s->image != NULL)
		zbar_image_destroy(s->image);
	if (s->scanner != NULL)
		zbar_image_scanner_destroy(s->scanner);
}
#define AUTO_SCAN __attribute__((cleanup(scan_done))) struct scan

/* --- the image --------------------------------------------------------------------------------- */

static void
choose_scale(struct look *l, const PIX *pix, double dpi_x, double dpi_y)
{
	double dpi = fmax(dpi_x, dpi_y), to = dpi > LOOK_DPI ? LOOK_DPI : dpi < LOOK_DPI_LEAST ? 2 * dpi : dpi, dots;

	l->kx = to / dpi_x;
	l->ky = to / dpi_y;
	dots = (double)pixGetWidth(pix) * l->kx * pixGetHeight(pix) * l->ky;
	if (dots > PIXELS_MAX) {
		l->kx *= sqrt(PIXELS_MAX / dots);
		l->ky *= sqrt(PIXELS_MAX / dots);
	}
}

/* Smaller bitonal images become grey in one step: the whole page in bytes would be much. */
static PIX *
scaled(const struct look *l, PIX *pix)
{
	PIX *grey, *r;

	if (pixGetDepth(pix) == 1 && fabs(l->kx - l->ky) < 1e-6 && l->kx < 0.99)
		return pixScaleToGray(pix, (float)l->kx);
	if ((grey = pixConvertTo8(pix, 0)) == NULL)
		return NULL;
	r = fabs(l->kx - 1) < 0.01 && fabs(l->ky - 1) < 0.01 ? pixClone(grey) : pixScale(grey, (float)l->kx, (float)l->ky);
	pixDestroy(&grey);
	return r;
}

/* No grey: the image is too small for any code. */
static int
look_open(struct look *l, PIX *pix, double dpi_x, double dpi_y, struct err *e)
{
	PIX *grey;
	size_t n = 0;

	choose_scale(l, pix, dpi_x, dpi_y);
	if (pixGetWidth(pix) * l->kx < DOTS_LEAST || pixGetHeight(pix) * l->ky < DOTS_LEAST)
		return 0;
	grey = scaled(l, pix);
	if (grey != NULL && pixGetRasterData(grey, &l->grey, &n) == 0) {
		l->w = (uint32_t)pixGetWidth(grey);
		l->h = (uint32_t)pixGetHeight(grey);
		l->kx = l->w / (double)pixGetWidth(pix);
		l->ky = l->h / (double)pixGetHeight(pix);
	}
	pixDestroy(&grey);
	return l->grey == NULL || n != (size_t)l->w * l->h ? err_set(e, ERR_MEM, "no memory to look for barcodes") : 0;
}

static int
scan_area(const struct look *l, const struct area *a, struct scan *ret, struct err *e)
{
	ret->scanner = zbar_image_scanner_create();
	ret->image = zbar_image_create();
	if (ret->scanner == NULL || ret->image == NULL)
		return err_set(e, ERR_MEM, "no memory to look for barcodes");
	zbar_image_scanner_set_config(ret->scanner, ZBAR_NONE, ZBAR_CFG_ENABLE, 0);
	for (size_t i = 0; i < SYMBOLOGIES; i++)
		zbar_image_scanner_set_config(ret->scanner, symbologies[i].type, ZBAR_CFG_ENABLE, 1);
	zbar_image_scanner_set_config(ret->scanner, ZBAR_QRCODE, ZBAR_CFG_BINARY, 1); /* it would guess at character sets */
	zbar_image_set_format(ret->image, zbar_fourcc('Y', '8', '0', '0'));
	zbar_image_set_size(ret->image, l->w, l->h);
	zbar_image_set_crop(ret->image, a->x0, a->y0, a->x1 - a->x0, a->y1 - a->y0);
	zbar_image_set_data(ret->image, l->grey, (size_t)l->w * l->h, NULL);
	return zbar_scan_image(ret->scanner, ret->image) < 0 ? err_set(e, ERR_MEM, "barcodes could not be looked for") : 0;
}

/* --- what it says ------------------------------------------------------------------------------- */

static uint32_t
kind_of(const zbar_symbol_t *s)
{
	for (size_t i = 0; i < SYMBOLOGIES; i++)
		if (symbologies[i].type == zbar_symbol_get_type(s))
			return symbologies[i].kind;
	return CODE_NONE;
}

static char *
latin1_to_utf8(const uint8_t *s, size_t n)
{
	char *text = malloc(2 * n + 1), *p = text;

	for (size_t i = 0; text != NULL && i < n; i++) {
		if (s[i] >= 0x80) {
			*p++ = (char)(0xC0 | s[i] >> 6);
			*p++ = (char)(0x80 | (s[i] & 0x3F));
		} else {
			*p++ = (char)s[i];
		}
	}
	if (text != NULL)
		*p = '\0';
	return text;
}

/* NULL in *ret: a text that no rule can use. */
static int
text_of(const zbar_symbol_t *s, char **ret, struct err *e)
{
	const char *data = zbar_symbol_get_data(s);
	size_t n = zbar_symbol_get_data_length(s);
	char *text;

	*ret = NULL;
	if (n == 0 || n > PAGEFILE_CODE_BYTES || memchr(data, 0, n) != NULL)
		return 0;
	text = utf8_valid(data, n) ? strndup(data, n) : latin1_to_utf8((const uint8_t *)data, n);
	if (text == NULL)
		return err_set(e, ERR_MEM, "text of a barcode");
	if (strlen(text) > PAGEFILE_CODE_BYTES)
		free(text);
	else
		*ret = text;
	return 0;
}

static int
add(struct codes *c, const struct look *l, const struct area *a, uint32_t kind, const char *text, struct err *e)
{
	char *own;

	if (c->n == PAGEFILE_CODES_MAX)
		return 0;
	if ((own = strdup(text)) == NULL)
		return err_set(e, ERR_MEM, "text of a barcode");
	c->v[c->n++] = (struct code){ kind, a->x0 / l->kx, a->y0 / l->ky, a->x1 / l->kx, a->y1 / l->ky, own };
	return 0;
}

static struct area
bounds(const zbar_symbol_t *s, const struct look *l, unsigned from, unsigned to, const unsigned *order)
{
	struct area a = { l->w, l->h, 0, 0 };

	for (unsigned i = from; i < to; i++) {
		unsigned p = order == NULL ? i : order[i];
		int x = zbar_symbol_get_loc_x(s, p), y = zbar_symbol_get_loc_y(s, p);
		uint32_t ux = x < 0 ? 0 : (uint32_t)x, uy = y < 0 ? 0 : (uint32_t)y;

		a.x0 = ux < a.x0 ? ux : a.x0;
		a.y0 = uy < a.y0 ? uy : a.y0;
		a.x1 = ux + 1 > a.x1 ? ux + 1 : a.x1;
		a.y1 = uy + 1 > a.y1 ? uy + 1 : a.y1;
	}
	a.x1 = a.x1 > l->w ? l->w : a.x1;
	a.y1 = a.y1 > l->h ? l->h : a.y1;
	a.x0 = a.x0 >= a.x1 ? a.x1 - 1 : a.x0;
	a.y0 = a.y0 >= a.y1 ? a.y1 - 1 : a.y0;
	return a;
}

/* --- bars --------------------------------------------------------------------------------------- */

/* A bar that says the same, wholly within the area with the room beside it that bars want; *ret: where. */
static int
again_in(const struct look *l, struct area a, const zbar_symbol_t *s, bool *found, struct area *ret, struct err *e)
{
	AUTO_SCAN scan = { 0 };

	*found = false;
	a = (struct area){ a.x0 > QUIET ? a.x0 - QUIET : 0, a.y0 > QUIET ? a.y0 - QUIET : 0, a.x1, a.y1 };
	a.x1 = a.x1 + QUIET > l->w ? l->w : a.x1 + QUIET;
	a.y1 = a.y1 + QUIET > l->h ? l->h : a.y1 + QUIET;
	if (scan_area(l, &a, &scan, e) < 0)
		return -(int)e->code;
	for (const zbar_symbol_t *o = zbar_image_first_symbol(scan.image); o != NULL && !*found; o = zbar_symbol_next(o)) {
		*found = zbar_symbol_get_type(o) == zbar_symbol_get_type(s) && zbar_symbol_get_loc_size(o) > 0 &&
		    strcmp(zbar_symbol_get_data(o), zbar_symbol_get_data(s)) == 0;
		if (*found)
			*ret = bounds(o, l, 0, zbar_symbol_get_loc_size(o), NULL);
	}
	return 0;
}

/* One that can be read in half of its length is two, side by side. */
static int
add_bar(struct codes *c, const struct look *l, const struct area *a, bool upright, const zbar_symbol_t *s, const char *text,
    struct err *e)
{
	struct area half[2] = { *a, *a }, at[2];
	bool found[2] = { false, false };
	int r = 0;

	if (upright)
		half[0].x1 = half[1].x0 = a->x0 + (a->x1 - a->x0) / 2;
	else
		half[0].y1 = half[1].y0 = a->y0 + (a->y1 - a->y0) / 2;
	for (int i = 0; r == 0 && i < 2; i++)
		r = again_in(l, half[i], s, &found[i], &at[i], e);
	if (r == 0 && !found[0] && !found[1])
		return add(c, l, a, kind_of(s), text, e);
	for (int i = 0; r == 0 && i < 2; i++)
		r = add(c, l, found[i] ? &at[i] : &half[i], kind_of(s), text, e);
	return r;
}

struct at {
	int across;
	unsigned point;
};

static int
by_across(const void *a, const void *b)
{
	const struct at *x = a, *y = b;

	return (x->across > y->across) - (x->across < y->across);
}

/* zbar gives one symbol for all bars that say the same: a gap between the lines that read it is one between bars. */
static int
add_bars(struct codes *c, const struct look *l, const zbar_symbol_t *s, const char *text, struct err *e)
{
	zbar_orientation_t o = zbar_symbol_get_orientation(s);
	const bool upright = o == ZBAR_ORIENT_UP || o == ZBAR_ORIENT_DOWN;
	unsigned n = zbar_symbol_get_loc_size(s), from = 0;
	AUTO_FREE struct at *at = calloc(n + 1, sizeof(*at));
	AUTO_FREE unsigned *order = calloc(n + 1, sizeof(*order));
	int r = 0;

	if (at == NULL || order == NULL)
		return err_set(e, ERR_MEM, "places of a barcode");
	for (unsigned i = 0; i < n; i++)
		at[i] = (struct at){ upright ? zbar_symbol_get_loc_y(s, i) : zbar_symbol_get_loc_x(s, i), i };
	qsort(at, n, sizeof(*at), by_across);
	for (unsigned i = 0; i < n; i++)
		order[i] = at[i].point;
	for (unsigned i = 1; r == 0 && i <= n; i++)
		if (i == n || at[i].across - at[i - 1].across > GAP) {
			struct area a = bounds(s, l, from, i, order);

			r = add_bar(c, l, &a, upright, s, text, e);
			from = i;
		}
	return r;
}

static int
add_symbol(struct codes *c, const struct look *l, const zbar_symbol_t *s, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct area a;
	int r;

	if (kind_of(s) == CODE_NONE || zbar_symbol_get_loc_size(s) == 0)
		return 0;
	if ((r = text_of(s, &text, e)) < 0 || text == NULL)
		return r;
	if (kind_of(s) != CODE_QR)
		return add_bars(c, l, s, text, e);
	a = bounds(s, l, 0, zbar_symbol_get_loc_size(s), NULL);
	return add(c, l, &a, CODE_QR, text, e);
}

/* --- the page ------------------------------------------------------------------------------------ */

static int
by_place(const void *a, const void *b)
{
	const struct code *x = a, *y = b;

	return x->y0 != y->y0 ? (x->y0 > y->y0) - (x->y0 < y->y0) : (x->x0 > y->x0) - (x->x0 < y->x0);
}

static int
read_bars(PIX *pix, double dpi_x, double dpi_y, struct codes *c, struct err *e)
{
	struct look l = { 0 };
	AUTO_SCAN scan = { 0 };
	int r = look_open(&l, pix, dpi_x, dpi_y, e);

	if (r == 0 && l.grey != NULL && (r = scan_area(&l, &(struct area){ 0, 0, l.w, l.h }, &scan, e)) == 0)
		for (const zbar_symbol_t *s = zbar_image_first_symbol(scan.image); r == 0 && s != NULL; s = zbar_symbol_next(s))
			r = add_symbol(c, &l, s, e);
	free(l.grey);
	return r;
}

int
barcode_read(PIX *pix, double dpi_x, double dpi_y, struct codes *ret, struct err *e)
{
	struct codes c = { 0 };
	int r;

	if ((r = read_bars(pix, dpi_x, dpi_y, &c, e)) < 0 || (r = patch_read(pix, dpi_x, dpi_y, &c, e)) < 0) {
		codes_done(&c);
		return r;
	}
	qsort(c.v, c.n, sizeof(c.v[0]), by_place);
	*ret = c;
	return 0;
}

void
codes_done(struct codes *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		free(c->v[i].text);
	*c = (struct codes){ 0 };
}

void
codes_turn(struct codes *c, uint32_t w, uint32_t h, uint32_t degrees)
{
	for (; degrees > 0; degrees -= 90) {
		for (uint32_t i = 0; i < c->n; i++) {
			const struct code k = c->v[i];

			c->v[i] = (struct code){ k.kind, h - k.y1, k.x0, h - k.y0, k.x1, k.text };
		}
		uint32_t t = w;
		w = h;
		h = t;
	}
}

static int32_t
within(double v, int32_t least, int32_t most)
{
	return (int32_t)lround(fmin(fmax(v, least), most));
}

int
codes_to_page(const struct codes *c, const struct box *b, uint32_t w, uint32_t h, struct pagefile *pf, struct err *e)
{
	const double kx = (double)(b->x1 - b->x0) / w, ky = (double)(b->y1 - b->y0) / h;
	struct word *v;

	if (c->n == 0)
		return 0;
	if ((v = reallocarray(pf->words, pf->nwords + c->n, sizeof(*v))) == NULL)
		return err_set(e, ERR_MEM, "codes of a page");
	pf->words = v;
	for (uint32_t i = 0; i < c->n; i++) {
		const struct code *k = &c->v[i];
		struct word *to = &v[pf->nwords + pf->ncodes];

		*to = (struct word){ .code = (uint8_t)k->kind, .conf = 100, .text = k->text,
			.box = { within(b->x0 + k->x0 * kx, b->x0, b->x1), within(b->y0 + k->y0 * ky, b->y0, b->y1),
			    within(b->x0 + k->x1 * kx, b->x0, b->x1), within(b->y0 + k->y1 * ky, b->y0, b->y1) } };
		to->base = to->box.y1;
		pf->ncodes += to->box.x0 < to->box.x1 && to->box.y0 < to->box.y1;
	}
	return 0;
}
