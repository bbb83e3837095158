/*
 * t_alarms.c - what an admin is told: once when it begins, once when it ends, over restarts, and
 * not at all when it is over before anybody would have come.
 */
#include <sys/statvfs.h>

#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"

static uint64_t free_mib;
static bool folder_full;

int
fstatvfs(int fd, struct statvfs *v)
{
	(void)fd;
	*v = (struct statvfs){ .f_bavail = free_mib, .f_frsize = 1 << 20 };
	return 0;
}

/* What lies in a hot folder is written, and there is no room for it. */
int
fsync(int fd)
{
	char link[64], path[300] = "", in[80];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	snprintf(in, sizeof(in), "%s/in/", room);
	if (folder_full && readlink(link, path, sizeof(path) - 1) > 0 && strncmp(path, in, strlen(in)) == 0) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* --- what begins and ends ------------------------------------------------------------------- */

static void
token(bool begins)
{
	played.no_token = begins;
}

static void
program(bool begins)
{
	played.away[ROLE_FETCH] = begins;
}

static void
space(bool begins)
{
	free_mib = begins ? 1023 : 1127; /* alarms.space is 1 GiB; it ends a tenth above */
}

static void
folder(bool begins)
{
	if (room_sh(begins ? "mv in away" : "mv away in") != 0)
		play_die("the folder");
}

static void
sealed(bool begins)
{
	folder_full = begins;
	if (begins)
		room_drop("Brief.tif", "a letter");
}

static void
denied(bool begins)
{
	if (begins)
		room_drop("Brief.tif", "a letter");
	if (room_sh("mkdir -p in/done; chmod %s in/done", begins ? "500" : "700") != 0)
		play_die("the folder");
}

static void
refused(bool begins)
{
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .code = ERR_DOC_BAD, .text = "no letter" };
	sealed(begins);
}

static void
held(bool begins)
{
	played.hold = ERR_ANCHOR_MANY;
	sealed(begins);
}

static void
certificate(bool begins)
{
	core.children->token_facts.not_after_us = clock_wall_us() + (begins ? INT64_C(1) : INT64_C(1000)) * 24 * 3600 * 1000000;
}

static const struct {
	const char *name, *word, *subject;
	void (*cause)(bool begins);
	int patience; /* seconds, sealroomd(8) */
} alarms[] = {
	{ "a token that is away", "token-away", "soft", token, 10 },
	{ "a program that is away", "program-away", "sealroom-fetch", program, 30 },
	{ "a disk that fills up", "disk-low", "spool", space, 0 },
	{ "a folder that is gone", "folder-away", "post", folder, 10 },
	{ "a certificate that ends", "certificate-expires", "soft", certificate, 0 },
	{ "a sealed letter, and the folder is full", "not-delivered", "post", sealed, 10 },
	{ "a sealed letter, and the folder lets nobody write", "not-delivered", "post", denied, 10 },
	{ "a refused letter, and the folder is full", "not-delivered", "post", refused, 10 },
	{ "a held letter, and the folder is full", "not-delivered", "post", held, 10 },
};

/* --- what is said ---------------------------------------------------------------------------- */

static size_t row;

/* In how many events. */
static int
told_of(const char *event)
{
	char pattern[300];
	glob_t g;
	int n = 0;

	snprintf(pattern, sizeof(pattern), "%s/state/events/new/*.json", room);
	if (glob(pattern, 0, NULL, &g) != 0)
		return 0;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		json_t *o = json_load_file(g.gl_pathv[i], 0, NULL);
		const char *e, *word, *subject;

		if (json_unpack(o, "{s:s, s:s, s:s}", "event", &e, "alarm", &word, "subject", &subject) == 0)
			n += strcmp(e, event) == 0 && strcmp(word, alarms[row].word) == 0 && strcmp(subject, alarms[row].subject) == 0;
		json_decref(o);
	}
	globfree(&g);
	return n;
}

static bool
told(int begun, int ended)
{
	if (told_of("alarm") == begun && told_of("alarm-end") == ended)
		return true;
	printf("# told %d times of its beginning instead of %d, %d times of its end instead of %d\n", told_of("alarm"), begun,
	    told_of("alarm-end"), ended);
	return false;
}

static void
begins(int second)
{
	const int from = 4 + alarms[row].patience;

	if (second == 3)
		alarms[row].cause(true);
	if (second == from - 1)
		so = told(0, 0);
	if (second == from + 12)
		so = so && told(1, 0);
}

/* The log's key comes late; as long as nothing is tried nothing is over. */
static void
goes_on(int second)
{
	if (second == 1 && alarms[row].cause == certificate)
		certificate(true);
	if (second == 20) {
		so = told(1, 0);
		played.away[ROLE_SEAL] = false;
		core.children->opts.changed(&core, ROLE_SEAL, "log", true, NULL);
	}
	if (second == 40)
		so = so && told(1, 0);
	if (second == 41)
		alarms[row].cause(false);
	if (second == 170) /* the longest back-off, and a look */
		so = so && told(1, 1);
}

static void
is_over(int second)
{
	if (second == 1 && alarms[row].cause == certificate)
		certificate(false);
	if (second == 30)
		so = told(1, 1);
}

static void
test_alarm(void)
{
	room_empty();
	free_mib = 4096;
	CHECK(day_status(begins, 60000) == EX_OK && so, "%s is told once, when it has lasted", alarms[row].name);
	played.away[ROLE_SEAL] = true;
	CHECK(day_status(goes_on, 180000) == EX_OK && so, "a restart does not tell it again, nor that it is over; its end is told once");
	played.say[0].kind = 0;
	played.hold = ERR_OK;
	CHECK(day_status(is_over, 40000) == EX_OK && so && room_sh("grep -q '\"alarms\": \\[\\]' state/alarms.json") == 0,
	    "and then it is over, after another restart too");
}

static void
comes_and_goes(int second)
{
	if (second % 12 == 3)
		alarms[row].cause(true);
	if (second % 12 == 8)
		alarms[row].cause(false);
	if (second == 59)
		so = told(0, 0);
}

/* A disk that stays at the limit must not ring with every job. */
static void
at_the_limit(int second)
{
	if (second == 3)
		free_mib = 1000;
	else if (second > 10)
		free_mib = second % 10 < 5 ? 1000 : 1100;
	if (second == 59)
		so = told(1, 0);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	room_settings("");
	for (row = 0; row < sizeof(alarms) / sizeof(alarms[0]); row++)
		test_alarm();
	for (row = 0; row < 2; row++) {
		room_empty();
		CHECK(day_status(comes_and_goes, 60000) == EX_OK && so, "%s for a moment, again and again, is not told", alarms[row].name);
	}
	room_empty();
	CHECK(day_status(at_the_limit, 60000) == EX_OK && so, "%s, and stays at the limit, is told once", alarms[row].name);
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
