#include <leptonica/allheaders.h>
#include <math.h>
#include <string.h>

#include "scan/webp.h"

#define CHUNKS_MAX 10000

bool
webp_magic(const uint8_t *head, size_t len)
{
	if (len < 12)
		return len >= 4 && memcmp(head, "RIFF", 4) == 0;
	return memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0;
}

struct webp {
	uint32_t w, h;
	uint64_t end; /* of the container */
};

static uint32_t
le(const uint8_t *p, int n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static int
bad(struct err *e, enum err_code code, const char *what)
{
	err_set(e, code, "%s", what);
	e->page = 1;
	return -(int)code;
}

/* Width and height where the picture's data begin: RFC 6386, 9.1, or RFC 9649, 3.4; the decoder agrees or fails. */
static bool
take_picture(struct webp *w, const uint8_t *d, uint32_t n, bool lossless)
{
	if (lossless && n >= 5 && d[0] == 0x2f) {
		w->w = (le(d + 1, 4) & 0x3fff) + 1;
		w->h = (le(d + 1, 4) >> 14 & 0x3fff) + 1;
		return true;
	}
	if (!lossless && n >= 10 && memcmp(d + 3, "\x9d\x01\x2a", 3) == 0) {
		w->w = le(d + 6, 2) & 0x3fff;
		w->h = le(d + 8, 2) & 0x3fff;
		return true;
	}
	return false;
}

static int
walk(struct webp *w, const struct source *s, struct err *e)
{
	const uint8_t *d = s->map;
	uint64_t at = 12;

	if (s->size < 20 || (w->end = 8 + (uint64_t)le(d + 4, 4)) > s->size)
		return bad(e, ERR_DOC_INCOMPLETE, "the WebP goes on behind the end of the file");
	for (int i = 0; i < CHUNKS_MAX && at + 8 <= w->end; i++) {
		uint32_t n = le(d + at + 4, 4);
		bool lossless = memcmp(d + at, "VP8L", 4) == 0;

		if (n > w->end - at - 8)
			return bad(e, ERR_DOC_BAD, "a chunk of the WebP does not fit into it");
		if (memcmp(d + at, "ANIM", 4) == 0)
			return bad(e, ERR_DOC_TYPE, "a WebP with moving pictures is not read");
		if (lossless || memcmp(d + at, "VP8 ", 4) == 0)
			return take_picture(w, d + at + 8, n, lossless) ? 0 : bad(e, ERR_DOC_BAD, "the WebP's picture is damaged");
		at += 8 + (uint64_t)n + (n & 1);
	}
	return bad(e, ERR_DOC_BAD, "the WebP has no picture");
}

static int
check(struct webp *w, struct source *s, const struct conf_scan *scan, struct err *e)
{
	struct raster shape = { .comps = 4, .bits = 8 };
	int r;

	*w = (struct webp){ 0 };
	if ((r = source_map(s, e)) < 0 || (r = walk(w, s, e)) < 0 || (r = image_check_size(w->w, w->h, scan, 0, e)) < 0)
		return r;
	shape.w = w->w;
	shape.h = w->h;
	return image_check_ratio(&shape, s->size, 0, e);
}

int
webp_inspect(struct source *s, const struct conf_scan *scan, struct inspect_result *ret, struct err *e)
{
	struct webp w;
	int r = check(&w, s, scan, e);

	if (r == 0)
		image_measure(ret, w.w, w.h);
	return r;
}

int
webp_read(struct image *im, struct source *s, uint32_t page, const struct conf_scan *scan, struct err *e)
{
	struct webp w;
	PIX *pix;
	int r;

	if (page != 0)
		return err_set(e, ERR_DOC_BAD, "the file has no page %u", page + 1);
	if ((r = check(&w, s, scan, e)) < 0)
		return r;
	if ((pix = pixReadMemWebP(s->map, w.end)) == NULL)
		return bad(e, ERR_DOC_BAD, "the WebP can not be decoded");
	r = raster_from_pix(&im->r, pix, false, e);
	pixDestroy(&pix);
	if (r == 0 && (im->r.w != w.w || im->r.h != w.h))
		return bad(e, ERR_DOC_BAD, "the WebP is not as large as it says");
	if (r == 0)
		image_place(im, NAN, NAN, 1);
	return r;
}
