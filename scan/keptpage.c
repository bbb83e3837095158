#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>

#include "rules/pagefile.h"

#include "scan/barcode.h"
#include "scan/foreign.h"
#include "scan/inkmap.h"
#include "scan/keptpage.h"
#include "scan/ocr.h"
#include "scan/page.h"
#include "scan/picture.h"
#include "scan/revision.h"

#define READ_DPI 300.0
#define INK_DPI 150.0
#define READ_PIXELS 40000000u /* A2 at 300 dpi; more is drawn with fewer dots */

struct drawing {
	struct source s;
	struct foreign *f;
	struct view view;
	bool want_codes;
	struct codes codes;
	uint32_t w, h; /* of the image they were found in */
};

static int
drawing_open(struct drawing *k, int in, uint32_t page, struct err *e)
{
	struct revision rev;
	struct revision_page p;
	int r;

	if ((r = source_open(&k->s, in, e)) < 0 || (r = source_map(&k->s, e)) < 0)
		return r;
	if ((r = revision_open(&rev, in, e)) == 0 && (r = revision_page(&rev, page, &p, e)) == 0)
		k->view = p.view;
	revision_done(&rev);
	return r < 0 ? r : foreign_open(&k->f, &k->s, page, &k->view, e);
}

static void
drawing_done(struct drawing *k)
{
	codes_done(&k->codes);
	foreign_close(k->f);
	source_done(&k->s);
}

/* --- words ------------------------------------------------------------------------------------- */

/* Recognised on the page turned by p->turn; boxes go back to the page as it is shown. */
static void
turn_back(struct pagefile *pf, uint32_t turn)
{
	int32_t w, h;

	for (uint32_t i = 0; i < pf->nwords; i++) {
		pagefile_view(pf, &w, &h);
		if (turn % 180 != 0) {
			int32_t t = w;

			w = h;
			h = t;
		}
		view_turn_box(&pf->words[i].box, &w, &h, 360 - turn);
		pf->words[i].base = pf->words[i].box.y1;
	}
}

/* The page drawn, grey, with its codes and the ink on it, for the rules. */
static int
draw_page(struct drawing *k, struct pagefile *pf, double dpi, PIX **ret, struct err *e)
{
	struct box all = { 0 };
	PIX *pix, *ink;
	int r;

	if ((r = foreign_pix(k->f, dpi, READ_PIXELS, false, &pix, e)) < 0)
		return r;
	pagefile_view(pf, &all.x1, &all.y1);
	pf->dpi_x = pf->dpi_y = (uint32_t)(pixGetWidth(pix) * 72000.0 / all.x1);
	k->w = (uint32_t)pixGetWidth(pix);
	k->h = (uint32_t)pixGetHeight(pix);
	if ((k->want_codes && barcode_read(pix, pf->dpi_x, pf->dpi_y, &k->codes, e) < 0) ||
	    (ink = inkmap_find(pix, pf->dpi_x, pf->dpi_y, e)) == NULL)
		r = -(int)e->code;
	else
		r = inkmap_make(ink, 0, &all, all.x1, all.y1, &pf->ink, e);
	if (r < 0)
		pixDestroy(&pix);
	else
		*ret = pix;
	return r;
}

static int
read_drawn(const struct scan_state *state, struct drawing *k, struct pagefile *pf, struct ocr_page *words, struct err *e)
{
	PIX *pix;
	double dpi;
	int32_t w, h;
	int r;

	if ((r = draw_page(k, pf, READ_DPI, &pix, e)) < 0)
		return r;
	pagefile_view(pf, &w, &h);
	dpi = pixGetWidth(pix) * 72000.0 / w;
	if ((r = ocr_read(state->ocr, pix, dpi, dpi, words, e)) < 0)
		return r;
	pf->turn = words->turn;
	if (words->turn % 180 != 0) {
		int32_t t = w;

		w = h;
		h = t;
	}
	if ((r = page_take_words(pf, words, w, h, dpi, e)) == 0 && words->turn != 0)
		turn_back(pf, words->turn);
	pf->blank = 0;
	return r;
}

/* The page's own words; it is drawn only to see where nothing stands. */
static int
take_given(struct drawing *k, struct pagefile *pf, struct err *e)
{
	PIX *pix;
	int r = draw_page(k, pf, k->want_codes ? READ_DPI : INK_DPI, &pix, e);

	if (r == 0)
		pixDestroy(&pix);
	return r;
}

static int
put_codes(const struct drawing *k, struct pagefile *pf, struct err *e)
{
	struct box all = { 0 };

	pagefile_view(pf, &all.x1, &all.y1);
	return codes_to_page(&k->codes, &all, k->w, k->h, pf, e);
}

static int
write_result(const struct pagefile *pf, int out, struct page_result *ret, struct err *e)
{
	struct pagefile_out *o;
	int r;

	if ((r = pagefile_begin(out, pf, &o, e)) < 0)
		return r;
	ret->words = pf->nwords;
	ret->rotate = pf->rotate;
	ret->conf = pf->conf; /* and never blank: no page of these can be left out */
	return pagefile_end(o, &ret->len, e);
}

static int
make(const struct scan_state *state, const struct page_params *params, struct drawing *k, int out, struct page_result *ret,
    struct err *e)
{
	struct pagefile pf = { .page = params->page, .rotate = k->view.rotate };
	struct ocr_page words = { 0 };
	int64_t w, h;
	int r;

	memcpy(pf.key, params->key, HASH_LEN);
	view_size(&(struct view){ k->view.x0, k->view.y0, k->view.x1, k->view.y1, 0, k->view.unit }, &w, &h);
	if (w <= 0 || h <= 0 || w > PAGEFILE_SIDE_MAX || h > PAGEFILE_SIDE_MAX)
		return err_set(e, ERR_DOC_RESOLUTION, "the page is %lld x %lld points large", (long long)w / 1000,
		    (long long)h / 1000);
	pf.media_w = (int32_t)w;
	pf.media_h = (int32_t)h;
	if ((r = foreign_words(k->f, &pf, e)) == 0 && (pf.nwords > 0 || params->unread)) {
		pf.text = pf.nwords > 0 ? PAGE_TEXT_GIVEN : PAGE_TEXT_UNREAD;
		r = take_given(k, &pf, e);
	} else if (r == 0) {
		free(pf.words);
		free(pf.arena);
		pf.words = pf.arena = NULL;
		pf.text = PAGE_TEXT_READ;
		r = read_drawn(state, k, &pf, &words, e);
	}
	if (r == 0)
		r = put_codes(k, &pf, e);
	if (r == 0)
		r = write_result(&pf, out, ret, e);
	free(pf.words);
	free(pf.arena);
	ink_done(&pf.ink);
	ocr_page_done(&words);
	return r;
}

int
keptpage_make(const struct scan_state *state, const struct page_params *params, int in, int out, struct page_result *ret,
    struct err *e)
{
	struct drawing k = { .s = { .fd = -1 }, .want_codes = params->codes != 0 };
	struct page_result res = { 0 };
	int r;

	if (params->kind != DOC_PDF_KEPT)
		return err_set(e, ERR_PEER, "only a PDF keeps its bytes");
	if (state->ocr == NULL)
		return err_set(e, ERR_CONF, "pages are read by a process that loaded recognition data");
	if ((r = drawing_open(&k, in, params->page, e)) == 0)
		r = make(state, params, &k, out, &res, e);
	drawing_done(&k);
	if (r == 0)
		*ret = res;
	else if (e->page == 0)
		e->page = params->page + 1;
	return r;
}

int
keptpage_run(struct task *t, struct err *e)
{
	struct page_params params;
	struct page_result res;
	AUTO_BUF b = { 0 };
	int r;

	if ((r = page_params_get(&t->params, &params, e)) < 0 ||
	    (r = keptpage_make(t->role_state, &params, t->in, t->out, &res, e)) < 0)
		return r;
	buf_init(&b, 64);
	page_result_put(&b, &res);
	return task_result(t, &b, e);
}

/* --- a picture ----------------------------------------------------------------------------------- */

int
keptpage_picture(const struct picture_params *p, int in, int out, struct err *e)
{
	struct drawing k = { .s = { .fd = -1 } };
	PIX *pix = NULL;
	int r;

	if ((r = picture_check(p, e)) < 0)
		return r;
	if ((r = drawing_open(&k, in, p->page, e)) == 0 &&
	    (r = foreign_pix(k.f, PICTURE_DPI, PICTURE_PIXELS, true, &pix, e)) == 0)
		r = picture_finish(pix, p, out, e);
	drawing_done(&k);
	return r;
}

int
keptpicture_run(struct task *t, struct err *e)
{
	struct picture_params params;
	int r;

	if ((r = picture_params_get(&t->params, &params, e)) < 0 || (r = keptpage_picture(&params, t->in, t->out, e)) < 0)
		return r;
	return task_result(t, NULL, e);
}
