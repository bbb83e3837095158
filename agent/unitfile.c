#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/unitfile.h"

#define UNIT_MAX 65536 /* bytes of one file */
#define DIRS "/usr/lib/systemd/system:/run/systemd/system:/etc/systemd/system"

/* Keys that settings can collide with; those of lists add up. */
static const struct {
	const char *key;
	bool list;
} keys[] = {
	{ "ReadWritePaths", true },
	{ "BindPaths", true },
	{ "ExecPaths", true },
	{ "StateDirectory", true },
	{ "RuntimeDirectory", true },
	{ "LoadCredential", true },
	{ "ExecStart", false },
	{ "User", false },
	{ "ProtectSystem", false },
	{ "ProtectHome", false },
	{ "PrivateTmp", false },
	{ "PrivateNetwork", false },
};

static void
forget(struct unitfile *u, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < u->n; i++)
		if (strcmp(u->v[i].key, key) == 0) {
			free(u->v[i].key);
			free(u->v[i].value);
		} else {
			u->v[kept++] = u->v[i];
		}
	u->n = kept;
}

static int
add(struct unitfile *u, const char *key, const char *value, struct err *e)
{
	if (u->n == UNIT_VALUES)
		return err_set(e, ERR_CONF, "%s: more than %d values", u->name, UNIT_VALUES);
	if ((u->v[u->n].key = strdup(key)) == NULL || (u->v[u->n].value = strdup(value)) == NULL) {
		free(u->v[u->n].key);
		return err_set(e, ERR_MEM, "unit file");
	}
	u->n++;
	return 0;
}

/* A leading "-" or "+" is about paths that are missing or below the root directory. */
static int
assign(struct unitfile *u, const char *key, bool list, char *value, struct err *e)
{
	char *rest = value;
	int r;

	if (!list || *value == '\0')
		forget(u, key);
	if (!list)
		return add(u, key, value, e);
	for (char *word; (word = strsep(&rest, " \t")) != NULL;)
		if (*word != '\0' && (r = add(u, key, word + strspn(word, "-+"), e)) < 0)
			return r;
	return 0;
}

static int
read_line(struct unitfile *u, char *line, struct err *e)
{
	char *value = strchr(line, '='), *end;

	line += strspn(line, " \t");
	if (*line == '#' || *line == ';' || value == NULL)
		return 0;
	*value++ = '\0';
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && strchr(" \t\r", end[-1]) != NULL;)
		*--end = '\0';
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(line, keys[i].key) == 0)
			return assign(u, line, keys[i].list, value, e);
	return 0;
}

/* 1: read, 0: not there. */
static int
read_file(struct unitfile *u, const char *path, struct err *e)
{
	AUTO_FREE char *text = NULL;
	char *rest;
	struct buf b;
	int r;

	buf_init(&b, UNIT_MAX);
	if ((r = io_read_file(AT_FDCWD, path, &b, e)) < 0) {
		int was = errno;

		buf_done(&b);
		return r == -ERR_IO && was == ENOENT ? 0 : r;
	}
	if ((text = rest = buf_take_text(&b)) == NULL)
		return err_set(e, ERR_MEM, "unit file");
	for (char *line; (line = strsep(&rest, "\n")) != NULL;)
		if ((r = read_line(u, line, e)) < 0)
			return r;
	return 1;
}

static int
is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int
read_dropins(struct unitfile *u, const char *dir, const char *name, struct err *e)
{
	char at[PATH_MAX], path[PATH_MAX + 256];
	struct dirent **list = NULL;
	int n, r = 0;

	if ((size_t)snprintf(at, sizeof(at), "%s/%s.d", dir, name) >= sizeof(at) || (n = scandir(at, &list, is_conf, alphasort)) < 0)
		return 0; /* there are none */
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", at, list[i]->d_name);
		if (r >= 0)
			r = read_file(u, path, e);
		free(list[i]);
	}
	free(list);
	return r < 0 ? r : 0;
}

/* Calls for each directory, weakest first. */
static int
in_dirs(struct unitfile *u, const char *name, int (*fn)(struct unitfile *, const char *dir, const char *name, struct err *),
    struct err *e)
{
	const char *from = getenv("SEALROOM_UNITS");
	AUTO_FREE char *dirs = strdup(from != NULL ? from : DIRS);
	char *rest = dirs;
	int r, found = 0;

	if (dirs == NULL)
		return err_set(e, ERR_MEM, "unit file");
	for (char *dir; (dir = strsep(&rest, ":")) != NULL;) {
		if ((r = fn(u, dir, name, e)) < 0)
			return r;
		found |= r;
	}
	return found;
}

/* A file in a stronger directory takes the place of one in a weaker. */
static int
read_main(struct unitfile *u, const char *dir, const char *name, struct err *e)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return 0;
	if (access(path, R_OK) == 0)
		unitfile_free(u);
	return read_file(u, path, e);
}

int
unitfile_read(struct unitfile *u, const char *name, const char *instance, struct err *e)
{
	char template[256];
	int r;

	memset(u, 0, sizeof(*u));
	u->instance = instance;
	snprintf(u->name, sizeof(u->name), "%s%s%s.service", name, *instance == '\0' ? "" : "@", instance);
	snprintf(template, sizeof(template), "%s%s.service", name, *instance == '\0' ? "" : "@");
	if ((r = in_dirs(u, template, read_main, e)) == 1 && (r = in_dirs(u, template, read_dropins, e)) >= 0 &&
	    (*instance == '\0' || (r = in_dirs(u, u->name, read_dropins, e)) >= 0))
		return 1;
	unitfile_free(u);
	return r;
}

void
unitfile_free(struct unitfile *u)
{
	for (; u->n > 0; u->n--) {
		free(u->v[u->n - 1].key);
		free(u->v[u->n - 1].value);
	}
}

const char *
unitfile_value(const struct unitfile *u, const char *key)
{
	for (size_t i = u->n; i > 0; i--)
		if (strcmp(u->v[i - 1].key, key) == 0)
			return u->v[i - 1].value;
	return "";
}

bool
unitfile_covers(const struct unitfile *u, const char *key, const char *root, const char *path)
{
	char word[PATH_MAX];
	size_t n;

	for (size_t i = 0; i < u->n; i++) {
		if (strcmp(u->v[i].key, key) != 0)
			continue;
		snprintf(word, sizeof(word), "%s%s", root, u->v[i].value);
		word[strcspn(word, ":")] = '\0'; /* BindPaths=from:to, LoadCredential=name:from */
		n = strlen(word);
		while (n > 1 && word[n - 1] == '/')
			n--;
		if (strncmp(path, word, n) == 0 && (path[n] == '/' || path[n] == '\0' || n == 1))
			return true;
	}
	return false;
}

const char *
unitfile_option(const struct unitfile *u, const char *option, char *dst, size_t size)
{
	const char *at = strstr(unitfile_value(u, "ExecStart"), option);

	dst[0] = '\0';
	if (at != NULL) {
		at += strlen(option);
		at += strspn(at, " ");
		snprintf(dst, size, "%.*s", (int)strcspn(at, " "), at);
	}
	return dst;
}
