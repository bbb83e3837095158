/*
 * sealroom-seal - holds one key: that of a PKCS#11 token, or of the evidence log.
 *
 * One process a token, started by exec, never forked again once the module is
 * loaded.  It takes all it needs (settings, PIN, module, login), gives up what
 * it can, proves with a test signature that it can still sign, says READY, and
 * from then on answers a table of three messages.  sealroom-seal(8).
 */
#include <getopt.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/id.h"
#include "agent/lib/io.h"
#include "agent/lib/log.h"
#include "agent/lib/proc.h"
#include "agent/lib/taskmsg.h"
#include "agent/lib/unit.h"
#include "agent/lib/wire.h"
#include "rules/conf.h"
#include "seal/anchor.h"
#include "seal/cert.h"
#include "seal/cms.h"
#include "seal/pin.h"
#include "seal/sandbox.h"
#include "seal/softkey.h"
#include "seal/token.h"

#define RECENT_MAX 1024
#define ECDSA_SPREAD 8   /* ECDSA-Sig-Value differs by a few bytes each time */
#define FAULTS_IN_A_ROW 2

/* Digests signed for a (job, attempt): nobody gets two of them (threat T9). */
struct recent {
	char job[ID_MAX];
	uint32_t attempt;
	uint8_t digest[HASH_LEN];
};

struct seal {
	const char *conf_path;
	const char *socket;     /* where the core listens; NULL: it has spawned us */
	const char *token_name; /* NULL: the log's key */
	uint32_t flags;         /* SETTINGS_* */
	int mark_fd;
	int pin_fd;             /* -1: none came */
	struct conf *conf;
	struct token *token;
	struct softkey *key;
	struct anchor anchor;
	struct ready_seal facts;
	unsigned faults;
	struct recent recent[RECENT_MAX];
	size_t nrecent; /* ever put; the ring starts over */
};

/* --- talking ---------------------------------------------------------------------------- */

static int
send_hello(const struct seal *s, struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, ROLE_SEAL);
	buf_put_str(&b, build_id);
	buf_put_str(&b, s->token_name == NULL ? "" : s->token_name);
	return wire_send(WIRE_FD, MSG_HELLO, 0, &b, NULL, 0, e);
}

/* The last words; they may find nobody.  why->page: MSG_UNASKED, or 0. */
static void
send_fail(const struct err *why)
{
	struct err e;
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, (uint32_t)why->code);
	buf_put_u32(&b, why->page);
	buf_put_str(&b, why->text);
	if (wire_send(WIRE_FD, MSG_FAIL, 0, &b, NULL, 0, &e) < 0)
		log_err(LOG_WARNING, "telling the core", &e);
}

static int
send_refused(uint32_t seq, uint32_t ticket, const struct err *why, struct err *e)
{
	AUTO_BUF b = { 0 };

	log_err(LOG_WARNING, "refused", why);
	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, ticket);
	buf_put_u32(&b, (uint32_t)why->code);
	buf_put_u32(&b, why->page);
	buf_put_str(&b, why->text);
	return wire_send(WIRE_FD, MSG_REFUSED, seq, &b, NULL, 0, e);
}

static int
send_facts(const struct seal *s, enum msg_type type, uint32_t seq, struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	ready_seal_put(&b, &s->facts);
	return wire_send(WIRE_FD, type, seq, &b, NULL, 0, e);
}

/* The mark's descriptor comes from the core; the settings we read ourselves, from root's file. */
static int
recv_settings(struct seal *s, struct err *e)
{
	struct stat st;
	int r;
	AUTO_MSG m = { 0 };

	if ((r = unit_wait(WIRE_FD, e)) < 0)
		return r;
	if ((r = wire_recv(WIRE_FD, ROLE_CORE, ROLE_SEAL, 0, &m, e)) <= 0)
		return r < 0 ? r : err_set(e, ERR_PEER, "the core went away before SETTINGS");
	s->flags = buf_get_u32(&m.payload);
	if (m.type != MSG_SETTINGS || !buf_finished(&m.payload))
		return err_set(e, ERR_PEER, "%s in the place of SETTINGS", wire_name(m.type));
	if (s->token_name == NULL || (m.nfds == 1 && (s->flags & SETTINGS_NO_LOGIN)))
		return 0; /* who only looks around leaves no mark */
	if (s->flags & SETTINGS_PIN) {
		if (m.nfds != 3 || fstat(m.fd[2], &st) < 0 || !S_ISFIFO(st.st_mode))
			return err_set(e, ERR_PEER, "SETTINGS without the pipe for the PIN");
		s->pin_fd = take_fd(&m.fd[2]);
	}
	if (m.nfds < 2 || (m.nfds == 3 && s->pin_fd < 0) || fstat(m.fd[1], &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_PEER, "SETTINGS without the file for the PIN mark");
	s->mark_fd = take_fd(&m.fd[1]);
	return 0;
}

/* --- a token's key ---------------------------------------------------------------------- */

static int
sign_by_token(void *ctx, const uint8_t digest[HASH_LEN], uint8_t sig[CMS_SIG_MAX], size_t *ret_len, struct err *e)
{
	return token_sign(ctx, digest, sig, ret_len, e);
}

/*
 * A whole CMS over a random digest: key and certificate belong together, the
 * confinement leaves the module what it needs, and this is how long they are.
 */
static int
self_test(struct seal *s, struct err *e)
{
	uint8_t digest[HASH_LEN], imprint[HASH_LEN];
	int r;
	AUTO_BUF cms = { 0 };

	buf_init(&cms, WIRE_PAYLOAD);
	if (RAND_bytes(digest, HASH_LEN) != 1)
		return err_set(e, ERR_IO, "no random numbers");
	r = cms_sign(token_cert(s->token), token_chain(s->token), digest, sign_by_token, s->token, &cms, imprint, e);
	if (r == -ERR_SIG)
		return err_set(e, ERR_CERT,
		    "token '%s': a test signature does not fit the certificate: wrong certificate, or a broken token",
		    token_label(s->token));
	if (r < 0)
		return r;
	s->facts.cms_max = (uint32_t)cms.len + ECDSA_SPREAD;
	return 0;
}

static int
get_pin(struct seal *s, const struct conf_token *c, struct pin *pin, struct err *e)
{
	int r;

	if (strcmp(c->pin, CONF_PIN_LOGIN) != 0)
		return pin_read(pin, c->pin, e);
	if (s->pin_fd < 0)
		return err_set(e, ERR_PIN_SOURCE, "no PIN was given; sealroom token login %s", c->name);
	r = pin_read_pipe(pin, s->pin_fd, e);
	io_close(&s->pin_fd);
	return r;
}

/* What needs the PIN: read as late as can be, gone when this returns (but see token.h). */
static int
log_in(struct seal *s, const struct conf_token *c, struct err *e)
{
	struct pin pin = { 0 };
	int r;

	if (token_wants_pin(s->token) && (r = get_pin(s, c, &pin, e)) < 0)
		return r;
	if ((r = token_login(s->token, &pin, s->mark_fd, e)) < 0)
		return r;
	s->facts.logged_in = 1;
	return 0;
}

static void
token_facts(struct seal *s)
{
	snprintf(s->facts.token_serial, sizeof(s->facts.token_serial), "%s", token_serial(s->token));
	snprintf(s->facts.token_label, sizeof(s->facts.token_label), "%s", token_label(s->token));
	cert_facts(token_cert(s->token), &s->facts);
	if (s->flags & SETTINGS_NO_LOGIN)
		s->facts.odd = cert_odd(token_cert(s->token), token_chain(s->token), s->conf->trust);
}

static int
setup_token(struct seal *s, struct err *e)
{
	const struct conf_token *c = conf_token(s->conf, s->token_name);
	const bool login = !(s->flags & SETTINGS_NO_LOGIN);
	bool permit;
	int r;

	if (c == NULL)
		return err_set(e, ERR_CONF, "there is no token '%s' in %s", s->token_name, s->conf_path);
#ifdef SEALROOM_SANITIZE
	if (!sandbox_is_softhsm(c->module))
		return err_set(e, ERR_CONF, "a build with sanitizers is not confined and takes no module but SoftHSM");
#endif
	if (login && (r = pin_mark_check(s->mark_fd, &permit, e)) < 0)
		return r;
	if ((r = token_open(&s->token, c, e)) < 0)
		return r;
	if (login && (r = log_in(s, c, e)) < 0)
		return r;
	token_facts(s);
	if (s->socket == NULL)
		proc_die_with_parent();
	if ((r = proc_drop_caps(e)) < 0 || (r = sandbox_token(c, token_every_time(s->token), e)) < 0)
		return r;
	return login ? self_test(s, e) : 0;
}

/* --- the log's key ---------------------------------------------------------------------- */

static void
log_facts(struct seal *s)
{
	if (s->key != NULL) {
		s->facts.key_type = SEAL_KEY_ED25519;
		s->facts.key_bits = 256;
		s->facts.logged_in = !(s->flags & SETTINGS_NO_LOGIN);
		softkey_vkey(s->key, s->facts.vkey);
	}
	s->facts.log_has_record = s->anchor.has;
	s->facts.log_size = s->anchor.size;
	memcpy(s->facts.log_root, s->anchor.root, HASH_LEN);
	memcpy(s->facts.log_note, s->anchor.note, sizeof(s->facts.log_note));
	memcpy(s->facts.log_resume, s->anchor.resume, sizeof(s->facts.log_resume));
}

static int
setup_log(struct seal *s, struct err *e)
{
	const bool hold = !(s->flags & SETTINGS_NO_LOGIN), empty = s->flags & SETTINGS_LOG_EMPTY;
	const char *path = s->conf->evidence.key;
	int r;

	if ((r = anchor_open(&s->anchor, s->conf->evidence.anchor, hold, e)) < 0)
		return r;
	/* before the first start a look finds neither key nor record, which is well */
	if (hold || !empty || s->anchor.has || access(path, F_OK) == 0) {
		r = softkey_open(&s->key, path, s->conf->evidence.origin, hold && empty && !s->anchor.has, e);
		if (r < 0 || (r = anchor_check(&s->anchor, s->key, e)) < 0)
			return r;
	}
	log_facts(s);
	if ((r = proc_drop_caps(e)) < 0)
		return r;
	return sandbox_log(hold ? s->conf->evidence.anchor : NULL, e);
}

/* --- answering -------------------------------------------------------------------------- */

static struct recent *
recent_find(struct seal *s, const char *job, uint32_t attempt)
{
	for (size_t i = 0; i < s->nrecent && i < RECENT_MAX; i++)
		if (s->recent[i].attempt == attempt && strcmp(s->recent[i].job, job) == 0)
			return &s->recent[i];
	return NULL;
}

/* The token was asked to sign this for that attempt: nothing else may be signed for it. */
static void
remember(struct seal *s, const char *job, uint32_t attempt, const uint8_t digest[HASH_LEN])
{
	struct recent *r;

	if (recent_find(s, job, attempt) != NULL)
		return;
	r = &s->recent[s->nrecent++ % RECENT_MAX];
	snprintf(r->job, sizeof(r->job), "%s", job);
	r->attempt = attempt;
	memcpy(r->digest, digest, HASH_LEN);
}

static int
send_signed(const struct wire_msg *m, uint32_t ticket, const struct buf *cms, const uint8_t imprint[HASH_LEN],
    struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	buf_put_u32(&b, ticket);
	buf_put_blob(&b, cms->data, cms->len);
	buf_put(&b, imprint, HASH_LEN);
	return wire_send(WIRE_FD, MSG_SIGNED, m->seq, &b, NULL, 0, e);
}

static int
on_sign(struct seal *s, struct wire_msg *m, struct err *e)
{
	uint8_t digest[HASH_LEN], imprint[HASH_LEN];
	uint32_t ticket = buf_get_u32(&m->payload), attempt;
	uint64_t asked;
	char job[ID_MAX];
	const struct recent *known;
	struct err why = { 0 };
	int r;
	AUTO_BUF cms = { 0 };

	buf_get_str(&m->payload, job, sizeof(job));
	attempt = buf_get_u32(&m->payload);
	buf_get(&m->payload, digest, HASH_LEN);
	if (!buf_finished(&m->payload) || !id_valid(job) || s->token == NULL || !s->facts.logged_in)
		return err_set(e, ERR_PEER, "a SIGN that is not allowed here");
	if ((known = recent_find(s, job, attempt)) != NULL && memcmp(known->digest, digest, HASH_LEN) != 0) {
		err_set(&why, ERR_PEER, "job %s, attempt %u: a second digest", job, attempt);
		return send_refused(m->seq, ticket, &why, e);
	}
	buf_init(&cms, WIRE_PAYLOAD);
	asked = token_asked(s->token);
	if ((r = cert_valid_at(token_cert(s->token), clock_wall_us(), e)) == 0)
		r = cms_sign(token_cert(s->token), token_chain(s->token), digest, sign_by_token, s->token, &cms, imprint, e);
	if (token_asked(s->token) != asked)
		remember(s, job, attempt, digest);
	if (r < 0)
		e->page = token_asked(s->token) == asked ? MSG_UNASKED : 0;
	if (r == -ERR_TOKEN_FAULT && ++s->faults < FAULTS_IN_A_ROW) {
		why = *e;
		e->page = 0;
		return send_refused(m->seq, ticket, &why, e);
	}
	if (r < 0)
		return r;
	s->faults = 0;
	s->facts.signatures++;
	return send_signed(m, ticket, &cms, imprint, e);
}

static int
on_note(struct seal *s, struct wire_msg *m, struct err *e)
{
	char origin[SOFTKEY_NAME_MAX + 1];
	uint8_t root[HASH_LEN];
	uint64_t size;
	struct err why = { 0 };
	int r;
	AUTO_BUF b = { 0 };

	buf_get_str(&m->payload, origin, sizeof(origin));
	size = buf_get_u64(&m->payload);
	buf_get(&m->payload, root, HASH_LEN);
	if (!buf_finished(&m->payload) || s->key == NULL || !s->facts.logged_in)
		return err_set(e, ERR_PEER, "a NOTE that is not allowed here");
	r = anchor_note(&s->anchor, s->key, origin, size, root, &why);
	/* without room the old record still stands; any other trouble with it is the end */
	if (r == -ERR_LOG_ROLLBACK || r == -ERR_LOG || r == -ERR_SPACE)
		return send_refused(m->seq, 0, &why, e);
	if (r < 0) {
		*e = why;
		return r;
	}
	log_facts(s);
	s->facts.signatures++;
	buf_init(&b, WIRE_PAYLOAD);
	buf_put_str(&b, s->anchor.note);
	return wire_send(WIRE_FD, MSG_NOTED, m->seq, &b, NULL, 0, e);
}

static int
on_status(struct seal *s, struct wire_msg *m, struct err *e)
{
	int r;

	if (!buf_finished(&m->payload))
		return err_set(e, ERR_PEER, "STATUS with something in it");
	if (s->token != NULL && (r = token_check(s->token, e)) < 0)
		return r;
	return send_facts(s, MSG_STATUS, m->seq, e);
}

/* What may be asked once READY was said.  Anything else is ERR_PEER. */
static const struct {
	enum msg_type type;
	int (*handler)(struct seal *, struct wire_msg *, struct err *);
} answers[] = {
	{ MSG_SIGN, on_sign },
	{ MSG_NOTE, on_note },
	{ MSG_STATUS, on_status },
};

static int
serve_one(struct seal *s, struct wire_msg *m, struct err *e)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (answers[i].type == m->type)
			return answers[i].handler(s, m, e);
	return err_set(e, ERR_PEER, "%s after READY", wire_name(m->type));
}

/* Returns 0 when the core hung up. */
static int
serve(struct seal *s, struct err *e)
{
	int r;

	for (;;) {
		AUTO_MSG m = { 0 };

		if ((r = unit_wait(WIRE_FD, e)) < 0 || (r = wire_recv(WIRE_FD, ROLE_CORE, ROLE_SEAL, 0, &m, e)) <= 0)
			return r;
		if ((r = serve_one(s, &m, e)) < 0)
			return r;
	}
}

/* --- main ------------------------------------------------------------------------------- */

static int
run(struct seal *s, struct err *e)
{
	int r;

	if ((s->socket != NULL && (r = unit_connect(s->socket, e)) < 0) || (r = send_hello(s, e)) < 0 || (r = recv_settings(s, e)) < 0 ||
	    (r = conf_load(&s->conf, s->conf_path, e)) < 0 ||
	    (r = s->token_name != NULL ? setup_token(s, e) : setup_log(s, e)) < 0 ||
	    (r = send_facts(s, MSG_READY, 0, e)) < 0)
		return r;
	return serve(s, e);
}

static void
done(struct seal *s)
{
	token_free(s->token);
	softkey_free(s->key);
	anchor_close(&s->anchor);
	io_close(&s->mark_fd);
	io_close(&s->pin_fd);
	conf_free(s->conf);
}

static int
usage(void)
{
	fprintf(stderr, "usage: sealroom-seal --conf FILE [--connect SOCKET] --token NAME | --log\n"
	                "sealroomd or its unit starts it; see sealroom-seal(8).\n");
	return EX_USAGE;
}

static bool
arguments(struct seal *s, int argc, char **argv)
{
	static const struct option options[] = { { "conf", required_argument, NULL, 'c' },
		{ "connect", required_argument, NULL, 's' }, { "token", required_argument, NULL, 't' }, { "log", no_argument, NULL, 'l' }, { 0 } };
	bool log = false;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'c')
			s->conf_path = optarg;
		else if (o == 's')
			s->socket = optarg;
		else if (o == 't')
			s->token_name = optarg;
		else if (o == 'l')
			log = true;
		else
			return false;
	}
	if (optind != argc || s->conf_path == NULL || log != (s->token_name == NULL))
		return false;
	/* no token is called so (rules/conf_check.c): the unit sealroom-seal@log holds the log's key */
	if (s->token_name != NULL && strcmp(s->token_name, "log") == 0)
		s->token_name = NULL;
	return true;
}

int
main(int argc, char **argv)
{
	static struct seal s = { .mark_fd = -1, .pin_fd = -1, .anchor = { .dir = -1 } };
	struct err e = { 0 };
	int r;

	proc_start("sealroom-seal", WIRE_FD);
	if (!arguments(&s, argc, argv))
		return usage();
	if ((r = run(&s, &e)) < 0) {
		log_err(LOG_ERR, s.token_name != NULL ? s.token_name : "log key", &e);
		send_fail(&e);
	}
	done(&s);
	if (r == 0)
		return EX_OK;
	return err_class(e.code) == ERR_CLASS_RETRY ? EX_TEMPFAIL : EX_CONFIG;
}
