/*
 * sealroom check [--show] - is everything as the settings say it is?
 *
 * First the settings alone (rules/conf.h has all of their mistakes), then what
 * they name: directories and files, recognition models, tokens, time-stamping
 * authorities.  Tokens are looked at by sealroom-seal without a login and
 * nothing is signed, so this never costs a PIN try and disturbs no daemon.
 * Each authority is asked for one time-stamp of random bytes, and its answer is
 * judged as in the daemon.
 *
 * Root becomes the owner of the state directory first: what counts is what the
 * daemon may do.  Tokens of units it looks at as their user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/cmd_checkint.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/messages.h"
#include "agent/peers.h"
#include "agent/unitcheck.h"

#define WAIT_MS 90000
#define PROBE_MIB 256
#define ATTACH_MIB 256
#define ANSWER_MAX (1024 * 1024)
#define TEXT_MAX 5000

/* --- what was found -------------------------------------------------------------------------- */

static const char *const grades[] = { N_("good"), N_("warning"), N_("mistake") };

const char *
check_word(const struct check *c, const char *english)
{
	return message_get(c->conf == NULL ? conf_problems_language() : c->conf->language, english);
}

static void
note(struct check *c, enum grade grade, const struct conf_where *where, const char *text)
{
	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap * 2;
		c->items = reallocarray(c->items, c->cap, sizeof(*c->items));
	}
	if (c->items == NULL)
		abort(); /* a mistake that can not be noted would be taken for none */
	c->items[c->n] = (struct item){ .grade = grade, .file = strdup(where->file), .line = where->line, .text = strdup(text) };
	if (c->items[c->n].file == NULL || c->items[c->n].text == NULL)
		abort();
	c->n++;
}

void
check_say(struct check *c, enum grade grade, const char *key, const char *fmt, ...)
{
	const struct conf_where where = conf_locate(c->conf, key);
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), check_word(c, fmt), ap);
	va_end(ap);
	note(c, grade, &where, text);
}

/* Of a key within a named group: "folders", "post", "allow". */
const char *
check_key(char dst[CHECK_KEY_MAX], const char *group, const char *name, const char *key)
{
	snprintf(dst, CHECK_KEY_MAX, "%s.%s%s%s", group, name, *key == '\0' ? "" : ".", key);
	return dst;
}

static size_t
count(const struct check *c, enum grade grade)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->items[i].grade == grade;
	return n;
}

static void
settings_say(struct check *c)
{
	const struct conf_problem *p;
	size_t n = conf_problems(&p);

	for (size_t i = 0; i < n; i++)
		note(c, p[i].warning ? WARNING : MISTAKE, &(struct conf_where){ p[i].file, p[i].line }, p[i].text);
}

/* --- processes ---------------------------------------------------------------------------------- */

/* Every process has said READY, or why not; one that is just tried again has not. */
static bool
settled(const struct check *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (!s.ready && !s.stopped && s.why.code == ERR_OK)
			return false;
	}
	return true;
}

static void
on_change(void *ctx, enum role role, const char *name, bool ready, const struct err *why)
{
	struct check *c = ctx;

	(void)role;
	(void)name;
	(void)ready;
	(void)why;
	/* a program may fail to start before children_open() returns */
	if (c->started && settled(c))
		loop_stop(c->loop);
}

static void
on_late(void *ctx)
{
	struct check *c = ctx;

	err_set(&c->err, ERR_CHILD, "no answer within %d s", WAIT_MS / 1000);
	loop_stop(c->loop);
}

/* A reader that can not use the settings names the key: "seals.stamp.look.font: ...". */
static void
scan_say(struct check *c, const struct err *why)
{
	size_t n = strcspn(why->text, ":");
	char key[CHECK_KEY_MAX];

	snprintf(key, sizeof(key), "%.*s", (int)n, why->text);
	if (why->code == ERR_CONF && strchr(key, '.') != NULL && strchr(key, ' ') == NULL)
		check_say(c, MISTAKE, key, "%s", why->text);
	else
		check_say(c, MISTAKE, "scan", "reading documents: %s: %s", err_word(why->code), why->text);
}

static void
peers_say(struct check *c)
{
	struct peer_status s;

	for (size_t i = 0; i < c->conf->ntokens; i++)
		check_token(c, &c->conf->tokens[i], &c->tokens[i]);
	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == ROLE_SCAN && !s.ready)
			scan_say(c, &s.why);
		else if (s.role == ROLE_SCAN && s.scan != NULL)
			check_say(c, GOOD, "scan", "reading documents: %s", s.scan->engine);
		else if (!s.ready && s.role == ROLE_VERIFY)
			check_say(c, MISTAKE, "trust", "trust: %s: %s; let the files of trust and of tsa.NAME.trust hold certificates (PEM)",
			    err_word(s.why.code), s.why.text);
		else if (!s.ready && s.role == ROLE_FETCH)
			check_say(c, MISTAKE, "tsa", "time stamping: %s: %s", err_word(s.why.code), s.why.text);
	}
}

/* --- time stamps ---------------------------------------------------------------------------------- */

static void
on_stamped(void *ctx, const struct task_outcome *o)
{
	struct check *c = ctx;

	if (o->err != NULL)
		c->err = *o->err;
	loop_stop(c->loop);
}

static void
on_attached(void *ctx, const struct task_outcome *o)
{
	struct check *c = ctx;

	if (o->err != NULL)
		c->err = *o->err;
	else if (attach_result_get(o->result, &c->stamp, &c->err) == 0)
		c->stamp.cms = NULL; /* gone with the message */
	loop_stop(c->loop);
}

int
check_task(struct check *c, const struct task_req *req, task_cb *cb)
{
	uint64_t timer = loop_timer(c->loop, WAIT_MS, on_late, c);

	memset(&c->err, 0, sizeof(c->err));
	if (timer == 0 || children_task(c->children, req, cb, c) == 0)
		return err_set(&c->err, ERR_MEM, "task");
	loop_run(c->loop, &c->err);
	loop_timer_del(c->loop, timer);
	return -(int)c->err.code;
}

static int
probe(struct check *c, const struct conf_tsa *t, int answer)
{
	struct stamp_params stamp = { .nonce = 0 };
	struct attach_params attach = { .window_from_us = clock_wall_us() - (int64_t)t->skew_ms * 1000 };
	struct task_req req = { .kind = TASK_PROBE, .in = -1, .out = answer, .as_mib = PROBE_MIB, .cpu_s = 10,
		.fsize = ANSWER_MAX, .deadline_ms = (uint32_t)(t->timeout_ms * t->url.n) + 5000 };
	AUTO_BUF a, b;
	int r;

	buf_init(&a, 1024);
	buf_init(&b, WIRE_PAYLOAD);
	if (getrandom(stamp.imprint, sizeof(stamp.imprint), 0) != sizeof(stamp.imprint) ||
	    getrandom(&stamp.nonce, sizeof(stamp.nonce), 0) != sizeof(stamp.nonce))
		return err_set(&c->err, ERR_IO, "no random numbers");
	stamp.nonce >>= 1; /* positive in DER */
	snprintf(stamp.tsa, sizeof(stamp.tsa), "%s", t->name);
	stamp_params_put(&a, &stamp);
	req.params = &a;
	if ((r = check_task(c, &req, on_stamped)) < 0)
		return r;
	snprintf(attach.tsa, sizeof(attach.tsa), "%s", t->name);
	snprintf(attach.policy, sizeof(attach.policy), "%s", t->policy);
	memcpy(attach.imprint, stamp.imprint, sizeof(attach.imprint));
	attach.nonce = stamp.nonce;
	attach.window_to_us = clock_wall_us() + (int64_t)t->skew_ms * 1000;
	attach_params_put(&b, &attach);
	req = (struct task_req){ .kind = TASK_ATTACH, .params = &b, .in = answer, .out = -1, .as_mib = ATTACH_MIB,
		.cpu_s = 10, .deadline_ms = 30000 };
	return check_task(c, &req, on_attached);
}

static void
tsas_check(struct check *c)
{
	for (size_t i = 0; i < c->conf->ntsas; i++) {
		const struct conf_tsa *t = &c->conf->tsas[i];
		AUTO_FD answer = memfd_create("answer", MFD_CLOEXEC);
		char time[CLOCK_ISO_MAX];

		if (answer < 0) {
			check_say(c, MISTAKE, KEY("tsa", t->name, ""), "tsa %s: no memory for its answer", t->name);
		} else if (probe(c, t, answer) == 0) {
			clock_iso(c->stamp.gen_time_us, time);
			check_say(c, GOOD, KEY("tsa", t->name, ""), "tsa %s: a time-stamp of %s", t->name, time);
		} else if (c->err.code == ERR_TSA_DOWN) {
			check_say(c, MISTAKE, KEY("tsa", t->name, "url"), "tsa %s: %s: %s; correct the url, or let this host reach it (firewall, proxy)",
			    t->name, err_word(c->err.code), c->err.text);
		} else {
			check_say(c, MISTAKE, KEY("tsa", t->name, "trust"),
			    "tsa %s: %s: %s; compare the clock (timedatectl), trust and policy with what the authority publishes", t->name,
			    err_word(c->err.code), c->err.text);
		}
	}
}

static bool
verify_ready(const struct check *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == ROLE_VERIFY || s.role == ROLE_FETCH)
			if (!s.ready)
				return false;
	}
	return true;
}

int
check_open(struct check *c, const struct children_opts *o)
{
	struct children_opts opts = *o;
	uint64_t timer;
	int r;

	opts.changed = on_change;
	opts.ctx = c;
	if ((r = loop_new(&c->loop, &c->err)) < 0 || (r = children_open(&c->children, c->loop, &opts, &c->err)) < 0)
		return r;
	c->started = true;
	timer = loop_timer(c->loop, WAIT_MS, on_late, c);
	if (!settled(c))
		loop_run(c->loop, &c->err);
	loop_timer_del(c->loop, timer);
	c->started = false;
	return 0;
}

void
check_close(struct check *c)
{
	children_close(c->children);
	loop_free(c->loop);
}

static int
processes_check(struct check *c)
{
	struct conf conf = *c->conf;
	const struct children_opts opts = { .conf = &conf, .scan = true, .ocr_look = true, .verify = true,
		.fetch = c->conf->ntsas > 0, .tokens = c->tokens == NULL, .no_login = true, .state_dir = -1 };
	int r;

	if (c->no_signed_trust) /* said already, and no reason to say less of the rest */
		conf.scan.signed_trust = "";
	if ((opts.tokens && (r = check_tokens_new(c)) < 0) || (r = check_open(c, &opts)) < 0) {
		check_close(c);
		return r;
	}
	check_tokens_take(c);
	peers_say(c);
	check_stamps(c);
	if (c->conf->ntsas > 0 && verify_ready(c))
		tsas_check(c);
	check_close(c);
	return 0;
}

/* --- units ------------------------------------------------------------------------------------------- */

static void
unit_say(void *ctx, const char *unit, const char *text, const char *dropin)
{
	struct check *c = ctx;
	char path[512];

	if (dropin == NULL) {
		check_say(c, MISTAKE, "peers", "unit %s: %s", unit, text);
		return;
	}
	snprintf(path, sizeof(path), "/etc/systemd/system/%s.d/sealroom.conf", unit);
	json_array_append_new(c->dropins, json_pack("{s:s, s:s, s:s}", "unit", unit, "path", path, "text", dropin));
}

static void
units_check(struct check *c)
{
	uid_t uid;
	int r;

	if (c->conf->peers.connect && peers_user(c->conf->peers.seal_user, &uid, &c->err) < 0)
		check_say(c, MISTAKE, "peers.seal_user", "%s; run: systemd-sysusers", c->err.text);
	if (c->conf->peers.connect && peers_user(c->conf->peers.log_user, &uid, &c->err) < 0)
		check_say(c, MISTAKE, "peers.log_user", "%s; run: systemd-sysusers", c->err.text);
	if (c->conf->peers.connect && peers_user(c->conf->peers.fetch_user, &uid, &c->err) < 0)
		check_say(c, MISTAKE, "peers.fetch_user", "%s; run: systemd-sysusers", c->err.text);
	if ((r = unitcheck(c->conf, &(struct unitcheck_say){ c, unit_say }, &c->err)) < 0)
		check_say(c, WARNING, "peers", "the units can not be compared: %s", c->err.text);
	else if (r == 1)
		check_say(c, GOOD, "peers", "units: compared with these settings");
}

/* --- as whom ---------------------------------------------------------------------------------------- */

/* false: the processes would run as root, which none of them ever does. */
static bool
become_daemon(struct check *c)
{
	struct stat st;

	if (geteuid() != 0)
		return true;
	if (stat(c->conf->state, &st) < 0 || st.st_uid == 0) {
		check_say(c, MISTAKE, "state", "state: '%s' must exist and belong to the user of the daemon, never root; run: install -d "
		    "-m 0700 -o USER '%s'", c->conf->state, c->conf->state);
		return false;
	}
	if (check_become(st.st_uid, st.st_gid) < 0) {
		check_say(c, MISTAKE, "state", "can not become the owner of '%s': %s", c->conf->state, strerror(errno));
		return false;
	}
	if (faccessat(AT_FDCWD, c->conf->path, R_OK, AT_EACCESS) < 0)
		check_say(c, MISTAKE, "", "user %s can not read this file; run: chgrp it to that user's group, and chmod 0640",
		    check_user((char[64]){ 0 }));
	return true;
}

/* --- telling ----------------------------------------------------------------------------------------- */

static void
dropins_print(const struct check *c)
{
	const json_t *d;
	size_t i;

	json_array_foreach(c->dropins, i, d)
		printf(check_word(c, "\nwrite %s (then: systemctl daemon-reload):\n%s\n"), json_string_value(json_object_get(d, "path")),
		    json_string_value(json_object_get(d, "text")));
}

static int
report(const struct cmd_args *a, struct check *c)
{
	size_t mistakes = count(c, MISTAKE), warnings = count(c, WARNING);
	json_t *list = json_array();
	char shown[TEXT_MAX];
	int status = mistakes > 0 ? EX_CONFIG : EX_OK, r;

	for (size_t i = 0; i < c->n; i++) {
		const struct item *x = &c->items[i];

		path_display(x->text, shown, sizeof(shown));
		if (a->json)
			json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s}", "grade", grades[x->grade], "file", x->file, "line",
			    (int)x->line, "text", shown));
		else if (x->grade == GOOD)
			printf("%s\n", shown);
		else if (x->line > 0)
			printf("%s:%u: %s: %s\n", x->file, x->line, check_word(c, grades[x->grade]), shown);
		else
			printf("%s: %s: %s\n", x->file, check_word(c, grades[x->grade]), shown);
	}
	if (a->json) {
		r = cmd_json(json_pack("{s:i, s:i, s:o, s:O}", "mistakes", (int)mistakes, "warnings", (int)warnings, "findings", list,
		    "dropins", c->dropins));
		return r == EX_OK ? status : r;
	}
	json_decref(list);
	dropins_print(c);
	printf(check_word(c, mistakes == 1 ? N_("%zu mistake, ") : N_("%zu mistakes, ")), mistakes);
	printf(check_word(c, warnings == 1 ? N_("%zu warning\n") : N_("%zu warnings\n")), warnings);
	return cmd_done(status);
}

static void
check_done(struct check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->items[i].file);
		free(c->items[i].text);
	}
	free(c->items);
	free(c->tokens);
	json_decref(c->dropins);
}

static int
show(const struct cmd_args *a, const struct conf *conf)
{
	AUTO_FREE char *text = conf_show(conf);

	if (text == NULL)
		return EX_OSERR;
	if (a->json)
		return cmd_json(json_pack("{s:s}", "settings", text));
	fputs(text, stdout);
	return cmd_done(EX_OK);
}

int
cmd_check(struct cmd_args *a)
{
	struct check c = { .dropins = json_array() };
	struct conf *conf = NULL;
	struct err e = { 0 };
	bool only_show = cmd_flag(a, "--show");
	int status;

	if (a->argc != 1)
		return cmd_usage(a);
	if (only_show) {
		if ((status = cmd_conf(a, &conf)) == EX_OK)
			status = show(a, conf);
		conf_free(conf);
		return status;
	}
	message_open(NULL);
	conf_words_use(message_get);
	if (conf_load(&conf, a->conf_path, &e) == 0) {
		c.conf = conf;
		settings_say(&c);
		if (conf->peers.connect && geteuid() == 0 && check_tokens_apart(&c) < 0)
			check_say(&c, MISTAKE, "peers.seal_user", "%s: %s", err_word(c.err.code), c.err.text);
		if (become_daemon(&c)) {
			check_places(&c);
			units_check(&c);
			if (processes_check(&c) < 0)
				check_say(&c, MISTAKE, "", "the programs: %s: %s", err_word(c.err.code), c.err.text);
		}
	} else {
		settings_say(&c);
		if (count(&c, MISTAKE) == 0) /* no memory: nothing was noted */
			return cmd_fail(a, &e);
	}
	status = report(a, &c);
	check_done(&c);
	conf_free(conf);
	return status;
}
