#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scan/look.h"
#include "scan/stampfont.h"
#include "scan/stampimage.h"

static struct look_file
take_file(struct settings *s, const char *kind, const char *seal)
{
	char name[SETTINGS_FILE_NAME_MAX];
	struct look_file f = { 0 };

	snprintf(name, sizeof(name), "%s%s", kind, seal);
	for (uint32_t i = 0; i < s->nfiles; i++)
		if (strcmp(s->files[i].name, name) == 0) {
			f = (struct look_file){ s->files[i].data, s->files[i].len };
			s->files[i].data = NULL;
			break;
		}
	return f;
}

/* A template without its {variables}: what is sure to be drawn. */
static void
own_text(const char *template, char dst[MSG_TEXT_MAX])
{
	size_t n = 0;

	for (const char *p = template; *p != '\0' && n + 1 < MSG_TEXT_MAX; p++) {
		if (p[0] == '{' && p[1] != '{')
			p += strcspn(p, "}");
		else
			dst[n++] = *p;
		if (*p == '\0')
			break;
	}
	dst[n] = '\0';
}

static int
check_font(const struct look *l, struct err *e)
{
	char lines[MSG_LINES_MAX][MSG_TEXT_MAX];
	uint32_t n = 0;
	struct stampfont *f;
	int r;

	for (size_t i = 0; i < l->conf->lines.n && n < MSG_LINES_MAX; i++)
		own_text(l->conf->lines.v[i], lines[n++]);
	if (n == 0)
		return 0;
	if ((r = stampfont_open(&f, &l->font, lines, n, e)) == 0)
		stampfont_free(f);
	return r;
}

static int
check(struct look *l, struct err *e)
{
	struct err why = { 0 };
	const char *key = NULL;

	if (l->image.data != NULL && stampimage_size(&l->image, &l->image_w, &l->image_h, &why) < 0)
		key = "image";
	else if (check_font(l, &why) < 0)
		key = l->font.data != NULL ? "font" : "lines";
	if (key == NULL)
		return 0;
	return err_set(e, why.code == ERR_MEM ? ERR_MEM : ERR_CONF, "seals.%s.look.%s: %s", l->seal, key, why.text);
}

int
look_load(struct looks **ret, const struct conf *conf, struct settings *s, struct err *e)
{
	struct looks *l = calloc(1, sizeof(*l) + conf->nseals * sizeof(l->v[0]));
	int r = 0;

	if (l == NULL)
		return err_set(e, ERR_MEM, "seals");
	for (; l->n < conf->nseals && r == 0; l->n++) {
		struct look *one = &l->v[l->n];

		one->seal = conf->seals[l->n].name;
		one->conf = &conf->seals[l->n].look;
		one->image = take_file(s, "image:", one->seal);
		one->font = take_file(s, "font:", one->seal);
		r = check(one, e);
	}
	if (r == 0)
		*ret = l;
	return r;
}

const struct look *
look_of(const struct looks *l, const char *seal)
{
	for (size_t i = 0; l != NULL && i < l->n; i++)
		if (strcmp(l->v[i].seal, seal) == 0)
			return &l->v[i];
	return NULL;
}
