/*
 * task.h - a zygote: forks one confined child for each TASK (scan, verify, fetch).
 *
 * main() of such a program is proc_start() and task_serve().  The zygote says
 * HELLO, takes SETTINGS, calls role->setup() (load a model, read trust roots),
 * confines itself, says READY, then forks per TASK.  A child gets its own
 * socket to the core (task->sock), at most one input and one output descriptor,
 * confines itself further (role->child) before the first byte of input is
 * read, runs the kind, sends RESULT or FAIL, and exits.
 *
 *	static int run_inspect(struct task *t, struct err *e)
 *	{
 *		... read t->params (buf), t->in; write t->out ...
 *		return task_result(t, &payload, e);
 *	}
 *
 * A run function that returns -code without having sent anything makes
 * task_serve() send FAIL with *e.
 */
#ifndef SEALROOM_TASK_H
#define SEALROOM_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/lib/buf.h"
#include "agent/lib/confine.h"
#include "agent/lib/err.h"
#include "agent/lib/msgs.h"

struct task {
	uint32_t id;
	uint32_t kind;
	struct buf params; /* cursor at its start */
	int sock;
	int in;            /* read only; -1: none */
	int out;           /* -1: none */
	void *role_state;  /* what setup() made */
	bool (*starved)(void); /* as the role's */
};

typedef int task_run(struct task *, struct err *);

struct task_kind {
	uint32_t kind;
	const char *name;
	task_run *run;
	const struct confine *child; /* instead of the role's; NULL: that */
};

struct task_role {
	const char *program;
	enum role role;
	const struct task_kind *kinds;
	size_t nkinds;
	/*
	 * settings: descriptor of the SETTINGS memfd.  Fills *ready with the READY
	 * payload and *state with what run functions find in task->role_state.
	 */
	int (*setup)(int settings, uint32_t flags, struct buf *ready, void **state, struct err *);
	/* Filled by setup's program before or during setup; read after it. */
	const struct confine *zygote;
	const struct confine *child; /* as_bytes, cpu_seconds, fsize_bytes come with the TASK */
	/*
	 * May be NULL.  begins: a child begins, with so many bytes of address space (0: no
	 * limit).  starved: an allocation failed since, also within a library.  Then neither
	 * its result nor its verdict on the input is sent: it fails with ERR_MEM.
	 */
	void (*begins)(uint64_t as_bytes);
	bool (*starved)(void);
};

/* Returns 0 when the core hung up. */
int task_serve(const struct task_role *, struct err *);

/* Inside a child. */
int task_result(struct task *, const struct buf *payload, struct err *);
int task_progress(struct task *, uint32_t done, uint32_t of, struct err *);
/* Asks the core for a page result; *ret_fd belongs to the caller. */
int task_page(struct task *, uint32_t page, int *ret_fd, struct err *);

#endif
