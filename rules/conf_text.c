#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/buf.h"
#include "rules/confint.h"
#include "rules/value.h"

#define TEXT_MAX (16 * 1024 * 1024)

struct writer {
	struct buf b;
	bool comments;
	unsigned depth;
};

static void
indent(struct writer *w)
{
	for (unsigned i = 0; i < w->depth; i++)
		buf_put(&w->b, "\t", 1);
}

static void
put_quoted(struct buf *b, const char *s)
{
	buf_put(b, "\"", 1);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			buf_put(b, "\\", 1);
		buf_put(b, s, 1);
	}
	buf_put(b, "\"", 1);
}

static void
put_list(struct buf *b, char *const *v, size_t n)
{
	buf_printf(b, "[ ");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_printf(b, ", ");
		put_quoted(b, v[i]);
	}
	buf_printf(b, " ]");
}

static bool
list_empty(const struct conf_key *k, const void *at)
{
	const int32_t *pair = at;

	if (k->fallback == NULL || *k->fallback != '\0') /* nothing would read back as the default */
		return false;
	return k->type == KEY_TEXTS ? ((const struct strings *)at)->n == 0 : pair[0] == 0 && pair[1] == 0;
}

/* A value as text; "" for one that is not given. Not for lists and groups. */
static void
value_text(const struct conf_key *k, const void *at, char *dst, size_t size)
{
	char out[VALUE_MAX] = "";
	uint32_t word;

	switch (k->type) {
	case KEY_TEXT:
	case KEY_PATH:
	case KEY_CHOICE:
		snprintf(dst, size, "%s", *(const char *const *)at);
		return;
	case KEY_WORD:
		memcpy(&word, at, sizeof(word));
		snprintf(dst, size, "%s", ((const char *const *)k->more)[word - (uint32_t)k->min]);
		return;
	case KEY_SWITCH:
		snprintf(dst, size, "%s", ((const char *const *)k->more)[*(const bool *)at]);
		return;
	case KEY_BOOL:
		snprintf(dst, size, "%s", *(const bool *)at ? "true" : "false");
		return;
	case KEY_NUMBER:
		snprintf(dst, size, "%u", *(const uint32_t *)at);
		return;
	case KEY_NUMBER64:
		snprintf(dst, size, "%" PRIu64, *(const uint64_t *)at);
		return;
	case KEY_LENGTH:
		value_length_text(*(const int32_t *)at, out);
		break;
	case KEY_TIME:
		if (*(const uint64_t *)at != 0 || k->fallback == NULL || *k->fallback != '\0')
			value_time_text(*(const uint64_t *)at, out);
		break;
	case KEY_SIZE:
		value_size_text(*(const uint64_t *)at, out);
		break;
	case KEY_MODE:
		snprintf(out, sizeof(out), "%04o", *(const mode_t *)at);
		break;
	case KEY_PAGES:
		value_pages_text(at, out);
		break;
	case KEY_OWN:
		((const struct key_own *)k->more)->text(at, dst, size);
		return;
	default:
		break;
	}
	snprintf(dst, size, "%s", out);
}

static void
end_line(struct writer *w, const struct conf_key *k)
{
	if (w->comments && *k->help != '\0')
		buf_printf(&w->b, ";  # %s\n", k->help);
	else
		buf_printf(&w->b, ";\n");
}

static void
put_value(struct writer *w, const struct conf_key *k, const void *at)
{
	char text[5000], x[VALUE_MAX], y[VALUE_MAX];
	const struct strings *list = at;

	if (k->type == KEY_TEXTS || k->type == KEY_PAIR) {
		if (list_empty(k, at))
			return;
		indent(w);
		buf_printf(&w->b, "%s = ", k->name);
		if (k->type == KEY_TEXTS) {
			put_list(&w->b, list->v, list->n);
		} else {
			value_length_text(((const int32_t *)at)[0], x);
			value_length_text(((const int32_t *)at)[1], y);
			put_list(&w->b, (char *const[]){ x, y }, 2);
		}
		end_line(w, k);
		return;
	}
	value_text(k, at, text, sizeof(text));
	if (*text == '\0')
		return;
	indent(w);
	buf_printf(&w->b, "%s = ", k->name);
	if (k->type == KEY_BOOL || k->type == KEY_NUMBER)
		buf_printf(&w->b, "%s", text);
	else if (k->type == KEY_NUMBER64)
		buf_printf(&w->b, "%sL", text);
	else
		put_quoted(&w->b, text);
	end_line(w, k);
}

static void put_keys(struct writer *, const struct conf_key *, const void *base);

static void
put_open(struct writer *w, const char *name, const char *help)
{
	if (w->comments && *help != '\0') {
		indent(w);
		buf_printf(&w->b, "# %s\n", help);
	}
	indent(w);
	buf_printf(&w->b, "%s : {\n", name);
	w->depth++;
}

static void
put_close(struct writer *w)
{
	w->depth--;
	indent(w);
	buf_printf(&w->b, "};\n");
}

static void
put_group(struct writer *w, const struct conf_key *k, const void *base)
{
	const struct key_group *g = k->more;

	if (g->word != NULL && *(const bool *)((const char *)base + g->word_at)) {
		indent(w);
		buf_printf(&w->b, "%s = \"%s\"", k->name, g->word);
		end_line(w, k);
		return;
	}
	if (g->present != NOWHERE && !*(const bool *)((const char *)base + g->present))
		return;
	put_open(w, k->name, k->help);
	put_keys(w, g->keys, base);
	put_close(w);
}

static void
put_named(struct writer *w, const struct conf_key *k, const void *base)
{
	const struct key_named *named = k->more;
	const char *v = *(const char *const *)(const void *)((const char *)base + k->at);
	size_t n = *(const size_t *)(const void *)((const char *)base + named->count);

	if (n == 0)
		return;
	put_open(w, k->name, k->help);
	for (size_t i = 0; i < n; i++) {
		const void *one = v + i * named->size;

		put_open(w, ((const struct conf_named *)one)->name, "");
		put_keys(w, named->keys, one);
		put_close(w);
	}
	put_close(w);
}

static void
put_keys(struct writer *w, const struct conf_key *k, const void *base)
{
	for (; k->name != NULL; k++) {
		if (k->type == KEY_GROUP)
			put_group(w, k, base);
		else if (k->type == KEY_NAMED)
			put_named(w, k, base);
		else
			put_value(w, k, (const char *)base + k->at);
	}
}

static char *
text_of(const struct conf_key *k, const void *base, bool comments)
{
	struct writer w = { .comments = comments };
	char *text;

	buf_init(&w.b, TEXT_MAX);
	put_keys(&w, k, base);
	text = buf_take_text(&w.b);
	buf_done(&w.b);
	return text;
}

char *
conf_text(const struct conf *c)
{
	return text_of(conf_keys, c, false);
}

char *
conf_show(const struct conf *c)
{
	return text_of(conf_keys, c, true);
}

static const struct conf_key *
rule_keys(void)
{
	const struct conf_key *k = conf_keys;

	while (strcmp(k->name, "rules") != 0)
		k++;
	return ((const struct key_named *)k->more)->keys;
}

int
conf_hashes(struct conf *c, struct err *e)
{
	char *text = conf_text(c);

	if (text == NULL)
		return err_set(e, ERR_MEM, "settings: text");
	hash_bytes(text, strlen(text), c->hash);
	free(text);
	for (size_t i = 0; i < c->nrules; i++) {
		struct conf_rule *r = &c->rules[i];
		char *rule = text_of(rule_keys(), r, false);

		if (rule == NULL)
			return err_set(e, ERR_MEM, "settings: text of rule %s", r->name);
		hash_bytes(rule, strlen(rule), r->hash);
		free(rule);
	}
	return 0;
}
