/*
 * t_submit.c - a document that comes through the socket: what is answered, when, and what is left of what was not taken.
 */
#include "tests/unit/roomsocket.h"
#include "tests/unit/test.h"

static int given = -1;          /* the file that is passed */
static char first[ID_MAX];      /* the job of an answer */

static void
give(const char *bytes)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/passed", room);
	if (given >= 0)
		close(given);
	if (room_sh("printf 'II*\\0%s' >passed", bytes) != 0 || (given = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		play_die("a file to pass");
}

static void
submit(const char *name)
{
	socket_say(given, "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"%s\"}", name);
}

/* The answer names a job; of them the number. */
static bool
taken(char id[ID_MAX], bool again)
{
	const char *p = strstr(socket_heard(), "\"job\":\"");

	if (p == NULL || strstr(socket_answer, again ? "\"again\":true" : "\"again\":false") == NULL)
		return false;
	snprintf(id, ID_MAX, "%s", p + 7);
	return id_valid(id);
}

static bool
nothing_left(void)
{
	return room_count("state/spool/*/*") == 0 && room_count("in/work/*") == 0;
}

/* --- taken ------------------------------------------------------------------------------- */

static void
twice(int second)
{
	char second_id[ID_MAX];

	if (second == 1 || second == 4 || second == 8)
		submit("Brief.tif");
	if (second == 3)
		so = taken(first, false) && room_count("state/spool/rendered/*") == 1;
	if (second == 6) {
		so = so && taken(second_id, true) && strcmp(first, second_id) == 0;
		played.no_token = false;
	}
	if (second == 10)
		so = so && taken(second_id, true) && strcmp(first, second_id) == 0;
}

static void
test_taken(void)
{
	room_empty();
	give("a letter");
	played.no_token = true;
	day(twice, 60000);
	CHECK(so, "the answer is the job's number; asked again it is the same, while it waits and when it is done");
	CHECK(room_count("in/done/Brief.pdf") == 1 && room_count("in/done/*") == 1 && room_entries(ENTRY_JOB) == 1 && nothing_left() && room_proven(),
	    "and it was sealed once");
}

static void
leaves(int second)
{
	if (second == 1)
		submit("Brief.tif");
	if (second == 2)
		socket_gone();
}

static void
test_gone(void)
{
	room_empty();
	give("a letter");
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .from = 1, .to = 1, .code = ERR_DOC_BAD, .text = "odd" };
	day(leaves, 60000);
	CHECK(nothing_left() && room_count("in/done/*") + room_count("in/error/Brief.tif") == 1, "who does not wait for the answer has handed it in");
}

static void
lies(int second)
{
	if (second == 1)
		submit("Brief.tif");
	if (second == 3)
		so = taken(first, false);
}

static void
test_looked_at(void)
{
	room_empty();
	give("a letter");
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .code = ERR_DOC_BAD, .text = "torn in the middle" };
	day(lies, 60000);
	CHECK(so && room_count("in/error/Brief.tif") == 1 && room_entries(ENTRY_REJECT) == 1, "a damaged one is taken, and refused in the folder");
	room_empty();
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .from = 1, .to = 1, .lie = true };
	day(lies, 60000);
	CHECK(so && room_count("in/done/Brief.pdf") == 1, "of a look that is nonsense nothing is kept: the job looks itself");
}

/* --- not taken --------------------------------------------------------------------------- */

static const struct bad {
	const char *name;
	struct play look;
	const char *word, *text;
} *bad, bad_looks[] = {
	{ "one that is not whole", { .kind = TASK_INSPECT, .code = ERR_DOC_INCOMPLETE, .text = "ends early" }, "document-incomplete", "ends early" },
	{ "an empty one", { .kind = TASK_INSPECT, .code = ERR_DOC_EMPTY, .text = "no byte" }, "document-empty", "no byte" },
	{ "one whose reader is lost", { .kind = TASK_INSPECT, .code = ERR_CHILD, .text = "it ended", .lost = true }, "child-lost", "it ended" },
};

static void
refused(int second)
{
	if (second == 1)
		submit("Brief.tif");
	if (second == 3)
		so = socket_refused(bad->word, bad->text);
}

static void
test_refused_looks(void)
{
	give("a letter");
	for (size_t i = 0; i < sizeof(bad_looks) / sizeof(bad_looks[0]); i++) {
		bad = &bad_looks[i];
		room_empty();
		played.say[0] = bad->look;
		day(refused, 10000);
		CHECK(so && nothing_left() && room_count("in/*/*") == 0, "%s is not taken, and that is said", bad->name);
	}
}

static const char *asked, *word, *text;
static int with;

static void
asks(int second)
{
	if (second == 1)
		socket_say(with, "%s", asked);
	if (second == 2)
		so = socket_refused(word, text);
}

static void
check_no(int fd, const char *request, const char *error, const char *says, const char *what)
{
	with = fd;
	asked = request;
	word = error;
	text = says;
	day(asks, 4000);
	CHECK(so && nothing_left() && room_count("in/*/*") == 0, "%s: not taken, and said", what);
}

static void
test_refused_requests(void)
{
	static const struct {
		const char *name, *request, *text;
	} cases[] = {
		{ "no folder", "{\"op\":\"submit\",\"name\":\"Brief.tif\"}", "no folder of that name" },
		{ "a folder that there is not", "{\"op\":\"submit\",\"folder\":\"nowhere\",\"name\":\"Brief.tif\"}", "no folder of that name" },
		{ "no name", "{\"op\":\"submit\",\"folder\":\"post\"}", "a plain file name is needed" },
		{ "an empty name", "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"\"}", "a plain file name is needed" },
		{ "a name with a way in it", "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"../a\"}", "a plain file name is needed" },
		{ "a name of ours", "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"done\"}", "a plain file name is needed" },
		{ "a name that is ignored in the folder", "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"a.part\"}", "a plain file name is needed" },
	};
	static const char brief[] = "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"Brief.tif\"}";
	char path[128], longer[400];
	int fd;

	room_empty();
	give("a letter");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_no(given, cases[i].request, "usage", cases[i].text, cases[i].name);
	snprintf(longer, sizeof(longer), "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"%0256d\"}", 0);
	check_no(given, longer, "usage", "a plain file name is needed", "a name of 256 bytes");
	check_no(room_fd, brief, "usage", "a regular file", "a directory");
	snprintf(path, sizeof(path), "%s/passed", room);
	if ((fd = open(path, O_PATH | O_CLOEXEC)) < 0)
		play_die(path);
	check_no(fd, brief, "usage", "a regular file", "a descriptor that is only a name");
	close(fd);
	if ((fd = open(path, O_WRONLY | O_CLOEXEC)) < 0)
		play_die(path);
	check_no(fd, brief, "usage", "a regular file", "one that can not be read");
	close(fd);
	if ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		play_die(path);
	check_no(given, brief, "io", "open for writing", "one that a program still writes");
	close(fd);
}

/* A program wants to write behind the copy, before that is a job; and it does not have to wait for us. */
static void
changes(int second)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/passed", room);
	if (second == 1) {
		played.away[ROLE_SCAN] = true;
		submit("Brief.tif");
	}
	if (second == 3)
		so = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0 && errno == EWOULDBLOCK;
	if (second == 4) {
		so = so && (fd = open(path, O_WRONLY | O_NONBLOCK | O_APPEND | O_CLOEXEC)) >= 0;
		if (so && write(fd, "more", 4) == 4)
			close(fd);
		played.away[ROLE_SCAN] = false;
	}
	if (second == 6)
		so = so && socket_refused("io", "a program wants to write to it again");
}

static void
paused(int second)
{
	if (second == 1)
		socket_say(-1, "{\"op\":\"pause\",\"folder\":\"post\",\"reason\":\"stocktaking\"}");
	if (second == 2)
		submit("Brief.tif");
	if (second == 3)
		so = socket_refused("not-now", "folder post is paused");
}

/* One job is enough: the second must wait, and is taken when the first is done. */
static void
full(int second)
{
	if (second == 1)
		submit("Brief.tif");
	if (second == 3) {
		so = taken(first, false);
		give("another");
		submit("Zwei.tif");
	}
	if (second == 4) {
		so = so && socket_refused("not-now", "1 unfinished jobs are enough (max_jobs)");
		played.no_token = false;
	}
	if (second == 20)
		submit("Zwei.tif");
	if (second == 22)
		so = so && taken(first, false);
}

static void
starting(int second)
{
	if (second == 1)
		submit("Brief.tif");
	if (second == 2)
		so = socket_refused("not-now", "the daemon is just starting");
}

static void
ending(int second)
{
	if (second == 2) {
		played.say[0] = (struct play){ .kind = PLAY_NOTE, .mute = true };
		core_stop(&core, EX_OK);
		submit("Brief.tif");
	}
	if (second == 3)
		so = socket_refused("not-now", "the daemon is just ending");
}

static void
test_not_now(void)
{
	room_empty();
	give("a letter");
	day(changes, 20000);
	CHECK(so && nothing_left() && room_count("in/*/*") == 0, "a file that changes behind the copy is not taken");
	room_empty();
	give("a letter");
	day(paused, 6000);
	CHECK(so && nothing_left(), "nothing for a folder that is paused");
	room_empty();
	played.away[ROLE_SEAL] = true;
	day(starting, 4000);
	CHECK(so && nothing_left(), "nothing before the log has proven itself");
	room_empty();
	day(ending, 10000);
	CHECK(so && nothing_left(), "nothing at the end");
	room_empty();
	if (room_sh("sed -i 's/^language/max_jobs = 1; &/' sealroom.conf") != 0)
		play_die("settings");
	played.no_token = true;
	day(full, 60000);
	CHECK(so && room_count("in/done/*") == 2 && nothing_left(), "no more than max_jobs at once; the next is taken when one is done");
	room_settings("");
}

static void
test_size(void)
{
	char many[4096];

	room_empty();
	if (room_sh("sed -i 's/^scan : {/& max_bytes = \"1KiB\";/' sealroom.conf") != 0)
		play_die("settings");
	memset(many, 'x', 2000);
	many[2000] = '\0';
	give(many);
	check_no(given, "{\"op\":\"submit\",\"folder\":\"post\",\"name\":\"Brief.tif\"}", "document-too-large", "2004 bytes, and scan.max_bytes is 1024",
	    "more bytes than may be");
	room_settings("");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_taken();
	test_gone();
	test_looked_at();
	test_refused_looks();
	test_refused_requests();
	test_not_now();
	test_size();
	socket_gone();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
