#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/lib/io.h"

#include "agent/attached.h"
#include "agent/spool.h"

#define RECORD "files"
#define FILES_MIB 1024
#define LIST_MAX (1u << 20)

int
attached_wanted(const struct job *j, struct err *e)
{
	int r = j->inspect.files == 0 ? 1 : io_there(j->dir, RECORD, e);

	return r < 0 ? r : r == 0;
}

/* The list in j->side, which is what its hash says; j->side is gone then. */
static int
take_list(struct job *j, const struct task_outcome *o, struct buf *list, struct err *e)
{
	AUTO_FREE char *text = NULL;
	struct files_result f;
	uint8_t hash[HASH_LEN];
	uint64_t len;
	int r;

	if (files_result_get(o->result, &f, e) < 0)
		return job_lied(e, "the list of attachments");
	if ((r = io_size(j->side, &len, e)) < 0)
		return r;
	if (len > LIST_MAX)
		return err_set(e, ERR_DOC_SIZE, "the list of attachments is too long");
	if ((text = malloc(len + 1)) == NULL)
		return err_set(e, ERR_MEM, "attachments");
	if ((r = io_pread_full(j->side, text, len, 0, e)) < 0)
		return r;
	io_close(&j->side);
	hash_bytes(text, len, hash);
	if (memcmp(hash, f.hash, HASH_LEN) != 0 || f.n == 0)
		return job_lied(e, "the list of attachments");
	buf_put(list, text, len);
	return buf_ok(list) ? 0 : err_set(e, ERR_MEM, "attachments");
}

static void
on_listed(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	AUTO_BUF list;

	buf_init(&list, LIST_MAX);
	if (!job_task_ok(j, o))
		return;
	if (take_list(j, o, &list, &e) < 0 || record_put(j->dir, RECORD, list.data, list.len, &e) < 0)
		job_trouble(j, &e);
	else
		job_step(j);
}

static int
start(struct job *j, int in, task_cb *cb, struct err *e)
{
	struct job_task t = { .kind = TASK_FILES, .in = in, .out = &j->side, .as_mib = FILES_MIB, .cpu_s = 60,
		.deadline_ms = 90000, .fsize = LIST_MAX };

	return job_task(j, &t, cb, e);
}

int
attached_start(struct job *j, struct err *e)
{
	AUTO_FD source = openat(j->dir, "source", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return source < 0 ? err_sys(e, ERR_IO, "source of job %s", j->claim.id) : start(j, source, on_listed, e);
}

static void
on_compared(void *ctx, const struct task_outcome *o)
{
	struct job *j = ctx;
	struct err e = { 0 };
	AUTO_BUF before;
	AUTO_BUF after;

	buf_init(&before, LIST_MAX);
	buf_init(&after, LIST_MAX);
	if (!job_task_ok(j, o))
		return;
	if (take_list(j, o, &after, &e) == 0 && record_get(j->dir, RECORD, &before, &e) == 0 &&
	    (before.len != after.len || memcmp(before.data, after.data, after.len) != 0))
		err_set(&e, ERR_SIG, "the attachments of what was sealed are not those that came");
	if (e.code != ERR_OK)
		job_trouble(j, &e);
	else
		j->attached_then(j);
}

int
attached_check(struct job *j, void (*then)(struct job *), struct err *e)
{
	j->attached_then = then;
	return start(j, j->out, on_compared, e);
}

json_t *
attached_json(struct job *j, struct err *e)
{
	json_t *list;
	AUTO_BUF b;

	buf_init(&b, LIST_MAX);
	if (j->inspect.files == 0 || record_get(j->dir, RECORD, &b, e) < 0)
		return NULL;
	if ((list = json_loadb((const char *)b.data, b.len, JSON_REJECT_DUPLICATES, NULL)) == NULL)
		err_set(e, ERR_IO, "record " RECORD " is damaged");
	return list;
}
