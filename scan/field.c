#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/hash.h"

#include "scan/field.h"
#include "scan/pdfwrite.h"
#include "scan/revision.h"
#include "scan/stamp.h"

#define RANGE_BLANK "[0 0000000000 0000000000 0000000000]"
#define FIELDS_MAX 4096
#define EDGE 1000 /* mpt a box may stick out of the page: rounding, no more */

struct field {
	enum field_kind kind;
	const struct field_params *params;
	bool cidset;
	struct revision rev;
	struct revision_page page;
	struct pdf *pdf;
	uint32_t widget, value, form; /* numbers; form 0: not seen */
	uint64_t range_at, hole_at;   /* where the placeholders stand */
};

/* What differs between the two kinds. */
static const struct {
	const char *name, *type, *sub_filter;
} kinds[] = {
	[FIELD_SEAL] = { "Seal", "/Sig", "/ETSI.CAdES.detached" },
	[FIELD_TIMESTAMP] = { "Timestamp", "/DocTimeStamp", "/ETSI.RFC3161" },
};

/* --- objects that were there ----------------------------------------------------------- */

/* Entries of a dictionary but those named, as they stand. */
static void
put_entries_but(struct field *f, qpdf_oh dict, const char *skip, const char *skip2)
{
	qpdf_data q = f->rev.q;

	qpdf_oh_begin_dict_key_iter(q, dict);
	while (qpdf_oh_dict_more_keys(q)) {
		char key[256];
		const char *next = qpdf_oh_dict_next_key(q);

		if (strcmp(next, skip) == 0 || strcmp(next, skip2) == 0)
			continue;
		if (strlen(next) >= sizeof(key)) {
			pdf_fail(f->pdf, &(struct err){ .code = ERR_DOC_BAD, .text = "the PDF has a name too long" });
			return;
		}
		strcpy(key, next);
		qpdf_oh value = qpdf_oh_get_key(q, dict, key);
		/* a name of a document may need escapes: libqpdf writes them */
		pdf_str(f->pdf, qpdf_oh_unparse(q, qpdf_oh_new_name(q, key)));
		pdf_str(f->pdf, " ");
		pdf_str(f->pdf, qpdf_oh_unparse(q, value));
		qpdf_oh_release(q, value);
	}
}

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

static void
write_page(struct field *f)
{
	qpdf_oh annots = qpdf_oh_get_key(f->rev.q, f->page.dict, "/Annots");

	if (extend_own_array(f, annots, f->widget))
		return;
	pdf_begin(f->pdf, f->page.number, f->page.gen);
	pdf_str(f->pdf, "<<");
	put_entries_but(f, f->page.dict, "/Annots", "");
	pdf_str(f->pdf, "/Annots");
	put_array_with(f, annots, f->widget);
	pdf_str(f->pdf, ">>");
	pdf_end(f->pdf);
}

/* SigFlags 3: signatures exist, and only appending keeps them (ISO 32000-1, 12.7.2). */
static void
put_form(struct field *f, qpdf_oh form, qpdf_oh fields)
{
	uint32_t own, gen;

	pdf_str(f->pdf, "<<");
	if (qpdf_oh_is_dictionary(f->rev.q, form))
		put_entries_but(f, form, "/Fields", "/SigFlags");
	pdf_str(f->pdf, "/SigFlags 3/Fields");
	if (qpdf_oh_is_array(f->rev.q, fields) && revision_number(&f->rev, fields, &own, &gen))
		pdf_printf(f->pdf, " %" PRIu32 " %" PRIu32 " R", own, gen);
	else
		put_array_with(f, fields, f->widget);
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

	extend_own_array(f, fields, f->widget);
	if (qpdf_oh_is_dictionary(r->q, form) && revision_number(r, form, &own, &gen)) {
		pdf_begin(f->pdf, own, gen);
		put_form(f, form, fields);
	} else {
		pdf_begin(f->pdf, r->trailer.root, r->trailer.root_gen);
		pdf_str(f->pdf, "<<");
		put_entries_but(f, r->root, "/AcroForm", "");
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
check_place(const struct field *f, struct err *e)
{
	const struct box *b = &f->params->place_box;
	int64_t w, h;

	view_size(&f->page.view, &w, &h);
	if (b->x0 >= b->x1 || b->y0 >= b->y1 || b->x0 < -EDGE || b->y0 < -EDGE || b->x1 > w + EDGE || b->y1 > h + EDGE) {
		e->page = f->params->place_page + 1;
		return err_set(e, ERR_ANCHOR_PLACE, "the stamp's place is not on the page");
	}
	return 0;
}

static int
write_stamp(struct field *f, struct err *e)
{
	const struct box *b = &f->params->place_box;
	const struct view *v = &f->page.view;
	struct stamp s = {
		.width = (int64_t)(b->x1 - b->x0) * 1000 / v->unit,
		.height = (int64_t)(b->y1 - b->y0) * 1000 / v->unit,
		.border = f->params->border != 0,
		.cidset = f->cidset,
		.nlines = f->params->nlines,
		.lines = f->params->lines,
	};

	if (check_place(f, e) < 0)
		return -(int)e->code;
	view_turn(v, s.turn);
	return stamp_draw(f->pdf, &s, &f->form, e);
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
	pdf_printf(p, "<</Type/Annot/Subtype/Widget/FT/Sig/T(%s)/F 132/P %" PRIu32 " %" PRIu32 " R/V %" PRIu32 " 0 R/Rect[",
	    name, f->page.number, f->page.gen, f->value);
	if (f->form != 0) {
		struct user_box u = view_to_user(&f->page.view, &f->params->place_box);

		pdf_milli(p, u.x0);
		pdf_milli(p, u.y0);
		pdf_milli(p, u.x1);
		pdf_milli(p, u.y1);
		pdf_printf(p, "]/AP<</N %" PRIu32 " 0 R>>>>", f->form);
	} else {
		pdf_str(p, "0 0 0 0]>>");
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

/* Each revision changes the second half; the first, if it is missing, is made from the same. */
static void
next_id(const struct field *f, struct pdf_trailer *t)
{
	const struct pdf_trailer *old = &f->rev.trailer;
	struct hash *h = hash_open();
	uint8_t digest[HASH_LEN];
	char text[128];

	snprintf(text, sizeof(text), "%s %" PRIu64 " %" PRId64 " %d", f->params->id, f->rev.before.len, f->params->time_us,
	    (int)f->kind);
	for (int i = 0; i < 2; i++)
		hash_add(h, old->id[i].bytes, old->id[i].len);
	hash_add(h, text, strlen(text));
	hash_final(h, digest);
	for (int i = old->id[0].len == 0 ? 0 : 1; i < 2; i++) {
		memcpy(t->id[i].bytes, digest, 16);
		t->id[i].len = 16;
	}
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

static int
append(struct field *f, struct field_result *ret, struct err *e)
{
	struct pdf_trailer t = f->rev.trailer;
	struct field_result result;
	uint64_t len;
	bool seen = f->kind == FIELD_SEAL && f->params->place == PLACE_BOX;

	f->value = pdf_new(f->pdf);
	f->widget = pdf_new(f->pdf);
	if (revision_page(&f->rev, seen ? f->params->place_page : 0, &f->page, e) < 0 ||
	    (seen && write_stamp(f, e) < 0) || write_widget(f, e) < 0)
		return -(int)e->code;
	write_value(f);
	write_page(f);
	write_catalog(f);
	next_id(f, &t);
	if (revision_check(&f->rev, e) < 0 || pdf_finish(f->pdf, &t, &len, e) < 0 || fill_range(f, len, &result, e) < 0)
		return -(int)e->code;
	*ret = result;
	return 0;
}

int
field_append(int in, int out, enum field_kind kind, const struct field_params *params, bool cidset,
    struct field_result *ret, struct err *e)
{
	struct field f = { .kind = kind, .params = params, .cidset = cidset };
	int r;

	if (params->hole == 0 || params->hole > FIELD_HOLE_MAX || params->nlines > MSG_LINES_MAX)
		return err_set(e, ERR_PEER, "field: a hole of %" PRIu32 " bytes, %" PRIu32 " lines", params->hole, params->nlines);
	if ((r = revision_open(&f.rev, in, e)) == 0 &&
	    (r = pdf_open(&f.pdf, out, f.rev.section, &f.rev.before, NULL, e)) == 0)
		r = append(&f, ret, e);
	pdf_free(f.pdf);
	revision_done(&f.rev);
	return r;
}

int
field_run(struct task *t, struct err *e)
{
	struct field_params params;
	struct field_result result;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (field_params_get(&t->params, &params, e) < 0 ||
	    field_append(t->in, t->out, FIELD_SEAL, &params, false, &result, e) < 0)
		return -(int)e->code;
	field_result_put(&b, &result);
	return task_result(t, &b, e);
}
