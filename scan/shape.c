#include <fribidi.h>
#include <inttypes.h>
#include <string.h>

#include "scan/shape.h"
#include "scan/unicode.h"

/* Characters of one direction and one script. */
struct run {
	uint16_t from, n;
	FriBidiLevel level;
	hb_script_t script;
};

/* --- directions and scripts ----------------------------------------------------------------- */

static int
levels_of(const struct shape *s, FriBidiLevel *levels, struct err *e)
{
	FriBidiCharType types[SHAPE_CHARS];
	FriBidiBracketType brackets[SHAPE_CHARS];
	FriBidiParType base = FRIBIDI_PAR_ON;
	FriBidiStrIndex n = (FriBidiStrIndex)s->nchars;

	fribidi_get_bidi_types(s->chars, n, types);
	fribidi_get_bracket_types(s->chars, n, types, brackets);
	if (fribidi_get_par_embedding_levels_ex(types, brackets, n, &base, levels) == 0)
		return err_set(e, ERR_MEM, "stamp: no memory to order its text");
	return 0;
}

/* What belongs to no script of its own (blanks, digits, marks) goes with the one before it. */
static uint16_t
runs_of(const struct shape *s, const FriBidiLevel *levels, struct run *runs)
{
	hb_unicode_funcs_t *unicode = hb_unicode_funcs_get_default();
	uint16_t n = 0;

	for (uint16_t i = 0; i < s->nchars; i++) {
		hb_script_t script = hb_unicode_script(unicode, s->chars[i]);
		struct run *r = n == 0 ? NULL : &runs[n - 1];
		bool own = script != HB_SCRIPT_COMMON && script != HB_SCRIPT_INHERITED && script != HB_SCRIPT_UNKNOWN;

		if (r != NULL && r->level == levels[i] && (!own || r->script == HB_SCRIPT_COMMON || r->script == script)) {
			r->n++;
			if (own)
				r->script = script;
		} else {
			runs[n] = (struct run){ .from = i, .n = 1, .level = levels[i], .script = own ? script : HB_SCRIPT_COMMON };
			n++;
		}
	}
	return n;
}

/* From the highest level down to the lowest odd one, what is at least as deep is turned (UAX #9, L2). */
static void
put_in_order(struct run *runs, uint16_t n)
{
	FriBidiLevel deepest = 0;

	for (uint16_t i = 0; i < n; i++)
		deepest = runs[i].level > deepest ? runs[i].level : deepest;
	for (FriBidiLevel level = deepest; level > 0; level--)
		for (uint16_t i = 0; i < n; i++) {
			uint16_t end = i;

			while (end < n && runs[end].level >= level)
				end++;
			for (uint16_t a = i, b = end; a + 1 < b; a++, b--) {
				struct run kept = runs[a];

				runs[a] = runs[b - 1];
				runs[b - 1] = kept;
			}
			i = end;
		}
}

/* --- glyphs ---------------------------------------------------------------------------------- */

/* Letters that stand apart in search and copying stay apart: no ligatures for looks where each letter has its own. */
static void
shape_buffer(hb_font_t *font, hb_buffer_t *b, hb_script_t script)
{
	static const hb_feature_t plain[] = {
		{ HB_TAG('l', 'i', 'g', 'a'), 0, HB_FEATURE_GLOBAL_START, HB_FEATURE_GLOBAL_END },
		{ HB_TAG('c', 'l', 'i', 'g'), 0, HB_FEATURE_GLOBAL_START, HB_FEATURE_GLOBAL_END },
	};
	bool apart = script == HB_SCRIPT_LATIN || script == HB_SCRIPT_GREEK || script == HB_SCRIPT_CYRILLIC || script == HB_SCRIPT_COMMON;

	hb_shape(font, b, plain, apart ? 2 : 0);
}

/* Where the next cluster of the run begins. */
static uint16_t
cluster_end(const hb_glyph_info_t *info, unsigned n, const struct run *r, uint32_t cluster)
{
	uint32_t end = (uint32_t)r->from + r->n;

	for (unsigned i = 0; i < n; i++)
		if (info[i].cluster > cluster && info[i].cluster < end)
			end = info[i].cluster;
	return (uint16_t)end;
}

/* The first of the cluster's characters that has no glyph; marks may have none beside a letter that has. */
static int
missing(hb_font_t *font, const struct shape *s, const struct shape_glyph *g, struct err *e)
{
	uint32_t c = s->chars[g->from];
	hb_codepoint_t glyph;
	char utf8[5];

	for (uint16_t i = 0; i < g->n; i++)
		if (!hb_font_get_nominal_glyph(font, s->chars[g->from + i], &glyph)) {
			c = s->chars[g->from + i];
			break;
		}
	unicode_utf8(c, utf8);
	return err_set(e, ERR_STAMP, "stamp: the font has no sign for U+%04" PRIX32 " (%s); one that has it goes into look.font", c, utf8);
}

static int
append(struct shape *s, hb_font_t *font, hb_buffer_t *b, const struct run *r, struct err *e)
{
	unsigned n, npos;
	const hb_glyph_info_t *info = hb_buffer_get_glyph_infos(b, &n);
	const hb_glyph_position_t *pos = hb_buffer_get_glyph_positions(b, &npos);

	if (!hb_buffer_allocation_successful(b))
		return err_set(e, ERR_MEM, "stamp: no memory for its text");
	if (n > SHAPE_GLYPHS - s->nglyphs)
		return err_set(e, ERR_STAMP, "stamp: a line of more than %d glyphs", SHAPE_GLYPHS);
	for (unsigned i = 0; i < n; i++) {
		struct shape_glyph *g = &s->glyphs[s->nglyphs++];

		*g = (struct shape_glyph){ .glyph = info[i].codepoint, .x = pos[i].x_offset, .y = pos[i].y_offset,
			.advance = pos[i].x_advance, .from = (uint16_t)info[i].cluster,
			.n = (uint16_t)(cluster_end(info, n, r, info[i].cluster) - info[i].cluster) };
		if (g->glyph == 0)
			return missing(font, s, g, e);
	}
	return 0;
}

static int
shape_run(hb_font_t *font, struct shape *s, const struct run *r, struct err *e)
{
	hb_buffer_t *b = hb_buffer_create();
	int ret;

	hb_buffer_add_utf32(b, s->chars, (int)s->nchars, r->from, r->n);
	hb_buffer_set_direction(b, r->level % 2 == 0 ? HB_DIRECTION_LTR : HB_DIRECTION_RTL);
	hb_buffer_set_script(b, r->script);
	shape_buffer(font, b, r->script);
	ret = append(s, font, b, r, e);
	hb_buffer_destroy(b);
	return ret;
}

int
shape_line(hb_font_t *font, const char *utf8, struct shape *ret, struct err *e)
{
	FriBidiLevel levels[SHAPE_CHARS];
	struct run runs[SHAPE_CHARS];
	uint16_t n;
	uint32_t c;
	int r = 0;

	ret->nchars = ret->nglyphs = 0;
	while (ret->nchars < SHAPE_CHARS && unicode_next(&utf8, &c))
		ret->chars[ret->nchars++] = unicode_shown(c) ? c : ' ';
	if (ret->nchars == 0)
		return 0;
	if ((r = levels_of(ret, levels, e)) < 0)
		return r;
	n = runs_of(ret, levels, runs);
	put_in_order(runs, n);
	for (uint16_t i = 0; i < n && r == 0; i++)
		r = shape_run(font, ret, &runs[i], e);
	return r;
}
