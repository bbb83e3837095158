#include <sys/mman.h>

#include "agent/lib/io.h"
#include "rules/pagefile.h"

#include "agent/core.h"
#include "agent/pageread.h"

#define OUT_MAX (512ull << 20) /* 150 million pixels in colour, not packed at all */

int
pageread_file(int dir, struct err *e)
{
	int fd;

	if (dir >= 0)
		return io_tmpfile(dir, e);
	return (fd = memfd_create("page", MFD_CLOEXEC)) < 0 ? err_sys(e, ERR_IO, "page") : fd;
}

static uint64_t
out_max(const struct pageread *p)
{
	uint64_t most = OUT_MAX * p->times;

	return p->left < most ? p->left : most;
}

uint64_t
pageread_start(struct children *c, const struct pageread *p, task_cb *cb, void *ctx)
{
	struct page_params params = p->params;
	struct task_req req = { .kind = doc_page_task(params.kind), .in = p->source, .out = p->out,
		.as_mib = ((uint32_t)(p->scan->page_memory >> 20) + input_mib(p->source)) * p->times,
		.cpu_s = (uint32_t)(p->scan->page_ms / 1000 + 1) * p->times, .fsize = out_max(p),
		.deadline_ms = (uint32_t)p->scan->page_ms * p->times, .behind = p->behind };
	AUTO_BUF b;

	buf_init(&b, 256);
	if (params.mark.page > params.page)
		params.mark = (struct page_mark){ 0 };
	page_params_put(&b, &params);
	req.params = &b;
	return children_task(c, &req, cb, ctx);
}

int
pageread_take(const struct task_outcome *o, int out, const uint8_t key[static HASH_LEN], uint32_t page, struct page_mark *mark,
    struct err *e)
{
	struct pagefile_check whole;
	struct page_result res;
	int r;

	if (o->err != NULL) {
		*e = *o->err;
		return -(int)e->code;
	}
	if ((r = page_result_get(o->result, &res, e)) < 0)
		return r;
	if ((r = pagefile_begin_check(out, key, &whole, e)) < 0)
		return r == -ERR_DOC_CRASH ? err_set(e, ERR_DOC_CRASH, "the page came back damaged") : r;
	if (res.mark.page == page && page >= mark->page)
		*mark = res.mark;
	return 0;
}
