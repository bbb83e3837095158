/*
 * zygote.h - a core in a few lines: starts a zygote, gives it settings, runs one task at a time.
 */
#ifndef SEALROOM_ZYGOTE_H
#define SEALROOM_ZYGOTE_H

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/msgs.h"
#include "agent/lib/proc.h"
#include "agent/lib/taskmsg.h"
#include "agent/lib/wire.h"

/* The program under $SEALROOM_BIN, or beside the directory of this test. */
static inline void
zygote_path(const char *program, char path[PATH_MAX])
{
	const char *bin = getenv("SEALROOM_BIN");
	char self[PATH_MAX] = "", dir[PATH_MAX + 8];

	if (bin != NULL) {
		snprintf(dir, sizeof(dir), "%s", bin);
	} else {
		if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
			exit(99);
		*strrchr(self, '/') = '\0';
		snprintf(dir, sizeof(dir), "%s/..", self);
	}
	if (realpath(dir, self) == NULL)
		exit(99);
	snprintf(path, PATH_MAX, "%.3000s/%s", self, program);
}

/* Flags that go with SETTINGS; SETTINGS_OCR for pages. */
static uint32_t zygote_flags;
static uint64_t zygote_fsize = 1 << 20; /* largest output of a task */

/* HELLO, SETTINGS, READY.  False: *why says what the zygote did not like. */
static inline bool
zygote_start(const char *program, enum role role, const struct settings *s, struct proc *z, struct err *why)
{
	char path[PATH_MAX], name[64];
	char *argv[] = { name, NULL };
	AUTO_BUF flags;
	int fd = -1;
	bool ready = false;

	memset(why, 0, sizeof(*why));
	zygote_path(program, path);
	snprintf(name, sizeof(name), "%s", program);
	buf_init(&flags, 16);
	buf_put_u32(&flags, zygote_flags);
	if (proc_spawn(path, argv, z, why) < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		AUTO_MSG m = { 0 };

		if (wire_recv(z->sock, role, ROLE_CORE, 0, &m, why) <= 0)
			break;
		if (m.type == MSG_FAIL) {
			why->code = buf_get_u32(&m.payload);
			buf_get_u32(&m.payload);
			buf_get_str(&m.payload, why->text, sizeof(why->text));
			break;
		}
		if (m.type == MSG_HELLO &&
		    (settings_write(s, &fd, why) < 0 || wire_send(z->sock, MSG_SETTINGS, 0, &flags, &fd, 1, why) < 0))
			break;
		ready = m.type == MSG_READY;
	}
	io_close(&fd);
	return ready;
}

/* One task; what came last from the child, and how it ended.  0, or the child's -code, -ERR_CHILD when it died. */
static inline int
zygote_task(const struct proc *z, enum role role, uint32_t kind, const struct buf *params, int in, int out,
    struct buf *result, int *ret_status, struct err *e)
{
	static uint32_t id;
	AUTO_BUF task = { 0 };
	int sv[2], fds[3], n = 1, r = -ERR_CHILD;
	bool gone = false;

	if (wire_pair(sv, e) < 0)
		return -ERR_IO;
	buf_init(&task, WIRE_PAYLOAD);
	buf_put_u32(&task, ++id);
	buf_put_u32(&task, kind);
	buf_put_u32(&task, 0); /* no limit of memory: sanitizers */
	buf_put_u32(&task, 20);
	buf_put_u64(&task, zygote_fsize);
	buf_put_blob(&task, params->data, params->len);
	fds[0] = sv[1];
	fds[n++] = in >= 0 ? in : out; /* the second is the input, whatever it holds */
	if (out >= 0)
		fds[n++] = out;
	if (wire_send(z->sock, MSG_TASK, id, &task, fds, n, e) < 0)
		return -ERR_IO;
	close(sv[1]);
	while (!gone) {
		AUTO_MSG m = { 0 };

		if (wire_recv(z->sock, role, ROLE_CORE, 0, &m, e) <= 0)
			return -ERR_PEER;
		gone = m.type == MSG_EXIT;
		if (gone) {
			buf_get_u32(&m.payload);
			*ret_status = buf_get_i32(&m.payload);
		}
	}
	for (;;) {
		AUTO_MSG m = { 0 };

		if (wire_recv(sv[0], ROLE_TASK, ROLE_CORE, 0, &m, e) <= 0)
			break;
		if (m.type == MSG_RESULT) {
			buf_put(result, m.payload.data, m.payload.len);
			r = 0;
		} else if (m.type == MSG_FAIL) {
			r = -(int)buf_get_u32(&m.payload);
			e->code = (enum err_code)-r;
			buf_get_u32(&m.payload);
			buf_get_str(&m.payload, e->text, sizeof(e->text));
		}
	}
	close(sv[0]);
	return r;
}

/* Hangs up; the exit status. */
static inline int
zygote_stop(struct proc *z)
{
	int status = -1;

	close(z->sock);
	waitpid(z->pid, &status, 0);
	close(z->pidfd);
	return status;
}

#endif
