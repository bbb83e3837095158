/*
 * f_revision.c - the update with stamp and signature, appended to any PDF.
 *
 * Byte 0 chooses page, place and kind.  When the update is made at all, the whole
 * file must open again without a warning, its signatures must be one more than
 * before, and the new one must cover all but the hole.  Bit 5 asks for a text
 * layer instead, as a PDF that keeps its bytes gets it: the file must still open,
 * with the page where it was.
 */
#include "agent/lib/io.h"
#include "scan/field.h"
#include "scan/kept.h"
#include "scan/revision.h"
#include "scan/sigs.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/looks.h"

#define HOLE 64u

static uint32_t
signatures(int fd, struct err *e)
{
	struct sigs_result res = { 0 };

	return sigs_read(fd, fuzz_limits.max_pages, fuzz_out(), &res, e) == 0 ? res.nsigs : UINT32_MAX;
}

static struct field_params
params(uint8_t how)
{
	struct field_params fp = {
		.id = "0123456789abcdefghjkmnpqrs",
		.place = how & 1 ? PLACE_BOX : PLACE_INVISIBLE,
		.place_page = how >> 1 & 1,
		.place_box = { 10000, 10000, 110000, 60000 },
		.nlines = 2,
		.lines = { "Elektronisch gesiegelt", "\xC3\x9C" "berlingen (\\) 1" },
		.signer = "Stadt \xC3\x9C" "berlingen",
		.reason = "Eingang",
		.time_us = 1763804070123456,
		.hole = HOLE,
	};

	if (how & 8)
		strcpy(fp.checkpoint, "example.org/log\n12\nrooT=\n");
	if (how & 4)
		strcpy(fp.qr, "a code");
	return fp;
}

/* The file with its update in one. */
static void
joined(const uint8_t *data, size_t size, int update, uint64_t len, uint8_t **ret)
{
	struct err e = { 0 };

	if ((*ret = malloc(size + len)) == NULL)
		abort();
	memcpy(*ret, data, size);
	FUZZ_MUST(io_pread_full(update, *ret + size, len, 0, &e) == 0, "%s", e.text);
}

static void
layer(const uint8_t *data, size_t size, uint8_t how)
{
	struct word words[] = { { { 10000, 10000, 60000, 22000 }, 20000, 0, 0, 90, CODE_NONE, "Rechnung" },
		{ { 70000, 10000, 90000, 22000 }, 0, 0, 0, 90, CODE_NONE, "\xF0\x9D\x95\x8F(" } };
	struct pagefile pf = { .page = how >> 1 & 1, .media_w = 595000, .media_h = 842000, .nwords = 2, .words = words,
		.text = PAGE_TEXT_READ, .turn = (uint32_t)(how >> 6) * 90 };
	struct revision r = { 0 };
	struct revision_page page;
	struct err e = { 0 };
	struct kept *k;
	uint64_t len = 0;
	uint8_t *whole;
	int fd = fuzz_file(data, size), out = fuzz_out();
	bool done;

	if (kept_open(&k, fd, out, &e) < 0)
		return;
	done = kept_page(k, &pf, &e) == 0 && kept_end(k, "salt", &len, &e) == 0;
	kept_free(k);
	if (!done) {
		FUZZ_MUST(e.code != ERR_OK && e.text[0] != '\0', "refused without a word");
		return;
	}
	fuzz_accepted();
	joined(data, size, out, len, &whole);
	FUZZ_MUST(revision_open(&r, fuzz_file(whole, size + len), &e) == 0 && revision_page(&r, pf.page, &page, &e) == 0,
	    "with its text layer it does not open: %s", e.text);
	revision_done(&r);
	free(whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct field_result res = { 0 };
	struct field_params fp;
	struct revision r = { 0 };
	struct err e = { 0 };
	uint32_t before, after;
	uint8_t *whole;
	size_t n;
	int fd, out;

	if (size < 9)
		return 0;
	if (data[0] & 32) {
		layer(data + 1, size - 1, data[0]);
		return 0;
	}
	fp = params(data[0]);
	fd = fuzz_file(data + 1, size - 1);
	before = signatures(fd, &e);
	out = fuzz_out();
	if (field_append(fd, out, data[0] & 16 ? FIELD_TIMESTAMP : FIELD_SEAL, &fp, &looks_plain, false, &res, &e) < 0) {
		FUZZ_MUST(e.code != ERR_OK && e.text[0] != '\0', "refused without a word");
		return 0;
	}
	fuzz_accepted();
	FUZZ_MUST(res.doc_len == size - 1 && res.update_len > 2 * HOLE, "an update of %llu bytes", (unsigned long long)res.update_len);
	joined(data + 1, size - 1, out, res.update_len, &whole);
	n = size - 1 + res.update_len;
	FUZZ_MUST(res.range[0] == 0 && res.range[1] >= size - 1 && res.range[2] == res.range[1] + 2 * HOLE + 2 &&
	        res.range[2] + res.range[3] == n,
	    "the range does not cover the file");
	FUZZ_MUST(whole[res.range[1]] == '<' && whole[res.range[2] - 1] == '>', "the hole is not where the range says");
	fd = fuzz_file(whole, n);
	FUZZ_MUST(revision_open(&r, fd, &e) == 0, "the result does not open: %s", e.text);
	revision_done(&r);
	after = signatures(fd, &e);
	FUZZ_MUST(before == UINT32_MAX || before == SIGS_MAX || after == before + 1, "%u signatures became %u: %s", before, after, e.text);
	fuzz_planted(after > 1 && after != UINT32_MAX, data, size);
	free(whole);
	return 0;
}
