/*
 * The directories and files that settings name: are they there, may the daemon do
 * with them what it must, and nobody else what he must not?
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "agent/cmd_checkint.h"
#include "agent/hot.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "agent/peers.h"
#include "agent/rights.h"
#include "agent/unitcheck.h"
#include "rules/value.h"

#define FOLDER(f, key) KEY("folders", (f)->name, (key))
#define PICTURE_LARGE (256 * 1024) /* bytes that each sealed document grows by are told from here on */
#define ORIGIN_MAX 256

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

const char *
check_user(char dst[64])
{
	const struct passwd *p = getpwuid(geteuid());

	if (p != NULL)
		snprintf(dst, 64, "%s", p->pw_name);
	else
		snprintf(dst, 64, "%u", geteuid());
	return dst;
}

/* --- directories ------------------------------------------------------------------------------ */

/* A directory that we can list and change. */
static bool
directory_check(struct check *c, const char *key, const char *what, const char *path, struct stat *st)
{
	char user[64];

	if (stat(path, st) < 0) {
		if (errno == ENOENT)
			check_say(c, MISTAKE, key, "%s: '%s' is not there; run: install -d -m 2770 -o %s '%s'", what, path, check_user(user),
			    path);
		else
			check_say(c, MISTAKE, key, "%s: '%s': %s; let user %s reach it", what, path, strerror(errno), check_user(user));
		return false;
	}
	if (!S_ISDIR(st->st_mode)) {
		check_say(c, MISTAKE, key, "%s: '%s' is not a directory; name one", what, path);
		return false;
	}
	if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0) {
		check_say(c, MISTAKE, key,
		    "%s: user %s can not read and write '%s'; make it the owner, or a member of group %s with mode 2770", what,
		    check_user(user), path, group_name(st->st_gid, (char[64]){ 0 }));
		return false;
	}
	return true;
}

/* Exists and is ours, or can be made: the nearest directory above it is writable. */
static void
ours_check(struct check *c, const char *key, const char *path)
{
	struct stat st;
	char up[4096], user[64];

	if (stat(path, &st) == 0) {
		if (directory_check(c, key, key, path, &st) && (st.st_mode & (S_IWGRP | S_IWOTH)))
			check_say(c, MISTAKE, key, "%s: others may write to '%s'; run: chmod go-w '%s'", key, path, path);
		return;
	}
	snprintf(up, sizeof(up), "%s", path);
	if (errno == ENOENT && unitcheck_makes(c->conf, path))
		return;
	do
		*strrchr(up, '/') = '\0';
	while (*up != '\0' && stat(up, &st) < 0);
	if (faccessat(AT_FDCWD, *up == '\0' ? "/" : up, W_OK | X_OK, AT_EACCESS) < 0)
		check_say(c, MISTAKE, key, "%s: '%s' is not there and user %s can not make it; run: install -d -m 0700 -o %s '%s'", key, path,
		    check_user(user), user, path);
}

static void
space_check(struct check *c, const char *key, const char *path)
{
	struct statvfs v;

	if (statvfs(path, &v) == 0 && (uint64_t)v.f_bavail * v.f_frsize < c->conf->space_floor)
		check_say(c, WARNING, key, "%s: less free space than space_floor: nothing would be claimed; make room, or lower space_floor",
		    key);
}

/* --- hot folders ------------------------------------------------------------------------------- */

/* What is handed out must reach the people of the folder by its group. */
static void
folder_group_check(struct check *c, const struct conf_folder *f, const struct stat *st)
{
	char group[64], user[64];

	if ((st->st_mode & S_ISGID) && !group_member(st->st_gid) && st->st_gid != getegid())
		check_say(c, WARNING, FOLDER(f, "path"),
		    "folder %s: user %s is no member of its group %s, and files that only the group may read would be left alone; run: "
		    "usermod -aG %s %s, then restart sealroomd", f->name, check_user(user), group_name(st->st_gid, group), group, user);
	if ((f->give_mode & 0070) == 0 || (st->st_mode & S_ISGID) || st->st_gid == getegid())
		return;
	check_say(c, WARNING, FOLDER(f, "path"), "folder %s: results would not get its group; run: chgrp %s '%s' && chmod g+s '%s'",
	    f->name, group_name(st->st_gid, group), f->path, f->path);
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
			check_say(c, MISTAKE, FOLDER(f, "path"),
			    "folder %s: '%s' and '%s' lie inside each other, by a link or mount; put them side by side", f->name, f->path, other);
	}
}

/* What we make in the folder ourselves must be a directory of the same file system, that we can fill. */
static void
folder_subs_check(struct check *c, const struct conf_folder *f, const struct stat *hot)
{
	const char *const words[] = { f->word_done, f->word_held, f->word_error };
	char path[4200], user[64];
	struct stat st;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->path, words[i]);
		if (lstat(path, &st) < 0)
			continue;
		if (!S_ISDIR(st.st_mode))
			check_say(c, MISTAKE, FOLDER(f, "path"),
			    "folder %s: '%s' is where results go, and is not a directory; move it away", f->name, path);
		else if (st.st_dev != hot->st_dev)
			check_say(c, MISTAKE, FOLDER(f, "path"),
			    "folder %s: '%s' is another mount: nothing can be moved there at once; mount the folder as a whole", f->name, path);
		else if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) < 0)
			check_say(c, MISTAKE, FOLDER(f, "path"), "folder %s: user %s can not write to '%s'; run: chown %s '%s'", f->name,
			    check_user(user), path, user, path);
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
		check_say(c, WARNING, FOLDER(f, "settle"),
		    "folder %s lies on %s: writers on other hosts cannot be seen, only quiet time and structure count; settle is "
		    "%.1f s: let it be longer than the longest pause of a sender, 30s unless you know it", f->name, remote,
		    (double)f->settle_ms / 1000);
	else if (remote != NULL)
		check_say(c, GOOD, FOLDER(f, "path"),
		    "folder %s lies on %s: it is polled; writers on other hosts cannot be seen, only quiet time and structure count",
		    f->name, remote);
	else if (probe >= 0 && hot_lease(probe) == HOT_UNKNOWN) /* we ourselves have it open for writing */
		check_say(c, WARNING, FOLDER(f, "path"),
		    "folder %s: its file system has no leases: whether a file is still being written is told by quiet time and "
		    "structure alone; let settle be longer than the longest pause of a sender", f->name);
}

static void
people_check(struct check *c, const struct conf_folder *f, const char *key, const struct strings *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!rights_known(names->v[i]))
			check_say(c, MISTAKE, FOLDER(f, key), "folder %s: %s: '%s' is no user or @group of this host; make it, or take it out of the list",
			    f->name, key, names->v[i]);
}

/* allow and release go by the owners of files: does this file system know them? */
static void
folder_people_check(struct check *c, const struct conf_folder *f)
{
	AUTO_FD dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD probe = dir < 0 ? -1 : openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	const char *remote = dir < 0 ? NULL : hot_remote(f, dir);
	const char *key = f->allow.n > 0 ? "allow" : "release";
	struct stat st;

	people_check(c, f, "allow", &f->allow);
	people_check(c, f, "release.by", &f->release_by);
	if (f->allow.n == 0 && f->release_by.n == 0 && !f->release_not_dropper)
		return;
	if (remote != NULL)
		check_say(c, WARNING, FOLDER(f, key),
		    "folder %s lies on %s: %s goes by the owner that the mount shows; with uid= or squashing that is one for all: "
		    "mount with multiuser or idmap, or take %s out", f->name, remote, key, key);
	else if (probe >= 0 && fstat(probe, &st) == 0 && st.st_uid != geteuid())
		check_say(c, WARNING, FOLDER(f, key),
		    "folder %s: its file system gives every file to user %u: %s tells nobody apart; mount it without uid=, or take %s out",
		    f->name, st.st_uid, key, key);
	else
		check_say(c, GOOD, FOLDER(f, key),
		    "folder %s: %s goes by the owner of files; people who share one account (Samba: force user, guest ok) are one",
		    f->name, key);
}

/* What is removed by itself is said out loud. */
static void
folder_keep_check(struct check *c, const struct conf_folder *f)
{
	char time[VALUE_MAX];

	if (f->give_keep_ms == 0)
		return;
	value_time_text(f->give_keep_ms, time);
	check_say(c, GOOD, FOLDER(f, "give.keep"),
	    "folder %s: results are taken out of '%s' again after %s, where they are archived and logged", f->name, f->word_done, time);
}

static void
folders_check(struct check *c)
{
	for (size_t i = 0; i < c->conf->nfolders; i++) {
		const struct conf_folder *f = &c->conf->folders[i];
		struct stat st;
		char what[MSG_NAME_MAX + 16];

		snprintf(what, sizeof(what), check_word(c, "folder %s"), f->name);
		if (!directory_check(c, FOLDER(f, "path"), what, f->path, &st))
			continue;
		folder_group_check(c, f, &st);
		folder_real_check(c, f);
		folder_subs_check(c, f, &st);
		folder_writers_check(c, f);
		folder_people_check(c, f);
		folder_keep_check(c, f);
		check_say(c, GOOD, FOLDER(f, "path"), "folder %s: %s, %zu rules", f->name, f->path, f->nrules);
	}
}

/* --- places of the daemon itself ------------------------------------------------------------------ */

static void
directory_of(const char *path, char dst[4096])
{
	snprintf(dst, 4096, "%s", path);
	*strrchr(dst, '/') = '\0';
	if (*dst == '\0')
		snprintf(dst, 4096, "/");
}

/* The file itself is made anew each time: it is its directory that must let us. */
static void
metrics_check(struct check *c)
{
	struct stat st;
	char dir[4096];

	if (c->conf->metrics[0] == '\0')
		return;
	directory_of(c->conf->metrics, dir);
	if (io_exists(AT_FDCWD, dir) || !unitcheck_makes(c->conf, dir))
		directory_check(c, "metrics", "metrics", dir, &st);
}

static void
control_check(struct check *c)
{
	struct stat st;
	char dir[4096];

	directory_of(c->conf->control, dir);
	if (stat(dir, &st) < 0 && errno == ENOENT)
		ours_check(c, "control", dir);
	else
		directory_check(c, "control", "control", dir, &st);
}

static void
operators_check(struct check *c)
{
	const struct strings *names = &c->conf->operators;

	for (size_t i = 0; i < names->n; i++)
		if (!rights_known(names->v[i]))
			check_say(c, MISTAKE, "operators", "operators: '%s' is no user or @group of this host; make it, or take it out of the list",
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

/* A log keeps its name for ever (C2SP tlog-checkpoint: the first line). */
static void
origin_check(struct check *c)
{
	char path[4200], origin[ORIGIN_MAX] = "";
	FILE *f;

	snprintf(path, sizeof(path), "%s/evidence/log/checkpoint", c->conf->archive.path);
	if ((f = fopen(path, "re")) == NULL)
		return;
	if (fgets(origin, sizeof(origin), f) != NULL)
		origin[strcspn(origin, "\n")] = '\0';
	fclose(f);
	if (*origin != '\0' && strcmp(origin, c->conf->evidence.origin) != 0)
		check_say(c, MISTAKE, "evidence.origin",
		    "evidence.origin: the log in the archive is '%s'; write that, or begin a new archive under the new name", origin);
}

static void
daemon_check(struct check *c)
{
	const struct conf *conf = c->conf;
	struct stat st;

	if (directory_check(c, "archive.path", "archive.path", conf->archive.path, &st)) {
		space_check(c, "archive.path", conf->archive.path);
		origin_check(c);
		check_say(c, GOOD, "archive.path", "archive: %s", conf->archive.path);
	}
	ours_check(c, "state", conf->state);
	space_check(c, "state", conf->state);
	if (!anchor_elsewhere(conf))
		ours_check(c, "evidence.anchor", conf->evidence.anchor);
	control_check(c);
	metrics_check(c);
	operators_check(c);
}

/* --- files ------------------------------------------------------------------------------------- */

static bool
file_check(struct check *c, const char *key, const char *path, struct stat *st)
{
	char user[64];

	if (*path == '\0')
		return false;
	if (stat(path, st) < 0)
		check_say(c, MISTAKE, key, "%s: '%s': %s; put it there, or correct the path", key, path, strerror(errno));
	else if (!S_ISREG(st->st_mode))
		check_say(c, MISTAKE, key, "%s: '%s' is not a file; name one", key, path);
	else if (st->st_mode & S_IWOTH)
		check_say(c, MISTAKE, key, "%s: anybody may write to '%s'; run: chmod o-w '%s'", key, path, path);
	else if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0)
		check_say(c, MISTAKE, key, "%s: user %s can not read '%s'; run: chmod o+r '%s'", key, check_user(user), path, path);
	else
		return true;
	return false;
}

static void
look_check(struct check *c, const struct conf_seal *s)
{
	const char *image = KEY("seals", s->name, "look.image"), *font = KEY("seals", s->name, "look.font");
	struct stat st;

	if (file_check(c, image, s->look.image, &st)) {
		if (st.st_size > CONF_IMAGE_MAX)
			check_say(c, MISTAKE, image, "%s: '%s' has %lld KiB, %u at most; make it smaller, 1000 x 1000 pixels are plenty", image,
			    s->look.image, (long long)st.st_size / 1024, CONF_IMAGE_MAX / 1024);
		else if (st.st_size > PICTURE_LARGE)
			check_say(c, WARNING, image,
			    "%s: every sealed document grows by the %lld KiB of '%s'; make it smaller, 300 dots an inch are plenty", image,
			    (long long)st.st_size / 1024, s->look.image);
	}
	if (file_check(c, font, s->look.font, &st) && st.st_size > CONF_FONT_MAX)
		check_say(c, MISTAKE, font, "%s: '%s' has %lld MiB, %u at most; take a smaller one", font, s->look.font,
		    (long long)st.st_size >> 20, CONF_FONT_MAX >> 20);
}

/* Its reader may be another user in production: what we can not see is not said. */
static void
pin_check(struct check *c, const struct conf_token *t)
{
	const char *path = t->pin + 5, *key = KEY("tokens", t->name, "pin");
	struct stat st;

	if (strncmp(t->pin, "file:", 5) != 0)
		return; /* a credential exists only inside the unit */
	if (stat(path, &st) < 0) {
		if (errno != EACCES)
			check_say(c, MISTAKE, key, "token %s: PIN file '%s': %s; write the PIN into it, mode 0400", t->name, path, strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		check_say(c, MISTAKE, key, "token %s: PIN file '%s' is not a file; name one", t->name, path);
	} else if (st.st_mode & 0077) {
		check_say(c, MISTAKE, key, "token %s: others may read PIN file '%s'; run: chmod 0400 '%s'", t->name, path, path);
	} else if (st.st_size == 0) {
		check_say(c, MISTAKE, key, "token %s: PIN file '%s' is empty; write the PIN into it", t->name, path);
	}
}

static void
log_key_check(struct check *c)
{
	const char *key = c->conf->evidence.key;
	AUTO_FD archive = open(c->conf->archive.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (stat(key, &st) == 0 && (st.st_mode & 0077))
		check_say(c, MISTAKE, "evidence.key", "evidence.key: others may read '%s'; run: chmod 0400 '%s'", key, key);
	else if (stat(key, &st) < 0 && errno == ENOENT && archive >= 0 && io_exists(archive, "evidence/log/checkpoint"))
		check_say(c, MISTAKE, "evidence.key",
		    "evidence.key: '%s' is not there, and the log in the archive was signed with it; restore it", key);
}

void
check_places(struct check *c)
{
	const struct conf *conf = c->conf;
	struct stat st;

	folders_check(c);
	daemon_check(c);
	file_check(c, "trust", conf->trust, &st);
	if (*conf->scan.signed_trust != '\0')
		c->no_signed_trust = !file_check(c, "scan.signed_trust", conf->scan.signed_trust, &st) || !check_signed_trust(c);
	for (size_t i = 0; i < conf->ntsas; i++)
		file_check(c, KEY("tsa", conf->tsas[i].name, "trust"), conf->tsas[i].trust, &st);
	for (size_t i = 0; i < conf->nseals; i++)
		look_check(c, &conf->seals[i]);
	for (size_t i = 0; i < conf->ntokens; i++) {
		const struct conf_token *t = &conf->tokens[i];

		file_check(c, KEY("tokens", t->name, "module"), t->module, &st);
		file_check(c, KEY("tokens", t->name, "cert"), t->cert, &st);
		file_check(c, KEY("tokens", t->name, "chain"), t->chain, &st);
		pin_check(c, t);
	}
	log_key_check(c);
}
