#include "scan/inspect.h"
#include "scan/jp2.h"
#include "scan/jpeg.h"
#include "scan/pdfpage.h"
#include "scan/png.h"
#include "scan/scan.h"
#include "scan/source.h"
#include "scan/tiff.h"
#include "scan/webp.h"

#define HEAD 12

/* Fewer bytes than a magic number, but the right ones so far, may still grow into one. */
static uint32_t
kind_by_magic(const uint8_t *head, size_t len)
{
	if (tiff_magic(head, len))
		return DOC_TIFF;
	if (jpeg_magic(head, len))
		return DOC_JPEG;
	if (png_magic(head, len))
		return DOC_PNG;
	if (jp2_magic(head, len))
		return DOC_JP2;
	if (webp_magic(head, len))
		return DOC_WEBP;
	if (pdf_magic(head, len))
		return DOC_PDF;
	return DOC_NONE;
}

static int
inspect_kind(struct source *s, const struct conf_scan *scan, uint32_t brief_above, struct inspect_result *res, struct err *e)
{
	res->pages = 1;
	switch (res->kind) {
	case DOC_TIFF:
		return tiff_inspect(s, scan, res, e);
	case DOC_JPEG:
		return jpeg_inspect(s, scan, res, e);
	case DOC_PNG:
		return png_inspect(s, scan, res, e);
	case DOC_JP2:
		return jp2_inspect(s, scan, res, e);
	case DOC_WEBP:
		return webp_inspect(s, scan, res, e);
	case DOC_PDF:
		return pdf_inspect(s, scan, brief_above, res, e);
	default:
		return err_set(e, ERR_DOC_TYPE, "the file begins like none of TIFF, JPEG, PNG, JPEG 2000, WebP and PDF");
	}
}

int
inspect_doc(int fd, const struct conf_scan *scan, uint32_t brief_above, struct inspect_result *ret, struct err *e)
{
	struct inspect_result res = { 0 };
	uint8_t head[HEAD];
	AUTO_SOURCE s;
	size_t len;
	int r;

	s = (struct source){ 0 };
	if ((r = source_open(&s, fd, e)) < 0)
		return r;
	if (s.size == 0)
		return err_set(e, ERR_DOC_EMPTY, "the file is empty");
	if (s.size > scan->max_bytes)
		return err_set(e, ERR_DOC_SIZE, "the file has %llu bytes; at most %llu are read", (unsigned long long)s.size,
		    (unsigned long long)scan->max_bytes);
	len = s.size < HEAD ? (size_t)s.size : HEAD;
	if ((r = source_read(&s, head, len, 0, e)) < 0)
		return r;
	res.kind = kind_by_magic(head, len);
	if (res.kind != DOC_NONE && len < HEAD)
		return err_set(e, ERR_DOC_INCOMPLETE, "the file has only %zu bytes", len);
	if ((r = inspect_kind(&s, scan, brief_above, &res, e)) < 0)
		return r;
	e->page = 0;
	*ret = res;
	return 0;
}

int
inspect_run(struct task *t, struct err *e)
{
	const struct scan_state *state = t->role_state;
	struct inspect_params params = { 0 };
	struct inspect_result res;
	AUTO_BUF b = { 0 };
	int r;

	if (!buf_finished(&t->params) && (r = inspect_params_get(&t->params, &params, e)) < 0)
		return r;
	if ((r = inspect_doc(t->in, &state->conf->scan, params.brief_above, &res, e)) < 0)
		return r;
	buf_init(&b, 512);
	inspect_result_put(&b, &res);
	return task_result(t, &b, e);
}
