/*
 * typed.h - values of finds in one spelling, whatever the page's is.
 *
 * number: its digits ("12 345" is 12345; with other signs it is none).
 * date: YYYY-MM-DD; read are 22.11.2026, 22. November 2026, November 22, 2026,
 * 2026-11-22, 22/11/2026 (the day first) and years of two digits (20..).
 * amount: 1234.56, with two places behind the point; read are 1.234,56, 1,234.56,
 * 1234,5, 12 345.00 and figures without places, with a currency before or behind.
 */
#ifndef SEALROOM_TYPED_H
#define SEALROOM_TYPED_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/conf.h"

/* What a find of this type takes when it does not say. */
const char *typed_take(enum find_type);
/* false: the text is no such value. dst: MSG_TEXT_MAX. */
bool typed_value(enum find_type, const char *text, char *dst, size_t size);

#endif
