#include <stdio.h>
#include <string.h>

#include "agent/lib/pageset.h"

void
page_set_init(struct page_set *s, uint32_t pages)
{
	memset(s, 0, sizeof(*s));
	s->pages = pages < PAGE_SET_MAX ? pages : PAGE_SET_MAX;
}

void
page_set_add(struct page_set *s, uint32_t page)
{
	if (page < s->pages)
		s->bits[page / 8] |= (uint8_t)(1u << page % 8);
}

bool
page_set_has(const struct page_set *s, uint32_t page)
{
	return page < s->pages && (s->bits[page / 8] >> page % 8 & 1) != 0;
}

uint32_t
page_set_count(const struct page_set *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->pages; i++)
		n += page_set_has(s, i);
	return n;
}

/* --- as text ------------------------------------------------------------------------------ */

/* The first member from 'page' on; s->pages: none. */
static uint32_t
next_of(const struct page_set *s, uint32_t page)
{
	while (page < s->pages && !page_set_has(s, page))
		page++;
	return page;
}

/* The last member of the longest even row that begins with 'first' and goes on with 'second'. */
static uint32_t
row_end(const struct page_set *s, uint32_t first, uint32_t second)
{
	uint32_t last = second;

	while (page_set_has(s, last + (second - first)) && next_of(s, last + 1) == last + (second - first))
		last += second - first;
	return last;
}

/* The first page from 'page' on that is none; s->pages: none. */
static uint32_t
next_gap(const struct page_set *s, uint32_t page)
{
	while (page < s->pages && page_set_has(s, page))
		page++;
	return page;
}

bool
page_set_rest(const struct page_set *s, uint32_t n, struct page_range *ret)
{
	uint32_t first = next_gap(s, 0);

	for (; n > 0; n--)
		first = next_gap(s, next_of(s, first));
	if (first == s->pages)
		return false;
	*ret = (struct page_range){ first, next_of(s, first) - 1 };
	return true;
}

uint32_t
page_set_rests(const struct page_set *s)
{
	uint32_t n = 0;

	for (uint32_t at = next_gap(s, 0); at < s->pages; at = next_gap(s, next_of(s, at)))
		n++;
	return n;
}

bool
page_set_text(const struct page_set *s, char *dst, size_t size)
{
	AUTO_BUF b;

	buf_init(&b, size);
	for (uint32_t first = next_of(s, 0), last; first < s->pages; first = next_of(s, last + 1)) {
		uint32_t second = next_of(s, first + 1), step = second - first;

		last = second < s->pages ? row_end(s, first, second) : first;
		if (last - first < 2 * step)
			last = first; /* two are no row */
		buf_printf(&b, "%s%u", b.len > 0 ? "," : "", first + 1);
		if (last > first)
			buf_printf(&b, "-%u", last + 1);
		if (last > first && step > 1)
			buf_printf(&b, "/%u", step);
	}
	buf_put_u8(&b, '\0');
	if (!buf_ok(&b))
		return false;
	memcpy(dst, b.data, b.len);
	return true;
}

/* A page that there is, counted from 1; 0: none stands here. */
static uint32_t
number_read(const struct page_set *s, const char **text)
{
	uint32_t n = 0;

	for (; **text >= '0' && **text <= '9' && n <= PAGE_SET_MAX; (*text)++)
		n = n * 10 + (uint32_t)(**text - '0');
	return n <= s->pages ? n : 0;
}

/* "5", "5-9", "5-", "5-9/2"; *text is left behind it. */
static bool
row_read(struct page_set *s, const char **text)
{
	uint32_t first = number_read(s, text), last = first, step = 1;

	if (**text == '-') {
		++*text;
		last = **text >= '0' && **text <= '9' ? number_read(s, text) : s->pages;
		if (**text == '/') {
			++*text;
			step = number_read(s, text);
		}
	}
	if (first == 0 || last < first || step == 0)
		return false;
	for (uint32_t i = first; i <= last; i += step)
		page_set_add(s, i - 1);
	return true;
}

bool
page_set_read(struct page_set *s, const char *text)
{
	while (row_read(s, &text)) {
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			break;
	}
	return false;
}

/* --- in a message ---------------------------------------------------------------------------- */

void
page_set_put(struct buf *b, const struct page_set *s)
{
	buf_put_u32(b, s->pages);
	buf_put(b, s->bits, (s->pages + 7) / 8);
}

bool
page_set_get(struct buf *b, struct page_set *s)
{
	memset(s, 0, sizeof(*s));
	s->pages = buf_get_u32(b);
	if (s->pages > PAGE_SET_MAX) {
		s->pages = 0;
		return false;
	}
	buf_get(b, s->bits, (s->pages + 7) / 8);
	return s->pages % 8 == 0 || s->bits[s->pages / 8] >> s->pages % 8 == 0;
}
