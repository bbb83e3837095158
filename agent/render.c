#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/clock.h"
#include "agent/lib/hash.h"
#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "rules/codes.h"
#include "rules/pagefile.h"

#include "agent/admit.h"
#include "agent/attached.h"
#include "agent/core.h"
#include "agent/earlier.h"
#include "agent/journal.h"
#include "agent/metrics.h"
#include "agent/pageread.h"
#include "agent/stack.h"
#include "agent/steps.h"

#define INSPECT_MIB 1024
#define COMPOSE_MIB 512
#define READER_POLL_MS 200
#define RECHECK_TURN (1u << 20) /* bytes a turn */
#define PAGE_SLOW_MS 1000 /* most pages of letters are read by then */
#define PAGES_LEAST (256ull << 20) /* bytes that the results of a document's pages may have together ... */
#define PAGES_EACH (1ull << 20)    /* ... and so many more a page, for words, ... */
#define PAGES_TIMES 64             /* ... and so often its own, as who unpacks a lossy image makes it larger */
#define PAGE_LARGE 40000000u /* pixels, or bytes; A4 at 600 dpi has 35 million, A3 at 400 dpi 31 */

/* --- what is remembered on disk ------------------------------------------------------- */

int
inspect_load(struct job *j, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	if (j->inspect.kind != DOC_NONE || !io_exists(j->dir, "inspect"))
		return 0;
	buf_init(&b, 512);
	if ((r = record_get(j->dir, "inspect", &b, e)) < 0)
		return r;
	return inspect_result_get_stored(&b, &j->inspect, e) < 0 ? err_set(e, ERR_IO, "record inspect is damaged") : 0;
}

int
plan_load(struct job *j, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	if (j->planned)
		return 0;
	if ((r = inspect_load(j, e)) < 0)
		return r;
	buf_init(&b, WIRE_PAYLOAD);
	if (j->plan == NULL && (j->plan = calloc(1, sizeof(*j->plan))) == NULL)
		return err_set(e, ERR_MEM, "plan");
	if ((r = record_get(j->dir, "plan", &b, e)) < 0)
		return r;
	if (compose_result_get_stored(&b, j->plan, e) < 0)
		return err_set(e, ERR_IO, "record plan is damaged");
	j->planned = true;
	return 0;
}

struct keeping {
	int source, made;
	uint8_t digest[HASH_LEN];
};

static void
keep_forget(struct job *j)
{
	if (j->keeping == NULL)
		return;
	if (j->steps != NULL)
		steps_cancel(j->steps);
	j->steps = NULL;
	io_close(&j->keeping->source);
	io_close(&j->keeping->made);
	free(j->keeping);
	j->keeping = NULL;
}

/* A page that an earlier run finished, as far as it was read through. */
struct rechecking {
	uint32_t page;
	int fd; /* -1: not begun */
	struct pagefile_check check;
	uint64_t timer;
};

static void
recheck_forget(struct job *j)
{
	if (j->rechecking == NULL)
		return;
	loop_timer_del(j->core->loop, j->rechecking->timer);
	io_close(&j->rechecking->fd);
	free(j->rechecking);
	j->rechecking = NULL;
}

void
render_forget(struct job *j)
{
	recheck_forget(j);
	keep_forget(j);
	stack_forget(j);
	free(j->page_state);
	j->page_state = NULL;
	j->pages_done = j->page_next = 0;
	j->page_mark = (struct page_mark){ 0 };
}

uint32_t
render_pages_done(const struct job *j)
{
	return j->state == SPOOL_CLAIMED ? j->pages_done : j->inspect.pages;
}

static int
open_source(struct job *j, struct err *e)
{
	int fd = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? err_sys(e, ERR_IO, "source of job %s", j->claim.id) : fd;
}

/* --- pages ----------------------------------------------------------------------------- */

static const struct ready_scan *
engine(struct core *c)
{
	struct peer_status s;

	for (uint32_t i = 0; i < children_count(c->children); i++) {
		children_status(c->children, i, &s);
		if (s.scan != NULL)
			return s.scan;
	}
	return NULL;
}

/* How its pages are read; before it is known what it is, as ahead_start() guesses. */
static uint32_t
kind_read(const struct job *j)
{
	return j->inspect.kind == DOC_NONE ? DOC_PDF : j->inspect.kind;
}

/* Same source, page, kind, settings and engine give the same key; anything else makes a cached page worthless. */
static void
page_key(struct job *j, uint32_t page, const struct ready_scan *eng, uint8_t key[HASH_LEN])
{
	const struct conf_scan *s = &j->core->conf->scan;
	AUTO_BUF b;

	buf_init(&b, 8192);
	buf_put(&b, j->claim.hash, HASH_LEN);
	buf_put_u32(&b, page);
	buf_put_u32(&b, kind_read(j));
	buf_put(&b, eng->data_hash, HASH_LEN);
	buf_put_str(&b, eng->engine);
	for (size_t i = 0; i < s->languages.n; i++)
		buf_put_str(&b, s->languages.v[i]);
	buf_put_u32(&b, s->unread);
	buf_put_u32(&b, codes_wanted(j->folder));
	hash_buf(&b, key);
}

static void
page_name(uint32_t page, char name[24])
{
	snprintf(name, 24, "pages/%u", page);
}

static int
pages_dir(struct job *j, struct err *e)
{
	return mkdirat(j->dir, "pages", 0700) < 0 && errno != EEXIST ? err_sys(e, ERR_IO, "pages of job %s", j->claim.id) : 0;
}

/* What an honest reader stays far below, and one that has fallen can not exceed. */
static uint64_t
pages_most(const struct job *j)
{
	return PAGES_LEAST + PAGES_EACH * j->inspect.pages + PAGES_TIMES * j->claim.size;
}

/* Holes count, too: who reads the file reads them. */
static int
count_bytes(struct job *j, int fd, struct err *e)
{
	uint64_t size;
	int r;

	if ((r = io_size(fd, &size, e)) < 0)
		return r;
	if (size > pages_most(j) - j->pages_bytes)
		return err_set(e, ERR_DOC_CRASH, "what was read of its pages has more than %llu bytes", (unsigned long long)pages_most(j));
	j->pages_bytes += size;
	return 0;
}

/* By its header it is of this source, settings and engine. */
static bool
page_found(struct job *j, uint32_t page, const struct ready_scan *eng, struct pagefile_check *check, int *ret_fd)
{
	uint8_t key[HASH_LEN];
	struct err ignored;
	char name[24];
	AUTO_FD fd = -1;

	*check = (struct pagefile_check){ 0 };
	page_name(page, name);
	if ((fd = openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0)
		return false;
	page_key(j, page, eng, key);
	if (pagefile_begin_check(fd, key, check, &ignored) < 0) {
		unlinkat(j->dir, name, 0);
		return false;
	}
	*ret_fd = take_fd(&fd);
	return true;
}

/* Of a page that was found: it is whole, or is read anew. */
static void
page_settle(struct job *j, struct rechecking *k, bool whole)
{
	char name[24];

	j->page_state[k->page] = whole ? PAGE_DONE : PAGE_TODO;
	j->pages_done += whole;
	if (!whole) {
		page_name(k->page, name);
		unlinkat(j->dir, name, 0);
		j->pages_bytes -= k->check.total;
		j->page_next = k->page < j->page_next ? k->page : j->page_next;
	}
	io_close(&k->fd);
	k->page++;
}

static void
recheck_turn(void *ctx)
{
	struct job *j = ctx;
	struct rechecking *k = j->rechecking;
	const struct ready_scan *eng = engine(j->core);
	struct err ignored;
	int r = -1;

	while (k->fd < 0 && k->page < j->inspect.pages && j->page_state[k->page] != PAGE_FOUND)
		k->page++;
	if (k->page == j->inspect.pages) {
		recheck_forget(j);
		job_step(j);
		return;
	}
	if (eng == NULL) {
		k->timer = loop_timer(j->core->loop, READER_POLL_MS, recheck_turn, j);
		return;
	}
	if (k->fd >= 0 || page_found(j, k->page, eng, &k->check, &k->fd))
		r = pagefile_check_on(k->fd, &k->check, RECHECK_TURN, &ignored);
	if (r <= 0)
		page_settle(j, k, r == 0);
	k->timer = loop_behind(j->core->loop, recheck_turn, j);
}

static int
recheck_start(struct job *j, struct err *e)
{
	if ((j->rechecking = calloc(1, sizeof(*j->rechecking))) == NULL)
		return err_set(e, ERR_MEM, "pages of an earlier run");
	j->rechecking->fd = -1;
	j->rechecking->timer = loop_behind(j->core->loop, recheck_turn, j);
	return 0;
}

/* Pages that an earlier run finished are used again when whole, and one that is under way is waited for. */
static int
pages_prepare(struct job *j, const struct ready_scan *eng, struct err *e)
{
	struct pagefile_check check;
	struct err ignored;
	bool any = false;
	int r;

	if (j->page_state != NULL)
		return 0;
	if ((r = pages_dir(j, e)) < 0)
		return r;
	if ((j->page_state = calloc(j->inspect.pages, 1)) == NULL)
		return err_set(e, ERR_MEM, "page table");
	j->pages_done = j->page_next = 0;
	j->pages_bytes = 0;
	j->page_turn = j->core->page_turns; /* who comes goes to the end */
	if (j->pages_running > 0)
		j->page_state[0] = PAGE_RUNNING;
	for (uint32_t i = j->pages_running; i < j->inspect.pages; i++) {
		AUTO_FD fd = -1;

		if (page_found(j, i, eng, &check, &fd) && count_bytes(j, fd, &ignored) == 0) {
			j->page_state[i] = PAGE_FOUND;
			any = true;
		}
	}
	return any ? recheck_start(j, e) : 0;
}

/* One page of one job under way; outlives neither. */
struct page_run {
	struct job *job;
	uint32_t page;
	int out;
	bool unread;
	uint8_t key[HASH_LEN]; /* by the settings that it was begun with */
	uint32_t *among; /* the core's count that it is in */
	uint64_t task, timer;
	struct page_run *next;
};

static void
page_run_end(struct page_run *p)
{
	struct core *c = p->job->core;

	for (struct page_run **pp = &c->page_runs; *pp != NULL; pp = &(*pp)->next)
		if (*pp == p) {
			*pp = p->next;
			break;
		}
	(*p->among)--;
	p->job->pages_running--;
	loop_timer_del(c->loop, p->timer);
	io_close(&p->out);
	free(p);
}

void
render_close(struct core *c)
{
	while (c->page_runs != NULL)
		page_run_end(c->page_runs);
}

/* Who reads it checks what it holds like bytes from anywhere else. It gets its name without a sync: it is a cache. */
static int
page_keep(struct page_run *p, struct err *e)
{
	struct pagefile_check whole;
	char name[24];
	int r = pagefile_begin_check(p->out, p->key, &whole, e);

	if (r < 0 && r != -ERR_DOC_CRASH)
		return r;
	if (r < 0)
		return err_set(e, ERR_DOC_CRASH, "page %u came back damaged", p->page + 1);
	page_name(p->page, name);
	if (count_bytes(p->job, p->out, e) < 0 || io_unlink(p->job->dir, name, e) < 0)
		return -(int)e->code;
	return io_link_fd(p->job->dir, name, p->out, e);
}

/* Too long for a reader that was alone and had twice the time: the page goes into the result as it is. */
static bool
goes_unread(const struct page_run *p, const struct err *e)
{
	const struct job *j = p->job;

	return e->code == ERR_DOC_TIMEOUT && j->failed_once.code != ERR_OK && !p->unread &&
	    j->core->conf->scan.unread == UNREAD_KEEP;
}

/* Before the job knows what it is. */
static void
on_page_ahead(struct page_run *p, const struct task_outcome *o)
{
	struct job *j = p->job;
	struct core *c = j->core;
	struct page_result res;
	struct err e = { 0 };

	if (o->err == NULL && page_result_get(o->result, &res, &e) == 0 && page_keep(p, &e) == 0)
		metrics_pages(c, 1);
	page_run_end(p);
	job_step(j); /* when it was withdrawn, this is what it waits for */
	render_pump(c);
}

static void
on_page(void *ctx, const struct task_outcome *o)
{
	struct page_run *p = ctx;
	struct job *j = p->job;
	struct core *c = j->core;
	struct err e = { 0 };
	struct page_result res;
	uint32_t page = p->page;
	bool unread;
	int r = 0;

	if (j->page_state == NULL) {
		on_page_ahead(p, o);
		return;
	}
	if (o->err != NULL) {
		job_judge_task(j, o, &e);
		r = -1;
	} else if (page_result_get(o->result, &res, &e) < 0) {
		r = err_set(&e, ERR_DOC_CRASH, "page %u: its answer is damaged", page + 1);
	} else {
		r = page_keep(p, &e);
	}
	unread = r < 0 && goes_unread(p, &e);
	page_run_end(p);
	j->page_state[page] = r == 0 ? PAGE_DONE : unread ? PAGE_UNREAD : PAGE_TODO;
	if (unread) {
		journal_line(LOG_WARNING, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
		    "job %s: page %u goes without its text: %s", j->claim.id, page + 1, e.text);
		j->page_next = page;
	} else if (r == 0) {
		if (res.mark.page == page && page >= j->page_mark.page)
			j->page_mark = res.mark;
		j->pages_done++;
		metrics_pages(c, 1);
		job_task_good(j);
		job_moved(j);
	} else if (j->why.code == ERR_OK) {
		if (e.page == 0)
			e.page = page + 1;
		j->why = e;
	}
	if (j->pages_running == 0 || r == 0) {
		/* trouble is acted on when no page of this job is under way any more */
		if (j->pages_running == 0 && j->why.code != ERR_OK) {
			e = j->why;
			memset(&j->why, 0, sizeof(j->why));
			j->page_next = 0;
			job_trouble(j, &e);
		} else if (j->pages_done == j->inspect.pages) {
			job_step(j);
		}
	}
	render_pump(c);
}

/*
 * Whoever reads for long gives its place to others and goes on beside them: pages
 * made to take their full time would else stand before every letter.
 */
static void
on_page_slow(void *ctx)
{
	struct page_run *p = ctx;
	struct core *c = p->job->core;

	p->timer = 0;
	if (c->pages_slow >= 2 * c->workers + 2) {
		p->timer = loop_timer(c->loop, PAGE_SLOW_MS, on_page_slow, p);
		return;
	}
	(*p->among)--;
	c->pages_slow++;
	p->among = &c->pages_slow;
	render_pump(c);
}

/* A page takes as long as it has pixels, or bytes to be looked through: drawings go beside the letters, not before them. */
static bool
is_large(const struct job *j)
{
	return j->inspect.pixels > PAGE_LARGE || j->claim.size / j->inspect.pages > PAGE_LARGE;
}

/* Its next page waits for no letter's place, and holds none. */
static bool
stands_aside(const struct job *j)
{
	return j->pages_done >= JOB_PAGES_FIRST || is_large(j);
}

static bool
place_free(const struct core *c, const struct job *j)
{
	return (stands_aside(j) ? c->pages_aside : c->pages_running) < c->workers;
}

/* Also when the job does not know yet what it is: ahead_start(). */
static int
page_start(struct job *j, uint32_t page, const struct ready_scan *eng, struct err *e)
{
	const bool ahead = j->page_state == NULL, unread = !ahead && j->page_state[page] == PAGE_UNREAD;
	const bool aside = !ahead && stands_aside(j);
	struct pageread ask = { .scan = &j->core->conf->scan, .times = j->failed_once.code != ERR_OK ? 2 : 1,
		.behind = aside, .left = pages_most(j) - j->pages_bytes,
		.params = { .kind = kind_read(j), .page = page, .mark = j->page_mark, .unread = unread, .codes = codes_wanted(j->folder) } };
	struct page_run *p = calloc(1, sizeof(*p));
	AUTO_FD source = open_source(j, e);

	if (p == NULL || source < 0 || (p->out = io_tmpfile(j->dir, e)) < 0) {
		free(p);
		return e->code == ERR_OK ? err_set(e, ERR_MEM, "page") : -(int)e->code;
	}
	page_key(j, page, eng, p->key);
	memcpy(ask.params.key, p->key, HASH_LEN);
	ask.source = source;
	ask.out = p->out;
	p->job = j;
	p->page = page;
	p->unread = unread;
	p->next = j->core->page_runs;
	j->core->page_runs = p;
	if (!ahead)
		j->page_state[page] = PAGE_RUNNING;
	j->pages_running++;
	j->page_turn = ++j->core->page_turns;
	p->among = aside ? &j->core->pages_aside : &j->core->pages_running;
	(*p->among)++;
	if (ahead || !is_large(j))
		p->timer = loop_timer(j->core->loop, PAGE_SLOW_MS, on_page_slow, p);
	p->task = pageread_start(j->core->children, &ask, on_page, p);
	return 0;
}

static bool
wants_page(const struct job *j)
{
	/* after a crash the pages go one at a time, so that it is clear which one it is */
	return j->state == SPOOL_CLAIMED && j->page_state != NULL && j->timer == 0 && j->why.code == ERR_OK &&
	    j->page_next < j->inspect.pages && (j->failed_once.code == ERR_OK || j->pages_running == 0);
}

static uint32_t
folder_running(const struct core *c, const struct conf_folder *folder)
{
	uint32_t n = 0;

	for (const struct page_run *p = c->page_runs; p != NULL; p = p->next)
		n += p->job->folder == folder;
	return n;
}

/*
 * Whose turn it is: of the folder that has the fewest pages under way, the job that
 * has the fewest, and of several the one that was served longest ago.  So neither
 * a document of 5,000 pages nor a folder with a thousand letters stops one letter.
 */
static bool
goes_before(const struct job *a, uint32_t a_folder, const struct job *b, uint32_t b_folder)
{
	if (a_folder != b_folder)
		return a_folder < b_folder;
	if (a->pages_running != b->pages_running)
		return a->pages_running < b->pages_running;
	return a->page_turn < b->page_turn;
}

static struct job *
next_in_turn(struct core *c)
{
	struct job *best = NULL;
	uint32_t best_folder = 0;

	for (struct job *j = c->jobs; j != NULL; j = j->next) {
		uint32_t n;

		while (wants_page(j) && j->page_state[j->page_next] > PAGE_UNREAD)
			j->page_next++;
		if (!wants_page(j) || !place_free(c, j))
			continue;
		n = folder_running(c, j->folder);
		if (best == NULL || goes_before(j, n, best, best_folder)) {
			best = j;
			best_folder = n;
		}
	}
	return best;
}

void
render_pump(struct core *c)
{
	const struct ready_scan *eng = engine(c);
	struct err e = { 0 };
	struct job *j;

	while (eng != NULL && !c->stopping && (j = next_in_turn(c)) != NULL) {
		if (page_start(j, j->page_next, eng, &e) < 0) {
			job_trouble(j, &e);
			return;
		}
		j->page_next++;
	}
}

/* --- inspect --------------------------------------------------------------------------- */

int
inspect_answer(const struct core *c, bool brief, struct buf *b, struct inspect_result *ret, struct err *e)
{
	struct inspect_result r;

	if (inspect_result_get(b, &r, e) < 0 || r.pages > c->conf->scan.max_pages || (r.brief && !brief))
		return job_lied(e, "looking at the document");
	*ret = r;
	return 0;
}

/*
 * The first page of a long scan is read while all the others are only looked at.
 * It is a guess, and bound to nothing: what is wrong with it is found again when
 * its turn comes, and judged then.
 */
static void
ahead_start(struct job *j, const struct ready_scan *eng)
{
	struct err e = { 0 };

	if (j->pages_said == 0 || j->failed_once.code != ERR_OK || j->core->pages_running >= j->core->workers ||
	    j->claim.size / j->pages_said > PAGE_LARGE)
		return;
	if (pages_dir(j, &e) < 0 || page_start(j, 0, eng, &e) < 0)
		log_err(LOG_NOTICE, "first page", &e);
}

static void
ahead_cancel(struct job *j)
{
	struct core *c = j->core;

	for (struct page_run *p = c->page_runs; p != NULL; p = p->next)
		if (p->job == j) {
			children_cancel(c->children, p->task);
			page_run_end(p);
			break;
		}
}

static int
take_answer(struct job *j, struct buf *answer, struct err *e)
{
	struct inspect_result res;
	AUTO_BUF b;
	int r;

	buf_init(&b, 512);
	if ((r = inspect_answer(j->core, false, answer, &res, e)) < 0)
		return r;
	inspect_result_put(&b, &res);
	if ((r = record_put_buf(j->dir, "inspect", &b, e)) == 0)
		j->inspect = res;
	return r;
}

static void
on_inspected(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	int r = o->err == NULL ? take_answer(j, o->result, &e) : -1;

	if (r < 0 || j->inspect.kind != DOC_PDF || j->withdrawn)
		ahead_cancel(j);
	if (!job_task_ok(j, o))
		return;
	if (r < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

static int
inspect_start(struct job *j, const struct ready_scan *eng, struct err *e)
{
	struct job_task t = { .kind = TASK_INSPECT, .as_mib = INSPECT_MIB, .cpu_s = 60, .deadline_ms = 90000 };
	AUTO_FD source = open_source(j, e);
	int r;

	if (source < 0)
		return source;
	t.in = source;
	if ((r = job_task(j, &t, on_inspected, e)) == 0)
		ahead_start(j, eng);
	return r;
}

/* --- compose, and a second child that reads back -------------------------------------- */

int
render_give_page(void *ctx, uint32_t page)
{
	struct job *j = ctx;
	char name[24];

	if (page >= j->inspect.pages) {
		errno = ERANGE;
		return -1;
	}
	page_name(page, name);
	return openat(j->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Record `engine`: who read the pages, for the log. */
static int
engine_put(struct job *j, struct err *e)
{
	const struct ready_scan *eng = engine(j->core);
	AUTO_BUF b;
	int r;

	buf_init(&b, 1024);
	if (eng == NULL)
		return err_set(e, ERR_CHILD, "sealroom-scan ended");
	ready_scan_put(&b, eng);
	if ((r = io_unlink(j->dir, "engine", e)) < 0)
		return r;
	return record_put_buf(j->dir, "engine", &b, e);
}

/* plan and doc.pdf stand; the job is rendered. */
static int
render_done(struct job *j, struct err *e)
{
	AUTO_BUF b;
	int r;

	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, j->plan);
	/* leftovers of an earlier run in this state were never referred to */
	if ((r = io_unlink(j->dir, "plan", e)) < 0 || (r = io_unlink(j->dir, "doc.pdf", e)) < 0 ||
	    (r = io_unlink(j->dir, "parts", e)) < 0)
		return r;
	if ((r = engine_put(j, e)) < 0 || (r = record_put_buf(j->dir, "plan", &b, e)) < 0 ||
	    (r = io_put_fd(j->dir, "doc.pdf", j->out, e)) < 0)
		return r;
	io_close(&j->out);
	j->planned = true;
	return job_move(j, SPOOL_RENDERED, e);
}

static void
on_read_back(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	struct sigs_result s;
	int r;

	io_close(&j->side);
	if (!job_task_ok(j, o))
		return;
	if ((r = sigs_result_get(o->result, &s, &e)) < 0)
		job_lied(&e, "reading back");
	else if (s.pages != j->plan->pages || s.warnings != 0 || s.nsigs != j->inspect.sigs)
		r = err_set(&e, ERR_DOC_CRASH, "the PDF made from it reads back with %u pages, %u signatures and %u warnings", s.pages,
		    s.nsigs, s.warnings);
	if (r == 0)
		r = render_done(j, &e);
	if (r < 0) {
		job_trouble(j, &e);
		return;
	}
	render_forget(j);
	job_step(j);
}

static int
read_back_start(struct job *j, struct err *e)
{
	struct job_task t = { .kind = TASK_SIGS, .in = j->out, .out = &j->side, .as_mib = INSPECT_MIB, .cpu_s = 60,
		.deadline_ms = 90000 };

	return job_task(j, &t, on_read_back, e);
}

/* --- a document that keeps its bytes: the source, then what was composed ---------------- */

/* What was copied is what was claimed: an update belongs to these very bytes. */
static int
keep_check(void *ctx, struct err *e)
{
	const struct job *j = ctx;

	return memcmp(j->keeping->digest, j->claim.hash, HASH_LEN) == 0 ? 0 :
	    err_set(e, ERR_IO, "the copy in the spool is not what was claimed");
}

static void
on_kept(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct err e = { 0 };

	j->busy = false;
	j->steps = NULL;
	if (why == NULL) {
		io_close(&j->out);
		j->out = take_fd(&j->keeping->made);
	}
	keep_forget(j);
	if (why != NULL || read_back_start(j, &e) < 0)
		job_trouble(j, why != NULL ? why : &e);
}

static int
keep_start(struct job *j, struct err *e)
{
	uint64_t update = j->plan->len;
	struct keeping *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return err_set(e, ERR_MEM, "keeping the document");
	k->source = k->made = -1;
	j->keeping = k;
	if ((k->source = open_source(j, e)) < 0 || (k->made = io_tmpfile(j->dir, e)) < 0) {
		keep_forget(j);
		return -(int)e->code;
	}
	j->steps = steps_new(j->core->loop, j);
	steps_copy(j->steps, k->source, 0, j->claim.size, k->made, true);
	steps_digest(j->steps, k->digest);
	steps_call(j->steps, keep_check);
	steps_copy(j->steps, j->out, 0, update, k->made, false);
	j->busy = true;
	steps_go(j->steps, on_kept);
	return 0;
}

/*
 * Composing happens in a child that has seen the document: the rule it names
 * must be one of this folder's, and the seal that rule's or the one that the
 * ticket asks for and the folder allows.
 */
static int
check_plan(const struct job *j, struct err *e)
{
	const struct compose_result *p = j->plan;

	const uint32_t gone = p->dropped ? page_set_count(&p->blank) : 0;

	if (j->inspect.sigs > 0 && (p->len != 0 || (j->inspect.allowed != SEAL_SEEN && p->place != PLACE_INVISIBLE)))
		return err_set(e, ERR_DOC_CRASH, "composing added more than the signatures of the document allow");
	if (p->blank.pages != j->inspect.pages || p->estimated.pages != j->inspect.pages ||
	    p->unread.pages != j->inspect.pages || p->pages + gone != j->inspect.pages ||
	    (p->dropped && j->core->conf->scan.blank != BLANK_DROP))
		return err_set(e, ERR_DOC_CRASH, "composing made %u pages of %u", p->pages, j->inspect.pages);
	for (size_t i = 0; i < j->folder->nrules; i++) {
		const struct conf_rule *r = j->folder->rules[i];
		const char *seal = j->ticket != NULL && j->ticket->seal[0] != '\0' ? j->ticket->seal :
		    r->seal != NULL ? r->seal->name : "";

		if (strcmp(r->name, p->rule) == 0 && r->seal != NULL && strcmp(seal, p->seal) == 0 &&
		    memcmp(r->hash, p->rule_hash, HASH_LEN) == 0)
			return 0;
	}
	return err_set(e, ERR_DOC_CRASH, "composing named a rule or a seal that this folder has not");
}

static void
on_composed(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	uint64_t size;
	int r;

	if (!job_task_ok(j, o))
		return;
	if (j->plan == NULL && (j->plan = calloc(1, sizeof(*j->plan))) == NULL) {
		err_set(&e, ERR_MEM, "plan");
		job_trouble(j, &e);
		return;
	}
	if ((r = compose_result_get(o->result, j->plan, &e)) < 0 && r != -ERR_MEM)
		job_lied(&e, "composing");
	if (r == 0 && j->plan->hold != 0) {
		err_set(&e, (enum err_code)j->plan->hold, "%s", j->plan->hold_text);
		e.page = j->plan->ncandidates > 0 ? j->plan->candidates[0].page + 1 : 0;
		if (j->divided)
			job_trouble(j, &e);
		else
			outcome_hold(j, &e, j->plan);
		return;
	}
	if (r == 0 && j->plan->outside.pages != 0) {
		if (stack_start(j, &e) < 0)
			job_trouble(j, &e);
		return;
	}
	if (r == 0)
		r = check_plan(j, &e);
	if (r == 0 && (r = io_size(j->out, &size, &e)) == 0 && size != j->plan->len)
		r = err_set(&e, ERR_DOC_CRASH, "composing wrote another length than it said");
	if (r == 0)
		r = j->inspect.kind == DOC_PDF_KEPT ? keep_start(j, &e) : read_back_start(j, &e);
	if (r < 0)
		job_trouble(j, &e);
}

/* What is built holds each page's image once, as it lies in the source or in the page's file. */
uint64_t
render_out_max(const struct job *j)
{
	uint64_t sum = j->claim.size + JOB_OUT_MAX;
	struct stat st;
	char name[24];

	for (uint32_t i = 0; i < j->inspect.pages; i++) {
		page_name(i, name);
		if (fstatat(j->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

static int
compose_ticket(struct job *j, struct compose_params *p, struct err *e)
{
	const struct ticket *t;
	int r;

	if ((r = admit_ticket(j, &t, e)) < 0 || t == NULL)
		return r;
	memcpy(p->want_rule, t->rule, sizeof(p->want_rule));
	memcpy(p->want_seal, t->seal, sizeof(p->want_seal));
	snprintf(p->want_name, sizeof(p->want_name), "%s", t->name);
	p->nfields = t->nfields;
	memcpy(p->fields, t->fields, sizeof(p->fields));
	return 0;
}

static int
compose_start(struct job *j, struct err *e)
{
	struct job_task t = { .kind = TASK_COMPOSE, .out = &j->out, .as_mib = COMPOSE_MIB, .page = render_give_page,
		.fsize = render_out_max(j),
		.cpu_s = 120 + j->inspect.pages / 10, .deadline_ms = 180000 + j->inspect.pages * 100 };
	struct compose_params p;
	struct decision d;
	AUTO_FD source = -1;
	AUTO_BUF b;
	int r;

	memset(&p, 0, sizeof(p));
	buf_init(&b, WIRE_PAYLOAD);
	memcpy(p.id, j->claim.id, ID_MAX);
	snprintf(p.folder, sizeof(p.folder), "%s", j->claim.folder);
	path_display(j->claim.name, p.name, sizeof(p.name));
	memcpy(p.source_hash, j->claim.hash, HASH_LEN);
	p.received_us = j->claim.received_us;
	p.kind = j->inspect.kind;
	p.pages = j->inspect.pages;
	if ((r = stack_may(j, &p.stack, e)) < 0 || (r = decision_get(j, &d, e)) < 0)
		return r;
	if (r == 1) {
		memcpy(p.force_rule, d.rule, sizeof(p.force_rule));
		p.force_at = d.at;
		p.force_page = d.page;
		p.force_x = d.x;
		p.force_y = d.y;
	}
	if ((r = compose_ticket(j, &p, e)) < 0 || (r = earlier_params(j, &p, e)) < 0)
		return r;
	compose_params_put(&b, &p);
	if ((source = open_source(j, e)) < 0)
		return source;
	t.params = &b;
	t.in = source;
	return job_task(j, &t, on_composed, e);
}

/* What is missing yet, in the order in which one needs the other. */
static int
read_on(struct job *j, const struct ready_scan *eng, struct err *e)
{
	int r;

	if (j->inspect.kind == DOC_NONE)
		return inspect_start(j, eng, e);
	if ((r = attached_wanted(j, e)) != 0)
		return r < 0 ? r : attached_start(j, e);
	if ((r = earlier_wanted(j, e)) != 0)
		return r < 0 ? r : earlier_start(j, e);
	if ((r = earlier_forbids(&j->inspect, e)) < 0 || (r = pages_prepare(j, eng, e)) < 0)
		return r;
	if (j->pages_done == j->inspect.pages)
		return (r = earlier_admit(j, e)) < 0 ? r : compose_start(j, e);
	render_pump(j->core);
	return 0;
}

void
render_step(struct job *j)
{
	const struct ready_scan *eng = engine(j->core);
	struct err e = { 0 };
	int r;

	if (j->folder == NULL) {
		err_set(&e, ERR_CONF, "folder %s is not in the settings any more", j->claim.folder);
		job_trouble(j, &e);
		return;
	}
	if (!admit(j))
		return;
	if (eng == NULL) {
		err_set(&j->why, ERR_CHILD, "sealroom-scan is not ready");
		job_step_soon(j, READER_POLL_MS);
		return;
	}
	if ((r = inspect_load(j, &e)) == 0) {
		memset(&j->why, 0, sizeof(j->why));
		r = read_on(j, eng, &e);
	}
	if (r < 0)
		job_trouble(j, &e);
}
