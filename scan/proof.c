#include "agent/lib/buf.h"
#include "agent/lib/taskmsg.h"

#include "scan/pdfwrite.h"
#include "scan/proof.h"
#include "scan/scan.h"
#include "scan/stamp.h"

static int
draw(int out, const struct look *look, const struct field_params *p, struct err *e)
{
	const struct stamp s = { .width = p->place_box.x1, .height = p->place_box.y1, .turn = { 1, 0, 0, 1 }, .look = look,
		.qr = p->qr, .nlines = p->nlines, .lines = p->lines };
	struct pdf *pdf = NULL;
	uint32_t form;
	int r = pdf_open(&pdf, out, PDF_TABLE, NULL, "1.7", e);

	if (r == 0)
		r = stamp_draw(pdf, &s, &form, e);
	pdf_free(pdf);
	return r;
}

int
proof_run(struct task *t, struct err *e)
{
	const struct scan_state *s = t->role_state;
	const struct look *look;
	struct field_params params;
	AUTO_BUF none;

	buf_init(&none, WIRE_PAYLOAD);
	if (field_params_get(&t->params, &params, e) < 0)
		return -(int)e->code;
	if ((look = look_of(s->looks, params.seal)) == NULL)
		return err_set(e, ERR_CONF, "proof: no seal \"%s\" in the settings", params.seal);
	if (params.place_box.x1 <= 0 || params.place_box.y1 <= 0)
		return err_set(e, ERR_PEER, "proof: a box without an inside");
	if (draw(t->out, look, &params, e) < 0)
		return -(int)e->code;
	return task_result(t, &none, e);
}
