#include <stdlib.h>

#include "scan/objects.h"

#define WAITING_MAX (16u << 20)

struct walk {
	struct pdfin *p;
	struct pdfin_bits *seen;
	qpdf_oh *waiting; /* containers to look into; handles are ours to release */
	size_t n, cap;
};

static bool
is_container(struct pdfin *p, qpdf_oh oh)
{
	return qpdf_oh_is_dictionary(p->q, oh) || qpdf_oh_is_array(p->q, oh) || qpdf_oh_is_stream(p->q, oh);
}

/* Takes the handle over. */
static int
wait(struct walk *w, qpdf_oh oh, struct err *e)
{
	if ((qpdf_oh_is_indirect(w->p->q, oh) && !pdfin_bits_first(w->seen, w->p, oh)) || !is_container(w->p, oh)) {
		qpdf_oh_release(w->p->q, oh);
		return 0;
	}
	if (w->n == w->cap) {
		size_t cap = w->cap == 0 ? 1024 : 2 * w->cap;
		qpdf_oh *more = cap > WAITING_MAX ? NULL : reallocarray(w->waiting, cap, sizeof(*more));

		if (more == NULL)
			return err_set(e, ERR_MEM, "objects of the PDF");
		w->waiting = more;
		w->cap = cap;
	}
	w->waiting[w->n++] = oh;
	return 0;
}

static int
wait_for_values(struct walk *w, qpdf_oh dict, struct err *e)
{
	int r = 0;

	qpdf_oh_begin_dict_key_iter(w->p->q, dict);
	while (r == 0 && qpdf_oh_dict_more_keys(w->p->q))
		r = wait(w, qpdf_oh_get_key(w->p->q, dict, qpdf_oh_dict_next_key(w->p->q)), e);
	return r;
}

static int
wait_for_items(struct walk *w, qpdf_oh array, struct err *e)
{
	int r = 0, n = pdfin_items(w->p, array);

	for (int i = 0; r == 0 && i < n; i++)
		r = wait(w, qpdf_oh_get_array_item(w->p->q, array, i), e);
	return r;
}

static int
look_into(struct walk *w, qpdf_oh oh, objects_cb *cb, void *ctx, struct err *e)
{
	qpdf_data q = w->p->q;
	qpdf_oh dict;
	int r;

	if (qpdf_oh_is_array(q, oh))
		return wait_for_items(w, oh, e);
	if ((r = cb(ctx, w->p, oh, e)) < 0)
		return r;
	if (!qpdf_oh_is_stream(q, oh))
		return wait_for_values(w, oh, e);
	dict = qpdf_oh_get_dict(q, oh);
	r = wait_for_values(w, dict, e);
	qpdf_oh_release(q, dict);
	return r;
}

int
objects_walk(struct pdfin *p, objects_cb *cb, void *ctx, struct err *e)
{
	struct walk w = { .p = p, .seen = pdfin_bits_new() };
	int r = w.seen == NULL ? err_set(e, ERR_MEM, "objects of the PDF") : wait(&w, qpdf_get_root(p->q), e);

	while (r == 0 && w.n > 0) {
		qpdf_oh oh = w.waiting[--w.n];

		r = look_into(&w, oh, cb, ctx, e);
		qpdf_oh_release(p->q, oh);
	}
	free(w.waiting);
	pdfin_bits_free(w.seen);
	return r;
}
