#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/rights.h"

#define GROUPS_MAX 1024

/* A name of digits only is a number; names of users begin otherwise. */
static bool
number_of(const char *name, unsigned *ret)
{
	char *end;
	unsigned long n;

	if (!isdigit((unsigned char)*name))
		return false;
	errno = 0;
	n = strtoul(name, &end, 10);
	*ret = (unsigned)n;
	return *end == '\0' && errno == 0 && n < UINT32_MAX;
}

/* 1 found, 0 there is none, -1 errno says why not. */
static int
user_id(const char *name, uid_t *ret)
{
	const struct passwd *p;

	if (number_of(name, ret))
		return 1;
	errno = 0;
	if ((p = getpwnam(name)) == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ? 0 : -1;
	*ret = p->pw_uid;
	return 1;
}

static int
group_id(const char *name, gid_t *ret)
{
	const struct group *g;

	if (number_of(name, ret))
		return 1;
	errno = 0;
	if ((g = getgrnam(name)) == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ? 0 : -1;
	*ret = g->gr_gid;
	return 1;
}

/* Groups of a uid; none for one without a name. */
static int
groups_of(uid_t uid, gid_t groups[GROUPS_MAX], int *ret_n)
{
	const struct passwd *p;

	*ret_n = 0;
	errno = 0;
	if ((p = getpwuid(uid)) == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ? 0 : -1;
	*ret_n = GROUPS_MAX;
	if (getgrouplist(p->pw_name, p->pw_gid, groups, ret_n) < 0)
		*ret_n = GROUPS_MAX; /* more than that: the first ones */
	return 0;
}

static bool
has_group(const gid_t *groups, int n, gid_t gid)
{
	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

int
rights_allowed(const struct strings *allow, uid_t uid, struct err *e)
{
	gid_t groups[GROUPS_MAX], gid;
	int ngroups = -1, r;
	uid_t user;

	for (size_t i = 0; i < allow->n; i++) {
		const char *name = allow->v[i];

		if (*name != '@') {
			if ((r = user_id(name, &user)) < 0)
				return err_sys(e, ERR_IO, "looking up user %s", name);
			if (r > 0 && user == uid)
				return 1;
			continue;
		}
		if ((r = group_id(name + 1, &gid)) < 0 || (ngroups < 0 && groups_of(uid, groups, &ngroups) < 0))
			return err_sys(e, ERR_IO, "looking up group %s and its members", name + 1);
		if (r > 0 && uid != geteuid() && has_group(groups, ngroups, gid))
			return 1;
	}
	return allow->n == 0;
}

/* --- who sent it? -------------------------------------------------------------------------- */

static int
check_alone(uid_t owner, bool others_write, const char *what, struct err *e)
{
	return !others_write ? 0 : err_set(e, ERR_SENDER,
	    "%s belongs to user %u, and others may write it, too: that does not show who sent it", what, owner);
}

static int
check_proven(const struct conf_folder *f, uid_t owner, bool others_write, const char *what, struct err *e)
{
	int r = check_alone(owner, others_write, what, e);

	if (r == 0 && f->release_not_dropper && owner == geteuid())
		return err_set(e, ERR_SENDER, "%s belongs to the daemon's own user, as all that it gave back: that does not show who sent it",
		    what);
	return r;
}

int
rights_send(const struct conf_folder *f, uid_t owner, bool others_write, const char *what, struct err *e)
{
	int r = rights_allowed(&f->allow, owner, e);

	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_OWNER, "%s belongs to user %u, who is not in allow of folder %s", what, owner, f->name);
	return f->allow.n > 0 || f->release_not_dropper ? check_proven(f, owner, others_write, what, e) : 0;
}

/* --- held documents ----------------------------------------------------------------------- */

static int
check_not_dropper(const struct conf_folder *f, const struct claim *held, uid_t uid, struct err *e)
{
	if (!f->release_not_dropper)
		return 0;
	if (uid == held->owner || (held->ticket.has && uid == held->ticket.owner))
		return err_set(e, ERR_DECISION_RIGHT, "user %u dropped the document, and release.not of folder %s is dropper", uid, f->name);
	/* taken in under other settings */
	if (check_proven(f, held->owner, held->others_write, "the document", e) < 0 ||
	    (held->ticket.has && check_proven(f, held->ticket.owner, held->ticket.others_write, "its ticket", e) < 0)) {
		e->code = ERR_DECISION_RIGHT;
		return -ERR_DECISION_RIGHT;
	}
	return 0;
}

static int
check_by(const struct conf_folder *f, const struct strings *by, const char *what, uid_t uid, struct err *e)
{
	int r = by->n == 0 ? 0 : rights_allowed(by, uid, e);

	if (r != 0)
		return r < 0 ? r : 0;
	return err_set(e, ERR_DECISION_RIGHT, "user %u is not in %s%s%s", uid, what, what[0] == 'r' ? " of folder " : "",
	    what[0] == 'r' ? f->name : "");
}

int
rights_release(const struct conf *c, const struct claim *held, const struct claim *ticket, struct err *e)
{
	const struct conf_folder *f = conf_folder(c, held->folder);
	uid_t uid = ticket->owner;
	int r;

	if (f == NULL)
		return err_set(e, ERR_DECISION_RIGHT, "folder %s is not in the settings any more", held->folder);
	if ((r = check_alone(uid, ticket->others_write, "the ticket", e)) < 0)
		return r;
	r = f->release_by.n > 0 ? check_by(f, &f->release_by, "release.by", uid, e) : check_by(f, &c->operators, "operators", uid, e);
	return r < 0 ? r : check_not_dropper(f, held, uid, e);
}

int
rights_release_operator(const struct conf *c, const struct claim *held, uid_t uid, struct err *e)
{
	const struct conf_folder *f = conf_folder(c, held->folder);
	int r;

	if (f == NULL)
		return 0;
	if (f->release_by.n > 0 && uid != 0 && (r = check_by(f, &f->release_by, "release.by", uid, e)) < 0)
		return r;
	return check_not_dropper(f, held, uid, e);
}

bool
rights_known(const char *entry)
{
	unsigned id;

	return (*entry == '@' ? group_id(entry + 1, &id) : user_id(entry, &id)) != 0;
}
