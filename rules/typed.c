#include <stdio.h>
#include <string.h>

#include "rules/fold.h"
#include "rules/typed.h"

#define DIGITS_MAX 30

const char *
typed_take(enum find_type type)
{
	switch (type) {
	case FIND_NUMBER:
		return "[0-9][0-9 ]*";
	case FIND_DATE:
		return "[0-9]+\\. ?[0-9]+\\. ?[0-9]+|[0-9]+-[0-9]+-[0-9]+|[0-9]+/[0-9]+/[0-9]+|[0-9]+\\.? [^ 0-9]+ [0-9]+|"
		       "[^ 0-9]+ [0-9]+, ?[0-9]+";
	case FIND_AMOUNT:
		return "[0-9][0-9., ]*";
	case FIND_TEXT:
		break;
	}
	return "";
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

/* --- numbers -------------------------------------------------------------------------------- */

static bool
number(const char *text, char *dst, size_t size)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (digit(*text) && n + 1 < size && n < DIGITS_MAX)
			dst[n++] = *text;
		else if (*text != ' ')
			return false;
	}
	dst[n] = '\0';
	return n > 0;
}

/*
 * Which sign stands before the places behind the point: the last of . and , when it
 * stands once and one or two digits follow, or when the other stands before it.
 */
static const char *
point_of(const char *from, const char *end)
{
	const char *last = NULL;
	bool other = false;
	size_t same = 0;

	for (const char *p = from; p < end; p++)
		if (*p == '.' || *p == ',')
			last = p;
	for (const char *p = from; last != NULL && p < last; p++) {
		other |= (*p == '.' || *p == ',') && *p != *last;
		same += *p == *last;
	}
	if (last == NULL || same > 0)
		return end;
	return end - last - 1 <= 2 || other ? last : end;
}

/* Groups of three behind a first one of up to three; or no groups at all. */
static bool
grouped(const char *from, const char *end)
{
	size_t since = 0;
	bool first = true;

	for (const char *p = from; p < end; p++) {
		if (digit(*p)) {
			since++;
			continue;
		}
		if ((*p != '.' && *p != ',' && *p != ' ' && *p != '\'') || since == 0 || since > 3 || (!first && since != 3))
			return false;
		first = false;
		since = 0;
	}
	return first ? since > 0 : since == 3;
}

static bool
amount(const char *text, char *dst, size_t size)
{
	const char *from = text + strcspn(text, "0123456789"), *end = text + strlen(text), *point;
	char whole[DIGITS_MAX + 1], places[3] = "00";
	size_t n = 0;

	while (end > from && !digit(end[-1]))
		end--;
	point = point_of(from, end);
	if (!grouped(from, point) || (point < end && end - point > 3))
		return false;
	for (const char *p = from; p < point; p++) {
		if (!digit(*p) || (n == 0 && *p == '0' && p + 1 < point))
			continue;
		if (n == DIGITS_MAX)
			return false;
		whole[n++] = *p;
	}
	whole[n] = '\0';
	for (size_t i = 0; point + 1 + i < end && i < 2; i++) {
		if (!digit(point[1 + i]))
			return false;
		places[i] = point[1 + i];
	}
	return n > 0 && snprintf(dst, size, "%s.%s", whole, places) < (int)size;
}

/* --- dates ----------------------------------------------------------------------------------- */

/* Folded; a word that begins with one of these is that month. */
static const char *const months[12][3] = {
	{ "jan", "jän", NULL }, { "feb", NULL }, { "mar", "mär", NULL }, { "apr", NULL }, { "may", "mai", NULL }, { "jun", NULL },
	{ "jul", NULL }, { "aug", NULL }, { "sep", NULL }, { "oct", "okt", NULL }, { "nov", NULL }, { "dec", "dez", NULL },
};

static unsigned
month_of(const char *word)
{
	for (unsigned m = 0; m < 12; m++)
		for (size_t i = 0; i < 3 && months[m][i] != NULL; i++)
			if (strncmp(word, months[m][i], strlen(months[m][i])) == 0)
				return m + 1;
	return 0;
}

struct parts {
	unsigned v[3];     /* figures in a row */
	size_t digits[3], n;
	unsigned month;    /* by name; 0: none */
};

/* Figures and the name of a month, and what stands between them. */
static bool
parts_read(const char *text, struct parts *d)
{
	*d = (struct parts){ .n = 0 };
	while (*text != '\0') {
		size_t letters = strcspn(text, "0123456789 .,-/");

		if (digit(*text)) {
			if (d->n == 3)
				return false;
			for (; digit(*text) && d->digits[d->n] < 5; text++, d->digits[d->n]++)
				d->v[d->n] = d->v[d->n] * 10 + (unsigned)(*text - '0');
			d->n++;
		} else if (letters > 0) {
			unsigned month = month_of(text);

			if (month == 0 || d->month != 0)
				return false;
			d->month = month;
			text += letters;
		} else {
			text++;
		}
	}
	return true;
}

static bool
date_valid(unsigned y, unsigned m, unsigned d)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return y >= 1800 && y <= 2199 && m >= 1 && m <= 12 && d >= 1 && d <= days[m - 1] + (m == 2 && leap);
}

static bool
date(const char *text, char *dst, size_t size)
{
	char folded[200];
	struct parts p;
	unsigned y, m, d;

	fold_text(text, folded, sizeof(folded));
	if (!parts_read(folded, &p))
		return false;
	if (p.month != 0 && p.n == 2) {
		d = p.v[0];
		m = p.month;
		y = p.v[1];
	} else if (p.month == 0 && p.n == 3 && p.digits[0] == 4) {
		y = p.v[0];
		m = p.v[1];
		d = p.v[2];
	} else if (p.month == 0 && p.n == 3) {
		d = p.v[0];
		m = p.v[1];
		y = p.v[2] + (p.digits[2] == 2 ? 2000 : 0);
	} else {
		return false;
	}
	return date_valid(y, m, d) && snprintf(dst, size, "%04u-%02u-%02u", y, m, d) < (int)size;
}

bool
typed_value(enum find_type type, const char *text, char *dst, size_t size)
{
	switch (type) {
	case FIND_NUMBER:
		return number(text, dst, size);
	case FIND_DATE:
		return date(text, dst, size);
	case FIND_AMOUNT:
		return amount(text, dst, size);
	case FIND_TEXT:
		break;
	}
	return snprintf(dst, size, "%s", text) < (int)size;
}
