/*
 * compose.h - from the results of reading each page to the base PDF and the
 * decision of the rules.
 *
 * Pages are pulled in order, one at a time; images are copied as they are, from
 * the source or the page result.  Kept in memory: offsets, the characters used,
 * and the words, for the rules.  The file is PDF/A-2u (spec of what it holds:
 * xmp.h, textlayer.h, pdfwrite.h) and the same bytes whenever it is made again.
 *
 * Of a PDF that keeps its bytes only the update is written (kept.h), which may be
 * empty; the core puts it behind the document.
 *
 * Page results come from a process that read a hostile document: every
 * dictionary is checked word by word before it enters our file.
 */
#ifndef SEALROOM_COMPOSE_H
#define SEALROOM_COMPOSE_H

#include "agent/lib/err.h"
#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

#include "scan/pdfwrite.h"
#include "scan/xmp.h"

/* Gives the result of one page; *ret_fd becomes ours. */
typedef int compose_page(void *ctx, uint32_t page, int *ret_fd, struct err *);

struct compose_job {
	const struct conf *conf;
	const struct compose_params *params;
	const char *engine;        /* what read the text; "" for none */
	enum pdfa pdfa;            /* PDFA_2U; the other one is for tests */
	enum pdf_section section;  /* PDF_TABLE; the other one is for tests */
	compose_page *page;
	void *ctx;
	int source;                /* the document that came in */
	int out;                   /* empty */
};

/* The base PDF into job->out, the decision into *ret. */
int compose_write(const struct compose_job *, struct compose_result *ret, struct err *);
/* No PDF: JSON into job->out, an array with one object a rule (rules/rules.h). */
int compose_explain(const struct compose_job *, struct compose_result *ret, struct err *);

/* A PDF of the pages first to last alone, as they lie in the source: no text, no metadata; never the rules. */
int compose_part(const struct compose_job *, struct part_result *ret, struct err *);

task_run compose_run; /* TASK_COMPOSE */
task_run explain_run; /* TASK_EXPLAIN */
task_run part_run;    /* TASK_PART */

#endif
