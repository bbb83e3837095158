/* What pdfwrite writes, judged by qpdf and mutool. */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "scan/pdfwrite.h"
#include "tests/unit/judge.h"
#include "tests/unit/test.h"

static const struct pdf_id some_id = { "0123456789abcdef", 16 };

static struct pdf_trailer
trailer(uint32_t root)
{
	return (struct pdf_trailer){ .root = root, .id = { some_id, some_id } };
}

/* One page that says "before"; object 3 is never written.  Its length, the section's place in *startxref. */
static uint64_t
write_base(const char *path, enum pdf_section kind, uint64_t *startxref)
{
	struct pdf_trailer t = trailer(1);
	struct err e = { 0 };
	struct pdf *p;
	uint64_t len = 0;
	int fd = judge_create(path);

	CHECK(pdf_open(&p, fd, kind, NULL, "1.7", &e) == 0, "a new file opens");
	uint32_t root = pdf_new(p), pages = pdf_new(p), unused = pdf_new(p), page = pdf_new(p), content = pdf_new(p);
	CHECK(root == 1 && unused == 3, "numbers begin at 1");
	pdf_begin(p, pages, 0);
	pdf_printf(p, "<</Type/Pages/Count 1/Kids[%" PRIu32 " 0 R]>>", page);
	pdf_end(p);
	pdf_stream(p, content, "", "BT /F 20 Tf 20 100 Td (before) Tj ET", 36, PDF_DEFLATE);
	pdf_begin(p, page, 0);
	pdf_printf(p, "<</Type/Page/Parent %" PRIu32 " 0 R/MediaBox[0 0", pages);
	pdf_milli(p, 200500);
	pdf_milli(p, 300000);
	pdf_printf(p, "]/Contents %" PRIu32 " 0 R/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>",
	    content);
	pdf_end(p);
	pdf_begin(p, root, 0);
	pdf_printf(p, "<</Type/Catalog/Pages %" PRIu32 " 0 R>>", pages);
	pdf_end(p);
	*startxref = pdf_at(p);
	CHECK(pdf_finish(p, &t, &len, &e) == 0, "and ends without an error");
	pdf_free(p);
	close(fd);
	return len;
}

/* An update that makes the page say "behind" and adds two objects, far apart from it. */
static void
write_update(const char *base, const char *path, enum pdf_section kind, uint64_t len, uint64_t startxref)
{
	struct pdf_before before = { len, startxref, 6 + (kind == PDF_STREAM), 1 };
	struct pdf_trailer t = trailer(1);
	struct err e = { 0 };
	struct pdf *p;
	size_t n, m;
	uint64_t update = 0;
	char part[400];

	snprintf(part, sizeof(part), "%s.part", path);
	int fd = judge_create(part);
	CHECK(pdf_open(&p, fd, kind, &before, NULL, &e) == 0, "an update opens");
	uint64_t at = pdf_at(p);
	uint32_t number = pdf_new(p);
	pdf_begin(p, number, 0);
	uint64_t hole = pdf_at(p);
	pdf_str(p, "(hole)");
	pdf_end(p);
	pdf_stream(p, 5, "", "BT /F 20 Tf 20 100 Td (behind) Tj ET", 36, PDF_PLAIN);
	CHECK(pdf_finish(p, &t, &update, &e) == 0, "and ends without an error");
	CHECK(at == len, "its first byte is where the file ended");
	CHECK(pdf_patch(p, hole, "(full)", 6, &e) == 0, "a placeholder can be filled");
	CHECK(pdf_patch(p, len - 1, "x", 1, &e) < 0, "but nothing before the update");
	CHECK(pdf_patch(p, len + update - 1, "xx", 2, &e) < 0, "nor behind it");
	pdf_free(p);
	close(fd);
	uint8_t *a = judge_read(base, &n), *b = judge_read(part, &m);
	CHECK(m == update, "the length is what was written");
	uint8_t *both = malloc(n + m);
	memcpy(both, a, n);
	memcpy(both + n, b, m);
	judge_write(path, both, n + m);
	free(both);
	free(a);
	free(b);
}

static void
says(const char *path, const char *word)
{
	char *text = judge_text("pdftotext '%s' -", path);

	CHECK(strncmp(text, word, strlen(word)) == 0, "the page says %s", word);
	free(text);
}

/* Every entry of the table is 20 bytes and points to its object (ISO 32000-1, 7.5.4). */
static void
check_table(const char *path, uint64_t startxref)
{
	size_t n, good = 0, freed = 0;
	char *data = (char *)judge_read(path, &n), *s = data + startxref;

	CHECK(strncmp(s, "xref\n0 6\n0000000003 65535 f \n", 29) == 0, "the first table begins with number 0, all six");
	s += strlen("xref\n0 6\n");
	for (int i = 0; i < 6; i++, s += 20) {
		char want[32];

		snprintf(want, sizeof(want), "%d 0 obj\n", i);
		freed += s[17] == 'f' && s[18] == ' ' && s[19] == '\n';
		good += s[17] == 'n' && s[18] == ' ' && s[19] == '\n' &&
		    strncmp(data + strtoul(s, NULL, 10), want, strlen(want)) == 0;
	}
	CHECK(good == 4 && freed == 2, "four entries point to their objects, two are free");
	CHECK(strncmp(s, "trailer\n", 8) == 0, "then comes the trailer");
	free(data);
}

static void
test_kind(enum pdf_section kind, const char *word)
{
	char base[300], full[300], twin[300], was[64], is[64];
	uint64_t startxref = 0, len;

	snprintf(base, sizeof(base), "%s/%s.pdf", judge_dir(), word);
	snprintf(full, sizeof(full), "%s/%s-updated.pdf", judge_dir(), word);
	snprintf(twin, sizeof(twin), "%s/twin.pdf", judge_dir());
	len = write_base(base, kind, &startxref);
	CHECK(judge("qpdf --check '%s'", base) == 0, "qpdf finds no fault in a file with a %s", word);
	says(base, "before");
	if (kind == PDF_TABLE)
		check_table(base, startxref);
	write_update(base, full, kind, len, startxref);
	CHECK(judge("qpdf --check '%s'", full) == 0, "nor in an update to it");
	CHECK(judge("mutool show '%s' trailer", full) == 0, "mutool reads it");
	says(full, "behind");
	snprintf(was, sizeof(was), "%" PRIu64 "\n%%%%EOF", startxref);
	snprintf(is, sizeof(is), "%" PRIu64 "\n%%%%EOF", startxref + 1);
	CHECK(judge_twin(base, twin, was, is) == 1 && judge("qpdf --check '%s'", twin) != 0,
	    "a twin with its startxref off by one is refused");
}

/* Written as an object, read back by qpdf. */
static void
test_values(void)
{
	static const struct {
		int64_t v;
		const char *text;
	} numbers[] = { { 0, " 0" }, { 1, " 0.001" }, { -1, " -0.001" }, { 12500, " 12.5" }, { 1000, " 1" },
		{ -120050, " -120.05" }, { 14400000, " 14400" } };
	struct pdf_trailer t = trailer(1);
	struct err e = { 0 };
	struct pdf *p;
	uint64_t len;
	char path[300], *text;

	snprintf(path, sizeof(path), "%s/values.pdf", judge_dir());
	int fd = judge_create(path);
	CHECK(pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", &e) == 0, "a file for values");
	uint32_t root = pdf_new(p), pages = pdf_new(p);
	pdf_begin(p, root, 0);
	pdf_printf(p, "<</Type/Catalog/Pages %" PRIu32 " 0 R/Numbers[", pages);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		pdf_milli(p, numbers[i].v);
	pdf_str(p, "]/Plain");
	pdf_text(p, "a (b) \\ c");
	pdf_str(p, "/Uml");
	pdf_text(p, "Gr\xC3\xB6\xC3\x9F" "e \xF0\x9D\x95\x8F");
	pdf_str(p, "/Bytes");
	pdf_bytes(p, "\n\r\0\x80(", 5);
	pdf_str(p, ">>");
	pdf_end(p);
	pdf_begin(p, pages, 0);
	pdf_str(p, "<</Type/Pages/Count 0/Kids[]>>");
	pdf_end(p);
	CHECK(pdf_finish(p, &t, &len, &e) == 0, "is written");
	pdf_free(p);
	close(fd);
	text = judge_text("qpdf --show-object=1 '%s'", path);
	CHECK(strstr(text, "[ 0 0.001 -0.001 12.5 1 -120.05 14400 ]") != NULL, "numbers have no exponent and no spare zeros");
	CHECK(strstr(text, "/Plain (a \\(b\\) \\\\ c)") != NULL, "ASCII text stays readable, its parentheses escaped");
	free(text);
	text = judge_text("qpdf --json=2 --json-key=qpdf '%s'", path);
	CHECK(strstr(text, "\"/Uml\": \"u:Gr\xC3\xB6\xC3\x9F" "e \xF0\x9D\x95\x8F\"") != NULL, "other text reads back as Unicode");
	CHECK(strstr(text, "\"/Bytes\": \"b:0a0d008028\"") != NULL, "bytes read back as bytes");
	free(text);
}

static void
test_errors(void)
{
	struct pdf_trailer t = trailer(1);
	struct pdf_before full = { 100, 50, PDF_NUMBER_MAX, 1 }, far = { 9999999990u, 50, 5, 1 };
	struct err e = { 0 };
	struct pdf *p;
	uint64_t len = 77;
	char path[300];

	snprintf(path, sizeof(path), "%s/errors.pdf", judge_dir());
	int fd = judge_create(path);
	CHECK(pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", &e) == 0, "a file opens");
	pdf_begin(p, 1, 0);
	pdf_end(p);
	pdf_begin(p, 1, 0);
	pdf_end(p);
	CHECK(pdf_finish(p, &t, &len, &e) == -ERR_IO && len == 77, "a number written twice is refused");
	pdf_free(p);
	CHECK(pdf_open(&p, fd, PDF_TABLE, &full, NULL, &e) == 0, "an update opens");
	CHECK(pdf_new(p) == PDF_NUMBER_MAX && pdf_new(p) == 0, "numbers end at PDF/A's limit");
	CHECK(pdf_finish(p, &t, &len, &e) == -ERR_DOC_SIZE, "and the file fails");
	pdf_free(p);
	CHECK(pdf_open(&p, fd, PDF_TABLE, &far, NULL, &e) == 0, "an update near ten digits opens");
	pdf_begin(p, 1, 0);
	pdf_end(p);
	CHECK(pdf_finish(p, &t, &len, &e) == -ERR_DOC_SIZE, "an offset of eleven digits does not fit a table");
	pdf_free(p);
	close(fd);
	fd = open(path, O_RDONLY);
	CHECK(pdf_open(&p, fd, PDF_TABLE, NULL, "1.7", &e) == 0, "a file that cannot be written opens");
	pdf_begin(p, 1, 0);
	pdf_end(p);
	CHECK(pdf_finish(p, &t, &len, &e) < 0 && len == 77, "and fails at its end");
	pdf_free(p);
	close(fd);
}

int
main(void)
{
	test_kind(PDF_TABLE, "table");
	test_kind(PDF_STREAM, "stream");
	test_values();
	test_errors();
	return TEST_DONE();
}
