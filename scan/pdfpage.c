#include <math.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/keepable.h"
#include "scan/pdfcontent.h"
#include "scan/pdfin.h"
#include "scan/pdfimage.h"
#include "scan/pdfpage.h"
#include "scan/permits.h"

#define CONTENT_BYTES_MAX ((size_t)4 << 20)
#define CONTENT_PARTS_MAX 256
#define CLIP_SLACK 1.0 /* points a clip may cut off the image */

bool
pdf_magic(const uint8_t *head, size_t len)
{
	return len > 1 && memcmp(head, "%PDF-", len < 5 ? len : 5) == 0;
}

/* --- what a page shows --------------------------------------------------------------------------- */

struct resources {
	struct pdfin *p;
	qpdf_oh dict;
};

/* An ExtGState whose keys can not change what an opaque image looks like. */
static bool
state_plain(struct pdfin *p, qpdf_oh gs)
{
	static const char *const keys[] = { "/Type", "/LW", "/LC", "/LJ", "/ML", "/D", "/RI", "/OP", "/op", "/OPM", "/FL", "/SM",
		"/SA", "/AIS", "/TK" };
	bool plain = qpdf_oh_is_dictionary(p->q, gs) != QPDF_FALSE;

	if (!plain)
		return false;
	qpdf_oh_begin_dict_key_iter(p->q, gs);
	while (qpdf_oh_dict_more_keys(p->q)) {
		const char *key = qpdf_oh_dict_next_key(p->q);
		bool known = false;

		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			known = known || strcmp(key, keys[i]) == 0;
		plain = plain && known;
	}
	return plain;
}

static bool
on_ask(void *ctx, enum content_ask ask, const char *name)
{
	static const char *const kinds[] = { [CONTENT_IMAGE] = "/XObject", [CONTENT_STATE] = "/ExtGState",
		[CONTENT_FONT] = "/Font" };
	struct resources *res = ctx;
	qpdf_oh all, oh;

	if (name[0] != '/')
		return false;
	all = pdfin_key(res->p, res->dict, kinds[ask]);
	oh = pdfin_key(res->p, all, name);
	switch (ask) {
	case CONTENT_IMAGE:
		return qpdf_oh_is_stream(res->p->q, oh) && pdfin_is(res->p, pdfin_key(res->p, oh, "/Subtype"), "/Image");
	case CONTENT_STATE:
		return state_plain(res->p, oh);
	default:
		return qpdf_oh_is_dictionary(res->p->q, oh) && !pdfin_is(res->p, pdfin_key(res->p, oh, "/Subtype"), "/Type3");
	}
}

/* All content streams of the page as one, parted by white space (ISO 32000-1, 7.8.2). */
static int
page_content(struct pdfin *p, qpdf_oh page, struct buf *b, struct err *e)
{
	qpdf_oh contents = pdfin_key(p, page, "/Contents");
	bool many = qpdf_oh_is_array(p->q, contents) != QPDF_FALSE;
	int n = many ? pdfin_items(p, contents) : 1, r;

	if (n > CONTENT_PARTS_MAX)
		return err_set(e, ERR_DOC_FOREIGN, "the page has %d content streams", n);
	for (int i = 0; i < n; i++) {
		qpdf_oh part = many ? qpdf_oh_get_array_item(p->q, contents, i) : contents;
		AUTO_FREE uint8_t *data = NULL;
		size_t len;

		if ((r = pdfin_stream(p, part, CONTENT_BYTES_MAX, &data, &len, e)) < 0)
			return r;
		buf_put(b, data, len);
		buf_put_u8(b, '\n');
	}
	if (b->starved)
		return err_set(e, ERR_MEM, "the content of the page");
	return buf_ok(b) ? 0 : err_set(e, ERR_DOC_FOREIGN, "the content of the page is too long");
}

/* --- where the image stands ------------------------------------------------------------------------- */

/* A box with its corners put in order; false: none, or not a box. */
static bool
read_box(struct pdfin *p, qpdf_oh page, const char *key, double b[4])
{
	double v[4];

	if (!pdfin_numbers(p, pdfin_inherited(p, page, key), v, 4))
		return false;
	b[0] = fmin(v[0], v[2]);
	b[1] = fmin(v[1], v[3]);
	b[2] = fmax(v[0], v[2]);
	b[3] = fmax(v[1], v[3]);
	return true;
}

/* The visible page: CropBox within MediaBox (ISO 32000-1, 14.11.2). */
static int
visible_box(struct pdfin *p, qpdf_oh page, double b[4], struct err *e)
{
	double crop[4];

	if (!read_box(p, page, "/MediaBox", b))
		return err_set(e, ERR_DOC_BAD, "a page has no size");
	if (read_box(p, page, "/CropBox", crop)) {
		b[0] = fmax(b[0], crop[0]);
		b[1] = fmax(b[1], crop[1]);
		b[2] = fmin(b[2], crop[2]);
		b[3] = fmin(b[3], crop[3]);
	}
	return 0;
}

static int
check_clip(const struct content *c, const double page[4], struct err *e)
{
	const double *m = c->matrix;
	double box[4] = { m[4] + fmin(0, m[0]) + fmin(0, m[2]), m[5] + fmin(0, m[1]) + fmin(0, m[3]),
		m[4] + fmax(0, m[0]) + fmax(0, m[2]), m[5] + fmax(0, m[1]) + fmax(0, m[3]) };

	for (int i = 0; i < 2; i++)
		if (c->clip[i] > fmax(box[i], page[i]) + CLIP_SLACK || c->clip[i + 2] < fmin(box[i + 2], page[i + 2]) - CLIP_SLACK)
			return err_set(e, ERR_DOC_FOREIGN, "the page shows only a part of its image");
	return 0;
}

/* The page: its visible box in user space, the unit of that, and how it is turned. */
struct frame {
	double box[4], unit;
	uint32_t rotate;
	int32_t w, h; /* mpt, not turned */
};

static int
read_frame(struct frame *f, struct pdfin *p, qpdf_oh page, struct err *e)
{
	long long rotate = 0;
	qpdf_oh oh = pdfin_key(p, page, "/UserUnit");
	double w, h;
	int r;

	f->unit = 1;
	if ((r = visible_box(p, page, f->box, e)) < 0)
		return r;
	if (!qpdf_oh_is_null(p->q, oh) &&
	    (!qpdf_oh_get_value_as_number(p->q, oh, &f->unit) || !(f->unit >= 0.1 && f->unit <= 100)))
		return err_set(e, ERR_DOC_BAD, "a page has no usable unit");
	oh = pdfin_inherited(p, page, "/Rotate");
	if (!qpdf_oh_is_null(p->q, oh) && (!qpdf_oh_get_value_as_longlong(p->q, oh, &rotate) || rotate % 90 != 0))
		return err_set(e, ERR_DOC_BAD, "a page is turned by something else than quarters");
	w = (f->box[2] - f->box[0]) * f->unit;
	h = (f->box[3] - f->box[1]) * f->unit;
	if (!(w >= 3 && w <= 14400 && h >= 3 && h <= 14400))
		return err_set(e, ERR_DOC_BAD, "a page is %.4g x %.4g points large", w, h);
	f->w = (int32_t)lround(w * 1000);
	f->h = (int32_t)lround(h * 1000);
	f->rotate = (uint32_t)((rotate % 360 + 360) % 360);
	return 0;
}

int
pdf_page_size(struct pdfin *p, qpdf_oh page, int32_t *ret_w, int32_t *ret_h, struct err *e)
{
	struct frame f;
	int r = read_frame(&f, p, page, e);

	if (r < 0)
		return r;
	*ret_w = f.rotate % 180 == 0 ? f.w : f.h;
	*ret_h = f.rotate % 180 == 0 ? f.h : f.w;
	return 0;
}

/* Places the image on a page whose visible box begins at 0 0. */
static int
place(struct image *im, const struct frame *f, const struct content *c, struct err *e)
{
	im->media_w = f->w;
	im->media_h = f->h;
	im->rotate = f->rotate;
	for (int i = 0; i < 6; i++) {
		double v = (c->matrix[i] - (i == 4 ? f->box[0] : i == 5 ? f->box[1] : 0)) * f->unit * 1000;

		if (!(fabs(v) <= 1e9))
			return err_set(e, ERR_DOC_BAD, "an image is drawn beyond all measure");
		im->matrix[i] = (int32_t)lround(v);
	}
	return 0;
}

static int
check_scale(const struct image *im, struct err *e)
{
	struct image_view v;
	int r;

	if ((r = image_view(im, &v, e)) < 0)
		return r;
	if (v.dpi_x < IMAGE_DPI_MIN || v.dpi_y < IMAGE_DPI_MIN || v.dpi_x > IMAGE_DPI_MAX || v.dpi_y > IMAGE_DPI_MAX)
		return err_set(e, ERR_DOC_RESOLUTION, "an image is drawn with %.4g x %.4g dots per inch; %d to %d are possible",
		    v.dpi_x, v.dpi_y, IMAGE_DPI_MIN, IMAGE_DPI_MAX);
	return 0;
}

/* All of one page but the pixels. */
static int
describe_page(struct pdfin *p, qpdf_oh page, uint32_t index, const struct conf_scan *scan, struct image *im,
    struct pdf_image *d, struct err *e)
{
	struct resources res = { .p = p, .dict = pdfin_inherited(p, page, "/Resources") };
	struct content c;
	struct frame f;
	AUTO_BUF b;
	int r;

	buf_init(&b, CONTENT_BYTES_MAX);
	if ((r = read_frame(&f, p, page, e)) < 0 || (r = page_content(p, page, &b, e)) < 0 ||
	    (r = content_read(&c, b.data, b.len, on_ask, &res, e)) < 0 || (r = check_clip(&c, f.box, e)) < 0 ||
	    (r = pdfimage_describe(d, p, pdfin_key(p, pdfin_key(p, res.dict, "/XObject"), c.image), e)) < 0 ||
	    (r = image_check_size(d->w, d->h, scan, index, e)) < 0 || (r = place(im, &f, &c, e)) < 0)
		return r;
	im->r.w = d->w;
	im->r.h = d->h;
	return check_scale(im, e);
}

/* --- the whole document --------------------------------------------------------------------------------- */

struct look {
	const struct conf_scan *scan;
	struct inspect_result *ret;
};

static int
look_at_page(struct pdfin *p, const struct look *l, uint32_t index, qpdf_oh page, struct err *e)
{
	struct pdf_image d;
	struct image im = { 0 };
	int r;

	if (pdfin_items(p, pdfin_key(p, page, "/Annots")) > 0)
		return err_set(e, ERR_DOC_FOREIGN, "page %u has annotations or form fields", index + 1);
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, page, "/AA")))
		return err_set(e, ERR_DOC_FOREIGN, "page %u has actions", index + 1);
	if ((r = describe_page(p, page, index, l->scan, &im, &d, e)) == 0)
		image_measure(l->ret, d.w, d.h);
	return r;
}

static int
on_page(void *ctx, struct pdfin *p, uint32_t index, qpdf_oh page, struct err *e)
{
	qpdf_oh mark = pdfin_mark(p);
	int r = look_at_page(p, ctx, index, page, e);

	pdfin_release_since(p, mark);
	return r;
}

/* Content a reader could find outside of the pages: not ours to drop without a word. */
static int
check_catalog(struct pdfin *p, struct err *e)
{
	static const char *const keys[][2] = { { "/AA", "actions" }, { "/AF", "attachments" }, { "/Collection", "attachments" },
		{ "/OCProperties", "optional content" } };
	qpdf_oh root = qpdf_get_root(p->q), names = pdfin_key(p, root, "/Names");
	qpdf_oh open = pdfin_key(p, root, "/OpenAction"), action = pdfin_key(p, open, "/S");

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!qpdf_oh_is_null(p->q, pdfin_key(p, root, keys[i][0])))
			return err_set(e, ERR_DOC_FOREIGN, "the PDF has %s", keys[i][1]);
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, names, "/EmbeddedFiles")))
		return err_set(e, ERR_DOC_FOREIGN, "the PDF has attachments");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, names, "/JavaScript")) ||
	    (!qpdf_oh_is_null(p->q, action) && !pdfin_is(p, action, "/GoTo")) || !qpdf_oh_is_null(p->q, pdfin_key(p, open, "/Next")))
		return err_set(e, ERR_DOC_FOREIGN, "the PDF runs something when it is opened");
	if (pdfin_items(p, pdfin_key(p, pdfin_key(p, root, "/AcroForm"), "/Fields")) > 0 ||
	    !qpdf_oh_is_null(p->q, pdfin_key(p, pdfin_key(p, root, "/AcroForm"), "/XFA")))
		return err_set(e, ERR_DOC_FOREIGN, "the PDF is a form");
	return 0;
}

/* In brief: a document of many pages that says of itself, and shows on its first, that it was scanned. */
static bool
is_long_scan(struct pdfin *p, const struct look *l, uint32_t above)
{
	int64_t pages = pdfin_int(p, pdfin_key(p, qpdf_get_root(p->q), "/Pages"), "/Count", 0);
	struct err unsaid = { 0 };
	qpdf_oh first;

	if (above == 0 || pages <= (int64_t)above || pages > (int64_t)l->scan->max_pages || check_catalog(p, &unsaid) < 0 ||
	    pdfin_page(p, 0, &first, &unsaid) < 0 || look_at_page(p, l, 0, first, &unsaid) < 0)
		return false;
	l->ret->kind = DOC_PDF;
	l->ret->pages = (uint32_t)pages;
	l->ret->brief = 1;
	return true;
}

/* Scanned, or else one that can keep its bytes; what is signed must. */
static int
inspect(struct pdfin *p, struct source *s, const struct conf_scan *scan, uint32_t brief_above, struct inspect_result *ret,
    struct err *e)
{
	struct look l = { scan, ret };
	int r;

	if ((r = pdfin_open(p, s, e)) < 0 || (r = pdfin_clean(p, e)) < 0)
		return r;
	if (is_long_scan(p, &l, brief_above))
		return 0;
	if ((r = permits_check(p, scan->max_pages, ret, e)) < 0)
		return r;
	if (ret->sigs > 0) {
		ret->kind = DOC_PDF_KEPT;
		return keepable_check(p, s, scan, ret, e);
	}
	ret->kind = DOC_PDF;
	if ((r = check_catalog(p, e)) == 0)
		r = pdfin_pages(p, scan->max_pages, on_page, &l, &ret->pages, e);
	if (r == -ERR_DOC_FOREIGN) {
		*e = (struct err){ 0 };
		ret->kind = DOC_PDF_KEPT;
		ret->pixels = 0;
		r = keepable_check(p, s, scan, ret, e);
	}
	return r;
}

int
pdf_inspect(struct source *s, const struct conf_scan *scan, uint32_t brief_above, struct inspect_result *ret, struct err *e)
{
	struct err damage = { 0 };
	struct pdfin p;
	int r = inspect(&p, s, scan, brief_above, ret, e);

	/* damage explains what looks odd */
	if ((r == 0 || r == -ERR_DOC_FOREIGN || r == -ERR_DOC_ACTIVE) && pdfin_clean(&p, &damage) < 0) {
		damage.page = e->page;
		*e = damage;
		r = -(int)damage.code;
	}
	pdfin_done(&p);
	return r;
}

int
pdf_read(struct image *im, struct source *s, uint32_t page, enum image_want want, const struct conf_scan *scan,
    struct err *e)
{
	struct pdf_image d;
	struct pdfin p;
	qpdf_oh oh;
	int r;

	if ((r = pdfin_open(&p, s, e)) == 0 && (r = pdfin_page(&p, page, &oh, e)) == 0 &&
	    (r = describe_page(&p, oh, page, scan, im, &d, e)) == 0)
		r = pdfimage_load(im, &d, &p, want, page, scan, e);
	pdfin_done(&p);
	if (r < 0 && e->page == 0)
		e->page = page + 1;
	return r;
}
