/*
 * peers.h - where sealroom-seal and sealroom-fetch come to when they are units of their own.
 *
 *	peers_open(&p, loop, conf, on_peer, ctx, &e)   listens at peers.socket
 *	peers_close(p)
 *
 * Who may be what: the kernel says which user a caller is (SO_PEERCRED), the
 * settings which user holds the tokens' keys, which the log's, and which has the
 * network, HELLO what it claims to be.  All three must agree.  A caller of any other user is hung up
 * on before a byte of it is read; one that does not say HELLO within five
 * seconds, too, and at most PEERS_CALLERS are listened to at once.
 */
#ifndef SEALROOM_PEERS_H
#define SEALROOM_PEERS_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/lib/err.h"
#include "agent/lib/loop.h"
#include "agent/lib/msgs.h"
#include "rules/conf.h"

#define PEERS_CALLERS 128 /* all tokens after a restart of the core come at once */

struct peers; /* opaque: peers.c */

struct peer_hello {
	enum role role;
	const char *build, *name; /* valid during the callback */
	pid_t pid;
};
/* The descriptor is the callee's from here. */
typedef void peers_cb(void *ctx, int sock, const struct peer_hello *);

int peers_open(struct peers **ret, struct loop *, const struct conf *, peers_cb *, void *ctx, struct err *);
void peers_close(struct peers *); /* removes the socket; NULL is fine */

/* A user by name or number. */
int peers_user(const char *text, uid_t *ret, struct err *);

#endif
