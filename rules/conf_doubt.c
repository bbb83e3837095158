/*
 * What works, but hardly as meant: rules that are never reached or never fit,
 * names that all results would share, entries that nothing uses, times that
 * contradict each other.  Warnings all.
 */
#include <stdio.h>
#include <string.h>

#include "rules/confint.h"

/* --- rules that come too late ------------------------------------------------------------- */

static bool
has(const struct strings *s, const char *text)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], text) == 0)
			return true;
	return false;
}

static bool
all_in(const struct strings *some, const struct strings *all)
{
	for (size_t i = 0; i < some->n; i++)
		if (!has(all, some->v[i]))
			return false;
	return true;
}

static bool
meet(const struct strings *a, const struct strings *b)
{
	for (size_t i = 0; i < a->n; i++)
		if (has(b, a->v[i]))
			return true;
	return false;
}

static bool
same_pages(const struct conf_pages *a, const struct conf_pages *b)
{
	return a->kind == b->kind && (a->kind != PAGES_RANGE || (a->from == b->from && a->to == b->to));
}

/* Is what 'a' asks of the text true wherever 'b' applies? */
static bool
text_follows(const struct conf_rule *a, const struct conf_rule *b)
{
	if (a->any.n + a->all.n + a->none.n > 0 && (a->typos != b->typos || !same_pages(&a->pages, &b->pages)))
		return false;
	if (a->any.n > 0 && !(b->any.n > 0 && all_in(&b->any, &a->any)) && !meet(&a->any, &b->all))
		return false;
	if (!all_in(&a->all, &b->all) || !all_in(&a->none, &b->none))
		return false;
	return a->match.text == NULL ||
	    (b->match.text != NULL && strcmp(a->match.text, b->match.text) == 0 && same_pages(&a->pages, &b->pages));
}

/* Is what 'a' asks of the document itself? */
static bool
document_follows(const struct conf_rule *a, const struct conf_rule *b)
{
	if (a->file.n > 0 && (b->file.n == 0 || !all_in(&b->file, &a->file)))
		return false;
	if (a->folder.n > 0 && (b->folder.n == 0 || !all_in(&b->folder, &a->folder)))
		return false;
	if (a->min_pages != 0 && (b->min_pages < a->min_pages || b->max_pages > a->max_pages))
		return false;
	return all_in(&a->ticket, &b->ticket);
}

/* A condition that is not compared above may be what tells two rules apart: then nothing is said. */
static bool
all_compared(const struct conf *c, const struct conf_rule *r)
{
	static const char *const compared[] = { "any", "all", "none", "match", "file", "folder", "count", "ticket", "typos", "pages" };
	char group[MSG_NAME_MAX + 16];
	size_t n = (size_t)snprintf(group, sizeof(group), "rules.%s.when.", r->name);

	for (size_t i = 0; i < c->nspots; i++) {
		bool known = strncmp(c->spots[i].key, group, n) != 0;

		for (size_t k = 0; k < sizeof(compared) / sizeof(compared[0]) && !known; k++)
			known = strcmp(c->spots[i].key + n, compared[k]) == 0;
		if (!known)
			return false;
	}
	return true;
}

/* conf_check.c tells of rules behind one that always applies. */
static void
late_check(const struct conf *c, const struct conf_folder *f)
{
	for (size_t i = 0; i < f->nrules; i++)
		for (size_t j = 0; j < i; j++) {
			const struct conf_rule *a = f->rules[j], *b = f->rules[i];

			if (a->always)
				return;
			if (b->always || !text_follows(a, b) || !document_follows(a, b) || !all_compared(c, a))
				continue;
			problem_add(&f->where, true,
			    "folders.%s.rules: rule \"%s\" is never reached: \"%s\" before it applies wherever this one does; let it come first",
			    f->name, b->name, a->name);
			break;
		}
}

/* --- rules that never fit ------------------------------------------------------------------ */

static bool
uses(const struct conf_folder *f, const struct conf_rule *r)
{
	for (size_t i = 0; i < f->nrules; i++)
		if (f->rules[i] == r)
			return true;
	return false;
}

/* By its own words: what must be there must not be there. */
static void
denied_check(const struct conf_rule *r)
{
	for (size_t i = 0; i < r->none.n; i++)
		if (has(&r->all, r->none.v[i]) || (r->any.n == 1 && has(&r->any, r->none.v[i])))
			problem_add(&r->where, true, "rules.%s.when.none: \"%s\" is asked for, too: the rule never applies; take it out of one",
			    r->name, r->none.v[i]);
}

static void
folders_of_check(const struct conf *c, const struct conf_rule *r)
{
	bool used = false, tickets = false;

	for (size_t i = 0; i < c->nfolders; i++) {
		const struct conf_folder *f = &c->folders[i];
		bool mine = uses(f, r), named = has(&r->folder, f->name);

		if (named && !mine)
			problem_add(&r->where, true, "rules.%s.when.folder: folder \"%s\" does not use this rule; add it to its rules", r->name,
			    f->name);
		used = used || mine;
		tickets = tickets || (mine && (r->folder.n == 0 || named) && f->ticket != TICKET_NONE);
	}
	if (!used)
		problem_add(&r->where, true, "rules.%s: no folder uses this rule; add it to the rules of one, or take it out", r->name);
	else if (r->ticket.n > 0 && !tickets)
		problem_add(&r->where, true,
		    "rules.%s.when.ticket: no folder of this rule takes tickets: it never applies; write ticket = \"optional\" there", r->name);
}

/* A place on a page that no document of this rule has. */
static void
page_check(const struct conf_rule *r)
{
	const struct conf_pages *p = &r->place.pages;

	if (r->place.given && !r->place.invisible && r->min_pages != 0 && p->kind == PAGES_RANGE && p->from > r->max_pages)
		problem_add(&r->where, true,
		    "rules.%s.place.pages: a document with when.count has no such page: the seal never finds its place; write \"last\"", r->name);
}

/* Moved from a corner across the edge of the page: with its margin it never stands there. */
static void
shift_check(const struct conf_rule *r)
{
	const struct conf_place *p = &r->place;
	bool right = p->at_corner == CORNER_TOP_RIGHT || p->at_corner == CORNER_BOTTOM_RIGHT;
	bool bottom = p->at_corner == CORNER_BOTTOM_LEFT || p->at_corner == CORNER_BOTTOM_RIGHT;

	if (!p->given || !p->fixed)
		return;
	if ((right ? p->shift_x : -p->shift_x) > p->margin_x || (bottom ? p->shift_y : -p->shift_y) > p->margin_y)
		problem_add(&r->where, true, "rules.%s.place.shift: moves the seal over the edge of the page; the first is to the right, the second down",
		    r->name);
}

/* --- names of results ----------------------------------------------------------------------- */

/* Which variables a template has, and how fine a time it tells. */
static bool
tells_apart(const char *tmpl)
{
	static const char *const good[] = { "{name", "{id", "{find.", "{ticket." };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (strstr(tmpl, good[i]) != NULL)
			return true;
	for (const char *p = tmpl; (p = strstr(p, "{received")) != NULL; p++) {
		size_t n = strcspn(p, "}");

		for (size_t i = 0; i + 1 < n; i++)
			if (p[i] == '%' && strchr("MRT", p[i + 1]) != NULL)
				return true;
	}
	return false;
}

static void
result_name_check(const struct conf_rule *r)
{
	const char *bad = strpbrk(r->result_name, "<>\"|?*");
	const char *colon = r->result_name;

	if (*r->result_name == '\0')
		return;
	if (!tells_apart(r->result_name))
		problem_add(&r->where, true,
		    "rules.%s.name: many documents would have this name, and get \" (2)\", \" (3)\" ...; add {name}, {id} or a find", r->name);
	/* the first colon of a variable stands before its format */
	for (bool inside = false, format = false; bad == NULL && *colon != '\0'; colon++) {
		if (*colon == '{' || *colon == '}') {
			inside = *colon == '{';
			format = false;
		} else if (*colon == ':' && inside && !format) {
			format = true;
		} else if (*colon == ':' || (inside && format && colon[0] == '%' && strchr("RT", colon[1]) != NULL)) {
			bad = colon;
		}
	}
	if (bad != NULL)
		problem_add(&r->where, true, "rules.%s.name: no file name on Windows has < > : \" | ? * in it (nor %%R and %%T, which write \":\"): "
		    "it becomes \"_\"; write \"-\"", r->name);
}

/* --- entries that nothing uses ---------------------------------------------------------------- */

static bool
seal_used(const struct conf *c, const struct conf_seal *s)
{
	for (size_t i = 0; i < c->nrules; i++)
		if (c->rules[i].seal == s)
			return true;
	for (size_t i = 0; i < c->nfolders; i++)
		for (size_t j = 0; c->folders[i].ticket != TICKET_NONE && j < c->folders[i].nseals; j++)
			if (c->folders[i].seals[j] == s)
				return true;
	return false;
}

static bool
token_used(const struct conf *c, const struct conf_token *t)
{
	for (size_t i = 0; i < c->nseals; i++)
		for (size_t j = 0; j < c->seals[i].ntokens; j++)
			if (c->seals[i].tokens[j] == t)
				return true;
	return false;
}

static bool
tsa_used(const struct conf *c, const struct conf_tsa *t)
{
	for (size_t i = 0; i < c->nseals; i++)
		if (c->seals[i].tsa == t)
			return true;
	return strcmp(c->evidence.tsa, t->name) == 0;
}

static void
unused_check(const struct conf *c)
{
	for (size_t i = 0; i < c->nseals; i++)
		if (!seal_used(c, &c->seals[i]))
			problem_add(&c->seals[i].where, true, "seals.%s: no rule and no ticket uses this seal; take it out, or name it in a rule",
			    c->seals[i].name);
	for (size_t i = 0; i < c->ntokens; i++)
		if (!token_used(c, &c->tokens[i]))
			problem_add(&c->tokens[i].where, true,
			    "tokens.%s: no seal uses this token, and its PIN is used all the same; add it to a seal, or take it out", c->tokens[i].name);
	for (size_t i = 0; i < c->ntsas; i++)
		if (!tsa_used(c, &c->tsas[i]))
			problem_add(&c->tsas[i].where, true, "tsa.%s: neither a seal nor evidence uses it; take it out, or name it there",
			    c->tsas[i].name);
}

/* Two entries for one key: nothing is signed the faster for it, and one more session is logged in. */
static void
tokens_check(const struct conf *c)
{
	for (size_t i = 0; i < c->ntokens; i++)
		for (size_t j = 0; j < i; j++) {
			const struct conf_token *a = &c->tokens[j], *b = &c->tokens[i];

			if (strcmp(a->module, b->module) == 0 && strcmp(a->serial, b->serial) == 0 && strcmp(a->label, b->label) == 0 &&
			    strcmp(a->key_id, b->key_id) == 0 && strcmp(a->key_label, b->key_label) == 0)
				problem_add(&b->where, true, "tokens.%s: is the same token and key as \"%s\"; give each its serial or key_label",
				    b->name, a->name);
		}
}

/* --- times that contradict each other ----------------------------------------------------------- */

static bool
given(const struct conf *c, const char *key)
{
	for (size_t i = 0; i < c->nspots; i++)
		if (strcmp(c->spots[i].key, key) == 0)
			return true;
	return false;
}

static void
times_check(const struct conf *c)
{
	const struct conf_where where = { c->path, c->lines };

	for (size_t i = 0; i < c->nfolders; i++) {
		const struct conf_folder *f = &c->folders[i];

		if (f->settle_ms != 0 && f->incomplete_ms <= f->settle_ms)
			problem_add(&f->where, true,
			    "folders.%s.incomplete_max: is over before settle is: what is slow would be refused; let it be hours", f->name);
	}
	for (size_t i = 0; i < c->ntsas; i++)
		if (c->tsas[i].timeout_ms * c->tsas[i].url.n > c->tsa_max_wait_ms)
			problem_add(&c->tsas[i].where, true,
			    "tsa.%s.timeout: one try takes longer than tsa_max_wait: an alarm would come each time; make it shorter",
			    c->tsas[i].name);
	if (c->alarms.space < c->space_floor)
		problem_add(&where, true, "alarms.space: is less than space_floor: the alarm would come when nothing is claimed any more; let it be more");
	if (*c->evidence.tsa == '\0' && given(c, "evidence.batch"))
		problem_add(&where, true, "evidence.batch: without evidence.tsa no evidence records are made; name a tsa, or take it out");
	if (*c->evidence.tsa == '\0' && given(c, "evidence.renew_before"))
		problem_add(&where, true, "evidence.renew_before: without evidence.tsa there is nothing to renew; name a tsa, or take it out");
}

void
conf_doubt(const struct conf *c)
{
	const struct conf_problem *first;

	if (problems_errors(&first) > 0)
		return; /* names that lead nowhere */
	for (size_t i = 0; i < c->nfolders; i++)
		late_check(c, &c->folders[i]);
	for (size_t i = 0; i < c->nrules; i++) {
		const struct conf_rule *r = &c->rules[i];

		denied_check(r);
		folders_of_check(c, r);
		page_check(r);
		shift_check(r);
		result_name_check(r);
	}
	unused_check(c);
	tokens_check(c);
	times_check(c);
}
