/*
 * t_starved.c - a reader without memory says so, and never that the document is damaged.
 *
 * The real sealroom-scan draws pages with less and less address space.  Whatever its
 * libraries make of that, nobody hears a verdict on the document; of one that is
 * damaged, with memory, everybody does.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tiffio.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/lib/io.h"
#include "scan/starved.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

#define ENOUGH_MIB 1536
#define COARSE_MIB 64
#define FINE_MIB 4
#define NOISE 1500 /* pixels each way: one strip that deflates to nothing less, 6.4 MiB */

static const char settings[] =
    "folders : { in : { path = \"/in\"; rules = [ \"r\" ]; seals = [ \"s\" ]; }; };"
    "rules : { r : { when = \"always\"; place = \"invisible\"; seal = \"s\"; }; };"
    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; }; tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };"
    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };";

static struct loop *loop;
static struct children *children;
static bool crashed;

static void
on_drawn(void *ctx, const struct task_outcome *o)
{
	struct err *e = ctx;

	crashed = o->crashed;
	if (o->err != NULL)
		*e = *o->err;
	loop_stop(loop);
}

/* The first page, with so much address space. */
static void
draw(int in, uint32_t kind, uint32_t mib, struct err *ret)
{
	struct picture_params p = { .kind = kind, .width_mpt = 595000, .height_mpt = 842000 };
	struct task_req req = { .kind = TASK_PICTURE, .in = in, .as_mib = mib, .fsize = UINT64_MAX, .deadline_ms = 60000 };
	struct err e = { 0 };
	AUTO_FD out = memfd_create("picture", MFD_CLOEXEC);
	AUTO_BUF b;

	memset(ret, 0, sizeof(*ret));
	buf_init(&b, WIRE_PAYLOAD);
	picture_params_put(&b, &p);
	req.params = &b;
	req.out = out;
	children_task(children, &req, on_drawn, ret);
	if (loop_run(loop, &e) < 0)
		err_set(ret, ERR_CONFINE, "loop: %s", e.text);
}

static struct found {
	unsigned drawn, short_of, crashes, blamed, other;
} found;

static void
look(const char *name, int in, uint32_t kind, uint32_t mib)
{
	struct err e;

	draw(in, kind, mib, &e);
	if (crashed) {
		found.crashes++;
	} else if (e.code == ERR_OK) {
		found.drawn++;
	} else if (e.code == ERR_MEM) {
		found.short_of++;
		found.blamed += strncmp(e.text, "memory was short: ", 18) == 0;
	} else {
		found.other++;
		printf("# %s, %u MiB: %s: %s\n", name, mib, err_word(e.code), e.text);
	}
}

/* From too little for anything, until it is enough; then closely what lies between. */
static void
starve(const char *name, int in, uint32_t kind)
{
	uint32_t mib = COARSE_MIB;

	found = (struct found){ 0 };
	while (found.drawn == 0 && mib < ENOUGH_MIB)
		look(name, in, kind, mib += COARSE_MIB);
	CHECK(found.drawn == 1, "%s: drawn with %u MiB", name, mib);
	for (uint32_t less = FINE_MIB; less < COARSE_MIB; less += FINE_MIB)
		look(name, in, kind, mib - less);
	printf("# %s: drawn %u, short of memory %u (%u where a library blamed the document), crashed %u\n", name, found.drawn,
	    found.short_of, found.blamed, found.crashes);
	CHECK(found.short_of > 0 && found.other == 0, "%s: with less it is never the document's fault", name);
}

static void
starve_scan(const char *name, uint32_t kind)
{
	AUTO_FD in = scans_open(name);

	starve(name, in, kind);
}

/* libtiff wants a second buffer as large as the page. */
static int
noise(void)
{
	static uint8_t pixels[NOISE * NOISE * 3];
	int fd = memfd_create("noise", MFD_CLOEXEC);
	TIFF *t = TIFFFdOpen(dup(fd), "noise", "w");
	uint32_t x = 1;

	for (size_t i = 0; i < sizeof(pixels); i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		pixels[i] = (uint8_t)x;
	}
	TIFFSetField(t, TIFFTAG_IMAGEWIDTH, NOISE);
	TIFFSetField(t, TIFFTAG_IMAGELENGTH, NOISE);
	TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
	TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 3);
	TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_RGB);
	TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
	TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
	TIFFSetField(t, TIFFTAG_XRESOLUTION, 300.0);
	TIFFSetField(t, TIFFTAG_YRESOLUTION, 300.0);
	TIFFSetField(t, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
	TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, NOISE);
	if (TIFFWriteEncodedStrip(t, 0, pixels, sizeof(pixels)) < 0)
		exit(99);
	TIFFClose(t);
	return fd;
}

static void
counting(void)
{
	void *p, *q;

	starved_begin((uint64_t)1 << 30);
	p = malloc(SIZE_MAX / 4);
	CHECK(p == NULL && !starved(), "what no address space could hold is not missed");
	p = malloc(100);
	CHECK(p != NULL && !starved(), "nor is what there was");
	free(p);
	starved_begin(0);
	p = malloc(SIZE_MAX / 4);
	CHECK(p == NULL && starved(), "without a limit each failure counts");
	starved_begin((uint64_t)1 << 30);
	p = realloc(NULL, 100);
	CHECK(p != NULL && !starved(), "another task begins anew");
	q = realloc(p, 0);
	CHECK(q == NULL && !starved(), "and giving back is no failure");
}

int
main(void)
{
	struct children_opts opts = { .scan = true, .state_dir = -1 };
	struct conf *conf = NULL;
	struct err e = { 0 };
	AUTO_FD page = -1;

#ifdef SEALROOM_SANITIZE
	printf("1..0 # SKIP sanitizers have an allocator and an address space of their own\n");
	return 0;
#endif
	counting();
	if (getenv("SEALROOM_LIBEXEC") == NULL)
		setenv("SEALROOM_LIBEXEC", getenv("SEALROOM_BIN") != NULL ? getenv("SEALROOM_BIN") : "", 1);
	if (conf_parse(&conf, settings, &e) == 0 && loop_new(&loop, &e) == 0) {
		opts.conf = conf;
		children_open(&children, loop, &opts, &e);
	}
	if (children == NULL) {
		printf("Bail out! %s\n", e.text);
		return 99;
	}
	starve_scan("en-letter.tif", DOC_TIFF);
	starve_scan("de-rechnung.jpg", DOC_JPEG);
	starve_scan("en-invoice.png", DOC_PNG);
	page = noise();
	starve("a page of one strip", page, DOC_TIFF);
	CHECK(found.blamed > 0, "though its library called it damaged %u times", found.blamed);
	CHECK(pwrite(page, "nothing like deflate", 20, 4096) == 20, "that page is damaged");
	draw(page, DOC_TIFF, ENOUGH_MIB, &e);
	CHECK(!crashed && err_class(e.code) == ERR_CLASS_REJECT, "with memory it is called so: %s: %s", err_word(e.code), e.text);
	children_close(children);
	loop_free(loop);
	conf_free(conf);
	return TEST_DONE();
}
