/*
 * f_text.c - what a page said: its result file, the text layer, the decision, the stamp.
 *
 * Byte 0 is odd: the rest is a page result file, written by whoever took a page child
 * over.  Even: the rest is the text on the page, as recognised, one word after the
 * other; it also becomes the stamp's lines, as a value that was found would.
 * Whatever is composed must open without a warning.
 */
#include <fcntl.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/rules.h"
#include "scan/compose.h"
#include "scan/field.h"
#include "scan/revision.h"
#include "scan/unicode.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/basefile.h"
#include "tests/unit/looks.h"

#define CRC_AT 8
#define TOTAL_AT 124 /* behind it 28 zeros */
#define WORDS 64
#define HOLE 64u

/* What a page result file holds below its checksum is only read when that is right. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	uint8_t *p = data + 1;
	uint32_t crc;

	size = LLVMFuzzerMutate(data, size, max);
	if (size <= PAGEFILE_HEADER || data[0] % 2 == 0 || seed % 8 == 0)
		return size;
	for (int i = 0; i < 8; i++)
		p[TOTAL_AT + i] = (uint8_t)((uint64_t)(size - 1) >> (56 - 8 * i));
	memset(p + CRC_AT, 0, 4);
	crc = crc32c(0, p, size - 1);
	for (int i = 0; i < 4; i++)
		p[CRC_AT + i] = (uint8_t)(crc >> (24 - 8 * i));
	return size;
}

static const struct conf *
settings(void)
{
	static const char text[] =
	    "folders : { in : { path = \"/in\"; rules = [ \"r\" ]; seals = [ \"s\" ]; }; };\n"
	    "rules : { r : { when = { any = [ \"Rechnung\", \"Siegel der Stadt\" ]; typos = 1; };\n"
	    "  find = { number = { after = [ \"Nr.\" ]; take = \"[A-Z0-9-]+\"; }; };\n"
	    "  place = { near = \"Freigabe\"; typos = 1; nth = \"last\"; side = \"right\"; size = [ \"100pt\", \"40pt\" ]; };\n"
	    "  seal = \"s\"; name = \"Rechnung {find.number}.pdf\"; }; };\n"
	    "seals : { s : { tokens = [ \"t\" ]; level = \"B-B\"; }; };\n"
	    "tokens : { t : { module = \"/m.so\"; pin = \"credential:pin\"; }; };\n"
	    "trust = \"/t.pem\"; archive : { path = \"/a\"; }; evidence : { origin = \"o\"; };\n";
	static struct conf *c;
	struct err e = { 0 };

	FUZZ_MUST(c != NULL || conf_parse(&c, text, &e) == 0, "%s", e.text);
	return c;
}

static int
give(void *ctx, uint32_t page, int *ret_fd, struct err *e)
{
	(void)page;
	(void)e;
	*ret_fd = dup(*(int *)ctx);
	return *ret_fd < 0 ? -1 : 0;
}

static bool
opens(int fd, struct err *e)
{
	struct revision r = { 0 };
	bool ok = revision_open(&r, fd, e) == 0 && revision_check(&r, e) == 0;

	revision_done(&r);
	return ok;
}

static void
must_open(int fd, const char *what)
{
	struct err e = { 0 };

	FUZZ_MUST(opens(fd, &e), "%s: %s", what, e.text);
}

/*
 * -1, or the file it wrote.  The dictionary of a page's image is put into the PDF
 * as its reader gave it; with one that is not sound the result does not open, which
 * is seen when it is read back.
 */
static int
composed(int page, bool sound)
{
	static struct compose_result res;
	struct compose_params params = { .id = "0123456789abcdefghjkmnpqrs", .folder = "in", .pages = 1, .name = "Brief.tif",
		.received_us = 1763804070123456 };
	struct compose_job job = { .conf = settings(), .params = &params, .engine = "tesseract 5.3.0 deu", .pdfa = PDFA_2U,
		.section = PDF_STREAM, .page = give, .ctx = &page, .source = pages_source(), .out = fuzz_out() };
	struct err e = { 0 };
	int r;

	memset(params.source_hash, 0xA5, sizeof(params.source_hash));
	r = compose_write(&job, &res, &e);
	close(job.source);
	if (r < 0) {
		FUZZ_MUST(e.code != ERR_OK && e.text[0] != '\0', "refused without a word");
		return -1;
	}
	fuzz_accepted();
	FUZZ_MUST(utf8_valid(res.name, strlen(res.name)) && utf8_valid(res.hold_word, strlen(res.hold_word)), "a name is not UTF-8");
	if (sound) {
		must_open(job.out, "what was composed does not open");
	} else if (!opens(job.out, &e)) {
		return -1;
	}
	fuzz_planted(res.nvalues > 0, (const uint8_t *)res.values[0].value, strlen(res.values[0].value));
	return job.out;
}

static void
stamped(int in, const char *text)
{
	struct field_params fp = { .id = "0123456789abcdefghjkmnpqrs", .place = PLACE_BOX, .place_box = { 10000, 10000, 210000, 90000 },
		.nlines = 2, .hole = HOLE };
	struct field_result res = { 0 };
	struct err e = { 0 };
	int update = memfd_create("update", MFD_CLOEXEC);

	snprintf(fp.lines[0], MSG_TEXT_MAX, "%s", text);
	snprintf(fp.lines[1], MSG_TEXT_MAX, "%.40s", text);
	snprintf(fp.signer, MSG_TEXT_MAX, "%s", text);
	utf8_scrub(fp.lines[0]);
	utf8_scrub(fp.lines[1]);
	utf8_scrub(fp.signer);
	if (update < 0)
		abort();
	if (field_append(in, update, FIELD_SEAL, &fp, &looks_plain, false, &res, &e) == 0) {
		if (io_copy(update, 0, res.update_len, in, NULL, &e) < 0)
			abort();
		must_open(in, "what was stamped does not open");
	}
	close(update);
}

/* As recognition would have written it: twelve words a line, 20 pt apart. */
static int
page_of(char *text)
{
	static struct word words[WORDS];
	struct pagefile pf = { .media_w = 595276, .media_h = 841890, .rotate = 0, .words = words };
	struct pagefile_out *out;
	struct err e = { 0 };
	uint64_t len;
	char *rest;
	int fd = memfd_create("page", MFD_CLOEXEC);

	for (char *w = strtok_r(text, " \n", &rest); w != NULL && pf.nwords < WORDS; w = strtok_r(NULL, " \n", &rest)) {
		int32_t i = (int32_t)pf.nwords, x = 40000 * (i % 12) + 30000, y = 20000 * (i / 12) + 30000;

		if (strlen(w) > PAGEFILE_WORD_BYTES)
			w[PAGEFILE_WORD_BYTES] = '\0';
		utf8_scrub(w);
		words[pf.nwords++] = (struct word){ { x, y, x + 38000, y + 10000 }, y + 8000, (uint16_t)(i / 12), 0, 90, CODE_NONE, w };
	}
	if (fd < 0 || pagefile_begin(fd, &pf, &out, &e) < 0 || pagefile_end(out, &len, &e) < 0)
		fuzz_wrong(__FILE__, __LINE__, "%s", e.text);
	return fd;
}

/* One character after the other, as the text layer takes them. */
static void
characters(const char *text)
{
	uint8_t utf16[4];
	uint32_t c;

	for (const char *s = text; unicode_next(&s, &c);) {
		FUZZ_MUST(c <= UNICODE_MAX && (c < 0xD800 || c > 0xDFFF), "U+%04X", c);
		FUZZ_MUST(unicode_utf16(c, utf16) == (c > 0xFFFF ? 4 : 2), "U+%04X in UTF-16", c);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[HASH_LEN];
	static const char dictionary[] = "/Width 16/Height 16/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode";
	struct pagefile pf;
	struct ink ink;
	struct box place;
	struct err e = { 0 };
	bool sound = true;
	char *text;
	int fd, doc;

	if (size < 2 || size > 1 << 16)
		return 0;
	if (data[0] % 2 == 1) {
		fd = fuzz_file(data + 1, size - 1);
		(void)pagefile_check(fd, key, &e);
		if (pagefile_head(fd, &pf, &e) == 0 && pagefile_read(fd, &pf, &e) == 0) {
			for (uint32_t i = 0; i < pf.nobjects; i++)
				sound = sound && strcmp(pf.objects[i].dict, dictionary) == 0;
			pagefile_done(&pf);
		}
		if (pagefile_ink(fd, &ink, &e) == 0 && ink.square != 0) {
			if (ink_nearest(&ink, &(struct box){ 0, 0, 100000, 50000 }, 40000, &place, &e) == 0)
				FUZZ_MUST(place.x0 >= 0 && place.y0 >= 0 && place.x1 <= ink.page_w && place.y1 <= ink.page_h && !ink_under(&ink, &place),
				    "a place that is not free");
			ink_done(&ink);
		}
		(void)composed(fd, sound);
		return 0;
	}
	text = fuzz_text(data + 1, size - 1);
	characters(text);
	fd = page_of(text);
	free(text);
	text = fuzz_text(data + 1, size - 1);
	if ((doc = composed(fd, true)) >= 0)
		stamped(doc, text);
	free(text);
	close(fd);
	return 0;
}
