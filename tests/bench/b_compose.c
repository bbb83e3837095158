/*
 * b_compose.c - what composing a long document costs in memory.
 *
 *	b_compose PAGES WORDS    of made-up pages with so many words each: the largest
 *	                         resident size of the child in MiB, and its CPU seconds
 *
 * The child is that of the sealroom-scan in $SEALROOM_LIBEXEC, with the models loaded, asked as the core asks;
 * a rule looks for words that are on no page, and for a place on the last.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/lib/io.h"
#include "rules/pagefile.h"

#define A4_W 595276
#define A4_H 841890

static const char settings[] =
    "folders : { in : { path = \"/in\"; rules = [ \"no\", \"yes\" ]; seals = [ \"s\" ]; }; };\n"
    "rules : { no : { when = { any = [ \"Unauffindbar\", \"nowhere to be found\" ]; typos = 1; };\n"
    "    place = { at = \"top-left\"; size = [ \"60mm\", \"20mm\" ]; }; seal = \"s\"; };\n"
    "  yes : { when = { any = [ \"ending\" ]; }; place = { near = \"ending\"; side = \"below\"; size = [ \"60mm\", \"20mm\" ]; otherwise = \"invisible\"; };\n"
    "    seal = \"s\"; }; };\n"
    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n"
    "scan : { languages = [ \"deu\", \"eng\" ]; };\n";

static struct err e;
static struct loop *loop;
static uint32_t pages, words;
static int failed;

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "b_compose: %s: %s\n", what, e.text);
	exit(99);
}

static int
temporary(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir != NULL ? dir : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		die("a temporary file");
	return fd;
}

/* Words in lines of ten; the last of the document is "ending". */
static void
fill(struct pagefile *pf, uint32_t page, char (*texts)[16])
{
	for (uint32_t i = 0; i < words; i++) {
		int32_t x = 60000 + (int32_t)(i % 10) * 45000, y = 60000 + (int32_t)(i / 10) * 12000 % 700000;

		snprintf(texts[i], sizeof(texts[i]), "w%ux%u", page, i * 7919 % 100000);
		pf->words[i] = (struct word){ .box = { x, y, x + 40000, y + 10000 }, .base = y + 8000,
			.line = (uint16_t)(i / 10), .conf = 95, .text = texts[i] };
	}
	if (page + 1 == pages)
		pf->words[words - 1].text = "ending";
	pf->nwords = words;
}

static int
give_page(void *ctx, uint32_t page)
{
	struct pagefile pf = { .page = page, .media_w = A4_W, .media_h = A4_H, .matrix = { A4_W, 0, 0, A4_H, 0, 0 } };
	char (*texts)[16] = calloc(words, sizeof(*texts));
	struct pagefile_out *out;
	int fd = temporary();
	uint64_t len;

	(void)ctx;
	pf.words = calloc(words, sizeof(*pf.words));
	if (pf.words == NULL || texts == NULL)
		die("memory");
	fill(&pf, page, texts);
	if (pagefile_begin(fd, &pf, &out, &e) < 0 || pagefile_end(out, &len, &e) < 0)
		die("a page");
	free(pf.words);
	free(texts);
	return fd;
}

/* It will not come back better. */
static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	(void)ctx;
	(void)role;
	(void)name;
	if (ready)
		return;
	e = *why;
	die("sealroom-scan");
}

static void
on_composed(void *ctx, const struct task_outcome *o)
{
	(void)ctx;
	if (o->err != NULL) {
		e = *o->err;
		failed = 1;
	} else {
		printf("%.1f %.2f\n", (double)o->maxrss_kib / 1024, (double)o->cpu_us / 1e6);
	}
	loop_stop(loop);
}

int
main(int argc, char **argv)
{
	struct conf *conf = NULL;
	struct children *children;
	struct children_opts opts = { .scan = true, .ocr = true, .state_dir = -1, .changed = on_change };
	struct compose_params p = { .id = "01jd8k3v7m2q9x4t6w8z0b5c1f", .folder = "in", .name = "long.tif", .kind = DOC_TIFF };
	struct task_req req = { .kind = TASK_COMPOSE, .as_mib = 512, .fsize = UINT64_MAX, .deadline_ms = 3600000,
		.page = give_page };
	AUTO_BUF b;

	if (argc != 3 || (pages = (uint32_t)atoi(argv[1])) == 0 || (words = (uint32_t)atoi(argv[2])) == 0)
		die("usage: b_compose PAGES WORDS");
	buf_init(&b, WIRE_PAYLOAD);
	p.pages = pages;
	compose_params_put(&b, &p);
	req.params = &b;
	req.in = temporary();
	req.out = temporary();
	if (conf_parse(&conf, settings, &e) < 0 || loop_new(&loop, &e) < 0)
		die("settings");
	opts.conf = conf;
	if (children_open(&children, loop, &opts, &e) < 0)
		die("sealroom-scan");
	children_task(children, &req, on_composed, NULL);
	if (loop_run(loop, &e) < 0)
		die("loop");
	children_close(children);
	loop_free(loop);
	conf_free(conf);
	if (failed)
		die("composing");
	return 0;
}
