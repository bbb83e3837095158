/*
 * sealroom words FILE [--format tsv|hocr|alto] [--pages LIST] - the words of a
 * file, with their boxes and how sure the engine was of each.
 *
 * Pages are read as the daemon reads them; a page that has words of its own
 * gives those.  They are written as they come, in order: no more than a few
 * are held, however many there are.
 */
#include <string.h>

#include "agent/lib/path.h"
#include "agent/lib/proc.h"
#include "rules/pagefile.h"

#include "agent/cmd.h"
#include "agent/cmd_reading.h"
#include "agent/cmd_wordformat.h"

struct words {
	const struct word_format *format;
	const char *list; /* of pages; NULL: all */
	struct reading r;
	struct page_set some;
	struct word_about about;
	struct peer_status scan;
	char shown[1024];
};

static int
on_page(void *ctx, uint32_t page, int fd, struct err *e)
{
	struct words *w = ctx;
	struct pagefile p;
	int r;

	if ((r = pagefile_read(fd, &p, e)) < 0)
		return r;
	w->format->page(stdout, &w->about, page, &p);
	pagefile_done(&p);
	return ferror(stdout) ? err_set(e, ERR_IO, "standard output does not take it") : 0;
}

static const char *
engine_name(struct words *w)
{
	for (uint32_t i = 0; i < children_count(w->r.children); i++) {
		children_status(w->r.children, i, &w->scan);
		if (w->scan.scan != NULL)
			return w->scan.scan->engine;
	}
	return "";
}

static int
choose(struct words *w)
{
	page_set_init(&w->some, w->r.inspect.pages);
	if (w->list == NULL || page_set_read(&w->some, w->list))
		return 0;
	return err_set(&w->r.err, ERR_USAGE, "--pages %s: the file has %u; write as \"2,5-9\" or \"7-\"", w->list,
	    w->r.inspect.pages);
}

/* From the first byte of output on an error has its place behind it. */
static int
work(struct cmd_args *a, struct words *w)
{
	int r;

	if (reading_open(&w->r, w->r.conf, a->argv[1]) < 0 || choose(w) < 0)
		return cmd_fail(a, &w->r.err);
	w->about = (struct word_about){ .name = w->shown, .engine = engine_name(w), .version = build_version };
	w->format->begin(stdout, &w->about);
	if ((r = reading_pages(&w->r, w->list == NULL ? NULL : &w->some, on_page, w)) == 0) {
		w->format->end(stdout, &w->about);
		return cmd_done(EX_OK);
	}
	reading_tell_page(&w->r.err);
	if (a->json) {
		w->about.err = &w->r.err;
		w->format->end(stdout, &w->about);
		a->json = false; /* the one value is written */
	}
	fflush(stdout);
	return cmd_fail(a, &w->r.err);
}

int
cmd_words(struct cmd_args *a)
{
	static struct words w = { .r.file = -1, .r.dir = -1 };
	const char *format = a->json ? "json" : "tsv";
	const char *slash;
	struct conf *conf;
	int status;

	if (cmd_option(a, "--format", &format) < 0 || cmd_option(a, "--pages", &w.list) < 0 || a->argc != 2 ||
	    (w.format = word_format(format)) == NULL || a->json != (strcmp(format, "json") == 0))
		return cmd_usage(a);
	if ((status = cmd_conf(a, &conf)) != EX_OK)
		return status;
	w.r.conf = conf;
	slash = strrchr(a->argv[1], '/');
	path_display(slash == NULL ? a->argv[1] : slash + 1, w.shown, sizeof(w.shown));
	status = work(a, &w);
	reading_close(&w.r);
	conf_free(conf);
	return status;
}
