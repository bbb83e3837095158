#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"

#include "scan/harmless.h"
#include "scan/revision.h"

#define TAIL ((size_t)1024) /* startxref is looked for in the last bytes (ISO 32000-1, Annex H.3) */
#define TREE_DEPTH 64
#define COORD_MAX 1e7

/* --- opening --------------------------------------------------------------------------- */

/* Messages of libqpdf quote the document: only what is harmless is passed on. */
static int
doc_bad(struct err *e, enum err_code code, const char *message)
{
	char clean[120];
	size_t n = 0;

	for (; n < sizeof(clean) - 1 && message[n] != '\0'; n++)
		clean[n] = isprint((unsigned char)message[n]) ? message[n] : '?';
	clean[n] = '\0';
	return err_set(e, code, "the PDF is not sound: %s", clean);
}

int
revision_check(struct revision *r, struct err *e)
{
	qpdf_error qe = NULL;

	if (qpdf_has_error(r->q))
		qe = qpdf_get_error(r->q);
	while (qe == NULL && qpdf_more_warnings(r->q)) {
		qpdf_error w = qpdf_next_warning(r->q);

		if (!harmless(qpdf_get_error_message_detail(r->q, w)))
			qe = w;
	}
	if (qe == NULL)
		return 0;
	return doc_bad(e, qpdf_get_error_code(r->q, qe) == qpdf_e_password ? ERR_DOC_ENCRYPTED : ERR_DOC_BAD,
	    qpdf_get_error_message_detail(r->q, qe));
}

static int
map_file(struct revision *r, int fd, struct err *e)
{
	uint64_t len;

	if (io_size(fd, &len, e) < 0)
		return -(int)e->code;
	if (len < 32 || len > SIZE_MAX / 2)
		return err_set(e, ERR_DOC_BAD, "the PDF has %" PRIu64 " bytes", len);
	r->map = mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (r->map == MAP_FAILED) {
		r->map = NULL;
		return err_sys(e, ERR_MEM, "no room to map the PDF");
	}
	r->len = (size_t)len;
	return 0;
}

/* Last occurrence of word in the tail of the file; NULL: none. */
static const char *
tail_find(const struct revision *r, const char *word)
{
	const char *end = (const char *)r->map + r->len, *found = NULL;
	const char *from = r->len > TAIL ? end - TAIL : r->map;
	size_t n = strlen(word);

	for (const char *s = from; (size_t)(end - s) >= n; s++)
		if (memcmp(s, word, n) == 0)
			found = s;
	return found;
}

/* Decimal digits of the file from *s on, at most ten. */
static bool
take_number(const char **s, const char *end, uint64_t *ret)
{
	uint64_t v = 0;
	int digits = 0;

	while (*s < end && isspace((unsigned char)**s))
		(*s)++;
	for (; *s < end && isdigit((unsigned char)**s) && digits < 15; digits++)
		v = v * 10 + (uint64_t)(*(*s)++ - '0');
	*ret = v;
	return digits > 0;
}

/* The end of the file: startxref, the section it points at, %%EOF, nothing after. */
static int
read_tail(struct revision *r, struct err *e)
{
	const char *start = r->map, *end = start + r->len;
	const char *s = tail_find(r, "startxref"), *eof = tail_find(r, "%%EOF");
	uint64_t at, number, gen;

	if (memcmp(start, "%PDF-1.", 7) != 0 && memcmp(start, "%PDF-2.", 7) != 0)
		return err_set(e, ERR_DOC_BAD, "the PDF's header is not at its start");
	if (s == NULL || eof == NULL || eof < s)
		return err_set(e, ERR_DOC_BAD, "the PDF has no end");
	s += strlen("startxref");
	if (!take_number(&s, eof, &at) || at >= r->len - 4)
		return err_set(e, ERR_DOC_BAD, "the PDF's startxref points nowhere");
	for (const char *p = eof + 5; p < end; p++)
		if (!isspace((unsigned char)*p))
			return err_set(e, ERR_DOC_BAD, "the PDF has bytes after its end");
	r->before.len = r->len;
	r->before.startxref = at;
	r->before.ends_in_eol = end[-1] == '\n' || end[-1] == '\r';
	s = start + at;
	if (memcmp(s, "xref", 4) == 0)
		r->section = PDF_TABLE;
	else if (take_number(&s, end, &number) && take_number(&s, end, &gen) && end - s > 4 && memcmp(s, " obj", 4) == 0)
		r->section = PDF_STREAM;
	else
		return err_set(e, ERR_DOC_BAD, "the PDF's startxref points at no cross-reference section");
	return 0;
}

bool
revision_number(struct revision *r, qpdf_oh oh, uint32_t *ret_number, uint32_t *ret_gen)
{
	int number = qpdf_oh_get_object_id(r->q, oh), gen = qpdf_oh_get_generation(r->q, oh);

	if (!qpdf_oh_is_indirect(r->q, oh) || number <= 0 || gen < 0)
		return false;
	*ret_number = (uint32_t)number;
	*ret_gen = (uint32_t)gen;
	return true;
}

/* /ID may be absent in a foreign file; then both halves are ours to make. */
static void
read_id(struct revision *r, qpdf_oh trailer)
{
	qpdf_oh id = qpdf_oh_get_key(r->q, trailer, "/ID");

	for (int i = 0; i < 2 && qpdf_oh_is_array(r->q, id) && i < qpdf_oh_get_array_n_items(r->q, id); i++) {
		size_t n = 0;
		const char *s = NULL;

		if (!qpdf_oh_get_value_as_string(r->q, qpdf_oh_get_array_item(r->q, id, i), &s, &n))
			return;
		if (n > PDF_ID_MAX)
			n = PDF_ID_MAX;
		memcpy(r->trailer.id[i].bytes, s, n);
		r->trailer.id[i].len = n;
	}
}

/*
 * /Size may lie in either direction: new numbers also start above everything
 * libqpdf has seen, which is what it would give a new object itself.
 */
static int
read_trailer(struct revision *r, struct err *e)
{
	qpdf_oh trailer = qpdf_get_trailer(r->q);
	int seen = qpdf_oh_get_object_id(r->q, qpdf_make_indirect_object(r->q, qpdf_oh_new_null(r->q)));
	int size = 0, next;

	if (!qpdf_oh_get_value_as_int(r->q, qpdf_oh_get_key(r->q, trailer, "/Size"), &size))
		return err_set(e, ERR_DOC_BAD, "the PDF's trailer has no Size");
	next = size > seen ? size : seen;
	r->root = qpdf_get_root(r->q);
	if (revision_check(r, e) < 0)
		return -(int)e->code;
	if (!qpdf_oh_is_dictionary(r->q, r->root) ||
	    !revision_number(r, r->root, &r->trailer.root, &r->trailer.root_gen))
		return err_set(e, ERR_DOC_BAD, "the PDF has no catalog");
	revision_number(r, qpdf_oh_get_key(r->q, trailer, "/Info"), &r->trailer.info, &r->trailer.info_gen);
	read_id(r, trailer);
	if (next <= 0 || (uint32_t)next > PDF_NUMBER_MAX)
		return err_set(e, ERR_DOC_BAD, "the PDF counts %d objects", next);
	r->before.size = (uint32_t)next;
	return revision_check(r, e);
}

int
revision_open(struct revision *r, int fd, struct err *e)
{
	QPDF_ERROR_CODE rc;

	memset(r, 0, sizeof(*r));
	if (map_file(r, fd, e) < 0 || read_tail(r, e) < 0)
		return -(int)e->code;
	if ((r->q = qpdf_init()) == NULL)
		return err_set(e, ERR_MEM, "no memory to read the PDF");
	qpdf_silence_errors(r->q);
	qpdf_set_suppress_warnings(r->q, QPDF_TRUE);
	qpdf_set_attempt_recovery(r->q, QPDF_FALSE);
	rc = qpdf_read_memory(r->q, "document", r->map, r->len, NULL);
	if (revision_check(r, e) < 0)
		return -(int)e->code;
	if ((rc & QPDF_ERRORS) != 0)
		return err_set(e, ERR_DOC_BAD, "the PDF cannot be read");
	if (qpdf_is_encrypted(r->q))
		return err_set(e, ERR_DOC_ENCRYPTED, "the PDF is encrypted");
	return read_trailer(r, e);
}

void
revision_done(struct revision *r)
{
	if (r->q != NULL) {
		if (qpdf_has_error(r->q)) /* one that is left would be printed */
			qpdf_get_error(r->q);
		qpdf_cleanup(&r->q);
	}
	if (r->map != NULL)
		munmap(r->map, r->len);
	memset(r, 0, sizeof(*r));
}

/* --- pages ----------------------------------------------------------------------------- */

/* Pages below a node of the tree: 1 for a page, /Count for others. */
static uint64_t
pages_below(struct revision *r, qpdf_oh node)
{
	unsigned long long count = 0;

	if (!qpdf_oh_has_key(r->q, node, "/Kids"))
		return 1;
	if (!qpdf_oh_get_value_as_ulonglong(r->q, qpdf_oh_get_key(r->q, node, "/Count"), &count))
		return 0;
	return count;
}

/*
 * Down the tree by /Count: reading the whole tree would cost time with each page,
 * and libqpdf's own page functions change objects in memory while they do.
 */
static int
find_page(struct revision *r, uint32_t index, qpdf_oh *ret, struct err *e)
{
	qpdf_oh node = qpdf_oh_get_key(r->q, r->root, "/Pages");
	uint64_t left = index;

	for (int depth = 0; depth < TREE_DEPTH; depth++) {
		qpdf_oh kids;
		int n, i = 0;

		if (!qpdf_oh_is_dictionary(r->q, node))
			return err_set(e, ERR_DOC_BAD, "the PDF's page tree is broken");
		if (!qpdf_oh_has_key(r->q, node, "/Kids")) {
			*ret = node;
			return 0;
		}
		kids = qpdf_oh_get_key(r->q, node, "/Kids");
		if (!qpdf_oh_is_array(r->q, kids))
			return err_set(e, ERR_DOC_BAD, "the PDF's page tree is broken");
		n = qpdf_oh_get_array_n_items(r->q, kids);
		if (pages_below(r, node) == (uint64_t)n && left < (uint64_t)n) { /* each kid is one page, or holds one */
			i = (int)left;
			left = 0;
		}
		for (; i < n; i++) {
			node = qpdf_oh_get_array_item(r->q, kids, i);
			uint64_t below = qpdf_oh_is_dictionary(r->q, node) ? pages_below(r, node) : 0;
			if (left < below)
				break;
			left -= below;
			qpdf_oh_release(r->q, node);
		}
		if (i == n)
			return err_set(e, ERR_ANCHOR_PLACE, "the document has no page %" PRIu32, index + 1);
	}
	return err_set(e, ERR_DOC_BAD, "the PDF's page tree is too deep");
}

/* A page's key, or the one it inherits. */
qpdf_oh
revision_inherited(struct revision *r, qpdf_oh page, const char *key)
{
	qpdf_oh node = page;

	for (int depth = 0; depth < TREE_DEPTH && qpdf_oh_is_dictionary(r->q, node); depth++) {
		if (qpdf_oh_has_key(r->q, node, key))
			return qpdf_oh_get_key(r->q, node, key);
		node = qpdf_oh_get_key(r->q, node, "/Parent");
	}
	return qpdf_oh_new_null(r->q);
}

static int64_t
milli(double d)
{
	return (int64_t)(d * 1000 + (d < 0 ? -0.5 : 0.5));
}

bool
revision_rectangle(struct revision *r, qpdf_oh array, int64_t v[4])
{
	if (!qpdf_oh_is_array(r->q, array) || qpdf_oh_get_array_n_items(r->q, array) != 4)
		return false;
	for (int i = 0; i < 4; i++) {
		double d;

		if (!qpdf_oh_get_value_as_number(r->q, qpdf_oh_get_array_item(r->q, array, i), &d) || !(d > -COORD_MAX && d < COORD_MAX))
			return false;
		v[i] = milli(d);
	}
	for (int i = 0; i < 2; i++)
		if (v[i] > v[i + 2]) {
			int64_t swap = v[i];

			v[i] = v[i + 2];
			v[i + 2] = swap;
		}
	return v[0] < v[2] && v[1] < v[3];
}

/* What of the page is seen: CropBox within MediaBox (ISO 32000-1, 14.11.2). */
static int
read_view(struct revision *r, qpdf_oh page, struct view *v, struct err *e)
{
	int64_t media[4], crop[4];
	qpdf_oh turned = revision_inherited(r, page, "/Rotate");
	long long rotate = 0;
	double unit = 1;

	if (!revision_rectangle(r, revision_inherited(r, page, "/MediaBox"), media))
		return err_set(e, ERR_DOC_BAD, "the page has no MediaBox");
	*v = (struct view){ media[0], media[1], media[2], media[3], 0, 1000 };
	if (revision_rectangle(r, revision_inherited(r, page, "/CropBox"), crop)) {
		v->x0 = crop[0] > media[0] ? crop[0] : media[0];
		v->y0 = crop[1] > media[1] ? crop[1] : media[1];
		v->x1 = crop[2] < media[2] ? crop[2] : media[2];
		v->y1 = crop[3] < media[3] ? crop[3] : media[3];
		if (v->x0 >= v->x1 || v->y0 >= v->y1)
			*v = (struct view){ media[0], media[1], media[2], media[3], 0, 1000 };
	}
	if ((!qpdf_oh_is_null(r->q, turned) && !qpdf_oh_get_value_as_longlong(r->q, turned, &rotate)) || rotate % 90 != 0)
		return err_set(e, ERR_DOC_BAD, "the page's Rotate is no quarter turn");
	v->rotate = (uint32_t)((rotate % 360 + 360) % 360);
	if (qpdf_oh_get_value_as_number(r->q, qpdf_oh_get_key(r->q, page, "/UserUnit"), &unit) &&
	    !(unit >= 0.01 && unit <= 1000))
		return err_set(e, ERR_DOC_BAD, "the page has an impossible UserUnit");
	v->unit = (uint32_t)milli(unit);
	return 0;
}

int
revision_page(struct revision *r, uint32_t index, struct revision_page *ret, struct err *e)
{
	struct revision_page p = { .number = 0 };

	if (find_page(r, index, &p.dict, e) < 0 || read_view(r, p.dict, &p.view, e) < 0)
		return -(int)e->code;
	if (!revision_number(r, p.dict, &p.number, &p.gen) || p.number >= r->before.size)
		return err_set(e, ERR_DOC_BAD, "the page is no object of its own");
	if (revision_check(r, e) < 0)
		return -(int)e->code;
	*ret = p;
	return 0;
}

/* --- for writers ------------------------------------------------------------------------- */

void
revision_put_entries(struct revision *r, struct pdf *p, qpdf_oh dict, const char *skip, const char *skip2)
{
	qpdf_oh_begin_dict_key_iter(r->q, dict);
	while (qpdf_oh_dict_more_keys(r->q)) {
		char key[256];
		const char *next = qpdf_oh_dict_next_key(r->q);

		if (strcmp(next, skip) == 0 || strcmp(next, skip2) == 0)
			continue;
		if (strlen(next) >= sizeof(key)) {
			pdf_fail(p, &(struct err){ .code = ERR_DOC_BAD, .text = "the PDF has a name too long" });
			return;
		}
		strcpy(key, next);
		qpdf_oh value = qpdf_oh_get_key(r->q, dict, key);
		/* a name of a document may need escapes: libqpdf writes them */
		pdf_str(p, qpdf_oh_unparse(r->q, qpdf_oh_new_name(r->q, key)));
		pdf_str(p, " ");
		pdf_str(p, qpdf_oh_unparse(r->q, value));
		qpdf_oh_release(r->q, value);
	}
}

void
revision_next_id(const struct revision *r, const char *salt, struct pdf_trailer *t)
{
	const struct pdf_trailer *old = &r->trailer;
	struct hash *h = hash_open();
	uint8_t digest[HASH_LEN];

	for (int i = 0; i < 2; i++)
		hash_add(h, old->id[i].bytes, old->id[i].len);
	hash_add(h, salt, strlen(salt));
	hash_final(h, digest);
	for (int i = old->id[0].len == 0 ? 0 : 1; i < 2; i++) {
		memcpy(t->id[i].bytes, digest, 16);
		t->id[i].len = 16;
	}
}
