/*
 * t_people.c - what people do with jobs at work, through the socket and in the spool:
 * when it is too late, too early or in vain they are told so, and the letter goes on.
 */
#include "agent/alive.h"
#include "agent/reload.h"
#include "agent/tokens.h"
#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"

static char id[ID_MAX];

static bool
heard(const char *text)
{
	if (strstr(socket_heard(), text) != NULL)
		return true;
	printf("# %s\n", socket_answer);
	return false;
}

/* About the oldest job at work. */
static void
ask(const char *op, const char *more)
{
	snprintf(id, sizeof(id), "%s", core.jobs != NULL ? core.jobs->claim.id : "00000000");
	socket_say(-1, "{\"op\":\"%s\",\"job\":\"%s\"%s}", op, id, more);
}

static bool
came_back(const char *why)
{
	return room_count("in/error/Brief.tif") == 1 && room_says("in/error/Brief.tif.txt", why) && room_entries(ENTRY_WITHDRAW) == 1 &&
	    room_entries(ENTRY_JOB) == 0 && room_count("in/done/Brief.pdf") == 0 && room_count("state/spool/*/*") == 0 && room_proven();
}

/* --- taken back in time ------------------------------------------------------------------ */

#define MISTAKE ",\"reason\":\"sent by mistake\""

static void
while_read(int second)
{
	if (second == 3) {
		so = room_count("state/spool/claimed/*") == 1 && core.jobs->pages_running > 0;
		ask("withdraw", MISTAKE);
	}
	if (second == 4) {
		so = so && heard("\"state\":\"withdrawing\"");
		played.away[ROLE_SCAN] = false;
	}
}

/* A long scan, whose first page is read while it is looked at. */
static void
while_looked_at(int second)
{
	if (second == 3) {
		so = room_count("state/spool/claimed/*") == 1;
		ask("withdraw", MISTAKE);
	}
	if (second == 4)
		so = so && heard("\"state\":\"withdrawing\"");
}

/* The first page comes back, the others do not for a while. */
static void
no_more_readers(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_PAGE && played.asked[TASK_PAGE] == 1)
		played.away[ROLE_SCAN] = true;
}

static void
while_drawn(int second)
{
	if (second == 3) {
		so = played.asked[TASK_FIELD] == 1 && core.lines->drawn == 1;
		ask("withdraw", MISTAKE);
	}
	if (second == 4) {
		so = so && heard("\"state\":\"withdrawing\"") && core.lines->drawn == 0;
		played.say[0].kind = 0;
		room_drop("Zwei.tif", "another");
	}
}

/* Between the drawing and the token: what was begun with it ends with the withdrawal. */
static void
on_prepares(void *ctx)
{
	struct withdrawal w = { .text = "sent by mistake" };
	struct job *j = core.jobs;
	struct err e;

	(void)ctx;
	so = j->busy && j->task == 0 && j->steps != NULL && job_withdraw(j, &w, &e) == 0 && !j->busy && j->steps == NULL &&
	    core.lines->drawn == 0;
}

static void
prepares(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_FIELD)
		loop_timer(core.loop, 0, on_prepares, NULL);
}

/* The clock was set back: the first asks the authority about it, the second waits for what it hears. */
static void
while_clock_is_asked(int second)
{
	static const struct job *first;

	if (second == 4) {
		first = core.clock_probe;
		so = first != NULL && first == core.jobs && first->busy;
		ask("withdraw", MISTAKE);
	}
	if (second == 6) {
		so = so && heard("\"state\":\"withdrawing\"") && core.clock_probe != NULL && core.clock_probe != first;
		played.away[ROLE_FETCH] = false;
	}
}

static void
while_held(int second)
{
	if (second == 6)
		ask("withdraw", MISTAKE);
	if (second == 7)
		so = heard("\"state\":\"withdrawing\"");
}

static void
test_in_time(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.pages = 5;
	played.twist = no_more_readers;
	day(while_read, 20000);
	CHECK(so && came_back("sent by mistake") && beside->signatures == 0, "withdrawn while its pages are read: it comes back when they are");
	for (int i = 0; i < 3; i++) {
		static const struct {
			uint32_t full_ms, page_ms;
			const char *when;
		} all[] = { { 6000, 100, "looked at, its first page read" }, { 6000, 9000, "looked at and its first page read" },
			{ 100, 9000, "read, its first page the first" } };

		room_empty();
		room_drop("Brief.tif", "a long scan");
		played.pages = 5;
		played.long_scan = true;
		played.full_ms = all[i].full_ms;
		played.page_ms = all[i].page_ms;
		day(while_looked_at, 30000);
		CHECK(so && came_back("sent by mistake") && beside->signatures == 0, "withdrawn while it is %s: it comes back", all[i].when);
	}
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.say[0] = (struct play){ .kind = TASK_FIELD, .mute = true };
	day(while_drawn, 20000);
	CHECK(so && room_entries(ENTRY_WITHDRAW) == 1 && room_count("in/error/Brief.tif") == 1 && beside->signatures == 1,
	    "while its seal is drawn: it comes back, and the token was not asked for it");
	CHECK(room_count("in/done/Zwei.pdf") == 1 && room_count("state/spool/*/*") == 0, "and the token is free for the next");
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.twist = prepares;
	day(NULL, 20000);
	CHECK(so && came_back("sent by mistake") && beside->signatures == 0, "while it is made ready for the token: it comes back");
	played.twist = NULL;
	room_empty();
	room_drop("Erst.tif", "before");
	CHECK(room_once() == EX_OK && beside->signatures == 1, "a letter before the clock is set back");
	room_wall_ms -= 3600 * 1000;
	room_drop("Brief.tif", "a letter");
	room_drop("Zwei.tif", "another");
	played.away[ROLE_FETCH] = true;
	day(while_clock_is_asked, 20000);
	CHECK(so && room_count("in/error/*.tif") == 1 && room_entries(ENTRY_WITHDRAW) == 1 && beside->signatures == 2 &&
	        room_count("state/spool/*/*") == 0 && core.clock_probe == NULL,
	    "while the clock is asked about for all: it comes back, and the next one asks");
	room_wall_ms += 3600 * 1000;
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.hold = ERR_ANCHOR_MANY;
	played.candidates = 2;
	day(while_held, 20000);
	CHECK(so && came_back("sent by mistake") && room_count("in/held/*") == 0, "while it is held: nothing of it stays in held/");
}

/* --- too late, too early ------------------------------------------------------------------- */

static const char *says, *op;

static void
refuses(int second)
{
	if (second == 6)
		ask(op, ",\"reason\":\"so\",\"rule\":\"other\"");
	if (second == 7)
		so = socket_refused("usage", says);
}

static void
check_refused(const char *what, const char *text, const char *name)
{
	op = what;
	says = text;
	day(refuses, 10000);
	CHECK(so, "%s: %s", name, text);
}

/* Somebody puts a file where a folder of ours was. */
static void
in_the_way(uint32_t kind, void *result)
{
	(void)result;
	if (kind == TASK_INSPECT && room_sh("rmdir in/error in/held && touch in/error in/held") != 0)
		play_die("in/error");
}

static void
begin_in_the_way(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.twist = in_the_way;
}

static void
test_too_late(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.away[ROLE_FETCH] = true;
	check_refused("withdraw", "the token was asked for its seal already; use void", "a withdrawal of what is signed");
	check_refused("release", "is not held", "a release of it");
	played.away[ROLE_FETCH] = false;
	CHECK(room_once() == EX_OK && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_WITHDRAW) == 0, "which goes on and is sealed");

	begin_in_the_way();
	played.say[0] = (struct play){ .kind = TASK_PAGE, .code = ERR_DOC_BAD, .text = "torn in the middle" };
	check_refused("withdraw", "is refused already", "a withdrawal of what is being refused");
	played.twist = NULL;
	room_sh("rm in/error in/held");
	CHECK(room_once() == EX_OK && room_count("in/error/Brief.tif") == 1 && room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_WITHDRAW) == 0,
	    "which comes back when it can");

	begin_in_the_way();
	played.hold = ERR_ANCHOR_MANY;
	check_refused("withdraw", "is just being handed out or decided; try again in a moment", "a withdrawal of what is being held");
	CHECK(room_count("state/spool/held/*/question") == 1 && room_count("in/work/Brief.tif") == 1, "which stays where it is, receipt and all");
	played.twist = NULL;
	room_sh("rm in/error in/held");
	CHECK(room_once() == EX_OK && room_count("in/held/Brief.tif") == 1 && room_entries(ENTRY_HOLD) == 1, "and is handed out when it can be");
}

/* --- records of people that are damaged ------------------------------------------------------ */

/* It waits, says why, and is not sealed; another goes by. */
static void
look_at_waiting(int second)
{
	if (second == 2)
		room_drop("Zwei.tif", "another");
	if (second == 19)
		ask("jobs", "");
	if (second == 20)
		so = heard("\"step\":\"waiting\"") && heard(says) && room_count("in/done/Zwei.pdf") == 1;
}

static void
check_waits(const char *state, const char *text, const char *name)
{
	uint32_t before = beside->signatures;
	char pattern[64];

	says = text;
	day(look_at_waiting, 25000);
	snprintf(pattern, sizeof(pattern), "state/spool/%s/*", state);
	CHECK(so && room_count(pattern) == 1 && beside->signatures == before + 1 && room_count("in/done/Brief.pdf") == 0 &&
	        room_count("in/error/*") == 0,
	    "%s: it waits, that is said, and others go by", name);
}

static void
test_damaged(void)
{
	room_empty();
	room_stand_at(TASK_COMPOSE);
	room_sh("cd state/spool/claimed/* && echo nonsense >withdrawn");
	check_waits("claimed", "record withdrawn is damaged", "a withdrawal that can not be read");
	room_sh("cd state/spool/claimed/* && printf '%%s' '{\"v\":1,\"uid\":7,\"text\":\"by mistake\",\"quiet\":false}' >withdrawn; rm -f in/done/*");
	CHECK(room_once() == EX_OK && room_count("in/error/Brief.tif") == 1 && room_entries(ENTRY_WITHDRAW) == 1, "put right: it comes back");

	room_empty();
	room_stand_at(TASK_COMPOSE);
	room_sh("cd state/spool/claimed/* && printf X >>source");
	check_waits("claimed", "is not what was claimed", "a copy in the spool that is longer than it was");
	op = "withdraw";
	check_refused("withdraw", "can not be withdrawn now", "a withdrawal of what is set aside");
	room_empty();
	room_stand_at(TASK_COMPOSE);
	room_sh("cd state/spool/claimed/* && printf X | dd of=source bs=1 seek=5 conv=notrunc 2>/dev/null");
	check_waits("claimed", "is not what was claimed", "one with another byte");
	room_empty();
	room_stand_at(TASK_COMPOSE);
	room_sh("rm state/spool/claimed/*/source");
	check_waits("claimed", "source of job", "one that is gone");
}

/* --- what else may lie in a spool ------------------------------------------------------------- */

static void
test_odd_spool(void)
{
	room_empty();
	room_stand_at(TASK_STAMP);
	room_sh("mkdir -m 700 state/spool/incoming/half && touch state/spool/incoming/half/source state/spool/incoming/stray state/spool/claimed/odd");
	/* what a disk that reorders may leave: the same job in two states */
	room_sh("cp -a state/spool/signed/* state/spool/claimed/");
	CHECK(room_once() == EX_OK && room_count("in/done/Brief.pdf") == 1 && beside->signatures == 1 && room_entries(ENTRY_JOB) == 1,
	    "a job in two states goes on in the later one, once");
	CHECK(room_count("state/spool/incoming/*") == 0 && room_count("state/spool/claimed/*") == 1 && room_count("state/spool/claimed/odd") == 1,
	    "half a copy goes; what is no job is left alone");
	room_empty();
	room_stand_at(TASK_STAMP);
	room_drop("Zwei.tif", "another");
	room_sh("cp -r state/spool/signed/* kept; cd state/spool/signed/* && chmod u+w claim && echo nonsense >claim");
	CHECK(room_once() == EX_TEMPFAIL && room_count("in/done/Zwei.pdf") == 1 && room_count("in/done/Brief.pdf") == 0 && room_count("state/spool/signed/*/sig") == 1,
	    "a job whose claim can not be read is left as it is; others go on");
	room_sh("cp -f kept/claim state/spool/signed/*/claim; rm -rf kept");
	CHECK(room_once() == EX_OK && room_count("in/done/Brief.pdf") == 1 && beside->signatures == 2, "put right: it goes on");
	room_empty();
	room_drop("Brief.tif", "a letter");
	room_sh("mkdir -p -m 700 state/spool/released/01m81mynnqvfzebzdnbm2m34yg");
	CHECK(room_once() == EX_OK && room_count("state/spool/released/*") == 0 && room_count("in/done/Brief.pdf") == 1,
	    "the rest of a job that was done goes");
}

/* --- what can not be read at the start, and later can ---------------------------------------- */

static const char *unreadable; /* a file of the job */

static void
readable_again(int second)
{
	if (second == 1) {
		room_drop("Zwei.tif", "another");
		room_drop("Gleich.tif", "b letter"); /* of the same size */
	}
	if (second == 19)
		socket_say(-1, "{\"op\":\"jobs\"}");
	if (second == 20) {
		so = heard("\"step\":\"waiting\"") && heard("Permission denied") && room_count("in/done/Zwei.pdf") == 1 &&
		    room_count("in/done/Brief*") == 0 && room_count("in/work/*Brief.tif") + room_count("in/work/*/Brief.tif") == 1;
		room_sh("chmod 600 state/spool/*/*/%s", unreadable);
	}
}

static void
folder_of_ours(bool shared)
{
	room_settings(shared ? "claim = \"rename\";" : "");
	if (shared)
		room_sh("echo 'host = \"scan-a\";' >>sealroom.conf");
}

static void
check_readable_again(const char *file, uint32_t kind, bool shared, const char *name)
{
	room_empty();
	folder_of_ours(shared);
	room_stand_at(kind);
	unreadable = file;
	room_sh("chmod 0 state/spool/*/*/%s", file);
	so = false;
	day(readable_again, 120000);
	CHECK(so, "%s: it waits, that is said, others go by, and its receipt stays", name);
	CHECK(room_count("in/done/*") == 3 && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_JOB) == 3 && beside->signatures == 3 &&
	        room_count("state/spool/*/*") == 0 && room_count("in/work/*/*") == 0 && room_proven(),
	    "%s: when it can be read it goes on by itself, and each document is sealed once", name);
}

/* Taken by its name and never committed: it goes back when no job can be its owner any more. */
static void
check_put_back_late(void)
{
	room_empty();
	folder_of_ours(true);
	room_stand_at(TASK_PAGE);
	unreadable = "claim";
	room_sh("chmod 0 state/spool/*/*/claim; cp in/work/*/Brief.tif $(echo in/work/*)/Rest.tif");
	day(readable_again, 120000);
	CHECK(room_count("in/done/*") == 4 && room_count("in/done/Rest.pdf") == 1 && room_entries(ENTRY_JOB) == 4 && room_proven(),
	    "what was taken and never safe goes back as soon as all jobs are known");
}

static void
test_readable_again(void)
{
	check_readable_again("claim", TASK_PAGE, false, "a claim");
	check_readable_again("claim", TASK_PAGE, true, "a claim in a shared folder");
	check_readable_again("claim", TASK_STAMP, true, "one whose token was asked");
	check_readable_again("source", TASK_PAGE, false, "a copy");
	check_put_back_late();
	folder_of_ours(false);
}

/* --- receipts, pauses, what was ---------------------------------------------------------------- */

static void
take_receipt(int second)
{
	if (second == 3)
		so = unlinkat(room_fd, "in/work/Brief.tif", 0) == 0;
	if (second == 10)
		played.away[ROLE_FETCH] = false;
}

static void
test_receipt_too_late(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.away[ROLE_FETCH] = true;
	day(take_receipt, 30000);
	CHECK(so && room_entries(ENTRY_NOTE) == 1 && room_says("archive/evidence/journal", "its receipt was removed after the token was asked, without effect"),
	    "a receipt that is taken too late is a note in the log, once");
	CHECK(room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_WITHDRAW) == 0 && room_entries(ENTRY_JOB) == 1 && room_proven(),
	    "and the letter is sealed");
}

/* So that something can happen to the folder first. */
static void
slow_to_settle(int s)
{
	room_sh("sed -i 's/settle = \"1s\"/settle = \"%ds\"/' sealroom.conf", s);
}

/* Two letters of one name, whose receipts the folder refuses first and then does not; the second one's is taken out. */
static void
same_name(int second)
{
	switch (second) {
	case 1:
		room_sh("chmod 555 in/work");
		break;
	case 3:
		so = room_count("state/spool/rendered/*") == 1 && room_count("in/Brief.tif") == 1 && room_count("in/work/*") == 0;
		room_sh("chmod 755 in/work");
		room_drop("Brief.tif", "another letter");
		break;
	case 6:
		so = so && room_count("state/spool/rendered/*") == 2 && room_count("in/Brief.tif") == 0 && room_count("in/work/Brief*.tif") == 1;
		room_sh("rm in/work/Brief*.tif");
		break;
	case 10:
		so = so && room_count("state/spool/rendered/*") == 1 && room_entries(ENTRY_WITHDRAW) == 1;
		played.no_token = false;
		break;
	}
}

static void
test_receipt_of_another(void)
{
	room_empty();
	slow_to_settle(2);
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(same_name, 30000);
	CHECK(so && room_entries(ENTRY_WITHDRAW) == 1 && room_entries(ENTRY_JOB) == 1 && room_count("in/done/Brief.pdf") == 1 && room_proven(),
	    "a receipt that is taken out withdraws its own letter, not one that never had its receipt");
	room_settings("");
}

static void
put_back(int second)
{
	if (second == 8)
		so = room_count("state/spool/rendered/*") == 1 && room_sh("mv in/work/Brief.tif in/Brief.tif") == 0;
	if (second == 11)
		so = so && room_entries(ENTRY_WITHDRAW) == 1 && room_count("state/spool/*/*") == 0 && room_count("in/Brief.tif") == 1;
	if (second == 20)
		played.no_token = false;
}

static void
test_put_back(void)
{
	room_empty();
	slow_to_settle(5);
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(put_back, 60000);
	CHECK(so && room_entries(ENTRY_WITHDRAW) == 1 && room_entries(ENTRY_JOB) == 1 && room_count("in/done/Brief.pdf") == 1 &&
	        room_count("in/Brief.tif") == 0 && room_proven(),
	    "a receipt that is put back into the folder is withdrawn, and delivered anew");
	room_settings("");
}

/* The same file again, times and all, while it is at work. */
static void
dropped_again(int second)
{
	if (second == 4)
		so = room_count("state/spool/rendered/*") == 1 && room_sh("cp -p in/work/Brief.tif in/Brief.tif") == 0;
	if (second == 8)
		played.no_token = false;
}

static void
test_dropped_again(void)
{
	room_empty();
	room_settings("duplicates = \"refuse\";");
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(dropped_again, 30000);
	CHECK(so && room_entries(ENTRY_JOB) == 1 && room_entries(ENTRY_REJECT) == 1 && room_count("in/done/Brief.pdf") == 1 &&
	        room_says("in/error/Brief.tif.txt", "duplicate") && room_count("in/Brief.tif") == 0 && room_proven(),
	    "the same file dropped again while it is at work is a duplicate like any other");
	room_settings("");
}

/* ... and its twin is sealed and logged, and can not be released. */
static void
dropped_behind(int second)
{
	switch (second) {
	case 4:
		room_sh("chmod 555 in/work");
		played.no_token = false;
		break;
	case 8:
		so = room_count("state/spool/logged/*") == 1 && room_sh("cp -p in/work/Brief.tif in/Brief.tif") == 0;
		break;
	case 14:
		so = so && room_count("state/spool/logged/*") == 1 && room_entries(ENTRY_REJECT) == 1 && room_count("in/error/Brief.tif") == 1;
		room_sh("chmod 755 in/work");
		break;
	}
}

static void
test_dropped_behind(void)
{
	room_empty();
	room_settings("duplicates = \"refuse\";");
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(dropped_behind, 60000);
	CHECK(so && room_entries(ENTRY_JOB) == 1 && room_entries(ENTRY_REJECT) == 1 && room_count("in/Brief.tif") == 0 && room_count("in/work/*") == 0 &&
	        room_count("state/spool/*/*") == 0 && room_proven(),
	    "also when that one only waits for its folder");
	room_settings("");
}

/* A folder that takes nothing back, as a sticky or a read-only one, and one beside it. */
static void
takes_nothing_back(int second)
{
	switch (second) {
	case 1:
		room_sh("chmod 555 in in/work");
		break;
	case 20:
		so = room_count("state/spool/logged/*") == 3 && room_count("in/done/*.pdf") == 3 && room_count("in/*.tif") == 5;
		room_sh("cp in/1.tif two/Zwei.tif");
		break;
	case 40:
		so = so && room_count("two/done/Zwei.pdf") == 1 && room_count("two/Zwei.tif") == 0 && room_entries(ENTRY_JOB) == 4 &&
		    room_count("state/spool/*/*") == 3 && room_count("in/*.tif") == 5;
		room_sh("chmod 755 in in/work");
		break;
	}
}

static void
test_takes_nothing_back(void)
{
	char two[400];

	room_empty();
	snprintf(two, sizeof(two), "}; two : { path = \"%s/two\"; rules = [ \"all\" ]; seals = [ \"stamp\" ]; status_file = false;", room);
	room_settings(two);
	slow_to_settle(2);
	room_sh("sed -i 's/^language/max_jobs = 3; language/' sealroom.conf; mkdir two; for i in 1 2 3 4 5; do echo letter $i >in/$i.tif; done");
	day(takes_nothing_back, 7200000);
	CHECK(so, "as many as may be wait for a folder that takes nothing back, its others stay, and another folder's go on");
	CHECK(room_entries(ENTRY_JOB) == 6 && room_count("in/done/*.pdf") == 5 && room_count("in/*.tif") == 0 && room_count("state/spool/*/*") == 0 && room_proven(),
	    "when it does again each is released, and sealed once");
	room_sh("rm -rf two");
	room_settings("");
}

static void
never_moved(int second)
{
	if (second == 1)
		room_sh("chmod 555 in/work");
	if (second == 8)
		so = room_count("state/spool/rendered/*") == 1 && room_count("in/Brief.tif") == 1;
	if (second == 8)
		played.no_token = false;
}

static void
test_never_moved(void)
{
	room_empty();
	room_settings("duplicates = \"refuse\";");
	slow_to_settle(2);
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(never_moved, 30000);
	CHECK(so && room_entries(ENTRY_JOB) == 1 && room_entries(ENTRY_REJECT) == 0 && room_count("in/Brief.tif") == 0,
	    "one that a share would not move is none: it goes with its job");
	room_settings("");
}

static void
pauses(int second)
{
	switch (second) {
	case 1:
		socket_say(-1, "{\"op\":\"pause\",\"reason\":\"stocktaking\"}");
		break;
	case 2:
		so = heard("stocktaking");
		socket_say(-1, "{\"op\":\"pause\",\"reason\":\"another\"}");
		break;
	case 3:
		so = so && heard("stocktaking") && strstr(socket_answer, "another") == NULL;
		socket_say(-1, "{\"op\":\"resume\",\"folder\":\"post\"}");
		break;
	case 4:
		so = so && socket_refused("usage", "all folders are paused together: resume all");
		socket_say(-1, "{\"op\":\"pause\",\"folder\":\"nowhere\"}");
		break;
	case 5:
		so = so && socket_refused("usage", "no folder of that name");
		room_drop("Brief.tif", "a letter");
		break;
	case 12:
		so = so && room_count("in/Brief.tif") == 1 && room_count("state/spool/*/*") == 0;
		socket_say(-1, "{\"op\":\"resume\"}");
		break;
	case 13:
		so = so && heard("\"paused\":[]");
		socket_say(-1, "{\"op\":\"resume\"}");
		break;
	case 14:
		so = so && heard("\"paused\":[]");
		break;
	}
}

static void
test_pause(void)
{
	room_empty();
	day(pauses, 30000);
	CHECK(so && room_count("in/done/Brief.pdf") == 1, "all folders are paused at once, and go on at once");
	if (room_sh("echo '{\"v\":1,\"paused\":[{\"folder\":7}]}' >state/paused.json") != 0)
		play_die("paused.json");
	CHECK(room_open(false) == -ERR_CONF && strstr(room_why.text, "paused.json is damaged: look which folders are to be paused") != NULL,
	    "a record of pauses that is damaged: the daemon does not guess, and does not start");
	core_close(&core);
	room_sh("rm state/paused.json; mkdir state/paused.json");
	CHECK(room_open(false) == -ERR_IO, "one that can not be read: nor then");
	core_close(&core);
}

static void
histories(int second)
{
	static char done[ID_MAX];
	static int events;

	switch (second) {
	case 1:
		socket_say(-1, "{\"op\":\"events\",\"after\":999999}");
		break;
	case 3:
		events = heard("\"next\":") ? atoi(strstr(socket_answer, "\"next\":") + 7) : -1;
		snprintf(done, sizeof(done), "%s", core.jobs != NULL ? core.jobs->claim.id : "none");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%.7s\"}", done);
		break;
	case 4:
		so = socket_refused("usage", "give 8 to 26 characters of the job's id");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%.8s\"}", done);
		break;
	case 5:
		so = so && socket_refused("usage", "more than one job begins so");
		played.no_token = false;
		break;
	case 15:
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%.8s\"}", done);
		break;
	case 16:
		so = so && socket_refused("usage", "begin so; give more characters");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%s\"}", done);
		break;
	case 17:
		so = so && heard("\"sealed\":true") && heard("\"void\":false") && heard("\"archive\":\"2");
		socket_say(-1, "{\"op\":\"void\",\"job\":\"%s\",\"reason\":\"wrong addressee\"}", done);
		break;
	case 18:
		so = so && heard("\"again\":false");
		socket_say(-1, "{\"op\":\"void\",\"job\":\"%s\",\"reason\":\"wrong addressee\"}", done);
		break;
	case 19:
		so = so && heard("\"again\":true");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%s\"}", done);
		break;
	case 20:
		so = so && heard("\"void\":true") && heard("wrong addressee");
		socket_say(-1, "{\"op\":\"job\",\"job\":\"00000000\"}");
		break;
	case 21:
		so = so && socket_refused("usage", "neither the spool nor the log has such a job");
		socket_say(-1, "{\"op\":\"events\",\"after\":%d}", events);
		break;
	case 22:
		so = so && heard("\"event\":\"job\"") && heard("\"event\":\"void\"") && heard("wrong addressee");
		socket_say(-1, "{\"op\":\"events\",\"after\":%d}", events + 2);
		break;
	case 23:
		so = so && heard("\"event\":\"void\"") && strstr(socket_answer, "\"event\":\"job\"") == NULL;
		break;
	}
}

static void
test_history(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	room_drop("Zwei.tif", "another");
	played.no_token = true;
	day(histories, 30000);
	CHECK(so && room_entries(ENTRY_VOID) == 1 && room_entries(ENTRY_JOB) == 2 && room_proven(),
	    "a job is found by the beginning of its id, at work and when done, if only one begins so; void is said once");
}

#define IN_LINE 12

static void
drop_line(void)
{
	char name[16];

	room_empty();
	for (int i = 0; i < IN_LINE; i++) {
		snprintf(name, sizeof(name), "%d.tif", i);
		room_drop(name, name);
	}
}

static void
in_line(int second)
{
	if (second == 5) {
		so = room_count("state/spool/rendered/*") == IN_LINE && beside->signatures == 0;
		played.no_token = false;
	} else if (second == 6) {
		so = so && beside->signatures == IN_LINE;
	}
}

/* Who gives the token back calls the next one: nobody looks for himself whether it is free in all that time. */
static void
test_in_line(void)
{
	drop_line();
	played.no_token = true;
	day(in_line, 10000);
	CHECK(so && room_entries(ENTRY_JOB) == IN_LINE, "a token that is free again has signed all that wait within a second");
}

static void
in_line_drawn(int second)
{
	switch (second) {
	case 1:
		core.children->token.busy = true;
		break;
	case 5:
		so = played.asked[TASK_FIELD] == 8 && core.lines->drawn == 8 && room_count("state/spool/rendered/*/prep") == 8;
		break;
	case 30: /* other settings, another certificate, an age: each draws anew what is drawn already */
		so = so && played.asked[TASK_FIELD] == 8 && core_reload(&core, &room_why) == 0;
		break;
	case 35:
		so = so && played.asked[TASK_FIELD] == 16;
		core.children->token_facts.cert_hash[0]++;
		break;
	case 40:
		so = so && played.asked[TASK_FIELD] == 24;
		break;
	case 110:
		so = so && played.asked[TASK_FIELD] == 32 && core.lines->drawn == 8 && room_count("state/spool/rendered/*/attempt") == 0;
		ask("withdraw", MISTAKE);
		break;
	case 111:
		so = so && heard("\"state\":\"withdrawing\"") && beside->signatures == 0;
		play_token_free(&core.children->token);
		break;
	case 112:
		so = so && beside->signatures == IN_LINE - 1 && core.lines->drawn == 0;
		break;
	}
}

/* A token that signs for long: some stamps are drawn meanwhile, for the token, the settings and the time of then. */
static void
test_in_line_drawn(void)
{
	drop_line();
	day(in_line_drawn, 120000);
	CHECK(so && room_entries(ENTRY_JOB) == IN_LINE - 1 && room_entries(ENTRY_WITHDRAW) == 1 && room_entries(ENTRY_ORPHAN) == 0 &&
	    room_proven(), "8 stamps wait for a token, are drawn anew when they are not right any more, and can be taken back");
}

/* The log is longer than what is read in a turn, and the clock was another when the job was made. */
static void
long_history(int second)
{
	static char first[ID_MAX];

	if (second == 2) {
		snprintf(first, sizeof(first), "%s", core.jobs->claim.id);
		for (int i = 0; i < 300; i++) {
			struct entry x = { .type = ENTRY_NOTE, .text = "one of many" };
			uint64_t at;
			struct err e;

			if (logbook_append(&core, &x, &at, &e) < 0)
				play_die(e.text);
		}
		logbook_commit_soon(&core);
		played.no_token = false;
	}
	if (second == 10)
		socket_say(-1, "{\"op\":\"job\",\"job\":\"%s\"}", first);
	if (second == 11) {
		so = heard("\"sealed\":true");
		room_wall_ms += 100 * 24 * 3600 * INT64_C(1000);
	}
	if (second == 14)
		socket_say(-1, "{\"op\":\"job\",\"job\":\"0%.25s\"}", first + 1);
	if (second == 15)
		room_wall_ms -= 100 * 24 * 3600 * INT64_C(1000);
	if (second == 16)
		so = so && heard("\"sealed\":true");
}

static void
test_long_history(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.no_token = true;
	day(long_history, 30000);
	CHECK(so && room_entries(ENTRY_NOTE) >= 300, "in a long log, too");
}

/* --- tickets that are put into held/ ---------------------------------------------------------- */

static void
among_many(int second)
{
	if (second == 6)
		so = room_count("in/held/Brief.tif") == 1 &&
		    room_sh("cd in/held && for i in 11 12 13 14 15 16 17 18 19; do seq -f $i-%%g.pdf 1000 | xargs touch && echo '{}' >$i.ticket; done") == 0;
	if (second == 12)
		so = so && room_count("in/held/*.ticket") == 0 && room_count("in/held/*.pdf") == 9000;
}

/* The other waits for its way back, and with it what is known of its ticket. */
static void
beside_a_long_one(int second)
{
	if (second == 6) {
		room_drop("Zwei.tif", "another");
		so = room_sh("rmdir in/error; touch in/error; truncate -s 1T in/Zwei.tif.ticket") == 0;
	}
	if (second == 12)
		so = so && room_count("state/spool/refused/*") == 1 && room_sh("truncate -s 1T in/held/z.ticket") == 0;
	if (second == 15)
		so = so && room_count("state/spool/refused/*") == 1 && room_count("in/held/z.ticket") == 0 && room_count("in/z.ticket") == 1;
}

static void
test_beside_held(void)
{
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.hold = ERR_ANCHOR_MANY;
	day(among_many, 14000);
	CHECK(so, "tickets among thousands of files in held/ are all found");
	room_empty();
	room_drop("Brief.tif", "a letter");
	played.hold = ERR_ANCHOR_MANY;
	room_settings("ticket = \"optional\";");
	alarm(100); /* the whole of it would take an hour to read */
	day(beside_a_long_one, 17000);
	alarm(0);
	room_settings("");
	CHECK(so, "one that is longer than a ticket can be is not read to see whose it is");
}

/* --- one that waits for another -------------------------------------------------------------- */

#define LONG (ALIVE_IDLE_MS / 1000 + 300)

static bool
one_waits(const char *why)
{
	const struct job *j = core.jobs;

	while (j != NULL && strstr(j->why.text, why) == NULL)
		j = j->next;
	return j != NULL && j->why.code == ERR_LATER && j->stalled;
}

static void
same_reference(int second)
{
	if (second == 5)
		room_sh("cp -p in/work/Brief.tif in/Zwei.tif; echo '{\"v\":1,\"reference\":\"R-1\"}' >in/Zwei.tif.ticket");
	if (second != LONG)
		return;
	so = one_waits("has the same reference, and goes first") && alive_complaint(&core, clock_ms(), true) == NULL;
	played.say[0].kind = 0;
}

/* Between two tries to hand it out. */
static void
decided_early(int second)
{
	if (second == 4)
		played.twist = NULL;
	if (second == 5)
		room_sh("printf '{\"v\":1,\"sha256\":\"%%s\",\"decision\":{\"rule\":\"other\"}}' $(sha256sum in/work/Brief.tif | cut -d' ' -f1) >in/Brief.tif.ticket");
	if (second > 5 && second < 15)
		so = so || one_waits("what it decides about is just being handed out");
	if (second == 15)
		room_sh("rm in/held");
}

/* For longer than any step may take: neither is stuck. */
static void
test_waits_for_another(void)
{
	int64_t began;

	room_empty();
	room_settings("ticket = \"optional\";");
	room_drop("Brief.tif", "a letter");
	room_sh("echo '{\"v\":1,\"reference\":\"R-1\"}' >in/Brief.tif.ticket");
	played.say[0] = (struct play){ .kind = TASK_STAMP, .code = ERR_TSA_DOWN, .text = "none" };
	day(same_reference, (LONG + 100) * 1000);
	CHECK(so && room_entries(ENTRY_JOB) == 1 && room_entries(ENTRY_REPEAT) == 1 && room_proven(),
	    "the same document again, while the first waits for its time stamp: it waits, and says for what");
	room_empty();
	room_settings("ticket = \"optional\";");
	room_drop("Brief.tif", "a letter");
	room_sh("echo '{\"v\":1,\"reference\":\"R-1\"}' >in/Brief.tif.ticket; cp in/Brief.tif in/Zwei.tif; cp in/Brief.tif.ticket in/Zwei.tif.ticket");
	played.say[0] = (struct play){ .kind = TASK_STAMP, .code = ERR_TSA_DOWN, .text = "none" };
	began = room_ms;
	CHECK(room_once() == EX_TEMPFAIL && room_ms - began < (int64_t)ALIVE_IDLE_MS, "a single run gives it up as it does the first");
	begin_in_the_way();
	room_sh("sed -i \"1s/^/operators = [ \\\"$(id -un)\\\" ]; /\" sealroom.conf");
	played.hold = ERR_ANCHOR_MANY;
	day(decided_early, 100000);
	CHECK(so && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_RELEASE) == 1 && room_proven(),
	    "a decision about what can not be handed out yet: it waits, and has its effect then");
	room_settings("");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_in_time();
	test_too_late();
	test_damaged();
	test_odd_spool();
	test_readable_again();
	test_receipt_too_late();
	test_receipt_of_another();
	test_put_back();
	test_dropped_again();
	test_dropped_behind();
	test_takes_nothing_back();
	test_never_moved();
	test_pause();
	test_history();
	test_in_line();
	test_in_line_drawn();
	test_long_history();
	test_beside_held();
	test_waits_for_another();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
