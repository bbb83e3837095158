#include <hb-ot.h>
#include <hb-subset.h>
#include <hb.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/hash.h"
#include "agent/lib/io.h"

#include "scan/blobs.h"
#include "scan/shape.h"
#include "scan/stampfont.h"
#include "scan/textlayer.h"
#include "scan/unicode.h"

#define NAME_MAX_PDF 64
#define CODES_MAX 65536 /* of a font in PDF: two bytes each */

struct stampfont {
	hb_face_t *full, *face; /* all of it, the subset */
	hb_font_t *whole, *font; /* the same, to measure by */
	hb_subset_plan_t *plan;
	const hb_map_t *codes;   /* the plan's: glyph of the whole -> of the subset, its code in PDF */
	unsigned upem;
	uint32_t nlines;
	struct shape lines[MSG_LINES_MAX];
	size_t nmap;
	struct tounicode *map;   /* ascending code; what each stands for */
};

void
stampfont_free(struct stampfont *f)
{
	if (f == NULL)
		return;
	hb_subset_plan_destroy(f->plan);
	hb_font_destroy(f->font);
	hb_font_destroy(f->whole);
	hb_face_destroy(f->face);
	hb_face_destroy(f->full);
	free(f->map);
	free(f);
}

static bool
has_table(hb_face_t *face, const char *tag)
{
	hb_blob_t *b = hb_face_reference_table(face, hb_tag_from_string(tag, 4));
	bool there = hb_blob_get_length(b) > 0;

	hb_blob_destroy(b);
	return there;
}

/* Outlines of the TrueType kind, as FontFile2 and CIDFontType2 have them (ISO 32000-1, 9.9). */
static int
load(struct stampfont *f, const struct look_file *file, struct err *e)
{
	const void *data = file->data != NULL ? file->data : blob_stamp_font;
	size_t len = file->data != NULL ? file->len : blob_len(blob_stamp_font, blob_stamp_font_end);
	hb_blob_t *blob = hb_blob_create(data, (unsigned)len, HB_MEMORY_MODE_READONLY, NULL, NULL);

	f->full = hb_face_create(blob, 0);
	hb_blob_destroy(blob);
	f->whole = hb_font_create(f->full);
	f->upem = hb_face_get_upem(f->full);
	if (!has_table(f->full, "glyf") || !has_table(f->full, "cmap"))
		return err_set(e, ERR_CONF, "not a TrueType font; one with TrueType outlines (mostly .ttf) is needed");
	return 0;
}

/* HarfBuzz shows what it has no memory for as empty: is that why a sign is not found? */
static bool
has_signs(const struct stampfont *f)
{
	hb_set_t *all = hb_set_create();
	bool some;

	hb_face_collect_unicodes(f->full, all);
	some = !hb_set_is_empty(all);
	hb_set_destroy(all);
	return some;
}

static int
shape_lines(struct stampfont *f, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines, struct err *e)
{
	int r = 0;

	for (; f->nlines < nlines && r == 0; f->nlines++)
		r = shape_line(f->whole, lines[f->nlines], &f->lines[f->nlines], e);
	return r == -(int)ERR_STAMP && !has_signs(f) ? err_set(e, ERR_MEM, "stamp: no memory for the font") : r;
}

/* Layout tables and hints are of no use for glyphs that were placed. */
static hb_subset_input_t *
wanted(const struct stampfont *f)
{
	static const char *const drop[] = { "GSUB", "GPOS", "GDEF", "MATH", "kern", "FFTM" };
	hb_subset_input_t *in = hb_subset_input_create_or_fail();

	if (in == NULL)
		return NULL;
	for (uint32_t i = 0; i < f->nlines; i++)
		for (uint32_t j = 0; j < f->lines[i].nglyphs; j++)
			hb_set_add(hb_subset_input_glyph_set(in), f->lines[i].glyphs[j].glyph);
	for (size_t i = 0; i < sizeof(drop) / sizeof(drop[0]); i++)
		hb_set_add(hb_subset_input_set(in, HB_SUBSET_SETS_DROP_TABLE_TAG), hb_tag_from_string(drop[i], 4));
	hb_subset_input_set_flags(in, HB_SUBSET_FLAGS_NO_HINTING);
	return in;
}

static int
subset(struct stampfont *f, struct err *e)
{
	hb_subset_input_t *in = wanted(f);

	f->plan = in == NULL ? NULL : hb_subset_plan_create_or_fail(f->full, in);
	hb_subset_input_destroy(in);
	if (f->plan != NULL && (f->face = hb_subset_plan_execute_or_fail(f->plan)) != NULL)
		f->codes = hb_subset_plan_old_to_new_glyph_mapping(f->plan);
	return f->codes != NULL ? 0 : err_set(e, ERR_MEM, "stamp: the font could not be cut down");
}

static uint16_t
code_of(const struct stampfont *f, const struct shape_glyph *g)
{
	return (uint16_t)hb_map_get(f->codes, g->glyph);
}

/* --- what the codes stand for ------------------------------------------------------------------ */

static bool
alone(const struct shape *s, uint32_t i)
{
	const struct shape_glyph *g = s->glyphs;

	return (i == 0 || g[i - 1].from != g[i].from) && (i + 1 == s->nglyphs || g[i + 1].from != g[i].from);
}

/* How surely a glyph stands for some text: its character's own; a form of it; a ligature; one of several glyphs. */
enum tie { TIE_OWN, TIE_FORM, TIE_LIGATURE, TIE_PART, TIES };

static enum tie
tie_of(const struct stampfont *f, const struct shape *s, uint32_t i, uint32_t *ret_char)
{
	const struct shape_glyph *g = &s->glyphs[i];
	hb_codepoint_t own;

	*ret_char = s->chars[g->from];
	for (uint16_t k = 0; k < g->n; k++)
		if (hb_font_get_nominal_glyph(f->whole, s->chars[g->from + k], &own) && own == g->glyph) {
			*ret_char = s->chars[g->from + k];
			return TIE_OWN;
		}
	return !alone(s, i) ? TIE_PART : g->n == 1 ? TIE_FORM : TIE_LIGATURE;
}

/* Where several clusters share a glyph, the surest one says what it stands for. */
static void
collect(struct stampfont *f, struct tounicode *by_code, enum tie tie)
{
	for (uint32_t l = 0; l < f->nlines; l++)
		for (uint32_t i = 0; i < f->lines[l].nglyphs; i++) {
			const struct shape *s = &f->lines[l];
			const struct shape_glyph *g = &s->glyphs[i];
			struct tounicode *u = &by_code[code_of(f, g)];
			uint32_t c;

			if (u->c[0] != 0 || tie_of(f, s, i, &c) != tie)
				continue;
			u->c[0] = c;
			for (uint16_t k = 1; tie == TIE_LIGATURE && k < g->n && k < TOUNICODE_MAX; k++)
				u->c[k] = s->chars[g->from + k];
		}
}

static int
make_map(struct stampfont *f, struct err *e)
{
	unsigned count = hb_face_get_glyph_count(f->face);

	if (count > CODES_MAX || (f->map = calloc(count + 1, sizeof(*f->map))) == NULL)
		return err_set(e, ERR_MEM, "stamp: no memory for the font");
	for (enum tie tie = TIE_OWN; tie < TIES; tie++)
		collect(f, f->map, tie);
	for (unsigned code = 0; code < count; code++)
		if (f->map[code].c[0] != 0) {
			f->map[f->nmap] = f->map[code];
			f->map[f->nmap++].code = (uint16_t)code;
		}
	return 0;
}

static const struct tounicode *
stands_for(const struct stampfont *f, uint16_t code)
{
	size_t lo = 0, hi = f->nmap;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (f->map[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return &f->map[lo];
}

/* Do the codes of the cluster at i make up its text? */
static bool
says_so(const struct stampfont *f, const struct shape *s, uint32_t i, uint32_t n)
{
	const struct shape_glyph *g = &s->glyphs[i];
	const struct tounicode *u = stands_for(f, code_of(f, g));

	if (n != 1 || g->n > TOUNICODE_MAX)
		return false;
	for (uint16_t k = 0; k < TOUNICODE_MAX; k++)
		if (u->c[k] != (k < g->n ? s->chars[g->from + k] : 0))
			return false;
	return true;
}

int
stampfont_open(struct stampfont **ret, const struct look_file *file, const char (*lines)[MSG_TEXT_MAX], uint32_t nlines,
    struct err *e)
{
	struct stampfont *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, ERR_MEM, "stamp: no memory for the font");
	if (load(f, file, e) < 0 || shape_lines(f, lines, nlines, e) < 0 || subset(f, e) < 0 || make_map(f, e) < 0) {
		stampfont_free(f);
		return -(int)e->code;
	}
	f->font = hb_font_create(f->face);
	*ret = f;
	return 0;
}

/* --- drawing ------------------------------------------------------------------------------------- */

static int64_t
milli(const struct stampfont *f, int64_t units)
{
	return (units * 2000 + (units < 0 ? -(int64_t)f->upem : (int64_t)f->upem)) / (2 * (int64_t)f->upem);
}

/* Advance of a glyph in 1/1000 of the font size, as the font program has it. */
static int64_t
advance(const struct stampfont *f, hb_codepoint_t glyph)
{
	return milli(f, hb_font_get_glyph_h_advance(f->font, glyph));
}

int64_t
stampfont_width(const struct stampfont *f, uint32_t line)
{
	int64_t w = 0;

	for (uint32_t i = 0; i < f->lines[line].nglyphs; i++)
		w += milli(f, f->lines[line].glyphs[i].advance);
	return w;
}

/* Glyphs of one height above the baseline, in an array of TJ; spare: what the pen still has to go back by. */
struct pen {
	struct buf *out;
	int64_t size, rise, spare;
	bool array, text; /* "[" and "<" are open */
};

static void
pen_lift(struct pen *p)
{
	buf_printf(p->out, "%s%s", p->text ? ">" : "", p->array ? "]TJ\n" : "");
	p->array = p->text = false;
}

static void
pen_rise(struct pen *p, int64_t rise)
{
	int64_t v = rise * p->size / 1000, a = v < 0 ? -v : v;

	if (rise == p->rise)
		return;
	pen_lift(p);
	buf_printf(p->out, "%s%" PRId64 ".%03" PRId64 " Ts\n", v < 0 ? "-" : "", a / 1000, a % 1000);
	p->rise = rise;
}

static void
pen_glyph(struct pen *p, const struct stampfont *f, const struct shape_glyph *g)
{
	uint16_t code = code_of(f, g);
	int64_t x = milli(f, g->x), back = p->spare - x;

	pen_rise(p, milli(f, g->y));
	if (!p->array)
		buf_printf(p->out, "[");
	if (back != 0)
		buf_printf(p->out, "%s%" PRId64, p->text ? ">" : "", back);
	if (back != 0 || !p->text)
		buf_printf(p->out, "<");
	buf_printf(p->out, "%04X", (unsigned)code);
	p->array = p->text = true;
	p->spare = x + advance(f, code) - milli(f, g->advance);
}

static void
put_actual(struct buf *b, const struct shape *s, const struct shape_glyph *g)
{
	uint8_t u[4];

	buf_printf(b, "/Span<</ActualText<FEFF");
	for (uint16_t k = 0; k < g->n; k++)
		for (size_t j = 0, len = unicode_utf16(s->chars[g->from + k], u); j < len; j++)
			buf_printf(b, "%02X", (unsigned)u[j]);
	buf_printf(b, ">>>BDC\n");
}

void
stampfont_show(const struct stampfont *f, uint32_t line, int64_t size, struct buf *content)
{
	const struct shape *s = &f->lines[line];
	struct pen p = { .out = content, .size = size };

	for (uint32_t i = 0, n; i < s->nglyphs; i += n) {
		bool said;

		for (n = 1; i + n < s->nglyphs && s->glyphs[i + n].from == s->glyphs[i].from; n++)
			;
		if (!(said = says_so(f, s, i, n))) {
			pen_lift(&p);
			put_actual(content, s, &s->glyphs[i]);
		}
		for (uint32_t k = 0; k < n; k++)
			pen_glyph(&p, f, &s->glyphs[i + k]);
		if (!said) {
			pen_lift(&p);
			buf_printf(content, "EMC\n");
		}
	}
	pen_rise(&p, 0);
	pen_lift(&p);
}

/* --- the font ------------------------------------------------------------------------------------- */

/* "ABCDEF+": six letters that differ between subsets (ISO 32000-1, 9.6.4), then the font's own name. */
static void
font_name(const struct stampfont *f, hb_blob_t *file, char out[NAME_MAX_PDF])
{
	uint8_t digest[HASH_LEN];
	unsigned len, room = NAME_MAX_PDF - 7;
	const char *data = hb_blob_get_data(file, &len);
	char *to = out + 7;

	hash_bytes(data, len, digest);
	for (int i = 0; i < 6; i++)
		out[i] = (char)('A' + digest[i] % 26);
	out[6] = '+';
	hb_ot_name_get_utf8(f->full, HB_OT_NAME_ID_POSTSCRIPT_NAME, HB_LANGUAGE_INVALID, &room, to);
	for (const char *p = to; *p != '\0'; p++)
		if ((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') || *p == '-')
			*to++ = *p;
	*to = '\0';
	if (to == out + 7)
		strcpy(out + 7, "Font");
}

/* xMin yMin xMax yMax of 'head': of all glyphs of the font, so a bound for every subset, in 1/1000. */
static void
font_box(const struct stampfont *f, int box[4])
{
	hb_blob_t *head = hb_face_reference_table(f->full, HB_TAG('h', 'e', 'a', 'd'));
	unsigned len;
	const uint8_t *p = (const uint8_t *)hb_blob_get_data(head, &len);

	for (int i = 0; i < 4; i++) {
		int v = len < 44 ? 0 : (int16_t)(p[36 + 2 * i] << 8 | p[37 + 2 * i]);

		box[i] = (int)((int64_t)v * 1000 / (int64_t)f->upem);
	}
	hb_blob_destroy(head);
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
	int descent = metric(f, HB_OT_METRICS_TAG_HORIZONTAL_DESCENDER, -236), box[4];

	font_box(f, box);
	pdf_begin(p, number, 0);
	pdf_printf(p, "<</Type/FontDescriptor/FontName/%s/Flags 4/FontBBox[%d %d %d %d]/ItalicAngle 0"
	    "/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %" PRIu32 " 0 R", name, box[0], box[1], box[2], box[3],
	    ascent, descent, metric(f, HB_OT_METRICS_TAG_CAP_HEIGHT, 729), file);
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
	char name[NAME_MAX_PDF], dict[64];

	font_name(f, blob, name);
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
