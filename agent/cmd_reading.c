#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/lib/io.h"

#include "agent/cmd.h"
#include "agent/cmd_reading.h"
#include "agent/pageread.h"
#include "agent/reload.h"

#define INSPECT_MIB 1024
#define INSPECT_MS 90000
#define AHEAD 4 /* pages a core that may be read before the first of them is given on */

/* --- tasks ------------------------------------------------------------------------------ */

/* A program that can not start would be tried again and again: say what it says. */
static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct reading *r = ctx;

	(void)role;
	(void)name;
	if (ready || why == NULL || why->code == ERR_OK || err_class(why->code) != ERR_CLASS_STOP)
		return;
	r->err = *why;
	loop_stop(r->loop);
}

/* Waits until a callback stops the loop. */
static int
wait_for(struct reading *r)
{
	/* a program may have failed to start before the loop runs */
	if (r->err.code == ERR_OK)
		loop_run(r->loop, &r->err);
	return -(int)r->err.code;
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct reading *r = ctx;

	if (o->err != NULL)
		r->err = *o->err;
	else
		inspect_result_get(o->result, &r->inspect, &r->err);
	loop_stop(r->loop);
}

static int
inspect(struct reading *r)
{
	AUTO_BUF none;
	struct task_req req = { .kind = TASK_INSPECT, .params = &none, .in = r->file, .out = -1, .as_mib = INSPECT_MIB,
		.cpu_s = 60, .deadline_ms = INSPECT_MS };

	buf_init(&none, 0);
	if (children_task(r->children, &req, on_inspected, r) == 0)
		return err_set(&r->err, ERR_MEM, "task");
	return wait_for(r);
}

/* --- pages ------------------------------------------------------------------------------- */

static void pump(struct reading *);

static bool
wanted(const struct reading *r, uint32_t page)
{
	return r->some == NULL || page_set_has(r->some, page);
}

/* What is read goes on in order, and is let go. */
static int
give_on(struct reading *r)
{
	for (; r->given < r->inspect.pages; r->given++) {
		struct reading_page *p = &r->pages[r->given];
		int rc;

		if (!wanted(r, r->given))
			continue;
		if (!p->read)
			break;
		if ((rc = r->each(r->ctx, r->given, p->fd, &r->err)) < 0)
			return rc;
		io_close(&p->fd);
		r->ahead--;
	}
	return 0;
}

static void
on_page(void *ctx, const struct task_outcome *o)
{
	struct reading_page *p = ctx;
	struct reading *r = p->reading;
	struct err e = { 0 };

	if (pageread_take(o, p->fd, r->hash, p->page, &r->mark, &e) < 0 && r->err.code == ERR_OK) {
		r->err = e;
		r->err.page = p->page + 1;
	}
	r->running--;
	p->read = true;
	if (r->err.code != ERR_OK || give_on(r) < 0 || r->given == r->inspect.pages)
		loop_stop(r->loop);
	else
		pump(r);
}

static int
page_start(struct reading *r, uint32_t page)
{
	struct reading_page *p = &r->pages[page];
	struct pageread ask = { .scan = &r->conf->scan, .source = r->file, .times = 1, .left = UINT64_MAX,
		.params = { .kind = r->inspect.kind, .page = page, .mark = r->mark } };

	if ((p->fd = ask.out = pageread_file(r->dir, &r->err)) < 0)
		return p->fd;
	memcpy(ask.params.key, r->hash, HASH_LEN);
	pageread_start(r->children, &ask, on_page, p);
	r->running++;
	r->ahead++;
	return 0;
}

/* As many at once as the settings say, or as there are cores. */
static void
pump(struct reading *r)
{
	const uint32_t workers = core_workers(r->conf);

	for (; r->running < workers && r->ahead < AHEAD * workers && r->next < r->inspect.pages; r->next++)
		if (wanted(r, r->next) && page_start(r, r->next) < 0) {
			loop_stop(r->loop);
			return;
		}
}

int
reading_pages(struct reading *r, const struct page_set *some, reading_page_cb *each, void *ctx)
{
	r->some = some;
	r->each = each;
	r->ctx = ctx;
	if ((r->pages = malloc(r->inspect.pages * sizeof(*r->pages))) == NULL)
		return err_set(&r->err, ERR_MEM, "pages");
	for (uint32_t i = 0; i < r->inspect.pages; i++)
		r->pages[i] = (struct reading_page){ .reading = r, .page = i, .fd = -1 };
	give_on(r); /* past those that nobody wants */
	if (r->given == r->inspect.pages)
		return 0;
	pump(r);
	return wait_for(r);
}

/* ------------------------------------------------------------------------------------------------ */

static int
open_file(struct reading *r)
{
	struct stat st;

	if ((r->file = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(r->file, &st) < 0)
		return err_sys(&r->err, ERR_IO, "the file");
	if (!S_ISREG(st.st_mode))
		return err_set(&r->err, ERR_USAGE, "not a regular file");
	if (st.st_size == 0)
		return err_set(&r->err, ERR_DOC_EMPTY, "the file is empty");
	if ((uint64_t)st.st_size > r->conf->scan.max_bytes)
		return err_set(&r->err, ERR_DOC_SIZE, "the file is larger than scan.max_bytes");
	return hash_fd(r->file, 0, UINT64_MAX, r->hash, &r->err);
}

int
reading_open(struct reading *r, const struct conf *conf, const char *path)
{
	const struct children_opts opts = { .conf = conf, .scan = true, .ocr = true, .state_dir = -1, .changed = on_change,
		.ctx = r };
	int rc;

	*r = (struct reading){ .conf = conf, .path = path, .file = -1, .dir = cmd_tmpdir() };
	if ((rc = open_file(r)) < 0 || (rc = loop_new(&r->loop, &r->err)) < 0 ||
	    (rc = children_open(&r->children, r->loop, &opts, &r->err)) < 0)
		return rc;
	return inspect(r);
}

void
reading_close(struct reading *r)
{
	children_close(r->children);
	loop_free(r->loop);
	for (uint32_t i = 0; r->pages != NULL && i < r->inspect.pages; i++)
		io_close(&r->pages[i].fd);
	free(r->pages);
	io_close(&r->file);
	io_close(&r->dir);
	r->children = NULL;
	r->loop = NULL;
	r->pages = NULL;
}

void
reading_tell_page(struct err *e)
{
	char text[ERR_TEXT_MAX];

	if (e->page == 0)
		return;
	snprintf(text, sizeof(text), "page %u: %.*s", e->page, (int)sizeof(text) - 24, e->text);
	memcpy(e->text, text, sizeof(text));
}
