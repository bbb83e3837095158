#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/confint.h"
#include "rules/ere.h"
#include "rules/fold.h"
#include "rules/rules.h"
#include "rules/typed.h"
#include "rules/words.h"

#define KEEP_LEAST_MS (3600u * 1000)
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

/* Who names it: "rules.invoice.seal". */
struct user {
	const char *group;
	const struct conf_named *named;
	const char *key;
	const char *what; /* it names: the group it would stand in */
};

static void
missing(const struct user *u, const char *name, const struct near *near)
{
	if (near->best != NULL)
		problem_add(&u->named->where, false, "%s.%s.%s: there is no \"%s\" in %s; did you mean \"%s\"?", u->group, u->named->name, u->key, name,
		    u->what, near->best);
	else
		problem_add(&u->named->where, false, "%s.%s.%s: there is no \"%s\" in %s; add it there, or take the name out here", u->group,
		    u->named->name, u->key, name, u->what);
}

/* Pointers for a list of names; the same name twice is a mistake. */
static const void **
list_resolve(struct conf_reader *r, const struct user *u, const struct strings *names, const void *v, size_t n, size_t size)
{
	const void **list = conf_alloc(r, (names->n + 1) * sizeof(*list));
	struct near near;

	for (size_t i = 0; list != NULL && i < names->n; i++) {
		if ((list[i] = named_find(v, n, size, names->v[i], &near)) == NULL)
			missing(u, names->v[i], &near);
		for (size_t j = 0; j < i; j++)
			if (strcmp(names->v[i], names->v[j]) == 0)
				problem_add(&u->named->where, false, "%s.%s.%s: \"%s\" stands twice in the list; take one out", u->group,
				    u->named->name, u->key, names->v[i]);
	}
	return list;
}

#define USER(thing) ((const struct conf_named *)(const void *)(thing))

/* What a find takes that says only its type. */
static void
take_default(struct conf_reader *r, struct conf_find *f)
{
	const char *text = typed_take((enum find_type)f->type);

	if (f->take.text != NULL || *text == '\0')
		return;
	if (!ere_compile(&f->take.re, text, r->why, sizeof(r->why)))
		problem_add(&f->where, false, "%s: %s", f->name, r->why);
	else if ((f->take.text = conf_dup(r, text)) == NULL)
		regfree(&f->take.re);
}

void
conf_resolve(struct conf_reader *r)
{
	struct conf *c = r->c;
	const struct conf_where end = { c->path, c->lines };
	struct near near;

	for (size_t i = 0; i < c->nseals; i++) {
		struct conf_seal *s = &c->seals[i];

		s->tokens = (const struct conf_token **)list_resolve(r, &(struct user){ "seals", USER(s), "tokens", "tokens" }, &s->token_names, c->tokens,
		    c->ntokens, sizeof(*c->tokens));
		s->ntokens = s->token_names.n;
		s->tsa = named_find(c->tsas, c->ntsas, sizeof(*c->tsas), s->tsa_name, &near);
		if (s->tsa == NULL && *s->tsa_name != '\0')
			missing(&(struct user){ "seals", USER(s), "tsa", "tsa" }, s->tsa_name, &near);
	}
	if (c->evidence.tsa != NULL && *c->evidence.tsa != '\0' &&
	    named_find(c->tsas, c->ntsas, sizeof(*c->tsas), c->evidence.tsa, &near) == NULL)
		problem_add(&end, false, "evidence.tsa: there is no \"%s\" in tsa%s%s%s", c->evidence.tsa,
		    near.best != NULL ? problem_words("; did you mean \"") : problem_words("; add it there"),
		    near.best != NULL ? near.best : "", near.best != NULL ? "\"?" : "");
	for (size_t i = 0; i < c->nrules; i++) {
		struct conf_rule *u = &c->rules[i];

		u->seal = named_find(c->seals, c->nseals, sizeof(*c->seals), u->seal_name, &near);
		if (u->seal == NULL && *u->seal_name != '\0')
			missing(&(struct user){ "rules", USER(u), "seal", "seals" }, u->seal_name, &near);
		for (size_t j = 0; j < u->nfinds; j++)
			take_default(r, &u->finds[j]);
		(void)list_resolve(r, &(struct user){ "rules", USER(u), "when.folder", "folders" }, &u->folder, c->folders, c->nfolders, sizeof(*c->folders));
	}
	for (size_t i = 0; i < c->nfolders; i++) {
		struct conf_folder *f = &c->folders[i];

		f->rules = (const struct conf_rule **)list_resolve(r, &(struct user){ "folders", USER(f), "rules", "rules" }, &f->rule_names, c->rules,
		    c->nrules, sizeof(*c->rules));
		f->nrules = f->rule_names.n;
		f->seals = (const struct conf_seal **)list_resolve(r, &(struct user){ "folders", USER(f), "seals", "seals" }, &f->seal_names, c->seals,
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
			problem_add(&r->where, false, "rules.%s.%s: \"%s\": %s", r->name, key, v[i], problem_words(said));
	}
}

static void
find_check(const struct conf_rule *r, const struct conf_find *f)
{
	phrases_check(r, "find.after", f->after.v, f->after.n);
	if ((f->after.n > 0) == (f->barcode.text != NULL))
		problem_add(&f->where, false,
		    f->after.n > 0 ? N_("rules.%s.find.%s: after and barcode exclude each other; take one out")
		                   : N_("rules.%s.find.%s: after or barcode must be given"),
		    r->name, f->name);
	if (f->after.n > 0 && f->take.text == NULL)
		problem_add(&f->where, false, "rules.%s.find.%s.take: must be given, or type = \"number\", \"date\" or \"amount\"",
		    r->name, f->name);
}

static void
when_check(const struct conf_rule *r)
{
	if (!r->always && r->any.n + r->all.n + r->none.n + r->file.n + r->folder.n + r->ticket.n == 0 && r->match.text == NULL &&
	    r->barcode.text == NULL && r->barcode_kind.n == 0 && r->signed_by.text == NULL && r->min_pages == 0)
		problem_add(&r->where, false,
		    "rules.%s.when: must be given: { any = [ \"word\" ]; } or { all = [ ... ]; } or \"always\"", r->name);
	phrases_check(r, "when.any", r->any.v, r->any.n);
	phrases_check(r, "when.all", r->all.v, r->all.n);
	phrases_check(r, "when.none", r->none.v, r->none.n);
	for (size_t i = 0; i < r->ticket.n; i++) {
		size_t n = strcspn(r->ticket.v[i], "=");

		if (n == 0 || n >= MSG_FIELD_KEY_MAX || r->ticket.v[i][n] == '\0')
			problem_add(&r->where, false, "rules.%s.when.ticket: \"%s\": write \"field=value\"", r->name, r->ticket.v[i]);
	}
	for (size_t i = 0; i < r->barcode_kind.n; i++)
		if (code_by_name(r->barcode_kind.v[i]) == CODE_NONE)
			problem_add(&r->where, false, "rules.%s.when.barcode_kind: there is no \"%s\"; write \"qr\", \"code128\", "
			    "\"code39\", \"code93\", \"ean13\", \"ean8\" or \"patch\"", r->name, r->barcode_kind.v[i]);
	for (size_t i = 0; i < r->nfinds; i++)
		find_check(r, &r->finds[i]);
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
	bool near = *p->near != '\0', code = p->barcode.text != NULL, field = *p->field != '\0';
	bool own_size = field && p->otherwise != ELSE_CORNER && p->otherwise != ELSE_FREE; /* the field has one */

	if (p->invisible)
		return;
	if (near + code + field + p->fixed != 1)
		problem_add(&r->where, false,
		    near || code || field ? N_("rules.%s.place: near, barcode, field and at exclude each other; leave one of them")
		                          : N_("rules.%s.place: near, barcode, field or at must be given, or place = \"invisible\""),
		    r->name);
	if (near)
		phrases_check(r, "place.near", (char *const *)&p->near, 1);
	if ((near || code) && p->side == SIDE_OVER && !p->ignore_ink)
		problem_add(&r->where, false, "rules.%s.place.side: over the phrase there is writing: it takes ink = \"ignore\"", r->name);
	if (p->width == 0 && p->height == 0 && own_size)
		return;
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
		problem_add(&r->where, false, seal ? N_("rules.%s.hold: seal and hold exclude each other; take one out")
						   : N_("rules.%s: seal must be given, or hold = { en = \"why\"; }"),
		    r->name);
		return;
	}
	if (r->hold && (r->place.given || *r->result_name != '\0'))
		problem_add(&r->where, false, "rules.%s.hold: a rule that holds has neither place nor name; take them out", r->name);
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
		snprintf(u->why, sizeof(u->why), problem_words("rule %s has no find \"%s\"; add it there"), u->rule->name, variable + 5);
		return NULL;
	}
	if (strncmp(variable, "ticket.", 7) == 0 && variable[7] != '\0' && format == NULL)
		return ""; /* whether a ticket has it is seen when it comes */
	for (const char *const *k = u->known; *k != NULL; k++) {
		if (strcmp(*k, variable) == 0) {
			if (format == NULL || (time && name_time_valid(format)))
				return "";
			if (time)
				snprintf(u->why, sizeof(u->why),
				    problem_words("{%s:...}: only \"long\" or the signs %%Y %%m %%d %%H %%M %%S %%y %%j %%F %%R %%T"), variable);
			else
				snprintf(u->why, sizeof(u->why), problem_words("{%s} takes no format; write it without \":\""), variable);
			return NULL;
		}
		near_try(&near, *k);
	}
	if (near.best != NULL)
		snprintf(u->why, sizeof(u->why), problem_words("there is no variable {%s}; did you mean {%s}?"), variable, near.best);
	else
		snprintf(u->why, sizeof(u->why), problem_words("there is no variable {%s}; see sealroom.conf(5)"), variable);
	return NULL;
}

static void
template_check(const char *group, const struct conf_named *owner, const char *key, const char *tmpl, struct template_user *u)
{
	char dst[MSG_TEXT_MAX];
	struct err e = { 0 };

	u->why[0] = '\0';
	if (name_expand(tmpl, variable_check, u, dst, sizeof(dst), &e) < 0)
		problem_add(&owner->where, false, "%s.%s.%s: \"%s\": %s", group, owner->name, key, tmpl, u->why[0] ? u->why : problem_words(e.text));
}

static void
name_check(const struct conf_rule *r)
{
	static const char *const known[] = { "received", "name", "rule", "folder", "id", NULL };
	struct template_user u = { .rule = r, .known = known };
	size_t n = strlen(r->result_name);

	if (n == 0)
		return;
	template_check("rules", USER(r), "name", r->result_name, &u);
	if (strpbrk(r->result_name, "/\\") != NULL)
		problem_add(&r->where, false, "rules.%s.name: a name has no \"/\" and no \"\\\": results lie in the folder; write \"-\" or \"_\"", r->name);
	if (n < 5 || strcmp(r->result_name + n - 4, ".pdf") != 0)
		problem_add(&r->where, false, "rules.%s.name: must end in .pdf", r->name);
}

/* --- seals, tokens, authorities ----------------------------------------------------------- */

static void
line_check(const struct conf *c, const struct conf_seal *s, const char *key, const char *line)
{
	static const char *const known[] = { "org", "time", "received", "id", "rule", "folder", "operator", "log", NULL };
	struct template_user u = { .known = known };

	template_check("seals", USER(s), key, line, &u);
	for (size_t j = 0; u.why[0] == '\0' && j < c->nrules; j++) {
		struct template_user by = { .rule = &c->rules[j], .known = known };

		if (c->rules[j].seal == s)
			template_check("seals", USER(s), key, line, &by);
	}
}

/* A code reader wants the modules clearly darker than paper. */
#define QR_LUMA_MAX 128

static void
look_check(const struct conf *c, const struct conf_seal *s)
{
	const struct conf_look *l = &s->look;

	for (size_t i = 0; i < l->lines.n; i++)
		line_check(c, s, "look.lines", l->lines.v[i]);
	if (*l->qr == '\0')
		return;
	line_check(c, s, "look.qr", l->qr);
	if ((l->color[0] * 299 + l->color[1] * 587 + l->color[2] * 114) / 1000 > QR_LUMA_MAX)
		problem_add(&s->where, false, "seals.%s.look.color: too bright for a QR code to be read; take a darker one", s->name);
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
	look_check(c, s);
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
	if (*t->module_sha256 != '\0' && (!all_of(t->module_sha256, "0123456789abcdef") || strlen(t->module_sha256) != 64))
		problem_add(&t->where, false, "tokens.%s.module_sha256: write 64 hexadecimal digits, as sha256sum(1) prints them", t->name);
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
			problem_add(&f->where, false, "folders.%s.seals: rule \"%s\" uses seal \"%s\", which is not in this list; add it, or give the rule another",
			    f->name, r->name, r->seal->name);
		if (always != NULL)
			problem_add(&f->where, true,
			    "folders.%s.rules: rule \"%s\" is never reached: \"%s\" before it always applies; put that one last", f->name, r->name,
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
			problem_add(&f->where, false, "folders.%s.path: is also the path of folder \"%s\"; give each its own", f->name, g->name);
		else if (below(f->path, g->path) || below(g->path, f->path))
			problem_add(&f->where, false, "folders.%s.path: one of this folder and folder \"%s\" lies inside the other; put them side by side",
			    f->name, g->name);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (below(f->path, others[i].path) || below(others[i].path, f->path))
			problem_add(&f->where, false, "folders.%s.path: one of this folder and %s (%s) lies inside the other; put them side by side",
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
	const struct conf_where where = { *c->path == '\0' ? "settings" : c->path, c->lines };

	if (c->nfolders == 0)
		problem_add(&where, false, "folders: there is none; add one here or in folders.d");
	if (below(c->state, c->archive.path))
		problem_add(&where, false, "state: must not lie inside archive.path, which is given away as a whole; put it elsewhere");
	if (below(c->evidence.anchor, c->archive.path))
		problem_add(&where, false, "evidence.anchor: must not lie inside archive.path, which it is to bear witness against; put it elsewhere");
	if (below(c->evidence.key, c->archive.path))
		problem_add(&where, false, "evidence.key: must not lie inside archive.path, which is given away as a whole; put it elsewhere");
	/* C2SP signed-note and tlog-checkpoint: the origin stands in lines of text and in key names */
	for (const char *p = c->evidence.origin; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '+') {
			problem_add(&where, false, "evidence.origin: letters, digits and . - / only, as \"seal.example.org/post\"");
			break;
		}
	for (size_t i = 0; i < c->scan.languages.n; i++)
		if (!all_of(c->scan.languages.v[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"))
			problem_add(&where, false, "scan.languages: \"%s\" is not a language of Tesseract; write \"deu\", \"eng\" ...", c->scan.languages.v[i]);
}

static void
separator_check(const struct conf_folder *f)
{
	for (size_t i = 0; i < f->separator_patch.n; i++)
		if (strlen(f->separator_patch.v[i]) != 1 || strchr("12346T", f->separator_patch.v[i][0]) == NULL)
			problem_add(&f->where, false, "folders.%s.separator.patch: there is no patch code \"%s\"; write \"1\", \"2\", \"3\", "
			    "\"4\", \"6\" or \"T\"", f->name, f->separator_patch.v[i]);
}

static void
give_check(const struct conf_folder *f)
{
	if (f->give_keep_ms != 0 && f->give_keep_ms < KEEP_LEAST_MS)
		problem_add(&f->where, true, "folders.%s.give.keep: results are gone within an hour; write days, as \"30d\"", f->name);
}

void
conf_check(const struct conf *c)
{
	root_check(c);
	for (size_t i = 0; i < c->nfolders; i++) {
		folder_rules_check(&c->folders[i]);
		folder_paths_check(c, &c->folders[i]);
		host_check(c, &c->folders[i]);
		give_check(&c->folders[i]);
		separator_check(&c->folders[i]);
	}
	for (size_t i = 0; i < c->nrules; i++) {
		const struct conf_rule *r = &c->rules[i];

		when_check(r);
		outcome_check(r);
		name_check(r);
	}
	for (size_t i = 0; i < c->nseals; i++)
		seal_check(c, &c->seals[i]);
	for (size_t i = 0; i < c->ntokens; i++)
		token_check(&c->tokens[i]);
	for (size_t i = 0; i < c->ntsas; i++)
		tsa_check(&c->tsas[i]);
}
