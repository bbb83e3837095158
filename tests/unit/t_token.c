/*
 * A token from start to signature, and what goes wrong with one: SoftHSM, with
 * tests/tools/p11fault.c before it.  Each start is a process of its own that
 * loads the module, as in life; the parent never does.
 */
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <signal.h>
#include <time.h>

#include "tests/unit/seal_fixture.h"
#include "tests/unit/test.h"

#include "agent/lib/io.h"
#include "seal/cms.h"
#include "seal/token.h"

#define PIN "48291736"
#define SOFTHSM "/usr/lib/softhsm/libsofthsm2.so"

static char proxy[PATH_MAX]; /* p11fault.so */
static char source[600];  /* the right PIN's file */
static char wrong[600];   /* a wrong one's */

/* --- one start, in a child -------------------------------------------------------------- */

struct start {
	struct conf_token conf;
	bool no_login;
	unsigned signatures;      /* each checked with the certificate */
	const char *between;      /* control file before the second signature */
	const char *want_subject; /* part of the certificate's subject */
};

/* What most starts share; a test changes a copy. */
static struct start
usual(const char *key_label)
{
	return (struct start){ .signatures = 1, .conf = { .name = "card", .module = proxy, .module_sha256 = "", .serial = "", .label = "sealtest",
	    .key_id = "", .key_label = key_label, .cert = "", .chain = "", .pin = source } };
}

static int
sign_by_token(void *ctx, const uint8_t digest[HASH_LEN], uint8_t sig[CMS_SIG_MAX], size_t *ret_len, struct err *e)
{
	return token_sign(ctx, digest, sig, ret_len, e);
}

static int
sign_once(struct token *t, struct err *e)
{
	uint8_t digest[HASH_LEN], imprint[HASH_LEN];
	AUTO_BUF cms = { 0 };

	buf_init(&cms, CMS_MAX);
	RAND_bytes(digest, sizeof(digest));
	return cms_sign(token_cert(t), token_chain(t), digest, sign_by_token, t, &cms, imprint, e);
}

static int
login(struct token *t, const struct start *s, struct err *e)
{
	struct pin pin = { 0 };
	int fd = open(in_dir("mark"), O_RDWR | O_CREAT | O_CLOEXEC, 0600), r;

	if (token_wants_pin(t) && (r = pin_read(&pin, s->conf.pin, e)) < 0)
		return r;
	r = token_login(t, &pin, fd, e);
	return pin.page != NULL ? err_set(e, ERR_PIN_SOURCE, "the PIN was not wiped") : r;
}

static int
use(struct token *t, const struct start *s, struct err *e)
{
	char subject[256];
	int r = 0;

	X509_NAME_oneline(X509_get_subject_name(token_cert(t)), subject, sizeof(subject));
	if (s->want_subject != NULL && strstr(subject, s->want_subject) == NULL)
		return err_set(e, ERR_USAGE, "another certificate: %s", subject);
	for (unsigned i = 0; !s->no_login && i < s->signatures; i++) {
		if (i == 1 && s->between != NULL)
			put_text(in_dir("ctl"), s->between);
		if ((r = sign_once(t, e)) < 0 && i + 1 < s->signatures && r == -ERR_TOKEN_FAULT)
			put_text(in_dir("ctl"), ""); /* a fault that passes */
		else if (r < 0)
			return r;
	}
	return r < 0 ? r : token_check(t, e);
}

__attribute__((noreturn)) static void
child(const struct start *s)
{
	struct token *t = NULL;
	struct err e = { 0 };
	int r = token_open(&t, &s->conf, &e);

	if (r == 0 && !s->no_login)
		r = login(t, s, &e);
	if (r == 0)
		r = use(t, s, &e);
	if (r < 0)
		put_text(in_dir("said"), e.text);
	token_free(t);
	exit(-r);
}

/* Runs it; the err_code it ended with, 0 for none, -1 for a crash. */
static int
start(const struct start *s)
{
	pid_t pid;
	int st;

	fflush(stdout);
	put_text(in_dir("said"), "");
	if ((pid = fork()) == 0)
		child(s);
	waitpid(pid, &st, 0);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

/* No fault, no mark, all tries left, an empty log. */
static void
fresh(const char *ctl)
{
	put_text(in_dir("ctl"), ctl);
	put_text(in_dir("ctl.tries"), "");
	put_text(in_dir("mark"), "");
	put_text(in_dir("log"), "");
}

static bool
marked(void)
{
	return *get_text(in_dir("mark")) != '\0';
}

static unsigned
logins(void)
{
	return count_lines(in_dir("log"), "C_Login ");
}

static bool
ends(const struct start *s, int want, const char *what)
{
	int got = start(s);

	return CHECK(got == want, "%s: %s%s%s", what, err_word((enum err_code)want), got ? ": " : "", get_text(in_dir("said")));
}

/* --- what works ------------------------------------------------------------------------- */

static void
test_signs(void)
{
	struct start s = usual("seal-p256");

	fresh("");
	s.signatures = 3;
	s.want_subject = "Seal p256";
	ends(&s, 0, "P-256 signs");
	CHECK(!marked() && logins() == 1, "one login, and the mark is gone");
	s.no_login = true;
	ends(&s, 0, "without a login the same certificate is found");
	CHECK(logins() == 1, "and no login was tried");
	s = usual("seal-rsa3072");
	ends(&s, 0, "RSA-3072 signs");
	s = usual("seal-rsa2048");
	ends(&s, ERR_KEY, "RSA-2048 is refused");
	s.conf.unsafe_legacy = true;
	ends(&s, 0, "RSA-2048 with unsafe_legacy signs");
	s = usual("odd-rsa1024");
	s.conf.unsafe_legacy = true;
	ends(&s, ERR_KEY, "RSA-1024 is refused even so");
	s = usual("");
	s.conf.module = SOFTHSM;
	ends(&s, ERR_KEY, "several keys and no selector");
	s.conf.key_id = "01";
	s.want_subject = "Seal p256";
	ends(&s, 0, "the key of key_id signs");
	s.conf.key_id = "7f";
	ends(&s, ERR_KEY, "a key_id that is not there");
}

static void
test_selects(void)
{
	struct start s = usual("seal-p256");

	fresh("");
	s.conf.label = "";
	ends(&s, ERR_CONF, "two tokens and no selector");
	s.conf.serial = "0000000000000000";
	ends(&s, ERR_TOKEN_GONE, "a serial number that is not there");
	s = usual("seal-p256");
	s.conf.label = "second";
	s.no_login = true;
	ends(&s, 0, "the other token by its label");
	s.conf.module = "libsofthsm2.so";
	ends(&s, ERR_CONF, "a module without a path");
	s.conf.module = in_dir("open.so");
	run("cp %s %s; chmod 777 %s", proxy, in_dir("open.so"), in_dir("open.so"));
	ends(&s, ERR_CONF, "a module that others can write");
	s.conf.module = in_dir("pki/root.pem");
	ends(&s, ERR_CONF, "a module that is none");
}

/* As sha256sum(1) has it. */
static void
read_hash(const char *path, char hex[HASH_HEX])
{
	FILE *f;

	run("sha256sum %s | cut -c1-64 >%s", path, in_dir("hash"));
	if ((f = fopen(in_dir("hash"), "r")) == NULL || fgets(hex, HASH_HEX, f) == NULL)
		abort();
	fclose(f);
}

static void
test_module(void)
{
	struct start s = usual("seal-p256");
	char module[512], link[512], hex[HASH_HEX];

	fresh("");
	s.no_login = true;
	snprintf(module, sizeof(module), "%s", in_dir("open/module.so"));
	snprintf(link, sizeof(link), "%s", in_dir("link.so"));
	run("mkdir -p %s; cp %s %s; chmod 755 %s; ln -sf %s %s; chmod 777 %s", in_dir("open"), proxy, module, module, module, link,
	    in_dir("open"));
	s.conf.module = module;
	ends(&s, ERR_CONF, "a module in a directory that others can write");
	s.conf.module = link;
	ends(&s, ERR_CONF, "nor by a link that stands elsewhere");
	run("chmod 755 %s", in_dir("open"));
	ends(&s, 0, "which is fine when nobody else can");
	read_hash(module, hex);
	s.conf.module_sha256 = hex;
	ends(&s, 0, "the module whose hash was given");
	run("printf x >>%s", module);
	ends(&s, ERR_CONF, "another one in its place");
}

static void
test_certificates(void)
{
	static const struct {
		const char *key;
		int want;
	} odd[] = { { "odd-expired", ERR_CERT }, { "odd-future", ERR_CERT }, { "odd-nonr", ERR_CERT },
		{ "odd-wrongkey", ERR_CERT } };
	struct start s;

	fresh("");
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		s = usual(odd[i].key);
		ends(&s, odd[i].want, odd[i].key);
	}
	fresh("nocert=1\n");
	s = usual("seal-p256");
	ends(&s, ERR_CERT, "no certificate on the token");
	s.conf.cert = in_dir("pki/seal-p256.pem");
	ends(&s, 0, "but in a file");
	s.conf.chain = in_dir("pki/chain.pem");
	ends(&s, 0, "with its chain");
	s.conf.chain = in_dir("pki/other-root.pem");
	ends(&s, ERR_CERT, "with another one's chain");
	s.conf.chain = "";
	s.conf.cert = in_dir("pki/odd-noqc.pem");
	ends(&s, ERR_CERT, "a file with another key's certificate");
	s = usual("seal-rsa3072");
	s.conf.cert = in_dir("pki/seal-rsa2048.pem");
	s.conf.unsafe_legacy = true;
	ends(&s, ERR_CERT, "likewise with RSA");
}

/* --- PIN -------------------------------------------------------------------------------- */

static void
test_wrong_pin(void)
{
	struct start s = usual("seal-p256");

	fresh("tries=3\n");
	s.conf.pin = wrong;
	ends(&s, ERR_PIN_BAD, "start 1 with a wrong PIN");
	for (int i = 2; i <= 5; i++)
		CHECK(start(&s) == ERR_PIN_STOPPED && strstr(get_text(in_dir("said")), "sealroom token clear") != NULL,
		    "start %d is stopped by the mark", i);
	s.conf.pin = source;
	CHECK(start(&s) == ERR_PIN_STOPPED, "the right PIN too: a person has to look");
	CHECK(logins() == 1 && strtoul(get_text(in_dir("ctl.tries")), NULL, 10) == 1, "over all of them one try is used");
	CHECK(strstr(get_text(in_dir("mark")), "token ") != NULL && strstr(get_text(in_dir("mark")), "1234") == NULL,
	    "the mark holds serial and time");
	put_text(in_dir("mark"), "");
	ends(&s, ERR_PIN_STOPPED, "mark cleared, but the token says that tries were lost");
	CHECK(logins() == 1, "so no login was tried");
	put_text(in_dir("ctl.tries"), "0\n");
	CHECK(run("pkcs11-tool --module " SOFTHSM " --token-label sealtest --login --pin " PIN " -O") == 0, "a login by hand");
	ends(&s, 0, "and it works again");
}

static void
test_flags(void)
{
	static const struct {
		const char *ctl, *name;
	} flags[] = { { "flags=0x10000\n", "USER_PIN_COUNT_LOW" }, { "flags=0x20000\n", "USER_PIN_FINAL_TRY" },
		{ "flags=0x40000\n", "USER_PIN_LOCKED" } };
	struct start s = usual("seal-p256");

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		fresh(flags[i].ctl);
		ends(&s, ERR_PIN_STOPPED, flags[i].name);
		CHECK(logins() == 0 && !marked(), "%s: no login, no mark", flags[i].name);
	}
}

/* Dies in C_Login, as in a power cut: nobody knows whether it cost a try. */
static void
killed_in_login(const struct start *s)
{
	const struct timespec moment = { 0, 10000000 };
	pid_t pid;
	int st;

	fflush(stdout);
	if ((pid = fork()) == 0)
		child(s);
	for (int i = 0; i < 300 && !marked(); i++)
		nanosleep(&moment, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &st, 0);
}

static void
test_unknown(void)
{
	struct start s = usual("seal-p256");

	fresh("hang=C_Login\n");
	killed_in_login(&s);
	CHECK(marked(), "the mark is on disk before C_Login");
	put_text(in_dir("ctl"), "");
	ends(&s, ERR_PIN_STOPPED, "a start after a death in C_Login");
	CHECK(logins() == 0, "tries nothing");
	fresh("login_rv=0x30\n");
	ends(&s, ERR_PIN_STOPPED, "a device error in C_Login");
	CHECK(marked(), "leaves the mark: it may have cost a try");
	fresh("login_rv=0xe0\n");
	ends(&s, ERR_TOKEN_GONE, "a token that was out before C_Login");
	CHECK(!marked(), "leaves no mark: it can not have judged the PIN");
	fresh("");
	s.conf.pin = "file:/nonexistent/pin";
	ends(&s, ERR_PIN_SOURCE, "no PIN to be had");
	CHECK(logins() == 0 && !marked(), "no login, no mark");
}

static void
test_pin_pad(void)
{
	struct start s = usual("seal-p256");

	fresh("pinpad=" PIN "\n");
	s.conf.pin = "file:/nonexistent/pin"; /* not even read */
	ends(&s, 0, "a PIN pad gets no PIN from us");
	CHECK(count_lines(in_dir("log"), "C_Login 0x0") == 1 && !marked(), "one login");
}

static void
test_every_time(void)
{
	struct start s = usual("seal-p256");

	fresh("always_auth=1\ntries=3\n");
	s.signatures = 3;
	ends(&s, 0, "a key that wants the PIN for each signature");
	CHECK(count_lines(in_dir("log"), "C_Login(context) 0x0") == 3 && logins() == 1 && !marked(),
	    "one login for each of three signatures");
	fresh("always_auth=1\n");
	s.between = "always_auth=1\nlogin_rv=0xa0\n";
	ends(&s, ERR_PIN_BAD, "a PIN that was changed behind our back");
	CHECK(marked() && count_lines(in_dir("log"), "C_Login(context)") == 2, "is tried once and marked");
}

/* --- faults ----------------------------------------------------------------------------- */

static void
test_faults(void)
{
	struct start s = usual("seal-p256");

	fresh("removed=1\n");
	ends(&s, ERR_TOKEN_GONE, "the token is out at start");
	CHECK(logins() == 0 && !marked(), "nothing was tried");
	fresh("open_rv=0xb1\n");
	ends(&s, ERR_TOKEN_FAULT, "no session to be had (libp11 would wait for ever)");
	fresh("sign_rv=0x30\n");
	ends(&s, ERR_TOKEN_FAULT, "a device error in C_Sign");
	s.signatures = 2;
	fresh("sign_rv=0x30\n");
	ends(&s, 0, "and the next signature is fine");
	fresh("flip=1\n");
	ends(&s, ERR_SIG, "a flipped bit in the signature is caught");
	fresh("sign_rv=5\n");
	ends(&s, ERR_TOKEN_GONE, "a general error, as after a restart of pcscd");
	fresh("");
	s.between = "removed=1\n";
	ends(&s, ERR_TOKEN_GONE, "pulled between two signatures");
	CHECK(!marked(), "that is no reason to stop");
}

int
main(void)
{
	const char *bin = getenv("SEALROOM_BIN");
	char built[PATH_MAX];

	fixture_make("rsa2048,rsa3072,p256");
	if (run("tests/tools/test-pki token %s/pki --pin " PIN
	        " --keys p256,rsa2048,rsa3072,odd-expired,odd-future,odd-nonr,odd-wrongkey,odd-rsa1024 &&"
	        "tests/tools/test-pki token %s/pki --label second --keys p256", fixture_dir, fixture_dir) != 0) {
		printf("Bail out! tests/tools/test-pki token: see %s/out\n", fixture_dir);
		return 1;
	}
	snprintf(built, sizeof(built), "%s/tests/p11fault.so", bin != NULL ? bin : "build");
	if (realpath(built, proxy) == NULL)
		perror(built);
	snprintf(source, sizeof(source), "file:%s", in_dir("right.pin"));
	snprintf(wrong, sizeof(wrong), "file:%s", in_dir("wrong.pin"));
	put_file(in_dir("right.pin"), PIN, strlen(PIN), 0400);
	put_file(in_dir("wrong.pin"), "12345678", 8, 0400);
	setenv("SOFTHSM2_CONF", in_dir("pki/softhsm/softhsm2.conf"), 1);
	setenv("P11FAULT_MODULE", SOFTHSM, 1);
	setenv("P11FAULT_CTL", in_dir("ctl"), 1);
	setenv("P11FAULT_LOG", in_dir("log"), 1);
	test_signs();
	test_selects();
	test_module();
	test_certificates();
	test_wrong_pin();
	test_flags();
	test_unknown();
	test_pin_pad();
	test_every_time();
	test_faults();
	fixture_end();
	return TEST_DONE();
}
