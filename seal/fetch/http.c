#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <nss.h>
#include <openssl/err.h>
#include <openssl/http.h>
#include <openssl/httperr.h>
#include <openssl/bioerr.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/fetch/http.h"

#define LINE_MAX_BYTES 4096

struct target {
	int tls;
	char *user, *host, *port, *path, *query, *fragment;
	char shown[96]; /* the URL, for people */
};

struct exchange {
	const struct http_post *req;
	struct target at;
	uint64_t deadline; /* clock_ms() */
};

static int
left_ms(const struct exchange *x)
{
	uint64_t now = clock_ms();

	return now >= x->deadline ? 0 : (int)(x->deadline - now);
}

static int
down(const struct exchange *x, const char *why, struct err *e)
{
	return err_set(e, ERR_TSA_DOWN, "%s: %s", x->at.shown, why);
}

static int
late(const struct exchange *x, const char *what, struct err *e)
{
	return err_set(e, ERR_TSA_DOWN, "%s: %s within %llu s", x->at.shown, what,
	    (unsigned long long)((x->req->timeout_ms + 999) / 1000));
}

static int
parse_url(const char *url, struct target *t, struct err *e)
{
	path_display(url, t->shown, sizeof(t->shown));
	/* OpenSSL would take what has no scheme for http */
	if ((strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0) ||
	    !OSSL_HTTP_parse_url(url, &t->tls, &t->user, &t->host, &t->port, NULL, &t->path, &t->query,
	        &t->fragment)) {
		ERR_clear_error();
		return err_set(e, ERR_CONF, "%s: is not a URL of http or https", t->shown);
	}
	if (t->user != NULL && *t->user != '\0') /* and do not show it */
		return err_set(e, ERR_CONF, "the URL of host %.100s names a user; credentials are not supported", t->host);
	return 0;
}

static void
target_done(struct target *t)
{
	OPENSSL_free(t->user);
	OPENSSL_free(t->host);
	OPENSSL_free(t->port);
	OPENSSL_free(t->path);
	OPENSSL_free(t->query);
	OPENSSL_free(t->fragment);
}

int
http_port(const char *url, uint16_t *ret, struct err *e)
{
	struct target t = { 0 };
	int r = parse_url(url, &t, e);

	if (r == 0)
		*ret = (uint16_t)strtoul(t.port, NULL, 10); /* OpenSSL has looked that it is one */
	target_done(&t);
	return r;
}

/* One connect(); 0, or errno. */
static int
try_address(const struct addrinfo *a, int patience_ms, int *ret_fd)
{
	AUTO_FD fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int failed = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return errno;
		if (poll(&p, 1, patience_ms) <= 0)
			return ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) < 0)
			return errno;
		if (failed != 0)
			return failed;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * Only /etc/hosts and DNS: other sources are modules, and one that is loaded
 * into this process could do anything it may.  The resolver gets half of the
 * time at most.
 */
static int
look_up(const struct exchange *x, struct addrinfo **ret, struct err *e)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV };
	int r;

	if (__nss_configure_lookup("hosts", "files dns") != 0 || res_init() != 0)
		return down(x, "the resolver does not start", e);
	_res.retry = 1;
	_res.retrans = left_ms(x) / 2000 > 5 ? 5 : left_ms(x) < 4000 ? 1 : left_ms(x) / 2000;
	r = getaddrinfo(x->at.host, x->at.port, &hints, ret);
	if (r != 0)
		return err_set(e, ERR_TSA_DOWN, "%s: host name: %s", x->at.shown, gai_strerror(r));
	return 0;
}

static int
connect_host(const struct exchange *x, int *ret_fd, struct err *e)
{
	struct addrinfo *list, *a;
	int r, n = 0, failed = ENETUNREACH;

	if ((r = look_up(x, &list, e)) < 0)
		return r;
	for (a = list; a != NULL; a = a->ai_next)
		n++;
	/* each address has its share, so that one that swallows packets leaves time for the next */
	for (a = list; a != NULL && n > 0 && left_ms(x) > 0; a = a->ai_next, n--)
		if ((failed = try_address(a, left_ms(x) / n, ret_fd)) == 0)
			break;
	freeaddrinfo(list);
	if (failed == ETIMEDOUT)
		return late(x, "no connection", e);
	return failed == 0 ? 0 : err_set(e, ERR_TSA_DOWN, "%s: %s", x->at.shown, strerror(failed));
}

static int
tls_failed(const struct exchange *x, SSL *ssl, struct err *e)
{
	long verify = SSL_get_verify_result(ssl);
	const char *why = verify != X509_V_OK ? X509_verify_cert_error_string(verify) :
	                                        ERR_reason_error_string(ERR_peek_last_error());

	err_set(e, ERR_TSA_DOWN, "%s: TLS: %s", x->at.shown, why == NULL ? "the server hung up" : why);
	ERR_clear_error();
	return -(int)e->code;
}

/* Shakes hands on a socket that does not block. */
static int
handshake(const struct exchange *x, SSL *ssl, int fd, struct err *e)
{
	struct pollfd p = { .fd = fd };

	for (;;) {
		int r = SSL_connect(ssl), want = SSL_get_error(ssl, r);

		if (r == 1)
			return 0;
		if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
			return tls_failed(x, ssl, e);
		p.events = want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		if (poll(&p, 1, left_ms(x)) <= 0)
			return late(x, "no TLS handshake", e);
	}
}

static int
host_expected(SSL *ssl, const char *host)
{
	struct in6_addr address;

	if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

/* TLS over a connected socket; *ret owns the SSL, not the descriptor. */
static int
start_tls(const struct exchange *x, int fd, BIO **ret, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;
	BIO *b = NULL;
	int r = 0;

	if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_default_verify_paths(ctx) || (ssl = SSL_new(ctx)) == NULL || !SSL_set_fd(ssl, fd) ||
	    !host_expected(ssl, x->at.host) || (b = BIO_new(BIO_f_ssl())) == NULL) {
		ERR_clear_error();
		r = down(x, "TLS does not start", e);
	} else {
		SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
		r = handshake(x, ssl, fd, e);
	}
	if (r == 0) {
		BIO_set_ssl(b, ssl, BIO_CLOSE);
		*ret = b;
		ssl = NULL;
		b = NULL;
	}
	BIO_free(b);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return r;
}

/* "code=503, reason=Busy" of the HTTP client's error: the code, or 0. */
static unsigned
status_of(const char *data)
{
	unsigned code = 0;

	return data != NULL && sscanf(data, "code=%3u", &code) == 1 ? code : 0;
}

/* The connection, not what came over it. */
static bool
broken(int reason)
{
	return reason == HTTP_R_FAILED_READING_DATA || reason == HTTP_R_ERROR_RECEIVING || reason == HTTP_R_ERROR_SENDING ||
	    reason == HTTP_R_SERVER_CANCELED_CONNECTION || reason == HTTP_R_RETRY_TIMEOUT;
}

/* What the HTTP client saw first, in words. */
static int
explain(const struct exchange *x, struct err *e)
{
	const char *data = NULL, *reason;
	char shown[100];
	int flags = 0;
	unsigned long code = ERR_peek_error_all(NULL, NULL, NULL, &data, &flags);
	unsigned status = status_of(flags & ERR_TXT_STRING ? data : NULL);

	path_display(data != NULL && flags & ERR_TXT_STRING ? data : "", shown, sizeof(shown));
	reason = ERR_reason_error_string(code);
	if (left_ms(x) == 0)
		late(x, "no answer", e);
	else if (code == 0 || (ERR_GET_LIB(code) == ERR_LIB_HTTP && broken(ERR_GET_REASON(code))))
		down(x, "the connection ended without an answer", e);
	else if (ERR_GET_LIB(code) != ERR_LIB_HTTP)
		down(x, reason != NULL ? reason : "connection failed", e);
	else if (status >= 500)
		err_set(e, ERR_TSA_DOWN, "%s: HTTP status %u", x->at.shown, status);
	else if (status != 0)
		err_set(e, ERR_TSA_ANSWER, "%s: HTTP status %u", x->at.shown, status);
	else if (ERR_GET_REASON(code) == HTTP_R_UNEXPECTED_CONTENT_TYPE)
		err_set(e, ERR_TSA_ANSWER, "%s: no time stamp but something else; a login page in between? (%s)", x->at.shown,
		    shown);
	else
		err_set(e, ERR_TSA_ANSWER, "%s: %s", x->at.shown, reason != NULL ? reason : "unreadable answer");
	ERR_clear_error();
	return -(int)e->code;
}

static int
take_answer(const struct exchange *x, BIO *from, struct buf *answer, struct err *e)
{
	uint8_t part[4096];
	int n;

	while ((n = BIO_read(from, part, sizeof(part))) > 0)
		buf_put(answer, part, (size_t)n);
	ERR_clear_error();
	return buf_ok(answer) && answer->len > 0 ? 0 : err_set(e, ERR_TSA_ANSWER, "%s: an answer of no use", x->at.shown);
}

static int
exchange(const struct exchange *x, BIO *conn, struct buf *answer, struct err *e)
{
	const struct http_post *req = x->req;
	BIO *body = BIO_new_mem_buf(req->body, (int)req->len), *got = NULL;
	char path[1024];
	const char *query = x->at.query != NULL ? x->at.query : "";
	int r, n = snprintf(path, sizeof(path), "%s%s%s", x->at.path, *query != '\0' ? "?" : "", query);

	if (body == NULL || n >= (int)sizeof(path)) {
		r = err_set(e, ERR_CONF, "%s: the URL is too long", x->at.shown);
	} else {
		ERR_clear_error();
		got = OSSL_HTTP_transfer(NULL, x->at.host, x->at.port, path, 0, NULL, NULL, conn, conn, NULL, NULL,
		    LINE_MAX_BYTES, NULL, req->type, body, req->expect, 1, answer->max, (left_ms(x) + 999) / 1000, 0);
		r = got == NULL ? explain(x, e) : take_answer(x, got, answer, e);
	}
	BIO_free(got);
	BIO_free(body);
	return r;
}

int
http_post(const struct http_post *req, struct buf *answer, struct err *e)
{
	struct exchange x = { .req = req, .deadline = clock_ms() + req->timeout_ms };
	AUTO_FD fd = -1;
	BIO *conn = NULL;
	int r;

	if ((r = parse_url(req->url, &x.at, e)) == 0 && (r = connect_host(&x, &fd, e)) == 0) {
		if (x.at.tls)
			r = start_tls(&x, fd, &conn, e);
		else if ((conn = BIO_new_socket(fd, BIO_NOCLOSE)) == NULL)
			r = down(&x, "out of memory", e);
		if (r == 0)
			r = exchange(&x, conn, answer, e);
	}
	BIO_free_all(conn);
	target_done(&x.at);
	return r;
}
