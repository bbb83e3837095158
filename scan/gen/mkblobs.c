/*
 * mkblobs.c - build-time generator: DIR/srgb.icc, DIR/cmyk.icc and DIR/glyphless.ttf.
 *
 * srgb.icc: sRGB by lcms2 as an ICC version 2 profile (PDF 1.7 knows ICC
 * up to 4.2, PDF 1.4 up to 2.x).  Its date is fixed, so that builds repeat.
 *
 * cmyk.icc: for CMYK that says nothing of itself, as an input profile of version
 * 2.  Each ink takes its share of the light away, black that of all, in sRGB's
 * own scale: what viewers do with DeviceCMYK that have no press to think of.
 *
 * glyphless.ttf: a TrueType font with two empty glyphs, each 500 of 1000 units
 * wide; glyph 1 stands for every character of the invisible text layer.
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <lcms2.h>

#define UNITS 1000
#define ADVANCE 500
#define ASCENT 750
#define DESCENT (-250)

struct bytes {
	uint8_t b[1024];
	size_t n;
};

static void
put8(struct bytes *t, unsigned v)
{
	if (t->n >= sizeof(t->b))
		errx(1, "glyphless.ttf: table too long");
	t->b[t->n++] = (uint8_t)v;
}

static void
put16(struct bytes *t, int v)
{
	put8(t, ((unsigned)v >> 8) & 0xff);
	put8(t, (unsigned)v & 0xff);
}

static void
put32(struct bytes *t, uint32_t v)
{
	put16(t, (int)(v >> 16));
	put16(t, (int)(v & 0xffff));
}

static void
put_many16(struct bytes *t, const int *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put16(t, v[i]);
}
#define PUT16S(t, ...) put_many16((t), (const int[]){ __VA_ARGS__ }, sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void
table_os2(struct bytes *t)
{
	/* version 4; average width, weight, width, fsType 0: may be embedded; sub- and superscript; strikeout; class */
	PUT16S(t, 4, ADVANCE, 400, 5, 0, 500, 500, 0, 100, 500, 500, 0, 300, 50, 250, 0);
	for (int i = 0; i < 10; i++)
		put8(t, i == 0 ? 5 : 0); /* panose: symbol */
	for (int i = 0; i < 4; i++)
		put32(t, 0); /* Unicode ranges */
	put32(t, 0x53524F4D); /* vendor "SROM" */
	PUT16S(t, 0x40, 0x20, 0x20); /* regular; first and last character */
	PUT16S(t, ASCENT, DESCENT, 0, ASCENT, -DESCENT);
	put32(t, 1); /* code page ranges */
	put32(t, 0);
	PUT16S(t, 500, ASCENT, 0, 0x20, 1); /* x height, cap height, default, break, context */
}

static void
table_cmap(struct bytes *t)
{
	PUT16S(t, 0, 1, 3, 1); /* one table: Windows, Unicode BMP */
	put32(t, 12);
	PUT16S(t, 4, 32, 0, 4, 4, 1, 0); /* format 4, two segments */
	PUT16S(t, 0x20, 0xFFFF, 0, 0x20, 0xFFFF, 1 - 0x20, 1, 0, 0);
}

static void
table_head(struct bytes *t)
{
	put32(t, 0x00010000);
	put32(t, 0x00010000);
	put32(t, 0); /* checkSumAdjustment, set by assemble() */
	put32(t, 0x5F0F3CF5);
	PUT16S(t, 0x000B, UNITS);
	for (int i = 0; i < 2; i++) { /* created, modified: 2026-01-01 in seconds since 1904 */
		put32(t, 0);
		put32(t, 3850070400u);
	}
	PUT16S(t, 0, DESCENT, ADVANCE, ASCENT); /* box */
	PUT16S(t, 0, 8, 2, 0, 0);               /* style, smallest size, direction, short loca, glyf format */
}

static void
table_hhea(struct bytes *t)
{
	put32(t, 0x00010000);
	PUT16S(t, ASCENT, DESCENT, 0, ADVANCE, 0, 0, ADVANCE, 1, 0, 0, 0, 0, 0, 0, 0, 2);
}

static void
table_hmtx(struct bytes *t)
{
	PUT16S(t, ADVANCE, 0, ADVANCE, 0);
}

static void
table_glyf(struct bytes *t)
{
	put32(t, 0); /* nothing refers to it; an absent or empty table upsets some readers */
}

static void
table_loca(struct bytes *t)
{
	PUT16S(t, 0, 0, 0);
}

static void
table_maxp(struct bytes *t)
{
	put32(t, 0x00010000);
	PUT16S(t, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
}

static void
table_name(struct bytes *t)
{
	static const char *const names[] = { [1] = "SealroomGlyphless", [2] = "Regular", [4] = "SealroomGlyphless",
		[5] = "Version 1.0", [6] = "SealroomGlyphless" };
	int offset = 0, count = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		count += names[i] != NULL;
	PUT16S(t, 0, count, 6 + 12 * count);
	for (int i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++) {
		if (names[i] == NULL)
			continue;
		PUT16S(t, 3, 1, 0x409, i, 2 * (int)strlen(names[i]), offset);
		offset += 2 * (int)strlen(names[i]);
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (const char *c = names[i]; c != NULL && *c != '\0'; c++)
			put16(t, *c);
}

static void
table_post(struct bytes *t)
{
	put32(t, 0x00030000); /* no glyph names */
	put32(t, 0);
	PUT16S(t, -100, 50);
	put32(t, 1); /* fixed pitch */
	for (int i = 0; i < 4; i++)
		put32(t, 0);
}

static const struct {
	const char *tag;
	void (*make)(struct bytes *);
} tables[] = { /* in order of tag, as the format wants */
	{ "OS/2", table_os2 }, { "cmap", table_cmap }, { "glyf", table_glyf }, { "head", table_head },
	{ "hhea", table_hhea }, { "hmtx", table_hmtx }, { "loca", table_loca }, { "maxp", table_maxp },
	{ "name", table_name }, { "post", table_post },
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

static uint32_t
checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)p[i] << (24 - 8 * (i % 4));
	return sum;
}

static void
glyphless(struct bytes *f)
{
	size_t at = 12 + 16 * NTABLES, head = 0;
	struct bytes body = { .n = 0 };

	put32(f, 0x00010000);
	PUT16S(f, NTABLES, 128, 3, (int)NTABLES * 16 - 128);
	for (size_t i = 0; i < NTABLES; i++) {
		struct bytes t = { .n = 0 };

		tables[i].make(&t);
		for (int k = 0; k < 4; k++)
			put8(f, (unsigned char)tables[i].tag[k]);
		put32(f, checksum(t.b, t.n));
		put32(f, (uint32_t)(at + body.n));
		put32(f, (uint32_t)t.n);
		if (strcmp(tables[i].tag, "head") == 0)
			head = at + body.n;
		for (size_t k = 0; k < (t.n + 3) / 4 * 4; k++)
			put8(&body, k < t.n ? t.b[k] : 0);
	}
	for (size_t k = 0; k < body.n; k++)
		put8(f, body.b[k]);
	uint32_t adjust = 0xB1B0AFBA - checksum(f->b, f->n);
	for (size_t k = 0; k < 4; k++)
		f->b[head + 8 + k] = (uint8_t)(adjust >> (24 - 8 * k));
}

static void
save(const char *dir, const char *name, const void *data, size_t n)
{
	char path[4096];
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		errx(1, "path too long");
	if ((f = fopen(path, "wb")) == NULL || fwrite(data, 1, n, f) != n || fclose(f) != 0)
		err(1, "%s", path);
}

/*
 * IEC 61966-2-1: straight lines between so many points are off by 6e-6 at most, less
 * than half a step of their 16 bits; lcms2 would write a table sixteen times longer.
 */
#define CURVE_POINTS 256

static cmsToneCurve *
srgb_curve(void)
{
	static const cmsFloat64Number p[5] = { 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045 };
	static cmsUInt16Number points[CURVE_POINTS];
	cmsToneCurve *exact = cmsBuildParametricToneCurve(NULL, 4, p);

	if (exact == NULL)
		errx(1, "lcms2: no tone curve");
	for (int i = 0; i < CURVE_POINTS; i++)
		points[i] = (cmsUInt16Number)(cmsEvalToneCurveFloat(exact, (float)i / (CURVE_POINTS - 1)) * 65535 + 0.5f);
	cmsFreeToneCurve(exact);
	return cmsBuildTabulatedToneCurve16(NULL, CURVE_POINTS, points);
}

static cmsHPROFILE
srgb_profile(void)
{
	static const cmsCIExyY d65 = { 0.3127, 0.3290, 1.0 };
	static const cmsCIExyYTRIPLE rec709 = { { 0.64, 0.33, 1 }, { 0.30, 0.60, 1 }, { 0.15, 0.06, 1 } };
	cmsToneCurve *curve = srgb_curve();
	cmsMLU *name = cmsMLUalloc(NULL, 1);
	cmsHPROFILE p = cmsCreateRGBProfile(&d65, &rec709, (cmsToneCurve *[]){ curve, curve, curve });

	if (curve == NULL || name == NULL || p == NULL || !cmsMLUsetASCII(name, "en", "US", "sRGB IEC61966-2.1"))
		errx(1, "lcms2 makes no sRGB profile");
	cmsSetProfileVersion(p, 2.1);
	if (!cmsWriteTag(p, cmsSigProfileDescriptionTag, name))
		errx(1, "lcms2 does not name the sRGB profile");
	cmsMLUfree(name);
	cmsFreeToneCurve(curve);
	return p;
}

static void
save_profile(const char *dir, const char *name, cmsHPROFILE p)
{
	/* 2026-01-01 00:00:00 as six 16-bit numbers: bytes 24 to 35 of the header */
	static const uint8_t date[12] = { 0x07, 0xEA, 0, 1, 0, 1 };
	static uint8_t icc[65536];
	cmsUInt32Number n = 0;

	if (!cmsSaveProfileToMem(p, NULL, &n) || n > sizeof(icc) || !cmsSaveProfileToMem(p, icc, &n))
		errx(1, "lcms2 does not save %s", name);
	cmsCloseProfile(p);
	memcpy(icc + 24, date, sizeof(date));
	save(dir, name, icc, n);
}

/* One node of the grid: inks to Lab, encoded as ICC version 2 does. */
static cmsInt32Number
ink_node(const cmsUInt16Number in[], cmsUInt16Number out[], void *to_lab)
{
	cmsFloat64Number rgb[3];
	cmsCIELab lab;

	for (int i = 0; i < 3; i++)
		rgb[i] = (1 - in[i] / 65535.0) * (1 - in[3] / 65535.0);
	cmsDoTransform(to_lab, rgb, &lab, 1);
	cmsFloat2LabEncodedV2(out, &lab);
	return 1;
}

static cmsHPROFILE
cmyk_profile(void)
{
	cmsHPROFILE p = cmsCreateProfilePlaceholder(NULL), rgb = srgb_profile(), lab = cmsCreateLab2Profile(NULL);
	cmsHTRANSFORM to_lab = cmsCreateTransform(rgb, TYPE_RGB_DBL, lab, TYPE_Lab_DBL, INTENT_RELATIVE_COLORIMETRIC, 0);
	cmsStage *grid = cmsStageAllocCLut16bit(NULL, 6, 4, 3, NULL);
	cmsPipeline *lut = cmsPipelineAlloc(NULL, 4, 3);
	cmsMLU *name = cmsMLUalloc(NULL, 1);

	if (p == NULL || to_lab == NULL || grid == NULL || lut == NULL || name == NULL ||
	    !cmsStageSampleCLut16bit(grid, ink_node, to_lab, 0) || !cmsPipelineInsertStage(lut, cmsAT_END, grid) ||
	    !cmsMLUsetASCII(name, "en", "US", "Plain CMYK"))
		errx(1, "lcms2 makes no CMYK profile");
	cmsSetProfileVersion(p, 2.1);
	cmsSetDeviceClass(p, cmsSigInputClass);
	cmsSetColorSpace(p, cmsSigCmykData);
	cmsSetPCS(p, cmsSigLabData);
	if (!cmsWriteTag(p, cmsSigProfileDescriptionTag, name) || !cmsWriteTag(p, cmsSigCopyrightTag, name) ||
	    !cmsWriteTag(p, cmsSigMediaWhitePointTag, cmsD50_XYZ()) || !cmsWriteTag(p, cmsSigAToB0Tag, lut))
		errx(1, "lcms2 does not fill the CMYK profile");
	cmsPipelineFree(lut);
	cmsMLUfree(name);
	cmsDeleteTransform(to_lab);
	cmsCloseProfile(lab);
	cmsCloseProfile(rgb);
	return p;
}

int
main(int argc, char **argv)
{
	struct bytes f = { .n = 0 };

	if (argc != 2)
		errx(1, "usage: mkblobs DIR");
	save_profile(argv[1], "srgb.icc", srgb_profile());
	save_profile(argv[1], "cmyk.icc", cmyk_profile());
	glyphless(&f);
	save(argv[1], "glyphless.ttf", f.b, f.n);
	return 0;
}
