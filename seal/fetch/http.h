/*
 * http.h - one POST over http or https, within one deadline.
 *
 *	http_post(&req, &answer, &e)
 *
 * No proxy, no redirect, no credentials in the URL, no keep-alive.  https
 * wants TLS 1.2 and a certificate for that host from the system's CAs.  Names
 * are looked up in /etc/hosts and by DNS, never by modules.
 *
 * Every failure names the URL.  ERR_TSA_DOWN: nobody there, a broken
 * connection, or a server in trouble (5xx).  ERR_TSA_ANSWER: somebody
 * answered, but not what was asked for: another status, another type, a page.
 */
#ifndef SEALROOM_HTTP_H
#define SEALROOM_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/err.h"

struct http_post {
	const char *url;
	const char *type;    /* of the body */
	const uint8_t *body;
	size_t len;
	const char *expect;  /* content type of a good answer, which must be one DER element */
	uint64_t timeout_ms; /* for all of it */
};

/* answer: initialised by the caller; its maximum is the largest answer taken. */
int http_post(const struct http_post *, struct buf *answer, struct err *);
/* The TCP port that a URL of the settings is asked at. */
int http_port(const char *url, uint16_t *ret, struct err *);

#endif
