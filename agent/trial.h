/*
 * trial.h - what would happen to a document in a folder, and why.
 *
 *	trial_start(&t, &spec, &e)    done comes once, later
 *	trial_report(t)               the answer of `sealroom try --json`
 *	trial_free(t)                 at any time; what is under way ends unheard
 *
 * The very tasks of a job: inspect, signatures that came along, every page, and the
 * rules, which here also write down what they looked at (rules/explain.h).  Nothing is claimed, sealed,
 * logged or kept.  Used by the commands try, place and rules test with their own
 * children, and by the daemon with its own (trying.h).
 */
#ifndef SEALROOM_TRIAL_H
#define SEALROOM_TRIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/children.h"
#include "agent/lib/err.h"
#include "agent/lib/hash.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

/* why: NULL, or what is wrong; its text names the page. t may be freed in it. */
typedef void trial_cb(void *ctx, const struct err *why);

struct trial_spec {
	struct loop *loop;                /* all but cb and ctx are borrowed until trial_free() */
	struct children *children;
	const struct conf *conf;
	const struct conf_folder *folder;
	const char *name;                 /* of the file, without a directory */
	int file;                         /* a regular file that nobody writes to */
	uint8_t hash[HASH_LEN];           /* of all its bytes */
	int dir;                          /* of page results, which get no name; -1: in memory */
	uint32_t workers;                 /* pages at once */
	uint32_t pages_max;               /* more are refused: each page holds a descriptor */
	const char *pages_more;           /* what to do about those; one sentence */
	uint32_t trace_max;               /* bytes of the explanation */
	bool behind;                      /* everything else goes first (aside.h) */
	trial_cb *done;
	void *ctx;
};

struct trial_page;

struct trial {
	struct trial_spec spec;
	struct inspect_result inspect;    /* this and the rest: when done said NULL */
	struct trial_page *pages;
	struct compose_result *plan;
	struct judge_result *judged;      /* of a PDF that came signed; NULL: it did not */
	json_t *trace;                    /* array, as rules/explain.h has it */
	uint32_t next, running, read;
	struct page_mark mark;            /* of the furthest page read so far */
	int trace_fd, list_fd;
	uint64_t size;                    /* of the file */
	struct judge_params *params;
	struct steps *steps;              /* hashing what signatures cover */
	uint64_t task;                    /* inspect or explain; 0: none */
};

int trial_start(struct trial **ret, const struct trial_spec *, struct err *);
int trial_page(const struct trial *, uint32_t page); /* its result, the trial's; -1: no such page */
/* "file" is shown; a new object, NULL: no memory. */
json_t *trial_report(const struct trial *, const char *shown);
void trial_free(struct trial *); /* NULL is fine */

#endif
