#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "rules/decideint.h"
#include "rules/rules.h"

static bool
forced_rule(const struct decision *d)
{
	return d->force != NULL && d->force->force_rule[0] != '\0';
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

const char *
decide_field(const struct decision *d, const char *key)
{
	for (uint32_t i = 0; d->force != NULL && i < d->force->nfields; i++)
		if (strcmp(d->force->fields[i].key, key) == 0)
			return d->force->fields[i].value;
	return NULL;
}

/* The first reason to hold is the one that is told. */
void
decide_hold(struct decision *d, enum err_code code, const char *word, const char *fmt, ...)
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

void
decide_candidates(struct decision *d, const struct matches *m)
{
	for (size_t i = 0; i < m->n && d->ret->ncandidates < MSG_CANDIDATES_MAX; i++) {
		d->ret->candidates[d->ret->ncandidates].page = m->v[i].page;
		d->ret->candidates[d->ret->ncandidates++].box = m->v[i].box;
	}
}

/* --- which rule ---------------------------------------------------------------------------- */

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
		if ((there = decide_when(d, r, e)) < 0)
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

static const char *
why_no_value(const struct conf_find *f, const struct found *found, size_t seen)
{
	if (found->many)
		return "barcodes on the pages have different values";
	if (f->barcode.text != NULL)
		return seen == 0 ? "no barcode that fits is on the pages" : "no barcode has a value of that type";
	return seen == 0 ? "none of its phrases is on the pages" : "no value that fits behind its phrases";
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
		explain_find(d->explain, &d->tokens, f->name, &found);
		if (found.value_found) {
			value_put(d, f->name, found.value);
		} else if (!f->required || forced_rule(d) || decide_forced_place(d)) {
			value_put(d, f->name, "");
		} else {
			if (d->ret->hold == 0)
				decide_candidates(d, &seen);
			decide_hold(d, found.many ? ERR_FIND_MANY : ERR_FIND_NONE, f->name, "find '%s': %s", f->name, why_no_value(f, &found, seen.n));
		}
	}
	return 0;
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
		value = decide_field(d, variable + 7);
	else if (strcmp(variable, "received") == 0)
		value = name_time(d->tokens.doc->received_us, format == NULL ? "%Y-%m-%d" : format, d->folder->language, d->time,
		            sizeof(d->time))
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

		decide_hold(d, ERR_RULE_HOLD, "", "%s%s", why, decide_forced_place(d) ? " (a place alone is not enough: name a rule too)" : "");
		return 0;
	}
	snprintf(d->ret->seal, sizeof(d->ret->seal), "%s", seal->name);
	explain_text(d->explain, "seal", seal->name);
	if ((rc = finds_run(d, r, e)) < 0 || (rc = decide_place(d, r, e)) < 0)
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
		decide_hold(d, ERR_RULE_NONE, forced_rule(d) ? d->force->force_rule : d->force->want_rule,
		    "folder '%s' has no rule '%s'", d->folder->name,
		    forced_rule(d) ? d->force->force_rule : d->force->want_rule);
	else
		decide_hold(d, ERR_RULE_NONE, "", "none of the %zu rules of folder '%s' applies", d->folder->nrules, d->folder->name);
	return 0;
}

int
rules_decide(const struct conf *c, const struct conf_folder *folder, const struct doc_words *doc,
    const struct compose_params *force, struct compose_result *ret, json_t *trace, struct err *e)
{
	struct explain x = { .rules = trace };
	struct decision d = { .conf = c, .folder = folder, .force = force, .ret = ret, .explain = trace == NULL ? NULL : &x };
	uint32_t pages = ret->pages;
	uint64_t len = ret->len;
	int rc;

	memset(ret, 0, sizeof(*ret));
	ret->pages = pages;
	ret->len = len;
	if ((rc = tokens_init(&d.tokens, doc, e)) < 0)
		return rc;
	if ((rc = decide(&d, e)) == 0)
		explain_rest(d.explain, folder, ret->rule);
	tokens_done(&d.tokens);
	ink_done(&d.ink);
	if (rc == 0 && x.lost)
		return err_set(e, ERR_MEM, "trace of the rules");
	return rc;
}
