/*
 * t_taskmsg.c - parameters and results of tasks: written and read back they are
 * the same; cut anywhere, or with a byte more, they are refused and nothing is
 * taken from them.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/msgs.h"
#include "agent/lib/taskmsg.h"
#include "tests/unit/test.h"

/* One struct each, with its encoder and decoder behind one shape. */
#define KINDS(X) \
	X(ready_scan) X(ready_seal) X(inspect_params) X(inspect_result) X(page_params) X(page_result) X(compose_params) \
	X(compose_result) X(part_result) X(field_params) X(field_result) X(sigs_result) X(picture_params) X(stamp_params) \
	X(stamp_result) X(attach_params) X(attach_result) X(judge_params) X(judge_result)

#define SHAPE(kind) \
	static void put_##kind(struct buf *b, const void *p) { kind##_put(b, p); } \
	static int get_##kind(struct buf *b, void *p, struct err *e) { return kind##_get(b, p, e); }
KINDS(SHAPE)

static const struct kind {
	const char *name;
	size_t size;
	void (*put)(struct buf *, const void *);
	int (*get)(struct buf *, void *, struct err *);
} kinds[] = {
#define ROW(kind) { #kind, sizeof(struct kind), put_##kind, get_##kind },
	KINDS(ROW)
#undef ROW
};

static const uint8_t cms[] = { 0x30, 0x03, 0x02, 0x01, 0x05 };

/* --- one full example each --------------------------------------------------------------- */

static void
text(char *dst, const char *s)
{
	strcpy(dst, s);
}

static void
bytes(uint8_t *dst, uint8_t from)
{
	for (int i = 0; i < HASH_LEN; i++)
		dst[i] = (uint8_t)(from + i);
}

static void
fill_seal(struct ready_seal *p)
{
	*p = (struct ready_seal){ .key_type = SEAL_KEY_EC_P256, .key_bits = 256, .logged_in = 1, .not_before_us = -5,
		.not_after_us = 1LL << 50, .cms_max = 60000, .signatures = 1ULL << 40, .log_size = 77, .log_has_record = 1 };
	text(p->token_serial, "977676298a802a38");
	text(p->token_label, "sealtest");
	text(p->subject, "CN=Siegel,O=Stadt Köln");
	text(p->org, "Stadt Köln");
	bytes(p->cert_hash, 3);
	text(p->vkey, "test.example+0123+key");
	bytes(p->log_root, 9);
	text(p->log_note, "test.example\n77\nroot\n");
}

static void
fill_marks(struct seal_marks *m)
{
	page_set_init(&m->pages, 3);
	page_set_add(&m->pages, 0);
	page_set_add(&m->pages, 2);
	m->box = (struct box){ 1, 2, 3, 4 };
	m->nown = 1;
	m->own[0].page = 2;
	m->own[0].box = (struct box){ 5, 6, 7, 8 };
}

static void
fill_compose(struct compose_result *p)
{
	*p = (struct compose_result){ .place = PLACE_BOX, .place_page = 2, .place_box = { 1, 2, 3, 4 }, .nvalues = 2,
		.ncandidates = MSG_CANDIDATES_MAX, .pages = 3, .len = 1ULL << 33 };
	page_set_init(&p->blank, 5);
	page_set_add(&p->blank, 1);
	page_set_add(&p->blank, 4);
	p->dropped = 1;
	page_set_init(&p->estimated, 5);
	page_set_init(&p->unread, 5);
	page_set_add(&p->unread, 4);
	page_set_add(&p->estimated, 0);
	text(p->rule, "brief");
	bytes(p->rule_hash, 1);
	text(p->seal, "stamp");
	text(p->name, "Aktenzeichen 7.pdf");
	text(p->field, "Freigabe.Siegel");
	fill_marks(&p->marks);
	for (uint32_t i = 0; i < p->nvalues; i++) {
		text(p->values[i].key, i == 0 ? "az" : "datum");
		text(p->values[i].value, "7 O 12/26");
	}
	for (uint32_t i = 0; i < p->ncandidates; i++) {
		p->candidates[i].page = i;
		p->candidates[i].box = (struct box){ -1, (int32_t)i, 5, 6 };
	}
}

static void
fill_field(struct field_params *p)
{
	*p = (struct field_params){ .place = PLACE_INVISIBLE, .place_page = 4, .place_box = { -9, 8, 7, 2147483647 },
		.seal = "stamp", .qr = "text of the code", .nlines = MSG_LINES_MAX, .time_us = 1795340070123456, .hole = 8192 };
	text(p->id, "01m81mynnqvfzebzdnbm2m34yg");
	for (int i = 0; i < MSG_LINES_MAX; i++)
		snprintf(p->lines[i], sizeof(p->lines[i]), "Zeile %d", i);
	text(p->field, "Siegel");
	fill_marks(&p->marks);
	text(p->signer, "Stadt");
	text(p->reason, "Siegel");
	text(p->location, "Köln");
	text(p->checkpoint, "a\nb\n");
}

static void
fill_judged(struct judge_result *p)
{
	*p = (struct judge_result){ .verdict = VERDICT_UNKNOWN, .nsigs = 2 };
	for (uint32_t i = 0; i < p->nsigs; i++) {
		struct judged_sig *s = &p->sigs[i];

		s->verdict = VERDICT_DISPROVEN;
		s->level = LEVEL_B_LTA;
		s->is_timestamp = i;
		s->covers_file = 1;
		text(s->field, "Signature1");
		text(s->signer, "CN=x");
		bytes(s->cert_hash, 2);
		s->gen_time_us = 99;
		text(s->tsa_signer, "CN=t");
		bytes(s->token_hash, 4);
		text(s->qualified, "eseal qscd");
		s->nreasons = MSG_REASONS_MAX;
		for (int k = 0; k < MSG_REASONS_MAX; k++)
			snprintf(s->reasons[k], sizeof(s->reasons[k]), "reason %d", k);
	}
}

static void
fill(const char *name, void *to)
{
	if (strcmp(name, "ready_scan") == 0) {
		text(((struct ready_scan *)to)->engine, "tesseract 5.3.0 deu+eng");
		bytes(((struct ready_scan *)to)->data_hash, 7);
	} else if (strcmp(name, "ready_seal") == 0) {
		fill_seal(to);
	} else if (strcmp(name, "inspect_params") == 0) {
		((struct inspect_params *)to)->brief_above = 200;
	} else if (strcmp(name, "inspect_result") == 0) {
		*(struct inspect_result *)to = (struct inspect_result){ DOC_PDF_KEPT, 5000, 3, 2, SEAL_UNSEEN, "one of them", 1ULL << 33, 0 };
	} else if (strcmp(name, "page_params") == 0) {
		*(struct page_params *)to = (struct page_params){ .kind = DOC_TIFF, .page = 4999, .mark = { 4998, 1ULL << 40 }, .unread = 1, .codes = 1 };
		bytes(((struct page_params *)to)->key, 5);
	} else if (strcmp(name, "page_result") == 0) {
		*(struct page_result *)to = (struct page_result){ 812, 270, 100, 1, 1ULL << 32, { 7, 8 } };
	} else if (strcmp(name, "compose_params") == 0) {
		struct compose_params *p = to;

		*p = (struct compose_params){ .received_us = -1, .kind = DOC_JPEG, .pages = 1, .force_at = 1, .force_page = 3,
			.force_x = -7, .force_y = 8 };
		text(p->id, "01m81mynnqvfzebzdnbm2m34yg");
		text(p->folder, "post");
		text(p->name, "Brief (2).tif");
		bytes(p->source_hash, 6);
		text(p->force_rule, "all");
		p->sigs = 3;
		p->allowed = SEAL_UNSEEN;
		p->nsigners = 2;
		text(p->signers[1], "CN=Meier,O=Stadtwerke");
		p->pages = 9;
		p->stack = STACK_HAS_TICKET;
		p->first = 3;
		p->last = 8;
	} else if (strcmp(name, "compose_result") == 0) {
		fill_compose(to);
	} else if (strcmp(name, "part_result") == 0) {
		*(struct part_result *)to = (struct part_result){ 1ULL << 33 };
	} else if (strcmp(name, "field_params") == 0) {
		fill_field(to);
	} else if (strcmp(name, "field_result") == 0) {
		*(struct field_result *)to = (struct field_result){ 1, 2, { 0, 3, 4, UINT64_MAX } };
	} else if (strcmp(name, "sigs_result") == 0) {
		*(struct sigs_result *)to = (struct sigs_result){ 3, SIGS_MAX, 1, 2, 'U' };
	} else if (strcmp(name, "picture_params") == 0) {
		struct picture_params *p = to;

		*p = (struct picture_params){ .kind = DOC_PNG, .page = 1, .rotate = 90, .nmarks = 2, .width_mpt = 595000,
			.height_mpt = 842000 };
		p->marks[1].mark = MARK_PLACE;
		p->marks[1].box = (struct box){ 1, 2, 3, 4 };
	} else if (strcmp(name, "stamp_params") == 0) {
		text(((struct stamp_params *)to)->tsa, "test");
		bytes(((struct stamp_params *)to)->imprint, 8);
		((struct stamp_params *)to)->nonce = UINT64_MAX;
	} else if (strcmp(name, "stamp_result") == 0) {
		*(struct stamp_result *)to = (struct stamp_result){ 1, 6000 };
	} else if (strcmp(name, "attach_params") == 0) {
		struct attach_params *p = to;

		*p = (struct attach_params){ .nonce = 1, .window_from_us = -2, .window_to_us = 3, .cms = cms, .cms_len = sizeof(cms) };
		text(p->tsa, "test");
		text(p->policy, "1.2.3");
		bytes(p->imprint, 1);
	} else if (strcmp(name, "attach_result") == 0) {
		*(struct attach_result *)to = (struct attach_result){ .gen_time_us = 5, .token_len = 6, .cms = cms, .cms_len = sizeof(cms) };
		bytes(((struct attach_result *)to)->token_hash, 2);
	} else if (strcmp(name, "judge_params") == 0) {
		*(struct judge_params *)to = (struct judge_params){ .now_us = 1, .earlier_us = 7, .file_len = 2, .nsigs = 2, .earlier = { 0, 1 } };
		bytes(((struct judge_params *)to)->range_hash[1], 3);
	} else if (strcmp(name, "judge_result") == 0) {
		fill_judged(to);
	}
}

/* --- there, back, and cut ---------------------------------------------------------------- */

/* Every field counts: what was read, written again, gives the same bytes. */
static void
test_kind(const struct kind *k)
{
	uint8_t *in = calloc(1, k->size), *out = malloc(k->size), *untouched = malloc(k->size);
	struct err e = { 0 };
	size_t refused = 0, kept = 0;
	AUTO_BUF b;
	AUTO_BUF twice;

	buf_init(&b, WIRE_PAYLOAD);
	buf_init(&twice, WIRE_PAYLOAD);
	fill(k->name, in);
	k->put(&b, in);
	memset(out, 0xA5, k->size);
	CHECK(buf_ok(&b) && k->get(&b, out, &e) == 0, "%s: %zu bytes are read back", k->name, b.len);
	k->put(&twice, out);
	CHECK(twice.len == b.len && memcmp(twice.data, b.data, b.len) == 0, "%s: and are the same", k->name);
	memset(untouched, 0x5A, k->size);
	for (size_t n = 0; n < b.len; n++) {
		/* exactly as large as it is, so that reading over the end is seen */
		uint8_t *cut = malloc(n + 1);
		struct buf v;

		memcpy(cut, b.data, n);
		memset(out, 0x5A, k->size);
		buf_view(&v, cut, n);
		refused += k->get(&v, out, &e) == -ERR_PEER;
		kept += memcmp(out, untouched, k->size) == 0;
		free(cut);
	}
	CHECK(refused == b.len && kept == b.len, "%s: cut anywhere it is refused, and nothing is taken from it", k->name);
	buf_put_u8(&b, 0);
	b.pos = 0;
	CHECK(k->get(&b, out, &e) == -ERR_PEER, "%s: a byte more is refused", k->name);
	free(in);
	free(out);
	free(untouched);
}

/* --- values that no honest sender has ---------------------------------------------------- */

static int
inspect_of(uint32_t kind, uint32_t pages)
{
	struct inspect_result in = { .kind = kind, .pages = pages }, out;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 64);
	inspect_result_put(&b, &in);
	return inspect_result_get(&b, &out, &e);
}

/* What earlier releases wrote: two numbers, or three, all but how large a page is, all but whether it is brief. */
static void
test_stored_inspect(void)
{
	struct inspect_result r = { 0 };
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 64);
	buf_put_u32(&b, DOC_TIFF);
	buf_put_u32(&b, 7);
	CHECK(inspect_result_get_stored(&b, &r, &e) == 0 && r.kind == DOC_TIFF && r.pages == 7 && r.files == 0 && r.sigs == 0,
	    "what was looked at before attachments were known is read");
	b.pos = 0;
	CHECK(inspect_result_get(&b, &r, &e) == -ERR_PEER, "but not from a child");
	b.pos = 0;
	b.bad = false;
	buf_put_u32(&b, 3);
	CHECK(inspect_result_get_stored(&b, &r, &e) == 0 && r.files == 3 && r.sigs == 0 && r.allowed == SEAL_SEEN,
	    "and what was looked at before signed documents were sealed");
	b.pos = 0;
	buf_put_u32(&b, 0);
	buf_put_u32(&b, SEAL_SEEN);
	buf_put_str(&b, "");
	CHECK(inspect_result_get_stored(&b, &r, &e) == 0 && r.files == 3 && r.pixels == 0, "and what was looked at before pages were measured");
	b.pos = 0;
	buf_put_u8(&b, 1);
	CHECK(inspect_result_get_stored(&b, &r, &e) == -ERR_PEER, "half a number more is refused");
	b.pos = b.len = 0;
	b.bad = false;
	inspect_result_put(&b, &(struct inspect_result){ .kind = DOC_PDF, .pages = 300, .pixels = 9, .brief = 1 });
	CHECK(inspect_result_get(&b, &r, &e) == 0 && r.brief == 1 && r.pages == 300, "a child may be brief");
	b.pos = 0;
	CHECK(inspect_result_get_stored(&b, &r, &e) == -ERR_PEER, "a record may not");
	b.pos = 0;
	b.len -= sizeof(uint32_t);
	CHECK(inspect_result_get_stored(&b, &r, &e) == 0 && r.brief == 0 && r.pixels == 9, "and what was looked at before anything was brief is read");
	b.pos = b.len = 0;
	inspect_result_put(&b, &(struct inspect_result){ .kind = DOC_TIFF, .pages = 300, .brief = 1 });
	CHECK(inspect_result_get(&b, &r, &e) == -ERR_PEER, "of a TIFF nobody is brief");
}

static int
inspect_signed(uint32_t kind, uint32_t sigs, uint32_t allowed)
{
	struct inspect_result in = { .kind = kind, .pages = 1, .sigs = sigs, .allowed = allowed }, out;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 64);
	inspect_result_put(&b, &in);
	return inspect_result_get(&b, &out, &e);
}

static int
compose_of(const struct compose_result *p)
{
	static struct compose_result out;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, p);
	return compose_result_get(&b, &out, &e);
}

/* Five pages, sheets on the second and fourth. */
static void
fill_stack(struct compose_result *p)
{
	*p = (struct compose_result){ .pages = 5 };
	page_set_init(&p->blank, 5);
	page_set_init(&p->estimated, 5);
	page_set_init(&p->unread, 5);
	page_set_init(&p->outside, 5);
	page_set_add(&p->outside, 1);
	page_set_add(&p->outside, 3);
}

static void
test_stack(void)
{
	static struct compose_result c, good, out;
	struct err e = { 0 };
	AUTO_BUF b;

	fill_stack(&good);
	c = good;
	CHECK(compose_of(&c) == 0, "a stack to be divided is taken");
	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, &c);
	CHECK(compose_result_get(&b, &out, &e) == 0 && out.outside.pages == 5 && page_set_rests(&out.outside) == 3, "with its documents");
	b.len -= 4 + 1; /* the set alone: its number of pages, and five bits */
	b.pos = 0;
	CHECK(compose_result_get(&b, &out, &e) == -ERR_PEER, "one cut before its documents is not");
	c.hold = ERR_ANCHOR_MANY;
	CHECK(compose_of(&c) < 0, "nor one that is held, too");
	c = good;
	text(c.seal, "stamp");
	CHECK(compose_of(&c) < 0, "nor one with a seal");
	c = good;
	page_set_add(&c.outside, 2);
	page_set_add(&c.outside, 4);
	CHECK(compose_of(&c) < 0, "nor one of a single document");
	c = good;
	page_set_init(&c.outside, 6);
	page_set_add(&c.outside, 2);
	CHECK(compose_of(&c) < 0, "nor one of other pages than it has");
	for (uint32_t pages = 2 * STACK_PARTS_MAX - 1; pages <= 2 * STACK_PARTS_MAX + 1; pages += 2) {
		page_set_init(&c.blank, pages);
		page_set_init(&c.outside, pages);
		for (uint32_t i = 1; i < pages; i += 2)
			page_set_add(&c.outside, i);
		CHECK((compose_of(&c) == 0) == (pages < 2 * STACK_PARTS_MAX), "%u documents: %s", pages / 2 + 1,
		    pages < 2 * STACK_PARTS_MAX ? "taken" : "too many");
	}
}

/* What an earlier release wrote: it ended before stacks were divided. */
static void
test_stored_plan(void)
{
	static struct compose_result c, out;
	struct err e = { 0 };
	AUTO_BUF b;

	fill_compose(&c);
	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, &c);
	b.len -= 4;
	CHECK(compose_result_get_stored(&b, &out, &e) == 0 && out.outside.pages == 0 && strcmp(out.seal, c.seal) == 0,
	    "a plan from before stacks were divided is read");
	b.pos = 0;
	CHECK(compose_result_get(&b, &out, &e) == -ERR_PEER, "but not from a child");
}

static void
test_insane(void)
{
	static struct compose_result c, good;

	CHECK(inspect_of(DOC_NONE, 1) < 0 && inspect_of(DOC_KIND_COUNT, 1) < 0 && inspect_of(DOC_PDF, 0) < 0,
	    "a document of no kind or no page is refused");
	CHECK(inspect_signed(DOC_PDF_KEPT, 1, SEAL_FORBIDDEN) == 0, "a signed PDF is taken");
	CHECK(inspect_signed(DOC_PDF, 1, SEAL_SEEN) < 0, "one that would be made anew is not");
	CHECK(inspect_signed(DOC_PDF_KEPT, 0, SEAL_UNSEEN) < 0, "nor one without signatures that forbids something");
	CHECK(inspect_signed(DOC_PDF_KEPT, SIGS_MAX + 1, SEAL_SEEN) < 0 && inspect_signed(DOC_PDF_KEPT, 1, SEAL_FORBIDDEN + 1) < 0,
	    "nor numbers that there are not");
	fill_compose(&good);
	c = good;
	CHECK(compose_of(&c) == 0, "a plan is taken");
	c.place_page = 3;
	CHECK(compose_of(&c) < 0, "a place behind the last page is not");
	c = good;
	c.place_box = (struct box){ 5, 5, 5, 9 };
	CHECK(compose_of(&c) < 0, "nor a box without width");
	c = good;
	c.place_box.x0 = -1;
	CHECK(compose_of(&c) < 0, "nor one left of the page");
	c = good;
	c.seal[0] = '\0';
	CHECK(compose_of(&c) < 0, "nor a plan without a seal");
	c = good;
	c.place = PLACE_NONE;
	CHECK(compose_of(&c) < 0, "nor without a place");
	c = good;
	c.hold = ERR_LOG;
	CHECK(compose_of(&c) < 0, "a hold must be one: the log is not a child's to speak of");
	c.hold = ERR_ANCHOR_MANY;
	CHECK(compose_of(&c) == 0, "an ambiguous anchor is");
	c.hold = 12345;
	CHECK(compose_of(&c) < 0, "a code that there is not is not");
}

static void
test_counts(void)
{
	static struct judge_params j;
	static struct compose_result c;
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u64(&b, 1);
	buf_put_u64(&b, 1);
	buf_put_u32(&b, SIGS_MAX + 1);
	for (int i = 0; i <= SIGS_MAX; i++)
		buf_put(&b, j.range_hash[0], HASH_LEN);
	CHECK(judge_params_get(&b, &j, &e) == -ERR_PEER, "a count over its bound is refused before it is used");
	fill_compose(&c);
	c.hold_text[0] = (char)0xFF;
	buf_clear(&b);
	compose_result_put(&b, &c);
	CHECK(compose_result_get(&b, &c, &e) == 0 && strcmp(c.hold_text, "?") == 0, "text that is not UTF-8 becomes so");
	CHECK(strcmp(level_name(LEVEL_B_LT), "B-LT") == 0 && level_by_name("B-LT") == LEVEL_B_LT &&
	        level_by_name("B-X") == LEVEL_NONE && strcmp(level_name(77), "-") == 0 &&
	        strcmp(doc_kind_name(DOC_TIFF), "tiff") == 0 && strcmp(doc_kind_name(77), "unknown") == 0,
	    "levels and kinds have names");
}

/* --- sigs records and settings ----------------------------------------------------------- */

static void
test_sig_info(void)
{
	struct sig_info in = { .is_timestamp = 1, .range = { 0, 1, 2, UINT64_MAX }, .covers_revision = 1, .has_cert_key = 1,
		.has_signing_time_key = 1, .cms = (uint8_t *)(uintptr_t)cms, .cms_len = sizeof(cms) };
	struct sig_info out;
	struct err e = { 0 };
	bool refused = true;
	AUTO_BUF b;

	text(in.field, "Signature1");
	text(in.sub_filter, "ETSI.CAdES.detached");
	text(in.checkpoint, "o\n1\nr\n");
	buf_init(&b, WIRE_PAYLOAD);
	sig_info_put(&b, &in);
	sig_info_put(&b, &in);
	for (int i = 0; i < 2; i++) {
		CHECK(sig_info_get(&b, &out, &e) == 0 && strcmp(out.checkpoint, in.checkpoint) == 0 &&
		        memcmp(out.range, in.range, sizeof(in.range)) == 0 && out.cms_len == sizeof(cms) &&
		        memcmp(out.cms, cms, sizeof(cms)) == 0 && out.has_signing_time_key == 1,
		    "record %d of a list of signatures", i + 1);
		sig_info_done(&out);
	}
	CHECK(buf_finished(&b), "and no more");
	for (size_t n = 0; n < b.len / 2; n++) {
		struct buf v;

		buf_view(&v, b.data, n);
		refused = refused && sig_info_get(&v, &out, &e) == -ERR_PEER;
	}
	CHECK(refused, "cut anywhere it is refused");
}

static void
test_settings(void)
{
	struct settings in = { .conf = (char *)(uintptr_t)"scan: {};", .nfiles = 2 }, out;
	struct err e = { 0 };
	uint8_t all[256];
	bool refused = true;
	ssize_t n;
	int fd;

	text(in.files[0].name, "seal");
	in.files[0].data = (uint8_t *)(uintptr_t)"-----BEGIN\0X";
	in.files[0].len = 12;
	text(in.files[1].name, "tsa:test");
	in.files[1].data = (uint8_t *)(uintptr_t)"";
	CHECK(settings_write(&in, &fd, &e) == 0, "settings are written");
	CHECK(settings_read(fd, &out, &e) == 0 && strcmp(out.conf, in.conf) == 0 && out.nfiles == 2 &&
	        strcmp(out.files[1].name, "tsa:test") == 0 && out.files[0].len == 12 &&
	        memcmp(out.files[0].data, "-----BEGIN\0X", 13) == 0 && out.files[1].len == 0,
	    "and read");
	settings_done(&out);
	n = pread(fd, all, sizeof(all), 0);
	close(fd);
	for (size_t k = 0; k < (size_t)n; k++) {
		if ((fd = io_memfd("cut", all, k, &e)) < 0)
			break;
		refused = refused && settings_read(fd, &out, &e) == -ERR_PEER;
		close(fd);
	}
	CHECK(n > 0 && refused, "cut anywhere they are refused, and nothing leaks");
}

static void
longest(char *dst, size_t size)
{
	memset(dst, 'x', size - 1);
	dst[size - 1] = '\0';
}

/* A document of the most pages, with the most and the longest of all else. */
static void
test_largest(void)
{
	static struct compose_result p;
	AUTO_BUF b;

	p = (struct compose_result){ .nvalues = MSG_VALUES_MAX, .ncandidates = MSG_CANDIDATES_MAX, .pages = PAGE_SET_MAX };
	page_set_init(&p.blank, PAGE_SET_MAX);
	page_set_init(&p.estimated, PAGE_SET_MAX);
	page_set_init(&p.marks.pages, PAGE_SET_MAX);
	p.marks.nown = MSG_MARKS_OWN_MAX;
	longest(p.hold_text, sizeof(p.hold_text));
	longest(p.hold_word, sizeof(p.hold_word));
	longest(p.rule, sizeof(p.rule));
	longest(p.seal, sizeof(p.seal));
	longest(p.name, sizeof(p.name));
	longest(p.field, sizeof(p.field));
	for (int i = 0; i < MSG_VALUES_MAX; i++) {
		longest(p.values[i].key, sizeof(p.values[i].key));
		longest(p.values[i].value, sizeof(p.values[i].value));
	}
	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, &p);
	CHECK(buf_ok(&b), "the largest result of composing is one message (%zu bytes)", b.len);
}

static void
test_marks(void)
{
	static struct seal_marks m;

	fill_marks(&m);
	CHECK(seal_marks_box(&m, 0) == &m.box && seal_marks_box(&m, 1) == NULL && seal_marks_box(&m, 2) == &m.own[0].box &&
	    seal_marks_box(&m, 3) == NULL, "each page has its mark, or none");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(&kinds[i]);
	test_insane();
	test_stack();
	test_stored_plan();
	test_stored_inspect();
	test_counts();
	test_sig_info();
	test_settings();
	test_largest();
	test_marks();
	return TEST_DONE();
}
