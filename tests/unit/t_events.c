/* Events for other programs: whole, synced, once more after a crash. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/events.h"
#include "agent/lib/io.h"
#include "tests/unit/test.h"

int
main(void)
{
	char root[] = "/tmp/t_events.XXXXXX", state[256];
	struct conf conf = { .state = state };
	struct spool s;
	struct err e = { 0 };
	struct stat st;
	json_t *body = json_pack("{s:s, s:i}", "folder", "rechnungen", "pages", 3), *back;
	int fd;

	if (mkdtemp(root) == NULL)
		return 1;
	snprintf(state, sizeof(state), "%s/state", root);
	if (spool_open(&s, &conf, &e) < 0)
		return 1;
	CHECK(events_put(&s, 42, "job", "01j0abcdefghjkmnpqrstvwxyz", body, &e) == 0, "an event is put");
	fd = openat(s.events_new, "42-job-01j0abcdefghjkmnpqrstvwxyz.json", O_RDONLY);
	back = json_loadfd(fd, 0, NULL);
	CHECK(back != NULL && json_integer_value(json_object_get(back, "index")) == 42 &&
	          strcmp(json_string_value(json_object_get(back, "event")), "job") == 0 &&
	          strcmp(json_string_value(json_object_get(back, "job")), "01j0abcdefghjkmnpqrstvwxyz") == 0 &&
	          json_integer_value(json_object_get(back, "pages")) == 3 &&
	          json_integer_value(json_object_get(back, "v")) == 1,
	    "its name and content say which");
	json_decref(back);
	close(fd);
	CHECK(json_object_size(body) == 2, "the caller's object is as it was");
	CHECK(events_put(&s, 42, "job", "01j0abcdefghjkmnpqrstvwxyz", body, &e) == 0, "again after a crash: the same file");
	CHECK(events_put(&s, 0, "start", "", body, &e) == 0 && fstatat(s.events_new, "0-start.json", &st, 0) == 0,
	    "an event of no job");
	CHECK(events_put(&s, 1, "../x", "", body, &e) < 0 && events_put(&s, 1, "job", "a/b", body, &e) < 0,
	    "no part of the name leads elsewhere");
	close(openat(s.events_tmp, "7-job-x.json", O_CREAT | O_WRONLY, 0600));
	CHECK(events_clean(&s, &e) == 0 && fstatat(s.events_tmp, "7-job-x.json", &st, 0) < 0 &&
	          fstatat(s.events_new, "0-start.json", &st, 0) == 0,
	    "leftovers go, events stay");
	json_decref(body);
	spool_close(&s);
	io_remove_tree(AT_FDCWD, root, &e);
	return TEST_DONE();
}
