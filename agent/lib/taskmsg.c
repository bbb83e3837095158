#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "agent/lib/msgs.h"
#include "agent/lib/path.h"
#include "agent/lib/taskmsg.h"

#define SETTINGS_MAX (64u << 20)

/* Every decoder ends here: everything read, nothing left, nothing out of bounds. */
static int
decoded(const struct buf *b, bool sane, const char *what, struct err *e)
{
	if (buf_finished(b) && sane)
		return 0;
	return err_set(e, ERR_PEER, "%s is damaged", what);
}

static void
box_put(struct buf *b, const struct box *x)
{
	buf_put_i32(b, x->x0);
	buf_put_i32(b, x->y0);
	buf_put_i32(b, x->x1);
	buf_put_i32(b, x->y1);
}

static struct box
box_get(struct buf *b)
{
	struct box x;

	x.x0 = buf_get_i32(b);
	x.y0 = buf_get_i32(b);
	x.x1 = buf_get_i32(b);
	x.y1 = buf_get_i32(b);
	return x;
}

/* A count from the wire; over its bound the buffer turns bad. */
static uint32_t
count_get(struct buf *b, uint32_t max)
{
	uint32_t n = buf_get_u32(b);

	if (n > max) {
		b->bad = true;
		return 0;
	}
	return n;
}

/* Text that is shown, logged and written as JSON: what is not UTF-8 in it becomes '?'. */
static void
text_get(struct buf *b, char *dst, size_t size)
{
	buf_get_str(b, dst, size);
	utf8_scrub(dst);
}

/* --- SETTINGS ------------------------------------------------------------------------ */

int
settings_write(const struct settings *s, int *ret_memfd, struct err *e)
{
	AUTO_BUF b;
	int fd;

	buf_init(&b, SETTINGS_MAX);
	buf_put_str(&b, s->conf == NULL ? "" : s->conf);
	buf_put_u32(&b, s->nfiles);
	for (uint32_t i = 0; i < s->nfiles; i++) {
		buf_put_str(&b, s->files[i].name);
		buf_put_blob(&b, s->files[i].data, s->files[i].len);
	}
	if (!buf_ok(&b))
		return err_set(e, ERR_CONF, "settings and the files they name are larger than %u MiB", SETTINGS_MAX >> 20);
	if ((fd = io_memfd("settings", b.data, b.len, e)) < 0)
		return fd;
	*ret_memfd = fd;
	return 0;
}

/* On error the buffer turns bad. */
static void
file_get(struct buf *b, struct settings_file *f)
{
	const uint8_t *data;
	size_t len;

	text_get(b, f->name, sizeof(f->name));
	data = buf_get_blob(b, &len);
	if (data == NULL || (f->data = malloc(len + 1)) == NULL) {
		b->bad = true;
		return;
	}
	memcpy(f->data, data, len);
	f->data[len] = '\0';
	f->len = (uint32_t)len;
}

int
settings_read(int fd, struct settings *ret, struct err *e)
{
	struct settings s = { 0 };
	uint64_t size;
	AUTO_BUF b;
	AUTO_FREE void *data = NULL;
	int r;

	buf_init(&b, 0);
	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	if (size > SETTINGS_MAX || (data = malloc((size_t)size + 1)) == NULL)
		return err_set(e, ERR_PEER, "settings are too large");
	if ((r = io_pread_full(fd, data, (size_t)size, 0, e)) < 0)
		return r;
	buf_view(&b, data, (size_t)size);
	s.conf = buf_get_strdup(&b, SETTINGS_MAX);
	s.nfiles = count_get(&b, SETTINGS_FILES_MAX);
	for (uint32_t i = 0; i < s.nfiles; i++)
		file_get(&b, &s.files[i]);
	if ((r = decoded(&b, true, "settings", e)) < 0)
		settings_done(&s);
	else
		*ret = s;
	return r;
}

void
settings_done(struct settings *s)
{
	free(s->conf);
	for (uint32_t i = 0; i < s->nfiles; i++)
		free(s->files[i].data);
	memset(s, 0, sizeof(*s));
}

/* --- READY ---------------------------------------------------------------------------- */

void
ready_scan_put(struct buf *b, const struct ready_scan *p)
{
	buf_put_str(b, p->engine);
	buf_put(b, p->data_hash, HASH_LEN);
}

int
ready_scan_get(struct buf *b, struct ready_scan *ret, struct err *e)
{
	struct ready_scan p = { 0 };
	int r;

	text_get(b, p.engine, sizeof(p.engine));
	buf_get(b, p.data_hash, HASH_LEN);
	if ((r = decoded(b, true, "READY", e)) == 0)
		*ret = p;
	return r;
}

void
ready_seal_put(struct buf *b, const struct ready_seal *p)
{
	buf_put_u32(b, p->key_type);
	buf_put_u32(b, p->odd);
	buf_put_u32(b, p->key_bits);
	buf_put_u32(b, p->logged_in);
	buf_put_str(b, p->token_serial);
	buf_put_str(b, p->token_label);
	buf_put_str(b, p->subject);
	buf_put_str(b, p->org);
	buf_put(b, p->cert_hash, HASH_LEN);
	buf_put_u64(b, (uint64_t)p->not_before_us);
	buf_put_u64(b, (uint64_t)p->not_after_us);
	buf_put_u32(b, p->cms_max);
	buf_put_u64(b, p->signatures);
	buf_put_str(b, p->vkey);
	buf_put_u64(b, p->log_size);
	buf_put(b, p->log_root, HASH_LEN);
	buf_put_u32(b, p->log_has_record);
	buf_put_str(b, p->log_note);
	buf_put_str(b, p->log_resume);
}

int
ready_seal_get(struct buf *b, struct ready_seal *ret, struct err *e)
{
	struct ready_seal p;
	int r;

	p.key_type = buf_get_u32(b);
	p.odd = buf_get_u32(b);
	p.key_bits = buf_get_u32(b);
	p.logged_in = buf_get_u32(b);
	text_get(b, p.token_serial, sizeof(p.token_serial));
	text_get(b, p.token_label, sizeof(p.token_label));
	text_get(b, p.subject, sizeof(p.subject));
	text_get(b, p.org, sizeof(p.org));
	buf_get(b, p.cert_hash, HASH_LEN);
	p.not_before_us = (int64_t)buf_get_u64(b);
	p.not_after_us = (int64_t)buf_get_u64(b);
	p.cms_max = buf_get_u32(b);
	p.signatures = buf_get_u64(b);
	text_get(b, p.vkey, sizeof(p.vkey));
	p.log_size = buf_get_u64(b);
	buf_get(b, p.log_root, HASH_LEN);
	p.log_has_record = buf_get_u32(b);
	text_get(b, p.log_note, sizeof(p.log_note));
	text_get(b, p.log_resume, sizeof(p.log_resume));
	if ((r = decoded(b, p.key_type <= SEAL_KEY_ED25519 && p.odd <= SEAL_ODD_ALL && p.cms_max <= 60000, "READY", e)) == 0)
		*ret = p;
	return r;
}

/* --- inspect, page -------------------------------------------------------------------- */

const char *
doc_kind_name(uint32_t kind)
{
	static const char *const names[DOC_KIND_COUNT] = { "none", "tiff", "jpeg", "png", "pdf", "jp2", "webp", "pdf" };

	return kind < DOC_KIND_COUNT ? names[kind] : "unknown";
}

uint32_t
doc_page_task(uint32_t kind)
{
	return kind == DOC_PDF_KEPT ? TASK_KEPT_PAGE : TASK_PAGE;
}

uint32_t
doc_picture_task(uint32_t kind)
{
	return kind == DOC_PDF_KEPT ? TASK_KEPT_PICTURE : TASK_PICTURE;
}

void
inspect_params_put(struct buf *b, const struct inspect_params *p)
{
	buf_put_u32(b, p->brief_above);
}

int
inspect_params_get(struct buf *b, struct inspect_params *ret, struct err *e)
{
	struct inspect_params p = { .brief_above = buf_get_u32(b) };
	int r;

	if ((r = decoded(b, true, "inspect parameters", e)) == 0)
		*ret = p;
	return r;
}

void
inspect_result_put(struct buf *b, const struct inspect_result *p)
{
	buf_put_u32(b, p->kind);
	buf_put_u32(b, p->pages);
	buf_put_u32(b, p->files);
	buf_put_u32(b, p->sigs);
	buf_put_u32(b, p->allowed);
	buf_put_str(b, p->forbids);
	buf_put_u64(b, p->pixels);
	buf_put_u32(b, p->brief);
}

/* Only a PDF that keeps its bytes can have come signed, and only what was signed forbids anything. */
static bool
inspect_sane(const struct inspect_result *p)
{
	return p->kind > DOC_NONE && p->kind < DOC_KIND_COUNT && p->pages > 0 && p->sigs <= SIGS_MAX &&
	    p->allowed <= SEAL_FORBIDDEN && (p->sigs == 0 || p->kind == DOC_PDF_KEPT) &&
	    (p->sigs > 0 || p->allowed == SEAL_SEEN) && (p->brief == 0 || (p->brief == 1 && p->kind == DOC_PDF));
}

static int
inspect_decode(struct buf *b, struct inspect_result *ret, bool of_earlier, struct err *e)
{
	struct inspect_result p = { 0 };
	int r;

	p.kind = buf_get_u32(b);
	p.pages = buf_get_u32(b);
	if (!of_earlier || !buf_finished(b))
		p.files = buf_get_u32(b);
	if (!of_earlier || !buf_finished(b)) {
		p.sigs = buf_get_u32(b);
		p.allowed = buf_get_u32(b);
		text_get(b, p.forbids, sizeof(p.forbids));
	}
	if (!of_earlier || !buf_finished(b))
		p.pixels = buf_get_u64(b);
	if (!of_earlier || !buf_finished(b))
		p.brief = buf_get_u32(b);
	if ((r = decoded(b, inspect_sane(&p) && (p.brief == 0 || !of_earlier), "inspect result", e)) == 0)
		*ret = p;
	return r;
}

int
inspect_result_get(struct buf *b, struct inspect_result *ret, struct err *e)
{
	return inspect_decode(b, ret, false, e);
}

int
inspect_result_get_stored(struct buf *b, struct inspect_result *ret, struct err *e)
{
	return inspect_decode(b, ret, true, e);
}

void
files_result_put(struct buf *b, const struct files_result *p)
{
	buf_put_u32(b, p->n);
	buf_put(b, p->hash, HASH_LEN);
}

int
files_result_get(struct buf *b, struct files_result *ret, struct err *e)
{
	struct files_result p;
	int r;

	p.n = buf_get_u32(b);
	buf_get(b, p.hash, HASH_LEN);
	if ((r = decoded(b, p.n <= ATTACHED_MAX, "list of attachments", e)) == 0)
		*ret = p;
	return r;
}

static void
mark_put(struct buf *b, const struct page_mark *m)
{
	buf_put_u32(b, m->page);
	buf_put_u64(b, m->at);
}

static struct page_mark
mark_get(struct buf *b)
{
	struct page_mark m = { .page = buf_get_u32(b) };

	m.at = buf_get_u64(b);
	return m;
}

void
page_params_put(struct buf *b, const struct page_params *p)
{
	buf_put_u32(b, p->kind);
	buf_put_u32(b, p->page);
	buf_put(b, p->key, HASH_LEN);
	mark_put(b, &p->mark);
	buf_put_u32(b, p->unread);
	buf_put_u32(b, p->codes);
}

int
page_params_get(struct buf *b, struct page_params *ret, struct err *e)
{
	struct page_params p;
	int r;

	p.kind = buf_get_u32(b);
	p.page = buf_get_u32(b);
	buf_get(b, p.key, HASH_LEN);
	p.mark = mark_get(b);
	p.unread = buf_get_u32(b);
	p.codes = buf_get_u32(b);
	if ((r = decoded(b, p.kind < DOC_KIND_COUNT && p.mark.page <= p.page && p.unread <= 1 && p.codes <= 1, "page parameters", e)) == 0)
		*ret = p;
	return r;
}

void
page_result_put(struct buf *b, const struct page_result *p)
{
	buf_put_u32(b, p->words);
	buf_put_u32(b, p->rotate);
	buf_put_u32(b, p->conf);
	buf_put_u32(b, p->blank);
	buf_put_u64(b, p->len);
	mark_put(b, &p->mark);
}

int
page_result_get(struct buf *b, struct page_result *ret, struct err *e)
{
	struct page_result p;
	int r;

	p.words = buf_get_u32(b);
	p.rotate = buf_get_u32(b);
	p.conf = buf_get_u32(b);
	p.blank = buf_get_u32(b);
	p.len = buf_get_u64(b);
	p.mark = mark_get(b);
	if ((r = decoded(b, p.rotate < 360 && p.rotate % 90 == 0 && p.conf <= 100 && p.blank <= 1, "page result", e)) == 0)
		*ret = p;
	return r;
}

/* --- marks ---------------------------------------------------------------------------- */

const struct box *
seal_marks_box(const struct seal_marks *m, uint32_t page)
{
	if (!page_set_has(&m->pages, page))
		return NULL;
	for (uint32_t i = 0; i < m->nown && m->own[i].page <= page; i++)
		if (m->own[i].page == page)
			return &m->own[i].box;
	return &m->box;
}

static void
marks_put(struct buf *b, const struct seal_marks *m)
{
	page_set_put(b, &m->pages);
	box_put(b, &m->box);
	buf_put_u32(b, m->nown);
	for (uint32_t i = 0; i < m->nown; i++) {
		buf_put_u32(b, m->own[i].page);
		box_put(b, &m->own[i].box);
	}
}

static bool
box_sane(const struct box *b)
{
	return b->x0 >= 0 && b->y0 >= 0 && b->x0 < b->x1 && b->y0 < b->y1;
}

static bool
marks_get(struct buf *b, struct seal_marks *m)
{
	bool sane = page_set_get(b, &m->pages);

	m->box = box_get(b);
	sane = sane && (box_sane(&m->box) || page_set_count(&m->pages) == 0);
	m->nown = count_get(b, MSG_MARKS_OWN_MAX);
	for (uint32_t i = 0; i < m->nown; i++) {
		m->own[i].page = buf_get_u32(b);
		m->own[i].box = box_get(b);
		sane = sane && box_sane(&m->own[i].box) && page_set_has(&m->pages, m->own[i].page) &&
		    (i == 0 || m->own[i].page > m->own[i - 1].page);
	}
	return sane;
}

/* --- compose -------------------------------------------------------------------------- */

void
compose_params_put(struct buf *b, const struct compose_params *p)
{
	buf_put_str(b, p->id);
	buf_put_str(b, p->folder);
	buf_put_str(b, p->name);
	buf_put(b, p->source_hash, HASH_LEN);
	buf_put_u64(b, (uint64_t)p->received_us);
	buf_put_u32(b, p->kind);
	buf_put_u32(b, p->pages);
	buf_put_str(b, p->force_rule);
	buf_put_u32(b, p->force_at);
	buf_put_u32(b, p->force_page);
	buf_put_i32(b, p->force_x);
	buf_put_i32(b, p->force_y);
	buf_put_str(b, p->want_rule);
	buf_put_str(b, p->want_seal);
	buf_put_str(b, p->want_name);
	buf_put_u32(b, p->nfields);
	for (uint32_t i = 0; i < p->nfields; i++) {
		buf_put_str(b, p->fields[i].key);
		buf_put_str(b, p->fields[i].value);
	}
	buf_put_u32(b, p->sigs);
	buf_put_u32(b, p->allowed);
	buf_put_u32(b, p->nsigners);
	for (uint32_t i = 0; i < p->nsigners; i++)
		buf_put_str(b, p->signers[i]);
	buf_put_u32(b, p->stack);
	buf_put_u32(b, p->first);
	buf_put_u32(b, p->last);
}

int
compose_params_get(struct buf *b, struct compose_params *ret, struct err *e)
{
	struct compose_params p;
	int r;

	text_get(b, p.id, sizeof(p.id));
	text_get(b, p.folder, sizeof(p.folder));
	text_get(b, p.name, sizeof(p.name));
	buf_get(b, p.source_hash, HASH_LEN);
	p.received_us = (int64_t)buf_get_u64(b);
	p.kind = buf_get_u32(b);
	p.pages = buf_get_u32(b);
	text_get(b, p.force_rule, sizeof(p.force_rule));
	p.force_at = buf_get_u32(b);
	p.force_page = buf_get_u32(b);
	p.force_x = buf_get_i32(b);
	p.force_y = buf_get_i32(b);
	text_get(b, p.want_rule, sizeof(p.want_rule));
	text_get(b, p.want_seal, sizeof(p.want_seal));
	text_get(b, p.want_name, sizeof(p.want_name));
	if ((p.nfields = buf_get_u32(b)) > MSG_FIELDS_MAX)
		return err_set(e, ERR_PEER, "compose parameters: too many fields");
	for (uint32_t i = 0; i < p.nfields; i++) {
		text_get(b, p.fields[i].key, sizeof(p.fields[i].key));
		text_get(b, p.fields[i].value, sizeof(p.fields[i].value));
	}
	p.sigs = buf_get_u32(b);
	p.allowed = buf_get_u32(b);
	p.nsigners = count_get(b, EARLIER_MAX);
	for (uint32_t i = 0; i < p.nsigners; i++)
		text_get(b, p.signers[i], sizeof(p.signers[i]));
	p.stack = buf_get_u32(b);
	p.first = buf_get_u32(b);
	p.last = buf_get_u32(b);
	if ((r = decoded(b, p.kind < DOC_KIND_COUNT && p.pages > 0 && p.allowed <= SEAL_FORBIDDEN && p.stack <= STACK_HAS_TICKET &&
	         p.first <= p.last && p.last < p.pages, "compose parameters", e)) == 0)
		*ret = p;
	return r;
}

void
compose_result_put(struct buf *b, const struct compose_result *p)
{
	buf_put_u32(b, p->hold);
	buf_put_str(b, p->hold_text);
	buf_put_str(b, p->hold_word);
	buf_put_str(b, p->rule);
	buf_put(b, p->rule_hash, HASH_LEN);
	buf_put_str(b, p->seal);
	buf_put_u32(b, p->place);
	buf_put_u32(b, p->place_page);
	box_put(b, &p->place_box);
	buf_put_str(b, p->name);
	buf_put_u32(b, p->nvalues);
	for (uint32_t i = 0; i < p->nvalues; i++) {
		buf_put_str(b, p->values[i].key);
		buf_put_str(b, p->values[i].value);
	}
	buf_put_u32(b, p->ncandidates);
	for (uint32_t i = 0; i < p->ncandidates; i++) {
		buf_put_u32(b, p->candidates[i].page);
		box_put(b, &p->candidates[i].box);
	}
	buf_put_u32(b, p->pages);
	buf_put_u64(b, p->len);
	page_set_put(b, &p->blank);
	buf_put_u32(b, p->dropped);
	page_set_put(b, &p->estimated);
	page_set_put(b, &p->unread);
	buf_put_str(b, p->field);
	marks_put(b, &p->marks);
	page_set_put(b, &p->outside);
}

uint32_t
compose_source_page(const struct compose_result *p, uint32_t page)
{
	uint32_t at = 0;

	if (p->dropped == 0)
		return page;
	for (; at < p->blank.pages; at++)
		if (!page_set_has(&p->blank, at) && page-- == 0)
			break;
	return at;
}

static bool
stack_sane(const struct compose_result *p)
{
	const uint32_t parts = page_set_rests(&p->outside);

	return p->hold == 0 && p->rule[0] == '\0' && p->seal[0] == '\0' && p->place == PLACE_NONE && p->outside.pages == p->blank.pages &&
	    parts >= 2 && parts <= STACK_PARTS_MAX;
}

/* Bounds that every user of the plan relies on. */
static bool
compose_sane(const struct compose_result *p)
{
	if (p->outside.pages != 0)
		return stack_sane(p);
	if (p->hold != 0)
		return err_code_valid(p->hold) && err_class((enum err_code)p->hold) == ERR_CLASS_HOLD;
	return p->seal[0] != '\0' && (p->place == PLACE_BOX || p->place == PLACE_INVISIBLE) &&
	    p->place_page < p->pages &&
	    (p->place != PLACE_BOX || box_sane(&p->place_box)) && p->marks.pages.pages <= p->pages;
}

static bool
compose_sets_get(struct buf *b, struct compose_result *p, bool may_lack)
{
	bool sets;

	if (may_lack && buf_finished(b)) {
		page_set_init(&p->blank, p->pages);
		page_set_init(&p->estimated, p->pages);
		page_set_init(&p->unread, p->pages);
		return p->pages <= PAGE_SET_MAX;
	}
	sets = page_set_get(b, &p->blank);
	p->dropped = buf_get_u32(b);
	sets = page_set_get(b, &p->estimated) && sets;
	if (may_lack && buf_finished(b)) {
		page_set_init(&p->unread, p->blank.pages);
		return sets;
	}
	sets = page_set_get(b, &p->unread) && sets;
	text_get(b, p->field, sizeof(p->field));
	sets = marks_get(b, &p->marks) && sets;
	if (may_lack && buf_finished(b)) {
		page_set_init(&p->outside, 0);
		return sets;
	}
	return page_set_get(b, &p->outside) && sets;
}

static int
compose_decode(struct buf *b, struct compose_result *ret, bool of_earlier, struct err *e)
{
	struct compose_result *p = calloc(1, sizeof(*p));
	bool sets;
	int r;

	if (p == NULL)
		return err_set(e, ERR_MEM, "compose result");
	p->hold = buf_get_u32(b);
	text_get(b, p->hold_text, sizeof(p->hold_text));
	text_get(b, p->hold_word, sizeof(p->hold_word));
	text_get(b, p->rule, sizeof(p->rule));
	buf_get(b, p->rule_hash, HASH_LEN);
	text_get(b, p->seal, sizeof(p->seal));
	p->place = buf_get_u32(b);
	p->place_page = buf_get_u32(b);
	p->place_box = box_get(b);
	text_get(b, p->name, sizeof(p->name));
	p->nvalues = count_get(b, MSG_VALUES_MAX);
	for (uint32_t i = 0; i < p->nvalues; i++) {
		text_get(b, p->values[i].key, sizeof(p->values[i].key));
		text_get(b, p->values[i].value, sizeof(p->values[i].value));
	}
	p->ncandidates = count_get(b, MSG_CANDIDATES_MAX);
	for (uint32_t i = 0; i < p->ncandidates; i++) {
		p->candidates[i].page = buf_get_u32(b);
		p->candidates[i].box = box_get(b);
	}
	p->pages = buf_get_u32(b);
	p->len = buf_get_u64(b);
	sets = compose_sets_get(b, p, of_earlier);
	if ((r = decoded(b, sets && p->dropped <= 1 && compose_sane(p), "compose result", e)) == 0)
		*ret = *p;
	free(p);
	return r;
}

int
compose_result_get(struct buf *b, struct compose_result *ret, struct err *e)
{
	return compose_decode(b, ret, false, e);
}

int
compose_result_get_stored(struct buf *b, struct compose_result *ret, struct err *e)
{
	return compose_decode(b, ret, true, e);
}

void
part_result_put(struct buf *b, const struct part_result *p)
{
	buf_put_u64(b, p->len);
}

int
part_result_get(struct buf *b, struct part_result *ret, struct err *e)
{
	struct part_result p = { .len = buf_get_u64(b) };
	int r = decoded(b, p.len > 0, "part result", e);

	if (r == 0)
		*ret = p;
	return r;
}

/* --- field ---------------------------------------------------------------------------- */

void
field_params_put(struct buf *b, const struct field_params *p)
{
	buf_put_str(b, p->id);
	buf_put_u32(b, p->place);
	buf_put_u32(b, p->place_page);
	box_put(b, &p->place_box);
	buf_put_str(b, p->field);
	marks_put(b, &p->marks);
	buf_put_str(b, p->seal);
	buf_put_str(b, p->qr);
	buf_put_u32(b, p->nlines);
	for (uint32_t i = 0; i < p->nlines; i++)
		buf_put_str(b, p->lines[i]);
	buf_put_str(b, p->signer);
	buf_put_str(b, p->reason);
	buf_put_str(b, p->location);
	buf_put_str(b, p->checkpoint);
	buf_put_u64(b, (uint64_t)p->time_us);
	buf_put_u32(b, p->hole);
}

int
field_params_get(struct buf *b, struct field_params *ret, struct err *e)
{
	struct field_params p;
	bool marks;
	int r;

	text_get(b, p.id, sizeof(p.id));
	p.place = buf_get_u32(b);
	p.place_page = buf_get_u32(b);
	p.place_box = box_get(b);
	text_get(b, p.field, sizeof(p.field));
	marks = marks_get(b, &p.marks);
	text_get(b, p.seal, sizeof(p.seal));
	text_get(b, p.qr, sizeof(p.qr));
	p.nlines = count_get(b, MSG_LINES_MAX);
	for (uint32_t i = 0; i < p.nlines; i++)
		text_get(b, p.lines[i], sizeof(p.lines[i]));
	text_get(b, p.signer, sizeof(p.signer));
	text_get(b, p.reason, sizeof(p.reason));
	text_get(b, p.location, sizeof(p.location));
	text_get(b, p.checkpoint, sizeof(p.checkpoint));
	p.time_us = (int64_t)buf_get_u64(b);
	p.hole = buf_get_u32(b);
	if ((r = decoded(b, marks && p.place <= PLACE_INVISIBLE && p.hole >= 256 && p.hole <= SIGS_CMS_MAX,
	         "field parameters", e)) == 0)
		*ret = p;
	return r;
}

void
field_result_put(struct buf *b, const struct field_result *p)
{
	buf_put_u64(b, p->doc_len);
	buf_put_u64(b, p->update_len);
	for (int i = 0; i < 4; i++)
		buf_put_u64(b, p->range[i]);
}

int
field_result_get(struct buf *b, struct field_result *ret, struct err *e)
{
	struct field_result p;
	int r;

	p.doc_len = buf_get_u64(b);
	p.update_len = buf_get_u64(b);
	for (int i = 0; i < 4; i++)
		p.range[i] = buf_get_u64(b);
	if ((r = decoded(b, true, "field result", e)) == 0)
		*ret = p;
	return r;
}

/* --- sigs ----------------------------------------------------------------------------- */

void
sigs_result_put(struct buf *b, const struct sigs_result *p)
{
	buf_put_u32(b, p->pages);
	buf_put_u32(b, p->nsigs);
	buf_put_u32(b, p->warnings);
	buf_put_u32(b, p->pdfa_part);
	buf_put_u8(b, (uint8_t)p->pdfa_conformance);
}

int
sigs_result_get(struct buf *b, struct sigs_result *ret, struct err *e)
{
	struct sigs_result p;
	int r;

	p.pages = buf_get_u32(b);
	p.nsigs = buf_get_u32(b);
	p.warnings = buf_get_u32(b);
	p.pdfa_part = buf_get_u32(b);
	p.pdfa_conformance = (char)buf_get_u8(b);
	if ((r = decoded(b, p.nsigs <= SIGS_MAX, "signature list", e)) == 0)
		*ret = p;
	return r;
}

void
sig_info_put(struct buf *b, const struct sig_info *p)
{
	buf_put_str(b, p->field);
	buf_put_str(b, p->sub_filter);
	buf_put_u32(b, p->is_timestamp);
	for (int i = 0; i < 4; i++)
		buf_put_u64(b, p->range[i]);
	buf_put_u32(b, p->covers_revision);
	buf_put_u32(b, p->has_cert_key);
	buf_put_u32(b, p->has_signing_time_key);
	buf_put_u64(b, (uint64_t)p->claimed_us);
	buf_put_str(b, p->checkpoint);
	buf_put_blob(b, p->cms, p->cms_len);
}

int
sig_info_get(struct buf *b, struct sig_info *ret, struct err *e)
{
	struct sig_info p = { 0 };
	const uint8_t *cms;

	text_get(b, p.field, sizeof(p.field));
	text_get(b, p.sub_filter, sizeof(p.sub_filter));
	p.is_timestamp = buf_get_u32(b);
	for (int i = 0; i < 4; i++)
		p.range[i] = buf_get_u64(b);
	p.covers_revision = buf_get_u32(b);
	p.has_cert_key = buf_get_u32(b);
	p.has_signing_time_key = buf_get_u32(b);
	p.claimed_us = (int64_t)buf_get_u64(b);
	text_get(b, p.checkpoint, sizeof(p.checkpoint));
	cms = buf_get_blob(b, &p.cms_len);
	if (!buf_ok(b) || p.cms_len > SIGS_CMS_MAX)
		return err_set(e, ERR_PEER, "signature record is damaged");
	if ((p.cms = malloc(p.cms_len + 1)) == NULL)
		return err_set(e, ERR_MEM, "signature record");
	memcpy(p.cms, cms, p.cms_len);
	*ret = p;
	return 0;
}

void
sig_info_done(struct sig_info *p)
{
	free(p->cms);
	memset(p, 0, sizeof(*p));
}

/* --- picture -------------------------------------------------------------------------- */

void
picture_params_put(struct buf *b, const struct picture_params *p)
{
	buf_put_u32(b, p->kind);
	buf_put_u32(b, p->page);
	buf_put_u32(b, p->rotate);
	buf_put_u32(b, p->gray);
	buf_put_i32(b, p->width_mpt);
	buf_put_i32(b, p->height_mpt);
	buf_put_u32(b, p->nmarks);
	for (uint32_t i = 0; i < p->nmarks; i++) {
		buf_put_u32(b, p->marks[i].mark);
		box_put(b, &p->marks[i].box);
	}
}

int
picture_params_get(struct buf *b, struct picture_params *ret, struct err *e)
{
	struct picture_params p;
	int r;

	p.kind = buf_get_u32(b);
	p.page = buf_get_u32(b);
	p.rotate = buf_get_u32(b);
	p.gray = buf_get_u32(b);
	p.width_mpt = buf_get_i32(b);
	p.height_mpt = buf_get_i32(b);
	p.nmarks = count_get(b, MSG_CANDIDATES_MAX);
	for (uint32_t i = 0; i < p.nmarks; i++) {
		p.marks[i].mark = buf_get_u32(b);
		p.marks[i].box = box_get(b);
	}
	if ((r = decoded(b, p.kind < DOC_KIND_COUNT && p.rotate < 360 && p.rotate % 90 == 0 && p.gray <= 1,
	         "picture parameters", e)) == 0)
		*ret = p;
	return r;
}

/* --- time stamps ---------------------------------------------------------------------- */

void
stamp_params_put(struct buf *b, const struct stamp_params *p)
{
	buf_put_str(b, p->tsa);
	buf_put(b, p->imprint, HASH_LEN);
	buf_put_u64(b, p->nonce);
}

int
stamp_params_get(struct buf *b, struct stamp_params *ret, struct err *e)
{
	struct stamp_params p;
	int r;

	text_get(b, p.tsa, sizeof(p.tsa));
	buf_get(b, p.imprint, HASH_LEN);
	p.nonce = buf_get_u64(b);
	if ((r = decoded(b, true, "time-stamp parameters", e)) == 0)
		*ret = p;
	return r;
}

void
stamp_result_put(struct buf *b, const struct stamp_result *p)
{
	buf_put_u32(b, p->url);
	buf_put_u64(b, p->len);
}

int
stamp_result_get(struct buf *b, struct stamp_result *ret, struct err *e)
{
	struct stamp_result p;
	int r;

	p.url = buf_get_u32(b);
	p.len = buf_get_u64(b);
	if ((r = decoded(b, true, "time-stamp result", e)) == 0)
		*ret = p;
	return r;
}

void
attach_params_put(struct buf *b, const struct attach_params *p)
{
	buf_put_str(b, p->tsa);
	buf_put_u32(b, p->complete);
	buf_put_str(b, p->policy);
	buf_put(b, p->imprint, HASH_LEN);
	buf_put_u64(b, p->nonce);
	buf_put_u64(b, (uint64_t)p->window_from_us);
	buf_put_u64(b, (uint64_t)p->window_to_us);
	buf_put_blob(b, p->cms, p->cms_len);
}

int
attach_params_get(struct buf *b, struct attach_params *ret, struct err *e)
{
	struct attach_params p;
	int r;

	text_get(b, p.tsa, sizeof(p.tsa));
	p.complete = buf_get_u32(b);
	text_get(b, p.policy, sizeof(p.policy));
	buf_get(b, p.imprint, HASH_LEN);
	p.nonce = buf_get_u64(b);
	p.window_from_us = (int64_t)buf_get_u64(b);
	p.window_to_us = (int64_t)buf_get_u64(b);
	p.cms = buf_get_blob(b, &p.cms_len);
	if ((r = decoded(b, true, "attach parameters", e)) == 0)
		*ret = p;
	return r;
}

void
attach_result_put(struct buf *b, const struct attach_result *p)
{
	buf_put_u64(b, (uint64_t)p->gen_time_us);
	buf_put_u32(b, p->token_len);
	buf_put(b, p->token_hash, HASH_LEN);
	buf_put_blob(b, p->cms, p->cms_len);
}

int
attach_result_get(struct buf *b, struct attach_result *ret, struct err *e)
{
	struct attach_result p;
	int r;

	p.gen_time_us = (int64_t)buf_get_u64(b);
	p.token_len = buf_get_u32(b);
	buf_get(b, p.token_hash, HASH_LEN);
	p.cms = buf_get_blob(b, &p.cms_len);
	if ((r = decoded(b, p.cms_len > 0, "attach result", e)) == 0)
		*ret = p;
	return r;
}

/* --- judge ---------------------------------------------------------------------------- */

static const char *const levels[] = { "-", "B-B", "B-T", "B-LT", "B-LTA" };

const char *
level_name(uint32_t level)
{
	return level <= LEVEL_B_LTA ? levels[level] : "-";
}

uint32_t
level_by_name(const char *name)
{
	for (uint32_t i = LEVEL_B_B; i <= LEVEL_B_LTA; i++)
		if (strcmp(levels[i], name) == 0)
			return i;
	return LEVEL_NONE;
}

static void
wide_put(struct buf *b, const struct hash_wide *w)
{
	buf_put_u8(b, w->known);
	buf_put(b, w->sha384, SHA384_LEN);
	buf_put(b, w->sha512, SHA512_LEN);
}

static void
wide_get(struct buf *b, struct hash_wide *ret)
{
	ret->known = buf_get_u8(b);
	buf_get(b, ret->sha384, SHA384_LEN);
	buf_get(b, ret->sha512, SHA512_LEN);
}

void
judge_params_put(struct buf *b, const struct judge_params *p)
{
	buf_put_u64(b, (uint64_t)p->now_us);
	buf_put_u64(b, (uint64_t)p->earlier_us);
	buf_put_u64(b, p->file_len);
	buf_put_u32(b, p->nsigs);
	for (uint32_t i = 0; i < p->nsigs; i++) {
		buf_put(b, p->range_hash[i], HASH_LEN);
		wide_put(b, &p->range_wide[i]);
		buf_put_u8(b, p->earlier[i]);
	}
}

int
judge_params_get(struct buf *b, struct judge_params *ret, struct err *e)
{
	struct judge_params p;
	int r;

	memset(&p, 0, sizeof(p));
	p.now_us = (int64_t)buf_get_u64(b);
	p.earlier_us = (int64_t)buf_get_u64(b);
	p.file_len = buf_get_u64(b);
	p.nsigs = count_get(b, SIGS_MAX);
	for (uint32_t i = 0; i < p.nsigs; i++) {
		buf_get(b, p.range_hash[i], HASH_LEN);
		wide_get(b, &p.range_wide[i]);
		p.earlier[i] = buf_get_u8(b);
	}
	if ((r = decoded(b, true, "judge parameters", e)) == 0)
		*ret = p;
	return r;
}

static void
judged_put(struct buf *b, const struct judged_sig *s)
{
	buf_put_u32(b, s->verdict);
	buf_put_u32(b, s->level);
	buf_put_u32(b, s->is_timestamp);
	buf_put_u32(b, s->covers_file);
	buf_put_u32(b, s->expired);
	buf_put_str(b, s->field);
	buf_put_str(b, s->signer);
	buf_put(b, s->cert_hash, HASH_LEN);
	buf_put_u64(b, (uint64_t)s->claimed_us);
	buf_put_u64(b, (uint64_t)s->gen_time_us);
	buf_put_str(b, s->tsa_signer);
	buf_put(b, s->token_hash, HASH_LEN);
	buf_put_str(b, s->qualified);
	buf_put_u32(b, s->nreasons);
	for (uint32_t i = 0; i < s->nreasons; i++)
		buf_put_str(b, s->reasons[i]);
}

static void
judged_get(struct buf *b, struct judged_sig *s)
{
	s->verdict = buf_get_u32(b);
	s->level = buf_get_u32(b);
	s->is_timestamp = buf_get_u32(b);
	s->covers_file = buf_get_u32(b);
	s->expired = buf_get_u32(b);
	text_get(b, s->field, sizeof(s->field));
	text_get(b, s->signer, sizeof(s->signer));
	buf_get(b, s->cert_hash, HASH_LEN);
	s->claimed_us = (int64_t)buf_get_u64(b);
	s->gen_time_us = (int64_t)buf_get_u64(b);
	text_get(b, s->tsa_signer, sizeof(s->tsa_signer));
	buf_get(b, s->token_hash, HASH_LEN);
	text_get(b, s->qualified, sizeof(s->qualified));
	s->nreasons = count_get(b, MSG_REASONS_MAX);
	for (uint32_t i = 0; i < s->nreasons; i++)
		text_get(b, s->reasons[i], sizeof(s->reasons[i]));
	if (s->verdict > VERDICT_UNKNOWN || s->level > LEVEL_B_LTA || s->expired > 1)
		b->bad = true;
}

void
judge_result_put(struct buf *b, const struct judge_result *p)
{
	buf_put_u32(b, p->verdict);
	buf_put_u32(b, p->nsigs);
	for (uint32_t i = 0; i < p->nsigs; i++)
		judged_put(b, &p->sigs[i]);
}

int
judge_result_get(struct buf *b, struct judge_result *ret, struct err *e)
{
	struct judge_result *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return err_set(e, ERR_MEM, "verdict");
	p->verdict = buf_get_u32(b);
	p->nsigs = count_get(b, JUDGED_MAX);
	for (uint32_t i = 0; i < p->nsigs; i++)
		judged_get(b, &p->sigs[i]);
	if ((r = decoded(b, p->verdict <= VERDICT_UNKNOWN, "verdict", e)) == 0)
		*ret = *p;
	free(p);
	return r;
}

void
ers_params_put(struct buf *b, const struct ers_params *p)
{
	buf_put_u64(b, (uint64_t)p->now_us);
	buf_put_str(b, p->tsa);
}

int
ers_params_get(struct buf *b, struct ers_params *ret, struct err *e)
{
	struct ers_params p;
	int r;

	p.now_us = (int64_t)buf_get_u64(b);
	text_get(b, p.tsa, sizeof(p.tsa));
	if ((r = decoded(b, true, "evidence record parameters", e)) == 0)
		*ret = p;
	return r;
}

void
ers_result_put(struct buf *b, const struct ers_result *p)
{
	buf_put_u32(b, p->verdict);
	buf_put_u32(b, p->others);
	buf_put_u32(b, p->nstamps);
	for (uint32_t i = 0; i < p->nstamps; i++) {
		buf_put_u64(b, (uint64_t)p->stamps[i].gen_time_us);
		buf_put_u64(b, (uint64_t)p->stamps[i].not_after_us);
		buf_put(b, p->stamps[i].token_hash, HASH_LEN);
		buf_put_str(b, p->stamps[i].signer);
	}
	buf_put_u32(b, p->nreasons);
	for (uint32_t i = 0; i < p->nreasons; i++)
		buf_put_str(b, p->reasons[i]);
}

int
ers_result_get(struct buf *b, struct ers_result *ret, struct err *e)
{
	struct ers_result *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return err_set(e, ERR_MEM, "verdict on an evidence record");
	p->verdict = buf_get_u32(b);
	p->others = buf_get_u32(b);
	p->nstamps = count_get(b, ERS_STAMPS_MAX);
	for (uint32_t i = 0; i < p->nstamps; i++) {
		p->stamps[i].gen_time_us = (int64_t)buf_get_u64(b);
		p->stamps[i].not_after_us = (int64_t)buf_get_u64(b);
		buf_get(b, p->stamps[i].token_hash, HASH_LEN);
		text_get(b, p->stamps[i].signer, sizeof(p->stamps[i].signer));
	}
	p->nreasons = count_get(b, MSG_REASONS_MAX);
	for (uint32_t i = 0; i < p->nreasons; i++)
		text_get(b, p->reasons[i], sizeof(p->reasons[i]));
	if ((r = decoded(b, p->verdict <= VERDICT_UNKNOWN, "verdict on an evidence record", e)) == 0)
		*ret = *p;
	free(p);
	return r;
}
