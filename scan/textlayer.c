#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"

#include "scan/blobs.h"
#include "scan/textlayer.h"
#include "scan/unicode.h"
#include "scan/view.h"

#define SAME_BASELINE 5     /* 1/2 pt */
#define UNIT 100            /* mpt in the unit of the operators: 1/10 pt */
#define PRIVATE_FIRST 0xE000u
#define PRIVATE_COUNT 6400u /* U+E000 to U+F8FF */
#define WORD_GAP 16         /* per cent of the size: readers that part words by their place want more than 15 */
#define ASCENT 750          /* of the glyphless font (scan/gen/mkblobs.c) */
#define DESCENT (-250)
#define MAP_LEN ((size_t)131072)
#define BFCHAR_MAX 100u     /* entries a block, PDF's CMap limit */

struct textlayer {
	uint32_t font; /* 0: not used yet */
	uint32_t nprivate;
	uint32_t privates[PRIVATE_COUNT]; /* code point of code PRIVATE_FIRST + i */
	uint8_t used[65536 / 8];          /* codes */
};

/* A line: words of one line number that have something to show. */
struct line {
	uint32_t from, to; /* words [from, to) */
	int32_t size;      /* font size, UNIT */
};

/* Where the operators stand. */
struct pen {
	int32_t x, y, size;
	const char *font; /* its name */
};

int
textlayer_new(struct textlayer **ret, struct err *e)
{
	struct textlayer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ERR_MEM, "text layer: no memory");
	*ret = t;
	return 0;
}

void
textlayer_free(struct textlayer *t)
{
	free(t);
}

static uint16_t
code_of(struct textlayer *t, uint32_t c)
{
	uint32_t code = c;

	if (c > 0xFFFF || (c >= PRIVATE_FIRST && c < PRIVATE_FIRST + PRIVATE_COUNT)) {
		uint32_t i = 0;

		while (i < t->nprivate && t->privates[i] != c)
			i++;
		if (i == PRIVATE_COUNT)
			return code_of(t, UNICODE_REPLACEMENT);
		if (i == t->nprivate)
			t->privates[t->nprivate++] = c;
		code = PRIVATE_FIRST + i;
	}
	t->used[code / 8] |= (uint8_t)(1u << (code % 8));
	return (uint16_t)code;
}

/* Glyphs a word shows. */
static int32_t
glyphs_of(const struct word *w)
{
	const char *s = w->text;
	uint32_t c;
	int32_t n = 0;

	while (unicode_next(&s, &c))
		n += unicode_shown(c);
	return n;
}

static bool
word_shown(const struct word *w)
{
	return (int64_t)w->box.x1 - w->box.x0 >= UNIT && w->box.y1 > w->box.y0 && glyphs_of(w) > 0;
}

static uint32_t
next_shown(const struct pagefile *pf, uint32_t i)
{
	while (i < pf->nwords && !word_shown(&pf->words[i]))
		i++;
	return i;
}

/*
 * One byte pair of a literal string: half the size of hex, and it deflates
 * better.  A bare CR would be read as LF, so it is escaped like the parentheses.
 */
static void
put_code(struct buf *b, uint16_t code)
{
	uint8_t pair[2] = { (uint8_t)(code >> 8), (uint8_t)code };

	for (int i = 0; i < 2; i++) {
		if (pair[i] == '\r')
			buf_put(b, "\\r", 2);
		else if (pair[i] == '(' || pair[i] == ')' || pair[i] == '\\')
			buf_put(b, (uint8_t[]){ '\\', pair[i] }, 2);
		else
			buf_put_u8(b, pair[i]);
	}
}

/* Horizontal scaling in per cent, with a decimal only where leaving it out would show. */
static void
put_scale(struct buf *b, int64_t width, int64_t advance)
{
	int64_t tenths = (1000 * width + advance / 2) / advance;
	int64_t whole = (tenths + 5) / 10;
	int64_t off = llabs(whole * advance / 100 - width);

	if (tenths < 1)
		tenths = 1;
	if (whole > 0 && off <= 1)
		buf_printf(b, "%" PRId64 " Tz", whole);
	else
		buf_printf(b, "%" PRId64 ".%" PRId64 " Tz", tenths / 10, tenths % 10);
}

/* The width a word is given: its box's, less what would not leave a gap before the word behind it. */
static int64_t
width_of(const struct word *w, const struct word *next, int32_t size)
{
	int64_t width = ((int64_t)w->box.x1 - w->box.x0) / UNIT;
	int64_t room = next == NULL ? 0 : ((int64_t)next->box.x0 - w->box.x0) / UNIT - 1 - (int64_t)size * WORD_GAP / 100;

	if (room <= 0 || room >= width)
		return width;
	return room > width / 2 ? room : (width + 1) / 2;
}

/* 'next' stands behind it on its line, or is NULL. */
static void
put_word(struct textlayer *t, const struct word *w, const struct word *next, int32_t size, struct buf *b)
{
	const char *s = w->text;
	uint32_t c;

	put_scale(b, width_of(w, next, size), (int64_t)glyphs_of(w) * size / 2);
	buf_put(b, "(", 1);
	while (unicode_next(&s, &c))
		if (unicode_shown(c))
			put_code(b, code_of(t, c));
	if (next != NULL)
		put_code(b, code_of(t, ' '));
	buf_put(b, ")Tj\n", 4);
}

/* The line that begins with word 'from', its size by the highest rise over the baseline. */
static struct line
line_at(const struct pagefile *pf, uint32_t from)
{
	const struct word *first = &pf->words[from];
	struct line l = { .from = from, .to = from };
	int64_t rise = 0, height = 0;

	while (l.to < pf->nwords && pf->words[l.to].line == first->line && pf->words[l.to].block == first->block) {
		const struct word *w = &pf->words[l.to++];

		if (!word_shown(w))
			continue;
		if ((int64_t)w->base - w->box.y0 > rise)
			rise = (int64_t)w->base - w->box.y0;
		if ((int64_t)w->box.y1 - w->box.y0 > height)
			height = (int64_t)w->box.y1 - w->box.y0;
	}
	if (rise <= 0 || rise > height) /* a baseline outside of its words is none */
		rise = height * ASCENT / (ASCENT - DESCENT);
	l.size = (int32_t)((rise * 1000 / ASCENT + UNIT / 2) / UNIT);
	if (l.size < 10)
		l.size = 10;
	return l;
}

/* The baseline's y in the view, up from the bottom. */
static int32_t
baseline(const struct word *w, int64_t view_h)
{
	int64_t base = w->base;

	if (base <= w->box.y0 || base > w->box.y1)
		base = w->box.y1 + ((int64_t)w->box.y1 - w->box.y0) * DESCENT / (ASCENT - DESCENT);
	return (int32_t)((view_h - base + UNIT / 2) / UNIT);
}

static void
put_line(struct textlayer *t, const struct pagefile *pf, const struct line *l, int64_t view_h, struct pen *pen,
    struct buf *b)
{
	/* sizes of neighbouring lines that differ by a hair are one size to the eye */
	if (abs(l->size - pen->size) * 25 > pen->size) {
		pen->size = l->size;
		buf_printf(b, "%s %" PRId32 " Tf\n", pen->font, pen->size);
	}
	for (uint32_t i = l->from, next; i < l->to; i = next) {
		const struct word *w = &pf->words[i];
		int32_t x = (int32_t)(((int64_t)w->box.x0 + UNIT / 2) / UNIT), y = baseline(w, view_h);

		next = next_shown(pf, i + 1);
		if (i > l->from && abs(y - pen->y) <= SAME_BASELINE)
			y = pen->y;
		buf_printf(b, "%" PRId32 " %" PRId32 " Td ", x - pen->x, y - pen->y);
		pen->x = x;
		pen->y = y;
		put_word(t, w, next < l->to ? &pf->words[next] : NULL, pen->size, b);
	}
}

/* Where the layer's units of 1/10 pt stand: turned upright, from the corner at the bottom left. */
static void
put_matrix(struct buf *b, const struct view *v)
{
	int turn[4];
	int64_t at[2];
	uint64_t scale = (uint64_t)UNIT * 1000000 / v->unit; /* user space counts in UserUnits */

	view_turn(v, turn);
	view_corner(v, &at[0], &at[1]);
	buf_printf(b, "q");
	for (int k = 0; k < 4; k++)
		if (turn[k] == 0)
			buf_printf(b, " 0");
		else if (v->unit == 1000)
			buf_printf(b, " %s.1", turn[k] < 0 ? "-" : "");
		else
			buf_printf(b, " %s%" PRIu64 ".%06" PRIu64, turn[k] < 0 ? "-" : "", scale / 1000000, scale % 1000000);
	for (int k = 0; k < 2; k++)
		buf_printf(b, " %s%" PRId64 ".%03" PRId64, at[k] < 0 ? "-" : "", labs(at[k]) / 1000, labs(at[k]) % 1000);
	buf_printf(b, " cm\nBT 3 Tr\n");
}

bool
textlayer_words(struct textlayer *t, const struct pagefile *pf, const struct view *v, const char *font, struct buf *b)
{
	struct pen pen = { .font = font };
	int64_t w, h;
	uint32_t i = next_shown(pf, 0);

	if (i == pf->nwords)
		return false;
	view_size(v, &w, &h);
	put_matrix(b, v);
	while (i < pf->nwords) {
		struct line l = line_at(pf, i);

		put_line(t, pf, &l, h, &pen, b);
		i = next_shown(pf, l.to);
	}
	buf_printf(b, "ET Q\n");
	return true;
}

bool
textlayer_page(struct textlayer *t, const struct pagefile *pf, struct buf *b)
{
	struct view v = { .x1 = pf->media_w, .y1 = pf->media_h, .rotate = pf->rotate, .unit = 1000 };

	return textlayer_words(t, pf, &v, "/F0", b);
}

uint32_t
textlayer_font(struct textlayer *t, struct pdf *p)
{
	if (t->font == 0)
		t->font = pdf_new(p);
	return t->font;
}

static void
put_bfchars(struct buf *b, const struct tounicode *map, size_t n)
{
	uint8_t u[4];

	for (size_t i = 0; i < n; i++) {
		if (i % BFCHAR_MAX == 0)
			buf_printf(b, "%zu beginbfchar\n", n - i < BFCHAR_MAX ? n - i : BFCHAR_MAX);
		buf_printf(b, "<%04X> <", (unsigned)map[i].code);
		for (size_t j = 0; j < TOUNICODE_MAX && (j == 0 || map[i].c[j] != 0); j++)
			for (size_t k = 0, len = unicode_utf16(map[i].c[j], u); k < len; k++)
				buf_printf(b, "%02X", (unsigned)u[k]);
		buf_printf(b, ">\n");
		if (i + 1 == n || i % BFCHAR_MAX == BFCHAR_MAX - 1)
			buf_printf(b, "endbfchar\n");
	}
}

void
textlayer_tounicode(struct pdf *p, uint32_t number, const struct tounicode *map, size_t n)
{
	AUTO_BUF b;
	struct err e = { .code = ERR_OK };

	buf_init(&b, 1024 + n * 64); /* what stands round a map of few letters is longer than the map */
	buf_printf(&b, "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
	    "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
	    "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
	    "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n");
	put_bfchars(&b, map, n);
	buf_printf(&b, "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n");
	if (!buf_ok(&b)) {
		err_set(&e, ERR_MEM, "text layer: no memory for the character map");
		pdf_fail(p, &e);
		return;
	}
	pdf_stream(p, number, "", b.data, b.len, PDF_DEFLATE);
}

static void
put_map(struct textlayer *t, struct pdf *p, uint32_t number)
{
	size_t n = 0;
	AUTO_FREE struct tounicode *map = calloc(65536, sizeof(*map));
	struct err e = { .code = ERR_OK };

	if (map == NULL) {
		err_set(&e, ERR_MEM, "text layer: no memory for the character map");
		pdf_fail(p, &e);
		return;
	}
	for (uint32_t code = 0; code < 65536; code++) {
		bool private = code >= PRIVATE_FIRST && code < PRIVATE_FIRST + PRIVATE_COUNT;

		if (t->used[code / 8] & (1u << (code % 8)))
			map[n++] = (struct tounicode){ (uint16_t)code, { private ? t->privates[code - PRIVATE_FIRST] : code } };
	}
	textlayer_tounicode(p, number, map, n);
}

/* Every code shows glyph 1; glyph 0 is .notdef, which ISO 19005-2, 6.2.11.8 forbids even unseen. */
static void
put_glyph_map(struct pdf *p, uint32_t number)
{
	AUTO_FREE uint8_t *map = malloc(MAP_LEN);
	struct err e = { .code = ERR_OK };

	if (map == NULL) {
		err_set(&e, ERR_MEM, "text layer: no memory for the glyph map");
		pdf_fail(p, &e);
		return;
	}
	for (size_t i = 0; i < MAP_LEN; i += 2) {
		map[i] = 0;
		map[i + 1] = 1;
	}
	pdf_stream(p, number, "", map, MAP_LEN, PDF_DEFLATE);
}

void
textlayer_end(struct textlayer *t, struct pdf *p)
{
	size_t len = blob_len(blob_glyphless, blob_glyphless_end);
	uint32_t cid, desc, file, map, uni;
	char dict[64];

	if (t->font == 0)
		return;
	cid = pdf_new(p);
	desc = pdf_new(p);
	file = pdf_new(p);
	map = pdf_new(p);
	uni = pdf_new(p);
	pdf_begin(p, t->font, 0);
	pdf_printf(p, "<</Type/Font/Subtype/Type0/BaseFont/SealroomGlyphless/Encoding/Identity-H"
	    "/DescendantFonts[%" PRIu32 " 0 R]/ToUnicode %" PRIu32 " 0 R>>", cid, uni);
	pdf_end(p);
	pdf_begin(p, cid, 0);
	pdf_printf(p, "<</Type/Font/Subtype/CIDFontType2/BaseFont/SealroomGlyphless/CIDSystemInfo<</Registry(Adobe)"
	    "/Ordering(Identity)/Supplement 0>>/FontDescriptor %" PRIu32 " 0 R/DW 500/CIDToGIDMap %" PRIu32 " 0 R>>",
	    desc, map);
	pdf_end(p);
	pdf_begin(p, desc, 0);
	pdf_printf(p, "<</Type/FontDescriptor/FontName/SealroomGlyphless/Flags 5/FontBBox[0 %d 500 %d]/ItalicAngle 0"
	    "/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %" PRIu32 " 0 R>>", DESCENT, ASCENT, ASCENT, DESCENT,
	    ASCENT, file);
	pdf_end(p);
	snprintf(dict, sizeof(dict), "/Length1 %zu", len);
	pdf_stream(p, file, dict, blob_glyphless, len, PDF_DEFLATE);
	put_glyph_map(p, map);
	put_map(t, p, uni);
}
