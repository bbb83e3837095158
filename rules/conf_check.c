#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/confint.h"
#include "rules/fold.h"
#include "rules/rules.h"
#include "rules/words.h"

#define MM(n) ((int32_t)((n) * 720000LL / 254))

/* --- names to pointers ------------------------------------------------------------------- */

static const void *
named_find(const void *v, size_t n, size_t size, const char *name, struct near *near)
{
	*near = near_start(name);
	for (size_t i = 0; i < n; i++) {
		const struct conf_named *one = (const void *)((const char *)v + i * size);

		if (strcmp(one->name, name) == 0)
			return one;
		near_try(near, one->name);
	}
	return NULL;
}

static void
missing(const struct conf_named *user, const char *what, const char *name, const struct near *near)
{
	if (near->best != NULL)
		problem_add(&user->where, false, "%s: there is no %s \"%s\"; did you mean \"%s\"?", user->name, what, name,
		    near->best);
	else
		problem_add(&user->where, false, "%s: there is no %s \"%s\"", user->name, what, name);
}

/* Pointers for a list of names; the same name twice is a mistake. */
static const void **
list_resolve(struct conf_reader *r, const struct conf_named *user, const char *what, const struct strings *names,
    const void *v, size_t n, size_t size)
{
	const void **list = conf_alloc(r, (names->n + 1) * sizeof(*list));
	struct near near;

	for (size_t i = 0; list != NULL && i < names->n; i++) {
		if ((list[i] = named_find(v, n, size, names->v[i], &near)) == NULL)
			missing(user, what, names->v[i], &near);
		for (size_t j = 0; j < i; j++)
			if (strcmp(names->v[i], names->v[j]) == 0)
				problem_add(&user->where, false, "%s: %s \"%s\" stands twice in the list", user->name, what,
				    names->v[i]);
	}
	return list;
}

#define USER(thing) ((const struct conf_named *)(const void *)(thing))

void
conf_resolve(struct conf_reader *r)
{
	struct conf *c = r->c;
	struct near near;

	for (size_t i = 0; i < c->nseals; i++) {
		struct conf_seal *s = &c->seals[i];

		s->tokens = (const struct conf_token **)list_resolve(r, USER(s), "token", &s->token_names, c->tokens,
		    c->ntokens, sizeof(*c->tokens));
		s->ntokens = s->token_names.n;
		s->tsa = named_find(c->tsas, c->ntsas, sizeof(*c->tsas), s->tsa_name, &near);
		if (s->tsa == NULL && *s->tsa_name != '\0')
			missing(USER(s), "tsa", s->tsa_name, &near);
	}
	for (size_t i = 0; i < c->nrules; i++) {
		struct conf_rule *u = &c->rules[i];

		u->seal = named_find(c->seals, c->nseals, sizeof(*c->seals), u->seal_name, &near);
		if (u->seal == NULL && *u->seal_name != '\0')
			missing(USER(u), "seal", u->seal_name, &near);
	}
	for (size_t i = 0; i < c->nfolders; i++) {
		struct conf_folder *f = &c->folders[i];

		f->rules = (const struct conf_rule **)list_resolve(r, USER(f), "rule", &f->rule_names, c->rules,
		    c->nrules, sizeof(*c->rules));
		f->nrules = f->rule_names.n;
		f->seals = (const struct conf_seal **)list_resolve(r, USER(f), "seal", &f->seal_names, c->seals,
		    c->nseals, sizeof(*c->seals));
		f->nseals = f->seal_names.n;
	}
}

/* --- rules ------------------------------------------------------------------------------- */

static void
phrases_check(const struct conf_rule *r, const char *key, char *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *said = phrase_check(v[i]);

		if (said != NULL)
			problem_add(&r->where, false, "rules.%s.%s: \"%s\": %s", r->name, key, v[i], said);
	}
}

static void
when_check(const struct conf_rule *r)
{
	if (!r->always && r->any.n == 0 && r->all.n == 0)
		problem_add(&r->where, false,
		    "rules.%s.when: must be given: { any = [ \"word\" ]; } or { all = [ ... ]; } or \"always\"", r->name);
	phrases_check(r, "when.any", r->any.v, r->any.n);
	phrases_check(r, "when.all", r->all.v, r->all.n);
	for (size_t i = 0; i < r->nfinds; i++)
		phrases_check(r, "find.after", r->finds[i].after.v, r->finds[i].after.n);
}

/* Larger than 5 mm, and on an A4 page, upright or not. */
static bool
size_sane(const struct conf_place *p, bool margins)
{
	int32_t w = p->width + (margins ? p->margin_x : 0), h = p->height + (margins ? p->margin_y : 0);

	return p->width >= MM(5) && p->height >= MM(5) && ((w <= MM(210) && h <= MM(297)) || (w <= MM(297) && h <= MM(210)));
}

static void
place_check(const struct conf_rule *r)
{
	const struct conf_place *p = &r->place;
	bool near = *p->near != '\0';

	if (p->invisible)
		return;
	if (near == p->fixed)
		problem_add(&r->where, false, near ? "rules.%s.place: near and at exclude each other"
						   : "rules.%s.place: near or at must be given, or place = \"invisible\"",
		    r->name);
	if (near)
		phrases_check(r, "place.near", (char *const *)&p->near, 1);
	if (p->width == 0 && p->height == 0)
		problem_add(&r->where, false, "rules.%s.place.size: must be given, as [ \"62mm\", \"24mm\" ]", r->name);
	else if (!size_sane(p, p->fixed || p->otherwise == ELSE_CORNER))
		problem_add(&r->where, false,
		    "rules.%s.place.size: a seal is at least 5mm wide and high, and fits on A4 with its margin", r->name);
}

static void
outcome_check(const struct conf_rule *r)
{
	bool seal = *r->seal_name != '\0';

	if (seal == r->hold) {
		problem_add(&r->where, false, seal ? "rules.%s: seal and hold exclude each other"
						   : "rules.%s: seal must be given, or hold = { en = \"why\"; }",
		    r->name);
		return;
	}
	if (r->hold && (r->place.given || *r->result_name != '\0'))
		problem_add(&r->where, false, "rules.%s: a rule that holds has neither place nor name", r->name);
	if (r->hold && *r->hold_de == '\0' && *r->hold_en == '\0')
		problem_add(&r->where, false, "rules.%s.hold: give the reason, as { en = \"why\"; }", r->name);
	if (seal && !r->place.given)
		problem_add(&r->where, false,
		    "rules.%s.place: must be given: near what, at which corner, or \"invisible\"", r->name);
	else if (seal)
		place_check(r);
}

static const struct conf_find *
find_of(const struct conf_rule *r, const char *variable)
{
	for (size_t i = 0; i < r->nfinds; i++)
		if (strcmp(r->finds[i].name, variable + 5) == 0)
			return &r->finds[i];
	return NULL;
}

struct template_user {
	const struct conf_rule *rule; /* whose finds count; NULL: any */
	const char *const *known;
	char why[160];
};

static const char *
variable_check(void *ctx, const char *variable, const char *format)
{
	struct template_user *u = ctx;
	struct near near = near_start(variable);
	bool time = strcmp(variable, "time") == 0 || strcmp(variable, "received") == 0;

	if (strncmp(variable, "find.", 5) == 0) {
		if (u->rule == NULL || find_of(u->rule, variable) != NULL)
			return "";
		snprintf(u->why, sizeof(u->why), "rule %s has no find \"%s\"", u->rule->name, variable + 5);
		return NULL;
	}
	if (strncmp(variable, "ticket.", 7) == 0 && variable[7] != '\0' && format == NULL)
		return ""; /* whether a ticket has it is seen when it comes */
	for (const char *const *k = u->known; *k != NULL; k++) {
		if (strcmp(*k, variable) == 0) {
			if (format == NULL || (time && name_time_valid(format)))
				return "";
			snprintf(u->why, sizeof(u->why), time ? "{%s:...}: only the signs %%Y %%m %%d %%H %%M %%S %%y %%j %%F %%R %%T"
							      : "{%s} takes no format",
			    variable);
			return NULL;
		}
		near_try(&near, *k);
	}
	snprintf(u->why, sizeof(u->why), "there is no variable {%s}%s%s%s", variable, near.best ? "; did you mean {" : "",
	    near.best ? near.best : "", near.best ? "}?" : "");
	return NULL;
}

static void
template_check(const struct conf_named *owner, const char *key, const char *tmpl, struct template_user *u)
{
	char dst[MSG_TEXT_MAX];
	struct err e = { 0 };

	u->why[0] = '\0';
	if (name_expand(tmpl, variable_check, u, dst, sizeof(dst), &e) < 0)
		problem_add(&owner->where, false, "%s.%s: \"%s\": %s", owner->name, key, tmpl, u->why[0] ? u->why : e.text);
}

static void
name_check(const struct conf_rule *r)
{
	static const char *const known[] = { "received", "name", "rule", "folder", "id", NULL };
	struct template_user u = { .rule = r, .known = known };
	size_t n = strlen(r->result_name);

	if (n == 0)
		return;
	template_check(USER(r), "name", r->result_name, &u);
	if (strpbrk(r->result_name, "/\\") != NULL)
		problem_add(&r->where, false, "rules.%s.name: a name has no \"/\" and no \"\\\"", r->name);
	if (n < 5 || strcmp(r->result_name + n - 4, ".pdf") != 0)
		problem_add(&r->where, false, "rules.%s.name: must end in .pdf", r->name);
}

/* --- seals, tokens, authorities ----------------------------------------------------------- */

static void
lines_check(const struct conf *c, const struct conf_seal *s)
{
	static const char *const known[] = { "org", "time", "received", "id", "rule", "folder", NULL };

	for (size_t i = 0; i < s->look.lines.n; i++) {
		struct template_user u = { .known = known };
		const char *line = s->look.lines.v[i];

		template_check(USER(s), "look.lines", line, &u);
		for (size_t j = 0; u.why[0] == '\0' && j < c->nrules; j++) {
			struct template_user by = { .rule = &c->rules[j], .known = known };

			if (c->rules[j].seal == s)
				template_check(USER(s), "look.lines", line, &by);
		}
	}
}

static void
seal_check(const struct conf *c, const struct conf_seal *s)
{
	if (s->level == LEVEL_B_T && *s->tsa_name == '\0')
		problem_add(&s->where, false, "seals.%s.tsa: level B-T needs one; name an entry of tsa, or write level = \"B-B\"",
		    s->name);
	if (s->level == LEVEL_B_B && *s->tsa_name != '\0')
		problem_add(&s->where, true, "seals.%s.tsa: not asked at level B-B; write level = \"B-T\" for a time-stamp",
		    s->name);
	lines_check(c, s);
}

static bool
all_of(const char *s, const char *chars)
{
	return s[strspn(s, chars)] == '\0';
}

static void
token_check(const struct conf_token *t)
{
	if (strcmp(t->name, "log") == 0)
		problem_add(&t->where, false, "tokens.log: \"log\" is the name of the log's own key; take another");
	if (!all_of(t->key_id, "0123456789abcdefABCDEF") || strlen(t->key_id) % 2 != 0)
		problem_add(&t->where, false, "tokens.%s.key_id: write pairs of hexadecimal digits, as \"01af\"", t->name);
}

static void
tsa_check(const struct conf_tsa *t)
{
	for (size_t i = 0; i < t->url.n; i++) {
		const char *u = t->url.v[i];
		size_t n = strncmp(u, "http://", 7) == 0 ? 7 : strncmp(u, "https://", 8) == 0 ? 8 : 0;

		if (n == 0 || u[n] == '\0' || u[n] == '/' || strpbrk(u, " \"<>\\^`{|}@#") != NULL)
			problem_add(&t->where, false, "tsa.%s.url: \"%s\": write http://host/path or https://host/path", t->name, u);
	}
	if (!all_of(t->policy, "0123456789.") || strstr(t->policy, "..") != NULL || *t->policy == '.')
		problem_add(&t->where, false, "tsa.%s.policy: write an OID, as \"1.3.6.1.4.1.99999.1\"", t->name);
}

/* --- folders and paths -------------------------------------------------------------------- */

static bool
below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1);
}

static bool
seal_allowed(const struct conf_folder *f, const struct conf_seal *s)
{
	for (size_t i = 0; i < f->nseals; i++)
		if (f->seals[i] == s)
			return true;
	return false;
}

static void
folder_rules_check(const struct conf_folder *f)
{
	const struct conf_rule *always = NULL;

	for (size_t i = 0; i < f->nrules; i++) {
		const struct conf_rule *r = f->rules[i];

		if (r == NULL)
			continue;
		if (r->seal != NULL && !seal_allowed(f, r->seal))
			problem_add(&f->where, false, "folders.%s.seals: rule \"%s\" uses seal \"%s\", which is not in this list",
			    f->name, r->name, r->seal->name);
		if (always != NULL)
			problem_add(&f->where, true,
			    "folders.%s.rules: rule \"%s\" is never reached: \"%s\" before it always applies", f->name, r->name,
			    always->name);
		if (r->always && always == NULL)
			always = r;
	}
}

static void
folder_paths_check(const struct conf *c, const struct conf_folder *f)
{
	const struct {
		const char *key, *path;
	} others[] = {
		{ "archive.path", c->archive.path },
		{ "state", c->state },
		{ "evidence.anchor", c->evidence.anchor },
	};

	for (const struct conf_folder *g = c->folders; g < f; g++) {
		if (strcmp(f->path, g->path) == 0)
			problem_add(&f->where, false, "folders.%s.path: is also the path of folder \"%s\"", f->name, g->name);
		else if (below(f->path, g->path) || below(g->path, f->path))
			problem_add(&f->where, false, "folders.%s.path: one of this folder and folder \"%s\" lies inside the other",
			    f->name, g->name);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (below(f->path, others[i].path) || below(others[i].path, f->path))
			problem_add(&f->where, false, "folders.%s.path: one of this folder and %s (%s) lies inside the other",
			    f->name, others[i].key, others[i].path);
}

/* The name of a directory that must stay the same for as long as files may lie in it. */
static void
host_check(const struct conf *c, const struct conf_folder *f)
{
	if (!f->claim_rename)
		return;
	if (*c->host == '\0')
		problem_add(&f->where, false,
		    "folders.%s.claim: \"rename\" needs a name for this host: write host = \"scan-a\"; outside of the groups, "
		    "another one on each host", f->name);
	else if (!all_of(c->host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))
		problem_add(&f->where, false, "host: \"%s\": letters, digits, \"-\" and \"_\" only", c->host);
}

static void
root_check(const struct conf *c)
{
	const struct conf_where where = { *c->path == '\0' ? "settings" : c->path, 0 };

	if (c->nfolders == 0)
		problem_add(&where, false, "folders: there is none; add one here or in folders.d");
	if (below(c->state, c->archive.path))
		problem_add(&where, false, "state: must not lie inside archive.path, which is given away as a whole");
	if (below(c->evidence.anchor, c->archive.path) || below(c->evidence.key, c->archive.path))
		problem_add(&where, false, "evidence: anchor and key must not lie inside archive.path");
	/* C2SP signed-note and tlog-checkpoint: the origin stands in lines of text and in key names */
	for (const char *p = c->evidence.origin; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '+') {
			problem_add(&where, false, "evidence.origin: letters, digits and . - / only, as \"seal.example.org/post\"");
			break;
		}
	for (size_t i = 0; i < c->scan.languages.n; i++)
		if (!all_of(c->scan.languages.v[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"))
			problem_add(&where, false, "scan.languages: \"%s\" is not a language of Tesseract", c->scan.languages.v[i]);
}

/* --- entries that nothing names ------------------------------------------------------------ */

static bool
rule_used(const struct conf *c, const struct conf_rule *r)
{
	for (size_t i = 0; i < c->nfolders; i++)
		for (size_t j = 0; j < c->folders[i].nrules; j++)
			if (c->folders[i].rules[j] == r)
				return true;
	return false;
}

void
conf_check(const struct conf *c)
{
	root_check(c);
	for (size_t i = 0; i < c->nfolders; i++) {
		folder_rules_check(&c->folders[i]);
		folder_paths_check(c, &c->folders[i]);
		host_check(c, &c->folders[i]);
	}
	for (size_t i = 0; i < c->nrules; i++) {
		const struct conf_rule *r = &c->rules[i];

		when_check(r);
		outcome_check(r);
		name_check(r);
		if (!rule_used(c, r))
			problem_add(&r->where, true, "rules.%s: no folder uses this rule", r->name);
	}
	for (size_t i = 0; i < c->nseals; i++)
		seal_check(c, &c->seals[i]);
	for (size_t i = 0; i < c->ntokens; i++)
		token_check(&c->tokens[i]);
	for (size_t i = 0; i < c->ntsas; i++)
		tsa_check(&c->tsas[i]);
}
