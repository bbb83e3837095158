#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "seal/evidence/entry.h"

#include "agent/core.h"
#include "agent/jsonput.h"
#include "agent/stack.h"

/*
 * A withdrawal is a record in the job, `withdrawn`, and a step: whatever works
 * for the job comes to its end first, then job_step() finds the record.  So a
 * restart finds it too.  Once the token was asked it is too late: the signature
 * may be there, and only `void` can speak about it.
 */

int
withdrawal_put(struct job *j, const struct withdrawal *w, struct err *e)
{
	json_t *o = json_pack("{s:i, s:I, s:b, s:s}", "v", 1, "uid", (json_int_t)w->uid, "quiet", w->quiet, "text", w->text);
	AUTO_FREE char *text = o != NULL ? json_text(o, JSON_INDENT(1)) : NULL;

	json_decref(o);
	if (text == NULL)
		return err_set(e, ERR_MEM, "withdrawal");
	return io_replace(j->dir, "withdrawn", text, strlen(text), 0600, e);
}

int
withdrawal_get(struct job *j, struct withdrawal *ret, struct err *e)
{
	const char *text;
	json_int_t uid;
	int quiet, r;
	json_t *o;
	AUTO_BUF b;

	buf_init(&b, 64 * 1024);
	if ((r = record_get(j->dir, "withdrawn", &b, e)) < 0)
		return r;
	o = json_loadb((const char *)b.data, b.len, 0, NULL);
	if (o == NULL || json_unpack(o, "{s:I, s:b, s:s}", "uid", &uid, "quiet", &quiet, "text", &text) < 0) {
		json_decref(o);
		return err_set(e, ERR_IO, "record withdrawn is damaged");
	}
	*ret = (struct withdrawal){ .uid = (uint32_t)uid, .quiet = quiet };
	snprintf(ret->text, sizeof(ret->text), "%s", text);
	json_decref(o);
	return 0;
}

static int
may_withdraw(struct job *j, struct err *e)
{
	int r;

	if (j->dead || j->aside || j->core->stopping)
		return err_set(e, ERR_USAGE, "job %s can not be withdrawn now", j->claim.id);
	if ((r = stack_is(j, e)) < 0)
		return r;
	if (j->divided || r == 1)
		return err_set(e, ERR_USAGE, "job %s is divided already; withdraw its documents one by one", j->claim.id);
	switch (j->state) {
	case SPOOL_CLAIMED:
		return 0;
	case SPOOL_RENDERED:
		if (!io_exists(j->dir, "attempt"))
			return 0;
		break;
	case SPOOL_HELD:
		if (j->settled && !io_exists(j->dir, "decision"))
			return 0;
		return err_set(e, ERR_USAGE, "job %s is just being handed out or decided; try again in a moment", j->claim.id);
	case SPOOL_REFUSED:
		return err_set(e, ERR_USAGE, "job %s is refused already", j->claim.id);
	default:
		break;
	}
	return err_set(e, ERR_USAGE, "job %s: the token was asked for its seal already; use void", j->claim.id);
}

/* The stamp is drawn, or being drawn, and nobody needs it; or the clock is asked about, and others ask for themselves. */
static void
stop_field(struct job *j)
{
	if (j->state != SPOOL_RENDERED || (j->sealwork == NULL && !j->probing))
		return;
	if (j->task != 0)
		children_cancel(j->core->children, j->task);
	j->task = 0;
	stamping_probe_over(j);
	sealing_forget(j);
	j->busy = false;
	io_close(&j->out);
}

int
job_withdraw(struct job *j, const struct withdrawal *w, struct err *e)
{
	int r;

	if ((r = may_withdraw(j, e)) < 0 || (r = withdrawal_put(j, w, e)) < 0)
		return r;
	j->withdrawn = true;
	j->settled = false;
	stop_field(j);
	if (j->pages_running > 0) /* the last of them hands it over */
		err_set(&j->why, ERR_DOC_WITHDRAWN, "%s", w->text);
	else if (!j->busy)
		job_step_soon(j, 0);
	return 0;
}

bool
withdraw_step(struct job *j)
{
	struct withdrawal w;
	struct err e = { 0 };

	if (j->pages_running > 0 || (j->state != SPOOL_CLAIMED && j->state != SPOOL_RENDERED && j->state != SPOOL_HELD) ||
	    (j->state == SPOOL_RENDERED && io_exists(j->dir, "attempt")))
		return false;
	if (j->state == SPOOL_HELD) {
		outcome_unhold_withdrawn(j);
		return true;
	}
	if (withdrawal_get(j, &w, &e) < 0) {
		job_trouble(j, &e);
		return true;
	}
	err_set(&e, ERR_DOC_WITHDRAWN, "%s", w.text);
	outcome_refuse(j, &e);
	return true;
}

int
entry_withdraw(struct job *j, struct entry *x, struct err *e)
{
	struct withdrawal w;
	int r;

	if ((r = withdrawal_get(j, &w, e)) < 0)
		return r;
	logbook_job(j->core, j, x);
	snprintf(x->text, sizeof(x->text), "%s", w.text);
	x->has_operator = true;
	x->operator_uid = w.uid;
	return 0;
}
