/* Attachments of a PDF: listed by the hash of what comes out, the same behind an update, and never of a changed file. */
#include "scan/field.h"
#include "scan/files.h"
#include "tests/unit/judge.h"
#include "tests/unit/looks.h"
#include "tests/unit/scans.h"
#include "tests/unit/test.h"

static char text[20000];

static int
list(const char *name, struct files_result *res, struct err *e)
{
	char path[400];
	AUTO_FD in = -1, out = scans_temporary();
	uint64_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/%s", judge_dir(), name);
	*e = (struct err){ 0 };
	if ((in = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		exit(99);
	if ((r = files_list(in, out, res, e)) == 0 &&
	    (io_size(out, &n, e) < 0 || n >= sizeof(text) || io_pread_full(out, text, n, 0, e) < 0))
		exit(99);
	text[n] = '\0';
	return r;
}

/* name + its update with a seal's field. */
static void
append_seal(const char *name, const char *to)
{
	struct field_params fp = { .id = "0123456789abcdefghjkmnpqrs", .place = PLACE_INVISIBLE, .time_us = 1763804070123456, .hole = 512 };
	struct field_result res;
	struct err e = { 0 };
	char path[400], part[400];
	AUTO_FD in = -1, out = -1;

	snprintf(path, sizeof(path), "%s/%s", judge_dir(), name);
	snprintf(part, sizeof(part), "%s/part", judge_dir());
	if ((in = open(path, O_RDONLY | O_CLOEXEC)) < 0 || (out = judge_create(part)) < 0 ||
	    field_append(in, out, FIELD_SEAL, &fp, &looks_plain, false, &res, &e) < 0 ||
	    judge("cd '%s' && cat %s part > %s", judge_dir(), name, to) != 0)
		exit(99);
}

int
main(void)
{
	struct files_result none, one, sealed, twin, two;
	const char *dir = judge_dir();
	char *sum;
	struct err e;

	if (judge("tests/tools/make-pdfs '%s' && cd '%s' && printf '<Invoice>4711</Invoice>' > a.xml && printf '<Invoice>4712</Invoice>' > b.xml"
	          " && qpdf --add-attachment a.xml -- standard.pdf one.pdf && qpdf --add-attachment a.xml --key=1 -- --add-attachment b.xml --key=2 --"
	          " standard.pdf two.pdf && mkdir t && cp b.xml t/a.xml && qpdf --add-attachment t/a.xml -- standard.pdf twin.pdf", dir, dir) != 0)
		exit(99);
	sum = judge_text("sha256sum '%s/a.xml'", dir);
	sum[64] = '\0';
	CHECK(list("letter.pdf", &none, &e) == 0 && none.n == 0 && strcmp(text, "[]") == 0, "a letter has none %s", e.text);
	CHECK(list("one.pdf", &one, &e) == 0 && one.n == 1 && strstr(text, "\"name\":\"a.xml\"") != NULL && strstr(text, sum) != NULL &&
	        strstr(text, "\"size\":23") != NULL,
	    "one, as sha256sum has it: %s %s", text, e.text);
	CHECK(list("two.pdf", &two, &e) == 0 && two.n == 2 && strstr(text, sum) != NULL, "two: %s", text);
	append_seal("one.pdf", "sealed.pdf");
	CHECK(list("sealed.pdf", &sealed, &e) == 0 && sealed.n == 1 && memcmp(sealed.hash, one.hash, HASH_LEN) == 0,
	    "the same list when a seal is behind it %s", e.text);
	CHECK(list("twin.pdf", &twin, &e) == 0 && twin.n == 1 && memcmp(twin.hash, one.hash, HASH_LEN) != 0,
	    "another one when a digit in the file is another: %s", text);
	free(sum);
	return TEST_DONE();
}
