#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/buf.h"
#include "agent/lib/io.h"
#include "agent/messages.h"
#include "agent/unitcheck.h"
#include "agent/unitfile.h"

#define CONF_DEFAULT "/etc/sealroom/sealroom.conf"

/* One unit, and the drop-in that grows with what does not fit. */
struct one {
	const struct conf *conf;
	const struct unitcheck_say *say;
	struct unitfile u;
	struct buf lines;
};

static void collision(struct one *, const char *line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* What does not fit, in a sentence; and the line of the drop-in that makes it fit ("": none does). */
static void
collision(struct one *o, const char *line, const char *fmt, ...)
{
	char text[2 * PATH_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), message_get(o->conf->language, fmt), ap);
	va_end(ap);
	o->say->fn(o->say->ctx, o->u.name, text, NULL);
	if (*line != '\0' && (o->lines.len == 0 || memmem(o->lines.data, o->lines.len, line, strlen(line)) == NULL)) {
		buf_put(&o->lines, line, strlen(line));
		buf_put(&o->lines, "\n", 1);
	}
}

static int
one_open(struct one *o, const struct conf *conf, const struct unitcheck_say *say, const char *name, const char *instance,
    struct err *e)
{
	*o = (struct one){ .conf = conf, .say = say };
	buf_init(&o->lines, 65536);
	return unitfile_read(&o->u, name, instance, e);
}

static void
one_done(struct one *o)
{
	AUTO_FREE char *text = NULL;

	if (o->lines.len > 0 && asprintf(&text, "[Service]\n%.*s", (int)o->lines.len, (const char *)o->lines.data) > 0)
		o->say->fn(o->say->ctx, o->u.name, "", text);
	buf_done(&o->lines);
	unitfile_free(&o->u);
}

static bool
is_yes(const char *v)
{
	return strcmp(v, "yes") == 0 || strcmp(v, "true") == 0 || strcmp(v, "on") == 0 || strcmp(v, "1") == 0;
}

static bool
below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* --- paths --------------------------------------------------------------------------------- */

/* Is this path the host's inside the unit?  True: it is, and nothing was said. */
static bool
sees(struct one *o, const char *what, const char *path)
{
	const struct unitfile *u = &o->u;
	const char *home = unitfile_value(u, "ProtectHome");
	char line[PATH_MAX + 64];

	if (unitfile_covers(u, "BindPaths", "", path))
		return true;
	snprintf(line, sizeof(line), "BindPaths=%s", path);
	if ((below(path, "/home") || below(path, "/root") || below(path, "/run/user")) && *home != '\0' &&
	    strcmp(home, "no") != 0) {
		if (strcmp(home, "tmpfs") != 0)
			collision(o, "ProtectHome=tmpfs", "%s: '%s' lies where ProtectHome=%s hides everything", what, path, home);
		collision(o, line, "%s: '%s' is not shown to the unit (BindPaths=)", what, path);
	} else if ((below(path, "/tmp") || below(path, "/var/tmp")) && is_yes(unitfile_value(u, "PrivateTmp"))) {
		collision(o, line, "%s: '%s' is another one inside the unit (PrivateTmp=)", what, path);
	} else {
		return true;
	}
	return false;
}

/* ... and may it be written there? */
static void
writes(struct one *o, const char *what, const char *path)
{
	const struct unitfile *u = &o->u;
	char line[PATH_MAX + 64];

	if (unitfile_covers(u, "StateDirectory", "/var/lib/", path) || unitfile_covers(u, "RuntimeDirectory", "/run/", path) ||
	    !sees(o, what, path) || strcmp(unitfile_value(u, "ProtectSystem"), "strict") != 0 ||
	    unitfile_covers(u, "ReadWritePaths", "", path) || unitfile_covers(u, "BindPaths", "", path))
		return;
	snprintf(line, sizeof(line), "ReadWritePaths=%s", path);
	collision(o, line, "%s: '%s' is read-only inside the unit (ReadWritePaths=)", what, path);
}

static void
executes(struct one *o, const struct conf_token *t)
{
	char line[PATH_MAX + 16], real[PATH_MAX];
	const char *path = realpath(t->module, real) != NULL ? real : t->module;

	if (*unitfile_value(&o->u, "ExecPaths") == '\0' || unitfile_covers(&o->u, "ExecPaths", "", path))
		return;
	snprintf(line, sizeof(line), "ExecPaths=%.*s", (int)(strrchr(path, '/') - path), path);
	collision(o, line, "token %s: its module '%s' can not be loaded inside the unit (ExecPaths=)", t->name, path);
	collision(o, "# an HSM on the network, too: PrivateNetwork=no, IPAddressDeny=, IPAddressAllow=ADDRESS,\n"
	    "# RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6; one on a bus: PrivateDevices=no, DeviceAllow=",
	    "token %s: a module from elsewhere may want more than a unit gives: a network, a device", t->name);
}

static void
credential(struct one *o, const struct conf_token *t)
{
	char line[2 * MSG_NAME_MAX + 64];
	const char *name = t->pin + 11;

	if (strncmp(t->pin, "credential:", 11) != 0 || unitfile_covers(&o->u, "LoadCredential", "", name))
		return;
	snprintf(line, sizeof(line), "LoadCredential=%.60s:/etc/sealroom/pin/%s", name, t->name);
	collision(o, line, "token %s: %s is not among its credentials (LoadCredential=)", t->name, t->pin);
}

/* --- units ---------------------------------------------------------------------------------- */

/* Keys and network inside the core's own unit: a desk's layout. */
static void
spawns(struct one *o)
{
	const struct conf *conf = o->conf;

	if (conf->ntsas > 0 && is_yes(unitfile_value(&o->u, "PrivateNetwork")))
		collision(o, "PrivateNetwork=no\nIPAddressDeny=\nRestrictAddressFamilies=AF_INET AF_INET6",
		    "peers.start = \"spawn\": sealroom-fetch runs in this unit, which has no network; better: peers.start = \"connect\"");
	for (size_t i = 0; i < conf->ntokens; i++) {
		executes(o, &conf->tokens[i]);
		credential(o, &conf->tokens[i]);
	}
	writes(o, "evidence.anchor", conf->evidence.anchor);
}

static void
core_check(struct one *o)
{
	const struct conf *conf = o->conf;
	char what[MSG_NAME_MAX + 16], dir[PATH_MAX];

	for (size_t i = 0; i < conf->nfolders; i++) {
		snprintf(what, sizeof(what), "folder %s", conf->folders[i].name);
		writes(o, what, conf->folders[i].path);
	}
	writes(o, "archive.path", conf->archive.path);
	writes(o, "state", conf->state);
	snprintf(dir, sizeof(dir), "%s", conf->control);
	*strrchr(dir, '/') = '\0';
	writes(o, "control", dir);
	if (*conf->metrics != '\0') {
		snprintf(dir, sizeof(dir), "%s", conf->metrics);
		*strrchr(dir, '/') = '\0';
		writes(o, "metrics", dir);
	}
	if (!conf->peers.connect) {
		spawns(o);
		return;
	}
	snprintf(dir, sizeof(dir), "%s", conf->peers.socket);
	*strrchr(dir, '/') = '\0';
	writes(o, "peers.socket", dir);
}

/* A unit that comes to the core: as whom, where to, with which settings? */
static void
peer_check(struct one *o, const char *user, const char *key)
{
	const char *is = unitfile_value(&o->u, "User");
	char got[PATH_MAX], line[PATH_MAX + 8];
	struct stat st;

	snprintf(line, sizeof(line), "User=%s", user);
	if (strcmp(is, user) != 0)
		collision(o, line, "%s is \"%s\", and the unit runs as \"%s\"", key, user, is);
	unitfile_option(&o->u, "--connect", got, sizeof(got));
	if (strcmp(got, o->conf->peers.socket) != 0)
		collision(o, "", "peers.socket is '%s', and the unit goes to '%s'; write the same in both", o->conf->peers.socket, got);
	if (*unitfile_option(&o->u, "--conf", got, sizeof(got)) == '\0')
		return;
	if (strcmp(got, o->conf->path) != 0)
		collision(o, "", "it reads '%s', and these settings are '%s'; write the same in both", got, o->conf->path);
	else if (stat(got, &st) == 0 && (st.st_mode & 0004) == 0)
		collision(o, "", "user %s can not read '%s', which holds no secret; run: chmod o+r '%s'", user, got, got);
}

static void
log_check(struct one *o)
{
	const struct conf *conf = o->conf;
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", conf->evidence.key);
	*strrchr(dir, '/') = '\0';
	if (below(dir, conf->state) || below(conf->evidence.anchor, conf->state))
		collision(o, "", "evidence.key and evidence.anchor lie in the core's state, which is closed to user %s; write "
		    "evidence : { key = \"/var/lib/sealroom-log/evidence.key\"; anchor = \"/var/lib/sealroom-anchor\"; }",
		    conf->peers.log_user);
	writes(o, "evidence.key", dir);
	writes(o, "evidence.anchor", conf->evidence.anchor);
}

static int
peers_check(const struct conf *conf, const struct unitcheck_say *say, struct err *e)
{
	struct one o;
	int r;

	if ((r = one_open(&o, conf, say, "sealroom-fetch", "", e)) == 1)
		peer_check(&o, conf->peers.fetch_user, "peers.fetch_user");
	one_done(&o);
	if (r >= 0 && (r = one_open(&o, conf, say, "sealroom-seal", "log", e)) >= 0) {
		if (r == 1) {
			peer_check(&o, conf->peers.log_user, "peers.log_user");
			log_check(&o);
		}
		one_done(&o);
	}
	for (size_t i = 0; r >= 0 && i < conf->ntokens; i++) {
		if ((r = one_open(&o, conf, say, "sealroom-seal", conf->tokens[i].name, e)) == 1) {
			peer_check(&o, conf->peers.seal_user, "peers.seal_user");
			executes(&o, &conf->tokens[i]);
			credential(&o, &conf->tokens[i]);
		}
		one_done(&o);
	}
	return r;
}

static bool
reads(const struct unitfile *u, const struct conf *conf)
{
	char path[PATH_MAX];

	unitfile_option(u, "--conf", path, sizeof(path));
	return strcmp(*path != '\0' ? path : CONF_DEFAULT, conf->path) == 0;
}

bool
unitcheck_makes(const struct conf *conf, const char *path)
{
	struct unitfile u;
	struct err e;
	bool r;

	r = unitfile_read(&u, "sealroomd", "", &e) == 1 && reads(&u, conf) &&
	    (unitfile_covers(&u, "RuntimeDirectory", "/run/", path) || unitfile_covers(&u, "StateDirectory", "/var/lib/", path));
	unitfile_free(&u);
	return r;
}

/* The weekly audit reads the archive, and nothing else that settings name. */
static int
fixity_check(const struct conf *conf, const struct unitcheck_say *say, struct err *e)
{
	struct one o;
	int r = one_open(&o, conf, say, "sealroom-fixity", "", e);

	if (r == 1)
		sees(&o, "archive.path", conf->archive.path);
	one_done(&o);
	return r < 0 ? r : 1;
}

int
unitcheck(const struct conf *conf, const struct unitcheck_say *say, struct err *e)
{
	struct one o;
	int r = one_open(&o, conf, say, "sealroomd", "", e);

	if (r == 1) {
		if (reads(&o.u, conf))
			core_check(&o);
		else
			r = 0; /* units of other settings */
	}
	one_done(&o);
	if (r == 1 && conf->peers.connect && (r = peers_check(conf, say, e)) >= 0)
		r = 1;
	if (r == 1)
		r = fixity_check(conf, say, e);
	return r;
}
