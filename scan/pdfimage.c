#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"

#include "scan/icc.h"
#include "scan/jpeg.h"
#include "scan/pdfimage.h"
#include "scan/tiff.h"

#define ICC_MAX ((size_t)1 << 20)
#define PALETTE_STREAM_MAX 4096

static int
foreign(struct err *e, const char *what)
{
	return err_set(e, ERR_DOC_FOREIGN, "a page image %s; that is not read", what);
}

/* --- colour ------------------------------------------------------------------------------------ */

/* Components of a device or ICC colour space; 0: another one. */
static uint32_t
simple_space(struct pdf_image *d, struct pdfin *p, qpdf_oh cs)
{
	qpdf_oh icc;
	int64_t n;

	if (pdfin_is(p, cs, "/DeviceGray"))
		return 1;
	if (pdfin_is(p, cs, "/DeviceRGB"))
		return 3;
	if (pdfin_items(p, cs) != 2 || !pdfin_is(p, qpdf_oh_get_array_item(p->q, cs, 0), "/ICCBased"))
		return 0;
	icc = qpdf_oh_get_array_item(p->q, cs, 1);
	n = pdfin_int(p, icc, "/N", 0);
	if (!qpdf_oh_is_stream(p->q, icc) || (n != 1 && n != 3))
		return 0;
	d->has_icc = true;
	d->icc = icc;
	return (uint32_t)n;
}

/* [/Indexed base hival lookup]; lookup is a string or a stream. */
static int
indexed_space(struct pdf_image *d, struct pdfin *p, qpdf_oh cs, struct err *e)
{
	qpdf_oh lookup = qpdf_oh_get_array_item(p->q, cs, 3);
	long long hival = -1;
	uint8_t *data = NULL;
	size_t n = 0, want;
	int r;

	d->base_comps = simple_space(d, p, qpdf_oh_get_array_item(p->q, cs, 1));
	if (d->base_comps == 0 || !qpdf_oh_get_value_as_longlong(p->q, qpdf_oh_get_array_item(p->q, cs, 2), &hival) ||
	    hival < 0 || hival > 255)
		return foreign(e, "has a palette of another kind");
	want = ((size_t)hival + 1) * d->base_comps;
	if (qpdf_oh_is_stream(p->q, lookup)) {
		if ((r = pdfin_stream(p, lookup, PALETTE_STREAM_MAX, &data, &n, e)) < 0)
			return r;
	} else if (qpdf_oh_is_string(p->q, lookup)) {
		const char *s = qpdf_oh_get_binary_string_value(p->q, lookup, &n);

		if ((data = malloc(n + 1)) == NULL)
			return err_set(e, ERR_MEM, "palette");
		memcpy(data, s, n);
	}
	if (n < want) {
		free(data);
		return err_set(e, ERR_DOC_BAD, "the palette of a page image is too short");
	}
	memcpy(d->palette, data, want);
	free(data);
	d->ncolours = (uint32_t)hival + 1;
	d->comps = 1;
	return 0;
}

static int
describe_colour(struct pdf_image *d, struct pdfin *p, qpdf_oh dict, struct err *e)
{
	qpdf_oh cs = pdfin_key(p, dict, "/ColorSpace"), decode = pdfin_key(p, dict, "/Decode");
	double v[6];
	int n;

	if (pdfin_items(p, cs) == 4 && pdfin_is(p, qpdf_oh_get_array_item(p->q, cs, 0), "/Indexed")) {
		int r = indexed_space(d, p, cs, e);

		if (r < 0)
			return r;
	} else if ((d->comps = simple_space(d, p, cs)) == 0) {
		return foreign(e, "has another colour space than grey and RGB");
	}
	if (qpdf_oh_is_null(p->q, decode))
		return 0;
	n = (int)(2 * d->comps);
	if (!pdfin_numbers(p, decode, v, n))
		return foreign(e, "has a Decode array that is out of the ordinary");
	if (d->comps == 1 && d->ncolours == 0 && v[0] == 1 && v[1] == 0) {
		d->inverted = true;
		return 0;
	}
	for (int i = 0; i < n; i++)
		if (v[i] != (i % 2 == 0 ? 0 : d->ncolours > 0 ? (1 << d->bits) - 1 : 1))
			return foreign(e, "has a Decode array that is out of the ordinary");
	return 0;
}

/* --- filters ------------------------------------------------------------------------------------- */

static int
take_filter(struct pdf_image *d, struct pdfin *p, qpdf_oh name, bool last, bool alone, struct err *e)
{
	static const char *const plain[] = { "/FlateDecode", "/RunLengthDecode", "/ASCII85Decode", "/ASCIIHexDecode" };

	if (pdfin_is(p, name, "/DCTDecode") && last)
		d->coding = PDF_DCT;
	else if (pdfin_is(p, name, "/CCITTFaxDecode") && last)
		d->coding = PDF_FAX;
	else if (pdfin_is(p, name, "/LZWDecode"))
		d->lzw = true;
	else if (pdfin_is(p, name, "/JBIG2Decode"))
		return foreign(e, "is coded as JBIG2");
	else if (pdfin_is(p, name, "/JPXDecode"))
		return foreign(e, "is coded as JPEG 2000");
	else {
		bool known = false;

		for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
			known = known || pdfin_is(p, name, plain[i]);
		if (!known)
			return foreign(e, "is coded in an unknown way");
	}
	d->flate_first = d->flate_first || (!last && !alone && pdfin_is(p, name, "/FlateDecode"));
	return 0;
}

/* Parameters of the first of two filters; a dictionary there belongs to neither. */
static qpdf_oh
first_parms(struct pdfin *p, qpdf_oh parms)
{
	return pdfin_items(p, parms) > 0 ? qpdf_oh_get_array_item(p->q, parms, 0) : parms;
}

static int
describe_filters(struct pdf_image *d, struct pdfin *p, qpdf_oh dict, struct err *e)
{
	qpdf_oh f = pdfin_key(p, dict, "/Filter"), parms = pdfin_key(p, dict, "/DecodeParms");
	int n = pdfin_items(p, f), r;

	d->parms = qpdf_oh_is_array(p->q, parms) && n > 0 && pdfin_items(p, parms) >= n ?
	    qpdf_oh_get_array_item(p->q, parms, n - 1) :
	    parms;
	if (qpdf_oh_is_null(p->q, f) || (qpdf_oh_is_array(p->q, f) && n == 0))
		return 0;
	if (qpdf_oh_is_name(p->q, f))
		return take_filter(d, p, f, true, true, e);
	if (n < 1 || n > 2)
		return foreign(e, "is coded in many steps");
	d->filters = n;
	for (int i = 0; i < n; i++)
		if ((r = take_filter(d, p, qpdf_oh_get_array_item(p->q, f, i), i == n - 1, n == 1, e)) < 0)
			return r;
	/* before a JPEG or a fax only plain Flate is undone by us */
	if (n == 2 && ((d->coding != PDF_PLAIN && !d->flate_first) || !qpdf_oh_is_null(p->q, first_parms(p, parms))))
		return foreign(e, "is coded in an unusual order");
	return 0;
}

int
pdfimage_describe(struct pdf_image *d, struct pdfin *p, qpdf_oh xobject, struct err *e)
{
	static const char *const shown[] = { "/SMask", "/Mask", "/SMaskInData", "/OC", "/Alternates", "/OPI" };
	int64_t w, h, bits;
	qpdf_oh dict;
	int r;

	*d = (struct pdf_image){ .stream = xobject };
	if (!qpdf_oh_is_stream(p->q, xobject))
		return err_set(e, ERR_DOC_BAD, "the image of a page is missing");
	dict = qpdf_oh_get_dict(p->q, xobject);
	if (pdfin_flag(p, dict, "/ImageMask", false))
		return foreign(e, "is a stencil mask");
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		if (!qpdf_oh_is_null(p->q, pdfin_key(p, dict, shown[i])))
			return foreign(e, "has a mask or alternates");
	if (!qpdf_oh_is_null(p->q, pdfin_key(p, dict, "/F")))
		return foreign(e, "lies in another file");
	w = pdfin_int(p, dict, "/Width", 0);
	h = pdfin_int(p, dict, "/Height", 0);
	if (w < 0 || h < 0 || w > UINT32_MAX || h > UINT32_MAX)
		w = h = 0; /* image_check_size() words it */
	d->w = (uint32_t)w;
	d->h = (uint32_t)h;
	if ((r = describe_filters(d, p, dict, e)) < 0)
		return r;
	bits = pdfin_int(p, dict, "/BitsPerComponent", d->coding == PDF_DCT ? 8 : 1);
	if (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16)
		return err_set(e, ERR_DOC_BAD, "a page image has %lld bits a component", (long long)bits);
	d->bits = d->coding == PDF_DCT ? 8 : d->coding == PDF_FAX ? 1 : (uint32_t)bits;
	if ((r = describe_colour(d, p, dict, e)) < 0)
		return r;
	if (d->coding == PDF_FAX && (d->comps != 1 || d->ncolours > 0))
		return foreign(e, "is a coloured fax");
	return 0;
}

/* --- the dictionary it will have --------------------------------------------------------------------- */

/* Adds the profile as object 1; one that PDF/A does not take is left out, the colours are then the device's. */
static int
add_icc(struct image *im, const struct pdf_image *d, struct pdfin *p, bool *ret_added, struct err *e)
{
	uint32_t comps = d->ncolours > 0 ? d->base_comps : d->comps;
	AUTO_FREE uint8_t *icc = NULL;
	size_t n;
	int r;

	if ((r = pdfin_stream(p, d->icc, ICC_MAX, &icc, &n, e)) < 0)
		return r;
	*ret_added = icc_usable(icc, n, comps);
	return *ret_added ? icc_add(im, icc, n, comps, e) : 0;
}

static void
put_colour(struct buf *b, const struct pdf_image *d, bool icc)
{
	uint32_t comps = d->ncolours > 0 ? d->base_comps : d->comps;
	const char *space = icc ? "[/ICCBased @1]" : comps == 3 ? "/DeviceRGB" : "/DeviceGray";

	if (d->ncolours == 0) {
		buf_printf(b, "/ColorSpace%s", space);
		return;
	}
	buf_printf(b, "/ColorSpace[/Indexed%s %u<", space, d->ncolours - 1);
	for (uint32_t i = 0; i < d->ncolours * d->base_comps; i++)
		buf_printf(b, "%02x", d->palette[i]);
	buf_printf(b, ">]");
}

/* Parameters of the last filter, those that mean something to it. */
static void
put_parms(struct buf *b, const struct pdf_image *d, struct pdfin *p)
{
	static const char *const numbers[] = { "/Predictor", "/Colors", "/BitsPerComponent", "/Columns", "/K", "/Rows",
		"/DamagedRowsBeforeError", "/ColorTransform" };
	static const char *const flags[] = { "/EndOfLine", "/EncodedByteAlign", "/EndOfBlock", "/BlackIs1" };
	AUTO_BUF in;

	buf_init(&in, 1024);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		int64_t v = pdfin_int(p, d->parms, numbers[i], INT64_MIN);

		if (v >= -1 && v <= INT32_MAX)
			buf_printf(&in, "%s %d", numbers[i], (int)v);
	}
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (qpdf_oh_is_bool(p->q, pdfin_key(p, d->parms, flags[i])))
			buf_printf(&in, "%s %s", flags[i], pdfin_flag(p, d->parms, flags[i], false) ? "true" : "false");
	if (in.len > 0)
		buf_printf(b, "/DecodeParms%s<<%.*s>>%s", d->filters == 2 ? "[null " : "", (int)in.len, (char *)in.data,
		    d->filters == 2 ? "]" : "");
}

static void
put_filters(struct buf *b, struct pdfin *p, qpdf_oh f)
{
	int n = pdfin_items(p, f);

	if (n == 1)
		f = qpdf_oh_get_array_item(p->q, f, 0);
	if (qpdf_oh_is_name(p->q, f)) {
		buf_printf(b, "/Filter%s", qpdf_oh_get_name(p->q, f));
	} else if (n > 0) {
		buf_printf(b, "/Filter[");
		for (int i = 0; i < n; i++)
			buf_printf(b, "%s", qpdf_oh_get_name(p->q, qpdf_oh_get_array_item(p->q, f, i)));
		buf_printf(b, "]");
	}
}

/* The stream as it came, its dictionary written anew from what was checked. */
static int
keep_stream(struct image *im, const struct pdf_image *d, struct pdfin *p, uint8_t *raw, size_t n, struct err *e)
{
	AUTO_BUF b;
	bool icc = false;
	int r;

	buf_init(&b, 16384);
	/* object 0 is the image: keep its place while the profile is added */
	if ((r = image_add_object(im, strdup(""), raw, n, e)) < 0)
		return r;
	if (d->has_icc && (r = add_icc(im, d, p, &icc, e)) < 0)
		return r;
	buf_printf(&b, "/Width %u/Height %u", d->w, d->h);
	put_colour(&b, d, icc);
	buf_printf(&b, "/BitsPerComponent %u", d->bits);
	if (d->inverted)
		buf_printf(&b, "/Decode[1 0]");
	put_filters(&b, p, pdfin_key(p, d->stream, "/Filter"));
	put_parms(&b, d, p);
	free(im->objects[0].dict);
	if ((im->objects[0].dict = buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "page image");
	return pdfin_clean(p, e);
}

/* --- pixels -------------------------------------------------------------------------------------------- */

static int
load_dct(struct raster *r, const struct pdf_image *d, const uint8_t *data, size_t n, enum image_want want, uint32_t page,
    const struct conf_scan *scan, struct err *e)
{
	struct jpeg_info j;
	int ret = jpeg_decode(r, &j, data, n, want == IMAGE_FOR_TEXT, scan, page, e);

	if (ret < 0)
		return ret;
	if (d->ncolours > 0)
		return foreign(e, "is a JPEG with a palette");
	if (j.w != d->w || j.h != d->h || j.comps != d->comps)
		return err_set(e, ERR_DOC_BAD, "a JPEG of the PDF is not what its dictionary says");
	r->white_is_zero = d->inverted;
	return 0;
}

/* Runs of black are 0 in DeviceGray unless BlackIs1 or Decode turn them round. */
static int
load_fax(struct raster *r, const struct pdf_image *d, struct pdfin *p, const uint8_t *data, size_t n, uint32_t page,
    struct err *e)
{
	struct fax fax = { .k = (int)pdfin_int(p, d->parms, "/K", 0) };
	int ret;

	fax.byte_align = pdfin_flag(p, d->parms, "/EncodedByteAlign", false);
	if (pdfin_int(p, d->parms, "/Columns", 1728) != d->w)
		return err_set(e, ERR_DOC_BAD, "a fax image of the PDF is not as wide as its dictionary says");
	if ((ret = tiff_fax_decode(r, &fax, data, n, page, e)) < 0)
		return ret;
	r->white_is_zero = pdfin_flag(p, d->parms, "/BlackIs1", false) == d->inverted;
	return 0;
}

static int
load_plain(struct raster *r, const struct pdf_image *d, struct pdfin *p, uint32_t page, struct err *e)
{
	QPDF_BOOL filtered = QPDF_FALSE;
	AUTO_FREE unsigned char *data = NULL;
	size_t n = 0;
	int ret;

	r->comps = d->comps;
	r->bits = d->bits;
	r->white_is_zero = d->inverted;
	qpdf_oh_get_stream_data(p->q, d->stream, qpdf_dl_generalized, &filtered, &data, &n);
	if ((ret = pdfin_clean(p, e)) < 0)
		return ret;
	if (!filtered)
		return foreign(e, "is coded in an unknown way");
	for (uint32_t i = 0; i < d->ncolours; i++)
		for (uint32_t c = 0; c < 3; c++)
			r->palette[3 * i + c] = d->palette[d->base_comps == 3 ? 3 * i + c : i];
	r->ncolours = d->ncolours;
	if ((ret = raster_alloc(r, e)) < 0)
		return ret;
	if (n < r->stride * r->h) {
		err_set(e, ERR_DOC_BAD, "page %u has %zu bytes of pixels where %zu are needed", page + 1, n, r->stride * r->h);
		return -ERR_DOC_BAD;
	}
	memcpy(r->data, data, r->stride * r->h);
	return 0;
}

/* What the JPEG or fax decoder is to see: the raw stream, or what Flate holds. */
static int
decode(struct raster *r, const struct pdf_image *d, struct pdfin *p, const uint8_t *raw, size_t n, enum image_want want,
    uint32_t page, const struct conf_scan *scan, struct err *e)
{
	AUTO_FREE uint8_t *inner = NULL;
	size_t max = (size_t)d->w * d->h * 4 + ((size_t)1 << 20);
	int ret;

	if (d->coding == PDF_PLAIN)
		return load_plain(r, d, p, page, e);
	if (d->flate_first) {
		if ((ret = pdfin_inflate(raw, n, max, &inner, &n, e)) < 0)
			return ret;
		raw = inner;
	}
	return d->coding == PDF_DCT ? load_dct(r, d, raw, n, want, page, scan, e) : load_fax(r, d, p, raw, n, page, e);
}

int
pdfimage_load(struct image *im, const struct pdf_image *d, struct pdfin *p, enum image_want want, uint32_t page,
    const struct conf_scan *scan, struct err *e)
{
	struct raster shape = { .w = d->w, .h = d->h, .comps = d->comps, .bits = d->bits };
	uint8_t *raw;
	size_t n;
	int r;

	if ((r = image_check_size(d->w, d->h, scan, page, e)) < 0 || (r = pdfin_raw(p, d->stream, &raw, &n, e)) < 0)
		return r;
	im->r.w = d->w;
	im->r.h = d->h;
	if ((r = image_check_ratio(&shape, n, page, e)) == 0)
		r = decode(&im->r, d, p, raw, n, want, page, scan, e);
	if (r == 0 && want == IMAGE_FOR_TEXT && !d->lzw)
		return keep_stream(im, d, p, raw, n, e);
	free(raw);
	return r;
}
