#include <string.h>

#include "rules/fold.h"
#include "rules/line.h"

void
line_start(struct line *l)
{
	l->text[0] = '\0';
	l->len = 0;
	l->letters = false;
}

void
line_add(struct line *l, const char *text)
{
	char plain[FOLD_OUT * PAGEFILE_WORD_BYTES + 1];
	const char *p = plain, *end;

	fold_plain(text, plain, sizeof(plain));
	if (strlen(plain) + 1 > ERE_TEXT - l->len)
		return;
	if (l->len > 0)
		l->text[l->len++] = ' ';
	for (char *c = plain; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = ' ';
	for (end = plain + strlen(plain); p < end && !l->letters;) {
		uint32_t out[FOLD_OUT];
		size_t n = fold_next(&p, end, out);

		l->letters = n > 0 && fold_alnum(out[0]);
	}
	memcpy(l->text + l->len, plain, (size_t)(end - plain));
	l->len += (size_t)(end - plain);
	l->text[l->len] = '\0';
}

uint32_t
line_from(const struct page_words *p, uint32_t i, struct line *l)
{
	const struct word *first = &p->words[i];
	uint32_t j = i;

	for (; j < p->nwords && p->words[j].line == first->line && p->words[j].block == first->block; j++)
		if (j - i < LINE_WORDS)
			line_add(l, p->words[j].text);
	return j;
}
