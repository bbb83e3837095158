#include <stdio.h>
#include <string.h>

#include "scan/formfield.h"

#define DEPTH_MAX 16
#define FIELDS_MAX 4096
#define PAGES_MAX 100000u
#define ANNOTS_MAX 20000
#define NAME_MAX_BYTES MSG_TEXT_MAX
#define HIDING (1 | 2 | 32) /* Invisible, Hidden, NoView (ISO 32000-1, 12.5.3) */

/* Bits of a seed value's /Ff: what is demanded, not only recommended (ISO 32000-1, table 234). */
enum { SV_FILTER = 1, SV_SUBFILTER = 2, SV_VERSION = 4, SV_DIGEST = 64 };

static int
unfit(struct err *e, const char *name, const char *why)
{
	return err_set(e, ERR_FIELD, "signature field '%.80s': %s", name, why);
}

static bool
is_name(struct revision *r, qpdf_oh oh, const char *name)
{
	return qpdf_oh_is_name(r->q, oh) && strcmp(qpdf_oh_get_name(r->q, oh), name) == 0;
}

static int
items(struct revision *r, qpdf_oh oh)
{
	return qpdf_oh_is_array(r->q, oh) ? qpdf_oh_get_array_n_items(r->q, oh) : 0;
}

static long long
number_of(struct revision *r, qpdf_oh dict, const char *key)
{
	long long v = 0;

	if (!qpdf_oh_is_dictionary(r->q, dict))
		return 0;
	return qpdf_oh_get_value_as_longlong(r->q, qpdf_oh_get_key(r->q, dict, key), &v) ? v : 0;
}

/* --- by its name --------------------------------------------------------------------------------- */

struct search {
	const char *name;
	int fields;
	qpdf_oh found;
	bool there, sig; /* sig: its type, perhaps inherited */
};

static bool
extend_name(struct revision *r, qpdf_oh field, char name[NAME_MAX_BYTES])
{
	const char *t = NULL;
	size_t n = strlen(name), len = 0;

	if (!qpdf_oh_has_key(r->q, field, "/T"))
		return true;
	if (!qpdf_oh_get_value_as_utf8(r->q, qpdf_oh_get_key(r->q, field, "/T"), &t, &len) || n + len + 2 > NAME_MAX_BYTES)
		return false;
	snprintf(name + n, NAME_MAX_BYTES - n, "%s%s", n > 0 ? "." : "", t);
	return true;
}

static int
search_fields(struct revision *r, qpdf_oh list, const char *above, bool sig_above, int depth, struct search *s, struct err *e)
{
	for (int i = 0, n = items(r, list); i < n && !s->there; i++) {
		qpdf_oh field = qpdf_oh_get_array_item(r->q, list, i), kids;
		char name[NAME_MAX_BYTES];
		bool sig;
		int rc;

		if (depth > DEPTH_MAX || ++s->fields > FIELDS_MAX)
			return err_set(e, ERR_DOC_BAD, "the form of the PDF has too many or too deep fields");
		snprintf(name, sizeof(name), "%s", above);
		if (!qpdf_oh_is_dictionary(r->q, field) || !extend_name(r, field, name))
			continue;
		sig = qpdf_oh_has_key(r->q, field, "/FT") ? is_name(r, qpdf_oh_get_key(r->q, field, "/FT"), "/Sig") : sig_above;
		if (strcmp(name, s->name) == 0 && qpdf_oh_has_key(r->q, field, "/T")) {
			s->found = field;
			s->sig = sig;
			s->there = true;
			return 0;
		}
		kids = qpdf_oh_get_key(r->q, field, "/Kids");
		if ((rc = search_fields(r, kids, name, sig, depth + 1, s, e)) < 0)
			return rc;
	}
	return 0;
}

/* --- what it demands ------------------------------------------------------------------------------- */

static bool
holds_name(struct revision *r, qpdf_oh array, const char *name)
{
	for (int i = 0, n = items(r, array); i < n; i++)
		if (is_name(r, qpdf_oh_get_array_item(r->q, array, i), name))
			return true;
	return false;
}

static bool
holds_text(struct revision *r, qpdf_oh array, const char *text)
{
	for (int i = 0, n = items(r, array); i < n; i++) {
		const char *t = NULL;
		size_t len = 0;

		if (qpdf_oh_get_value_as_utf8(r->q, qpdf_oh_get_array_item(r->q, array, i), &t, &len) && strcmp(t, text) == 0)
			return true;
	}
	return false;
}

/* NULL, or what of it is not met. */
static const char *
seed_unmet(struct revision *r, qpdf_oh sv)
{
	const long long demanded = number_of(r, sv, "/Ff");
	qpdf_oh mdp = qpdf_oh_get_key(r->q, sv, "/MDP");
	double version = 0;

	if (demanded & ~(long long)(SV_FILTER | SV_SUBFILTER | SV_VERSION | SV_DIGEST))
		return "its seed value demands reasons, revocation data or a legal attestation";
	if ((demanded & SV_FILTER) && !is_name(r, qpdf_oh_get_key(r->q, sv, "/Filter"), "/Adobe.PPKLite"))
		return "its seed value demands another filter";
	if ((demanded & SV_SUBFILTER) && !holds_name(r, qpdf_oh_get_key(r->q, sv, "/SubFilter"), "/ETSI.CAdES.detached"))
		return "its seed value demands another form of signature than PAdES";
	if ((demanded & SV_VERSION) &&
	    (!qpdf_oh_get_value_as_number(r->q, qpdf_oh_get_key(r->q, sv, "/V"), &version) || version > 3))
		return "its seed value demands what a later version of PDF says";
	if ((demanded & SV_DIGEST) && !holds_text(r, qpdf_oh_get_key(r->q, sv, "/DigestMethod"), "SHA256"))
		return "its seed value demands another digest than SHA-256";
	if (qpdf_oh_is_dictionary(r->q, mdp) && number_of(r, mdp, "/P") != 0)
		return "its seed value demands a certifying signature";
	if (number_of(r, qpdf_oh_get_key(r->q, sv, "/Cert"), "/Ff") != 0)
		return "its seed value demands certain certificates";
	if (number_of(r, qpdf_oh_get_key(r->q, sv, "/TimeStamp"), "/Ff") != 0)
		return "its seed value demands a certain time-stamping authority";
	return NULL;
}

static bool
lock_known(struct revision *r, qpdf_oh lock)
{
	qpdf_oh action = qpdf_oh_get_key(r->q, lock, "/Action"), fields = qpdf_oh_get_key(r->q, lock, "/Fields");

	if (!is_name(r, qpdf_oh_get_key(r->q, lock, "/Type"), "/SigFieldLock") && qpdf_oh_has_key(r->q, lock, "/Type"))
		return false;
	return !qpdf_oh_has_key(r->q, lock, "/P") && (is_name(r, action, "/All") ||
	    ((is_name(r, action, "/Include") || is_name(r, action, "/Exclude")) && items(r, fields) > 0));
}

static int
check_demands(struct revision *r, const char *name, qpdf_oh field, struct err *e)
{
	qpdf_oh sv = qpdf_oh_get_key(r->q, field, "/SV"), lock = qpdf_oh_get_key(r->q, field, "/Lock");
	const char *unmet = qpdf_oh_is_dictionary(r->q, sv) ? seed_unmet(r, sv) : NULL;

	if (unmet != NULL)
		return unfit(e, name, unmet);
	if (qpdf_oh_is_dictionary(r->q, lock) && !lock_known(r, lock))
		return unfit(e, name, "it locks the document in a way that is not kept here");
	return 0;
}

void
formfield_put_lock(struct revision *r, struct pdf *p, const struct formfield *f)
{
	qpdf_oh lock = qpdf_oh_get_key(r->q, f->field, "/Lock");

	if (!qpdf_oh_is_dictionary(r->q, lock))
		return;
	pdf_str(p, "/Reference[<</Type/SigRef/TransformMethod/FieldMDP/TransformParams<</Type/TransformParams/V/1.2/Action");
	pdf_str(p, qpdf_oh_unparse(r->q, qpdf_oh_get_key(r->q, lock, "/Action")));
	if (items(r, qpdf_oh_get_key(r->q, lock, "/Fields")) > 0) {
		pdf_str(p, "/Fields");
		pdf_str(p, qpdf_oh_unparse_resolved(r->q, qpdf_oh_get_key(r->q, lock, "/Fields")));
	}
	pdf_str(p, ">>>>]");
}

/* --- where it is -------------------------------------------------------------------------------------- */

static bool
annots_hold(struct revision *r, qpdf_oh page, uint32_t number)
{
	qpdf_oh annots = qpdf_oh_get_key(r->q, page, "/Annots");
	bool there = false;

	for (int i = 0, n = items(r, annots); i < n && i < ANNOTS_MAX && !there; i++) {
		qpdf_oh annot = qpdf_oh_get_array_item(r->q, annots, i);
		uint32_t own, gen;

		there = revision_number(r, annot, &own, &gen) && own == number;
		qpdf_oh_release(r->q, annot);
	}
	return there;
}

/* The page that shows the widget; its own word for it (/P) is not asked. */
static int
find_page_of(struct revision *r, struct formfield *f, const char *name, struct err *e)
{
	for (uint32_t i = 0; i < PAGES_MAX; i++) {
		int rc = revision_page(r, i, &f->page, e);

		if (rc == -(int)ERR_ANCHOR_PLACE)
			break;
		if (rc < 0)
			return rc;
		if (annots_hold(r, f->page.dict, f->widget_number)) {
			f->index = i;
			return 0;
		}
		qpdf_oh_release(r->q, f->page.dict);
	}
	return unfit(e, name, "no page shows it");
}

static int
find_widget(struct revision *r, struct formfield *f, const char *name, struct err *e)
{
	qpdf_oh kids = qpdf_oh_get_key(r->q, f->field, "/Kids");
	int n = items(r, kids);

	if (n > 1)
		return unfit(e, name, "it is shown in several places");
	f->widget = n == 1 ? qpdf_oh_get_array_item(r->q, kids, 0) : f->field;
	if (!qpdf_oh_is_dictionary(r->q, f->widget) || !is_name(r, qpdf_oh_get_key(r->q, f->widget, "/Subtype"), "/Widget") ||
	    !revision_number(r, f->field, &f->number, &f->gen) || !revision_number(r, f->widget, &f->widget_number, &f->widget_gen))
		return unfit(e, name, "it is built in a way that is not understood here");
	if (number_of(r, f->widget, "/F") & HIDING)
		return unfit(e, name, "it is hidden");
	return 0;
}

static int
find_box(struct revision *r, struct formfield *f, const char *name, struct err *e)
{
	const struct view *v = &f->page.view;
	int64_t rect[4], w, h;

	f->seen = revision_rectangle(r, qpdf_oh_get_key(r->q, f->widget, "/Rect"), rect);
	if (!f->seen)
		return 0;
	if (rect[0] < v->x0 || rect[1] < v->y0 || rect[2] > v->x1 || rect[3] > v->y1)
		return unfit(e, name, "it reaches over the edge of the page");
	f->box = view_from_user(v, &(struct user_box){ rect[0], rect[1], rect[2], rect[3] });
	view_size(v, &w, &h);
	return f->box.x0 < f->box.x1 && f->box.y0 < f->box.y1 && f->box.x0 >= 0 && f->box.y0 >= 0 && f->box.x1 <= w && f->box.y1 <= h
	    ? 0 : unfit(e, name, "its place is not understood here");
}

int
formfield_find(struct revision *r, const char *name, struct formfield *ret, struct err *e)
{
	qpdf_oh form = qpdf_oh_get_key(r->q, r->root, "/AcroForm");
	struct search s = { .name = name };
	struct formfield f = { .seen = false };
	int rc = 0;

	if (qpdf_oh_is_dictionary(r->q, form))
		rc = search_fields(r, qpdf_oh_get_key(r->q, form, "/Fields"), "", false, 0, &s, e);
	if (rc < 0)
		return rc;
	if (!s.there)
		return err_set(e, ERR_FIELD, "the PDF has no field '%.80s'", name);
	f.field = s.found;
	if (!s.sig)
		return unfit(e, name, "it is not for a signature");
	if (!qpdf_oh_is_null(r->q, qpdf_oh_get_key(r->q, f.field, "/V")))
		return unfit(e, name, "it is signed already");
	if ((rc = find_widget(r, &f, name, e)) < 0 || (rc = check_demands(r, name, f.field, e)) < 0 ||
	    (rc = find_page_of(r, &f, name, e)) < 0 || (rc = find_box(r, &f, name, e)) < 0)
		return rc;
	if ((rc = revision_check(r, e)) == 0)
		*ret = f;
	return rc;
}
