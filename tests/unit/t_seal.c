/*
 * sealroom-seal as the core sees it: the real, confined program on the other
 * end of a socket pair, with SoftHSM, and with p11fault.so before it.
 */
#include <limits.h>
#include <openssl/cms.h>
#include <openssl/rand.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>

#include "tests/unit/seal_fixture.h"
#include "tests/unit/test.h"

#include "agent/lib/clock.h"
#include "agent/lib/id.h"
#include "agent/lib/io.h"
#include "agent/lib/proc.h"
#include "agent/lib/taskmsg.h"
#include "agent/lib/wire.h"

#define PIN "48291736"
#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"
#define ORIGIN "sealroom.example/log"
#define JOB_A "01arz3ndektsv4rrffq69g5fav"
#define JOB_B "01arz3ndektsv4rrffq69g5faw"

static char program[PATH_MAX];

/* --- the core's part -------------------------------------------------------------------- */

struct said {
	enum msg_type type;     /* MSG_NONE: hung up */
	enum err_code code;     /* FAIL, REFUSED */
	uint32_t unasked;       /* likewise */
	char text[ERR_TEXT_MAX];
	struct ready_seal facts; /* READY, STATUS */
	uint8_t cms[8192];      /* SIGNED */
	size_t cms_len;
	uint8_t imprint[HASH_LEN];
	char note[MSG_NOTE_MAX]; /* NOTED */
};

static void
take_signed(struct said *s, struct buf *b)
{
	size_t n;
	const uint8_t *p;

	buf_get_u32(b);
	p = buf_get_blob(b, &n);
	buf_get(b, s->imprint, HASH_LEN);
	if (CHECK(buf_finished(b) && n <= sizeof(s->cms), "SIGNED is well-formed"))
		memcpy(s->cms, p, s->cms_len = n);
}

static struct said
hear(int sock)
{
	static struct said s;
	struct err e = { 0 };
	AUTO_MSG m = { 0 };

	s = (struct said){ 0 };
	if (wire_recv(sock, ROLE_SEAL, ROLE_CORE, 0, &m, &e) <= 0)
		return s;
	s.type = m.type;
	if (m.type == MSG_FAIL || m.type == MSG_REFUSED) {
		if (m.type == MSG_REFUSED)
			buf_get_u32(&m.payload);
		s.code = (enum err_code)buf_get_u32(&m.payload);
		s.unasked = buf_get_u32(&m.payload);
		buf_get_str(&m.payload, s.text, sizeof(s.text));
		CHECK(buf_finished(&m.payload), "%s is well-formed: %s", wire_name(m.type), s.text);
	} else if (m.type == MSG_READY || m.type == MSG_STATUS) {
		CHECK(ready_seal_get(&m.payload, &s.facts, &e) == 0, "%s is well-formed", wire_name(m.type));
	} else if (m.type == MSG_SIGNED) {
		take_signed(&s, &m.payload);
	} else if (m.type == MSG_NOTED) {
		size_t n;
		const uint8_t *p = buf_get_blob(&m.payload, &n);

		memcpy(s.note, p, n < sizeof(s.note) ? n : 0);
	}
	return s;
}

/* Starts the program as the core does, up to its first answer after SETTINGS. */
static struct said
begin(struct proc *p, const char *token, uint32_t flags)
{
	const char *argv[] = { "sealroom-seal", "--conf", in_dir("sealroom.conf"), token != NULL ? "--token" : "--log", token,
		NULL };
	struct err e = { 0 };
	struct settings none = { .conf = strdup("") };
	int fds[2] = { -1, open(in_dir("mark"), O_RDWR | O_CREAT | O_CLOEXEC, 0600) };
	AUTO_BUF b = { 0 };

	if (proc_spawn(program, (char **)(uintptr_t)argv, p, &e) < 0 || settings_write(&none, &fds[0], &e) < 0) {
		printf("Bail out! %s\n", e.text);
		exit(1);
	}
	if (hear(p->sock).type != MSG_HELLO)
		CHECK(0, "HELLO comes first");
	buf_init(&b, 16);
	buf_put_u32(&b, flags);
	CHECK(wire_send(p->sock, MSG_SETTINGS, 0, &b, fds, token != NULL ? 2 : 1, &e) == 0, "SETTINGS goes out");
	settings_done(&none);
	io_close(&fds[0]);
	io_close(&fds[1]);
	return hear(p->sock);
}

static int
end(struct proc *p)
{
	int st = -1;

	io_close(&p->sock);
	waitpid(p->pid, &st, 0);
	io_close(&p->pidfd);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -WTERMSIG(st);
}

static struct said
ask_sign(const struct proc *p, const char *job, uint32_t attempt, const uint8_t digest[HASH_LEN])
{
	struct err e = { 0 };
	AUTO_BUF b = { 0 };

	buf_init(&b, 96);
	buf_put_u32(&b, 7);
	buf_put_str(&b, job);
	buf_put_u32(&b, attempt);
	buf_put(&b, digest, HASH_LEN);
	wire_send(p->sock, MSG_SIGN, 1, &b, NULL, 0, &e);
	return hear(p->sock);
}

static struct said
ask_status(const struct proc *p)
{
	struct err e = { 0 };

	wire_send(p->sock, MSG_STATUS, 2, NULL, NULL, 0, &e);
	return hear(p->sock);
}

static struct said
ask_note(const struct proc *p, uint64_t size, const char *root_hex)
{
	uint8_t root[HASH_LEN] = { 0 };
	struct err e = { 0 };
	AUTO_BUF b = { 0 };

	hash_from_hex(root_hex, root);
	buf_init(&b, 320);
	buf_put_str(&b, ORIGIN);
	buf_put_u64(&b, size);
	buf_put(&b, root, HASH_LEN);
	wire_send(p->sock, MSG_NOTE, 3, &b, NULL, 0, &e);
	return hear(p->sock);
}

/* --- a token ---------------------------------------------------------------------------- */

static void
test_token(const char *token, uint32_t type, uint32_t bits)
{
	uint8_t digest[HASH_LEN], other[HASH_LEN] = { 1 };
	struct proc p;
	struct said s = begin(&p, token, 0);
	char before[64];

	hash_bytes("document\n", 9, digest);
	put_text(in_dir("document"), "document\n");
	CHECK(s.type == MSG_READY && s.facts.logged_in == 1 && s.facts.key_type == type && s.facts.key_bits == bits,
	    "%s: READY after its test signature, confined: %s", token, s.text);
	CHECK(strcmp(s.facts.org, "Muster Scan GmbH") == 0 && strlen(s.facts.token_serial) == 16 && s.facts.not_after_us > 0,
	    "%s: with what its certificate says", token);
	CHECK(*get_text(in_dir("mark")) == '\0', "%s: no mark is left", token);
	snprintf(before, sizeof(before), "%u", s.facts.cms_max);
	s = ask_sign(&p, JOB_A, 1, digest);
	CHECK(s.type == MSG_SIGNED && s.cms_len <= strtoul(before, NULL, 10), "%s: SIGN is answered within cms_max", token);
	put_file(in_dir("cms"), s.cms, s.cms_len, 0600);
	CHECK(run("openssl cms -verify -cades -binary -inform DER -in %s -content %s -CAfile %s -purpose any -out /dev/null",
	          in_dir("cms"), in_dir("document"), in_dir("pki/root.pem")) == 0,
	    "%s: openssl cms -verify takes it", token);
	CHECK(ask_sign(&p, JOB_A, 1, digest).type == MSG_SIGNED, "%s: the same digest again is fine", token);
	s = ask_sign(&p, JOB_A, 1, other);
	CHECK(s.type == MSG_REFUSED && s.code == ERR_PEER, "%s: a second digest for one attempt is refused", token);
	CHECK(ask_sign(&p, JOB_A, 2, other).type == MSG_SIGNED, "%s: for the next attempt it is not", token);
	CHECK(ask_sign(&p, JOB_B, 1, other).type == MSG_SIGNED, "%s: nor for another job", token);
	CHECK(ask_status(&p).facts.signatures == 4, "%s: STATUS counts four", token);
	CHECK(end(&p) == EX_OK, "%s: it ends well when the core hangs up", token);
}

/* As many as it remembers, and half as many again: the ring has come round. */
static void
test_remembers(void)
{
	uint8_t digest[HASH_LEN] = { 1 }, other[HASH_LEN] = { 2 };
	const uint32_t last = 1536, oldest = last - 1023;
	uint32_t n = 0;
	struct proc p;

	begin(&p, "card", 0);
	for (uint32_t i = 1; i <= last; i++)
		n += ask_sign(&p, JOB_A, i, digest).type == MSG_SIGNED;
	CHECK(n == last, "%u attempts are signed", n);
	CHECK(ask_sign(&p, JOB_A, oldest, other).code == ERR_PEER && ask_sign(&p, JOB_A, last, other).code == ERR_PEER,
	    "neither the last nor the oldest of 1,024 gets a second digest");
	end(&p);
}

static void
test_breaches(void)
{
	uint8_t digest[HASH_LEN] = { 0 };
	struct proc p;
	struct said s;

	s = begin(&p, "card", 0);
	s = ask_sign(&p, "../../etc/passwd", 1, digest);
	CHECK(s.type == MSG_FAIL && s.code == ERR_PEER, "a job that is no job id ends it");
	CHECK(end(&p) == EX_CONFIG, "with the status of a stop");
	s = begin(&p, "card", 0);
	s = ask_note(&p, 1, "00");
	CHECK(s.type == MSG_FAIL && s.code == ERR_PEER, "a token signs no note");
	end(&p);
	s = begin(&p, "card", SETTINGS_NO_LOGIN);
	CHECK(s.type == MSG_READY && s.facts.logged_in == 0 && strcmp(s.facts.org, "Muster Scan GmbH") == 0,
	    "without a login it shows the certificate");
	s = ask_sign(&p, JOB_A, 1, digest);
	CHECK(s.type == MSG_FAIL && s.code == ERR_PEER, "and signs nothing");
	end(&p);
	s = begin(&p, "nobody", 0);
	CHECK(s.type == MSG_FAIL && s.code == ERR_CONF, "a token that is not in the settings: %s", s.text);
	end(&p);
}

static void
test_pin_stopped(void)
{
	struct proc p;
	struct said s = begin(&p, "badpin", 0);

	CHECK(s.type == MSG_FAIL && s.code == ERR_PIN_BAD, "a wrong PIN: %s", s.text);
	CHECK(end(&p) == EX_CONFIG && *get_text(in_dir("mark")) != '\0', "stops, and the mark stays");
	s = begin(&p, "badpin", 0);
	CHECK(s.type == MSG_FAIL && s.code == ERR_PIN_STOPPED, "so does the next start: %s", s.text);
	end(&p);
	s = begin(&p, "badpin", SETTINGS_NO_LOGIN);
	CHECK(s.type == MSG_READY, "to look is still possible");
	end(&p);
	put_text(in_dir("mark"), "");
	CHECK(run("pkcs11-tool --module " SOFTHSM " --token-label sealtest --login --pin " PIN " -O") == 0, "a login by hand");
}

#ifndef SEALROOM_SANITIZE
/* Faults of a token while the program serves, confined. */
static void
test_faults(void)
{
	uint8_t digest[HASH_LEN] = { 0 }, other[HASH_LEN] = { 1 };
	struct proc p;
	struct said s;

	put_text(in_dir("module/ctl"), "");
	s = begin(&p, "proxy", 0);
	CHECK(s.type == MSG_READY, "through the proxy it is ready: %s", s.text);
	put_text(in_dir("module/ctl"), "sign_rv=0x30\n");
	s = ask_sign(&p, JOB_A, 1, digest);
	CHECK(s.type == MSG_REFUSED && s.code == ERR_TOKEN_FAULT && !s.unasked, "a device error is refused once: %s", s.text);
	put_text(in_dir("module/ctl"), "");
	CHECK(ask_sign(&p, JOB_A, 2, digest).type == MSG_SIGNED, "and the next attempt is signed");
	put_text(in_dir("module/ctl"), "sign_rv=0x30\n");
	CHECK(ask_sign(&p, JOB_A, 3, digest).type == MSG_REFUSED, "a device error again");
	s = ask_sign(&p, JOB_A, 4, digest);
	CHECK(s.type == MSG_FAIL && s.code == ERR_TOKEN_FAULT && !s.unasked, "two in a row end it");
	CHECK(end(&p) == EX_TEMPFAIL, "with the status of a retry");
	put_text(in_dir("module/ctl"), "");
	begin(&p, "proxy", 0);
	put_text(in_dir("module/ctl"), "init_rv=0x30\n");
	s = ask_sign(&p, JOB_A, 1, digest);
	CHECK(s.type == MSG_REFUSED && s.code == ERR_TOKEN_FAULT && s.unasked == MSG_UNASKED, "one before it was asked: there is no signature");
	put_text(in_dir("module/ctl"), "");
	CHECK(ask_sign(&p, JOB_A, 1, other).type == MSG_SIGNED, "and another digest may be signed for the attempt");
	CHECK(ask_sign(&p, JOB_A, 1, digest).type == MSG_REFUSED, "but then no second one");
	put_text(in_dir("module/ctl"), "init_rv=0x30\n");
	ask_sign(&p, JOB_A, 2, digest);
	s = ask_sign(&p, JOB_A, 2, digest);
	CHECK(s.type == MSG_FAIL && s.code == ERR_TOKEN_FAULT && s.unasked == MSG_UNASKED, "nor is there one when that ends it");
	end(&p);
	put_text(in_dir("module/ctl"), "");
	begin(&p, "proxy", 0);
	put_text(in_dir("module/ctl"), "flip=1\n");
	s = ask_sign(&p, JOB_A, 5, digest);
	CHECK(s.type == MSG_FAIL && s.code == ERR_SIG, "a flipped bit never leaves: %s", s.text);
	end(&p);
	s = begin(&p, "proxy", 0);
	CHECK(s.type == MSG_FAIL && s.code == ERR_CERT, "nor does such a token get READY: %s", s.text);
	end(&p);
	put_text(in_dir("module/ctl"), "");
	begin(&p, "proxy", 0);
	put_text(in_dir("module/ctl"), "removed=1\n");
	s = ask_status(&p);
	CHECK(s.type == MSG_FAIL && s.code == ERR_TOKEN_GONE, "STATUS sees that the token was pulled: %s", s.text);
	end(&p);
	s = begin(&p, "proxy", 0);
	CHECK(s.type == MSG_FAIL && s.code == ERR_TOKEN_GONE, "it is out at the next start: %s", s.text);
	end(&p);
	put_text(in_dir("module/ctl"), "always_auth=1\n");
	s = begin(&p, "proxy", 0);
	CHECK(s.type == MSG_READY, "a key that wants the PIN each time is ready: %s", s.text);
	CHECK(ask_sign(&p, JOB_A, 6, digest).type == MSG_SIGNED, "and signs");
	put_text(in_dir("module/ctl"), "");
	end(&p);
	CHECK(*get_text(in_dir("mark")) == '\0', "and no mark was left by all this");
}
#endif

/* --- the log's key ---------------------------------------------------------------------- */

#define ROOT_3 "94fbd0dd836f50301692e6d0eade728ee19ec52bfff1606ed807c8575d5aaa19"
#define ROOT_7 "98c97f0ba3175cd08b031dd084b9dc4e649b64d1a28e6ea69464650317" "3ab587"

static void
test_log(void)
{
	struct proc p;
	struct said s = begin(&p, NULL, 0);
	char note[MSG_NOTE_MAX], vkey[256];

	CHECK(s.type == MSG_FAIL && s.code == ERR_KEY, "no key, and the log is not empty: %s", s.text);
	end(&p);
	s = begin(&p, NULL, SETTINGS_LOG_EMPTY | SETTINGS_NO_LOGIN);
	CHECK(s.type == MSG_READY && s.facts.key_type == SEAL_KEY_NONE, "a look makes no key");
	end(&p);
	s = begin(&p, NULL, SETTINGS_LOG_EMPTY);
	CHECK(s.type == MSG_READY && s.facts.key_type == SEAL_KEY_ED25519 && !s.facts.log_has_record, "a key is made: %s %s",
	    s.facts.vkey, s.text);
	snprintf(vkey, sizeof(vkey), "%s", s.facts.vkey);
	CHECK(ask_note(&p, 3, ROOT_3).type == MSG_NOTED, "three entries are signed");
	s = ask_note(&p, 7, ROOT_7);
	CHECK(s.type == MSG_NOTED && strncmp(s.note, ORIGIN "\n7\n", strlen(ORIGIN) + 3) == 0, "seven entries are signed");
	snprintf(note, sizeof(note), "%s", s.note);
	CHECK(strcmp(get_text(in_dir("state/anchor/checkpoint")), note) == 0, "the record is on disk");
	s = ask_note(&p, 3, ROOT_3);
	CHECK(s.type == MSG_REFUSED && s.code == ERR_LOG_ROLLBACK, "a smaller tree is refused: %s", s.text);
	s = ask_note(&p, 7, ROOT_3);
	CHECK(s.type == MSG_REFUSED && s.code == ERR_LOG_ROLLBACK, "another root too: %s", s.text);
	CHECK(ask_status(&p).facts.log_size == 7, "STATUS shows the record");
	CHECK(end(&p) == EX_OK, "it ends well");
	s = begin(&p, NULL, 0);
	CHECK(s.type == MSG_READY && s.facts.log_has_record && s.facts.log_size == 7 && strcmp(s.facts.log_note, note) == 0 &&
	        strcmp(s.facts.vkey, vkey) == 0,
	    "started anew it has key and record");
	CHECK(ask_sign(&p, JOB_A, 1, s.facts.log_root).code == ERR_PEER, "it signs no document");
	end(&p);
	unlink(in_dir("state/evidence.key"));
	s = begin(&p, NULL, SETTINGS_LOG_EMPTY);
	CHECK(s.type == MSG_FAIL && s.code == ERR_KEY, "with a record no second key is made: %s", s.text);
	end(&p);
}

/* --- settings --------------------------------------------------------------------------- */

static void
write_conf(const char *proxy)
{
	char conf[4096], tokens[2048] = "";
	const struct {
		const char *name, *module, *key, *pin;
	} t[] = { { "card", SOFTHSM, "seal-p256", "right.pin" }, { "rsa", SOFTHSM, "seal-rsa3072", "right.pin" },
		{ "badpin", SOFTHSM, "seal-p256", "wrong.pin" }, { "proxy", proxy, "seal-p256", "right.pin" } };

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		snprintf(tokens + strlen(tokens), sizeof(tokens) - strlen(tokens),
		    "  %s : { module = \"%s\"; label = \"sealtest\"; key_label = \"%s\"; chain = \"pki/chain.pem\"; pin = \"file:%s\"; };\n",
		    t[i].name, t[i].module, t[i].key, in_dir("%s", t[i].pin));
	snprintf(conf, sizeof(conf),
	    "folders : { in : { path = \"in\"; rules = [ \"ask\" ]; seals = [ \"plain\" ]; }; };\n"
	    "rules : { ask : { when = \"always\"; hold = { en = \"No rule.\"; de = \"Keine Regel.\"; }; }; };\n"
	    "seals : { plain : { tokens = [ \"card\" ]; level = \"B-B\"; }; };\n"
	    "tokens : {\n%s};\ntrust = \"pki/root.pem\";\nstate = \"state\";\narchive : { path = \"archive\"; };\n"
	    "evidence : { origin = \"" ORIGIN "\"; };\n", tokens);
	put_text(in_dir("sealroom.conf"), conf);
}

int
main(void)
{
	const char *bin = getenv("SEALROOM_BIN");
	char built[PATH_MAX];

	if (bin == NULL)
		bin = "build";
	snprintf(built, sizeof(built), "%s/sealroom-seal", bin);
	if (realpath(built, program) == NULL) {
		printf("1..0 # SKIP %s is not built\n", built);
		return 0;
	}
	fixture_make("rsa3072,p256");
	if (run("tests/tools/test-pki token %s/pki --pin " PIN " --keys p256,rsa3072 && mkdir %s/module %s/state %s/archive && "
	        "cp %s/tests/p11fault.so %s/module/",
	        fixture_dir, fixture_dir, fixture_dir, fixture_dir, bin, fixture_dir) != 0)
		printf("# see %s/out\n", fixture_dir);
	put_file(in_dir("right.pin"), PIN, strlen(PIN), 0400);
	put_file(in_dir("wrong.pin"), "12345678", 8, 0400);
	write_conf(in_dir("module/p11fault.so"));
	setenv("SOFTHSM2_CONF", in_dir("pki/softhsm/softhsm2.conf"), 1);
	setenv("P11FAULT_MODULE", SOFTHSM, 1);
	setenv("P11FAULT_CTL", in_dir("module/ctl"), 1);
	test_token("card", SEAL_KEY_EC_P256, 256);
	test_token("rsa", SEAL_KEY_RSA, 3072);
	test_remembers();
	test_breaches();
	test_pin_stopped();
#ifndef SEALROOM_SANITIZE
	test_faults();
#endif
	test_log();
	fixture_end();
	return TEST_DONE();
}
