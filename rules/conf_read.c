#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/confint.h"
#include "rules/value.h"

#define LIST_MAX 1000
#define TEXT_MAX 511 /* bytes; a stamp line or a phrase */

/* The texts of one setting, borrowed from libconfig or from a default. */
struct texts {
	const char **v;
	size_t n;
	char number[32]; /* room for one written without quotes */
};

static void wrong(struct conf_reader *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
wrong(struct conf_reader *r, const char *fmt, ...)
{
	const struct conf_where where = { r->file, r->line };
	char said[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), problem_words(fmt), ap);
	va_end(ap);
	problem_here(&where, "%s: %s", r->key, said);
}

/* --- one value -------------------------------------------------------------------------- */

const char *
conf_path(struct conf_reader *r, const char *text)
{
	const char *dir = *text == '/' ? "" : r->dir;
	char *path, *out;

	if (dir == NULL || strlen(text) + strlen(dir) > 4000) {
		snprintf(r->why, sizeof(r->why), "%s", problem_words(dir == NULL ? N_("the path must be absolute") : N_("the path is too long")));
		return NULL;
	}
	if ((path = conf_alloc(r, strlen(dir) + strlen(text) + 2)) == NULL)
		return NULL;
	out = path;
	for (const char *part = dir, *next = text; part != NULL;) {
		size_t n = strcspn(part, "/");

		if (n == 2 && memcmp(part, "..", 2) == 0) {
			while (out > path && *--out != '/')
				;
		} else if (n > 0 && (n != 1 || *part != '.')) {
			*out++ = '/';
			memcpy(out, part, n);
			out += n;
		}
		part += n;
		if (*part == '/') {
			part++;
		} else {
			part = next;
			next = NULL;
		}
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
	return path;
}

static const char *
text_check(const struct conf_key *k, struct conf_reader *r, const char *text)
{
	size_t most = k->type == KEY_TEXTS || k->max == 0 ? TEXT_MAX : (size_t)k->max;

	if (strlen(text) > most) {
		snprintf(r->why, sizeof(r->why), problem_words("longer than %zu bytes"), most);
		return r->why;
	}
	if (*text == '\0' && (k->type == KEY_TEXTS || k->min > 0))
		return N_("must not be empty");
	if (!utf8_valid(text, strlen(text)))
		return N_("is not UTF-8");
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return N_("has a control character in it");
	return NULL;
}

static const char *
text_set(struct conf_reader *r, const struct conf_key *k, const char **at, const char *text)
{
	const char *said = text_check(k, r, text);

	if (said != NULL)
		return said;
	if (k->type == KEY_PATH && *text != '\0')
		*at = conf_path(r, text);
	else
		*at = conf_dup(r, text);
	return *at != NULL || r->oom ? NULL : r->why;
}

/* Index of the word, or -1 with r->why listing what there is. */
static int
word_find(struct conf_reader *r, const char *const *words, const char *text)
{
	size_t n = (size_t)snprintf(r->why, sizeof(r->why), "%s", problem_words("write"));

	for (int i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
		if (n < sizeof(r->why))
			n += (size_t)snprintf(r->why + n, sizeof(r->why) - n, "%s \"%s\"", i > 0 ? problem_words(" or") : "", words[i]);
	}
	return -1;
}

static const char *
word_set(struct conf_reader *r, const struct conf_key *k, void *at, const char *text)
{
	int i = word_find(r, k->more, text);
	uint32_t word;

	if (i < 0)
		return r->why;
	word = (uint32_t)(i + k->min);
	if (k->type == KEY_CHOICE)
		*(const char **)at = ((const char *const *)k->more)[i];
	else if (k->type == KEY_SWITCH)
		*(bool *)at = i == 1;
	else
		memcpy(at, &word, sizeof(word));
	return NULL;
}

static const char *
bool_set(void *at, const char *text)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return N_("write true or false, without quotes");
	*(bool *)at = *text == 't';
	return NULL;
}

static const char *
number_set(struct conf_reader *r, const struct conf_key *k, void *at, const char *text)
{
	uint64_t n;

	if (value_number(text, &n) < 0)
		return N_("write a whole number, without quotes");
	if (n < (uint64_t)k->min || n > (uint64_t)k->max) {
		snprintf(r->why, sizeof(r->why), problem_words("must be from %lld to %lld"), (long long)k->min, (long long)k->max);
		return r->why;
	}
	if (k->type == KEY_NUMBER64)
		*(uint64_t *)at = n;
	else
		*(uint32_t *)at = (uint32_t)n;
	return NULL;
}

static const char *
length_set(struct conf_reader *r, const struct conf_key *k, int32_t *at, const char *text)
{
	int32_t mpt, least, most;
	char bound[VALUE_MAX];

	if (value_length(text, &mpt) < 0)
		return N_("write a length with its unit and a point, as \"4mm\" (mm, cm, pt, in)");
	snprintf(bound, sizeof(bound), "%" PRId64 "mm", k->min);
	if (value_length(bound, &least) < 0)
		least = INT32_MIN;
	snprintf(bound, sizeof(bound), "%" PRId64 "mm", k->max);
	if (value_length(bound, &most) < 0)
		most = INT32_MAX;
	if (mpt < least || mpt > most) {
		snprintf(r->why, sizeof(r->why), problem_words("must be from %lldmm to %lldmm"), (long long)k->min, (long long)k->max);
		return r->why;
	}
	*at = mpt;
	return NULL;
}

static const char *
span_set(struct conf_reader *r, const struct conf_key *k, uint64_t *at, const char *text)
{
	char least[VALUE_MAX] = "", most[VALUE_MAX] = "";
	uint64_t n;

	if (k->type == KEY_TIME ? value_time(text, &n) < 0 : value_size(text, &n) < 0)
		return k->type == KEY_TIME ? N_("write a time with its unit, as \"10s\" (ms, s, min, h, d)")
					   : N_("write a size with its unit, as \"256MiB\" (KiB, MiB, GiB)");
	if (n < (uint64_t)k->min || n > (uint64_t)k->max) {
		(k->type == KEY_TIME ? value_time_text : value_size_text)((uint64_t)k->min, least);
		(k->type == KEY_TIME ? value_time_text : value_size_text)((uint64_t)k->max, most);
		snprintf(r->why, sizeof(r->why), problem_words("must be from %s to %s"), least, most);
		return r->why;
	}
	*at = n;
	return NULL;
}

static const char *
mode_set(const struct conf_key *k, mode_t *at, const char *text)
{
	mode_t m;

	if (value_mode(text, &m) < 0 || (m & ~(mode_t)k->max) != 0 || (m & (mode_t)k->min) == 0)
		return N_("write a mode as \"0660\"; the owner must be able to read");
	*at = m;
	return NULL;
}

static const char *
value_set(struct conf_reader *r, const struct conf_key *k, void *at, const char *text)
{
	switch (k->type) {
	case KEY_TEXT:
	case KEY_PATH:
		return text_set(r, k, at, text);
	case KEY_CHOICE:
	case KEY_WORD:
	case KEY_SWITCH:
		return word_set(r, k, at, text);
	case KEY_BOOL:
		return bool_set(at, text);
	case KEY_NUMBER:
	case KEY_NUMBER64:
		return number_set(r, k, at, text);
	case KEY_LENGTH:
		return length_set(r, k, at, text);
	case KEY_TIME:
	case KEY_SIZE:
		return span_set(r, k, at, text);
	case KEY_MODE:
		return mode_set(k, at, text);
	case KEY_PAGES:
		return value_pages(text, at) < 0 ? N_("write \"1\", \"last\", \"2-3\" or \"all\"") : NULL;
	case KEY_OWN:
		return ((const struct key_own *)k->more)->set(r, at, text);
	default:
		return N_("is a group: write { ... }");
	}
}

static const char *
list_set(struct conf_reader *r, const struct conf_key *k, struct strings *at, const struct texts *t)
{
	char **v;

	if (t->n < (size_t)k->min || t->n > (size_t)k->max) {
		snprintf(r->why, sizeof(r->why), problem_words("takes %lld to %lld entries, has %zu"), (long long)k->min, (long long)k->max, t->n);
		return r->why;
	}
	if ((v = conf_alloc(r, (t->n + 1) * sizeof(*v))) == NULL)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		const char *said = text_check(k, r, t->v[i]);

		if (said != NULL)
			return said;
		if ((v[i] = conf_dup(r, t->v[i])) == NULL)
			return NULL;
	}
	*at = (struct strings){ v, t->n };
	return NULL;
}

static void
key_set(struct conf_reader *r, const struct conf_key *k, void *base, const struct texts *t)
{
	char *at = (char *)base + k->at;
	const char *said = NULL;

	if (k->type == KEY_TEXTS) {
		said = list_set(r, k, (struct strings *)(void *)at, t);
	} else if (k->type == KEY_PAIR) {
		if (t->n != 2)
			said = N_("takes two lengths, as [ \"62mm\", \"24mm\" ]");
		for (size_t i = 0; i < 2 && said == NULL; i++)
			said = length_set(r, k, (int32_t *)(void *)at + i, t->v[i]);
	} else if (t->n != 1) {
		said = N_("takes one value, not a list");
	} else {
		said = value_set(r, k, at, t->v[0]);
	}
	if (said != NULL)
		wrong(r, "%s%s%s%s", t->n == 1 ? "\"" : "", t->n == 1 ? t->v[0] : "", t->n == 1 ? "\": " : "", problem_words(said));
}

/* --- from libconfig --------------------------------------------------------------------- */

static const char *
scalar_text(const config_setting_t *s, const struct conf_key *k, struct texts *t)
{
	bool number = k->type == KEY_NUMBER || k->type == KEY_NUMBER64 || k->type == KEY_OWN || k->type == KEY_PAGES;

	switch (config_setting_type(s)) {
	case CONFIG_TYPE_STRING:
		return config_setting_get_string(s);
	case CONFIG_TYPE_BOOL:
		return k->type == KEY_BOOL ? config_setting_get_bool(s) ? "true" : "false" : NULL;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		snprintf(t->number, sizeof(t->number), "%lld",
		    config_setting_type(s) == CONFIG_TYPE_INT ? config_setting_get_int(s) : config_setting_get_int64(s));
		return number ? t->number : NULL;
	default:
		return NULL;
	}
}

/* What a wrong type is told: an example of the right one. */
static const char *
wanted(const struct conf_key *k)
{
	switch (k->type) {
	case KEY_BOOL:
		return N_("wants true or false");
	case KEY_NUMBER:
	case KEY_NUMBER64:
		return N_("wants a whole number");
	case KEY_TEXTS:
		return N_("wants a list of texts, as [ \"one\", \"two\" ]");
	case KEY_PAIR:
		return N_("wants two lengths as text, as [ \"62mm\", \"24mm\" ]");
	case KEY_TIME:
		return N_("wants a time as text, as \"10s\"");
	case KEY_SIZE:
		return N_("wants a size as text, as \"256MiB\"");
	case KEY_LENGTH:
		return N_("wants a length as text, as \"4mm\"");
	case KEY_MODE:
		return N_("wants a mode as text, as \"0660\"");
	case KEY_OWN:
		return ((const struct key_own *)k->more)->wants;
	default:
		return N_("wants text in quotes");
	}
}

static void
read_value(struct conf_reader *r, const config_setting_t *s, const struct conf_key *k, void *base)
{
	const char *v[LIST_MAX];
	struct texts t = { .v = v };
	int n = config_setting_is_aggregate(s) ? config_setting_length(s) : 1;

	if (config_setting_is_group(s) || n > LIST_MAX) {
		wrong(r, "%s", problem_words(config_setting_is_group(s) ? wanted(k) : N_("has too many entries")));
		return;
	}
	for (int i = 0; i < n; i++) {
		const config_setting_t *one = config_setting_is_aggregate(s) ? config_setting_get_elem(s, (unsigned)i) : s;

		if ((v[t.n++] = scalar_text(one, k, &t)) == NULL) {
			wrong(r, "%s", problem_words(wanted(k)));
			return;
		}
	}
	key_set(r, k, base, &t);
}

static void read_group(struct conf_reader *, const config_setting_t *, const struct conf_key *, void *base,
    bool required);
static void read_named(struct conf_reader *, const config_setting_t *, const struct conf_key *, void *base);

/* Remembers where the key being read stands. */
static void
spot_add(struct conf_reader *r)
{
	struct conf *c = r->c;

	if ((c->nspots & (c->nspots - 1)) == 0) { /* full: 0, 1, 2, 4 ... */
		struct conf_spot *more = conf_alloc(r, (c->nspots == 0 ? 1 : c->nspots * 2) * sizeof(*more));

		if (more == NULL)
			return;
		if (c->nspots > 0)
			memcpy(more, c->spots, c->nspots * sizeof(*more));
		c->spots = more;
	}
	if ((c->spots[c->nspots].key = conf_dup(r, r->key)) != NULL)
		c->spots[c->nspots++].where = (struct conf_where){ r->file, r->line };
}

/* Goes on below "key.name", at the setting's line. */
static size_t
key_enter(struct conf_reader *r, const char *name, const config_setting_t *s)
{
	size_t n = strlen(r->key);

	snprintf(r->key + n, sizeof(r->key) - n, "%s%s", n > 0 ? "." : "", name);
	if (s != NULL) {
		r->line = config_setting_source_line(s);
		spot_add(r);
	}
	return n;
}

static void
group_key(struct conf_reader *r, const config_setting_t *s, const struct conf_key *k, void *base)
{
	const struct key_group *g = k->more;
	bool word = s != NULL && g->word != NULL && config_setting_type(s) == CONFIG_TYPE_STRING &&
	    strcmp(config_setting_get_string(s), g->word) == 0;

	if (s != NULL && !word && !config_setting_is_group(s)) {
		wrong(r, "wants a group { ... }%s%s%s", g->word != NULL ? problem_words(" or \"") : "", g->word != NULL ? g->word : "",
		    g->word != NULL ? "\"" : "");
		return;
	}
	if (s != NULL && g->present != NOWHERE)
		*(bool *)((char *)base + g->present) = true;
	if (word)
		*(bool *)((char *)base + g->word_at) = true;
	read_group(r, word ? NULL : s, g->keys, base, !word && (s != NULL || g->present == NOWHERE));
}

/* s NULL: the key is not there, its default counts. */
static void
read_key(struct conf_reader *r, const config_setting_t *s, const struct conf_key *k, void *base, bool required)
{
	unsigned line = r->line;
	size_t n = key_enter(r, k->name, s);

	if (k->type == KEY_GROUP) {
		group_key(r, s, k, base);
	} else if (k->type == KEY_NAMED) {
		if (s != NULL)
			read_named(r, s, k, base);
	} else if (s != NULL) {
		read_value(r, s, k, base);
	} else if (k->fallback == NULL) {
		if (required)
			wrong(r, "must be given (%s)", problem_words(k->help));
	}
	r->key[n] = '\0';
	r->line = line;
}

/* Defaults first, so that a key that is there overwrites its own. */
static void
set_default(struct conf_reader *r, const struct conf_key *k, void *base)
{
	AUTO_FREE char *copy = NULL;
	const char *v[8];
	struct texts t = { .v = v };
	char *rest;

	if (k->type == KEY_TEXT || k->type == KEY_PATH || k->type == KEY_CHOICE)
		*(const char **)(void *)((char *)base + k->at) = "";
	if (k->fallback == NULL || *k->fallback == '\0' || k->type == KEY_GROUP || k->type == KEY_NAMED)
		return;
	if ((rest = copy = strdup(k->fallback)) == NULL) {
		r->oom = true;
		return;
	}
	if (k->type != KEY_TEXTS && k->type != KEY_PAIR)
		v[t.n++] = copy;
	else
		while (rest != NULL && t.n < sizeof(v) / sizeof(v[0]))
			v[t.n++] = strsep(&rest, "|");
	key_set(r, k, base, &t);
}

static void
unknown_key(struct conf_reader *r, const config_setting_t *s, const struct conf_key *keys)
{
	const char *name = config_setting_name(s), *near = keys_near(keys, name);
	unsigned line = r->line;
	size_t n = key_enter(r, name, s);

	if (near != NULL)
		wrong(r, "there is no such key; did you mean \"%s\"?", near);
	else
		wrong(r, "there is no such key; see sealroom.conf(5)");
	r->key[n] = '\0';
	r->line = line;
}

static void
read_group(struct conf_reader *r, const config_setting_t *group, const struct conf_key *keys, void *base,
    bool required)
{
	int n = group == NULL ? 0 : config_setting_length(group);

	for (const struct conf_key *k = keys; k->name != NULL; k++) {
		set_default(r, k, base);
		read_key(r, group == NULL ? NULL : config_setting_get_member(group, k->name), k, base, required);
	}
	for (int i = 0; i < n; i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct conf_key *k = keys;

		while (k->name != NULL && strcmp(k->name, config_setting_name(s)) != 0)
			k++;
		if (k->name == NULL)
			unknown_key(r, s, keys);
	}
}

/* --- groups by name --------------------------------------------------------------------- */

static bool
name_check(struct conf_reader *r, const char *name, const void *v, size_t size, size_t n)
{
	if (strlen(name) >= MSG_NAME_MAX || strchr(name, '*') != NULL) {
		wrong(r, "a name has at most %d letters, digits, \"-\" and \"_\"", MSG_NAME_MAX - 1);
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const struct conf_named *other = (const void *)((const char *)v + i * size);

		if (strcmp(other->name, name) == 0) {
			wrong(r, "is there already: %s:%u", other->where.file, other->where.line);
			return false;
		}
	}
	return true;
}

static void
read_named(struct conf_reader *r, const config_setting_t *s, const struct conf_key *k, void *base)
{
	const struct key_named *named = k->more;
	void **v = (void **)(void *)((char *)base + k->at);
	size_t *count = (size_t *)(void *)((char *)base + named->count);
	int n = config_setting_is_group(s) ? config_setting_length(s) : -1;
	char *all;

	if (n < 0 || *count + (size_t)n > named->most) {
		wrong(r, n < 0 ? N_("wants groups by name: { NAME : { ... }; }") : N_("has too many entries"));
		return;
	}
	if ((all = conf_alloc(r, (*count + (size_t)n + 1) * named->size)) == NULL)
		return;
	if (*count > 0)
		memcpy(all, *v, *count * named->size);
	*v = all;
	for (int i = 0; i < n && !r->oom; i++) {
		const config_setting_t *one = config_setting_get_elem(s, (unsigned)i);
		struct conf_named *new = (void *)(all + *count * named->size);
		unsigned line = r->line;
		size_t end = key_enter(r, config_setting_name(one), one);

		if (!config_setting_is_group(one)) {
			wrong(r, "wants a group { ... }");
		} else if (name_check(r, config_setting_name(one), all, named->size, *count)) {
			new->name = conf_dup(r, config_setting_name(one));
			new->where = (struct conf_where){ r->file, r->line };
			++*count;
			read_group(r, one, named->keys, new, true);
		}
		r->key[end] = '\0';
		r->line = line;
	}
}

/* --- a file ------------------------------------------------------------------------------ */

static const struct conf_key *
root_key(const char *name)
{
	const struct conf_key *k = conf_keys;

	while (k->name != NULL && strcmp(k->name, name) != 0)
		k++;
	return k->name == NULL ? NULL : k;
}

void
conf_read_main(struct conf_reader *r, const config_setting_t *root)
{
	r->key[0] = '\0';
	r->line = r->c->lines; /* of what is not there */
	read_group(r, root, conf_keys, r->c, true);
}

void
conf_read_folders(struct conf_reader *r, const config_setting_t *root)
{
	int n = config_setting_length(root);

	r->key[0] = '\0';
	for (int i = 0; i < n; i++) {
		const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);
		const char *name = config_setting_name(s);

		r->line = config_setting_source_line(s);
		if (strcmp(name, "folders") == 0 || strcmp(name, "rules") == 0) {
			read_key(r, s, root_key(name), r->c, true);
		} else {
			snprintf(r->key, sizeof(r->key), "%s", name);
			wrong(r, "only folders and rules may stand in folders.d; put it into the main file");
			r->key[0] = '\0';
		}
	}
}
