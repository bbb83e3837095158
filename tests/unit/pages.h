/*
 * pages.h - pages of words for tests of rules: 6 pt a character, 10 pt high,
 * one blank between words, on an A4 page as its reader sees it.
 */
#ifndef SEALROOM_TEST_PAGES_H
#define SEALROOM_TEST_PAGES_H

#include <string.h>

#include "agent/lib/path.h"
#include "rules/rules.h"

#define PT 1000
#define SHEET_W (595276)
#define SHEET_H (841890)

struct sheet {
	struct word words[2000];
	char text[60000];
	uint32_t n;
	size_t used;
	uint16_t line, block;
};

static inline int32_t
sheet_width(const char *s, const char *end)
{
	int32_t n = 0;

	while (s < end) {
		utf8_next(&s, end);
		n += 6 * PT;
	}
	return n;
}

/* One line of text whose top left corner is at x, y (pt). */
static inline void
sheet_line(struct sheet *s, int x, int y, const char *text)
{
	int32_t at = x * PT;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");
		struct word *w = &s->words[s->n];

		if (n > 0) {
			w->text = memcpy(s->text + s->used, text, n);
			s->text[s->used + n] = '\0';
			s->used += n + 1;
			w->box = (struct box){ at, y * PT, at + sheet_width(text, text + n), (y + 10) * PT };
			w->base = (y + 8) * PT;
			w->line = s->line;
			w->block = s->block;
			w->conf = 95;
			s->n++;
		}
		at += sheet_width(text, text + n) + 6 * PT;
		text += n + (text[n] == ' ');
	}
	s->line++;
}

static inline void
sheet_block(struct sheet *s)
{
	s->block++;
}

static inline struct page_words
sheet_page(const struct sheet *s)
{
	return (struct page_words){ .width = SHEET_W, .height = SHEET_H, .nwords = s->n, .words = s->words };
}

#endif
