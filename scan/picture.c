#include <leptonica/allheaders.h>
#include <math.h>

#include "agent/lib/io.h"

#include "scan/image.h"
#include "scan/picture.h"
#include "scan/scan.h"

#define PICTURE_SIDE_MAX 4000.0
#define FRAME 3 /* pixels */

static const uint8_t colours[][3] = { [MARK_FOUND] = { 0, 150, 60 }, [MARK_CANDIDATE] = { 240, 140, 0 },
	[MARK_PLACE] = { 20, 80, 220 }, [MARK_REFUSED] = { 210, 30, 30 } };

/* White paper of the page's size, the image where it stands. */
static PIX *
draw_page(PIX *image, const struct image_view *v, double scale)
{
	l_int32 w = (l_int32)lround(v->page_w * scale), h = (l_int32)lround(v->page_h * scale);
	l_int32 iw = (l_int32)lround((v->box.x1 - v->box.x0) * scale), ih = (l_int32)lround((v->box.y1 - v->box.y0) * scale);
	PIX *sized, *deep = NULL, *page = NULL;

	sized = pixScaleToSize(image, iw < 1 ? 1 : iw, ih < 1 ? 1 : ih);
	if (sized != NULL)
		deep = pixConvertTo32(sized);
	if (deep != NULL && (page = pixCreate(w < 1 ? 1 : w, h < 1 ? 1 : h, 32)) != NULL) {
		pixSetAll(page);
		pixRasterop(page, (l_int32)lround(v->box.x0 * scale), (l_int32)lround(v->box.y0 * scale), iw, ih, PIX_SRC, deep,
		    0, 0);
	}
	pixDestroy(&deep);
	pixDestroy(&sized);
	return page;
}

/* Bitonal pages shrink through grey: thin strokes stay to be seen. */
static PIX *
to_depth(PIX *pix, double factor)
{
	if (pixGetDepth(pix) != 1)
		return pixClone(pix);
	return factor < 1 ? pixScaleToGray(pix, (l_float32)fmax(factor, 0.05)) : pixConvert1To8(NULL, pix, 255, 0);
}

static void
draw_marks(PIX *page, const struct picture_params *p, double kx, double ky)
{
	for (uint32_t i = 0; i < p->nmarks; i++) {
		const struct box *b = &p->marks[i].box;
		const uint8_t *c = colours[p->marks[i].mark];
		l_int32 x = (l_int32)lround(b->x0 * kx) - FRAME, y = (l_int32)lround(b->y0 * ky) - FRAME;
		BOX *box = boxCreateValid(x < 0 ? 0 : x, y < 0 ? 0 : y, (l_int32)lround((b->x1 - b->x0) * kx) + 2 * FRAME,
		    (l_int32)lround((b->y1 - b->y0) * ky) + 2 * FRAME);

		if (box != NULL)
			pixRenderBoxArb(page, box, FRAME, c[0], c[1], c[2]);
		boxDestroy(&box);
	}
}

/* Takes the page; sixteen grays: a third of the bytes of 256, and text as good to read. */
static PIX *
to_gray(PIX *page)
{
	PIX *deep = pixConvertTo8(page, 0), *flat = deep == NULL ? NULL : pixThresholdTo4bpp(deep, 16, 0);

	pixDestroy(&deep);
	pixDestroy(&page);
	return flat;
}

static int
write_png(PIX *page, int out, struct err *e)
{
	l_uint8 *data = NULL;
	size_t n = 0;
	int r;

	if (pixWriteMemPng(&data, &n, page, 0) != 0) {
		lept_free(data);
		return err_set(e, ERR_MEM, "no memory for the picture");
	}
	r = io_write_full(out, data, n, e);
	lept_free(data);
	return r;
}

int
picture_finish(PIX *page, const struct picture_params *p, int out, struct err *e)
{
	int r;

	if (p->gray == 1 && (page = to_gray(page)) == NULL)
		return err_set(e, ERR_MEM, "no memory for the picture");
	draw_marks(page, p, (double)pixGetWidth(page) / p->width_mpt, (double)pixGetHeight(page) / p->height_mpt);
	r = write_png(page, out, e);
	pixDestroy(&page);
	return r;
}

/* The page as its reader sees it, small. */
static int
make(struct image *im, const struct picture_params *p, int out, struct err *e)
{
	struct image_view v;
	PIX *pix = NULL, *grey, *turned, *page;
	double scale;
	int r;

	im->rotate = (im->rotate + p->rotate) % 360;
	if ((r = image_view(im, &v, e)) < 0 || (r = image_pix(im, true, &pix, e)) < 0)
		return r;
	image_drop_pixels(im);
	scale = fmin(PICTURE_DPI / 72000, PICTURE_SIDE_MAX / fmax(v.page_w, v.page_h));
	grey = to_depth(pix, scale * 72000 / fmax(v.dpi_x, v.dpi_y));
	pixDestroy(&pix);
	turned = grey == NULL ? NULL : image_orient_pix(grey, v.orient);
	pixDestroy(&grey);
	page = turned == NULL ? NULL : draw_page(turned, &v, scale);
	pixDestroy(&turned);
	if (page == NULL)
		return err_set(e, ERR_MEM, "no memory for the picture");
	return picture_finish(page, p, out, e);
}

int
picture_check(const struct picture_params *p, struct err *e)
{
	if (p->width_mpt <= 0 || p->height_mpt <= 0 || p->rotate % 90 != 0)
		return err_set(e, ERR_PEER, "the page of the picture has no size");
	for (uint32_t i = 0; i < p->nmarks; i++)
		if (p->marks[i].mark > MARK_REFUSED)
			return err_set(e, ERR_PEER, "mark %u of the picture is of no known kind", i);
	return 0;
}

int
picture_make(const struct conf_scan *scan, const struct picture_params *p, int in, int out, struct err *e)
{
	struct image im = { 0 };
	AUTO_SOURCE s;
	int r;

	s = (struct source){ 0 };
	if ((r = picture_check(p, e)) < 0 || (r = source_open(&s, in, e)) < 0)
		return r;
	r = image_read(&im, &s, p->kind, p->page, IMAGE_FOR_PICTURE, scan, e);
	if (r == 0)
		r = make(&im, p, out, e);
	image_done(&im);
	return r;
}

int
picture_run(struct task *t, struct err *e)
{
	const struct scan_state *state = t->role_state;
	struct picture_params params;
	int r;

	if ((r = picture_params_get(&t->params, &params, e)) < 0 ||
	    (r = picture_make(&state->conf->scan, &params, t->in, t->out, e)) < 0)
		return r;
	return task_result(t, NULL, e);
}
