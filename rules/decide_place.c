#include <stdio.h>
#include <string.h>

#include "rules/codes.h"
#include "rules/decideint.h"
#include "rules/place.h"

/* What is said of the place for people. */
struct said {
	char why[ERR_TEXT_MAX];
	struct box ideal; /* where it would stand but for ink or the page's edge */
	bool moved;
};

/* What the seal stands beside, for people. */
static const char *
anchor_of(const struct conf_place *p)
{
	return p->barcode.text != NULL ? p->barcode.text : *p->field != '\0' ? p->field : p->near;
}

/* The ink of a page; square 0 where nobody knows it. */
static int
ink_of(struct decision *d, uint32_t page, struct err *e)
{
	const struct doc_words *doc = d->tokens.doc;

	if (doc->ink == NULL || (d->ink.bits != NULL && d->ink_page == page))
		return 0;
	ink_done(&d->ink);
	d->ink_page = page;
	return doc->ink(doc->ctx, page, &d->ink, e);
}

/* A place as near to the ideal one as the rule allows; -ERR_ANCHOR_PLACE, -ERR_PLACE_INK are no failures. */
static int
settle_box(struct decision *d, const struct conf_place *p, uint32_t page, const struct box *ideal, int32_t reach,
    struct box *ret, struct err *e)
{
	const struct page_words *words = &d->tokens.doc->pages[page];
	int r = 0;

	*ret = *ideal;
	if (!p->ignore_ink && (r = ink_of(d, page, e)) < 0)
		return r;
	if (p->ignore_ink || d->ink.square == 0)
		r = place_on_page(ideal, words) ? 0 : err_set(e, ERR_ANCHOR_PLACE, "off the page");
	else if (!place_on_page(ideal, words) || ink_under(&d->ink, ideal))
		r = ink_nearest(&d->ink, ideal, reach, ret, e);
	return r == -(int)ERR_PLACE_INK && !place_on_page(ideal, words) ? -(int)ERR_ANCHOR_PLACE : r;
}

static int
settle(struct decision *d, const struct conf_place *p, uint32_t page, const struct box *ideal, int32_t reach,
    struct said *said, struct err *e)
{
	struct box b;
	int r = settle_box(d, p, page, ideal, reach, &b, e);

	said->ideal = *ideal;
	said->moved = r < 0 || b.x0 != ideal->x0 || b.y0 != ideal->y0;
	if (r < 0)
		return r;
	d->ret->place = PLACE_BOX;
	d->ret->place_page = page;
	d->ret->place_box = b;
	return 0;
}

/* The page that 'at' and corners use: the last of the chosen ones that exist. */
static int
settle_corner(struct decision *d, const struct conf_place *p, enum place_corner corner, int32_t reach, struct said *said,
    struct err *e)
{
	const struct doc_words *doc = d->tokens.doc;
	uint32_t from, to;
	struct box b;

	match_pages(&p->pages, doc->npages, &from, &to);
	if (from >= to || !place_corner(p, corner, &doc->pages[to - 1], &b))
		return err_set(e, ERR_ANCHOR_PLACE, "no such page, or it is too small");
	return settle(d, p, to - 1, &b, reach, said, e);
}

static void
explain(struct decision *d, const struct said *s)
{
	explain_place(d->explain, &d->tokens, d->ret, s->moved ? &s->ideal : NULL, s->why);
}

/* Where no place was found: only these two are a matter for a person or another place. */
static bool
no_place(int r)
{
	return r == -(int)ERR_ANCHOR_PLACE || r == -(int)ERR_PLACE_INK;
}

/* No place as the rule wants it: what it says for that, or held. target: where one was looked for, on that page. */
static int
otherwise(struct decision *d, const struct conf_place *p, enum err_code code, const struct box *target, uint32_t page,
    struct said *said, struct err *e)
{
	static const char *const instead[] = { "", "in the corner", "invisible", "where the page is free" };
	size_t n = strlen(said->why);
	int r = -(int)ERR_ANCHOR_PLACE;

	if (p->otherwise == ELSE_INVISIBLE) {
		d->ret->place = PLACE_INVISIBLE;
		r = 0;
	} else if (p->otherwise == ELSE_CORNER) {
		r = settle_corner(d, p, p->else_corner, p->reach, said, e);
	} else if (p->otherwise == ELSE_FREE && target != NULL) {
		r = settle(d, p, page, target, INT32_MAX, said, e);
	} else if (p->otherwise == ELSE_FREE) {
		r = settle_corner(d, p, CORNER_BOTTOM_RIGHT, INT32_MAX, said, e);
	}
	if (r < 0 && !no_place(r))
		return r;
	if (r == 0)
		snprintf(said->why + n, sizeof(said->why) - n, "; the rule says: %s", instead[p->otherwise]);
	else
		decide_hold(d, code, anchor_of(p), "%s", said->why);
	explain(d, said);
	return 0;
}

/* Beside the words that were chosen. */
static int
place_beside_match(struct decision *d, const struct conf_place *p, const struct match *m, struct err *e)
{
	struct said said = { .moved = false };
	struct box ideal;
	int r = place_beside(p, m, &ideal) ? settle(d, p, m->page, &ideal, p->reach, &said, e) : -(int)ERR_ANCHOR_PLACE;

	if (r < 0 && !no_place(r))
		return r;
	if (r == -(int)ERR_PLACE_INK) {
		snprintf(said.why, sizeof(said.why), "there is writing beside '%.120s' on page %u, and no free place near by", anchor_of(p),
		    m->page + 1);
		return otherwise(d, p, ERR_PLACE_INK, &ideal, m->page, &said, e);
	}
	if (r < 0) {
		snprintf(said.why, sizeof(said.why), "the place beside '%.120s' on page %u leaves the page", anchor_of(p), m->page + 1);
		return otherwise(d, p, ERR_ANCHOR_PLACE, NULL, 0, &said, e);
	}
	snprintf(said.why, sizeof(said.why), "beside '%.120s' on page %u%s", anchor_of(p), m->page + 1,
	    said.moved ? ", moved to where nothing is written" : "");
	explain(d, &said);
	return 0;
}

static int
place_near(struct decision *d, const struct conf_place *p, const struct matches *m, struct err *e)
{
	struct said said = { .moved = false };
	int chosen = place_choose(p, m);

	for (size_t i = 0; i < m->n && i < MSG_CANDIDATES_MAX; i++)
		explain_anchor(d->explain, &d->tokens, &m->v[i], (int)i == chosen);
	if (chosen >= 0)
		return place_beside_match(d, p, &m->v[chosen], e);
	if (chosen == -(int)ERR_ANCHOR_NONE)
		snprintf(said.why, sizeof(said.why), m->n == 0 ? "'%.120s' is not on the pages" : "'%.120s' is not there that often",
		    anchor_of(p));
	else
		snprintf(said.why, sizeof(said.why), "'%.120s' is there %zu times and could mean another place", anchor_of(p), m->n);
	return otherwise(d, p, (enum err_code)-chosen, NULL, 0, &said, e);
}

static int
place_fixed(struct decision *d, const struct conf_place *p, struct err *e)
{
	struct said said = { .moved = false };
	int r = settle_corner(d, p, p->at_corner, p->reach, &said, e);

	if (r < 0 && !no_place(r))
		return r;
	snprintf(said.why, sizeof(said.why), "%s",
	    r == -(int)ERR_PLACE_INK ? "there is writing in the corner, and no free place near by" :
	    r < 0                    ? "the seal does not fit into the corner, or there is no such page" :
	    said.moved               ? "in the corner the rule names, moved to where nothing is written" :
	                               "in the corner the rule names");
	if (r < 0)
		return otherwise(d, p, (enum err_code)-r, NULL, 0, &said, e);
	explain(d, &said);
	return 0;
}

/* A person has seen the page: ink is no reason not to. */
static void
place_forced(struct decision *d, const struct conf_place *p)
{
	const struct compose_params *f = d->force;
	struct box b;

	if (f->force_page < d->tokens.doc->npages &&
	    place_at(p, f->force_x, f->force_y, &d->tokens.doc->pages[f->force_page], &b)) {
		d->ret->place = PLACE_BOX;
		d->ret->place_page = f->force_page;
		d->ret->place_box = b;
	} else {
		decide_hold(d, ERR_ANCHOR_PLACE, anchor_of(p), "the place given on page %u leaves the page, or the rule has no size",
		    f->force_page + 1);
	}
	explain_place(d->explain, &d->tokens, d->ret, NULL, "where a person put it");
}

/* --- a field that is there ----------------------------------------------------------------------- */

/* Its box is where whoever made the form wants a signature: ink there is no reason not to. */
static int
place_field(struct decision *d, const struct conf_place *p, struct err *e)
{
	const struct doc_words *doc = d->tokens.doc;
	struct said said = { .moved = false };
	struct doc_field f;
	struct err why = { 0 };
	int r = doc->field == NULL ? err_set(&why, ERR_FIELD, "the document has no signature fields of its own")
	                           : doc->field(doc->ctx, p->field, &f, &why);

	if (r < 0 && r != -(int)ERR_FIELD) {
		*e = why;
		return r;
	}
	if (r < 0) {
		snprintf(said.why, sizeof(said.why), "%.150s", why.text);
		return otherwise(d, p, ERR_FIELD, NULL, 0, &said, e);
	}
	snprintf(d->ret->field, sizeof(d->ret->field), "%s", p->field);
	d->ret->place = f.seen ? PLACE_BOX : PLACE_INVISIBLE;
	d->ret->place_page = f.seen ? f.page : 0;
	d->ret->place_box = f.seen ? f.box : (struct box){ 0 };
	snprintf(said.why, sizeof(said.why), "in the document's signature field '%.120s'", p->field);
	explain(d, &said);
	return 0;
}

/* --- marks on other pages ------------------------------------------------------------------------- */

/* Where a mark would stand: as the seal does on its page, from the corner the rule names. */
static bool
mark_ideal(const struct decision *d, const struct conf_place *p, uint32_t page, struct box *ret)
{
	*ret = d->ret->place_box;
	return !p->fixed || decide_forced_place(d) || place_corner(p, p->at_corner, &d->tokens.doc->pages[page], ret);
}

/* 1: no mark on this page. */
static int
mark_box(struct decision *d, const struct conf_place *p, uint32_t page, struct box *ret, struct err *e)
{
	const struct page_words *words = &d->tokens.doc->pages[page];
	struct box ideal;
	int r = mark_ideal(d, p, page, &ideal) ? settle_box(d, p, page, &ideal, p->reach, ret, e) : -(int)ERR_ANCHOR_PLACE;

	if (!no_place(r) || p->otherwise == ELSE_HOLD)
		return r;
	if (p->otherwise == ELSE_INVISIBLE)
		return 1;
	if (p->otherwise == ELSE_CORNER)
		return place_corner(p, p->else_corner, words, &ideal) ? settle_box(d, p, page, &ideal, p->reach, ret, e) : r;
	return settle_box(d, p, page, &ideal, INT32_MAX, ret, e);
}

static bool
mark_add(struct seal_marks *m, uint32_t page, const struct box *b)
{
	if (page_set_count(&m->pages) == 0)
		m->box = *b;
	page_set_add(&m->pages, page);
	if (memcmp(&m->box, b, sizeof(*b)) == 0)
		return true;
	if (m->nown == MSG_MARKS_OWN_MAX)
		return false;
	m->own[m->nown].page = page;
	m->own[m->nown++].box = *b;
	return true;
}

static int
place_marks(struct decision *d, const struct conf_place *p, struct err *e)
{
	struct seal_marks *m = &d->ret->marks;
	uint32_t from, to;

	match_pages(&p->marks, d->tokens.doc->npages, &from, &to);
	page_set_init(&m->pages, d->tokens.doc->npages);
	for (uint32_t page = from; page < to && d->ret->hold == 0; page++) {
		struct box b;
		int r = page == d->ret->place_page ? 1 : mark_box(d, p, page, &b, e);

		if (r < 0 && !no_place(r))
			return r;
		if (r < 0)
			decide_hold(d, (enum err_code)-r, anchor_of(p), "no free place on page %u for the mark that the rule wants there", page + 1);
		else if (r == 0 && !mark_add(m, page, &b))
			decide_hold(d, ERR_PLACE_INK, anchor_of(p), "the marks would stand at too many different places (page %u)", page + 1);
		if (r == 0)
			explain_mark(d->explain, page, &b);
	}
	return 0;
}

/* --- documents that came signed -------------------------------------------------------------------- */

static bool
came_signed(const struct decision *d)
{
	return d->force != NULL && d->force->sigs > 0;
}

/* Someone has signed the document so that nothing new may be seen on its pages. */
static bool
unseen_only(const struct decision *d)
{
	return d->force != NULL && d->force->allowed == SEAL_UNSEEN;
}

/* False: the rule wants no visible seal anyway. */
static bool
place_unseen(struct decision *d, const struct conf_place *p)
{
	static const char why[] = "a signature of the document allows nothing new on its pages";

	if (p->invisible && !decide_forced_place(d))
		return false;
	if (d->conf->scan.signed_place == SIGNED_HOLD) {
		decide_hold(d, ERR_DOC_LOCKED, "", "%s", why);
		return true;
	}
	d->ret->place = PLACE_INVISIBLE;
	explain_place(d->explain, &d->tokens, d->ret, NULL, why);
	return true;
}

static int
place_seal(struct decision *d, const struct conf_place *p, struct err *e)
{
	AUTO_MATCHES m = { 0 };
	int rc;

	if (unseen_only(d) && place_unseen(d, p))
		return 0;
	if (decide_forced_place(d)) {
		place_forced(d, p);
		return 0;
	}
	if (p->invisible) {
		d->ret->place = PLACE_INVISIBLE;
		explain_place(d->explain, &d->tokens, d->ret, NULL, "the rule says: invisible");
		return 0;
	}
	if (p->fixed)
		return place_fixed(d, p, e);
	if (*p->field != '\0')
		return place_field(d, p, e);
	rc = p->barcode.text != NULL ? codes_find(&d->tokens, &p->pages, &p->barcode, NULL, false, &m, e)
	                             : match_find(&d->tokens, &p->pages, p->near, p->typos, false, &m, e);
	if (rc < 0)
		return rc;
	if (d->ret->hold == 0) /* else the picture shows what the first reason is about */
		decide_candidates(d, &m);
	return place_near(d, p, &m, e);
}

int
decide_place(struct decision *d, const struct conf_rule *r, struct err *e)
{
	int rc = place_seal(d, &r->place, e);

	/* what its signatures are about are its pages: ours adds a field to one of them, and nothing to others */
	if (rc < 0 || d->ret->hold != 0 || d->ret->place != PLACE_BOX || r->place.marks.kind == PAGES_NONE || came_signed(d))
		return rc;
	return place_marks(d, &r->place, e);
}
