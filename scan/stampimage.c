#include <inttypes.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/jpeg.h"
#include "scan/png.h"
#include "scan/stampimage.h"

/* What it will be in the PDF. */
struct picture {
	uint32_t w, h, comps; /* 1 grey, 3 RGB */
	bool jpeg, plain_rgb;
	uint8_t *pixels;      /* of a PNG: comps bytes a pixel, then one of alpha */
};

static int
check_size(uint32_t w, uint32_t h, struct err *e)
{
	if (w > 0 && h > 0 && (uint64_t)w * h <= STAMPIMAGE_PIXELS_MAX)
		return 0;
	return err_set(e, ERR_CONF, "%" PRIu32 " x %" PRIu32 " pixels; make it smaller, 1000 x 1000 are plenty", w, h);
}

static int
read_jpeg(const struct look_file *f, struct picture *p, struct err *e)
{
	const struct conf_scan limits = { .max_pixels = STAMPIMAGE_PIXELS_MAX };
	struct raster grey = { 0 };
	struct jpeg_info info = { 0 };
	struct err why = { 0 };

	if (jpeg_decode(&grey, &info, f->data, f->len, true, &limits, 0, &why) < 0)
		return err_set(e, why.code == ERR_MEM ? ERR_MEM : ERR_CONF, "the JPEG can not be used (%s); save it anew", why.text);
	free(grey.data);
	if (info.comps == 4)
		return err_set(e, ERR_CONF, "the JPEG is CMYK; save it as RGB");
	if (info.orient != 1)
		return err_set(e, ERR_CONF, "the JPEG is to be turned by its viewer; save it upright");
	*p = (struct picture){ .w = info.w, .h = info.h, .comps = info.comps, .jpeg = true, .plain_rgb = info.plain_rgb };
	return 0;
}

static int
decode_png(png_image *image, struct picture *p, struct err *e)
{
	bool colour = image->format & PNG_FORMAT_FLAG_COLOR;

	if (check_size(image->width, image->height, e) < 0)
		return -(int)e->code;
	image->format = colour ? PNG_FORMAT_RGBA : PNG_FORMAT_GA;
	p->w = image->width;
	p->h = image->height;
	p->comps = colour ? 3 : 1;
	if ((p->pixels = malloc(PNG_IMAGE_SIZE(*image))) == NULL)
		return err_set(e, ERR_MEM, "picture");
	if (png_image_finish_read(image, NULL, p->pixels, 0, NULL) != 0)
		return 0;
	free(p->pixels);
	return err_set(e, ERR_CONF, "the PNG can not be decoded (%s); save it anew", image->message);
}

static int
read_png(const struct look_file *f, struct picture *p, struct err *e)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	int r;

	*p = (struct picture){ 0 };
	if (png_image_begin_read_from_memory(&image, f->data, f->len) == 0)
		r = err_set(e, ERR_CONF, "the PNG can not be read (%s); save it anew", image.message);
	else
		r = decode_png(&image, p, e);
	png_image_free(&image);
	return r;
}

static int
read_picture(const struct look_file *f, struct picture *p, struct err *e)
{
	if (jpeg_magic(f->data, f->len))
		return read_jpeg(f, p, e);
	if (png_magic(f->data, f->len))
		return read_png(f, p, e);
	return err_set(e, ERR_CONF, "neither PNG nor JPEG; save it as PNG");
}

int
stampimage_size(const struct look_file *f, uint32_t *ret_w, uint32_t *ret_h, struct err *e)
{
	struct picture p;
	int r = read_picture(f, &p, e);

	if (r < 0)
		return r;
	free(p.pixels);
	*ret_w = p.w;
	*ret_h = p.h;
	return 0;
}

static void
write_jpeg(struct pdf *out, const struct look_file *f, const struct picture *p, uint32_t number)
{
	char dict[256];

	snprintf(dict, sizeof(dict), "/Type/XObject/Subtype/Image/Width %" PRIu32 "/Height %" PRIu32
	    "/ColorSpace/%s/BitsPerComponent 8/Filter/DCTDecode%s", p->w, p->h, p->comps == 3 ? "DeviceRGB" : "DeviceGray",
	    p->plain_rgb ? "/DecodeParms<</ColorTransform 0>>" : "");
	pdf_stream(out, number, dict, f->data, f->len, PDF_PLAIN);
}

/* Moves every 'step'th byte from 'from' on to the front of dst. */
static void
pick(uint8_t *dst, const uint8_t *src, size_t n, size_t from, size_t count, size_t step)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < count; k++)
			dst[i * count + k] = src[i * step + from + k];
}

static bool
opaque(const uint8_t *alpha, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (alpha[i] != 255)
			return false;
	return true;
}

static void
write_plane(struct pdf *out, const struct picture *p, const uint8_t *data, uint32_t comps, uint32_t mask, uint32_t number)
{
	char dict[256], smask[32] = "";

	if (mask != 0)
		snprintf(smask, sizeof(smask), "/SMask %" PRIu32 " 0 R", mask);
	snprintf(dict, sizeof(dict), "/Type/XObject/Subtype/Image/Width %" PRIu32 "/Height %" PRIu32
	    "/ColorSpace/%s/BitsPerComponent 8%s", p->w, p->h, comps == 3 ? "DeviceRGB" : "DeviceGray", smask);
	pdf_stream(out, number, dict, data, (size_t)p->w * p->h * comps, PDF_DEFLATE);
}

static int
write_png(struct pdf *out, const struct picture *p, uint32_t number, struct err *e)
{
	size_t n = (size_t)p->w * p->h, step = p->comps + 1u;
	AUTO_FREE uint8_t *plane = malloc(n * p->comps);
	uint32_t mask = 0;

	if (plane == NULL)
		return err_set(e, ERR_MEM, "picture");
	pick(plane, p->pixels, n, p->comps, 1, step);
	if (!opaque(plane, n)) {
		mask = pdf_new(out);
		write_plane(out, p, plane, 1, 0, mask);
	}
	pick(plane, p->pixels, n, 0, p->comps, step);
	write_plane(out, p, plane, p->comps, mask, number);
	return 0;
}

int
stampimage_write(struct pdf *out, const struct look_file *f, uint32_t *ret_number, struct err *e)
{
	struct picture p;
	uint32_t number;
	int r = read_picture(f, &p, e);

	if (r < 0)
		return r;
	number = pdf_new(out);
	if (p.jpeg)
		write_jpeg(out, f, &p, number);
	else
		r = write_png(out, &p, number, e);
	free(p.pixels);
	if (r == 0)
		*ret_number = number;
	return r;
}
