#include <stdio.h>
#include <string.h>

#include "rules/codes.h"
#include "rules/decideint.h"
#include "rules/line.h"

/* How many of the phrases are there; with a trace all are looked for. */
static int
phrases_there(struct decision *d, const struct conf_rule *r, const char *list, const struct strings *phrases,
    bool one_is_enough, struct err *e)
{
	int there = 0;

	for (size_t i = 0; i < phrases->n; i++) {
		AUTO_MATCHES m = { 0 };
		int rc = match_find(&d->tokens, &r->pages, phrases->v[i], r->typos, true, &m, e);

		if (rc < 0)
			return rc;
		explain_when(d->explain, &d->tokens, list, phrases->v[i], m.n > 0 ? m.v : NULL);
		there += m.n > 0;
		if (d->explain == NULL && (m.n > 0) == one_is_enough)
			break;
	}
	return there;
}

/* Is there a line on the page that the expression fits in?  *m: where. */
static bool
line_on_page(const struct page_words *p, uint32_t page, const struct conf_rule *r, struct match *m)
{
	for (uint32_t i = 0, next; i < p->nwords; i = next) {
		struct line l;
		size_t at, end;

		line_start(&l);
		next = line_from(p, i, &l);
		if (l.letters && ere_find(&r->match.re, l.text, &at, &end)) {
			*m = match_line(p, page, i, next);
			return true;
		}
	}
	return false;
}

/* 1: on one of the rule's pages; 0, -code */
static int
line_fits(struct doc_tokens *d, const struct conf_rule *r, struct match *m, struct err *e)
{
	uint32_t from, to;

	match_pages(&r->pages, d->doc->npages, &from, &to);
	for (uint32_t page = from; page < to; page++) {
		const struct page_tokens *t = tokens_page(d, page, e);

		if (t == NULL)
			return -(int)e->code;
		if (line_on_page(&t->page, page, r, m))
			return 1;
	}
	return 0;
}

/* --- of the document, not of its pages ---------------------------------------------------------- */

static bool
file_fits(struct decision *d, const struct conf_rule *r)
{
	char name[FOLD_OUT * MSG_TEXT_MAX], pattern[FOLD_OUT * MSG_TEXT_MAX];
	bool fits = false;

	fold_text(d->tokens.doc->source_name, name, sizeof(name));
	for (size_t i = 0; i < r->file.n && !fits; i++) {
		fold_text(r->file.v[i], pattern, sizeof(pattern));
		fits = name_fits(pattern, name);
		explain_condition(d->explain, "file", r->file.v[i], fits, d->tokens.doc->source_name);
	}
	return fits;
}

static bool
folder_fits(struct decision *d, const struct conf_rule *r)
{
	bool fits = false;

	for (size_t i = 0; i < r->folder.n && !fits; i++) {
		fits = strcmp(r->folder.v[i], d->folder->name) == 0;
		explain_condition(d->explain, "folder", r->folder.v[i], fits, d->folder->name);
	}
	return fits;
}

static bool
count_fits(struct decision *d, const struct conf_rule *r)
{
	uint32_t n = d->tokens.doc->npages;
	bool fits = n >= r->min_pages && n <= r->max_pages;
	char wanted[32], there[16];

	snprintf(wanted, sizeof(wanted), "%u-%u", r->min_pages, r->max_pages);
	snprintf(there, sizeof(there), "%u", n);
	explain_condition(d->explain, "count", wanted, fits, there);
	return fits;
}

static bool
ticket_fits(struct decision *d, const struct conf_rule *r)
{
	bool all = true;

	for (size_t i = 0; i < r->ticket.n; i++) {
		const char *want = strchr(r->ticket.v[i], '='), *value;
		char key[MSG_FIELD_KEY_MAX];
		bool fits;

		snprintf(key, sizeof(key), "%.*s", (int)(want - r->ticket.v[i]), r->ticket.v[i]);
		value = decide_field(d, key);
		fits = value != NULL && strcmp(value, want + 1) == 0;
		explain_condition(d->explain, "ticket", r->ticket.v[i], fits, value == NULL ? "" : value);
		all = all && fits;
	}
	return all;
}

static bool
signer_fits(struct decision *d, const struct conf_rule *r)
{
	uint32_t n = d->force == NULL ? 0 : d->force->nsigners;
	bool fits = false;
	size_t at, end;

	for (uint32_t i = 0; i < n && !fits; i++) {
		fits = ere_find(&r->signed_by.re, d->force->signers[i], &at, &end);
		explain_condition(d->explain, "signed_by", r->signed_by.text, fits, d->force->signers[i]);
	}
	if (n == 0)
		explain_condition(d->explain, "signed_by", r->signed_by.text, false, "");
	return fits;
}

/* What costs nothing is asked first. NULL, or why the rule does not apply. */
static const char *
document_fails(struct decision *d, const struct conf_rule *r)
{
	if (r->folder.n > 0 && !folder_fits(d, r))
		return "the rule is for other folders";
	if (r->file.n > 0 && !file_fits(d, r))
		return "the document's name fits none of the patterns in \"file\"";
	if (r->min_pages > 0 && !count_fits(d, r))
		return "the document has another number of pages";
	if (r->signed_by.text != NULL && !signer_fits(d, r))
		return "no valid signature of whom \"signed_by\" names came with it";
	return ticket_fits(d, r) ? NULL : "the ticket lacks what \"ticket\" wants";
}

struct page_condition {
	const char *list;
	const struct strings *phrases;
	bool one_is_enough;
	const char *why; /* it does not hold */
};

static bool
phrases_hold(const struct page_condition *c, int there)
{
	return c->phrases->n == 0 || (c->one_is_enough ? there > 0 : (size_t)there == c->phrases->n);
}

/* 1: a code on the rule's pages; 0, -code */
static int
code_there(struct decision *d, const struct conf_rule *r, struct err *e)
{
	AUTO_MATCHES m = { 0 };
	char kinds[MSG_TEXT_MAX] = "";
	int rc = codes_find(&d->tokens, &r->pages, &r->barcode, &r->barcode_kind, true, &m, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < r->barcode_kind.n; i++)
		snprintf(kinds + strlen(kinds), sizeof(kinds) - strlen(kinds), "%s%s", i == 0 ? "" : " ", r->barcode_kind.v[i]);
	explain_when(d->explain, &d->tokens, "barcode", r->barcode.text != NULL ? r->barcode.text : kinds, m.n > 0 ? m.v : NULL);
	return m.n > 0;
}

/* NULL in *why: its pages are as the rule wants them.  With a trace everything is looked for. */
static int
pages_fail(struct decision *d, const struct conf_rule *r, const char **why, struct err *e)
{
	const struct page_condition conditions[] = {
		{ "any", &r->any, true, "none of the words in \"any\" is there" },
		{ "all", &r->all, false, "not every word in \"all\" is there" },
		{ "none", &r->none, true, "a word in \"none\" is there" },
	};
	struct match m;
	int fits;

	*why = NULL;
	for (size_t i = 0; i < 3 && (*why == NULL || d->explain != NULL); i++) {
		const struct page_condition *c = &conditions[i];
		int there = phrases_there(d, r, c->list, c->phrases, c->one_is_enough, e);

		if (there < 0)
			return there;
		if (*why == NULL && (c->phrases == &r->none ? there > 0 : !phrases_hold(c, there)))
			*why = c->why;
	}
	if ((r->barcode.text != NULL || r->barcode_kind.n > 0) && (*why == NULL || d->explain != NULL)) {
		if ((fits = code_there(d, r, e)) < 0)
			return fits;
		if (fits == 0 && *why == NULL)
			*why = "no barcode is as \"barcode\" and \"barcode_kind\" want it";
	}
	if (r->match.text == NULL || (*why != NULL && d->explain == NULL))
		return 0;
	if ((fits = line_fits(&d->tokens, r, &m, e)) < 0)
		return fits;
	explain_when(d->explain, &d->tokens, "match", r->match.text, fits > 0 ? &m : NULL);
	if (fits == 0 && *why == NULL)
		*why = "no line fits \"match\"";
	return 0;
}

int
decide_when(struct decision *d, const struct conf_rule *r, struct err *e)
{
	const char *why;
	int rc;

	if (r->always) {
		explain_matched(d->explain, true, "it always applies");
		return 1;
	}
	why = document_fails(d, r);
	if (why == NULL && (rc = pages_fail(d, r, &why, e)) < 0)
		return rc;
	explain_matched(d->explain, why == NULL, why == NULL ? "all it asks for is there" : why);
	return why == NULL;
}
