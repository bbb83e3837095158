#include <errno.h>
#include <inttypes.h>
#include <qrencode.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "scan/stampqr.h"

#define QUIET 4          /* modules of nothing on each side, ISO/IEC 18004, 9.1 */
#define MODULE_MIN 850   /* 0.3 mm: what is printed at 300 dpi and photographed by a telephone */

struct stampqr {
	QRcode *code;
};

int
stampqr_open(struct stampqr **ret, const char *text, struct err *e)
{
	struct stampqr *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return err_set(e, ERR_MEM, "QR code");
	if ((q->code = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M)) == NULL) {
		int why = errno;

		free(q);
		if (why == ENOMEM)
			return err_set(e, ERR_MEM, "QR code");
		return err_set(e, ERR_CONF, "stamp: %zu bytes are too many for a QR code", strlen(text));
	}
	*ret = q;
	return 0;
}

void
stampqr_free(struct stampqr *q)
{
	if (q == NULL)
		return;
	QRcode_free(q->code);
	free(q);
}

static int64_t
modules(const struct stampqr *q)
{
	return q->code->width + 2 * QUIET;
}

int64_t
stampqr_least(const struct stampqr *q)
{
	return modules(q) * MODULE_MIN;
}

static bool
dark(const struct stampqr *q, int x, int y)
{
	return q->code->data[y * q->code->width + x] & 1;
}

/* Runs of dark modules in a row are one rectangle; all are one path, so that no seams are seen. */
void
stampqr_put(const struct stampqr *q, int64_t x, int64_t y, int64_t side, struct buf *b)
{
	const int n = q->code->width;
	int64_t scale = side * 1000 / modules(q); /* of a module, 1/1000000 pt */

	buf_printf(b, "q %" PRId64 ".%06" PRId64 " 0 0 %" PRId64 ".%06" PRId64 " %" PRId64 ".%03" PRId64 " %" PRId64 ".%03" PRId64
	    " cm\n", scale / 1000000, scale % 1000000, scale / 1000000, scale % 1000000, x / 1000, x % 1000, y / 1000, y % 1000);
	for (int row = 0; row < n; row++)
		for (int from = 0, to; from < n; from = to) {
			for (to = from + 1; to < n && dark(q, to, row) == dark(q, from, row);)
				to++;
			if (dark(q, from, row))
				buf_printf(b, "%d %d %d 1 re\n", from + QUIET, n - 1 - row + QUIET, to - from);
		}
	buf_printf(b, "f Q\n");
}
