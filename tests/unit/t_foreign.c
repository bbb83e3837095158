/*
 * Pages of PDFs that were not scanned: their words are those that pdftotext sees,
 * where it sees them; they look as pdftoppm draws them; a font that is nowhere is an error.
 */
#include <leptonica/allheaders.h>
#include <math.h>
#include <sys/wait.h>

#include "scan/foreign.h"
#include "scan/revision.h"
#include "tests/unit/judge.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

#define NEAR 0.6 /* points */

static int
open_page(const char *name, uint32_t page, struct source *s, struct foreign **f, struct revision_page *rp, struct err *e)
{
	char path[400];
	struct revision rev;
	int fd, r;

	snprintf(path, sizeof(path), "%s/%s.pdf", judge_dir(), name);
	*e = (struct err){ 0 };
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		exit(99);
	if ((r = source_open(s, fd, e)) == 0 && (r = source_map(s, e)) == 0 && (r = revision_open(&rev, fd, e)) == 0) {
		if ((r = revision_page(&rev, page, rp, e)) == 0)
			r = foreign_open(f, s, page, &rp->view, e);
		revision_done(&rev);
	}
	close(fd);
	return r;
}

/* --- words ------------------------------------------------------------------------------------- */

/* Words that pdftotext has on the page and we have not, at the same place; -1: another number of them. */
static int
words_apart(const char *name, uint32_t page, const struct pagefile *pf, double unit)
{
	AUTO_FREE char *text = NULL;
	char cmd[500], word[300];
	unsigned n = 0, missing = 0;
	double b[4];

	snprintf(cmd, sizeof(cmd), "pdftotext -bbox -cropbox -f %u -l %u %s/%s.pdf -", page + 1, page + 1, judge_dir(), name);
	text = judge_text("%s", cmd);
	for (const char *p = text; (p = strstr(p, "<word ")) != NULL; p++, n++) {
		uint32_t i = 0;

		if (sscanf(p, "<word xMin=\"%lf\" yMin=\"%lf\" xMax=\"%lf\" yMax=\"%lf\">%299[^<]", &b[0], &b[1], &b[2], &b[3], word) != 5)
			return -1;
		for (; i < pf->nwords; i++) {
			const struct box *o = &pf->words[i].box;

			if (strcmp(pf->words[i].text, word) == 0 && fabs(o->x0 / 1000.0 - b[0] * unit) < NEAR &&
			    fabs(o->y0 / 1000.0 - b[1] * unit) < NEAR && fabs(o->x1 / 1000.0 - b[2] * unit) < NEAR &&
			    fabs(o->y1 / 1000.0 - b[3] * unit) < NEAR)
				break;
		}
		if (i == pf->nwords)
			missing++;
	}
	return n == pf->nwords && n > 0 ? (int)missing : -1;
}

static void
test_words(void)
{
	static const struct {
		const char *name;
		uint32_t page;
		double unit;
	} all[] = { { "letter", 0, 1 }, { "letter", 1, 1 }, { "standard", 0, 1 }, { "mixed", 0, 1 }, { "turned-0", 0, 2 },
		{ "turned-90", 0, 2 }, { "turned-180", 0, 2 }, { "turned-270", 0, 2 } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct pagefile pf = { 0 };
		struct revision_page rp;
		struct foreign *f = NULL;
		struct source s = { 0 };
		struct err e;
		int r = open_page(all[i].name, all[i].page, &s, &f, &rp, &e);

		if (r == 0)
			r = foreign_words(f, &pf, &e);
		CHECK(r == 0 && words_apart(all[i].name, all[i].page, &pf, all[i].unit) == 0,
		    "%s, page %u: %u words, as pdftotext has them %s", all[i].name, all[i].page + 1, pf.nwords, e.text);
		if (i == 1)
			CHECK(words_apart("letter", 0, &pf, 1) != 0, "those of another page would be found out");
		if (i == 4) {
			pf.words[0].box.x0 += 1000;
			CHECK(words_apart("turned-0", 0, &pf, 2) == 1, "and so would a box that is a point aside");
		}
		free(pf.words);
		free(pf.arena);
		foreign_close(f);
		source_done(&s);
	}
}

static void
test_none(void)
{
	struct pagefile pf = { 0 };
	struct revision_page rp;
	struct foreign *f = NULL;
	struct source s = { 0 };
	struct err e;

	CHECK(open_page("mixed", 1, &s, &f, &rp, &e) == 0 && foreign_words(f, &pf, &e) == 0 && pf.nwords == 0,
	    "a scan in a PDF has no words %s", e.text);
	free(pf.words);
	free(pf.arena);
	foreign_close(f);
	f = NULL;
	rp.view.x1 += 5000;
	CHECK(foreign_open(&f, &s, 1, &rp.view, &e) == -ERR_DOC_FOREIGN, "a page of another size than qpdf sees: %s", e.text);
	rp.view.x1 -= 5000;
	CHECK(foreign_open(&f, &s, 3, &rp.view, &e) == -ERR_DOC_BAD, "a page that is not there: %s", e.text);
	source_done(&s);
}

/* --- pixels -------------------------------------------------------------------------------------- */

/* Mean difference to a PGM of pdftoppm, 0 to 255; 255: another size. */
static double
pixels_apart(PIX *pix, const char *pgm)
{
	size_t len;
	uint8_t *d = judge_read(pgm, &len);
	int w, h, at = 0;
	double sum = 0;

	if (sscanf((char *)d, "P5 %d %d 255%n", &w, &h, &at) != 2 || w != pixGetWidth(pix) || h != pixGetHeight(pix)) {
		free(d);
		return 255;
	}
	for (int y = 0; y < h; y++)
		for (int x = 0; x < w; x++)
			sum += abs(d[at + 1 + y * w + x] - GET_DATA_BYTE(pixGetData(pix) + y * pixGetWpl(pix), x));
	free(d);
	return sum / w / h;
}

static void
test_pixels(void)
{
	static const char *const names[] = { "letter", "mixed", "turned-90", "form" };
	char pgm[400];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		double apart, unit = i == 2 ? 2 : 1; /* pdftoppm does not know of UserUnit */
		struct revision_page rp;
		struct foreign *f = NULL;
		struct source s = { 0 };
		PIX *pix = NULL;
		struct err e;
		int r = open_page(names[i], 0, &s, &f, &rp, &e);

		if (r == 0)
			r = foreign_pix(f, 72 / unit, 1000000, false, &pix, &e);
		snprintf(pgm, sizeof(pgm), "%s/%s.pgm", judge_dir(), names[i]);
		if (judge("cd '%s' && pdftoppm -cropbox -gray -r 72 -singlefile %s.pdf %s", judge_dir(), names[i], names[i]) != 0)
			exit(99);
		apart = pix != NULL ? pixels_apart(pix, pgm) : 255;
		CHECK(r == 0 && apart < 1.5, "%s looks as pdftoppm draws it (apart by %.2f) %s", names[i], apart, e.text);
		if (pix != NULL) {
			pixInvert(pix, pix);
			CHECK(pixels_apart(pix, pgm) > 100, "and its negative does not");
		}
		pixDestroy(&pix);
		CHECK(r == 0 && foreign_pix(f, 600, 10000, true, &pix, &e) == 0 &&
		        (int64_t)pixGetWidth(pix) * pixGetHeight(pix) <= 10200 && pixGetDepth(pix) == 32,
		    "drawn with no more pixels than allowed");
		pixDestroy(&pix);
		foreign_close(f);
		source_done(&s);
	}
}

/* --- fonts ---------------------------------------------------------------------------------------- */

/* In a process of its own: fontconfig reads its settings once. */
static int
without_fonts(const char *name)
{
	struct pagefile pf = { 0 };
	struct revision_page rp;
	struct foreign *f = NULL;
	struct source s = { 0 };
	PIX *pix = NULL;
	struct err e;
	int r;

	if (foreign_warm(&e) < 0 || open_page(name, 0, &s, &f, &rp, &e) < 0 || foreign_words(f, &pf, &e) < 0 || pf.nwords == 0)
		return 1;
	r = foreign_pix(f, 72, 1000000, false, &pix, &e);
	return r == 0 ? 2 : r == -ERR_FONT && pix == NULL ? 3 : 4;
}

static int
in_child(const char *name)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char conf[400];
		FILE *c;

		snprintf(conf, sizeof(conf), "%s/fonts.conf", judge_dir());
		if ((c = fopen(conf, "w")) == NULL)
			_exit(9);
		fprintf(c, "<?xml version='1.0'?><fontconfig><dir>%s/nothing</dir><cachedir>%s/cache</cachedir></fontconfig>\n",
		    judge_dir(), judge_dir());
		fclose(c);
		setenv("FONTCONFIG_FILE", conf, 1);
		_exit(without_fonts(name));
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
main(void)
{
	struct err e = { 0 };

	if (judge("tests/tools/make-pdfs '%s'", judge_dir()) != 0)
		exit(99);
	CHECK(in_child("standard") == 3, "a font that neither the PDF nor the host has is an error; the words are there");
	CHECK(in_child("letter") == 2, "a PDF that brings its font needs none");
	CHECK(foreign_warm(&e) == 0, "fonts are found before confinement %s", e.text);
	test_words();
	test_none();
	test_pixels();
	return TEST_DONE();
}
