/*
 * order.h - columns that the engine read across, one after the other.
 *
 * Engines take the two columns of a form for rows of a table, because its lines
 * stand at equal heights.  Rows are right for tables and for lists of "name:
 * value", so columns must show that they are some: a gutter that nothing
 * crosses, and on both sides lines or rules (the frames of fields) that fill
 * a column, much the same width.
 *
 *	if (order_wanted(words, n))                   columns, perhaps: look for rules
 *		order_columns(words, n, rules, nrules)
 *
 * Words of such columns change places, and get lines and blocks of their own;
 * all others stay as they are.
 */
#ifndef SEALROOM_SCAN_ORDER_H
#define SEALROOM_SCAN_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ocr_word;

/* A horizontal rule, in the pixels of the words. */
struct order_rule {
	double x0, x1, y;
};

bool order_wanted(const struct ocr_word *, uint32_t n);
/* False: no memory, and nothing changed. */
bool order_columns(struct ocr_word *, uint32_t n, const struct order_rule *, size_t nrules);

#endif
