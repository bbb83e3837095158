#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"

#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/pause.h"
#include "agent/watch.h"

#define RECORD "paused.json"
#define RECORD_MAX (1u << 20)

static const char *
name_of(const struct conf_folder *f)
{
	return f != NULL ? f->name : ""; /* no folder has an empty name */
}

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* Its place in the list, or the list's length. */
static size_t
find(const json_t *list, const char *folder)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (strcmp(text_of(json_array_get(list, i), "folder"), folder) == 0)
			break;
	return i;
}

static bool
well_formed(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_string(json_object_get(json_array_get(list, i), "folder")))
			return false;
	return json_is_array(list);
}

int
pause_open(struct core *c, struct err *e)
{
	json_t *o;
	AUTO_BUF b;

	buf_init(&b, RECORD_MAX);
	if (io_read_file(c->spool.state, RECORD, &b, e) < 0) {
		if (errno != ENOENT)
			return -(int)e->code;
		memset(e, 0, sizeof(*e)); /* nothing was ever paused: no trouble to end with */
		return (c->paused = json_array()) != NULL ? 0 : err_set(e, ERR_MEM, RECORD);
	}
	o = json_loadb((const char *)b.data, b.len, 0, NULL);
	c->paused = json_incref(json_object_get(o, "paused"));
	json_decref(o);
	if (!well_formed(c->paused))
		return err_set(e, ERR_CONF, "%s/" RECORD " is damaged: look which folders are to be paused, and remove it",
		    c->conf->state);
	return 0;
}

void
pause_close(struct core *c)
{
	json_decref(c->paused);
	c->paused = NULL;
}

bool
pause_has(const struct core *c, const struct conf_folder *f, const char **ret_why)
{
	size_t n = json_array_size(c->paused), i = find(c->paused, "");

	if (i == n && f != NULL)
		i = find(c->paused, f->name);
	if (i < n && ret_why != NULL)
		*ret_why = text_of(json_array_get(c->paused, i), "reason");
	return i < n;
}

/* Takes the new list over; the old one stays when it can not be kept. */
static int
keep(struct core *c, json_t *list, struct err *e)
{
	json_t *o = list != NULL ? json_pack("{s:i, s:O}", "v", 1, "paused", list) : NULL;
	AUTO_FREE char *text = o != NULL ? json_text(o, JSON_INDENT(1)) : NULL;
	int r = text != NULL ? io_replace(c->spool.state, RECORD, text, strlen(text), 0600, e) : err_set(e, ERR_MEM, RECORD);

	json_decref(o);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	json_decref(c->paused);
	c->paused = list;
	return 0;
}

int
pause_set(struct core *c, const struct conf_folder *f, const char *reason, uid_t uid, struct err *e)
{
	char now[CLOCK_ISO_MAX];
	json_t *list;
	int r;

	if (find(c->paused, name_of(f)) < json_array_size(c->paused))
		return 0;
	clock_iso(clock_wall_us(), now);
	list = json_copy(c->paused);
	json_add(&list, json_pack("{s:s, s:s, s:I, s:s}", "folder", name_of(f), "since", now, "uid", (json_int_t)uid,
	    "reason", reason));
	if ((r = keep(c, list, e)) == 0)
		journal(JOURNAL_PAUSED, LOG_NOTICE, &(struct about){ .folder = name_of(f) }, "folder %s: paused by user %u%s%s",
		    f != NULL ? f->name : "(all)", uid, *reason != '\0' ? ": " : "", reason);
	return r;
}

int
pause_end(struct core *c, const struct conf_folder *f, struct err *e)
{
	size_t i = find(c->paused, name_of(f));
	json_t *list;
	int r;

	if (f != NULL && i == json_array_size(c->paused))
		return pause_has(c, f, NULL) ? err_set(e, ERR_USAGE, "all folders are paused together: resume all") : 0;
	if (json_array_size(c->paused) == 0)
		return 0;
	if ((list = f != NULL ? json_copy(c->paused) : json_array()) != NULL && f != NULL)
		json_array_remove(list, i);
	if ((r = keep(c, list, e)) == 0) {
		journal(JOURNAL_RESUMED, LOG_NOTICE, &(struct about){ .folder = name_of(f) }, "folder %s: resumed",
		    f != NULL ? f->name : "(all)");
		watch_rescan(c->watch);
	}
	return r;
}

json_t *
pause_json(const struct core *c)
{
	return json_incref(c->paused);
}
