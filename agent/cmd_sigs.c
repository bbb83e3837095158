#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/cmd_sigs.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/sealing.h"
#include "agent/siglist.h"

#define SIGS_MIB 1024
#define SIGS_MS 120000
#define JUDGE_MIB 256
#define JUDGE_MS 30000
#define SIGS_LIST_MAX ((uint64_t)SIGS_MAX * (SIGS_CMS_MAX + 4096))

static void
on_sigs(void *ctx, const struct task_outcome *o)
{
	struct cmd_sigs *s = ctx;

	if (o->err != NULL) {
		*s->err = *o->err;
		s->document = !o->lost && !o->starved && (o->crashed || o->timed_out || err_class(o->err->code) != ERR_CLASS_STOP);
	} else {
		sigs_result_get(o->result, &s->sigs, s->err);
	}
	loop_stop(s->loop);
}

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct cmd_sigs *s = ctx;

	if (o->err != NULL)
		*s->err = *o->err;
	else
		judge_result_get(o->result, &s->judged, s->err);
	loop_stop(s->loop);
}

/* A ByteRange that leaves the file is hashed as nothing; the judge sees the range and disproves. */
static int
hash_one(struct cmd_sigs *s, const uint64_t range[4], uint32_t i)
{
	if (!siglist_inside(range, s->file_len))
		return 0;
	return hash_ranges(s->file, range, s->params.range_hash[i], &s->params.range_wide[i], s->err);
}

/* All in front of the last signature; time stamps behind that one are its own. */
static void
mark_earlier(struct cmd_sigs *s, const uint64_t end[SIGS_MAX], const bool stamp[SIGS_MAX])
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < s->params.nsigs; i++)
		if (!stamp[i] && end[i] > last)
			last = end[i];
	for (uint32_t i = 0; i < s->params.nsigs; i++)
		s->params.earlier[i] = end[i] < last;
}

static int
take_list(struct cmd_sigs *s, struct buf *list)
{
	uint64_t end[SIGS_MAX];
	bool stamp[SIGS_MAX];
	struct sig_info one;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < s->params.nsigs; i++) {
		if ((r = sig_info_get(list, &one, s->err)) < 0)
			break;
		r = hash_one(s, one.range, i);
		end[i] = one.range[2] + one.range[3];
		stamp[i] = one.is_timestamp != 0;
		sig_info_done(&one);
	}
	if (r == 0)
		mark_earlier(s, end, stamp);
	return r;
}

static int
make_params(struct cmd_sigs *s)
{
	AUTO_FREE uint8_t *data = NULL;
	struct buf list;
	uint64_t len;
	int r;

	s->params = (struct judge_params){ .now_us = clock_wall_us(), .file_len = s->file_len, .nsigs = s->sigs.nsigs };
	if ((r = io_size(s->list, &len, s->err)) < 0)
		return r;
	if (len > SIGS_LIST_MAX || (data = malloc((size_t)len + 1)) == NULL)
		return err_set(s->err, ERR_MEM, "%llu bytes of signatures", (unsigned long long)len);
	if ((r = io_pread_full(s->list, data, (size_t)len, 0, s->err)) < 0)
		return r;
	buf_view(&list, data, (size_t)len);
	return take_list(s, &list);
}

static int
run_task(struct cmd_sigs *s, const struct task_req *req, task_cb *cb)
{
	if (children_task(s->children, req, cb, s) == 0)
		return err_set(s->err, ERR_MEM, "task");
	/* a program may have failed to start before the loop runs */
	if (s->err->code == ERR_OK)
		loop_run(s->loop, s->err);
	return -(int)s->err->code;
}

static int
judge_list(struct cmd_sigs *s)
{
	struct task_req sigs = { .kind = TASK_SIGS, .in = s->file, .out = s->list, .as_mib = SIGS_MIB, .cpu_s = 60,
		.fsize = SIGS_LIST_MAX, .deadline_ms = SIGS_MS };
	struct task_req judge = { .kind = TASK_JUDGE, .in = s->list, .out = -1, .as_mib = JUDGE_MIB, .cpu_s = 20,
		.deadline_ms = JUDGE_MS };
	AUTO_BUF none, params;
	int r;

	buf_init(&none, 0);
	buf_init(&params, WIRE_PAYLOAD);
	sigs.params = &none;
	judge.params = &params;
	if ((r = run_task(s, &sigs, on_sigs)) < 0 || (r = make_params(s)) < 0)
		return r;
	judge_params_put(&params, &s->params);
	return run_task(s, &judge, on_judged);
}

int
cmd_sigs_judge(struct cmd_sigs *s)
{
	int r;

	if ((s->list = memfd_create("signatures", MFD_CLOEXEC)) < 0)
		return err_sys(s->err, ERR_MEM, "list of signatures");
	r = judge_list(s);
	io_close(&s->list);
	return r;
}
