/*
 * picture.h - TASK_PICTURE: one page as a person sees it, with frames drawn in.
 *
 * For held jobs and `sealroom try --png`: green what was found, orange what
 * could also be meant, blue where the stamp goes, red where it would stand but
 * for the ink there.  A PDF of ours is shown by
 * the image of its page; the stamp itself is not drawn, its place is.
 */
#ifndef SEALROOM_SCAN_PICTURE_H
#define SEALROOM_SCAN_PICTURE_H

#include "agent/lib/task.h"
#include "agent/lib/taskmsg.h"
#include "rules/conf.h"

struct Pix; /* leptonica */

#define PICTURE_DPI 100.0
#define PICTURE_PIXELS 16000000u

/* For who has the page drawn already (keptpage.c): 32 bit colour, taken over; checked parameters. */
int picture_finish(struct Pix *page, const struct picture_params *, int out, struct err *);
int picture_check(const struct picture_params *, struct err *);

/* in: source or PDF; out: PNG. */
int picture_make(const struct conf_scan *, const struct picture_params *, int in, int out, struct err *);
task_run picture_run;

#endif
