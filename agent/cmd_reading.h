/*
 * cmd_reading.h - a file read by the very children of the daemon, for a verb:
 * the command itself opens it and hashes it, and parses nothing of it.
 *
 *	reading_open(&r, conf, path)          programs started, file inspected
 *	reading_pages(&r, &some, cb, ctx)     each page of some given to cb in order, and let go
 *	reading_close(&r)                     also after an error; zeroed is fine, but for file and dir = -1
 *
 * All return 0 or -code; r.err says why, with the page where there is one.  No
 * more pages are under way than a few a core, however many there are.
 */
#ifndef SEALROOM_CMD_READING_H
#define SEALROOM_CMD_READING_H

#include <stdint.h>

#include "agent/children.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/pageset.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct reading;

struct reading_page {
	struct reading *reading;
	uint32_t page;
	int fd;    /* its result; -1: not read, or let go */
	bool read;
};

/* A page result, which the callback may read but not keep; 0 or -code. */
typedef int reading_page_cb(void *ctx, uint32_t page, int fd, struct err *);

struct reading {
	const struct conf *conf;
	const char *path;
	struct loop *loop;
	struct children *children;
	int file, dir;                 /* dir: of page results, which get no name */
	uint8_t hash[HASH_LEN];
	struct inspect_result inspect;
	struct reading_page *pages;
	const struct page_set *some;   /* NULL: all */
	reading_page_cb *each;
	void *ctx;
	uint32_t next, given;          /* page to start, page to give to each */
	uint32_t running, ahead;       /* under way; started and not given yet */
	struct page_mark mark;         /* of the furthest page read so far */
	struct err err;                /* code ERR_OK: all went well */
};

int reading_open(struct reading *, const struct conf *, const char *path);
int reading_pages(struct reading *, const struct page_set *some, reading_page_cb *, void *ctx);
void reading_close(struct reading *);
/* Puts the page that went wrong into the text of the error. */
void reading_tell_page(struct err *);

#endif
