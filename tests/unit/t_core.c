/*
 * t_core.c - what becomes of a document, whatever the processes round the core answer.
 */
#include <sys/resource.h>

#include "agent/lib/proc.h"
#include "agent/resume.h"
#include "tests/unit/coreroom.h"
#include "tests/unit/test.h"

/* One letter, a run; true: sealed, handed out, logged once, nothing left over. */
static void
check_done(const char *what)
{
	int r = room_once();

	CHECK(r == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_count("in/Brief.tif") == 0 && room_count("state/spool/*/*") == 0 &&
	        room_entries(ENTRY_JOB) == 1 && room_proven(),
	    "%s: sealed, handed out, logged once (%d %s)", what, r, room_why.text);
}

static void
test_through(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	check_done("a letter");
	CHECK(beside->signatures == 1, "signed once");
}

/* Each time stamp is larger than the one before it: no hole that was made after the last ever fits, until it does. */
static void
test_growing_stamp(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.token_len = 20000;
	played.token_grows = 2000;
	played.say[0] = (struct play){ .kind = TASK_STAMP, .from = 4, .code = ERR_TSA_DOWN, .text = "none" };
	CHECK(room_once() == EX_TEMPFAIL && room_count("state/spool/signed/*/dtsprep") == 1 && beside->signatures == 1, "stamps that grow: waits");
	played.say[0].kind = 0;
	played.token_grows = 0;
	check_done("no larger any more");
	CHECK(beside->signatures == 1 && room_count("archive/2*/*/*/*/sealed.pdf") == 1, "and the token was asked once");
}

/* --- answers that are errors, lies, or about another file ---------------------------------- */

enum fate { SEALED, REFUSED, HELD, WAITS };

static void
twist_inspect(uint32_t kind, void *result)
{
	if (kind == TASK_INSPECT)
		((struct inspect_result *)result)->pages = 1000000;
}

static void
twist_page(uint32_t kind, void *result)
{
	if (kind == TASK_PAGE && ftruncate(((struct task_req *)result)->out, 100) < 0)
		exit(99);
}

static void
twist_compose_pages(uint32_t kind, void *result)
{
	if (kind == TASK_COMPOSE)
		((struct compose_result *)result)->pages = 2;
}

static void
twist_compose_rule(uint32_t kind, void *result)
{
	if (kind == TASK_COMPOSE)
		((struct compose_result *)result)->rule_hash[0] ^= 1;
}

static void
twist_compose_len(uint32_t kind, void *result)
{
	if (kind == TASK_COMPOSE)
		((struct compose_result *)result)->len++;
}

static void
twist_field_len(uint32_t kind, void *result)
{
	if (kind == TASK_FIELD)
		((struct field_result *)result)->update_len++;
}

static void
twist_field_shape(uint32_t kind, void *result)
{
	if (kind == TASK_FIELD)
		((struct field_result *)result)->range[3]--;
}

/* The shape is right, and the hole lies two bytes off. */
static void
twist_field_hole(uint32_t kind, void *result)
{
	struct field_result *f = result;

	if (kind != TASK_FIELD)
		return;
	f->range[1] -= 2;
	f->range[2] -= 2;
	f->range[3] += 2;
}

static void
twist_finish_len(uint32_t kind, void *result)
{
	if (kind == TASK_FINISH)
		((struct field_result *)result)->doc_len++;
}

static void
twist_stamp(uint32_t kind, void *result)
{
	if (kind == TASK_STAMP)
		((struct stamp_result *)result)->len++;
}

static void
twist_read_back(uint32_t kind, void *result)
{
	if (kind == TASK_SIGS)
		((struct sigs_result *)result)->warnings = 1;
}

/* From here on only when there is something signed to find. */
static void
twist_warnings(uint32_t kind, void *result)
{
	if (kind == TASK_SIGS && ((struct sigs_result *)result)->nsigs > 0)
		((struct sigs_result *)result)->warnings = 1;
}

static void
twist_listed_outside(uint32_t kind, void *result)
{
	if (kind == TASK_PROBE)
		((struct sig_info *)result)->range[3] = UINT64_MAX;
}

static void
twist_listed_other(uint32_t kind, void *result)
{
	if (kind == TASK_PROBE)
		((struct sig_info *)result)->range[3]--;
}

static void
twist_more_listed(uint32_t kind, void *result)
{
	struct sigs_result *s = result;

	if (kind == TASK_SIGS && s->nsigs > 0)
		s->nsigs++;
}

static void
twist_disproven(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE)
		((struct judge_result *)result)->verdict = VERDICT_DISPROVEN;
}

static void
twist_uncovered(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE)
		((struct judge_result *)result)->sigs[0].covers_file = 0;
}

static void
twist_cert(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE)
		((struct judge_result *)result)->sigs[0].cert_hash[0] ^= 1;
}

static void
twist_none_judged(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE)
		((struct judge_result *)result)->nsigs = 0;
}

static void
twist_level(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE)
		((struct judge_result *)result)->sigs[0].level = LEVEL_B_B;
}

static void
twist_files(uint32_t kind, void *result)
{
	if (kind == TASK_INSPECT)
		((struct inspect_result *)result)->files = 1;
}

#define ALWAYS(kind, code) { kind, 0, 0, code, "said so", false, false, false, false }
#define TIMES(n, kind, code) { kind, 1, n, code, "said so", false, false, false, false }
#define LIE(kind) { kind, 0, 0, ERR_OK, NULL, true, false, false, false }
#define LIE_ONCE(kind) { kind, 1, 1, ERR_OK, NULL, true, false, false, false }
#define KILLED(n, kind) { kind, 1, n, ERR_MEM, "killed", false, false, false, true }
#define LOST(n, kind) { kind, 1, n, ERR_CHILD, "ended", false, true, false, false }

/* What is said instead, and what becomes of the letter; extra: entries `orphan`. */
static const struct {
	const char *name;
	struct play say;
	void (*twist)(uint32_t, void *);
	enum fate fate;
	const char *reason;
	uint32_t token_len;
} cases[] = {
	{ "a document that is damaged", ALWAYS(TASK_INSPECT, ERR_DOC_BAD), NULL, REFUSED, "document-damaged", 0 },
	{ "a reader that crashes once", TIMES(1, TASK_INSPECT, ERR_DOC_CRASH), NULL, SEALED, NULL, 0 },
	{ "a reader that always crashes", ALWAYS(TASK_INSPECT, ERR_DOC_CRASH), NULL, REFUSED, "reader-crashed", 0 },
	{ "a reader that is too slow once", TIMES(1, TASK_INSPECT, ERR_DOC_TIMEOUT), NULL, SEALED, NULL, 0 },
	{ "a reader that talks nonsense once", LIE_ONCE(TASK_INSPECT), NULL, SEALED, NULL, 0 },
	{ "a reader that always talks nonsense", LIE(TASK_INSPECT), NULL, REFUSED, "reader-crashed", 0 },
	{ "a reader that counts more pages than may be", { .kind = 0 }, twist_inspect, REFUSED, "reader-crashed", 0 },
	{ "a reader that is lost twice", LOST(2, TASK_INSPECT), NULL, SEALED, NULL, 0 },
	{ "readers that are always lost", LOST(0, TASK_PAGE), NULL, WAITS, NULL, 0 },
	{ "a page that crashes its reader once", TIMES(1, TASK_PAGE, ERR_DOC_CRASH), NULL, SEALED, NULL, 0 },
	{ "a page that always does", ALWAYS(TASK_PAGE, ERR_DOC_CRASH), NULL, REFUSED, "reader-crashed", 0 },
	{ "a page with an answer that is nonsense", LIE(TASK_PAGE), NULL, REFUSED, "reader-crashed", 0 },
	{ "a page that comes back torn", { .kind = 0 }, twist_page, REFUSED, "reader-crashed", 0 },
	{ "a page for which there is no memory once", TIMES(1, TASK_PAGE, ERR_MEM), NULL, SEALED, NULL, 0 },
	{ "a reader that is killed three times when memory runs out", KILLED(3, TASK_INSPECT), NULL, SEALED, NULL, 0 },
	{ "one that always is", KILLED(0, TASK_PAGE), NULL, WAITS, NULL, 0 },
	{ "a page for which there never is", ALWAYS(TASK_PAGE, ERR_MEM), NULL, REFUSED, "reader-crashed", 0 },
	{ "a reader that says the disk is full, and it is not", ALWAYS(TASK_PAGE, ERR_SPACE), NULL, REFUSED, "reader-crashed", 0 },
	{ "a reader that has trouble of ours twice", TIMES(2, TASK_PAGE, ERR_IO), NULL, SEALED, NULL, 0 },
	{ "a reader that always has", ALWAYS(TASK_PAGE, ERR_IO), NULL, REFUSED, "reader-crashed", 0 },
	{ "a reader that finds fault with the settings once", TIMES(1, TASK_PAGE, ERR_CONF), NULL, SEALED, NULL, 0 },
	{ "and always, when others do, too", ALWAYS(TASK_PAGE, ERR_CONF), NULL, WAITS, NULL, 0 },
	{ "a list of its attachments that is nonsense", LIE(TASK_FILES), twist_files, REFUSED, "reader-crashed", 0 },
	{ "composing that is nonsense", LIE(TASK_COMPOSE), NULL, REFUSED, "reader-crashed", 0 },
	{ "composing that makes another number of pages", { .kind = 0 }, twist_compose_pages, REFUSED, "reader-crashed", 0 },
	{ "composing by a rule that there is not", { .kind = 0 }, twist_compose_rule, REFUSED, "reader-crashed", 0 },
	{ "composing that writes less than it says", { .kind = 0 }, twist_compose_len, REFUSED, "reader-crashed", 0 },
	{ "reading back that is nonsense", LIE(TASK_SIGS), NULL, REFUSED, "reader-crashed", 0 },
	{ "reading back with warnings", { .kind = 0 }, twist_read_back, REFUSED, "reader-crashed", 0 },
	{ "a stamp that can not be drawn", ALWAYS(TASK_FIELD, ERR_DOC_BAD), NULL, REFUSED, "document-damaged", 0 },
	{ "a stamp that is nonsense once", LIE_ONCE(TASK_FIELD), NULL, SEALED, NULL, 0 },
	{ "a stamp that is always nonsense", LIE(TASK_FIELD), NULL, REFUSED, "reader-crashed", 0 },
	{ "a stamp shorter than it says", { .kind = 0 }, twist_field_len, REFUSED, "reader-crashed", 0 },
	{ "a ByteRange that leaves out the last byte", { .kind = 0 }, twist_field_shape, REFUSED, "reader-crashed", 0 },
	{ "a hole that is not where it is said to be", { .kind = 0 }, twist_field_hole, REFUSED, "reader-crashed", 0 },
	{ "a token that is gone", ALWAYS(PLAY_SIGN, ERR_TOKEN_GONE), NULL, WAITS, NULL, 0 },
	{ "a token that fails twice", TIMES(2, PLAY_SIGN, ERR_TOKEN_FAULT), NULL, SEALED, NULL, 0 },
	{ "no time-stamping authority", ALWAYS(TASK_STAMP, ERR_TSA_DOWN), NULL, WAITS, NULL, 0 },
	{ "an authority that answers the third time", TIMES(2, TASK_STAMP, ERR_TSA_DOWN), NULL, SEALED, NULL, 0 },
	{ "an answer that is nonsense", LIE(TASK_STAMP), NULL, WAITS, NULL, 0 },
	{ "an answer of another length", { .kind = 0 }, twist_stamp, WAITS, NULL, 0 },
	{ "a time stamp that does not hold", ALWAYS(TASK_ATTACH, ERR_TSA_ANSWER), NULL, WAITS, NULL, 0 },
	{ "a judge of it that talks nonsense", LIE(TASK_ATTACH), NULL, WAITS, NULL, 0 },
	{ "a revision for it that can not be made", ALWAYS(TASK_FINISH, ERR_DOC_BAD), NULL, WAITS, NULL, 20000 },
	{ "a revision of it that is nonsense", LIE(TASK_FINISH), NULL, WAITS, NULL, 20000 },
	{ "a revision of another file", { .kind = 0 }, twist_finish_len, WAITS, NULL, 20000 },
	{ "a sealed file with warnings", { .kind = 0 }, twist_warnings, WAITS, NULL, 0 },
	{ "a list of signatures that can not be made", { TASK_SIGS, 2, 0, ERR_DOC_BAD, "bad", false, false, false, false }, NULL, WAITS, NULL, 0 },
	{ "a list of signatures that is nonsense", { TASK_SIGS, 2, 0, ERR_OK, NULL, true, false, false, false }, NULL, WAITS, NULL, 0 },
	{ "a signature over bytes outside the file", { .kind = 0 }, twist_listed_outside, WAITS, NULL, 0 },
	{ "a signature over other bytes than we hashed", { .kind = 0 }, twist_listed_other, WAITS, NULL, 0 },
	{ "more signatures than are in the list", { .kind = 0 }, twist_more_listed, WAITS, NULL, 0 },
	{ "a verdict that it is wrong", { .kind = 0 }, twist_disproven, WAITS, NULL, 0 },
	{ "a verdict about part of the file", { .kind = 0 }, twist_uncovered, WAITS, NULL, 0 },
	{ "a verdict about another certificate", { .kind = 0 }, twist_cert, WAITS, NULL, 0 },
	{ "a verdict about nothing", { .kind = 0 }, twist_none_judged, WAITS, NULL, 0 },
	{ "a verdict of a lower level", { .kind = 0 }, twist_level, WAITS, NULL, 0 },
	{ "a verdict that is nonsense", LIE(TASK_JUDGE), NULL, WAITS, NULL, 0 },
	{ "a checkpoint that is not signed at once", TIMES(2, PLAY_NOTE, ERR_CHILD), NULL, SEALED, NULL, 0 },
};

static bool
ends_as(enum fate fate, const char *reason, int r)
{
	switch (fate) {
	case SEALED:
		return r == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_JOB) == 1 && room_count("state/spool/*/*") == 0;
	case REFUSED:
		return r == EX_OK && room_count("in/error/Brief.tif") == 1 && room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_JOB) == 0 &&
		    room_count("state/spool/*/*") == 0 && room_says("archive/evidence/journal", reason);
	case HELD:
		return r == EX_OK && room_count("in/held/Brief.tif") == 1 && room_entries(ENTRY_HOLD) == 1 && room_count("state/spool/held/*") == 1;
	case WAITS:
		break;
	}
	return r == EX_TEMPFAIL && room_count("in/done/*") == 0 && room_count("in/error/*") == 0 && room_count("in/held/*") == 0 &&
	    room_count("state/spool/*/*") == 1;
}

static void
test_answers(void)
{
	static const char *const fates[] = { "it is sealed", "it is refused", "it is held", "it waits" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int r;

		room_empty();
		room_drop("Brief.tif", "a letter");
		played.say[0] = cases[i].say;
		played.twist = cases[i].twist;
		if (cases[i].token_len != 0)
			played.token_len = cases[i].token_len;
		r = room_once();
		CHECK(ends_as(cases[i].fate, cases[i].reason, r) && room_proven() && beside->signatures <= 1 + room_entries(ENTRY_ORPHAN), "%s: %s (%d)",
		    cases[i].name, fates[cases[i].fate], r);
		if (cases[i].fate != WAITS)
			continue;
		played.say[0].kind = 0;
		played.twist = NULL;
		r = room_once();
		CHECK(ends_as(SEALED, NULL, r) && room_proven() && beside->signatures <= 1 + room_entries(ENTRY_ORPHAN),
		    "%s, and no longer: then it is sealed (%d)", cases[i].name, r);
	}
}

/* --- large pages ------------------------------------------------------------------------- */

static struct {
	unsigned inspected, large, behind, fresh; /* documents looked at, of these large; pages read */
	int64_t fresh_ms, behind_ms[8];           /* when they had been */
} sizes;

static void
twist_size(uint32_t kind, void *result)
{
	if (kind == TASK_INSPECT && sizes.inspected++ < sizes.large)
		((struct inspect_result *)result)->pixels = 40000001;
	if (kind != TASK_PAGE)
		return;
	if (!((struct task_req *)result)->behind)
		sizes.fresh_ms = ++sizes.fresh == 1 ? room_ms : sizes.fresh_ms;
	else if (sizes.behind < 8)
		sizes.behind_ms[sizes.behind++] = room_ms;
}

/* A letter does not wait for six drawings that came before it, and of those two at a time are read. */
static void
test_large(void)
{
	int64_t began;
	int r;

	room_empty();
	for (int i = 0; i < 7; i++) {
		char name[16], bytes[16];

		snprintf(name, sizeof(name), "%d.tif", i);
		snprintf(bytes, sizeof(bytes), "document %d", i);
		room_drop(name, bytes);
	}
	sizes.large = 6;
	played.behind_ms = 20000;
	played.twist = twist_size;
	began = room_ms;
	r = room_once();
	CHECK(r == EX_OK && room_count("in/done/*") == 7 && room_proven(), "drawings and a letter are sealed (%d)", r);
	CHECK(sizes.fresh == 1 && sizes.behind == 6, "the pages of %u of them stand aside", sizes.behind);
	CHECK(sizes.fresh_ms - began < 10000, "the letter is read after %lld ms", (long long)(sizes.fresh_ms - began));
	for (unsigned i = 2; i < sizes.behind; i++)
		CHECK(sizes.behind_ms[i] - sizes.behind_ms[i - 2] > 19000, "a drawing is read %lld ms behind the last but one",
		    (long long)(sizes.behind_ms[i] - sizes.behind_ms[i - 2]));

	room_empty();
	room_drop("Akte.tif", "a file");
	room_sh("truncate -s 40000001 in/Akte.tif");
	sizes.large = sizes.behind = sizes.fresh = 0;
	played.twist = twist_size;
	r = room_once();
	CHECK(r == EX_OK && room_proven() && sizes.behind == 1 && sizes.fresh == 0, "so does a page of very many bytes (%d)", r);
}

/* --- many pages ---------------------------------------------------------------------------- */

static struct {
	unsigned inspected;
	int64_t dropped_ms, fresh_ms; /* the letter; the last page that did not stand aside */
} many_pages;

static void
twist_many_pages(uint32_t kind, void *result)
{
	if (kind == TASK_INSPECT && many_pages.inspected++ == 0)
		((struct inspect_result *)result)->pages = 60;
	if (kind == TASK_PAGE && !((struct task_req *)result)->behind)
		many_pages.fresh_ms = room_ms;
}

static void
letter_later(int second)
{
	if (second != 8)
		return;
	room_drop("Brief.tif", "a letter");
	many_pages.dropped_ms = room_ms;
}

/* Whatever its pages take, from the twenty-first on no letter waits for one of them. */
static void
test_many_pages(void)
{
	int r;

	room_empty();
	room_drop("Akte.tif", "many pages");
	played.behind_ms = 20000;
	played.twist = twist_many_pages;
	room_act = letter_later;
	if ((r = room_open(false)) == 0)
		r = room_run(20000);
	core_close(&core);
	room_act = NULL;
	CHECK(r == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_count("in/done/Akte.pdf") == 0 && many_pages.dropped_ms > 0 &&
	        many_pages.fresh_ms - many_pages.dropped_ms < 5000,
	    "a letter comes while pages take 20 s: read %lld ms later (%d)", (long long)(many_pages.fresh_ms - many_pages.dropped_ms), r);
	played.behind_ms = 0;
	r = room_once();
	CHECK(r == EX_OK && room_count("in/done/Akte.pdf") == 1 && room_proven() && room_entries(ENTRY_JOB) == 2, "and the long one comes to its end (%d)", r);
}

/* --- a long scan ------------------------------------------------------------------------- */

static struct {
	int64_t first_ms, full_ms; /* when the first page was read, when all had been looked at */
	bool kept, brief;          /* what the look in full finds */
} long_scan;

static void
twist_long(uint32_t kind, void *result)
{
	struct inspect_result *in = result;

	if (kind == TASK_PAGE && long_scan.first_ms == 0)
		long_scan.first_ms = room_ms;
	if (kind != TASK_INSPECT || in->brief == 1)
		return;
	long_scan.full_ms = room_ms;
	if (long_scan.kept) {
		in->kind = DOC_PDF_KEPT;
		in->sigs = played.sigs;
	}
	in->brief = long_scan.brief;
}

static void
drop_long_scan(bool kept, uint32_t full_ms, uint32_t page_ms)
{
	room_empty();
	if (kept)
		room_drop_signed("Brief.tif", SEAL_SEEN);
	else
		room_drop("Brief.tif", "a long scan");
	played.pages = 3;
	played.long_scan = true;
	played.full_ms = full_ms;
	played.page_ms = page_ms;
	played.twist = twist_long;
	memset(&long_scan, 0, sizeof(long_scan));
	long_scan.kept = kept;
}

/* Its first page is read while the others are looked at; nothing depends on it. */
static void
test_long_scan(void)
{
	int r;

	drop_long_scan(false, 2000, 100);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 3, "a long scan is sealed, each page read once (%d)", r);
	CHECK(long_scan.first_ms > 0 && long_scan.full_ms - long_scan.first_ms > 1500, "its first page %lld ms before all were looked at",
	    (long long)(long_scan.full_ms - long_scan.first_ms));

	drop_long_scan(false, 100, 2000);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 3 && long_scan.first_ms - long_scan.full_ms > 1500,
	    "a page that takes longer than that is waited for (%d)", r);

	drop_long_scan(true, 100, 2000);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 0 && played.asked[TASK_KEPT_PAGE] == 3,
	    "of another kind than it seemed: that page is given up (%d)", r);

	drop_long_scan(true, 2000, 100);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 1 && played.asked[TASK_KEPT_PAGE] == 3,
	    "or, when it was read, read again (%d)", r);

	drop_long_scan(false, 100, 2000);
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .from = 2, .code = ERR_DOC_BAD, .text = "damaged behind" };
	r = room_once();
	CHECK(ends_as(REFUSED, "document-damaged", r) && room_proven() && played.asked[TASK_PAGE] == 0, "damaged further behind: refused (%d)", r);

	drop_long_scan(false, 2000, 100);
	played.say[0] = (struct play)TIMES(1, TASK_PAGE, ERR_DOC_CRASH);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 4, "a first page that was read in vain is no fault of it (%d)", r);

	drop_long_scan(false, 100, 2000);
	played.say[0] = (struct play)TIMES(1, TASK_PAGE, ERR_DOC_CRASH);
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && room_proven() && played.asked[TASK_PAGE] == 4, "one that crashes its reader later has another try (%d)", r);

	drop_long_scan(false, 100, 2000);
	long_scan.brief = true;
	r = room_once();
	CHECK(ends_as(REFUSED, "reader-crashed", r) && room_proven(), "a reader that is brief when it was not to be is not believed (%d)", r);
}

/* What can not be read in time stops the document, or only its own text, as the settings want. */
static void
test_unread(void)
{
	static const struct {
		const char *name, *settings;
		struct play say;
		enum fate fate;
		bool unread;
	} all[] = {
		{ "a page that is late twice", "refuse", TIMES(2, TASK_PAGE, ERR_DOC_TIMEOUT), REFUSED, false },
		{ "one that is kept then", "keep", TIMES(2, TASK_PAGE, ERR_DOC_TIMEOUT), SEALED, true },
		{ "one that is late once", "keep", TIMES(1, TASK_PAGE, ERR_DOC_TIMEOUT), SEALED, false },
		{ "one that is late without its text, too", "keep", ALWAYS(TASK_PAGE, ERR_DOC_TIMEOUT), REFUSED, false },
		{ "one that crashes its reader", "keep", ALWAYS(TASK_PAGE, ERR_DOC_CRASH), REFUSED, false },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int r;

		room_settings("");
		room_sh("sed -i 's/workers = 2;/workers = 2; unread = \"%s\";/' sealroom.conf", all[i].settings);
		room_empty();
		room_drop("Brief.tif", "a letter");
		played.say[0] = all[i].say;
		r = room_once();
		CHECK(ends_as(all[i].fate, all[i].say.code == ERR_DOC_CRASH ? "reader-crashed" : "reader-timeout", r) && room_proven(), "%s (%d)",
		    all[i].name, r);
		if (all[i].fate != SEALED)
			continue;
		CHECK(room_says("archive/evidence/journal", "pages 1 unread 1") == all[i].unread &&
		        room_says("$(find archive -name job.json)", "\"unread\"") == all[i].unread,
		    "%s: log and job.json say whether it has its text", all[i].name);
	}
	room_settings("");
}

/* --- documents that came signed --------------------------------------------------------------- */

/* Which judgement it is about: of what came, or of what was sealed. */
static bool
judged_sealed(uint32_t kind, const struct judge_result *r)
{
	return kind == TASK_JUDGE && r->nsigs > 1;
}

static void
twist_came_broken(uint32_t kind, void *result)
{
	struct judge_result *r = result;

	if (kind == TASK_JUDGE && r->nsigs == 1) {
		r->sigs[0].verdict = VERDICT_DISPROVEN;
		r->sigs[0].nreasons = 1;
		strcpy(r->sigs[0].reasons[0], "changed");
	}
}

static void
twist_came_open(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE && ((struct judge_result *)result)->nsigs == 1)
		((struct judge_result *)result)->sigs[0].covers_file = 0;
}

static void
twist_came_more(uint32_t kind, void *result)
{
	if (kind == TASK_SIGS)
		((struct sigs_result *)result)->nsigs = 2;
}

static void
twist_came_unjudged(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE && ((struct judge_result *)result)->nsigs == 1)
		((struct judge_result *)result)->nsigs = 0;
}

static void
twist_added(uint32_t kind, void *result)
{
	if (kind == TASK_COMPOSE)
		((struct compose_result *)result)->len = 5;
}

static void
twist_seen(uint32_t kind, void *result)
{
	struct compose_result *c = result;

	if (kind != TASK_COMPOSE)
		return;
	c->place = PLACE_BOX;
	c->place_box = (struct box){ 1000, 1000, 2000, 2000 };
}

static void
twist_sealed_broken(uint32_t kind, void *result)
{
	if (judged_sealed(kind, result))
		((struct judge_result *)result)->sigs[0].verdict = VERDICT_DISPROVEN;
}

static void
twist_sealed_signer(uint32_t kind, void *result)
{
	if (judged_sealed(kind, result))
		strcpy(((struct judge_result *)result)->sigs[0].signer, "CN=Somebody");
}

/* Settings that trust others than when it came. */
static void
twist_trusted_then(uint32_t kind, void *result)
{
	struct judged_sig *s = ((struct judge_result *)result)->sigs;

	if (judged_sealed(kind, result)) {
		s->verdict = VERDICT_UNKNOWN;
		s->expired = 1;
	}
}

static void
twist_trusted_now(uint32_t kind, void *result)
{
	if (kind == TASK_JUDGE && ((struct judge_result *)result)->nsigs == 1)
		((struct judge_result *)result)->sigs[0].verdict = VERDICT_UNKNOWN;
}

/* The list of what was sealed: sigs come one by one, the earlier one first. */
static uint32_t listed;

static void
twist_other_cms(uint32_t kind, void *result)
{
	struct sig_info *x = result;

	if (kind == TASK_PROBE && listed++ == 2) /* of what came, of what was composed, of what was sealed */
		x->cms_len--;
}

static void
twist_other_range(uint32_t kind, void *result)
{
	if (kind == TASK_PROBE && listed++ == 2)
		((struct sig_info *)result)->range[1]--;
}

static void
twist_lost_one(uint32_t kind, void *result)
{
	struct sigs_result *s = result;

	if (kind == TASK_SIGS && s->nsigs == 2)
		s->nsigs = 1;
}

static const struct {
	const char *name;
	uint32_t allowed;
	void (*twist)(uint32_t, void *);
	enum fate fate;
	const char *reason;
} signed_cases[] = {
	{ "a signed letter", SEAL_SEEN, NULL, SEALED, NULL },
	{ "one that is to be sealed invisibly", SEAL_UNSEEN, NULL, SEALED, NULL },
	{ "one that may not be sealed", SEAL_FORBIDDEN, NULL, HELD, "document-locked" },
	{ "one whose signature is broken", SEAL_SEEN, twist_came_broken, HELD, "document-signature-broken" },
	{ "one that goes on behind its signature", SEAL_SEEN, twist_came_open, HELD, "document-changed" },
	{ "another number of signatures than was seen first", SEAL_SEEN, twist_came_more, REFUSED, "reader-crashed" },
	{ "a judge that says nothing of them", SEAL_SEEN, twist_came_unjudged, REFUSED, "reader-crashed" },
	{ "composing that adds something", SEAL_SEEN, twist_added, REFUSED, "reader-crashed" },
	{ "composing that seals where it may be seen, and may not", SEAL_UNSEEN, twist_seen, REFUSED, "reader-crashed" },
	{ "an earlier signature that our seal breaks", SEAL_SEEN, twist_sealed_broken, WAITS, NULL },
	{ "one of somebody else now", SEAL_SEEN, twist_sealed_signer, WAITS, NULL },
	{ "one that is trusted no more", SEAL_SEEN, twist_trusted_then, SEALED, NULL },
	{ "one that is trusted meanwhile", SEAL_SEEN, twist_trusted_now, SEALED, NULL },
	{ "one with other bytes", SEAL_SEEN, twist_other_cms, WAITS, NULL },
	{ "one over other bytes", SEAL_SEEN, twist_other_range, WAITS, NULL },
	{ "one that is missing", SEAL_SEEN, twist_lost_one, WAITS, NULL },
};

static void
test_signed(void)
{
	for (size_t i = 0; i < sizeof(signed_cases) / sizeof(signed_cases[0]); i++) {
		int r;

		room_empty();
		room_drop_signed("Brief.tif", signed_cases[i].allowed);
		played.twist = signed_cases[i].twist;
		listed = 0;
		r = room_once();
		CHECK(ends_as(signed_cases[i].fate, signed_cases[i].reason, r) && room_proven(), "%s (%d)", signed_cases[i].name, r);
		if (signed_cases[i].fate == HELD)
			CHECK(room_says("archive/evidence/journal", signed_cases[i].reason), "for this reason: %s", signed_cases[i].reason);
		if (signed_cases[i].fate != WAITS)
			continue;
		played.twist = NULL;
		CHECK(ends_as(SEALED, NULL, room_once()) && beside->signatures == 1, "and when it is as it was: then it is sealed");
	}
}

/* --- held ------------------------------------------------------------------------------------- */

/* What was read of its second page is gone, as of a page that never was. */
static void
twist_page_gone(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_COMPOSE && room_sh("rm state/spool/claimed/*/pages/1") != 0)
		play_die("a page");
}

static void
test_page_gone(void)
{
	int r;

	room_empty();
	room_drop("Brief.tif", "a letter");
	played.pages = 3;
	played.hold = ERR_ANCHOR_MANY;
	played.candidates = 2;
	played.twist = twist_page_gone;
	r = room_once();
	CHECK(ends_as(HELD, NULL, r) && room_proven() && room_count("in/held/Brief.tif.png") == 1 && room_count("in/held/Brief.tif.html") == 0,
	    "a page that can not be drawn: it is held with its picture, without the page to point at (%d)", r);
}

/* --- who is not there ----------------------------------------------------------------------- */

static void
test_away(void)
{
	static const struct {
		enum role role;
		const char *name;
	} roles[] = { { ROLE_SCAN, "no reader" }, { ROLE_VERIFY, "no judge" }, { ROLE_FETCH, "nobody to ask for a time stamp" },
		{ ROLE_SEAL, "neither token nor log key" } };

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		room_empty();
		room_drop("Brief.tif", "a letter");
		played.away[roles[i].role] = true;
		CHECK(room_once() == EX_TEMPFAIL && room_count("in/done/*") == 0, "%s: it waits", roles[i].name);
		played.away[roles[i].role] = false;
		check_done(roles[i].name);
	}
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	CHECK(room_once() == EX_TEMPFAIL && room_count("state/spool/rendered/*") == 1 && beside->signatures == 0, "no token: it waits, rendered");
	played.no_token = false;
	check_done("a token again");
}

/* A quota, which no free space shows. */
static bool no_quota_left;

int
posix_fallocate(int fd, off_t off, off_t len)
{
	return no_quota_left ? EDQUOT : fallocate(fd, 0, off, len) == 0 ? 0 : errno;
}

static void
test_quota(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	no_quota_left = true;
	played.say[0] = (struct play)ALWAYS(TASK_PAGE, ERR_SPACE);
	CHECK(room_once() == EX_TEMPFAIL && room_count("state/spool/claimed/*") == 1 && room_entries(ENTRY_REJECT) == 0,
	    "readers that have no quota left: it waits");
	no_quota_left = false;
	played.say[0].kind = 0;
	check_done("room in the quota again");
}

/* It may have crashed because of that: a good document is not refused for it. */
static void
test_full(void)
{
	room_empty();
	room_stand_at(TASK_PAGE);
	room_settings("");
	room_sh("sed -i 's/space_floor = \"1MiB\"/space_floor = \"1000GiB\"/' sealroom.conf");
	played.say[0] = (struct play)ALWAYS(TASK_PAGE, ERR_DOC_CRASH);
	CHECK(room_once() == EX_TEMPFAIL && room_count("state/spool/claimed/*") == 1 && room_entries(ENTRY_REJECT) == 0,
	    "readers that crash while the disk is full: it waits");
	room_settings("");
	played.say[0].kind = 0;
	check_done("space again");
}

/* A question that did not leave us is none: nothing is said about an orphan. */
static void
test_unasked(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play)LOST(2, PLAY_SIGN);
	check_done("a token that could not be asked twice");
	CHECK(room_entries(ENTRY_ORPHAN) == 0 && beside->signatures == 1, "no orphan, one signature");
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play)TIMES(2, PLAY_SIGN, ERR_TOKEN_FAULT);
	check_done("a token whose answer was lost twice");
	CHECK(room_entries(ENTRY_ORPHAN) == 2 && beside->signatures == 3, "each of those signatures is in the log as an orphan");
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.cms_len = 12000;
	CHECK(room_once() == EX_TEMPFAIL && room_count("state/spool/rendered/*") == 1, "a signature larger than the token said: it waits");
}

/* --- what is kept for a time ----------------------------------------------------------------- */

#define DAYS(n) ((n) * INT64_C(86400000))

/* The same delivery, put back as from a backup: removed, not sealed again; true: it was known. */
static bool
known_again(void)
{
	uint32_t before = beside->signatures;

	room_sh("rm -f in/done/*; cp -p kept in/Brief.tif");
	return room_once() == EX_OK && beside->signatures == before && room_count("in/*.tif") + room_count("in/done/*") == 0;
}

static void
suspended(int second)
{
	if (second == 2)
		room_ms += DAYS(91);
}

static void
test_expiry(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	room_sh("cp -p in/Brief.tif kept");
	check_done("a letter");
	CHECK(known_again(), "its delivery that comes again is known");
	room_wall_ms += DAYS(73 * 365);
	CHECK(known_again() && room_count("state/events/new/*-job-*") == 1, "a clock that says 2099 at one start: it is still known, and so is its event");
	room_wall_ms -= DAYS(73 * 365);
	room_ms += DAYS(89);
	CHECK(known_again() && room_count("state/events/new/*-job-*") == 0, "for 89 days of the machine; its event went after 30");
	if (room_open(false) < 0 || (room_act = suspended, room_run(DAYS(91) + 5000)) != 0)
		play_die(room_why.text);
	core_close(&core);
	room_act = NULL;
	CHECK(room_count("state/seen/*") == 0, "a daemon that runs on forgets it by itself");
	CHECK(!known_again() && beside->signatures == 2, "then it is a new delivery");
}

static void
two_months_later(int second)
{
	if (second == 2)
		room_ms += DAYS(60);
}

/* A run of a daemon with two months in it. */
static void
two_months(const char *settings)
{
	room_settings("");
	room_sh("echo '%s' >>sealroom.conf", settings);
	if (room_open(false) < 0 || (room_act = two_months_later, room_run(DAYS(60) + 5000)) != 0)
		play_die(room_why.text);
	core_close(&core);
	room_act = NULL;
}

static void
test_quarantine(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play)ALWAYS(TASK_INSPECT, ERR_DOC_BAD);
	CHECK(room_once() == EX_OK && room_count("state/quarantine/*/source") == 1, "what was refused is kept");
	two_months("");
	CHECK(room_count("state/quarantine/*/source") == 1, "for ever, if nothing else is said");
	two_months("quarantine_keep = \"90d\";");
	CHECK(room_count("state/quarantine/*/source") == 1, "for 90 days, counted from when it was first looked at");
	room_sh("cd state/quarantine/* && mv claim ../../claim && echo nonsense >claim");
	two_months("quarantine_keep = \"90d\";");
	CHECK(room_count("state/quarantine/*/source") == 1, "longer when nothing proves what became of it");
	room_sh("mv -f state/claim state/quarantine/*/claim");
	two_months("quarantine_keep = \"90d\";");
	CHECK(room_count("state/quarantine/*") == 0 && room_count("state/spool/*/*") == 0 && room_count("in/error/Brief.tif") == 1 && room_proven(),
	    "then it goes; what was handed out stays, and the log proves as before");
	room_settings("");
}

/* --- the clock, the log --------------------------------------------------------------------- */

static void
test_clock(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	check_done("before the clock is set back");
	room_wall_ms -= 3600 * 1000;
	room_sh("rm in/done/*");
	room_drop("Zwei.tif", "another");
	room_drop("Drei.tif", "and another");
	played.asked[TASK_STAMP] = 0;
	played.say[0] = (struct play)ALWAYS(TASK_STAMP, ERR_TSA_DOWN);
	CHECK(room_once() == EX_TEMPFAIL && beside->signatures == 1 && room_count("in/error/*") == 0,
	    "an hour back, and no authority: nothing is signed, nothing refused");
	CHECK(room_entries(ENTRY_NOTE) >= 1, "it is in the log");
	played.say[0] = (struct play)LIE(TASK_ATTACH);
	CHECK(room_once() == EX_TEMPFAIL && beside->signatures == 1, "a judge that talks nonsense about it: neither");
	played.say[0].kind = 0;
	CHECK(room_once() == EX_OK && beside->signatures == 3 && room_count("in/done/*") == 2 && room_proven(),
	    "a time stamp that agrees: both are sealed");
	room_wall_ms += 3600 * 1000;
}

static void
test_log_key(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play){ .kind = PLAY_NOTE, .from = 2, .code = ERR_LOG_ROLLBACK, .text = "older than its record" };
	CHECK(room_once() == EXIT_LOG_ROLLBACK && room_count("state/stopped") == 1, "the log's key refuses an older log: the daemon stops");
	played.say[0].kind = 0;
	check_done("the key agrees again");
	CHECK(room_count("state/stopped") == 0, "and nothing says that it stopped");
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play)LIE(PLAY_NOTE);
	CHECK(room_once() != EX_OK && beside->signatures <= 1, "a checkpoint that is none: the daemon stops");
	played.say[0].kind = 0;
	check_done("a checkpoint again");
	room_sh("rm -rf archive/evidence/log archive/evidence/checkpoints archive/evidence/journal");
	room_drop("Zwei.tif", "another");
	CHECK(room_once() == EXIT_LOG_ROLLBACK && beside->signatures == 1 && room_count("in/Zwei.tif") == 1 && room_count("state/stopped") == 1,
	    "a log that is gone: the daemon stops and takes nothing");
}

/* A run, and whether its log has such a line; the room keeps it as "said". */
static int
once_said(const char *ere, bool *ret)
{
	char path[128];
	int fd, saved = dup(STDERR_FILENO), r;

	snprintf(path, sizeof(path), "%s/said", room);
	if (saved < 0 || (fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		exit(99);
	dup2(fd, STDERR_FILENO);
	close(fd);
	r = room_once();
	dup2(saved, STDERR_FILENO);
	close(saved);
	*ret = room_sh("grep -qE '%s' said", ere) == 0;
	return r;
}

/* What can not be read would be missing in the break, and what can not be listed would be forgotten. */
static void
test_restore_refused(void)
{
	struct entry x = { 0 };
	bool told;

	room_sh("chmod 0 state/spool/held/*/claim");
	CHECK(once_said("spool/held/[0-9a-z]{26}: .*bring it back or move it away, and start again", &told) == EX_TEMPFAIL && told,
	    "a claim that can not be read: the daemon says which, what to do, and does not go on");
	CHECK(room_entries(ENTRY_BREAK) == 0 && room_count("in/Drei.tif") == 1, "no break is written, nothing is taken in");
	room_sh("chmod 400 state/spool/held/*/claim; chmod 500 archive/evidence/config");
	CHECK(once_said("evidence/config/[*].break, .*no break is written without it: start again", &told) == EX_TEMPFAIL && told,
	    "nor with a list that can not be written");
	room_sh("chmod 700 archive/evidence/config");
	CHECK(room_entries(ENTRY_BREAK) == 0, "no break is written then either");
	CHECK(room_once() == EX_OK && room_entry(ENTRY_BREAK, &x) && x.lost == 1,
	    "the next start writes it, with what was lost: %u", x.lost);
	CHECK(room_sh("grep -qE '^lost [0-9a-z]{26}$' archive/evidence/config/*.break") == 0, "by name");
}

/* A person goes on from an older copy of the archive. */
static void
test_restore(void)
{
	struct resume w = { .has_record = true, .reason = "the disk broke", .uid = 7 };
	struct elog_facts { uint64_t size; uint8_t root[HASH_LEN]; } old;

	room_empty();
	room_drop("Brief.tif", "a letter");
	check_done("before the copy");
	old.size = beside->log_size;
	memcpy(old.root, beside->log_root, HASH_LEN);
	room_sh("cp -a archive older");
	room_drop("Zwei.tif", "another");
	CHECK(room_once() == EX_OK && room_count("in/done/*") == 2, "a document that is in no copy");
	room_drop("Vier.tif", "one in doubt");
	played.hold = ERR_ANCHOR_MANY;
	CHECK(room_once() == EX_OK && room_count("state/spool/held/*") == 1, "another that is held");
	played.hold = ERR_OK;
	room_sh("chmod -R u+w archive && rm -rf archive && mv older archive");
	CHECK(room_once() == EXIT_LOG_ROLLBACK, "the older copy: the daemon stops");
	w.record_size = beside->log_size;
	memcpy(w.record_root, beside->log_root, HASH_LEN);
	w.disk_size = old.size;
	memcpy(w.disk_root, old.root, HASH_LEN);
	played.resume = resume_text(&w);
	room_drop("Drei.tif", "a third");
	test_restore_refused();
	CHECK(room_once() == EX_OK && room_entries(ENTRY_BREAK) == 1 && room_count("in/done/Drei.pdf") == 1 && room_proven(),
	    "a person's word: the log goes on behind a break, and so do documents");
	free(played.resume);
	played.resume = NULL;
	CHECK(room_once() == EX_OK && room_entries(ENTRY_BREAK) == 1, "once");
}

static void
drop_stack(void)
{
	room_empty();
	played.pages = 5;
	played.parts = 3;
	room_drop("Post.tif", "three letters");
}

static bool
stack_divided(void)
{
	return room_entries(ENTRY_DIVIDE) == 1 && room_count("archive/2*/*/*/*/parts-sha256.txt") == 1 && room_count("in/*.tif") == 0 &&
	    room_count("in/work/*") == 0 && room_count("state/spool/*/*") - room_count("state/spool/held/*") == 0 && room_proven();
}

/* Each of its documents is one by itself, with its own name, end and place in the log. */
static void
test_stack(void)
{
	drop_stack();
	CHECK(room_once() == EX_OK && room_count("in/done/Post-1.pdf") == 1 && room_count("in/done/Post-2.pdf") == 1 &&
	        room_count("in/done/Post-3.pdf") == 1 && room_count("in/done/*") == 3 && room_entries(ENTRY_JOB) == 3 && beside->signatures == 3 &&
	        stack_divided(),
	    "a stack of three documents: each is sealed, the stack is not");
	CHECK(room_sh("cd archive && sha256sum -c --quiet 2*/*/*/*/parts-sha256.txt") == 0 &&
	        room_sh("d=$(dirname archive/2*/*/*/*/parts-sha256.txt); printf 'II*\\0three letters' | cmp -s - $d/original.tif") == 0,
	    "the archive has its documents, and itself as it came");
	CHECK(room_count("state/events/new/*-divide-*.json") == 1 && room_says("archive/evidence/journal", "text 3 documents"),
	    "log and events say so");
	CHECK(room_once() == EX_OK && room_entries(ENTRY_JOB) == 3 && room_entries(ENTRY_DIVIDE) == 1, "once");

	drop_stack();
	played.say[0] = (struct play){ .kind = TASK_FIELD, .from = 2, .to = 2, .code = ERR_DOC_BAD, .text = "torn" };
	played.say[1] = (struct play){ .kind = TASK_FIELD, .from = 3, .to = 4, .code = ERR_DOC_BAD, .text = "torn" };
	CHECK(room_once() == EX_OK && room_entries(ENTRY_JOB) + room_entries(ENTRY_REJECT) == 3 && room_entries(ENTRY_REJECT) == 1 &&
	        room_count("in/error/Post-?.pdf") == 1 && room_count("in/error/Post-?.pdf.txt") == 1 && room_count("in/done/*") == 2 &&
	        room_sh("cmp -s in/error/Post-?.pdf state/quarantine/*/source") == 0 && stack_divided(),
	    "one of them is refused: it comes back like any document");

	drop_stack();
	played.hold = ERR_ANCHOR_MANY;
	CHECK(room_once() == EX_OK && room_entries(ENTRY_HOLD) == 3 && room_count("in/held/Post-*.pdf") == 3 && room_count("in/held/*.pdf.txt") == 3 &&
	        stack_divided(),
	    "they are held, each with its question");
}

/* A stack that comes again is one question, not one for each document. */
static void
test_stack_again(void)
{
	drop_stack();
	room_settings("duplicates = \"hold\";");
	CHECK(room_once() == EX_OK && room_entries(ENTRY_JOB) == 3, "a stack in a folder where duplicates are held");
	room_drop("Noch.tif", "three letters");
	CHECK(room_once() == EX_OK && room_entries(ENTRY_HOLD) == 1 && room_count("in/held/Noch.tif") == 1 && room_entries(ENTRY_DIVIDE) == 1,
	    "the same stack under another name is held");
	if (room_sh("cd state/spool/held/* && printf '%%s' '%s' >decision",
	        "{\"n\":1,\"rule\":\"\",\"at\":false,\"page\":0,\"x_mpt\":0,\"y_mpt\":0,\"again\":true,\"reject\":\"\",\"uid\":7}") != 0)
		play_die("a decision");
	CHECK(room_once() == EX_OK && room_entries(ENTRY_DIVIDE) == 2 && room_entries(ENTRY_JOB) == 6 && room_entries(ENTRY_HOLD) == 1 &&
	        room_count("in/done/Noch-3.pdf") == 1 && room_sh("grep -q same_as archive/2*/*/*/*/job.json") == 0 && room_proven(),
	    "and divided when a person says so, without another question");
	room_settings("");
}

/* What a child says of a stack is no more believed than anything else. */
static void
twist_stack(uint32_t kind, void *result)
{
	if (kind == TASK_PART)
		((struct part_result *)result)->len++;
}

static void
twist_part(uint32_t kind, void *result)
{
	struct inspect_result *in = result;

	if (kind == TASK_INSPECT && in->kind == DOC_PDF)
		in->kind = DOC_PDF_KEPT;
}

static void
test_stack_lies(void)
{
	static const struct play faults[] = { { .kind = TASK_PART, .from = 2, .code = ERR_DOC_CRASH, .text = "died" }, { .kind = TASK_PART, .lie = true } };

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		drop_stack();
		played.say[0] = faults[i];
		CHECK(room_once() == EX_OK && room_entries(ENTRY_REJECT) == 1 && room_count("in/error/Post.tif") == 1 && room_entries(ENTRY_DIVIDE) == 0 &&
		        room_count("in/done/*") == 0 && room_count("archive/2*") == 0 && room_count("state/spool/*/*") == 0 && room_proven(),
		    "a document of a stack that can not be written (%zu): the stack comes back, whole", i);
	}
	drop_stack();
	played.twist = twist_stack;
	CHECK(room_once() == EX_OK && room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_DIVIDE) == 0, "one of another length than it is said to have: too");
	drop_stack();
	played.say[0] = (struct play){ .kind = TASK_PART, .from = 2, .to = 2, .code = ERR_DOC_CRASH, .text = "died" };
	CHECK(room_once() == EX_OK && room_entries(ENTRY_JOB) == 3 && stack_divided(), "a child that dies once has another try");
	drop_stack();
	played.twist = twist_part;
	CHECK(room_once() == EX_OK && room_entries(ENTRY_HOLD) == 1 && room_count("in/held/Post.tif") == 1 && room_entries(ENTRY_DIVIDE) == 0 &&
	        room_says("in/held/Post.tif.txt", "can not be made alone"),
	    "one that would not be a scan by itself: a person is asked about the stack");
}

/* More documents than there may be jobs at once. */
static void
test_stack_many(void)
{
	drop_stack();
	room_sh("sed -i 's/^language/max_jobs = 1; language/' sealroom.conf");
	played.no_token = true;
	CHECK(room_once() == EX_TEMPFAIL && room_entries(ENTRY_JOB) == 0 && room_entries(ENTRY_DIVIDE) == 0 && room_count("state/spool/rendered/*") == 1,
	    "one job at a time, and that one waits: the stack waits, too");
	played.no_token = false;
	CHECK(room_once() == EX_OK && room_entries(ENTRY_JOB) == 3 && stack_divided(), "one after the other goes on");
	room_settings("");
}

/* --- what was read of its pages ------------------------------------------------------------- */

#define HUGE (200ull << 20)

static uint64_t page_fsize;

/* A whole and proper result, of nothing but a hole: as large as it may be, and its checksum right. */
static void
twist_huge(uint32_t kind, void *result)
{
	const struct task_req *req = result;
	static const uint8_t none[1 << 20];
	struct pagefile f;
	struct pagefile_out *out;
	struct err e = { 0 };
	uint8_t head[4096];
	uint64_t size;
	uint32_t crc;
	ssize_t n = 0;

	if (kind != TASK_PAGE)
		return;
	page_fsize = req->fsize;
	if (pagefile_head(req->out, &f, &e) < 0 || ftruncate(req->out, 0) < 0 || lseek(req->out, 0, SEEK_SET) < 0)
		play_die("page");
	f.nobjects = 1;
	f.objects[0] = (struct page_object){ .dict = "/Width 1", .len = HUGE };
	if (pagefile_begin(req->out, &f, &out, &e) < 0 || (n = pread(req->out, head, sizeof(head), 0)) < 0 ||
	    ftruncate(req->out, (off_t)(n + (ssize_t)HUGE)) < 0 || io_size(req->out, &size, &e) < 0)
		play_die("page");
	free(out);
	crc = crc32c(0, head, (size_t)n);
	for (uint64_t at = 0; at < HUGE; at += sizeof(none))
		crc = crc32c(crc, none, sizeof(none));
	for (int i = 0; i < 4; i++)
		head[i] = (uint8_t)(crc >> (24 - 8 * i));
	if (pwrite(req->out, head, 4, 8) != 4)
		play_die("page");
}

static void
test_huge_pages(void)
{
	int r;

	room_empty();
	room_drop("Brief.tif", "a letter");
	played.pages = 1;
	played.twist = twist_huge;
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r), "a page with a large image is read (%d)", r);
	CHECK(page_fsize > HUGE && page_fsize < 300u << 20, "its reader may write %llu bytes", (unsigned long long)page_fsize);
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.pages = 5;
	played.twist = twist_huge;
	r = room_once();
	CHECK(ends_as(REFUSED, "reader-crashed", r), "five of them are more than so small a file can hold (%d)", r);
}

/* Three of five were read when the daemon ended, and of one of these not all reached the disk. */
static void
test_found_pages(void)
{
	int r;

	room_empty();
	room_drop("Brief.tif", "a letter");
	played.pages = 5;
	played.say[0] = (struct play){ .kind = TASK_PAGE, .from = 4, .mute = true };
	if (room_open(false) < 0 || room_run(5000) != 0)
		play_die("a run");
	core_close(&core);
	CHECK(room_count("state/spool/claimed/*/pages/*") == 3, "three pages are read when the daemon ends");
	room_sh("printf x | dd of=$(ls state/spool/claimed/*/pages/1) bs=1 seek=158 conv=notrunc status=none");
	played.say[0].kind = 0;
	played.asked[TASK_PAGE] = 0;
	r = room_once();
	CHECK(ends_as(SEALED, NULL, r) && played.asked[TASK_PAGE] == 3, "the one that is damaged is read again, two are not: %u (%d)",
	    played.asked[TASK_PAGE], r);
}

/* --- more held than there are descriptors for ------------------------------------------------- */

#define HELD_DROPPED 500

static size_t held_before;

static void
reject_some(int second)
{
	struct decision d = { .reject = "not ours" };
	struct err e = { 0 };
	int n = 0;

	if (second == 1)
		held_before = room_count("in/held/*.tif");
	if (second == 2)
		for (struct job *j = core.jobs; j != NULL && n < 10; j = j->next)
			n += j->state == SPOOL_HELD && outcome_release(j, &d, &e) == 0;
}

/* The limit stays: the last of all tests. */
static void
test_descriptors(void)
{
	const struct rlimit few = { 512, 512 };
	size_t held;
	char name[32];

	room_empty();
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		play_die("setrlimit");
	for (int i = 0; i < HELD_DROPPED; i++) {
		snprintf(name, sizeof(name), "Brief%d.tif", i);
		room_drop(name, name);
	}
	played.hold = ERR_ANCHOR_MANY;
	if (room_open(false) < 0 || room_run(120000) != 0)
		play_die(room_why.text);
	held = room_count("in/held/*.tif");
	CHECK(held >= 100 && held < HELD_DROPPED && room_count("in/*.tif") == HELD_DROPPED - held && held == core.njobs &&
	        room_count("state/spool/held/*") == held && room_count("in/error/*") == 0,
	    "a backlog of questions: %zu are held, the rest waits in the folder", held);
	core_close(&core);
	if (room_open(false) < 0 || (room_act = reject_some, room_run(120000)) != 0)
		play_die(room_why.text);
	core_close(&core);
	room_act = NULL;
	CHECK(held_before == held && room_count("in/error/*.tif") == 10 && room_count("in/held/*.tif") == held && room_count("in/*.tif") == HELD_DROPPED - held - 10,
	    "a start opens them all again, and what is decided makes room for as many");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_through();
	test_growing_stamp();
	test_answers();
	test_large();
	test_many_pages();
	test_long_scan();
	test_huge_pages();
	test_found_pages();
	test_unread();
	test_signed();
	test_page_gone();
	test_away();
	test_full();
	test_quota();
	test_unasked();
	test_expiry();
	test_quarantine();
	test_clock();
	test_log_key();
	test_restore();
	test_stack();
	test_stack_again();
	test_stack_lies();
	test_stack_many();
	test_descriptors();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
