#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/image.h"
#include "scan/tiffdir.h"

#define ENTRIES_MAX 4096
#define STRIPS_MAX 1000000

static uint64_t
number(const struct tiff_file *f, const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[f->be ? i : n - 1 - i];
	return v;
}

int
tiffdir_open(struct tiff_file *f, const struct source *s, struct err *e)
{
	uint8_t h[16];
	int r;

	*f = (struct tiff_file){ .s = s };
	if ((r = source_read(s, h, 8, 0, e)) < 0)
		return r;
	f->be = h[0] == 'M';
	f->big = number(f, h + 2, 2) == 43;
	f->first = number(f, h + 4, 4);
	if (f->big) {
		if ((r = source_read(s, h, 16, 0, e)) < 0)
			return r;
		if (number(f, h + 4, 2) != 8 || number(f, h + 6, 2) != 0)
			return err_set(e, ERR_DOC_BAD, "the BigTIFF header is damaged");
		f->first = number(f, h + 8, 8);
	}
	/* scanners write the header first and set the offset when the page is done */
	if (f->first == 0)
		return err_set(e, ERR_DOC_INCOMPLETE, "the TIFF header has no directory yet");
	return 0;
}

/* Number of entries, and the offset of the first. */
static int
entries(const struct tiff_file *f, uint64_t at, uint64_t *n, uint64_t *first, struct err *e)
{
	uint8_t b[8];
	size_t len = f->big ? 8 : 2;
	int r;

	if ((r = source_read(f->s, b, len, at, e)) < 0)
		return r;
	*n = number(f, b, len);
	*first = at + len;
	if (*n == 0 || *n > ENTRIES_MAX)
		return err_set(e, ERR_DOC_BAD, "a TIFF directory has %llu entries", (unsigned long long)*n);
	return 0;
}

int
tiffdir_next(const struct tiff_file *f, uint64_t at, uint64_t *ret_next, struct err *e)
{
	uint64_t n, first;
	uint8_t b[8];
	int r;

	if ((r = entries(f, at, &n, &first, e)) < 0 ||
	    (r = source_read(f->s, b, f->big ? 8 : 4, first + n * (f->big ? 20 : 12), e)) < 0)
		return r;
	*ret_next = number(f, b, f->big ? 8 : 4);
	return 0;
}

static size_t
type_size(uint64_t type)
{
	static const uint8_t sizes[] = { 0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8 };

	return type < sizeof(sizes) ? sizes[type] : 0;
}

struct entry {
	uint32_t tag, type;
	uint64_t count;
	uint64_t at;    /* where its values stand */
	uint64_t value; /* the first, where it is a whole number */
	double real;    /* the first, where it is a rational */
};

static int
read_entry(const struct tiff_file *f, uint64_t at, struct entry *en, struct err *e)
{
	const size_t room = f->big ? 8 : 4;
	uint8_t b[20], v[8];
	size_t size;
	int r;

	if ((r = source_read(f->s, b, f->big ? 20 : 12, at, e)) < 0)
		return r;
	*en = (struct entry){ .tag = (uint32_t)number(f, b, 2), .type = (uint32_t)number(f, b + 2, 2) };
	en->count = number(f, b + 4, room);
	if ((size = type_size(en->type)) == 0 || en->count == 0)
		return 0; /* a reader skips fields of a type it does not know (TIFF 6.0, section 2) */
	if (en->count > UINT32_MAX)
		return err_set(e, ERR_DOC_BAD, "TIFF tag %u has %llu values", en->tag, (unsigned long long)en->count);
	en->at = en->count * size <= room ? at + 4 + room : number(f, b + 4 + room, room);
	if (en->at > f->s->size || en->count * size > f->s->size - en->at)
		return err_set(e, ERR_DOC_INCOMPLETE, "TIFF tag %u points behind the end of the file", en->tag);
	if ((r = source_read(f->s, v, size, en->at, e)) < 0)
		return r;
	if (en->type == 5 && number(f, v + 4, 4) != 0)
		en->real = (double)number(f, v, 4) / (double)number(f, v + 4, 4);
	else if (en->type != 5)
		en->value = number(f, v, size);
	return 0;
}

static void
take_entry(struct tiff_dir *d, const struct entry *en)
{
	uint32_t v = en->value > UINT32_MAX ? UINT32_MAX : (uint32_t)en->value;

	switch (en->tag) {
	case 256: d->w = v; break;
	case 257: d->h = v; break;
	case 258: d->bits = v; break;
	case 259: d->compression = v; break;
	case 262: d->photometric = v; break;
	case 266: d->fill_order = v; break;
	case 274: d->orient = v; break;
	case 277: d->samples = v; break;
	case 278: d->rows_per_strip = v; break;
	case 282: d->x_res = en->real; d->has_x = true; break;
	case 283: d->y_res = en->real; d->has_y = true; break;
	case 284: d->planar = v; break;
	case 293: d->group4 = v; break;
	case 296: d->unit = v; break;
	case 322: d->tile_w = v; break;
	case 323: d->tile_h = v; break;
	case 338: d->extra = (uint32_t)en->count; break;
	case 347: d->tables_at = en->at; d->tables_len = en->count; break;
	case 513: d->jpeg_off = en->value; break;
	case 514: d->jpeg_len = en->value; break;
	case 273:
	case 324:
		d->tiled = en->tag == 324;
		d->off_at = en->at;
		d->off_n = en->count;
		d->off_type = en->type;
		break;
	case 279:
	case 325:
		d->len_at = en->at;
		d->len_n = en->count;
		d->len_type = en->type;
		break;
	default:
		break;
	}
}

/* How many strips or tiles the picture needs (TIFF 6.0, StripOffsets and TileOffsets). */
static uint64_t
strips_needed(const struct tiff_dir *d)
{
	uint64_t rows = d->rows_per_strip, n;

	if (d->tiled) {
		if (d->tile_w == 0 || d->tile_h == 0)
			return 0;
		n = (((uint64_t)d->w + d->tile_w - 1) / d->tile_w) * (((uint64_t)d->h + d->tile_h - 1) / d->tile_h);
	} else {
		if (rows == 0)
			return 0;
		n = ((uint64_t)d->h + rows - 1) / rows;
	}
	return d->planar == 2 ? n * d->samples : n;
}

/* A whole array of offsets or lengths; malloc'ed. */
static int
read_array(const struct tiff_file *f, uint64_t at, uint64_t n, uint32_t type, uint8_t **ret, struct err *e)
{
	size_t size = type_size(type);
	uint8_t *p;
	int r;

	if (type != 3 && type != 4 && type != 16)
		return err_set(e, ERR_DOC_BAD, "the strips of a TIFF page are not given as whole numbers");
	if ((p = malloc(n * size)) == NULL)
		return err_set(e, ERR_MEM, "TIFF strips");
	if ((r = source_read(f->s, p, n * size, at, e)) < 0) {
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

static int
check_strips(const struct tiff_file *f, struct tiff_dir *d, struct err *e)
{
	AUTO_FREE uint8_t *offs = NULL, *lens = NULL;
	uint64_t need = strips_needed(d);
	int r;

	if (need == 0 || need > STRIPS_MAX || d->off_n < need || d->len_n < need)
		return err_set(e, ERR_DOC_BAD, "a TIFF page has %llu strips where it needs %llu", (unsigned long long)d->off_n,
		    (unsigned long long)need);
	if ((r = read_array(f, d->off_at, need, d->off_type, &offs, e)) < 0 ||
	    (r = read_array(f, d->len_at, need, d->len_type, &lens, e)) < 0)
		return r;
	for (uint64_t i = 0; i < need; i++) {
		uint64_t off = number(f, offs + i * type_size(d->off_type), type_size(d->off_type));
		uint64_t len = number(f, lens + i * type_size(d->len_type), type_size(d->len_type));

		/* a strip not yet written has offset and length 0 */
		if (off == 0 || len == 0 || off > f->s->size || len > f->s->size - off)
			return err_set(e, ERR_DOC_INCOMPLETE, "strip %llu of a TIFF page is not in the file",
			    (unsigned long long)i + 1);
		d->bytes += len;
		if (i == 0) {
			d->strip_off = off;
			d->strip_len = len;
		}
	}
	d->nstrips = (uint32_t)need;
	return 0;
}

/* Of the old style, where strips may not be given at all; elsewhere these tags mean nothing. */
static int
check_jpeg(const struct tiff_file *f, struct tiff_dir *d, struct err *e)
{
	if (d->compression != 6 || d->jpeg_off == 0) {
		d->jpeg_len = 0;
		return 0;
	}
	if (d->jpeg_off > f->s->size || d->jpeg_len > f->s->size - d->jpeg_off)
		return err_set(e, ERR_DOC_INCOMPLETE, "the JPEG of a TIFF page is not in the file");
	d->bytes = d->jpeg_len;
	d->nstrips = 1;
	return 0;
}

int
tiffdir_read(const struct tiff_file *f, uint64_t at, struct tiff_dir *ret, struct err *e)
{
	struct tiff_dir d = { .at = at, .bits = 1, .samples = 1, .compression = 1, .photometric = UINT32_MAX, .planar = 1,
		.fill_order = 1, .orient = 1, .rows_per_strip = UINT32_MAX, .unit = 2 };
	struct entry en;
	uint64_t n, first;
	int r;

	if ((r = entries(f, at, &n, &first, e)) < 0)
		return r;
	for (uint64_t i = 0; i < n; i++) {
		if ((r = read_entry(f, first + i * (f->big ? 20 : 12), &en, e)) < 0)
			return r;
		if (en.at != 0)
			take_entry(&d, &en);
	}
	if (d.w == 0 || d.h == 0 || d.w > IMAGE_SIDE_MAX || d.h > IMAGE_SIDE_MAX) {
		*ret = d; /* the caller words it: image_check_size() */
		return 0;
	}
	if (d.rows_per_strip > d.h)
		d.rows_per_strip = d.h;
	if ((r = check_jpeg(f, &d, e)) < 0 || (d.jpeg_len == 0 && (r = check_strips(f, &d, e)) < 0))
		return r;
	*ret = d;
	return 0;
}

void
tiffdir_dpi(const struct tiff_dir *d, double *x, double *y)
{
	double k = d->unit == 3 ? 2.54 : 1;

	*x = *y = NAN;
	if (d->unit == 1) /* only a ratio */
		return;
	if (d->has_x)
		*x = d->x_res * k;
	if (d->has_y)
		*y = d->y_res * k;
	if (!d->has_x)
		*x = *y;
	if (!d->has_y)
		*y = *x;
}
