/* The base file: sound, complete, PDF/A, the same each time; page results that lie are refused. */
#include <jansson.h>
#include <stdbool.h>

#include "agent/lib/io.h"
#include "tests/unit/judge.h"
#include "tests/unit/basefile.h"
#include "tests/unit/test.h"

static const struct word words[] = {
	{ { 72000, 70000, 152000, 82000 }, 79000, 0, 0, 90, "Rechnung" },
	{ { 160000, 70000, 220000, 82000 }, 79000, 0, 0, 90, "4711" },
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
		{ 595276, 841890, 0, 2, words, NULL, 0 },
		{ 841890, 595276, 90, 0, NULL, NULL, 1 },
		{ 200000, 300000, 180, 2, words, NULL, 0 },
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
		{ 595276, 841890, 0, 2, words, NULL, 0 },
		{ 595276, 841890, 270, 0, NULL, NULL, 0 },
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
		p.page[i] = (struct pages_page){ 200000 + 1000 * i, 300000, 0, 2, words, NULL, 0 };
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
		struct pages p = { .n = 1, .page = { { 200000, 300000, 0, 0, NULL, cases[i].dict, 0 } } };
		struct err e = { 0 };

		CHECK(pages_compose(&p, path, PDFA_2U, PDF_TABLE, &r, &e) == cases[i].want, "%s: %s", cases[i].name,
		    cases[i].want == 0 ? "taken" : "refused");
		if (cases[i].want == 0)
			CHECK(judge("qpdf --check '%s'", path) == 0, "and qpdf finds no fault");
	}
	struct pages tiny = { .n = 1, .page = { { 2999, 300000, 0, 0, NULL, NULL, 0 } } };
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
	struct pages p = { .n = 2, .page = { { 200000, 300000, 0, 2, words, NULL, 0 }, { 200000, 300000, 0, 2, words, NULL, 0 } } };
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
	return TEST_DONE();
}
