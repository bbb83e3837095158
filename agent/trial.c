#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/codes.h"

#include "agent/core.h"
#include "agent/earlier.h"
#include "agent/markjson.h"
#include "agent/pageread.h"
#include "agent/trial.h"

#define INSPECT_MIB 1024
#define EXPLAIN_MIB 512
#define TASK_MS 90000
#define LIST_MAX (16u << 20) /* of signatures */

struct trial_page {
	struct trial *trial;
	uint32_t page;
	int fd; /* its result */
	uint64_t task;
};

/* --- beginning and end --------------------------------------------------------------------- */

/* The page belongs to what went wrong. */
static void
end(struct trial *t, const struct err *why)
{
	struct err e;

	if (why->page != 0) {
		err_set(&e, why->code, "page %u: %s", why->page, why->text);
		why = &e;
	}
	t->spec.done(t->spec.ctx, why);
}

void
trial_free(struct trial *t)
{
	if (t == NULL)
		return;
	if (t->task != 0)
		children_cancel(t->spec.children, t->task);
	for (uint32_t i = 0; t->pages != NULL && i < t->inspect.pages; i++) {
		if (t->pages[i].task != 0)
			children_cancel(t->spec.children, t->pages[i].task);
		io_close(&t->pages[i].fd);
	}
	free(t->pages);
	if (t->steps != NULL)
		steps_cancel(t->steps);
	free(t->plan);
	free(t->judged);
	free(t->params);
	json_decref(t->trace);
	io_close(&t->trace_fd);
	io_close(&t->list_fd);
	free(t);
}

int
trial_page(const struct trial *t, uint32_t page)
{
	return page < t->inspect.pages ? t->pages[page].fd : -1;
}

/* --- the rules ----------------------------------------------------------------------------- */

static int
give_page(void *ctx, uint32_t page)
{
	const struct trial *t = ctx;

	if (page < t->inspect.pages)
		return fcntl(t->pages[page].fd, F_DUPFD_CLOEXEC, 3);
	errno = ERANGE;
	return -1;
}

static int
trace_read(struct trial *t, struct err *e)
{
	AUTO_FREE char *text = NULL;
	uint64_t len;
	int r;

	if ((r = io_size(t->trace_fd, &len, e)) < 0)
		return r;
	if (len > t->spec.trace_max)
		return err_set(e, ERR_DOC_SIZE, "the explanation is too long");
	if ((text = malloc(len + 1)) == NULL)
		return err_set(e, ERR_MEM, "explanation");
	if ((r = io_pread_full(t->trace_fd, text, len, 0, e)) < 0)
		return r;
	t->trace = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_array(t->trace) ? 0 : err_set(e, ERR_DOC_CRASH, "the explanation came back damaged");
}

/* What a job is asked apart from the rules. */
static void
hold_by_signatures(struct trial *t)
{
	struct err why = { 0 };

	if (t->judged == NULL || (earlier_forbids(&t->inspect, &why) == 0 &&
	        earlier_wants_person(&t->spec.conf->scan, t->judged, &why) == 0))
		return;
	page_set_init(&t->plan->outside, 0);
	t->plan->hold = (uint32_t)why.code;
	snprintf(t->plan->hold_text, sizeof(t->plan->hold_text), "%s", why.text);
	t->plan->hold_word[0] = '\0';
}

static void
on_explained(void *ctx, const struct task_outcome *o)
{
	struct trial *t = ctx;
	struct err e = { 0 };

	t->task = 0;
	if (o->err != NULL)
		e = *o->err;
	else if (compose_result_get(o->result, t->plan, &e) == 0)
		trace_read(t, &e);
	if (e.code != ERR_OK) {
		end(t, &e);
		return;
	}
	hold_by_signatures(t);
	t->spec.done(t->spec.ctx, NULL);
}

static int
explain(struct trial *t, struct err *e)
{
	struct task_req req = { .kind = TASK_EXPLAIN, .in = t->spec.file, .as_mib = EXPLAIN_MIB + input_mib(t->spec.file),
		.page = give_page, .fsize = t->spec.trace_max, .cpu_s = 120 + t->inspect.pages / 10,
		.deadline_ms = 180000 + t->inspect.pages * 100, .behind = t->spec.behind };
	struct compose_params p = { .received_us = clock_wall_us(), .kind = t->inspect.kind, .pages = t->inspect.pages,
		.stack = t->spec.folder->stack == STACK_HOLD ? STACK_MAY_NOT : STACK_MAY };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (id_new(p.id) < 0)
		return err_set(e, ERR_IO, "no random numbers");
	snprintf(p.folder, sizeof(p.folder), "%s", t->spec.folder->name);
	path_display(t->spec.name, p.name, sizeof(p.name));
	memcpy(p.source_hash, t->spec.hash, HASH_LEN);
	if (t->judged != NULL)
		earlier_tell(&t->inspect, t->judged, &p);
	compose_params_put(&b, &p);
	if ((t->plan = calloc(1, sizeof(*t->plan))) == NULL)
		return err_set(e, ERR_MEM, "explanation");
	if ((t->trace_fd = memfd_create("trace", MFD_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "explanation");
	req.params = &b;
	req.out = t->trace_fd;
	t->task = children_task(t->spec.children, &req, on_explained, t);
	return 0;
}

/* --- pages ------------------------------------------------------------------------------- */

static int pages_pump(struct trial *, struct err *);

static void
on_page(void *ctx, const struct task_outcome *o)
{
	struct trial_page *p = ctx;
	struct trial *t = p->trial;
	struct err e = { 0 };
	int r;

	p->task = 0;
	t->running--;
	if ((r = pageread_take(o, p->fd, t->spec.hash, p->page, &t->mark, &e)) < 0)
		e.page = p->page + 1;
	else if (++t->read == t->inspect.pages)
		r = explain(t, &e);
	else
		r = pages_pump(t, &e);
	if (r < 0)
		end(t, &e);
}

static int
page_start(struct trial *t, uint32_t page, struct err *e)
{
	struct trial_page *p = &t->pages[page];
	struct pageread ask = { .scan = &t->spec.conf->scan, .source = t->spec.file, .times = 1, .left = UINT64_MAX, .behind = t->spec.behind,
		.params = { .kind = t->inspect.kind, .page = page, .mark = t->mark, .codes = codes_wanted(t->spec.folder) } };

	if ((p->fd = ask.out = pageread_file(t->spec.dir, e)) < 0)
		return p->fd;
	memcpy(ask.params.key, t->spec.hash, HASH_LEN);
	p->task = pageread_start(t->spec.children, &ask, on_page, p);
	t->running++;
	return 0;
}

static int
pages_pump(struct trial *t, struct err *e)
{
	int r = 0;

	while (r == 0 && t->running < t->spec.workers && t->next < t->inspect.pages)
		r = page_start(t, t->next++, e);
	return r;
}

static int
read_pages(struct trial *t, struct err *e)
{
	uint32_t n = t->inspect.pages;

	if (n > t->spec.pages_max) {
		t->inspect.pages = 0;
		return err_set(e, ERR_USAGE, "%u pages, and %u can be tried in this way; %s", n, t->spec.pages_max,
		    t->spec.pages_more);
	}
	if ((t->pages = malloc(n * sizeof(*t->pages))) == NULL)
		return err_set(e, ERR_MEM, "pages");
	for (uint32_t i = 0; i < n; i++)
		t->pages[i] = (struct trial_page){ t, i, -1, 0 };
	return pages_pump(t, e);
}

/* --- signatures that came with it --------------------------------------------------------- */

static void
on_judged(void *ctx, const struct task_outcome *o)
{
	struct trial *t = ctx;
	struct err e = { 0 };

	t->task = 0;
	if (o->err != NULL)
		e = *o->err;
	else if ((t->judged = calloc(1, sizeof(*t->judged))) == NULL)
		err_set(&e, ERR_MEM, "signatures");
	else if (judge_result_get(o->result, t->judged, &e) == 0)
		read_pages(t, &e);
	if (e.code != ERR_OK)
		end(t, &e);
}

static void
on_hashed(void *ctx, const struct err *why)
{
	struct trial *t = ctx;
	struct task_req req = { .kind = TASK_JUDGE, .in = t->list_fd, .out = -1, .as_mib = 256, .cpu_s = 20,
		.deadline_ms = TASK_MS };
	AUTO_BUF b = { 0 };

	t->steps = NULL;
	if (why != NULL) {
		end(t, why);
		return;
	}
	buf_init(&b, WIRE_PAYLOAD);
	t->params->now_us = clock_wall_us();
	judge_params_put(&b, t->params);
	req.params = &b;
	t->task = children_task(t->spec.children, &req, on_judged, t);
}

static int
hash_start(struct trial *t, const struct sigs_result *found, struct err *e)
{
	struct siglist list;
	int r;

	if (found->nsigs != t->inspect.sigs)
		return err_set(e, ERR_DOC_CRASH, "the list of its signatures came back damaged");
	if ((r = siglist_read(&list, t->list_fd, found->nsigs, t->size, e)) < 0)
		return r;
	if ((t->params = calloc(1, sizeof(*t->params))) == NULL)
		return err_set(e, ERR_MEM, "signatures");
	t->params->file_len = t->size;
	t->params->nsigs = list.n;
	memset(t->params->earlier, 1, list.n);
	t->steps = steps_new(t->spec.loop, t);
	siglist_hash(&list, t->steps, t->spec.file, t->params);
	steps_go(t->steps, on_hashed);
	return 0;
}

static void
on_listed(void *ctx, const struct task_outcome *o)
{
	struct trial *t = ctx;
	struct sigs_result found;
	struct err e = { 0 };

	t->task = 0;
	if (o->err != NULL)
		e = *o->err;
	else if (sigs_result_get(o->result, &found, &e) == 0)
		hash_start(t, &found, &e);
	if (e.code != ERR_OK)
		end(t, &e);
}

static int
list_start(struct trial *t, struct err *e)
{
	struct task_req req = { .kind = TASK_SIGS, .in = t->spec.file, .as_mib = INSPECT_MIB + input_mib(t->spec.file), .cpu_s = 60,
		.fsize = LIST_MAX, .deadline_ms = TASK_MS, .behind = t->spec.behind };
	AUTO_BUF none;

	buf_init(&none, 0);
	if ((t->list_fd = memfd_create("signatures", MFD_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "signatures");
	req.params = &none;
	req.out = t->list_fd;
	t->task = children_task(t->spec.children, &req, on_listed, t);
	return 0;
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct trial *t = ctx;
	struct err e = { 0 };

	t->task = 0;
	if (o->err != NULL)
		e = *o->err;
	else if (inspect_result_get(o->result, &t->inspect, &e) == 0 && t->inspect.sigs > 0)
		list_start(t, &e);
	else if (e.code == ERR_OK)
		read_pages(t, &e);
	if (e.code != ERR_OK)
		end(t, &e);
}

int
trial_start(struct trial **ret, const struct trial_spec *spec, struct err *e)
{
	struct task_req req = { .kind = TASK_INSPECT, .in = spec->file, .out = -1,
		.as_mib = INSPECT_MIB + input_mib(spec->file), .cpu_s = 60, .deadline_ms = TASK_MS, .behind = spec->behind };
	struct trial *t;
	uint64_t size;
	int r;

	if ((r = io_size(spec->file, &size, e)) < 0)
		return r;
	if (size == 0)
		return err_set(e, ERR_DOC_EMPTY, "the file is empty");
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return err_set(e, ERR_MEM, "trial");
	t->spec = *spec;
	t->size = size;
	t->trace_fd = t->list_fd = -1;
	t->task = children_task(spec->children, &req, on_inspected, t);
	*ret = t;
	return 0;
}

/* --- telling ------------------------------------------------------------------------------- */

/* Of a stack that would be divided: which pages are one document. */
static json_t *
documents_json(const struct compose_result *p)
{
	json_t *list = json_array();
	struct page_range r;

	for (uint32_t i = 0; page_set_rest(&p->outside, i, &r); i++)
		json_array_append_new(list, json_pack("[i, i]", (int)r.first + 1, (int)r.last + 1));
	return list;
}

static json_t *
result_json(const struct trial *t)
{
	static const char *const modes[] = { "none", "box", "invisible" };
	const struct compose_result *p = t->plan;
	const struct box *b = &p->place_box;
	json_t *values = json_object(), *o;

	for (uint32_t i = 0; i < p->nvalues; i++)
		json_object_set_new(values, p->values[i].key, json_string(p->values[i].value));
	o = json_pack("{s:s, s:s, s:s, s:s, s:o}", "rule", p->rule, "seal", p->seal, "name", p->name, "mode",
	    p->place <= PLACE_INVISIBLE ? modes[p->place] : "", "values", values);
	if (p->place == PLACE_BOX) {
		json_object_set_new(o, "page", json_integer((json_int_t)p->place_page + 1));
		/* exact, in 1/1000 pt; the rule's own entry has it in mm */
		json_object_set_new(o, "box_mpt", json_pack("[i, i, i, i]", b->x0, b->y0, b->x1, b->y1));
	}
	if (p->hold == 0 && page_set_count(&p->marks.pages) > 0)
		json_object_set_new(o, "marks", mark_json(&p->marks));
	if (p->outside.pages != 0) {
		json_object_set_new(o, "divide", json_integer(page_set_rests(&p->outside)));
		json_object_set_new(o, "documents", documents_json(p));
	}
	if (p->hold != 0) {
		json_object_set_new(o, "hold", json_string(err_word((enum err_code)p->hold)));
		json_object_set_new(o, "hold_text", json_string(p->hold_text));
	}
	return o;
}

static json_t *
signatures_json(const struct trial *t)
{
	json_t *list = json_array();

	for (uint32_t i = 0; t->judged != NULL && i < t->judged->nsigs; i++)
		json_array_append_new(list, earlier_sig_json(&t->judged->sigs[i]));
	return list;
}

json_t *
trial_report(const struct trial *t, const char *shown)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:O, s:o}", "file", shown, "folder", t->spec.folder->name, "kind",
	    doc_kind_name(t->inspect.kind), "pages", (int)t->inspect.pages, "signatures", signatures_json(t), "rules", t->trace, "result", result_json(t));
}
