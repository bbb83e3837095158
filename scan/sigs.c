#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "scan/scan.h"
#include "scan/sigs.h"

#define FIELDS_MAX 20000
#define XMP_MAX ((size_t)1 << 20)
#define SPACE_MAX 1024

struct search {
	struct pdfin *p;
	struct pdfin_bits *nodes; /* fields and widgets seen */
	struct pdfin_bits *sigs;  /* signature dictionaries seen */
	uint32_t fields;
	sigs_cb *cb;
	void *ctx;
};

/* --- where signatures can be ---------------------------------------------------------------------- */

static int
found(struct search *s, const char *name, qpdf_oh field, qpdf_oh sig, struct err *e)
{
	struct sig_place at = { name, field, sig };

	if (!qpdf_oh_is_dictionary(s->p->q, sig) ||
	    (qpdf_oh_is_indirect(s->p->q, sig) && !pdfin_bits_first(s->sigs, s->p, sig)))
		return 0;
	return s->cb(s->ctx, s->p, &at, e);
}

/* Full name: the partial ones joined by dots (ISO 32000-1, 12.7.3.2); cut where it is too long. */
static void
join_name(struct pdfin *p, qpdf_oh field, const char *above, char out[MSG_TEXT_MAX])
{
	qpdf_oh t = pdfin_key(p, field, "/T");
	const char *own = qpdf_oh_is_string(p->q, t) ? qpdf_oh_get_utf8_value(p->q, t) : "";
	size_t n;

	n = (size_t)snprintf(out, MSG_TEXT_MAX, "%s%s%s", above, *above != '\0' && *own != '\0' ? "." : "", own);
	if (n >= MSG_TEXT_MAX)
		n = MSG_TEXT_MAX - 1;
	while (n > 0 && !utf8_valid(out, n)) /* cut within a character */
		out[--n] = '\0';
}

static int
walk_field(struct search *s, qpdf_oh field, const char *above, bool is_sig, int depth, struct err *e)
{
	struct pdfin *p = s->p;
	qpdf_oh type = pdfin_key(p, field, "/FT"), kids = pdfin_key(p, field, "/Kids");
	char name[MSG_TEXT_MAX];
	int r, n = pdfin_items(p, kids);

	if (!qpdf_oh_is_dictionary(p->q, field) ||
	    (qpdf_oh_is_indirect(p->q, field) && !pdfin_bits_first(s->nodes, p, field)))
		return 0;
	if (depth > PDF_DEPTH_MAX || ++s->fields > FIELDS_MAX)
		return err_set(e, ERR_DOC_BAD, "the form of the PDF has too many or too deep fields");
	join_name(p, field, above, name);
	if (!qpdf_oh_is_null(p->q, type))
		is_sig = pdfin_is(p, type, "/Sig");
	if (is_sig && (r = found(s, name, field, pdfin_key(p, field, "/V"), e)) < 0)
		return r;
	for (int i = 0; i < n; i++)
		if ((r = walk_field(s, qpdf_oh_get_array_item(p->q, kids, i), name, is_sig, depth + 1, e)) < 0)
			return r;
	return 0;
}

/* A widget that no field tree led to: its type may be its parent's. */
static int
walk_widgets(void *ctx, struct pdfin *p, uint32_t index, qpdf_oh page, struct err *e)
{
	struct search *s = ctx;
	qpdf_oh annots = pdfin_key(p, page, "/Annots");
	int r, n = pdfin_items(p, annots);

	(void)index;
	for (int i = 0; i < n; i++) {
		qpdf_oh a = qpdf_oh_get_array_item(p->q, annots, i);

		if (pdfin_is(p, pdfin_key(p, a, "/Subtype"), "/Widget") &&
		    (r = walk_field(s, a, "", pdfin_is(p, pdfin_inherited(p, a, "/FT"), "/Sig"), 0, e)) < 0)
			return r;
	}
	return 0;
}

static int
walk_perms(struct search *s, struct err *e)
{
	static const char *const keys[] = { "/DocMDP", "/UR3", "/UR" };
	qpdf_oh perms = pdfin_key(s->p, qpdf_get_root(s->p->q), "/Perms");
	int r;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if ((r = found(s, keys[i] + 1, qpdf_oh_new_null(s->p->q), pdfin_key(s->p, perms, keys[i]), e)) < 0)
			return r;
	return 0;
}

int
sigs_walk(struct pdfin *p, uint32_t max_pages, sigs_cb *cb, void *ctx, uint32_t *ret_pages, struct err *e)
{
	struct search s = { .p = p, .nodes = pdfin_bits_new(), .sigs = pdfin_bits_new(), .cb = cb, .ctx = ctx };
	qpdf_oh fields = pdfin_key(p, pdfin_key(p, qpdf_get_root(p->q), "/AcroForm"), "/Fields");
	int r = 0, n = pdfin_items(p, fields);

	if (s.nodes == NULL || s.sigs == NULL)
		r = err_set(e, ERR_MEM, "signatures of the PDF");
	for (int i = 0; r == 0 && i < n; i++)
		r = walk_field(&s, qpdf_oh_get_array_item(p->q, fields, i), "", false, 0, e);
	if (r == 0)
		r = pdfin_pages(p, max_pages, walk_widgets, &s, ret_pages, e);
	if (r == 0)
		r = walk_perms(&s, e);
	pdfin_bits_free(s.nodes);
	pdfin_bits_free(s.sigs);
	return r;
}

/* --- one signature ------------------------------------------------------------------------------------- */

static int
hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Is the gap in the range the hex string of these bytes, and nothing else? */
static bool
gap_is(const struct source *s, uint64_t from, uint64_t to, const uint8_t *der, size_t n)
{
	const uint8_t *p = s->map + from;

	if (to - from != 2 * (uint64_t)n + 2 || p[0] != '<' || s->map[to - 1] != '>')
		return false;
	for (size_t i = 0; i < n; i++)
		if ((hex_digit(p[1 + 2 * i]) << 4 | hex_digit(p[2 + 2 * i])) != der[i])
			return false;
	return true;
}

/* Is 'at' right behind an end-of-file mark and white space?  As much as who appends allows there (revision.c). */
static bool
ends_revision(const struct source *s, uint64_t at)
{
	const uint8_t *d = s->map;

	for (int i = 0; i < SPACE_MAX && at > 0 && isspace(d[at - 1]); i++)
		at--;
	return at >= 5 && memcmp(d + at - 5, "%%EOF", 5) == 0;
}

/* Four whole numbers that lie in the file; otherwise all stay 0, which covers nothing. */
static void
take_range(struct pdfin *p, qpdf_oh sig, struct sig_info *si)
{
	qpdf_oh a = pdfin_key(p, sig, "/ByteRange");
	uint64_t v[4];

	if (pdfin_items(p, a) != 4)
		return;
	for (int i = 0; i < 4; i++) {
		long long n;

		if (!qpdf_oh_get_value_as_longlong(p->q, qpdf_oh_get_array_item(p->q, a, i), &n) || n < 0)
			return;
		v[i] = (uint64_t)n;
	}
	if (v[0] > p->s->size || v[1] > p->s->size - v[0] || v[2] < v[0] + v[1] || v[2] > p->s->size ||
	    v[3] > p->s->size - v[2])
		return;
	memcpy(si->range, v, sizeof(si->range));
}

/*
 * The CMS without its padding: as long as its own DER header says, if only
 * zeros follow.  Anything else is handed on whole, for the verifier to refuse.
 */
static size_t
der_length(const uint8_t *d, size_t n)
{
	size_t len, head = 2;

	if (n < 2 || d[0] != 0x30 || d[1] == 0x80)
		return n;
	len = d[1];
	if (len > 0x80) {
		size_t k = len & 0x7f;

		if (k > 4 || k > n - 2)
			return n;
		len = 0;
		for (size_t i = 0; i < k; i++)
			len = len << 8 | d[2 + i];
		head += k;
	}
	if (len > n - head)
		return n;
	for (size_t i = head + len; i < n; i++)
		if (d[i] != 0)
			return n;
	return head + len;
}

static int
take_cms(struct pdfin *p, qpdf_oh sig, struct sig_info *si, struct err *e)
{
	qpdf_oh contents = pdfin_key(p, sig, "/Contents");
	const char *d;
	size_t n = 0;

	if (!qpdf_oh_is_string(p->q, contents))
		return 0;
	d = qpdf_oh_get_binary_string_value(p->q, contents, &n);
	if (n > SIGS_CMS_MAX)
		return err_set(e, ERR_DOC_BAD, "a signature of the PDF is %zu bytes long", n);
	if ((si->cms = malloc(n + 1)) == NULL)
		return err_set(e, ERR_MEM, "signatures of the PDF");
	memcpy(si->cms, d, n);
	si->cms_len = der_length(si->cms, n);
	si->covers_revision = si->range[0] == 0 && si->range[3] > 0 &&
	    gap_is(p->s, si->range[1], si->range[2], si->cms, n) && ends_revision(p->s, si->range[2] + si->range[3]);
	return 0;
}

static void
take_text(struct pdfin *p, qpdf_oh dict, const char *key, char *dst, size_t size)
{
	qpdf_oh v = pdfin_key(p, dict, key);
	const char *s = qpdf_oh_is_name(p->q, v) ? qpdf_oh_get_name(p->q, v) + 1 :
	    qpdf_oh_is_string(p->q, v)           ? qpdf_oh_get_utf8_value(p->q, v) :
	                                           "";

	if (strlen(s) < size) /* a cut checkpoint would be none */
		snprintf(dst, size, "%s", s);
}

/* n digits at *s, which goes on behind them; a missing number is 'otherwise'. */
static int
digits(const char **s, int n, int otherwise)
{
	int v = 0;

	if (**s < '0' || **s > '9')
		return otherwise;
	for (int i = 0; i < n; i++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + *(*s)++ - '0';
	}
	return v;
}

/* "D:YYYYMMDDHHmmSSOHH'mm'" from the year on, all else may lack (ISO 32000-1, 7.9.4); 0: no date. */
static int64_t
take_date(struct pdfin *p, qpdf_oh date)
{
	const char *s = qpdf_oh_is_string(p->q, date) ? qpdf_oh_get_utf8_value(p->q, date) : "";
	int v[6], sign = 0, hours = 0, minutes = 0;
	char iso[80];
	int64_t us;

	s += strncmp(s, "D:", 2) == 0 ? 2 : 0;
	v[0] = digits(&s, 4, -1);
	for (int i = 1; i < 6; i++)
		v[i] = digits(&s, 2, i < 3 ? 1 : 0);
	if (*s == '+' || *s == '-') {
		sign = *s++ == '+' ? 1 : -1;
		hours = digits(&s, 2, 0);
		s += *s == '\'';
		minutes = digits(&s, 2, 0);
	}
	snprintf(iso, sizeof(iso), "%04d-%02d-%02dT%02d:%02d:%02dZ", v[0], v[1], v[2], v[3], v[4], v[5]);
	if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || clock_parse_iso(iso, &us) < 0)
		return 0;
	us -= sign * (hours * 60 + minutes) * 60000000LL;
	return us > 0 ? us : 0;
}

struct collect {
	struct buf out;
	uint32_t n;
};

static int
on_sig(void *ctx, struct pdfin *p, const struct sig_place *at, struct err *e)
{
	struct collect *c = ctx;
	struct sig_info si = { 0 };
	qpdf_oh sig = at->sig;
	int r;

	if (c->n >= SIGS_MAX)
		return err_set(e, ERR_DOC_BAD, "the PDF has more than %d signatures", SIGS_MAX);
	snprintf(si.field, sizeof(si.field), "%s", at->name);
	take_text(p, sig, "/SubFilter", si.sub_filter, sizeof(si.sub_filter));
	take_text(p, sig, "/SealroomCheckpoint", si.checkpoint, sizeof(si.checkpoint));
	si.is_timestamp = pdfin_is(p, pdfin_key(p, sig, "/Type"), "/DocTimeStamp");
	si.has_cert_key = !qpdf_oh_is_null(p->q, pdfin_key(p, sig, "/Cert"));
	si.has_signing_time_key = !qpdf_oh_is_null(p->q, pdfin_key(p, sig, "/M"));
	si.claimed_us = take_date(p, pdfin_key(p, sig, "/M"));
	take_range(p, sig, &si);
	if ((r = take_cms(p, sig, &si, e)) == 0) {
		sig_info_put(&c->out, &si);
		c->n++;
	}
	sig_info_done(&si);
	return r;
}

/* --- the claim in the XMP packet ------------------------------------------------------------------------- */

/* First character of the value of a property, written as element or attribute; 0: none. */
static char
xmp_value(const uint8_t *d, size_t n, const char *property)
{
	const size_t len = strlen(property);

	for (size_t i = 0; n > len + 2 && i < n - len - 2; i++) {
		const uint8_t *v = d + i + len;

		if (memcmp(d + i, property, len) == 0 && (v[0] == '>' || (v[0] == '=' && (v[1] == '"' || v[1] == '\''))))
			return (char)(v[0] == '>' ? v[1] : v[2]);
	}
	return 0;
}

/* An incoming packet is not parsed as XML: entities can be bombs.  No packet, no claim. */
static void
take_claim(struct pdfin *p, struct sigs_result *res)
{
	qpdf_oh meta = pdfin_key(p, qpdf_get_root(p->q), "/Metadata");
	AUTO_FREE uint8_t *d = NULL;
	struct err ignored = { 0 };
	size_t n;
	char part, conformance;

	if (!qpdf_oh_is_stream(p->q, meta) || pdfin_stream(p, meta, XMP_MAX, &d, &n, &ignored) < 0)
		return;
	part = xmp_value(d, n, "pdfaid:part");
	conformance = xmp_value(d, n, "pdfaid:conformance");
	res->pdfa_part = part >= '1' && part <= '4' ? (uint32_t)(part - '0') : 0;
	res->pdfa_conformance = (char)(conformance == 'A' || conformance == 'B' || conformance == 'U' ? conformance : 0);
}

/* --- the task ------------------------------------------------------------------------------------------------ */

static int
read_pdf(struct pdfin *p, uint32_t max_pages, struct collect *c, struct sigs_result *res, struct err *e)
{
	int r;

	if ((r = sigs_walk(p, max_pages, on_sig, c, &res->pages, e)) < 0)
		return r;
	res->nsigs = c->n;
	take_claim(p, res);
	if (qpdf_has_error(p->q))
		return pdfin_clean(p, e);
	res->warnings = pdfin_warnings(p);
	if (c->out.starved)
		return err_set(e, ERR_MEM, "signatures");
	return buf_ok(&c->out) ? 0 : err_set(e, ERR_DOC_BAD, "the signatures of the PDF are too large together");
}

int
sigs_read(int fd, uint32_t max_pages, int out, struct sigs_result *ret, struct err *e)
{
	struct sigs_result res = { 0 };
	struct collect c = { 0 };
	struct pdfin p;
	AUTO_SOURCE s;
	int r;

	s = (struct source){ 0 };
	buf_init(&c.out, (size_t)SIGS_MAX * (SIGS_CMS_MAX + 4096));
	if ((r = source_open(&s, fd, e)) < 0)
		return r;
	if ((r = pdfin_open(&p, &s, e)) == 0)
		r = read_pdf(&p, max_pages, &c, &res, e);
	pdfin_done(&p);
	if (r == 0)
		r = io_write_full(out, c.out.data, c.out.len, e);
	buf_done(&c.out);
	if (r < 0)
		return r;
	*ret = res;
	return 0;
}

int
sigs_run(struct task *t, struct err *e)
{
	const struct scan_state *state = t->role_state;
	struct sigs_result res;
	AUTO_BUF b = { 0 };
	int r;

	if (!buf_finished(&t->params))
		return err_set(e, ERR_PEER, "sigs takes no parameters");
	if ((r = sigs_read(t->in, state->conf->scan.max_pages, t->out, &res, e)) < 0)
		return r;
	buf_init(&b, 64);
	sigs_result_put(&b, &res);
	return task_result(t, &b, e);
}
