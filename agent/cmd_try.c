/*
 * sealroom try FILE --folder NAME [--png OUT [--page N] | --daemon] - what would happen to
 * this file in this folder, and why; sealroom place FILE --folder NAME --out OUT -
 * the page on which a person shows the place of the seal.
 *
 * What the daemon would do (trial.h), with children of our own or by the daemon
 * itself.  The picture shows the page with what was found, the candidates and the
 * place of the seal, or page N and its mark.  Nothing is claimed, sealed or logged.
 */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/control.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/messages.h"
#include "agent/placepage.h"
#include "agent/reload.h"
#include "agent/trial.h"
#include "rules/pagefile.h"

#define PICTURE_MIB 1536
#define TASK_MS 90000
#define TRACE_MAX (16 * 1024 * 1024)
#define DESCRIPTORS 256  /* beside those of the pages */
#define DAEMON_MS 330000 /* a trial takes five minutes at most there */
#define MM_TO_MPT (720.0 / 0.254)

struct try {
	const struct conf *conf;
	struct loop *loop;
	struct children *children;     /* NULL: not started yet; they serve one file after another */
	struct err down;               /* a program can not start: there is nothing to wait for, ever */
	/* of one file */
	const struct conf_folder *folder;
	const char *path;
	uint32_t show;                 /* page of the result for the picture, from 1; 0: that of the seal */
	int file, dir, picture;
	struct trial *trial;
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
	t->err = t->down = *why;
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

static void
on_tried(void *ctx, const struct err *why)
{
	struct try *t = ctx;

	if (why != NULL)
		t->err = *why;
	loop_stop(t->loop);
}

/* As many descriptors as we may have: each page result is one. */
static uint32_t
pages_max(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return DESCRIPTORS;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0 || lim.rlim_max <= DESCRIPTORS)
		return DESCRIPTORS;
	return lim.rlim_max - DESCRIPTORS > UINT32_MAX ? UINT32_MAX : (uint32_t)(lim.rlim_max - DESCRIPTORS);
}

static const char *
name_of(const struct try *t)
{
	const char *slash = strrchr(t->path, '/');

	return slash == NULL ? t->path : slash + 1;
}

static int
consider(struct try *t)
{
	struct trial_spec s = { .loop = t->loop, .children = t->children, .conf = t->conf, .folder = t->folder, .name = name_of(t),
		.file = t->file, .workers = core_workers(t->conf), .pages_max = pages_max(), .pages_more = "see ulimit -n",
		.trace_max = TRACE_MAX, .done = on_tried, .ctx = t };
	int r;

	if ((r = hash_fd(t->file, 0, UINT64_MAX, s.hash, &t->err)) < 0)
		return r;
	s.dir = t->dir = cmd_tmpdir();
	if ((r = trial_start(&t->trial, &s, &t->err)) < 0)
		return r;
	return wait_for(t);
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

	json_array_foreach(t->trial->trace, i, rule)
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

/* A place as the trace tells it, "page" and the box under that key. */
static void
mark_told(struct picture_params *p, enum mark mark, const json_t *told, const char *key, json_int_t page)
{
	struct box b;

	if (page > 0 && page <= UINT32_MAX && box_of(json_object_get(told, key), &b))
		mark_add(p, mark, (uint32_t)page - 1, &b);
}

/* What the rule's words and values were found at. */
static void
mark_found(const struct compose_result *plan, struct picture_params *p, const json_t *rule, const char *key)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(rule, key), i, one) {
		const json_t *found = json_object_get(one, "found");
		json_int_t page = json_integer_value(json_object_get(found, "page"));

		if (page > 0 && page <= UINT32_MAX) /* of the result; the picture shows the source */
			mark_told(p, MARK_FOUND, found, "box", (json_int_t)compose_source_page(plan, (uint32_t)page - 1) + 1);
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
	const struct compose_result *plan = t->trial->plan;

	/* later ones are drawn over earlier ones */
	mark_found(plan, p, deciding(t), "when");
	mark_found(plan, p, deciding(t), "finds");
	mark_told(p, MARK_REFUSED, json_object_get(deciding(t), "place"), "ideal", (json_int_t)p->page + 1);
	if (plan->place == PLACE_BOX)
		mark_add(p, MARK_PLACE, compose_source_page(plan, plan->place_page), &plan->place_box);
	for (uint32_t i = 0; i < plan->marks.pages.pages; i++)
		if (page_set_has(&plan->marks.pages, i))
			mark_add(p, MARK_PLACE, compose_source_page(plan, i), seal_marks_box(&plan->marks, i));
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

/* Of the page that p names, as its reader sees it, into t->picture; the rest of p is filled in. */
static int
draw(struct try *t, struct picture_params *p)
{
	struct task_req req = { .kind = doc_picture_task(t->trial->inspect.kind), .in = t->file, .as_mib = PICTURE_MIB, .cpu_s = 60,
		.fsize = UINT64_MAX, .deadline_ms = TASK_MS };
	struct pagefile head;
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	if (p->page >= t->trial->inspect.pages)
		return err_set(&t->err, ERR_DOC_CRASH, "the explanation names a page that is not there");
	if ((r = pagefile_head(trial_page(t->trial, p->page), &head, &t->err)) < 0)
		return r;
	p->kind = t->trial->inspect.kind;
	p->rotate = head.rotate;
	pagefile_view(&head, &p->width_mpt, &p->height_mpt);
	picture_params_put(&b, p);
	io_close(&t->picture);
	if ((t->picture = memfd_create("picture", MFD_CLOEXEC)) < 0)
		return err_sys(&t->err, ERR_IO, "picture");
	req.params = &b;
	req.out = t->picture;
	children_task(t->children, &req, on_picture, t);
	return wait_for(t);
}

/* The page of the source that the picture shows. */
static uint32_t
picture_page(const struct try *t)
{
	const struct compose_result *plan = t->trial->plan;

	if (t->show > 0)
		return compose_source_page(plan, t->show - 1);
	if (plan->place == PLACE_BOX)
		return compose_source_page(plan, plan->place_page);
	return plan->ncandidates > 0 ? plan->candidates[0].page : 0;
}

static int
picture(struct try *t, const char *path)
{
	struct picture_params p = { .page = picture_page(t) };
	int r;

	if (t->show > 0 && p.page >= t->trial->inspect.pages)
		return err_set(&t->err, ERR_USAGE, "--page %u: there are not so many", t->show);
	picture_marks(t, &p);
	return (r = draw(t, &p)) < 0 ? r : picture_save(t, path);
}

/* --- the page on which a person shows the place ------------------------------------------------ */

static int
add_pages(struct try *t, struct placepage *page)
{
	uint32_t show[PLACEPAGE_PAGES_MAX];
	size_t n = placepage_choose(t->trial->inspect.pages, t->trial->plan, show);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct picture_params p = { .page = show[i], .gray = 1 };

		if ((r = draw(t, &p)) == 0)
			r = placepage_add(page, show[i], p.width_mpt, p.height_mpt, t->picture, &t->err);
	}
	return r;
}

static int
place_page(struct try *t, const char *path)
{
	const struct compose_result *plan = t->trial->plan;
	AUTO_FD out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct placepage_spec s = { .folder = t->folder, .name = name_of(t), .reason = "",
		.rule = plan->rule, .plan = plan };
	struct placepage *page;
	struct err why = { .code = plan->hold };
	struct message m;
	int r;

	if (out < 0)
		return err_sys(&t->err, ERR_IO, "%s", path);
	memcpy(s.sha256, t->trial->spec.hash, HASH_LEN);
	if (plan->hold != 0) {
		message_make(t->folder->language, &why, plan->hold_word, &m);
		s.reason = m.what;
	}
	if ((r = placepage_open(&page, out, &s, &t->err)) < 0)
		return r;
	if ((r = add_pages(t, page)) == 0)
		return placepage_close(page, &t->err);
	placepage_free(page);
	return r;
}

/* --- telling ---------------------------------------------------------------------------------- */

static json_t *
report_json(const struct try *t)
{
	char shown[1024];

	path_display(t->path, shown, sizeof(shown));
	return trial_report(t->trial, shown);
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

/* How far the place is from where it would be, along one axis. */
static double
off(const json_t *p, size_t axis)
{
	return json_number_value(json_array_get(json_object_get(p, "box"), axis)) -
	    json_number_value(json_array_get(json_object_get(p, "ideal"), axis));
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
	if (json_is_array(json_object_get(p, "ideal")) && json_is_array(json_object_get(p, "box")))
		printf("    moved by %.1f mm\n", hypot(off(p, 0), off(p, 1)));
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
		if (json_is_boolean(json_object_get(one, "holds")))
			printf("%s: \"%s\"\n", json_is_true(json_object_get(one, "holds")) ? "yes" : "no", safe(text_of(one, "text"), text));
		else
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
print_signature(const json_t *s)
{
	const char *who = text_of(s, "subject");
	char text[MSG_TEXT_MAX], more[MSG_TEXT_MAX];
	const json_t *reason;
	size_t i;

	printf("signature \"%s\": %s, %s%s\n", safe(text_of(s, "field"), text), text_of(s, "verdict"),
	    *who != '\0' ? safe(who, more) : "(nobody known)",
	    json_is_true(json_object_get(s, "covers_document")) ? "" : ", covers an earlier revision");
	json_array_foreach(json_object_get(s, "reasons"), i, reason)
		printf("  - %s\n", safe(json_string_value(reason), text));
}

/* Pages in a row are one range: "1-3, 5". */
static void
print_pages(const json_t *pages)
{
	const json_t *one;
	size_t i;
	json_int_t first = 0;

	json_array_foreach(pages, i, one) {
		json_int_t page = json_integer_value(one), next = json_integer_value(json_array_get(pages, i + 1));

		if (first == 0)
			printf("%s%" JSON_INTEGER_FORMAT, i > 0 ? ", " : "", first = page);
		if (next == page + 1)
			continue;
		if (first != page)
			printf("-%" JSON_INTEGER_FORMAT, page);
		first = 0;
	}
}

static void
print_mark(const json_t *m)
{
	const json_t *pages = json_object_get(m, "pages"), *b = json_object_get(m, "box_pt");

	printf("  mark on page%s ", json_array_size(pages) == 1 ? "" : "s");
	print_pages(pages);
	printf(": %.1f %.1f to %.1f %.1f pt\n", json_number_value(json_array_get(b, 0)), json_number_value(json_array_get(b, 1)),
	    json_number_value(json_array_get(b, 2)), json_number_value(json_array_get(b, 3)));
}

static void
print_documents(const json_t *documents)
{
	const json_t *one;
	size_t i;

	printf("it would be divided into %zu documents: pages", json_array_size(documents));
	json_array_foreach(documents, i, one) {
		const int first = (int)json_integer_value(json_array_get(one, 0)), last = (int)json_integer_value(json_array_get(one, 1));

		printf(last > first ? "%s %d-%d" : "%s %d", i > 0 ? "," : "", first, last);
	}
	printf("\n");
}

static void
report_print(const json_t *report)
{
	const json_t *result = json_object_get(report, "result"), *rule, *signature, *mark;
	int pages = (int)json_integer_value(json_object_get(report, "pages"));
	char text[MSG_TEXT_MAX], more[MSG_TEXT_MAX];
	size_t i;

	printf("%s: %s, %d page%s, folder %s\n", text_of(report, "file"), text_of(report, "kind"), pages, pages == 1 ? "" : "s",
	    text_of(report, "folder"));
	json_array_foreach(json_object_get(report, "signatures"), i, signature)
		print_signature(signature);
	json_array_foreach(json_object_get(report, "rules"), i, rule)
		print_rule(rule);
	if (json_is_string(json_object_get(result, "hold"))) {
		printf("it would be held: %s: %s\n", text_of(result, "hold"), safe(text_of(result, "hold_text"), text));
		return;
	}
	if (json_is_array(json_object_get(result, "documents"))) {
		print_documents(json_object_get(result, "documents"));
		return;
	}
	printf("it would be sealed with %s%s%s\n", safe(text_of(result, "seal"), more), *text_of(result, "name") != '\0' ? " as " : "",
	    safe(text_of(result, "name"), text));
	json_array_foreach(json_object_get(result, "marks"), i, mark)
		print_mark(mark);
}

/* ------------------------------------------------------------------------------------------------ */

static int
open_file(struct try *t)
{
	struct stat st;

	if ((t->file = open(t->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0 || fstat(t->file, &st) < 0)
		return err_sys(&t->err, ERR_IO, "the file");
	if (!S_ISREG(st.st_mode))
		return err_set(&t->err, ERR_USAGE, "not a regular file");
	if ((uint64_t)st.st_size > t->conf->scan.max_bytes)
		return err_set(&t->err, ERR_DOC_SIZE, "%llu bytes, and scan.max_bytes is %llu", (unsigned long long)st.st_size,
		    (unsigned long long)t->conf->scan.max_bytes);
	return 0;
}

static int
programs_start(struct try *t)
{
	const struct children_opts opts = { .conf = t->conf, .scan = true, .verify = true, .ocr = true, .state_dir = -1,
		.changed = on_change, .ctx = t };
	int r;

	if (t->children != NULL)
		return 0;
	if (t->loop == NULL && (r = loop_new(&t->loop, &t->err)) < 0)
		return r;
	return children_open(&t->children, t->loop, &opts, &t->err);
}

static int
work(struct try *t, const char *png, const char *html)
{
	int r;

	if ((r = open_file(t)) < 0 || (r = programs_start(t)) < 0 || (r = consider(t)) < 0)
		return r;
	if (png != NULL && (r = picture(t, png)) < 0)
		return r;
	return html != NULL ? place_page(t, html) : 0;
}

static void
try_init(struct try *t, const struct conf *conf)
{
	*t = (struct try){ .conf = conf, .file = -1, .dir = -1, .picture = -1 };
}

static void
file_done(struct try *t)
{
	trial_free(t->trial);
	t->trial = NULL;
	io_close(&t->file);
	io_close(&t->dir);
	io_close(&t->picture);
}

static void
try_done(struct try *t)
{
	file_done(t);
	children_close(t->children);
	loop_free(t->loop);
}

struct try *
try_new(const struct conf *conf)
{
	struct try *t = malloc(sizeof(*t));

	if (t != NULL)
		try_init(t, conf);
	return t;
}

void
try_free(struct try *t)
{
	if (t == NULL)
		return;
	try_done(t);
	free(t);
}

int
try_file(struct try *t, const struct conf_folder *folder, const char *path, json_t **ret, struct err *e)
{
	int r;

	t->folder = folder;
	t->path = path;
	t->err = t->down;
	if ((r = work(t, NULL, NULL)) == 0 && (*ret = report_json(t)) == NULL)
		r = err_set(&t->err, ERR_MEM, "the answer");
	if (r < 0)
		*e = t->err;
	file_done(t);
	return r;
}

static const struct conf_folder *
folder_of(const struct conf *conf, const char *name, struct err *e)
{
	const struct conf_folder *f = conf_folder(conf, name);

	if (f == NULL)
		err_set(e, ERR_USAGE, "there is no folder '%s' in the settings", name);
	return f;
}

/* With children of our own: the report, or NULL with *status. */
static json_t *
try_here(struct cmd_args *a, const struct conf *conf, const char *folder, const char *png, uint32_t show, int *status)
{
	json_t *report = NULL;
	struct try t;

	try_init(&t, conf);
	t.path = a->argv[1];
	t.show = show;
	if ((t.folder = folder_of(conf, folder, &t.err)) != NULL && work(&t, png, NULL) == 0 && (report = report_json(&t)) == NULL)
		err_set(&t.err, ERR_MEM, "the answer");
	if (report == NULL)
		*status = cmd_fail(a, &t.err);
	try_done(&t);
	return report;
}

/* The daemon's answer, likewise: it gets the file's last name only. */
static json_t *
try_there(struct cmd_args *a, const struct conf *conf, const char *folder, int *status)
{
	const struct try named = { .path = a->argv[1] };
	json_t *request = json_pack("{s:s, s:s, s:s}", "op", "try", "folder", folder, "name", name_of(&named));
	json_t *report = NULL;
	struct err e = { 0 };
	char shown[1024];
	AUTO_FD fd = -1;

	if (request == NULL) {
		err_set(&e, ERR_USAGE, "a name in UTF-8 is needed");
		*status = cmd_fail(a, &e);
	} else if ((fd = cmd_open_document(a->argv[1], &e)) < 0) {
		json_decref(request);
		*status = cmd_fail(a, &e);
	} else if (control_ask_fd(conf->control, request, fd, DAEMON_MS, &report, &e) < 0) {
		*status = cmd_fail_ask(a, &e);
	} else {
		path_display(a->argv[1], shown, sizeof(shown));
		json_object_set_new(report, "file", json_string(shown));
	}
	return report;
}

/* --page; 0: not given.  False: no number of a page, or no picture to show it. */
static bool
page_option(struct cmd_args *a, const char *png, uint32_t *ret)
{
	const char *text = NULL;
	char *end = NULL;
	unsigned long n;

	*ret = 0;
	if (cmd_option(a, "--page", &text) < 0)
		return false;
	if (text == NULL)
		return true;
	n = strtoul(text, &end, 10);
	*ret = (uint32_t)n;
	return png != NULL && *text >= '1' && *text <= '9' && *end == '\0' && n <= PAGE_SET_MAX;
}

int
cmd_try(struct cmd_args *a)
{
	const char *folder = NULL, *png = NULL;
	uint32_t show;
	bool daemon = cmd_flag(a, "--daemon"), held;
	struct conf *conf;
	json_t *report;
	int status;

	if (cmd_option(a, "--folder", &folder) < 0 || cmd_option(a, "--png", &png) < 0 || !page_option(a, png, &show) || a->argc != 2 ||
	    folder == NULL || (daemon && png != NULL))
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	report = daemon ? try_there(a, conf, folder, &status) : try_here(a, conf, folder, png, show, &status);
	if (report != NULL) {
		held = json_is_string(json_object_get(json_object_get(report, "result"), "hold"));
		if (!a->json)
			report_print(report);
		status = a->json ? cmd_json(json_incref(report)) : cmd_done(EX_OK);
		if (status == EX_OK && held)
			status = EX_DATAERR;
	}
	json_decref(report);
	conf_free(conf);
	return status;
}

/* `sealroom place`: the page that would lie beside it, were it held. */
int
cmd_place(struct cmd_args *a)
{
	const char *folder = NULL, *out = NULL;
	struct conf *conf;
	struct try t;
	int status;

	if (cmd_option(a, "--folder", &folder) < 0 || cmd_option(a, "--out", &out) < 0 || a->argc != 2 || folder == NULL || out == NULL)
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	message_open(NULL);
	try_init(&t, conf);
	t.path = a->argv[1];
	if ((t.folder = folder_of(conf, folder, &t.err)) == NULL || work(&t, NULL, out) < 0)
		status = cmd_fail(a, &t.err);
	try_done(&t);
	conf_free(conf);
	return status;
}
