#include <string.h>

#include "agent/lib/path.h"
#include "rules/fold.h"

struct range {
	uint32_t from, to;
	int32_t add; /* to the capital; EVEN or ODD: capitals stand there, each before its small letter */
};

/* Simple case folding (CaseFolding.txt, C and S) of Latin, Greek and Cyrillic. */
/* clang-format off */
#define EVEN INT32_MAX
#define ODD (INT32_MAX - 1)
static const struct range cases[] = {
	{ 0x0041, 0x005A, 32 },  { 0x00B5, 0x00B5, 775 }, { 0x00C0, 0x00D6, 32 },  { 0x00D8, 0x00DE, 32 },
	{ 0x0100, 0x012F, EVEN },{ 0x0132, 0x0137, EVEN },{ 0x0139, 0x0148, ODD }, { 0x014A, 0x0177, EVEN },
	{ 0x0178, 0x0178, -121 },{ 0x0179, 0x017E, ODD }, { 0x017F, 0x017F, -268 },{ 0x01CD, 0x01DC, ODD },
	{ 0x01DE, 0x01EF, EVEN },{ 0x01F8, 0x021F, EVEN },{ 0x0222, 0x0233, EVEN },
	{ 0x0386, 0x0386, 38 },  { 0x0388, 0x038A, 37 },  { 0x038C, 0x038C, 64 },  { 0x038E, 0x038F, 63 },
	{ 0x0391, 0x03A1, 32 },  { 0x03A3, 0x03AB, 32 },  { 0x03C2, 0x03C2, 1 },
	{ 0x0400, 0x040F, 80 },  { 0x0410, 0x042F, 32 },  { 0x0460, 0x0481, EVEN },{ 0x048A, 0x04BF, EVEN },
	{ 0x04C0, 0x04C0, 15 },  { 0x04C1, 0x04CE, ODD }, { 0x04D0, 0x052F, EVEN },
	{ 0x1E00, 0x1E95, EVEN },{ 0x1EA0, 0x1EFF, EVEN },{ 0x2126, 0x2126, -7517 },
	{ 0x212A, 0x212A, -8383 },{ 0x212B, 0x212B, -8262 },
};

/* Signs that are one or several plain ones to a reader. */
static const struct {
	uint32_t from, to;
	const char *plain;
} signs[] = {
	{ 0x00A0, 0x00A0, " " },  { 0x00AB, 0x00AB, "\"" }, { 0x00AD, 0x00AD, "" },   { 0x00B4, 0x00B4, "'" },
	{ 0x00BB, 0x00BB, "\"" }, { 0x2000, 0x200A, " " },  { 0x200B, 0x200F, "" },   { 0x2010, 0x2015, "-" },
	{ 0x2018, 0x201B, "'" },  { 0x201C, 0x201F, "\"" }, { 0x2026, 0x2026, "..." },{ 0x2028, 0x2029, " " },
	{ 0x202A, 0x202E, "" },   { 0x202F, 0x202F, " " },  { 0x2032, 0x2032, "'" },  { 0x2033, 0x2033, "\"" },
	{ 0x2039, 0x203A, "'" },  { 0x205F, 0x205F, " " },  { 0x2060, 0x2064, "" },   { 0x2212, 0x2212, "-" },
	{ 0x3000, 0x3000, " " },  { 0xFB00, 0xFB00, "ff" }, { 0xFB01, 0xFB01, "fi" }, { 0xFB02, 0xFB02, "fl" },
	{ 0xFB03, 0xFB03, "ffi" },{ 0xFB04, 0xFB04, "ffl" },{ 0xFB05, 0xFB06, "st" }, { 0xFE00, 0xFE0F, "" },
	{ 0xFEFF, 0xFEFF, "" },
};

/* Canonical composition (UnicodeData.txt), the letters of Europe. */
static const struct {
	uint32_t mark;
	const char *base, *composed;
} marks[] = {
	{ 0x0300, "AEIOUaeiou",             "ÀÈÌÒÙàèìòù" },
	{ 0x0301, "AEIOUYCLNRSZaeiouyclnrszαεηιουωΑΕΗΙΟΥΩгк", "ÁÉÍÓÚÝĆĹŃŔŚŹáéíóúýćĺńŕśźάέήίόύώΆΈΉΊΌΎΏѓќ" },
	{ 0x0302, "AEIOUCGHJSWYaeioucghjswy", "ÂÊÎÔÛĈĜĤĴŜŴŶâêîôûĉĝĥĵŝŵŷ" },
	{ 0x0303, "ANOIUanoiu",             "ÃÑÕĨŨãñõĩũ" },
	{ 0x0304, "AEIOUaeiou",             "ĀĒĪŌŪāēīōū" },
	{ 0x0306, "AGUEIOagueioИУиу",       "ĂĞŬĔĬŎăğŭĕĭŏЙЎйў" },
	{ 0x0307, "CEGIZcegz",              "ĊĖĠİŻċėġż" },
	{ 0x0308, "AEIOUYaeiouyЕеІіιυ",     "ÄËÏÖÜŸäëïöüÿЁёЇїϊϋ" },
	{ 0x030A, "AUau",                   "ÅŮåů" },
	{ 0x030B, "OUou",                   "ŐŰőű" },
	{ 0x030C, "CDENRSTZcdenrstz",       "ČĎĚŇŘŠŤŽčďěňřšťž" },
	{ 0x0327, "CGKLNRSTcgklnrst",       "ÇĢĶĻŅŖŞŢçģķļņŗşţ" },
	{ 0x0328, "AEIUaeiu",               "ĄĘĮŲąęįų" },
};

/* Neither letters nor digits, above ASCII. */
static const struct range others[] = {
	{ 0x0080, 0x00A9, 0 }, { 0x00AB, 0x00B1, 0 }, { 0x00B4, 0x00B4, 0 }, { 0x00B6, 0x00B8, 0 }, { 0x00BB, 0x00BF, 0 },
	{ 0x00D7, 0x00D7, 0 }, { 0x00F7, 0x00F7, 0 }, { 0x02C2, 0x02DF, 0 }, { 0x0300, 0x036F, 0 }, { 0x0387, 0x0387, 0 },
	{ 0x2000, 0x206F, 0 }, { 0x20A0, 0x20CF, 0 }, { 0x2190, 0x245F, 0 }, { 0x2500, 0x2BFF, 0 }, { 0x2E00, 0x2E7F, 0 },
	{ 0x3000, 0x3004, 0 }, { 0x3008, 0x3020, 0 }, { 0xD800, 0xF8FF, 0 }, { 0xFE00, 0xFE6F, 0 }, { 0xFEFF, 0xFF0F, 0 },
	{ 0xFF1A, 0xFF20, 0 }, { 0xFF3B, 0xFF40, 0 }, { 0xFF5B, 0xFF65, 0 }, { 0xFFE0, 0xFFFC, 0 },
};
/* clang-format on */

uint32_t
fold_case(uint32_t cp)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && cp >= cases[i].from; i++) {
		const struct range *r = &cases[i];

		if (cp > r->to)
			continue;
		if (r->add == EVEN || r->add == ODD)
			return (cp % 2 == 0) == (r->add == EVEN) ? cp + 1 : cp;
		return (uint32_t)((int64_t)cp + r->add);
	}
	return cp;
}

bool
fold_alnum(uint32_t cp)
{
	if (cp < 0x80)
		return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z');
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) && cp >= others[i].from; i++)
		if (cp <= others[i].to)
			return false;
	return true;
}

bool
fold_dash(uint32_t cp)
{
	return cp == '-' || cp == 0xAD || (cp >= 0x2010 && cp <= 0x2015) || cp == 0x2212;
}

static uint32_t
compose(uint32_t base, uint32_t mark)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		const char *b = marks[i].base, *c = marks[i].composed;
		const char *bend = b + strlen(b), *cend = c + strlen(c);

		if (marks[i].mark != mark)
			continue;
		while (b < bend) {
			uint32_t composed = utf8_next(&c, cend);

			if (utf8_next(&b, bend) == base)
				return composed;
		}
	}
	return base; /* a mark without a letter of ours: left out */
}

static uint32_t
composed_next(const char **s, const char *end)
{
	uint32_t cp = utf8_next(s, end);

	while (*s < end) {
		const char *ahead = *s;
		uint32_t mark = utf8_next(&ahead, end);

		if (mark < 0x0300 || mark > 0x036F)
			break;
		cp = compose(cp, mark);
		*s = ahead;
	}
	return cp;
}

/* Code points for one sign; a letter is itself. */
static size_t
plain(uint32_t cp, uint32_t out[FOLD_OUT])
{
	if (cp >= 0xFF01 && cp <= 0xFF5E) /* full width */
		cp -= 0xFEE0;
	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && cp >= signs[i].from; i++) {
		size_t n = 0;

		if (cp > signs[i].to)
			continue;
		for (const char *p = signs[i].plain; *p != '\0'; p++)
			out[n++] = (uint32_t)*p;
		return n;
	}
	out[0] = cp;
	return 1;
}

/* ASCII before ASCII, as most text is: nothing is composed, and only capitals change. */
static inline bool
fold_ascii(const char *s, const char *end, uint32_t *out)
{
	const uint8_t cp = (uint8_t)s[0];

	if (cp >= 0x80 || (end - s > 1 && (uint8_t)s[1] >= 0x80))
		return false;
	*out = cp >= 'A' && cp <= 'Z' ? cp + 32u : cp;
	return true;
}

size_t
fold_next(const char **s, const char *end, uint32_t out[FOLD_OUT])
{
	uint32_t cp;
	size_t n;

	if (fold_ascii(*s, end, out)) {
		(*s)++;
		return 1;
	}
	cp = composed_next(s, end);
	if (cp == 0x00DF || cp == 0x1E9E) { /* ß */
		out[0] = out[1] = 's';
		return 2;
	}
	n = plain(cp, out);
	for (size_t i = 0; i < n; i++)
		out[i] = fold_case(out[i]);
	return n;
}

/* Appends whole characters only. */
static bool
append(const uint32_t *cp, size_t n, char *dst, size_t size, size_t *len)
{
	for (size_t i = 0; i < n; i++) {
		char utf8[4];
		size_t bytes = utf8_put(cp[i], utf8);

		if (bytes >= size - *len)
			return false;
		memcpy(dst + *len, utf8, bytes);
		*len += bytes;
	}
	return true;
}

void
fold_plain(const char *text, char *dst, size_t size)
{
	const char *end = text + strlen(text);
	uint32_t out[FOLD_OUT];
	size_t len = 0;

	while (text < end) {
		size_t n = plain(composed_next(&text, end), out);

		if (!append(out, n, dst, size, &len))
			break;
	}
	dst[len] = '\0';
}

void
fold_text(const char *text, char *dst, size_t size)
{
	const char *end = text + strlen(text);
	uint32_t out[FOLD_OUT];
	size_t len = 0;

	while (text < end) {
		size_t n = fold_next(&text, end, out);

		if (!append(out, n, dst, size, &len))
			break;
	}
	dst[len] = '\0';
}

static uint32_t
least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Two rows of the matrix; ends as soon as a whole row is over max. */
uint32_t
fold_distance(const uint32_t *a, size_t na, const uint32_t *b, size_t nb, uint32_t max)
{
	uint32_t row[FOLD_WORD_MAX + 1];

	if (na > FOLD_WORD_MAX || nb > FOLD_WORD_MAX || (na > nb ? na - nb : nb - na) > max)
		return max + 1;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (uint32_t)j;
	for (size_t i = 1; i <= na; i++) {
		uint32_t diagonal = row[0], best = (uint32_t)i;

		row[0] = (uint32_t)i;
		for (size_t j = 1; j <= nb; j++) {
			uint32_t above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
			best = least(best, row[j]);
		}
		if (best > max)
			return max + 1;
	}
	return least(row[nb], max + 1);
}

static size_t
codes(const char *text, uint32_t dst[FOLD_WORD_MAX])
{
	const char *end = text + strlen(text);
	size_t len = 0;

	while (text < end && len + FOLD_OUT <= FOLD_WORD_MAX)
		len += fold_next(&text, end, dst + len);
	return len;
}

struct near
near_start(const char *name)
{
	size_t third = strlen(name) / 3;

	return (struct near){ .name = name, .distance = 1 + (uint32_t)(third < 1 ? 1 : third > 3 ? 3 : third) };
}

void
near_try(struct near *n, const char *candidate)
{
	uint32_t a[FOLD_WORD_MAX], b[FOLD_WORD_MAX];
	size_t na = codes(n->name, a), nb = codes(candidate, b);
	uint32_t d = fold_distance(a, na, b, nb, n->distance);

	if (d < n->distance) {
		n->best = candidate;
		n->distance = d;
	}
}
