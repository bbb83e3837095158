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
 * daemon may do.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/children.h"
#include "agent/cmd.h"
#include "agent/rights.h"
#include "agent/hot.h"
#include "agent/lib/clock.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/peers.h"
#include "agent/unitcheck.h"

#define WAIT_MS 90000
#define PROBE_MIB 256
#define ATTACH_MIB 256
#define ANSWER_MAX (1024 * 1024)
#define SOON_US (30LL * 24 * 3600 * 1000000) /* an expiry this near is told */
#define TEXT_MAX 5000

enum grade { GOOD, WARNING, MISTAKE };
static const char *const grades[] = { "good", "warning", "mistake" };

struct item {
	enum grade grade;
	char *file; /* "" when no place in the settings belongs to it */
	unsigned line;
	char *text;
};

struct check {
	const struct conf *conf;
	struct item *items;
	size_t n, cap;
	json_t *dropins; /* [{"unit", "path", "text"}]: files to write for the units */
	bool started;   /* the processes' own part */
	struct loop *loop;
	struct children *children;
	struct err err; /* of the task that runs */
	struct attach_result stamp;
};

/* --- what was found -------------------------------------------------------------------------- */

static void say(struct check *, enum grade, const struct conf_where *, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
say(struct check *c, enum grade grade, const struct conf_where *where, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	if (c->n == c->cap) {
		c->cap = c->cap == 0 ? 64 : c->cap * 2;
		c->items = reallocarray(c->items, c->cap, sizeof(*c->items));
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->items == NULL)
		abort(); /* a mistake that can not be noted would be taken for none */
	c->items[c->n] = (struct item){ .grade = grade, .file = strdup(where == NULL ? "" : where->file),
		.line = where == NULL ? 0 : where->line, .text = strdup(text) };
	if (c->items[c->n].file == NULL || c->items[c->n].text == NULL)
		abort();
	c->n++;
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
		say(c, p[i].warning ? WARNING : MISTAKE, &(struct conf_where){ p[i].file, p[i].line }, "%s", p[i].text);
}

/* --- directories ------------------------------------------------------------------------------ */

static const char *
group_name(gid_t gid, char dst[64])
{
	const struct group *g = getgrgid(gid);

	if (g != NULL)
		snprintf(dst, 64, "%s", g->gr_name);
	else
		snprintf(dst, 64, "%u", gid);
	return dst;
}

static const char *
user_name(char dst[64])
{
	const struct passwd *p = getpwuid(geteuid());

	if (p != NULL)
		snprintf(dst, 64, "%s", p->pw_name);
	else
		snprintf(dst, 64, "%u", geteuid());
	return dst;
}

/* A directory that we can list and change. */
static bool
directory_check(struct check *c, const struct conf_where *where, const char *what, const char *path, struct stat *st)
{
	char user[64];

	if (stat(path, st) < 0) {
		if (errno == ENOENT)
			say(c, MISTAKE, where, "%s: '%s' is not there; run: install -d -m 2770 -o %s '%s'", what, path, user_name(user),
			    path);
		else
			say(c, MISTAKE, where, "%s: '%s': %s", what, path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st->st_mode)) {
		say(c, MISTAKE, where, "%s: '%s' is not a directory", what, path);
		return false;
	}
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0) {
		say(c, MISTAKE, where, "%s: user %s can not read and write '%s'; make it the owner, or a member of group %s with mode 2770",
		    what, user_name(user), path, group_name(st->st_gid, (char[64]){ 0 }));
		return false;
	}
	return true;
}

/* Exists and is ours, or can be made: the nearest directory above it is writable. */
static void
ours_check(struct check *c, const struct conf_where *where, const char *what, const char *path)
{
	struct stat st;
	char up[4096], user[64];

	if (stat(path, &st) == 0) {
		if (directory_check(c, where, what, path, &st) && (st.st_mode & (S_IWGRP | S_IWOTH)))
			say(c, MISTAKE, where, "%s: others may write to '%s'; run: chmod go-w '%s'", what, path, path);
		return;
	}
	snprintf(up, sizeof(up), "%s", path);
	do
		*strrchr(up, '/') = '\0';
	while (*up != '\0' && stat(up, &st) < 0);
	if (faccessat(AT_FDCWD, *up == '\0' ? "/" : up, W_OK | X_OK, AT_EACCESS) < 0)
		say(c, MISTAKE, where, "%s: '%s' is not there and user %s can not make it", what, path, user_name(user));
}

static void
space_check(struct check *c, const struct conf_where *where, const char *what, const char *path)
{
	struct statvfs v;

	if (statvfs(path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < c->conf->space_floor)
		say(c, WARNING, where, "%s: less free space than space_floor: nothing would be claimed", what);
}

/* What is handed out must reach the people of the folder by its group. */
static void
folder_group_check(struct check *c, const struct conf_folder *f, const struct stat *st)
{
	char group[64];

	if ((f->give_mode & 0070) == 0 || (st->st_mode & S_ISGID) || st->st_gid == getegid())
		return;
	say(c, WARNING, &f->where,
	    "folder %s: results would not get its group; run: chgrp %s '%s' && chmod g+s '%s'", f->name,
	    group_name(st->st_gid, group), f->path, f->path);
}

/* The settings compare names; links and mounts show only here. */
static void
folder_real_check(struct check *c, const struct conf_folder *f)
{
	const char *const others[] = { c->conf->archive.path, c->conf->state, c->conf->evidence.anchor };
	char a[4096], b[4096];
	size_t n, m;

	if (realpath(f->path, a) == NULL)
		return;
	n = strlen(a);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]) + c->conf->nfolders; i++) {
		const char *other = i < 3 ? others[i] : c->conf->folders[i - 3].path;

		if (other == f->path || realpath(other, b) == NULL)
			continue;
		m = strlen(b);
		if (strncmp(a, b, n < m ? n : m) == 0 && (n == m || (n < m ? b[n] : a[m]) == '/'))
			say(c, MISTAKE, &f->where, "folder %s: '%s' and '%s' lie inside each other, by a link or mount", f->name,
			    f->path, other);
	}
}

/* How it is known that a document is complete (said out loud, because it is not the same everywhere). */
static void
folder_writers_check(struct check *c, const struct conf_folder *f)
{
	AUTO_FD dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD probe = dir < 0 ? -1 : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const char *remote = dir < 0 ? NULL : hot_remote(f, dir);

	if (remote != NULL && f->settle_ms != 0 && f->settle_ms < HOT_SETTLE_REMOTE_MS)
		say(c, WARNING, &f->where,
		    "folder %s lies on %s: writers on other hosts cannot be seen, only quiet time and structure count; settle is "
		    "%.1f s: let it be longer than the longest pause of a sender, 30s unless you know it", f->name, remote,
		    (double)f->settle_ms / 1000);
	else if (remote != NULL)
		say(c, GOOD, &f->where,
		    "folder %s lies on %s: it is polled; writers on other hosts cannot be seen, only quiet time and structure count",
		    f->name, remote);
	else if (probe >= 0 && hot_lease(probe) == HOT_UNKNOWN) /* we ourselves have it open for writing */
		say(c, WARNING, &f->where,
		    "folder %s: its file system has no leases: whether a file is still being written is told by quiet time and "
		    "structure alone", f->name);
}

/* allow goes by the owners of files: does this file system know them? */
static void
folder_allow_check(struct check *c, const struct conf_folder *f)
{
	AUTO_FD dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD probe = dir < 0 ? -1 : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const char *remote = dir < 0 ? NULL : hot_remote(f, dir);
	struct stat st;

	if (f->allow.n == 0)
		return;
	for (size_t i = 0; i < f->allow.n; i++)
		if (!rights_known(f->allow.v[i]))
			say(c, MISTAKE, &f->where, "folder %s: allow: there is no %s '%s' on this host", f->name,
			    f->allow.v[i][0] == '@' ? "group" : "user", f->allow.v[i] + (f->allow.v[i][0] == '@'));
	if (remote != NULL)
		say(c, WARNING, &f->where,
		    "folder %s lies on %s: allow goes by the owner that the mount shows; with uid= or squashing that is one for all",
		    f->name, remote);
	else if (probe >= 0 && fstat(probe, &st) == 0 && st.st_uid != geteuid())
		say(c, WARNING, &f->where, "folder %s: its file system gives every file to user %u: allow tells nobody apart", f->name,
		    st.st_uid);
	else
		say(c, GOOD, &f->where,
		    "folder %s: allow goes by the owner of files; people who share one account (Samba: force user, guest ok) are one",
		    f->name);
}

static void
folders_check(struct check *c)
{
	for (size_t i = 0; i < c->conf->nfolders; i++) {
		const struct conf_folder *f = &c->conf->folders[i];
		struct stat st;
		char what[MSG_NAME_MAX + 16];

		snprintf(what, sizeof(what), "folder %s", f->name);
		if (!directory_check(c, &f->where, what, f->path, &st))
			continue;
		folder_group_check(c, f, &st);
		folder_real_check(c, f);
		folder_writers_check(c, f);
		folder_allow_check(c, f);
		say(c, GOOD, &f->where, "folder %s: %s, %zu rules", f->name, f->path, f->nrules);
	}
}

/* The file itself is made anew each time: it is its directory that must let us. */
static void
metrics_check(struct check *c, const struct conf_where *where)
{
	struct stat st;
	char dir[4096];

	if (c->conf->metrics[0] == '\0')
		return;
	snprintf(dir, sizeof(dir), "%s", c->conf->metrics);
	*strrchr(dir, '/') = '\0';
	directory_check(c, where, "metrics", *dir != '\0' ? dir : "/", &st);
}

static void
operators_check(struct check *c, const struct conf_where *where)
{
	const struct strings *names = &c->conf->operators;

	for (size_t i = 0; i < names->n; i++)
		if (names->v[i][0] == '@' ? getgrnam(names->v[i] + 1) == NULL : getpwnam(names->v[i]) == NULL)
			say(c, MISTAKE, where, "operators: there is no %s on this host: make it, or take it out of the list",
			    names->v[i]);
}

/* Only the keys' user can look there; its unit makes the directory. */
static bool
anchor_elsewhere(const struct conf *conf)
{
	uid_t uid;
	struct err e;

	return conf->peers.connect && peers_user(conf->peers.seal_user, &uid, &e) == 0 && uid != geteuid();
}

static void
places_check(struct check *c)
{
	const struct conf *conf = c->conf;
	const struct conf_where where = { conf->path, 0 };
	struct stat st;
	char dir[4096];

	if (directory_check(c, &where, "archive.path", conf->archive.path, &st)) {
		space_check(c, &where, "archive.path", conf->archive.path);
		say(c, GOOD, &where, "archive: %s", conf->archive.path);
	}
	ours_check(c, &where, "state", conf->state);
	space_check(c, &where, "state", conf->state);
	if (!anchor_elsewhere(conf))
		ours_check(c, &where, "evidence.anchor", conf->evidence.anchor);
	snprintf(dir, sizeof(dir), "%s", conf->control);
	*strrchr(dir, '/') = '\0';
	if (*dir != '\0' && stat(dir, &st) < 0 && errno == ENOENT)
		ours_check(c, &where, "control", dir);
	else if (*dir != '\0')
		directory_check(c, &where, "control", dir, &st);
	metrics_check(c, &where);
	operators_check(c, &where);
}

/* --- files ------------------------------------------------------------------------------------- */

static void
file_check(struct check *c, const struct conf_where *where, const char *what, const char *path)
{
	struct stat st;

	if (*path == '\0')
		return;
	if (stat(path, &st) < 0)
		say(c, MISTAKE, where, "%s: '%s': %s", what, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		say(c, MISTAKE, where, "%s: '%s' is not a file", what, path);
	else if (st.st_mode & S_IWOTH)
		say(c, MISTAKE, where, "%s: anybody may write to '%s'; run: chmod o-w '%s'", what, path, path);
	else if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
		say(c, MISTAKE, where, "%s: '%s': %s", what, path, strerror(errno));
}

/* Its reader may be another user in production: what we can not see is not said. */
static void
pin_check(struct check *c, const struct conf_token *t)
{
	const char *path = t->pin + 5;
	struct stat st;

	if (strncmp(t->pin, "file:", 5) != 0)
		return; /* a credential exists only inside the unit */
	if (stat(path, &st) < 0) {
		if (errno != EACCES)
			say(c, MISTAKE, &t->where, "token %s: PIN file '%s': %s", t->name, path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		say(c, MISTAKE, &t->where, "token %s: PIN file '%s' is not a file", t->name, path);
	} else if (st.st_mode & 0077) {
		say(c, MISTAKE, &t->where, "token %s: others may read PIN file '%s'; run: chmod 0400 '%s'", t->name, path, path);
	} else if (st.st_size == 0) {
		say(c, MISTAKE, &t->where, "token %s: PIN file '%s' is empty", t->name, path);
	}
}

static void
log_key_check(struct check *c)
{
	const struct conf_where where = { c->conf->path, 0 };
	const char *key = c->conf->evidence.key;
	AUTO_FD archive = open(c->conf->archive.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (stat(key, &st) == 0 && (st.st_mode & 0077))
		say(c, MISTAKE, &where, "evidence.key: others may read '%s'; run: chmod 0400 '%s'", key, key);
	else if (stat(key, &st) < 0 && errno == ENOENT && archive >= 0 && io_exists(archive, "evidence/log/checkpoint"))
		say(c, MISTAKE, &where, "evidence.key: '%s' is not there, and the log in the archive was signed with it; restore it",
		    key);
}

static void
files_check(struct check *c)
{
	const struct conf *conf = c->conf;
	char what[MSG_NAME_MAX + 16];

	file_check(c, &(struct conf_where){ conf->path, 0 }, "trust", conf->trust);
	for (size_t i = 0; i < conf->ntsas; i++) {
		snprintf(what, sizeof(what), "tsa %s: trust", conf->tsas[i].name);
		file_check(c, &conf->tsas[i].where, what, conf->tsas[i].trust);
	}
	for (size_t i = 0; i < conf->ntokens; i++) {
		const struct conf_token *t = &conf->tokens[i];

		snprintf(what, sizeof(what), "token %s", t->name);
		file_check(c, &t->where, what, t->module);
		file_check(c, &t->where, what, t->cert);
		file_check(c, &t->where, what, t->chain);
		pin_check(c, t);
	}
	log_key_check(c);
}

/* --- processes ---------------------------------------------------------------------------------- */

/* Every process has said READY, or why not. */
static bool
settled(const struct check *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (!s.ready && !s.stopped && s.restarts == 0 && s.why.code == ERR_OK)
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

static void
token_say(struct check *c, const struct conf_token *t, const struct peer_status *s)
{
	const struct ready_seal *f = s->seal;
	char until[CLOCK_ISO_MAX], subject[MSG_TEXT_MAX], serial[MSG_TEXT_MAX];
	int64_t now = clock_wall_us();

	if (!s->ready || f == NULL) {
		say(c, MISTAKE, &t->where, "token %s: %s: %s", t->name, err_word(s->why.code), s->why.text);
		return;
	}
	clock_iso(f->not_after_us, until);
	path_display(f->subject, subject, sizeof(subject));
	path_display(f->token_serial, serial, sizeof(serial));
	if (f->not_after_us < now)
		say(c, MISTAKE, &t->where, "token %s: the certificate expired on %s", t->name, until);
	else if (f->not_before_us > now)
		say(c, MISTAKE, &t->where, "token %s: the certificate is not valid yet, or the clock is wrong", t->name);
	else if (f->not_after_us - now < SOON_US)
		say(c, WARNING, &t->where, "token %s: the certificate expires on %s", t->name, until);
	say(c, GOOD, &t->where, "token %s: serial %s, %s, %u bits, until %s: %s", t->name, serial,
	    f->key_type == SEAL_KEY_EC_P256 ? "ECDSA" : "RSA", f->key_bits, until, subject);
}

static void
peers_say(struct check *c)
{
	const struct conf_where where = { c->conf->path, 0 };
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.role == ROLE_SEAL)
			token_say(c, conf_token(c->conf, s.name), &s);
		else if (!s.ready)
			say(c, MISTAKE, &where, "%s: %s: %s",
			    s.role == ROLE_SCAN ? "reading documents" : s.role == ROLE_VERIFY ? "trust" : "time stamping",
			    err_word(s.why.code), s.why.text);
		else if (s.role == ROLE_SCAN && s.scan != NULL)
			say(c, GOOD, &where, "reading documents: %s", s.scan->engine);
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

static int
run_task(struct check *c, const struct task_req *req, task_cb *cb)
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
	if ((r = run_task(c, &req, on_stamped)) < 0)
		return r;
	snprintf(attach.tsa, sizeof(attach.tsa), "%s", t->name);
	snprintf(attach.policy, sizeof(attach.policy), "%s", t->policy);
	memcpy(attach.imprint, stamp.imprint, sizeof(attach.imprint));
	attach.nonce = stamp.nonce;
	attach.window_to_us = clock_wall_us() + (int64_t)t->skew_ms * 1000;
	attach_params_put(&b, &attach);
	req = (struct task_req){ .kind = TASK_ATTACH, .params = &b, .in = answer, .out = -1, .as_mib = ATTACH_MIB,
		.cpu_s = 10, .deadline_ms = 30000 };
	return run_task(c, &req, on_attached);
}

static void
stamps_check(struct check *c)
{
	for (size_t i = 0; i < c->conf->ntsas; i++) {
		const struct conf_tsa *t = &c->conf->tsas[i];
		AUTO_FD answer = memfd_create("answer", MFD_CLOEXEC);
		char time[CLOCK_ISO_MAX];

		if (answer < 0)
			say(c, MISTAKE, &t->where, "tsa %s: no memory for its answer", t->name);
		else if (probe(c, t, answer) < 0)
			say(c, MISTAKE, &t->where, "tsa %s: %s: %s", t->name, err_word(c->err.code), c->err.text);
		else {
			clock_iso(c->stamp.gen_time_us, time);
			say(c, GOOD, &t->where, "tsa %s: a time-stamp of %s", t->name, time);
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

static int
processes_check(struct check *c)
{
	const struct children_opts opts = { .conf = c->conf, .scan = true, .ocr = true, .verify = true,
		.fetch = c->conf->ntsas > 0, .tokens = true, .no_login = true, .state_dir = -1, .changed = on_change, .ctx = c };
	uint64_t timer;
	int r;

	if ((r = loop_new(&c->loop, &c->err)) < 0)
		return r;
	if ((r = children_open(&c->children, c->loop, &opts, &c->err)) == 0) {
		c->started = true;
		timer = loop_timer(c->loop, WAIT_MS, on_late, c);
		if (!settled(c))
			loop_run(c->loop, &c->err);
		loop_timer_del(c->loop, timer);
		c->started = false;
		peers_say(c);
		if (c->conf->ntsas > 0 && verify_ready(c))
			stamps_check(c);
		r = 0;
	}
	children_close(c->children);
	loop_free(c->loop);
	return r;
}

/* --- units ------------------------------------------------------------------------------------------- */

static void
unit_say(void *ctx, const char *unit, const char *text, const char *dropin)
{
	struct check *c = ctx;
	char path[512];

	if (dropin == NULL) {
		say(c, MISTAKE, &(struct conf_where){ c->conf->path, 0 }, "unit %s: %s", unit, text);
		return;
	}
	snprintf(path, sizeof(path), "/etc/systemd/system/%s.d/sealroom.conf", unit);
	json_array_append_new(c->dropins, json_pack("{s:s, s:s, s:s}", "unit", unit, "path", path, "text", dropin));
}

static void
units_check(struct check *c)
{
	const struct conf_where where = { c->conf->path, 0 };
	uid_t uid;
	int r;

	if (c->conf->peers.connect && (peers_user(c->conf->peers.seal_user, &uid, &c->err) < 0 ||
	        peers_user(c->conf->peers.fetch_user, &uid, &c->err) < 0))
		say(c, MISTAKE, &where, "%s", c->err.text);
	if ((r = unitcheck(c->conf, &(struct unitcheck_say){ c, unit_say }, &c->err)) < 0)
		say(c, WARNING, &where, "the units can not be compared: %s", c->err.text);
	else if (r == 1)
		say(c, GOOD, &where, "units: compared with these settings");
}

/* --- as whom ---------------------------------------------------------------------------------------- */

/* false: the processes would run as root, which none of them ever does. */
static bool
become_daemon(struct check *c)
{
	const struct conf_where where = { c->conf->path, 0 };
	const struct passwd *p;
	struct stat st;

	if (geteuid() != 0)
		return true;
	if (stat(c->conf->state, &st) < 0 || st.st_uid == 0) {
		say(c, MISTAKE, &where, "state: '%s' must exist and belong to the user of the daemon, never root; run: install -d "
		    "-m 0700 -o USER '%s'", c->conf->state, c->conf->state);
		return false;
	}
	p = getpwuid(st.st_uid);
	if ((p != NULL ? initgroups(p->pw_name, p->pw_gid) : setgroups(0, NULL)) < 0 ||
	    setgid(p != NULL ? p->pw_gid : st.st_gid) < 0 || setuid(st.st_uid) < 0) {
		say(c, MISTAKE, &where, "can not become the owner of '%s': %s", c->conf->state, strerror(errno));
		return false;
	}
	if (faccessat(AT_FDCWD, c->conf->path, R_OK, AT_EACCESS) < 0)
		say(c, MISTAKE, &where, "user %s can not read this file; run: chgrp it to that user's group, and chmod 0640",
		    user_name((char[64]){ 0 }));
	return true;
}

/* --- telling ----------------------------------------------------------------------------------------- */

static void
dropins_print(const struct check *c)
{
	const json_t *d;
	size_t i;

	json_array_foreach(c->dropins, i, d)
		printf("\nwrite %s (then: systemctl daemon-reload):\n%s\n", json_string_value(json_object_get(d, "path")),
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
			printf("%s:%u: %s: %s\n", x->file, x->line, grades[x->grade], shown);
		else
			printf("%s: %s: %s\n", x->file, grades[x->grade], shown);
	}
	if (a->json) {
		r = cmd_json(json_pack("{s:i, s:i, s:o, s:O}", "mistakes", (int)mistakes, "warnings", (int)warnings, "findings", list,
		    "dropins", c->dropins));
		return r == EX_OK ? status : r;
	}
	json_decref(list);
	dropins_print(c);
	printf("%zu mistake%s, %zu warning%s\n", mistakes, mistakes == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
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
	if (conf_load(&conf, a->conf_path, &e) == 0) {
		c.conf = conf;
		settings_say(&c);
		if (become_daemon(&c)) {
			folders_check(&c);
			places_check(&c);
			files_check(&c);
			units_check(&c);
			if (processes_check(&c) < 0)
				say(&c, MISTAKE, NULL, "the programs: %s: %s", err_word(c.err.code), c.err.text);
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
