#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "rules/pagefile.h"

#include "agent/deliver.h"
#include "agent/messages.h"
#include "agent/placepage.h"
#include "agent/placing.h"

#define PICTURE_MIB 1024

struct placing {
	placing_cb *done;
	int picture, html;           /* made so far; -1 */
	struct placepage *page;      /* under way */
	uint32_t show[PLACEPAGE_PAGES_MAX];
	size_t n, next;
	int32_t w, h;                /* of the page whose picture is being made */
};

void
placing_forget(struct job *j)
{
	struct placing *p = j->placing;

	if (p == NULL)
		return;
	io_close(&p->picture);
	io_close(&p->html);
	placepage_free(p->page);
	free(p);
	j->placing = NULL;
}

static int
put_one(struct job *j, const char *name, int fd, struct err *e)
{
	int r = io_unlink(j->dir, name, e);

	return r < 0 || fd < 0 ? r : io_put_fd(j->dir, name, fd, e);
}

int
placing_put(struct job *j, struct err *e)
{
	const struct placing *p = j->placing;
	int r = put_one(j, DELIVER_PICTURE, p == NULL ? -1 : p->picture, e);

	return r < 0 ? r : put_one(j, DELIVER_PAGE, p == NULL ? -1 : p->html, e);
}

/* --- tasks ------------------------------------------------------------------------------ */

/* The page as its reader sees it, into j->side. */
static int
draw(struct job *j, struct picture_params *p, task_cb *cb, struct err *e)
{
	struct job_task t = { .kind = doc_picture_task(j->inspect.kind), .out = &j->side, .as_mib = PICTURE_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };
	struct pagefile head;
	char name[24];
	AUTO_FD source = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_FD pf = -1;
	AUTO_BUF b = { 0 };
	int r;

	snprintf(name, sizeof(name), "pages/%u", p->page);
	if (source < 0 || (pf = openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return err_sys(e, ERR_IO, "page result");
	if ((r = pagefile_head(pf, &head, e)) < 0)
		return r;
	p->kind = j->inspect.kind;
	p->rotate = head.rotate;
	pagefile_view(&head, &p->width_mpt, &p->height_mpt);
	buf_init(&b, WIRE_PAYLOAD);
	picture_params_put(&b, p);
	t.params = &b;
	t.in = source;
	io_close(&j->side);
	return job_task(j, &t, cb, e);
}

static void
over(struct job *j, const struct err *why)
{
	struct placing *p = j->placing;

	if (why != NULL) {
		log_err(LOG_WARNING, "the page for a held document", why);
		placepage_free(p->page);
		p->page = NULL;
		io_close(&p->html);
	}
	io_close(&j->side);
	p->done(j);
}

static void on_page(void *ctx, const struct task_outcome *);

/* The next page's picture, or the end of the file. */
static void
next_page(struct job *j)
{
	struct placing *p = j->placing;
	struct picture_params params = { .gray = 1 };
	struct err e = { 0 };
	int r;

	if (p->next == p->n) {
		struct placepage *page = p->page;

		p->page = NULL;
		r = placepage_close(page, &e);
		over(j, r < 0 ? &e : NULL);
		return;
	}
	params.page = p->show[p->next];
	if (draw(j, &params, on_page, &e) < 0) {
		over(j, &e); /* p is gone with it */
		return;
	}
	p->w = params.width_mpt;
	p->h = params.height_mpt;
}

static void
on_page(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct placing *p = j->placing;
	struct err e = { 0 };

	j->busy = false;
	j->task = 0;
	if (o->err != NULL)
		over(j, o->err);
	else if (placepage_add(p->page, p->show[p->next++], p->w, p->h, j->side, &e) < 0)
		over(j, &e);
	else
		next_page(j);
}

static void
on_picture(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;

	j->busy = false;
	j->task = 0;
	if (o->err != NULL)
		log_err(LOG_WARNING, "picture for a held document", o->err);
	else
		j->placing->picture = take_fd(&j->side);
	if (j->placing->page != NULL)
		next_page(j);
	else
		over(j, NULL);
}

/* --- beginning -------------------------------------------------------------------------- */

/* Its sentence is the note's, unless the rule has one of its own. */
static int
begin_page(struct job *j, const struct question_record *q, const struct compose_result *plan, struct err *e)
{
	struct placing *p = j->placing;
	struct message m;
	struct placepage_spec s = { .folder = j->folder, .name = j->claim.name, .rule = q->rule, .reason = q->say, .plan = plan };

	if (j->folder == NULL)
		return 0;
	memcpy(s.sha256, j->claim.hash, HASH_LEN);
	if (q->say[0] == '\0') {
		message_make(j->folder->language, &q->why, q->word, &m);
		s.reason = m.what;
	}
	p->n = placepage_choose(j->inspect.pages, plan, p->show);
	if ((p->html = io_tmpfile(j->dir, e)) < 0)
		return p->html;
	return placepage_open(&p->page, p->html, &s, e);
}

int
placing_start(struct job *j, const struct question_record *q, const struct compose_result *plan, placing_cb *done,
    struct err *e)
{
	struct picture_params params = { .page = plan != NULL && plan->ncandidates > 0 ? plan->candidates[0].page : 0 };
	struct placing *p = calloc(1, sizeof(*p));
	int r;

	placing_forget(j);
	if (p == NULL)
		return err_set(e, ERR_MEM, "picture for a held document");
	*p = (struct placing){ .done = done, .picture = -1, .html = -1 };
	j->placing = p;
	for (uint32_t i = 0; plan != NULL && i < plan->ncandidates; i++)
		if (plan->candidates[i].page == params.page) {
			params.marks[params.nmarks].mark = MARK_CANDIDATE;
			params.marks[params.nmarks++].box = plan->candidates[i].box;
		}
	if ((r = begin_page(j, q, plan, e)) < 0 || (r = draw(j, &params, on_picture, e)) < 0)
		placing_forget(j);
	return r;
}
