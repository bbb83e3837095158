#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/lib/path.h"
#include "rules/fold.h"
#include "rules/rules.h"

#include "agent/ticket.h"

#define SHOWN_MAX 64 /* bytes of a hostile text in an error */

static int bad(struct err *, const char *key, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
bad(struct err *e, const char *key, const char *fmt, ...)
{
	char what[ERR_TEXT_MAX], shown[3 * SHOWN_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	path_display(key, shown, sizeof(shown));
	return err_set(e, ERR_TICKET_BAD, "ticket: %s%s%s", shown, *key != '\0' ? ": " : "", what);
}

/* --- texts ----------------------------------------------------------------------------- */

/* Printable: what path_display() would have to change is a control, a mark of direction, or no UTF-8. */
static int
text_get(const json_t *v, const char *key, char *dst, size_t size, struct err *e)
{
	const char *text = json_string_value(v);
	char shown[3 * MSG_TEXT_MAX];

	if (text == NULL)
		return bad(e, key, "must be a text in quotes");
	if (*text == '\0')
		return bad(e, key, "must not be empty; leave the key out");
	if (json_string_length(v) != strlen(text) || strlen(text) >= size)
		return bad(e, key, "is longer than %zu bytes", size - 1);
	path_display(text, shown, sizeof(shown));
	if (strcmp(text, shown) != 0)
		return bad(e, key, "holds a control character or a mark of direction");
	memcpy(dst, text, strlen(text) + 1);
	return 0;
}

static int
get_v(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	(void)t;
	if (!json_is_integer(v))
		return bad(e, key, "must be the number 1");
	if (json_integer_value(v) != 1)
		return bad(e, key, "is %lld, and this release reads 1 only", (long long)json_integer_value(v));
	return 0;
}

static int
get_sha256(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	char hex[HASH_HEX];
	int r;

	if ((r = text_get(v, key, hex, sizeof(hex), e)) < 0)
		return r;
	if (strspn(hex, "0123456789abcdef") != HASH_HEX - 1 || hash_from_hex(hex, t->sha256) < 0)
		return bad(e, key, "must be 64 digits, 0-9 and a-f");
	t->bound = true;
	return 0;
}

static int
get_reference(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return text_get(v, key, t->reference, sizeof(t->reference), e);
}

static int
get_rule(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return text_get(v, key, t->rule, sizeof(t->rule), e);
}

static int
get_seal(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return text_get(v, key, t->seal, sizeof(t->seal), e);
}

/* Given back under exactly this name, or not at all: a silent change would be looked for in vain. */
static int
get_name(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	char legal[MSG_TEXT_MAX];
	int r;

	if ((r = text_get(v, key, t->name, sizeof(t->name), e)) < 0)
		return r;
	name_legal(t->name, legal, sizeof(legal));
	if (strcmp(legal, t->name) != 0 || t->name[0] == '.')
		return bad(e, key, "is no file name on every system; this one would be: \"%.80s\"",
		    legal[0] == '.' ? legal + 1 : legal);
	return 0;
}

static int
get_hold(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	t->hold = true;
	if (json_is_true(v))
		return 0;
	if (!json_is_string(v))
		return bad(e, key, "must be true or the reason as a text");
	return text_get(v, key, t->hold_why, sizeof(t->hold_why), e);
}

static bool
field_key(const char *s)
{
	return *s >= 'a' && *s <= 'z' && strlen(s) < MSG_FIELD_KEY_MAX &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(s);
}

static int
get_fields(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	char full[SHOWN_MAX];
	const char *name;
	json_t *value;
	int r;

	if (!json_is_object(v))
		return bad(e, key, "must be an object of texts");
	if (json_object_size(v) > MSG_FIELDS_MAX)
		return bad(e, key, "has more than %d entries", MSG_FIELDS_MAX);
	json_object_foreach((json_t *)(uintptr_t)v, name, value) { /* only read; jansson has no const form */
		struct msg_field *f = &t->fields[t->nfields];

		snprintf(full, sizeof(full), "%s.%s", key, name);
		if (!field_key(name))
			return bad(e, full, "a field's name is a small letter, then small letters, digits and _; %d at most",
			    MSG_FIELD_KEY_MAX - 1);
		if ((r = text_get(value, full, f->value, TICKET_VALUE_MAX + 1, e)) < 0)
			return r;
		memcpy(f->key, name, strlen(name) + 1);
		t->nfields++;
	}
	return 0;
}

/* --- a decision on a held document --------------------------------------------------------- */

#define AT_MM_MAX 10000.0

static int
unknown(struct err *e, const char *prefix, const char *key, const char *best)
{
	char full[2 * SHOWN_MAX];

	snprintf(full, sizeof(full), "%s%s", prefix, key);
	if (best != NULL)
		return bad(e, full, "there is no such key; did you mean \"%s\"?", best);
	return bad(e, full, "there is no such key");
}

static int
get_page(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > INT32_MAX)
		return bad(e, key, "must be a page's number, from 1");
	t->decision.page = (uint32_t)json_integer_value(v) - 1;
	return 0;
}

static int
get_mm(const json_t *v, const char *key, int32_t *ret, struct err *e)
{
	if (!json_is_number(v) || !(json_number_value(v) >= 0 && json_number_value(v) <= AT_MM_MAX))
		return bad(e, key, "must be a number of millimetres, from 0 to %.0f", AT_MM_MAX);
	*ret = (int32_t)lround(json_number_value(v) * 720000 / 254);
	return 0;
}

static int
get_x(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return get_mm(v, key, &t->decision.x, e);
}

static int
get_y(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return get_mm(v, key, &t->decision.y, e);
}

static int
get_decision_rule(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return text_get(v, key, t->decision.rule, sizeof(t->decision.rule), e);
}

static int
get_again(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	t->decision.again = true;
	return json_is_true(v) ? 0 : bad(e, key, "must be true, or left out");
}

static int
get_reject(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	return text_get(v, key, t->decision.reject, sizeof(t->decision.reject), e);
}

static int get_at(const json_t *, const char *key, struct ticket *, struct err *);

struct key {
	const char *name;
	int (*get)(const json_t *, const char *key, struct ticket *, struct err *);
};
static const struct key at_keys[] = { { "page", get_page }, { "x", get_x }, { "y", get_y }, { NULL, NULL } };
static const struct key decision_keys[] = {
	{ "rule", get_decision_rule }, { "at", get_at }, { "again", get_again }, { "reject", get_reject }, { NULL, NULL },
};

/* prefix: "decision." before the key's own name. */
static int
get_one(const struct key *keys, const char *prefix, const char *name, const json_t *v, struct ticket *t, struct err *e)
{
	struct near near = near_start(name);
	char full[SHOWN_MAX];

	for (const struct key *k = keys; k->name != NULL; k++) {
		if (strcmp(k->name, name) == 0) {
			snprintf(full, sizeof(full), "%s%s", prefix, name);
			return k->get(v, full, t, e);
		}
		near_try(&near, k->name);
	}
	return unknown(e, prefix, name, near.best);
}

static int
get_all(const struct key *keys, const char *prefix, const json_t *o, struct ticket *t, struct err *e)
{
	const char *name;
	json_t *value;
	int r;

	json_object_foreach((json_t *)(uintptr_t)o, name, value) /* only read; jansson has no const form */
		if ((r = get_one(keys, prefix, name, value, t, e)) < 0)
			return r;
	return 0;
}

static int
get_at(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	if (!json_is_object(v) || json_object_size(v) != 3)
		return bad(e, key, "must be { \"page\": 1, \"x\": 20, \"y\": 30.5 }");
	t->decision.at = true;
	return get_all(at_keys, "decision.at.", v, t, e);
}

static int
get_decision(const json_t *v, const char *key, struct ticket *t, struct err *e)
{
	int r;

	if (!json_is_object(v))
		return bad(e, key, "must be an object");
	t->decision.has = true;
	if ((r = get_all(decision_keys, "decision.", v, t, e)) < 0)
		return r;
	if (t->decision.again + (t->decision.reject[0] != '\0') + (t->decision.rule[0] != '\0' || t->decision.at) != 1)
		return bad(e, key, "must be rule, at or both of them, or again, or reject");
	return 0;
}

/* What else a ticket can say is for a document that comes. */
static int
check_decision(const struct ticket *t, struct err *e)
{
	if (!t->decision.has)
		return 0;
	if (!t->bound)
		return bad(e, "sha256", "is missing; a decision is about the bytes of one document");
	if (t->reference[0] != '\0' || t->rule[0] != '\0' || t->seal[0] != '\0' || t->name[0] != '\0' || t->hold || t->nfields > 0)
		return bad(e, "decision", "stands alone with v and sha256");
	return 0;
}

/* --- the whole ------------------------------------------------------------------------- */

static const struct key keys[] = {
	{ "v", get_v }, { "sha256", get_sha256 }, { "reference", get_reference }, { "rule", get_rule },
	{ "seal", get_seal }, { "name", get_name }, { "fields", get_fields }, { "hold", get_hold },
	{ "decision", get_decision }, { NULL, NULL },
};

/* jansson's own limit is 2048 levels; ours is looked at before it builds anything. */
static bool
too_deep(const char *p, size_t len)
{
	size_t depth = 0;
	bool text = false;

	for (size_t i = 0; i < len; i++) {
		if (text && p[i] == '\\')
			i++;
		else if (p[i] == '"')
			text = !text;
		else if (!text && (p[i] == '{' || p[i] == '['))
			depth++;
		else if (!text && (p[i] == '}' || p[i] == ']') && depth > 0)
			depth--;
		if (depth > TICKET_DEPTH)
			return true;
	}
	return false;
}

/* Does the text end within a literal: "tru"? */
static bool
ends_in_literal(const char *p, size_t len)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t n = 0;

	while (n < len && p[len - n - 1] >= 'a' && p[len - n - 1] <= 'z')
		n++;
	for (size_t i = 0; n > 0 && n < len && i < sizeof(words) / sizeof(words[0]); i++)
		if (n < strlen(words[i]) && memcmp(words[i], p + len - n, n) == 0)
			return true;
	return false;
}

/* Could more bytes make it right?  The library says so of all but what breaks off within a sign. */
static bool
is_unfinished(const char *p, size_t len, const json_error_t *where)
{
	if (len == 0 || json_error_code(where) == json_error_premature_end_of_input)
		return true;
	if (json_error_code(where) == json_error_invalid_utf8)
		return where->position >= 0 && (size_t)where->position + 4 > len;
	if (where->position < 0 || (size_t)where->position < len)
		return false;
	return strncmp(where->text, "invalid escape", 14) == 0 ||
	    ends_in_literal(p, len);
}

static int
object_get(const json_t *o, struct ticket *t, struct err *e)
{
	int r;

	if (!json_is_object(o))
		return bad(e, "", "must be one object in braces");
	if (json_object_get(o, "v") == NULL)
		return bad(e, "v", "is missing; write \"v\": 1");
	if ((r = get_all(keys, "", o, t, e)) < 0)
		return r;
	return check_decision(t, e);
}

int
ticket_parse(const void *text, size_t len, struct ticket *ret, bool *ret_unfinished, struct err *e)
{
	struct ticket t = { 0 };
	json_error_t where;
	json_t *o;
	int r;

	*ret_unfinished = false;
	if (len > TICKET_MAX)
		return bad(e, "", "is longer than %u bytes", TICKET_MAX);
	if (too_deep(text, len))
		return bad(e, "", "is nested deeper than %d levels", TICKET_DEPTH);
	if ((o = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where)) == NULL) {
		*ret_unfinished = is_unfinished(text, len, &where);
		return bad(e, "", "is not JSON: line %d, column %d: %.100s", where.line, where.column,
		    len == 0 ? "it is empty" : where.text);
	}
	r = object_get(o, &t, e);
	json_decref(o);
	if (r == 0)
		*ret = t;
	return r;
}

/* --- rights ---------------------------------------------------------------------------- */

static int
not_allowed(struct err *e, const char *what, const char *asked, const char *folder, char *const *names, size_t n)
{
	char list[100] = "", shown[3 * MSG_NAME_MAX];
	size_t at = 0;

	for (size_t i = 0; i < n && at < sizeof(list); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i > 0 ? ", " : "", names[i]);
	path_display(asked, shown, sizeof(shown));
	return err_set(e, ERR_TICKET_RIGHT, "ticket: %s \"%.60s\" may not be asked for in folder %.32s%s%.60s", what, shown,
	    folder, n > 0 ? "; allowed: " : "; none may", list);
}

static bool
in_list(const struct strings *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i], name) == 0)
			return true;
	return false;
}

int
ticket_check(const struct ticket *t, const struct conf_folder *f, struct err *e)
{
	if (t->rule[0] != '\0' && !in_list(&f->rule_names, t->rule))
		return not_allowed(e, "rule", t->rule, f->name, f->rule_names.v, f->rule_names.n);
	if (t->decision.rule[0] != '\0' && !in_list(&f->rule_names, t->decision.rule))
		return not_allowed(e, "rule", t->decision.rule, f->name, f->rule_names.v, f->rule_names.n);
	if (t->seal[0] != '\0' && !in_list(&f->seal_names, t->seal))
		return not_allowed(e, "seal", t->seal, f->name, f->seal_names.v, f->seal_names.n);
	return 0;
}

bool
ticket_decides(const void *text, size_t len, struct ticket *t, int *ret_r, struct err *e)
{
	static const char key[] = "\"decision\"";
	bool unfinished;

	if ((*ret_r = ticket_parse(text, len, t, &unfinished, e)) == 0)
		return t->decision.has;
	return !unfinished && memmem(text, len, key, strlen(key)) != NULL;
}

size_t
ticket_stem(const char *name)
{
	size_t n = strlen(name), k = strlen(TICKET_SUFFIX);

	return n > k && strcmp(name + n - k, TICKET_SUFFIX) == 0 ? n - k : 0;
}
