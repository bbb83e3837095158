/*
 * t_turns.c - what changes under work that goes on: settings, operators, the clock, the
 * log's key; and what people who have only the folder read of it.
 */
#include <grp.h>

#include "agent/lib/proc.h"
#include "agent/reload.h"
#include "agent/standing.h"
#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"


static void
settings(const char *sed)
{
	room_settings("");
	if (room_sh("sed -i '%s' sealroom.conf", sed) != 0)
		play_die("settings");
}

static bool
waits(const char *text)
{
	if (core.jobs != NULL && core.jobs->stalled && strstr(core.jobs->why.text, text) != NULL)
		return true;
	printf("# %s\n", core.jobs != NULL ? core.jobs->why.text : "no job");
	return false;
}

/* --- settings that a job needs are gone ------------------------------------------------------ */

static const char *missing;

static void
sees_missing(int second)
{
	if (second == 5)
		so = waits(missing);
}

/* Stopped where nobody answers this; then other settings, then the old ones again. */
static void
check_missing(uint32_t kind, const char *sed, const char *text, const char *name)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play){ .kind = kind, .mute = true };
	if (room_open(false) < 0 || room_run(5000) != 0)
		play_die(room_why.text);
	core_close(&core);
	played.say[0].kind = 0;
	settings(sed);
	missing = text;
	day_status(sees_missing, 8000);
	CHECK(so && room_count("state/spool/*/*") == 1 && room_count("in/error/*") + room_count("in/done/*") == 0, "%s: the job waits: %s", name, text);
	room_settings("");
	CHECK(room_once() == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_JOB) == 1, "and goes on when it is back");
}

static void
test_missing(void)
{
	check_missing(TASK_PAGE, "s/ post : {/ mail : {/", "folder post is not in the settings any more", "a folder that is gone while a document is read");
	check_missing(TASK_FIELD, "s/\"stamp\"/\"round\"/g; s/ stamp : {/ round : {/", "seal stamp is not in the settings any more",
	    "a seal that is gone before it was made");
	check_missing(TASK_JUDGE, "s/ post : {/ mail : {/", "folder post is not in the settings any more", "a folder that is gone before the result is handed out");
}

/* --- a reload ------------------------------------------------------------------------------ */

static struct err why;

static void
reload_with(const char *sed)
{
	settings(sed);
	memset(&why, 0, sizeof(why));
	core_reload(&core, &why);
	room_settings("");
}

static bool
refused(const char *text)
{
	if (why.code == ERR_CONF && strstr(why.text, text) != NULL)
		return true;
	printf("# %s\n", why.text);
	return false;
}

static void
reloads(int second)
{
	char user[64];
	const struct group *g = getgrgid(0);
	struct err e;

	switch (second) {
	case 2:
		reload_with("s/^language/operators = [ \"no-such-user-here\" ]; &/");
		so = refused("operators: there is no user no-such-user-here on this host");
		reload_with("s/^language/operators = [ \"@no-such-group-here\" ]; &/");
		so = so && refused("operators: there is no group no-such-group-here on this host");
		reload_with("s#/archive\"#/other\"#");
		so = so && refused("archive.path: can only change with a restart");
		reload_with("s#/anchor\"#/other\"#");
		so = so && refused("evidence.anchor: can only change with a restart");
		reload_with("s/^language/host = \"b\"; &/");
		so = so && refused("host: can only change with a restart");
		reload_with("s/^language/peers : { fetch_user = \"7\"; }; &/");
		so = so && refused("peers: can only change with a restart");
		so = so && core.noperators == 0 && core.next_conf == NULL;
		break;
	case 3: /* names are asked once, and are who they were then */
		snprintf(user, sizeof(user), "s/^language/operators = [ \"root\", \"@%s\" ]; &/", g != NULL ? g->gr_name : "root");
		reload_with(user);
		so = so && why.code == ERR_OK;
		break;
	case 4:
		so = so && core.noperators == 2 && status_operates(&core, 0, NULL, 0) && !status_operates(&core, 4711, NULL, 0) &&
		    status_operates(&core, 4711, (gid_t[]){ 12, 0 }, 2) && !status_operates(&core, 4711, (gid_t[]){ 12 }, 1);
		room_drop("Brief.tif", "a letter");
		break;
	case 9:
		played.say[0] = (struct play){ .kind = PLAY_NOTE, .mute = true };
		core_stop(&core, EX_OK);
		so = so && core_reload(&core, &e) == -ERR_LATER && strstr(e.text, "is ending") != NULL;
		break;
	}
}

static void
test_reload(void)
{
	room_empty();
	CHECK(day_status(reloads, 30000) == EX_OK && so && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_CONFIG) == 2,
	    "settings that can not be are refused whole, with what is wrong; those that can are in force, and in the log");
}

/* --- the log's key --------------------------------------------------------------------------- */

static struct err key_why;
static bool sync_fails;

int
fdatasync(int fd)
{
	if (sync_fails) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

static void
key_fails(int second)
{
	if (second == 2)
		core.children->opts.changed(&core, ROLE_SEAL, "log", false, &key_why);
	if (second == 3)
		so = true; /* it did not end */
}

/* Status 79 is final (sealroomd(8), sealroomd.service): it must not stand for what is over by itself. */
static const struct {
	enum err_code code;
	const char *text;
	int status;
} key_ends[] = { { ERR_LOG, "the record is of another log or key", 79 }, { ERR_KEY, "the key is missing and the log is not empty", 79 },
	{ ERR_CONF, "no name for a log", 78 }, { ERR_LOCKED, "another holds the record", 75 }, { ERR_CONFINE, "no confinement", 70 } };

static void
test_log_key(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.away[ROLE_SEAL] = true;
	err_set(&key_why, ERR_LOG_ROLLBACK, "older than its record");
	CHECK(day_status(key_fails, 10000) == EXIT_LOG_ROLLBACK && !so && room_says("state/stopped", "older than its record") && room_count("in/Brief.tif") == 1,
	    "a key that knows a newer log: the daemon ends, says why, and takes nothing in");
	for (size_t i = 0; i < sizeof(key_ends) / sizeof(key_ends[0]); i++) {
		room_sh("rm -f state/stopped");
		err_set(&key_why, key_ends[i].code, "%s", key_ends[i].text);
		CHECK(day_status(key_fails, 10000) == key_ends[i].status && !so &&
		    (key_ends[i].status == 79) == room_says("state/stopped", key_ends[i].text), "%s: %d", key_ends[i].text, key_ends[i].status);
	}
	room_sh("rm -f state/stopped");
	sync_fails = true;
	played.away[ROLE_SEAL] = false;
	CHECK(day_status(NULL, 10000) == EX_IOERR && room_count("state/stopped") == 0 && room_count("in/Brief.tif") == 1,
	    "a sync of the log that fails at the start says nothing of the log: a restart may do");
	sync_fails = false;
	played.away[ROLE_SEAL] = true;
	err_set(&key_why, ERR_CHILD, "it ended");
	CHECK(day_status(key_fails, 10000) == EX_OK && so && room_count("in/Brief.tif") == 1, "a process that only ended is waited for");
	played.away[ROLE_SEAL] = false;
	CHECK(room_once() == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_count("state/stopped") == 0, "and then all goes on");
}

/* --- the clock, and a history across it --------------------------------------------------------- */

static char id[ID_MAX];

static void
asks_history(int second)
{
	if (second == 1)
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%s\"}", id);
	if (second == 2) {
		so = strstr(socket_heard(), "\"sealed\":true") != NULL;
		/* an id of today that nobody has: looked for in all of the log */
		snprintf(id + 8, sizeof(id) - 8, "000000000000000000");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%s\"}", id);
	}
	if (second == 3) {
		so = so && strstr(socket_heard(), "neither the spool nor the log has such a job") != NULL;
		socket_say(-1, "{\"op\":\"job\",\"job\":\"012345678901234567890123456\"}");
	}
	if (second == 4)
		so = so && strstr(socket_heard(), "give 8 to 26 characters") != NULL;
}

static void
asks_too_early(int second)
{
	if (second == 1)
		socket_say(-1, "{\"op\":\"void\",\"job\":\"%s\",\"reason\":\"so\"}", id);
	if (second == 2)
		so = strstr(socket_heard(), "the log is not ready yet") != NULL;
}

static void
keep_id(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_COMPOSE && core.jobs != NULL)
		memcpy(id, core.jobs->claim.id, sizeof(id));
}

static void
test_clock(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	CHECK(room_once() == EX_OK, "a letter");
	room_wall_ms += 20 * 24 * 3600 * INT64_C(1000);
	room_drop("Zwei.tif", "another");
	played.twist = keep_id;
	played.say[0] = (struct play){ .kind = TASK_STAMP, .code = ERR_TSA_DOWN, .text = "none" };
	CHECK(room_once() == EX_TEMPFAIL && beside->signatures == 1 && room_count("state/clock-doubt") == 1,
	    "three weeks later: nothing is sealed before a time stamp says that they have passed");
	played.say[0].kind = 0;
	CHECK(room_once() == EX_OK && beside->signatures == 2 && room_count("in/done/*") == 2 && room_count("state/clock-doubt") == 0 && room_proven(),
	    "one says so: sealed");
	played.twist = NULL;
	day_status(asks_history, 8000);
	CHECK(so, "a job is found in a log of weeks, and one that is not there is not");
	played.away[ROLE_SEAL] = true;
	day_status(asks_too_early, 5000);
	CHECK(so && room_entries(ENTRY_VOID) == 0, "nothing is declared void before the log has proven itself");
	room_wall_ms = 0;
}

/* --- Status.txt ----------------------------------------------------------------------------------- */

static bool
status_says(const char *text)
{
	struct err e;
	bool good;
	AUTO_BUF b;

	buf_init(&b, 256 * 1024);
	good = standing_text(&core, &core.conf->folders[0], &b, &e) == 0;
	buf_put_u8(&b, 0);
	if (good && strstr((char *)b.data, text) != NULL)
		return true;
	printf("# %s\n", good ? (char *)b.data : e.text);
	return false;
}

static const struct {
	enum err_code code;
	const char *says;
} reasons[] = { { ERR_TOKEN_GONE, "The card with the seal is not ready." }, { ERR_PIN_STOPPED, "The card with the seal is not ready." },
	{ ERR_CERT, "The card with the seal is not ready." }, { ERR_TSA_DOWN, "The time-stamping service cannot be reached." },
	{ ERR_TSA_ANSWER, "The time-stamping service cannot be reached." }, { ERR_SPACE, "The server's disk is full." },
	{ ERR_CONF, "Something is wrong with the sealing system; your administrator can see what." },
	{ ERR_IO, "Something is wrong with the sealing system; your administrator can see what." } };

static void
reads_status(int second)
{
	if (second == 4)
		room_sh("mkdir in/.sealroom-status.tmp");
	if (second == 20) {
		so = room_says("in/Status.txt", "Nothing waits.");
		for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
			err_set(&core.jobs->why, reasons[i].code, "in words for the admin");
			core.jobs->stalled = true;
			so = so && status_says(reasons[i].says) && status_says("Brief.tif");
		}
		so = so && !room_says("in/Status.txt", "words for the admin");
		socket_say(-1, "{\"op\":\"pause\",\"folder\":\"post\",\"reason\":\"back on Monday\\u202e\"}");
	}
	if (second == 21)
		so = so && status_says("Paused: nothing is taken from this folder") && status_says("back on Monday%E2%80%AE");
	if (second == 22)
		room_sh("rmdir in/.sealroom-status.tmp");
	if (second == 26)
		so = so && room_says("in/Status.txt", "back on Monday");
}

static void
many_held(int second)
{
	if (second == 20) {
		so = status_says("These documents wait for a decision:") && status_says("  ... 3\r\n") && status_says("look at page two");
		room_sh("for q in state/spool/held/*/question; do echo nonsense >$q; done");
		so = so && status_says("\r\n    -\r\n");
	}
}

static void
test_standing(void)
{
	char name[32];

	room_empty();
	room_settings("status_file = true;");
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day_status(reads_status, 30000);
	CHECK(so, "people read why their document waits in words that are theirs, and that a folder is paused; a file that can not be written is tried again");
	room_empty();
	room_settings("status_file = true; ticket = \"optional\";");
	for (int i = 0; i < 203; i++) {
		snprintf(name, sizeof(name), "Brief%03d.tif", i);
		room_drop(name, "a letter");
	}
	room_sh("for f in in/*.tif; do echo '{\"v\":1,\"hold\":\"look at page two\"}' >$f.ticket; done");
	day_status(many_held, 30000);
	CHECK(so && room_entries(ENTRY_HOLD) == 203, "two hundred documents are listed, the others counted; what a ticket says of them is shown");
	room_settings("");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_missing();
	test_reload();
	test_log_key();
	test_clock();
	test_standing();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
