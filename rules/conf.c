#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/confint.h"

#define FOLDERS_D "folders.d"
#define FOLDERS_D_MAX 500 /* files */

struct arena { /* one allocation; all are freed together */
	struct arena *next;
	max_align_t data[];
};

void *
conf_alloc(struct conf_reader *r, size_t n)
{
	struct arena *a = calloc(1, sizeof(*a) + n);

	if (a == NULL) {
		r->oom = true;
		return NULL;
	}
	a->next = r->c->arena;
	r->c->arena = a;
	return a->data;
}

char *
conf_dup(struct conf_reader *r, const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = conf_alloc(r, n);

	return copy == NULL ? NULL : memcpy(copy, s, n);
}

static void
ere_free(struct conf_ere *x)
{
	if (x->text != NULL)
		regfree(&x->re);
}

void
conf_free(struct conf *c)
{
	struct arena *a, *next;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nrules; i++) {
		ere_free(&c->rules[i].match);
		ere_free(&c->rules[i].signed_by);
		ere_free(&c->rules[i].barcode);
		ere_free(&c->rules[i].place.barcode);
		for (size_t j = 0; j < c->rules[i].nfinds; j++) {
			ere_free(&c->rules[i].finds[j].take);
			ere_free(&c->rules[i].finds[j].barcode);
		}
	}
	for (size_t i = 0; i < c->nfolders; i++)
		ere_free(&c->folders[i].separator);
	for (a = c->arena; a != NULL; a = next) {
		next = a->next;
		free(a);
	}
	free(c);
}

static void
conf_freep(struct conf **c)
{
	conf_free(*c);
}
#define AUTO_CONF __attribute__((cleanup(conf_freep))) struct conf

static void
tree_done(config_t *tree)
{
	config_destroy(tree);
}
#define AUTO_TREE __attribute__((cleanup(tree_done))) config_t

/* What several hosts take from one folder lies apart, so that each knows its own. */
static const char *
work_of_host(struct conf_reader *r, const char *word, const char *host)
{
	size_t size = strlen(word) + strlen(host) + 2;
	char *path = conf_alloc(r, size);

	if (path == NULL)
		return word;
	snprintf(path, size, "%s/%s", word, host);
	return path;
}

/* Defaults that follow from other keys. */
static void
follow(struct conf_reader *r)
{
	struct conf *c = r->c;
	const char *dir = r->dir;

	r->dir = c->state;
	if (*c->evidence.key == '\0' && *c->state != '\0')
		c->evidence.key = conf_path(r, "evidence.key");
	if (*c->evidence.anchor == '\0' && *c->state != '\0')
		c->evidence.anchor = conf_path(r, "anchor");
	r->dir = dir;
	for (size_t i = 0; i < c->nfolders; i++) {
		struct conf_folder *f = &c->folders[i];
		bool de;

		if (*f->language == '\0')
			f->language = c->language;
		de = strcmp(f->language, "de") == 0;
		f->word_work = de ? "in-arbeit" : "work";
		f->word_done = de ? "fertig" : "done";
		f->word_held = de ? "offen" : "held";
		f->word_error = de ? "fehler" : "error";
		if (f->claim_rename)
			f->word_work = work_of_host(r, f->word_work, c->host);
	}
}

/* What all was read: complete it, look it over, hash it, hand it out. */
static int
settle(struct conf_reader *r, struct conf **own, struct conf **ret, struct err *e)
{
	const struct conf_problem *p;
	bool read;
	int rc;

	tzset(); /* names and stamps print local time, also in a child that can open nothing */
	read = !r->oom && problems_errors(&p) == 0;
	if (read)
		follow(r);
	if (!r->oom)
		conf_resolve(r);
	if (read && !r->oom) {
		conf_check(r->c);
		conf_doubt(r->c);
	}
	if (r->oom)
		return err_set(e, ERR_MEM, "settings");
	problems_sort(r->c->path);
	if (problems_errors(&p) > 0)
		return err_set(e, ERR_CONF, "%s:%u: %s", p->file, p->line, p->text);
	if ((rc = conf_hashes(r->c, e)) < 0)
		return rc;
	*ret = *own;
	*own = NULL;
	return 0;
}

static unsigned
lines_of(const char *text)
{
	unsigned n = 1;

	for (; *text != '\0'; text++)
		n += text[0] == '\n' && text[1] != '\0';
	return n;
}

static void
read_file(struct conf_reader *r, int dir, const char *name, bool main_file)
{
	AUTO_FREE char *text = conf_file_read(dir, name, r->file);
	AUTO_TREE tree;

	config_init(&tree);
	if (text != NULL && main_file)
		r->c->lines = lines_of(text);
	if (text == NULL || !conf_file_parse(&tree, text, r->file))
		return;
	if (main_file)
		conf_read_main(r, config_root_setting(&tree));
	else
		conf_read_folders(r, config_root_setting(&tree));
}

static int
wanted(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_folders_d(struct conf_reader *r, int dir)
{
	const char *base = r->dir;
	const char *shown = conf_path(r, FOLDERS_D);
	const struct conf_where where = { shown, 0 };
	struct dirent **list = NULL;
	AUTO_FD sub = -1;
	int n;

	if (shown == NULL || !io_exists(dir, FOLDERS_D) || (sub = conf_dir_open(dir, FOLDERS_D, shown)) < 0)
		return;
	if ((n = scandirat(sub, ".", &list, wanted, by_bytes)) < 0)
		problem_add(&where, false, "cannot be listed: %m");
	if (n > FOLDERS_D_MAX)
		problem_add(&where, false, "has more than %d files", FOLDERS_D_MAX);
	r->dir = shown;
	for (int i = 0; i < n; i++) {
		if (n <= FOLDERS_D_MAX && (r->file = conf_path(r, list[i]->d_name)) != NULL)
			read_file(r, sub, list[i]->d_name, false);
		free(list[i]);
	}
	free(list);
	r->dir = base;
}

/* Splits path; dir becomes absolute, so that relative paths hold wherever we are started. */
static const char *
split(const char *path, char dir[PATH_MAX], struct err *e)
{
	const char *slash = strrchr(path, '/');
	char given[PATH_MAX];

	snprintf(given, sizeof(given), "%.*s", slash == NULL ? 1 : (int)(slash - path + (slash == path)),
	    slash == NULL ? "." : path);
	if (realpath(given, dir) == NULL) {
		err_sys(e, ERR_CONF, "settings: %s", given);
		return NULL;
	}
	return slash == NULL ? path : slash + 1;
}

int
conf_load(struct conf **ret, const char *path, struct err *e)
{
	AUTO_CONF *c = calloc(1, sizeof(*c));
	struct conf_reader r = { .c = c };
	AUTO_FD fd = -1;
	char dir[PATH_MAX];
	const char *name;

	problems_clear(c);
	if (c == NULL)
		return err_set(e, ERR_MEM, "settings");
	c->path = path;
	if ((name = split(path, dir, e)) == NULL) {
		problem_add(&(struct conf_where){ path, 0 }, false, "%s", e->text);
		return -(int)e->code;
	}
	r.dir = conf_dup(&r, dir);
	r.file = c->path = r.dir == NULL ? NULL : conf_path(&r, name);
	if (c->path == NULL)
		return err_set(e, ERR_MEM, "settings");
	if ((fd = conf_dir_open(AT_FDCWD, dir, r.dir)) >= 0) {
		read_file(&r, fd, name, true);
		read_folders_d(&r, fd);
	}
	return settle(&r, &c, ret, e);
}

int
conf_parse(struct conf **ret, const char *text, struct err *e)
{
	AUTO_CONF *c = calloc(1, sizeof(*c));
	struct conf_reader r = { .c = c, .file = "settings" };
	AUTO_TREE tree;

	config_init(&tree);
	problems_clear(c);
	if (c == NULL)
		return err_set(e, ERR_MEM, "settings");
	c->path = "";
	if (!utf8_valid(text, strlen(text)))
		problem_add(&(struct conf_where){ "settings", 0 }, false, "is not UTF-8 text");
	else if (conf_file_parse(&tree, text, r.file))
		conf_read_main(&r, config_root_setting(&tree));
	return settle(&r, &c, ret, e);
}

/* clang-format off */
#define LOOKUP(thing, list, count) \
	const struct thing * \
	thing(const struct conf *c, const char *name) \
	{ \
		for (size_t i = 0; i < c->count; i++) \
			if (strcmp(c->list[i].name, name) == 0) \
				return &c->list[i]; \
		return NULL; \
	}
/* clang-format on */
LOOKUP(conf_folder, folders, nfolders)
LOOKUP(conf_rule, rules, nrules)
LOOKUP(conf_seal, seals, nseals)
LOOKUP(conf_token, tokens, ntokens)
LOOKUP(conf_tsa, tsas, ntsas)
