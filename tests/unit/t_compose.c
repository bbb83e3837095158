/* The base file: sound, complete, PDF/A, the same each time; page results that lie are refused. */
#include <jansson.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "agent/lib/io.h"
#include "tests/unit/judge.h"
#include "tests/unit/basefile.h"
#include "tests/unit/test.h"

static const struct word words[] = {
	{ { 72000, 70000, 152000, 82000 }, 79000, 0, 0, 90, CODE_NONE, "Rechnung" },
	{ { 160000, 70000, 220000, 82000 }, 79000, 0, 0, 90, CODE_NONE, "4711" },
};

static char path[300], second[300], twin[300];

static int
count_bytes(const char *file, const void *what, size_t len)
{
	size_t n;
	uint8_t *data = judge_read(file, &n), *s = data;
	int count = 0;

	while ((s = memmem(s, n - (size_t)(s - data), what, len)) != NULL) {
		count++;
		s++;
	}
	free(data);
	return count;
}

static bool
same_bytes(const char *a, const char *b)
{
	return judge("cmp '%s' '%s'", a, b) == 0;
}

static bool
has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void
test_base(void)
{
	struct pages p = { .n = 3, .page = {
		{ .width = 595276, .height = 841890, .nwords = 2, .words = words },
		{ .width = 841890, .height = 595276, .rotate = 90, .in_source = 1 },
		{ .width = 200000, .height = 300000, .rotate = 180, .nwords = 2, .words = words },
	} };
	static uint8_t image[65536];
	size_t n = pages_image(image, sizeof(image));
	struct compose_result r = { .hold = 0 };
	struct err e = { 0 };
	char *text;

	CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "three pages compose: %s", e.text);
	CHECK(r.pages == 3 && r.len > 0, "the result says how many and how long");
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	CHECK(count_bytes(path, image, n) == 3, "images are there bit for bit, from the page result and from the source");
	text = judge_text("pdfimages -list '%s' | tail -n +3 | grep -c '200 *280 *gray *1 *8'", path);
	CHECK(strcmp(text, "3\n") == 0, "pdfimages lists them as they are");
	free(text);
	text = judge_text("pdfinfo -f 1 -l 3 '%s'", path);
	CHECK(has(text, "Page    1 size:  595.276 x 841.89 pts") && has(text, "Page    2 rot:   90") &&
	    has(text, "Page    3 rot:   180"), "pdfinfo sees sizes and turns");
	CHECK(has(text, "PDF version:     1.7"), "it is PDF 1.7");
	free(text);
	text = judge_text("pdfinfo -meta '%s'", path);
	CHECK(has(text, "<pdfaid:part>2</pdfaid:part>") && has(text, "<pdfaid:conformance>U</pdfaid:conformance>"),
	    "it claims PDF/A-2u");
	CHECK(has(text, "Brief &lt;M\xC3\xBCller &amp; S\xC3\xB6hne&gt;.tif") && has(text, "0123456789abcdefghjkmnpqrs") &&
	    has(text, "a5a5a5a5") && has(text, "machine-read") && has(text, "tesseract 5.3.0 deu+eng") &&
	    has(text, "2025-11-22T09:34:30Z"), "the metadata name source, job, time and engine");
	free(text);
	CHECK(pages_compose(&p, second, PDFA_2U, PDF_TABLE, &r, &e) == 0 && same_bytes(path, second),
	    "the same pages give the same bytes");
	CHECK(pages_compose(&p, second, PDFA_2U, PDF_STREAM, &r, &e) == 0 && judge("qpdf --check '%s'", second) == 0,
	    "with a cross-reference stream qpdf finds no fault either");
}

/* Debian's validator knows PDF/A-1b only; what it does not know of part 2 we do not use. */
static void
test_pdfa(void)
{
	struct pages p = { .n = 2, .page = {
		{ .width = 595276, .height = 841890, .nwords = 2, .words = words },
		{ .width = 595276, .height = 841890, .rotate = 270 },
	} };
	struct compose_result r;
	struct err e = { 0 };

	CHECK(pages_compose(&p, path, PDFA_1B, PDF_TABLE, &r, &e) == 0, "a PDF/A-1b twin: %s", e.text);
	CHECK(judge("tests/tools/preflight '%s'", path) == 0, "preflight finds no fault");
	CHECK(judge_twin(path, twin, "/S/GTS_PDFA1", "/S/GTS_PDFX1") == 1 && judge("tests/tools/preflight '%s'", twin) == 1,
	    "without the right output intent it does");
}

static void
test_tree(void)
{
	struct pages p = { .n = 200 };
	struct compose_result r;
	struct err e = { 0 };
	char *text;

	for (int i = 0; i < PAGES_MAX; i++)
		p.page[i] = (struct pages_page){ 200000 + 1000 * i, 300000, .nwords = 2, .words = words };
	CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "200 pages: %s", e.text);
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	text = judge_text("pdfinfo -f 1 -l 200 '%s'", path);
	CHECK(has(text, "Pages:           200") && has(text, "Page   64 size:  207 x 300") &&
	    has(text, "Page   65 size:  200 x 300") && has(text, "Page  200 size:  207 x 300"), "each in its place");
	free(text);
}

/* What a broken reader of a hostile document might want to put into our file. */
static void
test_lies(void)
{
	static const struct {
		const char *name, *dict;
		int want;
	} cases[] = {
		{ "a good dictionary", pages_dict, 0 },
		{ "arrays, parameters, a palette, blanks", "/Width 200/Height 280/ColorSpace[/Indexed/DeviceRGB 1 <000000ffffff>]"
		    "/BitsPerComponent 8/Filter [/FlateDecode]/DecodeParms [<</Predictor 1>>] /ImageMask false", 0 },
		{ "the end of the object", "/Width 200>>\nendobj\n1 0 obj<<", -ERR_DOC_BAD },
		{ "a stream keyword", "/Width 200 stream", -ERR_DOC_BAD },
		{ "a reference of its own", "/Width 200/SMask 5 0 R", -ERR_DOC_BAD },
		{ "a reference to no object", "/Width 200/SMask@1", -ERR_DOC_BAD },
		{ "a length", "/Width 200/Length 5", -ERR_DOC_BAD },
		{ "an outside file", "/Width 200/F(x)", -ERR_DOC_BAD },
		{ "an outside file by name", "/Width 200/F/x", -ERR_DOC_BAD },
		{ "a comment", "/Width 200%x", -ERR_DOC_BAD },
		{ "a dictionary that does not end", "/Width 200/DecodeParms<<", -ERR_DOC_BAD },
		{ "an array closed as a dictionary", "/Width 200/Filter[>>", -ERR_DOC_BAD },
		{ "one closed too often", "/Width 200]", -ERR_DOC_BAD },
		{ "half a byte of palette", "/Width 200/ColorSpace[/Indexed/DeviceRGB 1<00000>]", -ERR_DOC_BAD },
		{ "nested deeply", "/Width 200/X[[[[[[[[[[]]]]]]]]]]", -ERR_DOC_BAD },
		{ "an escaped name", "/Width 200/#4cength 5", -ERR_DOC_BAD },
	};
	struct compose_result r;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pages p = { .n = 1, .page = { { .width = 200000, .height = 300000, .dict = cases[i].dict } } };
		struct err e = { 0 };

		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == cases[i].want, "%s: %s", cases[i].name,
		    cases[i].want == 0 ? "taken" : "refused");
		if (cases[i].want == 0)
			CHECK(judge("qpdf --check '%s'", path) == 0, "and qpdf finds no fault");
	}
	struct pages tiny = { .n = 1, .page = { { .width = 2999, .height = 300000 } } };
	struct err e = { 0 };
	CHECK(pages_compose(&tiny, path, PDFA_2U, PDF_TABLE, &r, &e) == -ERR_DOC_RESOLUTION && e.page == 1,
	    "a page under 3 pt, which PDF/A forbids, is refused and named");
}

static int
wrong_page(void *ctx, uint32_t i, int *ret_fd, struct err *e)
{
	return pages_give(ctx, i + 1, ret_fd, e);
}

static int
no_page(void *ctx, uint32_t i, int *ret_fd, struct err *e)
{
	(void)ctx;
	(void)ret_fd;
	return err_set(e, ERR_CHILD, "page %u is gone", i + 1);
}

static void
test_pull(void)
{
	struct pages p = { .n = 2, .page = {
		{ .width = 200000, .height = 300000, .nwords = 2, .words = words },
		{ .width = 200000, .height = 300000, .nwords = 2, .words = words },
	} };
	struct compose_params params = pages_params(&p), other = params;
	struct compose_job job = { .conf = pages_conf(), .params = &params, .engine = "", .page = wrong_page, .ctx = &p,
		.source = pages_source(), .out = judge_create(path) };
	struct compose_result r = { .pages = 99 };
	struct err e = { 0 };
	size_t n;

	CHECK(compose_write(&job, &r, &e) == -ERR_PEER && r.pages == 99, "another page than asked for is a breach");
	job.page = no_page;
	CHECK(compose_write(&job, &r, &e) == -ERR_CHILD, "a page that does not come ends it");
	job.page = pages_give;
	strcpy(other.folder, "nowhere");
	job.params = &other;
	CHECK(compose_write(&job, &r, &e) == -ERR_CONF, "a folder that the settings do not have is an error");
	job.params = &params;
	if (ftruncate(job.out, 0) < 0 || lseek(job.out, 0, SEEK_SET) < 0)
		perror(path);
	CHECK(compose_explain(&job, &r, &e) == 0, "explaining writes no PDF: %s", e.text);
	char *text = (char *)judge_read(path, &n);
	json_t *j = json_loads(text, 0, NULL);
	CHECK(json_is_array(j) && r.len == n, "but a JSON array");
	json_decref(j);
	free(text);
	close(job.source);
	close(job.out);
}

/* --- blank pages, and pages that are not good enough ------------------------------------------------ */

static unsigned
pages_of(const char *pdf)
{
	char cmd[400];
	unsigned n = 0;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "pdfinfo '%s' | sed -n 's/^Pages: *//p'", pdf);
	if ((f = popen(cmd, "r")) == NULL || fscanf(f, "%u", &n) != 1)
		n = 0;
	if (f != NULL)
		pclose(f);
	return n;
}

static void
test_blank(void)
{
	static const struct {
		const char *name;
		uint32_t mode, blank[4]; /* which of four pages */
		uint32_t hold;
		const char *said;
		uint32_t pages;
	} all[] = {
		{ "kept", BLANK_KEEP, { 0, 1, 0, 1 }, ERR_RULE_NONE, "", 4 },
		{ "marked", BLANK_MARK, { 0, 1, 0, 1 }, ERR_RULE_NONE, "2,4", 4 },
		{ "dropped", BLANK_DROP, { 1, 0, 1, 0 }, ERR_RULE_NONE, "1,3", 2 },
		{ "all, kept", BLANK_KEEP, { 1, 1, 1, 1 }, ERR_RULE_NONE, "", 4 },
		{ "all, marked", BLANK_MARK, { 1, 1, 1, 1 }, ERR_DOC_BLANK, "1-4", 4 },
		{ "all, dropped", BLANK_DROP, { 1, 1, 1, 1 }, ERR_DOC_BLANK, "1-4", 0 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct pages p = { .n = 4 };
		static struct compose_result r;
		struct err e = { 0 };
		char text[64] = "?";

		for (int k = 0; k < 4; k++)
			p.page[k] = (struct pages_page){ .width = 595276, .height = 841890, .blank = all[i].blank[k],
				.nwords = all[i].blank[k] ? 0 : 2, .words = words };
		pages_conf()->scan.blank = all[i].mode;
		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0 && r.hold == all[i].hold, "%s: %s %s", all[i].name,
		    r.hold_text, e.text);
		CHECK(page_set_text(&r.blank, text, sizeof(text)) && strcmp(text, all[i].said) == 0 && r.pages == all[i].pages,
		    "%s: \"%s\" are on record, %u pages are left", all[i].name, text, r.pages);
		if (all[i].pages > 0)
			CHECK(pages_of(path) == all[i].pages && judge("qpdf --check '%s'", path) == 0, "%s: as others count them", all[i].name);
		if (all[i].mode == BLANK_DROP && all[i].pages > 0)
			CHECK(r.dropped == 1 && compose_source_page(&r, 0) == 1 && compose_source_page(&r, 1) == 3,
			    "each page of the result knows which it was");
	}
	pages_conf()->scan.blank = BLANK_KEEP;
}

static void
test_quality(void)
{
	static const struct {
		const char *name;
		struct conf_scan scan;
		struct pages_page page;
		const char *word; /* NULL: good enough */
	} all[] = {
		{ "coarse", { .min_dpi = 200 }, { .dpi = 150 }, "150 dpi < 200 dpi" },
		{ "just fine enough", { .min_dpi = 200 }, { .dpi = 200 }, NULL },
		{ "askew", { .max_skew = 3 }, { .skew_udeg = 4200 }, "4.2\xc2\xb0 > 3\xc2\xb0" },
		{ "a little askew", { .max_skew = 3 }, { .skew_udeg = 2900 }, NULL },
		{ "hardly legible", { .min_confidence = 70 }, { .nwords = 2, .words = words, .conf = 61 }, "61 % < 70 %" },
		{ "that nobody read", { .min_confidence = 70 }, { .text = PAGE_TEXT_UNREAD }, NULL },
		{ "without words", { .min_confidence = 70 }, { .conf = 0 }, NULL },
		{ "blank", { .min_confidence = 70, .min_dpi = 200 }, { .blank = 1 }, NULL },
		{ "of unknown size", { .no_resolution = RESOLUTION_HOLD }, { .estimated = 1 }, "? dpi" },
		{ "of estimated size", { .no_resolution = RESOLUTION_ESTIMATE }, { .estimated = 1 }, NULL },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct pages p = { .n = 2, .page = { { 595276, 841890, .nwords = 2, .words = words, .dpi = 300, .conf = 95 }, all[i].page } };
		static struct compose_result r;
		struct err e = { 0 };

		p.page[1].width = 595276;
		p.page[1].height = 841890;
		pages_conf()->scan = all[i].scan;
		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "%s: composes %s", all[i].name, e.text);
		if (all[i].word == NULL)
			CHECK(r.hold == ERR_RULE_NONE && page_set_has(&r.unread, 1) == (all[i].page.text == PAGE_TEXT_UNREAD) &&
			        !page_set_has(&r.unread, 0),
			    "a page %s is let pass", all[i].name);
		else
			CHECK(r.hold == ERR_DOC_QUALITY && strcmp(r.hold_word, all[i].word) == 0 && r.ncandidates == 1 &&
			        r.candidates[0].page == 1,
			    "a page %s is held: %s", all[i].name, r.hold_text);
	}
	pages_conf()->scan = (struct conf_scan){ 0 };
}

static void
check_divided(const char *name, const char *documents, const char *outside, const struct compose_result *r)
{
	char text[64] = "?";

	if (documents == NULL) {
		CHECK(r->outside.pages == 0 && r->hold == ERR_RULE_NONE, "%s: nothing to divide", name);
		return;
	}
	CHECK(r->hold == 0 && page_set_text(&r->outside, text, sizeof(text)) && strcmp(text, outside) == 0,
	    "%s: divided, and %s belongs to no document", name, text);
	CHECK(page_set_rests(&r->outside) == (uint32_t)atoi(documents), "%s: into %s", name, documents);
}

/* Who may not be divided is held, and it is said why; who was released is one document. */
static void
test_whole_stack(void)
{
	static const struct word sheet = { { 100000, 40000, 280000, 97600 }, 97600, 0, 0, 100, CODE_PATCH, "T" };
	static const struct { const char *name; uint32_t kind, stack, hold; } all[] = {
		{ "with a ticket", DOC_TIFF, STACK_HAS_TICKET, ERR_STACK_TICKET },
		{ "from a program", DOC_PDF_KEPT, STACK_MAY, ERR_STACK_KEPT },
		{ "from a program, not to be divided", DOC_PDF_KEPT, STACK_MAY_NOT, ERR_DOC_STACK },
		{ "scanned as PDF", DOC_PDF, STACK_MAY, 0 },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct pages p = { .n = 3, .kind = all[i].kind, .stack = all[i].stack };
		struct compose_params params;
		struct compose_job job = { .conf = pages_conf(), .params = &params, .engine = "", .page = pages_give, .ctx = &p };
		static struct compose_result r;
		struct err e = { 0 };

		for (uint32_t k = 0; k < 3; k++)
			p.page[k] = (struct pages_page){ 595276, 841890, .ncodes = k == 1, .words = k == 1 ? &sheet : NULL };
		params = pages_params(&p);
		job.out = memfd_create("trace", MFD_CLOEXEC);
		CHECK(compose_explain(&job, &r, &e) == 0 && r.hold == all[i].hold && (r.outside.pages != 0) == (r.hold == 0) &&
		        (r.hold == 0 || strcmp(r.hold_word, "2") == 0),
		    "a stack %s: %s%s", all[i].name, r.hold_text, e.text);
		close(job.out);
	}
}

/* Some pages of a document alone: sound, their images as they were, the same each time. */
static void
test_part(void)
{
	struct pages p = { .n = 5, .page = {
		{ .width = 595276, .height = 841890, .nwords = 2, .words = words },
		{ .width = 841890, .height = 595276, .rotate = 90, .in_source = 1, .nwords = 2, .words = words },
		{ .width = 200000, .height = 300000, .rotate = 180, .nwords = 2, .words = words },
		{ .width = 595276, .height = 841890, .blank = 1 },
		{ .width = 595276, .height = 841890 },
	} };
	static uint8_t image[65536];
	size_t n = pages_image(image, sizeof(image));
	struct part_result r = { 0 };
	struct err e = { 0 };
	struct stat st;
	char *text;

	CHECK(pages_part(&p, path, 1, 3, &r, &e) == 0 && stat(path, &st) == 0 && (uint64_t)st.st_size == r.len,
	    "three pages of five: %s", e.text);
	CHECK(judge("qpdf --check '%s'", path) == 0, "qpdf finds no fault");
	CHECK(count_bytes(path, image, n) == 3, "images are there bit for bit");
	text = judge_text("pdfinfo -f 1 -l 3 '%s'; pdftotext '%s' - | tr -d '\\f'", path, path);
	CHECK(has(text, "Pages:           3") && has(text, "Page    1 size:  841.89 x 595.276 pts") && has(text, "Page    1 rot:   90") &&
	    has(text, "Page    2 rot:   180") && has(text, "Page    3 size:  595.276 x 841.89"), "sizes and turns are as they were");
	CHECK(!has(text, "4711"), "nothing that was read is in it");
	free(text);
	CHECK(pages_part(&p, second, 1, 3, &r, &e) == 0 && same_bytes(path, second), "the same pages give the same bytes");
	CHECK(pages_part(&p, second, 1, 2, &r, &e) == 0 && !same_bytes(path, second), "others do not");
	p.kind = DOC_PDF_KEPT;
	CHECK(pages_part(&p, second, 1, 2, &r, &e) < 0, "a PDF that keeps its bytes is not taken apart");
}

/* Sheets with a patch code, or a barcode, between documents. */
static void
test_stack(void)
{
	static const struct word sheet = { { 100000, 40000, 280000, 97600 }, 97600, 0, 0, 100, CODE_PATCH, "T" };
	static const struct word other = { { 100000, 40000, 280000, 97600 }, 97600, 0, 0, 100, CODE_PATCH, "4" };
	static const struct word bar = { { 100000, 40000, 280000, 97600 }, 97600, 0, 0, 100, CODE_128, "SEP-17" };
	static char *patches[] = { (char *)(uintptr_t)"T" };
	static const struct { const char *name, *pages; const char *documents; uint32_t page; const char *outside; } all[] = {
		{ "no sheet", "dddd", NULL, 0, "" },
		{ "a sheet between two", "dSdd", "2", 1, "2" },
		{ "one before each", "SdSddS", "2", 2, "1,3,6" },
		{ "only one document", "SddS", NULL, 0, "" },
		{ "sheets behind each other", "dSSd", "2", 2, "2,3" },
		{ "a blank back of a sheet", "SbdbSbd", "2", 4, "1,2,5,6" },
		{ "a blank page before all", "bdSd", "2", 2, "3" },
		{ "a blank page before all and a sheet", "bSdbbSd", "2", 5, "1,2,6" },
		{ "blank pages alone", "bSb", NULL, 0, "" },
		{ "another patch code", "dOd", NULL, 0, "" },
		{ "a barcode", "dBdBd", "3", 1, "2,4" },
	};
	struct conf_folder *f = pages_conf()->folders;

	f->separator_patch = (struct strings){ patches, 1 };
	f->separator.text = "^SEP-";
	if (regcomp(&f->separator.re, f->separator.text, REG_EXTENDED) != 0)
		exit(99);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct pages p = { .n = (uint32_t)strlen(all[i].pages) };
		static struct compose_result r;
		struct err e = { 0 };

		for (uint32_t k = 0; k < p.n; k++) {
			const char what = all[i].pages[k];

			p.page[k] = (struct pages_page){ 595276, 841890, .blank = what == 'b', .ncodes = strchr("SOB", what) != NULL,
				.words = what == 'S' ? &sheet : what == 'O' ? &other : what == 'B' ? &bar : NULL };
		}
		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "%s: composes %s", all[i].name, e.text);
		if (all[i].documents == NULL)
			CHECK(r.hold != ERR_DOC_STACK && r.outside.pages == 0, "%s: no stack", all[i].name);
		else
			CHECK(r.hold == ERR_DOC_STACK && strcmp(r.hold_word, all[i].documents) == 0 && r.ncandidates == 1 &&
			        r.candidates[0].page == all[i].page && r.candidates[0].box.x0 == 100000,
			    "%s: held, %s", all[i].name, r.hold_text);
		p.stack = STACK_MAY;
		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == 0, "%s: composes once more %s", all[i].name, e.text);
		check_divided(all[i].name, all[i].documents, all[i].outside, &r);
	}
	test_whole_stack();
	regfree(&f->separator.re);
	f->separator = (struct conf_ere){ .text = NULL };
	f->separator_patch = (struct strings){ NULL, 0 };
}

int
main(void)
{
	snprintf(path, sizeof(path), "%s/base.pdf", judge_dir());
	snprintf(second, sizeof(second), "%s/second.pdf", judge_dir());
	snprintf(twin, sizeof(twin), "%s/twin.pdf", judge_dir());
	test_base();
	test_pdfa();
	test_tree();
	test_lies();
	test_pull();
	test_blank();
	test_quality();
	test_stack();
	test_part();
	return TEST_DONE();
}
