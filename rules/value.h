/*
 * value.h - lengths, times, sizes, modes and page ranges: text to number and back.
 *
 * The readers return 0, or -1 and leave *ret alone.  The writers choose the
 * largest unit that says the number exactly, so that what was written reads
 * back as the same number.
 */
#ifndef SEALROOM_VALUE_H
#define SEALROOM_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "rules/conf.h"

#define VALUE_MAX 48

int value_length(const char *, int32_t *ret_mpt);       /* "4mm" "0.5cm" "12pt" "1in" "0" */
int value_time(const char *, uint64_t *ret_ms);         /* "10s" "5min" "1h 30min" "30d" */
int value_size(const char *, uint64_t *ret);            /* "256MiB" "1GiB" "512B" */
int value_mode(const char *, mode_t *ret);              /* "0660" */
int value_number(const char *, uint64_t *ret);          /* "150000000" */
int value_pages(const char *, struct conf_pages *ret);  /* "1" "last" "2-3" "all" */

void value_length_text(int32_t mpt, char out[VALUE_MAX]);
void value_time_text(uint64_t ms, char out[VALUE_MAX]);
void value_size_text(uint64_t, char out[VALUE_MAX]);
void value_pages_text(const struct conf_pages *, char out[VALUE_MAX]);

#endif
