/*
 * sealroom submit FILE --folder NAME [--name NAME] - a document for a folder, without the folder.
 *
 * The file is opened here, with the rights of who asks; the daemon gets the
 * descriptor.  It lies on the network: a copy without a name goes instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"

#include "agent/cmd.h"
#include "agent/control.h"
#include "agent/hot.h"

#define SUBMIT_MS 300000 /* copying 2 GiB, and a look at it */

/* The same bytes and time of change, so that it is the same delivery when it is submitted again. */
static int
local_copy(int from, const struct stat *st, struct err *e)
{
	const char *dir = getenv("TMPDIR");
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char path[32];
	int r, ro;
	AUTO_FD at = open(dir != NULL ? dir : "/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD fd = -1;

	if (at < 0)
		return err_sys(e, ERR_IO, "directory for a copy");
	if ((fd = io_tmpfile(at, e)) < 0)
		return fd;
	if ((r = io_copy(from, 0, (uint64_t)st->st_size, fd, NULL, e)) < 0)
		return r;
	if (futimens(fd, times) < 0)
		return err_sys(e, ERR_IO, "copy");
	/* a descriptor that can write would look like a writer */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((ro = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return err_sys(e, ERR_IO, "copy");
	return ro;
}

int
cmd_open_document(const char *path, struct err *e)
{
	struct stat st;
	AUTO_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, ERR_IO, "the document");
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "the document is no regular file");
	return hot_remote(NULL, fd) != NULL ? local_copy(fd, &st, e) : take_fd(&fd);
}

int
cmd_submit(struct cmd_args *a)
{
	const char *folder = NULL, *name = NULL;
	json_t *request, *answer = NULL;
	struct err e = { 0 };
	struct conf *conf;
	AUTO_FD fd = -1;
	int r;

	if (cmd_option(a, "--folder", &folder) < 0 || cmd_option(a, "--name", &name) < 0 || folder == NULL || a->argc != 2)
		return cmd_usage(a);
	if (name == NULL)
		name = strrchr(a->argv[1], '/') != NULL ? strrchr(a->argv[1], '/') + 1 : a->argv[1];
	if ((request = json_pack("{s:s, s:s, s:s}", "op", "submit", "folder", folder, "name", name)) == NULL) {
		err_set(&e, ERR_USAGE, "a name in UTF-8 is needed; see --name");
		return cmd_fail(a, &e);
	}
	if ((r = cmd_conf(a, &conf)) != 0) {
		json_decref(request);
		return r;
	}
	if ((fd = cmd_open_document(a->argv[1], &e)) < 0) {
		json_decref(request);
		r = cmd_fail(a, &e);
	} else if (control_ask_fd(conf->control, request, fd, SUBMIT_MS, &answer, &e) < 0) {
		r = cmd_fail_ask(a, &e);
	} else if (a->json) {
		r = cmd_json(answer);
	} else {
		printf("%s%s\n", json_string_value(json_object_get(answer, "job")),
		    json_is_true(json_object_get(answer, "again")) ? " (the same file again)" : "");
		json_decref(answer);
		r = cmd_done(EX_OK);
	}
	conf_free(conf);
	return r;
}
