#include <stdlib.h>
#include <string.h>

#include "seal/evidence/entry.h"
#include "tests/unit/test.h"

#define ID "01jd8k3v7m2q9x4t6w8z0b5c1f"
#define H1 "1111111111111111111111111111111111111111111111111111111111111111"
#define H2 "abababababababababababababababababababababababababababababababab"

/* The texts an auditor will read, written down here by hand. */
static const char job_text[] =
    "sealroom-entry/v1\n"
    "type job\n"
    "index 12\n"
    "time 2026-11-22T09:34:30.123456Z\n"
    "heads 9,11\n"
    "job " ID "\n"
    "folder rechnungen\n"
    "rule eingang@sha256:" H1 "\n"
    "source name:M%C3%BCller%20100%25.tif 123456 sha256:" H1 " mtime:2026-11-22T09:30:00.000000Z owner:1001\n"
    "sealed sha256:" H2 " 234567 sha256:" H2 " level:B-T pdfa:2u\n"
    "archive 2026/11/22/" ID "\n"
    "file job.json 600 sha256:" H1 "\n"
    "file original.tif 123456 sha256:" H1 "\n"
    "file sealed.pdf 234567 sha256:" H2 "\n"
    "times received:2026-11-22T09:34:00.000000Z ocr:2026-11-22T09:34:10.000000Z sealed:- archived:-\n"
    "pages 3\n"
    "ocr tesseract 5.3.0 deu+eng sha256:" H1 "\n"
    "attempts 1\n"
    "token haus\n"
    "seal-cert sha256:" H2 "\n"
    "tst -\n"
    "operator 1001:-\n"
    "host mail1\n"
    "software sealroom/0.1.0 build:0123456789abcdef\n";

static const char *const other_texts[] = {
	"sealroom-entry/v1\ntype start\nindex 0\ntime 2026-11-22T09:00:00.000000Z\nheads -\n"
	"disk 0 sha256:" H1 "\nanchor -\nboot 6f1c0c34-0000-4000-8000-000000000000\nconfig sha256:" H2 "\n"
	"host mail1\nsoftware sealroom/0.1.0 build:0123456789abcdef\n",

	"sealroom-entry/v1\ntype stop\nindex 3\ntime 2026-11-22T09:00:00.000000Z\nheads 3\n"
	"reason signal\ntext -\nhost -\nsoftware sealroom/0.1.0 build:-\n",

	"sealroom-entry/v1\ntype config\nindex 1\ntime 2026-11-22T09:00:00.000000Z\nheads -\n"
	"file config/" H2 ".conf 900 sha256:" H2 "\nconfig sha256:" H2 "\n"
	"host a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype key\nindex 2\ntime 2026-11-22T09:00:00.000000Z\nheads -\n"
	"file trust/log.vkey 90 sha256:" H1 "\nkey log sealroom.example/log sha256:" H1 "\n"
	"host a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype reject\nindex 4\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nsource -\ntimes received:- ocr:- sealed:- archived:-\nreason document-damaged\n"
	"text page 2: strip 3 ends early\noperator -\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype hold\nindex 5\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nquestion 1\nsource -\ntimes received:- ocr:- sealed:- archived:-\nreason anchor-ambiguous\n"
	"text two places\noperator -\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype release\nindex 6\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nquestion 1\ntext rule eingang\noperator 0:name:root\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype withdraw\nindex 9\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nsource -\ntimes received:- ocr:- sealed:- archived:-\ntext wrong folder\n"
	"operator 1000:-\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype divide\nindex 11\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nsource sha256:" H1 " 99 sha256:" H2 " mtime:2026-11-22T08:00:00.000000Z owner:1001\n"
	"archive 2026/11/22/" ID "\nfile job.json 7 sha256:" H1 "\nfile original.tif 99 sha256:" H2 "\n"
	"file parts-sha256.txt 232 sha256:" H1 "\n"
	"times received:2026-11-22T09:00:00.000000Z ocr:- sealed:- archived:-\ntext 2 documents\n"
	"operator 1001:-\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype void\nindex 10\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\ntext issued twice\noperator 1000:-\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype orphan\nindex 7\ntime 2026-11-22T09:00:00.000000Z\nheads -\njob " ID "\n"
	"folder f\nattempts 2\ntoken haus\nseal-cert -\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype note\nindex 8\ntime 2026-11-22T09:00:00.000000Z\nheads -\n"
	"text %2D\noperator 7:sha256:" H1 "\nhost a\nsoftware sealroom/0.1.0 build:b\n",

	"sealroom-entry/v1\ntype break\nindex 9\ntime 2026-11-22T09:00:00.000000Z\nheads -\n"
	"file config/" H2 ".break 60 sha256:" H2 "\ntext the disk broke\ndisk 9 sha256:" H1 "\nanchor 52 sha256:" H2 "\n"
	"jobs again:1 lost:20 aside:3\noperator 1000:-\nhost a\nsoftware sealroom/0.1.0 build:b\n",
};

static void
hash_of(const char *hex, uint8_t out[HASH_LEN])
{
	if (hash_from_hex(hex, out) < 0)
		exit(99);
}

static void
fill_job(struct entry *x)
{
	static const uint8_t salt[ENTRY_SALT_LEN] = { 1 };
	static const struct entry_file files[] = { { .name = "job.json", .size = 600 }, { .name = "original.tif", .size = 123456 },
		{ .name = "sealed.pdf", .size = 234567 } };

	*x = (struct entry){ .type = ENTRY_JOB, .index = 12, .time_us = 1795340070123456, .nheads = 2, .heads = { 9, 11 },
		.job = ID, .folder = "rechnungen", .rule = "eingang", .has_source = true, .source_size = 123456,
		.source_mtime_us = 1795339800000000, .source_owner = 1001, .has_sealed = true, .sealed_size = 234567,
		.level = LEVEL_B_T, .pdfa = "2u", .path = "2026/11/22/" ID, .nfiles = 3, .received_us = 1795340040000000,
		.ocr_us = 1795340050000000, .pages = 3, .ocr = "tesseract 5.3.0 deu+eng", .attempts = 1, .token = "haus",
		.has_operator = true, .operator_uid = 1001, .host = "mail1", .software = "0.1.0",
		.build = "0123456789abcdef" };
	memcpy(x->files, files, sizeof(files));
	hash_of(H1, x->rule_hash);
	hash_of(H1, x->source_hash);
	hash_of(H2, x->sealed_hash);
	hash_of(H1, x->files[0].hash);
	hash_of(H1, x->files[1].hash);
	hash_of(H2, x->files[2].hash);
	hash_of(H1, x->ocr_hash);
	hash_of(H2, x->seal_cert);
	entry_name_set(&x->source, "M\xC3\xBCller 100%.tif", salt, true);
	entry_name_set(&x->sealed, "x", salt, false);
	hash_of(H2, x->sealed.hash);
}

static void
test_text(void)
{
	AUTO_BUF b = { 0 };
	struct entry x, y;
	struct err e = { 0 };

	buf_init(&b, 5000);
	fill_job(&x);
	CHECK(entry_format(&x, &b, &e) == 0, "a job entry is written (%s)", e.text);
	CHECK(b.len == strlen(job_text) && memcmp(b.data, job_text, b.len) == 0, "as it stands in the format's description");
	CHECK(entry_parse(b.data, b.len, &y, &e) == 0 && y.source_size == 123456 && y.nfiles == 3 && y.level == LEVEL_B_T &&
	          strcmp(y.source.text, "M\xC3\xBCller 100%.tif") == 0 && strcmp(y.ocr, x.ocr) == 0 && y.heads[1] == 11,
	    "and read again");
	for (size_t i = 0; i < sizeof(other_texts) / sizeof(other_texts[0]); i++) {
		const char *t = other_texts[i];

		buf_clear(&b);
		CHECK(entry_parse(t, strlen(t), &y, &e) == 0 && entry_format(&y, &b, &e) == 0 && b.len == strlen(t) &&
		          memcmp(b.data, t, b.len) == 0,
		    "%s: read and written the same (%s)", entry_type_word(y.type), e.text);
	}
}

/* One text for one meaning: nothing else is an entry. */
static void
test_strict(void)
{
	static const struct {
		const char *name, *from, *to;
	} cases[] = {
		{ "an unknown type", "type job", "type jab" },
		{ "a leading zero", "index 12", "index 012" },
		{ "no fraction of a second", "09:34:30.123456Z", "09:34:30Z" },
		{ "a line twice", "pages 3\n", "pages 3\npages 3\n" },
		{ "a line missing", "pages 3\n", "" },
		{ "lines exchanged", "attempts 1\ntoken haus\n", "token haus\nattempts 1\n" },
		{ "a line more at the end", "build:0123456789abcdef\n", "build:0123456789abcdef\nx y\n" },
		{ "no line end", "build:0123456789abcdef\n", "build:0123456789abcdef" },
		{ "two blanks", "folder rechnungen", "folder  rechnungen" },
		{ "lower case escapes", "M%C3%BCller", "M%c3%BCller" },
		{ "needless escapes", "M%C3%BCller", "%4D%C3%BCller" },
		{ "half an escape", "100%25.tif", "100%2" },
		{ "an escaped NUL", "100%25.tif", "100%00.tif" },
		{ "a raw byte", "M%C3%BCller", "M\xC3\xBCller" },
		{ "a wrong job id", "job 01jd", "job 01JD" },
		{ "a short hash", "seal-cert sha256:ab", "seal-cert sha256:" },
		{ "a hash in capitals", "seal-cert sha256:ab", "seal-cert sha256:AB" },
		{ "another hash", "seal-cert sha256:", "seal-cert sha512:" },
		{ "an unknown level", "level:B-T", "level:B-X" },
		{ "a number that overflows", " 123456 ", " 99999999999999999999 " },
		{ "a uid that overflows", "owner:1001", "owner:4294967296" },
		{ "an empty value", "token haus", "token " },
		{ "a value without key", "token haus", "haus" },
		{ "heads without number", "heads 9,11", "heads 9," },
		{ "a carriage return", "type job\n", "type job\r\n" },
	};
	char text[5000];
	struct entry y;
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *at = strstr(job_text, cases[i].from);

		if (at == NULL)
			exit(99);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - job_text), job_text, cases[i].to, at + strlen(cases[i].from));
		CHECK(entry_parse(text, strlen(text), &y, &e) == -ERR_LOG, "refused: %s", cases[i].name);
	}
	for (size_t n = 0; n < strlen(job_text); n++)
		if (entry_parse(job_text, n, &y, &e) == 0)
			break;
		else if (n + 1 == strlen(job_text))
			CHECK(1, "no shortened entry is one");
	memcpy(text, job_text, sizeof(job_text));
	text[100] = '\0';
	CHECK(entry_parse(text, strlen(job_text), &y, &e) == -ERR_LOG, "nor one with a NUL in it");
}

static void
test_limits(void)
{
	static const uint8_t salt[ENTRY_SALT_LEN] = { 1 };
	char name[256];
	AUTO_BUF b = { 0 };
	struct entry x, y;
	struct err e = { 0 };

	buf_init(&b, 5000);
	fill_job(&x);
	memset(name, 0xC3, sizeof(name));
	name[255] = '\0';
	entry_name_set(&x.source, name, salt, true);
	CHECK(x.source.kind == ENTRY_NAME_HASHED, "a plain name whose escapes would fill the entry is hashed");
	memset(name, 'n', 255);
	entry_name_set(&x.source, name, salt, true);
	entry_name_set(&x.operator, name, salt, true);
	entry_name_set(&x.sealed, name, salt, true);
	x.nfiles = ENTRY_FILES_MAX;
	for (uint32_t i = 0; i < x.nfiles; i++)
		x.files[i] = x.files[0];
	CHECK(x.source.kind == ENTRY_NAME_PLAIN && entry_format(&x, &b, &e) == 0 && entry_parse(b.data, b.len, &y, &e) == 0,
	    "three names of 255 bytes and eight files fit (%zu bytes)", b.len);
	x.source_mtime_us = 0;
	buf_clear(&b);
	CHECK(entry_format(&x, &b, &e) == 0 && entry_has_line(b.data, b.len, "pages 3") &&
	          memmem(b.data, b.len, "mtime:1970-01-01T00:00:00.000000Z", 33) != NULL,
	    "a file may be from 1970");
	x.source_mtime_us = INT64_MAX;
	buf_clear(&b);
	CHECK(entry_format(&x, &b, &e) == 0 && memmem(b.data, b.len, "mtime:- ", 8) != NULL && entry_parse(b.data, b.len, &y, &e) == 0,
	    "a time beyond the year 9999 is not written");
	memset(x.text, 0xff, sizeof(x.text) - 1);
	x.type = ENTRY_HOLD;
	buf_clear(&b);
	CHECK(entry_format(&x, &b, &e) == 0 && entry_parse(b.data, b.len, &y, &e) == 0 && strcmp(x.text, y.text) == 0,
	    "any bytes can stand in a text");
	x.job[3] = 'u';
	CHECK(entry_format(&x, &b, &e) == -ERR_LOG, "no entry without a valid job: %s", e.text);
	x.type = ENTRY_TYPE_COUNT;
	CHECK(entry_format(&x, &b, &e) == -ERR_LOG, "none of an unknown type");
}

/* What was blank stands behind the pages; nothing but such a list does. */
static void
test_blank(void)
{
	static const char *const wrong[] = { "pages 3 blank\n", "pages 3 blank \n", "pages 3 torn 2\n", "pages 3 blank 2 4\n",
		"pages 3 dropped x\n", "pages 3 unread\n", "pages 3 unread 1 2\n", "pages 3 unread 1 blank 2\n", "pages 3 unread x\n" };
	const char *at = strstr(job_text, "pages 3\n");
	AUTO_BUF b = { 0 };
	struct entry x, y;
	struct err e = { 0 };

	buf_init(&b, 5000);
	fill_job(&x);
	snprintf(x.blank, sizeof(x.blank), "2,5-9/2");
	x.blank_dropped = true;
	CHECK(entry_format(&x, &b, &e) == 0 && memmem(b.data, b.len, "\npages 3 dropped 2,5-9/2\n", 25) != NULL &&
	        entry_parse(b.data, b.len, &y, &e) == 0 && y.pages == 3 && y.blank_dropped && strcmp(y.blank, x.blank) == 0,
	    "dropped pages are on record %s", e.text);
	snprintf(x.blank, sizeof(x.blank), "many");
	x.blank_dropped = false;
	buf_clear(&b);
	CHECK(entry_format(&x, &b, &e) == 0 && entry_parse(b.data, b.len, &y, &e) == 0 && !y.blank_dropped &&
	        strcmp(y.blank, "many") == 0,
	    "or that there are many %s", e.text);
	snprintf(x.unread, sizeof(x.unread), "1,3");
	for (int both = 0; both < 2; both++) {
		const char *line = both ? "\npages 3 blank 2 unread 1,3\n" : "\npages 3 unread 1,3\n";

		snprintf(x.blank, sizeof(x.blank), "%s", both ? "2" : "");
		buf_clear(&b);
		CHECK(entry_format(&x, &b, &e) == 0 && memmem(b.data, b.len, line, strlen(line)) != NULL &&
		        entry_parse(b.data, b.len, &y, &e) == 0 && strcmp(y.blank, x.blank) == 0 && strcmp(y.unread, "1,3") == 0,
		    "so are pages that were not read, %s blank ones %s", both ? "beside" : "without", e.text);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		buf_clear(&b);
		buf_put(&b, job_text, (size_t)(at - job_text));
		buf_printf(&b, "%s%s", wrong[i], at + 8);
		CHECK(entry_parse(b.data, b.len, &y, &e) < 0, "not \"%.*s\"", (int)strlen(wrong[i]) - 1, wrong[i]);
	}
}

static void
test_names_and_peek(void)
{
	/* printf 'SALTSALTSALTSALTBrief.tif' | sha256sum */
	static const char want[] = "feee50d25674ad2ad523b05a685337fcbf1aeb948b927e55f71b2c4500a4de05";
	static const char salt_text[] = "SALTSALTSALTSALT";
	const uint8_t *salt = (const uint8_t *)salt_text;
	enum entry_type type;
	struct entry_name n;
	char job[ID_MAX], hex[HASH_HEX];
	struct err e = { 0 };

	entry_name_set(&n, "Brief.tif", salt, false);
	hash_hex(n.hash, hex);
	CHECK(n.kind == ENTRY_NAME_HASHED && strcmp(hex, want) == 0, "a name is hashed with its salt in front (%s)", hex);
	entry_name_set(&n, "", salt, true);
	CHECK(n.kind == ENTRY_NAME_NONE, "no name is no name");
	CHECK(entry_peek(job_text, strlen(job_text), &type, job, &e) == 0 && type == ENTRY_JOB && strcmp(job, ID) == 0,
	    "type and job at a glance");
	CHECK(entry_peek(other_texts[0], strlen(other_texts[0]), &type, job, &e) == 0 && type == ENTRY_START && job[0] == '\0',
	    "a start has no job");
	CHECK(entry_peek("sealroom-entry/v1\ntype ", 23, &type, job, &e) == -ERR_LOG, "a cut one is none");
	CHECK(entry_has_line(other_texts[5], strlen(other_texts[5]), "question 1") &&
	          !entry_has_line(other_texts[5], strlen(other_texts[5]), "question") &&
	          !entry_has_line(other_texts[5], strlen(other_texts[5]), "question 11"),
	    "a line is found whole or not at all");
}

int
main(void)
{
	test_text();
	test_strict();
	test_limits();
	test_blank();
	test_names_and_peek();
	return TEST_DONE();
}
