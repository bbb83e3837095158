#include "agent/lib/buf.h"
#include "agent/lib/taskmsg.h"

#include "scan/field.h"
#include "scan/finish.h"

int
finish_run(struct task *t, struct err *e)
{
	struct field_params params;
	struct field_result result;
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (field_params_get(&t->params, &params, e) < 0 ||
	    field_append(t->in, t->out, FIELD_TIMESTAMP, &params, NULL, false, &result, e) < 0)
		return -(int)e->code;
	field_result_put(&b, &result);
	return task_result(t, &b, e);
}
