#include <string.h>

#include "rules/codes.h"

static bool
rule_asks(const struct conf_rule *r)
{
	bool asks = r->barcode.text != NULL || r->barcode_kind.n > 0 || r->place.barcode.text != NULL;

	for (size_t i = 0; i < r->nfinds && !asks; i++)
		asks = r->finds[i].barcode.text != NULL;
	return asks;
}

bool
codes_wanted(const struct conf_folder *f)
{
	bool wanted = f != NULL && (f->separator.text != NULL || f->separator_patch.n > 0);

	for (size_t i = 0; f != NULL && i < f->nrules && !wanted; i++)
		wanted = rule_asks(f->rules[i]);
	return wanted;
}

static bool
kind_fits(const struct word *code, const struct strings *kinds)
{
	bool fits = kinds == NULL || kinds->n == 0;

	for (size_t i = 0; i < (kinds == NULL ? 0 : kinds->n) && !fits; i++)
		fits = code_by_name(kinds->v[i]) == code->code;
	return fits;
}

/* Where the expression fits; m[1]: its group. */
static bool
text_fits(const struct word *code, const struct conf_ere *x, char text[static PAGEFILE_CODE_BYTES + 1], regmatch_t m[2])
{
	size_t n = strnlen(code->text, PAGEFILE_CODE_BYTES);

	memcpy(text, code->text, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
			text[i] = ' ';
	return regexec(&x->re, text, 2, m, 0) == 0;
}

static bool
code_fits(const struct word *code, const struct conf_ere *x, const struct strings *kinds)
{
	char text[PAGEFILE_CODE_BYTES + 1];
	regmatch_t m[2];

	return kind_fits(code, kinds) && (x->text == NULL || text_fits(code, x, text, m));
}

static struct match
code_match(const struct page_words *p, uint32_t page, uint32_t i)
{
	const struct box b = p->words[i].box;

	return (struct match){ .page = page, .first = i, .last = i, .box = b, .head = b, .tail = b,
		.end = (uint16_t)strnlen(p->words[i].text, PAGEFILE_CODE_BYTES) };
}

int
codes_find(struct doc_tokens *d, const struct conf_pages *pages, const struct conf_ere *text, const struct strings *kinds,
    bool first_only, struct matches *all, struct err *e)
{
	uint32_t from, to;

	match_pages(pages, d->doc->npages, &from, &to);
	for (uint32_t page = from; page < to; page++) {
		const struct page_words *p = &d->doc->pages[page];
		const struct page_tokens *t;

		if (p->ncodes == 0)
			continue;
		if ((t = tokens_page(d, page, e)) == NULL)
			return -(int)e->code;
		p = &t->page;
		for (uint32_t i = p->nwords; i < p->nwords + p->ncodes; i++) {
			struct match m = code_match(p, page, i);
			int r;

			if (!code_fits(&p->words[i], text, kinds))
				continue;
			if ((r = matches_add(all, &m, e)) < 0 || first_only)
				return r;
		}
	}
	return 0;
}

int
codes_value(struct doc_tokens *d, const struct match *at, const struct conf_ere *x, char *dst, size_t size, bool *ret,
    struct err *e)
{
	const struct page_tokens *t = tokens_page(d, at->page, e);
	char text[PAGEFILE_CODE_BYTES + 1];
	regmatch_t m[2], *part = &m[0];
	size_t n;

	if (t == NULL)
		return -(int)e->code;
	*ret = false;
	if (!text_fits(&t->page.words[at->first], x, text, m))
		return 0;
	if (x->re.re_nsub > 0 && m[1].rm_so >= 0)
		part = &m[1];
	n = (size_t)(part->rm_eo - part->rm_so);
	if (n == 0 || n >= size)
		return 0;
	memcpy(dst, text + part->rm_so, n);
	dst[n] = '\0';
	*ret = true;
	return 0;
}

bool
codes_separate(const struct conf_folder *f, const struct pagefile *pf, const struct word **ret_code)
{
	for (uint32_t i = pf->nwords; i < pf->nwords + pf->ncodes; i++) {
		const struct word *code = &pf->words[i];
		bool patch = code->code == CODE_PATCH;
		bool separates = !patch && f->separator.text != NULL && code_fits(code, &f->separator, NULL);

		for (size_t k = 0; patch && k < f->separator_patch.n && !separates; k++)
			separates = strcmp(code->text, f->separator_patch.v[k]) == 0;
		if (separates) {
			*ret_code = code;
			return true;
		}
	}
	return false;
}
