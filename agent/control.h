/*
 * control.h - the socket by which `sealroom` talks to a running sealroomd.
 *
 *	control_open(&c, loop, path, &opts, &e)      daemon; removes a dead socket
 *	control_answer(c, id, answer, &e)            daemon; what a handler put off
 *	control_close(c)
 *	control_ask(path, request, &answer, &e)      command; takes the request over
 *	control_ask_fd(path, request, fd, ms, &answer, &e)
 *
 * A Unix stream socket, mode 0660.  Served are root, the daemon's own user and
 * members of the socket's group (SO_PEERCRED, SO_PEERGROUPS); others are hung
 * up on.  One line one JSON object, {"op": NAME, ...}; the answer is one line,
 * {"error": word, "text": text} when it fails.  No request holds a path or is
 * ever opened, run or passed on; names in it are data to look up.  What is to
 * be read comes as a descriptor (SCM_RIGHTS) with the line's bytes.
 *
 * Bounds: CONTROL_CLIENTS clients at once, the others wait in the queue; a
 * request of CONTROL_LINE bytes and one descriptor, whole within ten seconds; an
 * answer of CONTROL_ANSWER, taken within as long.  A client is answered one
 * request after the other.
 *
 * sealroom-control(7) has all requests and their answers: who changes one
 * changes that page.
 */
#ifndef SEALROOM_CONTROL_H
#define SEALROOM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"

#define CONTROL_CLIENTS 64
#define CONTROL_LINE (64u * 1024)
#define CONTROL_ANSWER (4u * 1024 * 1024)
#define CONTROL_IDLE_MS 10000
#define CONTROL_GROUPS 256 /* of a client, that are looked at */

struct control; /* opaque: control.c */

/* One request, valid while its handler runs. */
struct control_call {
	const json_t *request;
	uid_t uid;    /* who asks */
	int fd;       /* what came with it, -1: nothing; take_fd() keeps it */
	uint64_t id;  /* for control_answer() */
	bool later;   /* set by the handler, which then returns NULL */
};

/* Returns a new object, or NULL with *e set, or NULL with call->later. */
typedef json_t *control_fn(void *ctx, struct control_call *call, struct err *e);

#define CONTROL_OPERATES 1u /* changes something: not for those who may only look */
#define CONTROL_FD 2u       /* a descriptor must come with it; else none may */

struct control_op {
	const char *op; /* NULL ends the table */
	control_fn *fn;
	unsigned flags;
};

struct control_opts {
	const struct control_op *ops;
	void *ctx;
	/* May this user, with these groups, do what changes something? NULL: all who are served. */
	bool (*operates)(void *ctx, uid_t uid, const gid_t *groups, size_t ngroups);
};

int control_open(struct control **ret, struct loop *, const char *path, const struct control_opts *, struct err *);
/* Takes answer over; NULL: e is the refusal. Who asked may have gone; then this does nothing. NULL is fine. */
void control_answer(struct control *, uint64_t id, json_t *answer, const struct err *e);
bool control_waits(const struct control *, uint64_t id); /* who asked is still there for an answer */
void control_close(struct control *); /* removes the socket; NULL is fine */

/*
 * Asks and waits (at most 10 s, or ms).  The daemon's own refusal comes back as
 * *e with its code.  -ERR_PEER: nobody listens there (errno ENOENT or
 * ECONNREFUSED), or the answer made no sense.
 */
int control_ask(const char *path, json_t *request, json_t **ret_answer, struct err *e);
/* fd stays the caller's; -1: none. */
int control_ask_fd(const char *path, json_t *request, int fd, uint64_t ms, json_t **ret_answer, struct err *e);

#endif
