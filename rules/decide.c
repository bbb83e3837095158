#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/explain.h"
#include "rules/place.h"
#include "rules/rules.h"

struct decision {
	const struct conf_folder *folder;
	const struct compose_params *force;
	struct doc_tokens tokens;
	struct compose_result *ret;
	struct explain *explain; /* NULL: not wanted */
	char missing[MSG_NAME_MAX]; /* variable without a value, set by the name's expansion */
	char time[64];
};

static bool
forced_rule(const struct decision *d)
{
	return d->force != NULL && d->force->force_rule[0] != '\0';
}

static bool
forced_place(const struct decision *d)
{
	return d->force != NULL && d->force->force_at != 0;
}

/* A ticket names the rule: its words need not be on the pages, all else holds. */
static bool
wanted_rule(const struct decision *d)
{
	return d->force != NULL && d->force->want_rule[0] != '\0' && !forced_rule(d);
}

static const struct conf_seal *
wanted_seal(const struct decision *d)
{
	for (size_t i = 0; d->force != NULL && i < d->folder->nseals; i++)
		if (strcmp(d->folder->seals[i]->name, d->force->want_seal) == 0)
			return d->folder->seals[i];
	return NULL;
}

/* The first reason to hold is the one that is told. */
static void hold(struct decision *, enum err_code, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
hold(struct decision *d, enum err_code code, const char *word, const char *fmt, ...)
{
	va_list ap;

	if (d->ret->hold != 0)
		return;
	d->ret->hold = (uint32_t)code;
	snprintf(d->ret->hold_word, sizeof(d->ret->hold_word), "%s", word);
	va_start(ap, fmt);
	vsnprintf(d->ret->hold_text, sizeof(d->ret->hold_text), fmt, ap);
	va_end(ap);
	explain_text(d->explain, "hold", err_word(code));
	explain_text(d->explain, "hold_text", d->ret->hold_text);
}

static void
candidates_add(struct decision *d, const struct matches *m)
{
	for (size_t i = 0; i < m->n && d->ret->ncandidates < MSG_CANDIDATES_MAX; i++) {
		d->ret->candidates[d->ret->ncandidates].page = m->v[i].page;
		d->ret->candidates[d->ret->ncandidates++].box = m->v[i].box;
	}
}

/* --- when --------------------------------------------------------------------------------- */

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
		explain_when(d->explain, d->tokens.doc, list, phrases->v[i], m.n > 0 ? m.v : NULL);
		there += m.n > 0;
		if (d->explain == NULL && (m.n > 0) == one_is_enough)
			break;
	}
	return there;
}

/* 1, 0 or -code */
static int
when_holds(struct decision *d, const struct conf_rule *r, struct err *e)
{
	int any, all;

	if (r->always) {
		explain_matched(d->explain, true, "it always applies");
		return 1;
	}
	if ((any = phrases_there(d, r, "any", &r->any, true, e)) < 0 ||
	    (all = phrases_there(d, r, "all", &r->all, false, e)) < 0)
		return any < 0 ? any : all;
	if (r->any.n > 0 && any == 0)
		explain_matched(d->explain, false, "none of the words in \"any\" is there");
	else if ((size_t)all < r->all.n)
		explain_matched(d->explain, false, "not every word in \"all\" is there");
	else
		explain_matched(d->explain, true, "its words are there");
	return (r->any.n == 0 || any > 0) && (size_t)all == r->all.n;
}

/* The rule that decides, NULL in *ret when none does. */
static int
rule_choose(struct decision *d, const struct conf_rule **ret, struct err *e)
{
	*ret = NULL;
	for (size_t i = 0; i < d->folder->nrules; i++) {
		const struct conf_rule *r = d->folder->rules[i];
		int there;

		if (forced_rule(d) || wanted_rule(d)) {
			if (strcmp(r->name, forced_rule(d) ? d->force->force_rule : d->force->want_rule) == 0) {
				explain_rule(d->explain, r->name);
				explain_matched(d->explain, true, forced_rule(d) ? "a person chose it" : "the ticket names it");
				*ret = r;
				return 0;
			}
			continue;
		}
		explain_rule(d->explain, r->name);
		if ((there = when_holds(d, r, e)) < 0)
			return there;
		if (there > 0) {
			*ret = r;
			return 0;
		}
	}
	return 0;
}

/* --- find --------------------------------------------------------------------------------- */

static void
value_put(struct decision *d, const char *name, const char *value)
{
	struct compose_result *r = d->ret;

	if (r->nvalues == MSG_VALUES_MAX)
		return; /* the settings allow no more */
	snprintf(r->values[r->nvalues].key, sizeof(r->values[0].key), "%s", name);
	snprintf(r->values[r->nvalues++].value, sizeof(r->values[0].value), "%s", value);
}

static const char *
value_get(const struct decision *d, const char *name)
{
	for (uint32_t i = 0; i < d->ret->nvalues; i++)
		if (strcmp(d->ret->values[i].key, name) == 0)
			return d->ret->values[i].value;
	return NULL;
}

/* Missing and not required, or a person forced rule or place: the value is empty. */
static int
finds_run(struct decision *d, const struct conf_rule *r, struct err *e)
{
	for (size_t i = 0; i < r->nfinds; i++) {
		const struct conf_find *f = &r->finds[i];
		AUTO_MATCHES seen = { 0 };
		struct found found;
		int rc = find_value(&d->tokens, f, r->typos, &seen, &found, e);

		if (rc < 0)
			return rc;
		explain_find(d->explain, d->tokens.doc, f->name, &found);
		if (found.value_found) {
			value_put(d, f->name, found.value);
		} else if (!f->required || forced_rule(d) || forced_place(d)) {
			value_put(d, f->name, "");
		} else {
			if (d->ret->hold == 0)
				candidates_add(d, &seen);
			hold(d, ERR_FIND_NONE, f->name, "find '%s': %s", f->name,
			    seen.n == 0 ? "none of its phrases is on the pages" : "no value that fits behind its phrases");
		}
	}
	return 0;
}

/* --- place -------------------------------------------------------------------------------- */

static void
box_put(struct decision *d, uint32_t page, const struct box *b)
{
	d->ret->place = PLACE_BOX;
	d->ret->place_page = page;
	d->ret->place_box = *b;
}

/* The page that 'at' and corners use: the last of the chosen ones that exist. */
static bool
corner_put(struct decision *d, const struct conf_place *p, enum place_corner corner)
{
	const struct doc_words *doc = d->tokens.doc;
	uint32_t from, to;
	struct box b;

	match_pages(&p->pages, doc->npages, &from, &to);
	if (from >= to || !place_corner(p, corner, &doc->pages[to - 1], &b))
		return false;
	box_put(d, to - 1, &b);
	return true;
}

/* No place beside the phrase: what the rule says for that, or held. */
static void
place_otherwise(struct decision *d, const struct conf_place *p, enum err_code code, const char *why)
{
	char said[ERR_TEXT_MAX];

	if (p->otherwise == ELSE_INVISIBLE) {
		d->ret->place = PLACE_INVISIBLE;
		snprintf(said, sizeof(said), "%s; the rule says: invisible", why);
	} else if (p->otherwise == ELSE_CORNER && corner_put(d, p, p->else_corner)) {
		snprintf(said, sizeof(said), "%s; the rule says: in the corner", why);
	} else {
		snprintf(said, sizeof(said), "%s", why);
		hold(d, code, p->near, "%s", why);
	}
	explain_place(d->explain, d->tokens.doc, d->ret, said);
}

static void
place_near(struct decision *d, const struct conf_place *p, const struct matches *m)
{
	int chosen = place_choose(p, m);
	struct box b;
	char why[ERR_TEXT_MAX];

	for (size_t i = 0; i < m->n && i < MSG_CANDIDATES_MAX; i++)
		explain_anchor(d->explain, d->tokens.doc, &m->v[i], (int)i == chosen);
	if (chosen == -(int)ERR_ANCHOR_NONE) {
		snprintf(why, sizeof(why), m->n == 0 ? "'%.120s' is not on the pages" : "'%.120s' is not there that often",
		    p->near);
		place_otherwise(d, p, ERR_ANCHOR_NONE, why);
	} else if (chosen < 0) {
		snprintf(why, sizeof(why), "'%.120s' is there %zu times and could mean another place", p->near, m->n);
		place_otherwise(d, p, ERR_ANCHOR_MANY, why);
	} else if (!place_beside(p, &m->v[chosen], &d->tokens.doc->pages[m->v[chosen].page], &b)) {
		snprintf(why, sizeof(why), "the place beside '%.120s' on page %u leaves the page", p->near,
		    m->v[chosen].page + 1);
		place_otherwise(d, p, ERR_ANCHOR_PLACE, why);
	} else {
		box_put(d, m->v[chosen].page, &b);
		snprintf(why, sizeof(why), "beside '%.120s' on page %u", p->near, m->v[chosen].page + 1);
		explain_place(d->explain, d->tokens.doc, d->ret, why);
	}
}

static void
place_forced(struct decision *d, const struct conf_place *p)
{
	const struct compose_params *f = d->force;
	struct box b;

	if (f->force_page < d->tokens.doc->npages &&
	    place_at(p, f->force_x, f->force_y, &d->tokens.doc->pages[f->force_page], &b))
		box_put(d, f->force_page, &b);
	else
		hold(d, ERR_ANCHOR_PLACE, p->near, "the place given on page %u leaves the page, or the rule has no size",
		    f->force_page + 1);
	explain_place(d->explain, d->tokens.doc, d->ret, "where a person put it");
}

static int
place_run(struct decision *d, const struct conf_rule *r, struct err *e)
{
	const struct conf_place *p = &r->place;
	AUTO_MATCHES m = { 0 };
	int rc;

	if (forced_place(d)) {
		place_forced(d, p);
		return 0;
	}
	if (p->invisible) {
		d->ret->place = PLACE_INVISIBLE;
		explain_place(d->explain, d->tokens.doc, d->ret, "the rule says: invisible");
		return 0;
	}
	if (p->fixed) {
		if (corner_put(d, p, p->at_corner))
			explain_place(d->explain, d->tokens.doc, d->ret, "in the corner the rule names");
		else
			place_otherwise(d, p, ERR_ANCHOR_PLACE, "the seal does not fit into the corner, or there is no such page");
		return 0;
	}
	if ((rc = match_find(&d->tokens, &p->pages, p->near, p->typos, false, &m, e)) < 0)
		return rc;
	if (d->ret->hold == 0) /* else the picture shows what the first reason is about */
		candidates_add(d, &m);
	place_near(d, p, &m);
	return 0;
}

static const char *
field_get(const struct decision *d, const char *key)
{
	for (uint32_t i = 0; d->force != NULL && i < d->force->nfields; i++)
		if (strcmp(d->force->fields[i].key, key) == 0)
			return d->force->fields[i].value;
	return NULL;
}

/* --- name --------------------------------------------------------------------------------- */

static const char *
variable_value(void *ctx, const char *variable, const char *format)
{
	struct decision *d = ctx;
	const char *value = NULL;

	if (strncmp(variable, "find.", 5) == 0)
		value = value_get(d, variable + 5);
	else if (strncmp(variable, "ticket.", 7) == 0)
		value = field_get(d, variable + 7);
	else if (strcmp(variable, "received") == 0)
		value = name_time(d->tokens.doc->received_us, format == NULL ? "%Y-%m-%d" : format, d->time, sizeof(d->time))
		    ? d->time
		    : NULL;
	else if (strcmp(variable, "rule") == 0)
		value = d->ret->rule;
	else if (strcmp(variable, "folder") == 0)
		value = d->folder->name;
	else if (strcmp(variable, "id") == 0)
		value = d->force == NULL || d->force->id[0] == '\0' ? "JOB-ID" : d->force->id;
	if (value == NULL || *value == '\0')
		snprintf(d->missing, sizeof(d->missing), "%s", variable);
	return value;
}

struct name_ctx {
	struct decision *d;
	char stem[MSG_TEXT_MAX];
};

static const char *
name_value(void *ctx, const char *variable, const char *format)
{
	struct name_ctx *n = ctx;

	return strcmp(variable, "name") == 0 ? n->stem : variable_value(n->d, variable, format);
}

/* Without a value that it needs the result keeps the document's own name. */
static void
name_run(struct decision *d, const struct conf_rule *r)
{
	struct name_ctx n = { .d = d };
	const char *source = d->tokens.doc->source_name, *dot = strrchr(source, '.');
	size_t stem = dot == NULL || dot == source ? strlen(source) : (size_t)(dot - source);
	char name[2 * MSG_TEXT_MAX];
	struct err e = { 0 };

	if (d->force != NULL && d->force->want_name[0] != '\0') {
		name_legal(d->force->want_name, d->ret->name, sizeof(d->ret->name));
		explain_text(d->explain, "name", d->ret->name);
		return;
	}
	if (*r->result_name == '\0')
		return;
	snprintf(n.stem, sizeof(n.stem), "%.*s", (int)(stem < sizeof(n.stem) ? stem : sizeof(n.stem) - 1), source);
	if (name_expand(r->result_name, name_value, &n, name, sizeof(name), &e) == 0 && d->missing[0] == '\0') {
		name_legal(name, d->ret->name, sizeof(d->ret->name));
		explain_text(d->explain, "name", d->ret->name);
	}
}

/* ------------------------------------------------------------------------------------------ */

static int
rule_apply(struct decision *d, const struct conf_rule *r, struct err *e)
{
	const struct conf_seal *seal = wanted_seal(d) != NULL ? wanted_seal(d) : r->seal;
	int rc;

	snprintf(d->ret->rule, sizeof(d->ret->rule), "%s", r->name);
	memcpy(d->ret->rule_hash, r->hash, HASH_LEN);
	if (r->seal == NULL) {
		const char *why = *r->hold_en != '\0' ? r->hold_en : r->hold_de;

		hold(d, ERR_RULE_HOLD, "", "%s%s", why, forced_place(d) ? " (a place alone is not enough: name a rule too)" : "");
		return 0;
	}
	snprintf(d->ret->seal, sizeof(d->ret->seal), "%s", seal->name);
	explain_text(d->explain, "seal", seal->name);
	if ((rc = finds_run(d, r, e)) < 0 || (rc = place_run(d, r, e)) < 0)
		return rc;
	if (d->ret->hold == 0)
		name_run(d, r);
	return 0;
}

static int
decide(struct decision *d, struct err *e)
{
	const struct conf_rule *rule;
	int rc = rule_choose(d, &rule, e);

	if (rc < 0)
		return rc;
	if (rule != NULL)
		return rule_apply(d, rule, e);
	explain_rule_done(d->explain);
	if (forced_rule(d) || wanted_rule(d))
		hold(d, ERR_RULE_NONE, forced_rule(d) ? d->force->force_rule : d->force->want_rule,
		    "folder '%s' has no rule '%s'", d->folder->name,
		    forced_rule(d) ? d->force->force_rule : d->force->want_rule);
	else
		hold(d, ERR_RULE_NONE, "", "none of the %zu rules of folder '%s' applies", d->folder->nrules, d->folder->name);
	return 0;
}

int
rules_decide(const struct conf *c, const struct conf_folder *folder, const struct doc_words *doc,
    const struct compose_params *force, struct compose_result *ret, json_t *trace, struct err *e)
{
	struct explain x = { .rules = trace };
	struct decision d = { .folder = folder, .force = force, .ret = ret, .explain = trace == NULL ? NULL : &x };
	uint32_t pages = ret->pages;
	uint64_t len = ret->len;
	int rc;

	(void)c; /* the folder's rules and their seals are resolved */
	memset(ret, 0, sizeof(*ret));
	ret->pages = pages;
	ret->len = len;
	if ((rc = tokens_init(&d.tokens, doc, e)) < 0)
		return rc;
	if ((rc = decide(&d, e)) == 0)
		explain_rest(d.explain, folder, ret->rule);
	tokens_done(&d.tokens);
	if (rc == 0 && x.lost)
		return err_set(e, ERR_MEM, "trace of the rules");
	return rc;
}
