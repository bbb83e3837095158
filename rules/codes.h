/*
 * codes.h - barcodes and patch codes on pages, as settings ask for them.
 *
 *	codes_wanted(folder)                  does anything there ask for codes?
 *	codes_find(&d, &pages, text, kinds, first_only, &matches, &e)
 *	codes_value(&d, match, text, dst, size)
 *
 * An expression is tried on the whole text of a code, and may fit any part of
 * it; control characters (the line breaks of a payment code, the separators of
 * GS1) count as blanks.
 */
#ifndef SEALROOM_CODES_H
#define SEALROOM_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/match.h"

bool codes_wanted(const struct conf_folder *); /* NULL: false */
/* Adds codes of one of the kinds (none named: of any) whose text fits; a match's box is the code's. */
int codes_find(struct doc_tokens *, const struct conf_pages *, const struct conf_ere *text, const struct strings *kinds,
    bool first_only, struct matches *, struct err *);
/* *ret: dst has what the expression takes of the code's text: its group, or all that it fits. */
int codes_value(struct doc_tokens *, const struct match *, const struct conf_ere *text, char *dst, size_t size, bool *ret,
    struct err *);
/* Is the page a separator sheet of this folder?  *ret_code: the code that says so. */
bool codes_separate(const struct conf_folder *, const struct pagefile *, const struct word **ret_code);

#endif
