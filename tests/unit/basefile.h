/*
 * basefile.h - page results as reading would have made them, for tests of what is
 * made from them.
 *
 *	struct pages pages = { .n = 2, .page = { { ... }, { ... } } };
 *	pages_give(&pages, i, &fd, &e)       is a compose_page
 *
 * A page's image is grey, its pixels deflated; with in_source they lie in the
 * source file, behind a few bytes that belong to nobody.
 */
#ifndef SEALROOM_BASEFILE_H
#define SEALROOM_BASEFILE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "rules/conf.h"
#include "rules/pagefile.h"
#include "scan/compose.h"

#define PAGES_MAX 8
#define PAGES_PIXELS_W 200
#define PAGES_PIXELS_H 280
#define PAGES_GAP 5 /* bytes before the image in the source */

struct pages_page {
	int32_t width, height; /* of the page as scanned, mpt */
	uint32_t rotate;
	uint32_t nwords, ncodes;
	const struct word *words; /* the codes behind them */
	const char *dict; /* of the image; NULL: a good one */
	uint8_t in_source;
	uint32_t blank, estimated, text, dpi, skew_udeg, conf; /* dpi 0: 25 */
};

struct pages {
	uint32_t n;
	struct pages_page page[PAGES_MAX];
	uint32_t kind, stack; /* enum doc_kind, stack_may */
};

static const char pages_dict[] = "/Width 200/Height 280/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode";

/* Grey from light to lighter, a darker corner at the image's top left. */
static inline size_t
pages_image(uint8_t *out, size_t size)
{
	static uint8_t pixels[PAGES_PIXELS_H][PAGES_PIXELS_W];
	uLongf n = size;

	for (int y = 0; y < PAGES_PIXELS_H; y++)
		for (int x = 0; x < PAGES_PIXELS_W; x++)
			pixels[y][x] = (uint8_t)(x < 40 && y < 40 ? 150 : 225 + (x + y) % 16);
	if (compress2(out, &n, pixels[0], sizeof(pixels), 9) != Z_OK)
		abort();
	return n;
}

static inline int
pages_source(void)
{
	static uint8_t image[65536];
	size_t n = pages_image(image, sizeof(image));
	int fd = memfd_create("source", MFD_CLOEXEC);

	if (fd < 0 || write(fd, "ahead", PAGES_GAP) != PAGES_GAP || write(fd, image, n) != (ssize_t)n)
		abort();
	return fd;
}

static inline int
pages_give(void *ctx, uint32_t i, int *ret_fd, struct err *e)
{
	const struct pages *all = ctx;
	const struct pages_page *p = &all->page[i % PAGES_MAX];
	static uint8_t image[65536];
	size_t n = pages_image(image, sizeof(image));
	struct pagefile pf = {
		.page = i,
		.media_w = p->width,
		.media_h = p->height,
		.rotate = p->rotate,
		.matrix = { p->width, 0, 0, p->height, 0, 0 },
		.dpi_x = p->dpi != 0 ? p->dpi : 25,
		.dpi_y = p->dpi != 0 ? p->dpi : 25,
		.skew_udeg = p->skew_udeg,
		.conf = p->conf,
		.blank = p->blank,
		.estimated = p->estimated, .text = p->text,
		.nwords = p->nwords,
		.ncodes = p->ncodes,
		.words = (struct word *)(uintptr_t)p->words,
		.nobjects = 1,
		.objects = { { p->dict != NULL ? p->dict : pages_dict, p->in_source, PAGES_GAP, n } },
	};
	struct pagefile_out *out;
	uint64_t len;
	int fd = memfd_create("page", MFD_CLOEXEC), r;

	if (fd < 0)
		abort();
	if ((r = pagefile_begin(fd, &pf, &out, e)) < 0)
		return r;
	if (!p->in_source)
		r = pagefile_stream(out, image, n, e);
	if ((pagefile_end(out, &len, e)) < 0 || r < 0)
		return -(int)e->code;
	*ret_fd = fd;
	return 0;
}

/* Settings with one folder, "in", and no rule: what is decided is not asked here. */
static inline struct conf *
pages_conf(void)
{
	static struct conf_folder folder = { .name = "in", .language = "de" };
	static struct conf conf = { .folders = &folder, .nfolders = 1 };

	return &conf;
}

static inline struct compose_params
pages_params(const struct pages *p)
{
	struct compose_params cp = { .id = "0123456789abcdefghjkmnpqrs", .folder = "in", .pages = p->n, .kind = p->kind, .stack = p->stack,
		.name = "Brief <Müller & Söhne>.tif", .received_us = 1763804070123456 };

	memset(cp.source_hash, 0xA5, sizeof(cp.source_hash));
	return cp;
}

/* The base file of these pages at path; 0 or -code. */
static inline int
pages_compose(struct pages *p, const char *path, enum pdfa pdfa, enum pdf_section section, struct compose_result *ret,
    struct err *e)
{
	struct compose_params params = pages_params(p);
	struct compose_job job = {
		.conf = pages_conf(),
		.params = &params,
		.engine = "tesseract 5.3.0 deu+eng",
		.pdfa = pdfa,
		.section = section,
		.page = pages_give,
		.ctx = p,
		.source = pages_source(),
		.out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
	};
	int r = compose_write(&job, ret, e);

	close(job.source);
	close(job.out);
	return r;
}

/* Some of these pages alone, the first counting as 0. */
static inline int
pages_part(struct pages *p, const char *path, uint32_t first, uint32_t last, struct part_result *ret, struct err *e)
{
	struct compose_params params = pages_params(p);
	struct compose_job job = { .conf = pages_conf(), .params = &params, .engine = "", .pdfa = PDFA_2U, .section = PDF_TABLE,
		.page = pages_give, .ctx = p, .source = pages_source(),
		.out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) };
	int r;

	params.first = first;
	params.last = last;
	r = compose_part(&job, ret, e);
	close(job.source);
	close(job.out);
	return r;
}

#endif
