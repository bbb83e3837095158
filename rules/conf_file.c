#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/confint.h"

/*
 * Who can write the settings can have anything sealed: only root or we
 * ourselves may, and nothing is reached through a symlink.
 */
static bool
ours_alone(int fd, const char *shown, const char *what, mode_t kind)
{
	const struct conf_where where = { shown, 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		problem_add(&where, false, "cannot be looked at: %s", strerror(errno));
	else if ((st.st_mode & S_IFMT) != kind)
		problem_add(&where, false, "is not a %s; name one", problem_words(what));
	else if (st.st_uid != 0 && st.st_uid != geteuid())
		problem_add(&where, false, "belongs to uid %u; run: chown root '%s'", st.st_uid, shown);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		problem_add(&where, false, "others may write to it; run: chmod go-w '%s'", shown);
	else
		return true;
	return false;
}

static void
open_failed(const char *shown, const char *what)
{
	const struct conf_where where = { shown, 0 };

	if (errno == ELOOP || errno == ENOTDIR)
		problem_add(&where, false, "is not a %s itself; symlinks are not followed here", problem_words(what));
	else
		problem_add(&where, false, "cannot be opened: %s", strerror(errno));
}

int
conf_dir_open(int at, const char *path, const char *shown)
{
	AUTO_FD fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		open_failed(shown, N_("directory"));
		return -1;
	}
	return ours_alone(fd, shown, N_("directory"), S_IFDIR) ? take_fd(&fd) : -1;
}

char *
conf_file_read(int dir, const char *name, const char *shown)
{
	const struct conf_where where = { shown, 0 };
	AUTO_FREE char *text = NULL;
	AUTO_FD fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct err e = { 0 };
	uint64_t size;
	char *ret;

	if (fd < 0) {
		open_failed(shown, N_("file"));
		return NULL;
	}
	if (!ours_alone(fd, shown, N_("plain file"), S_IFREG))
		return NULL;
	if (io_size(fd, &size, &e) < 0 || size > CONF_FILE_MAX || (text = malloc(size + 1)) == NULL ||
	    io_pread_full(fd, text, size, 0, &e) < 0) {
		problem_add(&where, false, "cannot be read: %s", e.code != 0 ? e.text : problem_words("longer than 1 MiB"));
		return NULL;
	}
	text[size] = '\0';
	if (strlen(text) != size || !utf8_valid(text, size)) {
		problem_add(&where, false, "is not UTF-8 text; save it as UTF-8");
		return NULL;
	}
	ret = text;
	text = NULL;
	return ret;
}

/* What libconfig 1.5 would take silently for something else, found before it reads. */
static const char *
trap(const char *p, bool line_start)
{
	size_t n;

	if (line_start && strncmp(p + strspn(p, " \t"), "@include", 8) == 0)
		return N_("@include is not allowed; put folders and rules into folders.d/*.conf");
	n = strspn(p, "0123456789");
	if (n > 9 && p[n] != 'L')
		return N_("a number this long must end in L");
	return NULL;
}

static const char *
skip_string(const char *p, unsigned *line)
{
	for (p++; *p != '\0' && *p != '"'; p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		*line += *p == '\n';
	}
	return *p == '"' ? p + 1 : p;
}

static const char *
skip_comment(const char *p, unsigned *line)
{
	if (*p == '#' || p[1] == '/')
		return p + strcspn(p, "\n");
	for (p += 2; *p != '\0' && (p[0] != '*' || p[1] != '/'); p++)
		*line += *p == '\n';
	return *p != '\0' ? p + 2 : p;
}

static bool
traps_checked(const char *text, const char *shown)
{
	struct conf_where where = { shown, 1 };
	bool line_start = true, good = true;
	const char *p = text;

	while (*p != '\0') {
		const char *said = trap(p, line_start);

		if (said != NULL) {
			problem_add(&where, false, "%s", problem_words(said));
			good = false;
		}
		line_start = false;
		if (*p == '"') {
			p = skip_string(p, &where.line);
		} else if (*p == '#' || (*p == '/' && (p[1] == '/' || p[1] == '*'))) {
			p = skip_comment(p, &where.line);
		} else if (*p >= '0' && *p <= '9') {
			p += strspn(p, "0123456789");
		} else {
			line_start = *p == '\n';
			where.line += *p++ == '\n';
		}
	}
	return good;
}

bool
conf_file_parse(config_t *tree, const char *text, const char *shown)
{
	struct conf_where where = { shown, 0 };

	if (!traps_checked(text, shown))
		return false;
	if (config_read_string(tree, text) == CONFIG_TRUE)
		return true;
	where.line = (unsigned)config_error_line(tree);
	problem_add(&where, false, "%s (is a semicolon, a bracket or a quote missing here or just before?)",
	    config_error_text(tree));
	return false;
}
