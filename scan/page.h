/*
 * page.h - TASK_PAGE: one page of the source into a page result file
 * (rules/pagefile.h): its words and the image as it will stand in the PDF.
 */
#ifndef SEALROOM_SCAN_PAGE_H
#define SEALROOM_SCAN_PAGE_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"

#include "rules/pagefile.h"

#include "scan/ocr.h"
#include "scan/scan.h"

/* in: the document; out: empty. */
int page_make(const struct scan_state *, const struct page_params *, int in, int out, struct page_result *ret,
    struct err *);
/* Words recognised on a page of that size, as it was recognised; they stay in *p. */
int page_take_words(struct pagefile *, const struct ocr_page *p, int32_t page_w, int32_t page_h, double dpi, struct err *);
task_run page_run;

#endif
