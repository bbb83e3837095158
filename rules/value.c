#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "rules/value.h"

#define DIGITS 12 /* before a point: 31 years of milliseconds, 900 GiB in bytes */

struct unit {
	const char *name;
	int64_t num, den; /* in the base unit */
};

/* 1 in = 72 pt = 25.4 mm; the base is 1/1000 pt */
static const struct unit lengths[] = {
	{ "mm", 720000, 254 }, { "cm", 7200000, 254 }, { "in", 72000, 1 }, { "pt", 1000, 1 }, { NULL, 0, 0 },
};

/* The names of systemd.time(7); months and years are left out, they have no fixed length. */
static const struct unit times[] = {
	{ "ms", 1, 1 }, { "msec", 1, 1 },
	{ "s", 1000, 1 }, { "sec", 1000, 1 }, { "second", 1000, 1 }, { "seconds", 1000, 1 },
	{ "m", 60000, 1 }, { "min", 60000, 1 }, { "minute", 60000, 1 }, { "minutes", 60000, 1 },
	{ "h", 3600000, 1 }, { "hr", 3600000, 1 }, { "hour", 3600000, 1 }, { "hours", 3600000, 1 },
	{ "d", 86400000, 1 }, { "day", 86400000, 1 }, { "days", 86400000, 1 },
	{ "w", 604800000, 1 }, { "week", 604800000, 1 }, { "weeks", 604800000, 1 }, { NULL, 0, 0 },
};

static const struct unit sizes[] = {
	{ "B", 1, 1 }, { "KiB", 1 << 10, 1 }, { "MiB", 1 << 20, 1 }, { "GiB", 1 << 30, 1 },
	{ "TiB", (int64_t)1 << 40, 1 }, { NULL, 0, 0 },
};

static const struct unit *
unit_find(const struct unit *u, const char *name, size_t len)
{
	for (; u->name != NULL; u++)
		if (strlen(u->name) == len && memcmp(u->name, name, len) == 0)
			return u;
	return NULL;
}

static bool
digit(char c)
{
	return c >= '0' && c <= '9';
}

static const char *
skip_blanks(const char *p)
{
	while (*p == ' ')
		p++;
	return p;
}

/* Reads "12.345" in millionths; at most DIGITS before and 6 after the point. NULL: not a number. */
static const char *
micro_read(const char *p, int64_t *ret)
{
	int64_t v = 0, scale = 1000000;
	const char *start = p;

	for (; digit(*p) && p - start <= DIGITS; p++)
		v = v * 10 + (*p - '0');
	if (p == start || p - start > DIGITS)
		return NULL;
	v *= 1000000;
	if (*p != '.') {
		*ret = v;
		return p;
	}
	for (start = ++p; digit(*p) && p - start < 6; p++)
		v += (*p - '0') * (scale /= 10);
	if (p == start)
		return NULL;
	*ret = v;
	return p;
}

static const char *
unit_end(const char *p)
{
	while ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'))
		p++;
	return p;
}

int
value_length(const char *s, int32_t *ret)
{
	const struct unit *u;
	int64_t micro, mpt;
	bool minus = *s == '-';
	const char *p = micro_read(s + (*s == '-' || *s == '+'), &micro);

	if (p == NULL)
		return -1;
	if (micro == 0 && *p == '\0') { /* nothing is nothing in any unit */
		*ret = 0;
		return 0;
	}
	p = skip_blanks(p);
	if ((u = unit_find(lengths, p, strlen(p))) == NULL || micro > 100000 * (int64_t)1000000)
		return -1;
	mpt = (micro * u->num / u->den + 500000) / 1000000;
	if (mpt > 20000000) /* 7 m; PDF itself ends at 14400 pt */
		return -1;
	*ret = (int32_t)(minus ? -mpt : mpt);
	return 0;
}

/* What was read is written for other processes and read by them again. */
static bool
readable(const char *text)
{
	return strspn(text, "0123456789") <= DIGITS;
}

int
value_time(const char *s, uint64_t *ret)
{
	char out[VALUE_MAX];
	uint64_t sum = 0;
	const char *p = skip_blanks(s);

	if (*p == '\0')
		return -1;
	while (*p != '\0') {
		const struct unit *u;
		const char *name;
		int64_t micro;

		if ((p = micro_read(p, &micro)) == NULL)
			return -1;
		name = skip_blanks(p);
		p = unit_end(name);
		if ((u = unit_find(times, name, (size_t)(p - name))) == NULL || micro > INT64_MAX / u->num)
			return -1;
		sum += (uint64_t)(micro * u->num / 1000000);
		p = skip_blanks(p);
	}
	value_time_text(sum, out);
	if (!readable(out) || sum > INT64_MAX / 1000000) /* a sum of spans that no single one can say again */
		return -1;
	*ret = sum;
	return 0;
}

int
value_size(const char *s, uint64_t *ret)
{
	const struct unit *u;
	int64_t micro;
	uint64_t n;
	char out[VALUE_MAX];
	const char *p = micro_read(s, &micro);

	if (p == NULL)
		return -1;
	p = skip_blanks(p);
	if ((u = unit_find(sizes, p, strlen(p))) == NULL || micro / 1000000 > INT64_MAX / 2 / u->num)
		return -1;
	/* in two parts: millionths of many TiB would leave 64 bits */
	n = (uint64_t)(micro / 1000000 * u->num + micro % 1000000 * u->num / 1000000);
	value_size_text(n, out);
	if (!readable(out))
		return -1;
	*ret = n;
	return 0;
}

int
value_mode(const char *s, mode_t *ret)
{
	mode_t m = 0;
	size_t n = strlen(s);

	if (n < 3 || n > 4 || (n == 4 && s[0] != '0'))
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '7')
			return -1;
		m = m << 3 | (mode_t)(*s - '0');
	}
	*ret = m;
	return 0;
}

int
value_number(const char *s, uint64_t *ret)
{
	uint64_t v = 0;
	const char *p = s;

	for (; digit(*p) && p - s < 18; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == s || *p != '\0')
		return -1;
	*ret = v;
	return 0;
}

int
value_pages(const char *s, struct conf_pages *ret)
{
	struct conf_pages pages = { .kind = PAGES_RANGE };
	const char *p = s;

	if (strcmp(s, "all") == 0) {
		*ret = (struct conf_pages){ .kind = PAGES_ALL };
		return 0;
	}
	if (strcmp(s, "last") == 0) {
		*ret = (struct conf_pages){ .kind = PAGES_LAST };
		return 0;
	}
	for (; digit(*p) && p - s < 6; p++)
		pages.from = pages.from * 10 + (uint32_t)(*p - '0');
	pages.to = pages.from;
	if (p != s && *p == '-') {
		pages.to = 0;
		for (s = ++p; digit(*p) && p - s < 6; p++)
			pages.to = pages.to * 10 + (uint32_t)(*p - '0');
	}
	if (p == s || *p != '\0' || pages.from == 0 || pages.to < pages.from)
		return -1;
	if (pages.to == 1)
		pages = (struct conf_pages){ .kind = PAGES_FIRST };
	*ret = pages;
	return 0;
}

void
value_length_text(int32_t mpt, char out[VALUE_MAX])
{
	double mm = mpt * 254.0 / 720000.0;
	int32_t again;

	for (int places = 0; places <= 3; places++) {
		snprintf(out, VALUE_MAX, "%.*fmm", places, mm);
		if (value_length(out, &again) == 0 && again == mpt)
			return;
	}
	snprintf(out, VALUE_MAX, "%s%d.%03dpt", mpt < 0 ? "-" : "", (mpt < 0 ? -mpt : mpt) / 1000,
	    (mpt < 0 ? -mpt : mpt) % 1000);
}

void
value_time_text(uint64_t ms, char out[VALUE_MAX])
{
	static const struct { const char *name; uint64_t ms; } units[] = {
		{ "d", 86400000 }, { "h", 3600000 }, { "min", 60000 }, { "s", 1000 }, { "ms", 1 },
	};
	size_t i = 0;

	while (i + 1 < sizeof(units) / sizeof(units[0]) && (ms == 0 || ms % units[i].ms != 0))
		i++;
	if (ms == 0)
		i = 3;
	snprintf(out, VALUE_MAX, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
}

void
value_size_text(uint64_t n, char out[VALUE_MAX])
{
	size_t i = 0;

	while (i < 4 && n != 0 && n % (uint64_t)sizes[i + 1].num == 0)
		i++;
	snprintf(out, VALUE_MAX, "%" PRIu64 "%s", n / (uint64_t)sizes[i].num, sizes[i].name);
}

void
value_pages_text(const struct conf_pages *p, char out[VALUE_MAX])
{
	switch (p->kind) {
	case PAGES_ALL:
		snprintf(out, VALUE_MAX, "all");
		break;
	case PAGES_FIRST:
		snprintf(out, VALUE_MAX, "1");
		break;
	case PAGES_NONE:
		snprintf(out, VALUE_MAX, "none");
		break;
	case PAGES_LAST:
		snprintf(out, VALUE_MAX, "last");
		break;
	case PAGES_RANGE:
		if (p->from == p->to)
			snprintf(out, VALUE_MAX, "%u", p->from);
		else
			snprintf(out, VALUE_MAX, "%u-%u", p->from, p->to);
		break;
	}
}
