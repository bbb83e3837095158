/*
 * sealroom try FILE --folder NAME [--png OUT] - what would happen to this file
 * in this folder, and why.
 *
 * The very tasks of the daemon: inspect, every page, and the rules, which here
 * also write down what they looked at (rules/explain.h).  The picture shows
 * the page with what was found, the candidates and the place of the seal.
 * Nothing is claimed, sealed or logged.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/pagefile.h"

#define INSPECT_MIB 1024
#define EXPLAIN_MIB 512
#define PICTURE_MIB 1536
#define TASK_MS 90000
#define TRACE_MAX (16 * 1024 * 1024)
#define MM_TO_MPT (720.0 / 0.254)

struct page_ctx {
	struct try *try;
	uint32_t page;
	int fd; /* its result */
};

struct try {
	const struct conf *conf;
	const struct conf_folder *folder;
	const char *path;              /* of the file */
	struct loop *loop;
	struct children *children;
	int file, trace_fd, picture;
	uint8_t hash[HASH_LEN];
	struct inspect_result inspect;
	struct page_ctx *pages;
	uint32_t next, running, done;
	struct compose_result *plan;
	json_t *trace;                 /* array, as rules/explain.h has it */
	struct err err;                /* code ERR_OK: all went well */
};

/* --- tasks ------------------------------------------------------------------------------ */

/* A program that can not start would be tried again and again: say what it says. */
static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct try *t = ctx;

	(void)role;
	(void)name;
	if (ready || why == NULL || why->code == ERR_OK || err_class(why->code) != ERR_CLASS_STOP)
		return;
	t->err = *why;
	loop_stop(t->loop);
}

/* Waits until a callback stops the loop. */
static int
wait_for(struct try *t)
{
	/* a program may have failed to start before the loop runs */
	if (t->err.code == ERR_OK)
		loop_run(t->loop, &t->err);
	return -(int)t->err.code;
}

static int
run_task(struct try *t, const struct task_req *req, task_cb *cb)
{
	if (children_task(t->children, req, cb, t) == 0)
		return err_set(&t->err, ERR_MEM, "task");
	return wait_for(t);
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct try *t = ctx;

	if (o->err != NULL)
		t->err = *o->err;
	else
		inspect_result_get(o->result, &t->inspect, &t->err);
	loop_stop(t->loop);
}

static int
inspect(struct try *t)
{
	AUTO_BUF none;
	struct task_req req = { .kind = TASK_INSPECT, .params = &none, .in = t->file, .out = -1, .as_mib = INSPECT_MIB,
		.cpu_s = 60, .deadline_ms = TASK_MS };

	buf_init(&none, 0);
	return run_task(t, &req, on_inspected);
}

/* --- pages ------------------------------------------------------------------------------- */

static void pages_pump(struct try *);

static void
on_page(void *ctx, const struct task_outcome *o)
{
	struct page_ctx *p = ctx;
	struct try *t = p->try;
	struct page_result res;
	struct err e = { 0 };

	if (o->err != NULL)
		e = *o->err;
	else if (page_result_get(o->result, &res, &e) == 0 && pagefile_check(p->fd, t->hash, &e) < 0)
		err_set(&e, ERR_DOC_CRASH, "the page came back damaged");
	if (e.code != ERR_OK && t->err.code == ERR_OK) {
		t->err = e;
		t->err.page = p->page + 1;
	}
	t->running--;
	t->done++;
	if (t->err.code != ERR_OK || t->done == t->inspect.pages)
		loop_stop(t->loop);
	else
		pages_pump(t);
}

static int
page_start(struct try *t, uint32_t page)
{
	const struct conf_scan *s = &t->conf->scan;
	struct page_params params = { .kind = t->inspect.kind, .page = page };
	struct task_req req = { .kind = TASK_PAGE, .in = t->file, .as_mib = (uint32_t)(s->page_memory >> 20),
		.cpu_s = (uint32_t)(s->page_ms / 1000 + 1), .fsize = UINT64_MAX, .deadline_ms = (uint32_t)s->page_ms };
	struct page_ctx *p = &t->pages[page];
	const char *tmp = getenv("TMPDIR");
	AUTO_FD dir = open(tmp != NULL && *tmp == '/' ? tmp : "/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_BUF b;

	buf_init(&b, 256);
	memcpy(params.key, t->hash, HASH_LEN);
	page_params_put(&b, &params);
	if ((p->fd = dir < 0 ? memfd_create("page", MFD_CLOEXEC) : io_tmpfile(dir, &t->err)) < 0)
		return t->err.code != ERR_OK ? -(int)t->err.code : err_sys(&t->err, ERR_IO, "page");
	req.params = &b;
	req.out = p->fd;
	if (children_task(t->children, &req, on_page, p) == 0)
		return err_set(&t->err, ERR_MEM, "task");
	t->running++;
	return 0;
}

/* As many at once as the settings say, or as there are cores. */
static void
pages_pump(struct try *t)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t workers = t->conf->scan.workers != 0 ? t->conf->scan.workers : cores > 0 ? (uint32_t)cores : 1;

	while (t->running < workers && t->next < t->inspect.pages)
		if (page_start(t, t->next++) < 0) {
			loop_stop(t->loop);
			return;
		}
}

/* A descriptor for each page result. */
static int
descriptors_raise(struct try *t)
{
	struct rlimit lim;
	rlim_t want = t->inspect.pages + 256;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_cur >= want)
		return 0;
	if (lim.rlim_max < want)
		return err_set(&t->err, ERR_DOC_PAGES, "%u pages are more than the %ju descriptors allowed here (ulimit -n)",
		    t->inspect.pages, (uintmax_t)lim.rlim_max);
	lim.rlim_cur = want;
	return setrlimit(RLIMIT_NOFILE, &lim) < 0 ? err_sys(&t->err, ERR_IO, "limit of descriptors") : 0;
}

static int
read_pages(struct try *t)
{
	int r;

	if ((r = descriptors_raise(t)) < 0)
		return r;
	if ((t->pages = malloc(t->inspect.pages * sizeof(*t->pages))) == NULL)
		return err_set(&t->err, ERR_MEM, "pages");
	for (uint32_t i = 0; i < t->inspect.pages; i++)
		t->pages[i] = (struct page_ctx){ t, i, -1 };
	pages_pump(t);
	return wait_for(t);
}

/* --- the rules ----------------------------------------------------------------------------- */

static int
give_page(void *ctx, uint32_t page)
{
	struct try *t = ctx;

	return page < t->inspect.pages ? fcntl(t->pages[page].fd, F_DUPFD_CLOEXEC, 3) : -1;
}

static void
on_explained(void *ctx, const struct task_outcome *o)
{
	struct try *t = ctx;

	if (o->err != NULL)
		t->err = *o->err;
	else
		compose_result_get(o->result, t->plan, &t->err);
	loop_stop(t->loop);
}

static int
trace_read(struct try *t)
{
	AUTO_FREE char *text = NULL;
	uint64_t len;
	int r;

	if ((r = io_size(t->trace_fd, &len, &t->err)) < 0)
		return r;
	if (len > TRACE_MAX || (text = malloc(len + 1)) == NULL)
		return err_set(&t->err, ERR_DOC_SIZE, "the explanation is too long");
	if ((r = io_pread_full(t->trace_fd, text, len, 0, &t->err)) < 0)
		return r;
	t->trace = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_array(t->trace) ? 0 : err_set(&t->err, ERR_DOC_CRASH, "the explanation came back damaged");
}

static int
explain(struct try *t)
{
	const char *slash = strrchr(t->path, '/');
	struct task_req req = { .kind = TASK_EXPLAIN, .in = t->file, .as_mib = EXPLAIN_MIB, .page = give_page,
		.fsize = TRACE_MAX, .cpu_s = 120 + t->inspect.pages / 10, .deadline_ms = 180000 + t->inspect.pages * 100 };
	struct compose_params p = { .received_us = clock_wall_us(), .kind = t->inspect.kind, .pages = t->inspect.pages };
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (id_new(p.id) < 0)
		return err_set(&t->err, ERR_IO, "no random numbers");
	snprintf(p.folder, sizeof(p.folder), "%s", t->folder->name);
	path_display(slash == NULL ? t->path : slash + 1, p.name, sizeof(p.name));
	memcpy(p.source_hash, t->hash, HASH_LEN);
	compose_params_put(&b, &p);
	if ((t->plan = calloc(1, sizeof(*t->plan))) == NULL || (t->trace_fd = memfd_create("trace", MFD_CLOEXEC)) < 0)
		return err_set(&t->err, ERR_MEM, "explanation");
	req.params = &b;
	req.out = t->trace_fd;
	if ((r = run_task(t, &req, on_explained)) < 0)
		return r;
	return trace_read(t);
}

/* --- the picture ---------------------------------------------------------------------------- */

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s == NULL ? "" : s;
}

/* The rule that decided, NULL when none did. */
static const json_t *
deciding(const struct try *t)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(t->trace, i, rule)
		if (json_is_true(json_object_get(rule, "matched")))
			return rule;
	return NULL;
}

static bool
box_of(const json_t *list, struct box *ret)
{
	int32_t v[4];

	for (size_t i = 0; i < 4; i++) {
		double mm = json_number_value(json_array_get(list, i));

		if (!(mm > -10000 && mm < 10000))
			return false;
		v[i] = (int32_t)(mm * MM_TO_MPT);
	}
	*ret = (struct box){ v[0], v[1], v[2], v[3] };
	return v[0] < v[2] && v[1] < v[3];
}

static void
mark_add(struct picture_params *p, enum mark mark, uint32_t page, const struct box *b)
{
	/* what was found leaves room for what matters more */
	if (page != p->page || p->nmarks >= (mark == MARK_FOUND ? MSG_CANDIDATES_MAX / 2 : MSG_CANDIDATES_MAX))
		return;
	p->marks[p->nmarks].mark = mark;
	p->marks[p->nmarks++].box = *b;
}

/* What the rule's words and values were found at. */
static void
mark_found(struct picture_params *p, const json_t *rule, const char *key)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rule, key), i, one) {
		const json_t *found = json_object_get(one, "found");
		json_int_t page = json_integer_value(json_object_get(found, "page"));
		struct box b;

		if (page > 0 && page <= UINT32_MAX && box_of(json_object_get(found, "box"), &b))
			mark_add(p, MARK_FOUND, (uint32_t)page - 1, &b);
	}
}

static void
on_picture(void *ctx, const struct task_outcome *o)
{
	struct try *t = ctx;

	if (o->err != NULL)
		t->err = *o->err;
	loop_stop(t->loop);
}

static void
picture_marks(const struct try *t, struct picture_params *p)
{
	const struct compose_result *plan = t->plan;

	/* later ones are drawn over earlier ones */
	mark_found(p, deciding(t), "when");
	mark_found(p, deciding(t), "finds");
	if (plan->place == PLACE_BOX)
		mark_add(p, MARK_PLACE, plan->place_page, &plan->place_box);
	for (uint32_t i = 0; i < plan->ncandidates; i++)
		mark_add(p, MARK_CANDIDATE, plan->candidates[i].page, &plan->candidates[i].box);
}

static int
picture_save(struct try *t, const char *path)
{
	AUTO_FD out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t len;
	int r;

	if (out < 0)
		return err_sys(&t->err, ERR_IO, "the picture");
	if ((r = io_size(t->picture, &len, &t->err)) < 0)
		return r;
	return io_copy(t->picture, 0, len, out, NULL, &t->err);
}

static int
picture(struct try *t, const char *path)
{
	const struct compose_result *plan = t->plan;
	uint32_t page = plan->place == PLACE_BOX ? plan->place_page : plan->ncandidates > 0 ? plan->candidates[0].page : 0;
	struct picture_params p = { .kind = t->inspect.kind, .page = page };
	struct task_req req = { .kind = TASK_PICTURE, .in = t->file, .as_mib = PICTURE_MIB, .cpu_s = 60,
		.fsize = UINT64_MAX, .deadline_ms = TASK_MS };
	struct pagefile head;
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (page >= t->inspect.pages)
		return err_set(&t->err, ERR_DOC_CRASH, "the explanation names a page that is not there");
	if ((r = pagefile_head(t->pages[page].fd, &head, &t->err)) < 0)
		return r;
	p.rotate = head.rotate;
	pagefile_view(&head, &p.width_mpt, &p.height_mpt);
	picture_marks(t, &p);
	picture_params_put(&b, &p);
	if ((t->picture = memfd_create("picture", MFD_CLOEXEC)) < 0)
		return err_sys(&t->err, ERR_IO, "picture");
	req.params = &b;
	req.out = t->picture;
	if ((r = run_task(t, &req, on_picture)) < 0)
		return r;
	return picture_save(t, path);
}

/* --- telling ---------------------------------------------------------------------------------- */

static json_t *
result_json(const struct try *t)
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
	if (p->hold != 0) {
		json_object_set_new(o, "hold", json_string(err_word((enum err_code)p->hold)));
		json_object_set_new(o, "hold_text", json_string(p->hold_text));
	}
	return o;
}

static json_t *
report_json(const struct try *t)
{
	char shown[1024];

	path_display(t->path, shown, sizeof(shown));
	return json_pack("{s:s, s:s, s:s, s:i, s:O, s:o}", "file", shown, "folder", t->folder->name, "kind",
	    doc_kind_name(t->inspect.kind), "pages", (int)t->inspect.pages, "rules", t->trace, "result", result_json(t));
}

/* Text that came out of a document: nothing in it may steer a terminal. */
static const char *
safe(const char *text, char dst[MSG_TEXT_MAX])
{
	path_display(text, dst, MSG_TEXT_MAX);
	return dst;
}

static void
print_box(const json_t *o)
{
	const json_t *b = json_object_get(o, "box");

	printf("page %d, %.1f %.1f to %.1f %.1f mm", (int)json_integer_value(json_object_get(o, "page")),
	    json_number_value(json_array_get(b, 0)), json_number_value(json_array_get(b, 1)),
	    json_number_value(json_array_get(b, 2)), json_number_value(json_array_get(b, 3)));
}

static void
print_match(const json_t *m)
{
	json_int_t typos = json_integer_value(json_object_get(m, "typos"));
	char text[MSG_TEXT_MAX];

	if (!json_is_object(m)) {
		printf("not there\n");
		return;
	}
	print_box(m);
	printf(": \"%s\"", safe(text_of(m, "text"), text));
	if (typos > 0)
		printf(", %d misread", (int)typos);
	printf("\n");
}

static void
print_place(const json_t *p)
{
	char text[MSG_TEXT_MAX];

	if (!json_is_object(p))
		return;
	printf("  place: ");
	if (json_is_array(json_object_get(p, "box"))) {
		print_box(p);
		printf(", ");
	}
	printf("%s\n", safe(text_of(p, "why"), text));
	if (*text_of(p, "covers") != '\0')
		printf("    it covers: \"%s\"\n", safe(text_of(p, "covers"), text));
}

static void
print_rule(const json_t *rule)
{
	char text[MSG_TEXT_MAX], more[MSG_TEXT_MAX];
	const json_t *one;
	size_t i;

	printf("rule %s: %s: %s\n", safe(text_of(rule, "rule"), text),
	    json_is_true(json_object_get(rule, "matched")) ? "applies" : "does not apply", safe(text_of(rule, "why"), more));
	json_array_foreach(json_object_get(rule, "when"), i, one) {
		printf("  %s \"%s\": ", safe(text_of(one, "list"), text), safe(text_of(one, "phrase"), more));
		print_match(json_object_get(one, "found"));
	}
	json_array_foreach(json_object_get(rule, "finds"), i, one) {
		bool value = json_is_string(json_object_get(one, "value"));

		printf("  find %s: %s%s%s", safe(text_of(one, "name"), text), value ? "\"" : "no value",
		    value ? safe(text_of(one, "value"), more) : "", value ? "\"" : "");
		if (*text_of(one, "after") != '\0')
			printf(" in \"%s\"", safe(text_of(one, "text"), text));
		if (*text_of(one, "after") != '\0')
			printf(" behind \"%s\"", safe(text_of(one, "after"), more));
		printf("\n");
	}
	json_array_foreach(json_object_get(rule, "anchors"), i, one) {
		printf("  %s: ", json_is_true(json_object_get(one, "chosen")) ? "chosen" : "also there");
		print_match(one);
	}
	print_place(json_object_get(rule, "place"));
}

static void
report_print(const struct try *t)
{
	const struct compose_result *p = t->plan;
	char shown[1024];
	const json_t *rule;
	size_t i;

	path_display(t->path, shown, sizeof(shown));
	printf("%s: %s, %u page%s, folder %s\n", shown, doc_kind_name(t->inspect.kind), t->inspect.pages,
	    t->inspect.pages == 1 ? "" : "s", t->folder->name);
	json_array_foreach(t->trace, i, rule)
		print_rule(rule);
	if (p->hold != 0) {
		path_display(p->hold_text, shown, sizeof(shown));
		printf("it would be held: %s: %s\n", err_word((enum err_code)p->hold), shown);
		return;
	}
	path_display(p->name, shown, sizeof(shown));
	printf("it would be sealed with %s%s%s\n", p->seal, *shown != '\0' ? " as " : "", shown);
}

/* ------------------------------------------------------------------------------------------------ */

static int
open_file(struct try *t)
{
	struct stat st;
	int r;

	if ((t->file = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(t->file, &st) < 0)
		return err_sys(&t->err, ERR_IO, "the file");
	if (!S_ISREG(st.st_mode))
		return err_set(&t->err, ERR_USAGE, "not a regular file");
	if (st.st_size == 0)
		return err_set(&t->err, ERR_DOC_EMPTY, "the file is empty");
	if ((uint64_t)st.st_size > t->conf->scan.max_bytes)
		return err_set(&t->err, ERR_DOC_SIZE, "the file is larger than scan.max_bytes");
	if ((r = hash_fd(t->file, 0, UINT64_MAX, t->hash, &t->err)) < 0)
		return r;
	return 0;
}

static int
work(struct try *t, const char *png)
{
	const struct children_opts opts = { .conf = t->conf, .scan = true, .ocr = true, .state_dir = -1,
		.changed = on_change, .ctx = t };
	int r;

	if ((r = open_file(t)) < 0 || (r = loop_new(&t->loop, &t->err)) < 0)
		return r;
	if ((r = children_open(&t->children, t->loop, &opts, &t->err)) == 0 && (r = inspect(t)) == 0 &&
	    (r = read_pages(t)) == 0 && (r = explain(t)) == 0 && png != NULL)
		r = picture(t, png);
	children_close(t->children);
	loop_free(t->loop);
	return r;
}

static void
try_done(struct try *t)
{
	for (uint32_t i = 0; t->pages != NULL && i < t->inspect.pages; i++)
		io_close(&t->pages[i].fd);
	free(t->pages);
	free(t->plan);
	json_decref(t->trace);
	io_close(&t->file);
	io_close(&t->trace_fd);
	io_close(&t->picture);
}

/* The page belongs to what went wrong. */
static int
fail(struct cmd_args *a, struct err *e)
{
	char text[ERR_TEXT_MAX];

	if (e->page != 0) {
		snprintf(text, sizeof(text), "page %u: %.*s", e->page, (int)sizeof(text) - 24, e->text);
		memcpy(e->text, text, sizeof(text));
	}
	return cmd_fail(a, e);
}

int
cmd_try(struct cmd_args *a)
{
	struct try t = { .file = -1, .trace_fd = -1, .picture = -1 };
	const char *folder = NULL, *png = NULL;
	struct conf *conf;
	int status;

	if (cmd_option(a, "--folder", &folder) < 0 || cmd_option(a, "--png", &png) < 0 || a->argc != 2 || folder == NULL)
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	t.conf = conf;
	t.path = a->argv[1];
	if ((t.folder = conf_folder(conf, folder)) == NULL) {
		err_set(&t.err, ERR_USAGE, "there is no folder '%s' in the settings", folder);
		status = cmd_fail(a, &t.err);
	} else if (work(&t, png) < 0) {
		status = fail(a, &t.err);
	} else if (a->json) {
		status = cmd_json(report_json(&t));
	} else {
		report_print(&t);
		status = cmd_done(EX_OK);
	}
	if (status == EX_OK && t.plan->hold != 0)
		status = EX_DATAERR;
	try_done(&t);
	conf_free(conf);
	return status;
}
