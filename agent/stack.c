#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/lib/io.h"
#include "agent/lib/path.h"
#include "seal/evidence/layout.h"

#include "agent/intake.h"
#include "agent/journal.h"
#include "agent/jsonput.h"
#include "agent/stack.h"
#include "agent/steps.h"

#define LIST "parts" /* in the spool; LAYOUT_PARTS in the archive */
#define PART_MIB 512
#define INSPECT_MIB 1024
#define FULL_MS 250    /* as many unfinished jobs as may be */
#define RECEIPT_MS 200

/* One document of a stack. */
struct part {
	uint32_t n;            /* from 1 */
	char id[ID_MAX];       /* of its job */
	char name[SPOOL_NAME_MAX];
	struct page_range pages;
	uint8_t hash[HASH_LEN];
};

/* Writing them, one after the other. */
struct dividing {
	uint32_t at;           /* the one in work, from 0 */
	uint64_t len;
	struct part part;
	struct buf list;       /* LAYOUT_PARTS so far */
};

void
stack_forget(struct job *j)
{
	if (j->dividing == NULL)
		return;
	buf_done(&j->dividing->list);
	free(j->dividing);
	j->dividing = NULL;
}

int
stack_had(const struct job *j, struct err *e)
{
	return io_there(j->dir, "stack", e);
}

int
stack_may(const struct job *j, uint32_t *ret, struct err *e)
{
	int had = 0;

	*ret = STACK_MAY;
	if (j->divided)
		return 0;
	if (j->folder->stack != STACK_HOLD && (had = stack_had(j, e)) < 0)
		return had;
	if (j->folder->stack == STACK_HOLD || had == 1)
		*ret = STACK_MAY_NOT;
	else if (j->claim.ticket.has)
		*ret = STACK_HAS_TICKET;
	return 0;
}

/* The states in which a job may be a stack that was divided. */
static bool
divided_from(enum spool_state state)
{
	return state >= SPOOL_SEALED && state <= SPOOL_RELEASED;
}

bool
stack_in(int dir, enum spool_state state)
{
	return divided_from(state) && io_exists(dir, LIST);
}

int
stack_is(const struct job *j, struct err *e)
{
	return divided_from(j->state) ? io_there(j->dir, LIST, e) : 0;
}

/* --- one document ---------------------------------------------------------------------- */

/* "Post.tif" -> "Post-2.pdf"; of a long name less, cut where a character begins. */
static void
part_name(const char *name, uint32_t n, char dst[SPOOL_NAME_MAX])
{
	const char *dot = strrchr(name, '.');
	size_t stem = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name), room;
	char end[16];

	room = SPOOL_NAME_MAX - 1 - (size_t)snprintf(end, sizeof(end), "-%u.pdf", n);
	if (stem > room)
		for (stem = room; stem > 0 && ((unsigned char)name[stem] & 0xC0) == 0x80; stem--)
			continue;
	snprintf(dst, SPOOL_NAME_MAX, "%.*s%s", (int)stem, name, end);
}

/* All of it but the hash; false: there are not so many. */
static bool
part_init(const struct job *j, uint32_t at, struct part *ret)
{
	*ret = (struct part){ .n = at + 1 };
	id_derive(j->claim.id, ret->n, ret->id);
	part_name(j->claim.name, ret->n, ret->name);
	return page_set_rest(&j->plan->outside, at, &ret->pages);
}

static void
part_file(uint32_t n, char dst[24])
{
	snprintf(dst, 24, "part-%u.pdf", n);
}

/* "HASH  YYYY/MM/DD/JOB/original.pdf" */
static void
part_line(const struct job *j, const struct part *p, struct buf *list)
{
	char hex[HASH_HEX], path[ARCHIVE_PATH_MAX];

	hash_hex(p->hash, hex);
	archive_path(p->id, j->claim.received_us, path);
	buf_printf(list, "%s  %s/" LAYOUT_PART "\n", hex, path);
}

/* Takes its line off the front of the list: it must be what we would write. */
static int
part_read(const struct job *j, struct buf *list, struct part *p, struct err *e)
{
	char hex[HASH_HEX] = "";
	AUTO_BUF line = { 0 };

	buf_init(&line, 256);
	if (list->len - list->pos >= HASH_HEX)
		memcpy(hex, list->data + list->pos, HASH_HEX - 1);
	if (hash_from_hex(hex, p->hash) < 0)
		return err_set(e, ERR_IO, "record " LIST " is damaged");
	part_line(j, p, &line);
	if (line.starved)
		return err_set(e, ERR_MEM, "record " LIST);
	if (!buf_ok(&line) || list->len - list->pos < line.len || memcmp(list->data + list->pos, line.data, line.len) != 0)
		return err_set(e, ERR_IO, "record " LIST " is damaged");
	list->pos += line.len;
	return 0;
}

static int
list_read(struct job *j, struct buf *list, struct err *e)
{
	int r = plan_load(j, e);

	buf_init(list, LAYOUT_PARTS_LINE * STACK_PARTS_MAX);
	return r < 0 ? r : record_get(j->dir, LIST, list, e);
}

/* --- in words -------------------------------------------------------------------------- */

static json_t *
part_json(const struct part *p)
{
	char hex[HASH_HEX], shown[3 * SPOOL_NAME_MAX];

	hash_hex(p->hash, hex);
	path_display(p->name, shown, sizeof(shown));
	return json_pack("{s:i, s:s, s:s, s:i, s:i, s:s}", "n", (int)p->n, "job", p->id, "name", shown, "first", (int)p->pages.first + 1,
	    "last", (int)p->pages.last + 1, "sha256", hex);
}

json_t *
stack_parts(struct job *j, struct err *e)
{
	json_t *all = json_array();
	struct part p;
	AUTO_BUF list = { 0 };

	if (list_read(j, &list, e) < 0) {
		json_decref(all);
		return NULL;
	}
	for (uint32_t i = 0; all != NULL && part_init(j, i, &p); i++) {
		if (part_read(j, &list, &p, e) < 0) {
			json_decref(all);
			return NULL;
		}
		json_add(&all, part_json(&p));
	}
	if (all == NULL)
		err_set(e, ERR_MEM, "documents of a stack");
	return all;
}

static int
stack_put(const struct job *j, const struct part *p, int dir, struct err *e)
{
	char hex[HASH_HEX];
	json_t *o;
	AUTO_FREE char *text = NULL;

	hash_hex(j->claim.hash, hex);
	o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:i}", "job", j->claim.id, "sha256", hex, "n", (int)p->n, "of",
	    (int)page_set_rests(&j->plan->outside), "first", (int)p->pages.first + 1, "last", (int)p->pages.last + 1);
	if (o != NULL)
		text = json_text(o, JSON_INDENT(1));
	json_decref(o);
	return text != NULL ? record_put(dir, "stack", text, strlen(text), e) : err_set(e, ERR_MEM, "record stack");
}

int
stack_of(const struct job *j, json_t **ret, struct err *e)
{
	AUTO_BUF b = { 0 };
	int r;

	*ret = NULL;
	if ((r = io_there(j->dir, "stack", e)) <= 0 || (r = record_get(j->dir, "stack", &b, e)) < 0)
		return r;
	if ((*ret = json_loadb((const char *)b.data, b.len, 0, NULL)) == NULL)
		return err_set(e, ERR_IO, "record stack is damaged");
	return 0;
}

/* --- claimed: its documents are written ------------------------------------------------ */

static int part_start(struct job *, struct err *);

/* What a document of it would be can not be read: which pages belong together, a person must say. */
static int
not_alone(const struct job *j, const char *why, struct err *e)
{
	char said[ERR_TEXT_MAX];

	snprintf(said, sizeof(said), "%s", why);
	err_set(e, ERR_DOC_STACK, "document %u of it can not be made alone: %.120s", j->dividing->part.n, said);
	e->page = j->dividing->part.pages.first + 1;
	return -(int)e->code;
}

static int
put_records(struct job *j, struct err *e)
{
	AUTO_FREE char *text = NULL;
	AUTO_BUF plan;
	int r;

	buf_init(&plan, WIRE_PAYLOAD);
	compose_result_put(&plan, j->plan);
	/* leftovers of an earlier run in this state were never referred to */
	if ((r = io_unlink(j->dir, LIST, e)) < 0 || (r = io_unlink(j->dir, "plan", e)) < 0 || (r = io_unlink(j->dir, "job.json", e)) < 0)
		return r;
	if ((r = record_put_buf(j->dir, LIST, &j->dividing->list, e)) < 0 || (r = record_put_buf(j->dir, "plan", &plan, e)) < 0)
		return r;
	j->planned = true;
	if ((r = jobjson_stack(j, &text, e)) < 0)
		return r;
	return record_put(j->dir, "job.json", text, strlen(text), e);
}

static int
next_part(struct job *j, struct err *e)
{
	int r;

	if (j->withdrawn) { /* not too late yet */
		job_step_soon(j, 0);
		return 0;
	}
	if (part_init(j, j->dividing->at, &j->dividing->part))
		return part_start(j, e);
	if ((r = put_records(j, e)) < 0 || (r = job_move(j, SPOOL_SEALED, e)) < 0)
		return r;
	journal_line(LOG_INFO, &(struct about){ .job = j->claim.id, .folder = j->claim.folder },
	    "job %s: a stack of %u documents", j->claim.id, j->dividing->at);
	render_forget(j);
	job_step_soon(j, 0);
	return 0;
}

static void
on_part_hashed(void *ctx, const struct err *why)
{
	struct job *j = ctx;
	struct dividing *d = j->dividing;
	struct err e = { 0 };
	char name[24];
	int r;

	j->busy = false;
	j->steps = NULL;
	if (why != NULL) {
		job_trouble(j, why);
		return;
	}
	part_file(d->part.n, name);
	part_line(j, &d->part, &d->list);
	if ((r = io_unlink(j->dir, name, &e)) == 0 && (r = io_put_fd(j->dir, name, j->out, &e)) == 0) {
		io_close(&j->out);
		d->at++;
		r = next_part(j, &e);
	}
	if (r < 0)
		job_trouble(j, &e);
}

static void
hash_start(struct job *j)
{
	struct dividing *d = j->dividing;

	j->steps = steps_new(j->core->loop, j);
	steps_copy(j->steps, j->out, 0, d->len, -1, true);
	steps_digest(j->steps, d->part.hash);
	steps_flush(j->steps, j->out);
	j->busy = true;
	steps_go(j->steps, on_part_hashed);
}

/* It was looked at as it will be when it is a job. */
static void
on_part_read(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	const struct part *p = &j->dividing->part;
	struct inspect_result in = { .kind = DOC_NONE };
	struct err e = { 0 };
	int r = 0;

	if (o->err != NULL && !o->lost && err_class(o->err->code) == ERR_CLASS_REJECT && o->err->code != ERR_DOC_CRASH &&
	    o->err->code != ERR_DOC_TIMEOUT) {
		j->busy = false;
		j->task = 0;
		r = not_alone(j, o->err->text, &e);
	} else if (!job_task_ok(j, o)) {
		return;
	} else if ((r = inspect_answer(j->core, false, o->result, &in, &e)) == 0 &&
	    (in.kind != DOC_PDF || in.pages != p->pages.last - p->pages.first + 1)) {
		r = not_alone(j, "it reads back as another kind of document", &e);
	}
	if (r < 0)
		job_trouble(j, &e);
	else
		hash_start(j);
}

static void
on_part(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct job_task t = { .kind = TASK_INSPECT, .in = j->out, .as_mib = INSPECT_MIB, .cpu_s = 60, .deadline_ms = 90000 };
	struct part_result res;
	struct err e = { 0 };
	uint64_t size;
	int r;

	if (!job_task_ok(j, o))
		return;
	if (part_result_get(o->result, &res, &e) < 0)
		r = job_lied(&e, "a document of a stack");
	else if ((r = io_size(j->out, &size, &e)) == 0 && size != res.len)
		r = err_set(&e, ERR_DOC_CRASH, "a document of a stack has another length than was said");
	if (r == 0) {
		j->dividing->len = res.len;
		r = job_task(j, &t, on_part_read, &e);
	}
	if (r < 0)
		job_trouble(j, &e);
}

static int
part_start(struct job *j, struct err *e)
{
	const struct part *p = &j->dividing->part;
	struct compose_params params;
	struct job_task t = { .kind = TASK_PART, .out = &j->out, .as_mib = PART_MIB, .page = render_give_page, .fsize = render_out_max(j),
		.cpu_s = 120 + j->inspect.pages / 10, .deadline_ms = 180000 + j->inspect.pages * 100 };
	AUTO_FD source = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	AUTO_BUF b;

	buf_init(&b, WIRE_PAYLOAD);
	if (source < 0)
		return err_sys(e, ERR_IO, "source of job %s", j->claim.id);
	memset(&params, 0, sizeof(params));
	memcpy(params.id, j->claim.id, ID_MAX);
	snprintf(params.folder, sizeof(params.folder), "%s", j->claim.folder);
	memcpy(params.source_hash, j->claim.hash, HASH_LEN);
	params.received_us = j->claim.received_us;
	params.kind = j->inspect.kind;
	params.pages = j->inspect.pages;
	params.first = p->pages.first;
	params.last = p->pages.last;
	compose_params_put(&b, &params);
	t.params = &b;
	t.in = source;
	return job_task(j, &t, on_part, e);
}

/* Where the documents are says a child that has seen all of them: no more than that it may say. */
static int
check_stack(const struct job *j, struct err *e)
{
	const struct compose_result *p = j->plan;
	uint32_t may;
	int r = stack_may(j, &may, e);

	if (r < 0)
		return r;
	if (may != STACK_MAY || j->inspect.kind == DOC_PDF_KEPT || p->outside.pages != j->inspect.pages ||
	    p->estimated.pages != j->inspect.pages || p->unread.pages != j->inspect.pages)
		return err_set(e, ERR_DOC_CRASH, "composing divided what may not be divided");
	return 0;
}

int
stack_start(struct job *j, struct err *e)
{
	int r;

	if ((r = check_stack(j, e)) < 0)
		return r;
	if (!receipt_there(j)) {
		job_step_soon(j, RECEIPT_MS);
		return 0;
	}
	stack_forget(j);
	if ((j->dividing = calloc(1, sizeof(*j->dividing))) == NULL)
		return err_set(e, ERR_MEM, "dividing a stack");
	buf_init(&j->dividing->list, LAYOUT_PARTS_LINE * STACK_PARTS_MAX);
	return next_part(j, e);
}

/* --- archived: its documents become jobs ----------------------------------------------- */

/* 1: it is at work, or has ended; 0; -code: it can not be told. */
static int
is_taken(const struct job *j, const char *id, struct err *e)
{
	struct core *c = j->core;
	int r;

	for (const struct job *k = c->jobs; k != NULL; k = k->next)
		if (strcmp(k->claim.id, id) == 0)
			return 1;
	if ((r = io_there(c->spool.quarantine, id, e)) != 0 || (r = archive_has(c->archive, id, j->claim.received_us, e)) != 0)
		return r;
	for (int s = SPOOL_CLAIMED; s < SPOOL_STATES; s++)
		if ((r = io_there(c->spool.dir[s], id, e)) != 0)
			return r < 0 ? r : err_set(e, ERR_IO, "spool/%s/%s is there, and no job at work; the next start reads it",
			                       spool_state_name((enum spool_state)s), id);
	return 0;
}

static int
part_claim(const struct job *j, const struct part *p, const char *file, struct claim *ret, struct err *e)
{
	struct claim c = { .owner = j->claim.owner, .others_write = j->claim.others_write, .mtime_ns = j->claim.mtime_ns,
		.received_us = j->claim.received_us, .log_size = elog_size(j->core->elog) };
	uint8_t salt[16];
	struct stat st;

	if (fstatat(j->dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, ERR_IO, "%s of job %s", file, j->claim.id);
	if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
		return err_sys(e, ERR_IO, "random numbers");
	hex_encode(salt, sizeof(salt), c.salt);
	c.size = (uint64_t)st.st_size;
	memcpy(c.id, p->id, ID_MAX);
	memcpy(c.folder, j->claim.folder, sizeof(c.folder));
	memcpy(c.name, p->name, sizeof(c.name));
	memcpy(c.hash, p->hash, HASH_LEN);
	*ret = c;
	return 0;
}

/* incoming/J, complete; its source is the stack's file, which nobody changes. */
static int
part_make(const struct job *j, const struct part *p, const char *file, const struct claim *claim, int *ret_dir, struct err *e)
{
	int incoming = j->core->spool.dir[SPOOL_INCOMING], r;
	AUTO_FD dir = -1;

	if ((r = io_remove_tree(incoming, p->id, e)) < 0)
		return r;
	if (mkdirat(incoming, p->id, 0700) < 0)
		return err_sys(e, ERR_IO, "making the job's directory");
	if ((dir = io_open_dir(incoming, p->id, e)) < 0)
		return dir;
	if (linkat(j->dir, file, dir, "source", 0) < 0)
		return err_sys(e, ERR_IO, "%s of job %s", file, j->claim.id);
	if ((r = stack_put(j, p, dir, e)) < 0 || (r = claim_put(dir, claim, e)) < 0)
		return r;
	*ret_dir = take_fd(&dir);
	return 0;
}

static int
part_take(struct job *j, const struct part *p, struct err *e)
{
	struct core *c = j->core;
	struct claim claim;
	struct job *k;
	struct err ignored;
	char file[24];
	int dir, r;

	part_file(p->n, file);
	if ((r = part_claim(j, p, file, &claim, e)) < 0 || (r = intake_room(c->conf, &c->spool, claim.size, e)) < 0 ||
	    (r = part_make(j, p, file, &claim, &dir, e)) < 0)
		return r;
	r = (k = job_new(e)) == NULL ? -(int)e->code : spool_move(&c->spool, p->id, SPOOL_INCOMING, SPOOL_CLAIMED, e);
	if (r < 0) {
		/* neither synced nor taken back, on a disk that was full: it is made anew, and nobody's until then */
		io_remove_tree(c->spool.dir[SPOOL_CLAIMED], p->id, &ignored);
		free(k);
		close(dir);
		return r;
	}
	job_add(c, k, &claim, SPOOL_CLAIMED, dir);
	journal(JOURNAL_JOB_TAKEN, LOG_INFO, &(struct about){ .job = claim.id, .folder = claim.folder },
	    "job %s: taken from stack %s, document %u", claim.id, j->claim.id, p->n);
	job_step_soon(k, 0);
	return 0;
}

/* For one more of its documents, beside those that others wait for. */
static bool
no_room(struct job *j)
{
	if (claiming_jobs(j->core) <= j->core->conf->max_jobs)
		return claiming_no_room(j->core, &j->why);
	err_set(&j->why, ERR_LATER, "%u unfinished jobs are enough (max_jobs)", j->core->conf->max_jobs);
	return true;
}

int
stack_take(struct job *j, struct err *e)
{
	struct part p;
	AUTO_BUF list = { 0 };
	int r;

	if ((r = list_read(j, &list, e)) < 0)
		return r;
	/* one that an earlier run took in its last moment may not be on disk yet */
	if (!part_init(j, j->parts_taken, &p))
		return (r = io_sync(j->core->spool.dir[SPOOL_CLAIMED], e)) < 0 ? r : 1;
	list.pos = j->parts_taken * LAYOUT_PARTS_LINE;
	if (list.pos > list.len)
		return err_set(e, ERR_IO, "record " LIST " is damaged");
	if ((r = part_read(j, &list, &p, e)) < 0 || (r = is_taken(j, p.id, e)) < 0)
		return r;
	if (r == 0 && no_room(j)) {
		j->stalled = true; /* those may wait for long */
		job_step_soon(j, FULL_MS);
		return 0;
	}
	if (r == 0 && (r = part_take(j, &p, e)) < 0)
		return r;
	j->parts_taken++;
	memset(&j->why, 0, sizeof(j->why));
	job_moved(j);
	job_step_soon(j, 0); /* others have their turn */
	return 0;
}
