/*
 * keptpage.h - TASK_KEPT_PAGE and TASK_KEPT_PICTURE: a page of a PDF that keeps
 * its bytes.
 *
 * Its words are those that the PDF has; a page without any is drawn and read
 * like a scan.  The page itself is never turned: where its writing runs
 * sideways, struct pagefile.turn says so for the text layer.
 */
#ifndef SEALROOM_SCAN_KEPTPAGE_H
#define SEALROOM_SCAN_KEPTPAGE_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"

#include "scan/scan.h"

int keptpage_make(const struct scan_state *, const struct page_params *, int in, int out, struct page_result *ret,
    struct err *);
int keptpage_picture(const struct picture_params *, int in, int out, struct err *);

task_run keptpage_run;
task_run keptpicture_run;

#endif
