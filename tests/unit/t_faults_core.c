/*
 * The whole core with every call failing once: whatever it was, the letter comes
 * to its end, once, sealed once, logged once - in the same run, unless that did not
 * begin or ended on purpose.  Then the same with runs that are killed, and what
 * recovers from that struck: as often as wanted, it is followed by the same recovery.
 */
#include "tests/unit/faults.h"

#include <limits.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "agent/reload.h"
#include "agent/resume.h"
#include "tests/unit/coreroom.h"
#include "tests/unit/test.h"

static struct story {
	const char *name;
	void (*begin)(void);     /* the room before it */
	bool (*ended)(void);     /* what must be true behind it */
	const char *settings;    /* of the folder */
	uint64_t ms;             /* as a daemon, so long; 0: --once */
} const *story;

/* How a run went: shared, for some are a process of their own. */
static struct outcome {
	bool hit;      /* the fault came */
	bool restarts; /* it did not begin, or ended itself: who supervises it starts it anew */
	bool unsaid;   /* it came when all was done, or its disk is full still: then no checkpoint covers the last words */
	int r;         /* what it said, and why */
	char why[ERR_TEXT_MAX];
	char call[64]; /* that failed */
} *outcome;

/* --- the stories ------------------------------------------------------------------------ */

static bool
proven(void)
{
	return outcome->unsaid || room_proven();
}

static bool
nothing_waits(void)
{
	return room_count("in/*.tif") == 0 && room_count("in/work/*") == 0 && room_count("state/spool/*/*") == 0 && proven();
}

static bool
nothing_left(void)
{
	return nothing_waits() && beside->signatures <= room_entries(ENTRY_JOB) + room_entries(ENTRY_ORPHAN);
}

static void
letter(void)
{
	room_drop("Brief.tif", "a letter");
}

static bool
letter_done(void)
{
	return nothing_left() && room_count("in/done/*") == 1 && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_JOB) == 1;
}

/* The time stamp does not fit beside the signature: a revision of its own. */
static void
large_stamp(void)
{
	letter();
	played.token_len = 20000;
}

/* It brings a signature along, as toy_sigs() finds one: judged before it is composed. */
static void
signed_before(void)
{
	room_drop_signed("Brief.tif", SEAL_SEEN);
}

/* A reader has crashed over it: what else goes wrong is not taken for the document's doing. */
static void
crashed_once(void)
{
	signed_before();
	played.files = 1;
	played.say[0] = (struct play){ .kind = TASK_FILES, .from = 1, .to = 1, .code = ERR_DOC_CRASH, .text = "died" };
}

static void
damaged(void)
{
	letter();
	played.say[0] = (struct play){ .kind = TASK_INSPECT, .code = ERR_DOC_BAD, .text = "damaged" };
}

static bool
damaged_refused(void)
{
	return nothing_left() && room_count("in/error/*") == 2 && room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_JOB) == 0;
}

static void
in_doubt(void)
{
	letter();
	played.hold = ERR_ANCHOR_MANY;
	played.candidates = 2;
}

static bool
doubt_held(void)
{
	return room_count("in/held/*") >= 2 && room_count("in/done/*") == 0 && room_count("state/spool/held/*/question") == 1 &&
	    room_entries(ENTRY_HOLD) == 1 && proven();
}

/* A letter that is held, and what a person wrote down about it. */
static void
held_and(const char *record, const char *json)
{
	in_doubt();
	if (room_once() != 0 || room_sh("cd state/spool/held/* && printf '%%s' '%s' >%s", json, record) != 0)
		exit(99);
}

static void
decided(void)
{
	held_and("decision", "{\"n\":1,\"rule\":\"other\",\"at\":false,\"page\":0,\"x_mpt\":0,\"y_mpt\":0,\"again\":false,\"reject\":\"\",\"who\":\"a\",\"uid\":7}");
}

static bool
decided_done(void)
{
	return letter_done() && room_count("in/held/*") == 0 && room_entries(ENTRY_HOLD) == 1 && room_entries(ENTRY_RELEASE) == 1;
}

static void
rejected(void)
{
	held_and("decision", "{\"n\":1,\"rule\":\"\",\"at\":false,\"page\":0,\"x_mpt\":0,\"y_mpt\":0,\"again\":false,\"reject\":\"not ours\",\"who\":\"a\",\"uid\":7}");
}

static bool
rejected_refused(void)
{
	return damaged_refused() && room_count("in/held/*") == 0 && room_entries(ENTRY_RELEASE) == 1;
}

static void
withdrawn(void)
{
	held_and("withdrawn", "{\"uid\":7,\"text\":\"sorry\",\"quiet\":false}");
}

static bool
withdrawn_gone(void)
{
	return nothing_left() && room_count("in/done/*") == 0 && room_count("in/held/*") == 0 && room_entries(ENTRY_WITHDRAW) == 1;
}

/* The last run ended while nobody answered this: the job stands there. */
static void
unanswered(uint32_t kind)
{
	letter();
	played.say[0] = (struct play){ .kind = kind, .mute = true };
	if (room_open(false) < 0 || room_run(5000) != 0)
		exit(99);
	core_close(&core);
	played.say[0].kind = 0;
}

static void
unread(void)
{
	unanswered(TASK_COMPOSE);
}

static void
unsigned_yet(void)
{
	unanswered(PLAY_SIGN);
}

static void
unstamped(void)
{
	unanswered(TASK_STAMP);
}

/* --- what people do meanwhile ------------------------------------------------------------- */

static json_t *
about_job(const char *more)
{
	FAULTS_PAUSE;
	return core.jobs == NULL ? NULL : json_pack("{s:s, s:s, s:s}", "job", core.jobs->claim.id, "reason", "so", "rule", more);
}

static void
ask(const char *op, const char *more)
{
	json_t *request = about_job(more);
	struct err e;

	if (request != NULL && !room_ask(op, request, -1, &e) && e.text[0] == '\0')
		exit(99);
}

static void
ask_folder(const char *op)
{
	struct err e;
	json_t *request;

	{
		FAULTS_PAUSE;
		request = json_pack("{s:s, s:s}", "folder", "post", "reason", "so");
	}
	if (!room_ask(op, request, -1, &e) && e.text[0] == '\0')
		exit(99);
}

static void
do_release(int second)
{
	if (second == 5 || second == 10)
		ask("release", "other");
}

static void
released(void)
{
	in_doubt();
	room_act = do_release;
}

/* If the person was refused, it is held still. */
static bool
released_done(void)
{
	return letter_done() || (doubt_held() && room_entries(ENTRY_RELEASE) == 0);
}

static void
do_withdraw(int second)
{
	if (second == 4)
		ask("withdraw", "");
	if (second == 8) {
		ask("retry", "");
		played.no_token = false;
	}
}

static void
withdrawn_rendered(void)
{
	letter();
	played.no_token = true;
	room_act = do_withdraw;
}

static bool
withdrawn_or_done(void)
{
	return letter_done() || (nothing_left() && room_count("in/done/*") == 0 && room_entries(ENTRY_WITHDRAW) == 1);
}

static void
do_take_back(int second)
{
	FAULTS_PAUSE;
	if (second == 4)
		room_sh("rm -f in/work/Brief.tif");
	if (second == 20)
		played.no_token = false;
}

static void
taken_back(void)
{
	letter();
	played.no_token = true;
	room_act = do_take_back;
}

static void
do_pause(int second)
{
	if (second == 1)
		ask_folder("pause");
	if (second == 6)
		ask_folder("resume");
}

static void
paused(void)
{
	room_act = do_pause;
	letter();
}

/* Paused stays paused, when the word to go on did not come through. */
static bool
paused_done(void)
{
	return letter_done() || (room_count("in/Brief.tif") == 1 && room_count("state/paused.json") == 1);
}

static void
do_reload(int second)
{
	struct err e = { 0 };

	if (second != 2 && second != 4)
		return;
	{
		FAULTS_PAUSE;
		room_settings(second == 2 ? "give = { mode = \"0640\"; };" : "nonsense = 1;");
	}
	core_reload(&core, &e);
	FAULTS_PAUSE;
	room_settings("");
}

static void
reloaded(void)
{
	letter();
	room_act = do_reload;
	played.say[0] = (struct play){ .kind = TASK_STAMP, .from = 1, .to = 3, .code = ERR_TSA_DOWN, .text = "none" };
}

static void
pass(const char *op)
{
	char path[128];
	json_t *request;
	struct err e;
	int fd;

	{
		FAULTS_PAUSE;
		snprintf(path, sizeof(path), "%s/passed", room);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		request = json_pack("{s:s, s:s}", "folder", "post", "name", "Brief.tif");
	}
	if (fd < 0 || (!room_ask(op, request, fd, &e) && e.text[0] == '\0'))
		exit(99);
}

static void
do_submit(int second)
{
	if (second == 2 || second == 6)
		pass("submit");
}

static void
submitted(void)
{
	if (room_sh("printf 'II*\\0passed' >passed") != 0)
		exit(99);
	room_act = do_submit;
}

/* Who was refused has it still. */
static bool
submitted_done(void)
{
	return letter_done() || (nothing_left() && room_count("in/done/*") == 0);
}

static void
do_try(int second)
{
	if (second == 2 || second == 6)
		pass("try");
}

/* Of the first one nothing is heard, and nobody waits for it any more when the second comes. */
static void
tried(void)
{
	submitted();
	room_act = do_try;
	played.say[0] = (struct play){ .kind = TASK_PAGE, .from = 1, .to = 1, .mute = true };
}

static bool
tried_traceless(void)
{
	return nothing_left() && room_count("in/*/*") == 0 && room_entries(ENTRY_JOB) == 0 && room_entries(ENTRY_REJECT) == 0;
}

static void
do_void(int second)
{
	if (second == 3)
		ask("void", "");
	if (second == 4)
		ask("job", "");
	if (second == 5)
		ask("status", "");
}

static void
voided(void)
{
	unanswered(TASK_STAMP);
	room_act = do_void;
	played.away[ROLE_FETCH] = true;
}

static bool
voided_so_far(void)
{
	return room_count("state/spool/signed/*") == 1 && room_count("in/done/*") == 0 && room_entries(ENTRY_VOID) <= 1;
}

/* --- a long scan ------------------------------------------------------------------------------ */

static void
long_scan(void)
{
	room_drop("Brief.tif", "a long scan");
	played.pages = 3;
	played.long_scan = true;
	played.full_ms = 500;
	played.page_ms = 300;
}

/* --- a stack ---------------------------------------------------------------------------------- */

static void
stack(void)
{
	room_drop("Post.tif", "two letters");
	played.pages = 3;
	played.parts = 2;
}

/* Each document once, the stack once, as it came. */
static bool
stack_done(void)
{
	return nothing_left() && room_count("in/done/*") == 2 && room_count("in/done/Post-1.pdf") == 1 && room_count("in/done/Post-2.pdf") == 1 &&
	    room_entries(ENTRY_JOB) == 2 && room_entries(ENTRY_DIVIDE) == 1 && room_count("archive/2*/*/*/*/job.json") == 3 &&
	    room_count("archive/2*/*/*/*/parts-sha256.txt") == 1;
}

/* --- tickets, and what was there before ------------------------------------------------------ */

static void
with_ticket(void)
{
	room_drop("Brief.tif", "a letter");
	if (room_sh("printf '%%s' '{\"v\":1,\"reference\":\"R-1\",\"name\":\"Akte\",\"fields\":{\"case\":\"47\"}}' >in/Brief.tif.ticket") != 0)
		exit(99);
}

static bool
ticket_done(void)
{
	return nothing_left() && room_count("in/done/Akte.pdf") == 1 && room_count("in/done/*.json") == 1 && room_entries(ENTRY_JOB) == 1 &&
	    room_count("in/*.ticket") == 0;
}

static void
repeated(void)
{
	with_ticket();
	if (room_once() != 0 || room_sh("rm in/done/*") != 0)
		exit(99);
	with_ticket();
}

static bool
repeated_done(void)
{
	return ticket_done() && room_entries(ENTRY_REPEAT) == 1 && beside->signatures == 1;
}

static bool
ticket_refused(void)
{
	return nothing_left() && room_count("in/error/Brief.tif.ticket") == 1 && room_entries(ENTRY_REJECT) == 1 && room_entries(ENTRY_JOB) == 1;
}

/* The same delivery once more, as from a sender who did not see that it was taken. */
static void
delivered_again(void)
{
	letter();
	if (room_sh("cp -a in/Brief.tif kept") != 0 || room_once() != 0 || room_sh("rm in/done/*; mv kept in/Brief.tif") != 0)
		exit(99);
}

static bool
taken_once(void)
{
	return nothing_left() && room_count("in/done/*") == 0 && room_entries(ENTRY_JOB) == 1 && beside->signatures == 1;
}

/* A person goes on from an older copy: one document is in the newer log only, one waits in the spool. */
static void
restored(void)
{
	struct resume w = { .has_record = true, .reason = "the disk broke", .uid = 7 };
	static char *text;

	room_drop("Eins.tif", "the first");
	if (room_once() != 0)
		exit(99);
	w.disk_size = beside->log_size;
	memcpy(w.disk_root, beside->log_root, HASH_LEN);
	room_sh("cp -a archive older");
	room_drop("Zwei.tif", "the second");
	if (room_once() != 0)
		exit(99);
	unanswered(TASK_STAMP);
	w.record_size = beside->log_size;
	memcpy(w.record_root, beside->log_root, HASH_LEN);
	room_sh("chmod -R u+w archive && rm -rf archive && mv older archive && rm in/done/*");
	free(text);
	played.resume = text = resume_text(&w);
}

static bool
restored_done(void)
{
	struct entry x;

	return nothing_waits() && room_count("in/done/Brief.pdf") == 1 && room_entries(ENTRY_BREAK) == 1 &&
	    room_entries(ENTRY_JOB) == 2 && room_entry(ENTRY_BREAK, &x) && x.lost == 1 && x.aside == 0;
}

static const struct story stories[] = {
	{ "a letter", letter, letter_done, NULL, 0 },
	{ "a time stamp that does not fit", large_stamp, letter_done, NULL, 0 },
	{ "a document that came signed", signed_before, letter_done, NULL, 0 },
	{ "a damaged document", damaged, damaged_refused, NULL, 0 },
	{ "a document in doubt", in_doubt, doubt_held, NULL, 0 },
	{ "a decision", decided, decided_done, NULL, 0 },
	{ "a rejection", rejected, rejected_refused, NULL, 0 },
	{ "a document taken back", withdrawn, withdrawn_gone, NULL, 0 },
	{ "a start with a document that was being read", unread, letter_done, NULL, 0 },
	{ "a start with an attempt to sign", unsigned_yet, letter_done, NULL, 0 },
	{ "a start with a signature", unstamped, letter_done, NULL, 0 },
	{ "a release", released, released_done, NULL, 30000 },
	{ "a withdrawal before the token", withdrawn_rendered, withdrawn_or_done, NULL, 60000 },
	{ "a receipt that is taken away", taken_back, withdrawn_or_done, NULL, 60000 },
	{ "a pause", paused, paused_done, NULL, 60000 },
	{ "other settings", reloaded, letter_done, NULL, 60000 },
	{ "a document through the socket", submitted, submitted_done, NULL, 60000 },
	{ "a document that is tried", tried, tried_traceless, NULL, 20000 },
	{ "a seal declared void", voided, voided_so_far, NULL, 20000 },
	{ "a long scan", long_scan, letter_done, NULL, 0 },
	{ "a stack", stack, stack_done, "separator = { patch = [ \"T\" ]; };", 0 },
	{ "a ticket", with_ticket, ticket_done, "ticket = \"optional\";", 0 },
	{ "a ticket that comes again", repeated, repeated_done, "ticket = \"optional\";", 0 },
	{ "a ticket that nobody wants", with_ticket, ticket_refused, "ticket = \"none\";", 0 },
	{ "a delivery that comes again", delivered_again, taken_once, NULL, 0 },
	{ "a restore from backup", restored, restored_done, NULL, 0 },
	{ "the daemon's day", letter, letter_done, "status_file = true;", 120000 },
	{ "a document that crashed a reader", crashed_once, letter_done, NULL, 0 },
};

/* --- the sweep -------------------------------------------------------------------------- */

#define PATIENCE_MS (3600 * 1000) /* what has not gone on by then waits for a restart */
#define FULL_MS 20000             /* so long a disk stays full at most */

static void
make_space(void *ctx)
{
	(void)ctx;
	if (faults_came && faults_kind == FAULTS_SPACE) {
		faults_hit();
		return;
	}
	FAULTS_PAUSE;
	loop_timer(core.loop, FULL_MS, make_space, NULL);
}

/* As the story has it; where a fault has come, as long as it takes to go on by itself. */
static int
run_story(void)
{
	const int64_t began = room_ms;
	bool once = story->ms == 0;
	int r, more = PATIENCE_MS / 60000;

	if ((r = room_open(once)) == 0) {
		core.once_wait_ms = PATIENCE_MS;
		{
			FAULTS_PAUSE;
			loop_timer(core.loop, FULL_MS, make_space, NULL);
		}
		r = room_run(once ? 6 * PATIENCE_MS : story->ms);
		while (!once && r == 0 && room_late && faults_hit() && more-- > 0 && !story->ended())
			r = room_go_on(60000);
	}
	outcome->unsaid |= faults_came && faults_kind == FAULTS_SPACE;
	/* --once that has waited in vain did not end on purpose */
	outcome->restarts = r != 0 && room_ms - began < PATIENCE_MS;
	core_close(&core);
	return r;
}

static void
note_fault(void)
{
	outcome->hit = true;
	outcome->unsaid = core.stopping;
	snprintf(outcome->call, sizeof(outcome->call), "%s", faults_call);
}

static void
run_struck(enum faults kind, unsigned long n)
{
	faults_arm(kind, n);
	outcome->r = run_story();
	snprintf(outcome->why, sizeof(outcome->why), "%s", room_why.text);
	faults_hit();
}

/* Without memory to hash or to wait anything it dies; so does who is killed. */
static void
run_faulty(enum faults kind, unsigned long n)
{
	int status;
	pid_t pid;

	*outcome = (struct outcome){ .r = 0 };
	if (kind != FAULTS_MEM && kind != FAULTS_DEATH) {
		run_struck(kind, n);
		return;
	}
	if ((pid = fork()) < 0)
		exit(99);
	if (pid == 0) {
		run_struck(kind, n);
		exit(0);
	}
	if (waitpid(pid, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status) != 0))
		exit(99);
	if (WIFSIGNALED(status)) {
		outcome->restarts = WTERMSIG(status) == (kind == FAULTS_MEM ? SIGABRT : SIGKILL);
		outcome->r = -ERR_MEM;
		snprintf(outcome->why, sizeof(outcome->why), "signal %d", WTERMSIG(status));
	}
}

#define DEATHS_APART 131

/* FAULTS_ONLY=number of a story, FAULTS_KIND=number of a kind, FAULTS_FROM, FAULTS_STEP, FAULTS_AGAIN=1, FAULTS_DEATH: to look at one closely. */
static unsigned long
setting(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s != NULL ? strtoul(s, NULL, 10) : otherwise;
}

static void
say_bad(enum faults kind, unsigned long n, const char *what, int next)
{
	printf("# %s in %s, call %lu: %s; %d %s; the next start: %d %s\n", faults_names[kind], outcome->call, n, what, outcome->r, outcome->why,
	    next, room_why.text);
	room_sh("find in state/spool archive/evidence ! -type d | sed 's/^/#   /'");
}

static void
room_of_story(void)
{
	room_settings(story->settings != NULL ? story->settings : "");
}

/* The room in which a fault shall strike: before the story, or where it was killed before this call. False: that did not come. */
static bool
set_out(unsigned long death)
{
	room_empty();
	room_of_story();
	story->begin();
	if (death == 0)
		return true;
	run_faulty(FAULTS_DEATH, death);
	room_of_story(); /* it may have died while others were there */
	return outcome->hit;
}

/* A run with its n-th call failing; false: something is wrong behind it. */
static bool
strike(enum faults kind, unsigned long n)
{
	const char *wrong = NULL;
	struct outcome first;
	int next = 0;

	run_faulty(kind, n);
	if (outcome->r < 0 && outcome->why[0] == '\0')
		wrong = "an error without words";
	else if (!outcome->restarts && (outcome->r != 0 || !story->ended()))
		wrong = "it does not go on by itself";
	first = *outcome;
	outcome->unsaid = false;
	if (outcome->hit) {
		room_of_story();
		next = run_story();
	}
	if (wrong == NULL && (next != 0 || !story->ended()))
		wrong = "a restart does not bring it to its end";
	*outcome = first;
	if (wrong != NULL)
		say_bad(kind, n, wrong, next);
	return wrong == NULL;
}

struct count {
	unsigned long calls, by_itself, restarted;
	unsigned bad;
};

static void
strike_each(unsigned long death, enum faults kind, unsigned long from, unsigned long step, struct count *c)
{
	for (unsigned long n = from; set_out(death); n += step) {
		c->bad += !strike(kind, n);
		c->calls = n - 1;
		if (!outcome->hit)
			break;
		*(outcome->restarts ? &c->restarted : &c->by_itself) += 1;
	}
}

static void
sweep(enum faults kind, unsigned long step)
{
	struct count c = { .bad = 0 };

	strike_each(0, kind, setting("FAULTS_FROM", 1), step, &c);
	CHECK(c.bad == 0 && c.calls > 3, "%s: %s in each of %lu calls, every %lu; goes on by itself: %lu, restarted: %lu", story->name,
	    faults_names[kind], c.calls, step, c.by_itself, c.restarted);
}

/* Killed in the middle of the story; what recovers from that is struck, and followed by a run that is not. */
static void
sweep_again(enum faults kind, unsigned long step)
{
	const unsigned long apart = step == 1 ? 37 : DEATHS_APART;
	struct count c = { .bad = 0 };
	unsigned long deaths = 0;

	for (unsigned long death = setting("FAULTS_DEATH", apart); set_out(death); death += apart, deaths++) {
		unsigned bad = c.bad;

		strike_each(death, kind, setting("FAULTS_FROM", 1 + deaths), step, &c);
		if (c.bad != bad)
			printf("# when it was killed before call %lu\n", death);
	}
	CHECK(c.bad == 0 && deaths > 0, "%s: killed before %lu calls, then %s, every %lu; goes on by itself: %lu, restarted: %lu", story->name,
	    deaths, faults_names[kind], step, c.by_itself, c.restarted);
}

static const struct {
	enum faults kind;
	unsigned long step; /* at most: some are few */
} kinds[] = {
	{ FAULTS_IO, ULONG_MAX }, { FAULTS_SPACE, ULONG_MAX }, { FAULTS_SHORT, ULONG_MAX },
#ifndef SEALROOM_SANITIZE
	{ FAULTS_MEM, ULONG_MAX },
#endif
	{ FAULTS_LOOK, 5 }, { FAULTS_FILES, 23 },
};

static const enum faults again[] = { FAULTS_IO, FAULTS_DEATH };

int
main(void)
{
	const bool only_again = setting("FAULTS_AGAIN", 0) != 0;
	unsigned long step = setting("FAULTS_STEP", 61), only = setting("FAULTS_ONLY", SIZE_MAX), only_kind = setting("FAULTS_KIND", SIZE_MAX);

	faults_tell = note_fault;
	setvbuf(stdout, NULL, _IOLBF, 0);
	beside = mmap(NULL, sizeof(*beside), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (beside == MAP_FAILED || outcome == MAP_FAILED)
		exit(99);
	room_make();
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		story = &stories[i];
		if (only != SIZE_MAX && only != i)
			continue;
		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && !only_again; k++)
			if (only_kind == SIZE_MAX || only_kind == kinds[k].kind)
				sweep(kinds[k].kind, step < kinds[k].step ? step : kinds[k].step);
		for (size_t k = 0; k < sizeof(again) / sizeof(again[0]) && story->ms == 0; k++)
			if (only_kind == SIZE_MAX || only_kind == again[k])
				sweep_again(again[k], step);
	}
	tmpdir_remove(room_fd, room);
	return TEST_DONE();
}
