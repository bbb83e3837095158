#include <leptonica/allheaders.h>
#include <math.h>
#include <poppler.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/path.h"

#include "scan/foreign.h"

#define WORD_GAP 0.3    /* of a character's larger side: wider is between words */
#define SIZE_SLACK 1000 /* mpt that two readers may differ by: rounding */

struct foreign {
	GBytes *bytes;
	PopplerDocument *doc;
	PopplerPage *page;
	double points_w, points_h; /* as poppler counts them: turned, without UserUnit */
	int64_t w, h;              /* mpt */
};

/* --- what poppler complains about ---------------------------------------------------------------- */

/* Of the document at hand; a child has one. */
static char missing_font[80];

/* poppler goes on without the glyphs, and says so nowhere but here. */
static void
on_log(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer ctx)
{
	static const char said[] = "Couldn't find a font for '";
	const char *at = message == NULL ? NULL : strstr(message, said);

	(void)domain;
	(void)level;
	(void)ctx;
	if (at == NULL || missing_font[0] != '\0')
		return;
	at += sizeof(said) - 1;
	snprintf(missing_font, sizeof(missing_font), "%.*s", (int)strcspn(at, "'"), at);
	for (char *c = missing_font; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (missing_font[0] == '\0')
		strcpy(missing_font, "?");
}

static int
check_fonts(struct err *e)
{
	return missing_font[0] == '\0' ? 0 :
	    err_set(e, ERR_FONT, "font '%s' is neither in the PDF nor on this host", missing_font);
}

/* --- opening --------------------------------------------------------------------------------------- */

static int
open_page(struct foreign *f, const void *data, size_t len, uint32_t page, struct err *e)
{
	GError *why = NULL;

	if (len > INT32_MAX) /* poppler keeps the length of what lies in memory in an int */
		return err_set(e, ERR_DOC_SIZE, "a PDF of %zu bytes can not be drawn", len);
	f->bytes = g_bytes_new_static(data, len);
	if ((f->doc = poppler_document_new_from_bytes(f->bytes, NULL, &why)) == NULL) {
		err_set(e, ERR_DOC_BAD, "the PDF can not be drawn: %s", why->message);
		g_error_free(why);
		return -ERR_DOC_BAD;
	}
	if (page >= (uint32_t)poppler_document_get_n_pages(f->doc) ||
	    (f->page = poppler_document_get_page(f->doc, (int)page)) == NULL)
		return err_set(e, ERR_DOC_BAD, "page %u of the PDF can not be drawn", page + 1);
	poppler_page_get_size(f->page, &f->points_w, &f->points_h);
	return 0;
}

int
foreign_open(struct foreign **ret, const struct source *s, uint32_t page, const struct view *view, struct err *e)
{
	struct foreign *f = calloc(1, sizeof(*f));
	double unit = view->unit;
	int r;

	if (f == NULL)
		return err_set(e, ERR_MEM, "page of the PDF");
	view_size(view, &f->w, &f->h);
	if ((r = open_page(f, s->map, (size_t)s->size, page, e)) == 0 &&
	    (fabs(f->points_w * unit - (double)f->w) > SIZE_SLACK || fabs(f->points_h * unit - (double)f->h) > SIZE_SLACK))
		r = err_set(e, ERR_DOC_FOREIGN, "page %u has %.4g x %.4g points for one reader and %.4g x %.4g for another",
		    page + 1, f->points_w * unit / 1000, f->points_h * unit / 1000, (double)f->w / 1000, (double)f->h / 1000);
	if (r < 0)
		foreign_close(f);
	else
		*ret = f;
	return r;
}

void
foreign_close(struct foreign *f)
{
	if (f == NULL)
		return;
	g_clear_object(&f->page);
	g_clear_object(&f->doc);
	g_clear_pointer(&f->bytes, g_bytes_unref);
	free(f);
}

/* --- words ----------------------------------------------------------------------------------------- */

/* Words as they come; texts one behind the other, of at most the bytes of the page's text. */
struct taking {
	const struct foreign *f;
	struct word *words;
	uint32_t n;
	char *text, *end; /* of the word at hand; where the next byte goes */
	struct box box, last; /* of the word so far, of its last character */
	uint32_t line;
};

static int32_t
within(double v, int64_t most)
{
	return (int32_t)lround(fmin(fmax(v, 0), (double)most));
}

/* What of it the page shows: a word beyond its edge is none. */
static void
end_word(struct taking *t)
{
	struct word *w = &t->words[t->n];

	if (t->end == t->text)
		return;
	*t->end++ = '\0';
	if (t->n < PAGEFILE_WORDS_MAX && t->box.x0 < t->box.x1 && t->box.y0 < t->box.y1) {
		*w = (struct word){ .box = t->box, .line = (uint16_t)(t->line & UINT16_MAX), .conf = 100, .text = t->text };
		w->base = w->box.y1 - (w->box.y1 - w->box.y0) / 5; /* about where descenders begin */
		t->n++;
		t->text = t->end;
	}
	t->end = t->text;
}

/* poppler puts no space between the cells of a table; within a word no gap is wider than a tenth of the type. */
static bool
is_apart(const struct box *a, const struct box *b)
{
	const int32_t dx = MAX(b->x0 - a->x1, a->x0 - b->x1), dy = MAX(b->y0 - a->y1, a->y0 - b->y1);

	return MAX(dx, dy) > WORD_GAP * MAX(MAX(a->y1 - a->y0, a->x1 - a->x0), MAX(b->y1 - b->y0, b->x1 - b->x0));
}

static void
add_character(struct taking *t, gunichar c, const PopplerRectangle *r)
{
	const struct foreign *f = t->f;
	double kx = (double)f->w / f->points_w, ky = (double)f->h / f->points_h;
	struct box b = { within(fmin(r->x1, r->x2) * kx, f->w), within(fmin(r->y1, r->y2) * ky, f->h),
		within(fmax(r->x1, r->x2) * kx, f->w), within(fmax(r->y1, r->y2) * ky, f->h) };

	if (t->end - t->text > PAGEFILE_WORD_BYTES - 6 || (t->end != t->text && is_apart(&t->last, &b)))
		end_word(t);
	t->last = b;
	if (t->end == t->text)
		t->box = b;
	t->box.x0 = MIN(t->box.x0, b.x0);
	t->box.y0 = MIN(t->box.y0, b.y0);
	t->box.x1 = MAX(t->box.x1, b.x1);
	t->box.y1 = MAX(t->box.y1, b.y1);
	t->end += g_unichar_to_utf8(c, t->end);
}

static bool
take_characters(struct taking *t, const char *text, const PopplerRectangle *r, guint n)
{
	const char *end = text + strlen(text);
	guint i = 0;

	for (const char *p = text; p < end; i++) {
		uint32_t c = utf8_next(&p, end);

		if (i >= n)
			return false;
		if (g_unichar_isspace(c) || g_unichar_iscntrl(c))
			end_word(t);
		else
			add_character(t, c, &r[i]);
		t->line += c == '\n';
	}
	end_word(t);
	return true;
}

int
foreign_words(struct foreign *f, struct pagefile *pf, struct err *e)
{
	char *text = poppler_page_get_text(f->page), *texts = NULL;
	PopplerRectangle *rects = NULL;
	struct taking t = { .f = f };
	guint n = 0;
	size_t len;
	int r = 0;

	if (text != NULL && *text != '\0' && poppler_page_get_text_layout(f->page, &rects, &n)) {
		/* each word has a byte of its own at least; each byte may become U+FFFD with an end behind it */
		len = strlen(text);
		t.words = malloc((len + 2) * sizeof(*t.words));
		texts = malloc(4 * len + 16);
		if (t.words == NULL || texts == NULL) {
			r = err_set(e, ERR_MEM, "words of the PDF");
		} else {
			t.text = t.end = texts;
			if (!take_characters(&t, text, rects, n))
				r = err_set(e, ERR_DOC_FOREIGN, "the text of the page and its places do not match");
		}
	}
	g_free(rects);
	g_free(text);
	if (r < 0) {
		free(t.words);
		free(texts);
		return r;
	}
	pf->words = t.words;
	pf->arena = texts;
	pf->nwords = t.n;
	pf->conf = t.n > 0 ? 100 : 0;
	return 0;
}

/* --- pixels ------------------------------------------------------------------------------------------ */

/* A cairo row is 0x00RRGGBB a pixel in host order; leptonica wants 0xRRGGBB00, or grey. */
static void
take_row(const uint32_t *src, uint32_t *dst, int w, bool colour)
{
	for (int x = 0; x < w; x++) {
		uint32_t v = src[x];

		if (colour)
			dst[x] = v << 8;
		else
			SET_DATA_BYTE(dst, x, (l_uint8)((77 * (v >> 16 & 255) + 150 * (v >> 8 & 255) + 29 * (v & 255)) >> 8));
	}
}

static PIX *
to_pix(cairo_surface_t *s, int w, int h, bool colour)
{
	PIX *pix = pixCreateNoInit(w, h, colour ? 32 : 8);

	if (pix == NULL)
		return NULL;
	cairo_surface_flush(s);
	for (int y = 0; y < h; y++)
		take_row((const uint32_t *)(const void *)(cairo_image_surface_get_data(s) +
		             (size_t)y * (size_t)cairo_image_surface_get_stride(s)),
		    pixGetData(pix) + (size_t)y * (size_t)pixGetWpl(pix), w, colour);
	return pix;
}

static bool
draw(PopplerPage *page, cairo_surface_t *s, double kx, double ky)
{
	cairo_t *c = cairo_create(s);
	bool good;

	cairo_set_source_rgb(c, 1, 1, 1);
	cairo_paint(c);
	cairo_scale(c, kx, ky);
	poppler_page_render(page, c);
	good = cairo_status(c) == CAIRO_STATUS_SUCCESS;
	cairo_destroy(c);
	return good;
}

int
foreign_pix(struct foreign *f, double dpi, uint64_t max_pixels, bool colour, struct Pix **ret, struct err *e)
{
	double inches = (double)f->w / 72000 * ((double)f->h / 72000);
	double k = fmin(dpi, sqrt((double)max_pixels / inches)) / 72000;
	int w = (int)fmax(round((double)f->w * k), 1), h = (int)fmax(round((double)f->h * k), 1);
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, w, h);
	PIX *pix = NULL;
	bool good = cairo_surface_status(s) == CAIRO_STATUS_SUCCESS && draw(f->page, s, w / f->points_w, h / f->points_h);
	int r;

	if (good && (r = check_fonts(e)) == 0)
		pix = to_pix(s, w, h, colour);
	cairo_surface_destroy(s);
	if (!good || (r == 0 && pix == NULL))
		return err_set(e, ERR_MEM, "no memory to draw %d x %d pixels", w, h);
	*ret = pix;
	return r;
}

/* --- before confinement ------------------------------------------------------------------------------- */

/* A page that shows one letter of a font which is not in it. */
static const char sample[] = "%PDF-1.4\n"
    "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    "2 0 obj<</Type/Pages/Count 1/Kids[3 0 R]>>endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 20 20]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    "4 0 obj<</Length 34>>stream\nBT /F 10 Tf 5 5 Td (Seal) Tj ET    \nendstream endobj\n"
    "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
    "trailer<</Root 1 0 R/Size 6>>\n%%EOF\n";

/*
 * Drawing it reads the list of fonts and of character maps.  The document stays
 * open, because poppler forgets them with the last one.
 */
int
foreign_warm(struct err *e)
{
	static struct foreign kept;
	cairo_surface_t *s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 20, 20);
	int r;

	g_log_set_default_handler(on_log, NULL);
	if ((r = open_page(&kept, sample, sizeof(sample) - 1, 0, e)) == 0 && !draw(kept.page, s, 1, 1))
		r = err_set(e, ERR_MEM, "fonts");
	cairo_surface_destroy(s);
	missing_font[0] = '\0'; /* a host without fonts reads scans all the same */
	return r;
}
