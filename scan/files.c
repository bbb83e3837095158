#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "scan/files.h"
#include "scan/objects.h"

#define FILE_MAX ((size_t)256 << 20) /* as it is taken out */

struct list {
	json_t *files;
	struct pdfin_bits *seen; /* the same file may have several names */
};

/* The stream of the file; null if there is none. */
static qpdf_oh
embedded(struct pdfin *p, qpdf_oh spec)
{
	qpdf_oh ef = pdfin_key(p, spec, "/EF"), file = pdfin_key(p, ef, "/UF");

	return qpdf_oh_is_stream(p->q, file) ? file : pdfin_key(p, ef, "/F");
}

bool
files_is_spec(struct pdfin *p, qpdf_oh oh)
{
	return qpdf_oh_is_dictionary(p->q, oh) && qpdf_oh_is_stream(p->q, embedded(p, oh));
}

static int
content_of(struct pdfin *p, qpdf_oh file, uint8_t **ret, size_t *len, bool *raw, struct err *e)
{
	int r = pdfin_stream(p, file, FILE_MAX, ret, len, e);

	*raw = r == -ERR_DOC_FOREIGN;
	if (!*raw)
		return r;
	*e = (struct err){ 0 };
	return pdfin_raw(p, file, ret, len, e);
}

static int
on_object(void *ctx, struct pdfin *p, qpdf_oh oh, struct err *e)
{
	struct list *l = ctx;
	AUTO_FREE uint8_t *data = NULL;
	AUTO_FREE char *name = NULL;
	char hex[HASH_HEX];
	uint8_t digest[HASH_LEN];
	qpdf_oh file, uf;
	size_t len;
	json_t *o;
	bool raw;
	int r;

	if (!files_is_spec(p, oh) || !pdfin_bits_first(l->seen, p, file = embedded(p, oh)))
		return 0;
	if (json_array_size(l->files) == ATTACHED_MAX)
		return err_set(e, ERR_DOC_FOREIGN, "the PDF has more than %d attachments", ATTACHED_MAX);
	if ((r = content_of(p, file, &data, &len, &raw, e)) < 0)
		return r;
	uf = pdfin_key(p, oh, "/UF");
	name = strdup(qpdf_oh_get_utf8_value(p->q, qpdf_oh_is_string(p->q, uf) ? uf : pdfin_key(p, oh, "/F")));
	if (name == NULL)
		return err_set(e, ERR_MEM, "attachments of the PDF");
	utf8_scrub(name);
	hash_bytes(data, len, digest);
	hash_hex(digest, hex);
	o = json_pack("{s:s, s:I, s:s}", "name", name, "size", (json_int_t)len, "sha256", hex);
	if (raw)
		json_object_set_new(o, "raw", json_true());
	return json_array_append_new(l->files, o) < 0 ? err_set(e, ERR_MEM, "attachments of the PDF") : 0;
}

/* In the order of their hashes: appended objects can not change it. */
static int
by_hash(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;

	return strcmp(json_string_value(json_object_get(*x, "sha256")), json_string_value(json_object_get(*y, "sha256")));
}

static int
write_list(json_t *files, int out, struct files_result *ret, struct err *e)
{
	size_t n = json_array_size(files);
	AUTO_FREE json_t **order = calloc(n + 1, sizeof(json_t *));
	AUTO_FREE char *text = NULL;
	json_t *sorted = json_array();

	for (size_t i = 0; order != NULL && i < n; i++)
		order[i] = json_array_get(files, i);
	if (order != NULL)
		qsort(order, n, sizeof(json_t *), by_hash);
	for (size_t i = 0; order != NULL && i < n; i++)
		json_array_append(sorted, order[i]);
	text = order == NULL ? NULL : json_dumps(sorted, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(sorted);
	if (text == NULL)
		return err_set(e, ERR_MEM, "attachments of the PDF");
	ret->n = (uint32_t)n;
	hash_bytes(text, strlen(text), ret->hash);
	return io_write_full(out, text, strlen(text), e);
}

int
files_list(int in, int out, struct files_result *ret, struct err *e)
{
	struct list l = { .files = json_array(), .seen = pdfin_bits_new() };
	struct files_result res = { 0 };
	struct pdfin p = { 0 };
	AUTO_SOURCE s;
	int r;

	s = (struct source){ 0 };
	if (l.files == NULL || l.seen == NULL)
		r = err_set(e, ERR_MEM, "attachments of the PDF");
	else if ((r = source_open(&s, in, e)) == 0 && (r = pdfin_open(&p, &s, e)) == 0 &&
	    (r = objects_walk(&p, on_object, &l, e)) == 0 && (r = pdfin_clean(&p, e)) == 0)
		r = write_list(l.files, out, &res, e);
	pdfin_done(&p);
	json_decref(l.files);
	pdfin_bits_free(l.seen);
	if (r == 0)
		*ret = res;
	return r;
}

int
files_run(struct task *t, struct err *e)
{
	struct files_result res;
	AUTO_BUF b = { 0 };
	int r;

	if (!buf_finished(&t->params))
		return err_set(e, ERR_PEER, "files takes no parameters");
	if ((r = files_list(t->in, t->out, &res, e)) < 0)
		return r;
	buf_init(&b, 64);
	files_result_put(&b, &res);
	return task_result(t, &b, e);
}
