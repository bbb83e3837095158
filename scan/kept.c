#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/kept.h"
#include "scan/pdfwrite.h"
#include "scan/revision.h"
#include "scan/textlayer.h"
#include "scan/view.h"

#define CONTENT_MAX ((size_t)64 * 1024 * 1024)
#define PARTS_MAX 4096
#define FONT_NAMES 1000

struct kept {
	struct revision rev;
	struct pdf *pdf;
	struct textlayer *text;
	bool used;
};

int
kept_open(struct kept **ret, int source, int out, struct err *e)
{
	struct kept *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL)
		return err_set(e, ERR_MEM, "update to the PDF");
	if ((r = revision_open(&k->rev, source, e)) < 0 ||
	    (r = pdf_open(&k->pdf, out, k->rev.section, &k->rev.before, NULL, e)) < 0 ||
	    (r = textlayer_new(&k->text, e)) < 0)
		kept_free(k);
	else
		*ret = k;
	return r;
}

void
kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	textlayer_free(k->text);
	pdf_free(k->pdf);
	revision_done(&k->rev);
	free(k);
}

/* --- a page ------------------------------------------------------------------------------------ */

/* A name that no font of the page has. */
static int
font_name(struct kept *k, qpdf_oh fonts, char name[32], struct err *e)
{
	for (int i = 0; i < FONT_NAMES; i++) {
		snprintf(name, 32, "/SealroomText%d", i);
		if (!qpdf_oh_is_dictionary(k->rev.q, fonts) || !qpdf_oh_has_key(k->rev.q, fonts, name))
			return 0;
	}
	return err_set(e, ERR_DOC_FOREIGN, "the page has all names of fonts in use");
}

static int
put_contents(struct kept *k, qpdf_oh old, uint32_t layer, struct err *e)
{
	qpdf_data q = k->rev.q;
	bool many = qpdf_oh_is_array(q, old) != QPDF_FALSE;
	int n = many ? qpdf_oh_get_array_n_items(q, old) : !qpdf_oh_is_null(q, old);

	if (n > PARTS_MAX)
		return err_set(e, ERR_DOC_FOREIGN, "the page has %d content streams", n);
	pdf_str(k->pdf, "/Contents[");
	pdf_ref(k->pdf, layer);
	for (int i = 0; i < n; i++) {
		qpdf_oh part = many ? qpdf_oh_get_array_item(q, old, i) : old;

		pdf_str(k->pdf, " ");
		pdf_str(k->pdf, qpdf_oh_unparse(q, part));
	}
	pdf_str(k->pdf, "]");
	return 0;
}

static void
put_resources(struct kept *k, qpdf_oh resources, qpdf_oh fonts, const char *name)
{
	pdf_str(k->pdf, "/Resources<<");
	if (qpdf_oh_is_dictionary(k->rev.q, resources))
		revision_put_entries(&k->rev, k->pdf, resources, "/Font", "");
	pdf_str(k->pdf, "/Font<<");
	if (qpdf_oh_is_dictionary(k->rev.q, fonts))
		revision_put_entries(&k->rev, k->pdf, fonts, "", "");
	pdf_str(k->pdf, name);
	pdf_ref(k->pdf, textlayer_font(k->text, k->pdf));
	pdf_str(k->pdf, ">>>>");
}

static int
write_page(struct kept *k, const struct revision_page *page, const struct buf *layer, qpdf_oh resources, qpdf_oh fonts,
    const char *name, struct err *e)
{
	uint32_t number = pdf_new(k->pdf);
	int r;

	pdf_stream(k->pdf, number, "", layer->data, layer->len, PDF_DEFLATE);
	pdf_begin(k->pdf, page->number, page->gen);
	pdf_str(k->pdf, "<<");
	revision_put_entries(&k->rev, k->pdf, page->dict, "/Contents", "/Resources");
	if ((r = put_contents(k, qpdf_oh_get_key(k->rev.q, page->dict, "/Contents"), number, e)) < 0)
		return r;
	put_resources(k, resources, fonts, name);
	pdf_str(k->pdf, ">>");
	pdf_end(k->pdf);
	k->used = true;
	return pdf_check(k->pdf, e);
}

/* Words of writing that runs sideways, as who turned the page would see them. */
static void
turn_words(struct pagefile *pf)
{
	for (uint32_t i = 0; i < pf->nwords; i++) {
		int32_t w, h;

		pagefile_view(pf, &w, &h);
		view_turn_box(&pf->words[i].box, &w, &h, pf->turn);
		pf->words[i].base = 0; /* none: the layer takes a usual one */
	}
}

static bool
put_layer(struct kept *k, const struct pagefile *pf, const struct view *as_shown, const char *font, struct buf *b,
    struct err *e)
{
	struct pagefile turned = *pf;
	struct view v = *as_shown;
	bool any;

	if (pf->turn == 0)
		return textlayer_words(k->text, pf, &v, font, b);
	if ((turned.words = malloc(pf->nwords * sizeof(*pf->words))) == NULL) {
		err_set(e, ERR_MEM, "words of the page");
		return false;
	}
	memcpy(turned.words, pf->words, pf->nwords * sizeof(*pf->words));
	turn_words(&turned);
	v.rotate = (v.rotate + pf->turn) % 360;
	any = textlayer_words(k->text, &turned, &v, font, b);
	free(turned.words);
	return any;
}

static int
add_layer(struct kept *k, const struct pagefile *pf, struct err *e)
{
	struct revision_page page;
	qpdf_oh resources, fonts;
	char name[32];
	AUTO_BUF b;
	int r;

	buf_init(&b, CONTENT_MAX);
	if ((r = revision_page(&k->rev, pf->page, &page, e)) < 0)
		return r;
	resources = revision_inherited(&k->rev, page.dict, "/Resources");
	fonts = qpdf_oh_is_dictionary(k->rev.q, resources) ? qpdf_oh_get_key(k->rev.q, resources, "/Font") :
	                                                     qpdf_oh_new_null(k->rev.q);
	if ((r = font_name(k, fonts, name, e)) < 0)
		return r;
	if (!put_layer(k, pf, &page.view, name, &b, e))
		return -(int)e->code;
	if (b.starved)
		return err_set(e, ERR_MEM, "text of a page");
	if (!buf_ok(&b))
		return err_set(e, ERR_DOC_SIZE, "the page has more text than a page can hold");
	return write_page(k, &page, &b, resources, fonts, name, e);
}

int
kept_page(struct kept *k, const struct pagefile *pf, struct err *e)
{
	int r;

	if (pf->text != PAGE_TEXT_READ || pf->nwords == 0)
		return 0;
	r = add_layer(k, pf, e);
	qpdf_oh_release_all(k->rev.q); /* else each page's handles stay to the end */
	k->rev.root = qpdf_get_root(k->rev.q);
	return r;
}

/* --- the end ------------------------------------------------------------------------------------- */

int
kept_end(struct kept *k, const char *salt, uint64_t *ret_len, struct err *e)
{
	struct pdf_trailer t = k->rev.trailer;
	int r;

	if (!k->used) {
		*ret_len = 0;
		return 0;
	}
	textlayer_end(k->text, k->pdf);
	revision_next_id(&k->rev, salt, &t);
	if ((r = revision_check(&k->rev, e)) < 0)
		return r;
	return pdf_finish(k->pdf, &t, ret_len, e);
}
