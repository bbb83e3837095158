/*
 * pageread.h - a page of a document, read by a child of ours.
 *
 *	fd = pageread_file(dir, &e)                  for its result; has no name
 *	pageread_start(children, &ask, cb, ctx)      a handle, as children_task() gives it
 *	pageread_take(o, fd, key, page, &mark, &e)   in cb: may the result be used?
 *
 * Every page is read with the same limits, whoever asks: a job, a trial, a verb.
 */
#ifndef SEALROOM_AGENT_PAGEREAD_H
#define SEALROOM_AGENT_PAGEREAD_H

#include "agent/children.h"
#include "agent/lib/err.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct pageread {
	const struct conf_scan *scan;
	struct page_params params; /* mark: that of the furthest page read so far */
	int source, out;           /* borrowed */
	uint32_t times;            /* the limits, so many times over */
	uint64_t left;             /* bytes that the document's results may still have; UINT64_MAX: not counted */
	bool behind;
};

/* dir: where, -1: in memory.  A descriptor, the caller's, or -code. */
int pageread_file(int dir, struct err *);
uint64_t pageread_start(struct children *, const struct pageread *, task_cb *, void *ctx);
/*
 * 0, and *mark is that of this page when none further is known; or -code: what ended the
 * task, or -ERR_DOC_CRASH when its answer or its result is damaged.
 */
int pageread_take(const struct task_outcome *, int out, const uint8_t key[static HASH_LEN], uint32_t page, struct page_mark *mark,
    struct err *);

#endif
