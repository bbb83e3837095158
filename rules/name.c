#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/lib/path.h"
#include "rules/rules.h"

#define NAME_BYTES 200  /* leaves room for " (2)" and for companions' suffixes below 255 */
#define SUFFIX_BYTES 8
#define VARIABLE_MAX 80
#define NAME_TIME_LONG "long"

/* --- templates --------------------------------------------------------------------------- */

bool
name_time_valid(const char *format)
{
	if (strcmp(format, NAME_TIME_LONG) == 0)
		return true;
	if (*format == '\0' || strlen(format) > 60)
		return false;
	for (const char *p = format; *p != '\0'; p++)
		if (*p == '%' && (*++p == '\0' || strchr("YmdHMSyjFRT%", *p) == NULL))
			return false;
	return true;
}

/* No locale need be installed for it: "29. November 2026", "29 November 2026". */
static bool
long_date(const struct tm *tm, const char *language, char *dst, size_t size)
{
	static const char *const months[2][12] = {
		{ "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December" },
		{ "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember" },
	};
	bool de = strcmp(language, "de") == 0;
	int n = snprintf(dst, size, "%d%s %s %d", tm->tm_mday, de ? "." : "", months[de][tm->tm_mon], 1900 + tm->tm_year);

	return n > 0 && (size_t)n < size;
}

bool
name_time(int64_t us, const char *format, const char *language, char *dst, size_t size)
{
	const char *f = format == NULL ? "%Y-%m-%d %H:%M" : format;
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	if (!name_time_valid(f) || localtime_r(&t, &tm) == NULL)
		return false;
	if (strcmp(f, NAME_TIME_LONG) == 0)
		return long_date(&tm, language, dst, size);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* name_time_valid() looked at it */
	return strftime(dst, size, f, &tm) > 0;
#pragma GCC diagnostic pop
}

struct output {
	char *dst;
	size_t size, len;
	bool full; /* something was cut: nothing may follow it */
};

static void
append(struct output *o, const char *text, size_t n)
{
	size_t room = o->full ? 0 : o->size - 1 - o->len;

	if (n > room) {
		o->full = true;
		for (n = room; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
			;
	}
	memcpy(o->dst + o->len, text, n);
	o->len += n;
	o->dst[o->len] = '\0';
}

/* p stands behind "{"; returns behind "}". */
static const char *
variable_expand(const char *p, name_lookup *lookup, void *ctx, struct output *o, struct err *e)
{
	char name[VARIABLE_MAX], format[VARIABLE_MAX];
	size_t whole = strcspn(p, "}"), n = strcspn(p, ":}");
	const char *value;

	if (p[whole] == '\0' || n == 0 || n >= sizeof(name) || whole - n >= sizeof(format)) {
		err_set(e, ERR_CONF, N_("a variable is written {name} or {name:format}; \"{{\" stands for a bracket"));
		return NULL;
	}
	snprintf(name, sizeof(name), "%.*s", (int)n, p);
	snprintf(format, sizeof(format), "%.*s", n < whole ? (int)(whole - n - 1) : 0, p + n + 1);
	if ((value = lookup(ctx, name, n < whole ? format : NULL)) == NULL) {
		err_set(e, ERR_CONF, "there is no value for {%s}", name);
		return NULL;
	}
	append(o, value, strlen(value));
	return p + whole + 1;
}

int
name_expand(const char *tmpl, name_lookup *lookup, void *ctx, char *dst, size_t size, struct err *e)
{
	struct output o = { .dst = dst, .size = size };
	const char *p = tmpl;

	dst[0] = '\0';
	while (*p != '\0') {
		size_t n = strcspn(p, "{");

		append(&o, p, n);
		p += n;
		if (p[0] == '{' && p[1] == '{') {
			append(&o, "{", 1);
			p += 2;
		} else if (*p == '{' && (p = variable_expand(p + 1, lookup, ctx, &o, e)) == NULL) {
			return -(int)e->code;
		}
	}
	return 0;
}

/* --- patterns ---------------------------------------------------------------------------- */

/* The next character's length in bytes. */
static size_t
char_len(const char *s)
{
	const char *p = s;

	utf8_next(&p, s + strlen(s));
	return (size_t)(p - s);
}

/* Only the last * is ever tried again: what an earlier one could take, it can take as well. */
bool
name_fits(const char *pattern, const char *name)
{
	const char *star = NULL, *again = NULL;

	while (*name != '\0') {
		size_t n = char_len(name);

		if (*pattern == '*') {
			star = ++pattern;
			again = name;
		} else if (*pattern == '?') {
			pattern++;
			name += n;
		} else if (strncmp(pattern, name, n) == 0) {
			pattern += n;
			name += n;
		} else if (star != NULL) {
			again += char_len(again);
			pattern = star;
			name = again;
		} else {
			return false;
		}
	}
	return pattern[strspn(pattern, "*")] == '\0';
}

/* --- names of files ----------------------------------------------------------------------- */

static bool
legal(uint32_t cp)
{
	if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0) || cp == 0xFFFD)
		return false;
	/* directions and invisibles can make a name read as another */
	if (cp == 0x061C || (cp >= 0x200B && cp <= 0x200F) || (cp >= 0x2028 && cp <= 0x202E) ||
	    (cp >= 0x2060 && cp <= 0x2069) || cp == 0xFEFF)
		return false;
	return cp >= 0x80 || strchr("<>:\"/\\|?*", (int)cp) == NULL;
}

/* Names that Windows keeps for devices, with any suffix. */
static bool
reserved(const char *name)
{
	static const char *const words[] = { "con", "prn", "aux", "nul", "conin$", "conout$" };
	static const char *const digits[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", "\u00B9", "\u00B2", "\u00B3" };
	size_t n = strcspn(name, ".");

	while (n > 0 && name[n - 1] == ' ')
		n--;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == n && strncasecmp(name, words[i], n) == 0)
			return true;
	if (n < 4 || (strncasecmp(name, "com", 3) != 0 && strncasecmp(name, "lpt", 3) != 0))
		return false;
	for (size_t i = 0; i < sizeof(digits) / sizeof(digits[0]); i++)
		if (strlen(digits[i]) == n - 3 && memcmp(name + 3, digits[i], n - 3) == 0)
			return true;
	return false;
}

static size_t
trim_end(const char *s, size_t n)
{
	while (n > 0 && (s[n - 1] == '.' || s[n - 1] == ' '))
		n--;
	return n;
}

/* Illegal signs become "_"; blanks and dots at both ends go. Returns the length. */
static size_t
clean(const char *in, char *dst, size_t size)
{
	const char *end = in + strlen(in);
	size_t n = 0;

	while (in < end && (*in == ' ' || *in == '.'))
		in++;
	while (in < end && n + 4 < size) {
		const char *at = in;

		if (legal(utf8_next(&in, end))) {
			memcpy(dst + n, at, (size_t)(in - at));
			n += (size_t)(in - at);
		} else {
			dst[n++] = '_';
		}
	}
	n = trim_end(dst, n);
	dst[n] = '\0';
	return n;
}

/* "front" and as much of the n bytes of a name, with a short suffix, as "most" bytes take. */
static void
cut(const char *front, const char *name, size_t n, size_t most, char *dst, size_t size)
{
	const char *dot = strrchr(name, '.');
	size_t room = most - strlen(front), suffix = 0, stem;

	if (n <= room) {
		snprintf(dst, size, "%s%s", front, name);
		return;
	}
	if (dot != NULL && dot > name && n - (size_t)(dot - name) <= SUFFIX_BYTES && n - (size_t)(dot - name) <= room)
		suffix = n - (size_t)(dot - name);
	for (stem = room - suffix; stem > 0 && ((unsigned char)name[stem] & 0xC0) == 0x80; stem--)
		;
	stem = trim_end(name, stem);
	snprintf(dst, size, "%s%.*s%s", front, (int)stem, name, name + n - suffix);
}

void
name_legal(const char *in, char *dst, size_t size)
{
	char name[4 * MSG_TEXT_MAX];
	size_t most = size - 1 < NAME_BYTES ? size - 1 : NAME_BYTES, n = clean(in, name, sizeof(name));

	cut(n == 0 || reserved(name) ? "_" : "", name, n, most, dst, size);
	if (reserved(dst)) /* what was cut off had made it another */
		cut("_", name, n, most, dst, size);
}
