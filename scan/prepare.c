#include <leptonica/allheaders.h>
#include <math.h>

#include "scan/prepare.h"

#define SKEW_MIN 0.15      /* degrees: less is not worth the blur */
#define SKEW_MAX 10.0
#define SKEW_CONF 2.5      /* leptonica: "above 3 sure"; letters with few lines reach less */
#define RULE_LENGTH 0.45   /* inch */
#define RULE_WIDTH 0.045   /* inch; wider is a bar or a picture */
#define RULE_CONTRAST 30   /* of 255 */
#define SMALL_FROM 250     /* dots per inch; below, half would be too coarse to tell b from p */
#define SPECK 0.014        /* inch */
#define SPECKS_FEW 100     /* a clean page has some, too */
#define THRESHOLD_HALF 12  /* pixels round each whose mean is the paper */
#define THRESHOLD_PERCENT 70
#define TEXT_PARTS 6       /* fewer parts of the size of letters: blank */
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

/* Black where clearly darker than the paper around. */
static PIX *
threshold(PIX *grey)
{
	PIX *paper = pixBlockconvGray(grey, NULL, THRESHOLD_HALF, THRESHOLD_HALF), *out = NULL;
	const l_int32 w = pixGetWidth(grey), h = pixGetHeight(grey);

	if (paper != NULL && (out = pixCreate(w, h, 1)) != NULL)
		for (l_int32 y = 0; y < h; y++) {
			const l_uint32 *p = pixGetData(grey) + (size_t)y * (size_t)pixGetWpl(grey);
			const l_uint32 *m = pixGetData(paper) + (size_t)y * (size_t)pixGetWpl(paper);
			l_uint32 *to = pixGetData(out) + (size_t)y * (size_t)pixGetWpl(out);

			for (l_int32 x = 0; x < w; x++)
				if (GET_DATA_BYTE(p, x) * 100 < GET_DATA_BYTE(m, x) * THRESHOLD_PERCENT)
					SET_DATA_BIT(to, x);
		}
	pixDestroy(&paper);
	return out;
}

/* 1/factor of the size, black and white by local thresholds: for questions about the layout. */
static PIX *
make_small(PIX *pix, int factor)
{
	PIX *part, *out;

	if (pixGetDepth(pix) == 1)
		return factor == 1 ? pixClone(pix) : pixReduceRankBinary2(pix, 2, NULL);
	part = factor == 1 ? pixClone(pix) : pixScaleAreaMap2(pix);
	out = part == NULL ? NULL : threshold(part);
	pixDestroy(&part);
	return out;
}

/* What is on a page: parts of the size of letters (5 to 40 points), specks, and where all but specks lies. */
struct parts {
	int letters, specks;
	int x0, y0, x1, y1; /* pixels of the small copy */
};

static struct parts
count_parts(PIX *small, double dpi)
{
	BOXA *boxes = pixConnCompBB(small, 8);
	double least = dpi * 2.2 / 72, most = dpi * 40 / 72, speck = dpi * SPECK / 2;
	int all = boxes == NULL ? 0 : boxaGetCount(boxes);
	struct parts p = { .x0 = pixGetWidth(small), .y0 = pixGetHeight(small) };

	for (int i = 0; i < all; i++) {
		l_int32 x, y, w, h;

		boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h);
		p.letters += h >= least && h <= most && w >= least / 3 && w <= 3 * most && w + h >= 2 * least;
		if (w <= speck && h <= speck) {
			p.specks++;
			continue;
		}
		p.x0 = x < p.x0 ? x : p.x0;
		p.y0 = y < p.y0 ? y : p.y0;
		p.x1 = x + w > p.x1 ? x + w : p.x1;
		p.y1 = y + h > p.y1 ? y + h : p.y1;
	}
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

/* Dirt on the glass joins words; a full stop of 6 points is larger than what goes. */
static int
despeckle(struct prepared *w, struct err *e)
{
	l_int32 side = (l_int32)(w->dpi * SPECK);
	PIX *clean;

	if (pixGetDepth(w->pix) != 1 || side < 1)
		return 0;
	clean = pixSelectBySize(w->pix, side, side, 8, L_SELECT_IF_EITHER, L_SELECT_IF_GT, NULL);
	if (clean == NULL) {
		prepare_done(w);
		return err_set(e, ERR_MEM, "no memory for the page");
	}
	pixDestroy(&w->pix);
	w->pix = clean;
	return 0;
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
	if (w->pix != NULL) {
		w->scale_x = (double)pixGetWidth(w->pix) / pixGetWidth(pix);
		w->scale_y = (double)pixGetHeight(w->pix) / pixGetHeight(pix);
		w->factor = w->dpi >= SMALL_FROM ? 2 : 1;
		w->small = make_small(w->pix, w->factor);
	}
	pixDestroy(&pix);
	if (w->small == NULL) {
		prepare_done(w);
		return err_set(e, ERR_MEM, "no memory for the page");
	}
	parts = count_parts(w->small, (double)w->dpi / w->factor);
	w->blank = parts.letters < TEXT_PARTS;
	if (w->blank)
		return 0;
	if ((r = crop(w, &parts, e)) < 0)
		return r;
	return parts.specks < SPECKS_FEW ? 0 : despeckle(w, e);
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

	if (pixFindSkewSweepAndSearch(small, &angle, &conf, 4, 2, SKEW_MAX, 1.0, 0.01f) != 0)
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
 * What could be strokes of vertical rules, black and white, 1/factor of the
 * size.  Grey: darker than what is left and right of it, however pale (the
 * local thresholds for letters lose pale rules).
 */
static PIX *
find_strokes(PIX *pix, int factor)
{
	PIX *dark, *narrow, *out;

	if (pixGetDepth(pix) == 1)
		return factor == 1 ? pixCopy(NULL, pix) : pixReduceRankBinary2(pix, 1, NULL);
	dark = factor == 1 ? pixClone(pix) : pixScaleGrayMinMax2(pix, L_CHOOSE_MIN);
	narrow = dark == NULL ? NULL : pixTophat(dark, 9, 1, L_TOPHAT_BLACK);
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
	PIX *tall = find_strokes(pix, factor), *wide, *thin = NULL, *mask = NULL;
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

int
prepare_straight(const struct prepared *w, uint32_t turn, struct straight *ret, struct err *e)
{
	PIX *turned = pixRotateOrth(w->pix, (l_int32)turn / 90), *small = pixRotateOrth(w->small, (l_int32)turn / 90);
	struct straight s = { 0 };
	PIX *mask;

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
	if ((mask = find_rules(s.pix, w->dpi, w->factor)) != NULL)
		remove_rules(s.pix, mask, w->dpi);
	pixDestroy(&mask);
	*ret = s;
	return 0;
}

/*
 * The middle of the word goes back exactly; its box is the upright rectangle
 * round the turned one, its baseline that of its middle.
 */
void
prepare_map_back(const struct straight *s, double *x0, double *y0, double *x1, double *y1, double *base)
{
	double a = s->angle * 3.14159265358979323846 / 180, c = cos(a), d = sin(a);
	double mx = (*x0 + *x1) / 2 - s->w / 2, my = (*y0 + *y1) / 2 - s->h / 2;
	double w = *x1 - *x0, h = *y1 - *y0, below = *base - (*y0 + *y1) / 2;
	double x = mx * c + my * d + s->w / 2, y = -mx * d + my * c + s->h / 2;
	double bw = w * c + h * fabs(d), bh = h * c + w * fabs(d);

	*x0 = x - bw / 2;
	*x1 = x + bw / 2;
	*y0 = y - bh / 2;
	*y1 = y + bh / 2;
	*base = y + below * c;
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
