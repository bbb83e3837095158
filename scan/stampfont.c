#include <hb-ot.h>
#include <hb-subset.h>
#include <hb.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"

#include "scan/blobs.h"
#include "scan/stampfont.h"
#include "scan/textlayer.h"
#include "scan/unicode.h"

#define CHARS_MAX (MSG_LINES_MAX * MSG_TEXT_MAX)

struct stampfont {
	hb_face_t *full, *face; /* all of it, the subset */
	hb_font_t *font;        /* the subset; glyph numbers are its own */
	unsigned upem;
	size_t nmap;
	struct tounicode map[CHARS_MAX]; /* glyph of the subset, character it shows */
};

void
stampfont_free(struct stampfont *f)
{
	if (f == NULL)
		return;
	hb_font_destroy(f->font);
	hb_face_destroy(f->face);
	hb_face_destroy(f->full);
	free(f);
}

/* Characters of the lines; controls are blanks. */
static uint32_t
shown(uint32_t c)
{
	return unicode_shown(c) ? c : ' ';
}

static int
want_glyphs(struct stampfont *f, const char *line, hb_set_t *want, struct err *e)
{
	hb_font_t *all = hb_font_create(f->full);
	hb_codepoint_t glyph;
	uint32_t c;
	int r = 0;

	while (r == 0 && unicode_next(&line, &c)) {
		c = shown(c);
		if (!hb_font_get_nominal_glyph(all, c, &glyph))
			r = err_set(e, ERR_STAMP, "stamp: the font has no sign for U+%04" PRIX32, c);
		hb_set_add(want, c);
	}
	hb_font_destroy(all);
	return r;
}

/* Layout tables and hints are of no use for glyphs placed one by one. */
static int
subset(struct stampfont *f, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines, struct err *e)
{
	static const char *const drop[] = { "GSUB", "GPOS", "GDEF", "MATH", "kern", "FFTM" };
	hb_subset_input_t *in = hb_subset_input_create_or_fail();
	int r = 0;

	if (in == NULL)
		return err_set(e, ERR_MEM, "stamp: no memory for the font");
	for (uint32_t i = 0; r == 0 && i < nlines; i++)
		r = want_glyphs(f, lines[i], hb_subset_input_unicode_set(in), e);
	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++)
		hb_set_add(hb_subset_input_set(in, HB_SUBSET_SETS_DROP_TABLE_TAG), hb_tag_from_string(drop[i], 4));
	hb_subset_input_set_flags(in, HB_SUBSET_FLAGS_NO_HINTING);
	if (r == 0 && (f->face = hb_subset_or_fail(f->full, in)) == NULL)
		r = err_set(e, ERR_MEM, "stamp: the font could not be cut down");
	hb_subset_input_destroy(in);
	return r;
}

static hb_codepoint_t
glyph_of(const struct stampfont *f, uint32_t c)
{
	hb_codepoint_t glyph = 0;

	hb_font_get_nominal_glyph(f->font, shown(c), &glyph);
	return glyph;
}

static int
by_code(const void *a, const void *b)
{
	const struct tounicode *x = a, *y = b;

	return (x->code > y->code) - (x->code < y->code);
}

/* Which character each glyph stands for; the first one where two share a glyph. */
static void
collect(struct stampfont *f, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines)
{
	size_t n = 0, kept = 0;
	uint32_t c;

	for (uint32_t i = 0; i < nlines; i++)
		for (const char *s = lines[i]; n < CHARS_MAX && unicode_next(&s, &c);)
			f->map[n++] = (struct tounicode){ (uint16_t)glyph_of(f, c), shown(c) };
	qsort(f->map, n, sizeof(f->map[0]), by_code);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || f->map[kept - 1].code != f->map[i].code)
			f->map[kept++] = f->map[i];
	f->nmap = kept;
}

int
stampfont_open(struct stampfont **ret, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines, struct err *e)
{
	struct stampfont *f = calloc(1, sizeof(*f));
	hb_blob_t *blob = hb_blob_create((const char *)blob_stamp_font,
	    (unsigned)blob_len(blob_stamp_font, blob_stamp_font_end), HB_MEMORY_MODE_READONLY, NULL, NULL);

	if (f == NULL) {
		hb_blob_destroy(blob);
		return err_set(e, ERR_MEM, "stamp: no memory for the font");
	}
	f->full = hb_face_create(blob, 0);
	hb_blob_destroy(blob);
	if (subset(f, lines, nlines, e) < 0) {
		stampfont_free(f);
		return -(int)e->code;
	}
	f->font = hb_font_create(f->face);
	f->upem = hb_face_get_upem(f->face);
	collect(f, lines, nlines);
	*ret = f;
	return 0;
}

/* Advance of a glyph in 1/1000 of the font size, as the font program has it. */
static int64_t
advance(const struct stampfont *f, hb_codepoint_t glyph)
{
	return ((int64_t)hb_font_get_glyph_h_advance(f->font, glyph) * 1000 + f->upem / 2) / f->upem;
}

int64_t
stampfont_width(const struct stampfont *f, const char *line)
{
	int64_t w = 0;
	uint32_t c;

	while (unicode_next(&line, &c))
		w += advance(f, glyph_of(f, c));
	return w;
}

void
stampfont_show(const struct stampfont *f, const char *line, struct buf *content)
{
	uint32_t c;

	buf_printf(content, "<");
	while (unicode_next(&line, &c))
		buf_printf(content, "%04X", (unsigned)glyph_of(f, c));
	buf_printf(content, "> Tj\n");
}

/* "ABCDEF+": six letters that differ between subsets (ISO 32000-1, 9.6.4). */
static void
font_name(hb_blob_t *file, char out[32])
{
	uint8_t digest[HASH_LEN];
	unsigned len;
	const char *data = hb_blob_get_data(file, &len);

	hash_bytes(data, len, digest);
	for (int i = 0; i < 6; i++)
		out[i] = (char)('A' + digest[i] % 26);
	strcpy(out + 6, "+DejaVuSans");
}

/* Ascent and the like, from the font's own tables, in 1/1000. */
static int
metric(const struct stampfont *f, hb_ot_metrics_tag_t tag, int fallback)
{
	hb_position_t v;

	if (!hb_ot_metrics_get_position(f->font, tag, &v))
		return fallback;
	return (int)((int64_t)v * 1000 / (int64_t)f->upem);
}

static void
write_descriptor(const struct stampfont *f, struct pdf *p, uint32_t number, const char *name, uint32_t file,
    uint32_t cidset)
{
	int ascent = metric(f, HB_OT_METRICS_TAG_HORIZONTAL_ASCENDER, 928);
	int descent = metric(f, HB_OT_METRICS_TAG_HORIZONTAL_DESCENDER, -236);

	pdf_begin(p, number, 0);
	/* the box of the whole family, a bound for every subset */
	pdf_printf(p, "<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[-1021 -463 1793 1232]/ItalicAngle 0"
	    "/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %" PRIu32 " 0 R", name, ascent, descent,
	    metric(f, HB_OT_METRICS_TAG_CAP_HEIGHT, 729), file);
	if (cidset != 0)
		pdf_printf(p, "/CIDSet %" PRIu32 " 0 R", cidset);
	pdf_str(p, ">>");
	pdf_end(p);
}

static void
write_cidfont(const struct stampfont *f, struct pdf *p, uint32_t number, const char *name, uint32_t descriptor)
{
	unsigned count = hb_face_get_glyph_count(f->face);

	pdf_begin(p, number, 0);
	pdf_printf(p, "<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)"
	    "/Supplement 0>>/FontDescriptor %" PRIu32 " 0 R/CIDToGIDMap/Identity/DW 600/W[0[", name, descriptor);
	for (unsigned g = 0; g < count; g++)
		pdf_printf(p, "%s%" PRId64, g == 0 ? "" : " ", advance(f, g));
	pdf_str(p, "]]>>");
	pdf_end(p);
}

/* One bit a glyph, all set: the subset has no holes. */
static void
write_cidset(const struct stampfont *f, struct pdf *p, uint32_t number)
{
	uint8_t bits[65536 / 8] = { 0 };
	unsigned count = hb_face_get_glyph_count(f->face);

	for (unsigned g = 0; g < count && g < 65536; g++)
		bits[g / 8] |= (uint8_t)(0x80u >> (g % 8));
	pdf_stream(p, number, "", bits, (count + 7) / 8, PDF_DEFLATE);
}

uint32_t
stampfont_write(const struct stampfont *f, struct pdf *p, bool cidset)
{
	uint32_t font = pdf_new(p), cid = pdf_new(p), desc = pdf_new(p), file = pdf_new(p), uni = pdf_new(p);
	uint32_t set = cidset ? pdf_new(p) : 0;
	hb_blob_t *blob = hb_face_reference_blob(f->face);
	unsigned len;
	const char *data = hb_blob_get_data(blob, &len);
	char name[32], dict[64];

	font_name(blob, name);
	pdf_begin(p, font, 0);
	pdf_printf(p, "<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%" PRIu32 " 0 R]"
	    "/ToUnicode %" PRIu32 " 0 R>>", name, cid, uni);
	pdf_end(p);
	write_cidfont(f, p, cid, name, desc);
	write_descriptor(f, p, desc, name, file, set);
	if (set != 0)
		write_cidset(f, p, set);
	snprintf(dict, sizeof(dict), "/Length1 %u", len);
	pdf_stream(p, file, dict, data, len, PDF_DEFLATE);
	hb_blob_destroy(blob);
	textlayer_tounicode(p, uni, f->map, f->nmap);
	return font;
}
