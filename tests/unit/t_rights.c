/*
 * t_rights.c - who is meant by the names and groups of the settings.
 *
 * The users and groups are played: they are those of a small town's register office.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "agent/rights.h"
#include "tests/unit/test.h"

static bool nobody_answers; /* the directory service */

static struct passwd users[] = {
	{ .pw_name = (char[]){ "meier" }, .pw_uid = 1001, .pw_gid = 2001 },
	{ .pw_name = (char[]){ "schulz" }, .pw_uid = 1002, .pw_gid = 2002 },
};
static struct group groups[] = {
	{ .gr_name = (char[]){ "standesamt" }, .gr_gid = 2001 },
	{ .gr_name = (char[]){ "kasse" }, .gr_gid = 2002 },
	{ .gr_name = (char[]){ "vertretung" }, .gr_gid = 2003 }, /* schulz is a member beside her first group */
};

static void *
found(void *p)
{
	errno = nobody_answers ? EIO : 0;
	return nobody_answers ? NULL : p;
}

struct passwd *
getpwnam(const char *name)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp(users[i].pw_name, name) == 0)
			return found(&users[i]);
	return found(NULL);
}

struct passwd *
getpwuid(uid_t uid)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (users[i].pw_uid == uid)
			return found(&users[i]);
	return found(NULL);
}

struct group *
getgrnam(const char *name)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].gr_name, name) == 0)
			return found(&groups[i]);
	return found(NULL);
}

int
getgrouplist(const char *user, gid_t first, gid_t *list, int *n)
{
	const bool deputy = strcmp(user, "schulz") == 0;

	list[0] = first;
	if (deputy)
		list[1] = 2003;
	return *n = deputy ? 2 : 1;
}

static const struct {
	const char *name;
	const char *allow[3];
	uid_t uid;
	int want;
} cases[] = {
	{ "nobody is named: everybody", { NULL }, 1002, 1 },
	{ "a user by name", { "meier" }, 1001, 1 },
	{ "another is not meant", { "meier" }, 1002, 0 },
	{ "the second of two", { "meier", "schulz" }, 1002, 1 },
	{ "a user by number", { "1001" }, 1001, 1 },
	{ "of another number", { "1001" }, 1002, 0 },
	{ "a user's first group", { "@kasse" }, 1002, 1 },
	{ "a supplementary group", { "@vertretung" }, 1002, 1 },
	{ "a group one is not in", { "@vertretung" }, 1001, 0 },
	{ "a group by number", { "@2003" }, 1002, 1 },
	{ "of another number", { "@2003" }, 1001, 0 },
	{ "a group after a user", { "meier", "@kasse" }, 1002, 1 },
	{ "a user named like the group is not its members", { "kasse" }, 1002, 0 },
	{ "a group named like the user neither", { "@meier" }, 1001, 0 },
	{ "a user that is not there", { "mueller" }, 1001, 0 },
	{ "but the next counts", { "mueller", "@amt", "meier" }, 1001, 1 },
	{ "a group that is not there", { "@amt" }, 1001, 0 },
	{ "a uid without a name is in no group", { "@kasse", "meier" }, 4711, 0 },
	{ "but has its number", { "4711" }, 4711, 1 },
	{ "a number with a letter is a name", { "1001x" }, 1001, 0 },
	{ "a number beyond all uids is none", { "4294967295" }, UINT32_MAX, 0 },
};

static int
asks(size_t i, struct err *e)
{
	char *names[3];
	struct strings s = { .v = names };

	for (; s.n < 3 && cases[i].allow[s.n] != NULL; s.n++)
		names[s.n] = (char *)(uintptr_t)cases[i].allow[s.n];
	return rights_allowed(&s, cases[i].uid, e);
}

int
main(void)
{
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CHECK(asks(i, &e) == cases[i].want, "%s", cases[i].name);
	CHECK(rights_known("meier") && rights_known("@kasse") && rights_known("77") && rights_known("@77") && !rights_known("mueller") &&
	    !rights_known("@amt"), "sealroom check tells who is not there");
	nobody_answers = true;
	CHECK(asks(1, &e) == -ERR_IO && strstr(e.text, "looking up user meier") != NULL, "no answer is no no: a user");
	CHECK(asks(6, &e) == -ERR_IO && strstr(e.text, "looking up group kasse") != NULL, "a group");
	CHECK(asks(4, &e) == 1, "a number needs none");
	CHECK(asks(9, &e) == -ERR_IO, "but whose groups these are does");
	return TEST_DONE();
}
