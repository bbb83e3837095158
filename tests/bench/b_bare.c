/*
 * b_bare.c - recognition and nothing else: the limit a mailroom is measured by.
 *
 *	b_bare PROCESSES LANGUAGES IMAGE...
 *
 * One Tesseract engine a process, loaded before the clock starts; the pages of
 * the images (TIFF: all of them) are taken in turn by whichever process is free.
 * A page is read, brought to at most 300 dpi, straightened, recognised, and its
 * words are walked.  Nothing is written; no object of sealroom is linked.  Pages
 * must be upright.  Prints: pages, seconds, CPU seconds, words.
 */
#include <leptonica/allheaders.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <tesseract/capi.h>
#include <tiffio.h>
#include <time.h>
#include <unistd.h>

#define PAGES_MAX 4096
#define OCR_DPI 300

static struct page {
	const char *file;
	int page; /* of a TIFF; -1: any other image */
} pages[PAGES_MAX];
static int npages;

struct shared {
	atomic_int next, words, ready;
	atomic_bool go;
};

static void
add(const char *file)
{
	TIFF *t;
	int n = 0;

	TIFFSetErrorHandler(NULL);
	TIFFSetWarningHandler(NULL);
	if ((t = TIFFOpen(file, "r"))) {
		n = (int)TIFFNumberOfDirectories(t);
		TIFFClose(t);
	}
	for (int i = 0; i < (n ? n : 1) && npages < PAGES_MAX; i++)
		pages[npages++] = (struct page){ file, n ? i : -1 };
}

static PIX *
load(const struct page *p)
{
	PIX *pix = p->page < 0 ? pixRead(p->file) : pixReadTiff(p->file, p->page), *other;
	l_int32 dpi;

	if (!pix)
		return NULL;
	dpi = pixGetXRes(pix);
	if (dpi > OCR_DPI && (other = pixScale(pix, (l_float32)OCR_DPI / (l_float32)dpi, (l_float32)OCR_DPI / (l_float32)dpi))) {
		pixDestroy(&pix);
		pix = other;
		pixSetResolution(pix, OCR_DPI, OCR_DPI);
	}
	if ((other = pixDeskew(pix, 0))) {
		pixDestroy(&pix);
		pix = other;
	}
	return pix;
}

static int
words_of(TessBaseAPI *api)
{
	TessResultIterator *ri = TessBaseAPIGetIterator(api);
	int n = 0;

	if (!ri)
		return 0;
	do {
		char *text = TessResultIteratorGetUTF8Text(ri, RIL_WORD);
		int x0, y0, x1, y1;

		if (text && TessPageIteratorBoundingBox(TessResultIteratorGetPageIterator(ri), RIL_WORD, &x0, &y0, &x1, &y1))
			n++;
		TessDeleteText(text);
	} while (TessResultIteratorNext(ri, RIL_WORD));
	TessResultIteratorDelete(ri);
	return n;
}

static int
recognise(TessBaseAPI *api, const struct page *p)
{
	PIX *pix = load(p);
	int n;

	if (!pix) {
		fprintf(stderr, "b_bare: %s can not be read\n", p->file);
		exit(65);
	}
	TessBaseAPISetImage2(api, pix);
	n = TessBaseAPIRecognize(api, NULL) == 0 ? words_of(api) : 0;
	TessBaseAPIClear(api);
	pixDestroy(&pix);
	return n;
}

static _Noreturn void
worker(struct shared *s, const char *languages)
{
	TessBaseAPI *api = TessBaseAPICreate();
	int i;

	if (TessBaseAPIInit3(api, NULL, languages) != 0)
		exit(70);
	TessBaseAPISetVariable(api, "thresholding_method", "2");
	TessBaseAPISetPageSegMode(api, PSM_AUTO);
	atomic_fetch_add(&s->ready, 1);
	while (!atomic_load(&s->go))
		usleep(500);
	while ((i = atomic_fetch_add(&s->next, 1)) < npages)
		atomic_fetch_add(&s->words, recognise(api, &pages[i]));
	_exit(0);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int n = argc > 1 ? atoi(argv[1]) : 0, status, bad = 0;
	struct rusage u;
	double began;

	if (argc < 4 || n < 1 || n > 64 || s == MAP_FAILED) {
		fprintf(stderr, "usage: b_bare PROCESSES LANGUAGES IMAGE...\n");
		return 64;
	}
	if (!getenv("OMP_THREAD_LIMIT")) { /* read when the library is loaded, so before main() */
		setenv("OMP_THREAD_LIMIT", "1", 1);
		execv("/proc/self/exe", argv);
		return 71;
	}
	for (int i = 3; i < argc; i++)
		add(argv[i]);
	for (int i = 0; i < n; i++)
		if (fork() == 0)
			worker(s, argv[2]);
	while (atomic_load(&s->ready) < n)
		usleep(1000);
	began = seconds();
	atomic_store(&s->go, true);
	while (wait(&status) > 0)
		bad |= status;
	began = seconds() - began;
	getrusage(RUSAGE_CHILDREN, &u);
	printf("pages %d seconds %.3f cpu %.3f words %d\n", npages, began,
	    (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
	    atomic_load(&s->words));
	return bad != 0;
}
