#include <stdio.h>
#include <string.h>

#include "scan/field.h"
#include "scan/permits.h"
#include "scan/sigs.h"

#define LOCKED_MAX 20000 /* names in one list */
#define REFERENCES_MAX 64

struct permits {
	struct inspect_result *res;
	bool certified; /* a signature says DocMDP */
};

/* The strictest word is kept, and of equal ones the first. */
static void
restrict_to(struct permits *x, uint32_t allowed, const char *name, const char *why)
{
	if (allowed <= x->res->allowed)
		return;
	x->res->allowed = allowed;
	snprintf(x->res->forbids, sizeof(x->res->forbids), "signature \"%.60s\" %s", name, why);
}

/* --- DocMDP ------------------------------------------------------------------------------------ */

static void
by_permission(struct permits *x, const char *name, int64_t p)
{
	if (p == 1)
		restrict_to(x, SEAL_FORBIDDEN, name, "forbids every change of the document (DocMDP, P 1)");
	else if (p == 2)
		restrict_to(x, SEAL_UNSEEN, name, "allows signing, but nothing new on the pages (DocMDP, P 2)");
	else if (p != 3)
		restrict_to(x, SEAL_FORBIDDEN, name, "does not say clearly what may be changed (DocMDP)");
}

/* P may be left out and is 2 then; what stands there as something else is no permission. */
static int64_t
permission(struct pdfin *p, qpdf_oh dict)
{
	return qpdf_oh_is_null(p->q, pdfin_key(p, dict, "/P")) ? 2 : pdfin_int(p, dict, "/P", 0);
}

/* --- fields that are locked ---------------------------------------------------------------------- */

/* Is it the name of a field that we would add, or could it be? */
static bool
is_ours(struct pdfin *p, qpdf_oh name)
{
	const char *s = qpdf_oh_is_string(p->q, name) ? qpdf_oh_get_utf8_value(p->q, name) : "";

	return *s == '\0' || strncmp(s, FIELD_SEAL_NAME, strlen(FIELD_SEAL_NAME)) == 0 ||
	    strncmp(s, FIELD_TIMESTAMP_NAME, strlen(FIELD_TIMESTAMP_NAME)) == 0;
}

static bool
list_is_harmless(struct pdfin *p, qpdf_oh fields)
{
	int n = pdfin_items(p, fields);

	if (!qpdf_oh_is_array(p->q, fields) || n > LOCKED_MAX)
		return false;
	for (int i = 0; i < n; i++) {
		qpdf_oh one = qpdf_oh_get_array_item(p->q, fields, i);
		bool ours = is_ours(p, one);

		qpdf_oh_release(p->q, one);
		if (ours)
			return false;
	}
	return true;
}

/* All, or all but some: a new field is among them. */
static void
by_lock(struct permits *x, struct pdfin *p, const char *name, qpdf_oh lock)
{
	qpdf_oh action = pdfin_key(p, lock, "/Action");

	if (pdfin_is(p, action, "/Include") && list_is_harmless(p, pdfin_key(p, lock, "/Fields")))
		return;
	restrict_to(x, SEAL_FORBIDDEN, name,
	    pdfin_is(p, action, "/All") || pdfin_is(p, action, "/Exclude") ? "locks the form, new fields included (FieldMDP)" :
	                                                                     "locks fields, and one of them can be that of a seal (FieldMDP)");
}

/* --- one signature -------------------------------------------------------------------------------- */

static void
by_reference(struct permits *x, struct pdfin *p, const char *name, qpdf_oh ref)
{
	qpdf_oh method = pdfin_key(p, ref, "/TransformMethod"), params = pdfin_key(p, ref, "/TransformParams");

	if (pdfin_is(p, method, "/DocMDP")) {
		x->certified = true;
		by_permission(x, name, permission(p, params));
	} else if (pdfin_is(p, method, "/FieldMDP")) {
		by_lock(x, p, name, params);
	} else if (pdfin_is(p, method, "/UR") || pdfin_is(p, method, "/UR3")) {
		restrict_to(x, SEAL_FORBIDDEN, name, "grants usage rights that end with a change (UR3)");
	} else if (!pdfin_is(p, method, "/Identity")) {
		restrict_to(x, SEAL_FORBIDDEN, name, "protects something in a way that is not known");
	}
}

static int
on_sig(void *ctx, struct pdfin *p, const struct sig_place *s, struct err *e)
{
	struct permits *x = ctx;
	qpdf_oh refs = pdfin_key(p, s->sig, "/Reference"), lock = pdfin_key(p, s->field, "/Lock");
	int n = pdfin_items(p, refs);

	if (++x->res->sigs > SIGS_MAX)
		return err_set(e, ERR_DOC_BAD, "the PDF has more than %d signatures", SIGS_MAX);
	if (n > REFERENCES_MAX || (n == 0 && !qpdf_oh_is_null(p->q, refs) && !qpdf_oh_is_array(p->q, refs)))
		restrict_to(x, SEAL_FORBIDDEN, s->name, "does not say clearly what may be changed");
	for (int i = 0; i < n && n <= REFERENCES_MAX; i++)
		by_reference(x, p, s->name, qpdf_oh_get_array_item(p->q, refs, i));
	if (qpdf_oh_is_null(p->q, lock))
		return 0;
	by_lock(x, p, s->name, lock);
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, lock, "/P")))
		by_permission(x, s->name, permission(p, lock));
	return 0;
}

/* What the catalog promises a reader must be what a signature says (ISO 32000-1, 12.8.4). */
static void
by_catalog(struct permits *x, struct pdfin *p)
{
	qpdf_oh perms = pdfin_key(p, qpdf_get_root(p->q), "/Perms");

	if (!qpdf_oh_is_null(p->q, pdfin_key(p, perms, "/UR3")) || !qpdf_oh_is_null(p->q, pdfin_key(p, perms, "/UR")))
		restrict_to(x, SEAL_FORBIDDEN, "UR3", "grants usage rights that end with a change (UR3)");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, perms, "/DocMDP")) && !x->certified)
		restrict_to(x, SEAL_FORBIDDEN, "DocMDP", "does not say clearly what may be changed (DocMDP)");
}

int
permits_check(struct pdfin *p, uint32_t max_pages, struct inspect_result *ret, struct err *e)
{
	struct inspect_result res = *ret;
	struct permits x = { .res = &res };
	uint32_t pages;
	int r;

	res.sigs = 0;
	res.allowed = SEAL_SEEN;
	res.forbids[0] = '\0';
	if ((r = sigs_walk(p, max_pages, on_sig, &x, &pages, e)) < 0)
		return r;
	if (res.sigs > 0)
		by_catalog(&x, p);
	if (res.sigs > EARLIER_MAX)
		return err_set(e, ERR_DOC_FOREIGN, "the PDF has %u signatures; %d can be judged beside a seal", res.sigs, EARLIER_MAX);
	*ret = res;
	return 0;
}
