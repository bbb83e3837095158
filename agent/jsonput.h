/*
 * jsonput.h - an object or a list made in steps, none of which is lost.
 *
 *	json_put(&o, "key", value)       takes the value; so does
 *	json_add(&list, value)
 *
 * Without memory for a step *o is freed and NULL from then on, through all further
 * steps: what is not whole is not written, and one question at the end is enough.
 *
 *	json_text(o, flags)              as json_dumps(); NULL is fine, and answers NULL
 *
 * json_dumps() leaves out a key, and says nothing, when its buffer can not grow
 * (jansson 2.14); this one knows the length before.
 */
#ifndef SEALROOM_JSONPUT_H
#define SEALROOM_JSONPUT_H

#include <jansson.h>
#include <stdlib.h>

static inline void
json_put(json_t **o, const char *key, json_t *value)
{
	if (json_object_set_new(*o, key, value) == 0)
		return;
	json_decref(*o);
	*o = NULL;
}

static inline void
json_add(json_t **list, json_t *value)
{
	if (json_array_append_new(*list, value) == 0)
		return;
	json_decref(*list);
	*list = NULL;
}

static inline char *
json_text(const json_t *o, size_t flags)
{
	size_t n = json_dumpb(o, NULL, 0, flags);
	char *text = n > 0 ? malloc(n + 1) : NULL;

	if (text == NULL)
		return NULL;
	if (json_dumpb(o, text, n, flags) != n) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	return text;
}

#endif
