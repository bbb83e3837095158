/*
 * t_restore.c - an older spool beside a newer log: what the log knows to be final is
 * not done again, and comes back to its sender.
 */
#include "agent/resume.h"
#include "tests/unit/coreroom.h"
#include "tests/unit/test.h"

static void
stand_held(void)
{
	room_drop("Brief.tif", "a letter");
	played.hold = ERR_ANCHOR_MANY;
	if (room_once() != EX_OK || room_count("state/spool/held/*") != 1)
		play_die(room_why.text);
}

/* A backup of the spool, now; and its return, when all that was handed out meanwhile is gone. */
static void
keep_spool(void)
{
	room_sh("rm -rf kept && cp -a state kept");
}

/* The spool of one document, a task of this kind under way. */
static void
kept_at(uint32_t kind)
{
	room_empty();
	room_stand_at(kind);
	keep_spool();
}

/* That of one which a person was asked about. */
static void
kept_held(void)
{
	room_empty();
	stand_held();
	keep_spool();
}

/* What a person wants of that document. */
static void
person(const char *state, const char *record, const char *json)
{
	if (room_sh("cd state/spool/%s/* && printf '%%s' '%s' >%s", state, json, record) != 0)
		play_die(record);
}

#define DECISION(rule, again, reject) \
	"{\"n\":1,\"rule\":\"" rule "\",\"at\":false,\"page\":0,\"x_mpt\":0,\"y_mpt\":0,\"again\":" again ",\"reject\":\"" reject "\",\"uid\":7}"
#define WITHDRAWAL "{\"v\":1,\"uid\":7,\"text\":\"sent by mistake\",\"quiet\":false}"

static void
older_spool(void)
{
	room_sh("rm -rf state && cp -a kept state && find in -type f -delete");
}

static void
later_sealed(void)
{
	if (room_once() != EX_OK || room_entries(ENTRY_JOB) != 1)
		play_die(room_why.text);
	older_spool();
}

/* A run of the older spool hands out what the archive has, and adds nothing to the log's documents. */
static bool
handed_out(void)
{
	return room_once() == EX_OK && room_sh("cmp -s in/done/Brief.pdf archive/2*/*/*/*/sealed.pdf") == 0 && room_entries(ENTRY_JOB) == 1 &&
	    beside->signatures == 1 && room_count("state/spool/*/*") == 0 && room_count("in/error/*") == 0 && room_proven();
}

static void
test_sealed(void)
{
	static const struct {
		const char *name;
		uint32_t kind;
	} cases[] = { { "that was not read yet", TASK_PAGE }, { "that was being composed", TASK_COMPOSE }, { "that waited for its stamp", TASK_FIELD },
		{ "that was signed", TASK_STAMP }, { "that was being judged", TASK_JUDGE } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kept_at(cases[i].kind);
		later_sealed();
		CHECK(handed_out(), "a document %s, and is in the archive: handed out from there, not sealed again", cases[i].name);
	}
	kept_held();
	person("held", "decision", DECISION("other", "false", ""));
	later_sealed();
	CHECK(handed_out() && room_entries(ENTRY_RELEASE) == 1, "one that was held, and was released since: too, and nobody is asked again");
}

/* Says what is wrong, where a person looks; the other documents go on. */
static bool
set_aside(const char *text)
{
	json_t *o;
	bool said = false;

	room_drop("Zwei.tif", "another");
	if (room_open(false) < 0 || room_run(20000) != 0)
		return false;
	for (struct job *j = core.jobs; j != NULL; j = j->next) {
		o = status_job(j);
		said |= strcmp(json_string_value(json_object_get(o, "step")), "waiting") == 0 &&
		    strcmp(json_string_value(json_object_get(o, "why")), "archive-conflict") == 0 &&
		    strstr(json_string_value(json_object_get(o, "text")), text) != NULL;
		json_decref(o);
	}
	core_close(&core);
	return said && room_count("in/done/Zwei.pdf") == 1 && room_count("in/done/Brief.pdf") == 0 && room_entries(ENTRY_JOB) == 2 &&
	    beside->signatures == 2;
}

static void
test_archive_damaged(void)
{
	kept_at(TASK_STAMP);
	later_sealed();
	room_sh("cd archive/2*/*/*/* && chmod u+w . sealed.pdf && cp sealed.pdf %s/whole && printf X >>sealed.pdf", room);
	CHECK(set_aside("is not what the log names"), "a result that was changed in the archive: set aside, said, and the others go on");
	CHECK(room_once() == EX_TEMPFAIL && room_count("in/done/Brief.pdf") == 0, "it is not handed out at the next start either");
	room_sh("cp whole $(dirname $(grep -l X archive/2*/*/*/*/sealed.pdf | head -n 1))/sealed.pdf; rm in/done/*");
	CHECK(room_once() == EX_OK && room_sh("cmp -s in/done/Brief.pdf whole") == 0 && room_entries(ENTRY_JOB) == 2 && beside->signatures == 2,
	    "put right: the next start hands it out");
	kept_at(TASK_COMPOSE);
	later_sealed();
	room_sh("chmod -R u+w archive/2* && rm -f archive/2*/*/*/*/sealed.pdf");
	CHECK(set_aside("sealed.pdf: No such file or directory"), "one that is gone from it: the same");
}

static void
test_refused(void)
{
	kept_at(TASK_PAGE);
	played.say[0] = (struct play){ .kind = TASK_PAGE, .code = ERR_DOC_BAD, .text = "torn in the middle" };
	CHECK(room_once() == EX_OK && room_entries(ENTRY_REJECT) == 1, "a document that was refused");
	played.say[0].kind = 0;
	older_spool();
	CHECK(room_once() == EX_OK && room_count("in/error/Brief.tif") == 1 && room_says("in/error/Brief.tif.txt", "damaged") &&
	        room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_JOB) == 0 && beside->signatures == 0 && room_count("state/spool/*/*") == 0 &&
	        room_proven(),
	    "and is claimed in an older spool: it comes back with its reason, and is not read again");
}

static void
test_withdrawn(void)
{
	kept_at(TASK_COMPOSE);
	person("claimed", "withdrawn", WITHDRAWAL);
	CHECK(room_once() == EX_OK && room_entries(ENTRY_WITHDRAW) == 1, "a document that was withdrawn");
	older_spool();
	CHECK(room_once() == EX_OK && room_count("in/error/Brief.tif") == 1 && room_says("in/error/Brief.tif.txt", "sent by mistake") &&
	        room_entries(ENTRY_WITHDRAW) == 1 && room_entries(ENTRY_JOB) == 0 && beside->signatures == 0 && room_count("state/spool/*/*") == 0 &&
	        room_proven(),
	    "and is claimed in an older spool: it comes back, and is not sealed");
}

/* What was decided while a job was held is not decided anew, in another way, because the spool does not know of it. */
static void
test_decided_before(void)
{
	static const struct {
		const char *name, *record, *json, *says;
		enum entry_type type;
	} cases[] = { { "rejected", "decision", DECISION("", "false", "not ours"), "not ours", ENTRY_REJECT },
		{ "withdrawn", "withdrawn", WITHDRAWAL, "sent by mistake", ENTRY_WITHDRAW } };
	static const struct {
		const char *name, *record, *json;
	} anew[] = { { "released", "decision", DECISION("other", "false", "") }, { "withdrawn", "withdrawn", WITHDRAWAL } };

	for (size_t i = 0; i < 2; i++)
		for (size_t k = 0; k < 2; k++) {
			kept_held();
			person("held", cases[i].record, cases[i].json);
			if (room_once() != EX_OK || room_entries(cases[i].type) != 1)
				play_die(room_why.text);
			older_spool();
			person("held", anew[k].record, anew[k].json);
			CHECK(room_once() == EX_OK && room_count("in/error/Brief.tif") == 1 && room_says("in/error/Brief.tif.txt", cases[i].says) &&
			        room_entries(ENTRY_REJECT) + room_entries(ENTRY_WITHDRAW) == 1 && room_entries(ENTRY_RELEASE) == (i == 0) &&
			        room_entries(ENTRY_JOB) == 0 && beside->signatures == 0 && room_count("state/spool/*/*") == 0 && room_proven(),
			    "a held document that was %s, and is %s in an older spool: it comes back as it was decided first", cases[i].name, anew[k].name);
		}
}

/* --- an older spool, and a stack ----------------------------------------------------------- */

static void
drop_stack(void)
{
	room_empty();
	played.pages = 3;
	played.parts = 2;
}

/* Each document of it once, whoever has made it. */
static bool
stack_once(void)
{
	return room_once() == EX_OK && room_entries(ENTRY_JOB) == 2 && room_entries(ENTRY_DIVIDE) == 1 && room_count("archive/2*/*/*/*/job.json") == 3 &&
	    room_count("state/spool/*/*") == 0 && room_count("in/error/*") == 0 && beside->signatures == 2 && room_proven();
}

static void
test_stack(void)
{
	drop_stack();
	room_stand_at(TASK_COMPOSE);
	keep_spool();
	if (room_once() != EX_OK || room_entries(ENTRY_JOB) != 2)
		play_die(room_why.text);
	older_spool();
	CHECK(stack_once() && room_count("in/done/*") == 0, "a stack that was divided, and whose documents were sealed: nothing is done again");

	drop_stack();
	room_stand_at(TASK_COMPOSE);
	keep_spool();
	played.no_token = true;
	if (room_once() != EX_TEMPFAIL || room_entries(ENTRY_DIVIDE) != 1 || room_count("state/spool/rendered/*") != 2)
		play_die("a stack whose documents wait for the token");
	older_spool();
	played.no_token = false;
	CHECK(stack_once() && room_count("in/done/Brief-1.pdf") == 1 && room_count("in/done/Brief-2.pdf") == 1,
	    "one whose documents were in the spool that is gone: they are made again, under the same numbers");

	drop_stack();
	played.parts = 0;
	stand_held();
	keep_spool();
	played.hold = ERR_OK;
	played.parts = 2;
	person("held", "decision", DECISION("", "true", ""));
	if (room_once() != EX_OK || room_entries(ENTRY_DIVIDE) != 1)
		play_die("a stack that was held and released");
	older_spool();
	CHECK(stack_once(), "one that was held, and was divided since: nobody is asked again");
}

/* --- an older log -------------------------------------------------------------------------- */

/* The first document is sealed and the archive kept, with its log; *w is a break that will begin from there. */
static void
first_kept(struct resume *w)
{
	*w = (struct resume){ .has_record = true, .reason = "the disk broke", .uid = 7 };
	room_empty();
	room_drop("Eins.tif", "the first");
	if (room_once() != EX_OK)
		play_die(room_why.text);
	w->disk_size = beside->log_size;
	memcpy(w->disk_root, beside->log_root, HASH_LEN);
	room_sh("rm -rf older; cp -a archive older");
}

static void
person_goes_on(struct resume *w)
{
	static char *text;

	w->record_size = beside->log_size;
	memcpy(w->record_root, beside->log_root, HASH_LEN);
	free(text);
	played.resume = text = resume_text(w);
}

/* What a break finds out can not be found out again once it has acted; it must not be forgotten when it breaks off. */
static void
test_break_breaks_off(void)
{
	struct resume w;

	if (geteuid() == 0) {
		printf("ok %d - a break that breaks off # SKIP root writes to a directory that is closed\n", ++test_count);
		return;
	}
	first_kept(&w);
	room_drop("Zwei.tif", "the second");
	room_drop("Drei.tif", "the third");
	if (room_once() != EX_OK || room_entries(ENTRY_JOB) != 3)
		play_die(room_why.text);
	room_sh("chmod -R u+w archive && rm -rf archive && mv older archive && rm in/done/* && printf 'II*\\0a fourth' >in/work/Vier.tif");
	person_goes_on(&w);
	room_sh("chmod 500 archive/evidence/config");
	CHECK(room_once() != EX_OK && room_entries(ENTRY_BREAK) == 0 && beside->signatures == 3 && room_count("in/done/*") == 0,
	    "a log that can not go on: nothing is sealed");
	CHECK(room_count("in/Vier.tif") == 1 && room_count("state/break") == 1 && room_says("state/break", "lost ") &&
	        room_says("state/break", "returned post "),
	    "what was lost, and what was taken back, is kept");
	CHECK(room_once() != EX_OK && room_sh("[ $(grep -c '^lost ' state/break) = 2 ] && [ $(grep -c '^returned ' state/break) = 1 ]") == 0,
	    "once, however often that is tried");
	room_sh("chmod 700 archive/evidence/config");
	CHECK(room_once() == EX_OK && room_entries(ENTRY_BREAK) == 1 && room_says("archive/evidence/journal", "jobs again:0 lost:2 aside:0") &&
	        room_sh("[ $(cat archive/evidence/config/*.break | grep -c '^lost ') = 2 ] && grep -q '^returned post ' archive/evidence/config/*.break") == 0,
	    "when it can, the log has all of it");
	CHECK(room_count("in/done/Vier.pdf") == 1 && room_count("archive/evidence/config/*.break") == 1 && room_count("state/break") == 0 &&
	        room_proven(),
	    "an audit is content, and the note in the state is gone");
}

/* A list that another restore has left is not about this one. */
static void
test_break_of_another(void)
{
	struct resume w;

	first_kept(&w);
	room_drop("Zwei.tif", "the second");
	if (room_once() != EX_OK)
		play_die(room_why.text);
	room_sh("chmod -R u+w archive && rm -rf archive && mv older archive && rm in/done/* && printf 'disk 3 00\nlost 01m81mynnqvfzebzdnbm2m34yg\n' >state/break");
	person_goes_on(&w);
	CHECK(room_once() == EX_OK && room_says("archive/evidence/journal", "jobs again:0 lost:1 aside:0") &&
	        !room_says("archive/evidence/config/*.break", "01m81mynnqvfzebzdnbm2m34yg") && room_count("state/break") == 0 && room_proven(),
	    "what a restore that was given up has left is not mixed with it");
}

/* The log forgets a stack whose documents are still at work. */
static void
test_break_stack(void)
{
	struct resume w;

	first_kept(&w);
	played.pages = 3;
	played.parts = 2;
	played.no_token = true;
	room_drop("Post.tif", "two letters");
	if (room_once() != EX_TEMPFAIL || room_entries(ENTRY_DIVIDE) != 1 || room_count("state/spool/rendered/*") != 2)
		play_die("a stack whose documents wait for the token");
	played.no_token = false;
	room_sh("chmod -R u+w archive && rm -rf archive && mv older archive");
	person_goes_on(&w);
	CHECK(room_once() == EX_OK && room_entries(ENTRY_BREAK) == 1 && room_entries(ENTRY_DIVIDE) == 0 && room_entries(ENTRY_JOB) == 3 &&
	        room_count("in/done/Post-1.pdf") == 1 && room_count("in/done/Post-2.pdf") == 1 && room_proven() &&
	        room_says("archive/evidence/journal", "jobs again:0 lost:1 aside:0"),
	    "a log that was put back to before a stack: its documents go on, and the break says that it is lost");
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	room_make();
	test_sealed();
	test_archive_damaged();
	test_refused();
	test_withdrawn();
	test_decided_before();
	test_stack();
	test_break_breaks_off();
	test_break_of_another();
	test_break_stack();
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
