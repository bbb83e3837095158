/*
 * scan.h - what a scan child finds in task->role_state.
 *
 * Made once by the zygote before it is confined (scan.c) and shared by fork;
 * children only read it, but for the engine, which each child has its own
 * copy-on-write copy of.  Never freed: it lives as long as the process.
 */
#ifndef SEALROOM_SCAN_H
#define SEALROOM_SCAN_H

#include "rules/conf.h"

struct looks; /* scan/look.h */
struct ocr; /* scan/ocr.h: the recognition engine with its models */

struct scan_state {
	const struct conf *conf; /* the effective settings */
	struct looks *looks;     /* of the seals */
	struct ocr *ocr;         /* NULL without SETTINGS_OCR */
	char engine_name[128];   /* "tesseract 5.3.0 deu+eng"; "" without SETTINGS_OCR and SETTINGS_OCR_LOOK */
};

#endif
