/* The revision with stamp and signature: where the reader sees it, what is covered, what is refused. */
#include <inttypes.h>
#include <stdbool.h>

#include "agent/lib/io.h"
#include "scan/field.h"
#include "tests/unit/judge.h"
#include "tests/unit/basefile.h"
#include "tests/unit/looks.h"
#include "tests/unit/test.h"

#define HOLE 4096u

static const struct word words[] = {
	{ { 72000, 220000, 152000, 232000 }, 229000, 0, 0, 90, CODE_NONE, "Rechnung" },
};

static char base[300], sealed[300], other[300], twin[300];

static struct field_params
seal_params(uint32_t page, struct box box)
{
	return (struct field_params){
		.id = "0123456789abcdefghjkmnpqrs",
		.place = PLACE_BOX,
		.place_page = page,
		.place_box = box,
		.nlines = 3,
		.lines = { "Elektronisch gesiegelt", "Stadt \xC3\x9C" "berlingen", "22.11.2026 10:34" },
		.signer = "Stadt \xC3\x9C" "berlingen",
		.reason = "Eingang (Post)",
		.location = "Rathaus",
		.checkpoint = "example.org/log\n12\nrooT=\n\n\xE2\x80\x94 example.org/log c2ln\n",
		.time_us = 1763804070123456,
		.hole = HOLE,
	};
}

/* from + update at to; 0 or -code. */
static int
append(const char *from, const char *to, enum field_kind kind, const struct field_params *fp, bool cidset,
    struct field_result *ret, struct err *e)
{
	char part[400];
	int in = open(from, O_RDONLY | O_CLOEXEC), out, r;
	size_t n, m;

	snprintf(part, sizeof(part), "%s.part", to);
	out = judge_create(part);
	r = field_append(in, out, kind, fp, &looks_plain, cidset, ret, e);
	close(in);
	close(out);
	if (r < 0)
		return r;
	uint8_t *a = judge_read(from, &n), *b = judge_read(part, &m), *both = malloc(n + m + 1);
	if (both == NULL)
		abort();
	memcpy(both, a, n);
	memcpy(both + n, b, m);
	judge_write(to, both, n + m);
	free(a);
	free(b);
	free(both);
	return 0;
}

static int
make_base(enum pdfa pdfa, enum pdf_section section)
{
	struct pages p = { .n = 4 };
	struct compose_result r;
	struct err e = { 0 };

	for (uint32_t i = 0; i < 4; i++)
		p.page[i] = (struct pages_page){ 400000, 300000, .rotate = 90 * i, .nwords = 1, .words = words };
	return pages_compose(&p, base, pdfa, section, &r, &e);
}

/* --- what is signed -------------------------------------------------------------------- */

/* Signs the ranges with openssl and puts the CMS into the hole, as a sealer would. */
static bool
sign(const char *path, const struct field_result *f)
{
	const char *dir = judge_dir();
	char name[400];
	size_t n, cms_len;
	uint8_t *data = judge_read(path, &n), *cms, *ranges = malloc(n);

	if (ranges == NULL)
		abort();
	memcpy(ranges, data, f->range[1]);
	memcpy(ranges + f->range[1], data + f->range[2], f->range[3]);
	snprintf(name, sizeof(name), "%s/ranges", dir);
	judge_write(name, ranges, f->range[1] + f->range[3]);
	if (judge("test -e '%s/key' || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Test "
	        "-keyout '%s/key' -out '%s/cert' -days 2", dir, dir, dir) != 0 ||
	    judge("openssl cms -sign -binary -cades -md sha256 -signer '%s/cert' -inkey '%s/key' -in '%s/ranges' -outform DER "
	        "-out '%s/cms'", dir, dir, dir, dir) != 0)
		return false;
	snprintf(name, sizeof(name), "%s/cms", dir);
	cms = judge_read(name, &cms_len);
	for (size_t i = 0; i < cms_len && cms_len <= HOLE; i++) {
		static const char digits[] = "0123456789ABCDEF";

		data[f->range[1] + 1 + 2 * i] = (uint8_t)digits[cms[i] >> 4];
		data[f->range[1] + 2 + 2 * i] = (uint8_t)digits[cms[i] & 15];
	}
	judge_write(path, data, n);
	free(data);
	free(ranges);
	free(cms);
	return cms_len <= HOLE;
}

static void
check_range(const char *path, const struct field_result *f)
{
	size_t n;
	char *data = (char *)judge_read(path, &n), text[128], padded[128];

	CHECK(f->doc_len + f->update_len == n, "lengths add up to the file");
	CHECK(f->range[0] == 0 && f->range[2] + f->range[3] == n, "the range begins and ends with the file");
	CHECK(f->range[2] - f->range[1] == 2 * HOLE + 2, "and leaves out the hole");
	CHECK(data[f->range[1]] == '<' && data[f->range[2] - 1] == '>' && strspn(data + f->range[1] + 1, "0") == 2 * HOLE,
	    "with its brackets, all zeros inside");
	snprintf(padded, sizeof(padded), "/ByteRange[0 %-10" PRIu64 " %-10" PRIu64 " %-10" PRIu64 "]/Contents", f->range[1],
	    f->range[2], f->range[3]);
	CHECK(memmem(data, n, padded, strlen(padded)) != NULL, "the dictionary says the same");
	CHECK(strcmp(data + n - 6, "%%EOF\n") == 0, "the file ends with its %%%%EOF line");
	snprintf(text, sizeof(text), "%s", data + n - 6);
	free(data);
}

static bool
pdfsig_says(const char *path, int nth, const char *what)
{
	char *text = judge_text("pdfsig -nocert '%s' 2>/dev/null", path), mark[32], *s, *end;
	bool found;

	snprintf(mark, sizeof(mark), "Signature #%d:", nth);
	if ((s = strstr(text, mark)) == NULL) {
		free(text);
		return false;
	}
	snprintf(mark, sizeof(mark), "Signature #%d:", nth + 1);
	if ((end = strstr(s, mark)) != NULL)
		*end = '\0';
	found = strstr(s, what) != NULL;
	free(text);
	return found;
}

static void
test_signed(enum pdf_section section)
{
	const char *kind = section == PDF_TABLE ? "table" : "stream";
	struct field_params fp = seal_params(1, (struct box){ 50000, 60000, 220000, 120000 });
	struct field_result f;
	struct err e = { 0 };
	size_t n, m;

	CHECK(make_base(PDFA_2U, section) == 0, "a base file with a %s", kind);
	CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0, "a field is appended: %s", e.text);
	CHECK(judge("qpdf --check '%s'", sealed) == 0, "qpdf finds no fault");
	check_range(sealed, &f);
	uint8_t *a = judge_read(base, &n), *b = judge_read(sealed, &m);
	CHECK(m > n && memcmp(a, b, n) == 0, "the base file's bytes stand before it unchanged");
	CHECK((memmem(b + n, m - n, "\nxref\n", 6) != NULL) == (section == PDF_TABLE), "its section is a %s, too", kind);
	free(a);
	free(b);
	CHECK(sign(sealed, &f), "openssl signs the ranges, the CMS fits the hole");
	CHECK(pdfsig_says(sealed, 1, "Signature is Valid") && pdfsig_says(sealed, 1, "Total document signed") &&
	    pdfsig_says(sealed, 1, "ETSI.CAdES.detached") && pdfsig_says(sealed, 1, "Seal1"), "pdfsig finds Seal1 valid");
	CHECK(judge_twin(sealed, twin, "/Reason(Eingang", "/Reason(Ausgang") == 1 &&
	    !pdfsig_says(twin, 1, "Signature is Valid"), "but not in a twin with another reason");

	fp.place = PLACE_INVISIBLE;
	CHECK(append(sealed, other, FIELD_SEAL, &fp, false, &f, &e) == 0 && sign(other, &f), "a second one, not seen");
	fp.hole = 3000;
	CHECK(append(other, sealed, FIELD_TIMESTAMP, &fp, false, &f, &e) == 0, "a time-stamp over both");
	CHECK(judge("qpdf --check '%s'", sealed) == 0, "qpdf finds no fault");
	CHECK(pdfsig_says(sealed, 1, "Signature is Valid") && pdfsig_says(sealed, 1, "Not total document signed"),
	    "the first seal is still valid, for its revision");
	CHECK(pdfsig_says(sealed, 2, "Signature is Valid") && pdfsig_says(sealed, 2, "Seal2"), "so is the second, Seal2");
	char *text = judge_text("qpdf --json=2 --json-key=qpdf '%s'", sealed);
	CHECK(pdfsig_says(sealed, 3, "Timestamp1") && strstr(text, "\"/Type\": \"/DocTimeStamp\"") != NULL &&
	    strstr(text, "\"/SubFilter\": \"/ETSI.RFC3161\"") != NULL, "the third is the time-stamp");
	free(text);
}

static void
test_entries(void)
{
	struct field_params fp = seal_params(0, (struct box){ 50000, 60000, 220000, 120000 });
	struct field_result f;
	struct err e = { 0 };
	char *text;

	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0 && append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0, "a sealed file");
	text = judge_text("qpdf --json=2 --json-key=qpdf '%s'", sealed);
	CHECK(strstr(text, "\"/Name\": \"u:Stadt \xC3\x9C" "berlingen\"") != NULL, "the signer's name reads back");
	CHECK(strstr(text, "\"/M\": \"u:D:20251122093430Z\"") != NULL, "so does the time");
	CHECK(strstr(text, "\"/SigFlags\": 3") != NULL && strstr(text, "\"/F\": 132") != NULL, "flags as PDF/A wants them");
	CHECK(strstr(text, "\"" FIELD_CHECKPOINT_KEY "\": \"u:example.org/log\\n12\\nrooT=\\n\\n\xE2\x80\x94 "
	    "example.org/log c2ln\\n\"") != NULL, "the checkpoint is there, character for character");
	CHECK(strstr(text, "/Cert\"") == NULL && strstr(text, "DigestMethod") == NULL, "nothing PAdES forbids");
	free(text);
	CHECK(append(base, other, FIELD_SEAL, &fp, false, &f, &e) == 0 && judge("cmp '%s' '%s'", sealed, other) == 0,
	    "the same again gives the same bytes");
	CHECK(make_base(PDFA_1B, PDF_TABLE) == 0 && append(base, sealed, FIELD_SEAL, &fp, true, &f, &e) == 0,
	    "a PDF/A-1b twin, sealed");
	CHECK(judge("tests/tools/preflight '%s'", sealed) == 0, "preflight finds no fault");
	CHECK(judge_twin(sealed, twin, "/F 132/", "/F 128/") == 1 && judge("tests/tools/preflight '%s'", twin) == 1,
	    "a widget that is not printed is one");
}

/* --- where it is seen ------------------------------------------------------------------ */

struct picture {
	int w, h;
	uint8_t *pixels, *data;
};

/* A page as its reader sees it, one pixel a point; mupdf knows /UserUnit, poppler does not. */
static struct picture
draw(const char *path, int page)
{
	char out[400];
	struct picture p = { 0 };
	size_t n;
	int skip = 0;

	snprintf(out, sizeof(out), "%s.pgm", path);
	if (judge("mutool draw -q -r 72 -c gray -o '%s' '%s' %d", out, path, page) != 0)
		abort();
	p.data = judge_read(out, &n);
	if (sscanf((char *)p.data, "P5 %d %d 255%n", &p.w, &p.h, &skip) != 2)
		abort();
	p.pixels = p.data + skip + 1;
	return p;
}

/* The box of all that differs between two files' pages, in the reader's view. */
static bool
difference(const char *a, const char *b, int page, struct box *ret)
{
	struct picture x = draw(a, page), y = draw(b, page);
	struct box d = { INT32_MAX, INT32_MAX, -1, -1 };

	for (int i = 0; x.w == y.w && x.h == y.h && i < x.w * x.h; i++)
		if (abs(x.pixels[i] - y.pixels[i]) > 16) {
			int px = i % x.w, py = i / x.w;

			d = (struct box){ px < d.x0 ? px : d.x0, py < d.y0 ? py : d.y0, px + 1 > d.x1 ? px + 1 : d.x1,
				py + 1 > d.y1 ? py + 1 : d.y1 };
		}
	free(x.data);
	free(y.data);
	*ret = d;
	return d.x1 > 0;
}

static bool
is_at(const struct box *seen, const struct box *want)
{
	return abs(seen->x0 - want->x0 / 1000) <= 1 && abs(seen->y0 - want->y0 / 1000) <= 1 &&
	    abs(seen->x1 - want->x1 / 1000) <= 1 && abs(seen->y1 - want->y1 / 1000) <= 1;
}

/* A line that begins with E and runs from left to right stands in the upper half of the box. */
static bool
reads_upright(const char *path, int page, const struct box *b)
{
	char *text = judge_text("mutool draw -q -F stext '%s' %d 2>/dev/null", path, page);
	bool found = false;

	for (char *s = text; (s = strstr(s, "<line ")) != NULL; s++) {
		double x0, y0, x1, y1;
		char *first = strstr(s, " c=\"");

		found = found || (sscanf(s, "<line bbox=\"%lf %lf %lf %lf\"", &x0, &y0, &x1, &y1) == 4 && first != NULL &&
		    first[4] == 'E' && x0 * 1000 > b->x0 && y0 * 1000 > b->y0 && x1 * 1000 < b->x1 &&
		    (y0 + y1) * 1000 < b->y0 + b->y1 && strncmp(strstr(s, "dir="), "dir=\"1 0\"", 9) == 0);
	}
	free(text);
	return found;
}

static void
test_turned(void)
{
	struct box want = { 50000, 60000, 220000, 120000 }, seen;
	struct err e = { 0 };

	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0, "four pages, each turned further");
	for (uint32_t i = 0; i < 4; i++) {
		struct field_params fp = seal_params(i, want);
		struct field_result f;

		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0, "sealed on page %u", i + 1);
		bool shown = difference(base, sealed, (int)i + 1, &seen);
		CHECK(shown && is_at(&seen, &want),
		    "turned by %u: the stamp is seen at %d,%d to %d,%d", 90 * i, seen.x0, seen.y0, seen.x1, seen.y1);
		CHECK(reads_upright(sealed, (int)i + 1, &want), "turned by %u: it reads upright", 90 * i);
		CHECK(!difference(base, sealed, (int)(i + 1) % 4 + 1, &seen), "no other page changes");
	}
	/* the judge of places must see when the widget is moved */
	CHECK(judge_twin(sealed, twin, "/Rect[ ", "/Rect[9") == 1 && (!difference(base, twin, 4, &seen) || !is_at(&seen, &want)),
	    "a twin with another Rect is seen elsewhere");
}

/*
 * A page not of our making: what stands in 'keys' besides Type, Parent and
 * Contents, and in 'above' in the page tree.
 */
static void
write_objects(const char *path, const char *keys, const char *above, const char *catalog, const char *fifth)
{
	char text[4096];
	size_t n = 0, at[12] = { 0 };
	int objects = 0;
	const char *parts[] = { "<</Type/Catalog/Pages 2 0 R%s>>", "<</Type/Pages/Count 1/Kids[3 0 R]%s>>",
		"<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<<>>%s>>", "<</Length 0%s>>\nstream\n\nendstream", "%s" };
	const char *fill[] = { catalog, above, keys, "", fifth };

	n += (size_t)snprintf(text, sizeof(text), "%%PDF-1.7\n%%\xE2\xE3\xCF\xD3\n");
	for (int i = 0; i < 5; i++) {
		char object[1024];

		at[++objects] = n;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(object, sizeof(object), parts[i], fill[i]);
#pragma GCC diagnostic pop
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%d 0 obj\n%s\nendobj\n", objects, object);
	}
	size_t xref = n;
	n += (size_t)snprintf(text + n, sizeof(text) - n, "xref\n0 %d\n0000000000 65535 f \n", objects + 1);
	for (int i = 1; i <= objects; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%010zu 00000 n \n", at[i]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF", objects + 1,
	    xref);
	judge_write(path, text, n);
}

static void
write_foreign(const char *path, const char *keys, const char *above, const char *catalog, const char *more)
{
	char array[1024];

	snprintf(array, sizeof(array), "[%s]", more);
	write_objects(path, keys, above, catalog, array);
}

/* A page with a form of one field, object 5. */
static void
write_form(const char *path, const char *keys, const char *field)
{
	write_objects(path, keys, "", "/AcroForm<</Fields[5 0 R]>>", field);
}

static bool
has_text(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void
test_odd_pages(void)
{
	static const struct {
		const char *name, *keys, *above;
	} cases[] = {
		{ "a MediaBox with an origin far off", "/MediaBox[-500 1000 -100 1300]", "" },
		{ "inherited, with its corners swapped", "", "/MediaBox[400 300 0 0]" },
		{ "a CropBox inside, turned by 90", "/MediaBox[0 0 900 900]/CropBox[100 200 400 600]/Rotate 90", "" },
		{ "a CropBox that sticks out, turned by 180", "/MediaBox[100 50 500 350]/CropBox[-50 -50 900 900]/Rotate 180", "" },
		{ "turned by -90, inherited", "/MediaBox[10 20 310 420]", "/Rotate -90" },
		{ "turned by 450", "/MediaBox[10 20 310 420]/Rotate 450", "" },
		{ "with fractions", "/MediaBox[0.25 -0.5 400.25 299.5]", "" },
		{ "an empty CropBox", "/MediaBox[0 0 400 300]/CropBox[10 10 10 10]", "" },
		{ "a UserUnit of 2", "/MediaBox[0 0 200 150]/UserUnit 2", "" },
		{ "a UserUnit of 2, turned by 270", "/MediaBox[50 50 200 250]/UserUnit 2/Rotate 270", "" },
	};
	struct box want = { 50000, 60000, 220000, 120000 }, seen;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct field_params fp = seal_params(0, want);
		struct field_result f;
		struct err e = { 0 };

		write_foreign(base, cases[i].keys, cases[i].above, "", "");
		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0 && judge("qpdf --check '%s'", sealed) == 0,
		    "%s: sealed %s", cases[i].name, e.text);
		bool shown = difference(base, sealed, 1, &seen);
		CHECK(shown && is_at(&seen, &want), "the stamp is seen at %d,%d to %d,%d", seen.x0,
		    seen.y0, seen.x1, seen.y1);
		CHECK(reads_upright(sealed, 1, &want), "it reads upright");
	}
}

/* --- marks on other pages ----------------------------------------------------------------- */

static void
mark(struct seal_marks *m, uint32_t page, struct box box)
{
	if (page_set_count(&m->pages) == 0)
		m->box = box;
	page_set_add(&m->pages, page);
	if (memcmp(&m->box, &box, sizeof(box)) != 0) {
		m->own[m->nown].page = page;
		m->own[m->nown++].box = box;
	}
}

static void
test_marks(void)
{
	struct box want = { 50000, 60000, 220000, 120000 }, other_place = { 10000, 20000, 180000, 80000 }, seen;
	static struct field_params fp;
	struct field_result f;
	struct err e = { 0 };
	char *text;

	fp = seal_params(1, want);
	page_set_init(&fp.marks.pages, 4);
	mark(&fp.marks, 0, want);
	mark(&fp.marks, 2, other_place);
	mark(&fp.marks, 3, want);
	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0 && append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0, "sealed, with marks %s", e.text);
	CHECK(judge("qpdf --check '%s'", sealed) == 0, "qpdf finds no fault");
	for (uint32_t i = 0; i < 4; i++) {
		const struct box *b = i == 2 ? &other_place : &want;
		bool shown = difference(base, sealed, (int)i + 1, &seen);

		CHECK(shown && is_at(&seen, b) && reads_upright(sealed, (int)i + 1, b), "turned by %u: seen upright at %d,%d to %d,%d", 90 * i,
		    seen.x0, seen.y0, seen.x1, seen.y1);
	}
	CHECK(sign(sealed, &f) && pdfsig_says(sealed, 1, "Signature is Valid") && pdfsig_says(sealed, 1, "Total document signed"),
	    "pdfsig: one signature over all of it");
	text = judge_text("pdfsig -nocert '%s' 2>/dev/null | grep -c '^Signature #'", sealed);
	CHECK(strcmp(text, "1\n") == 0, "and no second one");
	free(text);
	CHECK(judge_twin(sealed, twin, "/Subtype/Stamp/F 196", "/Subtype/Stamp/F 194") == 3 && !pdfsig_says(twin, 1, "Signature is Valid"),
	    "with the marks hidden afterwards it is not valid any more");
	CHECK(!difference(base, twin, 1, &seen), "and nothing is seen there");
	fp.marks.pages.bits[0] = 0;
	CHECK(append(base, other, FIELD_SEAL, &fp, false, &f, &e) == 0 && !difference(base, other, 1, &seen), "no marks, none seen");
}

/* The validator of Debian knows PDF/A-1b only. */
static void
test_marks_pdfa(void)
{
	static struct field_params fp;
	struct field_result f;
	struct err e = { 0 };

	fp = seal_params(0, (struct box){ 50000, 60000, 220000, 120000 });
	page_set_init(&fp.marks.pages, 4);
	for (uint32_t i = 1; i < 4; i++)
		mark(&fp.marks, i, fp.place_box);
	CHECK(make_base(PDFA_1B, PDF_TABLE) == 0 && append(base, sealed, FIELD_SEAL, &fp, true, &f, &e) == 0, "a PDF/A-1b with marks %s", e.text);
	CHECK(judge("tests/tools/preflight '%s'", sealed) == 0, "preflight finds no fault");
	CHECK(judge_twin(sealed, twin, "/Subtype/Stamp/F 196", "/Subtype/Stamp/F 192") == 3 && judge("tests/tools/preflight '%s'", twin) == 1,
	    "in marks that are not printed it does");
}

/* --- a field that is there --------------------------------------------------------------- */

static void
test_fill(void)
{
	static const struct {
		const char *name, *page, *more, *field, *expect;
	} cases[] = {
		{ "field and widget in one", "", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[50 180 220 240]>>", "Seal", "/F 4" },
		{ "turned by 90", "/Rotate 90", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[60 50 120 220]>>", "Seal", "/AP" },
		{ "with a lock of all fields", "", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[50 180 220 240]/Lock<</Type/SigFieldLock/Action/All>>>>",
		    "Seal", "/TransformMethod/FieldMDP/TransformParams<</Type/TransformParams/V/1.2/Action/All>>" },
		{ "with a lock of some", "", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[50 180 220 240]/Lock<</Type/SigFieldLock/Action/Include/Fields[(a)]>>>>",
		    "Seal", "/Action/Include/Fields[ (a) ]" },
		{ "with a seed value that is met", "", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[50 180 220 240]/SV<</Ff 3/Filter/Adobe.PPKLite/SubFilter[/adbe.pkcs7.detached/ETSI.CAdES.detached]>>>>",
		    "Seal", "/SV" },
		{ "with reasons that are recommended", "", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 4/Rect[50 180 220 240]/SV<</Reasons[(x)]>>>>",
		    "Seal", "/SV" },
	};
	struct box upright = { 50000, 60000, 220000, 120000 }, seen;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct field_params fp;
		struct field_result f = { 0 };
		struct err e = { 0 };
		char keys[300], *text;
		size_t n;
		bool found;

		snprintf(keys, sizeof(keys), "/MediaBox[0 0 400 300]/Annots[5 0 R]%s", cases[i].page);
		write_form(base, keys, cases[i].more);
		fp = seal_params(0, upright);
		snprintf(fp.field, sizeof(fp.field), "%s", cases[i].field);
		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0 && judge("qpdf --check '%s'", sealed) == 0, "%s: filled %s",
		    cases[i].name, e.text);
		if (e.code != 0)
			continue;
		bool shown = difference(base, sealed, 1, &seen);
		/* 60..120 from the left of user space and 50..220 up are, turned by 90, 50..220 across and 60..120 down */
		CHECK(shown && is_at(&seen, &upright) && reads_upright(sealed, 1, &upright), "the seal is seen in the field: %d,%d to %d,%d", seen.x0,
		    seen.y0, seen.x1, seen.y1);
		text = (char *)judge_read(sealed, &n);
		found = memmem(text + f.doc_len, f.update_len, cases[i].expect, strlen(cases[i].expect)) != NULL;
		CHECK(found && memmem(text + f.doc_len, f.update_len, "\n3 0 obj", 8) == NULL, "the update has '%s' and no page", cases[i].expect);
		free(text);
		CHECK(sign(sealed, &f) && pdfsig_says(sealed, 1, "Signature is Valid"), "pdfsig finds it valid");
		text = judge_text("pdfsig -nocert '%s' 2>/dev/null", sealed);
		CHECK(has_text(text, "Signature Field Name: Seal") && !has_text(text, "Signature #2"), "in the document's field, and in no other");
		free(text);
	}
}

static void
test_fill_refused(void)
{
	static const struct { const char *name, *more, *field, *says; } cases[] = {
		{ "no such field", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]>>", "Stamp", "no field 'Stamp'" },
		{ "a field for text", "<</Type/Annot/Subtype/Widget/FT/Tx/T(Seal)/Rect[50 180 220 240]>>", "Seal", "not for a signature" },
		{ "one that has a value", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/V<<>>/Rect[50 180 220 240]>>", "Seal", "signed already" },
		{ "a hidden one", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/F 2/Rect[50 180 220 240]>>", "Seal", "hidden" },
		{ "one that leaves the page", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[350 180 500 240]>>", "Seal", "edge of the page" },
		{ "another form of signature demanded", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/SV<</Ff 2/SubFilter[/adbe.pkcs7.detached]>>>>", "Seal", "than PAdES" },
		{ "another digest demanded", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/SV<</Ff 64/DigestMethod[(SHA512)]>>>>", "Seal", "SHA-256" },
		{ "reasons demanded", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/SV<</Ff 8/Reasons[(x)]>>>>", "Seal", "demands reasons" },
		{ "a certification demanded", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/SV<</MDP<</P 2>>>>>>", "Seal", "certifying" },
		{ "certificates demanded", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/SV<</Cert<</Ff 1/Subject[(x)]>>>>>>", "Seal", "certain certificates" },
		{ "a lock of the document", "<</Type/Annot/Subtype/Widget/FT/Sig/T(Seal)/Rect[50 180 220 240]/Lock<</Action/All/P 1>>>>", "Seal", "locks the document" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct field_params fp;
		struct field_result f;
		struct err e = { 0 };

		write_form(base, "/MediaBox[0 0 400 300]/Annots[5 0 R]", cases[i].more);
		fp = seal_params(0, (struct box){ 50000, 60000, 220000, 120000 });
		snprintf(fp.field, sizeof(fp.field), "%s", cases[i].field);
		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_FIELD && strstr(e.text, cases[i].says) != NULL, "%s: held, %s",
		    cases[i].name, e.text);
	}
}

/* --- what it is appended to ------------------------------------------------------------ */

static void
test_owners(void)
{
	static const struct {
		const char *name, *keys, *catalog, *more, *expect;
	} cases[] = {
		{ "annotations in an array of their own", "/Annots 5 0 R", "", "", "\nn 5 0 obj" },
		{ "a form in the catalog", "", "/AcroForm<</Fields[]/DA(x)>>", "", "/DA" },
		{ "a form with a field named like ours", "", "/AcroForm<</Fields[<</T(Seal1)>>]>>", "", "Seal2" },
		{ "a form whose fields are an object", "", "/AcroForm<</Fields 5 0 R>>", "", "Fields 5 0 R" },
		{ "names with escapes", "/A#20b 1/Metadata null", "/PieceInfo<<>>", "", "A#20b" },
	};
	struct field_params fp = seal_params(0, (struct box){ 50000, 60000, 220000, 120000 });

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct field_result f;
		struct err e = { 0 };
		char keys[256];

		snprintf(keys, sizeof(keys), "/MediaBox[0 0 400 300]%s", cases[i].keys);
		write_foreign(base, keys, "", cases[i].catalog, cases[i].more);
		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0 && judge("qpdf --check '%s'", sealed) == 0,
		    "%s: sealed %s", cases[i].name, e.text);
		size_t n;
		char *text = (char *)judge_read(sealed, &n);
		const char *want = cases[i].expect[0] == '\n' ? cases[i].expect + 3 : cases[i].expect;
		CHECK(memmem(text + f.doc_len, f.update_len, want, strlen(want)) != NULL, "the update has '%s'", want);
		free(text);
		CHECK(sign(sealed, &f) && pdfsig_says(sealed, 1, "Signature is Valid"), "pdfsig finds it valid");
	}
}

/* Files as qpdf writes them: object streams, linearized, encrypted. */
static void
test_qpdf_files(void)
{
	struct field_params fp = seal_params(2, (struct box){ 50000, 60000, 220000, 120000 });
	struct field_result f;
	struct err e = { 0 };
	static const char *const how[] = { "--object-streams=generate", "--linearize", "--linearize --object-streams=generate" };

	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0, "a base file");
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		CHECK(judge("qpdf %s '%s' '%s'", how[i], base, other) == 0 &&
		    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0, "qpdf %s: sealed %s", how[i], e.text);
		CHECK(judge("qpdf --check '%s'", sealed) == 0, "qpdf finds no fault");
		CHECK(sign(sealed, &f) && pdfsig_says(sealed, 1, "Signature is Valid"), "pdfsig finds it valid");
	}
	CHECK(judge("qpdf --encrypt '' owner 256 -- '%s' '%s'", base, other) == 0 &&
	    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_ENCRYPTED, "an encrypted one is refused");
	CHECK(judge("qpdf --encrypt user owner 256 -- '%s' '%s'", base, other) == 0 &&
	    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_ENCRYPTED, "also one that wants a password");
}

static void
test_damaged(void)
{
	struct field_params fp = seal_params(0, (struct box){ 50000, 60000, 220000, 120000 });
	struct field_result f = { .doc_len = 4711 };
	struct err e = { 0 };
	size_t n;

	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0, "a base file");
	uint8_t *data = judge_read(base, &n);
	judge_write(other, data, n - 1);
	CHECK(append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == 0 && judge("qpdf --check '%s'", sealed) == 0,
	    "without its last line feed it gets one first");
	f.doc_len = 4711;
	for (size_t cut = 2; cut < n - 32; cut = cut * 3 + 1) {
		judge_write(other, data, n - cut);
		CHECK(append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD && f.doc_len == 4711,
		    "%zu bytes short: refused: %s", cut, e.text);
	}
	data[n] = 'x';
	judge_write(other, data, n + 1);
	CHECK(append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD, "a byte behind its end: %s", e.text);
	free(data);
	CHECK(judge_twin(base, other, "%PDF-1.7", "%QDF-1.7") == 1 &&
	    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD, "without a header: %s", e.text);
	CHECK(judge_twin(base, other, "/Root 1 0 R", "/Root 1 7 R") == 1 &&
	    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD, "a Root that is not there: %s", e.text);
	CHECK(judge_twin(base, other, "/Kids[", "/Kidz[") > 0 &&
	    append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) < 0, "without pages: %s", e.text);
	write_foreign(other, "/MediaBox[0 0 400 300]/Rotate 45", "", "", "");
	CHECK(append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD, "turned by 45: %s", e.text);
	write_foreign(other, "", "/MediaBox[0 0 400]", "", "");
	CHECK(append(other, sealed, FIELD_SEAL, &fp, false, &f, &e) == -ERR_DOC_BAD, "a box of three numbers: %s", e.text);
}

static void
test_parameters(void)
{
	static const struct {
		const char *name;
		uint32_t page;
		struct box box;
		uint32_t hole;
		int want;
	} cases[] = {
		{ "a page that is not there", 4, { 0, 0, 100000, 50000 }, HOLE, -ERR_ANCHOR_PLACE },
		{ "a box past the right edge", 0, { 350000, 0, 450000, 50000 }, HOLE, -ERR_ANCHOR_PLACE },
		{ "a box below the page", 0, { 0, 290000, 100000, 340000 }, HOLE, -ERR_ANCHOR_PLACE },
		{ "a box left of it", 0, { -5000, 0, 100000, 50000 }, HOLE, -ERR_ANCHOR_PLACE },
		{ "a box turned over", 0, { 100000, 50000, 0, 0 }, HOLE, -ERR_ANCHOR_PLACE },
		{ "the whole page", 0, { 0, 0, 400000, 300000 }, HOLE, 0 },
		{ "no hole", 0, { 0, 0, 100000, 50000 }, 0, -ERR_PEER },
		{ "a hole too large", 0, { 0, 0, 100000, 50000 }, FIELD_HOLE_MAX + 1, -ERR_PEER },
	};

	CHECK(make_base(PDFA_2U, PDF_TABLE) == 0, "a base file");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct field_params fp = seal_params(cases[i].page, cases[i].box);
		struct field_result f;
		struct err e = { 0 };

		fp.hole = cases[i].hole;
		CHECK(append(base, sealed, FIELD_SEAL, &fp, false, &f, &e) == cases[i].want, "%s: %s", cases[i].name, e.text);
	}
}

int
main(void)
{
	snprintf(base, sizeof(base), "%s/base.pdf", judge_dir());
	snprintf(sealed, sizeof(sealed), "%s/sealed.pdf", judge_dir());
	snprintf(other, sizeof(other), "%s/other.pdf", judge_dir());
	snprintf(twin, sizeof(twin), "%s/twin.pdf", judge_dir());
	test_signed(PDF_TABLE);
	test_signed(PDF_STREAM);
	test_entries();
	test_turned();
	test_marks();
	test_marks_pdfa();
	test_fill();
	test_fill_refused();
	test_odd_pages();
	test_owners();
	test_qpdf_files();
	test_damaged();
	test_parameters();
	return TEST_DONE();
}
