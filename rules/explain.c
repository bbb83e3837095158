#include <stdio.h>
#include <string.h>

#include "rules/explain.h"

#define COVERS_MAX 200
#define MARKS_SAID 32

static void
put(struct explain *x, json_t *to, const char *key, json_t *value)
{
	if (json_object_set_new(to, key, value) < 0)
		x->lost = true;
}

/* Text of pages may hold any bytes: what JSON can not carry is shown as U+FFFD. */
static json_t *
text_json(const char *text)
{
	char plain[FOLD_OUT * MSG_TEXT_MAX];

	fold_plain(text, plain, sizeof(plain));
	return json_string(plain);
}

/* The list under this key of the rule's object, made when it is first wanted. */
static json_t *
list_of(struct explain *x, const char *key)
{
	json_t *list = json_object_get(x->rule, key);

	if (list == NULL) {
		put(x, x->rule, key, json_array());
		list = json_object_get(x->rule, key);
	}
	return list;
}

static void
list_put(struct explain *x, const char *key, json_t *value)
{
	if (json_array_append_new(list_of(x, key), value) < 0)
		x->lost = true;
}

/* mm with two decimals */
static json_t *
length_json(int32_t mpt)
{
	double hundredths = mpt * 25.4 / 720.0;

	return json_real((double)(int64_t)(hundredths + (hundredths < 0 ? -0.5 : 0.5)) / 100.0);
}

static json_t *
box_json(struct explain *x, const struct box *b)
{
	json_t *list = json_array();

	if (json_array_append_new(list, length_json(b->x0)) < 0 || json_array_append_new(list, length_json(b->y0)) < 0 ||
	    json_array_append_new(list, length_json(b->x1)) < 0 || json_array_append_new(list, length_json(b->y1)) < 0)
		x->lost = true;
	return list;
}

static json_t *
match_json(struct explain *x, struct doc_tokens *d, const struct match *m)
{
	char text[MSG_TEXT_MAX];
	struct err e;
	json_t *o;

	if (m == NULL)
		return json_null();
	o = json_object();
	x->lost = match_text(d, m, text, sizeof(text), &e) < 0 || x->lost;
	put(x, o, "page", json_integer((json_int_t)m->page + 1));
	put(x, o, "box", box_json(x, &m->box));
	put(x, o, "text", text_json(text));
	put(x, o, "typos", json_integer((json_int_t)m->distance));
	return o;
}

void
explain_rule(struct explain *x, const char *name)
{
	if (x == NULL)
		return;
	x->rule = json_object();
	put(x, x->rule, "rule", json_string(name));
	if (json_array_append_new(x->rules, x->rule) < 0) {
		x->rule = NULL;
		x->lost = true;
	}
}

void
explain_rule_done(struct explain *x)
{
	if (x != NULL)
		x->rule = NULL;
}

void
explain_rest(struct explain *x, const struct conf_folder *f, const char *decided)
{
	size_t i = 0;
	char why[MSG_NAME_MAX + 64];

	if (x == NULL || *decided == '\0')
		return;
	while (i < f->nrules && strcmp(f->rules[i]->name, decided) != 0)
		i++;
	snprintf(why, sizeof(why), "not asked: rule %s before it applies", decided);
	for (i++; i < f->nrules; i++) {
		explain_rule(x, f->rules[i]->name);
		explain_matched(x, false, why);
	}
}

void
explain_text(struct explain *x, const char *key, const char *text)
{
	if (x != NULL && x->rule != NULL)
		put(x, x->rule, key, text_json(text));
}

void
explain_matched(struct explain *x, bool matched, const char *why)
{
	if (x == NULL)
		return;
	put(x, x->rule, "matched", json_boolean(matched));
	put(x, x->rule, "why", json_string(why));
}

void
explain_when(struct explain *x, struct doc_tokens *d, const char *list, const char *phrase, const struct match *m)
{
	json_t *o;

	if (x == NULL)
		return;
	o = json_object();
	put(x, o, "phrase", json_string(phrase));
	put(x, o, "list", json_string(list));
	put(x, o, "found", match_json(x, d, m));
	list_put(x, "when", o);
}

void
explain_condition(struct explain *x, const char *list, const char *wanted, bool holds, const char *there)
{
	json_t *o;

	if (x == NULL)
		return;
	o = json_object();
	put(x, o, "phrase", text_json(wanted));
	put(x, o, "list", json_string(list));
	put(x, o, "holds", json_boolean(holds));
	put(x, o, "text", text_json(there));
	list_put(x, "when", o);
}

void
explain_find(struct explain *x, struct doc_tokens *d, const char *name, const struct found *f)
{
	json_t *o;

	if (x == NULL)
		return;
	o = json_object();
	put(x, o, "name", json_string(name));
	put(x, o, "value", f->value_found ? text_json(f->value) : json_null());
	if (f->after != NULL) {
		put(x, o, "after", json_string(f->after));
		put(x, o, "text", text_json(f->text));
	}
	put(x, o, "found", match_json(x, d, f->after != NULL ? &f->match : NULL));
	list_put(x, "finds", o);
}

void
explain_anchor(struct explain *x, struct doc_tokens *d, const struct match *m, bool chosen)
{
	json_t *o;

	if (x == NULL)
		return;
	o = match_json(x, d, m);
	put(x, o, "chosen", json_boolean(chosen));
	list_put(x, "anchors", o);
}

/* Words under the box; the seal goes where the rule says, but who tries a rule should know. */
static void
covers(struct explain *x, const struct page_words *p, const struct box *b, json_t *to)
{
	char text[COVERS_MAX] = "";
	size_t len = 0;

	for (uint32_t i = 0; i < p->nwords && len + 2 < sizeof(text); i++) {
		const struct box *w = &p->words[i].box;

		if (w->x0 >= b->x1 || w->x1 <= b->x0 || w->y0 >= b->y1 || w->y1 <= b->y0)
			continue;
		if (len > 0)
			text[len++] = ' ';
		fold_plain(p->words[i].text, text + len, sizeof(text) - len);
		len += strlen(text + len);
	}
	if (len > 0)
		put(x, to, "covers", json_string(text));
}

void
explain_place(struct explain *x, struct doc_tokens *d, const struct compose_result *r, const struct box *ideal,
    const char *why)
{
	static const char *const modes[] = { "none", "box", "invisible" };
	const struct page_tokens *t;
	struct err e;
	json_t *o;

	if (x == NULL)
		return;
	o = json_object();
	put(x, o, "mode", json_string(modes[r->place]));
	if (r->place == PLACE_BOX) {
		put(x, o, "page", json_integer((json_int_t)r->place_page + 1));
		put(x, o, "box", box_json(x, &r->place_box));
		if ((t = tokens_page(d, r->place_page, &e)) != NULL)
			covers(x, &t->page, &r->place_box, o);
		else
			x->lost = true;
	}
	if (ideal != NULL)
		put(x, o, "ideal", box_json(x, ideal));
	put(x, o, "why", json_string(why));
	put(x, x->rule, "place", o);
}

void
explain_mark(struct explain *x, uint32_t page, const struct box *b)
{
	json_t *o;

	if (x == NULL || json_array_size(json_object_get(x->rule, "marks")) == MARKS_SAID)
		return;
	o = json_object();
	put(x, o, "page", json_integer((json_int_t)page + 1));
	put(x, o, "box", box_json(x, b));
	list_put(x, "marks", o);
}
