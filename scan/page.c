#include <leptonica/allheaders.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/pagefile.h"

#include "scan/barcode.h"
#include "scan/image.h"
#include "scan/inkmap.h"
#include "scan/ocr.h"
#include "scan/page.h"

/* --- words ------------------------------------------------------------------------------------ */

/* From pixels of the turned image to the reader's page. */
struct mapping {
	struct box box;         /* the image on the page */
	int32_t page_w, page_h;
	double kx, ky;          /* mpt a pixel */
};

static struct mapping
make_mapping(const struct image_view *v, uint32_t pix_w, uint32_t pix_h)
{
	return (struct mapping){ .box = v->box, .page_w = v->page_w, .page_h = v->page_h,
		.kx = (double)(v->box.x1 - v->box.x0) / pix_w, .ky = (double)(v->box.y1 - v->box.y0) / pix_h };
}

static int32_t
within(double v, int32_t least, int32_t most)
{
	return (int32_t)lround(fmin(fmax(v, least), most));
}

/* On the page, with some width and height, or not at all. */
static bool
map_word(const struct mapping *m, const struct ocr_word *from, struct word *to)
{
	to->box.x0 = within(m->box.x0 + from->x0 * m->kx, 0, m->page_w);
	to->box.x1 = within(m->box.x0 + from->x1 * m->kx, 0, m->page_w);
	to->box.y0 = within(m->box.y0 + from->y0 * m->ky, 0, m->page_h);
	to->box.y1 = within(m->box.y0 + from->y1 * m->ky, 0, m->page_h);
	to->base = within(m->box.y0 + from->base * m->ky, 0, m->page_h);
	to->line = (uint16_t)(from->line & UINT16_MAX);
	to->block = (uint16_t)(from->block & UINT16_MAX);
	to->conf = (uint8_t)from->conf;
	to->text = from->text;
	return to->box.x0 < to->box.x1 && to->box.y0 < to->box.y1 && strlen(from->text) <= PAGEFILE_WORD_BYTES &&
	    utf8_valid(from->text, strlen(from->text));
}

/*
 * The models know composed characters only: the text is NFC as it comes.
 * Words of a page with more than a page can hold are noise and left out.
 */
static int
take_words(struct pagefile *pf, const struct ocr_page *p, const struct mapping *m, struct err *e)
{
	pf->blank = p->blank;
	if (p->n == 0)
		return 0;
	if ((pf->words = calloc(p->n, sizeof(*pf->words))) == NULL)
		return err_set(e, ERR_MEM, "words");
	for (uint32_t i = 0; i < p->n && pf->nwords < PAGEFILE_WORDS_MAX; i++)
		if (map_word(m, &p->words[i], &pf->words[pf->nwords]))
			pf->nwords++;
	pf->conf = p->conf;
	pf->skew_udeg = (uint32_t)lround(fabs(p->skew) * 1000);
	return 0;
}

int
page_take_words(struct pagefile *pf, const struct ocr_page *p, int32_t page_w, int32_t page_h, double dpi, struct err *e)
{
	struct mapping m = { .page_w = page_w, .page_h = page_h, .kx = 72000 / dpi, .ky = 72000 / dpi };

	return take_words(pf, p, &m, e);
}

/* --- the image's objects -------------------------------------------------------------------------- */

static void
take_image(struct pagefile *pf, const struct image *im, const struct image_view *v)
{
	pf->estimated = im->dpi_from != DPI_SAID;
	pf->media_w = im->media_w;
	pf->media_h = im->media_h;
	memcpy(pf->matrix, im->matrix, sizeof(pf->matrix));
	pf->dpi_x = (uint32_t)lround(v->dpi_x);
	pf->dpi_y = (uint32_t)lround(v->dpi_y);
	pf->nobjects = im->nobjects;
	for (uint32_t i = 0; i < im->nobjects; i++)
		pf->objects[i] = (struct page_object){ .dict = im->objects[i].dict, .in_source = im->objects[i].in_source,
			.off = im->objects[i].off, .len = im->objects[i].len };
}

static int
write_file(const struct pagefile *pf, const struct image *im, int out, uint64_t *ret_len, struct err *e)
{
	struct pagefile_out *o;
	struct err ignored;
	int r;

	if ((r = pagefile_begin(out, pf, &o, e)) < 0)
		return r;
	for (uint32_t i = 0; r == 0 && i < im->nobjects; i++)
		if (!im->objects[i].in_source)
			r = pagefile_stream(o, im->objects[i].data, im->objects[i].len, e);
	if (r < 0) {
		pagefile_end(o, ret_len, &ignored); /* frees it; the first error counts */
		return r;
	}
	return pagefile_end(o, ret_len, e);
}

/* --- how large the page is ----------------------------------------------------------------------- */

#define HEIGHT_WORDS 8     /* fewer say little */
#define HEIGHT_PT 8.5      /* of a word in common type: what rises and what hangs, half of each */
#define HEIGHT_DOUBT 1.25  /* a first guess this near is as good */

static int
by_height(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Pixels; 0: too few words to say. */
static double
median_height(const struct ocr_page *p)
{
	AUTO_FREE double *h = calloc(p->n + 1, sizeof(*h));
	uint32_t n = 0;

	for (uint32_t i = 0; h != NULL && i < p->n; i++)
		if (strlen(p->words[i].text) >= 3)
			h[n++] = p->words[i].y1 - p->words[i].y0;
	if (n < HEIGHT_WORDS)
		return 0;
	qsort(h, n, sizeof(*h), by_height);
	return h[n / 2];
}

/* Where neither a tag nor a usual paper said how large the page is, its text does: in common type, at a usual resolution. */
static void
size_by_text(struct image *im, const struct image_view *v, const struct ocr_page *p)
{
	const double height = median_height(p), dpi = image_usual_dpi(height * 72 / HEIGHT_PT), k = v->dpi_x / dpi;

	if (im->dpi_from != DPI_BY_SIZE || height <= 0 || fabs(log(k)) < log(HEIGHT_DOUBT))
		return;
	im->media_w = (int32_t)lround(im->media_w * k);
	im->media_h = (int32_t)lround(im->media_h * k);
	for (int i = 0; i < 6; i++)
		im->matrix[i] = (int32_t)lround(im->matrix[i] * k);
}

/* --- the task -------------------------------------------------------------------------------------- */

/* The page turned the right way up; pix is taken over. */
static int
turn_pix(struct image *im, struct image_view *v, PIX *pix, PIX **ret, struct err *e)
{
	int r = image_view(im, v, e);

	*ret = r < 0 ? NULL : image_orient_pix(pix, v->orient);
	pixDestroy(&pix);
	return r == 0 && *ret == NULL ? err_set(e, ERR_MEM, "no memory for the page") : r;
}

/*
 * Recognition, if there is an engine for it: the words, and what turns the page the right way up; then the map
 * of its ink.  codes: NULL where none are wanted.
 */
static int
read_text(struct ocr *engine, struct image *im, struct pagefile *pf, PIX *pix, struct ocr_page *words, struct codes *codes,
    struct err *e)
{
	struct image_view v;
	struct mapping m;
	PIX *upright, *ink;
	uint32_t w, h;
	int r;

	if ((r = turn_pix(im, &v, pix, &upright, e)) < 0)
		return r;
	w = (uint32_t)pixGetWidth(upright);
	h = (uint32_t)pixGetHeight(upright);
	if ((codes != NULL && barcode_read(upright, v.dpi_x, v.dpi_y, codes, e) < 0) ||
	    (ink = inkmap_find(upright, v.dpi_x, v.dpi_y, e)) == NULL) {
		pixDestroy(&upright);
		return -(int)e->code;
	}
	if (engine == NULL) {
		pixDestroy(&upright);
		pf->rotate = im->rotate;
	} else if ((r = ocr_read(engine, upright, v.dpi_x, v.dpi_y, words, e)) == 0) {
		size_by_text(im, &v, words);
		im->rotate = (im->rotate + words->turn) % 360;
		pf->rotate = im->rotate;
		r = image_view(im, &v, e);
	}
	if (r < 0) {
		pixDestroy(&ink);
		return r;
	}
	m = words->turn % 180 != 0 ? make_mapping(&v, h, w) : make_mapping(&v, w, h);
	take_image(pf, im, &v);
	if ((r = inkmap_make(ink, words->turn, &v.box, v.page_w, v.page_h, &pf->ink, e)) < 0)
		return r;
	if ((r = take_words(pf, words, &m, e)) < 0 || codes == NULL)
		return r;
	codes_turn(codes, w, h, words->turn);
	return words->turn % 180 != 0 ? codes_to_page(codes, &v.box, h, w, pf, e) : codes_to_page(codes, &v.box, w, h, pf, e);
}

static int
make_page(const struct scan_state *state, const struct page_params *params, struct image *im, struct source *s, int out,
    struct page_result *ret, struct err *e)
{
	struct pagefile pf = { .page = params->page, .text = params->unread ? PAGE_TEXT_UNREAD : PAGE_TEXT_READ };
	struct ocr_page words = { 0 };
	struct codes codes = { 0 };
	PIX *pix = NULL;
	int r;

	memcpy(pf.key, params->key, HASH_LEN);
	if ((r = image_read(im, s, params->kind, params->page, IMAGE_FOR_TEXT, &state->conf->scan, e)) < 0 ||
	    (r = image_pix(im, false, &pix, e)) < 0)
		return r;
	if ((r = image_encode(im, e)) < 0 || (r = image_pack(im, s, e)) < 0) {
		pixDestroy(&pix);
		return r;
	}
	image_drop_pixels(im);
	r = read_text(params->unread ? NULL : state->ocr, im, &pf, pix, &words, params->codes ? &codes : NULL, e);
	if (r == 0)
		r = write_file(&pf, im, out, &ret->len, e);
	ret->words = pf.nwords;
	ret->rotate = pf.rotate;
	ret->conf = pf.conf;
	ret->blank = pf.blank;
	free(pf.words);
	ink_done(&pf.ink);
	ocr_page_done(&words);
	codes_done(&codes);
	return r;
}

int
page_make(const struct scan_state *state, const struct page_params *params, int in, int out, struct page_result *ret,
    struct err *e)
{
	struct page_result res = { 0 };
	struct image im = { 0 };
	AUTO_SOURCE s;
	int r;

	s = (struct source){ .fd = -1 };
	if (state->ocr == NULL)
		return err_set(e, ERR_CONF, "pages are read by a process that loaded recognition data");
	if ((r = source_open(&s, in, e)) < 0)
		return r;
	s.mark = params->mark;
	r = make_page(state, params, &im, &s, out, &res, e);
	image_done(&im);
	if (r < 0) {
		if (e->page == 0)
			e->page = params->page + 1;
		return r;
	}
	res.mark = s.mark;
	*ret = res;
	return 0;
}

int
page_run(struct task *t, struct err *e)
{
	struct page_params params;
	struct page_result res;
	AUTO_BUF b = { 0 };
	int r;

	if ((r = page_params_get(&t->params, &params, e)) < 0 ||
	    (r = page_make(t->role_state, &params, t->in, t->out, &res, e)) < 0)
		return r;
	buf_init(&b, 64);
	page_result_put(&b, &res);
	return task_result(t, &b, e);
}
