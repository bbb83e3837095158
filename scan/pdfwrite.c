#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "agent/lib/io.h"

#include "scan/pdfwrite.h"
#include "scan/unicode.h"

#define BUFFER ((size_t)256 * 1024)
#define TABLE_OFFSET_MAX 9999999999u /* ten digits */

struct entry {
	uint64_t offset;
	uint32_t number, gen;
};

struct pdf {
	int fd;
	enum pdf_section kind;
	bool update;
	struct pdf_before before;
	uint64_t written; /* flushed to fd */
	uint32_t next;    /* next free number */
	struct entry *entries;
	size_t nentries, cap;
	struct err err;
	size_t fill;
	uint8_t buffer[BUFFER];
};

/* The comment marks the file as binary (ISO 19005-2, 6.1.2). */
static const char binary_mark[] = "%\xE2\xE3\xCF\xD3\n";

int
pdf_open(struct pdf **ret, int fd, enum pdf_section kind, const struct pdf_before *before, const char *version,
    struct err *e)
{
	struct pdf *p = malloc(sizeof(*p));

	if (p == NULL)
		return err_set(e, ERR_MEM, "pdf: no memory for the writer");
	memset(p, 0, offsetof(struct pdf, buffer));
	p->fd = fd;
	p->kind = kind;
	p->next = 1;
	if (before != NULL) {
		p->update = true;
		p->before = *before;
		p->next = before->size;
		if (!before->ends_in_eol)
			pdf_str(p, "\n");
	} else {
		pdf_printf(p, "%%PDF-%s\n%s", version, binary_mark);
	}
	*ret = p;
	return 0;
}

void
pdf_free(struct pdf *p)
{
	if (p == NULL)
		return;
	free(p->entries);
	free(p);
}

int
pdf_check(struct pdf *p, struct err *e)
{
	if (p->err.code == ERR_OK)
		return 0;
	*e = p->err;
	return -(int)e->code;
}

void
pdf_fail(struct pdf *p, const struct err *e)
{
	if (p->err.code == ERR_OK)
		p->err = *e;
}

static void
flush(struct pdf *p)
{
	if (p->err.code == ERR_OK && p->fill > 0 && io_write_full(p->fd, p->buffer, p->fill, &p->err) == 0)
		p->written += p->fill;
	p->fill = 0;
}

uint64_t
pdf_at(const struct pdf *p)
{
	return p->before.len + p->written + p->fill;
}

uint32_t
pdf_new(struct pdf *p)
{
	if (p->next > PDF_NUMBER_MAX) {
		if (p->err.code == ERR_OK)
			err_set(&p->err, ERR_DOC_SIZE, "pdf: more than %u objects", PDF_NUMBER_MAX);
		return 0;
	}
	return p->next++;
}

void
pdf_put(struct pdf *p, const void *data, size_t n)
{
	const uint8_t *d = data;

	while (n > 0) {
		size_t room = BUFFER - p->fill, now = n < room ? n : room;

		memcpy(p->buffer + p->fill, d, now);
		p->fill += now;
		d += now;
		n -= now;
		if (p->fill == BUFFER)
			flush(p);
	}
}

void
pdf_str(struct pdf *p, const char *s)
{
	pdf_put(p, s, strlen(s));
}

void
pdf_printf(struct pdf *p, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		if (p->err.code == ERR_OK)
			err_set(&p->err, ERR_IO, "pdf: formatted text longer than its buffer");
		return;
	}
	pdf_put(p, line, (size_t)n);
}

void
pdf_ref(struct pdf *p, uint32_t number)
{
	pdf_printf(p, " %" PRIu32 " 0 R", number);
}

void
pdf_milli(struct pdf *p, int64_t v)
{
	uint64_t a = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char text[40];
	int n = snprintf(text, sizeof(text), " %s%" PRIu64 ".%03" PRIu64, v < 0 ? "-" : "", a / 1000, a % 1000);

	while (text[n - 1] == '0')
		n--;
	if (text[n - 1] == '.')
		n--;
	pdf_put(p, text, (size_t)n);
}

void
pdf_bytes(struct pdf *p, const void *data, size_t n)
{
	const uint8_t *d = data;

	pdf_str(p, "(");
	for (size_t i = 0; i < n; i++) {
		if (d[i] == '\n')
			pdf_str(p, "\\n");
		else if (d[i] < 0x20 || d[i] > 0x7E)
			pdf_printf(p, "\\%03o", (unsigned)d[i]);
		else if (d[i] == '(' || d[i] == ')' || d[i] == '\\')
			pdf_printf(p, "\\%c", d[i]);
		else
			pdf_put(p, d + i, 1);
	}
	pdf_str(p, ")");
}

void
pdf_hex(struct pdf *p, const void *data, size_t n)
{
	const uint8_t *d = data;

	pdf_str(p, "<");
	for (size_t i = 0; i < n; i++)
		pdf_printf(p, "%02X", (unsigned)d[i]);
	pdf_str(p, ">");
}

void
pdf_text(struct pdf *p, const char *utf8)
{
	const char *s = utf8;
	uint8_t u[4];
	uint32_t c;
	bool ascii = true;

	while (unicode_next(&s, &c))
		ascii = ascii && c >= 0x20 && c < 0x7F;
	if (ascii) {
		pdf_bytes(p, utf8, strlen(utf8));
		return;
	}
	pdf_str(p, "<FEFF");
	for (s = utf8; unicode_next(&s, &c);)
		for (size_t i = 0, n = unicode_utf16(c, u); i < n; i++)
			pdf_printf(p, "%02X", (unsigned)u[i]);
	pdf_str(p, ">");
}

static void
remember(struct pdf *p, uint32_t number, uint32_t gen)
{
	if (p->nentries == p->cap) {
		size_t cap = p->cap == 0 ? 256 : p->cap * 2;
		struct entry *more = reallocarray(p->entries, cap, sizeof(*more));

		if (more == NULL) {
			if (p->err.code == ERR_OK)
				err_set(&p->err, ERR_MEM, "pdf: no memory for %zu offsets", cap);
			return;
		}
		p->entries = more;
		p->cap = cap;
	}
	p->entries[p->nentries++] = (struct entry){ pdf_at(p), number, gen };
}

void
pdf_begin(struct pdf *p, uint32_t number, uint32_t gen)
{
	remember(p, number, gen);
	pdf_printf(p, "%" PRIu32 " %" PRIu32 " obj\n", number, gen);
}

void
pdf_end(struct pdf *p)
{
	pdf_str(p, "\nendobj\n");
}

static void
stream_begin(struct pdf *p, uint32_t number, const char *dict, const char *filter, uint64_t len)
{
	pdf_begin(p, number, 0);
	pdf_str(p, "<<");
	pdf_str(p, dict);
	pdf_printf(p, "%s/Length %" PRIu64 ">>\nstream\n", filter, len);
}

void
pdf_stream(struct pdf *p, uint32_t number, const char *dict, const void *data, size_t len, enum pdf_filter filter)
{
	AUTO_FREE uint8_t *packed = NULL;
	uLongf n = 0;

	if (filter == PDF_DEFLATE) {
		n = compressBound(len);
		if ((packed = malloc(n)) == NULL || compress2(packed, &n, data, len, Z_BEST_COMPRESSION) != Z_OK) {
			if (p->err.code == ERR_OK)
				err_set(&p->err, ERR_MEM, "pdf: no memory to deflate %zu bytes", len);
			return;
		}
		data = packed;
		len = n;
	}
	stream_begin(p, number, dict, filter == PDF_DEFLATE ? "/Filter/FlateDecode" : "", len);
	pdf_put(p, data, len);
	pdf_str(p, "\nendstream");
	pdf_end(p);
}

void
pdf_stream_fd(struct pdf *p, uint32_t number, const char *dict, int fd, uint64_t off, uint64_t len)
{
	stream_begin(p, number, dict, "", len);
	flush(p);
	if (p->err.code == ERR_OK && io_copy(fd, off, len, p->fd, NULL, &p->err) == 0)
		p->written += len;
	pdf_str(p, "\nendstream");
	pdf_end(p);
}

static int
by_number(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

/* Entries in ascending order, each number once; a new file also gets its unused ones. */
static void
sort_entries(struct pdf *p)
{
	if (p->nentries > 0) /* qsort() wants no NULL */
		qsort(p->entries, p->nentries, sizeof(*p->entries), by_number);
	for (size_t i = 1; i < p->nentries && p->err.code == ERR_OK; i++)
		if (p->entries[i].number == p->entries[i - 1].number)
			err_set(&p->err, ERR_IO, "pdf: object %" PRIu32 " written twice", p->entries[i].number);
}

/* The table of a new file: all numbers from 0; those not written form the list of free ones. */
static void
put_first_table(struct pdf *p)
{
	AUTO_FREE uint32_t *next_free = calloc(p->next, sizeof(*next_free));
	uint32_t free_after = 0;
	size_t i = p->nentries;

	if (next_free == NULL) {
		err_set(&p->err, ERR_MEM, "pdf: no memory for the table");
		return;
	}
	for (uint32_t n = p->next; n-- > 0;) {
		if (i > 0 && p->entries[i - 1].number == n) {
			i--;
			continue;
		}
		next_free[n] = free_after;
		free_after = n;
	}
	pdf_printf(p, "xref\n0 %" PRIu32 "\n", p->next);
	for (uint32_t n = 0; n < p->next; n++) {
		if (i < p->nentries && p->entries[i].number == n)
			pdf_printf(p, "%010" PRIu64 " %05" PRIu32 " n \n", p->entries[i++].offset, 0u);
		else
			pdf_printf(p, "%010" PRIu32 " %05u f \n", next_free[n], n == 0 ? 65535u : 0u);
	}
}

static size_t
run_length(const struct pdf *p, size_t from)
{
	size_t n = 1;

	while (from + n < p->nentries && p->entries[from + n].number == p->entries[from].number + n)
		n++;
	return n;
}

static void
put_update_table(struct pdf *p)
{
	pdf_str(p, "xref\n");
	for (size_t i = 0, n; i < p->nentries; i += n) {
		n = run_length(p, i);
		pdf_printf(p, "%" PRIu32 " %zu\n", p->entries[i].number, n);
		for (size_t k = i; k < i + n; k++)
			pdf_printf(p, "%010" PRIu64 " %05" PRIu32 " n \n", p->entries[k].offset, p->entries[k].gen);
	}
}

static void
put_trailer_keys(struct pdf *p, const struct pdf_trailer *t)
{
	pdf_printf(p, "/Size %" PRIu32 "/Root %" PRIu32 " %" PRIu32 " R", p->next, t->root, t->root_gen);
	if (t->info != 0)
		pdf_printf(p, "/Info %" PRIu32 " %" PRIu32 " R", t->info, t->info_gen);
	if (p->update)
		pdf_printf(p, "/Prev %" PRIu64, p->before.startxref);
	pdf_str(p, "/ID[");
	pdf_hex(p, t->id[0].bytes, t->id[0].len);
	pdf_hex(p, t->id[1].bytes, t->id[1].len);
	pdf_str(p, "]");
}

static void
put_table(struct pdf *p, const struct pdf_trailer *t)
{
	if (pdf_at(p) > TABLE_OFFSET_MAX) {
		err_set(&p->err, ERR_DOC_SIZE, "pdf: a cross-reference table cannot hold offsets of more than ten digits");
		return;
	}
	if (p->update)
		put_update_table(p);
	else
		put_first_table(p);
	pdf_str(p, "trailer\n<<");
	put_trailer_keys(p, t);
	pdf_str(p, ">>\n");
}

/* One entry of a cross-reference stream, fields 1, w and 2 bytes wide (ISO 32000-1, 7.5.8.3). */
static uint8_t *
put_field(uint8_t *to, uint8_t type, uint64_t offset, uint32_t gen, unsigned w)
{
	*to++ = type;
	for (unsigned i = w; i-- > 0;)
		*to++ = (uint8_t)(offset >> (8 * i));
	*to++ = (uint8_t)(gen >> 8);
	*to++ = (uint8_t)gen;
	return to;
}

static void
put_index(struct pdf *p)
{
	pdf_str(p, "/Index[");
	if (!p->update)
		pdf_str(p, "0 1 ");
	for (size_t i = 0, n; i < p->nentries; i += n) {
		n = run_length(p, i);
		pdf_printf(p, "%s%" PRIu32 " %zu", i == 0 ? "" : " ", p->entries[i].number, n);
	}
	pdf_str(p, "]");
}

/* The section is an object too, and lists itself. */
static void
put_stream(struct pdf *p, const struct pdf_trailer *t)
{
	uint32_t self = pdf_new(p);
	unsigned w = 4;

	while (w < 8 && pdf_at(p) >> (8 * w) != 0)
		w++;
	remember(p, self, 0);
	sort_entries(p);
	if (p->err.code != ERR_OK)
		return;
	AUTO_FREE uint8_t *rows = malloc((p->nentries + 1) * (w + 3));
	uint8_t *end = rows;
	if (rows == NULL) {
		err_set(&p->err, ERR_MEM, "pdf: no memory for the cross-reference stream");
		return;
	}
	if (!p->update)
		end = put_field(end, 0, 0, 65535, w);
	for (size_t i = 0; i < p->nentries; i++)
		end = put_field(end, 1, p->entries[i].offset, p->entries[i].gen, w);
	pdf_printf(p, "%" PRIu32 " 0 obj\n<</Type/XRef/W[1 %u 2]", self, w);
	put_index(p);
	put_trailer_keys(p, t);
	pdf_printf(p, "/Length %zu>>\nstream\n", (size_t)(end - rows));
	pdf_put(p, rows, (size_t)(end - rows));
	pdf_str(p, "\nendstream");
	pdf_end(p);
}

int
pdf_finish(struct pdf *p, const struct pdf_trailer *t, uint64_t *ret_len, struct err *e)
{
	uint64_t at;

	sort_entries(p);
	at = pdf_at(p);
	if (p->err.code == ERR_OK && p->kind == PDF_TABLE)
		put_table(p, t);
	else if (p->err.code == ERR_OK)
		put_stream(p, t);
	pdf_printf(p, "startxref\n%" PRIu64 "\n%%%%EOF\n", at);
	flush(p);
	if (p->err.code == ERR_OK)
		*ret_len = p->written;
	return pdf_check(p, e);
}

int
pdf_patch(struct pdf *p, uint64_t at, const void *data, size_t n, struct err *e)
{
	uint64_t from = at - p->before.len;

	if (at < p->before.len || from > p->written || n > p->written - from)
		return err_set(e, ERR_IO, "pdf: nothing was written at %" PRIu64, at);
	return io_pwrite_full(p->fd, data, n, from, e);
}
