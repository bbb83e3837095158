#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "agent/lib/buf.h"

#include "scan/harmless.h"
#include "scan/pdfin.h"

#define OBJECTS_MAX 8388607      /* ISO 32000-1, Annex C */
#define EOF_WITHIN 1024          /* ISO 32000-1, Annex H, 3.4.4 */
#define DECODE_BY_QPDF_MAX 65536 /* raw bytes; more is not decoded without a bound */

/* --- opening ------------------------------------------------------------------------------- */

static bool
is_white(uint8_t c)
{
	return c == 0 || c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == ' ';
}

static const uint8_t *
find_last(const uint8_t *from, const uint8_t *end, const char *what)
{
	size_t n = strlen(what);

	for (const uint8_t *p = end - n; p >= from; p--)
		if (memcmp(p, what, n) == 0)
			return p;
	return NULL;
}

/* "startxref", a number inside the file, "%%EOF", and nothing behind. */
static int
check_end(const struct source *s, struct err *e)
{
	const uint8_t *d = s->map, *end = d + s->size, *x;
	const uint8_t *tail;
	uint64_t at = 0;

	while (end > d && is_white(end[-1]))
		end--;
	if (end - d < 16 || memcmp(end - 5, "%%EOF", 5) != 0)
		return err_set(e, ERR_DOC_INCOMPLETE, "the PDF does not end with its end-of-file mark");
	tail = end - d > EOF_WITHIN ? end - EOF_WITHIN : d;
	if ((x = find_last(tail, end - 5, "startxref")) == NULL)
		return err_set(e, ERR_DOC_BAD, "the PDF does not say where its table of objects begins");
	x += 9;
	while (x < end && is_white(*x))
		x++;
	for (; x < end && *x >= '0' && *x <= '9' && at < s->size; x++)
		at = at * 10 + (uint64_t)(*x - '0');
	if (at == 0 || at >= s->size)
		return err_set(e, ERR_DOC_BAD, "the table of objects of the PDF is said to begin outside the file");
	return 0;
}

/* libqpdf puts the name of its input and an offset before each message. */
static void
keep_text(struct pdfin *p, qpdf_error err)
{
	const char *s = err == NULL ? NULL : qpdf_get_error_message_detail(p->q, err);

	if (s == NULL || p->text[0] != '\0')
		return;
	snprintf(p->text, sizeof(p->text), "%s", s);
	for (char *c = p->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

uint32_t
pdfin_warnings(struct pdfin *p)
{
	while (qpdf_more_warnings(p->q)) {
		qpdf_error w = qpdf_next_warning(p->q);

		if (w != NULL && harmless(qpdf_get_error_message_detail(p->q, w)))
			continue;
		keep_text(p, w);
		p->warnings++;
	}
	return p->warnings;
}

int
pdfin_clean(struct pdfin *p, struct err *e)
{
	if (qpdf_has_error(p->q)) {
		keep_text(p, qpdf_get_error(p->q));
		return err_set(e, ERR_DOC_BAD, "the PDF is damaged: %s", p->text);
	}
	if (pdfin_warnings(p) > 0)
		return err_set(e, ERR_DOC_BAD, "the PDF is damaged: %s", p->text);
	return 0;
}

int
pdfin_open(struct pdfin *p, struct source *s, struct err *e)
{
	qpdf_error err;
	int r;

	*p = (struct pdfin){ .s = s };
	if ((r = source_map(s, e)) < 0 || (r = check_end(s, e)) < 0)
		return r;
	if ((p->q = qpdf_init()) == NULL)
		return err_set(e, ERR_MEM, "libqpdf");
	qpdf_silence_errors(p->q);
	qpdf_set_suppress_warnings(p->q, QPDF_TRUE);
	qpdf_set_attempt_recovery(p->q, QPDF_FALSE);
	qpdf_read_memory(p->q, "document", (const char *)s->map, s->size, NULL);
	if (qpdf_has_error(p->q)) {
		err = qpdf_get_error(p->q);
		if ((int)qpdf_get_error_code(p->q, err) == qpdf_e_password)
			return err_set(e, ERR_DOC_ENCRYPTED, "the PDF is encrypted and asks for a password");
		keep_text(p, err);
		return err_set(e, ERR_DOC_BAD, "the PDF is damaged: %s", p->text);
	}
	if (qpdf_is_encrypted(p->q))
		return err_set(e, ERR_DOC_ENCRYPTED, "the PDF is encrypted");
	return 0;
}

void
pdfin_done(struct pdfin *p)
{
	if (p->q == NULL)
		return;
	if (qpdf_has_error(p->q))
		(void)qpdf_get_error(p->q); /* unfetched, it is printed at cleanup */
	qpdf_cleanup(&p->q);
}

qpdf_oh
pdfin_mark(struct pdfin *p)
{
	return qpdf_oh_new_null(p->q);
}

/* libqpdf numbers handles as they are asked for; one that it does not have is no error. */
void
pdfin_release_since(struct pdfin *p, qpdf_oh mark)
{
	for (qpdf_oh last = qpdf_oh_new_null(p->q), oh = mark; oh <= last; oh++)
		qpdf_oh_release(p->q, oh);
}

/* --- values ---------------------------------------------------------------------------------- */

qpdf_oh
pdfin_key(struct pdfin *p, qpdf_oh oh, const char *key)
{
	if (qpdf_oh_is_stream(p->q, oh))
		oh = qpdf_oh_get_dict(p->q, oh);
	return qpdf_oh_is_dictionary(p->q, oh) ? qpdf_oh_get_key(p->q, oh, key) : qpdf_oh_new_null(p->q);
}

int64_t
pdfin_int(struct pdfin *p, qpdf_oh dict, const char *key, int64_t otherwise)
{
	long long v;

	return qpdf_oh_get_value_as_longlong(p->q, pdfin_key(p, dict, key), &v) ? (int64_t)v : otherwise;
}

bool
pdfin_flag(struct pdfin *p, qpdf_oh dict, const char *key, bool otherwise)
{
	QPDF_BOOL v;

	return qpdf_oh_get_value_as_bool(p->q, pdfin_key(p, dict, key), &v) ? v != QPDF_FALSE : otherwise;
}

bool
pdfin_is(struct pdfin *p, qpdf_oh oh, const char *name)
{
	return qpdf_oh_is_name_and_equals(p->q, oh, name) != QPDF_FALSE;
}

int
pdfin_items(struct pdfin *p, qpdf_oh array)
{
	return qpdf_oh_is_array(p->q, array) ? qpdf_oh_get_array_n_items(p->q, array) : 0;
}

bool
pdfin_numbers(struct pdfin *p, qpdf_oh array, double *ret, int n)
{
	if (pdfin_items(p, array) != n)
		return false;
	for (int i = 0; i < n; i++)
		if (!qpdf_oh_get_value_as_number(p->q, qpdf_oh_get_array_item(p->q, array, i), &ret[i]) ||
		    !isfinite(ret[i]))
			return false;
	return true;
}

qpdf_oh
pdfin_inherited(struct pdfin *p, qpdf_oh page, const char *key)
{
	for (int depth = 0; depth < PDF_DEPTH_MAX && qpdf_oh_is_dictionary(p->q, page); depth++) {
		qpdf_oh v = pdfin_key(p, page, key);

		if (!qpdf_oh_is_null(p->q, v))
			return v;
		page = pdfin_key(p, page, "/Parent");
	}
	return qpdf_oh_new_null(p->q);
}

/* --- objects seen ------------------------------------------------------------------------------ */

struct pdfin_bits {
	uint8_t set[OBJECTS_MAX / 8 + 1];
};

/* Fresh pages: calloc() would clear recycled ones, a megabyte for a handful of bits. */
struct pdfin_bits *
pdfin_bits_new(void)
{
	void *b = mmap(NULL, sizeof(struct pdfin_bits), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return b == MAP_FAILED ? NULL : b;
}

void
pdfin_bits_free(struct pdfin_bits *b)
{
	if (b != NULL)
		munmap(b, sizeof(*b));
}

bool
pdfin_bits_first(struct pdfin_bits *b, struct pdfin *p, qpdf_oh oh)
{
	int id = qpdf_oh_get_object_id(p->q, oh);

	if (id <= 0 || id > OBJECTS_MAX || b->set[id / 8] & 1 << id % 8)
		return false;
	b->set[id / 8] |= (uint8_t)(1 << id % 8);
	return true;
}

/* --- pages -------------------------------------------------------------------------------------- */

struct walk {
	struct pdfin *p;
	struct pdfin_bits *seen;
	uint32_t n, max;
	pdfin_page_cb *cb;
	void *ctx;
};

static int
bad_tree(struct pdfin *p, struct err *e)
{
	int r = pdfin_clean(p, e);

	return r < 0 ? r : err_set(e, ERR_DOC_BAD, "the page tree of the PDF is damaged");
}

static int
walk_page(struct walk *w, qpdf_oh page, struct err *e)
{
	int r;

	if (w->n >= w->max)
		return err_set(e, ERR_DOC_PAGES, "the file has more than %u pages", w->max);
	if (w->cb != NULL && (r = w->cb(w->ctx, w->p, w->n, page, e)) < 0) {
		if (e->page == 0)
			e->page = w->n + 1;
		return r;
	}
	w->n++;
	return 0;
}

static int
walk_node(struct walk *w, qpdf_oh node, int depth, struct err *e)
{
	struct pdfin *p = w->p;
	qpdf_oh kids;
	uint32_t before = w->n;
	int r, n;

	if (depth > PDF_DEPTH_MAX || !qpdf_oh_is_indirect(p->q, node) || !qpdf_oh_is_dictionary(p->q, node) ||
	    !pdfin_bits_first(w->seen, p, node))
		return bad_tree(p, e);
	kids = pdfin_key(p, node, "/Kids");
	if (!qpdf_oh_is_array(p->q, kids))
		return walk_page(w, node, e);
	n = pdfin_items(p, kids);
	for (int i = 0; i < n; i++) {
		qpdf_oh kid = qpdf_oh_get_array_item(p->q, kids, i);

		if ((r = walk_node(w, kid, depth + 1, e)) < 0)
			return r;
		qpdf_oh_release(p->q, kid);
	}
	return pdfin_int(p, node, "/Count", -1) == (int64_t)(w->n - before) ? 0 : bad_tree(p, e);
}

int
pdfin_pages(struct pdfin *p, uint32_t max, pdfin_page_cb *cb, void *ctx, uint32_t *ret_pages, struct err *e)
{
	struct walk w = { .p = p, .max = max, .cb = cb, .ctx = ctx, .seen = pdfin_bits_new() };
	int r;

	if (w.seen == NULL)
		return err_set(e, ERR_MEM, "pages of the PDF");
	r = walk_node(&w, pdfin_key(p, qpdf_get_root(p->q), "/Pages"), 0, e);
	pdfin_bits_free(w.seen);
	if (r == 0 && w.n == 0)
		r = err_set(e, ERR_DOC_BAD, "the PDF has no pages");
	if (r == 0)
		*ret_pages = w.n;
	return r;
}

/* Every /Count was proven true by pdfin_pages() when the file was inspected. */
int
pdfin_page(struct pdfin *p, uint32_t index, qpdf_oh *ret, struct err *e)
{
	qpdf_oh node = pdfin_key(p, qpdf_get_root(p->q), "/Pages");
	int64_t skip = index;

	for (int depth = 0; depth < PDF_DEPTH_MAX; depth++) {
		qpdf_oh kids = pdfin_key(p, node, "/Kids"), kid = 0;
		int n = pdfin_items(p, kids);
		bool flat = pdfin_int(p, node, "/Count", -1) == n; /* each kid is one page, or holds one */
		bool found = false;

		if (!qpdf_oh_is_array(p->q, kids)) {
			*ret = node;
			return skip == 0 && qpdf_oh_is_dictionary(p->q, node) ? 0 : bad_tree(p, e);
		}
		for (int i = flat && skip < n ? (int)skip : 0; i < n && !found; i++) {
			int64_t count = 1;

			kid = qpdf_oh_get_array_item(p->q, kids, i);
			if (!flat)
				count = pdfin_int(p, kid, "/Count", 1);
			found = flat || skip < count;
			if (flat)
				skip = 0;
			else if (!found)
				skip -= count < 0 ? 0 : count;
		}
		if (!found)
			break;
		node = kid;
	}
	return bad_tree(p, e);
}

/* --- streams -------------------------------------------------------------------------------------- */

int
pdfin_inflate(const uint8_t *in, size_t n, size_t max, uint8_t **ret, size_t *len, struct err *e)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in, .avail_in = (uInt)n };
	uint8_t chunk[16384];
	AUTO_BUF b;
	int r;

	buf_init(&b, max);
	if (n > UINT32_MAX || inflateInit(&z) != Z_OK)
		return err_set(e, ERR_MEM, "zlib");
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		r = inflate(&z, Z_NO_FLUSH);
		buf_put(&b, chunk, sizeof(chunk) - z.avail_out);
	} while (r == Z_OK && buf_ok(&b));
	inflateEnd(&z);
	if (b.starved || r == Z_MEM_ERROR)
		return err_set(e, ERR_MEM, "a stream of the PDF");
	if (!buf_ok(&b))
		return err_set(e, ERR_DOC_BAD, "a stream of the PDF grows beyond %zu bytes", max);
	if (r != Z_STREAM_END)
		return err_set(e, ERR_DOC_BAD, "a compressed stream of the PDF is damaged");
	*ret = b.data;
	*len = b.len;
	b.data = NULL;
	b.len = b.cap = 0;
	if (*ret == NULL && (*ret = calloc(1, 1)) == NULL)
		return err_set(e, ERR_MEM, "stream of the PDF");
	return 0;
}

static int
stream_data(struct pdfin *p, qpdf_oh stream, enum qpdf_stream_decode_level_e level, uint8_t **ret, size_t *len,
    struct err *e)
{
	QPDF_BOOL filtered = QPDF_FALSE;
	unsigned char *data = NULL;
	int r;

	qpdf_oh_get_stream_data(p->q, stream, level, &filtered, &data, len);
	if ((r = pdfin_clean(p, e)) == 0 && level != qpdf_dl_none && !filtered)
		r = err_set(e, ERR_DOC_FOREIGN, "a stream of the PDF is coded in a way that is not read");
	if (r == 0 && data == NULL && (data = calloc(1, 1)) == NULL)
		r = err_set(e, ERR_MEM, "stream of the PDF");
	if (r < 0)
		free(data);
	else
		*ret = data;
	return r;
}

int
pdfin_raw(struct pdfin *p, qpdf_oh stream, uint8_t **ret, size_t *len, struct err *e)
{
	return stream_data(p, stream, qpdf_dl_none, ret, len, e);
}

static bool
has_no_parms(struct pdfin *p, qpdf_oh dict)
{
	return qpdf_oh_is_null(p->q, pdfin_key(p, dict, "/DecodeParms"));
}

/* Filters behind each other that each make a thousand bytes of one: nobody means that. */
static bool
grows_twice(struct pdfin *p, qpdf_oh filter)
{
	int n = pdfin_items(p, filter), growing = 0;

	for (int i = 0; i < n; i++) {
		qpdf_oh one = qpdf_oh_get_array_item(p->q, filter, i);

		growing += !pdfin_is(p, one, "/ASCIIHexDecode") && !pdfin_is(p, one, "/ASCII85Decode");
	}
	return growing > 1;
}

int
pdfin_stream(struct pdfin *p, qpdf_oh stream, size_t max, uint8_t **ret, size_t *len, struct err *e)
{
	qpdf_oh filter = pdfin_key(p, stream, "/Filter");
	uint8_t *raw;
	size_t n;
	int r;

	if (!qpdf_oh_is_stream(p->q, stream))
		return err_set(e, ERR_DOC_BAD, "a stream of the PDF is missing");
	if (pdfin_items(p, filter) == 1)
		filter = qpdf_oh_get_array_item(p->q, filter, 0);
	if ((r = pdfin_raw(p, stream, &raw, &n, e)) < 0)
		return r;
	if (qpdf_oh_is_null(p->q, filter) && n <= max) {
		*ret = raw;
		*len = n;
		return 0;
	}
	if (pdfin_is(p, filter, "/FlateDecode") && has_no_parms(p, stream))
		r = pdfin_inflate(raw, n, max, ret, len, e);
	else if (n > DECODE_BY_QPDF_MAX || grows_twice(p, filter))
		r = err_set(e, ERR_DOC_FOREIGN, "a stream of the PDF is too large for its kind of coding");
	else
		r = stream_data(p, stream, qpdf_dl_generalized, ret, len, e);
	free(raw);
	if (r == 0 && *len > max) {
		free(*ret);
		r = err_set(e, ERR_DOC_BAD, "a stream of the PDF grows beyond %zu bytes", max);
	}
	return r;
}
