#include <stdlib.h>

#include "agent/lib/io.h"

#include "scan/files.h"
#include "scan/jbig2.h"
#include "scan/keepable.h"
#include "scan/objects.h"
#include "scan/pdfpage.h"
#include "scan/revision.h"

#define ANNOTS_MAX 20000
#define FIELDS_MAX 20000
#define ACTIONS_MAX 32 /* one behind the other */

static int
active(struct err *e, const char *what)
{
	return err_set(e, ERR_DOC_ACTIVE, "the PDF %s", what);
}

/* --- actions (ISO 32000-1, 12.6) --------------------------------------------------------------- */

/* Those that only show another place, here or elsewhere. */
static bool
action_harmless(struct pdfin *p, qpdf_oh action)
{
	static const char *const known[] = { "/GoTo", "/GoToR", "/GoToE", "/Thread", "/URI", "/Named" };
	qpdf_oh s = pdfin_key(p, action, "/S");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (pdfin_is(p, s, known[i]))
			return true;
	return false;
}

/* An action, a list of them, or a destination. */
static int
check_action(struct pdfin *p, qpdf_oh action, struct err *e)
{
	for (int n = 0; qpdf_oh_is_dictionary(p->q, action); n++) {
		qpdf_oh next = pdfin_key(p, action, "/Next");

		if (n == ACTIONS_MAX || !action_harmless(p, action))
			return active(e, "runs something");
		if (pdfin_items(p, next) > 1)
			return active(e, "does several things at once");
		action = pdfin_items(p, next) == 1 ? qpdf_oh_get_array_item(p->q, next, 0) : next;
	}
	return 0;
}

/* What a page, an annotation or a field does by itself or when it is used. */
static int
check_actions_of(struct pdfin *p, qpdf_oh dict, struct err *e)
{
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, dict, "/AA")))
		return active(e, "runs something when it is read or filled in");
	return check_action(p, pdfin_key(p, dict, "/A"), e);
}

/* --- forms ---------------------------------------------------------------------------------------- */

struct fields {
	struct pdfin *p;
	struct pdfin_bits *seen;
	int n;
};

static int
check_field(struct fields *f, qpdf_oh field, int depth, struct err *e)
{
	struct pdfin *p = f->p;
	qpdf_oh kids = pdfin_key(p, field, "/Kids");
	int r, n = pdfin_items(p, kids);

	if (!qpdf_oh_is_dictionary(p->q, field) ||
	    (qpdf_oh_is_indirect(p->q, field) && !pdfin_bits_first(f->seen, p, field)))
		return 0;
	if (depth > PDF_DEPTH_MAX || ++f->n > FIELDS_MAX)
		return err_set(e, ERR_DOC_BAD, "the form of the PDF has too many or too deep fields");
	if ((r = check_actions_of(p, field, e)) < 0)
		return r;
	for (int i = 0; i < n; i++)
		if ((r = check_field(f, qpdf_oh_get_array_item(p->q, kids, i), depth + 1, e)) < 0)
			return r;
	return 0;
}

static int
check_form(struct pdfin *p, struct err *e)
{
	qpdf_oh form = pdfin_key(p, qpdf_get_root(p->q), "/AcroForm"), fields = pdfin_key(p, form, "/Fields");
	struct fields f = { .p = p, .seen = pdfin_bits_new() };
	int r = 0, n = pdfin_items(p, fields);

	if (f.seen == NULL)
		return err_set(e, ERR_MEM, "form of the PDF");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, form, "/XFA")))
		r = err_set(e, ERR_DOC_XFA, "the PDF is an XFA form");
	else if (pdfin_flag(p, form, "/NeedAppearances", false))
		r = active(e, "is a form whose fields each program draws in its own way");
	for (int i = 0; r == 0 && i < n; i++)
		r = check_field(&f, qpdf_oh_get_array_item(p->q, fields, i), 0, e);
	pdfin_bits_free(f.seen);
	return r;
}

/* --- pages ------------------------------------------------------------------------------------------ */

static int
check_annotation(struct pdfin *p, qpdf_oh annot, struct err *e)
{
	static const char *const plays[] = { "/Movie", "/Sound", "/Screen", "/3D", "/RichMedia" };
	qpdf_oh type = pdfin_key(p, annot, "/Subtype");

	for (size_t i = 0; i < sizeof(plays) / sizeof(plays[0]); i++)
		if (pdfin_is(p, type, plays[i]))
			return active(e, "plays something");
	return check_actions_of(p, annot, e);
}

static int
on_page(void *ctx, struct pdfin *p, uint32_t index, qpdf_oh page, struct err *e)
{
	qpdf_oh annots = pdfin_key(p, page, "/Annots");
	int r, n = pdfin_items(p, annots);
	int32_t w, h;

	(void)ctx;
	(void)index;
	if ((r = pdf_page_size(p, page, &w, &h, e)) < 0 || (r = check_actions_of(p, page, e)) < 0)
		return r;
	if (n > ANNOTS_MAX)
		return err_set(e, ERR_DOC_BAD, "the page has %d annotations", n);
	for (int i = 0; i < n; i++) {
		qpdf_oh annot = qpdf_oh_get_array_item(p->q, annots, i);

		if ((r = check_annotation(p, annot, e)) < 0)
			return r;
		qpdf_oh_release(p->q, annot);
	}
	return 0;
}

static int
check_catalog(struct pdfin *p, struct err *e)
{
	qpdf_oh root = qpdf_get_root(p->q);

	if (!qpdf_oh_is_null(p->q, pdfin_key(p, pdfin_key(p, root, "/Names"), "/JavaScript")))
		return active(e, "has scripts");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, root, "/Collection")))
		return active(e, "is a collection of files, of which a reader shows another one than its pages");
	if (pdfin_flag(p, root, "/NeedsRendering", false))
		return err_set(e, ERR_DOC_XFA, "the PDF is an XFA form");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, root, "/AA")))
		return active(e, "runs something when it is closed, saved or printed");
	return check_action(p, pdfin_key(p, root, "/OpenAction"), e);
}

/* --- every object ------------------------------------------------------------------------------------- */

static int
look_at_jbig2(struct pdfin *p, qpdf_oh stream, struct err *e)
{
	AUTO_FREE uint8_t *data = NULL;
	enum jbig2 found;
	size_t n;
	int r = pdfin_raw(p, stream, &data, &n, e);

	if (r < 0)
		return r;
	found = jbig2_look(data, n);
	if (found == JBIG2_SYMBOLS)
		return err_set(e, ERR_DOC_SYMBOLS, "an image is coded as JBIG2 with symbols");
	return found == JBIG2_PIXELS ? 0 : err_set(e, ERR_DOC_BAD, "an image coded as JBIG2 is damaged");
}

/* One behind another filter can not be looked into, and counts as what it may be. */
static int
check_coding(struct pdfin *p, qpdf_oh stream, struct err *e)
{
	qpdf_oh filter = pdfin_key(p, stream, "/Filter"), parms = pdfin_key(p, stream, "/DecodeParms"), globals;
	int n = pdfin_items(p, filter), r;

	for (int i = 0; n > 1 && i < n; i++)
		if (pdfin_is(p, qpdf_oh_get_array_item(p->q, filter, i), "/JBIG2Decode"))
			return err_set(e, ERR_DOC_SYMBOLS, "an image is coded as JBIG2 behind another coding");
	if (n == 1)
		filter = qpdf_oh_get_array_item(p->q, filter, 0);
	if (!pdfin_is(p, filter, "/JBIG2Decode"))
		return 0;
	if (pdfin_items(p, parms) == 1)
		parms = qpdf_oh_get_array_item(p->q, parms, 0);
	globals = pdfin_key(p, parms, "/JBIG2Globals");
	if (!qpdf_oh_is_null(p->q, globals) && (!qpdf_oh_is_stream(p->q, globals) ||
	        !qpdf_oh_is_null(p->q, pdfin_key(p, globals, "/Filter"))))
		return err_set(e, ERR_DOC_SYMBOLS, "an image is coded as JBIG2 with symbols");
	if (qpdf_oh_is_stream(p->q, globals) && (r = look_at_jbig2(p, globals, e)) < 0)
		return r;
	return look_at_jbig2(p, stream, e);
}

struct looking {
	const struct conf_scan *scan;
	uint32_t files;
};

/* Scripts and programs, wherever something could start them; and what is attached. */
static int
on_object(void *ctx, struct pdfin *p, qpdf_oh oh, struct err *e)
{
	struct looking *l = ctx;
	qpdf_oh s = pdfin_key(p, oh, "/S");
	int r = 0;

	l->files += files_is_spec(p, oh);
	if (pdfin_is(p, s, "/JavaScript") || pdfin_is(p, s, "/Launch"))
		r = active(e, "has scripts, or starts programs");
	else if (l->scan->jbig2_symbols == JBIG2_SYMBOLS_REFUSE && qpdf_oh_is_stream(p->q, oh))
		r = check_coding(p, oh, e);
	return r;
}

/* The very reader that will append to it must find it sound. */
static int
check_appendable(const struct source *s, struct err *e)
{
	struct revision rev;
	int r = revision_open(&rev, s->fd, e);

	revision_done(&rev);
	return r;
}

int
keepable_check(struct pdfin *p, const struct source *s, const struct conf_scan *scan, struct inspect_result *ret,
    struct err *e)
{
	struct looking l = { .scan = scan };
	int r;

	if ((r = check_appendable(s, e)) < 0 || (r = check_catalog(p, e)) < 0 || (r = check_form(p, e)) < 0)
		return r;
	if ((r = pdfin_pages(p, scan->max_pages, on_page, NULL, &ret->pages, e)) < 0)
		return r;
	if ((r = objects_walk(p, on_object, &l, e)) == 0)
		ret->files = l.files;
	return r;
}
