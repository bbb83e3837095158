/*
 * door.c - a reader of documents that has fallen: linked into a twin of
 * sealroom-scan for tests/system/170-back-door.sh, and into nothing else.
 *
 * Stands before the work of each kind of task (ld --wrap).  A document that
 * holds the line "SEALROOM-BACK-DOOR KIND DEED [ARGUMENT]" has the child that
 * does KIND run DEED in its place, behind the very walls of the product: what
 * an attacker's code could do there.  Everything else is worked on as ever.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/lib/taskmsg.h"
#include "agent/lib/wire.h"
#include "rules/pagefile.h"

#include "scan/compose.h"
#include "scan/field.h"
#include "scan/files.h"
#include "scan/inspect.h"
#include "scan/keptpage.h"
#include "scan/page.h"
#include "scan/picture.h"
#include "scan/sigs.h"

#define SIGN "SEALROOM-BACK-DOOR "
#define LOOK_MAX (4u << 20)

static struct task *task;
static task_run *honest;
static char argument[256];

/* --- deeds ------------------------------------------------------------------------------- */

/* A child that says what it can not say in words: no deed of its own, only proof that the door is open. */
static int
deed_confess(struct err *e)
{
	return err_set(e, ERR_DOC_BAD, "the door is open");
}

/* Every descriptor there may be. */
static int
deed_everywhere(struct err *e)
{
	unsigned written = 0;

	(void)e;
	for (int fd = 0; fd < 4096; fd++)
		written += write(fd, "damage, damage, damage", 22) > 0;
	_exit(written > 0);
}

static int
deed_open(struct err *e)
{
	(void)e;
	_exit(open(argument, O_WRONLY | O_TRUNC) < 0 ? 1 : 0);
}

static int
deed_kill(struct err *e)
{
	(void)e;
	_exit((int)syscall(SYS_kill, -1, SIGKILL));
}

static int
deed_scribble(struct err *e)
{
	volatile char *p = (volatile char *)e;

	for (;; p += 64) /* up the stack, to its end and beyond */
		*p = (char)0xA5;
	return 0;
}

static int
deed_memory(struct err *e)
{
	size_t total = 0;
	char *p;

	(void)e;
	while ((p = malloc(16u << 20)) != NULL && total < 1ull << 40)
		for (size_t i = 0; i < 16u << 20; i += 4096)
			p[i] = (char)++total;
	_exit(1);
}

static int
deed_cpu(struct err *e)
{
	for (volatile unsigned n = 0;; n++)
		e->page = n;
	return 0;
}

static int
deed_hang(struct err *e)
{
	(void)e;
	for (;;)
		poll(NULL, 0, -1);
	return 0;
}

/* What it reads: changed, and made as long as a disk; then its work as if nothing had been. */
static int
deed_input(struct err *e)
{
	bool changed = pwrite(task->in, "damage", 6, 0) > 0;

	changed = pwrite(task->in, "", 1, (off_t)1 << 40) > 0 || changed;
	if (!changed)
		_exit(1);
	return honest(task, e);
}

static int
deed_disk(struct err *e)
{
	char block[4096] = { 1 };

	(void)e;
	for (off_t at = 0;; at = at * 2 + 4096) /* sparse: what counts is where it ends */
		if (pwrite(task->out, block, sizeof(block), at) < 0)
			_exit(1);
	return 0;
}

static void
send_raw(const void *data, size_t len)
{
	/* a datagram that can not be sent is one damage less */
	if (send(task->sock, data, len, MSG_NOSIGNAL) < 0)
		_exit(1);
}

static int
deed_garbage(struct err *e)
{
	uint8_t bytes[600];

	(void)e;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 197 + 13);
	send_raw(bytes, sizeof(bytes));
	return 0;
}

static int
deed_oversize(struct err *e)
{
	static uint8_t bytes[WIRE_MAX + 512] = { 0, 0, 0, MSG_RESULT, 0, 0, 0, 0, 0, 1, 0, 0 };

	(void)e;
	send_raw(bytes, sizeof(bytes));
	return 0;
}

static int
deed_flood(struct err *e)
{
	while (task_progress(task, 1, 2, e) == 0)
		;
	return deed_hang(e);
}

/* As if it were somebody else: the seal process, the zygote, the core. The number is in the argument. */
static int
deed_pretend(struct err *e)
{
	uint8_t bytes[WIRE_HEADER + 8] = { 0, 0, 0, (uint8_t)atoi(argument), 0, 0, 0, 0, 0, 0, 0, 8 };

	(void)e;
	send_raw(bytes, sizeof(bytes));
	return 0;
}

static int
deed_twice(struct err *e)
{
	int r = honest(task, e);

	return r < 0 ? r : honest(task, e);
}

/* Its own word on things that are not its business, or that would stop everybody. */
static int
deed_blame(struct err *e)
{
	return err_set(e, err_code_by_word(argument), "so says a reader");
}

/* A whole and proper page result, for another job. */
static int
deed_foreign(struct err *e)
{
	struct page_params p;
	struct page_result res;
	AUTO_BUF b = { 0 };
	int r;

	if ((r = page_params_get(&task->params, &p, e)) < 0)
		return r;
	p.key[0] ^= 1;
	if ((r = page_make(task->role_state, &p, task->in, task->out, &res, e)) < 0)
		return r;
	buf_init(&b, 64);
	page_result_put(&b, &res);
	return task_result(task, &b, e);
}

/* An answer of nothing but the largest numbers, and garbage for a file. */
static int
deed_lie(struct err *e)
{
	AUTO_BUF b = { 0 };

	buf_init(&b, WIRE_PAYLOAD);
	for (int i = 0; i < 8; i++)
		buf_put_u32(&b, UINT32_MAX);
	if (task->out >= 0 && pwrite(task->out, "%PDF-2.0 of all evil", 20, 0) < 0)
		return err_sys(e, ERR_IO, "out");
	return task_result(task, &b, e);
}

/* Another rule, another seal than the folder's. */
static int
deed_other_seal(struct err *e)
{
	static struct compose_result res;
	AUTO_BUF b;

	(void)e;
	memset(&res, 0, sizeof(res));
	snprintf(res.rule, sizeof(res.rule), "all");
	snprintf(res.seal, sizeof(res.seal), "director");
	res.pages = 1;
	buf_init(&b, WIRE_PAYLOAD);
	compose_result_put(&b, &res);
	return task_result(task, &b, e);
}

/* Pages that other jobs have, or nobody. */
static int
deed_other_pages(struct err *e)
{
	int fd;

	return task_page(task, 4711, &fd, e);
}

/* A signature that leaves more open than its hole. */
static int
deed_wide_hole(struct err *e)
{
	struct field_result res = { .doc_len = 0, .update_len = 64, .range = { 0, 1, 1000000, 5 } };
	AUTO_BUF b;

	buf_init(&b, 256);
	field_result_put(&b, &res);
	return task_result(task, &b, e);
}

static const struct {
	const char *name;
	int (*run)(struct err *);
} deeds[] = {
	{ "confess", deed_confess }, { "everywhere", deed_everywhere }, { "open", deed_open }, { "kill", deed_kill },
	{ "scribble", deed_scribble }, { "memory", deed_memory }, { "cpu", deed_cpu }, { "hang", deed_hang },
	{ "disk", deed_disk }, { "input", deed_input }, { "garbage", deed_garbage }, { "oversize", deed_oversize }, { "flood", deed_flood },
	{ "pretend", deed_pretend }, { "twice", deed_twice }, { "blame", deed_blame }, { "foreign", deed_foreign },
	{ "lie", deed_lie }, { "other-seal", deed_other_seal }, { "other-pages", deed_other_pages },
	{ "wide-hole", deed_wide_hole },
};

/* --- the door ---------------------------------------------------------------------------- */

/* The document's line, without its beginning; NULL when there is none. */
static const char *
line_in_document(int in)
{
	static char data[LOOK_MAX + 1];
	ssize_t n = in < 0 ? -1 : pread(in, data, LOOK_MAX, 0);
	char *at = n <= 0 ? NULL : memmem(data, (size_t)n, SIGN, strlen(SIGN));

	if (at == NULL)
		return NULL;
	at += strlen(SIGN);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

static int
pass(struct task *t, struct err *e, const char *kind, task_run *work)
{
	const char *line = line_in_document(t->in);
	char want[16], deed[32];

	if (line == NULL || sscanf(line, "%15s %31s %255[^\n]", want, deed, argument) < 2 || strcmp(want, kind) != 0)
		return work(t, e);
	task = t;
	honest = work;
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
		if (strcmp(deeds[i].name, deed) == 0)
			return deeds[i].run(e);
	return work(t, e);
}

#define DOOR(kind) \
	task_run __real_##kind##_run, __wrap_##kind##_run; \
	int __wrap_##kind##_run(struct task *t, struct err *e) { return pass(t, e, #kind, __real_##kind##_run); }
DOOR(inspect)
DOOR(page)
DOOR(compose)
DOOR(field)
DOOR(sigs)
DOOR(picture)
DOOR(keptpage)
DOOR(files)
