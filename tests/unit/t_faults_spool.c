/*
 * From the hot folder to done/ with every call failing once: after the next start the
 * result is there once and whole, the sender's copy is gone, and nothing is left over.
 */
#include "tests/unit/faults.h"

#include <sys/wait.h>

#include "agent/deliver.h"
#include "agent/events.h"
#include "agent/intake.h"
#include "agent/lib/io.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

static char root[64], state[80], hotpath[80];
static int top;
static struct conf conf;
static struct conf_folder folder = { .name = "post", .language = "en", .give_mode = 0660, .word_work = "work", .word_done = "done",
	.word_held = "held", .word_error = "error" };
static struct loop *loop;
static struct err last;
static bool ended;

static void
stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/* Until a callback has stopped the loop. */
static int
wait_for_it(struct err *e)
{
	struct err ignored;
	uint64_t t = loop_timer(loop, 20000, stop, NULL);

	loop_run(loop, &ignored);
	loop_timer_del(loop, t);
	if (!ended)
		return err_set(e, ERR_CHILD, "it never ended");
	*e = last;
	return -(int)last.code;
}

static void
on_copied(void *ctx, struct intake *in, const struct err *why)
{
	(void)ctx;
	(void)in;
	ended = true;
	last = why != NULL ? *why : (struct err){ 0 };
	loop_stop(loop);
}

static void
on_delivered(void *ctx, const struct err *why)
{
	on_copied(ctx, NULL, why);
}

/* The only job in a state, if there is one: 1, 0, -code. */
static int
job_in(const struct spool *s, enum spool_state st, char id[ID_MAX], struct err *e)
{
	AUTO_FD fd = openat(s->dir[st], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *de;
	DIR *d;
	int r = 0;

	if (fd < 0 || (d = fdopendir(fd)) == NULL)
		return err_sys(e, ERR_IO, "listing jobs");
	fd = -1;
	while (r == 0 && (errno = 0, de = readdir(d)) != NULL)
		if (id_valid(de->d_name)) {
			memcpy(id, de->d_name, ID_MAX);
			r = 1;
		}
	if (r == 0 && errno != 0)
		r = err_sys(e, ERR_IO, "listing jobs");
	closedir(d);
	return r;
}

/* Claims what lies in the folder; 0: nothing does. */
static int
claim_it(const struct spool *s, int hot, struct claim *c, int *ret_dir, struct err *e)
{
	struct intake *in = NULL;
	int r = io_there(hot, "Brief.tif", e);

	if (r <= 0)
		return r;
	ended = false;
	if ((r = intake_begin(&in, loop, &conf, s, &folder, hot, "Brief.tif", on_copied, NULL, e)) < 0)
		return r;
	if ((r = wait_for_it(e)) < 0) {
		intake_drop(&in);
		return r;
	}
	return (r = intake_commit(&in, 0, NULL, NULL, c, ret_dir, e)) < 0 ? r : 1;
}

static int
deliver(enum deliver_kind kind, int hot, int dir, const struct claim *c, struct err *e)
{
	struct deliver_req req = { .kind = kind, .folder = &folder, .hot = hot, .job_dir = kind == DELIVER_RELEASE ? -1 : dir, .claim = c };
	struct deliver *d;
	int r;

	ended = false;
	return (r = deliver_begin(&d, loop, &req, on_delivered, NULL, e)) < 0 ? r : wait_for_it(e);
}

/* What the core does with a claimed job, but for reading and sealing. */
static int
job_on(const struct spool *s, int hot, int dir, const struct claim *c, struct err *e)
{
	json_t *body = json_pack("{s:s}", "result", "Brief.pdf");
	AUTO_BUF b = { 0 };
	int r = io_there(dir, "sealed.pdf", e);

	if (r == 0)
		r = record_put(dir, "sealed.pdf", "%PDF sealed", 11, e);
	if (r >= 0 && (r = record_get(dir, "sealed.pdf", &b, e)) == 0 && (b.len != 11 || memcmp(b.data, "%PDF sealed", 11) != 0))
		r = err_set(e, ERR_ARCHIVE, "half a record");
	if (r == 0 && (r = deliver(DELIVER_RESULT, hot, dir, c, e)) == 0 && (r = seen_put(s, c, "", e)) == 0 &&
	    (r = events_put(s, 7, "job", c->id, body, e)) == 0)
		r = deliver(DELIVER_RELEASE, hot, dir, c, e);
	json_decref(body);
	return r;
}

static int
start_up(const struct spool *s, int hot, struct err *e)
{
	char id[ID_MAX], seen[ID_MAX];
	struct claim c;
	AUTO_FD dir = -1;
	int r;

	if ((r = events_clean(s, e)) < 0)
		return r;
	while ((r = job_in(s, SPOOL_INCOMING, id, e)) == 1)
		if ((r = io_remove_tree(s->dir[SPOOL_INCOMING], id, e)) < 0)
			return r;
	if (r == 0 && (r = job_in(s, SPOOL_RELEASED, id, e)) == 1)
		r = io_remove_tree(s->dir[SPOOL_RELEASED], id, e);
	if (r < 0 || (r = job_in(s, SPOOL_CLAIMED, id, e)) < 0)
		return r;
	if (r == 1) {
		if ((dir = spool_job_dir(s, SPOOL_CLAIMED, id, e)) < 0)
			return dir;
		r = claim_get(dir, &c, e);
	} else if ((r = claim_it(s, hot, &c, &dir, e)) == 0) {
		return 0;
	}
	if (r < 0 || (r = job_on(s, hot, dir, &c, e)) < 0 || (r = spool_move(s, c.id, SPOOL_CLAIMED, SPOOL_RELEASED, e)) < 0)
		return r;
	if ((r = seen_has(s, &c, seen, e)) <= 0)
		return r < 0 ? r : err_set(e, ERR_IO, "it is not known as seen");
	return io_remove_tree(s->dir[SPOOL_RELEASED], c.id, e);
}

static int
run(struct err *e)
{
	struct spool s;
	int r;
	AUTO_FD hot = open(hotpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (hot < 0)
		return err_sys(e, ERR_IO, "hot folder");
	spool_init(&s);
	if ((r = loop_new(&loop, e)) < 0)
		return r;
	if ((r = spool_open(&s, &conf, e)) == 0)
		r = start_up(&s, hot, e);
	spool_close(&s);
	loop_free(loop);
	return r;
}

static void
restore(void)
{
	char cmd[800];

	snprintf(cmd, sizeof(cmd), "chmod -R u+w %s && rm -rf %s/s %s/h && mkdir -m 700 %s/s %s/h && printf source >%s/h/Brief.tif", root, root, root,
	    root, root, root);
	if (system(cmd) != 0)
		exit(99);
}

/* "" when everything is where it belongs; else what find has to say. */
static const char *
left_over(void)
{
	static char text[2000];
	char cmd[600];
	FILE *f;
	size_t n;

	snprintf(cmd, sizeof(cmd),
	    "cd %s && { [ \"$(cat h/done/Brief.pdf)\" = '%%PDF sealed' ] || echo no result; } 2>&1; "
	    "find h s/spool -mindepth 1 ! -type d ! -path h/done/Brief.pdf ! -name FORMAT; find s/spool -mindepth 2 -type d; "
	    "[ \"$(ls s/events/new | wc -l)\" = 1 ] || echo events; ls s/events/tmp",
	    root);
	if ((f = popen(cmd, "r")) == NULL)
		exit(99);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	pclose(f);
	return text;
}

/* A run with the n-th call failing; without memory to hash anything it dies, and so is a process of its own. */
static int
run_faulty(enum faults kind, unsigned long n, bool *ret_hit, struct err *e)
{
	int r, status;
	pid_t pid = kind == FAULTS_MEM ? fork() : 0;

	if (pid < 0)
		exit(99);
	if (pid > 0) {
		if (waitpid(pid, &status, 0) < 0)
			exit(99);
		*ret_hit = WIFSIGNALED(status) || (WEXITSTATUS(status) & 2);
		if (WIFEXITED(status) && !(WEXITSTATUS(status) & 1))
			return 0;
		return err_set(e, ERR_MEM, "a process of its own failed");
	}
	faults_arm(kind, n);
	r = run(e);
	*ret_hit = faults_hit();
	if (kind == FAULTS_MEM)
		exit((r < 0) | *ret_hit << 1);
	return r;
}

static void
test_sweep(enum faults kind, unsigned long step)
{
	unsigned long n = 1;
	unsigned bad = 0;

	for (;; n += step) {
		struct err e = { 0 }, again = { 0 };
		int r, r2 = 0;
		bool hit;

		restore();
		r = run_faulty(kind, n, &hit, &e);
		/* what could not be told or named the first time is the next start's to do */
		if (hit)
			r2 = run(&again);
		if (r2 < 0 || (!hit && r < 0) || *left_over() != '\0') {
			printf("# %s in %s, call %lu: %d %s; the next start: %d %s; %s\n", faults_names[kind], faults_call, n, r, e.text, r2,
			    again.text, left_over());
			bad++;
		}
		if (r < 0 && e.text[0] == '\0')
			bad++;
		if (!hit)
			break;
	}
	CHECK(bad == 0 && n > 4, "%s in each of %lu calls: the next start brings it to its end, once", faults_names[kind], n - 1);
}

/*
 * A disk that is full from any call of a move on, so that what was not synced can
 * not be taken back either; then a step again, to the same place or another.
 */
static void
test_move(const char *what, enum spool_state to, bool away)
{
	static const char id[ID_MAX] = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
	const enum spool_state from = away ? SPOOL_REFUSED : SPOOL_LOGGED;
	unsigned long n = 1;
	unsigned bad = 0;
	bool hit = true;
	struct spool s;
	struct err e;

	restore();
	spool_init(&s);
	if (spool_open(&s, &conf, &e) < 0)
		exit(99);
	for (; hit; n++) {
		int r;

		if (mkdirat(s.dir[from], id, 0700) < 0)
			exit(99);
		faults_arm(FAULTS_SPACE, n);
		r = away ? spool_put_away(&s, id, &e) : spool_move(&s, id, from, SPOOL_RELEASED, &e);
		hit = faults_hit();
		if (hit == (r == 0) || (hit && spool_move(&s, id, from, to, &e) < 0)) {
			printf("# full from call %lu on (%s): %d %s\n", n, faults_call, r, e.text);
			bad++;
		}
		if (unlinkat(hit ? s.dir[to] : away ? s.quarantine : s.dir[SPOOL_RELEASED], id, AT_REMOVEDIR) < 0)
			exit(99);
	}
	spool_close(&s);
	CHECK(bad == 0 && n > 3, "%s: full from each of %lu calls on", what, n - 2);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	top = tmpdir_make(root);
	snprintf(state, sizeof(state), "%s/s", root);
	snprintf(hotpath, sizeof(hotpath), "%s/h", root);
	conf = (struct conf){ .state = state, .folders = &folder, .nfolders = 1, .scan.max_bytes = 1 << 20 };
	folder.path = hotpath;
	test_sweep(FAULTS_IO, 1);
	test_sweep(FAULTS_SPACE, 1);
	test_sweep(FAULTS_SHORT, 1);
#ifndef SEALROOM_SANITIZE
	test_sweep(FAULTS_MEM, 1);
#endif
	test_move("a move that could not be taken back is made again", SPOOL_RELEASED, false);
	test_move("a move that could not be taken back is no hindrance to another", SPOOL_HELD, false);
	test_move("nor is one to the quarantine", SPOOL_RELEASED, true);
	tmpdir_remove(top, root);
	return TEST_DONE();
}
