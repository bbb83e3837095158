#include <leptonica/allheaders.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/bits.h"
#include "scan/blank.h"
#include "scan/order.h"
#include "scan/prepare.h"
#include "scan/reverse.h"

#define SKEW_MIN 0.15      /* degrees: less is not worth the blur */
#define SKEW_MAX 10.0
#define SKEW_EDGE 2.0      /* degrees looked at beyond: leptonica trusts no angle at the end of its range */
#define TILE 64            /* pixels of a square whose paper is of one brightness */
#define PAPER_MIN 100      /* darker than that is no paper */
#define PALE_FROM 50       /* % of the paper's brightness: darker is ink */
#define PALE_TO 93
#define PALE_MANY 0.9      /* times the ink; soft edges of letters are less than half of it */
#define CLEAR_INK 16.0     /* of paper evened to 200: as black as it gets */
#define CLEAR_PAPER 132.0  /* paler is the back */
#define RISE_MAX 0.25      /* of a line's height: what the box of a word askew may be higher */
#define SKEW_CONF 2.5      /* leptonica: "above 3 sure"; letters with few lines reach less */
#define RULE_LENGTH 0.45   /* inch */
#define FRAME_LENGTH 0.7   /* inch; shorter horizontal rules are underlined words */
#define RULE_WIDTH 0.045   /* inch; wider is a bar or a picture */
#define RULE_CONTRAST 30   /* of 255 */
#define SMALL_FROM 250     /* dots per inch; below, half would be too coarse to tell b from p */
#define SPECK 0.014        /* inch */
#define SPECKS_FEW 100     /* a clean page has some, too */
#define SPECKS_LOOKED 3000 /* these say enough about a page */
#define LONELY_TEXT 0.45   /* of the height of its letters: smaller, and with no letter near, is no text */
#define NEAR_TEXT 0.4      /* of it: how far from its letter a full stop or a dot on an i is */
#define GRAIN 8            /* of 255, deviation: what recognition takes well */
#define GRAIN_PASSES 3
#define GRAIN_STEP 16      /* rows to one that is looked at */
#define TEXT_PARTS 6       /* fewer parts of the size of letters: no text */
#define BLANK_PARTS 400    /* so many are no dirt, whatever they are */
#define MARGIN 0.2         /* inch left round what is on the page; lines that are turned keep their ends */

/* --- scaled, and in black and white ------------------------------------------------------------ */

static int
target_dpi(double dpi_x, double dpi_y)
{
	double dpi = fmax(dpi_x, dpi_y);

	if (dpi > PREPARE_DPI * 1.05)
		return PREPARE_DPI;
	return (int)lround(dpi < PREPARE_DPI_MIN ? dpi * 2 : dpi);
}

/* Bitonal pages that shrink become grey on the way; a threshold makes them bitonal again. */
static PIX *
scale(PIX *pix, double sx, double sy)
{
	PIX *grey, *out;

	if (fabs(sx - 1) < 0.005 && fabs(sy - 1) < 0.005)
		return pixClone(pix);
	if (pixGetDepth(pix) == 8 || sx > 1 || sy > 1)
		return pixScale(pix, (l_float32)sx, (l_float32)sy);
	grey = sx == sy ? pixScaleToGray(pix, (l_float32)sx) : NULL;
	if (grey == NULL)
		return pixScaleBinary(pix, (l_float32)sx, (l_float32)sy);
	out = pixThresholdToBinary(grey, 160);
	pixDestroy(&grey);
	return out;
}

/* Black where darker than a share of the paper around. */
struct threshold {
	l_int32 half;     /* pixels round each whose mean is the paper */
	unsigned percent; /* 100 at most */
};

static const struct threshold for_text = { 12, 70 }, for_dust = { 12, 45 };

/* A word of n pixels, black where they are darker than their share of the paper around. */
static l_uint32
dark_word(const l_uint32 *grey, const l_uint32 *paper, l_int32 n, unsigned percent)
{
	uint8_t p[BITS_PIXELS] = { 0 }, m[BITS_PIXELS] = { 0 }, is[BITS_PIXELS];

	memcpy(p, grey, (size_t)(n + 3) / 4 * 4);
	memcpy(m, paper, (size_t)(n + 3) / 4 * 4);
	for (int i = 0; i < BITS_PIXELS; i++)
		is[i] = (uint16_t)(p[i] * 100) < (uint16_t)(m[i] * percent);
	return bits_first(bits_word(is), n);
}

/* The paper around each pixel: of every second one each way, which is as good a mean for a quarter of the work. */
static PIX *
paper_around(PIX *grey, l_int32 half)
{
	PIX *part = pixScaleAreaMap2(grey), *out = part == NULL ? NULL : pixBlockconvGray(part, NULL, half / 2, half / 2);

	pixDestroy(&part);
	return out;
}

/* A row of it in full. */
static void
stretch(PIX *paper, l_int32 y, PIX *row)
{
	const l_int32 pw = pixGetWidth(paper), py = L_MIN(y / 2, pixGetHeight(paper) - 1);
	const l_uint32 *from = pixGetData(paper) + (size_t)py * (size_t)pixGetWpl(paper);

	for (l_int32 x = 0; x < pixGetWidth(row); x++)
		SET_DATA_BYTE(pixGetData(row), x, GET_DATA_BYTE(from, L_MIN(x / 2, pw - 1)));
}

static PIX *
threshold(PIX *grey, const struct threshold *t)
{
	const l_int32 w = pixGetWidth(grey), h = pixGetHeight(grey);
	PIX *paper, *row, *out = NULL;

	if (L_MIN(w, h) < 2) /* a line has no paper around that it could be darker than */
		return pixCreate(w, h, 1);
	paper = paper_around(grey, t->half);
	row = pixCreate(w, 1, 8);
	if (paper != NULL && row != NULL && (out = pixCreate(w, h, 1)) != NULL)
		for (l_int32 y = 0; y < h; y++) {
			const l_uint32 *p = pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey);
			l_uint32 *to = pixGetData(out) + (size_t)y * (size_t)pixGetWpl(out);

			if (y % 2 == 0)
				stretch(paper, y, row);
			for (l_int32 x = 0; x < w; x += BITS_PIXELS)
				*to++ = dark_word(p + x / 4, pixGetData(row) + x / 4, L_MIN(BITS_PIXELS, w - x), t->percent);
		}
	pixDestroy(&paper);
	pixDestroy(&row);
	return out;
}

/*
 * 1/factor of the size, black and white: grey by local thresholds, what is
 * bitonal already black where 'rank' of four pixels are.
 */
static PIX *
make_small(PIX *pix, int factor, const struct threshold *t, int rank)
{
	PIX *part, *out;

	if (pixGetDepth(pix) == 1)
		return factor == 1 ? pixClone(pix) : pixReduceRankBinary2(pix, rank, NULL);
	part = factor == 1 ? pixClone(pix) : pixScaleAreaMap2(pix);
	out = part == NULL ? NULL : threshold(part, t);
	pixDestroy(&part);
	return out;
}

/* --- without grain and specks ------------------------------------------------------------------- */

/*
 * The deviation of the paper's grain: by the median of the differences between
 * neighbours, on which the edges of letters have no bearing (Rousseeuw and
 * Croux 1993: 0.6745 deviations, and a difference has sqrt(2) of them).
 */
static double
find_grain(PIX *grey)
{
	const l_int32 w = pixGetWidth(grey), h = pixGetHeight(grey);
	uint32_t count[256] = { 0 }, all = 0, below = 0;
	int d = 0;

	for (l_int32 y = 0; y < h; y += GRAIN_STEP) {
		const l_uint32 *p = pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey);

		for (l_int32 x = 1; x < w; x++)
			count[abs((int)GET_DATA_BYTE(p, x) - (int)GET_DATA_BYTE(p, x - 1))]++;
		all += (uint32_t)w - 1;
	}
	while (d < 255 && (below += count[d]) <= all / 2)
		d++;
	return d / 0.954;
}

/* The mean of nine, as often as it takes: strokes become soft, but stay where they are. */
static int
smooth(struct prepared *w, struct err *e)
{
	for (int i = 0; i < GRAIN_PASSES && pixGetDepth(w->pix) == 8 && find_grain(w->pix) > GRAIN; i++) {
		PIX *soft = pixBlockconvGray(w->pix, NULL, 1, 1);

		if (soft == NULL)
			return err_set(e, ERR_MEM, "no memory for the page");
		pixDestroy(&w->pix);
		w->pix = soft;
	}
	return 0;
}

/* The last question, and dear: of pages that show little only. */
static bool
is_blank(const struct prepared *w)
{
	const double dpi = (double)w->dpi / w->factor;
	const struct threshold any_ink = { (l_int32)(dpi * BLANK_PAPER), BLANK_INK };
	PIX *ink = make_small(w->pix, w->factor, &any_ink, 1);
	bool blank = ink != NULL && blank_page(w->pix, ink, dpi);

	pixDestroy(&ink);
	return blank;
}

/* What is on a page: parts of the size of letters (5 to 40 points), dust, and where all but specks lies. */
struct parts {
	int letters, dust;
	double height;      /* of letters, the median, in pixels of the page */
	int x0, y0, x1, y1; /* pixels of the small copy */
};

/* A part of the small copy. */
struct part {
	int x, y, w, h;
	bool letter, speck;
};

/* The middle of a count of heights, 0 if there are none. */
static int
middle_height(const int *count, int n)
{
	int all = 0, below = 0, i = 0;

	for (int k = 0; k < n; k++)
		all += count[k];
	while (i < n && all > 0 && (below += count[i]) * 2 < all)
		i++;
	return all == 0 ? 0 : i;
}

/* Pale rules, which the threshold for text tears into pieces, are no dust. */
static bool
is_dark(const struct prepared *w, const struct part *p)
{
	int least = 255, most = 0;

	if (pixGetDepth(w->pix) == 1)
		return true;
	for (int y = (p->y - 1) * w->factor; y < (p->y + p->h + 1) * w->factor; y++) {
		const l_uint32 *row = pixGetData(w->pix) + (size_t)y * (size_t)pixGetWpl(w->pix);

		for (int x = (p->x - 1) * w->factor; y >= 0 && y < pixGetHeight(w->pix) && x < (p->x + p->w + 1) * w->factor; x++) {
			const int v = x >= 0 && x < pixGetWidth(w->pix) ? (int)GET_DATA_BYTE(row, x) : most;

			least = v < least ? v : least;
			most = v > most ? v : most;
		}
	}
	return least * 100 < most * (int)for_dust.percent;
}

static bool
is_near(const struct part *a, const struct part *b, int near)
{
	return a->x - near < b->x + b->w && b->x - near < a->x + a->w && a->y - near < b->y + b->h && b->y - near < a->y + a->h;
}

/* Specks that stand alone: a clean page of small type has dots enough, but each at its letter. */
static int
count_dust(const struct prepared *w, const struct part *v, int n, int near)
{
	int dust = 0;

	for (int i = 0, looked = 0; i < n && looked < SPECKS_LOOKED && dust < SPECKS_FEW; i++) {
		bool alone = v[i].speck;

		looked += alone;
		for (int k = 0; alone && k < n; k++)
			alone = !v[k].letter || !is_near(&v[i], &v[k], near);
		dust += alone && is_dark(w, &v[i]);
	}
	return dust;
}

static struct parts
count_parts(const struct prepared *w)
{
	const double dpi = (double)w->dpi / w->factor, least = dpi * 2.2 / 72, most = dpi * 40 / 72, speck = dpi * SPECK;
	BOXA *boxes = pixConnCompBB(w->small, 8);
	int n = boxes == NULL ? 0 : boxaGetCount(boxes), heights[512] = { 0 };
	AUTO_FREE struct part *v = calloc((size_t)n + 1, sizeof(*v));
	struct parts p = { .x0 = pixGetWidth(w->small), .y0 = pixGetHeight(w->small) };

	for (int i = 0; v != NULL && i < n; i++) {
		struct part *a = &v[i];

		boxaGetBoxGeometry(boxes, i, &a->x, &a->y, &a->w, &a->h);
		a->letter = a->h >= least && a->h <= most && a->w >= least / 3 && a->w <= 3 * most && a->w + a->h >= 2 * least;
		a->speck = a->w <= speck && a->h <= speck;
		p.letters += a->letter;
		heights[a->h < 511 ? a->h : 511] += a->letter;
		if (a->w <= speck / 2 && a->h <= speck / 2)
			continue;
		p.x0 = a->x < p.x0 ? a->x : p.x0;
		p.y0 = a->y < p.y0 ? a->y : p.y0;
		p.x1 = a->x + a->w > p.x1 ? a->x + a->w : p.x1;
		p.y1 = a->y + a->h > p.y1 ? a->y + a->h : p.y1;
	}
	p.height = middle_height(heights, 512) * w->factor;
	if (v != NULL)
		p.dust = count_dust(w, v, n, (int)(p.height / w->factor * NEAR_TEXT) + 1);
	boxaDestroy(&boxes);
	return p;
}

static PIX *
clip(PIX *pix, int x0, int y0, int x1, int y1)
{
	BOX *box = boxCreate(x0, y0, x1 - x0, y1 - y0);
	PIX *out = pixClipRectangle(pix, box, NULL);

	boxDestroy(&box);
	return out;
}

static int
floor_to(int v, int step)
{
	return v < 0 ? 0 : v - v % step;
}

/* In steps of 32 pixels of the small copy: whole words of memory are moved. */
static int
crop(struct prepared *w, const struct parts *p, struct err *e)
{
	const int sw = pixGetWidth(w->small), sh = pixGetHeight(w->small), m = (int)(MARGIN * w->dpi / w->factor);
	const int x0 = floor_to(p->x0 - m, 32), y0 = floor_to(p->y0 - m, 32);
	const int x1 = p->x1 + m < sw ? p->x1 + m : sw, y1 = p->y1 + m < sh ? p->y1 + m : sh;
	const int pw = pixGetWidth(w->pix), ph = pixGetHeight(w->pix);
	PIX *pix, *small;

	w->left = x0 * w->factor;
	w->top = y0 * w->factor;
	w->right = x1 == sw ? 0 : pw - x1 * w->factor;
	w->bottom = y1 == sh ? 0 : ph - y1 * w->factor;
	small = clip(w->small, x0, y0, x1, y1);
	pix = clip(w->pix, w->left, w->top, pw - w->right, ph - w->bottom);
	prepare_done(w);
	w->small = small;
	w->pix = pix;
	if (pix != NULL && small != NULL)
		return 0;
	prepare_done(w);
	return err_set(e, ERR_MEM, "no memory for the page");
}

/* --- show-through ---------------------------------------------------------------------------------- */

/* How often each share of the paper's brightness occurs, in percent, on one tile; dark tiles have no paper. */
static void
count_tile(PIX *grey, l_int32 x0, l_int32 y0, uint32_t shares[101])
{
	const l_int32 x1 = x0 + TILE < pixGetWidth(grey) ? x0 + TILE : pixGetWidth(grey);
	const l_int32 y1 = y0 + TILE < pixGetHeight(grey) ? y0 + TILE : pixGetHeight(grey);
	uint32_t count[256] = { 0 }, all = 0, above = 0;
	unsigned paper = 255;

	for (l_int32 y = y0; y < y1; y += 2) {
		const l_uint32 *p = pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey);

		for (l_int32 x = x0; x < x1; x += 2, all++)
			count[GET_DATA_BYTE(p, x)]++;
	}
	while (paper > 0 && (above += count[paper]) < all / 5)
		paper--;
	for (unsigned v = 0; paper >= PAPER_MIN && v < 256; v++)
		shares[v < paper ? 100 * v / paper : 100] += count[v];
}

/* The print of the back is paler than ink, and there is more of it than the soft edges of letters have. */
static bool
shines_through(PIX *pix)
{
	uint32_t shares[101] = { 0 }, ink = 0, pale = 0;

	if (pixGetDepth(pix) != 8)
		return false;
	for (l_int32 y = 0; y < pixGetHeight(pix); y += TILE)
		for (l_int32 x = 0; x < pixGetWidth(pix); x += TILE)
			count_tile(pix, x, y, shares);
	for (int i = 0; i < PALE_FROM; i++)
		ink += shares[i];
	for (int i = PALE_FROM; i < PALE_TO; i++)
		pale += shares[i];
	return pale > PALE_MANY * ink;
}

int
prepare_clear(const struct prepared *w, struct prepared *ret, struct err *e)
{
	PIX *even = pixBackgroundNormSimple(w->pix, NULL, NULL);
	NUMA *curve = numaCreate(256);

	*ret = *w;
	ret->pix = ret->small = NULL;
	for (int v = 0; curve != NULL && v < 256; v++)
		numaAddNumber(curve, (l_float32)fmin(255, fmax(0, 255 * (v - CLEAR_INK) / (CLEAR_PAPER - CLEAR_INK))));
	if (even != NULL && curve != NULL && pixTRCMap(even, NULL, curve) == 0) {
		ret->pix = even;
		ret->small = make_small(even, w->factor, &for_text, 2);
	} else {
		pixDestroy(&even);
	}
	numaDestroy(&curve);
	if (ret->small != NULL)
		return 0;
	prepare_done(ret);
	return err_set(e, ERR_MEM, "no memory for the page");
}

/* Parts of which neither side is longer, taken out of 'pix'; without memory NULL. */
static PIX *
take_small_parts(PIX *pix, int side)
{
	PIX *large = pixSelectBySize(pix, side, side, 8, L_SELECT_IF_EITHER, L_SELECT_IF_GT, NULL);
	PIX *out = large == NULL ? NULL : pixSubtract(NULL, pix, large);

	if (out != NULL)
		pixCopy(pix, large);
	pixDestroy(&large);
	return out;
}

/* Those of 'parts' that reach to within 'near' pixels of ink go back to it. */
static void
give_back(PIX *ink, PIX *parts, int near)
{
	PIX *around = pixDilateBrick(NULL, ink, 2 * near + 1, 2 * near + 1), *back = NULL;

	if (around != NULL && pixAnd(around, around, parts) != NULL && (back = pixSeedfillBinary(NULL, around, parts, 8)) != NULL) {
		pixOr(ink, ink, back);
		pixSubtract(parts, parts, back);
	}
	pixDestroy(&back);
	pixDestroy(&around);
}

/*
 * What is dust on a page of black and white, by the height of its letters, taken
 * out of 'ink'.  Full stops and the dots of an i are no larger, but near a letter.
 */
static PIX *
find_dust(PIX *ink, const struct prepared *w, double height)
{
	const int sure = (int)lround(w->dpi * SPECK), lonely = (int)(height * LONELY_TEXT);
	PIX *out = take_small_parts(ink, sure), *more = lonely <= sure || out == NULL ? NULL : take_small_parts(ink, lonely);

	if (more != NULL) {
		give_back(ink, more, (int)(height * NEAR_TEXT) + 1);
		pixOr(out, out, more);
	}
	pixDestroy(&more);
	return out;
}

/* Those of 'parts' that are dark somewhere: pale rules, which the threshold for text tears into pieces, are not. */
static PIX *
dark_parts(PIX *parts, PIX *dark)
{
	PIX *seed = dark == NULL ? NULL : pixAnd(NULL, dark, parts), *out = seed == NULL ? NULL : pixSeedfillBinary(NULL, seed, parts, 8);

	pixDestroy(&seed);
	return out;
}

/* Paper comes where the dust of a grey page was, with what is soft at its edges. */
static int
clean_grey(PIX *grey, PIX *ink, PIX *parts, const struct threshold *t)
{
	PIX *dark = threshold(grey, t), *dust = dark_parts(parts, dark);

	pixDestroy(&dark);
	if (dust == NULL)
		return -1;
	pixDilateBrick(dust, dust, 3, 3);
	pixSubtract(dust, dust, ink);
	pixSetMasked(grey, dust, 255);
	pixDestroy(&dust);
	return 0;
}

/* Dust on the glass joins words; then the small copy is another one, too. */
static int
dust(struct prepared *w, double height, struct err *e)
{
	const struct threshold text = { for_text.half * w->factor, for_text.percent };
	const struct threshold dark = { for_dust.half * w->factor, for_dust.percent };
	PIX *ink = pixGetDepth(w->pix) == 1 ? pixCopy(NULL, w->pix) : threshold(w->pix, &text);
	PIX *parts = ink == NULL ? NULL : find_dust(ink, w, height);
	int r = parts == NULL ? -1 : 0;

	if (r == 0 && pixGetDepth(w->pix) == 8) {
		r = clean_grey(w->pix, ink, parts, &dark);
	} else if (r == 0) {
		pixDestroy(&w->pix);
		w->pix = pixClone(ink);
	}
	pixDestroy(&parts);
	pixDestroy(&ink);
	pixDestroy(&w->small);
	if (r == 0 && (w->small = make_small(w->pix, w->factor, &for_text, 2)) != NULL)
		return 0;
	prepare_done(w);
	return err_set(e, ERR_MEM, "no memory for the page");
}

int
prepare(struct prepared *w, struct Pix *pix, double dpi_x, double dpi_y, struct err *e)
{
	struct parts parts;
	int r;

	*w = (struct prepared){ .dpi = target_dpi(dpi_x, dpi_y) };
	w->scale_x = w->dpi / dpi_x;
	w->scale_y = w->dpi / dpi_y;
	w->pix = scale(pix, w->scale_x, w->scale_y);
	if (w->pix != NULL && smooth(w, e) == 0) {
		w->scale_x = (double)pixGetWidth(w->pix) / pixGetWidth(pix);
		w->scale_y = (double)pixGetHeight(w->pix) / pixGetHeight(pix);
		w->factor = w->dpi >= SMALL_FROM ? 2 : 1;
		w->small = make_small(w->pix, w->factor, &for_text, 2);
	}
	pixDestroy(&pix);
	if (w->small == NULL) {
		prepare_done(w);
		return err_set(e, ERR_MEM, "no memory for the page");
	}
	parts = count_parts(w);
	w->blank = parts.letters < BLANK_PARTS && is_blank(w);
	w->wordless = w->blank || parts.letters < TEXT_PARTS;
	if (w->wordless)
		return 0;
	if ((r = crop(w, &parts, e)) < 0)
		return r;
	w->through = shines_through(w->pix);
	return parts.dust < SPECKS_FEW ? 0 : dust(w, parts.height, e);
}

void
prepare_done(struct prepared *w)
{
	pixDestroy(&w->pix);
	pixDestroy(&w->small);
}

/* --- which way is up ---------------------------------------------------------------------------- */

bool
prepare_orientation(const struct prepared *w, uint32_t *ret_turn)
{
	l_float32 up = 0, left = 0;

	*ret_turn = 0;
	if (pixOrientDetect(w->small, &up, &left, 0, 0) != 0)
		return false;
	if (fabsf(up) > 8 && fabsf(up) > 2.5f * fabsf(left)) {
		*ret_turn = up > 0 ? 0 : 180;
		return true;
	}
	if (fabsf(left) > 8 && fabsf(left) > 2.5f * fabsf(up)) {
		*ret_turn = left > 0 ? 90 : 270;
		return true;
	}
	return false;
}

/* Black pixels on rows and columns of a coarse grid: the square with the most. */
struct Pix *
prepare_piece(const struct prepared *w, int side)
{
	int pw = pixGetWidth(w->pix), ph = pixGetHeight(w->pix), step = side / 3;
	int bw = side < pw ? side : pw, bh = side < ph ? side : ph;
	int best = -1, bx = 0, by = 0;
	BOX *box;
	PIX *out;

	for (int y = 0; y + bh <= ph; y += step)
		for (int x = 0; x + bw <= pw; x += step) {
			l_int32 n = 0;

			box = boxCreate(x / w->factor, y / w->factor, bw / w->factor, bh / w->factor);
			pixCountPixelsInRect(w->small, box, &n, NULL);
			boxDestroy(&box);
			if (n > best) {
				best = n;
				bx = x;
				by = y;
			}
		}
	box = boxCreate(bx, by, bw, bh);
	out = pixClipRectangle(w->pix, box, NULL);
	boxDestroy(&box);
	return out;
}

/* --- straightened --------------------------------------------------------------------------------- */

static double
find_angle(PIX *small)
{
	l_float32 angle = 0, conf = 0;

	if (pixFindSkewSweepAndSearch(small, &angle, &conf, 4, 2, SKEW_MAX + SKEW_EDGE, 1.0, 0.01f) != 0)
		return 0;
	return conf < SKEW_CONF || fabsf(angle) < SKEW_MIN ? 0 : (double)angle;
}

static PIX *
rotate(PIX *pix, double degrees)
{
	const l_float32 rad = (l_float32)(degrees * 3.14159265358979323846 / 180);

	if (degrees == 0)
		return pixCopy(NULL, pix);
	return pixRotate(pix, rad, L_ROTATE_AREA_MAP, L_BRING_IN_WHITE, 0, 0);
}

/*
 * What could be strokes of rules, black and white, 1/factor of the size.  Grey:
 * darker than what is on both sides of it, however pale (the local thresholds
 * for letters lose pale rules).
 */
static PIX *
find_strokes(PIX *pix, int factor, bool level)
{
	PIX *dark, *narrow, *out;

	if (pixGetDepth(pix) == 1)
		return factor == 1 ? pixCopy(NULL, pix) : pixReduceRankBinary2(pix, 1, NULL);
	dark = factor == 1 ? pixClone(pix) : pixScaleGrayMinMax2(pix, L_CHOOSE_MIN);
	narrow = dark == NULL ? NULL : pixTophat(dark, level ? 1 : 9, level ? 9 : 1, L_TOPHAT_BLACK);
	pixDestroy(&dark);
	if (narrow == NULL)
		return NULL;
	out = pixThresholdToBinary(narrow, RULE_CONTRAST); /* 1 where below: the ground */
	pixDestroy(&narrow);
	if (out != NULL)
		pixInvert(out, out);
	return out;
}

/*
 * Thin and tall strokes as a mask of full size.  Dirt puts gaps into rules, and
 * rotation by shear steps: both are closed first.
 */
static PIX *
find_rules(PIX *pix, int dpi, int factor)
{
	const int length = (int)(dpi * RULE_LENGTH / factor), width = (int)(dpi * RULE_WIDTH / factor);
	PIX *tall = find_strokes(pix, factor, false), *wide, *thin = NULL, *mask = NULL;
	l_int32 none = 1;

	if (tall == NULL)
		return NULL;
	pixCloseBrick(tall, tall, 1, 5);
	pixDilateBrick(tall, tall, 3, 1);
	pixOpenBrick(tall, tall, 1, length);
	pixZero(tall, &none);
	if (!none && (wide = pixOpenBrick(NULL, tall, width + 3, 1)) != NULL) {
		thin = pixSubtract(NULL, tall, wide);
		pixDestroy(&wide);
	}
	if (thin != NULL) { /* with the soft edges and the ends of the strokes */
		pixDilateBrick(thin, thin, factor == 1 ? 5 : 3, factor == 1 ? 5 : 3);
		mask = pixScaleBySamplingToSize(thin, pixGetWidth(pix), pixGetHeight(pix));
	}
	pixDestroy(&thin);
	pixDestroy(&tall);
	return mask;
}

/*
 * Under the mask comes what is left and right of it, so that horizontal rules
 * stay whole where they cross: their ends would be read as full stops.
 */
static void
remove_rule(PIX *pix, PIX *mask, BOX *box, int width)
{
	PIX *part = pixClipRectangle(pix, box, NULL), *part_mask = pixClipRectangle(mask, box, NULL), *without = NULL;
	l_int32 x, y, w, h;

	if (part != NULL && part_mask != NULL)
		without = pixGetDepth(pix) == 1 ? pixOpenBrick(NULL, part, width, 1) : pixCloseGray(part, width, 1);
	if (without != NULL) {
		boxGetGeometry(box, &x, &y, &w, &h);
		pixCombineMasked(part, without, part_mask);
		pixRasterop(pix, x, y, w, h, PIX_SRC, part, 0, 0);
	}
	pixDestroy(&without);
	pixDestroy(&part_mask);
	pixDestroy(&part);
}

/* One after the other: they are few and narrow.  If memory is short the text will only be worse. */
static void
remove_rules(PIX *pix, PIX *mask, int dpi)
{
	const int width = (int)(dpi * RULE_WIDTH * 1.4) | 1;
	BOXA *boxes = pixConnCompBB(mask, 8);
	int n = boxes == NULL ? 0 : boxaGetCount(boxes);

	for (int i = 0; i < n; i++) {
		l_int32 x, y, w, h;
		BOX *box;

		boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h);
		x -= width;
		w += 2 * width;
		if (x < 0) {
			w += x;
			x = 0;
		}
		if (w > pixGetWidth(pix) - x)
			w = pixGetWidth(pix) - x;
		box = boxCreate(x, y, w, h);
		remove_rule(pix, mask, box, width);
		boxDestroy(&box);
	}
	boxaDestroy(&boxes);
}

/* Dirt puts gaps into them, and what is left of a skew steps: both are closed first. */
void
prepare_rules(const struct prepared *w, const struct straight *s, struct order_rule *ret, size_t *n)
{
	PIX *wide = find_strokes(s->pix, w->factor, true);
	BOXA *boxes = NULL;
	size_t k = 0;

	if (wide != NULL) {
		pixCloseBrick(wide, wide, 5, 1);
		pixDilateBrick(wide, wide, 1, 3);
		pixOpenBrick(wide, wide, (l_int32)(w->dpi * FRAME_LENGTH / w->factor), 1);
		boxes = pixConnCompBB(wide, 8);
	}
	for (l_int32 i = 0; boxes != NULL && i < boxaGetCount(boxes) && k < *n; i++) {
		l_int32 x, y, bw, bh;

		boxaGetBoxGeometry(boxes, i, &x, &y, &bw, &bh);
		ret[k++] = (struct order_rule){ (double)x * w->factor, (double)(x + bw) * w->factor, (y + bh / 2.0) * w->factor };
	}
	boxaDestroy(&boxes);
	pixDestroy(&wide);
	*n = k;
}

int
prepare_straight(const struct prepared *w, uint32_t turn, struct straight *ret, struct err *e)
{
	PIX *turned = pixRotateOrth(w->pix, (l_int32)turn / 90), *small = pixRotateOrth(w->small, (l_int32)turn / 90);
	struct straight s = { 0 };
	PIX *mask;
	int r;

	if (turned != NULL && small != NULL) {
		s.w = pixGetWidth(turned);
		s.h = pixGetHeight(turned);
		s.angle = find_angle(small);
		s.pix = rotate(turned, s.angle);
	}
	pixDestroy(&small);
	pixDestroy(&turned);
	if (s.pix == NULL)
		return err_set(e, ERR_MEM, "no memory for the page");
	if ((r = reverse_bars(s.pix, w->dpi, e)) < 0) {
		pixDestroy(&s.pix);
		return r;
	}
	if ((mask = find_rules(s.pix, w->dpi, w->factor)) != NULL)
		remove_rules(s.pix, mask, w->dpi);
	pixDestroy(&mask);
	*ret = s;
	return 0;
}

/*
 * The middle of the word goes back exactly.  Its box is no wider than the word
 * and little higher than its line: the rectangle round a turned word would reach
 * into what is beside it, and who extracts the text would run them together.
 */
void
prepare_map_back(const struct straight *s, double *x0, double *y0, double *x1, double *y1, double *base)
{
	double a = s->angle * 3.14159265358979323846 / 180, c = cos(a), d = sin(a);
	double mx = (*x0 + *x1) / 2 - s->w / 2, my = (*y0 + *y1) / 2 - s->h / 2;
	double w = *x1 - *x0, h = *y1 - *y0, below = *base - (*y0 + *y1) / 2;
	double bh = h + fmin(w * fabs(d), h * RISE_MAX);
	double x = mx * c + my * d + s->w / 2, y = -mx * d + my * c + s->h / 2;

	*x0 = x - w * c / 2;
	*x1 = x + w * c / 2;
	*y0 = y - bh / 2;
	*y1 = y + bh / 2;
	*base = y + below;
}

void
prepare_uncrop(const struct prepared *w, uint32_t turn, double *x0, double *y0, double *x1, double *y1, double *base)
{
	const int sides[4] = { w->left, w->bottom, w->right, w->top }; /* what becomes the left side */
	const double dx = sides[turn / 90 % 4], dy = sides[(turn / 90 + 3) % 4];

	*x0 += dx;
	*x1 += dx;
	*y0 += dy;
	*y1 += dy;
	*base += dy;
}
