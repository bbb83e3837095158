/*
 * b_place.c - reads pages once and asks the rules where their seals go.
 *
 *	b_place DIR CACHE [FILE]   DIR: as tests/tools/make-pages made it
 *
 * Pages are read by the very code of a page child and kept in CACHE, so that a
 * change of the rules costs no recognition; whoever calls must give another
 * CACHE when the reading itself has changed.  Prints one JSON object a page:
 * file, hold, hold_text, box (mpt), and the microseconds the rules took; for a
 * FILE alone also what the rules looked at.  The last object says what a
 * hundred rules that do not apply cost a page.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "rules/conf.h"
#include "rules/rules.h"
#include "scan/inspect.h"
#include "scan/ocr.h"
#include "scan/page.h"

#define WORKERS 2
#define PAGES_MAX 20000

static struct err e;
static struct scan_state state;
static const char *dir, *cache;

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "b_place: %s: %s\n", what, e.text);
	exit(99);
}

static const char *
named(const char *where, const char *file, const char *suffix)
{
	static char path[4][4096]; /* as many as are in use at once */
	static unsigned which;

	which = (which + 1) % 4;
	snprintf(path[which], sizeof(path[0]), "%s/%s%s", where, file, suffix);
	return path[which];
}

/* --- reading ------------------------------------------------------------------------------- */

static int
read_page(const char *file)
{
	const char *to = named(cache, file, ".part");
	int in = open(named(dir, file, ""), O_RDONLY | O_CLOEXEC), out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct page_params params = { .page = 0 };
	struct inspect_result kind;
	struct page_result res;
	int r;

	if (in < 0 || out < 0)
		return err_sys(&e, ERR_IO, "opening");
	if ((r = inspect_doc(in, &state.conf->scan, 0, &kind, &e)) < 0)
		return r;
	params.kind = kind.kind;
	if ((r = page_make(&state, &params, in, out, &res, &e)) < 0)
		return r;
	return rename(to, named(cache, file, ".page")) < 0 ? err_sys(&e, ERR_IO, "renaming") : 0;
}

static void
reap(void)
{
	int status;

	if (wait(&status) > 0 && status != 0)
		exit(99); /* the child said why */
}

/* A child a page, as in the daemon: what one leaves behind does not matter to the next. */
static void
read_all(json_t *pages)
{
	json_t *p;
	size_t i;
	int running = 0;

	json_array_foreach(pages, i, p) {
		const char *file = json_string_value(json_object_get(p, "file"));

		if (access(named(cache, file, ".page"), R_OK) == 0)
			continue;
		if (running == WORKERS)
			reap();
		else
			running++;
		switch (fork()) {
		case -1:
			die("fork");
		case 0:
			if (read_page(file) < 0)
				fprintf(stderr, "b_place: %s: %s\n", file, e.text);
			_exit(e.code == ERR_OK ? 0 : 99);
		}
	}
	while (running-- > 0)
		reap();
}

/* --- deciding ------------------------------------------------------------------------------ */

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static json_t *
answer(const char *file, const struct compose_result *r, double us)
{
	json_t *o = json_pack("{s:s, s:f}", "file", file, "us", us);
	const struct box *b = &r->place_box;

	if (r->hold != 0) {
		json_object_set_new(o, "hold", json_string(err_word((enum err_code)r->hold)));
		json_object_set_new(o, "hold_text", json_string(r->hold_text));
	} else if (r->place == PLACE_BOX) {
		json_object_set_new(o, "box", json_pack("[i,i,i,i]", b->x0, b->y0, b->x1, b->y1));
	}
	return o;
}

static int
ink_of(void *ctx, uint32_t page, struct ink *ret, struct err *why)
{
	(void)page;
	return pagefile_ink(*(const int *)ctx, ret, why);
}

static void
place_page(const char *file, const char *folder, bool told)
{
	int fd = open(named(cache, file, ".page"), O_RDONLY | O_CLOEXEC);
	json_t *trace = told ? json_array() : NULL, *o;
	struct page_words words = { 0 };
	struct doc_words doc = { .npages = 1, .pages = &words, .source_name = file, .ink = ink_of, .ctx = &fd };
	struct compose_result r = { 0 };
	struct pagefile pf;
	double began;

	if (fd < 0 || pagefile_read(fd, &pf, &e) < 0)
		die(file);
	pagefile_view(&pf, &words.width, &words.height);
	words.nwords = pf.nwords;
	words.words = pf.words;
	began = now_us();
	if (rules_decide(state.conf, conf_folder(state.conf, folder), &doc, NULL, &r, trace, &e) < 0)
		die(file);
	o = answer(file, &r, now_us() - began);
	if (told) {
		json_object_set_new(o, "rules", trace);
		for (uint32_t i = 0; i < pf.nwords; i++)
			fprintf(stderr, "%u.%u %s\n", pf.words[i].block, pf.words[i].line, pf.words[i].text);
	}
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(o);
	pagefile_done(&pf);
	close(fd);
}

/* --- what a hundred rules cost ------------------------------------------------------------------ */

#define RULES 100

/* Two phrases a rule, of words like those of letters, with a typo allowed; none is on the pages. */
static struct conf *
many_rules(void)
{
	static const char *const first[] = { "Rech", "Lie", "Ver", "Auf", "Be", "Ab", "Zu", "Bei", "Nach", "Um" };
	static const char *const middle[] = { "nungs", "fer", "trags", "stell", "zahl", "rech", "mahn", "steuer", "dienst", "pfleg" };
	static const char *const last[] = { "amtsblatt", "ungsplan", "scheinheft", "ordnungen", "rollenbuch" };
	char order[2000] = "", *text = malloc(64 * 1024);
	size_t len = 0, olen = 0;
	struct conf *c;

	if (text == NULL)
		abort();
	for (int i = 0; i < RULES; i++)
		olen += (size_t)snprintf(order + olen, sizeof(order) - olen, "%s\"r%d\"", i > 0 ? ", " : "", i);
	len = (size_t)sprintf(text, "folders : { in : { path = \"/in\"; rules = [ %s ]; seals = [ \"s\" ]; }; };\nrules : {\n", order);
	for (int i = 0; i < RULES; i++)
		len += (size_t)sprintf(text + len,
		    "r%d : { when = { any = [ \"%s%s%s\", \"%s%s %s%s\" ]; typos = 1; }; place = \"invisible\"; seal = \"s\"; };\n", i,
		    first[i % 10], middle[i / 10], last[i % 5], first[i / 10], middle[i % 10], first[(i + 3) % 10], last[i % 5]);
	sprintf(text + len, "};\nseals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
	    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
	    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n");
	if (conf_parse(&c, text, &e) < 0)
		die("a hundred rules");
	free(text);
	return c;
}

static void
rules_cost(json_t *pages)
{
	struct conf *c = many_rules();
	double all = 0;
	size_t i, words = 0;
	json_t *p;

	json_array_foreach(pages, i, p) {
		AUTO_FD fd = open(named(cache, json_string_value(json_object_get(p, "file")), ".page"), O_RDONLY | O_CLOEXEC);
		struct page_words page = { 0 };
		struct doc_words doc = { .npages = 1, .pages = &page, .source_name = "x" };
		struct compose_result r = { 0 };
		struct pagefile pf;
		double began;

		if (fd < 0 || pagefile_read(fd, &pf, &e) < 0)
			die("a page");
		page.nwords = pf.nwords;
		page.words = pf.words;
		words += pf.nwords;
		began = now_us();
		if (rules_decide(c, conf_folder(c, "in"), &doc, NULL, &r, NULL, &e) < 0)
			die("a hundred rules");
		all += now_us() - began;
		pagefile_done(&pf);
	}
	printf("{\"rules\": %d, \"us_a_page\": %.1f, \"words_a_page\": %.1f}\n", RULES, all / (double)i, (double)words / (double)i);
	conf_free(c);
}

static json_t *
truth_read(const char *only)
{
	FILE *f = fopen(named(dir, "truth.jsonl", ""), "r");
	json_t *all = json_array(), *one;

	while (f != NULL && (one = json_loadf(f, JSON_DISABLE_EOF_CHECK, NULL)) != NULL && json_array_size(all) < PAGES_MAX)
		if (only == NULL || strcmp(json_string_value(json_object_get(one, "file")), only) == 0)
			json_array_append_new(all, one);
		else
			json_decref(one);
	if (f == NULL || json_array_size(all) == 0)
		die("truth.jsonl");
	fclose(f);
	return all;
}

int
main(int argc, char **argv)
{
	const char *only = argc > 3 ? argv[3] : NULL;
	struct conf *conf;
	json_t *pages, *p;
	size_t i;

	if (argc < 3)
		return 64;
	dir = argv[1];
	cache = argv[2];
	if (conf_load(&conf, named(dir, "pages.conf", ""), &e) < 0)
		die("settings");
	state.conf = conf;
	if (ocr_open(&state.ocr, &conf->scan.languages, &e) < 0)
		die("recognition");
	pages = truth_read(only);
	read_all(pages);
	json_array_foreach(pages, i, p)
		place_page(json_string_value(json_object_get(p, "file")), json_string_value(json_object_get(p, "folder")), only != NULL);
	if (only == NULL)
		rules_cost(pages);
	json_decref(pages);
	conf_free(conf);
	/* without the destructors of the recognition library, as the programs do */
	fflush(stdout);
	_exit(0);
}
