/*
 * Signatures of a PDF are found where readers find them, with the bytes that
 * openssl made and the ranges that the file has.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/field.h"
#include "scan/sigs.h"
#include "tests/unit/basefile.h"
#include "tests/unit/handpdf.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static struct sig_info found[SIGS_MAX];
static struct sigs_result res;

/* Number of signatures, or -code; their records in found[]. */
static int
read_sigs(const void *data, size_t len)
{
	AUTO_FD in = scans_memory(data, len), out = scans_temporary();
	struct err e = { 0 };
	AUTO_BUF b = { 0 };
	uint64_t n;
	int r;

	for (uint32_t i = 0; i < SIGS_MAX; i++)
		sig_info_done(&found[i]);
	memset(found, 0, sizeof(found));
	res = (struct sigs_result){ 0 };
	if ((r = sigs_read(in, 100, out, &res, &e)) < 0) {
		printf("# %s\n", e.text);
		return r;
	}
	if (io_size(out, &n, &e) < 0)
		exit(99);
	buf_init(&b, n + 1);
	for (uint64_t i = 0; i < n; i++) {
		uint8_t c;

		if (io_pread_full(out, &c, 1, i, &e) < 0)
			exit(99);
		buf_put_u8(&b, c);
	}
	for (uint32_t i = 0; i < res.nsigs; i++)
		if (sig_info_get(&b, &found[i], &e) < 0)
			return -ERR_PEER;
	return buf_finished(&b) ? (int)res.nsigs : -ERR_PEER;
}

static int
read_made(void)
{
	return read_sigs(made.d, made.n);
}

/* --- where they are ----------------------------------------------------------------------------- */

#define SIG "<</Type/Sig/SubFilter/ETSI.CAdES.detached/Contents<3003020101000000>/ByteRange[0 10 20 30]>>"

static void
test_places(void)
{
	const char *const field[] = { "<</FT/Sig/T(Seal1)/V 5 0 R>>", SIG };
	const char *const kids[] = { "<</FT/Sig/T(Top)/Kids[5 0 R]>>", "<</T(Mid)/Kids[6 0 R]>>", "<</T(Leaf)/V 7 0 R>>", SIG };
	const char *const loop[] = { "<</FT/Sig/T(A)/Kids[5 0 R]>>", "<</T(B)/Kids[4 0 R 5 0 R]/V 6 0 R>>", SIG };
	const char *const text[] = { "<</FT/Tx/T(A)/V(3003)>>" };
	const char *const bytes[] = { "(/ByteRange [0 1 2 3] /Type/Sig)" };

	make("", "", 0, NULL);
	CHECK(read_made() == 0 && res.pages == 1 && res.warnings == 0, "a PDF without a form has none");
	make("/AcroForm<</Fields[4 0 R]>>", "", 2, field);
	CHECK(read_made() == 1 && strcmp(found[0].field, "Seal1") == 0 &&
	        strcmp(found[0].sub_filter, "ETSI.CAdES.detached") == 0 && !found[0].is_timestamp,
	    "a field of the form");
	CHECK(found[0].cms_len == 5 && memcmp(found[0].cms, "\x30\x03\x02\x01\x01", 5) == 0, "its CMS without the padding");
	CHECK(found[0].range[1] == 10 && found[0].range[3] == 30 && !found[0].covers_revision,
	    "its range as it stands, which covers nothing whole");
	make("/AcroForm<</Fields[4 0 R]>>", "", 4, kids);
	CHECK(read_made() == 1 && strcmp(found[0].field, "Top.Mid.Leaf") == 0, "a kid of a kid that inherits its type: %s",
	    found[0].field);
	make("/AcroForm<</Fields[4 0 R]>>", "", 3, loop);
	CHECK(read_made() == 1, "fields that are their own kids, once");
	make("", "/Annots[4 0 R]", 2,
	    (const char *const[]){ "<</Type/Annot/Subtype/Widget/FT/Sig/T(W)/V 5 0 R/Rect[0 0 0 0]>>", SIG });
	CHECK(read_made() == 1 && strcmp(found[0].field, "W") == 0, "a widget the form does not list");
	make("/AcroForm<</Fields[4 0 R]>>", "/Annots[4 0 R]", 2, field);
	CHECK(read_made() == 1, "one that both list, once");
	make("/Perms<</DocMDP 4 0 R>>", "", 1, (const char *const[]){ SIG });
	CHECK(read_made() == 1 && strcmp(found[0].field, "DocMDP") == 0, "a permission");
	make("/AcroForm<</Fields[4 0 R]>>", "", 1, (const char *const[]){ "<</FT/Sig/T(D)/V " SIG ">>" });
	CHECK(read_made() == 1, "a direct one");
	make("/AcroForm<</Fields[4 0 R]>>", "", 1, text);
	CHECK(read_made() == 0, "a field of text is none");
	make("", "", 1, bytes);
	CHECK(read_made() == 0, "nor are the words in a string");
}

static void
test_facts(void)
{
	make("/AcroForm<</Fields[4 0 R]>>", "", 2, (const char *const[]){ "<</FT/Sig/T<FEFF00DC>/V 5 0 R>>",
	    "<</Type/DocTimeStamp/SubFilter/ETSI.RFC3161/M(D:2026)/Cert(x)/SealroomCheckpoint(o\n1\nAA=\n)/Contents<3000>>>" });
	CHECK(read_made() == 1 && found[0].is_timestamp && found[0].has_cert_key && found[0].has_signing_time_key,
	    "a document time-stamp with its keys");
	CHECK(strcmp(found[0].checkpoint, "o\n1\nAA=\n") == 0, "and the log's head");
	CHECK(strcmp(found[0].field, "\xc3\x9c") == 0, "names are UTF-8");
	CHECK(found[0].range[3] == 0 && !found[0].covers_revision, "no range covers nothing");
	CHECK(found[0].cms_len == 2, "an empty sequence is two bytes");
}

#define OPEN_SIG "<</Type/Sig/SubFilter/adbe.pkcs7.detached/ByteRange[0 0000000000 0000000000 0000000000]/Contents<3003020101000000>>>"

/* What a range may end with stays the same when a revision follows: else a signature would break under our seal. */
static void
test_ends(void)
{
	static const struct {
		const char *name, *end;
		size_t cut;
		uint32_t whole;
	} ends[] = { { "the mark and a line", "", 0, 1 }, { "the mark alone", "", 1, 1 }, { "two lines", "\n", 0, 1 }, { "a blank", " ", 0, 1 },
		{ "blanks and lines", " \r\n\t\n", 0, 1 }, { "half a mark", "", 3, 0 } };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		for (int more = 0; more < 2; more++) {
			char numbers[40];
			size_t hole, end;

			make("/AcroForm<</Fields[4 0 R]>>", "", 2, (const char *const[]){ "<</FT/Sig/T(A)/V 5 0 R>>", OPEN_SIG });
			add("%s", ends[i].end);
			hole = (size_t)(strstr(made.d, "/Contents<") + 9 - made.d);
			end = made.n - ends[i].cut;
			snprintf(numbers, sizeof(numbers), "%010zu %010zu %010zu", hole, hole + 18, end - hole - 18);
			memcpy(strstr(made.d, "ByteRange[0 ") + 12, numbers, strlen(numbers));
			if (more)
				add("startxref\n%zu\n%%%%EOF\n", (size_t)(strstr(made.d, "\nxref\n") + 1 - made.d));
			CHECK(read_made() == 1 && found[0].covers_revision == ends[i].whole, "a range that ends with %s%s: %s", ends[i].name,
			    more ? ", and another revision" : "", ends[i].whole ? "whole" : "not");
		}
}

/* What lies about its length is handed on whole, for the verifier to refuse. */
static void
test_lengths(void)
{
	static const struct {
		const char *name, *hex;
		size_t len;
	} all[] = {
		{ "zeros behind", "30020500000000", 4 }, { "something behind", "30020500000001", 7 }, { "indefinite length", "308005000000", 6 },
		{ "longer than there is", "30820500aabb", 6 }, { "another tag", "04020500", 4 }, { "long form", "3081020500000000", 5 },
		{ "nothing", "", 0 },
	};
	char sig[300];
	int n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *const field[] = { "<</FT/Sig/T(S)/V 5 0 R>>", sig };

		snprintf(sig, sizeof(sig), "<</Type/Sig/Contents<%s>/ByteRange[0 1 2 3]>>", all[i].hex);
		make("/AcroForm<</Fields[4 0 R]>>", "", 2, field);
		n = read_made();
		CHECK(n == 1 && found[0].cms_len == all[i].len, "%s: %zu bytes", all[i].name, found[0].cms_len);
	}
}

static void
test_hostile(void)
{
	static char deep[200][64];
	const char *more[250];
	char fields[3000] = "/AcroForm<</Fields[";

	for (int i = 0; i < 200; i++) {
		snprintf(deep[i], sizeof(deep[i]), "<</T(x)/Kids[%d 0 R]>>", i + 5);
		more[i] = deep[i];
	}
	make("/AcroForm<</Fields[4 0 R]>>", "", 199, more);
	CHECK(read_made() == -ERR_DOC_BAD, "fields 199 deep are refused");
	for (int i = 0; i < SIGS_MAX + 1; i++) {
		snprintf(fields + strlen(fields), sizeof(fields) - strlen(fields), "%d 0 R ", 4 + i);
		more[i] = "<</FT/Sig/V<</Contents<3000>>>>>";
	}
	strcat(fields, "]>>");
	make(fields, "", SIGS_MAX + 1, more);
	CHECK(read_made() == -ERR_DOC_BAD, "%d signatures are refused", SIGS_MAX + 1);
	make("/AcroForm<</Fields[4 0 R]>>", "", 2,
	    (const char *const[]){ "<</FT/Sig/V 5 0 R>>", "<</Contents<3000>/ByteRange[-1 5 9 9]>>" });
	CHECK(read_made() == 1 && found[0].range[3] == 0, "a negative range is none");
	make("/AcroForm<</Fields[4 0 R]>>", "", 2, (const char *const[]){ "<</FT/Sig/V 5 0 R>>",
	    "<</Contents<3000>/ByteRange[0 9223372036854775807 9223372036854775807 9223372036854775807]>>" });
	CHECK(read_made() == 1 && found[0].range[3] == 0, "nor is one beyond all numbers");
	CHECK(read_sigs("%PDF-1.7\n", 9) == -ERR_DOC_INCOMPLETE, "a header is no PDF");
}

static void
test_claim(void)
{
	static const struct {
		const char *xmp;
		uint32_t part;
		char conformance;
	} all[] = {
		{ "<pdfaid:part>2</pdfaid:part><pdfaid:conformance>U</pdfaid:conformance>", 2, 'U' },
		{ "<rdf:Description pdfaid:part=\"1\" pdfaid:conformance='B'/>", 1, 'B' },
		{ "<pdfaid:part>x</pdfaid:part>", 0, 0 },
		{ "pdfaid:part", 0, 0 },
	};
	char text[300];
	int n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		snprintf(text, sizeof(text), "<</Type/Metadata/Subtype/XML/Length %zu>>\nstream\n%s\nendstream", strlen(all[i].xmp),
		    all[i].xmp);
		make("/Metadata 4 0 R", "", 1, (const char *const[]){ text });
		n = read_made();
		CHECK(n == 0 && res.pdfa_part == all[i].part && res.pdfa_conformance == all[i].conformance,
		    "XMP %zu claims PDF/A-%u%c", i, res.pdfa_part, res.pdfa_conformance == 0 ? ' ' : res.pdfa_conformance);
	}
}

/* --- a sealed file of ours, its CMS by openssl ---------------------------------------------------- */

static char dir[64];

__attribute__((format(printf, 1, 2))) static int
run(const char *fmt, ...)
{
	char cmd[2000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd);
}

/* base.pdf, its update with a hole, and the hole filled: sealed bytes, and the offset of the hole. */
static uint8_t *
seal(const uint8_t *der, size_t der_len, size_t *ret_len, struct field_result *fr)
{
	static const struct field_params fp = { .id = "0123456789abcdefghjkmnpqrs", .place = PLACE_INVISIBLE, .signer = "x",
		.checkpoint = "origin\n7\nrootroot=\n", .time_us = 1763804070000000, .hole = 4096 };
	char path[128];
	struct pages pages = { .n = 1, .page = { { .width = 400000, .height = 300000 } } };
	struct compose_result cr;
	struct err e = { 0 };
	AUTO_FD in = -1, out = scans_temporary();
	uint64_t n = 0, m = 0;
	uint8_t *all;

	snprintf(path, sizeof(path), "%s/base.pdf", dir);
	if (pages_compose(&pages, path, PDFA_2U, PDF_TABLE, &cr, &e) < 0 || (in = open(path, O_RDONLY)) < 0 ||
	    field_append(in, out, FIELD_SEAL, &fp, NULL, false, fr, &e) < 0 || io_size(in, &n, &e) < 0 || io_size(out, &m, &e) < 0 ||
	    (all = malloc(n + m)) == NULL || io_pread_full(in, all, n, 0, &e) < 0 || io_pread_full(out, all + n, m, 0, &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(99);
	}
	for (size_t i = 0; i < der_len; i++) {
		static const char digits[] = "0123456789abcdef";

		all[fr->range[1] + 1 + 2 * i] = (uint8_t)digits[der[i] >> 4];
		all[fr->range[1] + 2 + 2 * i] = (uint8_t)digits[der[i] & 15];
	}
	*ret_len = n + m;
	return all;
}

static void
test_sealed(void)
{
	struct field_result fr = { 0 };
	char path[128];
	uint8_t *der, *pdf;
	size_t der_len, len;
	uint64_t gap;

	snprintf(path, sizeof(path), "%s/cms.der", dir);
	if (run("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=t -keyout k.pem -out c.pem 2>/dev/null && "
	        "echo text | openssl cms -sign -signer c.pem -inkey k.pem -outform DER -out cms.der 2>/dev/null", dir) != 0) {
		CHECK(false, "openssl makes a CMS");
		return;
	}
	{
		AUTO_FD fd = open(path, O_RDONLY);
		struct err e;
		uint64_t n;

		if (fd < 0 || io_size(fd, &n, &e) < 0 || (der = malloc(n)) == NULL || io_pread_full(fd, der, n, 0, &e) < 0)
			exit(99);
		der_len = n;
	}
	pdf = seal(der, der_len, &len, &fr);
	CHECK(read_sigs(pdf, len) == 1 && found[0].cms_len == der_len && memcmp(found[0].cms, der, der_len) == 0,
	    "the CMS is openssl's, byte for byte");
	CHECK(memcmp(found[0].range, fr.range, sizeof(fr.range)) == 0 && found[0].covers_revision && res.warnings == 0 &&
	        res.pdfa_part == 2 && res.pdfa_conformance == 'U',
	    "the range is the file's, and covers all of it but the hole");
	CHECK(strcmp(found[0].checkpoint, "origin\n7\nrootroot=\n") == 0, "the checkpoint is there");
	gap = fr.range[2] - fr.range[1];
	pdf[fr.range[1] + gap - 2] = '1';
	CHECK(read_sigs(pdf, len) == 1 && found[0].cms_len > der_len, "what is hidden in the padding comes along");
	pdf[fr.range[1] + gap - 2] = '0';
	pdf[len - 2] = 'E';
	CHECK(read_sigs(pdf, len) == -ERR_DOC_INCOMPLETE, "a changed end of file is one");
	pdf[len - 2] = 'F';
	{
		char *at = memmem(pdf + fr.doc_len, len - fr.doc_len, "/ByteRange", 10);
		char *digit = at == NULL ? NULL : strchr(at + 13, ' ');

		if (digit != NULL)
			digit[-1] = (char)(digit[-1] == '1' ? '2' : '1');
		CHECK(read_sigs(pdf, len) == 1 && !found[0].covers_revision, "a range one byte off covers no revision");
	}
	free(pdf);
	free(der);
}

int
main(void)
{
	int fd = tmpdir_make(dir);

	test_places();
	test_facts();
	test_ends();
	test_lengths();
	test_hostile();
	test_claim();
	test_sealed();
	for (uint32_t i = 0; i < SIGS_MAX; i++)
		sig_info_done(&found[i]);
	tmpdir_remove(fd, dir);
	return TEST_DONE();
}
