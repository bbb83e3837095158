#include <leptonica/allheaders.h>
#include <math.h>

#include "scan/blank.h"

#define MM (1 / 25.4)        /* inch */
#define DIRT (1.0 * MM)      /* smaller may be dirt */
#define DIRT_FINE (0.2 * MM) /* smaller is not even counted */
#define DIRT_FEW 150         /* more of it is print that fell apart, or a picture */
#define PARTS_MANY 20000
#define FRAME (4 * MM)       /* no printer prints there */
#define FRAME_SHARE 0.03     /* of the side, on small paper */
#define SHADOW (10 * MM)     /* how far a shadow at an edge reaches */
#define HOLE_MIN (4 * MM)
#define HOLE_MAX (8 * MM)
#define HOLE_EDGE (25 * MM)  /* from the edge to the far side of a punched hole */
#define SHADED 0.7           /* of the paper's brightness: an area darker than that is printed on */
#define SHADED_STEP 16       /* pixels of the page to one that is looked at */

/* A page and lengths on it, in pixels of the ink. */
struct sheet {
	double w, h, dpi;
	double frame_x, frame_y;
};

struct part {
	double x0, y0, x1, y1;
};

static bool
at_an_edge(const struct sheet *s, const struct part *p, double near_x, double near_y, double deep)
{
	return (p->x0 <= near_x && p->x1 <= deep) || (p->y0 <= near_y && p->y1 <= deep) ||
	    (s->w - p->x1 <= near_x && s->w - p->x0 <= deep) || (s->h - p->y1 <= near_y && s->h - p->y0 <= deep);
}

/* Round, filled or hollow: as broad as high, and its corners white. */
static bool
is_hole(const struct sheet *s, const struct part *p, PIX *ink)
{
	const double w = p->x1 - p->x0, h = p->y1 - p->y0, least = HOLE_MIN * s->dpi, most = HOLE_MAX * s->dpi;
	const int corner = (int)(fmin(w, h) * 0.12);

	if (w < least || h < least || w > most || h > most || fabs(w - h) > 0.15 * fmax(w, h) ||
	    !at_an_edge(s, p, s->w, s->h, HOLE_EDGE * s->dpi))
		return false;
	for (int i = 0; i < 4; i++) {
		BOX *box = boxCreate((l_int32)(i % 2 == 0 ? p->x0 : p->x1 - corner), (l_int32)(i < 2 ? p->y0 : p->y1 - corner),
		    corner, corner);
		l_int32 n = 1;

		pixCountPixelsInRect(ink, box, &n, NULL);
		boxDestroy(&box);
		if (n != 0)
			return false;
	}
	return true;
}

/* What stands on paper, and what only lies there. */
static bool
is_nothing(const struct sheet *s, const struct part *p, PIX *ink, int *dirt)
{
	const double side = fmax(p->x1 - p->x0, p->y1 - p->y0);

	if (side < DIRT * s->dpi) {
		*dirt += side >= DIRT_FINE * s->dpi;
		return *dirt <= DIRT_FEW;
	}
	return at_an_edge(s, p, s->frame_x, s->frame_y, SHADOW * s->dpi) || is_hole(s, p, ink);
}

/* Shadows hang together round the page: without the frame they are the pieces that they are. */
static PIX *
without_frame(PIX *ink, const struct sheet *s)
{
	PIX *out = pixCopy(NULL, ink);
	const l_int32 x = (l_int32)s->frame_x, y = (l_int32)s->frame_y;

	if (out != NULL)
		pixSetOrClearBorder(out, x, x, y, y, PIX_CLR);
	return out;
}

static bool
only_dirt(PIX *ink, const struct sheet *s)
{
	PIX *inner = without_frame(ink, s);
	BOXA *boxes = inner == NULL ? NULL : pixConnCompBB(inner, 8);
	l_int32 white = 0;
	int n = boxes == NULL ? 0 : boxaGetCount(boxes), dirt = 0;
	bool nothing = boxes != NULL ? n <= PARTS_MANY : inner != NULL && pixZero(inner, &white) == 0 && white;

	for (int i = 0; i < n && nothing; i++) {
		l_int32 x, y, w, h;
		struct part p;

		boxaGetBoxGeometry(boxes, i, &x, &y, &w, &h);
		p = (struct part){ x, y, x + w, y + h };
		nothing = is_nothing(s, &p, inner, &dirt);
	}
	boxaDestroy(&boxes);
	pixDestroy(&inner);
	return nothing;
}

/* Large areas have no ink round them to be darker than; light that falls unevenly makes less of a difference. */
static bool
is_even(PIX *page)
{
	PIX *coarse = pixScaleAreaMap(page, 1.0f / SHADED_STEP, 1.0f / SHADED_STEP), *inner = NULL;
	const double dx = coarse == NULL ? 0 : pixGetWidth(coarse) / 8.0, dy = coarse == NULL ? 0 : pixGetHeight(coarse) / 8.0;
	l_int32 least = 0, most = 0;

	if (coarse != NULL && (inner = pixRemoveBorderGeneral(coarse, (l_int32)dx, (l_int32)dx, (l_int32)dy, (l_int32)dy)) != NULL) {
		pixGetExtremeValue(inner, 1, L_SELECT_MIN, NULL, NULL, NULL, &least);
		pixGetExtremeValue(inner, 1, L_SELECT_MAX, NULL, NULL, NULL, &most);
	}
	pixDestroy(&inner);
	pixDestroy(&coarse);
	return least > SHADED * most;
}

bool
blank_page(struct Pix *page, struct Pix *ink, double dpi)
{
	struct sheet s = { .w = pixGetWidth(ink), .h = pixGetHeight(ink), .dpi = dpi };

	s.frame_x = fmin(FRAME * dpi, FRAME_SHARE * s.w);
	s.frame_y = fmin(FRAME * dpi, FRAME_SHARE * s.h);
	return only_dirt(ink, &s) && (pixGetDepth(page) == 1 || is_even(page));
}
