#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/events.h"
#include "agent/jsonput.h"

static bool
plain_word(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s);
}

static char *
event_text(uint64_t index, const char *type, const char *job, const json_t *body, size_t *ret_len)
{
	json_t *j = json_copy((json_t *)(uintptr_t)body); /* jansson's argument is not const; it is only read */
	char *text = NULL;

	if (j != NULL && json_object_set_new(j, "v", json_integer(1)) == 0 &&
	    json_object_set_new(j, "event", json_string(type)) == 0 &&
	    json_object_set_new(j, "index", json_integer((json_int_t)index)) == 0 &&
	    (*job == '\0' || json_object_set_new(j, "job", json_string(job)) == 0))
		text = json_text(j, JSON_INDENT(1) | JSON_SORT_KEYS);
	json_decref(j);
	*ret_len = text != NULL ? strlen(text) : 0;
	return text;
}

static int
event_write(int dir, const char *name, const char *text, size_t len, struct err *e)
{
	AUTO_FD fd = -1;
	int r;

	if ((r = io_unlink(dir, name, e)) < 0)
		return r;
	if ((fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)) < 0)
		return err_sys(e, ERR_IO, "event %s", name);
	if ((r = io_write_full(fd, text, len, e)) < 0 || (r = io_write_full(fd, "\n", 1, e)) < 0 ||
	    (r = io_sync(fd, e)) < 0)
		return r;
	return close(take_fd(&fd)) < 0 ? err_sys(e, ERR_IO, "event %s", name) : 0;
}

/* --- those of late, for who follows them over the control socket ---------------------------- */

static struct {
	char *text[EVENTS_RECENT];
	uint64_t count; /* ever */
} recent;

static void
remember(const char *text)
{
	char **slot = &recent.text[recent.count++ % EVENTS_RECENT];

	free(*slot);
	*slot = strdup(text); /* without memory it is missing there, and only there */
}

json_t *
events_recent(uint64_t after, uint64_t *ret_next)
{
	uint64_t first = recent.count > EVENTS_RECENT ? recent.count - EVENTS_RECENT : 0;
	json_t *list = json_array();

	for (uint64_t i = after > first ? after : first; i < recent.count; i++) {
		const char *text = recent.text[i % EVENTS_RECENT];
		json_t *o = text != NULL ? json_loads(text, 0, NULL) : NULL;

		if (o != NULL)
			json_array_append_new(list, o);
	}
	*ret_next = recent.count;
	return list;
}

/* --- files ------------------------------------------------------------------------------------ */

/* tail: what the name ends with. */
static int
put(const struct spool *s, uint64_t index, const char *type, const char *job, const char *tail, const json_t *body,
    struct err *e)
{
	AUTO_FREE char *text = NULL;
	char name[EVENTS_NAME_MAX];
	size_t len;
	int r;

	if (!plain_word(type) || !plain_word(job) || !json_is_object(body))
		return err_set(e, ERR_IO, "event without type, job or body");
	r = snprintf(name, sizeof(name), "%llu-%s%s%s.json", (unsigned long long)index, type, *tail != '\0' ? "-" : "", tail);
	if (r < 0 || (size_t)r >= sizeof(name))
		return err_set(e, ERR_IO, "event: name is too long");
	if ((text = event_text(index, type, job, body, &len)) == NULL)
		return err_set(e, ERR_MEM, "event %s", name);
	if ((r = event_write(s->events_tmp, name, text, len, e)) == 0 &&
	    renameat(s->events_tmp, name, s->events_new, name) < 0)
		r = err_sys(e, ERR_IO, "event %s", name);
	if (r < 0) {
		unlinkat(s->events_tmp, name, 0); /* a leftover is removed at the next start as well */
		return r;
	}
	if ((r = io_sync_dir(s->events_new, ".", e)) == 0)
		remember(text);
	return r;
}

int
events_put(const struct spool *s, uint64_t index, const char *type, const char *job, const json_t *body,
    struct err *e)
{
	return put(s, index, type, job, job, body, e);
}

int
events_put_alarm(const struct spool *s, uint64_t index, int64_t at_us, bool ended, const json_t *body, struct err *e)
{
	char tail[24];

	snprintf(tail, sizeof(tail), "%lld", (long long)at_us);
	return put(s, index, ended ? "alarm-end" : "alarm", "", tail, body, e);
}

int
events_clean(const struct spool *s, struct err *e)
{
	int fd = openat(s->events_tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct dirent *de;
	DIR *d;

	if (fd < 0 || (d = fdopendir(fd)) == NULL) {
		io_close(&fd);
		return err_sys(e, ERR_IO, "state/events");
	}
	while (r == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			r = io_unlink(s->events_tmp, de->d_name, e);
	closedir(d);
	return r;
}
