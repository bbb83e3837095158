/*
 * t_reload.c - other settings come into force while something is under way for a job:
 * it is asked again by them, and nobody is to blame.
 */
#include "agent/reload.h"
#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"

/* By sed; then as SIGHUP does. */
static void
reload(const char *edit)
{
	if (room_sh("sed -i '%s' sealroom.conf", edit) != 0 || core_reload(&core, &room_why) != 0)
		play_die(room_why.text);
}

static struct {
	enum role role;
	uint32_t behind, times; /* the kind of task, and which of them */
} leaves;

static void
on_leave(void *ctx)
{
	(void)ctx;
	played.away[leaves.role] = true;
}

/* What is asked next is under way until the process is there again. */
static void
leave(uint32_t kind, void *result)
{
	(void)result;
	if (kind == leaves.behind && played.asked[kind] == leaves.times)
		loop_timer(core.loop, 1, on_leave, NULL);
}

static void
begin(enum role role, uint32_t behind, uint32_t times)
{
	room_settings("");
	room_empty();
	room_drop("Brief.tif", "a letter");
	leaves.role = role;
	leaves.behind = behind;
	leaves.times = times;
	played.twist = leave;
}

static bool
sealed(size_t documents)
{
	return room_count("in/done/*") == documents && room_entries(ENTRY_JOB) == documents && beside->signatures == documents &&
	    room_entries(ENTRY_REJECT) == 0 && room_entries(ENTRY_HOLD) == 0 && room_count("state/spool/*/*") == 0 && room_proven();
}

/* --- its folder, its rule, how it is read -------------------------------------------------- */

static void
folder_goes(int second)
{
	if (second == 3) {
		so = core.jobs->busy && core.jobs->state == SPOOL_CLAIMED && core.jobs->pages_running == 0;
		reload("s/post : {/mail : {/");
	}
	if (second == 4)
		played.away[ROLE_SCAN] = false;
	if (second == 6) {
		so = so && core.jobs->why.code == ERR_CONF && room_count("in/done/*") == 0;
		reload("s/mail : {/post : {/");
	}
}

static void
test_folder(void)
{
	begin(ROLE_SCAN, TASK_PAGE, 1);
	day(folder_goes, 20000);
	CHECK(so && sealed(1), "its folder goes while it is composed: it waits until that is there again");
	begin(ROLE_SCAN, TASK_PAGE, 5);
	played.pages = 5;
	played.parts = 3;
	day(folder_goes, 20000);
	CHECK(so && sealed(3), "a stack: too");
}

static void
rule_changes(int second)
{
	if (second == 3) {
		so = core.jobs->busy && core.jobs->failed_once.code == ERR_DOC_CRASH;
		reload("s/40mm/41mm/");
	}
	if (second == 4)
		played.away[ROLE_SCAN] = false;
}

/* Each second or two while its pages are read, for a reader takes three. */
static void
language_changes(int second)
{
	if (second == 3 || second == 7)
		reload("s/\"deu\"/\"eng\"/");
	if (second == 5)
		reload("s/\"eng\"/\"deu\"/");
	if (second == 3)
		so = core.jobs->pages_running > 0;
}

static void
test_reading(void)
{
	begin(ROLE_SCAN, TASK_PAGE, 1);
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .from = 1, .to = 2, .code = ERR_DOC_CRASH, .text = "died" };
	day(rule_changes, 20000);
	CHECK(so && sealed(1) && played.asked[TASK_COMPOSE] == 2, "its rule changes while it is composed by it: it is composed again, without blame");
	begin(ROLE_SCAN, TASK_PAGE, 0);
	played.pages = 4;
	played.page_ms = 3000;
	day(language_changes, 30000);
	CHECK(so && sealed(1) && played.asked[TASK_PAGE] == 4, "other languages while its pages are read: each is read once, and no reader to blame");
}

/* --- its seal -------------------------------------------------------------------------------- */

#define NO_STAMP "s/level = \"B-T\"; tsa = \"test\";/level = \"B-B\";/"

static void
stamp_goes(int second)
{
	if (second == 3) {
		so = core.jobs->busy && core.jobs->state == SPOOL_SIGNED;
		reload(NO_STAMP);
	}
	if (second == 4)
		played.away[ROLE_FETCH] = played.away[ROLE_VERIFY] = false;
}

static void
on_stamp_goes(void *ctx)
{
	(void)ctx;
	so = core.jobs->busy && core.jobs->state == SPOOL_SIGNED;
	reload(NO_STAMP);
}

/* Just before the judge finds the stamp good: the settings come into force behind that, while its revision is begun. */
static void
stamp_goes_late(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_STAMP)
		loop_timer(core.loop, 5, on_stamp_goes, NULL);
}

static void
clock_is_asked(int second)
{
	if (second == 3) {
		so = core.clock_probe == core.jobs && core.jobs->probing && core.jobs->busy;
		reload(NO_STAMP);
	}
	if (second == 4)
		played.away[ROLE_FETCH] = false;
}

static void
test_seal(void)
{
	begin(ROLE_FETCH, TASK_FIELD, 1);
	day(stamp_goes, 20000);
	CHECK(so && sealed(1), "its seal needs no time stamp any more while one is asked for: it goes without");
	begin(ROLE_VERIFY, TASK_STAMP, 1);
	day(stamp_goes, 20000);
	CHECK(so && sealed(1), "while the answer is looked at: too");
	begin(ROLE_FETCH, TASK_STAMP, 0);
	played.token_len = 20000;
	played.twist = stamp_goes_late;
	day(NULL, 20000);
	CHECK(so && sealed(1) && played.asked[TASK_FINISH] == 0, "while a revision is made for a large one: too");
	begin(ROLE_FETCH, TASK_FIELD, 0);
	CHECK(room_once() == EX_OK && sealed(1), "a letter before the clock is set back");
	room_wall_ms -= 3600 * 1000;
	room_drop("Zwei.tif", "another");
	played.away[ROLE_FETCH] = true;
	day(clock_is_asked, 20000);
	CHECK(so && sealed(2) && core.clock_probe == NULL, "while the authority is asked about the clock: too");
	room_wall_ms += 3600 * 1000;
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_folder();
	test_reading();
	test_seal();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
