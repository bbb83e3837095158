/* Asking a TSA: the request, every way a server can fail, TLS, and the confined program itself. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "rules/conf.h"
#include "seal/fetch/http.h"
#include "seal/fetch/request.h"
#include "tests/unit/test.h"
#include "tests/unit/zygote.h"

extern char **environ;

static char dir[] = "/tmp/t_fetch.XXXXXX";
static char base_url[64], tls_url[64];
static pid_t server_pid;

#define HEAD(type) "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\n"
#define STAMP_TYPE "application/timestamp-reply"

/* path -> what the server sends; after it, it hangs up */
static const struct page {
	const char *path, *answer;
	size_t len; /* 0: strlen */
} pages[] = {
	{ "/good", HEAD(STAMP_TYPE) "Content-Length: 5\r\n\r\n\x30\x03\x02\x01\x07", sizeof(HEAD(STAMP_TYPE)) - 1 + 26 },
	{ "/nolength", HEAD(STAMP_TYPE) "\r\n\x30\x03\x02\x01\x07", 0 },
	{ "/query?a=b", HEAD(STAMP_TYPE) "\r\n\x30\x03\x02\x01\x08", 0 },
	{ "/drop", "", 0 },
	{ "/halfline", "HTTP/1.1 20", 0 },
	{ "/500", "HTTP/1.1 500 Broken\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno", 0 },
	{ "/503", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 0 },
	{ "/403", "HTTP/1.1 403 Pay first\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno", 0 },
	{ "/302", "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n", 0 },
	{ "/html", HEAD("text/html") "Content-Length: 6\r\n\r\n<html>", 0 },
	{ "/notype", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\x30\x03\x02\x01\x07", 0 },
	{ "/garbage", HEAD(STAMP_TYPE) "Content-Length: 6\r\n\r\nabcdef", 0 },
	{ "/cut", HEAD(STAMP_TYPE) "Content-Length: 200\r\n\r\n\x30\x81\xC5\x02\x01\x07", 0 },
	{ "/huge", HEAD(STAMP_TYPE) "Content-Length: 99999999\r\n\r\n\x30\x84\x05\xF5\xE0\xF9", 0 },
	{ "/lie", HEAD(STAMP_TYPE) "Content-Length: 5\r\n\r\n\x30\x84\x7F\xFF\xFF\xFF", 0 },
	{ "/ssh", "SSH-2.0-OpenSSH_9.2\r\n", 0 },
};

static int
listen_local(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		exit(99);
	*port = ntohs(a.sin_port);
	return fd;
}

static void
serve(int fd, SSL_CTX *tls)
{
	char got[4096], want[64];
	int c = accept(fd, NULL, NULL);
	SSL *ssl = tls == NULL ? NULL : SSL_new(tls);
	int n;

	if (c < 0)
		_exit(1);
	if (ssl != NULL && (!SSL_set_fd(ssl, c) || SSL_accept(ssl) != 1)) {
		close(c);
		SSL_free(ssl);
		return;
	}
	/* to the end of the body: closing with bytes unread would reset the connection */
	for (size_t have = 0; have < sizeof(got) - 1;) {
		const char *length, *end;

		n = ssl != NULL ? SSL_read(ssl, got + have, (int)(sizeof(got) - 1 - have)) :
		                  (int)recv(c, got + have, sizeof(got) - 1 - have, 0);
		have += n > 0 ? (size_t)n : 0;
		got[have] = '\0';
		length = strcasestr(got, "content-length: ");
		end = strstr(got, "\r\n\r\n");
		if (n <= 0 || (length && end && have >= (size_t)(end + 4 - got) + strtoul(length + 16, NULL, 10)))
			break;
	}
	if (strstr(got, "POST /slow ") != NULL)
		usleep(1300000);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		size_t len = pages[i].len != 0 ? pages[i].len : strlen(pages[i].answer);

		snprintf(want, sizeof(want), "POST %s HTTP/1.", pages[i].path);
		if (strncmp(got, want, strlen(want)) != 0)
			continue;
		if (ssl != NULL)
			SSL_write(ssl, pages[i].answer, (int)len);
		else
			send(c, pages[i].answer, len, MSG_NOSIGNAL);
	}
	if (ssl != NULL)
		SSL_shutdown(ssl);
	SSL_free(ssl);
	close(c);
}

/* Runs a command; true on exit status 0. out: its stdout goes there. */
static bool
run(const char *out, const char *const argv[])
{
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status = -1;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ) == 0)
		waitpid(pid, &status, 0);
	posix_spawn_file_actions_destroy(&files);
	return status == 0;
}

/* A plain and a TLS server, in one process, one connection at a time. */
static void
start_server(void)
{
	int port, tls_port, plain = listen_local(&port), secure = listen_local(&tls_port);
	char key[100], cert[100];

	snprintf(key, sizeof(key), "%s/key", dir);
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	if (!run("/dev/null", (const char *const[]){ "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
	        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1",
	        "-keyout", key, "-out", cert, NULL }))
		exit(99);
	snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", port);
	snprintf(tls_url, sizeof(tls_url), "https://127.0.0.1:%d", tls_port);
	fflush(stdout);
	if ((server_pid = fork()) == 0) {
		SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
		struct pollfd p[2] = { { plain, POLLIN, 0 }, { secure, POLLIN, 0 } };

		signal(SIGPIPE, SIG_IGN);
		if (!SSL_CTX_use_certificate_file(tls, cert, SSL_FILETYPE_PEM) ||
		    !SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM))
			_exit(1);
		while (getppid() != 1 && poll(p, 2, 1000) >= 0) {
			if (p[0].revents)
				serve(plain, NULL);
			if (p[1].revents)
				serve(secure, tls);
		}
		_exit(0);
	}
	close(plain);
	close(secure);
}

static int
post(const char *url, uint64_t timeout_ms, struct buf *answer, struct err *e)
{
	const struct http_post req = { .url = url, .type = "application/timestamp-query", .body = (const uint8_t *)"0",
		.len = 1, .expect = STAMP_TYPE, .timeout_ms = timeout_ms };

	buf_clear(answer);
	memset(e, 0, sizeof(*e));
	return http_post(&req, answer, e);
}

static const struct {
	const char *path;
	int code;
	const char *says;
} cases[] = {
	{ "/good", 0, NULL },
	{ "/nolength", 0, NULL },
	{ "/query?a=b", 0, NULL },
	{ "/drop", -ERR_TSA_DOWN, "the connection ended without an answer" },
	{ "/halfline", -ERR_TSA_DOWN, "the connection ended without an answer" },
	{ "/500", -ERR_TSA_DOWN, "HTTP status 500" },
	{ "/503", -ERR_TSA_DOWN, "HTTP status 503" },
	{ "/403", -ERR_TSA_ANSWER, "HTTP status 403" },
	{ "/302", -ERR_TSA_ANSWER, "redirection not enabled" },
	{ "/html", -ERR_TSA_ANSWER, "a login page in between? (expected=application/timestamp-reply, actual=text/html)" },
	{ "/notype", -ERR_TSA_ANSWER, "missing content type" },
	{ "/garbage", -ERR_TSA_ANSWER, "missing asn1 encoding" },
	{ "/cut", -ERR_TSA_DOWN, "the connection ended without an answer" },
	{ "/huge", -ERR_TSA_ANSWER, "max resp len exceeded" },
	{ "/lie", -ERR_TSA_ANSWER, "" },
	{ "/ssh", -ERR_TSA_ANSWER, "" },
	{ "/slow", -ERR_TSA_DOWN, "no answer within 1 s" },
};

static void
test_answers(void)
{
	AUTO_BUF answer;
	struct err e;
	char url[128];

	buf_init(&answer, 65536);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t t = clock_ms();
		int r;

		snprintf(url, sizeof(url), "%s%s", base_url, cases[i].path);
		r = post(url, 1000, &answer, &e);
		CHECK(r == cases[i].code && (r == 0 ? answer.len == 5 && answer.data[0] == 0x30 :
		                                      strncmp(e.text, url, strlen(url)) == 0 && strstr(e.text, cases[i].says) != NULL),
		    "%s: %s", cases[i].path, r == 0 ? "good" : e.text);
		CHECK(clock_ms() - t < 1900, "within its time (%llu ms)", (unsigned long long)(clock_ms() - t));
	}
}

static void
test_urls(void)
{
	static const struct {
		const char *url;
		int code;
		const char *says;
	} urls[] = {
		{ "http://127.0.0.1:1/", -ERR_TSA_DOWN, "http://127.0.0.1:1/: Connection refused" },
		{ "ftp://127.0.0.1/", -ERR_CONF, "ftp://127.0.0.1/: is not a URL of http or https" },
		{ "http://user:secret@127.0.0.1/", -ERR_CONF, "the URL of host 127.0.0.1 names a user" },
		{ "", -ERR_CONF, "is not a URL" },
		{ "http://127.0.0.1:70000/", -ERR_CONF, "is not a URL" },
	};
	AUTO_BUF answer;
	struct err e;

	buf_init(&answer, 65536);
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		uint64_t t = clock_ms();
		int r = post(urls[i].url, 2000, &answer, &e);

		CHECK(r == urls[i].code && strstr(e.text, urls[i].says) != NULL && strstr(e.text, "secret") == NULL &&
		        clock_ms() - t < 1000,
		    "\"%s\": %s", urls[i].url, e.text);
	}
}

static void
test_names_and_tls(void)
{
	AUTO_BUF answer;
	struct err e;
	char url[128], cert[100];

	buf_init(&answer, 65536);
	snprintf(url, sizeof(url), "http://localhost%s/good", strrchr(base_url, ':'));
	CHECK(post(url, 2000, &answer, &e) == 0, "localhost is found, and 127.0.0.1 taken where ::1 is silent: %s", e.text);
	snprintf(url, sizeof(url), "%s/good", tls_url);
	CHECK(post(url, 2000, &answer, &e) == -ERR_TSA_DOWN && strstr(e.text, "TLS: self-signed certificate") != NULL,
	    "an unknown certificate is refused: %s", e.text);
	snprintf(cert, sizeof(cert), "%s/cert", dir);
	setenv("SSL_CERT_FILE", cert, 1);
	CHECK(post(url, 2000, &answer, &e) == 0 && answer.len == 5, "a trusted one is taken: %s", e.text);
	snprintf(url, sizeof(url), "https://localhost%s/good", strrchr(tls_url, ':'));
	CHECK(post(url, 2000, &answer, &e) == -ERR_TSA_DOWN && strstr(e.text, "TLS: hostname mismatch") != NULL,
	    "not for another host: %s", e.text);
	snprintf(url, sizeof(url), "https://127.0.0.1%s/good", strrchr(base_url, ':'));
	CHECK(post(url, 400, &answer, &e) == -ERR_TSA_DOWN, "nor where no TLS is spoken: %s", e.text);
	unsetenv("SSL_CERT_FILE");
}

/* What openssl ts reads out of our request. */
static void
test_request(void)
{
	uint8_t imprint[HASH_LEN];
	char path[100], text[100], line[300], all[2000] = "";
	struct err e = { 0 };
	AUTO_BUF der;
	FILE *f;

	for (unsigned i = 0; i < HASH_LEN; i++)
		imprint[i] = (uint8_t)(0xA0 + i);
	buf_init(&der, 512);
	CHECK(request_make(imprint, 0xF122334455667788, "1.3.6.1.4.1.99999.7.1", &der, &e) == 0, "a request is made");
	snprintf(path, sizeof(path), "%s/query", dir);
	snprintf(text, sizeof(text), "%s/text", dir);
	f = fopen(path, "wb");
	fwrite(der.data, 1, der.len, f);
	fclose(f);
	CHECK(run(text, (const char *const[]){ "openssl", "ts", "-query", "-in", path, "-text", NULL }), "openssl reads it");
	f = fopen(text, "r");
	while (fgets(line, sizeof(line), f) != NULL && strlen(all) + strlen(line) < sizeof(all))
		memcpy(all + strlen(all), line, strlen(line) + 1);
	fclose(f);
	CHECK(strstr(all, "Version: 1\n") && strstr(all, "Hash Algorithm: sha256\n") &&
	        strstr(all, "a0 a1 a2 a3 a4 a5 a6 a7-a8") && strstr(all, "Policy OID: 1.3.6.1.4.1.99999.7.1\n") &&
	        strstr(all, "Nonce: 0xF122334455667788\n") && strstr(all, "Certificate required: yes\n"),
	    "SHA-256 imprint, policy, nonce and certReq are in it");
	buf_clear(&der);
	CHECK(request_make(imprint, 1, "", &der, &e) == 0 && der.len < 70, "without a policy it is shorter");
	CHECK(request_make(imprint, 1, "not.an.oid", &der, &e) == -ERR_CONF, "a policy that is no OID: %s", e.text);
}

static int
stamp(const struct proc *z, const char *tsa, int out, struct stamp_result *r, int *status, struct err *e)
{
	struct stamp_params p = { .nonce = 77 };
	AUTO_BUF params, result;
	int code;

	snprintf(p.tsa, sizeof(p.tsa), "%s", tsa);
	buf_init(&params, 1024);
	buf_init(&result, WIRE_PAYLOAD);
	stamp_params_put(&params, &p);
	code = zygote_task(z, ROLE_FETCH, TASK_STAMP, &params, -1, out, &result, status, e);
	if (code == 0 && stamp_result_get(&result, r, e) < 0)
		code = -ERR_PEER;
	return code;
}

/* The program as the core starts it, confined. */
static void
test_program(void)
{
	char text[2000];
	struct settings s = { .conf = text };
	struct stamp_result r = { 0 };
	struct err e = { 0 };
	struct proc z;
	int here = io_open_dir(AT_FDCWD, dir, &e), out = io_tmpfile(here, &e), status = -1, code;

	snprintf(text, sizeof(text),
	    "folders = { a = { path = \"%s/in\"; rules = [ \"ask\" ]; seals = [ ]; }; };\n"
	    "rules = { ask = { when = \"always\"; hold = { de = \"x\"; en = \"x\"; }; }; };\n"
	    "archive = { path = \"%s/archive\"; }; trust = \"%s/x.pem\"; state = \"%s/state\";\n"
	    "evidence = { origin = \"test.example/a\"; anchor = \"%s/anchor\"; key = \"%s/key\"; };\n"
	    "tsa = { second = { url = [ \"%s/drop\", \"http://localhost%s/good\" ]; trust = \"%s/x.pem\"; timeout = \"2s\"; };\n"
	    "        none = { url = [ \"%s/html\" ]; trust = \"%s/x.pem\"; timeout = \"1s\"; };\n"
	    "        tls = { url = [ \"%s/good\" ]; trust = \"%s/x.pem\"; timeout = \"1s\"; }; };\n",
	    dir, dir, dir, dir, dir, dir, base_url, strrchr(base_url, ':'), dir, base_url, dir, tls_url, dir);
	if (!CHECK(zygote_start("sealroom-fetch", ROLE_FETCH, &s, &z, &e), "sealroom-fetch gets ready: %s", e.text))
		return;
	code = stamp(&z, "second", out, &r, &status, &e);
	CHECK(code == 0 && r.url == 1 && r.len == 5 && status == 0,
	    "the second URL answers where the first is broken: %s (status %d)", code == 0 ? "" : e.text, status);
	code = stamp(&z, "none", out, &r, &status, &e);
	CHECK(code == -ERR_TSA_ANSWER, "a web page is no answer: %s (status %d)", e.text, status);
	code = stamp(&z, "tls", out, &r, &status, &e);
	CHECK(code == -ERR_TSA_DOWN && strstr(e.text, "TLS: self-signed") != NULL,
	    "the CAs can be read and this is none: %s (status %d)", e.text, status);
	code = stamp(&z, "other", out, &r, &status, &e);
	CHECK(code == -ERR_PEER, "a TSA that is not in the settings: %s (status %d)", e.text, status);
	CHECK(zygote_stop(&z) == 0, "it ends when the core hangs up");
	close(out);
	close(here);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(dir) == NULL)
		return 99;
	start_server();
	test_request();
	test_answers();
	test_urls();
	test_names_and_tls();
	test_program();
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
	run("/dev/null", (const char *const[]){ "rm", "-rf", dir, NULL });
	return TEST_DONE();
}
