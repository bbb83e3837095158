#include <stdio.h>
#include <string.h>
#include <time.h>

#include "seal/verify/der.h"

#define DEPTH_MAX 32

/* Tag, content and whole of the element at the cursor; the cursor stays. */
static bool
der_read(const struct der *d, uint8_t *tag, struct der *body, struct der *whole)
{
	size_t head = 2, len, n;

	if (d->len < 2 || (d->p[0] & 0x1F) == 0x1F)
		return false;
	len = d->p[1];
	if (len & 0x80) {
		n = len & 0x7F;
		if (n == 0 || n > 4 || n > d->len - 2 || d->p[2] == 0)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | d->p[2 + i];
		if (len < 0x80)
			return false;
		head += n;
	}
	if (len > d->len - head)
		return false;
	*tag = d->p[0];
	*body = (struct der){ d->p + head, len };
	*whole = (struct der){ d->p, head + len };
	return true;
}

static void
der_skip(struct der *d, const struct der *whole)
{
	d->p += whole->len;
	d->len -= whole->len;
}

static bool
strict_oid(const struct der *b)
{
	bool start = true;

	for (size_t i = 0; i < b->len; i++) {
		if (start && b->p[i] == 0x80)
			return false;
		start = (b->p[i] & 0x80) == 0;
	}
	return b->len > 0 && start;
}

/* X.690, 8.3.2: the first nine bits of an integer are not all the same. */
static bool
strict_integer(const struct der *b)
{
	if (b->len == 0)
		return false;
	return b->len == 1 || !((b->p[0] == 0 && b->p[1] < 0x80) || (b->p[0] == 0xFF && b->p[1] >= 0x80));
}

static bool
strict_bits(const struct der *b)
{
	if (b->len == 0 || b->p[0] > 7 || (b->len == 1 && b->p[0] != 0))
		return false;
	return b->len == 1 || (b->p[b->len - 1] & ((1u << b->p[0]) - 1)) == 0;
}

static bool
strict_primitive(uint8_t tag, const struct der *b)
{
	switch (tag) {
	case DER_BOOLEAN:
		return b->len == 1 && (b->p[0] == 0 || b->p[0] == 0xFF);
	case DER_INTEGER:
	case 0x0A: /* ENUMERATED */
		return strict_integer(b);
	case DER_BITS:
		return strict_bits(b);
	case DER_NULL:
		return b->len == 0;
	case DER_OID:
		return strict_oid(b);
	default:
		/* 0 is the end-of-contents of BER, 16 and 17 are always constructed */
		return tag != 0 && tag != (DER_SEQUENCE & 0x1F) && tag != (DER_SET & 0x1F);
	}
}

static bool
strict_elements(struct der d, unsigned depth)
{
	struct der body, whole;
	uint8_t tag;

	if (depth > DEPTH_MAX)
		return false;
	while (d.len > 0) {
		if (!der_read(&d, &tag, &body, &whole))
			return false;
		if ((tag & 0x20) == 0) {
			if (!strict_primitive(tag, &body))
				return false;
		} else if ((tag < 0x80 && tag != DER_SEQUENCE && tag != DER_SET) || !strict_elements(body, depth + 1)) {
			return false;
		}
		der_skip(&d, &whole);
	}
	return true;
}

bool
der_strict(const uint8_t *p, size_t len)
{
	struct der d = { p, len }, body, whole;
	uint8_t tag;

	return der_read(&d, &tag, &body, &whole) && whole.len == len && strict_elements(d, 0);
}

int
der_peek(const struct der *d)
{
	return d->len == 0 ? -1 : d->p[0];
}

bool
der_take(struct der *d, uint8_t want, struct der *ret)
{
	struct der body, whole;
	uint8_t tag;

	if (!der_read(d, &tag, &body, &whole) || tag != want)
		return false;
	der_skip(d, &whole);
	*ret = body;
	return true;
}

bool
der_whole(struct der *d, uint8_t want, struct der *ret)
{
	return der_peek(d) == want && der_any(d, ret);
}

bool
der_any(struct der *d, struct der *ret)
{
	struct der body, whole;
	uint8_t tag;

	if (!der_read(d, &tag, &body, &whole))
		return false;
	der_skip(d, &whole);
	*ret = whole;
	return true;
}

bool
der_end(const struct der *d)
{
	return d->len == 0;
}

bool
der_equal(const struct der *a, const struct der *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

bool
der_u64(const struct der *i, uint64_t *ret)
{
	uint64_t v = 0;
	size_t lead;

	if (!strict_integer(i) || i->p[0] >= 0x80)
		return false;
	lead = i->p[0] == 0 ? 1 : 0;
	if (i->len - lead > 8)
		return false;
	for (size_t k = lead; k < i->len; k++)
		v = v << 8 | i->p[k];
	*ret = v;
	return true;
}

bool
der_oid_text(const struct der *oid, char out[DER_OID_TEXT])
{
	uint64_t arc = 0;
	size_t n = 0;
	bool first = true;

	if (!strict_oid(oid))
		return false;
	for (size_t i = 0; i < oid->len; i++) {
		if (arc > UINT64_MAX >> 7)
			return false;
		arc = arc << 7 | (oid->p[i] & 0x7F);
		if (oid->p[i] & 0x80)
			continue;
		if (first) {
			unsigned top = arc < 40 ? 0 : arc < 80 ? 1 : 2;

			n += (size_t)snprintf(out, DER_OID_TEXT, "%u", top);
			arc -= 40u * top;
			first = false;
		}
		n += (size_t)snprintf(out + n, DER_OID_TEXT - n, ".%llu", (unsigned long long)arc);
		if (n >= DER_OID_TEXT)
			return false;
		arc = 0;
	}
	return true;
}

bool
der_oid_is(const struct der *oid, const char *dotted)
{
	char text[DER_OID_TEXT];

	return der_oid_text(oid, text) && strcmp(text, dotted) == 0;
}

static bool
digits(const uint8_t *p, size_t n, int *ret)
{
	int v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = 10 * v + (p[i] - '0');
	}
	*ret = v;
	return true;
}

/* ".5Z": at least one digit, no trailing zero (X.690, 11.7.3). */
static bool
fraction_us(const uint8_t *p, size_t n, int64_t *us)
{
	int64_t unit = 100000;

	if (n < 3 || p[0] != '.' || p[n - 2] == '0')
		return false;
	for (size_t i = 1; i < n - 1; i++, unit /= 10) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		*us += (p[i] - '0') * unit;
	}
	return true;
}

bool
der_time_us(const struct der *t, int64_t *ret)
{
	struct tm tm = { 0 }, back;
	int64_t us = 0;
	time_t s;

	if (t->len < 15 || t->len > 32 || t->p[t->len - 1] != 'Z' || !digits(t->p, 4, &tm.tm_year) ||
	    !digits(t->p + 4, 2, &tm.tm_mon) || !digits(t->p + 6, 2, &tm.tm_mday) ||
	    !digits(t->p + 8, 2, &tm.tm_hour) || !digits(t->p + 10, 2, &tm.tm_min) ||
	    !digits(t->p + 12, 2, &tm.tm_sec))
		return false;
	if (t->len > 15 && !fraction_us(t->p + 14, t->len - 14, &us))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	back = tm;
	s = timegm(&back);
	/* timegm() makes a date of everything; the same fields back: it was one */
	if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour ||
	    back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
		return false;
	*ret = (int64_t)s * 1000000 + us;
	return true;
}

bool
der_algorithm(struct der *d, char oid[DER_OID_TEXT], struct der *ret_params)
{
	struct der seq, id;

	if (!der_take(d, DER_SEQUENCE, &seq) || !der_take(&seq, DER_OID, &id) || !der_oid_text(&id, oid))
		return false;
	*ret_params = (struct der){ seq.p, 0 };
	return der_end(&seq) || (der_any(&seq, ret_params) && der_end(&seq));
}

bool
der_params_empty(const struct der *params)
{
	return params->len == 0 || (params->len == 2 && params->p[0] == DER_NULL && params->p[1] == 0);
}
