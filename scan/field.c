#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"

#include "scan/field.h"
#include "scan/formfield.h"
#include "scan/pdfwrite.h"
#include "scan/revision.h"
#include "scan/scan.h"
#include "scan/stamp.h"

#define RANGE_BLANK "[0 0000000000 0000000000 0000000000]"
#define FIELDS_MAX 4096
#define DRAWN_MAX 8
#define MARK_FLAGS 196 /* Print, ReadOnly, Locked: ISO 32000-1, 12.5.3 */
#define EDGE 1000 /* mpt a box may stick out of the page: rounding, no more */

struct field {
	enum field_kind kind;
	const struct field_params *params;
	const struct look *look;
	bool cidset;
	struct revision rev;
	struct revision_page page;
	struct pdf *pdf;
	uint32_t widget, value, form; /* numbers; form 0: not seen */
	struct formfield given;       /* the document's own field, where one is filled */
	struct drawn {
		int turn[4];
		int64_t width, height;
		uint32_t form;
	} drawn[DRAWN_MAX];           /* looks for pages turned otherwise, or of other units */
	size_t ndrawn;
	uint8_t *written;             /* a bit a number: pages with our annotations */
	uint64_t range_at, hole_at;   /* where the placeholders stand */
};

/* What differs between the two kinds. */
static const struct {
	const char *name, *type, *sub_filter;
} kinds[] = {
	[FIELD_SEAL] = { FIELD_SEAL_NAME, "/Sig", "/ETSI.CAdES.detached" },
	[FIELD_TIMESTAMP] = { FIELD_TIMESTAMP_NAME, "/DocTimeStamp", "/ETSI.RFC3161" },
};

/* --- objects that were there ----------------------------------------------------------- */

/* number 0: as it is. */
static void
put_array_with(struct field *f, qpdf_oh array, uint32_t number)
{
	int n = qpdf_oh_is_array(f->rev.q, array) ? qpdf_oh_get_array_n_items(f->rev.q, array) : 0;

	pdf_str(f->pdf, "[");
	for (int i = 0; i < n; i++) {
		qpdf_oh item = qpdf_oh_get_array_item(f->rev.q, array, i);

		pdf_str(f->pdf, i == 0 ? "" : " ");
		pdf_str(f->pdf, qpdf_oh_unparse(f->rev.q, item));
		qpdf_oh_release(f->rev.q, item);
	}
	if (number != 0)
		pdf_ref(f->pdf, number);
	pdf_str(f->pdf, "]");
}

/* If the array is an object of its own, that is replaced, and dict can stay. */
static bool
extend_own_array(struct field *f, qpdf_oh array, uint32_t number)
{
	uint32_t own, gen;

	if (!qpdf_oh_is_array(f->rev.q, array) || !revision_number(&f->rev, array, &own, &gen))
		return false;
	pdf_begin(f->pdf, own, gen);
	put_array_with(f, array, number);
	pdf_end(f->pdf);
	return true;
}

/* A page that the tree shows twice would have one mark for both. */
static int
once(struct field *f, const struct revision_page *page, struct err *e)
{
	uint8_t *byte, bit = (uint8_t)(1u << page->number % 8);

	if (f->written == NULL && (f->written = calloc(f->rev.before.size / 8 + 1, 1)) == NULL)
		return err_set(e, ERR_MEM, "pages with marks");
	byte = &f->written[page->number / 8];
	if (*byte & bit)
		return err_set(e, ERR_DOC_FOREIGN, "a page that is to get a mark is shown twice");
	*byte |= bit;
	return 0;
}

/* The page with one more annotation. */
static void
put_page_with(struct field *f, const struct revision_page *page, uint32_t number)
{
	pdf_begin(f->pdf, page->number, page->gen);
	pdf_str(f->pdf, "<<");
	revision_put_entries(&f->rev, f->pdf, page->dict, "/Annots", "");
	pdf_str(f->pdf, "/Annots");
	put_array_with(f, qpdf_oh_get_key(f->rev.q, page->dict, "/Annots"), number);
	pdf_str(f->pdf, ">>");
	pdf_end(f->pdf);
}

static void
write_page(struct field *f)
{
	if (!extend_own_array(f, qpdf_oh_get_key(f->rev.q, f->page.dict, "/Annots"), f->widget))
		put_page_with(f, &f->page, f->widget);
}

/* SigFlags 3: signatures exist, and only appending keeps them (ISO 32000-1, 12.7.2). */
static void
put_form(struct field *f, qpdf_oh form, qpdf_oh fields)
{
	uint32_t own, gen;

	pdf_str(f->pdf, "<<");
	if (qpdf_oh_is_dictionary(f->rev.q, form))
		revision_put_entries(&f->rev, f->pdf, form, "/Fields", "/SigFlags");
	pdf_str(f->pdf, "/SigFlags 3/Fields");
	if (qpdf_oh_is_array(f->rev.q, fields) && revision_number(&f->rev, fields, &own, &gen))
		pdf_printf(f->pdf, " %" PRIu32 " %" PRIu32 " R", own, gen);
	else
		put_array_with(f, fields, f->params->field[0] != '\0' ? 0 : f->widget);
	pdf_str(f->pdf, ">>");
}

static qpdf_oh
fields_of(struct revision *r, qpdf_oh form)
{
	return qpdf_oh_is_dictionary(r->q, form) ? qpdf_oh_get_key(r->q, form, "/Fields") : qpdf_oh_new_null(r->q);
}

static void
write_catalog(struct field *f)
{
	struct revision *r = &f->rev;
	qpdf_oh form = qpdf_oh_get_key(r->q, r->root, "/AcroForm"), fields = fields_of(r, form);
	uint32_t own, gen;

	if (f->params->field[0] == '\0')
		extend_own_array(f, fields, f->widget);
	if (qpdf_oh_is_dictionary(r->q, form) && revision_number(r, form, &own, &gen)) {
		pdf_begin(f->pdf, own, gen);
		put_form(f, form, fields);
	} else {
		pdf_begin(f->pdf, r->trailer.root, r->trailer.root_gen);
		pdf_str(f->pdf, "<<");
		revision_put_entries(r, f->pdf, r->root, "/AcroForm", "");
		pdf_str(f->pdf, "/AcroForm");
		put_form(f, form, fields);
		pdf_str(f->pdf, ">>");
	}
	pdf_end(f->pdf);
}

/* --- objects that are new -------------------------------------------------------------- */

static bool
name_taken(struct revision *r, qpdf_oh fields, int n, const char *name)
{
	for (int i = 0; i < n; i++) {
		qpdf_oh field = qpdf_oh_get_array_item(r->q, fields, i);
		const char *t = NULL;
		size_t len;
		bool same = qpdf_oh_is_dictionary(r->q, field) && qpdf_oh_has_key(r->q, field, "/T") &&
		    qpdf_oh_get_value_as_utf8(r->q, qpdf_oh_get_key(r->q, field, "/T"), &t, &len) && strcmp(t, name) == 0;

		qpdf_oh_release(r->q, field);
		if (same)
			return true;
	}
	return false;
}

/* "Seal1", or the first such name that no field has. */
static int
unused_name(struct field *f, char name[32], struct err *e)
{
	struct revision *r = &f->rev;
	qpdf_oh fields = fields_of(r, qpdf_oh_get_key(r->q, r->root, "/AcroForm"));
	int n = qpdf_oh_is_array(r->q, fields) ? qpdf_oh_get_array_n_items(r->q, fields) : 0, i = 1;

	if (n > FIELDS_MAX)
		return err_set(e, ERR_DOC_BAD, "the PDF has %d form fields", n);
	do
		snprintf(name, 32, "%s%d", kinds[f->kind].name, i++);
	while (name_taken(r, fields, n, name));
	return 0;
}

static int
check_place(const struct view *v, const struct box *b, uint32_t page, struct err *e)
{
	int64_t w, h;

	view_size(v, &w, &h);
	if (b->x0 >= b->x1 || b->y0 >= b->y1 || b->x0 < -EDGE || b->y0 < -EDGE || b->x1 > w + EDGE || b->y1 > h + EDGE) {
		e->page = page + 1;
		return err_set(e, ERR_ANCHOR_PLACE, "the stamp's place is not on the page");
	}
	return 0;
}

/* The seal's look for a page like this; one form serves all pages that are turned alike. */
static int
write_stamp(struct field *f, const struct view *v, const struct box *b, uint32_t page, uint32_t *ret_form, struct err *e)
{
	struct drawn d = { .width = (int64_t)(b->x1 - b->x0) * 1000 / v->unit, .height = (int64_t)(b->y1 - b->y0) * 1000 / v->unit };
	struct stamp s = {
		.width = d.width,
		.height = d.height,
		.cidset = f->cidset,
		.look = f->look,
		.qr = f->params->qr,
		.nlines = f->params->nlines,
		.lines = f->params->lines,
	};
	int r;

	if ((r = check_place(v, b, page, e)) < 0)
		return r;
	view_turn(v, s.turn);
	memcpy(d.turn, s.turn, sizeof(d.turn));
	for (size_t i = 0; i < f->ndrawn; i++)
		if (f->drawn[i].width == d.width && f->drawn[i].height == d.height && memcmp(f->drawn[i].turn, d.turn, sizeof(d.turn)) == 0) {
			*ret_form = f->drawn[i].form;
			return 0;
		}
	if ((r = stamp_draw(f->pdf, &s, &d.form, e)) < 0)
		return r;
	*ret_form = d.form;
	if (f->ndrawn < DRAWN_MAX)
		f->drawn[f->ndrawn++] = d;
	return 0;
}

static void
put_rect(struct pdf *p, const struct view *v, const struct box *b)
{
	struct user_box u = view_to_user(v, b);

	pdf_str(p, "/Rect[");
	pdf_milli(p, u.x0);
	pdf_milli(p, u.y0);
	pdf_milli(p, u.x1);
	pdf_milli(p, u.y1);
	pdf_str(p, "]");
}

/* --- marks: the look alone, on other pages -------------------------------------------------- */

static int
write_mark(struct field *f, uint32_t index, const struct box *b, struct err *e)
{
	struct revision_page page;
	uint32_t number = pdf_new(f->pdf), form;
	int r;

	if ((r = revision_page(&f->rev, index, &page, e)) < 0 || (r = once(f, &page, e)) < 0 ||
	    (r = write_stamp(f, &page.view, b, index, &form, e)) < 0)
		return r;
	pdf_begin(f->pdf, number, 0);
	pdf_printf(f->pdf, "<</Type/Annot/Subtype/Stamp/F %d/P %" PRIu32 " %" PRIu32 " R/AP<</N %" PRIu32 " 0 R>>", MARK_FLAGS, page.number,
	    page.gen, form);
	put_rect(f->pdf, &page.view, b);
	if (f->params->nlines > 0) {
		pdf_str(f->pdf, "/Contents");
		pdf_text(f->pdf, f->params->lines[0]);
	}
	pdf_str(f->pdf, ">>");
	pdf_end(f->pdf);
	put_page_with(f, &page, number);
	qpdf_oh_release(f->rev.q, page.dict);
	return pdf_check(f->pdf, e);
}

static int
write_marks(struct field *f, struct err *e)
{
	const struct seal_marks *m = &f->params->marks;
	int r = page_set_count(&m->pages) == 0 ? 0 : once(f, f->params->field[0] != '\0' ? &f->given.page : &f->page, e);

	for (uint32_t i = 0; r == 0 && i < m->pages.pages; i++) {
		const struct box *b = i == f->params->place_page ? NULL : seal_marks_box(m, i);

		if (b != NULL)
			r = write_mark(f, i, b, e);
	}
	return r;
}

/* --- the field ------------------------------------------------------------------------------ */

/* The document's own, filled: value and look are all that it gets. */
static void
fill_given(struct field *f)
{
	const struct formfield *g = &f->given;
	const bool one = g->number == g->widget_number;
	struct pdf *p = f->pdf;

	pdf_begin(p, g->number, g->gen);
	pdf_str(p, "<<");
	revision_put_entries(&f->rev, p, g->field, "/V", one && f->form != 0 ? "/AP" : "");
	pdf_printf(p, "/V %" PRIu32 " 0 R", f->value);
	if (one && f->form != 0)
		pdf_printf(p, "/AP<</N %" PRIu32 " 0 R>>", f->form);
	pdf_str(p, ">>");
	pdf_end(p);
	if (one || f->form == 0)
		return;
	pdf_begin(p, g->widget_number, g->widget_gen);
	pdf_str(p, "<<");
	revision_put_entries(&f->rev, p, g->widget, "/AP", "");
	pdf_printf(p, "/AP<</N %" PRIu32 " 0 R>>>>", f->form);
	pdf_end(p);
}

/* Field and widget in one (ISO 32000-1, 12.7.3.1); F 132: printed, and not to be moved. */
static int
write_widget(struct field *f, struct err *e)
{
	struct pdf *p = f->pdf;
	char name[32];

	if (unused_name(f, name, e) < 0)
		return -(int)e->code;
	pdf_begin(p, f->widget, 0);
	pdf_printf(p, "<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/F 132/P %" PRIu32 " %" PRIu32 " R/V %" PRIu32 " 0 R",
	    name, f->page.number, f->page.gen, f->value);
	if (f->form != 0) {
		put_rect(p, &f->page.view, &f->params->place_box);
		pdf_printf(p, "/AP<</N %" PRIu32 " 0 R>>>>", f->form);
	} else {
		pdf_str(p, "/Rect[0 0 0 0]>>");
	}
	pdf_end(p);
	return 0;
}

static void
put_optional(struct pdf *p, const char *key, const char *text)
{
	if (text[0] == '\0')
		return;
	pdf_str(p, key);
	pdf_text(p, text);
}

/* EN 319 142-1: the time is /M here, not an attribute of the CMS; a time-stamp brings its own. */
static void
put_seal_entries(struct field *f)
{
	const struct field_params *fp = f->params;
	char date[CLOCK_ISO_MAX];

	clock_compact(fp->time_us, date);
	pdf_printf(f->pdf, "/M(D:%s)", date);
	put_optional(f->pdf, "/Name", fp->signer);
	put_optional(f->pdf, "/Reason", fp->reason);
	put_optional(f->pdf, "/Location", fp->location);
	put_optional(f->pdf, FIELD_CHECKPOINT_KEY, fp->checkpoint);
}

static void
write_value(struct field *f)
{
	struct pdf *p = f->pdf;
	static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

	pdf_begin(p, f->value, 0);
	pdf_printf(p, "<</Type%s/Filter/Adobe.PPKLite/SubFilter%s", kinds[f->kind].type, kinds[f->kind].sub_filter);
	if (f->kind == FIELD_SEAL)
		put_seal_entries(f);
	if (f->params->field[0] != '\0')
		formfield_put_lock(&f->rev, p, &f->given);
	pdf_str(p, "/ByteRange");
	f->range_at = pdf_at(p);
	pdf_str(p, RANGE_BLANK "/Contents");
	f->hole_at = pdf_at(p);
	pdf_str(p, "<");
	for (uint64_t left = 2 * (uint64_t)f->params->hole; left > 0;) {
		size_t now = left < sizeof(zeros) - 1 ? (size_t)left : sizeof(zeros) - 1;

		pdf_put(p, zeros, now);
		left -= now;
	}
	pdf_str(p, ">>>");
	pdf_end(p);
}

/* --- the whole ------------------------------------------------------------------------- */

static void
next_id(const struct field *f, struct pdf_trailer *t)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRId64 " %d", f->params->id, f->rev.before.len, f->params->time_us,
	    (int)f->kind);
	revision_next_id(&f->rev, text, t);
}

/* Numbers padded by blanks to the placeholder's length, which is part of what is signed. */
static int
fill_range(struct field *f, uint64_t update_len, struct field_result *ret, struct err *e)
{
	char text[sizeof(RANGE_BLANK) + 32];
	uint64_t behind = f->hole_at + 2 * (uint64_t)f->params->hole + 2, end = f->rev.before.len + update_len;

	ret->doc_len = f->rev.before.len;
	ret->update_len = update_len;
	ret->range[0] = 0;
	ret->range[1] = f->hole_at;
	ret->range[2] = behind;
	ret->range[3] = end - behind;
	if (snprintf(text, sizeof(text), "[0 %-10" PRIu64 " %-10" PRIu64 " %-10" PRIu64 "]", ret->range[1], ret->range[2],
	        ret->range[3]) != sizeof(RANGE_BLANK) - 1)
		return err_set(e, ERR_DOC_SIZE, "the PDF is too large for a ByteRange of ten digits");
	return pdf_patch(f->pdf, f->range_at, text, sizeof(RANGE_BLANK) - 1, e);
}

/* A field of ours, with its page. */
static int
add_field(struct field *f, struct err *e)
{
	const struct field_params *p = f->params;
	bool seen = f->kind == FIELD_SEAL && p->place == PLACE_BOX;
	int r;

	f->widget = pdf_new(f->pdf);
	if ((r = revision_page(&f->rev, seen ? p->place_page : 0, &f->page, e)) < 0 ||
	    (seen && (r = write_stamp(f, &f->page.view, &p->place_box, p->place_page, &f->form, e)) < 0) ||
	    (r = write_widget(f, e)) < 0)
		return r;
	write_page(f);
	return 0;
}

static int
fill_field(struct field *f, struct err *e)
{
	int r = formfield_find(&f->rev, f->params->field, &f->given, e);

	if (r == 0 && f->given.seen)
		r = write_stamp(f, &f->given.page.view, &f->given.box, f->given.index, &f->form, e);
	if (r == 0)
		fill_given(f);
	return r;
}

static int
append(struct field *f, struct field_result *ret, struct err *e)
{
	struct pdf_trailer t = f->rev.trailer;
	struct field_result result;
	uint64_t len;

	f->value = pdf_new(f->pdf);
	if ((f->params->field[0] != '\0' ? fill_field(f, e) : add_field(f, e)) < 0 || write_marks(f, e) < 0)
		return -(int)e->code;
	write_value(f);
	write_catalog(f);
	next_id(f, &t);
	if (revision_check(&f->rev, e) < 0 || pdf_finish(f->pdf, &t, &len, e) < 0 || fill_range(f, len, &result, e) < 0)
		return -(int)e->code;
	*ret = result;
	return 0;
}

int
field_append(int in, int out, enum field_kind kind, const struct field_params *params, const struct look *look, bool cidset,
    struct field_result *ret, struct err *e)
{
	struct field f = { .kind = kind, .params = params, .look = look, .cidset = cidset };
	int r;

	if (params->hole == 0 || params->hole > FIELD_HOLE_MAX || params->nlines > MSG_LINES_MAX)
		return err_set(e, ERR_PEER, "field: a hole of %" PRIu32 " bytes, %" PRIu32 " lines", params->hole, params->nlines);
	if ((r = revision_open(&f.rev, in, e)) == 0 &&
	    (r = pdf_open(&f.pdf, out, f.rev.section, &f.rev.before, NULL, e)) == 0)
		r = append(&f, ret, e);
	pdf_free(f.pdf);
	revision_done(&f.rev);
	free(f.written);
	return r;
}

int
field_run(struct task *t, struct err *e)
{
	const struct scan_state *s = t->role_state;
	const struct look *look;
	struct field_params params;
	struct field_result result;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (field_params_get(&t->params, &params, e) < 0)
		return -(int)e->code;
	look = look_of(s->looks, params.seal);
	if (look == NULL && params.place == PLACE_BOX)
		return err_set(e, ERR_CONF, "field: no seal \"%s\" in the settings", params.seal);
	if (field_append(t->in, t->out, FIELD_SEAL, &params, look, false, &result, e) < 0)
		return -(int)e->code;
	field_result_put(&b, &result);
	return task_result(t, &b, e);
}
