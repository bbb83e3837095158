/*
 * control.h - the socket by which `sealroom` talks to a running sealroomd.
 *
 *	control_open(&c, loop, path, ops, ctx, &e)   daemon; removes a dead socket
 *	control_close(c)
 *	control_ask(path, request, &answer, &e)      command; takes the request over
 *
 * A Unix stream socket, mode 0660.  Served are root, the daemon's own user and
 * members of the socket's group (SO_PEERCRED, SO_PEERGROUPS); others are hung
 * up on.  One line one JSON object, {"op": NAME, ...}; the answer is one line,
 * {"error": word, "text": text} when it fails.  No request holds a path or is
 * ever opened, run or passed on; names in it are data to look up.
 *
 * Bounds: CONTROL_CLIENTS clients, a request of CONTROL_LINE bytes, an answer
 * of CONTROL_ANSWER, ten idle seconds.  One request is answered at a time.
 *
 * Requests and their answers (what is not known is left out):
 *
 *	{"op": "status"}
 *	  {"version", "build", "pid", "started": ISO time, "state": "running" | "stopping" | "stopped", "why",
 *	   "folders": watch_json(), "paused": "" | reason for not claiming,
 *	   "jobs": [{"id", "state": spool_state_name(), "folder", "name": for people, "received": ISO time,
 *	             "step": what it does or waits for, "done": n, "of": n, "why": err_word, "text"}],
 *	   "tokens": [{"name", "ready", "stopped", "why", "text", "serial", "label", "subject",
 *	               "not_after": ISO time, "signatures", "restarts"}],
 *	   "peers": [{"role", "ready", "why", "text", "restarts"}],
 *	   "log": {"origin", "size", "root": hex, "checkpoint": size of the last signed one},
 *	   "space": {"spool": bytes free, "archive": bytes free, "floor": bytes}}
 *	{"op": "release", "job": id or >= 8 leading characters, one of:
 *	  "rule": NAME | "at": {"page": n from 1, "x_mpt", "y_mpt"} | "again": true | "reject": text}
 *	  {"job": id, "state": name}
 *	{"op": "token-cleared", "token": NAME}       the mark was emptied: start that token anew
 *	  {"token": NAME}
 */
#ifndef SEALROOM_CONTROL_H
#define SEALROOM_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"

#define CONTROL_CLIENTS 16
#define CONTROL_LINE (64u * 1024)
#define CONTROL_ANSWER (4u * 1024 * 1024)
#define CONTROL_IDLE_MS 10000

struct control; /* opaque: control.c */

/* Returns a new object, or NULL with *e set.  uid: who asks. */
typedef json_t *control_fn(void *ctx, const json_t *request, uid_t uid, struct err *e);

struct control_op {
	const char *op; /* NULL ends the table */
	control_fn *fn;
};

int control_open(struct control **ret, struct loop *, const char *path, const struct control_op *, void *ctx,
    struct err *);
void control_close(struct control *); /* removes the socket; NULL is fine */

/*
 * Asks and waits (at most 10 s).  The daemon's own refusal comes back as *e with
 * its code.  -ERR_PEER: nobody listens there (errno ENOENT or ECONNREFUSED), or
 * the answer made no sense.
 */
int control_ask(const char *path, json_t *request, json_t **ret_answer, struct err *e);

#endif
